//! Metrics of several nodes on one database: who works, and how the database does. Of one process alone there are none.

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge};

use super::float;
use crate::store::{EngineReading, Store};

/// Says what they mean.
pub(super) fn describe() {
    describe_gauge!("freshsignal_lease_holder", "1 while this node does the work");
    describe_gauge!("freshsignal_lease_epoch", "How often the work changed hands");
    describe_gauge!(
        "freshsignal_store_away_seconds",
        "How long events have been refused because the database is away"
    );
    describe_counter!(
        "freshsignal_store_uncertain_total",
        "Commits of which it was not known at first whether they hold"
    );
    describe_histogram!(
        "freshsignal_store_commit_seconds",
        "From a commit to its answer, the wait for a standby included"
    );
    describe_gauge!("freshsignal_store_standbys", "Standbys that a commit waits for");
    describe_gauge!(
        "freshsignal_store_replication_lag_bytes",
        "Bytes of log that the standby furthest behind has not applied"
    );
    describe_gauge!(
        "freshsignal_store_oldest_transaction_seconds",
        "Age of the oldest transaction that is open"
    );
    describe_gauge!("freshsignal_store_dead_tuples", "Rows that are dead and not cleaned up");
}

/// Sets them as they are now.
pub(super) fn set(store: &dyn Store) {
    let Some(EngineReading {
        away,
        uncertain,
        standbys,
        replication_lag_bytes,
        oldest_transaction_seconds,
        dead_tuples,
    }) = store.engine()
    else {
        return;
    };
    let work = store.work().borrow().clone();
    gauge!("freshsignal_lease_holder").set(f64::from(u8::from(work.here)));
    gauge!("freshsignal_lease_epoch").set(float(work.epoch));
    gauge!("freshsignal_store_away_seconds").set(away.as_secs_f64());
    counter!("freshsignal_store_uncertain_total").absolute(uncertain);
    // What is not seen any more is shown as no number, not as the last one.
    let or_nan = |number: Option<u64>| number.map_or(f64::NAN, float);
    gauge!("freshsignal_store_standbys").set(or_nan(standbys));
    gauge!("freshsignal_store_replication_lag_bytes").set(or_nan(replication_lag_bytes));
    gauge!("freshsignal_store_oldest_transaction_seconds").set(or_nan(oldest_transaction_seconds));
    gauge!("freshsignal_store_dead_tuples").set(or_nan(dead_tuples));
}
