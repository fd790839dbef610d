//! Risks: what would be lost if nobody did anything, in words. What waits is none: it waits in the store without an end.

use super::risk::{Risk, RiskKind};
use super::{attributes, leads, nodes, outputs, snapshot::Snapshot};
use crate::deal::HeldBack;
use crate::delivery::Bound;
use crate::happening::State;
use crate::senders::{Concern, Refusing};
use crate::store::{Room, Store, Totals};
use crate::turn::{Flow, FlowAlarm};

/// The share of the bound of dead letters from which on there is a risk.
const DEAD_LETTERS_PERCENT: u64 = 80;

/// Names that a risk repeats.
const NAMES_NAMED_MAX: usize = 5;

/// Events of one source and hour whose consent was not understood; more than these are a risk.
const CONSENT_EVENTS: u64 = 10;

/// Less than so many times the space below which events are refused is a risk.
const ROOM_TIMES: u64 = 8;

/// The risks of now.
#[must_use]
pub fn risks(snapshot: Snapshot<'_>, store: &dyn Store) -> Vec<Risk> {
    let flow = of_flow(&snapshot.vitals.flow.borrow());
    let aside = [failed_events(snapshot), set_aside(snapshot), kind_shut(snapshot), names_missing(snapshot)];
    let senders = snapshot.vitals.senders.concerns(snapshot.now).into_iter().map(Risk::from);
    let work = store.work().borrow().clone();
    flow.into_iter()
        .chain(nodes::risks(&work, snapshot.now))
        .chain(stalls(snapshot))
        .chain(aside.into_iter().flatten())
        .chain(deals_undecided(snapshot))
        .chain(happenings_unclear(snapshot))
        .chain(attributes::unkept(snapshot).map(|message| Risk::new(RiskKind::AttributesUnkept, message)))
        .chain(attributes::turning(snapshot).map(|message| Risk::new(RiskKind::AttributesTurn, message)))
        .chain(dead_letters(snapshot))
        .chain(arrivals(snapshot))
        .chain(leads::wait(snapshot, store).map(|message| Risk::new(RiskKind::LeadsWait, message)))
        .chain(of_store(store).into_iter().flatten())
        .chain(too_many_events(snapshot))
        .chain(consent(snapshot))
        .chain(senders)
        .chain(withdrawals(snapshot))
        .chain(outputs::off(snapshot).map(|message| Risk::new(RiskKind::OutputOff, message)))
        .chain(outputs::wait(snapshot).map(|message| Risk::new(RiskKind::OutputsWait, message)))
        .collect()
}

/// Deals that no event and no answer of Freshsales can bring on: each waits for a person.
fn deals_undecided(snapshot: Snapshot<'_>) -> Option<Risk> {
    let of = |held: HeldBack| snapshot.totals().held_deals.get(held.as_str()).copied().unwrap_or(0);
    let (unclear, several) = (of(HeldBack::Unclear), of(HeldBack::Several(0)));
    (unclear + several > 0).then(|| {
        let what = [
            (unclear, "may or may not be in Freshsales, which can't be asked (GET /api/deals?held=unclear)"),
            (several, "may be any of several open deals of the contact (GET /api/deals?held=several)"),
        ];
        let what: Vec<String> = what
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {} {what}", if count == 1 { "deal" } else { "deals" }))
            .collect();
        let message = format!(
            "{}. No call is made of them until somebody decides, on the page of each under Deals in the debugger",
            what.join(", and ")
        );
        Risk::new(RiskKind::DealsUndecided, message)
    })
}

/// Notes, activities and tasks of which nobody can tell whether they were told.
fn happenings_unclear(snapshot: Snapshot<'_>) -> Option<Risk> {
    let unclear = snapshot.totals().happenings.get(State::Unclear.as_str()).copied().unwrap_or(0);
    (unclear > 0).then(|| {
        let message = format!(
            "of {unclear} notes, activities or tasks nobody can tell whether Freshsales has them (GET /api/happenings?state=unclear).              Look there, then say on the page of each in the debugger that it is there, or send it again"
        );
        Risk::new(RiskKind::HappeningsUnclear, message)
    })
}

fn dead_letters(snapshot: Snapshot<'_>) -> Option<Risk> {
    let (kept, max) = (snapshot.totals().dead_letters, snapshot.vitals.dead_letters_max);
    let near = kept.saturating_mul(100) >= max.saturating_mul(DEAD_LETTERS_PERCENT);
    near.then(|| {
        let message = format!(
            "{kept} of at most {max} dead letters are kept; beyond that the oldest are discarded \
             (retention.dead_letters_max)"
        );
        Risk::new(RiskKind::DeadLetters, message)
    })
}

fn arrivals(snapshot: Snapshot<'_>) -> Option<Risk> {
    let pressure = *snapshot.vitals.pressure.borrow();
    pressure.outruns_allowance.then(|| {
        let message = format!(
            "{} contacts became due in the last hour, more than the allowance lets us send in one: the backlog is \
             growing, nothing is lost",
            pressure.opened_last_hour
        );
        Risk::new(RiskKind::Arrivals, message)
    })
}

fn of_store(store: &dyn Store) -> [Option<Risk>; 4] {
    let away = store.away().map(|file| {
        let message = format!(
            "{file} was renamed, removed or replaced while the service runs: put it back within a minute, or the \
             service ends; what is accepted and not delivered yet is in the file that was taken away"
        );
        Risk::new(RiskKind::JournalAway, message)
    });
    let refusing = store.refusing().map(|why| {
        let message = format!("events are refused, so senders that do not try again lose them: {why}");
        Risk::new(RiskKind::Refusing, message)
    });
    let is_low = |room: &Room| {
        let low = room.free_bytes_min.saturating_mul(ROOM_TIMES);
        (room.free_bytes_min..low).contains(&room.free_bytes)
    };
    let low = store.room().filter(is_low).map(|Room { free_bytes, free_bytes_min }| {
        let (free, min) = (free_bytes >> 20, free_bytes_min >> 20);
        let message = format!(
            "the disk of the data folder has {free} MiB left; below {min} MiB events are refused. Free some space, or \
             move the data folder to a larger disk"
        );
        Risk::new(RiskKind::DiskLow, message)
    });
    let old = store.refusing_old().map(|why| {
        let message = format!("imports are answered with 503 and have to be sent again later: {why}");
        Risk::new(RiskKind::OldDataWaits, message)
    });
    [refusing, low, away, old]
}

fn too_many_events(snapshot: Snapshot<'_>) -> Option<Risk> {
    let sources = snapshot.vitals.rates.refusing(snapshot.now);
    let named = |Refusing { source, events, over_share }: &Refusing| {
        let clients =
            if over_share * 2 > *events { ", most of them of single addresses over their share" } else { "" };
        format!("{events} of source {}{clients}", source.0)
    };
    (!sources.is_empty()).then(|| {
        let message = format!(
            "events were refused with 429 because their source sent more than it may (events_per_minute_max): {}. Nothing \
             of them was stored; the tag and most SDKs send them again, forms ask the visitor to. Raise the limit if these \
             are customers; if somebody uses the key up, replace it",
            sources.iter().map(named).collect::<Vec<_>>().join("; ")
        );
        Risk::new(RiskKind::TooManyEvents, message)
    })
}

/// More refusals were said by visitors who merely named an address than a source may bring.
fn withdrawals(snapshot: Snapshot<'_>) -> Option<Risk> {
    let owed = snapshot.totals().owed.values();
    let quotas = &snapshot.reading.quotas;
    let waiting = owed
        .flat_map(|owed| &owed.load.first)
        .filter(|(bound, count)| **count > 0 && quotas.get(bound).is_some_and(|quota| quota.until.is_some()));
    let named: Vec<String> = waiting
        .filter_map(|(bound, count)| match bound {
            Bound::Withdrawals(source) => Some(format!("{count} of source {}", source.0)),
            Bound::NewContacts(_) => None,
        })
        .collect();
    (!named.is_empty()).then(|| {
        let message = format!(
            "more refusals of marketing were said by visitors who named an address than may be told to Freshsales in an \
             hour, and wait: {}. Look whether somebody sends them by script; if people do, raise \
             sources.*.withdrawals_per_hour_max. A yes that a server says later ends one, none is lost",
            named.join(", ")
        );
        Risk::new(RiskKind::WithdrawalsWait, message)
    })
}

/// What is accepted does not take effect, or falls behind.
fn of_flow(flow: &Flow) -> Option<Risk> {
    let Flow { lag_events, rates, .. } = flow;
    match flow.alarm? {
        FlowAlarm::Stands => Some(Risk {
            kind: RiskKind::Processing,
            message: format!(
                "processing has stood still for over a minute; {lag_events} events wait and none takes effect. Cause: {}. \
                 Nothing is lost while it stands; look into the log, and restart the service if the cause does not name \
                 a disk or a file",
                flow.cause.as_deref().unwrap_or("unknown")
            ),
        }),
        FlowAlarm::Lags => Some(Risk {
            kind: RiskKind::Lag,
            message: format!(
                "events are accepted faster ({} a second) than they take effect ({} a second): {lag_events} wait, and the \
                 lag has grown for over a minute. Nothing is lost; give the service more CPU or a faster disk, or send less{}",
                rates.accepted,
                rates.processed,
                flow.cause.as_deref().map(|cause| format!(". The store said: {cause}")).unwrap_or_default()
            ),
        }),
    }
}

/// What stands still beside processing, whose risk names how many events wait.
fn stalls(snapshot: Snapshot<'_>) -> Option<Risk> {
    let stalls = snapshot.vitals.stalls.long(snapshot.now);
    let stalls = stalls.into_iter().filter(|(stage, _)| *stage != "process");
    let named: Vec<String> = stalls.map(|(stage, why)| format!("{} ({why})", work_of(stage))).collect();
    (!named.is_empty()).then(|| {
        let message = format!(
            "a part of the service has come to nothing for over a minute and tries again and again: {}. Nothing is lost, and \
             everything else goes on; look into the log, and report it if the cause does not name the disk",
            named.join("; ")
        );
        Risk::new(RiskKind::StageStands, message)
    })
}

/// What a stage does, for who does not know its name.
fn work_of(stage: &'static str) -> &'static str {
    match stage {
        "deliver" => "calls to Freshsales",
        "erase" => "erasures",
        "walk" => "the review of contacts and of refused ones",
        "outputs" => "telling other systems what happened",
        "retain" => "removing people who were silent for long",
        "retention" => "deleting what is too old",
        other => other,
    }
}

fn failed_events(snapshot: Snapshot<'_>) -> Option<Risk> {
    let Totals { failed, failed_lost, .. } = snapshot.totals();
    (*failed > 0).then(|| Risk {
        kind: RiskKind::FailedEvents,
        message: format!(
            "{failed} events could not be processed because of a defect and are kept aside ({failed_lost} more were given \
             up): GET /api/events?outcome=failed lists them with the place in the code. Report it; after an update, \
             POST /api/events/{{message_id}}/retry tries one again"
        ),
    })
}

fn set_aside(snapshot: Snapshot<'_>) -> Option<Risk> {
    let count = snapshot.totals().set_aside;
    (count > 0).then(|| Risk {
        kind: RiskKind::SetAside,
        message: format!(
            "{count} contacts are not called: their call can't be made up because of a defect or a stored document that \
             can't be read; the log names the place. Report it; their next event or a restart tries them again"
        ),
    })
}

/// The key's user has no right to some records, which wait; contacts go on.
fn kind_shut(snapshot: Snapshot<'_>) -> Option<Risk> {
    let shut = &snapshot.totals().destination.shut;
    let kinds: Vec<&str> = shut.keys().map(|kind| kind.plural()).collect();
    let first = shut.values().next()?;
    let message = format!(
        "{} wait, and contacts go on: {}. Give the role of the key's user the right to them, in Freshsales under \
         Admin Settings, Roles; one call tries every 15 minutes, and at once after POST /api/resume",
        kinds.join(" and "),
        first.reason
    );
    Some(Risk::new(RiskKind::KindShut, message))
}

/// Names of the mapping that the account does not have: contacts go without them.
fn names_missing(snapshot: Snapshot<'_>) -> Option<Risk> {
    let missing = snapshot.vitals.settings.borrow().missing_names();
    let more = missing.len().saturating_sub(NAMES_NAMED_MAX);
    let named: Vec<String> = missing.into_iter().take(NAMES_NAMED_MAX).collect();
    let more = if more > 0 { format!("; and {more} more (GET /api/selectors)") } else { String::new() };
    (!named.is_empty()).then(|| {
        let message = format!(
            "the account does not have what the mapping names; contacts go without it, and deals that need it wait: {}{more}. Correct the mapping and reload, or the account: its lists \
             are read again every hour while a name is missing",
            named.join("; ")
        );
        Risk::new(RiskKind::NamesMissing, message)
    })
}

/// A choice that is not understood is neither a yes nor a no, so people are not subscribed and refusals are not heard.
fn consent(snapshot: Snapshot<'_>) -> Option<Risk> {
    let sources = snapshot.vitals.consent.last_hour(CONSENT_EVENTS, snapshot.now);
    let named: Vec<String> =
        sources.iter().map(|(source, events)| format!("{events} of source {}", source.0)).collect();
    (!named.is_empty()).then(|| Risk {
        kind: RiskKind::ConsentNotUnderstood,
        message: format!(
            "events of the last hour spoke of consent in a way that is not understood: {}; neither a yes nor a no is \
             taken from them. Their notes name the place: name its codes in consent.categories, or the place in \
             consent.paths",
            named.join(", ")
        ),
    })
}

impl From<Concern> for Risk {
    fn from(concern: Concern) -> Self {
        match concern {
            Concern::JunkId(message) => Self { kind: RiskKind::JunkIds, message },
            Concern::SwitchedOff(message) => Self { kind: RiskKind::SwitchedOff, message },
            Concern::UnusableEmails(message) => Self { kind: RiskKind::UnusableEmails, message },
        }
    }
}
