//! Everything the sandbox remembers, and the view of it a test gets. Must not answer calls.

use serde_json::Value;

use super::bulk::Jobs;
use super::contacts::ContactBook;
use super::faults::Faults;
use super::hook::Teller;
use super::kinds::Kind;
use super::limits::Limits;
use super::options::SandboxOptions;
use super::recorder::{RecordedRequest, Recorder};
use super::records::Records;
use super::routes::Entity;
use super::selectors::Lists;

/// Everything the sandbox remembers.
#[derive(Debug)]
pub(super) struct State {
    pub(super) book: ContactBook,
    pub(super) records: Records,
    pub(super) lists: Lists,
    pub(super) jobs: Jobs,
    pub(super) faults: Faults,
    pub(super) limits: Limits,
    pub(super) recorder: Recorder,
    /// Records that the call of now has changed.
    pub(super) changed: Vec<(Entity, u64)>,
    /// Where changes are told.
    pub(super) tellers: Vec<Teller>,
    /// Changes that were to be told, and those that were.
    pub(super) to_tell: u64,
    pub(super) told: u64,
}

impl State {
    /// An account nobody has used.
    pub(super) fn new(options: &SandboxOptions) -> Self {
        Self {
            book: ContactBook::default(),
            records: Records::default(),
            lists: Lists::new(&options.selectors),
            jobs: Jobs::default(),
            faults: Faults::default(),
            limits: Limits::new(options.per_hour, options.per_minute),
            recorder: Recorder::default(),
            changed: Vec::new(),
            tellers: Vec::new(),
            to_tell: 0,
            told: 0,
        }
    }

    /// Back to an account nobody has used, except that ids are not given again and lists stay as they are.
    pub(super) fn clear(&mut self) {
        self.book.clear();
        self.records.clear();
        self.jobs.clear();
        self.faults.clear();
        self.limits.clear();
        self.recorder.clear();
    }
}

/// The sandbox at one moment.
#[derive(Debug)]
pub struct SandboxView<'a> {
    pub(super) state: &'a State,
}

impl<'a> SandboxView<'a> {
    /// Every contact as it is stored, oldest first.
    #[must_use]
    pub fn contacts(&self) -> impl ExactSizeIterator<Item = Value> + use<'a> {
        self.state.book.all()
    }

    /// The contact with this email.
    #[must_use]
    pub fn contact(&self, email: &str) -> Option<Value> {
        self.state.book.by_email(email)
    }

    /// Every deal as it is stored, with the ids of its contacts.
    pub fn deals(&self) -> impl Iterator<Item = Value> + use<'a> {
        self.state.records.all(Kind::Deal).map(|(id, deal)| deal.whole(id))
    }

    /// How many calls were received.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.state.recorder.calls()
    }

    /// The calls received, oldest first. A call is here before it is answered.
    #[must_use]
    pub fn requests(&self) -> impl ExactSizeIterator<Item = &'a RecordedRequest> + use<'a> {
        self.state.recorder.all()
    }
}
