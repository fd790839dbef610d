//! What the role `view` is shown in place of people: nothing that is not known to be harmless.
//!
//! A text is shown where the name of its field stands below, a number outside of what senders and Freshsales say; all else
//! is masked, so that a field that somebody adds is masked until it is named here. Must not know the routes.

use serde_json::{Map, Value};

/// In place of a text.
pub(super) const MASKED: &str = "•••";

/// Fields whose texts name nobody: words, moments, ids and names that the configuration or the service made up. What looks
/// like an address or a phone is masked in them all the same.
const HARMLESS: [&str; 64] = [
    "about",
    "account",
    "address",
    "asked_at",
    "at",
    "attribute",
    "because",
    "began_at",
    "begun_at",
    "category",
    "code",
    "column",
    "day",
    "delivery_id",
    "door",
    "end_told_at",
    "ended_at",
    "event",
    "expected",
    "first_attempt_at",
    "format",
    "id",
    "key_from",
    "kind",
    "lane",
    "last_attempt_at",
    "level",
    "look_at",
    "message",
    "message_id",
    "method",
    "mode",
    "name",
    "next",
    "next_at",
    "next_attempt_at",
    "next_try_at",
    "opened_at",
    "ordered_at",
    "outcome",
    "output",
    "receiver",
    "received_at",
    "role",
    "route",
    "said",
    "since",
    "source",
    "started_at",
    "state",
    "status",
    "step",
    "timestamp",
    "todo",
    "told_at",
    "tone",
    "tool",
    "topic",
    "type",
    "until",
    "version",
    "who",
    "window",
    "word",
];

/// Fields below which a sender or Freshsales speaks: nothing is shown there, whatever its name.
const OF_OTHERS: [&str; 24] = [
    "accepted",
    "actions",
    "attributes",
    "body",
    "contact",
    "context",
    "custom_field",
    "data",
    "email",
    "error",
    "fields",
    "freshsales",
    "headers",
    "integrations",
    "notes",
    "payload",
    "person",
    "properties",
    "raw",
    "reason",
    "sent",
    "traits",
    "wanted",
    "values",
];

/// Masks whatever may be of a person in an answer.
pub(super) fn mask(value: &mut Value) {
    open(value, "");
}

/// What the service says itself; `field` is the name under which it stands.
fn open(value: &mut Value, field: &str) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) if field == "subject" => *text = kind_alone(text),
        Value::String(text) if is_moment(text) => {}
        Value::String(text) if HARMLESS.contains(&field) => *text = scrubbed(text),
        Value::String(text) if field == "email" => *text = initial(text),
        Value::String(text) => MASKED.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(|item| open(item, field)),
        Value::Object(fields) => {
            named_harmlessly(fields);
            for (name, value) in fields {
                if OF_OTHERS.contains(&name.as_str()) && !(name == "email" && value.is_string()) {
                    closed(value);
                } else {
                    open(value, name);
                }
            }
        }
    }
}

/// What others say: not even numbers are shown, of which one may be a phone.
fn closed(value: &mut Value) {
    match value {
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) | Value::String(_) => *value = Value::from(MASKED),
        Value::Array(items) => items.iter_mut().for_each(closed),
        Value::Object(fields) => {
            named_harmlessly(fields);
            fields.iter_mut().for_each(|(_, value)| closed(value));
        }
    }
}

/// A field may be named by a person, too.
fn named_harmlessly(fields: &mut Map<String, Value>) {
    let is_name = |name: &str| {
        name.len() <= 64
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-./: []$".contains(c))
            && scrubbed(name) == name
    };
    if fields.keys().all(|name| is_name(name)) {
        return;
    }
    let all = std::mem::take(fields);
    for (nth, (name, value)) in all.into_iter().enumerate() {
        let name = if is_name(&name) { name } else { format!("{MASKED} {}", nth + 1) };
        fields.insert(name, value);
    }
}

/// `2026-03-01T09:00:00.000000Z`, which is of the service whatever its field is called; a birthday has no time of day.
fn is_moment(text: &str) -> bool {
    let shape = b"0000-00-00T00:00:00";
    let (bytes, known) = (text.as_bytes(), shape.len());
    let fits =
        |(byte, wanted): (&u8, &u8)| if *wanted == b'0' { byte.is_ascii_digit() } else { byte == wanted };
    let rest = bytes.get(known..).unwrap_or_default();
    bytes.len() > known
        && bytes.len() <= known + 8
        && bytes.iter().zip(shape).all(fits)
        && rest.ends_with(b"Z")
        && rest.iter().all(|byte| byte.is_ascii_digit() || b".Z".contains(byte))
}

/// `contact:jane@acme.example` names a contact, and whom is masked.
fn kind_alone(subject: &str) -> String {
    match subject.split_once(':') {
        Some((kind, _)) if kind.bytes().all(|byte| byte.is_ascii_lowercase()) => format!("{kind}:{MASKED}"),
        Some(_) | None => MASKED.to_owned(),
    }
}

/// The first letter of an address, so that two rows can be told apart.
fn initial(address: &str) -> String {
    let first = address.chars().next().filter(char::is_ascii_alphanumeric);
    first.map_or_else(|| MASKED.to_owned(), |first| format!("{first}{MASKED}@{MASKED}"))
}

/// A harmless text without what looks like an address or a phone.
fn scrubbed(text: &str) -> String {
    let is_personal = |word: &str| word.contains('@') || word.contains("%40") || is_phone(word);
    if !text.split(' ').any(is_personal) && !is_spelled_phone(text) {
        return text.to_owned();
    }
    if is_spelled_phone(text) {
        return MASKED.to_owned();
    }
    let words = text.split(' ').map(|word| if is_personal(word) { MASKED } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// A word of seven digits or more and little else, or with a plus before its digits; no moment, no id with letters.
fn is_phone(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let phone_like = word.bytes().all(|byte| byte.is_ascii_digit() || b"+-().,;:/\"'`".contains(&byte));
    digits >= 7 && phone_like
}

/// `+44 20 7946 0018`: its words are too short to be phones.
fn is_spelled_phone(text: &str) -> bool {
    text.split('+').skip(1).any(|rest| {
        let digits = rest.bytes().take_while(|byte| byte.is_ascii_digit() || b" -().".contains(byte));
        digits.filter(u8::is_ascii_digit).count() >= 7
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn masked(mut value: Value) -> Value {
        mask(&mut value);
        value
    }

    #[test]
    fn what_the_service_says_itself_is_shown_and_people_are_not() {
        let event = json!({
            "message_id": "m1", "source": "website", "event": "Signed Up", "outcome": "queued", "duplicates": 2,
            "person": "user:jane", "email": "jane@acme.example", "reason": "jane has no phone",
            "notes": ["+44 20 7946 0018 is none"], "received_at": "2026-03-01T09:00:00.000000Z",
            "delivery": { "subject": "contact:jane@acme.example", "state": "waiting", "ended_at": null },
        });
        let expected = json!({
            "message_id": "m1", "source": "website", "event": "Signed Up", "outcome": "queued", "duplicates": 2,
            "person": MASKED, "email": "j•••@•••", "reason": MASKED, "notes": [MASKED],
            "received_at": "2026-03-01T09:00:00.000000Z",
            "delivery": { "subject": "contact:•••", "state": "waiting", "ended_at": null },
        });
        assert_eq!(masked(event), expected);
    }

    #[test]
    fn a_field_that_nobody_named_is_masked() {
        assert_eq!(
            masked(json!({ "nickname": "Jane", "count": 3 })),
            json!({ "nickname": MASKED, "count": 3 })
        );
        let nested = json!({ "rows": [{ "who_knows": { "x": "Jane" } }] });
        assert_eq!(masked(nested), json!({ "rows": [{ "who_knows": { "x": MASKED } }] }));
    }

    #[test]
    fn what_senders_and_freshsales_say_is_masked_whole_numbers_and_names_of_fields_too() {
        let raw = json!({ "raw": { "state": "Ohio", "traits": { "phone": 442_079_460_018_u64, "vip": true },
            "seen": { "jane@acme.example": 1 } } });
        let text = masked(raw).to_string();
        for part in ["Ohio", "4420", "true", "jane", "acme"] {
            assert!(!text.contains(part), "{part} in {text}");
        }
        assert_eq!(masked(json!({ "body": "Jane Doe" })), json!({ "body": MASKED }));
    }

    #[test]
    fn an_address_or_a_phone_is_masked_where_texts_are_harmless_too() {
        for (text, shown) in [
            ("Signed Up jane@acme.example", "Signed Up •••"),
            ("jane%40acme.example", MASKED),
            ("Call +44 20 7946 0018", MASKED),
            ("Call 02079460018 now", "Call ••• now"),
            ("1,234 contacts wait for 12 hours", "1,234 contacts wait for 12 hours"),
            ("2026-03-01T09:00:00Z", "2026-03-01T09:00:00Z"),
            ("d12-0", "d12-0"),
        ] {
            assert_eq!(masked(json!({ "message": text })), json!({ "message": shown }), "{text}");
        }
    }

    #[test]
    fn a_moment_is_shown_whatever_its_field_is_called_and_a_birthday_is_not() {
        let moments = json!({ "counted_since": "2026-03-01T09:00:00.000000Z", "born": "1990-03-01", "x": "2026-03-01T09:00:00Z Jane Z" });
        let expected = json!({ "counted_since": "2026-03-01T09:00:00.000000Z", "born": MASKED, "x": MASKED });
        assert_eq!(masked(moments), expected);
    }

    #[test]
    fn lists_of_fields_are_in_order_and_stand_once() {
        let mut harmless = HARMLESS.to_vec();
        harmless.dedup();
        assert_eq!(harmless.len(), HARMLESS.len());
        assert!(OF_OTHERS.iter().all(|name| !HARMLESS.contains(name)));
    }
}
