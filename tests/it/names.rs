//! Names in the place of ids, against accounts that call things as they like: the lists are asked for once, and what is not in
//! them is left out and said.

use std::time::Duration;

use freshsignal::sandbox::{Forbidden, SandboxOptions};
use serde_json::{Value, json};

use crate::support::app::{Service, Setup};
use crate::support::events::{ann, identify_ann, lead_of_ann};
use crate::support::wait::eventually;

const MAPPING: &str = r#"
[fields.lead_source]
const = "Web"
when = "create"
[fields.owner]
from = ["traits.manager"]
[events."Lead Generated".fields.lifecycle_stage]
const = "Prospect"
"#;

/// An account with stages of its own.
fn own_stages() -> SandboxOptions {
    let stages = [
        json!({"id": 501, "name": "Prospect", "position": 1, "contact_status_ids": []}),
        json!({"id": 502, "name": "Client", "position": 2, "contact_status_ids": []}),
    ];
    SandboxOptions {
        selectors: [("lifecycle_stages".to_owned(), stages.to_vec())].into(),
        ..SandboxOptions::default()
    }
}

/// A mapping file, and the folder it lies in.
fn mapping(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mapping.toml");
    std::fs::write(&file, text).unwrap();
    let path = file.display().to_string();
    (folder, path)
}

/// What was asked of the account, in order, without its root.
fn calls(service: &Service) -> Vec<String> {
    let root = "/crm/sales/api/";
    let path = |path: &str| path.strip_prefix(root).unwrap_or(path).to_owned();
    service.crm.sandbox.requests().iter().map(|call| path(&call.path)).collect()
}

/// Ends when the account has answered for every list.
async fn asked(service: &Service) {
    eventually("every list is asked for", async || {
        let shown = service.get("/api/selectors").await.to_string();
        if shown.contains("not_asked") { Err(shown) } else { Ok(()) }
    })
    .await;
}

async fn lead(service: &Service, number: usize) {
    service.send_all(vec![identify_ann(number), lead_of_ann(number)]).await;
    service.settled().await;
}

fn contact(service: &Service, number: usize) -> Value {
    service.crm.contact(&ann(number)).unwrap()
}

const ACTIVITIES: &str = r#"
[events."Trial Activated".activity]
type = "Product"
outcome = "done"
title = "Activated the trial"
owner = "alex.kim@example.com"
[events."Trial Ended".activity]
type = "Meeting"
outcome = "Never heard of"
title = "Ended the trial"
owner = "alex.kim@example.com"
"#;

#[tokio::test]
async fn the_outcome_of_an_activity_is_a_name_among_those_of_its_type() {
    let (_folder, file) = mapping(ACTIVITIES);
    let service = Setup::new().driven_clock().with("MAPPING__FILE", &file).start().await;
    service.send_all(vec![identify_ann(0)]).await;
    for event in ["Trial Activated", "Trial Ended"] {
        let event = json!({"type": "track", "event": event, "userId": "ann-0", "messageId": event, "context": {"traits": {"email": ann(0)}}});
        service.send_all(vec![event]).await;
    }
    service.settled().await;
    let outcomes = |of: u64| format!("selector/sales_activity_types/{of}/sales_activity_outcomes");
    let asked = calls(&service);
    let lists: Vec<&String> = asked.iter().filter(|path| path.starts_with("selector/")).collect();
    assert_eq!(
        lists,
        [
            "selector/owners",
            "selector/sales_activity_types",
            &outcomes(70_000_013_002),
            &outcomes(70_000_013_003)
        ],
        "once for each type that an outcome is named of"
    );
    let told =
        service.crm.sandbox.requests().into_iter().filter(|call| call.path.ends_with("/sales_activities"));
    let told: Vec<Value> = told
        .map(|call| serde_json::from_slice::<Value>(&call.body).unwrap()["sales_activity"].clone())
        .collect();
    let outcome = |title: &str| {
        let it = told.iter().find(|activity| activity["title"] == title);
        it.unwrap_or_else(|| panic!("{told:?}"))["sales_activity_outcome_id"].clone()
    };
    assert_eq!(outcome("Activated the trial"), 70_000_016_001_u64);
    assert_eq!(outcome("Ended the trial"), Value::Null, "an activity can do without an outcome");
    let missing = service.get("/api/selectors").await["missing"].clone();
    assert_eq!(
        missing,
        json!([
            "outcome of an activity: the account has no sales activity outcome `Never heard of` in `Meeting`; it has Done, No answer"
        ])
    );
    service.finish().await;
}

#[tokio::test]
async fn lists_are_asked_for_before_the_first_call_and_not_again_by_a_restart() {
    let (_folder, file) = mapping(MAPPING);
    let service =
        Setup::new().driven_clock().sandbox(own_stages()).with("MAPPING__FILE", &file).start().await;
    lead(&service, 0).await;
    assert_eq!(
        calls(&service),
        ["selector/owners", "selector/lifecycle_stages", "selector/lead_sources", "contacts/upsert"]
    );
    let stored = contact(&service, 0);
    assert_eq!(
        (&stored["lifecycle_stage_id"], &stored["lead_source_id"]),
        (&json!(501), &json!(70_000_004_002_u64))
    );
    let service = service.restart().await;
    lead(&service, 1).await;
    assert_eq!(calls(&service).len(), 5);
    let shown = service.get("/api/selectors").await;
    assert_eq!(shown["missing"], json!([]));
    let owners = &shown["selectors"][0];
    assert_eq!(
        (&owners["kind"], &owners["state"], &owners["entries"]),
        (&json!("owners"), &json!("known"), &json!(2))
    );
    service.pass(Duration::from_hours(24));
    service.send(json!({"type": "page", "anonymousId": "x", "messageId": "x"})).await;
    service.crm.called(8).await;
    assert_eq!(service.status().await["allowance"]["hour"]["used"], 3);
    service.finish().await;
}

#[tokio::test]
async fn a_mapping_without_names_costs_not_one_call_more() {
    let service = Service::start().await;
    lead(&service, 0).await;
    assert_eq!(calls(&service), ["contacts/upsert"]);
    assert_eq!(service.get("/api/selectors").await, json!({"selectors": [], "missing": []}));
    service.finish().await;
}

#[tokio::test]
async fn a_stage_that_the_account_lacks_is_left_out_said_and_sent_once_it_is_there() {
    let (_folder, file) = mapping(MAPPING);
    let service = Setup::new().driven_clock().with("MAPPING__FILE", &file).start().await;
    asked(&service).await;
    lead(&service, 0).await;
    assert_eq!(contact(&service, 0).get("lifecycle_stage_id"), None);
    let missing = "lifecycle_stage: the account has no lifecycle stage `Prospect`; it has Lead, Sales Qualified Lead, Customer";
    assert_eq!(service.get("/api/selectors").await["missing"], json!([missing]));
    let status = service.status().await;
    assert_eq!(status["risks"][0]["risk"], "names_missing", "{status}");
    let event = service.get("/api/events/ann-0-lead").await;
    assert!(event["notes"].to_string().contains("the account has no lifecycle stage `Prospect`"), "{event}");

    let stage = json!({"id": 900, "name": "prospect", "position": 4, "contact_status_ids": []});
    let mut stages = service.crm.sandbox.selector("lifecycle_stages").unwrap();
    stages.push(stage);
    service.crm.sandbox.set_selector("lifecycle_stages", stages);
    service.pass(Duration::from_hours(1));
    service.send(json!({"type": "page", "anonymousId": "x", "messageId": "x"})).await;
    eventually("the stage arrives by itself", async || match contact(&service, 0) {
        contact if contact["lifecycle_stage_id"] == 900 => Ok(()),
        contact => Err(contact.to_string()),
    })
    .await;
    service.until("nothing is missing", |status| status["risks"] == json!([])).await;
    service.finish().await;
}

#[tokio::test]
async fn owners_that_the_key_may_not_see_keep_nobody_from_being_sent() {
    let (_folder, file) = mapping(MAPPING);
    let forbidden = [Forbidden::Owners].into();
    let options = SandboxOptions { forbidden, ..own_stages() };
    let service = Setup::new().sandbox(options).with("MAPPING__FILE", &file).start().await;
    asked(&service).await;
    let mut ann_0 = identify_ann(0);
    ann_0["traits"]["manager"] = json!("alex.kim@example.com");
    service.send_all(vec![ann_0, lead_of_ann(0)]).await;
    service.settled().await;
    let stored = contact(&service, 0);
    assert_eq!((&stored["lifecycle_stage_id"], stored.get("owner_id")), (&json!(501), None));
    let event = service.get("/api/events/ann-0-lead").await;
    assert!(event["notes"].to_string().contains("(403): map the id in its place"), "{event}");
    assert_eq!(service.status().await["destination"]["state"], "running");
    service.finish().await;
}

#[tokio::test]
async fn an_id_that_is_refused_has_its_list_asked_for_once_more_and_goes_with_its_new_one() {
    let (_folder, file) = mapping(MAPPING);
    let service = Setup::new().sandbox(own_stages()).with("MAPPING__FILE", &file).start().await;
    lead(&service, 0).await;
    // Somebody took the stage away and made another of the same name.
    let anew = json!({"id": 601, "name": "Prospect", "position": 1, "contact_status_ids": []});
    service.crm.sandbox.set_selector("lifecycle_stages", vec![anew]);
    service.send_all(vec![identify_ann(1), lead_of_ann(1)]).await;
    eventually("the new id arrives", async || match service.crm.contact(&ann(1)) {
        Some(contact) if contact["lifecycle_stage_id"] == 601 => Ok(()),
        contact => Err(format!("{contact:?}")),
    })
    .await;
    service.settled().await;
    let asked = calls(&service).iter().filter(|path| *path == "selector/lifecycle_stages").count();
    assert_eq!(asked, 2);
    service.finish().await;
}

#[tokio::test]
async fn calls_wait_for_lists_that_are_slow_in_coming_and_go_without_those_that_never_come() {
    let (_folder, file) = mapping("[fields.campaign]\nconst = \"Spring\"");
    let service = Setup::new().driven_clock().start().await;
    service.crm.fault(json!({"path": "selector/", "status": 503, "times": 100}));
    service.set("MAPPING__FILE", &file);
    service.order("/api/reload", json!({})).await;
    service.send_all(vec![identify_ann(0), lead_of_ann(0)]).await;
    eventually("the contact goes without them", async || {
        service.pass(Duration::from_secs(10));
        service.crm.contact(&ann(0)).map(drop).ok_or_else(|| calls(&service).join(", "))
    })
    .await;
    let before = calls(&service).iter().take_while(|path| *path != "contacts/upsert").count();
    // Time passes in the test as fast as it can, and the service may be slow: it asks once more until the contact leaves.
    assert!((3..=5).contains(&before), "{:?}", calls(&service));
    service.finish().await;
}
