//! The `[freshsales]` section: its keys, its defaults, and everything that is wrong with it.
//!
//! Reads no file and no environment; whoever loads the configuration has put the text of `api_key_file` into
//! `api_key` before it asks for problems.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

use super::account::{self, AccountProblem, BundleAlias, Endpoint};
use crate::config_problem::{Problem, REDACTED};

/// The longest time a call may be given.
pub const ATTEMPT_TIMEOUT_SECONDS_MAX: u64 = 300;
/// Keys of Freshsales have some 20 characters.
const API_KEY_BYTES_MAX: usize = 512;

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

/// The `[freshsales]` section.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The account, as its user pasted it.
    pub bundle_alias: String,
    /// The API key as configured; [`ApiKey::parse`] reads it.
    #[serde(deserialize_with = "secret")]
    pub api_key: SecretString,
    /// A file that holds the API key; empty: there is none.
    pub api_key_file: String,
    /// Another origin in place of the account's own; empty: the account's own.
    pub base_url: String,
    /// Whether calls leave.
    pub mode: Mode,
    /// How long one call may take, from the first byte out to the last byte in.
    pub attempt_timeout_seconds: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bundle_alias: String::new(),
            api_key: SecretString::from(String::new()),
            api_key_file: String::new(),
            base_url: String::new(),
            mode: Mode::Live,
            attempt_timeout_seconds: 20,
        }
    }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

impl Config {
    /// Where calls go.
    ///
    /// # Errors
    /// An alias or a base URL that is refused.
    pub fn endpoint(&self) -> Result<Endpoint, AccountProblem> {
        Endpoint::new(&self.bundle_alias, &self.base_url)
    }

    /// Everything that is wrong with the section. A dry run needs no key, but a key that is there must be one.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let alias = BundleAlias::parse(&self.bundle_alias).err();
        let origin = account::origin(&self.base_url).err();
        let mut problems: Vec<Problem> =
            alias.into_iter().chain(origin).map(|problem| self.address_problem(problem)).collect();
        problems.extend(self.key_problem());
        if !(1..=ATTEMPT_TIMEOUT_SECONDS_MAX).contains(&self.attempt_timeout_seconds) {
            let expected = format!("1 to {ATTEMPT_TIMEOUT_SECONDS_MAX} seconds");
            let key = "freshsales.attempt_timeout_seconds";
            problems.push(Problem::new(key, self.attempt_timeout_seconds, expected));
        }
        problems
    }

    fn address_problem(&self, problem: AccountProblem) -> Problem {
        let value = match problem {
            AccountProblem::AliasMissing | AccountProblem::ClassicAccount | AccountProblem::NotAnAlias => {
                &self.bundle_alias
            }
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

/// Why a text is no API key. None of these repeats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeyProblem {
    /// There is none.
    #[error("the API key, from Freshsales under Personal settings, API settings")]
    Missing,
    /// The whole header was pasted.
    #[error("the API key alone, without `Token token=` or another scheme before it")]
    WholeHeader,
    /// It could not stand in a header.
    #[error("the API key: one word of at most 512 printable ASCII characters")]
    NotAWord,
}

/// The API key. It prints redacted and is shown by nothing but the header of a call.
#[derive(Clone)]
pub struct ApiKey(SecretString);

impl ApiKey {
    /// Reads a key; spaces and line ends around it are dropped, as files and copying add them.
    ///
    /// # Errors
    /// What is no key, a pasted `Token token=…` by its name.
    pub fn parse(text: &str) -> Result<Self, ApiKeyProblem> {
        let key = text.trim();
        if key.is_empty() {
            return Err(ApiKeyProblem::Missing);
        }
        let lower = key.to_ascii_lowercase();
        if ["token ", "token=", "bearer ", "basic ", "authorization:"]
            .iter()
            .any(|scheme| lower.starts_with(scheme))
        {
            return Err(ApiKeyProblem::WholeHeader);
        }
        if key.len() > API_KEY_BYTES_MAX || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ApiKeyProblem::NotAWord);
        }
        Ok(Self(SecretString::from(key)))
    }

    /// The key itself, for the header of a call and for taking it out of what is shown.
    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey([redacted])")
    }
}
