//! Claiming a contact: what its next call carries, and which request that is. Rebuilt from the newest state, always.
//!
//! Must not judge answers.

use std::time::Duration;

use super::call::CARRIED;
use super::considered::Considered;
use super::forward::{self, Move};
use super::owe::why_dropped;
use super::rename::{self, Renaming};
use super::tags::{self, Join};
use super::wish::consider;
use super::world::standing_of;
use super::{Settings, World};
use crate::clock::UnixMicros;
use crate::contact::{Attributes, COMPANIES, Call, InFlight, Owed, Standing, rename_body, upsert_body};
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
    if renaming.is_none()
        && let Some(question) = question_first(email, &considered, &standing)
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
    let in_flight = InFlight {
        delivery: id.clone(),
        attempt,
        whole: call.whole && carried.look.is_none(),
        asks: carried.look.is_some(),
        exempt: considered.wish.exempt.filter(|_| carried.look.is_none()),
        renames: carried.renames.and_then(|_| standing.renames.map(|renames| renames.from)),
        sent: if carried.look.is_none() { call.attributes } else { Attributes::new() },
        kept_back: carried.kept_back,
        left_at: Some(now),
    };
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
        (None, None) => Request::UpsertContact {
            body: upsert_body(email, &sent),
            shows_companies: settings.preset.empty_attributes().contains(COMPANIES),
        },
    })
}

/// The question that comes before anything is sent of a contact: of one that a message spoke of which is not believed by itself,
/// and before a first call that carries what visitors said.
fn question_first(email: &Email, considered: &Considered, standing: &Standing) -> Option<Request> {
    let doubted = standing.doubted_at.is_some();
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
