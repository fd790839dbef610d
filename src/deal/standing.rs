//! How a deal stands with one account: its birth, which must happen once, and what was accepted since.
//!
//! Consuming an answer is all it does. Must not decide what is asked next.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Attributes;
use crate::clock::UnixMicros;
pub use crate::contact::Refused;
use crate::contact::{Hearing, Worth, same};
pub use crate::delivery::Birth;
use crate::delivery::DeliveryId;

/// Why a deal that is owed a call does not get one. It is looked at again whenever what it waits for changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldBack {
    /// Nobody has said the email of its person.
    NoEmail,
    /// Its contact has no id yet.
    Contact,
    /// Its person is a lead of the account, and a deal belongs to contacts.
    Lead,
    /// Its contact was refused, for this reason.
    ContactRefused(String),
    /// Its company has no id yet.
    Company,
    /// A name that the account does not have, or whose list can't be read, in a sentence.
    Name(String),
    /// Consent is required and not given; says which.
    Consent(String),
    /// No event of the deal may create it, so it waits for one that may.
    NotBegun,
    /// Its contact has so many open deals in the pipeline, and which one is meant is a person's to say (`adopt = true`).
    Several(u32),
    /// A person has said that it is left as it is.
    LeftAlone,
    /// Somebody deleted it in Freshsales, and `when_gone = "stop"` leaves it so.
    Gone,
    /// Nobody can tell whether it was created.
    Unclear,
}

impl HeldBack {
    /// All words of [`as_str`](Self::as_str).
    pub const WORDS: [&'static str; 12] = [
        "no_email",
        "contact",
        "lead",
        "contact_refused",
        "company",
        "name",
        "consent",
        "not_begun",
        "several",
        "left_alone",
        "gone",
        "unclear",
    ];

    /// The word in JSON and metrics.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NoEmail => "no_email",
            Self::Contact => "contact",
            Self::Lead => "lead",
            Self::ContactRefused(_) => "contact_refused",
            Self::Company => "company",
            Self::Name(_) => "name",
            Self::Consent(_) => "consent",
            Self::NotBegun => "not_begun",
            Self::Several(_) => "several",
            Self::LeftAlone => "left_alone",
            Self::Gone => "gone",
            Self::Unclear => "unclear",
        }
    }

    /// Why, for a person.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::NoEmail => "no email of its person is known yet".to_owned(),
            Self::Contact => "its contact has no id in Freshsales yet".to_owned(),
            Self::Lead => {
                "its person is a lead in Freshsales, and deals belong to contacts: it goes once somebody there has converted the \
                 lead"
                    .to_owned()
            }
            Self::ContactRefused(why) => format!("its contact was refused: {why}"),
            Self::Company => "its company has no id in Freshsales yet".to_owned(),
            Self::Name(why) | Self::Consent(why) => why.clone(),
            Self::NotBegun => "no event that may create it has happened (create = false)".to_owned(),
            Self::Several(count) => format!(
                "its contact has {count} open deals in this pipeline, and nothing says which one is meant: take one of them over, have \
                 a new one created, or leave it alone"
            ),
            Self::LeftAlone => "somebody has decided to leave it alone; it can be created or taken over by hand".to_owned(),
            Self::Gone => "it was deleted in Freshsales, so it is left so (when_gone = \"stop\")".to_owned(),
            Self::Unclear => {
                "the call that creates it was never answered, and Freshsales can't be asked whether it exists; look there, then \
                 take over the one that is there, have it created, or leave it alone"
                    .to_owned()
            }
        }
    }
}

/// An open deal of the contact: it may be the one that is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its id in Freshsales.
    pub id: u64,
    /// What it is called there.
    pub name: String,
}

/// Candidates that are kept of one deal; of more the first.
pub const CANDIDATES_MAX: usize = 20;

/// What was seen of a deal in Freshsales.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The stage it stood in.
    pub stage_id: u64,
    /// When.
    pub at: UnixMicros,
}

/// A question about a deal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// Where it stands.
    Deal(u64),
    /// Which deals its contact has.
    DealsOf(u64),
    /// Which deals have its key.
    Key,
}

/// What a call on its way does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Carried {
    /// It creates the deal.
    Create,
    /// It changes the deal.
    Update,
    /// It asks.
    Question(Asked),
}

/// A call on its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InFlight {
    /// Its delivery.
    pub delivery: DeliveryId,
    /// Which attempt of it: the fence against answers of older claims.
    pub attempt: u32,
    /// What it does.
    pub carried: Carried,
    /// What it carries, in names.
    pub sent: Attributes,
    /// The contacts it adds.
    pub contacts: BTreeSet<u64>,
    /// When it left.
    pub left_at: UnixMicros,
}

/// How a deal stands with one account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Standing {
    /// Whether it exists there.
    pub birth: Birth,
    /// What Freshsales last accepted, in names.
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    pub accepted: Attributes,
    /// When that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<UnixMicros>,
    /// Attributes of changes that left and were never answered: each may or may not have been written.
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    pub unanswered: Attributes,
    /// Ids of the contacts that it was told.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub contacts: BTreeSet<u64>,
    /// What was last seen of it there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
    /// When its contact's deals were last read to find it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<UnixMicros>,
    /// Open deals of its contact of which a person chooses one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Candidate>,
    /// A person has ordered its creation: that counts like an event that may create it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ordered: bool,
    /// When a person decided that it is left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_alone_at: Option<UnixMicros>,
    /// The delivery that is waiting, retrying or dead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<DeliveryId>,
    /// The call on its way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<InFlight>,
    /// What was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
    /// Values that Freshsales refused while it stored the rest: they are not sent again until they change.
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    pub left_out: Attributes,
    /// The delivery that Freshsales accepted last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_delivered: Option<DeliveryId>,
    /// Why it gets no call although it is owed one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<HeldBack>,
    /// What Freshsales says that it has.
    #[serde(skip_serializing_if = "Hearing::is_empty")]
    pub hearing: Hearing,
    /// When a message that is not believed said last that it has changed there: it is read before its next call
    /// (`hooks.*.verify`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubted_at: Option<UnixMicros>,
    /// When it was found to be deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gone_at: Option<UnixMicros>,
}

impl Standing {
    /// A call leaves. From here on a deal that it creates may exist, whatever becomes of us.
    pub fn leave(&mut self, call: InFlight) {
        if call.carried == Carried::Create {
            self.birth = Birth::Sent;
        }
        (self.open, self.held) = (None, None);
        self.in_flight = Some(call);
    }

    /// Freshsales stored the call on its way, and named an id or did not. A creation without an id counts as unanswered.
    pub fn stored(&mut self, id: Option<u64>, stage_id: Option<u64>, now: UnixMicros) {
        let Some(call) = self.in_flight.take() else { return };
        match (&call.carried, id) {
            (Carried::Question(_), _) => {
                self.in_flight = Some(call);
                return;
            }
            (Carried::Create, None) => {
                self.birth = Birth::unanswered(call.left_at);
                self.open = Some(call.delivery);
                return;
            }
            (Carried::Create, Some(id)) => self.birth = Birth::Told { id },
            (Carried::Update, _) => {}
        }
        self.unanswered.retain(|name, _| !call.sent.contains_key(name));
        self.left_out.retain(|name, _| !call.sent.contains_key(name));
        self.hearing.written(&call.sent, Some(&self.accepted), call.left_at);
        self.accepted.extend(call.sent);
        self.contacts.extend(call.contacts);
        (self.accepted_at, self.refused, self.gone_at) = (Some(now), None, None);
        self.last_delivered = Some(call.delivery);
        self.seen = stage_id.map(|stage_id| Seen { stage_id, at: now });
    }

    /// Freshsales says that the deal has this value, in names, since a moment.
    pub fn hear(&mut self, attribute: &str, value: &serde_json::Value, at: UnixMicros) -> Worth {
        let sent = self.in_flight.as_ref().and_then(|call| call.sent.get(attribute));
        if sent.is_some_and(|sent| same(attribute, sent, value)) {
            return Worth::Echo;
        }
        self.hearing.hear(attribute, value, self.accepted.get(attribute), at)
    }

    /// A question was answered, or will not be; whichever, no record was changed by it. Answers what was asked, and when it left.
    pub fn asked(&mut self) -> Option<(Asked, UnixMicros)> {
        match self.in_flight.take() {
            Some(InFlight { carried: Carried::Question(asked), delivery, left_at, .. }) => {
                self.open = Some(delivery);
                Some((asked, left_at))
            }
            other => {
                self.in_flight = other;
                None
            }
        }
    }

    /// It exists under this id, whoever created it. Nothing of ours counts as accepted: what differs is sent.
    pub fn adopt(&mut self, id: u64, seen: Option<Seen>) {
        self.birth = Birth::Told { id };
        self.seen = seen.or(self.seen);
        (self.gone_at, self.left_alone_at) = (None, None);
        self.candidates.clear();
    }

    /// A person has decided that it does not exist and is to be created: nothing is asked before.
    pub fn create_by_hand(&mut self, now: UnixMicros) {
        (self.birth, self.ordered) = (Birth::Planned, true);
        (self.gone_at, self.left_alone_at, self.looked_at) = (None, None, Some(now));
        self.candidates.clear();
        (self.refused, self.left_out) = (None, Attributes::new());
    }

    /// A person has decided that it is left as it is.
    pub fn leave_alone(&mut self, now: UnixMicros) {
        self.left_alone_at = Some(now);
        self.candidates.clear();
        self.refused = None;
    }

    /// Freshsales was asked for a deal whose creation was not answered, and did not show it.
    pub fn not_found(&mut self) {
        self.birth = self.birth.not_found();
    }

    /// A person, or Freshsales itself, has moved it further than is wanted: the move counts as made.
    pub fn ahead(&mut self, stage: serde_json::Value) {
        self.unanswered.remove(super::STAGE);
        self.accepted.insert(super::STAGE.to_owned(), stage);
    }

    /// Nobody knows whether the call on its way was applied.
    pub fn unanswered(&mut self) {
        let Some(call) = self.in_flight.take() else { return };
        match call.carried {
            Carried::Create => self.birth = Birth::unanswered(call.left_at),
            Carried::Update => self.unanswered.extend(call.sent),
            Carried::Question(_) => {}
        }
        self.open = Some(call.delivery);
    }

    /// Nobody knows which calls were made: one that is not known to exist may have been created up to now.
    pub fn distrust(&mut self, now: UnixMicros) {
        self.birth = self.birth.distrusted(now);
    }

    /// The call on its way was answered, and not applied.
    pub fn not_applied(&mut self) -> Option<InFlight> {
        let call = self.in_flight.take()?;
        if call.carried == Carried::Create {
            self.birth = Birth::Planned;
        }
        self.open = Some(call.delivery.clone());
        Some(call)
    }

    /// It is not there any more under the id it had.
    pub fn gone(&mut self, now: UnixMicros) {
        *self = Self {
            gone_at: Some(now),
            open: self.open.take(),
            last_delivered: self.last_delivered.take(),
            ..Self::default()
        };
    }
}
