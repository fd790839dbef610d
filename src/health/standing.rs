//! How the service stands: whether calls may leave, and if not, why and when; in a word, a colour, a sentence and a time.
//!
//! Pure. Nothing is called running while no call may leave.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::snapshot::Snapshot;
use crate::allowance::{AllowanceLimits, HOUR, Ledger, Usage};
use crate::clock::UnixMicros;
use crate::delivery::Lane;
use crate::destination::DestinationState;
use crate::turn::FlowAlarm;

/// A lag that is worked off sooner, or has fewer events, is none to speak of.
const BEHIND_SECONDS_MIN: u64 = 10;
const BEHIND_EVENTS_MIN: u64 = 1_000;

/// How bad it is: the colour beside the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// As it should be.
    Good,
    /// It goes on by itself.
    Wait,
    /// A person has to look.
    Stop,
}

/// How the service stands in one respect, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// A file of the store was taken away.
    StoreAway,
    /// Events are refused: a full disk, a full journal.
    RefusingEvents,
    /// Events are accepted and none takes effect.
    ProcessingStands,
    /// Every call would be refused.
    Blocked,
    /// Freshsales does not answer.
    Unreachable,
    /// Paused by hand.
    Paused,
    /// The part that makes calls comes to nothing.
    CallsStand,
    /// Freshsales asked to wait.
    Throttled,
    /// No call fits into the hour.
    AllowanceUsedUp,
    /// Calls of the upper lanes fit into the hour, those of some that something waits in do not.
    LaneShut,
    /// No call fits into the minute.
    MinuteUsedUp,
    /// Events take effect much later than they come.
    ProcessingBehind,
    /// Nothing is sent, on purpose.
    DryRun,
    /// Calls may leave.
    Running,
}

impl Way {
    /// All of them, the worst first.
    pub const ALL: [Self; 14] = [
        Self::StoreAway,
        Self::RefusingEvents,
        Self::ProcessingStands,
        Self::Blocked,
        Self::Unreachable,
        Self::Paused,
        Self::CallsStand,
        Self::Throttled,
        Self::AllowanceUsedUp,
        Self::LaneShut,
        Self::MinuteUsedUp,
        Self::ProcessingBehind,
        Self::DryRun,
        Self::Running,
    ];

    /// The word in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StoreAway => "store_away",
            Self::RefusingEvents => "refusing_events",
            Self::ProcessingStands => "processing_stands",
            Self::Blocked => "blocked",
            Self::Unreachable => "unreachable",
            Self::Paused => "paused",
            Self::CallsStand => "calls_stand",
            Self::Throttled => "throttled",
            Self::AllowanceUsedUp => "allowance_used_up",
            Self::LaneShut => "lane_shut",
            Self::MinuteUsedUp => "minute_used_up",
            Self::ProcessingBehind => "processing_behind",
            Self::DryRun => "dry_run",
            Self::Running => "running",
        }
    }

    /// The words for people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::StoreAway => "Store taken away",
            Self::RefusingEvents => "Refusing events",
            Self::ProcessingStands => "Processing stands still",
            Self::Blocked => "Blocked",
            Self::Unreachable => "Unreachable",
            Self::Paused => "Paused",
            Self::CallsStand => "Calls stand still",
            Self::Throttled => "Throttled",
            Self::AllowanceUsedUp => "Allowance used up",
            Self::LaneShut => "Leads first",
            Self::MinuteUsedUp => "Minute used up",
            Self::ProcessingBehind => "Processing behind",
            Self::DryRun => "Dry run",
            Self::Running => "Running",
        }
    }

    /// The colour.
    #[must_use]
    pub fn tone(self) -> Tone {
        match self {
            Self::StoreAway
            | Self::RefusingEvents
            | Self::ProcessingStands
            | Self::Blocked
            | Self::Unreachable
            | Self::Paused
            | Self::CallsStand => Tone::Stop,
            Self::Throttled
            | Self::AllowanceUsedUp
            | Self::LaneShut
            | Self::MinuteUsedUp
            | Self::ProcessingBehind
            | Self::DryRun => Tone::Wait,
            Self::Running => Tone::Good,
        }
    }
}

impl Serialize for Way {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// How it stands in one respect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// In which.
    pub way: Way,
    /// What that means and what follows; without personal data, except for words of Freshsales in its reason.
    pub message: String,
    /// When it goes on, as far as that can be told.
    pub until: Option<UnixMicros>,
}

impl Standing {
    fn new(way: Way, message: impl Into<String>) -> Self {
        Self { way, message: message.into(), until: None }
    }

    fn until(self, until: Option<UnixMicros>) -> Self {
        Self { until, ..self }
    }
}

/// What bears on it beside the snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// Why events are refused, if they are.
    pub refusing: Option<String>,
    /// Which file of the store was taken away, if one was.
    pub away: Option<String>,
    /// Whether calls are only shown.
    pub dry_run: bool,
}

/// How the service stands, the worst first; never empty.
#[must_use]
pub fn standings(snapshot: Snapshot<'_>, around: &Around) -> Vec<Standing> {
    let away = around.away.as_ref().map(|file| {
        let message = format!(
            "{file} was renamed, removed or replaced while the service runs. Put it back within a minute, or the service ends"
        );
        Standing::new(Way::StoreAway, message)
    });
    let refusing = around.refusing.as_ref().filter(|_| away.is_none()).map(|why| {
        Standing::new(
            Way::RefusingEvents,
            format!("Events are refused, so senders that do not try again lose them: {why}"),
        )
    });
    let calls = of_destination(snapshot).or_else(|| stand_still(snapshot)).or_else(|| of_allowance(snapshot));
    let dry_run = around.dry_run.then(|| {
        Standing::new(
            Way::DryRun,
            "A dry run: every payload is built and shown, and nothing is sent. What is delivered here is not in Freshsales",
        )
    });
    let mut found: Vec<Standing> =
        [away, refusing, of_processing(snapshot), calls, dry_run].into_iter().flatten().collect();
    found.sort_by_key(|standing| standing.way);
    if found.iter().all(|standing| standing.way == Way::ProcessingBehind) && !around.dry_run {
        found.push(Standing::new(Way::Running, "Calls are made as the allowance permits"));
    }
    found
}

fn of_destination(snapshot: Snapshot<'_>) -> Option<Standing> {
    let destination = &snapshot.totals().destination;
    let (way, message) = match destination.state() {
        DestinationState::Running => return None,
        DestinationState::Throttled => {
            (Way::Throttled, "Freshsales asked to wait. Nothing is lost; calls resume automatically")
        }
        DestinationState::Unreachable => {
            (Way::Unreachable, "Freshsales takes no calls now. It is tried again automatically")
        }
        DestinationState::Paused => {
            return Some(Standing::new(
                Way::Paused,
                "Paused by hand. Events are accepted and wait until somebody resumes",
            ));
        }
        DestinationState::Blocked => (
            Way::Blocked,
            "Freshsales refuses every call. Look at the key, the alias and the rights of its user",
        ),
    };
    let reason = destination.reason().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let until = destination.until().filter(|until| *until > snapshot.now);
    Some(Standing::new(way, format!("{message}{reason}")).until(until))
}

/// The part that makes calls meets an error again and again.
fn stand_still(snapshot: Snapshot<'_>) -> Option<Standing> {
    let stalls = snapshot.vitals.stalls.long(snapshot.now);
    let (_, why) = stalls.into_iter().find(|(stage, _)| *stage == "deliver")?;
    let message = format!(
        "No call is made: the part of the service that makes them has come to nothing for over a minute ({why}). It tries again \
         and again, and nothing is lost; look into the log"
    );
    Some(Standing::new(Way::CallsStand, message))
}

/// Whether there is room for calls, and when there will be; none: nothing of the allowance is in the way.
#[must_use]
pub fn of_allowance(snapshot: Snapshot<'_>) -> Option<Standing> {
    let Usage { hour, minute } = snapshot.usage();
    let room = snapshot.room_in(100);
    if !room.is_now() {
        let until = room.wait().map(|wait| snapshot.now.plus(wait));
        if hour.used < hour.limit {
            let message =
                format!("The {} calls of this minute are made; the next follow within one", minute.limit);
            return Some(Standing::new(Way::MinuteUsedUp, message).until(until));
        }
        let restored = snapshot.totals().destination.restored_at;
        let by_restore = restored.is_some_and(|at| snapshot.now < at.plus(HOUR));
        let message = if by_restore {
            format!(
                "A backup was restored, and nobody knows which calls were made after it. So all {} calls of the hour since the \
                 restore count as made, and none is made until it is over. What is due waits in order, nothing is lost",
                hour.limit
            )
        } else {
            format!(
                "All {} calls that the account allows in an hour are made. What is due waits in order, nothing is lost",
                hour.limit
            )
        };
        return Some(Standing::new(Way::AllowanceUsedUp, message).until(until));
    }
    let shut = Lane::BY_PRECEDENCE.into_iter().filter_map(|lane| {
        let waits = snapshot.totals().owed.get(&lane).is_some_and(|owed| owed.load.contacts() > 0);
        let room = snapshot.room_in(snapshot.share(lane));
        (waits && !room.is_now()).then_some((lane, room))
    });
    let shut: Vec<(Lane, Room)> = shut.collect();
    let soonest = shut.iter().filter_map(|(_, room)| room.wait()).min();
    // A share of the minute is free again at once; it is no news.
    if shut.is_empty() || soonest.is_some_and(|wait| wait < Duration::from_mins(1)) {
        return None;
    }
    let lanes: Vec<&str> = shut.iter().map(|(lane, _)| named(*lane)).collect();
    let message = format!(
        "New contacts and orders are sent at once; {} wait, because what they may use of the hour is used",
        lanes.join(", ")
    );
    let until = soonest.map(|wait| snapshot.now.plus(wait));
    Some(Standing::new(Way::LaneShut, message).until(until))
}

fn named(lane: Lane) -> &'static str {
    match lane {
        Lane::Withdrawal => "withdrawals",
        Lane::NewContact => "new contacts",
        Lane::Conversion => "orders",
        Lane::Login => "log-ins",
        Lane::Refresh => "refreshes",
        Lane::Backfill => "old data",
    }
}

fn of_processing(snapshot: Snapshot<'_>) -> Option<Standing> {
    let flow = snapshot.vitals.flow.borrow();
    let lag = snapshot.journal_lag_events();
    let rate = flow.rates.processed;
    let slow = lag >= BEHIND_EVENTS_MIN && lag > rate.saturating_mul(BEHIND_SECONDS_MIN);
    match flow.alarm {
        Some(FlowAlarm::Stands) => {
            let why = flow.cause.as_deref().unwrap_or("the log may say why");
            let message =
                format!("{lag} events are accepted and none has taken effect for over a minute: {why}");
            Some(Standing::new(Way::ProcessingStands, message))
        }
        Some(FlowAlarm::Lags) => Some(behind(lag, None)),
        None if slow => {
            let done = (rate > 0).then(|| snapshot.now.plus(Duration::from_secs(lag / rate)));
            Some(behind(lag, done))
        }
        None => None,
    }
}

fn behind(lag: u64, done: Option<UnixMicros>) -> Standing {
    let message = format!(
        "{lag} events are accepted and have not taken effect yet; what they owe is not counted before"
    );
    Standing::new(Way::ProcessingBehind, message).until(done)
}

/// Whether a call fits into both windows.
enum Room {
    /// One does.
    Now,
    /// One will after so long.
    After(Duration),
    /// Time alone brings none.
    Never,
}

impl Room {
    /// How long until a call fits; none where time alone brings that.
    fn wait(&self) -> Option<Duration> {
        match self {
            Self::Now => Some(Duration::ZERO),
            Self::After(wait) => Some(*wait),
            Self::Never => None,
        }
    }

    fn is_now(&self) -> bool {
        match self {
            Self::Now => true,
            Self::After(_) | Self::Never => false,
        }
    }
}

impl Snapshot<'_> {
    /// Up to how much of the limits a lane may use, in percent.
    fn share(&self, lane: Lane) -> u32 {
        self.vitals.shares.get(&lane).copied().unwrap_or(100)
    }

    /// Whether there is room for a call inside a share of the limits.
    fn room_in(&self, share_percent: u32) -> Room {
        let Usage { hour, minute } = self.usage();
        let limits = AllowanceLimits { per_hour: hour.limit, per_minute: minute.limit };
        // Ages are all there is: the ledger counts from a moment of its own.
        let mut ledger = Ledger::restored(limits, self.ages(), HOUR, 1);
        let has_room = ledger.has_room(HOUR, share_percent);
        match ledger.free_at(HOUR, share_percent) {
            _ if has_room => Room::Now,
            Some(at) => Room::After(at.saturating_sub(HOUR)),
            None => Room::Never,
        }
    }

    /// When the next call of a lane may leave, as far as the destination and the allowance say: `None` while nobody knows.
    #[must_use]
    pub fn next_call_at(&self, lane: Lane) -> Option<UnixMicros> {
        let destination = &self.totals().destination;
        match destination.state() {
            DestinationState::Paused => return None,
            DestinationState::Running
            | DestinationState::Throttled
            | DestinationState::Unreachable
            | DestinationState::Blocked => {}
        }
        let asked = destination.until().unwrap_or(self.now).max(self.now);
        let room = self.room_in(self.share(lane)).wait()?;
        Some(asked.max(self.now.plus(room)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_has_words_of_its_own_and_all_are_in_order() {
        let mut sorted = Way::ALL;
        sorted.sort();
        assert_eq!(sorted, Way::ALL);
        let words: std::collections::BTreeSet<&str> = Way::ALL.iter().map(|way| way.words()).collect();
        let names: std::collections::BTreeSet<&str> = Way::ALL.iter().map(|way| way.as_str()).collect();
        assert_eq!((words.len(), names.len()), (Way::ALL.len(), Way::ALL.len()));
    }
}
