//! A contact that is not there any more, as a deal or a note shows that was to hang on it: Freshsales is asked once, and where it
//! has none the contact is made anew.
//!
//! Of a contact on which nothing hangs nobody asks: whoever deleted it may have meant that. Must not judge answers.

use serde::{Deserialize, Serialize};

use super::Standing;
use crate::clock::UnixMicros;

/// An id of which Freshsales said that it names no contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Missing {
    /// The id.
    pub id: u64,
    /// It was asked whether that is so; it is asked once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asked: bool,
}

impl Standing {
    /// Freshsales refused a record because the contact of this id is not there. Tells whether the record is to be tried again, once
    /// it is known who has the address.
    pub fn miss(&mut self, id: u64, now: UnixMicros) -> bool {
        if self.lead.is_some() || self.contact_id != Some(id) {
            // It is known, or being asked, under another id.
            return self.lead.is_none();
        }
        if self.refused.is_some() {
            // No question is made of it before somebody has looked at it.
            return false;
        }
        if self.missing.is_some_and(|missing| missing.id == id) {
            return self.is_missed();
        }
        self.doubt_id(id, now);
        true
    }

    /// Whether the contact of this id is there is asked before the next call.
    pub fn doubt_id(&mut self, id: u64, now: UnixMicros) {
        self.missing = Some(Missing { id, asked: false });
        self.doubted_at = self.doubted_at.max(Some(now));
    }

    /// Whether it is being asked if the contact is there, so that nothing is hung on it meanwhile.
    #[must_use]
    pub fn is_missed(&self) -> bool {
        self.missing.is_some_and(|missing| !missing.asked)
    }

    /// The id of a contact that records can hang on.
    #[must_use]
    pub fn holds_records(&self) -> Option<u64> {
        self.contact_id.filter(|_| !self.is_missed())
    }

    /// A contact has the address.
    pub fn is_there(&mut self) {
        if let Some(missing) = &mut self.missing {
            missing.asked = true;
        }
    }

    /// No contact has the address. Where a record waits for it, nothing that was ever sent of it counts: it is made anew. Tells
    /// whether it is.
    pub fn is_not_there(&mut self) -> bool {
        if !self.is_missed() {
            return false;
        }
        self.begin_anew();
        self.left_out.clear();
        self.blank.clear();
        (self.missing, self.stage_seen, self.tags_seen) = (None, None, None);
        true
    }
}
