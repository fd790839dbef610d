//! Tests of the mapping room.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::clock::UnixMicros;
use crate::delivery::Lane;
use crate::person::Said;

fn facts(said: &[(i64, &str, Value)]) -> Facts {
    let mut facts = Facts::default();
    for (at, path, value) in said {
        let values = BTreeMap::from([((*path).to_owned(), value.clone())]);
        let stamp = Stamp { at: UnixMicros(*at), message_id: format!("m{at}"), ..Stamp::default() };
        facts.learn(&Said { values, ..Said::default() }, &stamp);
    }
    facts
}

fn mapped(said: &[(i64, &str, Value)]) -> BTreeMap<String, Value> {
    let mapped = map(&facts(said), &Preset::parse(None).unwrap(), None);
    mapped.always.iter().map(|(name, said)| (name.clone(), said.value.clone())).collect()
}

fn with_preset(user: &str, said: &[(i64, &str, Value)]) -> Mapped {
    map(&facts(said), &Preset::parse(Some(user)).unwrap(), None)
}

#[test]
fn the_documented_person_becomes_the_documented_attributes() {
    let attributes = mapped(&[
        (1, "traits.name", json!("Jane Doe")),
        (1, "traits.phone", json!("+44 7700 900123")),
        (1, "traits.title", json!("Head of Ops")),
        (1, "traits.company.name", json!("Globex")),
        (1, "traits.address", json!({"city": "London", "street": "1 High St"})),
        (1, "traits.address.street", json!("1 High St")),
        (1, "traits.address.city", json!("London")),
        (1, "traits.address.country", json!("United Kingdom")),
    ]);
    let expected = json!({
        "address": "1 High St", "city": "London", "company_name": "Globex", "country": "United Kingdom",
        "first_name": "Jane", "job_title": "Head of Ops", "last_name": "Doe", "mobile_number": "+447700900123",
    });
    assert_eq!(json!(attributes), expected);
}

#[test]
fn the_newest_statement_wins_and_the_order_of_the_rule_breaks_ties() {
    let city = |said: &[(i64, &str, Value)]| mapped(said)["city"].clone();
    assert_eq!(city(&[(2, "properties.city", json!("Oslo")), (1, "traits.city", json!("Rome"))]), "Oslo");
    assert_eq!(city(&[(1, "properties.city", json!("Oslo")), (1, "traits.city", json!("Rome"))]), "Rome");
}

#[test]
fn a_national_phone_is_read_in_the_country_of_the_person() {
    let said = [(1, "traits.phone", json!("020 7946 0018")), (1, "traits.country", json!("GB"))];
    assert_eq!(mapped(&said)["mobile_number"], "+442079460018");
    let without = map(&facts(&said[..1]), &Preset::parse(None).unwrap(), None);
    assert_eq!(without.always.get("mobile_number"), None);
    assert_eq!(without.left_out.len(), 1);
    let by_default = map(&facts(&said[..1]), &Preset::parse(None).unwrap(), Region::from_text("GB"));
    assert_eq!(by_default.always.get("mobile_number").unwrap().value, "+442079460018");
}

#[test]
fn who_says_a_mobile_and_a_phone_means_the_mobile_by_mobile() {
    let numbers = |said: &[(i64, &str, Value)]| {
        let mut attributes = mapped(said);
        let mut take = |name: &str| {
            attributes.remove(name).and_then(|it| it.as_str().map(str::to_owned)).unwrap_or_default()
        };
        (take("mobile_number"), take("work_number"))
    };
    let (mobile, phone) =
        ((1, "traits.mobilePhone", json!("+14155550143")), (2, "traits.phone", json!("+14155550142")));
    let both = ("+14155550143".to_owned(), "+14155550142".to_owned());
    assert_eq!(numbers(&[mobile.clone(), phone.clone()]), both);
    assert_eq!(numbers(std::slice::from_ref(&phone)), ("+14155550142".to_owned(), String::new()));
    // A phone of old and a phone of now are one phone.
    let older = (1, "properties.telephone", json!("+14155550199"));
    assert_eq!(numbers(&[older, phone.clone()]), ("+14155550142".to_owned(), String::new()));
    let same = (2, "traits.phone", json!("+1 (415) 555-0143"));
    assert_eq!(numbers(&[mobile.clone(), same]), ("+14155550143".to_owned(), String::new()));
    let work = (1, "traits.work_phone", json!("+14155550100"));
    let said = [mobile, phone, work];
    assert_eq!(numbers(&said), ("+14155550143".to_owned(), "+14155550100".to_owned()));
    let lost = map(&facts(&said), &Preset::parse(None).unwrap(), None).left_out;
    let note = |attribute: &str, winner: &str| LeftOut {
        attribute: attribute.to_owned(),
        path: "traits.phone".to_owned(),
        why: format!("the number at {winner} took its place"),
    };
    assert_eq!(lost, [note("mobile_number", "traits.mobilePhone"), note("work_number", "traits.work_phone")]);
}

#[test]
fn every_usual_key_of_a_phone_is_read() {
    for key in "mobile mobile_number mobileNumber mobile_phone mobilePhone mobilephone phoneMobile phone_mobile cell cell_phone \
                cellPhone cellphone phone phone_number phoneNumber telephone tel"
        .split_whitespace()
    {
        for root in ["traits", "properties"] {
            let path: &str = &format!("{root}.{key}");
            assert_eq!(mapped(&[(1, path, json!("+14155550143"))])["mobile_number"], "+14155550143", "{path}");
        }
    }
    for key in "work_phone workPhone workphone work_number workNumber phone_work phoneWork business_phone businessPhone \
                office_phone officePhone"
        .split_whitespace()
    {
        let path: &str = &format!("traits.{key}");
        assert_eq!(mapped(&[(1, path, json!("+14155550143"))])["work_number"], "+14155550143", "{path}");
    }
}

#[test]
fn a_number_of_json_is_its_value_and_a_fraction_is_no_digit() {
    let number = |value: Value, country: &str| {
        let said = [(1, "traits.phone", value), (1, "traits.country", json!(country))];
        mapped(&said).remove("mobile_number").unwrap_or_default()
    };
    assert_eq!(number(json!(4_155_550_142_i64), "US"), "+14155550142");
    assert_eq!(number(json!(4_155_550_142.0), "US"), "+14155550142");
    assert_eq!(number(json!(3_012_345.0), "DE"), "+493012345");
    assert_eq!(number(json!(3_012_345.5), "DE"), Value::Null);
    assert_eq!(number(json!(["+14155550142"]), "DE"), "+14155550142");
    assert_eq!(number(json!("415 555 0142\n415 555 0143"), "US"), "+14155550142");
    assert_eq!(mapped(&[(1, "traits.zip", json!(90_210.0))])["zipcode"], "90210");
}

#[test]
fn a_text_is_sent_as_a_person_would_read_it() {
    let sent =
        |path: &str, text: &str| mapped(&[(1, path, json!(text))]).into_values().next().unwrap_or_default();
    assert_eq!(sent("traits.company", "Smith &amp; Sons"), "Smith & Sons");
    assert_eq!(sent("traits.company", "Smith\u{0} \u{200b}& Sons\u{fffd}"), "Smith & Sons");
    assert_eq!(sent("traits.company", "undefined"), Value::Null);
    assert_eq!(sent("traits.company", "N/A"), "N/A");
    assert_eq!(sent("traits.first_name", "Jane 🚀"), "Jane");
    assert_eq!(sent("traits.last_name", "-"), "-");
    assert_eq!(sent("traits.last_name", "Null"), "Null");
    assert_eq!(sent("traits.company", "क्षेत्र"), "क्षेत्र");
}

#[test]
fn one_word_is_a_first_name_and_a_comma_turns_a_name_round() {
    let one = mapped(&[(1, "traits.name", json!("Cher"))]);
    assert_eq!(json!(one), json!({"first_name": "Cher"}));
    let turned = mapped(&[(1, "traits.name", json!("van Doe, Jane"))]);
    assert_eq!(json!(turned), json!({"first_name": "Jane", "last_name": "van Doe"}));
}

#[test]
fn an_address_without_a_street_is_nothing_to_tell() {
    let facts = facts(&[(1, "traits.address", json!({"city": "Oslo"}))]);
    assert_eq!(map(&facts, &Preset::parse(None).unwrap(), None).left_out, []);
}

#[test]
fn a_first_name_of_two_words_and_a_last_name_of_one_stay_as_they_are() {
    let said = [(1, "traits.first_name", json!("Mary Jane")), (1, "traits.last_name", json!("Lee"))];
    assert_eq!(json!(mapped(&said)), json!({"first_name": "Mary Jane", "last_name": "Lee"}));
}

#[test]
fn long_text_is_cut_and_said_so() {
    let long = with_preset("", &[(1, "traits.city", json!("x".repeat(300)))]);
    assert_eq!(long.always.get("city").unwrap().value.as_str().unwrap().len(), 255);
    assert_eq!(long.left_out[0].why, "cut to 255 characters");
}

#[test]
fn a_users_file_adds_replaces_and_removes() {
    let user = r#"
        [events."Trial Started"]
        lane = "conversion"
        [events.page]
        send = false
        [fields.city]
        from = []
        [fields.lead_source_id]
        const = 7
        when = "create"
        [fields."custom_field.cf_plan"]
        from = ["traits.plan"]
        values = { pro = "Professional" }
        [fields."custom_field.cf_seats"]
        from = ["traits.seats"]
        convert = "integer"
    "#;
    let preset = Preset::parse(Some(user)).unwrap();
    assert_eq!(preset.event("trial_started").unwrap().lane, Lane::Conversion);
    assert_eq!(preset.event("page"), None);
    assert_eq!(preset.event("ORDER-completed").unwrap().lane, Lane::Conversion);
    let said = [
        (1, "traits.city", json!("Oslo")),
        (1, "traits.plan", json!("Pro")),
        (1, "traits.seats", json!("12")),
    ];
    let mapped = with_preset(user, &said);
    let always: Vec<_> =
        mapped.always.iter().map(|(name, said)| (name.as_str(), said.value.clone())).collect();
    assert_eq!(
        always,
        [("custom_field.cf_plan", json!("Professional")), ("custom_field.cf_seats", json!(12))]
    );
    assert_eq!(mapped.on_create.get("lead_source_id").unwrap().value, json!(7));
}

#[test]
fn every_problem_of_a_file_is_named() {
    let wrong = "[fields.City]\nfrom = [\"city\"]\nmax_chars = 0";
    let problems = Preset::parse(Some(wrong)).unwrap_err();
    assert_eq!(problems.len(), 3, "{problems:?}");
    let unknown = Preset::parse(Some("[fields.city]\nform = []")).unwrap_err();
    assert!(unknown[0].to_string().contains("line 2"), "{unknown:?}");
    for wrong in [
        "[fields.subscription_status]\nconst = 1",
        "[fields.lead_source_id]\nconst = \"Website\"",
        "[events.Upgraded]\nlane = \"new_contact\"",
        "[events.Upgraded.fields.city]\nfrom = [\"city\"]",
        "[events.Upgraded.fields.city]\nfrom = [\"traits.city\"]\nconst = \"Oslo\"",
        "[events.Upgraded.fields.city]\nconvert = \"text\"",
        "[events.Upgraded.fields.emails]\nfrom = [\"traits.email\"]",
        "[events.Upgraded.fields.owner_id]\nconst = \"Kim\"",
        "[fields.owner_id]\nfrom = [\"traits.owner\"]\nvalues = { kim = \"Kim\" }",
    ] {
        assert_eq!(Preset::parse(Some(wrong)).unwrap_err().len(), 1, "{wrong}");
    }
}

#[test]
fn what_can_not_be_read_hides_nothing_else_that_is_wrong() {
    let text = r#"
[event.Upgraded]
[events.Upgraded]
lane = "fast"
sent = true
[events."Demo Booked"]
lane = "withdrawal"
[events."Demo Booked".fields.city]
from = "traits.city"
const = "Oslo"
[events."Demo Booked".fields]
zipcode = "traits.zip"
[fields.city]
form = ["traits.city"]
max_chars = "many"
from = ["city"]
[fields.state]
from = [{ convert = "lower" }]
[fields]
country = ["traits.country"]
"#;
    let problems = Preset::parse(Some(text)).unwrap_err();
    let said: Vec<_> = problems.iter().map(ToString::to_string).collect();
    let expected = [
        "line 2, event: is not known; expected `events`, `fields`, `deals`, `counted` or `company`",
        "line 4, events.Upgraded.lane: unknown variant `fast`, expected one of `backfill`, `refresh`, `login`, \
         `conversion`, `new_contact`, `withdrawal`",
        "line 5, events.Upgraded.sent: unknown field `sent`, expected one of `lane`, `send`, `consent`, `fields`, `deal`, \
         `note`, `activity`, `task`, `lists`",
        "line 7, events.Demo Booked.lane: must be conversion, login, refresh or backfill",
        "line 9, events.Demo Booked.fields.city.from: a text: \"traits.city\", expected a list, such as [\"…\"]",
        "line 12, events.Demo Booked.fields.zipcode: must be a table of keys",
        "line 14, fields.city.form: unknown field `form`, expected one of `from`, `const`, `values`, `rules`, `convert`, \
         `when`, `pick`, `aggregate`, `of`, `max_chars`, `forward_only`",
        "line 15, fields.city.max_chars: a text: \"many\", expected a whole number of 0 or more",
        "line 16, fields.city.from: \"city\" must begin with traits., properties., context. or group. and name what is in it",
        "line 18, fields.state.from: expected a path, or { path = \"…\", convert = \"…\", fallback = true }",
        "line 20, fields.country: must be a table of keys",
    ];
    assert_eq!(said, expected);
    assert!(matches!(*Preset::parse(Some("[fields")).unwrap_err(), [MappingProblem::Unreadable(_)]));
}

#[test]
fn a_file_does_not_contradict_itself() {
    let text = r#"
[fields.emails]
from = []
[fields.lead_source_id]
const = 7
from = ["traits.x"]
[fields.city]
const = "Oslo"
[events."Order Completed"]
send = false
[events.order_completed]
lane = "login"
"#;
    let problems = Preset::parse(Some(text)).unwrap_err();
    let said: Vec<_> = problems.iter().map(ToString::to_string).collect();
    let expected = [
        "line 3, fields.emails.from: without a path to an email nobody becomes a contact",
        "line 5, fields.lead_source_id.const: takes the place of `from`, which stands beside it; leave one of them out",
        "line 11, events.order_completed: is the same event as \"Order Completed\": case, spaces, `_` and `-` make no \
         difference",
    ];
    assert_eq!(said, expected);
}

#[test]
fn a_problem_names_the_line_and_the_key() {
    let problems = |text: &str| {
        let problems = Preset::parse(Some(text)).unwrap_err();
        problems.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let text = "[events.page]\nsend = true\n\n[fields.city]\nmax_chars = 0\nfrom = [\"city\"]\n";
    assert_eq!(
        problems(text),
        [
            "line 5, fields.city.max_chars: must be at least 1",
            "line 6, fields.city.from: \"city\" must begin with traits., properties., context. or group. and name what is in it",
        ]
    );
    assert_eq!(
        problems("[events.\"Demo Booked\".fields]\nowner_id = { const = \"Kim\" }"),
        [
            "line 2, events.Demo Booked.fields.owner_id.const: must be a whole number: the id in your account, not its label"
        ]
    );
}

#[test]
fn a_full_name_is_taken_apart_as_its_bearer_would() {
    #[derive(serde::Deserialize)]
    struct Case {
        name: String,
        first: Option<String>,
        last: Option<String>,
    }
    let cases: Vec<Case> = serde_json::from_str(include_str!("../../tests/fixtures/names.json")).unwrap();
    for case in cases {
        let part = |convert: Convert| {
            let converted = convert.apply(&json!(case.name), None, 255).ok()?;
            converted.value.as_str().map(str::to_owned)
        };
        let parts = (part(Convert::FirstName), part(Convert::LastName));
        assert_eq!(parts, (case.first, case.last), "{}", case.name);
    }
}

#[test]
fn numbers_are_read_from_text_unless_it_can_be_read_in_two_ways() {
    let number = |text: &str| Convert::Number.apply(&json!(text), None, 255).ok().map(|done| done.value);
    for (text, value) in [
        ("42", json!(42)),
        ("-3.5", json!(-3.5)),
        ("$1,234.50", json!(1234.5)),
        ("1.234,50 €", json!(1234.5)),
        ("1 234,5", json!(1234.5)),
        ("1,234,567", json!(1_234_567)),
        ("0,5", json!(0.5)),
        ("1e3", json!(1000.0)),
    ] {
        assert_eq!(number(text), Some(value), "{text}");
    }
    for text in ["1,234", "1,2,3", "1.2.3", "1,23.4,5", "twelve", "", "NaN", "inf", "12 pcs", "1,,2"] {
        assert_eq!(number(text), None, "{text}");
    }
    assert_eq!(Convert::Integer.apply(&json!("1,234,567"), None, 255).unwrap().value, json!(1_234_567));
}

#[test]
fn the_first_statement_counts_where_the_rule_says_so() {
    let user = "[fields.\"custom_field.cf_campaign\"]\nfrom = [\"context.campaign.name\"]\npick = \"first\"";
    let preset = Preset::parse(Some(user)).unwrap();
    let mut facts = Facts::default();
    for (at, campaign) in [(3, "autumn"), (1, "spring"), (2, "summer")] {
        let path = "context.campaign.name".to_owned();
        let firsts = [path.clone()].into_iter().filter(|path| preset.keeps_first(path)).collect();
        let said = Said { values: BTreeMap::from([(path, json!(campaign))]), firsts, ..Said::default() };
        facts.learn(&said, &Stamp { at: UnixMicros(at), message_id: format!("m{at}"), ..Stamp::default() });
    }
    let mapped = map(&facts, &preset, None);
    assert_eq!(mapped.always.get("custom_field.cf_campaign").unwrap().value, json!("spring"));
}

#[test]
fn a_users_event_is_the_built_in_one_however_it_is_written() {
    let preset =
        Preset::parse(Some("[events.Page]\nsend = false\n[events.order_completed]\nlane = \"login\""))
            .unwrap();
    assert_eq!(preset.event("page"), None);
    assert_eq!(preset.event("Order Completed").unwrap().lane, Lane::Login);
}

#[test]
fn conversions_take_what_people_send() {
    let one = |convert: Convert, value: Value| convert.apply(&value, None, 255).map(|done| done.value);
    assert_eq!(one(Convert::Integer, json!(3.0)), Ok(json!(3)));
    assert_eq!(one(Convert::Integer, json!(" 42 ")), Ok(json!(42)));
    assert!(one(Convert::Integer, json!(3.5)).is_err());
    assert_eq!(one(Convert::Number, json!("3.5")), Ok(json!(3.5)));
    assert!(one(Convert::Number, json!("NaN")).is_err());
    assert_eq!(one(Convert::Boolean, json!("Yes")), Ok(json!(true)));
    assert_eq!(one(Convert::Date, json!("2030-01-31T23:00:00Z")), Ok(json!("2030-01-31")));
    assert_eq!(one(Convert::Date, json!("2030-01-31")), Ok(json!("2030-01-31")));
    assert!(one(Convert::Date, json!("31.1.2030")).is_err());
    assert_eq!(one(Convert::Date, json!(1_900_000_000)), Ok(json!("2030-03-17")));
    assert_eq!(one(Convert::Date, json!(1_900_000_000_000_i64)), Ok(json!("2030-03-17")));
    assert_eq!(one(Convert::Tags, json!("a, b,,")), Ok(json!(["a", "b"])));
    assert_eq!(one(Convert::Tags, json!(["a", 1])), Ok(json!(["a", "1"])));
    assert_eq!(one(Convert::Text, json!(" a \n b ")), Ok(json!("a b")));
    assert!(one(Convert::Text, json!({"a": 1})).is_err());
}
