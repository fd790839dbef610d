//! What Freshsales has beside what would be written: by an export of it, and by asking the account.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::app::{Service, Setup};
use crate::support::command::{freshsignal, output};

/// A lead of each of these, in the file that is compared.
fn events(folder: &Path, people: &[(&str, &str, &str)]) -> PathBuf {
    let event = |(email, name, phone): &(&str, &str, &str)| {
        let traits = json!({"email": email, "first_name": name, "phone": phone});
        json!({"type": "track", "event": "Lead Generated", "userId": email, "context": {"traits": traits}})
            .to_string()
    };
    let file = folder.join("events.jsonl");
    std::fs::write(&file, people.iter().map(event).collect::<Vec<_>>().join("\n")).unwrap();
    file
}

fn compare(events: &Path, further: &[&str], environment: &[(&str, &str)]) -> (i32, String, String) {
    let mut arguments = vec!["compare", events.to_str().unwrap()];
    arguments.extend(further);
    output(&mut freshsignal(&arguments, environment), "")
}

const PEOPLE: [(&str, &str, &str); 3] = [
    ("ann@example.com", "Ann", "+1 415 555 0142"),
    ("bob@example.com", "Bob", "+49 30 901820"),
    ("eve@example.com", "Eve", ""),
];

#[test]
fn an_export_is_compared_by_address_and_each_attribute_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let file = events(folder.path(), &PEOPLE);
    let export = folder.path().join("contacts.csv");
    let rows = "\u{feff}Emails,First name,Mobile,Country,Fax\n\
        \"ann@example.com, old@example.com\",Ann,+14155550142,US,1\nBOB@example.com,Robert,,DE,\nzoe@example.com,Zoe,,,\n";
    std::fs::write(&export, rows).unwrap();
    let (code, told, said) = compare(&file, &["--with", export.to_str().unwrap()], &[]);
    assert_eq!((code, said.as_str()), (0, ""), "{told}");
    for line in [
        "events     3",
        "contacts   3 would be written",
        "export     3 contacts",
        "same       1",
        "different  1",
        "new        1: Freshsales does not have them",
        "first_name                              1          1           0             0",
        "mobile_number                           1          0           1             0",
        "country                                 0          0           0             2",
        "nothing of the mapping is written to: Fax",
        "bob@example.com",
        "  first_name                     theirs \"Robert\", ours \"Bob\"",
        "  mobile_number                  theirs nothing, ours \"+4930901820\"",
    ] {
        assert!(told.lines().any(|found| found == line), "{line} is missing in\n{told}");
    }
    let (code, told, _) = compare(&file, &["--json", "--with", export.to_str().unwrap()], &[]);
    let lines: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let named: Vec<_> = lines.iter().map(|line| (line["email"].as_str(), line["in"].as_str())).collect();
    assert_eq!(code, 0);
    let expected =
        [("ann@example.com", "both"), ("bob@example.com", "both"), ("eve@example.com", "ours_alone")];
    assert_eq!(named, expected.map(|(email, presence)| (Some(email), Some(presence))));
    assert_eq!(lines[1]["different"], json!({"first_name": {"theirs": "Robert", "ours": "Bob"}}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_account_is_asked_only_after_it_was_said_how_many_calls_that_is() {
    let service = Setup::new().start().await;
    let lead = json!({"type": "track", "event": "Lead Generated", "userId": "ann", "context": {"traits":
        {"email": "ann@example.com", "first_name": "Anne", "phone": "+14155550142"}}});
    service.send(lead).await;
    service.settled().await;
    let made = service.crm.calls();
    let folder = tempfile::tempdir().unwrap();
    let file = events(folder.path(), &PEOPLE);
    let account = account(&service);
    let account: Vec<(&str, &str)> = account.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let (code, told, _) = compare(&file, &["--live"], &account);
    assert_eq!(code, 0);
    assert!(told.starts_with("3 contacts take 6 calls at the most, of the 1000"), "{told}");
    assert!(told.ends_with("nothing was asked. Add --calls-max 6 to ask\n"), "{told}");
    assert_eq!(service.crm.calls(), made);
    let (code, told, said) = compare(&file, &["--live", "--calls-max", "4"], &account);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("asking with 4 calls at the most"), "{said}");
    for line in [
        "same       0",
        "different  1",
        "new        1: Freshsales does not have them",
        "not asked  1",
        "  first_name                     theirs \"Anne\", ours \"Ann\"",
    ] {
        assert!(told.lines().any(|found| found == line), "{line} is missing in\n{told}");
    }
    assert_eq!(service.crm.calls(), made + 3, "one that is not there takes no second call");
    let (code, _, said) = compare(&file, &["--live", "--calls-max", "1001"], &account);
    assert!(code == 2 && said.contains("the account has 1000 an hour"), "{said}");
    let wrong: Vec<(&str, &str)> =
        account.iter().copied().filter(|(key, _)| *key != "FRESHSALES__API_KEY").collect();
    let wrong = [wrong, vec![("FRESHSALES__API_KEY", "another-key")]].concat();
    let (code, _, said) = compare(&file, &["--live", "--calls-max", "6"], &wrong);
    assert!(code == 1 && said.contains("the account was not asked further"), "{said}");
    service.finish().await;
}

fn account(service: &Service) -> [(&'static str, String); 3] {
    let options = freshsignal::sandbox::SandboxOptions::default();
    [
        ("FRESHSALES__BUNDLE_ALIAS", options.bundle_alias),
        ("FRESHSALES__API_KEY", options.api_key),
        ("FRESHSALES__BASE_URL", format!("http://{}", service.crm.address)),
    ]
}
