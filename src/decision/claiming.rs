//! Claiming a contact: what its next call carries, and which request that is. Rebuilt from the newest state, always.
//!
//! Must not judge answers.

use std::time::Duration;

use super::call::CARRIED;
use super::considered::Considered;
use super::forward::{self, Move};
use super::lead;
use super::owe::why_dropped;
use super::rename::{self, Renaming};
use super::tags::{self, Join};
use super::wish::consider;
use super::world::standing_of;
use super::{Settings, World};
use crate::clock::UnixMicros;
use crate::contact::{
    Attributes, COMPANIES, Call, InFlight, LeadStep, Owed, Standing, lead_body, rename_body, upsert_body,
};
use crate::delivery::{Bound, Delivery, DeliveryId, Request};
use crate::event::Email;
use crate::mapping::TAGS;

/// How long a contact that is to be renamed waits for a call with its old address.
const RENAMED_AFTER: Duration = Duration::from_secs(10);
const HAS_TAGS: &str = "the contact has these tags already";
const WAITS: &str = "a call with the old address is on its way; the contact is renamed after it";

/// The next call of a contact; nothing when a newer delivery carries it, or nothing is owed.
pub(super) fn claim_contact(
    id: &DeliveryId,
    email: &Email,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> Option<Request> {
    let delivery = world.deliveries.get(id)?;
    let (attempt, bound) = (delivery.attempts_made + 1, delivery.is_bound_by_strangers());
    let considered = consider(email, world, settings);
    let (standing, owed, renaming) = rename::owed_to(email, &considered, world, settings, now);
    if standing.in_flight.is_some() {
        return None;
    }
    if standing.open.as_ref() != Some(id) {
        world.deliveries.change(id, |delivery| delivery.supersede(CARRIED, now));
        return None;
    }
    let mut call = match owed {
        Owed::Nothing(why) => {
            world.deliveries.change(id, |delivery| delivery.supersede(&why_dropped(&why), now));
            standing_of(email, world, settings).open = None;
            return None;
        }
        Owed::Call(_) if renaming == Some(Renaming::Waits) => {
            world.deliveries.change(id, |delivery| delivery.wait(WAITS.to_owned(), now.plus(RENAMED_AFTER)));
            return None;
        }
        Owed::Call(Call { stranger_of: Some(source), .. }) if !bound => {
            // It comes back once the quota has room for it.
            world.deliveries.change(id, |delivery| delivery.wait_for(Bound::Withdrawals(source), now));
            return None;
        }
        Owed::Call(call) => call,
    };
    let step = lead::step(&standing, renaming.is_some(), settings, now);
    if waits_to_look(step, id, world, now) {
        return None;
    }
    if renaming.is_none()
        && let Some(question) = question_first(email, &considered, &standing, step)
    {
        return Some(ask(question, (id, attempt), email, world, settings, now));
    }
    let carried = match carried(&mut call, &standing, renaming, settings, now) {
        Ok(carried) => carried,
        Err(settled) => {
            settled.standing_into(standing_of(email, world, settings));
            world.deliveries.change(id, |delivery| delivery.supersede(&settled.note, now));
            return None;
        }
    };
    let in_flight = on_its_way((id, attempt), call, &carried, &standing, considered.wish.exempt, now);
    let own = standing_of(email, world, settings);
    if renaming.is_none() {
        (own.accepted, own.unanswered) = (carried.standing.accepted, carried.standing.unanswered);
    }
    let mut sent = in_flight.sent.clone();
    if let Some(joined) = carried.joined {
        tags::leave(&in_flight.sent, own);
        sent.insert(TAGS.to_owned(), joined.into());
    }
    own.leave(in_flight);
    world.deliveries.change(id, Delivery::claim);
    Some(match (carried.renames, carried.look) {
        (Some(id), _) => Request::RenameContact { id, body: rename_body(email, &sent) },
        (None, Some(id)) => Request::ShowContact { id },
        (None, None) => {
            standing_of(email, world, settings).leaves_as(step);
            written(step, email, &sent, settings)
        }
    })
}

/// Whether it is too early to ask which record has the address; then the delivery waits.
fn waits_to_look(step: LeadStep, id: &DeliveryId, world: &mut World, now: UnixMicros) -> bool {
    let LeadStep::Look(at) = step else { return false };
    if at > now {
        world.deliveries.change(id, |delivery| delivery.wait(lead::ASKED_LATER.to_owned(), at));
    }
    at > now
}

/// The call that leaves now.
fn on_its_way(
    (id, attempt): (&DeliveryId, u32),
    call: Call,
    carried: &Carries,
    standing: &Standing,
    exempt: Option<UnixMicros>,
    now: UnixMicros,
) -> InFlight {
    let renames = standing.renames.as_ref().map(|renames| renames.from.clone());
    InFlight {
        delivery: id.clone(),
        attempt,
        whole: call.whole && carried.look.is_none(),
        asks: carried.look.is_some(),
        exempt: exempt.filter(|_| carried.look.is_none()),
        renames: renames.filter(|_| carried.renames.is_some()),
        sent: if carried.look.is_none() { call.attributes } else { Attributes::new() },
        kept_back: carried.kept_back.clone(),
        left_at: Some(now),
    }
}

/// The call that writes a record: the contact, or the lead that somebody is until a person converts it.
fn written(step: LeadStep, email: &Email, sent: &Attributes, settings: &Settings) -> Request {
    match step {
        LeadStep::Create => Request::CreateLead { body: lead_body(email, sent) },
        LeadStep::Update(id) => Request::UpdateLead { id, body: lead_body(email, sent) },
        LeadStep::Contact | LeadStep::Look(_) => Request::UpsertContact {
            body: upsert_body(email, sent),
            shows_companies: settings.preset.empty_attributes().contains(COMPANIES),
        },
    }
}

/// The question that comes before anything is sent of a contact: of one that a message spoke of which is not believed by itself,
/// and before a first call that carries what visitors said.
fn question_first(
    email: &Email,
    considered: &Considered,
    standing: &Standing,
    step: LeadStep,
) -> Option<Request> {
    let doubted = standing.doubted_at.is_some();
    if matches!(step, LeadStep::Look(_)) || (doubted && standing.lead.is_some()) {
        return Some(Request::FindPerson { email: email.clone() });
    }
    let by_id = standing.contact_id.filter(|_| doubted).map(|id| Request::ShowContact { id });
    let by_address = || Request::FindContact { email: email.clone() };
    (doubted || looks_first(considered, standing)).then(|| by_id.unwrap_or_else(by_address))
}

/// Whether Freshsales is asked whether it has the contact, before a first call that carries what visitors said: what people or
/// other tools wrote there stays.
pub(super) fn looks_first(considered: &Considered, standing: &Standing) -> bool {
    standing.accepted.is_none() && !standing.looked_up && !considered.wish.by_visitors.is_empty()
}

/// A question about a contact leaves, before anything is sent of it.
fn ask(
    question: Request,
    (id, attempt): (&DeliveryId, u32),
    email: &Email,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> Request {
    standing_of(email, world, settings).leave(InFlight {
        delivery: id.clone(),
        attempt,
        sent: Attributes::new(),
        whole: false,
        asks: true,
        renames: None,
        kept_back: Attributes::new(),
        exempt: None,
        left_at: Some(now),
    });
    world.deliveries.change(id, Delivery::claim);
    question
}

/// What a call carries beside its attributes.
struct Carries {
    /// It gives the contact of this id another address.
    renames: Option<u64>,
    /// It asks for the contact of this id, and carries nothing.
    look: Option<u64>,
    /// The list that takes the place of the tags.
    joined: Option<Vec<String>>,
    /// What waits for what the answer shows.
    kept_back: Attributes,
    /// How the contact stands, with what turned out to be told already.
    standing: Standing,
}

/// Nothing is left to be told.
struct Settled {
    note: String,
    standing: Standing,
}

impl Settled {
    /// What Freshsales has already counts as told.
    fn standing_into(&self, own: &mut Standing) {
        own.accepted.clone_from(&self.standing.accepted);
        own.unanswered.clone_from(&self.standing.unanswered);
        own.open = None;
    }
}

/// What the call carries now: a stage that may not go back and tags that are joined may have to wait, for a question or for the
/// answer to this call.
fn carried(
    call: &mut Call,
    standing: &Standing,
    renaming: Option<Renaming>,
    settings: &Settings,
    now: UnixMicros,
) -> Result<Carries, Box<Settled>> {
    let renames = match renaming {
        Some(Renaming::Is(id)) => Some(id),
        Some(Renaming::Waits) | None => None,
    };
    let standing = standing.clone();
    let mut carries = Carries { renames, look: None, joined: None, kept_back: Attributes::new(), standing };
    let mut note = None;
    match forward::judge(&call.attributes, &carries.standing, settings, now) {
        Some(_) if renames.is_some() => carries.kept_back = forward::take_out(&mut call.attributes),
        Some(Move::Goes) | None => {}
        Some(Move::Look(contact_id)) => carries.look = Some(contact_id),
        Some(Move::Later) => carries.kept_back = forward::take_out(&mut call.attributes),
        Some(Move::Past(stands)) => {
            let taken = forward::take_out(&mut call.attributes);
            note = Some(forward::settle_past(taken, &stands, &mut carries.standing));
        }
    }
    match tags::judge(&call.attributes, &carries.standing, now) {
        None => {}
        Some(Join::Goes(joined)) if renames.is_none() && carries.look.is_none() => {
            carries.joined = Some(joined);
        }
        Some(Join::Look(id)) if renames.is_none() => carries.look = Some(id),
        Some(Join::Unchanged) => {
            tags::settle(&call.attributes, &mut carries.standing);
            carries.kept_back.extend(tags::take_out(&mut call.attributes));
            note = note.or(Some(HAS_TAGS.to_owned()));
        }
        Some(Join::Goes(_) | Join::Look(_) | Join::Later) => {
            carries.kept_back.extend(tags::take_out(&mut call.attributes));
        }
    }
    match note {
        Some(note) if call.attributes.is_empty() && carries.look.is_none() && renames.is_none() => {
            Err(Box::new(Settled { note, standing: carries.standing }))
        }
        Some(_) | None => Ok(carries),
    }
}
