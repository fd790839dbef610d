//! Tests of the delivery room.

use super::*;

#[test]
fn the_lane_of_a_delivery_only_rises() {
    let email = Email::parse("a@example.com").unwrap();
    let id = DeliveryId::of(crate::event::Position(7), 0);
    let delivery = Delivery::open(id, Account("acme".into()), email, Lane::Login, UnixMicros(1));
    let delivery = delivery.absorb(Lane::Refresh);
    assert_eq!((delivery.lane, delivery.events), (Lane::Login, 2));
    assert_eq!(delivery.absorb(Lane::Conversion).lane, Lane::Conversion);
}

fn of(subject: impl Into<Subject>) -> Delivery {
    let id = DeliveryId::of(crate::event::Position(7), 0);
    Delivery::open(id, Account("acme".into()), subject, Lane::Login, UnixMicros(1))
}

#[test]
fn a_delivery_that_was_stored_when_there_were_contacts_alone_is_a_contact_s() {
    let email = Email::parse("a@example.com").unwrap();
    let mut stored = serde_json::to_value(of(email.clone())).unwrap();
    assert_eq!(stored["subject"], "contact:a@example.com");
    let fields = stored.as_object_mut().unwrap();
    fields.remove("subject");
    fields.insert("email".into(), "a@example.com".into());
    let read: Delivery = serde_json::from_value(stored).unwrap();
    assert_eq!((read.email(), &read), (Some(&email), &of(email.clone())));
}

#[test]
fn a_delivery_of_a_deal_keeps_whom_it_is_about() {
    let email = Email::parse("a@example.com").unwrap();
    let mut deal = of(DealKey::of("default", "order", "A-1001").unwrap());
    assert_eq!(deal.email(), None);
    deal.person = Some(email.clone());
    let read: Delivery = serde_json::from_str(&serde_json::to_string(&deal).unwrap()).unwrap();
    assert_eq!((read.email(), &read), (Some(&email), &deal));
}

#[test]
fn a_stored_subject_that_names_no_record_is_not_read() {
    let mut stored = serde_json::to_value(of(CompanyKey::of("Acme").unwrap())).unwrap();
    assert_eq!(stored["subject"], "company:acme");
    for text in ["acme", "companies:acme", "contact:", "deal:order"] {
        stored["subject"] = text.into();
        assert!(serde_json::from_value::<Delivery>(stored.clone()).is_err(), "{text}");
    }
}
