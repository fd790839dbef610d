//! Actions: what an event did to records beside its contact, a line each.
//!
//! Data alone. The outcome of an event stays one.

use serde::{Deserialize, Serialize};

use crate::deal::HeldBack;
use crate::delivery::{CompanyKey, DealKey, DeliveryId, HappeningId, ListKey, MemberKey, Subject};
use crate::happening::Held as HeldHappening;
use crate::mapping::NoDeal;

/// What an event did to a record beside its contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// The record, as text of a subject; of a deal without a key `deal:KIND`.
    pub subject: String,
    /// What became of it.
    pub state: ActionState,
    /// Why.
    pub why: String,
    /// The delivery that was opened or joined, or the last one delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliveryId>,
}

/// What became of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionState {
    /// It opened a delivery.
    Queued,
    /// A delivery of the record takes it along.
    Absorbed,
    /// Freshsales has all of it already.
    Unchanged,
    /// The event says no key of a deal.
    NoKey,
    /// There is no such deal, and the event makes none.
    NoDeal,
    /// Nobody has said the email of its person.
    NoEmail,
    /// A category that is required is not granted.
    ConsentDenied,
    /// It waits for something else.
    Held,
    /// So much was told of the record today that this is only counted.
    TooMany,
    /// It is not told.
    Dropped,
}

impl Action {
    fn of(key: &DealKey, state: ActionState, why: impl Into<String>, delivery: Option<DeliveryId>) -> Self {
        Self { subject: Subject::Deal(key.clone()).to_string(), state, why: why.into(), delivery }
    }

    pub(super) fn company(
        key: &CompanyKey,
        state: ActionState,
        why: &str,
        delivery: Option<DeliveryId>,
    ) -> Self {
        Self { subject: Subject::Company(key.clone()).to_string(), state, why: why.to_owned(), delivery }
    }

    pub(super) fn no_key(why: &NoDeal) -> Self {
        let NoDeal::NoKey(kind, paths) = why;
        let why = format!("none of {} says which deal it is", paths.join(", "));
        Self { subject: format!("deal:{kind}"), state: ActionState::NoKey, why, delivery: None }
    }

    pub(super) fn nobody(kind: &str) -> Self {
        let why = "its key is no key that can be kept, or, where the person is the key, no id and no email says who that is";
        Self {
            subject: format!("deal:{kind}"),
            state: ActionState::NoKey,
            why: why.to_owned(),
            delivery: None,
        }
    }

    pub(super) fn happening(
        id: &HappeningId,
        state: ActionState,
        why: &str,
        delivery: Option<DeliveryId>,
    ) -> Self {
        Self { subject: Subject::Happening(id.clone()).to_string(), state, why: why.to_owned(), delivery }
    }

    pub(super) fn held_happening(id: &HappeningId, held: &HeldHappening) -> Self {
        let state = match held {
            HeldHappening::NoEmail => ActionState::NoEmail,
            HeldHappening::Consent(_) => ActionState::ConsentDenied,
            HeldHappening::Contact
            | HeldHappening::ContactRefused(_)
            | HeldHappening::Deal(_)
            | HeldHappening::Company
            | HeldHappening::Name(_)
            | HeldHappening::Unclear => ActionState::Held,
        };
        Self::happening(id, state, &held.words(), None)
    }

    pub(super) fn place(
        key: &MemberKey,
        state: ActionState,
        why: &str,
        delivery: Option<DeliveryId>,
    ) -> Self {
        Self { subject: Subject::Member(key.clone()).to_string(), state, why: why.to_owned(), delivery }
    }

    /// An event names a list, and nobody is there who could be put on it.
    pub(super) fn nobody_listed(list: &ListKey, why: &str) -> Self {
        let subject = format!("list:{list}");
        Self { subject, state: ActionState::NoEmail, why: why.to_owned(), delivery: None }
    }

    pub(super) fn untold(id: &HappeningId, why: &str) -> Self {
        Self::happening(id, ActionState::NoKey, why, None)
    }

    pub(super) fn queued(key: &DealKey, delivery: DeliveryId, exists: bool) -> Self {
        let why = if exists {
            "the deal differs from what Freshsales last accepted; a call is owed"
        } else {
            "Freshsales does not have the deal yet; a call is owed"
        };
        Self::of(key, ActionState::Queued, why, Some(delivery))
    }

    /// The same once what it waited for has gone before: a dry run plays that at once.
    pub(super) fn in_the_end(self) -> Self {
        match self.state {
            ActionState::Held => Self {
                state: ActionState::Queued,
                why: "what it belongs to goes first; then its own call is owed".to_owned(),
                ..self
            },
            ActionState::Queued
            | ActionState::Absorbed
            | ActionState::Unchanged
            | ActionState::NoKey
            | ActionState::NoDeal
            | ActionState::NoEmail
            | ActionState::ConsentDenied
            | ActionState::TooMany
            | ActionState::Dropped => self,
        }
    }

    pub(super) fn absorbed(key: &DealKey, delivery: DeliveryId) -> Self {
        Self::of(key, ActionState::Absorbed, "a delivery of this deal takes it along", Some(delivery))
    }

    pub(super) fn unchanged(key: &DealKey, last: Option<DeliveryId>) -> Self {
        Self::of(key, ActionState::Unchanged, "Freshsales has all of it already", last)
    }

    pub(super) fn refused(key: &DealKey, letter: Option<DeliveryId>) -> Self {
        Self::of(key, ActionState::Absorbed, "exactly this was refused before", letter)
    }

    pub(super) fn held(key: &DealKey, held: &HeldBack) -> Self {
        let state = match held {
            HeldBack::NoEmail => ActionState::NoEmail,
            HeldBack::NotBegun => ActionState::NoDeal,
            HeldBack::Consent(_) => ActionState::ConsentDenied,
            HeldBack::Contact
            | HeldBack::Lead
            | HeldBack::ContactRefused(_)
            | HeldBack::Company
            | HeldBack::Name(_)
            | HeldBack::Several(_)
            | HeldBack::LeftAlone
            | HeldBack::Gone
            | HeldBack::Unclear => ActionState::Held,
        };
        Self::of(key, state, held.words(), None)
    }
}
