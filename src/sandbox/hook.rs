//! Calls an address after each change of a contact or a deal, whoever made it, as a workflow of the account would.
//!
//! One after the other, in the order of the changes. Nothing waits for it: what can't be delivered is not sent again, as nobody
//! has seen workflows do so.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;

use crate::freshsales::{Timeouts, http_client};

/// Calls that wait for their turn; of more nobody is told.
const WAITING_MAX: usize = 10_000;
const TAKES_AT_MOST: Duration = Duration::from_secs(10);

/// Where changes are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeHook {
    /// The address that is called.
    pub url: String,
    /// What is sent in `X-Freshsignal-Token`; empty: nothing.
    pub token: String,
}

/// What is told, one after the other.
#[derive(Clone, Debug)]
pub(super) struct Teller(mpsc::Sender<Value>);

impl Teller {
    /// Begins to tell. Must be called where tasks can be spawned; `told` is called after each answer.
    pub(super) fn start(hook: ChangeHook, told: impl Fn() + Send + 'static) -> Option<Self> {
        let client = http_client(Timeouts { connect: TAKES_AT_MOST, attempt: TAKES_AT_MOST }).ok()?;
        let (sender, mut changes) = mpsc::channel::<Value>(WAITING_MAX);
        tokio::spawn(async move {
            while let Some(body) = changes.recv().await {
                let mut call = client.post(&hook.url).json(&body);
                if !hook.token.is_empty() {
                    call = call.header("X-Freshsignal-Token", &hook.token);
                }
                if let Ok(answer) = call.send().await {
                    tracing::debug!(status = answer.status().as_u16(), "told of a change");
                } else {
                    tracing::warn!("the address of the hook does not answer");
                }
                told();
            }
        });
        Some(Self(sender))
    }

    /// Tells of a change; `false` where too many wait.
    pub(super) fn tell(&self, body: Value) -> bool {
        self.0.try_send(body).is_ok()
    }
}
