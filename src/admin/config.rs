//! The `[admin]` section: its keys, its defaults, and everything that is wrong with it.
//!
//! Reads no file and no environment; whoever loads the configuration has put the text of `token_file` into `token`
//! before it asks for problems.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::role::{Named, Role, Who};
use crate::config_problem::{Problem, REDACTED};

/// Where the private listener is unless the configuration says otherwise.
pub const LISTEN_DEFAULT: &str = "127.0.0.1:8081";
/// A shorter token is refused.
pub const TOKEN_CHARS_MIN: usize = 32;
/// Each request compares all of them.
const TOKENS_MAX: usize = 100;
const NAME_CHARS_MAX: usize = 40;

/// The `[admin]` section.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address and port of the private listener.
    pub listen: String,
    /// The token as configured; empty: none on loopback, else one is made at first start.
    pub token: SecretString,
    /// A file that holds the token; empty: there is none.
    pub token_file: String,
    /// People with tokens of their own, by name.
    pub tokens: BTreeMap<String, TokenConfig>,
    /// Whether settings may be changed on the page.
    pub edit: bool,
    /// Host names accepted beside `localhost` and IP literals; without a token those of loopback alone.
    pub allowed_hosts: Vec<String>,
    /// Where all of it also is on the public listener, behind the token; empty: not there.
    pub path: String,
}

/// One of `[admin.tokens.NAME]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenConfig {
    /// The token.
    pub token: SecretString,
    /// A file that holds it.
    pub token_file: String,
    /// What its owner may: a word of [`Role`].
    pub role: String,
}

impl Default for TokenConfig {
    fn default() -> Self {
        Self { token: SecretString::from(String::new()), token_file: String::new(), role: String::new() }
    }
}

impl TokenConfig {
    fn problems(&self, name: &str) -> Vec<Problem> {
        let key = format!("admin.tokens.{name}");
        let mut problems = Vec::new();
        if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
            let expected = format!("a name of 1 to {NAME_CHARS_MAX} characters");
            problems.push(Problem::new("admin.tokens", name, expected));
        }
        if Role::parse(&self.role).is_none() {
            let roles = Role::ALL.map(Role::as_str).join(", ");
            problems.push(Problem::new(format!("{key}.role"), &self.role, format!("one of {roles}")));
        }
        if !is_token(self.token.expose_secret().trim()) {
            let expected = format!("one word of at least {TOKEN_CHARS_MIN} printable ASCII characters");
            problems.push(if self.token_file.is_empty() {
                Problem::new(format!("{key}.token"), REDACTED, expected)
            } else {
                Problem::new(format!("{key}.token_file"), &self.token_file, expected)
            });
        }
        problems
    }
}

fn is_token(text: &str) -> bool {
    text.len() >= TOKEN_CHARS_MIN && text.bytes().all(|byte| byte.is_ascii_graphic())
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: LISTEN_DEFAULT.to_owned(),
            token: SecretString::from(String::new()),
            token_file: String::new(),
            tokens: BTreeMap::new(),
            edit: false,
            allowed_hosts: Vec::new(),
            path: String::new(),
        }
    }
}

impl Config {
    /// The address of the private listener, if it is one.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.listen.trim().parse().ok()
    }

    /// The configured token; spaces and line ends around it are dropped, as files add them.
    #[must_use]
    pub fn token(&self) -> Option<SecretString> {
        let token = self.token.expose_secret().trim();
        (!token.is_empty()).then(|| SecretString::from(token))
    }

    /// People with tokens of their own.
    #[must_use]
    pub fn people(&self) -> Vec<Named> {
        let named = |(name, one): (&String, &TokenConfig)| {
            let token = SecretString::from(one.token.expose_secret().trim());
            let who = Who { name: name.clone(), role: Role::parse(&one.role)? };
            is_token(token.expose_secret()).then_some(Named { who, token })
        };
        self.tokens.iter().filter_map(named).collect()
    }

    /// Whether somebody has a token of their own who may everything.
    #[must_use]
    pub fn has_owner(&self) -> bool {
        self.people().iter().any(|one| one.who.role == Role::Owner)
    }

    /// Everything that is wrong with the section.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.address().is_none() {
            let expected = "an IP address and a port, such as 127.0.0.1:8081";
            problems.push(Problem::new("admin.listen", &self.listen, expected));
        }
        problems.extend(self.token_problem());
        problems.extend(self.tokens.iter().flat_map(|(name, one)| one.problems(name)));
        problems.extend(self.tokens_problem());
        for host in self.allowed_hosts.iter().filter(|host| !is_host(host)) {
            let expected = "host names without scheme and path, such as freshsignal.internal";
            problems.push(Problem::new("admin.allowed_hosts", host, expected));
        }
        if !self.path.is_empty() && !is_path(&self.path) {
            let expected =
                "a slash and one word of letters, digits, - and _, such as /admin; empty: not there";
            problems.push(Problem::new("admin.path", &self.path, expected));
        }
        problems
    }

    /// Two people with one token could not be told apart.
    fn tokens_problem(&self) -> Option<Problem> {
        if self.tokens.len() > TOKENS_MAX {
            return Some(Problem::new(
                "admin.tokens",
                self.tokens.len(),
                format!("at most {TOKENS_MAX} tokens"),
            ));
        }
        let all = self.token().into_iter().chain(self.people().into_iter().map(|one| one.token));
        let mut seen = BTreeSet::new();
        let again = all.filter(|token| !seen.insert(token.expose_secret().to_owned())).count();
        (again > 0).then(|| {
            Problem::new(
                "admin.tokens",
                REDACTED,
                "another token for each person, and none that is admin.token",
            )
        })
    }

    fn token_problem(&self) -> Option<Problem> {
        let from_file = !self.token_file.is_empty();
        let token = match self.token() {
            Some(token) => token,
            None if from_file => SecretString::from(String::new()),
            None => return None,
        };
        let token = token.expose_secret();
        if is_token(token) {
            return None;
        }
        let expected = format!("one word of at least {TOKEN_CHARS_MIN} printable ASCII characters");
        Some(if from_file {
            Problem::new("admin.token_file", &self.token_file, expected)
        } else {
            Problem::new("admin.token", REDACTED, expected)
        })
    }
}

/// One part of a path.
fn is_path(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    text.strip_prefix('/').is_some_and(|word| !word.is_empty() && word.chars().all(fits))
}

/// A name, with a port or without.
fn is_host(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
    !text.is_empty() && text.chars().all(fits)
}
