//! Deals: the list, one with all that explains it, and what a person orders of one that does not go by itself.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request};
use axum::http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};

use super::answer::{failed, nothing, rfc3339, rfc3339_or_null};
use super::contacts::load;
use super::deliveries::{DeliveryView, Detail};
use super::order::{FEW_WORDS, order_in};
use super::query::{Cursor, Params, invalid};
use super::record::{Beside, state_of};
use crate::admin::{Asked, Debugger};
use crate::clock::UnixMicros;
use crate::deal::{Attributes, Birth, Candidate, Carried, Deal, HeldBack, Next, Standing};
use crate::decision::{
    Action, ActionState, ConsideredDeal, DealOrder, NoOrder, Settings, World, consider_deal, may_be_ordered,
    order_deal,
};
use crate::delivery::{CallKind, CompanyKey, DealKey, Subject};
use crate::event::{Email, Stamp};
use crate::freshsales::in_browser;
use crate::http::ApiError;
use crate::person::DEFAULT_PEOPLE;
use crate::store::{For, Keys, Plan, RecordState, RecordsOf, load_records};
use crate::trail::ActKind;

/// A deal in a list.
#[derive(Serialize)]
pub(in crate::admin) struct DealView {
    subject: Subject,
    people: String,
    kind: String,
    key: String,
    email: Option<Email>,
    state: RecordWord,
    /// The cause, where it is held.
    held: Option<&'static str>,
    why: String,
    deal_id: Option<u64>,
    /// Where it is seen in Freshsales; null where that is no account of Freshsales.
    link: Option<String>,
    /// What it should be, in names.
    wanted: Attributes,
    #[serde(serialize_with = "rfc3339_or_null")]
    spoken_of_at: Option<UnixMicros>,
    #[serde(serialize_with = "rfc3339_or_null")]
    accepted_at: Option<UnixMicros>,
}

/// How a record stands, as a word.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordWord(pub RecordState);

impl Serialize for RecordWord {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

/// One deal with all that explains it.
#[derive(Serialize)]
pub(in crate::admin) struct OneDeal {
    #[serde(flatten)]
    deal: DealView,
    accepted: Attributes,
    birth: BirthView,
    /// Events that spoke of it, the last of each name, the newest first.
    events: Vec<SpokenView>,
    persons: Vec<String>,
    contact_ids: BTreeSet<u64>,
    /// The company whose id it waits for.
    waits_for_company: Option<CompanyKey>,
    /// Values that Freshsales refused while it stored the rest.
    left_out: Attributes,
    notes: Vec<String>,
    /// Open deals of its contact of which a person chooses one.
    candidates: Vec<CandidateView>,
    /// Whether a person may order it to be taken over, created or left alone.
    may_be_ordered: bool,
    open_delivery: Option<DeliveryView>,
    /// Its calls, newest first.
    history: Vec<DeliveryView>,
}

/// How it came to be in Freshsales, or did not.
#[derive(Serialize)]
struct BirthView {
    state: &'static str,
    words: String,
    #[serde(serialize_with = "rfc3339_or_null")]
    at: Option<UnixMicros>,
}

#[derive(Serialize)]
struct SpokenView {
    name: String,
    #[serde(serialize_with = "rfc3339")]
    at: UnixMicros,
    message_id: String,
}

#[derive(Serialize)]
struct CandidateView {
    deal_id: u64,
    name: String,
    link: Option<String>,
}

/// Events that are shown of one deal; of more the newest.
const EVENTS_SHOWN: usize = 20;

/// A page of deals.
#[derive(Serialize)]
pub(in crate::admin) struct DealPage {
    deals: Vec<DealView>,
    next: Option<String>,
}

const FILTERS: &[&str] = &["limit", "before", "email", "kind", "held", "state", "search"];

/// `GET /api/deals`
pub(in crate::admin) async fn list(Asked(app): Asked, uri: Uri) -> Result<Json<DealPage>, ApiError> {
    let params = Params::read(&uri, FILTERS)?;
    let of = RecordsOf::Deals {
        email: params.email()?,
        kind: params.text("kind").map(|kind| kind.trim().to_owned()),
        held: params.get("held", HELD, |word| HeldBack::WORDS.contains(&word).then(|| word.to_owned()))?,
    };
    let (subjects, next) = app.listed(&params, of, Cursor::Deals).await?;
    let settings = app.settings();
    let world = load(&app.store, &subjects.iter().cloned().collect(), &settings).await.map_err(failed)?;
    let beside = Beside::of(&app, &world);
    let deals = subjects.into_iter().filter_map(|subject| match subject {
        Subject::Deal(key) => Some(Looked::at(key, &world, &settings, &beside)?.view()),
        Subject::Contact(_) | Subject::Company(_) | Subject::Happening(_) | Subject::Member(_) => None,
    });
    Ok(Json(DealPage { deals: deals.collect(), next }))
}

const HELD: &str = "one of no_email, contact, contact_refused, company, name, consent, not_begun, several, left_alone, gone, unclear";

/// `GET /api/deals/{kind}/{key}`
pub(in crate::admin) async fn one(
    Asked(app): Asked,
    path: Result<Path<(String, String)>, PathRejection>,
    uri: Uri,
) -> Result<Json<OneDeal>, ApiError> {
    let key = key_of(path, &uri)?;
    let settings = app.settings();
    let subject = Subject::Deal(key.clone());
    let world = load(&app.store, &BTreeSet::from([subject.clone()]), &settings).await.map_err(failed)?;
    let beside = Beside::of(&app, &world);
    let looked = Looked::at(key, &world, &settings, &beside).ok_or_else(unknown)?;
    let history = app.history(subject).await?;
    let events = app.spoken_of(looked.deal).await?;
    Ok(Json(looked.whole(&world, events, history)))
}

fn unknown() -> ApiError {
    nothing("nothing is known of this deal")
}

fn key_of(path: Result<Path<(String, String)>, PathRejection>, uri: &Uri) -> Result<DealKey, ApiError> {
    let people = Params::read(uri, &["people"])?.text("people");
    let people = people.as_deref().map_or(DEFAULT_PEOPLE, str::trim);
    let key = path.ok().and_then(|Path((kind, key))| DealKey::of(people, &kind, &key));
    key.ok_or_else(|| invalid("key", "the kind of a deal and its key, such as /api/deals/order/A-1001"))
}

/// A deal as it was found, and what follows from it.
struct Looked<'a> {
    key: DealKey,
    deal: &'a Deal,
    standing: Standing,
    considered: Option<ConsideredDeal>,
    settings: &'a Settings,
    state: RecordState,
    why: String,
}

impl<'a> Looked<'a> {
    fn at(key: DealKey, world: &'a World, settings: &'a Settings, beside: &Beside<'_>) -> Option<Self> {
        let deal = world.deals.get(&key)?;
        let standing = deal.with(&settings.account);
        let considered = consider_deal(&key, world, settings, beside.now);
        let open = standing.open.as_ref().and_then(|id| world.deliveries.get(id));
        let state = state_of(standing.in_flight.is_some(), open, standing.held.is_some());
        let why = match (&standing.in_flight, open, &standing.held) {
            (Some(call), _, _) => on_its_way(&call.carried).to_owned(),
            (None, Some(open), _) => beside.why_open(open, "deal"),
            (None, None, Some(held)) => held.words(),
            (None, None, None) if !settings.counts_space(key.people()) => TRIED_OUT.to_owned(),
            (None, None, None) => why_nothing(considered.as_ref(), beside),
        };
        Some(Self { key, deal, standing, considered, settings, state, why })
    }

    fn link(&self, id: u64) -> Option<String> {
        in_browser(&self.settings.account, CallKind::Deal, id)
    }

    fn view(&self) -> DealView {
        let considered = self.considered.clone();
        let deal_id = self.standing.birth.id();
        let known = considered.as_ref().and_then(|considered| considered.email.clone());
        DealView {
            people: self.key.people().to_owned(),
            kind: self.key.kind().to_owned(),
            key: self.key.key().to_owned(),
            subject: Subject::Deal(self.key.clone()),
            email: known.or_else(|| self.deal.email.clone()),
            state: RecordWord(self.state),
            held: self.standing.held.as_ref().map(HeldBack::as_str),
            why: self.why.clone(),
            deal_id,
            link: deal_id.and_then(|id| self.link(id)),
            wanted: considered.map(|considered| considered.wanted).unwrap_or_default(),
            spoken_of_at: self.deal.newest().map(|stamp| stamp.at),
            accepted_at: self.standing.accepted_at,
        }
    }

    fn whole(&self, world: &World, events: Vec<SpokenView>, history: Vec<DeliveryView>) -> OneDeal {
        let Standing { accepted, contacts, left_out, candidates, .. } = self.standing.clone();
        let candidate = |candidate: Candidate| CandidateView {
            link: self.link(candidate.id),
            deal_id: candidate.id,
            name: candidate.name,
        };
        let considered = self.considered.as_ref();
        let open = self.standing.open.as_ref().and_then(|id| world.deliveries.get(id));
        OneDeal {
            deal: self.view(),
            accepted,
            birth: BirthView::of(&self.standing),
            events,
            persons: self.deal.persons_newest_first().map(|(person, _)| person.to_string()).collect(),
            contact_ids: contacts,
            waits_for_company: considered.and_then(|considered| considered.waits_for.clone()),
            left_out,
            notes: considered.map(|considered| considered.notes.clone()).unwrap_or_default(),
            candidates: candidates.into_iter().map(candidate).collect(),
            may_be_ordered: may_be_ordered(&self.standing),
            open_delivery: open.cloned().map(|open| DeliveryView::of(open, Detail::Summary)),
            history,
        }
    }
}

const TRIED_OUT: &str = "events of a source that is tried out spoke of it, so nothing of it is sent; what would be sent is \
                         shown with its deliveries";

fn on_its_way(carried: &Carried) -> &'static str {
    match carried {
        Carried::Create => "the call that creates it is on its way",
        Carried::Update => "a call that changes it is on its way",
        Carried::Question(_) => "Freshsales is being asked about it",
    }
}

fn why_nothing(considered: Option<&ConsideredDeal>, beside: &Beside<'_>) -> String {
    match considered.map(|considered| &considered.next) {
        None => "the mapping does not know this kind of deal any more, so nothing is sent of it".to_owned(),
        Some(Next::Nothing | Next::Ahead { .. }) => beside.why_settled(),
        Some(Next::Refused) => {
            "Freshsales refused exactly this, and it was given up; it is sent again when the deal changes".to_owned()
        }
        Some(Next::Held(held)) => held.words(),
        Some(Next::Ask(..) | Next::Create(_) | Next::Update(..)) => {
            "nothing queued yet: the settings changed. The running review, or this deal's next event, will queue it"
                .to_owned()
        }
    }
}

impl BirthView {
    fn of(standing: &Standing) -> Self {
        let (state, at) = match standing.birth {
            Birth::Planned => ("planned", standing.gone_at),
            Birth::Sent => ("sent", standing.in_flight.as_ref().map(|call| call.left_at)),
            Birth::Unanswered { left_at, .. } => ("unanswered", Some(left_at)),
            Birth::Taken { at, .. } => ("taken", Some(at)),
            Birth::Told { .. } => ("told", None),
            Birth::Unclear => ("unclear", None),
        };
        let words = match standing.birth {
            Birth::Planned if standing.gone_at.is_some() => "Somebody deleted it in Freshsales.".to_owned(),
            Birth::Planned => "It was not created yet.".to_owned(),
            Birth::Sent => "The call that creates it is on its way.".to_owned(),
            Birth::Unanswered { asked, .. } => format!(
                "The call that creates it was never answered, so it may exist. Freshsales is asked before the call is repeated \
                 (asked {asked} times so far)."
            ),
            Birth::Taken { .. } => {
                "Freshsales says that its key is taken, so the deal that has it is looked for and taken over."
                    .to_owned()
            }
            Birth::Told { id } => format!("Freshsales has it as deal {id}."),
            Birth::Unclear => {
                "The call that creates it was never answered, and Freshsales can't tell whether it exists."
                    .to_owned()
            }
        };
        Self { state, words, at }
    }
}

impl Debugger {
    /// The events that spoke of a deal, the newest first, by the names they came with as long as they are kept.
    async fn spoken_of(&self, deal: &Deal) -> Result<Vec<SpokenView>, ApiError> {
        let mut spoken: Vec<(&String, &Stamp)> = deal.events.iter().collect();
        spoken.sort_by(|one, other| other.1.cmp(one.1));
        let mut views = Vec::new();
        for (name, stamp) in spoken.into_iter().take(EVENTS_SHOWN) {
            let trail = self.store.event(stamp.message_id.clone(), None).await.map_err(failed)?;
            let name = trail.map_or_else(|| name.clone(), |trail| trail.event);
            views.push(SpokenView { name, at: stamp.at, message_id: stamp.message_id.clone() });
        }
        Ok(views)
    }
}

/// What the body of an order must be.
const ORDERS: &str = r#"{"order":"adopt","deal_id":1}, {"order":"create"} or {"order":"leave_alone"}"#;

/// The body of an order.
#[derive(Deserialize)]
#[serde(tag = "order", rename_all = "snake_case", deny_unknown_fields)]
enum Order {
    Adopt { deal_id: u64 },
    Create {},
    LeaveAlone {},
}

impl From<Order> for DealOrder {
    fn from(order: Order) -> Self {
        match order {
            Order::Adopt { deal_id } => Self::Adopt(deal_id),
            Order::Create {} => Self::Create,
            Order::LeaveAlone {} => Self::LeaveAlone,
        }
    }
}

/// What became of a deal by an order.
#[derive(Serialize)]
pub(in crate::admin) struct Ordered {
    success: bool,
    state: ActionState,
    why: String,
}

/// `POST /api/deals/{kind}/{key}/order`
pub(in crate::admin) async fn order(
    Asked(app): Asked,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> Result<Json<Ordered>, ApiError> {
    let (parts, body) = request.into_parts();
    let key = key_of(path, &parts.uri)?;
    let order: Order = order_in(&parts, body, FEW_WORDS, ORDERS).await?;
    let settings = app.settings();
    let subjects = BTreeSet::from([Subject::Deal(key.clone())]);
    let turn = app.store.turn().await;
    let mut world = World::default();
    let keys = Keys { destination: Some(settings.account.clone()), ..Keys::default() };
    app.store.load(keys).await.map_err(failed)?.add_to(&mut world);
    load_records(&*app.store, &subjects, &settings, For::Deciding, &mut world).await.map_err(failed)?;
    let done = order_deal(&key, order.into(), &mut world, &settings, app.now()).map_err(not_ordered)?;
    app.carry_out_noted(Plan::of(world, &settings.account), ActKind::Decided, "a deal").await?;
    drop(turn);
    tracing::info!(state = ?done.state, "a deal was decided by hand");
    let Action { state, why, .. } = done;
    Ok(Json(Ordered { success: true, state, why }))
}

fn not_ordered(refused: NoOrder) -> ApiError {
    match refused {
        NoOrder::Unknown => unknown(),
        NoOrder::OnItsWay => ApiError::new(StatusCode::CONFLICT, "deal_on_its_way", refused.to_string()),
        NoOrder::Exists(_) => ApiError::new(StatusCode::CONFLICT, "deal_exists", refused.to_string()),
    }
}
