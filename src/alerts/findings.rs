//! What of all that is known a person is to be told, in words that somebody understands who never saw the service: what
//! happened, what follows, what to do.
//!
//! Pure, and without personal data: words of Freshsales stay in the debugger, as they may name somebody.

use std::time::Duration;

use crate::cause::Cause;
use crate::deal::HeldBack;
use crate::delivery::{BlockCause, Bound, Lane};
use crate::destination::{DestinationState, Obstacle, ObstacleKind};
use crate::happening::State;
use crate::health::{Risk, RiskKind, Snapshot};
use crate::store::Totals;

/// Freshsales may be away for so long before somebody is told.
const UNREACHABLE_FOR: Duration = Duration::from_mins(5);
/// A new contact or an order that waits is told after so long.
const LEADS_WAIT_FOR: Duration = Duration::from_mins(5);
/// A backlog that takes longer is told; it is over once it takes less than the second.
const DRAIN_BEGINS: Duration = Duration::from_hours(24);
const DRAIN_ENDS: Duration = Duration::from_hours(20);

/// A cause that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which.
    pub cause: Cause,
    /// How bad it is; more of it is told again.
    pub measure: u64,
    /// What happened, what follows, what to do.
    pub text: String,
}

/// What is there now. `refused_before` is how many dead letters there were before they grew, while they count as grown;
/// `drains` is whether the backlog is told already.
pub fn findings(
    snapshot: Snapshot<'_>,
    risks: &[Risk],
    refused_before: Option<u64>,
    drains: bool,
) -> Vec<Finding> {
    let obstacle = snapshot.totals().destination.obstacle.as_ref();
    let of_calls = [
        obstacle.and_then(|obstacle| of_obstacle(obstacle, snapshot)),
        refused_before.map(|before| dead_letters(snapshot.totals().dead_letters, before)),
        drain(snapshot, drains),
        quota(snapshot),
    ];
    let of_risks = risks.iter().filter_map(|risk| of_risk(risk, snapshot));
    of_calls.into_iter().flatten().chain(of_risks).collect()
}

fn of_obstacle(obstacle: &Obstacle, snapshot: Snapshot<'_>) -> Option<Finding> {
    let waiting = waiting(snapshot.owed());
    let blocked = |what: &str, advice: &str| Finding {
        cause: Cause::Blocked,
        measure: 0,
        text: format!(
            "{what} Nothing is sent until that is mended: {waiting} for now. Events are still accepted, and \
             nothing is lost. {advice}"
        ),
    };
    Some(match &obstacle.kind {
        ObstacleKind::Unreachable => {
            let away = snapshot.now.since(obstacle.since);
            if away < UNREACHABLE_FOR {
                return None;
            }
            let text = format!(
                "Freshsales has not answered for {}, or only with errors of its own. {waiting}; what \
                 waits is sent by itself once it answers, and nothing is lost. Look at the status page of Freshworks; if all is well \
                 there, look at the network of this machine.",
                in_words(away)
            );
            Finding { cause: Cause::Unreachable, measure: 0, text }
        }
        ObstacleKind::Blocked { cause: BlockCause::Unauthorized, .. } => blocked(
            "Freshsales answers every call with 401: the API key was revoked or replaced, or its user was disabled.",
            "Copy the key of a user who may edit contacts (in Freshsales: Personal settings, API settings) into \
             freshsales.api_key and reload the service (SIGHUP).",
        ),
        ObstacleKind::Blocked { cause: BlockCause::Forbidden, .. } => blocked(
            "Freshsales answers every call with 403: the user of the API key may not edit contacts.",
            "Give that user the right in Freshsales, and calls go on by themselves; or put the key of another user into \
             freshsales.api_key and reload the service (SIGHUP).",
        ),
        ObstacleKind::Blocked { cause: BlockCause::NoSuchAccount, .. } => blocked(
            "Freshsales answers every call with 404 or sends it elsewhere: freshsales.bundle_alias names no account.",
            "Compare it with the address that you open Freshsales at, correct it, and restart the service.",
        ),
        ObstacleKind::AccountRule { .. } => blocked(
            "Freshsales refuses contact after contact for the same reason, so a rule of the account is in the way, such as \
             a field that has become mandatory.",
            "The debugger shows the reason under Status: change the rule, or map what it demands. Those that it refused \
             are then sent again by themselves.",
        ),
    })
}

fn dead_letters(kept: u64, before: u64) -> Finding {
    let text = format!(
        "Freshsales refused {} because of what is in them; {kept} are kept as dead letters by now. They are not in \
         Freshsales until somebody sends them again. The debugger shows the reasons under Dead letters: mend the cause, and \
         send them again there.",
        many(kept.saturating_sub(before).max(1), "record")
    );
    Finding { cause: Cause::DeadLetters, measure: kept, text }
}

fn drain(snapshot: Snapshot<'_>, drains: bool) -> Option<Finding> {
    let takes = Duration::from_secs(snapshot.drain_seconds()?);
    let limit = if drains { DRAIN_ENDS } else { DRAIN_BEGINS };
    (takes > limit).then(|| {
        let text = format!(
            "{} wait, and with what the account allows in an hour they take about {}. New contacts and \
             unsubscribes go first; nothing is lost. Set the plan that the account has (allowance.plan), let calls carry \
             many contacts (bulk.mode = \"backlog\"), or send fewer events.",
            many(snapshot.owed(), "call"),
            in_words(takes)
        );
        Finding { cause: Cause::Drain, measure: takes.as_secs() / 86_400, text }
    })
}

fn quota(snapshot: Snapshot<'_>) -> Option<Finding> {
    let load = snapshot.totals().owed.get(&Lane::NewContact).map(|owed| &owed.load)?;
    let quotas = &snapshot.reading.quotas;
    let held = quotas.held().into_iter().filter_map(|bound| {
        let Bound::NewContacts(source) = &bound else { return None };
        let waiting = load.first.get(&bound).copied().filter(|waiting| *waiting > 0)?;
        let limit = quotas.get(&bound)?.limit;
        let wait = if waiting == 1 { "waits" } else { "wait" };
        Some(format!("source {} has made {limit} in the last hour, and {waiting} more {wait}", source.0))
    });
    let held: Vec<String> = held.collect();
    (!held.is_empty()).then(|| {
        let text = format!(
            "New contacts wait because their source may make no more of them for now: {}. They are sent as the hour \
             passes, and nothing is lost. If these are customers, raise new_contacts_per_hour_max of the source; if \
             somebody fills your form with inventions, protect the form first.",
            held.join("; ")
        );
        Finding { cause: Cause::Quota, measure: held.len() as u64, text }
    })
}

/// What of the risks is told; the others are shown in the debugger alone, as they cost nothing at once.
fn of_risk(risk: &Risk, snapshot: Snapshot<'_>) -> Option<Finding> {
    let totals = snapshot.totals();
    let (cause, measure) = match risk.kind {
        RiskKind::Processing => (Cause::Processing, 0),
        RiskKind::Lag => (Cause::Lag, 0),
        RiskKind::StageStands => (Cause::StageStands, 0),
        RiskKind::FailedEvents => (Cause::FailedEvents, totals.failed.saturating_add(totals.failed_lost)),
        RiskKind::SetAside => (Cause::SetAside, totals.set_aside),
        RiskKind::KindShut => return kind_shut(snapshot),
        RiskKind::NamesMissing => return names_missing(snapshot),
        RiskKind::DealsUndecided => (Cause::DealsUndecided, undecided(totals)),
        RiskKind::HappeningsUnclear => (Cause::HappeningsUnclear, unclear(totals)),
        RiskKind::AttributesUnkept => (Cause::AttributesUnkept, totals.destination.not_kept().count() as u64),
        RiskKind::AttributesTurn => {
            (Cause::AttributesTurn, totals.destination.frozen(snapshot.now).count() as u64)
        }
        RiskKind::LeadsWait if !leads_wait_long(snapshot) => return None,
        RiskKind::LeadsWait => (Cause::LeadsWait, 0),
        RiskKind::Refusing => (Cause::Refusing, 0),
        RiskKind::DiskLow => (Cause::DiskLow, 0),
        RiskKind::JournalAway => (Cause::JournalAway, 0),
        RiskKind::TooManyEvents => (Cause::TooManyEvents, 0),
        RiskKind::WithdrawalsWait => (Cause::WithdrawalsWait, 0),
        RiskKind::OutputOff => (Cause::OutputOff, 0),
        RiskKind::OutputsWait => (Cause::OutputsWait, totals.outputs.values().map(|of| of.dead).sum()),
        RiskKind::DeadLetters
        | RiskKind::Arrivals
        | RiskKind::OldDataWaits
        | RiskKind::ConsentNotUnderstood
        | RiskKind::JunkIds
        | RiskKind::SwitchedOff
        | RiskKind::UnusableEmails
        // The node that works tells, and it has neither.
        | RiskKind::NobodyWorks
        | RiskKind::OtherSettings => return None,
    };
    Some(Finding { cause, measure, text: sentence(&risk.message) })
}

/// A lead that waits is told where nothing else is told of calls, and not as soon as it is shown.
fn leads_wait_long(snapshot: Snapshot<'_>) -> bool {
    let is_running = snapshot.totals().destination.state() == DestinationState::Running;
    let since = snapshot.reading.lead_waits_since;
    is_running && since.is_some_and(|since| snapshot.now.since(since) >= LEADS_WAIT_FOR)
}

/// Deals that wait for a person.
fn undecided(totals: &Totals) -> u64 {
    let of = |held: HeldBack| totals.held_deals.get(held.as_str()).copied().unwrap_or(0);
    of(HeldBack::Unclear) + of(HeldBack::Several(0))
}

/// Notes, activities and tasks that wait for a person.
fn unclear(totals: &Totals) -> u64 {
    totals.happenings.get(State::Unclear.as_str()).copied().unwrap_or(0)
}

/// Without the names: some are addresses of people who work with the account.
fn names_missing(snapshot: Snapshot<'_>) -> Option<Finding> {
    let missing = snapshot.vitals.settings.borrow().missing_names().len() as u64;
    (missing > 0).then(|| {
        let text = format!(
            "The mapping says {} that the account does not have, or that the key may not look up. What it is for is left out \
             of every call, or waits; everything else goes on. The debugger says which under Status: correct the mapping and \
             reload, or add it in Freshsales.",
            many(missing, "name")
        );
        Finding { cause: Cause::NamesMissing, measure: missing, text }
    })
}

/// Without the words of Freshsales.
fn kind_shut(snapshot: Snapshot<'_>) -> Option<Finding> {
    let shut = &snapshot.totals().destination.shut;
    let kinds: Vec<&str> = shut.keys().map(|kind| kind.plural()).collect();
    (!kinds.is_empty()).then(|| {
        let kinds = kinds.join(" and ");
        let text = format!(
            "Freshsales answers calls for {kinds} with 403: the user of the API key has no right to them. They wait, \
             contacts go on, and nothing is lost. Give the role of that user the right to {kinds}, in Freshsales under \
             Admin Settings, Roles; one call tries every 15 minutes."
        );
        Finding { cause: Cause::KindShut, measure: shut.len() as u64, text }
    })
}

/// With a capital and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}

fn waiting(calls: u64) -> String {
    let wait = if calls == 1 { "waits" } else { "wait" };
    format!("{} {wait}", many(calls, "call"))
}

fn many(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// A duration as people say it, in its largest unit.
pub(super) fn in_words(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    match minutes {
        0..120 => many(minutes.max(1), "minute"),
        120..2880 => many(minutes / 60, "hour"),
        _ => many(minutes / 1440, "day"),
    }
}
