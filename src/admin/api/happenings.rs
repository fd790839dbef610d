//! Notes, activities and tasks: the list, one with all that explains it, and what a person decides of one that is unclear.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::{StatusCode, Uri};
use serde::Serialize;
use serde_json::Value;

use super::answer::{failed, nothing, rfc3339, rfc3339_or_null};
use super::contacts::load;
use super::deliveries::{DeliveryView, Detail};
use super::query::{Cursor, Params, invalid};
use super::record::Beside;
use crate::admin::{Asked, Debugger};
use crate::clock::UnixMicros;
use crate::decision::{
    HappeningOrder, NoHappening, Settings, World, consider_happening, may_drop, may_tell, order_happening,
    told_body,
};
use crate::delivery::{Account, CallKind, HappeningId, HappeningKind, Subject, TargetKind};
use crate::event::Email;
use crate::freshsales::{in_browser, lead_in_browser};
use crate::happening::{Happening, Held, Next, State as Stands};
use crate::http::ApiError;
use crate::store::{For, Keys, Plan, RecordsOf, load_records};
use crate::trail::ActKind;

/// A happening in a list.
#[derive(Serialize)]
pub(in crate::admin) struct HappeningView {
    subject: Subject,
    id: HappeningId,
    kind: HappeningKind,
    /// The event it follows from.
    event: String,
    source: String,
    message_id: String,
    email: Option<Email>,
    /// The record it hangs on, as far as that is known.
    on: Option<Subject>,
    state: &'static str,
    /// The cause, where it is held.
    held: Option<&'static str>,
    why: String,
    /// Its id in Freshsales.
    told_id: Option<u64>,
    #[serde(serialize_with = "rfc3339")]
    happened_at: UnixMicros,
    #[serde(serialize_with = "rfc3339_or_null")]
    told_at: Option<UnixMicros>,
}

/// One happening with all that explains it.
#[derive(Serialize)]
pub(in crate::admin) struct OneHappening {
    #[serde(flatten)]
    happening: HappeningView,
    /// The words in Freshsales by which it is found.
    marker: String,
    /// Where what it hangs on is seen in Freshsales; null where that is no account of Freshsales.
    link: Option<String>,
    /// The body of its call, as it would be now.
    payload: Option<Value>,
    /// The one in whose call it goes along.
    goes_along_in: Option<HappeningId>,
    /// Those that go along in its call.
    with_it: BTreeSet<HappeningId>,
    notes: Vec<String>,
    /// Whether a person may order it to be sent again.
    may_tell: bool,
    /// Whether a person may order it not to be told.
    may_drop: bool,
    open_delivery: Option<DeliveryView>,
    /// Its calls, newest first.
    history: Vec<DeliveryView>,
}

/// A page of happenings.
#[derive(Serialize)]
pub(in crate::admin) struct HappeningPage {
    happenings: Vec<HappeningView>,
    next: Option<String>,
}

const STATES: &str = "one of planned, sent, unanswered, told, unclear, dropped";
const HELD: &str = "one of no_email, contact, contact_refused, deal, company, name, consent, unclear";

/// `GET /api/happenings`
pub(in crate::admin) async fn list(Asked(app): Asked, uri: Uri) -> Result<Json<HappeningPage>, ApiError> {
    let params = Params::read(&uri, &["limit", "before", "email", "state", "held"])?;
    let of = RecordsOf::Happenings {
        email: params.email()?,
        state: params.get("state", STATES, Stands::parse)?,
        held: params.get("held", HELD, |word| Held::WORDS.contains(&word).then(|| word.to_owned()))?,
    };
    let (subjects, next) = app.listed_in(&params, of, Cursor::Happenings, None).await?;
    let settings = app.settings();
    let world = load(&app.store, &subjects.iter().cloned().collect(), &settings).await.map_err(failed)?;
    let beside = Beside::of(&app, &world);
    let happenings = subjects.into_iter().filter_map(|subject| match subject {
        Subject::Happening(id) => HappeningView::of(id, &world, &settings, &beside),
        Subject::Contact(_) | Subject::Company(_) | Subject::Deal(_) | Subject::Member(_) => None,
    });
    Ok(Json(HappeningPage { happenings: happenings.collect(), next }))
}

/// `GET /api/happenings/{id}`
pub(in crate::admin) async fn one(
    Asked(app): Asked,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Json<OneHappening>, ApiError> {
    let id = id_of(path)?;
    Params::read(&uri, &[])?;
    let settings = app.settings();
    let subject = Subject::Happening(id.clone());
    let world = load(&app.store, &BTreeSet::from([subject.clone()]), &settings).await.map_err(failed)?;
    let beside = Beside::of(&app, &world);
    let history = app.history(subject).await?;
    let view = HappeningView::of(id.clone(), &world, &settings, &beside).ok_or_else(unknown)?;
    let standing = world.happenings.get(&id).map(|it| it.standing.clone()).unwrap_or_default();
    let considered = consider_happening(&id, &world, &settings, app.now());
    let target = considered.as_ref().and_then(|considered| considered.target);
    let open = standing.open.as_ref().and_then(|open| world.deliveries.get(open)).cloned();
    Ok(Json(OneHappening {
        happening: view,
        marker: id.marker().to_owned(),
        link: target.and_then(|target| seen_at(&settings.account, target)),
        payload: told_body(&id, &world, &settings, app.now()),
        may_tell: may_tell(&standing),
        may_drop: may_drop(&standing),
        goes_along_in: standing.rides,
        with_it: standing.riders,
        notes: considered.map(|considered| considered.notes).unwrap_or_default(),
        open_delivery: open.map(|open| DeliveryView::of(open, Detail::Summary)),
        history,
    }))
}

/// Where the record that it hangs on is seen.
fn seen_at(account: &Account, (kind, id): (TargetKind, u64)) -> Option<String> {
    match kind {
        TargetKind::Contact => in_browser(account, CallKind::Contact, id),
        TargetKind::Lead => lead_in_browser(account, id),
        TargetKind::Deal => in_browser(account, CallKind::Deal, id),
        TargetKind::Company => in_browser(account, CallKind::Company, id),
    }
}

fn unknown() -> ApiError {
    nothing("nothing is known of this note, activity or task")
}

fn id_of(path: Result<Path<String>, PathRejection>) -> Result<HappeningId, ApiError> {
    let id = path.ok().and_then(|Path(id)| id.parse().ok());
    id.ok_or_else(|| invalid("id", "the id of a note, an activity or a task, such as note-4F7K2Q9XZC0HJMNP"))
}

impl HappeningView {
    fn of(id: HappeningId, world: &World, settings: &Settings, beside: &Beside<'_>) -> Option<Self> {
        let happening = world.happenings.get(&id)?;
        let standing = &happening.standing;
        Some(Self {
            subject: Subject::Happening(id.clone()),
            kind: id.kind(),
            event: happening.event.clone(),
            source: happening.source.0.clone(),
            message_id: happening.stamp.message_id.clone(),
            email: happening.email.clone(),
            on: happening.target(),
            state: standing.state().as_str(),
            held: standing.held.as_ref().map(Held::as_str),
            why: why(&id, happening, world, settings, beside),
            told_id: standing.birth.id(),
            happened_at: happening.stamp.at,
            told_at: standing.told_at,
            id,
        })
    }
}

/// Why it stands as it stands, for a person.
fn why(
    id: &HappeningId,
    happening: &Happening,
    world: &World,
    settings: &Settings,
    beside: &Beside<'_>,
) -> String {
    let standing = &happening.standing;
    if happening.account != settings.account {
        return "it is of another account, or of a dry run, and is told there or nowhere".to_owned();
    }
    match standing.state() {
        Stands::Told => return "Freshsales has it".to_owned(),
        Stands::Dropped => return standing.dropped.clone().unwrap_or_default(),
        Stands::Sent => return "the call that tells it is on its way".to_owned(),
        Stands::Planned | Stands::Unanswered | Stands::Unclear => {}
    }
    if standing.in_flight.is_some() {
        return "Freshsales is being asked whether it has it".to_owned();
    }
    if standing.rides.is_some() {
        return "it goes along in the call of another that waits".to_owned();
    }
    if let Some(open) = standing.open.as_ref().and_then(|open| world.deliveries.get(open)) {
        return beside.why_open(open, id.kind().as_str());
    }
    match &standing.held {
        Some(held) => held.words(),
        None => match consider_happening(id, world, settings, beside.now).map(|considered| considered.next) {
            Some(Next::Held(held)) => held.words(),
            Some(_) | None => {
                "it is looked at again when something of its person or record changes".to_owned()
            }
        },
    }
}

/// What became of a happening by an order.
#[derive(Serialize)]
pub(in crate::admin) struct Ordered {
    success: bool,
    state: &'static str,
}

/// `POST /api/happenings/{id}/tell`
pub(in crate::admin) async fn tell(
    Asked(app): Asked,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Json<Ordered>, ApiError> {
    app.order(path, &uri, HappeningOrder::Tell).await
}

/// `POST /api/happenings/{id}/drop`
pub(in crate::admin) async fn leave(
    Asked(app): Asked,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Json<Ordered>, ApiError> {
    app.order(path, &uri, HappeningOrder::Drop).await
}

impl Debugger {
    async fn order(
        &self,
        path: Result<Path<String>, PathRejection>,
        uri: &Uri,
        order: HappeningOrder,
    ) -> Result<Json<Ordered>, ApiError> {
        let id = id_of(path)?;
        Params::read(uri, &[])?;
        let settings = self.settings();
        let subjects = BTreeSet::from([Subject::Happening(id.clone())]);
        let turn = self.store.turn().await;
        let mut world = World::default();
        let keys = Keys { destination: Some(settings.account.clone()), ..Keys::default() };
        self.store.load(keys).await.map_err(failed)?.add_to(&mut world);
        load_records(&*self.store, &subjects, &settings, For::Deciding, &mut world).await.map_err(failed)?;
        order_happening(&id, order, &mut world, &settings, self.now()).map_err(not_ordered)?;
        let state = world.happenings.get(&id).map(|it| it.standing.state());
        self.carry_out_noted(Plan::of(world, &settings.account), ActKind::Decided, id.to_string()).await?;
        drop(turn);
        tracing::info!(order = ?order, "a note, an activity or a task was decided by hand");
        Ok(Json(Ordered { success: true, state: state.map_or("dropped", Stands::as_str) }))
    }
}

fn not_ordered(refused: NoHappening) -> ApiError {
    match refused {
        NoHappening::Unknown => unknown(),
        NoHappening::GoesByItself | NoHappening::Over => {
            ApiError::new(StatusCode::CONFLICT, "happening_decided", refused.to_string())
        }
    }
}
