//! Tests of the room.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::delivery::{Birth, DeliveryId, HappeningId, TargetKind};

const NOW: UnixMicros = UnixMicros(1_900_000_000_000_000);

fn id(code: &str) -> HappeningId {
    format!("note-{code}").parse().unwrap()
}

fn note(text: &str) -> Happening {
    let text = Text::of(text.lines().map(|line| vec![Piece::Words(line.to_owned())]).collect());
    Happening { says: Says::Note { text }, ..Happening::default() }
}

#[test]
fn notes_that_go_together_are_one_text_with_every_marker() {
    let (one, other) = (id("AAAAAAAAAA000000"), id("BBBBBBBBBB000000"));
    let (first, second) = (note("Asked for a price"), note("Came back <again>"));
    let parts = [
        Part { id: &one, happening: &first, known: BTreeMap::new() },
        Part { id: &other, happening: &second, known: BTreeMap::new() },
    ];
    let body = body_of(&parts, (TargetKind::Contact, 7), Names::default(), true);
    let text = "Asked for a price<br>Came back &lt;again&gt;<br>freshsignal AAAAAAAAAA BBBBBBBBBB";
    let expected = json!({"note": {"description": text, "targetable_type": "Contact", "targetable_id": 7}});
    assert_eq!(body, expected);
    let bare = body_of(&parts[..1], (TargetKind::Deal, 8), Names::default(), false);
    assert_eq!(bare["note"]["description"], "Asked for a price");
}

#[test]
fn equal_activities_are_one_with_how_often_it_happened() {
    let says = Says::Activity {
        activity_type: "Product".to_owned(),
        outcome: Some(Outcome::Id(3)),
        title: Text::of(vec![vec![Piece::Words("Opened the report".to_owned())]]),
        owner: "9".to_owned(),
        text: Text::default(),
    };
    let activity = Happening { says, ..Happening::default() };
    let ids = ["activity-AAAAAAAAAA000000", "activity-BBBBBBBBBB000000"].map(|id| id.parse().unwrap());
    let parts: Vec<Part<'_>> =
        ids.iter().map(|id| Part { id, happening: &activity, known: BTreeMap::new() }).collect();
    let names = Names { activity_type: Some(5), outcome: Some(3), owner: Some(9) };
    let body = body_of(&parts, (TargetKind::Company, 7), names, true);
    let expected = json!({"sales_activity": {
        "title": "Opened the report (2 times)",
        "notes": "freshsignal AAAAAAAAAA BBBBBBBBBB",
        "start_date": UnixMicros(0).to_rfc3339(),
        "end_date": UnixMicros(0).to_rfc3339(),
        "sales_activity_type_id": 5,
        "sales_activity_outcome_id": 3,
        "owner_id": 9,
        "targetable_type": "SalesAccount",
        "targetable_id": 7,
    }});
    assert_eq!(body["sales_activity"]["notes"], expected["sales_activity"]["notes"]);
    assert_eq!(body, expected);
}

fn found(answer: &Value, page: u32) -> Option<Found> {
    let wanted = Wanted { kind: HappeningKind::Note, marker: "AAAAAAAAAA", since: NOW, page };
    found_in(answer.as_object().unwrap(), wanted)
}

#[test]
fn a_list_shows_whether_it_is_there_or_on_another_page() {
    let entry = |id: u64, text: &str| json!({"id": id, "description": text});
    let has = |id| entry(id, "x<br>freshsignal 0000000000 AAAAAAAAAA");
    assert_eq!(found(&json!({"message": "no list"}), 1), None);
    let two = json!({"notes": [has(9), entry(8, "other"), has(7)]});
    assert_eq!(found(&two, 1), Some(Found { ids: vec![7, 9], more: false }));
    let full: Vec<Value> = (0..25).map(|id| entry(id, "other")).collect();
    assert!(found(&json!({"notes": full}), 1).unwrap().more);
    assert!(!found(&json!({"notes": full, "meta": {"total_pages": 2}}), 2).unwrap().more);
    // The newest come first, and the page ends long before the call left.
    let dated: Vec<Value> = (0..25_u64)
        .map(|nth| json!({"id": nth, "created_at": NOW.minus(Duration::from_mins(nth)).to_rfc3339()}))
        .collect();
    assert!(!found(&json!({"notes": dated, "meta": {"total_pages": 9}}), 1).unwrap().more);
}

fn wish() -> Wish {
    let attempt_timeout = Duration::from_secs(20);
    Wish { has_target: true, marker: true, attempt_timeout, ..Wish::default() }
}

fn in_flight(carried: Carried) -> InFlight {
    InFlight { delivery: DeliveryId("d".into()), attempt: 1, carried, left_at: NOW }
}

#[test]
fn a_call_without_an_answer_is_asked_for_before_it_is_repeated() {
    let mut standing = Standing::default();
    assert_eq!(next(&wish(), &standing), Next::Tell);
    standing.leave(in_flight(Carried::Tell));
    assert_eq!((standing.state(), next(&wish(), &standing)), (State::Sent, Next::Nothing));
    standing.unanswered();
    let at = NOW.plus(Duration::from_secs(80));
    assert_eq!(next(&wish(), &standing), Next::Ask { page: 1, everywhere: false, at });
    // It is not there: it may be sent again.
    standing.not_there();
    assert_eq!(next(&wish(), &standing), Next::Tell);
}

#[test]
fn two_rounds_without_a_clear_answer_leave_it_to_a_person() {
    let mut standing = Standing { birth: Birth::unanswered(NOW), ..Standing::default() };
    standing.no_clear_answer();
    assert!(matches!(next(&wish(), &standing), Next::Ask { everywhere: true, .. }));
    standing.no_clear_answer();
    assert_eq!(next(&wish(), &standing), Next::Held(Held::Unclear));
    standing.send_again();
    assert_eq!(next(&wish(), &standing), Next::Tell);
    // Without a marker nothing can be asked.
    let standing = Standing { birth: Birth::unanswered(NOW), ..Standing::default() };
    let blind = Wish { marker: false, ..wish() };
    assert_eq!(next(&blind, &standing), Next::Held(Held::Unclear));
}

#[test]
fn an_id_that_freshsales_named_is_the_end() {
    let mut standing = Standing::default();
    standing.leave(in_flight(Carried::Tell));
    standing.told(70, Some(DeliveryId("d".into())), NOW);
    assert_eq!(
        (standing.state(), standing.is_open(), next(&wish(), &standing)),
        (State::Told, false, Next::Nothing)
    );
    standing.distrust(NOW);
    assert_eq!(standing.state(), State::Told);
}
