//! The wish of a deal: what all that was said of it adds up to, whose it is, and what holds it back.
//!
//! Must not look at how the deal stands with an account.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::super::company::{name_for, texts_of};
use super::super::whose::{PersonHold, email_of, hold_of};
use super::super::wish::consider;
use super::super::{Considered, Settings, World};
use crate::deal::{self, Deal, HeldBack, PIPELINE, REASON, STAGE, UnknownStage, Wish, key_in_name};
use crate::delivery::{CallKind, CompanyKey, DealKey};
use crate::event::Email;
use crate::mapping::{DealRule, Label};
use crate::selectors::{Forecast, Kind};

/// What is wanted of a deal, and how that came about.
#[derive(Clone, Debug, Default)]
pub(super) struct DealWish {
    /// The address of its contact.
    pub email: Option<Email>,
    /// What is wanted.
    pub wish: Wish,
    /// What keeps every call of it back.
    pub held: Option<HeldBack>,
    /// What keeps its creation back.
    pub company: Company,
    /// The pipeline in which its stage is looked for; without one the default.
    pub pipeline: Option<String>,
    /// What was left out and why.
    pub notes: Vec<String>,
}

impl DealWish {
    /// Puts the ids of the account in the place of names.
    pub fn resolve(
        &self,
        sent: &deal::Attributes,
        settings: &Settings,
    ) -> Result<(Map<String, Value>, Vec<String>), String> {
        match deal::resolve(sent, self.pipeline.as_deref(), &settings.selectors) {
            Err(_) if settings.names_stay() => Ok((self.in_names(sent, settings), Vec::new())),
            resolved => resolved,
        }
    }

    /// Everything wanted, in names, what is wanted at its creation alone among it.
    pub fn whole(&self) -> deal::Attributes {
        let Wish { on_create, attributes, .. } = &self.wish;
        on_create.iter().chain(attributes).map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// Puts the ids of the account in the place of names that are known; the others stay.
    pub fn in_names(&self, sent: &deal::Attributes, settings: &Settings) -> Map<String, Value> {
        let mut shown = Map::new();
        for (name, value) in sent {
            let one = deal::Attributes::from([(name.clone(), value.clone())]);
            match deal::resolve(&one, self.pipeline.as_deref(), &settings.selectors) {
                Ok((ids, left_out)) if left_out.is_empty() => shown.extend(ids),
                Ok(_) | Err(_) => drop(shown.insert(name.clone(), value.clone())),
            }
        }
        shown
    }
}

/// The company of a deal that is created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Company {
    /// It belongs to none.
    #[default]
    None,
    /// It belongs to this one, by its id.
    Is(u64),
    /// It belongs to this one, which has no id yet; the key, and the name as it is written.
    Waits(CompanyKey, String),
}

/// What is wanted of a deal; `None` where the mapping does not know its kind, or it is one of a rehearsal and none is played.
pub(super) fn wish_of(key: &DealKey, deal: &Deal, world: &World, settings: &Settings) -> Option<DealWish> {
    let rule = settings.preset.deal_kind(key.kind()).filter(|_| settings.counts_space(key.people()))?;
    let emails = emails_of(deal, world);
    let email = emails.first().cloned();
    let considered = email.as_ref().map(|email| consider(email, world, settings)).unwrap_or_default();
    let mut wish = Wish {
        forward_only: rule.forward_only.unwrap_or(false),
        look_first: rule.look_first,
        adopt: rule.adopt,
        recreate: rule.recreates(),
        searchable: !rule.key_field.is_empty(),
        attempt_timeout: settings.attempt_timeout,
        ..Wish::default()
    };
    put_contacts(&emails, &mut wish, world, settings);
    let mut held = hold_of(email.as_ref(), &considered, world, settings).map(held_by_person);
    let mapped = rule.map(&deal.said);
    (wish.attributes, wish.said_at, wish.on_create) = (mapped.always, mapped.said_at, mapped.on_create);
    let mut notes = mapped.left_out;
    match put_stage(key, rule, deal, &mut wish, settings) {
        Ok(unbelieved) => notes.extend(unbelieved),
        Err(why) => held = held.or(Some(HeldBack::Name(why))),
    }
    let mut texts = texts_of(email.as_ref(), &considered);
    texts.extend(mapped.texts);
    texts.insert("key".to_owned(), key.key().to_owned());
    wish.on_create.insert("name".to_owned(), Value::from(name_of(key, rule, &texts)));
    if !rule.key_field.is_empty() {
        wish.on_create.insert(rule.key_field.clone(), Value::from(key.key()));
    }
    let company = company_of(email.as_ref(), &considered, world, settings);
    let pipeline = wish.on_create.get(PIPELINE).and_then(Value::as_str).map(str::to_owned);
    Some(DealWish { email, wish, held, company, pipeline, notes })
}

/// The addresses of its persons, that of the newest first.
fn emails_of(deal: &Deal, world: &World) -> Vec<Email> {
    let mut emails: Vec<Email> = Vec::new();
    for (person, stamp) in deal.persons_newest_first() {
        let email = email_of(person, stamp, world).filter(|email| !emails.contains(email));
        emails.extend(email);
    }
    emails
}

fn put_contacts(emails: &[Email], wish: &mut Wish, world: &World, settings: &Settings) {
    let standing = |email: &Email| world.contacts.get(email).map(|contact| contact.with(&settings.account));
    wish.contacts = emails.iter().filter_map(|email| standing(email)?.holds_records()).collect();
    let newest = emails.first().and_then(standing).unwrap_or_default();
    (wish.contact, wish.contact_is_older) = (newest.holds_records(), !newest.ours);
    wish.is_lead = newest.lead_id().is_some();
}

/// What its person, or the contact, has to do with a call that is not made.
fn held_by_person(hold: PersonHold) -> HeldBack {
    match hold {
        PersonHold::NoEmail => HeldBack::NoEmail,
        PersonHold::Refused(why) => HeldBack::ContactRefused(why),
        PersonHold::Consent(why) => HeldBack::Consent(why),
    }
}

/// The stage, the pipeline and the reason, by the names that the account has; and what was said of the stage by visitors who
/// are not believed, in a sentence each.
fn put_stage(
    key: &DealKey,
    rule: &DealRule,
    deal: &Deal,
    wish: &mut Wish,
    settings: &Settings,
) -> Result<Vec<String>, String> {
    let said = settings.preset.stages_said(key.kind(), &deal.events);
    wish.begun = said.begun;
    let pipeline = rule.pipeline.as_ref().map(Label::text);
    if said.stages.is_empty() && pipeline.is_none() && !rule.adopt {
        return Ok(Vec::new());
    }
    let newest = said.stages.iter().max_by_key(|(_, stamp)| *stamp);
    // As it was said, until the account's own name for it is known.
    wish.attributes.extend(newest.map(|(name, _)| (STAGE.to_owned(), Value::from(name.clone()))));
    let found = match deal::pipeline(&settings.selectors, pipeline.as_deref()) {
        Ok(found) => found,
        Err(_) if settings.names_stay() => {
            wish.on_create.extend(pipeline.map(|name| (PIPELINE.to_owned(), Value::from(name))));
            return Ok(Vec::new());
        }
        Err(why) => {
            let name = pipeline.as_deref().unwrap_or("(the default one)");
            return Err(why.why_of(Kind::DealPipelines, name).unwrap_or_default());
        }
    };
    if pipeline.is_some() {
        wish.on_create.insert(PIPELINE.to_owned(), Value::from(found.name.clone()));
    }
    let stage = deal::wanted_stage(&said.stages, &found.stages, wish.forward_only).map_err(
        |UnknownStage(name)| {
            found.stage(&name).why("deal stage", &name, Some(&found.name)).unwrap_or_default()
        },
    )?;
    if let Some(stage) = stage {
        let moments = said.stages.iter().filter(|(name, _)| deal::is_called(stage, name));
        wish.said_at.extend(moments.map(|(_, stamp)| stamp.at).max().map(|at| (STAGE.to_owned(), at)));
        wish.attributes.insert(STAGE.to_owned(), Value::from(stage.name.clone()));
        let reason = said.reasons.iter().find(|(name, _)| deal::is_called(stage, name));
        // A reason belongs to a loss alone (reported by connectors).
        if let Some((_, reason)) = reason.filter(|_| stage.forecast == Forecast::Lost) {
            wish.attributes.insert(REASON.to_owned(), Value::from(reason.clone()));
        }
    }
    wish.stages.clone_from(&found.stages);
    let unbelieved =
        said.stages.keys().filter(|name| deal::closes_unbelieved(&said.stages, name, &found.stages));
    Ok(unbelieved
        .map(|name| {
            format!("{name} was said by a visitor of the site alone, and a server speaks of this deal: it is not closed by that")
        })
        .collect())
}

/// The name that a deal is created with; at its end the key, where no attribute holds that.
fn name_of(key: &DealKey, rule: &DealRule, texts: &BTreeMap<String, String>) -> String {
    let name = rule.name.render(texts);
    let end = if rule.key_field.is_empty() { format!(" {}", key_in_name(key.key())) } else { String::new() };
    let room = crate::delivery::KEY_CHARS_MAX.saturating_sub(end.chars().count());
    let short: String = name.chars().take(room).collect();
    format!("{}{end}", short.trim_end())
}

/// The company that a new deal belongs to.
fn company_of(email: Option<&Email>, considered: &Considered, world: &World, settings: &Settings) -> Company {
    let named = email.and_then(|email| name_for(email, considered, settings));
    let Some((key, name)) = named.and_then(|name| Some((CompanyKey::of(&name)?, name))) else {
        return Company::None;
    };
    let standing =
        world.companies.get(&key).map(|company| company.with(&settings.account)).unwrap_or_default();
    let shut = world.destination.document.shut.contains_key(&CallKind::Company);
    match standing.id {
        Some(id) => Company::Is(id),
        // It was tried and has no id, or nobody may try: the deal goes without it.
        None if standing.tried || shut => Company::None,
        None => Company::Waits(key, name),
    }
}

/// The open stages of the pipeline of a deal.
pub(super) fn open_stages(wish: &Wish) -> BTreeSet<u64> {
    let open = wish.stages.iter().filter(|stage| stage.forecast == Forecast::Open);
    open.map(|stage| stage.id).collect()
}

/// The company whose id a new deal needs.
pub(in crate::decision) fn company_needed(
    key: &DealKey,
    deal: &Deal,
    world: &World,
    settings: &Settings,
) -> Option<CompanyKey> {
    match wish_of(key, deal, world, settings)?.company {
        Company::Waits(key, _) => Some(key),
        Company::None | Company::Is(_) => None,
    }
}
