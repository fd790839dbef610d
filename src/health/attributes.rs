//! What is to be said of attributes that the account treats otherwise than it says. Names alone.

use super::snapshot::Snapshot;

/// Attributes that the account takes and does not keep: they are sent no more.
pub(super) fn unkept(snapshot: Snapshot<'_>) -> Option<String> {
    let names: Vec<&str> = snapshot.totals().destination.not_kept().collect();
    (!names.is_empty()).then(|| {
        format!(
            "Freshsales takes attributes of contacts and does not keep them, so they are sent no more: {}. Look in its \
             settings whether the field is there, takes these values, and may be written by the key's user; POST \
             /api/resume tries again",
            names.join(", ")
        )
    })
}

/// Attributes that turn between two values as where two systems answer each other.
pub(super) fn turning(snapshot: Snapshot<'_>) -> Option<String> {
    let names: Vec<&str> = snapshot.totals().destination.frozen(snapshot.now).collect();
    (!names.is_empty()).then(|| {
        format!(
            "within the last day an attribute turned more than five times in ten minutes between two values, as where two \
             systems answer each other, and stays as Freshsales has it: {}. Let one of the two say it alone",
            names.join(", ")
        )
    })
}
