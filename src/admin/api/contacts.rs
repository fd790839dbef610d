//! One contact: what is wanted, what Freshsales last accepted, what is owed between, and why it waits.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::Uri;
use axum::{Extension, Json};
use serde::Serialize;
use serde_json::Value;

use super::answer::{failed, nothing, rfc3339, rfc3339_or_null};
use super::deliveries::{DeliveryView, Detail};
use super::last_said::{HeardView, LastSaid, heard, last_said};
use super::listed::ListedView;
use super::query::{Params, invalid};
use super::why::{Circumstances, why};
use crate::admin::{Asked, Looked};
use crate::allowance::{Quotas, Usage};
use crate::clock::UnixMicros;
use crate::consent::{Category, Choice};
use crate::contact::{
    Attributes, Call, ConsentChange, ConsentHistory, Contact, InFlight, Owed, Refused, Standing, lead_body,
    upsert_body, wanted,
};
use crate::decision::{Considered, Settings, World, consider, owed_now};
use crate::delivery::{Account, BulkJob, CallKind, Delivery, DeliveryId, Lane, Subject};
use crate::destination::Destination;
use crate::erasure::ForgetOrder;
use crate::event::Email;
use crate::freshsales::{Mode, in_browser, lead_in_browser};
use crate::http::ApiError;
use crate::mapping::{LeftOut, MappedField};
use crate::person::Person;
use crate::store::{For, Keys, SharedStore, StoreError, load_records};

/// A contact as it is shown.
#[derive(Serialize)]
pub(in crate::admin) struct ContactView {
    email: Email,
    /// All of them, or of a crowd those who decide what is wanted.
    members: BTreeSet<String>,
    /// Whether there are more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    more_members: bool,
    wanted: Attributes,
    accepted: Option<Attributes>,
    /// What Freshsales says it has that is not what it accepted.
    heard: BTreeMap<String, HeardView>,
    /// Who said each attribute last.
    last_said: BTreeMap<String, LastSaid>,
    owed: Option<OwedView>,
    why: String,
    contact_id: Option<u64>,
    /// The id of the lead, of somebody who is one; they have none of a contact then.
    #[serde(skip_serializing_if = "Option::is_none")]
    lead_id: Option<u64>,
    /// Where it is seen in Freshsales; null behind another origin.
    link: Option<String>,
    #[serde(serialize_with = "rfc3339_or_null")]
    accepted_at: Option<UnixMicros>,
    in_flight: Option<InFlightView>,
    open_delivery: Option<DeliveryView>,
    refused: Option<RefusedView>,
    left_out: Vec<LeftOut>,
    fields: Vec<MappedField>,
    /// The lists that it is to be on, or off.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lists: Vec<ListedView>,
    consent: Option<String>,
    consent_history: HistoryView,
    /// Since when nothing of it is ever sent, by a person's order.
    #[serde(serialize_with = "rfc3339_or_null", skip_serializing_if = "Option::is_none")]
    suppressed_at: Option<UnixMicros>,
    /// Addresses without use that its people said after this one, masked.
    unusable_emails: BTreeSet<String>,
    gate: GateView,
}

/// Each change of consent, oldest first.
#[derive(Serialize)]
struct HistoryView {
    changes: Vec<ChangeView>,
    /// Older ones that are not kept any more.
    dropped: u64,
}

#[derive(Serialize)]
struct ChangeView {
    #[serde(serialize_with = "rfc3339")]
    at: UnixMicros,
    category: Category,
    choice: Choice,
    /// `said` by a person, or `shown` by a tool with every event.
    kind: &'static str,
    key: String,
    value: String,
    tool: Option<String>,
    page: Option<String>,
    source: Option<String>,
}

impl From<ConsentChange> for ChangeView {
    fn from(change: ConsentChange) -> Self {
        let ConsentChange { at, category, choice, key, value, shown, tool, page, source } = change;
        let kind = if shown { "shown" } else { "said" };
        Self { at, category, choice, kind, key, value, tool, page, source }
    }
}

impl From<ConsentHistory> for HistoryView {
    fn from(history: ConsentHistory) -> Self {
        let changes = history.changes.into_iter().map(ChangeView::from).collect();
        Self { changes, dropped: history.dropped }
    }
}

#[derive(Serialize)]
struct OwedView {
    whole: bool,
    withdrawal: bool,
    payload: Value,
}

#[derive(Serialize)]
struct InFlightView {
    delivery_id: DeliveryId,
    attempt: u32,
    whole: bool,
    sent: Attributes,
}

#[derive(Serialize)]
struct RefusedView {
    attribute: Option<String>,
    #[serde(serialize_with = "rfc3339")]
    at: UnixMicros,
    wanted: Attributes,
}

#[derive(Serialize)]
struct GateView {
    open: bool,
    reason: Option<String>,
}

/// `GET /api/contacts/{email}`
pub(in crate::admin) async fn one(
    Asked(app): Asked,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<(Extension<Looked>, Json<ContactView>), ApiError> {
    let email = path.ok().and_then(|Path(text)| Email::parse(&text).ok());
    let email = email.ok_or_else(|| invalid("email", "an email address"))?;
    Params::read(&uri, &[])?;
    let settings = app.settings();
    let subjects = BTreeSet::from([email.clone().into()]);
    let world = load(&app.store, &subjects, &settings).await.map_err(failed)?;
    let quotas = app.quotas().await?;
    let beside = Beside {
        usage: app.usage(),
        shares: &app.live.vitals.shares,
        quotas: &quotas,
        jobs: &app.store.bulk_jobs(settings.account.clone()).await.map_err(failed)?,
        look_ups: &app.store.look_ups().await.map_err(failed)?,
        mode: app.live.mode,
        now: app.now(),
    };
    let looked = Extension(Looked(Some(email.as_str().to_owned())));
    let view = ContactView::of(email, &world, &settings, &beside);
    let view = view.ok_or_else(|| nothing("nothing is known of this contact"))?;
    Ok((looked, Json(view)))
}

/// Everything the state of records depends on. Unless the turn is held, the two look-ups are moments apart, so a record that is
/// changing right now may show a delivery of a moment later.
pub(in crate::admin) async fn load(
    store: &SharedStore,
    subjects: &BTreeSet<Subject>,
    settings: &Settings,
) -> Result<World, StoreError> {
    let mut world = World::default();
    // Both at once: what is shown together is of one moment.
    let mut keys = Keys { destination: Some(settings.account.clone()), ..Keys::default() };
    for subject in subjects {
        keys.add(subject);
    }
    store.load(keys).await?.add_to(&mut world);
    load_records(&**store, subjects, settings, For::Showing, &mut world).await?;
    Ok(world)
}

/// What bears on when its calls leave, beside the contact itself.
struct Beside<'a> {
    usage: Usage,
    shares: &'a BTreeMap<Lane, u32>,
    quotas: &'a Quotas,
    /// Bulk calls whose jobs have not reported.
    jobs: &'a [BulkJob],
    /// Addresses of people who were erased that Freshsales is asked for.
    look_ups: &'a [ForgetOrder],
    mode: Mode,
    now: UnixMicros,
}

impl<'a> Beside<'a> {
    fn circumstances(
        &self,
        email: &Email,
        standing: &'a Standing,
        open: Option<&'a Delivery>,
        destination: &'a Destination,
    ) -> Circumstances<'a> {
        let withdrawal = open.filter(|open| open.lane == Lane::Withdrawal).map(|open| open.opened_at);
        let job = standing
            .in_flight
            .as_ref()
            .and_then(|call| self.jobs.iter().find(|job| job.carries(&call.delivery)));
        Circumstances {
            standing,
            open,
            destination,
            usage: self.usage,
            share_percent: open.and_then(|open| self.shares.get(&open.lane)).copied().unwrap_or(100),
            bulk_ends_by: job.map(|job| job.ends_by(withdrawal)),
            forgetting: self.look_ups.iter().any(|order| order.address() == Some(email)),
            quota: open.and_then(|open| self.quotas.get(open.bound.as_ref()?)),
            mode: self.mode,
            now: self.now,
        }
    }
}

/// A contact as a row of a file.
#[derive(Serialize)]
pub(super) struct Exported {
    email: Email,
    contact_id: Option<u64>,
    /// `withdrawal`, `whole`, `changes`, or empty where nothing is owed.
    owed: &'static str,
    /// What the call would carry.
    payload: Option<Value>,
    #[serde(serialize_with = "rfc3339_or_null")]
    accepted_at: Option<UnixMicros>,
    accepted: Option<Attributes>,
    wanted: Attributes,
}

impl Exported {
    /// In the order of the columns.
    pub(super) fn cells(&self) -> [String; 7] {
        let json = |attributes: &Attributes| serde_json::to_string(attributes).unwrap_or_default();
        [
            self.email.as_str().to_owned(),
            self.contact_id.map(|id| id.to_string()).unwrap_or_default(),
            self.owed.to_owned(),
            self.payload.as_ref().map(ToString::to_string).unwrap_or_default(),
            self.accepted_at.map(UnixMicros::to_rfc3339).unwrap_or_default(),
            self.accepted.as_ref().map(json).unwrap_or_default(),
            json(&self.wanted),
        ]
    }
}

/// A contact as a row of a file, if there is one.
pub(super) fn exported(
    email: &Email,
    world: &World,
    settings: &Settings,
    now: UnixMicros,
) -> Option<Exported> {
    world.contacts.get(email)?;
    let considered = consider(email, world, settings);
    let (standing, owed) = owed_now(email, &considered, world, settings, now);
    let wanted = wanted(&considered.wish, &standing);
    let call = OwedView::of(owed, email, &standing);
    let kind_of = |call: &OwedView| match (call.withdrawal, call.whole) {
        (true, _) => "withdrawal",
        (false, true) => "whole",
        (false, false) => "changes",
    };
    Some(Exported {
        email: email.clone(),
        contact_id: standing.contact_id,
        owed: call.as_ref().map_or("", kind_of),
        payload: call.map(|call| call.payload),
        accepted_at: standing.accepted_at,
        accepted: standing.accepted.clone(),
        wanted,
    })
}

impl ContactView {
    fn of(email: Email, world: &World, settings: &Settings, beside: &Beside<'_>) -> Option<Self> {
        let contact = world.contacts.get(&email)?;
        let considered = consider(&email, world, settings);
        let (standing, owed) = owed_now(&email, &considered, world, settings, beside.now);
        let lists = ListedView::all(&email, &considered, world, settings);
        let Considered { wish, fields, mut left_out, consent, stands, .. } = considered;
        // What is too old is not shown, though it may go a day later.
        let history = contact.consent.with(&stands, settings.consent.keep, beside.now);
        let consent_history = history.unwrap_or_else(|| contact.consent.clone()).into();
        left_out.extend(standing.left_out.keys().map(|name| refused_value(name)));
        let open = standing.open.as_ref().and_then(|id| world.deliveries.get(id));
        let why = why(&owed, beside.circumstances(&email, &standing, open, &world.destination.document));
        let wanted = wanted(&wish, &standing);
        let Standing { contact_id, accepted, accepted_at, in_flight, refused, .. } = standing.clone();
        Some(Self {
            members: world.members(&email).iter().map(ToString::to_string).collect(),
            more_members: contact.crowd.is_some(),
            wanted,
            accepted,
            heard: heard(&standing),
            last_said: last_said(&standing, &wish, &fields),
            owed: OwedView::of(owed, &email, &standing),
            suppressed_at: world.suppressed.get(&email).copied(),
            email,
            why,
            link: seen_at(&standing, &settings.account),
            contact_id,
            lead_id: standing.lead_id(),
            accepted_at,
            in_flight: in_flight.map(InFlightView::from),
            open_delivery: open.map(|delivery| DeliveryView::of(delivery.clone(), Detail::Summary)),
            refused: refused.map(RefusedView::from),
            left_out,
            fields,
            lists,
            consent,
            consent_history,
            unusable_emails: unusable_emails(world, contact),
            gate: GateView { open: wish.gate_shut.is_none(), reason: wish.gate_shut },
        })
    }
}

/// Where the contact, or the lead, is seen in Freshsales.
fn seen_at(standing: &Standing, account: &Account) -> Option<String> {
    match standing.lead_id() {
        Some(lead) => lead_in_browser(account, lead),
        None => in_browser(account, CallKind::Contact, standing.contact_id?),
    }
}

fn unusable_emails(world: &World, contact: &Contact) -> BTreeSet<String> {
    let keys = contact.members.iter().filter_map(|member| member.parse().ok());
    let people = keys.filter_map(|key| world.people.get(&key)).map(Person::facts);
    people.filter_map(|facts| facts.unusable_email().map(ToOwned::to_owned)).collect()
}

/// A value that Freshsales refused while it took the rest.
fn refused_value(attribute: &str) -> LeftOut {
    LeftOut {
        attribute: attribute.to_owned(),
        path: String::new(),
        why: "Freshsales refused this value and took the rest; it is sent again when it changes".to_owned(),
    }
}

impl OwedView {
    fn of(owed: Owed, email: &Email, standing: &Standing) -> Option<Self> {
        match owed {
            Owed::Nothing(_) => None,
            Owed::Call(Call { attributes, whole, withdrawal, resend: _, stranger_of: _ }) => {
                let body = if standing.lead.is_some() { lead_body } else { upsert_body };
                Some(Self { whole, withdrawal, payload: body(email, &attributes) })
            }
        }
    }
}

impl From<InFlight> for InFlightView {
    fn from(call: InFlight) -> Self {
        Self { delivery_id: call.delivery, attempt: call.attempt, whole: call.whole, sent: call.sent }
    }
}

impl From<Refused> for RefusedView {
    fn from(refused: Refused) -> Self {
        Self { attribute: refused.attribute, at: refused.at, wanted: refused.wanted }
    }
}
