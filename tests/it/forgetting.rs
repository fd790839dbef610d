//! Forgetting in Freshsales whose id was never answered: the address is looked up, for as long as it takes and no longer,
//! and nothing of it stays behind.

use std::fs;
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::app::{Service, Setup, said};
use crate::support::events::{identify_sam, lead_of_sam};
use crate::support::wait::eventually;

const EMAIL: &str = "sam.lee@example.com";
const LOOK_UP: &str = "/crm/sales/api/lookup?q=sam.lee%40example.com&f=email&entities=contact";
const NOBODY: &str = r#"{"contacts":{"contacts":[]}}"#;

/// A service whose Freshsales has Sam, and has not said by which id.
async fn with_sam(setup: Setup) -> Service {
    let service = setup.driven_clock().start().await;
    service.crm.fault(json!({"body": {}, "apply": true, "path": "/upsert"}));
    service.send(identify_sam()).await;
    service.send(lead_of_sam()).await;
    service.settled().await;
    assert_eq!(service.get(&format!("/api/contacts/{EMAIL}")).await["contact_id"], Value::Null);
    service
}

/// Orders the erasure; it may take time that the test has to let pass.
fn erase(service: &Service, forget: bool) -> JoinHandle<(StatusCode, Value)> {
    tokio::spawn(said(service.private_delete(&format!("/api/people?email={EMAIL}&forget_in_crm={forget}"))))
}

/// How far the erasure is; null before it was ordered.
async fn erasure(service: &Service) -> Value {
    let (status, shown) = said(service.private("/api/erasures/1")).await;
    if status == StatusCode::OK { shown } else { Value::Null }
}

/// The calls that were made since so many, as `METHOD path`.
fn calls_since(service: &Service, calls: usize) -> Vec<String> {
    let requests = service.crm.sandbox.requests();
    requests[calls..].iter().map(|call| format!("{} {}", call.method, call.path)).collect()
}

/// Lets seconds pass until something is so.
async fn pass_until(service: &Service, what: &str, so: impl Fn(&Value) -> bool) -> Value {
    eventually(what, async || {
        service.pass(Duration::from_secs(1));
        let now = erasure(service).await;
        if so(&now) { Ok(now) } else { Err(now.to_string()) }
    })
    .await
}

async fn done(service: &Service) -> Value {
    let done = pass_until(service, "the erasure is done", |it| it["done"] == true).await;
    assert_eq!(traces(service), Vec::<String>::new());
    done
}

/// Files of the data folder in which Sam's address or id stands.
fn traces(service: &Service) -> Vec<String> {
    let mut found = Vec::new();
    for file in fs::read_dir(service.data_folder()).unwrap() {
        let path = file.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let stands = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        if ["sam.lee", "user-456", "5550142"].into_iter().any(stands) {
            found.push(path.display().to_string());
        }
    }
    found
}

fn forgotten(ordered: u64, waiting: u64, forgotten: u64, not_found: u64, unclear: u64) -> Value {
    json!({"ordered": ordered, "waiting": waiting, "forgotten": forgotten, "deleted": 0, "not_found": not_found, "unclear": unclear})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contact_without_an_id_is_looked_up_and_forgotten_by_calls_that_count() {
    let service = with_sam(Setup::new()).await;
    let calls = service.crm.calls();
    let (status, receipt) = erase(&service, true).await.unwrap();
    assert_eq!((status, &receipt["done"]), (StatusCode::OK, &json!(true)), "{receipt}");
    assert_eq!(traces(&service), Vec::<String>::new());
    let made = calls_since(&service, calls);
    assert_eq!(made[0], format!("GET {LOOK_UP}"));
    service.crm.called(calls + 2).await;
    assert!(service.crm.call(calls + 1).path.ends_with("/forget"));
    assert!(service.crm.contact(EMAIL).is_none());
    let end = pass_until(&service, "it is forgotten", |it| it["forget_in_crm"]["waiting"] == 0).await;
    assert_eq!(end["forget_in_crm"], forgotten(1, 0, 1, 0, 0));
    let used = service.status().await["allowance"]["hour"]["used"].as_u64().unwrap();
    assert_eq!(used, u64::try_from(service.crm.calls()).unwrap());
    service.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_found_at_once_is_looked_up_again_over_a_restart_and_comes_back_to_nothing_before() {
    let service = with_sam(Setup::new()).await;
    let calls = service.crm.calls();
    service.crm.fault(json!({"body": NOBODY, "path": "lookup", "times": 2}));
    let answer = erase(&service, true);
    service.crm.called(calls + 1).await;
    pass_until(&service, "the answer comes", |_| answer.is_finished()).await;
    let (status, receipt) = answer.await.unwrap();
    assert_eq!((status, &receipt["done"]), (StatusCode::ACCEPTED, &json!(false)), "{receipt}");
    assert_eq!(receipt["forget_in_crm"], forgotten(1, 1, 0, 0, 0));
    let message = receipt["message"].as_str().unwrap();
    assert!(message.contains("is looked up again after 1, 5 and 25 minutes"), "{message}");
    assert!(!traces(&service).is_empty(), "it is still asked for");

    // What Sam says from now on waits, so that it is not forgotten with what was before.
    let mut identify = identify_sam();
    identify["messageId"] = json!("anew-1");
    let mut lead = lead_of_sam();
    lead["messageId"] = json!("anew-2");
    service.send(identify).await;
    service.send(lead).await;
    service.processed().await;
    let service = service.restart().await;
    let why = service.get(&format!("/api/contacts/{EMAIL}")).await["why"].clone();
    assert!(why.as_str().unwrap().starts_with("waiting for Freshsales to delete an erased person"), "{why}");
    assert_eq!(calls_since(&service, calls), [format!("GET {LOOK_UP}")]);

    pass_until(&service, "it is done", |it| it["forget_in_crm"]["forgotten"] == 1).await;
    service.settled().await;
    let made = calls_since(&service, calls);
    let look_up = format!("GET {LOOK_UP}");
    assert_eq!(made[..3], [look_up.clone(), look_up.clone(), look_up]);
    assert!(made[3].starts_with("DELETE "), "{made:?}");
    assert_eq!(made[4..], ["POST /crm/sales/api/contacts/upsert"]);
    let at = |nth: usize| service.crm.call(calls + nth).at;
    let waits = [at(1).since(at(0)).as_secs(), at(2).since(at(1)).as_secs()];
    assert!((60..70).contains(&waits[0]) && (300..310).contains(&waits[1]), "{waits:?}");
    assert!(service.crm.contact(EMAIL).is_some(), "who is here now came after");
    service.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_freshsales_does_not_know_is_given_up_and_the_receipt_says_so() {
    let service = with_sam(Setup::new()).await;
    let calls = service.crm.calls();
    service.crm.fault(json!({"body": NOBODY, "path": "lookup", "times": 9}));
    let answer = erase(&service, true);
    service.crm.called(calls + 1).await;
    assert_eq!(done(&service).await["forget_in_crm"], forgotten(1, 0, 0, 1, 0));
    answer.await.unwrap();
    assert_eq!(calls_since(&service, calls), vec![format!("GET {LOOK_UP}"); 4]);
    service.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_it_is_not_clear_who_it_is_nobody_is_forgotten_and_the_receipt_says_so() {
    let two = json!({"contacts": {"contacts": [{"id": 1, "email": EMAIL}, {"id": 2, "email": EMAIL}]}});
    let other = json!({"contacts": {"contacts": [{"id": 1, "email": "sam.lee@example.org", "emails": [{"value": EMAIL}]}]}});
    for (found, times) in [(two, 1), (other, 4)] {
        let service = with_sam(Setup::new()).await;
        let calls = service.crm.calls();
        service.crm.fault(json!({"body": found, "path": "lookup", "times": 9}));
        let answer = erase(&service, true);
        service.crm.called(calls + 1).await;
        assert_eq!(done(&service).await["forget_in_crm"], forgotten(1, 0, 0, 0, 1));
        answer.await.unwrap();
        assert_eq!(calls_since(&service, calls), vec![format!("GET {LOOK_UP}"); times]);
        service.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_up_that_goes_wrong_is_made_again() {
    for fault in [
        json!({"status": 429, "retry_after": 90, "body": {"message": format!("too many for {EMAIL}")}, "path": "lookup"}),
        json!({"status": 401, "path": "lookup"}),
        json!({"status": 403, "path": "lookup"}),
        json!({"status": 503, "path": "lookup"}),
        json!({"status": 200, "html": true, "path": "lookup"}),
        json!({"reset": true, "path": "lookup"}),
    ] {
        let service = with_sam(Setup::new()).await;
        let calls = service.crm.calls();
        service.crm.fault(fault.clone());
        let answer = erase(&service, true);
        service.crm.called(calls + 1).await;
        assert_eq!(done(&service).await["forget_in_crm"]["not_found"], 0, "{fault}");
        answer.await.unwrap();
        service.crm.called(calls + 3).await;
        assert!(service.crm.contact(EMAIL).is_none(), "{fault}");
        let waited = service.crm.call(calls + 1).at.since(service.crm.call(calls).at);
        assert!(waited >= Duration::from_mins(1), "{fault}: {waited:?}");
        service.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn between_the_look_up_and_the_forget_the_address_is_gone_already() {
    let service = with_sam(Setup::new()).await;
    let calls = service.crm.calls();
    service.crm.fault(json!({"status": 503, "path": "/forget"}));
    let (status, receipt) = erase(&service, true).await.unwrap();
    assert_eq!((status, &receipt["done"]), (StatusCode::OK, &json!(true)), "{receipt}");
    assert_eq!(traces(&service), Vec::<String>::new());
    service.crm.called(calls + 2).await;
    assert!(service.crm.contact(EMAIL).is_some());
    let service = service.restart().await;
    let end = pass_until(&service, "it is forgotten", |it| it["forget_in_crm"]["forgotten"] == 1).await;
    assert_eq!(end["forget_in_crm"], forgotten(1, 0, 1, 0, 0));
    assert!(service.crm.contact(EMAIL).is_none());
    assert_eq!(calls_since(&service, calls).len(), 3, "who was found is not looked up again");
    service.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_may_have_written_the_contact_is_waited_for_and_the_contact_looked_up() {
    let service = Setup::new().driven_clock().start().await;
    service.crm.fault(json!({"status": 502, "apply": true, "delay_ms": 5_000}));
    service.send(identify_sam()).await;
    service.send(lead_of_sam()).await;
    service.crm.called(1).await;
    let answer = erase(&service, true);
    pass_until(&service, "it begins", |it| it["forget_in_crm"]["ordered"] == 1).await;
    assert!(done(&service).await["erased"]["deliveries"] == 1);
    answer.await.unwrap();
    service.crm.called(3).await;
    let made = calls_since(&service, 1);
    assert_eq!(made[0], format!("GET {LOOK_UP}"));
    assert!(service.crm.contact(EMAIL).is_none());
    service.finish().await;
}

/// A service with Sam and others in a bulk call whose job has not reported.
async fn with_sam_in_a_bulk_call() -> Service {
    let setup = Setup::new().with("BULK__MODE", "backlog").with("BULK__BACKLOG_CONTACTS_MIN", "20");
    let service = setup.driven_clock().start().await;
    service.crm.fault(json!({"body": {"status": "QUEUED"}, "path": "job_statuses", "times": 6}));
    let import = |email: String| {
        json!({"type": "track", "event": "Signed Up", "userId": format!("user of {email}"),
            "context": {"backfill": true, "traits": {"email": email, "name": "Jo Bo"}}})
    };
    // All of them in one batch of processing, so that they leave together.
    let others = (0..25).map(|nth| format!("other-{nth}@example.com"));
    service.send_all(others.chain([EMAIL.to_owned()]).map(import).collect()).await;
    service.processed().await;
    eventually("Sam is in a bulk call", async || {
        service.pass(Duration::from_millis(20));
        let bulk =
            service.crm.sandbox.requests().into_iter().filter(|call| call.path.contains("bulk_upsert"));
        let carries = |body: &[u8]| String::from_utf8_lossy(body).contains(EMAIL);
        if bulk.into_iter().any(|call| carries(&call.body)) { Ok(()) } else { Err(String::new()) }
    })
    .await;
    service
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_in_a_bulk_call_is_forgotten_after_its_job_has_ended() {
    for forget in [true, false] {
        let service = with_sam_in_a_bulk_call().await;
        let calls = service.crm.calls();
        let answer = erase(&service, forget);
        let end = done(&service).await;
        answer.await.unwrap();
        let counts = if forget { forgotten(1, 0, 1, 0, 0) } else { forgotten(0, 0, 0, 0, 0) };
        if forget {
            let end = pass_until(&service, "it is forgotten", |it| it["forget_in_crm"]["waiting"] == 0).await;
            assert_eq!(end["forget_in_crm"], counts);
        } else {
            assert_eq!(end["forget_in_crm"], counts);
        }
        let made = calls_since(&service, calls);
        let last_of_job = made.iter().rposition(|call| call.contains("job_statuses")).unwrap();
        let look_up = made.iter().position(|call| *call == format!("GET {LOOK_UP}"));
        assert_eq!(look_up.is_some(), forget);
        assert!(look_up.is_none_or(|nth| nth > last_of_job), "{made:?}");
        assert_eq!(service.crm.contact(EMAIL).is_none(), forget);
        service.settled().await;
        service.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawal_waits_for_the_bulk_call_that_may_write_over_it_and_says_until_when() {
    let service = with_sam_in_a_bulk_call().await;
    let calls = service.crm.calls();
    let withdrawal = json!({"type": "identify", "userId": format!("user of {EMAIL}"),
        "context": {"consent": {"categoryPreferences": {"marketing": false}}}});
    let sent_at = service.now();
    service.send(withdrawal).await;
    service.processed().await;
    let why = service.get(&format!("/api/contacts/{EMAIL}")).await["why"].as_str().unwrap().to_owned();
    let by = sent_at.plus(Duration::from_mins(5)).to_rfc3339();
    let words = "a bulk call carries this contact, and its job has not reported yet; the withdrawal is sent once it has, at about ";
    assert!(why.starts_with(words), "{why}");
    assert!(why.contains(&by[..18]), "{why}: {by}");
    eventually("the withdrawal leaves", async || {
        service.pass(Duration::from_secs(1));
        let made = calls_since(&service, calls);
        if made.iter().any(|call| call.contains("contacts/upsert")) {
            Ok(())
        } else {
            Err(format!("{made:?}"))
        }
    })
    .await;
    let requests = service.crm.sandbox.requests();
    let unsubscribed = requests.last().unwrap();
    assert!(String::from_utf8_lossy(&unsubscribed.body).contains("unsubscribed"));
    service.settled().await;
    service.finish().await;
}

#[tokio::test]
async fn who_was_erased_here_before_is_looked_for_there_and_whom_nobody_has_is_said_to_be_nobody() {
    let service = Setup::new().driven_clock().start().await;
    service.send(identify_sam()).await;
    service.send(lead_of_sam()).await;
    service.settled().await;
    let erase = async |forget: bool| {
        said(service.private_delete(&format!("/api/people?email={EMAIL}&forget_in_crm={forget}"))).await
    };
    let (status, here) = erase(false).await;
    assert_eq!(
        (status, &here["done"], &here["message"]),
        (StatusCode::OK, &json!(true), &Value::Null),
        "{here}"
    );
    assert!(service.crm.contact(EMAIL).is_some(), "it was not asked for there");

    let before = service.crm.calls();
    let order =
        tokio::spawn(said(service.private_delete(&format!("/api/people?email={EMAIL}&forget_in_crm=true"))));
    eventually("the contact is forgotten", async || {
        service.pass(Duration::from_secs(1));
        if service.crm.contact(EMAIL).is_none() { Ok(()) } else { Err("it is there".to_owned()) }
    })
    .await;
    let found = eventually("the erasure is done", async || {
        service.pass(Duration::from_secs(1));
        let (_, shown) = said(service.private("/api/erasures/2")).await;
        if shown["done"] == true { Ok(shown) } else { Err(shown.to_string()) }
    })
    .await;
    assert_eq!(
        (&found["forget_in_crm"]["ordered"], &found["forget_in_crm"]["forgotten"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(found["message"], Value::Null);
    assert_eq!(calls_since(&service, before).len(), 2, "a look-up and the order");
    order.await.unwrap();

    let (_, nobody) = said(service.private_delete("/api/people?email=nobody@example.com")).await;
    assert!(nobody["message"].as_str().unwrap().starts_with("nobody was found"), "{nobody}");
    service.finish().await;
}
