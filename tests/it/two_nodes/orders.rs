//! What a person orders on a node that stands by is carried out by the one that works, once, whoever ends in between.

use std::sync::Arc;

use freshsignal::clock::SystemClock;
use freshsignal::sandbox::{Sandbox, SandboxOptions};
use serde_json::{Value, json};

use super::{TAKEN_OVER_WITHIN, node};
use crate::crash::{load, number};
use crate::support::cluster;
use crate::support::process::{Connection, Served, Service, post_request, until};

/// An order, and what is answered.
async fn order(node: &Service, method: &str, path: &str, body: &str) -> (u16, Value) {
    let request =
        String::from_utf8(post_request(path, &[("content-type", "application/json")], body)).unwrap();
    let request = request.replacen("POST", method, 1);
    let answer = Connection::open(node.private).await.unwrap().ask(request.as_bytes()).await.unwrap();
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

async fn acts(node: &Service, kind: &str) -> usize {
    let acts = node.ask("/api/acts").await;
    acts["acts"].as_array().unwrap().iter().filter(|act| act["kind"] == kind).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_ordered_on_a_node_that_stands_by_is_carried_out_by_the_one_that_works() {
    let Some(cluster) = cluster::private() else { return };
    let sandbox = Sandbox::new(SandboxOptions::default(), Arc::new(SystemClock::default()));
    let crm = Served::start(sandbox.router()).await;
    let folder = tempfile::tempdir().unwrap();
    let setups = ["a", "b"].map(|name| node(folder.path(), name, (cluster, "ordered"), &crm));
    let [first, second] = &setups;
    let (works, beside) = (first.start().await, second.start().await);
    let mut connection = Connection::open(beside.public).await.unwrap();
    assert_eq!(connection.ingest(&load::new_contacts("1", 3)).await.unwrap().status, 200);
    until("three calls", TAKEN_OVER_WITHIN, async || sandbox.requests().len() == 3).await;

    let (status, paused) = order(&beside, "POST", "/api/pause", "").await;
    assert_eq!((status, &paused["destination"]["state"]), (200, &json!("paused")), "{paused}");
    assert_eq!(works.ask("/api/status").await["destination"]["state"], "paused");
    // The same once more changes nothing, as on the node that works.
    assert_eq!(order(&beside, "POST", "/api/pause", "").await.0, 200);
    assert_eq!(acts(&beside, "paused").await, 1);
    let (status, resumed) = order(&beside, "POST", "/api/resume", "").await;
    assert_eq!((status, &resumed["destination"]["state"]), (200, &json!("running")), "{resumed}");

    let body = r#"{"emails":["NEW-1-0@example.com","nobody@example.com"]}"#;
    let email = contact(&works).await;
    let body = body.replace("NEW-1-0@example.com", &email);
    let preview = body.replacen('{', r#"{"preview":true,"#, 1);
    let (status, seen) = order(&beside, "POST", "/api/contacts/resend", &preview).await;
    assert_eq!(
        (status, &seen["contacts"], &seen["unknown"]),
        (200, &json!(1), &json!(["nobody@example.com"]))
    );
    assert_eq!(order(&beside, "POST", "/api/contacts/resend", &body).await.1["contacts"], 1);
    until("one call more", TAKEN_OVER_WITHIN, async || sandbox.requests().len() == 4).await;
    assert_eq!(acts(&beside, "resent").await, 1);

    // What is refused there is refused here.
    let (status, refused) = order(&beside, "DELETE", "/api/dead-letters/nobody@example.com", "").await;
    assert_eq!((status, &refused["code"]), (404, &json!("not_found")));
    let (status, refused) = order(&beside, "POST", "/api/contacts/resend", "no order").await;
    assert_eq!((status, &refused["code"]), (400, &json!("malformed_body")));

    // An erasure is answered with its receipt, and nothing of it is left among the orders.
    let path = format!("/api/people?email={}", email.replace('@', "%40"));
    let (status, receipt) = order(&beside, "DELETE", &path, "").await;
    assert_eq!(
        (status, &receipt["done"], &receipt["erased"]["contacts"]),
        (200, &json!(true), &json!(1)),
        "{receipt}"
    );
    assert_eq!(acts(&beside, "erased").await, 1);
    assert_eq!(
        cluster.ask("SELECT count(*) FROM ordered.orders"),
        "0",
        "who was answered need not be remembered"
    );
    // A look on the node that stands by is noted, too.
    let looked = Connection::open(beside.private)
        .await
        .unwrap()
        .get("/api/people?email=x%40example.com")
        .await
        .unwrap();
    assert_eq!(looked.status, 200);
    assert_eq!(works.ask("/api/looks").await["looks"][0]["route"], "/api/people");
}

/// A contact that is kept.
async fn contact(node: &Service) -> String {
    let sample = node.ask("/api/crm/sample").await;
    sample["emails"][0].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_nobody_could_carry_out_is_kept_and_carried_out_once_by_whoever_works_next() {
    let Some(cluster) = cluster::private() else { return };
    let sandbox = Sandbox::new(SandboxOptions::default(), Arc::new(SystemClock::default()));
    let crm = Served::start(sandbox.router()).await;
    let folder = tempfile::tempdir().unwrap();
    let setups = ["a", "b"].map(|name| node(folder.path(), name, (cluster, "kept"), &crm));
    let [first, second] = &setups;
    let (works, beside) = (first.start().await, second.start().await);
    let mut connection = Connection::open(beside.public).await.unwrap();
    assert_eq!(connection.ingest(&load::new_contacts("1", 2)).await.unwrap().status, 200);
    until("two calls", TAKEN_OVER_WITHIN, async || sandbox.requests().len() == 2).await;
    let email = contact(&works).await;
    // A third node works, and is frozen.
    cluster.ask(
        "UPDATE kept.turns SET epoch = epoch + 1, holder = 'frozen', expires_at = clock_timestamp() + '1 h'",
    );
    until("both to stand by", TAKEN_OVER_WITHIN, async || {
        first.log().contains("another node has taken over the work")
    })
    .await;
    let path = format!("/api/people?email={}", email.replace('@', "%40"));
    let asking = format!("DELETE {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
    let mut asked = Connection::open(beside.private).await.unwrap();
    asked.send(asking.as_bytes()).await.unwrap();
    let kept = || cluster.ask("SELECT count(*) FROM kept.orders WHERE done_at IS NULL");
    until("the order to be kept", TAKEN_OVER_WITHIN, async || kept() == "1").await;
    // Whoever asked never hears of it: the node that was asked is gone.
    beside.kill();
    let id = cluster.ask("SELECT id FROM kept.orders");
    let stands = works.ask(&format!("/api/orders/{id}")).await;
    assert_eq!((&stands["done"], &stands["what"]), (&json!(false), &json!("DELETE /api/people")), "{stands}");
    cluster.ask("UPDATE kept.turns SET expires_at = '-infinity'");
    until("the order to be carried out", TAKEN_OVER_WITHIN, async || kept() == "0").await;
    let stands = works.ask(&format!("/api/orders/{id}")).await;
    assert_eq!((&stands["done"], &stands["status"]), (&json!(true), &json!(202)), "{stands}");
    let erasure = number(&stands["answer"], "erasure");
    until("the person to be erased", TAKEN_OVER_WITHIN, async || {
        works.ask(&format!("/api/erasures/{erasure}")).await["done"] == true
    })
    .await;
    assert_eq!(acts(&works, "erased").await, 1);
    let row = cluster.ask("SELECT convert_from(body, 'UTF8') || target || answer FROM kept.orders");
    assert!(!row.contains("example.com"), "{row}");

    // One that took effect on a node that ended before it could say so takes effect no second time.
    cluster.ask(
        "INSERT INTO kept.orders (mark, at, who, role, method, route, target, body, taken)
         VALUES ('x', 0, 'anna', 'act', 'POST', '/api/pause', '/api/pause', '', true)",
    );
    until("it to end", TAKEN_OVER_WITHIN, async || kept() == "0").await;
    assert_eq!(acts(&works, "paused").await, 0);
    // And one by somebody who may not is refused.
    cluster.ask(
        "INSERT INTO kept.orders (mark, at, who, role, method, route, target, body)
         VALUES ('y', 0, 'anna', 'read', 'POST', '/api/pause', '/api/pause', '')",
    );
    until("it to end", TAKEN_OVER_WITHIN, async || kept() == "0").await;
    assert_eq!(cluster.ask("SELECT status FROM kept.orders WHERE mark = 'y'"), "403");
    assert_eq!(acts(&works, "paused").await, 0);
}
