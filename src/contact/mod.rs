//! The contact: what Freshsales should hold on an address, what it last accepted, and what is owed between.
//!
//! Pure. Must not know events, HTTP or storage.

mod consent;
mod heard;
mod lead;
mod missing;
mod owed;
mod payload;
mod place;
mod turns;

#[cfg(test)]
mod heard_tests;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::UnixMicros;
use crate::delivery::{Account, Birth, DeliveryId, ListKey, Stored};
use crate::event::Email;

pub use consent::{CHANGES_MAX, ConsentChange, ConsentHistory};
pub use heard::{HeardValue, Hearing, Worth, same};
pub use lead::{Holds, LEAD_LOOKS_MAX, Lead, LeadStep, NOT_OF_LEADS};
pub use missing::Missing;
pub use owed::{Call, Exclusion, Owed, Rules, SendMode, WhyNothing, Wish, owed, wanted};
pub use payload::{
    COMPANIES, CUSTOM_FIELD_PREFIX, STATUS, bulk_body, did_not_stick, is_blank, lead_body, rename_body,
    shown, shown_blank, shown_theirs, upsert_body,
};
pub use place::{Member, Place, PlaceCall, PlaceOwed};

/// Attributes by name, custom fields as `custom_field.cf_*`; without the email, which is the key.
pub type Attributes = BTreeMap<String, Value>;

/// Persons of one contact that are listed in it, and all read when it is evaluated; with one more it is a crowd.
pub const MEMBERS_LISTED_MAX: usize = 8;

/// What is known of one contact.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Contact {
    /// Who has or had this address, as text of a person's key; nobody where it is a crowd.
    #[serde(default)]
    pub members: BTreeSet<String>,
    /// So many persons share it that what they contribute is kept apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crowd: Option<Crowd>,
    /// How it stands with each Freshsales account.
    #[serde(default)]
    pub standing: BTreeMap<Account, Standing>,
    /// Each change of consent that counted.
    #[serde(default, skip_serializing_if = "ConsentHistory::is_empty")]
    pub consent: ConsentHistory,
}

/// A contact that more than [`MEMBERS_LISTED_MAX`] persons share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crowd {
    /// The fingerprint of the settings by which everything that its persons contribute was made.
    pub judged_by: String,
}

impl Contact {
    /// Whether a call is owed, on its way or refused, with any account.
    #[must_use]
    pub fn awaits_a_call(&self) -> bool {
        let listed = |standing: &Standing| standing.lists.values().any(Member::awaits_a_call);
        let waits = |it: &Standing| it.open.is_some() || it.in_flight.is_some() || listed(it);
        self.standing.values().any(waits)
    }

    /// Forgets every value that was sent and is not among `known`; the status stays, so that nobody is subscribed again.
    pub fn keep_only(&mut self, known: &Attributes) {
        let stays = |name: &String, value: &mut Value| name == STATUS || known.get(name) == Some(value);
        for standing in self.standing.values_mut() {
            let sent = standing.in_flight.as_mut().map(|call| [&mut call.sent, &mut call.kept_back]);
            let refused = standing.refused.as_mut().map(|refused| &mut refused.wanted);
            let held = standing
                .accepted
                .iter_mut()
                .chain([&mut standing.unanswered])
                .chain(sent.into_iter().flatten())
                .chain(refused);
            held.for_each(|attributes| attributes.retain(stays));
            standing.hearing.keep_only(|name| name == STATUS);
        }
    }

    /// How it stands with an account.
    #[must_use]
    pub fn with(&self, account: &Account) -> Standing {
        self.standing.get(account).cloned().unwrap_or_default()
    }
}

/// How a contact stands with one account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each stored under its name")]
pub struct Standing {
    /// Its id in Freshsales.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<u64>,
    /// Freshsales said of its id that it names no contact, when something was to hang on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
    /// They are a lead of the account, or are to become one; nothing of a contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead: Option<Lead>,
    /// What Freshsales last accepted; `None` before the first time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Attributes>,
    /// When that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<UnixMicros>,
    /// Attributes of calls that left and were never answered: each may or may not have been written.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unanswered: Attributes,
    /// The next call carries everything.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub send_whole: bool,
    /// A change of it has created it: it was deleted there before, and what is for new contacts alone is still to come.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub made_anew: bool,
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
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: Attributes,
    /// The delivery that Freshsales accepted last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_delivered: Option<DeliveryId>,
    /// Attributes sent only where Freshsales has no value (`when = "empty"`) that its last answer showed without one.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub blank: BTreeSet<String>,
    /// What the last answer showed a value of that is not from us, and a refusal of marketing that is not: no visitor
    /// replaces it.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub theirs: BTreeSet<String>,
    /// Freshsales was asked whether it has the contact, before the first call that carries what visitors said.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub looked_up: bool,
    /// Freshsales did not have it before us: an answer said that a call of ours created it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ours: bool,
    /// Where Freshsales last showed that the contact stands in its lifecycle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage_seen: Option<StageSeen>,
    /// The tags that Freshsales last showed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags_seen: Option<TagsSeen>,
    /// Tags that came from here, in lower case: only these are ever taken off.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub tags_ours: BTreeSet<String>,
    /// What Freshsales says that it has.
    #[serde(skip_serializing_if = "Hearing::is_empty")]
    pub hearing: Hearing,
    /// The status that the last answer showed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_seen: Option<String>,
    /// When Freshsales last said which id the contact has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_heard_at: Option<UnixMicros>,
    /// When a message that is not believed said last that it has changed there: it is read before its next call
    /// (`hooks.*.verify`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubted_at: Option<UnixMicros>,
    /// Events that need no consent were told up to the one received then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exempt_told: Option<UnixMicros>,
    /// How it stands with lists of the account that the mapping puts contacts on.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub lists: BTreeMap<ListKey, Member>,
    /// The contact that is to get this address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renames: Option<Renames>,
    /// The address that this contact is to get.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renamed_to: Option<Email>,
}

/// Tags that Freshsales showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagsSeen {
    /// As it showed them.
    pub tags: Vec<String>,
    /// When.
    pub at: UnixMicros,
}

/// A contact that is to get another address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renames {
    /// The address it has.
    pub from: Email,
    /// Whose address has changed, as text of a person's key.
    pub person: String,
}

/// A lifecycle stage that Freshsales showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageSeen {
    /// Its id in the account; `None`: the contact was shown in none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// When.
    pub at: UnixMicros,
}

/// A call on its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InFlight {
    /// Its delivery.
    pub delivery: DeliveryId,
    /// Which attempt of it: the fence against answers of older claims.
    pub attempt: u32,
    /// What it carries.
    pub sent: Attributes,
    /// Whether that is everything wanted.
    pub whole: bool,
    /// It only asks where the contact stands, and carries nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asks: bool,
    /// It gives the contact of this address the new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renames: Option<Email>,
    /// What was wanted too and waits for what the answer shows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kept_back: Attributes,
    /// It carries events that need no consent up to the one received then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exempt: Option<UnixMicros>,
    /// When it left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_at: Option<UnixMicros>,
}

/// What Freshsales refused for a contact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refused {
    /// The whole wanted state that was refused.
    pub wanted: Attributes,
    /// The attribute the reason names.
    pub attribute: Option<String>,
    /// When.
    pub at: UnixMicros,
    /// Whether it is to be sent again although nothing changed.
    #[serde(default)]
    pub redrive: Redrive,
}

/// Whether what was refused is sent again although nothing changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Redrive {
    /// Nobody ordered it.
    #[default]
    Never,
    /// It was ordered: the next call carries it.
    Ordered,
    /// It is tried to see whether what refused it is gone: the next call carries it, and another refusal leaves it as it was.
    Probing,
    /// It was ordered, and refused again.
    Refused,
}

impl Redrive {
    /// After another refusal.
    #[must_use]
    pub fn refused_again(self) -> Self {
        match self {
            Self::Never | Self::Refused | Self::Probing => Self::Never,
            Self::Ordered => Self::Refused,
        }
    }

    /// Whether the next call carries what was refused.
    #[must_use]
    pub fn goes_again(self) -> bool {
        match self {
            Self::Ordered | Self::Probing => true,
            Self::Never | Self::Refused => false,
        }
    }
}

impl Refused {
    /// Whether another try is worth a call at once: something that was missing came, or the attribute that the reason
    /// names has changed. Any other change waits for its hour.
    #[must_use]
    pub fn may_be_mended_by(&self, wanted: &Attributes) -> bool {
        let came = wanted.keys().any(|name| !self.wanted.contains_key(name));
        let named = self.attribute.as_ref();
        came || named.is_some_and(|name| wanted.get(name) != self.wanted.get(name))
    }
}

/// What follows a stored call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterStored {
    /// The contact is as wanted.
    Settled,
    /// The contact is sent whole once more, for this reason.
    OnceMore(&'static str),
}

impl Standing {
    /// Whether Freshsales has the contact from us, or may have it.
    #[must_use]
    pub fn known(&self) -> bool {
        self.accepted.is_some() || !self.unanswered.is_empty() || self.in_flight.is_some()
    }

    /// The deliveries that it speaks of: its own, and those of its places on lists.
    pub fn calls(&self) -> impl Iterator<Item = &DeliveryId> {
        let own = self.open.iter().chain(self.in_flight.as_ref().map(|call| &call.delivery));
        own.chain(self.lists.values().flat_map(Member::calls))
    }

    /// What Freshsales holds once the call on its way has arrived.
    #[must_use]
    pub fn baseline(&self) -> Attributes {
        let mut baseline = self.accepted.clone().unwrap_or_default();
        let heard = self.hearing.current();
        baseline.extend(heard.map(|(name, heard)| (name.clone(), heard.value.clone())));
        if let Some(in_flight) = &self.in_flight {
            baseline.extend(in_flight.sent.clone());
        }
        baseline
    }

    /// Whether it is so long since Freshsales accepted the contact that it is sent again though nothing changed.
    #[must_use]
    pub fn is_stale(&self, resend_before: Option<UnixMicros>) -> bool {
        let before = |accepted_at: UnixMicros| resend_before.is_some_and(|moment| accepted_at < moment);
        self.in_flight.is_none() && self.accepted_at.is_some_and(before)
    }

    /// A call leaves.
    pub fn leave(&mut self, in_flight: InFlight) {
        self.open = None;
        self.in_flight = Some(in_flight);
    }

    /// Freshsales stored the call on its way.
    pub fn stored(&mut self, answer: &Stored, now: UnixMicros) -> AfterStored {
        let Some(call) = self.in_flight.take() else {
            return AfterStored::Settled;
        };
        let (knew, known_id) = (self.accepted.is_some(), self.record_id());
        let other_id = matches!((known_id, answer.id), (Some(old), Some(new)) if old != new);
        let differs =
            |(name, value): (&String, &Value)| call.sent.get(name).is_some_and(|sent| sent != value);
        // What was not answered may have created it, where the contact was deleted before.
        let by_lost = other_id && !self.unanswered.is_empty();
        let late_write = self.unanswered.iter().any(differs);
        let late_status = self.unanswered.get_key_value(STATUS).is_some_and(differs);
        let told = call.sent.contains_key(STATUS);
        self.unanswered.retain(|name, _| !call.sent.contains_key(name));
        self.left_out.retain(|name, _| !call.sent.contains_key(name));
        self.hearing.written(&call.sent, self.accepted.as_ref(), call.left_at.unwrap_or(now));
        let same_id = answer.id.is_some() && answer.id == known_id;
        let made_anew = knew && !same_id && (answer.created || by_lost);
        let was_told = self.accepted.as_ref().is_some_and(|accepted| accepted.contains_key(STATUS));
        if made_anew {
            // It has what this call carried, and nothing of what the one before had.
            self.accepted = None;
            (self.stage_seen, self.tags_seen) = (None, None);
        }
        self.accepted.get_or_insert_default().extend(call.sent);
        self.accepted_at = Some(now);
        self.exempt_told = self.exempt_told.max(call.exempt);
        self.ours |= answer.created;
        match (&mut self.lead, answer.id) {
            (Some(lead), Some(id)) => lead.birth = Birth::Told { id },
            (None, Some(id)) => self.contact_id = Some(id),
            (Some(_) | None, None) => {}
        }
        self.refused = None;
        self.last_delivered = Some(call.delivery);
        let other = other_id || made_anew;
        let heard = other && self.hear_anew(made_anew);
        let not_told = other && !told && (was_told || heard);
        if not_told {
            self.forget_status();
        }
        self.made_anew = made_anew;
        self.send_whole = other && (!call.whole || not_told || made_anew);
        if self.send_whole {
            return AfterStored::OnceMore("Freshsales answered with another contact, so it is sent whole");
        }
        if late_write {
            self.send_whole = true;
            if late_status {
                self.forget_status();
            }
            return AfterStored::OnceMore(
                "an earlier call without an answer may arrive late, so it is sent again",
            );
        }
        AfterStored::Settled
    }

    /// Freshsales says that the contact has this value since a moment. Of what never came from here, and of a refusal, it is
    /// remembered that it is theirs.
    pub fn hear(&mut self, attribute: &str, value: &Value, at: UnixMicros) -> Worth {
        let sent = self.in_flight.as_ref().and_then(|call| call.sent.get(attribute));
        if sent.is_some_and(|sent| same(attribute, sent, value)) {
            return Worth::Echo;
        }
        let accepted = self.accepted.as_ref().and_then(|accepted| accepted.get(attribute));
        let worth = self.hearing.hear(attribute, value, accepted, at);
        if self.hearing.of(attribute).is_some() && (accepted.is_none() || attribute == STATUS) {
            self.theirs.insert(attribute.to_owned());
        }
        worth
    }

    /// Nothing that was ever sent or heard of them is there: they are new, with what is said of those alone.
    fn begin_anew(&mut self) {
        (self.accepted, self.contact_id, self.made_anew) = (None, None, false);
        self.unanswered.clear();
        self.hear_anew(true);
    }

    /// What was heard was said of another contact: of one that was made anew nothing was. Tells whether its status was among it.
    fn hear_anew(&mut self, made_anew: bool) -> bool {
        let heard = self.hearing.of(STATUS).is_some();
        self.hearing.keep_only(|name| !made_anew && name != STATUS);
        self.status_seen = None;
        if made_anew {
            self.theirs.clear();
        }
        heard
    }

    /// Freshsales may not have the status it was told any more; tells whether it was told one.
    fn forget_status(&mut self) -> bool {
        self.accepted.as_mut().is_some_and(|accepted| accepted.remove(STATUS).is_some())
    }

    /// Nobody knows whether the call on its way was applied.
    pub fn unanswered(&mut self) {
        if let Some(call) = self.in_flight.take() {
            if let Some(lead) = &mut self.lead {
                lead.unanswered(call.left_at.unwrap_or(UnixMicros(0)));
            }
            self.hearing.may_be_overwritten(&call.sent);
            self.unanswered.extend(call.sent);
            self.open = Some(call.delivery);
        }
    }

    /// Nobody knows which calls were made: the next one carries everything, where Freshsales may have the contact. Answers
    /// whether it may.
    pub fn distrust(&mut self) -> bool {
        self.send_whole |= self.known();
        self.lists.values_mut().for_each(Member::distrust);
        if let Some(lead) = &mut self.lead {
            lead.looked_at = None;
        }
        self.known()
    }

    /// The call on its way was answered, and not applied.
    pub fn not_applied(&mut self) -> Option<InFlight> {
        let call = self.in_flight.take()?;
        if let Some(lead) = &mut self.lead {
            lead.not_applied();
        }
        self.open = Some(call.delivery.clone());
        Some(call)
    }
}
