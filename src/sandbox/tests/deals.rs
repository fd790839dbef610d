//! Deals: what they need, where they stand, how they are found.

use super::*;

const NEW: u64 = 70_000_002_001;
const WON: u64 = 70_000_002_006;
const PIPELINE: u64 = 70_000_001_001;

fn order(key: &str) -> Value {
    json!({"deal": {"name": format!("Order {key}"), "amount": 5600, "custom_field": {"cf_order_id": key}}})
}

#[tokio::test]
async fn a_deal_is_created_in_the_first_stage_and_its_amount_reads_back_as_text() {
    let account = account();
    let (status, answer) = account.api("POST", "deals", order("A-1")).await;
    assert_eq!(status, 201);
    assert_eq!(
        answer["deal"],
        json!({"id": 70_022_000_001_u64, "name": "Order A-1", "amount": "5600.0", "deal_pipeline_id": PIPELINE,
            "deal_stage_id": NEW, "stage_updated_time": "2026-03-01T12:00:00.000Z",
            "custom_field": {"cf_order_id": "A-1"}, "created_at": "2026-03-01T12:00:00.000Z",
            "updated_at": "2026-03-01T12:00:00.000Z"})
    );
    let (status, shown) = account.api("GET", "deals/70022000001", Value::Null).await;
    assert_eq!((status, &shown), (200, &answer));
}

#[tokio::test]
async fn a_deal_that_is_won_says_when() {
    let account = account();
    let id = account.create("deals", order("A-1")).await;
    account.advance(86_400);
    let change = json!({"deal": {"deal_stage_id": WON}});
    let (status, answer) = account.api("PUT", &format!("deals/{id}"), change).await;
    assert_eq!(status, 200);
    assert_eq!(answer["deal"]["closed_date"], "2026-03-02");
    assert_eq!(answer["deal"]["stage_updated_time"], "2026-03-02T12:00:00.000Z");
    assert_eq!(answer["deal"]["amount"], "5600.0");
    let change = json!({"deal": {"deal_stage_id": NEW}});
    let (_, answer) = account.api("PUT", &format!("deals/{id}"), change).await;
    assert_eq!(answer["deal"]["closed_date"], Value::Null);
}

#[tokio::test]
async fn what_a_deal_lacks_or_names_wrongly_is_a_400_that_says_so() {
    let requires = vec!["sales_account_id".to_owned(), "cf_region".to_owned()];
    let options = SandboxOptions { deal_requires: requires, ..SandboxOptions::default() };
    let account = account_with(options);
    let company = account.create("sales_accounts", json!({"sales_account": {"name": "Globex"}})).await;
    let cases = [
        (json!({}), "name is mandatory"),
        (json!({"name": " ", "amount": 1}), "name is blank"),
        (json!({"name": "x", "amount": "much"}), "amount should be a number"),
        (json!({"name": "x", "amount": 1, "deal_stage_id": 7}), "Invalid deal stage provided."),
        (json!({"name": "x", "amount": 1, "deal_stage_id": "Won"}), "deal_stage_id should be an integer"),
        (json!({"name": "x", "amount": 1, "owner_id": 7}), "Invalid owner provided."),
        (json!({"name": "x", "amount": 1, "cf_order_id": "A"}), "cf_order_id is not an attribute of a deal"),
        (json!({"name": "x", "amount": 1, "sales_account_id": company}), "cf_region is mandatory"),
    ];
    for (deal, message) in cases {
        let (status, answer) = account.api("POST", "deals", json!({ "deal": deal })).await;
        assert_eq!((status, &answer["errors"]["message"][0]), (400, &json!(message)), "{deal}");
    }
    let whole = |company: Value| json!({"deal": {"name": "x", "amount": 1, "sales_account_id": company, "custom_field": {"cf_region": "EU"}}});
    let (_, answer) = account.api("POST", "deals", whole(json!(7))).await;
    assert_eq!(answer["errors"]["message"][0], "sales_account_id names nothing of this account");
    account.create("deals", whole(json!(company))).await;
}

#[tokio::test]
async fn an_unknown_deal_is_a_404_with_a_code_whatever_is_done_to_it() {
    let account = account();
    for (method, path) in
        [("GET", "deals/7"), ("PUT", "deals/7"), ("DELETE", "deals/7"), ("DELETE", "deals/7/forget")]
    {
        let (status, answer) = account.api(method, path, order("A-1")).await;
        assert_eq!((status, &answer["errors"]["code"]), (404, &json!(404)), "{method} {path}");
    }
    let upsert = json!({"unique_identifier": {"id": 7}, "deal": {"amount": 1}});
    assert_eq!(account.api("POST", "deals/upsert", upsert).await.0, 404);
}

#[tokio::test]
async fn a_deal_can_be_upserted_by_its_id_and_deleted() {
    let account = account();
    let id = account.create("deals", order("A-1")).await;
    let upsert = json!({"unique_identifier": {"id": id}, "deal": {"amount": 12.5}});
    assert_eq!(account.api("POST", "deals/upsert", upsert).await.1["deal"]["amount"], "12.5");
    let path = format!("/crm/sales/api/deals/{id}");
    assert_eq!(account.send(request("DELETE", &path, "")).await.status, 204);
    assert_eq!(account.put(&path, &order("A-1")).await.status, 404);
    let next = account.create("deals", order("A-2")).await;
    assert_eq!(next, id + 1);
}

#[tokio::test]
async fn the_contacts_of_a_deal_are_added_and_shown_from_both_sides() {
    let account = account();
    account.post(UPSERT, SAM).await;
    let sam = account.stored().unwrap()["id"].clone();
    let id = account.create("deals", order("A-1")).await;
    let link = json!({"deal": {"contacts_added_list": [sam]}});
    assert_eq!(account.api("PUT", &format!("deals/{id}"), link.clone()).await.0, 200);
    assert_eq!(account.api("PUT", &format!("deals/{id}"), link).await.0, 200);
    assert_eq!(account.sandbox.deals()[0]["contact_ids"], json!([sam]));
    let (_, shown) = account.api("GET", &format!("contacts/{sam}?include=deals"), Value::Null).await;
    assert_eq!(shown["deals"][0]["custom_field"]["cf_order_id"], "A-1");
    let (_, shown) =
        account.api("GET", &format!("deals/{id}?include=contacts,deal_stage,owner"), Value::Null).await;
    assert_eq!(shown["contacts"][0]["emails"], "sam.lee@example.com");
    assert_eq!(shown["deal_stages"][0]["name"], "New");
    assert_eq!(shown["users"], json!([]));
    let (status, _) =
        account.api("PUT", &format!("deals/{id}"), json!({"deal": {"contacts_added_list": [7]}})).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn a_company_is_made_along_with_a_deal_that_names_it() {
    let account = account();
    let deal = json!({"deal": {"name": "x", "amount": 1, "sales_account": {"name": "Globex"}}});
    account.create("deals", deal.clone()).await;
    account.create("deals", deal).await;
    let companies = account.sandbox.companies();
    assert_eq!(companies.len(), 1);
    assert!(account.sandbox.deals().iter().all(|deal| deal["sales_account_id"] == companies[0]["id"]));
}

#[tokio::test]
async fn no_two_deals_share_a_unique_field() {
    let unique = Some("cf_order_id".to_owned());
    let account = account_with(SandboxOptions { unique_deal_field: unique, ..SandboxOptions::default() });
    let id = account.create("deals", order("A-1")).await;
    let (status, answer) = account.api("POST", "deals", order("A-1")).await;
    assert_eq!((status, &answer["errors"]["message"][0]), (400, &json!("cf_order_id is not unique")));
    assert_eq!(account.api("PUT", &format!("deals/{id}"), order("A-1")).await.0, 200);
}

#[tokio::test]
async fn a_stage_alone_takes_a_deal_to_its_pipeline() {
    let stages = json!([{"id": 9, "name": "Open", "forecast_type": "Open"}]);
    let own = json!({"id": 8, "name": "Renewals", "deal_stages": stages});
    let account = account();
    let mut pipelines = account.sandbox.selector("deal_pipelines").unwrap();
    pipelines.push(own);
    account.sandbox.set_selector("deal_pipelines", pipelines);
    let id = account.create("deals", json!({"deal": {"name": "x", "amount": 1, "deal_stage_id": 9}})).await;
    assert_eq!(account.sandbox.deals()[0]["deal_pipeline_id"], 8);
    let both = json!({"deal": {"deal_stage_id": NEW, "deal_pipeline_id": 8}});
    let (_, answer) = account.api("PUT", &format!("deals/{id}"), both).await;
    assert_eq!(answer["errors"]["message"][0], "deal_stage_id is no stage of deal_pipeline_id");
    let (_, moved) =
        account.api("PUT", &format!("deals/{id}"), json!({"deal": {"deal_stage_id": NEW}})).await;
    assert_eq!(moved["deal"]["deal_pipeline_id"], PIPELINE);
}

#[tokio::test]
async fn a_search_shows_less_than_a_record_and_lags_where_it_is_told_to() {
    let lag = Duration::from_secs(30);
    let account = account_with(SandboxOptions { search_lag: lag, ..SandboxOptions::default() });
    let deal = json!({"deal": {"name": "Order A-1", "amount": 1, "owner_id": 70_000_012_301_u64,
        "custom_field": {"cf_order_id": "A-1"}}});
    let id = account.create("deals", deal).await;
    let lookup = "lookup?q=a-1&f=cf_order_id&entities=deal";
    assert_eq!(account.api("GET", lookup, Value::Null).await.1, json!({"deals": {"deals": []}}));
    account.advance(30);
    assert_eq!(account.api("GET", lookup, Value::Null).await.1["deals"]["deals"][0]["id"], id);
    let rules =
        json!({"filter_rule": [{"attribute": "deal_stage_id", "operator": "is_in", "value": [NEW, WON]}]});
    let (_, found) = account.api("POST", "filtered_search/deal?per_page=100&page=1", rules).await;
    assert_eq!(found["meta"], json!({"total_pages": 1, "total": 1}));
    assert_eq!(found["deals"][0]["name"], "Order A-1");
    assert_eq!(
        (&found["deals"][0]["owner_id"], &found["deals"][0]["deal_stage_id"]),
        (&Value::Null, &Value::Null)
    );
    let (_, found) = account.api("GET", "search?q=order&include=deal,contact", Value::Null).await;
    assert_eq!(found[0], json!({"id": id.to_string(), "type": "deal", "name": "Order A-1", "email": null}));
    let (_, view) = account.api("GET", "deals/view/1?include=deal_reason", Value::Null).await;
    assert_eq!(view["deals"][0]["owner_id"], Value::Null);
    let (_, view) = account.api("GET", "deals/view/1?include=owner", Value::Null).await;
    assert_eq!(view["users"][0]["email"], "alex.kim@example.com");
    let odd = json!({"filter_rule": [{"attribute": "name", "operator": "sounds_like", "value": "x"}]});
    assert_eq!(account.api("POST", "filtered_search/deal", odd).await.0, 400);
}
