//! The Transparency and Consent Framework: purposes by number, as `TCData` of a page has them, an app's defaults, or a list.
//!
//! Must not know what a purpose means for a contact.

use serde_json::{Map, Value};

use super::words::{Asks, Reading};
use super::{Choice, normal};

/// Purposes of the framework.
const PURPOSES_MAX: usize = 24;
/// Profiles for personalised advertising, and advertising by them: both are needed
/// (<https://iabeurope.eu/iab-europe-transparency-consent-framework-policies/>, appendix A).
const ADVERTISING: [usize; 2] = [3, 4];
/// Where an app keeps its purposes, as a text of 0 and 1.
const OF_APPS: &str = "IABTCF_PurposeConsents";

/// The purposes of a block, if it has any.
pub(super) struct Purposes {
    /// Where they stand.
    pub path: &'static str,
    /// Those that were agreed to.
    agreed: Vec<usize>,
    /// Those that were named.
    named: Vec<usize>,
}

impl Purposes {
    /// Reads the purposes of a block. Where the law does not apply nobody was asked.
    pub fn of(fields: &Map<String, Value>) -> Option<Self> {
        let applies = fields.get("gdprApplies").or_else(|| fields.get("IABTCF_gdprApplies"));
        if applies.is_some_and(|value| Reading::of(value, Asks::Tool) == Reading::Choice(Choice::Denied)) {
            return None;
        }
        let of_page = fields.get("purpose").and_then(|purpose| purpose.get("consents"));
        let (path, consents) = match (of_page, fields.get(OF_APPS)) {
            (Some(consents), _) => ("purpose.consents", consents),
            (None, Some(consents)) => (OF_APPS, consents),
            (None, None) => return None,
        };
        let purposes = Self::from_value(path, consents);
        (!purposes.named.is_empty()).then_some(purposes)
    }

    fn from_value(path: &'static str, consents: &Value) -> Self {
        let agrees = |value: &Value| Reading::of(value, Asks::Tool) == Reading::Choice(Choice::Granted);
        let mut purposes = Self { path, agreed: Vec::new(), named: Vec::new() };
        match consents {
            Value::Object(fields) => {
                for (key, value) in fields.iter().take(PURPOSES_MAX) {
                    purposes.name(key.trim().parse().ok(), agrees(value));
                }
            }
            Value::Array(numbers) => {
                for number in numbers.iter().take(PURPOSES_MAX) {
                    let text = number.as_str().map_or_else(|| number.to_string(), normal);
                    purposes.name(text.parse().ok(), true);
                }
            }
            Value::String(bits) => {
                for (index, bit) in bits.trim().chars().take(PURPOSES_MAX).enumerate() {
                    purposes.name((bit == '0' || bit == '1').then_some(index + 1), bit == '1');
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
        purposes
    }

    fn name(&mut self, number: Option<usize>, agreed: bool) {
        if let Some(number) = number {
            self.named.push(number);
            if agreed {
                self.agreed.push(number);
            }
        }
    }

    /// The purposes by the codes that our tag gives them: `tcf_1`.
    pub fn by_code(&self) -> impl Iterator<Item = (String, bool)> + '_ {
        self.named.iter().map(|number| (format!("tcf_{number}"), self.agreed.contains(number)))
    }

    /// Whether advertising by profiles was agreed to. What is left out was not.
    pub fn advertising(&self) -> Choice {
        let all = ADVERTISING.iter().all(|number| self.agreed.contains(number));
        if all { Choice::Granted } else { Choice::Denied }
    }

    /// What decided, as text.
    pub fn advertising_text(&self) -> Value {
        let texts = ADVERTISING.map(|number| format!("{number}: {}", self.agreed.contains(&number)));
        Value::from(texts.join(", "))
    }
}
