//! Tests of look-ups: what is due and in which order, the trail, the lists, the deadline.

use super::*;
use crate::allowance::LaneLoad;
use crate::delivery::{Attempt, AttemptRequest, Bound, State};
use crate::store::{
    Change, Counts, DeliveryQuery, DeliveryStands, DueOrder, DueQuery, EventQuery, Limited, Plan, Put, Sought,
};

fn waiting(id: &str, name: &str, lane: Lane, opened_at: i64, next: i64) -> Put {
    let mut delivery = delivery(id, name, lane, opened_at);
    delivery.next_attempt_at = UnixMicros(next);
    Put::Delivery(0, delivery)
}

async fn due(store: &Arc<TestStore>, now: i64, limit: usize) -> (Vec<String>, Option<i64>) {
    let query = DueQuery { now: UnixMicros(now), limit, ..due_query() };
    let (due, next) = store.due(query).await.unwrap();
    (due.into_iter().map(|due| due.id.0).collect(), next.map(|next| next.0))
}

#[tokio::test]
async fn the_highest_lane_goes_first_and_in_it_the_longest_owed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut elsewhere = delivery("x", "x", Lane::Withdrawal, 1);
    elsewhere.account = Account("other".to_owned());
    let retrying = delivery("r", "r", Lane::Conversion, 4).retry("5xx".to_owned(), NOW, UnixMicros(10));
    let puts = [
        waiting("a", "a", Lane::Backfill, 1, 1),
        waiting("b", "b", Lane::Login, 3, 10),
        waiting("c", "c", Lane::Login, 2, 10),
        waiting("d", "d", Lane::Withdrawal, 9, 9),
        waiting("e", "e", Lane::NewContact, 5, 11),
        waiting("f", "f", Lane::Refresh, 5, 20),
        Put::Delivery(0, retrying),
        Put::Delivery(0, delivery("g", "g", Lane::Withdrawal, 1).deliver(NOW)),
        Put::Delivery(0, elsewhere),
        Put::Delivery(0, delivery("h", "b", Lane::Withdrawal, 1).claim()),
    ];
    state::put(&store, puts).await.unwrap();
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    // `b` has a call on its way.
    assert_eq!(due(&store, 10, 9).await, (ids(&["d", "r", "c", "a"]), Some(11)));
    assert_eq!(due(&store, 10, 2).await, (ids(&["d", "r"]), Some(11)));
    assert_eq!(due(&store, 0, 9).await, (ids(&[]), Some(1)));
    assert_eq!(due(&store, 20, 9).await, (ids(&["d", "e", "r", "c", "f", "a"]), None));
}

#[tokio::test]
async fn many_due_deliveries_are_answered_like_few() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let puts = (0..12_000).map(|nth: i64| {
        let lane = if nth % 1000 == 7 { Lane::Login } else { Lane::Refresh };
        let next = if nth % 2000 == 7 { 99 } else { 1 };
        waiting(&format!("d{nth}"), &format!("n{nth}"), lane, 20_000 - nth, next)
    });
    state::put(&store, puts).await.unwrap();
    let busy = delivery("busy", "n11007", Lane::Backfill, 1).claim();
    state::put(&store, [Put::Delivery(0, busy)]).await.unwrap();
    let (found, next) = due(&store, 50, 7).await;
    assert_eq!(found, ["d9007", "d7007", "d5007", "d3007", "d1007", "d11999", "d11998"]);
    assert_eq!(next, Some(99));
    let totals = store.totals(account()).await.unwrap();
    assert_eq!(totals.open[&State::Waiting], 12_000);
    assert_eq!(totals.owed[&Lane::Login].oldest, Some(UnixMicros(20_000 - 11_007)));
}

#[tokio::test]
async fn only_the_lanes_asked_for_are_found_in_either_order_however_much_is_due() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let of = |nth: i64| {
        let lane = if nth % 2 == 0 { Lane::Conversion } else { Lane::Backfill };
        waiting(&format!("d{nth}"), &format!("n{nth}"), lane, nth, 1)
    };
    for (from, to) in [(0, 10), (10, 12_000)] {
        state::put(&store, (from..to).map(of)).await.unwrap();
        let found = async |lanes: &[Lane], order| {
            let query = DueQuery { lanes: lanes.to_vec(), order, limit: 3, ..due_query() };
            let (due, _) = store.due(query).await.unwrap();
            due.into_iter().map(|due| due.id.0).collect::<Vec<_>>()
        };
        let newest = |nth: i64| format!("d{nth}");
        let (odd, even) = (to - 1, to - 2);
        assert_eq!(found(&[Lane::Backfill], DueOrder::LongestFirst).await, ["d1", "d3", "d5"]);
        assert_eq!(
            found(&[Lane::Backfill], DueOrder::NewestFirst).await,
            [newest(odd), newest(odd - 2), newest(odd - 4)]
        );
        let both = [Lane::Conversion, Lane::Backfill];
        assert_eq!(found(&both, DueOrder::LongestFirst).await, ["d0", "d2", "d4"]);
        assert_eq!(
            found(&both, DueOrder::NewestFirst).await,
            [newest(even), newest(even - 2), newest(even - 4)]
        );
        assert!(found(&[Lane::Login], DueOrder::LongestFirst).await.is_empty());
    }
}

pub(super) fn all() -> EventQuery {
    EventQuery::newest(Limited::to(500))
}

#[tokio::test]
async fn the_trail_is_found_by_each_condition_newest_first() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut other = trail(2, Outcome::NoEmail);
    other.email = None;
    other.person = None;
    other.event = "page".to_owned();
    other.source = SourceName("app".to_owned());
    other.message_id = "m1".to_owned();
    let events = [trail(1, Outcome::Queued), other.clone(), trail(3, Outcome::Absorbed)];
    state::put(&store, events.clone().map(Put::Trail)).await.unwrap();
    let find = async |query| {
        let found = store.events(query).await.unwrap();
        found.iter().map(|event| event.position.0).collect::<Vec<_>>()
    };
    let with = |narrow: fn(&mut EventQuery)| {
        let mut query = all();
        narrow(&mut query);
        find(query)
    };
    assert_eq!(with(|_| ()).await, [3, 2, 1]);
    assert_eq!(with(|query| query.before = Some(Position(3))).await, [2, 1]);
    assert_eq!(with(|query| query.limit = Limited::to(2)).await, [3, 2]);
    assert_eq!(with(|query| query.email = Some(email("jo"))).await, [3, 1]);
    assert_eq!(with(|query| query.person = Some("user:42".to_owned())).await, [3, 1]);
    assert_eq!(with(|query| query.event = Some("LEAD generated".to_owned())).await, [3, 1]);
    assert_eq!(with(|query| query.outcomes = vec![Outcome::NoEmail]).await, [2]);
    let two = |query: &mut EventQuery| query.outcomes = vec![Outcome::Queued, Outcome::NoEmail];
    assert_eq!(with(two).await, [2, 1]);
    for (text, fit) in
        [("LEAD", vec![3, 1]), ("m1", vec![2, 1]), ("user:42", vec![3, 1]), ("/pricing", vec![])]
    {
        assert_eq!(find(EventQuery { text: Some(Sought::text(text)), ..all() }).await, fit, "{text}");
    }
    let from = EventQuery { text: Some(Sought::text("lead")), after: Some(Position(1)), ..all() };
    assert_eq!(find(from).await, [3]);
    assert_eq!(with(|query| query.source = Some(SourceName("app".to_owned()))).await, [2]);
    assert_eq!(with(|query| query.since = Some(UnixMicros(NOW.0 + 1))).await, [0_u64; 0]);
    assert_eq!(with(|query| query.until = Some(UnixMicros(NOW.0 - 1))).await, [0_u64; 0]);
    let both = |query: &mut EventQuery| {
        query.outcomes = vec![Outcome::NoEmail];
        query.email = Some(email("jo"));
    };
    assert_eq!(with(both).await, [0_u64; 0]);
}

#[tokio::test]
async fn an_event_is_found_by_its_message_id_the_first_one_first() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut other = trail(2, Outcome::NoEmail);
    other.source = SourceName("app".to_owned());
    other.message_id = "m1".to_owned();
    let events = [trail(1, Outcome::Queued), other.clone()];
    state::put(&store, events.map(Put::Trail)).await.unwrap();
    let again = [1, 1, 77].map(|at| Put::SeenAgain(Position(at)));
    state::put(&store, again).await.unwrap();
    let mut first = trail(1, Outcome::Queued);
    first.duplicates = 2;
    assert_eq!(store.event("m1".to_owned(), None).await.unwrap(), Some(first));
    let app = Some(SourceName("app".to_owned()));
    assert_eq!(store.event("m1".to_owned(), app).await.unwrap(), Some(other));
    assert_eq!(store.event("m9".to_owned(), None).await.unwrap(), None);
}

#[tokio::test]
async fn deliveries_are_listed_newest_first() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let dead = delivery("c", "jo", Lane::Login, 1).die("no".to_owned(), NOW);
    let puts = [delivery("a", "jo", Lane::Login, 9), delivery("b", "al", Lane::Login, 8), dead.clone()];
    state::put(&store, puts.map(|delivery| Put::Delivery(0, delivery))).await.unwrap();
    let find = async |email: Option<Email>, state, before| {
        let limit = Limited::to(10);
        let query = DeliveryQuery { limit, before, email, subject: None, state, account: None, reason: None };
        let found = store.deliveries(query).await.unwrap();
        found.into_iter().map(|found| (found.sequence, found.delivery.id.0)).collect::<Vec<_>>()
    };
    let row = |sequence, id: &str| (sequence, id.to_owned());
    assert_eq!(find(None, None, None).await, [row(3, "c"), row(2, "b"), row(1, "a")]);
    assert_eq!(find(None, None, Some(3)).await, [row(2, "b"), row(1, "a")]);
    assert_eq!(find(Some(email("jo")), None, None).await, [row(3, "c"), row(1, "a")]);
    assert_eq!(find(None, Some(State::Dead), None).await, [row(3, "c")]);
    assert_eq!(store.delivery(DeliveryId("c".to_owned())).await.unwrap(), Some(dead));
    assert_eq!(store.delivery(DeliveryId("z".to_owned())).await.unwrap(), None);
}

/// Requests that arrive together are stored in any order, and clocks are set: every second event is 3 ms early here.
#[tokio::test]
async fn a_time_finds_what_the_condition_on_each_event_finds() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let received = |position: u64| {
        let early = if position.is_multiple_of(2) { 3_000 } else { 0 };
        UnixMicros(NOW.0 + i64::try_from(position).unwrap() * 1_000 - early)
    };
    let mut events: Vec<_> = (1..=300).map(|position| trail(position, Outcome::Queued)).collect();
    for event in &mut events {
        event.received_at = received(event.position.0);
    }
    state::put(&store, events.clone().into_iter().map(Put::Trail)).await.unwrap();
    for (since, until) in
        [(None, None), (Some(10), None), (None, Some(290)), (Some(100), Some(200)), (Some(9), Some(8))]
    {
        let query = EventQuery { since: since.map(received), until: until.map(received), ..all() };
        let mut expected: Vec<_> = events.iter().filter(|event| query.admits(event)).cloned().collect();
        expected.reverse();
        assert_eq!(store.events(query).await.unwrap(), expected, "{since:?} {until:?}");
    }
}

#[tokio::test]
async fn deliveries_say_how_long_they_took_the_latest_first() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let ended = |id: &str, end: fn(Delivery, UnixMicros) -> Delivery, at: i64| {
        Put::Delivery(0, end(delivery(id, id, Lane::Login, 1_000_000), UnixMicros(at)))
    };
    let died = |delivery: Delivery, at| delivery.die("refused".to_owned(), at);
    let puts = [
        ended("early", Delivery::deliver, 1_500_000),
        ended("second", Delivery::deliver, 3_000_000),
        ended("third", Delivery::deliver, 4_000_000),
        ended("dead", died, 5_000_000),
    ];
    state::put(&store, puts).await.unwrap();
    let since = async |limit| store.delivered_since(account(), UnixMicros(1_500_000), limit).await.unwrap();
    assert_eq!(since(9).await, [3, 2].map(Duration::from_secs));
    assert_eq!(since(1).await, [Duration::from_secs(3)]);
    let other = Account("other.myfreshworks.com".to_owned());
    assert_eq!(store.delivered_since(other, UnixMicros(0), 9).await.unwrap(), [] as [Duration; 0]);
}

#[tokio::test]
async fn one_look_up_says_how_the_deliveries_that_are_kept_stand() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let ended = |id: &str, end: fn(Delivery, UnixMicros) -> Delivery, at: i64| {
        Put::Delivery(0, end(delivery(id, id, Lane::Login, 1), UnixMicros(at)))
    };
    let puts = [
        waiting("waits", "a", Lane::Login, 1, 7),
        ended("done", Delivery::deliver, 8),
        ended("dead", |delivery, at| delivery.die("refused".to_owned(), at), 9),
        ended("other", Delivery::deliver, 8),
    ];
    state::put(&store, puts).await.unwrap();
    let ids = ["waits", "done", "dead", "pruned", "\"odd\""].map(|id| DeliveryId(id.to_owned()));
    let stands = |id: &str, state, ended_at: Option<i64>, next: Option<i64>| {
        let (ended_at, next_attempt_at) = (ended_at.map(UnixMicros), next.map(UnixMicros));
        let reason = (id == "dead").then(|| "refused".to_owned());
        let subject = email(if id == "waits" { "a" } else { id }).into();
        (
            DeliveryId(id.to_owned()),
            DeliveryStands { account: account(), subject, state, reason, ended_at, next_attempt_at },
        )
    };
    let expected = [
        stands("waits", State::Waiting, None, Some(7)),
        stands("done", State::Delivered, Some(8), None),
        stands("dead", State::Dead, Some(9), None),
    ];
    assert_eq!(store.stands(ids.into()).await.unwrap(), expected.into());
    assert_eq!(store.stands([].into()).await.unwrap(), [].into());
}

#[tokio::test]
async fn who_watches_is_told_what_a_plan_changed_once_it_is_applied() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    state::put(&store, [Put::Trail(trail(1, Outcome::Queued))]).await.unwrap();
    let mut news = store.news();
    let mut tried = delivery("d2-0", "jo", Lane::Login, 5);
    let request =
        AttemptRequest { method: "POST".into(), url: String::new(), headers: Vec::new(), body: "x".into() };
    tried.record(Attempt {
        attempt: 1,
        started_at: NOW,
        duration_ms: 1,
        request,
        response: None,
        error: None,
    });
    let puts = [Put::Trail(trail(2, Outcome::Absorbed)), Put::Delivery(0, tried.clone())];
    state::put(&store, puts).await.unwrap();
    let stale =
        state::put(&store, [Put::Delivery(7, tried.clone()), Put::Trail(trail(3, Outcome::Queued))]).await;
    assert!(matches!(stale, Err(StoreError::Conflict)), "{stale:?}");
    assert_eq!(news.try_recv().unwrap(), Change::Event(Box::new(trail(2, Outcome::Absorbed))));
    assert_eq!(
        news.try_recv().unwrap(),
        Change::Delivery(Box::new(Delivery { attempts: Vec::new(), ..tried }))
    );
    assert!(news.try_recv().is_err(), "what was not applied is no news");
}

#[tokio::test]
async fn first_calls_of_held_sources_are_not_due_and_those_that_left_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let website = Bound::NewContacts(SourceName("website".to_owned()));
    let first = |id: &str| Delivery { bound: Some(website.clone()), ..delivery(id, id, Lane::NewContact, 1) };
    let retrying = first("again").retry("5xx".to_owned(), NOW, NOW);
    let puts = [first("first"), retrying, delivery("known", "known", Lane::Login, 1)];
    state::put(&store, puts.map(|delivery| Put::Delivery(0, delivery))).await.unwrap();
    let due = async |held: Vec<Bound>| {
        let (due, _) = store.due(DueQuery { held, ..due_query() }).await.unwrap();
        due.into_iter().map(|due| (due.id.0, due.bound.is_some())).collect::<Vec<_>>()
    };
    let named = |names: &[(&str, bool)]| {
        names.iter().map(|(name, first)| ((*name).to_owned(), *first)).collect::<Vec<_>>()
    };
    assert_eq!(due(Vec::new()).await, named(&[("first", true), ("again", false), ("known", false)]));
    assert_eq!(due(vec![website.clone()]).await, named(&[("again", false), ("known", false)]));
    let slot = crate::allowance::SlotId(1);
    let puts = [Put::SlotTaken(account(), slot, NOW), Put::Bounded(account(), slot, website.clone())];
    state::put(&store, puts).await.unwrap();
    let store = {
        drop(store);
        open(folder.path())
    };
    assert_eq!(store.bounded(account(), UnixMicros(NOW.0 - 1)).await.unwrap(), [(website, NOW)]);
    assert_eq!(store.bounded(account(), NOW).await.unwrap(), []);
}

#[tokio::test]
async fn what_is_owed_is_counted_by_how_it_may_leave() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let shop = Bound::NewContacts(SourceName("shop".to_owned()));
    let first = |id, name, lane| Delivery { bound: Some(shop.clone()), ..delivery(id, name, lane, 1) };
    let deliveries = [
        delivery("a", "a", Lane::Refresh, 1),
        first("b", "b", Lane::Refresh),
        // It was tried before, so it counts for no quota any more; Freshsales still does not have it.
        first("c", "c", Lane::Refresh).wait(String::new(), NOW),
        delivery("d", "d", Lane::Refresh, 1).wait_alone(String::new(), NOW),
        delivery("e", "e", Lane::Refresh, 1).claim(),
        first("f", "f", Lane::Backfill).wait(String::new(), NOW),
    ];
    let mut counts = Counts::default();
    for delivery in &deliveries {
        counts.opened(delivery);
    }
    let puts = deliveries.iter().map(|delivery| Put::Delivery(0, delivery.clone())).collect();
    store.apply(Plan { puts, counts, ..Plan::default() }).await.unwrap();
    let refresh = LaneLoad { shared: 1, single: 2, listed: 0, first: [(shop.clone(), 1)].into() };
    let backfill = LaneLoad { shared: 1, ..LaneLoad::default() };
    let check = async |store: &Arc<TestStore>| {
        let owed = store.totals(account()).await.unwrap().owed;
        assert_eq!((&owed[&Lane::Refresh].load, owed[&Lane::Refresh].count), (&refresh, 5));
        assert_eq!((&owed[&Lane::Backfill].load, owed[&Lane::Backfill].count), (&backfill, 1));
    };
    check(&store).await;
    let opened = store.totals(account()).await.unwrap().opened;
    let of_refresh = LaneLoad { shared: 3, single: 0, listed: 0, first: [(shop.clone(), 2)].into() };
    let of_backfill = LaneLoad { first: [(shop.clone(), 1)].into(), ..LaneLoad::default() };
    assert_eq!(opened, [(Lane::Refresh, of_refresh), (Lane::Backfill, of_backfill)].into());

    // One that leaves is counted no more.
    let left = Put::Delivery(1, deliveries[0].clone().claim());
    store.apply(Plan { puts: vec![left], ..Plan::default() }).await.unwrap();
    assert_eq!(store.totals(account()).await.unwrap().owed[&Lane::Refresh].load.shared, 0);
    let back = Put::Delivery(2, deliveries[0].clone());
    store.apply(Plan { puts: vec![back], ..Plan::default() }).await.unwrap();
    check(&store).await;
}
