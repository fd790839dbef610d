//! Tests of the event room.

use proptest::prelude::*;
use serde_json::value::RawValue;

use super::*;

const LIMITS: EventLimits = EventLimits { event_bytes_max: 1024 };

fn read(json: &str) -> Result<Header<'static>, EventRefusal> {
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
        ("[]", EventRefusal::NotAnObject),
        ("7", EventRefusal::NotAnObject),
        (r#"{"userId":"u"}"#, EventRefusal::UnknownType),
        (r#"{"type":"purchase","userId":"u"}"#, EventRefusal::UnknownType),
        (r#"{"type":null,"userId":"u"}"#, EventRefusal::UnknownType),
        (r#"{"type":"track","userId":"u"}"#, EventRefusal::MissingEventName),
        (r#"{"type":"track","event":" ","userId":"u"}"#, EventRefusal::MissingEventName),
        (r#"{"type":"page"}"#, EventRefusal::MissingIdentity),
        (r#"{"type":"page","userId":"","anonymousId":null}"#, EventRefusal::MissingIdentity),
        (r#"{"type":"page","userId":" ","traits":{"email":" "}}"#, EventRefusal::MissingIdentity),
        (&long_id, EventRefusal::MessageIdTooLong),
        (&deep, EventRefusal::TooDeep),
        (&large, EventRefusal::EventTooLarge),
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

#[test]
fn a_moment_is_read_as_senders_write_it_and_none_before_1990() {
    for line in include_str!("../../tests/fixtures/moments.tsv").lines().skip(1) {
        let (json, expected) = line.split_once('\t').unwrap();
        let read = moment_in_json(json).map(UnixMicros::to_rfc3339);
        assert_eq!(read.unwrap_or_default(), expected, "{json}");
    }
}

#[test]
fn a_day_is_the_one_that_is_written_whatever_its_zone_and_however_long_ago() {
    let read = |value: Value| day(&value).map(|day| day.to_string()).unwrap_or_default();
    for (value, expected) in [
        (Value::from("2026-11-20T23:30:00-05:00"), "2026-11-20"),
        (Value::from("2026-11-20T23:30:00Z"), "2026-11-20"),
        (Value::from("1962-02-03"), "1962-02-03"),
        (Value::from("19620203"), "1962-02-03"),
        (Value::from("Fri, 20 Nov 2026 23:45:41 -0500"), "2026-11-20"),
        (Value::from(-249_436_800), "1962-02-05"),
        (Value::from(1_795_203_941_000_i64), "2026-11-20"),
        (Value::from("1795203941"), "2026-11-20"),
        (Value::from("03/02/1962"), ""),
        (Value::from(true), ""),
    ] {
        assert_eq!(read(value.clone()), expected, "{value}");
    }
}

#[test]
fn the_text_of_a_missing_value_is_none_and_a_family_name_is_one() {
    let cases: Value = serde_json::from_str(include_str!("../../tests/fixtures/missing.json")).unwrap();
    for (list, expected) in [("missing", true), ("values", false)] {
        for text in cases[list].as_array().unwrap() {
            assert_eq!(is_text_of_missing(text.as_str().unwrap()), expected, "{text}");
        }
    }
}

#[test]
fn the_text_of_a_missing_value_hides_no_value_that_context_says() {
    let body = serde_json::json!({
        "traits": {"city": "undefined", "zip": "null", "tags": ["null", ""]},
        "context": {"traits": {"city": "Oslo"}},
    });
    let Value::Object(body) = body else { unreachable!() };
    let event = Event {
        position: Position(1),
        source: SourceName("website".into()),
        people: "default".into(),
        received_at: UnixMicros(0),
        stamp: Stamp::default(),
        kind: Kind::Track,
        backfill: false,
        body,
    };
    assert_eq!(event.find("traits.city"), Found::Value(&Value::from("Oslo")));
    assert_eq!(event.find("traits.zip"), Found::Missing);
    assert_eq!(event.find("traits.tags"), Found::Missing);
    assert_eq!(event.find("traits.state"), Found::Nothing);
    assert_eq!(event.find("city"), Found::Nothing);
}

#[test]
fn the_one_address_that_stands_in_a_value_is_read_in_its_one_spelling() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../../tests/fixtures/emails.json")).unwrap();
    for case in cases {
        let read = Email::from_value(&case["value"]).ok();
        assert_eq!(read.as_ref().map(Email::as_str), case["email"].as_str(), "{}", case["value"]);
    }
}

#[test]
fn an_address_of_an_earlier_version_is_read_from_the_store_as_it_stands_there() {
    assert_eq!(Email::from_store("jane@müller.example").unwrap().as_str(), "jane@müller.example");
    assert_eq!(Email::from_store("jane").unwrap_err(), EmailProblem::Invalid);
}

#[test]
fn a_time_is_taken_as_a_number_and_a_list_with_an_address_is_an_identity() {
    let header =
        read(r#"{"type":"page","traits":{"email":["a@example.com"]},"timestamp":1795203941,"sentAt":"0"}"#);
    let claimed = Claimed { timestamp: Some(UnixMicros(1_795_203_941_000_000)), sent_at: None };
    assert_eq!(header.unwrap().claimed, claimed);
}

#[test]
fn what_a_server_said_counts_before_what_a_visitor_said_whenever_that_was() {
    let said = |at, trust| {
        let stamp = Stamp { at: UnixMicros(at), message_id: String::new(), trust };
        Stamped { value: Value::from(at), stamp }
    };
    let (server, visitor) = (|at| said(at, Trust::Server), |at| said(at, Trust::Visitor));
    assert!(server(1).beats(&visitor(2)) && !visitor(2).beats(&server(1)));
    assert!(visitor(2).beats(&visitor(1)) && server(2).beats(&server(1)));
    let mut first = Fww::default();
    for said in [visitor(1), server(3), server(2), visitor(0)] {
        first.say("medium", said);
    }
    assert_eq!(first.get("medium"), Some(&server(2)), "what somebody came with, too");
}

#[test]
fn a_stamp_of_before_there_was_trust_is_a_servers_and_is_written_as_ever() {
    let old = r#"{"at":5,"message_id":"m"}"#;
    let read: Stamp = serde_json::from_str(old).unwrap();
    assert_eq!(read.trust, Trust::Server);
    assert_eq!(serde_json::to_string(&read).unwrap(), old);
    let visitor = Stamp { trust: Trust::Visitor, ..read };
    let json = serde_json::to_string(&visitor).unwrap();
    assert_eq!(json, r#"{"at":5,"message_id":"m","trust":"visitor"}"#);
    assert_eq!(serde_json::from_str::<Stamp>(&json).unwrap(), visitor);
}

proptest! {
    #[test]
    fn an_address_stays_as_it_is_read(text in "\\PC{0,12}@?\\PC{0,12}(\\.[a-z]{2,3})?") {
        if let Ok(email) = Email::parse(&text) {
            prop_assert_eq!(Email::parse(email.as_str()).unwrap(), email.clone());
            prop_assert_eq!(Email::from_store(email.as_str()).unwrap(), email);
        }
    }

    #[test]
    fn no_text_is_a_moment_by_panicking(text in "\\PC{0,30}", digits in "[0-9T:.+ -]{0,30}") {
        let _ = (moment_in(&text), moment_in(&digits), day(&Value::from(digits)), is_text_of_missing(&text));
    }

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
        said in prop::collection::vec((0_u8..4, 0_i64..4, 0_u8..3, 0_u8..3, any::<bool>()), 0..20),
        cut in 0_usize..20,
    ) {
        type Maps = (Lww<u8, Value>, Fww<u8, Value>);
        let fold = |items: &[(u8, i64, u8, u8, bool)]| {
            let mut maps = Maps::default();
            for (key, at, message, value, visitor) in items {
                let trust = if *visitor { Trust::Visitor } else { Trust::Server };
                let stamp = Stamp { at: UnixMicros(*at), message_id: message.to_string(), trust };
                let said = Stamped { value: Value::from(*value), stamp };
                maps.0.say(*key, said.clone());
                maps.1.say(*key, said);
            }
            maps
        };
        let (left, right) = said.split_at(cut.min(said.len()));
        let (left, right) = (fold(left), fold(right));
        let joined = |a: &Maps, b: &Maps| { let mut a = a.clone(); a.0.join(&b.0); a.1.join(&b.1); a };
        prop_assert_eq!(joined(&left, &right), joined(&right, &left));
        prop_assert_eq!(joined(&left, &right), fold(&said));
        prop_assert_eq!(joined(&left, &left), left);
    }
}
