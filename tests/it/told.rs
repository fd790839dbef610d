//! What sales is told: notes, activities and tasks, each once, whatever gets lost on the way.

use std::collections::BTreeSet;
use std::time::Duration;

use freshsignal::sandbox::{Forbidden, Sandbox, SandboxOptions};
use serde_json::{Value, json};

use super::simulation::harness::account::{Allowed, Weather};
use super::simulation::harness::told::Told;
use crate::support::app::{Service, Setup};
use crate::support::wait::eventually;

/// The how-to of the documents shows the same.
const MAPPING: &str = include_str!("../fixtures/told/note.toml");

/// A site that tells sales what happened.
pub struct Site {
    pub service: Service,
}

impl Site {
    pub async fn open(setup: Setup, options: SandboxOptions) -> Self {
        Self::mapped(setup, options, MAPPING).await
    }

    pub async fn mapped(setup: Setup, options: SandboxOptions, mapping: &str) -> Self {
        Self { service: setup.mapping(mapping).sandbox(options).start().await }
    }

    /// A form is sent.
    pub async fn lead(&self, number: usize, form: &str) {
        let traits = json!({"email": format!("ann-{number}@example.com"), "first_name": "Ann", "last_name": format!("No{number}")});
        let context = json!({"traits": traits, "page": {"url": "https://shop.example/pricing"},
            "campaign": {"source": "google", "medium": "cpc", "name": "spring"}});
        let body = json!({"type": "track", "event": "Lead Generated", "userId": format!("ann-{number}"),
            "context": context, "properties": {"form": form}});
        self.service.send(body).await;
    }

    /// Ends when Freshsales holds notes that satisfy a condition; answers them.
    pub async fn notes(&self, what: &str, fits: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        self.service.holds(what, Sandbox::notes, fits).await
    }

    pub async fn happenings(&self, query: &str) -> Vec<Value> {
        let page = self.service.get(&format!("/api/happenings{query}")).await;
        page["happenings"].as_array().unwrap().clone()
    }

    /// Ends when the one happening there is stands so.
    pub async fn stands(&self, state: &str) -> Value {
        let what = format!("it is {state}");
        let found = eventually(&what, async || {
            self.service.pass(Duration::from_secs(5));
            let found = self.happenings("").await;
            match found.as_slice() {
                [one] if one["state"] == state => Ok(one.clone()),
                other => Err(format!("{other:?}")),
            }
        });
        found.await
    }

    pub fn calls(&self, method: &str, path: &str) -> usize {
        self.service.crm.calls_to(method, path)
    }

    pub async fn close(self) {
        self.service.settled().await;
        self.service.finish().await;
    }
}

fn text(note: &Value) -> &str {
    note["description"].as_str().unwrap()
}

#[tokio::test]
async fn a_lead_from_a_form_leaves_a_note_with_its_campaign() {
    let site = Site::open(Setup::new(), SandboxOptions::default()).await;
    site.lead(1, "pricing <b>").await;
    let notes = site.notes("a note", |notes| notes.len() == 1).await;
    let contact = site.service.crm.sandbox.contact("ann-1@example.com").unwrap();
    assert_eq!(
        (&notes[0]["targetable_type"], &notes[0]["targetable_id"]),
        (&json!("Contact"), &contact["id"])
    );
    let (said, marker) = text(&notes[0]).rsplit_once("<br>freshsignal ").unwrap();
    assert_eq!(
        said,
        "Lead from pricing &lt;b&gt;<br>Campaign: google / cpc / spring<br>Page: https://shop.example/pricing<br>By Ann No1"
    );
    assert_eq!(marker.len(), 10);
    let told = site.stands("told").await;
    assert_eq!((&told["told_id"], &told["on"]), (&notes[0]["id"], &json!("contact:ann-1@example.com")));
    assert_eq!((site.calls("POST", "/notes"), site.service.crm.calls()), (1, 2));
    site.close().await;
}

#[tokio::test]
async fn lines_that_say_nothing_are_left_out() {
    let site = Site::open(Setup::new(), SandboxOptions::default()).await;
    let body = json!({"type": "track", "event": "Lead Generated", "userId": "u",
        "context": {"traits": {"email": "bob@example.com", "first_name": "Bob", "last_name": "Ray"}}});
    site.service.send(body).await;
    let notes = site.notes("a note", |notes| notes.len() == 1).await;
    assert!(text(&notes[0]).starts_with("Lead from the website<br>By Bob Ray<br>freshsignal "), "{notes:?}");
    site.close().await;
}

#[tokio::test]
async fn answers_that_are_lost_make_no_second_note_and_lose_none() {
    let site = Site::open(Setup::new().driven_clock(), SandboxOptions::default()).await;
    // Of each two the answer to one is lost after it took effect, that to the other before.
    for number in 0..6 {
        let apply = number % 2 == 0;
        site.service.crm.fault(json!({"path": "api/notes", "reset": true, "apply": apply, "times": 1}));
        site.lead(number, "pricing").await;
        let many = number + 1;
        let told = eventually("all are told", async || {
            site.service.pass(Duration::from_secs(5));
            let told = site.happenings("?state=told").await.len();
            if told == many { Ok(()) } else { Err(told.to_string()) }
        });
        told.await;
    }
    let notes = site.service.crm.sandbox.notes();
    let targets: BTreeSet<String> = notes.iter().map(|note| note["targetable_id"].to_string()).collect();
    assert_eq!((targets.len(), notes.len()), (6, 6));
    site.close().await;
}

#[tokio::test]
async fn a_kill_in_the_middle_makes_no_second_note() {
    let mut site = Site::open(Setup::new().driven_clock(), SandboxOptions::default()).await;
    site.service.crm.fault(json!({"path": "api/notes", "hang": true, "apply": true, "times": 1}));
    site.lead(1, "pricing").await;
    site.notes("the note is there", |notes| notes.len() == 1).await;
    site.service = site.service.restart().await;
    site.stands("unanswered").await;
    site.service.pass(Duration::from_mins(2));
    site.stands("told").await;
    assert_eq!((site.calls("POST", "/notes"), site.service.crm.sandbox.notes().len()), (1, 1));
    site.close().await;
}

#[tokio::test]
async fn what_nobody_can_tell_is_decided_by_a_person() {
    for (order, notes, state) in [("tell", 2, "told"), ("drop", 1, "dropped")] {
        let site = Site::open(Setup::new().driven_clock(), SandboxOptions::default()).await;
        site.service.crm.fault(json!({"path": "api/notes", "reset": true, "apply": true, "times": 1}));
        site.lead(1, "pricing").await;
        site.stands("unanswered").await;
        let no = json!({"errors": {"code": 400, "message": ["No."]}});
        site.service.crm.fault(json!({"status": 400, "path": "/notes", "times": 9, "body": no}));
        let unclear = site.stands("unclear").await;
        assert_eq!(unclear["held"], "unclear");
        let path = format!("/api/happenings/{}", unclear["id"].as_str().unwrap());
        let one = site.service.get(&path).await;
        assert_eq!((&one["may_tell"], &one["may_drop"]), (&json!(true), &json!(true)));
        site.service.crm.mend();
        site.service.order(&format!("{path}/{order}"), json!({})).await;
        site.stands(state).await;
        assert_eq!(site.service.crm.sandbox.notes().len(), notes, "{order}");
        site.close().await;
    }
}

#[tokio::test]
async fn a_key_that_may_not_write_notes_leaves_contacts_going() {
    let forbidden = BTreeSet::from([Forbidden::Notes]);
    let site = Site::open(Setup::new(), SandboxOptions { forbidden, ..SandboxOptions::default() }).await;
    for number in 1..=3 {
        site.lead(number, "pricing").await;
    }
    let shut = site
        .service
        .until("notes are shut", |status| status["destination"]["shut"][0]["kind"] == "note")
        .await;
    assert_eq!(shut["destination"]["state"], "running");
    site.lead(4, "pricing").await;
    let there = eventually("the next contact goes on its way", async || {
        let contacts = site.service.crm.sandbox.contacts().len();
        if contacts == 4 { Ok(()) } else { Err(contacts.to_string()) }
    });
    there.await;
    assert_eq!(site.service.crm.sandbox.notes().len(), 0);
    site.service.finish().await;
}

#[tokio::test]
async fn imported_events_leave_no_note() {
    let site = Site::open(Setup::new(), SandboxOptions::default()).await;
    let body = json!({"type": "track", "event": "Lead Generated", "userId": "u", "timestamp": "2020-01-01T00:00:00Z",
        "context": {"traits": {"email": "bob@example.com", "first_name": "Bob", "last_name": "Ray"}}});
    site.service.send(body).await;
    site.service.settled().await;
    assert_eq!((site.service.crm.sandbox.contacts().len(), site.service.crm.sandbox.notes().len()), (1, 0));
    assert_eq!(site.happenings("").await, Vec::<Value>::new());
    site.close().await;
}

#[tokio::test]
async fn a_mapping_without_notes_makes_no_call_of_them() {
    let service = Setup::new().start().await;
    let traits = json!({"email": "ann@example.com", "first_name": "Ann", "last_name": "Lee"});
    service
        .send(
            json!({"type": "track", "event": "Lead Generated", "userId": "u", "context": {"traits": traits}}),
        )
        .await;
    service.settled().await;
    assert_eq!(service.crm.calls(), 1);
    service.finish().await;
}

/// The blocks of configuration in the how-to of the documents.
fn of_the_how_to() -> String {
    let page = include_str!("../../docs/how-to/tell-sales-what-happened.md");
    let blocks = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn what_the_how_to_shows_is_what_comes_of_it() {
    let site = Site::mapped(Setup::new(), SandboxOptions::default(), &of_the_how_to()).await;
    let traits = json!({"email": "ann@example.com", "first_name": "Ann", "last_name": "Lee", "account_manager": "alex.kim@example.com"});
    let lead = json!({"type": "track", "event": "Lead Generated", "userId": "u",
        "context": {"traits": traits, "campaign": {"source": "google", "medium": "cpc", "name": "spring"}},
        "properties": {"form": "pricing", "message": "Call me"}});
    site.service.send(lead).await;
    let notes = site.notes("a note", |notes| notes.len() == 1).await;
    assert!(
        text(&notes[0]).starts_with("Lead from pricing<br>Campaign: google / cpc / spring<br>By Ann Lee<br>")
    );
    site.service.settled().await;
    let crm = &site.service.crm.sandbox;
    let contact = crm.contact("ann@example.com").unwrap();
    assert_eq!(contact["owner_id"], 70_000_012_301_u64);
    let task = crm.tasks().remove(0);
    assert_eq!((&task["title"], &task["targetable_id"]), (&json!("Call Ann Lee"), &contact["id"]));
    assert!(task["description"].as_str().unwrap().starts_with("Call me\nfreshsignal "), "{task}");
    let says = |event: &str| json!({"type": "track", "event": event, "userId": "u", "properties": {"plan": "team", "seats": 5}});
    site.service.send(says("Trial Started")).await;
    site.service.settled().await;
    site.service.send(says("Trial Activated")).await;
    let notes = site.notes("a note on the deal", |notes| notes.len() == 2).await;
    site.service.settled().await;
    let deal = site.service.crm.sandbox.deals().remove(0);
    assert_eq!((&notes[1]["targetable_type"], &notes[1]["targetable_id"]), (&json!("Deal"), &deal["id"]));
    assert!(text(&notes[1]).starts_with("Activated the trial (team), 5 seats<br>freshsignal "), "{notes:?}");
    let pipelines = site.service.crm.sandbox.selector("deal_pipelines").unwrap();
    let stages = pipelines[0]["deal_stages"].as_array().unwrap().clone();
    let stage = stages.iter().find(|stage| stage["name"] == "Demo").unwrap();
    assert_eq!(deal["deal_stage_id"], stage["id"]);
    site.close().await;
}

/// 1,000 calls an hour and 400 a minute, as the smallest plans of Freshsales have them.
const ALLOWED: Allowed = Allowed { per_hour: 1_000, per_minute: 400 };

#[test]
fn each_is_told_once_though_answers_are_lost_and_the_service_is_killed() {
    let told = Told { people: 60, count: 300, kills: 12, seed: 1 };
    let weather = Weather { lost_answers: 40, lost_calls: 40, ..Weather::default() };
    let own = told.service(ALLOWED, weather);
    assert_eq!((own.doubled, own.missing, own.unclear), (0, 0, 0), "{own:?}");
    assert!(own.unanswered > 0, "the weather was fine");
    assert!(own.busiest_hour <= ALLOWED.per_hour as usize, "{} calls in an hour", own.busiest_hour);
}
