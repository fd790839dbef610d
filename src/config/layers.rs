//! Layers: the built-in defaults, a file, the environment; and every problem of them at once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use config::{File, FileFormat, Map, Value, ValueKind};
use serde::de::DeserializeOwned;

use super::first_start::{self, FirstStart};
use super::managed::{self, Stored};
use super::variables::{Environment, FILE_VARIABLE, PREFIX};
use super::{Config, DEFAULT, likeness, paths, secrets};
use crate::config_problem::{self, Problem, REDACTED};

/// Keys whose value is a list; `*` is any name.
const LISTS: [&str; 17] = [
    "server.trusted_proxies",
    "admin.allowed_hosts",
    "sources.*.write_keys",
    "sources.*.allowed_origins",
    "sources.*.keep_query",
    "sources.*.form_redirects",
    "sources.*.form_required",
    "hooks.*.secrets",
    "outputs.*.secrets",
    "outputs.*.events",
    "consent.required",
    "consent.categories.*",
    "mapping.presets",
    "integrations.names",
    "identity.ignore_ids",
    "identity.keep_ids",
    "filters.exclude_emails",
];

/// The sections there are.
const SECTIONS: [&str; 22] = [
    "admin",
    "alerts",
    "allowance",
    "bulk",
    "consent",
    "conversions",
    "delivery",
    "exports",
    "filters",
    "freshsales",
    "happenings",
    "hooks",
    "identity",
    "integrations",
    "log",
    "mapping",
    "outputs",
    "retention",
    "server",
    "sources",
    "store",
    "telemetry",
];

/// A configuration that was read.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What should be known, one sentence each.
    pub warnings: Vec<String>,
    /// Which names of others were understood, a sentence each.
    pub notes: Vec<String>,
}

/// Why a configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file can't be read at all.
    #[error("the configuration file {} can't be read: {why}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why not; names line and key for TOML.
        why: String,
    },
    /// Keys or values that can't be used, all of them.
    #[error("{}", list(.0))]
    Problems(Vec<Problem>),
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// A configuration with everything that is wrong with it. Keys that can't be used have their default in it.
#[derive(Clone, Debug)]
pub struct Examined {
    /// The configuration.
    pub config: Config,
    /// What should be known, one sentence each.
    pub warnings: Vec<String>,
    /// Which names of others were understood, a sentence each.
    pub notes: Vec<String>,
    /// Every key that does not exist, every value of the wrong type, everything that makes no sense.
    pub problems: Vec<Problem>,
}

impl Examined {
    /// The configuration, if nothing is wrong with it.
    ///
    /// # Errors
    /// Everything that is.
    pub fn approved(self) -> Result<Loaded, LoadError> {
        if self.problems.is_empty() {
            Ok(Loaded { config: self.config, warnings: self.warnings, notes: self.notes })
        } else {
            Err(LoadError::Problems(self.problems))
        }
    }

    /// The configuration, if it is also enough to serve.
    ///
    /// # Errors
    /// Everything that is wrong or missing.
    pub fn approved_to_serve(mut self) -> Result<Loaded, LoadError> {
        let missing = self.config.serving_problems();
        // A key that can't be used has its default, which would be told as missing again.
        let told = |problem: &Problem| self.problems.iter().any(|known| known.key == problem.key);
        let missing: Vec<Problem> = missing.into_iter().filter(|problem| !told(problem)).collect();
        self.problems.extend(missing);
        self.approved()
    }
}

/// Reads the layers; nothing may be wrong with them.
///
/// # Errors
/// Everything that is.
pub fn load(file: Option<&Path>, environment: &Environment) -> Result<Loaded, LoadError> {
    let found = examine(file, environment)?;
    match found.config.first_start {
        // Nothing was set up: what holds while somebody does is not meant for who tries the defaults.
        Some(FirstStart { awaits_account: true }) => {
            examine_layers(file, Texts::default(), environment, None)?.approved()
        }
        Some(FirstStart { awaits_account: false }) | None => found.approved(),
    }
}

/// Reads the layers. `file` is the argument; without it the environment may name one.
///
/// # Errors
/// The file can't be read at all.
pub fn examine(file: Option<&Path>, environment: &Environment) -> Result<Examined, LoadError> {
    examine_with(file, Texts::default(), environment)
}

/// Texts in place of what stands in files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Texts<'a> {
    /// In place of the configuration file.
    pub config: Option<&'a str>,
    /// In place of the mapping file, which is not read then.
    pub mapping: Option<&'a str>,
    /// In place of what was changed on the page.
    pub managed: Option<&'a Stored>,
}

/// The same with texts in place of what stands in the files.
///
/// # Errors
/// The text can't be read at all.
pub fn examine_with(
    file: Option<&Path>,
    texts: Texts<'_>,
    environment: &Environment,
) -> Result<Examined, LoadError> {
    let first = if texts.config.is_none() { first_start::layer(file, environment) } else { None };
    examine_layers(file, texts, environment, first)
}

/// The same with this over the defaults.
fn examine_layers(
    file: Option<&Path>,
    texts: Texts<'_>,
    environment: &Environment,
    first: Option<&str>,
) -> Result<Examined, LoadError> {
    let named = environment.iter().find(|(name, value)| name == FILE_VARIABLE && !value.is_empty());
    let file = file.map(Path::to_path_buf).or_else(|| named.map(|(_, value)| PathBuf::from(value)));
    let (mut overrides, warnings) = from_environment(environment);
    if texts.mapping.is_some() {
        overrides.push(("mapping.file".to_owned(), Value::new(None, String::new())));
    }
    let text = texts.config;
    let file_layer = || Layer { path: file.as_deref(), text };
    let given = merged(&[], file_layer(), overrides.clone())?;
    let (others, notes) = by_other_names(environment, &given);
    overrides.extend(others);
    let overridden: Vec<String> = overrides.iter().map(|(key, _)| key.clone()).collect();
    let of_file = match &file {
        Some(file) => Some((file, merged(&[], Layer { path: Some(file), text }, Vec::new())?)),
        None => None,
    };
    let whole = |below: &[&str]| {
        let mut tree = merged(below, file_layer(), overrides.clone())?;
        let overridden = |key: &str| overridden.iter().any(|other| other == key);
        let moved =
            of_file.as_ref().map(|(file, said)| paths::from_folder_of(file, said, &overridden, &mut tree));
        Ok::<_, LoadError>((tree, moved.unwrap_or_default()))
    };
    let below: Vec<&str> = [DEFAULT].into_iter().chain(first).collect();
    let (mut tree, mut problems) = whole(&below)?;
    let (mut managed, unreadable) = managed::on_disk(&tree, texts.managed);
    if managed.is_on {
        let layer = managed.stored.layer();
        let below: Vec<&str> = below.into_iter().chain([layer.as_str()]).collect();
        (tree, problems) = whole(&below)?;
        managed.values = managed::in_effect(&tree);
        managed.locks =
            managed::locks_over(&overrides, of_file.as_ref().map(|(file, said)| (file.as_path(), said)));
    }
    problems.extend(unreadable);
    problems.extend(problems_by_key(&tree));
    problems.sort();
    for problem in &problems {
        take_out(&mut tree, &problem.key);
    }
    let value = Value::new(None, ValueKind::Table(tree));
    let mut config: Config = value
        .try_deserialize()
        .map_err(|error| LoadError::Problems(vec![Problem::new("configuration", "", error.to_string())]))?;
    config.managed = managed;
    config.lock_rules(texts.mapping);
    problems.extend(secrets::read_files(&mut config));
    config.first_start = first.map(|_| FirstStart::of(&mut config.freshsales));
    // A key that can't be used has its default, which must not be told as missing again.
    let told: Vec<String> = problems.iter().map(|problem| problem.key.clone()).collect();
    problems.extend(config.problems().into_iter().filter(|problem| !told.contains(&problem.key)));
    Ok(Examined { config, warnings, notes, problems })
}

/// Takes a key out, so that the rest can be read.
fn take_out(tree: &mut Map<String, Value>, key: &str) {
    match key.split_once('.') {
        None => {
            tree.remove(key);
        }
        Some((head, rest)) => {
            if let Some(Value { kind: ValueKind::Table(inner), .. }) = tree.get_mut(head) {
                take_out(inner, rest);
            }
        }
    }
}

/// The layer of the file: what stands in it, or a text in its place.
#[derive(Clone, Copy)]
struct Layer<'a> {
    path: Option<&'a Path>,
    text: Option<&'a str>,
}

fn merged(
    below: &[&str],
    file: Layer<'_>,
    overrides: Vec<(String, Value)>,
) -> Result<Map<String, Value>, LoadError> {
    let unreadable = |error: &config::ConfigError| LoadError::File {
        path: file.path.map(Path::to_path_buf).unwrap_or_default(),
        why: error.to_string(),
    };
    let found = match (file.text, file.path) {
        (Some(text), _) => Some(text.to_owned()),
        // That it can't be read is said below.
        (None, Some(path)) => std::fs::read_to_string(path).ok(),
        (None, None) => None,
    };
    if let Some(why) = found.as_deref().and_then(config_problem::broken_toml) {
        return Err(LoadError::File { path: file.path.map(Path::to_path_buf).unwrap_or_default(), why });
    }
    let mut builder = config::Config::builder();
    for text in below {
        builder = builder.add_source(File::from_str(text, FileFormat::Toml));
    }
    if let Some(text) = &found {
        builder = builder.add_source(File::from_str(text, FileFormat::Toml));
    } else if let Some(path) = file.path {
        builder = builder.add_source(File::from(path).format(FileFormat::Toml).required(true));
    }
    for (key, value) in overrides {
        builder = builder.set_override(key, value).map_err(|error| unreadable(&error))?;
    }
    let built = builder.build().map_err(|error| unreadable(&error))?;
    built.cache.into_table().map_err(|error| unreadable(&error))
}

/// The keys that the environment sets. Values stay text until their key's type reads them, so that a key of digits
/// keeps its zeros.
fn from_environment(environment: &Environment) -> (Vec<(String, Value)>, Vec<String>) {
    let (mut overrides, mut warnings) = (Vec::new(), Vec::new());
    for (name, text) in environment {
        let Some(rest) = name.strip_prefix(PREFIX).filter(|_| name != FILE_VARIABLE) else { continue };
        if !rest.contains("__") {
            warnings.push(format!("{name} is not a key (no __ in it) and is ignored"));
            continue;
        }
        let key = rest.to_lowercase().replace("__", ".");
        let value = if is_list(&key) {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            ValueKind::Array(items.map(|item| Value::new(None, item.to_owned())).collect())
        } else {
            ValueKind::String(text.clone())
        };
        overrides.push((key, Value::new(Some(name), value)));
    }
    (overrides, warnings)
}

/// What hosts and other tools call some of our keys, and which keys of ours stand before them.
const OTHER_NAMES: [(&str, &str, &[&str]); 3] = [
    ("FRESHSALES_API_KEY", "freshsales.api_key", &["freshsales.api_key", "freshsales.api_key_file"]),
    ("FRESHSALES_SUBDOMAIN", "freshsales.bundle_alias", &["freshsales.bundle_alias"]),
    ("PORT", "server.listen", &["server.listen"]),
];

/// The keys that are set under other names and not under ours, and a sentence for each of these names that is there.
fn by_other_names(
    environment: &Environment,
    given: &Map<String, Value>,
) -> (Vec<(String, Value)>, Vec<String>) {
    let (mut overrides, mut notes) = (Vec::new(), Vec::new());
    for (name, key, ours) in OTHER_NAMES {
        let found = environment.iter().find(|(found, text)| found == name && !text.trim().is_empty());
        let Some((_, text)) = found else { continue };
        if let Some(ours) = ours.iter().find(|key| is_given(given, key)) {
            notes.push(format!("{name} is not used: {ours} is set"));
            continue;
        }
        let text = text.trim();
        // A port is for all addresses, as hosts that name one expect.
        let text = if key == "server.listen" { format!("0.0.0.0:{text}") } else { text.to_owned() };
        overrides.push((key.to_owned(), Value::new(Some(&name.to_owned()), ValueKind::String(text))));
        notes.push(format!("{key} is taken from {name}"));
    }
    (overrides, notes)
}

/// Whether a key is set, and not to nothing.
fn is_given(given: &Map<String, Value>, key: &str) -> bool {
    let Some((section, key)) = key.split_once('.') else { return false };
    let Some(Value { kind: ValueKind::Table(keys), .. }) = given.get(section) else { return false };
    keys.get(key).is_some_and(|value| !value.to_string().trim().is_empty())
}

fn is_list(key: &str) -> bool {
    let parts: Vec<&str> = key.split('.').collect();
    LISTS.iter().any(|list| {
        let pattern: Vec<&str> = list.split('.').collect();
        pattern.len() == parts.len()
            && pattern.iter().zip(&parts).all(|(wanted, part)| *wanted == "*" || wanted == part)
    })
}

/// Reads each key alone into its section, so that every problem is found and not the first alone.
fn problems_by_key(tree: &Map<String, Value>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (section, value) in tree {
        let Ok(keys) = value.clone().into_table() else {
            problems.push(Problem::new(section, plain(value), "a section"));
            continue;
        };
        if ["sources", "hooks", "outputs", "exports"].contains(&section.as_str()) {
            for (name, source) in keys {
                let path = format!("{section}.{name}");
                match source.clone().into_table() {
                    Ok(keys) if section == "hooks" => {
                        each_key::<crate::ingest::HookConfig>(&path, keys, &mut problems);
                    }
                    Ok(keys) if section == "exports" => {
                        each_key::<crate::exports::ExportConfig>(&path, keys, &mut problems);
                    }
                    Ok(keys) if section == "outputs" => {
                        each_key::<crate::outputs::OutputConfig>(&path, keys, &mut problems);
                    }
                    Ok(keys) => each_key::<crate::ingest::SourceConfig>(&path, keys, &mut problems),
                    Err(_) => problems.push(Problem::new(path, plain(&source), "a section")),
                }
            }
            continue;
        }
        let keys = if section == "admin" { without_tokens(keys, &mut problems) } else { keys };
        let known = one_section(section, keys, &mut problems);
        if !known {
            problems.push(Problem::new(section, "", no_such("section", section, &SECTIONS)));
        }
    }
    problems
}

/// Reads each key of each `[admin.tokens.NAME]` alone; answers the rest of the section.
fn without_tokens(mut keys: HashMap<String, Value>, problems: &mut Vec<Problem>) -> HashMap<String, Value> {
    let Some(tokens) = keys.remove("tokens") else { return keys };
    let Ok(tokens) = tokens.into_table() else {
        problems.push(Problem::new("admin.tokens", REDACTED, "sections such as [admin.tokens.jane]"));
        return keys;
    };
    for (name, token) in tokens {
        let path = format!("admin.tokens.{name}");
        match token.into_table() {
            Ok(keys) => each_key::<crate::admin::TokenConfig>(&path, keys, problems),
            Err(_) => problems.push(Problem::new(path, REDACTED, "a section with token and role")),
        }
    }
    keys
}

fn one_section(section: &str, keys: HashMap<String, Value>, problems: &mut Vec<Problem>) -> bool {
    match section {
        "server" => each_key::<crate::ingest::ServerConfig>(section, keys, problems),
        "admin" => each_key::<super::AdminConfig>(section, keys, problems),
        "alerts" => each_key::<super::AlertsConfig>(section, keys, problems),
        "conversions" => each_key::<crate::conversions::Config>(section, keys, problems),
        "freshsales" => each_key::<super::FreshsalesConfig>(section, keys, problems),
        "allowance" => each_key::<super::AllowanceConfig>(section, keys, problems),
        "delivery" => each_key::<super::DeliveryConfig>(section, keys, problems),
        "bulk" => each_key::<super::BulkConfig>(section, keys, problems),
        "consent" => each_key::<super::ConsentConfig>(section, keys, problems),
        "integrations" => each_key::<super::IntegrationsConfig>(section, keys, problems),
        "identity" => each_key::<super::IdentityConfig>(section, keys, problems),
        "filters" => each_key::<super::FiltersConfig>(section, keys, problems),
        "mapping" => each_key::<super::MappingConfig>(section, keys, problems),
        "happenings" => each_key::<crate::happening::Config>(section, keys, problems),
        "store" => each_key::<crate::store::Config>(section, keys, problems),
        "retention" => each_key::<crate::retain::RetentionConfig>(section, keys, problems),
        "log" => each_key::<super::LogConfig>(section, keys, problems),
        "telemetry" => each_key::<super::TracesConfig>(section, keys, problems),
        _ => return false,
    }
    true
}

fn each_key<S: DeserializeOwned>(section: &str, keys: HashMap<String, Value>, problems: &mut Vec<Problem>) {
    for (key, value) in keys {
        let shown = plain(&value);
        let path = format!("{section}.{key}");
        let secret = secrets::is_secret(&key);
        let alone = Value::new(None, ValueKind::Table(Map::from_iter([(key.clone(), value)])));
        if let Err(error) = alone.clone().try_deserialize::<S>() {
            // Some libraries repeat the value, which may be a secret.
            let words = in_words::<S>(alone, &error);
            let (shown, expected) = if let Some(known) = keys_instead(&words) {
                // It may be a secret whose key is misspelt.
                (REDACTED.to_owned(), no_such("key", &key, &known))
            } else if secret && is_list(&path) {
                (REDACTED.to_owned(), "a list of texts, such as [\"…\"]".to_owned())
            } else if secret {
                (REDACTED.to_owned(), "text".to_owned())
            } else {
                (shown, words)
            };
            problems.push(Problem::new(path, shown, expected));
        }
    }
}

/// The keys that there are, where the words say that this one is none of them.
fn keys_instead(words: &str) -> Option<Vec<&str>> {
    let known = words.strip_prefix("unknown field ")?;
    // The key itself stands first.
    Some(known.split('`').skip(3).step_by(2).collect())
}

/// That there is no such key or section, and which one may be meant.
fn no_such(what: &str, name: &str, known: &[&str]) -> String {
    match likeness::nearest(name, known.iter().copied(), 0.8) {
        Some(meant) => format!("there is no such {what}; is `{meant}` meant?"),
        None => format!("there is no such {what}; there are {}", known.join(", ")),
    }
}

/// What is expected, in the words of `serde_json`, which names the words that are allowed, where it refuses it too.
fn in_words<S: DeserializeOwned>(alone: Value, error: &config::ConfigError) -> String {
    let tree = alone.try_deserialize::<serde_json::Value>().ok();
    let words = tree.and_then(|tree| serde_json::from_value::<S>(tree).err());
    config_problem::in_words(&words.map_or_else(|| error.to_string(), |words| words.to_string()))
}

fn plain(value: &Value) -> String {
    value.to_string()
}
