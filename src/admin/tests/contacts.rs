//! The route of contacts.

use super::*;
use crate::contact::{Redrive, Refused};
use crate::decision::{Reading, claim, decide, simulate};
use crate::delivery::{BlockCause, Delivery};
use crate::destination::{Destination, Obstacle, ObstacleKind, Throttle};
use crate::event::{Event, Kind, Position, Stamp};

/// Lets events of `user:u` happen, a second each; answers the delivery the last one opened or joined.
fn play(world: &mut World, events: &[Value]) -> Option<DeliveryId> {
    let mut last = None;
    for (number, event) in (1..).zip(events) {
        let body = event.as_object().unwrap().clone();
        let at = seconds_earlier(100 - number);
        let event = Event {
            position: Position(number),
            source: SourceName("website".into()),
            people: "default".into(),
            received_at: at,
            stamp: Stamp { at, message_id: format!("m{number}"), ..Stamp::default() },
            kind: Kind::parse(body["type"].as_str().unwrap()).unwrap(),
            backfill: false,
            body,
        };
        last = decide(&Reading::of(&event, &settings()), world, &settings(), at).delivery_id;
    }
    last
}

fn identify() -> Value {
    json!({"type": "identify", "userId": "u", "context": {"consent": {"categoryPreferences": {"marketing": true}}},
           "traits": {"email": "sam@example.com", "firstName": "Sam", "phone": "12"}})
}

fn lead() -> Value {
    json!({"type": "track", "event": "Lead Generated", "userId": "u"})
}

fn with_lead() -> (World, DeliveryId) {
    let mut world = World::default();
    let id = play(&mut world, &[identify(), lead()]).unwrap();
    (world, id)
}

async fn contact(world: &World) -> Value {
    let lab = Lab::new().holding(|held| held.world = world.clone());
    lab.json("/api/contacts/Sam%40example.com").await
}

async fn why(world: &World) -> String {
    contact(world).await["why"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_contact_that_is_owed_a_call_shows_the_call() {
    let (world, _) = with_lead();
    let mut shown = contact(&world).await;
    let left_out = shown.as_object_mut().unwrap().remove("left_out").unwrap();
    assert_eq!(
        shown,
        json!({
            "email": "sam@example.com",
            "members": ["user:u"],
            "wanted": {"first_name": "Sam", "subscription_status": "subscribed"},
            "accepted": null, "heard": {},
            "last_said": {
                "first_name": {"by": "person", "at": "2030-03-17T17:45:01.000Z"},
                "subscription_status": {"by": "person", "at": null},
            },
            "owed": {
                "whole": true,
                "withdrawal": false,
                "payload": {
                    "unique_identifier": {"emails": "sam@example.com"},
                    "contact": {
                        "emails": "sam@example.com",
                        "first_name": "Sam",
                        "subscription_status": "subscribed",
                    },
                },
            },
            "why": "waiting for its turn among the queued contacts, within the share of its lane",
            "contact_id": null, "link": null, "accepted_at": null,
            "in_flight": null,
            "open_delivery": {
                "id": "d2-0",
                "account": "acme.myfreshworks.com",
                "subject": "contact:sam@example.com",
                "email": "sam@example.com",
                "lane": "new_contact",
                "state": "waiting",
                "reason": null,
                "notes": [],
                "events": 1,
                "opened_at": "2030-03-17T17:45:02.000Z",
                "ended_at": null,
                "next_attempt_at": "2030-03-17T17:45:02.000Z",
                "attempts_made": 0,
                "attempts": [],
            },
            "refused": null,
            "fields": [{"attribute": "first_name", "path": "traits.firstName", "message_id": "m1", "value": "Sam", "when": "always"}],
            "consent": "marketing granted by context.consent.categoryPreferences.marketing = true",
            "consent_history": {
                "changes": [{
                    "at": "2030-03-17T17:45:01.000Z",
                    "category": "marketing",
                    "choice": "granted",
                    "kind": "shown",
                    "key": "context.consent.categoryPreferences.marketing",
                    "value": "true",
                    "tool": "Segment",
                    "page": null,
                    "source": "website",
                }],
                "dropped": 0,
            },
            "unusable_emails": [],
            "gate": {"open": true, "reason": null},
        })
    );
    assert_eq!(left_out[0]["attribute"], "mobile_number");
    assert_eq!(left_out[0]["path"], "traits.phone");
}

#[tokio::test]
async fn a_contact_that_freshsales_has_owes_nothing() {
    let (mut world, id) = with_lead();
    simulate(&id, &mut world, &settings(), START).unwrap();
    let shown = contact(&world).await;
    assert_eq!(shown["owed"], Value::Null);
    assert_eq!(shown["why"], "Freshsales has it as wanted");
    assert_eq!(shown["accepted"], json!({"first_name": "Sam", "subscription_status": "subscribed"}));
    assert_eq!(shown["accepted_at"], "2030-03-17T17:46:40.000Z");
}

#[tokio::test]
async fn a_call_on_its_way_is_shown() {
    let (mut world, id) = with_lead();
    claim(&id, &mut world, &settings(), START).unwrap();
    let shown = contact(&world).await;
    assert_eq!(shown["why"], "the call in flight carries it");
    let sent = json!({"first_name": "Sam", "subscription_status": "subscribed"});
    assert_eq!(shown["in_flight"], json!({"delivery_id": "d2-0", "attempt": 1, "whole": true, "sent": sent}));
}

#[tokio::test]
async fn nobody_who_only_identified_is_owed() {
    let mut world = World::default();
    play(&mut world, &[identify()]);
    assert!(why(&world).await.starts_with("no mapped event happened near enough"));
}

#[tokio::test]
async fn the_words_say_what_the_destination_and_the_delivery_wait_for() {
    let (mut world, id) = with_lead();
    let throttle = Throttle { until: seconds_later(60), repeats: 1, reason: "so".into() };
    let hindered = |kind| {
        let obstacle = Obstacle { probe_at: seconds_later(60), ..Obstacle::new(kind, "so", START) };
        Destination { obstacle: Some(obstacle), ..Destination::default() }
    };
    let blocked = ObstacleKind::Blocked { cause: BlockCause::Forbidden, account_answers: false };
    for (destination, words) in [
        (
            Destination { throttle: Some(throttle), ..Destination::default() },
            "the account is throttled until 2030-03-17T17:47:40.000Z: so",
        ),
        (
            Destination { paused_since: Some(START), ..Destination::default() },
            "calls are paused by hand until somebody resumes them",
        ),
        (hindered(blocked), "the destination is blocked, next try at 2030-03-17T17:47:40.000Z: so"),
        (
            hindered(ObstacleKind::Unreachable),
            "Freshsales takes no calls now, next try at 2030-03-17T17:47:40.000Z: so",
        ),
    ] {
        world.destination.document = destination;
        assert_eq!(why(&world).await, words);
    }
    world.destination.document = Destination::default();
    let waiting = world.deliveries.get(&id).unwrap().clone();
    world.deliveries.change(&id, |delivery| delivery.retry("no answer".into(), START, seconds_later(60)));
    assert_eq!(why(&world).await, "retrying at 2030-03-17T17:47:40.000Z: no answer");
    world.deliveries.change(&id, |_| Delivery { next_attempt_at: seconds_later(60), ..waiting });
    let held = "held until 2030-03-17T17:47:40.000Z for more changes (delivery.hold_seconds)";
    assert_eq!(why(&world).await, held);
}

#[tokio::test]
async fn a_full_window_is_said() {
    let (world, _) = with_lead();
    let mut lab = Lab::new().holding(|held| held.world = world);
    lab.usage.hour = window(900, 900);
    let why = lab.json("/api/contacts/sam@example.com").await["why"].clone();
    assert_eq!(why, "waiting for the allowance: 900 of 900 calls of the hour are used");
    lab.usage = Usage { hour: window(900, 100), minute: window(15, 15) };
    let why = lab.json("/api/contacts/sam@example.com").await["why"].clone();
    assert_eq!(why, "waiting for the allowance: 15 of 15 calls of the minute are used");
}

#[tokio::test]
async fn a_share_of_the_lane_that_is_used_is_said() {
    let (mut world, id) = with_lead();
    world.deliveries.change(&id, |delivery| Delivery { lane: Lane::Refresh, ..delivery });
    let mut lab = Lab::new().holding(|held| held.world = world);
    for (used, words) in [
        (
            540,
            "waiting for the allowance: 540 of 900 calls of the hour are used; its lane makes calls while fewer than 540 are",
        ),
        (539, "waiting for its turn among the queued contacts, within the share of its lane"),
    ] {
        lab.usage.hour = window(900, used);
        assert_eq!(lab.json("/api/contacts/sam@example.com").await["why"], words);
    }
}

#[tokio::test]
async fn what_was_refused_is_shown_with_its_reason() {
    let (mut world, id) = with_lead();
    let address = email("sam@example.com");
    world.deliveries.change(&id, |delivery| delivery.die("Last name can't be blank".into(), START));
    let standing = world.contacts.edit(&address).standing.get_mut(&settings().account).unwrap();
    let wanted = [("first_name", json!("Sam")), ("subscription_status", json!("subscribed"))];
    let wanted = wanted.map(|(name, value)| (name.to_owned(), value)).into();
    standing.refused =
        Some(Refused { wanted, attribute: Some("last_name".into()), at: START, redrive: Redrive::Never });
    let shown = contact(&world).await;
    assert_eq!(shown["refused"]["attribute"], "last_name");
    assert_eq!(
        shown["why"],
        "Freshsales refused exactly this: Last name can't be blank; it is tried again when the contact changes"
    );
}

#[tokio::test]
async fn a_contact_nobody_named_is_not_found_and_no_address_is_refused() {
    let lab = Lab::new();
    assert_eq!(lab.get("/api/contacts/a@b.co").await.refusal(), (404, "not_found".into(), Value::Null));
    let refusal = lab.get("/api/contacts/nobody").await.refusal();
    assert_eq!(refusal, (400, "invalid_parameter".into(), json!("email")));
}
