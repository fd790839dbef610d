//! What is told, to whom, and when it is tried again.

use serde_json::json;

use super::*;

/// 2030-03-17T17:46:40Z
const START: UnixMicros = UnixMicros(1_900_000_000_000_000);

fn report(data: Value) -> Report {
    let Value::Object(data) = data else { panic!("data is an object") };
    Report {
        topic: Topic::DealWon,
        subject: "deal:default/order/A-1001".parse().unwrap(),
        person: Some(Email::parse("ann@example.com").unwrap()),
        cause: "12-0-1".to_owned(),
        at: START,
        data,
    }
}

fn receivers(when: Value) -> Receivers {
    let when: Conditions = serde_json::from_value(when).unwrap();
    let topics = [Topic::DealWon].into();
    let wants = Receiver { topics, when: when.read().unwrap() };
    let other = Receiver { topics: [Topic::DealLost].into(), when: Vec::new() };
    Receivers::from([("shop".to_owned(), wants), ("other".to_owned(), other)])
}

#[test]
fn a_message_says_what_happened_when_and_of_what_in_the_same_bytes_each_time() {
    let outputs =
        report(json!({"deal": {"key": "A-1001", "amount": "149.00"}})).outputs(&receivers(json!([])));
    let [output] = outputs.as_slice() else { panic!("{outputs:?}") };
    assert_eq!(output.message.id, "deal_won-12-0-1-1900000000000000");
    assert_eq!(
        output.message.body(),
        r#"{"type":"deal.won","timestamp":"2030-03-17T17:46:40.000Z","data":{"deal":{"key":"A-1001","amount":"149.00"}}}"#
    );
    let stored = serde_json::to_string(&output.message).unwrap();
    assert_eq!(serde_json::from_str::<Message>(&stored).unwrap(), output.message);
}

#[test]
fn every_topic_has_one_word_by_which_it_is_stored_and_read() {
    for topic in Topic::ALL {
        assert_eq!(Topic::parse(topic.as_str()), Some(topic));
        assert_eq!(json!(topic), topic.as_str());
    }
    assert_eq!(Topic::parse("deal.bought"), None);
}

#[test]
fn conditions_hold_for_what_is_there_and_for_nothing_else() {
    let data = json!({"deal": {"amount": "10000.50", "pipeline": "Enterprise", "id": 7}, "contact": {"email": null}});
    for (when, holds) in [
        (json!([]), true),
        (json!({"path": "deal.amount", "over": 10000}), true),
        (json!({"path": "deal.amount", "over": 10000.5}), false),
        (json!({"path": "deal.amount", "under": 10001}), true),
        (json!({"path": "deal.id", "is": 7}), true),
        (json!({"path": "deal.pipeline", "is": ["sales", "enterprise"]}), true),
        (json!({"path": "deal.pipeline", "is_not": "Enterprise"}), false),
        (json!({"path": "deal.nothing", "is_not": "x"}), true),
        (json!({"path": "deal.nothing", "over": 0}), false),
        (json!({"path": "contact.email", "is": "null"}), false),
        (json!([{"path": "deal.id", "is": 7}, {"path": "deal.amount", "under": 1}]), false),
    ] {
        let told = report(data.clone()).outputs(&receivers(when.clone()));
        assert_eq!(told.len(), usize::from(holds), "{when}");
    }
}

#[test]
fn a_condition_that_says_nothing_or_two_things_is_refused() {
    for when in [
        json!({"path": "deal.amount"}),
        json!({"path": "deal.amount", "over": 1, "under": 2}),
        json!({"path": "", "is": "x"}),
        json!([{"path": "deal..amount", "is": "x"}]),
    ] {
        let read: Conditions = serde_json::from_value(when.clone()).unwrap();
        assert!(read.read().is_err(), "{when}");
    }
}

#[test]
fn what_is_too_large_is_left_out_and_that_is_said() {
    let large = report(json!({"deal": {"key": "A"}, "attributes": {"a": "x".repeat(DATA_BYTES_MAX)}}));
    let told = large.outputs(&receivers(json!([])));
    let data = &told[0].message.data;
    assert_eq!((data.get("attributes"), data["deal"]["key"].as_str()), (None, Some("A")));
    assert!(data["left_out"].is_string(), "{data:?}");
}

/// The waits of an output whose receiver never takes it.
fn waits(retry_after: Option<Duration>) -> Vec<Duration> {
    let mut output = report(json!({})).outputs(&receivers(json!([]))).remove(0);
    let mut waits = Vec::new();
    while let AfterFailure::Again(at) = output.after_failure(retry_after, 0.0, START) {
        waits.push(at.since(START));
        output.attempts += 1;
    }
    waits
}

#[test]
fn a_message_is_tried_ten_times_over_three_days_and_then_given_up() {
    let seconds: Vec<u64> = waits(None).iter().map(Duration::as_secs).collect();
    assert_eq!(seconds, [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]);
    let asked = waits(Some(Duration::from_hours(1)));
    assert_eq!(
        (asked[0], asked[3], asked[4]),
        (Duration::from_hours(1), Duration::from_hours(2), Duration::from_hours(5))
    );
    let output = report(json!({})).outputs(&receivers(json!([]))).remove(0);
    assert_eq!(
        output.after_failure(None, 1.0, START),
        AfterFailure::Again(START.plus(Duration::from_millis(5500)))
    );
}

#[test]
fn a_receiver_that_is_away_is_asked_by_one_message_at_a_time_and_less_and_less_often() {
    let (mut gate, mut now, mut waits) = (Gate::default(), START, Vec::new());
    for _ in 0..CLOSES_AFTER - 1 {
        gate.failed("away".to_owned(), None, now);
        assert_eq!(gate.places(now), PLACES);
    }
    for _ in 0..9 {
        gate.failed("away".to_owned(), None, now);
        assert_eq!(gate.places(now), 0);
        let opens_at = gate.opens_at.unwrap();
        waits.push(opens_at.since(now).as_secs());
        now = opens_at;
        assert_eq!(gate.places(now), 1);
    }
    assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
    assert_eq!(gate.took(now), Some(START), "what failed since is due");
    assert_eq!((gate.places(now), gate.took(now)), (PLACES, None));
}

#[test]
fn a_receiver_that_asks_for_a_pause_gets_it_and_one_that_is_gone_is_not_called() {
    let mut gate = Gate::default();
    gate.tried(true, [("429".to_owned(), Some(Duration::from_hours(2)))], START);
    assert_eq!(gate.places(START.plus(Duration::from_mins(119))), 0);
    assert_eq!(gate.places(START.plus(Duration::from_hours(2))), PLACES);
    gate.turn_off("410".to_owned(), START);
    assert_eq!(gate.places(START.plus(Duration::from_hours(999))), 0);
    gate.resume();
    assert_eq!((gate.places(START), gate.took_at), (PLACES, Some(START)));
}

#[test]
fn one_message_that_is_never_taken_does_not_close_the_gate_for_those_that_are() {
    let mut gate = Gate::default();
    for _ in 0..100 {
        assert_eq!(gate.tried(true, [("400".to_owned(), None)], START), None);
        assert_eq!(gate.places(START), PLACES);
    }
    assert_eq!(gate.error.as_deref(), Some("400"));
}
