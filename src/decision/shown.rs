//! What the answer to a call shows of a contact is what Freshsales says of it, as if a workflow had told.
//!
//! Of values that never came from here nothing is heard: what visitors may not replace is known of the answer itself.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Settings, World, lead};
use crate::clock::UnixMicros;
use crate::consent::{Choice, Statement};
use crate::contact::{
    Attributes, COMPANIES, InFlight, STATUS, Standing, Worth, is_blank, same, shown, shown_blank,
    shown_theirs,
};
use crate::delivery::{DeliveryId, Request, Stored, Verdict, whole_number};
use crate::event::{Email, Stamp, Trust};
use crate::mapping::TAGS;
use crate::person::Said;

/// What Freshsales calls the status of somebody who refused marketing, reported it as spam, or whose address bounced: in words,
/// and by number (the vendor's documents name 0, 3 and 4).
const REFUSALS: [&str; 4] = ["unsubscribed", "reported as spam", "marked as spam", "bounced"];
const REFUSED_NUMBERS: [&str; 3] = ["0", "3", "4"];
/// Attributes of which any other value than the one that was sent means that the account decides about them.
const DECIDED_THERE: [&str; 2] = ["owner_id", "contact_status_id"];

/// Takes in what the answer to a call that carried `sent` shows. Tells what a person should know.
pub(super) fn hear(
    email: &Email,
    (call, sent): (&DeliveryId, &Attributes),
    answer: &Stored,
    standing: &mut Standing,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> Vec<String> {
    let Some(contact) = &answer.shown else { return Vec::new() };
    let mut notes = Vec::new();
    notes.extend(hear_refusal(email, (call, sent), answer, contact, standing, world, settings, now));
    note_kept(sent, answer, contact, world, settings, now);
    // One that was created, or is sent whole once more, is another contact than was known.
    if answer.created || standing.send_whole {
        return notes;
    }
    let names: BTreeSet<&str> = settings.preset.sent_names().collect();
    let mut news = Vec::new();
    for name in names.into_iter().filter(|name| ![STATUS, TAGS, COMPANIES].contains(name)) {
        let Some(value) = shown(name, contact).filter(|value| is_plain(value)) else { continue };
        let accepted = standing.accepted.as_ref().and_then(|accepted| accepted.get(name));
        let is_accepted = accepted.is_some_and(|accepted| same(name, accepted, value));
        if accepted.is_none() || (is_accepted && standing.hearing.of(name).is_none()) {
            continue;
        }
        if standing.hear(name, value, now) == Worth::News {
            news.push(name);
        }
    }
    if !news.is_empty() {
        notes.push(format!(
            "Freshsales shows another value than it accepted from here: {}; it stays until people say another than their last",
            news.join(", ")
        ));
    }
    notes
}

/// Takes in the answer to a question that was asked since a message which is not believed spoke of the contact. Tells what a
/// person should know.
pub(super) fn read(
    email: &Email,
    (call, question, verdict): (&InFlight, &Request, &Verdict),
    standing: &mut Standing,
    world: &mut World,
    settings: &Settings,
) -> Vec<String> {
    // What it has now it had when the message came, or another message follows.
    let Some(doubted_at) = standing.doubted_at else { return Vec::new() };
    if lead::is_looked_for(standing) {
        // The next look is heard.
        return Vec::new();
    }
    // One that came while the question was on its way may tell of a later change: it is asked for once more.
    let asked_again =
        Some(doubted_at).filter(|doubted_at| call.left_at.is_none_or(|left_at| *doubted_at > left_at));
    let at = call.left_at.map_or(doubted_at, |left_at| doubted_at.min(left_at));
    let by_id = matches!(question, Request::ShowContact { .. });
    match verdict {
        Verdict::Stored(answer) => {
            standing.doubted_at = asked_again;
            let contact = if by_id { shown_contact(answer) } else { found_contact(answer) };
            match contact {
                Some(contact) => {
                    standing.is_there();
                    hear(email, (&call.delivery, &Attributes::new()), &contact, standing, world, settings, at)
                }
                None if standing.lead.is_some() => Vec::new(),
                None if standing.is_not_there() => {
                    vec!["Freshsales has no contact with this address, and something is to hang on it: it is made anew".to_owned()]
                }
                None => vec!["Freshsales has no contact with this address".to_owned()],
            }
        }
        // It was merged with another one, or deleted: which id it has now is asked by its address.
        Verdict::Gone { .. } if by_id => {
            standing.contact_id = None;
            vec!["Freshsales has the contact of this id no more, so it is asked by its address".to_owned()]
        }
        Verdict::Gone { reason } | Verdict::Refused { reason, .. } | Verdict::Shut { reason } => {
            standing.doubted_at = asked_again;
            vec![format!("Freshsales did not say what it has, so nothing of what was told counts: {reason}")]
        }
        Verdict::Passing { .. } | Verdict::Throttled { .. } | Verdict::Blocked { .. } => Vec::new(),
    }
}

/// Takes in what a look-up shows of a record: what it has that is not from here, and what it has no value of.
pub(super) fn take_in(found: &Stored, standing: &mut Standing, settings: &Settings) {
    let (names, refusal) = (settings.preset.sent_names(), &settings.consent.unsubscribed);
    let mut ours = standing.accepted.clone().unwrap_or_default();
    // A call without an answer may have written it.
    let written = |(name, value): &(&String, &Value)| {
        let there = found.shown.as_ref().and_then(|record| shown(name, record));
        there.is_some_and(|there| same(name, value, there))
    };
    let arrived = standing.unanswered.iter().filter(written);
    ours.extend(arrived.map(|(name, value)| (name.clone(), value.clone())));
    standing.theirs = shown_theirs(names, found, &ours, refusal).unwrap_or_default();
    standing.blank = shown_blank(settings.preset.empty_attributes(), found);
}

/// The contact in the answer to a question by its address.
pub(super) fn found_contact(answer: &Stored) -> Option<Stored> {
    let contacts = answer.shown.as_ref()?.get("contacts")?.get("contacts")?.as_array()?;
    let contact = contacts.first()?.as_object()?;
    let id = contact.get("id").and_then(whole_number);
    Some(Stored { id, created: false, shown: Some(contact.clone()) })
}

fn shown_contact(answer: &Stored) -> Option<Stored> {
    let contact = answer.shown.as_ref()?.get("contact")?.as_object()?;
    Some(Stored { id: answer.id, created: false, shown: Some(contact.clone()) })
}

/// Whether a contact is known to have no company, of which this answer says nothing new: it does not show them, and none was
/// told by the call.
pub(super) fn companies_known_blank(answer: &Stored, standing: &Standing) -> bool {
    let told = |call: &InFlight| call.sent.contains_key(COMPANIES);
    let shows = answer.shown.as_ref().is_some_and(|contact| contact.contains_key(COMPANIES));
    !shows && standing.blank.contains(COMPANIES) && !standing.in_flight.as_ref().is_some_and(told)
}

fn is_plain(value: &Value) -> bool {
    match value {
        Value::String(_) | Value::Number(_) | Value::Bool(_) => !is_blank(value),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

/// Whether what stands as the status is a refusal, in the words or in the numbers that the configuration has.
fn is_refusal(status: &str, settings: &Settings) -> bool {
    let ours = text_of(&settings.consent.unsubscribed);
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number(status) != is_number(&ours) {
        // The account has other words than the configuration: nobody can tell.
        return false;
    }
    status == ours || REFUSALS.contains(&status) || REFUSED_NUMBERS.contains(&status)
}

fn text_of(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.trim().to_lowercase()
}

/// Whether a contact has this status as far as is known: the one that was shown last, else the one that was accepted.
pub(super) fn is_known_status(status: &Value, standing: &Standing) -> bool {
    let told = || standing.baseline().get(STATUS).map(text_of);
    standing.status_seen.clone().or_else(told).is_some_and(|known| known == text_of(status))
}

/// A status that we did not send and that is a refusal: somebody refused in Freshsales. It is one of the people, so that
/// nothing subscribes them before they say yes, later.
#[expect(clippy::too_many_arguments, reason = "one answer, and everything that it may change")]
fn hear_refusal(
    email: &Email,
    (call, sent): (&DeliveryId, &Attributes),
    answer: &Stored,
    contact: &Map<String, Value>,
    standing: &mut Standing,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> Option<String> {
    let status = text_of(shown(STATUS, contact).filter(|value| is_plain(value))?);
    let seen = standing.status_seen.replace(status.clone());
    // What a call without an answer said may have arrived.
    let unsubscribed = Some(&settings.consent.unsubscribed);
    let told = [standing.baseline().get(STATUS), standing.unanswered.get(STATUS)].contains(&unsubscribed);
    let is_news = seen.as_ref() != Some(&status) && !sent.contains_key(STATUS) && !answer.created && !told;
    if !is_news || !is_refusal(&status, settings) {
        return None;
    }
    standing.hear(STATUS, &settings.consent.unsubscribed, now);
    let statement = Statement {
        choice: Choice::Denied,
        key: STATUS.to_owned(),
        value: status,
        tool: Some("Freshsales".to_owned()),
        page: None,
        source: None,
    };
    let consent = [(settings.consent.marketing.clone(), statement)].into();
    let said = Said { consent, ..Said::default() };
    let stamp = Stamp { at: now, message_id: format!("answer-{}", call.0), trust: Trust::Server };
    for key in world.members(email) {
        if world.people.get(&key).is_some_and(|person| person.facts().owns(email)) {
            world.people.edit(&key).own.learn(&said, &stamp);
        }
    }
    world.contribute(settings);
    Some("Freshsales shows that marketing was refused there: nothing subscribes them before they say yes, later".to_owned())
}

/// Notes with the account what it took and did not keep.
fn note_kept(
    sent: &Attributes,
    answer: &Stored,
    contact: &Map<String, Value>,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) {
    let (mut kept, mut not_kept) = (Vec::new(), Vec::new());
    for (name, value) in sent.iter().filter(|(name, _)| ![TAGS, COMPANIES].contains(&name.as_str())) {
        let Some(there) = shown(name, contact) else { continue };
        let stays = if name == STATUS {
            same(name, value, there) || is_refusal(&text_of(there), settings)
        } else if DECIDED_THERE.contains(&name.as_str()) {
            same(name, value, there)
        } else {
            !is_blank(there)
        };
        if stays { kept.push(name.clone()) } else { not_kept.push(name.clone()) }
    }
    let Some(id) = answer.id else { return };
    let destination = &mut world.destination;
    destination.changed |= destination.document.kept(id, &kept, &not_kept, now);
}
