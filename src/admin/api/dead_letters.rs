//! Dead letters: records that Freshsales refused, with the reason and the exact payload; sending them again and giving
//! them up.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request};
use axum::http::Uri;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::{failed, nothing, rfc3339_or_null};
use super::contacts::load;
use super::order::{MANY_NAMES, not_an_order, order_in};
use super::query::{Cursor, Params, invalid, one_more, page};
use crate::admin::{Asked, Debugger};
use crate::clock::UnixMicros;
use crate::decision::{RedriveAll, Urgency, World, dead_letter, discard, redrive_letter};
use crate::delivery::{Delivery, DeliveryId, Lane, State as Stage, Subject};
use crate::event::Email;
use crate::health::Added;
use crate::http::ApiError;
use crate::store::{DeliveryQuery, Keys, LIMIT_MAX, Plan, Put, Versioned};
use crate::trail::ActKind;

/// A dead letter as it is shown.
#[derive(Serialize)]
struct DeadLetterView {
    subject: Subject,
    email: Option<Email>,
    reason: Option<String>,
    status: Option<u16>,
    payload: Option<Value>,
    #[serde(serialize_with = "rfc3339_or_null")]
    first_attempt_at: Option<UnixMicros>,
    #[serde(serialize_with = "rfc3339_or_null")]
    last_attempt_at: Option<UnixMicros>,
    attempts: u32,
    events: u64,
    lane: Lane,
    delivery_id: DeliveryId,
}

impl DeadLetterView {
    fn of(delivery: Delivery) -> Self {
        let first_attempt_at = delivery.attempts.first().map(|first| first.started_at);
        let last = delivery.attempts.into_iter().next_back();
        Self {
            email: delivery.subject.contact().cloned().or(delivery.person),
            subject: delivery.subject,
            reason: delivery.reason,
            status: last.as_ref().and_then(|last| Some(last.response.as_ref()?.status)),
            first_attempt_at,
            last_attempt_at: last.as_ref().map(|last| last.started_at),
            payload: last.map(|last| last.request.body),
            attempts: delivery.attempts_made,
            events: delivery.events,
            lane: delivery.lane,
            delivery_id: delivery.id,
        }
    }
}

/// A page of dead letters.
#[derive(Serialize)]
pub(in crate::admin) struct DeadLetterPage {
    dead_letters: Vec<DeadLetterView>,
    next: Option<String>,
}

/// `GET /api/dead-letters`
pub(in crate::admin) async fn list(Asked(app): Asked, uri: Uri) -> Result<Json<DeadLetterPage>, ApiError> {
    let params = Params::read(&uri, &["limit", "before", "email", "subject", "reason"])?;
    let limit = params.limit()?;
    let query = DeliveryQuery {
        limit: one_more(limit),
        before: params.before(Cursor::DeadLetters)?,
        email: params.email()?,
        subject: params.subject()?,
        state: Some(Stage::Dead),
        account: Some(app.settings().account.clone()),
        reason: params.text("reason"),
    };
    let rows = app.store.deliveries(query).await.map_err(failed)?;
    let (rows, next) = page(rows, limit, Cursor::DeadLetters, |row| row.sequence);
    let dead_letters = rows.into_iter().map(|row| DeadLetterView::of(row.delivery)).collect();
    Ok(Json(DeadLetterPage { dead_letters, next }))
}

/// What the body of an order must be.
const ORDERS: &str =
    r#"{"emails":["…"]}, {"subjects":["…"]} or {"all":true}, with "preview":true for a look ahead"#;

/// The body of an order to send dead letters again.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    #[serde(default)]
    emails: Vec<String>,
    #[serde(default)]
    subjects: Vec<String>,
    #[serde(default)]
    all: bool,
    #[serde(default)]
    preview: bool,
}

/// What an order comes to.
#[derive(Serialize)]
pub(in crate::admin) struct OrderView {
    success: bool,
    preview: bool,
    /// Dead letters that it concerns.
    dead_letters: u64,
    /// Calls that they need.
    calls: u64,
    /// An estimate of how long they take behind everything owed already; null while blocked or paused.
    seconds: Option<u64>,
    /// Records that have no dead letter; contacts by their address.
    not_dead: Vec<String>,
}

/// `POST /api/dead-letters/redrive`
pub(in crate::admin) async fn order(
    Asked(app): Asked,
    request: Request,
) -> Result<Json<OrderView>, ApiError> {
    let (parts, body) = request.into_parts();
    Params::read(&parts.uri, &[])?;
    let order: Order = order_in(&parts, body, MANY_NAMES, ORDERS).await?;
    match (order.all, order.emails.is_empty() && order.subjects.is_empty()) {
        (true, true) => app.redrive_all(order.preview).await.map(Json),
        (false, false) => app.redrive_named(order.named()?, order.preview).await.map(Json),
        (true, false) | (false, true) => Err(not_an_order(ORDERS)),
    }
}

impl Order {
    /// The records that it names.
    fn named(&self) -> Result<BTreeSet<Subject>, ApiError> {
        if self.emails.len() + self.subjects.len() > LIMIT_MAX {
            return Err(invalid("emails", &format!("at most {LIMIT_MAX} addresses, or `all`")));
        }
        let contacts = self.emails.iter().map(|text| Email::parse(text).ok().map(Subject::Contact));
        let contacts = contacts.collect::<Option<BTreeSet<_>>>();
        let mut named = contacts.ok_or_else(|| invalid("emails", "email addresses"))?;
        let others = self.subjects.iter().map(|text| text.parse().ok()).collect::<Option<BTreeSet<_>>>();
        named.extend(others.ok_or_else(|| invalid("subjects", SUBJECTS))?);
        Ok(named)
    }
}

const SUBJECTS: &str = "records such as `contact:ADDRESS` or `deal:PEOPLE/KIND/KEY`";

impl Debugger {
    async fn redrive_named(&self, subjects: BTreeSet<Subject>, preview: bool) -> Result<OrderView, ApiError> {
        let settings = self.settings();
        let turn = self.store.turn().await;
        let mut world = load(&self.store, &subjects, &settings).await.map_err(failed)?;
        let letter =
            |subject: &Subject| dead_letter(subject, &world, &settings.account).map(|letter| letter.lane);
        let mut lanes: BTreeMap<Lane, u64> = BTreeMap::new();
        subjects.iter().filter_map(letter).for_each(|lane| *lanes.entry(lane).or_default() += 1);
        let (dead, not_dead): (Vec<Subject>, Vec<Subject>) =
            subjects.into_iter().partition(|subject| letter(subject).is_some());
        let outlook = self.outlook(&lanes).await?;
        if !preview {
            for subject in &dead {
                redrive_letter(subject, Urgency::Named, &mut world, &settings, self.now());
            }
            let about = format!("{} dead letters", dead.len());
            self.carry_out_noted(Plan::of(world, &settings.account), ActKind::Redriven, about).await?;
            tracing::info!(
                dead_letters = dead.len(),
                "redrive requested: these dead letters will be sent again"
            );
        }
        drop(turn);
        let name = |subject: Subject| match subject {
            Subject::Contact(email) => email.as_str().to_owned(),
            other @ (Subject::Company(_) | Subject::Deal(_) | Subject::Happening(_) | Subject::Member(_)) => {
                other.to_string()
            }
        };
        Ok(OrderView { preview, not_dead: not_dead.into_iter().map(name).collect(), ..outlook })
    }

    /// All are too many for one plan: the order is kept, and carried out a page at a time.
    async fn redrive_all(&self, preview: bool) -> Result<OrderView, ApiError> {
        let account = self.settings().account.clone();
        let turn = self.store.turn().await;
        let total = self.store.totals(account.clone()).await.map_err(failed)?.dead_letters;
        let outlook = self.outlook(&[(Lane::Backfill, total)].into()).await?;
        if !preview {
            let last =
                self.store.load(Keys { walks: true, ..Keys::default() }).await.map_err(failed)?.redrive;
            let revision = last.map_or(0, |Versioned { revision, .. }| revision);
            let order = RedriveAll::order(account, total, self.now());
            let plan = Plan { puts: vec![Put::Redrive(revision, order)], ..Plan::default() };
            self.carry_out_noted(plan, ActKind::Redriven, format!("all {total} dead letters")).await?;
            tracing::info!(dead_letters = total, "redrive requested: all dead letters will be sent again");
        }
        drop(turn);
        Ok(OrderView { preview, ..outlook })
    }

    /// How many calls contacts that become owed in these lanes need, and how long they take.
    async fn outlook(&self, more: &BTreeMap<Lane, u64>) -> Result<OrderView, ApiError> {
        let reading = self.reading().await?;
        let Added { calls, seconds } = self.snapshot(&reading).with(more);
        let dead_letters = more.values().sum();
        Ok(OrderView { success: true, preview: true, dead_letters, calls, seconds, not_dead: Vec::new() })
    }
}

/// `DELETE /api/dead-letters/{email}`
pub(in crate::admin) async fn give_up(
    Asked(app): Asked,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Json<Value>, ApiError> {
    let read = |text: String| text.parse().ok().or_else(|| Email::parse(&text).ok().map(Subject::Contact));
    let subject: Option<Subject> = path.ok().and_then(|Path(text)| read(text));
    let subject = subject
        .ok_or_else(|| invalid("email", "an email address, or a record such as `deal:PEOPLE/KIND/KEY`"))?;
    Params::read(&uri, &[])?;
    let settings = app.settings();
    let _turn = app.store.turn().await;
    let subjects = BTreeSet::from([subject.clone()]);
    let mut world: World = load(&app.store, &subjects, &settings).await.map_err(failed)?;
    let letter = dead_letter(&subject, &world, &settings.account).map(|letter| letter.id.clone());
    let letter = letter.ok_or_else(|| nothing("this record has no dead letter"))?;
    discard(&subject, "discarded by hand", &mut world, &settings, app.now());
    app.carry_out_noted(Plan::of(world, &settings.account), ActKind::Discarded, "a dead letter").await?;
    tracing::info!(delivery = %letter, "a dead letter was discarded by hand");
    Ok(Json(serde_json::json!({ "success": true, "delivery_id": letter })))
}
