//! The text of a missing value: what programs and templates print where they had nothing to print.
//!
//! Judges spelling alone. `Null` with a capital is a family name, and what a person writes who has nothing to say
//! (`N/A`, `-`, `none`) is that person's answer: both stay as they are.

use std::borrow::Cow;

/// What opens and closes a merge tag, the longer marks first: Liquid, Handlebars, Jinja and Go templates, Mailchimp,
/// JavaScript, Ruby, ERB, Salesforce and Pardot.
const TAGS: [(&str, &str); 11] = [
    ("{{", "}}"),
    ("{%", "%}"),
    ("{!", "}"),
    ("*|", "|*"),
    ("${", "}"),
    ("#{", "}"),
    ("@{", "}"),
    ("<%", "%>"),
    ("<<", ">>"),
    ("[[", "]]"),
    ("%%", "%%"),
];
/// What opens and closes a merge tag only around one word: `%FIRSTNAME%` is one, `5 % to 10 %` is not.
const WORD_TAGS: [(&str, &str); 2] = [("%", "%"), ("{", "}")];
/// How JavaScript prints an object that nobody meant to print.
const OBJECT: &str = "[object ";

/// Whether a text says that there is nothing: `undefined`, `null null`, `[object Object]`, `{{first_name}}`.
#[must_use]
pub fn is_text_of_missing(text: &str) -> bool {
    let text = text.trim();
    // Every text is looked at, and hardly any begins like one of these.
    if !text.starts_with(|c: char| matches!(c, 'u' | 'U' | 'n' | 'N') || c.is_ascii_punctuation()) {
        return false;
    }
    if is_missing_word(text) {
        return true;
    }
    let rest = without_tags(text);
    let mut words =
        rest.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty()).peekable();
    if words.peek().is_none() {
        return rest.len() < text.len();
    }
    words.all(is_missing_word)
}

/// Whether a word is how a program spells a missing value.
#[must_use]
pub fn is_missing_word(word: &str) -> bool {
    let brackets = [('(', ')'), ('<', '>'), ('[', ']'), ('{', '}'), ('"', '"'), ('\'', '\'')];
    let inside = brackets.iter().find_map(|(open, close)| word.strip_prefix(*open)?.strip_suffix(*close));
    if let Some(inside) = inside {
        let empty = ["", "null", "nil", "none", "undefined", "nan"];
        return empty.iter().any(|known| inside.trim().eq_ignore_ascii_case(known));
    }
    matches!(word, "null" | "NULL" | "nil" | "None" | "NaN" | "nan" | "\\N" | "\\n" | "\\0")
        || word.eq_ignore_ascii_case("undefined")
        || matches!(
            word,
            "#N/A" | "#REF!" | "#VALUE!" | "#NAME?" | "#NULL!" | "#DIV/0!" | "#NUM!" | "#ERROR!"
        )
}

/// A text without merge tags that nobody filled.
#[must_use]
pub fn without_tags(text: &str) -> Cow<'_, str> {
    if !text.contains(['{', '*', '%', '$', '<', '[']) {
        return Cow::Borrowed(text);
    }
    let mut rest = text;
    let mut kept = String::new();
    while let Some(next) = rest.chars().next() {
        let tag = tag_length(rest);
        if tag.is_none() {
            kept.push(next);
        }
        rest = rest.get(tag.unwrap_or(next.len_utf8())..).unwrap_or_default();
    }
    Cow::Owned(kept)
}

/// How many bytes the tag takes that a text begins with.
fn tag_length(text: &str) -> Option<usize> {
    if text.get(..OBJECT.len()).is_some_and(|start| start.eq_ignore_ascii_case(OBJECT)) {
        return Some(text.find(']')? + 1);
    }
    let closed = |(open, close): &(&str, &str)| {
        let inside = text.strip_prefix(open)?;
        let end = inside.find(close)?;
        // `{{{name}}}` ends with its last brace.
        let more =
            inside.get(end + close.len()..)?.chars().take_while(|c| *c == '}' && *close == "}}").count();
        Some((inside.get(..end)?, open.len() + end + close.len() + more))
    };
    if let Some((_, length)) = TAGS.iter().find_map(closed) {
        return Some(length);
    }
    let is_word = |inside: &str| {
        inside.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && inside.chars().all(|c| c.is_ascii_alphanumeric() || "_.-:".contains(c))
    };
    WORD_TAGS.iter().find_map(closed).filter(|(inside, _)| is_word(inside)).map(|(_, length)| length)
}
