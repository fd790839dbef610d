//! Names and their ids, over answers as accounts give them.

use serde::Deserialize;
use serde_json::{Value, json};

use super::*;

const NOW: UnixMicros = UnixMicros(1_770_000_000_000_000);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    kind: Kind,
    name: String,
    answer: Value,
    #[serde(default)]
    resolves: BTreeMap<String, u64>,
    #[serde(default)]
    unknown: Vec<String>,
    #[serde(default)]
    several: Vec<String>,
    #[serde(default)]
    left_out: usize,
    #[serde(default)]
    no_list: bool,
}

fn knowing(kind: Kind, answer: &Value) -> Selectors {
    let mut selectors = Selectors::default();
    selectors.learn(kind, NOW, Answered::Known(Table::read(kind, answer).unwrap()));
    selectors
}

fn pipelines() -> Selectors {
    let answer = include_str!("../../tests/fixtures/selectors_pipelines.json");
    knowing(Kind::DealPipelines, &serde_json::from_str(answer).unwrap())
}

#[test]
fn names_of_every_shape_that_was_seen_have_their_ids() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../../tests/fixtures/selectors.json")).unwrap();
    for case in cases {
        let read = Table::read(case.kind, &case.answer);
        assert_eq!(read.is_none(), case.no_list, "{}", case.name);
        let Some(table) = read else { continue };
        assert_eq!(table.left_out, case.left_out, "{}", case.name);
        let mut selectors = Selectors::default();
        selectors.learn(case.kind, NOW, Answered::Known(table));
        for (name, id) in &case.resolves {
            assert_eq!(selectors.resolve(case.kind, name), Resolved::Id(*id), "{}: {name}", case.name);
        }
        for name in &case.unknown {
            let resolved = selectors.resolve(case.kind, name);
            assert!(matches!(resolved, Resolved::Unknown { .. }), "{}: {name}: {resolved:?}", case.name);
        }
        for name in &case.several {
            let resolved = selectors.resolve(case.kind, name);
            assert!(matches!(resolved, Resolved::Several { .. }), "{}: {name}: {resolved:?}", case.name);
        }
    }
}

#[test]
fn a_stage_is_looked_for_in_its_pipeline_or_in_the_default_one() {
    let selectors = pipelines();
    assert_eq!(selectors.stage(None, "new"), Resolved::Id(901));
    assert_eq!(selectors.stage(Some("renewals"), "NEW"), Resolved::Id(911));
    assert_eq!(selectors.stage(Some("renewals"), "In review"), Resolved::Id(913));
    assert_eq!(selectors.stage(Some("renewals"), "In_Review"), Resolved::Several { ids: vec![913, 914] });
    let no_stage = selectors.stage(None, "Signed");
    let why = no_stage.why("deal stage", "Signed", Some("Default Pipeline")).unwrap();
    assert_eq!(
        why,
        "the account has no deal stage `Signed` in `Default Pipeline`; it has New, Qualification, Won, Lost"
    );
    let no_pipeline = selectors.stage(Some("Upsell"), "New");
    assert_eq!(
        no_pipeline.why_of(Kind::DealPipelines, "Upsell").unwrap(),
        "the account has no deal pipeline `Upsell`; it has Default Pipeline, Renewals"
    );
}

#[test]
fn stages_have_the_order_of_the_account_and_won_is_the_furthest() {
    let selectors = pipelines();
    let pipeline = selectors.pipeline(None).unwrap();
    let names: Vec<&str> = pipeline.stages.iter().map(|stage| stage.name.as_str()).collect();
    assert_eq!(names, ["New", "Qualification", "Won", "Lost"]);
    assert!(pipeline.rank("Won") > pipeline.rank("Lost"));
    assert!(pipeline.rank("Qualification") > pipeline.rank("New"));
    assert_eq!(pipeline.rank("Signed"), None);
    let (renewals, signed) = selectors.stage_by_id(912).unwrap();
    assert_eq!((renewals.name.as_str(), signed.forecast), ("Renewals", Forecast::Won));
    assert_eq!(selectors.stage_by_id(1), None);
}

#[test]
fn a_status_is_looked_for_among_those_of_its_stage() {
    let stages = json!({"lifecycle_stages": [{"id": 1, "name": "Lead", "contact_status_ids": [11, 12]},
        {"id": 2, "name": "Customer", "position": 2, "contact_status_ids": [21]}, {"id": 3, "name": "Odd"}]});
    let statuses = json!({"contact_statuses": [{"id": 11, "name": "New"}, {"id": 12, "name": "Lost"},
        {"id": 21, "name": "Lost"}]});
    let mut selectors = knowing(Kind::LifecycleStages, &stages);
    assert_eq!(selectors.contact_status(Some(1), "Lost"), Resolved::NotAsked);
    selectors.learn(
        Kind::ContactStatuses,
        NOW,
        Answered::Known(Table::read(Kind::ContactStatuses, &statuses).unwrap()),
    );
    assert_eq!(selectors.contact_status(Some(1), "lost"), Resolved::Id(12));
    assert_eq!(selectors.contact_status(Some(2), "lost"), Resolved::Id(21));
    let unknown = Resolved::Unknown { have: vec!["Lost".to_owned()], more: 0 };
    assert_eq!(selectors.contact_status(Some(2), "New"), unknown);
    assert_eq!(selectors.contact_status(None, "New"), Resolved::Id(11));
    assert_eq!(selectors.contact_status(Some(3), "New"), Resolved::Id(11));
    assert_eq!(selectors.contact_status(None, "lost"), Resolved::Several { ids: vec![12, 21] });
}

#[test]
fn what_was_not_asked_or_may_not_be_seen_says_so() {
    let mut selectors = Selectors::default();
    assert_eq!(selectors.resolve(Kind::Owners, "kim@example.com"), Resolved::NotAsked);
    selectors.learn(Kind::Owners, NOW, Answered::Forbidden);
    let forbidden = selectors.resolve(Kind::Owners, "kim@example.com");
    assert_eq!(
        forbidden.why_of(Kind::Owners, "kim@example.com").unwrap(),
        "the key may not see the list that the user with this email is looked up in (403): map the id in its place"
    );
    selectors.learn(Kind::Owners, NOW, Answered::Unreadable);
    assert_eq!(selectors.resolve(Kind::Owners, "kim@example.com"), Resolved::Unreadable);
}

#[test]
fn the_users_of_an_account_are_not_listed_to_whoever_asks_for_another() {
    let selectors = knowing(Kind::Owners, &json!({"users": [{"id": 1, "email": "kim@example.com"}]}));
    assert_eq!(
        selectors.resolve(Kind::Owners, "sam@example.com").why_of(Kind::Owners, "sam@example.com").unwrap(),
        "the account has no user with this email"
    );
}

#[test]
fn an_account_with_any_number_of_entries_is_kept_in_bounds() {
    let many = |count: usize| -> Vec<Value> {
        (1..=count).map(|n| json!({"id": n, "name": format!("Stage {n}")})).collect()
    };
    let answer = json!({"lead_sources": many(ENTRIES_MAX + 7)});
    let table = Table::read(Kind::LeadSources, &answer).unwrap();
    assert_eq!((table.entries.len(), table.left_out), (ENTRIES_MAX, 7));
    let answer =
        json!({"deal_pipelines": [{"id": 1, "name": "Default", "deal_stages": many(PARTS_MAX + 7)}]});
    assert_eq!(Table::read(Kind::DealPipelines, &answer).unwrap().entries[0].stages.len(), PARTS_MAX);
    let selectors = knowing(Kind::LeadSources, &json!({"lead_sources": many(HAVE_MAX + 7)}));
    let why = selectors.resolve(Kind::LeadSources, "Web").why_of(Kind::LeadSources, "Web").unwrap();
    assert!(why.ends_with("Stage 19, Stage 20 and 7 more"), "{why}");
    let long = json!({"lead_sources": [{"id": 1, "name": "x".repeat(256)}]});
    assert_eq!(Table::read(Kind::LeadSources, &long).unwrap().entries, []);
}

#[test]
fn a_list_is_asked_for_once_a_day_and_sooner_where_a_name_is_missing() {
    let needed = BTreeSet::from([Kind::Owners, Kind::LeadSources, Kind::Campaigns]);
    let (none, sources) = (BTreeSet::new(), BTreeSet::from([Kind::LeadSources]));
    let mut selectors = Selectors::default();
    assert_eq!(selectors.due(&needed, &none, NOW), [Kind::Owners, Kind::LeadSources, Kind::Campaigns]);
    selectors.learn(Kind::Owners, NOW, Answered::Forbidden);
    selectors.learn(Kind::Currencies, NOW, Answered::Unreadable);
    selectors.learn(Kind::Campaigns, NOW.minus(FRESH_FOR), Answered::Known(Table::default()));
    assert_eq!(selectors.due(&needed, &none, NOW), [Kind::LeadSources, Kind::Campaigns]);
    assert_eq!(selectors.due(&BTreeSet::new(), &none, NOW), []);
    selectors.learn(Kind::LeadSources, NOW, Answered::Known(Table::default()));
    selectors.learn(Kind::Campaigns, NOW.plus(Duration::from_secs(1)), Answered::Known(Table::default()));
    assert_eq!(selectors.due(&needed, &none, NOW.plus(MISSING_FRESH_FOR)), []);
    assert_eq!(selectors.due(&needed, &sources, NOW.plus(MISSING_FRESH_FOR)), [Kind::LeadSources]);
    assert_eq!(selectors.due(&needed, &sources, NOW.plus(FRESH_FOR)), [Kind::Owners, Kind::LeadSources]);
}

#[test]
fn what_is_stored_reads_back() {
    let mut selectors = pipelines();
    selectors.learn(Kind::Owners, NOW, Answered::Forbidden);
    let text = serde_json::to_string(&selectors).unwrap();
    assert_eq!(serde_json::from_str::<Selectors>(&text).unwrap(), selectors);
    for kind in Kind::ALL {
        assert_eq!(Kind::named(kind.name()), Some(kind));
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
    }
}
