//! Somebody's address changes, and their contact in Freshsales gets the new one.

use super::calls::{sent, stored};
use super::*;
use crate::contact::Standing;
use crate::delivery::{DeliveryId, Request, State, Stored, Verdict};
use crate::event::Email;

const OLD: &str = "ann@old.example";
const NEW: &str = "ann@new.example";

fn says(email: &str) -> Value {
    json!({"type": "identify", "userId": "ann", "traits": {"email": email, "city": "Oslo"}})
}

/// Ann has a contact of this id under her old address.
fn known(on_email_change: OnEmailChange) -> Service {
    let mut service = Service::new(Settings { on_email_change, ..settings() });
    service.send(says(OLD));
    let lead = service.send(json!({"type": "track", "event": "Lead Generated", "userId": "ann"}));
    service.end(lead.delivery_id.as_ref().unwrap(), stored());
    service
}

fn renamed(service: &mut Service) -> (DeliveryId, CallOrder) {
    let id = service.send(says(NEW)).delivery_id.unwrap();
    let order = service.claim(&id);
    (id, order)
}

impl Service {
    fn end(&mut self, id: &DeliveryId, verdict: Verdict) {
        let order = self.claim(id);
        self.answer(order, verdict);
    }

    fn of(&self, email: &str) -> Standing {
        let email = Email::parse(email).unwrap();
        self.world
            .contacts
            .get(&email)
            .map(|contact| contact.with(&self.settings.account))
            .unwrap_or_default()
    }
}

fn refused(attribute: Option<&str>, again: bool) -> Verdict {
    let attribute = attribute.map(str::to_owned);
    Verdict::Refused { reason: "Email is not unique".into(), attribute, demanded: false, again }
}

fn told() -> Verdict {
    Verdict::Stored(Stored { id: Some(7), created: false, shown: None })
}

#[test]
fn the_contact_gets_the_new_address_by_its_id() {
    let mut service = known(OnEmailChange::Rename);
    let (id, order) = renamed(&mut service);
    assert!(matches!(order.request, Request::RenameContact { id: 7, .. }), "{:?}", order.request);
    assert_eq!(sent(&order), &json!({"contact": {"emails": NEW}}));
    service.answer(order, told());
    assert_eq!(service.delivery(&id).state, State::Delivered);
    assert_eq!((service.of(NEW).contact_id, service.of(NEW).ours), (Some(7), true));
    assert_eq!(service.of(OLD), Standing::default(), "Freshsales has nobody under it");
    // From here on it is a contact like any other.
    assert_eq!(service.send(says(NEW)).outcome, Outcome::Unchanged);
    let moved = service.send(json!({"type": "identify", "userId": "ann", "traits": {"city": "Rome"}}));
    let order = service.claim(&moved.delivery_id.unwrap());
    assert_eq!(sent(&order)["contact"], json!({"emails": NEW, "city": "Rome"}));
    assert!(matches!(order.request, Request::UpsertContact { .. }));
}

#[test]
fn by_default_the_new_address_is_a_contact_of_its_own() {
    let mut service = known(OnEmailChange::New);
    let decided = service.send(says(NEW));
    let lead = service.send(json!({"type": "track", "event": "Lead Generated", "userId": "ann"}));
    let order = service.claim(&lead.delivery_id.or(decided.delivery_id).unwrap());
    assert!(matches!(order.request, Request::UpsertContact { .. }));
    assert_eq!((service.of(NEW).contact_id, service.of(OLD).contact_id), (None, Some(7)));
}

#[test]
fn what_else_has_changed_goes_along_and_what_has_not_does_not() {
    let mut service = known(OnEmailChange::Rename);
    let mut event = says(NEW);
    event["traits"]["city"] = json!("Bern");
    let id = service.send(event).delivery_id.unwrap();
    let order = service.claim(&id);
    assert_eq!(sent(&order), &json!({"contact": {"emails": NEW, "city": "Bern"}}));
}

#[test]
fn a_call_that_was_not_answered_is_repeated_by_the_same_id() {
    let mut service = known(OnEmailChange::Rename);
    let (id, order) = renamed(&mut service);
    service.answer(order, Verdict::Passing { reason: "no answer in time".into() });
    assert_eq!(service.delivery(&id).state, State::Retrying);
    let order = service.claim(&id);
    assert!(matches!(order.request, Request::RenameContact { id: 7, .. }));
    // Killed on the way.
    void_claim(&id, &mut service.world, service.now);
    let order = service.claim(&id);
    assert!(matches!(order.request, Request::RenameContact { id: 7, .. }));
    service.answer(order, told());
    assert_eq!((service.of(NEW).contact_id, service.of(OLD).contact_id), (Some(7), None));
}

#[test]
fn an_address_that_another_contact_has_is_that_contacts() {
    for verdict in [refused(Some("emails"), false), refused(None, true)] {
        let mut service = known(OnEmailChange::Rename);
        let (id, order) = renamed(&mut service);
        service.answer(order, verdict);
        assert_eq!((service.of(NEW).renames, service.of(OLD).renamed_to), (None, None));
        assert_eq!(service.of(OLD).contact_id, Some(7), "it stays as it is");
        assert!(
            service.delivery(&id).reason.as_ref().unwrap().contains("another contact with the new address")
        );
        let lead = service.send(json!({"type": "track", "event": "Lead Generated", "userId": "ann"}));
        let order = service.claim(&lead.delivery_id.unwrap());
        assert!(matches!(order.request, Request::UpsertContact { .. }));
    }
}

#[test]
fn a_contact_that_is_gone_is_created_anew() {
    let mut service = known(OnEmailChange::Rename);
    let (id, order) = renamed(&mut service);
    service.answer(order, Verdict::Gone { reason: "no such contact".into() });
    assert_eq!((service.of(OLD).contact_id, service.of(NEW).renames), (None, None));
    service.send(json!({"type": "track", "event": "Lead Generated", "userId": "ann"}));
    let order = service.claim(&id);
    assert!(matches!(order.request, Request::UpsertContact { .. }));
}

#[test]
fn a_visitors_word_renames_nobody() {
    let mut service = known(OnEmailChange::Rename);
    service.visit(says(NEW));
    assert_eq!(service.of(NEW).renames, None);
    // Nor does a server's, where a visitor named the address before: it may be somebody else's.
    let mut service = Service::new(Settings { on_email_change: OnEmailChange::Rename, ..settings() });
    service.visit(says(OLD));
    let lead = service.visit(json!({"type": "track", "event": "Lead Generated", "userId": "ann"}));
    let id = lead.delivery_id.unwrap();
    let asked = service.claim(&id);
    service.settle(asked, Verdict::Stored(Stored::default()));
    service.end(&id, stored());
    service.send(says(NEW));
    assert_eq!(service.of(NEW).renames, None);
}

#[test]
fn an_address_that_somebody_else_has_too_stays_theirs() {
    let mut service = known(OnEmailChange::Rename);
    service.send(json!({"type": "identify", "userId": "bob", "traits": {"email": OLD}}));
    service.send(says(NEW));
    let lead = service.send(json!({"type": "track", "event": "Lead Generated", "userId": "ann"}));
    let order = service.claim(&lead.delivery_id.unwrap());
    assert!(matches!(order.request, Request::UpsertContact { .. }));
}

#[test]
fn while_a_call_with_the_old_address_is_on_its_way_the_new_one_waits() {
    let mut service = Service::new(Settings { on_email_change: OnEmailChange::Rename, ..settings() });
    service.send(says(OLD));
    let lead = service.send(json!({"type": "track", "event": "Lead Generated", "userId": "ann"}));
    let first = service.claim(&lead.delivery_id.unwrap());
    let id = service.send(says(NEW)).delivery_id.unwrap();
    assert!(claim(&id, &mut service.world, &service.settings, service.now).is_none());
    assert!(service.delivery(&id).state.is_open());
    service.answer(first, stored());
    let order = service.claim(&id);
    assert!(matches!(order.request, Request::RenameContact { id: 7, .. }));
}

#[test]
fn an_address_that_never_was_told_leads_to_the_one_before_it() {
    let mut service = known(OnEmailChange::Rename);
    service.send(says("ann@never.example"));
    let (_, order) = renamed(&mut service);
    assert!(matches!(order.request, Request::RenameContact { id: 7, .. }));
    service.answer(order, told());
    assert_eq!(service.of("ann@never.example").renames, None);
    // And back again.
    let id = service.send(says(OLD)).delivery_id.unwrap();
    let order = service.claim(&id);
    assert_eq!(sent(&order), &json!({"contact": {"emails": OLD}}));
    service.answer(order, told());
    assert_eq!((service.of(OLD).contact_id, service.of(NEW).contact_id), (Some(7), None));
}

#[test]
fn who_comes_back_before_the_call_is_not_renamed() {
    let mut service = known(OnEmailChange::Rename);
    let id = service.send(says(NEW)).delivery_id.unwrap();
    assert_eq!(service.send(says(OLD)).outcome, Outcome::Unchanged);
    assert!(claim(&id, &mut service.world, &service.settings, service.now).is_none());
    assert_eq!(service.of(OLD).contact_id, Some(7));
    let moved = service.send(json!({"type": "identify", "userId": "ann", "traits": {"city": "Rome"}}));
    let order = service.claim(&moved.delivery_id.unwrap());
    assert_eq!(sent(&order)["contact"], json!({"emails": OLD, "city": "Rome"}));
}

#[test]
fn with_a_person_goes_what_was_to_be_renamed_for_them() {
    let mut service = known(OnEmailChange::Rename);
    service.send(says(NEW));
    assert!(service.of(NEW).renames.is_some() && service.of(OLD).renamed_to.is_some());
    for email in [OLD, NEW] {
        let email = Email::parse(email).unwrap();
        service.world.leave(&email, |key| key.to_string() == "user:ann");
    }
    assert_eq!((service.of(NEW).renames, service.of(OLD).renamed_to), (None, None));
}
