//! Messages that are not believed by themselves: they cause a question, and what it shows counts.

use serde_json::Map;

use super::deals::{ORDERS, event, key, with};
use super::*;
use crate::contact::Standing;
use crate::delivery::{Request, State, Stored, Verdict};
use crate::event::Email;

const SAM: &str = "sam@example.com";
const OLD: &str = "+14155550142";
const REP: &str = "+14155550199";

fn lead(phone: &str) -> Value {
    json!({"type": "track", "event": "Lead Generated", "userId": "u", "properties": {"value": 1},
        "context": {"traits": {"email": SAM, "first_name": "Sam", "phone": phone}}})
}

/// What whoever has the token says of the contact.
fn claims(said: &Value) -> Value {
    json!({"type": "crm", "traits": {"email": SAM},
        "crm": {"record": "contact", "id": "1", "said": said, "verify": true}})
}

fn standing(service: &Service) -> Standing {
    let email = Email::parse(SAM).unwrap();
    service.world.contacts.get(&email).unwrap().with(&service.settings.account)
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(object) = value else { panic!("an object: {value}") };
    object
}

fn shows(answer: Value) -> Verdict {
    Verdict::Stored(Stored { id: None, created: false, shown: Some(object(answer)) })
}

/// Freshsales has Sam from us, under an id.
fn with_sam() -> Service {
    let mut service = Service::new(settings());
    let delivery = service.send(lead(OLD)).delivery_id.unwrap();
    let order = claim(&delivery, &mut service.world, &service.settings, service.now).unwrap();
    let shown =
        object(json!({"first_name": "Sam", "mobile_number": OLD, "subscription_status": "subscribed"}));
    service.settle(order, Verdict::Stored(Stored { id: Some(1), created: true, shown: Some(shown) }));
    service
}

/// The next call of the contact, answered so; what was asked, and what became of its delivery.
fn asked(service: &mut Service, verdict: Verdict) -> (Request, State) {
    let id = standing(service).open.unwrap();
    let order = claim(&id, &mut service.world, &service.settings, service.now).unwrap();
    let request = order.request.clone();
    service.settle(order, verdict);
    (request, service.world.deliveries.get(&id).unwrap().state)
}

#[test]
fn a_forged_message_does_nothing_but_cause_one_question() {
    let mut service = with_sam();
    let before = standing(&service);
    let forged =
        json!({"mobile_number": REP, "subscription_status": "unsubscribed", "first_name": "Mallory"});
    for _ in 0..3 {
        let heard = service.send(claims(&forged));
        assert_eq!(heard.outcome, Outcome::Heard);
        assert!(heard.reason.contains("hooks.*.verify"), "{}", heard.reason);
    }
    let truth = json!({"contact": {"id": 1, "first_name": "Sam", "mobile_number": OLD, "subscription_status": "subscribed"}});
    assert_eq!(asked(&mut service, shows(truth)), (Request::ShowContact { id: 1 }, State::Delivered));
    let after = standing(&service);
    assert_eq!((after.open, after.doubted_at, after.hearing), (None, None, before.hearing));
    assert_eq!(service.send(lead(OLD)).outcome, Outcome::Unchanged);
}

#[test]
fn what_the_question_shows_counts_as_if_it_had_been_told() {
    let mut service = with_sam();
    service.send(claims(&json!({"mobile_number": "+1"})));
    let truth = json!({"contact": {"id": 1, "first_name": "Sam", "mobile_number": REP, "subscription_status": "unsubscribed"}});
    asked(&mut service, shows(truth));
    assert_eq!(standing(&service).hearing.of("mobile_number").unwrap().value, json!(REP));
    let mut yes = lead(OLD);
    yes["context"]["consent"] = json!({"marketing": true});
    let earlier = service.send_at(service.now.0 - 3_000_000, "earlier", yes);
    assert_eq!(earlier.outcome, Outcome::Unchanged, "they refused in Freshsales, later");
    assert_eq!(service.send(lead(OLD)).outcome, Outcome::Unchanged, "the rep's phone stays");
}

#[test]
fn what_is_to_be_sent_waits_for_the_question_and_goes_after_it() {
    let mut service = with_sam();
    service.send(claims(&json!({"city": "Oslo"})));
    let moved = "+14155550177";
    service.send(lead(moved));
    let truth = json!({"contact": {"id": 1, "mobile_number": REP}});
    assert_eq!(asked(&mut service, shows(truth)), (Request::ShowContact { id: 1 }, State::Retrying));
    let Request::UpsertContact { body, .. } = asked(&mut service, shows(json!({}))).0 else {
        panic!("no upsert")
    };
    assert_eq!(body["contact"]["mobile_number"], moved, "they said it after what Freshsales had from them");
}

#[test]
fn a_contact_whose_id_is_gone_is_asked_by_its_address_and_one_that_nobody_may_read_stays_as_it_was() {
    let mut service = with_sam();
    service.send(claims(&json!({})));
    let (gone, state) = asked(&mut service, Verdict::Gone { reason: "404".to_owned() });
    assert_eq!((gone, state), (Request::ShowContact { id: 1 }, State::Retrying));
    let merged = json!({"contacts": {"contacts": [{"id": 9, "mobile_number": OLD}]}});
    let email = Email::parse(SAM).unwrap();
    assert_eq!(asked(&mut service, shows(merged)), (Request::FindContact { email }, State::Delivered));
    assert_eq!((standing(&service).contact_id, standing(&service).doubted_at), (Some(9), None));
    service.send(claims(&json!({})));
    let shut = Verdict::Shut { reason: "403".to_owned() };
    assert_eq!(asked(&mut service, shut), (Request::ShowContact { id: 9 }, State::Delivered));
    assert!(standing(&service).doubted_at.is_none(), "it is not asked for ever");
}

#[test]
fn a_question_that_was_not_answered_is_asked_again() {
    let mut service = with_sam();
    service.send(claims(&json!({})));
    let away = Verdict::Passing { reason: "503".to_owned() };
    assert_eq!(asked(&mut service, away), (Request::ShowContact { id: 1 }, State::Retrying));
    assert!(standing(&service).doubted_at.is_some());
}

/// What whoever has the token says of a deal.
fn claims_deal(id: u64, said: &Value) -> Value {
    json!({"type": "crm", "crm": {"record": "deal", "id": id.to_string(), "said": said, "verify": true}})
}

#[test]
fn a_deal_is_read_before_what_is_said_of_it_counts() {
    let mut service = with(ORDERS);
    service.send(event("Checkout Started", json!({})));
    service.contact_call(true);
    let shown = object(json!({"id": 91, "deal_stage_id": 11}));
    service.call_of(&key(), Verdict::Stored(Stored { id: Some(91), created: true, shown: Some(shown) }));
    let said = json!({"custom_field.cf_order_id": "A-1", "stage": "Won", "amount": "1"});
    let heard = service.send(claims_deal(91, &said));
    assert_eq!((heard.outcome, heard.actions[0].state), (Outcome::Heard, ActionState::Queued), "{heard:?}");
    assert!(!service.standing_of(&key()).hearing.has_news());
    let truth = json!({"deal": {"id": 91, "deal_stage_id": 12, "amount": "49.9", "custom_field": {"cf_order_id": "A-1"}}});
    let (what, _) = service.call_of(&key(), shows(truth));
    let standing = service.standing_of(&key());
    assert_eq!((what, standing.doubted_at, standing.open), ("show deal", None, None));
    assert!(standing.hearing.of("stage").is_some() && standing.hearing.of("amount").is_none());
}

#[test]
fn a_deal_that_is_only_claimed_to_exist_is_asked_for_before_it_is_created() {
    let mut service = with(ORDERS);
    service.send(claims_deal(666, &json!({"custom_field.cf_order_id": "A-1", "stage": "Won"})));
    assert_eq!(service.standing_of(&key()).birth.id(), None, "no id is believed");
    service.send(event("Checkout Started", json!({})));
    service.contact_call(true);
    service.now = service.now.plus(Duration::from_mins(5));
    assert_eq!(service.call_of(&key(), shows(json!({"deals": []}))).0, "show contact");
    let made = object(json!({"id": 92, "deal_stage_id": 11}));
    assert_eq!(
        service.call_of(&key(), Verdict::Stored(Stored { id: Some(92), created: true, shown: Some(made) })).0,
        "create"
    );
}

#[test]
fn what_our_own_calls_wrote_comes_back_and_asks_nothing() {
    let mut service = with_sam();
    let ours = json!({"first_name": "Sam", "mobile_number": "+1 (415) 555-0142", "subscription_status": "Subscribed"});
    assert_eq!(service.send(claims(&ours)).outcome, Outcome::Echo);
    assert_eq!((standing(&service).open, standing(&service).doubted_at), (None, None));
    let mut other = claims(&ours);
    other["crm"]["id"] = json!("77");
    for news in [claims(&json!({"subscription_status": "unsubscribed"})), claims(&json!({})), other] {
        assert_eq!(service.send(news.clone()).outcome, Outcome::Heard, "{news}");
        let truth = json!({"contact": {"id": 1, "mobile_number": OLD, "subscription_status": "subscribed"}});
        assert_eq!(asked(&mut service, shows(truth)).1, State::Delivered, "{news}");
    }
}

#[test]
fn what_our_own_call_wrote_of_a_deal_asks_nothing() {
    let mut service = with(ORDERS);
    service.send(event("Checkout Started", json!({})));
    service.contact_call(true);
    let made = object(json!({"id": 91, "deal_stage_id": 11}));
    service.call_of(&key(), Verdict::Stored(Stored { id: Some(91), created: true, shown: Some(made) }));
    let ours = json!({"custom_field.cf_order_id": "A-1", "stage": "New", "amount": "49.9"});
    assert_eq!(service.send(claims_deal(91, &ours)).outcome, Outcome::Echo);
    assert_eq!(service.standing_of(&key()).open, None);
}

#[test]
fn what_is_told_while_the_question_is_on_its_way_is_asked_for_once_more() {
    let mut service = with_sam();
    service.send(claims(&json!({"mobile_number": REP})));
    let id = standing(&service).open.unwrap();
    let order = claim(&id, &mut service.world, &service.settings, service.now).unwrap();
    service.now = service.now.plus(Duration::from_secs(1));
    service.send(claims(&json!({"subscription_status": "unsubscribed"})));
    service.settle(
        order,
        shows(json!({"contact": {"id": 1, "mobile_number": REP, "subscription_status": "subscribed"}})),
    );
    assert!(standing(&service).doubted_at.is_some(), "they may have refused after the contact was read");
    assert_eq!(standing(&service).hearing.of("mobile_number").unwrap().value, json!(REP));
    let truth = json!({"contact": {"id": 1, "mobile_number": REP, "subscription_status": "unsubscribed"}});
    assert_eq!(asked(&mut service, shows(truth)), (Request::ShowContact { id: 1 }, State::Delivered));
    assert_eq!((standing(&service).open, standing(&service).doubted_at), (None, None));
    assert_eq!(standing(&service).hearing.of("subscription_status").unwrap().value, json!("unsubscribed"));
}

#[test]
fn what_is_told_of_a_deal_while_its_question_is_on_its_way_is_asked_for_once_more() {
    let mut service = with(ORDERS);
    service.send(event("Checkout Started", json!({})));
    service.contact_call(true);
    let made = object(json!({"id": 91, "deal_stage_id": 11}));
    service.call_of(&key(), Verdict::Stored(Stored { id: Some(91), created: true, shown: Some(made) }));
    service.send(claims_deal(91, &json!({"custom_field.cf_order_id": "A-1", "amount": "1"})));
    let id = service.standing_of(&key()).open.unwrap();
    let order = claim(&id, &mut service.world, &service.settings, service.now).unwrap();
    service.now = service.now.plus(Duration::from_secs(1));
    service.send(claims_deal(91, &json!({"custom_field.cf_order_id": "A-1", "stage": "Won"})));
    let before = json!({"deal": {"id": 91, "deal_stage_id": 11, "amount": "49.9"}});
    service.settle(order, shows(before));
    assert!(service.standing_of(&key()).doubted_at.is_some(), "it may have been won after it was read");
    let truth = json!({"deal": {"id": 91, "deal_stage_id": 12, "amount": "49.9"}});
    assert_eq!(service.call_of(&key(), shows(truth)).0, "show deal");
    let standing = service.standing_of(&key());
    assert_eq!((standing.doubted_at, standing.open), (None, None));
    assert!(standing.hearing.of("stage").is_some());
}

#[test]
fn whoever_refused_in_freshsales_and_was_deleted_there_is_made_anew_as_who_refused() {
    for merged in [false, true] {
        let mut service = with_sam();
        let mut refused = claims(&json!({"subscription_status": "unsubscribed", "mobile_number": REP}));
        refused["crm"]["verify"] = json!(false);
        refused["consent"] = json!({"marketing": false});
        assert_eq!(service.send(refused).outcome, Outcome::Heard);
        assert!(standing(&service).hearing.of("subscription_status").is_some());
        let id = service.send(lead("+14155550177")).delivery_id.unwrap();
        let order = claim(&id, &mut service.world, &service.settings, service.now).unwrap();
        service.settle(order, Verdict::Stored(Stored { id: Some(2), created: !merged, shown: None }));
        let (again, _) =
            asked(&mut service, Verdict::Stored(Stored { id: Some(2), created: false, shown: None }));
        let Request::UpsertContact { body, .. } = again else { panic!("no upsert: {again:?}") };
        assert_eq!(
            body["contact"]["subscription_status"], "unsubscribed",
            "another contact never heard of it"
        );
        assert_eq!(body["contact"]["mobile_number"], "+14155550177");
        assert_eq!(standing(&service).open, None);
    }
}
