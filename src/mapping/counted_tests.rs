//! Tests of attributes that are made of several events.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::clock::UnixMicros;
use crate::event::{Event, Kind, Position, SourceName};
use crate::person::{Said, THINGS_MAX};

const SHOP: &str = r#"
    [events."Order Cancelled"]
    [counted.orders]
    key = ["properties.order_id", "properties.orderId"]
    events = ["Order Completed"]
    undone_by = ["Order Cancelled"]
    currency = ["properties.currency"]
    [fields."custom_field.cf_orders"]
    aggregate = "count"
    of = "orders"
    [fields."custom_field.cf_revenue"]
    aggregate = "sum"
    of = "orders"
    from = ["properties.total", "properties.revenue"]
    convert = "money"
    [fields."custom_field.cf_last_order"]
    aggregate = "last"
    of = "orders"
    from = ["properties.order_id"]
    [fields."custom_field.cf_customer_since"]
    aggregate = "first"
    of = "orders"
    from = ["event.day"]
"#;

fn event(at: i64, name: &str, properties: &Value) -> Event {
    let body = json!({"type": "track", "event": name, "properties": properties});
    let body = body.as_object().cloned().unwrap_or_default();
    let stamp =
        Stamp { at: UnixMicros(at * 86_400_000_000), message_id: format!("m{at}"), ..Stamp::default() };
    Event {
        position: Position(1),
        source: SourceName("shop".into()),
        people: crate::person::DEFAULT_PEOPLE.into(),
        received_at: stamp.at,
        stamp,
        kind: Kind::Track,
        backfill: false,
        body,
    }
}

fn learned(preset: &Preset, events: &[Event]) -> Facts {
    let mut facts = Facts::default();
    for event in events {
        let tallied = preset.counted_of(event).said;
        facts.learn(&Said { tallied, ..Said::default() }, &event.stamp);
    }
    facts
}

fn sent(mapped: &Mapped) -> BTreeMap<&str, &Value> {
    mapped
        .always
        .iter()
        .map(|(name, said)| (name.trim_start_matches("custom_field.cf_"), &said.value))
        .collect()
}

fn made_of(events: &[Event]) -> Value {
    let preset = Preset::parse(Some(SHOP)).unwrap();
    json!(sent(&preset.map_counted(&learned(&preset, events).tallies, false)))
}

fn order(at: i64, id: &str, total: &Value) -> Event {
    event(at, "Order Completed", &json!({"order_id": id, "total": total, "currency": "EUR"}))
}

#[test]
fn orders_are_counted_summed_and_the_last_and_the_first_of_them_known() {
    let events = [order(3, "B", &json!("1.234,50")), order(1, "A", &json!(0.1)), order(2, "C", &json!(0.2))];
    let expected = json!({"orders": 3, "revenue": 1234.8, "last_order": "B", "customer_since": "1970-01-02"});
    assert_eq!(made_of(&events), expected);
}

#[test]
fn an_order_said_again_is_one_order_with_its_newest_amount() {
    let events = [order(2, "A", &json!(20)), order(1, "A", &json!(10)), order(2, "A", &json!(20))];
    assert_eq!(made_of(&events)["orders"], 1);
    assert_eq!(made_of(&events)["revenue"], 20);
}

#[test]
fn an_order_that_was_cancelled_counts_no_more_until_it_is_completed_again() {
    let cancelled = |at| event(at, "order_cancelled", &json!({"orderId": "B"}));
    let mut events = vec![order(1, "A", &json!(10)), order(2, "B", &json!(5)), cancelled(3)];
    assert_eq!(made_of(&events)["orders"], 1);
    assert_eq!(made_of(&events)["revenue"], 10);
    assert_eq!(made_of(&events)["last_order"], "A");
    events.push(order(4, "B", &json!(7)));
    assert_eq!(made_of(&events)["revenue"], 17);
    let only = [order(1, "A", &json!(10)), event(2, "Order Cancelled", &json!({"order_id": "A"}))];
    assert_eq!(made_of(&only), json!({"orders": 0, "revenue": 0}), "none is a number, too");
}

#[test]
fn amounts_of_two_currencies_are_not_summed_and_it_is_told() {
    let dollars = event(2, "Order Completed", &json!({"order_id": "B", "total": 5, "currency": "usd"}));
    let preset = Preset::parse(Some(SHOP)).unwrap();
    let facts = learned(&preset, &[order(1, "A", &json!(10)), dollars]);
    let mapped = preset.map_counted(&facts.tallies, false);
    assert_eq!(sent(&mapped).get("revenue"), None);
    assert_eq!(sent(&mapped)["orders"], 2);
    assert_eq!(mapped.left_out[0].why, "a sum over EUR, USD would mean nothing");
}

#[test]
fn what_can_not_be_read_is_told_and_the_rest_is_summed() {
    let preset = Preset::parse(Some(SHOP)).unwrap();
    let facts = learned(&preset, &[order(1, "A", &json!(10)), order(2, "B", &json!("1,234"))]);
    let mapped = preset.map_counted(&facts.tallies, false);
    assert_eq!(sent(&mapped)["revenue"], 10);
    assert_eq!(mapped.left_out[0].why, "properties.total: it is no amount that can be read in one way only");
}

#[test]
fn an_event_without_a_key_is_not_counted_and_says_so() {
    let preset = Preset::parse(Some(SHOP)).unwrap();
    let counted = preset.counted_of(&event(1, "Order Completed", &json!({"order_id": " "})));
    assert!(counted.said.is_empty());
    assert_eq!(
        counted.notes,
        [
            "counted.orders: nothing of at most 64 characters stands at properties.order_id, properties.orderId, so the event is not counted"
        ]
    );
    let long = "x".repeat(200);
    let counted = preset.counted_of(&event(1, "Order Completed", &json!({"order_id": "A", "total": long})));
    assert!(!counted.said["orders"].values.contains_key("properties.total"));
    assert_eq!(counted.notes, ["properties.total: larger than 128 bytes, left out of counted.orders"]);
}

#[test]
fn beyond_the_bound_only_the_last_is_sent_and_the_contact_says_why() {
    let preset = Preset::parse(Some(SHOP)).unwrap();
    let many = i64::try_from(THINGS_MAX).unwrap() + 1;
    let events: Vec<Event> = (1..=many).map(|at| order(at, &format!("A{at}"), &json!(1))).collect();
    let up_to = learned(&preset, &events[1..]);
    assert_eq!(sent(&preset.map_counted(&up_to.tallies, false))["orders"], THINGS_MAX);
    let beyond = learned(&preset, &events);
    let mapped = preset.map_counted(&beyond.tallies, false);
    assert_eq!(json!(sent(&mapped)), json!({"last_order": format!("A{many}")}));
    assert_eq!(mapped.left_out.len(), 3);
    assert!(mapped.left_out[0].why.starts_with("more than 500 orders were said"), "{:?}", mapped.left_out);
    let mut backwards: Vec<Event> = events.clone();
    backwards.reverse();
    assert_eq!(learned(&preset, &backwards), beyond, "whatever the order, the same are kept");
    let bytes = serde_json::to_string(&beyond).unwrap().len();
    assert!(bytes < 512 * THINGS_MAX, "{bytes}");
}

#[test]
fn each_mistake_of_a_set_is_named() {
    for (file, problem) in [
        (
            "[counted.o]\n[fields.a]\naggregate = \"count\"\nof = \"o\"",
            "line 1, counted.o.key: is missing: where it stands which of them it is, such as [\"properties.order_id\"]",
        ),
        (
            "[counted.o]\nkey = [\"properties.id\"]\nevents = [\"Order Completed\"]",
            "line 1, counted.o: no attribute is made of it: write aggregate = \"count\" and of = \"o\" in a [fields.NAME]",
        ),
        (
            "[fields.a]\naggregate = \"count\"",
            "line 1, fields.a.of: is missing beside aggregate = \"count\": what to take it over; there is no [counted.SET]",
        ),
        (
            "[fields.a]\naggregate = \"last\"\nof = \"o\"\nfrom = [\"properties.x\"]",
            "line 3, fields.a.of: \"o\" is no set; known: there is no [counted.SET]",
        ),
        (
            "[fields.a]\nof = \"o\"\n[counted.o]\nkey = [\"properties.id\"]\nevents = [\"Order Completed\"]",
            "line 1, fields.a.aggregate: is missing beside `of`: count, sum, last or first",
        ),
        (
            "[fields.a]\naggregate = \"middle\"",
            "line 2, fields.a.aggregate: unknown variant `middle`, expected one of `count`, `sum`, `last`, `first`",
        ),
        (
            "[fields.a]\naggregate = \"first\"",
            "line 1, fields.a.from: is missing beside aggregate = \"first\"",
        ),
        (
            "[fields.a]\naggregate = \"last\"\nfrom = [\"event.time\"]",
            "line 3, fields.a.from: \"event.time\" must begin with traits., properties., context. or group. and name what is in it, or be event.day",
        ),
        (
            "[fields.a]\naggregate = \"last\"\npick = \"first\"\nfrom = [\"traits.x\"]",
            "line 3, fields.a.pick: stands beside `aggregate`, which says it already; take it out",
        ),
        (
            "[fields.a]\naggregate = \"last\"\nfrom = [\"traits.x\"]\n[events.\"Logged In\".fields.a]\nconst = 1",
            "line 4, events.Logged In.fields.a: is made of several events by `aggregate`, so none of them says it alone",
        ),
    ] {
        let problems = Preset::parse(Some(file)).unwrap_err();
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(problems.contains(&problem.to_owned()), "{file}: {problems:#?}");
    }
    let set = "[counted.o]\nkey = [\"id\"]\nevents = [\"Order Completed\", \"Nonsense\"]\nundone_by = [\"order_completed\"]\n\
               [fields.a]\naggregate = \"sum\"\nof = \"o\"\nfrom = [\"properties.total\"]\n\
               [fields.b]\naggregate = \"count\"\nof = \"o\"\nfrom = [\"properties.total\"]";
    let problems = Preset::parse(Some(set)).unwrap_err();
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "line 2, counted.o.key: \"id\" must begin with traits., properties., context. or group. and name what is in it",
            "line 3, counted.o.events: \"Nonsense\" is no mapped event: add [events.\"Nonsense\"], or correct the name",
            "line 4, counted.o.undone_by: \"Order Completed\" stands in `events` too",
            "line 5, fields.a.convert: a sum needs numbers: write convert = \"money\", \"money_cents\", \"number\" or \"integer\"",
            "line 12, fields.b.from: a count reads nothing: take it out",
        ]
    );
}
