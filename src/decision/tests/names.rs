//! Names in the place of ids: what is sent for them, what becomes of those the account does not have, and a lifecycle stage that
//! never goes back.

use std::sync::Arc;

use super::calls::sent;
use super::*;
use crate::contact::StageSeen;
use crate::delivery::{DeliveryId, Request, State, Stored, Verdict};
use crate::event::Email;
use crate::selectors::{Answered, Kind, Selectors, Table};

const LEAD: u64 = 10;
const QUALIFIED: u64 = 11;
const CUSTOMER: u64 = 12;

const MAPPING: &str = r#"
    [fields.lead_source]
    const = "Web"
    when = "create"
    [fields.owner]
    from = ["traits.manager"]
    [events."Signed Up".fields.lifecycle_stage]
    const = "Lead"
    [events."Order Completed".fields.lifecycle_stage]
    const = "customer"
    [events."Order Completed".fields.contact_status]
    const = "Won"
"#;
const FORWARD: &str = "[fields.lifecycle_stage]\nforward_only = true\n";

fn selectors(lists: &[(Kind, Value)]) -> Arc<Selectors> {
    let mut selectors = Selectors::default();
    for (kind, answer) in lists {
        selectors.learn(*kind, UnixMicros(START), Answered::Known(Table::read(*kind, answer).unwrap()));
    }
    Arc::new(selectors)
}

fn known() -> Arc<Selectors> {
    selectors(&[
        (Kind::Owners, json!({"users": [{"id": 1, "email": "kim@acme.com"}]})),
        (Kind::LeadSources, json!({"lead_sources": [{"id": 7, "name": "Web"}]})),
        (
            Kind::LifecycleStages,
            json!({"lifecycle_stages": [
                {"id": LEAD, "name": "Lead", "position": 1, "contact_status_ids": [20]},
                {"id": QUALIFIED, "name": "Sales Qualified Lead", "position": 2, "contact_status_ids": [21]},
                {"id": CUSTOMER, "name": "Customer", "position": 3, "contact_status_ids": [22, 23]}]}),
        ),
        (
            Kind::ContactStatuses,
            json!({"contact_statuses": [{"id": 20, "name": "New"}, {"id": 21, "name": "Won"}, {"id": 23, "name": "Won"}]}),
        ),
    ])
}

fn by(mapping: &str, selectors: Arc<Selectors>) -> Service {
    Service::new(Settings { preset: Preset::parse(Some(mapping)).unwrap(), selectors, ..settings() })
}

impl Service {
    fn sam(&mut self, traits: &Value) -> Decided {
        let mut whole = json!({"email": "sam@example.com", "last_name": "Lee"});
        whole.as_object_mut().unwrap().extend(traits.as_object().unwrap().clone());
        self.send(json!({"type": "identify", "userId": "u", "traits": whole}))
    }

    fn did(&mut self, event: &str) -> Decided {
        self.send(json!({"type": "track", "event": event, "userId": "u"}))
    }

    /// Freshsales stores the call, and shows the contact in this stage.
    fn stores_in(&mut self, order: CallOrder, stage: Option<u64>) {
        let shown = json!({"id": 7, "lifecycle_stage_id": stage});
        let shown = shown.as_object().cloned();
        self.answer(order, Verdict::Stored(Stored { id: Some(7), created: false, shown }));
    }
}

#[test]
fn names_are_sent_as_the_ids_that_the_account_has_for_them() {
    let mut service = by(MAPPING, known());
    service.sam(&json!({"manager": "KIM@acme.com"}));
    let signed_up = service.did("Signed Up");
    assert_eq!(
        service.deliver(&signed_up).unwrap(),
        json!({"emails": "sam@example.com", "last_name": "Lee", "lead_source_id": 7, "lifecycle_stage_id": LEAD,
            "owner_id": 1})
    );
    let ordered = service.did("Order Completed");
    assert_eq!(
        service.deliver(&ordered).unwrap(),
        json!({"emails": "sam@example.com", "lifecycle_stage_id": CUSTOMER, "contact_status_id": 23})
    );
}

#[test]
fn a_name_that_the_account_does_not_have_is_left_out_and_said() {
    let mut service = by(MAPPING, known());
    service.sam(&json!({"manager": "sam@acme.com"}));
    let signed_up = service.did("Signed Up");
    let notes = signed_up.notes.join("\n");
    assert!(
        notes.contains("owner left out: the account has no user with this email (traits.manager)"),
        "{notes}"
    );
    assert_eq!(service.deliver(&signed_up).unwrap()["owner_id"], Value::Null);
    service.settings.selectors =
        selectors(&[(Kind::LeadSources, json!({"lead_sources": [{"id": 1, "name": "Ads"}]}))]);
    let again = service.did("Signed Up");
    let notes = again.notes.join("\n");
    assert!(
        notes.contains("lead_source left out: the account has no lead source `Web`; it has Ads (const)"),
        "{notes}"
    );
    assert!(notes.contains("lifecycle_stage left out: the account was not asked yet"), "{notes}");
    assert_eq!(
        service.settings.missing_names(),
        ["lead_source: the account has no lead source `Web`; it has Ads"]
    );
}

#[test]
fn a_name_that_comes_to_be_known_is_sent_by_the_review() {
    let mut service = by(MAPPING, Arc::default());
    service.sam(&json!({}));
    let signed_up = service.did("Signed Up");
    assert_eq!(
        service.deliver(&signed_up).unwrap(),
        json!({"emails": "sam@example.com", "last_name": "Lee"})
    );
    let before = service.settings.fingerprint();
    service.settings.selectors = known();
    assert_ne!(service.settings.fingerprint(), before);
    let records = [Email::parse("sam@example.com").unwrap().into()];
    let review = Review::begin(None, Because::Settings, &service.settings, 1, service.now);
    let review = review.page(&records, &mut service.world, &service.settings, service.now);
    assert_eq!(review.opened, 1);
    let id = service.standing().open.unwrap();
    let order = service.claim(&id);
    assert_eq!(sent(&order)["contact"], json!({"emails": "sam@example.com", "lifecycle_stage_id": LEAD}));
}

#[test]
fn a_mapping_without_names_needs_no_list_and_its_fingerprint_heeds_none() {
    let mut service = Service::new(settings());
    assert!(service.settings.selectors_needed().is_empty());
    let before = service.settings.fingerprint();
    service.settings.selectors = known();
    assert_eq!(service.settings.fingerprint(), before);
}

#[test]
fn an_id_that_came_from_a_name_and_is_refused_goes_again_once_the_name_has_another() {
    let mut service = by(MAPPING, known());
    service.sam(&json!({}));
    let id = service.did("Signed Up").delivery_id.unwrap();
    let order = service.claim(&id);
    let attribute = Some("lead_source_id".to_owned());
    assert_eq!(list_of("lead_source_id", &service.settings), Some(Kind::LeadSources));
    let refused = Verdict::Refused {
        reason: "Invalid lead source provided.".into(),
        attribute,
        demanded: false,
        again: false,
    };
    service.answer(order, refused);
    let order = service.claim(&id);
    assert_eq!(sent(&order)["contact"]["lead_source_id"], Value::Null);
    assert_eq!(service.standing().left_out["lead_source_id"], 7);
}

#[test]
fn a_stage_that_never_goes_back_waits_for_what_the_first_answer_shows() {
    let mut service = by(&format!("{FORWARD}{MAPPING}"), known());
    service.sam(&json!({}));
    let id = service.did("Signed Up").delivery_id.unwrap();
    let order = service.claim(&id);
    assert_eq!(sent(&order)["contact"].get("lifecycle_stage_id"), None);
    // Somebody made the contact a customer before it was heard of here.
    service.stores_in(order, Some(CUSTOMER));
    let delivery = service.delivery(&id);
    assert_eq!(delivery.state, State::Delivered);
    assert!(
        delivery.reason.as_ref().unwrap().contains("Freshsales has the contact in Customer"),
        "{delivery:?}"
    );
    assert_eq!(service.did("Signed Up").outcome, Outcome::Unchanged);
}

#[test]
fn a_stage_goes_in_the_second_call_where_the_contact_is_in_none_or_an_earlier_one() {
    for stage in [None, Some(LEAD)] {
        let mut service = by(&format!("{FORWARD}{MAPPING}"), known());
        service.sam(&json!({}));
        service.did("Signed Up");
        let id = service.did("Order Completed").delivery_id.unwrap();
        let order = service.claim(&id);
        service.stores_in(order, stage);
        let order = service.claim(&id);
        assert_eq!(
            sent(&order)["contact"],
            json!({"emails": "sam@example.com", "lifecycle_stage_id": CUSTOMER, "contact_status_id": 23})
        );
        service.stores_in(order, Some(CUSTOMER));
        assert_eq!(service.delivery(&id).state, State::Delivered);
    }
}

#[test]
fn the_furthest_stage_that_was_said_counts_whatever_came_last() {
    let mut service = by(&format!("{FORWARD}{MAPPING}"), known());
    service.sam(&json!({}));
    service.did("Order Completed");
    let id = service.did("Signed Up").delivery_id.unwrap();
    let order = service.claim(&id);
    service.stores_in(order, Some(QUALIFIED));
    let order = service.claim(&id);
    assert_eq!(sent(&order)["contact"]["lifecycle_stage_id"], CUSTOMER);
}

#[test]
fn where_nobody_has_looked_lately_freshsales_is_asked_before_a_stage_is_moved() {
    let mut service = by(&format!("{FORWARD}{MAPPING}"), known());
    service.sam(&json!({}));
    let id = service.did("Signed Up").delivery_id.unwrap();
    let order = service.claim(&id);
    service.stores_in(order, Some(LEAD));
    service.now = UnixMicros(service.now.0 + HOUR);
    let id: DeliveryId = service.did("Order Completed").delivery_id.unwrap();
    let question = service.claim(&id);
    assert_eq!(question.request, Request::ShowContact { id: 7 });
    let contact = |stage: u64| {
        let shown = json!({"contact": {"id": 7, "lifecycle_stage_id": stage}, "deals": []});
        Verdict::Stored(Stored { id: None, created: false, shown: shown.as_object().cloned() })
    };
    service.settle(question, contact(LEAD));
    assert_eq!(service.standing().stage_seen, Some(StageSeen { id: Some(LEAD), at: service.now }));
    let order = service.claim(&id);
    assert_eq!(sent(&order)["contact"]["lifecycle_stage_id"], CUSTOMER);
    service.stores_in(order, Some(CUSTOMER));
    assert_eq!(service.delivery(&id).state, State::Delivered);
}

#[test]
fn a_contact_that_a_person_has_moved_past_the_stage_is_left_there_without_a_call() {
    let mut service = by(&format!("{FORWARD}{MAPPING}"), known());
    service.sam(&json!({}));
    let id = service.did("Signed Up").delivery_id.unwrap();
    let order = service.claim(&id);
    service.stores_in(order, None);
    service.now = UnixMicros(service.now.0 + HOUR);
    let question = service.claim(&id);
    assert_eq!(question.request, Request::ShowContact { id: 7 });
    let shown = json!({"contact": {"id": 7, "lifecycle_stage_id": QUALIFIED}});
    let shown = Verdict::Stored(Stored { id: None, created: false, shown: shown.as_object().cloned() });
    service.settle(question, shown);
    assert!(claim(&id, &mut service.world, &service.settings, service.now).is_none());
    let delivery = service.delivery(&id);
    assert_eq!(delivery.state, State::Superseded);
    assert!(delivery.reason.as_ref().unwrap().contains("in Sales Qualified Lead"), "{delivery:?}");
}

#[test]
fn a_question_without_an_answer_is_asked_again() {
    let mut service = by(&format!("{FORWARD}{MAPPING}"), known());
    service.sam(&json!({}));
    let id = service.did("Signed Up").delivery_id.unwrap();
    let order = service.claim(&id);
    service.stores_in(order, None);
    service.now = UnixMicros(service.now.0 + HOUR);
    let question = service.claim(&id);
    service.settle(question, Verdict::Passing { reason: "no answer in time".into() });
    service.now = UnixMicros(service.now.0 + HOUR);
    assert_eq!(service.claim(&id).request, Request::ShowContact { id: 7 });
}

#[test]
fn the_first_rule_that_fits_says_who_owns_a_contact() {
    let rules = r#"
        [[fields.owner.rules]]
        from = "traits.country"
        in = ["DE", "AT"]
        to = "kim@acme.com"
        [[fields.owner.rules]]
        from = "traits.seats"
        is = 500
        to = 9
    "#;
    for (traits, owner) in [
        (json!({"country": "at", "seats": 500}), json!(1)),
        (json!({"country": "FR", "seats": "500"}), json!(9)),
        (json!({"country": "FR"}), Value::Null),
    ] {
        let mut service = by(rules, known());
        service.sam(&traits);
        let lead = service.did("Lead Generated");
        assert_eq!(service.deliver(&lead).unwrap()["owner_id"], owner, "{traits}");
    }
    for (file, problem) in [
        ("[[fields.owner_id.rules]]\nfrom = \"traits.x\"\nto = \"Kim\"", "must be a whole number"),
        ("[[fields.owner.rules]]\nfrom = \"x\"\nto = \"Kim\"", "must begin with traits."),
        (
            "[fields.owner]\nconst = 1\n[[fields.owner.rules]]\nfrom = \"traits.x\"\nto = 1",
            "take the place of",
        ),
    ] {
        let problems = Preset::parse(Some(file)).unwrap_err();
        assert!(problems[0].to_string().contains(problem), "{problems:?}");
    }
}

#[test]
fn only_a_lifecycle_stage_can_be_kept_from_going_back() {
    let problems = Preset::parse(Some("[fields.city]\nforward_only = true")).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "line 2, fields.city.forward_only: only lifecycle_stage has an order: take it out"
    );
}
