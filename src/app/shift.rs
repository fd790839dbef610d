//! Working in turns: of several processes on one store one works, and another goes on when that one is gone.
//!
//! Whoever works here ends before this process stands by, so that nothing that was loaded in one shift is applied in another.

use std::convert::identity;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{App, Parts, RunError, standing, unused};
use crate::deliver::keep_paused;
use crate::freshsales::Mode;
use crate::store::{ErrorClass, Plan, Put, StoreError, Work};
use crate::trail::{Act, ActKind};

/// Between two tries to begin to work.
const BEGIN_AGAIN: Duration = Duration::from_secs(1);

impl App {
    /// Works whenever this process is the one that does, and stands by meanwhile, until it is told to stop. The listeners are
    /// there all the time.
    ///
    /// # Errors
    /// The store failed, or a part ended that must not.
    pub(super) async fn work_in_turns(&self, stop: &CancellationToken) -> Result<(), RunError> {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                led = self.store.lead() => led?,
            }
            if self.shift(stop).await? == Ended::ByItself || stop.is_cancelled() {
                return Ok(());
            }
            // Nothing stalls that does not work, and it uses nothing.
            self.vitals.stalls.clear();
            self.usage.send_replace(unused(&self.config));
            tracing::info!(
                "this node stands by: it takes events, and takes over when the one that works is gone"
            );
        }
    }

    /// Works until this process is told to stop, or is the one that does no more.
    async fn shift(&self, stop: &CancellationToken) -> Result<Ended, RunError> {
        let ends = stop.child_token();
        let (mut parts, work) = (Parts::new(), self.store.work());
        parts.spawn(until_lost(work.clone(), ends.clone()));
        let mut ended = ended_by(self.begin_work(&ends, &mut parts).await);
        if !matches!(ended, Ok(Ended::ByItself)) {
            ends.cancel();
        }
        while let Some(part) = parts.join_next().await {
            let part = ended_by(part.map_err(RunError::from).and_then(identity));
            ended = match (ended, part) {
                (Err(first), _) => Err(first),
                (Ok(_), Err(error)) => Err(error),
                (Ok(Ended::Elsewhere), Ok(_)) | (Ok(_), Ok(Ended::Elsewhere)) => Ok(Ended::Elsewhere),
                (Ok(Ended::ByItself), Ok(Ended::ByItself)) => Ok(Ended::ByItself),
            };
            ends.cancel();
        }
        if work.borrow().here { ended } else { ended.map(|_| Ended::Elsewhere) }
    }

    /// Begins to process, to deliver and to keep house.
    async fn begin_work(&self, ends: &CancellationToken, parts: &mut Parts) -> Result<(), RunError> {
        while let Err(error) = self.prepare().await {
            if !matches!(error.class(), ErrorClass::Passes | ErrorClass::Again) {
                return Err(error.into());
            }
            tracing::warn!(%error, "work can't begin yet: the store is busy, full or away; retrying in 1 s");
            tokio::select! {
                () = ends.cancelled() => return Ok(()),
                () = self.clock.sleep_until(self.clock.monotonic() + BEGIN_AGAIN) => {}
            }
        }
        self.spawn_workers(ends, parts);
        let changed = standing::ring(self.store.changed_beside(), Arc::clone(&self.bells.owed), ends.clone());
        parts.spawn(changed);
        Ok(())
    }

    async fn prepare(&self) -> Result<(), StoreError> {
        keep_paused(&self.store, self.crm.account()).await?;
        // Whoever worked before may have asked for them.
        self.know_lists().await?;
        self.note_start().await
    }

    /// That the service was started is a change that explains others.
    async fn note_start(&self) -> Result<(), StoreError> {
        let mode = match self.config.freshsales.mode {
            Mode::Live => "live",
            Mode::DryRun => "dry run",
        };
        let about = format!("version {}, {mode}", env!("CARGO_PKG_VERSION"));
        let act = Act { at: self.clock.wall(), kind: ActKind::Started, who: String::new(), about };
        self.store.apply(Plan { puts: vec![Put::Act(act)], ..Plan::default() }).await
    }
}

/// Why a shift ended, or a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// It was told to, or had nothing more to do.
    ByItself,
    /// Another node does the work now, which is no failure of this one.
    Elsewhere,
}

fn ended_by(done: Result<(), RunError>) -> Result<Ended, RunError> {
    match done {
        Ok(()) => Ok(Ended::ByItself),
        Err(RunError::Store(StoreError::Elsewhere)) => Ok(Ended::Elsewhere),
        Err(error @ (RunError::Store(_) | RunError::Thread(..) | RunError::Part(_))) => Err(error),
    }
}

/// Ends a shift once this process is not the one that works any more.
async fn until_lost(mut work: watch::Receiver<Work>, ends: CancellationToken) -> Result<(), RunError> {
    let lost = async {
        if work.wait_for(|work| !work.here).await.is_err() {
            // The engine of one process: nobody else ever works.
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = ends.cancelled() => {}
        () = lost => ends.cancel(),
    }
    Ok(())
}
