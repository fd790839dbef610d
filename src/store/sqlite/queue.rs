//! What waits for the journal's thread: appends in the order they came, and chores between them.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};

use super::append::{Answered, Append};
use crate::event::Position;
use crate::store::{Appended, Keep, Processed, StoreSettings};

#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) appends: VecDeque<Append>,
    pub(super) events: usize,
    pub(super) bytes: usize,
    pub(super) chores: VecDeque<Chore>,
    pub(super) shut: bool,
}

impl Queue {
    /// The next group: at least one append, and no more than a commit should hold.
    pub(super) fn take_group(&mut self, settings: &StoreSettings) -> Vec<Append> {
        let (mut taken, mut events, mut bytes) = (0, 0, 0);
        for append in &self.appends {
            events += append.events();
            bytes += append.bytes();
            if taken > 0 && (events > settings.group_events_max || bytes > settings.group_bytes_max) {
                events -= append.events();
                bytes -= append.bytes();
                break;
            }
            taken += 1;
        }
        self.events -= events;
        self.bytes -= bytes;
        self.appends.drain(..taken).collect()
    }
}

/// What is done between appends.
#[derive(Debug)]
pub(super) enum Chore {
    Prune(Keep, Processed, Answered<u64>),
    Blank(BTreeSet<Position>, Answered<Vec<Position>>),
    Wipe(Answered<bool>),
}

/// What the thread does next.
pub(super) enum Work {
    Append(Vec<Append>),
    Chore(Chore),
    Quiet,
    Shut,
}

/// What was appended since the start.
#[derive(Debug, Default)]
pub(super) struct Counted {
    appends: AtomicU64,
    commits: AtomicU64,
}

impl Counted {
    pub(super) fn committed(&self, appends: usize) {
        self.appends.fetch_add(appends as u64, Ordering::Relaxed);
        self.commits.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn so_far(&self) -> Appended {
        Appended {
            appends: self.appends.load(Ordering::Relaxed),
            commits: self.commits.load(Ordering::Relaxed),
        }
    }
}
