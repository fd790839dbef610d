//! Names: what a mapping writes by name is wanted by the id that the account has for it.
//!
//! A name that the account does not have is left out and said: the contact goes without it, and is looked at again when the
//! lists of the account are known anew. Must not know how these are asked for.

use std::collections::BTreeSet;

use serde_json::Value;

use super::considered::Considered;
use super::forward::STAGE;
use super::{Settings, forward};
use crate::contact::Attributes;
use crate::deal::pipeline;
use crate::mapping::{LIFECYCLE_STAGE, Label, LeftOut, Preset, When};
use crate::person::Facts;
use crate::selectors::{Kind, Named, OF_CONTACT, OF_DEAL, Resolved, Selectors, name_in};

impl Settings {
    /// The lists of the account in which names are looked up; empty where the mapping names nothing.
    #[must_use]
    pub fn selectors_needed(&self) -> BTreeSet<Kind> {
        let mut needed = self.preset.selectors();
        if !self.activity_types_with_outcomes().is_empty() {
            needed.insert(Kind::SalesActivityOutcomes);
        }
        needed
    }

    /// The types of activities, by their ids, whose outcomes the mapping writes by name. A type that has no id yet is none of them.
    #[must_use]
    pub fn activity_types_with_outcomes(&self) -> BTreeSet<u64> {
        activity_types_with_outcomes(&self.preset, &self.selectors)
    }

    /// Names that stand in the mapping and that the account does not have, each in a sentence. Nothing is said of a list that
    /// was not asked for yet.
    #[must_use]
    pub fn missing_names(&self) -> Vec<String> {
        missing_names(&self.preset, &self.selectors)
    }

    /// The lists that may be read sooner again, because a name of the mapping is not in them.
    #[must_use]
    pub fn lists_with_names_missing(&self) -> BTreeSet<Kind> {
        let is_missing = |missing: &Missing| match missing.resolved {
            Resolved::Unknown { .. } | Resolved::Several { .. } => true,
            Resolved::Id(_) | Resolved::NotAsked | Resolved::Forbidden | Resolved::Unreadable => false,
        };
        let missing = missing(&self.preset, &self.selectors).into_iter().filter(is_missing);
        missing.map(|missing| missing.kind).collect()
    }
}

/// A name that stands in the mapping and has no id, of a list that was asked for.
struct Missing {
    kind: Kind,
    resolved: Resolved,
    /// Where it stands, and why it has no id.
    sentence: String,
}

impl Missing {
    fn of(place: &str, kind: Kind, resolved: Resolved, why: Option<String>) -> Option<Self> {
        let is_asked = resolved != Resolved::NotAsked;
        let sentence = format!("{place}: {}", why.filter(|_| is_asked)?);
        Some(Self { kind, resolved, sentence })
    }
}

/// [`Settings::missing_names`] of a mapping and the lists of any account.
#[must_use]
pub fn missing_names(preset: &Preset, selectors: &Selectors) -> Vec<String> {
    let sentences = missing(preset, selectors).into_iter().map(|missing| missing.sentence);
    let sentences: BTreeSet<String> = sentences.collect();
    sentences.into_iter().collect()
}

fn missing(preset: &Preset, selectors: &Selectors) -> Vec<Missing> {
    let of_contacts = preset.fixed_names().filter_map(|(named, value)| {
        let resolved = resolve(named, value, None, selectors);
        let why = resolved.why_of(named.kind, &name_in(value));
        Missing::of(named.attribute, named.kind, resolved, why)
    });
    of_contacts
        .chain(missing_of_deals(preset, selectors))
        .chain(missing_of_told(preset, selectors))
        .chain(missing_outcomes(preset, selectors))
        .chain(missing_lists(preset, selectors))
        .collect()
}

/// Names of pipelines, stages and reasons of deals.
fn missing_of_deals<'a>(preset: &'a Preset, selectors: &'a Selectors) -> impl Iterator<Item = Missing> + 'a {
    let pipelines = preset.deal_kinds().filter_map(move |(kind, rule)| {
        let label = rule.pipeline.as_ref()?.text();
        let resolved = pipeline(selectors, Some(&label)).err()?;
        let why = resolved.why_of(Kind::DealPipelines, &label);
        Missing::of(&format!("deals.{kind}.pipeline"), Kind::DealPipelines, resolved, why)
    });
    let stages = preset.events_with_deals().filter_map(move |says| {
        let Label::Name(stage) = says.stage.as_ref()? else { return None };
        let label = preset.deal_kind(&says.kind)?.pipeline.as_ref().map(Label::text);
        let inside = pipeline(selectors, label.as_deref()).ok()?;
        let resolved = inside.stage(stage);
        let why = resolved.why("deal stage", stage, Some(&inside.name));
        Missing::of(&format!("stage of {}", says.kind), Kind::DealPipelines, resolved, why)
    });
    let reasons = preset.events_with_deals().filter_map(move |says| {
        let Label::Name(reason) = says.reason.as_ref()? else { return None };
        let resolved = selectors.resolve(Kind::DealReasons, reason);
        let why = resolved.why_of(Kind::DealReasons, reason);
        Missing::of(&format!("reason of {}", says.kind), Kind::DealReasons, resolved, why)
    });
    pipelines.chain(stages).chain(reasons)
}

/// Names of types of activities, and of users who are to have activities and tasks.
fn missing_of_told<'a>(preset: &'a Preset, selectors: &'a Selectors) -> impl Iterator<Item = Missing> + 'a {
    preset.names_told().filter_map(move |(place, kind, label)| {
        let Label::Name(name) = label else { return None };
        let resolved = selectors.resolve(kind, name);
        let why = resolved.why_of(kind, name);
        Missing::of(place, kind, resolved, why)
    })
}

/// [`Settings::activity_types_with_outcomes`] of a mapping and the lists of any account.
#[must_use]
pub fn activity_types_with_outcomes(preset: &Preset, selectors: &Selectors) -> BTreeSet<u64> {
    preset.outcomes_named().filter_map(|(of, _)| activity_type(of, selectors)).collect()
}

fn activity_type(label: &Label, selectors: &Selectors) -> Option<u64> {
    match label {
        Label::Id(id) => Some(*id),
        Label::Name(name) => selectors.resolve(Kind::SalesActivityTypes, name).id(),
    }
}

/// Names of outcomes of activities, of types that the account has.
fn missing_outcomes<'a>(preset: &'a Preset, selectors: &'a Selectors) -> impl Iterator<Item = Missing> + 'a {
    preset.outcomes_named().filter_map(move |(of, name)| {
        let resolved = selectors.activity_outcome(activity_type(of, selectors)?, name);
        let why = resolved.why(Kind::SalesActivityOutcomes.one(), name, Some(&of.text()));
        Missing::of("outcome of an activity", Kind::SalesActivityOutcomes, resolved, why)
    })
}

/// Names of lists that contacts are put on or taken off.
fn missing_lists<'a>(preset: &'a Preset, selectors: &'a Selectors) -> impl Iterator<Item = Missing> + 'a {
    preset.lists_named().filter_map(move |label| {
        let Label::Name(name) = label else { return None };
        let resolved = selectors.resolve(Kind::Lists, name);
        let why = resolved.why_of(Kind::Lists, name);
        Missing::of("lists of an event", Kind::Lists, resolved, why)
    })
}

/// Puts ids in the place of names. Whatever has no id is left out; an id that the mapping gives itself stays.
pub(super) fn put_ids(here: &[&Facts], considered: &mut Considered, settings: &Settings) {
    let Considered { wish, fields, left_out, .. } = considered;
    if let Some((furthest, path, message_id)) = forward::furthest(here, settings)
        && let Some(wanted) = wish.attributes.get_mut(LIFECYCLE_STAGE)
    {
        *wanted = furthest.clone();
        if let Some(field) = fields.iter_mut().find(|field| field.attribute == LIFECYCLE_STAGE) {
            field.message_id = Some(message_id).filter(|id| !id.is_empty());
            (field.value, field.path) = (furthest, path);
        }
    }
    let stage = |wanted: &Attributes| wanted.get(STAGE).and_then(Value::as_u64);
    for (wanted, when) in [
        (&mut wish.attributes, When::Always),
        (&mut wish.on_create, When::Create),
        (&mut wish.on_empty, When::Empty),
    ] {
        // The stage stands first: a status is looked for among those of its stage.
        for named in &OF_CONTACT {
            let Some(value) = wanted.remove(named.attribute) else { continue };
            let resolved = resolve(named, &value, stage(wanted), &settings.selectors);
            if let Some(id) = resolved.id() {
                wanted.entry(named.id_attribute.to_owned()).or_insert_with(|| Value::from(id));
                continue;
            }
            let of = fields.iter().find(|field| field.attribute == named.attribute && field.when == when);
            let why = resolved.why_of(named.kind, &name_in(&value)).unwrap_or_default();
            left_out.push(LeftOut {
                attribute: named.attribute.to_owned(),
                path: of.map(|field| field.path.clone()).unwrap_or_default(),
                why,
            });
        }
    }
    left_out.sort();
    left_out.dedup();
}

/// The id of a value that stands for a name. A number is an id already.
pub(super) fn resolve(
    named: &Named,
    value: &Value,
    stage_id: Option<u64>,
    selectors: &Selectors,
) -> Resolved {
    if let Some(id) = value.as_u64() {
        return Resolved::Id(id);
    }
    let name = name_in(value);
    match named.kind {
        Kind::ContactStatuses => selectors.contact_status(stage_id, &name),
        Kind::Owners
        | Kind::DealPipelines
        | Kind::LifecycleStages
        | Kind::LeadSources
        | Kind::Campaigns
        | Kind::Territories
        | Kind::Currencies
        | Kind::DealTypes
        | Kind::DealReasons
        | Kind::DealPaymentStatuses
        | Kind::SalesActivityTypes
        | Kind::SalesActivityOutcomes
        | Kind::Lists => selectors.resolve(named.kind, &name),
    }
}

/// The list that an id may have come from which Freshsales refused, where the mapping says names.
#[must_use]
pub fn list_of(id_attribute: &str, settings: &Settings) -> Option<Kind> {
    let named = OF_CONTACT.iter().chain(&OF_DEAL).find(|named| named.id_attribute == id_attribute);
    let other = match id_attribute {
        "deal_stage_id" => Some(Kind::DealPipelines),
        "sales_activity_type_id" => Some(Kind::SalesActivityTypes),
        "sales_activity_outcome_id" => Some(Kind::SalesActivityOutcomes),
        _ => None,
    };
    let kind = named.map(|named| named.kind).or(other)?;
    settings.selectors_needed().contains(&kind).then_some(kind)
}
