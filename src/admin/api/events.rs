//! Events: the list, newest first, and one event from receipt to answer.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::{StatusCode, Uri};
use axum::{Extension, Json};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::answer::{failed, not_done, nothing, rfc3339, rfc3339_or_null};
use super::deliveries::{DeliveryView, Detail};
use super::query::{Cursor, Params, invalid, one_more, page};
use super::rejected::{self, Narrow, REJECTED, RejectedView};
use crate::admin::{Asked, Debugger, Looked};
use crate::clock::UnixMicros;
use crate::config_problem::REDACTED;
use crate::decision::{Action, Outcome};
use crate::delivery::{Account, DeliveryId, State as Stage, Subject};
use crate::event::{Email, Kind, Position, SourceName, parse_body};
use crate::http::ApiError;
use crate::person::{PersonKey, words_of};
use crate::store::{DeliveryStands, EventQuery, Keys, Limited, Sought, StoreError};
use crate::trail::{ActKind, EventTrail};
use crate::turn::{self, Undecided};

/// An event in a list.
#[derive(Serialize)]
pub(in crate::admin) struct EventView {
    message_id: String,
    source: SourceName,
    r#type: Kind,
    event: String,
    #[serde(serialize_with = "rfc3339")]
    received_at: UnixMicros,
    #[serde(serialize_with = "rfc3339")]
    timestamp: UnixMicros,
    person: Option<String>,
    email: Option<Email>,
    outcome: Outcome,
    reason: String,
    notes: Vec<String>,
    /// What it did to deals, a line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    actions: Vec<Action>,
    delivery_id: Option<DeliveryId>,
    duplicates: u64,
}

/// An event in a list, with what became of the delivery that it opened or joined.
#[derive(Serialize)]
pub(in crate::admin) struct ListedEvent {
    #[serde(flatten)]
    event: EventView,
    /// Null where it led to none; null beside a `delivery_id` when that delivery is no longer kept.
    delivery: Option<StandsView>,
}

/// How a delivery stands.
#[derive(Serialize)]
struct StandsView {
    account: Account,
    subject: Subject,
    state: Stage,
    reason: Option<String>,
    #[serde(serialize_with = "rfc3339_or_null")]
    ended_at: Option<UnixMicros>,
    #[serde(serialize_with = "rfc3339_or_null")]
    next_attempt_at: Option<UnixMicros>,
}

impl From<DeliveryStands> for StandsView {
    fn from(stands: DeliveryStands) -> Self {
        let DeliveryStands { account, subject, state, reason, ended_at, next_attempt_at } = stands;
        Self { account, subject, state, reason, ended_at, next_attempt_at }
    }
}

/// Events as they are listed; one look-up says how all their deliveries stand.
pub(in crate::admin) async fn with_deliveries(
    app: &Debugger,
    trails: Vec<EventTrail>,
) -> Result<Vec<ListedEvent>, StoreError> {
    let ids: BTreeSet<_> = trails.iter().filter_map(|trail| trail.delivery_id.clone()).collect();
    let stands = if ids.is_empty() { BTreeMap::new() } else { app.store.stands(ids).await? };
    let listed = |trail: EventTrail| {
        let delivery = trail.delivery_id.as_ref().and_then(|id| stands.get(id)).cloned();
        ListedEvent { event: EventView::from(trail), delivery: delivery.map(StandsView::from) }
    };
    Ok(trails.into_iter().map(listed).collect())
}

impl From<EventTrail> for EventView {
    fn from(trail: EventTrail) -> Self {
        Self {
            message_id: trail.message_id,
            source: trail.source,
            r#type: trail.kind,
            event: trail.event,
            received_at: trail.received_at,
            timestamp: trail.at,
            person: trail.person,
            email: trail.email,
            outcome: trail.outcome,
            reason: trail.reason,
            notes: trail.notes,
            actions: trail.actions,
            delivery_id: trail.delivery_id,
            duplicates: trail.duplicates,
        }
    }
}

/// A page of events, or of refused requests.
#[derive(Serialize)]
#[serde(untagged)]
pub(in crate::admin) enum EventPage {
    Events { events: Vec<ListedEvent>, next: Option<String> },
    Rejected { events: Vec<RejectedView>, next: Option<String> },
}

/// What a list or a stream is about.
pub(in crate::admin) enum Listed {
    /// Events that took effect.
    Events(EventQuery),
    /// What ingest refused.
    Rejected(Narrow),
}

impl Listed {
    /// The same for whoever is called so, too.
    pub async fn with_people(self, app: &Debugger) -> Result<Self, ApiError> {
        let Self::Events(EventQuery { text: Some(sought), .. }) = &self else { return Ok(self) };
        let sought = app.called(&sought.text).await.map_err(failed)?;
        match self {
            Self::Events(query) => Ok(Self::Events(EventQuery { text: Some(sought), ..query })),
            Self::Rejected(narrow) => Ok(Self::Rejected(narrow)),
        }
    }

    /// Whether an event that took effect belongs to it.
    pub fn admits(&self, event: &EventTrail) -> bool {
        match self {
            Self::Events(query) => query.admits(event),
            Self::Rejected(_) => false,
        }
    }
}

/// Reads what is asked for, its first page.
pub(in crate::admin) fn listed(params: &Params) -> Result<Listed, ApiError> {
    if params.text("outcome").is_some_and(|outcome| outcome.trim() == REJECTED) {
        return Narrow::read(params).map(Listed::Rejected);
    }
    if params.text("door").is_some() {
        return Err(invalid(
            "door",
            "absent without `outcome=rejected`: of what was accepted it is not kept",
        ));
    }
    let (since, until) = params.times()?;
    Ok(Listed::Events(EventQuery {
        limit: one_more(params.limit()?),
        before: None,
        email: params.email()?,
        person: params.get("person", PERSON, |text| Some(text.parse::<PersonKey>().ok()?.to_string()))?,
        event: params.text("event"),
        outcomes: params.get("outcome", OUTCOME, outcomes)?.unwrap_or_default(),
        source: params.text("source").map(SourceName),
        since,
        until,
        text: params.text("search").map(|text| Sought::text(text.trim())),
        after: None,
    }))
}

/// One event with what it said itself and the delivery it opened or joined.
#[derive(Serialize)]
pub(in crate::admin) struct OneEvent {
    #[serde(flatten)]
    event: EventView,
    /// As it was sent; null once the journal has dropped it or it was erased.
    raw: Option<Box<RawValue>>,
    delivery: Option<DeliveryView>,
}

const FILTERS: &[&str] =
    &["limit", "before", "email", "person", "event", "outcome", "source", "since", "until", "door", "search"];
/// Events that are looked through in one answer where no index finds them.
const LOOKED_THROUGH_MAX: u64 = 20_000;
/// People whose names a text may be, of whom events are listed. Whoever has more of them writes more of the name.
const CALLED_MAX: usize = 200;
/// Words of it that are compared.
const WORDS_MAX: usize = 8;
/// The filters that are no page.
pub(in crate::admin) const NARROWING: &[&str] =
    &["email", "person", "event", "outcome", "source", "since", "until", "door", "search"];
const PERSON: &str = "user:ID, email:ADDRESS or anonymous:ID, with SPACE/ before it outside the default";
const OUTCOME: &str = "one or several, with commas between them, of failed, duplicate, erased, not_mapped, person_updated, invalid_email, hashed_email, no_email, \
                       switched_off, excluded, consent_denied, queued, absorbed, unchanged, rejected";

/// `GET /api/events`
pub(in crate::admin) async fn list(Asked(app): Asked, uri: Uri) -> Result<Json<EventPage>, ApiError> {
    let params = Params::read(&uri, FILTERS)?;
    let limit = params.limit()?;
    let query = match listed(&params)?.with_people(&app).await? {
        Listed::Events(query) => EventQuery { before: params.before(Cursor::Events)?.map(Position), ..query },
        Listed::Rejected(narrow) => {
            let before = params.before(Cursor::Rejected)?;
            let (events, next) = rejected::list(&app.live.refused, &narrow, before, limit);
            return Ok(Json(EventPage::Rejected { events, next }));
        }
    };
    let window = query.walks().then(|| app.window(query.before));
    let query = EventQuery { after: window, ..query };
    let rows = app.store.events(query).await.map_err(failed)?;
    let (rows, next) = page(rows, limit, Cursor::Events, |trail| trail.position.0);
    let next = match (next, window) {
        (None, Some(after)) => app.goes_on_before(after).await?,
        (next, _) => next,
    };
    let events = with_deliveries(&app, rows).await.map_err(failed)?;
    Ok(Json(EventPage::Events { events, next }))
}

/// The outcomes of a list of words.
fn outcomes(text: &str) -> Option<Vec<Outcome>> {
    text.split(',').map(|word| Outcome::parse(word.trim())).collect()
}

impl Debugger {
    /// A text, with the people whose names it may be, and their addresses.
    async fn called(&self, text: &str) -> Result<Sought, StoreError> {
        let words = words_of(text).take(WORDS_MAX).collect();
        let people: BTreeSet<PersonKey> = self.store.called(words, CALLED_MAX).await?.into_iter().collect();
        let mut sought = Sought::text(text);
        if people.is_empty() {
            return Ok(sought);
        }
        sought.people = people.iter().map(ToString::to_string).collect();
        let keys = Keys { people, ..Keys::default() };
        for person in self.store.load(keys).await?.people.into_values() {
            sought.emails.extend(person.document.facts().emails.keys().cloned());
        }
        Ok(sought)
    }

    /// How far back the trail is walked for one answer.
    fn window(&self, before: Option<Position>) -> Position {
        let from = before.unwrap_or_else(|| Position(self.store.journal_end().borrow().0.saturating_add(1)));
        Position(from.0.saturating_sub(LOOKED_THROUGH_MAX))
    }

    /// Where the search goes on, if older events are kept than those that were looked through.
    async fn goes_on_before(&self, after: Position) -> Result<Option<String>, ApiError> {
        let before = Position(after.0.saturating_add(1));
        let older = EventQuery { before: Some(before), ..EventQuery::newest(Limited::to(1)) };
        let older = self.store.events(older).await.map_err(failed)?;
        Ok((!older.is_empty()).then(|| Cursor::Events.at(before.0)))
    }
}

/// `GET /api/events/{message_id}`
pub(in crate::admin) async fn one(
    Asked(app): Asked,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<(Extension<Looked>, Json<OneEvent>), ApiError> {
    let Path(message_id) = path.map_err(|_| invalid("message_id", "the id of a message"))?;
    let source = Params::read(&uri, &["source"])?.text("source").map(SourceName);
    let trail = app.store.event(message_id, source).await.map_err(failed)?;
    let trail = trail.ok_or_else(|| nothing("no event of this message id is kept, or not processed yet"))?;
    let record = app.store.record(trail.position).await.map_err(failed)?;
    let raw = record.filter(|record| !record.event.raw.is_empty());
    let raw = raw.and_then(|record| without_write_key(record.event.raw));
    let delivery = match trail.delivery_id.clone() {
        Some(id) => app.store.delivery(id).await.map_err(failed)?,
        None => None,
    };
    let delivery = delivery.map(|delivery| DeliveryView::of(delivery, Detail::Summary));
    let looked = Looked(trail.email.as_ref().map(|email| email.as_str().to_owned()));
    Ok((Extension(looked), Json(OneEvent { event: EventView::from(trail), raw, delivery })))
}

/// `POST /api/events/{message_id}/retry`: decides on an event again that could not be processed.
pub(in crate::admin) async fn retry(
    Asked(app): Asked,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Json<Value>, ApiError> {
    let Path(message_id) = path.map_err(|_| invalid("message_id", "the id of a message"))?;
    let source = Params::read(&uri, &["source"])?.text("source").map(SourceName);
    let _turn = app.store.turn().await;
    let trail = app.store.event(message_id, source).await.map_err(failed)?;
    let trail = trail.ok_or_else(|| nothing("no event of this message id is kept, or not processed yet"))?;
    if trail.outcome != Outcome::Failed {
        let message = "this event was processed; only one with the outcome failed can be tried again";
        return Err(ApiError::new(StatusCode::CONFLICT, "not_failed", message));
    }
    let before = Position(trail.position.0.saturating_sub(1));
    let kept = app.store.failed(before, 1).await.map_err(failed)?.pop();
    let kept = kept.filter(|event| event.record.position == trail.position);
    let kept = kept.ok_or_else(|| nothing("what the event said is kept no more; send it again"))?;
    let settings = app.settings();
    let by = (&app.commands.decide, &*settings, &*app.clock);
    let carried = app.carried.as_ref().and_then(|carried| carried.put());
    let notes = carried.into_iter().chain([app.act(ActKind::Retried, "an event")]).collect();
    match turn::retry(&app.store, &kept, (trail.duplicates, notes), by).await {
        Ok(outcome) => {
            app.was_ordered();
            Ok(Json(json!({ "success": true, "outcome": outcome })))
        }
        Err(Undecided::Panicked(_, place)) => {
            let message = format!("it still can't be processed and stays aside: {place}");
            Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "failed_again", message))
        }
        Err(Undecided::Store(error)) => Err(not_done(error)),
    }
}

/// An event as it was sent, but for the write key that some SDKs put into its body.
pub(in crate::admin) fn without_write_key(raw: String) -> Option<Box<RawValue>> {
    let mut body = parse_body(&raw);
    let shown = match body.get_mut("writeKey") {
        Some(key) => {
            *key = Value::from(REDACTED);
            Value::Object(body).to_string()
        }
        None => raw,
    };
    RawValue::from_string(shown).ok()
}
