//! Metrics: what the store alone knows is set when somebody asks; all else was counted where it happened.
//!
//! Label values come from closed lists, never from input.

mod nodes;

use axum::Extension;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge};

use crate::admin::{Asked, HoldsNobody};
use crate::allowance::Window;
use crate::deal::HeldBack;
use crate::decision::Outcome;
use crate::delivery::Lane;
use crate::destination::DestinationState;
use crate::happening;
use crate::health::{Risk, RiskKind, Snapshot, risks};
use crate::http::ApiError;
use crate::output::CLOSES_AFTER;

/// The text format of Prometheus.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Says what the metrics that are set here mean.
pub(super) fn describe() {
    metrics_process::Collector::default().describe();
    nodes::describe();
    describe_gauge!("freshsignal_build_info", "Always 1: the version that runs");
    describe_counter!("freshsignal_events_total", "Events that took effect, by outcome");
    describe_counter!(
        "freshsignal_events_absorbed_total",
        "Events merged into a delivery that was already queued"
    );
    describe_counter!(
        "freshsignal_consent_not_understood_total",
        "Events whose consent was not understood, by source"
    );
    describe_gauge!("freshsignal_contacts_owed", "Contacts that wait to be sent, by lane");
    describe_gauge!(
        "freshsignal_oldest_owed_seconds",
        "How long the contact that has waited longest has been waiting to be sent"
    );
    describe_gauge!(
        "freshsignal_drain_seconds",
        "Estimate of how long it takes to send everything that waits; NaN while blocked or paused"
    );
    describe_gauge!("freshsignal_allowance_remaining", "Calls that are free in the window");
    describe_gauge!("freshsignal_destination_up", "1 while calls are made, or will be when a throttle ends");
    describe_gauge!("freshsignal_destination_paused", "1 while calls are paused by hand");
    describe_gauge!("freshsignal_journal_lag_events", "Events accepted that have not taken effect yet");
    describe_gauge!("freshsignal_risk", "1 while this risk exists; /api/status describes it");
    describe_gauge!("freshsignal_failed_events", "Events that could not be processed, kept aside");
    describe_counter!(
        "freshsignal_failed_events_lost_total",
        "Events that could not be processed and are kept no more"
    );
    describe_gauge!("freshsignal_contacts_set_aside", "Contacts whose call can't be made up");
    describe_gauge!(
        "freshsignal_dead_letters",
        "Contacts, companies and deals that Freshsales refused, kept"
    );
    describe_gauge!("freshsignal_output_up", "1 unless the receiver said that it is gone, or takes nothing");
    describe_gauge!("freshsignal_outputs_waiting", "Outputs that wait to be told, by receiver");
    describe_gauge!(
        "freshsignal_outputs_dead_letters",
        "Outputs that were given up and are kept, by receiver"
    );
    describe_counter!("freshsignal_outputs_lost_total", "Outputs that were given up and are kept no more");
    describe_gauge!("freshsignal_deals_held", "Deals that wait for something else, by cause");
    describe_gauge!("freshsignal_happenings", "Notes, activities and tasks that are kept, by state");
    describe_counter!(
        "freshsignal_events_accepted_total",
        "Events on disk since the process started, by source"
    );
    describe_counter!(
        "freshsignal_events_rejected_total",
        "Requests and events refused since the process started"
    );
    describe_counter!("freshsignal_calls_total", "Calls to Freshsales since the process started, by answer");
    describe_histogram!("freshsignal_ingest_seconds", "From a request to its answer");
    describe_histogram!(
        "freshsignal_event_to_crm_seconds",
        "From the queued call to the contact stored in Freshsales"
    );
}

/// `GET /metrics`
pub(super) async fn metrics(Asked(app): Asked) -> Result<Response, ApiError> {
    let reading = app.reading().await?;
    let snapshot = app.snapshot(&reading);
    set(snapshot);
    nodes::set(app.store.as_ref());
    set_risks(&risks(snapshot, app.store.as_ref()));
    metrics_process::Collector::default().collect();
    // Labels are words of the service and names of the configuration.
    let holds_nobody = Extension(HoldsNobody);
    Ok((holds_nobody, [(header::CONTENT_TYPE, TEXT_FORMAT)], app.metrics.render()).into_response())
}

fn set(snapshot: Snapshot<'_>) {
    gauge!("freshsignal_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    let totals = snapshot.totals();
    for outcome in Outcome::ALL {
        let events = totals.outcomes.get(&outcome).copied().unwrap_or(0);
        counter!("freshsignal_events_total", "outcome" => outcome.as_str()).absolute(events);
        if outcome == Outcome::Absorbed {
            counter!("freshsignal_events_absorbed_total").absolute(events);
        }
    }
    for lane in Lane::BY_PRECEDENCE {
        gauge!("freshsignal_contacts_owed", "lane" => lane.as_str()).set(float(snapshot.owed_in(lane)));
    }
    gauge!("freshsignal_oldest_owed_seconds").set(float(snapshot.oldest_owed_seconds()));
    gauge!("freshsignal_drain_seconds").set(snapshot.drain_seconds().map_or(f64::NAN, float));
    let remaining = |window: Window| f64::from(window.limit.saturating_sub(window.used));
    let usage = snapshot.usage();
    gauge!("freshsignal_allowance_remaining", "window" => "hour").set(remaining(usage.hour));
    gauge!("freshsignal_allowance_remaining", "window" => "minute").set(remaining(usage.minute));
    gauge!("freshsignal_destination_up").set(match totals.destination.state() {
        DestinationState::Running | DestinationState::Throttled => 1.0,
        DestinationState::Unreachable | DestinationState::Paused | DestinationState::Blocked => 0.0,
    });
    let paused = totals.destination.state() == DestinationState::Paused;
    gauge!("freshsignal_destination_paused").set(f64::from(u8::from(paused)));
    gauge!("freshsignal_journal_lag_events").set(float(snapshot.journal_lag_events()));
    gauge!("freshsignal_failed_events").set(float(totals.failed));
    counter!("freshsignal_failed_events_lost_total").absolute(totals.failed_lost);
    gauge!("freshsignal_contacts_set_aside").set(float(totals.set_aside));
    gauge!("freshsignal_dead_letters").set(float(totals.dead_letters));
    for (name, of) in &totals.outputs {
        let up = of.gate.off.is_none() && of.gate.failures < CLOSES_AFTER;
        gauge!("freshsignal_output_up", "output" => name.clone()).set(f64::from(u8::from(up)));
        gauge!("freshsignal_outputs_waiting", "output" => name.clone()).set(float(of.waiting));
        gauge!("freshsignal_outputs_dead_letters", "output" => name.clone()).set(float(of.dead));
        counter!("freshsignal_outputs_lost_total", "output" => name.clone()).absolute(of.lost);
    }
    for cause in HeldBack::WORDS {
        let deals = totals.held_deals.get(cause).copied().unwrap_or(0);
        gauge!("freshsignal_deals_held", "cause" => cause).set(float(deals));
    }
    for state in happening::State::ALL.map(happening::State::as_str) {
        let happenings = totals.happenings.get(state).copied().unwrap_or(0);
        gauge!("freshsignal_happenings", "state" => state).set(float(happenings));
    }
}

fn set_risks(now: &[Risk]) {
    for kind in RiskKind::ALL {
        let there = now.iter().any(|risk| risk.kind == kind);
        gauge!("freshsignal_risk", "risk" => kind.as_str()).set(f64::from(u8::from(there)));
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; counts stay far below 2^53")]
fn float(number: u64) -> f64 {
    number as f64
}
