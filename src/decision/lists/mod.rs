//! Lists in the decision: whether a contact is to be on a list, and what is owed for that.
//!
//! A place on a list is state like an attribute: wanted by what people said last, accepted by calls. It has deliveries of its
//! own, because many contacts share one call. Must not build bodies or read answers.

mod call;

use std::collections::BTreeSet;

use super::action::{Action, ActionState};
use super::owe::Effect;
use super::whose::{PersonHold, hold_of};
use super::wish::consider;
use super::world::standing_of;
use super::{Considered, Reading, Settings, World};
use crate::allowance::MINUTE;
use crate::clock::UnixMicros;
use crate::contact::{Member, Place, PlaceOwed};
use crate::delivery::{Delivery, DeliveryId, Lane, ListKey, MemberKey, State, Subject};
use crate::event::Email;
use crate::mapping::{Label, Listing};
use crate::selectors::Kind;

pub(super) use call::{claim, close, open, played, redrive, settle, void};
pub use call::{place_of, settle_members, wait_for_list};

/// What keeps a contact from being put on a list or taken off it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeldPlace {
    /// Freshsales does not have the contact yet, or its id is not known.
    Contact,
    /// The person is a lead of the account, and lists hold contacts.
    Lead,
    /// The contact was refused, or is none, for this reason.
    ContactRefused(String),
    /// Consent is required and not given; says which.
    Consent(String),
    /// The account has no such list; says what it has.
    Name(String),
}

impl HeldPlace {
    /// For a person.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Contact => {
                "the call of its contact goes first: Freshsales knows contacts of lists by their ids"
                    .to_owned()
            }
            Self::Lead => {
                "its person is a lead in Freshsales, and lists hold contacts: it is put there once somebody has converted the lead"
                    .to_owned()
            }
            Self::ContactRefused(why) => format!("its contact is not in Freshsales: {why}"),
            Self::Consent(why) | Self::Name(why) => why.clone(),
        }
    }

    fn state(&self) -> ActionState {
        match self {
            Self::Consent(_) => ActionState::ConsentDenied,
            Self::Contact | Self::Lead | Self::ContactRefused(_) | Self::Name(_) => ActionState::Held,
        }
    }
}

/// How a contact is to stand with a list, and what keeps it from that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedPlace {
    /// What was said last.
    pub listing: Listing,
    /// How it is to stand, or what holds that back.
    pub place: Result<Place, HeldPlace>,
}

/// How a contact is to stand with a list; `None` where nobody says anything of it any more.
#[must_use]
pub fn wanted_place(
    key: &MemberKey,
    considered: &Considered,
    world: &World,
    settings: &Settings,
) -> Option<WantedPlace> {
    let listing = considered.lists.get(&key.list)?.clone();
    let place = place(&key.email, &listing, considered, world, settings);
    Some(WantedPlace { listing, place })
}

fn place(
    email: &Email,
    listing: &Listing,
    considered: &Considered,
    world: &World,
    settings: &Settings,
) -> Result<Place, HeldPlace> {
    match hold_of(Some(email), considered, world, settings) {
        Some(PersonHold::Refused(why)) => return Err(HeldPlace::ContactRefused(why)),
        Some(PersonHold::Consent(why)) => return Err(HeldPlace::Consent(why)),
        Some(PersonHold::NoEmail) | None => {}
    }
    let list = match &listing.label {
        Label::Id(id) => *id,
        Label::Name(name) => {
            let resolved = settings.selectors.resolve(Kind::Lists, name);
            match (resolved.id(), resolved.why_of(Kind::Lists, name)) {
                (Some(id), _) => id,
                // Nothing is sent, and the account was not asked for its lists.
                (None, _) if settings.names_stay() => 0,
                (None, why) => return Err(HeldPlace::Name(why.unwrap_or_default())),
            }
        }
    };
    let standing = world.contacts.get(email).and_then(|contact| contact.standing.get(&settings.account));
    let is_lead = standing.is_some_and(|standing| standing.lead_id().is_some());
    let held = if is_lead { HeldPlace::Lead } else { HeldPlace::Contact };
    let contact = standing.and_then(|standing| standing.contact_id).ok_or(held)?;
    Ok(Place { list, contact, on: listing.on })
}

/// How a contact stands with a list.
pub(super) fn member(key: &MemberKey, world: &World, settings: &Settings) -> Member {
    let standing = world.contacts.get(&key.email).and_then(|contact| contact.standing.get(&settings.account));
    standing.and_then(|standing| standing.lists.get(&key.list)).cloned().unwrap_or_default()
}

fn member_of<'w>(key: &MemberKey, world: &'w mut World, settings: &Settings) -> &'w mut Member {
    standing_of(&key.email, world, settings).lists.entry(key.list.clone()).or_default()
}

/// Evaluates the lists of the contacts that an event touched: a line for each list that the event names. `opened` is how many
/// deliveries the event may have opened before.
pub(super) fn owe(
    reading: &Reading,
    effects: &[Effect],
    opened: usize,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> Vec<Action> {
    let preset = &settings.preset;
    let said = reading.mapped.and_then(|_| preset.lists_of_event(&reading.name));
    let named: Vec<ListKey> =
        said.iter().flat_map(|said| said.all()).filter_map(|(label, _)| ListKey::of(&label.text())).collect();
    let mut actions = Vec::new();
    let mut nth = opened;
    for effect in effects {
        for key in keys(&effect.email, &effect.considered, world, settings) {
            let occasion =
                Occasion { lane: reading.lane.min(Lane::Refresh), by_event: named.contains(&key.list) };
            let of = Of {
                key: &key,
                considered: &effect.considered,
                id: DeliveryId::of(reading.position, nth),
                occasion,
            };
            let action = evaluate(of, world, settings, now);
            nth += 1;
            actions.extend(action.filter(|_| occasion.by_event));
        }
    }
    if actions.is_empty() {
        // Nobody is there whom it would put on a list.
        let why = "no email of its person is known, so nobody is put on the list or taken off it";
        actions.extend(named.iter().map(|list| Action::nobody_listed(list, why)));
    }
    actions
}

/// Evaluates the lists of a contact that no event touched; tells whether a call is owed now that was not owed before.
pub(super) fn evaluate_without_event(
    email: &Email,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> bool {
    if !concerns(email, world, settings) {
        return false;
    }
    let considered = consider(email, world, settings);
    let mut opened = false;
    for key in keys(email, &considered, world, settings) {
        let id = DeliveryId::without_event(&Subject::Member(key.clone()), now);
        let occasion = Occasion { lane: Lane::Refresh, by_event: false };
        let action = evaluate(Of { key: &key, considered: &considered, id, occasion }, world, settings, now);
        opened |= action.is_some_and(|action| action.state == ActionState::Queued);
    }
    opened
}

/// Whether the contact may have something to do with lists.
fn concerns(email: &Email, world: &World, settings: &Settings) -> bool {
    let standing = world.contacts.get(email).and_then(|contact| contact.standing.get(&settings.account));
    settings.preset.lists_contacts() || standing.is_some_and(|standing| !standing.lists.is_empty())
}

/// The lists that a contact is to be on or off, and those that a call of it is open for.
fn keys(email: &Email, considered: &Considered, world: &World, settings: &Settings) -> BTreeSet<MemberKey> {
    let standing = world.contacts.get(email).and_then(|contact| contact.standing.get(&settings.account));
    let lists = standing.into_iter().flat_map(|standing| &standing.lists);
    let open = lists.filter(|(_, member)| member.open.is_some()).map(|(list, _)| list);
    let all = considered.lists.keys().chain(open);
    all.map(|list| MemberKey { list: list.clone(), email: email.clone() }).collect()
}

/// Why a place on a list is looked at.
#[derive(Clone, Copy)]
struct Occasion {
    lane: Lane,
    /// An event says it; it counts as one of those of the delivery.
    by_event: bool,
}

/// A place on a list that is looked at.
struct Of<'a> {
    key: &'a MemberKey,
    considered: &'a Considered,
    /// The id of the delivery that it opens, if it opens one.
    id: DeliveryId,
    occasion: Occasion,
}

/// Looks at what a contact and a list need now; a line of what became of it.
fn evaluate(of: Of<'_>, world: &mut World, settings: &Settings, now: UnixMicros) -> Option<Action> {
    let Of { key, considered, id, occasion } = of;
    let standing = member(key, world, settings);
    let Some(wanted) = wanted_place(key, considered, world, settings) else {
        let_go(key, &standing, "the mapping names this list no more", world, settings, now);
        return None;
    };
    let place = match wanted.place {
        Ok(place) => place,
        Err(held) => {
            let_go(key, &standing, &held.words(), world, settings, now);
            return Some(Action::place(key, held.state(), &held.words(), None));
        }
    };
    Some(match standing.owed(place) {
        PlaceOwed::Nothing => {
            let_go(key, &standing, "the contact stands with the list as it should", world, settings, now);
            if let Some(call) = &standing.in_flight {
                let delivery = Some(call.delivery.clone());
                Action::place(key, ActionState::Absorbed, "the call on its way says it", delivery)
            } else {
                let delivery = standing.last_delivered.clone();
                Action::place(key, ActionState::Unchanged, "Freshsales has it so already", delivery)
            }
        }
        PlaceOwed::Refused => {
            Action::place(key, ActionState::Absorbed, "exactly this was refused before", standing.open)
        }
        PlaceOwed::Call => open_or_join(key, (id, occasion, place), &standing, world, settings, now),
    })
}

fn open_or_join(
    key: &MemberKey,
    (id, occasion, place): (DeliveryId, Occasion, Place),
    standing: &Member,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> Action {
    let waiting = standing.open.as_ref().and_then(|open| world.deliveries.get(open)).cloned();
    if let Some(waiting) = waiting {
        let mut joined = waiting.clone();
        if occasion.by_event {
            joined = joined.absorb(occasion.lane);
        }
        if waiting.state == State::Dead {
            joined = joined.reopen(now);
        }
        if joined != waiting {
            world.deliveries.change(&waiting.id, |_| joined);
        }
        return Action::place(key, ActionState::Absorbed, "its delivery waits", Some(waiting.id));
    }
    let mut delivery = Delivery::open(id.clone(), settings.account.clone(), key.clone(), occasion.lane, now);
    // Others who come meanwhile go along in its call.
    delivery.next_attempt_at = now.plus(settings.hold.max(MINUTE));
    if !occasion.by_event {
        delivery.events = 0;
    }
    world.deliveries.open(delivery);
    member_of(key, world, settings).open = Some(id.clone());
    let why = if place.on {
        "the contact is to be put on the list; a call is owed, which others share"
    } else {
        "the contact is to be taken off the list; a call is owed, which others share"
    };
    Action::place(key, ActionState::Queued, why, Some(id))
}

/// It gets no call now: a delivery that waits ends. One that was refused stays while nothing else is wanted.
fn let_go(
    key: &MemberKey,
    standing: &Member,
    why: &str,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) {
    let Some(open) = &standing.open else { return };
    world.deliveries.change(open, |delivery| delivery.supersede(why, now));
    member_of(key, world, settings).open = None;
}
