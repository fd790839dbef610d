//! What the log says about delivering. The CRM's own words stay out of it: they may repeat personal data.

use crate::clock::UnixMicros;
use crate::delivery::{CallKind, Delivery, State};
use crate::destination::{Destination, DestinationState, ObstacleKind};

/// A line of the log. Reasons of an outage and of a refusal of all calls are our own words and hold nothing but the status.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    /// Somebody has to do something.
    Error(String),
    /// Calls wait.
    Warn(String),
    /// Calls leave.
    Info(String),
}

/// How the destination stands now.
fn line(destination: &Destination) -> Line {
    let reason = destination.reason().unwrap_or_default();
    // Words that named somebody who was erased are gone.
    let or = |words: &str| if reason.is_empty() { words.to_owned() } else { reason.to_owned() };
    match (destination.state(), destination.obstacle.as_ref().map(|obstacle| &obstacle.kind)) {
        (DestinationState::Running, _) => Line::Info("Freshsales answers again".to_owned()),
        (DestinationState::Throttled, _) => {
            Line::Warn("calls paused: Freshsales says that the account is over its rate limit; they resume at `until`".to_owned())
        }
        (DestinationState::Blocked, Some(ObstacleKind::AccountRule { .. })) => Line::Error(
            "calls paused: Freshsales refuses every contact for the same reason, so a rule of the account is in the way; /api/status shows it"
                .to_owned(),
        ),
        (DestinationState::Blocked, Some(ObstacleKind::Blocked { account_answers: true, .. })) => {
            Line::Info("Freshsales accepts the API key; one contact is sent to see whether it may write".to_owned())
        }
        (DestinationState::Blocked, _) => Line::Error(format!(
            "calls paused: Freshsales refuses every call: {}",
            or("check the API key, its rights and the bundle alias")
        )),
        (DestinationState::Unreachable, _) => {
            Line::Warn(format!("calls paused: {}; one contact is tried at `until`", or("Freshsales takes none")))
        }
        (DestinationState::Paused, _) => Line::Warn("calls are paused by hand; POST /api/resume resumes them".to_owned()),
    }
}

/// How the destination stood when the service stopped. Nothing was called since, so whatever was wrong may be mended.
fn line_at_start(destination: &Destination) -> Option<Line> {
    match line(destination) {
        _ if destination.state() == DestinationState::Running => None,
        paused @ Line::Warn(_) if destination.state() == DestinationState::Paused => Some(paused),
        Line::Error(words) | Line::Warn(words) | Line::Info(words) => Some(Line::Info(format!(
            "when the service stopped last: {words}. It is checked again at `until`"
        ))),
    }
}

fn say(line: Line, destination: &Destination) {
    let until = destination.until().map(UnixMicros::to_rfc3339).unwrap_or_default();
    match line {
        Line::Error(words) => tracing::error!(until, "{words}"),
        Line::Warn(words) => tracing::warn!(until, "{words}"),
        Line::Info(words) => tracing::info!(until, "{words}"),
    }
}

/// Says how the destination was left by the process before.
pub(super) fn found(destination: &Destination) {
    if let Some(line) = line_at_start(destination) {
        say(line, destination);
    }
}

/// Says, loudly where somebody has to do something, how the destination stands where that has changed.
pub(super) fn change(before: &Destination, after: &Destination) {
    if (before.state(), before.until()) != (after.state(), after.until()) {
        say(line(after), after);
    }
    for (kind, shut) in after.shut.iter().filter(|(kind, _)| !before.shut.contains_key(kind)) {
        let (kind, until) = (kind.as_str(), shut.try_at.to_rfc3339());
        tracing::error!(
            kind,
            until,
            "calls of one kind are refused: the API key's user has no right to these records; they wait and others go on, \
             one is tried at `until`"
        );
    }
    for kind in before.shut.keys().filter(|kind| !after.shut.contains_key(kind)) {
        tracing::info!(kind = kind.as_str(), "Freshsales takes calls of this kind again");
    }
}

/// Says that a record was refused. Who and why stays out of the log: both are personal data.
pub(super) fn refusal(delivery: Option<&Delivery>) {
    if let Some(dead) = delivery.filter(|delivery| delivery.state == State::Dead) {
        match dead.subject.kind() {
            CallKind::Contact => {
                tracing::warn!(delivery = %dead.id, "Freshsales refused a contact; it is kept as a dead letter, /api/dead-letters shows why");
            }
            kind @ (CallKind::Company
            | CallKind::Deal
            | CallKind::Note
            | CallKind::Activity
            | CallKind::Task
            | CallKind::List
            | CallKind::Selector) => {
                tracing::warn!(delivery = %dead.id, kind = kind.as_str(), "Freshsales refused a record; it is kept as a dead letter, /api/dead-letters shows why");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::delivery::{BlockCause, DeliveryId, Stored, Verdict};
    use crate::destination::Ended;

    fn after(destination: &Destination, verdict: &Verdict, nth: usize) -> Destination {
        let delivery = DeliveryId(format!("d{nth}-0"));
        let retry_max = Duration::from_mins(5);
        let kind = CallKind::Contact;
        let ended =
            Ended { verdict, kind, delivery: &delivery, probe: true, refused_for_good: false, retry_max };
        destination.after(ended, UnixMicros(0))
    }

    fn passing(reason: &str) -> Verdict {
        Verdict::Passing { reason: reason.to_owned() }
    }

    #[test]
    fn an_outage_says_its_cause_and_what_it_is_now() {
        let trouble = passing("Freshsales is in trouble (503)");
        let mut destination = Destination::default();
        for nth in 0..5 {
            destination = after(&destination, &trouble, nth);
        }
        let waits = |why: &str| Line::Warn(format!("calls paused: {why}; one contact is tried at `until`"));
        assert_eq!(line(&destination), waits("Freshsales is in trouble (503)"));
        let gone = after(&destination, &passing("no connection: refused"), 9);
        assert_eq!(line(&gone), waits("no connection: refused"));
    }

    #[test]
    fn a_refused_key_says_the_status_and_a_restart_with_the_right_one_is_no_error() {
        let reason = "Freshsales refused the API key (401): it is wrong, or its user is disabled";
        let verdict = Verdict::Blocked { cause: BlockCause::Unauthorized, reason: reason.to_owned() };
        let blocked = after(&Destination::default(), &verdict, 1);
        assert_eq!(
            line(&blocked),
            Line::Error(format!("calls paused: Freshsales refuses every call: {reason}"))
        );
        // A new process: what it finds, the account that answers a question, a contact that is stored.
        let left = format!(
            "when the service stopped last: calls paused: Freshsales refuses every call: {reason}. It is checked again at `until`"
        );
        assert_eq!(line_at_start(&blocked), Some(Line::Info(left)));
        let stored = Verdict::Stored(Stored::default());
        let asked = blocked.after_question(&stored, Duration::from_mins(5), UnixMicros(1));
        assert!(matches!(line(&asked), Line::Info(_)), "{:?}", line(&asked));
        let running = after(&asked, &stored, 1);
        assert_eq!(line(&running), Line::Info("Freshsales answers again".to_owned()));
        assert_eq!(line_at_start(&running), None);
    }

    #[test]
    fn a_pause_is_told_at_the_start_as_what_it_is() {
        let mut paused = Destination::default();
        paused.pause(UnixMicros(0));
        assert_eq!(
            line_at_start(&paused),
            Some(Line::Warn("calls are paused by hand; POST /api/resume resumes them".to_owned()))
        );
    }
}
