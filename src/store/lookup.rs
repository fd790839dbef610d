//! Look-ups: what the debugger and the scheduler ask of a store.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::allowance::{LaneLoad, SlotId};
use crate::clock::UnixMicros;
use crate::decision::{Outcome, RedriveAll, Review};
use crate::delivery::{Account, Bound, CallKind, DealKey, DeliveryId, HappeningId, Lane, State, Subject};
use crate::erasure::Erasure;
use crate::event::{Email, Position, SourceName};
use crate::output::Gate;
use crate::store::Worths;
use crate::trail::EventTrail;

/// The most rows one look-up answers.
pub const LIMIT_MAX: usize = 500;

/// Orders to erase somebody that are not carried out.
#[derive(Clone, Debug, Default)]
pub struct OpenErasures {
    /// Oldest first.
    pub orders: Vec<Erasure>,
    /// How many more there are that can't be read.
    pub unreadable: u64,
    /// The id that the next order may have.
    pub next_id: u64,
}

/// A number of rows, from 1 to [`LIMIT_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited(usize);

impl Limited {
    /// As near to `rows` as allowed.
    #[must_use]
    pub fn to(rows: usize) -> Self {
        Self(rows.clamp(1, LIMIT_MAX))
    }

    /// The number.
    #[must_use]
    pub fn rows(self) -> usize {
        self.0
    }
}

/// A text that is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sought {
    /// The text, in lower case.
    pub text: String,
    /// Who is called so (texts of persons' keys).
    pub people: BTreeSet<String>,
    /// Their addresses.
    pub emails: BTreeSet<Email>,
}

impl Sought {
    /// A text, whoever is called so.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self { text: text.to_lowercase(), ..Self::default() }
    }

    fn is_of_one_called_so(&self, event: &EventTrail) -> bool {
        event.person.as_ref().is_some_and(|person| self.people.contains(person))
            || event.email.as_ref().is_some_and(|email| self.emails.contains(email))
    }
}

/// Which events of the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventQuery {
    /// How many.
    pub limit: Limited,
    /// Only those before this position.
    pub before: Option<Position>,
    /// Only those that count for this contact.
    pub email: Option<Email>,
    /// Only those of this person (text of a person's key).
    pub person: Option<String>,
    /// Only those of this name, whatever its case.
    pub event: Option<String>,
    /// Only those with one of these outcomes; of any, where none is named.
    pub outcomes: Vec<Outcome>,
    /// Only those of this source.
    pub source: Option<SourceName>,
    /// Only those received at this moment or later.
    pub since: Option<UnixMicros>,
    /// Only those received at this moment or earlier.
    pub until: Option<UnixMicros>,
    /// Only those that have this text in their name, their page, their message id, or whose they are, whatever its case; or that are
    /// of somebody who is called so.
    pub text: Option<Sought>,
    /// Only those after this position: how far back the trail is walked.
    pub after: Option<Position>,
}

impl EventQuery {
    /// The newest events, whatever they are.
    #[must_use]
    pub fn newest(limit: Limited) -> Self {
        Self {
            limit,
            before: None,
            email: None,
            person: None,
            event: None,
            outcomes: Vec::new(),
            source: None,
            since: None,
            until: None,
            text: None,
            after: None,
        }
    }

    /// Whether no index finds what is asked for, so that the trail is walked back for it: a text, a source, or a name and what became
    /// of it. Of one person or contact there are few.
    #[must_use]
    pub fn walks(&self) -> bool {
        let of_somebody = self.email.is_some() || self.person.is_some();
        let by_two = self.event.is_some() && !self.outcomes.is_empty();
        self.text.is_some() || (!of_somebody && (self.source.is_some() || by_two))
    }

    /// Whether an event has the text in it, where one is asked for.
    fn has_text(&self, event: &EventTrail) -> bool {
        let Some(sought) = &self.text else { return true };
        let email = event.email.as_ref().map(Email::as_str);
        let others = [email, event.person.as_deref(), event.page.as_deref()];
        let all = [Some(event.event.as_str()), Some(event.message_id.as_str())].into_iter().chain(others);
        all.flatten().any(|told| told.to_lowercase().contains(&sought.text))
            || sought.is_of_one_called_so(event)
    }

    /// Whether an event fits, whatever its page.
    #[must_use]
    pub fn admits(&self, event: &EventTrail) -> bool {
        let same = |name: &String| name.to_lowercase() == event.event.to_lowercase();
        self.email.as_ref().is_none_or(|email| event.email.as_ref() == Some(email))
            && self.person.as_ref().is_none_or(|person| event.person.as_ref() == Some(person))
            && self.event.as_ref().is_none_or(same)
            && (self.outcomes.is_empty() || self.outcomes.contains(&event.outcome))
            && self.has_text(event)
            && self.source.as_ref().is_none_or(|source| event.source == *source)
            && self.since.is_none_or(|since| event.received_at >= since)
            && self.until.is_none_or(|until| event.received_at <= until)
    }
}

/// Which deals, in the order of their keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DealQuery {
    /// Only those after this one.
    pub after: Option<DealKey>,
    /// Only those of this address of a contact, or this person's key as text where there is none yet.
    pub found_by: Option<String>,
    /// Only those that are held back for this cause with this account.
    pub held: Option<(Account, String)>,
    /// How many.
    pub limit: usize,
}

/// Which notes, activities and tasks that are still to be told, in the order of their ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HappeningQuery {
    /// Those for this account.
    pub account: Account,
    /// Only those after this one.
    pub after: Option<HappeningId>,
    /// How many.
    pub limit: usize,
}

/// Which deliveries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryQuery {
    /// How many.
    pub limit: Limited,
    /// Only those opened before the one with this sequence (see [`DeliverySummary::sequence`]).
    pub before: Option<u64>,
    /// Only those that are about whom this address belongs to.
    pub email: Option<Email>,
    /// Only those of this record.
    pub subject: Option<Subject>,
    /// Only those in this state.
    pub state: Option<State>,
    /// Only those owed to this account.
    pub account: Option<Account>,
    /// Only those whose reason has these words, whatever their case.
    pub reason: Option<String>,
}

/// A dead letter on a walk over all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its place: deliveries in the order in which they were first stored.
    pub place: u64,
    /// Of which record.
    pub subject: Subject,
}

/// A delivery in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliverySummary {
    /// Orders deliveries by when they were first stored.
    pub sequence: u64,
    /// The delivery, whole.
    pub delivery: crate::delivery::Delivery,
}

/// How a delivery stands, for a list of what led to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryStands {
    /// To which account it is owed.
    pub account: Account,
    /// The record that is owed the call.
    pub subject: Subject,
    /// Where it is in its life.
    pub state: State,
    /// Why it stands there, for a person.
    pub reason: Option<String>,
    /// When it reached its end.
    pub ended_at: Option<UnixMicros>,
    /// While it is open: not tried before this moment.
    pub next_attempt_at: Option<UnixMicros>,
}

impl DeliveryStands {
    /// `next_attempt_at` says something of a delivery that is open alone.
    #[must_use]
    pub fn new(
        account: Account,
        subject: Subject,
        state: State,
        reason: Option<String>,
        ended_at: Option<UnixMicros>,
        next_attempt_at: UnixMicros,
    ) -> Self {
        Self {
            account,
            subject,
            state,
            reason,
            ended_at,
            next_attempt_at: state.is_open().then_some(next_attempt_at),
        }
    }
}

/// A delivery that may be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Which.
    pub id: DeliveryId,
    /// Of which record.
    pub subject: Subject,
    /// In which lane.
    pub lane: Lane,
    /// Since when it is owed.
    pub opened_at: UnixMicros,
    /// What its first call counts for, if this is that call.
    pub bound: Option<Bound>,
}

/// Which deliveries may be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueQuery {
    /// Owed to this account.
    pub account: Account,
    /// The present.
    pub now: UnixMicros,
    /// In these lanes, one after the other.
    pub lanes: Vec<Lane>,
    /// Which of a lane come first.
    pub order: DueOrder,
    /// No first calls of contacts of these sources.
    pub held: Vec<Bound>,
    /// None of records of these kinds.
    pub shut: Vec<CallKind>,
    /// How many.
    pub limit: usize,
}

/// Which of a lane's due deliveries come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DueOrder {
    /// Those that are owed the longest.
    LongestFirst,
    /// Those that were opened last.
    NewestFirst,
}

/// A slot of the allowance as the store keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// Which.
    pub id: SlotId,
    /// When its call left.
    pub taken_at: UnixMicros,
    /// When it was answered; a slot of a process that is gone counts as answered when the store opened.
    pub answered_at: Option<UnixMicros>,
}

/// What is owed in one lane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwedInLane {
    /// Deliveries waiting, in flight or retrying.
    pub count: u64,
    /// When the oldest of them was opened.
    pub oldest: Option<UnixMicros>,
    /// Those that are not in flight, by how they may leave.
    pub load: LaneLoad,
}

/// How many outputs of one receiver there are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OutputTotals {
    /// Those that wait.
    pub waiting: u64,
    /// Bytes of them.
    pub waiting_bytes: u64,
    /// When the oldest of them was made.
    pub oldest: Option<UnixMicros>,
    /// Dead letters.
    pub dead: u64,
    /// Those that its receiver took, ever.
    pub taken: u64,
    /// Those that were put aside because too many waited, ever.
    pub crowded_out: u64,
    /// Dead letters that were given up because there were too many, or for their age, ever.
    pub lost: u64,
    /// How the receiver does.
    pub gate: Gate,
}

/// The counters and what is owed, at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    /// Events accepted into the journal, ever.
    pub accepted: u64,
    /// Events that took effect, ever.
    pub processed: u64,
    /// Events by outcome, ever.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Deliveries opened, ever.
    pub queued: u64,
    /// Deliveries opened, by lane and by how they may leave, as far as they were counted so.
    pub opened: BTreeMap<Lane, LaneLoad>,
    /// Deliveries by final state, ever.
    pub ended: BTreeMap<State, u64>,
    /// Open deliveries by state.
    pub open: BTreeMap<State, u64>,
    /// Open deliveries of other accounts, which go on once one of those is called again.
    pub other_accounts: BTreeMap<Account, u64>,
    /// Open deliveries of the account by lane.
    pub owed: BTreeMap<Lane, OwedInLane>,
    /// Deals of the account that are held back, by cause.
    pub held_deals: BTreeMap<String, u64>,
    /// Notes, activities and tasks of the account, by how they stand.
    pub happenings: BTreeMap<String, u64>,
    /// Those that are held back, by cause.
    pub held_happenings: BTreeMap<String, u64>,
    /// Dead letters of the account.
    pub dead_letters: u64,
    /// Open deliveries of the account whose calls can't be made up.
    pub set_aside: u64,
    /// Events that could not be processed and are kept aside.
    pub failed: u64,
    /// Events that could not be processed and are not kept any more, ever.
    pub failed_lost: u64,
    /// What receivers are told, by their names.
    pub outputs: BTreeMap<String, OutputTotals>,
    /// Slots of the account that may not be free yet.
    pub slots: Vec<Slot>,
    /// The oldest event of which the trail is kept, by what it is worth.
    pub trail_since: Worths<Option<UnixMicros>>,
    /// How the destination stands.
    pub destination: super::Destination,
    /// The review of all contacts that goes on, or the last one.
    pub review: Option<Review>,
    /// The order to send all dead letters again that goes on, or the last one.
    pub redrive: Option<RedriveAll>,
}
