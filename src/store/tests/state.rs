//! Tests of plans: whole or not at all, and what a restart makes of calls on their way.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::allowance::SlotId;
use crate::delivery::{AttemptRequest, BulkJob, BulkRow, JobId, State};
use crate::person::{Person, PersonKey, Timeline, TimelineKey};
use crate::store::{Counts, Destination, Keys, Plan, Progress, Put, Slot, Versioned};

/// Applies puts alone.
pub(super) async fn put(
    store: &Arc<TestStore>,
    puts: impl IntoIterator<Item = Put>,
) -> Result<(), StoreError> {
    let puts = puts.into_iter().collect();
    store.apply(Plan { puts, ..Plan::default() }).await
}

/// Lets the journal take effect, without any.
pub(super) async fn progress(store: &Arc<TestStore>, from: u64, to: u64) {
    let progress =
        Progress { stream: Stream::Live, from: Position(from), to: Position(to), events: to - from };
    let plan = Plan { progress: Some(progress), ..Plan::default() };
    store.apply(plan).await.unwrap();
}

fn jo() -> PersonKey {
    "shop/user:jo".parse().unwrap()
}

fn line() -> TimelineKey {
    TimelineKey { people: "shop".to_owned(), anonymous_id: "a-1".to_owned() }
}

fn everything() -> Keys {
    Keys {
        seen: BTreeSet::from([(SourceName("website".to_owned()), "m1".to_owned())]),
        people: BTreeSet::from([jo()]),
        timelines: BTreeSet::from([line()]),
        contacts: BTreeSet::from([email("jo")]),
        deliveries: BTreeSet::from([DeliveryId("d1-0".to_owned())]),
        destination: Some(account()),
        walks: true,
        ..Keys::default()
    }
}

fn puts(revision: u64) -> Vec<Put> {
    let destination = Destination { paused_since: Some(NOW), ..Destination::default() };
    vec![
        Put::Person(jo(), revision, Person::default()),
        Put::Timeline(line(), revision, Timeline::default()),
        Put::Contact(email("jo"), revision, calling("d9-0", Some("d1-0"))),
        Put::Delivery(revision, delivery("d1-0", "jo", Lane::Login, 7)),
        Put::Destination(account(), revision, destination),
    ]
}

#[tokio::test]
async fn what_is_put_is_loaded_with_the_next_revision() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let nothing = store.load(everything()).await.unwrap();
    assert!(nothing.people.is_empty() && nothing.seen.is_empty() && nothing.destination.is_none());
    put(&store, puts(0)).await.unwrap();
    put(&store, puts(1)).await.unwrap();
    let seen = Put::Seen(SourceName("website".to_owned()), "m1".to_owned(), Position(8), NOW);
    put(&store, [seen]).await.unwrap();
    let found = store.load(everything()).await.unwrap();
    assert_eq!(found.seen.values().collect::<Vec<_>>(), [&Position(8)]);
    assert_eq!(found.people[&jo()], Versioned { revision: 2, document: Person::default() });
    assert_eq!(found.timelines[&line()].revision, 2);
    assert_eq!(found.contacts[&email("jo")].document, calling("d9-0", Some("d1-0")));
    let delivered = &found.deliveries[&DeliveryId("d1-0".to_owned())];
    assert_eq!(delivered.document, delivery("d1-0", "jo", Lane::Login, 7));
    assert_eq!(found.destination.unwrap().document.paused_since, Some(NOW));
}

#[tokio::test]
async fn a_stale_revision_or_progress_conflicts_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    put(&store, puts(0)).await.unwrap();
    progress(&store, 0, 5).await;
    let seen = |id: &str| Put::Seen(SourceName("website".to_owned()), id.to_owned(), Position(8), NOW);
    put(&store, [seen("m0")]).await.unwrap();
    let mut counts = Counts::default();
    counts.outcome(Outcome::Queued);
    let stale: Vec<Put> = [0, 2, 9].into_iter().flat_map(puts).chain([seen("m0")]).collect();
    let plans = stale.into_iter().map(|bad| Plan {
        progress: Some(Progress { stream: Stream::Live, from: Position(5), to: Position(6), events: 1 }),
        puts: vec![seen("m1"), Put::SlotTaken(account(), SlotId(1), NOW), bad],
        counts: counts.clone(),
        ..Plan::default()
    });
    let behind = Plan {
        progress: Some(Progress { stream: Stream::Live, from: Position(4), to: Position(6), events: 2 }),
        puts: vec![seen("m1")],
        counts: counts.clone(),
        ..Plan::default()
    };
    for plan in plans.chain([behind]) {
        let said = format!("{plan:?}");
        assert!(matches!(store.apply(plan).await, Err(StoreError::Conflict)), "{said}");
    }
    let found = store.load(everything()).await.unwrap();
    assert!(found.seen.is_empty());
    assert_eq!(found.people[&jo()].revision, 1);
    assert_eq!(store.processed().await.unwrap().live, Position(5));
    assert_eq!(store.slots(account(), NOW).await.unwrap(), (Vec::new(), 1));
    assert!(store.totals(account()).await.unwrap().outcomes.is_empty());
}

#[tokio::test]
async fn counters_add_up_and_count_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    append(&store, "a").await.unwrap();
    let open_one = delivery("d1-0", "jo", Lane::Login, 7);
    let dead = open_one.clone().die("no".to_owned(), NOW);
    let steps = [
        (None, open_one.clone()),
        (Some(State::Waiting), open_one.claim()),
        (Some(State::InFlight), dead.clone()),
        (Some(State::Dead), dead.reopen(NOW)),
    ];
    let mut ended = Vec::new();
    for (revision, (from, to)) in (0..).zip(steps) {
        let mut counts = Counts::default();
        counts.moved(from, to.state);
        counts.outcome(Outcome::Queued);
        let puts = vec![Put::Delivery(revision, to)];
        store.apply(Plan { puts, counts, ..Plan::default() }).await.unwrap();
        let totals = store.totals(account()).await.unwrap();
        let open: u64 = totals.open.values().sum();
        assert_eq!(totals.queued, open + totals.ended.values().sum::<u64>());
        ended.push(totals.ended.get(&State::Dead).copied());
    }
    assert_eq!(ended, [None, None, Some(1), None]);
    let totals = store.totals(account()).await.unwrap();
    assert_eq!((totals.accepted, totals.processed, totals.queued), (1, 0, 1));
    assert_eq!(totals.outcomes, BTreeMap::from([(Outcome::Queued, 4)]));
    assert_eq!(totals.open, BTreeMap::from([(State::Retrying, 1)]));
    assert_eq!(totals.owed[&Lane::Login].count, 1);
    assert_eq!(totals.owed[&Lane::Login].oldest, Some(UnixMicros(7)));
    assert_eq!(totals.destination, Destination::default());
}

#[tokio::test]
async fn slots_survive_a_restart_and_an_open_one_is_spent_by_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let at = |seconds: u64| NOW.plus(Duration::from_secs(seconds));
    for slot in 1..=3 {
        put(&store, [Put::SlotTaken(account(), SlotId(slot), NOW)]).await.unwrap();
    }
    let again = put(&store, [Put::SlotTaken(account(), SlotId(3), NOW)]).await;
    assert!(matches!(again, Err(StoreError::Conflict)));
    put(&store, [Put::SlotAnswered(account(), SlotId(1), at(1))]).await.unwrap();
    drop(store);
    let clock = ManualClock::at(at(60));
    let store = open_by(folder.path(), settings(), Arc::new(clock.clone()));
    let slot = |id, answered: u64| Slot { id: SlotId(id), taken_at: NOW, answered_at: Some(at(answered)) };
    let slots = store.slots(account(), at(60)).await.unwrap();
    assert_eq!(slots, (vec![slot(1, 1), slot(2, 60), slot(3, 60)], 4));
    clock.advance(Duration::from_secs(3541));
    let slots = store.slots(account(), at(3601)).await.unwrap();
    assert_eq!(slots, (vec![slot(2, 60), slot(3, 60)], 4));
    drop(store);
    let store = open_with(folder.path(), settings(), at(3 * 3600));
    put(&store, [Put::SlotTaken(account(), SlotId(4), at(10_000))]).await.unwrap();
    put(&store, [Put::SlotAnswered(account(), SlotId(4), at(10_001))]).await.unwrap();
    let (left, next) = store.slots(account(), NOW).await.unwrap();
    assert_eq!((left.len(), next), (1, 5), "old slots are gone, their ids are not given again");
}

#[tokio::test]
async fn a_claim_in_a_bulk_call_stands_until_its_job_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let claimed = delivery("d1-0", "jo", Lane::Login, 7).claim();
    let contact = Put::Contact(email("jo"), 0, calling("d1-0", None));
    let call = AttemptRequest {
        method: "POST".to_owned(),
        url: "https://acme.myfreshworks.com".to_owned(),
        headers: Vec::new(),
        body: serde_json::Value::Null,
    };
    let rows = vec![BulkRow { delivery: claimed.id.clone(), attempt: 1 }];
    let job = BulkJob { id: JobId::parse("7").unwrap(), started_at: NOW, call, rows };
    let taken = Put::BulkJob(account(), job.clone());
    put(&store, [Put::Delivery(0, claimed.clone()), contact, taken]).await.unwrap();
    drop(store);

    let store = open(folder.path());
    assert_eq!(store.bulk_jobs(account()).await.unwrap(), std::slice::from_ref(&job));
    assert!(store.bulk_jobs(Account("another".to_owned())).await.unwrap().is_empty());
    let found = store.load(everything()).await.unwrap();
    assert_eq!(found.deliveries[&claimed.id].document, claimed);
    assert!(found.contacts[&email("jo")].document.with(&account()).in_flight.is_some());
    put(&store, [Put::BulkJobEnded(account(), job.id)]).await.unwrap();
    assert!(store.bulk_jobs(account()).await.unwrap().is_empty());
    drop(store);

    let store = open(folder.path());
    let found = store.load(everything()).await.unwrap();
    assert_eq!(found.deliveries[&claimed.id].document, claimed.void_claim(NOW));
}

#[tokio::test]
async fn a_claim_is_void_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let claimed = delivery("d1-0", "jo", Lane::Login, 7).claim();
    let contact = Put::Contact(email("jo"), 0, calling("d1-0", None));
    put(&store, [Put::Delivery(0, claimed.clone()), contact]).await.unwrap();
    drop(store);
    let store = open(folder.path());
    let found = store.load(everything()).await.unwrap();
    let voided = &found.deliveries[&claimed.id];
    assert_eq!((voided.revision, &voided.document), (2, &claimed.clone().void_claim(NOW)));
    let standing = found.contacts[&email("jo")].document.with(&account());
    assert_eq!((standing.open, standing.in_flight), (Some(claimed.id.clone()), None));
    assert_eq!(standing.unanswered["city"], "Oslo");
    let (due, _) = store.due(due_query()).await.unwrap();
    assert_eq!(due[0].id, claimed.id);
}

#[tokio::test]
async fn a_void_claim_folds_into_the_delivery_opened_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let claimed = delivery("d1-0", "jo", Lane::Conversion, 7).claim();
    let newer = delivery("d2-0", "jo", Lane::Refresh, 8);
    let contact = Put::Contact(email("jo"), 0, calling("d1-0", Some("d2-0")));
    let mut counts = Counts::default();
    counts.moved(None, State::InFlight);
    counts.moved(None, State::Waiting);
    let puts = vec![Put::Delivery(0, claimed), Put::Delivery(0, newer), contact];
    store.apply(Plan { puts, counts, ..Plan::default() }).await.unwrap();
    drop(store);
    let store = open(folder.path());
    let found = store.load(everything()).await.unwrap();
    let ended = &found.deliveries[&DeliveryId("d1-0".to_owned())].document;
    assert_eq!((ended.state, ended.ended_at), (State::Superseded, Some(NOW)));
    let standing = found.contacts[&email("jo")].document.with(&account());
    assert_eq!(standing.open, Some(DeliveryId("d2-0".to_owned())));
    assert_eq!(standing.unanswered["city"], "Oslo");
    let newer = store.delivery(DeliveryId("d2-0".to_owned())).await.unwrap().unwrap();
    assert_eq!((newer.state, newer.lane), (State::Waiting, Lane::Conversion));
    let totals = store.totals(account()).await.unwrap();
    assert_eq!(totals.ended, BTreeMap::from([(State::Superseded, 1)]));
    assert_eq!(totals.open, BTreeMap::from([(State::Waiting, 1)]));
    assert_eq!(totals.queued, 2);
}

#[tokio::test]
async fn one_turn_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let turn = store.turn().await;
    let mut next = store.turn();
    assert!(futures_util::poll!(&mut next).is_pending());
    drop(turn);
    next.await;
}
