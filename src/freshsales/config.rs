//! The `[freshsales]` section: its keys, its defaults, and everything that is wrong with it.
//!
//! Reads no file and no environment; whoever loads the configuration has put the text of `api_key_file` into
//! `api_key`, and likewise that of `proxy_file` and `ca_file`, before it asks for problems.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::account::{self, AccountKind, AccountProblem, BundleAlias, Endpoint};
use super::key::{ApiKey, ApiKeyProblem, Key};
use super::transport::Transport;
use crate::config_problem::{Problem, REDACTED};

/// The longest time a call may be given.
pub const ATTEMPT_TIMEOUT_SECONDS_MAX: u64 = 300;

/// Whether calls leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// They do.
    #[default]
    Live,
    /// Every payload is built and shown, none is sent.
    DryRun,
}

/// What people become whom nobody knows in an account of the older product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewPeople {
    /// Contacts, as in the suite.
    #[default]
    Contact,
    /// Leads, which people in Freshsales convert into contacts.
    Lead,
}

/// The `[freshsales]` section.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Which product the account is of.
    pub kind: AccountKind,
    /// What people become whom nobody knows there; leads in an account of the older product alone.
    pub classic_new: NewPeople,
    /// The account, as its user pasted it.
    pub bundle_alias: String,
    /// The API key as configured; [`ApiKey::parse`] reads it.
    pub api_key: SecretString,
    /// A file that holds the API key; empty: there is none.
    pub api_key_file: String,
    /// Another origin in place of the account's own; empty: the account's own.
    pub base_url: String,
    /// A file with certificates of authorities that are trusted beside the usual ones; empty: there is none.
    pub ca_file: String,
    /// Its text.
    #[serde(skip)]
    pub ca: String,
    /// The proxy that calls go by, as a URL that may hold a name and a password; empty: none.
    pub proxy: SecretString,
    /// A file that holds it; empty: there is none.
    pub proxy_file: String,
    /// Whether calls leave.
    pub mode: Mode,
    /// How long one call may take, from the first byte out to the last byte in.
    pub attempt_timeout_seconds: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            kind: AccountKind::Suite,
            classic_new: NewPeople::Contact,
            bundle_alias: String::new(),
            api_key: SecretString::from(String::new()),
            api_key_file: String::new(),
            base_url: String::new(),
            ca_file: String::new(),
            ca: String::new(),
            proxy: SecretString::from(String::new()),
            proxy_file: String::new(),
            mode: Mode::Live,
            attempt_timeout_seconds: 20,
        }
    }
}

impl Config {
    /// Where calls go.
    ///
    /// # Errors
    /// An alias or a base URL that is refused.
    pub fn endpoint(&self) -> Result<Endpoint, AccountProblem> {
        let endpoint = Endpoint::new(self.kind, &self.bundle_alias, &self.base_url)?;
        Ok(endpoint.with_leads(self.makes_leads()))
    }

    /// Whether people whom nobody knows become leads.
    #[must_use]
    pub fn makes_leads(&self) -> bool {
        match (self.kind, self.classic_new) {
            (AccountKind::Classic, NewPeople::Lead) => true,
            (AccountKind::Classic, NewPeople::Contact) | (AccountKind::Suite, _) => false,
        }
    }

    /// The key that calls begin with, and the file that it may be read from again.
    ///
    /// # Errors
    /// What is no key.
    pub fn key(&self) -> Result<Key, ApiKeyProblem> {
        let file = Some(&self.api_key_file).filter(|file| !file.is_empty());
        Ok(Key::new(ApiKey::parse(self.api_key.expose_secret())?, file.map(PathBuf::from)))
    }

    /// Everything that is wrong with the section. A dry run needs no key, but a key that is there must be one.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let alias = BundleAlias::parse(&self.bundle_alias, self.kind).err();
        let origin = account::origin(&self.base_url).err();
        let mut problems: Vec<Problem> =
            alias.into_iter().chain(origin).map(|problem| self.address_problem(problem)).collect();
        problems.extend(self.key_problem());
        problems.extend(self.transport().err());
        if self.classic_new == NewPeople::Lead && !self.makes_leads() {
            let expected = "\"contact\" where freshsales.kind is \"suite\": only Classic accounts have leads beside contacts";
            problems.push(Problem::new("freshsales.classic_new", "lead", expected));
        }
        if !(1..=ATTEMPT_TIMEOUT_SECONDS_MAX).contains(&self.attempt_timeout_seconds) {
            let expected = format!("1 to {ATTEMPT_TIMEOUT_SECONDS_MAX} seconds");
            let key = "freshsales.attempt_timeout_seconds";
            problems.push(Problem::new(key, self.attempt_timeout_seconds, expected));
        }
        problems
    }

    /// How calls travel.
    ///
    /// # Errors
    /// Certificates or a proxy that are none, without the value of the proxy.
    pub fn transport(&self) -> Result<Transport, Problem> {
        Transport::new(&self.ca, self.proxy.expose_secret()).map_err(|problem| {
            let (key, value) = match problem.key() {
                "ca_file" => ("freshsales.ca_file", self.ca_file.as_str()),
                _ if self.proxy_file.is_empty() => ("freshsales.proxy", REDACTED),
                _ => ("freshsales.proxy_file", self.proxy_file.as_str()),
            };
            Problem::new(key, value, problem.to_string())
        })
    }

    fn address_problem(&self, problem: AccountProblem) -> Problem {
        let value = match problem {
            AccountProblem::AliasMissing
            | AccountProblem::ClassicAccount
            | AccountProblem::SuiteAccount
            | AccountProblem::NotAnAlias => &self.bundle_alias,
            AccountProblem::NotAnOrigin | AccountProblem::MoreThanAnOrigin | AccountProblem::PlainHttp => {
                &self.base_url
            }
        };
        Problem::new(problem.key(), shown(value), problem.to_string())
    }

    fn key_problem(&self) -> Option<Problem> {
        let problem = ApiKey::parse(self.api_key.expose_secret()).err()?;
        let missing = problem == ApiKeyProblem::Missing;
        if missing && self.mode == Mode::DryRun {
            return None;
        }
        let from_file = !self.api_key_file.is_empty();
        let key = if from_file { "freshsales.api_key_file" } else { "freshsales.api_key" };
        let value = match (from_file, missing) {
            (true, _) => shown(&self.api_key_file),
            (false, true) => "",
            (false, false) => REDACTED,
        };
        Some(Problem::new(key, value, problem.to_string()))
    }
}

/// A wrong value as a message may show it. A value with an `@`, or one that looks like a pasted key, may hold a
/// secret that went into the wrong place.
fn shown(value: &str) -> &str {
    let lower = value.to_ascii_lowercase();
    let may_be_secret = value.contains('@') || lower.contains("token") || lower.contains("bearer");
    if may_be_secret { REDACTED } else { value }
}
