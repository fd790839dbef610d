//! Tests of what Freshsales says it has.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const PHONE: &str = "mobile_number";

fn standing(accepted: &[(&str, Value)]) -> Standing {
    let accepted = accepted.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Standing { accepted: Some(accepted), contact_id: Some(7), ..Standing::default() }
}

#[test]
fn values_are_compared_as_freshsales_would_store_them() {
    for (attribute, one, other, is_same) in [
        (PHONE, json!("+14155550142"), json!("+1 (415) 555-0142"), true),
        (PHONE, json!("+14155550142"), json!("0014155550142"), true),
        (PHONE, json!("+14155550142"), json!("+14155550143"), false),
        (PHONE, json!("+14155550142"), json!(14_155_550_142_u64), true),
        (PHONE, json!("none"), json!("unknown"), false),
        ("city", json!("Oslo"), json!(" Oslo "), true),
        ("city", json!("Oslo"), json!("oslo"), false),
        ("zipcode", json!("01234"), json!("1234"), false),
        ("custom_field.cf_seats", json!(5600), json!("5600.0"), true),
        ("custom_field.cf_seats", json!(5600), json!("many"), false),
        ("custom_field.cf_seats", json!("5"), json!("5.0"), false),
        ("custom_field.cf_vip", json!(true), json!("Yes"), true),
        ("custom_field.cf_vip", json!("false"), json!(true), false),
        ("custom_field.cf_list", json!(["a"]), json!(["b"]), false),
    ] {
        assert_eq!(same(attribute, &one, &other), is_same, "{attribute}: {one} and {other}");
        assert_eq!(same(attribute, &other, &one), is_same, "{attribute}: {other} and {one}");
    }
}

#[test]
fn what_freshsales_accepted_from_here_is_an_echo_and_what_it_says_beside_is_news_once() {
    let mut standing = standing(&[(PHONE, json!("+14155550142"))]);
    assert_eq!(standing.hear(PHONE, &json!("+1 415 555 0142"), UnixMicros(10)), Worth::Echo);
    assert!(!standing.hearing.has_news());
    assert_eq!(standing.hear(PHONE, &json!("+14155550199"), UnixMicros(20)), Worth::News);
    assert_eq!(standing.hear(PHONE, &json!("+14155550199"), UnixMicros(30)), Worth::Echo);
    assert_eq!(standing.baseline()[PHONE], "+14155550199");
    assert_eq!(standing.hear(PHONE, &json!("+14155550177"), UnixMicros(5)), Worth::Stale, "before the echo");
    assert_eq!(standing.hear(PHONE, &json!("+14155550177"), UnixMicros(25)), Worth::Stale);
    assert_eq!(standing.hear(PHONE, &json!("+14155550142"), UnixMicros(40)), Worth::Echo, "it is back");
    assert!(!standing.hearing.has_news());
}

#[test]
fn what_a_call_on_its_way_carries_is_an_echo_and_what_came_after_it_left_stays_heard() {
    let mut held = standing(&[("city", json!("Rome"))]);
    held.hear("city", &json!("Bern"), UnixMicros(10));
    let call = InFlight {
        delivery: DeliveryId("d1-0".into()),
        attempt: 1,
        sent: [("city".to_owned(), json!("Oslo"))].into(),
        whole: false,
        asks: false,
        renames: None,
        kept_back: Attributes::new(),
        exempt: None,
        left_at: Some(UnixMicros(20)),
    };
    held.leave(call);
    assert_eq!(held.hear("city", &json!("Oslo"), UnixMicros(21)), Worth::Echo);
    let mut corrected = held.clone();
    corrected.hear("city", &json!("Graz"), UnixMicros(22));
    let answer = Stored { id: Some(7), ..Stored::default() };
    held.stored(&answer, UnixMicros(30));
    assert_eq!((held.baseline()["city"].clone(), held.hearing.has_news()), (json!("Oslo"), false));
    assert_eq!(
        held.hear("city", &json!("Bern"), UnixMicros(15)),
        Worth::Stale,
        "the call has overwritten it"
    );
    corrected.stored(&answer, UnixMicros(30));
    assert_eq!(corrected.baseline()["city"], "Graz");
}

#[test]
fn of_custom_fields_that_go_whole_what_freshsales_has_is_repeated() {
    let mut standing = standing(&[
        ("custom_field.cf_a", json!(1)),
        ("custom_field.cf_b", json!(2)),
        ("city", json!("Rome")),
    ]);
    standing.hear("custom_field.cf_a", &json!("7"), UnixMicros(10));
    standing.hear("city", &json!("Bern"), UnixMicros(10));
    let wish = Wish {
        attributes: [
            ("custom_field.cf_a", json!(1)),
            ("custom_field.cf_b", json!(3)),
            ("city", json!("Rome")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into(),
        has_member: true,
        started: true,
        may_update: true,
        ..Wish::default()
    };
    let rules = Rules {
        send: SendMode::Changed,
        propagate_withdrawal: true,
        unsubscribed: json!("unsubscribed"),
        resend_before: None,
    };
    let Owed::Call(call) = owed(&wish, &standing, &rules) else { panic!("b has changed") };
    let sent: Vec<_> = call.attributes.into_iter().collect();
    assert_eq!(
        sent,
        [("custom_field.cf_a".to_owned(), json!(7)), ("custom_field.cf_b".to_owned(), json!(3))]
    );
}

/// What Freshsales says of one attribute, and when.
fn statements() -> impl Strategy<Value = Vec<(i64, &'static str)>> {
    let value = prop::sample::select(vec!["+1 1", "+1 2", "+12", "+1 3", "+10"]);
    prop::collection::vec((1_i64..9, value), 1..7)
}

proptest! {
    #[test]
    fn what_is_heard_is_the_same_for_every_order_and_every_repetition(
        statements in statements(),
        order in prop::collection::vec(any::<prop::sample::Index>(), 12),
    ) {
        let hear = |statements: &mut dyn Iterator<Item = &(i64, &'static str)>| {
            let mut standing = standing(&[(PHONE, json!("+10"))]);
            for (at, value) in statements {
                standing.hear(PHONE, &json!(value), UnixMicros(*at));
            }
            let heard = standing.hearing.of(PHONE).cloned();
            (standing.baseline(), heard, standing.theirs)
        };
        let once = hear(&mut statements.iter());
        let mut shuffled: Vec<_> = order.iter().map(|nth| nth.get(&statements)).collect();
        shuffled.extend(&statements);
        prop_assert_eq!(&hear(&mut shuffled.into_iter()), &once);
        prop_assert_eq!(hear(&mut statements.iter().rev()), once);
    }
}

#[test]
fn a_call_that_was_lost_leaves_standing_what_it_repeated_and_nothing_that_it_may_have_replaced() {
    let field = "custom_field.cf_size";
    let mut standing = standing(&[(PHONE, json!("+14155550142")), (field, json!("S"))]);
    standing.hear(PHONE, &json!("+14155550199"), UnixMicros(10));
    standing.hear(field, &json!("L"), UnixMicros(10));
    standing.hearing.may_be_overwritten(
        &[(PHONE.to_owned(), json!("+14155550177")), (field.to_owned(), json!("L"))].into(),
    );
    assert_eq!(standing.hearing.of(PHONE), None);
    assert_eq!(standing.hearing.of(field).unwrap().value, "L", "a field goes along with those beside it");
}
