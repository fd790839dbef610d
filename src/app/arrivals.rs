//! Watches whether more becomes owed than the allowance lets leave, and says so once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::allowance::{AllowanceLimits, Arrivals, Capacity, Opened, Pressure, Sharing, Usage};
use crate::clock::Clock;
use crate::decision::Settings;
use crate::delivery::Lane;
use crate::store::{ErrorClass, SharedStore, StoreError};

const LOOK_EVERY: Duration = Duration::from_mins(1);

/// What is watched, and where it is shown.
pub(super) struct Watch {
    pub store: SharedStore,
    pub settings: watch::Receiver<Arc<Settings>>,
    pub usage: watch::Receiver<Usage>,
    pub sharing: watch::Receiver<Option<Sharing>>,
    pub shares: BTreeMap<Lane, u32>,
    pub pressure: watch::Sender<Pressure>,
    pub clock: Arc<dyn Clock>,
}

impl Watch {
    /// Looks every minute until it is told to stop.
    pub(super) async fn run(self, stop: CancellationToken) -> Result<(), StoreError> {
        let mut arrivals = Arrivals::default();
        loop {
            let account = self.settings.borrow().account.clone();
            match self.store.totals(account).await {
                Ok(totals) => self.look(&mut arrivals, totals.opened),
                Err(fatal) if fatal.class() == ErrorClass::Ends => return Err(fatal),
                Err(error) if error.class() == ErrorClass::Document => {
                    tracing::error!(%error, "arrivals can't be counted: a stored document can't be read; counting again in a minute");
                }
                Err(error) => tracing::debug!(%error, "arrivals are counted a minute later"),
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = self.clock.sleep_until(self.clock.monotonic() + LOOK_EVERY) => {}
            }
        }
    }

    fn look(&self, arrivals: &mut Arrivals, opened_ever: Opened) {
        let Usage { hour, minute } = *self.usage.borrow();
        let per_hour = hour.limit;
        let settings = Arc::clone(&self.settings.borrow());
        let sharing = *self.sharing.borrow();
        let capacity = Capacity {
            limits: AllowanceLimits { per_hour, per_minute: minute.limit },
            shares: &self.shares,
            sharing,
            per_hour: &settings.per_hour,
        };
        let now = arrivals.observe(self.clock.monotonic(), opened_ever, capacity);
        let before = self.pressure.send_replace(now);
        let opened = now.opened_last_hour;
        match (before.outruns_allowance, now.outruns_allowance) {
            (false, true) => tracing::warn!(
                opened_last_hour = opened,
                calls_per_hour = per_hour,
                "contacts are becoming due faster than the allowance lets us send them; the backlog is growing, nothing is lost"
            ),
            (true, false) => {
                tracing::info!(opened_last_hour = opened, "the allowance keeps up with new deliveries again");
            }
            (true, true) | (false, false) => {}
        }
    }
}
