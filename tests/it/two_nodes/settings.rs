//! Nodes with other settings: they take events and say so, and do not take over from one that may come back.

use std::sync::Arc;

use freshsignal::clock::SystemClock;
use freshsignal::sandbox::{Sandbox, SandboxOptions};
use serde_json::{Value, json};

use super::{TAKEN_OVER_WITHIN, node};
use crate::crash::load;
use crate::support::cluster;
use crate::support::process::{Connection, Served, Service, until};

async fn stands(node: &Service) -> Value {
    let answer = Connection::open(node.private).await.unwrap().get("/readyz").await.unwrap();
    assert_eq!(answer.status, 200, "it takes events");
    serde_json::from_slice::<Value>(&answer.body).unwrap()["work"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_other_settings_says_so_and_works_by_them_once_the_other_one_hands_over() {
    let Some(cluster) = cluster::private() else { return };
    let sandbox = Sandbox::new(SandboxOptions::default(), Arc::new(SystemClock::default()));
    let crm = Served::start(sandbox.router()).await;
    let folder = tempfile::tempdir().unwrap();
    let named = |name: &str| node(folder.path(), name, (cluster, "apart"), &crm);
    let (old, new) = (named("old"), named("new").with("CONSENT__UNKNOWN", "hold"));
    let also_new = named("also-new").with("CONSENT__UNKNOWN", "hold");
    let (works, apart) = (old.start().await, new.start().await);
    until("it to know", TAKEN_OVER_WITHIN, async || stands(&apart).await == "other_settings").await;
    assert_eq!(stands(&works).await, "works");
    let status = apart.ask("/api/status").await;
    assert_eq!(status["node"]["apart"], json!(["consent"]), "{}", status["node"]);
    let risk =
        status["risks"].as_array().unwrap().iter().find(|risk| risk["risk"] == "other_settings").cloned();
    let message = risk.unwrap()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("(consent)") && message.contains("and reload"), "{message}");
    assert!(new.log().contains("this node has other settings than the one that works"), "{}", new.log());
    let mut connection = Connection::open(apart.public).await.unwrap();
    assert_eq!(connection.ingest(&load::new_contacts("1", 1)).await.unwrap().status, 200);
    until("the call by the settings of the one that works", TAKEN_OVER_WITHIN, async || {
        sandbox.requests().len() == 1
    })
    .await;

    // A rolling change: the old one is stopped in order, and the new settings are in effect at once.
    works.terminate();
    works.ended(TAKEN_OVER_WITHIN).await;
    until("it to work", TAKEN_OVER_WITHIN, async || stands(&apart).await == "works").await;
    let second = old.start().await;
    until("the old one to know", TAKEN_OVER_WITHIN, async || stands(&second).await == "other_settings").await;

    // One that is killed may come back: who has its settings goes on, and not who has others.
    apart.kill();
    let third = also_new.start().await;
    until("the third to work", TAKEN_OVER_WITHIN, async || stands(&third).await == "works").await;
    assert_eq!(stands(&second).await, "other_settings");
    assert_eq!(old.log().matches("this node does the work now").count(), 1, "only at first");
}
