//! `freshsignal check --live --sample`: contacts of a running service beside what Freshsales has of them now.
//!
//! The service asks, because the allowance is its own. Must not change anything.

use std::time::Duration;

use anyhow::anyhow;
use reqwest::{Client, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::health::{on_this_machine, token_of};
use super::{Failure, Outcome, complain, runtime, say};
use crate::config::Config;
use crate::freshsales::{Timeouts, http_client};

const TIMEOUTS: Timeouts = Timeouts { connect: Duration::from_secs(3), attempt: Duration::from_mins(6) };

/// The private listener of the running service.
struct Service {
    client: Client,
    origin: String,
    token: Option<SecretString>,
}

/// How many contacts stand how.
#[derive(Default)]
struct Tally {
    same: u64,
    drifted: u64,
    merged: u64,
    gone: u64,
    unclear: u64,
    calls: u64,
}

/// Compares so many contacts, a line for each that does not stand as wanted.
pub(super) fn run(config: &Config, contacts: u64) -> Outcome {
    let address =
        config.admin.address().ok_or_else(|| Failure::Usage(anyhow!("admin.listen is no address")))?;
    let service = Service {
        client: http_client(TIMEOUTS).map_err(Failure::running)?,
        origin: format!("http://{}", on_this_machine(address)),
        token: token_of(config)?,
    };
    runtime()?.block_on(async {
        let sample = service.get("/api/crm/sample", &[("limit", &contacts.to_string())]).await?;
        let emails: Vec<&str> = sample
            .get("emails")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        complain(&format!(
            "comparing {} contacts with Freshsales: as many calls of the allowance of the running service",
            emails.len()
        ));
        let mut tally = Tally::default();
        for email in emails {
            let answer = service.get("/api/crm/contacts", &[("email", email)]).await?;
            if !tally.count(email, &answer)? {
                break;
            }
        }
        tally.say()
    })
}

impl Service {
    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Failure> {
        let url =
            Url::parse_with_params(&format!("{}{path}", self.origin), query).map_err(Failure::running)?;
        let mut request = self.client.get(url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose_secret());
        }
        // An error may name the address, which holds that of a person.
        let answer = request.send().await.map_err(|error| {
            let why = error.without_url();
            Failure::Running(anyhow!("no running service answers on {}: {why}", self.origin))
        })?;
        let status = answer.status();
        let body: Value = answer.json().await.unwrap_or_default();
        if !status.is_success() {
            let why = body.get("message").and_then(Value::as_str).unwrap_or("without a reason");
            return Err(Failure::Running(anyhow!("the service refused ({status}): {why}")));
        }
        Ok(body)
    }
}

impl Tally {
    /// Counts one contact and says how it stands; tells whether the next is worth asking.
    fn count(&mut self, email: &str, answer: &Value) -> Result<bool, Failure> {
        let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default();
        let calls = answer.get("calls").and_then(Value::as_u64).unwrap_or(0);
        self.calls += calls;
        match text("in_freshsales") {
            "nobody" => {
                self.gone += 1;
                say(&format!("gone: {email}"))?;
            }
            "one" | "several" if answer.get("other_id").is_some_and(|id| !id.is_null()) => {
                self.merged += 1;
                say(&format!("merged, or made anew: {email}"))?;
            }
            "one" | "several" => match drift(answer).as_slice() {
                [] => self.same += 1,
                names => {
                    self.drifted += 1;
                    say(&format!("drift: {email}: {}", names.join(", ")))?;
                }
            },
            _ => {
                self.unclear += 1;
                say(&format!("not compared: {email}: {}", text("why")))?;
            }
        }
        Ok(calls > 0)
    }

    fn say(&self) -> Outcome {
        let Self { same, drifted, merged, gone, unclear, calls } = self;
        say(&format!(
            "sample: {same} as wanted, {drifted} drifted, {merged} merged or made anew, {gone} gone, {unclear} not compared; \
             calls used: {calls}"
        ))
    }
}

/// Attributes that are wanted, and that Freshsales has otherwise or not at all.
fn drift(answer: &Value) -> Vec<String> {
    let attributes = answer.get("attributes").and_then(Value::as_object).into_iter().flatten();
    let differs = |side: &Value| matches!(side.as_str(), Some("different" | "ours_alone"));
    attributes.filter(|(_, it)| it.get("side").is_some_and(differs)).map(|(name, _)| name.clone()).collect()
}
