//! Addresses that very many share: what each of them says counts, and the first hundred keep nobody out.

use std::path::Path;

use freshsignal::sandbox::SandboxOptions;
use serde_json::{Value, json};

use crate::support::app::{Service, Setup};

const OFFICE: &str = "office@example.com";

fn says(user: &str, traits: &Value, marketing: Option<bool>) -> Value {
    let mut event = json!({"type": "identify", "userId": user, "traits": traits});
    event["traits"]["email"] = json!(OFFICE);
    if let Some(granted) = marketing {
        event["context"] = json!({"consent": {"marketing": granted}});
    }
    event
}

/// Strangers who name an address before its owner does, and the owner.
async fn with_strangers() -> Service {
    let service = Service::start().await;
    let strangers =
        (0..120).map(|nth| says(&format!("stranger-{nth}"), &json!({"first_name": "Mallory"}), Some(true)));
    service.send_all(strangers.collect()).await;
    let lead = json!({"type": "track", "event": "Lead Generated", "userId": "owner"});
    service.send(says("owner", &json!({"first_name": "Olga", "last_name": "Berg"}), None)).await;
    service.send(lead).await;
    service.settled().await;
    service
}

fn has(service: &Service, attribute: &str, value: &str) -> bool {
    service.crm.contact(OFFICE).is_some_and(|contact| contact[attribute] == value)
}

/// Rows of the state in which a text stands, in this table.
fn rows(folder: &Path, table: &str, text: &str) -> i64 {
    let state = rusqlite::Connection::open(folder.join("state.db")).unwrap();
    let sql = format!("SELECT count(*) FROM {table} WHERE email = ?1 OR member = ?1");
    state.query_row(&sql, [text], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn strangers_who_name_an_address_first_do_not_keep_its_owner_out() {
    let service = with_strangers().await;
    assert!(has(&service, "first_name", "Olga") && has(&service, "subscription_status", "subscribed"));
    let service = service.restart().await;
    let mut withdraws = says("owner", &json!({}), Some(false));
    withdraws["messageId"] = json!("withdrawal");
    service.send(withdraws).await;
    service.settled().await;
    assert_eq!(service.outcome("withdrawal").await, "queued");
    assert!(has(&service, "subscription_status", "unsubscribed"));
    // So does every one of them, the last no less than the first.
    for (nth, granted, status) in
        [(119, true, "subscribed"), (0, false, "unsubscribed"), (60, true, "subscribed")]
    {
        let city = format!("City of {nth}");
        service.send(says(&format!("stranger-{nth}"), &json!({"city": city}), Some(granted))).await;
        service.settled().await;
        assert!(has(&service, "subscription_status", status) && has(&service, "city", &city), "{nth}");
    }
    let shown = service.get(&format!("/api/contacts/{OFFICE}")).await;
    assert_eq!(shown["more_members"], true, "{shown}");
    service.finish().await;
}

#[tokio::test]
async fn who_is_erased_leaves_a_crowd_with_all_they_said_and_their_refusal_stays() {
    let service = with_strangers().await;
    service.send(says("owner", &json!({"company": "Globex"}), Some(false))).await;
    service.settled().await;
    assert!(has(&service, "company_name", "Globex"));
    assert!(rows(service.data_folder(), "contributions", "user:owner") > 0);
    service.delete("/api/people?userId=owner").await;
    assert_eq!(rows(service.data_folder(), "contributions", "user:owner"), 0);
    service.send(says("stranger-5", &json!({"city": "Oslo"}), None)).await;
    service.settled().await;
    let shown = service.get(&format!("/api/contacts/{OFFICE}")).await;
    let wanted = &shown["wanted"];
    assert_eq!(
        (&wanted["subscription_status"], &wanted["first_name"], &wanted["company_name"]),
        (&json!("unsubscribed"), &json!("Mallory"), &Value::Null),
        "{shown}"
    );
    service.delete(&format!("/api/people?email={OFFICE}")).await;
    assert_eq!(rows(service.data_folder(), "contributions", OFFICE), 0);
    service.finish().await;
}

#[tokio::test]
async fn a_folder_that_had_forgotten_the_101st_user_and_her_withdrawal_finds_both() {
    let sandbox = SandboxOptions { require_names: false, ..SandboxOptions::default() };
    let service = Setup::new().sandbox(sandbox).data_folder("crowd").start().await;
    let done = |status: &Value| status["review"]["total"] == 1 && status["review"]["state"] == "done";
    service.until("every contact is looked at again", done).await;
    service.settled().await;
    // The 140th withdrew and the 150th named a company when only a hundred were known.
    assert!(has(&service, "subscription_status", "unsubscribed"));
    assert!(has(&service, "company_name", "Globex"));
    let state = rusqlite::Connection::open(service.data_folder().join("state.db")).unwrap();
    let sql = "SELECT count(DISTINCT member) FROM contributions WHERE email = ?1";
    let members: i64 = state.query_row(sql, [OFFICE], |row| row.get(0)).unwrap();
    assert_eq!(members, 150);
    service.finish().await;
}
