//! Tests of which files are an export's own, and of the section.

use super::*;

#[test]
fn files_beyond_as_many_as_are_kept_go_the_oldest_first_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let others = [
        "won-2026-03-01.csv.part",
        "won-last.csv",
        "wonder-2026-03-01.csv",
        "won-2026-03-01.jsonl",
        "note.txt",
    ];
    let own = ["won-2026-03-01.csv", "won-2026-02-27.csv", "won-2026-02-28.csv"];
    for name in others.iter().chain(&own) {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    let config =
        ExportConfig { folder: folder.path().to_owned(), keep_files_max: 2, ..ExportConfig::default() };
    config.keep_newest("won").unwrap();
    let there = |name: &&&str| folder.path().join(name).exists();
    assert_eq!(others.iter().filter(there).count(), others.len());
    assert_eq!(own.iter().filter(there).collect::<Vec<_>>(), [&"won-2026-03-01.csv", &"won-2026-02-28.csv"]);
}

#[test]
fn what_is_wrong_with_an_export_is_named_at_once() {
    let wrong =
        ExportConfig { at: "25:00".to_owned(), keep_files_max: 0, days: 9_999, ..ExportConfig::default() };
    let found = problems(&Config::from([("Won".to_owned(), wrong)]));
    let keys: Vec<&str> = found.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "exports.Won.at",
            "exports.Won.folder",
            "exports.Won.days",
            "exports.Won.keep_files_max",
            "exports.Won"
        ]
    );
    let right = ExportConfig { folder: "exports".into(), ..ExportConfig::default() };
    assert_eq!(problems(&Config::from([("won".to_owned(), right)])), []);
}
