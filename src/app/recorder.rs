//! The recorder of the metrics: one for the process, however many services run in it.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper bounds in seconds for everything that takes time.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 60.0, 3600.0];

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
