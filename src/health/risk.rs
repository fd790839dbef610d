//! What a risk is: its kind, and words for it.

use serde::{Serialize, Serializer};

/// The kinds of risks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RiskKind {
    /// Events are accepted and none takes effect.
    Processing,
    /// Events are accepted faster than they take effect.
    Lag,
    /// A stage comes to nothing.
    StageStands,
    /// Events could not be processed and are kept aside.
    FailedEvents,
    /// Contacts whose call can't be made up.
    SetAside,
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
    /// Nearly as many dead letters as are kept.
    DeadLetters,
    /// More becomes due than may leave.
    Arrivals,
    /// A new contact or an order is due and does not leave.
    LeadsWait,
    /// Events are refused, because they can't be stored.
    Refusing,
    /// The disk is nearly full.
    DiskLow,
    /// A file of the store was taken away.
    JournalAway,
    /// Imports are refused.
    OldDataWaits,
    /// A source sends more than it may.
    TooManyEvents,
    /// Consent is said in a way that is not understood.
    ConsentNotUnderstood,
    /// An id names nobody.
    JunkIds,
    /// Most mapped events of a source are switched off.
    SwitchedOff,
    /// Addresses are no use.
    UnusableEmails,
    /// More refusals of strangers than a source may bring.
    WithdrawalsWait,
    /// A receiver of outputs said that it is gone.
    OutputOff,
    /// A receiver of outputs takes nothing, or some were given up.
    OutputsWait,
    /// Of several nodes none works.
    NobodyWorks,
    /// This node works by other settings than the one that does.
    OtherSettings,
}

impl RiskKind {
    /// All of them.
    pub const ALL: [Self; 28] = [
        Self::Processing,
        Self::Lag,
        Self::StageStands,
        Self::FailedEvents,
        Self::SetAside,
        Self::KindShut,
        Self::NamesMissing,
        Self::DealsUndecided,
        Self::HappeningsUnclear,
        Self::AttributesUnkept,
        Self::AttributesTurn,
        Self::DeadLetters,
        Self::Arrivals,
        Self::LeadsWait,
        Self::Refusing,
        Self::DiskLow,
        Self::JournalAway,
        Self::OldDataWaits,
        Self::TooManyEvents,
        Self::ConsentNotUnderstood,
        Self::JunkIds,
        Self::SwitchedOff,
        Self::UnusableEmails,
        Self::WithdrawalsWait,
        Self::OutputOff,
        Self::OutputsWait,
        Self::NobodyWorks,
        Self::OtherSettings,
    ];

    /// The word in JSON and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Processing => "processing",
            Self::Lag => "lag",
            Self::StageStands => "stage_stands",
            Self::FailedEvents => "failed_events",
            Self::SetAside => "set_aside",
            Self::KindShut => "kind_shut",
            Self::NamesMissing => "names_missing",
            Self::DealsUndecided => "deals_undecided",
            Self::HappeningsUnclear => "happenings_unclear",
            Self::AttributesUnkept => "attributes_unkept",
            Self::AttributesTurn => "attributes_turn",
            Self::DeadLetters => "dead_letters",
            Self::Arrivals => "arrivals",
            Self::LeadsWait => "leads_wait",
            Self::Refusing => "refusing",
            Self::DiskLow => "disk_low",
            Self::JournalAway => "journal_away",
            Self::OldDataWaits => "old_data_waits",
            Self::TooManyEvents => "too_many_events",
            Self::ConsentNotUnderstood => "consent_not_understood",
            Self::JunkIds => "junk_ids",
            Self::SwitchedOff => "switched_off",
            Self::UnusableEmails => "unusable_emails",
            Self::WithdrawalsWait => "withdrawals_wait",
            Self::OutputOff => "output_off",
            Self::OutputsWait => "outputs_wait",
            Self::NobodyWorks => "nobody_works",
            Self::OtherSettings => "other_settings",
        }
    }

    /// Whether somebody has to be woken for it: something does not go on, or is lost, until they look.
    #[must_use]
    pub fn is_alarm(self) -> bool {
        match self {
            Self::Processing
            | Self::Lag
            | Self::StageStands
            | Self::FailedEvents
            | Self::SetAside
            | Self::Refusing
            | Self::JournalAway
            | Self::NobodyWorks => true,
            Self::KindShut
            | Self::NamesMissing
            | Self::DealsUndecided
            | Self::HappeningsUnclear
            | Self::AttributesUnkept
            | Self::AttributesTurn
            | Self::DeadLetters
            | Self::Arrivals
            | Self::LeadsWait
            | Self::DiskLow
            | Self::OldDataWaits
            | Self::TooManyEvents
            | Self::ConsentNotUnderstood
            | Self::JunkIds
            | Self::SwitchedOff
            | Self::UnusableEmails
            | Self::WithdrawalsWait
            | Self::OutputOff
            | Self::OutputsWait
            | Self::OtherSettings => false,
        }
    }
}

impl Serialize for RiskKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A risk of loss or of growing delay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Risk {
    /// Which.
    #[serde(rename = "risk")]
    pub kind: RiskKind,
    /// What is wrong, what follows and what to do; without personal data.
    pub message: String,
}

impl Risk {
    pub(super) fn new(kind: RiskKind, message: String) -> Self {
        Self { kind, message }
    }
}
