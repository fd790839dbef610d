//! Whom to believe: a page's key and its forms are anybody's, so nobody who has them changes what a server says of a customer.

use std::time::Duration;

use freshsignal::freshsales::{Timeouts, http_client};
use freshsignal::sandbox::SandboxOptions;
use serde_json::{Value, json};

use crate::support::app::{Service, Setup};
use crate::support::events::{ann, ann_says};
use crate::support::wait::WITHIN;

const SERVER_KEY: &str = "a-key-that-is-in-no-page";
/// How many customers a script knows the addresses of.
const CUSTOMERS: usize = 40;

/// A site whose key and form are a visitor's, and its back end, which knows customers: every other one agreed to marketing.
async fn shop() -> Service {
    let service = Setup::new()
        .sandbox(SandboxOptions::default())
        .with("SOURCES__WEBSITE__TRUST", "visitor")
        .with("SOURCES__WEBSITE__FORM", "true")
        .with("SOURCES__WEBSITE__WITHDRAWALS_PER_HOUR_MAX", "3")
        .with("SOURCES__SERVER__TRUST", "server")
        .with("SOURCES__SERVER__WRITE_KEY", SERVER_KEY)
        .with("ALLOWANCE__PER_HOUR", "100000")
        .with("ALLOWANCE__PER_MINUTE", "100000")
        .start()
        .await;
    let all: Vec<usize> = (0..CUSTOMERS).collect();
    for some in all.chunks(500) {
        by_server(&service, some.iter().map(|nth| customer(*nth)).collect()).await;
    }
    service.settled().await;
    service
}

fn customer(nth: usize) -> Value {
    json!({"type": "track", "event": "Lead Generated", "userId": format!("ann-{nth}"), "messageId": format!("known-{nth}"),
        "context": {"consent": {"marketing": nth.is_multiple_of(2)},
            "traits": {"email": ann(nth), "first_name": "Ann", "last_name": format!("No{nth}"), "phone": "+14155550142"}}})
}

async fn by_server(service: &Service, batch: Vec<Value>) {
    let request = service.post_without_key("/v1/batch").header("x-write-key", SERVER_KEY);
    let answer = request.json(&json!({"batch": batch})).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

fn contacts(service: &Service) -> Vec<Value> {
    (0..CUSTOMERS).map(|nth| service.crm.contact(&ann(nth)).unwrap()).collect()
}

async fn post_form(service: &Service, email: &str) {
    let fields =
        format!("email={email}&first_name=Mallory&last_name=X&phone=%2B14155550143&marketing_opt_in=yes");
    let request = service.post_without_key("/form/website");
    let answer =
        request.header("content-type", "application/x-www-form-urlencoded").body(fields).send().await;
    assert_eq!(answer.unwrap().status(), 200);
}

#[tokio::test]
async fn a_scripted_form_with_harvested_addresses_changes_nobody_and_withdraws_nobody() {
    let service = shop().await;
    let (before, calls) = (contacts(&service), service.crm.calls());
    for nth in 0..CUSTOMERS {
        post_form(&service, &ann(nth)).await;
    }
    service.settled().await;
    assert_eq!(contacts(&service), before);
    assert_eq!(service.crm.calls(), calls, "no call is made for it");
    let events = service.get("/api/events?outcome=unchanged&limit=1").await;
    let id = events["events"][0]["message_id"].as_str().unwrap().to_owned();
    let event = service.get(&format!("/api/events/{id}")).await;
    let words = "said by a visitor of the site; a server said otherwise (sources.website.trust)";
    assert!(event.to_string().contains(words), "{event}");

    // A visitor who is new makes a contact, and fills what is blank of one whom a server knows.
    post_form(&service, "new@example.com").await;
    service.settled().await;
    let made = service.crm.contact("new@example.com").unwrap();
    assert_eq!(
        (&made["first_name"], &made["subscription_status"]),
        (&json!("Mallory"), &json!("subscribed"))
    );
    let city = json!({"type": "track", "event": "Lead Generated", "anonymousId": "d",
        "context": {"traits": {"email": ann(0), "city": "Oslo", "first_name": "Mallory"}}});
    service.send(city).await;
    service.settled().await;
    let filled = service.crm.contact(&ann(0)).unwrap();
    assert_eq!((&filled["city"], &filled["first_name"]), (&json!("Oslo"), &json!("Ann")));
    service.finish().await;
}

/// Somebody else writes a contact into Freshsales.
async fn from_elsewhere(service: &Service, contact: Value) {
    let url = format!("http://{}/crm/sales/api/contacts/upsert", service.crm.address);
    let client = http_client(Timeouts { connect: WITHIN, attempt: WITHIN }).unwrap();
    let body = json!({"unique_identifier": {"emails": contact["emails"]}, "contact": contact});
    let call = client.post(url).header("authorization", "Token token=sandbox-key").json(&body);
    assert!(call.send().await.unwrap().status().is_success());
}

#[tokio::test]
async fn a_visitor_replaces_nothing_that_freshsales_has_from_elsewhere_and_undoes_no_refusal_there() {
    let setup =
        Setup::new().with("SOURCES__WEBSITE__TRUST", "visitor").with("SOURCES__WEBSITE__FORM", "true");
    let service = setup.with("SOURCES__SERVER__WRITE_KEY", SERVER_KEY).start().await;
    let there = json!({"emails": ann(0), "first_name": "Ann", "last_name": "Real", "mobile_number": "+14155550100",
        "subscription_status": "unsubscribed"});
    from_elsewhere(&service, there).await;
    // A server knows her, and says nothing of phone and consent.
    let known = json!({"type": "track", "event": "Signed Up", "userId": "ann-0", "messageId": "known",
        "context": {"traits": {"email": ann(0), "last_name": "Real"}}});
    by_server(&service, vec![known]).await;
    service.settled().await;
    let before = service.crm.contact(&ann(0)).unwrap();
    post_form(&service, &ann(0)).await;
    service.settled().await;
    assert_eq!(service.crm.contact(&ann(0)).unwrap(), before);
    let shown = service.get(&format!("/api/contacts/{}", ann(0))).await.to_string();
    assert!(shown.contains("Freshsales has a value from elsewhere (sources.*.trust)"), "{shown}");
    assert!(shown.contains("what a visitor agreed to since does not undo what a server said"), "{shown}");

    // What is blank there is filled, and what a server says goes.
    let city = json!({"type": "track", "event": "Lead Generated", "anonymousId": "d", "messageId": "city",
        "context": {"traits": {"email": ann(0), "city": "Oslo"}}});
    service.send(city).await;
    let phone = json!({"phone": "+14155550177"});
    by_server(&service, vec![ann_says(0, "moved", &phone)]).await;
    service.settled().await;
    let after = service.crm.contact(&ann(0)).unwrap();
    assert_eq!((&after["city"], &after["mobile_number"]), (&json!("Oslo"), &json!("+14155550177")));
    assert_eq!(after["subscription_status"], "unsubscribed");
    service.finish().await;
}

#[tokio::test]
async fn a_visitor_replaces_nothing_of_somebody_whom_freshsales_alone_knows() {
    let setup = Setup::new().with("SOURCES__WEBSITE__FORM", "true");
    let service = setup.with("CONSENT__SUBSCRIBED", "1").with("CONSENT__UNSUBSCRIBED", "0").start().await;
    let there = json!({"emails": ann(0), "last_name": "Real", "subscription_status": "0"});
    from_elsewhere(&service, there).await;
    let before = service.crm.calls();
    post_form(&service, &ann(0)).await;
    service.settled().await;
    let after = service.crm.contact(&ann(0)).unwrap();
    assert_eq!(
        (&after["subscription_status"], &after["last_name"]),
        (&json!("0"), &json!("Real")),
        "{after}"
    );
    // What was blank there is filled: one call to ask, one to tell.
    assert_eq!((&after["first_name"], service.crm.calls()), (&json!("Mallory"), before + 2));
    // Of somebody who is new it is told, as this account does not say it by itself in these words.
    post_form(&service, "new@example.com").await;
    service.settled().await;
    assert_eq!(service.crm.contact("new@example.com").unwrap()["subscription_status"], 1);
    assert_eq!(service.crm.calls(), before + 4);
    service.finish().await;
}

#[tokio::test]
async fn a_thousand_robots_make_no_contact_and_leave_a_lead_its_place() {
    const ROBOTS: usize = 1_000;
    // What a form may by itself: 300 posts a minute, 200 new contacts an hour.
    let service = Setup::new().with("SOURCES__WEBSITE__FORM", "true").start().await;
    let post = async |fields: String| {
        let request = service.post_without_key("/form/website");
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(fields);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, thanks) = post("email=robot@example.com&last_name=R&_gotcha=x".to_owned()).await;
    assert_eq!(status, 200);
    for nth in 1..ROBOTS {
        let answer = post(format!("email=robot-{nth}@example.com&last_name=R&_gotcha=x")).await;
        assert_eq!(answer, (200, thanks.clone()), "a robot learns nothing");
    }
    assert_eq!(post("email=jane@example.com&name=Jane+Doe&_gotcha=".to_owned()).await, (200, thanks));
    service.settled().await;
    assert_eq!(service.crm.contact("jane@example.com").unwrap()["last_name"], "Doe");
    // One call asks whether she is there, one tells.
    assert_eq!(service.crm.calls(), 2, "no call is made for a robot");
    let refused = service.get("/api/events?outcome=rejected&limit=1").await;
    assert_eq!(refused["events"][0]["code"], "robot", "{refused}");
    assert!(!refused.to_string().contains("example.com"), "nothing of it is kept: {refused}");
    service.finish().await;
}

fn refuses(nth: usize, user: Option<&str>) -> Value {
    json!({"type": "identify", "userId": user, "messageId": format!("refused-{nth}-{user:?}"),
        "context": {"consent": {"marketing": false}}, "traits": {"email": ann(nth)}})
}

fn withdrawn(service: &Service) -> usize {
    let status = |contact: &Value| contact["subscription_status"] == "unsubscribed";
    // Every other one had refused before.
    contacts(service).iter().filter(|contact| status(contact)).count() - CUSTOMERS / 2
}

#[tokio::test]
async fn refusals_of_whoever_names_an_address_are_bounded_and_all_others_go_at_once() {
    let service = shop().await;
    service.send_all((0..CUSTOMERS).map(|nth| refuses(nth, None)).collect()).await;
    let rest = CUSTOMERS / 2 - 3;
    service
        .until("the others wait", |status| {
            status["open"]["waiting"] == rest && status["open"]["in_flight"] == 0
        })
        .await;
    assert_eq!(withdrawn(&service), 3);
    let status = service.status().await;
    assert_eq!(status["withdrawals"]["website"]["used"], 3, "{status}");
    let risk = status["risks"].as_array().unwrap().iter().find(|risk| risk["risk"] == "withdrawals_wait");
    assert!(risk.is_some_and(|risk| {
        risk["message"].as_str().unwrap().contains(&format!("{rest} of source website"))
    }));
    let waits = |service: &Service, nth: &usize| {
        let contact = service.crm.contact(&ann(*nth)).unwrap();
        contact["subscription_status"] == "subscribed"
    };
    let held: Vec<usize> = (0..CUSTOMERS).filter(|nth| waits(&service, nth)).collect();
    let why = service.get(&format!("/api/contacts/{}", ann(held[0]))).await["why"].clone();
    assert!(why.as_str().unwrap().contains("sources.website.withdrawals_per_hour_max"), "{why}");

    // Whatever else is owed to those who wait is sent, without the refusal.
    by_server(&service, vec![ann_says(held[0], "moved", &json!({"city": "Rome"}))]).await;
    let address = ann(held[0]);
    service.until("the city is there", |_| service.crm.contact(&address).unwrap()["city"] == "Rome").await;
    assert!(waits(&service, &held[0]));

    // A server's withdrawal goes at once, and so does one of somebody on their own device.
    by_server(&service, vec![refuses(held[1], Some(&format!("ann-{}", held[1])))]).await;
    service.send(refuses(held[2], Some(&format!("ann-{}", held[2])))).await;
    service.until("both are told", |_| !waits(&service, &held[1]) && !waits(&service, &held[2])).await;
    assert_eq!(withdrawn(&service), 5);
    // None is lost: a restart keeps what waits.
    let service = service.restart().await;
    service.processed().await;
    assert_eq!(service.status().await["open"]["waiting"], rest - 2);
    service.check_books().await;
    service.finish().await;
}

#[tokio::test]
async fn an_hour_later_the_next_refusals_leave() {
    let setup = Setup::new().driven_clock().with("SOURCES__WEBSITE__TRUST", "visitor");
    let setup = setup.with("SOURCES__WEBSITE__WITHDRAWALS_PER_HOUR_MAX", "1");
    let service = setup.with("SOURCES__SERVER__WRITE_KEY", SERVER_KEY).start().await;
    by_server(&service, [0, 2].map(customer).to_vec()).await;
    service.settled().await;
    service.pass(Duration::from_secs(1));
    service.send_all([0, 2].map(|nth| refuses(nth, None)).to_vec()).await;
    service.open("waiting", 1).await;
    service.crm.called(3).await;
    service.pass(Duration::from_mins(61));
    service.settled().await;
    for nth in [0, 2] {
        assert_eq!(service.crm.contact(&ann(nth)).unwrap()["subscription_status"], "unsubscribed");
    }
    service.finish().await;
}
