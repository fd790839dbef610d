//! What an event says of things that are counted, and what attributes make of all that were said.
//!
//! Must not know a single person's other facts, or how statements are joined.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Number, Value};

use super::counted::{CountedRule, EVENT_DAY, day_of};
use super::deal_of::key_text;
use super::money::currency_of;
use super::rules::{Aggregate, FieldRule, Origin, When};
use super::{LeftOut, Mapped, MappedField, Place, Preset, convert_one};
use crate::event::{Event, Lww, Roots, Stamp, Stamped};
use crate::person::{THINGS_MAX, Tally, Thing, ThingSaid};

/// Characters of a key of a thing: a longer one tells nothing apart that a shorter one does not.
const KEY_CHARS_MAX: usize = 64;
/// A value of a thing larger than this as JSON is not remembered.
const VALUE_BYTES_MAX: usize = 128;

/// What an event says of things that are counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CountedOf {
    /// By set.
    pub said: BTreeMap<String, ThingSaid>,
    /// What a person who looks at the event should know.
    pub notes: Vec<String>,
}

impl Preset {
    /// What an event says of things that are counted.
    #[must_use]
    pub fn counted_of(&self, event: &Event) -> CountedOf {
        let mut counted = CountedOf::default();
        let roots = event.roots();
        for (set, rule) in &self.counted {
            let Some(counts) = rule.counts_after(event.name()) else { continue };
            let said_at = |path: &String| roots.find(path).value();
            let key = rule.key.iter().find_map(|path| key_text(said_at(path)?, KEY_CHARS_MAX));
            let Some(key) = key else {
                counted.notes.push(format!(
                    "counted.{set}: nothing of at most {KEY_CHARS_MAX} characters stands at {}, so the event is not counted",
                    rule.key.join(", ")
                ));
                continue;
            };
            let values = if counts {
                self.values_of(set, rule, &roots, event, &mut counted.notes)
            } else {
                BTreeMap::new()
            };
            counted.said.insert(set.clone(), ThingSaid { key, counts, values });
        }
        counted
    }

    /// What the attributes of a set, and its currency, are read from.
    fn values_of(
        &self,
        set: &str,
        rule: &CountedRule,
        roots: &Roots<'_>,
        event: &Event,
        notes: &mut Vec<String>,
    ) -> BTreeMap<String, Value> {
        let of_set = self.fields.values().filter(|field| field.of.as_deref() == Some(set));
        let paths = of_set.flat_map(|field| &field.from).map(Origin::path);
        let paths: BTreeSet<&str> = paths.chain(rule.currency.iter().map(String::as_str)).collect();
        let mut values = BTreeMap::new();
        for path in paths {
            if path == EVENT_DAY {
                values.insert(path.to_owned(), day_of(&event.stamp));
                continue;
            }
            let Some(value) = roots.find(path).value() else { continue };
            if value.to_string().len() > VALUE_BYTES_MAX {
                notes.push(format!("{path}: larger than {VALUE_BYTES_MAX} bytes, left out of counted.{set}"));
                continue;
            }
            values.insert(path.to_owned(), value.clone());
        }
        values
    }

    /// What the attributes of sets make of everything that was said of their things. `crowd`: so many people share the
    /// contact that not all of them are at hand.
    #[must_use]
    pub fn map_counted(&self, tallies: &BTreeMap<String, Tally>, crowd: bool) -> Mapped {
        let mut mapped = Mapped::default();
        for (name, field) in self.fields.iter().filter(|(_, field)| field.when != When::Never) {
            let (Some(aggregate), Some(set)) = (field.aggregate, &field.of) else { continue };
            let (Some(rule), Some(tally)) = (self.counted.get(set), tallies.get(set)) else { continue };
            let Some(newest) = tally.newest() else { continue };
            let out = |why: String| LeftOut { attribute: name.clone(), path: format!("counted.{set}"), why };
            if let Some(why) = not_known(aggregate, set, tally, crowd) {
                mapped.left_out.push(out(why));
                continue;
            }
            let mut told = BTreeSet::new();
            let value = OfSet { rule, field, tally }.value(aggregate, &mut told);
            mapped.left_out.extend(told.into_iter().map(&out));
            let Some(value) = value else { continue };
            let statement = Stamped { value: value.clone(), stamp: newest.clone() };
            mapped.fields.push(MappedField {
                attribute: name.clone(),
                path: format!("{} of counted.{set}", aggregate.word()),
                message_id: Some(newest.message_id.clone()),
                value,
                when: field.when,
                trust: newest.trust,
            });
            mapped.say(name, field.when, statement);
        }
        mapped
    }
}

/// Why an attribute of a set is not sent at all. What would be sent is less than what there is.
fn not_known(aggregate: Aggregate, set: &str, tally: &Tally, crowd: bool) -> Option<String> {
    if crowd {
        return Some(format!(
            "more people share the address than are added up, so {set} are not counted for it"
        ));
    }
    let needs_all = match aggregate {
        Aggregate::Count | Aggregate::Sum | Aggregate::First => true,
        Aggregate::Last => false,
    };
    (needs_all && tally.more).then(|| {
        format!(
            "more than {THINGS_MAX} {set} were said, and the oldest are not kept: nothing is sent any more, and Freshsales \
             keeps what it has"
        )
    })
}

/// An attribute of a set, and the things of somebody.
struct OfSet<'a> {
    rule: &'a CountedRule,
    field: &'a FieldRule,
    tally: &'a Tally,
}

impl OfSet<'_> {
    fn counted(&self) -> impl Iterator<Item = (&Stamp, &Thing)> {
        self.tally.things().filter_map(|(_, thing)| Some((thing.counted()?, thing)))
    }

    /// What is sent; why things were left out of it goes to `told`.
    fn value(&self, aggregate: Aggregate, told: &mut BTreeSet<String>) -> Option<Value> {
        match aggregate {
            Aggregate::Count => Some(Value::from(self.counted().count())),
            Aggregate::Sum => self.sum(told),
            Aggregate::Last => self.of_one(self.counted().max_by_key(|(stamp, _)| stamp.rank())?.1, told),
            Aggregate::First => {
                let first = |one: &(&Stamp, &Thing), other: &(&Stamp, &Thing)| {
                    (other.0.trust, one.0).cmp(&(one.0.trust, other.0))
                };
                self.of_one(self.counted().min_by(first)?.1, told)
            }
        }
    }

    fn sum(&self, told: &mut BTreeSet<String>) -> Option<Value> {
        let currencies: BTreeSet<String> =
            self.counted().filter_map(|(_, thing)| self.currency(thing)).collect();
        if currencies.len() > 1 {
            let currencies: Vec<String> = currencies.into_iter().collect();
            told.insert(format!("a sum over {} would mean nothing", currencies.join(", ")));
            return None;
        }
        let mut sum = Sum::default();
        for (_, thing) in self.counted() {
            if let Some(value) = self.of_one(thing, told) {
                sum.add(&value);
            }
        }
        sum.value()
    }

    /// The value of a thing: the newest of what was said at the paths of the rule.
    fn of_one(&self, thing: &Thing, told: &mut BTreeSet<String>) -> Option<Value> {
        let said = self.field.from.iter().filter_map(|origin| Some((origin, thing.get(origin.path())?)));
        let newest = said.rev().max_by(|(_, one), (_, other)| one.stamp.rank().cmp(&other.stamp.rank()));
        let Some((origin, said)) = newest else {
            told.insert("some say no value".to_owned());
            return None;
        };
        let currency = self.currency(thing);
        let place = Place { region: None, currency: currency.as_deref() };
        match convert_one(&said.value, self.field, origin.convert(self.field.convert), place) {
            Ok(converted) => Some(converted.value),
            Err(why) => {
                told.insert(format!("{}: {why}", origin.path()));
                None
            }
        }
    }

    /// The currency that is said of a thing, else the one that its amount names itself.
    fn currency(&self, thing: &Thing) -> Option<String> {
        let said = self.rule.currency.iter().find_map(|path| thing.get(path)?.value.as_str());
        let own = || self.field.from.iter().find_map(|origin| currency_of(&thing.get(origin.path())?.value));
        Some(said.or_else(own)?.trim().to_ascii_uppercase()).filter(|currency| !currency.is_empty())
    }
}

/// Digits behind the point that a sum is exact in.
const PLACES: usize = 6;

/// A sum of decimals that is the same in every order.
#[derive(Default)]
struct Sum(i128);

impl Sum {
    fn add(&mut self, value: &Value) {
        let Some(number) = value.as_f64() else { return };
        let digits = format!("{number:.PLACES$}").replace('.', "");
        self.0 = self.0.saturating_add(digits.parse().unwrap_or_default());
    }

    fn value(&self) -> Option<Value> {
        let sign = if self.0 < 0 { "-" } else { "" };
        let digits = format!("{:0>width$}", self.0.unsigned_abs(), width = PLACES + 1);
        let (units, rest) = digits.split_at(digits.len() - PLACES);
        if rest.bytes().all(|byte| byte == b'0') {
            return format!("{sign}{units}").parse::<i64>().ok().map(Value::from);
        }
        let number = format!("{sign}{units}.{rest}").parse().ok()?;
        Number::from_f64(number).map(Value::Number)
    }
}

impl Mapped {
    /// Takes in a statement of an attribute.
    pub(super) fn say(&mut self, name: &str, when: When, statement: Stamped<Value>) {
        match when {
            When::Always => self.always.say(name.to_owned(), statement),
            When::Create => self.on_create.say(name.to_owned(), statement),
            When::Empty => self.on_empty.say(name.to_owned(), statement),
            When::Never => false,
        };
    }

    /// Takes in what was made of somebody else, or of something else of theirs.
    pub fn join(&mut self, other: Self) {
        let into = [&mut self.always, &mut self.on_create, &mut self.on_empty];
        let from: [&Lww<String, Value>; 3] = [&other.always, &other.on_create, &other.on_empty];
        into.into_iter().zip(from).for_each(|(into, from)| into.join(from));
        self.fields.extend(other.fields);
        self.left_out.extend(other.left_out);
    }
}
