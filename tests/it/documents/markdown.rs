//! Reads a page: its links, headings, quoted words, blocks of code and tables. Knows nothing of the project.

use std::collections::BTreeSet;

/// The targets of the links of a page, those into the web left out.
pub fn links(page: &str) -> Vec<String> {
    let prose = prose(page);
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://")).map(str::to_owned).collect()
}

/// The headings of a page as links name them.
pub fn headings(page: &str) -> BTreeSet<String> {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let anchor =
        |title: &str| title.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-");
    titles(page).iter().map(|title| anchor(title)).collect()
}

/// The headings of a page as people read them.
pub fn titles(page: &str) -> Vec<String> {
    let prose = prose(page);
    let lines = prose.lines().filter(|line| line.starts_with('#'));
    lines.map(|line| line.trim_start_matches('#').trim().to_owned()).collect()
}

/// What stands between single backticks, blocks of code left out.
pub fn quoted(page: &str) -> Vec<String> {
    let prose = prose(page);
    // A backtick quotes within its paragraph or its row, so that a lone one spoils no more than that.
    let parts = prose.split("\n\n").flat_map(|part| part.split("\n|"));
    parts.flat_map(|part| part.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// The blocks of code of a page: the language and the text.
pub fn blocks(page: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in page.lines() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(language), None) => open = Some((language.trim().to_owned(), String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some((_, text))) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks.extend(open);
    blocks
}

/// The rows of the tables whose heading row begins with this cell: their cells.
pub fn rows(page: &str, first_cell: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| -> Vec<String> {
        let line = line.trim().trim_start_matches('|').trim_end_matches('|');
        line.split(" | ").map(|cell| cell.trim().to_owned()).collect()
    };
    let mut rows = Vec::new();
    let mut inside = None;
    for line in page.lines() {
        if !line.trim_start().starts_with('|') {
            inside = None;
        } else if let Some(wanted) = inside {
            if wanted && !line.contains("| ---") {
                rows.push(cells(line));
            }
        } else {
            inside = Some(cells(line).first().is_some_and(|cell| cell == first_cell));
        }
    }
    rows
}

/// The words that stand quoted in the first cells of such tables.
pub fn first_words(page: &str, first_cell: &str) -> Vec<String> {
    let cells = rows(page, first_cell).into_iter().filter_map(|row| row.into_iter().next());
    cells.flat_map(|cell| quoted(&cell)).collect()
}

/// A page without its blocks of code.
fn prose(page: &str) -> String {
    let mut inside = false;
    let mut prose = String::new();
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if !inside {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    prose
}

mod tests {
    use super::*;

    const PAGE: &str =
        "# One `two`\n[a](b.md) [c](https://d) [e](#one-two)\n```sh\n# no\n`f` [x](y)\n```\n`g.h = 1`";

    #[test]
    fn links_headings_and_words_are_found_outside_of_code() {
        assert_eq!(links(PAGE), ["b.md", "#one-two"]);
        assert_eq!(quoted(PAGE), ["two", "g.h = 1"]);
        assert_eq!(headings(PAGE), ["one-two".to_owned()].into());
        assert_eq!(titles("## 75: `x` is in use\n"), ["75: `x` is in use"]);
        assert_eq!(blocks(PAGE), [("sh".to_owned(), "# no\n`f` [x](y)\n".to_owned())]);
    }

    #[test]
    fn a_lone_backtick_spoils_its_paragraph_alone() {
        assert_eq!(quoted("a ` b\n\n`c`\n| `d |\n| `e` |\n").last().map(String::as_str), Some("e"));
    }

    #[test]
    fn tables_are_told_apart_by_their_first_cell() {
        let page = "| key | default |\n| --- | --- |\n| `a`, `b` | 1 |\n\n| route |\n| --- |\n| `c` |\n";
        assert_eq!(rows(page, "key"), [["`a`, `b`", "1"]]);
        assert_eq!(first_words(page, "key"), ["a", "b"]);
        assert_eq!(first_words(page, "route"), ["c"]);
    }
}
