//! The `[admin]` section: its keys, its defaults, and everything that is wrong with it.
//!
//! Reads no file and no environment; whoever loads the configuration has put the text of `token_file` into `token`
//! before it asks for problems.

use std::net::SocketAddr;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

use crate::config_problem::{Problem, REDACTED};

/// Where the private listener is unless the configuration says otherwise.
pub const LISTEN_DEFAULT: &str = "127.0.0.1:8081";
/// A shorter token is refused.
pub const TOKEN_CHARS_MIN: usize = 32;

/// The `[admin]` section.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address and port of the private listener.
    pub listen: String,
    /// The token as configured; empty: none on loopback, else one is made at first start.
    #[serde(deserialize_with = "secret")]
    pub token: SecretString,
    /// A file that holds the token; empty: there is none.
    pub token_file: String,
    /// Host names accepted beside `localhost` and IP literals; without a token those of loopback alone.
    pub allowed_hosts: Vec<String>,
    /// Where all of it also is on the public listener, behind the token; empty: not there.
    pub path: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: LISTEN_DEFAULT.to_owned(),
            token: SecretString::from(String::new()),
            token_file: String::new(),
            allowed_hosts: Vec::new(),
            path: String::new(),
        }
    }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
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

    /// Everything that is wrong with the section.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.address().is_none() {
            let expected = "an IP address and a port, such as 127.0.0.1:8081";
            problems.push(Problem::new("admin.listen", &self.listen, expected));
        }
        problems.extend(self.token_problem());
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

    fn token_problem(&self) -> Option<Problem> {
        let from_file = !self.token_file.is_empty();
        let token = match self.token() {
            Some(token) => token,
            None if from_file => SecretString::from(String::new()),
            None => return None,
        };
        let token = token.expose_secret();
        if token.len() >= TOKEN_CHARS_MIN && token.bytes().all(|byte| byte.is_ascii_graphic()) {
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
