//! Tests of the destination: what holds calls up, and how it gets out of that by itself.

use proptest::prelude::*;

use super::*;
use crate::delivery::{CallKind, Stored};

const RETRY_MAX: Duration = Duration::from_mins(5);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_failure_waits_between_half_and_whole_of_twice_as_long_each_time() {
    let wait = |failures, jitter| backoff(seconds(1), seconds(300), failures, jitter).as_millis();
    assert_eq!((wait(1, 0.0), wait(1, 1.0)), (500, 1000));
    assert_eq!((wait(4, 0.0), wait(4, 1.0)), (4000, 8000));
    assert_eq!(wait(40, 1.0), 300_000);
}

fn at(seconds: i64) -> UnixMicros {
    UnixMicros(seconds * 1_000_000)
}

fn id(nth: usize) -> DeliveryId {
    DeliveryId(format!("d{nth}-0"))
}

fn throttled(retry_after: RetryAfter) -> Verdict {
    Verdict::Throttled { retry_after, reason: "Too many requests".into() }
}

fn stored() -> Verdict {
    Verdict::Stored(Stored::default())
}

fn passing() -> Verdict {
    Verdict::Passing { reason: "no connection".into() }
}

fn blocked(cause: BlockCause) -> Verdict {
    Verdict::Blocked { cause, reason: "refused".into() }
}

fn refused(words: &str) -> Verdict {
    Verdict::Refused { reason: words.into(), attribute: None, demanded: false, again: false }
}

/// A destination and the time.
#[derive(Clone, Default)]
struct Line {
    destination: Destination,
    now: UnixMicros,
    kind: Option<CallKind>,
}

impl Line {
    /// The answer to a call that left now.
    fn answered(&mut self, verdict: &Verdict, nth: usize) -> &mut Self {
        let probe = self.destination.gate(self.now) == Gate::OneContact;
        self.ended(verdict, nth, probe)
    }

    /// The answer to a call that left while all was well.
    fn straggler(&mut self, verdict: &Verdict, nth: usize) -> &mut Self {
        self.ended(verdict, nth, false)
    }

    fn ended(&mut self, verdict: &Verdict, nth: usize, probe: bool) -> &mut Self {
        let ended = Ended {
            verdict,
            kind: self.kind.unwrap_or(CallKind::Contact),
            delivery: &id(nth),
            probe,
            refused_for_good: matches!(verdict, Verdict::Refused { .. }),
            retry_max: RETRY_MAX,
        };
        self.destination = self.destination.after(ended, self.now);
        self
    }

    fn asked(&mut self, verdict: &Verdict) {
        self.destination = self.destination.after_question(verdict, RETRY_MAX, self.now);
    }

    fn gate(&self) -> Gate {
        self.destination.gate(self.now)
    }

    fn state(&self) -> DestinationState {
        self.destination.state()
    }

    /// How long nothing leaves; lets that time pass.
    fn wait(&mut self) -> u64 {
        let Gate::Shut(Some(until)) = self.gate() else { return 0 };
        let waited = until.since(self.now).as_secs();
        self.now = until;
        waited
    }
}

#[test]
fn a_throttle_that_says_nothing_waits_a_minute_doubling_to_a_quarter_of_an_hour() {
    let mut line = Line::default();
    for minutes in [1, 2, 4, 8, 15, 15] {
        line.answered(&throttled(RetryAfter::Absent), 1);
        // Seven more calls were on their way when the first answer came.
        for nth in 2..9 {
            line.straggler(&throttled(RetryAfter::Absent), nth);
        }
        assert_eq!(line.state(), DestinationState::Throttled);
        assert_eq!(line.wait(), minutes * 60);
        assert_eq!(line.gate(), Gate::OneContact);
    }
    line.answered(&stored(), 1);
    assert_eq!(line.destination, Destination::default());
}

#[test]
fn the_longest_wait_that_was_asked_for_is_kept() {
    let mut line = Line::default();
    line.answered(&throttled(RetryAfter::For(seconds(240))), 1);
    line.now = at(1);
    line.straggler(&throttled(RetryAfter::For(seconds(5))), 2);
    assert_eq!(line.wait(), 239);
    let wait = |retry_after| Line::default().answered(&throttled(retry_after), 1).wait();
    assert_eq!(wait(RetryAfter::Absurd), 3600);
    assert_eq!(wait(RetryAfter::Until(at(9))), 9);
}

#[test]
fn a_success_that_left_before_the_throttle_does_not_end_it() {
    let mut line = Line::default();
    line.answered(&throttled(RetryAfter::For(seconds(240))), 1).straggler(&stored(), 2);
    line.straggler(&refused("no name"), 3);
    assert_eq!(line.wait(), 240);
}

#[test]
fn a_refused_key_is_probed_by_a_question_after_ten_seconds_doubling_to_a_quarter_of_an_hour() {
    let mut line = Line::default();
    line.answered(&blocked(BlockCause::Unauthorized), 1).straggler(&blocked(BlockCause::Unauthorized), 2);
    for wait in [10, 20, 40, 80, 160, 320, 640, 900, 900] {
        assert_eq!((line.state(), line.wait()), (DestinationState::Blocked, wait));
        assert_eq!(line.gate(), Gate::AskAccount);
        line.asked(&blocked(BlockCause::Unauthorized));
    }
    line.wait();
    line.asked(&stored());
    // The account answers: one contact tries, and only its answer unblocks.
    assert_eq!((line.gate(), line.state()), (Gate::OneContact, DestinationState::Blocked));
    line.answered(&passing(), 3);
    assert_eq!(line.state(), DestinationState::Blocked);
    line.wait();
    assert_eq!(line.gate(), Gate::OneContact);
    line.answered(&refused("no name"), 4);
    assert_eq!((line.gate(), line.state()), (Gate::Open, DestinationState::Running));
}

#[test]
fn a_key_that_may_not_edit_contacts_is_probed_by_contacts() {
    let mut line = Line::default();
    line.answered(&blocked(BlockCause::Forbidden), 1);
    assert_eq!(line.wait(), 10);
    assert_eq!(line.gate(), Gate::OneContact);
    line.answered(&blocked(BlockCause::Forbidden), 2);
    assert_eq!(line.destination.obstacle.as_ref().unwrap().tried, [id(2)]);
    assert_eq!(line.wait(), 20);
    line.answered(&stored(), 2);
    assert_eq!(line.gate(), Gate::Open);
}

#[test]
fn while_a_few_contacts_alone_failed_a_newcomer_tries_at_once_and_lengthens_no_wait() {
    let mut line = Line { now: at(100), ..Line::default() };
    for nth in [1, 2, 1, 2, 1] {
        line.answered(&passing(), nth);
    }
    for (nth, wait) in [(1, 1), (2, 2), (1, 4)] {
        assert_eq!(line.wait(), wait);
        line.answered(&passing(), nth);
    }
    assert_eq!(line.destination.lets_newcomers_try(), Some(at(100)));
    let Gate::Shut(Some(until)) = line.gate() else { panic!("{:?}", line.gate()) };
    // Three more in vain, and nobody is answered.
    for nth in 3..6 {
        line.destination.newcomer_tries(line.now);
        assert_eq!(line.gate(), Gate::OneContact);
        line.answered(&passing(), nth);
        assert_eq!(line.gate(), Gate::Shut(Some(until)), "its own probe is as near as before");
    }
    assert_eq!(line.destination.lets_newcomers_try(), None);
    line.destination.newcomer_tries(line.now);
    assert_eq!(line.gate(), Gate::Shut(Some(until)));
}

#[test]
fn no_newcomer_shortens_a_throttle_or_a_pause() {
    let mut line = Line::default();
    for nth in [1, 2, 1, 2, 1] {
        line.answered(&passing(), nth);
    }
    line.straggler(&throttled(RetryAfter::For(seconds(240))), 3);
    assert_eq!(line.destination.lets_newcomers_try(), None);
    line.destination.throttle = None;
    line.destination.pause(line.now);
    assert_eq!(line.destination.lets_newcomers_try(), None);
}

#[test]
fn five_failures_in_a_row_of_two_contacts_open_the_breaker_and_one_answer_closes_it() {
    let mut line = Line::default();
    for _ in 0..9 {
        line.answered(&passing(), 1);
    }
    assert_eq!(line.gate(), Gate::Open);
    line.answered(&passing(), 2);
    assert_eq!(line.state(), DestinationState::Unreachable);
    for wait in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
        assert_eq!(line.wait(), wait);
        assert_eq!(line.gate(), Gate::OneContact);
        line.answered(&passing(), 3);
    }
    line.wait();
    line.answered(&stored(), 3);
    assert_eq!(line.destination, Destination::default());
    for (nth, verdict) in [passing(), passing(), passing(), passing(), stored(), passing()].iter().enumerate()
    {
        line.answered(verdict, nth);
    }
    assert_eq!(line.gate(), Gate::Open);
}

#[test]
fn ten_contacts_refused_with_the_same_words_are_refused_by_a_rule_of_the_account() {
    let mut line = Line::default();
    for nth in 0..9 {
        line.answered(&refused("Company can't be blank"), nth);
    }
    line.answered(&refused("Company can't be blank"), 8);
    assert_eq!(line.state(), DestinationState::Running);
    line.answered(&refused("Company can't be blank"), 9);
    assert_eq!(line.state(), DestinationState::Blocked);
    assert_eq!(line.destination.reason(), Some("Company can't be blank"));
    for wait in [10, 20] {
        assert_eq!(line.wait(), wait);
        assert_eq!(line.gate(), Gate::OneContact);
        line.answered(&refused("Company can't be blank"), 10);
    }
    line.wait();
    line.answered(&stored(), 11);
    assert_eq!(line.gate(), Gate::Open);
    assert_eq!(line.destination.redrive, (0..11).map(id).collect::<Vec<_>>());
    // Words that some contacts pass with are no rule: it takes twice as many until they hold up the others again.
    for nth in 20..39 {
        line.answered(&refused("Company can't be blank"), nth);
    }
    assert_eq!(line.state(), DestinationState::Running);
    line.answered(&refused("Company can't be blank"), 39);
    assert_eq!(line.state(), DestinationState::Blocked);
}

#[test]
fn a_pause_by_hand_changes_nothing_else() {
    let mut line = Line::default();
    line.answered(&blocked(BlockCause::Unauthorized), 1);
    let before = line.destination.clone();
    line.destination.pause(at(1));
    line.destination.pause(at(2));
    assert_eq!((line.state(), line.destination.paused_since), (DestinationState::Paused, Some(at(1))));
    assert_eq!(line.destination.gate(at(1_000)), Gate::Shut(None));
    line.destination.resume(at(3));
    assert_eq!(line.state(), DestinationState::Blocked);
    // The next probe is due at once.
    assert_eq!(line.destination.gate(at(3)), Gate::AskAccount);
    line.destination.obstacle = before.obstacle.clone();
    assert_eq!(line.destination, before);
}

#[test]
fn a_probe_by_hand_that_fails_lengthens_no_wait() {
    let mut line = Line::default();
    line.answered(&blocked(BlockCause::Forbidden), 1);
    let before = line.destination.obstacle.clone().unwrap();
    for second in 1..6 {
        line.destination.resume(at(second));
        line.destination.resume(at(second));
        assert_eq!(line.destination.gate(at(second)), Gate::OneContact);
        line.now = at(second);
        line.ended(&blocked(BlockCause::Forbidden), 2, true);
        let now = line.destination.obstacle.clone().unwrap();
        assert_eq!((now.probe_at, now.probes, now.by_itself_at), (before.probe_at, before.probes, None));
    }
    // Answered after the next would have left by itself: the wait is as long as that one was.
    line.destination.resume(at(9));
    line.now = at(20);
    line.ended(&blocked(BlockCause::Forbidden), 2, true);
    let now = line.destination.obstacle.clone().unwrap();
    assert_eq!((now.probe_at, now.probes), (at(30), before.probes));
    // By itself it waits twice as long.
    line.now = at(30);
    line.ended(&blocked(BlockCause::Forbidden), 2, true);
    assert_eq!(line.destination.obstacle.clone().unwrap().probe_at, at(50));
}

#[test]
fn resuming_never_shortens_what_the_crm_asked_for() {
    let mut line = Line::default();
    line.answered(&throttled(RetryAfter::For(seconds(240))), 1);
    line.destination.pause(at(1));
    line.destination.resume(at(2));
    assert_eq!(line.destination.gate(at(2)), Gate::Shut(Some(at(240))));
}

fn any_verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        Just(stored()),
        Just(passing()),
        Just(refused("a rule")),
        Just(refused("another")),
        Just(blocked(BlockCause::Unauthorized)),
        Just(blocked(BlockCause::Forbidden)),
        Just(blocked(BlockCause::NoSuchAccount)),
        (0_u64..4_000).prop_map(|wait| throttled(RetryAfter::For(seconds(wait)))),
        Just(throttled(RetryAfter::Absent)),
        Just(throttled(RetryAfter::Absurd)),
    ]
}

proptest! {
    #[test]
    fn whatever_was_answered_the_destination_gets_out_by_itself(
        answers in prop::collection::vec((any_verdict(), 0_usize..14, any::<bool>(), 0_i64..100), 0..120),
    ) {
        let mut line = Line::default();
        for (verdict, nth, straggles, pause) in answers {
            line.now = line.now.plus(seconds(pause.unsigned_abs()));
            match line.gate() {
                Gate::AskAccount if !straggles => line.asked(&verdict),
                Gate::Shut(_) => { line.straggler(&verdict, nth); }
                _ if straggles => { line.straggler(&verdict, nth); }
                _ => { line.answered(&verdict, nth); }
            }
            if let Gate::Shut(until) = line.gate() {
                // An hour is the longest wait that anybody but the CRM asks for.
                prop_assert!(until.unwrap().since(line.now) <= seconds(4_000));
            }
        }
        // From now on the CRM is well: a question, a contact, and calls go on.
        for _ in 0..3 {
            line.wait();
            match line.gate() {
                Gate::AskAccount => line.asked(&stored()),
                Gate::OneContact | Gate::Open | Gate::Shut(_) => { line.answered(&stored(), 99); }
            }
        }
        prop_assert_eq!(line.gate(), Gate::Open);
        prop_assert_eq!(line.state(), DestinationState::Running);
    }

    #[test]
    fn no_order_and_no_answer_shortens_a_wait_that_was_asked_for(
        wait in 1_u64..5_000,
        then in prop::collection::vec((any_verdict(), 0_usize..9, 0_u64..50), 0..40),
    ) {
        let mut line = Line::default();
        line.answered(&throttled(RetryAfter::For(seconds(wait))), 0);
        let until = line.now.plus(seconds(wait));
        for (verdict, nth, pause) in then {
            let later = line.now.plus(seconds(pause));
            if later >= until {
                break;
            }
            line.now = later;
            line.straggler(&verdict, nth);
            line.destination.resume(line.now);
            prop_assert!(matches!(line.gate(), Gate::Shut(Some(shut)) if shut >= until));
        }
    }
}

#[test]
fn an_order_that_leaves_alone_shows_that_calls_are_answered_and_nothing_of_keys() {
    let after = |before: &[Verdict], verdict: &Verdict, probe: bool| {
        let mut line = Line::default();
        for (nth, verdict) in before.iter().enumerate() {
            line.answered(verdict, nth);
        }
        line.wait();
        line.destination.after_order(verdict, probe, line.now).state()
    };
    let away = vec![passing(); 5];
    let wait = [throttled(RetryAfter::Absent)];
    let key = [blocked(BlockCause::Unauthorized)];
    for (before, verdict, probe, state) in [
        (wait.as_slice(), stored(), true, DestinationState::Running),
        (&wait, stored(), false, DestinationState::Throttled),
        (&wait, passing(), true, DestinationState::Throttled),
        (&away, refused("no"), true, DestinationState::Running),
        (&away, passing(), true, DestinationState::Unreachable),
        (&key, stored(), true, DestinationState::Blocked),
        (&[], throttled(RetryAfter::Absent), false, DestinationState::Throttled),
    ] {
        assert_eq!(after(before, &verdict, probe), state, "{before:?} {verdict:?} {probe}");
    }
}

fn shut() -> Verdict {
    Verdict::Shut { reason: "the user of the API key may not read and edit deals (403)".into() }
}

fn gone() -> Verdict {
    Verdict::Gone { reason: "Freshsales has no such deal any more (404)".into() }
}

/// Calls of deals.
fn of_deals() -> Line {
    Line { kind: Some(CallKind::Deal), ..Line::default() }
}

#[test]
fn a_kind_that_is_forbidden_waits_and_everything_else_goes_on() {
    let mut line = of_deals();
    line.answered(&shut(), 1);
    assert_eq!((line.gate(), line.state()), (Gate::Open, DestinationState::Running));
    assert_eq!(line.destination.shut_kinds(line.now), [CallKind::Deal]);
    let try_at = line.now.plus(SHUT_TRIED_EVERY);
    assert_eq!(line.destination.shut_until(line.now), Some(try_at));
    // What contacts are answered says nothing of deals.
    line.kind = None;
    line.answered(&stored(), 2);
    assert_eq!(line.destination.shut_kinds(line.now), [CallKind::Deal]);
    assert!(line.destination.shut_kinds(try_at).is_empty());
}

#[test]
fn of_a_kind_that_is_shut_one_call_tries_every_quarter_of_an_hour_until_one_is_answered() {
    for answer in [stored(), refused("Amount is invalid"), gone()] {
        let mut line = of_deals();
        line.answered(&shut(), 1);
        let since = line.now;
        line.now = since.plus(SHUT_TRIED_EVERY);
        assert!(line.destination.leaves(CallKind::Deal, line.now));
        assert_eq!(line.destination.shut_kinds(line.now), [CallKind::Deal], "one is on its way");
        line.answered(&shut(), 2);
        assert_eq!(line.destination.shut[&CallKind::Deal].since, since);
        // Whatever else becomes of it, the next is not sooner.
        line.now = line.now.plus(SHUT_TRIED_EVERY);
        line.destination.leaves(CallKind::Deal, line.now);
        line.answered(&passing(), 3);
        assert_eq!(line.destination.shut_kinds(line.now), [CallKind::Deal]);
        line.destination.resume(line.now);
        assert!(line.destination.shut_kinds(line.now).is_empty());
        line.answered(&answer, 4);
        assert!(line.destination.shut.is_empty());
        assert!(!line.destination.leaves(CallKind::Deal, line.now));
    }
}

#[test]
fn deals_refused_in_a_row_hold_up_no_contact() {
    let mut line = of_deals();
    for nth in 0..100 {
        line.answered(&refused("Deal stage is invalid"), nth);
    }
    assert_eq!((line.gate(), line.state()), (Gate::Open, DestinationState::Running));
}

#[test]
fn the_answer_to_a_deal_shows_that_freshsales_answers_again() {
    for answer in [stored(), refused("Amount is invalid"), gone(), shut()] {
        let mut line = of_deals();
        for nth in 0..5 {
            line.answered(&passing(), nth);
        }
        assert_eq!(line.state(), DestinationState::Unreachable);
        line.wait();
        line.answered(&answer, 9);
        assert_eq!((line.gate(), line.state()), (Gate::Open, DestinationState::Running));
    }
}

#[test]
fn whatever_refuses_contacts_is_probed_by_contacts_first() {
    let mut line = Line::default();
    assert!(!line.destination.is_probed_by_contacts());
    line.answered(&blocked(BlockCause::Forbidden), 1);
    assert!(line.destination.is_probed_by_contacts());
    line.wait();
    line.kind = Some(CallKind::Deal);
    line.straggler(&stored(), 2);
    assert_eq!(line.state(), DestinationState::Blocked, "it left before");
    line.answered(&stored(), 3);
    assert_eq!(line.state(), DestinationState::Running, "no contact was owed a call");
}
