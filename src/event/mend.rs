//! Bodies that are not quite JSON: what their writers get wrong is mended, and where they break is told.
//!
//! Python's `json` writes `NaN` and `Infinity` for numbers that JSON does not have, and some editors and .NET put a byte
//! order mark in front. Neither may cost a batch. Only what failed to parse comes here.

use serde::de::IgnoredAny;

/// Where a body stops being JSON. Bytes count from 1, items from 0 as in the answers of ingest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The byte of the body.
    pub byte: usize,
    /// The item of the array or batch, and the byte of it.
    pub item: Option<(usize, usize)>,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.item {
            Some((index, byte)) => {
                write!(f, "byte {byte} of item {index} (counted from 0; byte {} of the body)", self.byte)
            }
            None => write!(f, "byte {}", self.byte),
        }
    }
}

/// A body in which numbers that JSON does not have are null and byte order marks are gone; `None` where there was
/// nothing to mend.
#[must_use]
pub fn mend(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let changed = rewrite(text, &mut out, |_| "null".to_owned(), "");
    changed.then_some(out)
}

/// Where bytes stop being JSON, what could be mended left aside.
#[must_use]
pub fn broken(body: &[u8]) -> Broken {
    let text = match std::str::from_utf8(body) {
        Ok(text) => text,
        Err(error) => return at(body, error.valid_up_to()),
    };
    // Of the same length, so that a place in it is one in the body.
    let mut mended = String::with_capacity(text.len());
    rewrite(text, &mut mended, |word| format!("0{}", " ".repeat(word.len().saturating_sub(1))), "   ");
    let Err(error) = serde_json::from_str::<IgnoredAny>(&mended) else { return at(body, body.len()) };
    let before: usize = mended.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    at(body, (before + error.column()).saturating_sub(1))
}

fn at(body: &[u8], offset: usize) -> Broken {
    let item = item_at(body.get(..offset).unwrap_or(body));
    Broken { byte: offset + 1, item: item.map(|(index, start)| (index, (offset + 1).saturating_sub(start))) }
}

/// Copies a text, with other words for what JSON does not have; tells whether there was any.
fn rewrite(text: &str, out: &mut String, number: impl Fn(&str) -> String, mark: &str) -> bool {
    let mut changed = false;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '"' => text_length(rest),
            '\u{feff}' => {
                out.push_str(mark);
                changed = true;
                rest = rest.get(first.len_utf8()..).unwrap_or_default();
                continue;
            }
            '+' | '-' | 'a'..='z' | 'A'..='Z' => {
                let letters = rest.char_indices().skip(1).find(|(_, c)| !c.is_ascii_alphabetic());
                letters.map_or(rest.len(), |(end, _)| end)
            }
            other => other.len_utf8(),
        };
        let (word, after) = rest.split_at_checked(taken).unwrap_or((rest, ""));
        if is_no_number(word) {
            out.push_str(&number(word));
            changed = true;
        } else {
            out.push_str(word);
        }
        rest = after;
    }
    changed
}

fn is_no_number(token: &str) -> bool {
    let word = token.trim_start_matches(['+', '-']);
    ["nan", "infinity", "inf"].iter().any(|no_number| word.eq_ignore_ascii_case(no_number))
}

/// Bytes of a JSON text with its quotes.
fn text_length(from: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in from.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    from.len()
}

/// The item of an array, or of the array under `batch`, that begins last in a part of a body and has not ended, and where
/// it begins.
fn item_at(part: &[u8]) -> Option<(usize, usize)> {
    let (mut depth, mut items_depth, mut item) = (0_usize, None, None);
    let (mut text_start, mut escaped, mut last_text): (Option<usize>, bool, &[u8]) = (None, false, &[]);
    for (at, byte) in part.iter().enumerate() {
        if let Some(start) = text_start {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => (text_start, last_text) = (None, part.get(start..at).unwrap_or_default()),
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => text_start = Some(at + 1),
            b'[' if items_depth.is_none() && (depth == 0 || (depth == 1 && last_text == b"batch")) => {
                depth += 1;
                (items_depth, item) = (Some(depth), Some((0, at + 1)));
            }
            b'[' | b'{' => depth += 1,
            b']' | b'}' => {
                item = item.filter(|_| items_depth != Some(depth));
                depth = depth.saturating_sub(1);
            }
            b',' if items_depth == Some(depth) => item = item.map(|(index, _)| (index + 1, at + 1)),
            _ => {}
        }
    }
    let (index, start) = item?;
    let blank = part.get(start..)?.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    Some((index, start + blank))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_json_does_not_have_become_null_and_texts_stay() {
        for (body, mended) in [
            (r#"{"total":NaN}"#, r#"{"total":null}"#),
            ("[-Infinity, Infinity,NaN ]", "[null, null,null ]"),
            (r#"{"a":"NaN, \"Infinity","b":nan,"c":-inf}"#, r#"{"a":"NaN, \"Infinity","b":null,"c":null}"#),
            ("\u{feff}{\"a\":\"\u{feff}\"}", "{\"a\":\"\u{feff}\"}"),
            ("\u{feff}[-1,NaN]", "[-1,null]"),
        ] {
            assert_eq!(mend(body).as_deref(), Some(mended), "{body}");
        }
        for body in [r#"{"a":true,"b":null,"c":-1.5e+3,"d":"NaN"}"#, "{\"a\":NaNs}", "", "\"", "-"] {
            assert_eq!(mend(body), None, "{body}");
        }
    }

    #[test]
    fn a_broken_body_is_told_by_its_byte_and_its_item() {
        for (body, byte, item) in [
            ("{", 1, None),
            (r#"{"a":,}"#, 6, None),
            (r#"[{"a":1},{"b":oops}]"#, 15, Some((1, 6))),
            (r#"{"batch":[{"a":NaN}, {"a":NaN,"b":'x'}]}"#, 35, Some((1, 14))),
            (r#"{"x":[1],"batch":[{},{"y":[1,2],"z":!}]}"#, 37, Some((1, 16))),
            ("[{},\n {\"a\":\n ?}]", 14, Some((1, 8))),
            (r#"{"batch":[{}],"sentAt":?}"#, 24, None),
            ("[{}", 3, Some((0, 2))),
        ] {
            assert_eq!(broken(body.as_bytes()), Broken { byte, item }, "{body}");
        }
        assert_eq!(broken(b"[{},{\"n\":\"\xe9\"}]"), Broken { byte: 11, item: Some((1, 7)) });
    }
}
