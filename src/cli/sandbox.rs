//! `freshsignal sandbox`: a Freshsales to develop against.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Failure, Outcome, complain, runtime, start_logging};
use crate::clock::SystemClock;
use crate::http::{self, ServeLimits};
use crate::sandbox::{ChangeHook, Forbidden, Quirk, Sandbox, SandboxOptions};
use crate::telemetry::LogConfig;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where it listens
    #[arg(long, default_value = "127.0.0.1:9090")]
    listen: SocketAddr,
    /// An account of the older product (freshsales.io), whose API is below /api/
    #[arg(long)]
    classic: bool,
    /// The account's bundle alias
    #[arg(long, default_value = "acme")]
    bundle_alias: String,
    /// The API key it accepts
    #[arg(long, default_value = "sandbox-key")]
    api_key: String,
    /// Also creates contacts without a name
    #[arg(long)]
    no_require_names: bool,
    /// Calls it answers in any hour; without it there is no limit
    #[arg(long)]
    per_hour: Option<u32>,
    /// Calls it answers in any minute; without it there is no limit
    #[arg(long)]
    per_minute: Option<u32>,
    /// How long it holds an answer back
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// An attribute without which no contact is created; may be given again
    #[arg(long, value_name = "ATTRIBUTE")]
    mandatory: Vec<String>,
    /// An attribute that is taken and not kept; may be given again
    #[arg(long, value_name = "ATTRIBUTE")]
    dropped: Vec<String>,
    /// An attribute without which no deal is created, beside name and amount; may be given again
    #[arg(long, value_name = "ATTRIBUTE")]
    deal_requires: Vec<String>,
    /// The custom field of deals that no two of them may share
    #[arg(long, value_name = "FIELD")]
    unique_deal_field: Option<String>,
    /// How long after it was created a record is found by searches and look-ups
    #[arg(long, default_value_t = 0)]
    search_lag_ms: u64,
    /// Contacts that one call may put on a list or take off it; without it there is no limit
    #[arg(long, value_name = "N")]
    list_contacts_max: Option<usize>,
    /// What the user of the key may not touch (403); may be given again
    #[arg(long)]
    forbid: Vec<Forbidden>,
    /// Something that was seen of some accounts; may be given again
    #[arg(long)]
    quirk: Vec<Quirk>,
    /// An address that is called after each change of a contact or a deal, as a workflow would, whoever made the change
    #[arg(long, value_name = "URL")]
    hook: Option<String>,
    /// What that call says in X-Freshsignal-Token
    #[arg(long, value_name = "TOKEN", default_value = "", hide_default_value = true)]
    hook_token: String,
}

/// Serves the emulator until it is interrupted.
pub(super) fn run(arguments: Arguments) -> Outcome {
    start_logging(&LogConfig::default())?;
    let options = SandboxOptions {
        classic: arguments.classic,
        bundle_alias: arguments.bundle_alias.clone(),
        api_key: arguments.api_key,
        require_names: !arguments.no_require_names,
        per_hour: arguments.per_hour,
        per_minute: arguments.per_minute,
        latency: Duration::from_millis(arguments.latency_ms),
        mandatory: arguments.mandatory,
        dropped: arguments.dropped,
        deal_requires: arguments.deal_requires,
        unique_deal_field: arguments.unique_deal_field,
        search_lag: Duration::from_millis(arguments.search_lag_ms),
        list_contacts_max: arguments.list_contacts_max,
        forbidden: arguments.forbid.into_iter().collect(),
        quirks: arguments.quirk.into_iter().collect(),
        ..SandboxOptions::default()
    };
    let sandbox = Sandbox::new(options, Arc::new(SystemClock::default()));
    let hook = arguments.hook.map(|url| ChangeHook { url, token: arguments.hook_token });
    runtime()?.block_on(async {
        if let Some(hook) = hook {
            sandbox.tell_changes_to(hook);
        }
        let listener = TcpListener::bind(arguments.listen).await;
        let listener = listener.with_context(|| format!("can't listen on {}", arguments.listen));
        let listener = listener.map_err(Failure::running)?;
        let address = listener.local_addr().map_err(Failure::running)?;
        complain(&format!(
            "a Freshsales of the account {} on http://{address}\n  contacts: http://{address}/sandbox/contacts",
            arguments.bundle_alias
        ));
        let stop = CancellationToken::new();
        tokio::spawn({
            let stop = stop.clone();
            async move {
                interrupted().await;
                stop.cancel();
            }
        });
        http::serve(listener, sandbox.router(), ServeLimits::default(), stop).await;
        Ok(())
    })
}

/// Ends at SIGINT or SIGTERM.
pub(super) async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
