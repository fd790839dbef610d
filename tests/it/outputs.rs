//! Other systems are told what happened: as documented, once, in order, and of nobody who does not want it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use freshsignal::clock::SystemClock;
use freshsignal::sandbox::{Sandbox, SandboxOptions};
use freshsignal::webhook::{signature, signing_key};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::crash::load;
use crate::deals::Shop;
use crate::documents::markdown::blocks;
use crate::openapi::{documents, held};
use crate::support::app::{Service, Setup, said};
use crate::support::ear::{Ear, Message};
use crate::support::events::{ann, ann_says, identify_ann, lead_of_ann};
use crate::support::process::{self, Connection, Served, until};
use crate::support::wait::eventually;
use crate::told::Site;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// What a workflow shows that it is one.
const TOKEN: &str = "a token of a workflow, long enough to be one";
const EVERYTHING: &str = "deal.won,deal.lost,deal.stage_changed,contact.created,contact.changed,contact.unsubscribed,\
                          contact.delivered,lead.refused";

/// A setup whose receiver `shop` is told of these events.
pub fn telling(setup: Setup, ear: &Ear, events: &str) -> Setup {
    setup
        .with("OUTPUTS__SHOP__URL", &ear.url("/hooks/very-secret"))
        .with("OUTPUTS__SHOP__SECRET", SECRET)
        .with("OUTPUTS__SHOP__EVENTS", events)
        .with("OUTPUTS__SHOP__ALLOW_PRIVATE", "true")
}

/// Ends when a message of this kind came that fits; answers it.
pub async fn told(ear: &Ear, kind: &str, fits: impl Fn(&Value) -> bool) -> Message {
    let found = eventually(kind, async || {
        let messages = ear.messages();
        let found = messages.iter().find(|it| it.body["type"] == kind && fits(&it.body["data"]));
        found.cloned().ok_or_else(|| format!("{messages:#?}"))
    });
    found.await
}

fn of_kind(ear: &Ear, kind: &str) -> Vec<Message> {
    ear.messages().into_iter().filter(|message| message.body["type"] == kind).collect()
}

/// Ends when the receiver has nothing waiting.
async fn all_told(service: &Service) -> Value {
    eventually("everything is told", async || {
        let receiver = service.get("/api/outputs").await["outputs"][0].take();
        if receiver["waiting"] == 0 { Ok(receiver) } else { Err(receiver.to_string()) }
    })
    .await
}

/// The shape of a value: its keys and what kind of thing each is.
pub fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) if ["attributes", "changed"].iter().all(|name| !fields.contains_key(*name)) => {
            fields.iter().map(|(name, value)| (name.clone(), shape(value))).collect()
        }
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| {
                let free = ["attributes", "changed"].contains(&name.as_str());
                (name.clone(), if free { json!("object") } else { shape(value) })
            })
            .collect(),
        Value::String(_) => json!("text"),
        Value::Number(_) => json!("number"),
        Value::Bool(_) => json!("bool"),
        Value::Null => Value::Null,
        Value::Array(_) => json!("list"),
    }
}

#[tokio::test]
async fn every_event_is_told_as_its_example_in_the_reference_shows_it() {
    let ear = Ear::listen().await;
    let setup = telling(Setup::new(), &ear, EVERYTHING);
    let shop = Shop::open(setup, SandboxOptions::default()).await;
    shop.says(1, "Checkout Started", "A-1001", "20").await;
    told(&ear, "deal.stage_changed", |data| data["deal"]["stage"] == "New").await;
    shop.says(1, "Order Completed", "A-1001", "149").await;
    told(&ear, "deal.won", |_| true).await;
    shop.says(1, "Order Refunded", "A-1001", "149").await;
    told(&ear, "deal.lost", |_| true).await;
    shop.service.send(ann_says(1, "moved", &json!({"city": "Berlin"}))).await;
    told(&ear, "contact.changed", |data| data["changed"]["city"] == "Berlin").await;
    let denied = json!({"type": "identify", "userId": "ann-1", "messageId": "no", "consent": {"categoryPreferences": {"marketing": false}}});
    shop.service.send(denied).await;
    shop.service.crm.fault(json!({"status": 422, "email": ann(2), "times": 9, "body": {"errors": {"code": 422, "message": ["Last name can't be blank"]}}}));
    shop.service.send_all(vec![identify_ann(2), lead_of_ann(2)]).await;
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/outputs.md")).unwrap();
    let examples: Vec<Value> = blocks(&page)
        .into_iter()
        .filter(|(language, _)| language == "json")
        .flat_map(|(_, code)| {
            code.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
        })
        .collect();
    let documented: BTreeSet<&str> = examples.iter().map(|it| it["type"].as_str().unwrap()).collect();
    let made = EVERYTHING.split(',').chain(["note.added", "conversion"]);
    assert_eq!(documented, made.map(str::trim).collect());
    for example in examples.iter().filter(|it| it["type"] != "note.added" && it["type"] != "conversion") {
        let kind = example["type"].as_str().unwrap();
        let deal = &example["data"]["deal"];
        let fits = |data: &Value| deal.is_null() || data["deal"]["stage"] == deal["stage"];
        let message = told(&ear, kind, |data| {
            fits(data) && data["changed"]["city"].is_null() != (kind == "contact.changed")
        })
        .await;
        assert_eq!(shape(&message.body), shape(example), "{kind}: {}", message.text);
        if !deal.is_null() {
            for key in
                ["kind", "key", "people", "stage", "previous_stage", "moved_by", "name", "amount", "currency"]
            {
                assert_eq!(message.body["data"]["deal"][key], deal[key], "{kind} {key}");
            }
        }
    }
    let message = of_kind(&ear, "deal.won").remove(0);
    let header = |name: &str| message.headers[name].as_str();
    let signed = signature(
        &signing_key(SECRET).unwrap(),
        header("webhook-id"),
        header("webhook-timestamp"),
        &message.text,
    );
    assert_eq!(header("webhook-signature"), signed);
    all_told(&shop.service).await;
    assert_eq!(of_kind(&ear, "deal.won").len(), 1, "once");
    assert_eq!(of_kind(&ear, "contact.unsubscribed").len(), 1, "once");
    shop.service.finish().await;
}

/// The examples of the reference that show an event.
fn examples_of(kind: &str) -> Vec<Value> {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/outputs.md")).unwrap();
    let json = blocks(&page).into_iter().filter(|(language, _)| language == "json");
    let lines = json.flat_map(|(_, code)| code.lines().map(str::to_owned).collect::<Vec<String>>());
    lines.map(|line| serde_json::from_str::<Value>(&line).unwrap()).filter(|it| it["type"] == kind).collect()
}

#[tokio::test]
async fn a_note_is_told_once_with_what_a_person_reads_in_it() {
    let ear = Ear::listen().await;
    let setup = telling(Setup::new().driven_clock(), &ear, "note.added");
    let site = Site::open(setup, SandboxOptions::default()).await;
    site.service.crm.fault(json!({"path": "notes", "reset": true, "apply": true}));
    site.lead(1, "a <b>form</b>").await;
    let notes = site.notes("the note", |notes| notes.len() == 1).await;
    site.stands("told").await;
    let message = told(&ear, "note.added", |_| true).await;
    assert_eq!(shape(&message.body), shape(&examples_of("note.added")[0]), "{}", message.text);
    let note = &message.body["data"]["note"];
    assert_eq!((&note["id"], &note["on"]), (&notes[0]["id"], &json!("contact")));
    let text = note["text"].as_str().unwrap();
    assert!(text.contains("a <b>form</b>") && !text.contains("freshsignal"), "{text}");
    all_told(&site.service).await;
    assert_eq!(of_kind(&ear, "note.added").len(), 1, "once, though the call was not answered");
    site.service.finish().await;
}

#[tokio::test]
async fn a_deal_that_somebody_wins_in_freshsales_is_told_once_as_theirs() {
    let ear = Ear::listen().await;
    let hook = [("KIND", "freshsales"), ("SOURCE", "website"), ("SECRET", TOKEN)];
    let with =
        |setup: Setup, (key, value): (&str, &str)| setup.with(&format!("HOOKS__FRESHSALES__{key}"), value);
    let setup = hook.into_iter().fold(telling(Setup::new(), &ear, EVERYTHING), with);
    let shop = Shop::open(setup, SandboxOptions::default()).await;
    shop.says(1, "Checkout Started", "A-1001", "20").await;
    let deal = shop.deal_in(shop.stage("New")).await;
    told(&ear, "deal.stage_changed", |_| true).await;
    for updated in ["2026-03-01T09:00:01Z", "2026-03-01T09:00:02Z"] {
        let body = json!({"kind": "deal", "id": deal["id"], "stage": "Won", "updated_at": updated});
        let url = format!("{}/hooks/freshsales", shop.service.public_url());
        let call = shop.service.client.post(url).header("X-Freshsignal-Token", TOKEN).json(&body);
        assert_eq!(call.send().await.unwrap().status(), StatusCode::OK);
        shop.service.processed().await;
    }
    let won = told(&ear, "deal.won", |_| true).await;
    let told_deal = &won.body["data"]["deal"];
    let said = ["stage", "previous_stage", "moved_by", "key"].map(|key| &told_deal[key]);
    assert_eq!(said, [&json!("Won"), &json!("New"), &json!("freshsales"), &json!("A-1001")]);
    all_told(&shop.service).await;
    assert_eq!((of_kind(&ear, "deal.won").len(), of_kind(&ear, "deal.stage_changed").len()), (1, 2));
    shop.service.finish().await;
}

#[tokio::test]
async fn a_refusal_is_told_once_however_often_it_is_said_and_again_after_a_yes() {
    let ear = Ear::listen().await;
    let service = telling(Setup::new(), &ear, "contact.unsubscribed,contact.created").start().await;
    let says = |id: &str, granted: bool| {
        json!({"type": "identify", "userId": "ann-1", "messageId": id, "traits": {"email": ann(1), "last_name": "No1"},
            "consent": {"categoryPreferences": {"marketing": granted}}})
    };
    for (id, granted) in [("1", true), ("2", false), ("3", false), ("4", true), ("5", false)] {
        service.send(says(id, granted)).await;
    }
    service.send(lead_of_ann(1)).await;
    service.settled().await;
    told(&ear, "contact.created", |_| true).await;
    all_told(&service).await;
    assert_eq!(of_kind(&ear, "contact.unsubscribed").len(), 2);
    service.finish().await;
}

#[tokio::test]
async fn nobody_whose_gate_is_shut_is_told_of_but_that_they_refuse() {
    let ear = Ear::listen().await;
    let setup = telling(Setup::new(), &ear, EVERYTHING).with("CONSENT__REQUIRED", "marketing");
    let service = setup.start().await;
    let says = |nth: usize, id: &str, granted: bool| {
        json!({"type": "identify", "userId": format!("ann-{nth}"), "messageId": id, "traits": {"email": ann(nth), "last_name": "No1"},
            "consent": {"categoryPreferences": {"marketing": granted}}})
    };
    ear.answer(503);
    service.send_all(vec![says(1, "1", true), lead_of_ann(1), identify_ann(3), lead_of_ann(3)]).await;
    service.settled().await;
    let waiting = service.get("/api/outputs/shop").await;
    let kinds: BTreeSet<&str> =
        waiting["messages"].as_array().unwrap().iter().map(|it| it["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, BTreeSet::from(["contact.created", "contact.delivered"]));
    assert!(waiting["messages"].as_array().unwrap().iter().all(|it| it["email"] == ann(1)), "{waiting}");
    service.send(says(1, "2", false)).await;
    service.settled().await;
    let waiting = service.get("/api/outputs/shop").await;
    let kinds: Vec<&Value> = waiting["messages"].as_array().unwrap().iter().map(|it| &it["event"]).collect();
    assert_eq!(kinds, ["contact.unsubscribed"], "{waiting}");
    service.finish().await;
}

#[tokio::test]
async fn an_erasure_leaves_nothing_of_a_person_among_what_is_to_be_told() {
    let ear = Ear::listen().await;
    ear.answer(503);
    let service = telling(Setup::new(), &ear, EVERYTHING).start().await;
    service.send_all(vec![identify_ann(1), lead_of_ann(1), identify_ann(2), lead_of_ann(2)]).await;
    service.settled().await;
    let held = service.get(&format!("/api/people?email={}", ann(1))).await;
    assert_eq!(held["outputs"].as_array().unwrap().len(), 2, "{held}");
    service.delete(&format!("/api/people?email={}", ann(1))).await;
    let left = service.get("/api/outputs/shop").await;
    let left: BTreeSet<&str> =
        left["messages"].as_array().unwrap().iter().map(|it| it["email"].as_str().unwrap()).collect();
    assert_eq!(left, BTreeSet::from([ann(2).as_str()]));
    let service = service.restart().await;
    for file in std::fs::read_dir(service.data_folder()).unwrap() {
        let file = file.unwrap().path();
        let bytes = std::fs::read(&file).unwrap();
        let found = bytes.windows(ann(1).len()).any(|window| window == ann(1).as_bytes());
        assert!(!found, "{} holds the address", file.display());
    }
    service.finish().await;
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_a_risk_and_a_person_has_it_called_again() {
    let ear = Ear::listen().await;
    ear.answer(410);
    let service = telling(Setup::new(), &ear, "contact.created").start().await;
    service.send_all(vec![identify_ann(1), lead_of_ann(1)]).await;
    let risk =
        |status: &Value| status["risks"].as_array().unwrap().iter().any(|risk| risk["risk"] == "output_off");
    service.until("the risk", risk).await;
    let [_, private] = documents(&service).await;
    let outputs = service.get("/api/outputs").await;
    assert_eq!(
        (&outputs["outputs"][0]["state"], &outputs["outputs"][0]["waiting"]),
        (&json!("off"), &json!(1))
    );
    assert!(!outputs.to_string().contains("very-secret"));
    for (operation, request, status) in [
        (("get", "/api/outputs"), service.private("/api/outputs"), 200),
        (("get", "/api/outputs/{name}"), service.private("/api/outputs/shop"), 200),
        (("get", "/api/outputs/{name}"), service.private("/api/outputs/none"), 404),
        (
            ("post", "/api/outputs/{name}/redrive"),
            service.private_post("/api/outputs/shop/redrive").json(&json!({})),
            400,
        ),
        (
            ("post", "/api/outputs/{name}/redrive"),
            service.private_post("/api/outputs/shop/redrive").json(&json!({"all": true})),
            200,
        ),
        (
            ("post", "/api/outputs/{name}/discard"),
            service.private_post("/api/outputs/shop/discard").json(&json!({"ids": ["x"]})),
            200,
        ),
    ] {
        let (answered, body) = held(&private, operation, request).await;
        assert_eq!(answered.as_u16(), status, "{operation:?}: {body}");
    }
    let service = service.restart().await;
    service.until("the risk outlives a restart", risk).await;
    ear.answer(200);
    let (status, _) = said(service.private_post("/api/outputs/shop/resume")).await;
    assert_eq!(status, StatusCode::OK);
    told(&ear, "contact.created", |_| true).await;
    service.until("the risk is gone", |status| !risk(status)).await;
    let metrics = service.private("/metrics").send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("freshsignal_output_up{output=\"shop\"} 1"), "{metrics}");
    service.finish().await;
}

#[tokio::test]
async fn a_dry_run_tells_nobody() {
    let ear = Ear::listen().await;
    let setup = telling(Setup::new(), &ear, EVERYTHING);
    let service = setup.with("FRESHSALES__MODE", "dry_run").start().await;
    service.send_all(vec![identify_ann(1), lead_of_ann(1)]).await;
    service.settled().await;
    assert_eq!(service.get("/api/outputs").await, json!({"outputs": []}));
    assert!(ear.messages().is_empty());
    service.finish().await;
}

const KILLS: usize = 8;
const NEW_CONTACTS: u64 = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_again_and_again_each_delivery_is_told_under_one_id_and_none_is_forgotten() {
    let options = SandboxOptions { latency: Duration::from_millis(5), ..SandboxOptions::default() };
    let sandbox = Sandbox::new(options, Arc::new(SystemClock::default()));
    let (crm, ear) = (Served::start(sandbox.router()).await, Ear::listen().await);
    let folder = tempfile::tempdir().unwrap();
    let setup = process::Setup::new(folder.path(), crm.address)
        .with("OUTPUTS__SHOP__URL", &ear.url("/"))
        .with("OUTPUTS__SHOP__SECRET", SECRET)
        .with("OUTPUTS__SHOP__EVENTS", "contact.delivered,contact.created")
        .with("OUTPUTS__SHOP__ALLOW_PRIVATE", "true");
    for kill in 0..KILLS {
        let service = setup.start().await;
        let mut connection = Connection::open(service.public).await.unwrap();
        let events = load::new_contacts(&kill.to_string(), NEW_CONTACTS);
        assert_eq!(connection.ingest(&events).await.unwrap().status, 200);
        // The kill falls while calls are settled and messages leave, each time a little later.
        let enough = ear.messages().len() + kill;
        until("some of it is told", Duration::from_mins(1), async || ear.messages().len() >= enough).await;
        service.kill();
    }
    let service = setup.start().await;
    until("everything is delivered and told", Duration::from_mins(2), async || {
        let status = service.ask("/api/status").await;
        let open: u64 = status["open"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
        let outputs = service.ask("/api/outputs").await;
        status["journal_lag_events"] == 0 && open == 0 && outputs["outputs"][0]["waiting"] == 0
    })
    .await;
    let mut delivered = BTreeSet::new();
    let mut before = String::new();
    loop {
        let page = service.ask(&format!("/api/deliveries?state=delivered&limit=200{before}")).await;
        let rows = page["deliveries"].as_array().unwrap().clone();
        delivered.extend(rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => before = format!("&before={next}"),
            None => break,
        }
    }
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for message in ear.messages() {
        let id = message.headers["webhook-id"].clone();
        let first = texts.entry(id.clone()).or_insert_with(|| message.text.clone());
        assert_eq!(*first, message.text, "{id}: the same id says the same");
    }
    let told: Vec<&String> = texts.keys().filter(|id| id.starts_with("contact_delivered-")).collect();
    assert_eq!(delivered.len() as u64, KILLS as u64 * NEW_CONTACTS);
    for id in &delivered {
        let of = told.iter().filter(|told| told.contains(&format!("-{id}-"))).count();
        assert_eq!(of, 1, "{id} is told under one id");
    }
    assert_eq!(told.len(), delivered.len());
}
