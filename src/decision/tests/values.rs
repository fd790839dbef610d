//! What the values of events are worth: what counts as not said, and what somebody came with.

use super::*;
use crate::person::PersonKey;

const CAME_WITH: &str = "[fields.medium]\nfrom = [\"context.campaign.medium\"]\npick = \"first\"";

fn service(mapping: &str) -> Service {
    let preset = Preset::parse(Some(mapping)).unwrap();
    Service::new(Settings { preset, ..settings() })
}

fn lead() -> Value {
    json!({"type": "track", "event": "Lead Generated", "userId": "u", "traits": {"email": "sam@example.com", "name": "Sam Lee"}})
}

fn scrolled(medium: &str) -> Value {
    json!({"type": "track", "event": "Scrolled", "anonymousId": "d", "context": {"campaign": {"medium": medium}}})
}

fn identify(medium: &str) -> Value {
    json!({"type": "identify", "userId": "u", "anonymousId": "d", "context": {"campaign": {"medium": medium}}})
}

/// How many documents an event changes.
fn documents_changed(service: &mut Service, event: Value) -> usize {
    let mut world = World::default();
    for (key, person) in service.world.people.iter() {
        world.people.load(key.clone(), 1, person.clone());
    }
    for (key, timeline) in service.world.timelines.iter() {
        world.timelines.load(key.clone(), 1, timeline.clone());
    }
    service.world = world;
    service.send(event);
    let World { people, timelines, contacts, .. } = service.world.clone();
    people.into_changed().count() + timelines.into_changed().count() + contacts.into_changed().count()
}

#[test]
fn what_an_identify_or_an_unmapped_event_came_with_is_on_the_contact() {
    let mut by_identify = service(CAME_WITH);
    by_identify.send(identify("cpc"));
    let made = by_identify.send(lead());
    assert_eq!(by_identify.deliver(&made).unwrap()["medium"], "cpc");

    let mut by_device = service(CAME_WITH);
    by_device.send(scrolled("email"));
    by_device.send(identify("cpc"));
    let made = by_device.send(lead());
    assert_eq!(by_device.deliver(&made).unwrap()["medium"], "email");

    let without_such_a_field = "[fields.medium]\nfrom = [\"context.campaign.medium\"]";
    let mut newest = service(without_such_a_field);
    newest.send(identify("cpc"));
    let made = newest.send(lead());
    assert_eq!(newest.deliver(&made).unwrap().get("medium"), None);
}

#[test]
fn of_a_device_only_the_first_is_kept_whatever_the_order() {
    let (first, later) = (scrolled("email"), scrolled("cpc"));
    let play = |events: [(i64, &Value); 2]| {
        let mut service = service(CAME_WITH);
        for (hour, event) in events {
            service.send_at(START + hour * HOUR, &format!("m{hour}"), event.clone());
        }
        let timelines: Vec<Value> =
            service.world.timelines.iter().map(|(_, it)| serde_json::to_value(it).unwrap()).collect();
        json!(timelines)
    };
    let kept = play([(1, &first), (2, &later)]);
    assert_eq!(kept, play([(2, &later), (1, &first)]));
    assert_eq!(kept[0].as_array().unwrap().len(), 1);
    assert!(kept.to_string().contains("email") && !kept.to_string().contains("cpc"), "{kept}");
}

#[test]
fn an_event_that_came_with_nothing_new_touches_no_document() {
    let mut service = service(CAME_WITH);
    assert_eq!(documents_changed(&mut service, scrolled("email")), 1);
    assert_eq!(documents_changed(&mut service, scrolled("cpc")), 0);
    let known = |medium: &str| json!({"type": "track", "event": "Scrolled", "userId": "w", "context": {"campaign": {"medium": medium}}});
    assert_eq!(documents_changed(&mut service, known("email")), 1);
    assert_eq!(documents_changed(&mut service, known("cpc")), 0);
    assert!(service.world.people.get(&"user:w".parse::<PersonKey>().unwrap()).is_some());
}

#[test]
fn the_properties_of_an_event_that_names_somebody_else_are_not_what_its_sender_came_with() {
    let mut service = service("[fields.medium]\nfrom = [\"properties.medium\"]\npick = \"first\"");
    service.send(
        json!({"type": "track", "event": "Invited", "userId": "u", "traits": {"email": "sam@example.com"},
        "properties": {"email": "friend@example.com", "medium": "friend"}}),
    );
    let made = service.send(lead());
    assert_eq!(service.deliver(&made).unwrap().get("medium"), None);
}

#[test]
fn the_text_of_a_missing_value_changes_nothing_and_is_told() {
    let mut service = service("");
    let made = service.send(lead());
    service.deliver(&made);
    let blank = service.send(json!({"type": "identify", "userId": "u",
        "traits": {"name": "undefined undefined", "company": "[object Object]", "city": "N/A", "email": "{{email}}"}}));
    let told = |path: &str| format!("{path}: the text of a missing value, so it counts as not said");
    assert_eq!(blank.notes, [told("traits.company"), told("traits.name"), told("traits.email")],);
    let sent = service.deliver(&blank).unwrap();
    assert_eq!(sent, json!({"emails": "sam@example.com", "city": "N/A"}));
}

#[test]
fn a_new_contact_whose_name_was_left_blank_by_a_template_is_named_by_its_address() {
    let mut service = service("");
    let made = service.send(json!({"type": "track", "event": "Lead Generated", "userId": "u",
        "traits": {"email": "sam@example.com", "name": "{{first_name}} {{last_name}}"}}));
    assert_eq!(service.deliver(&made).unwrap()["last_name"], "Sam");
}

#[test]
fn a_time_that_counts_as_not_given_is_told() {
    let mut service = service("");
    let mut event = lead();
    event["timestamp"] = json!("1970-01-01T00:33:46+00:00");
    event["originalTimestamp"] = json!("yesterday");
    let said = service.send(event).notes;
    let told = |field: &str| {
        format!("{field}: no time that can be read, or one before 1990, so it counts as not given")
    };
    assert_eq!(said, [told("originalTimestamp"), told("timestamp")]);
}

#[test]
fn what_was_taken_out_before_an_event_was_kept_is_told() {
    let mut service = service("");
    let mut event = lead();
    event["context"]["removed"] = json!(["context.page.url", "name", 7]);
    let note = "context.page.url, name: an address of a person or a secret was taken out before the event was kept \
        (sources.website.keep_query)";
    assert!(service.send(event).notes.contains(&note.to_owned()));
}
