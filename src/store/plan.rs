//! A plan: everything one decision changes, applied whole or not at all.

use std::collections::BTreeMap;

use crate::allowance::SlotId;
use crate::cause::Alert;
use crate::clock::UnixMicros;
use crate::company::Company;
use crate::contact::Contact;
use crate::deal::Deal;
use crate::decision::{Contributed, Gathering, Outcome, RedriveAll, Review};
use crate::delivery::{
    Account, Bound, BulkJob, CompanyKey, DealKey, Delivery, DeliveryId, HappeningId, JobId, Lane, State,
};
use crate::destination::Destination;
use crate::erasure::{CallEnd, Erasure, ForgetEnd, ForgetId, ForgetOrder, Mark};
use crate::event::{Email, Position, SourceName};
use crate::happening::Happening;
use crate::person::{Person, PersonKey, Timeline, TimelineKey};
use crate::selectors::{Kind, List};
use crate::store::{Failed, PutExport, PutOrder, PutOutput, Revision, Stream};
use crate::trail::{Act, EventTrail, Look, Span, Tallied, Tallies};

/// Everything one decision changes.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// How far the journal has taken effect with this plan.
    pub progress: Option<Progress>,
    /// What is written.
    pub puts: Vec<Put>,
    /// What is counted.
    pub counts: Counts,
    /// Nobody said anything: people and time lines that are written do not count as heard.
    pub unheard: bool,
}

impl Plan {
    /// Whether this is what events led to and nothing else: were it lost, the journal would lead to it again.
    #[must_use]
    pub fn is_of_events_alone(&self) -> bool {
        self.progress.is_some()
    }

    /// Whether it only adds to what is noted of who did what: it rests on nothing, so whoever does not work may write it too.
    #[must_use]
    pub fn is_of_notes_alone(&self) -> bool {
        let is_note = |put: &Put| matches!(put, Put::Act(_) | Put::Look(_));
        self.progress.is_none() && self.counts == Counts::default() && self.puts.iter().all(is_note)
    }
}

/// The journal's effect moves on. A plan whose `from` is not where the store stands is a `Conflict`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Which part of it.
    pub stream: Stream,
    /// Where it stands.
    pub from: Position,
    /// Where it stands afterwards.
    pub to: Position,
    /// Events that took effect on the way.
    pub events: u64,
}

/// One write. Documents carry the revision they were loaded at; another one in the store is a `Conflict`.
#[derive(Clone, Debug)]
pub enum Put {
    /// A person.
    Person(PersonKey, Revision, Person),
    /// A time line.
    Timeline(TimelineKey, Revision, Timeline),
    /// A contact.
    Contact(Email, Revision, Contact),
    /// A company.
    Company(CompanyKey, Revision, Company),
    /// A deal.
    Deal(Box<PutDeal>),
    /// A note, an activity or a task.
    Happening(Box<(HappeningId, Revision, Happening)>),
    /// A delivery.
    Delivery(Revision, Delivery),
    /// The state of the destination.
    Destination(Account, Revision, Destination),
    /// How far the review of all contacts came.
    Review(Revision, Review),
    /// How far the order to send all dead letters again came.
    Redrive(Revision, RedriveAll),
    /// Which crowds are still to be gathered.
    Gathering(Revision, Gathering),
    /// What a person contributes to a crowd, in place of what they did before.
    Contributed(Contributed),
    /// A message that was seen at a position, and when it was received.
    Seen(SourceName, String, Position, UnixMicros),
    /// The trail of an event.
    Trail(EventTrail),
    /// The message first seen at a position came again.
    SeenAgain(Position),
    /// An event could not be processed. Its message counts as seen; where there are more than may be kept, the oldest of
    /// the source with most is given up for it.
    Failed(Box<Failed>),
    /// An event that was put aside took effect after all, or was erased.
    FailedEnded(Position),
    /// The call of a delivery can't be made up: it waits until the delivery is written again or the store is opened anew.
    SetAside(DeliveryId),
    /// A call takes a slot of the allowance before it leaves.
    SlotTaken(Account, SlotId, UnixMicros),
    /// The call of a slot is the first of a contact of this source.
    Bounded(Account, SlotId, Bound),
    /// The call of a slot was answered or timed out.
    SlotAnswered(Account, SlotId, UnixMicros),
    /// A bulk call was taken: its claims outlive the process until the job has ended.
    BulkJob(Account, BulkJob),
    /// The job of a bulk call has ended.
    BulkJobEnded(Account, JobId),
    /// What an account answered for one of its lists.
    Selectors(Account, Kind, List),
    /// What became of a cause that a person is told of.
    Alert(Box<Alert>),
    /// Something that was ordered or done.
    Act(Act),
    /// Somebody was shown a person.
    Look(Look),
    /// Something of an order that a person gave on a node that does not work.
    Order(PutOrder),
    /// Something of what other systems of the user are told.
    Output(PutOutput),
    /// A deal was won at a moment, or is won no more. The first moment of each counts.
    Won(DealKey, Option<UnixMicros>),
    /// Something of an export.
    Export(PutExport),
    /// A document goes.
    Gone(Gone),
    /// Something is noted for an erasure.
    Privacy(Privacy),
}

/// A deal that is written, and what holds it back.
#[derive(Clone, Debug)]
pub struct PutDeal {
    /// Its key.
    pub key: DealKey,
    /// The revision it was loaded at.
    pub revision: Revision,
    /// Its content.
    pub deal: Deal,
    /// The account that it is held back for.
    pub account: Account,
    /// The word of the cause, if it is.
    pub held: Option<&'static str>,
}

impl PutDeal {
    /// A deal as it stands with an account.
    #[must_use]
    pub fn new(key: DealKey, revision: Revision, deal: Deal, account: &Account) -> Self {
        let held = deal.held(account);
        Self { key, revision, deal, account: account.clone(), held }
    }
}

/// A document that goes, at the revision it was loaded at.
#[derive(Clone, Debug)]
pub enum Gone {
    /// A person.
    Person(PersonKey, Revision),
    /// A time line.
    Timeline(TimelineKey, Revision),
    /// A contact.
    Contact(Email, Revision),
    /// A company.
    Company(CompanyKey, Revision),
    /// A deal.
    Deal(DealKey, Revision),
    /// A note, an activity or a task.
    Happening(HappeningId, Revision),
    /// A delivery.
    Delivery(DeliveryId, Revision),
}

/// What is noted for an erasure, and whom nothing is sent of.
#[derive(Clone, Debug)]
pub enum Privacy {
    /// What this mark said up to a moment counts no more. Kept as a hash.
    Tombstone(Mark, UnixMicros),
    /// Nothing of an address is ever sent, from a moment on.
    Suppress(Email, UnixMicros),
    /// That order is undone.
    Unsuppress(Email),
    /// The content of an event is to go from the journal.
    Blank(Position),
    /// A message counts as never seen.
    Unsee(SourceName, String),
    /// The CRM is to forget a contact, or the order to do so goes on like this.
    Forget(Box<ForgetOrder>),
    /// An order to forget a contact has ended.
    ForgetEnded(ForgetId, ForgetEnd),
    /// The call that orders to forget a contact may wait for has ended.
    CallEnded(DeliveryId, CallEnd),
    /// How far an erasure has come.
    Erasure(Box<Erasure>),
}

/// Counters that are never pruned, changed in the transaction of what they count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events by outcome.
    pub outcomes: BTreeMap<Outcome, i64>,
    /// Deliveries opened.
    pub queued: i64,
    /// The same by lane, and by the source whose new contact it is.
    pub opened: BTreeMap<(Lane, Option<Bound>), i64>,
    /// Deliveries by final state; one that is reopened counts back.
    pub ended: BTreeMap<State, i64>,
    /// What is counted by the half hour; kept for some days.
    pub tallies: Tallies,
}

impl Counts {
    /// Counts an event.
    pub fn outcome(&mut self, outcome: Outcome) {
        *self.outcomes.entry(outcome).or_default() += 1;
    }

    /// Counts a delivery that reached an end, at the moment it says; one that had ended before counts no second time.
    pub fn reached_end(&mut self, delivery: &Delivery, was: Option<State>) {
        let ended_before = was.is_some_and(|was| !was.is_open());
        if let Some(at) = delivery.ended_at.filter(|_| !delivery.state.is_open() && !ended_before) {
            *self.tallies.entry((Span::of(at), Tallied::Ended(delivery.state))).or_default() += 1;
        }
    }

    /// Adds what was counted by the half hour.
    pub fn count(&mut self, tallies: Tallies) {
        for (of, by) in tallies {
            *self.tallies.entry(of).or_default() += by;
        }
    }

    /// Counts a delivery that was opened by its lane.
    pub fn opened(&mut self, delivery: &Delivery) {
        if delivery.subject.member().is_some() {
            // A hundred of them are one call, so they say nothing of whether the allowance is enough.
            return;
        }
        *self.opened.entry((delivery.lane, delivery.bound.clone())).or_default() += 1;
    }

    /// Counts a delivery that went from one state to another; `None` is one that did not exist.
    pub fn moved(&mut self, from: Option<State>, to: State) {
        match from {
            None => self.queued += 1,
            Some(state) if state.is_open() => {}
            Some(state) => *self.ended.entry(state).or_default() -= 1,
        }
        if !to.is_open() {
            *self.ended.entry(to).or_default() += 1;
        }
    }
}
