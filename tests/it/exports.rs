//! Exports: won deals as a file, by as many calls as were foretold, whatever changes and whoever is killed meanwhile.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use freshsignal::clock::SystemClock;
use freshsignal::freshsales::{Timeouts, http_client};
use freshsignal::sandbox::{Fault, Quirk, Sandbox, SandboxOptions};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::support::app::{Service, Setup, said};
use crate::support::command::{freshsignal, output};
use crate::support::events::{ann, identify_ann, lead_of_ann};
use crate::support::process::{self, until};
use crate::support::wait::{WITHIN, eventually};

/// Not within the thirty days of any clock that a test goes by.
const OLD: &str = "2020-01-31";

/// An account whose lists show deals whole.
fn whole() -> SandboxOptions {
    SandboxOptions { quirks: BTreeSet::from([Quirk::WholeLists]), ..SandboxOptions::default() }
}

/// Somebody who works in the account.
struct Rep {
    client: Client,
    crm: SocketAddr,
    won: u64,
    open: u64,
}

impl Rep {
    fn of(crm: SocketAddr, sandbox: &Sandbox) -> Self {
        let pipelines = sandbox.selector("deal_pipelines").unwrap();
        let stages = pipelines[0]["deal_stages"].as_array().unwrap().clone();
        let stage =
            |name: &str| stages.iter().find(|stage| stage["name"] == name).unwrap()["id"].as_u64().unwrap();
        let client = http_client(Timeouts { connect: WITHIN, attempt: WITHIN }).unwrap();
        Self { client, crm, won: stage("Won"), open: stage("New") }
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> Value {
        let url = format!("http://{}/crm/sales/api/{path}", self.crm);
        let request = self.client.request(method, url).header("Authorization", "Token token=sandbox-key");
        let answer = request.json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.unwrap_or_default()
    }

    /// Wins a deal; answers its id.
    async fn wins(&self, name: &str, more: Value) -> u64 {
        let mut deal = json!({"name": name, "amount": 100, "deal_stage_id": self.won});
        deal.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let made = self.call(Method::POST, "deals", json!({ "deal": deal })).await;
        made["deal"]["id"].as_u64().unwrap()
    }

    /// Opens a deal again that was won: it leaves the list.
    async fn opens_again(&self, id: u64) {
        self.call(Method::PUT, &format!("deals/{id}"), json!({"deal": {"deal_stage_id": self.open}})).await;
    }
}

const ORDER: &str = "/api/exports";

fn won() -> Value {
    json!({"what": "deals", "won": true, "days": 30})
}

/// Ends when an export has ended; answers how it stands.
async fn done(service: &Service, order: Value) -> Value {
    let (status, ordered) = said(service.private_post(ORDER).json(&order)).await;
    assert_eq!(status, StatusCode::OK, "{ordered}");
    let path = format!("{ORDER}/{}", ordered["id"]);
    eventually("the export has ended", async || {
        let stands = service.get(&path).await;
        if stands["state"] == "running" { Err(stands.to_string()) } else { Ok(stands) }
    })
    .await
}

async fn file(service: &Service, export: &Value, format: &str) -> Vec<String> {
    let path = format!("{ORDER}/{}/file?format={format}", export["id"]);
    let answer = service.private(&path).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    answer.text().await.unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn the_won_deals_of_thirty_days_are_a_file_by_the_calls_that_were_foretold() {
    let service = Setup::new().sandbox(whole()).start().await;
    let rep = Rep::of(service.crm.address, &service.crm.sandbox);
    let contact =
        json!({"unique_identifier": {"emails": ann(1)}, "contact": {"emails": ann(1), "last_name": "No1"}});
    let contact = rep.call(Method::POST, "contacts/upsert", contact).await["contact"]["id"].clone();
    let owner = 70_000_012_302_u64;
    let more = json!({"owner_id": owner, "contacts_added_list": [contact], "sales_account": {"name": "Acme"},
        "currency_id": 70_000_008_002_u64, "custom_field": {"cf_order_id": "A-1"}});
    let first = rep.wins("=HYPERLINK(\"x\")", more).await;
    for nth in 0..230 {
        rep.wins(&format!("Deal {nth}"), json!({})).await;
    }
    rep.wins("Long ago", json!({"closed_date": OLD})).await;
    let lost = rep.wins("Open again", json!({})).await;
    rep.opens_again(lost).await;
    let before = service.crm.calls();
    let export = done(&service, won()).await;
    let made = service.crm.calls() - before;
    assert_eq!(
        (&export["state"], &export["deals"], &export["missed"]),
        (&json!("done"), &json!(231), &json!(0))
    );
    assert_eq!((&export["calls"], &export["foretold"]["calls"]), (&json!(made), &json!(made)), "{export}");
    assert_eq!(made, 4, "the pipelines and three pages");
    let lines = file(&service, &export, "csv").await;
    let columns = "id,name,amount,currency,pipeline,stage,owner_email,company,contact_emails,closed_date,created_at,updated_at,cf_order_id";
    assert_eq!((lines[0].as_str(), lines.len()), (columns, 232));
    let row = lines.iter().find(|line| line.starts_with(&first.to_string())).unwrap();
    let start = format!(
        "{first},\"'=HYPERLINK(\"\"x\"\")\",100.0,EUR,Default Pipeline,Won,maria.silva@example.com,Acme,{},",
        ann(1)
    );
    assert!(row.starts_with(&start) && row.ends_with(",A-1"), "{row}");
    let objects = file(&service, &export, "jsonl").await;
    assert!(objects.iter().any(|line| line.contains("\"cf_order_id\":\"A-1\"")), "{}", objects[0]);
    // Who is erased is in it no more.
    service.send_all(vec![identify_ann(1), lead_of_ann(1)]).await;
    service.settled().await;
    service.delete(&format!("/api/people?email={}", ann(1))).await;
    eventually("the person is in no row", async || {
        let lines = file(&service, &export, "csv").await;
        if lines.iter().any(|line| line.contains(&ann(1))) { Err(format!("{}", lines.len())) } else { Ok(()) }
    })
    .await;
    let gone = service.private_delete(&format!("{ORDER}/{}", export["id"])).send().await.unwrap();
    assert_eq!((gone.status(), service.get(ORDER).await), (StatusCode::OK, json!({"exports": []})));
    service.finish().await;
}

#[tokio::test]
async fn an_account_whose_lists_are_thin_is_asked_for_the_deals_of_the_days_one_by_one() {
    let service = Setup::new().start().await;
    let rep = Rep::of(service.crm.address, &service.crm.sandbox);
    for nth in 0..2 {
        rep.wins(&format!("Deal {nth}"), json!({"owner_id": 70_000_012_302_u64})).await;
    }
    rep.wins("Long ago", json!({"closed_date": OLD})).await;
    let before = service.crm.calls();
    let export = done(&service, won()).await;
    let calls = export["calls"].as_u64().unwrap();
    assert_eq!((calls, service.crm.calls() - before), (4, 4), "the pipelines, a page, two deals: {export}");
    assert!(calls <= export["foretold"]["at_most"].as_u64().unwrap(), "{export}");
    let lines = file(&service, &export, "csv").await;
    assert_eq!(
        lines.iter().filter(|line| line.contains(",Won,maria.silva@example.com,")).count(),
        2,
        "{lines:?}"
    );
    service.finish().await;
}

#[tokio::test]
async fn many_deals_of_a_thin_list_are_shown_by_the_view_of_won_deals_a_hundred_a_call() {
    let service = Setup::new().start().await;
    let rep = Rep::of(service.crm.address, &service.crm.sandbox);
    for nth in 0..120 {
        rep.wins(&format!("Deal {nth}"), json!({"owner_id": 70_000_012_302_u64})).await;
    }
    rep.wins("Long ago", json!({"closed_date": OLD})).await;
    let before = service.crm.calls();
    let export = done(&service, won()).await;
    let calls = export["calls"].as_u64().unwrap();
    let made = service.crm.calls() - before;
    assert_eq!((calls, made), (6, 6), "the pipelines, two pages, the views, two pages of one: {export}");
    assert_eq!(export["foretold"]["calls"], 6, "{export}");
    let lines = file(&service, &export, "csv").await;
    let whole = lines.iter().filter(|line| line.contains(",Won,maria.silva@example.com,")).count();
    assert_eq!((whole, lines.len()), (120, 121), "and the line of columns");
    service.finish().await;
}

#[tokio::test]
async fn killed_twice_and_read_from_a_list_that_changes_each_deal_is_there_once() {
    let sandbox = Sandbox::new(whole(), Arc::new(SystemClock::default()));
    let crm = process::Served::start(sandbox.router()).await;
    let rep = Rep::of(crm.address, &sandbox);
    let mut ids = Vec::new();
    for nth in 0..650 {
        ids.push(rep.wins(&format!("Deal {nth}"), json!({})).await);
    }
    let slow = json!({"delay_ms": 100, "path": "filtered_search", "times": 1000, "apply": true});
    sandbox.fault(Fault::from_json(slow).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let setup = process::Setup::new(folder.path(), crm.address);
    let asked = async |service: &process::Service, path: &str| {
        let answer = rep.client.get(format!("http://{}{path}", service.private)).send().await.unwrap();
        answer.text().await.unwrap()
    };
    let stands = async |service: &process::Service| -> Value {
        serde_json::from_str::<Value>(&asked(service, ORDER).await).unwrap()["exports"][0].take()
    };
    let mut service = setup.start().await;
    let order = rep.client.post(format!("http://{}{ORDER}", service.private)).json(&won());
    assert_eq!(order.send().await.unwrap().status(), StatusCode::OK);
    for calls in [3, 6] {
        until("some calls", Duration::from_mins(1), async || {
            stands(&service).await["calls"].as_u64().unwrap() >= calls
        })
        .await;
        service.kill();
        for _ in 0..7 {
            rep.opens_again(ids.remove(3)).await;
        }
        ids.push(rep.wins("Won meanwhile", json!({})).await);
        service = setup.start().await;
    }
    until("the end", Duration::from_mins(1), async || stands(&service).await["state"] != "running").await;
    let export = stands(&service).await;
    let text = asked(&service, &format!("{ORDER}/{}/file", export["id"])).await;
    let there: Vec<u64> =
        text.lines().skip(1).map(|line| line.split(',').next().unwrap().parse().unwrap()).collect();
    let once: BTreeSet<u64> = there.iter().copied().collect();
    assert_eq!(once.len(), there.len(), "each deal once");
    let missing: Vec<&u64> = ids.iter().filter(|id| !once.contains(id)).collect();
    assert!(missing.is_empty(), "{missing:?} {export}");
    let number = |path: &str| export.pointer(path).and_then(Value::as_u64).unwrap();
    let (calls, least, most) = (number("/calls"), number("/foretold/calls"), number("/foretold/at_most"));
    assert!(calls >= least - 1 && calls <= most, "{export}");
    assert_eq!((&export["state"], number("/missed")), (&json!("done"), 0));
}

#[tokio::test]
async fn what_makes_no_sense_is_named_and_what_would_cost_too_much_ends() {
    let service = Setup::new().sandbox(whole()).start().await;
    let rep = Rep::of(service.crm.address, &service.crm.sandbox);
    for nth in 0..150 {
        rep.wins(&format!("Deal {nth}"), json!({})).await;
    }
    for (order, word) in [
        (json!({"what": "notes"}), "what"),
        (json!({"what": "deals", "days": 0}), "days"),
        (json!({"what": "deals", "calls_max": 0}), "calls_max"),
        (json!({"what": "deals", "weeks": 4}), "body"),
    ] {
        let (status, answer) = said(service.private_post(ORDER).json(&order)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{order}");
        assert!(answer["message"].as_str().unwrap().contains(word), "{answer}");
    }
    let failed = async |order: Value| done(&service, order).await["reason"].as_str().unwrap().to_owned();
    assert!(failed(json!({"what": "deals", "calls_max": 1})).await.contains("calls_max"));
    assert!(failed(json!({"what": "deals", "pipeline": "Renewals"})).await.contains("Default Pipeline"));
    let none = service.private(&format!("{ORDER}/99/file")).send().await.unwrap();
    assert_eq!(none.status(), StatusCode::NOT_FOUND);
    service.finish().await;
}

#[tokio::test]
async fn what_the_configuration_orders_is_written_once_a_day_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::new().sandbox(whole()).with("EXPORTS__WON__FOLDER", folder.path().to_str().unwrap());
    let service = setup.with("EXPORTS__WON__DAYS", "30").start().await;
    let files = || -> Vec<String> {
        let files = std::fs::read_dir(folder.path()).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        names.filter(|name| Path::new(name).extension().is_none_or(|end| end != "part")).collect()
    };
    let written = eventually("a file", async || {
        let found = files();
        let left = service.get(ORDER).await;
        if found.len() == 1 && left == json!({"exports": []}) {
            Ok(found)
        } else {
            Err(format!("{found:?} {left}"))
        }
    });
    let name = written.await.remove(0);
    assert!(
        name.starts_with("won-20") && Path::new(&name).extension().is_some_and(|end| end == "csv"),
        "{name}"
    );
    let path = folder.path().join(&name);
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("id,name,"));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let calls = service.crm.calls();
    let service = service.restart().await;
    service.processed().await;
    assert_eq!(
        (files().len(), service.crm.calls(), service.get(ORDER).await),
        (1, calls, json!({"exports": []}))
    );
    service.finish().await;
}

#[tokio::test]
async fn the_contacts_that_are_held_are_a_file_with_what_each_is_owed_and_cost_no_call() {
    let service = Service::start().await;
    service.send_all(vec![identify_ann(1), lead_of_ann(1)]).await;
    service.settled().await;
    service.order("/api/pause", json!({})).await;
    service.send_all(vec![identify_ann(2), lead_of_ann(2)]).await;
    service.processed().await;
    let calls = service.crm.calls();
    let answer = service.private("/api/exports/contacts").send().await.unwrap().text().await.unwrap();
    let lines: Vec<&str> = answer.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, "email,contact_id,owed,payload,accepted_at,accepted,wanted"));
    assert!(lines[1].starts_with(&format!("{},7", ann(1))) && lines[1].contains(",,,20"), "{}", lines[1]);
    assert!(lines[2].starts_with(&format!("{},,whole,", ann(2))), "{}", lines[2]);
    assert_eq!(service.crm.calls(), calls);
    service.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_asks_a_running_service_or_takes_the_data_folder_where_none_runs() {
    let sandbox = Sandbox::new(whole(), Arc::new(SystemClock::default()));
    let crm = process::Served::start(sandbox.router()).await;
    let rep = Rep::of(crm.address, &sandbox);
    for nth in 0..120 {
        rep.wins(&format!("Deal {nth}"), json!({})).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("data"), folder.path().join("won.csv"));
    let base = format!("http://{}", crm.address);
    let environment = |admin: &str| -> Vec<(String, String)> {
        let pairs = [
            ("SOURCES__WEBSITE__WRITE_KEY", "key"),
            ("FRESHSALES__BUNDLE_ALIAS", "acme"),
            ("FRESHSALES__API_KEY", "sandbox-key"),
            ("FRESHSALES__BASE_URL", &base),
            ("STORE__PATH", data.to_str().unwrap()),
            ("ADMIN__LISTEN", admin),
        ];
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec()
    };
    let run = async |admin: &str, arguments: &[&str]| {
        let environment = environment(admin);
        let pairs: Vec<(&str, &str)> =
            environment.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let mut command = freshsignal(arguments, &pairs);
        tokio::task::spawn_blocking(move || output(&mut command, "")).await.unwrap()
    };
    let arguments = ["export", "deals", "--won", "--days", "30", "--out", out.to_str().unwrap()];
    let (code, stdout, said) = run("127.0.0.1:9", &arguments).await;
    assert_eq!((code, stdout.as_str()), (0, ""), "{said}");
    assert!(said.contains("it takes 3 calls") && said.contains("120 deals by 3 calls, 3 foretold"), "{said}");
    assert_eq!(std::fs::read_to_string(&out).unwrap().lines().count(), 121);
    // The slots of those calls are in the ledger of the data folder, and a service that runs is asked.
    let service = process::Setup::new(folder.path(), crm.address).start().await;
    let used = service.ask("/api/status").await["allowance"]["hour"]["used"].as_u64().unwrap();
    assert_eq!(used, 3);
    let (code, stdout, said) =
        run(&service.private.to_string(), &["export", "deals", "--won", "--format", "jsonl"]).await;
    assert_eq!((code, stdout.lines().count()), (0, 120), "{said}");
    assert!(!said.contains("no service runs"), "{said}");
    // The service has the data folder: nobody else takes it.
    let (code, _, said) = run("127.0.0.1:9", &["export", "contacts"]).await;
    assert_eq!(code, 75, "{said}");
    let (code, stdout, _) = run(&service.private.to_string(), &["export", "contacts"]).await;
    assert_eq!((code, stdout.lines().count()), (0, 1));
    for wrong in [
        vec!["export", "notes"],
        vec!["export", "contacts", "--won"],
        vec!["export", "deals", "--format", "xml"],
    ] {
        assert_eq!(run(&service.private.to_string(), &wrong).await.0, 2, "{wrong:?}");
    }
    let (code, _, said) =
        run(&service.private.to_string(), &["export", "deals", "--pipeline", "Renewals"]).await;
    assert!(code == 1 && said.contains("Default Pipeline"), "{said}");
}
