//! Faults: each way a call can go wrong, and orders that make no sense.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;

use super::*;

#[tokio::test]
async fn a_fault_meets_the_next_call_and_leaves_no_trace() {
    let account = account();
    let seen = account.post("/sandbox/faults", r#"{"status":503}"#).await;
    assert_eq!((seen.status.as_u16(), seen.body.as_str()), (201, r#"{"waiting":1}"#));
    let seen = account.post(UPSERT, SAM).await;
    assert!(seen.is_error(503, "Service Unavailable"), "{seen:?}");
    assert_eq!(account.stored(), None);
    assert_eq!(account.post(UPSERT, SAM).await.status, 201);
    assert_eq!(account.sandbox.requests()[0].status, Some(503));
}

#[tokio::test]
async fn a_fault_happens_as_often_as_it_says_to_the_email_it_names() {
    let account = account();
    let body = json!({"errors": {"code": 429, "message": "slow down"}});
    account.order(
        json!({"status": 429, "retry_after": 2, "times": 2, "email": "Sam.Lee@example.com", "body": body}),
    );
    for _ in 0..2 {
        assert_eq!(account.post(UPSERT, named("kim@example.com")).await.status.as_u16() / 100, 2);
        let seen = account.post(UPSERT, SAM).await;
        assert_eq!((seen.status.as_u16(), seen.header("retry-after")), (429, Some("2")));
        assert_eq!(seen.json(), body);
    }
    assert_eq!(account.post(UPSERT, SAM).await.status, 201);
}

#[tokio::test]
async fn a_fault_finds_its_email_in_bulk_calls_and_lookups() {
    let account = account();
    account.order(json!({"status": 500, "times": 2, "email": "a@example.com"}));
    let bulk = json!({"contacts": [{"emails": "b@example.com"}, {"emails": "A@example.com"}]});
    assert_eq!(account.post(BULK, bulk.to_string()).await.status, 500);
    assert_eq!(account.get(OWNERS).await.status, 200);
    let lookup = "/crm/sales/api/lookup?q=a%40example.com&f=email&entities=contact";
    assert_eq!(account.get(lookup).await.status, 500);
}

#[tokio::test]
async fn a_fault_can_be_for_a_path() {
    let account = account();
    account.order(json!({"status": 405, "path": "bulk_upsert"}));
    assert_eq!(account.post(UPSERT, SAM).await.status, 201);
    assert_eq!(account.post(BULK, "{}").await.status, 405);
}

#[tokio::test]
async fn faults_happen_in_the_order_they_came() {
    let account = account();
    account.order(json!({"status": 500}));
    account.order(json!({"status": 502}));
    assert_eq!(account.post(UPSERT, SAM).await.status, 500);
    assert_eq!(account.post(UPSERT, SAM).await.status, 502);
}

#[tokio::test]
async fn calls_that_are_not_let_in_use_no_fault() {
    let account = account();
    account.order(json!({"status": 500}));
    account.send(Request::builder().uri(OWNERS).body(Body::empty()).unwrap()).await;
    assert_eq!(account.get(OWNERS).await.status, 500);
}

#[tokio::test]
async fn retry_after_can_be_any_number_or_text() {
    let account = account();
    let cases = [
        (json!(0.5), "0.5"),
        (json!("Fri, 31 Dec 1999 23:59:59 GMT"), "Fri, 31 Dec 1999 23:59:59 GMT"),
        (json!(-1), "-1"),
        (json!("soon"), "soon"),
    ];
    for (given, header) in cases {
        account.order(json!({"retry_after": given}));
        let seen = account.get(OWNERS).await;
        assert_eq!((seen.status.as_u16(), seen.header("retry-after")), (429, Some(header)));
    }
}

#[tokio::test]
async fn a_body_given_as_text_is_sent_as_it_is() {
    let account = account();
    for text in ["", "oops", "{\"contact\":"] {
        account.order(json!({"status": 200, "body": text}));
        let seen = account.get(OWNERS).await;
        assert_eq!((seen.status.as_u16(), seen.body.as_str()), (200, text));
    }
}

#[tokio::test]
async fn html_is_a_login_page() {
    let account = account();
    account.order(json!({"html": true}));
    let seen = account.post(UPSERT, SAM).await;
    assert_eq!((seen.status.as_u16(), seen.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(seen.body.starts_with("<!DOCTYPE html>"));
    account.order(json!({"html": true, "status": 502, "body": "<h1>Bad gateway</h1>"}));
    let seen = account.post(UPSERT, SAM).await;
    assert_eq!((seen.status.as_u16(), seen.body.as_str()), (502, "<h1>Bad gateway</h1>"));
}

#[tokio::test]
async fn a_redirect_has_a_location() {
    let account = account();
    account.order(json!({"location": "https://other.example/"}));
    account.order(json!({"status": 308, "location": "/login"}));
    let seen = account.post(UPSERT, SAM).await;
    assert_eq!((seen.status.as_u16(), seen.header("location")), (302, Some("https://other.example/")));
    let seen = account.post(UPSERT, SAM).await;
    assert_eq!((seen.status.as_u16(), seen.header("location")), (308, Some("/login")));
}

#[tokio::test]
async fn an_applied_call_takes_effect_although_its_answer_is_wrong() {
    let account = account();
    account.order(json!({"status": 504, "apply": true}));
    assert_eq!(account.post(UPSERT, SAM).await.status, 504);
    assert_eq!(account.stored().unwrap()["first_name"], "Sam");
}

#[tokio::test]
async fn a_hanging_call_is_recorded_without_a_status_and_may_take_effect() {
    for apply in [false, true] {
        let account = account();
        account.order(json!({"hang": true, "apply": apply}));
        let call = account.post(UPSERT, SAM);
        let arrived = account.sandbox.until(|view| view.requests().len() == 1);
        tokio::select! {
            biased;
            seen = call => panic!("answered: {seen:?}"),
            () = arrived => {}
        }
        assert_eq!(account.sandbox.requests()[0].status, None);
        assert_eq!(account.stored().is_some(), apply);
    }
}

#[tokio::test]
async fn a_delayed_call_is_answered_as_usual_but_later() {
    let account = account();
    account.order(json!({"delay_ms": 90_000}));
    let call = account.post(UPSERT, SAM);
    let time = async {
        account.sandbox.until(|view| view.requests().len() == 1).await;
        while account.clock.next_wake().is_none() {
            tokio::task::yield_now().await;
        }
        assert_eq!(account.clock.next_wake(), Some(Duration::from_secs(90)));
        account.advance(90);
    };
    let (seen, ()) = tokio::join!(call, time);
    assert_eq!(seen.status, 201);
}

#[tokio::test]
async fn an_endless_body_goes_on_after_any_limit() {
    let account = account();
    account.order(json!({"endless": true, "apply": true}));
    let response = account.sandbox.router().oneshot(request("POST", UPSERT, SAM)).await.unwrap();
    assert_eq!(response.status(), 201);
    let mut body = response.into_body();
    let mut received_bytes = 0;
    while received_bytes < 10_000_000 {
        received_bytes += body.frame().await.unwrap().unwrap().into_data().unwrap().len();
    }
}

/// What arrives over a real connection until it is closed.
async fn received_over_tcp(fault: Value) -> (Account, String) {
    let account = account();
    account.order(fault);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    #[expect(clippy::disallowed_methods, reason = "a test server whose clients are its own")]
    let server = tokio::spawn(axum::serve(listener, account.sandbox.router()).into_future());
    let received = tokio::task::spawn_blocking(move || {
        let mut connection = TcpStream::connect(address).unwrap();
        let head = format!(
            "POST {UPSERT} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Token token=sandbox-key\r\n\
            Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{SAM}",
            SAM.len()
        );
        connection.write_all(head.as_bytes()).unwrap();
        let mut received = Vec::new();
        let _ = connection.read_to_end(&mut received);
        String::from_utf8(received).unwrap()
    });
    let received = received.await.unwrap();
    server.abort();
    (account, received)
}

#[tokio::test]
async fn a_reset_closes_the_connection_before_the_first_byte() {
    let (account, received) = received_over_tcp(json!({"reset": true})).await;
    assert_eq!(received, "");
    assert_eq!(account.stored(), None);
    assert_eq!(account.sandbox.requests()[0].status, None);
}

#[tokio::test]
async fn a_truncated_answer_ends_in_the_middle_of_its_body() {
    let (account, received) = received_over_tcp(json!({"truncated": true, "apply": true})).await;
    let (head, body) = received.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 201 Created\r\n"), "{head}");
    let whole = json!({"contact": account.stored().unwrap()}).to_string();
    assert!(head.contains(&format!("content-length: {}", whole.len())), "{head}");
    assert_eq!(body, &whole[..whole.len() / 2]);
}

#[test]
fn every_key_of_an_order_is_in_the_page_on_the_sandbox() {
    let known = Fault::from_json(json!({"": 1})).unwrap_err().to_string();
    let known: BTreeSet<&str> = known.split('`').skip(3).step_by(2).collect();
    let page = include_str!("../../../docs/reference/sandbox.md");
    let table = page.split("| key of a fault |").nth(1).unwrap().split("\n\n").next().unwrap();
    let keys = table.lines().filter_map(|line| line.split('|').nth(1));
    let named: BTreeSet<&str> = keys.flat_map(|keys| keys.split('`').skip(1).step_by(2)).collect();
    assert!(known.contains("status"), "{known:?}");
    assert_eq!(named, known);
}

#[tokio::test]
async fn an_order_that_makes_no_sense_is_refused_with_the_reason() {
    let account = account();
    let cases = [
        ("", "EOF while parsing a value at line 1 column 0"),
        (r#"{"status":99}"#, "`status` should be 200 to 599, not 99"),
        (r#"{"status":600}"#, "`status` should be 200 to 599, not 600"),
        (r#"{"status":500,"times":0}"#, "`times` should be 1 or more"),
        (
            r#"{"retry_after":[]}"#,
            "`retry_after` should be a number or a text that can be the value of a header",
        ),
        (
            "{\"location\":\"a\\nb\"}",
            "`location` should be a number or a text that can be the value of a header",
        ),
        (
            r#"{"hang":true,"endless":true}"#,
            "only one of `hang`, `reset`, `truncated`, `endless` can happen to a call",
        ),
        (
            r#"{"hang":true,"status":500}"#,
            "`hang` and `reset` give no answer: leave `status`, `body`, `html`, `retry_after`, `location` out",
        ),
        (r#"{"apply":true}"#, "nothing would go wrong: name a `status`, a `body`, a `delay_ms`, …"),
    ];
    for (order, message) in cases {
        let seen = account.post("/sandbox/faults", order).await;
        assert!(seen.is_error(400, message), "{order}: {seen:?}");
    }
    let seen = account.post("/sandbox/faults", r#"{"stauts":500}"#).await;
    assert!(seen.body.contains("unknown field `stauts`"), "{seen:?}");
    assert_eq!(account.get(OWNERS).await.status, 200);
}

#[tokio::test]
async fn waiting_faults_are_bounded() {
    let account = account();
    for _ in 0..10_000 {
        account.order(json!({"status": 500}));
    }
    assert!(
        account.post("/sandbox/faults", r#"{"status":500}"#).await.is_error(400, "10000 faults wait already")
    );
}
