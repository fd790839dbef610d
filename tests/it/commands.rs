//! The real binary: what each command takes, prints and exits with.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::command::{Served, freshsignal, output};

const SECRET_KEY: &str = "canary-api-key-4711";
const NOTHING: &[(&str, &str)] = &[];

/// What `serve` and `check` need, on ports that the system chooses.
fn complete(folder: &Path) -> Vec<(&str, &str)> {
    vec![
        ("SOURCES__WEBSITE__WRITE_KEY", "canary-write-key-4711"),
        ("FRESHSALES__BUNDLE_ALIAS", "acme"),
        ("FRESHSALES__API_KEY", SECRET_KEY),
        ("FRESHSALES__MODE", "dry_run"),
        ("SERVER__LISTEN", "127.0.0.1:0"),
        ("ADMIN__LISTEN", "127.0.0.1:0"),
        ("STORE__PATH", folder.to_str().unwrap()),
    ]
}

#[test]
fn version_and_help_are_results_and_wrong_arguments_are_not() {
    let (code, stdout, stderr) = output(&mut freshsignal(&["--version"], NOTHING), "");
    let version = concat!("freshsignal ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, version, ""));
    let (code, stdout, _) = output(&mut freshsignal(&["--help"], NOTHING), "");
    assert_eq!(code, 0);
    for command in [
        "serve", "demo", "check", "map", "hook", "import", "compare", "plan", "export", "health", "token",
        "sandbox", "backup", "restore", "verify", "store",
    ] {
        assert!(stdout.contains(&format!("  {command} ")), "{command}: {stdout}");
    }
    let wrong: [&[&str]; 5] =
        [&[], &["fly"], &["serve", "--fast"], &["check", "--config"], &["demo", "--port", "x"]];
    for arguments in wrong {
        let (code, stdout, stderr) = output(&mut freshsignal(arguments, NOTHING), "");
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}: {stderr}");
        assert!(!stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn moving_a_store_needs_the_configuration_of_nodes_and_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("to");
    let to = to.to_str().unwrap();
    for way in ["export", "import"] {
        let (code, stdout, stderr) =
            output(&mut freshsignal(&["store", way, to], &complete(folder.path())), "");
        assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
        assert!(
            stderr.contains("store.kind is \"sqlite\": this needs the configuration of the nodes"),
            "{stderr}"
        );
        let (code, _, stderr) = output(&mut freshsignal(&["store", way], NOTHING), "");
        assert_eq!(code, 2, "{stderr}");
        let away = [
            ("STORE__KIND", "postgres"),
            ("STORE__URL", "postgres://u:canary-password@127.0.0.1:9/d"),
            ("STORE__TLS", "off"),
        ];
        std::fs::create_dir_all(folder.path().join("to")).unwrap();
        let (code, _, stderr) = output(&mut freshsignal(&["store", way, to], &away), "");
        let expected = if way == "export" { 74 } else { 2 };
        assert_eq!(code, expected, "{stderr}");
        assert!(!stderr.contains("canary-password"), "{stderr}");
    }
}

#[test]
fn copies_of_a_data_folder_are_none_of_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup");
    let path = folder.path().join("data");
    let database = [
        ("STORE__KIND", "postgres"),
        ("STORE__URL", "postgres://u:canary-password@127.0.0.1:9/d"),
        ("STORE__PATH", path.to_str().unwrap()),
    ];
    for arguments in
        [vec!["backup", backup.to_str().unwrap()], vec!["restore", backup.to_str().unwrap()], vec!["verify"]]
    {
        let (code, stdout, stderr) = output(&mut freshsignal(&arguments, &database), "");
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains("store.kind is \"postgres\": the data is in the database"), "{stderr}");
        assert!(!stderr.contains("canary-password") && !path.exists() && !backup.exists(), "{arguments:?}");
    }
}

#[test]
fn map_decides_a_line_for_a_line_and_remembers_people() {
    let lines = [
        json!({"type": "identify", "userId": "u", "messageId": "a", "traits": {"email": "u@example.com", "name": "Uma May"}})
            .to_string(),
        json!({"type": "track", "event": "Lead Generated", "userId": "u", "messageId": "b"}).to_string(),
        json!({"type": "page", "userId": "u", "messageId": "c"}).to_string(),
        "no json".to_owned(),
        json!({"type": "page", "messageId": "e"}).to_string(),
        String::new(),
        json!({"type": "identify", "userId": "u", "messageId": "f", "traits": {"city": "Rome"}}).to_string(),
    ];
    let (code, stdout, stderr) = output(&mut freshsignal(&["map"], NOTHING), lines.join("\n"));
    assert_eq!((code, stderr.as_str()), (1, "events that would be rejected: 2\n"));
    let decided: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seen: Vec<(&str, &str)> = decided
        .iter()
        .map(|line| (line["message_id"].as_str().unwrap(), line["outcome"].as_str().unwrap()))
        .collect();
    let expected = [
        ("a", "person_updated"),
        ("b", "queued"),
        ("c", "unchanged"),
        ("line-4", "rejected"),
        ("line-5", "rejected"),
        ("f", "queued"),
    ];
    assert_eq!(seen, expected, "{stdout}");
    assert_eq!(
        decided[1]["payload"].to_string(),
        r#"{"unique_identifier":{"emails":"u@example.com"},"contact":{"emails":"u@example.com","first_name":"Uma","last_name":"May"}}"#
    );
    assert_eq!(decided[5]["payload"]["contact"], json!({"emails": "u@example.com", "city": "Rome"}));
    assert!(decided.iter().all(|line| !line["reason"].as_str().unwrap().is_empty()), "{stdout}");
}

#[test]
fn map_names_a_line_that_is_not_utf_8_and_goes_on() {
    let lines: [&[u8]; 6] = [
        b"\xef\xbb\xbf{\"type\":\"page\",\"userId\":\"u\",\"messageId\":\"a\"}",
        b"",
        b"{\"type\":\"page\",\"userId\":\"Ren\xe9\"}\r",
        b"\xff\xfe",
        b"  ",
        b"{\"type\":\"page\",\"userId\":\"u\",\"messageId\":\"f\"}",
    ];
    let (code, stdout, stderr) = output(&mut freshsignal(&["map"], NOTHING), lines.join(&b'\n'));
    assert_eq!((code, stderr.as_str()), (1, "events that would be rejected: 2\n"));
    let decided: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: Vec<&str> = decided.iter().map(|line| line["message_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["a", "line-3", "line-4", "f"]);
    assert_eq!(decided[1]["outcome"], "rejected");
    assert_eq!(decided[1]["reason"], "malformed_body: line 3 is not UTF-8; its first wrong byte is at 29");
    assert_eq!(decided[2]["reason"], "malformed_body: line 4 is not UTF-8; its first wrong byte is at 1");
}

#[test]
fn map_reads_a_file_and_names_one_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.jsonl");
    std::fs::write(&file, "{\"type\":\"page\",\"userId\":\"u\",\"messageId\":\"m\"}\n").unwrap();
    let (code, stdout, _) = output(&mut freshsignal(&["map", file.to_str().unwrap()], NOTHING), "");
    let decided: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &decided["outcome"], &decided["payload"]), (0, &json!("no_email"), &Value::Null));
    let (code, _, stderr) = output(&mut freshsignal(&["map", "no/such/file"], NOTHING), "");
    assert_eq!(code, 2);
    assert!(stderr.contains("no/such/file"), "{stderr}");
}

#[test]
fn check_is_content_with_a_complete_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = output(&mut freshsignal(&["check"], &complete(folder.path())), "");
    assert_eq!((code, stdout.as_str()), (0, "the configuration is complete\n"), "{stderr}");
}

#[test]
fn check_names_every_problem_and_no_secret() {
    let wrong = [
        ("SOURCES__WEBSITE__WRITE_KEY", "canary-write-key-4711"),
        ("SOURCES__WEBSITE__COLOUR", "red"),
        ("FRESHSALES__API_KEY", SECRET_KEY),
        ("FRESHSALES__ATTEMPT_TIMEOUT_SECONDS", "soon"),
        ("ADMIN__TOKEN", "canary-short"),
        ("DELIVERY__SEND", "twice"),
        ("ALLOWANCE__PLAN", "gold"),
        ("NO__SUCH_KEY", "1"),
    ];
    let (code, _, stderr) = output(&mut freshsignal(&["check"], &wrong), "");
    assert_eq!(code, 2, "{stderr}");
    for key in [
        "sources.website.colour",
        "freshsales.attempt_timeout_seconds",
        "delivery.send",
        "allowance.plan",
        "no",
    ] {
        assert!(stderr.contains(key), "{key}: {stderr}");
    }
    assert!(!stderr.contains("canary"), "{stderr}");

    // What can be read may still make no sense; that is named at once too.
    let senseless = [
        ("FRESHSALES__API_KEY", "Token token=canary"),
        ("FRESHSALES__BUNDLE_ALIAS", "acme.freshsales.io"),
        ("ADMIN__TOKEN", "canary-short"),
        ("ALLOWANCE__RESERVE_PERCENT", "100"),
        ("DELIVERY__CONCURRENCY_MAX", "0"),
    ];
    let (code, _, stderr) = output(&mut freshsignal(&["check"], &senseless), "");
    assert_eq!(code, 2, "{stderr}");
    for key in ["admin.token", "allowance.reserve_percent", "delivery.concurrency_max"] {
        assert!(stderr.contains(key), "{key}: {stderr}");
    }
    assert!(!stderr.contains("canary"), "{stderr}");
}

#[test]
fn serve_without_what_it_needs_names_it_and_exits_2() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    let mut environment = complete(&path);
    environment.retain(|(key, _)| !key.starts_with("SOURCES") && *key != "FRESHSALES__BUNDLE_ALIAS");
    let (code, stdout, stderr) = output(&mut freshsignal(&["serve"], &environment), "");
    assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
    assert!(stderr.contains("sources") && stderr.contains("freshsales.bundle_alias"), "{stderr}");
    assert!(!path.exists(), "nothing was touched");
}

#[test]
fn a_configuration_file_that_is_not_there_is_named() {
    for command in ["serve", "check", "map", "health", "token"] {
        let arguments = [command, "--config", "no/such/file.toml"];
        let (code, _, stderr) = output(&mut freshsignal(&arguments, NOTHING), "");
        assert_eq!(code, 2, "{command}: {stderr}");
        assert!(stderr.contains("no/such/file.toml"), "{command}: {stderr}");
    }
}

#[test]
fn serve_stops_on_sigterm_and_on_sigint_with_exit_0() {
    for signal in ["TERM", "INT"] {
        let folder = tempfile::tempdir().unwrap();
        let mut served = Served::start(&mut freshsignal(&["serve"], &complete(folder.path())));
        served.signal("HUP");
        served.wait_for("the configuration was reloaded");
        served.signal(signal);
        let (code, said) = served.ended();
        assert_eq!(code, 0, "{signal}: {said}");
        assert!(said.contains("every accepted event is on disk"), "{said}");
        assert!(!said.contains('\u{1b}'), "no colours where nobody watches: {said}");
    }
}

#[test]
fn health_tells_whether_the_service_of_this_machine_is_ready() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&mut freshsignal(&["serve"], &complete(folder.path())));
    let (code, _, stderr) = output(&mut freshsignal(&["health"], &[("ADMIN__LISTEN", &served.private)]), "");
    assert_eq!(code, 0, "{stderr}");
    let address = served.private.clone();
    served.signal("TERM");
    assert_eq!(served.ended().0, 0);
    let (code, _, stderr) = output(&mut freshsignal(&["health"], &[("ADMIN__LISTEN", &address)]), "");
    assert_eq!(code, 1);
    assert!(stderr.contains(&address), "{stderr}");
}

#[test]
fn token_prints_the_token_made_at_first_start_and_the_log_never_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = [("STORE__PATH", folder.path().to_str().unwrap())];
    let (code, stdout, stderr) = output(&mut freshsignal(&["token"], &path), "");
    assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
    assert!(stderr.contains("no token was made yet"), "{stderr}");

    std::fs::write(folder.path().join("admin-token"), "a-token-that-was-made-at-first-start-before\n")
        .unwrap();
    let (code, stdout, _) = output(&mut freshsignal(&["token"], &path), "");
    assert_eq!((code, stdout.as_str()), (0, "a-token-that-was-made-at-first-start-before\n"));
}

#[test]
fn demo_once_shows_the_example_and_exits_0() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = freshsignal(&["demo", "--once"], NOTHING);
    command.env("TMPDIR", folder.path()).stdin(Stdio::null());
    let (code, stdout, stderr) = output(&mut command, "");
    assert_eq!(code, 0, "{stderr}");
    let payload = r#"{"unique_identifier":{"emails":"sam.lee@example.com"},"contact":{"emails":"sam.lee@example.com","first_name":"Sam","last_name":"Lee","mobile_number":"+14155550142","company_name":"Globex","subscription_status":"subscribed"}}"#;
    assert!(stdout.contains(payload), "{stdout}");
    assert!(stdout.contains("/crm/sales/api/contacts/upsert") && stdout.contains("201"), "{stdout}");
    assert!(
        stdout.contains("/crm/sales/api/deals") && stdout.contains(r#""cf_order_id":"A-1000""#),
        "{stdout}"
    );
    assert!(stdout.contains("\ncalls     4: one for the contact, one for the deal"), "{stdout}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "its data is deleted");
}
