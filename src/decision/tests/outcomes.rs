//! One outcome per event, with the contact that follows.

use serde_json::Map;

use super::*;
use crate::delivery::{Request, Stored, Verdict};
use crate::event::Email;

fn sam() -> Value {
    json!({"type": "identify", "userId": "u", "context": marketing(true), "traits": {
        "email": "Sam.Lee@example.com", "name": "Sam Lee", "phone": "+1 415 555 0142", "company": "Globex"}})
}

fn lead(user: &str) -> Value {
    json!({"type": "track", "event": "Lead Generated", "userId": user})
}

#[test]
fn an_identify_and_a_lead_become_the_documented_contact() {
    let mut service = Service::new(settings());
    let identified = service.send(sam());
    assert_eq!(identified.outcome, Outcome::PersonUpdated);
    assert_eq!(identified.delivery_id, None);
    let lead = service.send(lead("u"));
    assert_eq!((lead.outcome, lead.person.as_deref()), (Outcome::Queued, Some("user:u")));
    let sent = service.deliver(&lead).unwrap();
    assert_eq!(
        sent.to_string(),
        r#"{"emails":"sam.lee@example.com","first_name":"Sam","last_name":"Lee","mobile_number":"+14155550142","company_name":"Globex","subscription_status":"subscribed"}"#
    );
}

#[test]
fn a_lead_that_comes_before_its_identify_still_makes_the_contact() {
    let mut service = Service::new(settings());
    let early = service.send(lead("u"));
    assert_eq!(early.outcome, Outcome::NoEmail);
    let identified = service.send(sam());
    assert_eq!(identified.outcome, Outcome::Queued);
    let id = identified.delivery_id.clone().unwrap();
    assert_eq!(service.world.deliveries.get(&id).unwrap().lane, crate::delivery::Lane::NewContact);
    assert_eq!(service.deliver(&identified).unwrap()["first_name"], "Sam");
}

#[test]
fn a_lead_a_day_before_the_email_makes_no_contact() {
    let mut service = Service::new(settings());
    service.send_at(START - 25 * HOUR, "old", lead("u"));
    assert_eq!(service.send(sam()).outcome, Outcome::PersonUpdated);
    service.send_at(START - 23 * HOUR, "newer", lead("u"));
    assert!(
        service
            .send(json!({"type": "identify", "userId": "u", "traits": {"city": "Oslo"}}))
            .delivery_id
            .is_some()
    );
}

#[test]
fn what_changes_nothing_is_no_call() {
    let mut service = Service::new(settings());
    service.send(sam());
    let lead = service.send(lead("u"));
    service.deliver(&lead);
    let page = service.send(json!({"type": "page", "userId": "u"}));
    assert_eq!((page.outcome, page.delivery_id), (Outcome::Unchanged, lead.delivery_id));
    let same = service.send(sam());
    assert_eq!(same.outcome, Outcome::Unchanged);
    let moved = service.send(json!({"type": "identify", "userId": "u", "traits": {"city": "Oslo"}}));
    assert_eq!(moved.outcome, Outcome::Queued);
    assert_eq!(service.deliver(&moved).unwrap(), json!({"emails": "sam.lee@example.com", "city": "Oslo"}));
}

#[test]
fn changes_of_a_waiting_contact_are_one_call_with_the_newest_state() {
    let mut service = Service::new(settings());
    service.send(sam());
    let lead = service.send(lead("u"));
    for city in ["Rome", "Oslo"] {
        let change = service.send(json!({"type": "identify", "userId": "u", "traits": {"city": city}}));
        assert_eq!((change.outcome, &change.delivery_id), (Outcome::Absorbed, &lead.delivery_id));
    }
    assert_eq!(service.world.deliveries.get(lead.delivery_id.as_ref().unwrap()).unwrap().events, 3);
    assert_eq!(service.deliver(&lead).unwrap()["city"], "Oslo");
}

#[test]
fn each_outcome_says_why_nothing_was_sent() {
    let mut service = Service::new(settings());
    let hash = "a".repeat(64);
    for (event, outcome) in [
        (json!({"type": "page", "anonymousId": "a"}), Outcome::NoEmail),
        (json!({"type": "track", "event": "Scrolled", "userId": "v"}), Outcome::NotMapped),
        (json!({"type": "screen", "userId": "v"}), Outcome::NotMapped),
        (json!({"type": "page", "userId": "v", "properties": {"email": "nobody"}}), Outcome::InvalidEmail),
        (json!({"type": "page", "userId": "v", "properties": {"email": hash}}), Outcome::HashedEmail),
        (json!({"type": "identify", "userId": "v", "traits": {"email": hash}}), Outcome::HashedEmail),
        (json!({"type": "identify", "userId": "v", "traits": {"city": "Oslo"}}), Outcome::PersonUpdated),
        (json!({"type": "group", "userId": "v", "groupId": "g"}), Outcome::PersonUpdated),
    ] {
        let decided = service.send(event.clone());
        assert_eq!(decided.outcome, outcome, "{event}");
        assert!(!decided.reason.is_empty());
        assert_eq!(decided.delivery_id, None);
    }
}

#[test]
fn the_same_message_twice_is_one_message() {
    let mut service = Service::new(settings());
    service.send_at(START, "m", lead("u"));
    let again = service.send_at(START, "m", lead("u"));
    assert_eq!(again.outcome, Outcome::Duplicate);
    assert_eq!(service.world.seen_again, [Position(1)]);
}

#[test]
fn a_required_category_shuts_the_gate_until_it_is_granted() {
    let mut settings = settings();
    settings.consent.required = vec![Category::from("marketing")];
    let mut service = Service::new(settings);
    service.send(json!({"type": "identify", "userId": "u", "traits": {"email": "sam@example.com"}}));
    let shut = service.send(lead("u"));
    assert_eq!(shut.outcome, Outcome::ConsentDenied);
    assert_eq!(shut.reason, "consent to marketing is required and was never given");
    let granted = service.send(json!({"type": "identify", "userId": "u", "context": marketing(true)}));
    assert_eq!(granted.outcome, Outcome::Queued);
    // Denied before its turn: the call is dropped and nobody was told anything.
    let denied = service.send(json!({"type": "identify", "userId": "u", "context": marketing(false)}));
    assert_eq!(denied.delivery_id, None);
    let id = granted.delivery_id.unwrap();
    assert_eq!(service.world.deliveries.get(&id).unwrap().state, crate::delivery::State::Superseded);
}

#[test]
fn a_withdrawal_behind_a_shut_gate_is_one_call_with_two_attributes() {
    let mut settings = settings();
    settings.consent.required = vec![Category::from("marketing")];
    let mut service = Service::new(settings);
    service.send(sam());
    let lead = service.send(lead("u"));
    service.deliver(&lead);
    let refresh = service.send(json!({"type": "identify", "userId": "u", "traits": {"city": "Oslo"}}));
    let withdrawn = service.send(json!({"type": "page", "userId": "u", "context": marketing(false)}));
    assert_eq!(withdrawn.outcome, Outcome::Queued);
    assert_eq!(service.deliver(&refresh), None);
    let sent = service.deliver(&withdrawn).unwrap();
    assert_eq!(sent, json!({"emails": "sam.lee@example.com", "subscription_status": "unsubscribed"}));
    assert_eq!(service.send(json!({"type": "page", "userId": "u"})).outcome, Outcome::ConsentDenied);
}

#[test]
fn only_the_call_that_tells_of_a_withdrawal_says_so() {
    let mut service = Service::new(settings());
    service.send(sam());
    let lead = service.send(lead("u"));
    service.deliver(&lead);
    let withdrawn = service.send(json!({"type": "page", "userId": "u", "context": marketing(false)}));
    assert_eq!(withdrawn.reason, "marketing consent was withdrawn; Freshsales will be told");
    service.deliver(&withdrawn);
    let moved = service.send(json!({"type": "identify", "userId": "u", "traits": {"city": "Oslo"}}));
    assert_eq!(moved.reason, "the contact differs from what Freshsales last accepted; a call is owed");
}

#[test]
fn an_event_behind_a_shut_gate_is_denied_also_while_the_withdrawal_waits() {
    let mut settings = settings();
    settings.consent.required = vec![Category::from("marketing")];
    let mut service = Service::new(settings);
    service.send(sam());
    let lead = service.send(lead("u"));
    service.deliver(&lead);
    let withdrawn = service.send(json!({"type": "page", "userId": "u", "context": marketing(false)}));
    let later = service.send(json!({"type": "identify", "userId": "u", "traits": {"city": "Oslo"}}));
    assert_eq!((later.outcome, later.delivery_id), (Outcome::ConsentDenied, None));
    let sent = service.deliver(&withdrawn).unwrap();
    assert_eq!(sent, json!({"emails": "sam.lee@example.com", "subscription_status": "unsubscribed"}));
}

#[test]
fn denied_and_unknown_are_told_apart() {
    let contact = |context: Value| {
        let mut service = Service::new(settings());
        service.send(json!({"type": "identify", "userId": "u", "context": context,
            "traits": {"email": "sam@example.com"}}));
        let lead = service.send(lead("u"));
        service.deliver(&lead).unwrap()
    };
    assert_eq!(contact(marketing(false))["subscription_status"], "unsubscribed");
    assert_eq!(contact(json!({})).get("subscription_status"), None);
    let mut with_unknown = settings();
    with_unknown.consent.unknown = Some(Unknown::Status(status_value("2")));
    let mut service = Service::new(with_unknown);
    service.send(json!({"type": "identify", "userId": "u", "traits": {"email": "sam@example.com"}}));
    let lead = service.send(lead("u"));
    assert_eq!(service.deliver(&lead).unwrap()["subscription_status"], 2);
    assert_eq!(service.send(json!({"type": "page", "userId": "u"})).outcome, Outcome::Unchanged);
}

/// A new contact nobody asked for consent, whose first call gets no answer, so that nobody knows whether it was made; and the
/// call after it, under a rule that may be another.
fn lost_first_call(then: Option<Unknown>) -> (Service, CallOrder) {
    let mut with_unknown = settings();
    with_unknown.consent.unknown = Some(Unknown::Status(json!("unsubscribed")));
    let mut service = Service::new(with_unknown);
    let lead = json!({"type": "track", "event": "Lead Generated", "userId": "u",
        "context": {"traits": {"email": "sam@example.com"}}});
    let lead = service.send(lead).delivery_id.unwrap();
    let first = claim(&lead, &mut service.world, &service.settings, service.now).unwrap();
    service.settle(first, Verdict::Passing { reason: "no answer".to_owned() });
    service.settings.consent.unknown = then;
    let second = claim(&lead, &mut service.world, &service.settings, service.now).unwrap();
    (service, second)
}

#[test]
fn what_is_sent_of_a_new_contact_alone_is_sent_until_a_call_of_it_is_answered() {
    let (_, second) = lost_first_call(Some(Unknown::Status(json!("unsubscribed"))));
    let Request::UpsertContact { body, .. } = second.request else { panic!("no upsert") };
    assert_eq!(
        body["contact"]["subscription_status"], "unsubscribed",
        "or whoever is made now is subscribed"
    );
}

#[test]
fn the_status_of_a_call_without_an_answer_is_no_refusal_when_freshsales_shows_it() {
    for then in [Some(Unknown::Status(json!("unsubscribed"))), None] {
        let (mut service, second) = lost_first_call(then);
        let shown = Map::from_iter([("subscription_status".to_owned(), json!("unsubscribed"))]);
        service.settle(second, Verdict::Stored(Stored { id: Some(1), created: false, shown: Some(shown) }));
        let email = Email::parse("sam@example.com").unwrap();
        let standing = service.world.contacts.get(&email).unwrap().with(&service.settings.account);
        assert!(standing.hearing.of("subscription_status").is_none(), "nobody refused anything");
        assert_eq!(standing.open, None);
    }
}

#[test]
fn a_friends_address_stays_the_friends() {
    let mut service = Service::new(settings());
    service.send(sam());
    let own = service.send(lead("u"));
    service.deliver(&own);
    let invite = service.send(json!({"type": "track", "event": "Lead Generated", "userId": "u",
        "properties": {"email": "friend@example.com", "first_name": "Kim"}}));
    assert_eq!(invite.outcome, Outcome::Queued);
    let sent = service.deliver(&invite).unwrap();
    assert_eq!(sent, json!({"emails": "friend@example.com", "first_name": "Kim"}));
    assert_eq!(service.send(json!({"type": "page", "userId": "u"})).outcome, Outcome::Unchanged);
}

#[test]
fn a_form_filled_before_signing_up_belongs_to_who_signs_up() {
    let mut service = Service::new(settings());
    let form = json!({"type": "track", "event": "Lead Generated", "anonymousId": "a",
        "properties": {"phone": "+1 415 555 0142"}});
    assert_eq!(service.send(form).outcome, Outcome::NoEmail);
    let signed_up = service.send(json!({"type": "identify", "anonymousId": "a", "userId": "u",
        "traits": {"email": "sam@example.com"}}));
    assert_eq!(signed_up.outcome, Outcome::Queued);
    assert_eq!(service.deliver(&signed_up).unwrap()["mobile_number"], "+14155550142");
}

#[test]
fn a_new_email_is_a_new_contact_and_the_old_one_only_hears_of_a_withdrawal() {
    let mut service = Service::new(settings());
    service.send(sam());
    let lead = service.send(lead("u"));
    service.deliver(&lead);
    let renamed =
        service.send(json!({"type": "identify", "userId": "u", "traits": {"email": "new@example.com"}}));
    assert_eq!(renamed.outcome, Outcome::Queued);
    assert_eq!(service.deliver(&renamed).unwrap()["emails"], "new@example.com");
    service.send(json!({"type": "identify", "userId": "u", "context": marketing(false)}));
    let old = Email::parse("sam.lee@example.com").unwrap();
    let open = service.world.contacts.get(&old).unwrap().with(&service.settings.account).open.unwrap();
    let body = simulate(&open, &mut service.world, &service.settings, service.now).unwrap();
    assert_eq!(
        body["contact"],
        json!({"emails": "sam.lee@example.com", "subscription_status": "unsubscribed"})
    );
}

#[test]
fn an_alias_links_a_device_to_a_user() {
    let mut service = Service::new(settings());
    service.send(json!({"type": "page", "anonymousId": "a", "context": {"traits": {"city": "Oslo"}}}));
    service.send(json!({"type": "identify", "userId": "u", "traits": {"email": "sam@example.com"}}));
    let linked = service.send(json!({"type": "alias", "userId": "u", "previousId": "a"}));
    assert_eq!(linked.outcome, Outcome::Queued);
    assert_eq!(service.deliver(&linked).unwrap()["city"], "Oslo");
}

#[test]
fn identify_can_make_contacts_or_wait() {
    let mut create = settings();
    create.identify = IdentifyMode::Create;
    let mut service = Service::new(create);
    assert_eq!(service.send(sam()).outcome, Outcome::Queued);

    let mut off = settings();
    off.identify = IdentifyMode::Off;
    let mut service = Service::new(off);
    service.send(sam());
    let lead = service.send(lead("u"));
    service.deliver(&lead);
    let change = json!({"type": "identify", "userId": "u", "traits": {"city": "Oslo"}});
    assert_eq!(service.send(change).outcome, Outcome::Unchanged);
    assert_eq!(service.send(json!({"type": "page", "userId": "u"})).outcome, Outcome::Queued);
}

#[test]
fn a_new_contact_without_a_name_is_named_by_its_address_where_the_settings_say_so() {
    let newsletter = |email: &str, properties: Value| {
        let mut by_address = settings();
        by_address.missing_names = MissingNames::FromEmail;
        let mut service = Service::new(by_address);
        let mut event = json!({"type": "track", "event": "Signed Up", "properties": properties});
        event["properties"]["email"] = json!(email);
        let signed_up = service.send(event);
        let sent = service.deliver(&signed_up).unwrap();
        (service, sent)
    };
    let (mut service, sent) = newsletter("sam.lee+news@example.com", json!({}));
    assert_eq!(sent, json!({"emails": "sam.lee+news@example.com", "first_name": "Sam", "last_name": "Lee"}));
    assert_eq!(newsletter("info@example.com", json!({})).1["last_name"], "Info");
    assert_eq!(newsletter("info@example.com", json!({})).1.get("first_name"), None);
    assert_eq!(newsletter("42@example.com", json!({})).1["last_name"], "42");
    let (_, named) = newsletter("info@example.com", json!({"first_name": "Kim"}));
    assert_eq!(named, json!({"emails": "info@example.com", "first_name": "Kim"}));
    // The name that is said later wins; nothing is sent until then.
    let page = json!({"type": "page", "properties": {"email": "sam.lee+news@example.com"}});
    assert_eq!(service.send(page).outcome, Outcome::Unchanged);
    let said = service.send(json!({"type": "identify",
        "traits": {"email": "sam.lee+news@example.com", "name": "Samantha Lee"}}));
    assert_eq!(service.deliver(&said).unwrap()["first_name"], "Samantha");
}

#[test]
fn an_event_says_fields_of_its_own() {
    let user = r#"
        [events."Order Completed".fields.lifecycle_stage_id]
        const = 12
        [events."Order Completed".fields."custom_field.cf_last_order"]
        from = ["properties.total"]
        convert = "number"
    "#;
    let mut settings = settings();
    settings.preset = Preset::parse(Some(user)).unwrap();
    let mut service = Service::new(settings);
    let context = json!({"traits": {"email": "sam@example.com"}});
    let lead = service.send(json!({"type": "track", "event": "Lead Generated", "userId": "u",
        "properties": {"total": 99}, "context": context}));
    assert_eq!(service.deliver(&lead).unwrap(), json!({"emails": "sam@example.com"}));
    let order = service.send(json!({"type": "track", "event": "order_completed", "userId": "u",
        "properties": {"total": "1,234.50"}, "context": context}));
    let expected = json!({
        "emails": "sam@example.com", "lifecycle_stage_id": 12, "custom_field": {"cf_last_order": 1234.5},
    });
    assert_eq!(service.deliver(&order).unwrap(), expected);
}

#[test]
fn a_group_says_the_company_and_nothing_else_of_the_person() {
    let mut service = Service::new(settings());
    service.send(sam());
    let lead = service.send(lead("u"));
    service.deliver(&lead);
    let group = service.send(json!({"type": "group", "userId": "u", "groupId": "g",
        "traits": {"name": "Initech", "email": "office@initech.example", "phone": "+14155550199", "city": "Austin"}}));
    assert_eq!(group.outcome, Outcome::Queued);
    let expected = json!({"emails": "sam.lee@example.com", "company_name": "Initech"});
    assert_eq!(service.deliver(&group).unwrap(), expected);
}

#[test]
fn a_source_assumes_a_country_and_a_consent_of_its_people() {
    let mut with_defaults = settings();
    with_defaults.consent.unknown = Some(Unknown::Status(json!("everywhere")));
    let of_website = SourceDefaults {
        identify: None,
        region: crate::mapping::region::Region::from_text("GB"),
        unknown: Some(Unknown::Status(status_value("2"))),
    };
    with_defaults.source_defaults.insert(SourceName("website".into()), of_website.clone());
    let signed_up = json!({"type": "track", "event": "Signed Up", "userId": "u",
        "context": {"traits": {"email": "sam@example.com", "phone": "020 7946 0018"}}});
    let mut service = Service::new(with_defaults.clone());
    let decided = service.send(signed_up.clone());
    let expected =
        json!({"emails": "sam@example.com", "mobile_number": "+442079460018", "subscription_status": 2});
    assert_eq!(service.deliver(&decided).unwrap(), expected);

    // Another source assumes nothing, so what holds everywhere counts.
    with_defaults.source_defaults = [(SourceName("shop".into()), of_website)].into();
    let mut service = Service::new(with_defaults);
    let decided = service.send(signed_up);
    let expected = json!({"emails": "sam@example.com", "subscription_status": "everywhere"});
    assert_eq!(service.deliver(&decided).unwrap(), expected);
}
