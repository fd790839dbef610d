//! Customers out of a file: what they would become, and what they become.

use std::path::Path;

use crate::support::app::{Service, WRITE_KEY};
use crate::support::command::{freshsignal, output};

const ROWS: &str = "\u{feff}E-Mail;First Name;Phone;Country;Signed up;Newsletter;Plan\n\
    ann@example.com;Ann;+1 415 555 0142;US;2024-05-01;yes;pro\n\
    bob@example.com;Bob;none at all;DE;2024-05-02 10:00;no;\n\
    ann@example.com;Anna;;;2023-01-01;;\n\
    nobody;Nobody;;;2024-05-03;;\n\
    eve@example.com;Eve;;;soon;;\n";

/// Runs the command on the file with these further arguments.
fn import(file: &Path, further: &[&str], environment: &[(&str, &str)]) -> (i32, String, String) {
    let mut arguments = vec!["import", file.to_str().unwrap()];
    arguments.extend(["--at", "signed up", "--column", "Newsletter=consent.marketing"]);
    arguments.extend(further);
    output(&mut freshsignal(&arguments, environment), "")
}

#[test]
fn what_a_file_would_become_is_said_and_nothing_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("customers.csv");
    std::fs::write(&file, ROWS).unwrap();
    let (code, told, said) = import(&file, &[], &[]);
    assert_eq!((code, said.as_str()), (0, ""), "{told}");
    for line in [
        "rows       5",
        "people     3, by their addresses",
        "column     E-Mail -> traits.email",
        "column     First Name -> traits.first_name",
        "column     Signed up -> when it was",
        "column     Newsletter -> consent.marketing",
        "column     Plan -> traits.plan: no attribute of the mapping reads it; if one is meant: --column \"Plan=traits.…\"",
        "contacts   2, for a service that knows nobody yet",
        "left out   1: mobile_number: this is not a phone number (traits.phone) (line 3)",
        "no contact 1: no date or time stands in the column of --at: it takes 2026-01-31, 31.01.2026, a time after that, or seconds since 1970 (line 6)",
        "no name    2: no last name, and most accounts refuse such a contact; name the column (--column \"HEADER=traits.last_name\"), or set mapping.missing_names = \"from_email\" (line 2, 3)",
        "calls      2 in about 1 h at 450 an hour; 1 with bulk.mode = \"backlog\"",
        "nothing was sent; add --send https://events.example.com to send it",
    ] {
        assert!(told.lines().any(|found| found == line), "{line} is missing in\n{told}");
    }
    assert!(told.contains("(line 5)") && told.contains("\"first_name\":\"Ann\""), "{told}");
}

#[test]
fn a_file_of_another_country_is_told_line_by_line_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kunden.csv");
    let rows = "E-Mail;Nachname;Vorname;Signed up;Newsletter\r\n\
        ann@example.com;Ahn;Ann;31.12.2024;ja\r\n\
        bob@example.com;Bauer;Bob;1.5.2024 10:00;nein\r\n\
        cleo@example.com;Claas;Cleo;2024-05-03;vielleicht\r\n\
        dora@example.com;Dorn;Dora;03/05/2024;ja\r\n";
    std::fs::write(&file, rows).unwrap();
    let visitor = [("SOURCES__SHOP__WRITE_KEY", "key-0123456789"), ("SOURCES__SHOP__TRUST", "visitor")];
    let (code, told, _) = import(&file, &["--column", "Nachname=traits.last_name"], &visitor);
    assert_eq!(code, 0, "{told}");
    for line in [
        "column     Vorname -> traits.vorname: no attribute of the mapping reads it; if one is meant: --column \"Vorname=traits.…\"",
        "contacts   3, for a service that knows nobody yet",
        "consent    1: `vielleicht` in Newsletter is neither a yes nor a no, so it says nothing of consent; write yes or no in the file (line 4)",
        "no contact 1: the date in the column of --at has slashes, so nobody can tell day from month: write it as 2026-01-31 or 31.01.2026 (line 5)",
        "calls      6 in about 1 h at 450 an hour, also with bulk.mode = \"backlog\": the key of the source is a visitor's, so each contact is \
         looked up before its first call; a source with trust = \"server\" needs 3, and 1 in bulk",
    ] {
        assert!(told.lines().any(|found| found == line), "{line} is missing in\n{told}");
    }
    std::fs::write(&file, "E-Mail;Signed up;Newsletter\nann@example.com;soon;ja\n").unwrap();
    let (code, told, said) = import(&file, &[], &[]);
    assert!(code == 1 && said.contains("no row makes a contact"), "{code} {told} {said}");
}

#[test]
fn what_can_not_be_read_is_named_with_its_line_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("customers.csv");
    for (bytes, said) in [
        (&b"name,signed up,newsletter\nAnn,2024-05-01,\n"[..], "no column is an email address"),
        (
            b"email,signed up,newsletter\nann@example.com,2024,\xff\n",
            "line 2 of the file can't be read: it is not UTF-8",
        ),
        (b"email,newsletter\n", "the file has no column called `signed up`"),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let (code, _, told) = import(&file, &[], &[]);
        assert!(code == 2 && told.contains(said), "{code} {told}");
    }
    let (code, _, told) = import(&folder.path().join("none.csv"), &[], &[]);
    assert!(code == 2 && told.contains("can't read"), "{told}");
    std::fs::write(&file, ROWS).unwrap();
    let (code, _, told) = import(&file, &["--send", "http://127.0.0.1:9"], &[]);
    assert!(code == 2 && told.contains("no write key to send with"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_sent_twice_makes_each_contact_once_and_replaces_nothing_newer() {
    let service = Service::start().await;
    let newer = serde_json::json!({"type": "track", "event": "Lead Generated", "userId": "ann", "messageId": "newer",
        "timestamp": "2025-01-01T00:00:00Z", "context": {"traits": {"email": "ann@example.com", "first_name": "Annette"}}});
    service.send(newer).await;
    service.settled().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("customers.csv");
    std::fs::write(&file, ROWS).unwrap();
    let url = service.public_url();
    for time in ["once", "again"] {
        let key = [("SOURCES__WEBSITE__WRITE_KEY", WRITE_KEY)];
        let (code, told, said) = import(&file, &["--send", &url], &key);
        assert_eq!(
            (code, told.as_str()),
            (1, "4 accepted, 0 rejected, 1 rows made no event\n"),
            "{time}: {said}"
        );
        assert!(said.contains("line 6: no date or time"), "{said}");
        service.settled().await;
    }
    let (ann, bob) =
        (service.crm.contact("ann@example.com").unwrap(), service.crm.contact("bob@example.com").unwrap());
    assert_eq!(
        (&ann["first_name"], &ann["mobile_number"]),
        (&"Annette".into(), &"+14155550142".into()),
        "{ann}"
    );
    assert_eq!(
        (&bob["first_name"], &bob["subscription_status"]),
        (&"Bob".into(), &"unsubscribed".into()),
        "{bob}"
    );
    assert_eq!((service.crm.sandbox.contacts().len(), service.crm.calls()), (2, 3));
    let (code, _, said) = import(&file, &["--send", &url], &[("SOURCES__WEBSITE__WRITE_KEY", "another")]);
    assert!(code == 1 && said.contains("401"), "{said}");
    service.finish().await;
}

#[test]
fn where_no_service_is_nothing_is_sent_and_nobody_waits() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("customers.csv");
    std::fs::write(&file, ROWS).unwrap();
    let environment = [("SOURCES__WEBSITE__WRITE_KEY", WRITE_KEY)];
    // Nobody listens at the port of an address that was let go again.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (code, _, said) = import(&file, &["--send", &format!("http://{free}")], &environment);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains(&format!("there is no service at http://{free}/v1/import: ")), "{said}");
    assert!(said.contains("nothing was sent") && !said.contains("sending again"), "{said}");
}
