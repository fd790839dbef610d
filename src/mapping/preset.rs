//! The preset: the mapping as data, the built-in one with a user's file merged over it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::check::{contradictions, event_problems, field_problems};
use super::company::{CompanyRule, Link};
use super::convert::Convert;
use super::counted::{CountedRule, EVENT_DAY};
use super::counted_check::counted_problems;
use super::deal_check::record_problems;
use super::deals::DealRule;
use super::happening_check::told_problems;
use super::label::Label;
use super::list_check::list_problems;
use super::lists::path_of;
use super::problem::MappingProblem;
use super::rules::{ConvertedPath, EventDeal, EventField, EventRule, FieldRule, Origin, Pick, TAGS, When};
use super::sift::sift;
use super::{Place, by_precedence, convert_one, oldest};
use crate::event::{Stamped, fold_name};
use crate::person::Facts;
use crate::selectors;

/// The built-in preset.
const DEFAULT: &str = include_str!("../../config/mapping.toml");
/// The attribute that is the contact's key.
pub(super) const EMAILS: &str = "emails";
/// The attribute of a contact that links it to its companies.
const COMPANIES: &str = "sales_accounts";
/// The attribute of a contact that has an order, and can be kept from going back.
pub const LIFECYCLE_STAGE: &str = "lifecycle_stage";
/// The sections of a mapping file; what an event says of fields has the name of the second too.
pub(super) const EVENTS: &str = "events";
pub(super) const FIELDS: &str = "fields";
pub(super) const DEALS: &str = "deals";
pub(super) const COUNTED: &str = "counted";
pub(super) const COMPANY: &str = "company";
/// What an event says of a deal.
pub(super) const DEAL: &str = "deal";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    events: BTreeMap<String, EventRule>,
    fields: BTreeMap<String, FieldRule>,
    #[serde(default)]
    deals: BTreeMap<String, DealRule>,
    #[serde(default)]
    counted: BTreeMap<String, CountedRule>,
    company: Option<CompanyRule>,
}

/// A mapping file that is shipped beside the Default preset: what senders of one kind are known to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shipped {
    /// Names and user data of Google Analytics 4.
    Ga4,
    /// Shopify: customers, orders, checkouts.
    Shopify,
    /// `WooCommerce`: `billing`.
    WooCommerce,
    /// Segment's specification before version 2.
    SegmentV1,
}

impl Shipped {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ga4, Self::Shopify, Self::WooCommerce, Self::SegmentV1];

    /// Its name in `mapping.presets`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ga4 => "ga4",
            Self::Shopify => "shopify",
            Self::WooCommerce => "woocommerce",
            Self::SegmentV1 => "segment-v1",
        }
    }

    /// The one of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|shipped| shipped.name() == name.trim())
    }

    fn text(self) -> &'static str {
        match self {
            Self::Ga4 => include_str!("../../config/presets/ga4.toml"),
            Self::Shopify => include_str!("../../config/presets/shopify.toml"),
            Self::WooCommerce => include_str!("../../config/presets/woocommerce.toml"),
            Self::SegmentV1 => include_str!("../../config/presets/segment-v1.toml"),
        }
    }
}

/// The mapping.
#[derive(Clone, Debug, PartialEq)]
pub struct Preset {
    events: BTreeMap<String, EventRule>,
    /// The names of events as they are written, by what they are compared by.
    names: BTreeMap<String, String>,
    pub(super) fields: BTreeMap<String, FieldRule>,
    pub(super) deals: BTreeMap<String, DealRule>,
    pub(super) counted: BTreeMap<String, CountedRule>,
    company: Option<CompanyRule>,
    extras: BTreeMap<String, Vec<Extra>>,
    email_paths: Vec<String>,
    trait_paths: BTreeSet<String>,
    event_paths: BTreeSet<String>,
    first_paths: BTreeSet<String>,
    empty_attributes: BTreeSet<String>,
}

/// A statement that one event alone makes.
#[derive(Clone, Debug, PartialEq)]
pub struct Extra {
    /// The path it is remembered under, which no other event writes to.
    pub path: String,
    /// What it says.
    pub says: ExtraValue,
}

/// What an [`Extra`] says.
#[derive(Clone, Debug, PartialEq)]
pub enum ExtraValue {
    /// What stands at a path of the event.
    At(String),
    /// Always this.
    Fixed(Value),
}

impl Preset {
    /// The built-in preset with a user's file merged over it.
    ///
    /// # Errors
    /// Every problem of the file.
    pub fn parse(user_file: Option<&str>) -> Result<Self, Vec<MappingProblem>> {
        Self::layered(&[], user_file)
    }

    /// The built-in preset with shipped files merged over it, one after the other, and a user's over all.
    ///
    /// # Errors
    /// Every problem of the user's file.
    pub fn layered(shipped: &[Shipped], user_file: Option<&str>) -> Result<Self, Vec<MappingProblem>> {
        let unreadable = |error: &toml::de::Error| vec![MappingProblem::Unreadable(error.to_string())];
        let mut tables: toml::Table = toml::from_str(DEFAULT).map_err(|error| unreadable(&error))?;
        let mut problems = Vec::new();
        for file in shipped {
            let mut file: toml::Table = toml::from_str(file.text()).map_err(|error| unreadable(&error))?;
            name_events_alike(&tables, &mut file);
            also_from(&mut tables, file);
        }
        if let Some(text) = user_file {
            let mut users: toml::Table = toml::from_str(text).map_err(|error| unreadable(&error))?;
            problems = sift(&mut users);
            problems.extend(contradictions(&users));
            name_events_alike(&tables, &mut users);
            merge(&mut tables, users);
        }
        let file: File = tables.try_into().map_err(|error| unreadable(&error))?;
        problems.extend(file.fields.iter().flat_map(|(name, rule)| field_problems(name, rule)));
        problems.extend(file.events.iter().flat_map(|(name, rule)| event_problems(name, rule)));
        problems.extend(counted_problems(&file.counted, &file.events, &file.fields));
        problems.extend(record_problems(&file.deals, file.company.as_ref(), &file.events, &file.fields));
        problems.extend(told_problems(&file.events, file.company.is_some()));
        problems.extend(list_problems(&file.events));
        if problems.is_empty() {
            return Ok(Self::from_file(file));
        }
        let text = user_file.unwrap_or_default();
        let mut problems: Vec<_> = problems.into_iter().map(|problem| problem.found_in(text)).collect();
        problems.sort_by_key(MappingProblem::line);
        Err(problems)
    }

    fn from_file(file: File) -> Self {
        // The email is kept as a claim, not as a value.
        let valued = |fields: &BTreeMap<String, FieldRule>, wanted: fn(&FieldRule) -> bool| {
            let rules =
                fields.iter().filter(|(name, rule)| *name != EMAILS && rule.of.is_none() && wanted(rule));
            rules.flat_map(|(_, rule)| paths_of(rule)).collect::<BTreeSet<String>>()
        };
        let mut paths = valued(&file.fields, |_| true);
        let company_names = file.company.iter().flat_map(|rule| &rule.name);
        paths.extend(company_names.map(|origin| origin.path().to_owned()));
        let of_person = |path: &String| path.starts_with("traits.") || path.starts_with("group.");
        let (trait_paths, event_paths) = paths.into_iter().partition(of_person);
        let email_paths = file.fields.get(EMAILS).map(|rule| paths_of(rule).collect()).unwrap_or_default();
        let (mut fields, mut extras) = (file.fields, BTreeMap::new());
        for (name, rule) in &file.events {
            extras.insert(fold_name(name), add_extras(name, rule, &mut fields));
        }
        let first_paths = valued(&fields, |rule| rule.picks() == Pick::First);
        let empty = fields.iter().filter(|(_, rule)| rule.when == When::Empty);
        let empty = empty.map(|(name, _)| sent_as(name).to_owned());
        let linked = file.company.iter().filter(|rule| rule.link != Link::Never);
        let empty_attributes = empty.chain(linked.map(|_| COMPANIES.to_owned())).collect();
        let names = file.events.keys().map(|name| (fold_name(name), name.clone())).collect();
        let events = file.events.into_iter().map(|(name, rule)| (fold_name(&name), rule)).collect();
        let File { deals, counted, company, .. } =
            File { events: BTreeMap::new(), fields: BTreeMap::new(), ..file };
        Self {
            events,
            names,
            fields,
            deals,
            counted,
            company,
            extras,
            email_paths,
            trait_paths,
            event_paths,
            first_paths,
            empty_attributes,
        }
    }

    /// The rule of an event, by its name or the word of its kind; `None` when it is not mapped.
    #[must_use]
    pub fn event(&self, name: &str) -> Option<&EventRule> {
        self.events.get(&fold_name(name)).filter(|rule| rule.send)
    }

    /// The names of events that count, as the mapping writes them, by what they are compared by.
    #[must_use]
    pub fn event_names(&self) -> BTreeMap<String, String> {
        let counts =
            |(folded, _): &(&String, &String)| self.events.get(*folded).is_some_and(|rule| rule.send);
        self.names.iter().filter(counts).map(|(folded, name)| (folded.clone(), name.clone())).collect()
    }

    /// The name of an event as the mapping writes it; `None` when no rule names it.
    #[must_use]
    pub fn event_name(&self, folded: &str) -> Option<&str> {
        self.names.get(folded).map(String::as_str)
    }

    /// The rules of events, switched off or not, by the name that the mapping writes.
    pub fn all_events(&self) -> impl Iterator<Item = (&str, &EventRule)> {
        self.names.iter().filter_map(|(folded, name)| Some((name.as_str(), self.events.get(folded)?)))
    }

    /// The rules of events, switched off or not.
    pub(super) fn event_rules(&self) -> impl Iterator<Item = &EventRule> {
        self.events.values()
    }

    /// The same with their names, in one spelling.
    pub(super) fn named_rules(&self) -> impl Iterator<Item = (&str, &EventRule)> {
        self.events.iter().map(|(name, rule)| (name.as_str(), rule))
    }

    /// What events say of deals.
    pub fn events_with_deals(&self) -> impl Iterator<Item = &EventDeal> {
        self.events.values().filter(|rule| rule.send).filter_map(|rule| rule.deal.as_ref())
    }

    /// What an event says beside what every mapped event does.
    #[must_use]
    pub fn extras(&self, name: &str) -> &[Extra] {
        self.extras.get(&fold_name(name)).map_or(&[], Vec::as_slice)
    }

    /// What is true of all companies, where companies are kept.
    #[must_use]
    pub fn company(&self) -> Option<&CompanyRule> {
        self.company.as_ref()
    }

    /// The rules by attribute.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &FieldRule)> {
        self.fields.iter().map(|(name, rule)| (name.as_str(), rule))
    }

    /// The paths of the contact's key, the first of them first.
    #[must_use]
    pub fn email_paths(&self) -> &[String] {
        &self.email_paths
    }

    /// The paths under `traits` and `group`, which every event may speak about.
    pub fn trait_paths(&self) -> impl Iterator<Item = &str> {
        self.trait_paths.iter().map(String::as_str)
    }

    /// The paths under `properties` and `context`, which count in mapped events.
    pub fn event_paths(&self) -> impl Iterator<Item = &str> {
        self.event_paths.iter().map(String::as_str).filter(|path| *path != EVENT_DAY)
    }

    /// Whether the day of events themselves is asked for.
    #[must_use]
    pub fn reads_day(&self) -> bool {
        self.event_paths.contains(EVENT_DAY)
    }

    /// Those of them of which the first statement counts: they are read from every event of a person.
    pub fn first_event_paths(&self) -> impl Iterator<Item = &str> {
        self.first_paths.iter().filter(|path| self.event_paths.contains(*path)).map(String::as_str)
    }

    /// Whether a name of a person is read from a path.
    #[must_use]
    pub fn reads_name(&self, path: &str) -> bool {
        let rules = ["first_name", "last_name"].into_iter().filter_map(|name| self.fields.get(name));
        rules.flat_map(|rule| &rule.from).any(|origin| origin.path() == path)
    }

    /// Whether the first statement at a path counts, not the newest.
    #[must_use]
    pub fn keeps_first(&self, path: &str) -> bool {
        self.first_paths.contains(path)
    }

    /// The lists of an account in which the names are looked up that this mapping sends; empty where it names nothing.
    #[must_use]
    pub fn selectors(&self) -> BTreeSet<selectors::Kind> {
        let of_contact = |name: &String| selectors::attribute(&selectors::OF_CONTACT, name);
        let mut kinds: BTreeSet<selectors::Kind> = self
            .fields
            .iter()
            .filter(|(_, rule)| rule.when != When::Never && rule.says_something())
            .filter_map(|(name, _)| of_contact(name))
            .map(|named| named.kind)
            .collect();
        if kinds.contains(&selectors::Kind::ContactStatuses) {
            // A status is looked for among those of its stage.
            kinds.insert(selectors::Kind::LifecycleStages);
        }
        kinds.extend(self.selectors_of_deals());
        kinds.extend(self.selectors_of_happenings());
        if self.lists_named().any(|label| matches!(label, Label::Name(_))) {
            kinds.insert(selectors::Kind::Lists);
        }
        kinds
    }

    /// The attribute of the lifecycle stage, where it never goes back.
    #[must_use]
    pub fn forward_only_stage(&self) -> Option<&'static str> {
        let rule = self.fields.get(LIFECYCLE_STAGE)?;
        (rule.forward_only && rule.when != When::Never).then_some(LIFECYCLE_STAGE)
    }

    /// Whether contacts get tags.
    #[must_use]
    pub fn sends_tags(&self) -> bool {
        self.fields.get(TAGS).is_some_and(|rule| rule.says_something() && rule.when != When::Never)
    }

    /// Everything that was said of an attribute and can be sent, with the path of each.
    #[must_use]
    pub fn all_said<'a>(&'a self, facts: &'a Facts, attribute: &str) -> Vec<(&'a str, Stamped<Value>)> {
        let Some(rule) = self.fields.get(attribute) else { return Vec::new() };
        if let Some(constant) = &rule.constant {
            return vec![("const", oldest(constant))];
        }
        let converted = |(origin, said): (&'a Origin, &'a Stamped<Value>)| {
            let value = convert_one(&said.value, rule, origin.convert(rule.convert), Place::default());
            let value = value.ok()?.value;
            Some((origin.path(), Stamped { value, stamp: said.stamp.clone() }))
        };
        by_precedence(facts, rule).into_iter().filter_map(converted).collect()
    }

    /// The names that stand in the mapping itself, for attributes that are written by name.
    pub fn fixed_names(&self) -> impl Iterator<Item = (&'static selectors::Named, &Value)> {
        let named = |name: &String| selectors::attribute(&selectors::OF_CONTACT, name);
        let of_fields = self.fields.iter().filter_map(move |(name, rule)| {
            let chosen = rule.rules.iter().map(|choice| &choice.to);
            let values = rule.constant.iter().chain(rule.values.values()).chain(chosen);
            Some((named(name)?, values.collect::<Vec<_>>()))
        });
        let of_events = self.events.values().filter(|rule| rule.send).flat_map(|rule| &rule.fields);
        let of_events = of_events
            .filter_map(move |(name, field)| Some((named(name)?, field.constant.iter().collect::<Vec<_>>())));
        of_fields
            .chain(of_events)
            .flat_map(|(named, values)| values.into_iter().map(move |value| (named, value)))
    }

    /// The attributes that calls may carry, as they are called there.
    pub fn sent_names(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().filter(|name| *name != EMAILS).map(|name| sent_as(name))
    }

    /// The attributes of contacts that Freshsales may tell of, as the mapping calls them: tags and companies are lists that are
    /// joined, and the address is the key.
    pub fn heard_names(&self) -> impl Iterator<Item = &str> {
        let apart = [EMAILS, TAGS, COMPANIES];
        let sent = self.fields.iter().filter(|(_, rule)| rule.when != When::Never);
        sent.map(|(name, _)| name.as_str()).filter(move |name| !apart.contains(name))
    }

    /// The attributes that are sent only where Freshsales has no value.
    #[must_use]
    pub fn empty_attributes(&self) -> &BTreeSet<String> {
        &self.empty_attributes
    }
}

/// What an attribute is called in a call: one that is written by name is sent by its id.
#[must_use]
pub fn sent_as(name: &str) -> &str {
    selectors::attribute(&selectors::OF_CONTACT, name).map_or(name, |named| named.id_attribute)
}

fn paths_of(rule: &FieldRule) -> impl Iterator<Item = String> + '_ {
    let of_choices = rule.rules.iter().map(|choice| choice.from.clone());
    rule.from.iter().map(|origin| origin.path().to_owned()).chain(of_choices)
}

/// Puts the extra fields of an event before what every event says of those attributes: of one event the more particular
/// rule counts.
fn add_extras(name: &str, rule: &EventRule, fields: &mut BTreeMap<String, FieldRule>) -> Vec<Extra> {
    let mut extras = Vec::new();
    if rule.lists.is_some() {
        extras.push(Extra { path: path_of(name), says: ExtraValue::Fixed(Value::Bool(true)) });
    }
    for (attribute, field) in &rule.fields {
        let mut origins = Vec::new();
        for origin in &field.from {
            let path = format!("{} of {}", origin.path(), fold_name(name));
            let convert = Some(origin.convert(field.convert));
            let fallback = origin.is_fallback();
            origins.push(Origin::Converted(ConvertedPath { path: path.clone(), convert, fallback }));
            extras.push(Extra { path, says: ExtraValue::At(origin.path().to_owned()) });
        }
        if let Some(constant) = &field.constant {
            let path = format!("const {attribute} of {}", fold_name(name));
            let convert = Some(fixed_conversion(field, constant));
            origins.push(Origin::Converted(ConvertedPath { path: path.clone(), convert, fallback: false }));
            extras.push(Extra { path, says: ExtraValue::Fixed(constant.clone()) });
        }
        let into = fields.entry(attribute.clone()).or_default();
        into.from.splice(0..0, origins);
    }
    extras
}

/// A fixed value stays what it is.
fn fixed_conversion(field: &EventField, constant: &Value) -> Convert {
    match constant {
        _ if field.convert != Convert::default() => field.convert,
        Value::Number(_) => Convert::Number,
        Value::Bool(_) => Convert::Boolean,
        Value::Array(_) => Convert::Tags,
        Value::String(_) | Value::Null | Value::Object(_) => Convert::Text,
    }
}

/// Gives the events of a user's file the names that the built-in ones have, where they match.
fn name_events_alike(built_in: &toml::Table, users: &mut toml::Table) {
    let Some(toml::Value::Table(events)) = users.get_mut(EVENTS) else { return };
    let known = built_in.get(EVENTS).and_then(toml::Value::as_table);
    for (name, rule) in std::mem::take(events) {
        let same = known.and_then(|known| known.keys().find(|known| fold_name(known) == fold_name(&name)));
        events.insert(same.cloned().unwrap_or(name), rule);
    }
}

/// Lays a shipped file over a mapping: its events as those of a user's file, its paths of a field after those there are,
/// so that presets add to each other.
fn also_from(into: &mut toml::Table, mut file: toml::Table) {
    let fields = file.remove(FIELDS);
    merge(into, file);
    let (Some(toml::Value::Table(known)), Some(toml::Value::Table(fields))) = (into.get_mut(FIELDS), fields)
    else {
        return;
    };
    for (name, rule) in fields {
        let from = rule.get("from").and_then(toml::Value::as_array).cloned().unwrap_or_default();
        match known.get_mut(&name).and_then(|rule| rule.get_mut("from")).and_then(toml::Value::as_array_mut) {
            Some(paths) => paths.extend(from),
            None => {
                known.insert(name, rule);
            }
        }
    }
}

fn merge(into: &mut toml::Table, from: toml::Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(toml::Value::Table(old)), toml::Value::Table(new)) => merge(old, new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}
