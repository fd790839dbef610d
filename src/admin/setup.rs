//! Setting up on the page, as the private listener sees it: the code that lets in who reads the log of a first start, and
//! what names the first account.
//!
//! Must not know where settings lie or how an account is asked.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use subtle::ConstantTimeEq;

use super::editor::EditRefused;
use crate::clock::UnixMicros;
use crate::freshsales::Finding;

/// A code that is good once, and the admin token that it is good for.
pub struct Entry {
    code: Mutex<Option<SecretString>>,
    token: SecretString,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").finish_non_exhaustive()
    }
}

impl Entry {
    /// Lets in whoever has the code, once.
    #[must_use]
    pub fn new(code: SecretString, token: SecretString) -> Self {
        Self { code: Mutex::new(Some(code)), token }
    }

    /// The code, while nobody has used it.
    #[must_use]
    pub fn code(&self) -> Option<SecretString> {
        self.code.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The token for the code, which is used up then. The time tells nobody how far a guess came.
    pub(super) fn taken(&self, given: &str) -> Option<SecretString> {
        let mut code = self.code.lock().unwrap_or_else(PoisonError::into_inner);
        let is = code
            .as_ref()
            .is_some_and(|code| given.trim().as_bytes().ct_eq(code.expose_secret().as_bytes()).into());
        if !is {
            return None;
        }
        *code = None;
        Some(self.token.clone())
    }
}

/// What is named as the account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NamedAccount {
    /// Nothing.
    #[default]
    Nothing,
    /// Something that nothing is sent to.
    DryRun,
    /// An account that calls go to.
    Live,
}

/// How far the service is set up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stands {
    /// Whether the page alone says what the service is for.
    pub first_start: bool,
    /// Whether an account may be named here: none was, or none that anything is sent to.
    pub open: bool,
    /// Which one is named.
    pub account: NamedAccount,
    /// The names of the sources that may send.
    pub sources: Vec<String>,
    /// What becomes of a new contact whom nobody asked, once that was answered.
    pub unasked: Option<String>,
    /// Categories that must be granted.
    pub required: Vec<String>,
}

impl Stands {
    /// Whether the page is still to say what the service is for: it takes no event, or has no account for them.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        self.first_start && (self.account == NamedAccount::Nothing || self.sources.is_empty())
    }
}

/// The account that somebody names.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// Its alias, or the address it is opened at, as pasted.
    #[serde(default)]
    pub alias: String,
    /// The key; empty in a dry run.
    #[serde(default)]
    pub api_key: SecretString,
    /// Another origin in its place; empty: its own.
    #[serde(default)]
    pub base_url: String,
    /// Whether nothing is to be sent.
    #[serde(default)]
    pub dry_run: bool,
}

/// Why an account is not taken.
#[derive(Clone, Debug)]
pub enum AccountRefused {
    /// One was named already, or a file says it.
    Closed,
    /// The settings can't be changed so.
    Edit(EditRefused),
    /// It does not answer as an account does that can be used.
    Account(Vec<Finding>),
    /// This name was to be typed for it.
    Name(String),
}

/// What was found of an account that was taken, or why it was not.
pub type Tested = Pin<Box<dyn Future<Output = Result<Vec<Finding>, AccountRefused>> + Send>>;

/// Sets up what a file would say otherwise.
pub trait Setup: Send + Sync {
    /// How far it is.
    fn stands(&self) -> Stands;

    /// Asks an account whether it can be used, and takes it then; the service starts again with it.
    fn name_account(self: Arc<Self>, account: NewAccount, by: (String, UnixMicros)) -> Tested;

    /// Starts the service again, once what was asked of it is answered.
    fn start_again(&self);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_good_once_and_no_other_is() {
        let entry = Entry::new(SecretString::from("code-1"), SecretString::from("token-1"));
        for wrong in ["", "code-", "code-12", "CODE-1"] {
            assert!(entry.taken(wrong).is_none(), "{wrong}");
        }
        assert_eq!(entry.taken(" code-1 ").unwrap().expose_secret(), "token-1");
        assert!(entry.taken("code-1").is_none() && entry.taken("").is_none() && entry.code().is_none());
        assert!(!format!("{entry:?}").contains("token-1"));
    }

    #[test]
    fn the_key_of_an_account_is_not_in_its_debug_print() {
        let account: NewAccount = serde_json::from_str(r#"{"alias":"acme","api_key":"canary-key"}"#).unwrap();
        assert!(!format!("{account:?}").contains("canary"));
    }
}
