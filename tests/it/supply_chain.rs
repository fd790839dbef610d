//! Holds every crate that is linked to the lists of `deny.toml`, without network and without cargo-deny.
//!
//! `deny.toml` is the one place the lists stand in. Sources and bans are read from `Cargo.lock`, which names every crate
//! for every platform; licences come from `cargo metadata`. Advisories need a database and are cargo-deny's alone.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const CRATES_IO: &str = "https://github.com/rust-lang/crates.io-index";

#[test]
fn every_licence_is_on_the_list() {
    let allowed = strings(&house_file("deny.toml")["licenses"]["allow"]);
    let metadata = cargo_metadata();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 1, "cargo metadata named no dependency");
    let refused: Vec<String> = packages
        .iter()
        .filter(|package| !is_satisfied(package["license"].as_str().unwrap_or(""), &allowed))
        .map(|package| format!("{} {}: {}", package["name"], package["version"], package["license"]))
        .collect();
    assert!(refused.is_empty(), "not satisfied by the list in deny.toml:\n{}", refused.join("\n"));
}

#[test]
fn every_crate_comes_from_crates_io_with_a_checksum() {
    let lock = house_file("Cargo.lock");
    let strangers = strangers(&lock);
    assert!(strangers.is_empty(), "not from crates.io: {strangers:?}");
    let registries = strings(&house_file("deny.toml")["sources"]["allow-registry"]);
    assert_eq!(registries, [CRATES_IO]);
}

#[test]
fn no_banned_crate_is_locked() {
    let deny = house_file("deny.toml");
    let banned: Vec<&str> =
        deny["bans"]["deny"].as_array().unwrap().iter().map(|ban| ban["crate"].as_str().unwrap()).collect();
    let lock = house_file("Cargo.lock");
    let found: Vec<&str> = names(&lock).into_iter().filter(|name| banned.contains(name)).collect();
    assert_eq!(found, Vec::<&str>::new());
}

#[test]
fn every_dependency_names_a_version() {
    assert_eq!(wildcards(&house_file("Cargo.toml")), Vec::<String>::new());
}

fn house_file(name: &str) -> toml::Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(path).unwrap().parse().unwrap()
}

fn strings(list: &toml::Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}

fn locked(lock: &toml::Table) -> impl Iterator<Item = &toml::Value> {
    lock["package"].as_array().unwrap().iter()
}

fn names(lock: &toml::Table) -> Vec<&str> {
    locked(lock).map(|package| package["name"].as_str().unwrap()).collect()
}

/// The locked crates, this one aside, that are not from crates.io or could be exchanged unnoticed.
fn strangers(lock: &toml::Table) -> Vec<&str> {
    let registry = format!("registry+{CRATES_IO}");
    let known = |package: &toml::Value| {
        let source = package.get("source").and_then(toml::Value::as_str);
        let itself = source.is_none() && package["name"].as_str() == Some(env!("CARGO_PKG_NAME"));
        itself || (source == Some(&registry) && package.get("checksum").is_some())
    };
    locked(lock).filter(|package| !known(package)).map(|package| package["name"].as_str().unwrap()).collect()
}

/// The dependencies of a manifest that take any version.
fn wildcards(manifest: &toml::Table) -> Vec<String> {
    let tables = ["dependencies", "dev-dependencies", "build-dependencies"];
    let declared = tables.iter().filter_map(|table| manifest.get(*table)?.as_table()).flatten();
    let version = |dependency: &toml::Value| {
        let version = dependency.as_str().or_else(|| dependency.get("version")?.as_str());
        version.unwrap_or("*").to_owned()
    };
    declared
        .filter(|(_, dependency)| version(dependency).contains('*'))
        .map(|(name, _)| name.clone())
        .collect()
}

/// What cargo knows of the whole graph; of this platform's part where the other platforms' crates were never fetched.
fn cargo_metadata() -> Value {
    let run = |extra: &[&str]| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["metadata", "--locked", "--offline", "--format-version", "1"]).args(extra);
        cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap()
    };
    let mut output = run(&[]);
    if !output.status.success() {
        output = run(&["--filter-platform", &host()]);
    }
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn host() -> String {
    let output = Command::new(env!("CARGO")).arg("-vV").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

/// Whether an SPDX expression can be satisfied with the allowed licences. `/` is the old way to write `OR`.
fn is_satisfied(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    let satisfied = any_of(&mut words, allowed);
    satisfied && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any_of(words: &mut Words, allowed: &[String]) -> bool {
    let mut satisfied = all_of(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        // The right side is read whatever the left one gave.
        satisfied |= all_of(words, allowed);
    }
    satisfied
}

fn all_of(words: &mut Words, allowed: &[String]) -> bool {
    let mut satisfied = licence(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        satisfied &= licence(words, allowed);
    }
    satisfied
}

fn licence(words: &mut Words, allowed: &[String]) -> bool {
    if words.next_if_eq(&"(").is_some() {
        let satisfied = any_of(words, allowed);
        return words.next() == Some(")") && satisfied;
    }
    let Some(id) = words.next() else { return false };
    let id = match words.next_if_eq(&"WITH").and_then(|_| words.next()) {
        Some(exception) => format!("{id} WITH {exception}"),
        None => id.to_owned(),
    };
    allowed.contains(&id)
}

/// The checks on samples: what must be found, what must not.
mod samples {
    use super::*;

    fn allowed(expression: &str) -> bool {
        is_satisfied(expression, &["MIT".to_owned(), "ISC".to_owned()])
    }

    #[test]
    fn one_side_of_an_or_is_enough() {
        assert!(allowed("MIT"));
        assert!(allowed("GPL-3.0-only OR MIT"));
        assert!(allowed("Apache-2.0/MIT"));
        assert!(allowed("Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT"));
        assert!(!allowed("GPL-3.0-only OR Apache-2.0"));
    }

    #[test]
    fn both_sides_of_an_and_are_needed() {
        assert!(allowed("MIT AND ISC"));
        assert!(!allowed("MIT AND GPL-3.0-only"));
        assert!(!allowed("GPL-3.0-only AND MIT"));
    }

    #[test]
    fn and_binds_closer_than_or_and_brackets_closer_still() {
        assert!(allowed("MIT OR GPL-3.0-only AND AGPL-3.0-only"));
        assert!(!allowed("(MIT OR GPL-3.0-only) AND AGPL-3.0-only"));
        assert!(allowed("(Apache-2.0 OR MIT) AND ISC"));
    }

    #[test]
    fn an_exception_is_another_licence() {
        assert!(!allowed("MIT WITH some-exception"));
    }

    #[test]
    fn no_licence_and_nonsense_are_refused() {
        for nonsense in ["", "(MIT", "MIT)", "MIT ISC", "OR MIT", "MIT AND"] {
            assert!(!allowed(nonsense), "{nonsense:?}");
        }
    }

    #[test]
    fn a_crate_from_elsewhere_or_without_a_checksum_is_a_stranger() {
        let lock = format!(
            r#"
            [[package]]
            name = "freshsignal"
            [[package]]
            name = "good"
            source = "registry+{CRATES_IO}"
            checksum = "00"
            [[package]]
            name = "unchecked"
            source = "registry+{CRATES_IO}"
            [[package]]
            name = "from-git"
            source = "git+https://example.com/repository"
            [[package]]
            name = "from-a-folder"
            "#
        );
        assert_eq!(strangers(&lock.parse().unwrap()), ["unchecked", "from-git", "from-a-folder"]);
    }

    #[test]
    fn a_dependency_of_any_version_is_found() {
        let manifest = r#"
            [dependencies]
            good = "1"
            any = "*"
            [dev-dependencies]
            silent = { path = "x" }
            loose = { version = "1.*" }
        "#;
        let mut found = wildcards(&manifest.parse().unwrap());
        found.sort();
        assert_eq!(found, ["any", "loose", "silent"]);
    }
}
