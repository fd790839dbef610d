//! Erasure and export of a person, seen from outside: what is shown, what is gone, what does not come back.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::app::{Service, Setup};
use crate::support::events::{identify_ann, lead_of_ann};
use crate::support::wait::eventually;

const EMAIL: &str = "erika.mustermann@example.com";

/// Texts of Erika that no byte of the data folder may hold once she is erased.
const TRACES: [&str; 8] = [
    "erika.mustermann",
    "Erika.Mustermann",
    "erika.old@example.com",
    "user-erika",
    "device-erika",
    "4915112345678",
    "Musterfrau",
    "message-of-erika",
];

/// What Erika did, all of it before now: she looked around, filled a form, signed up and changed her address.
fn history() -> Vec<Value> {
    let at = |minute: u32, event: Value| {
        let mut event = event;
        event["timestamp"] = json!(format!("2026-03-01T08:{minute:02}:00Z"));
        event["messageId"] = json!(format!("message-of-erika-{minute}"));
        event
    };
    vec![
        at(
            1,
            json!({"type": "page", "anonymousId": "device-erika", "properties": {"url": "https://shop.example/", "asked": "?e=erika.mustermann%40example.com"}}),
        ),
        at(
            2,
            json!({"type": "track", "event": "Lead Generated", "anonymousId": "device-erika",
            "properties": {"email": "erika.old@example.com", "phone": "+4915112345678"}}),
        ),
        at(
            3,
            json!({"type": "identify", "anonymousId": "device-erika", "userId": "user-erika",
            "traits": {"email": "Erika.Mustermann@example.com", "name": "Erika Musterfrau", "phone": "+4915112345678"}}),
        ),
        at(4, json!({"type": "track", "event": "Lead Generated", "userId": "user-erika"})),
        at(5, json!({"type": "track", "event": "looked at Musterfrau", "userId": "user-erika"})),
    ]
}

fn invitation() -> Value {
    json!({"type": "track", "event": "Lead Generated", "userId": "ann-1", "messageId": "invitation",
        "properties": {"email": EMAIL, "name": "Erika Musterfrau"}})
}

/// Every text that stands somewhere in the data folder: in files, WALs and free pages.
fn traces_in(folder: &Path, texts: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        for text in texts {
            let count = bytes.windows(text.len()).filter(|window| *window == text.as_bytes()).count();
            if count > 0 {
                found.push(format!("{text} stands in {} {count} times", path.display()));
            }
        }
    }
    found
}

async fn nothing_is_left(service: &Service, texts: &[&str]) {
    let folder = service.data_folder().to_owned();
    eventually("no trace is left", async || {
        let found = traces_in(&folder, texts);
        if found.is_empty() { Ok(()) } else { Err(found.join("\n")) }
    })
    .await;
}

async fn with_erika() -> Service {
    let service = Setup::new().driven_clock().start().await;
    service.send(identify_ann(1)).await;
    service.send(lead_of_ann(1)).await;
    for event in history() {
        service.send(event).await;
    }
    service.send(invitation()).await;
    service.settled().await;
    service
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_erasure_no_byte_of_the_person_is_left_and_what_comes_late_does_not_bring_them_back() {
    let service = with_erika().await;
    assert!(service.crm.contact(EMAIL).is_some());
    assert!(!traces_in(service.data_folder(), &TRACES).is_empty());
    let before = service.status().await;

    let receipt = service.delete(&format!("/api/people?email={EMAIL}")).await;
    assert_eq!(traces_in(service.data_folder(), &TRACES), Vec::<String>::new(), "{receipt}");
    assert_eq!(receipt["done"], true);
    let erased = &receipt["erased"];
    // user:user-erika, and the people of both addresses; the invitation is Ann's and names her.
    assert_eq!((&erased["people"], &erased["contacts"]), (&json!(3), &json!(2)), "{receipt}");
    assert_eq!((&erased["anonymous_ids"], &erased["events"]), (&json!(1), &json!(6)), "{receipt}");
    let after = service.status().await;
    assert_eq!((&after["accepted"], &after["outcomes"]), (&before["accepted"], &before["outcomes"]));
    service.check_books().await;

    // The same events again, as an SDK that was offline sends them.
    for mut event in history() {
        service.send(event.clone()).await;
        event["messageId"] = json!(format!("again-{}", event["messageId"].as_str().unwrap()));
        service.send(event).await;
    }
    service.processed().await;
    let status = service.status().await;
    assert_eq!(status["outcomes"]["erased"], 10, "{status}");
    assert_eq!(status["owed"], after["owed"]);
    let held = service.get(&format!("/api/people?email={EMAIL}")).await;
    assert_eq!((&held["people"], &held["contacts"]), (&json!([]), &json!([])), "{held}");
    // What came again does not stay in the journal either.
    service.pass(Duration::from_secs(11));
    nothing_is_left(&service, &TRACES).await;

    // Ann is still there, and what Erika says from now on starts anew.
    assert_eq!(service.get("/api/people?userId=ann-1").await["people"][0]["person"], "user:ann-1");
    let calls = service.crm.calls();
    service.send(json!({"type": "identify", "userId": "user-erika", "messageId": "anew-1", "traits": {"email": EMAIL, "name": "E. M."}})).await;
    service.send(json!({"type": "track", "event": "Lead Generated", "userId": "user-erika", "messageId": "anew-2"})).await;
    service.settled().await;
    assert_eq!(service.outcome("anew-2").await, "queued");
    assert_eq!(service.crm.calls(), calls + 1);
    assert!(!service.crm.body(calls).contains("4915112345678"), "{}", service.crm.body(calls));
    service.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erased_person_stays_erased_over_a_restart_and_by_user_id() {
    let service = with_erika().await;
    let receipt = service.delete("/api/people?userId=user-erika").await;
    assert_eq!(receipt["erased"]["people"], 3, "{receipt}");
    let service = service.restart().await;
    assert_eq!(traces_in(service.data_folder(), &TRACES), Vec::<String>::new());
    for event in history() {
        service.send(event).await;
    }
    service.processed().await;
    assert_eq!(service.status().await["outcomes"]["erased"], 5);
    service.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_without_a_time_that_is_repeated_after_an_erasure_does_not_bring_the_person_back() {
    let service = Service::start().await;
    let lead = json!({"type": "track", "event": "Lead Generated", "userId": "user-erika", "messageId": "repeated",
        "context": {"traits": {"email": EMAIL, "name": "Erika Mustermann"}}});
    service.send(lead.clone()).await;
    service.settled().await;
    let calls = service.crm.calls();
    service.delete(&format!("/api/people?email={EMAIL}")).await;
    service.send(lead).await;
    service.processed().await;
    let status = service.status().await;
    assert_eq!(
        (&status["outcomes"]["queued"], &status["outcomes"]["erased"]),
        (&json!(1), &json!(1)),
        "{status}"
    );
    let held = service.get(&format!("/api/people?email={EMAIL}")).await;
    assert_eq!((&held["people"], &held["contacts"]), (&json!([]), &json!([])), "{held}");
    assert_eq!(service.crm.calls(), calls);
    service.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_is_held_on_a_person_is_shown() {
    let service = with_erika().await;
    let held = service.get("/api/people?userId=user-erika").await;
    let people: Vec<&str> =
        held["people"].as_array().unwrap().iter().map(|person| person["person"].as_str().unwrap()).collect();
    assert_eq!(
        people,
        ["user:user-erika", "email:erika.mustermann@example.com", "email:erika.old@example.com"]
    );
    assert_eq!(
        held["anonymous_ids"],
        json!([{"people": "default", "anonymous_id": "device-erika", "shared": false}])
    );
    let text = held.to_string();
    for said in
        ["Erika Musterfrau", "+4915112345678", "message-of-erika-3", "?e=erika.mustermann%40example.com"]
    {
        assert!(text.contains(said), "{said} is missing: {held:#}");
    }
    let contacts: Vec<&Value> =
        held["contacts"].as_array().unwrap().iter().map(|contact| &contact["email"]).collect();
    assert_eq!(contacts, [EMAIL, "erika.old@example.com"]);
    assert_eq!(held["contacts"][0]["accounts"][0]["accepted"]["mobile_number"], "+4915112345678");
    // The five of hers, and the invitation that counts for her address.
    assert_eq!(held["events"].as_array().unwrap().len(), 6);
    assert!(held["events"].as_array().unwrap().iter().all(|event| event["raw"].is_object()), "{held:#}");
    assert!(!held["deliveries"].as_array().unwrap().is_empty());
    service.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn freshsales_is_told_to_forget_a_contact_by_a_call_that_counts() {
    let service = with_erika().await;
    let calls = service.crm.calls();
    let receipt = service.delete(&format!("/api/people?email={EMAIL}&forget_in_crm=true")).await;
    assert_eq!(receipt["forget_in_crm"]["ordered"], 1, "{receipt}");
    service.crm.called(calls + 1).await;
    let forget = service.crm.call(calls);
    assert_eq!((forget.method.as_str(), forget.path.ends_with("/forget")), ("DELETE", true));
    assert!(service.crm.contact(EMAIL).is_none());
    let used = service.status().await["allowance"]["hour"]["used"].as_u64().unwrap();
    assert_eq!(used, u64::try_from(service.crm.calls()).unwrap());
    service.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forget_that_was_not_answered_is_made_again_after_a_restart() {
    let service = with_erika().await;
    let calls = service.crm.calls();
    service.crm.fault(json!({"status": 500, "times": 1}));
    service.delete(&format!("/api/people?email={EMAIL}&forget_in_crm=true")).await;
    service.crm.called(calls + 1).await;
    assert!(service.crm.contact(EMAIL).is_some());
    let service = service.restart().await;
    service.pass(Duration::from_mins(2));
    service.crm.called(calls + 2).await;
    assert!(service.crm.contact(EMAIL).is_none());
    service.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_silent_for_long_goes_without_a_call_and_a_refusal_stays() {
    let setup =
        Setup::new().with("RETENTION__PERSON_DAYS_MAX", "100").with("RETENTION__ANONYMOUS_DAYS_MAX", "10");
    let service = setup.driven_clock().start().await;
    for event in history() {
        service.send(event).await;
    }
    for mut event in [identify_ann(1), lead_of_ann(1)] {
        event["context"] = json!({"consent": {"categoryPreferences": {"marketing": false}}});
        service.send(event).await;
    }
    service.settled().await;
    let calls = service.crm.calls();
    service.pass(Duration::from_hours(24 * 50));
    eventually("the devices go", async || {
        let held = service.get("/api/people?userId=user-erika").await;
        if held["anonymous_ids"] == json!([]) { Ok(()) } else { Err(held.to_string()) }
    })
    .await;
    let held = service.get("/api/people?userId=user-erika").await;
    assert_eq!(held["contacts"][0]["accounts"][0]["accepted"]["mobile_number"], "+4915112345678");
    assert_eq!(
        held["contacts"][0]["wanted"]["mobile_number"], "+4915112345678",
        "what the device gave stays hers"
    );
    service.pass(Duration::from_hours(24 * 60));
    eventually("Erika goes", async || {
        let held = service.get("/api/people?userId=user-erika").await;
        if held["people"] == json!([]) && held["contacts"] == json!([]) {
            Ok(())
        } else {
            Err(held.to_string())
        }
    })
    .await;
    let ann = service.get("/api/people?userId=ann-1").await;
    assert_eq!(ann["people"][0]["known"]["own"]["traits"], json!([]), "{ann:#}");
    assert_eq!(ann["people"][0]["known"]["own"]["consent"][0]["choice"], "denied", "{ann:#}");
    assert_eq!(service.crm.calls(), calls, "retention makes no call");
    // Ann comes back, and Freshsales is not told that she subscribes.
    service
        .send(json!({"type": "identify", "userId": "ann-1", "traits": {"phone": "+1 (415) 555-0143"}}))
        .await;
    service.settled().await;
    assert_eq!(service.crm.calls(), calls + 1);
    assert!(!service.crm.body(calls).contains("subscription_status"), "{}", service.crm.body(calls));
    service.finish().await;
}
