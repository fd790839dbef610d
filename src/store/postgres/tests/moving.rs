//! Tests of moving between the engines: everything arrives, nothing is left behind, and what is cut short leaves nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;

use rusqlite::Connection;
use rusqlite::types::Value;

use super::*;
use crate::allowance::SlotId;
use crate::erasure::Mark;
use crate::store::moving::carried::{Cell, GROUPS, Numbered, Row, Shape, TABLES, Table};
use crate::store::moving::{Export, Import, Moved, MovingError, export, import};
use crate::store::postgres::dial::{Dial, Purpose};
use crate::store::postgres::lease;
use crate::store::postgres::link::Link;
use crate::store::postgres::moving::{Filled, own};
use crate::store::postgres::value::{string, values};
use crate::store::sqlite::{Places, verify};
use crate::store::{Keys, Plan, Privacy, Progress, Put};

const ANYWHERE: Places = Places { network: true, ephemeral: true };

/// Rows of each table.
const ROWS: i64 = 40;

fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::at(NOW))
}

/// A schema of the cluster; none where PostgreSQL is not installed.
fn database(folder: &Path) -> Option<PostgresSettings> {
    Some(of_folder(cluster::private()?, folder, settings()))
}

fn imported(from: &Path, to: &PostgresSettings) -> Result<Moved, MovingError> {
    let order = Import { from: from.to_owned(), on: ANYWHERE, to: to.clone() };
    import(&order, &clock(), &mut |_| {})
}

fn exported(from: &PostgresSettings, to: &Path) -> Result<Moved, MovingError> {
    let order = Export { from: from.clone(), to: to.to_owned(), on: ANYWHERE, beside_nodes: false };
    export(&order, &clock(), &mut |_| {})
}

fn connected(settings: &PostgresSettings) -> (tokio::runtime::Runtime, Link) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let link = runtime.block_on(Dial::new(settings).unwrap().connect(Purpose::Write)).unwrap();
    (runtime, link)
}

/// The columns of every table of a folder.
fn columns_of_folder(folder: &Path) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for file in ["journal.db", "state.db"] {
        let file = Connection::open(folder.join(file)).unwrap();
        let sql = "SELECT m.name, c.name FROM sqlite_schema AS m, pragma_table_info(m.name) AS c WHERE m.type = 'table'";
        let mut statement = file.prepare(sql).unwrap();
        let rows = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        found.extend(rows.map(Result::unwrap));
    }
    found
}

/// What the embedded engine has and the tables that move do not name, and why it need not move.
const OF_FOLDERS: &[(&str, &str, &str)] = &[
    ("old_groups", "first count bytes", "the groups whose stream is 1"),
    ("pruned", "id journal_end", "where the journal ends moves by itself"),
    ("progress", "id position old_position events", "how far events took effect moves by itself"),
    ("tombstone_key", "id key", "the key moves by itself"),
    ("sqlite_sequence", "name seq", "the last numbers given move by themselves"),
    ("slots", "boottime boot", "the age of a slot is told by the clock of each engine"),
    ("sizes", "name size", "counted by the tables"),
    ("open_deliveries", "account lane state alone new_contact_of count", "counted by the tables"),
    ("held_deals", "account held count", "counted by the tables"),
    ("counted_happenings", "account state held count", "counted by the tables"),
    ("refusals", "account reason count", "counted by the tables"),
    ("output_sizes", "receiver state count bytes", "counted by the tables"),
];

/// The same of the engine for several nodes, beside `tenant`, which is 1.
const OF_DATABASES: &[(&str, &str, &str)] = &[
    ("migrations", "version at", "each engine has its own steps"),
    ("turns", "position old_position events", "how far events took effect moves by itself"),
    ("turns", "epoch holder expires_at last_plan confirmed settings", "the lease is of the nodes alone"),
    (
        "orders",
        "id mark at who role method route target body taken done_at status answer",
        "orders between nodes: what they changed moves, and who stops the nodes waits until none is left",
    ),
    ("heads", "last", "where the journal ends moves by itself"),
    ("heads", "bytes old_bytes", "counted when groups have arrived"),
    ("store_key", "key", "the key moves by itself"),
    ("deliveries", "epoch call_until", "a claim of the other engine is of no epoch, and void"),
    ("sizes", "name size", "counted by the tables"),
    ("open_deliveries", "account lane state alone new_contact_of count", "counted by the tables"),
    ("held_deals", "account held count", "counted by the tables"),
    ("counted_happenings", "account state held count", "counted by the tables"),
    ("refusals", "account hash reason count", "counted by the tables"),
    ("output_sizes", "receiver state count bytes", "counted by the tables"),
];

/// The columns that move and those that are known not to, as one engine names them.
fn known(
    left: &[(&str, &str, &str)],
    name: impl Fn(&Table, &'static str) -> Option<&'static str>,
) -> BTreeSet<(String, String)> {
    let left = left.iter().flat_map(|(table, columns, why)| {
        assert!(!why.is_empty());
        columns.split(' ').map(|column| ((*table).to_owned(), column.to_owned()))
    });
    let move_ = TABLES.iter().flat_map(|table| {
        let names = table.columns.iter().filter_map(|of| name(table, of.name)).collect::<Vec<_>>();
        names.into_iter().map(|column| (table.name.to_owned(), column.to_owned()))
    });
    left.chain(move_).collect()
}

#[test]
fn every_column_of_a_folder_moves_or_is_known_not_to() {
    let folder = tempfile::tempdir().unwrap();
    SqliteStore::open(folder.path(), settings(), clock()).unwrap().shut();
    let name = |table: &Table, column: &'static str| match (table.numbered, column) {
        // It is the number of the row.
        (Numbered::InOrder, "n") => None,
        (Numbered::No, "stream") if table.name == GROUPS.name => None,
        _ => Some(column),
    };
    assert_eq!(columns_of_folder(folder.path()), known(OF_FOLDERS, name));
}

#[test]
fn every_column_of_a_database_moves_or_is_known_not_to() {
    let folder = tempfile::tempdir().unwrap();
    let Some(settings) = database(folder.path()) else { return };
    drop(PostgresStore::open(settings.clone(), clock()).unwrap());
    let (runtime, link) = connected(&settings);
    let sql =
        "SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = $1";
    let rows = runtime.block_on(link.rows(sql, values![settings.schema.clone()])).unwrap();
    let found: BTreeSet<(String, String)> = rows
        .iter()
        .map(|row| (string(row, 0).unwrap(), string(row, 1).unwrap()))
        .filter(|(_, column)| column != "tenant")
        .collect();
    let mut known = known(OF_DATABASES, |_, column| Some(column));
    for table in TABLES {
        known.extend(own(table).iter().map(|(column, _)| (table.name.to_owned(), (*column).to_owned())));
    }
    assert_eq!(found, known);
}

/// Some value, another one for each row.
fn some(table: &Table, nth: i64, column: &'static str, shape: Shape) -> Cell {
    match (table.name, column) {
        // Flags are a bit of the number; numbers that are chosen from few are within them.
        (_, "state") if shape == Shape::Int => return Cell::Int(nth % 8),
        (_, "lane") => return Cell::Int(nth % 6),
        ("events", "worth") => return Cell::Int(nth % 3),
        ("export_rows", "whole") => return Cell::Int(nth % 2),
        // What can't be read moves as it is.
        ("deliveries" | "events", "body") if nth % 7 == 0 => return Cell::Text(format!("{{ {nth}")),
        ("deliveries", "body") => return Cell::Text(format!(r#"{{"reason":"why\u0000 {}"}}"#, nth % 3)),
        ("events", "body") => return Cell::Text(format!(r#"{{"page":"/page/{nth}"}}"#)),
        ("slots", "taken_at") => return Cell::Int(NOW.0 - 900_000_000 - nth),
        ("slots", "answered_at") if nth % 3 > 0 => return Cell::Int(NOW.0 - 600_000_000 - nth),
        _ => {}
    }
    let may_be_null = matches!(
        (table.name, column),
        ("deals", "found_by" | "held_for" | "held")
            | ("happenings", "email" | "person" | "target")
            | ("deliveries", "ended_at" | "new_contact_of")
            | ("slots", "answered_at" | "new_contact_of")
            | ("events", "person" | "email")
            | ("export_rows", "body")
            | ("outputs", "person" | "tried_at" | "error")
            | ("suppressed" | "forget_orders", "email")
            | ("forget_orders", "behind")
    );
    if may_be_null && nth % 3 == 0 {
        return Cell::Null;
    }
    match shape {
        Shape::Int => Cell::Int(nth + 1),
        Shape::Flag => Cell::Flag(nth % 2 == 1),
        Shape::Text if nth % 5 == 0 => Cell::Text(format!("{column}\0\u{1}\u{1}\u{2}{nth}ä")),
        Shape::Text => Cell::Text(format!("{column} {nth}")),
        Shape::Blob => Cell::Blob(vec![0, 255, u8::try_from(nth).unwrap()]),
    }
}

/// A folder with rows in every table, and numbers that were given to rows that are gone.
async fn full(folder: &Path) {
    let store: Arc<TestStore> = SqliteStore::open(folder, settings(), clock()).unwrap();
    for nth in 0..ROWS {
        let old = NewRecord { backfill: nth % 4 == 0, ..event(&format!("{{\"n\":{nth}}}")) };
        store.append(vec![old, event("{}")]).await.unwrap();
    }
    let progress = Progress { stream: Stream::Old, from: Position(0), to: Position(2), events: 1 };
    let plan = Plan { progress: Some(progress), ..Plan::default() };
    store.apply(plan).await.unwrap();
    store.shut();
    let file = Connection::open(folder.join("state.db")).unwrap();
    for table in TABLES.iter().filter(|table| table.name != GROUPS.name) {
        let numbered = table.numbered == Numbered::InOrder;
        let names: Vec<&str> = table
            .columns
            .iter()
            .map(|of| if numbered && of.name == "n" { "rowid" } else { of.name })
            .collect();
        let places = vec!["?"; names.len()].join(", ");
        let sql = format!("INSERT INTO {} ({}) VALUES ({places})", table.name, names.join(", "));
        for nth in 0..ROWS {
            let row: Row = table.columns.iter().map(|of| some(table, nth, of.name, of.shape)).collect();
            file.execute(&sql, rusqlite::params_from_iter(&row)).unwrap();
        }
    }
    file.execute_batch("UPDATE sqlite_sequence SET seq = seq + 1000").unwrap();
}

/// Everything that a folder holds, as text, but for what is its own.
fn dump(folder: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let files = ["journal.db", "state.db"].map(|file| Connection::open(folder.join(file)).unwrap());
    let numbers: Vec<&str> =
        TABLES.iter().filter(|table| table.numbered == Numbered::InOrder).map(|table| table.name).collect();
    for (table, column) in columns_of_folder(folder) {
        let own = ["boottime", "boot", "journal_end"].contains(&column.as_str());
        if !own {
            all.entry(table).or_default().insert(column);
        }
    }
    for (table, columns) in &mut all {
        let file = &files[usize::from(!["groups", "old_groups", "pruned"].contains(&table.as_str()))];
        let mut names: Vec<String> = std::mem::take(columns).into_iter().collect();
        names.extend(numbers.contains(&table.as_str()).then(|| "rowid".to_owned()));
        let sql = format!("SELECT {} FROM {table}", names.join(", "));
        let mut statement = file.prepare(&sql).unwrap();
        let row = |row: &rusqlite::Row<'_>| {
            (0..names.len()).map(|nth| row.get::<_, Value>(nth)).collect::<Result<Vec<_>, _>>()
        };
        *columns = statement.query_map((), row).unwrap().map(|row| format!("{:?}", row.unwrap())).collect();
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_with_everything_in_it_comes_back_row_for_row() {
    let folder = tempfile::tempdir().unwrap();
    let Some(settings) = database(folder.path()) else { return };
    let (data, back) = (folder.path().join("data"), folder.path().join("back"));
    full(&data).await;
    let before = dump(&data);
    let (there, out) = (data.clone(), back.clone());
    let database = settings.clone();
    let (came, went) = tokio::task::spawn_blocking(move || {
        (imported(&there, &database).unwrap(), exported(&database, &out).unwrap())
    })
    .await
    .unwrap();
    assert_eq!(came, went);
    let rows = came.tables.iter().map(|(_, rows)| *rows).collect::<Vec<_>>();
    assert_eq!(came.tables.len(), TABLES.len());
    assert!(rows.iter().all(|rows| *rows >= ROWS.cast_unsigned()), "{came:?}");
    assert_eq!(dump(&data), before, "what was imported is as it was");
    let after = dump(&back);
    for (table, rows) in &before {
        assert_eq!(after[table], *rows, "{table}");
    }
    assert_eq!(after.len(), before.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn both_engines_count_what_arrived_alike() {
    let folder = tempfile::tempdir().unwrap();
    let Some(settings) = database(folder.path()) else { return };
    full(folder.path()).await;
    let (data, database) = (folder.path().to_owned(), settings.clone());
    tokio::task::spawn_blocking(move || imported(&data, &database).map(drop)).await.unwrap().unwrap();
    let file = Connection::open(folder.path().join("state.db")).unwrap();
    let (counts, link) = tokio::task::spawn_blocking(move || connected(&settings)).await.unwrap();
    for (table, text) in [
        (
            "open_deliveries",
            "account || lane || '/' || state || '/' || alone || '/' || new_contact_of || '/' || count",
        ),
        ("held_deals", "account || held || '/' || count"),
        ("counted_happenings", "account || state || held || '/' || count"),
        ("output_sizes", "receiver || state || '/' || count || '/' || bytes"),
        ("refusals", "reason || '/' || count"),
        ("sizes", "name || '/' || (size > 0)"),
    ] {
        let sql = format!("SELECT {text} FROM {table}");
        let mut statement = file.prepare(&sql).unwrap();
        let ours: BTreeSet<String> =
            statement.query_map((), |row| row.get(0)).unwrap().map(|text| text.unwrap()).collect();
        let rows = link.rows(&sql.replace("(size > 0)", "(size > 0)::int"), values![]).await.unwrap();
        let theirs: BTreeSet<String> = rows.iter().map(|row| string(row, 0).unwrap()).collect();
        assert!(!ours.is_empty() && ours == theirs, "{table}: {ours:?} {theirs:?}");
    }
    counts.shutdown_background();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_begun_and_not_ended_leaves_nothing_and_a_second_one_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let Some(settings) = database(folder.path()) else { return };
    full(folder.path()).await;
    let data = folder.path().to_owned();
    tokio::task::spawn_blocking(move || {
        let begun = Filled::begin(&settings, &clock()).unwrap_or_else(|_| panic!("it is empty"));
        let (key, at) = (Cell::Text("user:1".to_owned()), Cell::Int(1));
        let people = TABLES.iter().find(|table| table.name == "people").unwrap();
        begun.put(people, &[vec![at.clone(), key, at.clone(), at, Cell::Text("{}".to_owned())]]).unwrap();
        // As where the process is killed.
        drop(begun);
        let (runtime, link) = connected(&settings);
        let there = runtime.block_on(link.rows("SELECT 1 FROM people", values![])).unwrap();
        assert!(there.is_empty());
        imported(&data, &settings).unwrap();
        assert!(matches!(imported(&data, &settings), Err(MovingError::Holds { .. })));
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_works_is_in_the_way_and_stays_undisturbed() {
    let folder = tempfile::tempdir().unwrap();
    let Some(settings) = database(folder.path()) else { return };
    let data = folder.path().join("data");
    full(&data).await;
    let works: Arc<TestStore> = PostgresStore::open_leading(settings.clone(), clock()).unwrap();
    let back = folder.path().join("back");
    let (to, from, database) = (back.clone(), data.clone(), settings.clone());
    tokio::task::spawn_blocking(move || {
        assert!(matches!(imported(&from, &database), Err(MovingError::NodeWorks(_))));
        assert!(matches!(exported(&database, &to), Err(MovingError::NodeWorks(_))));
        assert!(!to.exists());
    })
    .await
    .unwrap();
    append(&works, "{}").await.unwrap();
    // What it does meanwhile is not in the backup, which is as of one moment.
    let order = Export { from: settings.clone(), to: back.clone(), on: ANYWHERE, beside_nodes: true };
    let moved =
        tokio::task::spawn_blocking(move || export(&order, &clock(), &mut |_| {})).await.unwrap().unwrap();
    append(&works, "{}").await.unwrap();
    assert_eq!(moved.accepted, 1);
    assert_eq!(verify(&back).unwrap().findings, Vec::<String>::new());
    let from = back.clone();
    let refused = tokio::task::spawn_blocking(move || imported(&from, &settings)).await.unwrap();
    assert!(matches!(refused, Err(MovingError::Backup(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_waits_is_not_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let Some(settings) = database(folder.path()) else { return };
    let data = folder.path().join("data");
    full(&data).await;
    let (to, again) = (folder.path().join("back"), settings.clone());
    tokio::task::spawn_blocking(move || {
        imported(&data, &settings).unwrap();
        let (runtime, link) = connected(&settings);
        let sql = "INSERT INTO orders (mark, at, who, role, method, route, target, body)
                   VALUES ('m', 1, '', 'owner', 'POST', '/api/pause', '/api/pause', '')";
        runtime.block_on(link.batch(sql)).unwrap();
        let refused = exported(&again, &to).unwrap_err();
        assert!(matches!(refused, MovingError::Ordered(_, 1)) && refused.exit_code() == 75, "{refused}");
        assert!(!to.exists());
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_used_damaged_or_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let Some(database) = database(folder.path()) else { return };
    let data = folder.path().join("data");
    let store = SqliteStore::open(&data, settings(), clock()).unwrap();
    let (from, to) = (folder.path().to_owned(), database.clone());
    let none = tokio::task::spawn_blocking(move || imported(&from, &to)).await.unwrap().unwrap_err();
    assert_eq!(none.exit_code(), 2);
    let (from, to) = (data.clone(), database.clone());
    let used = tokio::task::spawn_blocking(move || imported(&from, &to)).await.unwrap().unwrap_err();
    assert_eq!(used.exit_code(), 75);
    store.shut();
    // One event counts as in effect that never was.
    let file = Connection::open(data.join("state.db")).unwrap();
    file.execute("UPDATE progress SET events = 1", ()).unwrap();
    drop(file);
    let torn = tokio::task::spawn_blocking(move || imported(&data, &database)).await.unwrap().unwrap_err();
    assert!(matches!(torn, MovingError::Damaged { .. }), "{torn}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_opened_the_empty_store_before_does_not_work_with_what_arrived() {
    let folder = tempfile::tempdir().unwrap();
    let Some(settings) = database(folder.path()) else { return };
    let data = folder.path().join("data");
    let store: Arc<TestStore> = SqliteStore::open(&data, super::settings(), clock()).unwrap();
    let gone = Mark::Email(email("gone"));
    let erased = Put::Privacy(Privacy::Tombstone(gone.clone(), NOW));
    store.apply(Plan { puts: vec![erased], ..Plan::default() }).await.unwrap();
    store.shut();
    let early = PostgresStore::open(settings.clone(), clock()).unwrap();
    let to = settings.clone();
    tokio::task::spawn_blocking(move || imported(&data, &to).map(drop)).await.unwrap().unwrap();
    let led = lease::try_lead(Arc::clone(&early.core), Arc::clone(&early.turn)).await;
    assert!(matches!(led, Err(StoreError::Fatal(_))), "{led:?}");
    drop(early);
    // One that starts now knows who was erased.
    let works: Arc<TestStore> = PostgresStore::open_leading(settings, clock()).unwrap();
    let keys = Keys { marks: [gone.clone()].into(), ..Keys::default() };
    assert_eq!(works.load(keys).await.unwrap().tombstones, BTreeMap::from([(gone, NOW)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_allowance_that_was_used_stays_used_on_both_ways() {
    let folder = tempfile::tempdir().unwrap();
    let Some(database) = database(folder.path()) else { return };
    let data = folder.path().join("data");
    let store: Arc<TestStore> = SqliteStore::open(&data, settings(), clock()).unwrap();
    let puts = vec![
        Put::SlotTaken(account(), SlotId(1), NOW),
        Put::SlotAnswered(account(), SlotId(1), NOW),
        Put::SlotTaken(account(), SlotId(2), NOW),
    ];
    store.apply(Plan { puts, ..Plan::default() }).await.unwrap();
    store.shut();
    let (back, to) = (folder.path().join("back"), database.clone());
    let (from, out) = (data.clone(), back.clone());
    let went = move || imported(&from, &to).and_then(|_| exported(&to, &out)).map(drop);
    tokio::task::spawn_blocking(went).await.unwrap().unwrap();
    // The one whose call nobody answered counts as answered when somebody takes over.
    let both: [Arc<TestStore>; 2] = [
        PostgresStore::open_leading(database, clock()).unwrap(),
        SqliteStore::open(&back, settings(), clock()).unwrap(),
    ];
    for store in both {
        let (slots, next) = store.slots(account(), NOW).await.unwrap();
        let answered: Vec<_> = slots.iter().map(|slot| (slot.id, slot.answered_at)).collect();
        assert_eq!(answered, [(SlotId(1), Some(NOW)), (SlotId(2), Some(NOW))]);
        assert_eq!(next, 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_written_where_nothing_is_and_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let Some(database) = database(folder.path()) else { return };
    let (full, killed) = (folder.path().join("full"), folder.path().join("killed"));
    SqliteStore::open(&full, settings(), clock()).unwrap().shut();
    // As a killed one leaves it.
    fs::create_dir(&killed).unwrap();
    fs::write(killed.join("restore.unfinished"), "exporting").unwrap();
    fs::write(killed.join("state.db"), "a part").unwrap();
    assert!(SqliteStore::open(&killed, settings(), clock()).is_err(), "nobody goes on with a part");
    drop(PostgresStore::open(database.clone(), clock()).unwrap());
    let out = killed.clone();
    tokio::task::spawn_blocking(move || {
        let refused = exported(&database, &full).unwrap_err();
        assert_eq!(refused.exit_code(), 2, "{refused}");
        exported(&database, &out).unwrap();
    })
    .await
    .unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&killed.join("state.db")), 0o600);
    assert_eq!(mode(&killed), 0o700);
    SqliteStore::open(&killed, settings(), clock()).unwrap();
}
