//! Hearing: who of the people of a contact is believed about its consent, and what stands then.
//!
//! A public key stands in every page, and whoever has it can name any address. So three kinds of statements are heard apart:
//! what servers said, what somebody said on their own device, and what a stranger said who merely named the address. A
//! stranger fills what nobody else spoke of. Against what others agreed to they may only refuse, and so many of these an
//! hour are told to Freshsales as the source may have (`sources.*.withdrawals_per_hour_max`).

use crate::consent::{Category, Choice, Counted, Stand};
use crate::event::{Email, Stamp, Trust};
use crate::person::{Facts, PersonId, PersonKey};

/// A person, and how they are heard about an address.
#[derive(Clone, Copy)]
pub(super) struct Voice<'a> {
    facts: &'a Facts,
    /// A server said that the address is theirs.
    vouched: bool,
    /// What visitors say as this person is said on a device of theirs: it carried the user id that a server knows. An
    /// address is no such thing, for anybody may know it.
    own_device: bool,
}

/// What is heard of each kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard<T> {
    /// What servers said.
    pub servers: T,
    /// What was said on the person's own device.
    pub own: T,
    /// What was said by whoever named the address.
    pub strangers: T,
}

impl<'a> Voice<'a> {
    pub fn of(key: &PersonKey, facts: &'a Facts, email: &Email) -> Self {
        let vouched = facts.is_vouched_for(email);
        let named_otherwise = match &key.id {
            PersonId::User(_) => true,
            PersonId::Email(_) | PersonId::Anonymous(_) => false,
        };
        Self { facts, vouched, own_device: vouched && named_otherwise }
    }

    /// What this person says of a category.
    pub fn heard(&self, category: &Category) -> Heard<Stand> {
        if !self.vouched {
            return Heard { strangers: self.facts.stand(category), ..Heard::default() };
        }
        let servers = self.facts.stand_by(Trust::Server, category);
        let visitors = self.facts.stand_by(Trust::Visitor, category);
        if self.own_device {
            Heard { servers, own: visitors, ..Heard::default() }
        } else {
            Heard { servers, strangers: visitors, ..Heard::default() }
        }
    }

    /// When their browser sent Global Privacy Control last.
    pub fn privacy_control(&self) -> Heard<Option<&'a Stamp>> {
        let servers = self.facts.privacy_control.as_ref();
        let visitors = self.facts.visitors.as_ref().and_then(|visitors| visitors.privacy_control.as_ref());
        match (self.vouched, self.own_device) {
            (false, _) => Heard { strangers: servers.max(visitors), ..Heard::default() },
            (true, false) => Heard { servers, strangers: visitors, ..Heard::default() },
            (true, true) => Heard { servers, own: visitors, ..Heard::default() },
        }
    }
}

impl<T> Heard<T> {
    /// Each kind with its name among what is contributed to a crowd.
    pub fn kinds(self) -> [(&'static str, T); 3] {
        [("", self.servers), (" on own device", self.own), (" by stranger", self.strangers)]
    }
}

impl Heard<Stand> {
    /// What is heard of several persons.
    pub fn over(people: impl IntoIterator<Item = Self>) -> Self {
        people.into_iter().fold(Self::default(), |one, other| Self {
            servers: Stand::over([one.servers, other.servers]),
            own: Stand::over([one.own, other.own]),
            strangers: Stand::over([one.strangers, other.strangers]),
        })
    }

    /// What counts at once: of strangers only where nobody else said a yes or a no.
    pub fn firm(&self) -> Stand {
        let firm = self.servers.clone().and_visitors(self.own.clone());
        if self.knows_better() { firm } else { Stand::over([firm, self.strangers.clone()]) }
    }

    /// What counts of it all, a stranger's refusal included.
    pub fn stand(&self) -> Stand {
        let firm = self.firm();
        match self.refused_by_stranger() {
            Some(refusal) => Stand { choice: Some(refusal.clone()), unclear: None },
            None => firm,
        }
    }

    /// A stranger's refusal that is newer than what others agreed to, or the only thing that was said.
    pub fn refused_by_stranger(&self) -> Option<&Counted> {
        let refusal = self.strangers.choice.as_ref();
        let refusal = refusal.filter(|counted| counted.statement.choice == Choice::Denied)?;
        let others = self.servers.clone().and_visitors(self.own.clone()).choice;
        let overruled = others.is_some_and(|other| {
            other.statement.choice == Choice::Denied || other.since.at >= refusal.since.at
        });
        (!overruled).then_some(refusal)
    }

    /// Whether a visitor said yes later than servers spoke.
    pub fn agreed_by_visitor_since(&self) -> bool {
        let since = self.servers.choice.as_ref().map(|counted| counted.since.at);
        let visitors = [&self.own, &self.strangers].into_iter().filter_map(|stand| stand.choice.as_ref());
        visitors
            .into_iter()
            .any(|said| said.statement.choice == Choice::Granted && Some(said.since.at) > since)
    }

    /// Whether somebody else than a stranger said a yes or a no.
    pub fn knows_better(&self) -> bool {
        self.servers.choice.is_some() || self.own.choice.is_some()
    }
}

impl<'a> Heard<Option<&'a Stamp>> {
    /// The newest of several persons.
    pub fn newest(people: impl IntoIterator<Item = Self>) -> Self {
        people.into_iter().fold(Self::default(), |one, other| Self {
            servers: one.servers.max(other.servers),
            own: one.own.max(other.own),
            strangers: one.strangers.max(other.strangers),
        })
    }

    /// The newest that counts, strangers' where they do.
    pub fn counts(&self, strangers_too: bool) -> Option<&'a Stamp> {
        self.servers.max(self.own).max(self.strangers.filter(|_| strangers_too))
    }
}
