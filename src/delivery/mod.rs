//! A delivery: one owed period of one record of the CRM, from the event that opened it to its end.
//!
//! Pure data and transitions. Must not know how a call is made or where a delivery is stored.

mod attempt;
mod birth;
mod bound;
mod bulk;
mod happening_id;
mod member;
mod no_subject;
mod request;
mod subject;
mod verdict;

#[cfg(test)]
mod tests;

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use attempt::{ATTEMPTS_KEPT_MAX, Attempt, AttemptRequest, AttemptResponse, BODY_KEPT_BYTES_MAX};
pub use birth::{ASK_AFTER, Birth, asked_at};
pub use bound::Bound;
pub use bulk::{
    BULK_CONTACTS_MAX, BulkJob, BulkRow, JOB_ASKED_EVERY, JOB_QUESTIONS_MAX, JOB_REPORTS_WITHIN, JobId,
};
pub use happening_id::{HappeningId, MarkerKey};
pub use member::{LIST_CONTACTS_MAX, ListKey, MemberKey};
pub use no_subject::{KEY_CHARS_MAX, NoSubject};
pub use request::{CallKind, HappeningKind, Request, TargetKind};
pub use subject::{CompanyKey, DealKey, Subject};
pub use verdict::{BlockCause, RetryAfter, Stored, Verdict, whole_number};

use crate::clock::UnixMicros;
use crate::event::Email;

/// Notes of one delivery that are kept.
const NOTES_KEPT_MAX: usize = 8;

/// What a call is worth when calls are scarce; the order of the variants is the order of precedence, highest
/// last, so that the greater of two lanes is the one a contact is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Old data being loaded.
    Backfill,
    /// Page views and later identifies.
    Refresh,
    /// Log-ins.
    Login,
    /// Sign-ups, leads, orders of contacts that Freshsales knows.
    Conversion,
    /// A conversion of a contact that Freshsales never accepted.
    NewContact,
    /// Somebody withdrew consent.
    Withdrawal,
}

impl Lane {
    /// All lanes, highest priority first.
    pub const BY_PRECEDENCE: [Self; 6] =
        [Self::Withdrawal, Self::NewContact, Self::Conversion, Self::Login, Self::Refresh, Self::Backfill];

    /// The word in JSON, configuration and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Backfill => "backfill",
            Self::Refresh => "refresh",
            Self::Login => "login",
            Self::Conversion => "conversion",
            Self::NewContact => "new_contact",
            Self::Withdrawal => "withdrawal",
        }
    }

    /// Whether contacts in it may share a call at all. Somebody waits for new contacts and withdrawals: they go by themselves.
    #[must_use]
    pub fn shares_calls(self) -> bool {
        match self {
            Self::Withdrawal | Self::NewContact => false,
            Self::Conversion | Self::Login | Self::Refresh | Self::Backfill => true,
        }
    }

    /// The lane of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::BY_PRECEDENCE.into_iter().find(|lane| lane.as_str() == word)
    }
}

/// Where a delivery is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Owed, not tried yet.
    Waiting,
    /// A call is on its way.
    InFlight,
    /// Tried without an end; tried again at `next_attempt_at`.
    Retrying,
    /// Freshsales accepted it.
    Delivered,
    /// Nothing was owed any more when its turn came.
    Superseded,
    /// Freshsales refused it; kept until sent, discarded or erased.
    Dead,
    /// Given up by a person's order.
    Discarded,
    /// Deleted with its person.
    Erased,
}

impl State {
    /// All states in the order of a delivery's life.
    pub const ALL: [Self; 8] = [
        Self::Waiting,
        Self::InFlight,
        Self::Retrying,
        Self::Delivered,
        Self::Superseded,
        Self::Dead,
        Self::Discarded,
        Self::Erased,
    ];

    /// The word in JSON and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::InFlight => "in_flight",
            Self::Retrying => "retrying",
            Self::Delivered => "delivered",
            Self::Superseded => "superseded",
            Self::Dead => "dead",
            Self::Discarded => "discarded",
            Self::Erased => "erased",
        }
    }

    /// The state of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether a call may still follow without anybody's doing.
    #[must_use]
    pub fn is_open(self) -> bool {
        match self {
            Self::Waiting | Self::InFlight | Self::Retrying => true,
            Self::Delivered | Self::Superseded | Self::Dead | Self::Discarded | Self::Erased => false,
        }
    }
}

/// Names a delivery: the journal position of the event that opened it, and which of that event's deliveries
/// it is; or the review that opened it. Derived, so that deciding the same again names the same delivery.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryId(pub String);

impl DeliveryId {
    /// The `nth` delivery that the event at `position` opened.
    #[must_use]
    pub fn of(position: crate::event::Position, nth: usize) -> Self {
        Self(format!("d{}-{nth}", position.0))
    }

    /// The event that opened it, where one did.
    #[must_use]
    pub fn opened_by(&self) -> Option<crate::event::Position> {
        let (position, _) = self.0.strip_prefix('d')?.split_once('-')?;
        position.parse().ok().map(crate::event::Position)
    }

    /// The delivery that the review of this number opened for the `nth` contact it looked at.
    #[must_use]
    pub fn of_review(number: u64, nth: u64) -> Self {
        Self(format!("r{number}-{nth}"))
    }

    /// A delivery that no event opened: of a record one is opened at a moment.
    #[must_use]
    pub fn without_event(subject: &Subject, now: UnixMicros) -> Self {
        let mut hasher = DefaultHasher::new();
        subject.hash(&mut hasher);
        Self(format!("w{}-{:016x}", now.0, hasher.finish()))
    }

    /// The delivery that a person's order opened at a moment; no two orders have one.
    #[must_use]
    pub fn of_order(at: UnixMicros) -> Self {
        Self(format!("o{}", at.0))
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The Freshsales account (its host): what was accepted, allowed, blocked or refused belongs to one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Account(pub String);

/// One owed period of one record of the CRM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its name.
    pub id: DeliveryId,
    /// The account it is owed to.
    pub account: Account,
    /// The record that is owed the call. Bodies that were stored when there were contacts alone hold the bare address.
    #[serde(alias = "email", deserialize_with = "subject::stored")]
    pub subject: Subject,
    /// Whom a record other than a contact is about, where it is about somebody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Email>,
    /// The highest lane of what is owed.
    pub lane: Lane,
    /// Where it is in its life.
    pub state: State,
    /// How many events it carries: the one that opened it and those absorbed.
    pub events: u64,
    /// When it was opened.
    pub opened_at: UnixMicros,
    /// Not tried before this moment.
    pub next_attempt_at: UnixMicros,
    /// When it reached its end.
    pub ended_at: Option<UnixMicros>,
    /// How many attempts were made, kept or not.
    pub attempts_made: u32,
    /// How many of them failed in a row for a passing reason that counts (a throttle does not).
    pub failures: u32,
    /// When the last of these was.
    #[serde(default)]
    pub last_failure_at: Option<UnixMicros>,
    /// How long it has been failing while other contacts got answers. Waiting for the allowance, a throttle, a block or
    /// the breaker is no part of it.
    #[serde(default)]
    pub failing: Duration,
    /// It was sent again without an attribute that Freshsales refused.
    #[serde(default)]
    pub salvaged: bool,
    /// What else happened to it, for a person.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Why it stands where it stands, for a person.
    pub reason: Option<String>,
    /// It is sent in a call of its own: a bulk call did not bring it to an end, or it is of no contact.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub alone: bool,
    /// The first attempts and the latest ones.
    pub attempts: Vec<Attempt>,
    /// The contact was erased while the call was on its way: whatever its answer, it ends erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erasure: Option<Erasing>,
    /// The quota that its first call counts for: that of the source whose event opened it when Freshsales did not have the
    /// contact, or by which a stranger refused.
    #[serde(default, rename = "new_contact_of", skip_serializing_if = "Option::is_none")]
    pub bound: Option<Bound>,
}

/// What follows when the call of an erased contact ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Erasing {
    /// Nothing.
    Here,
    /// An order to forget the contact in Freshsales waits for it.
    InCrmToo,
}

impl Delivery {
    /// Opens a delivery for a record that is owed a call.
    #[must_use]
    pub fn open(
        id: DeliveryId,
        account: Account,
        subject: impl Into<Subject>,
        lane: Lane,
        now: UnixMicros,
    ) -> Self {
        let subject = subject.into();
        let alone = subject.contact().is_none();
        Self {
            id,
            account,
            subject,
            person: None,
            lane,
            state: State::Waiting,
            events: 1,
            opened_at: now,
            next_attempt_at: now,
            ended_at: None,
            attempts_made: 0,
            failures: 0,
            last_failure_at: None,
            failing: Duration::ZERO,
            salvaged: false,
            notes: Vec::new(),
            reason: None,
            alone,
            attempts: Vec::new(),
            erasure: None,
            bound: None,
        }
    }

    /// The address of whom it is about, where it is about somebody.
    #[must_use]
    pub fn email(&self) -> Option<&Email> {
        match &self.subject {
            Subject::Contact(email) => Some(email),
            Subject::Member(key) => Some(&key.email),
            Subject::Company(_) | Subject::Deal(_) | Subject::Happening(_) => self.person.as_ref(),
        }
    }

    /// Takes one more event along; the lane only rises.
    #[must_use]
    pub fn absorb(mut self, lane: Lane) -> Self {
        self.events += 1;
        self.lane = self.lane.max(lane);
        self
    }

    /// A call leaves.
    #[must_use]
    pub fn claim(mut self) -> Self {
        self.state = State::InFlight;
        self.attempts_made += 1;
        self
    }

    /// The claim is void: the process that made it is gone, so nobody knows how the call ended.
    #[must_use]
    pub fn void_claim(mut self, now: UnixMicros) -> Self {
        self.state = State::Retrying;
        self.next_attempt_at = now;
        self.reason = Some("the service stopped during the call; it is tried again".to_owned());
        self
    }

    /// Freshsales accepted it.
    #[must_use]
    pub fn deliver(self, now: UnixMicros) -> Self {
        self.end(State::Delivered, None, now)
    }

    /// Nothing is owed any more.
    #[must_use]
    pub fn supersede(self, why: &str, now: UnixMicros) -> Self {
        self.end(State::Superseded, Some(why.to_owned()), now)
    }

    /// Freshsales refused it; it is kept.
    #[must_use]
    pub fn die(self, why: String, now: UnixMicros) -> Self {
        self.end(State::Dead, Some(why), now)
    }

    /// Whether it counts for the quota of withdrawals that strangers say.
    #[must_use]
    pub fn is_bound_by_strangers(&self) -> bool {
        match &self.bound {
            Some(Bound::Withdrawals(_)) => true,
            Some(Bound::NewContacts(_)) | None => false,
        }
    }

    /// What is left to send has to wait for a quota.
    #[must_use]
    pub fn wait_for(mut self, bound: Bound, now: UnixMicros) -> Self {
        self.state = State::Waiting;
        self.next_attempt_at = now;
        self.reason = None;
        self.bound = Some(bound);
        self
    }

    /// A dead delivery is given up.
    #[must_use]
    pub fn discard(self, why: &str, now: UnixMicros) -> Self {
        self.end(State::Discarded, Some(why.to_owned()), now)
    }

    /// A passing failure: tried again at `at`.
    #[must_use]
    pub fn retry(mut self, why: String, now: UnixMicros, at: UnixMicros) -> Self {
        self.failures += 1;
        self.last_failure_at = Some(now);
        self.wait(why, at)
    }

    /// Freshsales refused the value of one attribute: tried again without it, at once.
    #[must_use]
    pub fn salvage(mut self, note: String, now: UnixMicros) -> Self {
        self.salvaged = true;
        self.note(note.clone());
        self.wait(note, now)
    }

    /// Notes something for a person; the latest notes are kept.
    pub fn note(&mut self, note: String) {
        if self.notes.len() >= NOTES_KEPT_MAX {
            self.notes.remove(0);
        }
        self.notes.push(note);
    }

    /// The account as a whole has to wait until `at`; this burns nothing.
    #[must_use]
    pub fn wait(mut self, why: String, at: UnixMicros) -> Self {
        self.state = State::Retrying;
        self.next_attempt_at = at;
        self.reason = Some(why);
        self
    }

    /// A bulk call did not bring it: it is owed as before, in a call of its own.
    #[must_use]
    pub fn wait_alone(mut self, why: String, now: UnixMicros) -> Self {
        self.alone = true;
        self.wait(why, now)
    }

    /// A dead delivery whose contact changed is owed again.
    #[must_use]
    pub fn reopen(mut self, now: UnixMicros) -> Self {
        self.state = State::Retrying;
        self.next_attempt_at = now;
        self.ended_at = None;
        self.failures = 0;
        self.last_failure_at = None;
        self.failing = Duration::ZERO;
        self.salvaged = false;
        self
    }

    /// Whom it is about is erased while the call is on its way.
    #[must_use]
    pub fn erase_in_flight(mut self, how: Erasing) -> Self {
        self.attempts.clear();
        (self.reason, self.person) = (None, None);
        self.erasure = Some(how);
        self
    }

    /// The same without its attempts, which may be large.
    #[must_use]
    pub fn without_attempts(&self) -> Self {
        Self {
            id: self.id.clone(),
            account: self.account.clone(),
            subject: self.subject.clone(),
            person: self.person.clone(),
            reason: self.reason.clone(),
            notes: self.notes.clone(),
            attempts: Vec::new(),
            bound: self.bound.clone(),
            ..*self
        }
    }

    /// Keeps an attempt for the debugger: the first few and the latest ones.
    pub fn record(&mut self, attempt: Attempt) {
        if self.attempts.len() >= ATTEMPTS_KEPT_MAX {
            self.attempts.remove(ATTEMPTS_KEPT_MAX / 4);
        }
        self.attempts.push(attempt);
    }

    fn end(mut self, state: State, why: Option<String>, now: UnixMicros) -> Self {
        self.state = state;
        self.ended_at = Some(now);
        self.reason = why;
        self
    }
}
