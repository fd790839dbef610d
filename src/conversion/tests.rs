//! Tests of clicks and of the lines of files.

use serde_json::{Map, Value, json};

use super::*;
use crate::event::{Event, Kind, Position, SourceName, Stamp};

fn event(body: Value) -> Event {
    let Value::Object(body) = body else { unreachable!("an event is an object") };
    let body: Map<String, Value> = body;
    Event {
        position: Position(1),
        source: SourceName("website".to_owned()),
        people: "default".to_owned(),
        received_at: UnixMicros(1),
        backfill: false,
        stamp: Stamp::default(),
        kind: Kind::Track,
        body,
    }
}

fn conversion() -> Conversion {
    let touch = |id: &str, at| Some(Touch { id: id.to_owned(), at: UnixMicros(at) });
    let touches = Touches { first: touch("first-1", 10), last: touch("last-2", 20) };
    Conversion {
        at: UnixMicros(1_772_355_600_000_000),
        value: Some("149.5".to_owned()),
        currency: Some("EUR".to_owned()),
        email: Email::parse("Sam.Lee@GMail.com").unwrap(),
        phone: Some("+14155550142".to_owned()),
        clicks: Clicks::from([(Click::Gclid, touches)]),
    }
}

#[test]
fn clicks_are_read_from_the_page_and_from_fields_of_a_form() {
    let page =
        json!({"context": {"page": {"url": "https://shop.example/?utm_source=g&GCLID=Cj0-a_b#gclid=no"}}});
    assert_eq!(in_event(&event(page)), BTreeMap::from([(Click::Gclid, "Cj0-a_b".to_owned())]));
    let search = json!({"context": {"page": {"search": "?fbclid=Iw1&msclkid=m2&gbraid=g3&wbraid=w4"}}});
    assert_eq!(in_event(&event(search)).len(), 4);
    let form = json!({"properties": {"gclid": " form-1 "}, "context": {"page": {"url": "https://shop.example/?gclid=page-1"}}});
    assert_eq!(in_event(&event(form)), BTreeMap::from([(Click::Gclid, "form-1".to_owned())]));
}

#[test]
fn what_is_no_id_of_a_click_is_not_kept() {
    let long = "a".repeat(501);
    for id in ["", "=1%2B1", "a%20b", "%3Cscript%3E", long.as_str()] {
        let page = json!({"context": {"page": {"url": format!("https://shop.example/?gclid={id}")}}});
        assert_eq!(in_event(&event(page)), BTreeMap::new(), "{id}");
    }
    assert_eq!(in_event(&event(json!({"properties": {"gclid": {"a": 1}}}))), BTreeMap::new());
}

#[test]
fn a_conversion_is_a_line_of_each_file() {
    let line = File::ByClick.line(&conversion(), "Deal won", Attribution::Last).unwrap();
    assert_eq!(line, "last-2,Deal won,2026-03-01 09:00:00+0000,149.5,EUR\r\n");
    let line = File::ByClick.line(&conversion(), "Deal won", Attribution::First).unwrap();
    assert!(line.starts_with("first-1,"));
    // Hashes by coreutils: printf %s samlee@gmail.com | sha256sum, and of +14155550142.
    let line = File::Enhanced.line(&conversion(), "Deal won", Attribution::Last).unwrap();
    let cells: Vec<&str> = line.trim_end().split(',').collect();
    assert_eq!(cells[0], "804f9384bf87e13cf9a289822f4dcb1e3461c17d748751f52a033bab8b7ad161");
    assert_eq!(cells[1], "abbf04d6f629b136344993dfb197f1fd9296f712eaf103ebc22b1cc29fb0f135");
    assert_eq!(&cells[2..], ["last-2", "Deal won", "2026-03-01 09:00:00+0000", "149.5", "EUR"]);
    for file in File::ALL {
        let columns = file.columns().trim_end().split(',').count();
        let line = file.line(&conversion(), "Deal won", Attribution::Last).unwrap();
        assert_eq!(line.trim_end().split(',').count(), columns, "{file:?}");
    }
}

#[test]
fn without_a_click_there_is_a_line_of_the_enhanced_file_alone() {
    let without = Conversion { clicks: Clicks::new(), phone: None, ..conversion() };
    assert_eq!(File::ByClick.line(&without, "Deal won", Attribution::Last), None);
    let line = File::Enhanced.line(&without, "Deal won", Attribution::Last).unwrap();
    assert!(line.contains(",,,Deal won,"), "{line}");
}

#[test]
fn a_click_after_the_deal_was_won_counts_for_nothing() {
    let mut later = conversion();
    later.at = UnixMicros(15);
    assert_eq!(later.click(Click::Gclid, Attribution::Last).unwrap().id, "first-1");
    later.at = UnixMicros(5);
    assert_eq!(later.click(Click::Gclid, Attribution::Last), None);
}

#[test]
fn no_cell_is_a_formula() {
    for name in ["=HYPERLINK(\"x\")", "+1+cmd", "-A1", "@SUM(A1)", "a,b"] {
        let line = File::ByClick.line(&conversion(), name, Attribution::Last).unwrap();
        let cell = line.split_once(',').unwrap().1;
        assert!(cell.starts_with('\'') || cell.starts_with('"'), "{line}");
    }
    let refund = Conversion { value: Some("-5.00".to_owned()), ..conversion() };
    let line = File::ByClick.line(&refund, "Deal won", Attribution::Last).unwrap();
    assert!(line.contains(",-5.00,"), "a number is none: {line}");
}
