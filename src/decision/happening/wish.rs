//! What bears on the call of a happening: whose it is, what it hangs on, the ids of its names, and what holds it back.
//!
//! Must not change anything.

use std::collections::BTreeMap;

use super::super::company::texts_of;
use super::super::whose::{PersonHold, email_of, hold_of};
use super::super::wish::consider;
use super::super::{Considered, Settings, World};
use crate::clock::UnixMicros;
use crate::contact::Standing;
use crate::deal::Deal;
use crate::delivery::{CompanyKey, DealKey, State, TargetKind};
use crate::event::{Email, Trust};
use crate::happening::{Happening, Held, Names, On, Outcome, Says, Wish};
use crate::selectors::{Kind, Resolved};

/// What bears on the call of a happening.
#[derive(Clone, Debug, Default)]
pub(super) struct HappeningWish {
    /// The address of its contact.
    pub email: Option<Email>,
    /// What it hangs on, with a company that was found.
    pub on: On,
    /// What is known of its person.
    pub known: BTreeMap<String, String>,
    /// The record that it hangs on, by its id.
    pub target: Option<(TargetKind, u64)>,
    /// The ids of its names.
    pub names: Names,
    /// What is done next depends on this.
    pub wish: Wish,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// What bears on the call of a happening now.
pub(super) fn wish_of(
    happening: &Happening,
    world: &World,
    settings: &Settings,
    now: UnixMicros,
) -> HappeningWish {
    let own = happening.person.as_ref().and_then(|person| email_of(person, &happening.stamp, world));
    let deal = if let On::Deal(key) = &happening.on { world.deals.get(key) } else { None };
    let email = own.or_else(|| deal.and_then(|deal| deal.email.clone()));
    let considered = email.as_ref().map(|email| consider(email, world, settings)).unwrap_or_default();
    let mut known = texts_of(email.as_ref(), &considered);
    let by_person = hold_of(email.as_ref(), &considered, world, settings);
    let drop =
        expired(by_person.as_ref(), happening, settings, now).or_else(|| of_somebody_else(happening, deal));
    let mut held = by_person.map(|hold| match hold {
        PersonHold::NoEmail => Held::NoEmail,
        PersonHold::Refused(why) => Held::ContactRefused(why),
        PersonHold::Consent(why) => Held::Consent(why),
    });
    let mut on = happening.on.clone();
    let target = match &mut on {
        On::Contact => contact_of(email.as_ref(), world, settings),
        On::Deal(key) => {
            known.insert("key".to_owned(), key.key().to_owned());
            deal_of(key, world, settings)
        }
        On::Company(key) => {
            *key = key.clone().or_else(|| CompanyKey::of(considered.company.as_deref()?));
            company_of(key.as_ref(), world, settings)
        }
    };
    let target = match target {
        Ok(target) => Some(target),
        Err(why) => {
            held = held.or(Some(why));
            None
        }
    };
    let drop = drop.or_else(|| too_late(held.as_ref(), email.as_ref(), happening, world, settings, now));
    let mut notes = Vec::new();
    let names = match names_of(&happening.says, settings, &mut notes) {
        Ok(names) => names,
        Err(why) => {
            held = held.or(Some(Held::Name(why)));
            Names::default()
        }
    };
    let wish = Wish {
        held,
        drop,
        has_target: target.is_some(),
        marker: settings.happenings.marker,
        attempt_timeout: settings.attempt_timeout,
    };
    HappeningWish { email, on, known, target, names, wish, notes }
}

/// Why it is too late for what would let it be told.
fn expired(
    hold: Option<&PersonHold>,
    happening: &Happening,
    settings: &Settings,
    now: UnixMicros,
) -> Option<String> {
    if now.since(happening.received_at) <= settings.complete_within {
        return None;
    }
    match hold? {
        PersonHold::NoEmail => {
            Some("no email of its person was said in time (mapping.complete_within_hours)".to_owned())
        }
        PersonHold::Consent(why) => {
            Some(format!("{why}, and none was given in time (mapping.complete_within_hours)"))
        }
        PersonHold::Refused(_) => None,
    }
}

/// Why its contact, which nothing is owed to, comes too late: an event counts for a contact that is completed in time alone.
fn too_late(
    held: Option<&Held>,
    email: Option<&Email>,
    happening: &Happening,
    world: &World,
    settings: &Settings,
    now: UnixMicros,
) -> Option<String> {
    let late = now.since(happening.received_at) > settings.complete_within;
    let standing =
        world.contacts.get(email?).map(|contact| contact.with(&settings.account)).unwrap_or_default();
    let waits = standing.open.is_some() || standing.in_flight.is_some();
    (late && !waits && held == Some(&Held::Contact)).then(|| {
        "it happened too long before its contact was known (mapping.complete_within_hours)".to_owned()
    })
}

/// Numbers of orders can be guessed: where a server says whose a deal is, what visitors say of it is told of their own alone.
fn of_somebody_else(happening: &Happening, deal: Option<&Deal>) -> Option<String> {
    let deal = deal.filter(|_| happening.stamp.trust == Trust::Visitor)?;
    let mut believed = deal.persons_newest_first().peekable();
    believed.peek().filter(|(_, stamp)| stamp.trust == Trust::Server)?;
    let theirs = believed.any(|(person, _)| Some(person) == happening.person.as_ref());
    (!theirs).then(|| "a visitor of the site named a deal that a server says is somebody else's".to_owned())
}

type Target = Result<(TargetKind, u64), Held>;

fn contact_of(email: Option<&Email>, world: &World, settings: &Settings) -> Target {
    let contact = email.and_then(|email| world.contacts.get(email));
    let standing = contact.and_then(|contact| contact.standing.get(&settings.account));
    // It is asked whether the lead has become a contact.
    if standing.is_some_and(Standing::is_lead_doubted) {
        return Err(Held::Contact);
    }
    let lead = standing.and_then(Standing::lead_id).map(|id| (TargetKind::Lead, id));
    let contact = || standing.and_then(Standing::holds_records).map(|id| (TargetKind::Contact, id));
    lead.or_else(contact).ok_or(Held::Contact)
}

fn deal_of(key: &DealKey, world: &World, settings: &Settings) -> Target {
    let standing = world.deals.get(key).map(|deal| deal.with(&settings.account)).unwrap_or_default();
    if let Some(id) = standing.birth.id() {
        return Ok((TargetKind::Deal, id));
    }
    let letter = standing.open.as_ref().and_then(|open| world.deliveries.get(open));
    let letter = letter.filter(|letter| letter.state == State::Dead);
    let why = match (&standing.held, letter) {
        (Some(held), _) => held.words(),
        (None, Some(letter)) => {
            format!("it was refused: {}", letter.reason.as_deref().unwrap_or("without a reason"))
        }
        (None, None) => "the call that creates it goes first".to_owned(),
    };
    Err(Held::Deal(why))
}

fn company_of(key: Option<&CompanyKey>, world: &World, settings: &Settings) -> Target {
    let company = key.and_then(|key| world.companies.get(key));
    let id = company.and_then(|company| company.standing.get(&settings.account)?.id);
    id.map(|id| (TargetKind::Company, id)).ok_or(Held::Company)
}

/// The ids of the names that it needs; what it can do without is left out, with a note.
fn names_of(says: &Says, settings: &Settings, notes: &mut Vec<String>) -> Result<Names, String> {
    let id_of = |kind: Kind, name: &str| {
        if let Ok(id) = name.parse::<u64>() {
            return Ok(Some(id));
        }
        let resolved = settings.selectors.resolve(kind, name);
        match resolved.why_of(kind, name) {
            Some(_) if settings.names_stay() => Ok(None),
            Some(why) => Err(why),
            None => Ok(resolved.id()),
        }
    };
    Ok(match says {
        Says::Note { .. } | Says::More { .. } => Names::default(),
        Says::Activity { activity_type: type_name, owner, outcome, .. } => {
            let activity_type = id_of(Kind::SalesActivityTypes, type_name)?;
            let owner = id_of(Kind::Owners, owner)?;
            let outcome = match (outcome, activity_type) {
                (Some(Outcome::Id(id)), _) => Some(*id),
                (Some(Outcome::Name(name)), Some(of)) => outcome_of(name, (of, type_name), settings, notes)?,
                (Some(Outcome::Name(_)), None) | (None, _) => None,
            };
            Names { activity_type, outcome, owner }
        }
        Says::Task { owner, .. } => {
            let owner = owner.as_deref().map(|owner| id_of(Kind::Owners, owner));
            let owner = owner.transpose().unwrap_or_else(|why| {
                notes.push(format!("owner left out: {why}"));
                None
            });
            Names { owner: owner.flatten(), ..Names::default() }
        }
    })
}

/// The id of an outcome among those of its type. An activity goes without one that the account does not have, with a note, and waits
/// for a list that was not asked for yet.
fn outcome_of(
    name: &str,
    (activity_type, type_name): (u64, &str),
    settings: &Settings,
    notes: &mut Vec<String>,
) -> Result<Option<u64>, String> {
    let resolved = settings.selectors.activity_outcome(activity_type, name);
    let why = resolved.why(Kind::SalesActivityOutcomes.one(), name, Some(type_name));
    match (why, resolved) {
        (Some(why), Resolved::NotAsked) => Err(why),
        (Some(why), _) => {
            notes.push(format!("outcome left out: {why}"));
            Ok(None)
        }
        (None, resolved) => Ok(resolved.id()),
    }
}

/// The company that the evaluation of a happening needs.
pub(in crate::decision) fn company_needed(
    happening: &Happening,
    considered: &Considered,
) -> Option<CompanyKey> {
    match &happening.on {
        On::Company(Some(key)) => Some(key.clone()),
        On::Company(None) => CompanyKey::of(considered.company.as_deref()?),
        On::Contact | On::Deal(_) => None,
    }
}
