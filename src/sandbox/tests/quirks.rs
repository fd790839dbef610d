//! What was seen of some accounts and can be switched on.

use super::*;
use crate::sandbox::{Forbidden, Quirk};

fn account_of(quirk: Quirk) -> Account {
    account_with(SandboxOptions { quirks: [quirk].into(), ..SandboxOptions::default() })
}

#[tokio::test]
async fn a_user_without_rights_to_contacts_may_read_the_rest() {
    let account = account_of(Quirk::NoContactRights);
    assert!(account.post(UPSERT, SAM).await.is_error(403, "You are not allowed to perform this action."));
    assert!(account.post(BULK, "{}").await.is_error(403, "You are not allowed to perform this action."));
    assert_eq!(account.get("/crm/sales/api/contacts/filters").await.status, 403);
    assert_eq!(account.get(OWNERS).await.status, 200);
    assert_eq!(account.get("/crm/sales/api/settings/contacts/fields").await.status, 200);
    assert!(account.sandbox.contacts().is_empty());
}

#[tokio::test]
async fn a_status_in_words_becomes_a_number() {
    let account = account_of(Quirk::NumericStatus);
    for (sent, stored) in [(json!("subscribed"), 0), (json!("1"), 1), (json!(4), 4)] {
        account.upsert(json!({"last_name": "Lee", "subscription_status": sent})).await;
        assert_eq!(account.stored().unwrap()["subscription_status"], stored, "{sent}");
    }
    account.sandbox.clear();
    account.upsert(json!({"last_name": "Lee"})).await;
    assert_eq!(account.stored().unwrap()["subscription_status"], 1);
}

#[tokio::test]
async fn some_accounts_answer_200_for_a_new_contact() {
    let account = account_of(Quirk::Always200);
    assert_eq!(account.post(UPSERT, SAM).await.status, 200);
    assert!(account.stored().is_some());
}

#[tokio::test]
async fn an_answer_may_say_what_is_left_of_the_hour() {
    let options = SandboxOptions {
        per_hour: Some(3),
        quirks: [Quirk::RateLimitHeaders].into(),
        ..SandboxOptions::default()
    };
    let account = account_with(options);
    let seen = account.get(OWNERS).await;
    assert_eq!(
        (seen.header("x-ratelimit-limit"), seen.header("x-ratelimit-remaining")),
        (Some("3"), Some("2"))
    );
    assert_eq!(account_with(SandboxOptions::default()).get(OWNERS).await.header("x-ratelimit-limit"), None);
}

#[tokio::test]
async fn a_mandatory_attribute_is_demanded_of_a_new_contact_and_listed() {
    let mandatory = vec!["job_title".to_owned(), "cf_plan".to_owned()];
    let account = account_with(SandboxOptions { mandatory, ..SandboxOptions::default() });
    let seen = account.upsert(json!({"last_name": "Lee"})).await;
    let said =
        json!({"errors": {"code": 400, "message": ["job_title is mandatory", "cf_plan is mandatory"]}});
    assert_eq!((seen.status.as_u16(), seen.json()), (400, said));
    let whole = json!({"last_name": "Lee", "job_title": "CTO", "custom_field": {"cf_plan": "free"}});
    assert_eq!(account.upsert(whole).await.status, 201);
    assert_eq!(account.upsert(json!({"city": "Bonn"})).await.status, 200);
    let listed = account.get("/crm/sales/api/settings/contacts/fields").await.json();
    let required = listed["fields"].as_array().unwrap().iter().filter(|field| field["required"] == true);
    assert_eq!(required.map(|field| field["name"].clone()).collect::<Vec<_>>(), ["job_title", "cf_plan"]);
}

#[tokio::test]
async fn a_dropped_attribute_is_taken_and_not_kept() {
    let dropped = vec!["company_name".to_owned()];
    let account = account_with(SandboxOptions { dropped, ..SandboxOptions::default() });
    assert_eq!(account.post(UPSERT, SAM).await.status, 201);
    let stored = account.stored().unwrap();
    assert_eq!((stored.get("company_name"), &stored["first_name"]), (None, &json!("Sam")));
}

#[tokio::test]
async fn who_owns_contacts_may_be_forbidden_to_a_key_that_writes_them() {
    let forbidden = [Forbidden::Owners].into();
    let account = account_with(SandboxOptions { forbidden, ..SandboxOptions::default() });
    assert!(account.get(OWNERS).await.is_error(403, "You are not authorised to perform this operation."));
    assert_eq!(account.get("/crm/sales/api/contacts/filters").await.status, 200);
    assert_eq!(account.post(UPSERT, SAM).await.status, 201);
}
