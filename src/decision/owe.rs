//! Owing: opens, joins and ends deliveries of the contacts that an event touched.

use std::collections::BTreeSet;

use super::call::standing_of;
use super::clicks;
use super::considered::Considered;
use super::learn::Learned;
use super::reading::says_anything;
use super::rename;
use super::sender::tells_of_people;
use super::tell;
use super::wish::{consider, mapped_alone};
use super::{Reading, Settings, World};
use crate::allowance::HOUR;
use crate::clock::UnixMicros;
use crate::consent::Choice;
use crate::contact::{Attributes, Call, Exclusion, Owed, Standing, WhyNothing, Wish, wanted};
use crate::delivery::{Account, Bound, Delivery, DeliveryId, Lane, State, Subject};
use crate::event::{Email, SourceName};
use crate::mapping::{LeftOut, MappedField};
use crate::person::Facts;

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
    /// A delivery was opened in this lane.
    Opened(DeliveryId, Lane),
    /// A delivery that is waiting, retrying or dead takes the change along.
    Joined(DeliveryId),
    /// The call on its way carries it already.
    OnItsWay(DeliveryId),
    /// Nothing is owed; the delivery that was accepted last, if any.
    Nothing(WhyNothing, Option<DeliveryId>),
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
    if !calls_may_follow(reading, learned, settings) {
        return Vec::new();
    }
    for (key, before) in &learned.touched {
        rename::begin(key, before.as_ref(), world, settings);
    }
    let counts = belongs(reading);
    let mut effects = Vec::new();
    for (nth, email) in emails.into_iter().enumerate() {
        let occasion = Occasion::Event { lane: reading.lane, counts };
        let source = Some(reading.source.clone());
        let touch = Touch { email, id: DeliveryId::of(reading.position, nth), source, occasion };
        let mut effect = evaluate(&touch, world, settings, now);
        let left_out = not_taken(reading, &effect.email, &effect.considered, settings);
        effect.considered.left_out.extend(left_out);
        effects.push(effect);
    }
    effects
}

/// What a visitor said for a contact and a server said otherwise.
fn not_taken(reading: &Reading, email: &Email, considered: &Considered, settings: &Settings) -> Vec<LeftOut> {
    let by_server = |field: &&MappedField| field.trust.is_server() && field.message_id.is_some();
    let mut taken = considered.fields.iter().filter(by_server).peekable();
    if reading.stamp.trust.is_server() || taken.peek().is_none() {
        return Vec::new();
    }
    let named = reading.named.as_ref().filter(|(named, _)| named == email).map(|(_, said)| said);
    let mut facts = Facts::default();
    facts.learn(named.unwrap_or(&reading.own), &reading.stamp);
    let said = mapped_alone(&facts, settings).fields;
    let otherwise = taken.filter_map(|taken| {
        let same = |said: &&MappedField| said.attribute == taken.attribute && said.message_id.is_some();
        said.iter().find(same).filter(|said| said.value != taken.value)
    });
    let why = format!(
        "said by a visitor of the site; a server said otherwise (sources.{}.trust)",
        reading.source.0
    );
    let left_out = |said: &MappedField| LeftOut {
        attribute: said.attribute.clone(),
        path: said.path.clone(),
        why: why.clone(),
    };
    otherwise.map(left_out).collect()
}

/// For an event that is switched off no call is made. But a withdrawal in it is told, and what other events said of
/// somebody whom its ids make known is owed, whichever came first.
fn calls_may_follow(reading: &Reading, learned: &Learned, settings: &Settings) -> bool {
    let (own, marketing) = (&reading.own, &settings.consent.marketing);
    let mut said = own.consent.get(marketing).into_iter().chain(own.consent_shown.get(marketing));
    let withdrawn = said.any(|said| said.choice == Choice::Denied);
    reading.switched_off.is_none() || withdrawn || (learned.moved && reading.user.is_some())
}

/// Changes how a contact stands so that Freshsales is asked about it, where `asks` says that it is to be, and opens the delivery that
/// asks. Tells whether it is.
pub(super) fn ask_about(
    email: &Email,
    asks: impl FnOnce(&mut Standing) -> bool,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> bool {
    let known = world.contacts.get(email).map(|contact| contact.with(&settings.account));
    let Some(mut standing) = known else { return false };
    let asked = asks(&mut standing);
    if asked {
        *standing_of(email, world, settings) = standing;
        let id = DeliveryId::without_event(&Subject::Contact(email.clone()), now);
        evaluate_without_event(email, id, world, settings, now);
    }
    asked
}

/// Evaluates a contact that no event touched; tells whether it is owed a call now that was not owed before.
pub(super) fn evaluate_without_event(
    email: &Email,
    id: DeliveryId,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> bool {
    let was_dead = has_dead_letter(email, world, &settings.account);
    let touch = Touch { email: email.clone(), id, source: None, occasion: Occasion::Review };
    match evaluate(&touch, world, settings, now).what {
        What::Opened(..) => true,
        What::Joined(id) => was_dead && world.deliveries.get(&id).is_some_and(|it| it.state.is_open()),
        What::OnItsWay(_) | What::Nothing(..) => false,
    }
}

/// Whether an event can belong to what is owed: it is mapped, tells of people, or says something of its own. One that is
/// not mapped and says nothing merely touches its contact.
fn belongs(reading: &Reading) -> bool {
    reading.mapped.is_some() || tells_of_people(reading.kind) || says_anything(reading)
}

/// What has a contact evaluated.
struct Touch {
    email: Email,
    /// The id of the delivery that it opens, if it opens one.
    id: DeliveryId,
    /// Whose event it was.
    source: Option<SourceName>,
    occasion: Occasion,
}

/// Why a contact is evaluated.
#[derive(Clone, Copy)]
enum Occasion {
    /// An event touched it.
    Event {
        lane: Lane,
        /// Whether it counts as one of the events of a delivery.
        counts: bool,
    },
    /// The settings have changed, or time has passed.
    Review,
}

impl Occasion {
    /// A delivery that is open or dead takes the change along.
    fn join(self, delivery: Delivery, lane: Lane) -> Delivery {
        match self {
            Self::Event { counts: true, .. } => delivery.absorb(lane),
            Self::Event { counts: false, .. } => delivery,
            Self::Review => Delivery { lane: delivery.lane.max(lane), ..delivery },
        }
    }

    /// The lane of what is owed. Nobody does anything at this moment when contacts are reviewed: those that Freshsales
    /// has are refreshed, those it does not have are old data, so that whoever comes meanwhile goes first.
    fn lane(self, call: &Call, known: bool, lane_if_new: Option<Lane>) -> Lane {
        let lane = match (self, known) {
            (Self::Event { lane, .. }, true) => lane,
            (Self::Event { lane, .. }, false) => lane_if_new.map_or(lane, |new| new.max(lane)),
            (Self::Review, true) => Lane::Refresh,
            (Self::Review, false) => Lane::Backfill,
        };
        match (call.withdrawal, call.resend) {
            (true, _) => Lane::Withdrawal,
            (false, true) => lane.min(Lane::Refresh),
            (false, false) => lane,
        }
    }
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
        let withdrawn = facts.stand(&settings.consent.marketing).is_denied();
        emails.extend(before.clone());
        emails.extend(current);
        if withdrawn {
            emails.extend(own.iter().cloned());
        }
        for email in own {
            world.join(&email, key, settings);
        }
    }
    emails.extend(reading.named.as_ref().map(|(email, _)| email.clone()));
    emails.extend(reading.consent_of.clone());
    emails
}

fn evaluate(touch: &Touch, world: &mut World, settings: &Settings, now: UnixMicros) -> Effect {
    let email = &touch.email;
    let considered = consider(email, world, settings);
    keep_consent(touch, &considered, world, settings, now);
    note_wanted(email, &considered.wish, world, settings);
    if considered.wish.gate_shut.is_some() {
        world.told.withheld.insert(email.clone());
    }
    clicks::withhold(email, &considered, world, settings);
    let (standing, owed, _) = rename::owed_to(email, &considered, world, settings, now);
    let known = standing.known();
    let what = match owed {
        Owed::Call(_) if withdrawal_waits(&considered.wish, &standing, world) => {
            // The gate is shut: nothing but the withdrawal goes out, so the event is not carried.
            let why = considered.wish.gate_shut.clone().unwrap_or_default();
            What::Nothing(WhyNothing::GateShut(why), None)
        }
        Owed::Call(call) => {
            let lane = touch.occasion.lane(&call, known, considered.lane_if_new);
            let wanted = wanted(&considered.wish, &standing);
            let held = considered.wish.awaits_consent && !known;
            let bound = bound_of(call, touch, known);
            let change = Change { touch, lane, wanted: &wanted, standing: &standing, held, bound, now };
            open_or_join(change, world, settings)
        }
        Owed::Nothing(why) => {
            if why == WhyNothing::Unchanged && considered.wish.exempt > standing.exempt_told {
                // It said nothing that Freshsales does not have, so what comes later needs consent again.
                standing_of(email, world, settings).exempt_told = considered.wish.exempt;
            }
            let open = standing.open.clone();
            match (open, &standing.in_flight) {
                (Some(open), _) if why == WhyNothing::Refused => {
                    world.deliveries.change(&open, |dead| {
                        let lane = dead.lane;
                        touch.occasion.join(dead, lane)
                    });
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

/// The quota that a call counts for.
fn bound_of(call: Call, touch: &Touch, known: bool) -> Option<Bound> {
    let refused = call.stranger_of.map(Bound::Withdrawals);
    refused.or_else(|| touch.source.clone().filter(|_| !known).map(Bound::NewContacts))
}

/// Notes what people had said before Freshsales said otherwise, so that it is not sent when they repeat it.
fn note_wanted(email: &Email, wish: &Wish, world: &mut World, settings: &Settings) {
    let standing = world.contacts.get(email).and_then(|contact| contact.standing.get(&settings.account));
    let heard = standing.map(|standing| &standing.hearing).filter(|hearing| hearing.has_news());
    let Some(mut hearing) = heard.cloned() else { return };
    if hearing.note_wanted(&wish.attributes, &wish.said_at) {
        standing_of(email, world, settings).hearing = hearing;
    }
}

/// Keeps what has changed of consent with the contact, as evidence.
fn keep_consent(
    touch: &Touch,
    considered: &Considered,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) {
    let email = &touch.email;
    let Some(contact) = world.contacts.get(email) else { return };
    if let Some(history) = contact.consent.with(&considered.stands, settings.consent.keep, now) {
        let before = std::mem::replace(&mut world.contacts.edit(email).consent, history.clone());
        tell::consent_changed(email, &touch.id, (&before, &history), world, settings, now);
    }
}

/// Whether a withdrawal is on its way out through a shut gate already.
fn withdrawal_waits(wish: &Wish, standing: &Standing, world: &World) -> bool {
    let waiting = standing.open.as_ref().and_then(|open| world.deliveries.get(open));
    wish.gate_shut.is_some() && waiting.is_some_and(|waiting| waiting.lane == Lane::Withdrawal)
}

/// A contact that is owed a call.
struct Change<'a> {
    touch: &'a Touch,
    lane: Lane,
    wanted: &'a Attributes,
    standing: &'a Standing,
    /// It waits for a statement of consent.
    held: bool,
    /// The quota it counts for.
    bound: Option<Bound>,
    now: UnixMicros,
}

impl Change<'_> {
    /// When the delivery may be tried. What was refused comes back when its data changes; at most once an hour where
    /// the change is no sign of mending.
    fn not_before(&self) -> UnixMicros {
        let refused = self.standing.refused.as_ref().filter(|refused| !refused.may_be_mended_by(self.wanted));
        refused.map_or(self.now, |refused| refused.at.plus(HOUR)).max(self.now)
    }
}

fn open_or_join(change: Change<'_>, world: &mut World, settings: &Settings) -> What {
    let (lane, now) = (change.lane, change.now);
    let waiting = change.standing.open.as_ref().and_then(|open| world.deliveries.get(open)).cloned();
    if let Some(waiting) = waiting {
        let dead = waiting.state == State::Dead;
        if dead || lane != Lane::Withdrawal || waiting.lane == lane {
            let not_before = change.not_before();
            let joined = change.touch.occasion.join(waiting.clone(), lane);
            // What waits for the quota of strangers goes once there is more to tell than what a stranger refused.
            let joined = match (&waiting.bound, change.bound.clone()) {
                (Some(Bound::Withdrawals(_)), bound) => Delivery { bound, ..joined },
                (None, Some(bound @ Bound::Withdrawals(_))) if waiting.state == State::Waiting => {
                    Delivery { bound: Some(bound), ..joined }
                }
                (Some(Bound::NewContacts(_)) | None, _) => joined,
            };
            let joined = match (dead, change.held) {
                (true, _) => joined.reopen(not_before),
                (false, true) => joined,
                (false, false) => sooner(joined, change.standing, not_before, settings),
            };
            // A review finds most of what waits as it should be.
            if joined != waiting {
                world.deliveries.change(&waiting.id, |_| joined);
            }
            return What::Joined(waiting.id);
        }
        let superseded = |delivery: Delivery| delivery.supersede("a withdrawal took its place", now);
        world.deliveries.change(&waiting.id, superseded);
    }
    let (id, email) = (change.touch.id.clone(), &change.touch.email);
    let mut delivery = Delivery::open(id.clone(), settings.account.clone(), email.clone(), lane, now);
    if gathers(lane) {
        delivery.next_attempt_at = now.plus(settings.hold);
    }
    if change.held {
        delivery.next_attempt_at = now.plus(settings.complete_within);
    }
    delivery.bound = change.bound;
    if matches!(change.touch.occasion, Occasion::Review) {
        delivery.events = 0;
    }
    world.deliveries.open(delivery);
    world.contacts.edit(email).standing.entry(settings.account.clone()).or_default().open = Some(id.clone());
    What::Opened(id, lane)
}

fn has_dead_letter(email: &Email, world: &World, account: &Account) -> bool {
    let standing = world.contacts.get(email).and_then(|contact| contact.standing.get(account));
    let open = standing.and_then(|standing| standing.open.as_ref());
    open.and_then(|open| world.deliveries.get(open)).is_some_and(|open| open.state == State::Dead)
}

/// Lanes whose deliveries wait for more changes.
fn gathers(lane: Lane) -> bool {
    match lane {
        Lane::Login | Lane::Refresh => true,
        Lane::Withdrawal | Lane::NewContact | Lane::Conversion | Lane::Backfill => false,
    }
}

/// A higher lane ends the wait for more changes, a statement of consent the wait for one, and what may mend a refusal
/// the wait for its hour.
fn sooner(delivery: Delivery, standing: &Standing, not_before: UnixMicros, settings: &Settings) -> Delivery {
    let waits = delivery.state == State::Waiting;
    let refused = delivery.state == State::Retrying && standing.refused.is_some();
    let at_once = match gathers(delivery.lane) {
        _ if refused => not_before,
        false if waits => not_before,
        true if waits => not_before.plus(settings.hold),
        true | false => delivery.next_attempt_at,
    };
    Delivery { next_attempt_at: delivery.next_attempt_at.min(at_once), ..delivery }
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
        WhyNothing::NoPerson => "no person uses this address any more".to_owned(),
        WhyNothing::NotStarted => "no mapped event happened near enough".to_owned(),
        WhyNothing::GateShut(why) => why.clone(),
        WhyNothing::Excluded(pattern) => excluded_by(pattern),
        WhyNothing::Unchanged => "the contact is back to what Freshsales accepted last".to_owned(),
        WhyNothing::Refused => "exactly this was refused before".to_owned(),
    }
}

/// Why an address is no contact, for a person.
#[must_use]
pub fn excluded_by(why: &Exclusion) -> String {
    match why {
        Exclusion::Pattern(pattern) => {
            format!("the address fits {pattern:?} (filters.exclude_emails), so it is no contact")
        }
        Exclusion::Suppressed => {
            "the address is suppressed: a person ordered that nothing of it is ever sent (/api/people/suppress)".to_owned()
        }
    }
}
