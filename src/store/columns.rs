//! Between our types and columns, whatever the engine.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::delivery::{Lane, NoSubject, State, Subject};
use crate::event::Email;
use crate::store::{ErrorClass, StoreError};
use crate::trail::Worth;

/// What the column `alone` holds of a place on a list, whose call others of the list share.
pub(in crate::store) const OF_A_LIST: i64 = 2;

/// A number as a column holds it. Ours never come near the end.
pub(in crate::store) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number from a column.
pub(in crate::store) fn uint(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// The number of a lane: 0 goes first.
pub(in crate::store) fn lane_number(lane: Lane) -> i64 {
    match lane {
        Lane::Withdrawal => 0,
        Lane::NewContact => 1,
        Lane::Conversion => 2,
        Lane::Login => 3,
        Lane::Refresh => 4,
        Lane::Backfill => 5,
    }
}

/// The lane of a number.
pub(in crate::store) fn lane(number: i64) -> Result<Lane, StoreError> {
    Lane::BY_PRECEDENCE
        .into_iter()
        .find(|lane| lane_number(*lane) == number)
        .ok_or_else(|| StoreError::Unreadable("lane", number.to_string()))
}

/// The number of a state of a delivery.
pub(in crate::store) fn state_number(state: State) -> i64 {
    match state {
        State::Waiting => 0,
        State::InFlight => 1,
        State::Retrying => 2,
        State::Delivered => 3,
        State::Superseded => 4,
        State::Dead => 5,
        State::Discarded => 6,
        State::Erased => 7,
    }
}

/// The state of a number.
pub(in crate::store) fn state(number: i64) -> Result<State, StoreError> {
    State::ALL
        .into_iter()
        .find(|state| state_number(*state) == number)
        .ok_or_else(|| StoreError::Unreadable("state", number.to_string()))
}

/// The number of a worth in a column.
pub(in crate::store) fn worth_number(worth: Worth) -> i64 {
    match worth {
        Worth::Anonymous => 0,
        Worth::Refresh => 1,
        Worth::Conversion => 2,
    }
}

/// The worth of a number.
pub(in crate::store) fn worth(number: i64) -> Result<Worth, StoreError> {
    let found = Worth::ALL.into_iter().find(|worth| worth_number(*worth) == number);
    found.ok_or_else(|| StoreError::Unreadable("worth", number.to_string()))
}

/// An address from a column.
pub(in crate::store) fn email(text: &str) -> Result<Email, StoreError> {
    Email::from_store(text).map_err(|problem| StoreError::Unreadable("email", problem.to_string()))
}

/// A subject from a column.
pub(in crate::store) fn subject(text: &str) -> Result<Subject, StoreError> {
    text.parse().map_err(|problem: NoSubject| StoreError::Unreadable("subject", problem.to_string()))
}

/// A document as text.
pub(in crate::store) fn to_text<T: Serialize>(
    what: &'static str,
    document: &T,
) -> Result<String, StoreError> {
    serde_json::to_string(document).map_err(|error| unreadable(what, &error))
}

/// A document from text.
pub(in crate::store) fn from_text<T: DeserializeOwned>(
    what: &'static str,
    text: &str,
) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| unreadable(what, &error))
}

/// Only where and what kind of error: the words of the library may repeat the content.
fn unreadable(what: &'static str, error: &serde_json::Error) -> StoreError {
    let kind = error.classify();
    StoreError::Unreadable(what, format!("{kind:?} in column {}", error.column()))
}

/// The kinds of rows that were told to be passed over: a list is read often, and its rows do not mend themselves.
static PASSED_OVER: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// A row of a list, or nothing where it alone can't be read: all others of the list go on without it. Said once a kind, for
/// as long as the process lives.
pub(in crate::store) fn or_passed_over<T>(
    what: &'static str,
    read: Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    match read {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.class() == ErrorClass::Document => {
            if PASSED_OVER.lock().unwrap_or_else(PoisonError::into_inner).insert(what) {
                tracing::error!(
                    what,
                    code = "row_passed_over",
                    %error,
                    "a stored row can't be read and is passed over; all others go on. A backup from before may help; report it"
                );
            }
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
