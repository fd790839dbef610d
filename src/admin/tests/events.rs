//! The routes of events.

use super::*;
use crate::decision::Outcome;
use crate::delivery::{Delivery, Lane};
use crate::event::{Kind, Position, Trust};
use crate::store::{EventQuery, NewRecord, Record};
use crate::trail::{EventTrail, Worth};

pub fn trail(position: u64) -> EventTrail {
    EventTrail {
        position: Position(position),
        message_id: format!("m{position}"),
        source: SourceName("website".into()),
        kind: Kind::Track,
        event: "Lead Generated".into(),
        received_at: START,
        at: UnixMicros(START.0 - 1_500_000),
        person: Some("user:u".into()),
        email: Some(email("sam@example.com")),
        page: None,
        outcome: Outcome::Queued,
        worth: Worth::Conversion,
        reason: "a call is owed".into(),
        delivery_id: Some(DeliveryId("d1-0".into())),
        duplicates: 2,
        notes: vec!["mobile_number left out".into()],
        actions: Vec::new(),
    }
}

fn shape(position: u64) -> Value {
    json!({
        "message_id": format!("m{position}"),
        "source": "website",
        "type": "track",
        "event": "Lead Generated",
        "received_at": "2030-03-17T17:46:40.000Z",
        "timestamp": "2030-03-17T17:46:38.500Z",
        "person": "user:u",
        "email": "sam@example.com",
        "outcome": "queued",
        "reason": "a call is owed",
        "notes": ["mobile_number left out"],
        "delivery_id": "d1-0",
        "duplicates": 2,
        "delivery": null,
    })
}

fn record(raw: &str) -> Record {
    let event = NewRecord {
        source: SourceName("website".into()),
        people: "default".into(),
        kind: Kind::Track,
        received_at: START,
        at: START,
        message_id: "m1".into(),
        backfill: false,
        trust: Trust::Server,
        raw: raw.into(),
    };
    Record { position: Position(1), event }
}

#[tokio::test]
async fn the_list_is_newest_first_and_a_cursor_leads_through_all_of_it() {
    let lab = Lab::new().holding(|held| held.trails = (1..=5).map(trail).collect());
    let first = lab.json("/api/events?limit=2").await;
    assert_eq!(first["events"], json!([shape(5), shape(4)]));
    let next = first["next"].as_str().unwrap();
    let second = lab.json(&format!("/api/events?limit=2&before={next}")).await;
    assert_eq!(second["events"], json!([shape(3), shape(2)]));
    let next = second["next"].as_str().unwrap();
    let last = lab.json(&format!("/api/events?before={next}&limit=2")).await;
    assert_eq!(last, json!({"events": [shape(1)], "next": null}));
}

#[tokio::test]
async fn the_list_says_what_became_of_the_delivery_that_each_event_opened_or_joined() {
    let opened = |id: &str| {
        let account = settings().account;
        Delivery::open(DeliveryId(id.into()), account, email("sam@example.com"), Lane::Login, START)
    };
    let of = |position, id: Option<&str>| EventTrail {
        delivery_id: id.map(|id| DeliveryId(id.into())),
        ..trail(position)
    };
    let lab = Lab::new().holding(|held| {
        let ids = [None, Some("pruned"), Some("waits"), Some("done"), Some("done")];
        held.trails = (1..).zip(ids).map(|(position, id)| of(position, id)).collect();
        held.deliveries = vec![opened("waits"), opened("done").deliver(seconds_later(2))];
    });
    let events = lab.json("/api/events").await["events"].clone();
    let stands: Vec<_> = events.as_array().unwrap().iter().map(|event| event["delivery"].clone()).collect();
    let done = json!({"account": "acme.myfreshworks.com", "subject": "contact:sam@example.com", "state": "delivered", "reason": null, "ended_at": "2030-03-17T17:46:42.000Z", "next_attempt_at": null});
    let waits = json!({"account": "acme.myfreshworks.com", "subject": "contact:sam@example.com", "state": "waiting", "reason": null, "ended_at": null, "next_attempt_at": "2030-03-17T17:46:40.000Z"});
    assert_eq!(stands, [done.clone(), done, waits, Value::Null, Value::Null]);
    assert_eq!(events[3]["delivery_id"], "pruned", "it led to one that is no longer kept");
    assert_eq!(lab.store.0.lock().unwrap().stands_queries, 1, "one look-up for the whole page");
}

#[tokio::test]
async fn a_page_that_holds_the_last_row_has_no_next() {
    let lab = Lab::new().holding(|held| held.trails = (1..=2).map(trail).collect());
    assert_eq!(lab.json("/api/events?limit=2").await["next"], Value::Null);
    assert_eq!(Lab::new().json("/api/events").await, json!({"events": [], "next": null}));
}

#[tokio::test]
async fn every_filter_reaches_the_store() {
    let lab = Lab::new();
    lab.json(
        "/api/events?email=Sam%40Example.com&person=shop/user:7&event=Lead+Generated&outcome=no_email\
         &source=website&limit=500&since=2026-03-01T09:00:00Z&until=2026-03-01T10:00:00Z",
    )
    .await;
    lab.json("/api/events?email=&limit=").await;
    let queries = lab.store.0.lock().unwrap().event_queries.clone();
    let none = EventQuery {
        limit: crate::store::Limited::to(51),
        before: None,
        email: None,
        person: None,
        event: None,
        outcomes: Vec::new(),
        source: None,
        since: None,
        until: None,
        text: None,
        after: None,
    };
    let all = EventQuery {
        limit: crate::store::Limited::to(500),
        before: None,
        email: Some(email("sam@example.com")),
        person: Some("shop/user:7".into()),
        event: Some("Lead Generated".into()),
        outcomes: vec![Outcome::NoEmail],
        source: Some(SourceName("website".into())),
        since: UnixMicros::parse("2026-03-01T09:00:00Z"),
        until: UnixMicros::parse("2026-03-01T10:00:00Z"),
        text: None,
        after: None,
    };
    assert_eq!(queries, [all, none]);
}

#[tokio::test]
async fn a_bad_parameter_is_named_and_its_value_not_repeated() {
    let lab = Lab::new();
    for (query, name) in [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("before=17", "before"),
        ("before=ZDE3", "before"),
        ("email=SECRET", "email"),
        ("person=SECRET", "person"),
        ("outcome=SECRET", "outcome"),
        ("SECRET=1", "query"),
        ("email=a%40b.co&email=c%40d.co", "email"),
    ] {
        let reply = lab.get(&format!("/api/events?{query}")).await;
        assert_eq!(reply.refusal(), (400, "invalid_parameter".into(), json!(name)), "{query}");
        assert!(!reply.text.contains("SECRET"));
    }
}

#[tokio::test]
async fn one_event_is_shown_with_what_was_sent_and_its_delivery() {
    let raw = r#"{"type":"track","event":"Lead Generated", "userId":"u","n":1.0}"#;
    let delivery = Delivery::open(
        DeliveryId("d1-0".into()),
        settings().account,
        email("sam@example.com"),
        Lane::Login,
        START,
    );
    let lab = Lab::new().holding(|held| {
        held.trails = vec![trail(1)];
        held.records = vec![record(raw)];
        held.deliveries = vec![delivery];
    });
    let reply = lab.get("/api/events/m1?source=website").await;
    assert!(reply.text.contains(raw), "as it was sent, to the byte: {}", reply.text);
    let mut expected = shape(1);
    expected["raw"] = serde_json::from_str(raw).unwrap();
    expected["delivery"] = json!({
        "id": "d1-0",
        "account": "acme.myfreshworks.com",
        "subject": "contact:sam@example.com",
        "email": "sam@example.com",
        "lane": "login",
        "state": "waiting",
        "reason": null,
        "notes": [],
        "events": 1,
        "opened_at": "2030-03-17T17:46:40.000Z",
        "ended_at": null,
        "next_attempt_at": "2030-03-17T17:46:40.000Z",
        "attempts_made": 0,
        "attempts": [],
    });
    assert_eq!(reply.json(), expected);
}

#[tokio::test]
async fn a_write_key_in_the_body_of_an_event_is_not_shown() {
    let raw = r#"{"type":"page","userId":"u","write\u004bey":"hunter2"}"#;
    let lab = Lab::new().holding(|held| {
        held.trails = vec![trail(1)];
        held.records = vec![record(raw)];
    });
    let event = lab.json("/api/events/m1").await;
    assert_eq!(event["raw"], json!({"type": "page", "userId": "u", "writeKey": "(redacted)"}));
}

#[tokio::test]
async fn an_event_that_the_journal_has_dropped_has_no_raw() {
    let lab = Lab::new().holding(|held| held.trails = vec![trail(1)]);
    let event = lab.json("/api/events/m1").await;
    assert_eq!((&event["raw"], &event["delivery"]), (&Value::Null, &Value::Null));
    assert_eq!(lab.get("/api/events/m1?source=shop").await.refusal().1, "not_found");
    assert_eq!(lab.get("/api/events/m2").await.refusal(), (404, "not_found".into(), Value::Null));
}

#[tokio::test]
async fn a_message_id_with_a_slash_is_found() {
    let lab =
        Lab::new().holding(|held| held.trails = vec![EventTrail { message_id: "a/b c".into(), ..trail(1) }]);
    assert_eq!(lab.json("/api/events/a%2Fb%20c").await["message_id"], "a/b c");
}

#[tokio::test]
async fn a_look_up_that_fails_says_so_without_detail() {
    let slow = Lab::new().holding(|held| held.error = Some(StoreError::TooSlow));
    let reply = slow.get("/api/events").await;
    assert_eq!(reply.refusal(), (503, "too_slow".into(), Value::Null));
    assert_eq!(reply.headers["retry-after"], "1");
    for error in [StoreError::Fatal("SECRET".into()), StoreError::Unreadable("contact", "SECRET".into())] {
        let broken = Lab::new().holding(|held| held.error = Some(error));
        for path in ["/api/events", "/api/events/m", "/api/deliveries", "/api/contacts/a@b.co", "/api/status"]
        {
            let reply = broken.get(path).await;
            assert_eq!(reply.refusal(), (500, "internal".into(), Value::Null));
            assert!(!reply.text.contains("SECRET"));
        }
    }
}

#[tokio::test]
async fn where_no_index_finds_what_is_asked_for_one_answer_walks_back_so_far_and_no_further() {
    let walks =
        ["search=x", "source=shop", "event=page&outcome=queued", "source=shop&outcome=queued,no_email"];
    let found = [
        "outcome=queued,no_email",
        "event=page",
        "email=a%40b.co&source=shop",
        "person=user:7&event=page&outcome=queued",
    ];
    for (filter, expected) in
        walks.map(|filter| (filter, true)).into_iter().chain(found.map(|it| (it, false)))
    {
        let lab = Lab::new();
        lab.json(&format!("/api/events?{filter}")).await;
        assert_eq!(lab.store.0.lock().unwrap().event_queries[0].after.is_some(), expected, "{filter}");
    }
}

#[tokio::test]
async fn a_text_is_looked_for_among_the_names_of_people_too() {
    let lab = Lab::new().holding(|held| {
        let names = [("user:jane", "jane miller"), ("user:ann", "ann miller")];
        held.called = names.map(|(key, name)| (key.parse().unwrap(), name.to_owned())).into();
    });
    let cases =
        [("Miller+Jane+", vec!["user:jane"]), ("miller", vec!["user:ann", "user:jane"]), ("smith", vec![])];
    for (text, called) in cases {
        lab.json(&format!("/api/events?search={text}")).await;
        let asked = lab.store.0.lock().unwrap().event_queries.remove(0).text.unwrap();
        assert_eq!(asked.people.iter().map(String::as_str).collect::<Vec<_>>(), called, "{text}");
        assert_eq!(asked.text, text.replace('+', " ").trim().to_lowercase());
        lab.store.0.lock().unwrap().event_queries.clear();
    }
}
