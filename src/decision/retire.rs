//! Retiring: what of people and devices that have been silent for long goes, and what has to stay.
//!
//! Nothing that goes makes a contact look changed, and no refusal is lost.

use std::collections::BTreeSet;

use super::{Settings, World, consider};
use crate::clock::UnixMicros;
use crate::consent::Choice;
use crate::contact::{Contact, STATUS};
use crate::deal::{self, Deal, PIPELINE, STAGE};
use crate::delivery::{DealKey, HappeningId};
use crate::event::{Email, Trust};
use crate::person::{Facts, Person, PersonId, PersonKey, TimelineKey};
use crate::selectors::Forecast;

/// A device goes. What it gave to people is theirs for good.
pub fn retire_device(key: &TimelineKey, world: &mut World) {
    let Some(line) = world.timelines.remove(key) else { return };
    let owners: BTreeSet<PersonId> = line.people().collect();
    for id in owners {
        let owner = PersonKey { people: key.people.clone(), id };
        if world.people.get(&owner).is_some_and(|person| person.borrowed.contains_key(&key.anonymous_id)) {
            world.people.edit(&owner).keep_borrowed(&key.anonymous_id);
        }
    }
}

/// A person goes, with contacts that nobody else has. `since` is the moment from which on somebody counts as heard.
///
/// Who is still owed a call stays, and who shares a contact with somebody who was heard. Of who refused something, the
/// refusal and the addresses stay.
pub fn retire_person(key: &PersonKey, since: UnixMicros, world: &mut World, settings: &Settings) {
    let Some(person) = world.people.get(key) else { return };
    // A device that is still kept would give its part again.
    if !person.borrowed.is_empty() {
        return;
    }
    let facts = person.facts().into_owned();
    let contacts = contacts_of(key, &facts, world);
    if contacts.iter().any(|email| is_needed(email, key, since, world)) {
        return;
    }
    let refusals = refusals(&facts);
    if refusals.is_empty() {
        world.people.remove(key);
        for email in &contacts {
            leave(email, key, world);
        }
    } else if *person != refusals_alone(&facts) {
        *world.people.edit(key) = refusals_alone(&facts);
        for email in &contacts {
            forget_values(email, world, settings);
        }
    }
}

/// A contact that nobody has and nothing is owed for goes.
pub fn retire_contact(email: &Email, world: &mut World) {
    let waits = world.contacts.get(email).is_none_or(Contact::awaits_a_call);
    if !waits && world.members(email).is_empty() {
        world.contacts.remove(email);
    }
}

/// A deal goes of which nobody spoke for long. `finished_before`: one that is finished and was let go before is not needed
/// any more, because no event of it that comes again would be let in.
///
/// What is owed a call stays. Whether accounts have it stays too, so that it is not created twice: of one that is finished
/// for as long as that, of any other for good.
pub fn retire_deal(
    key: &DealKey,
    finished_before: UnixMicros,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) {
    let Some(deal) = world.deals.get(key).filter(|deal| !deal.awaits_a_call()) else { return };
    if deal.retired_at.is_some_and(|at| at < finished_before) {
        world.deals.remove(key);
        return;
    }
    let mut left = deal.only_births();
    if left.standing.is_empty() {
        world.deals.remove(key);
        return;
    }
    left.retired_at = left.retired_at.or_else(|| is_finished(deal, settings).then_some(now));
    if left != *deal {
        *world.deals.edit(key) = left;
    }
}

/// A happening goes that had its time. One that is owed a call, or may be there already, stays.
pub fn retire_happening(id: &HappeningId, world: &mut World) {
    if world.happenings.get(id).is_some_and(|happening| !happening.standing.awaits_a_call()) {
        world.happenings.remove(id);
    }
}

/// Whether a deal stands where no other stage follows, as far as the account's stages are known.
fn is_finished(deal: &Deal, settings: &Settings) -> bool {
    let Some(standing) = deal.standing.get(&settings.account) else { return false };
    let accepted = |name: &str| standing.accepted.get(name).and_then(serde_json::Value::as_str);
    let final_stage = || {
        let pipeline = deal::pipeline(&settings.selectors, accepted(PIPELINE)).ok()?;
        let stage = accepted(STAGE)?;
        let stage = pipeline.stages.iter().find(|known| deal::is_called(known, stage))?;
        Some(stage.forecast != Forecast::Open)
    };
    standing.gone_at.is_some() || final_stage().unwrap_or(false)
}

/// The contacts that a person is a member of.
fn contacts_of(key: &PersonKey, facts: &Facts, world: &World) -> Vec<Email> {
    let own = match &key.id {
        PersonId::Email(email) => Some(email),
        PersonId::User(_) | PersonId::Anonymous(_) => None,
    };
    let named: BTreeSet<&Email> = facts.emails.keys().chain(own).collect();
    let is_member = |email: &&Email| world.members(email).contains(key);
    named.into_iter().filter(is_member).cloned().collect()
}

/// Whether a contact waits for a call, or has somebody else who was heard.
fn is_needed(email: &Email, but: &PersonKey, since: UnixMicros, world: &World) -> bool {
    let Some(contact) = world.contacts.get(email) else { return false };
    let heard = |key: &PersonKey| {
        key != but && world.people.get(key).is_some_and(|person| person.facts().newest() >= since)
    };
    contact.awaits_a_call() || world.members(email).iter().any(heard)
}

fn leave(email: &Email, key: &PersonKey, world: &mut World) {
    world.leave(email, |member| member == key);
    if world.members(email).is_empty() {
        world.contacts.remove(email);
    }
}

/// What the person refused, by what servers and by what visitors said.
fn refusals(facts: &Facts) -> Facts {
    let visitors = facts.visitors.as_deref().map(refusals_alike).filter(|refused| !refused.is_empty());
    Facts { visitors: visitors.map(Box::new), ..refusals_alike(facts) }
}

/// What was refused by those who are believed alike.
fn refusals_alike(facts: &Facts) -> Facts {
    let mut refused = Facts::default();
    let spoken = facts.consent.iter().map(|(category, _)| category).chain(facts.consent_shown.keys());
    for category in spoken.filter(|category| facts.stand_by(Trust::Server, category).is_denied()) {
        let said = facts.consent.get(category).filter(|said| said.value.choice == Choice::Denied);
        if let Some(said) = said {
            refused.consent.say(category.clone(), said.clone());
        }
        // What a tool showed before must not look new when it is shown again.
        if let Some(shown) = facts.consent_shown.get(category) {
            refused.consent_shown.insert(category.clone(), shown.clone());
        }
    }
    refused
}

/// What stays of somebody who refused something: that, and for which addresses.
fn refusals_alone(facts: &Facts) -> Person {
    let emails = facts.emails.iter().filter(|(email, _)| facts.owns(email));
    let emails = emails.map(|(email, claim)| (email.clone(), claim.clone())).collect();
    let own = Facts { emails, privacy_control: facts.privacy_control.clone(), ..refusals(facts) };
    Person { own, ..Person::default() }
}

/// The values of a contact go. What still follows from the address alone counts as accepted, so nothing is owed.
fn forget_values(email: &Email, world: &mut World, settings: &Settings) {
    let wish = consider(email, world, settings).wish;
    let contact = world.contacts.edit(email);
    contact.keep_only(&wish.attributes);
    contact.consent.keep_newest();
    for accepted in contact.standing.values_mut().filter_map(|standing| standing.accepted.as_mut()) {
        let derived = wish.attributes.iter().filter(|(name, _)| *name != STATUS);
        accepted.extend(derived.map(|(name, value)| (name.clone(), value.clone())));
    }
}
