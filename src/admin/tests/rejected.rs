//! Refused requests among the events.

use super::*;

fn lab() -> Lab {
    let lab = Lab::new();
    lab.refuse(seconds_earlier(30), None, "unknown_write_key", None);
    lab.refuse(seconds_earlier(20), Some("website"), "invalid_event", Some("missing_identity"));
    lab.refuse(seconds_earlier(10), Some("app"), "overloaded", None);
    lab
}

#[tokio::test]
async fn what_was_refused_is_listed_newest_first_with_the_reason_in_words() {
    let lab = lab();
    let list = lab.json("/api/events?outcome=rejected&limit=2").await;
    assert_eq!(
        list["events"][1],
        json!({
            "message_id": null, "source": "website", "type": null, "event": null,
            "received_at": "2030-03-17T17:46:20.000Z", "outcome": "rejected",
            "reason": "neither `userId` nor `anonymousId` nor an email says who it is",
            "code": "invalid_event", "detail": "missing_identity", "route": "/ingest",
            "door": "events", "hook": null,
        })
    );
    assert_eq!(list["events"][0]["code"], "overloaded");
    let next = list["next"].as_str().unwrap();
    let rest = lab.json(&format!("/api/events?outcome=rejected&before={next}")).await;
    assert_eq!((rest["events"].as_array().unwrap().len(), &rest["next"]), (1, &Value::Null));
    assert_eq!(rest["events"][0]["code"], "unknown_write_key");
    assert_eq!(lab.json("/api/status").await["rejected"], 3);
}

#[tokio::test]
async fn refusals_are_narrowed_by_source_and_time_and_by_nothing_personal() {
    let lab = lab();
    for (query, codes) in [
        ("source=website", &["invalid_event"][..]),
        ("since=2030-03-17T17:46:20Z", &["overloaded", "invalid_event"]),
        ("until=2030-03-17T17:46:20Z", &["invalid_event", "unknown_write_key"]),
    ] {
        let list = lab.json(&format!("/api/events?outcome=rejected&{query}")).await;
        let found: Vec<_> = list["events"].as_array().unwrap().iter().map(|event| &event["code"]).collect();
        assert_eq!(found, codes, "{query}");
    }
    for query in ["email=sam@example.com", "person=user:u", "event=page"] {
        let reply = lab.get(&format!("/api/events?outcome=rejected&{query}")).await;
        let name = query.split('=').next().unwrap();
        assert_eq!(reply.refusal(), (400, "invalid_parameter".into(), json!(name)), "{query}");
    }
    let other_list = lab.json("/api/events?outcome=rejected&limit=1").await["next"].clone();
    let reply = lab.get(&format!("/api/events?before={}", other_list.as_str().unwrap())).await;
    assert_eq!(reply.refusal(), (400, "invalid_parameter".into(), json!("before")));
}
