//! The history of one anonymous id: a time line of what was said under it, cut into stretches.
//!
//! A device may be shared, and who used it may become known late. So what was said without a user id stays
//! here, in the order it happened, and is given to whoever a stretch belongs to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::PersonId;
use super::facts::Facts;
use crate::event::{Email, Stamp};

/// Entries of one time line; beyond it the two oldest become one, so the oldest cuts blur first.
pub const ENTRIES_MAX: usize = 500;

/// One event seen with the anonymous id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub stamp: Stamp,
    /// The user id it carried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The address it named; only where it carried no user id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Email>,
    /// What it said; empty where it carried a user id, for then the user holds it.
    #[serde(default, skip_serializing_if = "Facts::is_empty")]
    pub facts: Facts,
    /// Somebody was here who was erased: nothing before it leads to whoever comes after.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
}

impl Entry {
    /// An entry that neither cuts the time line nor says anything is not worth keeping.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.user.is_none() && self.email.is_none() && self.facts.is_empty() && !self.gone
    }

    /// The mark that somebody was here.
    fn gone(stamp: &Stamp) -> Self {
        let stamp = Stamp { at: stamp.at, message_id: String::new() };
        Self { stamp, user: None, email: None, facts: Facts::default(), gone: true }
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
    /// Where it begins; `None` for the first, which has no beginning.
    from: Option<&'a Stamp>,
    user: Option<String>,
    email: Option<Email>,
    facts: Facts,
    gone: bool,
}

impl<'a> Stretch<'a> {
    fn starting(entry: &'a Entry) -> Self {
        Self { from: Some(&entry.stamp), ..Self::default() }
    }

    /// Whether an entry is the start of somebody else's stretch.
    fn ends_before(&self, entry: &Entry) -> bool {
        match (&entry.user, &entry.email) {
            _ if entry.gone => true,
            (Some(user), _) => self.user.as_ref() != Some(user),
            // Inside a user's stretch an address without a user id may be anybody's.
            (None, Some(email)) => {
                let somebodys = self.user.is_some() || self.email.is_some() || self.gone;
                self.email.as_ref() != Some(email) && somebodys
            }
            (None, None) => false,
        }
    }

    fn take(&mut self, entry: &Entry) {
        self.user = self.user.take().or_else(|| entry.user.clone());
        if self.user.is_none() {
            self.email = self.email.take().or_else(|| entry.email.clone());
        }
        self.facts.join(&entry.facts);
        self.gone |= entry.gone;
    }
}

impl Timeline {
    /// Puts an entry where it belongs in time.
    pub fn insert(&mut self, entry: Entry) {
        if entry.is_empty() {
            return;
        }
        match self.entries.binary_search_by(|known| known.stamp.cmp(&entry.stamp)) {
            Ok(at) => {
                if let Some(known) = self.entries.get_mut(at) {
                    known.join(entry);
                }
            }
            Err(at) => self.entries.insert(at, entry),
        }
        if self.entries.len() > ENTRIES_MAX {
            let oldest = self.entries.remove(0);
            if let Some(next) = self.entries.first_mut() {
                next.facts.join(&oldest.facts);
                next.user = next.user.take().or(oldest.user);
                next.email = next.email.take().or(oldest.email);
                next.gone |= oldest.gone;
            }
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
        known || !same_user || !entry.facts.is_empty() || self.entries.len() >= ENTRIES_MAX
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
        for (index, stretch) in stretches.iter().enumerate().filter(|(_, s)| !s.facts.is_empty()) {
            for owner in owners(&stretches, index) {
                given.entry(owner).or_default().join(&stretch.facts);
            }
        }
        given
    }

    /// Whose stretch the moment of `stamp` falls into, if anybody's.
    #[must_use]
    pub fn owner_at(&self, stamp: &Stamp) -> Option<PersonId> {
        let stretches = self.stretches();
        let index = stretches.iter().rposition(|stretch| stretch.from.is_none_or(|from| from <= stamp))?;
        owners(&stretches, index).next()
    }

    /// The parts that belong to people of whom `theirs` holds.
    pub fn spans_of(&self, theirs: impl Fn(&PersonId) -> bool) -> Vec<Span> {
        let stretches = self.stretches();
        let is_theirs = |index: &usize| owners(&stretches, *index).any(|owner| theirs(&owner));
        let begins = |index: usize| stretches.get(index).and_then(|stretch| stretch.from.cloned());
        let indexes = (0..stretches.len()).filter(is_theirs);
        indexes.map(|index| Span { from: begins(index), to: begins(index + 1) }).collect()
    }

    /// Leaves out what falls into the spans. That somebody was there stays, so that nothing of theirs passes to whoever
    /// was before or comes after.
    pub fn cut(&mut self, spans: &[Span]) {
        for span in spans {
            let held = |entry: &Entry| span.holds(&entry.stamp);
            let first = self.entries.iter().find(|entry| held(entry)).map(|entry| Entry::gone(&entry.stamp));
            self.entries.retain(|entry| !held(entry));
            if let Some(gone) = first {
                self.insert(gone);
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
        let mut current = Stretch::default();
        for entry in &self.entries {
            if current.ends_before(entry) {
                stretches.push(std::mem::replace(&mut current, Stretch::starting(entry)));
            }
            current.take(entry);
        }
        stretches.push(current);
        stretches
    }
}

/// Whose a stretch is, the user first. A stretch from a user id on is that user's. Of those before the first
/// user id the last is that user's too (filled the form, then signed up); one with an address is the person
/// of that address.
fn owners<'s>(stretches: &'s [Stretch<'_>], index: usize) -> impl Iterator<Item = PersonId> + use<'s> {
    let stretch = stretches.get(index);
    let before_any_user =
        stretches.iter().take(index + 1).all(|stretch| stretch.user.is_none() && !stretch.gone);
    let leads_to = stretches.get(index + 1).filter(|_| before_any_user).and_then(|next| next.user.as_ref());
    let user = stretch.and_then(|stretch| stretch.user.as_ref()).or(leads_to);
    let email = stretch.filter(|stretch| stretch.user.is_none()).and_then(|stretch| stretch.email.as_ref());
    let user = user.cloned().map(PersonId::User);
    user.into_iter().chain(email.cloned().map(PersonId::Email))
}
