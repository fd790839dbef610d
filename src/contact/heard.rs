//! What Freshsales itself says that a contact has, beside what it accepted from here: a person there corrected it, or another
//! system did.
//!
//! Joining is commutative, associative and idempotent, so it makes no difference in which order webhooks arrive, or how often.
//! Must not know how anything is heard.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Attributes;
use super::payload::{CUSTOM_FIELD_PREFIX, STATUS, as_text};
use super::turns::Turns;
use crate::clock::UnixMicros;

/// Values of one attribute that are remembered; of more those that were said last.
const VALUES_MAX: usize = 4;
/// Moments of one value that are remembered.
const MOMENTS_MAX: usize = 8;
/// Attributes of the standard contact that hold a phone number.
const PHONES: [&str; 2] = ["mobile_number", "work_number"];

/// What Freshsales says of the attributes of a record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hearing {
    /// What it has that is not what it accepted from here.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    heard: BTreeMap<String, Heard>,
    /// When it last said of an attribute that it has what it accepted from here; what it said before is old.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    echoes: BTreeMap<String, UnixMicros>,
    /// Attributes that had another value than before, and how often they turned back.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    turns: BTreeMap<String, Turns>,
}

impl Hearing {
    /// Whether nothing was heard.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heard.is_empty() && self.echoes.is_empty() && self.turns.is_empty()
    }

    /// Takes in what Freshsales has of an attribute since a moment, beside what it accepted from here.
    pub fn hear(
        &mut self,
        attribute: &str,
        value: &Value,
        accepted: Option<&Value>,
        at: UnixMicros,
    ) -> Worth {
        let before = self.of(attribute).map(|heard| heard.value.clone()).or_else(|| accepted.cloned());
        let is_accepted = accepted.is_some_and(|accepted| same(attribute, accepted, value));
        if is_accepted {
            let back = self.of(attribute).is_some_and(|heard| heard.last() < at);
            self.believe_accepted(attribute, at);
            let before = before.filter(|_| back);
            return self.turned(attribute, before.as_ref(), value, at).unwrap_or(Worth::Echo);
        }
        if self.echoes.get(attribute).is_some_and(|echo| at <= *echo) {
            return Worth::Stale;
        }
        let worth = self.heard.entry(attribute.to_owned()).or_default().say(attribute, value, at);
        let before = before.filter(|_| worth == Worth::News);
        self.turned(attribute, before.as_ref(), value, at).unwrap_or(worth)
    }

    /// An attribute has another value than before; tells whether it turned too often.
    fn turned(
        &mut self,
        attribute: &str,
        before: Option<&Value>,
        now: &Value,
        at: UnixMicros,
    ) -> Option<Worth> {
        let turns = self.turns.entry(attribute.to_owned()).or_default();
        let is_same = |one: &Value, other: &Value| same(attribute, one, other);
        let stops = before.is_some_and(|before| turns.turn(before, now, is_same, at));
        if *turns == Turns::default() {
            self.turns.remove(attribute);
        }
        stops.then_some(Worth::Frozen)
    }

    /// A call that left at a moment has written these: what was heard before is old.
    /// `accepted` is what Freshsales had accepted of them before.
    pub fn written(&mut self, sent: &Attributes, accepted: Option<&Attributes>, left_at: UnixMicros) {
        for (name, value) in sent {
            if self.heard.contains_key(name) || self.echoes.contains_key(name) {
                let accepted = || accepted.and_then(|accepted| accepted.get(name)).cloned();
                let before = self.of(name).map(|heard| heard.value.clone()).or_else(accepted);
                self.believe_accepted(name, left_at);
                let before = before.filter(|before| !same(name, before, value));
                self.turned(name, before.as_ref(), value, left_at);
            }
        }
    }

    /// A call that carried these was not answered: where it said something else than was heard, nobody knows which of the two stands,
    /// so what was heard keeps nothing back.
    pub fn may_be_overwritten(&mut self, sent: &Attributes) {
        self.heard.retain(|name, heard| {
            let stands = |value| heard.current().is_some_and(|there| same(name, &there.value, value));
            name == STATUS || sent.get(name).is_none_or(stands)
        });
    }

    /// At this moment Freshsales had what it accepted from here.
    fn believe_accepted(&mut self, attribute: &str, at: UnixMicros) {
        let echo = self.echoes.entry(attribute.to_owned()).or_insert(at);
        *echo = at.max(*echo);
        if let Some(heard) = self.heard.get_mut(attribute) {
            heard.forget_until(*echo);
            if heard.values.is_empty() {
                self.heard.remove(attribute);
            }
        }
    }

    /// What it has that is not what it accepted from here, by attribute.
    pub fn current(&self) -> impl Iterator<Item = (&String, &HeardValue)> {
        self.heard.iter().filter_map(|(name, heard)| Some((name, heard.current()?)))
    }

    /// What it has of one attribute.
    #[must_use]
    pub fn of(&self, attribute: &str) -> Option<&HeardValue> {
        self.heard.get(attribute)?.current()
    }

    /// The attributes that turned too often between two values, and stay as Freshsales has them; since when.
    pub fn frozen(&self) -> impl Iterator<Item = (&String, UnixMicros)> {
        self.turns.iter().filter_map(|(name, turns)| Some((name, turns.stopped_at?)))
    }

    /// Whether any attribute has another value than was accepted.
    #[must_use]
    pub fn has_news(&self) -> bool {
        !self.heard.is_empty()
    }

    /// Notes what people had said before Freshsales said otherwise, so that it is not sent when they repeat it; tells whether
    /// anything of that is new.
    pub fn note_wanted(&mut self, wanted: &Attributes, said_at: &BTreeMap<String, UnixMicros>) -> bool {
        let mut new = false;
        for (name, heard) in &mut self.heard {
            let value = wanted.get(name);
            new |= value.is_some_and(|value| heard.note_wanted(value, said_at.get(name).copied()));
        }
        new
    }

    /// Leaves out of what is wanted what Freshsales says otherwise, until people say something else than before. Of custom
    /// fields, which go whole, what it has is repeated: a part of them may wipe the rest. The status is consent's to decide.
    pub fn leave(
        &self,
        wanted: &mut Attributes,
        said_at: &BTreeMap<String, UnixMicros>,
        accepted: Option<&Attributes>,
    ) {
        for (name, turns) in &self.turns {
            // Freshsales has what it accepted, or what was heard: either way nothing is sent.
            if !self.heard.contains_key(name) && turns.rests(said_at.get(name).copied()) {
                match accepted
                    .and_then(|accepted| accepted.get(name))
                    .filter(|_| name.starts_with(CUSTOM_FIELD_PREFIX))
                {
                    Some(there) => wanted.insert(name.clone(), there.clone()),
                    None => wanted.remove(name),
                };
            }
        }
        for (name, heard) in self.heard.iter().filter(|(name, _)| *name != STATUS) {
            let Some(value) = wanted.get(name) else { continue };
            let rests = self.turns.get(name).is_some_and(|turns| turns.rests(said_at.get(name).copied()));
            let accepted = accepted.and_then(|accepted| accepted.get(name));
            if !rests && !heard.keeps_back(name, value, said_at.get(name).copied(), accepted) {
                continue;
            }
            let there = heard.current().filter(|_| name.starts_with(CUSTOM_FIELD_PREFIX));
            match there.and_then(|there| written_like(&there.value, value)) {
                Some(there) => wanted.insert(name.clone(), there),
                None => wanted.remove(name),
            };
        }
    }

    /// Forgets everything but the attributes of these names.
    pub fn keep_only(&mut self, stays: impl Fn(&str) -> bool) {
        self.heard.retain(|name, _| stays(name));
        self.turns.retain(|name, _| stays(name));
    }
}

/// What Freshsales says of one attribute, since it had what it accepted from here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Heard {
    /// Each value that it said, the one that was said last at the end.
    values: Vec<HeardValue>,
    /// What people had said for it up to then, and when: that is not sent again when they repeat it.
    #[serde(skip_serializing_if = "Option::is_none")]
    instead_of: Option<(Value, Option<UnixMicros>)>,
}

/// A value that Freshsales said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeardValue {
    /// It.
    pub value: Value,
    /// When it was said; of more than are remembered the first and the last.
    said_at: Vec<UnixMicros>,
}

/// What a statement of Freshsales is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Worth {
    /// It is what is known already: what it accepted from here, or what it said before.
    Echo,
    /// Something newer is known.
    Stale,
    /// It has another value than it accepted from here.
    News,
    /// It turned too often between two values: it stays as Freshsales has it for a while.
    Frozen,
}

impl Heard {
    /// Takes in a value; tells whether that changes what Freshsales has.
    fn say(&mut self, attribute: &str, value: &Value, at: UnixMicros) -> Worth {
        let before = self.current().cloned();
        match self.values.iter_mut().find(|known| same(attribute, &known.value, value)) {
            Some(known) => {
                // Of two spellings of it the later one, so that the order of arrival makes no difference.
                if (at, as_text(value)) > (known.last(), as_text(&known.value)) {
                    known.value = value.clone();
                }
                known.said_again(at);
            }
            None => self.values.push(HeardValue { value: value.clone(), said_at: vec![at] }),
        }
        self.values.sort_by_key(HeardValue::order);
        let beyond = self.values.len().saturating_sub(VALUES_MAX);
        self.values.drain(..beyond);
        let after = self.current();
        match (&before, after) {
            (Some(before), Some(after)) if same(attribute, &before.value, &after.value) => {
                if same(attribute, &before.value, value) { Worth::Echo } else { Worth::Stale }
            }
            _ => Worth::News,
        }
    }

    /// What was said up to a moment counts no more: Freshsales had something else then.
    fn forget_until(&mut self, moment: UnixMicros) {
        self.values.retain_mut(|known| {
            known.said_at.retain(|at| *at > moment);
            !known.said_at.is_empty()
        });
    }

    /// What Freshsales has, by what it said last.
    fn current(&self) -> Option<&HeardValue> {
        self.values.last()
    }

    /// Notes what people want, where they said it before Freshsales spoke; tells whether that is new.
    fn note_wanted(&mut self, wanted: &Value, said_at: Option<UnixMicros>) -> bool {
        let before = self.current().is_some_and(|heard| heard.is_after(said_at));
        let new = before && self.instead_of.as_ref().is_none_or(|(value, _)| value != wanted);
        if new {
            self.instead_of = Some((wanted.clone(), said_at));
        }
        new
    }

    /// Whether what people want is kept back: they said it before Freshsales spoke, or repeat what they had said before.
    /// `accepted` is what Freshsales accepted of it from here.
    fn keeps_back(
        &self,
        attribute: &str,
        wanted: &Value,
        said_at: Option<UnixMicros>,
        accepted: Option<&Value>,
    ) -> bool {
        let Some(heard) = self.current() else { return false };
        let repeated =
            |(value, said_at): &(Value, Option<UnixMicros>)| value == wanted && heard.is_after(*said_at);
        same(attribute, &heard.value, wanted)
            || heard.is_after(said_at)
            || self.instead_of.as_ref().is_some_and(repeated)
            || accepted == Some(wanted)
    }
}

impl HeardValue {
    /// Whether Freshsales said it after something that people said.
    fn is_after(&self, said_at: Option<UnixMicros>) -> bool {
        said_at.is_none_or(|said| said <= self.first())
    }

    /// Since when Freshsales has it.
    #[must_use]
    pub fn first(&self) -> UnixMicros {
        self.said_at.first().copied().unwrap_or_default()
    }

    /// When it said so last.
    #[must_use]
    pub fn last(&self) -> UnixMicros {
        self.said_at.last().copied().unwrap_or_default()
    }

    fn said_again(&mut self, at: UnixMicros) {
        let Err(place) = self.said_at.binary_search(&at) else { return };
        self.said_at.insert(place, at);
        if self.said_at.len() > MOMENTS_MAX {
            self.said_at.remove(1);
        }
    }

    fn order(&self) -> (UnixMicros, String) {
        (self.last(), as_text(&self.value))
    }
}

/// Whether two values are one as Freshsales would store them: text without spaces around it, phones by their digits, numbers by
/// their worth.
#[must_use]
pub fn same(attribute: &str, one: &Value, other: &Value) -> bool {
    let (a, b) = (as_text(one), as_text(other));
    let (a, b) = (a.trim(), b.trim());
    if a == b {
        return true;
    }
    if is_phone(attribute) {
        return !digits(a).is_empty() && digits(a) == digits(b);
    }
    match (one, other) {
        (Value::Number(_), _) | (_, Value::Number(_)) => {
            let (Ok(a), Ok(b)) = (a.parse::<f64>(), b.parse::<f64>()) else { return false };
            a.total_cmp(&b).is_eq()
        }
        (Value::Bool(truth), said) | (said, Value::Bool(truth)) => {
            as_truth(as_text(said).trim()) == Some(*truth)
        }
        (
            Value::Null | Value::String(_) | Value::Array(_) | Value::Object(_),
            Value::Null | Value::String(_) | Value::Array(_) | Value::Object(_),
        ) => false,
    }
}

/// What Freshsales said, written as what is wanted is: a number stays one. `None` where it can't be told.
fn written_like(heard: &Value, wanted: &Value) -> Option<Value> {
    let text = as_text(heard);
    let text = text.trim();
    match wanted {
        Value::Number(_) => match text.parse::<i64>() {
            Ok(whole) => Some(Value::from(whole)),
            Err(_) => text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::from),
        },
        Value::Bool(_) => as_truth(text).map(Value::from),
        // A date that is spelled otherwise could be taken for another one.
        Value::String(wanted) if is_date(wanted) => is_date(text).then(|| Value::from(text)),
        Value::String(_) => Some(Value::from(text)),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn as_truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// `2026-09-21`, or a moment of that day.
fn is_date(text: &str) -> bool {
    let mut letters = text.bytes();
    let day = [true, true, true, true, false, true, true, false, true, true];
    day.into_iter().all(|digit| {
        letters.next().is_some_and(|byte| if digit { byte.is_ascii_digit() } else { byte == b'-' })
    })
}

fn is_phone(attribute: &str) -> bool {
    PHONES.contains(&attribute) || attribute.contains("phone")
}

/// The digits of a number; the two zeros of a call abroad are its plus.
fn digits(text: &str) -> String {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.strip_prefix("00").map_or(digits.clone(), str::to_owned)
}
