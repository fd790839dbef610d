//! Tests of what a mapping file has events tell.

use serde_json::json;

use super::{Due, Lines, Preset};
use crate::clock::UnixMicros;
use crate::delivery::HappeningKind;
use crate::event::{Event, Kind, Position, SourceName, Stamp};
use crate::happening::Says;

fn problems(file: &str) -> Vec<String> {
    match Preset::parse(Some(file)) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn what_makes_no_sense_is_named_with_its_line() {
    let cases = [
        ("[events.X.note]\n", "line 1, events.X.note.text: is missing: what the note says"),
        (
            "[events.X.note]\ntext = \"a\"\non = \"deal\"\n",
            "line 3, events.X.note.on: the event speaks of no deal: there is no [events.\"X\".deal]",
        ),
        (
            "[events.X.note]\non = \"company\"\ntext = \"a\"\n",
            "line 2, events.X.note.on: there is no [company] in the mapping",
        ),
        (
            "[events.X.note]\ntext = \"for {key}\"\n",
            "line 2, events.X.note.text: nothing can stand at {key}: there is no [events.\"X\".deal]",
        ),
        (
            "[events.X.activity]\ntype = \"Product\"\ntitle = \"t\"\n",
            "line 1, events.X.activity.owner: is missing: Freshsales demands the user whose activity it is; give the email of one",
        ),
        (
            "[events.X.activity]\ntype = \"12\"\ntitle = \"t\"\nowner = \"a@b.example\"\n",
            "line 2, events.X.activity.type: \"12\" looks like an id; write 12 without quotes to mean it",
        ),
        (
            "[events.X.task]\ntitle = \"t\"\n",
            "line 1, events.X.task.due: is missing: how long after the event the task is due, such as \"2h\"",
        ),
        (
            "[events.X.task]\ntitle = \"t\"\ndue = \"1h\"\nlane = \"withdrawal\"\n",
            "line 4, events.X.task.lane: must be conversion, login, refresh or backfill",
        ),
    ];
    for (file, problem) in cases {
        assert_eq!(problems(file), [problem], "{file}");
    }
    let unfilled = problems("[events.X.note]\ntext = \"{the website}\"\n");
    assert!(
        unfilled[0].starts_with("line 2, events.X.note.text: nothing can stand at {the website}"),
        "{unfilled:?}"
    );
    let due = problems("[events.X.task]\ntitle = \"t\"\ndue = \"soon\"\n");
    assert!(due[0].starts_with("line 3, events.X.task.due: expected how long after the event"), "{due:?}");
    let unknown = problems("[events.X.note]\ntexts = \"t\"\n");
    assert!(unknown[0].starts_with("line 2, events.X.note.texts: unknown field `texts`"), "{unknown:?}");
}

#[test]
fn how_long_a_task_may_take_is_read_in_four_units() {
    for (text, minutes) in [("30m", 30), ("2h", 120), (" 3d ", 4_320), ("1w", 10_080)] {
        let due = Due::try_from(text.to_owned()).unwrap();
        assert_eq!(due.after().as_secs(), minutes * 60, "{text}");
    }
    for text in ["", "h", "2", "2 hours", "-1h", "9999w", "1.5h"] {
        assert!(Due::try_from(text.to_owned()).is_err(), "{text}");
    }
}

fn told(file: &str, properties: &serde_json::Value) -> Vec<(HappeningKind, Vec<String>)> {
    let preset = Preset::parse(Some(file)).unwrap();
    let body = json!({"type": "track", "event": "X", "userId": "u", "properties": properties});
    let event = Event {
        position: Position(1),
        source: SourceName("website".into()),
        people: "default".into(),
        received_at: UnixMicros(0),
        stamp: Stamp::default(),
        kind: Kind::Track,
        backfill: false,
        body: body.as_object().unwrap().clone(),
    };
    let known = [("person.name".to_owned(), "Ann".to_owned())].into();
    let text = |says: &Says| match says {
        Says::Note { text } | Says::Activity { text, .. } | Says::Task { text, .. } => text.lines(&known),
        Says::More { .. } => Vec::new(),
    };
    preset.happenings_of(&event).iter().map(|told| (told.says.kind(), text(&told.says))).collect()
}

#[test]
fn a_text_takes_what_the_event_says_and_leaves_out_lines_that_say_nothing() {
    let file = r#"
[events.X.note]
text = """
Form {properties.form|of the site}
Seats: {properties.seats}, tags: {properties.tags}
Nothing: {properties.none} {properties.object}
By {properties.by|person.name|somebody}
"""
[events.X.task]
title = "Call"
due = "1h"
description = "{properties.by|person.company|nobody known}"
"#;
    let said = told(file, &json!({"seats": 5, "tags": ["a", 1, {"x": 2}], "object": {"a": 1}}));
    let note = ["Form of the site", "Seats: 5, tags: a, 1", "By Ann"].map(str::to_owned).to_vec();
    let task = vec!["nobody known".to_owned()];
    assert_eq!(said, [(HappeningKind::Note, note), (HappeningKind::Task, task)]);
    let said = told(file, &json!({"form": "pricing", "by": "Bob"}));
    assert_eq!(said[0].1, ["Form pricing", "By Bob"]);
    assert!(Lines::try_from(" \n ".to_owned()).unwrap().is_empty());
}
