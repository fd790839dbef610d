//! Risks: what would be lost if nobody did anything, in words. What waits is none: it waits in the store without an end.

use serde::Serialize;

use super::status::Snapshot;
use crate::allowance::Quotas;
use crate::delivery::Bound;
use crate::senders::Concern;
use crate::store::{Store, Totals};
use crate::turn::{Flow, FlowAlarm};

/// The share of the bound of dead letters from which on there is a risk.
const DEAD_LETTERS_PERCENT: u64 = 80;

/// Names that a risk repeats.
const NAMES_NAMED_MAX: usize = 5;

/// Events of one source and hour whose consent was not understood; more than these are a risk.
const CONSENT_EVENTS: u64 = 10;

/// A risk of loss or of growing delay.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(in crate::admin) struct Risk {
    pub risk: &'static str,
    pub message: String,
}

/// The words of all risks there are, for metrics.
pub(in crate::admin) const ALL: [&str; 16] = [
    "processing",
    "lag",
    "failed_events",
    "set_aside",
    "kind_shut",
    "names_missing",
    "dead_letters",
    "arrivals",
    "refusing",
    "journal_away",
    "old_data_waits",
    "consent_not_understood",
    "junk_ids",
    "switched_off",
    "unusable_emails",
    "withdrawals_wait",
];

/// Those that somebody has to be woken for: something does not go on, or is lost, until they look.
pub(in crate::admin) const ALARMS: [&str; 6] =
    ["processing", "lag", "failed_events", "set_aside", "refusing", "journal_away"];

/// The risks of now.
pub(in crate::admin) fn risks(snapshot: Snapshot<'_>, quotas: &Quotas, store: &dyn Store) -> Vec<Risk> {
    let (kept, max) = (snapshot.totals.dead_letters, snapshot.live.dead_letters_max);
    let near = kept.saturating_mul(100) >= max.saturating_mul(DEAD_LETTERS_PERCENT);
    let dead_letters = near.then(|| Risk {
        risk: "dead_letters",
        message: format!(
            "{kept} of at most {max} dead letters are kept; beyond that the oldest are discarded \
             (retention.dead_letters_max)"
        ),
    });
    let pressure = *snapshot.live.pressure.borrow();
    let arrivals = pressure.outruns_allowance.then(|| Risk {
        risk: "arrivals",
        message: format!(
            "{} contacts became due in the last hour, more than the allowance lets us send in one: the backlog is \
             growing, nothing is lost",
            pressure.opened_last_hour
        ),
    });
    let away = store.away().map(|file| Risk {
        risk: "journal_away",
        message: format!(
            "{file} was renamed, removed or replaced while the service runs: put it back within a minute, or the \
             service ends; what is accepted and not delivered yet is in the file that was taken away"
        ),
    });
    let refusing = store.refusing().map(|why| Risk {
        risk: "refusing",
        message: format!("events are refused, so senders that do not try again lose them: {why}"),
    });
    let old = store.refusing_old().map(|why| Risk {
        risk: "old_data_waits",
        message: format!("imports are answered with 503 and have to be sent again later: {why}"),
    });
    let senders = snapshot.live.senders.concerns(snapshot.now).into_iter().map(Risk::from);
    let flow = of_flow(&snapshot.live.flow.borrow());
    let aside = [failed_events(snapshot), set_aside(snapshot), kind_shut(snapshot), names_missing(snapshot)];
    flow.into_iter()
        .chain(aside.into_iter().flatten())
        .chain(dead_letters)
        .chain(arrivals)
        .chain(refusing)
        .chain(away)
        .chain(old)
        .chain(consent(snapshot))
        .chain(senders)
        .chain(withdrawals(snapshot, quotas))
        .collect()
}

/// More refusals were said by visitors who merely named an address than a source may bring.
fn withdrawals(snapshot: Snapshot<'_>, quotas: &Quotas) -> Option<Risk> {
    let owed = snapshot.totals.owed.values();
    let waiting = owed
        .flat_map(|owed| &owed.load.first)
        .filter(|(bound, count)| **count > 0 && quotas.get(bound).is_some_and(|quota| quota.until.is_some()));
    let named: Vec<String> = waiting
        .filter_map(|(bound, count)| match bound {
            Bound::Withdrawals(source) => Some(format!("{count} of source {}", source.0)),
            Bound::NewContacts(_) => None,
        })
        .collect();
    (!named.is_empty()).then(|| Risk {
        risk: "withdrawals_wait",
        message: format!(
            "more refusals of marketing were said by visitors who named an address than may be told to Freshsales in an \
             hour, and wait: {}. Look whether somebody sends them by script; if people do, raise \
             sources.*.withdrawals_per_hour_max. A yes that a server says later ends one, none is lost",
            named.join(", ")
        ),
    })
}

/// What is accepted does not take effect, or falls behind.
fn of_flow(flow: &Flow) -> Option<Risk> {
    let Flow { lag_events, rates, .. } = flow;
    match flow.alarm? {
        FlowAlarm::Stands => Some(Risk {
            risk: "processing",
            message: format!(
                "processing has stood still for over a minute; {lag_events} events wait and none takes effect. Cause: {}. \
                 Nothing is lost while it stands; look into the log, and restart the service if the cause does not name \
                 a disk or a file",
                flow.cause.as_deref().unwrap_or("unknown")
            ),
        }),
        FlowAlarm::Lags => Some(Risk {
            risk: "lag",
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

fn failed_events(snapshot: Snapshot<'_>) -> Option<Risk> {
    let Totals { failed, failed_lost, .. } = snapshot.totals;
    (*failed > 0).then(|| Risk {
        risk: "failed_events",
        message: format!(
            "{failed} events could not be processed because of a defect and are kept aside ({failed_lost} more were given \
             up): GET /api/events?outcome=failed lists them with the place in the code. Report it; after an update, \
             POST /api/events/{{message_id}}/retry tries one again"
        ),
    })
}

fn set_aside(snapshot: Snapshot<'_>) -> Option<Risk> {
    let count = snapshot.totals.set_aside;
    (count > 0).then(|| Risk {
        risk: "set_aside",
        message: format!(
            "{count} contacts are not called: their call can't be made up because of a defect or a stored document that \
             can't be read; the log names the place. Report it; their next event or a restart tries them again"
        ),
    })
}

/// The key's user has no right to some records, which wait; contacts go on.
fn kind_shut(snapshot: Snapshot<'_>) -> Option<Risk> {
    let shut = &snapshot.totals.destination.shut;
    let kinds: Vec<&str> = shut.keys().map(|kind| kind.plural()).collect();
    let first = shut.values().next()?;
    Some(Risk {
        risk: "kind_shut",
        message: format!(
            "{} wait, and contacts go on: {}. Give the role of the key's user the right to them, in Freshsales under \
             Admin Settings, Roles; one call tries every 15 minutes, and at once after POST /api/resume",
            kinds.join(" and "),
            first.reason
        ),
    })
}

/// Names of the mapping that the account does not have: contacts go without them.
fn names_missing(snapshot: Snapshot<'_>) -> Option<Risk> {
    let missing = snapshot.live.settings.borrow().missing_names();
    let more = missing.len().saturating_sub(NAMES_NAMED_MAX);
    let named: Vec<String> = missing.into_iter().take(NAMES_NAMED_MAX).collect();
    let more = if more > 0 { format!("; and {more} more (GET /api/selectors)") } else { String::new() };
    (!named.is_empty()).then(|| Risk {
        risk: "names_missing",
        message: format!(
            "the account does not have what the mapping names; contacts go without it, and deals that need it wait: {}{more}. Correct the mapping and reload, or the account: its lists \
             are read again every hour while a name is missing",
            named.join("; ")
        ),
    })
}

/// A choice that is not understood is neither a yes nor a no, so people are not subscribed and refusals are not heard.
fn consent(snapshot: Snapshot<'_>) -> Option<Risk> {
    let sources = snapshot.live.consent.last_hour(CONSENT_EVENTS, snapshot.now);
    let named: Vec<String> =
        sources.iter().map(|(source, events)| format!("{events} of source {}", source.0)).collect();
    (!named.is_empty()).then(|| Risk {
        risk: "consent_not_understood",
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
            Concern::JunkId(message) => Self { risk: "junk_ids", message },
            Concern::SwitchedOff(message) => Self { risk: "switched_off", message },
            Concern::UnusableEmails(message) => Self { risk: "unusable_emails", message },
        }
    }
}
