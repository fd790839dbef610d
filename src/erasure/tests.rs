//! Which events an erasure recognises as the person's, in every form an address or an id is written in.

use std::collections::BTreeSet;

use super::*;
use crate::delivery::{Account, HappeningKind};
use crate::event::Stamp;
use crate::person::{Span, TimelineKey};

fn stamp(at: i64) -> Stamp {
    Stamp { at: UnixMicros(at), message_id: "m".to_owned(), ..Stamp::default() }
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

fn order(target: Target) -> ForgetOrder {
    ForgetOrder {
        id: ForgetId { erasure: 1, nth: 0 },
        account: Account("acme".to_owned()),
        target,
        behind: Some(DeliveryId("d1-0".to_owned())),
        may_exist: false,
        next_attempt_at: UnixMicros(0),
        failures: 0,
        misses: 0,
    }
}

fn open(after: AfterAnswer) -> ForgetOrder {
    match after {
        AfterAnswer::Open(order) => order,
        AfterAnswer::Ended(end) => panic!("it has ended: {end:?}"),
    }
}

fn jo() -> Target {
    Target::Address(Email::parse("jo@example.com").unwrap())
}

const MINUTE: i64 = 60_000_000;

#[test]
fn an_address_that_is_not_found_is_looked_up_again_ever_later_and_then_no_more() {
    let mut order = order(jo());
    let (mut now, mut waits) = (UnixMicros(0), Vec::new());
    let end = loop {
        match order.looked_up(Found::Nobody, now) {
            AfterAnswer::Open(next) => order = next,
            AfterAnswer::Ended(end) => break end,
        }
        waits.push((order.next_attempt_at.0 - now.0) / MINUTE);
        now = order.next_attempt_at;
    };
    assert_eq!((end, waits), (ForgetEnd::NotFound, vec![1, 5, 25]));
}

#[test]
fn an_id_takes_the_place_of_the_address_at_once() {
    let found = open(order(jo()).looked_up(Found::One(7), UnixMicros(5)));
    assert_eq!((found.address(), &found.target), (None, &Target::Contact(7, BTreeSet::new())));
    assert!(!serde_json::to_string(&found).unwrap().contains("jo@"));
    assert_eq!(found.told(true, UnixMicros(6)), AfterAnswer::Ended(ForgetEnd::Forgotten));
}

#[test]
fn where_it_is_not_clear_which_contact_it_is_none_is_forgotten() {
    assert_eq!(order(jo()).looked_up(Found::Several, UnixMicros(0)), AfterAnswer::Ended(ForgetEnd::Unclear));
    let mut unclear = order(jo());
    for _ in 0..3 {
        unclear = open(unclear.looked_up(Found::Unclear, UnixMicros(0)));
    }
    assert_eq!(unclear.looked_up(Found::Unclear, UnixMicros(0)), AfterAnswer::Ended(ForgetEnd::Unclear));
}

#[test]
fn a_call_without_an_answer_is_made_again_for_as_long_as_it_takes() {
    for target in [jo(), Target::Contact(7, BTreeSet::new()), Target::Told(HappeningKind::Note, 7)] {
        let mut order = order(target.clone());
        let mut minutes = Vec::new();
        for _ in 0..20 {
            order = open(match target {
                Target::Address(_) => order.looked_up(Found::NoAnswer, UnixMicros(0)),
                Target::Contact(..) | Target::Lead(..) | Target::Told(..) => order.told(false, UnixMicros(0)),
            });
            minutes.push(order.next_attempt_at.0 / MINUTE);
        }
        assert_eq!((&minutes[..4], minutes[19], order.misses), ([1, 2, 4, 8].as_slice(), 24 * 60, 0));
    }
}

#[test]
fn the_end_of_the_call_on_its_way_says_which_contact_it_is() {
    let lead = || Target::Lead(7, None);
    let known = || Target::Contact(7, BTreeSet::new());
    let target = |target: Target, end| open(order(target).after_call(end)).target;
    assert_eq!(target(lead(), CallEnd::Stored(Some(8))), lead());
    assert_eq!(target(jo(), CallEnd::Stored(Some(8))), Target::Contact(8, BTreeSet::new()));
    assert_eq!(target(jo(), CallEnd::Stored(None)), jo());
    assert_eq!(target(jo(), CallEnd::Unknown), jo());
    assert_eq!(target(known(), CallEnd::Stored(Some(7))), known());
    assert_eq!(target(known(), CallEnd::NotWritten), known());
    // Freshsales answered with another contact: both go, one after the other.
    let both = open(order(known()).after_call(CallEnd::Stored(Some(8))));
    assert_eq!(both.behind, None);
    let second = open(both.told(true, UnixMicros(0)));
    assert_eq!(second.target, Target::Contact(8, BTreeSet::new()));
    // What was never written is not looked for, unless an earlier call may have written it.
    assert_eq!(order(jo()).after_call(CallEnd::NotWritten), AfterAnswer::Ended(ForgetEnd::NotFound));
    let may_exist = ForgetOrder { may_exist: true, ..order(jo()) };
    assert_eq!(open(may_exist.after_call(CallEnd::NotWritten)).target, jo());
}

#[test]
fn an_address_is_recognised_however_it_is_written() {
    let emails = BTreeSet::from([Email::parse("jane@müller.example").unwrap()]);
    let extent = Extent { emails, ..Extent::default() };
    for raw in [
        r#"{"type":"identify","traits":{"email":"Jane@Müller.example"}}"#,
        r#"{"type":"identify","traits":{"email":"jane@xn--mller-kva.example"}}"#,
        r#"{"type":"identify","traits":{"email":"jane@m\u00fcller.example"}}"#,
        r#"{"type":"track","properties":{"note":"ask jane@müller.example"}}"#,
        r#"{"type":"track","properties":{"url":"https://shop.example/?e=jane%40müller.example"}}"#,
        r#"{"type":"identify","traits":{"email":"Jane M. &lt;jane@müller.example&gt;"}}"#,
        r#"{"type":"identify","traits":{"email":"jane＠müller.example"}}"#,
    ] {
        assert_eq!(extent.concern("default", &stamp(5), raw), Concern::NamesThem, "{raw}");
    }
    let other = r#"{"type":"identify","traits":{"email":"jane@möller.example"}}"#;
    assert_eq!(extent.concern("default", &stamp(5), other), Concern::Nothing);
}

#[test]
fn a_lead_that_is_gone_is_looked_up_as_the_contact_that_it_may_be_and_one_that_was_looked_up_is_not() {
    let email = Email::parse("jo@example.com").unwrap();
    let known = order(Target::Lead(7, Some(email.clone())));
    assert_eq!(known.address(), Some(&email), "it is needed once the lead is gone");
    let gone = open(known.clone().missing(UnixMicros(5)));
    assert_eq!((gone.target, gone.next_attempt_at), (jo(), UnixMicros(5)));
    assert_eq!(known.told(true, UnixMicros(0)), AfterAnswer::Ended(ForgetEnd::Forgotten));
    let found = open(order(jo()).looked_up(Found::Lead(7), UnixMicros(0)));
    assert_eq!(
        (found.address(), &found.target),
        (None, &Target::Lead(7, None)),
        "from here on the id is enough"
    );
    assert_eq!(found.missing(UnixMicros(0)), AfterAnswer::Ended(ForgetEnd::Forgotten));
    assert_eq!(
        order(Target::Contact(7, BTreeSet::new())).missing(UnixMicros(0)),
        AfterAnswer::Ended(ForgetEnd::Forgotten)
    );
}
