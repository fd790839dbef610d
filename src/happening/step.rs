//! The next step: which call a happening needs now, if any. A question comes before any repetition.
//!
//! Must not build bodies or resolve names.

use std::time::Duration;

use super::standing::{Held, Standing};
use crate::clock::UnixMicros;
use crate::delivery::{Birth, asked_at};

/// Rounds of questions without a clear answer after which a person decides.
pub const ROUNDS_MAX: u32 = 2;
/// Pages of a list that are looked through in one round.
pub const PAGES_MAX: u32 = 5;
/// After a round without a clear answer the next one waits this long.
const NEXT_ROUND: Duration = Duration::from_mins(4);

/// What bears on what is done next.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wish {
    /// What holds its call back.
    pub held: Option<Held>,
    /// Why it is not to be told any more.
    pub drop: Option<String>,
    /// The record that it hangs on is known by an id.
    pub has_target: bool,
    /// What is told can be found again.
    pub marker: bool,
    /// A call is given up without an answer after this long.
    pub attempt_timeout: Duration,
}

/// The next step of a happening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing is to be done.
    Nothing,
    /// Freshsales refused it.
    Refused,
    /// It is to be told, and can't be.
    Held(Held),
    /// It is not told, and never will be.
    Drop(String),
    /// Freshsales is asked for it, not before this moment.
    Ask {
        /// By which page of a list, from 1.
        page: u32,
        /// The list of the whole account is asked for: that of its record did not answer.
        everywhere: bool,
        /// Not before this moment.
        at: UnixMicros,
    },
    /// It is told.
    Tell,
}

/// The next step, by what is wanted and how the happening stands.
#[must_use]
pub fn next(wish: &Wish, standing: &Standing) -> Next {
    if standing.dropped.is_some() || standing.rides.is_some() {
        return Next::Nothing;
    }
    match standing.birth {
        Birth::Told { .. } | Birth::Sent => Next::Nothing,
        Birth::Unclear | Birth::Taken { .. } => Next::Held(Held::Unclear),
        Birth::Unanswered { asked, .. } if !wish.marker || asked >= ROUNDS_MAX => Next::Held(Held::Unclear),
        Birth::Unanswered { left_at, asked } => {
            if !wish.has_target {
                return Next::Held(wish.held.clone().unwrap_or(Held::Contact));
            }
            let first = asked_at(left_at, wish.attempt_timeout);
            let at = first.plus(NEXT_ROUND.saturating_mul(asked));
            Next::Ask { page: standing.pages + 1, everywhere: asked > 0, at }
        }
        Birth::Planned => match (&wish.drop, &wish.held) {
            (Some(why), _) => Next::Drop(why.clone()),
            (None, Some(held)) => Next::Held(held.clone()),
            (None, None) if standing.refused => Next::Refused,
            (None, None) => Next::Tell,
        },
    }
}
