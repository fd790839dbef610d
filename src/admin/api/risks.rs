//! Risks: what would be lost if nobody did anything, in words. What waits is none: it waits in the store without an end.

use serde::Serialize;

use super::status::Snapshot;
use crate::store::Store;

/// The share of the bound of dead letters from which on there is a risk.
const DEAD_LETTERS_PERCENT: u64 = 80;

/// A risk of loss or of growing delay.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(in crate::admin) struct Risk {
    pub risk: &'static str,
    pub message: String,
}

/// The words of all risks there are, for metrics.
pub(in crate::admin) const ALL: [&str; 4] = ["dead_letters", "arrivals", "refusing", "journal_away"];

/// The risks of now.
pub(in crate::admin) fn risks(snapshot: Snapshot<'_>, store: &dyn Store) -> Vec<Risk> {
    let (kept, max) = (snapshot.totals.dead_letters, snapshot.live.dead_letters_max);
    let near = kept.saturating_mul(100) >= max.saturating_mul(DEAD_LETTERS_PERCENT);
    let dead_letters = near.then(|| Risk {
        risk: "dead_letters",
        message: format!(
            "{kept} of at most {max} dead letters are kept; beyond that the oldest are discarded \
             (retention.dead_letters_max)"
        ),
    });
    let pressure = *snapshot.live.pressure.borrow();
    let arrivals = pressure.outruns_allowance.then(|| Risk {
        risk: "arrivals",
        message: format!(
            "{} contacts became due in the last hour, more than the allowance lets us send in one: the backlog is \
             growing, nothing is lost",
            pressure.opened_last_hour
        ),
    });
    let away = store.away().map(|file| Risk {
        risk: "journal_away",
        message: format!(
            "{file} was renamed, removed or replaced while the service runs: put it back within a minute, or the \
             service ends; what is accepted and not delivered yet is in the file that was taken away"
        ),
    });
    let refusing = store.refusing().map(|why| Risk {
        risk: "refusing",
        message: format!("events are refused, so senders that do not try again lose them: {why}"),
    });
    dead_letters.into_iter().chain(arrivals).chain(refusing).chain(away).collect()
}
