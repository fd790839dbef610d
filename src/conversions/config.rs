//! The `[conversions]` section: its keys, defaults and everything that can be wrong with them.
//!
//! Reads no file; whoever loads the configuration has put the text of `password_file` into `password`.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::config_problem::{Problem, REDACTED};
use crate::conversion::Attribution;

/// A shorter password can be guessed.
const PASSWORD_CHARS_MIN: usize = 16;
/// Google Ads takes names of conversions up to this length.
const NAME_CHARS_MAX: usize = 100;

/// The `[conversions]` section.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether clicks are kept and files are made.
    pub enabled: bool,
    /// Who may read them.
    pub user: String,
    /// What proves it.
    pub password: SecretString,
    /// A file that holds it; empty: there is none.
    pub password_file: String,
    /// The conversion action of Google Ads.
    pub name: String,
    /// Which of several clicks counts.
    pub click: Attribution,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: false,
            user: String::new(),
            password: SecretString::from(String::new()),
            password_file: String::new(),
            name: "Deal won".to_owned(),
            click: Attribution::default(),
        }
    }
}

impl Config {
    /// As text to compare. It holds the password, so it is never shown; the file that it was read from is none of it.
    #[must_use]
    pub fn compared(&self) -> String {
        let Self { enabled, user, password, password_file: _, name, click } = self;
        format!("{enabled} {user:?} {:?} {name:?} {click:?}", password.expose_secret())
    }
}

/// Everything that is wrong with the section.
#[must_use]
pub fn problems(config: &Config) -> Vec<Problem> {
    let mut found = Vec::new();
    if !config.enabled {
        return found;
    }
    if config.user.trim().is_empty() || config.user.contains(':') {
        let expected = "the user whom Google Ads names to read the files, without a colon";
        found.push(Problem::new("conversions.user", &config.user, expected));
    }
    if config.password.expose_secret().chars().count() < PASSWORD_CHARS_MIN {
        let expected = format!("a password of {PASSWORD_CHARS_MIN} characters or more");
        let shown = if config.password.expose_secret().is_empty() { "" } else { REDACTED };
        found.push(Problem::new("conversions.password", shown, expected));
    }
    if !(1..=NAME_CHARS_MAX).contains(&config.name.trim().chars().count()) {
        let expected =
            format!("the name of the conversion action in Google Ads, of 1 to {NAME_CHARS_MAX} characters");
        found.push(Problem::new("conversions.name", &config.name, expected));
    }
    found
}
