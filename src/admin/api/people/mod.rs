//! A person: what is held on them, and the order to erase them.
//!
//! Must not delete anything: an order is a row in the store that the stage for it carries out.

mod dossier;
mod facts;
mod suppress;

use std::time::Duration;

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use serde_json::Value;

use super::answer::{failed, nothing, rfc3339};
use super::query::{Params, invalid, refused};
use crate::admin::{Asked, Debugger, Looked};
use crate::clock::UnixMicros;
use crate::erasure::{Erasure, ErasureStage, ErasureSubject, Forgetting, Receipt};
use crate::http::ApiError;
use crate::person::{DEFAULT_PEOPLE, PersonId, PersonKey};
use crate::store::{OpenErasures, Plan, Privacy, Put, StoreError};
use crate::trail::ActKind;

pub(in crate::admin) use suppress::{suppress, suppressed, unsuppress};

/// Where an erasure is ordered.
pub(in crate::admin) const ROUTE: &str = "/api/people";
/// How often it is looked for a receipt that another node writes.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long an answer waits for the receipt. Asking again goes on waiting.
const RECEIPT_WITHIN: Duration = Duration::from_secs(25);
/// How long it goes on waiting once Freshsales alone is waited for: a look-up takes that long, and what is repeated for minutes
/// is not waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// Orders that may wait.
const ORDERS_MAX: usize = 10_000;

/// `GET /api/people`
pub(in crate::admin) async fn held(
    Asked(app): Asked,
    uri: Uri,
) -> Result<(Extension<Looked>, Json<Value>), ApiError> {
    let params = Params::read(&uri, &["email", "userId", "people"])?;
    let subject = subject(&params)?;
    let looked = Looked(params.email()?.map(|email| email.as_str().to_owned()));
    let held = dossier::of(&app, &subject).await.map_err(failed)?;
    Ok((Extension(looked), Json(held)))
}

/// What an erasure answers: numbers alone.
#[derive(Serialize)]
pub(in crate::admin) struct ErasureView {
    success: bool,
    erasure: u64,
    /// Nothing is left of the person. While it is false, the order is being carried out; ask again.
    done: bool,
    #[serde(serialize_with = "rfc3339")]
    erased_at: UnixMicros,
    erased: Erased,
    forget_in_crm: Forget,
    /// What a person should know who expected more.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
    /// What the engine can't reach.
    #[serde(skip_serializing_if = "Option::is_none")]
    remains: Option<&'static str>,
}

const SETTLING: &str = "nothing of the person is left here but what Freshsales is asked about. Who is not found there is looked up \
                        again after 1, 5 and 25 minutes, because its search lags behind; GET /api/erasures/NUMBER tells how it ends";
const NOBODY: &str = "nobody was found and nothing erased: look at the spelling of what was asked for";

#[derive(Serialize)]
struct Erased {
    people: u64,
    anonymous_ids: u64,
    contacts: u64,
    deals: u64,
    happenings: u64,
    deliveries: u64,
    events: u64,
    trail_events: u64,
    message_ids: u64,
    mentions: u64,
}

/// Contacts that Freshsales is told to forget, and what became of them.
#[derive(Serialize)]
struct Forget {
    ordered: u64,
    waiting: u64,
    forgotten: u64,
    /// Notes, activities and tasks on deals and companies.
    deleted: u64,
    not_found: u64,
    unclear: u64,
}

impl ErasureView {
    fn of(erasure: &Erasure, forgetting: Forgetting, remains: Option<&'static str>) -> Self {
        let Receipt {
            erased_at,
            people,
            anonymous_ids,
            contacts,
            deals,
            happenings,
            deliveries,
            trail_events,
            journal_events,
            message_ids,
            mentions,
            forget_ordered,
            forget_elsewhere,
        } = erasure.receipt;
        let erased = Erased {
            people,
            anonymous_ids,
            contacts,
            deals,
            happenings,
            deliveries,
            events: journal_events,
            trail_events,
            message_ids,
            mentions,
        };
        let Forgetting { waiting, forgotten, deleted, not_found, unclear } = forgetting;
        let nobody =
            erasure.stage.is_done() && erasure.receipt.found_nobody() && forgotten + waiting + unclear == 0;
        Self {
            success: true,
            erasure: erasure.id,
            done: erasure.stage.is_done(),
            message: if erasure.stage == ErasureStage::Settling {
                Some(SETTLING)
            } else {
                nobody.then_some(NOBODY)
            },
            erased_at,
            erased,
            forget_in_crm: Forget {
                ordered: forget_ordered,
                waiting,
                forgotten,
                deleted,
                not_found,
                unclear: unclear + forget_elsewhere,
            },
            remains,
        }
    }
}

/// `DELETE /api/people`
pub(in crate::admin) async fn erase(
    Asked(app): Asked,
    uri: Uri,
) -> Result<(StatusCode, Json<ErasureView>), ApiError> {
    let params = Params::read(&uri, &["email", "userId", "people", "forget_in_crm"])?;
    let subject = subject(&params)?;
    let forget = params.get("forget_in_crm", "true or false", |text| text.parse::<bool>().ok())?;
    let id = order(&app, subject, forget.unwrap_or(false)).await?;
    answer(&app, id).await
}

/// What an erasure answers that another node carries out: its order is kept.
pub(in crate::admin) async fn carried_out(app: &Debugger, id: u64) -> Result<Response, ApiError> {
    answer(app, id).await.map(IntoResponse::into_response)
}

async fn answer(app: &Debugger, id: u64) -> Result<(StatusCode, Json<ErasureView>), ApiError> {
    let (erasure, forgetting) = receipt(app, id).await.map_err(failed)?.ok_or_else(ApiError::internal)?;
    let status = if erasure.stage.is_done() { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(ErasureView::of(&erasure, forgetting, app.store.remains()))))
}

/// `GET /api/erasures/{erasure}`: how far an order is.
pub(in crate::admin) async fn erasure(
    Asked(app): Asked,
    path: Result<Path<u64>, PathRejection>,
    uri: Uri,
) -> Result<Json<ErasureView>, ApiError> {
    let Path(id) = path.map_err(|_| invalid("erasure", "the number of an erasure"))?;
    Params::read(&uri, &[])?;
    let found = app.store.erasure(id).await.map_err(failed)?;
    let (erasure, forgetting) = found.ok_or_else(|| nothing("there is no such erasure"))?;
    Ok(Json(ErasureView::of(&erasure, forgetting, app.store.remains())))
}

/// Whom a request is about: an address, or a user id in a name space of people.
fn subject(params: &Params) -> Result<ErasureSubject, ApiError> {
    let people = params.text("people");
    match (params.email()?, params.text("userId")) {
        (Some(email), None) if people.is_none() => Ok(ErasureSubject::Email(email)),
        (None, Some(user)) => {
            let people = people.unwrap_or_else(|| DEFAULT_PEOPLE.to_owned());
            let key = PersonKey { people, id: PersonId::User(user.trim().to_owned()) };
            // An order is stored as text: one that can't be read again would hold up every other.
            let readable = key.to_string().parse::<PersonKey>().is_ok_and(|read| read == key);
            let expected = "the name space of a source, such as `default`";
            readable.then_some(ErasureSubject::User(key)).ok_or_else(|| invalid("people", expected))
        }
        (Some(_), None) => {
            Err(invalid("people", "left out beside `email`: an address counts in every name space"))
        }
        (None, None) | (Some(_), Some(_)) => {
            Err(refused("email", "give exactly one of `email` and `userId`".to_owned()))
        }
    }
}

/// Leaves the order in the store; one for the same person that has not begun is joined.
async fn order(app: &Debugger, subject: ErasureSubject, forget: bool) -> Result<u64, ApiError> {
    let turn = app.store.turn().await;
    let OpenErasures { orders: open, next_id: next, .. } = app.store.erasures().await.map_err(failed)?;
    if let Some(waiting) = open.iter().find(|erasure| erasure.waits_for(&subject, forget)) {
        return Ok(waiting.id);
    }
    if open.len() >= ORDERS_MAX {
        let message = "too many erasures are pending; retry later";
        return Err(
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", message).retry_after_seconds(10)
        );
    }
    let order = Erasure::order(next, subject, forget);
    let puts = vec![Put::Privacy(Privacy::Erasure(Box::new(order)))];
    app.carry_out_noted(Plan { puts, ..Plan::default() }, ActKind::Erased, "a person").await?;
    drop(turn);
    app.live.erasures.ordered.notify_one();
    Ok(next)
}

/// Waits until an order is carried out, but not for ever.
async fn receipt(app: &Debugger, id: u64) -> Result<Option<(Erasure, Forgetting)>, StoreError> {
    let mut done = app.live.erasures.done.clone();
    let mut deadline = app.clock.sleep_until(app.clock.monotonic() + RECEIPT_WITHIN);
    let mut settles = false;
    loop {
        done.mark_unchanged();
        let erasure = app.store.erasure(id).await?;
        // Whoever ordered it on another node waits there.
        if app.carried.is_some() || erasure.as_ref().is_none_or(|(erasure, _)| erasure.stage.is_done()) {
            return Ok(erasure);
        }
        if !settles && erasure.as_ref().is_some_and(|(erasure, _)| erasure.stage == ErasureStage::Settling) {
            settles = true;
            deadline = app.clock.sleep_until(app.clock.monotonic() + ANSWER_WITHIN);
        }
        let look = async {
            if app.store.work().borrow().here {
                std::future::pending::<()>().await;
            }
            app.clock.sleep_until(app.clock.monotonic() + LOOK_EVERY).await;
        };
        tokio::select! {
            () = look => {}
            () = &mut deadline => return app.store.erasure(id).await,
            changed = done.changed() => if changed.is_err() { return Ok(erasure) },
        }
    }
}
