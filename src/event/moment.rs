//! Moments as senders write them: numbers, ISO 8601 with and without a zone, RFC 2822, what JavaScript and Ruby print.
//!
//! What can be read in two ways is not read. Must not know what the moment is of.

use jiff::civil::{Date, DateTime};
use jiff::fmt::{rfc2822, strtime};
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::clock::UnixMicros;

/// 1990-01-01. A clock that says an earlier time was never set.
const FIRST: UnixMicros = UnixMicros(631_152_000_000_000);
/// A text that is longer names no moment.
const CHARS_MAX: usize = 100;

/// A moment from a value of an event: a number, or text in one of the usual forms. `None` for what can't be read and for
/// what lies before 1990.
#[must_use]
pub fn moment(value: &Value) -> Option<UnixMicros> {
    match value {
        Value::String(text) => moment_in(text),
        Value::Number(number) => moment_in(&number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A moment from a value that is still JSON.
#[must_use]
pub fn moment_in_json(json: &str) -> Option<UnixMicros> {
    moment(&serde_json::from_str(json).ok()?)
}

/// A moment from text; the digits of a number count like the number.
#[must_use]
pub fn moment_in(text: &str) -> Option<UnixMicros> {
    // What most senders write needs no second look.
    if text.len() > 10
        && written_as_iso(text)
        && let Ok(moment) = text.parse::<jiff::Timestamp>()
    {
        return Some(UnixMicros(moment.as_microsecond())).filter(|moment| *moment >= FIRST);
    }
    let text = cleaned(text)?;
    let found = of_number(&text).or_else(|| {
        let zoned = text.parse::<jiff::Timestamp>().ok().or_else(|| by_words(&text));
        let moment = zoned.or_else(|| Some(day_and_time(&text)?.to_zoned(TimeZone::UTC).ok()?.timestamp()));
        moment.map(|moment| UnixMicros(moment.as_microsecond()))
    });
    found.filter(|moment| *moment >= FIRST)
}

/// The day that a value names, as it is written there: a zone does not move it.
#[must_use]
pub fn day(value: &Value) -> Option<Date> {
    let of_moment = |micros: UnixMicros| {
        let moment = jiff::Timestamp::from_microsecond(micros.0).ok()?;
        Some(moment.to_zoned(TimeZone::UTC).date())
    };
    let text = match value {
        Value::Number(number) => return of_moment(micros_of(&number.to_string())?),
        Value::String(text) => cleaned(text)?,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    // A number in eight digits is a day far more often than a second of 1970.
    day_and_time(&text)
        .map(DateTime::date)
        .or_else(|| of_moment(micros_of(&text)?))
        .or_else(|| text.get(..10).filter(|_| written_as_iso(&text))?.parse().ok())
        .or_else(|| rfc2822::parse(&text).ok().map(|zoned| zoned.date()))
        .or_else(|| by_words(&text).map(|moment| moment.to_zoned(TimeZone::UTC).date()))
}

/// In one spelling: `2026-11-20 19:45:41 +0000 UTC` is `2026-11-20 19:45:41+0000`, `2026/11/20` is `2026-11-20`.
fn cleaned(text: &str) -> Option<String> {
    let text = text.trim();
    if text.is_empty() || text.len() > CHARS_MAX {
        return None;
    }
    // `/Date(1795203941000)/` is how .NET wrote JSON.
    let text = text.strip_prefix("/Date(").and_then(|text| text.strip_suffix(")/")).unwrap_or(text);
    // JavaScript prints the name of the zone in brackets, Go its monotonic clock.
    let text = text.split(['(', '[']).next().unwrap_or(text);
    let text = text.split(" m=").next().unwrap_or(text).trim();
    let mut text = text.to_owned();
    if text.get(..10).is_some_and(|start| start.matches('/').count() == 2) && text.find('/') == Some(4) {
        text = text.replace('/', "-");
    }
    if !written_as_iso(&text) {
        return Some(text);
    }
    // Go says the offset and then the name of the zone: `-0500 EST`, `+0300 +03`.
    if let Some((bare, zone)) = text.rsplit_once(' ')
        && bare.rsplit(' ').next().is_some_and(is_offset)
        && (is_offset(zone) || (zone.len() <= 5 && zone.bytes().all(|byte| byte.is_ascii_uppercase())))
    {
        text = bare.to_owned();
    }
    for zone in [" UTC", " GMT", " Z"] {
        if let Some(bare) = text.strip_suffix(zone) {
            let has_offset = bare.get(10..).is_some_and(|time| time.contains(['+', '-']));
            text = format!("{bare}{}", if has_offset { "" } else { "Z" });
        }
    }
    Some(text.replace(" +", "+").replace(" -", "-"))
}

/// `+0000`, `-05`.
fn is_offset(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or_default();
    matches!(digits.len(), 2 | 4) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn written_as_iso(text: &str) -> bool {
    let start = text.get(..10).unwrap_or_default();
    start
        .bytes()
        .enumerate()
        .all(|(at, byte)| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() })
        && start.len() == 10
}

/// A day, alone or with a time, and without a zone.
fn day_and_time(text: &str) -> Option<DateTime> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return match text.len() {
            8 if text.starts_with("19") || text.starts_with("20") => {
                strtime::parse("%Y%m%d", text).ok()?.to_date().ok().map(DateTime::from)
            }
            14 if text.starts_with("20") => strtime::parse("%Y%m%d%H%M%S", text).ok()?.to_datetime().ok(),
            _ => None,
        };
    }
    let naive = written_as_iso(text) || text.contains('T');
    text.parse::<DateTime>().ok().filter(|_| naive)
}

/// RFC 2822, and what `Date` prints in JavaScript, C and Java.
fn by_words(text: &str) -> Option<jiff::Timestamp> {
    if let Ok(moment) = rfc2822::DateTimeParser::new().parse_timestamp(text) {
        return Some(moment);
    }
    let zoned = |format: &str| strtime::parse(format, text).ok()?.to_timestamp().ok();
    let bare =
        |format: &str| strtime::parse(format, text).ok()?.to_datetime().ok()?.to_zoned(TimeZone::UTC).ok();
    zoned("%a %b %d %Y %H:%M:%S GMT%z")
        .or_else(|| bare("%a %b %e %H:%M:%S %Y").map(|zoned| zoned.timestamp()))
        .or_else(|| bare("%a %b %e %H:%M:%S UTC %Y").map(|zoned| zoned.timestamp()))
        .or_else(|| bare("%a %b %e %H:%M:%S GMT %Y").map(|zoned| zoned.timestamp()))
}

fn of_number(text: &str) -> Option<UnixMicros> {
    if day_and_time(text).is_some() {
        return None;
    }
    micros_of(text)
}

/// A number of seconds, milliseconds, micro- or nanoseconds since 1970, by its size: none of them overlap between 1990 and
/// the year 5000.
fn micros_of(text: &str) -> Option<UnixMicros> {
    if !text.bytes().all(|byte| byte.is_ascii_digit() || b".-+eE".contains(&byte)) {
        return None;
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Some(UnixMicros(match whole.unsigned_abs() {
            0..100_000_000_000 => whole.saturating_mul(1_000_000),
            100_000_000_000..100_000_000_000_000 => whole.saturating_mul(1_000),
            100_000_000_000_000..100_000_000_000_000_000 => whole,
            _ => whole / 1_000,
        }));
    }
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite())?;
    let micros = match number.abs() {
        size if size < 1e11 => number * 1e6,
        size if size < 1e14 => number * 1e3,
        size if size < 1e17 => number,
        _ => return None,
    };
    #[expect(clippy::cast_possible_truncation, reason = "at most 1e17, which an i64 holds")]
    Some(UnixMicros(micros.round() as i64))
}
