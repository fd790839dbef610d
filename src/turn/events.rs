//! Events in a turn: every document that a batch of them can touch is loaded, and what became of each is written down.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, UnixMicros};
use crate::decision::{Decided, Outcome, Reading, Settings, World, tidy};
use crate::delivery::CompanyKey;
use crate::event::{Email, Event, Position, Stamp, parse_body};
use crate::person::{PersonId, PersonKey, TimelineKey};
use crate::store::{Failed, For, Keys, Plan, Put, Record, SharedStore, StoreError, load_beside};
use crate::telemetry::{Panicked, caught, caught_in};
use crate::trail::{EventTrail, Span, Tallied, Worth};

/// The decision on one event.
pub type Decide = Arc<dyn Fn(&Reading, &mut World, &Settings, UnixMicros) -> Decided + Send + Sync>;

/// A batch that was decided on.
pub struct Batch {
    /// What is changed.
    pub world: World,
    /// What became of each event.
    pub decided: Vec<Decided>,
    /// How long deciding took.
    pub took: Duration,
}

/// Why a batch was not decided on.
#[derive(Debug, thiserror::Error)]
pub enum Undecided {
    /// A decision panicked, or loading did; the event of the batch by its number, where one is known to be the cause.
    #[error("{1}")]
    Panicked(Option<usize>, Panicked),
    /// The store failed, or a document can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Loads the working set of a batch and decides on its events, one after the other. The turn must be held.
///
/// Which companies are touched may come out only while deciding: an event may give a known person their first address, or a
/// name from which the mapping makes a company's. One that was taken for new and is kept is loaded, and all is decided again.
/// Each time one more is loaded, so this ends.
///
/// # Errors
/// The store failed, a document can't be read, or a decision panicked: nothing is changed then.
pub async fn decide_on(
    store: &SharedStore,
    events: &[Reading],
    settings: &Settings,
    decide: impl Fn(&Reading, &mut World) -> Decided,
    clock: &dyn Clock,
) -> Result<Batch, Undecided> {
    let mut further = BTreeSet::new();
    let mut took = Duration::ZERO;
    loop {
        let loaded = caught_in(Box::pin(world_for(store, events, settings, &further))).await;
        let mut world = loaded.map_err(|panicked| Undecided::Panicked(None, panicked))??;
        let began = clock.monotonic();
        let mut decided = Vec::with_capacity(events.len());
        for (nth, reading) in events.iter().enumerate() {
            // A working set that a decision left half changed goes with the batch.
            let one = caught(|| decide(reading, &mut world));
            decided.push(one.map_err(|panicked| Undecided::Panicked(Some(nth), panicked))?);
        }
        took += clock.monotonic().saturating_sub(began);
        let companies: BTreeSet<CompanyKey> = world.companies.new_keys().cloned().collect();
        let kept = if companies.is_empty() {
            BTreeSet::new()
        } else {
            store.load(Keys { companies, ..Keys::default() }).await?.companies.into_keys().collect()
        };
        if kept.is_empty() {
            return Ok(Batch { world, decided, took });
        }
        further.extend(kept);
    }
}

/// The working set for a batch, with these companies beside those that it names.
///
/// # Errors
/// The store failed, or a document can't be read.
pub async fn world_for(
    store: &SharedStore,
    events: &[Reading],
    settings: &Settings,
    further: &BTreeSet<CompanyKey>,
) -> Result<World, StoreError> {
    let mut world = World::default();
    // What the events themselves name.
    let mut first = Keys { destination: Some(settings.account.clone()), ..Keys::default() };
    first.companies.clone_from(further);
    let mut emails = BTreeSet::new();
    for reading in events {
        named_by(reading, settings, &mut first, &mut emails);
    }
    let found = store.load(first.clone()).await?;
    let mut by_id = Keys::default();
    found.by_id.iter().for_each(|subject| by_id.add(subject));
    emails.append(&mut by_id.contacts);
    found.add_to(&mut world);
    by_id.deals.retain(|key| world.deals.get(key).is_none());
    load(store, by_id, &mut world).await?;
    tidy(&mut world, settings);
    // Everybody who may own a stretch of a time line.
    let owners = owners(&world, events).filter(|key| !first.people.contains(key)).collect();
    load(store, Keys { people: owners, ..Keys::default() }, &mut world).await?;
    // The contacts of all of them, who else has those addresses, what is owed to them, and the deals that wait for them.
    emails.extend(claimed(&world));
    load_beside(&**store, emails, settings, For::Deciding, &mut world).await?;
    tidy(&mut world, settings);
    Ok(world)
}

async fn load(store: &SharedStore, keys: Keys, world: &mut World) -> Result<(), StoreError> {
    if !keys.is_empty() {
        store.load(keys).await?.add_to(world);
    }
    Ok(())
}

fn named_by(reading: &Reading, settings: &Settings, keys: &mut Keys, emails: &mut BTreeSet<Email>) {
    keys.seen.insert((reading.source.clone(), reading.stamp.message_id.clone()));
    keys.marks.extend(reading.marks());
    if let Some(user) = &reading.user {
        keys.people.insert(reading.person(PersonId::User(user.clone())));
    }
    let of_traits = reading.own.emails.iter().map(|(email, _)| email);
    let others = reading.named.iter().map(|(email, _)| email).chain(&reading.consent_of);
    for email in of_traits.chain(others) {
        keys.people.insert(reading.person(PersonId::Email(email.clone())));
        emails.insert(email.clone());
    }
    keys.deals.extend(reading.deal_key());
    keys.happenings.extend(reading.happenings.iter().map(|(id, _)| id.clone()));
    let meant = |said| settings.preset.deals_meant(said, &reading.people);
    keys.deals.extend(reading.crm.iter().flat_map(meant));
    keys.crm_ids.extend(reading.crm.as_ref().and_then(|said| Some((said.record, said.id?))));
    keys.companies.extend(reading.company_key());
    for device in [&reading.anonymous, &reading.previous].into_iter().flatten() {
        keys.timelines.insert(reading.timeline(device));
    }
}

/// Everybody of whom the events may change what time lines give to them.
fn owners<'w>(world: &'w World, events: &[Reading]) -> impl Iterator<Item = PersonKey> + use<'w> {
    let mut moments: BTreeMap<TimelineKey, Vec<&Stamp>> = BTreeMap::new();
    for reading in events {
        for device in [&reading.anonymous, &reading.previous].into_iter().flatten() {
            moments.entry(reading.timeline(device)).or_default().push(&reading.stamp);
        }
    }
    let lines = world.timelines.iter().map(|(key, line)| {
        let moments = moments.get(key).into_iter().flatten().copied();
        (key, line.may_be_given(moments))
    });
    let lines: Vec<_> = lines.collect();
    lines
        .into_iter()
        .flat_map(|(key, people)| people.into_iter().map(|id| PersonKey { people: key.people.clone(), id }))
}

/// Every address that somebody in the working set claims, or may come to claim by a time line.
fn claimed(world: &World) -> BTreeSet<Email> {
    let mut emails = BTreeSet::new();
    for (_, person) in world.people.iter() {
        emails.extend(person.facts().emails.keys().cloned());
    }
    for (_, timeline) in world.timelines.iter() {
        emails.extend(timeline.emails().cloned());
    }
    emails
}

/// What an event says.
#[must_use]
pub fn reading_of(record: Record, settings: &Settings) -> Reading {
    let Record { position, event } = record;
    let event = Event {
        position,
        source: event.source,
        people: event.people,
        received_at: event.received_at,
        stamp: Stamp { at: event.at, message_id: event.message_id, trust: event.trust },
        kind: event.kind,
        backfill: event.backfill,
        body: parse_body(&event.raw),
    };
    Reading::of(&event, settings)
}

/// The trail of an event that was decided on.
#[must_use]
pub fn trail_of(mut reading: Reading, decided: Decided) -> EventTrail {
    if decided.outcome == Outcome::Erased {
        // Ids of messages and names of events may say who somebody is.
        reading.stamp.message_id = erased_id(reading.position);
        reading.kind.as_str().clone_into(&mut reading.name);
        reading.page = None;
    }
    let worth = Worth::of(reading.lane, &decided);
    EventTrail {
        position: reading.position,
        message_id: reading.stamp.message_id,
        source: reading.source,
        kind: reading.kind,
        event: reading.name,
        received_at: reading.received_at,
        at: reading.stamp.at,
        person: decided.person,
        email: decided.email,
        page: reading.page,
        outcome: decided.outcome,
        worth,
        reason: decided.reason,
        delivery_id: decided.delivery_id,
        duplicates: 0,
        notes: decided.notes,
        actions: decided.actions,
    }
}

fn erased_id(position: Position) -> String {
    format!("erased-{}", position.0)
}

/// The trail of an event that could not be processed: it was not read, so nothing but its kind is known.
fn trail_of_failed(failed: &Failed) -> EventTrail {
    let Record { position, event } = &failed.record;
    EventTrail {
        position: *position,
        message_id: event.message_id.clone(),
        source: event.source.clone(),
        kind: event.kind,
        event: event.kind.as_str().to_owned(),
        received_at: event.received_at,
        at: event.at,
        person: None,
        email: None,
        page: None,
        outcome: Outcome::Failed,
        worth: Worth::Conversion,
        reason: format!("it could not be processed and is kept aside: {}", failed.error),
        delivery_id: None,
        duplicates: 0,
        notes: Vec::new(),
        actions: Vec::new(),
    }
}

/// Puts an event aside.
#[must_use]
pub fn put_aside(failed: Failed) -> Plan {
    let mut plan = Plan { puts: vec![Put::Trail(trail_of_failed(&failed))], ..Plan::default() };
    plan.counts.outcome(Outcome::Failed);
    let Record { event, .. } = &failed.record;
    let tallied = Tallied::Event(event.source.clone(), String::new(), Outcome::Failed);
    plan.counts.tallies.insert((Span::of(event.received_at), tallied), 1);
    plan.puts.push(Put::Failed(Box::new(failed)));
    plan
}

/// Ends an event that was put aside and speaks of somebody who is erased.
#[must_use]
pub fn erase_failed(failed: &Failed) -> Plan {
    let position = failed.record.position;
    let trail = EventTrail {
        message_id: erased_id(position),
        outcome: Outcome::Erased,
        reason: "it speaks of somebody who was erased".to_owned(),
        ..trail_of_failed(failed)
    };
    let mut plan = Plan { puts: vec![Put::Trail(trail), Put::FailedEnded(position)], ..Plan::default() };
    plan.counts.outcomes.extend([(Outcome::Failed, -1), (Outcome::Erased, 1)]);
    plan
}

/// Decides again on an event that was put aside, at its old place and moment. Nothing is changed where that fails as
/// before; else some notes are written in the same plan. The turn must be held.
///
/// # Errors
/// The store failed, or what stood in the way of the event still does.
pub async fn retry(
    store: &SharedStore,
    failed: &Failed,
    (duplicates, notes): (u64, Vec<Put>),
    (decide, settings, clock): (&Decide, &Settings, &dyn Clock),
) -> Result<Outcome, Undecided> {
    let reading = caught(|| reading_of(failed.record.clone(), settings));
    let reading = reading.map_err(|panicked| Undecided::Panicked(None, panicked))?;
    let now = clock.wall();
    let decide_again = |reading: &Reading, world: &mut World| {
        // It was seen here, and had no effect yet.
        let message = (reading.source.clone(), reading.stamp.message_id.clone());
        if world.seen.get(&message) == Some(&reading.position) {
            world.seen.remove(&message);
        }
        decide(reading, world, settings, now)
    };
    let batch = decide_on(store, std::slice::from_ref(&reading), settings, decide_again, clock).await?;
    let Batch { mut world, decided, .. } = batch;
    let Some(decided) = decided.into_iter().next() else { return Ok(Outcome::Failed) };
    world.newly_seen.clear();
    world.contribute(settings);
    let (position, outcome) = (reading.position, decided.outcome);
    let mut plan = Plan::of(world, &settings.account);
    let trail = EventTrail { duplicates, ..trail_of(reading, decided) };
    plan.puts.splice(0..0, [Put::Trail(trail), Put::FailedEnded(position)]);
    plan.puts.extend(notes);
    *plan.counts.outcomes.entry(Outcome::Failed).or_default() -= 1;
    store.apply(plan).await?;
    Ok(outcome)
}
