//! What changes settings, as the private listener sees it: behind it the configuration is read, checked, written down and
//! taken over.
//!
//! Must not know where settings lie.

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::clock::UnixMicros;
use crate::config_problem::Problem;
use crate::decision::Settings;
use crate::managed::{self, Document, Edit, Path, Wish};

/// What another configuration changed: names of keys and sections, never a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// In effect now.
    pub taken_over: Vec<String>,
    /// Different from what the service was started with, and without effect until it is started again.
    pub needs_restart: Vec<String>,
}

/// What somebody wants changed, at the revision that they saw.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// The revision of the settings that they saw.
    pub revision: u64,
    /// What is to be otherwise.
    #[serde(default)]
    pub changes: Vec<Wish>,
    /// The source that gets another write key, beside those it has.
    #[serde(default)]
    pub new_key: Option<String>,
    /// The hook that is to be there, or gets another secret.
    #[serde(default)]
    pub new_hook: Option<HookWish>,
    /// In place of them: the change that is undone.
    #[serde(default)]
    pub undo: Option<u64>,
}

/// A hook by which another system sends.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HookWish {
    /// Its name, the end of its address.
    pub name: String,
    /// Who sends: a word of the configuration.
    pub kind: String,
    /// The source whose people count.
    pub source: String,
    /// What the sender signs with; empty: where it sends a token, one is made.
    #[serde(default)]
    pub secret: SecretString,
}

/// The settings as they are.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What was changed on the page.
    pub document: Document,
    /// What is in effect of what may be changed, the mapping aside.
    pub values: Map<String, Value>,
    /// What the file or the environment says, and which of them.
    pub locks: Vec<(Path, String)>,
    /// The hooks that there are: their kinds and sources, by name.
    pub hooks: BTreeMap<String, (&'static str, String)>,
    /// The names of all sources.
    pub sources: Vec<String>,
    /// Write keys that were made on the page: their last characters, by name.
    pub keys: BTreeMap<String, String>,
}

/// A change that could be applied.
#[derive(Clone, Debug)]
pub struct Previewed {
    /// By this number it is applied.
    pub id: u64,
    /// What deciding would depend on.
    pub settings: Arc<Settings>,
    /// What would be otherwise.
    pub edits: Vec<Edit>,
    /// What takes effect after a restart alone.
    pub needs_restart: Vec<String>,
}

/// A change that was applied.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The revision that it made.
    pub revision: u64,
    /// What was changed.
    pub edits: Vec<Edit>,
    /// What the configuration in use took over.
    pub reloaded: Reloaded,
    /// New write keys by source, and new tokens by `hooks.NAME`, said this once.
    pub new_keys: BTreeMap<String, String>,
}

/// Why settings are not changed.
#[derive(Clone, Debug)]
pub enum EditRefused {
    /// `admin.edit` is not on.
    Off,
    /// The change itself can't be made.
    Change(managed::Refused),
    /// The file or the environment says it.
    Locked(Path, String),
    /// With it the configuration would be wrong.
    Problems(Vec<Problem>),
    /// It was looked at too long ago, or applied already.
    Expired,
    /// The file or the environment changed since it was looked at.
    ChangedMeanwhile,
    /// It could not be written down.
    NotWritten(String),
}

/// Changes settings; every call blocks.
pub trait Editor: Send + Sync {
    /// The settings as they are.
    ///
    /// # Errors
    /// Editing is off, or the configuration is wrong by now.
    fn seen(&self) -> Result<Seen, EditRefused>;

    /// What a change would make of the settings; nothing is changed.
    ///
    /// # Errors
    /// It can't be made.
    fn preview(&self, draft: &Draft, by: (&str, UnixMicros)) -> Result<Previewed, EditRefused>;

    /// Applies what was looked at before.
    ///
    /// # Errors
    /// It can't be made any more; nothing changed then.
    fn apply(&self, preview: u64, at: UnixMicros) -> Result<Applied, EditRefused>;
}
