//! What another configuration would change is said before anybody applies it, and saying it changes nothing.

use serde_json::{Value, json};

use crate::support::app::{Service, Setup, said, sum};
use crate::support::command::{freshsignal, output};
use crate::support::events::{ann, ann_says, identify_ann, lead_of_ann};

/// So many contacts that Freshsales has.
async fn with_contacts(count: usize) -> Service {
    let service = Setup::new().start().await;
    service.send_all((0..count).flat_map(|nth| [identify_ann(nth), lead_of_ann(nth)]).collect()).await;
    service.settled().await;
    service
}

async fn plan(service: &Service, given: Value) -> Value {
    let (status, answer) = said(service.private_post("/api/plan").json(&given)).await;
    assert_eq!(status.as_u16(), 200, "{answer}");
    answer
}

/// One line for each attribute: how many get it, lose it, have another.
fn attributes(plan: &Value) -> Vec<(String, u64, u64, u64)> {
    let number = |it: &Value, name: &str| it[name].as_u64().unwrap();
    let all = plan["attributes"].as_array().unwrap().iter();
    all.map(|it| {
        let name = it["attribute"].as_str().unwrap().to_owned();
        (name, number(it, "appears"), number(it, "vanishes"), number(it, "changes"))
    })
    .collect()
}

const KEYWORD: &str = "[fields.keyword]\nfrom = [\"traits.last_name\"]\n";

#[tokio::test]
async fn a_new_mapping_says_whom_it_would_owe_calls_and_owes_none() {
    let service = with_contacts(5).await;
    let review = service.status().await["review"].clone();
    let found = plan(&service, json!({ "mapping": KEYWORD })).await;
    assert_eq!(
        (&found["exact"], &found["looked_at"], &found["changed"]),
        (&json!(true), &json!(5), &json!(5))
    );
    assert_eq!(
        (&found["owed"], &found["calls"], &found["dropped"]),
        (&json!({"refresh": 5}), &json!(5), &json!(0))
    );
    assert!(found["seconds"].is_u64(), "{found}");
    assert_eq!(attributes(&found), [("keyword".to_owned(), 5, 0, 0)]);
    let sample = &found["samples"][0];
    assert_eq!((&sample["now"], &sample["lane"]), (&json!({}), &json!("refresh")), "{sample}");
    assert!(sample["then"]["keyword"].as_str().unwrap().starts_with("No"), "{sample}");
    assert_eq!(sample["why"], json!(["keyword is read from traits.last_name"]));

    let status = service.status().await;
    assert_eq!((sum(&status["owed"]), &status["review"]), (0, &review), "nothing came of it");
    assert_eq!(service.crm.calls(), 5);
    let same = plan(&service, json!({})).await;
    assert_eq!((&same["changed"], &same["calls"], &same["exact"]), (&json!(0), &json!(0), &json!(true)));

    // What was said is what a reload then does.
    let file = service.data_folder().join("mapping.toml");
    std::fs::write(&file, KEYWORD).unwrap();
    service.set("MAPPING__FILE", file.to_str().unwrap());
    let applied = service.order("/api/reload", json!({})).await;
    assert_eq!(applied["plan"]["calls"], 5, "{applied}");
    service
        .until("the review is done", |status| {
            status["review"]["because"] == "settings" && status["review"]["state"] == "done"
        })
        .await;
    service.settled().await;
    assert_eq!(service.crm.calls(), 10);
    service.finish().await;
}

#[tokio::test]
async fn paths_that_nobody_read_are_looked_for_in_the_events_that_are_kept() {
    let service = with_contacts(3).await;
    service.send(ann_says(1, "shoe", &json!({"shoe_size": "42"}))).await;
    service.settled().await;
    let mapping = "[fields.\"custom_field.cf_shoe\"]\nfrom = [\"traits.shoe_size\"]\n[fields.keyword]\nfrom = [\"traits.misspelt\"]\n";
    let found = plan(&service, json!({ "mapping": mapping })).await;
    let path = |nth: usize| (found["paths"][nth]["path"].clone(), found["paths"][nth]["events"].clone());
    assert_eq!(path(0), (json!("traits.misspelt"), json!(0)), "{found}");
    assert_eq!(path(1), (json!("traits.shoe_size"), json!(1)), "{found}");
    assert_eq!(found["samples"][0]["email"], ann(1), "{found}");
    assert_eq!(found["samples"][0]["then"], json!({"custom_field.cf_shoe": "42"}), "{found}");
    // It was not stored, so nothing changes before it is said again.
    assert_eq!(
        (&found["later"], &found["changed"], &found["calls"]),
        (&json!(1), &json!(0), &json!(0)),
        "{found}"
    );
    service.finish().await;
}

#[tokio::test]
async fn a_consent_rule_an_event_and_another_account_are_foreseen_too() {
    let service = with_contacts(2).await;
    let required = plan(&service, json!({"config": "[consent]\nrequired = [\"marketing\"]\n"})).await;
    assert_eq!((&required["changed"], &required["calls"]), (&json!(2), &json!(0)), "{required}");
    let why = required["samples"][0]["why"][0].as_str().unwrap();
    assert!(why.contains("marketing"), "{required}");
    assert!(attributes(&required).contains(&("first_name".to_owned(), 0, 2, 0)), "{required}");

    let off = plan(&service, json!({"mapping": "[events.\"Lead Generated\"]\nsend = false\n"})).await;
    assert_eq!(off["events"], json!([{"event": "Lead Generated", "mapped": false, "came": 2}]), "{off}");

    service.set("FRESHSALES__BUNDLE_ALIAS", "globex");
    let other = plan(&service, json!({})).await;
    assert!(other["account"].as_str().unwrap().ends_with("/globex"), "{other}");
    assert_eq!((&other["owed"], &other["calls"]), (&json!({"backfill": 2}), &json!(2)), "{other}");
    service.finish().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_mapping_is_named() {
    let service = Service::start().await;
    for (given, status, code) in [
        (json!({"mapping": "[fields.keyword]\nform = []\n"}), 422, "invalid_configuration"),
        (json!({"config": "[consent]\nrequired = [\"no-such\"]\n"}), 422, "invalid_configuration"),
        (json!({"mapping": 1}), 400, "malformed_body"),
        (json!({"file": "x"}), 400, "malformed_body"),
    ] {
        let (answered, answer) = said(service.private_post("/api/plan").json(&given)).await;
        assert_eq!((answered.as_u16(), &answer["code"]), (status, &json!(code)), "{given}: {answer}");
    }
    service.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_asks_the_service_that_runs() {
    let service = with_contacts(2).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("new.toml");
    std::fs::write(folder.path().join("new-mapping.toml"), KEYWORD).unwrap();
    let listen = service.private_url().replace("http://", "");
    let text = format!("[admin]\nlisten = \"{listen}\"\n[mapping]\nfile = \"new-mapping.toml\"\n");
    std::fs::write(&file, text).unwrap();
    let arguments = ["plan", "--config", file.to_str().unwrap()];
    let run = |arguments: Vec<String>| {
        tokio::task::spawn_blocking(move || output(&mut freshsignal(&arguments, &[]), ""))
    };
    let owned = |arguments: &[&str]| arguments.iter().map(|&text| text.to_owned()).collect::<Vec<String>>();
    let (code, stdout, stderr) = run(owned(&arguments)).await.unwrap();
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.contains("all 2 contacts were looked at; 2 would be otherwise"), "{stdout}");
    assert!(
        stdout.contains("calls that would become owed: 2, sent within 0.1 hours\n  refresh: 2"),
        "{stdout}"
    );
    assert!(stdout.contains("keyword: appears 2, vanishes 0, changes 0"), "{stdout}");
    let (code, stdout, _) = run(owned(&[arguments[0], arguments[1], arguments[2], "--json"])).await.unwrap();
    let json: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &json["calls"]), (0, &json!(2)));
    service.finish().await;
    let (code, _, stderr) = run(owned(&arguments)).await.unwrap();
    assert!(code == 1 && stderr.contains("no service answers at"), "{stderr}");
}
