//! Paths that a configuration file names are taken from the folder that the file is in.
//!
//! So a file means the same wherever the service is started. Must not read what the paths name.

use std::path::{Path, PathBuf};

use config::{Map, Value, ValueKind};

use crate::config_problem::Problem;

/// Puts whole paths in the place of those that `file` names relative to itself; `of_file` is what it says, `overridden` whether
/// something that lies over it says the same key. Answers those that an earlier version would have found elsewhere: that one
/// took them from the working folder, and another data folder or mapping must not be taken in silence.
pub(super) fn from_folder_of(
    file: &Path,
    of_file: &Map<String, Value>,
    overridden: &dyn Fn(&str) -> bool,
    tree: &mut Map<String, Value>,
) -> Vec<Problem> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let mut problems = Vec::new();
    for (key, text) in named("", of_file) {
        if text.is_empty() || Path::new(&text).is_absolute() || overridden(&key) {
            continue;
        }
        let whole = folder.join(&text);
        problems.extend(moved(&key, &text, &whole));
        put(tree, &key, &whole);
    }
    problems
}

/// Keys whose value is a path, with it.
fn named(section: &str, keys: &Map<String, Value>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (key, value) in keys {
        let key = if section.is_empty() { key.clone() } else { format!("{section}.{key}") };
        match &value.kind {
            ValueKind::Table(inner) => found.extend(named(&key, inner)),
            ValueKind::String(text) if is_path(&key) => found.push((key, text.clone())),
            _ => {}
        }
    }
    found
}

/// Whether a key holds a path. What events map from where has keys of others.
fn is_path(key: &str) -> bool {
    let foreign = key.contains(".events.") || key.contains(".form_fields.") || key.contains(".set.");
    let folder = key.starts_with("exports.") && key.ends_with(".folder");
    !foreign && (folder || key.ends_with("_file") || ["mapping.file", "store.path"].contains(&key))
}

fn moved(key: &str, text: &str, whole: &Path) -> Option<Problem> {
    let before = PathBuf::from(text);
    let elsewhere = !whole.exists() && before.exists();
    elsewhere.then(|| {
        let before = before.canonicalize().unwrap_or(before);
        let expected = format!(
            "a whole path: one in a configuration file is taken from that file's folder, where there is no {}; what is in the \
             working folder is {}",
            whole.display(),
            before.display()
        );
        Problem::new(key, text, expected)
    })
}

fn put(tree: &mut Map<String, Value>, key: &str, path: &Path) {
    match key.split_once('.') {
        None => {
            let value = ValueKind::String(path.to_string_lossy().into_owned());
            tree.insert(key.to_owned(), Value::new(None, value));
        }
        Some((head, rest)) => {
            if let Some(Value { kind: ValueKind::Table(inner), .. }) = tree.get_mut(head) {
                put(inner, rest, path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LoadError, load};

    fn in_folder(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("freshsignal.toml");
        std::fs::write(&file, text).unwrap();
        (folder, file)
    }

    #[test]
    fn a_relative_path_in_a_file_is_taken_from_its_folder_and_any_other_stays() {
        let text = "[store]\npath = \"data\"\nwithdrawn_file = \"/elsewhere/withdrawn.log\"\n\
                    [mapping]\nfile = \"maps/mapping.toml\"\n[freshsales]\napi_key_file = \"key\"\n\
                    [sources.website]\nwrite_key_file = \"write-key\"";
        let (folder, file) = in_folder(text);
        let within = |name: &str| folder.path().join(name).display().to_string();
        std::fs::create_dir(folder.path().join("maps")).unwrap();
        std::fs::write(folder.path().join("maps/mapping.toml"), "").unwrap();
        std::fs::write(folder.path().join("key"), "key-1").unwrap();
        std::fs::write(folder.path().join("write-key"), "key-2").unwrap();
        let config = load(Some(&file), &Vec::new()).unwrap().config;
        assert_eq!(config.store.path.display().to_string(), within("data"));
        assert_eq!(config.store.withdrawn_file.display().to_string(), "/elsewhere/withdrawn.log");
        assert_eq!(config.mapping.file, within("maps/mapping.toml"));
        assert_eq!(config.freshsales.api_key_file, within("key"));
        assert_eq!(config.sources["website"].write_key_file, within("write-key"));
        let environment = vec![("FRESHSIGNAL_STORE__PATH".to_owned(), "elsewhere".to_owned())];
        let config = load(Some(&file), &environment).unwrap().config;
        assert_eq!(config.store.path.display().to_string(), "elsewhere");
        let config = load(None, &Vec::new()).unwrap().config;
        assert_eq!(config.store.path.display().to_string(), "data");
    }

    #[test]
    fn what_an_earlier_version_would_have_found_in_the_working_folder_is_named() {
        // Tests run in the folder of the package.
        let (folder, file) = in_folder("[store]\npath = \"src\"\n[mapping]\nfile = \"config/mapping.toml\"");
        let Err(LoadError::Problems(problems)) = load(Some(&file), &Vec::new()) else {
            panic!("two paths moved")
        };
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        let here = std::env::current_dir().unwrap();
        let there = |name: &str| folder.path().join(name).display().to_string();
        for (problem, key, path) in
            [(&told[0], "mapping.file", "config/mapping.toml"), (&told[1], "store.path", "src")]
        {
            assert!(problem.starts_with(&format!("{key} = \"{path}\": a whole path")), "{problem}");
            assert!(problem.contains(&there(path)), "{problem}");
            assert!(problem.ends_with(&here.join(path).display().to_string()), "{problem}");
        }
    }
}
