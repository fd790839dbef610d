//! The `[hooks]` section: its keys, defaults and everything that can be wrong with them.
//!
//! Must not read files: whoever loads the configuration puts the content of `secret_file` into `secret`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use axum::http::HeaderName;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::super::config::{Sources, is_name};
use super::kind::{BODY, Encoding, KeyForm, Kind, Layout, WINDOW_SECONDS};
use super::path::{self, Path};
use super::rule::{Rules, Written, laid_over, shipped};
use super::signature::{Part, Proof, Scheme, key_bytes, parts};
use crate::config_problem::{Problem, REDACTED};

/// A token of fewer characters can be guessed.
const TOKEN_CHARS_MIN: usize = 32;
const TOKEN_EXPECTED: &str = "a token of 32 characters or more";

/// The `[hooks]` section: any number, by name.
pub type Hooks = BTreeMap<String, HookConfig>;

/// One `[hooks.NAME]` section: a vendor that sends to `/hooks/NAME`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HookConfig {
    /// Who sends.
    pub kind: Option<Kind>,
    /// What it signs with, or the token it sends.
    pub secret: SecretString,
    /// A file that holds it; empty: there is none.
    pub secret_file: String,
    /// More of them, for rotation.
    pub secrets: Vec<SecretString>,
    /// A file with more of them, one a line; empty: there is none.
    pub secrets_file: String,
    /// The source whose people, defaults and quotas count.
    pub source: String,
    /// Rules by the vendor's name of the event, over those that are shipped.
    pub events: Written,
    /// `freshsales`: what is told of a record does not count by itself; the record is read before its next call.
    pub verify: bool,
    /// Where the name of the event stands; empty: where the kind has it.
    pub event_name: String,
    /// Where the id of the message stands; empty: where the kind has it.
    pub message_id: String,
    /// `generic`: the header with the signature.
    pub header: String,
    /// `generic`: what stands before the signature.
    pub prefix: String,
    /// `generic`: how the signature is written.
    pub encoding: Encoding,
    /// `generic`: what is signed, of `{timestamp}` and `{body}`.
    pub signed: String,
    /// `generic`: the header with the moment of sending.
    pub timestamp_header: String,
    /// `generic`: how far from now that may be.
    pub window_seconds: u64,
    /// `generic`: the header with a token, for who can't sign.
    pub token_header: String,
}

impl Default for HookConfig {
    fn default() -> Self {
        Self {
            kind: None,
            secret: SecretString::from(String::new()),
            secret_file: String::new(),
            secrets: Vec::new(),
            secrets_file: String::new(),
            source: String::new(),
            events: Written::new(),
            verify: false,
            event_name: String::new(),
            message_id: String::new(),
            header: String::new(),
            prefix: String::new(),
            encoding: Encoding::Hex,
            signed: BODY.to_owned(),
            timestamp_header: String::new(),
            window_seconds: WINDOW_SECONDS,
            token_header: String::new(),
        }
    }
}

impl HookConfig {
    /// Its secrets that are not empty.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretString> {
        std::iter::once(&self.secret).chain(&self.secrets).filter(|one| !one.expose_secret().is_empty())
    }

    /// Whether nothing differs, secrets included; the files that they were read from are none of it.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let shown = |hook: &Self| {
            let files = Self { secret_file: String::new(), secrets_file: String::new(), ..hook.clone() };
            format!("{files:?}")
        };
        let exposed = |hook: &Self| -> Vec<String> {
            hook.secrets().map(|one| one.expose_secret().to_owned()).collect()
        };
        shown(self) == shown(other) && exposed(self) == exposed(other)
    }

    /// Its rules, those that are shipped included.
    #[must_use]
    pub fn rules(&self, kind: Kind) -> Rules {
        Rules::read(&laid_over(&shipped(kind.names().rules), &self.events)).0
    }

    /// How a message proves that it comes from there; `None` without a secret or a way to use it.
    #[must_use]
    pub fn proof(&self, kind: Kind) -> Option<Proof> {
        let secrets: Vec<_> = self.secrets().cloned().collect();
        if secrets.is_empty() {
            return None;
        }
        match kind.signing() {
            Some(signing) => Some(Proof::Signature(Scheme::of(&signing), secrets)),
            None if kind.token_header().is_some() || !self.token_header.is_empty() => {
                let header = kind.token_header().unwrap_or(&self.token_header).parse::<HeaderName>().ok()?;
                let long = secrets.into_iter().filter(is_token).collect::<Vec<_>>();
                (!long.is_empty()).then(|| Proof::Token(header.as_str().to_owned(), long))
            }
            None => Some(Proof::Signature(self.scheme()?, secrets)),
        }
    }

    /// How a `generic` sender signs.
    fn scheme(&self) -> Option<Scheme> {
        let header = self.header.parse::<HeaderName>().ok()?;
        let timestamps: Vec<_> =
            Some(&self.timestamp_header).filter(|name| !name.is_empty()).into_iter().collect();
        Some(Scheme {
            headers: vec![Cow::Owned(header.as_str().to_owned())],
            layout: Layout::Plain,
            prefix: Cow::Owned(self.prefix.clone()),
            encoding: self.encoding,
            signed: parts(&self.signed)?,
            timestamp_headers: timestamps.into_iter().map(|name| Cow::Owned(name.to_lowercase())).collect(),
            id_headers: Vec::new(),
            window_seconds: self.window_seconds,
            key: KeyForm::Text,
        })
    }

    fn problems(&self, name: &str, sources: &Sources) -> Vec<Problem> {
        let mut problems = Problems { name, found: Vec::new() };
        if !is_name(name) {
            problems.found.push(Problem::new(
                format!("hooks.{name}"),
                name,
                "a name of 1 to 64 of a-z, 0-9, _ and -",
            ));
        }
        if !sources.contains_key(&self.source) {
            let expected = "the name of a section of [sources]; its people, defaults and quotas count";
            problems.add("source", &self.source, expected);
        }
        for (key, text) in [("event_name", &self.event_name), ("message_id", &self.message_id)] {
            if !text.is_empty() && Path::parse(text).is_none() {
                problems.add(key, text, path::EXPECTED);
            }
        }
        let Some(kind) = self.kind else {
            let expected =
                "one of stripe, calendly, shopify, woocommerce, typeform, standard, freshsales and generic";
            problems.add("kind", "", expected);
            return problems.found;
        };
        self.proof_problems(kind, &mut problems);
        if self.verify && kind != Kind::Freshsales {
            let expected =
                "false: only records of Freshsales can be read before they count (kind = \"freshsales\")";
            problems.add("verify", "true", expected);
        }
        let rules = laid_over(&shipped(kind.names().rules), &self.events);
        for mistake in Rules::read(&rules).1 {
            problems.add(&format!("events.{}", mistake.key), &mistake.value, &mistake.expected);
        }
        problems.found
    }

    fn proof_problems(&self, kind: Kind, problems: &mut Problems<'_>) {
        if self.secrets().next().is_none() {
            let expected = "the secret that the sender signs with or sends as a token; without one anybody could send here";
            problems.add("secret", "", expected);
        }
        if kind == Kind::Generic {
            self.generic_problems(problems);
            return;
        }
        for (key, text) in [
            ("header", &self.header),
            ("prefix", &self.prefix),
            ("timestamp_header", &self.timestamp_header),
            ("token_header", &self.token_header),
        ] {
            if !text.is_empty() {
                problems.add(key, text, "nothing: only kind = \"generic\" has this key");
            }
        }
        if kind.token_header().is_some() && self.secrets().any(|token| !is_token(token)) {
            problems.add("secret", REDACTED, TOKEN_EXPECTED);
        }
        let form = kind.signing().map(|signing| signing.key);
        if form.is_some_and(|form| self.secrets().any(|secret| key_bytes(secret, form).is_none())) {
            problems.add("secret", REDACTED, "whsec_ and base64, as the sender shows it");
        }
    }

    fn generic_problems(&self, problems: &mut Problems<'_>) {
        let is_header = |text: &String| text.parse::<HeaderName>().is_ok();
        match (self.header.is_empty(), self.token_header.is_empty()) {
            (true, true) => {
                let expected = "the header with the signature, or token_header; without one of them anybody could send here";
                problems.add("header", "", expected);
            }
            (false, false) => {
                problems.add("token_header", &self.token_header, "either header or token_header");
            }
            (false, true) | (true, false) => {}
        }
        for (key, text) in [
            ("header", &self.header),
            ("token_header", &self.token_header),
            ("timestamp_header", &self.timestamp_header),
        ] {
            if !text.is_empty() && !is_header(text) {
                problems.add(key, text, "the name of a header, like x-signature");
            }
        }
        if !self.token_header.is_empty() && self.secrets().any(|token| !is_token(token)) {
            problems.add("secret", REDACTED, TOKEN_EXPECTED);
        }
        match parts(&self.signed).filter(|parts| !parts.contains(&Part::Id)) {
            None => problems.add("signed", &self.signed, "{body}, or {timestamp}.{body} and the like"),
            Some(parts) if parts.contains(&Part::Timestamp) == self.timestamp_header.is_empty() => {
                let expected = "a header whose value is signed: {timestamp} in `signed` and timestamp_header belong together";
                problems.add("timestamp_header", &self.timestamp_header, expected);
            }
            Some(_) => {}
        }
    }
}

fn is_token(token: &SecretString) -> bool {
    token.expose_secret().chars().count() >= TOKEN_CHARS_MIN
}

struct Problems<'a> {
    name: &'a str,
    found: Vec<Problem>,
}

impl Problems<'_> {
    fn add(&mut self, key: &str, value: &str, expected: &str) {
        self.found.push(Problem::new(format!("hooks.{}.{key}", self.name), value, expected));
    }
}

/// Everything that is wrong with the hooks.
#[must_use]
pub fn hook_problems(hooks: &Hooks, sources: &Sources) -> Vec<Problem> {
    hooks.iter().flat_map(|(name, hook)| hook.problems(name, sources)).collect()
}
