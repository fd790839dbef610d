//! People who become leads of a Classic account (`freshsales.classic_new = "lead"`), on the real service.

use std::time::Duration;

use freshsignal::sandbox::{Sandbox, SandboxOptions};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::live_check::{KEY, crm, live};
use crate::support::app::{Service, Setup, said};
use crate::support::command::{freshsignal, output};
use crate::support::wait::eventually;

const SAM: &str = "sam.lee@example.com";
/// A form leaves a note, an order a deal, and who signs up is put on a list.
const MAPPING: &str = r#"
[events."Lead Generated".note]
on = "contact"
text = "From {properties.form|the website}"

[deals.order]
key = ["properties.order_id"]
name = "Order #{key}"
forward_only = true
[deals.order.fields.amount]
from = ["properties.total"]
convert = "money"
[events."Order Completed".deal]
kind = "order"
stage = "Won"

[events."Newsletter Signup".lists]
add = ["Newsletter"]
"#;

fn classic() -> SandboxOptions {
    SandboxOptions { classic: true, ..SandboxOptions::default() }
}

fn setup() -> Setup {
    Setup::new().with("FRESHSALES__KIND", "classic").with("FRESHSALES__CLASSIC_NEW", "lead")
}

async fn open(setup: Setup, options: SandboxOptions) -> Service {
    setup.mapping(MAPPING).sandbox(options).start().await
}

fn says(event: &str, properties: &Value) -> Value {
    let traits = json!({"email": SAM, "first_name": "Sam", "last_name": "Lee", "company": "Globex"});
    json!({"type": "track", "event": event, "userId": "sam", "context": {"traits": traits}, "properties": properties})
}

fn form() -> Value {
    says("Lead Generated", &json!({"form": "pricing"}))
}

fn moves(city: &str) -> Value {
    json!({"type": "identify", "userId": "sam", "traits": {"city": city}})
}

/// Ends when nothing is owed any more, however long that has to wait for another try.
async fn told(service: &Service) {
    service.processed().await;
    eventually("nothing is owed any more", async || {
        service.pass(Duration::from_secs(15));
        let status = service.status().await;
        let owed = ["waiting", "in_flight", "retrying"].iter().any(|state| status["open"][state] != 0);
        if owed { Err(status["open"].to_string()) } else { Ok(()) }
    })
    .await;
}

fn calls(service: &Service) -> Vec<String> {
    let calls = service.crm.sandbox.requests().into_iter();
    calls.map(|call| format!("{} {}", call.method, call.path.split('?').next().unwrap())).collect()
}

async fn sam(service: &Service) -> Value {
    service.get(&format!("/api/contacts/{SAM}")).await
}

#[tokio::test]
async fn whom_nobody_knows_is_looked_up_and_becomes_a_lead_with_a_note_and_is_changed_from_then_on() {
    let service = open(setup(), classic()).await;
    service.send(form()).await;
    told(&service).await;
    let leads = service.crm.sandbox.leads();
    assert_eq!(leads.len(), 1, "{leads:?}");
    assert_eq!((&leads[0]["email"], &leads[0]["company"]), (&json!(SAM), &json!({"name": "Globex"})));
    assert_eq!(service.crm.sandbox.contacts().len(), 0);
    let notes = service.crm.sandbox.notes();
    assert_eq!((&notes[0]["targetable_type"], &notes[0]["targetable_id"]), (&json!("Lead"), &leads[0]["id"]));
    let shown = sam(&service).await;
    assert_eq!((&shown["lead_id"], &shown["contact_id"]), (&leads[0]["id"], &Value::Null));
    service.send(moves("Oslo")).await;
    told(&service).await;
    assert_eq!(service.crm.sandbox.leads()[0]["city"], "Oslo");
    let id = leads[0]["id"].as_u64().unwrap();
    let selectors = |call: &String| call.contains("/selector/") || call.ends_with("/api/lists");
    let made_of_sam: Vec<String> = calls(&service).into_iter().filter(|call| !selectors(call)).collect();
    let made = ["GET /api/lookup", "POST /api/leads", "POST /api/notes", &format!("PUT /api/leads/{id}")];
    assert_eq!(made_of_sam, made);
    let used = service.status().await["allowance"]["hour"]["used"].as_u64().unwrap();
    assert_eq!(used, u64::try_from(service.crm.calls()).unwrap(), "a question is a call like any other");
    service.finish().await;
}

#[tokio::test]
async fn a_contact_that_is_there_stays_one() {
    let service = open(setup(), classic()).await;
    let contact =
        json!({"unique_identifier": {"emails": SAM}, "contact": {"emails": SAM, "last_name": "Lee"}});
    let there = service.client.post(format!("http://{}/api/contacts/upsert", service.crm.address));
    let there = there.header("authorization", "Token token=sandbox-key").json(&contact).send().await.unwrap();
    assert_eq!(there.status(), 201);
    service.send(form()).await;
    told(&service).await;
    assert_eq!((service.crm.sandbox.leads().len(), service.crm.sandbox.contacts().len()), (0, 1));
    assert_eq!(service.crm.sandbox.contact(SAM).unwrap()["first_name"], "Sam");
    assert_eq!(service.crm.sandbox.notes()[0]["targetable_type"], "Contact");
    service.finish().await;
}

#[tokio::test]
async fn answers_that_are_lost_make_one_lead_whether_or_not_the_call_took_effect() {
    for (apply, hang) in [(true, false), (false, false), (true, true), (false, true)] {
        let options = SandboxOptions { search_lag: Duration::from_secs(150), ..classic() };
        let setup = setup().with("FRESHSALES__ATTEMPT_TIMEOUT_SECONDS", "2").driven_clock();
        let mut service = open(setup, options).await;
        let fault = if hang { "hang" } else { "reset" };
        service.crm.fault(json!({"path": "/api/leads", "apply": apply, fault: true, "times": 1}));
        service.send(form()).await;
        let sent = async || {
            service.pass(Duration::from_secs(1));
            let posts = calls(&service).iter().filter(|call| *call == "POST /api/leads").count();
            if posts == 1 { Ok(()) } else { Err(posts.to_string()) }
        };
        eventually("the call has left", sent).await;
        if hang {
            // The service stops in the middle of the call.
            service = service.restart().await;
        }
        told(&service).await;
        let posts = calls(&service).iter().filter(|call| *call == "POST /api/leads").count();
        assert_eq!(
            (service.crm.sandbox.leads().len(), posts),
            (1, if apply { 1 } else { 2 }),
            "{fault} {apply}"
        );
        assert_eq!(service.crm.sandbox.notes().len(), 1);
        assert_eq!(service.crm.sandbox.contacts().len(), 0);
        let lead = service.crm.sandbox.leads().remove(0);
        assert_eq!((&lead["first_name"], &lead["id"]), (&json!("Sam"), &sam(&service).await["lead_id"]));
        service.finish().await;
    }
}

#[tokio::test]
async fn a_lead_that_a_rep_converted_is_a_contact_from_then_on() {
    let mut service = open(setup(), classic()).await;
    service.send(form()).await;
    told(&service).await;
    let lead = service.crm.sandbox.leads()[0]["id"].as_u64().unwrap();
    let control = format!("http://{}/sandbox/leads/{lead}/convert", service.crm.address);
    let (status, contact) = said(service.client.post(control)).await;
    assert_eq!(status, StatusCode::OK, "{contact}");
    service.send(moves("Oslo")).await;
    told(&service).await;
    assert_eq!((service.crm.sandbox.leads().len(), service.crm.sandbox.contacts().len()), (0, 1));
    let contact = service.crm.sandbox.contact(SAM).unwrap();
    assert_eq!((&contact["city"], &contact["company_name"]), (&json!("Oslo"), &json!("Globex")));
    let shown = sam(&service).await;
    assert_eq!((&shown["contact_id"], shown.get("lead_id")), (&contact["id"], None));
    service = service.restart().await;
    service.send(form()).await;
    told(&service).await;
    let notes = service.crm.sandbox.notes();
    assert!(notes.iter().all(|note| note["targetable_id"] == contact["id"]), "{notes:?}");
    let of_leads = calls(&service).iter().filter(|call| call.starts_with("PUT /api/leads")).count();
    assert_eq!((of_leads, notes.len()), (1, 2), "asked once, and never again");
    service.finish().await;
}

#[tokio::test]
async fn a_deal_and_a_list_say_why_they_wait_and_go_once_the_lead_is_a_contact() {
    let service = open(setup().driven_clock(), classic()).await;
    let address = format!("http://{}/api/lists", service.crm.address);
    let list = service.client.post(address).header("authorization", "Token token=sandbox-key");
    assert_eq!(list.json(&json!({"name": "Newsletter"})).send().await.unwrap().status(), 201);
    service.send(says("Newsletter Signup", &json!({}))).await;
    service.send(says("Order Completed", &json!({"order_id": "A-1", "total": "10"}))).await;
    told(&service).await;
    assert_eq!((service.crm.sandbox.leads().len(), service.crm.sandbox.deals().len()), (1, 0));
    let deals = service.get("/api/deals").await;
    assert_eq!(deals["deals"][0]["held"], "lead", "{deals}");
    let why = deals["deals"][0]["why"].as_str().unwrap();
    assert!(why.starts_with("its person is a lead in Freshsales"), "{why}");
    let listed = sam(&service).await["lists"][0].clone();
    assert_eq!((&listed["list"], &listed["state"]), (&json!("Newsletter"), &json!("held")));
    assert!(listed["why"].as_str().unwrap().starts_with("its person is a lead in Freshsales"), "{listed}");

    let lead = service.crm.sandbox.leads()[0]["id"].as_u64().unwrap();
    assert!(service.crm.sandbox.convert(lead).is_some());
    // Nothing of the person has changed: the order alone has it asked.
    service.pass(Duration::from_hours(2));
    service.send(says("Order Completed", &json!({"order_id": "A-1", "total": "12"}))).await;
    told(&service).await;
    let deal = service.holds("a deal", Sandbox::deals, |deals| deals.len() == 1).await.remove(0);
    told(&service).await;
    let contact = service.crm.sandbox.contact(SAM).unwrap();
    assert_eq!((&deal["contact_ids"], &deal["amount"]), (&json!([contact["id"]]), &json!("12.0")));
    let list = service.crm.sandbox.lists().into_iter().find(|list| list["name"] == "Newsletter").unwrap();
    assert_eq!(list["contact_ids"], json!([contact["id"]]));
    service.finish().await;
}

#[tokio::test]
async fn a_note_on_a_lead_that_was_converted_goes_to_the_contact() {
    let service = open(setup().driven_clock(), classic()).await;
    service.send(form()).await;
    told(&service).await;
    let lead = service.crm.sandbox.leads()[0]["id"].as_u64().unwrap();
    let contact = service.crm.sandbox.convert(lead).unwrap();
    service.pass(Duration::from_hours(2));
    // It says nothing new of the person, so nothing but the note meets the lead.
    service.send(form()).await;
    told(&service).await;
    let notes = service.holds("both notes", Sandbox::notes, |notes| notes.len() == 2).await;
    assert!(notes.iter().all(|note| note["targetable_id"] == contact["id"]), "{notes:?}");
    told(&service).await;
    assert_eq!(service.status().await["dead_letters"], 0);
    service.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lead_is_forgotten_by_its_id_and_one_that_was_converted_as_the_contact_it_is() {
    for converted in [false, true] {
        let service = open(setup(), classic()).await;
        service.send(form()).await;
        told(&service).await;
        let lead = service.crm.sandbox.leads()[0]["id"].as_u64().unwrap();
        if converted {
            assert!(service.crm.sandbox.convert(lead).is_some());
        }
        let path = format!("/api/people?email={SAM}&forget_in_crm=true");
        let order = tokio::spawn(said(service.private_delete(&path)));
        eventually("Freshsales has nobody any more", async || {
            service.pass(Duration::from_secs(1));
            let (leads, contacts) = (service.crm.sandbox.leads(), service.crm.sandbox.contacts());
            let left = leads.len() + contacts.len();
            if left == 0 && order.is_finished() { Ok(()) } else { Err(format!("{left}")) }
        })
        .await;
        let (_, receipt) = order.await.unwrap();
        assert_eq!(receipt["erased"]["contacts"], 1, "{receipt}");
        let forgot: Vec<String> =
            calls(&service).into_iter().filter(|call| call.starts_with("DELETE")).collect();
        assert_eq!(forgot[0], format!("DELETE /api/leads/{lead}/forget"));
        assert_eq!(forgot.len(), if converted { 2 } else { 1 }, "{forgot:?}");
        service.finish().await;
    }
}

#[tokio::test]
async fn who_may_not_edit_leads_blocks_and_loses_nothing() {
    let service = open(setup().driven_clock(), classic()).await;
    let forbidden = json!({"errors": {"code": 403, "message": ["No."]}});
    service.crm.fault(json!({"path": "/api/leads", "status": 403, "body": forbidden, "times": 1}));
    service.send(form()).await;
    let status = service.destination("blocked").await;
    let reason = status["destination"]["reason"].as_str().unwrap();
    assert_eq!(reason, "the user of the API key may not edit leads (403)");
    told(&service).await;
    assert_eq!(service.crm.sandbox.leads().len(), 1);
    service.finish().await;
}

#[tokio::test]
async fn a_dry_run_shows_the_lead_and_calls_nobody() {
    let service = open(setup().with("FRESHSALES__MODE", "dry_run"), classic()).await;
    service.send(form()).await;
    told(&service).await;
    assert_eq!(service.crm.calls(), 0);
    let page = service.get("/api/deliveries").await;
    let deliveries = page["deliveries"].as_array().unwrap();
    let of_contact = deliveries.iter().find(|it| it["subject"] == format!("contact:{SAM}")).unwrap();
    let one = service.get(&format!("/api/deliveries/{}", of_contact["id"].as_str().unwrap())).await;
    let attempts = one["attempts"].as_array().unwrap();
    let request = &attempts.last().unwrap()["request"];
    assert!(request["url"].as_str().unwrap().ends_with("/api/leads"), "{request}");
    assert_eq!(request["body"]["lead"]["email"], SAM);
    service.finish().await;
}

#[tokio::test]
async fn a_check_compares_the_mapping_with_the_fields_of_leads() {
    let older = crm(classic()).await;
    let keys = [("FRESHSALES__KIND", "classic"), ("FRESHSALES__CLASSIC_NEW", "lead")];
    let run = live(&older, &keys, "").await;
    assert_eq!(run.code, 0, "{}{}", run.said, run.complained);
    run.assert_says(&["fine: leads of the account have every field of the mapping"]);
}

#[test]
fn leads_are_refused_where_there_are_none() {
    let environment = [
        ("SOURCES__WEBSITE__WRITE_KEY", "it-write-key"),
        ("FRESHSALES__BUNDLE_ALIAS", "acme"),
        ("FRESHSALES__API_KEY", KEY),
        ("FRESHSALES__CLASSIC_NEW", "lead"),
    ];
    let (code, _, complained) = output(&mut freshsignal(&["check"], &environment), "");
    assert_eq!(code, 2, "{complained}");
    let refused = "freshsales.classic_new = \"lead\": \"contact\" where freshsales.kind is \"suite\"";
    assert!(complained.contains(refused), "{complained}");
}
