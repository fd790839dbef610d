//! Changes settings on behalf of the page: the same loading and checking as for the file, written down whole, and taken over
//! by the same reload.
//!
//! One change at a time. What is looked at before is kept a while, so that what is applied is what was seen.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::reload::Reload;
use crate::admin::{Applied, Draft, EditRefused, Editor, HookWish, Previewed, Seen};
use crate::clock::UnixMicros;
use crate::config::{Config, Managed, Stored, Texts};
use crate::ingest::HookKind;
use crate::managed::{Edit, Path, Wish, is_key_list, is_secret};
use tokio::sync::{Mutex as Alone, watch};
use tokio_util::sync::CancellationToken;

/// A preview is good for so long.
const GOOD_FOR: Duration = Duration::from_mins(10);
/// Previews that are kept.
const KEPT_MAX: usize = 16;
const KEY_BYTES: usize = 24;
/// What the names of write keys begin with.
const WRITE_KEY: &str = "key-";
/// What the names of secrets of hooks begin with.
const HOOK_SECRET: &str = "hook-";
/// Characters of a key that are shown.
const END_CHARS: usize = 4;

/// Changes settings.
pub(super) struct Editing {
    pub(super) reload: Reload,
    pub(super) previews: Mutex<Previews>,
    /// Held while an account is asked.
    pub(super) testing: Alone<()>,
    /// Starts the service again.
    pub(super) again: CancellationToken,
    /// When what waits takes effect.
    pub(super) due: watch::Sender<Option<UnixMicros>>,
}

#[derive(Default)]
pub(super) struct Previews {
    last: u64,
    kept: VecDeque<Kept>,
}

/// A change that was looked at.
struct Kept {
    id: u64,
    at: UnixMicros,
    /// The revision that it changes.
    base: u64,
    stored: Stored,
    config: Config,
    edits: Vec<Edit>,
    new_keys: BTreeMap<String, String>,
}

impl Editing {
    pub(super) fn new(reload: Reload, again: CancellationToken) -> Self {
        let pending = reload.started.managed.stored.document.pending.as_ref().map(|pending| pending.due);
        let due = watch::Sender::new(pending);
        Self { reload, previews: Mutex::default(), testing: Alone::default(), again, due }
    }

    /// The configuration as it is on disk, with what was changed on the page or with this in its place.
    pub(super) fn loaded(&self, stored: Option<&Stored>) -> Result<Config, EditRefused> {
        let texts = Texts { managed: stored, ..Texts::default() };
        let config = self.reload.loaded(texts).map_err(EditRefused::Problems)?;
        let missing = config.serving_problems();
        if !missing.is_empty() {
            return Err(EditRefused::Problems(missing));
        }
        if config.managed.is_on { Ok(config) } else { Err(EditRefused::Off) }
    }
}

impl Editor for Editing {
    fn seen(&self) -> Result<Seen, EditRefused> {
        let config = self.loaded(None)?;
        let sources = config.sources.keys().cloned().collect();
        let hooks = config
            .hooks
            .iter()
            .filter_map(|(name, hook)| Some((name.clone(), (hook.kind?.as_str(), hook.source.clone()))));
        let hooks = hooks.collect();
        let Managed { stored, values, locks, .. } = config.managed;
        let end = |secret: &SecretString| {
            let text: Vec<char> = secret.expose_secret().chars().collect();
            text.get(text.len().saturating_sub(END_CHARS)..).unwrap_or_default().iter().collect()
        };
        let keys = stored.secrets.iter().map(|(name, secret)| (name.clone(), end(secret))).collect();
        Ok(Seen { document: stored.document, values, locks, hooks, sources, keys })
    }

    fn preview(&self, draft: &Draft, (who, at): (&str, UnixMicros)) -> Result<Previewed, EditRefused> {
        let now = self.loaded(None)?;
        let Managed { mut stored, locks, .. } = now.managed;
        let mut new_keys = BTreeMap::new();
        let mut wishes = draft.changes.clone();
        known_keys(&wishes, &stored)?;
        if let Some(source) = &draft.new_key {
            let (name, key) = new_key(stored.document.revision + 1)?;
            wishes.push(one_more(source, &name, &stored));
            stored.secrets.insert(name, SecretString::from(key.as_str()));
            new_keys.insert(source.clone(), key);
        }
        if let Some(hook) = &draft.new_hook {
            let (made, secret) = new_hook(hook, stored.document.revision + 1)?;
            wishes.extend(made);
            if hook.secret.expose_secret().trim().is_empty() && !secret.1.is_empty() {
                new_keys.insert(format!("hooks.{}", hook.name), secret.1.clone());
            }
            stored.secrets.insert(secret.0, SecretString::from(secret.1));
        }
        let base = stored.document.revision;
        let changed = match draft.undo {
            Some(change) if wishes.is_empty() => stored.document.undone(draft.revision, change, (who, at)),
            Some(_) | None => stored.document.changed(draft.revision, &wishes, (who, at)),
        };
        stored.document = changed.map_err(EditRefused::Change)?;
        let edits = stored.document.changes.last().map(|change| change.edits.clone()).unwrap_or_default();
        locked(&edits, &locks)?;
        forget_unnamed(&mut stored);
        let config = self.loaded(Some(&stored))?;
        let settings = self.reload.settings_of(&config).map_err(EditRefused::Problems)?;
        let needs_restart = self.reload.needs_restart(&config);
        let mut previews = self.previews.lock().unwrap_or_else(PoisonError::into_inner);
        previews.last += 1;
        let id = previews.last;
        if previews.kept.len() >= KEPT_MAX {
            previews.kept.pop_front();
        }
        previews.kept.push_back(Kept { id, at, base, stored, config, edits: edits.clone(), new_keys });
        Ok(Previewed { id, settings, edits, needs_restart })
    }

    fn apply(&self, preview: u64, at: UnixMicros) -> Result<Applied, EditRefused> {
        // Held to the end: of two who apply at once the second sees what the first did.
        let mut previews = self.previews.lock().unwrap_or_else(PoisonError::into_inner);
        previews.kept.retain(|kept| kept.at.plus(GOOD_FOR) >= at);
        let place = previews.kept.iter().position(|kept| kept.id == preview);
        let kept = place.and_then(|place| previews.kept.remove(place)).ok_or(EditRefused::Expired)?;
        let before = self.loaded(None)?.managed;
        let revision = before.stored.document.revision;
        if revision != kept.base {
            return Err(EditRefused::Change(crate::managed::Refused::Stale(revision)));
        }
        let then = self.loaded(Some(&kept.stored))?;
        if !kept.config.changes(&then).is_empty() || kept.config.preset() != then.preset() {
            return Err(EditRefused::ChangedMeanwhile);
        }
        let written = |stored: &Stored| {
            stored.write(&before.folder).map_err(|error| EditRefused::NotWritten(error.to_string()))
        };
        written(&kept.stored)?;
        match self.reload.reload() {
            Ok(reloaded) => {
                let revision = kept.stored.document.revision;
                Ok(Applied { revision, edits: kept.edits, reloaded, new_keys: kept.new_keys })
            }
            Err(problems) => {
                // Changed by hand in between: what was there is there again.
                written(&before.stored)?;
                Err(EditRefused::Problems(problems))
            }
        }
    }
}

/// Where secrets stand, names of some that were made or entered here stand and nothing else.
fn known_keys(wishes: &[Wish], stored: &Stored) -> Result<(), EditRefused> {
    let is_nothing = |wish: &Wish| wish.value.as_ref().is_none_or(Value::is_null);
    let known = |name: &Value| name.as_str().is_some_and(|name| stored.secrets.contains_key(name));
    let fits = |wish: &&Wish| match &wish.value {
        Some(Value::Array(names)) => names.iter().all(known),
        Some(Value::Null) | None => true,
        Some(_) => false,
    };
    let fits = |wish: &&Wish| if is_secret(&wish.path) { is_nothing(wish) } else { fits(wish) };
    let secrets = |wish: &&Wish| is_key_list(&wish.path) || is_secret(&wish.path);
    match wishes.iter().filter(secrets).find(|wish| !fits(wish)) {
        Some(wish) => {
            let what = crate::managed::dotted(&wish.path);
            Err(EditRefused::Change(crate::managed::Refused::NotEditable(what)))
        }
        None => Ok(()),
    }
}

/// The keys of a source that were made here, and this one.
fn one_more(source: &str, name: &str, stored: &Stored) -> Wish {
    let path: Path = ["sources", source, "write_keys"].map(str::to_owned).to_vec();
    let mut names = stored.document.get(&path).and_then(Value::as_array).cloned().unwrap_or_default();
    names.push(Value::from(name));
    Wish { path, value: Some(Value::Array(names)) }
}

fn new_key(revision: u64) -> Result<(String, String), EditRefused> {
    Ok((format!("{WRITE_KEY}{revision}"), random_key()?))
}

/// It has no sign that an address or a header would change, and is long enough for a token.
fn random_key() -> Result<String, EditRefused> {
    let mut random = [0_u8; KEY_BYTES];
    getrandom::fill(&mut random).map_err(|error| EditRefused::NotWritten(error.to_string()))?;
    let key = URL_SAFE_NO_PAD.encode(random);
    // Whoever gives it to a command would seem to name a switch.
    Ok(key.strip_prefix('-').map_or(key.clone(), |rest| format!("_{rest}")))
}

/// What makes a hook, and its secret by its name. Who sends a token gets one made where none is entered.
fn new_hook(hook: &HookWish, revision: u64) -> Result<(Vec<Wish>, (String, String)), EditRefused> {
    let name = format!("{HOOK_SECRET}{revision}");
    let entered = hook.secret.expose_secret().trim().to_owned();
    let secret = if entered.is_empty() && hook.kind == HookKind::Freshsales.as_str() {
        random_key()?
    } else {
        entered
    };
    let wish = |key: &str, value: &str| {
        let path: Path = ["hooks", hook.name.trim(), key].map(str::to_owned).to_vec();
        Wish { path, value: Some(Value::from(value)) }
    };
    let wishes = vec![wish("kind", &hook.kind), wish("source", hook.source.trim()), wish("secret", &name)];
    Ok((wishes, (name, secret)))
}

/// Nothing of what the file or the environment says can be changed here.
fn locked(edits: &[Edit], locks: &[(Path, String)]) -> Result<(), EditRefused> {
    let over = |edit: &Edit| locks.iter().find(|(path, _)| *path == edit.path && !is_key_list(path));
    match edits.iter().find_map(over) {
        Some((path, by)) => Err(EditRefused::Locked(path.clone(), by.clone())),
        None => Ok(()),
    }
}

/// Secrets that no setting names any more go; a write key stays as long as a change names it, so that it can be undone.
pub(super) fn forget_unnamed(stored: &mut Stored) {
    let all = serde_json::to_string(&stored.document).unwrap_or_default();
    let document = &stored.document;
    let named = serde_json::to_string(&(&document.values, &document.pending)).unwrap_or_default();
    stored.secrets.retain(|name, _| {
        let named = if name.starts_with(WRITE_KEY) { &all } else { &named };
        named.contains(&format!("\"{name}\""))
    });
}
