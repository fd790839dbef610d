//! What became of a day: compared at the account, with the same measure for the service and its peers.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use freshsignal::contact::Attributes;
use serde_json::{Value, json};

use super::account::{Call, SimulatedAccount};
use super::shop::{Day, email};

/// What became of one conversion.
#[derive(Clone, Copy, Debug)]
pub struct Conversion {
    /// When it happened.
    pub at: Duration,
    /// How old it was when the account had it or a later one of the same person; none, if it never had.
    pub age: Option<Duration>,
}

/// What became of a day.
#[derive(Clone, Debug)]
pub struct Report {
    pub name: String,
    /// Calls made, whatever their end.
    pub calls: usize,
    /// Calls answered with a 429.
    pub throttled: usize,
    /// Calls without an answer.
    pub unanswered: usize,
    /// Contacts that there have to be in the end.
    pub contacts: usize,
    /// Those that are as they have to be.
    pub right: usize,
    pub conversions: Vec<Conversion>,
    /// Events that were given up.
    pub lost: u64,
    /// When the last call ended.
    pub ended: Duration,
    /// The most calls that any hour held.
    pub busiest_hour: usize,
}

impl Report {
    pub fn of(name: &str, day: &Day, account: &SimulatedAccount, lost: u64) -> Self {
        let calls = account.calls();
        let of_status = |status| calls.iter().filter(|call| call.status == status).count();
        let right =
            day.contacts.iter().filter(|(person, wanted)| is_right(**person, wanted, account)).count();
        Self {
            name: name.to_owned(),
            calls: calls.len(),
            throttled: of_status(429),
            unanswered: of_status(0),
            contacts: day.contacts.len(),
            right,
            conversions: conversions(day, &calls),
            lost,
            ended: calls.iter().map(|call| call.ended).max().unwrap_or_default(),
            busiest_hour: most_within(Duration::from_hours(1), &calls),
        }
    }

    /// Calls that brought something.
    pub fn accepted(&self) -> usize {
        self.calls - self.throttled - self.unanswered
    }

    /// How many conversions reached the account.
    pub fn delivered(&self) -> usize {
        self.conversions.iter().filter(|conversion| conversion.age.is_some()).count()
    }

    /// Ages at delivery, youngest first, of those that did not happen in `without`.
    pub fn ages(&self, without: &[Range<Duration>]) -> Vec<Duration> {
        let outside = |one: &&Conversion| !without.iter().any(|range| range.contains(&one.at));
        let mut ages: Vec<Duration> =
            self.conversions.iter().filter(outside).filter_map(|one| one.age).collect();
        ages.sort_unstable();
        ages
    }

    /// The row of a table, as [`heading`] names its cells.
    pub fn row(&self, without: &[Range<Duration>]) -> String {
        let (all, outside) = (self.ages(&[]), self.ages(without));
        format!(
            "| {} | {} | {} | {} of {} | {} of {} | {} / {} | {} / {} / {} | {} |",
            self.name,
            self.calls,
            self.throttled + self.unanswered,
            self.right,
            self.contacts,
            self.delivered(),
            self.conversions.len(),
            shown(percentile(&all, 50)),
            shown(percentile(&all, 99)),
            shown(percentile(&outside, 50)),
            shown(percentile(&outside, 99)),
            shown(percentile(&outside, 100)),
            self.lost,
        )
    }
}

/// The heading of the table.
pub fn heading() -> &'static str {
    "| | calls made | of them in vain | contacts right at the end | conversions delivered | their age: median / 99 % | \
     outside the outage: median / 99 % / oldest | events lost |\n\
     | --- | --- | --- | --- | --- | --- | --- | --- |"
}

fn is_right(person: u64, wanted: &Attributes, account: &SimulatedAccount) -> bool {
    account
        .sandbox
        .contact(&email(person))
        .is_some_and(|stored| stored_as(stored) == as_stored(person, wanted))
}

/// A contact of the sandbox without what the sandbox adds.
fn stored_as(mut stored: Value) -> Value {
    if let Some(attributes) = stored.as_object_mut() {
        attributes.retain(|name, _| !["id", "created_at", "updated_at"].contains(&name.as_str()));
        attributes.sort_keys();
    }
    stored
}

/// How the sandbox has to hold a contact: it subscribes whoever is created without a status.
fn as_stored(person: u64, wanted: &Attributes) -> Value {
    let mut stored = json!({"emails": email(person), "subscription_status": "subscribed"});
    for (name, value) in wanted {
        match name.strip_prefix("custom_field.") {
            Some(field) => stored["custom_field"][field] = value.clone(),
            None => stored[name] = value.clone(),
        }
    }
    if let Some(attributes) = stored.as_object_mut() {
        attributes.sort_keys();
    }
    stored
}

fn conversions(day: &Day, calls: &[Call]) -> Vec<Conversion> {
    let mut told: BTreeMap<u64, Vec<(u64, Duration)>> = BTreeMap::new();
    for call in calls.iter().filter(|call| call.is_accepted()) {
        if let (Some(person), Some(conversion)) = (call.person, call.conversion) {
            told.entry(person).or_default().push((conversion, call.ended));
        }
    }
    let became = |at: Duration, person: u64, conversion: u64| {
        let of_person = told.get(&person).map(Vec::as_slice).unwrap_or_default();
        let first = of_person.iter().find(|(told, _)| *told >= conversion);
        Conversion { at, age: first.map(|(_, ended)| ended.saturating_sub(at)) }
    };
    let all = day.happenings.iter().filter_map(|one| {
        let forwarded = one.forwarded.as_ref()?;
        Some(became(one.at, forwarded.person, forwarded.conversion?))
    });
    all.collect()
}

/// The most calls in any window of this length, counted when they end.
pub fn most_within(window: Duration, calls: &[Call]) -> usize {
    let mut ends: Vec<Duration> = calls.iter().map(|call| call.ended).collect();
    ends.sort_unstable();
    let within = |from: usize| ends.partition_point(|end| *end < ends[from] + window) - from;
    (0..ends.len()).map(within).max().unwrap_or(0)
}

/// The value that so many percent do not exceed, of values in order.
pub fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

/// A duration as people say it.
pub fn shown(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match seconds {
        0.0..90.0 => format!("{seconds:.1} s"),
        90.0..5_400.0 => format!("{:.1} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3_600.0),
    }
}
