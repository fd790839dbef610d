//! The history of one anonymous id: a time line of what was said under it, cut into stretches.
//!
//! A device may be shared, and who used it may become known late. So what was said without a user id stays
//! here, in the order it happened, and is given to whoever a stretch belongs to. A time line is of bounded size:
//! how it is kept so is in [`fold`].

mod fold;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use fold::{BYTES_MAX, ENTRIES_MAX, Inserted};

use super::PersonId;
use super::facts::Facts;
use crate::event::{Email, Stamp};

/// One event seen with the anonymous id, or several that were folded into one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When; of several the first.
    pub stamp: Stamp,
    /// Of several the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Stamp>,
    /// The user id it carried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The address it named; only where it carried no user id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Email>,
    /// What it said; empty where a single event carried a user id, for then the user holds it.
    #[serde(default, skip_serializing_if = "Facts::is_empty")]
    pub facts: Facts,
    /// Somebody was here who was erased: nothing before it leads to whoever comes after.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
    /// What came before it is no longer kept and belongs to nobody. Only the first entry may have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Before>,
}

/// Who was there before a time line begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Before {
    /// Nobody who said a user id.
    NoUser,
    /// A user, or somebody who was erased.
    Somebody,
}

impl Entry {
    /// An entry that neither cuts the time line nor says anything is not worth keeping.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let silent = self.user.is_none() && self.email.is_none() && self.facts.is_empty();
        silent && !self.gone && self.before.is_none()
    }

    /// Where the moments it stands for lie, seen from another moment.
    fn seen_from(&self, stamp: &Stamp) -> Ordering {
        if self.until.as_ref().unwrap_or(&self.stamp) < stamp {
            Ordering::Less
        } else if self.stamp > *stamp {
            Ordering::Greater
        } else {
            Ordering::Equal
        }
    }

    /// The mark that somebody was here.
    fn gone(stamp: &Stamp) -> Self {
        let stamp = Stamp { at: stamp.at, ..Stamp::default() };
        Self { stamp, gone: true, ..Self::default() }
    }

    fn join(&mut self, other: Self) {
        self.user = self.user.take().max(other.user);
        self.email = self.email.take().max(other.email);
        self.facts.join(&other.facts);
        self.gone |= other.gone;
    }
}

/// A part of a time line: from one moment on, up to another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The first moment of it; none: from the beginning.
    pub from: Option<Stamp>,
    /// The first moment after it; none: to the end.
    pub to: Option<Stamp>,
}

impl Span {
    /// Whether a moment falls into it.
    #[must_use]
    pub fn holds(&self, stamp: &Stamp) -> bool {
        self.from.as_ref().is_none_or(|from| from <= stamp) && self.to.as_ref().is_none_or(|to| stamp < to)
    }
}

/// What happened under one anonymous id, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timeline {
    entries: Vec<Entry>,
}

/// A part of a time line that belongs to one person.
#[derive(Default)]
struct Stretch<'a> {
    entries: &'a [Entry],
    user: Option<&'a String>,
    email: Option<&'a Email>,
    gone: bool,
    /// Nobody who said a user id was there before it ends, nor anybody who was erased.
    no_user_yet: bool,
}

impl<'a> Stretch<'a> {
    /// Where it begins; `None` for the first, which has no beginning.
    fn from(&self, index: usize) -> Option<&'a Stamp> {
        self.entries.first().filter(|_| index > 0).map(|entry| &entry.stamp)
    }

    /// Whether an entry is the start of somebody else's stretch.
    fn ends_before(&self, entry: &Entry) -> bool {
        match (&entry.user, &entry.email) {
            _ if entry.gone => true,
            (Some(user), _) => self.user != Some(user),
            // Inside a user's stretch an address without a user id may be anybody's.
            (None, Some(email)) => self.email != Some(email) && self.is_somebodys(),
            (None, None) => false,
        }
    }

    fn is_somebodys(&self) -> bool {
        self.user.is_some() || self.email.is_some() || self.gone
    }

    fn take(&mut self, entry: &'a Entry) {
        self.user = self.user.or(entry.user.as_ref());
        if self.user.is_none() {
            self.email = self.email.or(entry.email.as_ref());
        }
        self.gone |= entry.gone;
        self.no_user_yet &= self.user.is_none() && !self.gone;
    }

    fn says_nothing(&self) -> bool {
        self.entries.iter().all(|entry| entry.facts.is_empty())
    }

    fn facts(&self) -> Facts {
        let mut facts = Facts::default();
        self.entries.iter().for_each(|entry| facts.join(&entry.facts));
        facts
    }
}

impl Timeline {
    /// Puts an entry where it belongs in time.
    pub fn insert(&mut self, mut entry: Entry) -> Inserted {
        self.leave_out_known(&mut entry);
        if entry.is_empty() {
            return Inserted::default();
        }
        if self.begins_after(&entry.stamp) {
            return Inserted { too_early: true, ..Inserted::default() };
        }
        self.drop_later(&entry);
        match self.entries.binary_search_by(|known| known.seen_from(&entry.stamp)) {
            Ok(at) if self.leaves_out(at, &entry) => return Inserted::default(),
            Ok(at) => {
                if let Some(known) = self.entries.get_mut(at) {
                    known.join(entry);
                }
            }
            Err(at) => self.entries.insert(at, entry),
        }
        self.bound()
    }

    /// Whether a moment is before everything that is kept, so that nobody can tell any more whose it was.
    #[must_use]
    pub fn begins_after(&self, stamp: &Stamp) -> bool {
        self.entries.first().is_some_and(|first| first.before.is_some() && *stamp < first.stamp)
    }

    /// Whether people were here of whom nothing is kept any more.
    #[must_use]
    pub fn knows_not_all(&self) -> bool {
        self.entries.first().is_some_and(|first| first.before.is_some())
    }

    /// Whether an entry that falls into several that were folded cuts them. They can't be cut: all of them stay with whom
    /// they belong to.
    fn leaves_out(&self, at: usize, entry: &Entry) -> bool {
        let Some(known) = self.entries.get(at).filter(|known| known.until.is_some()) else { return false };
        let stretches = self.stretches();
        let held = |stretch: &&Stretch<'_>| stretch.entries.iter().any(|held| std::ptr::eq(held, known));
        let stretch = stretches.iter().find(held);
        stretch.is_some_and(|stretch| stretch.is_somebodys() && stretch.ends_before(entry))
    }

    /// Leaves out of an entry what somebody came with, where an earlier entry says it: of a device the first is kept, however
    /// many pages are viewed. An entry that is empty then changes nothing.
    pub fn leave_out_known(&self, entry: &mut Entry) {
        for known in self.entries.iter().take_while(|known| known.stamp < entry.stamp) {
            if entry.facts.firsts.is_empty() {
                return;
            }
            entry.facts.forget_later(&known.facts);
        }
    }

    /// The same for entries that are later than this one.
    fn drop_later(&mut self, entry: &Entry) {
        if entry.facts.firsts.is_empty() {
            return;
        }
        let mut dropped = false;
        for later in self.entries.iter_mut().filter(|known| known.stamp > entry.stamp) {
            dropped |= later.facts.forget_later(&entry.facts);
        }
        if dropped {
            self.entries.retain(|known| !known.is_empty());
        }
    }

    /// Whether an entry may move something from one person to another. One more event of the user whose stretch it
    /// falls into does not, and most events are that.
    #[must_use]
    pub fn may_move_by(&self, entry: &Entry) -> bool {
        let at = self.entries.partition_point(|known| known.stamp < entry.stamp);
        let known = self.entries.get(at).is_some_and(|next| next.stamp == entry.stamp);
        let before = at.checked_sub(1).and_then(|before| self.entries.get(before));
        let same_user = before.is_some_and(|before| before.user.is_some() && before.user == entry.user);
        let silent = same_user && entry.facts.is_empty() && !entry.gone;
        known || !silent || self.is_full_with(entry)
    }

    /// Everybody a stretch may belong to, now or after a later cut.
    pub fn people(&self) -> impl Iterator<Item = PersonId> + '_ {
        self.entries.iter().flat_map(|entry| {
            let user = entry.user.clone().map(PersonId::User);
            user.into_iter().chain(entry.email.clone().map(PersonId::Email))
        })
    }

    /// Every address that was named under this anonymous id.
    pub fn emails(&self) -> impl Iterator<Item = &Email> {
        self.entries.iter().flat_map(|entry| entry.email.iter().chain(entry.facts.emails.keys()))
    }

    /// What the stretches give to each person. A stretch that belongs to nobody yet is left out.
    #[must_use]
    pub fn given(&self) -> BTreeMap<PersonId, Facts> {
        let stretches = self.stretches();
        let mut given: BTreeMap<PersonId, Facts> = BTreeMap::new();
        for (index, stretch) in stretches.iter().enumerate().filter(|(_, stretch)| !stretch.says_nothing()) {
            for owner in owners(&stretches, index) {
                let facts = given.entry(owner).or_default();
                stretch.entries.iter().for_each(|entry| facts.join(&entry.facts));
            }
        }
        given
    }

    /// Everybody to whom something may be given, or from whom it may be taken, once entries at these moments are put in,
    /// all or some; less those whom the entries themselves name. Who only passed by is not among them, so that a time line
    /// of many people does not have all of them loaded.
    #[must_use]
    pub fn may_be_given<'s>(&self, moments: impl IntoIterator<Item = &'s Stamp>) -> BTreeSet<PersonId> {
        let stretches = self.stretches();
        // What is put in at the end of a stretch may belong to the next one.
        let moved = moments.into_iter().filter_map(|moment| begun_at(&stretches, moment));
        let nobodys = |index: &usize| stretches.get(*index).is_some_and(|stretch| stretch.user.is_none());
        let moved = moved.flat_map(|index| [Some(index), Some(index + 1).filter(nobodys)]).flatten();
        let says = stretches.iter().enumerate().filter(|(_, stretch)| !stretch.says_nothing());
        let concerned: BTreeSet<usize> = says.map(|(index, _)| index).chain(moved).collect();
        let people = concerned.into_iter().flat_map(|index| {
            let next = stretches.get(index + 1).and_then(|next| next.user);
            owners(&stretches, index).chain(next.cloned().map(PersonId::User))
        });
        people.collect()
    }

    /// What was said in the stretch that a moment falls into.
    #[must_use]
    pub fn facts_at(&self, stamp: &Stamp) -> Facts {
        let stretches = self.stretches();
        let index = begun_at(&stretches, stamp).filter(|_| !self.begins_after(stamp));
        index.and_then(|index| stretches.get(index)).map(Stretch::facts).unwrap_or_default()
    }

    /// Gives the user ids the spelling they have now; where one names nobody, somebody was there who is not known. Tells
    /// whether anything changed.
    pub fn respell(&mut self, spelled: impl Fn(&str) -> Option<String>) -> bool {
        let mut changed = false;
        for entry in &mut self.entries {
            let Some(user) = &entry.user else { continue };
            let now = spelled(user);
            if now.as_ref() != Some(user) {
                entry.gone |= now.is_none();
                (entry.user, changed) = (now, true);
            }
        }
        changed
    }

    /// Every address that stands in it.
    pub fn all_emails(&self) -> impl Iterator<Item = &Email> {
        self.entries.iter().flat_map(|entry| entry.email.iter().chain(entry.facts.emails.keys()))
    }

    /// Gives every address the spelling it has now.
    pub fn respell_emails(&mut self) {
        for entry in &mut self.entries {
            entry.facts.respell_emails();
            entry.email = entry.email.take().map(|email| email.respelled().unwrap_or(email));
        }
    }

    /// Whose stretch the moment of `stamp` falls into, if anybody's.
    #[must_use]
    pub fn owner_at(&self, stamp: &Stamp) -> Option<PersonId> {
        if self.begins_after(stamp) {
            return None;
        }
        let stretches = self.stretches();
        let index = begun_at(&stretches, stamp)?;
        owners(&stretches, index).next()
    }

    /// The parts that belong to people of whom `theirs` holds.
    pub fn spans_of(&self, theirs: impl Fn(&PersonId) -> bool) -> Vec<Span> {
        let stretches = self.stretches();
        let is_theirs = |index: &usize| owners(&stretches, *index).any(|owner| theirs(&owner));
        let begins = |index: usize| stretches.get(index).and_then(|stretch| stretch.from(index).cloned());
        let indexes = (0..stretches.len()).filter(is_theirs);
        indexes.map(|index| Span { from: begins(index), to: begins(index + 1) }).collect()
    }

    /// Leaves out what falls into the spans. That somebody was there stays, so that nothing of theirs passes to whoever
    /// was before or comes after.
    pub fn cut(&mut self, spans: &[Span]) {
        for span in spans {
            let held = |entry: &Entry| span.holds(&entry.stamp);
            let Some(first) = self.entries.iter().find(|entry| held(entry)) else { continue };
            let gone = Entry { before: first.before, ..Entry::gone(&first.stamp) };
            self.entries.retain(|entry| !held(entry));
            match self.entries.binary_search_by(|known| known.stamp.cmp(&gone.stamp)) {
                Ok(at) => self.entries.get_mut(at).into_iter().for_each(|known| known.gone = true),
                Err(at) => self.entries.insert(at, gone),
            }
        }
    }

    /// Forgets that an address was named; tells whether it was.
    pub fn forget_email(&mut self, email: &Email) -> bool {
        let mut named = false;
        for entry in &mut self.entries {
            named |= entry.facts.emails.remove(email).is_some();
            named |= entry.email.take_if(|known| known == email).is_some();
        }
        self.entries.retain(|entry| !entry.is_empty());
        named
    }

    fn stretches(&self) -> Vec<Stretch<'_>> {
        let mut stretches = Vec::new();
        let somebody = self.entries.first().is_some_and(|first| first.before == Some(Before::Somebody));
        let mut current = Stretch { no_user_yet: !somebody, ..Stretch::default() };
        let mut start = 0;
        for (at, entry) in self.entries.iter().enumerate() {
            if current.ends_before(entry) {
                let next = Stretch { no_user_yet: current.no_user_yet, ..Stretch::default() };
                stretches.push(std::mem::replace(&mut current, next));
                start = at;
            }
            current.take(entry);
            current.entries = self.entries.get(start..=at).unwrap_or_default();
        }
        stretches.push(current);
        stretches
    }
}

/// The stretch that a moment falls into.
fn begun_at(stretches: &[Stretch<'_>], moment: &Stamp) -> Option<usize> {
    let begun =
        |(index, stretch): &(usize, &Stretch<'_>)| stretch.from(*index).is_none_or(|from| from <= moment);
    stretches.iter().enumerate().rfind(begun).map(|(index, _)| index)
}

/// Whose a stretch is, the user first. A stretch from a user id on is that user's. Of those before the first
/// user id the last is that user's too (filled the form, then signed up); one with an address is the person
/// of that address.
fn owners<'s>(stretches: &'s [Stretch<'_>], index: usize) -> impl Iterator<Item = PersonId> + use<'s> {
    let stretch = stretches.get(index);
    let leads = stretch.is_some_and(|stretch| stretch.no_user_yet);
    let leads_to = stretches.get(index + 1).filter(|_| leads).and_then(|next| next.user);
    let user = stretch.and_then(|stretch| stretch.user).or(leads_to);
    let email = stretch.filter(|stretch| stretch.user.is_none()).and_then(|stretch| stretch.email);
    let user = user.cloned().map(PersonId::User);
    user.into_iter().chain(email.cloned().map(PersonId::Email))
}
