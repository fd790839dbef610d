//! The debugger over the embedded store: what the processing stage wrote is what is shown.

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::event::{Kind, Trust};
use crate::process::Processor;
use crate::store;
use crate::store::sqlite::SqliteStore;
use crate::store::{Journal, NewRecord};

fn record(number: u64, kind: Kind, raw: &Value) -> NewRecord {
    let at = seconds_earlier(100 - number);
    NewRecord {
        source: SourceName("website".into()),
        people: "default".into(),
        kind,
        received_at: at,
        at,
        message_id: format!("m{number}"),
        backfill: false,
        trust: Trust::Server,
        raw: raw.to_string(),
    }
}

/// Lets an identify and a lead take effect; answers the router over them.
async fn after_a_lead(folder: &std::path::Path) -> Router {
    let clock = Arc::new(ManualClock::at(START));
    let store = SqliteStore::open(folder, store::StoreSettings::default(), clock.clone()).unwrap();
    let identify = json!({"type": "identify", "userId": "u", "traits": {"email": "sam@example.com"}});
    let lead = json!({"type": "track", "event": "Lead Generated", "userId": "u"});
    let records = vec![record(1, Kind::Identify, &identify), record(2, Kind::Track, &lead)];
    store.append(records).await.unwrap();
    let owed = Arc::new(Notify::new());
    let processor = Processor {
        store: Arc::clone(&store) as SharedStore,
        settings: watch::Sender::new(Arc::new(settings())).subscribe(),
        clock,
        owed: Arc::clone(&owed),
        decide: Arc::new(crate::decision::decide),
        trouble: watch::Sender::new(None),
        consent: SharedTally::default(),
        senders: Arc::default(),
        stalls: Stalls::default(),
        traces: crate::traces::Traces::default(),
    };
    let stop = CancellationToken::new();
    let running = tokio::spawn(processor.run(stop.clone()));
    owed.notified().await;
    stop.cancel();
    running.await.unwrap().unwrap();
    Lab::new().debugger_over(store, PrometheusBuilder::new().build_recorder().handle()).router()
}

async fn shown(router: &Router, path: &str) -> Value {
    let request = request("GET", path).body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test]
async fn an_event_is_followed_from_the_journal_to_what_is_owed() {
    let folder = tempfile::tempdir().unwrap();
    let router = after_a_lead(&folder.path().join("data")).await;

    let first = shown(&router, "/api/events?limit=1").await;
    assert_eq!(first["events"][0]["message_id"], "m2");
    let next = first["next"].as_str().unwrap();
    let second = shown(&router, &format!("/api/events?limit=1&before={next}")).await;
    assert_eq!(second["events"][0]["message_id"], "m1");
    assert_eq!(second["next"], Value::Null);
    let queued = shown(&router, "/api/events?outcome=queued&person=user:u&email=sam@example.com").await;
    assert_eq!(queued["events"].as_array().unwrap().len(), 1);

    let event = shown(&router, "/api/events/m2").await;
    assert_eq!(event["outcome"], "queued");
    assert_eq!(event["raw"]["event"], "Lead Generated");
    assert_eq!(event["delivery"]["state"], "waiting");

    let deliveries = shown(&router, "/api/deliveries?state=waiting").await;
    assert_eq!(deliveries["deliveries"][0]["id"], event["delivery_id"]);
    let id = event["delivery_id"].as_str().unwrap();
    assert_eq!(shown(&router, &format!("/api/deliveries/{id}")).await["lane"], "new_contact");

    let contact = shown(&router, "/api/contacts/sam@example.com").await;
    assert_eq!(contact["members"], json!(["user:u"]));
    assert_eq!(contact["open_delivery"]["id"], event["delivery_id"]);
    assert_eq!(contact["owed"]["payload"]["contact"], json!({"emails": "sam@example.com"}));

    let status = shown(&router, "/api/status").await;
    assert_eq!((&status["accepted"], &status["journal_lag_events"]), (&json!(2), &json!(0)));
    assert_eq!(status["owed"]["new_contact"], 1);
    assert_eq!(status["open"]["waiting"], 1);
}
