//! Folding: how a time line keeps its size, whatever one visitor sends.
//!
//! Up to [`ENTRIES_MAX`] and [`BYTES_MAX`] every event stands by itself, and a late one cuts exactly. Beyond that the
//! oldest events between two cuts become one: nothing of what they said to anybody changes, but a later cut inside of
//! them can't be made any more. Where there is a cut between any two, the oldest stretch goes: whoever it was given to
//! has it for good, and what comes later from before it belongs to nobody. Must not touch people.

use std::collections::BTreeMap;

use super::{Before, Entry, Facts, PersonId, Stretch, Timeline, owners};

/// Entries of one time line that stand by themselves.
pub const ENTRIES_MAX: usize = 64;
/// Bytes of all of them, about, as JSON.
pub const BYTES_MAX: usize = 32 * 1024;

/// What became of an entry that was put into a time line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inserted {
    /// It came from before everything that is kept, so it belongs to nobody.
    pub too_early: bool,
    /// Events that said something were folded.
    pub folded: bool,
    /// What belongs to people for good from now on, because the time line lets go of it.
    pub let_go: BTreeMap<PersonId, Facts>,
}

impl Entry {
    fn weight(&self) -> usize {
        let texts = self.user.as_ref().map_or(0, String::len)
            + self.email.as_ref().map_or(0, |email| email.as_str().len())
            + self.stamp.message_id.len()
            + self.until.as_ref().map_or(0, |until| until.message_id.len());
        64 + texts + self.facts.weight()
    }

    /// Takes in an entry that follows in the same stretch.
    fn fold(&mut self, next: Self) {
        self.until = Some(next.until.unwrap_or(next.stamp));
        self.user = self.user.take().or(next.user);
        self.email = self.email.take().or(next.email);
        self.facts.join(&next.facts);
    }
}

impl Timeline {
    /// Whether one more entry would have something folded.
    pub(super) fn is_full_with(&self, entry: &Entry) -> bool {
        let bytes: usize = self.entries.iter().map(Entry::weight).sum();
        self.entries.len() >= ENTRIES_MAX || bytes + entry.weight() > BYTES_MAX
    }

    /// Folds as much as is needed.
    pub(super) fn bound(&mut self) -> Inserted {
        let mut done = Inserted::default();
        let mut weights: Vec<usize> = self.entries.iter().map(Entry::weight).collect();
        while self.entries.len() > ENTRIES_MAX || weights.iter().sum::<usize>() > BYTES_MAX {
            let stretches = self.stretches();
            let folds = first_pair(&stretches);
            if let Some(first) = folds {
                weights.remove(first + 1);
                let next = self.entries.remove(first + 1);
                let Some(entry) = self.entries.get_mut(first) else { break };
                done.folded |= !entry.facts.is_empty() && !next.facts.is_empty();
                entry.fold(next);
                if let Some(weight) = weights.get_mut(first) {
                    *weight = entry.weight();
                }
            } else if self.entries.len() > 1 {
                let gone = self.let_go_of_the_oldest(&mut done.let_go);
                weights.drain(..gone);
            } else {
                // One entry is all there is: the newest of each path, as much as a person may say at all.
                break;
            }
        }
        done
    }

    /// Lets the oldest stretch go; answers how many entries that were.
    fn let_go_of_the_oldest(&mut self, let_go: &mut BTreeMap<PersonId, Facts>) -> usize {
        let stretches = self.stretches();
        // The very first is empty where the time line begins with somebody.
        let oldest = stretches.iter().enumerate().find(|(_, stretch)| !stretch.entries.is_empty());
        let Some((index, oldest)) = oldest else { return 0 };
        let (count, facts) = (oldest.entries.len(), oldest.facts());
        let before = if oldest.no_user_yet { Before::NoUser } else { Before::Somebody };
        if !facts.is_empty() {
            for owner in owners(&stretches, index) {
                let_go.entry(owner).or_default().join(&facts);
            }
        }
        self.entries.drain(..count);
        if let Some(first) = self.entries.first_mut() {
            first.before = Some(before);
        }
        count
    }
}

/// The first of two entries that follow each other in a stretch.
fn first_pair(stretches: &[Stretch<'_>]) -> Option<usize> {
    let mut first = 0;
    for stretch in stretches {
        if stretch.entries.len() > 1 {
            return Some(first);
        }
        first += stretch.entries.len();
    }
    None
}
