//! What the documents name exists: the files they link to, keys, routes, metrics and tests.
//!
//! Holds names alone. Whether a sentence is true is for people.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const DOCUMENTS: [&str; 3] = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"];

#[test]
fn every_relative_link_leads_to_a_file() {
    let mut broken = Vec::new();
    for name in DOCUMENTS {
        let text = text(name);
        for target in links(&text) {
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let there =
                if file.is_empty() { headings(&text).contains(heading) } else { root().join(file).exists() };
            if !there {
                broken.push(format!("{name}: {target}"));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere: {broken:#?}");
}

#[test]
fn every_key_that_the_documents_name_is_in_the_reference_file() {
    let known = known_keys(&text("config/default.toml"));
    let sections: BTreeSet<&str> = known.iter().filter_map(|key| key.split('.').next()).collect();
    let mut unknown = Vec::new();
    for name in DOCUMENTS {
        let text = text(name);
        for key in quoted(&text).filter_map(key_of) {
            let section = key.split('.').next().unwrap_or_default();
            let inner = key.replace("sources.website.", "sources.NAME.");
            if sections.contains(section) && !known.contains(&inner) {
                unknown.push(format!("{name}: {key}"));
            }
        }
    }
    assert!(unknown.is_empty(), "keys that do not exist: {unknown:#?}");
}

#[test]
fn every_route_of_the_debugger_is_in_the_readme_and_the_other_way_round() {
    let source = text("src/admin/mod.rs");
    let table = source.split("const ROUTES").nth(1).and_then(|rest| rest.split("];").next()).unwrap();
    let routes: BTreeSet<&str> = table.split('"').skip(1).step_by(2).collect();
    let readme = text("README.md");
    let section =
        readme.split("\n## The debugger\n").nth(1).and_then(|rest| rest.split("\n```").nth(2)).unwrap();
    let starts = ["| `GET /", "| `POST /", "| `DELETE /"];
    let rows = section.lines().filter(|line| starts.iter().any(|start| line.starts_with(start)));
    let first_cells = rows.filter_map(|row| row.split('|').nth(1));
    let named: BTreeSet<&str> = first_cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(|route| route.split_once(' ').map_or(route, |(_, path)| path))
        .collect();
    assert_eq!(named, routes);
}

#[test]
fn every_metric_that_the_readme_names_is_recorded() {
    let sources = sources();
    let readme = text("README.md");
    let words = quoted(&readme).filter(|word| word.starts_with("freshsignal_"));
    let names: BTreeSet<&str> = words.filter_map(|word| word.split('{').next()).collect();
    assert!(names.len() >= 13, "{names:?}");
    let missing: Vec<_> = names.iter().filter(|name| !sources.contains(&format!("\"{name}\""))).collect();
    assert!(missing.is_empty(), "metrics that nothing records: {missing:?}");
}

#[test]
fn every_test_that_the_architecture_names_exists() {
    let sources = sources();
    let document = text("ARCHITECTURE.md");
    let sentence = |word: &&str| {
        word.matches('_').count() >= 3
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    let named: BTreeSet<&str> = quoted(&document).filter(sentence).collect();
    assert!(named.len() >= 30, "{}", named.len());
    let missing: Vec<_> = named.iter().filter(|name| !sources.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "tests that do not exist: {missing:?}");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The targets of the links of a document, those into the web left out.
fn links(document: &str) -> impl Iterator<Item = &str> {
    let targets = document.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://"))
}

/// The headings of a document as links name them.
fn headings(document: &str) -> BTreeSet<String> {
    let titles =
        document.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    titles
        .map(|title| title.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-"))
        .collect()
}

/// What stands between single backticks, blocks of code left out.
fn quoted(document: &str) -> impl Iterator<Item = &str> {
    let prose = document.split("```").step_by(2);
    prose.flat_map(|part| part.split('`').skip(1).step_by(2))
}

/// The key in `delivery.send`, `consent.subscribed = "1"`; none in anything else.
fn key_of(word: &str) -> Option<&str> {
    let key = word.split(" = ").next()?;
    let is_part =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let (_, last) = key.rsplit_once('.')?;
    (last != "toml" && key.split('.').all(is_part)).then_some(key)
}

/// The keys of the reference file; those of a source are comments in it, as there is none by default.
fn known_keys(reference: &str) -> BTreeSet<String> {
    let source = reference.lines().filter_map(|line| line.strip_prefix("# "));
    let source_keys = source.filter(|line| line.contains(" = "));
    let mut keys: BTreeSet<String> = source_keys
        .flat_map(|line| line.split(['#', ';']))
        .filter_map(|part| part.split(" = ").next())
        .map(|key| format!("sources.NAME.{}", key.trim()))
        .collect();
    keys.insert("sources.NAME.write_keys_file".to_owned());
    let tables: toml::Table = reference.parse().unwrap();
    for (section, table) in &tables {
        let inner = table.as_table().into_iter().flat_map(toml::Table::keys);
        keys.extend(inner.map(|key| format!("{section}.{key}")));
    }
    keys
}

/// The text of every Rust file.
fn sources() -> String {
    let mut folders: Vec<PathBuf> = vec![root().join("src"), root().join("tests")];
    let mut all = String::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                all.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    all
}

mod tests {
    use super::*;

    #[test]
    fn links_and_words_are_found_outside_of_code() {
        let document = "# One `two`\n[a](b.md) [c](https://d) [e](#one-two)\n```\n`f`\n```\n`g.h = 1`";
        assert_eq!(links(document).collect::<Vec<_>>(), ["b.md", "#one-two"]);
        assert_eq!(quoted(document).collect::<Vec<_>>(), ["two", "g.h = 1"]);
        assert!(headings(document).contains("one-two"));
        assert_eq!(key_of("g.h = 1"), Some("g.h"));
        assert_eq!(key_of("src/a.rs"), None);
    }
}
