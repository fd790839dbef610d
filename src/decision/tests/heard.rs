//! What Freshsales says of its contacts: who corrected what there is not overruled by whoever repeats themselves.

use proptest::prelude::*;

use super::*;
use crate::contact::Standing;
use crate::delivery::{Request, Stored, Verdict};
use crate::event::Email;

const SAM: &str = "sam@example.com";
const OLD: &str = "+14155550142";
const REP: &str = "+14155550199";
const NEW: &str = "+14155550177";

fn lead(phone: &str) -> Value {
    json!({"type": "track", "event": "Lead Generated", "userId": "u", "properties": {"value": 1},
        "context": {"traits": {"email": SAM, "first_name": "Sam", "phone": phone}}})
}

fn identify(phone: &str) -> Value {
    json!({"type": "identify", "userId": "u", "traits": {"email": SAM, "phone": phone}})
}

/// What a workflow tells of the contact.
fn says(said: &Value) -> Value {
    json!({"type": "crm", "traits": {"email": SAM}, "crm": {"record": "contact", "id": "1", "said": said}})
}

fn standing(service: &Service) -> Standing {
    let email = Email::parse(SAM).unwrap();
    service.world.contacts.get(&email).unwrap().with(&service.settings.account)
}

/// Freshsales has Sam from us.
fn with_sam() -> Service {
    let mut service = Service::new(settings());
    let made = service.send(lead(OLD));
    assert_eq!(service.deliver(&made).unwrap()["mobile_number"], OLD);
    service
}

#[test]
fn a_correction_stays_after_a_thousand_repeated_traits_and_a_new_phone_wins() {
    let mut service = with_sam();
    let heard = service.send(says(&json!({"mobile_number": "+1 415-555-0199", "first_name": "Sam"})));
    assert_eq!(heard.outcome, Outcome::Heard);
    assert_eq!(heard.notes, ["Freshsales has another value than it accepted from here: mobile_number"]);
    for _ in 0..1000 {
        assert_eq!(service.send(identify(OLD)).outcome, Outcome::Unchanged);
    }
    assert_eq!(service.send(lead(OLD)).outcome, Outcome::Unchanged);
    assert_eq!(service.send(identify(REP)).outcome, Outcome::Unchanged, "they say what the rep wrote");
    let moved = service.send(identify(NEW));
    assert_eq!(
        (moved.outcome, service.deliver(&moved).unwrap()["mobile_number"].clone()),
        (Outcome::Queued, json!(NEW))
    );
    assert!(!standing(&service).hearing.has_news());
    assert_eq!(service.send(says(&json!({"mobile_number": NEW}))).outcome, Outcome::Echo);
    let back = service.send(identify(OLD));
    assert_eq!(service.deliver(&back).unwrap()["mobile_number"], OLD);
}

#[test]
fn what_waits_to_be_sent_is_dropped_where_a_person_there_was_later_and_goes_where_they_were_earlier() {
    let mut service = with_sam();
    let waiting = service.send(identify(NEW)).delivery_id.unwrap();
    service.send(says(&json!({"mobile_number": REP})));
    let delivery = service.world.deliveries.get(&waiting).unwrap();
    assert_eq!(delivery.state, crate::delivery::State::Superseded);
    assert_eq!(service.send(identify(NEW)).outcome, Outcome::Unchanged, "said before the correction");
    // A workflow that ran before the customer spoke is heard after it.
    let mut service = with_sam();
    let waiting = service.send(identify(NEW)).delivery_id.unwrap();
    let mut late = says(&json!({"mobile_number": REP}));
    late["crm"]["changed_at"] = json!(UnixMicros(service.now.0 - 500_000).to_rfc3339());
    assert_eq!(service.send(late).outcome, Outcome::Heard);
    assert!(service.world.deliveries.get(&waiting).unwrap().state.is_open());
}

#[test]
fn what_freshsales_has_from_elsewhere_no_visitor_replaces() {
    let mut service = with_sam();
    service.send(says(&json!({"job_title": "CEO"})));
    let said = json!({"type": "identify", "userId": "u", "traits": {"email": SAM, "title": "CTO"}});
    assert_eq!(service.visit(said.clone()).outcome, Outcome::Unchanged);
    assert_eq!(service.send(said).outcome, Outcome::Queued);
}

#[test]
fn a_refusal_in_freshsales_costs_no_call_and_stays() {
    let mut service = with_sam();
    let mut yes = lead(OLD);
    yes["context"]["consent"] = json!({"marketing": true});
    let agreed = service.send(yes.clone());
    assert_eq!(service.deliver(&agreed).unwrap()["subscription_status"], "subscribed");
    let mut refusal = says(&json!({"subscription_status": "Unsubscribed"}));
    refusal["consent"] = json!({"marketing": false});
    assert_eq!(service.send(refusal).outcome, Outcome::Heard);
    assert!(standing(&service).open.is_none(), "Freshsales knows it");
    let again = service.send(yes);
    assert_eq!(service.deliver(&again).unwrap()["subscription_status"], "subscribed", "they said yes later");
}

#[test]
fn of_whom_nobody_spoke_here_nothing_is_kept_but_a_refusal() {
    let mut service = Service::new(settings());
    let decided = service.send(says(&json!({"mobile_number": REP})));
    assert_eq!((decided.outcome, decided.email), (Outcome::UnknownRecord, None));
    assert_eq!((service.world.people.iter().count(), service.world.contacts.iter().count()), (0, 0));
    let mut refusal = says(&json!({}));
    refusal["consent"] = json!({"marketing": false});
    assert_eq!(service.send(refusal).outcome, Outcome::Heard);
    assert_eq!(service.world.people.iter().count(), 1);
}

#[test]
fn another_id_of_the_contact_is_told_and_the_newer_one_counts() {
    let mut service = with_sam();
    service.send(says(&json!({})));
    let mut other = says(&json!({}));
    other["crm"]["id"] = json!("77");
    let decided = service.send(other);
    assert_eq!(decided.outcome, Outcome::Merged, "{decided:?}");
    assert_eq!(standing(&service).contact_id, Some(77));
}

/// The next call of a lead, answered so that the contact shows these; what was sent.
fn answered(service: &mut Service, email: &str, id: u64, shown: Value) -> Value {
    let mut event = lead(OLD);
    event["userId"] = json!(email);
    event["context"]["traits"] = json!({"email": email, "first_name": "Sam", "city": "Oslo"});
    let delivery = service.send(event).delivery_id.unwrap();
    let order = claim(&delivery, &mut service.world, &service.settings, service.now).unwrap();
    let Request::UpsertContact { body, .. } = order.request.clone() else { panic!("{order:?}") };
    let Value::Object(shown) = shown else { panic!("an object") };
    service.settle(order, Verdict::Stored(Stored { id: Some(id), created: true, shown: Some(shown) }));
    body["contact"].clone()
}

#[test]
fn what_freshsales_keeps_of_nobody_is_sent_no_more_after_three_contacts_until_somebody_resumes() {
    let mut service = Service::new(settings());
    for id in 0..3 {
        let sent = answered(
            &mut service,
            &format!("n{id}@example.com"),
            id,
            json!({"first_name": "Sam", "city": null}),
        );
        assert_eq!(sent["city"], "Oslo");
    }
    let destination = &service.world.destination.document;
    assert_eq!(destination.not_kept().collect::<Vec<_>>(), ["city"]);
    let sent = answered(&mut service, "n4@example.com", 4, json!({"first_name": "Sam"}));
    assert_eq!((&sent["first_name"], sent.get("city")), (&json!("Sam"), None));
    let email = Email::parse("n4@example.com").unwrap();
    let left_out = consider(&email, &service.world, &service.settings).left_out;
    assert!(left_out[0].why.contains("does not keep it"), "{left_out:?}");
    service.world.destination.document.resume(service.now);
    assert_eq!(answered(&mut service, "n5@example.com", 5, json!({"city": "Oslo"}))["city"], "Oslo");
}

#[test]
fn one_contact_that_keeps_it_shows_that_the_account_does() {
    let mut service = Service::new(settings());
    for (id, city) in
        [(0, Value::Null), (1, Value::Null), (2, json!("Oslo")), (3, Value::Null), (4, Value::Null)]
    {
        answered(&mut service, &format!("n{id}@example.com"), id, json!({ "city": city }));
    }
    assert_eq!(service.world.destination.document.not_kept().count(), 0);
}

#[test]
fn an_attribute_that_turns_without_end_stays_as_freshsales_has_it() {
    let mut service = with_sam();
    let mut outcomes = Vec::new();
    for nth in 0..8 {
        let phone = if nth % 2 == 0 { REP } else { OLD };
        outcomes.push(service.send(says(&json!({ "mobile_number": phone }))).outcome);
    }
    assert!(outcomes.contains(&Outcome::Frozen), "{outcomes:?}");
    let now = service.now;
    let frozen: Vec<&str> = service.world.destination.document.frozen(now).collect();
    assert_eq!(frozen, ["contact mobile_number"]);
    assert_ne!(service.send(identify(NEW)).outcome, Outcome::Queued);
    service.now = UnixMicros(service.now.0 + 2 * HOUR);
    assert_eq!(service.send(identify(NEW)).outcome, Outcome::Queued, "an hour later it is said again");
}

/// What happens to the contact, and when; at each moment one thing.
#[derive(Clone, Copy, Debug)]
enum Step {
    Person(&'static str),
    Freshsales(&'static str),
}

fn steps() -> impl Strategy<Value = Vec<(i64, Step)>> {
    let phone = prop::sample::select(vec![OLD, REP, NEW]);
    let step = (any::<bool>(), phone)
        .prop_map(|(person, phone)| if person { Step::Person(phone) } else { Step::Freshsales(phone) });
    prop::collection::btree_map(1_i64..50, step, 1..5).prop_map(|steps| steps.into_iter().collect())
}

/// What is owed for the phone after these steps, each at its moment, and what Freshsales is taken to have.
fn ends(steps: impl Iterator<Item = (i64, Step)>) -> (Value, Value) {
    let mut service = with_sam();
    let begins = service.now.0;
    for (at, step) in steps {
        let event = match step {
            Step::Person(phone) => identify(phone),
            Step::Freshsales(phone) => says(&json!({ "mobile_number": phone })),
        };
        service.send_at(begins + at * 1_000_000, &format!("s{at}"), event);
    }
    let email = Email::parse(SAM).unwrap();
    let considered = consider(&email, &service.world, &service.settings);
    let (standing, owed) = owed_now(&email, &considered, &service.world, &service.settings, service.now);
    let sent = match owed {
        crate::contact::Owed::Call(call) => call.attributes.get("mobile_number").cloned().unwrap_or_default(),
        crate::contact::Owed::Nothing(_) => Value::Null,
    };
    (sent, standing.baseline()["mobile_number"].clone())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn hooks_in_any_order_and_any_number_among_themselves_end_the_same(steps in steps(), turns in 0_usize..5) {
        let people = steps.iter().copied().filter(|(_, step)| matches!(step, Step::Person(_)));
        let heard: Vec<_> = steps.iter().copied().filter(|(_, step)| matches!(step, Step::Freshsales(_))).collect();
        let turned = heard.iter().copied().cycle().skip(turns).take(heard.len()).collect::<Vec<_>>();
        let in_order = ends(people.clone().chain(heard.iter().copied()));
        prop_assert_eq!(&ends(people.clone().chain(turned.iter().rev().copied())), &in_order);
        prop_assert_eq!(&ends(people.chain(turned.iter().copied()).chain(heard)), &in_order);
    }

    #[test]
    fn whether_people_or_freshsales_are_heard_first_makes_no_difference(
        (phone, heard) in (prop::sample::select(vec![OLD, REP, NEW]), prop::sample::select(vec![OLD, REP, NEW])),
        (said_at, heard_at) in (1_i64..20, 21_i64..40),
        before in any::<bool>(),
    ) {
        let (said_at, heard_at) = if before { (said_at, heard_at) } else { (heard_at, said_at) };
        let (person, crm) = ((said_at, Step::Person(phone)), (heard_at, Step::Freshsales(heard)));
        prop_assert_eq!(ends([person, crm].into_iter()), ends([crm, person].into_iter()));
    }
}
