//! The shapes as a table of cases (`tests/fixtures/consent.json`), the limits, and what holds for any input.

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// One case of the table. `key` and `value` are those of the marketing statement; left out, they are not compared.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    event: Map<String, Value>,
    said: BTreeMap<Category, Choice>,
    key: Option<String>,
    value: Option<String>,
    /// `said` or `shown`: how marketing was spoken of.
    via: Option<String>,
    /// The consent tool; only in the table of tools.
    tool: Option<String>,
    #[serde(default)]
    privacy_control: bool,
    unknown: Option<Vec<String>>,
    unrecognised: Option<Vec<String>>,
}

fn table() -> Categories {
    serde_json::from_value(json!({
        "marketing": ["marketing", "advertising", "C0004", "ad_storage", "ads_and_sale", "sec-gpc"],
        "Analytics": ["analytics", "C0002", "analytics_storage"],
        "sale": ["5", " Ads_And_Sale "],
    }))
    .unwrap()
}

/// Boxes on forms.
fn boxes() -> Places {
    serde_json::from_value(json!({"traits.newsletter": "marketing", "properties.order.opt_in": "Marketing"}))
        .unwrap()
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(fields) = value else { panic!("not an object: {value}") };
    fields
}

fn read(event: &Map<String, Value>, categories: &Categories) -> ConsentSaid {
    let kind = event.get("type").and_then(Value::as_str).and_then(Kind::parse).unwrap_or(Kind::Track);
    super::read(event, kind, categories, &boxes())
}

/// What was said and what was shown together.
fn all(said: &ConsentSaid) -> Statements {
    let mut all = said.statements.clone();
    add_all(&mut all, said.shown.clone());
    all
}

fn choices(said: &ConsentSaid) -> BTreeMap<Category, Choice> {
    all(said).into_iter().map(|(category, statement)| (category, statement.choice)).collect()
}

fn marketing(said: &ConsentSaid) -> Option<Statement> {
    all(said).remove(&Category::from("marketing"))
}

#[test]
fn every_case_of_the_table_is_read_as_written() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../../tests/fixtures/consent.json")).unwrap();
    assert!(cases.len() >= 150);
    for case in cases {
        let said = read(&case.event, &table());
        assert_eq!(choices(&said), case.said, "{}", case.name);
        assert_eq!(said.privacy_control, case.privacy_control, "{}", case.name);
        assert_eq!(said.unknown, case.unknown.unwrap_or_default(), "{}", case.name);
        if let Some(unrecognised) = case.unrecognised {
            assert_eq!(said.unrecognised, unrecognised, "{}", case.name);
        }
        if let Some(via) = case.via {
            let is_said = said.statements.contains_key(&Category::from("marketing"));
            assert_eq!(if is_said { "said" } else { "shown" }, via, "{}", case.name);
        }
        let marketing = marketing(&said);
        if let Some(key) = case.key {
            assert_eq!(marketing.as_ref().map(|statement| &statement.key), Some(&key), "{}", case.name);
        }
        if let Some(value) = case.value {
            assert_eq!(marketing.as_ref().map(|statement| &statement.value), Some(&value), "{}", case.name);
        }
    }
}

#[test]
fn every_consent_tool_is_read_and_named() {
    let text = include_str!("../../tests/fixtures/consent_vendors.json");
    let cases: Vec<Case> = serde_json::from_str(text).unwrap();
    for case in &cases {
        let name = format!("{}: {}", case.tool.as_deref().unwrap_or_default(), case.name);
        let said = read(&case.event, &Categories::default());
        assert_eq!(choices(&said), case.said, "{name}");
        assert_eq!((said.unknown.len(), said.unrecognised.len()), (0, 0), "{name}");
        if let (Some(tool), Some(statement)) = (&case.tool, marketing(&said)) {
            assert_eq!(statement.tool.as_ref(), Some(tool), "{name}");
            assert!(said.statements.is_empty(), "{name}");
        }
    }
    for vendor in vendors::VENDORS.iter().filter(|vendor| vendor.name != "RudderStack") {
        let named = cases.iter().any(|case| case.tool.as_deref() == Some(vendor.name));
        assert!(named, "{} has no case", vendor.name);
    }
}

#[test]
fn a_statement_names_its_page_without_what_may_say_who_somebody_is() {
    let page = json!({"url": "https://shop.example/offer?email=sam@example.com#top"});
    let event = json!({"type": "page", "context": {"page": page, "consent": {"marketing": true}}});
    let said = read(&object(event), &Categories::default());
    assert_eq!(marketing(&said).unwrap().page.as_deref(), Some("https://shop.example/offer"));
}

#[test]
fn the_default_categories_know_marketing_by_its_usual_codes() {
    for code in ["marketing", "Advertising", "c0004", "AD_STORAGE"] {
        let said = read(&object(json!({"consent": {code: false}})), &Categories::default());
        assert_eq!(choices(&said), BTreeMap::from([(Category::from("marketing"), Choice::Denied)]), "{code}");
    }
    assert!(Categories::default().contains(&Category::from(" MARKETING")));
    assert!(!Categories::default().contains(&Category::from("analytics")));
}

#[test]
fn a_category_without_codes_is_known_by_its_own_name() {
    let categories: Categories = toml::from_str("Sale = []").unwrap();
    let said = read(&object(json!({"consent": {"SALE": true}})), &categories);
    assert_eq!(choices(&said), BTreeMap::from([(Category::from("sale"), Choice::Granted)]));
}

#[test]
fn categories_that_differ_in_case_alone_are_one() {
    let categories: Categories = toml::from_str("Sale = ['a']\nsale = ['b']").unwrap();
    assert_eq!(serde_json::to_value(&categories).unwrap(), json!({"sale": ["a", "b"]}));
}

#[test]
fn a_statement_keeps_its_form_when_stored() {
    let old = json!({"choice": "denied", "key": "consent.marketing", "value": "0"});
    let read: Statement = serde_json::from_value(old.clone()).unwrap();
    assert_eq!((read.choice, read.source.as_ref()), (Choice::Denied, None));
    assert_eq!(serde_json::to_value(&read).unwrap(), old);
    let new = Statement { source: Some("shop".into()), choice: Choice::Unclear, ..read };
    assert_eq!(serde_json::from_value::<Statement>(serde_json::to_value(&new).unwrap()).unwrap(), new);
}

#[test]
fn a_value_is_cut_at_64_characters() {
    let name = "ä".repeat(100);
    let event = json!({"context": {"consentManagement": {"allowedConsentIds": {"C0004": name}}}});
    let said = read(&object(event), &Categories::default());
    assert_eq!(marketing(&said).unwrap().value, "ä".repeat(64));
}

#[test]
fn at_most_16_unknown_values_are_named() {
    let items = vec![json!({"id": "marketing", "status": "maybe"}); 40];
    let said = read(&object(json!({"consent": items})), &Categories::default());
    assert_eq!(said.unknown.len(), 16);
    assert_eq!(said.unknown[15], "consent.15.status");
}

#[test]
fn the_200th_code_is_read_and_the_201st_is_not() {
    for (before, expected) in [(199, Some(Choice::Granted)), (200, None)] {
        let mut codes: Vec<String> = (0..before).map(|n| format!("vendor-{n}")).collect();
        codes.push("marketing".into());
        let as_object: Map<String, Value> = codes.iter().map(|code| (code.clone(), json!(true))).collect();
        for event in [
            json!({"consent": codes}),
            json!({"consent": as_object}),
            json!({"consent": {"canonical": as_object}}),
            json!({"context": {"consentManagement": {"allowedConsentIds": codes}}}),
            json!({"context": {"consentManagement": {"allowedConsentIds": as_object}}}),
        ] {
            let said = read(&object(event), &Categories::default());
            let choice = marketing(&said).map(|statement| statement.choice);
            assert_eq!(choice, expected, "after {before} codes");
        }
    }
}

/// Keys that mean something somewhere, so that random events reach the branches.
fn a_key() -> impl Strategy<Value = String> {
    let known = [
        "context",
        "consent",
        "consentManagement",
        "navigator",
        "canonical",
        "categories",
        "categoryPreferences",
        "update",
        "default",
        "source",
        "allowedConsentIds",
        "deniedConsentIds",
        "resolutionStrategy",
        "category",
        "id",
        "granted",
        "status",
        "gpc",
        "marketing",
        "C0004",
        "analytics",
    ];
    prop_oneof![4 => proptest::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => "\\PC{0,6}"]
}

fn a_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-1..3_i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        a_key().prop_map(Value::from),
        proptest::sample::select(vec!["granted", "denied", "1", "0", "or", "default"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 80, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            proptest::collection::vec((a_key(), inner), 0..8)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// An event whose blocks are random.
fn an_event() -> impl Strategy<Value = Map<String, Value>> {
    (a_value(), a_value(), a_value(), a_value()).prop_map(|(consent, management, navigator, top)| {
        object(json!({
            "context": {"consent": consent, "consentManagement": management, "navigator": navigator},
            "consent": top,
        }))
    })
}

/// Adds a code that means nothing to every object below `value`, at its end. An empty one says that nobody was asked.
fn add_unrelated(value: &mut Value, code: &str, choice: &Value) {
    if let Value::Object(fields) = value {
        for field in fields.values_mut() {
            add_unrelated(field, code, choice);
        }
        if !fields.is_empty() {
            fields.insert(code.to_owned(), choice.clone());
        }
    }
}

proptest! {
    #[test]
    fn reading_never_panics(event in an_event(), anything in a_value()) {
        let said = read(&event, &table());
        prop_assert!(said.unknown.len() <= 16);
        prop_assert!(all(&said).values().all(|statement| statement.value.chars().count() <= 64));
        if let Value::Object(event) = anything {
            let _ = read(&event, &table());
        }
    }

    #[test]
    fn an_unrelated_code_changes_nothing(
        event in an_event(),
        code in "x-[a-z0-9]{0,8}",
        choice in proptest::sample::select(vec![json!(true), json!("denied"), json!(0), json!("what"), json!(null)]),
    ) {
        let mut more = Value::Object(event.clone());
        add_unrelated(&mut more, &code, &choice);
        let (one, other) = (read(&event, &table()), read(&object(more), &table()));
        // A code more may be the one by which a block is told to be of nobody we know, or how it is told who sent it.
        prop_assert_eq!(choices(&one), choices(&other));
        prop_assert_eq!(one.unknown, other.unknown);
    }

    #[test]
    fn a_denial_anywhere_is_never_outvoted(event in an_event()) {
        let mut event = event;
        event.insert("consent".into(), json!({"marketing": false}));
        prop_assert_eq!(choices(&read(&event, &table()))[&Category::from("marketing")], Choice::Denied);
    }
}
