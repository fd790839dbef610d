//! Tests of processing over the embedded store.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::Processor;
use crate::clock::{Clock, ManualClock, Sleep, UnixMicros};
use crate::decision::test_settings;
use crate::event::{Kind, Position, SourceName};
use crate::person::{DEFAULT_PEOPLE, PersonId, PersonKey};
use crate::store::sqlite::SqliteStore;
use crate::store::{JournalEnd, Keys, NewRecord, Settings, SharedStore, Store};

const NOW: UnixMicros = UnixMicros(1_700_000_000_000_000);

/// A clock to which every step of the journal's effect takes 25 ms: what a slow disk needs for a sync.
struct SlowDisk {
    manual: ManualClock,
    processed: std::sync::OnceLock<std::sync::Mutex<JournalEnd>>,
}

impl Clock for SlowDisk {
    fn wall(&self) -> UnixMicros {
        self.manual.wall()
    }

    fn monotonic(&self) -> Duration {
        if let Some(processed) = self.processed.get() {
            let mut processed = processed.lock().unwrap();
            if processed.has_changed().unwrap_or(false) {
                processed.mark_unchanged();
                self.manual.advance(Duration::from_millis(25));
            }
        }
        self.manual.monotonic()
    }

    fn sleep_until(&self, deadline: Duration) -> Sleep {
        self.manual.sleep_until(deadline)
    }
}

fn says(nth: usize) -> NewRecord {
    NewRecord {
        source: SourceName("website".to_owned()),
        people: DEFAULT_PEOPLE.to_owned(),
        kind: Kind::Identify,
        received_at: NOW,
        at: NOW,
        message_id: format!("m{nth}"),
        backfill: false,
        raw: json!({"type": "identify", "userId": "jo", "traits": {"visits": nth}}).to_string(),
    }
}

#[tokio::test]
async fn a_slow_disk_makes_no_batch_smaller() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(SlowDisk { manual: ManualClock::at(NOW), processed: std::sync::OnceLock::new() });
    let shared = Arc::clone(&clock) as Arc<dyn Clock>;
    let settings = Settings { free_bytes_min: 0, ..Settings::default() };
    let store = SqliteStore::open(folder.path(), settings, Arc::clone(&shared)).unwrap();
    store.append((0..2_000).map(says).collect()).await.unwrap();
    clock.processed.set(std::sync::Mutex::new(store.processed_end())).unwrap();
    let processor = Processor {
        store: Arc::clone(&store) as SharedStore,
        settings: watch::Sender::new(Arc::new(test_settings())).subscribe(),
        clock: shared,
        owed: Arc::new(Notify::new()),
    };
    let stop = CancellationToken::new();
    let running = tokio::spawn(processor.run(stop.clone()));
    store.processed_end().wait_for(|processed| *processed == Position(2_000)).await.unwrap();
    stop.cancel();
    running.await.unwrap().unwrap();
    let jo = PersonKey { people: DEFAULT_PEOPLE.to_owned(), id: PersonId::User("jo".to_owned()) };
    let found = store.load(Keys { people: [jo.clone()].into(), ..Keys::default() }).await.unwrap();
    // Each batch writes her once: one to learn what an event costs, one for all the others.
    assert_eq!(found.people[&jo].revision, 2);
    store.shut();
}
