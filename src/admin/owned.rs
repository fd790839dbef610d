//! Where data goes, as the private listener sees it: who owns the service changes it, and it waits before it takes effect.
//!
//! Must not know where settings lie or how an account is asked.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use secrecy::SecretString;
use serde::Deserialize;

use super::editor::EditRefused;
use super::setup::AccountRefused;
use crate::clock::UnixMicros;
use crate::decision::Settings;
use crate::freshsales::Finding;
use crate::managed::{Edit, Path, Pending};

/// Where data goes.
#[derive(Clone, Debug)]
pub struct Owned {
    /// The revision of the settings.
    pub revision: u64,
    /// The account as it is written in the settings.
    pub alias: String,
    /// Another origin in its place.
    pub base_url: String,
    /// Whether nothing is sent.
    pub dry_run: bool,
    /// The form of alerts.
    pub format: &'static str,
    /// The host that alerts go to; none where nobody is told.
    pub host: Option<String>,
    /// Who else is told of what happens.
    pub outputs: Vec<ShownOutput>,
    /// What the file or the environment says of it, and which of them.
    pub locks: Vec<(Path, String)>,
    /// What takes effect later.
    pub pending: Option<Pending>,
}

/// The account that is wanted.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountWish {
    /// Its alias, as pasted.
    pub alias: String,
    /// Another key; empty: the one that is there.
    #[serde(default)]
    pub api_key: SecretString,
    /// Another origin; empty: the account's own.
    #[serde(default)]
    pub base_url: String,
}

/// Who is to be told when something is wrong.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertsWish {
    /// Where messages are posted.
    pub url: SecretString,
    /// Their form: a word of the configuration.
    pub format: String,
    /// What those of the form `json` are signed with; empty: the one that is there.
    #[serde(default)]
    pub secret: SecretString,
}

/// A receiver of what happens, as it is shown.
#[derive(Clone, Debug)]
pub struct ShownOutput {
    /// Its name.
    pub name: String,
    /// The host that messages are posted to.
    pub host: Option<String>,
    /// The form of messages.
    pub format: &'static str,
    /// What it is told.
    pub events: Vec<String>,
}

/// A receiver that is to be told of what happens.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputWish {
    /// Its name.
    pub name: String,
    /// Where messages are posted; empty: where they are now.
    #[serde(default)]
    pub url: SecretString,
    /// Their form: a word of the configuration.
    #[serde(default)]
    pub format: String,
    /// What it is told.
    #[serde(default)]
    pub events: Vec<String>,
    /// It is told no more.
    #[serde(default)]
    pub remove: bool,
}

/// What is wanted of where data goes, by somebody who saw the settings at a revision.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnedWish {
    /// The revision that they saw.
    pub revision: u64,
    /// Another account, or another key of the same.
    #[serde(default)]
    pub account: Option<AccountWish>,
    /// Other alerts.
    #[serde(default)]
    pub alerts: Option<AlertsWish>,
    /// Another receiver of what happens.
    #[serde(default)]
    pub output: Option<OutputWish>,
    /// The name of what is changed to, typed again; without it nothing is changed.
    #[serde(default)]
    pub name: Option<String>,
}

/// What a change of where data goes is, or was.
#[derive(Clone, Debug)]
pub struct OwnedChange {
    /// What was found of the account.
    pub findings: Vec<Finding>,
    /// What would be otherwise.
    pub edits: Vec<Edit>,
    /// What has to be typed for it.
    pub name: String,
    /// What deciding would depend on, where it is another account.
    pub settings: Option<Arc<Settings>>,
    /// Whether it was ordered.
    pub ordered: bool,
    /// When it takes effect; none: at once.
    pub due: Option<UnixMicros>,
    /// What messages to a new receiver are signed with; said once, where it was ordered.
    pub secret: Option<SecretString>,
}

/// What became of a wish.
pub type Ordered = Pin<Box<dyn Future<Output = Result<OwnedChange, AccountRefused>> + Send>>;

/// Changes where data goes.
pub trait Owner: Send + Sync {
    /// Where it goes; blocks.
    ///
    /// # Errors
    /// Editing is off, or the configuration is wrong by now.
    fn owned(&self) -> Result<Owned, EditRefused>;

    /// Looks at a change, and makes or orders it where its name was typed.
    fn change(self: Arc<Self>, wish: OwnedWish, by: (String, UnixMicros)) -> Ordered;

    /// Takes back what waits; answers whether anything did. Blocks.
    ///
    /// # Errors
    /// It could not be written down.
    fn revoke(&self) -> Result<bool, EditRefused>;
}
