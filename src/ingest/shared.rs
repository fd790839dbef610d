//! An event as it is kept: with what stands beside its batch and counts for each of its events (`context` and
//! `integrations`, as in Segment's HTTP API), and without its write key.
//!
//! What an event says itself wins, key by key. Must not read more of an event than its outermost keys.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The keys of a batch that its events share.
const SHARED: [&str; 2] = ["context", "integrations"];
/// Seen in every event of `@segment/analytics-next` 1.84.
const WRITE_KEY: &str = "writeKey";

/// The objects that the events of a batch share.
#[derive(Debug, Default)]
pub struct Shared<'a>(Vec<(&'static str, Members<'a>)>);

impl<'a> Shared<'a> {
    /// Takes what is an object and says something.
    pub fn new(context: Option<&'a RawValue>, integrations: Option<&'a RawValue>) -> Self {
        let objects = SHARED.into_iter().zip([context, integrations]);
        let said = objects.filter_map(|(key, value)| Some((key, Members::of(value?)?)));
        Self(said.filter(|(_, members)| !members.0.is_empty()).collect())
    }

    /// How much larger it makes an event, at most.
    pub fn bytes(&self) -> usize {
        let keys = self.0.iter().map(|(key, members)| key.len() + members.bytes() + 8);
        keys.sum()
    }

    /// The event with what it shares, and without the write key that some SDKs put into each. What is no object stays as
    /// it is.
    pub fn add_to(&self, event: &'a RawValue) -> Cow<'a, RawValue> {
        let as_sent = self.0.is_empty() && !event.get().contains(WRITE_KEY);
        let own = if as_sent { None } else { Members::of(event) };
        own.and_then(|own| self.merged(&own)).map_or(Cow::Borrowed(event), Cow::Owned)
    }

    fn merged(&self, own: &Members<'_>) -> Option<Box<RawValue>> {
        let mut writer = Writer::default();
        for (key, value) in &own.0 {
            if key != WRITE_KEY && self.0.iter().all(|(shared, _)| shared != key) {
                writer.member(key, value.get())?;
            }
        }
        for (key, shared) in &self.0 {
            let said = own.last(key).filter(|value| value.get() != "null");
            match said.map(|value| (value, Members::of(value))) {
                None => writer.member(key, &shared.beneath(&Members::default())?)?,
                Some((_, Some(members))) => writer.member(key, &shared.beneath(&members)?)?,
                Some((value, None)) => writer.member(key, value.get())?,
            }
        }
        RawValue::from_string(writer.end()).ok()
    }
}

/// The keys of an object with their values, unread.
#[derive(Debug, Default)]
pub struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    /// Those of an object; `None` for what is none.
    pub fn of(value: &'a RawValue) -> Option<Self> {
        serde_json::from_str(value.get()).ok()
    }

    /// A key that stands twice counts the last time, as in JavaScript.
    pub fn last(&self, key: &str) -> Option<&'a RawValue> {
        self.0.iter().rev().find(|(name, _)| name == key).map(|(_, value)| *value)
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|(key, value)| key.len() + value.get().len() + 4).sum()
    }

    /// An object of these members with others in their place, or after them.
    pub fn with(&self, others: &[(&str, String)]) -> Option<String> {
        let mut writer = Writer::default();
        let mut written = HashSet::new();
        for (key, value) in &self.0 {
            match others.iter().find(|(other, _)| other == key) {
                None => writer.member(key, value.get())?,
                Some((other, value)) if written.insert(*other) => writer.member(other, value)?,
                Some(_) => {}
            }
        }
        for (other, value) in others.iter().filter(|(other, _)| !written.contains(other)) {
            writer.member(other, value)?;
        }
        Some(writer.end())
    }

    /// An object of these members and, instead of them or after them, those of another.
    fn beneath(&self, own: &Members<'_>) -> Option<String> {
        let said: HashSet<&str> = own.0.iter().map(|(key, _)| key.as_ref()).collect();
        let mut writer = Writer::default();
        let missing = self.0.iter().filter(|(key, _)| !said.contains(key.as_ref()));
        for (key, value) in missing.chain(&own.0) {
            writer.member(key, value.get())?;
        }
        Some(writer.end())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(Key(key)) = map.next_key()? {
            members.push((key, map.next_value()?));
        }
        Ok(Members(members))
    }
}

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// Writes an object member by member.
#[derive(Default)]
struct Writer(String);

impl Writer {
    fn member(&mut self, key: &str, value: &str) -> Option<()> {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.0.push_str(&serde_json::to_string(key).ok()?);
        self.0.push(':');
        self.0.push_str(value);
        Some(())
    }

    fn end(mut self) -> String {
        if self.0.is_empty() {
            self.0.push('{');
        }
        self.0.push('}');
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> &RawValue {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn an_event_gets_what_it_does_not_say_itself() {
        let context = raw(r#"{"ip":"1.2.3.4","traits":{"plan":"pro"}}"#);
        let integrations = raw(r#"{"All":true}"#);
        let shared = Shared::new(Some(context), Some(integrations));
        for (event, merged) in [
            (
                r#"{"type":"page"}"#,
                r#"{"type":"page","context":{"ip":"1.2.3.4","traits":{"plan":"pro"}},"integrations":{"All":true}}"#,
            ),
            (
                r#"{"context":null,"a":1e999,"integrations":{"X":false}}"#,
                r#"{"a":1e999,"context":{"ip":"1.2.3.4","traits":{"plan":"pro"}},"integrations":{"All":true,"X":false}}"#,
            ),
            (
                r#"{"context":{},"b":"\ud83d","context":{"traits":{},"i\u0070":"5"},"integrations":7}"#,
                r#"{"b":"\ud83d","context":{"traits":{},"ip":"5"},"integrations":7}"#,
            ),
        ] {
            assert_eq!(shared.add_to(raw(event)).get(), merged, "{event}");
            assert!(merged.len() <= event.len() + shared.bytes());
        }
        assert_eq!(shared.add_to(raw("[1]")).get(), "[1]");
    }

    #[test]
    fn the_write_key_of_an_event_is_not_kept() {
        let shared = Shared::default();
        for (event, kept) in [
            (
                r#"{"writeKey":"k","type": "page","a":{"writeKey":"mine"}}"#,
                r#"{"type":"page","a":{"writeKey":"mine"}}"#,
            ),
            (r#"{"write\u004bey":1,"a":"writeKey"}"#, r#"{"a":"writeKey"}"#),
            (r#"{"writeKey":"k"}"#, "{}"),
        ] {
            assert_eq!(shared.add_to(raw(event)).get(), kept);
        }
    }

    #[test]
    fn nothing_shared_changes_nothing() {
        for (context, integrations) in [(None, None), (Some(raw("{}")), Some(raw("null")))] {
            let shared = Shared::new(context, integrations);
            let event = raw(r#"{ "type" : "page" }"#);
            assert!(matches!(shared.add_to(event), Cow::Borrowed(same) if same.get() == event.get()));
        }
    }
}
