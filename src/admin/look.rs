//! Notes who was shown a person. The address is kept as a hash under the key of the data folder, so that an erasure finds
//! nothing to erase and a person who is named is still found.
//!
//! Must not keep anybody from looking: what can't be noted is said in the log.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::role::Who;
use crate::clock::{Clock, UnixMicros};
use crate::decision::Settings;
use crate::store::{Plan, Put, SharedStore};
use crate::trail::Look;

/// What a handler says of its answer: whom it shows; none where it shows many, or somebody without an address.
#[derive(Clone, Debug)]
pub(super) struct Looked(pub Option<String>);

/// The same person, shown to the same by the same route again within this time, is one look: a page reads again by itself.
const ONE_LOOK: Duration = Duration::from_mins(10);
/// Looks that are remembered for that.
const REMEMBERED_MAX: usize = 1_000;

/// Notes looks.
pub(super) struct Looks {
    store: SharedStore,
    clock: Arc<dyn Clock>,
    settings: watch::Receiver<Arc<Settings>>,
    recent: Mutex<VecDeque<Look>>,
}

impl fmt::Debug for Looks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Looks").finish_non_exhaustive()
    }
}

impl Looks {
    pub fn new(store: SharedStore, clock: Arc<dyn Clock>, settings: watch::Receiver<Arc<Settings>>) -> Self {
        Self { store, clock, settings, recent: Mutex::default() }
    }

    /// What an address is kept as.
    pub fn mark(&self, whom: &str) -> String {
        self.settings.borrow().marker_key.mark(&whom.trim().to_lowercase())
    }

    /// Notes that somebody was shown a person.
    pub async fn note(&self, who: &Who, route: &str, whom: Option<&str>) {
        let whom = whom.map(|whom| self.mark(whom)).unwrap_or_default();
        let look = Look { at: self.clock.wall(), who: who.name.clone(), route: route.to_owned(), whom };
        if !self.is_new(&look) {
            return;
        }
        let plan = Plan { puts: vec![Put::Look(look)], ..Plan::default() };
        if let Err(error) = self.store.apply(plan).await {
            tracing::warn!(%error, who = who.name, route, "that somebody looked at a person could not be noted");
        }
    }

    /// Whether it is another look than those of the last minutes; remembers it then.
    fn is_new(&self, look: &Look) -> bool {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let since = look.at.minus(ONE_LOOK);
        recent.retain(|one| one.at > since && one.at <= look.at);
        let of = |one: &Look| Look { at: UnixMicros(0), ..one.clone() };
        if recent.iter().any(|one| of(one) == of(look)) {
            return false;
        }
        if recent.len() >= REMEMBERED_MAX {
            recent.pop_front();
        }
        recent.push_back(look.clone());
        true
    }
}
