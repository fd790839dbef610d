//! Tests of deals in the decision: what is owed to one, which call leaves next, what its answer changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::delivery::{DealKey, DeliveryId, Request, State, Stored, Subject, Verdict};
use crate::selectors::{Answered, Kind as List, Selectors, Table};

pub(super) const ORDERS: &str = r#"
[deals.order]
key = ["properties.order_id"]
key_field = "custom_field.cf_order_id"
name = "{person.name|email} order #{key}"
forward_only = true
[deals.order.fields.amount]
from = ["properties.total"]
convert = "money"
[deals.order.fields.currency]
from = ["properties.currency"]
[events."Checkout Started".deal]
kind = "order"
stage = "New"
[events."Order Completed".deal]
kind = "order"
stage = "Won"
[events."Order Refunded".deal]
kind = "order"
stage = "Lost"
reason = "Refunded"
create = false
"#;

/// The lists of an account as it is delivered.
pub(super) fn selectors() -> Selectors {
    let mut selectors = Selectors::default();
    let mut learn = |kind: List, answer: Value| {
        let table = Table::read(kind, &answer).unwrap();
        selectors.learn(kind, UnixMicros(START), Answered::Known(table));
    };
    let stage = |id: u64, name: &str, kind: &str| json!({"id": id, "name": name, "position": id, "forecast_type": kind});
    let stages = [
        stage(11, "New", "Open"),
        stage(12, "Demo", "Open"),
        stage(15, "Won", "Closed Won"),
        stage(16, "Lost", "Closed Lost"),
    ];
    let pipeline = json!({"id": 5, "name": "Default Pipeline", "is_default": true, "deal_stages": stages});
    learn(List::DealPipelines, json!({"deal_pipelines": [pipeline]}));
    learn(List::Currencies, json!({"currencies": [{"id": 3, "currency_code": "EUR"}]}));
    learn(List::DealReasons, json!({"deal_reasons": [{"id": 8, "name": "Refunded"}]}));
    selectors
}

fn a_shop() -> Service {
    with(ORDERS)
}

pub(super) fn with(mapping: &str) -> Service {
    let preset = Preset::parse(Some(mapping)).unwrap_or_else(|problems| panic!("{problems:?}"));
    Service::new(Settings { preset, selectors: Arc::new(selectors()), ..settings() })
}

pub(super) fn event(name: &str, properties: Value) -> Value {
    let traits = json!({"email": "jane@example.com", "first_name": "Jane", "last_name": "Doe"});
    let mut all = json!({"order_id": "A-1", "total": "49.90", "currency": "EUR"});
    let Value::Object(properties) = properties else { panic!("an object") };
    all.as_object_mut().unwrap().extend(properties);
    json!({"type": "track", "event": name, "userId": "u1", "context": {"traits": traits}, "properties": all})
}

pub(super) fn key() -> DealKey {
    DealKey::of("default", "order", "A-1").unwrap()
}

/// The body and the method of a request, in short.
fn shown(request: &Request) -> (&'static str, Value) {
    match request {
        Request::UpsertContact { body, .. } => ("contact", body.clone()),
        Request::CreateDeal { body } => ("create", body["deal"].clone()),
        Request::UpdateDeal { id, body } => ("update", json!([id, body["deal"]])),
        Request::ShowDeal { id } => ("show deal", json!(id)),
        Request::ShowContact { id } => ("show contact", json!(id)),
        Request::FindDeal { field, value } => ("find", json!([field, value])),
        Request::UpsertCompany { body } => ("company", body.clone()),
        other => panic!("{other:?}"),
    }
}

impl Service {
    /// The delivery of a subject that is open.
    fn open_of(&self, subject: &Subject) -> Option<DeliveryId> {
        open_delivery(subject, &self.world, &self.settings.account).cloned()
    }

    fn deal_delivery(&self) -> Option<DeliveryId> {
        self.open_of(&Subject::Deal(key()))
    }

    /// Claims the delivery of the deal.
    fn claim_deal(&mut self) -> Option<CallOrder> {
        let id = self.deal_delivery()?;
        self.now = UnixMicros(self.now.0 + 1_000_000);
        claim(&id, &mut self.world, &self.settings, self.now)
    }

    fn answer_in_a_second(&mut self, order: CallOrder, verdict: Verdict) {
        self.now = UnixMicros(self.now.0 + 1_000_000);
        self.settle(order, verdict);
    }

    /// The next call of the deal, answered so. What it was, in short.
    fn deal_call(&mut self, verdict: Verdict) -> (&'static str, Value) {
        self.call_of(&key(), verdict)
    }

    /// The next call of a deal, answered so. What it was, in short.
    pub(super) fn call_of(&mut self, key: &DealKey, verdict: Verdict) -> (&'static str, Value) {
        let id = self.open_of(&Subject::Deal(key.clone())).expect("a delivery is open");
        self.now = UnixMicros(self.now.0 + 1_000_000);
        let order = claim(&id, &mut self.world, &self.settings, self.now).expect("a call leaves");
        let what = shown(&order.request);
        self.answer_in_a_second(order, verdict);
        what
    }

    /// Lets Freshsales take in the contact; `created`: it did not have it before.
    pub(super) fn contact_call(&mut self, created: bool) {
        let email = crate::event::Email::parse("jane@example.com").unwrap();
        let id = self.open_of(&Subject::Contact(email)).expect("the contact is owed a call");
        let order = claim(&id, &mut self.world, &self.settings, self.now).expect("a call leaves");
        self.answer_in_a_second(order, stored(7, created, json!({"id": 7})));
    }

    fn deal(&self) -> crate::deal::Standing {
        self.standing_of(&key())
    }

    pub(super) fn standing_of(&self, key: &DealKey) -> crate::deal::Standing {
        self.world.deals.get(key).unwrap().with(&self.settings.account)
    }

    fn held(&self) -> Option<&'static str> {
        self.world.deals.get(&key()).unwrap().held(&self.settings.account)
    }

    /// An order that Freshsales has as deal 900, in its first stage.
    fn with_an_order(mut self) -> Self {
        self.send(event("Checkout Started", json!({})));
        self.contact_call(true);
        self.deal_call(stored(900, true, json!({"id": 900, "deal_stage_id": 11})));
        self.now = UnixMicros(self.now.0 + HOUR);
        self
    }
}

pub(super) fn stored(id: u64, created: bool, shown: Value) -> Verdict {
    let Value::Object(shown) = shown else { panic!("a record") };
    Verdict::Stored(Stored { id: Some(id), created, shown: Some(shown) })
}

pub(super) fn answered(shown: Value) -> Verdict {
    let Value::Object(shown) = shown else { panic!("an answer") };
    Verdict::Stored(Stored { id: None, created: false, shown: Some(shown) })
}

pub(super) fn lost() -> Verdict {
    Verdict::Passing { reason: "no answer".to_owned() }
}

fn refused(reason: &str) -> Verdict {
    Verdict::Refused { reason: reason.to_owned(), attribute: None, demanded: false, again: false }
}

fn action(decided: &Decided) -> (ActionState, &str) {
    let action = decided.actions.first().expect("it says what it did to the deal");
    (action.state, &action.why)
}

#[test]
fn an_order_becomes_a_deal_once_its_contact_has_an_id() {
    let mut shop = a_shop();
    let decided = shop.send(event("Order Completed", json!({})));
    assert_eq!(decided.outcome, Outcome::Queued);
    assert_eq!(action(&decided), (ActionState::Held, "its contact has no id in Freshsales yet"));
    assert_eq!((shop.held(), shop.deal_delivery()), (Some("contact"), None));
    shop.contact_call(true);
    let (what, body) = shop.deal_call(stored(900, true, json!({"id": 900, "deal_stage_id": 15})));
    let expected = json!({"name": "Jane Doe order #A-1", "amount": 49.9, "currency_id": 3, "deal_stage_id": 15,
        "custom_field": {"cf_order_id": "A-1"}, "contacts_added_list": [7]});
    assert_eq!((what, body), ("create", expected));
    assert_eq!(shop.deal_delivery(), None);
    let again = shop.send(event("Order Completed", json!({})));
    assert_eq!(action(&again).0, ActionState::Unchanged);
}

#[test]
fn a_repeated_order_owes_nothing_and_a_changed_amount_one_call() {
    let mut shop = a_shop().with_an_order();
    let decided = shop.send(event("Checkout Started", json!({"total": "60"})));
    assert_eq!(action(&decided).0, ActionState::Queued);
    let id = shop.deal_delivery().unwrap();
    let held = shop.world.deliveries.get(&id).unwrap();
    assert_eq!(held.next_attempt_at.since(shop.now), Duration::from_secs(5));
    let more = shop.send(event("Checkout Started", json!({"total": "70"})));
    assert_eq!(action(&more).0, ActionState::Absorbed);
    let call = shop.deal_call(stored(900, false, json!({"id": 900, "deal_stage_id": 11})));
    assert_eq!(call, ("update", json!([900, {"amount": 70}])));
}

#[test]
fn before_a_move_freshsales_is_asked_where_the_deal_stands() {
    let mut shop = a_shop().with_an_order();
    shop.send(event("Order Completed", json!({})));
    assert_eq!(
        shop.deal_call(stored(900, false, json!({"id": 900, "deal_stage_id": 12}))),
        ("show deal", json!(900))
    );
    assert_eq!(
        shop.deal_call(stored(900, false, json!({"id": 900, "deal_stage_id": 15}))),
        ("update", json!([900, {"deal_stage_id": 15}]))
    );
    assert_eq!(shop.deal_delivery(), None);
}

#[test]
fn a_stage_that_a_person_moved_further_stays() {
    let demo = ORDERS.to_owned() + "[events.\"Demo Held\".deal]\nkind = \"order\"\nstage = \"Demo\"";
    let mut shop = with(&demo).with_an_order();
    let decided = shop.send(event("Demo Held", json!({})));
    let id = decided.actions[0].delivery.clone().unwrap();
    shop.deal_call(stored(900, false, json!({"id": 900, "deal_stage_id": 15})));
    let delivery = shop.world.deliveries.get(&id).unwrap();
    assert_eq!(delivery.state, State::Delivered);
    assert_eq!(delivery.reason.as_deref(), Some("a person has moved it to Won, so it stays there"));
    let again = shop.send(event("Demo Held", json!({})));
    assert_eq!(action(&again).0, ActionState::Unchanged);
}

#[test]
fn a_refund_after_a_win_is_a_loss_with_its_reason() {
    let mut shop = a_shop().with_an_order();
    shop.send(event("Order Completed", json!({})));
    shop.deal_call(stored(900, false, json!({"id": 900, "deal_stage_id": 11})));
    shop.deal_call(stored(900, false, json!({"id": 900, "deal_stage_id": 15})));
    shop.send(event("Order Refunded", json!({})));
    let call = shop.deal_call(stored(900, false, json!({"id": 900, "deal_stage_id": 16})));
    assert_eq!(call, ("update", json!([900, {"deal_stage_id": 16, "deal_reason_id": 8}])));
}

#[test]
fn a_creation_that_was_not_answered_is_asked_for_and_found() {
    let mut shop = a_shop();
    shop.send(event("Checkout Started", json!({})));
    shop.contact_call(true);
    assert_eq!(shop.deal_call(lost()).0, "create");
    let left_at = shop.now;
    assert_eq!(shop.claim_deal(), None, "it is too early to ask");
    let id = shop.deal_delivery().unwrap();
    let waits = shop.world.deliveries.get(&id).unwrap().next_attempt_at.since(left_at);
    assert_eq!(
        waits,
        Duration::from_secs(79),
        "the time-out, a minute, less the second until the answer was given up"
    );
    shop.now = shop.now.plus(Duration::from_mins(2));
    let there = json!({"contact": {"id": 7}, "deals": [
        {"id": 902, "deal_stage_id": 11, "custom_field": {"cf_order_id": "A-1"}},
        {"id": 901, "deal_stage_id": 11, "custom_field": {"cf_order_id": "A-1"}}]});
    assert_eq!(shop.deal_call(answered(there)), ("show contact", json!(7)));
    assert_eq!(shop.deal().birth.id(), Some(901));
    let notes = shop.world.deliveries.get(&id).unwrap().reason.clone().unwrap_or_default();
    assert!(notes.contains("deals 902 have the same key"), "{notes}");
}

#[test]
fn a_creation_that_was_not_answered_and_is_not_there_is_sent_once_more() {
    let mut shop = a_shop();
    shop.send(event("Checkout Started", json!({})));
    shop.contact_call(true);
    shop.deal_call(lost());
    shop.now = shop.now.plus(Duration::from_mins(2));
    assert_eq!(shop.deal_call(answered(json!({"contact": {"id": 7}, "deals": []}))).0, "show contact");
    assert_eq!(shop.deal_call(stored(900, true, json!({"id": 900}))).0, "create");
    assert_eq!(shop.deal().birth.id(), Some(900));
}

#[test]
fn a_claim_of_a_process_that_is_gone_is_asked_for_too() {
    let mut shop = a_shop();
    shop.send(event("Checkout Started", json!({})));
    shop.contact_call(true);
    let order = shop.claim_deal().unwrap();
    void_claim(&order.delivery, &mut shop.world, shop.now);
    shop.answer_in_a_second(order, stored(900, true, json!({"id": 900})));
    assert_eq!(shop.deal().birth.id(), None, "an answer to a void claim changes nothing");
    assert_eq!(shop.claim_deal(), None);
    shop.now = shop.now.plus(Duration::from_mins(2));
    assert_eq!(shop.deal_call(answered(json!({"deals": []}))).0, "show contact");
}

#[test]
fn a_contact_from_before_us_is_looked_at_once_and_its_deal_is_taken_over() {
    let mut shop = a_shop();
    shop.send(event("Order Completed", json!({})));
    shop.contact_call(false);
    let there = json!({"deals": [{"id": 55, "deal_stage_id": 11, "custom_field": {"cf_order_id": "A-1"}}]});
    assert_eq!(shop.deal_call(answered(there)).0, "show contact");
    let (what, body) = shop.deal_call(stored(55, false, json!({"id": 55, "deal_stage_id": 15})));
    assert_eq!((what, &body[0], &body[1]["deal_stage_id"]), ("update", &json!(55), &json!(15)));
}

#[test]
fn a_key_that_is_taken_is_looked_for_and_its_deal_taken_over() {
    let mut shop = a_shop();
    shop.send(event("Order Completed", json!({})));
    shop.contact_call(true);
    assert_eq!(shop.deal_call(refused("cf_order_id is not unique")).0, "create");
    let there = json!({"deals": {"deals": [{"id": 55, "deal_stage_id": 15, "custom_field": {"cf_order_id": "A-1"}}]}});
    assert_eq!(shop.deal_call(answered(there)), ("find", json!(["cf_order_id", "A-1"])));
    assert_eq!(shop.deal().birth.id(), Some(55));
}

#[test]
fn a_deal_that_was_deleted_stays_deleted() {
    let mut shop = a_shop().with_an_order();
    shop.send(event("Checkout Started", json!({"total": 80})));
    let id = shop.deal_delivery().unwrap();
    shop.deal_call(Verdict::Gone { reason: "404".to_owned() });
    assert_eq!(shop.world.deliveries.get(&id).unwrap().state, State::Superseded);
    assert_eq!(shop.held(), Some("gone"));
    let later = shop.send(event("Order Completed", json!({})));
    assert_eq!((action(&later).0, shop.deal_delivery()), (ActionState::Held, None));
    let again = ORDERS.replace("forward_only = true", "forward_only = true\nwhen_gone = \"recreate\"");
    let mut shop = with(&again).with_an_order();
    shop.send(event("Checkout Started", json!({"total": 80})));
    shop.deal_call(Verdict::Gone { reason: "404".to_owned() });
    assert_eq!(shop.deal_call(stored(901, true, json!({"id": 901}))).0, "create");
}

#[test]
fn a_stage_that_the_account_does_not_have_holds_the_deal_until_the_mapping_is_corrected() {
    let wrong = ORDERS.replace("stage = \"Won\"", "stage = \"Paid\"");
    let mut shop = with(&wrong);
    let decided = shop.send(event("Order Completed", json!({})));
    let words = "the account has no deal stage `Paid` in `Default Pipeline`; it has New, Demo, Won, Lost";
    assert_eq!(action(&decided), (ActionState::Held, words));
    shop.contact_call(true);
    assert_eq!((shop.held(), shop.deal_delivery()), (Some("name"), None));
    shop.settings.preset = Preset::parse(Some(ORDERS)).unwrap();
    let id = DeliveryId::of_review(1, 0);
    assert!(deal::evaluate_without_event(&key(), id, &mut shop.world, &shop.settings, shop.now));
    assert_eq!(shop.deal_call(stored(900, true, json!({"id": 900}))).0, "create");
}

#[test]
fn what_an_event_may_not_create_waits_for_one_that_may() {
    let mut shop = a_shop();
    let decided = shop.send(event("Order Refunded", json!({})));
    shop.contact_call(true);
    assert_eq!(action(&decided).0, ActionState::NoDeal);
    assert_eq!(shop.held(), Some("not_begun"));
    let at = shop.now.0 - 10_000_000;
    let late = shop.send_at(at, "late", event("Checkout Started", json!({})));
    assert_eq!(action(&late).0, ActionState::Queued);
    let (_, body) = shop.deal_call(stored(900, true, json!({"id": 900})));
    assert_eq!(body["deal_stage_id"], 16);
}

#[test]
fn an_event_without_a_key_says_so() {
    let mut shop = a_shop();
    let decided = shop.send(event("Order Completed", json!({"order_id": null})));
    assert_eq!(action(&decided), (ActionState::NoKey, "none of properties.order_id says which deal it is"));
    assert_eq!(decided.outcome, Outcome::Queued);
}

#[test]
fn an_order_of_nobody_waits_for_an_email() {
    let mut shop = a_shop();
    let properties = json!({"order_id": "A-1", "total": 5});
    let order =
        json!({"type": "track", "event": "Order Completed", "userId": "u1", "properties": properties});
    assert_eq!(action(&shop.send(order)).0, ActionState::NoEmail);
    shop.send(json!({"type": "identify", "userId": "u1", "traits": {"email": "jane@example.com"}}));
    shop.contact_call(true);
    assert_eq!(shop.deal_call(stored(900, true, json!({"id": 900}))).0, "create");
}

#[test]
fn a_shut_gate_shuts_deals_too() {
    let consent = ConsentRules { required: vec![Category::from("marketing")], ..settings().consent };
    let mut shop = a_shop();
    shop.settings.consent = consent;
    let decided = shop.send(event("Order Completed", json!({})));
    assert_eq!((decided.outcome, action(&decided).0), (Outcome::ConsentDenied, ActionState::ConsentDenied));
    assert_eq!(shop.deal_delivery(), None);
    let traits = json!({"email": "jane@example.com"});
    shop.send(json!({"type": "identify", "userId": "u1", "traits": traits, "context": marketing(true)}));
    shop.contact_call(true);
    assert_eq!(shop.deal_call(stored(900, true, json!({"id": 900}))).0, "create");
}

#[test]
fn a_refused_deal_is_a_dead_letter_that_heals_when_it_changes() {
    let mut shop = a_shop();
    shop.send(event("Order Completed", json!({})));
    shop.contact_call(true);
    shop.deal_call(refused("amount is too large"));
    let id = shop.deal_delivery().unwrap();
    assert_eq!(shop.world.deliveries.get(&id).unwrap().state, State::Dead);
    assert_eq!(action(&shop.send(event("Order Completed", json!({})))).0, ActionState::Absorbed);
    assert_eq!(shop.claim_deal(), None);
    shop.send(event("Order Completed", json!({"total": 5})));
    assert_eq!(shop.deal_call(stored(900, true, json!({"id": 900}))).0, "create");
}

#[test]
fn a_value_that_a_deal_can_do_without_is_left_out() {
    let owner = ORDERS.to_owned() + "[deals.order.fields.owner_id]\nconst = 44";
    let mut shop = with(&owner);
    shop.send(event("Order Completed", json!({})));
    shop.contact_call(true);
    let attribute = Some("owner_id".to_owned());
    let verdict =
        Verdict::Refused { reason: "owner_id is wrong".to_owned(), attribute, demanded: false, again: false };
    assert_eq!(shop.deal_call(verdict).1["owner_id"], 44);
    let (what, body) = shop.deal_call(stored(900, true, json!({"id": 900})));
    assert_eq!((what, body.get("owner_id")), ("create", None));
}

#[test]
fn a_shut_kind_waits_and_a_company_that_is_demanded_is_named() {
    let mut shop = a_shop();
    shop.send(event("Order Completed", json!({})));
    shop.contact_call(true);
    shop.deal_call(Verdict::Shut { reason: "403".to_owned() });
    assert_eq!(shop.deal().birth, crate::deal::Birth::Planned);
    shop.deal_call(refused("sales_account_id is missing"));
    let id = shop.deal_delivery().unwrap();
    let reason = shop.world.deliveries.get(&id).unwrap().reason.clone().unwrap();
    assert!(reason.contains("company.missing"), "{reason}");
}

#[test]
fn orders_of_one_person_that_wait_go_when_the_contact_has_an_id() {
    let mut shop = a_shop();
    for order in ["A-1", "A-2", "A-3"] {
        shop.send(event("Order Completed", json!({"order_id": order})));
    }
    shop.contact_call(true);
    let open: BTreeMap<_, _> = shop
        .world
        .deals
        .iter()
        .map(|(key, deal)| (key.key(), deal.with(&shop.settings.account).open))
        .collect();
    assert!(open.values().all(Option::is_some), "{open:?}");
}

#[test]
fn a_company_is_told_once_a_contact_of_it_is_and_the_contact_is_linked() {
    let companies = "[fields.company_name]\nfrom = []\n[company]\nname = [\"group.name\"]\n\
                     [company.fields.website]\nfrom = [\"group.website\"]";
    let mut site = with(&format!("{companies}\n{ORDERS}"));
    let group = json!({"type": "group", "userId": "u1", "groupId": "g", "traits": {"name": "Globex", "website": "globex.example"}});
    site.send(group);
    let globex = Subject::Company(crate::delivery::CompanyKey::of("globex").unwrap());
    assert_eq!(site.open_of(&globex), None, "nobody of it is in Freshsales");
    site.send(event("Order Completed", json!({})));
    let id = site.open_of(&globex).expect("it is owed");
    site.contact_call(true);
    assert_eq!(site.held(), Some("company"));
    let order = claim(&id, &mut site.world, &site.settings, site.now).unwrap();
    let body = json!({"unique_identifier": {"name": "Globex"}, "sales_account": {"name": "Globex", "website": "globex.example"}});
    assert_eq!(shown(&order.request), ("company", body));
    site.answer_in_a_second(order, stored(70, true, json!({"id": 70})));
    let (_, deal) = site.deal_call(stored(900, true, json!({"id": 900})));
    assert_eq!(deal["sales_account_id"], 70);
    let email = crate::event::Email::parse("jane@example.com").unwrap();
    let contact = site.open_of(&Subject::Contact(email)).expect("the contact is linked");
    let order = claim(&contact, &mut site.world, &site.settings, site.now).unwrap();
    let link = json!([{"id": 70, "is_primary": true}]);
    assert_eq!(shown(&order.request).1["contact"]["sales_accounts"], link);
}
