//! Whether the sender of an event wants it to go to this destination: the `integrations` of Segment's and `RudderStack`'s
//! SDKs, by which consent tools, too, switch tools off one by one.
//!
//! Must not judge what follows from it.

use serde_json::{Map, Value};

/// Which names in `integrations` mean this destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Integrations {
    names: Vec<String>,
    obey_all: bool,
}

/// What switched an event off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwitchedOff {
    /// One of the names of this destination is false.
    ByName,
    /// `All` is false, and none of the names is there.
    ByAll,
}

impl SwitchedOff {
    /// The statement, for a person.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::ByName => {
                "its sender switched this destination off (`integrations` says false under its name)"
            }
            Self::ByAll => "its sender switched all destinations off (`integrations` says `All: false`)",
        }
    }
}

impl Integrations {
    /// Obeys these names, and `All` where that is wanted.
    #[must_use]
    pub fn new(names: &[String], obey_all: bool) -> Self {
        Self { names: names.iter().map(|name| folded(name)).collect(), obey_all }
    }

    /// Whether an event is switched off. It says so in `integrations`; some older SDKs put that into `context`.
    #[must_use]
    pub fn switched_off(&self, event: &Map<String, Value>) -> Option<SwitchedOff> {
        let object = |from: &Map<String, Value>| from.get("integrations").and_then(Value::as_object).cloned();
        let in_context = || object(event.get("context")?.as_object()?);
        let said = object(event).filter(|said| !said.is_empty()).or_else(in_context)?;
        let ours = said.iter().filter(|(name, _)| self.names.contains(&folded(name)));
        let ours: Vec<bool> = ours.map(|(_, value)| is_off(value)).collect();
        match ours.as_slice() {
            [] => {
                let all = said.iter().find(|(name, _)| folded(name) == "all");
                (self.obey_all && all.is_some_and(|(_, value)| is_off(value))).then_some(SwitchedOff::ByAll)
            }
            ours => ours.contains(&true).then_some(SwitchedOff::ByName),
        }
    }
}

/// An object with options, as any other value, is on.
fn is_off(value: &Value) -> bool {
    match value {
        Value::Bool(on) => !on,
        Value::String(text) => text.trim().eq_ignore_ascii_case("false"),
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

fn folded(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, ' ' | '_' | '-')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn off(event: &Value, obey_all: bool) -> Option<SwitchedOff> {
        let names = ["Freshsales", "Freshworks CRM"].map(str::to_owned);
        Integrations::new(&names, obey_all).switched_off(event.as_object().unwrap())
    }

    #[test]
    fn false_under_a_name_or_under_all_switches_off_and_a_name_beats_all() {
        use SwitchedOff::{ByAll, ByName};
        for (integrations, expected) in [
            (json!({"Freshsales": false}), Some(ByName)),
            (json!({"All": true, "Freshworks CRM": false}), Some(ByName)),
            (json!({"All": true, "freshworks_crm": "false"}), Some(ByName)),
            (json!({"Freshsales": true, "FreshworksCRM": false}), Some(ByName)),
            (json!({"All": false}), Some(ByAll)),
            (json!({"all": false, "Mixpanel": true}), Some(ByAll)),
            (json!({"All": false, "Freshsales": true}), None),
            (json!({"All": false, "Freshsales": {"plan": "x"}}), None),
            (json!({"All": true}), None),
            (json!({"Mixpanel": false}), None),
            (json!({}), None),
            (json!(null), None),
            (json!([false]), None),
        ] {
            assert_eq!(off(&json!({"integrations": integrations}), true), expected, "{integrations}");
        }
        assert_eq!(off(&json!({"integrations": {"All": false}}), false), None);
        assert_eq!(off(&json!({"integrations": {"All": false, "Freshsales": false}}), false), Some(ByName));
        let old_place = json!({"context": {"integrations": {"All": false}}, "integrations": {}});
        assert_eq!(off(&old_place, true), Some(ByAll));
    }
}
