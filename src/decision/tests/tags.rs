//! Tags of a contact are joined with those it has, and only ours are ever taken off.

use super::calls::sent;
use super::*;
use crate::contact::Standing;
use crate::delivery::{DeliveryId, Request, State, Stored, Verdict};
use crate::event::Email;

const TAGS: &str = r#"
    [fields.tags]
    from = ["traits.tags"]
    convert = "tags"
    [events."Lead Generated".fields.tags]
    const = ["Lead"]
"#;

fn service() -> Service {
    let mut settings = settings();
    settings.preset = Preset::parse(Some(TAGS)).unwrap();
    Service::new(settings)
}

fn lead(traits: &Value) -> Value {
    let mut traits = traits.clone();
    traits["email"] = json!("ann@example.com");
    json!({"type": "track", "event": "Lead Generated", "userId": "ann", "context": {"traits": traits}})
}

fn identify(tags: &Value) -> Value {
    json!({"type": "identify", "userId": "ann", "traits": {"email": "ann@example.com", "tags": tags}})
}

fn shows(contact: &Value, created: bool) -> Verdict {
    Verdict::Stored(Stored { id: Some(7), created, shown: contact.as_object().cloned() })
}

/// The answer to a question.
fn answers(tags: &Value) -> Verdict {
    let shown = json!({"contact": {"id": 7, "tags": tags}, "deals": []});
    Verdict::Stored(Stored { id: None, created: false, shown: shown.as_object().cloned() })
}

impl Service {
    fn ann(&self) -> Standing {
        let email = Email::parse("ann@example.com").unwrap();
        self.world.contacts.get(&email).unwrap().with(&self.settings.account)
    }

    /// The next call of a delivery, answered so; the tags it carried.
    fn tags_sent(&mut self, id: &DeliveryId, verdict: Verdict) -> Value {
        let order = self.claim(id);
        assert!(matches!(order.request, Request::UpsertContact { .. }), "{:?}", order.request);
        let tags = sent(&order)["contact"]["tags"].clone();
        self.settle(order, verdict);
        tags
    }

    /// The next call asks for the contact, and is answered so.
    fn looks(&mut self, id: &DeliveryId, verdict: Verdict) {
        let order = self.claim(id);
        assert_eq!(order.request, Request::ShowContact { id: 7 });
        self.settle(order, verdict);
    }
}

/// Ann, whom Freshsales had with these tags; what was sent in the end.
fn known(there: &Value) -> (Service, Value) {
    let mut service = service();
    let id = service.send(lead(&json!({}))).delivery_id.unwrap();
    let first = service.tags_sent(&id, shows(&json!({"id": 7, "tags": there}), false));
    assert_eq!(first, Value::Null, "nobody knows which tags it has, and a list takes their place");
    let then = service.tags_sent(&id, shows(&json!({"id": 7}), false));
    assert_eq!(service.delivery(&id).state, State::Delivered);
    (service, then)
}

#[test]
fn what_people_have_put_there_stays() {
    let (service, then) = known(&json!(["vip", "Fair 2026"]));
    assert_eq!(then, json!(["vip", "Fair 2026", "Lead"]));
    assert_eq!(service.ann().tags_ours.iter().collect::<Vec<_>>(), ["lead"]);
}

#[test]
fn tags_that_are_there_already_are_no_call() {
    let mut service = service();
    let id = service.send(lead(&json!({}))).delivery_id.unwrap();
    service.tags_sent(&id, shows(&json!({"id": 7, "tags": ["lead", "vip"]}), false));
    assert_eq!(service.delivery(&id).state, State::Delivered);
    assert!(service.ann().tags_ours.is_empty(), "somebody else put it there, so it stays for good");
    assert_eq!(service.send(lead(&json!({}))).outcome, Outcome::Unchanged);
}

#[test]
fn a_new_contact_gets_its_tags_in_a_second_call() {
    let mut service = service();
    let id = service.send(lead(&json!({"tags": ["A"]}))).delivery_id.unwrap();
    assert_eq!(
        service.tags_sent(&id, Verdict::Stored(Stored { id: Some(7), created: true, shown: None })),
        Value::Null
    );
    assert_eq!(service.tags_sent(&id, shows(&json!({"id": 7}), false)), json!(["Lead", "A"]));
}

#[test]
fn later_changes_ask_once_and_take_off_only_what_came_from_here() {
    let (mut service, _) = known(&json!(["vip"]));
    let id = service.send(identify(&json!(["A", "B"]))).delivery_id.unwrap();
    // Nothing showed them lately: a person has added one meanwhile.
    service.looks(&id, answers(&json!(["vip", "Lead", "hot"])));
    assert_eq!(
        service.tags_sent(&id, shows(&json!({"id": 7}), false)),
        json!(["vip", "Lead", "hot", "A", "B"])
    );
    let id = service.send(identify(&json!(["B"]))).delivery_id.unwrap();
    service.looks(&id, answers(&json!(["vip", "Lead", "hot", "A", "B"])));
    assert_eq!(service.tags_sent(&id, shows(&json!({"id": 7}), false)), json!(["vip", "Lead", "hot", "B"]));
}

#[test]
fn what_a_person_took_off_stays_off_until_it_is_said_anew() {
    let (mut service, _) = known(&json!([]));
    assert_eq!(service.send(lead(&json!({}))).outcome, Outcome::Unchanged);
    let id = service.send(identify(&json!(["A"]))).delivery_id.unwrap();
    service.looks(&id, answers(&json!([])));
    assert_eq!(
        service.tags_sent(&id, shows(&json!({"id": 7}), false)),
        json!(["Lead", "A"]),
        "a change tells all of ours"
    );
}

#[test]
fn a_call_without_an_answer_is_repeated_with_the_same_list() {
    let mut service = service();
    let id = service.send(lead(&json!({}))).delivery_id.unwrap();
    service.tags_sent(&id, shows(&json!({"id": 7, "tags": ["vip"]}), false));
    let lost = Verdict::Passing { reason: "no answer in time".into() };
    assert_eq!(service.tags_sent(&id, lost), json!(["vip", "Lead"]));
    assert_eq!(service.tags_sent(&id, shows(&json!({"id": 7}), false)), json!(["vip", "Lead"]));
    assert_eq!(service.ann().tags_ours.len(), 1);
}

#[test]
fn what_one_event_says_takes_nothing_away_that_another_said() {
    let mut service = service();
    service.send(identify(&json!("A, B")));
    service.send(lead(&json!({})));
    let email = Email::parse("ann@example.com").unwrap();
    let wish = consider(&email, &service.world, &service.settings).wish;
    assert_eq!(wish.attributes["tags"], json!(["A", "B", "Lead"]));
}

#[test]
fn a_mapping_that_would_replace_the_tags_of_deals_or_companies_is_refused() {
    let mapping = "[company]\nname = [\"traits.company\"]\nlink = \"never\"\n[company.fields.tags]\nfrom = [\"traits.t\"]\n\
                   [deals.d]\nkey = \"person\"\nname = \"x\"\n[deals.d.fields.tags]\nfrom = [\"traits.t\"]";
    let problems = Preset::parse(Some(mapping)).unwrap_err();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[1].to_string().contains("set when = \"create\""), "{problems:?}");
}
