//! What is agreed with senders: ids that name nobody, events that are switched off, addresses that are excluded, constants.

use super::*;
use crate::delivery::Lane;
use crate::event::Email;
use crate::person::PersonKey;
use crate::senders::{Constants, Filters, Ids, IntegrationsConfig};

fn lead(event: &Value) -> Value {
    let mut lead = json!({"type": "track", "event": "Lead Generated"});
    for (key, value) in event.as_object().unwrap() {
        lead[key] = value.clone();
    }
    lead
}

fn contacts(service: &Service) -> Vec<&str> {
    service.world.contacts.iter().map(|(email, _)| email.as_str()).collect()
}

#[test]
fn two_people_under_one_junk_id_stay_two() {
    for id in ["undefined", "[object Object]", "guest", "0", "{{user_id}}"] {
        let mut service = Service::new(settings());
        let ann = service.send(lead(&json!({"userId": id, "context": {"traits": {
            "email": "ann@example.com", "name": "Ann Abel", "phone": "+14155550142"}}})));
        let bob = service.send(lead(
            &json!({"userId": id, "context": {"traits": {"email": "bob@example.com", "name": "Bob Bell"}}}),
        ));
        assert_eq!(
            (ann.person.as_deref(), bob.outcome),
            (Some("email:ann@example.com"), Outcome::Queued),
            "{id}"
        );
        assert_eq!(ann.notes[0], format!("userId {id:?} is no id; the event counts without it"));
        assert_eq!(service.deliver(&ann).unwrap()["mobile_number"], "+14155550142");
        assert_eq!(service.deliver(&bob).unwrap().get("mobile_number"), None);
    }
}

#[test]
fn a_junk_device_or_a_junk_previous_id_lends_nothing() {
    let mut service = Service::new(settings());
    service.send(
        json!({"type": "page", "anonymousId": "undefined", "context": {"traits": {"phone": "+14155550142"}}}),
    );
    service.send(json!({"type": "alias", "userId": "u", "previousId": "undefined"}));
    service.send(json!({"type": "identify", "userId": "u", "anonymousId": "undefined"}));
    let lead =
        service.send(lead(&json!({"userId": "u", "traits": {"email": "cy@example.com", "name": "Cy C"}})));
    assert_eq!(service.deliver(&lead).unwrap().get("mobile_number"), None);
}

#[test]
fn a_number_and_its_float_are_one_user() {
    let mut service = Service::new(settings());
    service.send(json!({"type": "identify", "userId": 12345, "traits": {"email": "a@example.com"}}));
    for id in [json!(12345.0), json!("12345.0"), json!("12345")] {
        let decided = service.send(lead(&json!({ "userId": id })));
        assert_eq!((decided.person.as_deref(), decided.email.is_some()), (Some("user:12345"), true), "{id}");
    }
}

#[test]
fn a_user_id_that_is_an_address_is_the_email_until_one_is_said() {
    let mut service = Service::new(settings());
    let first =
        service.send(lead(&json!({"userId": "D@example.com", "context": {"traits": {"name": "Dee D"}}})));
    assert_eq!((first.outcome, first.email.unwrap().as_str()), (Outcome::Queued, "d@example.com"));
    let said = service.send(
        json!({"type": "identify", "userId": "D@example.com", "traits": {"email": "dee@work.example"}}),
    );
    assert_eq!((said.outcome, said.email.unwrap().as_str()), (Outcome::Queued, "dee@work.example"));
    let later = service.send(lead(&json!({"userId": "D@example.com"})));
    assert_eq!(later.email.unwrap().as_str(), "dee@work.example");

    let external = json!({"anonymousId": "a", "context": {"externalIds": [
        {"id": "123", "type": "ios.idfa"}, {"id": "eve@example.com", "type": "email", "collection": "users"}]}});
    assert_eq!(service.send(lead(&external)).email.unwrap().as_str(), "eve@example.com");

    let mut off = settings();
    off.senders.ids = Ids::new(&[], &[], false);
    assert_eq!(Service::new(off).send(lead(&json!({"userId": "d@example.com"}))).outcome, Outcome::NoEmail);
}

#[test]
fn an_event_that_is_switched_off_makes_no_call_and_leaks_nothing_into_the_next() {
    let off = json!({"integrations": {"All": true, "Freshsales": false}, "userId": "u", "anonymousId": "a",
        "traits": {"city": "Oslo", "email": "jane@example.com"}, "properties": {"phone": "+14155550142"}});
    let mut service = Service::new(settings());
    let decided = service.send(lead(&off));
    assert_eq!((decided.outcome, decided.delivery_id), (Outcome::SwitchedOff, None));
    assert!(decided.reason.starts_with("its sender switched this destination off"), "{}", decided.reason);
    assert_eq!(service.send(lead(&json!({"userId": "u"}))).outcome, Outcome::NoEmail);
    let known = service
        .send(lead(&json!({"userId": "u", "traits": {"email": "jane@example.com", "name": "Jane Doe"}})));
    let sent = service.deliver(&known).unwrap();
    assert_eq!((sent.get("city"), sent.get("mobile_number")), (None, None));
    // Not by the next event either, and not in the other order.
    assert_eq!(service.send(lead(&off)).outcome, Outcome::SwitchedOff);
    assert_eq!(service.send(lead(&json!({"userId": "u"}))).outcome, Outcome::Unchanged);
    let unmapped =
        json!({"type": "track", "event": "Scrolled", "userId": "u", "integrations": {"All": false}});
    assert_eq!(service.send(unmapped).outcome, Outcome::NotMapped);
}

#[test]
fn what_somebody_came_with_while_switched_off_does_not_count_either() {
    let first = "[fields.medium]\nfrom = ['context.campaign.medium']\npick = 'first'";
    let settings = Settings { preset: Preset::parse(Some(first)).unwrap(), ..settings() };
    let came = |medium: &str| {
        json!({"type": "track", "event": "Scrolled", "anonymousId": "a",
        "context": {"campaign": {"medium": medium}}})
    };
    let mut off = came("secret");
    off["integrations"] = json!({"All": false});
    let mut service = Service::new(settings);
    service.send(off);
    service.send(came("cpc"));
    let lead = service.send(lead(&json!({"userId": "u", "anonymousId": "a",
        "traits": {"email": "jane@example.com", "name": "Jane Doe"}})));
    assert_eq!(service.deliver(&lead).unwrap()["medium"], "cpc");
}

#[test]
fn an_address_said_on_a_device_while_switched_off_makes_no_contact_of_what_came_before() {
    let mut service = Service::new(settings());
    service.send(json!({"type": "page", "anonymousId": "a"}));
    let off = json!({"type": "identify", "anonymousId": "a", "traits": {"email": "x@example.com"},
        "integrations": {"All": false}});
    assert_eq!(service.send(off).outcome, Outcome::SwitchedOff);
    assert_eq!(service.send(lead(&json!({"anonymousId": "a"}))).outcome, Outcome::NoEmail);
    assert_eq!(contacts(&service), Vec::<&str>::new());
}

#[test]
fn a_link_made_while_switched_off_counts_whichever_came_first() {
    let identify = json!({"type": "identify", "userId": "u", "traits": {"email": "jane@example.com", "name": "Jane Doe"}});
    let form = lead(&json!({"anonymousId": "a", "properties": {"city": "Oslo"}}));
    let link = json!({"type": "identify", "userId": "u", "anonymousId": "a", "integrations": {"All": false}});
    for order in [[&identify, &form, &link], [&link, &identify, &form], [&form, &link, &identify]] {
        let mut service = Service::new(settings());
        let decided: Vec<Decided> = order.map(|event| service.send(event.clone())).into();
        let queued = decided.iter().find(|decided| decided.outcome == Outcome::Queued);
        assert_eq!(service.deliver(queued.unwrap()).unwrap()["city"], "Oslo");
    }
}

#[test]
fn a_withdrawal_in_an_event_that_is_switched_off_is_told() {
    for who in [
        json!({"userId": "u"}),
        json!({"traits": {"email": "jane@example.com"}}),
        json!({"userId": "stranger", "traits": {"email": "jane@example.com"}}),
    ] {
        let mut service = Service::new(settings());
        let made = service.send(lead(&json!({"userId": "u", "context": marketing(true),
            "traits": {"email": "jane@example.com", "name": "Jane Doe"}})));
        service.deliver(&made);
        let mut off =
            json!({"type": "identify", "context": marketing(false), "integrations": {"All": false}});
        for (key, value) in who.as_object().unwrap() {
            off[key] = value.clone();
        }
        let told = service.send(off);
        assert_eq!(told.outcome, Outcome::Queued, "{who}");
        let lane = service.world.deliveries.get(told.delivery_id.as_ref().unwrap()).unwrap().lane;
        assert_eq!(lane, Lane::Withdrawal);
        let sent = service.deliver(&told).unwrap();
        assert_eq!(
            sent,
            json!({"emails": "jane@example.com", "subscription_status": "unsubscribed"}),
            "{who}"
        );
        // A yes that is switched off makes no call by itself.
        let yes = json!({"type": "identify", "userId": "u", "context": marketing(true), "integrations": {"All": false}});
        assert_eq!(service.send(yes).outcome, Outcome::SwitchedOff);
    }
}

#[test]
fn all_false_is_obeyed_unless_the_settings_say_not_to() {
    let event = lead(&json!({"userId": "u", "integrations": {"All": false},
        "traits": {"email": "jane@example.com", "name": "Jane"}}));
    let mut settings = settings();
    settings.senders.integrations =
        IntegrationsConfig { obey_all: false, ..IntegrationsConfig::default() }.rule();
    assert_eq!(Service::new(settings).send(event).outcome, Outcome::Queued);
}

#[test]
fn staff_become_no_contact_and_a_withdrawal_of_theirs_is_still_told() {
    let mut open = settings();
    let mut service = Service::new(open.clone());
    let made = service.send(lead(&json!({"userId": "s", "context": marketing(true),
        "traits": {"email": "sam@acme.example", "name": "Sam S"}})));
    service.deliver(&made);
    open.senders.filters = Filters::new(&["*@acme.example".to_owned()]);
    service.settings = open;
    let again = service.send(lead(&json!({"userId": "s", "traits": {"city": "Oslo"}})));
    assert_eq!((again.outcome, again.delivery_id), (Outcome::Excluded, None));
    assert_eq!(
        again.reason,
        "the address fits \"*@acme.example\" (filters.exclude_emails), so it is no contact"
    );
    let new = json!({"type": "identify", "userId": "t", "traits": {"email": "tia@acme.example"}});
    assert_eq!(service.send(new).outcome, Outcome::Excluded);
    let friend = lead(&json!({"userId": "c", "properties": {"email": "tia@acme.example"}}));
    assert_eq!(service.send(friend).outcome, Outcome::Excluded);
    let told = service.send(json!({"type": "identify", "userId": "s", "context": marketing(false)}));
    assert_eq!(told.outcome, Outcome::Queued);
    assert_eq!(
        service.deliver(&told).unwrap(),
        json!({"emails": "sam@acme.example", "subscription_status": "unsubscribed"})
    );
}

#[test]
fn a_source_may_have_constants_and_a_meaning_of_identify_of_its_own() {
    let mut settings = settings();
    let constants =
        [("traits.city".to_owned(), json!("Oslo")), ("properties.company".to_owned(), json!("Shop"))];
    let website = SourceName("website".into());
    settings.senders.constants.insert(website.clone(), Constants::new(&constants.into()));
    let defaults = SourceDefaults { identify: Some(IdentifyMode::Create), ..SourceDefaults::default() };
    settings.source_defaults.insert(website, defaults);
    let mut service = Service::new(settings);
    let identify =
        json!({"type": "identify", "userId": "u", "traits": {"email": "a@example.com", "city": "Rome"}});
    let made = service.send(identify);
    assert_eq!(made.outcome, Outcome::Queued);
    let sent = service.deliver(&made).unwrap();
    assert_eq!((&sent["city"], &sent["company_name"]), (&json!("Oslo"), &json!("Shop")));
    // What says nothing by itself is not made to say something.
    let scrolled = json!({"type": "track", "event": "Scrolled", "anonymousId": "a"});
    service.send(scrolled);
    assert_eq!(service.world.timelines.iter().count(), 0);
}

#[test]
fn an_address_without_use_is_named_masked_where_it_was_said_and_where_it_is_missed() {
    let mut service = Service::new(settings());
    let typo = service.send(json!({"type": "identify", "userId": "u", "traits": {"email": "jane@gmail"}}));
    assert_eq!(typo.outcome, Outcome::InvalidEmail);
    assert_eq!(
        typo.reason,
        "the email that was sent, j…@gmail (traits.email), does not look like an address"
    );
    let missed = service.send(lead(&json!({"userId": "u"})));
    assert_eq!(missed.outcome, Outcome::NoEmail);
    let words = "the only email that was sent of this person, j…@gmail (traits.email), is no usable address";
    assert!(missed.reason.starts_with(words), "{}", missed.reason);
    // On a device alone, too.
    service.send(json!({"type": "identify", "anonymousId": "a", "traits": {"email": "kim@"}}));
    let missed = service.send(lead(&json!({"anonymousId": "a"})));
    assert!(missed.reason.contains("k…@ (traits.email)"), "{}", missed.reason);
    // Once a usable one is said there is nothing to tell.
    service.send(
        json!({"type": "identify", "userId": "u", "traits": {"email": "jane@gmail.com", "name": "Jane"}}),
    );
    let key: PersonKey = "user:u".parse().unwrap();
    assert_eq!(service.world.people.get(&key).unwrap().facts().unusable_email(), None);
}

#[test]
fn an_address_that_stands_near_is_hinted_at() {
    let mut service = Service::new(settings());
    let near = json!({"userId": "u", "properties": {"note": "see sam@example.com", "host": "h@example.com",
        "customer": {"name": "J", "email": "jane@example.com"}}});
    let decided = service.send(lead(&near));
    assert_eq!(decided.outcome, Outcome::NoEmail);
    assert!(decided.reason.contains("properties.customer.email looks like an address"), "{}", decided.reason);
    assert!(!decided.reason.contains("jane@example.com"));
}

#[test]
fn traits_that_are_no_object_leave_a_note() {
    let mut service = Service::new(settings());
    for (event, note) in [
        (
            json!({"type": "identify", "userId": "u", "traits": [{"email": "a@example.com"}]}),
            Some("traits is a list"),
        ),
        (json!({"type": "identify", "userId": "u", "traits": "email=a"}), Some("traits is a text")),
        (
            json!({"type": "page", "userId": "u", "context": {"traits": "x"}}),
            Some("context.traits is a text"),
        ),
        (json!({"type": "identify", "userId": "u", "traits": []}), None),
        (json!({"type": "identify", "userId": "u", "traits": null}), None),
    ] {
        let notes = service.send(event.clone()).notes;
        assert_eq!(
            notes.iter().any(|note| note.contains("where an object is expected")),
            note.is_some(),
            "{event}"
        );
        assert!(note.is_none_or(|note| notes.iter().any(|said| said.starts_with(note))), "{notes:?}");
    }
}

/// What an older version stored: everybody whose sender said `undefined` is one person.
fn mixed() -> Service {
    let mut old = settings();
    old.senders.ids = Ids::new(&[], &["undefined".to_owned()], true);
    let mut service = Service::new(old);
    for (email, traits) in [
        ("ann@example.com", json!({"name": "Ann Abel", "phone": "+14155550142"})),
        ("bob@example.com", json!({"name": "Bob Bell"})),
    ] {
        let mut traits = traits;
        traits["email"] = json!(email);
        service.send(lead(&json!({"userId": "undefined", "anonymousId": "dev", "traits": traits})));
    }
    service.settings = settings();
    service
}

#[test]
fn people_under_junk_ids_of_an_older_version_are_taken_apart_and_counted() {
    let mut service = mixed();
    let bob = Email::parse("bob@example.com").unwrap();
    // Before it was looked at, nothing of the mixture counts.
    assert_eq!(consider(&bob, &service.world, &service.settings).wish.attributes.get("mobile_number"), None);
    let contacts = service.world.contacts.iter().map(|(email, _)| email.clone().into());
    let emails: Vec<crate::delivery::Subject> = contacts.collect();
    let review = Review::begin(None, Because::Settings, &service.settings, 2, service.now);
    tidy(&mut service.world, &service.settings);
    let review = review.page(&emails, &mut service.world, &service.settings, service.now);
    assert_eq!(review.taken_apart, 1);
    let people: Vec<String> = service.world.people.iter().map(|(key, _)| key.to_string()).collect();
    assert_eq!(people, ["email:ann@example.com", "email:bob@example.com"]);
    let wanted = consider(&bob, &service.world, &service.settings).wish;
    assert!(wanted.started && !wanted.attributes.contains_key("mobile_number"));
    assert_eq!(wanted.attributes["first_name"], "Bob");
    // Once more there is nothing to do.
    let review = Review::begin(Some(&review), Because::Settings, &service.settings, 2, service.now);
    assert_eq!(review.page(&emails, &mut service.world, &service.settings, service.now).taken_apart, 0);
}

#[test]
fn a_source_that_is_tried_out_shows_its_calls_and_touches_nothing_that_is_live() {
    let mut live = settings();
    live.rehearsal.sources.insert(SourceName("website".into()));
    let rehearsal = live.rehearsal_of(&SourceName("website".into())).unwrap();
    let mut service = Service::new(live.clone());
    let play = |service: &mut Service, at: u64, event: Value| {
        let Value::Object(body) = event else { panic!("an event is an object") };
        let at = UnixMicros(START + i64::try_from(at).unwrap());
        let reading =
            Reading::of(&read(body, u64::try_from(at.0 - START).unwrap(), at.0, &at.0.to_string()), &live);
        decide(&reading, &mut service.world, &live, at)
    };
    play(
        &mut service,
        1,
        json!({"type": "identify", "userId": "u", "traits": {"email": "a@example.com", "name": "Ann A"}}),
    );
    let lead = play(&mut service, 2, lead(&json!({"userId": "u"})));
    assert_eq!((lead.outcome, lead.person.as_deref()), (Outcome::Queued, Some("default~dry_run/user:u")));
    let delivery = service.world.deliveries.get(lead.delivery_id.as_ref().unwrap()).unwrap();
    assert_eq!(
        (&delivery.account.0[..], delivery.state),
        ("dry_run:acme", crate::delivery::State::Delivered)
    );
    let email = Email::parse("a@example.com").unwrap();
    let contact = service.world.contacts.get(&email).unwrap();
    assert!(!contact.with(&live.account).known() && contact.with(&rehearsal.account).known());
    assert!(!consider(&email, &service.world, &live).wish.has_member);
    // A second event that changes nothing is no call, as it would be live.
    let again = play(&mut service, 3, json!({"type": "page", "userId": "u"}));
    assert_eq!(again.outcome, Outcome::Unchanged);
}
