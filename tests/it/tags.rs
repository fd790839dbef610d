//! Tags of a contact are joined with those that people put there, whatever gets lost on the way.

use std::time::Duration;

use freshsignal::sandbox::SandboxOptions;
use serde_json::{Value, json};

use crate::support::app::{Service, Setup};
use crate::support::wait::eventually;

const MAPPING: &str = r#"
[fields.tags]
from = ["traits.tags"]
convert = "tags"
[events."Lead Generated".fields.tags]
const = ["Lead"]
"#;

async fn tags(service: &Service, wanted: Value) {
    let there = eventually("the contact has these tags", async || {
        service.pass(Duration::from_secs(1));
        let contact = service.crm.sandbox.contact("ann@example.com").unwrap_or_default();
        if contact["tags"] == wanted { Ok(()) } else { Err(contact["tags"].to_string()) }
    });
    there.await;
    // An answer that was lost is repeated after a while.
    let settled = eventually("nothing is owed any more", async || {
        service.pass(Duration::from_secs(5));
        let open = service.status().await["open"].clone();
        let owed = ["waiting", "in_flight", "retrying"].iter().any(|state| open[state] != 0);
        if owed { Err(open.to_string()) } else { Ok(()) }
    });
    settled.await;
    service.settled().await;
}

#[tokio::test]
async fn what_people_put_there_stays_and_what_came_from_here_goes_when_it_is_said_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mapping.toml");
    std::fs::write(&file, MAPPING).unwrap();
    let setup = Setup::new().driven_clock().with("MAPPING__FILE", &file.display().to_string());
    let service = setup.sandbox(SandboxOptions::default()).start().await;
    let says = |tags: Value| {
        let traits = json!({"email": "ann@example.com", "last_name": "Lee", "tags": tags});
        json!({"type": "track", "event": "Lead Generated", "userId": "ann", "context": {"traits": traits}})
    };
    service.send(says(json!(["A"]))).await;
    tags(&service, json!(["Lead", "A"])).await;
    // A person adds one.
    let id = service.crm.sandbox.contact("ann@example.com").unwrap()["id"].as_u64().unwrap();
    let path = format!("http://{}/crm/sales/api/contacts/{id}", service.crm.address);
    let body = json!({"contact": {"tags": ["Lead", "A", "vip"]}});
    let key = "Token token=sandbox-key";
    let changed = service.client.put(path).header("Authorization", key).json(&body).send().await.unwrap();
    assert!(changed.status().is_success());
    service.pass(Duration::from_mins(11));
    service.crm.fault(json!({"path": "/upsert", "reset": true, "apply": true, "times": 1}));
    service.send(says(json!(["B"]))).await;
    tags(&service, json!(["Lead", "vip", "B"])).await;
    let calls = service.crm.calls();
    service.send(says(json!(["B"]))).await;
    service.settled().await;
    assert_eq!(service.crm.calls(), calls, "nothing has changed");
    service.finish().await;
}
