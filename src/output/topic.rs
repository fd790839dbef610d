//! What outputs are told of. Must not know what is said of it.

use serde::{Deserialize, Serialize};

/// A kind of thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Topic {
    /// A deal was won.
    #[serde(rename = "deal.won")]
    DealWon,
    /// A deal was lost.
    #[serde(rename = "deal.lost")]
    DealLost,
    /// A deal stands in another stage.
    #[serde(rename = "deal.stage_changed")]
    DealStageChanged,
    /// Freshsales has a contact that it did not have.
    #[serde(rename = "contact.created")]
    ContactCreated,
    /// A contact that Freshsales has was changed by us.
    #[serde(rename = "contact.changed")]
    ContactChanged,
    /// Somebody does not want marketing any more.
    #[serde(rename = "contact.unsubscribed")]
    ContactUnsubscribed,
    /// Freshsales stored what it was sent of a contact.
    #[serde(rename = "contact.delivered")]
    ContactDelivered,
    /// A note was written.
    #[serde(rename = "note.added")]
    NoteAdded,
    /// Freshsales refused somebody it does not have.
    #[serde(rename = "lead.refused")]
    LeadRefused,
    /// A deal was won of somebody who agreed that ad platforms are told.
    #[serde(rename = "conversion")]
    Conversion,
}

impl Topic {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::DealWon,
        Self::DealLost,
        Self::DealStageChanged,
        Self::ContactCreated,
        Self::ContactChanged,
        Self::ContactUnsubscribed,
        Self::ContactDelivered,
        Self::NoteAdded,
        Self::LeadRefused,
        Self::Conversion,
    ];

    /// The word in messages and in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DealWon => "deal.won",
            Self::DealLost => "deal.lost",
            Self::DealStageChanged => "deal.stage_changed",
            Self::ContactCreated => "contact.created",
            Self::ContactChanged => "contact.changed",
            Self::ContactUnsubscribed => "contact.unsubscribed",
            Self::ContactDelivered => "contact.delivered",
            Self::NoteAdded => "note.added",
            Self::LeadRefused => "lead.refused",
            Self::Conversion => "conversion",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.as_str() == word)
    }

    /// Whether it is told only of somebody whose gate of consent is open. That somebody refused is told whatever the gate.
    #[must_use]
    pub fn needs_consent(self) -> bool {
        match self {
            Self::ContactUnsubscribed => false,
            Self::DealWon
            | Self::DealLost
            | Self::DealStageChanged
            | Self::ContactCreated
            | Self::ContactChanged
            | Self::ContactDelivered
            | Self::NoteAdded
            | Self::LeadRefused
            | Self::Conversion => true,
        }
    }
}
