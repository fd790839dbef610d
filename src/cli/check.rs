//! `freshsignal check`.

use std::path::Path;

use anyhow::anyhow;

use super::{Failure, Outcome, complain, load, say};

/// Names every problem of the configuration, also what only serving needs.
pub(super) fn run(file: Option<&Path>) -> Outcome {
    let config = load(file)?.config;
    for warning in config.consent.warnings() {
        complain(&format!("warning: {warning}"));
    }
    let problems = config.serving_problems();
    if problems.is_empty() {
        return say("the configuration is complete");
    }
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    Err(Failure::Usage(anyhow!(lines.join("\n"))))
}
