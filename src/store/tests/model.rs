//! A model check: whatever is done in whatever order, restarts in between, the store ends like a reference
//! that fits on a page.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;

use super::retention::{NONE, prune};
use super::*;
use crate::allowance::SlotId;
use crate::contact::{Contact, InFlight};
use crate::decision::{ErasureOrder, Settings, erase, test_settings};
use crate::delivery::State;
use crate::erasure::{Erasure, ErasureStage, ErasureSubject};
use crate::store::{DueQuery, For, Gone, Keys, Plan, Privacy, Progress, Put, Totals, reach};

/// What may happen.
#[derive(Clone, Debug)]
enum Step {
    /// Events arrive, each with a message id of a few, live or old.
    Append(Vec<(u8, bool)>),
    /// The next events of a stream take effect: the first of a message opens a delivery or joins the open one.
    Process(Stream, u64),
    /// The same, but decided on what was true an event ago.
    ProcessStale,
    /// The delivery that is due first is called.
    Claim,
    /// The oldest call is answered: stored or not.
    Settle(bool),
    /// The process ends and another begins.
    Reopen,
    /// Everything goes that may.
    Prune,
    /// A contact is erased.
    Erase(u8),
}

/// A delivery of the reference.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Owed {
    contact: u8,
    state: State,
    events: u64,
}

/// The reference.
#[derive(Debug, Default)]
struct Model {
    appended: u64,
    /// What waits of each stream, with its position.
    waiting: BTreeMap<Stream, VecDeque<(u64, u8)>>,
    cursors: BTreeMap<Stream, u64>,
    /// The positions that took effect.
    processed: Vec<u64>,
    /// The stream of the last event that took effect, where its cursor was before, and where it is now.
    last: Option<(Stream, u64, u64)>,
    /// Position and how often it came again, by message.
    first: BTreeMap<u8, (u64, u64)>,
    outcomes: BTreeMap<Outcome, u64>,
    deliveries: BTreeMap<DeliveryId, Owed>,
    /// Trails of these events and these deliveries were pruned.
    pruned: BTreeSet<u64>,
    gone: BTreeSet<DeliveryId>,
    /// Calls on their way, oldest first, each with its slot.
    calls: Vec<(DeliveryId, u64)>,
    slots: u64,
    /// Calls on their way whose contacts were erased.
    erased: BTreeSet<DeliveryId>,
}

impl Model {
    /// What is owed to the contact ends, what ended goes, and a call on its way is waited for.
    fn erase(&mut self, contact: u8) {
        for (id, owed) in self.deliveries.iter_mut().filter(|(_, owed)| owed.contact == contact) {
            match owed.state {
                State::InFlight => {
                    self.erased.insert(id.clone());
                    continue;
                }
                State::Waiting | State::Retrying | State::Dead => owed.state = State::Erased,
                State::Delivered | State::Superseded | State::Discarded | State::Erased => {}
            }
            self.gone.insert(id.clone());
        }
    }

    fn settle(&mut self, stored: bool) {
        let (id, _) = self.calls.remove(0);
        let newer = self.of(self.deliveries[&id].contact, &[State::Waiting, State::Retrying]);
        let erased = self.erased.remove(&id);
        self.deliveries.get_mut(&id).unwrap().state = match (stored, newer) {
            _ if erased => State::Erased,
            (true, _) => State::Delivered,
            (false, Some(_)) => State::Superseded,
            (false, None) => State::Retrying,
        };
        if erased {
            self.gone.insert(id);
        }
    }

    /// The delivery of a contact in one of some states.
    fn of(&self, contact: u8, states: &[State]) -> Option<DeliveryId> {
        let fits = |owed: &Owed| owed.contact == contact && states.contains(&owed.state);
        self.deliveries.iter().find(|(_, owed)| fits(owed)).map(|(id, _)| id.clone())
    }

    /// Takes events in as one append does: those of each stream in order, the live ones first.
    fn append(&mut self, messages: &[(u8, bool)]) {
        for stream in [Stream::Live, Stream::Old] {
            for (message, _) in messages.iter().filter(|(_, old)| *old == (stream == Stream::Old)) {
                self.appended += 1;
                self.waiting.entry(stream).or_default().push_back((self.appended, *message));
            }
        }
    }

    fn cursor(&self, stream: Stream) -> u64 {
        self.cursors.get(&stream).copied().unwrap_or_default()
    }

    fn waits(&self, stream: Stream) -> usize {
        self.waiting.get(&stream).map_or(0, VecDeque::len)
    }

    fn process(&mut self, stream: Stream) {
        let (position, message) = self.waiting.get_mut(&stream).unwrap().pop_front().unwrap();
        self.last = Some((stream, self.cursor(stream), position));
        self.cursors.insert(stream, position);
        self.processed.push(position);
        let outcome = if let Some((_, again)) = self.first.get_mut(&message) {
            *again += 1;
            Outcome::Duplicate
        } else {
            self.first.insert(message, (position, 0));
            let contact = contact_of(message);
            if let Some(id) = self.of(contact, &[State::Waiting, State::Retrying]) {
                self.deliveries.get_mut(&id).unwrap().events += 1;
                Outcome::Absorbed
            } else {
                let owed = Owed { contact, state: State::Waiting, events: 1 };
                self.deliveries.insert(DeliveryId::of(Position(position), 0), owed);
                Outcome::Queued
            }
        };
        *self.outcomes.entry(outcome).or_default() += 1;
    }

    /// Checks that what was claimed may be claimed, and that something was if anything may be.
    fn claim(&mut self, claimed: Option<DeliveryId>) {
        if let Some(id) = claimed {
            let owed = self.deliveries.get_mut(&id).unwrap();
            assert!(matches!(owed.state, State::Waiting | State::Retrying));
            owed.state = State::InFlight;
            let contact = owed.contact;
            self.slots += 1;
            self.calls.push((id, self.slots));
            let flying = self.calls.iter().filter(|(id, _)| self.deliveries[id].contact == contact);
            assert_eq!(flying.count(), 1, "one contact, one call");
        } else {
            let waits = |owed: &Owed| matches!(owed.state, State::Waiting | State::Retrying);
            let owed: Vec<_> = self.deliveries.values().filter(|owed| waits(owed)).collect();
            assert!(owed.iter().all(|owed| self.of(owed.contact, &[State::InFlight]).is_some()));
        }
    }

    fn prune(&mut self) {
        self.pruned.extend(&self.processed);
        let ended = self.deliveries.iter().filter(|(_, owed)| !owed.state.is_open());
        self.gone.extend(ended.map(|(id, _)| id.clone()));
        // An event that waits may repeat what was seen.
        if self.processed.len() as u64 == self.appended {
            self.first.clear();
        }
    }

    fn reopen(&mut self) {
        for (id, _) in std::mem::take(&mut self.calls) {
            let contact = self.deliveries[&id].contact;
            let newer = self.of(contact, &[State::Waiting, State::Retrying]).is_some();
            let erased = self.erased.remove(&id);
            let state = match newer {
                _ if erased => State::Erased,
                true => State::Superseded,
                false => State::Retrying,
            };
            self.deliveries.get_mut(&id).unwrap().state = state;
            if erased {
                self.gone.insert(id);
            }
        }
    }

    fn totals(&self) -> Totals {
        let (mut open, mut ended) = (BTreeMap::new(), BTreeMap::new());
        for owed in self.deliveries.values() {
            let counted = if owed.state.is_open() { &mut open } else { &mut ended };
            *counted.entry(owed.state).or_default() += 1;
        }
        Totals {
            accepted: self.appended,
            processed: self.processed.len() as u64,
            outcomes: self.outcomes.clone(),
            queued: self.deliveries.len() as u64,
            ended,
            open,
            ..Totals::default()
        }
    }
}

/// Several messages to a contact.
fn contact_of(message: u8) -> u8 {
    message % 3
}

fn address(contact: u8) -> Email {
    email(&format!("c{contact}"))
}

/// The stages in small, on the real store.
struct Real {
    store: Arc<TestStore>,
    calls: Vec<(DeliveryId, u64)>,
}

impl Real {
    /// Decides on the event of a stream after `from` what the model decides.
    async fn process(&self, stream: Stream, from: u64) -> Result<(), StoreError> {
        let store = &self.store;
        let record = store.read(stream, Position(from), 1, 1).await?.remove(0);
        let (source, position) = (record.event.source, record.position);
        let message: u8 = record.event.message_id.parse().unwrap();
        let contact = address(contact_of(message));
        let key = (source.clone(), record.event.message_id);
        let keys = Keys {
            seen: BTreeSet::from([key.clone()]),
            contacts: BTreeSet::from([contact.clone()]),
            ..Keys::default()
        };
        let mut found = store.load(keys).await?;
        let mut plan = Plan {
            progress: Some(Progress { stream, from: Position(from), to: position, events: 1 }),
            ..Plan::default()
        };
        let outcome = if let Some(first) = found.seen.get(&key) {
            plan.puts.push(Put::SeenAgain(*first));
            Outcome::Duplicate
        } else {
            plan.puts.push(Put::Seen(source, key.1, position, NOW));
            let (revision, mut document) = match found.contacts.remove(&contact) {
                Some(found) => (found.revision, found.document),
                None => (0, Contact::default()),
            };
            let standing = document.standing.entry(account()).or_default();
            if let Some(open) = &standing.open {
                let (at, open) = self.delivery(open).await?;
                plan.puts.push(Put::Delivery(at, open.absorb(Lane::Refresh)));
                Outcome::Absorbed
            } else {
                let id = DeliveryId::of(position, 0);
                standing.open = Some(id.clone());
                plan.puts.push(Put::Contact(contact.clone(), revision, document));
                plan.puts.push(Put::Delivery(0, Delivery::open(id, account(), contact, Lane::Login, NOW)));
                plan.counts.moved(None, State::Waiting);
                Outcome::Queued
            }
        };
        plan.puts.push(Put::Trail(trail(position.0, outcome)));
        plan.counts.outcome(outcome);
        store.apply(plan).await
    }

    async fn delivery(&self, id: &DeliveryId) -> Result<(u64, Delivery), StoreError> {
        let deliveries = BTreeSet::from([id.clone()]);
        let keys = Keys { deliveries, ..Keys::default() };
        let found = self.store.load(keys).await?.deliveries.remove(id).unwrap();
        Ok((found.revision, found.document))
    }

    async fn contact(&self, contact: &Email) -> Result<(u64, Contact), StoreError> {
        let contacts = BTreeSet::from([contact.clone()]);
        let keys = Keys { contacts, ..Keys::default() };
        let found = self.store.load(keys).await?.contacts.remove(contact).unwrap();
        Ok((found.revision, found.document))
    }

    async fn claim(&mut self) -> Result<Option<DeliveryId>, StoreError> {
        let one = DueQuery { limit: 1, ..due_query() };
        let Some(due) = self.store.due(one).await?.0.pop() else {
            return Ok(None);
        };
        let slot = self.store.slots(account(), NOW).await?.1;
        let (revision, delivery) = self.delivery(&due.id).await?;
        let (at, mut contact) = self.contact(due.subject.contact().unwrap()).await?;
        let standing = contact.standing.get_mut(&account()).unwrap();
        standing.leave(InFlight {
            delivery: due.id.clone(),
            attempt: 1,
            sent: BTreeMap::new(),
            whole: true,
            asks: false,
            renames: None,
            kept_back: BTreeMap::new(),
            exempt: None,
            left_at: None,
        });
        let puts = vec![
            Put::Delivery(revision, delivery.claim()),
            Put::Contact(due.subject.contact().unwrap().clone(), at, contact),
            Put::SlotTaken(account(), SlotId(slot), NOW),
        ];
        self.store.apply(Plan { puts, ..Plan::default() }).await?;
        self.calls.push((due.id.clone(), slot));
        Ok(Some(due.id))
    }

    /// What the stage for it does, less the journal.
    async fn erase(&self, contact: &Email) -> Result<(), StoreError> {
        let store = &self.store;
        let settings = Settings { account: account(), ..test_settings() };
        let subject = ErasureSubject::Email(contact.clone());
        let (mut world, found) = reach(&**store, &subject, &settings, For::Deciding).await?;
        let id = store.erasures().await?.next_id;
        let order = ErasureOrder { erasure: id, forget_in_crm: false };
        let (receipt, waits) = erase(&found, order, &mut world, &settings, NOW);
        let mut plan = Plan::of(world, &account());
        let stage = ErasureStage::Rows {
            extent: found,
            last: Position(0),
            events_after: Position(0),
            deliveries_after: 0,
            messages_after: (String::new(), String::new()),
        };
        let mut erasure = Erasure { id, stage, receipt, waits };
        plan.puts.push(Put::Privacy(Privacy::Erasure(Box::new(erasure.clone()))));
        store.apply(plan).await?;
        while matches!(erasure.stage, ErasureStage::Rows { .. }) {
            erasure = store.erase_rows(erasure).await?;
        }
        let done = Erasure { stage: ErasureStage::Done, ..erasure };
        let puts = vec![Put::Privacy(Privacy::Erasure(Box::new(done)))];
        store.apply(Plan { puts, ..Plan::default() }).await
    }

    async fn settle(&mut self, stored: bool) -> Result<(), StoreError> {
        let (id, slot) = self.calls.remove(0);
        let (revision, delivery) = self.delivery(&id).await?;
        let email = delivery.subject.contact().unwrap().clone();
        if delivery.erasure.is_some() {
            let mut plan = Plan::default();
            plan.counts.moved(Some(State::InFlight), State::Erased);
            plan.puts = vec![
                Put::Gone(Gone::Delivery(id, revision)),
                Put::SlotAnswered(account(), SlotId(slot), NOW),
            ];
            return self.store.apply(plan).await;
        }
        let (at, mut contact) = self.contact(&email).await?;
        let standing = contact.standing.get_mut(&account()).unwrap();
        standing.in_flight = None;
        let settled = if stored {
            delivery.deliver(NOW)
        } else if standing.open.is_some() {
            delivery.supersede("a newer one carries it", NOW)
        } else {
            standing.open = Some(id);
            delivery.retry("no answer".to_owned(), NOW, NOW)
        };
        let mut plan = Plan::default();
        plan.counts.moved(Some(State::InFlight), settled.state);
        plan.puts = vec![
            Put::Delivery(revision, settled),
            Put::Contact(email, at, contact),
            Put::SlotAnswered(account(), SlotId(slot), NOW),
        ];
        self.store.apply(plan).await
    }
}

async fn take(step: Step, model: &mut Model, real: &mut Real, path: &Path) -> Result<(), StoreError> {
    match step {
        Step::Append(messages) => {
            let named = |(message, backfill): &(u8, bool)| NewRecord {
                message_id: message.to_string(),
                backfill: *backfill,
                ..event("{}")
            };
            let first = real.store.append(messages.iter().map(named).collect()).await?;
            assert_eq!(first, Position(model.appended + 1));
            model.append(&messages);
        }
        Step::Process(stream, events) => {
            for _ in 0..events.min(model.waits(stream) as u64) {
                real.process(stream, model.cursor(stream)).await?;
                model.process(stream);
            }
        }
        Step::ProcessStale => {
            let Some((stream, before, last)) = model.last else {
                return Ok(());
            };
            if real.store.record(Position(last)).await?.is_some() {
                assert!(matches!(real.process(stream, before).await, Err(StoreError::Conflict)));
            }
        }
        Step::Claim => {
            let claimed = real.claim().await?;
            model.claim(claimed);
        }
        Step::Settle(stored) if !model.calls.is_empty() => {
            real.settle(stored).await?;
            model.settle(stored);
        }
        Step::Erase(contact) => {
            real.erase(&address(contact)).await?;
            model.erase(contact);
        }
        Step::Settle(_) => {}
        Step::Reopen => {
            real.store.shut();
            real.store = open(path);
            real.calls.clear();
            model.reopen();
        }
        Step::Prune => {
            prune(&real.store, NONE).await;
            model.prune();
        }
    }
    Ok(())
}

async fn compare(model: &Model, store: &Arc<TestStore>) -> Result<(), StoreError> {
    let totals = store.totals(account()).await?;
    let (owed, slots, trail_since) = Default::default();
    assert_eq!(Totals { owed, slots, trail_since, ..totals }, model.totals());
    for stream in [Stream::Live, Stream::Old] {
        let left = store.read(stream, Position(model.cursor(stream)), 1000, usize::MAX).await?;
        let left = left.iter().map(|record| (record.position.0, record.event.message_id.parse().unwrap()));
        assert_eq!(left.collect::<VecDeque<_>>(), model.waiting.get(&stream).cloned().unwrap_or_default());
    }
    for (id, owed) in &model.deliveries {
        let found = store.delivery(id.clone()).await?;
        let found = found.map(|found| (found.subject, found.state, found.events));
        let kept = !model.gone.contains(id);
        assert_eq!(found, kept.then(|| (address(owed.contact).into(), owed.state, owed.events)));
    }
    for (position, again) in model.first.values() {
        let found = store.event(format!("m{position}"), None).await?;
        assert_eq!(found.map(|found| found.duplicates), (!model.pruned.contains(position)).then_some(*again));
    }
    let (slots, next) = store.slots(account(), NOW).await?;
    assert_eq!((slots.len() as u64, next), (model.slots, model.slots + 1));
    let unanswered: Vec<u64> =
        slots.iter().filter(|slot| slot.answered_at.is_none()).map(|slot| slot.id.0).collect();
    assert_eq!(unanswered, model.calls.iter().map(|(_, slot)| *slot).collect::<Vec<_>>());
    Ok(())
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => proptest::collection::vec((0_u8..12, any::<bool>()), 1..5).prop_map(Step::Append),
        3 => (1_u64..6).prop_map(|events| Step::Process(Stream::Live, events)),
        3 => (1_u64..6).prop_map(|events| Step::Process(Stream::Old, events)),
        1 => Just(Step::ProcessStale),
        4 => Just(Step::Claim),
        3 => any::<bool>().prop_map(Step::Settle),
        1 => Just(Step::Reopen),
        1 => Just(Step::Prune),
        1 => (0_u8..3).prop_map(Step::Erase),
    ];
    proptest::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_ends_like_the_reference(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        runtime.block_on(async {
            let mut model = Model::default();
            let mut real = Real { store: open(folder.path()), calls: Vec::new() };
            for step in steps {
                take(step, &mut model, &mut real, folder.path()).await.unwrap();
                compare(&model, &real.store).await.unwrap();
            }
        });
    }
}
