//! Addresses that an earlier version stored in another spelling: whoever has one is the same person and the same contact.

use serde_json::{Value, json};

use crate::support::app::Service;

const SENT: &str = "jane@xn--mller-kva.example";
const STORED: &str = "jane@müller.example";

fn says(kind: &str, more: &Value) -> Value {
    let mut event = json!({"type": kind, "anonymousId": "device-of-jane"});
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

/// What an earlier version had stored: the address as it was written.
fn as_before(service: &Service) {
    let state = rusqlite::Connection::open(service.data_folder().join("state.db")).unwrap();
    for (table, columns) in [
        ("contacts", &["email", "body"][..]),
        ("people", &["key", "body"]),
        ("timelines", &["body"]),
        ("deliveries", &["subject", "email", "body"]),
    ] {
        for column in columns {
            let sql = format!("UPDATE {table} SET {column} = replace({column}, ?1, ?2)");
            assert!(state.execute(&sql, [SENT, STORED]).unwrap() > 0, "{table}.{column}");
        }
    }
}

async fn reviewed(service: &Service, mapping: &str) {
    let file = service.data_folder().join("mapping.toml");
    std::fs::write(&file, mapping).unwrap();
    service.set("MAPPING__FILE", file.to_str().unwrap());
    service.order("/api/reload", json!({})).await;
    let done =
        |status: &Value| status["review"]["because"] == "settings" && status["review"]["state"] == "done";
    service.until("every contact is looked at again", done).await;
    service.settled().await;
}

#[tokio::test]
async fn a_contact_stored_in_another_spelling_is_found_again_and_is_still_one() {
    let service = Service::start().await;
    let lead = json!({"event": "Lead Generated", "context": {"traits": {"email": STORED, "first_name": "Jane", "last_name": "M"}}});
    service.send(says("track", &lead)).await;
    service.settled().await;
    assert_eq!(service.crm.calls(), 1);
    as_before(&service);
    reviewed(&service, "[fields.keyword]\nconst = \"web\"\n").await;
    assert_eq!(service.crm.calls(), 2, "the keyword alone: what was accepted is known");
    let contacts = service.get("/api/people?email=jane@m%C3%BCller.example").await["contacts"].clone();
    assert_eq!(contacts.as_array().unwrap().len(), 1, "{contacts}");
    assert_eq!(contacts[0]["email"], SENT);
    // By the address alone, and by the device alone.
    let by_address = json!({"traits": {"email": STORED, "city": "Oslo"}, "anonymousId": "another"});
    service.send(says("identify", &by_address)).await;
    service.send(says("identify", &json!({"traits": {"company": "Globex"}}))).await;
    service.settled().await;
    let contact = service.crm.contact(SENT).unwrap();
    assert_eq!(
        (&contact["first_name"], &contact["city"], &contact["keyword"]),
        (&json!("Jane"), &json!("Oslo"), &json!("web")),
        "{contact}"
    );
    let shown = service.get(&format!("/api/contacts/{SENT}")).await;
    assert_eq!(shown["wanted"]["company_name"], "Globex", "{shown}");
    // Erased, nothing is left of either spelling.
    service.delete(&format!("/api/people?email={SENT}")).await;
    for file in ["state.db", "journal.db", "state.db-wal", "journal.db-wal"] {
        let bytes = std::fs::read(service.data_folder().join(file)).unwrap_or_default();
        for spelling in [SENT, STORED, "Globex"] {
            let stands = bytes.windows(spelling.len()).any(|window| window == spelling.as_bytes());
            assert!(!stands, "{spelling} stands in {file}");
        }
    }
    service.finish().await;
}
