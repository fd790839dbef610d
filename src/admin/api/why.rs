//! Why a contact waits, or why nothing is owed to it, in words.
//!
//! Says what the delivery, the destination and the allowance tell; must not guess at more.

use crate::allowance::{Quota, Usage, Window};
use crate::clock::UnixMicros;
use crate::contact::{Owed, Standing, WhyNothing};
use crate::decision::excluded_by;
use crate::delivery::{Bound, Delivery, Lane, State};
use crate::destination::{Destination, DestinationState};
use crate::freshsales::Mode;

/// What bears on when the next call of a contact leaves.
#[derive(Clone, Copy)]
pub(in crate::admin) struct Circumstances<'a> {
    /// How the contact stands with the account.
    pub standing: &'a Standing,
    /// Its delivery that is waiting, retrying or dead.
    pub open: Option<&'a Delivery>,
    /// How the destination stands.
    pub destination: &'a Destination,
    /// How much of the allowance is used.
    pub usage: Usage,
    /// Up to how much of it the lane of its delivery may use.
    pub share_percent: u32,
    /// About when the bulk call that carries it has ended, at the latest, where one does.
    pub bulk_ends_by: Option<UnixMicros>,
    /// Somebody with this address was erased, and Freshsales is still to forget them.
    pub forgetting: bool,
    /// The quota that its first call counts for.
    pub quota: Option<Quota>,
    /// Whether calls are made at all.
    pub mode: Mode,
    /// The present.
    pub now: UnixMicros,
}

/// Why it is as it is.
pub(in crate::admin) fn why(owed: &Owed, circumstances: Circumstances<'_>) -> String {
    match owed {
        Owed::Nothing(why) => why_nothing(why, circumstances),
        Owed::Call(_) => why_waiting(circumstances),
    }
}

fn why_nothing(why: &WhyNothing, circumstances: Circumstances<'_>) -> String {
    match why {
        WhyNothing::NoPerson => "no person uses this address any more".to_owned(),
        WhyNothing::NotStarted => "no mapped event happened near enough to when the contact was complete \
                                   (mapping.complete_within_hours)"
            .to_owned(),
        WhyNothing::GateShut(why) => why.clone(),
        WhyNothing::Excluded(pattern) => excluded_by(pattern),
        WhyNothing::Unchanged if circumstances.standing.in_flight.is_some() => {
            "the call in flight carries it".to_owned()
        }
        WhyNothing::Unchanged => match circumstances.mode {
            Mode::Live => "Freshsales has it as wanted".to_owned(),
            Mode::DryRun => "a dry run: Freshsales would have it as wanted, but nothing was sent".to_owned(),
        },
        WhyNothing::Refused => {
            let reason = circumstances.open.and_then(|dead| dead.reason.as_deref());
            let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("Freshsales refused exactly this{reason}; it is tried again when the contact changes")
        }
    }
}

fn why_waiting(circumstances: Circumstances<'_>) -> String {
    if circumstances.standing.in_flight.is_some() {
        return under_way(circumstances);
    }
    let Some(delivery) = circumstances.open else {
        return "nothing queued yet: the settings changed. The running review, or this contact's next event, will queue it"
            .to_owned();
    };
    if let Some(held) = destination_holds(circumstances.destination, circumstances.now) {
        return held;
    }
    if circumstances.forgetting {
        return "waiting for Freshsales to delete an erased person with this address; newer data is sent afterwards"
            .to_owned();
    }
    let reason = delivery.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let later = delivery.next_attempt_at > circumstances.now;
    let at = delivery.next_attempt_at.to_rfc3339();
    if let Some(waits) = quota_holds(delivery, circumstances.quota) {
        return waits;
    }
    match delivery.state {
        State::Waiting if later => format!("held until {at} for more changes (delivery.hold_seconds)"),
        State::Retrying if later => format!("retrying at {at}{reason}"),
        State::Waiting | State::InFlight | State::Retrying => {
            let waits = waiting_for_its_turn(circumstances.usage, circumstances.share_percent);
            if circumstances.standing.lead.is_some() && circumstances.standing.doubted_at.is_some() {
                format!("Freshsales is asked first whether the lead has become a contact; {waits}")
            } else if circumstances.standing.doubted_at.is_some() {
                format!(
                    "a message that is not believed by itself said that it changed in Freshsales (hooks.*.verify), so it is read \
                     there first; {waits}"
                )
            } else {
                waits
            }
        }
        State::Dead => format!("refused{reason}; it is tried again with the next event of the contact"),
        State::Delivered | State::Superseded | State::Discarded | State::Erased => {
            "its delivery has ended; the next event of the contact queues another".to_owned()
        }
    }
}

/// What is written now might be written over by what left before.
fn under_way(circumstances: Circumstances<'_>) -> String {
    let withdrawal = circumstances.open.is_some_and(|open| open.lane == Lane::Withdrawal);
    let what = if withdrawal { "the withdrawal" } else { "the rest" };
    match circumstances.bulk_ends_by {
        Some(by) => format!(
            "a bulk call carries this contact, and its job has not reported yet; {what} is sent once it has, at about {} \
             at the latest",
            by.to_rfc3339()
        ),
        None => format!("a call of this contact is in flight; {what} is sent once it is answered"),
    }
}

/// A first call waits while its source has made as many as it may.
fn quota_holds(delivery: &Delivery, quota: Option<Quota>) -> Option<String> {
    let Quota { limit, until, .. } = quota.filter(|_| delivery.state == State::Waiting)?;
    let until = until?.to_rfc3339();
    Some(match delivery.bound.as_ref()? {
        Bound::NewContacts(_) => format!(
            "its source has reached its limit of {limit} new contacts an hour; the next may be sent at {until}"
        ),
        Bound::Withdrawals(source) => format!(
            "a visitor who named the address refused marketing, and {source} has reached its limit of {limit} such \
             refusals an hour (sources.{source}.withdrawals_per_hour_max); the next may be sent at {until}. Everything \
             else of the contact is sent as ever, and a refusal that a server says goes at once",
            source = source.0
        ),
    })
}

pub(super) fn destination_holds(destination: &Destination, now: UnixMicros) -> Option<String> {
    let reason = destination.reason().map(|reason| format!(": {reason}")).unwrap_or_default();
    let until = destination.until().filter(|until| *until > now).map(UnixMicros::to_rfc3339);
    match (destination.state(), until) {
        (DestinationState::Running, _) | (DestinationState::Throttled, None) => None,
        (DestinationState::Throttled, Some(until)) => {
            Some(format!("the account is throttled until {until}{reason}"))
        }
        (DestinationState::Paused, _) => {
            Some("calls are paused by hand until somebody resumes them".to_owned())
        }
        (DestinationState::Unreachable, until) => Some(held("Freshsales takes no calls now", until, &reason)),
        (DestinationState::Blocked, until) => Some(held("the destination is blocked", until, &reason)),
    }
}

fn held(what: &str, until: Option<String>, reason: &str) -> String {
    let next = until.map(|until| format!(", next try at {until}")).unwrap_or_default();
    format!("{what}{next}{reason}")
}

/// A lane makes no call once its share is used by anybody.
pub(super) fn waiting_for_its_turn(usage: Usage, share_percent: u32) -> String {
    let waiting = |(Window { limit, used }, name): (Window, &str)| {
        let share = (u64::from(limit) * u64::from(share_percent)).div_ceil(100);
        let within = if share_percent < 100 {
            format!("; its lane makes calls while fewer than {share} are")
        } else {
            String::new()
        };
        let full = u64::from(used) >= share;
        full.then(|| {
            format!("waiting for the allowance: {used} of {limit} calls of the {name} are used{within}")
        })
    };
    let full = [(usage.hour, "hour"), (usage.minute, "minute")].into_iter().find_map(waiting);
    full.unwrap_or_else(|| {
        "waiting for its turn among the queued contacts, within the share of its lane".to_owned()
    })
}
