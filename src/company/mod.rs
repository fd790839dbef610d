//! The company: what Freshsales should hold on one (a `sales_account` there), and how it stands with each account.
//!
//! A company is stored by its name, which is safe to repeat. Pure. Must not know the mapping, contacts or storage.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::clock::UnixMicros;
use crate::contact::Refused;
use crate::delivery::{Account, DeliveryId};
use crate::event::{Email, Stamp, Stamped};
use crate::person::{Facts, Said};

/// Attributes by name, custom fields as `custom_field.cf_*`; without the name, which is the key.
pub type Attributes = BTreeMap<String, Value>;

/// Contacts that are looked at again once the company has an id. Where more wait, the others are at their next event.
pub const WAITING_MAX: usize = 50;

const CUSTOM_FIELD_PREFIX: &str = "custom_field.";

/// What is known of one company.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Company {
    /// Its name as it was last written.
    pub name: Option<Stamped<String>>,
    /// What was said at the paths that the mapping reads of it.
    pub said: Facts,
    /// A contact that Freshsales has, or is to have, is of it: from then on it is kept current.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub begun: bool,
    /// Contacts that wait for its id.
    #[serde(skip_serializing_if = "Waiting::is_empty")]
    pub waiting: Waiting,
    /// How it stands with each Freshsales account.
    pub standing: BTreeMap<Account, Standing>,
}

/// Contacts that wait for the id of a company.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Waiting {
    /// Their addresses, or some of them.
    pub emails: BTreeSet<Email>,
    /// More of them wait than are listed.
    pub more: bool,
}

impl Waiting {
    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.emails.is_empty() && !self.more
    }

    /// Whether a contact is listed.
    #[must_use]
    pub fn knows(&self, email: &Email) -> bool {
        self.emails.contains(email)
    }

    /// A contact waits too.
    pub fn add(&mut self, email: &Email) {
        if self.emails.len() < WAITING_MAX {
            self.emails.insert(email.clone());
        } else if !self.emails.contains(email) {
            self.more = true;
        }
    }
}

/// How a company stands with one account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Standing {
    /// Its id in Freshsales.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// What Freshsales last accepted; `None` before the first time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Attributes>,
    /// When that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<UnixMicros>,
    /// Attributes of calls that left and were never answered: each may or may not have been written.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unanswered: Attributes,
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
    /// When it was looked for by its website; it is not looked for again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<UnixMicros>,
    /// Its first attempt has ended: nothing waits for it any longer.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub tried: bool,
}

/// A call on its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InFlight {
    /// Its delivery.
    pub delivery: DeliveryId,
    /// Which attempt of it: the fence against answers of older claims.
    pub attempt: u32,
    /// What it carries; `None` for a question.
    pub sent: Option<Attributes>,
}

/// What a company needs next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Freshsales has it as wanted.
    Nothing,
    /// Freshsales refused exactly this.
    Refused,
    /// It is looked for by this website first.
    Find(String),
    /// It is stored with these attributes.
    Upsert(Attributes),
}

impl Company {
    /// Takes in what one event says. In whatever order events come, the company ends the same.
    pub fn learn(&mut self, name: &str, said: &Said, stamp: &Stamp) {
        let named = Stamped { value: name.to_owned(), stamp: stamp.clone() };
        if self.name.as_ref().is_none_or(|known| named.beats(known)) {
            self.name = Some(named);
        }
        self.said.learn(said, stamp);
    }

    /// How it stands with an account.
    #[must_use]
    pub fn with(&self, account: &Account) -> Standing {
        self.standing.get(account).cloned().unwrap_or_default()
    }

    /// Whether a call is owed, on its way or refused, with any account.
    #[must_use]
    pub fn awaits_a_call(&self) -> bool {
        self.standing.values().any(|standing| standing.open.is_some() || standing.in_flight.is_some())
    }
}

impl Standing {
    /// What it needs by what is wanted of it. `website`: it is looked for by that before it is stored by its name.
    #[must_use]
    pub fn next(&self, wanted: &Attributes, website: Option<&str>) -> Next {
        let mut wanted = wanted.clone();
        wanted.retain(|name, value| self.left_out.get(name) != Some(value));
        let refused = |sent: &Attributes| {
            self.refused.as_ref().is_some_and(|it| it.wanted == *sent && !it.redrive.goes_again())
        };
        let Some(accepted) = &self.accepted else {
            return match website.filter(|_| self.looked_at.is_none() && self.id.is_none()) {
                Some(website) => Next::Find(website.to_owned()),
                None if refused(&wanted) => Next::Refused,
                None => Next::Upsert(wanted),
            };
        };
        let differs = |name: &String, value: &Value| {
            accepted.get(name) != Some(value) || self.unanswered.contains_key(name)
        };
        let custom = |name: &String| name.starts_with(CUSTOM_FIELD_PREFIX);
        // Custom fields go whole: a part of them may wipe the rest.
        let custom_differs = wanted.iter().any(|(name, value)| custom(name) && differs(name, value));
        let mut changed = wanted;
        changed.retain(|name, value| differs(name, value) || (custom_differs && custom(name)));
        match changed {
            changed if changed.is_empty() => Next::Nothing,
            changed if refused(&changed) => Next::Refused,
            changed => Next::Upsert(changed),
        }
    }

    /// A call leaves.
    pub fn leave(&mut self, call: InFlight) {
        self.open = None;
        self.in_flight = Some(call);
    }

    /// Freshsales stored the call on its way.
    pub fn stored(&mut self, id: Option<u64>, now: UnixMicros) {
        let Some(call) = self.in_flight.take() else { return };
        let sent = call.sent.unwrap_or_default();
        self.unanswered.retain(|name, _| !sent.contains_key(name));
        self.left_out.retain(|name, _| !sent.contains_key(name));
        self.accepted.get_or_insert_default().extend(sent);
        (self.accepted_at, self.refused, self.tried) = (Some(now), None, true);
        self.id = id.or(self.id);
        self.last_delivered = Some(call.delivery);
    }

    /// Freshsales answered whether it has it under its website.
    pub fn looked(&mut self, id: Option<u64>, now: UnixMicros) {
        if let Some(call) = self.in_flight.take() {
            self.open = Some(call.delivery);
        }
        self.id = id.or(self.id);
        self.looked_at = Some(now);
    }

    /// Nobody knows whether the call on its way was applied.
    pub fn unanswered(&mut self) {
        if let Some(call) = self.in_flight.take() {
            self.unanswered.extend(call.sent.unwrap_or_default());
            self.open = Some(call.delivery);
        }
    }

    /// The call on its way was answered, and not applied.
    pub fn not_applied(&mut self) -> Option<InFlight> {
        let call = self.in_flight.take()?;
        self.open = Some(call.delivery.clone());
        Some(call)
    }
}

/// The body of `POST /crm/sales/api/sales_accounts/upsert`: the name as key, then the attributes.
#[must_use]
pub fn upsert_body(name: &str, sent: &Attributes) -> Value {
    let mut account = Map::new();
    account.insert("name".to_owned(), json!(name));
    let custom = |name: &str| name.starts_with(CUSTOM_FIELD_PREFIX);
    for (attribute, value) in sent.iter().filter(|(attribute, _)| !custom(attribute)) {
        account.insert(attribute.clone(), value.clone());
    }
    let fields: Map<String, Value> = sent
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(CUSTOM_FIELD_PREFIX)?.to_owned(), value.clone())))
        .collect();
    if !fields.is_empty() {
        account.insert("custom_field".to_owned(), Value::Object(fields));
    }
    json!({ "unique_identifier": { "name": name }, "sales_account": account })
}
