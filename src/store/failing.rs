//! What a store remembers of its failures: the one that ends it, and that there is no room.

use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use super::StoreError;

/// The first failure that nothing but a new start can mend; shared by all that touch the files.
#[derive(Clone, Debug)]
pub(in crate::store) struct Fatal(watch::Sender<Option<String>>);

impl Fatal {
    pub(in crate::store) fn none() -> Self {
        Self(watch::Sender::new(None))
    }

    /// Fails once there was a fatal failure.
    pub(in crate::store) fn check(&self) -> Result<(), StoreError> {
        match &*self.0.borrow() {
            Some(what) => Err(StoreError::Fatal(what.clone())),
            None => Ok(()),
        }
    }

    /// Remembers a failure if it is fatal and the first one.
    pub(in crate::store) fn note(&self, error: &StoreError) {
        if let StoreError::Fatal(what) = error {
            self.0.send_if_modified(|fatal| {
                let first = fatal.is_none();
                if first {
                    tracing::error!(error = %what, "the store failed: the service stops with exit code 74; start it again to recover");
                    *fatal = Some(what.clone());
                }
                first
            });
        }
    }

    pub(in crate::store) fn watch(&self) -> watch::Receiver<Option<String>> {
        self.0.subscribe()
    }
}

/// Why there is no room for events, while there is none. Says in the log when that begins and ends.
#[derive(Debug, Default)]
pub(in crate::store) struct Full(Mutex<Option<String>>);

impl Full {
    /// Why there is no room, if there is none.
    pub(in crate::store) fn why(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers a failure if it is a want of room and the first one.
    pub(in crate::store) fn note(&self, error: &StoreError) {
        let StoreError::Full(why) = error else { return };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| {
            tracing::error!(%why, "events are refused: there is no room to store them; delivery goes on");
            why.clone()
        });
    }

    /// There is room again.
    pub(in crate::store) fn ends(&self) {
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).take().is_some() {
            tracing::info!("there is room again; events are accepted");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use super::*;

    /// What was written to the log.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_leaves_one_line_in_the_log_when_it_begins_and_one_when_it_ends() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt().without_time().with_ansi(false).with_target(false);
        let subscriber = subscriber.with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, || {
            let full = Full::default();
            full.note(&StoreError::Conflict);
            full.ends();
            for free in 1..4 {
                full.note(&StoreError::no_disk(free));
            }
            assert_eq!(full.why().as_deref(), Some("the disk has 1 bytes left"));
            full.ends();
            full.ends();
            assert_eq!(full.why(), None);
        });
        let said = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(
            said,
            "ERROR events are refused: there is no room to store them; delivery goes on why=the disk has 1 bytes left\n \
             INFO there is room again; events are accepted\n"
        );
    }
}
