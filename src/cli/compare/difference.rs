//! What differs between what Freshsales has of a contact and what would be written. Pure.
//!
//! Must not call different what Freshsales merely shows in another way: a phone with spaces, a number as text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::contact::{Attributes, STATUS};

/// How an attribute stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    /// Both say the same.
    Same,
    /// Each says something else.
    Different,
    /// Freshsales has nothing there.
    OursAlone,
    /// Nothing would be written there.
    TheirsAlone,
}

/// One attribute of a contact.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    pub name: String,
    pub side: Side,
    pub theirs: Option<Value>,
    pub ours: Option<Value>,
}

/// Whether Freshsales has a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It has it.
    Both,
    /// It does not.
    OursAlone,
    /// Nobody asked, or no answer said so.
    Unknown,
}

/// One contact.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Compared {
    pub email: String,
    pub presence: Presence,
    pub fields: Vec<Field>,
}

impl Compared {
    /// A contact that Freshsales has; of what it has there only what the mapping writes counts.
    pub(super) fn of(email: &str, ours: &Attributes, theirs: &Attributes, mapped: &BTreeSet<String>) -> Self {
        let said = |value: &&Value| !is_blank(value);
        let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
        let fields = names.into_iter().filter_map(|name| {
            let (ours, theirs) = (ours.get(name).filter(said), theirs.get(name).filter(said));
            let side = match (ours, theirs) {
                (Some(ours), Some(theirs)) if is_same(name, ours, theirs) => Side::Same,
                (Some(_), Some(_)) => Side::Different,
                (Some(_), None) => Side::OursAlone,
                (None, Some(_)) if mapped.contains(name) => Side::TheirsAlone,
                (None, _) => return None,
            };
            Some(Field { name: name.clone(), side, theirs: theirs.cloned(), ours: ours.cloned() })
        });
        Self { email: email.to_owned(), presence: Presence::Both, fields: fields.collect() }
    }

    /// A contact that Freshsales does not have.
    pub(super) fn absent(email: &str, ours: &Attributes) -> Self {
        let field = |(name, value): (&String, &Value)| Field {
            name: name.clone(),
            side: Side::OursAlone,
            theirs: None,
            ours: Some(value.clone()),
        };
        Self {
            email: email.to_owned(),
            presence: Presence::OursAlone,
            fields: ours.iter().map(field).collect(),
        }
    }

    /// A contact that nobody asked for.
    pub(super) fn unknown(email: &str) -> Self {
        Self { email: email.to_owned(), presence: Presence::Unknown, fields: Vec::new() }
    }

    fn differs(&self) -> bool {
        self.fields.iter().any(|field| matches!(field.side, Side::Different | Side::OursAlone))
    }

    pub(super) fn as_json(&self) -> Value {
        let of = |side: Side| -> Value {
            let fields = self.fields.iter().filter(|field| field.side == side);
            fields
                .map(|field| (field.name.clone(), json!({ "theirs": field.theirs, "ours": field.ours })))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        let presence = match self.presence {
            Presence::Both => "both",
            Presence::OursAlone => "ours_alone",
            Presence::Unknown => "unknown",
        };
        json!({
            "email": self.email, "in": presence, "different": of(Side::Different), "ours_alone": of(Side::OursAlone),
            "theirs_alone": of(Side::TheirsAlone),
        })
    }
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    }
}

/// Whether both mean the same, as Freshsales shows what it was given.
fn is_same(name: &str, ours: &Value, theirs: &Value) -> bool {
    let (ours, theirs) = (text(ours), text(theirs));
    let digits = |text: &str| {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        digits.strip_prefix("00").map(str::to_owned).unwrap_or(digits)
    };
    let number = |text: &str| text.parse::<f64>().ok();
    let status = |text: &str| match text.to_lowercase().as_str() {
        "1" => "subscribed".to_owned(),
        "0" => "unsubscribed".to_owned(),
        other => other.to_owned(),
    };
    if name.ends_with("_number") && !digits(&ours).is_empty() {
        return digits(&ours) == digits(&theirs);
    }
    if name == STATUS {
        return status(&ours) == status(&theirs);
    }
    // Bits that are the same are the same number, and nothing was calculated with either.
    let same_number =
        || number(&ours).zip(number(&theirs)).is_some_and(|(one, other)| one.to_bits() == other.to_bits());
    ours == theirs || same_number()
}

/// A value as text; of a list its items in order.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Array(items) => {
            let mut items: Vec<String> = items.iter().map(text).collect();
            items.sort();
            items.join(", ")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

/// Everything that was compared.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    pub events: u64,
    pub rejected: u64,
    pub contacts: Vec<Compared>,
    /// Contacts of the export, where there is one.
    pub theirs: Option<u64>,
    /// Columns of the export that the mapping writes nothing to.
    pub unmapped: Vec<String>,
}

impl Report {
    /// The summary, and the first contacts that differ.
    pub(super) fn told(&self, show: usize) -> String {
        let mut text = String::new();
        let mut say = |name: &str, what: String| {
            // Writing into a string can't fail.
            let _ = writeln!(text, "{name:<10} {what}");
        };
        let count = |presence: Presence| self.contacts.iter().filter(|it| it.presence == presence).count();
        let both = || self.contacts.iter().filter(|contact| contact.presence == Presence::Both);
        let rejected = if self.rejected > 0 {
            format!(", {} of them would be rejected: see freshsignal map", self.rejected)
        } else {
            String::new()
        };
        say("events", format!("{}{rejected}", self.events));
        say("contacts", format!("{} would be written", self.contacts.len()));
        if let Some(rows) = self.theirs {
            say("export", format!("{rows} contacts"));
        }
        say("same", both().filter(|contact| !contact.differs()).count().to_string());
        say("different", both().filter(|contact| contact.differs()).count().to_string());
        say("new", format!("{}: Freshsales does not have them", count(Presence::OursAlone)));
        if count(Presence::Unknown) > 0 {
            say("not asked", count(Presence::Unknown).to_string());
        }
        let mut sides: BTreeMap<&str, [u64; 4]> = BTreeMap::new();
        for field in both().flat_map(|contact| &contact.fields) {
            sides.entry(&field.name).or_default()[field.side as usize] += 1;
        }
        if !sides.is_empty() {
            let head = ["attribute", "same", "different", "ours alone", "theirs alone"];
            let _ = writeln!(
                text,
                "\n{:<32} {:>8} {:>10} {:>11} {:>13}",
                head[0], head[1], head[2], head[3], head[4]
            );
        }
        for (name, [same, different, ours, theirs]) in sides {
            let _ = writeln!(text, "{name:<32} {same:>8} {different:>10} {ours:>11} {theirs:>13}");
        }
        if !self.unmapped.is_empty() {
            let _ = writeln!(text, "\nnothing of the mapping is written to: {}", self.unmapped.join(", "));
        }
        for contact in both().filter(|contact| contact.differs()).take(show) {
            let _ = writeln!(text, "\n{}", contact.email);
            let told =
                contact.fields.iter().filter(|it| matches!(it.side, Side::Different | Side::OursAlone));
            for field in told {
                let shown =
                    |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), Value::to_string);
                let _ = writeln!(
                    text,
                    "  {:<30} theirs {}, ours {}",
                    field.name,
                    shown(field.theirs.as_ref()),
                    shown(field.ours.as_ref())
                );
            }
        }
        text.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(value: Value) -> Attributes {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_freshsales_shows_in_another_way_is_no_difference() {
        for (name, ours, theirs, same) in [
            ("first_name", json!("Jane"), json!(" Jane "), true),
            ("first_name", json!("Jane"), json!("jane"), false),
            ("mobile_number", json!("+447700900123"), json!("+44 7700 900-123"), true),
            ("mobile_number", json!("+447700900123"), json!("00447700900123"), true),
            ("mobile_number", json!("+447700900123"), json!("+447700900124"), false),
            ("custom_field.cf_seats", json!(5), json!("5.0"), true),
            ("custom_field.cf_seats", json!(5), json!("6"), false),
            ("custom_field.cf_ok", json!(true), json!("true"), true),
            ("tags", json!(["b", "a"]), json!(["a", "b"]), true),
            ("subscription_status", json!("unsubscribed"), json!(0), true),
            ("subscription_status", json!("subscribed"), json!("Unsubscribed"), false),
        ] {
            assert_eq!(is_same(name, &ours, &theirs), same, "{name} {ours} {theirs}");
        }
    }

    #[test]
    fn each_attribute_is_on_one_side_and_what_nobody_maps_on_none() {
        let ours = attributes(json!({"first_name": "Jane", "city": "Rome", "job_title": "CEO"}));
        let theirs = attributes(
            json!({"first_name": "Jane", "city": "Paris", "job_title": "", "country": "IT", "fax": "1"}),
        );
        let mapped = ["country", "city"].map(str::to_owned).into();
        let compared = Compared::of("jane@example.com", &ours, &theirs, &mapped);
        let sides: Vec<(&str, Side)> =
            compared.fields.iter().map(|field| (field.name.as_str(), field.side)).collect();
        let expected = [
            ("city", Side::Different),
            ("country", Side::TheirsAlone),
            ("first_name", Side::Same),
            ("job_title", Side::OursAlone),
        ];
        assert_eq!(sides, expected);
        let report = Report { events: 3, contacts: vec![compared], ..Report::default() };
        let told = report.told(1);
        for line in ["different  1", "  city                           theirs \"Paris\", ours \"Rome\""] {
            assert!(told.lines().any(|found| found == line), "{line} is missing in\n{told}");
        }
        assert!(!report.told(0).contains("jane@example.com"));
    }
}
