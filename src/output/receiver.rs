//! Receivers: what each wants to know.
//!
//! Must not know where a receiver is.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::topic::Topic;

/// The receivers by name.
pub type Receivers = BTreeMap<String, Receiver>;

/// What a receiver wants to know.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Receiver {
    /// Of what.
    pub topics: BTreeSet<Topic>,
    /// Only where all of this holds.
    pub when: Vec<Condition>,
}

impl Receiver {
    /// Whether it is told of something.
    #[must_use]
    pub fn wants(&self, topic: Topic, data: &Map<String, Value>) -> bool {
        self.topics.contains(&topic) && self.when.iter().all(|condition| condition.holds(data))
    }
}

/// Something that has to hold of the data.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    path: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Is(Vec<String>),
    IsNot(Vec<String>),
    Over(f64),
    Under(f64),
}

/// A condition as it is written.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConditionText {
    /// Where in the data the value stands, as `deal.amount`.
    pub path: String,
    /// It is this, or one of these.
    pub is: Option<Value>,
    /// It is not this, nor any of these.
    pub is_not: Option<Value>,
    /// It is a number over this.
    pub over: Option<f64>,
    /// It is a number under this.
    pub under: Option<f64>,
}

/// One condition, or several that all have to hold.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Conditions {
    /// Several.
    All(Vec<ConditionText>),
    /// One.
    One(ConditionText),
}

impl Default for Conditions {
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

impl Conditions {
    /// Reads all of them.
    ///
    /// # Errors
    /// What is expected in place of one that can't be used.
    pub fn read(&self) -> Result<Vec<Condition>, &'static str> {
        let all = match self {
            Self::All(all) => all.as_slice(),
            Self::One(one) => std::slice::from_ref(one),
        };
        all.iter().map(Condition::read).collect()
    }
}

impl Condition {
    fn read(written: &ConditionText) -> Result<Self, &'static str> {
        let ConditionText { path, is, is_not, over, under } = written;
        let clean = !path.is_empty() && path.split('.').all(|part| !part.is_empty());
        let list = |value: &Value| match value {
            Value::Array(all) => all.iter().filter_map(word).collect(),
            one => word(one).into_iter().collect::<Vec<_>>(),
        };
        let tests = [
            is.as_ref().map(|value| Test::Is(list(value))),
            is_not.as_ref().map(|value| Test::IsNot(list(value))),
            over.map(Test::Over),
            under.map(Test::Under),
        ];
        let mut tests = tests.into_iter().flatten();
        match (tests.next(), tests.next()) {
            (Some(test), None) if clean => Ok(Self { path: path.clone(), test }),
            (Some(_) | None, _) => Err(
                "conditions such as { path = \"deal.amount\", over = 10000 }, each with one of is, is_not, over and under",
            ),
        }
    }

    /// What is not there is no number, and is nothing.
    fn holds(&self, data: &Map<String, Value>) -> bool {
        let mut parts = self.path.split('.');
        let first = parts.next().and_then(|part| data.get(part));
        let found = parts.fold(first, |value, part| value?.get(part));
        let number = || found.and_then(number);
        let is = |words: &Vec<String>| {
            found
                .and_then(word)
                .is_some_and(|found| words.iter().any(|word| word.eq_ignore_ascii_case(&found)))
        };
        match &self.test {
            Test::Is(words) => is(words),
            Test::IsNot(words) => !is(words),
            Test::Over(limit) => number().is_some_and(|number| number > *limit),
            Test::Under(limit) => number().is_some_and(|number| number < *limit),
        }
    }
}

fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Amounts are texts too: Freshsales writes "5600.0".
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}
