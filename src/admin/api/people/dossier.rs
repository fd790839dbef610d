//! The dossier: everything that is held on a person, as one document.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::deliveries::{DeliveryView, Detail};
use super::super::events::{EventView, without_write_key};
use super::facts::of_person;
use crate::admin::Debugger;
use crate::contact::Contact;
use crate::decision::{World, consider};
use crate::delivery::State;
use crate::erasure::{ErasureSubject, Extent};
use crate::event::{Email, Position, Stamp};
use crate::person::{PersonId, PersonKey};
use crate::store::{DeliveryQuery, EventQuery, For, LIMIT_MAX, Limited, OutputQuery, StoreError, reach};
use crate::trail::EventTrail;

/// Events of one dossier, and deliveries; the newest.
const EVENTS_MAX: usize = 5_000;
const DELIVERIES_MAX: usize = 2_000;

/// Everything that is held.
pub(super) async fn of(app: &Debugger, subject: &ErasureSubject) -> Result<Value, StoreError> {
    let settings = app.settings();
    let (world, extent) = reach(&*app.store, subject, &settings, For::Showing).await?;
    let events = events(app, &extent).await?;
    let (events_cut, mut shown) = (events.len() >= EVENTS_MAX, Vec::new());
    for trail in events.into_values().rev().take(EVENTS_MAX) {
        let raw = app.store.record(trail.position).await?;
        let raw = raw
            .filter(|record| !record.event.raw.is_empty())
            .and_then(|record| without_write_key(record.event.raw));
        shown.push(json!({ "event": EventView::from(trail), "raw": raw }));
    }
    let deliveries = deliveries(app, &extent).await?;
    let dead: Vec<&Value> = deliveries.iter().filter(|view| view["state"] == State::Dead.as_str()).collect();
    let devices: Vec<Value> = extent
        .devices
        .iter()
        .map(|device| {
            json!({ "people": device.key.people, "anonymous_id": device.key.anonymous_id,
                "shared": !device.spans.is_empty() })
        })
        .collect();
    let people: Vec<Value> = extent
        .people
        .iter()
        .filter_map(|key| {
            Some(json!({ "person": key.to_string(), "known": of_person(world.people.get(key)?) }))
        })
        .collect();
    let addresses = extent.emails.union(&extent.shared);
    let contacts: Vec<Value> = addresses
        .filter_map(|email| {
            let wanted = consider(email, &world, &settings).wish.attributes;
            let suppressed = world.suppressed.get(email).map(|at| at.to_rfc3339());
            let mut shown = contact(email, world.contacts.get(email)?, &extent, &json!(wanted));
            shown["suppressed_at"] = json!(suppressed);
            Some(shown)
        })
        .collect();
    Ok(json!({
        "exported_at": app.now().to_rfc3339(),
        "people": people,
        "anonymous_ids": devices,
        "contacts": contacts,
        "deals": deals(&world),
        "happenings": happenings(&world),
        "dead_letters": dead,
        "outputs": outputs(app, &extent).await?,
        "events": shown,
        "cut": { "events": events_cut, "deliveries": deliveries.len() >= DELIVERIES_MAX },
        "deliveries": deliveries,
    }))
}

/// The notes, activities and tasks that were told of them, or are to be.
fn happenings(world: &World) -> Vec<Value> {
    world.happenings.iter().map(|(id, it)| json!({ "happening": id, "known": it })).collect()
}

/// What other systems are still to be told of the addresses that are theirs alone; the newest.
async fn outputs(app: &Debugger, extent: &Extent) -> Result<Vec<Value>, StoreError> {
    let mut found = Vec::new();
    for email in &extent.emails {
        let query = OutputQuery {
            limit: Limited::to(LIMIT_MAX),
            before: None,
            receiver: None,
            state: None,
            person: Some(email.clone()),
        };
        found.extend(app.store.outputs(query).await?.into_iter().map(|(_, output)| {
            json!({ "output": output.message.receiver, "event": output.message.topic, "at": output.message.at.to_rfc3339(),
                "state": output.state, "data": output.message.data })
        }));
    }
    Ok(found)
}

/// The deals that are about them, or name them.
fn deals(world: &World) -> Vec<Value> {
    world.deals.iter().map(|(key, deal)| json!({ "deal": key, "known": deal })).collect()
}

fn contact(email: &Email, contact: &Contact, extent: &Extent, wanted: &Value) -> Value {
    let accounts: Vec<Value> = contact
        .standing
        .iter()
        .map(|(account, standing)| {
            json!({ "account": account, "contact_id": standing.contact_id, "lead_id": standing.lead_id(), "accepted": standing.accepted,
                "accepted_at": standing.accepted_at.map(crate::clock::UnixMicros::to_rfc3339),
                "sent_without_an_answer": standing.unanswered,
                "refused": standing.refused.as_ref().map(|refused| &refused.wanted) })
        })
        .collect();
    json!({ "email": email, "shared_with_others": extent.shared.contains(email), "wanted": wanted, "accounts": accounts,
        "consent": contact.consent })
}

/// The events that count for the person or for an address of theirs, by place.
async fn events(app: &Debugger, extent: &Extent) -> Result<BTreeMap<Position, EventTrail>, StoreError> {
    let of_devices = extent.devices.iter().map(|device| PersonKey {
        people: device.key.people.clone(),
        id: PersonId::Anonymous(device.key.anonymous_id.clone()),
    });
    let people: BTreeSet<PersonKey> = extent.people.iter().cloned().chain(of_devices).collect();
    let by_person = people.into_iter().map(|key| (Some(key.to_string()), None));
    let by_email = extent.emails.iter().map(|email| (None, Some(email.clone())));
    let mut found = BTreeMap::new();
    for (person, email) in by_person.chain(by_email) {
        let mut before = None;
        loop {
            let limit = Limited::to(LIMIT_MAX);
            let (person, email) = (person.clone(), email.clone());
            let query = EventQuery { before, email, person, ..EventQuery::newest(limit) };
            let page = app.store.events(query).await?;
            let full = page.len() == LIMIT_MAX;
            before = page.last().map(|trail| trail.position);
            found.extend(
                page.into_iter()
                    .filter(|trail| is_theirs(trail, extent))
                    .map(|trail| (trail.position, trail)),
            );
            if !full || found.len() >= EVENTS_MAX {
                break;
            }
        }
    }
    Ok(found)
}

/// An event of a device that others use may be theirs.
fn is_theirs(trail: &EventTrail, extent: &Extent) -> bool {
    let key: Option<PersonKey> = trail.person.as_ref().and_then(|person| person.parse().ok());
    let stamp = || Stamp { at: trail.at, message_id: trail.message_id.clone(), ..Stamp::default() };
    let named = trail.email.as_ref().is_some_and(|email| extent.emails.contains(email));
    named || key.is_none_or(|key| extent.has(&key, stamp))
}

/// The deliveries of the addresses that are theirs alone.
async fn deliveries(app: &Debugger, extent: &Extent) -> Result<Vec<Value>, StoreError> {
    let mut found = Vec::new();
    for email in &extent.emails {
        let mut before = None;
        loop {
            let limit = Limited::to(LIMIT_MAX);
            let query = DeliveryQuery {
                limit,
                before,
                email: Some(email.clone()),
                subject: None,
                state: None,
                account: None,
                reason: None,
            };
            let page = app.store.deliveries(query).await?;
            let full = page.len() == LIMIT_MAX;
            before = page.last().map(|row| row.sequence);
            found.extend(page.into_iter().map(|row| json!(DeliveryView::of(row.delivery, Detail::Whole))));
            if !full || found.len() >= DELIVERIES_MAX {
                break;
            }
        }
    }
    Ok(found)
}
