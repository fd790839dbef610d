//! What is known of somebody, statement by statement: what was said, when, by which message, and where it stood.

use serde_json::{Map, Value, json};

use crate::consent::{Category, Statement};
use crate::event::{Stamp, Stamped};
use crate::person::{Facts, Person};

/// Everything held on one person. Where it came from: their own events, those of a device, or an event that named
/// an address.
pub(super) fn of_person(person: &Person) -> Value {
    let devices: Map<String, Value> =
        person.borrowed.iter().map(|(id, facts)| (id.clone(), of_facts(facts))).collect();
    let named: Map<String, Value> =
        person.named.iter().map(|(email, facts)| (email.as_str().to_owned(), of_facts(facts))).collect();
    json!({ "own": of_facts(&person.own), "from_anonymous_ids": devices, "of_addresses_they_named": named })
}

fn of_facts(facts: &Facts) -> Value {
    let traits: Vec<Value> = facts
        .values
        .iter()
        .map(|(path, said)| json!({ "path": path, "value": said.value, "said": when(&said.stamp) }))
        .collect();
    // What servers and what visitors said is kept apart.
    let spoken = || [Some(facts), facts.visitors.as_deref()].into_iter().flatten();
    let said = spoken().flat_map(|facts| facts.consent.iter().chain(facts.consent_unclear.iter()));
    let said = said.map(|(category, said)| of_consent(category, said, None));
    let shown = spoken().flat_map(|facts| &facts.consent_shown).flat_map(|(category, shown)| {
        shown.iter().map(move |(first, last)| of_consent(category, last, Some(first)))
    });
    let consent: Vec<Value> = said.chain(shown).collect();
    let privacy_control = spoken().filter_map(|facts| facts.privacy_control.as_ref()).max();
    let emails: Vec<Value> = facts
        .emails
        .iter()
        .map(|(email, claim)| {
            json!({ "email": email, "first_named_at": claim.first_at.to_rfc3339(),
                "as_trait": claim.as_trait.as_ref().map(when), "as_property": claim.as_property.as_ref().map(when) })
        })
        .collect();
    let mapped: Map<String, Value> =
        facts.mapped.iter().map(|(lane, at)| (lane.as_str().to_owned(), json!(at.to_rfc3339()))).collect();
    json!({ "emails": emails, "traits": traits, "first_traits": facts.firsts, "counted": facts.tallies, "consent": consent,
        "privacy_control": privacy_control.map(when), "last_mapped_events": mapped })
}

/// A statement of consent; `first`: when a tool showed it first, where it is the state of one.
fn of_consent(category: &Category, said: &Stamped<Statement>, first: Option<&Stamp>) -> Value {
    let Statement { choice, key, value, tool, page, source } = &said.value;
    let kind = if first.is_some() { "shown" } else { "said" };
    json!({ "category": category, "choice": choice, "kind": kind, "key": key, "value": value, "tool": tool, "page": page,
        "source": source, "said": when(&said.stamp), "first_shown": first.map(when) })
}

fn when(stamp: &Stamp) -> Value {
    let mut said = json!({ "at": stamp.at.to_rfc3339(), "message_id": stamp.message_id });
    if !stamp.trust.is_server() {
        said["trust"] = json!(stamp.trust);
    }
    said
}
