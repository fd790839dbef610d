//! What is wrong with outputs: receivers that are gone, that take nothing, or for which something was given up.

use std::time::Duration;

use super::snapshot::Snapshot;
use crate::store::OutputTotals;

/// A receiver may take nothing for so long before it is a risk.
const FAILING_FOR: Duration = Duration::from_hours(1);

/// The receivers that are configured and of which something is known.
fn configured(snapshot: Snapshot<'_>) -> Vec<(&String, &OutputTotals)> {
    let settings = snapshot.vitals.settings.borrow().clone();
    let is_configured = |(name, _): &(&String, &OutputTotals)| settings.receivers.contains_key(*name);
    snapshot.reading.totals.outputs.iter().filter(is_configured).collect()
}

/// Receivers that said they are gone, in words.
pub(super) fn off(snapshot: Snapshot<'_>) -> Option<String> {
    let off: Vec<String> = configured(snapshot)
        .into_iter()
        .filter(|(_, totals)| totals.gate.off.is_some())
        .map(|(name, totals)| format!("{name} ({} wait)", totals.waiting))
        .collect();
    (!off.is_empty()).then(|| {
        format!(
            "receivers answered 410, so they are told nothing more: {}. What they are to be told is kept, and bounded. Correct \
             outputs.*.url and have them called again (POST /api/outputs/NAME/resume), or take the section out",
            off.join(", ")
        )
    })
}

/// Receivers that take nothing, or for which something was given up, in words.
pub(super) fn wait(snapshot: Snapshot<'_>) -> Option<String> {
    let failing = |totals: &OutputTotals| {
        let since = totals.gate.failing_since.filter(|_| totals.gate.off.is_none());
        since.is_some_and(|since| snapshot.now.since(since) >= FAILING_FOR)
    };
    let waits: Vec<String> = configured(snapshot)
        .into_iter()
        .filter(|(_, totals)| failing(totals) || totals.dead > 0)
        .map(|(name, totals)| {
            let why = totals.gate.error.as_ref().filter(|_| failing(totals));
            let why = why.map(|why| format!(", because {why}")).unwrap_or_default();
            let lost = if totals.lost > 0 { format!(", {} were lost", totals.lost) } else { String::new() };
            format!("{name}: {} wait, {} were given up{lost}{why}", totals.waiting, totals.dead)
        })
        .collect();
    (!waits.is_empty()).then(|| {
        format!(
            "other systems are not told what happened: {}. What was given up is kept as dead letters: mend the receiver, and have \
             them told again under Outputs in the debugger, or discard them there",
            waits.join("; ")
        )
    })
}
