//! Which events an erasure recognises as the person's, in every form an address or an id is written in.

use std::collections::BTreeSet;

use super::*;
use crate::event::Stamp;
use crate::person::{Span, TimelineKey};

fn stamp(at: i64) -> Stamp {
    Stamp { at: UnixMicros(at), message_id: "m".to_owned() }
}

fn extent() -> Extent {
    let device = |id: &str, spans| Device {
        key: TimelineKey { people: "default".to_owned(), anonymous_id: id.to_owned() },
        spans,
    };
    Extent {
        people: BTreeSet::from(["user:u-1".parse().unwrap(), "user:42".parse().unwrap()]),
        emails: BTreeSet::from([Email::parse("jo@example.com").unwrap()]),
        shared: BTreeSet::new(),
        devices: vec![
            device("phone-1", Vec::new()),
            device("kiosk", vec![Span { from: Some(stamp(10)), to: Some(stamp(20)) }]),
        ],
    }
}

fn concern(at: i64, raw: &str) -> Concern {
    extent().concern("default", &stamp(at), raw)
}

#[test]
fn an_event_with_an_id_of_the_person_is_theirs() {
    for raw in [
        r#"{"type":"track","userId":"u-1"}"#,
        r#"{"type":"track","userId":42}"#,
        r#"{"type":"track","userId":"\u0075-1"}"#,
        r#"{"type":"alias","userId":"other","previousId":"phone-1"}"#,
        r#"{"type":"page","anonymousId":"phone-1"}"#,
    ] {
        assert_eq!(concern(5, raw), Concern::Theirs, "{raw}");
    }
}

#[test]
fn an_event_of_somebody_else_is_not() {
    for raw in [
        r#"{"type":"track","userId":"u-12","properties":{"value":42}}"#,
        r#"{"type":"track","userId":"other","anonymousId":"phone-1"}"#,
        r#"{"type":"track","userId":"other","properties":{"email":"bjo@example.com"}}"#,
        r#"{"type":"track","userId":"other","properties":{"email":"jo@example.com.au"}}"#,
        r#"{"type":"track","userId":"other","properties":{"email":"xx.jo@example.com"}}"#,
        "",
    ] {
        assert_eq!(concern(5, raw), Concern::Nothing, "{raw}");
    }
    let raw = r#"{"type":"track","userId":"u-1"}"#;
    assert_eq!(extent().concern("shop", &stamp(5), raw), Concern::Nothing, "another name space");
}

#[test]
fn an_address_is_found_wherever_and_however_it_is_written() {
    for raw in [
        r#"{"userId":"other","properties":{"email":"Jo@Example.COM"}}"#,
        r#"{"userId":"other","properties":{"friends":[{"to":"mailto:jo@example.com"}]}}"#,
        r#"{"userId":"other","properties":{"text":"write to jo@example.com."}}"#,
        r#"{"userId":"other","context":{"page":{"url":"https://x.example/?e=jo%40example.com&b=1"}}}"#,
        r#"{"userId":"other","context":{"page":{"url":"https://x.example/?u=%3Fe%3Djo%40example.com"}}}"#,
        r#"{"userId":"other","properties":{"jo@example.com":true}}"#,
        r#"{"userId":"other","properties":{"email":"jo\u0040example.com"}}"#,
        r#"{"userId":"other","properties":{"email":"\"Jo\" <jo@example.com>"}}"#,
    ] {
        assert_eq!(concern(5, raw), Concern::NamesThem, "{raw}");
    }
}

#[test]
fn of_a_shared_device_the_persons_stretch_is_theirs() {
    let raw = r#"{"type":"page","anonymousId":"kiosk"}"#;
    let found: Vec<Concern> = [9, 10, 19, 20].into_iter().map(|at| concern(at, raw)).collect();
    assert_eq!(found, [Concern::Nothing, Concern::Theirs, Concern::Theirs, Concern::Nothing]);
    let marks: Vec<String> = extent().marks().map(|mark| mark.text()).collect();
    assert!(!marks.iter().any(|mark| mark.contains("kiosk")), "others are heard on it: {marks:?}");
    assert_eq!(marks.len(), 4);
}

#[test]
fn no_two_marks_have_the_same_text() {
    let user = Mark::User("default".to_owned(), "a@b.co".to_owned());
    let device = Mark::Anonymous("default".to_owned(), "a@b.co".to_owned());
    let email = Mark::Email(Email::parse("a@b.co").unwrap());
    let texts = BTreeSet::from([user.text(), device.text(), email.text()]);
    assert_eq!(texts.len(), 3);
}
