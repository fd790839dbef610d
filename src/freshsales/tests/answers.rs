//! The table of answers: what each status, header and body means.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::clock::UnixMicros;
use crate::delivery::{Request, RetryAfter, Verdict};
use crate::freshsales::{REASON_CHARS_MAX, verdict};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
    sent: Map<String, Value>,
    #[serde(default)]
    call: Call,
    verdict: Value,
}

/// Which call was answered; contacts where a case names none.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Call {
    #[default]
    UpsertContact,
    CreateLead,
    UpdateLead,
    ShowContact,
    UpsertCompany,
    FindCompany,
    CreateDeal,
    UpdateDeal,
    ShowDeal,
    FindDeal,
    Selector,
    Probe,
    Forget,
}

impl Call {
    fn to(self, sent: &Map<String, Value>) -> Request {
        let id = 7;
        match self {
            Self::UpsertContact => {
                Request::UpsertContact { body: json!({ "contact": sent }), shows_companies: false }
            }
            Self::CreateLead => Request::CreateLead { body: json!({ "lead": sent }) },
            Self::UpdateLead => Request::UpdateLead { id, body: json!({ "lead": sent }) },
            Self::ShowContact => Request::ShowContact { id },
            Self::UpsertCompany => Request::UpsertCompany { body: json!({ "sales_account": sent }) },
            Self::FindCompany => Request::FindCompany { website: "acme.example".to_owned() },
            Self::CreateDeal => Request::CreateDeal { body: json!({ "deal": sent }) },
            Self::UpdateDeal => Request::UpdateDeal { id, body: json!({ "deal": sent }) },
            Self::ShowDeal => Request::ShowDeal { id },
            Self::FindDeal => {
                Request::FindDeal { field: "cf_order_id".to_owned(), value: "A-1001".to_owned() }
            }
            Self::Selector => Request::Selector("owners"),
            Self::Probe => Request::Probe,
            Self::Forget => Request::Forget { id },
        }
    }
}

const ALL: [Call; 13] = [
    Call::UpsertContact,
    Call::CreateLead,
    Call::UpdateLead,
    Call::ShowContact,
    Call::UpsertCompany,
    Call::FindCompany,
    Call::CreateDeal,
    Call::UpdateDeal,
    Call::ShowDeal,
    Call::FindDeal,
    Call::Selector,
    Call::Probe,
    Call::Forget,
];

fn upsert() -> Request {
    Call::UpsertContact.to(&Map::new())
}

/// A quarter of a second into a minute, as real clocks are.
fn now() -> UnixMicros {
    UnixMicros::parse("2026-03-03T12:00:00.250Z").unwrap()
}

fn judge(case: &Case) -> Verdict {
    let header = |name: &str| case.headers.get(name).map(String::as_str);
    let call = case.call.to(&case.sent);
    let (retry_after, content_type) = (header("retry-after"), header("content-type"));
    verdict(&call, case.status, retry_after, content_type, case.body.as_bytes(), now())
}

fn as_json(verdict: &Verdict) -> Value {
    match verdict {
        Verdict::Stored(stored) => json!({"stored": {
            "contact_id": stored.id,
            "created": stored.created,
            "contact": stored.shown.is_some(),
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
        Verdict::Gone { reason } => json!({"gone": {"reason": reason}}),
        Verdict::Shut { reason } => json!({"shut": {"reason": reason}}),
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
    let Verdict::Stored(stored) = verdict(&upsert(), 200, None, None, body, now()) else {
        panic!("not stored");
    };
    assert_eq!(stored.id, Some(5_000_000_000));
    assert_eq!(
        Value::from(stored.shown),
        json!({"id": 5_000_000_000_u64, "city": "Oslo", "mobile_number": null})
    );
}

#[test]
fn every_status_has_a_verdict_whatever_the_body() {
    let bodies: [&[u8]; 6] = [b"", b"\xff\xfe\x00", b"{", b"<", b"null", b"\"\""];
    for status in 0..=1000 {
        for body in bodies {
            for call in ALL {
                let call = call.to(&Map::new());
                let verdict = verdict(&call, status, Some("\u{fffd}"), None, body, now());
                let is_success = (200..=299).contains(&status);
                let is_known = call == Request::Probe && status == 403;
                assert_eq!(
                    matches!(verdict, Verdict::Stored(_)),
                    is_known || (is_success && body != b"<"),
                    "{call:?} {status} {body:?}"
                );
            }
        }
    }
}

#[test]
fn a_body_nested_beyond_measure_is_a_refusal_with_its_beginning_as_reason() {
    let body = "[".repeat(60_000);
    let Verdict::Refused { reason, .. } = verdict(&upsert(), 400, None, None, body.as_bytes(), now()) else {
        panic!("not refused");
    };
    assert_eq!(reason.chars().count(), REASON_CHARS_MAX);
}

#[test]
fn what_blocks_or_passes_is_said_without_the_words_of_the_crm() {
    let body = br#"{"message":"sam.lee@example.com may not"}"#;
    for status in [301, 401, 403, 404, 408, 500, 503] {
        for call in ALL.map(|call| call.to(&Map::new())).into_iter().filter(|call| *call != Request::Probe) {
            match verdict(&call, status, None, None, body, now()) {
                Verdict::Passing { reason }
                | Verdict::Blocked { reason, .. }
                | Verdict::Gone { reason }
                | Verdict::Shut { reason } => assert!(!reason.contains("sam.lee"), "{call:?} {status}"),
                other @ (Verdict::Stored(_) | Verdict::Refused { .. } | Verdict::Throttled { .. }) => {
                    panic!("{call:?} {status}: {other:?}")
                }
            }
        }
    }
}
