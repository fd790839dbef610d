//! The mapping: from what is known of a person, a deal or a company to the attributes that its record should have.
//!
//! An allow-list: what no rule names never reaches the CRM. Pure; must not know contacts or storage.

mod check;
mod company;
mod config;
mod convert;
mod counted;
mod counted_check;
mod counted_of;
mod deal_check;
mod deal_of;
mod deals;
mod happening_check;
mod happening_of;
mod happenings;
mod heard;
mod kept;
mod label;
mod list_check;
mod list_of;
mod lists;
mod money;
mod name;
mod number;
pub mod phone;
mod preset;
mod problem;
pub mod region;
mod rules;
mod sift;
mod template;
mod text;

#[cfg(test)]
mod counted_tests;
#[cfg(test)]
mod deal_tests;
#[cfg(test)]
mod happening_tests;
#[cfg(test)]
mod tests;

use serde::Serialize;
use serde_json::Value;

pub use company::{CompanyRule, Link, Match};
pub use config::{IdentifyMode, MappingConfig, MissingNames};
pub use convert::{Convert, Converted, Place};
pub use counted::{CountedRule, EVENT_DAY, day_of};
pub use counted_of::CountedOf;
pub use deal_of::{DealOf, MappedDeal, NoDeal, StagesSaid};
pub use deals::{DealKeyRule, DealRule, WhenGone};
pub use happening_of::HappeningOf;
pub use happenings::{Due, EventActivity, EventNote, EventTask, Hangs, Lines, NoDue};
pub use kept::{kept, kept_or_noted};
pub use label::Label;
pub use list_of::Listing;
pub use lists::EventLists;
pub use name::name_of_address;
pub use preset::{Extra, ExtraValue, LIFECYCLE_STAGE, Preset, Shipped, sent_as};
pub use problem::MappingProblem;
pub use rules::{
    Aggregate, Choice, ConvertedPath, EventDeal, EventField, EventRule, FieldRule, Origin, Pick, TAGS,
    Values, When,
};
pub use template::{Template, TemplateProblem};

use crate::event::{Lww, Stamp, Stamped, Trust};
use crate::person::Facts;
use region::Region;

/// Tags of one contact that are sent; of more the first that were said.
const TAGS_MAX: usize = 100;

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
    /// How far who said it is believed.
    #[serde(skip)]
    pub trust: Trust,
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
    let countries = preset.fields.get("country").map(|rule| by_precedence(facts, rule)).unwrap_or_default();
    let said = countries.into_iter().find_map(|(_, said)| Region::from_text(said.value.as_str()?));
    let place = Place { region: said.or(default_region), currency: None };
    map_fields(facts, preset.fields.iter().filter(|(name, _)| *name != preset::EMAILS), place)
}

/// What rules make of what is known.
fn map_fields<'a>(
    facts: &'a Facts,
    fields: impl Iterator<Item = (&'a String, &'a FieldRule)>,
    place: Place<'_>,
) -> Mapped {
    let mut mapped = Mapped::default();
    let mut seen = Seen::default();
    for (name, rule) in fields.filter(|(_, rule)| rule.when != When::Never && rule.of.is_none()) {
        let found = match &rule.constant {
            Some(constant) => Some(("const", oldest(constant))),
            None if !rule.rules.is_empty() => chosen(facts, rule),
            None if name == TAGS => all_tags(facts, name, rule, place, &mut mapped.left_out),
            None => first_convertible(facts, name, rule, place, &mut mapped.left_out, &mut seen),
        };
        let Some((path, statement)) = found else { continue };
        let message_id = Some(statement.stamp.message_id.clone()).filter(|id| !id.is_empty());
        mapped.fields.push(MappedField {
            attribute: name.clone(),
            path: path.to_owned(),
            message_id,
            value: statement.value.clone(),
            when: rule.when,
            trust: statement.stamp.trust,
        });
        mapped.say(name, rule.when, statement);
    }
    let lost =
        seen.lost.into_iter().filter(|(_, value)| mapped.fields.iter().all(|field| field.value != *value));
    mapped.left_out.extend(lost.map(|(out, _)| out));
    mapped
}

/// What the attributes that were looked at so far were made of.
#[derive(Default)]
struct Seen<'a> {
    /// Rules with fallbacks, what was sent for each, and whether a fallback said it.
    shared: Vec<(&'a FieldRule, Value, bool)>,
    /// Fallbacks that can't be converted: told once, however many attributes share them.
    unusable: Vec<&'a str>,
    /// Phone numbers that another path took the place of.
    lost: Vec<(LeftOut, Value)>,
}

impl Seen<'_> {
    /// Whether an attribute took this fallback or another one of its own in its stead, or is sent with the same value.
    fn holds(&self, path: &str, value: &Value) -> bool {
        let lists =
            |rule: &FieldRule| rule.from.iter().any(|origin| origin.is_fallback() && origin.path() == path);
        self.shared.iter().any(|(rule, sent, by_fallback)| lists(rule) && (*by_fallback || sent == value))
    }
}

/// A fixed value is older than anything said.
fn oldest(constant: &Value) -> Stamped<Value> {
    Stamped { value: constant.clone(), stamp: Stamp::default() }
}

/// What the first choice says that fits; it is as old as what it looked at.
fn chosen<'a>(facts: &Facts, rule: &'a FieldRule) -> Option<(&'a str, Stamped<Value>)> {
    rule.rules.iter().find_map(|choice| {
        let said = facts.values.get(&choice.from).filter(|said| choice.fits(&said.value))?;
        Some((choice.from.as_str(), Stamped { value: choice.to.clone(), stamp: said.stamp.clone() }))
    })
}

/// The tags of all paths together: what one event says takes nothing away that another said.
fn all_tags<'a>(
    facts: &'a Facts,
    attribute: &str,
    rule: &'a FieldRule,
    place: Place<'_>,
    left_out: &mut Vec<LeftOut>,
) -> Option<(&'a str, Stamped<Value>)> {
    let mut found: Option<(&str, Stamped<Value>)> = None;
    let mut tags: Vec<Value> = Vec::new();
    let mut said = by_precedence(facts, rule);
    said.sort_by(|(_, one), (_, other)| one.stamp.cmp(&other.stamp));
    for (origin, statement) in said {
        let convert = match origin.convert(rule.convert) {
            Convert::Text => Convert::Tags,
            convert => convert,
        };
        match convert_one(&statement.value, rule, convert, place) {
            Ok(Converted { value: Value::Array(list), .. }) => {
                for tag in list {
                    if !tags.contains(&tag) && tags.len() < TAGS_MAX {
                        tags.push(tag);
                    }
                }
                found = Some((origin.path(), Stamped { value: Value::Null, stamp: statement.stamp.clone() }));
            }
            Ok(_) => {}
            Err(why) => left_out.push(LeftOut {
                attribute: attribute.to_owned(),
                path: origin.path().to_owned(),
                why,
            }),
        }
    }
    let (path, statement) = found?;
    Some((path, Stamped { value: Value::Array(tags), ..statement }))
}

/// What was said at the paths of a rule, the one that counts first: what a server said, and of that the newest; of one event
/// in the order of the rule.
fn by_precedence<'a>(facts: &'a Facts, rule: &'a FieldRule) -> Vec<(&'a Origin, &'a Stamped<Value>)> {
    let said = |origin: &'a Origin| {
        let newest = || facts.values.get(origin.path());
        let statement = match rule.picks() {
            Pick::Newest => newest(),
            // What was said before the mapping asked for the first is known as the newest alone.
            Pick::First => facts.firsts.get(origin.path()).or_else(newest),
        };
        Some((origin, statement?))
    };
    let mut found: Vec<_> = rule.from.iter().filter_map(said).collect();
    found.sort_by(|(one, a), (other, b)| {
        let by_trust = b.stamp.trust.cmp(&a.stamp.trust);
        let by_time = match rule.picks() {
            Pick::Newest => b.stamp.cmp(&a.stamp),
            Pick::First => a.stamp.cmp(&b.stamp),
        };
        by_trust.then(one.is_fallback().cmp(&other.is_fallback())).then(by_time)
    });
    found
}

fn first_convertible<'a>(
    facts: &'a Facts,
    attribute: &str,
    rule: &'a FieldRule,
    place: Place<'_>,
    left_out: &mut Vec<LeftOut>,
    seen: &mut Seen<'a>,
) -> Option<(&'a str, Stamped<Value>)> {
    let mut winner: Option<(&str, Stamped<Value>)> = None;
    let mut by_fallback = false;
    for (origin, statement) in by_precedence(facts, rule) {
        let path = origin.path();
        let note = |why: String| LeftOut { attribute: attribute.to_owned(), path: path.to_owned(), why };
        let convert = origin.convert(rule.convert);
        match (convert_one(&statement.value, rule, convert, place), &winner) {
            (Ok(other), Some((said_at, said))) if other.value != said.value => {
                seen.lost.push((note(format!("the number at {said_at} took its place")), other.value));
            }
            (Ok(_), Some(_)) => {}
            (Ok(converted), None) if origin.is_fallback() && seen.holds(path, &converted.value) => {}
            (Ok(converted), None) => {
                if converted.cut {
                    left_out.push(note(format!("cut to {} characters", rule.max_chars)));
                }
                by_fallback = origin.is_fallback();
                winner = Some((path, Stamped { value: converted.value, stamp: statement.stamp.clone() }));
                // What became of the others is worth telling of phones alone: of names and cities the newest is how things are.
                if convert != Convert::Phone {
                    break;
                }
            }
            (Err(why), _) if why == convert::NOTHING_TO_CONVERT => {}
            (Err(_), _) if origin.is_fallback() && seen.unusable.contains(&path) => {}
            (Err(why), _) => {
                left_out.push(note(why));
                seen.unusable.push(path);
            }
        }
    }
    let (_, statement) = winner.as_ref()?;
    if rule.from.iter().any(Origin::is_fallback) {
        seen.shared.push((rule, statement.value.clone(), by_fallback));
    }
    winner
}

fn convert_one(
    value: &Value,
    rule: &FieldRule,
    convert: Convert,
    place: Place<'_>,
) -> Result<Converted, String> {
    if rule.values.is_empty() {
        return convert.apply_at(value, place, rule.max_chars);
    }
    let Value::String(word) = Convert::Lower.apply_at(value, place, usize::MAX)?.value else {
        return Err("it is not text".to_owned());
    };
    let wanted = rule.values.iter().find(|(from, _)| from.to_lowercase() == word).map(|(_, to)| to.clone());
    let value = wanted.ok_or("it is not in the table of values")?;
    Ok(Converted { value, cut: false })
}
