//! `freshsignal check`.

use std::path::Path;

use super::{Outcome, complain, load_to_serve, say};

/// Names every problem of the configuration, also what only serving needs.
pub(super) fn run(file: Option<&Path>) -> Outcome {
    let config = load_to_serve(file)?;
    for warning in config.consent.warnings() {
        complain(&format!("warning: {warning}"));
    }
    say("the configuration is complete")
}
