//! The view "Now": whether anything is wrong, whether calls may leave and when, who waits, what came today and what became of
//! it, and what changed meanwhile.
//!
//! Bounded in time however much is stored: counts come from tallies, and of the trail only the latest events of an outcome
//! are looked at, so many as it says.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::http::Uri;
use serde::Serialize;

use super::answer::{failed, rfc3339, rfc3339_or_null};
use super::query::Params;
use super::status::{StandingView, standing_of};
use crate::admin::{Asked, Debugger};
use crate::allowance::Usage;
use crate::cause::Alert;
use crate::clock::UnixMicros;
use crate::decision::{Because, Outcome, Review, Settings};
use crate::delivery::Lane;
use crate::event::SourceName;
use crate::health::{LEADS, Risk, Snapshot, advice, risks};
use crate::http::ApiError;
use crate::store::{EventQuery, Limited};
use crate::trail::{Act, EventTrail, SPAN, Span, Tallied};

const DAY: Duration = Duration::from_hours(24);
const WEEK: Duration = Duration::from_hours(24 * 7);
/// No place is further from UTC.
const ZONE_MINUTES_MAX: i64 = 14 * 60;
/// The latest events of an outcome that are looked at for where they came from.
const LOOKED_AT_MAX: usize = 200;
/// Places of an outcome, reasons of refusals and acts that are shown.
const PLACES_MAX: usize = 8;
const REASONS_MAX: usize = 20;
const CHANGES_MAX: usize = 40;

/// Outcomes of events of which nothing reaches Freshsales though it might have.
const DROPPED: [Outcome; 8] = [
    Outcome::NoEmail,
    Outcome::InvalidEmail,
    Outcome::HashedEmail,
    Outcome::ConsentDenied,
    Outcome::NotMapped,
    Outcome::SwitchedOff,
    Outcome::Excluded,
    Outcome::Failed,
];

/// How it is now.
#[derive(Serialize)]
pub(in crate::admin) struct NowView {
    #[serde(serialize_with = "rfc3339")]
    at: UnixMicros,
    /// When the day began that is counted.
    #[serde(serialize_with = "rfc3339")]
    day: UnixMicros,
    standings: Vec<StandingView>,
    risks: Vec<Risk>,
    calls: CallsView,
    leads: LeadsView,
    events: Vec<EventsView>,
    deliveries: Vec<EndedView>,
    consent: Vec<ConsentView>,
    dropped: Vec<DroppedView>,
    /// Requests and events refused at the door since the process began.
    rejected: u64,
    dead_letters: u64,
    refused: Vec<RefusedView>,
    changes: Vec<ChangeView>,
}

/// What is owed, and how long that takes.
#[derive(Serialize)]
struct CallsView {
    owed: u64,
    /// When the next call of anybody may leave; null while nobody knows.
    #[serde(serialize_with = "rfc3339_or_null")]
    next_at: Option<UnixMicros>,
    /// When what is owed now has been sent; null while nobody knows.
    #[serde(serialize_with = "rfc3339_or_null")]
    gone_at: Option<UnixMicros>,
    allowance: Usage,
}

/// New contacts and orders that wait.
#[derive(Serialize)]
struct LeadsView {
    waiting: u64,
    /// Since when the one that waits longest does.
    #[serde(serialize_with = "rfc3339_or_null")]
    since: Option<UnixMicros>,
    #[serde(serialize_with = "rfc3339_or_null")]
    next_at: Option<UnixMicros>,
}

/// How many there were today, in the same hours of yesterday, and of the same day last week.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Days {
    today: u64,
    yesterday: u64,
    last_week: u64,
}

/// Events by source, name and outcome.
#[derive(Serialize)]
struct EventsView {
    source: SourceName,
    /// Null for those that no rule names.
    event: Option<String>,
    outcome: Outcome,
    #[serde(flatten)]
    days: Days,
}

/// Deliveries that ended.
#[derive(Serialize)]
struct EndedView {
    state: &'static str,
    #[serde(flatten)]
    days: Days,
}

/// What was said of consent.
#[derive(Serialize)]
struct ConsentView {
    source: SourceName,
    /// Null where it can't be told, or a person's own words.
    tool: Option<String>,
    /// Null where nothing was understood.
    category: Option<String>,
    said: &'static str,
    #[serde(flatten)]
    days: Days,
}

/// Where the latest events of an outcome came from.
#[derive(Serialize)]
struct DroppedView {
    outcome: Outcome,
    today: u64,
    /// How many of them were looked at, the latest.
    looked_at: u64,
    places: Vec<PlaceView>,
}

#[derive(Serialize)]
struct PlaceView {
    source: SourceName,
    event: String,
    /// Null where the event names none.
    page: Option<String>,
    count: u64,
    /// Why, of the latest of them.
    reason: String,
    message_id: String,
}

/// Dead letters with the same words.
#[derive(Serialize)]
struct RefusedView {
    reason: String,
    count: u64,
    todo: &'static str,
    again_may_help: bool,
}

/// Something that changed.
#[derive(Serialize)]
struct ChangeView {
    #[serde(serialize_with = "rfc3339")]
    at: UnixMicros,
    kind: &'static str,
    who: Option<String>,
    about: String,
}

/// `GET /api/now`
pub(in crate::admin) async fn now(Asked(app): Asked, uri: Uri) -> Result<Json<NowView>, ApiError> {
    let params = Params::read(&uri, &["zone"])?;
    let zone = |text: &str| text.parse::<i64>().ok().filter(|minutes| minutes.abs() <= ZONE_MINUTES_MAX);
    let zone = params.get("zone", "minutes east of UTC, from -840 to 840", zone)?.unwrap_or(0);
    let at = app.now();
    let day = midnight(at, zone);
    let settings = app.settings();
    let account = settings.account.clone();
    let reading = app.reading().await?;
    let counted = app.counted(day, at).await?;
    let refused = app.store.refusals(account, REASONS_MAX).await.map_err(failed)?;
    let acts = app.store.acts(CHANGES_MAX).await.map_err(failed)?;
    let mut dropped = Vec::new();
    for outcome in DROPPED {
        dropped.extend(app.dropped(outcome, day, &counted).await?);
    }
    let snapshot = app.snapshot(&reading);
    let totals = snapshot.totals();
    let alerts = app.live.board.borrow().alerts.clone();
    let view = |(reason, count): (String, u64)| {
        let advice = advice(&reason);
        RefusedView { reason, count, todo: advice.todo, again_may_help: advice.again_may_help }
    };
    Ok(Json(NowView {
        at,
        day,
        standings: standing_of(&app, snapshot),
        risks: risks(snapshot, app.store.as_ref()),
        calls: CallsView::of(snapshot),
        leads: LeadsView::of(snapshot),
        events: events(&counted, &settings),
        deliveries: ended(&counted),
        consent: consent(&counted),
        dropped,
        rejected: app.live.refused.count(),
        dead_letters: totals.dead_letters,
        refused: refused.into_iter().map(view).collect(),
        changes: changes(acts, totals.review.as_ref(), &alerts),
    }))
}

/// When the day began, so many minutes east of UTC.
fn midnight(at: UnixMicros, zone_minutes: i64) -> UnixMicros {
    let zone = zone_minutes * 60_000_000;
    let day = i64::try_from(DAY.as_micros()).unwrap_or(i64::MAX);
    UnixMicros(at.0 - (at.0 + zone).rem_euclid(day))
}

impl CallsView {
    fn of(snapshot: Snapshot<'_>) -> Self {
        let gone = snapshot.drain_seconds().map(|seconds| snapshot.now.plus(Duration::from_secs(seconds)));
        Self {
            owed: snapshot.owed(),
            next_at: snapshot.next_call_at(Lane::Withdrawal),
            gone_at: gone.filter(|_| snapshot.owed() > 0),
            allowance: snapshot.usage(),
        }
    }
}

impl LeadsView {
    fn of(snapshot: Snapshot<'_>) -> Self {
        let oldest = |lane: Lane| snapshot.totals().owed.get(&lane).and_then(|owed| owed.oldest);
        Self {
            waiting: LEADS.iter().map(|lane| snapshot.owed_in(*lane)).sum(),
            since: LEADS.iter().filter_map(|lane| oldest(*lane)).min(),
            next_at: snapshot.next_call_at(Lane::NewContact),
        }
    }
}

type Counted = BTreeMap<Tallied, Days>;
/// Which of the days.
type Day = fn(&mut Days) -> &mut u64;

impl Debugger {
    /// What was counted today, yesterday and a week ago, each as long into the day as it is now.
    async fn counted(&self, day: UnixMicros, at: UnixMicros) -> Result<Counted, ApiError> {
        let mut counted = Counted::new();
        let days: [(Duration, Day); 3] = [
            (Duration::ZERO, |days| &mut days.today),
            (DAY, |days| &mut days.yesterday),
            (WEEK, |days| &mut days.last_week),
        ];
        for (back, of) in days {
            // The half hour that is not over counts whole, on the days before too.
            let (from, to) = (Span::of(day.minus(back)), Span::of(at.minus(back).plus(SPAN)));
            for (tallied, count) in self.store.tallies(from, to).await.map_err(failed)? {
                *of(counted.entry(tallied).or_default()) += count;
            }
        }
        Ok(counted)
    }

    /// Where the latest events of an outcome came from, if there were any today.
    async fn dropped(
        &self,
        outcome: Outcome,
        day: UnixMicros,
        counted: &Counted,
    ) -> Result<Option<DroppedView>, ApiError> {
        let of_outcome = |(tallied, days): (&Tallied, &Days)| match tallied {
            Tallied::Event(_, _, of) if *of == outcome => days.today,
            Tallied::Event(..) | Tallied::Consent(..) | Tallied::Ended(_) => 0,
        };
        let today: u64 = counted.iter().map(of_outcome).sum();
        if today == 0 {
            return Ok(None);
        }
        let query = EventQuery {
            outcomes: vec![outcome],
            since: Some(day),
            ..EventQuery::newest(Limited::to(LOOKED_AT_MAX))
        };
        let latest = self.store.events(query).await.map_err(failed)?;
        let looked_at = latest.len() as u64;
        Ok(Some(DroppedView { outcome, today, looked_at, places: places(latest) }))
    }
}

/// From where most of some events came.
fn places(latest: Vec<EventTrail>) -> Vec<PlaceView> {
    let mut places: BTreeMap<(SourceName, String, Option<String>), PlaceView> = BTreeMap::new();
    for trail in latest {
        let key = (trail.source.clone(), trail.event.clone(), trail.page.clone());
        let EventTrail { source, event, page, reason, message_id, .. } = trail;
        places.entry(key).or_insert(PlaceView { source, event, page, count: 0, reason, message_id }).count +=
            1;
    }
    let mut places: Vec<PlaceView> = places.into_values().collect();
    places.sort_by_key(|place| std::cmp::Reverse(place.count));
    places.truncate(PLACES_MAX);
    places
}

fn events(counted: &Counted, settings: &Settings) -> Vec<EventsView> {
    let named = |name: &String| match (name.as_str(), settings.preset.event_name(name)) {
        ("", _) => None,
        (_, Some(written)) => Some(written.to_owned()),
        (_, None) => Some(name.clone()),
    };
    let view = |(tallied, days): (&Tallied, &Days)| match tallied {
        Tallied::Event(source, name, outcome) => {
            Some(EventsView { source: source.clone(), event: named(name), outcome: *outcome, days: *days })
        }
        Tallied::Consent(..) | Tallied::Ended(_) => None,
    };
    counted.iter().filter_map(view).collect()
}

fn ended(counted: &Counted) -> Vec<EndedView> {
    let view = |(tallied, days): (&Tallied, &Days)| match tallied {
        Tallied::Ended(state) => Some(EndedView { state: state.as_str(), days: *days }),
        Tallied::Event(..) | Tallied::Consent(..) => None,
    };
    counted.iter().filter_map(view).collect()
}

fn consent(counted: &Counted) -> Vec<ConsentView> {
    let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let view = |(tallied, days): (&Tallied, &Days)| match tallied {
        Tallied::Consent(source, tool, category, said) => Some(ConsentView {
            source: source.clone(),
            tool: some(tool),
            category: some(category),
            said: said.as_str(),
            days: *days,
        }),
        Tallied::Event(..) | Tallied::Ended(_) => None,
    };
    counted.iter().filter_map(view).collect()
}

/// What was ordered, what was told, and the last walk over all contacts, on one time line, the latest first.
fn changes(acts: Vec<Act>, review: Option<&Review>, alerts: &[Alert]) -> Vec<ChangeView> {
    let act = |act: Act| ChangeView {
        at: act.at,
        kind: act.kind.as_str(),
        who: Some(act.who).filter(|who| !who.is_empty()),
        about: act.about,
    };
    let note = |at, kind, about: String| ChangeView { at, kind, who: None, about };
    let mut changes: Vec<ChangeView> = acts.into_iter().map(act).collect();
    // Most walks are by the clock, and the first has nobody to look at.
    if let Some(review) = review.filter(|review| review.total > 0 && review.because != Because::Time) {
        let because = review.because.as_str();
        changes.push(note(
            review.began_at,
            "review_began",
            format!("{} contacts, because: {because}", review.total),
        ));
        let opened = format!("{} calls were queued", review.opened);
        changes.extend(review.ended_at.map(|at| note(at, "review_ended", opened)));
    }
    for alert in alerts {
        let Some(course) = &alert.course else { continue };
        changes.push(note(course.began_at, "alert_began", alert.cause.title().to_owned()));
        let ended = course.ended_at.map(|at| note(at, "alert_ended", alert.cause.title().to_owned()));
        changes.extend(ended);
    }
    changes.sort_by_key(|change| std::cmp::Reverse(change.at));
    changes.truncate(CHANGES_MAX);
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_of_whoever_looks() {
        let at = |text: &str| UnixMicros::parse(text).unwrap();
        for (now, zone, day) in [
            ("2026-03-01T09:30:00Z", 0, "2026-03-01T00:00:00Z"),
            ("2026-03-01T23:30:00Z", 60, "2026-03-01T23:00:00Z"),
            ("2026-03-01T03:00:00Z", -300, "2026-02-28T05:00:00Z"),
            ("2026-03-01T00:00:00Z", 330, "2026-02-28T18:30:00Z"),
        ] {
            assert_eq!(midnight(at(now), zone), at(day), "{now} {zone}");
        }
    }
}
