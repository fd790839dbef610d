//! The wish: what the persons of a contact add up to.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::considered::Considered;
use super::hearing::{Heard, Voice};
use super::lead::leave_what_leads_lack;
use super::names::put_ids;
use super::reading::{BLANK_NAME, SOURCE};
use super::{Settings, SourceDefaults, Unknown, World};
use crate::clock::UnixMicros;
use crate::consent::{Category, Choice, Stand};
use crate::contact::{Attributes, COMPANIES, Exclusion, STATUS, Standing};
use crate::delivery::{CompanyKey, Lane};
use crate::event::{Email, Lww, SourceName, Trust};
use crate::mapping::{self, LeftOut, Link, Mapped, MappedField, When};
use crate::mapping::{IdentifyMode, MissingNames};
use crate::person::{Facts, Tally};

/// The attributes that a contact is called by.
const NAMES: [&str; 2] = ["first_name", "last_name"];
/// Where a name that was taken from the address comes from: the key of the configuration that says so.
const NAMED_BY: &str = "mapping.missing_names";

/// Adds up the persons of a contact.
#[must_use]
pub fn consider(email: &Email, world: &World, settings: &Settings) -> Considered {
    let Some(contact) = world.contacts.get(email) else { return Considered::default() };
    let members = world.members(email);
    let members = members.iter().filter(|key| settings.counts(key));
    let people: Vec<_> = members.filter_map(|key| Some((key, world.people.get(key)?.facts()))).collect();
    let everybody = || people.iter().filter(|(_, facts)| facts.owns(email));
    let voices: Vec<Voice<'_>> = everybody().map(|(key, facts)| Voice::of(key, facts, email)).collect();
    let here = everybody().map(|(_, facts)| facts.as_ref()).filter(|facts| facts.email() == Some(email));
    let here: Vec<&Facts> = here.collect();

    let mut considered = add_up(&here, contact.crowd.is_some(), settings);
    put_names(email, &here, &mut considered, settings);
    put_ids(&here, &mut considered, settings);
    considered.company = company_of(&here, settings);
    considered.lists = settings.preset.listings(&here);
    link_company(&mut considered, world, settings);
    let heard = heard(&voices, settings);
    considered.stands = heard.iter().map(|(category, heard)| (category.clone(), heard.stand())).collect();
    put_status(&here, heard.get(&settings.consent.marketing), &mut considered, settings);
    let standing = contact.with(&settings.account);
    leave_theirs(&standing, &mut considered);
    leave_what_leads_lack(&standing, &mut considered, settings);
    leave_unkept(world, &mut considered);
    let accepted_at = standing.accepted_at;
    let exempt = here.iter().filter_map(|facts| facts.exempt).max();
    let shut = if exempt > standing.exempt_told { None } else { shut_gate(&voices, &heard, settings) };
    let wish = &mut considered.wish;
    wish.has_member = !here.is_empty();
    wish.excluded = if world.suppressed.contains_key(email) {
        Some(Exclusion::Suppressed)
    } else {
        settings.senders.filters.excludes(email).map(ToOwned::to_owned).map(Exclusion::Pattern)
    };
    (wish.gate_shut, wish.exempt) = (shut, exempt);
    let began: Vec<Lane> =
        here.iter().flat_map(|facts| lanes_begun(facts, email, settings.complete_within)).collect();
    wish.started = !began.is_empty();
    if wish.awaits_consent && !standing.known() && considered.consent.is_none() {
        considered.consent = Some(format!(
            "{} was never spoken of: the new contact waits for a statement, at most {} hours (consent.unknown = \"hold\")",
            settings.consent.marketing,
            settings.complete_within.as_secs() / 3600,
        ));
    }
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
fn add_up(here: &[&Facts], crowd: bool, settings: &Settings) -> Considered {
    let mut considered = Considered::default();
    let mut added = counted(here, crowd, settings);
    for facts in here {
        added.join(mapped_alone(facts, settings));
    }
    let Mapped { always, on_create, on_empty, fields, left_out } = added;
    (considered.fields, considered.left_out) = (fields, left_out);
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
    let by_visitors = always.iter().filter(|(_, said)| !said.stamp.trust.is_server());
    considered.wish.by_visitors = by_visitors.map(|(name, _)| mapping::sent_as(name).to_owned()).collect();
    let said = [&on_empty, &on_create, &always].into_iter().flat_map(Lww::iter);
    considered.wish.said_at =
        said.map(|(name, said)| (mapping::sent_as(name).to_owned(), said.stamp.at)).collect();
    considered.wish.attributes = values(&always);
    considered.wish.on_create = values(&on_create);
    considered.wish.on_empty = values(&on_empty);
    considered.left_out.sort();
    considered.left_out.dedup();
    considered
}

/// What attributes make of the things of all of them together: an order that two of them speak of is one order.
fn counted(here: &[&Facts], crowd: bool, settings: &Settings) -> Mapped {
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    for (set, tally) in here.iter().flat_map(|facts| &facts.tallies) {
        tallies.entry(set.clone()).or_default().join(tally);
    }
    settings.preset.map_counted(&tallies, crowd)
}

/// The company that was named last of these people.
fn company_of(here: &[&Facts], settings: &Settings) -> Option<String> {
    let rule = settings.preset.company()?;
    let said = here.iter().filter_map(|facts| rule.of_person(facts));
    said.max_by(|one, other| one.stamp.rank().cmp(&other.stamp.rank())).map(|said| said.value)
}

/// A contact that has no company in Freshsales gets this one as its primary one, once that has an id.
fn link_company(considered: &mut Considered, world: &World, settings: &Settings) {
    let Some(rule) = settings.preset.company() else { return };
    let key = considered.company.as_deref().and_then(CompanyKey::of);
    let company = key.and_then(|key| world.companies.get(&key));
    let id = company.and_then(|company| company.with(&settings.account).id);
    match (rule.link, id) {
        (Link::IfNone, Some(id)) => {
            let link = json!([{ "id": id, "is_primary": true }]);
            considered.wish.on_empty.insert(COMPANIES.to_owned(), link);
        }
        (Link::IfNone | Link::Never, _) => {}
    }
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
            let (when, trust) = (When::Create, Trust::Server);
            fields.push(MappedField { attribute, path, message_id: None, value, when, trust });
        }
    }
}

/// What the source that spoke of these people last assumes of them.
fn source_defaults<'s>(people: &[&Facts], settings: &'s Settings) -> Option<&'s SourceDefaults> {
    let said = people.iter().filter_map(|facts| facts.values.get(SOURCE));
    let newest = said.max_by_key(|said| said.stamp.rank())?.value.as_str()?;
    settings.source_defaults.get(&SourceName(newest.to_owned()))
}

/// What is heard of each category from everybody who has the address, however many they are.
fn heard(voices: &[Voice<'_>], settings: &Settings) -> BTreeMap<Category, Heard<Stand>> {
    let heard = |category: &Category| Heard::over(voices.iter().map(|voice| voice.heard(category)));
    settings.consent.categories.iter().map(|category| (category.clone(), heard(category))).collect()
}

/// The status of the contact. A refusal counts whatever was said after it and not understood; a yes does not.
fn put_status(
    here: &[&Facts],
    heard: Option<&Heard<Stand>>,
    considered: &mut Considered,
    settings: &Settings,
) {
    let rules = &settings.consent;
    let by_stranger = heard.and_then(Heard::refused_by_stranger);
    // One that came by no source is what Freshsales shows: no visitor named the address.
    considered.wish.refused_by_stranger =
        by_stranger.and_then(|refusal| refusal.statement.source.clone()).map(SourceName);
    let stand = considered.stands.get(&rules.marketing).cloned().unwrap_or_default();
    let wish = &mut considered.wish;
    let (marketing, unclear) = (&rules.marketing, stand.unclear.as_ref());
    let decided = stand.choice.as_ref().map(|counted| (&counted.statement, counted.statement.choice));
    let (text, status) = match (decided, unclear) {
        (Some((said, Choice::Denied)), _) => {
            wish.withdrawn = true;
            (format!("{marketing} denied by {} = {}", said.key, said.value), Some(&rules.unsubscribed))
        }
        (Some((said, Choice::Granted)), None) => {
            (format!("{marketing} granted by {} = {}", said.key, said.value), Some(&rules.subscribed))
        }
        (_, Some(unclear)) => {
            let (key, value) = (&unclear.statement.key, &unclear.statement.value);
            (format!("{marketing} not understood: {key} = {value}; no status is written"), None)
        }
        (Some((_, Choice::Unclear)) | None, None) => (String::new(), None),
    };
    let text = text + heard.map(of_visitors).unwrap_or_default().as_str();
    considered.consent = Some(text).filter(|text| !text.is_empty());
    if let Some(status) = status {
        wish.attributes.insert(STATUS.to_owned(), status.clone());
        let yes_by_visitor = stand.choice.as_ref().is_some_and(|counted| {
            counted.statement.choice == Choice::Granted && !counted.since.trust.is_server()
        });
        if yes_by_visitor {
            wish.by_visitors.insert(STATUS.to_owned());
        }
        return;
    }
    let assumed = source_defaults(here, settings).and_then(|defaults| defaults.unknown.clone());
    match assumed.or_else(|| rules.unknown.clone()) {
        Some(Unknown::Status(status)) => {
            wish.on_create.insert(STATUS.to_owned(), status);
        }
        Some(Unknown::Hold) => wish.awaits_consent = true,
        None => {}
    }
}

/// Tells what visitors said that does not replace what Freshsales had from elsewhere.
fn leave_theirs(standing: &Standing, considered: &mut Considered) {
    let Considered { wish, fields, left_out, consent, .. } = considered;
    let stays = |name: &str| standing.theirs.contains(name) && wish.by_visitors.contains(name);
    let fields = fields.iter().filter(|field| stays(mapping::sent_as(&field.attribute)));
    left_out.extend(fields.map(|field| {
        LeftOut {
            attribute: field.attribute.clone(),
            path: field.path.clone(),
            why: "said by a visitor of the site; Freshsales has a value from elsewhere (sources.*.trust)"
                .to_owned(),
        }
    }));
    left_out.sort();
    left_out.dedup();
    if let Some(consent) = consent.as_mut().filter(|_| stays(STATUS)) {
        consent.push_str("; Freshsales has a refusal, which no visitor's yes undoes (sources.*.trust)");
    }
}

/// Leaves out what the account takes and does not keep. A refusal is told all the same.
fn leave_unkept(world: &World, considered: &mut Considered) {
    let Considered { wish, fields, left_out, .. } = considered;
    for name in world.destination.document.not_kept() {
        if name == STATUS && wish.withdrawn {
            continue;
        }
        let wanted = [&mut wish.attributes, &mut wish.on_create, &mut wish.on_empty];
        let had = wanted.into_iter().filter_map(|wanted| wanted.remove(name)).count();
        if had > 0 {
            let field = fields.iter().find(|field| mapping::sent_as(&field.attribute) == name);
            left_out.push(LeftOut {
                attribute: name.to_owned(),
                path: field.map(|field| field.path.clone()).unwrap_or_default(),
                why: "Freshsales takes it and does not keep it, so it is sent no more (POST /api/resume tries again)"
                    .to_owned(),
            });
        }
    }
    left_out.sort();
    left_out.dedup();
}

/// What is to be told of what visitors said of consent.
fn of_visitors(heard: &Heard<Stand>) -> String {
    let by_stranger = heard.refused_by_stranger().and_then(|refusal| refusal.statement.source.as_deref());
    if let Some(source) = by_stranger {
        return format!(
            ", said by a visitor who named the address: Freshsales is told within \
             sources.{source}.withdrawals_per_hour_max"
        );
    }
    if heard.servers.is_denied() && heard.agreed_by_visitor_since() {
        return "; what a visitor agreed to since does not undo what a server said (sources.*.trust)"
            .to_owned();
    }
    String::new()
}

/// Why the gate is shut: the first required category that is not granted, or Global Privacy Control since. What others
/// agreed to no stranger shuts.
fn shut_gate(
    voices: &[Voice<'_>],
    heard: &BTreeMap<Category, Heard<Stand>>,
    settings: &Settings,
) -> Option<String> {
    let control = Heard::newest(voices.iter().map(Voice::privacy_control));
    settings.consent.required.iter().find_map(|category| {
        let needed = format!("consent to {category} is required and");
        let heard = heard.get(category)?;
        let (stand, control) = (heard.firm(), control.counts(!heard.knows_better()));
        if let Some(unclear) = &stand.unclear {
            let (key, value) = (&unclear.statement.key, &unclear.statement.value);
            return Some(format!("{needed} {key} = {value} was not understood"));
        }
        let Some(counted) = &stand.choice else { return Some(format!("{needed} was never given")) };
        match counted.statement.choice {
            Choice::Denied => Some(format!("{needed} was denied by {}", counted.statement.key)),
            Choice::Unclear => Some(format!("{needed} was not understood")),
            Choice::Granted if control.is_some_and(|control| *control >= counted.seen_at) => {
                Some(format!("{needed} the browser sends Global Privacy Control"))
            }
            Choice::Granted => None,
        }
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
