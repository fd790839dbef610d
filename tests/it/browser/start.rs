//! The first start without a file: from an empty folder, by the link of the log, to a contact in the sandbox.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use freshsignal::clock::SystemClock;
use freshsignal::freshsales::{Timeouts, http_client};
use freshsignal::sandbox::SandboxOptions;
use serde_json::{Value, json};

use super::debugger::go;
use super::roles::pictures;
use super::shop::loaded;
use crate::support::browser::Browser;
use crate::support::command::{Served, freshsignal, output};
use crate::support::crm::Crm;
use crate::support::site::{Site, page};
use crate::support::wait::{WITHIN, eventually};

/// What it says where it has no settings.
const EMPTY: &str = "until it is set up";
/// Before the code in the link.
const LINK: &str = "good once, and the next start prints another: ";

/// `serve` in this folder with nothing but free ports, and what says that settings are changed on the page.
fn serve(folder: &Path) -> Command {
    let environment =
        [("ADMIN__EDIT", "true"), ("SERVER__LISTEN", "127.0.0.1:0"), ("ADMIN__LISTEN", "127.0.0.1:0")];
    let mut command = freshsignal(&["serve"], &environment);
    command.current_dir(folder);
    command
}

fn link_of(served: &mut Served) -> String {
    let line = served.wait_for("open this link");
    line.split(LINK).nth(1).expect("the line has the link").trim().to_owned()
}

/// The token that `freshsignal token` prints there.
fn token(folder: &Path) -> String {
    let (code, said, wrong) = output(freshsignal(&["token"], &[]).current_dir(folder), "");
    assert_eq!(code, 0, "{wrong}");
    said.trim().to_owned()
}

fn client() -> reqwest::Client {
    http_client(Timeouts { connect: WITHIN, attempt: WITHIN }).unwrap()
}

async fn asked(served: &Served, folder: &Path, path: &str) -> Value {
    let request = client().get(format!("http://{}{path}", served.private));
    request.bearer_auth(token(folder)).send().await.unwrap().json().await.unwrap()
}

async fn enter(served: &Served, code: &str) -> u16 {
    let request = client().post(format!("http://{}/api/setup/session", served.private));
    request.json(&json!({ "code": code })).send().await.unwrap().status().as_u16()
}

/// The keys that are wrong with an account.
async fn refused(served: &Served, folder: &Path, account: Value) -> Vec<String> {
    let request = client().post(format!("http://{}/api/setup/account", served.private));
    let answer = request.bearer_auth(token(folder)).json(&account).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 422, "{account}");
    let answer: Value = answer.json().await.unwrap();
    let problems = answer["problems"].as_array().unwrap().iter();
    problems.map(|problem| problem["key"].as_str().unwrap().to_owned()).collect()
}

/// Whether the step of this title is green.
async fn is_green(browser: &Browser, title: &str) {
    let script =
        format!("return document.querySelector('[data-step={}]')?.classList.contains('done')", json!(title));
    browser.eventually(&format!("the step {title} is green"), &script).await;
}

/// Somebody's shop with this in its head, where a click is a lead of this address.
async fn shop(head: &str, email: &str) -> (Browser, Site) {
    let click = format!(
        "document.getElementById('lead').onclick = () => {{
           datafly.identify('u-' + {0}, {{ email: {0}, first_name: 'Jane', last_name: 'Doe' }});
           datafly.track('Lead Generated', {{}});
         }};",
        json!(email)
    );
    let html = format!(
        "<!doctype html><html lang=en><title>Shop</title>{head}<h1>Shop</h1><button id=lead>Ask us</button>\
         <script>{click}</script>"
    );
    let site = Site::start(vec![page("/", html)]).await;
    let browser = Browser::start().await;
    browser.open(&site.url("/")).await;
    loaded(&browser).await;
    browser.click("#lead").await;
    (browser, site)
}

/// The first step: a key that is refused, then the right one.
async fn account_named(browser: &Browser, crm: &Crm) {
    browser.find("#start-account").await;
    pictures(browser, "start-account").await;
    let address = format!("http://{}", crm.address);
    browser.click("#start-account summary").await;
    for (field, text) in [("#alias", "acme"), ("#api-key", "a-wrong-key"), ("#base-url", address.as_str())] {
        browser.fill(field, text).await;
    }
    browser.click("#start-account .primary").await;
    browser.shows("#start-account", "Freshsales refuses the API key").await;
    pictures(browser, "start-refused").await;
    assert!(browser.complaints().await.iter().all(|line| line.contains("422")));
    browser.fill("#api-key", &SandboxOptions::default().api_key).await;
    browser.click("#start-account .primary").await;
    is_green(browser, "Account").await;
    // The live stream ended with the service, which started again beneath it.
    let complaints = browser.complaints().await;
    assert!(complaints.iter().all(|line| line.contains("/api/stream")), "{complaints:?}");
}

/// The second and third step, after a reload of the page; what is to be pasted.
async fn source_made(browser: &Browser) -> String {
    browser.find("#start-source").await;
    browser.reload().await;
    is_green(browser, "Account").await;
    browser.find("#start-source").await;
    pictures(browser, "start-source").await;
    browser.click("#start-source .primary").await;
    is_green(browser, "Source").await;
    let pasted = browser.text("[data-step='Tag, SDK or form'] pre").await;
    assert!(pasted.contains("tag.js") && !pasted.contains("YOUR_WRITE_KEY"), "{pasted}");
    pictures(browser, "start-paste").await;
    pasted
}

/// A lead is here, and nobody has said yet what becomes of whom nobody asked.
async fn lead_waits(browser: &Browser, served: &Served, folder: &Path) {
    is_green(browser, "Tag, SDK or form").await;
    is_green(browser, "First event").await;
    let look = async || {
        let setup = asked(served, folder, "/api/setup").await;
        if setup["event"]["latest"]["event"] == "Lead Generated" { Ok(setup) } else { Err(setup.to_string()) }
    };
    let setup = eventually("the lead is here", look).await;
    let steps = (&setup["event"]["delivered"], &setup["consent"]["done"]);
    assert_eq!(steps, (&json!(false), &json!(false)), "{setup}");
}

/// The fourth step does not pass without an answer, and the fifth follows from it.
async fn consent_answered(browser: &Browser) {
    browser.click("#start-consent .primary").await;
    let unanswered = "return document.querySelector('#start-consent').matches(':invalid')";
    assert_eq!(browser.run(unanswered).await, json!(true), "it does not pass without an answer");
    pictures(browser, "start-consent").await;
    browser.click("#unasked-2").await;
    browser.click("#start-consent .primary").await;
    is_green(browser, "Consent").await;
    browser.shows("main", "Everything works").await;
    pictures(browser, "start-done").await;
}

/// A backup that was asked for them has its settings and secrets, and a restore puts them back for their owner alone.
fn restored_with_its_settings(folder: &Path) {
    let run = |arguments: &[&str]| {
        let environment = [("ADMIN__EDIT", "true")];
        let (code, said, wrong) = output(freshsignal(arguments, &environment).current_dir(folder), "");
        assert_eq!(code, 0, "{arguments:?}: {wrong}");
        said
    };
    let (data, secrets) = (folder.join("data"), "settings/secrets.json");
    assert!(run(&["backup", "without"]).contains("are not in it: `--with-settings`"));
    assert!(!folder.join("without").join(secrets).exists());
    assert!(run(&["backup", "--with-settings", "with"]).contains("are in it, and the secrets"));
    assert!(run(&["restore", "--replace", "without"]).contains("the backup has no settings of the page"));
    assert!(run(&["backup", "--with-settings", "none"]).contains("no setting was changed on the page"));
    let before = std::fs::read(folder.join("with").join(secrets)).unwrap();
    assert!(run(&["restore", "--replace", "with"]).contains("are back, with the secrets"));
    assert_eq!(std::fs::read(data.join(secrets)).unwrap(), before);
    assert_eq!(std::fs::metadata(data.join(secrets)).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(run(&["verify"]).contains("is sound"));
}

/// Started again it is what it was made, without a file; and with what it exports as one.
async fn starts_again(served: Served, folder: &Path) {
    let exported = asked(&served, folder, "/api/settings/export").await;
    assert_eq!(exported["secrets_left_out"], json!(["freshsales.api_key"]), "{exported}");
    served.signal("TERM");
    assert_eq!(served.ended().0, 0);
    restored_with_its_settings(folder);
    let again = Served::start(&mut serve(folder));
    assert_eq!(asked(&again, folder, "/readyz").await, json!({"status": "ok"}));
    assert_eq!(asked(&again, folder, "/healthz?deep=1").await, json!({"status": "ok"}));
    let setup = asked(&again, folder, "/api/setup").await;
    assert_eq!((&setup["finished"], &setup["open"]), (&json!(true), &json!(false)), "{setup}");
    assert_eq!(enter(&again, "x").await, 403, "no link lets anybody in any more");
    again.signal("TERM");
    assert_eq!(again.ended().0, 0);
    let file = folder.join("freshsignal.toml");
    std::fs::write(&file, exported["configuration"].as_str().unwrap()).unwrap();
    let ports = [("SERVER__LISTEN", "127.0.0.1:0"), ("ADMIN__LISTEN", "127.0.0.1:0")];
    let mut command = freshsignal(&["serve", "--config", "freshsignal.toml"], &ports);
    let by_file = Served::start(command.current_dir(folder));
    let setup = asked(&by_file, folder, "/api/setup").await;
    let said = (&setup["first_start"], &setup["source"]["names"], &setup["account"]["dry_run"]);
    assert_eq!(said, (&json!(false), &json!(["website"]), &json!(false)), "{setup}");
    by_file.signal("TERM");
    assert_eq!(by_file.ended().0, 0);
}

#[tokio::test]
async fn from_an_empty_folder_to_a_contact_in_five_steps() {
    let folder = tempfile::tempdir().unwrap();
    let crm = Crm::start(SandboxOptions::default(), Arc::new(SystemClock::default())).await;
    let mut served = Served::start_saying(&mut serve(folder.path()), EMPTY);
    let browser = Browser::start().await;
    browser.open(&link_of(&mut served)).await;
    browser.shows("h1", "Start").await;
    assert!(browser.url().await.ends_with("/debug#/start"), "the code is not in the address any more");
    account_named(&browser, &crm).await;
    served.wait_for("freshsignal accepts events");
    let secrets = folder.path().join("data/settings/secrets.json");
    assert_eq!(std::fs::metadata(&secrets).unwrap().permissions().mode() & 0o777, 0o600);
    let pasted = source_made(&browser).await;
    let (visitor, _site) = shop(&pasted, "jane@example.com").await;
    lead_waits(&browser, &served, folder.path()).await;
    assert_eq!(crm.calls_to("POST", "contacts/upsert"), 0);
    consent_answered(&browser).await;
    assert_eq!(crm.contact("jane@example.com").unwrap()["subscription_status"], "unsubscribed");
    visitor.close().await;
    go(&browser, "#/settings").await;
    browser.shows("main", "consent.unknown").await;
    browser.close().await;
    starts_again(served, folder.path()).await;
}

/// Whoever routes to what is ready reaches its page, and whoever restarts what is not leaves it alone; an alarm tells.
async fn is_ready_though_unfinished(served: &Served) {
    let answer = async |address: &str, path: &str| {
        let answer = client().get(format!("http://{address}{path}")).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (private, public) = (served.private.clone(), served.public.clone());
    assert_eq!(answer(&public, "/readyz").await, (200, json!({"status": "ok"})), "strangers learn nothing");
    assert_eq!(answer(&private, "/readyz").await, (200, json!({"status": "ok", "setup": "unfinished"})));
    assert_eq!(answer(&private, "/healthz").await, (200, json!({"status": "ok"})));
    let alarm = json!({"status": "alarm", "risks": ["not_set_up"]});
    assert_eq!(answer(&private, "/healthz?deep=1").await, (503, alarm));
}

#[tokio::test]
async fn a_link_is_good_once_and_another_start_makes_another() {
    let folder = tempfile::tempdir().unwrap();
    let code_of = |link: &str| link.rsplit('/').next().unwrap().to_owned();
    let mut served = Served::start_saying(&mut serve(folder.path()), EMPTY);
    let first = code_of(&link_of(&mut served));
    for path in ["/api/setup", "/api/settings", "/api/status"] {
        let answer = client().get(format!("http://{}{path}", served.private)).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 401, "{path}: nothing is shown without the code");
    }
    let event = json!({"type": "track", "event": "x", "userId": "u"});
    let sent = client().post(format!("http://{}/ingest", served.public)).basic_auth("key", Some(""));
    assert_eq!(sent.json(&event).send().await.unwrap().status().as_u16(), 401, "nobody may send yet");
    is_ready_though_unfinished(&served).await;
    assert_eq!((enter(&served, &first[1..]).await, enter(&served, &first).await), (403, 200));
    assert_eq!(enter(&served, &first).await, 403, "it is used up");
    served.signal("TERM");
    assert_eq!(served.ended().0, 0);

    let mut served = Served::start_saying(&mut serve(folder.path()), EMPTY);
    let second = code_of(&link_of(&mut served));
    assert_ne!(first, second);
    let browser = Browser::start().await;
    browser.open(&format!("http://{}/debug#/start/{first}", served.private)).await;
    browser.shows("dialog", "That link lets nobody in").await;
    browser.fill("#token", &token(folder.path())).await;
    browser.click("dialog .primary").await;
    assert_eq!(refused(&served, folder.path(), json!({})).await, ["freshsales.bundle_alias"]);
    let elsewhere = json!({"alias": "acme", "api_key": "key-of-somebody", "base_url": "http://10.0.0.1"});
    assert_eq!(refused(&served, folder.path(), elsewhere).await, ["freshsales.base_url"]);
    browser.click("#try-dry").await;
    is_green(&browser, "Account").await;
    browser.shows("[data-step=Account]", "A dry run").await;
    let setup = asked(&served, folder.path(), "/api/setup").await;
    assert_eq!(
        (&setup["open"], &setup["account"]["dry_run"]),
        (&json!(true), &json!(true)),
        "the account is still to come: {setup}"
    );
    assert_eq!(enter(&served, &second).await, 403, "somebody is in");
    browser.complaints().await;
    browser.close().await;
}
