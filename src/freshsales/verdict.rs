//! What an answer of Freshsales means: one pure function over every status, header and body there can be.
//!
//! Must not retry, wait or log. The reasons of `Refused` and `Throttled` are the CRM's own words and may echo
//! personal data: they are for the debugger and for dead letters, never for a log. The reasons of `Passing` and
//! `Blocked` are ours and hold nothing but the status.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Map, Value};

use super::words::{self, ErrorWords};
use crate::clock::UnixMicros;
use crate::delivery::{BlockCause, CallKind, Request, RetryAfter, Stored, Verdict, whole_number};

/// A wait longer than this is absurd: no allowance of Freshsales runs over more than an hour.
pub const RETRY_AFTER_SECONDS_MAX: u64 = 24 * 3600;

const MOBILE_NUMBER: &str = "mobile_number";
const CONTACT_STATUS: &str = "contact_status_id";

/// The verdict on a whole answer to a call. `now` is the time of day of the answer.
///
/// A 2xx is stored whatever its body holds, except a page (its type is HTML, or it starts with `<`): that is the
/// login page of a proxy, and the record never got through.
#[must_use]
pub fn verdict(
    call: &Request,
    status: u16,
    retry_after: Option<&str>,
    content_type: Option<&str>,
    body: &[u8],
    now: UnixMicros,
) -> Verdict {
    match status {
        200..=299 if words::is_html(content_type, body) => Verdict::Passing {
            reason: format!(
                "a page came back in place of an answer ({status}): a proxy stands before Freshsales"
            ),
        },
        200..=299 => Verdict::Stored(stored(call, status, body)),
        300..=399 => blocked(
            BlockCause::NoSuchAccount,
            format!("Freshsales redirected the call ({status}): the bundle alias is wrong"),
        ),
        401 => blocked(
            BlockCause::Unauthorized,
            "Freshsales refused the API key (401): it is wrong, or its user is disabled".to_owned(),
        ),
        403 => forbidden(call),
        404 if is_error_of_the_api(body) && matches!(call, Request::UpdateLead { .. }) => {
            Verdict::Gone { reason: "Freshsales has no such lead any more (404)".to_owned() }
        }
        404 if is_error_of_the_api(body) && call.names_an_id() => Verdict::Gone {
            reason: format!("Freshsales has no such {} any more (404)", call.kind().as_str()),
        },
        // Not every account has each of these lists.
        404 if matches!(call, Request::ListTold { .. }) => {
            refused(call, status, retry_after, content_type, body, now)
        }
        404 if is_error_of_the_api(body) && call.kind() != CallKind::Contact => {
            refused(call, status, retry_after, content_type, body, now)
        }
        404 if is_error_of_the_api(body) && matches!(call, Request::CreateLead { .. }) => blocked(
            BlockCause::NoSuchAccount,
            "Freshsales has no leads in this account (404): set freshsales.classic_new = \"contact\""
                .to_owned(),
        ),
        404 => blocked(
            BlockCause::NoSuchAccount,
            "Freshsales has no account at this address (404): the bundle alias is wrong".to_owned(),
        ),
        405 | 429 => throttled(status, retry_after, &words::said(content_type, body), now),
        408 | 425 => Verdict::Passing { reason: format!("Freshsales was too slow or not ready ({status})") },
        400..=499 => refused(call, status, retry_after, content_type, body, now),
        500..=599 => Verdict::Passing { reason: format!("Freshsales is in trouble ({status})") },
        _ => Verdict::Passing { reason: format!("an answer that means nothing ({status})") },
    }
}

fn stored(call: &Request, status: u16, body: &[u8]) -> Stored {
    let mut answer: Option<Map<String, Value>> = serde_json::from_slice(body).ok();
    let record = call.record();
    let shown = match record {
        Some(name) => answer.as_mut().and_then(|answer| match answer.remove(name) {
            Some(Value::Object(record)) => Some(record),
            Some(_) | None => None,
        }),
        None => answer,
    };
    let named = shown.as_ref().filter(|_| record.is_some());
    Stored {
        id: named.and_then(|record| record.get("id")).and_then(whole_number),
        created: status == 201,
        shown,
    }
}

/// Whether the body is an error of Freshsales' API that says 404 itself. A wrong address is answered by something before
/// the API, with a body of another shape (seen on live accounts).
fn is_error_of_the_api(body: &[u8]) -> bool {
    let answer: Option<Value> = serde_json::from_slice(body).ok();
    let code = answer.as_ref().and_then(|answer| answer.pointer("/errors/code"));
    code.and_then(whole_number) == Some(404)
}

/// What the key's user may not do. Keys that write contacts were seen to be answered 403 by the question that proves alias
/// and key: only a key that is known may be forbidden something, and that is what is asked there.
fn forbidden(call: &Request) -> Verdict {
    match (call, call.kind()) {
        (Request::Probe, _) => Verdict::Stored(Stored::default()),
        (Request::CreateLead { .. } | Request::UpdateLead { .. }, _) => {
            blocked(BlockCause::Forbidden, "the user of the API key may not edit leads (403)".to_owned())
        }
        (_, CallKind::Contact) => {
            blocked(BlockCause::Forbidden, "the user of the API key may not edit contacts (403)".to_owned())
        }
        (_, CallKind::Selector) => {
            Verdict::Shut { reason: "the user of the API key may not read this list (403)".to_owned() }
        }
        (
            _,
            kind @ (CallKind::Company
            | CallKind::Deal
            | CallKind::Note
            | CallKind::Activity
            | CallKind::Task
            | CallKind::List),
        ) => Verdict::Shut {
            reason: format!("the user of the API key may not read and edit {} (403)", kind.plural()),
        },
    }
}

fn blocked(cause: BlockCause, reason: String) -> Verdict {
    Verdict::Blocked { cause, reason }
}

fn throttled(status: u16, retry_after: Option<&str>, said: &ErrorWords, now: UnixMicros) -> Verdict {
    let reason = match words::fit_to_show(&said.words) {
        none if none.is_empty() => format!("the account's allowance is used up ({status})"),
        words => words,
    };
    Verdict::Throttled { retry_after: read_retry_after(retry_after, now), reason }
}

/// A 4xx about this record. The first row that fits: a rate limit in disguise, an attribute that Freshsales is
/// known to name, a race, any other attribute, or the record as a whole.
fn refused(
    call: &Request,
    status: u16,
    retry_after: Option<&str>,
    content_type: Option<&str>,
    body: &[u8],
    now: UnixMicros,
) -> Verdict {
    let none = Map::new();
    let sent = call.attributes().unwrap_or(&none);
    let said = words::said(content_type, body);
    // Judged without what was sent: nobody may pause the account by signing up as `Too many requests`.
    let meant = words::without_echoes(&said.words, sent);
    let lower = meant.to_lowercase();
    if said.code_429
        || words::says_429(&meant)
        || names_a_throttle(&lower)
        || is_throttle_page(&said, body, sent)
    {
        return throttled(status, retry_after, &said, now);
    }
    let was_sent = |name: &str| sent.contains_key(name).then(|| name.to_owned());
    let (attribute, again) = if says_not_unique(&lower, &["mobilenumber", "mobile number", MOBILE_NUMBER]) {
        (was_sent(MOBILE_NUMBER), false)
    } else if lower.contains("invalid contact status provided") {
        // Seen at random. When no status was sent there is none to leave out, so the same is tried once more.
        let attribute = was_sent(CONTACT_STATUS);
        let again = attribute.is_none();
        (attribute, again)
    } else if says_not_unique(&lower, &["email", "emails", "contact", "lead"]) {
        (None, true)
    } else {
        (words::named_attribute(&meant, sent), false)
    };
    // Its own name is that of the mapping.
    let attribute = attribute.map(|name| {
        let is_company = name == "company" && call.record() == Some("lead");
        if is_company { "company_name".to_owned() } else { name }
    });
    let demanded = words::demands(&lower);
    Verdict::Refused { reason: refusal_in_words(call, status, &said), attribute, demanded, again }
}

fn says_not_unique(lower: &str, names: &[&str]) -> bool {
    names.iter().any(|name| lower.contains(&format!("{name} is not unique")))
}

fn names_a_throttle(lower: &str) -> bool {
    lower.contains("too many requests") || lower.contains("ucr contact fetch failure")
}

/// A page has no words of its own, and its numbers are colours and sizes: only the phrases count there.
fn is_throttle_page(said: &ErrorWords, body: &[u8], sent: &Map<String, Value>) -> bool {
    said.html && names_a_throttle(&words::without_echoes(&String::from_utf8_lossy(body), sent).to_lowercase())
}

fn refusal_in_words(call: &Request, status: u16, said: &ErrorWords) -> String {
    let is_lead = call.record() == Some("lead");
    let what = match call.kind() {
        CallKind::Contact if is_lead => "lead",
        CallKind::Selector => "question",
        kind @ (CallKind::Contact
        | CallKind::Company
        | CallKind::Deal
        | CallKind::Note
        | CallKind::Activity
        | CallKind::Task
        | CallKind::List) => kind.as_str(),
    };
    match words::fit_to_show(&said.words) {
        none if none.is_empty() && said.html => {
            format!("Freshsales refused the {what} ({status}) with a page in place of a reason")
        }
        none if none.is_empty() => format!("Freshsales refused the {what} ({status}) without a reason"),
        words => words,
    }
}

/// Reads `Retry-After`: a bare number is seconds (minutes have been seen), else an HTTP date. A negative wait, a
/// moment that is past, more than a day, and anything else is absurd.
#[must_use]
pub fn read_retry_after(header: Option<&str>, now: UnixMicros) -> RetryAfter {
    let Some(text) = header.map(str::trim).filter(|text| !text.is_empty()) else {
        return RetryAfter::Absent;
    };
    let longest = Duration::from_secs(RETRY_AFTER_SECONDS_MAX);
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        let wait = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        return wait.filter(|wait| *wait <= longest).map_or(RetryAfter::Absurd, RetryAfter::For);
    }
    let moment = httpdate::parse_http_date(text).ok().and_then(unix_micros);
    match moment {
        // A date has whole seconds: the one that runs is not past.
        Some(moment) if moment.plus(Duration::from_secs(1)) > now && moment.since(now) <= longest => {
            RetryAfter::Until(moment)
        }
        Some(_) | None => RetryAfter::Absurd,
    }
}

/// A moment of the standard library as ours.
pub(super) fn unix_micros(moment: std::time::SystemTime) -> Option<UnixMicros> {
    let micros = moment.duration_since(UNIX_EPOCH).ok()?.as_micros();
    i64::try_from(micros).ok().map(UnixMicros)
}
