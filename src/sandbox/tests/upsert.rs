//! What an upsert stores, and what it refuses.

use serde_json::json;

use super::*;

#[tokio::test]
async fn a_new_contact_is_created_with_201_and_answered_as_stored() {
    let seen = account().post(UPSERT, SAM).await;
    assert_eq!(seen.status, 201);
    assert_eq!(seen.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(
        seen.body,
        r#"{"contact":{"id":70054866612,"emails":"sam.lee@example.com","first_name":"Sam","last_name":"Lee","mobile_number":"+14155550142","company_name":"Globex","subscription_status":"subscribed","created_at":"2026-03-01T12:00:00.000Z","updated_at":"2026-03-01T12:00:00.000Z"}}"#
    );
}

#[tokio::test]
async fn a_known_contact_is_updated_with_200_and_keeps_what_is_absent() {
    let account = account();
    account.post(UPSERT, SAM).await;
    account.advance(60);
    let seen = account.upsert(json!({"city": "Springfield", "last_name": "Li"})).await;
    assert_eq!(seen.status, 200);
    let stored = json!({"id": 70_054_866_612_u64, "emails": "sam.lee@example.com", "first_name": "Sam",
        "last_name": "Li", "mobile_number": "+14155550142", "company_name": "Globex",
        "subscription_status": "subscribed", "city": "Springfield",
        "created_at": "2026-03-01T12:00:00.000Z", "updated_at": "2026-03-01T12:01:00.000Z"});
    assert_eq!(seen.json(), json!({"contact": stored}));
    assert_eq!(account.sandbox.contacts(), [stored]);
}

#[tokio::test]
async fn the_same_call_twice_changes_nothing() {
    let account = account();
    let first = account.post(UPSERT, SAM).await;
    let second = account.post(UPSERT, SAM).await;
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (201, 200));
    assert_eq!(first.body, second.body);
}

#[tokio::test]
async fn an_email_is_the_same_contact_whatever_its_case() {
    let account = account();
    account.post(UPSERT, SAM).await;
    let body = json!({"unique_identifier": {"emails": "SAM.Lee@Example.com"}, "contact": {"city": "Bonn"}});
    assert_eq!(account.post(UPSERT, body.to_string()).await.status, 200);
    assert_eq!(account.sandbox.contacts().len(), 1);
    assert_eq!(account.sandbox.contact("Sam.LEE@example.com").unwrap()["city"], "Bonn");
}

#[tokio::test]
async fn ids_count_up() {
    let account = account();
    account.post(UPSERT, named("a@example.com")).await;
    account.post(UPSERT, named("b@example.com")).await;
    let ids: Vec<_> = account.sandbox.contacts().iter().map(|contact| contact["id"].clone()).collect();
    assert_eq!(ids, [json!(70_054_866_612_u64), json!(70_054_866_613_u64)]);
}

#[tokio::test]
async fn a_contact_created_without_an_email_attribute_has_the_one_of_its_identifier() {
    let account = account();
    account.upsert(json!({"first_name": "Sam"})).await;
    assert_eq!(account.stored().unwrap()["emails"], "sam.lee@example.com");
}

#[tokio::test]
async fn a_contact_created_without_a_status_is_subscribed() {
    let account = account();
    account.upsert(json!({"first_name": "Sam"})).await;
    assert_eq!(account.stored().unwrap()["subscription_status"], "subscribed");
}

#[tokio::test]
async fn an_update_without_a_status_leaves_it() {
    let account = account();
    account.upsert(json!({"first_name": "Sam", "subscription_status": 0})).await;
    account.upsert(json!({"city": "Bonn"})).await;
    assert_eq!(account.stored().unwrap()["subscription_status"], 0);
}

#[tokio::test]
async fn a_contact_without_any_name_is_not_created() {
    let account = account();
    for contact in [json!({"city": "Bonn"}), json!({"first_name": "", "last_name": " "})] {
        let seen = account.upsert(contact).await;
        assert!(seen.is_error(422, "First name or last name is mandatory."), "{seen:?}");
    }
    assert_eq!(account.stored(), None);
}

#[tokio::test]
async fn either_name_is_enough() {
    for contact in [json!({"first_name": "Sam"}), json!({"last_name": "Lee"})] {
        assert_eq!(account().upsert(contact).await.status, 201);
    }
}

#[tokio::test]
async fn names_can_be_made_optional() {
    let account = account_with(SandboxOptions { require_names: false, ..SandboxOptions::default() });
    assert_eq!(account.upsert(json!({"city": "Bonn"})).await.status, 201);
}

#[tokio::test]
async fn a_refused_attribute_is_a_400_that_names_it() {
    let long = "é".repeat(256);
    let cases = [
        (json!({"shoe_size": 43}), "shoe_size is not an attribute of a contact"),
        (json!({"id": 7}), "id is not an attribute of a contact"),
        (json!({"city": null}), "city should not be null"),
        (json!({"zipcode": 12345}), "zipcode should be a string"),
        (json!({"owner_id": "Alex"}), "owner_id should be an integer"),
        (json!({"owner_id": "7"}), "owner_id should be an integer"),
        (json!({"lifecycle_stage_id": 1.5}), "lifecycle_stage_id should be an integer"),
        (json!({"job_title": long}), "job_title is too long (maximum is 255 characters)"),
        (json!({"emails": "no address"}), "emails is invalid"),
        (json!({"emails": ["a@example.com"]}), "emails should be a string"),
        (
            json!({"subscription_status": 5}),
            "subscription_status should be a string or an integer from 0 to 4",
        ),
        (json!({"tags": "vip"}), "tags should be a list"),
        (json!({"tags": [null]}), "tags should not be null"),
        (json!({"tags": [{}]}), "tags should be a list of strings or integers"),
        (
            json!({"sales_accounts": [{"name": "Globex"}]}),
            "sales_accounts should be a list of objects with an id",
        ),
        (json!({"sales_accounts": [{"id": "Globex"}]}), "sales_accounts.id should be an integer"),
        (json!({"custom_field": []}), "custom_field should be an object"),
        (json!({"custom_field": null}), "custom_field should not be null"),
        (json!({"custom_field": {"cf_unknown": "x"}}), "cf_unknown is not an attribute of a contact"),
        (json!({"custom_field": {"cf_plan": null}}), "cf_plan should not be null"),
        (json!({"custom_field": {"cf_plan": 1}}), "cf_plan should be a string"),
        (json!({"custom_field": {"cf_lifetime_value": "much"}}), "cf_lifetime_value should be a number"),
        (json!({"custom_field": {"cf_signed_up_on": "soon"}}), "cf_signed_up_on should be a date"),
        (json!({"custom_field": {"cf_newsletter": "yes"}}), "cf_newsletter should be true or false"),
    ];
    let account = account();
    account.post(UPSERT, SAM).await;
    let before = account.stored();
    for (contact, message) in cases {
        let seen = account.upsert(contact).await;
        assert!(seen.is_error(400, message), "{message}: {seen:?}");
    }
    assert_eq!(account.stored(), before);
}

#[tokio::test]
async fn everything_that_is_wrong_is_named_at_once() {
    let seen = account().upsert(json!({"city": null, "x": 1, "custom_field": {"cf_y": 1}})).await;
    assert_eq!(
        seen.body,
        r#"{"errors":{"code":400,"message":["city should not be null","x is not an attribute of a contact","cf_y is not an attribute of a contact"]}}"#
    );
}

#[tokio::test]
async fn every_documented_attribute_is_taken() {
    let contact = json!({"first_name": "Sam", "last_name": "Lee", "emails": "sam.lee@example.com",
        "mobile_number": "+14155550142", "work_number": "+14155550143", "job_title": "CTO", "address": "1 Main St",
        "city": "Springfield", "state": "IL", "zipcode": "62701", "country": "US", "external_id": "user-123",
        "time_zone": "UTC", "facebook": "f", "twitter": "t", "linkedin": "l", "medium": "web", "keyword": "crm",
        "tags": ["vip"], "subscription_status": 1, "subscription_types": [1, 2],
        "territory_id": 70_000_006_001_u64, "lead_source_id": 70_000_004_001_u64, "owner_id": 70_000_012_302_u64,
        "campaign_id": 70_000_005_002_u64, "contact_status_id": 70_000_003_008_u64,
        "lifecycle_stage_id": 70_000_007_003_u64, "sales_accounts": [{"id": 6, "is_primary": true}], "company_name": "Globex",
        "custom_field": {"cf_plan": "pro", "cf_source": "ad", "cf_lifetime_value": 12.5,
            "cf_signed_up_on": "2026-03-01", "cf_newsletter": true, "cf_company_size": "11-50"}});
    let account = account();
    assert_eq!(account.upsert(contact.clone()).await.status, 201);
    let mut stored = account.stored().unwrap();
    for added in ["id", "created_at", "updated_at"] {
        stored.as_object_mut().unwrap().remove(added);
    }
    assert_eq!(stored, contact);
}

#[tokio::test]
async fn text_of_255_characters_is_taken() {
    assert_eq!(account().upsert(json!({"last_name": "é".repeat(255)})).await.status, 201);
}

#[tokio::test]
async fn custom_fields_are_replaced_whole() {
    let account = account();
    let both = json!({"cf_plan": "pro", "cf_source": "ad"});
    account.upsert(json!({"last_name": "Lee", "custom_field": both})).await;
    account.upsert(json!({"custom_field": {"cf_plan": "free"}})).await;
    assert_eq!(account.stored().unwrap()["custom_field"], json!({"cf_plan": "free"}));
}

#[tokio::test]
async fn a_text_that_is_no_choice_of_a_dropdown_is_dropped_without_a_word() {
    let account = account();
    let custom = json!({"cf_company_size": "huge", "cf_plan": "pro"});
    let seen = account.upsert(json!({"last_name": "Lee", "custom_field": custom})).await;
    assert_eq!(seen.status, 201);
    assert_eq!(seen.json()["contact"]["custom_field"], json!({"cf_plan": "pro"}));
}

#[tokio::test]
async fn two_contacts_may_have_one_mobile_number() {
    let account = account();
    account.post(UPSERT, SAM).await;
    let other = SAM.replace("sam.lee", "kim");
    assert_eq!(account.post(UPSERT, other).await.status, 201);
}

#[tokio::test]
async fn a_contact_can_move_to_a_free_email_but_not_to_a_taken_one() {
    let account = account();
    account.post(UPSERT, SAM).await;
    account.post(UPSERT, named("kim@example.com")).await;
    let seen = account.upsert(json!({"emails": "KIM@example.com"})).await;
    assert!(seen.is_error(400, "Email is not unique"), "{seen:?}");
    let seen = account.upsert(json!({"emails": "sam@example.org"})).await;
    assert_eq!((seen.status.as_u16(), &seen.json()["contact"]["id"]), (200, &json!(70_054_866_612_u64)));
    assert_eq!(account.stored(), None);
    assert_eq!(account.sandbox.contact("sam@example.org").unwrap()["first_name"], "Sam");
}

#[tokio::test]
async fn a_body_of_another_shape_is_refused() {
    let account = account();
    let no_email = "unique_identifier.emails should be a string";
    let cases = [
        ("{}", no_email),
        ("[]", no_email),
        (r#"{"unique_identifier":{"emails":7},"contact":{}}"#, no_email),
        (r#"{"unique_identifier":{"emails":"a@example.com"}}"#, "contact should be an object"),
        (r#"{"unique_identifier":{"emails":"a@example.com"},"contact":[]}"#, "contact should be an object"),
        (r#"{"unique_identifier":{"emails":"a"},"contact":{}}"#, "emails is invalid"),
        ("", "The body is no JSON: EOF while parsing a value at line 1 column 0"),
        ("{", "The body is no JSON: EOF while parsing an object at line 1 column 1"),
    ];
    for (body, message) in cases {
        let seen = account.post(UPSERT, body).await;
        assert!(seen.is_error(400, message), "{body}: {seen:?}");
    }
}
