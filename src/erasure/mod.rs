//! The erasure of a person: whom it is about, how far it reaches, how far it has come, and what it answers.
//!
//! Pure. Must not know how anything is stored or deleted.

mod extent;
mod forget;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use extent::{Concern, Device, Extent};
pub use forget::{AfterAnswer, CallEnd, ForgetEnd, ForgetId, ForgetOrder, Forgetting, Found, Target};

use crate::clock::UnixMicros;
use crate::delivery::DeliveryId;
use crate::event::{Email, Position, SourceName};
use crate::person::{PersonId, PersonKey, TimelineKey};

/// Whom an erasure, or an export, is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErasureSubject {
    /// Everybody with this address, in every name space.
    Email(Email),
    /// The user of this key, with all addresses and anonymous ids that are theirs alone.
    User(PersonKey),
}

/// What somebody is recognised by again after nothing of them is left. Kept as a hash only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// An address, whatever the name space.
    Email(Email),
    /// A user id in a name space.
    User(String, String),
    /// An anonymous id in a name space.
    Anonymous(String, String),
    /// A message, by its source and its id. It is not heard again whatever its time: one without a time of its own would
    /// count as said now.
    Message(SourceName, String),
}

impl Mark {
    /// The mark of a person's key.
    #[must_use]
    pub fn of(key: &PersonKey) -> Self {
        match &key.id {
            PersonId::User(id) => Self::User(key.people.clone(), id.clone()),
            PersonId::Email(email) => Self::Email(email.clone()),
            PersonId::Anonymous(id) => Self::Anonymous(key.people.clone(), id.clone()),
        }
    }

    /// The mark of a time line.
    #[must_use]
    pub fn of_device(key: &TimelineKey) -> Self {
        Self::Anonymous(key.people.clone(), key.anonymous_id.clone())
    }

    /// A text that no other mark has.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Email(email) => format!("email\n{}", email.as_str()),
            Self::User(people, id) => format!("user\n{people}\n{id}"),
            Self::Anonymous(people, id) => format!("anonymous\n{people}\n{id}"),
            Self::Message(source, id) => format!("message\n{}\n{id}", source.0),
        }
    }
}

/// An order to erase somebody. Kept until everything is done, then reduced to its receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// Which order.
    pub id: u64,
    /// How far it has come.
    pub stage: ErasureStage,
    /// What it has done.
    pub receipt: Receipt,
    /// What else has to end before nothing is left of the person.
    #[serde(default)]
    pub waits: Waits,
}

/// What holds something of an erased person for a while, because the CRM has not answered yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waits {
    /// Calls that were on their way.
    pub calls: BTreeSet<DeliveryId>,
    /// Erasures that look up an address of theirs in the CRM, this one or an earlier one.
    pub look_ups: BTreeSet<u64>,
}

/// How far an erasure has come. Each stage holds what is still needed of the person, and the last ones nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErasureStage {
    /// Nothing is done yet.
    Ordered {
        /// Whom.
        subject: ErasureSubject,
        /// Whether the contacts are to be forgotten in Freshsales too.
        forget_in_crm: bool,
    },
    /// People, time lines and contacts are gone; trail and deliveries go a part at a time.
    Rows {
        /// What the erasure reaches.
        extent: Extent,
        /// The last event that may be the person's.
        last: Position,
        /// Trails up to here are looked through.
        events_after: Position,
        /// Deliveries up to here are looked through.
        deliveries_after: u64,
        /// Messages up to this source and id are looked through.
        messages_after: (String, String),
    },
    /// The state is done; the journal is looked through for what the person's events said.
    Journal {
        /// What the erasure reaches.
        extent: Extent,
        /// The last event that may be the person's.
        last: Position,
        /// Events up to here are looked through.
        after: Position,
    },
    /// Which events of the journal have to be blanked is known.
    Blanking,
    /// Nothing personal is left but in what the files have not written back, and in what is waited for.
    Wiping,
    /// Nothing personal is left but in what is waited for.
    Settling,
    /// Done.
    Done,
}

impl ErasureStage {
    /// Whether the order is carried out.
    #[must_use]
    pub fn is_done(&self) -> bool {
        match self {
            Self::Done => true,
            Self::Ordered { .. }
            | Self::Rows { .. }
            | Self::Journal { .. }
            | Self::Blanking
            | Self::Wiping
            | Self::Settling => false,
        }
    }
}

/// What an erasure did: numbers alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Receipt {
    /// When it was done: what was said before is erased, what is said later starts anew.
    pub erased_at: UnixMicros,
    /// People.
    pub people: u64,
    /// Anonymous ids, whole or in part.
    pub anonymous_ids: u64,
    /// Contacts.
    pub contacts: u64,
    /// Deals that lost everything of them.
    #[serde(default)]
    pub deals: u64,
    /// Notes, activities and tasks that were told of them, or were to be.
    #[serde(default)]
    pub happenings: u64,
    /// Deliveries, with their attempts.
    pub deliveries: u64,
    /// Trails of events.
    pub trail_events: u64,
    /// Events of the journal whose content was blanked.
    pub journal_events: u64,
    /// Remembered message ids.
    pub message_ids: u64,
    /// Others whose documents named the person, and do no more.
    pub mentions: u64,
    /// Contacts that Freshsales is told to forget.
    pub forget_ordered: u64,
    /// Contacts that an account may have which is not the configured one, and whose id there is not known.
    pub forget_elsewhere: u64,
}

impl Receipt {
    /// Whether nothing was here of whoever was asked for.
    #[must_use]
    pub fn found_nobody(&self) -> bool {
        let Self { erased_at, forget_ordered, forget_elsewhere, .. } = *self;
        *self == Self { erased_at, forget_ordered, forget_elsewhere, ..Self::default() }
    }
}

impl Erasure {
    /// A new order.
    #[must_use]
    pub fn order(id: u64, subject: ErasureSubject, forget_in_crm: bool) -> Self {
        let stage = ErasureStage::Ordered { subject, forget_in_crm };
        Self { id, stage, receipt: Receipt::default(), waits: Waits::default() }
    }

    /// Whether it is an order for this person that has not begun: asking again joins it.
    #[must_use]
    pub fn waits_for(&self, whom: &ErasureSubject, forget: bool) -> bool {
        match &self.stage {
            ErasureStage::Ordered { subject, forget_in_crm } => subject == whom && *forget_in_crm >= forget,
            ErasureStage::Rows { .. }
            | ErasureStage::Journal { .. }
            | ErasureStage::Blanking
            | ErasureStage::Wiping
            | ErasureStage::Settling
            | ErasureStage::Done => false,
        }
    }
}
