//! Who said an attribute of a contact last: its people, somebody in Freshsales, or this service by its mapping.
//!
//! Must not decide what is sent.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::answer::{rfc3339, rfc3339_or_null};
use crate::clock::UnixMicros;
use crate::contact::{HeardValue, STATUS, Standing, Wish};
use crate::mapping::{MappedField, sent_as};

/// What Freshsales says of an attribute that is not what it accepted from here.
#[derive(Serialize)]
pub(super) struct HeardView {
    value: Value,
    /// Since when it has it, as far as that was heard.
    #[serde(serialize_with = "rfc3339")]
    since: UnixMicros,
    /// When it said so last.
    #[serde(serialize_with = "rfc3339")]
    heard_at: UnixMicros,
}

/// Who said an attribute last.
#[derive(Serialize)]
pub(super) struct LastSaid {
    by: Speaker,
    #[serde(serialize_with = "rfc3339_or_null")]
    at: Option<UnixMicros>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Speaker {
    /// Somebody who has the address.
    Person,
    /// Somebody or something in Freshsales.
    Freshsales,
    /// This service: a fixed value of the mapping, or a name that was taken from the address.
    Mapping,
}

/// What Freshsales was heard to have.
pub(super) fn heard(standing: &Standing) -> BTreeMap<String, HeardView> {
    let view = |heard: &HeardValue| HeardView {
        value: heard.value.clone(),
        since: heard.first(),
        heard_at: heard.last(),
    };
    standing.hearing.current().map(|(name, heard)| (name.clone(), view(heard))).collect()
}

/// Who said each attribute last that Freshsales has or should have.
pub(super) fn last_said(
    standing: &Standing,
    wish: &Wish,
    fields: &[MappedField],
) -> BTreeMap<String, LastSaid> {
    let accepted = standing.accepted.iter().flat_map(BTreeMap::keys);
    let heard = standing.hearing.current().map(|(name, _)| name);
    let names: BTreeSet<&String> = accepted.chain(wish.attributes.keys()).chain(heard).collect();
    let said_by_person = |name: &String| {
        fields.iter().any(|field| sent_as(&field.attribute) == name && field.message_id.is_some())
    };
    let speaker = |name: &String| match standing.hearing.of(name) {
        Some(heard) => LastSaid { by: Speaker::Freshsales, at: Some(heard.first()) },
        None if said_by_person(name) || *name == STATUS => {
            LastSaid { by: Speaker::Person, at: wish.said_at.get(name).copied() }
        }
        None => LastSaid { by: Speaker::Mapping, at: None },
    };
    names.into_iter().map(|name| (name.clone(), speaker(name))).collect()
}
