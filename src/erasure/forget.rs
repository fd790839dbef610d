//! Forgetting in the CRM: what is still to be done there about one contact of somebody who was erased.
//!
//! Pure. Must not know how the CRM is asked. An order holds the address only while the contact's id is not known.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::UnixMicros;
use crate::delivery::{Account, DeliveryId, HappeningKind};
use crate::event::Email;

/// Search lags behind writes: whom a look-up does not find is looked up again after these waits, and then no more.
const LOOK_UP_AGAIN: [Duration; 3] =
    [Duration::from_mins(1), Duration::from_mins(5), Duration::from_mins(25)];
/// The first wait after a call that was not answered, doubling up to the longest.
const AGAIN_FIRST: Duration = Duration::from_mins(1);
const AGAIN_MAX: Duration = Duration::from_hours(24);

/// Names an order: the erasure it is part of, and which of its orders it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ForgetId {
    /// The erasure.
    pub erasure: u64,
    /// Which of its orders.
    pub nth: u64,
}

/// What the CRM is asked next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// To forget the contact of this id, and after it these.
    Contact(u64, BTreeSet<u64>),
    /// Which contact has this address.
    Address(Email),
    /// To forget the lead of this id; where it has none of it, it is asked which record has this address.
    Lead(u64, Option<Email>),
    /// To delete a note, an activity or a task of theirs on a deal or a company.
    Told(HappeningKind, u64),
}

/// A contact that the CRM is to forget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetOrder {
    /// Which order.
    pub id: ForgetId,
    /// The account that has the contact.
    pub account: Account,
    /// What it is asked next.
    pub target: Target,
    /// A call that is on its way and may write the contact anew: nothing is asked before it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<DeliveryId>,
    /// The account may have the contact even if that call did not write it.
    pub may_exist: bool,
    /// Not asked before this moment.
    pub next_attempt_at: UnixMicros,
    /// Calls in a row that were not answered.
    pub failures: u32,
    /// Look-ups that found nobody.
    pub misses: u32,
}

/// How an order ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForgetEnd {
    /// The CRM forgot the contact.
    Forgotten,
    /// What was told of them on a deal or a company is deleted.
    Deleted,
    /// The CRM does not know the address.
    NotFound,
    /// The CRM does not say which contact it is, so none was forgotten: somebody has to look there.
    Unclear,
}

impl ForgetEnd {
    /// The word in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Forgotten => "forgotten",
            Self::Deleted => "deleted",
            Self::NotFound => "not_found",
            Self::Unclear => "unclear",
        }
    }
}

/// What follows an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AfterAnswer {
    /// The order goes on like this.
    Open(ForgetOrder),
    /// It has ended.
    Ended(ForgetEnd),
}

/// What a look-up of an address found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// One contact has it as its own.
    One(u64),
    /// One lead has it as its own, and no contact.
    Lead(u64),
    /// Nobody, so far.
    Nobody,
    /// Nobody who has it as their own: others that only resemble it, an answer that can't be read, or a refusal.
    Unclear,
    /// Several have it as their own.
    Several,
    /// There was no answer.
    NoAnswer,
}

/// How the call ended that an order waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallEnd {
    /// The contact was written; its id, where the answer names one.
    Stored(Option<u64>),
    /// Nothing was written.
    NotWritten,
    /// Nobody knows.
    Unknown,
}

/// How many contacts of an erasure the CRM is still to forget, and how the others ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgetting {
    /// Orders that have not ended.
    pub waiting: u64,
    /// Contacts that were forgotten.
    pub forgotten: u64,
    /// Notes, activities and tasks on deals and companies that were deleted.
    pub deleted: u64,
    /// Addresses that the CRM does not know.
    pub not_found: u64,
    /// Contacts that somebody has to look for there.
    pub unclear: u64,
}

impl ForgetOrder {
    /// The address that is looked up, while the id is not known; that of a lead, which may have become a contact.
    #[must_use]
    pub fn address(&self) -> Option<&Email> {
        match &self.target {
            Target::Address(email) | Target::Lead(_, Some(email)) => Some(email),
            Target::Contact(..) | Target::Lead(_, None) | Target::Told(..) => None,
        }
    }

    /// After the CRM was told to forget the contact.
    #[must_use]
    pub fn told(self, forgotten: bool, now: UnixMicros) -> AfterAnswer {
        match self.target.clone() {
            Target::Contact(_, mut others) if forgotten => match others.pop_first() {
                Some(next) => self.goes_on(Target::Contact(next, others), now),
                None => AfterAnswer::Ended(ForgetEnd::Forgotten),
            },
            Target::Lead(..) if forgotten => AfterAnswer::Ended(ForgetEnd::Forgotten),
            Target::Told(..) if forgotten => AfterAnswer::Ended(ForgetEnd::Deleted),
            Target::Contact(..) | Target::Lead(..) | Target::Address(_) | Target::Told(..) => {
                self.not_answered(now)
            }
        }
    }

    /// After the CRM said that it has no record of this id: nothing is to be forgotten, unless a lead was converted meanwhile.
    #[must_use]
    pub fn missing(self, now: UnixMicros) -> AfterAnswer {
        match self.target.clone() {
            Target::Lead(_, Some(email)) => self.goes_on(Target::Address(email), now),
            Target::Contact(..) | Target::Lead(_, None) | Target::Address(_) | Target::Told(..) => {
                self.told(true, now)
            }
        }
    }

    /// After the address was looked up.
    #[must_use]
    pub fn looked_up(self, found: Found, now: UnixMicros) -> AfterAnswer {
        let last = match found {
            // From here on the id is enough, and the address goes.
            Found::One(id) => return self.goes_on(Target::Contact(id, BTreeSet::new()), now),
            Found::Lead(id) => return self.goes_on(Target::Lead(id, None), now),
            Found::Several => return AfterAnswer::Ended(ForgetEnd::Unclear),
            Found::NoAnswer => return self.not_answered(now),
            Found::Nobody => ForgetEnd::NotFound,
            Found::Unclear => ForgetEnd::Unclear,
        };
        match LOOK_UP_AGAIN.get(self.misses as usize) {
            Some(wait) => AfterAnswer::Open(Self {
                misses: self.misses + 1,
                failures: 0,
                next_attempt_at: now.plus(*wait),
                ..self
            }),
            None => AfterAnswer::Ended(last),
        }
    }

    /// After the call it waited for has ended.
    #[must_use]
    pub fn after_call(self, end: CallEnd) -> AfterAnswer {
        let target = match (self.target.clone(), end) {
            (Target::Contact(known, mut others), CallEnd::Stored(Some(written))) => {
                if written != known {
                    others.insert(written);
                }
                Target::Contact(known, others)
            }
            (Target::Address(_), CallEnd::Stored(Some(written))) => Target::Contact(written, BTreeSet::new()),
            (Target::Address(_), CallEnd::NotWritten) if !self.may_exist => {
                return AfterAnswer::Ended(ForgetEnd::NotFound);
            }
            (same @ (Target::Told(..) | Target::Lead(..)), CallEnd::Stored(Some(_)))
            | (same, CallEnd::Stored(None) | CallEnd::NotWritten | CallEnd::Unknown) => same,
        };
        AfterAnswer::Open(Self { target, behind: None, ..self })
    }

    fn goes_on(self, target: Target, now: UnixMicros) -> AfterAnswer {
        AfterAnswer::Open(Self { target, failures: 0, next_attempt_at: now, ..self })
    }

    /// It is asked until it is answered, ever more rarely.
    fn not_answered(self, now: UnixMicros) -> AfterAnswer {
        let wait = AGAIN_FIRST.saturating_mul(2_u32.saturating_pow(self.failures.min(16))).min(AGAIN_MAX);
        AfterAnswer::Open(Self { failures: self.failures + 1, next_attempt_at: now.plus(wait), ..self })
    }
}
