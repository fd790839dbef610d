//! Companies, notes, activities, tasks, lists and the selectors.

use super::*;
use crate::sandbox::Forbidden;

const COMPANY: u64 = 70_021_000_001;

async fn sam(account: &Account) -> u64 {
    account.post(UPSERT, SAM).await;
    account.stored().unwrap()["id"].as_u64().unwrap()
}

fn company(name: &str, attributes: &Value) -> Value {
    json!({"unique_identifier": {"name": name}, "sales_account": attributes})
}

#[tokio::test]
async fn a_company_is_upserted_by_its_name_whatever_its_case() {
    let account = account();
    let first =
        account.api("POST", "sales_accounts/upsert", company("Globex", &json!({"city": "Bonn"}))).await;
    assert_eq!(
        first,
        (
            201,
            json!({"sales_account": {"id": COMPANY, "city": "Bonn", "name": "Globex",
            "created_at": "2026-03-01T12:00:00.000Z", "updated_at": "2026-03-01T12:00:00.000Z"}})
        )
    );
    let again = company(" GLOBEX", &json!({"website": "globex.example.com"}));
    let (status, answer) = account.api("POST", "sales_accounts/upsert", again).await;
    assert_eq!((status, &answer["sales_account"]["id"]), (200, &json!(COMPANY)));
    assert_eq!(answer["sales_account"]["city"], "Bonn");
    let (_, found) =
        account.api("GET", "lookup?q=globex.example.com&f=website&entities=sales_account", Value::Null).await;
    assert_eq!(found["sales_accounts"]["sales_accounts"][0]["id"], COMPANY);
    let (status, answer) =
        account.api("POST", "sales_accounts", json!({"sales_account": {"name": "globex"}})).await;
    assert_eq!((status, &answer["errors"]["message"][0]), (400, &json!("name is not unique")));
    for body in
        [json!({}), json!({"unique_identifier": {"name": ""}}), json!({"unique_identifier": {"name": "x"}})]
    {
        assert_eq!(account.api("POST", "sales_accounts/upsert", body).await.0, 400);
    }
}

#[tokio::test]
async fn the_companies_of_a_contact_are_shown_where_they_are_asked_for() {
    let account = account();
    account.create("sales_accounts", json!({"sales_account": {"name": "Globex"}})).await;
    let upsert =
        |contact: Value| json!({"unique_identifier": {"emails": "sam.lee@example.com"}, "contact": contact});
    let (_, shown) = account
        .api("POST", "contacts/upsert?include=sales_accounts", upsert(json!({"last_name": "Lee"})))
        .await;
    assert_eq!(shown["contact"]["sales_accounts"], json!([]));
    let link = json!({"sales_accounts": [{"id": COMPANY, "is_primary": true}]});
    let (_, shown) = account.api("POST", "contacts/upsert", upsert(link)).await;
    assert_eq!(shown["contact"].get("sales_accounts"), None);
    let id = &shown["contact"]["id"];
    let (_, shown) =
        account.api("GET", &format!("contacts/{id}?include=sales_accounts,deals"), Value::Null).await;
    let globex = json!([{"id": COMPANY, "name": "Globex", "is_primary": true}]);
    assert_eq!((&shown["contact"]["sales_accounts"], &shown["deals"]), (&globex, &json!([])));
    let (_, contacts) = account.api("GET", &format!("sales_accounts/{COMPANY}/contacts"), Value::Null).await;
    assert_eq!(contacts["contacts"][0]["id"], *id);
}

#[tokio::test]
async fn a_note_is_answered_with_200_and_read_with_what_it_hangs_on_alone() {
    let account = account();
    let sam = sam(&account).await;
    let note =
        json!({"note": {"description": "<b>hi</b>", "targetable_type": "Contact", "targetable_id": sam}});
    let (status, answer) = account.api("POST", "notes", note).await;
    assert_eq!((status, &answer["note"]["id"]), (200, &json!(70_023_000_001_u64)));
    assert_eq!(account.api("GET", "notes/70023000001", Value::Null).await.0, 404);
    let (_, notes) = account.api("GET", &format!("contacts/{sam}/notes"), Value::Null).await;
    assert_eq!(notes["notes"][0]["description"], "<b>hi</b>");
    let change = json!({"note": {"description": "bye"}});
    assert_eq!(account.api("PUT", "notes/70023000001", change).await.0, 200);
    assert_eq!(account.sandbox.notes()[0]["description"], "bye");
    for target in [json!(7), json!("x")] {
        let note = json!({"note": {"description": "x", "targetable_type": "Deal", "targetable_id": target}});
        assert_eq!(account.api("POST", "notes", note).await.0, 400);
    }
    assert_eq!(account.api("GET", "contacts/7/notes", Value::Null).await.0, 404);
}

#[tokio::test]
async fn a_task_is_answered_with_201_and_needs_its_day() {
    let account = account();
    let sam = sam(&account).await;
    let task = |due: Value| json!({"task": {"title": "Call", "due_date": due, "targetable_type": "Contact", "targetable_id": sam}});
    assert_eq!(account.api("POST", "tasks", task(json!(""))).await.0, 400);
    assert_eq!(account.api("POST", "tasks", task(json!("2026-03-02T09:00:00Z"))).await.0, 201);
    let (_, tasks) = account.api("GET", "tasks?filter=open", Value::Null).await;
    assert_eq!(tasks["tasks"][0]["title"], "Call");
    let deal = account.create("deals", json!({"deal": {"name": "x", "amount": 1}})).await;
    assert_eq!(account.api("GET", &format!("deals/{deal}/tasks"), Value::Null).await.0, 404);
}

#[tokio::test]
async fn an_activity_needs_an_owner_and_a_type() {
    let account = account();
    let sam = sam(&account).await;
    let mut activity = json!({"title": "Activated", "targetable_type": "Contact", "targetable_id": sam,
        "sales_activity_type_id": 70_000_013_003_u64});
    let (status, answer) = account.api("POST", "sales_activities", json!({"sales_activity": activity})).await;
    assert_eq!((status, &answer["errors"]["message"][0]), (400, &json!("owner_id is mandatory")));
    activity["owner_id"] = json!(70_000_012_301_u64);
    account.create("sales_activities", json!({"sales_activity": activity})).await;
    let (_, hanging) = account.api("GET", &format!("contacts/{sam}/activities"), Value::Null).await;
    assert_eq!(hanging["sales_activities"][0]["title"], "Activated");
    assert_eq!(account.sandbox.activities().len(), 1);
}

#[tokio::test]
async fn contacts_are_put_on_a_list_and_taken_off() {
    let account = account();
    let sam = sam(&account).await;
    let list = account.create("lists", json!({"list": {"name": "Newsletter"}})).await;
    assert_eq!(
        account.api("PUT", &format!("lists/{list}/add_contacts"), json!({"ids": [sam, 7]})).await.0,
        200
    );
    let (_, on) = account.api("GET", &format!("contacts/lists/{list}"), Value::Null).await;
    assert_eq!(on["contacts"].as_array().unwrap().len(), 1);
    account.api("PUT", &format!("lists/{list}/remove_contacts"), json!({"ids": [sam]})).await;
    let (_, on) = account.api("GET", &format!("contacts/lists/{list}"), Value::Null).await;
    assert_eq!(on["contacts"], json!([]));
    assert_eq!(account.api("GET", "lists", Value::Null).await.1["lists"][0]["name"], "Newsletter");
    assert_eq!(account.api("PUT", "lists/7/add_contacts", json!({"ids": []})).await.0, 404);
}

#[tokio::test]
async fn every_selector_is_listed_and_can_be_changed_while_the_account_is_used() {
    let account = account();
    // Lists of contacts are no selector.
    let apart = [crate::selectors::Kind::Lists, crate::selectors::Kind::SalesActivityOutcomes];
    for kind in crate::selectors::Kind::ALL.into_iter().filter(|kind| !apart.contains(kind)) {
        let (status, answer) = account.api("GET", &format!("selector/{}", kind.name()), Value::Null).await;
        let table = crate::selectors::Table::read(kind, &answer).unwrap();
        assert!(status == 200 && !table.entries.is_empty() && table.left_out == 0, "{answer}");
    }
    assert_eq!(account.api("GET", "selector/moods", Value::Null).await.0, 404);
    let (_, stages) = account.api("GET", "selector/deal_stages", Value::Null).await;
    assert_eq!(stages["deal_stages"][6]["name"], "Lost");
    let renamed = json!([{"id": 5, "name": "Prospect", "contact_status_ids": []}]);
    let set = request("PUT", "/sandbox/selectors/lifecycle_stages", renamed.to_string());
    assert_eq!(account.send(set).await.status, 204);
    assert_eq!(
        account.api("GET", "selector/lifecycle_stages", Value::Null).await.1["lifecycle_stages"],
        renamed
    );
    for (name, body, status) in [("moods", "[]", 404), ("owners", "{}", 400)] {
        let seen = account.send(request("PUT", &format!("/sandbox/selectors/{name}"), body)).await;
        assert_eq!(seen.status, status);
    }
    let seen = account.upsert(json!({"last_name": "Lee", "lifecycle_stage_id": 70_000_007_001_u64})).await;
    assert!(seen.is_error(400, "Invalid lifecycle stage provided."), "{seen:?}");
}

#[tokio::test]
async fn a_status_of_another_stage_becomes_the_first_of_its_own() {
    let account = account();
    let lead = json!({"last_name": "Lee", "lifecycle_stage_id": 70_000_007_001_u64, "contact_status_id": 70_000_003_007_u64});
    account.upsert(lead).await;
    assert_eq!(account.stored().unwrap()["contact_status_id"], 70_000_003_001_u64);
    account.upsert(json!({"lifecycle_stage_id": 70_000_007_003_u64})).await;
    assert_eq!(account.stored().unwrap()["contact_status_id"], 70_000_003_007_u64);
}

#[tokio::test]
async fn what_is_forbidden_is_a_403_while_the_rest_works() {
    let forbidden = [Forbidden::Owners, Forbidden::Deals, Forbidden::Notes].into();
    let account = account_with(SandboxOptions { forbidden, ..SandboxOptions::default() });
    let deal = json!({"deal": {"name": "x", "amount": 1}});
    for (method, path) in [
        ("GET", "selector/owners"),
        ("POST", "deals"),
        ("GET", "deals/1"),
        ("GET", "deals/filters"),
        ("POST", "deals/upsert"),
        ("POST", "notes"),
        ("GET", "contacts/1/notes"),
        ("POST", "filtered_search/deal"),
    ] {
        let (status, answer) = account.api(method, path, deal.clone()).await;
        let message = "You are not authorised to perform this operation.";
        assert_eq!((status, &answer["errors"]["message"][0]), (403, &json!(message)), "{method} {path}");
    }
    for path in ["selector/deal_pipelines", "contacts/filters", "tasks"] {
        assert_eq!(account.api("GET", path, Value::Null).await.0, 200, "{path}");
    }
}

#[tokio::test]
async fn a_fault_loses_the_answer_to_any_call_and_what_applies_stays() {
    let account = account();
    account.order(json!({"reset": true, "apply": true, "path": "/deals"}));
    account.order(json!({"status": 503, "path": "/notes"}));
    let deal = json!({"deal": {"name": "x", "amount": 1}});
    let response =
        account.sandbox.router().oneshot(request("POST", "/crm/sales/api/deals", deal.to_string())).await;
    assert!(response.unwrap().into_body().collect().await.is_err());
    assert_eq!(account.sandbox.deals().len(), 1);
    assert_eq!(account.api("POST", "notes", json!({})).await.0, 503);
    assert_eq!(account.sandbox.notes().len(), 0);
}

#[tokio::test]
async fn fields_of_other_kinds_are_listed_with_what_they_require() {
    let options = SandboxOptions {
        deal_requires: vec!["sales_account_id".to_owned()],
        unique_deal_field: Some("cf_order_id".to_owned()),
        ..SandboxOptions::default()
    };
    let account = account_with(options);
    let (_, listed) = account.api("GET", "settings/deals/fields", Value::Null).await;
    let listed = listed["fields"].as_array().unwrap().clone();
    let field = |name: &str| listed.iter().find(|field| field["name"] == name).unwrap();
    assert_eq!(
        (&field("amount")["required"], &field("sales_account_id")["required"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(
        (&field("cf_order_id")["unique"], &field("owner_id")["required"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(account.api("GET", "settings/sales_accounts/fields", Value::Null).await.0, 200);
    assert_eq!(account.api("GET", "settings/moods/fields", Value::Null).await.0, 404);
}

#[tokio::test]
async fn the_control_shows_every_kind_and_counts_calls() {
    let account = account();
    account.create("deals", json!({"deal": {"name": "x", "amount": 1}})).await;
    for kind in ["companies", "deals", "notes", "activities", "tasks", "lists"] {
        let shown = account.get(&format!("/sandbox/{kind}")).await.json();
        assert_eq!(shown[kind].as_array().map(Vec::len), Some(usize::from(kind == "deals")), "{shown}");
    }
    assert_eq!(account.get("/sandbox/calls").await.body, r#"{"calls":1}"#);
    account.send(request("DELETE", "/sandbox", "")).await;
    assert_eq!((account.sandbox.calls(), account.sandbox.deals().len()), (0, 0));
}
