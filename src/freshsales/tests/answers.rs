//! The table of answers: what each status, header and body means.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::clock::UnixMicros;
use crate::delivery::{RetryAfter, Verdict};
use crate::freshsales::{REASON_CHARS_MAX, verdict};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
    sent: Map<String, Value>,
    verdict: Value,
}

/// A quarter of a second into a minute, as real clocks are.
fn now() -> UnixMicros {
    UnixMicros::parse("2026-03-03T12:00:00.250Z").unwrap()
}

fn judge(case: &Case) -> Verdict {
    let header = |name: &str| case.headers.get(name).map(String::as_str);
    verdict(
        case.status,
        header("retry-after"),
        header("content-type"),
        case.body.as_bytes(),
        &case.sent,
        now(),
    )
}

fn as_json(verdict: &Verdict) -> Value {
    match verdict {
        Verdict::Stored(stored) => json!({"stored": {
            "contact_id": stored.contact_id,
            "created": stored.created,
            "contact": stored.contact.is_some(),
        }}),
        Verdict::Refused { reason, attribute, demanded, again } => json!({"refused": {
            "reason": reason, "attribute": attribute, "demanded": demanded, "again": again,
        }}),
        Verdict::Throttled { retry_after, reason } => {
            let wait = match retry_after {
                RetryAfter::For(wait) => format!("{} s", wait.as_secs_f64()),
                RetryAfter::Until(moment) => format!("until {}", moment.to_rfc3339()),
                RetryAfter::Absent => "absent".to_owned(),
                RetryAfter::Absurd => "absurd".to_owned(),
            };
            json!({"throttled": {"retry_after": wait, "reason": reason}})
        }
        Verdict::Passing { reason } => json!({"passing": {"reason": reason}}),
        Verdict::Blocked { cause, reason } => json!({"blocked": {"cause": cause, "reason": reason}}),
    }
}

#[test]
fn every_answer_means_what_the_table_says() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../../../tests/fixtures/crm_answers.json")).unwrap();
    assert!(cases.len() >= 40, "{}", cases.len());
    for case in cases {
        assert_eq!(as_json(&judge(&case)), case.verdict, "{}", case.name);
    }
}

#[test]
fn the_stored_contact_is_kept_as_it_came() {
    let body = br#"{"contact":{"id":5000000000,"city":"Oslo","mobile_number":null}}"#;
    let Verdict::Stored(stored) = verdict(200, None, None, body, &Map::new(), now()) else {
        panic!("not stored");
    };
    assert_eq!(stored.contact_id, Some(5_000_000_000));
    assert_eq!(
        Value::from(stored.contact),
        json!({"id": 5_000_000_000_u64, "city": "Oslo", "mobile_number": null})
    );
}

#[test]
fn every_status_has_a_verdict_whatever_the_body() {
    let bodies: [&[u8]; 6] = [b"", b"\xff\xfe\x00", b"{", b"<", b"null", b"\"\""];
    for status in 0..=1000 {
        for body in bodies {
            let verdict = verdict(status, Some("\u{fffd}"), None, body, &Map::new(), now());
            let is_success = (200..=299).contains(&status);
            assert_eq!(
                matches!(verdict, Verdict::Stored(_)),
                is_success && body != b"<",
                "{status} {body:?}"
            );
        }
    }
}

#[test]
fn a_body_nested_beyond_measure_is_a_refusal_with_its_beginning_as_reason() {
    let body = "[".repeat(60_000);
    let Verdict::Refused { reason, .. } = verdict(400, None, None, body.as_bytes(), &Map::new(), now())
    else {
        panic!("not refused");
    };
    assert_eq!(reason.chars().count(), REASON_CHARS_MAX);
}

#[test]
fn what_blocks_or_passes_is_said_without_the_words_of_the_crm() {
    let body = br#"{"message":"sam.lee@example.com may not"}"#;
    for status in [301, 401, 403, 404, 408, 500, 503] {
        match verdict(status, None, None, body, &Map::new(), now()) {
            Verdict::Passing { reason } | Verdict::Blocked { reason, .. } => {
                assert!(!reason.contains("sam.lee"), "{status}");
            }
            other @ (Verdict::Stored(_) | Verdict::Refused { .. } | Verdict::Throttled { .. }) => {
                panic!("{status}: {other:?}")
            }
        }
    }
}
