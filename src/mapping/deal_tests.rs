//! Tests of what a mapping file says of deals and companies.

use serde_json::{Map, json};

use super::*;
use crate::clock::UnixMicros;
use crate::event::{Event, Kind, Position, SourceName};
use crate::person::Said;

const ORDERS: &str = r#"
[deals.order]
key = ["properties.order_id", "properties.orderId"]
key_field = "custom_field.cf_order_id"
name = "{person.name|email} order #{key} ({properties.channel|shop})"
forward_only = true
[deals.order.fields.amount]
from = ["properties.total"]
convert = "money"
[deals.order.fields.currency]
from = ["properties.currency"]
[deals.order.fields.owner]
from = ["properties.rep"]
when = "create"
[events."Order Completed".deal]
kind = "order"
stage = "Won"
[events."Order Cancelled".deal]
kind = "order"
stage = "Lost"
reason = "Cancelled by customer"
create = false
"#;

fn preset(file: &str) -> Preset {
    Preset::parse(Some(file)).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn problems(file: &str) -> Vec<String> {
    Preset::parse(Some(file)).unwrap_err().iter().map(ToString::to_string).collect()
}

fn event(kind: Kind, body: Value) -> Event {
    let body: Map<String, Value> = serde_json::from_value(body).unwrap();
    let stamp = Stamp { at: UnixMicros(1), message_id: "m".to_owned(), ..Stamp::default() };
    let source = SourceName("shop".to_owned());
    let people = "default".to_owned();
    Event { position: Position(1), source, people, received_at: stamp.at, stamp, kind, backfill: false, body }
}

fn order(name: &str, properties: Value) -> Event {
    let mut body = json!({ "event": name });
    body["properties"] = properties;
    event(Kind::Track, body)
}

#[test]
fn what_the_preset_ships_commented_out_is_valid_once_it_is_not() {
    let shipped = include_str!("../../config/mapping.toml");
    let (_, example) = shipped.split_once("\n#[fields.company_name]").unwrap();
    let lines = example.lines().map(|line| line.strip_prefix('#').unwrap_or(line));
    let file = format!("[fields.company_name]{}", lines.collect::<Vec<_>>().join("\n"));
    let preset = preset(&file);
    assert!(preset.company().is_some());
    assert_eq!(preset.deal_kinds().map(|(kind, _)| kind).collect::<Vec<_>>(), ["order"]);
    assert!(preset.event("order cancelled").unwrap().deal.as_ref().is_some_and(|deal| !deal.create));
    let without = Preset::parse(None).unwrap();
    assert!(without.company().is_none() && without.deal_kinds().next().is_none());
}

#[test]
fn an_event_says_which_deal_it_speaks_of_and_what() {
    let preset = preset(ORDERS);
    let said = order(
        "order_completed",
        json!({"orderId": 1001.0, "total": "1,234.50", "currency": "eur", "color": "red"}),
    );
    let deal = preset.deal_of(&said).unwrap().unwrap();
    assert_eq!(
        (deal.kind.as_str(), deal.key.as_deref(), deal.event.as_str()),
        ("order", Some("1001"), "ordercompleted")
    );
    assert_eq!(deal.said.values.keys().collect::<Vec<_>>(), ["properties.currency", "properties.total"]);
    assert_eq!(preset.deal_of(&order("Logged In", json!({"order_id": "A"}))), None);
    let NoDeal::NoKey(kind, paths) =
        preset.deal_of(&order("Order Completed", json!({"total": 1}))).unwrap().unwrap_err();
    assert_eq!((kind.as_str(), paths.len()), ("order", 2));
    for key in [json!(true), json!({"id": 1}), json!("  "), json!("undefined"), json!("x".repeat(300))] {
        assert!(preset.deal_of(&order("Order Completed", json!({"order_id": key}))).unwrap().is_err());
    }
}

fn mapped(values: Value) -> MappedDeal {
    let preset = preset(ORDERS);
    let deal = preset.deal_of(&order("Order Completed", values)).unwrap().unwrap();
    let mut facts = Facts::default();
    facts.learn(&deal.said, &Stamp::default());
    preset.deal_kind("order").unwrap().map(&facts)
}

#[test]
fn the_rules_of_a_kind_make_attributes_and_the_texts_of_the_name() {
    let made = mapped(
        json!({"order_id": "A", "total": "1,234.50", "currency": "eur", "rep": "sam@example.com", "channel": "app"}),
    );
    assert_eq!(json!(made.always), json!({"amount": 1234.5, "currency": "eur"}));
    assert_eq!(json!(made.on_create), json!({"owner": "sam@example.com"}));
    assert_eq!(made.texts["properties.channel"], "app");
    let yen = mapped(json!({"order_id": "A", "total": "1,234", "currency": "JPY"}));
    assert_eq!(yen.always["amount"], 1234);
    let own = mapped(json!({"order_id": "A", "total": {"amount": "12.50", "currency": "usd"}}));
    assert_eq!(json!(own.always), json!({"amount": 12.5, "currency": "USD"}));
    let unclear = mapped(json!({"order_id": "A", "total": "1,234", "currency": "EUR"}));
    assert_eq!(unclear.always.get("amount"), None);
    assert_eq!(unclear.left_out.len(), 1);
}

#[test]
fn the_stages_of_a_deal_are_what_the_mapping_makes_of_its_events_now() {
    let at = |at: i64| Stamp { at: UnixMicros(at), message_id: at.to_string(), ..Stamp::default() };
    let events =
        |pairs: &[(&str, i64)]| pairs.iter().map(|(name, time)| ((*name).to_owned(), at(*time))).collect();
    let preset = preset(ORDERS);
    let said =
        preset.stages_said("order", &events(&[("ordercompleted", 1), ("ordercancelled", 2), ("other", 3)]));
    assert_eq!(said.stages.keys().collect::<Vec<_>>(), ["Lost", "Won"]);
    assert_eq!(said.reasons["Lost"], "Cancelled by customer");
    assert!(said.begun);
    assert!(!preset.stages_said("order", &events(&[("ordercancelled", 2)])).begun);
    let renamed = self::preset(&ORDERS.replace("stage = \"Won\"", "stage = \"Paid\""));
    assert!(renamed.stages_said("order", &events(&[("ordercompleted", 1)])).stages.contains_key("Paid"));
}

#[test]
fn a_file_is_merged_over_another_key_by_key() {
    let number = preset(&ORDERS.replace("stage = \"Won\"", "stage = 15"));
    let stages = number.stages_said("order", &[("ordercompleted".to_owned(), Stamp::default())].into());
    assert!(stages.stages.contains_key("15"));
    let by_person =
        ORDERS.replace("key = [\"properties.order_id\", \"properties.orderId\"]", "key = \"person\"");
    let deal = preset(&by_person).deal_of(&order("Order Completed", json!({}))).unwrap().unwrap();
    assert_eq!(deal.key, None);
}

#[test]
fn every_mistake_about_deals_is_named_with_its_place() {
    let cases = [
        ("[deals.order]\nname = \"{key}\"", "line 1, deals.order.key: is missing"),
        ("[deals.order]\nkey = [\"properties.id\"]", "line 1, deals.order.name: is missing"),
        (
            "[deals.order]\nkey = [\"id\"]\nname = \"{key}\"",
            "line 2, deals.order.key: \"id\" must begin with",
        ),
        (
            "[deals.order]\nkey = \"customer\"\nname = \"{key}\"",
            "line 2, deals.order.key: expected a list of paths",
        ),
        (
            "[deals.order]\nkey = \"person\"\nname = \"{order_id}\"",
            "line 3, deals.order.name: nothing can stand at {order_id}",
        ),
        (
            "[deals.order]\nkey = \"person\"\nname = \"{company.name}\"",
            "line 3, deals.order.name: nothing can stand at {company.name}",
        ),
        (
            "[deals.order]\nkey = \"person\"\nname = \"x\"\nstages = 1",
            "line 4, deals.order.stages: unknown field",
        ),
        (
            "[deals.order]\nkey = \"person\"\nname = \"x\"\npipeline = \"12\"",
            "line 4, deals.order.pipeline: \"12\" looks like an id",
        ),
        (
            "[deals.order]\nkey = \"person\"\nname = \"x\"\nkey_field = \"order\"",
            "line 4, deals.order.key_field: must be",
        ),
        (
            "[deals.order]\nkey = \"person\"\nname = \"x\"\nwhen_gone = \"ask\"",
            "line 4, deals.order.when_gone: unknown variant",
        ),
        (
            "[deals.order]\nkey = \"person\"\nname = \"x\"\n[deals.order.fields.stage]\nconst = \"Won\"",
            "line 4, deals.order.fields.stage: is written by",
        ),
        (
            "[deals.order]\nkey = \"person\"\nname = \"x\"\n[deals.order.fields.amount]\nfrom = [\"total\"]\nconvert = \"cash\"",
            "line 6, deals.order.fields.amount.convert: unknown variant",
        ),
        ("[events.\"A\".deal]\nkind = \"order\"", "line 2, events.A.deal.kind: \"order\" is no kind of deal"),
        ("[events.\"A\".deal]\nstage = \"Won\"", "events.A.deal.kind: is missing"),
        (
            "[events.\"A\".deal]\nkind = \"order\"\nstages = \"Won\"",
            "line 3, events.A.deal.stages: unknown field",
        ),
        (
            "[deals.order]\nkey = \"person\"\nname = \"x\"\n[events.\"A\".deal]\nkind = \"order\"\nstage = \"Won\"",
            "line 6, events.A.deal.stage: decide deals.order.forward_only first",
        ),
        (
            "[company]\nname = [\"traits.company\"]",
            "company.link: contacts are linked to companies, and `company_name`",
        ),
        ("[company]\nlink = \"never\"", "line 1, company.name: is missing"),
        ("[company]\nname = [\"traits.company\"]\nlink = \"often\"", "line 3, company.link: unknown variant"),
        (
            "[company]\nname = [\"traits.c\"]\nlink = \"never\"\nmissing = \"{key}\"",
            "line 4, company.missing: only",
        ),
    ];
    for (file, problem) in cases {
        let found = problems(file);
        assert!(found.iter().any(|found| found.contains(problem)), "{file}\n{problem}\n{found:#?}");
    }
}

const COMPANIES: &str = "[fields.company_name]\nfrom = []\n[company]\nname = [\"traits.company.name\", \"traits.company\", \"group.name\", \
                         \"properties.company\"]\n[company.fields.website]\nfrom = [\"traits.company.website\", \"group.website\"]\n\
                         [company.fields.number_of_employees]\nfrom = [\"group.employees\"]\nconvert = \"integer\"";

#[test]
fn an_event_names_a_company_and_says_what_it_is() {
    let preset = preset(COMPANIES);
    let rule = preset.company().unwrap();
    let group = event(
        Kind::Group,
        json!({"traits": {"name": "Globex &amp; Co", "website": "globex.example", "employees": "40"}}),
    );
    let (name, said) = rule.of_event(&group, false).unwrap();
    assert_eq!(name, "Globex & Co");
    let mut facts = Facts::default();
    facts.learn(&said, &Stamp::default());
    let (attributes, _) = rule.attributes(&facts);
    assert_eq!(json!(attributes), json!({"number_of_employees": 40, "website": "globex.example"}));
    let lead = order("Lead", json!({"company": "Initech"}));
    assert_eq!(rule.of_event(&lead, false), None);
    assert_eq!(rule.of_event(&lead, true).unwrap().0, "Initech");
    assert!(preset.trait_paths().any(|path| path == "group.name"), "a person remembers the company");
}

#[test]
fn a_company_of_an_object_is_called_by_its_name() {
    let preset = preset(COMPANIES);
    let rule = preset.company().unwrap();
    let mut facts = Facts::default();
    let values = [
        ("traits.company".to_owned(), json!({"name": "Globex", "website": "g.example"})),
        ("traits.company.name".to_owned(), json!("Globex")),
    ];
    facts.learn(&Said { values: values.into(), ..Said::default() }, &Stamp::default());
    assert_eq!(rule.of_person(&facts).unwrap().value, "Globex");
}
