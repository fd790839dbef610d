//! The mapping: from what is known of a person to the attributes a contact should have.
//!
//! An allow-list: what no rule names never reaches the CRM. Pure; must not know contacts or storage.

mod check;
mod config;
mod convert;
mod name;
pub mod phone;
mod preset;
pub mod region;
mod rules;
mod sift;

#[cfg(test)]
mod tests;

use serde::Serialize;
use serde_json::Value;

pub use check::MappingProblem;
pub use config::{IdentifyMode, MappingConfig, MissingNames};
pub use convert::{Convert, Converted};
pub use name::name_of_address;
pub use preset::{Extra, ExtraValue, Preset};
pub use rules::{ConvertedPath, EventField, EventRule, FieldRule, Origin, Pick, When};

use crate::event::{Lww, Stamp, Stamped};
use crate::person::Facts;
use region::Region;

/// What the mapping makes of a person.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mapped {
    /// Attributes that are always sent.
    pub always: Lww<String, Value>,
    /// Attributes that are sent while Freshsales does not have the contact.
    pub on_create: Lww<String, Value>,
    /// Attributes that are sent where Freshsales has no value.
    pub on_empty: Lww<String, Value>,
    /// Which attribute came from where.
    pub fields: Vec<MappedField>,
    /// What was left out, and why.
    pub left_out: Vec<LeftOut>,
}

/// Where an attribute came from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MappedField {
    /// The attribute of the contact.
    pub attribute: String,
    /// The path it was read from; `const` for a fixed value, `mapping.missing_names` for a name taken from the address.
    pub path: String,
    /// The message that said it, where one did.
    pub message_id: Option<String>,
    /// What is sent.
    pub value: Value,
    /// When it is sent.
    pub when: When,
}

/// A value that is not sent as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LeftOut {
    /// The attribute it was for.
    pub attribute: String,
    /// Where it stands.
    pub path: String,
    /// Why, in words that do not repeat the value.
    pub why: String,
}

/// Maps what is known of a person. `default_region` is for phones without `+` and without a country.
#[must_use]
pub fn map(facts: &Facts, preset: &Preset, default_region: Option<Region>) -> Mapped {
    let region = preset
        .fields
        .get("country")
        .and_then(|rule| by_precedence(facts, rule).into_iter().next())
        .and_then(|(_, country)| Region::from_text(country.value.as_str()?))
        .or(default_region);
    let mut mapped = Mapped::default();
    let sent = |name: &str, rule: &FieldRule| name != preset::EMAILS && rule.when != When::Never;
    for (name, rule) in preset.fields.iter().filter(|(name, rule)| sent(name, rule)) {
        let found = match &rule.constant {
            Some(constant) => Some(("const", oldest(constant))),
            None => first_convertible(facts, name, rule, region, &mut mapped.left_out),
        };
        let Some((path, statement)) = found else { continue };
        let message_id = Some(statement.stamp.message_id.clone()).filter(|id| !id.is_empty());
        mapped.fields.push(MappedField {
            attribute: name.clone(),
            path: path.to_owned(),
            message_id,
            value: statement.value.clone(),
            when: rule.when,
        });
        match rule.when {
            When::Always => mapped.always.say(name.clone(), statement),
            When::Create => mapped.on_create.say(name.clone(), statement),
            When::Empty => mapped.on_empty.say(name.clone(), statement),
            When::Never => false,
        };
    }
    mapped
}

/// A fixed value is older than anything said.
fn oldest(constant: &Value) -> Stamped<Value> {
    Stamped { value: constant.clone(), stamp: Stamp::default() }
}

/// What was said at the paths of a rule, the one that counts first; of one event in the order of the rule.
fn by_precedence<'a>(facts: &'a Facts, rule: &'a FieldRule) -> Vec<(&'a Origin, &'a Stamped<Value>)> {
    let said = |origin: &'a Origin| {
        let newest = || facts.values.get(origin.path());
        let statement = match rule.pick {
            Pick::Newest => newest(),
            // What was said before the mapping asked for the first is known as the newest alone.
            Pick::First => facts.firsts.get(origin.path()).or_else(newest),
        };
        Some((origin, statement?))
    };
    let mut found: Vec<_> = rule.from.iter().filter_map(said).collect();
    found.sort_by(|(_, a), (_, b)| match rule.pick {
        Pick::Newest => b.stamp.cmp(&a.stamp),
        Pick::First => a.stamp.cmp(&b.stamp),
    });
    found
}

fn first_convertible<'a>(
    facts: &'a Facts,
    attribute: &str,
    rule: &'a FieldRule,
    region: Option<Region>,
    left_out: &mut Vec<LeftOut>,
) -> Option<(&'a str, Stamped<Value>)> {
    for (origin, statement) in by_precedence(facts, rule) {
        let path = origin.path();
        let note = |why: String| LeftOut { attribute: attribute.to_owned(), path: path.to_owned(), why };
        match convert_one(&statement.value, rule, origin.convert(rule.convert), region) {
            Ok(converted) => {
                if converted.cut {
                    left_out.push(note(format!("cut to {} characters", rule.max_chars)));
                }
                return Some((path, Stamped { value: converted.value, stamp: statement.stamp.clone() }));
            }
            Err(why) if why == convert::NOTHING_TO_CONVERT => {}
            Err(why) => left_out.push(note(why)),
        }
    }
    None
}

fn convert_one(
    value: &Value,
    rule: &FieldRule,
    convert: Convert,
    region: Option<Region>,
) -> Result<Converted, String> {
    if rule.values.is_empty() {
        return convert.apply(value, region, rule.max_chars);
    }
    let Value::String(word) = Convert::Lower.apply(value, region, usize::MAX)?.value else {
        return Err("it is not text".to_owned());
    };
    let wanted = rule.values.iter().find(|(from, _)| from.to_lowercase() == word).map(|(_, to)| to.clone());
    let value = wanted.ok_or("it is not in the table of values")?;
    Ok(Converted { value, cut: false })
}
