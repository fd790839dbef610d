//! Sends the events of a file to a running service, in batches, for as long as it takes.
//!
//! Each row has an id of its own, so what was sent before counts once: a run that was stopped is begun again.

use std::time::Duration;

use anyhow::anyhow;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::super::{Failure, Outcome, complain, runtime, say};
use super::{Row, Table};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::freshsales::{Timeouts, http_client};
use crate::ingest::SourceConfig;

const EVENTS_AT_ONCE: usize = 500;
const BYTES_AT_ONCE: usize = 256 * 1024;
const TIMEOUTS: Timeouts = Timeouts { connect: Duration::from_secs(10), attempt: Duration::from_mins(1) };
/// A service that does not answer is asked so often, in a row.
const TRIES: u32 = 10;
const WAIT_FIRST: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_mins(5);

/// What came of all batches.
#[derive(Default)]
struct Sent {
    accepted: u64,
    rejected: u64,
    passed_over: u64,
}

pub(super) fn run(mut table: Table, url: &str, source: Option<&str>, config: &Config) -> Outcome {
    let key = key_of(source, config)?;
    let client = http_client(TIMEOUTS).map_err(Failure::running)?;
    let sender = Sender {
        client,
        url: format!("{}/v1/import", url.trim_end_matches('/')),
        authorization: format!("Basic {}", STANDARD.encode(format!("{}:", key.expose_secret()))),
        clock: SystemClock::default(),
    };
    let runtime = runtime()?;
    let mut sent = Sent::default();
    loop {
        let (batch, line) = next_batch(&mut table, &mut sent)?;
        let Some(line) = line else { break };
        runtime.block_on(sender.send(&batch, &mut sent))?;
        complain(&format!("line {line}: {} accepted, {} rejected", sent.accepted, sent.rejected));
    }
    let Sent { accepted, rejected, passed_over } = sent;
    say(&format!("{accepted} accepted, {rejected} rejected, {passed_over} rows made no event"))?;
    if rejected + passed_over > 0 {
        return Err(Failure::Running(anyhow!("not every row was taken: run it without --send to see why")));
    }
    Ok(())
}

/// The sources that may be meant: those with a write key, and of this name where one is said.
pub(super) fn meant<'a>(
    source: Option<&'a str>,
    config: &'a Config,
) -> impl Iterator<Item = (&'a String, &'a SourceConfig)> {
    let with_key = config.sources.iter().filter(|(_, it)| it.enabled && it.keys().next().is_some());
    with_key.filter(move |(name, _)| source.is_none_or(|source| source == *name))
}

/// The write key of the source that is meant.
fn key_of(source: Option<&str>, config: &Config) -> Result<SecretString, Failure> {
    let mut found: Vec<_> = meant(source, config).collect();
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    if found.len() > 1 {
        return Err(Failure::Usage(anyhow!(
            "several sources have a write key: choose one with --source of {}",
            names.join(", ")
        )));
    }
    let key = found.pop().and_then(|(_, source)| source.keys().next().cloned());
    key.ok_or_else(|| {
        let name = source.unwrap_or("NAME");
        Failure::Usage(anyhow!(
            "no write key to send with: sources.{name}.write_key is not set, or the source is off"
        ))
    })
}

/// The next events, and the line of the last; no line at the end of the file.
fn next_batch(table: &mut Table, sent: &mut Sent) -> Result<(Vec<Value>, Option<u64>), Failure> {
    let (mut batch, mut bytes, mut last) = (Vec::new(), 0, None);
    while batch.len() < EVENTS_AT_ONCE && bytes < BYTES_AT_ONCE {
        let Some(Row { line, event }) = table.next()? else { break };
        last = Some(line);
        match event {
            Ok(event) => {
                bytes += event.to_string().len();
                batch.push(event);
            }
            Err(why) => {
                sent.passed_over += 1;
                complain(&format!("line {line}: {why}"));
            }
        }
    }
    Ok((batch, last))
}

struct Sender {
    client: Client,
    url: String,
    authorization: String,
    clock: SystemClock,
}

impl Sender {
    /// Sends a batch until the service has it. It waits as it is told to: old data gives way to what happens now.
    async fn send(&self, batch: &[Value], sent: &mut Sent) -> Outcome {
        if batch.is_empty() {
            return Ok(());
        }
        let body = json!({ "batch": batch }).to_string();
        let mut failures = 0;
        loop {
            let request = self.client.post(&self.url).header(CONTENT_TYPE, "application/json");
            let answer = request.header(AUTHORIZATION, &self.authorization).body(body.clone()).send().await;
            let (why, wait) = match answer {
                Ok(answer) if answer.status().is_success() => {
                    let text = answer.text().await.unwrap_or_default();
                    sent.count(&serde_json::from_str(&text).unwrap_or_default(), batch.len());
                    return Ok(());
                }
                Ok(answer) => {
                    let status = answer.status();
                    let told =
                        answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
                    let text = answer.text().await.unwrap_or_default();
                    let passes = status.is_server_error()
                        || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
                    if !passes {
                        return Err(Failure::Running(anyhow!(
                            "the service refuses it with {status}: {}",
                            text.trim()
                        )));
                    }
                    // As long as it says when to come back, it is there.
                    failures = if told.is_some() { 0 } else { failures + 1 };
                    (format!("the service answers {status}"), told.map(Duration::from_secs))
                }
                Err(error) if error.is_connect() && sent.is_nothing() => {
                    return Err(Failure::Running(anyhow!(
                        "there is no service at {}: {}; nothing was sent: look at the address, and whether the service runs",
                        self.url,
                        cause_of(&error)
                    )));
                }
                Err(error) => {
                    failures += 1;
                    (format!("the service does not answer ({})", cause_of(&error)), None)
                }
            };
            if failures >= TRIES {
                return Err(Failure::Running(anyhow!(
                    "{why}, {TRIES} times in a row; run the same again: what was sent counts once"
                )));
            }
            let wait = wait.unwrap_or(WAIT_FIRST * 2_u32.pow(failures.min(16))).min(WAIT_MAX);
            complain(&format!("{why}; sending again in {} s", wait.as_secs()));
            self.clock.sleep_until(self.clock.monotonic() + wait).await;
        }
    }
}

/// What is behind an error of the client, without the address that it names.
fn cause_of(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.last().map_or_else(|| "no answer".to_owned(), ToString::to_string)
}

impl Sent {
    /// Whether the service has had nothing yet.
    fn is_nothing(&self) -> bool {
        self.accepted + self.rejected == 0
    }

    fn count(&mut self, answer: &Value, events: usize) {
        let rejected = answer["rejected"].as_array().map(Vec::as_slice).unwrap_or_default();
        for one in rejected {
            complain(&format!("rejected: {}", one["message"].as_str().unwrap_or_default()));
        }
        let events = u64::try_from(events).unwrap_or(u64::MAX);
        self.rejected += rejected.len() as u64;
        self.accepted += answer["accepted"].as_u64().unwrap_or(events.saturating_sub(rejected.len() as u64));
    }
}
