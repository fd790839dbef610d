//! News: what applied plans changed, for whoever watches while it happens.
//!
//! Costs nothing while nobody watches. May be missed without harm: the lists hold everything. Bounded: a watcher that
//! falls behind is told how much it missed.

use tokio::sync::broadcast;

use super::{Plan, Put};
use crate::delivery::Delivery;
use crate::trail::EventTrail;

/// News that wait for the slowest watcher.
pub const NEWS_KEPT_MAX: usize = 1024;

/// Something that has changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// An event took effect.
    Event(Box<EventTrail>),
    /// A delivery was opened or moved; shown without its attempts, which may be large.
    Delivery(Box<Delivery>),
}

/// Where the news arrive.
pub type News = broadcast::Receiver<Change>;

/// Tells the news.
#[derive(Clone, Debug)]
pub struct Herald(broadcast::Sender<Change>);

impl Default for Herald {
    fn default() -> Self {
        Self(broadcast::Sender::new(NEWS_KEPT_MAX))
    }
}

impl Herald {
    /// Watches from now on.
    #[must_use]
    pub fn news(&self) -> News {
        self.0.subscribe()
    }

    /// Tells what a plan that was applied has changed.
    pub fn tell(&self, plan: &Plan) {
        self.tell_all(self.changes(plan));
    }

    /// What a plan changes, where anybody watches.
    #[must_use]
    pub fn changes(&self, plan: &Plan) -> Vec<Change> {
        if self.0.receiver_count() == 0 {
            return Vec::new();
        }
        plan.puts.iter().filter_map(change).collect()
    }

    /// Tells of changes that hold by now.
    pub fn tell_all(&self, changes: Vec<Change>) {
        for change in changes {
            // The last watcher may leave at any moment.
            let _ = self.0.send(change);
        }
    }
}

fn change(put: &Put) -> Option<Change> {
    match put {
        Put::Trail(event) => Some(Change::Event(Box::new(event.clone()))),
        Put::Delivery(_, delivery) => Some(Change::Delivery(Box::new(delivery.without_attempts()))),
        Put::Person(..)
        | Put::Timeline(..)
        | Put::Contact(..)
        | Put::Company(..)
        | Put::Deal(_)
        | Put::Happening(_)
        | Put::Destination(..)
        | Put::Seen(..)
        | Put::SeenAgain(_)
        | Put::Failed(_)
        | Put::FailedEnded(_)
        | Put::SetAside(_)
        | Put::Selectors(..)
        | Put::Gone(_)
        | Put::Privacy(_)
        | Put::Review(..)
        | Put::Redrive(..)
        | Put::Gathering(..)
        | Put::Contributed(_)
        | Put::SlotTaken(..)
        | Put::Bounded(..)
        | Put::SlotAnswered(..)
        | Put::BulkJob(..)
        | Put::BulkJobEnded(..)
        | Put::Alert(_)
        | Put::Act(_)
        | Put::Look(_)
        | Put::Order(_)
        | Put::Output(_)
        | Put::Won(..)
        | Put::Export(_) => None,
    }
}
