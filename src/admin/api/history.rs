//! How the service did lately: a sample a minute, kept for a day in memory, for the plots of the status.
//!
//! Begins anew with the process. Must not hold personal data; the counters that never begin anew are in the store.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::http::Uri;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::answer::rfc3339;
use super::query::Params;
use crate::admin::{Asked, Debugger};
use crate::allowance::Usage;
use crate::clock::UnixMicros;
use crate::delivery::{Lane, State as Stage};
use crate::http::ApiError;

const SAMPLE_EVERY: Duration = Duration::from_mins(1);
const HOURS_KEPT_MAX: usize = 24;
const SAMPLES_PER_HOUR: usize = 60;
const SAMPLES_MAX: usize = HOURS_KEPT_MAX * SAMPLES_PER_HOUR;
/// Deliveries of one minute that are looked at for how long they took.
const DELIVERIES_MAX: usize = 10_000;

/// How it stood at one moment. Counters are as they stood; the latency is of the minute before.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(in crate::admin) struct Sample {
    #[serde(serialize_with = "rfc3339")]
    at: UnixMicros,
    accepted: u64,
    rejected: u64,
    delivered: u64,
    dead: u64,
    owed: BTreeMap<&'static str, u64>,
    oldest_owed_seconds: u64,
    journal_lag_events: u64,
    allowance: Usage,
    latency: Option<Latency>,
}

/// From owed to stored in Freshsales, over the deliveries of a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Latency {
    deliveries: u64,
    median_ms: u64,
    p95_ms: u64,
}

impl Latency {
    fn of(mut took: Vec<Duration>) -> Option<Self> {
        took.sort_unstable();
        let at = |percent: usize| {
            let nth = (took.len() * percent).div_ceil(100).checked_sub(1)?;
            took.get(nth).map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX))
        };
        Some(Self { deliveries: took.len() as u64, median_ms: at(50)?, p95_ms: at(95)? })
    }
}

/// The samples, oldest first.
#[derive(Debug, Default)]
pub(in crate::admin) struct History(Mutex<VecDeque<Sample>>);

impl History {
    fn add(&self, sample: Sample) {
        let mut samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if samples.len() >= SAMPLES_MAX {
            samples.pop_front();
        }
        samples.push_back(sample);
    }

    fn last(&self, samples_max: usize) -> Vec<Sample> {
        let samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        samples.iter().skip(samples.len().saturating_sub(samples_max)).cloned().collect()
    }
}

/// The history as it is shown.
#[derive(Serialize)]
pub(in crate::admin) struct HistoryView {
    every_seconds: u64,
    samples: Vec<Sample>,
}

/// `GET /api/status/history`
pub(in crate::admin) async fn history(Asked(app): Asked, uri: Uri) -> Result<Json<HistoryView>, ApiError> {
    let params = Params::read(&uri, &["hours"])?;
    let in_range = |hours: &usize| (1..=HOURS_KEPT_MAX).contains(hours);
    let hours = params.get("hours", "a number from 1 to 24", |text| text.parse().ok().filter(in_range))?;
    let samples = app.history.last(hours.unwrap_or(HOURS_KEPT_MAX) * SAMPLES_PER_HOUR);
    Ok(Json(HistoryView { every_seconds: SAMPLE_EVERY.as_secs(), samples }))
}

impl Debugger {
    /// Takes a sample a minute until it is told to stop.
    pub async fn keep_history(self, stop: CancellationToken) {
        let mut last = self.now();
        loop {
            match self.sample(last).await {
                Ok(sample) => {
                    last = sample.at;
                    self.history.add(sample);
                }
                // The store says in the log what is wrong with it; here a minute stays empty.
                Err(error) => tracing::debug!(code = error.code(), "a minute of the history stays empty"),
            }
            let next = self.clock.monotonic() + SAMPLE_EVERY;
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.clock.sleep_until(next) => {}
            }
        }
    }

    async fn sample(&self, last: UnixMicros) -> Result<Sample, ApiError> {
        let account = self.settings().account.clone();
        let failed = super::answer::failed;
        let reading = self.reading().await?;
        let took = self.store.delivered_since(account, last, DELIVERIES_MAX).await.map_err(failed)?;
        let snapshot = self.snapshot(&reading);
        let totals = snapshot.totals();
        let ended = |state| totals.ended.get(&state).copied().unwrap_or(0);
        Ok(Sample {
            at: snapshot.now,
            accepted: totals.accepted,
            rejected: self.live.refused.count(),
            delivered: ended(Stage::Delivered),
            dead: ended(Stage::Dead),
            owed: Lane::BY_PRECEDENCE.map(|lane| (lane.as_str(), snapshot.owed_in(lane))).into(),
            oldest_owed_seconds: snapshot.oldest_owed_seconds(),
            journal_lag_events: snapshot.journal_lag_events(),
            allowance: snapshot.usage(),
            latency: Latency::of(took),
        })
    }
}
