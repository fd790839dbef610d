//! `freshsignal hook NAME`: what to enter and to paste at a sender, for somebody who has a terminal and no page at hand.

use std::path::PathBuf;

use anyhow::anyhow;

use super::{Failure, Outcome, load, say};
use crate::doors::{Address, HookProof, HookWay, for_hook};

/// Where the service is reached, while the configuration does not say.
const NOWHERE: &str = "https://YOUR-SERVICE.example.com";
/// What turns the way back on.
const FRESHSALES: &str = r#"[hooks.freshsales]
kind = "freshsales"
source = "the name of a section of [sources]"
secret = "a token of 32 characters or more, made by you"
"#;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The name of a hook of the configuration; `freshsales` for the way back from Freshsales
    #[arg(value_name = "NAME")]
    name: String,
    /// The configuration file; else `FRESHSIGNAL_CONFIG` names one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Prints what to do at the sender. The secret is named by its end alone: what a terminal shows is often kept.
pub(super) fn run(arguments: &Arguments) -> Outcome {
    let config = load(arguments.config.as_deref())?.config;
    let ways = config.ways(&config.server);
    let hook =
        ways.sources.into_iter().flat_map(|source| source.hooks).find(|hook| hook.name == arguments.name);
    let Some(hook) = hook else {
        let how = if arguments.name == "freshsales" {
            format!(" Put this into it, and ask again:\n\n{FRESHSALES}")
        } else {
            String::new()
        };
        return Err(Failure::Usage(anyhow!(
            "the configuration has no section [hooks.{}].{how}",
            arguments.name
        )));
    };
    let url = if ways.public_url.is_empty() { NOWHERE } else { &ways.public_url };
    say(&lines(&hook, &Address::new(url)))
}

fn lines(hook: &HookWay, address: &Address) -> String {
    let ends: Vec<&str> = hook.secrets.iter().filter_map(|secret| secret.shown()).collect();
    let ends = if ends.is_empty() { String::new() } else { format!(", ends in {}", ends.join(" or ")) };
    let proof = match &hook.proof {
        HookProof::Token { header } => {
            format!("Header:   {header}: the token of hooks.{}.secret{ends}\n", hook.name)
        }
        HookProof::Signature { header } => {
            format!(
                "Secret:   {} (hooks.{}.secret{ends}); it signs in the header {header}\n",
                hook.secret_is, hook.name
            )
        }
        HookProof::Missing => String::new(),
    };
    let head =
        format!("Enter at: {}\nAddress:  {}/hooks/{}\n{proof}", hook.enter_in, address.as_str(), hook.name);
    let pasted = for_hook(address, hook);
    let pasted =
        pasted.iter().map(|snippet| format!("\n{}, {}:\n\n{}", snippet.title, snippet.place, snippet.text));
    (head + pasted.collect::<String>().as_str()).trim_end().to_owned()
}
