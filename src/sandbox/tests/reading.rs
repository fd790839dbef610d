//! The routes that read, and forgetting.

use super::*;

#[tokio::test]
async fn the_owners_are_listed() {
    let seen = account().get(OWNERS).await;
    assert_eq!(
        seen.body,
        r#"{"users":[{"id":70000012301,"display_name":"Alex Kim","email":"alex.kim@example.com","is_active":true},{"id":70000012302,"display_name":"Maria Silva","email":"maria.silva@example.com","is_active":true}]}"#
    );
}

#[tokio::test]
async fn the_fields_are_listed_with_the_custom_ones_and_their_choices() {
    let listed = account().get("/crm/sales/api/settings/contacts/fields").await.json();
    let fields = listed["fields"].as_array().unwrap();
    let field = |name: &str| fields.iter().find(|field| field["name"] == name).unwrap();
    assert_eq!(fields.len(), 35);
    assert_eq!(
        *field("first_name"),
        json!({"id": 70_000_614_001_u64, "name": "first_name", "label": "First name", "type": "text",
            "required": false, "unique": false, "default": true, "choices": []})
    );
    assert_eq!(field("emails")["unique"], true);
    assert_eq!(field("cf_plan")["default"], false);
    assert_eq!(field("cf_lifetime_value")["label"], "Lifetime value");
    assert_eq!(
        *field("cf_company_size"),
        json!({"id": 70_000_614_035_u64, "name": "cf_company_size", "label": "Company size", "type": "dropdown",
            "required": false, "unique": false, "default": false, "choices": [{"id": 1, "value": "1-10"},
            {"id": 2, "value": "11-50"}, {"id": 3, "value": "51-200"}, {"id": 4, "value": "201+"}]})
    );
}

#[tokio::test]
async fn a_contact_is_looked_up_by_email() {
    let account = account();
    account.post(UPSERT, SAM).await;
    let lookup = |query: &str| format!("/crm/sales/api/lookup?{query}");
    let found = account.get(&lookup("q=SAM.lee%40example.com&f=email&entities=contact")).await;
    assert_eq!(found.json(), json!({"contacts": {"contacts": [account.stored().unwrap()]}}));
    let none = account.get(&lookup("q=kim%40example.com&f=email&entities=sales_account,contact")).await;
    assert_eq!(none.body, r#"{"contacts":{"contacts":[]}}"#);
    let field = "f should be a field that those entities are looked up by";
    assert!(account.get(&lookup("q=x&f=name&entities=contact")).await.is_error(400, field));
    let entities = "entities should name contact, sales_account or deal";
    assert!(account.get(&lookup("q=x&f=email")).await.is_error(400, entities));
}

#[tokio::test]
async fn a_contact_is_read_by_its_id() {
    let account = account();
    account.post(UPSERT, SAM).await;
    let seen = account.get("/crm/sales/api/contacts/70054866612").await;
    assert_eq!((seen.status.as_u16(), seen.json()), (200, json!({"contact": account.stored().unwrap()})));
    for id in ["70054866613", "x", ""] {
        let seen = account.get(&format!("/crm/sales/api/contacts/{id}")).await;
        assert!(seen.is_error(404, "There is nothing here."), "{id}");
    }
}

#[tokio::test]
async fn a_view_lists_contacts_a_page_at_a_time() {
    let account = account();
    for n in 0..5 {
        account.post(UPSERT, named(&format!("p{n}@example.com"))).await;
    }
    let filters = account.get("/crm/sales/api/contacts/filters").await.json();
    let view = format!("/crm/sales/api/contacts/view/{}", filters["filters"][0]["id"]);
    let page = account.get(&format!("{view}?page=2&per_page=2")).await.json();
    assert_eq!(page["meta"], json!({"total_pages": 3, "total": 5}));
    let emails: Vec<_> = page["contacts"].as_array().unwrap().iter().map(|c| c["emails"].clone()).collect();
    assert_eq!(emails, ["p2@example.com", "p3@example.com"]);
    assert_eq!(account.get(&view).await.json()["contacts"].as_array().unwrap().len(), 5);
    assert_eq!(account.get(&format!("{view}?page=9")).await.json()["contacts"], json!([]));
    assert_eq!(account.get(&format!("{view}?page=x")).await.status, 400);
}

#[tokio::test]
async fn a_forgotten_contact_is_gone_and_its_id_is_not_given_again() {
    let account = account();
    account.post(UPSERT, SAM).await;
    let forget = || request("DELETE", "/crm/sales/api/contacts/70054866612/forget", "");
    let seen = account.send(forget()).await;
    assert_eq!((seen.status.as_u16(), seen.body.as_str()), (200, "true"));
    assert_eq!(account.stored(), None);
    assert_eq!(account.send(forget()).await.status, 404);
    account.post(UPSERT, SAM).await;
    assert_eq!(account.stored().unwrap()["id"], 70_054_866_613_u64);
}

#[tokio::test]
async fn any_other_route_is_a_404_in_json() {
    for path in
        ["/", "/contacts/upsert", "/crm/sales/api", "/crm/sales/api/leads", "/crm/sales/api/contacts/upsert/"]
    {
        assert!(account().get(path).await.is_error(404, "There is nothing here."), "{path}");
    }
}

#[tokio::test]
async fn another_method_is_a_405_that_names_the_right_one() {
    let seen = account().get(UPSERT).await;
    assert!(seen.is_error(405, "This takes POST only."), "{seen:?}");
    assert_eq!(seen.header("allow"), Some("POST"));
}
