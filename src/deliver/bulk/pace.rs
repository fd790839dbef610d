//! When a bulk call may leave, and when its job is asked for. Pure: moments are of the monotonic clock.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::allowance::Sharing;
use crate::deliver::config::BulkMode;
use crate::delivery::{BulkJob, DeliveryId, JOB_ASKED_EVERY, JOB_QUESTIONS_MAX, JobId};
use crate::freshsales::{JobReport, JobState};

/// Fewer contacts are no backlog: a bulk call and the question for its job are two calls.
pub(super) const CONTACTS_MIN: usize = 10;
/// Jobs that may be open at one time.
const JOBS_MAX: usize = 8;
/// A job is polled after this long at the earliest, and then after twice as long each time.
const POLL_FIRST: Duration = Duration::from_secs(5);
/// The wait between two polls of a job grows no further than this.
const POLL_MAX: Duration = Duration::from_mins(1);
/// While Freshsales takes no more bulk calls the backlog waits this long, doubling each time.
const BUSY_FIRST: Duration = Duration::from_mins(1);
/// After this many such waits the contacts of the backlog are sent one by one.
const BUSY_TIMES_MAX: u32 = 4;
/// After a bulk call that was refused or not answered no other one is made for this long, doubling each time.
const REST_FIRST: Duration = Duration::from_mins(1);
/// That wait grows no further than this.
const REST_MAX: Duration = Duration::from_hours(1);

/// What the loop remembers of bulk calls between rounds.
pub(in crate::deliver) struct Bulk {
    mode: BulkMode,
    jobs: Vec<OpenJob>,
    /// Contacts in bulk calls that have not been answered.
    under_way: u64,
    /// A backlog was seen, and has not drained.
    draining: bool,
    /// No bulk call leaves before.
    rest_until: Duration,
    /// Bulk calls in a row that brought nothing.
    rests: u32,
    /// The backlog waits until then, because Freshsales takes no bulk calls now.
    busy_until: Duration,
    /// How often in a row.
    busy: u32,
    /// No question leaves before: the allowance has no room.
    room_at: Duration,
    /// How long the last job was seen to take. Asking sooner costs a call and brings nothing.
    takes: Duration,
}

struct OpenJob {
    job: BulkJob,
    opened: Duration,
    polls: u32,
    poll_at: Duration,
    asking: bool,
    /// Somebody waits for it who ought not to wait long.
    hurried: bool,
}

/// How a question for a job ended.
pub(super) enum JobEnd {
    /// It is not done.
    Running,
    /// It has reported.
    Done(JobReport),
    /// It will not report any more.
    Lost(&'static str),
}

impl Bulk {
    /// Begins with the jobs that are stored.
    pub fn restored(mode: BulkMode, jobs: Vec<BulkJob>, now: Duration) -> Self {
        let mut bulk = Self {
            mode,
            jobs: Vec::new(),
            under_way: 0,
            draining: false,
            rest_until: Duration::ZERO,
            rests: 0,
            busy_until: Duration::ZERO,
            busy: 0,
            room_at: Duration::ZERO,
            takes: POLL_FIRST,
        };
        for job in jobs {
            bulk.open(job, now);
        }
        bulk
    }

    /// Whether a backlog goes in bulk now.
    pub fn is_ready(&self, now: Duration) -> bool {
        self.mode == BulkMode::Backlog && self.rest_until <= now
    }

    /// How a backlog of at least `contacts_min` shares calls; not at all while bulk calls bring nothing.
    pub fn sharing(&self, contacts_min: u64) -> Option<Sharing> {
        (self.mode == BulkMode::Backlog && self.rests == 0).then_some(Sharing {
            contacts_min: if self.draining { CONTACTS_MIN as u64 } else { contacts_min },
            until_fewer_than: CONTACTS_MIN as u64,
            asked_after: self.takes,
            jobs_max: JOBS_MAX,
            jobs_open: self.jobs.len(),
        })
    }

    /// Whether no more bulk calls may be opened now, while the backlog waits for the next.
    pub fn is_full(&self, now: Duration) -> bool {
        self.jobs.len() >= JOBS_MAX || self.busy_until > now
    }

    /// Whether there is a backlog, when so many contacts are owed that may share calls. One begins when `contacts_min` of
    /// them wait for a call, and drains until hardly any is left.
    pub fn has_backlog(&mut self, owed: u64, contacts_min: u64) -> bool {
        let waiting = owed.saturating_sub(self.carried());
        self.draining = waiting >= contacts_min || (self.draining && waiting >= CONTACTS_MIN as u64);
        self.draining
    }

    /// Contacts in bulk calls that have not been answered, or whose jobs have not ended.
    fn carried(&self) -> u64 {
        self.under_way + self.jobs.iter().map(|open| open.job.rows.len() as u64).sum::<u64>()
    }

    /// A bulk call leaves with so many contacts.
    pub fn left(&mut self, contacts: usize) {
        self.under_way += contacts as u64;
    }

    /// A bulk call with so many contacts has ended, whatever with.
    pub fn ended(&mut self, contacts: usize) {
        self.under_way = self.under_way.saturating_sub(contacts as u64);
    }

    /// A bulk call was taken.
    pub fn open(&mut self, job: BulkJob, now: Duration) {
        (self.rests, self.busy) = (0, 0);
        let poll_at = now.saturating_add(self.takes);
        self.jobs.push(OpenJob { job, opened: now, polls: 0, poll_at, asking: false, hurried: false });
    }

    /// Freshsales takes no bulk calls now.
    pub fn busy(&mut self, now: Duration) {
        if self.busy >= BUSY_TIMES_MAX {
            self.busy = 0;
            return self.rest(now);
        }
        self.busy_until = now.saturating_add(BUSY_FIRST.saturating_mul(2_u32.saturating_pow(self.busy)));
        self.busy += 1;
    }

    /// A bulk call was refused, or nobody knows its end.
    pub fn rest(&mut self, now: Duration) {
        self.rests = self.rests.saturating_add(1);
        let rest = REST_FIRST.saturating_mul(2_u32.saturating_pow(self.rests.min(16) - 1)).min(REST_MAX);
        self.rest_until = now.saturating_add(rest);
    }

    /// A job to ask for.
    pub fn due(&self, now: Duration) -> Option<&BulkJob> {
        let is_due = |open: &&OpenJob| !open.asking && open.poll_at.max(self.room_at) <= now;
        self.jobs.iter().find(is_due).map(|open| &open.job)
    }

    /// Whether a job is open.
    pub fn has_jobs(&self) -> bool {
        !self.jobs.is_empty()
    }

    /// Somebody waits for what these deliveries are on their way for: their jobs are asked for without the doubling.
    pub fn hurry(&mut self, waited_for: &BTreeSet<DeliveryId>, now: Duration) {
        let holds = |job: &BulkJob| job.rows.iter().any(|row| waited_for.contains(&row.delivery));
        for open in self.jobs.iter_mut().filter(|open| !open.hurried) {
            if holds(&open.job) {
                open.hurried = true;
                open.poll_at = open.poll_at.min(now.saturating_add(JOB_ASKED_EVERY));
            }
        }
    }

    /// When the next job is due, or bulk calls have rested; whatever comes first after now.
    pub fn next_due(&self, now: Duration) -> Option<Duration> {
        let polls = self.jobs.iter().filter(|open| !open.asking).map(|open| open.poll_at.max(self.room_at));
        let may_open =
            [self.rest_until, self.busy_until].into_iter().filter(|_| self.mode == BulkMode::Backlog);
        polls.chain(may_open).filter(|at| *at > now).min()
    }

    /// The allowance has no room for a question before.
    pub fn no_room_before(&mut self, moment: Duration) {
        self.room_at = moment;
    }

    /// A job is being asked for.
    pub fn asked(&mut self, id: &JobId) {
        if let Some(open) = self.jobs.iter_mut().find(|open| open.job.id == *id) {
            open.asking = true;
            open.polls = open.polls.saturating_add(1);
        }
    }

    /// What the answer to a question means for its job; one that has ended is not remembered.
    pub(super) fn end_of(&mut self, id: &JobId, state: &JobState, now: Duration) -> JobEnd {
        let Some(nth) = self.jobs.iter().position(|open| open.job.id == *id) else {
            return JobEnd::Running;
        };
        let Some(open) = self.jobs.get_mut(nth) else { return JobEnd::Running };
        let end = match state {
            JobState::Done(report) => JobEnd::Done(report.clone()),
            JobState::Gone => JobEnd::Lost("Freshsales knows the job no more"),
            JobState::Running if open.polls >= JOB_QUESTIONS_MAX => {
                JobEnd::Lost("its job did not report in time")
            }
            JobState::Running => {
                open.asking = false;
                let every = if open.hurried { JOB_ASKED_EVERY } else { POLL_MAX };
                open.poll_at = now.saturating_add(wait(open.polls).min(every));
                return JobEnd::Running;
            }
        };
        // A little less than it was seen to take: so it is found out when jobs become quicker.
        self.takes = (now.saturating_sub(open.opened) * 9 / 10).clamp(POLL_FIRST, POLL_MAX);
        self.jobs.remove(nth);
        if matches!(end, JobEnd::Lost(_)) {
            self.rest(now);
        }
        end
    }
}

/// How long to wait after the nth question.
fn wait(polls: u32) -> Duration {
    POLL_FIRST.saturating_mul(2_u32.saturating_pow(polls.min(16))).min(POLL_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixMicros;
    use crate::delivery::{AttemptRequest, BulkRow, DeliveryId};

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn job(id: &str) -> BulkJob {
        let call = AttemptRequest {
            method: String::new(),
            url: String::new(),
            headers: Vec::new(),
            body: serde_json::Value::Null,
        };
        BulkJob { id: JobId::parse(id).unwrap(), started_at: UnixMicros(0), call, rows: Vec::new() }
    }

    fn row() -> BulkRow {
        BulkRow { delivery: DeliveryId("d".to_owned()), attempt: 1 }
    }

    fn bulk() -> Bulk {
        Bulk::restored(BulkMode::Backlog, Vec::new(), at(0))
    }

    /// Asks for the job that is due and hears this.
    fn ask(bulk: &mut Bulk, state: &JobState, now: Duration) -> JobEnd {
        let id = bulk.due(now).expect("one is due").id.clone();
        bulk.asked(&id);
        assert!(bulk.due(now).is_none(), "it is being asked for");
        bulk.end_of(&id, state, now)
    }

    #[test]
    fn a_job_is_asked_for_after_5_seconds_and_then_ever_more_rarely() {
        let mut bulk = bulk();
        bulk.open(job("1"), at(0));
        let mut now = at(0);
        let mut waits = Vec::new();
        for _ in 0..6 {
            let due = bulk.next_due(now).unwrap();
            waits.push(due.saturating_sub(now).as_secs());
            now = due;
            assert!(matches!(ask(&mut bulk, &JobState::Running, now), JobEnd::Running));
        }
        assert_eq!(waits, [5, 10, 20, 40, 60, 60]);
    }

    #[test]
    fn a_job_that_somebody_waits_for_is_asked_for_every_15_seconds() {
        let mut bulk = bulk();
        bulk.open(BulkJob { rows: vec![row()], ..job("1") }, at(0));
        bulk.open(job("2"), at(0));
        for id in ["1", "2"] {
            let id = JobId::parse(id).unwrap();
            for nth in 0..6 {
                bulk.asked(&id);
                assert!(matches!(bulk.end_of(&id, &JobState::Running, at(nth)), JobEnd::Running));
            }
        }
        bulk.hurry(&BTreeSet::from([DeliveryId("d".to_owned())]), at(7));
        let (mut now, mut waits) = (at(7), Vec::new());
        for _ in 0..3 {
            let due = bulk.next_due(now).unwrap();
            waits.push(due.saturating_sub(now).as_secs());
            now = due;
            assert_eq!(bulk.due(now).unwrap().id.as_str(), "1", "the other keeps its pace");
            assert!(matches!(ask(&mut bulk, &JobState::Running, now), JobEnd::Running));
            bulk.hurry(&BTreeSet::from([DeliveryId("d".to_owned())]), now);
        }
        assert_eq!(waits, [15, 15, 15]);
    }

    #[test]
    fn a_job_is_given_up_within_the_time_that_is_shown() {
        let waits: Duration = (1..JOB_QUESTIONS_MAX).map(wait).sum();
        assert_eq!(POLL_MAX + waits, crate::delivery::JOB_REPORTS_WITHIN);
    }

    #[test]
    fn a_job_that_never_reports_is_given_up_after_20_questions_and_bulk_calls_rest() {
        let mut bulk = bulk();
        bulk.open(job("1"), at(0));
        let mut now = at(0);
        for nth in 1..=20 {
            now = bulk.next_due(now).unwrap();
            let end = ask(&mut bulk, &JobState::Running, now);
            assert_eq!(matches!(end, JobEnd::Lost(_)), nth == 20, "{nth}");
        }
        assert!(!bulk.is_ready(now) && bulk.is_ready(now + at(60)));
        assert_eq!(bulk.next_due(now), Some(now + at(60)));
    }

    #[test]
    fn a_backlog_begins_with_enough_that_wait_and_drains_to_a_few() {
        let mut bulk = bulk();
        assert!(!bulk.has_backlog(199, 200));
        assert!(bulk.has_backlog(200, 200));
        bulk.left(100);
        assert!(bulk.has_backlog(110, 200), "ten wait for a call");
        assert!(!bulk.has_backlog(109, 200));
        assert!(!bulk.has_backlog(299, 200), "a call that is not answered carries what it left with");
        bulk.ended(100);
        bulk.open(BulkJob { rows: vec![row(); 100], ..job("1") }, at(0));
        assert!(!bulk.has_backlog(299, 200) && bulk.has_backlog(300, 200));
    }

    #[test]
    fn the_first_question_comes_about_as_late_as_the_last_job_took() {
        let mut bulk = bulk();
        let report = || JobState::Done(JobReport::default());
        bulk.open(job("1"), at(0));
        assert!(matches!(ask(&mut bulk, &report(), at(50)), JobEnd::Done(_)));
        bulk.open(job("2"), at(100));
        assert_eq!(bulk.next_due(at(100)), Some(at(145)));
        assert!(matches!(ask(&mut bulk, &report(), at(700)), JobEnd::Done(_)));
        bulk.open(job("3"), at(1_000));
        assert_eq!(bulk.next_due(at(1_000)), Some(at(1_060)), "never later than a minute");
    }

    #[test]
    fn bulk_calls_rest_ever_longer_while_they_bring_nothing() {
        let mut bulk = bulk();
        let mut rests = Vec::new();
        for _ in 0..8 {
            bulk.rest(at(0));
            rests.push(bulk.next_due(at(0)).unwrap().as_secs() / 60);
        }
        assert_eq!(rests, [1, 2, 4, 8, 16, 32, 60, 60]);
        bulk.open(job("1"), at(3_600));
        bulk.rest(at(3_600));
        assert!(bulk.is_ready(at(3_660)), "one that was taken ends the row");
    }

    #[test]
    fn contacts_are_expected_to_share_calls_until_bulk_calls_bring_nothing() {
        let mut bulk = bulk();
        let expected = Sharing {
            contacts_min: 200,
            until_fewer_than: 10,
            asked_after: at(5),
            jobs_max: 8,
            jobs_open: 0,
        };
        assert_eq!(bulk.sharing(200), Some(expected));
        assert!(bulk.has_backlog(200, 200));
        assert_eq!(bulk.sharing(200), Some(Sharing { contacts_min: 10, ..expected }), "it goes on");
        bulk.rest(at(0));
        assert_eq!(bulk.sharing(200), None);
        bulk.open(job("1"), at(60));
        assert_eq!(bulk.sharing(200), Some(Sharing { contacts_min: 10, jobs_open: 1, ..expected }));
        assert_eq!(Bulk::restored(BulkMode::Off, vec![job("1")], at(0)).sharing(200), None);
    }

    #[test]
    fn a_backlog_waits_while_bulk_calls_are_not_taken_and_in_the_end_goes_by_itself() {
        let mut bulk = bulk();
        let mut waits = Vec::new();
        while bulk.is_ready(at(0)) {
            bulk.busy(at(0));
            assert!(bulk.is_full(at(0)) || !bulk.is_ready(at(0)));
            waits.extend(bulk.next_due(at(0)).map(|moment| moment.as_secs() / 60));
        }
        assert_eq!(waits, [1, 2, 4, 8, 1]);
    }

    #[test]
    fn stored_jobs_are_asked_for_whatever_the_mode_is() {
        let bulk = Bulk::restored(BulkMode::Off, vec![job("1")], at(7));
        assert!(!bulk.is_ready(at(1_000)));
        assert_eq!(bulk.next_due(at(7)), Some(at(12)));
        assert!(bulk.due(at(12)).is_some());
    }
}
