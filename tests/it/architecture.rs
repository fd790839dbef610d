//! Holds the shape of the house: the layers, the purity of the pure rooms, the length of files, and that each says
//! what it is for.
//!
//! A room is a file or a folder directly under `src/`. Each check is a function over a path and a text, so that the
//! samples at the end can show it failing. It reads the source as text: code that only a macro would make is not seen.

mod circles;
mod locks;
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use source::{Import, imports};

/// The layers, lowest first. A room may import rooms of lower layers only; rooms of one layer do not import each other.
const LAYERS: &[&[&str]] = &[
    &["config_problem", "openapi"],
    &["clock", "telemetry"],
    &["cause", "event", "managed"],
    &["consent", "conversion", "delivery", "doors", "http", "senders"],
    &["selectors"],
    &["destination", "allowance", "contact", "output"],
    &["person"],
    &["company", "deal", "erasure", "export", "happening"],
    &["mapping"],
    &["decision"],
    &["trail"],
    &["store", "freshsales"],
    &["turn", "webhook"],
    &["health", "traces"],
    &[
        "ingest",
        "process",
        "deliver",
        "erase",
        "retain",
        "walk",
        "alerts",
        "outputs",
        "conversions",
        "exports",
        "admin",
        "sandbox",
    ],
    &["config"],
    &["app"],
    &["cli"],
];

/// The rooms that compute and do nothing else.
const PURE_ROOMS: &[&str] = &[
    "cause",
    "event",
    "managed",
    "consent",
    "company",
    "contact",
    "conversion",
    "deal",
    "delivery",
    "destination",
    "allowance",
    "person",
    "erasure",
    "export",
    "happening",
    "selectors",
    "senders",
    "doors",
    "openapi",
    "output",
    "mapping",
    "decision",
];

/// What a pure room must not reach: input and output, time, chance, and the runtime.
const IMPURE_PATHS: &[&[&str]] = &[
    &["std", "env"],
    &["std", "fs"],
    &["std", "net"],
    &["std", "process"],
    &["std", "thread"],
    &["axum"],
    &["getrandom"],
    &["rand"],
    &["reqwest"],
    &["rusqlite"],
    &["tokio"],
    &["tracing"],
    &["uuid"],
];

/// Names a pure room must not use wherever they come from.
const IMPURE_NAMES: &[&str] = &["Clock", "Instant", "SystemTime"];

/// Circles of files that stay for now. A circle inside one of these sets is known; what is smaller is progress.
const CIRCLES: &[&[&str]] = &[
    // What a statement makes owed, what a call and its answer change: one judgement in several steps.
    &[
        "src/decision/call.rs",
        "src/decision/erase.rs",
        "src/decision/judge.rs",
        "src/decision/owe.rs",
        "src/decision/redrive.rs",
        "src/decision/refusal.rs",
    ],
    // The configuration foretells what the pace does.
    &["src/deliver/bulk/pace.rs", "src/deliver/config.rs"],
    // Keys, origins and the sections that hold them.
    &["src/ingest/config.rs", "src/ingest/cors.rs", "src/ingest/key.rs"],
    // A mapping file is read, sifted and held against itself.
    &["src/mapping/check.rs", "src/mapping/preset.rs", "src/mapping/sift.rs"],
    // Rows of one transaction.
    &[
        "src/store/sqlite/erase.rs",
        "src/store/sqlite/forget.rs",
        "src/store/sqlite/outbox.rs",
        "src/store/sqlite/state.rs",
        "src/store/sqlite/walks.rs",
    ],
];

/// A file that has passed this is two files.
const FILE_LINES_MAX: usize = 500;

/// The crate's own root and the binary: they wire the rooms, so they see all of them.
const EXEMPT: &[&str] = &["src/lib.rs", "src/main.rs"];

#[test]
fn a_room_imports_only_rooms_below_it() {
    hold(&["src"], layer_violations);
}

#[test]
fn the_architecture_draws_the_layers_as_they_are() {
    let document = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/ARCHITECTURE.md")).unwrap();
    let drawing =
        document.split("### Dependency order").nth(1).and_then(|rest| rest.split("```").nth(1)).unwrap();
    let drawn: Vec<BTreeSet<&str>> =
        drawing.split('<').map(|layer| layer.split(',').map(str::trim).collect()).collect();
    let layers: Vec<BTreeSet<&str>> = LAYERS.iter().map(|layer| layer.iter().copied().collect()).collect();
    assert_eq!(drawn, layers);
}

#[test]
fn pure_rooms_do_no_io_and_know_no_clock_and_no_chance() {
    hold(&["src"], purity_violations);
}

#[test]
fn no_files_of_a_room_need_each_other() {
    let files: Vec<(String, String)> =
        rust_files(&["src"]).into_iter().filter(|(path, _)| !is_test_file(path)).collect();
    let known: Vec<BTreeSet<&str>> = CIRCLES.iter().map(|circle| circle.iter().copied().collect()).collect();
    let found = circles::circles(&files);
    let is_known = |circle: &&BTreeSet<&str>| known.iter().any(|set| circle.is_subset(set));
    let new: Vec<_> = found.iter().filter(|circle| !is_known(circle)).collect();
    assert!(new.is_empty(), "files of a room that need each other; move what both use below them: {new:#?}");
    let is_there = |set: &&BTreeSet<&str>| found.iter().any(|circle| circle.is_subset(set));
    let gone: Vec<_> = known.iter().filter(|set| !is_there(set)).collect();
    assert!(gone.is_empty(), "no circle any more; take it out of CIRCLES: {gone:#?}");
}

#[test]
fn no_file_is_longer_than_500_lines() {
    hold(&["src", "tests", "benches"], length_violations);
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    hold(&["src", "tests", "benches"], opening_violations);
}

#[test]
fn a_panic_ends_the_work_that_met_it_and_not_the_process_whatever_the_profile() {
    let manifest = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    for profile in ["dev", "release"] {
        assert_eq!(manifest["profile"][profile]["panic"].as_str(), Some("unwind"), "{profile}");
    }
}

#[test]
fn no_comment_holds_code_that_nobody_compiles() {
    hold(&["src"], code_in_comments);
}

/// Lines of documentation that open or end a block of code.
fn code_in_comments(path: &str, text: &str) -> Vec<String> {
    let is_code = |line: &str| {
        let documented = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"));
        documented.is_some_and(|words| words.trim_start().starts_with("```"))
    };
    let lines = (1..).zip(text.lines()).filter(|(_, line)| is_code(line.trim_start()));
    lines.map(|(number, _)| format!("{path}:{number}: write a test in place of the example")).collect()
}

/// Runs a check over every Rust file of the folders and fails with all it found at once.
fn hold(folders: &[&str], check: fn(&str, &str) -> Vec<String>) {
    let files = rust_files(folders);
    let violations: Vec<String> = files.iter().flat_map(|(path, text)| check(path, text)).collect();
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

/// Every Rust file of the folders: its path from the project's root on, and its text.
fn rust_files(folders: &[&str]) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in folders {
        collect_rust_files(&root.join(folder), &mut files);
    }
    assert!(!files.is_empty(), "no Rust file found under {folders:?}");
    files.sort();
    let read = |file: PathBuf| {
        let path = file.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
        let text = fs::read_to_string(&file).unwrap();
        (path, text)
    };
    files.into_iter().map(read).collect()
}

fn collect_rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    // A folder that does not exist has no files.
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect_rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The modules of a file below the crate root, its room first: `src/store/mod.rs` is `[store]`.
fn modules_of(path: &str) -> Vec<&str> {
    let inside = path.strip_prefix("src/").unwrap_or(path).trim_end_matches(".rs");
    inside.split('/').filter(|module| *module != "mod").collect()
}

fn layer_of(room: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&room))
}

/// `tests.rs`, `phone_tests.rs` and all of a folder `tests/`: modules under `#[cfg(test)]` by custom.
pub fn is_test_file(path: &str) -> bool {
    path.ends_with("tests.rs") || path.contains("/tests/")
}

/// Imports that point up or sideways, leave the room by `super::`, or name no room; rooms the table does not know.
fn layer_violations(path: &str, text: &str) -> Vec<String> {
    if EXEMPT.contains(&path) {
        return Vec::new();
    }
    let modules = modules_of(path);
    let room = modules[0];
    let Some(own_layer) = layer_of(room) else {
        return vec![format!("{path}: the room `{room}` is in no layer; add it to the table LAYERS")];
    };
    if is_test_file(path) {
        return Vec::new();
    }
    let violation = |import: &Import| match import.segments[0].as_str() {
        "crate" => upward(room, own_layer, import),
        "super" | "self" => {
            let levels = import.segments.iter().filter(|segment| *segment == "super").count();
            (levels >= modules.len() + import.inline_modules)
                .then(|| format!("`{import}` leaves the room `{room}`; say `crate::`"))
        }
        _ => None,
    };
    let found = imports(text);
    found.iter().filter_map(|i| violation(i).map(|why| format!("{path}:{}: {why}", i.line))).collect()
}

fn upward(room: &str, own_layer: usize, import: &Import) -> Option<String> {
    let target = import.segments.get(1).map_or("", String::as_str);
    if target == room {
        return None;
    }
    match layer_of(target) {
        None => Some(format!("`{import}` does not start with a room of the table LAYERS")),
        Some(layer) if layer < own_layer => None,
        Some(_) => Some(format!("`{room}` must not import `{import}`: `{target}` is not below it")),
    }
}

/// Whatever makes a pure room depend on more than its arguments.
fn purity_violations(path: &str, text: &str) -> Vec<String> {
    let room = modules_of(path)[0];
    if !PURE_ROOMS.contains(&room) || is_test_file(path) {
        return Vec::new();
    }
    let impure = |import: &Import| {
        let segments: Vec<&str> = import.segments.iter().map(String::as_str).collect();
        let reaches_out =
            segments.len() > 1 && IMPURE_PATHS.iter().any(|banned| segments.starts_with(banned));
        let more_of_the_clock =
            segments.starts_with(&["crate", "clock"]) && segments.get(2) != Some(&"UnixMicros");
        reaches_out || more_of_the_clock || segments.iter().any(|segment| IMPURE_NAMES.contains(segment))
    };
    let found = imports(text);
    let report = |i: &Import| format!("{path}:{}: the pure room `{room}` uses `{i}`", i.line);
    found.iter().filter(|i| impure(i)).map(report).collect()
}

fn length_violations(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    let long = lines > FILE_LINES_MAX;
    long.then(|| format!("{path}: {lines} lines, at most {FILE_LINES_MAX}; split it")).into_iter().collect()
}

fn opening_violations(path: &str, text: &str) -> Vec<String> {
    let silent = !text.starts_with("//! ");
    silent.then(|| format!("{path}: does not open with `//!` and what it is for")).into_iter().collect()
}

/// The checks on samples: what must be found, what must not.
mod samples {
    use super::*;

    const NOTHING: &[&str] = &[];

    #[test]
    fn an_import_from_above_or_beside_is_found() {
        assert_eq!(
            layer_violations("src/consent.rs", "use crate::person::Person;"),
            ["src/consent.rs:1: `consent` must not import `crate::person::Person`: `person` is not below it"]
        );
        assert_eq!(
            layer_violations("src/store/sqlite/journal.rs", "\nuse crate::freshsales::Crm;"),
            [
                "src/store/sqlite/journal.rs:2: `store` must not import `crate::freshsales::Crm`: `freshsales` is not below it"
            ]
        );
    }

    #[test]
    fn an_import_from_below_or_from_the_room_itself_is_fine() {
        let text = "use crate::clock::UnixMicros;\nuse crate::person::merge;\nuse crate::event::Event;";
        assert_eq!(layer_violations("src/person.rs", text), NOTHING);
    }

    #[test]
    fn every_branch_of_a_nested_use_counts() {
        let text = "use crate::{clock, event::{Event, kind::{self, Kind}}, store::{Store as Shop, *}};";
        assert_eq!(
            layer_violations("src/decision.rs", text),
            [
                "src/decision.rs:1: `decision` must not import `crate::store::Store`: `store` is not below it",
                "src/decision.rs:1: `decision` must not import `crate::store::*`: `store` is not below it",
            ]
        );
    }

    #[test]
    fn a_path_in_an_expression_counts() {
        let text = "fn f() -> u8 {\n    let x = vec![crate::app::build::<u8>(1)];\n    x[0]\n}";
        assert_eq!(
            layer_violations("src/store/mod.rs", text),
            ["src/store/mod.rs:2: `store` must not import `crate::app::build`: `app` is not below it"]
        );
    }

    #[test]
    fn an_item_of_the_crate_root_is_no_way_round() {
        assert_eq!(
            layer_violations("src/event/mod.rs", "use crate::Shortcut;"),
            ["src/event/mod.rs:1: `crate::Shortcut` does not start with a room of the table LAYERS"]
        );
        assert_eq!(
            layer_violations("src/event/mod.rs", "use crate::*;"),
            ["src/event/mod.rs:1: `crate::*` does not start with a room of the table LAYERS"]
        );
    }

    #[test]
    fn super_stays_in_the_room() {
        let leaves = ["src/event.rs:1: `super::app::App` leaves the room `event`; say `crate::`"];
        assert_eq!(layer_violations("src/event.rs", "use super::app::App;"), leaves);
        assert_eq!(layer_violations("src/event/id.rs", "use super::Event;"), NOTHING);
        assert_eq!(layer_violations("src/event/id.rs", "use super::{super::app::App, Event};").len(), 1);
        assert_eq!(layer_violations("src/event.rs", "mod sealed { use super::Event; }"), NOTHING);
        assert_eq!(layer_violations("src/event.rs", "mod sealed { use super::super::app; }").len(), 1);
    }

    #[test]
    fn code_in_a_comment_is_found_and_code_is_none() {
        let text =
            "/// Adds.\n///\n/// ```\n/// add(1)\n/// ```\nfn add() {}\n// ```\nconst T: &str = \"```\";";
        let found = code_in_comments("src/event/mod.rs", text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("src/event/mod.rs:3: "), "{found:?}");
    }

    #[test]
    fn a_room_outside_the_table_is_found() {
        assert_eq!(
            layer_violations("src/utils/mod.rs", ""),
            ["src/utils/mod.rs: the room `utils` is in no layer; add it to the table LAYERS"]
        );
    }

    #[test]
    fn the_crate_root_and_the_binary_see_every_room() {
        assert_eq!(layer_violations("src/lib.rs", "pub use crate::app::App;"), NOTHING);
        assert_eq!(layer_violations("src/main.rs", "use crate::cli;"), NOTHING);
    }

    #[test]
    fn tests_may_import_what_they_like() {
        let text = "#[cfg(test)]\nmod tests {\n    use crate::app::App;\n    use tokio::time;\n}";
        assert_eq!(layer_violations("src/event.rs", text), NOTHING);
        assert_eq!(purity_violations("src/event.rs", text), NOTHING);
        assert_eq!(layer_violations("src/event/tests.rs", "use crate::app::App;"), NOTHING);
    }

    #[test]
    fn what_follows_the_tests_still_counts() {
        let text = "#[cfg(test)]\n#[allow(dead_code)]\nmod tests { fn f() {} }\nuse crate::app::App;";
        assert_eq!(layer_violations("src/event.rs", text).len(), 1);
    }

    #[test]
    fn comments_and_strings_do_not_count() {
        let text = "//! See crate::app.\n/* crate::app /* nested */ */ const A: &str = \"crate::app::X\";";
        assert_eq!(layer_violations("src/event.rs", text), NOTHING);
    }

    #[test]
    fn every_kind_of_impurity_is_found_in_a_pure_room() {
        for impure in [
            "use std::fs;",
            "use std::{fmt, net::IpAddr};",
            "fn f() { ::std::env::args(); }",
            "fn f() { std::process::exit(1) }",
            "fn f() { std::thread::yield_now() }",
            "use std::time::{Duration, SystemTime};",
            "use std::time::Instant;",
            "#[tracing::instrument]\nfn f() {}",
            "use tokio::sync::Mutex;",
            "use reqwest::Url;",
            "use axum::Json;",
            "fn f() -> rusqlite::Result<()> { Ok(()) }",
            "fn f() -> u8 { rand::random() }",
            "use getrandom::fill;",
            "type Id = uuid::Uuid;",
            "use crate::clock::Clock;",
            "use crate::clock;",
            "use crate::clock::{UnixMicros, ManualClock};",
        ] {
            assert_eq!(purity_violations("src/mapping/phone.rs", impure).len(), 1, "{impure}");
        }
    }

    #[test]
    fn arithmetic_on_moments_is_pure() {
        let text = "use std::time::Duration;\nuse crate::clock::UnixMicros;\nfn f(rand: u8) -> u8 { rand }";
        assert_eq!(purity_violations("src/decision.rs", text), NOTHING);
    }

    #[test]
    fn rooms_that_are_not_pure_may_do_io() {
        assert_eq!(purity_violations("src/store/mod.rs", "use std::fs;"), NOTHING);
    }

    #[test]
    fn a_file_of_501_lines_is_too_long() {
        assert_eq!(length_violations("src/app.rs", &"x\n".repeat(500)), NOTHING);
        let too_long = ["src/app.rs: 501 lines, at most 500; split it"];
        assert_eq!(length_violations("src/app.rs", &"x\n".repeat(501)), too_long);
    }

    #[test]
    fn a_file_that_does_not_say_what_it_is_for_is_found() {
        assert_eq!(opening_violations("src/app.rs", "//! Builds the app.\n"), NOTHING);
        assert_eq!(
            opening_violations("src/app.rs", "use std::fmt;\n//! Late."),
            ["src/app.rs: does not open with `//!` and what it is for"]
        );
    }
}
