//! Contacts that a person orders to be sent whole once more, with a look ahead at what that comes to.
//!
//! Must not decide what is owed: that is said where contacts are.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::Request;
use serde::{Deserialize, Serialize};

use super::answer::failed;
use super::contacts::load;
use super::order::{MANY_NAMES, not_an_order, order_in};
use super::query::{Params, invalid};
use crate::admin::{Asked, Debugger};
use crate::clock::UnixMicros;
use crate::decision::{may_resend, resend};
use crate::delivery::{Lane, Subject};
use crate::event::Email;
use crate::health::Added;
use crate::http::ApiError;
use crate::store::{LIMIT_MAX, Plan};
use crate::trail::ActKind;

/// Contacts that one order looks at; of more it says where the next goes on.
const LOOKED_AT_MAX: usize = 2_000;
/// Contacts loaded at once, so that nobody waits long for the turn.
const PAGE: usize = 100;

/// What the body of an order must be.
const SHAPE: &str = r#"{"emails":["…"]} or {"filter":{"accepted_before":"2026-03-01T00:00:00Z"}}, with "preview":true for a look ahead"#;

/// The body of an order.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    #[serde(default)]
    emails: Vec<String>,
    filter: Option<Filter>,
    /// The contact behind which an order with a filter goes on: `next` of the answer before.
    after: Option<String>,
    #[serde(default)]
    preview: bool,
}

/// Which contacts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    /// Those that Freshsales accepted last before this moment.
    accepted_before: Option<String>,
}

/// What an order comes to.
#[derive(Serialize)]
pub(in crate::admin) struct ResendView {
    success: bool,
    preview: bool,
    /// Contacts that it concerns.
    contacts: u64,
    /// Calls that they need.
    calls: u64,
    /// An estimate of how long they take behind everything owed already; null while blocked or paused.
    seconds: Option<u64>,
    /// Those named that Freshsales does not have from here.
    unknown: Vec<String>,
    /// More contacts are to be looked at: the order goes on behind this one.
    next: Option<String>,
}

/// Contacts that are looked at, and how many of them are meant.
struct Walk {
    accepted_before: Option<UnixMicros>,
    preview: bool,
    contacts: u64,
    unknown: Vec<String>,
}

/// `POST /api/contacts/resend`
pub(in crate::admin) async fn order(
    Asked(app): Asked,
    request: Request,
) -> Result<Json<ResendView>, ApiError> {
    let (parts, body) = request.into_parts();
    Params::read(&parts.uri, &[])?;
    let order: Order = order_in(&parts, body, MANY_NAMES, SHAPE).await?;
    let mut walk = Walk { accepted_before: None, preview: order.preview, contacts: 0, unknown: Vec::new() };
    let next = match (&order.filter, order.emails.is_empty()) {
        (None, false) if order.after.is_none() => {
            app.resend_named(order.named()?, &mut walk).await?;
            None
        }
        (Some(filter), true) => {
            walk.accepted_before = filter.moment()?;
            app.resend_all(order.behind()?, &mut walk).await?
        }
        (Some(_), false) | (None, _) => return Err(not_an_order(SHAPE)),
    };
    let more = BTreeMap::from([(Lane::Refresh, walk.contacts)]);
    let reading = app.reading().await?;
    let snapshot = app.snapshot(&reading);
    let added = if walk.preview {
        snapshot.with(&more)
    } else {
        Added { calls: walk.contacts, seconds: snapshot.drain_seconds() }
    };
    let Walk { preview, contacts, unknown, .. } = walk;
    let (calls, seconds, next) = (added.calls, added.seconds, next.map(|email| email.as_str().to_owned()));
    Ok(Json(ResendView { success: true, preview, contacts, calls, seconds, unknown, next }))
}

impl Order {
    fn named(&self) -> Result<BTreeSet<Email>, ApiError> {
        if self.emails.len() > LIMIT_MAX {
            return Err(invalid("emails", &format!("at most {LIMIT_MAX} addresses")));
        }
        let emails = self.emails.iter().map(|text| Email::parse(text).ok()).collect::<Option<_>>();
        emails.ok_or_else(|| invalid("emails", "email addresses"))
    }

    fn behind(&self) -> Result<Option<Email>, ApiError> {
        let read =
            |text: &String| Email::parse(text).map_err(|_| invalid("after", "the `next` of an answer"));
        self.after.as_ref().map(read).transpose()
    }
}

impl Filter {
    fn moment(&self) -> Result<Option<UnixMicros>, ApiError> {
        let read = |text: &String| {
            UnixMicros::parse(text)
                .ok_or_else(|| invalid("accepted_before", "a moment such as 2026-03-01T00:00:00Z"))
        };
        self.accepted_before.as_ref().map(read).transpose()
    }
}

impl Debugger {
    async fn resend_named(&self, emails: BTreeSet<Email>, walk: &mut Walk) -> Result<(), ApiError> {
        let emails: Vec<Email> = emails.into_iter().collect();
        // An order of another node takes effect with one plan.
        let together = if self.carried.is_some() { LIMIT_MAX } else { PAGE };
        for page in emails.chunks(together) {
            self.resend_page(page, true, walk).await?;
        }
        Ok(())
    }

    /// Looks at contacts behind one; answers the last that was looked at where there are more.
    async fn resend_all(&self, mut after: Option<Email>, walk: &mut Walk) -> Result<Option<Email>, ApiError> {
        let pages = if self.carried.is_some() { 1 } else { LOOKED_AT_MAX / PAGE };
        for _ in 0..pages {
            let page = self.store.contacts(after.clone(), PAGE).await.map_err(failed)?;
            self.resend_page(&page, false, walk).await?;
            if page.len() < PAGE {
                return Ok(None);
            }
            after = page.last().cloned();
        }
        Ok(after)
    }

    async fn resend_page(&self, page: &[Email], named: bool, walk: &mut Walk) -> Result<(), ApiError> {
        let settings = self.settings();
        let subjects: BTreeSet<Subject> = page.iter().cloned().map(Subject::Contact).collect();
        let _turn = self.store.turn().await;
        let mut world = load(&self.store, &subjects, &settings).await.map_err(failed)?;
        let mut ordered: u64 = 0;
        for email in page {
            if !may_resend(email, &world, &settings) {
                walk.unknown.extend(named.then(|| email.as_str().to_owned()));
                continue;
            }
            let accepted_at = world.contacts.get(email).and_then(|it| it.with(&settings.account).accepted_at);
            if walk.accepted_before.is_some_and(|before| accepted_at.is_none_or(|at| at >= before)) {
                continue;
            }
            ordered += 1;
            if !walk.preview {
                resend(email, &mut world, &settings, self.now());
            }
        }
        walk.contacts += ordered;
        if ordered > 0 && !walk.preview {
            let about = format!("{ordered} contacts");
            self.carry_out_noted(Plan::of(world, &settings.account), ActKind::Resent, about).await?;
            tracing::info!(contacts = ordered, "contacts will be sent whole once more, by hand");
        }
        Ok(())
    }
}
