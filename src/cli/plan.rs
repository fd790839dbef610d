//! `freshsignal plan`: what another configuration would change, asked of the service that runs on this machine.
//!
//! Applies nothing. The service has the people, so it is asked; what it is given are the texts of the files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::health::on_this_machine;
use super::{Failure, Outcome, load, runtime, say};
use crate::app::stored_token;
use crate::freshsales::{Timeouts, http_client};

const TIMEOUTS: Timeouts = Timeouts { connect: Duration::from_secs(3), attempt: Duration::from_mins(1) };

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The configuration that would be applied; else the one that the service reads, as it is now
    #[arg(long, value_name = "NEW")]
    config: Option<PathBuf>,
    /// The answer of the service as JSON in place of a summary
    #[arg(long)]
    json: bool,
}

/// Prints what would change; fails where the configuration can't be used or no service answers.
pub(super) fn run(arguments: &Arguments) -> Outcome {
    let file = arguments.config.as_deref();
    let config = load(file)?.config;
    let mut given = json!({});
    if let Some(file) = file {
        given["config"] = json!(text_of(file)?);
        if !config.mapping.file.is_empty() {
            given["mapping"] = json!(text_of(Path::new(&config.mapping.file))?);
        }
    }
    let address =
        config.admin.address().ok_or_else(|| Failure::Usage(anyhow!("admin.listen is no address")))?;
    let token = match config.admin.token() {
        Some(token) => Some(token),
        None => stored_token(&config.store.path).map_err(Failure::running)?,
    };
    let url = format!("http://{}/api/plan", on_this_machine(address));
    let plan = runtime()?.block_on(ask(&url, token, &given)).map_err(Failure::Running)?;
    say(&if arguments.json { plan.to_string() } else { summary(&plan) })
}

fn text_of(file: &Path) -> Result<String, Failure> {
    let read = std::fs::read_to_string(file);
    read.with_context(|| format!("can't read {}", file.display())).map_err(Failure::Usage)
}

async fn ask(url: &str, token: Option<SecretString>, given: &Value) -> anyhow::Result<Value> {
    let client = http_client(TIMEOUTS)?;
    let request = client.post(url).json(given);
    let request = match token {
        Some(token) => request.bearer_auth(token.expose_secret()),
        None => request,
    };
    let answer = request
        .send()
        .await
        .with_context(|| format!("no service answers at {url}; it has the people, so it has to run"))?;
    let status = answer.status();
    let body: Value = answer.json().await.context("the answer is not from freshsignal")?;
    if !status.is_success() {
        let problem = |problem: &Value| {
            format!(
                "{} = {:?}: expected {}",
                text(&problem["key"]),
                text(&problem["value"]),
                text(&problem["expected"])
            )
        };
        let problems = body["problems"].as_array().map(|all| all.iter().map(problem).collect::<Vec<_>>());
        let lines = problems.unwrap_or_default().join("\n");
        return Err(anyhow!("{}\n{lines}", text(&body["message"])));
    }
    Ok(body)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The answer in lines.
fn summary(plan: &Value) -> String {
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    let (contacts, looked_at) = (number(&plan["contacts"]), number(&plan["looked_at"]));
    let mut lines: Vec<String> = Vec::new();
    let mut line = |text: String| lines.push(text);
    if plan["exact"] == true {
        line(format!("all {contacts} contacts were looked at; {} would be otherwise", plan["changed"]));
    } else {
        line(format!(
            "a sample: {looked_at} of {contacts} contacts were looked at, and {} of these would be otherwise",
            plan["changed"]
        ));
    }
    if let Some(account) = plan["account"].as_str() {
        line(format!("calls would go to another account: {account}"));
    }
    let hours = |seconds: u64| seconds.div_ceil(360);
    let takes = match plan["seconds"].as_u64() {
        _ if plan["calls"] == 0 => String::new(),
        Some(seconds) => format!(", sent within {}.{} hours", hours(seconds) / 10, hours(seconds) % 10),
        None => ", and nobody can tell how long that takes while no calls are made".to_owned(),
    };
    line(format!("calls that would become owed: {}{takes}", plan["calls"]));
    for (lane, count) in plan["owed"].as_object().into_iter().flatten() {
        line(format!("  {lane}: {count}"));
    }
    line(format!("calls that would be owed no more: {}", plan["dropped"]));
    for it in plan["attributes"].as_array().into_iter().flatten() {
        let (appears, vanishes) = (&it["appears"], &it["vanishes"]);
        line(format!(
            "{}: appears {appears}, vanishes {vanishes}, changes {}",
            text(&it["attribute"]),
            it["changes"]
        ));
    }
    for it in plan["events"].as_array().into_iter().flatten() {
        let what =
            if it["mapped"] == true { "would be mapped" } else { "would no longer make or change contacts" };
        line(format!("event {:?} {what}", text(&it["event"])));
    }
    for it in plan["paths"].as_array().into_iter().flatten() {
        line(format!(
            "{} was not read before: in {} of the latest {} events that are kept",
            text(&it["path"]),
            it["events"],
            it["looked_at"]
        ));
    }
    if number(&plan["later"]) > 0 {
        line(format!(
            "contacts that get something of these once their people say it again: {}",
            plan["later"]
        ));
    }
    for it in plan["samples"].as_array().into_iter().flatten() {
        line(format!("{}: {} -> {}", text(&it["email"]), it["now"], it["then"]));
    }
    lines.join("\n")
}
