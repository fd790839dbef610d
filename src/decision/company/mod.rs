//! Companies in the decision: what is said of one is learned, and one that a contact in Freshsales has is kept current.

mod call;

use std::collections::BTreeMap;

use serde_json::Value;

use super::action::{Action, ActionState};
use super::owe::{Effect, What};
use super::{Considered, Reading, Settings, World, lead};
use crate::allowance::HOUR;
use crate::clock::UnixMicros;
use crate::company::{Attributes, Next, Standing, WAITING_MAX};
use crate::delivery::{CompanyKey, Delivery, DeliveryId, Lane, State, Subject};
use crate::event::{Email, Stamp};
use crate::mapping::Match;
use crate::person::Said;

pub(super) use call::{claim, discarded, open, redrive, settle, void};

/// The name of the company that a deal of a contact belongs to: the contact's own, else the one that the mapping puts in its
/// place.
pub(super) fn name_for(email: &Email, considered: &Considered, settings: &Settings) -> Option<String> {
    let rule = settings.preset.company()?;
    let instead =
        || Some(rule.missing.render(&texts_of(Some(email), considered))).filter(|name| !name.is_empty());
    considered.company.clone().or_else(instead)
}

/// What templates may ask of a contact.
pub(super) fn texts_of(email: Option<&Email>, considered: &Considered) -> BTreeMap<String, String> {
    let attributes = || considered.wish.on_create.iter().chain(&considered.wish.attributes);
    let text =
        |(name, value): (&String, &Value)| Some((format!("person.{name}"), value.as_str()?.to_owned()));
    let mut texts: BTreeMap<String, String> = attributes().filter_map(text).collect();
    let names = ["first_name", "last_name"].map(|name| texts.get(&format!("person.{name}")).cloned());
    texts.insert("person.name".to_owned(), names.into_iter().flatten().collect::<Vec<_>>().join(" "));
    texts.extend(email.map(|email| ("email".to_owned(), email.as_str().to_owned())));
    texts.extend(considered.company.clone().map(|name| ("company.name".to_owned(), name)));
    texts
}

/// Takes in what an event says of a company.
pub(super) fn learn(reading: &Reading, world: &mut World) {
    if let (Some(key), Some((name, said))) = (reading.company_key(), &reading.company) {
        world.companies.edit(&key).learn(name, said, &reading.stamp);
    }
}

/// Evaluates the companies of the contacts that an event touched, and the one it speaks of. Answers how many deliveries were
/// opened, and a line for each company that the event speaks of or has sent; `opened` is how many deliveries there were before.
pub(super) fn owe(
    reading: &Reading,
    effects: &[Effect],
    opened: usize,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> (usize, Vec<Action>) {
    let mut keys: Vec<(CompanyKey, Option<&Effect>)> = Vec::new();
    let is_contact = |effect: &&Effect| !lead::may_be(&effect.email, world, settings);
    for effect in effects.iter().filter(|effect| is_begun(effect)).filter(is_contact) {
        let key = effect.considered.company.as_deref().and_then(CompanyKey::of);
        keys.extend(key.map(|key| (key, Some(effect))));
    }
    let own = reading.company_key();
    let other = own.clone().filter(|key| keys.iter().all(|(known, _)| known != key));
    keys.extend(other.map(|key| (key, None)));
    let (mut count, mut actions) = (0, Vec::new());
    for (key, effect) in keys {
        if let Some(effect) = effect {
            let name = effect.considered.company.as_deref().unwrap_or_else(|| key.as_str());
            begin(&key, name, &effect.email, world, settings);
        }
        let id = DeliveryId::of(reading.position, opened + count);
        let is_sent = evaluate(&key, id.clone(), reading.lane, world, settings, now);
        count += usize::from(is_sent);
        if is_sent {
            actions.push(Action::company(&key, ActionState::Queued, DIFFERS, Some(id)));
        } else if own.as_ref() == Some(&key) {
            actions.push(action_of(&key, world, settings));
        }
    }
    (count, actions)
}

const DIFFERS: &str = "the company differs from what Freshsales last accepted; a call is owed";

/// What became of a company for which no delivery was opened.
fn action_of(key: &CompanyKey, world: &World, settings: &Settings) -> Action {
    let company = world.companies.get(key).cloned().unwrap_or_default();
    let standing = company.with(&settings.account);
    if !company.begun {
        let why = "no contact that Freshsales has, or is to have, is of this company yet; what is said of it is remembered";
        return Action::company(key, ActionState::Held, why, None);
    }
    let carried = standing.in_flight.map(|call| call.delivery).or(standing.open);
    if carried.is_some() {
        return Action::company(
            key,
            ActionState::Absorbed,
            "a delivery of this company takes it along",
            carried,
        );
    }
    let why = "Freshsales has all of it already";
    Action::company(key, ActionState::Unchanged, why, standing.last_delivered)
}

/// Whether a contact is one that Freshsales has, or is owed a call: only then its company is told.
fn is_begun(effect: &Effect) -> bool {
    match effect.what {
        What::Opened(..) | What::Joined(_) | What::OnItsWay(_) => effect.considered.wish.gate_shut.is_none(),
        What::Nothing(..) => effect.known && effect.considered.wish.gate_shut.is_none(),
    }
}

/// A contact of Freshsales has this company, so it is kept current from here on; the contact waits for its id.
pub(super) fn begin(key: &CompanyKey, name: &str, email: &Email, world: &mut World, settings: &Settings) {
    let known = world.companies.get(key);
    let unnamed = known.is_none_or(|company| company.name.is_none());
    let waits = known.is_none_or(|company| company.with(&settings.account).id.is_none());
    let listed = known.is_some_and(|company| company.begun && company.waiting.knows(email));
    if !unnamed && listed {
        return;
    }
    let company = world.companies.edit(key);
    company.begun = true;
    if unnamed {
        company.learn(name, &Said::default(), &Stamp::default());
    }
    if waits {
        company.waiting.add(email);
    }
}

/// What is wanted of a company, in names, and its website where it is looked for by that.
fn wanted(key: &CompanyKey, world: &World, settings: &Settings) -> Option<(Attributes, Option<String>)> {
    let (company, rule) = (world.companies.get(key)?, settings.preset.company()?);
    let standing = company.with(&settings.account);
    let (mut attributes, on_create) = rule.attributes(&company.said);
    if standing.accepted.is_none() {
        attributes.extend(on_create);
    }
    let website = attributes.get("website").and_then(Value::as_str);
    let website = website.filter(|_| rule.found_by == Match::Domain).map(str::to_owned);
    Some((attributes, website))
}

/// What is wanted of a company beside its name, and what is to be done next; `None` where nothing is known of it, or the mapping
/// has no companies.
#[must_use]
pub fn consider_company(key: &CompanyKey, world: &World, settings: &Settings) -> Option<(Attributes, Next)> {
    let (attributes, website) = wanted(key, world, settings)?;
    let next = world.companies.get(key)?.with(&settings.account).next(&attributes, website.as_deref());
    Some((attributes, next))
}

/// Evaluates a company; tells whether a delivery was opened.
pub(super) fn evaluate(
    key: &CompanyKey,
    id: DeliveryId,
    lane: Lane,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> bool {
    let Some(company) = world.companies.get(key).filter(|company| company.begun) else { return false };
    let mut standing = company.with(&settings.account);
    let Some((attributes, website)) = wanted(key, world, settings) else { return false };
    if standing.in_flight.is_some() {
        return false;
    }
    match standing.next(&attributes, website.as_deref()) {
        Next::Refused => return false,
        Next::Nothing => {
            let Some(open) = standing.open.take() else { return false };
            world.deliveries.change(&open, |it| it.supersede("the company is as Freshsales has it", now));
            put(key, standing, world, settings);
            return false;
        }
        Next::Find(_) | Next::Upsert(_) => {}
    }
    if let Some(open) = standing.open.as_ref().and_then(|open| world.deliveries.get(open)).cloned() {
        if open.state == State::Dead {
            let not_before = standing.refused.as_ref().map_or(now, |refused| refused.at.plus(HOUR)).max(now);
            world.deliveries.change(&open.id, |it| it.absorb(lane).reopen(not_before));
        } else if lane > open.lane {
            world.deliveries.change(&open.id, |it| Delivery { lane, ..it });
        }
        return false;
    }
    world.deliveries.open(Delivery::open(
        id.clone(),
        settings.account.clone(),
        Subject::Company(key.clone()),
        lane,
        now,
    ));
    standing.open = Some(id);
    put(key, standing, world, settings);
    true
}

/// A call of a company is played: it was stored under this id, or, without one, a question found nothing.
pub(super) fn played(
    key: &CompanyKey,
    id: Option<u64>,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) {
    let Some(standing) = world.companies.edit(key).standing.get_mut(&settings.account) else { return };
    match id {
        Some(id) => standing.stored(Some(id), now),
        None => standing.looked(None, now),
    }
}

fn put(key: &CompanyKey, standing: Standing, world: &mut World, settings: &Settings) {
    world.companies.edit(key).standing.insert(settings.account.clone(), standing);
}

/// The contacts that wait for the id of a company, which they do no longer.
pub(super) fn let_go(key: &CompanyKey, world: &mut World) -> Vec<Email> {
    let waiting = std::mem::take(&mut world.companies.edit(key).waiting);
    waiting.emails.into_iter().take(WAITING_MAX).collect()
}
