//! Looking up an address: exact bytes out, and whom an answer finds.

use serde_json::{Value, json};

use super::ask::exchange;
use super::client::answer;
use crate::delivery::Verdict;
use crate::erasure::Found;
use crate::event::Email;
use crate::freshsales::{Crm, LookupResult};

fn email() -> Email {
    Email::parse("jo+news@example.com").unwrap()
}

async fn look_up(answer: Vec<u8>) -> (LookupResult, String) {
    exchange(answer, async |client| client.look_up(email()).await).await
}

#[tokio::test]
async fn a_look_up_has_exactly_this_line_and_is_described_without_the_address() {
    let body =
        json!({"contacts": {"contacts": [{"id": 70_054_866_612_u64, "email": "Jo+News@example.com"}]}});
    let (result, request) = look_up(answer("200 OK", "", &body.to_string())).await;
    assert!(
        request.starts_with(
            "GET /crm/sales/api/lookup?q=jo%2Bnews%40example.com&f=email&entities=contact HTTP/1.1\r\n"
        ),
        "{request}"
    );
    assert_eq!(result.found, Found::One(70_054_866_612));
    assert!(result.call.request.url.ends_with("/crm/sales/api/lookup"), "{}", result.call.request.url);
}

#[tokio::test]
async fn whom_an_answer_finds() {
    let ours = "jo+news@example.com";
    let contacts = |contacts: Value| json!({"contacts": {"contacts": contacts}}).to_string();
    let primary = |first: &str| json!({"id": 7, "emails": [{"value": "x@example.com"}, {"value": first, "is_primary": true}]});
    let with_lead = |leads: Value, contacts: Value| {
        json!({"leads": {"leads": leads}, "contacts": {"contacts": contacts}}).to_string()
    };
    let table = [
        (contacts(json!([])), Found::Nobody),
        (contacts(json!([{"id": "7", "email": ours}])), Found::One(7)),
        (contacts(json!([{"id": 7, "emails": ours}])), Found::One(7)),
        (contacts(json!([{"id": 7, "emails": [ours]}])), Found::One(7)),
        (contacts(json!([primary(ours)])), Found::One(7)),
        (contacts(json!([{"id": 8, "email": "jo@example.com"}, {"id": 7, "email": ours}])), Found::One(7)),
        // The address is somebody else's second one, or only resembles what was asked for.
        (contacts(json!([primary("boss@example.com")])), Found::Unclear),
        (
            contacts(json!([{"id": 7, "email": "boss@example.com", "emails": [{"value": ours}]}])),
            Found::Unclear,
        ),
        (contacts(json!([{"id": 8, "email": "jo@example.com"}])), Found::Unclear),
        (contacts(json!([{"email": ours}])), Found::Unclear),
        (contacts(json!([{"id": 7, "email": ours}, {"id": 8, "email": ours}])), Found::Several),
        (with_lead(json!([]), json!([])), Found::Nobody),
        (with_lead(json!([{"id": 5, "email": ours}]), json!([])), Found::Lead(5)),
        (with_lead(json!([]), json!([{"id": 7, "email": ours}])), Found::One(7)),
        (with_lead(json!([{"id": 5, "email": ours}]), json!([{"id": 7, "email": ours}])), Found::Several),
        (with_lead(json!([{"id": 5, "email": "jo@example.com"}]), json!([])), Found::Unclear),
        ("[]".to_owned(), Found::Unclear),
        ("{\"contacts\":{\"cont".to_owned(), Found::Unclear),
    ];
    for (body, found) in table {
        assert_eq!(look_up(answer("200 OK", "", &body)).await.0.found, found, "{body}");
    }
}

#[tokio::test]
async fn without_an_answer_nobody_is_found_and_nobody_is_missing() {
    type Check = fn(&Verdict) -> bool;
    let table: [(&str, &str, Found, Check); 7] = [
        ("429 Too Many Requests", "", Found::NoAnswer, |verdict| {
            matches!(verdict, Verdict::Throttled { .. })
        }),
        ("401 Unauthorized", "", Found::NoAnswer, |verdict| matches!(verdict, Verdict::Blocked { .. })),
        ("404 Not Found", "", Found::NoAnswer, |verdict| matches!(verdict, Verdict::Blocked { .. })),
        ("503 Service Unavailable", "", Found::NoAnswer, |verdict| {
            matches!(verdict, Verdict::Passing { .. })
        }),
        ("200 OK", "<html>log in</html>", Found::NoAnswer, |verdict| {
            matches!(verdict, Verdict::Passing { .. })
        }),
        // Who may write contacts and not search for them hears no more by asking again.
        ("403 Forbidden", "", Found::Unclear, |verdict| matches!(verdict, Verdict::Blocked { .. })),
        ("400 Bad Request", "{}", Found::Unclear, |verdict| matches!(verdict, Verdict::Refused { .. })),
    ];
    for (status, body, found, means) in table {
        let (result, _) = look_up(answer(status, "", body)).await;
        assert_eq!(result.found, found, "{status}");
        assert!(means(&result.call.verdict), "{status}: {:?}", result.call.verdict);
        let error = format!("{:?}", (result.call.error, result.call.verdict));
        assert!(!error.contains("jo"), "{error}");
    }
    let broken = b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{\"contacts\":{\"contacts\":[]}}".to_vec();
    assert_eq!(look_up(broken).await.0.found, Found::NoAnswer, "half an answer finds nobody");
}

#[tokio::test]
async fn an_endless_answer_is_read_to_a_limit() {
    let body = format!("{{\"contacts\":{{\"contacts\":[{}", "[],".repeat(1024 * 1024));
    assert_eq!(look_up(answer("200 OK", "", &body)).await.0.found, Found::Unclear);
}
