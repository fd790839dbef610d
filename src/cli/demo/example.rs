//! The example that the demo sends by itself: a lead becomes a contact, an order a deal; printed is what Freshsales got and
//! answered, and how many calls that took.
//!
//! Must not know how the service is run: it sends events and asks the private listener.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, anyhow};
use serde_json::{Value, json};

use super::super::say;
use super::{DELIVERED_WITHIN, WRITE_KEY, reqwest_client};
use crate::clock::Clock;

const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Sends the example and prints what Freshsales got and answered.
pub(super) async fn show(public: SocketAddr, private: SocketAddr, clock: &dyn Clock) -> anyhow::Result<()> {
    let example = Example { client: reqwest_client()?, public, private, clock };
    let identify = json!({"type": "identify", "userId": "user-456", "messageId": "demo-identify",
        "context": {"consent": {"categoryPreferences": {"marketing": true}}},
        "traits": {"email": "sam.lee@example.com", "first_name": "Sam", "last_name": "Lee",
            "phone": "+1 (415) 555-0142", "company": "Globex"}});
    let lead = json!({"type": "track", "event": "Lead Generated", "userId": "user-456", "messageId": "demo-lead",
        "properties": {"value": 0}});
    example.send(&identify).await?;
    example.send(&lead).await?;
    let contact = example.delivered("the contact", "/api/events/demo-lead", "/delivery_id").await?;
    print_call(&contact)?;
    let order = json!({"type": "track", "event": "Order Completed", "userId": "user-456", "messageId": "demo-order",
        "properties": {"order_id": "A-1000", "total": "96.00", "currency": "EUR"}});
    example.send(&order).await?;
    let deal = example.delivered("the deal", "/api/deals/order/A-1000", "/history/0/id").await?;
    print_call(&deal)?;
    let used = example.get("/api/status").await?.pointer("/allowance/hour/used").cloned().unwrap_or_default();
    print(&format!(
        "calls     {used}: one for the contact, one for the deal, the others for names of the account, which are asked for once a day"
    ))
}

struct Example<'a> {
    client: reqwest::Client,
    public: SocketAddr,
    private: SocketAddr,
    clock: &'a dyn Clock,
}

impl Example<'_> {
    async fn send(&self, event: &Value) -> anyhow::Result<()> {
        let request = self.client.post(format!("http://{}/ingest", self.public));
        let sent = request.basic_auth(WRITE_KEY, Some("")).json(event).send().await?;
        anyhow::ensure!(sent.status().is_success(), "the event was not accepted: {}", sent.status());
        print(&format!("event     {event}"))
    }

    /// Waits until a delivery has ended whose id stands in a document; an end other than `delivered` is a failure.
    async fn delivered(&self, what: &str, document: &str, id: &str) -> anyhow::Result<Value> {
        let deadline = self.clock.monotonic() + DELIVERED_WITHIN;
        while self.clock.monotonic() < deadline {
            let found = self.get(document).await?;
            if let Some(id) = found.pointer(id).and_then(Value::as_str) {
                let delivery = self.get(&format!("/api/deliveries/{id}")).await?;
                match delivery.pointer("/state").and_then(Value::as_str) {
                    Some("delivered") => return Ok(delivery),
                    Some("dead" | "superseded" | "discarded" | "erased") => {
                        return Err(anyhow!("{what} was not delivered: {delivery}"));
                    }
                    Some(_) | None => {}
                }
            }
            self.clock.sleep_until(self.clock.monotonic() + LOOK_EVERY).await;
        }
        Err(anyhow!("{what} was not delivered within {} seconds", DELIVERED_WITHIN.as_secs()))
    }

    /// A document of the private listener; nothing while it does not exist yet.
    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let answer = self.client.get(format!("http://{}{path}", self.private)).send().await?;
        if answer.status() == reqwest::StatusCode::NOT_FOUND {
            return Ok(Value::Null);
        }
        Ok(answer.error_for_status()?.json().await?)
    }
}

/// The last call of a delivery, and its answer.
fn print_call(delivery: &Value) -> anyhow::Result<()> {
    let attempts = delivery["attempts"].as_array();
    let attempt = attempts.and_then(|attempts| attempts.last()).context("the delivery shows no attempt")?;
    let field = |path: &str| attempt.pointer(path).cloned().unwrap_or_default();
    let text = |path: &str| field(path).as_str().map(str::to_owned).unwrap_or_default();
    print(&format!("call      {} {}", text("/request/method"), text("/request/url")))?;
    print(&format!("payload   {}", field("/request/body")))?;
    print(&format!("answer    {} {}", field("/response/status"), text("/response/body")))
}

fn print(line: &str) -> anyhow::Result<()> {
    say(line).map_err(|_| anyhow!("standard output is closed"))
}
