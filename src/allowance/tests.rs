//! Tests of the allowance: what the ledger grants, and how the limit adapts.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_slot_is_free_again_a_minute_after_its_answer() {
    let mut ledger = Ledger::restored(AllowanceLimits { per_hour: 10, per_minute: 1 }, [], seconds(0), 1);
    let slot = ledger.take(seconds(0), 100).unwrap();
    assert_eq!(ledger.take(seconds(50), 100), None);
    ledger.answer(slot, seconds(55));
    assert_eq!(ledger.take(seconds(114), 100), None);
    assert_eq!(ledger.free_at(seconds(114), 100), Some(seconds(115)));
    assert_eq!(ledger.take(seconds(115), 100), Some(SlotId(2)));
}

#[test]
fn a_share_leaves_the_rest_to_others() {
    let mut ledger = Ledger::restored(AllowanceLimits { per_hour: 10, per_minute: 400 }, [], seconds(0), 1);
    for _ in 0..6 {
        assert!(ledger.take(seconds(0), 60).is_some());
    }
    assert!(ledger.take(seconds(0), 60).is_none());
    assert!(ledger.take(seconds(0), 100).is_some());
}

#[test]
fn a_restart_grants_nothing() {
    let limits = AllowanceLimits { per_hour: 2, per_minute: 2 };
    let mut ledger = Ledger::restored(limits, [seconds(3000), seconds(10)], seconds(5), 9);
    assert_eq!(ledger.take(seconds(5), 100), None);
    assert_eq!(ledger.free_at(seconds(5), 100), Some(seconds(605)));
    assert_eq!(ledger.take(seconds(605), 100), Some(SlotId(9)));
}

fn ledger_of(per_hour: u32, per_minute: u32) -> Ledger {
    Ledger::restored(AllowanceLimits { per_hour, per_minute }, [], seconds(0), 1)
}

fn limits(ledger: &mut Ledger, now: u64) -> (u32, u32) {
    let usage = ledger.usage(seconds(now));
    (usage.hour.limit, usage.minute.limit)
}

#[test]
fn a_throttle_lowers_the_limit_to_what_was_used_and_it_comes_back_bit_by_bit() {
    let mut ledger = ledger_of(1_000, 400);
    for _ in 0..300 {
        ledger.take(seconds(0), 100);
    }
    ledger.throttled(Some(seconds(600)), seconds(0));
    assert_eq!(limits(&mut ledger, 0), (270, 400));
    assert_eq!(limits(&mut ledger, 360), (370, 400));
    assert_eq!(limits(&mut ledger, 2_628), (1_000, 400));
    assert_eq!(limits(&mut ledger, 9_999), (1_000, 400));
}

#[test]
fn a_throttle_of_a_minute_lowers_the_minute() {
    let mut ledger = ledger_of(1_000, 400);
    ledger.throttled(Some(seconds(30)), seconds(0));
    // Others used it all: something is always left for us.
    assert_eq!(limits(&mut ledger, 0), (1_000, 40));
    assert_eq!(limits(&mut ledger, 600), (1_000, 400));
}

#[test]
fn what_answers_say_is_left_counts() {
    let mut ledger = ledger_of(900, 360);
    for _ in 0..100 {
        ledger.take(seconds(0), 100);
    }
    let told = |limit, remaining| RateHint { limit, remaining, reset: None };
    ledger.told(told(Some(1_000), Some(300)), seconds(0));
    assert_eq!(limits(&mut ledger, 0), (400, 360));
    ledger.told(told(Some(1_000), Some(850)), seconds(0));
    assert_eq!(limits(&mut ledger, 0), (900, 360));
    ledger.told(told(Some(300), Some(120)), seconds(0));
    assert_eq!(limits(&mut ledger, 0), (900, 220));
    ledger.told(told(None, None), seconds(0));
    assert_eq!(limits(&mut ledger, 0), (900, 220));
}

proptest! {
    #[test]
    fn whatever_the_account_says_no_more_is_used_than_configured_and_it_comes_back(
        steps in prop::collection::vec(
            (0_u64..600, prop::option::of(0_u64..4_000), prop::option::of(0_u32..3_000), prop::option::of(0_u32..2_000)),
            1..60,
        ),
        share_percent in 1_u32..=100,
    ) {
        let mut ledger = ledger_of(50, 20);
        let mut now = 0;
        for (pause, throttle, limit, remaining) in steps {
            now += pause;
            if let Some(slot) = ledger.take(seconds(now), share_percent) {
                ledger.answer(slot, seconds(now));
            }
            ledger.told(RateHint { limit, remaining, reset: None }, seconds(now));
            if throttle.is_some() {
                ledger.throttled(throttle.map(seconds), seconds(now));
            }
            let (hour, minute) = limits(&mut ledger, now);
            prop_assert!((5..=50).contains(&hour) && (2..=20).contains(&minute));
            if let Some(free) = ledger.free_at(seconds(now), share_percent) {
                prop_assert!(ledger.clone().take(free, share_percent).is_some());
            }
        }
        prop_assert_eq!(limits(&mut ledger, now + 3_600), (50, 20));
    }

    #[test]
    fn no_window_ever_holds_more_calls_than_its_limit(
        steps in prop::collection::vec((0_u64..900, 0_u64..30), 1..200),
        per_hour in 1_u32..12,
        per_minute in 1_u32..4,
    ) {
        let mut ledger = Ledger::restored(AllowanceLimits { per_hour, per_minute }, [], seconds(0), 1);
        let mut now = seconds(0);
        let mut calls: Vec<(Duration, Duration)> = Vec::new();
        for (pause, duration) in steps {
            now += seconds(pause);
            if let Some(slot) = ledger.take(now, 100) {
                let left = now;
                now += seconds(duration);
                ledger.answer(slot, now);
                calls.push((left, now));
            } else if let Some(free) = ledger.free_at(now, 100) {
                prop_assert!(free > now);
                prop_assert!(ledger.clone().take(free, 100).is_some());
            }
        }
        for (window, limit) in [(HOUR, per_hour), (MINUTE, per_minute)] {
            for (_, answered) in &calls {
                // The CRM may count a call anywhere between its leaving and its answer.
                let inside = calls.iter().filter(|(_, other)| other >= answered && *other < *answered + window);
                prop_assert!(inside.count() <= limit as usize);
            }
        }
    }
}
