//! The way back: what people and other systems change in Freshsales is heard by its webhooks, and not overruled by who repeats
//! themselves.

use freshsignal::sandbox::ChangeHook;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{Service, Setup, said, sum};
use crate::support::wait::eventually;

const TOKEN: &str = "a token of a workflow, long enough to be one";
const ANN: &str = "ann@example.com";
const OLD: &str = "+14155550142";
const REP: &str = "+14155550199";
const NEW: &str = "+14155550177";

/// A service that hears Freshsales.
fn hearing() -> Setup {
    let hook = [("KIND", "freshsales"), ("SOURCE", "website"), ("SECRET", TOKEN)];
    let with =
        |setup: Setup, (key, value): (&str, &str)| setup.with(&format!("HOOKS__FRESHSALES__{key}"), value);
    hook.into_iter().fold(Setup::new(), with)
}

/// Workflows of the account tell the service of each change.
fn tell(service: &Service) {
    let url = format!("{}/hooks/freshsales", service.public_url());
    service.crm.sandbox.tell_changes_to(ChangeHook { url, token: TOKEN.to_owned() });
}

fn traits(phone: &str) -> Value {
    json!({"email": ANN, "first_name": "Ann", "phone": phone})
}

fn lead(phone: &str) -> Value {
    json!({"type": "track", "event": "Lead Generated", "userId": "ann", "context": {"traits": traits(phone)}})
}

fn identify(phone: &str) -> Value {
    json!({"type": "identify", "userId": "ann", "traits": traits(phone)})
}

/// Somebody changes the contact in Freshsales, or another system does.
async fn change(service: &Service, change: Value) {
    let id = service.crm.sandbox.contact(ANN).unwrap()["id"].clone();
    let url = format!("http://{}/crm/sales/api/contacts/{id}", service.crm.address);
    let call = service.client.request(Method::PUT, url).header("Authorization", "Token token=sandbox-key");
    let answer = call.json(&json!({ "contact": change })).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

/// Ends when every change was told, has taken effect, and nothing is owed.
async fn heard(service: &Service) {
    eventually("every change is heard", async || {
        let (changes, told) = service.crm.sandbox.changes_told();
        let status = service.status().await;
        let settled = changes == told && status["journal_lag_events"] == 0 && sum(&status["owed"]) == 0;
        if settled { Ok(()) } else { Err(format!("{told} of {changes}: {status}")) }
    })
    .await;
}

/// How many calls wrote a contact, others' left out.
fn writes(service: &Service) -> usize {
    service.crm.sandbox.requests().iter().filter(|call| call.path.contains("/contacts/upsert")).count()
}

fn phone(service: &Service) -> Value {
    service.crm.contact(ANN).unwrap()["mobile_number"].clone()
}

/// The outcomes of what Freshsales said, oldest first.
async fn outcomes(service: &Service) -> Vec<String> {
    let shown = service.get("/api/events?event=Freshsales%20contact&limit=500").await;
    let outcomes = shown["events"].as_array().unwrap().iter();
    outcomes.rev().map(|event| event["outcome"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_phone_that_somebody_corrected_stays_after_a_thousand_repeated_traits_and_a_new_one_wins() {
    let service = hearing().start().await;
    tell(&service);
    service.send(lead(OLD)).await;
    heard(&service).await;
    assert_eq!((outcomes(&service).await, writes(&service)), (vec!["echo".to_owned()], 1), "our own write");
    change(&service, json!({"mobile_number": "+1 (415) 555-0199"})).await;
    heard(&service).await;
    assert_eq!(outcomes(&service).await, ["echo", "heard"]);
    service.send_all((0..1000).map(|_| identify(OLD)).collect()).await;
    service.send(lead(OLD)).await;
    heard(&service).await;
    assert_eq!((phone(&service), writes(&service)), (json!("+1 (415) 555-0199"), 1));
    let service = service.restart().await;
    tell(&service);
    service.send(identify(REP)).await;
    service.send(identify(OLD)).await;
    heard(&service).await;
    assert_eq!((phone(&service), writes(&service)), (json!("+1 (415) 555-0199"), 1));
    service.send(identify(NEW)).await;
    heard(&service).await;
    assert_eq!((phone(&service), writes(&service)), (json!(NEW), 2));
    let shown = service.get(&format!("/api/contacts/{ANN}")).await;
    assert_eq!(shown["heard"], json!({}), "{shown}");
    service.finish().await;
}

#[tokio::test]
async fn whoever_unsubscribes_in_freshsales_costs_no_call_and_stays_so_until_they_say_yes_later() {
    let service = hearing().start().await;
    tell(&service);
    let yes = || {
        let mut yes = lead(OLD);
        yes["context"]["consent"] = json!({"marketing": true});
        yes
    };
    let status = |service: &Service| service.crm.contact(ANN).unwrap()["subscription_status"].clone();
    service.send(yes()).await;
    heard(&service).await;
    change(&service, json!({"subscription_status": "unsubscribed"})).await;
    heard(&service).await;
    let mut before = yes();
    before["timestamp"] = json!("2026-01-01T10:00:00Z");
    service.send(before.clone()).await;
    let service = service.restart().await;
    tell(&service);
    before["messageId"] = json!("again");
    service.send(before).await;
    change(&service, json!({"city": "Oslo"})).await;
    heard(&service).await;
    assert_eq!((status(&service), writes(&service)), (json!("unsubscribed"), 1));
    service.send(yes()).await;
    heard(&service).await;
    assert_eq!((status(&service), writes(&service)), (json!("subscribed"), 2));
    service.finish().await;
}

#[tokio::test]
async fn two_services_that_write_the_same_contact_and_hear_each_other_stop() {
    let one = hearing().start().await;
    let base_url = format!("http://{}", one.crm.address);
    let other = hearing().with("FRESHSALES__BASE_URL", &base_url).start().await;
    tell(&one);
    let url = format!("{}/hooks/freshsales", other.public_url());
    one.crm.sandbox.tell_changes_to(ChangeHook { url, token: TOKEN.to_owned() });
    one.send(lead(OLD)).await;
    heard(&one).await;
    other.send(lead(NEW)).await;
    other.settled().await;
    heard(&one).await;
    other.processed().await;
    for _ in 0..3 {
        one.send(identify(OLD)).await;
        other.send(identify(NEW)).await;
        heard(&one).await;
        other.settled().await;
    }
    assert_eq!((phone(&one), writes(&one)), (json!(NEW), 2), "each said it once");
    other.finish().await;
    one.finish().await;
}

#[tokio::test]
async fn what_somebody_said_before_they_refused_in_freshsales_subscribes_them_no_more() {
    let service = hearing().start().await;
    let agrees = |id: &str, at: &str| {
        let mut yes = lead(OLD);
        (yes["messageId"], yes["timestamp"]) = (json!(id), json!(at));
        yes["context"]["consent"] = json!({"marketing": true});
        yes
    };
    let says = async |service: &Service, status: &str, at: &str| {
        let body = json!({"kind": "contact", "email": ANN, "subscription_status": status, "updated_at": at});
        let call =
            service.post_without_key("/hooks/freshsales").header("Authorization", format!("Token {TOKEN}"));
        assert_eq!(said(call.json(&body)).await.0, 200);
    };
    let status = |service: &Service| service.crm.contact(ANN).unwrap()["subscription_status"].clone();
    service.send(agrees("one", "2026-02-01T10:00:00Z")).await;
    service.settled().await;
    change(&service, json!({"subscription_status": "unsubscribed"})).await;
    says(&service, "Unsubscribed", "2026-02-02T10:00:00Z").await;
    // What is said of others, what is not filled, and a yes from before change nothing.
    says(&service, "Subscribed", "2026-02-03T10:00:00Z").await;
    says(&service, "{{status}}", "{{at}}").await;
    service.send(agrees("two", "2026-02-02T09:00:00Z")).await;
    service.settled().await;
    assert_eq!((status(&service), writes(&service)), (json!("unsubscribed"), 1));
    let service = service.restart().await;
    service.send(agrees("three", "2026-02-04T10:00:00Z")).await;
    service.settled().await;
    assert_eq!((status(&service), writes(&service)), (json!("subscribed"), 2));
    service.finish().await;
}

#[tokio::test]
async fn what_an_answer_of_ours_shows_is_heard_too() {
    let service = Service::start().await;
    service.send(lead(OLD)).await;
    service.settled().await;
    change(&service, json!({"mobile_number": REP, "subscription_status": "unsubscribed"})).await;
    let mut moved = lead(OLD);
    moved["context"]["traits"]["city"] = json!("Oslo");
    service.send(moved.clone()).await;
    service.settled().await;
    let shown = service.get(&format!("/api/contacts/{ANN}")).await;
    assert_eq!(shown["heard"]["mobile_number"]["value"], REP, "{shown}");
    assert_eq!(shown["last_said"]["mobile_number"]["by"], "freshsales");
    assert_eq!(shown["last_said"]["city"]["by"], "person");
    assert_eq!(shown["wanted"]["subscription_status"], "unsubscribed", "{shown}");
    // A yes from before does not count.
    let mut before = lead(OLD);
    (before["timestamp"], before["context"]["consent"]) =
        (json!("2026-01-01T10:00:00Z"), json!({"marketing": true}));
    service.send(before).await;
    service.settled().await;
    let contact = service.crm.contact(ANN).unwrap();
    assert_eq!(
        (&contact["mobile_number"], &contact["subscription_status"]),
        (&json!(REP), &json!("unsubscribed"))
    );
    service.finish().await;
}

#[tokio::test]
async fn a_contact_that_is_named_by_its_id_alone_is_known_by_it_after_a_restart_too() {
    let service = hearing().start().await;
    service.send(lead(OLD)).await;
    service.settled().await;
    let id = service.crm.sandbox.contact(ANN).unwrap()["id"].clone();
    let service = service.restart().await;
    let says = async |body: Value| {
        let call = service.post_without_key("/hooks/freshsales").header("X-Freshsignal-Token", TOKEN);
        assert_eq!(said(call.json(&body)).await.0, 200);
        service.processed().await;
    };
    says(json!({"event": "list.add_contact", "data": {"event_details": {"contact_id": id}, "custom_data": {"city": "Oslo"}}})).await;
    says(json!({"contact": {"id": id, "mobile_number": REP}})).await;
    says(json!({"contact": {"id": 7, "mobile_number": REP}})).await;
    assert_eq!(outcomes(&service).await, ["heard", "heard", "unknown_record"]);
    let shown = service.get(&format!("/api/contacts/{ANN}")).await;
    assert_eq!(
        (&shown["heard"]["mobile_number"]["value"], &shown["heard"]["city"]["value"]),
        (&json!(REP), &json!("Oslo"))
    );
    service.finish().await;
}

#[tokio::test]
async fn where_hooks_are_verified_a_forged_one_changes_nothing_and_a_true_one_is_looked_up() {
    let service = hearing().with("HOOKS__FRESHSALES__VERIFY", "true").start().await;
    service.send(lead(OLD)).await;
    service.settled().await;
    let forged =
        json!({"kind": "contact", "email": ANN, "mobile_number": NEW, "subscription_status": "unsubscribed"});
    let says = async |body: &Value| {
        let call = service.post_without_key("/hooks/freshsales").header("X-Freshsignal-Token", TOKEN);
        assert_eq!(said(call.json(body)).await.0, 200);
        service.settled().await;
    };
    says(&forged).await;
    let shown = service.get(&format!("/api/contacts/{ANN}")).await;
    assert_eq!((&shown["heard"], &shown["wanted"]["subscription_status"]), (&json!({}), &Value::Null));
    change(&service, json!({"mobile_number": REP, "subscription_status": "unsubscribed"})).await;
    says(&json!({"kind": "contact", "email": ANN, "mobile_number": "what it says does not matter"})).await;
    let shown = service.get(&format!("/api/contacts/{ANN}")).await;
    assert_eq!(shown["heard"]["mobile_number"]["value"], REP, "{shown}");
    assert_eq!(shown["wanted"]["subscription_status"], "unsubscribed", "{shown}");
    let questions = service.crm.sandbox.requests().into_iter();
    let questions = questions.filter(|call| call.method == "GET" && call.path.contains("/contacts/"));
    assert_eq!((questions.count(), writes(&service)), (2, 1), "a question each, and nothing is written");
    assert_eq!(outcomes(&service).await, ["heard", "heard"]);
    service.finish().await;
}
