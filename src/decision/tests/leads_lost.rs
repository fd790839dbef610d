//! Whatever calls of a lead get lost, there is never a second record.

use super::calls::sent;
use super::leads::{SAM, lead, leads, nobody, passing, sam, shows, stored};
use super::*;
use crate::delivery::{Birth, Request, State, Stored, Verdict};

#[test]
fn what_a_lost_call_wrote_is_ours_and_a_visitor_goes_on_correcting_their_own() {
    let mut service = Service::new(leads());
    let id = service.visit(lead(&json!({"name": "Sam Lee", "city": "Oslo"}))).delivery_id.unwrap();
    service.look(&id, nobody());
    let order = service.create(&id);
    service.settle(order, passing());
    let there =
        json!([{"id": 7, "first_name": "Sam", "last_name": "Lee", "city": "Oslo", "job_title": "CTO"}]);
    service.look(&id, shows(&there, &json!([])));
    let order = service.next_call(&id);
    service.settle(order, stored(7, false));
    let moved = service.visit(lead(&json!({"city": "Rome"})));
    let order = service.next_call(&moved.delivery_id.unwrap());
    assert_eq!(sent(&order)["lead"]["city"], "Rome");
}

#[test]
fn a_creation_that_was_not_answered_and_took_effect_is_found_and_not_repeated() {
    let (mut service, id) = sam();
    service.look(&id, nobody());
    let order = service.create(&id);
    let left_at = service.now;
    service.settle(order, passing());
    assert_eq!(service.sams().lead.unwrap().birth, Birth::unanswered(left_at));
    // A search lags behind: the first look shows nothing.
    service.look(&id, nobody());
    assert!(service.delivery(&id).reason.as_ref().unwrap().contains("shows none yet"));
    service.look(&id, shows(&json!([{"id": 7, "email": SAM}]), &json!([])));
    let order = service.next_call(&id);
    let Request::UpdateLead { id: 7, body } = &order.request else { panic!("{:?}", order.request) };
    assert_eq!(body["lead"]["city"], "Oslo", "whatever of it arrived");
    service.settle(order, stored(7, false));
    assert_eq!(service.delivery(&id).state, State::Delivered);
}

#[test]
fn a_creation_that_was_not_answered_and_took_no_effect_is_repeated_after_three_looks() {
    let (mut service, id) = sam();
    service.look(&id, nobody());
    let order = service.create(&id);
    let whole = sent(&order).clone();
    service.settle(order, passing());
    let asked_from = service.now;
    for _ in 0..3 {
        service.look(&id, nobody());
    }
    assert!(service.now.since(asked_from) >= Duration::from_mins(20), "a search may lag behind");
    let order = service.create(&id);
    assert_eq!(sent(&order), &whole);
    service.settle(order, stored(7, true));
    assert_eq!(service.sams().lead_id(), Some(7));
}

#[test]
fn a_restart_during_the_creation_is_no_answer_either() {
    let (mut service, id) = sam();
    service.look(&id, nobody());
    service.create(&id);
    void_claim(&id, &mut service.world, service.now);
    assert!(
        claim(&id, &mut service.world, &service.settings, service.now).is_none(),
        "it may still be applied"
    );
    service.look(&id, shows(&json!([{"id": 7}]), &json!([])));
    assert!(matches!(service.next_call(&id).request, Request::UpdateLead { id: 7, .. }));
}

#[test]
fn an_answer_that_names_no_lead_is_no_answer() {
    let (mut service, id) = sam();
    service.look(&id, nobody());
    let order = service.create(&id);
    service.settle(order, Verdict::Stored(Stored { created: true, ..Stored::default() }));
    service.look(&id, shows(&json!([{"id": 7}]), &json!([])));
    assert_eq!(service.sams().lead_id(), Some(7));
}

/// An account that has leads and contacts, answers some calls and loses others, and finds what is there for longer than a lag.
#[derive(Default)]
struct Crm {
    leads: Vec<u64>,
    contact: Option<u64>,
}

impl Crm {
    fn apply(&mut self, request: &Request) -> Verdict {
        match request {
            Request::FindPerson { .. } => {
                let contacts: Vec<Value> = self.contact.iter().map(|id| json!({"id": id})).collect();
                let leads: Vec<Value> = self.leads.iter().map(|id| json!({"id": id, "email": SAM})).collect();
                shows(&json!(leads), &json!(contacts))
            }
            Request::CreateLead { .. } => {
                self.leads.push(70 + self.leads.len() as u64);
                stored(*self.leads.last().unwrap(), true)
            }
            Request::UpdateLead { id, .. } if self.leads.contains(id) => stored(*id, false),
            Request::UpdateLead { .. } => Verdict::Gone { reason: "no such lead".into() },
            _ => {
                let id = *self.contact.get_or_insert(900);
                stored(id, false)
            }
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]
    #[test]
    fn however_calls_get_lost_there_is_never_a_second_record(fates in proptest::collection::vec((0_u8..6, 0_i64..40), 1..40)) {
        let (mut service, first) = sam();
        let (mut crm, mut id) = (Crm::default(), first);
        for (nth, (fate, minutes)) in fates.iter().enumerate() {
            if let Some(order) = claim(&id, &mut service.world, &service.settings, service.now) {
                let before = Verdict::Passing { reason: "lost".into() };
                match fate {
                    // Lost on the way there, or on the way back.
                    0 => service.settle(order, before),
                    1 => { crm.apply(&order.request); service.settle(order, before); }
                    // Killed, before or after it was applied.
                    2 => void_claim(&id, &mut service.world, service.now),
                    3 => { crm.apply(&order.request); void_claim(&id, &mut service.world, service.now); }
                    _ => { let verdict = crm.apply(&order.request); service.settle(order, verdict); }
                }
            } else if *fate == 5 && !crm.leads.is_empty() {
                // Somebody converts the lead.
                crm.leads.clear();
                crm.contact = Some(900);
            }
            let more = service.send(json!({"type": "identify", "userId": "u", "traits": {"city": format!("c{nth}")}}));
            id = service.sams().open.or(more.delivery_id).unwrap_or(id);
            service.now = UnixMicros(service.now.0 + minutes * 60_000_000);
            proptest::prop_assert!(crm.leads.len() + usize::from(crm.contact.is_some()) <= 1, "{:?}", crm.leads);
        }
    }
}
