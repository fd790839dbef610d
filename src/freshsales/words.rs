//! The words of a refusal: what the body of an error says, fit to be shown, and which attribute it names.
//!
//! Pure. The CRM may echo what it was sent, so these words may hold personal data: they go to the debugger and
//! to dead letters, never to a log.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A reason is cut here, the mark of the cut included.
pub const REASON_CHARS_MAX: usize = 300;
/// More words than this say nothing more.
const SAID_CHARS_MAX: usize = 4096;
/// Shorter values occur in ordinary words.
const ECHO_CHARS_MIN: usize = 3;
/// Where an error body keeps its words; what stands beside them (`code`, `success`) are none.
const WORD_KEYS: [&str; 7] = ["message", "messages", "description", "detail", "title", "error", "errors"];
/// Where an error in a list names its attribute.
const LABEL_KEYS: [&str; 2] = ["field", "attribute"];
/// Keys without words.
const NUMBER_KEYS: [&str; 3] = ["code", "status", "status_code"];

/// What an error body says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ErrorWords {
    /// Its words, uncut up to a limit; empty where it has none.
    pub words: String,
    /// It is a page, not an answer of the API.
    pub html: bool,
    /// It carries the number of a rate limit as its code.
    pub code_429: bool,
}

/// Whether this is a page: its type says so, or it starts with `<`. Freshsales answers JSON alone, so a page
/// comes from a proxy or an edge before it.
pub(super) fn is_html(content_type: Option<&str>, body: &[u8]) -> bool {
    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    content_type.is_some_and(|kind| kind.to_ascii_lowercase().contains("html"))
        || text.trim_ascii_start().starts_with(b"<")
}

/// Reads the body of an error: `message` a string or an array, `errors` an object, an array or a map of fields,
/// plain text, a page or nothing.
pub(super) fn said(content_type: Option<&str>, body: &[u8]) -> ErrorWords {
    if let Ok(json) = serde_json::from_slice::<Value>(body) {
        let mut sentences = Vec::new();
        collect(&json, "", &mut sentences);
        return ErrorWords {
            words: sentences.join("; ").chars().take(SAID_CHARS_MAX).collect(),
            html: false,
            code_429: has_code_429(&json),
        };
    }
    let html = is_html(content_type, body);
    let text = String::from_utf8_lossy(body);
    let words = if html { String::new() } else { text.trim().chars().take(SAID_CHARS_MAX).collect() };
    ErrorWords { words, html, code_429: false }
}

fn collect(value: &Value, label: &str, sentences: &mut Vec<String>) {
    match value {
        Value::String(text) if text.trim().is_empty() => {}
        Value::String(text) if label.is_empty() => sentences.push(text.trim().to_owned()),
        Value::String(text) => sentences.push(format!("{label}: {}", text.trim())),
        Value::Array(items) => items.iter().for_each(|item| collect(item, label, sentences)),
        Value::Object(object) => collect_object(object, label, sentences),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn collect_object(object: &Map<String, Value>, label: &str, sentences: &mut Vec<String>) {
    let label = LABEL_KEYS.iter().find_map(|key| object.get(*key)?.as_str()).unwrap_or(label);
    if object.keys().any(|key| WORD_KEYS.contains(&key.as_str())) {
        let words = object.iter().filter(|(key, _)| WORD_KEYS.contains(&key.as_str()));
        words.for_each(|(_, value)| collect(value, label, sentences));
    } else {
        let fields = object.iter().filter(|(key, _)| !NUMBER_KEYS.contains(&key.as_str()));
        fields.for_each(|(key, value)| collect(value, key, sentences));
    }
}

fn has_code_429(json: &Value) -> bool {
    let places = [Some(json), json.get("errors"), json.get("error")];
    let is_429 = |code: &Value| code.as_u64() == Some(429) || code.as_str() == Some("429");
    places.into_iter().flatten().any(|place| NUMBER_KEYS.iter().any(|key| place.get(key).is_some_and(is_429)))
}

/// A text as one line that can be shown: no control or direction characters, single spaces, cut.
pub(super) fn fit_to_show(text: &str) -> String {
    let visible = |c: char| if c.is_control() || is_invisible(c) { ' ' } else { c };
    let replaced: String = text.chars().map(visible).collect();
    let line = replaced.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= REASON_CHARS_MAX {
        return line;
    }
    let mut cut: String = line.chars().take(REASON_CHARS_MAX - 1).collect();
    cut.push('…');
    cut
}

/// Line separators and the characters that turn the direction of what follows them.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The words without the values that were sent, where they echo them: an address at 429 Main Street is no rate
/// limit, and a company named State Farm names no state.
pub(super) fn without_echoes<'a>(words: &'a str, sent: &Map<String, Value>) -> Cow<'a, str> {
    let mut values = Vec::new();
    sent.values().for_each(|value| strings(value, &mut values));
    values.retain(|value| value.chars().count() >= ECHO_CHARS_MIN && words.contains(*value));
    // The longest first: what is left of a longer value must not hide it.
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    let names = names(sent);
    let mut left = Cow::Borrowed(words);
    for value in values {
        if !names.contains_key(&squashed(value)) {
            left = Cow::Owned(without_phrase(&left, value));
        }
    }
    left
}

/// The text without a phrase, where it stands as whole words: Ema is a name, and the start of `Email`.
fn without_phrase(text: &str, phrase: &str) -> String {
    let mut left = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(phrase) {
        let glued_before = before.chars().next_back().or_else(|| left.chars().next_back());
        let glued_after = after.chars().next();
        let is_glued = [glued_before, glued_after].into_iter().flatten().any(char::is_alphanumeric);
        left.push_str(before);
        left.push_str(if is_glued { phrase } else { "." });
        rest = after;
    }
    left + rest
}

fn strings<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| strings(field, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether it is said that something must be there, rather than that a value is wrong.
pub(super) fn demands(lower: &str) -> bool {
    const DEMANDS: [&str; 7] =
        ["be blank", "be empty", "mandatory", "required", "must be present", "missing", "must be filled"];
    DEMANDS.iter().any(|words| lower.contains(words))
}

/// Whether `429` stands there as a word of its own.
pub(super) fn says_429(words: &str) -> bool {
    words.split(|c: char| !c.is_alphanumeric()).any(|word| word == "429")
}

/// The attribute that the words name, among those that were sent: `first_name`, `FirstName`, `First name`,
/// `cf_plan` (then `custom_field.cf_plan`), as whole words. Where several are named, the longest name; never the
/// email, which is the contact's key.
pub(super) fn named_attribute(words: &str, sent: &Map<String, Value>) -> Option<String> {
    let names = names(sent);
    let name_bytes_max = names.keys().map(String::len).max()?;
    let tokens = tokens(words);
    let mut longest: Option<(usize, &String)> = None;
    for start in 0..tokens.len() {
        if is_part_of_email_address(&tokens, start) {
            continue;
        }
        let mut joined = String::new();
        for (nth, token) in tokens.iter().skip(start).enumerate() {
            if nth > 0 && (!token.continues || joined.len() >= name_bytes_max) {
                break;
            }
            joined.push_str(&token.text);
            if let Some(name) = names.get(&joined)
                && longest.is_none_or(|(bytes, _)| joined.len() > bytes)
            {
                longest = Some((joined.len(), name));
            }
        }
    }
    longest.map(|(_, name)| name.clone())
}

/// The names that words may mean, without case and separators, and the attribute of each.
fn names(sent: &Map<String, Value>) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for (name, value) in sent {
        match (name.as_str(), value) {
            ("emails", _) => {}
            ("custom_field", Value::Object(fields)) => {
                names.extend(fields.keys().map(|field| (squashed(field), format!("custom_field.{field}"))));
            }
            (plain, _) => {
                // Of an id people are told by the name of what it stands for: "Invalid lifecycle stage provided."
                if let Some(thing) = plain.strip_suffix("_id").filter(|_| plain != "external_id") {
                    names.entry(squashed(thing)).or_insert_with(|| plain.to_owned());
                }
                names.insert(squashed(plain), plain.to_owned());
            }
        }
    }
    names
}

fn squashed(name: &str) -> String {
    let kept = name.chars().filter(|c| c.is_alphanumeric());
    kept.flat_map(char::to_lowercase).collect()
}

/// `Email address is invalid` speaks of the email.
fn is_part_of_email_address(tokens: &[Token], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| tokens.get(before));
    let email = before.is_some_and(|token| matches!(token.text.as_str(), "email" | "emails" | "mail"));
    email && tokens.get(at).is_some_and(|token| token.continues && token.text == "address")
}

/// A word in lower case.
struct Token {
    text: String,
    /// Nothing but a space, `_` or `-` stands between it and the one before.
    continues: bool,
}

fn tokens(words: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut in_word = false;
    let mut continues = false;
    for c in words.chars() {
        match tokens.last_mut() {
            Some(token) if in_word && c.is_alphanumeric() => token.text.extend(c.to_lowercase()),
            Some(_) | None if c.is_alphanumeric() => {
                tokens.push(Token { text: c.to_lowercase().collect(), continues });
                continues = true;
            }
            Some(_) | None => continues &= matches!(c, ' ' | '_' | '-'),
        }
        in_word = c.is_alphanumeric();
    }
    tokens
}
