//! The settings that were changed on the page, as they lie in the data folder: two files that their owner alone can read,
//! one of them with secrets. Each is written whole or not at all.
//!
//! Must not judge what stands in them: they are a layer like the file.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use config::{Map, Value as Layered, ValueKind};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::config_problem::Problem;
use crate::managed::{self, Document, is_editable, is_key_list, is_owned, is_secret, to_toml};

/// Below the data folder.
const FOLDER: &str = "settings";
const DOCUMENT: &str = "managed.json";
const SECRETS: &str = "secrets.json";
/// A larger document is not read: changes and settings are bounded far below.
const BYTES_MAX: u64 = 64 << 20;
/// How often it is read again because somebody writes meanwhile.
const READS_MAX: usize = 10;

/// What lies in the data folder.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// The settings.
    pub document: Document,
    /// The secrets that they name.
    pub secrets: BTreeMap<String, SecretString>,
}

/// The layer of settings that were changed on the page, and what lies over it.
#[derive(Clone, Debug, Default)]
pub struct Managed {
    /// Whether settings may be changed on the page.
    pub is_on: bool,
    /// The data folder.
    pub folder: PathBuf,
    /// What was changed.
    pub stored: Stored,
    /// Settings that the file or the environment says, and which of them.
    pub locks: Vec<(managed::Path, String)>,
    /// What is in effect of everything that may be changed, key lists aside.
    pub values: serde_json::Map<String, Value>,
}

impl Stored {
    /// Reads what lies in a data folder; nothing, where nothing was changed yet.
    ///
    /// # Errors
    /// It is there and can't be read.
    pub fn read(folder: &Path) -> Result<Self, Problem> {
        let folder = folder.join(FOLDER);
        let mut document: Option<Document> = read(&folder.join(DOCUMENT))?;
        let mut secrets: Option<BTreeMap<String, String>> = read(&folder.join(SECRETS))?;
        // Between the two somebody may have written: secrets go with the document that names them.
        for _ in 0..READS_MAX {
            let now: Option<Document> = read(&folder.join(DOCUMENT))?;
            if now == document {
                break;
            }
            document = now;
            secrets = read(&folder.join(SECRETS))?;
        }
        let secrets = secrets.unwrap_or_default().into_iter();
        Ok(Self {
            document: document.unwrap_or_default(),
            secrets: secrets.map(|(name, secret)| (name, SecretString::from(secret))).collect(),
        })
    }

    /// Writes it. A document never names a secret that is not there: new ones come before it, and those that it names no more go
    /// after it.
    ///
    /// # Errors
    /// The folder can't be written to; what lay there before still does.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let folder = folder.join(FOLDER);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let secrets: BTreeMap<&String, &str> =
            self.secrets.iter().map(|(name, secret)| (name, secret.expose_secret())).collect();
        let before: Option<BTreeMap<String, String>> =
            read(&folder.join(SECRETS)).map_err(|problem| io::Error::other(problem.to_string()))?;
        let before = before.unwrap_or_default();
        let mut all: BTreeMap<&String, &str> =
            before.iter().map(|(name, secret)| (name, secret.as_str())).collect();
        all.extend(&secrets);
        if !all.is_empty() {
            write(&folder, SECRETS, &serde_json::to_vec_pretty(&all)?)?;
        }
        write(&folder, DOCUMENT, &serde_json::to_vec_pretty(&self.document)?)?;
        if all != secrets {
            write(&folder, SECRETS, &serde_json::to_vec_pretty(&secrets)?)?;
        }
        Ok(())
    }

    /// The layer as text of a configuration file, with the secrets in their places.
    pub(super) fn layer(&self) -> String {
        let mut settings = self.document.settings();
        put_secrets(&mut settings, &mut Vec::new(), &self.secrets);
        let sources = settings.get_mut("sources").and_then(Value::as_object_mut).into_iter().flatten();
        for (_, source) in sources {
            let keys = source.get_mut("write_keys").and_then(Value::as_array_mut).into_iter().flatten();
            for key in keys {
                let secret = key.as_str().and_then(|name| self.secrets.get(name));
                // A name without its secret is nobody's key.
                *key = Value::from(secret.map_or("", |secret| secret.expose_secret()));
            }
        }
        to_toml(&settings)
    }
}

/// Puts each secret where its name stands.
fn put_secrets(
    values: &mut serde_json::Map<String, Value>,
    path: &mut managed::Path,
    secrets: &BTreeMap<String, SecretString>,
) {
    for (name, value) in values {
        path.push(name.clone());
        match value {
            Value::Object(inner) => put_secrets(inner, path, secrets),
            Value::String(named) if is_secret(path) => {
                let secret = secrets.get(named.as_str());
                // A name without its secret opens nothing.
                *named = secret.map_or_else(String::new, |secret| secret.expose_secret().to_owned());
            }
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {}
        }
        path.pop();
    }
}

fn read<T: serde::de::DeserializeOwned>(file: &Path) -> Result<Option<T>, Problem> {
    let problem = |why: String| {
        let expected =
            format!("readable settings of the page ({why}); moved aside, the service starts without them");
        Problem::new("admin.edit", file.display(), expected)
    };
    match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(problem(error.to_string())),
        Ok(found) if found.len() > BYTES_MAX => {
            return Err(problem(format!("larger than {BYTES_MAX} bytes")));
        }
        Ok(_) => {}
    }
    let text = fs::read(file).map_err(|error| problem(error.to_string()))?;
    // What stands there may be a secret, so the place alone is said.
    let place = |error: &serde_json::Error| format!("not as it was written, at line {}", error.line());
    serde_json::from_slice(&text).map(Some).map_err(|error| problem(place(&error)))
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let (file, beside) = (folder.join(name), folder.join(format!("{name}.new")));
    // One that a kill left behind may have another mode.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut new = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    new.write_all(bytes)?;
    new.sync_all()?;
    fs::rename(&beside, &file)?;
    fs::File::open(folder)?.sync_all()
}

/// What was changed on the page, where it may be; and why it can't be read.
pub(super) fn on_disk(tree: &Map<String, Layered>, given: Option<&Stored>) -> (Managed, Option<Problem>) {
    let text_of = |section: &str, key: &str| {
        let Some(Layered { kind: ValueKind::Table(keys), .. }) = tree.get(section) else {
            return String::new();
        };
        keys.get(key).map(ToString::to_string).unwrap_or_default()
    };
    if text_of("admin", "edit").trim() != "true" {
        return (Managed::default(), None);
    }
    let folder = PathBuf::from(text_of("store", "path"));
    let read = match given {
        Some(stored) => Ok(stored.clone()),
        None => Stored::read(&folder),
    };
    let (stored, unreadable) = match read {
        Ok(stored) => (stored, None),
        Err(problem) => (Stored::default(), Some(problem)),
    };
    (Managed { is_on: true, folder, stored, ..Managed::default() }, unreadable)
}

/// What the environment and the file say of what may be changed on the page.
pub(super) fn locks_over(
    overrides: &[(String, Layered)],
    file: Option<(&Path, &Map<String, Layered>)>,
) -> Vec<(managed::Path, String)> {
    let mut found = Vec::new();
    for (key, value) in overrides {
        let by = value.origin().unwrap_or("the environment");
        found.extend(locks(&nested(key, value), by));
    }
    if let Some((file, said)) = file {
        found.extend(locks(said, &file.display().to_string()));
    }
    found
}

/// A key of several parts as the sections that it is in.
fn nested(key: &str, value: &Layered) -> Map<String, Layered> {
    let (first, rest) = key.split_once('.').unwrap_or((key, ""));
    let inner = if rest.is_empty() {
        value.clone()
    } else {
        Layered::new(None, ValueKind::Table(nested(rest, value)))
    };
    Map::from_iter([(first.to_owned(), inner)])
}

/// The settings of a file, or of the environment, that lie over those of the page.
fn locks(layer: &Map<String, Layered>, by: &str) -> Vec<(managed::Path, String)> {
    let mut found = Vec::new();
    leaves(layer, &mut Vec::new(), &mut |path, _| {
        // A list that may be changed as a whole, or something within one.
        found.extend(editable_part(path).map(|path| (path, by.to_owned())));
    });
    found.dedup();
    found
}

/// Of a mapping file: its fields, events and deals by name.
pub(super) fn rule_locks(text: &str, by: &str) -> Vec<(managed::Path, String)> {
    let Ok(table) = text.parse::<toml::Table>() else { return Vec::new() };
    let named = table.iter().flat_map(|(section, names)| {
        let names = names.as_table().into_iter().flat_map(|names| names.keys());
        names.map(move |name| vec![managed::RULES.to_owned(), section.clone(), name.clone()])
    });
    named.filter(|path| is_editable(path)).map(|path| (path, by.to_owned())).collect()
}

impl super::Config {
    /// Notes what the mapping file says, which lies over what the page does.
    pub(super) fn lock_rules(&mut self, mapping: Option<&str>) {
        let path = &self.mapping.file;
        if !self.managed.is_on || path.is_empty() && mapping.is_none() {
            return;
        }
        // That it can't be read is said where it is.
        let text = mapping.map(str::to_owned).or_else(|| fs::read_to_string(path).ok());
        let Some(text) = text else { return };
        self.managed.locks.extend(rule_locks(&text, path));
    }
}

/// What is in effect of everything that may be changed.
pub(super) fn in_effect(tree: &Map<String, Layered>) -> serde_json::Map<String, Value> {
    let mut document = serde_json::Map::new();
    leaves(tree, &mut Vec::new(), &mut |path, value| {
        if is_editable(path) && !is_key_list(path) && !is_secret(path) {
            put(&mut document, path, json(value));
        }
    });
    document
}

fn put(values: &mut serde_json::Map<String, Value>, path: &[String], value: Value) {
    match path.split_first() {
        Some((last, [])) => {
            values.insert(last.clone(), value);
        }
        Some((first, rest)) => {
            let inner = values.entry(first.clone()).or_insert_with(|| Value::Object(serde_json::Map::new()));
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
        None => {}
    }
}

/// The shortest part of a path that may be changed.
fn editable_part(path: &[String]) -> Option<managed::Path> {
    let may_be = |part: &&[String]| is_editable(part) || is_owned(part);
    (1..=path.len()).filter_map(|parts| path.get(..parts)).find(may_be).map(<[_]>::to_vec)
}

fn leaves(keys: &Map<String, Layered>, path: &mut Vec<String>, told: &mut dyn FnMut(&[String], &Layered)) {
    let mut names: Vec<&String> = keys.keys().collect();
    names.sort();
    for name in names {
        let Some(value) = keys.get(name) else { continue };
        path.push(name.clone());
        match &value.kind {
            ValueKind::Table(inner) => leaves(inner, path, told),
            _ => told(path, value),
        }
        path.pop();
    }
}

fn json(value: &Layered) -> Value {
    match &value.kind {
        ValueKind::Nil => Value::Null,
        ValueKind::Boolean(yes) => Value::from(*yes),
        ValueKind::I64(number) => Value::from(*number),
        ValueKind::U64(number) => Value::from(*number),
        ValueKind::I128(number) => Value::from(number.to_string()),
        ValueKind::U128(number) => Value::from(number.to_string()),
        ValueKind::Float(number) => Value::from(*number),
        ValueKind::String(text) => Value::from(text.clone()),
        ValueKind::Array(items) => items.iter().map(json).collect(),
        ValueKind::Table(keys) => {
            let mut names: Vec<(&String, &Layered)> = keys.iter().collect();
            names.sort_by_key(|(name, _)| name.as_str());
            Value::Object(names.into_iter().map(|(name, value)| (name.clone(), json(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use serde_json::json;

    use super::super::{Environment, examine};
    use super::*;
    use crate::clock::UnixMicros;
    use crate::managed::Wish;

    fn wish(path: &[&str], value: Value) -> Wish {
        Wish { path: path.iter().map(|part| (*part).to_owned()).collect(), value: Some(value) }
    }

    fn environment(folder: &Path, more: &[(&str, &str)]) -> Environment {
        let path = folder.display().to_string();
        let pairs = [
            ("STORE__PATH", path.as_str()),
            ("ADMIN__EDIT", "true"),
            ("SOURCES__SHOP__WRITE_KEY", "shop-key"),
        ];
        let pairs = pairs.iter().chain(more);
        pairs.map(|(key, value)| (format!("FRESHSIGNAL_{key}"), (*value).to_owned())).collect()
    }

    fn stored(folder: &Path, wishes: &[Wish]) -> Stored {
        let document = Document::default().changed(0, wishes, ("jane", UnixMicros(1))).unwrap();
        let secrets = [("key-1".to_owned(), SecretString::from("a-new-key"))].into();
        let stored = Stored { document, secrets };
        stored.write(folder).unwrap();
        stored
    }

    #[test]
    fn what_was_changed_on_the_page_lies_over_the_defaults_and_under_the_file_and_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let wishes = [
            wish(&["delivery", "hold_seconds"], json!(5)),
            wish(&["consent", "required"], json!(["marketing"])),
            wish(&["sources", "shop", "write_keys"], json!(["key-1"])),
            wish(&["rules", "fields", "city"], json!({ "from": ["traits.town"] })),
        ];
        stored(folder.path(), &wishes);
        let file = folder.path().join("freshsignal.toml");
        fs::write(&file, "[delivery]\nhold_seconds = 7").unwrap();
        let more = [("CONSENT__REQUIRED", "")];
        let read =
            examine(Some(&file), &environment(folder.path(), &more)).unwrap().approved().unwrap().config;
        assert_eq!(read.delivery.hold_seconds, 7);
        assert!(read.consent.required.is_empty());
        let keys: Vec<&str> = read.sources["shop"].keys().map(ExposeSecret::expose_secret).collect();
        assert_eq!(keys, ["shop-key", "a-new-key"]);
        let preset = read.preset().unwrap();
        assert!(preset.trait_paths().any(|path| path == "traits.town"));
        let by = |path: &str| {
            let found = read.managed.locks.iter().find(|(locked, _)| managed::dotted(locked) == path);
            found.map(|(_, by)| by.clone())
        };
        assert_eq!(by("consent.required").as_deref(), Some("FRESHSIGNAL_CONSENT__REQUIRED"));
        assert_eq!(by("delivery.hold_seconds"), Some(file.display().to_string()));
        assert_eq!(by("rules.fields.city"), None);
        assert!(!format!("{:?}", read.managed).contains("a-new-key"));
        let off = [("ADMIN__EDIT", "false")];
        let read = examine(None, &environment(folder.path(), &off)).unwrap().approved().unwrap().config;
        assert_eq!((read.delivery.hold_seconds, read.managed.is_on), (0, false));
    }

    #[test]
    fn its_owner_alone_reads_the_files_and_one_that_was_cut_is_named_and_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        stored(folder.path(), &[wish(&["delivery", "hold_seconds"], json!(5))]);
        for name in ["managed.json", "secrets.json"] {
            let file = folder.path().join("settings").join(name);
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
        }
        for name in crate::store::sqlite::SETTINGS_FILES {
            assert!(folder.path().join(name).is_file(), "a backup copies {name}");
        }
        let file = folder.path().join("settings/secrets.json");
        fs::write(&file, "{\"key-1\": \"a-new-key").unwrap();
        let problem = Stored::read(folder.path()).unwrap_err().to_string();
        assert!(problem.contains("secrets.json") && !problem.contains("a-new-key"), "{problem}");
    }

    #[test]
    fn a_change_that_can_not_be_written_leaves_settings_and_secrets_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let before = stored(folder.path(), &[wish(&["sources", "shop", "write_keys"], json!(["key-1"]))]);
        // As on a full disk the document can't be written, after the secrets.
        let in_the_way = folder.path().join("settings/managed.json.new");
        fs::create_dir(&in_the_way).unwrap();
        let after = Stored { document: Document::default(), secrets: BTreeMap::new() };
        assert!(after.write(folder.path()).is_err());
        let kept = Stored::read(folder.path()).unwrap();
        assert_eq!(kept.document, before.document);
        assert_eq!(kept.secrets["key-1"].expose_secret(), "a-new-key");
        fs::remove_dir(&in_the_way).unwrap();
        after.write(folder.path()).unwrap();
        let secrets = fs::read_to_string(folder.path().join("settings/secrets.json")).unwrap();
        assert!(!secrets.contains("a-new-key"), "what nothing names is gone");
    }

    #[test]
    fn a_wrong_setting_of_the_page_is_a_problem_like_one_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        stored(folder.path(), &[wish(&["delivery", "hold_seconds"], json!("soon"))]);
        let found = examine(None, &environment(folder.path(), &[])).unwrap();
        assert_eq!(found.problems[0].key, "delivery.hold_seconds");
    }
}
