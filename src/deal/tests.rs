//! Tests of the deal room.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::delivery::DeliveryId;
use crate::person::PersonId;
use crate::selectors::{Answered, Forecast, Kind, Selectors, Stage, Table};

/// The pipeline that an account is delivered with (seen on live accounts).
pub(super) fn stages() -> Vec<Stage> {
    let names = ["New", "Qualification", "Demo", "Negotiation", "Won", "Lost"];
    let forecast = |name: &str| match name {
        "Won" => Forecast::Won,
        "Lost" => Forecast::Lost,
        _ => Forecast::Open,
    };
    let stage =
        |(id, name): (u64, &str)| Stage { id, name: name.to_owned(), position: 0, forecast: forecast(name) };
    (11..).zip(names).map(stage).collect()
}

pub(super) fn stamp(at: i64) -> Stamp {
    Stamp { at: UnixMicros(at), message_id: format!("m{at}"), ..Stamp::default() }
}

/// One event: which, when, whose, with which amount.
type Told = (usize, i64, u8, i64);

fn learn(deal: &mut Deal, told: Told) {
    let (event, at, person, amount) = told;
    let events = ["new", "qualified", "demo", "negotiation", "won", "lost"];
    let values = BTreeMap::from([("properties.total".to_owned(), json!(amount))]);
    let said = Said { values, ..Said::default() };
    let person = PersonKey { people: "default".to_owned(), id: PersonId::User(person.to_string()) };
    // Times repeat, messages do not: a message says one thing.
    let stamp =
        Stamp { at: UnixMicros(at), message_id: format!("{event}-{at}-{amount}"), ..Stamp::default() };
    let received_at = UnixMicros(at + 100);
    let said =
        DealSaid { event: events[event], said: &said, person: Some(&person), stamp: &stamp, received_at };
    deal.learn(&said);
}

fn told(history: &[Told]) -> Deal {
    let mut deal = Deal::default();
    for told in history {
        learn(&mut deal, *told);
    }
    deal
}

fn stage_of(deal: &Deal) -> Option<Stage> {
    let names = BTreeMap::from([
        ("new", "New"),
        ("qualified", "Qualification"),
        ("demo", "Demo"),
        ("negotiation", "Negotiation"),
        ("won", "Won"),
        ("lost", "Lost"),
    ]);
    let said =
        deal.events.iter().map(|(event, stamp)| (names[event.as_str()].to_owned(), stamp.clone())).collect();
    wanted_stage(&said, &stages(), true).unwrap().cloned()
}

fn a_history() -> impl Strategy<Value = Vec<Told>> {
    proptest::collection::vec((0..6_usize, 0..40_i64, 0..3_u8, 0..5_i64), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn whatever_the_order_of_arrival_the_deal_is_the_same(
        history in a_history(),
        swaps in proptest::collection::vec((0..12_usize, 0..12_usize), 0..24),
        again in 0..12_usize,
    ) {
        let mut other = history.clone();
        for (one, two) in swaps {
            let length = other.len();
            other.swap(one % length, two % length);
        }
        other.push(other[again % other.len()]);
        prop_assert_eq!(told(&history), told(&other));
    }

    #[test]
    fn joining_is_commutative_associative_and_idempotent(a in a_history(), b in a_history(), c in a_history()) {
        let join = |one: &Deal, other: &Deal| {
            let mut joined = one.clone();
            joined.join(other);
            joined
        };
        let (a, b, c) = (told(&a), told(&b), told(&c));
        prop_assert_eq!(join(&a, &b), join(&b, &a));
        prop_assert_eq!(join(&join(&a, &b), &c), join(&a, &join(&b, &c)));
        prop_assert_eq!(join(&a, &a), a);
    }

    #[test]
    fn however_late_events_come_no_step_goes_back_without_a_loss(history in a_history()) {
        let place = |stage: &Stage| stages().iter().position(|known| known.id == stage.id).unwrap();
        let mut deal = Deal::default();
        let mut before: Option<Stage> = None;
        for told in history {
            learn(&mut deal, told);
            let now = stage_of(&deal);
            if let (Some(before), Some(now)) = (&before, &now) {
                let back = before.forecast != Forecast::Lost && place(now) < place(before);
                prop_assert!(!back || told.0 == 5, "{before:?} -> {now:?} by {told:?}");
            }
            before = now;
        }
    }
}

#[test]
fn of_too_many_persons_the_newest_stay_in_whatever_order_they_came() {
    let history: Vec<Told> = (0..60).map(|n| (0, i64::from(n), n, 1)).collect();
    let (there, back) = (told(&history), told(&history.iter().rev().copied().collect::<Vec<_>>()));
    assert_eq!(there, back);
    assert_eq!(there.persons.len(), PERSONS_MAX);
    assert_eq!(there.persons_newest_first().next().unwrap().0.to_string(), "user:59");
    assert_eq!(there.found_by().as_deref(), Some("user:59"));
}

// ---- the next step ----

const LONG_AGO: UnixMicros = UnixMicros(0);

fn at(seconds: u64) -> UnixMicros {
    LONG_AGO.plus(Duration::from_secs(seconds))
}

fn attributes(pairs: &[(&str, Value)]) -> Attributes {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn a_wish(stage: &str) -> Wish {
    Wish {
        attributes: attributes(&[("amount", json!(49)), ("stage", json!(stage))]),
        on_create: attributes(&[("name", json!("order #A-1")), ("custom_field.cf_order_id", json!("A-1"))]),
        stages: stages(),
        forward_only: true,
        begun: true,
        contacts: BTreeSet::from([7]),
        contact: Some(7),
        searchable: true,
        attempt_timeout: Duration::from_secs(30),
        ..Wish::default()
    }
}

fn leave(standing: &mut Standing, carried: Carried, sent: Attributes, left_at: UnixMicros) {
    let delivery = DeliveryId("d1-0".to_owned());
    let contacts = BTreeSet::from([7]);
    standing.leave(InFlight { delivery, attempt: 1, carried, sent, contacts, left_at });
}

fn a_deal_in(stage: &str) -> Standing {
    let mut standing = Standing::default();
    let Next::Create(sent) = next(&a_wish(stage), &standing, at(0)) else { panic!("it is created") };
    leave(&mut standing, Carried::Create, sent, at(0));
    standing.stored(Some(900), None, at(1));
    standing
}

#[test]
fn a_new_deal_is_created_once_with_its_name_and_its_key() {
    let standing = a_deal_in("New");
    assert_eq!(standing.birth, Birth::Told { id: 900 });
    assert_eq!(standing.accepted["custom_field.cf_order_id"], "A-1");
    assert_eq!(next(&a_wish("New"), &standing, at(2)), Next::Nothing);
}

#[test]
fn a_creation_without_an_answer_is_asked_for_before_it_is_repeated() {
    let mut standing = Standing::default();
    leave(&mut standing, Carried::Create, Attributes::new(), at(100));
    standing.unanswered();
    let question = Next::Ask(Asked::DealsOf(7), at(190));
    assert_eq!(next(&a_wish("New"), &standing, at(101)), question);
    let mut found = standing.clone();
    found.adopt(901, None);
    assert!(matches!(next(&a_wish("New"), &found, at(200)), Next::Ask(Asked::Deal(901), _)));
    standing.not_found();
    assert!(matches!(next(&a_wish("New"), &standing, at(200)), Next::Create(_)));
}

#[test]
fn without_a_contact_a_search_is_asked_three_times_and_then_a_person() {
    let wish = Wish { contact: None, contacts: BTreeSet::new(), ..a_wish("New") };
    let birth =
        |asked| Standing { birth: Birth::Unanswered { left_at: at(0), asked }, ..Standing::default() };
    let asked: Vec<Next> = (0..4).map(|asked| next(&wish, &birth(asked), at(0))).collect();
    let key = |seconds| Next::Ask(Asked::Key, at(seconds));
    assert_eq!(asked, [key(90), key(330), key(1530), Next::Held(HeldBack::Unclear)]);
    let unsearchable = Wish { searchable: false, ..wish };
    assert_eq!(next(&unsearchable, &birth(0), at(0)), Next::Held(HeldBack::Unclear));
}

#[test]
fn what_an_answer_refused_may_be_created_again() {
    let mut standing = Standing::default();
    leave(&mut standing, Carried::Create, Attributes::new(), at(0));
    standing.not_applied();
    assert_eq!(standing.birth, Birth::Planned);
    leave(&mut standing, Carried::Create, Attributes::new(), at(0));
    standing.stored(None, None, at(1));
    assert_eq!(standing.birth, Birth::Unanswered { left_at: at(0), asked: 0 });
}

#[test]
fn a_move_is_preceded_by_a_look_and_a_loss_is_not() {
    let standing = a_deal_in("New");
    assert_eq!(next(&a_wish("Demo"), &standing, at(5)), Next::Ask(Asked::Deal(900), at(5)));
    let lost = next(&a_wish("Lost"), &standing, at(5));
    assert_eq!(lost, Next::Update(900, attributes(&[("stage", json!("Lost"))]), BTreeSet::new()));
    let any = Wish { forward_only: false, ..a_wish("Demo") };
    assert!(matches!(next(&any, &standing, at(5)), Next::Update(900, ..)));
}

#[test]
fn what_a_person_has_moved_further_stays() {
    let seen =
        |stage_id, from: &str| Standing { seen: Some(Seen { stage_id, at: at(10) }), ..a_deal_in(from) };
    let moved = |from: &str, there: u64, to: &str| next(&a_wish(to), &seen(there, from), at(20));
    let update = |stage: &str| Next::Update(900, attributes(&[("stage", json!(stage))]), BTreeSet::new());
    let ahead =
        |stage: &str, at: Option<&str>| Next::Ahead { stage: json!(stage), at: at.map(str::to_owned) };
    assert_eq!(moved("New", 11, "Demo"), update("Demo"));
    assert_eq!(moved("New", 14, "Demo"), ahead("Demo", Some("Negotiation")));
    assert_eq!(moved("New", 15, "Demo"), ahead("Demo", Some("Won")));
    assert_eq!(moved("New", 13, "Demo"), ahead("Demo", None));
    assert_eq!(moved("New", 99, "Demo"), ahead("Demo", Some("a stage of another pipeline")));
    // Lost by a person it stays lost, unless the order is won; lost by an event it begins anew.
    assert_eq!(moved("New", 16, "Demo"), ahead("Demo", Some("Lost")));
    assert_eq!(moved("New", 16, "Won"), update("Won"));
    assert_eq!(moved("Lost", 16, "New"), update("New"));
    // What was seen counts for ten minutes.
    assert!(matches!(next(&a_wish("Demo"), &seen(11, "New"), at(611)), Next::Ask(Asked::Deal(900), _)));
}

#[test]
fn only_what_differs_is_sent_and_custom_fields_go_whole() {
    let mut wish = a_wish("New");
    wish.attributes.insert("amount".to_owned(), json!(60));
    let standing = a_deal_in("New");
    assert_eq!(
        next(&wish, &standing, at(5)),
        Next::Update(900, attributes(&[("amount", json!(60))]), BTreeSet::new())
    );
    wish.attributes.insert("custom_field.cf_tier".to_owned(), json!("A"));
    let Next::Update(_, sent, _) = next(&wish, &standing, at(5)) else { panic!("it is changed") };
    assert_eq!(
        sent.keys().collect::<Vec<_>>(),
        ["amount", "custom_field.cf_order_id", "custom_field.cf_tier"]
    );
    let another = Wish { contacts: BTreeSet::from([7, 8]), ..a_wish("New") };
    assert_eq!(next(&another, &standing, at(5)), Next::Update(900, Attributes::new(), BTreeSet::from([8])));
}

#[test]
fn a_change_without_an_answer_is_sent_again() {
    let mut standing = a_deal_in("New");
    leave(&mut standing, Carried::Update, attributes(&[("amount", json!(60))]), at(5));
    standing.unanswered();
    let back = Next::Update(900, attributes(&[("amount", json!(49))]), BTreeSet::new());
    assert_eq!(next(&a_wish("New"), &standing, at(6)), back);
}

#[test]
fn a_contact_from_before_us_is_looked_at_before_a_deal_is_created() {
    let wish = Wish { look_first: true, contact_is_older: true, ..a_wish("New") };
    let standing = Standing::default();
    assert_eq!(next(&wish, &standing, at(5)), Next::Ask(Asked::DealsOf(7), at(5)));
    let looked = Standing { looked_at: Some(at(5)), ..standing.clone() };
    assert!(matches!(next(&wish, &looked, at(6)), Next::Create(_)));
    let ours = Wish { contact_is_older: false, ..wish };
    assert!(matches!(next(&ours, &standing, at(5)), Next::Create(_)));
}

#[test]
fn what_no_event_may_create_is_taken_over_or_waits() {
    let wish = Wish { begun: false, ..a_wish("Lost") };
    let standing = Standing::default();
    assert_eq!(next(&wish, &standing, at(5)), Next::Held(HeldBack::NotBegun));
    let adopting = Wish { adopt: true, ..wish };
    assert_eq!(next(&adopting, &standing, at(5)), Next::Ask(Asked::DealsOf(7), at(5)));
    let looked = Standing { looked_at: Some(at(5)), ..standing };
    assert_eq!(next(&adopting, &looked, at(6)), Next::Held(HeldBack::NotBegun));
}

#[test]
fn of_several_open_deals_a_person_chooses_and_freshsales_is_asked_again_after_an_hour() {
    let wish = Wish { adopt: true, ..a_wish("New") };
    let candidates = vec![
        Candidate { id: 92, name: "Trial".to_owned() },
        Candidate { id: 93, name: "Renewal".to_owned() },
    ];
    let standing = Standing { candidates, looked_at: Some(at(0)), ..Standing::default() };
    assert_eq!(next(&wish, &standing, at(3599)), Next::Held(HeldBack::Several(2)));
    assert_eq!(next(&wish, &standing, at(3600)), Next::Ask(Asked::DealsOf(7), at(3600)));
    // A kind that takes over none creates one of its own.
    assert!(matches!(next(&a_wish("New"), &standing, at(1)), Next::Create(_)));
    let mut chosen = standing.clone();
    chosen.adopt(93, None);
    assert!(chosen.candidates.is_empty());
    assert!(matches!(next(&wish, &chosen, at(1)), Next::Ask(Asked::Deal(93), _)));
    let mut created = standing.clone();
    created.create_by_hand(at(1));
    assert!(matches!(next(&wish, &created, at(1)), Next::Create(_)));
    let mut left = standing;
    left.leave_alone(at(1));
    assert_eq!(next(&wish, &left, at(9999)), Next::Held(HeldBack::LeftAlone));
}

#[test]
fn every_cause_has_a_word_of_its_own_and_a_sentence() {
    let words = || "why".to_owned();
    let all = [
        HeldBack::NoEmail,
        HeldBack::Contact,
        HeldBack::Lead,
        HeldBack::ContactRefused(words()),
        HeldBack::Company,
        HeldBack::Name(words()),
        HeldBack::Consent(words()),
        HeldBack::NotBegun,
        HeldBack::Several(2),
        HeldBack::LeftAlone,
        HeldBack::Gone,
        HeldBack::Unclear,
    ];
    assert_eq!(all.each_ref().map(HeldBack::as_str), HeldBack::WORDS);
    assert!(all.iter().all(|held| !held.words().is_empty()));
}

#[test]
fn what_was_deleted_stays_deleted_unless_the_kind_says_otherwise() {
    let mut standing = a_deal_in("New");
    standing.gone(at(9));
    assert_eq!(next(&a_wish("Won"), &standing, at(10)), Next::Held(HeldBack::Gone));
    let again = Wish { recreate: true, ..a_wish("Won") };
    assert!(matches!(next(&again, &standing, at(10)), Next::Create(_)));
}

// ---- bodies and names ----

fn account() -> Selectors {
    let mut selectors = Selectors::default();
    let mut learn = |kind: Kind, answer: Value| {
        selectors.learn(kind, at(0), Answered::Known(Table::read(kind, &answer).unwrap()));
    };
    learn(Kind::Currencies, json!({"currencies": [{"id": 3, "currency_code": "EUR"}]}));
    let stages: Vec<Value> = (0..)
        .zip(stages())
        .map(|(place, stage)| {
            let forecast = if stage.name == "Won" {
                "Closed Won"
            } else if stage.name == "Lost" {
                "Closed Lost"
            } else {
                "Open"
            };
            json!({"id": stage.id, "name": stage.name, "position": place, "forecast_type": forecast})
        })
        .collect();
    let pipeline = json!({"id": 5, "name": "Default Pipeline", "is_default": true, "deal_stages": stages});
    learn(Kind::DealPipelines, json!({"deal_pipelines": [pipeline]}));
    selectors.learn(Kind::Owners, at(0), Answered::Forbidden);
    selectors
}

#[test]
fn the_body_of_a_new_deal_has_ids_in_the_place_of_names() {
    let wanted = attributes(&[
        ("amount", json!(49.5)),
        ("currency", json!("EUR")),
        ("custom_field.cf_order_id", json!("A-1")),
        ("expected_close", json!("2030-01-31")),
        ("name", json!("order #A-1")),
        ("owner", json!(44)),
        ("pipeline", json!("Default Pipeline")),
        ("stage", json!("won")),
    ]);
    let (sent, left_out) = resolve(&wanted, None, &account()).unwrap();
    assert!(left_out.is_empty());
    let expected = "{\"deal\":{\"name\":\"order #A-1\",\"amount\":49.5,\"currency_id\":3,\"deal_pipeline_id\":5,\
                    \"deal_stage_id\":15,\"expected_close\":\"2030-01-31\",\"owner_id\":44,\
                    \"custom_field\":{\"cf_order_id\":\"A-1\"},\"sales_account_id\":12,\"contacts_added_list\":[7,8]}}";
    assert_eq!(create_body(&sent, &BTreeSet::from([8, 7]), Some(12)).to_string(), expected);
    let (sent, _) = resolve(&attributes(&[("stage", json!("Lost"))]), None, &account()).unwrap();
    assert_eq!(update_body(&sent, &BTreeSet::new()).to_string(), r#"{"deal":{"deal_stage_id":16}}"#);
}

#[test]
fn a_name_that_is_not_essential_is_left_out_and_one_that_is_holds_the_deal() {
    let (sent, left_out) =
        resolve(&attributes(&[("owner", json!("kim@example.com"))]), None, &account()).unwrap();
    assert!(sent.is_empty());
    assert_eq!(left_out.len(), 1);
    assert!(left_out[0].starts_with("owner left out: the key may not see the list"), "{left_out:?}");
    let missing = resolve(&attributes(&[("stage", json!("Trial Active"))]), None, &account()).unwrap_err();
    let words = "the account has no deal stage `Trial Active`; it has New, Qualification, Demo, Negotiation, Won, Lost";
    assert_eq!(missing, words);
    let missing = resolve(&attributes(&[("amount", json!(1)), ("currency", json!("XXX"))]), None, &account())
        .unwrap_err();
    assert_eq!(missing, "the account has no currency `XXX`; it has EUR");
    assert!(resolve(&attributes(&[("pipeline", json!("Sales"))]), None, &account()).is_err());
}

#[test]
fn deals_of_an_answer_are_found_by_their_key() {
    let answer = json!({"contact": {"id": 7}, "deals": [
        {"id": 92, "name": "B order (#A-1)", "deal_stage_id": 11, "custom_field": {"cf_order_id": "A-1"}},
        {"id": 91, "name": "order", "deal_stage_id": 15, "custom_field": {"cf_order_id": "A-1"}},
        {"id": "93", "name": "order (#A-11)", "deal_stage_id": 12, "custom_field": {"cf_order_id": 12}},
    ]});
    let answer = answer.as_object().unwrap();
    assert_eq!(found_in(answer, "A-1", Some("custom_field.cf_order_id")), [91, 92]);
    assert_eq!(found_in(answer, "12", Some("custom_field.cf_order_id")), [93]);
    assert_eq!(found_in(answer, "A-1", None), [92]);
    let open = |stages: [u64; 2], field| {
        let open = open_in(answer, &BTreeSet::from(stages), field);
        open.into_iter().map(|candidate| (candidate.id, candidate.name)).collect::<Vec<_>>()
    };
    // One that holds a key is some other deal.
    assert_eq!(open([15, 12], None), [(91, "order".to_owned())]);
    assert_eq!(
        open([11, 12], Some("custom_field.cf_trial")),
        [(92, "B order (#A-1)".to_owned()), (93, "order (#A-11)".to_owned())]
    );
    assert_eq!(open([11, 12], Some("custom_field.cf_order_id")), []);
    assert_eq!(seen_in(answer, 91, at(1)), Some(Seen { stage_id: 15, at: at(1) }));
    let lookup = json!({"deals": {"deals": [{"id": 95, "custom_field": {"cf_order_id": "Z"}}]}});
    assert_eq!(found_in(lookup.as_object().unwrap(), "Z", Some("custom_field.cf_order_id")), [95]);
    let shown = json!({"deal": {"id": 95, "deal_stage_id": "13"}});
    assert_eq!(seen_in(shown.as_object().unwrap(), 95, at(1)), Some(Seen { stage_id: 13, at: at(1) }));
    let inside = json!({"contact": {"id": 7, "deals": [{"id": 96, "name": "x (#Q)"}]}});
    assert_eq!(found_in(inside.as_object().unwrap(), "Q", None), [96]);
}
