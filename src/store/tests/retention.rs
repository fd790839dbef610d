//! Tests of retention: what goes, what stays, and that the counters do not notice.

use super::*;
use crate::delivery::State;
use crate::store::{Counts, Failed, Keep, KeepTrail, Keys, Plan, Progress, Put, Record, Totals, Worths};
use crate::trail::{EventTrail, Worth};

/// Keeps everything.
pub(super) const ALL: Keep = Keep {
    journal_since: UnixMicros(i64::MIN),
    journal_bytes_max: u64::MAX,
    trail: Worths::all(KeepTrail { since: UnixMicros(i64::MIN), bytes_max: u64::MAX }),
    won_since: UnixMicros(i64::MIN),
    seen_since: UnixMicros(i64::MIN),
    seen_max: u64::MAX,
};

/// Keeps nothing that may go.
pub(super) const NONE: Keep = Keep {
    journal_since: UnixMicros(i64::MAX),
    journal_bytes_max: u64::MAX,
    trail: Worths::all(KeepTrail { since: UnixMicros(i64::MAX), bytes_max: u64::MAX }),
    won_since: UnixMicros(i64::MAX),
    seen_since: UnixMicros(i64::MAX),
    seen_max: u64::MAX,
};

pub(super) fn trail_since(at: i64) -> Worths<KeepTrail> {
    Worths::all(KeepTrail { since: UnixMicros(at), bytes_max: u64::MAX })
}

/// Prunes to the end; answers how much went.
pub(super) async fn prune(store: &Arc<TestStore>, keep: Keep) -> u64 {
    let mut gone = 0;
    loop {
        match store.prune(keep).await.unwrap() {
            0 => return gone,
            part => gone += part,
        }
    }
}

fn received(at: i64) -> NewRecord {
    NewRecord { received_at: UnixMicros(at), ..event("{}") }
}

fn seen(message_id: &str, position: u64, at: i64) -> Put {
    Put::Seen(SourceName("website".to_owned()), message_id.to_owned(), Position(position), UnixMicros(at))
}

pub(super) async fn journal(store: &Arc<TestStore>) -> Vec<u64> {
    let records = store.read(Stream::Live, Position(0), 1000, usize::MAX).await.unwrap();
    records.iter().map(|record| record.position.0).collect()
}

pub(super) async fn seen_of(store: &Arc<TestStore>, ids: &[&str]) -> Vec<String> {
    let seen = ids.iter().map(|id| (SourceName("website".to_owned()), (*id).to_owned())).collect();
    let found = store.load(Keys { seen, ..Keys::default() }).await.unwrap();
    found.seen.into_keys().map(|(_, id)| id).collect()
}

#[tokio::test]
async fn events_go_by_age_in_whole_groups_once_they_took_effect() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.append(vec![received(10), received(11)]).await.unwrap();
    store.append(vec![received(19), received(20)]).await.unwrap();
    store.append(vec![received(20)]).await.unwrap();
    let since = |at| Keep { journal_since: UnixMicros(at), ..ALL };
    assert_eq!(prune(&store, since(100)).await, 0, "nothing took effect yet");
    state::progress(&store, 0, 3).await;
    assert_eq!(prune(&store, since(11)).await, 0);
    assert_eq!(prune(&store, since(12)).await, 1);
    assert_eq!(prune(&store, since(100)).await, 0, "the rest of the group waits");
    state::progress(&store, 3, 5).await;
    assert_eq!(prune(&store, since(20)).await, 0, "one of the group is young");
    assert_eq!(journal(&store).await, [3, 4, 5]);
    assert_eq!(prune(&store, since(21)).await, 2);
    assert_eq!(journal(&store).await, [0_u64; 0]);
    let totals = store.totals(account()).await.unwrap();
    assert_eq!((totals.accepted, totals.processed), (5, 5));
}

#[tokio::test]
async fn from_four_fifths_of_its_size_on_the_journal_loses_the_oldest_that_took_effect() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for _ in 0..20 {
        append(&store, &"x".repeat(40_000)).await.unwrap();
    }
    state::progress(&store, 0, 15).await;
    let at_most = |bytes| Keep { journal_bytes_max: bytes, ..ALL };
    assert_eq!(prune(&store, at_most(1_200_000)).await, 0, "it has 820,000 bytes and may have 960,000");
    // Ten pages hold an event, and some hold the tree.
    assert_eq!(prune(&store, at_most(1_000_000)).await, 1);
    assert_eq!(prune(&store, at_most(500_000)).await, 10);
    assert_eq!(journal(&store).await, (12..=20).collect::<Vec<_>>());
    assert_eq!(prune(&store, at_most(0)).await, 4, "what waits stays");
    assert_eq!(journal(&store).await, (16..=20).collect::<Vec<_>>());
}

#[tokio::test]
async fn old_trails_and_ended_deliveries_go_and_dead_and_open_ones_stay() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let at = |position, at| {
        Put::Trail(EventTrail { received_at: UnixMicros(at), ..trail(position, Outcome::Queued) })
    };
    let open = |id: &str| delivery(id, id, Lane::Login, 1);
    let mut erased = open("erased").deliver(UnixMicros(9));
    erased.state = State::Erased;
    let deliveries = [
        open("delivered").deliver(UnixMicros(9)),
        open("superseded").supersede("no need", UnixMicros(9)),
        erased,
        open("young").deliver(UnixMicros(10)),
        open("dead").die("no".to_owned(), UnixMicros(1)),
        open("waiting"),
        open("calling").claim(),
        open("retrying").retry("5xx".to_owned(), UnixMicros(1), NOW),
        open("reopened").die("no".to_owned(), UnixMicros(1)).reopen(UnixMicros(2)),
    ];
    let mut counts = Counts::default();
    for delivery in &deliveries {
        counts.moved(None, delivery.state);
    }
    for _ in 0..4 {
        counts.outcome(Outcome::Queued);
    }
    // The clock went back between the third and the fourth.
    let mut puts = vec![at(1, 1), at(2, 9), at(3, 10), at(4, 5)];
    puts.extend(deliveries.iter().map(|delivery| Put::Delivery(0, delivery.clone())));
    store.append(vec![event("{}"); 4]).await.unwrap();
    let progress = Some(Progress { stream: Stream::Live, from: Position(0), to: Position(4), events: 4 });
    store.apply(Plan { progress, puts, counts, ..Plan::default() }).await.unwrap();
    let before = store.totals(account()).await.unwrap();
    assert_eq!(prune(&store, Keep { trail: trail_since(10), ..ALL }).await, 6);
    let counted =
        async || Totals { trail_since: Worths::default(), ..store.totals(account()).await.unwrap() };
    let before = Totals { trail_since: Worths::default(), ..before };
    assert_eq!(counted().await, before);
    assert_eq!(
        (before.queued, before.open.values().sum::<u64>(), before.ended.values().sum::<u64>()),
        (9, 4, 5)
    );
    for position in 1..=4 {
        let found = store.event(format!("m{position}"), None).await.unwrap();
        assert_eq!(found.map(|found| found.received_at.0), (position == 3).then_some(10));
    }
    for (nth, delivery) in deliveries.into_iter().enumerate() {
        let found = store.delivery(delivery.id.clone()).await.unwrap();
        assert_eq!(found, (nth >= 3).then_some(delivery));
    }
    // The number of a delivery that is gone is not given again.
    assert_eq!(prune(&store, NONE).await, 3, "a group, a trail, a delivery");
    assert_eq!(counted().await, before);
}

#[tokio::test]
async fn a_message_counts_again_after_its_time_but_not_while_older_events_wait() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.append([1, 5, 12].map(received).into()).await.unwrap();
    let ids = ["m1", "m2"];
    state::put(&store, [seen("m1", 1, 1), seen("m2", 2, 10)]).await.unwrap();
    state::progress(&store, 0, 1).await;
    let keep = Keep { seen_since: UnixMicros(10), ..ALL };
    assert_eq!(prune(&store, keep).await, 0, "the event of 5 may repeat any");
    assert_eq!(seen_of(&store, &ids).await, ids);
    state::progress(&store, 1, 2).await;
    assert_eq!(prune(&store, keep).await, 1);
    assert_eq!(seen_of(&store, &ids).await, ["m2"]);
    state::put(&store, [seen("m1", 3, 12)]).await.unwrap();
    assert_eq!(seen_of(&store, &ids).await, ids);
}

#[tokio::test]
async fn a_part_is_small_and_the_parts_come_to_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let puts = (1..=1200).flat_map(|position| {
        let id = format!("d{position}");
        let ended = delivery(&id, &id, Lane::Login, 1).deliver(NOW);
        [Put::Trail(trail(position, Outcome::Queued)), seen(&id, position, 1), Put::Delivery(0, ended)]
    });
    state::put(&store, puts).await.unwrap();
    let mut parts = Vec::new();
    for _ in 0..6 {
        parts.push(store.prune(NONE).await.unwrap());
    }
    assert_eq!(parts, [750, 750, 750, 750, 600, 0]);
}

#[tokio::test]
async fn at_its_size_the_trail_loses_the_oldest_whatever_their_age() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let received = |position: u64| {
        let at = UnixMicros(i64::try_from(position).unwrap());
        EventTrail { received_at: at, ..trail(position, Outcome::Queued) }
    };
    let dead = delivery("dead", "jo", Lane::Login, 1).die("no".to_owned(), UnixMicros(1));
    let puts = (1..=1000).map(|position| Put::Trail(received(position))).chain([Put::Delivery(0, dead)]);
    state::put(&store, puts).await.unwrap();
    let limits = |bytes_max| KeepTrail { since: UnixMicros(i64::MIN), bytes_max };
    let at_most = |bytes| Keep { trail: Worths::all(limits(bytes)), ..ALL };
    assert_eq!(prune(&store, at_most(600_000)).await, 0, "a trail takes about 400 bytes");
    let gone = prune(&store, at_most(200_000)).await;
    assert!((500..1000).contains(&gone), "{gone}");
    assert!(store.event(format!("m{gone}"), None).await.unwrap().is_none());
    assert!(store.event(format!("m{}", gone + 1), None).await.unwrap().is_some());
    assert_eq!(prune(&store, at_most(0)).await, 1000 - gone, "and what is dead stays");
    assert!(store.delivery(DeliveryId("dead".to_owned())).await.unwrap().is_some());
}

/// A trail of this worth, received at the moment of its position.
fn worth(position: u64, worth: Worth) -> Put {
    let received_at = UnixMicros(i64::try_from(position).unwrap());
    Put::Trail(EventTrail { received_at, worth, ..trail(position, Outcome::Queued) })
}

async fn kept_of(store: &Arc<TestStore>, positions: std::ops::RangeInclusive<u64>) -> Vec<u64> {
    let mut kept = Vec::new();
    for position in positions {
        if store.event(format!("m{position}"), None).await.unwrap().is_some() {
            kept.push(position);
        }
    }
    kept
}

#[tokio::test]
async fn what_is_worth_more_is_kept_longer() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let puts = (1..=9).zip(Worth::ALL.into_iter().cycle()).map(|(position, of)| worth(position, of));
    let ended = [("login", Lane::Login), ("order", Lane::Conversion)];
    let ended = ended.map(|(id, lane)| Put::Delivery(0, delivery(id, id, lane, 1).deliver(UnixMicros(5))));
    state::put(&store, puts.chain(ended)).await.unwrap();
    let since = |at| KeepTrail { since: UnixMicros(at), bytes_max: u64::MAX };
    let trail = Worths { anonymous: since(100), refresh: since(6), conversion: since(4) };
    assert_eq!(prune(&store, Keep { trail, ..ALL }).await, 3 + 2 + 1 + 1);
    assert_eq!(kept_of(&store, 1..=9).await, [6, 8, 9]);
    let kept = |id: &str| store.delivery(DeliveryId(id.to_owned()));
    assert!(kept("login").await.unwrap().is_none());
    assert!(kept("order").await.unwrap().is_some());
    let totals = store.totals(account()).await.unwrap();
    let oldest = Worths { anonymous: None, refresh: Some(UnixMicros(8)), conversion: Some(UnixMicros(6)) };
    assert_eq!(totals.trail_since, oldest);
}

#[tokio::test]
async fn a_crowd_of_page_views_of_nobody_pushes_no_order_out() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let orders = (1..=10).map(|position| worth(position, Worth::Conversion));
    let views = (11..=1000).map(|position| worth(position, Worth::Anonymous));
    state::put(&store, orders.chain(views)).await.unwrap();
    let limits = KeepTrail { since: UnixMicros(i64::MIN), bytes_max: 100_000 };
    assert!(prune(&store, Keep { trail: Worths::all(limits), ..ALL }).await > 500);
    assert_eq!(kept_of(&store, 1..=12).await, (1..=10).collect::<Vec<_>>());
    assert_eq!(kept_of(&store, 1000..=1000).await, [1000]);
}

#[tokio::test]
async fn beyond_their_number_the_oldest_messages_are_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let all = ["a", "b", "c", "d"];
    state::put(&store, (1..).zip(all).map(|(at, id)| seen(id, at, i64::try_from(at).unwrap())))
        .await
        .unwrap();
    assert_eq!(prune(&store, Keep { seen_max: 4, ..ALL }).await, 0);
    assert_eq!(prune(&store, Keep { seen_max: 2, ..ALL }).await, 2);
    assert_eq!(seen_of(&store, &all).await, ["c", "d"]);
}

#[tokio::test]
async fn positions_and_deliveries_are_never_numbered_twice() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.append(vec![event("a"); 3]).await.unwrap();
    let ended = delivery("a", "jo", Lane::Login, 1).deliver(NOW);
    state::put(&store, [Put::Delivery(0, ended)]).await.unwrap();
    state::progress(&store, 0, 3).await;
    assert_eq!(prune(&store, NONE).await, 2);
    drop(store);
    let store = open(folder.path());
    assert_eq!(append(&store, "b").await.unwrap(), Position(4));
    state::put(&store, [Put::Delivery(0, delivery("b", "jo", Lane::Login, 1))]).await.unwrap();
    let query = crate::store::DeliveryQuery {
        limit: crate::store::Limited::to(9),
        before: None,
        email: None,
        subject: None,
        state: None,
        account: None,
        reason: None,
    };
    let found = store.deliveries(query).await.unwrap();
    assert_eq!(found.iter().map(|found| found.sequence).collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn of_events_that_failed_the_oldest_of_the_source_with_most_are_given_up_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let failed = |nth: u64| {
        let source = SourceName(if nth.is_multiple_of(3) { "shop" } else { "website" }.to_owned());
        let raw = "x".repeat(4 << 20);
        let event = NewRecord { source, message_id: format!("m{nth}"), ..event(&raw) };
        let record = Record { position: Position(nth), event };
        Put::Failed(Box::new(Failed { record, error: "a defect".to_owned(), at: NOW }))
    };
    for nth in 1..=18 {
        store.apply(Plan { puts: vec![failed(nth)], ..Plan::default() }).await.unwrap();
    }
    let kept = store.failed(Position(0), 100).await.unwrap();
    let kept: Vec<u64> = kept.into_iter().map(|failed| failed.record.position.0).collect();
    // 15 of 4 MiB fit into 64 MiB; the website has most.
    assert_eq!(kept, [3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]);
    let totals = store.totals(account()).await.unwrap();
    assert_eq!((totals.failed, totals.failed_lost), (15, 3));
}
