//! Tests of lists: who is on them is a matter of what was said last, whatever the order of arrival.

use std::sync::Arc;

use proptest::prelude::*;

use super::super::simulate::play_all;
use super::*;
use crate::contact::Member;
use crate::delivery::{Lane, ListKey, MemberKey, Request, State, Verdict};
use crate::event::Email;
use crate::selectors::{Answered, Kind as List, Selectors, Table};

const LISTS: &str = r#"
[events."Newsletter Signup".lists]
add = ["Newsletter"]
[events."Newsletter Left".lists]
remove = ["newsletter", 77]
[events."Trial Started".lists]
add = ["Trials", 77]
remove = ["Newsletter"]
"#;

fn site() -> Service {
    with(LISTS, &["Newsletter", "Trials"])
}

fn with(mapping: &str, names: &[&str]) -> Service {
    let preset = Preset::parse(Some(mapping)).unwrap_or_else(|problems| panic!("{problems:?}"));
    Service::new(Settings { preset, selectors: known(names), ..settings() })
}

fn known(names: &[&str]) -> Arc<Selectors> {
    let lists: Vec<_> =
        names.iter().enumerate().map(|(nth, name)| json!({"id": nth + 1, "name": name})).collect();
    let mut selectors = Selectors::default();
    let table = Table::read(List::Lists, &json!({"lists": lists})).unwrap();
    selectors.learn(List::Lists, UnixMicros(START), Answered::Known(table));
    Arc::new(selectors)
}

fn event(name: &str) -> Value {
    let traits = json!({"email": "jane@example.com", "first_name": "Jane", "last_name": "Doe"});
    json!({"type": "track", "event": name, "userId": "u1", "context": {"traits": traits}})
}

fn key(list: &str) -> MemberKey {
    MemberKey { list: ListKey::of(list).unwrap(), email: Email::parse("jane@example.com").unwrap() }
}

fn states(decided: &Decided) -> Vec<(&str, ActionState)> {
    decided.actions.iter().map(|action| (action.subject.as_str(), action.state)).collect()
}

impl Service {
    fn member(&self, list: &str) -> Member {
        let standing = &self.world.contacts.get(&key(list).email).unwrap().standing[&self.settings.account];
        standing.lists.get(&key(list).list).cloned().unwrap_or_default()
    }

    fn is_on(&self, list: &str) -> Option<bool> {
        self.member(list).accepted.map(|place| place.on)
    }

    fn play(&mut self) -> Vec<Request> {
        let played = play_all(&mut self.world, &self.settings, self.now);
        played
            .into_iter()
            .map(|(.., request)| request)
            .filter(|it| matches!(it, Request::ListContacts { .. }))
            .collect()
    }
}

#[test]
fn a_contact_is_put_on_a_list_once_freshsales_has_it() {
    let mut site = site();
    let decided = site.send(event("Newsletter Signup"));
    assert_eq!(states(&decided), [("list:newsletter:jane@example.com", ActionState::Held)]);
    let calls = site.play();
    let [Request::ListContacts { list: 1, on: true, body }] = calls.as_slice() else { panic!("{calls:?}") };
    assert_eq!(body["ids"].as_array().unwrap().len(), 1);
    assert_eq!(site.is_on("Newsletter"), Some(true));
    // The same again is nothing.
    let again = site.send(event("Newsletter Signup"));
    assert_eq!(states(&again)[0].1, ActionState::Unchanged);
    assert!(site.play().is_empty());
    let left = site.send(event("Newsletter Left"));
    assert_eq!(states(&left)[0].1, ActionState::Queued);
    let delivery = site.world.deliveries.get(left.actions[0].delivery.as_ref().unwrap()).unwrap();
    assert_eq!((delivery.lane, delivery.state), (Lane::Refresh, State::Waiting));
    assert_eq!(site.play().len(), 2, "another list by its id goes too");
    assert_eq!((site.is_on("newsletter"), site.is_on("77")), (Some(false), Some(false)));
}

#[test]
fn changes_before_the_call_are_one_call_or_none() {
    let mut site = site();
    site.send(event("Newsletter Signup"));
    site.play();
    site.send(event("Newsletter Left"));
    let back = site.send(event("Newsletter Signup"));
    assert_eq!(states(&back)[0].1, ActionState::Unchanged);
    let calls = site.play();
    assert_eq!(calls.len(), 1, "the other list alone: {calls:?}");
}

#[test]
fn a_list_that_is_not_there_holds_and_is_found_when_it_is() {
    let mut site = with(LISTS, &["Trials"]);
    let decided = site.send(event("Newsletter Signup"));
    assert_eq!(states(&decided)[0].1, ActionState::Held);
    assert!(
        decided.actions[0].why.contains("the account has no list `Newsletter`; it has Trials"),
        "{decided:?}"
    );
    assert!(site.settings.missing_names().iter().any(|why| why.contains("`Newsletter`")));
    assert!(site.play().is_empty());
    site.settings.selectors = known(&["Trials", "Newsletter"]);
    let email = key("x").email;
    assert!(lists::evaluate_without_event(&email, &mut site.world, &site.settings, site.now));
    assert_eq!(site.play().len(), 1);
}

#[test]
fn a_mapping_that_names_another_list_puts_them_on_that_one() {
    let mut site = with("[events.\"Newsletter Signup\".lists]\nadd = [\"Newsleter\"]\n", &["Newsletter"]);
    site.send(event("Newsletter Signup"));
    site.play();
    site.settings.preset = Preset::parse(Some(LISTS)).unwrap();
    lists::evaluate_without_event(&key("x").email, &mut site.world, &site.settings, site.now);
    site.play();
    assert_eq!(site.is_on("Newsletter"), Some(true));
}

#[test]
fn a_shut_gate_holds_and_says_so() {
    let mut site = site();
    site.settings.consent.required = vec![Category::from("marketing")];
    let decided = site.send(event("Newsletter Signup"));
    assert_eq!(states(&decided)[0].1, ActionState::ConsentDenied);
    assert!(site.play().is_empty());
}

#[test]
fn without_an_email_nobody_is_listed_and_the_event_says_so() {
    let mut site = site();
    let decided = site.send(json!({"type": "track", "event": "Newsletter Signup", "userId": "u1"}));
    assert_eq!(states(&decided), [("list:newsletter", ActionState::NoEmail)]);
    site.send(json!({"type": "identify", "userId": "u1", "traits": {"email": "jane@example.com", "last_name": "Doe"}}));
    site.play();
    assert_eq!(site.is_on("Newsletter"), Some(true));
}

#[test]
fn what_is_refused_is_kept_and_goes_when_something_else_is_said() {
    let mut site = site();
    site.send(event("Newsletter Signup"));
    let contact = site.world.deliveries.owed_to(&site.settings.account);
    simulate(&contact[0].0, &mut site.world, &site.settings, site.now);
    let refused = Verdict::Refused { reason: "no".into(), attribute: None, demanded: false, again: false };
    let answer = |site: &mut Service, verdict: Verdict| {
        let (id, _) = site.world.deliveries.owed_to(&site.settings.account).into_iter().next().unwrap();
        let order = claim(&id, &mut site.world, &site.settings, site.now).unwrap();
        site.settle(order, verdict);
        id
    };
    let id = answer(&mut site, refused);
    assert_eq!(site.world.deliveries.get(&id).unwrap().state, State::Dead);
    let again = site.send(event("Newsletter Signup"));
    assert_eq!(states(&again)[0].1, ActionState::Absorbed);
    assert!(site.play().is_empty());
    site.send(event("Newsletter Left"));
    assert_eq!(site.world.deliveries.get(&id).unwrap().state, State::Retrying);
    site.play();
    assert_eq!(site.is_on("Newsletter"), Some(false));
}

#[test]
fn a_call_without_an_answer_is_made_again() {
    let mut site = site();
    site.send(event("Newsletter Signup"));
    let contact = site.world.deliveries.owed_to(&site.settings.account);
    simulate(&contact[0].0, &mut site.world, &site.settings, site.now);
    let (id, _) = site.world.deliveries.owed_to(&site.settings.account).into_iter().next().unwrap();
    claim(&id, &mut site.world, &site.settings, site.now).unwrap();
    // The service is killed during the call.
    void_claim(&id, &mut site.world, site.now);
    assert_eq!(site.play().len(), 1);
    assert_eq!(site.is_on("Newsletter"), Some(true));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn who_is_on_a_list_is_the_same_for_every_order_of_events(
        said in prop::collection::vec((0..3_usize, 0..8_i64), 1..12).prop_flat_map(|said| (Just(said.clone()), Just(said).prop_shuffle())),
        plays in prop::collection::vec(any::<bool>(), 12),
    ) {
        const NAMES: [&str; 3] = ["Newsletter Signup", "Newsletter Left", "Trial Started"];
        let (in_order, shuffled) = said;
        let ends = [in_order, shuffled].map(|said| {
            let mut site = site();
            site.send_at(START, "identify", event("Lead Generated"));
            for ((which, at), plays) in said.into_iter().zip(&plays) {
                site.send_at(START + at, &format!("m-{which}-{at}"), event(NAMES[which]));
                if *plays {
                    site.play();
                }
            }
            site.play();
            ["Newsletter", "Trials", "77"].map(|list| site.is_on(list))
        });
        prop_assert_eq!(ends[0], ends[1]);
    }
}
