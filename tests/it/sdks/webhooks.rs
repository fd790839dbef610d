//! What outputs sign, verified by the public library of Standard Webhooks.

use std::process::Command;

use serde_json::{Value, json};

use super::{MISSING, installed, placed};
use crate::support::app::Setup;
use crate::support::ear::Ear;
use crate::support::events::{identify_ann, lead_of_ann};
use crate::support::wait::eventually;

const SECRETS: [&str; 2] =
    ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"];

/// Has messages told that carry a signature by each of two secrets, and the library verify them.
pub async fn verified() {
    assert!(installed().join("node_modules/standardwebhooks").is_dir(), "{MISSING}");
    let ear = Ear::listen().await;
    let service = Setup::new()
        .with("OUTPUTS__SHOP__URL", &ear.url("/"))
        .with("OUTPUTS__SHOP__SECRET", SECRETS[0])
        .with("OUTPUTS__SHOP__SECRETS", SECRETS[1])
        .with("OUTPUTS__SHOP__EVENTS", "contact.created,contact.delivered")
        .with("OUTPUTS__SHOP__ALLOW_PRIVATE", "true")
        .start()
        .await;
    service.send_all(vec![identify_ann(1), lead_of_ann(1), identify_ann(2), lead_of_ann(2)]).await;
    let messages = eventually("four messages", async || {
        let messages = ear.messages();
        if messages.len() == 4 { Ok(messages) } else { Err(format!("{messages:?}")) }
    })
    .await;
    let messages: Vec<Value> =
        messages.iter().map(|message| json!({"headers": message.headers, "text": message.text})).collect();
    let told = json!({"secrets": SECRETS, "messages": messages}).to_string();
    let mut command = Command::new("node");
    command.arg(placed("standardwebhooks.mjs")).env("SDK_MESSAGES", told);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{said}");
    assert_eq!(said.trim(), "4 messages verified by 2 secrets");
    service.finish().await;
}
