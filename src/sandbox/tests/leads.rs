//! Leads of an account of the older product.

use serde_json::json;

use super::*;

fn older() -> Account {
    account_with(SandboxOptions { classic: true, ..SandboxOptions::default() })
}

const LEAD: &str =
    r#"{"lead":{"email":"sam.lee@example.com","last_name":"Lee","company":{"name":"Globex"}}}"#;

#[tokio::test]
async fn a_lead_is_created_twice_where_it_is_sent_twice_and_changed_shown_and_forgotten_by_its_id() {
    let older = older();
    let first = older.post("/api/leads", LEAD).await;
    let second = older.post("/api/leads", LEAD).await;
    assert_eq!((first.status.as_u16(), second.status.as_u16(), older.sandbox.leads().len()), (201, 201, 2));
    let path = format!("/api/leads/{}", first.json()["lead"]["id"]);
    let changed = older.put(&path, &json!({"lead": {"city": "Oslo"}})).await.json();
    assert_eq!((&changed["lead"]["city"], &changed["lead"]["last_name"]), (&json!("Oslo"), &json!("Lee")));
    assert_eq!(older.get(&path).await.json()["lead"]["company"], json!({"name": "Globex"}));
    assert_eq!(older.send(request("DELETE", &format!("{path}/forget"), "")).await.status, 200);
    assert_eq!((older.get(&path).await.status.as_u16(), older.sandbox.leads().len()), (404, 1));
    let nameless = r#"{"lead":{"email":"jo@example.com"}}"#;
    assert!(older.post("/api/leads", nameless).await.is_error(422, "First name or last name is mandatory."));
}

#[tokio::test]
async fn an_address_is_looked_up_among_leads_and_contacts() {
    let older = older();
    older.post("/api/leads", LEAD).await;
    let found = older.get("/api/lookup?q=Sam.Lee@example.com&f=email&entities=lead,contact").await.json();
    assert_eq!(found["leads"]["leads"][0]["email"], "sam.lee@example.com");
    assert_eq!(found["contacts"], json!({"contacts": []}));
}

#[tokio::test]
async fn a_lead_that_is_converted_is_a_contact_with_all_that_hung_on_it() {
    let older = older();
    let lead = older.post("/api/leads", LEAD).await.json()["lead"]["id"].as_u64().unwrap();
    let note = json!({"note": {"description": "x", "targetable_type": "Lead", "targetable_id": lead}});
    assert_eq!(older.post("/api/notes", note.to_string()).await.status, 200);
    assert_eq!(older.get(&format!("/api/leads/{lead}/notes")).await.json()["notes"][0]["description"], "x");
    let contact = older.post(&format!("/api/leads/{lead}/convert"), "{}").await.json()["contact"].clone();
    assert_eq!(
        (&contact["emails"], &contact["company_name"]),
        (&json!("sam.lee@example.com"), &json!("Globex"))
    );
    assert_eq!((older.sandbox.leads().len(), older.sandbox.contacts().len()), (0, 1));
    assert_eq!(older.sandbox.notes()[0]["targetable_id"], contact["id"]);
    assert_eq!(
        older.put(&format!("/api/leads/{lead}"), &json!({"lead": {"city": "Oslo"}})).await.status,
        404
    );
    assert_eq!(older.sandbox.convert(lead), None, "it is no more");
}

#[tokio::test]
async fn the_suite_has_no_leads() {
    let suite = account();
    for (method, path) in [("POST", "leads"), ("GET", "settings/leads/fields"), ("GET", "leads/1")] {
        let path = format!("/crm/sales/api/{path}");
        assert_eq!(suite.send(request(method, &path, LEAD)).await.status, 404, "{path}");
    }
}
