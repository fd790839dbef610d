//! What exists in the project for documents to name: keys, routes, codes, metrics, tests. Reads the source as text.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::architecture::is_test_file;

/// The folder of the project.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the project.
pub fn text(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The files below a folder with this extension, by their names from the project's folder on.
pub fn files(folder: &str, extension: &str) -> Vec<String> {
    let mut folders = vec![root().join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The text of every Rust file, tests included.
pub fn sources() -> String {
    let all = files("src", "rs").into_iter().chain(files("tests", "rs"));
    all.map(|name| text(&name)).collect()
}

/// The text of every Rust file that is no test.
pub fn product() -> String {
    let files = files("src", "rs").into_iter().filter(|name| !is_test_file(name));
    files.map(|name| text(&name).split("\n#[cfg(test)]\nmod tests {").next().unwrap().to_owned()).collect()
}

/// The keys of the reference file; those of a source and of a hook are comments in it, as there is none by default.
pub fn known_keys(reference: &str) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut section = "sources";
    for line in reference.lines().filter_map(|line| line.strip_prefix("# ")) {
        if let Some(header) = line.strip_prefix('[') {
            let tokens = "admin.tokens";
            let is_person = header.starts_with(tokens);
            section = if is_person { tokens } else { header.split(['.', ']']).next().unwrap_or_default() };
        } else if line.contains(" = ") {
            let parts = line.split(['#', ';']).filter_map(|part| part.split(" = ").next());
            keys.extend(parts.map(|key| format!("{section}.NAME.{}", key.trim())));
        }
    }
    keys.insert("hooks.NAME.events".to_owned());
    keys.insert("sources.NAME.write_keys_file".to_owned());
    keys.insert("admin.tokens".to_owned());
    keys.extend(defaults(reference).into_keys());
    keys
}

/// Each key of the reference file with its default.
pub fn defaults(reference: &str) -> BTreeMap<String, toml::Value> {
    let tables: toml::Table = reference.parse().unwrap();
    let keys = tables.into_iter().flat_map(|(section, table)| {
        let table = table.as_table().cloned().unwrap_or_default();
        table.into_iter().map(move |(key, value)| (format!("{section}.{key}"), value))
    });
    keys.collect()
}

/// The key in `delivery.send`, `consent.subscribed = "1"`; none in anything else.
pub fn key_of(word: &str) -> Option<&str> {
    let key = word.split(" = ").next()?;
    let is_part =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let (_, last) = key.rsplit_once('.')?;
    (last != "toml" && key.split('.').all(is_part)).then_some(key)
}

/// The routes of the private listener, from the table that its guard walks.
pub fn private_routes(product: &str) -> BTreeSet<String> {
    let table = product.split("const ROUTES").nth(1).and_then(|rest| rest.split("];").next()).unwrap();
    literals(table).filter(|route| route.starts_with('/')).map(str::to_owned).collect()
}

/// The codes of refusals: what follows a status, as a literal or by the name of a constant.
pub fn error_codes(product: &str) -> BTreeSet<String> {
    let after = product.split("StatusCode::").skip(1);
    let code = |rest: &str| {
        let rest = rest.trim_start_matches(in_capitals).strip_prefix(',')?.trim_start();
        let literal = if let Some(literal) = rest.strip_prefix('"') {
            literal
        } else {
            let name = &rest[..rest.find(|c| !in_capitals(c))?];
            product.split(&format!("const {name}: &str = \"")).nth(1).filter(|_| !name.is_empty())?
        };
        let literal = literal.split('"').next()?;
        let word = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        literal.bytes().all(word).then(|| literal.to_owned())
    };
    let named = product.split("\"code\": \"").skip(1).filter_map(|rest| rest.split('"').next());
    after.filter_map(code).chain(named.map(str::to_owned)).collect()
}

fn in_capitals(c: char) -> bool {
    c.is_ascii_uppercase() || c == '_'
}

/// The codes a process ends with: 0, the constants of the commands, and what a store says that can't be opened.
pub fn exit_codes(product: &str) -> BTreeSet<u8> {
    let number = |rest: &str| rest.split([';', ',', '\n', ' ']).next()?.parse().ok();
    let constants = product.split("const EXIT_").skip(1);
    let constants = constants.filter_map(|rest| number(rest.split_once("u8 = ")?.1));
    let opening =
        product.split("fn exit_code(&self) -> u8 {").nth(1).and_then(|rest| rest.split("\n    }").next());
    let opening = opening.unwrap_or_default().split("=> ").skip(1).filter_map(number);
    constants.chain(opening).chain([0]).collect()
}

/// The reasons for which an event is refused: the words of the enum.
pub fn event_reasons(product: &str) -> BTreeSet<String> {
    let words =
        product.split("impl EventRefusal {").nth(1).and_then(|rest| rest.split("\n}").next()).unwrap();
    literals(words).map(str::to_owned).collect()
}

/// The names of the metrics that are recorded.
pub fn metrics(product: &str) -> BTreeSet<String> {
    literals(product).filter(|word| is_metric(word)).map(str::to_owned).collect()
}

/// Whether it may be the name of a metric.
pub fn is_metric(word: &str) -> bool {
    let tail = word.strip_prefix("freshsignal_").unwrap_or_default();
    !tail.is_empty() && tail.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// Literals of one line. Escaped quotes end one early, which spoils nothing that is looked for here.
fn literals(source: &str) -> impl Iterator<Item = &str> {
    source.lines().flat_map(|line| line.split('"').skip(1).step_by(2))
}

mod tests {
    use super::*;

    #[test]
    fn keys_are_told_from_other_words() {
        assert_eq!(key_of("g.h = 1"), Some("g.h"));
        assert_eq!(key_of("src/a.rs"), None);
        let reference = "# [sources.website]\n# a = 1\n[b]\nc = 2\n";
        let known: Vec<_> = known_keys(reference).into_iter().collect();
        assert_eq!(
            known,
            ["admin.tokens", "b.c", "hooks.NAME.events", "sources.NAME.a", "sources.NAME.write_keys_file"]
        );
        assert_eq!(defaults(reference)["b.c"], toml::Value::Integer(2));
    }

    #[test]
    fn codes_routes_reasons_and_metrics_are_read_from_the_source() {
        let source = "const ROUTES: [Route; 1] = [\n (\"/a\", \"x\"),\n];\nimpl EventRefusal {\n \"not_b\"\n}\n\
                      ApiError::new(StatusCode::NOT_FOUND,\n  \"gone\", \"a sentence\");\n(StatusCode::OK, \"a b\")\n\
                      json!({ \"code\": \"odd\" });\n(StatusCode::OK, MANY)\nconst MANY: &str = \"many\";\ncounter!(\"freshsignal_d_total\");";
        let found = |set: BTreeSet<String>| set.into_iter().collect::<Vec<_>>();
        assert_eq!(found(private_routes(source)), ["/a"]);
        assert_eq!(found(error_codes(source)), ["gone", "many", "odd"]);
        assert_eq!(found(event_reasons(source)), ["not_b"]);
        assert_eq!(found(metrics(source)), ["freshsignal_d_total"]);
        let source =
            "const EXIT_A: u8 = 3;\n    fn exit_code(&self) -> u8 {\n  A => 4,\n  B => 5,\n    }\n }";
        assert_eq!(exit_codes(source), BTreeSet::from([0, 3, 4, 5]));
    }
}
