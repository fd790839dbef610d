//! Watches whether what is accepted takes effect, and says so once where it does not.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::event::Position;
use crate::store::{JournalEnd, ProcessedEnd};
use crate::turn::{Flow, FlowAlarm, FlowWatch};

const LOOK_EVERY: Duration = Duration::from_secs(15);

/// What is watched, and where it is shown. It asks the store nothing that could wait.
pub(super) struct Watch {
    pub accepted: JournalEnd,
    pub processed: ProcessedEnd,
    pub trouble: watch::Receiver<Option<String>>,
    pub shown: watch::Sender<Flow>,
    pub clock: Arc<dyn Clock>,
}

impl Watch {
    /// Looks every 15 s until it is told to stop.
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut watch = FlowWatch::default();
        loop {
            let cause = self.trouble.borrow().clone();
            let processed = Position(self.processed.borrow().events);
            let now = watch.look(self.clock.monotonic(), *self.accepted.borrow(), processed, cause);
            let before = self.shown.send_replace(now.clone());
            say(&before, &now);
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.clock.sleep_until(self.clock.monotonic() + LOOK_EVERY) => {}
            }
        }
    }
}

fn say(before: &Flow, now: &Flow) {
    if before.alarm == now.alarm {
        return;
    }
    let lag_events = now.lag_events;
    match now.alarm {
        Some(FlowAlarm::Stands) => tracing::error!(
            lag_events,
            cause = now.cause.as_deref().unwrap_or("unknown"),
            "processing has stood still for a minute: events are accepted and kept, and none takes effect"
        ),
        Some(FlowAlarm::Lags) => tracing::warn!(
            lag_events,
            accepted_per_second = now.rates.accepted,
            processed_per_second = now.rates.processed,
            "events are accepted faster than they take effect: the lag has grown for a minute; nothing is lost"
        ),
        None => tracing::info!(lag_events, "processing goes on in time again"),
    }
}
