//! People who become leads of an account of the older product (`freshsales.classic_new = "lead"`).

use super::calls::sent;
use super::*;
use crate::contact::Standing;
use crate::delivery::{Birth, DeliveryId, Request, RetryAfter, State, Stored, Verdict};
use crate::event::Email;

pub(super) const SAM: &str = "sam@example.com";
/// Beyond every wait of a question.
const LATER: i64 = 30 * 60 * 1_000_000;

pub(super) fn leads() -> Settings {
    Settings { leads: true, ..settings() }
}

/// Sam is owed a call.
pub(super) fn sam() -> (Service, DeliveryId) {
    let mut service = Service::new(leads());
    let made = service.send(lead(&json!({"name": "Sam Lee", "city": "Oslo"})));
    (service, made.delivery_id.unwrap())
}

pub(super) fn lead(traits: &Value) -> Value {
    let mut traits = traits.clone();
    traits["email"] = json!(SAM);
    json!({"type": "track", "event": "Lead Generated", "userId": "u", "properties": traits.clone(),
        "context": {"traits": traits}})
}

/// What a look-up answers: the leads and the contacts that have the address.
pub(super) fn shows(leads: &Value, contacts: &Value) -> Verdict {
    let shown = json!({"leads": {"leads": leads}, "contacts": {"contacts": contacts}});
    Verdict::Stored(Stored { shown: shown.as_object().cloned(), ..Stored::default() })
}

pub(super) fn nobody() -> Verdict {
    shows(&json!([]), &json!([]))
}

pub(super) fn passing() -> Verdict {
    Verdict::Passing { reason: "no answer in time".into() }
}

fn refused(again: bool) -> Verdict {
    let reason = if again { "Email is not unique" } else { "City is not right" };
    let attribute = (!again).then(|| "city".to_owned());
    Verdict::Refused { reason: reason.into(), attribute, demanded: true, again }
}

pub(super) fn stored(id: u64, created: bool) -> Verdict {
    Verdict::Stored(Stored { id: Some(id), created, shown: None })
}

impl Service {
    /// Lets time pass until the next claim makes a call.
    pub(super) fn next_call(&mut self, id: &DeliveryId) -> CallOrder {
        for _ in 0..4 {
            if let Some(order) = claim(id, &mut self.world, &self.settings, self.now) {
                return order;
            }
            self.now = UnixMicros(self.now.0 + LATER);
        }
        panic!("no call is made: {:?}", self.delivery(id));
    }

    pub(super) fn sams(&self) -> Standing {
        let email = Email::parse(SAM).unwrap();
        self.world.contacts.get(&email).unwrap().with(&self.settings.account)
    }

    pub(super) fn look(&mut self, id: &DeliveryId, verdict: Verdict) {
        let order = self.next_call(id);
        let email = Email::parse(SAM).unwrap();
        assert_eq!(order.request, Request::FindPerson { email });
        self.settle(order, verdict);
    }

    pub(super) fn create(&mut self, id: &DeliveryId) -> CallOrder {
        let order = self.next_call(id);
        assert!(matches!(order.request, Request::CreateLead { .. }), "{:?}", order.request);
        order
    }
}

/// Sam is the lead 7.
fn known() -> Service {
    let (mut service, id) = sam();
    service.look(&id, nobody());
    let order = service.create(&id);
    service.settle(order, stored(7, true));
    assert_eq!(service.delivery(&id).state, State::Delivered);
    service
}

fn moved(service: &mut Service, city: &str) -> DeliveryId {
    let decided = service.send(json!({"type": "identify", "userId": "u", "traits": {"city": city}}));
    decided.delivery_id.unwrap()
}

#[test]
fn whom_nobody_knows_is_looked_up_and_becomes_a_lead_that_is_changed_from_then_on() {
    let (mut service, id) = sam();
    service.look(&id, nobody());
    let order = service.create(&id);
    let body = json!({"lead": {"email": SAM, "first_name": "Sam", "last_name": "Lee", "city": "Oslo"}});
    assert_eq!(sent(&order), &body);
    service.settle(order, stored(7, true));
    assert_eq!((service.sams().lead_id(), service.sams().contact_id), (Some(7), None));
    let id = moved(&mut service, "Rome");
    let order = service.next_call(&id);
    assert_eq!(
        order.request,
        Request::UpdateLead { id: 7, body: json!({"lead": {"email": SAM, "city": "Rome"}}) }
    );
    service.settle(order, stored(7, false));
    assert_eq!(service.delivery(&id).state, State::Delivered);
    assert_eq!(
        service.send(json!({"type": "identify", "userId": "u", "traits": {"city": "Rome"}})).outcome,
        Outcome::Unchanged
    );
}

#[test]
fn a_contact_that_is_found_is_kept_current_and_no_lead_is_made() {
    let (mut service, id) = sam();
    service.look(&id, shows(&json!([]), &json!([{"id": 9, "first_name": "Sam"}])));
    let order = service.next_call(&id);
    assert!(matches!(order.request, Request::UpsertContact { .. }), "{:?}", order.request);
    service.settle(order, stored(9, false));
    assert_eq!((service.sams().lead, service.sams().contact_id), (None, Some(9)));
    let id = moved(&mut service, "Rome");
    assert!(
        matches!(service.next_call(&id).request, Request::UpsertContact { .. }),
        "without another question"
    );
}

#[test]
fn a_lead_that_is_found_is_kept_current_and_none_is_made() {
    let (mut service, id) = sam();
    service.look(&id, shows(&json!([{"id": 8, "email": SAM}, {"id": 5, "email": SAM}]), &json!([])));
    let order = service.next_call(&id);
    assert!(
        matches!(order.request, Request::UpdateLead { id: 5, .. }),
        "the oldest of them: {:?}",
        order.request
    );
    service.settle(order, stored(5, false));
    assert_eq!(service.sams().lead_id(), Some(5));
}

#[test]
fn a_contact_counts_before_a_lead_of_the_same_address() {
    let (mut service, id) = sam();
    service.look(&id, shows(&json!([{"id": 8}]), &json!([{"id": 9}])));
    assert!(matches!(service.next_call(&id).request, Request::UpsertContact { .. }));
}

#[test]
fn a_question_that_is_not_answered_or_can_not_be_read_makes_no_lead() {
    let (mut service, id) = sam();
    let odd = Verdict::Stored(Stored { shown: Some(Map::new()), ..Stored::default() });
    for verdict in [passing(), odd, shows(&json!("?"), &json!([])), shows(&json!([]), &json!({})), passing()]
    {
        service.look(&id, verdict);
        assert_eq!((service.sams().lead, service.delivery(&id).state), (None, State::Retrying));
    }
    let throttled = Verdict::Throttled { retry_after: RetryAfter::Absent, reason: "429".into() };
    service.look(&id, throttled);
    service.look(&id, refused(false));
    assert_eq!(service.delivery(&id).state, State::Dead);
    let reason = service.delivery(&id).reason.clone().unwrap();
    assert_eq!(
        reason,
        "Freshsales was asked which record has the address, which it refused: City is not right"
    );
    // Another word of theirs brings it back.
    let again = service.send(lead(&json!({"city": "Rome"})));
    assert_eq!(again.delivery_id, Some(id.clone()));
    service.look(&id, nobody());
    service.create(&id);
}

#[test]
fn nobody_having_the_address_is_believed_for_ten_minutes() {
    let (mut service, id) = sam();
    service.look(&id, nobody());
    let order = service.create(&id);
    service.settle(order, refused(false));
    assert_eq!(
        (service.delivery(&id).state, service.sams().lead.unwrap().birth),
        (State::Dead, Birth::Planned)
    );
    service.now = UnixMicros(service.now.0 + HOUR);
    let again = service.send(lead(&json!({"city": "Rome"})));
    assert_eq!(again.delivery_id, Some(id.clone()));
    service.now = UnixMicros(service.now.0 + HOUR);
    service.look(&id, nobody());
    service.create(&id);
}

#[test]
fn an_address_that_is_taken_is_looked_for_before_anybody_has_to_look_at_it() {
    let (mut service, id) = sam();
    service.look(&id, nobody());
    let order = service.create(&id);
    service.settle(order, refused(true));
    assert_eq!(service.delivery(&id).state, State::Retrying);
    service.now = UnixMicros(service.now.0 + LATER);
    service.look(&id, shows(&json!([]), &json!([{"id": 9}])));
    assert!(matches!(service.next_call(&id).request, Request::UpsertContact { .. }));
}

#[test]
fn a_lead_that_somebody_converted_is_a_contact_from_then_on_and_gets_everything_once() {
    let mut service = known();
    let id = moved(&mut service, "Rome");
    let order = service.next_call(&id);
    service.settle(order, Verdict::Gone { reason: "no such lead".into() });
    service.look(&id, shows(&json!([]), &json!([{"id": 9, "first_name": "Sam", "last_name": "Lee"}])));
    let order = service.next_call(&id);
    assert!(matches!(order.request, Request::UpsertContact { .. }), "{:?}", order.request);
    let whole = json!({"emails": SAM, "first_name": "Sam", "last_name": "Lee", "city": "Rome"});
    assert_eq!(sent(&order)["contact"], whole);
    service.settle(order, stored(9, false));
    assert_eq!(service.delivery(&id).state, State::Delivered);
    assert_eq!((service.sams().lead, service.sams().contact_id), (None, Some(9)));
    let id = moved(&mut service, "Bern");
    let order = service.next_call(&id);
    assert_eq!(sent(&order)["contact"], json!({"emails": SAM, "city": "Bern"}));
}

#[test]
fn a_change_that_a_lead_refuses_is_asked_about_once_before_it_is_a_dead_letter() {
    let no = || Verdict::Refused {
        reason: "The lead is converted".into(),
        attribute: None,
        demanded: false,
        again: false,
    };
    for converted in [true, false] {
        let mut service = known();
        service.now = UnixMicros(service.now.0 + 2 * HOUR);
        let id = moved(&mut service, "Rome");
        for _ in 0..2 {
            // As a change, then whole.
            let order = service.next_call(&id);
            assert!(matches!(order.request, Request::UpdateLead { id: 7, .. }));
            service.settle(order, no());
        }
        assert!(service.delivery(&id).reason.as_ref().unwrap().contains("which record has the address now"));
        if converted {
            service.look(&id, shows(&json!([]), &json!([{"id": 9}])));
            assert!(matches!(service.next_call(&id).request, Request::UpsertContact { .. }));
            continue;
        }
        service.look(&id, shows(&json!([{"id": 7}]), &json!([])));
        while service.delivery(&id).state != State::Dead {
            let order = service.next_call(&id);
            assert!(matches!(order.request, Request::UpdateLead { id: 7, .. }), "it is asked about once");
            service.settle(order, no());
        }
        assert_eq!(service.delivery(&id).reason.as_deref(), Some("The lead is converted"));
    }
}

#[test]
fn what_a_workflow_says_of_a_contact_with_the_address_of_a_lead_is_asked() {
    let mut service = known();
    let told = service.send(json!({"type": "crm", "traits": {"email": SAM},
        "crm": {"record": "contact", "id": "9", "said": {"city": "Rome"}}}));
    assert!(
        told.notes.iter().any(|note| note.contains("is a lead as far as is known here")),
        "{:?}",
        told.notes
    );
    assert_eq!(
        (service.sams().lead_id(), service.sams().contact_id),
        (Some(7), None),
        "it may be somebody's mistake"
    );
    let id = service.sams().open.unwrap();
    service.look(&id, shows(&json!([]), &json!([{"id": 9, "city": "Rome"}])));
    assert_eq!((service.sams().lead, service.sams().contact_id), (None, Some(9)));
}

#[test]
fn a_search_that_still_shows_a_lead_that_is_gone_is_asked_again_later() {
    let mut service = known();
    let id = moved(&mut service, "Rome");
    let order = service.next_call(&id);
    service.settle(order, Verdict::Gone { reason: "no such lead".into() });
    let before = service.now;
    service.look(&id, shows(&json!([{"id": 7}]), &json!([])));
    service.look(&id, shows(&json!([{"id": 7}]), &json!([{"id": 9}])));
    assert!(service.now.since(before) >= Duration::from_mins(4), "or it would go round and round");
    assert!(matches!(service.next_call(&id).request, Request::UpsertContact { .. }));
}

#[test]
fn a_lead_that_is_gone_and_found_nowhere_is_made_once_more() {
    let mut service = known();
    let id = moved(&mut service, "Rome");
    let order = service.next_call(&id);
    service.settle(order, Verdict::Gone { reason: "no such lead".into() });
    for _ in 0..3 {
        service.look(&id, nobody());
    }
    let order = service.create(&id);
    let whole = json!({"email": SAM, "first_name": "Sam", "last_name": "Lee", "city": "Rome"});
    assert_eq!(sent(&order)["lead"], whole);
    service.settle(order, stored(11, true));
    assert_eq!((service.sams().lead_id(), service.delivery(&id).state), (Some(11), State::Delivered));
}

#[test]
fn who_refused_marketing_after_the_conversion_is_not_subscribed_by_us() {
    let mut service = Service::new(leads());
    let mut event = lead(&json!({"name": "Sam Lee"}));
    event["context"]["consent"] = marketing(true)["consent"].clone();
    let id = service.send(event).delivery_id.unwrap();
    service.look(&id, nobody());
    let order = service.create(&id);
    assert_eq!(sent(&order)["lead"]["subscription_status"], "subscribed");
    service.settle(order, stored(7, true));
    let id = moved(&mut service, "Rome");
    let order = service.next_call(&id);
    service.settle(order, Verdict::Gone { reason: "no such lead".into() });
    let theirs = json!([{"id": 9, "subscription_status": "unsubscribed"}]);
    service.look(&id, nobody());
    service.look(&id, shows(&json!([]), &theirs));
    let order = service.next_call(&id);
    assert!(matches!(order.request, Request::UpsertContact { .. }), "{:?}", order.request);
    let status = &sent(&order)["contact"]["subscription_status"];
    assert_ne!(status, "subscribed", "{:?}", order.request);
}

#[test]
fn a_refusal_that_a_lead_was_told_is_told_to_its_contact_and_a_yes_is_not() {
    for (yes, told) in [(true, None), (false, Some("unsubscribed"))] {
        let mut service = Service::new(leads());
        let mut event = lead(&json!({"name": "Sam Lee"}));
        event["context"]["consent"] = marketing(yes)["consent"].clone();
        let id = service.send(event).delivery_id.unwrap();
        service.look(&id, nobody());
        let order = service.create(&id);
        service.settle(order, stored(7, true));
        let id = moved(&mut service, "Rome");
        let order = service.next_call(&id);
        service.settle(order, Verdict::Gone { reason: "no such lead".into() });
        // The answer names no kind of which there is none, and not the status.
        let shown = json!({"contacts": {"contacts": [{"id": 9}]}});
        service.look(&id, Verdict::Stored(Stored { shown: shown.as_object().cloned(), ..Stored::default() }));
        let order = service.next_call(&id);
        assert_eq!(sent(&order)["contact"].get("subscription_status").and_then(Value::as_str), told);
    }
}

#[test]
fn whoever_refused_in_freshsales_as_a_lead_that_was_deleted_is_made_anew_as_who_refused() {
    let mut service = known();
    service.send(json!({"type": "crm", "traits": {"email": SAM}, "consent": {"marketing": false},
        "crm": {"record": "contact", "said": {"subscription_status": "unsubscribed"}}}));
    assert!(service.sams().hearing.of("subscription_status").is_some());
    let id = moved(&mut service, "Rome");
    let order = service.next_call(&id);
    service.settle(order, Verdict::Gone { reason: "no such lead".into() });
    for _ in 0..3 {
        service.look(&id, nobody());
    }
    assert_eq!(sent(&service.create(&id))["lead"]["subscription_status"], "unsubscribed");
}

#[test]
fn a_withdrawal_reaches_a_lead() {
    let mut service = known();
    let mut event = json!({"type": "identify", "userId": "u", "traits": {}});
    event["context"] = marketing(false);
    let id = service.send(event).delivery_id.unwrap();
    let order = service.next_call(&id);
    let body = json!({"lead": {"email": SAM, "subscription_status": "unsubscribed"}});
    assert_eq!(order.request, Request::UpdateLead { id: 7, body });
}

#[test]
fn whom_freshsales_had_from_us_before_stays_a_contact() {
    let mut service = Service::new(settings());
    let made = service.send(lead(&json!({"name": "Sam Lee"})));
    service.deliver(&made);
    service.settings.leads = true;
    let id = moved(&mut service, "Rome");
    assert!(matches!(service.next_call(&id).request, Request::UpsertContact { .. }));
}

#[test]
fn a_lead_stays_one_whatever_the_settings_say_later_and_one_that_was_never_made_is_a_contact() {
    let mut service = known();
    service.settings.leads = false;
    let id = moved(&mut service, "Rome");
    assert!(matches!(service.next_call(&id).request, Request::UpdateLead { id: 7, .. }));

    let (mut service, id) = sam();
    service.look(&id, nobody());
    service.settings.leads = false;
    assert!(matches!(service.next_call(&id).request, Request::UpsertContact { .. }));
    assert_eq!(service.sams().lead, None);

    // One that may have been made is looked for.
    let (mut service, id) = sam();
    service.look(&id, nobody());
    let order = service.create(&id);
    service.settle(order, passing());
    service.settings.leads = false;
    service.look(&id, shows(&json!([{"id": 7}]), &json!([])));
    assert!(matches!(service.next_call(&id).request, Request::UpdateLead { id: 7, .. }));
}

#[test]
fn what_a_lead_does_not_have_is_left_out_with_a_reason_and_goes_to_the_contact() {
    let mapping = "[fields.lifecycle_stage_id]\nfrom = [\"traits.stage\"]\nconvert = \"integer\"\n";
    let preset = Preset::parse(Some(mapping)).unwrap();
    let mut service = Service::new(Settings { preset, ..leads() });
    let id = service.send(lead(&json!({"name": "Sam Lee", "stage": 4}))).delivery_id.unwrap();
    service.look(&id, nobody());
    let order = service.create(&id);
    assert_eq!(sent(&order)["lead"].get("lifecycle_stage_id"), None);
    service.settle(order, stored(7, true));
    let email = Email::parse(SAM).unwrap();
    let left_out = consider(&email, &service.world, &service.settings).left_out;
    assert!(
        left_out
            .iter()
            .any(|out| out.attribute == "lifecycle_stage_id" && out.why.contains("a lead has none")),
        "{left_out:?}"
    );
    let id = moved(&mut service, "Rome");
    let order = service.next_call(&id);
    service.settle(order, Verdict::Gone { reason: "no such lead".into() });
    service.look(&id, shows(&json!([]), &json!([{"id": 9}])));
    let order = service.next_call(&id);
    assert_eq!(sent(&order)["contact"]["lifecycle_stage_id"], 4);
}

#[test]
fn a_dry_run_shows_the_lead() {
    let mut service = Service::new(leads());
    let made = service.send(lead(&json!({"name": "Sam Lee"})));
    let body =
        simulate(&made.delivery_id.unwrap(), &mut service.world, &service.settings, service.now).unwrap();
    assert_eq!(body, json!({"lead": {"email": SAM, "first_name": "Sam", "last_name": "Lee"}}));
}
