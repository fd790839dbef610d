//! The control routes, what is recorded, and waiting for it.

use super::*;

#[tokio::test]
async fn contacts_are_listed_oldest_first() {
    let account = account();
    assert_eq!(account.get("/sandbox/contacts").await.body, r#"{"contacts":[]}"#);
    account.post(UPSERT, named("b@example.com")).await;
    account.post(UPSERT, named("a@example.com")).await;
    let listed = account.get("/sandbox/contacts").await.json();
    assert_eq!(listed, json!({"contacts": account.sandbox.contacts()}));
    assert_eq!(listed["contacts"][0]["emails"], "b@example.com");
}

#[tokio::test]
async fn calls_are_recorded_as_received_but_without_the_key() {
    let account = account();
    account.post(UPSERT, r#"{ "n": 1.50 }"#).await;
    account.advance(1);
    account.get("/crm/sales/api/lookup?q=x").await;
    let listed = account.get("/sandbox/requests").await;
    assert_eq!(listed.header("content-type"), Some("application/json"));
    assert_eq!(
        listed.body,
        concat!(
            r#"{"requests":[{"method":"POST","path":"/crm/sales/api/contacts/upsert","#,
            r#""headers":{"authorization":"Token token=***","content-type":"application/json","host":"127.0.0.1:9090"},"#,
            r#""body":{ "n": 1.50 },"status":400,"at":"2026-03-01T12:00:00.000Z"},"#,
            r#"{"method":"GET","path":"/crm/sales/api/lookup?q=x","#,
            r#""headers":{"authorization":"Token token=***","content-type":"application/json","host":"127.0.0.1:9090"},"#,
            r#""body":null,"status":400,"at":"2026-03-01T12:00:01.000Z"}]}"#
        )
    );
}

#[tokio::test]
async fn refused_and_throttled_calls_are_recorded_too() {
    let account = account_with(SandboxOptions { per_hour: Some(1), ..SandboxOptions::default() });
    let mut foreign = request("GET", OWNERS, "not json");
    foreign.headers_mut().insert("authorization", "Bearer secret".parse().unwrap());
    account.send(foreign).await;
    account.get(OWNERS).await;
    account.get(OWNERS).await;
    let requests = account.sandbox.requests();
    assert_eq!(
        requests.iter().map(|request| request.status).collect::<Vec<_>>(),
        [Some(401), Some(200), Some(429)]
    );
    assert_eq!(requests[0].headers["authorization"], "Bearer ***");
    assert_eq!(serde_json::to_value(&requests[0]).unwrap()["body"], "not json");
    assert_eq!(requests[0].json(), Value::Null);
}

#[tokio::test]
async fn the_newest_ten_thousand_calls_are_kept() {
    let account = account();
    for n in 0..10_001 {
        let body = format!("{n}");
        account.sandbox.router().oneshot(request("POST", UPSERT, body)).await.unwrap();
    }
    let requests = account.sandbox.requests();
    assert_eq!(requests.len(), 10_000);
    assert_eq!((requests[0].json(), requests[9_999].json()), (json!(1), json!(10_000)));
}

#[tokio::test]
async fn old_calls_make_room_for_large_bodies() {
    let account = account();
    let body = bytes::Bytes::from(vec![b' '; 1_048_576]);
    for _ in 0..70 {
        account.post(UPSERT, body.clone()).await;
    }
    assert_eq!(account.sandbox.requests().len(), 64);
}

#[tokio::test]
async fn control_routes_are_not_recorded() {
    let account = account();
    account.get("/sandbox/contacts").await;
    account.get("/sandbox/requests").await;
    assert!(account.sandbox.requests().is_empty());
}

#[tokio::test]
async fn faults_alone_can_be_cleared() {
    let account = account();
    account.post(UPSERT, SAM).await;
    account.order(json!({"status": 500, "times": 100}));
    assert_eq!(account.send(request("DELETE", "/sandbox/faults", "")).await.status, 204);
    assert_eq!(account.post(UPSERT, SAM).await.status, 200);
    assert_eq!((account.sandbox.contacts().len(), account.sandbox.requests().len()), (1, 2));
}

#[tokio::test]
async fn clearing_forgets_everything_but_the_ids_given() {
    let account = account_with(SandboxOptions { per_hour: Some(2), ..SandboxOptions::default() });
    account.post(UPSERT, SAM).await;
    account.post(BULK, json!({"contacts": [{"emails": "a@example.com", "data": {}}]}).to_string()).await;
    account.order(json!({"status": 500, "times": 100}));
    let seen = account.send(request("DELETE", "/sandbox", "")).await;
    assert_eq!((seen.status.as_u16(), seen.body.as_str()), (204, ""));
    assert!(account.sandbox.contacts().is_empty());
    assert!(account.sandbox.requests().is_empty());
    assert_eq!(account.get("/crm/sales/api/job_statuses/70000031001").await.status, 404);
    assert_eq!(account.post(UPSERT, SAM).await.status, 201);
    assert_eq!(account.stored().unwrap()["id"], 70_054_866_613_u64);
}

#[tokio::test]
async fn a_test_can_wait_for_calls_and_contacts() {
    let account = account();
    account.sandbox.until(|view| view.requests().len() == 0).await;
    let waiting = account.sandbox.until(|view| {
        let kim = view.contact("kim@example.com").is_some_and(|kim| kim["last_name"] == "Lee");
        kim && view.requests().len() == 2 && view.contacts().len() == 2
    });
    let calls = async {
        account.post(UPSERT, SAM).await;
        tokio::task::yield_now().await;
        account.post(UPSERT, named("kim@example.com")).await;
    };
    tokio::join!(waiting, calls);
}
