//! Playing calls ahead: whose turn it is when, call by call, until they leave in the same rhythm hour after hour; then whole
//! hours at once. Times are microseconds from now; calls that left before have negative ones.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Forecast, LaneOwed, Means, Sharing};
use crate::allowance::{HOUR, MINUTE};
use crate::delivery::{BULK_CONTACTS_MAX, LIST_CONTACTS_MAX, Lane};

/// Hours that are played without a rhythm before the last of them is taken for one. It bounds the work; a few are enough
/// for limits of an hour and a minute.
const HOURS_WITHOUT_RHYTHM_MAX: u32 = 24;

/// How many calls a window lets leave in its length.
#[derive(Clone, Copy)]
struct Pace {
    calls: usize,
    length: i64,
}

impl Pace {
    fn of(limit: u32, share_percent: u32, length: Duration) -> Option<Self> {
        let calls = (u64::from(limit) * u64::from(share_percent)).div_ceil(100);
        let calls = usize::try_from(calls).ok().filter(|calls| *calls > 0)?;
        Some(Self { calls, length: micros(length) })
    }

    /// When a call may leave after those of `log`, by this window.
    fn next(self, log: &VecDeque<i64>) -> i64 {
        let nth = log.len().checked_sub(self.calls);
        nth.and_then(|nth| log.get(nth)).map_or(i64::MIN, |left| left.saturating_add(self.length))
    }
}

/// What a share of both limits lets leave.
#[derive(Clone, Copy)]
struct Share {
    hour: Pace,
    minute: Pace,
}

impl Share {
    fn of(means: &Means<'_>, share_percent: u32) -> Option<Self> {
        let hour = Pace::of(means.limits.per_hour, share_percent, HOUR)?;
        let minute = Pace::of(means.limits.per_minute, share_percent, MINUTE)?;
        Some(Self { hour, minute })
    }

    fn next(self, log: &VecDeque<i64>) -> i64 {
        self.hour.next(log).max(self.minute.next(log))
    }
}

/// One lane while it is played.
struct LanePlay {
    share: Share,
    /// Contacts that wait for a bulk call.
    shared: u64,
    single: u64,
    /// First calls that count for a quota, by its number.
    held: Vec<(usize, u64)>,
    end: i64,
}

/// The quota of one source while it is played.
struct QuotaPlay {
    pace: Pace,
    made: VecDeque<i64>,
}

/// A job that is to be asked for.
struct Question {
    due: i64,
    /// The lanes whose contacts it brings, as a set of bits.
    brings: u32,
}

/// What leaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaving {
    Question,
    Bulk(usize),
    Held(usize, usize),
    Single(usize),
}

/// The state of a play.
pub(super) struct Play {
    now: i64,
    /// When calls left; no more of them than the limits look back at.
    log: VecDeque<i64>,
    whole: Share,
    lanes: Vec<LanePlay>,
    quotas: Vec<QuotaPlay>,
    sharing: Option<Sharing>,
    questions: VecDeque<Question>,
    calls: u64,
}

impl Play {
    /// A play that begins now.
    pub fn of(lanes: &[LaneOwed], means: &Means<'_>) -> Option<Self> {
        let mut log: Vec<i64> =
            means.ages.iter().filter(|age| **age < HOUR).map(|age| -micros(*age)).collect();
        log.sort_unstable();
        let whole = Share::of(means, 100);
        let Some(whole) = whole else {
            let nothing = lanes.iter().all(|lane| lane.load.contacts() == 0);
            return nothing.then(|| Self::over(lanes.len()));
        };
        let quotas = means.quotas.looks_back();
        let number = |source| means.quotas.iter().position(|(of, _)| of == source);
        let mut played = Vec::new();
        for LaneOwed { lane, share_percent, load } in lanes {
            let share = match Share::of(means, *share_percent) {
                Some(share) => share,
                None if load.contacts() == 0 => whole,
                None => return None,
            };
            // As few calls as there can be: how they are spread over lists is not known here.
            let single = load.single + load.listed.div_ceil(LIST_CONTACTS_MAX as u64);
            let mut lane_play = LanePlay { share, shared: load.shared, single, held: Vec::new(), end: 0 };
            for (source, contacts) in load.first.iter().filter(|(_, contacts)| **contacts > 0) {
                match number(source) {
                    Some(quota) => lane_play.held.push((quota, *contacts)),
                    None if *lane == Lane::Backfill => lane_play.shared += contacts,
                    None => lane_play.single += contacts,
                }
            }
            played.push(lane_play);
        }
        let quota = |(limit, ages): (u64, Vec<Duration>)| QuotaPlay {
            pace: Pace { calls: usize::try_from(limit).unwrap_or(usize::MAX).max(1), length: micros(HOUR) },
            made: ages.into_iter().map(|age| -micros(age)).collect(),
        };
        let asked = means.sharing.map_or(0, |sharing| micros(sharing.asked_after));
        let open = means.sharing.map_or(0, |sharing| sharing.jobs_open);
        let mut play = Self {
            now: 0,
            log: log.into(),
            whole,
            lanes: played,
            quotas: quotas.into_iter().map(quota).collect(),
            sharing: means.sharing,
            questions: (0..open).map(|_| Question { due: asked, brings: 0 }).collect(),
            calls: 0,
        };
        play.begin_sharing(lanes);
        Some(play)
    }

    /// One of lanes that owe nothing.
    fn over(lanes: usize) -> Self {
        let never = Pace { calls: usize::MAX, length: 0 };
        let share = Share { hour: never, minute: never };
        let lane = |_| LanePlay { share, shared: 0, single: 0, held: Vec::new(), end: 0 };
        Self {
            now: 0,
            log: VecDeque::new(),
            whole: share,
            lanes: (0..lanes).map(lane).collect(),
            quotas: Vec::new(),
            sharing: None,
            questions: VecDeque::new(),
            calls: 0,
        }
    }

    /// Whether there is a backlog; without one everybody goes in a call of their own.
    fn begin_sharing(&mut self, lanes: &[LaneOwed]) {
        let sharing = lanes.iter().filter(|owed| owed.lane.shares_calls());
        let waiting: u64 = sharing.map(|owed| owed.load.contacts()).sum();
        for (lane, owed) in self.lanes.iter_mut().zip(lanes) {
            if !owed.lane.shares_calls() {
                lane.single += std::mem::take(&mut lane.shared);
            }
        }
        if self.sharing.is_none_or(|sharing| waiting < sharing.contacts_min) {
            self.share_no_more();
        }
        self.go_on_sharing();
    }

    /// The last few of a backlog go in calls of their own.
    fn go_on_sharing(&mut self) {
        let shared: u64 = self.lanes.iter().map(|lane| lane.shared).sum();
        if self.sharing.is_none_or(|sharing| shared < sharing.until_fewer_than) {
            self.share_no_more();
        }
    }

    fn share_no_more(&mut self) {
        for lane in &mut self.lanes {
            lane.single += std::mem::take(&mut lane.shared);
        }
    }

    /// Plays to the end.
    pub fn run(mut self) -> Forecast {
        let length = micros(HOUR);
        let (mut began, mut hour, mut before) = (0, Vec::new(), Vec::new());
        let (mut left, mut without_rhythm) = (self.left(), 0);
        while let Some((at, leaving)) = self.next() {
            let passed = (at - began) / length;
            if passed > 0 {
                let rhythm = passed == 1 && (hour == before || without_rhythm >= HOURS_WITHOUT_RHYTHM_MAX);
                let hours = if rhythm { self.hours_alike(&left) } else { 0 };
                self.skip(hours, &left, hour.len());
                without_rhythm = if hours > 0 { 0 } else { without_rhythm + 1 };
                began = began.saturating_add(length.saturating_mul(passed.saturating_add(hours)));
                before = std::mem::take(&mut hour);
                left = self.left();
                continue;
            }
            hour.push((at - began, leaving));
            self.leave(at, leaving);
        }
        let from_now = |moment: i64| Duration::from_micros(u64::try_from(moment).unwrap_or(0));
        let ends = self.lanes.iter().map(|lane| from_now(lane.end)).collect();
        Forecast { ends, end: from_now(self.now), calls: self.calls }
    }

    /// What leaves next, and when; of what could leave at the same moment the first by precedence.
    fn next(&self) -> Option<(i64, Leaving)> {
        let room = |share: Share| share.next(&self.log).max(self.now);
        let question = self.questions.front().map(|one| (room(self.whole).max(one.due), Leaving::Question));
        let may_open = self.sharing.is_some_and(|sharing| self.questions.len() < sharing.jobs_max);
        let of_lanes = self.lanes.iter().enumerate().flat_map(|(nth, lane)| {
            let at = room(lane.share);
            let bulk = (lane.shared > 0 && may_open).then_some((at, Leaving::Bulk(nth)));
            let single = (lane.single > 0).then_some((at, Leaving::Single(nth)));
            let held = lane.held.iter().enumerate().filter(|(_, (_, left))| *left > 0);
            let held = held.filter_map(move |(place, (quota, _))| {
                let quota = self.quotas.get(*quota)?;
                Some((at.max(quota.pace.next(&quota.made)), Leaving::Held(nth, place)))
            });
            bulk.into_iter().chain(held).chain(single)
        });
        question.into_iter().chain(of_lanes).min_by_key(|(at, _)| *at)
    }

    fn leave(&mut self, at: i64, leaving: Leaving) {
        match leaving {
            Leaving::Question => {
                let brings = self.questions.pop_front().map_or(0, |question| question.brings);
                let lanes = self.lanes.iter_mut().enumerate();
                lanes.filter(|(nth, _)| (brings >> nth) & 1 == 1).for_each(|(_, lane)| lane.end = at);
            }
            Leaving::Bulk(_) => self.leave_in_bulk(at),
            Leaving::Held(nth, place) => {
                let Some(lane) = self.lanes.get_mut(nth) else { return };
                lane.end = at;
                let Some((quota, left)) = lane.held.get_mut(place) else { return };
                *left -= 1;
                if let Some(quota) = self.quotas.get_mut(*quota) {
                    quota.made.push_back(at);
                    let surplus = quota.made.len().saturating_sub(quota.pace.calls);
                    quota.made.drain(..surplus);
                }
            }
            Leaving::Single(nth) => {
                let Some(lane) = self.lanes.get_mut(nth) else { return };
                (lane.end, lane.single) = (at, lane.single - 1);
            }
        }
        self.now = at;
        self.calls += 1;
        self.log.push_back(at);
        let kept = self.whole.hour.calls.max(self.whole.minute.calls);
        let surplus = self.log.len().saturating_sub(kept);
        self.log.drain(..surplus);
    }

    /// A bulk call takes what waits in the lanes that have room, the first lane first.
    fn leave_in_bulk(&mut self, at: i64) {
        let (mut places, mut brings) = (BULK_CONTACTS_MAX as u64, 0);
        for (nth, lane) in self.lanes.iter_mut().enumerate() {
            if lane.shared > 0 && places > 0 && lane.share.next(&self.log) <= at {
                let taken = lane.shared.min(places);
                (lane.shared, places) = (lane.shared - taken, places - taken);
                brings |= 1 << nth;
            }
        }
        let asked_after = self.sharing.map_or(0, |sharing| micros(sharing.asked_after));
        self.questions.push_back(Question { due: at.saturating_add(asked_after), brings });
        self.go_on_sharing();
    }

    /// What is left, by lane and by how it leaves; beside it all that waits for bulk calls, less what ends them.
    fn left(&self) -> Vec<u64> {
        let shared: u64 = self.lanes.iter().map(|lane| lane.shared).sum();
        let few = self.sharing.map_or(0, |sharing| sharing.until_fewer_than);
        let of_lane = |lane: &LanePlay| {
            let held = lane.held.iter().map(|(_, left)| *left).collect::<Vec<_>>();
            [lane.shared, lane.single].into_iter().chain(held)
        };
        self.lanes.iter().flat_map(of_lane).chain([shared.saturating_sub(few)]).collect()
    }

    /// For how many hours the rhythm of the last one goes on at the least: until shortly before something has run out.
    fn hours_alike(&self, before: &[u64]) -> i64 {
        let hours = self.left().into_iter().zip(before).filter_map(|(now, before)| {
            let used = before.saturating_sub(now);
            Some(now.checked_div(used)?.saturating_sub(1))
        });
        hours.min().and_then(|hours| i64::try_from(hours).ok()).unwrap_or(0)
    }

    /// Lets so many hours pass, each like the one in which `before` became what is left now.
    fn skip(&mut self, hours: i64, before: &[u64], calls: usize) {
        let Some(times) = u64::try_from(hours).ok().filter(|times| *times > 0) else { return };
        let used: Vec<u64> =
            self.left().iter().zip(before).map(|(now, before)| before.saturating_sub(*now) * times).collect();
        let lanes = self.lanes.iter_mut().flat_map(|lane| {
            let held = lane.held.iter_mut().map(|(_, left)| left);
            [&mut lane.shared, &mut lane.single].into_iter().chain(held)
        });
        lanes.zip(used).for_each(|(left, used)| *left -= used);
        self.calls += calls as u64 * times;
        let passed = micros(HOUR).saturating_mul(hours);
        let questions = self.questions.iter_mut().map(|question| &mut question.due);
        let made = self.quotas.iter_mut().flat_map(|quota| quota.made.iter_mut());
        let moments = self.log.iter_mut().chain(questions).chain(made).chain([&mut self.now]);
        moments.for_each(|moment| *moment = moment.saturating_add(passed));
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
