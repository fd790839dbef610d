//! Setting aside: a contact whose call can't be made up, or settled, leaves all others their turn.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Deliverer;
use crate::delivery::DeliveryId;
use crate::store::{Due, ErrorClass, Plan, Put, StoreError};
use crate::telemetry::{Panicked, caught};

/// Why a piece of work on some contacts came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stopped {
    /// The decision met a defect.
    #[error(transparent)]
    Panicked(#[from] Panicked),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Stopped {
    /// Whether one of the contacts may be the cause.
    pub fn is_of_a_contact(&self) -> bool {
        match self {
            Self::Panicked(_) => true,
            Self::Store(error) => error.class() == ErrorClass::Document,
        }
    }
}

impl Deliverer {
    /// Finds those of some deliveries whose calls can't be made up, each by itself, and sets them aside. Fails where none of
    /// them is the cause, so that whoever asked waits.
    pub(super) async fn set_aside_bad(&self, some: &[Due], stopped: Stopped) -> Result<(), StoreError> {
        if !stopped.is_of_a_contact() {
            return Err(error_of(stopped));
        }
        let settings = Arc::clone(&self.settings.borrow());
        let _turn = self.store.turn().await;
        // What every call needs: where that can't be read, no contact is the cause.
        self.load(BTreeSet::new(), BTreeSet::new()).await?;
        let mut bad = Vec::new();
        for due in some {
            let loaded = self.load([due.subject.clone()].into(), [due.id.clone()].into()).await;
            let why = match loaded {
                Ok(mut world) => {
                    let now = self.clock.wall();
                    // The working set is thrown away: nothing is claimed here.
                    let claimed = caught(|| (self.decide)(&due.id, &mut world, &settings, now));
                    claimed.err().map(|panicked| panicked.to_string())
                }
                Err(error) if error.class() == ErrorClass::Document => Some(error.to_string()),
                Err(error) => return Err(error),
            };
            bad.extend(why.map(|why| (due.id.clone(), why)));
        }
        if bad.is_empty() {
            return Err(error_of(stopped));
        }
        let puts = bad.into_iter().map(|(id, why)| set_aside(id, &why)).collect();
        self.store.apply(Plan { puts, ..Plan::default() }).await
    }
}

/// A delivery that is not due until it is written again or the service starts anew.
pub(super) fn set_aside(id: DeliveryId, why: &str) -> Put {
    tracing::error!(
        delivery = id.0,
        code = "contact_set_aside",
        why,
        "a contact is not called: its call can't be made up or settled. All others go on; report the place"
    );
    Put::SetAside(id)
}

fn error_of(stopped: Stopped) -> StoreError {
    match stopped {
        Stopped::Store(error) => error,
        Stopped::Panicked(panicked) => StoreError::Unreadable("contact", panicked.to_string()),
    }
}
