//! One contact or event that can't be processed stops no other.

mod calls;

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::app::{Service, Setup};
use crate::support::events::{ann, identify_ann, lead_of_ann};
use crate::support::wait::eventually;

/// Makes a stored document unreadable, as a damaged disk might.
fn damage(service: &Service, sql: &str) {
    let file = rusqlite::Connection::open(service.data_folder().join("state.db")).unwrap();
    assert_eq!(file.execute(sql, ()).unwrap(), 1);
}

fn risks(status: &Value) -> Vec<&str> {
    status["risks"].as_array().unwrap().iter().filter_map(|risk| risk["risk"].as_str()).collect()
}

#[tokio::test]
async fn a_contact_that_cannot_be_read_leaves_all_others_their_calls_and_is_an_alarm() {
    let service = Service::start().await;
    service.order("/api/pause", json!({})).await;
    service.send_all((0..5).flat_map(|nth| [identify_ann(nth), lead_of_ann(nth)]).collect()).await;
    service.processed().await;
    damage(&service, &format!("UPDATE contacts SET body = '{{' WHERE email = '{}'", ann(2)));
    service.order("/api/resume", json!({})).await;
    let status = service.until("all others are stored", |status| status["ended"]["delivered"] == 4).await;
    assert!((0..5).all(|nth| service.crm.contact(&ann(nth)).is_some() == (nth != 2)), "{status}");
    let status = service.until("it is set aside", |status| status["set_aside"] == 1).await;
    assert_eq!(risks(&status), ["set_aside"]);
    let deep = service.private("/healthz?deep=1").send().await.unwrap();
    assert_eq!(deep.status(), 503);

    // A restart tries it again, and sets it aside again.
    let service = service.restart().await;
    service.until("it is set aside", |status| status["set_aside"] == 1).await;
    assert_eq!(service.crm.calls(), 4);
    service.finish().await;
}

#[tokio::test]
async fn an_event_of_a_person_that_cannot_be_read_fails_and_takes_effect_once_that_is_mended() {
    let service = Service::start().await;
    service.send_all(vec![identify_ann(0), identify_ann(1)]).await;
    service.processed().await;
    damage(&service, "UPDATE people SET body = '{' || body WHERE body LIKE '%ann-0@%'");
    service.send_all(vec![lead_of_ann(0), lead_of_ann(1)]).await;
    service.until("the other is stored", |status| status["ended"]["delivered"] == 1).await;
    let status = service.until("it failed", |status| status["outcomes"]["failed"] == 1).await;
    assert_eq!(
        (&status["failed_events"], risks(&status)),
        (&json!({"kept": 1, "lost": 0}), vec!["failed_events"])
    );
    let listed = service.get("/api/events?outcome=failed").await["events"][0].clone();
    let retry = format!("/api/events/{}/retry", listed["message_id"].as_str().unwrap());

    damage(&service, "UPDATE people SET body = substr(body, 2) WHERE body LIKE '{{%'");
    assert_eq!(service.order(&retry, json!({})).await, json!({"success": true, "outcome": "queued"}));
    service.settled().await;
    assert!((0..2).all(|nth| service.crm.contact(&ann(nth)).is_some()));
    let status = service.status().await;
    assert_eq!((&status["outcomes"]["failed"], risks(&status)), (&json!(0), Vec::<&str>::new()));
    service.finish().await;
}

#[tokio::test]
async fn a_contact_that_cannot_be_read_does_not_stop_the_review_of_all_others() {
    let service = Service::start().await;
    service.send_all((0..40).flat_map(|nth| [identify_ann(nth), lead_of_ann(nth)]).collect()).await;
    service.settled().await;
    damage(&service, &format!("UPDATE contacts SET body = '{{' WHERE email = '{}'", ann(20)));
    let file = service.data_folder().join("mapping.toml");
    std::fs::write(&file, "[fields.keyword]\nconst = \"web\"\n").unwrap();
    service.set("MAPPING__FILE", file.to_str().unwrap());
    service.order("/api/reload", json!({})).await;
    let done =
        |status: &Value| status["review"]["because"] == "settings" && status["review"]["state"] == "done";
    let status = service.until("the review is done", done).await;
    assert_eq!((&status["review"]["done"], &status["review"]["opened"]), (&json!(40), &json!(39)));
    service.settled().await;
    assert_eq!(service.crm.calls(), 40 + 39);
    service.finish().await;
}

#[tokio::test]
async fn a_dead_letter_that_cannot_be_read_does_not_keep_the_others_from_being_sent_again() {
    let service = Service::start().await;
    for nth in 0..5 {
        let body = json!({"errors": {"code": 422, "message": [format!("Territory {nth} is unknown.")]}});
        service.crm.fault(json!({"status": 422, "email": ann(nth), "times": 1, "body": body}));
    }
    service.send_all((0..5).flat_map(|nth| [identify_ann(nth), lead_of_ann(nth)]).collect()).await;
    service.until("all are refused", |status| status["dead_letters"] == 5).await;
    damage(&service, &format!("UPDATE contacts SET body = '{{' WHERE email = '{}'", ann(2)));
    service.order("/api/dead-letters/redrive", json!({"all": true})).await;
    service.until("the others are stored", |status| status["ended"]["delivered"] == 4).await;
    let status = service.until("the walk ends", |status| status["redrive"]["state"] == "done").await;
    assert_eq!((&status["dead_letters"], &status["risks"]), (&json!(1), &json!([])), "{status}");
    service.finish().await;
}

#[tokio::test]
async fn an_erasure_that_cannot_go_on_leaves_the_others_their_turn_and_is_a_risk() {
    let service = Setup::new().driven_clock().start().await;
    service.send_all((0..3).flat_map(|nth| [identify_ann(nth), lead_of_ann(nth)]).collect()).await;
    service.settled().await;
    // The order of the first can't be read any more, and neither can the contact of the second.
    service.delete(&format!("/api/people?email={}", ann(0))).await;
    damage(&service, "UPDATE erasures SET done = 0, body = '{' WHERE id = 1");
    damage(&service, &format!("UPDATE contacts SET body = '{{' WHERE email = '{}'", ann(1)));
    let state = rusqlite::Connection::open(service.data_folder().join("state.db")).unwrap();
    let rows = |sql: &str| state.query_row(sql, (), |row| row.get::<_, i64>(0)).unwrap();
    let mut ordered = Vec::new();
    for nth in 1..=2 {
        let order = service.private_delete(&format!("/api/people?email={}", ann(nth)));
        ordered.push(tokio::spawn(order.send()));
        let is = async || {
            let last = rows("SELECT max(id) FROM erasures");
            if last == i64::try_from(nth).unwrap() + 1 { Ok(()) } else { Err(format!("order {last}")) }
        };
        eventually("it is ordered", is).await;
    }
    let erased = async || {
        // The stage waits a second before it tries the second again.
        service.pass(Duration::from_secs(1));
        if rows("SELECT done FROM erasures WHERE id = 3") == 1 { Ok(()) } else { Err("it is not".to_owned()) }
    };
    eventually("the third is erased", erased).await;
    ordered.iter().for_each(tokio::task::JoinHandle::abort);
    assert_eq!(rows("SELECT done FROM erasures WHERE id = 2"), 0);
    let stands = "erasures (a stored erasure can't be read: number 2 and 0 more stand";
    let is_told = |status: &Value| {
        risks(status) == ["stage_stands"] && status["risks"][0]["message"].to_string().contains(stands)
    };
    let told = async || {
        // That it stands counts from its next try, which may come after any of these.
        service.pass(Duration::from_mins(2));
        let status = service.status().await;
        if is_told(&status) { Ok(()) } else { Err(status["risks"].to_string()) }
    };
    eventually("it is a risk", told).await;
    service.finish().await;
}

#[tokio::test]
async fn somebody_who_cannot_be_read_keeps_nobody_else_from_going_after_a_long_silence() {
    let setup =
        Setup::new().with("RETENTION__PERSON_DAYS_MAX", "100").with("RETENTION__ANONYMOUS_DAYS_MAX", "10");
    let service = setup.driven_clock().start().await;
    service.send_all((0..9).flat_map(|nth| [identify_ann(nth), lead_of_ann(nth)]).collect()).await;
    service.settled().await;
    damage(&service, "UPDATE people SET body = '{' || body WHERE body LIKE '%ann-4@%'");
    service.pass(Duration::from_hours(24 * 120));
    let state = rusqlite::Connection::open(service.data_folder().join("state.db")).unwrap();
    eventually("the others go", async || {
        let left = state.query_row("SELECT count(*) FROM people", (), |row| row.get::<_, i64>(0)).unwrap();
        if left == 1 { Ok(()) } else { Err(format!("{left} people")) }
    })
    .await;
    let contacts = state.query_row("SELECT count(*) FROM contacts", (), |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(contacts, 1);
    service.finish().await;
}

#[tokio::test]
async fn a_destination_that_cannot_be_read_keeps_calls_waiting_and_nothing_else() {
    let service = Service::start().await;
    service.send_all(vec![identify_ann(0), lead_of_ann(0)]).await;
    service.settled().await;
    service.order("/api/pause", json!({})).await;
    service.order("/api/resume", json!({})).await;
    damage(&service, "UPDATE destinations SET body = '{' || body");
    let service = service.restart().await;
    service.send_all(vec![identify_ann(1), lead_of_ann(1)]).await;
    assert_eq!(service.private("/readyz").send().await.unwrap().status(), 200, "events are accepted");
    damage(&service, "UPDATE destinations SET body = substr(body, 2)");
    service.settled().await;
    assert_eq!(service.crm.calls(), 2);
    service.finish().await;
}
