//! The body of an accepted event as a tree, whatever a JSON writer did to it.
//!
//! Ingest checks structure alone, so two things get through that a tree can't hold: half a surrogate pair (a text
//! cut inside an emoji by JavaScript) and numbers beyond every range. Neither may cost the event.

use serde_json::{Map, Value};

/// Reads an event; half surrogates become U+FFFD, numbers beyond every range null.
#[must_use]
pub fn parse_body(raw: &str) -> Map<String, Value> {
    let strict = serde_json::from_str(raw);
    strict.or_else(|_| serde_json::from_str(&repaired(raw))).unwrap_or_default()
}

/// Puts a value at a path of an event that is made up; what stands there first counts.
pub fn put_first(event: &mut Map<String, Value>, path: &str, value: Value) {
    let (parents, last) = path.rsplit_once('.').unwrap_or(("", path));
    let mut place = event;
    for name in parents.split('.').filter(|name| !name.is_empty()) {
        let inner = place.entry(name).or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(inner) = inner else { return };
        place = inner;
    }
    place.entry(last).or_insert(value);
}

fn repaired(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '"' => text(rest, &mut out),
            '-' | '0'..='9' => number(rest, &mut out),
            _ => {
                out.push(first);
                first.len_utf8()
            }
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    out
}

/// Copies a text with its quotes; answers how many bytes it took.
fn text(from: &str, out: &mut String) -> usize {
    let mut taken = 1;
    out.push('"');
    while let Some(rest) = from.get(taken..).filter(|rest| !rest.is_empty()) {
        if let Some(unit) = unit(rest) {
            let low = rest.get(6..).and_then(self::unit);
            let pair =
                (0xD800..0xDC00).contains(&unit) && low.is_some_and(|low| (0xDC00..0xE000).contains(&low));
            let lone = !pair && (0xD800..0xE000).contains(&unit);
            let length = if pair { 12 } else { 6 };
            out.push_str(if lone { "\\ufffd" } else { rest.get(..length).unwrap_or_default() });
            taken += length;
            continue;
        }
        let escape = if rest.starts_with('\\') { 2 } else { rest.chars().next().map_or(1, char::len_utf8) };
        let piece = rest.get(..escape).unwrap_or(rest);
        out.push_str(piece);
        taken += piece.len();
        if piece == "\"" {
            break;
        }
    }
    taken
}

/// The UTF-16 unit of a `\uXXXX` that `from` begins with.
fn unit(from: &str) -> Option<u32> {
    u32::from_str_radix(from.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

fn number(from: &str, out: &mut String) -> usize {
    let end =
        from.find(|c: char| !matches!(c, '-' | '+' | '.' | 'e' | 'E' | '0'..='9')).unwrap_or(from.len());
    let written = from.get(..end).unwrap_or_default();
    let readable = serde_json::from_str::<Value>(written).is_ok();
    out.push_str(if readable { written } else { "null" });
    end
}
