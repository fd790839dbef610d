//! Tests of backups: what is in them, what is refused, and what a restore makes of them.

mod damage;
mod records;
mod settings;
mod suppressed;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::pair::Pair;
use super::*;
use crate::clock::{Clock, ManualClock, UnixMicros};
use crate::consent::{Category, Choice};
use crate::contact::{ConsentChange, Contact, Standing};
use crate::delivery::Account;
use crate::erasure::{ErasureStage, ErasureSubject, Mark};
use crate::event::{Email, Kind, Position, SourceName, Trust};
use crate::person::{Person, PersonKey};
use crate::store::sqlite::{OpenError, Places, SqliteStore};
use crate::store::{
    Journal, Keep, KeepTrail, Keys, NewRecord, Outbox, Plan, Privacy, Progress, Put, StateStore,
    StoreSettings, Stream, Upkeep, Versioned, Worths,
};

const NOW: UnixMicros = UnixMicros(1_700_000_000_000_000);
const PER_HOUR: u32 = 7;

struct Place {
    _folder: tempfile::TempDir,
    data: PathBuf,
    backup: PathBuf,
    other: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        Self { data: path("data"), backup: path("backup"), other: path("other"), _folder: folder }
    }

    fn open(&self) -> Arc<SqliteStore> {
        open(&self.data).unwrap()
    }

    fn order(&self) -> RestoreOrder {
        RestoreOrder {
            backup: self.backup.clone(),
            data: self.other.clone(),
            on: Places { network: false, ephemeral: true },
            replace: false,
            account: account(),
            calls_per_hour: PER_HOUR,
            record: None,
            other_record: None,
        }
    }
}

fn brought_back(order: &RestoreOrder) -> Result<Restored, CopyError> {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(NOW.plus(Duration::from_mins(10))));
    restore(order, &clock)
}

fn open(path: &Path) -> Result<Arc<SqliteStore>, OpenError> {
    let settings = StoreSettings { lock_wait: Duration::ZERO, free_bytes_min: 0, ..StoreSettings::default() };
    SqliteStore::open(path, settings, Arc::new(ManualClock::at(NOW.plus(Duration::from_mins(20)))))
}

fn account() -> Account {
    Account("acme.myfreshworks.com".to_owned())
}

fn email(name: &str) -> Email {
    Email::parse(&format!("{name}@example.com")).unwrap()
}

fn jo() -> PersonKey {
    "user:jo".parse().unwrap()
}

async fn append(store: &SqliteStore, count: usize) {
    let record = NewRecord {
        source: SourceName("website".to_owned()),
        people: "default".to_owned(),
        kind: Kind::Track,
        received_at: NOW,
        at: NOW,
        message_id: "m".to_owned(),
        backfill: false,
        trust: Trust::Server,
        raw: r#"{"type":"track"}"#.to_owned(),
    };
    store.append(vec![record; count]).await.unwrap();
}

async fn put(store: &SqliteStore, puts: Vec<Put>) {
    store.apply(Plan { puts, ..Plan::default() }).await.unwrap();
}

/// Lets events take effect, with an outcome each.
async fn progress(store: &SqliteStore, from: u64, to: u64) {
    let progress =
        Progress { stream: Stream::Live, from: Position(from), to: Position(to), events: to - from };
    let mut plan = Plan { progress: Some(progress), ..Plan::default() };
    (from..to).for_each(|_| plan.counts.outcome(crate::decision::Outcome::NotMapped));
    store.apply(plan).await.unwrap();
}

/// Jo, whose contact Freshsales has.
async fn accepted_jo(store: &SqliteStore) {
    let accepted = [("city".to_owned(), "Oslo".into())].into();
    let standing = Standing { accepted: Some(accepted), contact_id: Some(3), ..Standing::default() };
    let contact = Contact {
        members: [jo().to_string()].into(),
        standing: [(account(), standing)].into(),
        ..Contact::default()
    };
    put(store, vec![Put::Person(jo(), 0, Person::default()), Put::Contact(email("jo"), 0, contact)]).await;
}

async fn contact(store: &SqliteStore, name: &str) -> Versioned<Contact> {
    let keys = Keys { contacts: [email(name)].into(), ..Keys::default() };
    store.load(keys).await.unwrap().contacts.remove(&email(name)).unwrap()
}

fn findings(folder: &Path) -> Vec<String> {
    verify(folder).unwrap().findings
}

#[tokio::test]
async fn a_backup_of_a_running_store_is_whole_and_ours_alone_and_restores_as_it_was() {
    let place = Place::new();
    let store = place.open();
    append(&store, 5).await;
    progress(&store, 0, 2).await;
    fs::write(place.data.join("admin-token"), "token").unwrap();
    let made = back_up(&place.data, &place.backup, NOW).unwrap();
    assert_eq!((made.journal_end, made.taken_effect), (5, 2));
    append(&store, 3).await;
    assert_eq!(findings(&place.backup), Vec::<String>::new());
    assert_eq!(findings(&place.data), Vec::<String>::new());
    let rights = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(rights(&place.backup), 0o700);
    let mut names: Vec<String> = Vec::new();
    for file in fs::read_dir(&place.backup).unwrap().map(Result::unwrap) {
        assert_eq!(rights(&file.path()), 0o600, "{:?}", file.file_name());
        names.push(file.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["admin-token", "journal.db", "manifest.json", "state.db"]);

    brought_back(&place.order()).unwrap();
    assert_eq!(fs::read_to_string(place.other.join("admin-token")).unwrap(), "token");
    let restored = open(&place.other).unwrap();
    assert_eq!(*restored.journal_end().borrow(), Position(5));
    assert_eq!(restored.read(Stream::Live, Position(2), 10, 1 << 20).await.unwrap().len(), 3);
    restored.shut();
    assert_eq!(findings(&place.other), Vec::<String>::new());
}

#[tokio::test]
async fn a_backup_of_a_store_that_does_not_run_is_the_same_whatever_a_kill_left_in_its_log() {
    let place = Place::new();
    let store = place.open();
    append(&store, 2).await;
    store.shut();
    assert_eq!(back_up(&place.data, &place.backup, NOW).unwrap().journal_end, 2);
    assert!(place.open().refusing().is_none(), "it opens afterwards");
}

#[tokio::test]
async fn neither_pruning_nor_new_events_change_what_is_being_copied() {
    let place = Place::new();
    let store = place.open();
    append(&store, 4).await;
    progress(&store, 0, 1).await;
    let pair = Pair::begin(&place.data).unwrap();
    progress(&store, 1, 4).await;
    let all = Keep {
        journal_since: NOW.plus(Duration::from_hours(1)),
        journal_bytes_max: 1 << 30,
        won_since: UnixMicros(i64::MIN),
        trail: Worths::all(KeepTrail { since: NOW, bytes_max: 1 << 30 }),
        seen_since: NOW,
        seen_max: 1000,
    };
    assert!(store.prune(all).await.unwrap() > 0, "it went from the journal");
    append(&store, 2).await;
    assert!(pair.standing.adds_up());
    let processed = pair.standing.counted.unwrap().processed;
    assert_eq!(pair::waiting(&pair.journal, processed).unwrap(), 3);
    drop(pair);
    assert!(Pair::begin(&place.data).unwrap().standing.adds_up());
}

#[tokio::test]
async fn while_somebody_reads_for_long_events_are_taken_and_the_log_is_written_back_later() {
    let place = Place::new();
    let store = place.open();
    append(&store, 1).await;
    let pair = Pair::begin(&place.data).unwrap();
    append(&store, 1).await;
    assert!(!store.wipe().await.unwrap(), "somebody still reads what was");
    append(&store, 1).await;
    drop(pair);
    assert!(store.wipe().await.unwrap());
}

#[tokio::test]
async fn a_name_that_is_taken_and_a_place_in_the_data_folder_are_refused() {
    let place = Place::new();
    place.open().shut();
    fs::create_dir(&place.backup).unwrap();
    let refused = |target: &Path| back_up(&place.data, target, NOW).unwrap_err();
    assert!(matches!(refused(&place.backup), CopyError::Exists(_)));
    assert!(matches!(refused(&place.data.join("backup")), CopyError::Inside(_)));
    assert!(!place.data.join("backup.partial").exists());
    let nowhere = back_up(&place.other, &place.other.with_file_name("b"), NOW).unwrap_err();
    assert!(matches!(nowhere, CopyError::NoData { .. }));
    assert_eq!(nowhere.exit_code(), 2);
}

#[tokio::test]
async fn what_a_killed_backup_left_is_no_backup_and_is_taken_over_by_the_next() {
    let place = Place::new();
    place.open().shut();
    let partial = place.backup.with_file_name("backup.partial");
    fs::create_dir(&partial).unwrap();
    fs::write(partial.join("state.db"), "half").unwrap();
    let order = RestoreOrder { backup: partial.clone(), ..place.order() };
    let refused = brought_back(&order).unwrap_err();
    assert!(refused.to_string().contains("not a backup, or only a part of one"), "{refused}");
    assert!(!place.other.exists(), "nothing was changed");
    back_up(&place.data, &place.backup, NOW).unwrap();
    assert!(!partial.exists());
}

#[tokio::test]
async fn a_folder_in_use_or_not_empty_is_refused_and_what_was_there_can_be_moved_aside() {
    let place = Place::new();
    let store = place.open();
    append(&store, 2).await;
    back_up(&place.data, &place.backup, NOW).unwrap();
    append(&store, 1).await;
    let here = RestoreOrder { data: place.data.clone(), ..place.order() };
    let refused = brought_back(&here).unwrap_err();
    assert_eq!(refused.exit_code(), 75, "{refused}");
    store.shut();
    assert!(matches!(brought_back(&here).unwrap_err(), CopyError::NotEmpty(_)));
    let restored = brought_back(&RestoreOrder { replace: true, ..here.clone() }).unwrap();
    let moved = restored.moved_to.unwrap();
    assert_eq!(verify(&moved).unwrap().accepted, 3, "{moved:?}");
    assert_eq!(verify(&place.data).unwrap().accepted, 2);
    brought_back(&RestoreOrder { replace: true, ..here }).unwrap();
    assert_eq!(verify(&moved).unwrap().accepted, 3, "it stays");
}

#[tokio::test]
async fn a_restore_that_was_killed_keeps_the_service_from_starting_and_is_begun_again() {
    let place = Place::new();
    let store = place.open();
    append(&store, 2).await;
    store.shut();
    back_up(&place.data, &place.backup, NOW).unwrap();
    fs::create_dir(&place.other).unwrap();
    fs::write(place.other.join("restore.unfinished"), "copying").unwrap();
    fs::write(place.other.join("journal.db"), "half").unwrap();
    let Err(refused) = open(&place.other) else { panic!("it opened") };
    assert!(matches!(refused, OpenError::Unfinished(_)), "{refused}");
    assert_eq!(refused.exit_code(), 2);
    brought_back(&place.order()).unwrap();
    assert_eq!(*open(&place.other).unwrap().journal_end().borrow(), Position(2));
    // Killed while it moved what was there before: that is not deleted.
    let again = Place::new();
    fs::create_dir(&again.other).unwrap();
    fs::write(again.other.join("restore.unfinished"), "moving what was there").unwrap();
    fs::write(again.other.join("journal.db"), "of before").unwrap();
    let order = RestoreOrder { backup: place.backup.clone(), replace: true, ..again.order() };
    let moved = brought_back(&order).unwrap().moved_to.unwrap();
    assert_eq!(fs::read_to_string(moved.join("journal.db")).unwrap(), "of before");
}

#[tokio::test]
async fn after_a_restore_the_hour_is_used_and_contacts_are_sent_whole() {
    let place = Place::new();
    let store = place.open();
    accepted_jo(&store).await;
    put(&store, vec![Put::Contact(email("unknown"), 0, Contact::default())]).await;
    back_up(&place.data, &place.backup, NOW).unwrap();
    let restored = brought_back(&place.order()).unwrap();
    assert_eq!(restored.contacts, 1);
    let store = open(&place.other).unwrap();
    let now = NOW.plus(Duration::from_mins(20));
    let (slots, next) = store.slots(account(), now).await.unwrap();
    assert_eq!((slots.len(), next), (PER_HOUR as usize, u64::from(PER_HOUR) + 1));
    assert!(slots.iter().all(|slot| slot.answered_at.is_some()));
    assert!(contact(&store, "jo").await.document.standing[&account()].send_whole);
    assert!(contact(&store, "unknown").await.document.standing.is_empty());
}

fn denied() -> ConsentChange {
    ConsentChange {
        at: NOW,
        category: Category::from("marketing"),
        choice: Choice::Denied,
        key: "consent.marketing".to_owned(),
        value: "no".to_owned(),
        shown: false,
        tool: None,
        page: None,
        source: None,
    }
}

/// Jo is erased, Kim and somebody new withdraw, all after the backup.
async fn withdraw_after_the_backup(store: &SqliteStore) {
    let erased = [Mark::of(&jo()), Mark::Email(email("jo"))];
    put(
        store,
        erased.map(|mark| Put::Privacy(Privacy::Tombstone(mark, NOW.plus(Duration::from_mins(1))))).into(),
    )
    .await;
    let Versioned { revision, document: mut kim } = contact(store, "kim").await;
    kim.consent.changes.push(denied());
    put(store, vec![Put::Contact(email("kim"), revision, kim.clone())]).await;
    // Written again it is no withdrawal once more.
    put(store, vec![Put::Contact(email("kim"), revision + 1, kim.clone())]).await;
    put(store, vec![Put::Contact(email("new"), 0, kim)]).await;
}

#[tokio::test]
async fn who_was_erased_or_withdrew_after_the_backup_does_not_come_back_with_it() {
    let place = Place::new();
    let store = place.open();
    accepted_jo(&store).await;
    put(&store, vec![Put::Contact(email("kim"), 0, Contact::default())]).await;
    append(&store, 1).await;
    back_up(&place.data, &place.backup, NOW).unwrap();
    withdraw_after_the_backup(&store).await;
    let record = place.data.join("withdrawn.log");
    let text = fs::read_to_string(&record).unwrap();
    assert_eq!(text.lines().filter(|line| line.starts_with("withdrawn ")).count(), 2, "{text}");
    assert!(!text.contains("example") && !text.contains("jo"), "hashes alone");

    let order = RestoreOrder { other_record: Some(record), ..place.order() };
    let (_, applied) = brought_back(&order).unwrap().record.unwrap();
    assert_eq!(applied, Applied { erased: 1, withdrawn: 1, unknown: 1, ..Applied::default() });
    let store = open(&place.other).unwrap();
    let orders = store.erasures().await.unwrap().orders;
    let expected = ErasureStage::Ordered { subject: ErasureSubject::User(jo()), forget_in_crm: false };
    assert_eq!(orders.into_iter().map(|order| order.stage).collect::<Vec<_>>(), [expected]);
    let marks = [Mark::of(&jo()), Mark::Email(email("jo"))];
    let keys = Keys { marks: marks.into(), ..Keys::default() };
    assert_eq!(store.load(keys).await.unwrap().tombstones.len(), 2);
    let events = store.read(Stream::Live, Position(1), 10, 1 << 20).await.unwrap();
    let [event] = events.as_slice() else { panic!("{events:?}") };
    assert!(
        event.event.raw.contains("kim@example.com") && event.event.raw.contains("withdrawn"),
        "{event:?}"
    );
    store.shut();
    assert_eq!(findings(&place.other), Vec::<String>::new());
    let kept = fs::read_to_string(place.other.join("withdrawn.log")).unwrap();
    assert_eq!(kept.lines().count(), 5, "the service goes on with the record: {kept}");
}

#[tokio::test]
async fn a_record_of_another_folder_and_lines_cut_off_by_a_kill_tell_nothing() {
    let (place, stranger) = (Place::new(), Place::new());
    let store = stranger.open();
    accepted_jo(&store).await;
    put(&store, vec![Put::Contact(email("kim"), 0, Contact::default())]).await;
    withdraw_after_the_backup(&store).await;
    let own = place.open();
    accepted_jo(&own).await;
    back_up(&place.data, &place.backup, NOW).unwrap();
    let record = stranger.data.join("withdrawn.log");
    let order = RestoreOrder { other_record: Some(record), ..place.order() };
    assert!(matches!(brought_back(&order), Err(CopyError::Record { .. })));
    let (text, missing) = (place.data.with_file_name("text"), place.data.with_file_name("missing"));
    fs::write(&text, "hello\n").unwrap();
    for record in [text, missing] {
        let order = RestoreOrder { other_record: Some(record), ..place.order() };
        let refused = brought_back(&order).unwrap_err();
        assert_eq!(refused.exit_code(), 2, "{refused}");
        assert!(!place.other.exists(), "nothing is changed: {refused}");
    }
    let head = fs::read_to_string(stranger.data.join("withdrawn.log")).unwrap();
    back_up(&stranger.data, &stranger.backup, NOW).unwrap();
    let cut = stranger.data.with_file_name("cut.log");
    fs::write(&cut, format!("{}\nerased 2023-11", head.lines().nth(1).unwrap())).unwrap();
    let order = RestoreOrder { other_record: Some(cut), ..stranger.order() };
    let (_, applied) = brought_back(&order).unwrap().record.unwrap();
    assert_eq!(applied, Applied { unreadable: 1, ..Applied::default() });
}

#[tokio::test]
async fn without_a_record_a_restore_says_so() {
    let place = Place::new();
    place.open().shut();
    back_up(&place.data, &place.backup, NOW).unwrap();
    let restored = brought_back(&place.order()).unwrap();
    assert_eq!((restored.record, restored.looked_for), (None, place.other.join("withdrawn.log")));
}

#[tokio::test]
async fn a_folder_of_an_earlier_version_can_be_backed_up_and_restored_and_one_of_a_later_is_refused() {
    let place = Place::new();
    fs::create_dir(&place.data).unwrap();
    for (file, steps) in [
        ("journal.db", crate::store::sqlite::migrations::JOURNAL),
        ("state.db", crate::store::sqlite::migrations::STATE),
    ] {
        let path = place.data.join(file);
        let mut made = rusqlite::Connection::open(&path).unwrap();
        crate::store::sqlite::migrations::migrate(&mut made, &steps[..1], &path).unwrap();
    }
    back_up(&place.data, &place.backup, NOW).unwrap();
    assert!(verify(&place.backup).unwrap().earlier_version);
    brought_back(&place.order()).unwrap();
    open(&place.other).unwrap().shut();
    assert!(!verify(&place.other).unwrap().earlier_version);
    let state = rusqlite::Connection::open(place.data.join("state.db")).unwrap();
    state.pragma_update(None, "user_version", 99).unwrap();
    let later = back_up(&place.data, &place.backup.with_file_name("later"), NOW).unwrap_err();
    assert!(matches!(later, CopyError::Open(OpenError::Newer { found: 99, .. })), "{later}");
}
