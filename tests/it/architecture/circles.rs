//! Circles of files inside a room: files that need each other, straight or by way of others, can't be read one after
//! the other.
//!
//! A file that opens a folder (`mod.rs`, or `bulk.rs` beside `bulk/`) stands for the folder: it names its children and they may use what it defines,
//! so it is no link of a circle. What it passes on from a child counts as that child's.

use std::collections::{BTreeMap, BTreeSet};

use super::modules_of;
use super::source::{Import, imports};

/// A file and the modules of its path, its room first.
struct File<'a> {
    modules: Vec<&'a str>,
    imports: Vec<Import>,
    opens_folder: bool,
}

/// Every circle among the files, each as its sorted paths. `files` are paths and texts of all files of the rooms.
pub fn circles(files: &[(String, String)]) -> Vec<BTreeSet<&str>> {
    let read: BTreeMap<&str, File> = files
        .iter()
        .map(|(path, text)| {
            let folder = format!("{}/", path.trim_end_matches("/mod.rs").trim_end_matches(".rs"));
            let opens_folder = files.iter().any(|(other, _)| other != path && other.starts_with(&folder));
            (path.as_str(), File { modules: modules_of(path), imports: imports(text), opens_folder })
        })
        .collect();
    let by_module: BTreeMap<&[&str], &str> =
        read.iter().map(|(path, file)| (file.modules.as_slice(), *path)).collect();
    let mut uses: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (path, file) in read.iter().filter(|(_, file)| !file.opens_folder) {
        let targets = file.imports.iter().filter_map(|import| target(file, import, &read, &by_module));
        let same_room = |other: &&str| *other != *path && read[*other].modules[0] == file.modules[0];
        uses.insert(path, targets.filter(same_room).collect());
    }
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        uses.keys().map(|path| (*path, reach(path, &uses))).collect();
    let circle_of = |path: &&str| -> BTreeSet<&str> {
        let there = &reached[*path];
        there.iter().copied().filter(|other| reached[other].contains(*path)).collect()
    };
    let found: BTreeSet<BTreeSet<&str>> =
        uses.keys().filter(|path| reached[**path].contains(**path)).map(circle_of).collect();
    found.into_iter().collect()
}

/// Every file that a file uses, straight or by way of others.
fn reach<'a>(from: &str, uses: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut waiting: Vec<&str> = uses[from].iter().copied().collect();
    while let Some(next) = waiting.pop() {
        if reached.insert(next) {
            waiting.extend(uses.get(next).into_iter().flatten().copied());
        }
    }
    reached
}

/// The file that an import names, once what is passed on is followed; none for a file that opens a folder.
fn target<'a>(
    file: &File<'a>,
    import: &Import,
    read: &BTreeMap<&'a str, File<'a>>,
    by_module: &BTreeMap<&[&'a str], &'a str>,
) -> Option<&'a str> {
    let mut path = absolute(&file.modules, import)?;
    // A name may be passed on through a few files that open folders; more would be a circle of its own.
    for _ in 0..4 {
        let (place, rest) = (0..=path.len()).rev().find_map(|length| {
            let modules: Vec<&str> = path[..length].iter().map(String::as_str).collect();
            by_module.get(modules.as_slice()).map(|place| (*place, &path[length..]))
        })?;
        let found = &read[place];
        if !found.opens_folder {
            return Some(place);
        }
        let name = rest.first()?;
        let passes_on = |import: &&Import| import.segments.len() > 1 && import.segments.last() == Some(name);
        let next = found.imports.iter().filter(passes_on).find_map(|import| {
            let child = [found.modules.as_slice(), &[import.segments[0].as_str()]].concat();
            by_module.contains_key(child.as_slice()).then(|| absolute(&found.modules, import))?
        })?;
        path = next;
    }
    None
}

/// The path of an import from the crate's root on; none where it leads out of the crate.
fn absolute(modules: &[&str], import: &Import) -> Option<Vec<String>> {
    let mut base: Vec<String> = modules.iter().map(|module| (*module).to_owned()).collect();
    let mut segments = import.segments.as_slice();
    let mut inline = import.inline_modules;
    match segments.first()?.as_str() {
        "crate" => return Some(segments[1..].to_vec()),
        "super" | "self" => {
            while let Some(first) = segments.first().filter(|s| *s == "super" || *s == "self") {
                if first == "super" {
                    if inline > 0 {
                        inline -= 1;
                    } else {
                        base.pop()?;
                    }
                }
                segments = &segments[1..];
            }
        }
        _ => {}
    }
    base.extend(segments.iter().cloned());
    Some(base)
}

mod samples {
    use super::*;

    fn of(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        let files: Vec<(String, String)> =
            files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        circles(&files).into_iter().map(|circle| circle.into_iter().map(str::to_owned).collect()).collect()
    }

    #[test]
    fn two_files_that_use_each_other_are_a_circle() {
        let found = of(&[
            ("src/room/mod.rs", "mod a;\nmod b;"),
            ("src/room/a.rs", "use super::b::B;"),
            ("src/room/b.rs", "fn f() { crate::room::a::g() }"),
        ]);
        assert_eq!(found, [["src/room/a.rs", "src/room/b.rs"]]);
    }

    #[test]
    fn a_circle_over_three_files_and_over_what_is_passed_on_is_found() {
        let found = of(&[
            ("src/room/mod.rs", "mod a;\nmod b;\nmod c;\npub use c::C;"),
            ("src/room/a.rs", "use super::b::B;"),
            ("src/room/b.rs", "use super::C;"),
            ("src/room/c.rs", "use super::a::A;"),
        ]);
        assert_eq!(found, [["src/room/a.rs", "src/room/b.rs", "src/room/c.rs"]]);
    }

    #[test]
    fn what_the_opening_file_defines_makes_no_circle() {
        let found = of(&[
            ("src/room/mod.rs", "mod a;\npub struct Shared;\nfn f() { a::g() }"),
            ("src/room/a.rs", "use super::Shared;"),
        ]);
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn files_of_other_rooms_make_no_circle_here() {
        let found =
            of(&[("src/one/a.rs", "use crate::two::b::B;"), ("src/two/b.rs", "use crate::one::a::A;")]);
        assert!(found.is_empty(), "{found:?}");
    }
}
