//! A person as a lead: in an account of the older product people whom nobody knows may become leads before they are contacts.
//!
//! `POST /leads` knows no key: sent twice, there are two. So Freshsales is asked which record has the address before one is
//! created, and before it is created again. A lead is recognised by that address. Must not build bodies or make calls.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{STATUS, Standing};
use crate::clock::UnixMicros;
use crate::delivery::{Birth, asked_at};

/// That nobody has the address is believed for so long; then it is asked anew before a lead is created.
const LOOK_COUNTS: Duration = Duration::from_mins(10);
/// Whether a lead was converted is asked so often at the most, while something waits for that.
const ASKED_EVERY: Duration = Duration::from_hours(1);
/// How often it is asked which record has an address before it is believed that none has: a search lags behind writes (seen on
/// live accounts).
pub const LEAD_LOOKS_MAX: u32 = 3;
/// When it is asked again.
const LOOK_AGAIN: [Duration; 2] = [Duration::from_mins(4), Duration::from_mins(20)];

/// What is not sent of a lead. It has none of the first four, as clients of the vendor's API show it; its tags are left to people,
/// as a list that is sent takes the place of the one there is.
pub const NOT_OF_LEADS: [&str; 5] =
    ["lifecycle_stage_id", "contact_status_id", "sales_accounts", "subscription_types", "tags"];

/// How somebody stands who is a lead, or is to become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lead {
    /// Whether the account has the lead.
    pub birth: Birth,
    /// When Freshsales said last which record has the address, or that none has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<UnixMicros>,
    /// The id of one that is gone. A search may go on showing it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gone: Option<u64>,
}

/// Which call somebody needs, whatever it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeadStep {
    /// The contact is upserted: they are one, or become one.
    Contact,
    /// Freshsales is asked which record has the address, not before this moment.
    Look(UnixMicros),
    /// A lead is created.
    Create,
    /// The lead of this id is changed.
    Update(u64),
}

/// What the account has of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// A contact.
    Contact(u64),
    /// A lead and no contact.
    Lead(u64),
    /// Neither.
    Nothing,
}

impl Lead {
    /// Its id in Freshsales.
    #[must_use]
    pub fn id(&self) -> Option<u64> {
        self.birth.id()
    }

    /// The call that creates it leaves.
    pub(super) fn leave(&mut self) {
        self.birth = Birth::Sent;
    }

    /// The call that creates it was not answered, or by nothing that names a lead.
    pub(super) fn unanswered(&mut self, left_at: UnixMicros) {
        if self.birth == Birth::Sent {
            self.birth = Birth::unanswered(left_at);
        }
    }

    /// The call that creates it was answered, and created none.
    pub(super) fn not_applied(&mut self) {
        if self.birth == Birth::Sent {
            self.birth = Birth::Planned;
        }
    }

    /// No record has the address. Believed at once where none was created by a call of ours, else after some looks.
    fn nowhere(&mut self, now: UnixMicros) {
        match self.birth {
            Birth::Unanswered { left_at, asked } if asked + 1 < LEAD_LOOKS_MAX => {
                self.birth = Birth::Unanswered { left_at, asked: asked + 1 };
            }
            Birth::Taken { at, asked } if asked + 1 < LEAD_LOOKS_MAX => {
                self.birth = Birth::Taken { at, asked: asked + 1 };
            }
            // What has an id is there until a call to it says otherwise.
            Birth::Told { .. } => self.looked_at = Some(now),
            Birth::Planned
            | Birth::Sent
            | Birth::Unanswered { .. }
            | Birth::Taken { .. }
            | Birth::Unclear => {
                (self.birth, self.looked_at) = (Birth::Planned, Some(now));
            }
        }
    }
}

impl Standing {
    /// The id of the lead, of somebody who is one.
    #[must_use]
    pub fn lead_id(&self) -> Option<u64> {
        self.lead.and_then(|lead| lead.id())
    }

    /// The id of the record that Freshsales has of them, whether a contact or a lead.
    #[must_use]
    pub fn record_id(&self) -> Option<u64> {
        self.lead_id().or(self.contact_id)
    }

    /// Whether somebody is a lead, or becomes one unless Freshsales has them already. `leads`: people whom nobody knows do.
    #[must_use]
    pub fn may_be_lead(&self, leads: bool) -> bool {
        self.lead.is_some() || (leads && self.contact_id.is_none() && !self.known())
    }

    /// Which call they need. `leads`: people whom nobody knows become leads.
    #[must_use]
    pub fn lead_step(&self, leads: bool, attempt_timeout: Duration, now: UnixMicros) -> LeadStep {
        let Some(lead) = self.lead else {
            return if self.may_be_lead(leads) { LeadStep::Look(now) } else { LeadStep::Contact };
        };
        match lead.birth {
            Birth::Told { id } => LeadStep::Update(id),
            Birth::Unanswered { left_at, asked } => {
                LeadStep::Look(again(asked_at(left_at, attempt_timeout), asked))
            }
            Birth::Taken { at, asked } => LeadStep::Look(again(at, asked)),
            // None was created: the settings of now say what they become.
            Birth::Planned if !leads => LeadStep::Contact,
            Birth::Planned if lead.looked_at.is_some_and(|at| now.since(at) < LOOK_COUNTS) => {
                LeadStep::Create
            }
            Birth::Planned | Birth::Sent | Birth::Unclear => LeadStep::Look(now),
        }
    }

    /// A call of this step leaves.
    pub fn leaves_as(&mut self, step: LeadStep) {
        match step {
            LeadStep::Contact => self.lead = None,
            LeadStep::Create => self.lead.get_or_insert_default().leave(),
            LeadStep::Look(_) | LeadStep::Update(_) => {}
        }
    }

    /// Freshsales said which record has the address.
    pub fn found(&mut self, holds: Holds, now: UnixMicros) {
        match holds {
            Holds::Contact(id) => {
                // What the lead had was carried over by whoever converted it, or it was not: everything is sent once.
                if self.lead.take().is_some() && self.was_told() {
                    self.send_whole = true;
                    self.hear_anew(false);
                }
                self.contact_id = Some(id);
            }
            Holds::Lead(id) => {
                let before = self.lead_id().replace(id).filter(|before| *before != id);
                if before.is_some() {
                    self.send_whole = true;
                    self.hear_anew(false);
                }
                self.lead = Some(Lead { birth: Birth::Told { id }, looked_at: Some(now), gone: None });
            }
            Holds::Nothing => {
                let lead = self.lead.get_or_insert_default();
                lead.nowhere(now);
                if lead.birth == Birth::Planned {
                    self.begin_anew();
                }
            }
        }
    }

    /// Freshsales has no lead of the id that the call on its way names: it was converted, merged or deleted. Which record has the
    /// address now is looked for, and that gets everything: a refusal of marketing, which is this status, too, and no yes, so that who
    /// refused there since stays so.
    pub fn lead_gone(&mut self, unsubscribed: &Value, now: UnixMicros) {
        if let Some(lead) = &mut self.lead {
            *lead = Lead { birth: Birth::Taken { at: now, asked: 0 }, looked_at: None, gone: lead.id() };
        }
        self.send_whole |= self.was_told();
        let told = self.accepted.as_ref().and_then(|accepted| accepted.get(STATUS));
        if told == Some(unsubscribed) {
            self.forget_status();
        }
    }

    /// Whether it is being asked what has become of the lead, so that nothing is told of it meanwhile.
    #[must_use]
    pub fn is_lead_doubted(&self) -> bool {
        self.lead.is_some() && self.doubted_at.is_some() && self.refused.is_none()
    }

    /// Something waits for the lead to become a contact: it is asked whether somebody has converted it, unless that was asked
    /// lately. Tells whether it is.
    pub fn doubts_lead(&mut self, now: UnixMicros) -> bool {
        let asked = |lead: &Lead| lead.looked_at.is_some_and(|at| now.since(at) < ASKED_EVERY);
        let may_ask = self.doubted_at.is_none() && self.refused.is_none();
        let asks = may_ask && self.lead.is_some_and(|lead| lead.id().is_some() && !asked(&lead));
        if asks {
            self.doubted_at = Some(now);
        }
        asks
    }

    /// Freshsales refused to create the lead because a record has the address: it is looked for.
    pub fn lead_taken(&mut self, now: UnixMicros) {
        if let Some(lead) = &mut self.lead {
            (lead.birth, lead.looked_at) = (Birth::Taken { at: now, asked: 0 }, None);
        }
    }

    /// Whether something of them was sent, and may have arrived.
    fn was_told(&self) -> bool {
        self.accepted.is_some() || !self.unanswered.is_empty()
    }
}

fn again(first: UnixMicros, asked: u32) -> UnixMicros {
    let waits = LOOK_AGAIN.iter().take(usize::try_from(asked).unwrap_or(usize::MAX));
    waits.fold(first, |at, wait| at.plus(*wait))
}
