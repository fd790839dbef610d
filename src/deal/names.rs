//! Names of an account: attributes are wanted by name, and sent by the ids that the account has for these names.
//!
//! Must not know where the lists come from.

use serde_json::{Map, Value};

use super::{Attributes, PIPELINE, STAGE};
use crate::selectors::{self, Answered, Entry, Kind, OF_DEAL, Resolved, Selectors};

/// The names that a deal is nothing without: where the account does not have one, the deal waits. An amount never goes beside
/// another currency.
const ESSENTIAL: [&str; 3] = [PIPELINE, STAGE, "currency"];

/// How the mapping calls an attribute that Freshsales names in an answer.
#[must_use]
pub fn name_of_attribute(sent: &str) -> &str {
    match sent {
        "deal_stage_id" => STAGE,
        other => {
            OF_DEAL.iter().find(|named| named.id_attribute == other).map_or(other, |named| named.attribute)
        }
    }
}

/// Puts ids in the place of names. Answers what was left out, for a person: a deal can do without the names that are not
/// essential. `pipeline` is where its stage is looked for.
///
/// # Errors
/// A name that is essential stands for nothing; a sentence that says why.
pub fn resolve(
    wanted: &Attributes,
    pipeline: Option<&str>,
    selectors: &Selectors,
) -> Result<(Map<String, Value>, Vec<String>), String> {
    let (mut sent, mut left_out) = (Map::new(), Vec::new());
    for (name, value) in wanted {
        let named = selectors::attribute(&OF_DEAL, name);
        let id_attribute =
            named.map_or(if name == STAGE { "deal_stage_id" } else { name }, |named| named.id_attribute);
        let by_name = named.is_some() || name == STAGE;
        let Some(text) = value.as_str().filter(|_| by_name) else {
            sent.insert(id_attribute.to_owned(), value.clone());
            continue;
        };
        if let Ok(id) = text.parse::<u64>() {
            sent.insert(id_attribute.to_owned(), Value::from(id));
            continue;
        }
        let (resolved, why) = match named {
            None => {
                let resolved = selectors.stage(pipeline, text);
                let why = resolved.why("deal stage", text, pipeline);
                (resolved, why)
            }
            Some(named) => {
                let resolved = selectors.resolve(named.kind, text);
                let why = resolved.why_of(named.kind, text);
                (resolved, why)
            }
        };
        match (resolved.id(), why.unwrap_or_default()) {
            (Some(id), _) => drop(sent.insert(id_attribute.to_owned(), Value::from(id))),
            (None, why) if ESSENTIAL.contains(&name.as_str()) => return Err(why),
            (None, why) => left_out.push(format!("{name} left out: {why}")),
        }
    }
    Ok((sent, left_out))
}

/// A pipeline by its name or its id; without either the default one.
///
/// # Errors
/// Why there is none.
pub fn pipeline<'s>(selectors: &'s Selectors, label: Option<&str>) -> Result<&'s Entry, Resolved> {
    let id = label.and_then(|label| label.parse::<u64>().ok());
    match (id, selectors.list(Kind::DealPipelines).map(|list| &list.answer)) {
        (Some(id), Some(Answered::Known(table))) => {
            let found = table.entries.iter().find(|pipeline| pipeline.id == id);
            found.ok_or(Resolved::Unknown { have: Vec::new(), more: 0 })
        }
        _ => selectors.pipeline(label),
    }
}
