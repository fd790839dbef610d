//! The live stream.

use axum::body::BodyDataStream;
use futures_util::StreamExt;

use super::events::trail;
use super::*;
use crate::admin::stream::WATCHERS_MAX;
use crate::clock::ManualClock;
use crate::decision::Outcome;
use crate::delivery::{Delivery, Lane};
use crate::store::{NEWS_KEPT_MAX, Plan, Put};
use crate::trail::EventTrail;

/// A stream that somebody reads.
struct Watching {
    clock: ManualClock,
    store: Arc<FakeStore>,
    frames: BodyDataStream,
}

async fn watch(lab: &Lab, query: &str) -> Watching {
    let clock = ManualClock::at(START);
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    let debugger = Debugger { clock: Arc::new(clock.clone()), ..lab.debugger(metrics) };
    let request = request("GET", &format!("/api/stream{query}")).body(Body::empty()).unwrap();
    let response = debugger.router().oneshot(request).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (200, &"text/event-stream".parse().unwrap())
    );
    let mut frames = response.into_body().into_data_stream();
    let (name, _) = read(&mut frames).await.remove(0);
    assert_eq!(name, "status", "it begins with how things stand");
    Watching { clock, store: Arc::clone(&lab.store), frames }
}

/// Names and data of the events that come together.
async fn read(frames: &mut BodyDataStream) -> Vec<(String, Value)> {
    let bytes = frames.next().await.unwrap().unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let event = |event: &str| {
        let (name, data) = event.split_once('\n').unwrap();
        let data = data.strip_prefix("data: ").unwrap();
        (name.strip_prefix("event: ").unwrap().to_owned(), serde_json::from_str(data).unwrap())
    };
    text.split_terminator("\n\n").map(event).collect()
}

impl Watching {
    async fn read(&mut self) -> Vec<(String, Value)> {
        read(&mut self.frames).await
    }

    fn tell(&self, puts: impl IntoIterator<Item = Put>) {
        self.store.1.tell(&Plan { puts: puts.into_iter().collect(), ..Plan::default() });
    }
}

#[tokio::test]
async fn events_and_deliveries_are_told_as_they_are_listed_and_the_status_every_two_seconds() {
    let opened = Delivery::open(
        DeliveryId("d1-0".into()),
        Account("acme.myfreshworks.com".into()),
        email("sam@example.com"),
        Lane::Login,
        START,
    );
    let lab = Lab::new().holding(|held| {
        held.trails = vec![trail(1)];
        held.deliveries = vec![opened.clone()];
    });
    let mut watching = watch(&lab, "").await;
    watching.tell([Put::Trail(trail(1)), Put::Delivery(0, opened)]);
    let listed = lab.json("/api/events").await["events"][0].clone();
    assert_eq!(listed["delivery"]["state"], "waiting");
    assert_eq!(watching.read().await, [("event".into(), listed)]);
    let (name, delivery) = watching.read().await.remove(0);
    assert_eq!(
        (name.as_str(), &delivery["id"], &delivery["state"]),
        ("delivery", &json!("d1-0"), &json!("waiting"))
    );
    watching.clock.advance(Duration::from_secs(2));
    let status = lab.json("/api/status").await;
    assert_eq!(watching.read().await, [("status".into(), status)]);
}

#[tokio::test]
async fn a_filter_holds_for_the_stream_too() {
    let mut watching = watch(&Lab::new(), "?outcome=queued&event=lead%20generated").await;
    let mut other = trail(1);
    other.outcome = Outcome::Unchanged;
    watching.tell([Put::Trail(other), Put::Trail(trail(2))]);
    assert_eq!(watching.read().await[0].1["message_id"], "m2");
    let reply = Lab::new().get("/api/stream?outcome=lost").await;
    assert_eq!(reply.refusal(), (400, "invalid_parameter".into(), json!("outcome")));
    let reply = Lab::new().get("/api/stream?limit=5").await;
    assert_eq!(reply.refusal(), (400, "invalid_parameter".into(), json!("query")));
}

#[tokio::test]
async fn what_was_refused_is_told_where_it_is_asked_for() {
    let lab = Lab::new();
    lab.refuse(START, None, "unknown_write_key", None);
    let mut watching = watch(&lab, "?outcome=rejected&source=website").await;
    lab.refuse(START, Some("website"), "overloaded", None);
    lab.refuse(START, Some("app"), "malformed_body", None);
    watching.tell([Put::Trail(trail(1))]);
    watching.clock.advance(Duration::from_secs(2));
    let told = watching.read().await;
    let names: Vec<_> = told.iter().map(|(name, data)| (name.as_str(), data["code"].clone())).collect();
    assert_eq!(names, [("event", json!("overloaded")), ("status", Value::Null)]);
}

#[tokio::test]
async fn who_reads_slowly_is_told_how_much_was_missed_and_holds_nobody_up() {
    let mut watching = watch(&Lab::new(), "").await;
    let many = NEWS_KEPT_MAX as u64 + 500;
    watching.tell((1..=many).map(|position| Put::Trail(trail(position))));
    for _ in 0..200 {
        assert_eq!(watching.read().await[0].0, "event");
    }
    watching.clock.advance(Duration::from_secs(2));
    let status = ("status".to_owned(), Lab::new().json("/api/status").await);
    let lost = ("skipped".to_owned(), json!({ "changes": 500 }));
    assert_eq!(watching.read().await, [lost, status], "more than the queue holds");
    let clock = watching.clock.clone();
    let (mut shown, mut missed) = (200, 500);
    while shown + missed < many {
        let (told, ()) = tokio::join!(watching.read(), async { clock.advance(Duration::from_secs(2)) });
        shown += told.iter().filter(|(name, _)| name == "event").count() as u64;
        missed += told.iter().filter_map(|(_, data)| data["changes"].as_u64()).sum::<u64>();
    }
    assert_eq!(shown + missed, many, "what is not shown is counted");
}

#[tokio::test]
async fn an_event_whose_delivery_can_not_be_read_is_counted_as_missed() {
    let lab = Lab::new();
    let mut watching = watch(&lab, "").await;
    lab.store.0.lock().unwrap().error = Some(StoreError::TooSlow);
    watching.tell([Put::Trail(trail(1)), Put::Trail(EventTrail { delivery_id: None, ..trail(2) })]);
    let (name, event) = watching.read().await.remove(0);
    assert_eq!((name.as_str(), &event["message_id"]), ("event", &json!("m2")));
    lab.store.0.lock().unwrap().error = None;
    watching.clock.advance(Duration::from_secs(2));
    assert_eq!(watching.read().await[0], ("skipped".into(), json!({ "changes": 1 })));
}

#[tokio::test]
async fn there_is_a_limit_to_how_many_streams_are_open() {
    let lab = Lab::new();
    let debugger = lab.debugger(PrometheusBuilder::new().build_recorder().handle());
    let open = async || {
        let request = request("GET", "/api/stream").body(Body::empty()).unwrap();
        debugger.router().oneshot(request).await.unwrap()
    };
    let mut streams = Vec::new();
    for _ in 0..WATCHERS_MAX {
        streams.push(open().await);
    }
    assert!(streams.iter().all(|response| response.status() == 200));
    let refused = open().await;
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (503, &"30".parse().unwrap()));
    streams.pop();
    assert_eq!(open().await.status(), 200, "a stream that ended gives its place back");
}
