//! Contacts that somebody deleted or merged in Freshsales, as a deal or a note shows that is to hang on them.

use super::deals::{ORDERS, answered, event, key, stored, with};
use super::*;
use crate::delivery::{DeliveryId, Request, State, Stored, Subject, Verdict};
use crate::event::Email;

const NOTE: &str = r#"
[events."Demo Requested"]
lane = "conversion"
[events."Demo Requested".note]
text = "Wants a demo"
"#;

fn jane() -> Email {
    Email::parse("jane@example.com").unwrap()
}

fn gone() -> Verdict {
    Verdict::Gone { reason: "404".to_owned() }
}

fn nowhere(attribute: &str) -> Verdict {
    Verdict::Refused {
        reason: format!("{attribute} names nothing of this account"),
        attribute: Some(attribute.to_owned()),
        demanded: false,
        again: false,
    }
}

fn nobody() -> Verdict {
    answered(json!({"contacts": {"contacts": []}}))
}

/// A shop of which Freshsales has Jane as contact 7.
fn with_jane() -> Service {
    let mut shop = with(&format!("{ORDERS}{NOTE}"));
    shop.send(event("Lead Generated", json!({})));
    shop.contact_call(true);
    shop
}

impl Service {
    fn open_delivery_of(&self, subject: &Subject) -> Option<DeliveryId> {
        open_delivery(subject, &self.world, &self.settings.account).cloned()
    }

    /// The next call of Jane's contact, answered so.
    fn asked_of_jane(&mut self, verdict: Verdict) -> Request {
        let id = self.open_delivery_of(&Subject::Contact(jane())).expect("the contact is owed a call");
        let order = claim(&id, &mut self.world, &self.settings, self.now).expect("a call leaves");
        let request = order.request.clone();
        self.settle(order, verdict);
        request
    }

    /// The contacts of the deal that is created next.
    fn created_for(&mut self) -> Value {
        let id = self.open_delivery_of(&Subject::Deal(key())).expect("the deal is owed a call");
        self.now = UnixMicros(self.now.0 + 1_000_000);
        let order = claim(&id, &mut self.world, &self.settings, self.now).expect("a call leaves");
        let Request::CreateDeal { body } = order.request.clone() else { panic!("no creation") };
        self.settle(order, stored(900, true, json!({"id": 900})));
        body["deal"]["contacts_added_list"].clone()
    }
}

#[test]
fn a_contact_that_was_deleted_is_made_anew_for_the_deal_that_hangs_on_it() {
    let mut shop = with_jane();
    shop.send(event("Order Completed", json!({})));
    assert_eq!(shop.call_of(&key(), nowhere("contacts_added_list")).0, "create");
    assert!(shop.open_delivery_of(&Subject::Deal(key())).is_some(), "no dead letter");
    assert_eq!(shop.asked_of_jane(gone()), Request::ShowContact { id: 7 });
    assert_eq!(shop.asked_of_jane(nobody()), Request::FindContact { email: jane() });
    let Request::UpsertContact { body, .. } = shop.asked_of_jane(stored(8, true, json!({"id": 8}))) else {
        panic!("it is made anew")
    };
    assert_eq!(body["contact"]["last_name"], "Doe", "with everything");
    assert_eq!(shop.created_for(), json!([8]));
    assert_eq!(shop.open_delivery_of(&Subject::Contact(jane())), None);
}

#[test]
fn a_contact_that_was_merged_is_found_under_its_new_id() {
    let mut shop = with_jane();
    shop.send(event("Order Completed", json!({})));
    shop.call_of(&key(), nowhere("contacts_added_list"));
    shop.asked_of_jane(gone());
    shop.asked_of_jane(answered(json!({"contacts": {"contacts": [{"id": 9, "last_name": "Doe"}]}})));
    assert_eq!(shop.created_for(), json!([9]));
}

#[test]
fn a_contact_that_is_there_is_asked_once_and_the_deal_is_kept_as_a_dead_letter() {
    let mut shop = with_jane();
    shop.send(event("Order Completed", json!({})));
    shop.call_of(&key(), nowhere("contacts_added_list"));
    shop.asked_of_jane(answered(json!({"contact": {"id": 7, "last_name": "Doe"}})));
    let id = shop.open_delivery_of(&Subject::Deal(key())).expect("the deal is tried again");
    shop.call_of(&key(), nowhere("contacts_added_list"));
    assert_eq!(shop.world.deliveries.get(&id).unwrap().state, State::Dead);
    assert_eq!(shop.open_delivery_of(&Subject::Contact(jane())), None, "it is not asked for ever");
}

#[test]
fn a_note_on_a_contact_that_was_deleted_is_written_on_the_new_one() {
    let mut shop = with_jane();
    shop.send(event("Demo Requested", json!({})));
    let note = shop.world.happenings.iter().map(|(id, _)| id.clone()).next().expect("a note is owed");
    let told = |shop: &mut Service, verdict: Verdict| {
        let id = shop.open_delivery_of(&Subject::Happening(note.clone())).expect("the note is owed a call");
        shop.now = UnixMicros(shop.now.0 + 61_000_000);
        let order = claim(&id, &mut shop.world, &shop.settings, shop.now).expect("a call leaves");
        let target = order.request.attributes().and_then(|told| told["targetable_id"].as_u64());
        shop.settle(order, verdict);
        target
    };
    if shop.open_delivery_of(&Subject::Contact(jane())).is_some() {
        shop.asked_of_jane(stored(7, false, json!({"id": 7})));
    }
    assert_eq!(told(&mut shop, nowhere("targetable_id")), Some(7));
    shop.asked_of_jane(gone());
    shop.asked_of_jane(nobody());
    shop.asked_of_jane(stored(8, true, json!({"id": 8})));
    let taken = Verdict::Stored(Stored { id: Some(50), created: true, shown: None });
    assert_eq!(told(&mut shop, taken), Some(8));
}
