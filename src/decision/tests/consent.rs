//! Consent and what follows from it: what is said and what is shown, what is not understood, what needs none.

use super::*;
use crate::consent::Choice;

fn service_where(change: impl FnOnce(&mut Settings)) -> Service {
    let mut settings = settings();
    change(&mut settings);
    Service::new(settings)
}

fn require(settings: &mut Settings) {
    settings.consent.required = vec![Category::from("marketing")];
}

fn sam(service: &mut Service) {
    let traits = json!({"email": "sam@example.com", "name": "Sam Lee"});
    service.send(json!({"type": "identify", "userId": "u", "traits": traits}));
}

/// An event of Sam whose block of consent holds this.
fn lead(consent: &Value) -> Value {
    json!({"type": "track", "event": "Lead Generated", "userId": "u", "context": {"consent": consent}})
}

/// A page view, as a consent tool stamps it.
fn page(granted: bool) -> Value {
    json!({"type": "page", "userId": "u", "context": {"consent": {"categoryPreferences": {"advertising": granted}}}})
}

/// What a server sends when somebody follows the link in a mail.
fn unsubscribed() -> Value {
    json!({"type": "identify", "userId": "u", "context": {"consent": {"marketing": "unsubscribed"}}})
}

fn history(service: &Service) -> Vec<(Choice, bool)> {
    let email = crate::event::Email::parse("sam@example.com").unwrap();
    let contact = service.world.contacts.get(&email).unwrap();
    contact.consent.changes.iter().map(|change| (change.choice, change.shown)).collect()
}

#[test]
fn a_thousand_page_views_with_the_state_of_before_subscribe_nobody_again() {
    let mut service = Service::new(settings());
    sam(&mut service);
    service.send(page(true));
    let first = service.send(lead(&json!({})));
    assert_eq!(service.deliver(&first).unwrap()["subscription_status"], "subscribed");
    let withdrawn = service.send(unsubscribed());
    assert_eq!(service.deliver(&withdrawn).unwrap()["subscription_status"], "unsubscribed");
    for _ in 0..1000 {
        assert_eq!(service.send(page(true)).outcome, Outcome::Unchanged);
    }
    assert_eq!(history(&service), [(Choice::Granted, true), (Choice::Denied, false)]);

    // The banner changed afterwards.
    service.send(page(false));
    let again = service.send(page(true));
    assert_eq!(service.deliver(&again).unwrap()["subscription_status"], "subscribed");
    assert_eq!(history(&service).len(), 3);
}

#[test]
fn a_yes_that_a_server_said_where_tools_show_their_state_stood_there_already() {
    let mut service = Service::new(settings());
    sam(&mut service);
    let yes = service.send(lead(&json!({"advertising": "granted"})));
    assert_eq!(service.deliver(&yes).unwrap()["subscription_status"], "subscribed");
    let no = service.send(unsubscribed());
    assert_eq!(service.deliver(&no).unwrap()["subscription_status"], "unsubscribed");
    assert_eq!(service.send(page(true)).outcome, Outcome::Unchanged);
}

#[test]
fn a_ticked_box_after_an_unsubscribe_is_a_yes() {
    let mut service = service_where(|settings| {
        settings.consent.paths =
            serde_json::from_value(json!({"properties.newsletter": "marketing"})).unwrap();
    });
    let form = |ticked: bool| json!({"type": "track", "event": "Lead Generated", "userId": "u", "properties": {"newsletter": ticked}});
    sam(&mut service);
    let yes = service.send(form(true));
    assert_eq!(service.deliver(&yes).unwrap()["subscription_status"], "subscribed");
    // A box that is not ticked ends no yes.
    assert_eq!(service.send(form(false)).outcome, Outcome::Unchanged);
    let no = service.send(unsubscribed());
    assert_eq!(service.deliver(&no).unwrap()["subscription_status"], "unsubscribed");
    let again = service.send(form(true));
    assert_eq!(service.deliver(&again).unwrap()["subscription_status"], "subscribed");
}

#[test]
fn nobody_who_was_not_asked_is_unsubscribed() {
    for word in [json!("not_subscribed"), json!("pending"), json!(""), json!({}), json!(null)] {
        let mut service = Service::new(settings());
        sam(&mut service);
        let new = service.send(lead(&json!({"marketing": word})));
        assert_eq!(service.deliver(&new).unwrap().get("subscription_status"), None, "{word}");
        let yes = service.send(lead(&json!({"marketing": "yes"})));
        assert_eq!(service.deliver(&yes).unwrap()["subscription_status"], "subscribed", "{word}");
        assert_eq!(service.send(lead(&json!({"marketing": word}))).outcome, Outcome::Unchanged, "{word}");
    }
}

#[test]
fn a_choice_that_is_not_understood_holds_the_gate_and_leaves_what_freshsales_has() {
    let mut service = service_where(require);
    sam(&mut service);
    let yes = service.send(lead(&json!({"marketing": true})));
    assert_eq!(service.deliver(&yes).unwrap()["subscription_status"], "subscribed");
    let unclear = service.send(lead(&json!({"marketing": "perhaps"})));
    assert_eq!(unclear.outcome, Outcome::ConsentDenied);
    let reason =
        "consent to marketing is required and context.consent.marketing = perhaps was not understood";
    assert_eq!(unclear.reason, reason);
    let note =
        "context.consent.marketing: not understood as consent, so it counts neither as a yes nor as a no";
    assert!(unclear.notes.iter().any(|found| found == note), "{:?}", unclear.notes);
    assert_eq!(service.world.consent_not_understood.values().sum::<u64>(), 1);
    let city = json!({"type": "identify", "userId": "u", "traits": {"city": "Oslo"}});
    assert_eq!(service.send(city).outcome, Outcome::ConsentDenied);
    let yes = service.send(lead(&json!({"marketing": true})));
    assert_eq!(service.deliver(&yes).unwrap(), json!({"emails": "sam@example.com", "city": "Oslo"}));
    let changes = [(Choice::Granted, false), (Choice::Unclear, false), (Choice::Granted, false)];
    assert_eq!(history(&service), changes);
}

#[test]
fn a_choice_that_is_not_understood_writes_no_status_and_ends_no_refusal() {
    let mut service = Service::new(settings());
    sam(&mut service);
    let new = service.send(lead(&json!({"marketing": "perhaps"})));
    assert_eq!(service.deliver(&new).unwrap().get("subscription_status"), None);
    service.send(unsubscribed());
    let then = service.send(lead(&json!({"marketing": "perhaps"})));
    assert_eq!(service.deliver(&then).unwrap()["subscription_status"], "unsubscribed");
}

#[test]
fn an_event_that_needs_no_consent_brings_its_contact_and_opens_nothing_for_others() {
    let mut service = service_where(|settings| {
        require(settings);
        settings.preset = Preset::parse(Some("[events.\"Order Completed\"]\nconsent = []")).unwrap();
    });
    let order = |city: &str| json!({"type": "track", "event": "Order Completed", "userId": "u", "properties": {"city": city}});
    sam(&mut service);
    assert_eq!(service.send(lead(&json!({}))).outcome, Outcome::ConsentDenied);
    let first = service.send(order("Oslo"));
    assert_eq!(service.deliver(&first).unwrap()["city"], "Oslo");
    let identify = json!({"type": "identify", "userId": "u", "traits": {"city": "Rome"}});
    assert_eq!(service.send(identify.clone()).outcome, Outcome::ConsentDenied);
    // It brings all that is known of the contact; one that brings nothing new opens nothing either.
    let second = service.send(order("Rome"));
    assert_eq!(service.deliver(&second).unwrap(), json!({"emails": "sam@example.com", "city": "Rome"}));
    assert_eq!(service.send(order("Rome")).outcome, Outcome::Unchanged);
    let later = json!({"type": "identify", "userId": "u", "traits": {"city": "Bern"}});
    assert_eq!(service.send(later).outcome, Outcome::ConsentDenied);
}

#[test]
fn a_new_contact_may_wait_for_a_statement() {
    let mut service = service_where(|settings| settings.consent.unknown = Some(Unknown::Hold));
    sam(&mut service);
    let held = service.send(lead(&json!({})));
    assert_eq!(held.outcome, Outcome::Queued);
    assert!(held.notes.iter().any(|note| note.contains("waits for a statement, at most 24 hours")));
    let at = |service: &Service| {
        let id = held.delivery_id.clone().unwrap();
        service.world.deliveries.get(&id).unwrap().next_attempt_at.0 - service.now.0
    };
    assert_eq!(at(&service), 24 * HOUR);
    // What says nothing of consent ends no wait.
    service.send(lead(&json!({})));
    assert_eq!(at(&service), 24 * HOUR - 1_000_000);
    service.send(lead(&json!({"marketing": true})));
    assert_eq!(at(&service), 0);
    assert_eq!(service.deliver(&held).unwrap()["subscription_status"], "subscribed");
}

#[test]
fn changes_of_consent_are_bounded_in_number_and_in_time() {
    let mut service = service_where(|settings| settings.consent.keep = Some(Duration::from_hours(1)));
    sam(&mut service);
    service.send(lead(&json!({"marketing": true})));
    service.send(lead(&json!({"marketing": false})));
    assert_eq!(history(&service).len(), 2);
    service.now = UnixMicros(service.now.0 + 2 * HOUR);
    service.send(lead(&json!({})));
    assert_eq!(history(&service), [(Choice::Denied, false)]);

    let mut service = Service::new(settings());
    sam(&mut service);
    for nth in 0..crate::contact::CHANGES_MAX + 5 {
        service.send(lead(&json!({"marketing": nth % 2 == 0})));
    }
    assert_eq!(history(&service).len(), crate::contact::CHANGES_MAX);
    let email = crate::event::Email::parse("sam@example.com").unwrap();
    assert_eq!(service.world.contacts.get(&email).unwrap().consent.dropped, 5);
}

#[test]
fn people_who_go_take_nothing_along_that_a_later_visit_could_overturn() {
    let mut service = Service::new(settings());
    sam(&mut service);
    service.send(page(true));
    let first = service.send(lead(&json!({})));
    service.deliver(&first);
    let withdrawn = service.send(unsubscribed());
    service.deliver(&withdrawn);
    let key = "user:u".parse().unwrap();
    retire_person(&key, UnixMicros(service.now.0 + 1), &mut service.world, &service.settings);
    let again = service.send(page(true));
    assert_eq!(again.outcome, Outcome::Unchanged);
    assert_eq!(history(&service).last(), Some(&(Choice::Denied, false)));
}

#[test]
fn changes_that_had_their_time_go_within_a_day_though_nothing_happens() {
    let mut service = service_where(|settings| settings.consent.keep = Some(Duration::from_hours(1)));
    sam(&mut service);
    service.send(lead(&json!({"marketing": true})));
    service.send(lead(&json!({"marketing": false})));
    let began = service.now;
    let last = Review::begin(None, Because::Unknown, &service.settings, 1, began);
    let last = last.page(&[], &mut service.world, &service.settings, began);
    let after = |hours: i64| UnixMicros(began.0 + hours * HOUR);
    assert_eq!(Review::asked_for(Some(&last), &service.settings, after(23)), None);
    assert_eq!(Review::asked_for(Some(&last), &service.settings, after(24)), Some(Because::Time));
    let sam = [crate::event::Email::parse("sam@example.com").unwrap().into()];
    let review = Review::begin(Some(&last), Because::Time, &service.settings, 1, after(24));
    let _ = review.page(&sam, &mut service.world, &service.settings, after(24));
    assert_eq!(history(&service), [(Choice::Denied, false)]);
}
