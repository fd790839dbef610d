//! Bulk upserts and their jobs.

use super::*;

fn contacts(count: usize) -> String {
    let items: Vec<_> = (0..count)
        .map(|n| json!({"emails": format!("p{n}@example.com"), "data": {"last_name": format!("P{n}")}}))
        .collect();
    json!({ "contacts": items }).to_string()
}

#[tokio::test]
async fn a_bulk_call_is_reported_on_by_a_job() {
    let account = account();
    let items = json!({"contacts": [
        {"emails": "a@example.com", "data": {"last_name": "A"}},
        {"emails": "b@example.com", "data": {"city": "Bonn"}},
        {"emails": "c@example.com", "data": {"last_name": "C", "shoe_size": 43}},
        {"emails": "d@example.com"},
        {"data": {"last_name": "E"}},
    ]});
    let seen = account.post(BULK, items.to_string()).await;
    assert_eq!(seen.status, 200);
    let url = "http://127.0.0.1:9090/crm/sales/api/job_statuses/70000031001";
    assert_eq!(seen.body, format!(r#"{{"job_status_url":"{url}"}}"#));

    let path = url.trim_start_matches("http://127.0.0.1:9090");
    assert_eq!(account.get(path).await.body, r#"{"id":"70000031001","status":"IN_PROGRESS"}"#);
    account.advance(3);
    let done = account.get(path).await.json();
    assert_eq!(done["status"], "SUCCESS");
    let refused = |email: Value, code: u16, message: &str| json!({"emails": email, "errors": {"code": code, "message": [message]}});
    let report = json!({"record_status": {"succeeded": 1, "failed": 4}, "detailed_failure_report": [
        refused(json!("b@example.com"), 422, "First name or last name is mandatory."),
        refused(json!("c@example.com"), 400, "shoe_size is not an attribute of a contact"),
        refused(json!("d@example.com"), 400, "data should be an object"),
        refused(json!(null), 400, "emails is invalid"),
    ]});
    assert_eq!(done["data"].as_str().unwrap(), report.to_string());
    assert_eq!(account.get(path).await.json(), done);
    assert_eq!(account.sandbox.contacts().len(), 1);
}

#[tokio::test]
async fn a_bulk_call_carries_a_hundred_contacts_and_no_more() {
    let account = account();
    assert_eq!(account.post(BULK, contacts(100)).await.status, 200);
    assert!(account.post(BULK, contacts(101)).await.is_error(400, "contacts should be 100 at most"));
    assert!(account.post(BULK, contacts(0)).await.is_error(400, "contacts should not be empty"));
    assert!(account.post(BULK, "{}").await.is_error(400, "contacts should be a list"));
    assert_eq!(account.sandbox.contacts().len(), 100);
}

#[tokio::test]
async fn a_bulk_call_takes_one_call_of_the_allowance_and_each_poll_another() {
    let account = account_with(SandboxOptions { per_hour: Some(2), ..SandboxOptions::default() });
    account.post(BULK, contacts(100)).await;
    let path = "/crm/sales/api/job_statuses/70000031001";
    assert_eq!(account.get(path).await.status, 200);
    assert_eq!(account.get(path).await.status, 429);
}

#[tokio::test]
async fn how_long_a_job_takes_is_an_option() {
    let takes = Duration::from_mins(1);
    let account = account_with(SandboxOptions { bulk_job_takes: takes, ..SandboxOptions::default() });
    account.post(BULK, contacts(1)).await;
    let path = "/crm/sales/api/job_statuses/70000031001";
    for (seconds, status) in [(59, "IN_PROGRESS"), (1, "SUCCESS")] {
        account.advance(seconds);
        assert_eq!(account.get(path).await.json()["status"], status);
    }
}

#[tokio::test]
async fn an_unknown_job_is_a_404() {
    for job in ["70000031001", "x"] {
        let seen = account().get(&format!("/crm/sales/api/job_statuses/{job}")).await;
        assert!(seen.is_error(404, "There is nothing here."));
    }
}
