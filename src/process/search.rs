//! The search for an event that can't be processed: batches become smaller until it is alone, and then grow again.
//!
//! Pure. Each stream has a search of its own, for its batches alone say where the event is.

use crate::event::Position;

/// What is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Search {
    /// Events of the next batch.
    pub(super) limit: usize,
    /// The event is not behind this position, while it is looked for.
    suspect: Option<Position>,
}

impl Search {
    /// After these events failed, because of the nth where that is known: those before it, or half of them. None where the
    /// first is the cause.
    pub(super) fn narrowed(positions: &[Position], nth: Option<usize>) -> Option<Self> {
        let limit = nth.unwrap_or(positions.len() / 2);
        let suspect = nth.map_or(positions.last(), |nth| positions.get(nth)).copied();
        (limit > 0).then_some(Self { limit, suspect })
    }

    /// After the event was put aside.
    pub(super) fn after_one() -> Self {
        Self { limit: 1, suspect: None }
    }

    /// After a success up to a position: half of what is left up to the event, then twice as much each time. None where
    /// that is as much as a turn takes.
    pub(super) fn widened(self, reached: Position, items: usize) -> Option<Self> {
        if let Some(suspect) = self.suspect.filter(|suspect| reached < *suspect) {
            let half = usize::try_from((suspect.0 - reached.0) / 2).unwrap_or(usize::MAX).max(1);
            return Some(Self { limit: half, ..self });
        }
        let limit = self.limit.saturating_mul(2);
        (limit < items).then_some(Self { limit, suspect: None })
    }
}
