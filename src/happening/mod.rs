//! The happening: a note, an activity or a task that an event tells sales, once.
//!
//! State is kept current, happenings are told: a call that tells one can't be repeated safely. Pure. Must not know the
//! mapping, contacts or storage.

mod body;
mod config;
mod standing;
mod step;
mod text;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::clock::UnixMicros;
use crate::delivery::{Account, CompanyKey, DealKey, HappeningKind, Lane, Subject};
use crate::event::{Email, SourceName, Stamp};
use crate::person::PersonKey;

pub use body::{Found, Names, Part, Wanted, body_of, day_of, found_in};
pub use config::{Config, PER_TARGET_PER_DAY_MAX};
pub use standing::{Carried, Held, InFlight, Standing, State};
pub use step::{Next, PAGES_MAX, ROUNDS_MAX, Wish, next};
pub use text::{Piece, TEXT_CHARS_MAX, Text, VALUE_CHARS_MAX, clean, cut};

/// Characters of a title.
pub const TITLE_CHARS_MAX: usize = 255;

/// What it hangs on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// The contact of its person.
    #[default]
    Contact,
    /// The deal that its event speaks of.
    Deal(DealKey),
    /// The company that its event names, else that of its contact.
    Company(Option<CompanyKey>),
}

/// The outcome of an activity. An id is kept as a number, as data folders of earlier versions have it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Outcome {
    /// Its id.
    Id(u64),
    /// What the account calls it, among the outcomes of the activity's type.
    Name(String),
}

/// What is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// A note.
    Note {
        /// Its text.
        text: Text,
    },
    /// A sales activity.
    Activity {
        /// What the account calls its type, or the id of that.
        activity_type: String,
        /// Its outcome.
        outcome: Option<Outcome>,
        /// Its title.
        title: Text,
        /// The email of the user whose activity it is, or the id of that.
        owner: String,
        /// What else is to be said.
        text: Text,
    },
    /// A task.
    Task {
        /// Its title.
        title: Text,
        /// By when it is to be done.
        due_at: UnixMicros,
        /// The email of the user whose task it is, or the id of that.
        owner: Option<String>,
        /// What else is to be said.
        text: Text,
    },
    /// How much more happened on a day than is told: a note.
    More {
        /// So much.
        events: u64,
        /// When the day is over, and it may be told.
        due_at: UnixMicros,
    },
}

impl Default for Says {
    fn default() -> Self {
        Self::Note { text: Text::default() }
    }
}

impl Says {
    /// What it is.
    #[must_use]
    pub fn kind(&self) -> HappeningKind {
        match self {
            Self::Note { .. } | Self::More { .. } => HappeningKind::Note,
            Self::Activity { .. } => HappeningKind::Activity,
            Self::Task { .. } => HappeningKind::Task,
        }
    }

    /// When it may be told, where that is not at once.
    #[must_use]
    pub fn due_at(&self) -> Option<UnixMicros> {
        match self {
            Self::More { due_at, .. } => Some(*due_at),
            Self::Note { .. } | Self::Activity { .. } | Self::Task { .. } => None,
        }
    }
}

/// A note, an activity or a task of one event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Happening {
    /// The account that is told of it. No other one is, whatever account is configured later: what was only shown in a dry run
    /// is never told.
    pub account: Account,
    /// The name of the event.
    pub event: String,
    /// The source of the event.
    pub source: SourceName,
    /// Whose event it is, if it is anybody's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonKey>,
    /// When it happened, and by which message.
    pub stamp: Stamp,
    /// When the event was received.
    pub received_at: UnixMicros,
    /// The lane of its call.
    pub lane: Lane,
    /// What it hangs on.
    pub on: On,
    /// What is told.
    pub says: Says,
    /// The address of its contact when it was last evaluated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<Email>,
    /// How it stands.
    pub standing: Standing,
}

impl Default for Happening {
    fn default() -> Self {
        Self {
            account: Account(String::new()),
            event: String::new(),
            source: SourceName(String::new()),
            person: None,
            stamp: Stamp::default(),
            received_at: UnixMicros(0),
            lane: Lane::Refresh,
            on: On::Contact,
            says: Says::default(),
            email: None,
            standing: Standing::default(),
        }
    }
}

impl Happening {
    /// The record it hangs on, as far as that is known.
    #[must_use]
    pub fn target(&self) -> Option<Subject> {
        match &self.on {
            On::Contact => self.email.clone().map(Subject::Contact),
            On::Deal(key) => Some(Subject::Deal(key.clone())),
            On::Company(key) => key.clone().map(Subject::Company),
        }
    }

    /// What it is found by when a person or a contact changes: the address of its contact; while it has none, the text of its
    /// person's key.
    #[must_use]
    pub fn found_by(&self) -> Option<String> {
        let person = || self.person.as_ref().map(ToString::to_string);
        self.email.as_ref().map(|email| email.as_str().to_owned()).or_else(person)
    }

    /// What it is found by when the record it hangs on changes, where that is no contact.
    #[must_use]
    pub fn hangs_on(&self) -> Option<String> {
        self.target().filter(|target| target.contact().is_none()).map(|target| target.to_string())
    }

    /// What is limited in a day: what it hangs on, else its person.
    #[must_use]
    pub fn counts_for(&self) -> Option<String> {
        self.target().map(|target| target.to_string()).or_else(|| self.found_by())
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> HappeningKind {
        self.says.kind()
    }
}
