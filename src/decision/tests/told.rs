//! Tests of what is told: each once, whatever the order of arrival and whatever gets lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::deals::{selectors, stored};
use super::*;
use crate::delivery::{HappeningKind, Lane, Request, State, Stored, Verdict};
use crate::event::Email;
use crate::happening::State as Stands;

const TOLD: &str = r#"
[events."Lead Generated".note]
text = """
Lead from {properties.form|the website}
Campaign: {context.campaign.source}
By {person.name|email}
"""
[events."Demo Requested".note]
text = "Asked for a demo ({properties.form})"
[events."Demo Requested".task]
title = "Call {person.name}"
due = "2h"
owner = "sam@acme.com"
[events."Report Opened".activity]
type = "7"
owner = "9"
title = "Opened the report {properties.form}"
[deals.order]
key = ["properties.order_id"]
name = "Order {key}"
forward_only = true
[events."Order Completed".deal]
kind = "order"
stage = "Won"
[events."Order Completed".note]
on = "deal"
text = "Paid {properties.total} for {key}"
"#;

fn site() -> Service {
    with(TOLD)
}

fn with(mapping: &str) -> Service {
    // Types and owners that are ids are written as numbers.
    let mapping = mapping.replace("\"7\"", "7").replace("\"9\"", "9");
    let preset = Preset::parse(Some(&mapping)).unwrap_or_else(|problems| panic!("{problems:?}"));
    Service::new(Settings { preset, selectors: Arc::new(selectors()), ..settings() })
}

fn lead(form: &str) -> Value {
    let traits = json!({"email": "jane@example.com", "first_name": "Jane", "last_name": "Doe"});
    json!({"type": "track", "event": "Lead Generated", "userId": "u1", "context": {"traits": traits}, "properties": {"form": form}})
}

fn says(event: &str, properties: &Value) -> Value {
    json!({"type": "track", "event": event, "userId": "u1", "properties": properties})
}

#[test]
fn a_note_lifts_the_contact_that_it_waits_for_into_its_lane() {
    let lanes = |mapping: &str| {
        let mut site = with(mapping);
        let decided = site.send(lead("pricing"));
        site.world.deliveries.get(decided.delivery_id.as_ref().unwrap()).unwrap().lane
    };
    let plain = "[events.\"Lead Generated\"]\nlane = \"login\"\n";
    let note = "[events.\"Lead Generated\".note]\ntext = \"x\"\nlane = \"conversion\"\n";
    assert_eq!(lanes(plain), Lane::Login);
    assert_eq!(lanes(&format!("{plain}{note}")), Lane::NewContact);
}

fn lost() -> Verdict {
    Verdict::Passing { reason: "no answer".to_owned() }
}

/// What Freshsales holds, and how its calls are answered.
#[derive(Default)]
struct Account {
    next: u64,
    told: Vec<(u64, HappeningKind, Value)>,
}

impl Account {
    fn id(&mut self) -> u64 {
        self.next += 1;
        1000 + self.next
    }

    /// Takes a call in, if it is applied, and answers it.
    fn take(&mut self, request: &Request, applied: bool) -> Verdict {
        let id = self.id();
        match request {
            Request::Tell { what, body } => {
                if applied {
                    self.told.push((id, *what, body[what.record()].clone()));
                }
                stored(id, true, json!({"id": id}))
            }
            Request::ListTold { what, target, .. } => {
                let of = |(_, kind, it): &&(u64, HappeningKind, Value)| {
                    kind == what && it["targetable_id"] == target.1
                };
                let list: Vec<Value> = self
                    .told
                    .iter()
                    .filter(of)
                    .map(|(id, _, it)| {
                        let mut it = it.clone();
                        it["id"] = json!(id);
                        it
                    })
                    .collect();
                let name = match what {
                    HappeningKind::Note => "notes",
                    HappeningKind::Activity => "activities",
                    HappeningKind::Task => "tasks",
                };
                let Value::Object(shown) = json!({ name: list }) else { panic!("an object") };
                Verdict::Stored(Stored { id: None, created: false, shown: Some(shown) })
            }
            Request::ShowContact { .. } | Request::ShowDeal { .. } | Request::FindContact { .. } => {
                let Value::Object(shown) = json!({"deals": []}) else { panic!("an object") };
                Verdict::Stored(Stored { id: None, created: false, shown: Some(shown) })
            }
            Request::UpsertContact { .. } => stored(7, true, json!({"id": 7})),
            Request::CreateDeal { .. } => stored(900, true, json!({"id": 900, "deal_stage_id": 15})),
            Request::UpdateDeal { id, .. } => stored(*id, false, json!({"id": id, "deal_stage_id": 15})),
            other => panic!("{other:?}"),
        }
    }

    fn texts(&self) -> Vec<String> {
        let text =
            |it: &Value| it["description"].as_str().or(it["notes"].as_str()).unwrap_or_default().to_owned();
        self.told.iter().map(|(_, _, it)| text(it)).collect()
    }
}

/// How a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Answered,
    /// No answer comes; whether it was applied.
    Lost(bool),
    /// The process is killed while the call is on its way; whether it was applied.
    Killed(bool),
}

impl Service {
    /// Makes one due call, the longest owed first, and answers it as fated. Tells whether there was one.
    fn one_call(&mut self, account: &mut Account, fate: Fate) -> bool {
        let due = self.world.deliveries.owed_to(&self.settings.account).into_iter().find(|(id, _)| {
            self.world.deliveries.get(id).is_some_and(|delivery| delivery.next_attempt_at <= self.now)
        });
        let Some((id, _)) = due else { return false };
        let Some(order) = claim(&id, &mut self.world, &self.settings, self.now) else { return true };
        self.now = UnixMicros(self.now.0 + 1_000_000);
        match fate {
            Fate::Answered => {
                let verdict = account.take(&order.request, true);
                self.settle(order, verdict);
            }
            Fate::Lost(applied) => {
                account.take(&order.request, applied);
                self.settle(order, lost());
            }
            Fate::Killed(applied) => {
                account.take(&order.request, applied);
                void_claim(&id, &mut self.world, self.now);
            }
        }
        true
    }

    /// Makes calls until nothing is owed, waiting as long as that takes.
    fn drain(&mut self, account: &mut Account, fates: &mut impl Iterator<Item = Fate>) {
        for _ in 0..10_000 {
            let fate = fates.next().unwrap_or(Fate::Answered);
            if self.one_call(account, fate) {
                continue;
            }
            let owed = self.world.deliveries.owed_to(&self.settings.account);
            let next =
                owed.iter().filter_map(|(id, _)| Some(self.world.deliveries.get(id)?.next_attempt_at)).min();
            let Some(next) = next else { return };
            self.now = self.now.max(next);
        }
        panic!("it never ends");
    }

    fn stands(&self) -> BTreeMap<Stands, usize> {
        let mut stands = BTreeMap::new();
        for (_, it) in self.world.happenings.iter() {
            *stands.entry(it.standing.state()).or_default() += 1;
        }
        stands
    }
}

/// How often each marker stands in what was told.
fn times(account: &Account, service: &Service) -> BTreeMap<String, usize> {
    let texts = account.texts();
    let count = |marker: &str| texts.iter().filter(|text| text.contains(marker)).count();
    service.world.happenings.iter().map(|(id, _)| (id.to_string(), count(id.marker()))).collect()
}

#[test]
fn a_lead_leaves_a_note_once_its_contact_has_an_id() {
    let (mut service, mut account) = (site(), Account::default());
    let decided = service.send(lead("pricing"));
    assert_eq!(decided.outcome, Outcome::Queued);
    assert_eq!(decided.actions[0].state, ActionState::Held);
    assert_eq!(decided.actions[0].why, "its contact has no id in Freshsales yet");
    service.drain(&mut account, &mut std::iter::empty());
    let marker = service.world.happenings.iter().next().unwrap().0.marker().to_owned();
    assert_eq!(account.texts(), [format!("Lead from pricing<br>By Jane Doe<br>freshsignal {marker}")]);
    assert_eq!(account.told[0].2["targetable_id"], 7);
    // The same message again is the same note.
    let again = service.send_at(service.now.0, "m1", lead("pricing"));
    assert_eq!(again.outcome, Outcome::Duplicate);
    service.drain(&mut account, &mut std::iter::empty());
    assert_eq!(account.told.len(), 1);
}

#[test]
fn a_note_on_a_deal_waits_until_the_deal_has_an_id() {
    let (mut service, mut account) = (site(), Account::default());
    let mut order = lead("x");
    order["event"] = json!("Order Completed");
    order["properties"] = json!({"order_id": "A-1", "total": "49.90"});
    let decided = service.send(order);
    let states: Vec<ActionState> = decided.actions.iter().map(|action| action.state).collect();
    assert_eq!(states, [ActionState::Held, ActionState::Held]);
    service.drain(&mut account, &mut std::iter::empty());
    let (_, kind, note) = &account.told[0];
    assert_eq!(
        (*kind, &note["targetable_type"], &note["targetable_id"]),
        (HappeningKind::Note, &json!("Deal"), &json!(900))
    );
    assert!(note["description"].as_str().unwrap().starts_with("Paid 49.90 for A-1<br>freshsignal "));
    let nameless = service.send(says("Order Completed", &json!({"total": "1"})));
    assert!(nameless.actions.iter().all(|action| action.state == ActionState::NoKey), "{nameless:?}");
    assert_eq!(service.stands(), BTreeMap::from([(Stands::Told, 1)]));
}

#[test]
fn a_type_that_the_account_lacks_holds_an_activity_and_an_owner_no_task() {
    let mapping = TOLD.replace("type = \"7\"", "type = \"Product\"");
    let (mut service, mut account) = (with(&mapping), Account::default());
    service.send(lead("a"));
    let decided = service.send(says("Report Opened", &json!({"form": "f"})));
    assert_eq!(decided.actions[0].state, ActionState::Held);
    service.send(says("Demo Requested", &json!({"form": "f"})));
    service.drain(&mut account, &mut std::iter::empty());
    let kinds: Vec<HappeningKind> = account.told.iter().map(|(_, kind, _)| *kind).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == HappeningKind::Activity).count(), 0);
    let task = account.told.iter().find(|(_, kind, _)| *kind == HappeningKind::Task).unwrap();
    assert_eq!((&task.2["title"], task.2.get("owner_id")), (&json!("Call Jane Doe"), None));
    let held = service.world.happenings.iter().find(|(_, it)| it.standing.held.is_some()).unwrap();
    assert_eq!(held.1.standing.held.as_ref().unwrap().as_str(), "name");
}

#[test]
fn notes_that_wait_for_the_same_contact_become_one_and_equal_activities_too() {
    let (mut service, mut account) = (site(), Account::default());
    service.send(lead("a"));
    service.send(lead("b"));
    service.send(says("Demo Requested", &json!({"form": "c"})));
    for _ in 0..3 {
        service.send(says("Report Opened", &json!({"form": "f"})));
    }
    service.drain(&mut account, &mut std::iter::empty());
    let notes: Vec<&Value> = account
        .told
        .iter()
        .filter(|(_, kind, _)| *kind == HappeningKind::Note)
        .map(|(_, _, it)| it)
        .collect();
    assert_eq!(notes.len(), 1, "{notes:?}");
    let text = notes[0]["description"].as_str().unwrap();
    let said =
        ["Lead from a", "Lead from b", "Asked for a demo (c)"].map(|said| text.find(said).expect(said));
    assert!(said.is_sorted(), "{text}");
    let activity = account.told.iter().find(|(_, kind, _)| *kind == HappeningKind::Activity).unwrap();
    assert_eq!(activity.2["title"], "Opened the report f (3 times)");
    assert_eq!(account.told.len(), 3);
    assert!(times(&account, &service).values().all(|times| *times == 1));
}

#[test]
fn beyond_the_limit_of_a_day_only_how_many_more_there_were_is_told() {
    let (mut service, mut account) = (site(), Account::default());
    service.settings.happenings.per_target_per_day_max = 3;
    service.settings.happenings.merge_notes = false;
    service.send(lead("0"));
    service.drain(&mut account, &mut std::iter::empty());
    let mut states = Vec::new();
    for nth in 1..8 {
        states.push(service.send(lead(&nth.to_string())).actions[0].state);
    }
    assert_eq!(states.iter().filter(|state| **state == ActionState::TooMany).count(), 5);
    service.drain(&mut account, &mut std::iter::empty());
    assert_eq!(account.told.len(), 4);
    let last = &account.texts()[3];
    assert!(last.starts_with("and 5 more on 2030-03-17<br>freshsignal "), "{last}");
    // The next day counts anew.
    let next = service.send(lead("next day"));
    assert_eq!(next.actions[0].state, ActionState::Queued);
}

#[test]
fn what_is_not_allowed_or_not_known_in_time_is_not_told() {
    let mut service = site();
    service.settings.consent.required = vec![Category::from("marketing")];
    let mut account = Account::default();
    let decided = service.send(lead("a"));
    assert_eq!(decided.actions[0].state, ActionState::ConsentDenied);
    let nobody = json!({"type": "track", "event": "Lead Generated", "userId": "u2", "properties": {}});
    assert_eq!(service.send(nobody).actions[0].state, ActionState::NoEmail);
    // A yes within a day lets it go.
    let mut yes = marketing(true);
    (yes["type"], yes["userId"]) = (json!("identify"), json!("u1"));
    service.send(yes);
    service.drain(&mut account, &mut std::iter::empty());
    assert_eq!(account.told.len(), 1);
    // An address after two days does not.
    service.now = UnixMicros(service.now.0 + 48 * HOUR);
    service.send(json!({"type": "identify", "userId": "u2", "traits": {"email": "bob@example.com"}, "consent": {"categoryPreferences": {"marketing": true}}}));
    service.drain(&mut account, &mut std::iter::empty());
    assert_eq!(
        (account.told.len(), service.stands()),
        (1, BTreeMap::from([(Stands::Told, 1), (Stands::Dropped, 1)]))
    );
}

#[test]
fn what_was_for_another_account_or_a_dry_run_is_never_told() {
    let mut service = site();
    service.send(lead("a"));
    service.settings.account = Account("other".into());
    let mut account = Account::default();
    service.send(lead("b"));
    service.drain(&mut account, &mut std::iter::empty());
    assert_eq!(account.told.len(), 1);
    assert!(account.texts()[0].starts_with("Lead from b"));
}

#[test]
fn a_refusal_is_an_answer_and_goes_again_by_order_alone() {
    let (mut service, mut account) = (site(), Account::default());
    service.send(lead("a"));
    service.one_call(&mut account, Fate::Answered);
    let (id, subject) = service.world.deliveries.owed_to(&service.settings.account).remove(0);
    let order = claim(&id, &mut service.world, &service.settings, service.now).unwrap();
    let reason = "Description is too long".to_owned();
    service.settle(order, Verdict::Refused { reason, attribute: None, demanded: false, again: false });
    assert_eq!(service.world.deliveries.get(&id).unwrap().state, State::Dead);
    service.send(lead("b"));
    service.drain(&mut account, &mut std::iter::empty());
    assert_eq!(account.told.len(), 1, "{:?}", account.texts());
    assert!(redrive_letter(&subject, Urgency::Named, &mut service.world, &service.settings, service.now));
    service.drain(&mut account, &mut std::iter::empty());
    assert_eq!(account.told.len(), 2);
}

#[test]
fn erasing_somebody_leaves_nothing_of_what_was_told_or_waits() {
    let (mut service, mut account) = (site(), Account::default());
    service.send(lead("secret-form"));
    service.drain(&mut account, &mut std::iter::empty());
    service.send(lead("another"));
    let subject = crate::erasure::ErasureSubject::Email(Email::parse("jane@example.com").unwrap());
    let extent = extent(&subject, &service.world);
    let order = ErasureOrder { erasure: 1, forget_in_crm: false };
    let (receipt, _) = erase(&extent, order, &mut service.world, &service.settings, service.now);
    assert_eq!((receipt.happenings, service.world.happenings.iter().count()), (2, 0));
    assert!(service.world.deliveries.owed_to(&service.settings.account).is_empty());
}

#[test]
fn what_is_doubted_is_asked_for_before_it_is_told() {
    let (mut service, mut account) = (site(), Account::default());
    service.send(lead("a"));
    service.one_call(&mut account, Fate::Answered);
    // Another service has told it already.
    let marker = service.world.happenings.iter().next().unwrap().0.marker().to_owned();
    let there = json!({"description": format!("Lead from a<br>freshsignal {marker}"), "targetable_id": 7});
    account.told.push((500, HappeningKind::Note, there));
    let of = service.settings.account.clone();
    assert_eq!(distrust(&mut service.world, &of, UnixMicros(START), service.now), (0, 1));
    service.drain(&mut account, &mut std::iter::empty());
    assert_eq!((account.told.len(), service.stands()), (1, BTreeMap::from([(Stands::Told, 1)])));
    // What comes again of the time that is doubted is asked for, too; what comes later is not.
    let doubt = crate::destination::Doubt { since: UnixMicros(START), until: service.now };
    service.world.destination.document.doubt = Some(doubt);
    service.world.happenings = Shelf::default();
    service.world.seen.clear();
    service.send_at(START + 1_000_000, "m1", lead("a"));
    service.drain(&mut account, &mut std::iter::empty());
    assert_eq!(account.told.len(), 1);
    service.now = UnixMicros(service.now.0 + HOUR);
    service.send(lead("later"));
    let standing =
        service.world.happenings.iter().find(|(_, it)| it.standing.is_open()).unwrap().1.standing.state();
    assert_eq!(standing, Stands::Planned);
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Answered),
        1 => any::<bool>().prop_map(Fate::Lost),
        1 => any::<bool>().prop_map(Fate::Killed),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is lost, and whenever the process is killed, with and without the call applied.
    #[test]
    fn each_is_told_once_whatever_gets_lost(fates in prop::collection::vec(fate(), 0..60), leads in 1..6_usize, merge: bool) {
        let (mut service, mut account) = (site(), Account::default());
        service.settings.happenings.merge_notes = merge;
        let mut fates = fates.into_iter();
        for nth in 0..leads {
            service.send(lead(&nth.to_string()));
            service.send(says("Demo Requested", &json!({"form": nth})));
            service.send(says("Report Opened", &json!({"form": nth})));
            if nth % 2 == 0 {
                let fate = fates.next().unwrap_or(Fate::Answered);
                service.one_call(&mut account, fate);
            }
        }
        service.drain(&mut account, &mut fates);
        prop_assert_eq!(service.stands().into_keys().collect::<Vec<_>>(), vec![Stands::Told]);
        let times = times(&account, &service);
        prop_assert!(times.values().all(|times| *times == 1), "{:?} {:#?}", times, account.texts());
        prop_assert_eq!(times.len(), leads * 4);
    }

    /// What is told is the same for every order in which events come.
    #[test]
    fn the_order_of_arrival_changes_nothing_of_what_is_told(order in Just((0..8_usize).collect::<Vec<_>>()).prop_shuffle(), calls: [bool; 8]) {
        let events = [
            lead("a"),
            says("Demo Requested", &json!({"form": "b"})),
            says("Report Opened", &json!({"form": "c"})),
            says("Report Opened", &json!({"form": "c"})),
            json!({"type": "identify", "userId": "u1", "traits": {"email": "jane@example.com", "first_name": "Jane", "last_name": "Doe"}}),
            says("Order Completed", &json!({"order_id": "A-1", "total": "5"})),
            says("Order Completed", &json!({"order_id": "A-2", "total": "6"})),
            lead("d"),
        ];
        let (mut service, mut account) = (site(), Account::default());
        for (nth, of) in order.iter().enumerate() {
            service.now = UnixMicros(service.now.0 + 1_000_000);
            let at = START + i64::try_from(*of).unwrap() * 1_000_000;
            service.send_at(at, &format!("m{of}"), events[*of].clone());
            if calls[nth] {
                service.one_call(&mut account, Fate::Answered);
            }
        }
        service.drain(&mut account, &mut std::iter::empty());
        prop_assert_eq!(service.stands(), BTreeMap::from([(Stands::Told, 8)]));
        let told: BTreeSet<String> = times(&account, &service).into_keys().collect();
        prop_assert_eq!(told.len(), 8);
        prop_assert!(times(&account, &service).values().all(|times| *times == 1));
    }
}
