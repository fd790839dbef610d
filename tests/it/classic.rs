//! An account of the older product, Freshsales Classic: another host, other paths, the same contacts, deals and notes.

use freshsignal::sandbox::SandboxOptions;
use serde_json::json;

use crate::live_check::{KEY, crm, live};
use crate::support::app::Setup;
use crate::support::command::{freshsignal, output};
use crate::support::events::{identify_sam, lead_of_sam};
use crate::told::Site;

const CLASSIC: (&str, &str) = ("FRESHSALES__KIND", "classic");

fn classic() -> SandboxOptions {
    SandboxOptions { classic: true, ..SandboxOptions::default() }
}

#[tokio::test]
async fn a_lead_becomes_a_contact_with_its_note_and_no_call_goes_to_a_path_of_the_suite() {
    let setup = Setup::new().with(CLASSIC.0, CLASSIC.1);
    let site = Site::open(setup, classic()).await;
    site.lead(1, "demo").await;
    let notes = site.notes("the note is there", |notes| notes.len() == 1).await;
    assert_eq!(notes[0]["targetable_type"], "Contact");
    site.service.settled().await;
    let paths: Vec<String> = site.service.crm.sandbox.requests().into_iter().map(|call| call.path).collect();
    assert!(paths.iter().any(|path| path == "/api/contacts/upsert"), "{paths:?}");
    assert!(paths.iter().any(|path| path == "/api/notes"), "{paths:?}");
    assert!(paths.iter().all(|path| path.starts_with("/api/")), "{paths:?}");
    site.service.finish().await;
}

#[tokio::test]
async fn a_kind_that_is_wrong_blocks_every_call_and_loses_nothing() {
    let service = Setup::new().with(CLASSIC.0, CLASSIC.1).start().await;
    service.send_all(vec![identify_sam(), lead_of_sam()]).await;
    let status = service.until("it is blocked", |status| status["destination"]["state"] == "blocked").await;
    assert_eq!(status["open"]["waiting"].as_u64().unwrap() + status["open"]["retrying"].as_u64().unwrap(), 1);
    service.order("/api/pause", json!({})).await;
    service.finish().await;
}

#[tokio::test]
async fn a_check_says_when_an_account_may_be_of_the_other_kind() {
    let suite = crm(SandboxOptions::default()).await;
    let run = live(&suite, &[CLASSIC], "").await;
    assert_eq!(run.code, 1, "{}{}", run.said, run.complained);
    run.assert_says(&["wrong: Freshsales has no account at this address (404)"]);
    assert!(run.said.contains("set freshsales.kind = \"suite\""), "{}", run.said);

    let older = crm(classic()).await;
    let run = live(&older, &[], "").await;
    assert!(run.said.contains("set freshsales.kind = \"classic\""), "{}", run.said);
    let run = live(&older, &[CLASSIC], "").await;
    assert_eq!(run.code, 0, "{}{}", run.said, run.complained);
    run.assert_says(&["fine: alias and key are right", "fine: the account has every field of the mapping"]);
}

#[test]
fn calls_of_many_contacts_are_refused_where_none_are_known() {
    let environment = [
        ("SOURCES__WEBSITE__WRITE_KEY", "it-write-key"),
        ("FRESHSALES__BUNDLE_ALIAS", "https://acme.freshsales.io/contacts"),
        ("FRESHSALES__API_KEY", KEY),
        CLASSIC,
        ("BULK__MODE", "backlog"),
    ];
    let (code, _, complained) = output(&mut freshsignal(&["check"], &environment), "");
    assert_eq!(code, 2, "{complained}");
    let refused = "bulk.mode = \"backlog\": \"off\" where freshsales.kind is \"classic\"";
    assert!(complained.contains(refused), "{complained}");
    let (code, said, complained) = output(&mut freshsignal(&["check"], &environment[..4]), "");
    assert_eq!(code, 0, "{said}{complained}");
}
