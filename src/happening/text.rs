//! The text of a happening: lines with what an event said put in, and what is known of its person put in when it is told.
//!
//! What was put in is text of strangers, and Freshsales shows notes as HTML: it is escaped. Must not know where values come from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Characters of one value that are put in; more is cut.
pub const VALUE_CHARS_MAX: usize = 2_000;
/// Characters of a text that is told, beside its markers; more is cut.
pub const TEXT_CHARS_MAX: usize = 4_000;
/// What stands where something was cut.
const CUT: &str = "…";

/// A text, line by line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Text {
    lines: Vec<Vec<Piece>>,
}

/// A piece of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Piece {
    /// Words of the mapping.
    Words(String),
    /// What the event said at a placeholder.
    Said(String),
    /// A placeholder that is filled when the text is told: by the first of these that is known, else by these words.
    Later(Vec<String>, String),
    /// A placeholder that nothing fills.
    Empty,
}

impl Text {
    /// A text of these lines.
    #[must_use]
    pub fn of(lines: Vec<Vec<Piece>>) -> Self {
        Self { lines }
    }

    /// What is asked for when it is told.
    pub fn asks(&self) -> impl Iterator<Item = &str> {
        let later = |piece| match piece {
            &Piece::Words(_) | &Piece::Said(_) | &Piece::Empty => &[][..],
            Piece::Later(sources, _) => sources.as_slice(),
        };
        self.lines.iter().flatten().flat_map(later).map(String::as_str)
    }

    /// The lines with everything put in. One whose every placeholder is empty is left out, and so are empty ones at both ends.
    #[must_use]
    pub fn lines(&self, known: &BTreeMap<String, String>) -> Vec<String> {
        let mut lines: Vec<String> = self.lines.iter().filter_map(|line| filled(line, known)).collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        let empty = lines.iter().take_while(|line| line.is_empty()).count();
        lines.drain(..empty);
        lines
    }

    /// The same as one line in single spaces, cut after so many characters.
    #[must_use]
    pub fn line(&self, known: &BTreeMap<String, String>, chars_max: usize) -> String {
        let text = self.lines(known).join(" ");
        cut(&text.split_whitespace().collect::<Vec<_>>().join(" "), chars_max)
    }
}

fn filled(line: &[Piece], known: &BTreeMap<String, String>) -> Option<String> {
    let mut text = String::new();
    let (mut placeholders, mut said) = (0, 0);
    for piece in line {
        let value = match piece {
            Piece::Words(words) => {
                text.push_str(words);
                continue;
            }
            Piece::Said(value) => value,
            Piece::Later(sources, otherwise) => {
                let found = sources.iter().find_map(|source| known.get(source).filter(|it| !it.is_empty()));
                found.unwrap_or(otherwise)
            }
            Piece::Empty => "",
        };
        placeholders += 1;
        said += usize::from(!value.is_empty());
        text.push_str(value);
    }
    (placeholders == 0 || said > 0).then(|| text.trim().to_owned())
}

/// A text that is no longer than this.
#[must_use]
pub fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some(_) => text.chars().take(chars_max.saturating_sub(1)).chain(CUT.chars()).collect(),
    }
}

/// A value as it is kept: cut, and without characters that are none of a text.
#[must_use]
pub fn clean(value: &str) -> String {
    let kept = |c: &char| *c == '\n' || !c.is_control();
    cut(value.replace("\r\n", "\n").replace('\r', "\n").trim(), VALUE_CHARS_MAX)
        .chars()
        .filter(kept)
        .collect()
}

/// A text in which no character means anything in HTML.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Piece {
        Piece::Words(text.to_owned())
    }

    fn said(text: &str) -> Piece {
        Piece::Said(text.to_owned())
    }

    #[test]
    fn a_line_whose_every_placeholder_is_empty_is_left_out() {
        let name = || Piece::Later(vec!["person.name".to_owned(), "email".to_owned()], String::new());
        let text = Text::of(vec![
            vec![words("Lead from "), said("pricing")],
            vec![words("Campaign: "), Piece::Empty, words(" / "), Piece::Empty],
            vec![words("Page: "), Piece::Empty, words(" "), said("/a")],
            vec![words("By "), name()],
            vec![],
            vec![words("— the site")],
        ]);
        let known = BTreeMap::from([("email".to_owned(), "ann@example.com".to_owned())]);
        let expected = ["Lead from pricing", "Page:  /a", "By ann@example.com", "", "— the site"];
        assert_eq!(text.lines(&known), expected);
        let unknown = ["Lead from pricing", "Page:  /a", "", "— the site"];
        assert_eq!(text.lines(&BTreeMap::new()), unknown);
        assert_eq!(text.line(&known, 20), "Lead from pricing P…");
        assert_eq!(text.asks().collect::<Vec<_>>(), ["person.name", "email"]);
    }

    #[test]
    fn what_strangers_typed_is_text_in_html_and_no_longer_than_it_may_be() {
        assert_eq!(escaped("<b onclick='x'>&\"</b>"), "&lt;b onclick=&#39;x&#39;&gt;&amp;&quot;&lt;/b&gt;");
        assert_eq!(clean("  a\u{7}\r\nb\r "), "a\nb");
        assert_eq!(clean(&"x".repeat(VALUE_CHARS_MAX + 9)).chars().count(), VALUE_CHARS_MAX);
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äö…");
    }
}
