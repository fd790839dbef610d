//! The wish: what the persons of a contact add up to.

use std::time::Duration;

use serde_json::Value;

use super::reading::{BLANK_NAME, SOURCE};
use super::{Settings, SourceDefaults, World};
use crate::clock::UnixMicros;
use crate::consent::{self, Category, Choice};
use crate::contact::{Attributes, STATUS, Wish};
use crate::delivery::Lane;
use crate::event::{Email, Lww, SourceName, Stamp, Stamped};
use crate::mapping::{self, LeftOut, Mapped, MappedField, When};
use crate::mapping::{IdentifyMode, MissingNames};
use crate::person::Facts;

/// The attributes that a contact is called by.
const NAMES: [&str; 2] = ["first_name", "last_name"];
/// Where a name that was taken from the address comes from: the key of the configuration that says so.
const NAMED_BY: &str = "mapping.missing_names";

/// A wish and how it came about.
#[derive(Clone, Debug, Default)]
pub struct Considered {
    /// What is wanted.
    pub wish: Wish,
    /// The lane of a call that creates the contact.
    pub lane_if_new: Option<Lane>,
    /// Which attribute came from where.
    pub fields: Vec<MappedField>,
    /// What was left out, and why.
    pub left_out: Vec<LeftOut>,
    /// The statement that decided `subscription_status`, in words.
    pub consent: Option<String>,
}

/// Adds up the persons of a contact.
#[must_use]
pub fn consider(email: &Email, world: &World, settings: &Settings) -> Considered {
    let Some(contact) = world.contacts.get(email) else { return Considered::default() };
    let members = world.members(email);
    let members = members.iter().filter(|key| settings.counts(key));
    let people: Vec<_> =
        members.filter_map(|key| world.people.get(key)).map(|person| person.facts()).collect();
    let everybody = people.iter().map(AsRef::as_ref).filter(|facts: &&Facts| facts.owns(email));
    let everybody: Vec<&Facts> = everybody.collect();
    let here: Vec<&Facts> = everybody.iter().copied().filter(|facts| facts.email() == Some(email)).collect();

    let mut considered = add_up(&here, settings);
    put_names(email, &here, &mut considered, settings);
    let marketing = newest_choice(&everybody, &settings.consent.marketing);
    put_status(&here, marketing, &mut considered, settings);
    let accepted_at = contact.with(&settings.account).accepted_at;
    let wish = &mut considered.wish;
    wish.has_member = !here.is_empty();
    wish.excluded = settings.senders.filters.excludes(email).map(ToOwned::to_owned);
    wish.gate_shut = shut_gate(&everybody, settings);
    let began: Vec<Lane> =
        here.iter().flat_map(|facts| lanes_begun(facts, email, settings.complete_within)).collect();
    wish.started = !began.is_empty();
    let identify = source_defaults(&here, settings).and_then(|defaults| defaults.identify);
    let identify = identify.unwrap_or(settings.identify);
    wish.may_update = identify != IdentifyMode::Off || mapped_since(&here, accepted_at);
    considered.lane_if_new = began.into_iter().max().map(|lane| match lane {
        Lane::Conversion => Lane::NewContact,
        Lane::Backfill | Lane::Refresh | Lane::Login | Lane::NewContact | Lane::Withdrawal => lane,
    });
    considered
}

/// The newest value of each attribute over everybody who has the address now.
fn add_up(here: &[&Facts], settings: &Settings) -> Considered {
    let mut considered = Considered::default();
    let (mut always, mut on_create, mut on_empty) = (Lww::default(), Lww::default(), Lww::default());
    for facts in here {
        let mapped = mapped_alone(facts, settings);
        always.join(&mapped.always);
        on_create.join(&mapped.on_create);
        on_empty.join(&mapped.on_empty);
        considered.fields.extend(mapped.fields);
        considered.left_out.extend(mapped.left_out);
    }
    // Of several people one value of an attribute counts; where that came from is told once.
    let counts = |field: &MappedField| {
        let newest = match field.when {
            When::Always => always.get(&field.attribute),
            When::Create => on_create.get(&field.attribute),
            When::Empty => on_empty.get(&field.attribute),
            When::Never => None,
        };
        newest.is_some_and(|newest| {
            newest.stamp.message_id == field.message_id.as_deref().unwrap_or_default()
                && newest.value == field.value
        })
    };
    considered.fields.retain(counts);
    considered.fields.sort_by(|a, b| a.attribute.cmp(&b.attribute));
    considered.fields.dedup_by(|later, earlier| later.attribute == earlier.attribute);
    let values = |lww: &Lww<String, Value>| -> Attributes {
        lww.iter().map(|(name, said)| (name.clone(), said.value.clone())).collect()
    };
    considered.wish.attributes = values(&always);
    considered.wish.on_create = values(&on_create);
    considered.wish.on_empty = values(&on_empty);
    considered.left_out.sort();
    considered.left_out.dedup();
    considered
}

/// What one person says for a contact.
pub(super) fn mapped_alone(facts: &Facts, settings: &Settings) -> Mapped {
    let assumed = source_defaults(&[facts], settings).and_then(|defaults| defaults.region);
    mapping::map(facts, &settings.preset, assumed.or(settings.default_region))
}

/// A contact without a name is refused by most accounts; where the settings say so, one that is created takes its name
/// from its address. So does one whose name is the text of a missing value: its sender means to have said one, and no other
/// will come.
fn put_names(email: &Email, here: &[&Facts], considered: &mut Considered, settings: &Settings) {
    let Considered { wish, fields, .. } = considered;
    let has = |name: &str| wish.attributes.contains_key(name) || wish.on_create.contains_key(name);
    let has_one = NAMES.into_iter().any(has);
    let left_blank = || here.iter().any(|facts| facts.values.get(BLANK_NAME).is_some());
    let by_address = match settings.missing_names {
        MissingNames::FromEmail => true,
        MissingNames::Refuse => left_blank(),
    };
    if by_address && !has_one {
        let (first, last) = mapping::name_of_address(email);
        for (name, text) in NAMES.into_iter().zip([first, Some(last)]) {
            let Some(text) = text else { continue };
            let (attribute, value) = (name.to_owned(), Value::from(text));
            wish.on_create.insert(attribute.clone(), value.clone());
            let path = NAMED_BY.to_owned();
            fields.push(MappedField { attribute, path, message_id: None, value, when: When::Create });
        }
    }
}

/// What the source that spoke of these people last assumes of them.
fn source_defaults<'s>(people: &[&Facts], settings: &'s Settings) -> Option<&'s SourceDefaults> {
    let said = people.iter().filter_map(|facts| facts.values.get(SOURCE));
    let newest = said.max_by_key(|said| &said.stamp)?.value.as_str()?;
    settings.source_defaults.get(&SourceName(newest.to_owned()))
}

fn put_status(
    here: &[&Facts],
    marketing: Option<&Stamped<consent::Statement>>,
    considered: &mut Considered,
    settings: &Settings,
) {
    let rules = &settings.consent;
    let wish = &mut considered.wish;
    match marketing {
        None => {
            let assumed = source_defaults(here, settings).and_then(|defaults| defaults.unknown.clone());
            let unknown = assumed.or_else(|| rules.unknown.clone());
            wish.on_create.extend(unknown.map(|status| (STATUS.to_owned(), status)));
        }
        Some(said) => {
            let (status, word) = match said.value.choice {
                Choice::Granted => (&rules.subscribed, "granted"),
                Choice::Denied => (&rules.unsubscribed, "denied"),
            };
            wish.withdrawn = said.value.choice == Choice::Denied;
            wish.attributes.insert(STATUS.to_owned(), status.clone());
            let statement = &said.value;
            considered.consent =
                Some(format!("{} {word} by {} = {}", rules.marketing, statement.key, statement.value));
        }
    }
}

fn newest_choice<'a>(people: &[&'a Facts], category: &Category) -> Option<&'a Stamped<consent::Statement>> {
    let mut newest: Option<&Stamped<consent::Statement>> = None;
    for said in people.iter().filter_map(|facts| facts.choice(category)) {
        if newest.is_none_or(|newest| said.beats(newest)) {
            newest = Some(said);
        }
    }
    newest
}

/// Why the gate is shut: the first required category that is not granted, or Global Privacy Control since.
fn shut_gate(people: &[&Facts], settings: &Settings) -> Option<String> {
    let control: Option<&Stamp> = people.iter().filter_map(|facts| facts.privacy_control.as_ref()).max();
    settings.consent.required.iter().find_map(|category| match newest_choice(people, category) {
        None => Some(format!("consent to {category} is required and was never given")),
        Some(said) => match said.value.choice {
            Choice::Denied => {
                Some(format!("consent to {category} is required and was denied by {}", said.value.key))
            }
            Choice::Granted if control.is_some_and(|control| *control >= said.stamp) => Some(format!(
                "consent to {category} is required and the browser sends Global Privacy Control"
            )),
            Choice::Granted => None,
        },
    })
}

/// The lanes of the mapped events that happened late enough to complete a contact of this address.
pub(super) fn lanes_begun(facts: &Facts, email: &Email, within: Duration) -> Vec<Lane> {
    let Some(claim) = facts.emails.get(email) else { return Vec::new() };
    let earliest = claim.first_at.minus(within);
    facts.mapped.iter().filter(|(_, at)| **at >= earliest).map(|(lane, _)| *lane).collect()
}

fn mapped_since(here: &[&Facts], accepted_at: Option<UnixMicros>) -> bool {
    let last = here.iter().flat_map(|facts| facts.mapped.values()).max();
    last.copied() > accepted_at
}
