//! Every call counts: what costs a call and what does not, which contact is called first, and what an outage costs.
//!
//! The clock is driven: what happens without time passing happens at once.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::app::{Service, Setup, said, sum};
use crate::support::events::{ann, ann_says, identify_ann, lead_of_ann};
use crate::support::wait::eventually;

async fn service() -> Service {
    Setup::new().driven_clock().start().await
}

async fn leads(service: &Service, people: std::ops::Range<usize>) {
    let pairs: Vec<Value> = people.flat_map(|number| [identify_ann(number), lead_of_ann(number)]).collect();
    for batch in pairs.chunks(200) {
        service.send_all(batch.to_vec()).await;
    }
    service.processed().await;
}

/// Somebody changes a contact in Freshsales itself.
async fn rep_changes(service: &Service, number: usize, change: &Value) {
    let mut contact = json!({"emails": ann(number)});
    contact.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let request =
        service.client.post(format!("http://{}/crm/sales/api/contacts/upsert", service.crm.address));
    let request = request.header("Authorization", "Token token=sandbox-key").header("X-Bundle-Alias", "acme");
    let body = json!({"unique_identifier": {"emails": ann(number)}, "contact": contact});
    assert_eq!(said(request.json(&body)).await.0, StatusCode::OK);
}

fn shown(service: &Service, number: usize, attribute: &str) -> Value {
    service.crm.contact(&ann(number)).unwrap()[attribute].clone()
}

/// Lets time pass in steps until everything is delivered, however long it takes.
async fn until_delivered(service: &Service, step: Duration) {
    let what = "everything owed is delivered after a while";
    eventually(what, async || {
        let status = service.status().await;
        if status["journal_lag_events"] == 0 && sum(&status["owed"]) == 0 {
            return Ok(());
        }
        if status["open"]["in_flight"] == 0 {
            service.pass(step);
        }
        Err(status.to_string())
    })
    .await;
}

/// Lets time pass in steps with calls answered between them.
async fn pass_in_steps(service: &Service, time: Duration, step: Duration) {
    let until = service.now().plus(time);
    while service.now() < until {
        service.pass(step);
        // The loop wakes, looks, calls and settles.
        for _ in 0..3 {
            service.open("in_flight", 0).await;
        }
    }
}

#[tokio::test]
async fn the_phone_that_a_sales_rep_corrected_stays_when_the_city_changes() {
    let service = service().await;
    let mut identify = identify_ann(1);
    identify["traits"]["phone"] = json!("+14155550142");
    service.send_all(vec![identify, lead_of_ann(1)]).await;
    service.settled().await;
    rep_changes(&service, 1, &json!({"mobile_number": "+14155550199"})).await;
    service.send(ann_says(1, "moved", &json!({"city": "Oslo"}))).await;
    service.settled().await;
    assert_eq!(shown(&service, 1, "city"), "Oslo");
    assert_eq!(shown(&service, 1, "mobile_number"), "+14155550199");
    service.finish().await;
}

#[tokio::test]
async fn who_unsubscribed_in_freshsales_stays_unsubscribed_whatever_is_sent_later() {
    let setup = Setup::new().driven_clock().with("DELIVERY__RESEND_UNCHANGED_AFTER_HOURS", "24");
    let service = setup.start().await;
    let mut identify = identify_ann(1);
    identify["context"] = json!({"consent": {"categoryPreferences": {"marketing": true}}});
    service.send_all(vec![identify, lead_of_ann(1)]).await;
    service.settled().await;
    assert_eq!(shown(&service, 1, "subscription_status"), "subscribed");
    rep_changes(&service, 1, &json!({"subscription_status": "unsubscribed"})).await;

    // A page view, a change, a resend, a change that is refused and sent whole, a contact that is sent again.
    service.send(json!({"type": "page", "userId": "ann-1", "messageId": "page-1"})).await;
    service.send(ann_says(1, "moved", &json!({"city": "Oslo"}))).await;
    service.settled().await;
    service.pass(Duration::from_hours(25));
    service.send(json!({"type": "page", "userId": "ann-1", "messageId": "page-2"})).await;
    service.settled().await;
    let before = service.crm.calls();
    service.crm.fault(json!({"status": 400, "body": {"message": "Something is wrong"}, "times": 2}));
    service.send(ann_says(1, "again", &json!({"city": "Rome"}))).await;
    service.settled().await;
    assert_eq!(service.crm.calls(), before + 2);
    service.send(ann_says(1, "named", &json!({"city": "Bern", "job_title": "CEO"}))).await;
    service.settled().await;
    assert_eq!(shown(&service, 1, "city"), "Bern");
    assert_eq!(shown(&service, 1, "subscription_status"), "unsubscribed");
    service.finish().await;
}

#[tokio::test]
async fn page_views_that_change_nothing_cost_no_call() {
    let service = service().await;
    leads(&service, 0..20).await;
    service.settled().await;
    let before = service.crm.calls();
    let page = |nth: usize| json!({"type": "page", "userId": format!("ann-{}", nth % 20), "messageId": format!("page-{nth}")});
    service.send_all((0..200).map(page).collect()).await;
    service.settled().await;
    assert_eq!(service.crm.calls(), before);
    assert_eq!(service.status().await["outcomes"]["unchanged"], 200);
    service.finish().await;
}

#[tokio::test]
async fn changes_while_throttled_cost_a_call_a_person() {
    let service = service().await;
    leads(&service, 0..25).await;
    service.settled().await;
    service.crm.fault(json!({"status": 429, "retry_after": 240}));
    service.send(ann_says(0, "first", &json!({"city": "City 0"}))).await;
    service.destination("throttled").await;
    service.open("in_flight", 0).await;
    let before = service.crm.calls();
    let change =
        |nth: usize| ann_says(nth % 25, &format!("change-{nth}"), &json!({"city": format!("City {nth}")}));
    service.send_all((0..500).map(change).collect()).await;
    service.processed().await;
    service.pass(Duration::from_mins(4));
    service.settled().await;
    assert_eq!(service.crm.calls() - before, 25);
    assert_eq!(shown(&service, 24, "city"), "City 499");
    service.finish().await;
}

#[tokio::test]
async fn a_new_lead_is_called_at_once_when_refreshes_have_nearly_used_the_allowance() {
    let setup = Setup::new().driven_clock().with("ALLOWANCE__RESERVE_PERCENT", "0");
    let service = setup.with("ALLOWANCE__PER_HOUR", "100").start().await;
    leads(&service, 0..30).await;
    service.settled().await;
    let change = |round: usize| {
        move |nth: usize| ann_says(nth, &format!("{round}-{nth}"), &json!({"city": format!("City {round}")}))
    };
    // 30 more calls fill the share of refreshes; 30 more changes wait.
    service.send_all((0..30).map(change(1)).collect()).await;
    service.settled().await;
    service.send_all((0..30).map(change(2)).collect()).await;
    service.processed().await;
    let full = |status: &Value| status["owed"]["refresh"] == 30 && status["allowance"]["hour"]["used"] == 60;
    service.until("refreshes wait for their share", full).await;
    leads(&service, 99..100).await;
    // No time passes.
    service.until("the lead is delivered", |status| status["owed"]["new_contact"] == 0).await;
    assert!(service.crm.contact(&ann(99)).is_some());
    assert_eq!(service.crm.calls(), 61);
    service.finish().await;
}

#[tokio::test]
async fn a_refused_key_costs_a_few_calls_and_everything_is_delivered_once_it_works() {
    let service = service().await;
    // Calls are made eight at a time by now.
    leads(&service, 0..10).await;
    service.settled().await;
    let before = service.crm.calls();
    service.crm.fault(json!({"status": 401, "times": 10_000}));
    leads(&service, 10..510).await;
    service.destination("blocked").await;
    pass_in_steps(&service, Duration::from_mins(10), Duration::from_secs(5)).await;
    assert_eq!(service.destination("blocked").await["open"]["in_flight"], 0);
    let calls = service.crm.calls() - before;
    assert!((2..15).contains(&calls), "{calls}");

    // The key works again: an administrator has put it right in Freshsales. Nobody does anything here.
    service.crm.mend();
    until_delivered(&service, Duration::from_secs(30)).await;
    assert_eq!(service.status().await["ended"]["delivered"], 510);
    assert_eq!(service.crm.sandbox.contacts().len(), 510);
    service.finish().await;
}

#[tokio::test]
async fn an_outage_costs_a_probe_an_interval_and_no_contact_is_given_up() {
    let service = service().await;
    leads(&service, 0..10).await;
    service.settled().await;
    let before = service.crm.calls();
    service.crm.fault(json!({"status": 503, "times": 10_000}));
    leads(&service, 10..60).await;
    service.destination("unreachable").await;
    let mut service = service.restart().await;
    assert_eq!(service.status().await["destination"]["state"], "unreachable");
    pass_in_steps(&service, Duration::from_mins(10), Duration::from_secs(4)).await;
    let calls = service.crm.calls() - before;
    // Eight on their way when it began, then after 1, 2, 4, … 256 s.
    assert!((9..=19).contains(&calls), "{calls}");
    service = service.restart().await;
    service.crm.mend();
    until_delivered(&service, Duration::from_secs(30)).await;
    let status = service.status().await;
    assert_eq!(
        (&status["ended"]["delivered"], &status["ended"]["dead"]),
        (&json!(60), &json!(0)),
        "{status}"
    );
    assert_eq!(status["destination"]["state"], "running");
    service.finish().await;
}

#[tokio::test]
async fn a_new_lead_does_not_wait_for_two_contacts_that_freshsales_can_not_answer() {
    let service = service().await;
    for number in [0, 1] {
        service.crm.fault(json!({"status": 500, "email": ann(number), "times": 10_000}));
    }
    leads(&service, 0..2).await;
    let is_away = |status: &Value| status["destination"]["state"] == "unreachable";
    eventually("the breaker opens", async || {
        let status = service.status().await;
        if is_away(&status) {
            return Ok(());
        }
        if status["open"]["in_flight"] == 0 {
            service.pass(Duration::from_secs(5));
        }
        Err(status.to_string())
    })
    .await;
    pass_in_steps(&service, Duration::from_mins(10), Duration::from_secs(15)).await;
    assert!(is_away(&service.status().await));
    leads(&service, 2..3).await;
    let delivered = |status: &Value| status["ended"]["delivered"] == 1;
    service.until("the lead is there, and no time has passed", delivered).await;
    service.finish().await;
}

#[tokio::test]
async fn while_freshsales_answers_nobody_newcomers_cost_five_calls_at_the_most() {
    let service = service().await;
    service.crm.fault(json!({"status": 503, "times": 10_000}));
    leads(&service, 0..10).await;
    service.destination("unreachable").await;
    service.open("in_flight", 0).await;
    let calls = service.crm.calls();
    for number in 10..30 {
        leads(&service, number..number + 1).await;
        service.open("in_flight", 0).await;
    }
    let more = service.crm.calls() - calls;
    assert!((1..=5).contains(&more), "{more}");
    service.finish().await;
}

#[tokio::test]
async fn a_rule_of_the_account_blocks_and_what_it_refused_comes_back_when_it_is_gone() {
    let service = service().await;
    service.crm.fault(json!({"status": 400, "body": {"message": "Territory is a must"}, "times": 10_000}));
    leads(&service, 0..40).await;
    let status = service.destination("blocked").await;
    assert_eq!(status["destination"]["reason"], "Territory is a must");
    service.open("in_flight", 0).await;
    // Ten contacts, and those that were on their way.
    let calls = service.crm.calls();
    assert!((10..18).contains(&calls), "{calls}");
    pass_in_steps(&service, Duration::from_mins(2), Duration::from_secs(5)).await;
    assert!(service.crm.calls() <= calls + 4);

    service.crm.mend();
    until_delivered(&service, Duration::from_secs(30)).await;
    let status = service.status().await;
    assert_eq!(
        (&status["ended"]["delivered"], &status["ended"]["dead"]),
        (&json!(40), &json!(0)),
        "{status}"
    );
    service.finish().await;
}

/// Lets time pass until so many contacts are delivered.
async fn probed_until_delivered(service: &Service, contacts: u64) {
    let delivered = eventually("those whom a rule refused are delivered", async || {
        let status = service.status().await;
        if status["ended"]["delivered"] == contacts {
            return Ok(());
        }
        if status["open"]["in_flight"] == 0 {
            service.pass(Duration::from_secs(30));
        }
        Err(status.to_string())
    });
    delivered.await;
}

#[tokio::test]
async fn a_rule_that_refused_everybody_is_probed_by_those_it_refused() {
    let service = service().await;
    service.crm.fault(json!({"status": 400, "body": {"message": "Territory is a must"}, "times": 10_000}));
    leads(&service, 0..10).await;
    service.destination("blocked").await;
    let is_dead = |status: &Value| status["dead_letters"]["count"] == 10 || status["ended"]["dead"] == 10;
    service.until("all are refused", is_dead).await;
    let calls = service.crm.calls();
    pass_in_steps(&service, Duration::from_hours(1), Duration::from_secs(15)).await;
    // Doubling to a quarter of an hour; a busy machine may miss the first few.
    let probes = service.crm.calls() - calls;
    assert!((2..12).contains(&probes), "{probes}");
    service.until("all are refused again", is_dead).await;

    service.crm.mend();
    probed_until_delivered(&service, 10).await;
    service.destination("running").await;
    service.finish().await;
}

#[tokio::test]
async fn one_that_cannot_be_read_of_those_a_rule_refused_holds_up_no_other() {
    let service = service().await;
    service.crm.fault(json!({"status": 400, "body": {"message": "Territory is a must"}, "times": 10_000}));
    leads(&service, 0..10).await;
    service.destination("blocked").await;
    let is_dead = |status: &Value| status["ended"]["dead"] == 10;
    service.until("all are refused", is_dead).await;
    let state = rusqlite::Connection::open(service.data_folder().join("state.db")).unwrap();
    let damage = "UPDATE contacts SET body = '{' WHERE email = ?1";
    assert_eq!(state.execute(damage, [ann(4)]).unwrap(), 1);
    service.crm.mend();
    probed_until_delivered(&service, 9).await;
    service.destination("running").await;
    assert_eq!(service.status().await["ended"]["dead"], 1);
    service.finish().await;
}

#[tokio::test]
async fn a_phone_of_another_contact_is_left_out_and_the_rest_arrives() {
    let service = service().await;
    service.crm.fault(
        json!({"status": 400, "body": {"errors": {"code": 400, "message": ["MobileNumber is not unique"]}}}),
    );
    let mut identify = identify_ann(1);
    identify["traits"]["phone"] = json!("+14155550142");
    service.send_all(vec![identify, lead_of_ann(1)]).await;
    service.settled().await;
    assert_eq!(service.crm.calls(), 2);
    assert_eq!(service.crm.call(0).json()["contact"]["mobile_number"], "+14155550142");
    assert_eq!(service.crm.call(1).json()["contact"]["mobile_number"], Value::Null);
    let trail = service.get("/api/events/ann-1-lead").await;
    let delivery = service.get(&format!("/api/deliveries/{}", trail["delivery_id"].as_str().unwrap())).await;
    let told = "sent without mobile_number, which Freshsales refused: MobileNumber is not unique";
    assert_eq!((&delivery["state"], &delivery["notes"]), (&json!("delivered"), &json!([told])), "{delivery}");
    assert_eq!(delivery["attempts"].as_array().unwrap().len(), 2);
    service.finish().await;
}

#[tokio::test]
async fn the_limit_goes_down_with_a_throttle_and_comes_back() {
    let service = Setup::new().driven_clock().with("ALLOWANCE__RESERVE_PERCENT", "0").start().await;
    leads(&service, 0..20).await;
    service.settled().await;
    let limit = |status: &Value| status["allowance"]["hour"]["limit"].as_u64().unwrap();
    assert_eq!(limit(&service.status().await), 1_000);
    service.crm.fault(json!({"status": 429, "retry_after": 240}));
    leads(&service, 20..21).await;
    service.until("the limit is lowered", |status| limit(status) < 1_000).await;
    // Others use the account too: never less than a tenth is ours.
    assert_eq!(limit(&service.status().await), 100);
    service.pass(Duration::from_mins(4));
    service.settled().await;
    service.pass(Duration::from_hours(1));
    leads(&service, 21..22).await;
    service.settled().await;
    assert_eq!(limit(&service.status().await), 1_000);
    service.finish().await;
}
