//! Counts what was asked of the store and has not reached who asked.
//!
//! While nothing is under way, nothing happens until time passes or somebody asks: that is how a simulation knows when
//! it may let time pass. Must not decide anything.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::store::{Answer, StoreError};

/// How many answers somebody still waits for.
#[derive(Clone, Debug, Default)]
pub(super) struct UnderWay(Arc<AtomicUsize>);

/// Counts for one answer until it is dropped.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl UnderWay {
    /// How many there are now.
    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }

    /// Counts an answer from now until it was taken or nobody wants it any more.
    pub(super) fn until_taken<T>(
        &self,
        answer: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Answer<T> {
        self.0.fetch_add(1, Ordering::AcqRel);
        let counted = Counted(Arc::clone(&self.0));
        Box::pin(async move {
            let taken = answer.await;
            drop(counted);
            taken
        })
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    #[tokio::test]
    async fn an_answer_counts_until_it_is_taken_or_dropped() {
        let under_way = UnderWay::default();
        let (taken, dropped) = (under_way.until_taken(ready(Ok(1))), under_way.until_taken(ready(Ok(2))));
        assert_eq!(under_way.count(), 2);
        assert_eq!(taken.await.unwrap(), 1);
        assert_eq!(under_way.count(), 1);
        drop(dropped);
        assert_eq!(under_way.count(), 0);
    }
}
