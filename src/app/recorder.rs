//! The recorder of the metrics: one for the process, however many services run in it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

/// Upper bounds in seconds for everything that takes time.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 60.0, 3600.0];

/// Samples wait for a scrape; without one this often they would pile up.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

static INSTALLED: OnceLock<Result<PrometheusHandle, String>> = OnceLock::new();

/// The handle that renders the metrics.
pub(super) fn installed() -> Result<PrometheusHandle, String> {
    let install = || {
        PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
            .and_then(PrometheusBuilder::install_recorder)
            .map_err(|error| format!("the metrics can't be recorded: {error}"))
    };
    INSTALLED.get_or_init(install).clone()
}

/// Folds samples into their buckets until it is told to stop.
pub(super) async fn upkeep(handle: PrometheusHandle, clock: Arc<dyn Clock>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = clock.sleep_until(clock.monotonic() + UPKEEP_EVERY) => handle.run_upkeep(),
        }
    }
}
