//! The rules of the sandbox, each as a test. Must not sleep and must not reach beyond loopback.

mod admission;
mod bulk;
mod control;
mod deals;
mod faults;
mod leads;
mod quirks;
mod reading;
mod records;
mod upsert;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{Fault, Sandbox, SandboxOptions};
use crate::clock::{ManualClock, UnixMicros};

const UPSERT: &str = "/crm/sales/api/contacts/upsert";
const BULK: &str = "/crm/sales/api/contacts/bulk_upsert";
const OWNERS: &str = "/crm/sales/api/selector/owners";
const SAM: &str = r#"{"unique_identifier":{"emails":"sam.lee@example.com"},"contact":{"emails":"sam.lee@example.com","first_name":"Sam","last_name":"Lee","mobile_number":"+14155550142","company_name":"Globex","subscription_status":"subscribed"}}"#;

/// A sandbox and the clock it runs on.
struct Account {
    sandbox: Sandbox,
    clock: ManualClock,
}

/// What a caller got.
#[derive(Debug)]
struct Seen {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Seen {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    fn is_error(&self, status: u16, message: &str) -> bool {
        self.status.as_u16() == status
            && self.json() == json!({"errors": {"code": status, "message": [message]}})
    }
}

fn account() -> Account {
    account_with(SandboxOptions::default())
}

fn account_with(options: SandboxOptions) -> Account {
    let clock = ManualClock::at(UnixMicros::parse("2026-03-01T12:00:00Z").unwrap());
    Account { sandbox: Sandbox::new(options, Arc::new(clock.clone())), clock }
}

/// A request as a good client makes it.
fn request(method: &str, path: &str, body: impl Into<Body>) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .header("host", "127.0.0.1:9090")
        .header("authorization", "Token token=sandbox-key")
        .header("content-type", "application/json")
        .body(body.into())
        .unwrap()
}

fn named(email: &str) -> String {
    json!({"unique_identifier": {"emails": email}, "contact": {"emails": email, "last_name": "Lee"}})
        .to_string()
}

impl Account {
    async fn send(&self, request: Request<Body>) -> Seen {
        let response = self.sandbox.router().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Seen { status: head.status, headers: head.headers, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    async fn get(&self, path: &str) -> Seen {
        self.send(request("GET", path, "")).await
    }

    async fn post(&self, path: &str, body: impl Into<Body>) -> Seen {
        self.send(request("POST", path, body)).await
    }

    async fn put(&self, path: &str, body: &Value) -> Seen {
        self.send(request("PUT", path, body.to_string())).await
    }

    /// A call below the root of the API that has to be answered with JSON.
    async fn api(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let seen = self.send(request(method, &format!("/crm/sales/api/{path}"), body)).await;
        (seen.status.as_u16(), seen.json())
    }

    /// Creates a record that has to be taken; answers with its id.
    async fn create(&self, path: &str, body: Value) -> u64 {
        let (status, answer) = self.api("POST", path, body).await;
        assert!(matches!(status, 200 | 201), "{status} {answer}");
        answer.as_object().unwrap().values().find_map(|record| record["id"].as_u64()).unwrap()
    }

    /// Upserts Sam Lee with these attributes and nothing else.
    async fn upsert(&self, contact: Value) -> Seen {
        let body = json!({"unique_identifier": {"emails": "sam.lee@example.com"}, "contact": contact});
        self.post(UPSERT, body.to_string()).await
    }

    fn order(&self, fault: Value) {
        self.sandbox.fault(Fault::from_json(fault).unwrap());
    }

    fn stored(&self) -> Option<Value> {
        self.sandbox.contact("sam.lee@example.com")
    }

    fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}
