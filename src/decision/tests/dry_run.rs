//! What a dry run prints.

use super::*;
use crate::event::EventLimits;
use crate::mapping::MappedField;

const LIMITS: EventLimits = EventLimits { event_bytes_max: 32_768 };

fn lines(events: &[&str]) -> Vec<Value> {
    let (mut run, settings) = (DryRun::default(), settings());
    let played = events.iter().map(|event| run.line(event.as_bytes(), &settings, LIMITS, UnixMicros(START)));
    played.map(|line| serde_json::to_value(line.unwrap()).unwrap()).collect()
}

#[test]
fn a_track_with_an_email_of_its_own_has_a_payload() {
    let played = lines(&[
        r#"{"type":"track","event":"Lead Generated","messageId":"m1","properties":{"email":"Jane@Example.com"}}"#,
    ]);
    assert_eq!(
        played,
        [json!({
            "message_id": "m1",
            "outcome": "queued",
            "reason": "Freshsales does not have the contact yet; a call is owed",
            "notes": [],
            "fields": [],
            "left_out": [],
            "payload": {
                "unique_identifier": {"emails": "jane@example.com"},
                "contact": {"emails": "jane@example.com"},
            },
        })]
    );
}

#[test]
fn people_are_remembered_from_line_to_line_and_what_was_sent_counts_as_accepted() {
    let played = lines(&[
        r#"{"type":"identify","userId":"u","traits":{"email":"sam@example.com","firstName":"Sam"}}"#,
        r#"{"type":"track","event":"Lead Generated","userId":"u"}"#,
        r#"{"type":"track","event":"Lead Generated","userId":"u"}"#,
        r#"{"type":"identify","userId":"u","traits":{"city":"Oslo"}}"#,
    ]);
    let outcomes: Vec<_> = played.iter().map(|line| line["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["person_updated", "queued", "unchanged", "queued"]);
    let ids: Vec<_> = played.iter().map(|line| line["message_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["line-1", "line-2", "line-3", "line-4"]);
    assert_eq!(played[0]["payload"], Value::Null);
    assert_eq!(played[1]["payload"]["contact"], json!({"emails": "sam@example.com", "first_name": "Sam"}));
    assert_eq!(played[3]["payload"]["contact"], json!({"emails": "sam@example.com", "city": "Oslo"}));
}

#[test]
fn the_later_of_ten_lines_wins_though_its_made_id_sorts_first() {
    let identify = |city: &str| {
        format!(r#"{{"type":"identify","userId":"u","traits":{{"email":"a@b.co","city":"{city}"}}}}"#)
    };
    let mut events: Vec<String> = (1..=10).map(|line| identify(&format!("City {line}"))).collect();
    events.push(r#"{"type":"track","event":"Signed Up","userId":"u"}"#.to_owned());
    let events: Vec<&str> = events.iter().map(String::as_str).collect();
    assert_eq!(lines(&events)[10]["payload"]["contact"]["city"], "City 10");
}

#[test]
fn what_ingest_would_refuse_is_rejected_with_its_reason() {
    let played = lines(&["{", r#"{"type":"page"}"#, "[]", r#"{"type":"page","anonymousId":"a"}"#]);
    let said: Vec<_> = played
        .iter()
        .map(|line| (line["message_id"].as_str().unwrap(), line["outcome"].as_str().unwrap()))
        .collect();
    assert_eq!(
        said,
        [("line-1", "rejected"), ("line-2", "rejected"), ("line-3", "rejected"), ("line-4", "no_email")]
    );
    assert_eq!(played[0]["reason"], "malformed_body: the line is not JSON: byte 1");
    assert_eq!(
        played[1]["reason"],
        "missing_identity: an event needs `userId`, `anonymousId` or an email in its traits or properties"
    );
    assert_eq!(played[2]["reason"], "not_an_object: an event must be a JSON object");
}

#[test]
fn a_line_that_comes_twice_is_a_duplicate() {
    let page = r#"{"type":"page","anonymousId":"a","messageId":"m"}"#;
    assert_eq!(lines(&[page, page])[1]["outcome"], "duplicate");
}

#[test]
fn an_invited_friend_is_a_contact_of_its_own() {
    let played = lines(&[
        r#"{"type":"identify","userId":"u","traits":{"email":"sam@example.com"}}"#,
        r#"{"type":"track","event":"Lead Generated","userId":"u","properties":{"email":"friend@example.com"}}"#,
    ]);
    assert_eq!(played[1]["payload"]["unique_identifier"]["emails"], "friend@example.com");
}

#[test]
fn of_several_people_with_an_address_each_attribute_says_once_where_its_value_came_from() {
    let mut settings = settings();
    let fixed = "[fields.lead_source_id]\nconst = 7\n[fields.\"custom_field.cf_site\"]\nconst = \"shop\"\nwhen = \"create\"";
    settings.preset = Preset::parse(Some(fixed)).unwrap();
    let mut run = DryRun::default();
    let mut play = |event: &str| {
        let line = run.line(event.as_bytes(), &settings, LIMITS, UnixMicros(START)).unwrap();
        let from = |field: &MappedField| format!("{} {}", field.attribute, field.path);
        (line.fields.iter().map(from).collect::<Vec<_>>(), line.payload)
    };
    play(
        r#"{"type":"identify","userId":"friend","traits":{"email":"friend@example.com","first_name":"Kim","city":"Oslo"}}"#,
    );
    let (fields, payload) = play(
        r#"{"type":"track","event":"Lead Generated","userId":"u","properties":{"email":"friend@example.com","first_name":"Kimmy"}}"#,
    );
    let expected = [
        "city traits.city",
        "custom_field.cf_site const",
        "first_name properties.first_name",
        "lead_source_id const",
    ];
    assert_eq!(fields, expected);
    assert_eq!(payload.unwrap()["contact"]["first_name"], "Kimmy");
}

#[test]
fn a_name_taken_from_the_address_says_by_which_key() {
    let mut settings = settings();
    settings.missing_names = MissingNames::FromEmail;
    let event =
        r#"{"type":"track","event":"Signed Up","userId":"u","properties":{"email":"sam.lee@example.com"}}"#;
    let line = DryRun::default().line(event.as_bytes(), &settings, LIMITS, UnixMicros(START)).unwrap();
    let field = |attribute: &str, value: &str| json!({"attribute": attribute, "path": "mapping.missing_names", "message_id": null, "value": value, "when": "create"});
    assert_eq!(json!(line.fields), json!([field("first_name", "Sam"), field("last_name", "Lee")]));
}

#[test]
fn each_attribute_says_where_it_came_from_and_what_was_left_out_says_why() {
    let played = lines(&[
        r#"{"type":"track","event":"Lead Generated","messageId":"m1","userId":"u","context":{"traits":{"email":"sam@example.com","name":"Sam"}},"properties":{"phone":"12","city":"Oslo"}}"#,
    ]);
    let field = |attribute: &str, path: &str, value: &str| json!({"attribute": attribute, "path": path, "message_id": "m1", "value": value, "when": "always"});
    assert_eq!(
        played[0]["fields"],
        json!([field("city", "properties.city", "Oslo"), field("first_name", "traits.name", "Sam")])
    );
    let left_out: Vec<_> = played[0]["left_out"].as_array().unwrap().iter().map(|out| &out["path"]).collect();
    assert_eq!(left_out, ["traits.name", "properties.phone"]);
}
