//! Bulk upserts: exact bytes out, and what answers and reports mean.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::ask::exchange;
use super::client::{KEY, answer};
use crate::clock::UnixMicros;
use crate::contact::{Attributes, bulk_body, upsert_body};
use crate::delivery::{JobId, Verdict};
use crate::event::Email;
use crate::freshsales::{Crm, JobAnswer, JobState, RowEnd, job_of, job_state};

const BODY: &str = r#"{"contacts":[{"emails":"a@example.com","data":{"first_name":"Ann","last_name":"Bo","custom_field":{"cf_plan":"free"},"subscription_status":"subscribed"}},{"emails":"b@example.com","data":{"city":"Oslo"}}]}"#;

fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

fn body() -> Value {
    let attributes = |pairs: &[(&str, Value)]| -> Attributes {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    };
    let first = attributes(&[
        ("subscription_status", json!("subscribed")),
        ("last_name", json!("Bo")),
        ("custom_field.cf_plan", json!("free")),
        ("first_name", json!("Ann")),
    ]);
    let second = attributes(&[("city", json!("Oslo"))]);
    bulk_body(&[upsert_body(&email("a@example.com"), &first), upsert_body(&email("b@example.com"), &second)])
}

#[tokio::test]
async fn a_bulk_call_has_exactly_these_bytes_and_names_its_job() {
    let taken = r#"{"job_status_url":"https://evil.example.com/crm/sales/api/job_statuses/70000031001?x=1"}"#;
    let (result, request) =
        exchange(answer("200 OK", "", taken), async |client| client.bulk_upsert(body()).await).await;
    assert!(request.starts_with("POST /crm/sales/api/contacts/bulk_upsert HTTP/1.1\r\n"), "{request}");
    assert!(request.ends_with(&format!("\r\n\r\n{BODY}")), "{request}");
    assert!(matches!(result.call.verdict, Verdict::Stored(_)));
    assert_eq!(result.job.unwrap().as_str(), "70000031001");
}

#[tokio::test]
async fn a_question_for_a_job_goes_to_our_own_origin() {
    let running = answer("200 OK", "", r#"{"id":"7","status":"IN_PROGRESS"}"#);
    let id = JobId::parse("7").unwrap();
    let (result, request) = exchange(running, async |client| client.job(id).await).await;
    assert!(request.starts_with("GET /crm/sales/api/job_statuses/7 HTTP/1.1\r\n"), "{request}");
    assert_eq!(result.state, JobState::Running);
}

#[tokio::test]
async fn what_a_bulk_call_may_be_answered() {
    type Check = fn(&Verdict) -> bool;
    let table: [(&str, &str, Check); 6] = [
        ("200 OK", "{}", |verdict| matches!(verdict, Verdict::Passing { .. })),
        ("200 OK", "<html>", |verdict| matches!(verdict, Verdict::Passing { .. })),
        ("405 Method Not Allowed", "", |verdict| matches!(verdict, Verdict::Throttled { .. })),
        ("429 Too Many Requests", "", |verdict| matches!(verdict, Verdict::Throttled { .. })),
        ("400 Bad Request", r#"{"message":"no"}"#, |verdict| matches!(verdict, Verdict::Refused { .. })),
        ("502 Bad Gateway", "", |verdict| matches!(verdict, Verdict::Passing { .. })),
    ];
    for (status, body_of_answer, means) in table {
        let (result, _) =
            exchange(answer(status, "", body_of_answer), async |client| client.bulk_upsert(body()).await)
                .await;
        assert!(means(&result.call.verdict), "{status}: {:?}", result.call.verdict);
        assert_eq!(result.job, None, "{status}");
    }
}

#[test]
fn of_a_job_s_address_only_an_id_counts() {
    let job = |url: &str| job_of(json!({"job_status_url": url}).to_string().as_bytes());
    for (url, id) in [
        ("https://acme.myfreshworks.com/crm/sales/api/job_statuses/123", "123"),
        ("http://127.0.0.1:1/job_statuses/ab-CD_9/", "ab-CD_9"),
        ("55#top", "55"),
    ] {
        assert_eq!(job(url).unwrap().as_str(), id, "{url}");
    }
    let long = "9".repeat(65);
    for url in ["", "/", "a/..", "a/%2e%2e", "a/b c", "a/1\u{e9}", &long] {
        assert_eq!(job(url), None, "{url}");
    }
    assert_eq!(job_of(b"[]"), None);
    assert_eq!(job_of(b"{\"job_status_url\":7}"), None);
}

#[test]
fn where_a_job_stands() {
    let running = [
        (200, "{}"),
        (200, r#"{"status":"QUEUED"}"#),
        (200, r#"{"status":"FAILED"}"#),
        (200, "?"),
        (500, ""),
    ];
    for (status, body) in running {
        assert_eq!(job_state(status, body.as_bytes()), JobState::Running, "{status} {body}");
    }
    assert_eq!(job_state(404, b""), JobState::Gone);
    assert_eq!(job_state(410, br#"{"status":"SUCCESS"}"#), JobState::Gone);
    assert!(matches!(job_state(200, br#"{"status":"success","data":"{}"}"#), JobState::Done(_)));
}

#[test]
fn an_answer_of_a_job_is_shown_as_it_came_less_what_it_says_of_others() {
    let own = r#"{"emails":"b@example.com","message":"no"}"#;
    let other = r#"{"row":{"emails":["a@example.com"]},"message":"Ann is known"}"#;
    let as_json = |failures: &str| {
        format!(
            r#"{{"id":"7", "status":"SUCCESS","data":{{"record_status":{{"succeeded":1,"failed":2}},"detailed_failure_report":[{failures}]}},"extra":1}}"#
        )
    };
    let as_text = |failures: &str| {
        let data = format!(r#"{{"detailed_failure_report":[{failures}],"record_status":{{"succeeded":1}}}}"#);
        json!({"status": "SUCCESS", "data": data}).to_string()
    };
    let less = |text: String| serde_json::from_str::<Value>(&text).unwrap().to_string();
    for (came, shown) in [
        (as_json(""), as_json("")),
        (as_json(own), as_json(own)),
        (as_json(&format!("{other},{own}")), less(as_json(own))),
        (as_json(other), less(as_json(""))),
        (as_text(&format!("{own},{other}")), as_text(own)),
        ("<html>gone</html>".to_owned(), "<html>gone</html>".to_owned()),
        (r#"{"status":"SUCCESS","data":"?"}"#.to_owned(), r#"{"status":"SUCCESS","data":"?"}"#.to_owned()),
    ] {
        let response = JobAnswer::new(203, came.clone()).about(&email("b@example.com"));
        assert_eq!((response.status, response.body), (203, shown), "{came}");
    }
}

#[tokio::test]
async fn an_answer_of_a_job_that_repeats_the_key_is_kept_without_it() {
    let echo = format!(r#"{{"status":"SUCCESS","data":{{"detailed_failure_report":["{KEY}"]}}}}"#);
    let id = JobId::parse("7").unwrap();
    let (result, _) = exchange(answer("200 OK", "", &echo), async |client| client.job(id).await).await;
    assert!(matches!(result.state, JobState::Done(_)));
    assert!(!format!("{result:?}").contains(KEY), "{result:?}");
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    data: Value,
    ends: Vec<String>,
}

fn in_words(end: &RowEnd) -> String {
    match end {
        RowEnd::Answered(Verdict::Stored(_)) => "stored".to_owned(),
        RowEnd::Answered(Verdict::Refused { reason, attribute: Some(name), .. }) => {
            format!("refused without {name}: {reason}")
        }
        RowEnd::Answered(Verdict::Refused { reason, .. }) => {
            format!("refused: {}", reason.split("; ").find(|words| !words.contains('@')).unwrap_or(reason))
        }
        RowEnd::Answered(Verdict::Throttled { .. }) => "throttled".to_owned(),
        RowEnd::Answered(verdict) => format!("{verdict:?}"),
        RowEnd::Unknown(_) => "unknown".to_owned(),
    }
}

#[test]
fn every_report_says_of_each_contact_what_became_of_it_or_that_nobody_knows() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../../../tests/fixtures/bulk_reports.json")).unwrap();
    assert!(cases.len() >= 15);
    let emails = ["a", "b", "c"].map(|name| email(&format!("{name}@example.com")));
    let sent: Map<String, Value> = json!({"mobile_number": "+14155550142"}).as_object().unwrap().clone();
    for Case { name, data, ends } in cases {
        let done = json!({"status": "SUCCESS", "data": data}).to_string();
        let JobState::Done(report) = job_state(200, done.as_bytes()) else { panic!("{name}") };
        let rows: Vec<_> = emails.iter().map(|email| (email, &sent)).collect();
        let found: Vec<String> = report.ends(&rows, 3, UnixMicros(0)).iter().map(in_words).collect();
        assert_eq!(found, ends, "{name}");
    }
}
