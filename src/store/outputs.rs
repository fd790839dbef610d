//! Outputs as a store keeps them: what is written of them, how they are looked for, how many there are.

use super::{Limited, Revision};
use crate::clock::UnixMicros;
use crate::delivery::DealKey;
use crate::event::Email;
use crate::output::{Gate, Output, OutputState};

/// A write that concerns outputs. What is not there any more is passed over: it was erased, withheld or discarded meanwhile.
#[derive(Clone, Debug)]
pub enum PutOutput {
    /// Something is to be told. Where too many wait for its receiver, the oldest becomes a dead letter.
    Made(Box<Output>),
    /// Its receiver took it.
    Taken(OutputKey),
    /// It was tried without success and waits.
    Failed {
        /// Which.
        key: OutputKey,
        /// Why it had none.
        error: String,
        /// When.
        at: UnixMicros,
        /// Not tried before this moment.
        next_attempt_at: UnixMicros,
    },
    /// It was tried without success for the last time.
    GivenUp {
        /// Which.
        key: OutputKey,
        /// Why it had none.
        error: String,
        /// When.
        at: UnixMicros,
    },
    /// What failed since a moment is due now: its receiver is there again.
    Due {
        /// Of which receiver.
        receiver: String,
        /// Since when.
        failed_since: UnixMicros,
        /// When it is due.
        at: UnixMicros,
    },
    /// Dead letters wait again, as if they had never been tried.
    Redriven(OutputsOf, UnixMicros),
    /// Dead letters go.
    Discarded(OutputsOf),
    /// What waits to be told of somebody whose gate is shut goes, but for their refusal.
    Withheld(Email),
    /// What waits to be told to ad platforms of somebody who does not agree to that goes.
    NoConversion(Email),
    /// Everything that is to be told of somebody goes.
    Erased(Email),
    /// How a receiver does.
    Gate(String, Revision, Gate),
}

/// One output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputKey {
    /// The name of its receiver.
    pub receiver: String,
    /// Its id.
    pub id: String,
}

/// One dead letter of a receiver, or all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputsOf {
    /// The name of the receiver.
    pub receiver: String,
    /// Which one; `None`: all.
    pub id: Option<String>,
}

/// Which deals that are won.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WonQuery {
    /// Only those that were won since.
    pub since: UnixMicros,
    /// Only those after this one.
    pub after: Option<(DealKey, UnixMicros)>,
    /// How many.
    pub limit: Limited,
}

/// Which outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputQuery {
    /// How many.
    pub limit: Limited,
    /// Only those first stored before this place.
    pub before: Option<u64>,
    /// Only those of this receiver.
    pub receiver: Option<String>,
    /// Only those in this state.
    pub state: Option<OutputState>,
    /// Only those of this person.
    pub person: Option<Email>,
}
