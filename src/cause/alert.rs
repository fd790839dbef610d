//! One cause in time: it begins, is told, gets worse, is over. It survives a restart as a row of the store.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::kind::Cause;
use crate::clock::UnixMicros;

/// A cause that was not seen for so long is over: one that flickers is one.
pub const CALM: Duration = Duration::from_mins(2);
/// Of one cause no more than one message that it is there leaves in this time.
pub const TOLD_EVERY: Duration = Duration::from_hours(1);
/// A cause that stays as it is, is told again after this time.
pub const REMINDED_AFTER: Duration = Duration::from_hours(24);
/// A number that grew is a cause for so long after it last did.
pub const GROWN_FOR: Duration = Duration::from_hours(1);

/// A cause, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Which.
    pub cause: Cause,
    /// From when to when it was there last; none as long as it never was.
    pub course: Option<Course>,
    /// When it was last told that it is there, in whichever course.
    pub last_told_at: Option<UnixMicros>,
    /// The number that must not grow, where it is one that does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
}

/// A time in which a cause was there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Course {
    /// Since when.
    pub began_at: UnixMicros,
    /// When it was seen last.
    pub seen_at: UnixMicros,
    /// How bad it is, as a number that is compared alone.
    pub measure: u64,
    /// When the receiver took that it had begun, and how bad it was told to be last.
    pub told: Option<(UnixMicros, u64)>,
    /// When it was over.
    pub ended_at: Option<UnixMicros>,
    /// When the receiver took that it was over.
    pub end_told_at: Option<UnixMicros>,
    /// Why the receiver took nothing when it was told last.
    pub error: Option<String>,
}

/// A number that must not grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// How high it was last.
    pub count: u64,
    /// How high it was before it grew.
    pub before: u64,
    /// When it grew last.
    pub grown_at: Option<UnixMicros>,
}

/// What is to be told of a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// It is there.
    Began,
    /// It is still there: worse, or after a long time.
    Lasts,
    /// It is over.
    Ended,
}

impl Note {
    /// The word in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Began => "began",
            Self::Lasts => "lasts",
            Self::Ended => "ended",
        }
    }
}

impl Alert {
    /// A cause that never was there.
    #[must_use]
    pub fn none(cause: Cause) -> Self {
        Self { cause, course: None, last_told_at: None, level: None }
    }

    /// Whether it is there.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.course.as_ref().is_some_and(|course| course.ended_at.is_none())
    }

    /// Takes in that the cause was seen and how bad it is, or not seen.
    pub fn look(&mut self, measure: Option<u64>, now: UnixMicros) {
        let open = self.course.as_mut().filter(|course| course.ended_at.is_none());
        match (open, measure) {
            (Some(course), Some(measure)) => (course.seen_at, course.measure) = (now, measure),
            (None, Some(measure)) => {
                self.course = Some(Course {
                    began_at: now,
                    seen_at: now,
                    measure,
                    told: None,
                    ended_at: None,
                    end_told_at: None,
                    error: None,
                });
            }
            (Some(course), None) if now.since(course.seen_at) >= CALM => {
                course.ended_at = Some(course.seen_at);
                course.error = course.error.take().filter(|_| course.told.is_none());
            }
            (Some(_) | None, None) => {}
        }
    }

    /// Takes in how high a number is that must not grow; tells how high it was before, while it counts as grown.
    pub fn grows(&mut self, count: u64, now: UnixMicros) -> Option<u64> {
        let level = self.level.get_or_insert(Level { count, before: count, grown_at: None });
        let is_grown = |level: &Level| level.grown_at.is_some_and(|at| now.since(at) < GROWN_FOR);
        if count > level.count {
            if !is_grown(level) {
                level.before = level.count;
            }
            level.grown_at = Some(now);
        }
        level.count = count;
        is_grown(level).then_some(level.before)
    }

    /// What is to be told now.
    #[must_use]
    pub fn owes(&self, now: UnixMicros) -> Option<Note> {
        let course = self.course.as_ref()?;
        let passed = |wait| self.last_told_at.is_none_or(|told| now.since(told) >= wait);
        match (course.ended_at, course.told) {
            (None, None) => passed(TOLD_EVERY).then_some(Note::Began),
            (None, Some((_, told))) => {
                let again = passed(REMINDED_AFTER) || (course.measure > told && passed(TOLD_EVERY));
                again.then_some(Note::Lasts)
            }
            // Nobody is told the end of what they were not told the beginning of, unless it was tried.
            (Some(_), told) => {
                let known = told.is_some() || course.error.is_some();
                (known && course.end_told_at.is_none()).then_some(Note::Ended)
            }
        }
    }

    /// The receiver took a note.
    pub fn told(&mut self, note: Note, now: UnixMicros) {
        let Some(course) = &mut self.course else { return };
        course.error = None;
        match note {
            Note::Began | Note::Lasts => {
                let first = course.told.map_or(now, |(first, _)| first);
                course.told = Some((first, course.measure));
                self.last_told_at = Some(now);
            }
            Note::Ended => course.end_told_at = Some(now),
        }
    }

    /// The receiver did not take a note.
    pub fn not_told(&mut self, why: &str) {
        if let Some(course) = &mut self.course {
            course.error = Some(why.to_owned());
        }
    }

    /// The service starts: what was there is taken to be there still, until it was not seen for a while.
    pub fn starts(&mut self, now: UnixMicros) {
        if let Some(course) = self.course.as_mut().filter(|course| course.ended_at.is_none()) {
            course.seen_at = now;
        }
    }

    /// Whether a restart would make a difference between the two: not by when it was seen last.
    #[must_use]
    pub fn is_same_row(&self, other: &Self) -> bool {
        let row = |alert: &Self| {
            let mut row = alert.clone();
            if let Some(course) = row.course.as_mut() {
                (course.seen_at, course.measure) = (UnixMicros(0), 0);
            }
            row
        };
        row(self) == row(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: UnixMicros = UnixMicros(1_900_000_000_000_000);

    fn after(minutes: u64) -> UnixMicros {
        START.plus(Duration::from_mins(minutes))
    }

    fn blocked() -> Alert {
        Alert::none(Cause::Blocked)
    }

    /// What a receiver that takes everything is told, minute by minute; `there` says when the cause is, and how bad.
    fn told(minutes: u64, there: impl Fn(u64) -> Option<u64>) -> Vec<(u64, Note)> {
        let mut alert = blocked();
        let mut told = Vec::new();
        for minute in 0..minutes {
            alert.look(there(minute), after(minute));
            if let Some(note) = alert.owes(after(minute)) {
                alert.told(note, after(minute));
                told.push((minute, note));
            }
            assert_eq!(alert.owes(after(minute)), None, "one message at a time");
        }
        told
    }

    #[test]
    fn a_cause_is_told_once_and_its_end_too() {
        let course = |minute| (10..30).contains(&minute).then_some(0);
        assert_eq!(told(300, course), [(10, Note::Began), (31, Note::Ended)]);
    }

    #[test]
    fn a_cause_that_stays_is_told_again_after_a_day() {
        let day = 24 * 60;
        let expected = [(0, Note::Began), (day, Note::Lasts), (2 * day, Note::Lasts)];
        assert_eq!(told(2 * day + 60, |_| Some(7)), expected);
    }

    #[test]
    fn a_cause_that_gets_worse_is_told_once_an_hour() {
        let expected = [(0, Note::Began), (60, Note::Lasts), (120, Note::Lasts)];
        assert_eq!(told(170, |minute| Some(minute.min(100))), expected);
    }

    #[test]
    fn a_cause_that_flaps_is_told_at_most_once_an_hour_and_so_is_its_end() {
        // There for a minute in every ten: each is a course of its own.
        let flaps = told(6 * 60, |minute| (minute % 10 == 0).then_some(0));
        let began: Vec<u64> =
            flaps.iter().filter(|(_, note)| *note == Note::Began).map(|(at, _)| *at).collect();
        assert_eq!(began, [0, 60, 120, 180, 240, 300]);
        assert_eq!(flaps.len(), 12, "{flaps:?}");
        // There every other minute: it never ends.
        assert_eq!(told(60, |minute| (minute % 2 == 0).then_some(0)), [(0, Note::Began)]);
    }

    #[test]
    fn what_the_receiver_did_not_take_stays_owed_and_so_does_its_end() {
        let mut alert = blocked();
        alert.look(Some(0), START);
        alert.not_told("the receiver answered 500");
        assert_eq!(alert.owes(after(1)), Some(Note::Began));
        alert.look(None, after(5));
        assert_eq!(alert.owes(after(5)), Some(Note::Ended), "somebody is to learn that it was");
        alert.told(Note::Ended, after(6));
        assert_eq!(alert.owes(after(7)), None);
    }

    #[test]
    fn a_restart_neither_repeats_what_was_told_nor_forgets_the_end() {
        let mut alert = blocked();
        alert.look(Some(0), START);
        alert.told(Note::Began, START);
        let row = serde_json::to_string(&alert).unwrap();
        let mut alert: Alert = serde_json::from_str(&row).unwrap();
        alert.starts(after(90));
        alert.look(None, after(90));
        assert_eq!(alert.owes(after(90)), None, "it may only not have been seen yet");
        alert.look(None, after(92));
        assert_eq!(alert.owes(after(92)), Some(Note::Ended));
    }

    #[test]
    fn a_number_that_grows_is_a_cause_until_it_has_not_grown_for_an_hour() {
        let mut alert = Alert::none(Cause::DeadLetters);
        assert_eq!(alert.grows(5, START), None, "what was there before is not news");
        assert_eq!(alert.grows(7, after(1)), Some(5));
        assert_eq!(alert.grows(9, after(30)), Some(5));
        assert_eq!(alert.grows(8, after(89)), Some(5));
        assert_eq!(alert.grows(8, after(90)), None);
        assert_eq!(alert.grows(2, after(91)), None);
        assert_eq!(alert.grows(3, after(92)), Some(2));
    }

    #[test]
    fn a_row_is_written_when_something_happened_and_not_at_every_look() {
        let mut alert = blocked();
        alert.look(Some(0), START);
        let before = alert.clone();
        alert.look(Some(1), after(1));
        assert!(alert.is_same_row(&before));
        alert.told(Note::Began, after(1));
        assert!(!alert.is_same_row(&before));
    }

    #[test]
    fn every_cause_has_a_word_of_its_own() {
        for cause in Cause::ALL {
            assert_eq!(Cause::parse(cause.as_str()), Some(cause));
            assert_eq!(serde_json::to_value(cause).unwrap(), cause.as_str());
        }
    }
}
