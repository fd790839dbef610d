//! The lists that a contact is to be on, or off: what was said last, what Freshsales accepted, and why it waits.
//!
//! Must not change anything.

use serde::Serialize;

use super::answer::{rfc3339, rfc3339_or_null};
use crate::clock::UnixMicros;
use crate::contact::{Member, PlaceOwed};
use crate::decision::{Considered, Settings, World, wanted_place};
use crate::delivery::{DeliveryId, MemberKey, State};
use crate::event::Email;

/// How a contact stands with one list.
#[derive(Serialize)]
pub(super) struct ListedView {
    /// As the mapping calls it.
    list: String,
    /// Its id in Freshsales, once that is known.
    list_id: Option<u64>,
    /// Whether it is to be on it.
    wanted: bool,
    /// When that was said.
    #[serde(serialize_with = "rfc3339")]
    said_at: UnixMicros,
    /// Whether it was put on it, or taken off, last; `null` where neither was accepted.
    accepted: Option<bool>,
    /// `accepted`, `in_flight`, `waiting`, `refused` or `held`.
    state: &'static str,
    why: String,
    delivery_id: Option<DeliveryId>,
    /// When its call leaves at the latest, as far as it waits for others.
    #[serde(serialize_with = "rfc3339_or_null", skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<UnixMicros>,
}

impl ListedView {
    /// All lists of a contact.
    pub(super) fn all(
        email: &Email,
        considered: &Considered,
        world: &World,
        settings: &Settings,
    ) -> Vec<Self> {
        let keys = considered.lists.keys();
        keys.filter_map(|list| {
            let key = MemberKey { list: list.clone(), email: email.clone() };
            Self::of(&key, considered, world, settings)
        })
        .collect()
    }

    fn of(key: &MemberKey, considered: &Considered, world: &World, settings: &Settings) -> Option<Self> {
        let wanted = wanted_place(key, considered, world, settings)?;
        let standing = world.contacts.get(&key.email)?.standing.get(&settings.account);
        let member: Member = standing.and_then(|it| it.lists.get(&key.list)).cloned().unwrap_or_default();
        let open = member.open.as_ref().and_then(|open| world.deliveries.get(open));
        let reason = open.and_then(|open| open.reason.clone());
        let (state, why) = match (&wanted.place, &member.in_flight) {
            (Err(held), _) => ("held", held.words()),
            (Ok(place), on_its_way) => match (member.owed(*place), on_its_way) {
                (PlaceOwed::Nothing, Some(_)) => ("in_flight", "its call is on its way".to_owned()),
                (PlaceOwed::Nothing, None) => ("accepted", "Freshsales has it so".to_owned()),
                (PlaceOwed::Refused, _) => {
                    ("refused", reason.unwrap_or_else(|| "Freshsales refused it".to_owned()))
                }
                (PlaceOwed::Call, _) => {
                    let others = "it waits up to a minute for others of the list, who share its call";
                    ("waiting", reason.unwrap_or_else(|| others.to_owned()))
                }
            },
        };
        let waits = open.filter(|open| matches!(open.state, State::Waiting | State::Retrying));
        Some(Self {
            list: wanted.listing.label.text(),
            list_id: wanted.place.ok().map(|place| place.list).filter(|id| *id > 0),
            wanted: wanted.listing.on,
            said_at: wanted.listing.stamp.at,
            accepted: member.accepted.map(|place| place.on),
            state,
            why,
            next_attempt_at: waits.map(|open| open.next_attempt_at),
            delivery_id: member.open.or(member.last_delivered),
        })
    }
}
