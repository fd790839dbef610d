//! Tests of the event room.

use proptest::prelude::*;
use serde_json::value::RawValue;

use super::*;

const LIMITS: Limits = Limits { event_bytes_max: 1024 };

fn read(json: &str) -> Result<Header<'static>, Refusal> {
    let raw: &'static RawValue = Box::leak(RawValue::from_string(json.to_owned()).unwrap());
    Header::read(raw, None, LIMITS)
}

#[test]
fn an_event_with_a_type_a_name_and_an_id_is_accepted() {
    let header = read(r#"{"type":"track","event":"Signed Up","userId":7,"messageId":"m\u002d1"}"#).unwrap();
    assert_eq!(header.kind, Kind::Track);
    assert_eq!(header.message_id.as_deref(), Some("m-1"));
}

#[test]
fn each_reason_to_refuse_has_its_case() {
    let deep = format!(r#"{{"type":"page","userId":"u","x":{}{}}}"#, "[".repeat(40), "]".repeat(40));
    let long_id = format!(r#"{{"type":"page","userId":"u","messageId":"{}"}}"#, "x".repeat(101));
    let large = format!(r#"{{"type":"page","userId":"u","x":"{}"}}"#, "x".repeat(2000));
    for (json, refusal) in [
        ("[]", Refusal::NotAnObject),
        ("7", Refusal::NotAnObject),
        (r#"{"userId":"u"}"#, Refusal::UnknownType),
        (r#"{"type":"purchase","userId":"u"}"#, Refusal::UnknownType),
        (r#"{"type":null,"userId":"u"}"#, Refusal::UnknownType),
        (r#"{"type":"track","userId":"u"}"#, Refusal::MissingEventName),
        (r#"{"type":"track","event":" ","userId":"u"}"#, Refusal::MissingEventName),
        (r#"{"type":"page"}"#, Refusal::MissingIdentity),
        (r#"{"type":"page","userId":"","anonymousId":null}"#, Refusal::MissingIdentity),
        (r#"{"type":"page","userId":" ","traits":{"email":" "}}"#, Refusal::MissingIdentity),
        (&long_id, Refusal::MessageIdTooLong),
        (&deep, Refusal::TooDeep),
        (&large, Refusal::EventTooLarge),
    ] {
        assert_eq!(read(json).unwrap_err(), refusal, "{json}");
    }
}

#[test]
fn an_email_alone_is_an_identity_wherever_it_stands() {
    for json in [
        r#"{"type":"identify","traits":{"email":"a@example.com"}}"#,
        r#"{"type":"page","properties":{"email":"a@example.com"}}"#,
        r#"{"type":"page","context":{"traits":{"email":"a@example.com"}}}"#,
        // Whether it is of any use is seen when the event takes effect.
        r#"{"type":"page","traits":{"email":["sam@"]}}"#,
        r#"{"type":"page","traits":{"email":{"work":"sam@"}}}"#,
        r#"{"type":"page","userId":{"id":7}}"#,
        r#"{"type":"page","anonymousId":true}"#,
    ] {
        assert!(read(json).is_ok(), "{json}");
    }
}

#[test]
fn the_clock_error_of_a_device_cancels_out() {
    let received = UnixMicros(10_000);
    let at = |timestamp: Option<i64>, sent_at: Option<i64>| {
        let claimed = Claimed { timestamp: timestamp.map(UnixMicros), sent_at: sent_at.map(UnixMicros) };
        corrected(claimed, received).0
    };
    assert_eq!(at(Some(500_000), Some(500_300)), 9_700);
    assert_eq!(at(Some(4_000), None), 4_000);
    assert_eq!(at(Some(90_000), None), 10_000);
    assert_eq!(at(Some(90_000), Some(80_000)), 10_000);
    assert_eq!(at(None, Some(1)), 10_000);
}

#[test]
fn a_cut_emoji_or_a_number_beyond_every_range_does_not_cost_the_event() {
    let raw = r#"{"a":"x\ud83d","b":1e999,"c":"\ud83d\ude00 \\ud83d \"q","d":[-1.5e3,"\udc00y"],"é":true}"#;
    assert!(serde_json::from_str::<Value>(raw).is_err());
    let body = parse_body(raw);
    let expected = serde_json::json!({"a": "x\u{fffd}", "b": null, "c": "😀 \\ud83d \"q", "d": [-1500.0, "\u{fffd}y"], "é": true});
    assert_eq!(Value::Object(body), expected);
}

#[test]
fn addresses_are_folded_and_hashes_named() {
    assert_eq!(Email::parse(" Jane@Example.COM ").unwrap().as_str(), "jane@example.com");
    assert_eq!(Email::parse(&"aB".repeat(32)).unwrap_err(), EmailProblem::Hashed);
    for text in
        ["", "jane", "jane@", "@example.com", "a b@example.com", "a@b", "a@-b.c", "a..b@c.de", "x@y..z"]
    {
        assert_eq!(Email::parse(text).unwrap_err(), EmailProblem::Invalid, "{text}");
    }
}

proptest! {
    #[test]
    fn reading_a_header_never_panics(json in ".{0,200}") {
        if let Ok(raw) = RawValue::from_string(json) {
            let _ = Header::read(&raw, None, LIMITS);
        }
    }

    #[test]
    fn a_readable_body_is_read_as_it_stands(text in "\\PC{0,40}", number in any::<f64>()) {
        let json = serde_json::json!({"text": text, "number": number}).to_string();
        prop_assert_eq!(parse_body(&json), serde_json::from_str::<Map<String, Value>>(&json).unwrap());
    }

    #[test]
    fn joining_maps_is_commutative_associative_and_idempotent(
        said in prop::collection::vec((0_u8..4, 0_i64..4, 0_u8..3, 0_u8..3), 0..20),
        cut in 0_usize..20,
    ) {
        let fold = |items: &[(u8, i64, u8, u8)]| {
            let mut map = Lww::default();
            for (key, at, message, value) in items {
                let stamp = Stamp { at: UnixMicros(*at), message_id: message.to_string() };
                map.say(*key, Stamped { value: Value::from(*value), stamp });
            }
            map
        };
        let (left, right) = said.split_at(cut.min(said.len()));
        let (left, right) = (fold(left), fold(right));
        let joined = |a: &Lww<u8, Value>, b: &Lww<u8, Value>| { let mut a = a.clone(); a.join(b); a };
        prop_assert_eq!(joined(&left, &right), joined(&right, &left));
        prop_assert_eq!(joined(&left, &right), fold(&said));
        prop_assert_eq!(joined(&left, &left), left);
    }
}
