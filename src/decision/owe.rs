//! Owing: opens, joins and ends deliveries of the contacts that an event touched.

use std::collections::BTreeSet;

use super::learn::Learned;
use super::wish::{Considered, consider};
use super::{Reading, Settings, World};
use crate::clock::UnixMicros;
use crate::consent::Choice;
use crate::contact::{Owed, Rules, WhyNothing, owed};
use crate::delivery::{Delivery, DeliveryId, Lane, State};
use crate::event::Email;

/// What an event did to a contact.
#[derive(Clone, Debug)]
pub struct Effect {
    /// Which contact.
    pub email: Email,
    /// What happened.
    pub what: What,
    /// How the wish came about.
    pub considered: Considered,
    /// Whether Freshsales has, or may have, the contact.
    pub known: bool,
}

/// What happened to a contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A delivery was opened.
    Opened(DeliveryId),
    /// A delivery that is waiting, retrying or dead takes the change along.
    Joined(DeliveryId),
    /// The call on its way carries it already.
    OnItsWay(DeliveryId),
    /// Nothing is owed; the delivery that was accepted last, if any.
    Nothing(WhyNothing, Option<DeliveryId>),
}

/// The part of the settings that comparing wanted with accepted needs.
#[must_use]
pub fn rules(settings: &Settings) -> Rules {
    Rules {
        send: settings.send,
        propagate_withdrawal: settings.consent.propagate_withdrawal,
        unsubscribed: settings.consent.unsubscribed.clone(),
    }
}

/// Evaluates every contact that an event touched.
pub fn owe(
    reading: &Reading,
    learned: &Learned,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> Vec<Effect> {
    let emails = contacts_touched(reading, learned, world, settings);
    let mut effects = Vec::new();
    for (nth, email) in emails.into_iter().enumerate() {
        let id = DeliveryId::of(reading.position, nth);
        effects.push(evaluate(&email, id, reading.lane, world, settings, now));
    }
    effects
}

/// The contacts of everybody touched: the address they have, the one they had, and after a withdrawal every
/// one they ever had. Persons are remembered as members of the addresses that are their own.
fn contacts_touched(
    reading: &Reading,
    learned: &Learned,
    world: &mut World,
    settings: &Settings,
) -> BTreeSet<Email> {
    let mut emails = BTreeSet::new();
    for (key, before) in &learned.touched {
        let Some(person) = world.people.get(key) else { continue };
        let facts = person.facts();
        let current = facts.email().cloned();
        let own: Vec<Email> = facts.emails.keys().filter(|email| facts.owns(email)).cloned().collect();
        let marketing = facts.choice(&settings.consent.marketing);
        let withdrawn = marketing.is_some_and(|said| said.value.choice == Choice::Denied);
        emails.extend(before.clone());
        emails.extend(current);
        if withdrawn {
            emails.extend(own.iter().cloned());
        }
        let member = key.to_string();
        for email in own {
            if !world.contacts.get(&email).is_some_and(|contact| contact.members.contains(&member)) {
                world.contacts.edit(&email).join_member(member.clone());
            }
        }
    }
    emails.extend(reading.named.as_ref().map(|(email, _)| email.clone()));
    emails
}

fn evaluate(
    email: &Email,
    id: DeliveryId,
    event_lane: Lane,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> Effect {
    let considered = consider(email, world, settings);
    let standing =
        world.contacts.get(email).map(|contact| contact.with(&settings.account)).unwrap_or_default();
    let known = standing.known();
    let what = match owed(&considered.wish, &standing, &rules(settings)) {
        Owed::Call(call) => {
            let new = considered.lane_if_new.filter(|_| !known).unwrap_or(event_lane);
            let lane = if call.withdrawal { Lane::Withdrawal } else { event_lane.max(new) };
            What::from_call(open_or_join(email, id, lane, standing.open.as_ref(), world, settings, now))
        }
        Owed::Nothing(why) => {
            let open = standing.open.clone();
            match (open, &standing.in_flight) {
                (Some(open), _) if why == WhyNothing::Refused => {
                    world.deliveries.change(&open, |dead| Delivery { events: dead.events + 1, ..dead });
                    What::Joined(open)
                }
                (Some(open), _) => {
                    drop_open(email, &open, &why, world, settings, now);
                    What::Nothing(why, standing.last_delivered.clone())
                }
                (None, Some(call)) if why == WhyNothing::Unchanged => What::OnItsWay(call.delivery.clone()),
                (None, _) => What::Nothing(why, standing.last_delivered.clone()),
            }
        }
    };
    Effect { email: email.clone(), what, considered, known }
}

enum Opening {
    Opened(DeliveryId),
    Joined(DeliveryId),
}

impl What {
    fn from_call(opening: Opening) -> Self {
        match opening {
            Opening::Opened(id) => Self::Opened(id),
            Opening::Joined(id) => Self::Joined(id),
        }
    }
}

fn open_or_join(
    email: &Email,
    id: DeliveryId,
    lane: Lane,
    open: Option<&DeliveryId>,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> Opening {
    let waiting = open.and_then(|open| world.deliveries.get(open)).cloned();
    let refused_at = world
        .contacts
        .get(email)
        .and_then(|contact| contact.standing.get(&settings.account)?.refused.as_ref())
        .map(|refused| refused.at);
    match waiting {
        Some(waiting) if lane == Lane::Withdrawal && waiting.lane != lane && waiting.state != State::Dead => {
            world
                .deliveries
                .change(&waiting.id, |delivery| delivery.supersede("a withdrawal took its place", now));
        }
        Some(waiting) if waiting.state == State::Dead => {
            // A refused contact comes back when its data changes, at most once an hour.
            let not_before = refused_at.map_or(now, |at| at.plus(crate::delivery::HOUR)).max(now);
            world.deliveries.change(&waiting.id, |dead| dead.absorb(lane).reopen(not_before));
            return Opening::Joined(waiting.id);
        }
        Some(waiting) => {
            world.deliveries.change(&waiting.id, |delivery| unhold(delivery.absorb(lane), now));
            return Opening::Joined(waiting.id);
        }
        None => {}
    }
    let mut delivery = Delivery::open(id.clone(), settings.account.clone(), email.clone(), lane, now);
    if gathers(lane) {
        delivery.next_attempt_at = now.plus(settings.hold);
    }
    world.deliveries.open(delivery);
    world.contacts.edit(email).standing.entry(settings.account.clone()).or_default().open = Some(id.clone());
    Opening::Opened(id)
}

/// Lanes whose deliveries wait for more changes.
fn gathers(lane: Lane) -> bool {
    match lane {
        Lane::Login | Lane::Refresh => true,
        Lane::Withdrawal | Lane::NewContact | Lane::Conversion | Lane::Backfill => false,
    }
}

/// A higher lane ends the wait for more changes.
fn unhold(delivery: Delivery, now: UnixMicros) -> Delivery {
    let at_once = delivery.state == State::Waiting && !gathers(delivery.lane);
    let next_attempt_at = if at_once { delivery.next_attempt_at.min(now) } else { delivery.next_attempt_at };
    Delivery { next_attempt_at, ..delivery }
}

/// What was owed is owed no more.
fn drop_open(
    email: &Email,
    open: &DeliveryId,
    why: &WhyNothing,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) {
    world.deliveries.change(open, |delivery| delivery.supersede(&why_dropped(why), now));
    let standing = world.contacts.edit(email).standing.entry(settings.account.clone()).or_default();
    standing.open = None;
    standing.refused = None;
}

/// Why a delivery ended without a call, for a person.
#[must_use]
pub fn why_dropped(why: &WhyNothing) -> String {
    match why {
        WhyNothing::NoPerson => "nobody has this address any more".to_owned(),
        WhyNothing::NotStarted => "no mapped event happened near enough".to_owned(),
        WhyNothing::GateShut(why) => why.clone(),
        WhyNothing::Unchanged => "the contact is back to what Freshsales accepted last".to_owned(),
        WhyNothing::Refused => "exactly this was refused before".to_owned(),
    }
}
