//! Names: what a mapping writes by name is wanted by the id that the account has for it.
//!
//! A name that the account does not have is left out and said: the contact goes without it, and is looked at again when the
//! lists of the account are known anew. Must not know how these are asked for.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Settings;
use super::wish::Considered;
use crate::contact::Attributes;
use crate::mapping::{LeftOut, When};
use crate::selectors::{self, Kind, Named, OF_CONTACT, Resolved, Selectors};

const STAGE: &str = "lifecycle_stage_id";

impl Settings {
    /// The lists of the account in which names are looked up; empty where the mapping names nothing.
    #[must_use]
    pub fn selectors_needed(&self) -> BTreeSet<Kind> {
        self.preset.selectors()
    }

    /// Names that stand in the mapping and that the account does not have, each in a sentence. Nothing is said of a list that
    /// was not asked for yet.
    #[must_use]
    pub fn missing_names(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for (named, value) in self.preset.fixed_names() {
            let resolved = resolve(named, value, None, &self.selectors);
            if resolved == Resolved::NotAsked {
                continue;
            }
            let why = resolved.why_of(named.kind, &text(value));
            missing.extend(why.map(|why| format!("{}: {why}", named.attribute)));
        }
        missing.sort();
        missing.dedup();
        missing
    }
}

/// Puts ids in the place of names. Whatever has no id is left out; an id that the mapping gives itself stays.
pub(super) fn put_ids(considered: &mut Considered, settings: &Settings) {
    let Considered { wish, fields, left_out, .. } = considered;
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
            let why = resolved.why_of(named.kind, &text(&value)).unwrap_or_default();
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
fn resolve(named: &Named, value: &Value, stage_id: Option<u64>, selectors: &Selectors) -> Resolved {
    if let Some(id) = value.as_u64() {
        return Resolved::Id(id);
    }
    let name = text(value);
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
        | Kind::SalesActivityTypes => selectors.resolve(named.kind, &name),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The list that an id came from which Freshsales refused, where it came from a name.
#[must_use]
pub fn list_of(id_attribute: &str, settings: &Settings) -> Option<Kind> {
    let named = OF_CONTACT.iter().find(|named| named.id_attribute == id_attribute)?;
    settings.preset.fields().any(|(name, _)| name == named.attribute).then_some(named.kind)
}

#[cfg(test)]
pub(crate) fn known(kind: Kind, answer: &Value) -> selectors::Answered {
    selectors::Answered::Known(selectors::Table::read(kind, answer).unwrap())
}
