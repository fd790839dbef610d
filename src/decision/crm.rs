//! What Freshsales says of its own records becomes what it has: ours is not owed against it, until people say something else
//! than before.
//!
//! Must not know how it is heard: a workflow tells it, and what an answer to a call shows is the same.

use std::collections::BTreeSet;

use serde_json::Value;

use super::judge::Decided;
use super::names::resolve;
use super::world::standing_of;
use super::{Outcome, Reading, Settings, World, deal, forward, learn, lists, owe, shown};
use crate::clock::UnixMicros;
use crate::consent::Choice;
use crate::contact::{COMPANIES, Contact, STATUS, StageSeen, Standing, Worth};
use crate::delivery::DeliveryId;
use crate::event::{CrmRecord, CrmSaid, Email};
use crate::mapping::TAGS;
use crate::selectors::OF_CONTACT;

/// Attributes that are named in one note.
const NAMED_MAX: usize = 12;

const NOT_KNOWN: &str = "nobody here has this record, so nothing of it is kept";
const KNOWN: &str = "Freshsales has what it accepted from here, or what it said before";
const NEWS: &str = "Freshsales has another value than it accepted from here; ours is not sent before its people say another than their last";
const FROZEN: &str = "an attribute turned more than five times in ten minutes between two values, as where two systems answer each other: it stays as Freshsales has it, and what is said of it within an hour is not sent";
const DOUBTED: &str = "whoever says so is not believed by itself (hooks.*.verify): Freshsales is asked for the record, and its answer counts";
const WAS_LEAD: &str =
    "the person is a lead as far as is known here: Freshsales is asked which record has the address now";
const REFUSED: &str =
    "somebody refused marketing in Freshsales: nothing subscribes them before they say yes, later";

/// What became of what Freshsales said.
#[derive(Default)]
struct Told {
    email: Option<Email>,
    worth: Option<Worth>,
    merged: Option<String>,
    notes: Vec<String>,
}

/// Takes in what Freshsales says of a record.
pub(super) fn hear(
    reading: &Reading,
    said: &CrmSaid,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> Decided {
    let refused = refuses(reading, settings);
    let mut actions = Vec::new();
    let mut told = match said.record {
        CrmRecord::Contact => hear_contact(reading, said, refused, world, settings, now),
        CrmRecord::Deal => {
            let heard = deal::hear(reading, said, when(reading, said), world, settings, now);
            actions = heard.actions;
            Told { email: None, worth: heard.worth, merged: heard.merged, notes: heard.notes }
        }
    };
    if !reading.own.consent.is_empty() {
        let learned = learn::learn(reading, world);
        owe::owe(reading, &learned, world, settings, now);
        told.email = reading.email().cloned();
    }
    let (outcome, reason) = match (told.merged, told.worth) {
        (Some(merged), _) => (Outcome::Merged, merged),
        (None, _) if refused => (Outcome::Heard, REFUSED.to_owned()),
        (None, Some(Worth::News)) if said.doubted => (Outcome::Heard, DOUBTED.to_owned()),
        (None, Some(Worth::Frozen)) => (Outcome::Frozen, FROZEN.to_owned()),
        (None, Some(Worth::News)) => (Outcome::Heard, NEWS.to_owned()),
        (None, Some(Worth::Echo | Worth::Stale)) => (Outcome::Echo, KNOWN.to_owned()),
        (None, None) => (Outcome::UnknownRecord, NOT_KNOWN.to_owned()),
    };
    let mut notes = reading.notes.clone();
    notes.extend(told.notes);
    Decided { person: None, email: told.email, outcome, reason, delivery_id: None, notes, actions }
}

/// Whether somebody refused marketing in Freshsales.
fn refuses(reading: &Reading, settings: &Settings) -> bool {
    let said = reading.own.consent.get(&settings.consent.marketing);
    said.is_some_and(|said| said.choice == Choice::Denied)
}

/// When it was so: by Freshsales, where it says that with a zone and not of the future; else when it was heard.
fn when(reading: &Reading, said: &CrmSaid) -> UnixMicros {
    said.changed_at.map_or(reading.received_at, |changed| changed.min(reading.received_at))
}

fn hear_contact(
    reading: &Reading,
    said: &CrmSaid,
    refused: bool,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> Told {
    let mut told = Told::default();
    let named = reading.email().filter(|email| world.contacts.get(email).is_some()).cloned();
    let known = said.id.and_then(|id| known_as(id, world, settings));
    let Some(email) = named.clone().or_else(|| known.clone().filter(|_| reading.email().is_none())) else {
        return told;
    };
    let at = when(reading, said);
    let before =
        world.contacts.get(&email).map(|contact| contact.with(&settings.account)).unwrap_or_default();
    // The lead was converted, it seems: which record has the address is asked, and that shows what it holds.
    let was_lead = before.lead.is_some() && said.id.is_some();
    if said.doubted || was_lead {
        let news = was_lead || is_news(said, at, before, settings);
        told.notes.extend(was_lead.then(|| WAS_LEAD.to_owned()));
        if news {
            let doubted_at = &mut standing_of(&email, world, settings).doubted_at;
            *doubted_at = (*doubted_at).max(Some(reading.received_at));
            owe::evaluate_without_event(&email, DeliveryId::of(reading.position, 0), world, settings, now);
        }
        told.worth = Some(if news { Worth::News } else { Worth::Echo });
        return Told { email: Some(email), ..told };
    }
    let mut standing = before.clone();
    told.merged = hear_id(said, at, &mut standing);
    if let Some(old) = known.filter(|known| *known != email) {
        // It has another address now, or was merged with this one: what is told of the old one finds no contact of it any more.
        let old = standing_of(&old, world, settings);
        old.contact_id = old.contact_id.filter(|id| Some(*id) != said.id);
        told.merged = Some("Freshsales has the contact of another address under this one now".to_owned());
    }
    told.worth = Some(Worth::Echo);
    if refused {
        told.worth = told.worth.max(Some(standing.hear(STATUS, &settings.consent.unsubscribed, at)));
    }
    let heard = Attributes::of(said, &standing, settings);
    let (mut news, mut stale, mut frozen) = (Vec::new(), Vec::new(), Vec::new());
    for (name, value) in &heard.known {
        let worth = standing.hear(name, value, at);
        match worth {
            Worth::News => news.push(name.as_str()),
            Worth::Stale => stale.push(name.as_str()),
            Worth::Frozen => frozen.push(name.as_str()),
            Worth::Echo => {}
        }
        told.worth = told.worth.max(Some(worth));
        see_stage(name, value, at, &mut standing, settings);
    }
    told.notes.extend(list("Freshsales has another value than it accepted from here", &news));
    told.notes.extend(list("something newer is known", &stale));
    told.notes.extend(list("stays as Freshsales has it", &frozen));
    for name in frozen {
        world.freeze(format!("contact {name}"), now);
    }
    told.notes.extend(heard.unclear);
    if standing != before {
        *standing_of(&email, world, settings) = standing;
    }
    // What waits to be sent may be what a person there has corrected.
    owe::evaluate_without_event(&email, DeliveryId::of(reading.position, 0), world, settings, now);
    // It may be the first time that its id is said.
    lists::evaluate_without_event(&email, world, settings, now);
    told.email = Some(email);
    told
}

/// Whether a message says anything of a contact that is not known already. What our own calls wrote comes back in messages, and
/// asks nothing.
fn is_news(said: &CrmSaid, at: UnixMicros, mut standing: Standing, settings: &Settings) -> bool {
    let other_id = said.id.zip(standing.contact_id).is_some_and(|(said, known)| said != known);
    let status = said.said.get(STATUS);
    let heard = Attributes::of(said, &standing, settings);
    let says_nothing = heard.known.is_empty() && status.is_none();
    let is_old = |worth: Worth| matches!(worth, Worth::Echo | Worth::Stale);
    let known = heard.known.iter().all(|(name, value)| is_old(standing.hear(name, value, at)));
    let other_status = status.is_some_and(|status| !shown::is_known_status(status, &standing));
    says_nothing || other_id || other_status || !heard.unclear.is_empty() || !known
}

/// The contact of here that has an id there.
fn known_as(id: u64, world: &World, settings: &Settings) -> Option<Email> {
    let has = |contact: &Contact| contact.with(&settings.account).contact_id == Some(id);
    world.contacts.iter().find(|(_, contact)| has(contact)).map(|(email, _)| email.clone())
}

/// Takes in the id that the contact has; tells of another one than was known.
fn hear_id(said: &CrmSaid, at: UnixMicros, standing: &mut Standing) -> Option<String> {
    let id = said.id.filter(|_| standing.id_heard_at.is_none_or(|heard| heard < at))?;
    standing.id_heard_at = Some(at);
    let before = standing.contact_id.replace(id).filter(|before| *before != id)?;
    Some(format!(
        "Freshsales has this contact as {id} now; it was {before}, which was merged or replaced there"
    ))
}

/// Where the contact stands in its lifecycle is known without a question then.
fn see_stage(name: &str, value: &Value, at: UnixMicros, standing: &mut Standing, settings: &Settings) {
    let moves = name == forward::STAGE && settings.preset.forward_only_stage().is_some();
    if moves && standing.stage_seen.is_none_or(|seen| seen.at < at) {
        standing.stage_seen = Some(StageSeen { id: value.as_u64(), at });
    }
}

/// What was said of attributes, as calls carry them.
#[derive(Default)]
struct Attributes {
    known: Vec<(String, Value)>,
    /// Names that stand for nothing in the account, in a sentence each.
    unclear: Vec<String>,
}

impl Attributes {
    /// Those that the mapping sends. The status is heard as consent; tags and companies are lists that are joined.
    fn of(said: &CrmSaid, standing: &Standing, settings: &Settings) -> Self {
        let sent: BTreeSet<&str> = settings.preset.sent_names().collect();
        let apart = [STATUS, TAGS, COMPANIES];
        let mut found = Self::default();
        // The stage stands first: a status is looked for among those of its stage.
        for named in &OF_CONTACT {
            let Some(value) = said.said.get(named.attribute) else { continue };
            if !sent.contains(named.id_attribute) || said.said.contains_key(named.id_attribute) {
                continue;
            }
            let stage = found.stage().or_else(|| standing.baseline().get(forward::STAGE)?.as_u64());
            let id = resolve(named, &id_or_name(value), stage, &settings.selectors).id();
            match id {
                Some(id) => found.known.push((named.id_attribute.to_owned(), Value::from(id))),
                None => found.unclear.push(format!(
                    "{}: what Freshsales says is none of the names in the account's list, so it is not heard",
                    named.attribute
                )),
            }
        }
        let plain = said
            .said
            .iter()
            .filter(|(name, _)| sent.contains(name.as_str()) && !apart.contains(&name.as_str()));
        for (name, value) in plain {
            let is_id = OF_CONTACT.iter().any(|named| named.id_attribute == *name);
            let value = if is_id { id_or_name(value) } else { value.clone() };
            found.known.push((name.clone(), value));
        }
        found
    }

    fn stage(&self) -> Option<u64> {
        self.known.iter().find(|(name, _)| name == forward::STAGE)?.1.as_u64()
    }
}

/// Digits are an id.
fn id_or_name(value: &Value) -> Value {
    let id = value.as_str().and_then(|text| text.parse::<u64>().ok());
    id.map_or_else(|| value.clone(), Value::from)
}

/// A note that names attributes, without a value of any.
fn list(what: &str, attributes: &[&str]) -> Option<String> {
    let more = attributes.len().saturating_sub(NAMED_MAX);
    let named: Vec<&str> = attributes.iter().copied().take(NAMED_MAX).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!named.is_empty()).then(|| format!("{what}: {}{more}", named.join(", ")))
}
