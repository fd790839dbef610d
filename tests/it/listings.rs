//! Lists of contacts: many go in one call, whatever one account makes of it.

use std::collections::BTreeSet;
use std::time::Duration;

use freshsignal::sandbox::{Quirk, Sandbox, SandboxOptions};
use serde_json::{Value, json};

use crate::support::app::{Service, Setup};
use crate::support::wait::eventually;

/// The how-to of the documents shows the same.
const MAPPING: &str = include_str!("../fixtures/told/lists.toml");

struct Site {
    service: Service,
    /// Calls that were made before anybody signed up.
    before: usize,
}

impl Site {
    async fn open(setup: Setup, options: SandboxOptions, lists: &[&str]) -> Self {
        let service = setup.driven_clock().mapping(MAPPING).sandbox(options).start().await;
        let mut site = Self { service, before: 0 };
        let asked = |site: &Self| {
            let requests = site.service.crm.sandbox.requests();
            requests.iter().filter(|it| it.method == "GET" && it.path.contains("/api/lists")).count()
        };
        eventually(
            "the lists are read",
            async || if asked(&site) == 1 { Ok(()) } else { Err("no".to_owned()) },
        )
        .await;
        for list in lists {
            site.crm("POST", "lists", json!({"name": list})).await;
        }
        // The account has no list that the mapping names, so its lists are read again.
        eventually("the lists are read again", async || {
            site.service.pass(Duration::from_mins(10));
            // They come a hundred at a time.
            if asked(&site) == 2 + lists.len() / 100 { Ok(()) } else { Err("no".to_owned()) }
        })
        .await;
        site.before = site.service.crm.calls();
        site
    }

    /// Ends when the calls of so many contacts were made.
    async fn called(&self, contacts: usize) {
        for so_many in (0..contacts).step_by(100).chain([contacts]) {
            self.service.crm.called(self.before + so_many).await;
        }
        self.service.until("every contact was settled", |status| status["open"]["in_flight"] == 0).await;
    }

    /// What somebody does in Freshsales.
    async fn crm(&self, method: &str, path: &str, body: Value) {
        let url = format!("http://{}/crm/sales/api/{path}", self.service.crm.address);
        let call = self.service.client.request(method.parse().unwrap(), url);
        let call = call.header("authorization", "Token token=sandbox-key").json(&body);
        let answer = call.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
    }

    async fn signs_up(&self, people: std::ops::Range<usize>, event: &str) {
        for group in people.collect::<Vec<_>>().chunks(100) {
            let said = |number: &usize| {
                let traits = json!({"email": format!("ann-{number}@example.com"), "first_name": "Ann", "last_name": format!("No{number}")});
                json!({"type": "track", "event": event, "userId": format!("ann-{number}"), "context": {"traits": traits}})
            };
            let batch: Vec<Value> = group.iter().map(said).collect();
            let sent = self.service.post("/v1/batch").json(&json!({ "batch": batch })).send().await.unwrap();
            assert!(sent.status().is_success());
        }
    }

    /// Ends when so many are on the list, or off it.
    async fn has(&self, list: &str, contacts: usize) -> BTreeSet<u64> {
        eventually(&format!("{contacts} are on {list}"), async || {
            self.service.pass(Duration::from_secs(20));
            let on = members(&self.service.crm.sandbox, list);
            if on.len() == contacts { Ok(on) } else { Err(format!("{} are", on.len())) }
        })
        .await
    }

    fn calls(&self, what: &str) -> usize {
        self.service.crm.calls_to("PUT", what)
    }

    async fn close(self) {
        self.service.settled().await;
        self.service.finish().await;
    }
}

fn members(sandbox: &Sandbox, list: &str) -> BTreeSet<u64> {
    let found = sandbox.lists().into_iter().find(|it| it["name"] == list);
    let ids = found.and_then(|list| list["contact_ids"].as_array().cloned()).unwrap_or_default();
    ids.iter().filter_map(Value::as_u64).collect()
}

#[tokio::test]
async fn five_hundred_people_are_put_on_a_list_by_five_calls() {
    let setup = Setup::new().with("ALLOWANCE__PLAN", "enterprise").with("ALLOWANCE__PER_MINUTE", "1000");
    let site = Site::open(setup, SandboxOptions::default(), &["Newsletter"]).await;
    site.signs_up(0..500, "Newsletter Signup").await;
    site.called(500).await;
    site.has("Newsletter", 500).await;
    assert!((5..=6).contains(&site.calls("/add_contacts")), "{}", site.calls("/add_contacts"));
    site.signs_up(0..150, "Newsletter Left").await;
    site.has("Newsletter", 350).await;
    assert!((2..=3).contains(&site.calls("/remove_contacts")), "{}", site.calls("/remove_contacts"));
    site.close().await;
}

#[tokio::test]
async fn a_list_that_stands_behind_two_hundred_others_is_found() {
    let others: Vec<String> = (0..210).map(|number| format!("Fair {number}")).collect();
    let lists: Vec<&str> = others.iter().map(String::as_str).chain(["Newsletter"]).collect();
    let site = Site::open(Setup::new(), SandboxOptions::default(), &lists).await;
    site.signs_up(0..3, "Newsletter Signup").await;
    site.called(3).await;
    site.has("Newsletter", 3).await;
    site.close().await;
}

#[tokio::test]
async fn an_account_that_takes_fewer_a_call_gets_fewer() {
    let options = SandboxOptions { list_contacts_max: Some(40), ..SandboxOptions::default() };
    let site = Site::open(Setup::new(), options, &["Newsletter"]).await;
    site.signs_up(0..120, "Newsletter Signup").await;
    site.called(120).await;
    site.has("Newsletter", 120).await;
    assert!(site.calls("/add_contacts") <= 8, "{}", site.calls("/add_contacts"));
    let status = site.service.get("/api/status").await;
    assert_eq!(status["dead_letters"], 0, "{status}");
    site.close().await;
}

#[tokio::test]
async fn a_contact_that_is_refused_stops_nobody_but_itself() {
    let options = SandboxOptions { quirks: [Quirk::StrictLists].into(), ..SandboxOptions::default() };
    let site = Site::open(Setup::new(), options, &["Newsletter"]).await;
    site.signs_up(0..60, "Newsletter Signup").await;
    site.called(60).await;
    let everybody = || site.service.crm.sandbox.contacts().len() == 60;
    eventually("all are there", async || if everybody() { Ok(()) } else { Err("not yet".to_owned()) }).await;
    let gone = site.service.crm.sandbox.contact("ann-7@example.com").unwrap();
    site.crm("DELETE", &format!("contacts/{}", gone["id"]), json!({})).await;
    site.has("Newsletter", 59).await;
    let letters = eventually("one is refused", async || {
        site.service.pass(Duration::from_secs(20));
        let letters = site.service.get("/api/dead-letters").await["dead_letters"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        if letters.len() == 1 { Ok(letters) } else { Err(format!("{letters:?}")) }
    })
    .await;
    assert_eq!(letters[0]["subject"], "list:newsletter:ann-7@example.com");
    site.close().await;
}

#[tokio::test]
async fn a_list_that_is_not_there_holds_its_people_and_is_a_risk_until_it_is() {
    let site = Site::open(Setup::new(), SandboxOptions::default(), &["Trials"]).await;
    site.signs_up(0..1, "Newsletter Signup").await;
    site.called(1).await;
    let contact = eventually("it is held", async || {
        let contact = site.service.get("/api/contacts/ann-0@example.com").await;
        let held =
            contact["lists"][0]["why"].as_str().unwrap_or_default().contains("has no list `Newsletter`");
        if held { Ok(contact) } else { Err(contact.to_string()) }
    })
    .await;
    assert_eq!(
        (&contact["lists"][0]["list"], &contact["lists"][0]["wanted"]),
        (&json!("Newsletter"), &json!(true))
    );
    let status = site.service.get("/api/status").await;
    assert!(status["risks"].to_string().contains("`Newsletter`"), "{}", status["risks"]);
    site.crm("POST", "lists", json!({"name": "newsletter"})).await;
    site.has("newsletter", 1).await;
    let contact = eventually("it is shown", async || {
        let contact = site.service.get("/api/contacts/ann-0@example.com").await;
        if contact["lists"][0]["accepted"] == true { Ok(contact) } else { Err(contact["lists"].to_string()) }
    })
    .await;
    assert_eq!(contact["lists"][0]["state"], "accepted");
    site.close().await;
}

#[tokio::test]
async fn an_answer_that_is_lost_and_a_kill_put_everybody_on_the_list() {
    let mut site = Site::open(Setup::new(), SandboxOptions::default(), &["Newsletter"]).await;
    site.service.crm.fault(json!({"path": "add_contacts", "hang": true, "apply": false, "times": 1}));
    site.signs_up(0..20, "Newsletter Signup").await;
    eventually("the call is on its way", async || {
        site.service.pass(Duration::from_secs(20));
        if site.calls("/add_contacts") > 0 { Ok(()) } else { Err("none".to_owned()) }
    })
    .await;
    site.service = site.service.restart().await;
    site.has("Newsletter", 20).await;
    site.close().await;
}
