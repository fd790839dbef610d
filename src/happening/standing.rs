//! How a happening stands with its account: whether it was told, what its call does, what holds it back.
//!
//! Consuming an answer is all it does. Must not decide what is asked next.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::clock::UnixMicros;
use crate::delivery::{Birth, DeliveryId, HappeningId};

/// Where a happening is in its life, for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It is to be told.
    Planned,
    /// The call that tells it is on its way.
    Sent,
    /// The call that tells it was never answered; Freshsales is asked before it is repeated.
    Unanswered,
    /// Freshsales has it.
    Told,
    /// Nobody can tell whether Freshsales has it: a person decides.
    Unclear,
    /// It is not told, for a reason that is kept.
    Dropped,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Planned, Self::Sent, Self::Unanswered, Self::Told, Self::Unclear, Self::Dropped];

    /// The word in JSON and in a filter.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Sent => "sent",
            Self::Unanswered => "unanswered",
            Self::Told => "told",
            Self::Unclear => "unclear",
            Self::Dropped => "dropped",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// Why a happening that is to be told is not. It is looked at again whenever what it waits for changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// Nobody has said the email of its person.
    NoEmail,
    /// Its contact has no id yet.
    Contact,
    /// Its contact was refused, for this reason.
    ContactRefused(String),
    /// Its deal has no id yet, and why.
    Deal(String),
    /// Its company has no id yet, or is not known.
    Company,
    /// A name that the account does not have, or whose list can't be read, in a sentence.
    Name(String),
    /// Consent is required and not given; says which.
    Consent(String),
    /// Nobody can tell whether it was told.
    Unclear,
}

impl Held {
    /// All words of [`as_str`](Self::as_str).
    pub const WORDS: [&'static str; 8] =
        ["no_email", "contact", "contact_refused", "deal", "company", "name", "consent", "unclear"];

    /// The word in JSON and metrics.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NoEmail => "no_email",
            Self::Contact => "contact",
            Self::ContactRefused(_) => "contact_refused",
            Self::Deal(_) => "deal",
            Self::Company => "company",
            Self::Name(_) => "name",
            Self::Consent(_) => "consent",
            Self::Unclear => "unclear",
        }
    }

    /// Why, for a person.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::NoEmail => "no email of its person is known yet".to_owned(),
            Self::Contact => "its contact has no id in Freshsales yet".to_owned(),
            Self::ContactRefused(why) => format!("its contact was refused: {why}"),
            Self::Deal(why) => format!("its deal has no id in Freshsales yet: {why}"),
            Self::Company => "its company has no id in Freshsales yet, or none is known".to_owned(),
            Self::Name(why) | Self::Consent(why) => why.clone(),
            Self::Unclear => {
                "the call that tells it was never answered, and Freshsales does not say whether it has it; look there, then say \
                 that it is there, or send it again"
                    .to_owned()
            }
        }
    }
}

/// What a call on its way does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Carried {
    /// It tells.
    Tell,
    /// It asks whether Freshsales has it, by this page of a list.
    Question(u32),
}

/// A call on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFlight {
    /// Its delivery.
    pub delivery: DeliveryId,
    /// Which attempt of it: the fence against answers of older claims.
    pub attempt: u32,
    /// What it does.
    pub carried: Carried,
    /// When it left.
    pub left_at: UnixMicros,
}

/// How a happening stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Standing {
    /// Whether Freshsales has it.
    pub birth: Birth,
    /// When Freshsales took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told_at: Option<UnixMicros>,
    /// Pages of a list that were looked through for it in this round.
    #[serde(skip_serializing_if = "is_none")]
    pub pages: u32,
    /// The day it counts for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<i64>,
    /// The one in whose call it goes along.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rides: Option<HappeningId>,
    /// Those that go along in its call.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub riders: BTreeSet<HappeningId>,
    /// The delivery that is waiting, retrying or dead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<DeliveryId>,
    /// The call on its way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<InFlight>,
    /// Freshsales refused it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
    /// Why it gets no call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// Why it is not told any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropped: Option<String>,
    /// The delivery that told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_delivered: Option<DeliveryId>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
fn is_none(pages: &u32) -> bool {
    *pages == 0
}

impl Standing {
    /// Where it is in its life.
    #[must_use]
    pub fn state(&self) -> State {
        match self.birth {
            _ if self.dropped.is_some() => State::Dropped,
            Birth::Told { .. } => State::Told,
            Birth::Sent => State::Sent,
            _ if self.held == Some(Held::Unclear) => State::Unclear,
            Birth::Unclear | Birth::Taken { .. } => State::Unclear,
            Birth::Unanswered { .. } => State::Unanswered,
            Birth::Planned => State::Planned,
        }
    }

    /// Whether anything is still to be done with it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        match self.state() {
            State::Planned | State::Sent | State::Unanswered | State::Unclear => true,
            State::Told | State::Dropped => false,
        }
    }

    /// Whether a call is owed, on its way or refused.
    #[must_use]
    pub fn awaits_a_call(&self) -> bool {
        self.open.is_some() || self.in_flight.is_some() || self.rides.is_some()
    }

    /// A call leaves. From here on what it tells may be there, whatever becomes of us.
    pub fn leave(&mut self, call: InFlight) {
        if call.carried == Carried::Tell {
            self.birth = Birth::Sent;
        }
        (self.open, self.held) = (None, None);
        self.in_flight = Some(call);
    }

    /// Freshsales has it under this id.
    pub fn told(&mut self, id: u64, delivery: Option<DeliveryId>, now: UnixMicros) {
        self.birth = Birth::Told { id };
        (self.told_at, self.last_delivered) = (Some(now), delivery.or(self.last_delivered.take()));
        (self.in_flight, self.open, self.held, self.rides) = (None, None, None, None);
        (self.refused, self.pages) = (false, 0);
    }

    /// Nobody knows whether the call on its way was applied.
    pub fn unanswered(&mut self) {
        let Some(call) = self.in_flight.take() else { return };
        if call.carried == Carried::Tell {
            self.birth = Birth::unanswered(call.left_at);
            self.pages = 0;
        }
        self.open = Some(call.delivery);
    }

    /// The call on its way was answered, and not applied. Answers what it did.
    pub fn not_applied(&mut self) -> Option<Carried> {
        let call = self.in_flight.take()?;
        if call.carried == Carried::Tell {
            self.birth = Birth::Planned;
        }
        self.open = Some(call.delivery);
        Some(call.carried)
    }

    /// A list was read to its end, and it is not there: it may be sent again.
    pub fn not_there(&mut self) {
        self.birth = self.birth.not_found();
        self.pages = 0;
    }

    /// A round of questions brought no clear answer.
    pub fn no_clear_answer(&mut self) {
        self.pages = 0;
        if let Birth::Unanswered { left_at, asked } = self.birth {
            self.birth = Birth::Unanswered { left_at, asked: asked + 1 };
        }
    }

    /// The one whose call it went along in is gone, which was so far; that call left then, if it was on its way.
    pub fn go_alone(&mut self, birth: Birth, left_at: Option<UnixMicros>) {
        self.rides = None;
        self.held = Some(Held::Contact);
        self.birth = match (birth, left_at) {
            (Birth::Sent, Some(left_at)) | (Birth::Unanswered { left_at, .. }, _) => {
                Birth::unanswered(left_at)
            }
            (other, _) => other,
        };
    }

    /// It is not told any more.
    pub fn drop(&mut self, why: String) {
        (self.dropped, self.open, self.held, self.rides) = (Some(why), None, None, None);
    }

    /// A person has decided that it is not there: it is sent again, and nothing is asked before.
    pub fn send_again(&mut self) {
        (self.birth, self.pages, self.held, self.refused) = (Birth::Planned, 0, None, false);
    }

    /// Nobody knows which calls were made.
    pub fn distrust(&mut self, now: UnixMicros) {
        if self.dropped.is_none() && self.rides.is_none() {
            self.birth = self.birth.distrusted(now);
        }
    }
}
