//! The samples behind the plots.

use tokio_util::sync::CancellationToken;

use super::*;
use crate::allowance::SlotId;
use crate::clock::{Clock, ManualClock};
use crate::delivery::{Delivery, Lane};
use crate::store::Slot;

fn delivered(id: &str, opened_seconds_ago: u64) -> Delivery {
    let account = Account("acme.myfreshworks.com".into());
    let opened_at = seconds_earlier(opened_seconds_ago);
    Delivery::open(DeliveryId(id.into()), account, email("sam@example.com"), Lane::Login, opened_at)
        .deliver(seconds_later(1))
}

#[tokio::test]
async fn a_sample_is_taken_each_minute_and_a_day_is_kept() {
    let lab = Lab::new().holding(|held| {
        held.totals.accepted = 7;
        held.totals.slots = vec![Slot { id: SlotId(1), taken_at: START, answered_at: None }];
        held.deliveries = [1, 2, 3, 59].map(|ago| delivered(&format!("d{ago}"), ago)).into();
    });
    let clock = ManualClock::at(START);
    let debugger = Debugger {
        clock: Arc::new(clock.clone()),
        ..lab.debugger(PrometheusBuilder::new().build_recorder().handle())
    };
    let stop = CancellationToken::new();
    let keeping = tokio::spawn(debugger.clone().keep_history(stop.clone()));
    let samples = async |query: &str| {
        let request = request("GET", &format!("/api/status/history{query}")).body(Body::empty()).unwrap();
        let body = debugger.router().oneshot(request).await.unwrap().into_body().collect().await.unwrap();
        serde_json::from_slice::<Value>(&body.to_bytes()).unwrap()
    };
    for minute in 0..1_500_u64 {
        while clock.next_wake() != Some(Duration::from_mins(minute + 1)) {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_mins(1));
    }
    while clock.next_wake() != Some(Duration::from_mins(1_501)) {
        tokio::task::yield_now().await;
    }
    let all = samples("").await;
    assert_eq!((&all["every_seconds"], all["samples"].as_array().unwrap().len()), (&json!(60), 1440));
    let last = &all["samples"][1439];
    assert_eq!((&last["at"], &last["accepted"]), (&json!(clock.wall().to_rfc3339()), &json!(7)));
    assert_eq!(last["allowance"]["hour"], json!({"limit": 900, "used": 1}));
    let hour = samples("?hours=1").await;
    assert_eq!(hour["samples"].as_array().unwrap().len(), 60);
    assert_eq!(hour["samples"][59], *last);
    stop.cancel();
    keeping.await.unwrap();
}

#[tokio::test]
async fn a_sample_tells_how_long_the_deliveries_of_its_minute_took() {
    let lab = Lab::new().holding(|held| {
        held.deliveries = [1, 2, 3, 59].map(|ago| delivered(&format!("d{ago}"), ago)).into();
    });
    let debugger = lab.debugger(PrometheusBuilder::new().build_recorder().handle());
    let stop = CancellationToken::new();
    stop.cancel();
    debugger.clone().keep_history(stop).await;
    let request = request("GET", "/api/status/history").body(Body::empty()).unwrap();
    let body = debugger.router().oneshot(request).await.unwrap().into_body().collect().await.unwrap();
    let shown: Value = serde_json::from_slice(&body.to_bytes()).unwrap();
    assert_eq!(shown["samples"][0]["latency"], json!({"deliveries": 4, "median_ms": 3000, "p95_ms": 60_000}));
}

#[tokio::test]
async fn hours_are_a_number_of_a_day() {
    for wrong in ["0", "25", "x"] {
        let reply = Lab::new().get(&format!("/api/status/history?hours={wrong}")).await;
        assert_eq!(reply.refusal(), (400, "invalid_parameter".into(), json!("hours")), "{wrong}");
    }
}
