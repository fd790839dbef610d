//! The `[outputs]` section: who is told of what, and everything that can be wrong with it.
//!
//! Reads no file; whoever loads the configuration has put the text of a `…_file` into its key. An address of a receiver is a
//! secret: who knows it can write there.

use std::collections::BTreeMap;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::config_problem::{Problem, REDACTED};
use crate::output::{Conditions, Receiver, Receivers, Topic};
use crate::webhook::{AddressProblem, Reach, receiver_at, signing_key};

/// A longer name is no name.
const NAME_CHARS_MAX: usize = 64;

/// The form of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A signed message for a program, as Standard Webhooks says.
    #[default]
    Standard,
    /// A text for an incoming webhook of Slack, and of those that take its form.
    Slack,
    /// A card for a workflow of Teams.
    Teams,
}

impl Format {
    /// The word in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Slack => "slack",
            Self::Teams => "teams",
        }
    }
}

/// The `[outputs]` section: any number, by name.
pub type Config = BTreeMap<String, OutputConfig>;

/// One `[outputs.NAME]` section.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutputConfig {
    /// Where messages are posted.
    pub url: SecretString,
    /// A file that holds it; empty: there is none.
    pub url_file: String,
    /// What messages are signed with.
    pub secret: SecretString,
    /// A file that holds it; empty: there is none.
    pub secret_file: String,
    /// More of them, for rotation: a message is signed with each.
    pub secrets: Vec<SecretString>,
    /// What is told.
    pub events: Vec<String>,
    /// Only where all of this holds.
    pub when: Conditions,
    /// The form of a message.
    pub format: Format,
    /// Whether the receiver may be in a private network or on this machine.
    pub allow_private: bool,
}

impl Default for OutputConfig {
    fn default() -> Self {
        let nothing = || SecretString::from(String::new());
        Self {
            url: nothing(),
            url_file: String::new(),
            secret: nothing(),
            secret_file: String::new(),
            secrets: Vec::new(),
            events: Vec::new(),
            when: Conditions::default(),
            format: Format::default(),
            allow_private: false,
        }
    }
}

impl OutputConfig {
    /// Where messages are posted, and which addresses the name may stand for; none without an address.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn address(&self) -> Result<Option<(Url, Reach)>, AddressProblem> {
        receiver_at(self.url.expose_secret(), self.allow_private)
    }

    /// The bytes that messages are signed with, of each secret.
    #[must_use]
    pub fn signing_keys(&self) -> Vec<Vec<u8>> {
        self.all_secrets().filter_map(|secret| signing_key(secret.expose_secret())).collect()
    }

    fn all_secrets(&self) -> impl Iterator<Item = &SecretString> {
        std::iter::once(&self.secret)
            .chain(&self.secrets)
            .filter(|one| !one.expose_secret().trim().is_empty())
    }

    /// Whether nothing differs, secrets included; the file that one was read from is none of it.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let shown = |output: &Self| {
            let (url_file, secret_file) = (String::new(), String::new());
            format!("{:?}", Self { url_file, secret_file, ..output.clone() })
        };
        let exposed = |output: &Self| -> Vec<String> {
            let url = std::iter::once(&output.url);
            url.chain(output.all_secrets()).map(|one| one.expose_secret().to_owned()).collect()
        };
        shown(self) == shown(other) && exposed(self) == exposed(other)
    }

    /// What it wants to know.
    fn receiver(&self) -> Receiver {
        Receiver {
            topics: self.events.iter().filter_map(|event| Topic::parse(event.trim())).collect(),
            when: self.when.read().unwrap_or_default(),
        }
    }

    fn problems(&self, name: &str) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut add = |key: &str, value: &str, expected: String| {
            found.push(Problem::new(format!("outputs.{name}.{key}"), value, expected));
        };
        match self.address() {
            Ok(Some(_)) => {}
            Ok(None) => add("url", "", "the address that messages are posted to".to_owned()),
            Err(problem) => add("url", REDACTED, problem.to_string()),
        }
        let unsigned = self.all_secrets().next().is_none();
        match self.format {
            Format::Standard if unsigned => {
                let expected = "whsec_ and the base64 of 24 to 64 bytes: messages are signed with it, so that the receiver knows who says it";
                add("secret", "", expected.to_owned());
            }
            Format::Standard
                if self.all_secrets().any(|secret| signing_key(secret.expose_secret()).is_none()) =>
            {
                add("secret", REDACTED, "whsec_ and the base64 of 24 to 64 bytes".to_owned());
            }
            Format::Slack | Format::Teams if !unsigned => {
                let expected = "nothing: a chat reads no signature, only format = \"standard\" has this key";
                add("secret", REDACTED, expected.to_owned());
            }
            Format::Standard | Format::Slack | Format::Teams => {}
        }
        let words = Topic::ALL.map(Topic::as_str).join(", ");
        if self.events.is_empty() {
            add("events", "", format!("at least one of {words}"));
        }
        for unknown in self.events.iter().filter(|event| Topic::parse(event.trim()).is_none()) {
            add("events", unknown, format!("one of {words}"));
        }
        if let Err(expected) = self.when.read() {
            add("when", "", expected.to_owned());
        }
        if !is_name(name) {
            found.push(Problem::new(
                format!("outputs.{name}"),
                name,
                "a name of 1 to 64 of a-z, 0-9, _ and -",
            ));
        }
        found
    }
}

fn is_name(name: &str) -> bool {
    let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    (1..=NAME_CHARS_MAX).contains(&name.len()) && name.bytes().all(fits)
}

/// Everything that is wrong with the outputs.
#[must_use]
pub fn problems(config: &Config) -> Vec<Problem> {
    config.iter().flat_map(|(name, output)| output.problems(name)).collect()
}

/// What each receiver wants to know.
#[must_use]
pub fn receivers(config: &Config) -> Receivers {
    config.iter().map(|(name, output)| (name.clone(), output.receiver())).collect()
}
