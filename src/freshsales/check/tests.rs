//! Pure judging: lists of fields as accounts send them, and mappings that fit or do not.

use serde_json::{Value, json};

use super::super::fields::{Choice, ContactField, FieldKind, contact_fields};
use super::{Expected, Level, mapping};
use crate::mapping::Preset;

/// A list as an account sends it: groups, choices of every form, kinds nobody knows.
fn listed() -> Value {
    json!({"fields": [
        {"id": 1, "name": "basic_information", "label": "Basic information", "type": "group_field", "fields": [
            {"id": 2, "name": "last_name", "label": "Last name", "type": "text", "required": true, "choices": []},
            {"id": 3, "name": "lifecycle_stage_id", "label": "Stage", "type": "dropdown", "required": false,
                "choices": [{"id": 70_000_000_001_u64, "value": "Lead"}, {"id": 70_000_000_002_u64, "value": "Customer"}]},
            {"id": 4, "name": "owner_id", "label": "Owner", "type": "dropdown", "choices": []},
        ]},
        {"id": 5, "name": "cf_tier", "label": "Tier", "type": "radio", "choices": ["Gold", {"value": "Silver"}]},
        {"id": 6, "name": "cf_born", "label": "Born", "type": "date"},
        {"id": 7, "name": "cf_topics", "label": "Topics", "type": "multi_select_dropdown", "choices": [{"id": 1, "value": "A"}]},
        {"id": 8, "name": "cf_score", "label": "Score", "type": "decimal", "required": true},
        {"id": 9, "name": "cf_odd", "label": "Odd", "type": "hologram", "required": false},
        {"label": "nameless"}, "rubbish", null,
    ]})
}

fn fields() -> Vec<ContactField> {
    contact_fields(&listed()).unwrap()
}

/// What is found of a mapping file, each with its level; owners are 11 and 12.
fn found(file: &str) -> Vec<String> {
    let preset = Preset::parse(Some(file)).unwrap();
    mapping::judge(&preset, &fields(), Some(&[11, 12])).iter().map(ToString::to_string).collect()
}

#[test]
fn a_list_of_fields_is_read_with_groups_and_every_form_of_choice() {
    let fields = fields();
    let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "last_name",
            "lifecycle_stage_id",
            "owner_id",
            "cf_tier",
            "cf_born",
            "cf_topics",
            "cf_score",
            "cf_odd"
        ]
    );
    assert!(fields[0].required && !fields[1].required);
    let choice =
        |id: Option<&str>, value: &str| Choice { id: id.map(str::to_owned), value: value.to_owned() };
    assert_eq!(fields[1].choices[0], choice(Some("70000000001"), "Lead"));
    assert_eq!(fields[3].choices, [choice(None, "Gold"), choice(None, "Silver")]);
    assert_eq!((fields[6].kind, fields[7].kind), (FieldKind::Number, FieldKind::Other));
}

#[test]
fn what_is_no_list_of_fields_is_none() {
    for body in [json!({}), json!([]), json!({"fields": 3}), json!(null), json!("fields")] {
        assert_eq!(contact_fields(&body), None, "{body}");
    }
    // Whoever nests without end gets no answer without end.
    let mut deep = json!({"name": "deep", "type": "text"});
    for _ in 0..100 {
        deep = json!({"name": "group", "fields": [deep]});
    }
    assert_eq!(contact_fields(&json!({"fields": [deep]})), Some(Vec::new()));
}

const SCORE: &str = "[fields.\"custom_field.cf_score\"]\nconst = 1\n";

#[test]
fn a_mapping_that_fits_needs_nothing() {
    let fits = r#"
        [fields."custom_field.cf_tier"]
        from = ["traits.tier"]
        values = { g = "Gold", s = "Silver" }
        [fields."custom_field.cf_born"]
        from = ["traits.born"]
        convert = "date"
        [fields."custom_field.cf_topics"]
        from = ["traits.topics"]
        convert = "tags"
        [fields."custom_field.cf_odd"]
        from = ["traits.odd"]
        [fields.lifecycle_stage_id]
        const = 70000000002
        [fields.owner_id]
        from = ["traits.plan"]
        values = { free = 11, paid = 12 }
        [fields.external_id]
        from = ["traits.id"]
    "#;
    let said = found(&format!("{SCORE}{fits}"));
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("note: \"Last name\" is mandatory"), "{said:?}");
}

#[test]
fn each_thing_that_does_not_fit_is_one_sentence() {
    let table = [
        (
            "[fields.\"custom_field.cf_none\"]\nconst = 1",
            "wrong: fields.\"custom_field.cf_none\": the account has no custom field cf_none",
        ),
        (
            "[fields.hat_size]\nconst = 1",
            "wrong: fields.hat_size: contacts of the account have no attribute hat_size",
        ),
        (
            "[fields.\"custom_field.cf_born\"]\nfrom = [\"traits.born\"]",
            "wrong: fields.\"custom_field.cf_born\": the account's field \"Born\" wants a date: set convert = \"date\"",
        ),
        (
            "[fields.\"custom_field.cf_topics\"]\nfrom = [\"traits.t\"]",
            "wrong: fields.\"custom_field.cf_topics\": the account's field \"Topics\" wants a list: set convert = \"tags\"",
        ),
        (
            "[fields.\"custom_field.cf_tier\"]\nfrom = [\"traits.tier\"]",
            "note: fields.\"custom_field.cf_tier\": the account's field \"Tier\" takes \"Gold\", \"Silver\" alone",
        ),
        (
            "[fields.\"custom_field.cf_tier\"]\nconst = \"Lead\"",
            "wrong: fields.\"custom_field.cf_tier\": \"Lead\" is no option of the account's field \"Tier\"",
        ),
        (
            "[fields.lifecycle_stage_id]\nfrom = [\"traits.stage\"]",
            "wrong: fields.lifecycle_stage_id: Freshsales wants the number of an option there, and refuses a contact with a label: set values = { \"label\" = number } (Lead is 70000000001, Customer is 70000000002)",
        ),
        (
            "[fields.lifecycle_stage_id]\nconst = 5",
            "wrong: fields.lifecycle_stage_id: 5 is no option of the account's field \"Stage\"",
        ),
        (
            "[fields.owner_id]\nconst = 13",
            "wrong: fields.owner_id: 13 is no option of the account's field \"Owner\"",
        ),
    ];
    for (file, sentence) in table {
        let said = found(&format!("{SCORE}{file}"));
        assert!(said.iter().any(|line| line.starts_with(sentence)), "{file}: {said:#?}");
        assert_eq!(said.len(), 2, "{file}: {said:#?}");
    }
}

#[test]
fn a_mandatory_field_that_nothing_is_sent_for_is_wrong() {
    for file in [
        "",
        "[fields.\"custom_field.cf_score\"]\nfrom = [\"traits.s\"]\nconvert = \"number\"\nwhen = \"never\"",
    ] {
        let said = found(file);
        let begin = "wrong: \"Score\" is mandatory in the account and nothing is sent for it";
        assert!(said.iter().any(|line| line.starts_with(begin)), "{said:?}");
    }
}

#[test]
fn values_of_consent_are_compared_with_numbered_options() {
    let status = |choices: Value| {
        contact_fields(
            &json!({"fields": [{"name": "subscription_status", "type": "dropdown", "choices": choices}]}),
        )
        .unwrap()
    };
    let expected = |subscribed: Value, unsubscribed: Value| Expected {
        preset: Preset::parse(None).unwrap(),
        leads: false,
        per_hour: 1_000,
        subscribed,
        unsubscribed,
    };
    let numbered = status(json!([{"id": 0, "value": "Unsubscribed"}, {"id": 1, "value": "Subscribed"}]));
    let worded = status(json!(["Subscribed", "Unsubscribed"]));
    let (words, numbers) =
        (expected(json!("subscribed"), json!("unsubscribed")), expected(json!(1), json!(0)));
    let level = |expected: &Expected, fields: &[ContactField]| {
        mapping::judge_status(expected, fields).map(|finding| finding.level)
    };
    assert_eq!(level(&words, &numbered), Some(Level::Note));
    assert_eq!(level(&numbers, &worded), Some(Level::Note));
    assert_eq!(level(&numbers, &numbered), None);
    assert_eq!(level(&words, &worded), None);
    assert_eq!(level(&words, &status(json!([]))), None);
    assert_eq!(level(&words, &[]), None);
}
