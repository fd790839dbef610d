//! The present beside the slots: how long the machine had been running when each was taken and answered.
//!
//! The time of day of a slot may be wrong on either side of a restart; how long the machine runs can't be. So a slot's age
//! is taken from that. Must not decide when a slot is free.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, OptionalExtension};

use super::columns::int;
use crate::clock::{BootId, Clock, Moment, UnixMicros};
use crate::store::StoreError;

/// Lets statements of a connection ask for the present: `boottime()` in microseconds, and `boot()`.
pub(super) fn tell(connection: &Connection, clock: &Arc<dyn Clock>) -> Result<(), rusqlite::Error> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
    let machine = Arc::clone(clock);
    connection.create_scalar_function("boottime", 0, flags, move |_| Ok(micros(machine.boottime())))?;
    let machine = Arc::clone(clock);
    connection
        .create_scalar_function("boot", 0, flags, move |_| Ok(machine.boot_id().0.to_be_bytes().to_vec()))
}

/// The last moment that is kept, one of this run of the machine before any other.
pub(super) fn last(connection: &Connection, boot: BootId) -> Result<Option<Moment>, StoreError> {
    let last = connection
        .query_row(
            "SELECT coalesce(answered_at, taken_at) AS at, boottime, boot FROM slots WHERE boot IS NOT NULL
             ORDER BY boot = ?1 DESC, iif(boot = ?1, boottime, at) DESC LIMIT 1",
            [boot.0.to_be_bytes()],
            |row| {
                let (boottime, boot) = ran(row.get(1)?, row.get(2)?);
                Ok(Moment { wall: UnixMicros(row.get(0)?), boottime, boot })
            },
        )
        .optional()?;
    Ok(last)
}

/// When a slot was answered, counted back from the present, whatever the time of day was then.
pub(super) fn answered_at(
    said: UnixMicros,
    boottime: Option<i64>,
    boot: Option<[u8; 16]>,
    now: UnixMicros,
    present: Moment,
) -> UnixMicros {
    // Of an earlier version, which kept the time of day alone.
    let Some((boottime, boot)) = boottime.zip(boot).map(|(boottime, boot)| ran(boottime, boot)) else {
        return said;
    };
    match present.boottime.checked_sub(boottime) {
        Some(age) if boot == present.boot => now.minus(age),
        // Before the machine started: at least as long ago as it has been running, and no more is known.
        Some(_) | None => said.max(now.minus(present.boottime)),
    }
}

fn ran(boottime: i64, boot: [u8; 16]) -> (Duration, BootId) {
    (Duration::from_micros(u64::try_from(boottime).unwrap_or(0)), BootId(u128::from_be_bytes(boot)))
}

fn micros(duration: Duration) -> i64 {
    int(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}
