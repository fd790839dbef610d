//! `check --live` against the sandbox: what is wrong with an account is said, and what to do about it.

use std::collections::BTreeSet;
use std::sync::Arc;

use freshsignal::clock::SystemClock;
use freshsignal::sandbox::{Forbidden, Quirk, RecordedRequest, SandboxOptions};
use serde_json::{Value, json};

use crate::support::command::{freshsignal, output};
use crate::support::crm::Crm;
use crate::support::process::{Connection, post_request};

pub const KEY: &str = "canary-live-key-4711";

/// What a run said: exit code, standard output, standard error.
pub struct Run {
    pub code: i32,
    pub said: String,
    pub complained: String,
}

impl Run {
    /// A line of the result that begins so.
    fn says(&self, begin: &str) -> bool {
        self.said.lines().any(|line| line.starts_with(begin))
    }

    pub fn assert_says(&self, lines: &[&str]) {
        for line in lines {
            assert!(self.says(line), "not said: {line}\n{}\n{}", self.said, self.complained);
        }
    }
}

pub async fn crm(options: SandboxOptions) -> Crm {
    let options = SandboxOptions { api_key: KEY.to_owned(), ..options };
    Crm::start(options, Arc::new(SystemClock::default())).await
}

/// The command against a CRM, with more keys and arguments; a mapping file where one is wanted.
async fn check(crm: &Crm, arguments: &[&str], more: &[(&str, &str)], mapping: &str) -> Run {
    let before = crm.calls();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mapping.toml");
    std::fs::write(&file, mapping).unwrap();
    let mut environment = vec![
        ("SOURCES__WEBSITE__WRITE_KEY".to_owned(), "it-write-key".to_owned()),
        ("FRESHSALES__BUNDLE_ALIAS".to_owned(), "acme".to_owned()),
        ("FRESHSALES__API_KEY".to_owned(), KEY.to_owned()),
        ("FRESHSALES__BASE_URL".to_owned(), format!("http://{}", crm.address)),
        ("STORE__PATH".to_owned(), folder.path().join("data").display().to_string()),
        ("MAPPING__FILE".to_owned(), file.display().to_string()),
    ];
    environment.extend(more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    let arguments: Vec<String> =
        ["check"].iter().chain(arguments).map(|argument| (*argument).to_owned()).collect();
    let ran = tokio::task::spawn_blocking(move || {
        let pairs: Vec<(&str, &str)> =
            environment.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        output(&mut freshsignal(&arguments, &pairs), "")
    });
    let (code, said, complained) = ran.await.unwrap();
    assert!(!said.contains(KEY) && !complained.contains(KEY), "{said}{complained}");
    let most = if mapping.contains("[deals.") { 36 } else { 16 };
    assert!(crm.calls() - before <= most, "{} calls", crm.calls() - before);
    Run { code, said, complained }
}

pub async fn live(crm: &Crm, more: &[(&str, &str)], mapping: &str) -> Run {
    check(crm, &["--live"], more, mapping).await
}

pub async fn probe(crm: &Crm, more: &[(&str, &str)], mapping: &str) -> Run {
    check(crm, &["--live", "--probe"], more, mapping).await
}

fn quirks(quirks: &[Quirk]) -> BTreeSet<Quirk> {
    quirks.iter().copied().collect()
}

#[tokio::test]
async fn an_account_that_fits_is_fine_and_nothing_was_written() {
    let crm = crm(SandboxOptions::default()).await;
    let run = live(&crm, &[], "").await;
    assert_eq!(run.code, 0, "{}{}", run.said, run.complained);
    run.assert_says(&[
        "the configuration is complete",
        "fine: alias and key are right; contacts may be given to 2 users",
        "note: Freshsales does not say how many calls the account has; 1000 an hour are assumed, set allowance.plan",
        "fine: the account has every field of the mapping and wants none beside them",
        "fine: the user of the key may see contacts; only `check --live --probe` shows whether it may also create and edit them",
        "calls of the account's allowance used: 3 (16 at the most)",
    ]);
    let methods: BTreeSet<String> = crm.sandbox.requests().into_iter().map(|call| call.method).collect();
    assert_eq!(methods, BTreeSet::from(["GET".to_owned()]));
    assert_eq!(crm.calls(), 3);
}

#[tokio::test]
async fn a_report_that_is_shown_to_others_names_neither_account_nor_contact_nor_field() {
    let crm = crm(SandboxOptions::default()).await;
    let mapping = "[fields.\"custom_field.cf_colour\"]\nfrom = [\"traits.colour\"]";
    let run = check(&crm, &["--live", "--probe", "--report"], &[], mapping).await;
    assert_eq!(run.code, 1, "{}{}", run.said, run.complained);
    let (said, shared) = run.said.split_once("To be shown to others").unwrap();
    assert!(said.contains("cf_colour"), "{said}");
    for line in [
        "an account of the kind suite, 8 calls",
        "- fine: alias and key are right",
        "- fine: stored as sent:",
        "cf_(field)",
    ] {
        assert!(shared.contains(line), "{line}: {shared}");
    }
    for name in ["acme", "cf_colour", "example.com", "127.0.0.1", "@"] {
        assert!(!shared.contains(name), "{name}: {shared}");
    }
}

#[tokio::test]
async fn lists_of_contacts_are_looked_for_where_the_account_has_them() {
    const LISTS: &str = include_str!("../fixtures/told/lists.toml");
    let crm = crm(SandboxOptions::default()).await;
    let run = live(&crm, &[], LISTS).await;
    assert_eq!(run.code, 1, "{}{}", run.said, run.complained);
    assert!(run.said.contains("the account has no list `Newsletter`"), "{}", run.said);
    let authorization = format!("Token token={KEY}");
    let mut connection = Connection::open(crm.address).await.unwrap();
    for name in (0..105).map(|number| format!("Fair {number}")).chain(["Newsletter".to_owned()]) {
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        let list = json!({ "list": { "name": name } }).to_string();
        let made = connection.ask(&post_request("/crm/sales/api/lists", &headers, &list)).await.unwrap();
        assert!(matches!(made.status, 200 | 201), "{}", made.status);
    }
    let before = crm.calls();
    let run = live(&crm, &[], LISTS).await;
    assert_eq!(run.code, 0, "{}{}", run.said, run.complained);
    run.assert_says(&["fine: the account has every name that stands in the mapping"]);
    assert_eq!(crm.calls() - before, 5, "two pages of lists");
}

#[tokio::test]
async fn a_key_that_may_not_see_owners_and_may_see_contacts_is_right() {
    let crm =
        crm(SandboxOptions { forbidden: [Forbidden::Owners].into(), ..SandboxOptions::default() }).await;
    let run = live(&crm, &[], "[fields.owner_id]\nconst = 1").await;
    assert_eq!(run.code, 0, "{}{}", run.said, run.complained);
    run.assert_says(&[
        "fine: alias and key are right; the key may not see the users of the account (403 to selector/owners)",
        "fine: the user of the key may see contacts",
        "calls of the account's allowance used: 3 (16 at the most)",
    ]);
    let quirks = quirks(&[Quirk::NoContactRights]);
    let forbidden = [Forbidden::Owners].into();
    let shut = self::crm(SandboxOptions { forbidden, quirks, ..SandboxOptions::default() }).await;
    let run = live(&shut, &[], "").await;
    assert_eq!((run.code, shut.calls()), (1, 2), "{}{}", run.said, run.complained);
    run.assert_says(&["wrong: the key is known, but its user may not use the API (403)"]);
}

#[tokio::test]
async fn without_live_nobody_is_asked() {
    let crm = crm(SandboxOptions::default()).await;
    let run = check(&crm, &[], &[], "").await;
    assert_eq!((run.code, run.said.as_str()), (0, "the configuration is complete\n"));
    assert_eq!(crm.calls(), 0);
}

#[tokio::test]
async fn a_probe_needs_live_a_live_mode_and_a_key() {
    let crm = crm(SandboxOptions::default()).await;
    assert_eq!(check(&crm, &["--probe"], &[], "").await.code, 2);
    let dry = probe(&crm, &[("FRESHSALES__MODE", "dry_run")], "").await;
    assert_eq!(dry.code, 2);
    assert!(dry.complained.contains("freshsales.mode"), "{}", dry.complained);
    let keyless = live(&crm, &[("FRESHSALES__MODE", "dry_run"), ("FRESHSALES__API_KEY", "")], "").await;
    assert_eq!(keyless.code, 2);
    assert!(keyless.complained.contains("freshsales.api_key"), "{}", keyless.complained);
    assert_eq!(crm.calls(), 0);
}

#[tokio::test]
async fn a_key_or_an_alias_that_is_wrong_is_named_after_one_call() {
    let crm = crm(SandboxOptions::default()).await;
    let run = live(&crm, &[("FRESHSALES__API_KEY", "another-key")], "").await;
    assert_eq!(run.code, 1);
    run.assert_says(&[
        "wrong: Freshsales refuses the API key (401)",
        "calls of the account's allowance used: 1 ",
    ]);
    assert_eq!(crm.calls(), 1);

    let run = live(&crm, &[("FRESHSALES__BUNDLE_ALIAS", "acne")], "").await;
    assert_eq!(run.code, 1);
    run.assert_says(&["wrong: Freshsales has no account at this address (404): set freshsales.bundle_alias"]);
    assert_eq!(crm.calls(), 2);
}

#[tokio::test]
async fn every_bad_answer_to_the_first_question_has_a_sentence() {
    let crm = crm(SandboxOptions::default()).await;
    let table: [(Value, &str); 7] = [
        (
            json!({"location": "https://login.example.com"}),
            "wrong: Freshsales has no account at this address (302)",
        ),
        (json!({"html": true}), "wrong: a web page came back in place of an answer (200)"),
        (json!({"body": "[]"}), "wrong: the answer (200) is not one of Freshsales"),
        (json!({"body": "not json {"}), "wrong: the answer (200) is not one of Freshsales"),
        (
            json!({"retry_after": 120}),
            "wrong: the calls of the account are used up now (429: Too Many Requests): wait as it asks (Retry-After 120)",
        ),
        (json!({"status": 500, "html": true}), "wrong: Freshsales can't answer now (500): try again"),
        (json!({"reset": true}), "wrong: Freshsales does not answer ("),
    ];
    for (fault, sentence) in table {
        crm.sandbox.clear();
        crm.fault(fault);
        let run = live(&crm, &[], "").await;
        assert_eq!(run.code, 1, "{}", run.said);
        run.assert_says(&[sentence]);
        assert_eq!(crm.calls(), 1);
    }
}

#[tokio::test]
async fn what_the_account_says_of_its_allowance_is_compared() {
    let options = SandboxOptions {
        per_hour: Some(1_000),
        quirks: quirks(&[Quirk::RateLimitHeaders]),
        ..SandboxOptions::default()
    };
    let crm = crm(options).await;
    let fits = live(&crm, &[], "").await;
    assert_eq!(fits.code, 0, "{}", fits.said);
    fits.assert_says(&[
        "fine: Freshsales says that the account has 1000 calls an hour, 999 of them are left now",
    ]);
    let less = live(&crm, &[("ALLOWANCE__PLAN", "pro")], "").await;
    assert_eq!(less.code, 1);
    assert!(less.said.contains("and 2000 are configured: set allowance.per_hour = 1000"), "{}", less.said);
    let more = live(&crm, &[("ALLOWANCE__PER_HOUR", "500")], "").await;
    assert_eq!(more.code, 0);
    assert!(more.said.contains("allowance.per_hour = 1000 would use them all"), "{}", more.said);
}

#[tokio::test]
async fn fields_the_account_lacks_wants_otherwise_or_demands_are_named() {
    let options = SandboxOptions {
        mandatory: vec!["last_name".to_owned(), "cf_source".to_owned()],
        ..SandboxOptions::default()
    };
    let crm = crm(options).await;
    let mapping = r#"
        [fields."custom_field.cf_colour"]
        from = ["traits.colour"]
        [fields."custom_field.cf_lifetime_value"]
        from = ["traits.ltv"]
        [fields."custom_field.cf_company_size"]
        from = ["traits.size"]
        values = { small = "1-10", huge = "1000+" }
        [fields.shoe_size]
        from = ["traits.shoes"]
        [fields.owner_id]
        const = 7
    "#;
    let run = live(&crm, &[], mapping).await;
    assert_eq!(run.code, 1);
    run.assert_says(&[
        r#"wrong: fields."custom_field.cf_colour": the account has no custom field cf_colour"#,
        r#"wrong: fields."custom_field.cf_lifetime_value": the account's field "Lifetime value" wants a number: set convert = "number""#,
        r#"wrong: fields."custom_field.cf_company_size": "1000+" is no option of the account's field "Company size", and would be dropped without a word: it takes "1-10", "11-50", "51-200", "201+""#,
        "wrong: fields.shoe_size: contacts of the account have no attribute shoe_size",
        r#"wrong: fields.owner_id: 7 is no option of the account's field "Sales owner""#,
        r#"wrong: "Source" is mandatory in the account and nothing is sent for it, so every new contact is refused: map it ([fields."custom_field.cf_source"]"#,
        r#"note: "Last name" is mandatory in the account: a new contact for whom it is not known"#,
        "calls of the account's allowance used: 3 ",
    ]);
    assert!(run.complained.contains("6 things are wrong with the account"), "{}", run.complained);
}

#[tokio::test]
async fn names_that_the_account_does_not_have_are_named_with_those_it_has() {
    let crm = crm(SandboxOptions::default()).await;
    let mapping = r#"
        [fields.lifecycle_stage]
        forward_only = true
        [fields.owner]
        const = "kim@example.com"
        [fields.lead_source]
        const = "web"
        [events."Order Completed".fields.lifecycle_stage]
        const = "Subscriber"
    "#;
    let run = live(&crm, &[], mapping).await;
    assert_eq!(run.code, 1, "{}", run.said);
    run.assert_says(&[
        "wrong: lifecycle_stage: the account has no lifecycle stage `Subscriber`; it has Lead, Sales Qualified Lead, Customer: contacts \
         go without it",
        "wrong: owner: the account has no user with this email: contacts go without it",
        "fine: the account has every field of the mapping and wants none beside them",
        "calls of the account's allowance used: 5 (16 at the most)",
    ]);
    let right = mapping.replace("kim@example.com", "Alex.Kim@example.com").replace("Subscriber", "customer");
    let run = live(&crm, &[], &right).await;
    assert_eq!(run.code, 0, "{}", run.said);
    run.assert_says(&["fine: the account has every name that stands in the mapping"]);
}

#[tokio::test]
async fn owners_that_the_key_may_not_see_are_no_verdict_on_names_or_key() {
    let forbidden = [Forbidden::Owners].into();
    let crm = crm(SandboxOptions { forbidden, ..SandboxOptions::default() }).await;
    let run = live(&crm, &[], "[fields.owner]\nfrom = [\"traits.manager\"]").await;
    assert_eq!(run.code, 0, "{}", run.said);
    run.assert_says(&[
        "note: the key may not see selector/owners (403), so names that are looked up in it are left out",
    ]);
}

#[tokio::test]
async fn what_deals_of_the_account_demand_and_lack_is_named() {
    let options = SandboxOptions {
        deal_requires: vec!["sales_account_id".to_owned(), "cf_region".to_owned()],
        ..SandboxOptions::default()
    };
    let crm = crm(options).await;
    let mapping = r#"
        [deals.order]
        forward_only = true
        key = ["properties.order_id"]
        key_field = "custom_field.cf_number"
        name = "Order #{key}"
        [deals.order.fields.amount]
        from = ["properties.total"]
        convert = "money"
        [events."Order Completed".deal]
        kind = "order"
        stage = "Won"
    "#;
    let run = live(&crm, &[], mapping).await;
    assert_eq!(run.code, 1, "{}{}", run.said, run.complained);
    run.assert_says(&[
        r#"wrong: "Account" (sales_account_id) is mandatory for deals of the account and [deals.order] sends nothing for it"#,
        r#"wrong: "Region" (cf_region) is mandatory for deals of the account and [deals.order] sends nothing for it"#,
        "wrong: [deals.order]: deals of the account have no custom field cf_number",
    ]);
}

#[tokio::test]
async fn rights_to_some_calls_alone_are_told_apart() {
    let crm = crm(SandboxOptions::default()).await;
    crm.fault(json!({"status": 403, "path": "settings"}));
    let run = live(&crm, &[], "").await;
    assert_eq!(run.code, 0, "{}", run.said);
    run.assert_says(&["note: the user of the key may not read the list of contact fields (403)"]);

    crm.fault(json!({"body": {"fields": "none"}, "path": "settings"}));
    let run = live(&crm, &[], "").await;
    run.assert_says(&["note: the answer to the question for the contact fields is no list of them"]);

    crm.sandbox.clear();
    crm.fault(json!({"status": 403, "path": "filters"}));
    let run = live(&crm, &[], "").await;
    assert_eq!(run.code, 1);
    run.assert_says(&["wrong: the user of the key may not see contacts (403): give its role the right"]);
}

#[tokio::test]
async fn a_probe_writes_reads_and_forgets_one_contact() {
    let crm = crm(SandboxOptions::default()).await;
    let run = probe(&crm, &[], "").await;
    assert_eq!(run.code, 0, "{}{}", run.said, run.complained);
    run.assert_says(&[
        "fine: the user of the key may create contacts (the answer was 201)",
        "fine: stored as sent: company_name, first_name, last_name, mobile_number, work_number",
        r#"fine: consent.unsubscribed = "unsubscribed" is stored as "unsubscribed""#,
        "fine: the user of the key may edit contacts",
        r#"fine: consent.subscribed = "subscribed" is stored as "subscribed""#,
        "fine: the test contact is forgotten again",
        "calls of the account's allowance used: 8 (16 at the most)",
    ]);
    assert!(!run.said.contains("--probe"), "who probes is not told to: {}", run.said);
    assert!(crm.sandbox.contacts().is_empty());
    let written: Vec<Value> = crm
        .sandbox
        .requests()
        .iter()
        .filter(|call| call.method == "POST")
        .map(RecordedRequest::json)
        .collect();
    let address = written[0]["contact"]["emails"].as_str().unwrap();
    assert!(address.starts_with("freshsignal-probe-") && address.ends_with("@example.com"), "{address}");
    assert!(run.complained.contains(address), "told before it is written: {}", run.complained);
    assert_eq!(written[0]["contact"]["last_name"], "Probe (may be deleted)");
    let change = json!({"emails": address, "subscription_status": "subscribed"});
    assert_eq!(written[1]["contact"], change, "a change of the status alone");
}

#[tokio::test]
async fn a_probe_says_which_keys_to_set() {
    let options = SandboxOptions {
        dropped: vec!["company_name".to_owned()],
        mandatory: vec!["cf_plan".to_owned(), "cf_company_size".to_owned(), "cf_newsletter".to_owned()],
        quirks: quirks(&[Quirk::NumericStatus, Quirk::Always200]),
        ..SandboxOptions::default()
    };
    let crm = crm(options).await;
    let mapping = r#"
        [fields."custom_field.cf_plan"]
        const = "free"
        [fields."custom_field.cf_company_size"]
        const = "1-10"
        [fields."custom_field.cf_newsletter"]
        const = false
    "#;
    let run = probe(&crm, &[], mapping).await;
    assert_eq!(run.code, 1, "{}", run.said);
    run.assert_says(&[
        r#"note: consent.subscribed = "subscribed" is not what the account calls an option of subscription_status (Unsubscribed is 0, Subscribed is 1"#,
        "fine: the user of the key may create contacts; Freshsales answers 200 for a new one too",
        "wrong: company_name is not in the stored contact: the account keeps companies elsewhere",
        r#"fine: consent.unsubscribed = "unsubscribed" is stored as 0"#,
        r#"wrong: consent.subscribed = "subscribed" is stored as 0, which means something else: set consent.subscribed = "1""#,
        "fine: the test contact is forgotten again",
    ]);
    crm.sandbox.clear();
    let numbers = [("CONSENT__SUBSCRIBED", "1"), ("CONSENT__UNSUBSCRIBED", "0")];
    let run = probe(&crm, &numbers, &format!("{mapping}\n[fields.company_name]\nfrom = []")).await;
    assert_eq!(run.code, 0, "{}", run.said);
    run.assert_says(&[
        "fine: consent.subscribed = 1 is stored as 1",
        "fine: consent.unsubscribed = 0 is stored as 0",
    ]);
}

#[tokio::test]
async fn a_probe_that_may_not_write_says_which_right_is_missing() {
    let crm =
        crm(SandboxOptions { quirks: quirks(&[Quirk::NoContactRights]), ..SandboxOptions::default() }).await;
    let run = probe(&crm, &[], "").await;
    assert_eq!(run.code, 1);
    run.assert_says(&[
        "wrong: the user of the key may not see contacts (403)",
        "wrong: the user of the API key may not edit contacts (403): give the role of the key's user the right",
        "calls of the account's allowance used: 4 ",
    ]);
}

#[tokio::test]
async fn a_test_contact_that_stays_behind_is_named() {
    let crm = crm(SandboxOptions::default()).await;
    crm.fault(json!({"status": 403, "path": "forget"}));
    let run = probe(&crm, &[], "").await;
    assert_eq!(run.code, 1);
    let id = crm.sandbox.contacts()[0]["id"].to_string();
    let line = run.said.lines().find(|line| line.contains("could not be forgotten")).unwrap();
    assert!(
        line.contains("(403: Forbidden)") && line.contains(&id) && line.contains("@example.com"),
        "{line}"
    );

    crm.sandbox.clear();
    crm.fault(json!({"hang": true, "apply": true, "path": "upsert"}));
    let run = probe(&crm, &[("FRESHSALES__ATTEMPT_TIMEOUT_SECONDS", "1")], "").await;
    assert_eq!(run.code, 1);
    run.assert_says(&["wrong: no whole answer within 1 s: try again; it may have been written all the same: look for freshsignal-probe-"]);

    crm.sandbox.clear();
    crm.fault(json!({"status": 201, "body": "{}", "apply": true, "path": "upsert"}));
    let run = probe(&crm, &[], "").await;
    assert_eq!(run.code, 1);
    assert!(run.said.contains("did not say under which id"), "{}", run.said);
}

#[tokio::test]
async fn a_refused_probe_says_why_and_where_to_look() {
    let crm = crm(SandboxOptions::default()).await;
    let body = json!({"errors": {"code": 400, "message": ["subscription_status is invalid"]}});
    crm.fault(json!({"status": 400, "body": body, "path": "upsert"}));
    let run = probe(&crm, &[], "").await;
    assert_eq!(run.code, 1);
    run.assert_says(&[
        r#"wrong: the test contact was refused: subscription_status is invalid: set consent.subscribed = "1" and consent.unsubscribed = "0""#,
    ]);
    assert!(crm.sandbox.contacts().is_empty());
}
