//! Forms that the tag saw being sent: they become what a posted form becomes, by the rules of their source.

use super::*;

const SITE: &str = r#"
    [website]
    write_key = "srv"
    form_event = "Newsletter Signup"
    form_required = ["company"]
    form_fields = { "how-many" = "traits.employees" }
"#;

fn seen(fields: &str) -> String {
    format!(
        r#"{{"batch":[{{"type":"form","messageId":"m","timestamp":"2026-09-22T15:03:07.000Z","anonymousId":"a1","userId":"u1","fields":[{fields}],"context":{{"page":{{"url":"https://shop.example.com/contact"}},"campaign":{{"source":"ad"}}}}}}]}}"#
    )
}

#[tokio::test]
async fn a_form_that_was_seen_is_the_event_of_a_posted_one_with_who_the_visitor_is() {
    let bench = Bench::with("", SITE);
    let fields = r#"["email","jane@example.com"],["Company","Initech"],["how-many","12"],["message","Call me"],
        ["utm_source","letter"],["marketing_opt_in","on"],["cf-turnstile-response","t"],["x"],[1,2],"y""#;
    for _ in 0..2 {
        assert_eq!(bench.post("/ingest", seen(fields)).await, (200, ONE.to_owned()));
    }
    let record = &bench.records()[0];
    let mut event: Value = serde_json::from_str(&record.raw).unwrap();
    assert!(record.message_id.starts_with("form-"));
    assert_eq!(record.message_id, bench.records()[1].message_id, "a double click is one message");
    event.as_object_mut().unwrap().remove("messageId");
    let expected = serde_json::json!({
        "type": "track",
        "event": "Newsletter Signup",
        "timestamp": "2026-09-22T15:03:07.000Z",
        "anonymousId": "a1",
        "userId": "u1",
        "traits": {"email": "jane@example.com", "company": "Initech", "employees": "12"},
        "properties": {"message": "Call me"},
        "context": {"campaign": {"source": "letter"}, "page": {"url": "https://shop.example.com/contact"}},
        "consent": {"marketing": true},
    });
    assert_eq!(event, expected);
}

#[tokio::test]
async fn what_is_typed_into_a_form_is_a_visitors_word_whatever_the_key_is() {
    let bench = Bench::with("", "[website]\nwrite_key = 'web'\ntrust = 'server'");
    let form = r#"{"type":"form","anonymousId":"a","fields":[["email","jane@example.com"]]}"#;
    let page = r#"{"type":"page","anonymousId":"a"}"#;
    let body = format!("[{form},{page}]");
    let request = Request::post("/ingest?writeKey=web").body(Body::from(body)).unwrap();
    assert_eq!(bench.send(request).await.status(), 200);
    let trusts: Vec<Trust> = bench.records().iter().map(|record| record.trust).collect();
    assert_eq!(trusts, [Trust::Visitor, Trust::Server]);
}

#[tokio::test]
async fn what_a_posted_form_is_refused_for_is_named_and_a_robot_is_told_nothing() {
    let bench = Bench::with("", SITE);
    for (fields, reason) in
        [(r#"["company","Initech"]"#, "no_email"), (r#"["email","jane@example.com"]"#, "missing_field")]
    {
        let (status, answer) = bench.post("/ingest", seen(fields)).await;
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!((status, &answer["accepted"]), (200, &serde_json::json!(0)));
        let rejected = &answer["rejected"][0];
        assert_eq!((&rejected["code"], &rejected["reason"]), (&"invalid_form".into(), &reason.into()));
    }
    let robot = r#"["email","jane@example.com"],["company","x"],["_gotcha","http://spam.example"]"#;
    assert_eq!(bench.post("/ingest", seen(robot)).await, (200, ONE.to_owned()));
    assert_eq!(bench.refused()[0].code, "robot");
    assert!(bench.records().is_empty());
}

#[tokio::test]
async fn one_by_itself_is_answered_by_itself() {
    let bench = Bench::with("", SITE);
    let fields = r#""fields":[["email","a@b.example"],["company","x"]"#;
    for (tail, answer) in [("", 200), (r#",["_gotcha","x"]"#, 200), (r#",["email",""]"#, 200)] {
        let body = format!(r#"{{"type":"form","anonymousId":"a",{fields}{tail}]}}"#);
        assert_eq!(bench.post("/ingest", body).await.0, answer);
    }
    let empty = bench.post("/ingest", r#"{"type":"form","anonymousId":"a"}"#).await;
    assert_eq!(refusal(empty), said(400, "invalid_form", "missing_field"));
    let by_route = bench.post("/v1/track", r#"{"type":"form","event":"Signed Up","userId":"u"}"#).await;
    assert_eq!(by_route.0, 200, "the route says what it is");
}
