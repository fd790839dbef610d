//! `check --live --probe` of companies, deals and notes against the sandbox: what is measured, and that nothing is left.

use freshsignal::sandbox::{Forbidden, SandboxOptions};

use crate::live_check::{crm, probe};

const DEALS: &str = r#"
[fields.company_name]
from = []
[company]
name = ["traits.company"]
[deals.order]
key = ["properties.order_id"]
key_field = "custom_field.cf_order_id"
name = "{email} order #{key}"
[deals.order.fields.amount]
from = ["properties.total"]
convert = "money"
[events."Order Completed".deal]
kind = "order"
"#;

#[tokio::test]
async fn a_probe_of_deals_measures_what_the_account_makes_of_them_and_leaves_nothing() {
    let crm = crm(SandboxOptions::default()).await;
    let run = probe(&crm, &[], DEALS).await;
    assert_eq!(run.code, 0, "{}{}", run.said, run.complained);
    run.assert_says(&[
        "fine: a company is created by its name, and the same name is the same company",
        "fine: a name and an amount are enough for a deal",
        "fine: the deals of a contact show the key, so one whose answer is lost is found there",
        "fine: the search finds a new deal by its key after 0 s",
        "fine: the test deal is deleted again",
        "fine: a deal that was deleted is answered with 404, so it is left deleted (when_gone)",
        "fine: the user of the key may write notes, and the notes of a contact show them",
        "fine: the test note is deleted again",
        "fine: the test company is deleted again",
        "fine: the test contact is forgotten again",
    ]);
    let sandbox = &crm.sandbox;
    assert!(sandbox.contacts().is_empty() && sandbox.deals().is_empty() && sandbox.companies().is_empty());
}

#[tokio::test]
async fn a_probe_says_what_this_account_demands_of_deals_and_what_the_key_may_not() {
    let demanding = crm(SandboxOptions {
        deal_requires: vec!["sales_account_id".to_owned()],
        ..SandboxOptions::default()
    });
    let demanding = demanding.await;
    let run = probe(&demanding, &[], DEALS).await;
    assert_eq!(run.code, 1);
    run.assert_says(&[
        "wrong: the test deal with a name and an amount was not stored: ",
        "fine: a deal is created with a name, an amount and a company: set company.missing",
        "fine: the test deal is deleted again",
    ]);
    assert!(demanding.sandbox.deals().is_empty() && demanding.sandbox.companies().is_empty());

    let shut = crm(SandboxOptions {
        forbidden: [Forbidden::Deals, Forbidden::Notes].into(),
        ..SandboxOptions::default()
    });
    let run = probe(&shut.await, &[], DEALS).await;
    assert_eq!(run.code, 1);
    run.assert_says(&[
        "wrong: the user of the key may not see deals (403), so all deals of the mapping wait",
        "wrong: the test deal with a name and an amount was not stored: ",
        "note: the test note was not written (403)",
        "fine: the test company is deleted again",
        "fine: the test contact is forgotten again",
    ]);
}
