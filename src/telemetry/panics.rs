//! Panics: a defect that one input meets. Where it is known what the input was, everything else goes on.
//!
//! What a panic says may quote what was sent by somebody, so of a panic only the place in the code is logged or kept.

use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook};

use futures_util::FutureExt;

thread_local! {
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

const UNKNOWN: &str = "an unknown place";

/// Work met a defect in the code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a defect in the code at {place}")]
pub struct Panicked {
    /// The file, its line and column.
    pub place: String,
}

/// From now on, panics of this process are logged by their place alone.
pub fn log_places() {
    set_hook(Box::new(|panic| {
        let place = place(panic);
        tracing::error!(
            code = "panicked",
            place,
            "a defect in the code stopped a piece of work; please report the place"
        );
        PLACE.set(Some(place));
    }));
}

fn place(panic: &PanicHookInfo<'_>) -> String {
    panic.location().map_or_else(|| UNKNOWN.to_owned(), ToString::to_string)
}

/// Does some work; answers where it met a defect, if it did. What the work was changing then is of no use any more:
/// hand it copies.
///
/// # Errors
/// The place of the defect.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    PLACE.set(None);
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| panicked())
}

/// Waits for some work; answers where it met a defect, if it did. As with [`caught`], what it was changing is of no use any
/// more.
///
/// # Errors
/// The place of the defect.
pub async fn caught_in<T>(work: impl Future<Output = T>) -> Result<T, Panicked> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|_| panicked())
}

fn panicked() -> Panicked {
    Panicked { place: PLACE.take().unwrap_or_else(|| UNKNOWN.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_panics_ends_alone_and_what_it_said_is_kept_nowhere() {
        assert_eq!(caught(|| 4), Ok(4));
        let panicked = caught(|| panic!("jo@example.com")).unwrap_err();
        assert!(!panicked.to_string().contains("jo@"), "{panicked}");
        assert_eq!(caught(|| 5), Ok(5));
    }

    #[tokio::test]
    async fn work_that_waits_and_panics_ends_alone() {
        let panicked = caught_in(async { panic!("jo@example.com") }).await.map(|never: u8| never);
        assert!(!panicked.unwrap_err().to_string().contains("jo@"));
        assert_eq!(caught_in(async { 5 }).await, Ok(5));
    }
}
