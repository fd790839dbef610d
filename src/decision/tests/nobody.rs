//! Events that say of nobody what they say: no id, and no address that could be used.

use super::*;

/// Everything that a working set holds after the event, but that it was seen.
fn documents(service: &Service) -> usize {
    let World { people, timelines, contacts, .. } = &service.world;
    people.iter().count() + timelines.iter().count() + contacts.iter().count()
}

#[test]
fn who_says_nothing_of_use_about_themselves_touches_no_document() {
    let hash = "a".repeat(64);
    let lead =
        |properties: Value| json!({"type": "track", "event": "Lead Generated", "properties": properties});
    let identify = |email: Value| json!({"type": "identify", "traits": {"email": email, "name": "Sam"}});
    for (event, outcome) in [
        (identify(json!("sam@")), Outcome::InvalidEmail),
        (identify(json!("kim.example.com")), Outcome::InvalidEmail),
        (identify(json!(42)), Outcome::InvalidEmail),
        (identify(json!(true)), Outcome::InvalidEmail),
        (identify(json!(["sam", "kim"])), Outcome::InvalidEmail),
        (identify(json!({"value": "sam"})), Outcome::InvalidEmail),
        (identify(json!(hash)), Outcome::HashedEmail),
        (json!({"type": "identify", "context": {"traits": {"email": "sam@"}}}), Outcome::InvalidEmail),
        (json!({"type": "identify", "properties": {"email": "sam@example.com"}}), Outcome::NoEmail),
        (json!({"type": "identify", "userId": true, "traits": {"name": "Sam"}}), Outcome::NoEmail),
        (
            json!({"type": "alias", "userId": {}, "previousId": "p", "traits": {"email": "sam@"}}),
            Outcome::InvalidEmail,
        ),
        (json!({"type": "group", "context": {"traits": {"email": "sam@"}}}), Outcome::InvalidEmail),
        (json!({"type": "group", "traits": {"email": "info@globex.example"}}), Outcome::NoEmail),
        (lead(json!({"email": "sam@", "phone": "+1 415 555 0142"})), Outcome::InvalidEmail),
        (lead(json!({"email": hash})), Outcome::HashedEmail),
        (lead(json!({})), Outcome::NoEmail),
        (json!({"type": "page", "traits": {"email": "sam@"}}), Outcome::InvalidEmail),
        // What is not mapped is not mapped, whoever sent it.
        (json!({"type": "track", "event": "Scrolled", "traits": {"email": "sam@"}}), Outcome::NotMapped),
        (json!({"type": "screen", "traits": {"email": "sam@"}}), Outcome::NotMapped),
    ] {
        let mut service = Service::new(settings());
        for _ in 0..2 {
            let mut event = event.clone();
            event["context"]["consent"] = marketing(false)["consent"].clone();
            let decided = service.send(event.clone());
            assert_eq!(decided.outcome, outcome, "{event}");
            assert_eq!((decided.person, decided.email, decided.delivery_id), (None, None, None), "{event}");
            assert_eq!(documents(&service), 0, "{event}");
            if outcome != Outcome::NotMapped {
                let end = ", and no id says whose it is; nothing of it is kept";
                assert!(decided.reason.ends_with(end), "{}", decided.reason);
            }
        }
    }
}

#[test]
fn an_id_that_is_none_is_named_and_not_repeated() {
    let mut service = Service::new(settings());
    let event = json!({"type": "identify", "userId": {"email": "sam@example.com"}, "anonymousId": [1],
        "traits": {"email": "sam@example.com"}});
    let decided = service.send(event);
    assert_eq!(decided.person.as_deref(), Some("email:sam@example.com"));
    assert_eq!(
        decided.notes,
        ["userId is an object, which is no id", "anonymousId is a list, which is no id"]
    );
}
