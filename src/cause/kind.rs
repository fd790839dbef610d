//! The kinds of causes: their words, their headlines, and whether anything stands still because of one.

use serde::{Deserialize, Serialize};

/// What may be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Every call to Freshsales would be refused.
    Blocked,
    /// Freshsales does not answer.
    Unreachable,
    /// The key's user has no right to some records.
    KindShut,
    /// The account does not have names that the mapping says.
    NamesMissing,
    /// Deals wait for a person to decide.
    DealsUndecided,
    /// Notes, activities or tasks wait for a person to decide.
    HappeningsUnclear,
    /// The account takes attributes and does not keep them.
    AttributesUnkept,
    /// Attributes turn without end between two values.
    AttributesTurn,
    /// A new contact or an order is due and does not leave.
    LeadsWait,
    /// Freshsales refused more of what was sent.
    DeadLetters,
    /// What waits to be sent takes more than a day.
    Drain,
    /// New contacts wait because their source has made as many as it may.
    Quota,
    /// More refusals of strangers than a source may bring.
    WithdrawalsWait,
    /// Events are accepted and none takes effect.
    Processing,
    /// Events are accepted faster than they take effect.
    Lag,
    /// A stage comes to nothing.
    StageStands,
    /// Events could not be processed.
    FailedEvents,
    /// Contacts whose call can't be made up.
    SetAside,
    /// Events are refused, because they can't be stored.
    Refusing,
    /// The disk is nearly full.
    DiskLow,
    /// A file of the data folder was taken away.
    JournalAway,
    /// A source sends more than it may.
    TooManyEvents,
    /// A receiver of outputs said that it is gone.
    OutputOff,
    /// What other systems were to be told was given up, or is not taken.
    OutputsWait,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 24] = [
        Self::Blocked,
        Self::Unreachable,
        Self::KindShut,
        Self::NamesMissing,
        Self::DealsUndecided,
        Self::HappeningsUnclear,
        Self::AttributesUnkept,
        Self::AttributesTurn,
        Self::LeadsWait,
        Self::DeadLetters,
        Self::Drain,
        Self::Quota,
        Self::WithdrawalsWait,
        Self::Processing,
        Self::Lag,
        Self::StageStands,
        Self::FailedEvents,
        Self::SetAside,
        Self::Refusing,
        Self::DiskLow,
        Self::JournalAway,
        Self::TooManyEvents,
        Self::OutputOff,
        Self::OutputsWait,
    ];

    /// The word in JSON, metrics and the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Unreachable => "unreachable",
            Self::KindShut => "kind_shut",
            Self::NamesMissing => "names_missing",
            Self::DealsUndecided => "deals_undecided",
            Self::HappeningsUnclear => "happenings_unclear",
            Self::AttributesUnkept => "attributes_unkept",
            Self::AttributesTurn => "attributes_turn",
            Self::LeadsWait => "leads_wait",
            Self::DeadLetters => "dead_letters",
            Self::Drain => "drain",
            Self::Quota => "quota",
            Self::WithdrawalsWait => "withdrawals_wait",
            Self::Processing => "processing",
            Self::Lag => "lag",
            Self::StageStands => "stage_stands",
            Self::FailedEvents => "failed_events",
            Self::SetAside => "set_aside",
            Self::Refusing => "refusing",
            Self::DiskLow => "disk_low",
            Self::JournalAway => "journal_away",
            Self::TooManyEvents => "too_many_events",
            Self::OutputOff => "output_off",
            Self::OutputsWait => "outputs_wait",
        }
    }

    /// The cause of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == word)
    }

    /// What has happened, as a headline.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Blocked => "Freshsales refuses every call",
            Self::Unreachable => "Freshsales does not answer",
            Self::KindShut => "Some records may not be written",
            Self::NamesMissing => "The account does not have names of the mapping",
            Self::DealsUndecided => "Deals wait for a decision",
            Self::HappeningsUnclear => "Notes, activities or tasks wait for a decision",
            Self::AttributesUnkept => "Freshsales does not keep what it takes",
            Self::AttributesTurn => "Two systems answer each other in Freshsales",
            Self::LeadsWait => "A new contact or an order has waited for over 5 minutes",
            Self::DeadLetters => "Freshsales refused what was sent",
            Self::Drain => "The backlog takes more than a day",
            Self::Quota => "A source has used up its quota of new contacts",
            Self::WithdrawalsWait => "Strangers refuse marketing for many addresses",
            Self::Processing => "Events are accepted and none takes effect",
            Self::Lag => "Events arrive faster than they take effect",
            Self::StageStands => "A part of the service comes to nothing",
            Self::FailedEvents => "Events could not be processed",
            Self::SetAside => "Contacts are not called because of a defect",
            Self::Refusing => "Events are refused",
            Self::DiskLow => "The disk is nearly full",
            Self::JournalAway => "A file of the data folder is gone",
            Self::TooManyEvents => "A source sends more events than it may",
            Self::OutputOff => "A receiver of outputs is gone",
            Self::OutputsWait => "Another system is not told what happened",
        }
    }

    /// Whether events or calls stand still because of it, so that all is not well.
    #[must_use]
    pub fn stops_things(self) -> bool {
        match self {
            Self::Blocked
            | Self::Unreachable
            | Self::Processing
            | Self::StageStands
            | Self::Refusing
            | Self::JournalAway => true,
            Self::KindShut
            | Self::NamesMissing
            | Self::DealsUndecided
            | Self::HappeningsUnclear
            | Self::AttributesUnkept
            | Self::AttributesTurn
            | Self::LeadsWait
            | Self::DeadLetters
            | Self::Drain
            | Self::Quota
            | Self::WithdrawalsWait
            | Self::Lag
            | Self::FailedEvents
            | Self::SetAside
            | Self::DiskLow
            | Self::TooManyEvents
            | Self::OutputOff
            | Self::OutputsWait => false,
        }
    }
}
