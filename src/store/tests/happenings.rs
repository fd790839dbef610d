//! Notes, activities and tasks as they are stored: found, counted, due, let go.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::delivery::{Birth, CallKind, HappeningId, Subject};
use crate::happening::{Happening, Held, Standing as Told};
use crate::store::{Gone, HappeningQuery, Keys, Place, Plan, Put, Silent, Totals};

fn id(kind: &str, nth: usize) -> HappeningId {
    format!("{kind}-{nth:016}").parse().unwrap()
}

fn happening(email: &str, standing: Told) -> Happening {
    let email = Email::parse(email).ok();
    Happening { account: account(), email, standing, ..Happening::default() }
}

fn put(id: HappeningId, revision: u64, it: Happening) -> Plan {
    Plan { puts: vec![Put::Happening(Box::new((id, revision, it)))], ..Plan::default() }
}

#[tokio::test]
async fn what_is_told_is_found_by_whom_it_is_of_and_counted_by_how_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let held = Told { held: Some(Held::Contact), ..Told::default() };
    let told = Told { birth: Birth::Told { id: 7 }, ..Told::default() };
    store.apply(put(id("note", 1), 0, happening("ann@example.com", held.clone()))).await.unwrap();
    store.apply(put(id("task", 2), 0, happening("ann@example.com", told.clone()))).await.unwrap();
    store.apply(put(id("note", 3), 0, happening("bob@example.com", held))).await.unwrap();
    let happenings_of = BTreeSet::from(["ann@example.com".to_owned()]);
    let found = store.load(Keys { happenings_of, ..Keys::default() }).await.unwrap().happenings;
    assert_eq!(found.keys().cloned().collect::<Vec<_>>(), [id("note", 1), id("task", 2)]);
    let query = HappeningQuery { account: account(), after: None, limit: 9 };
    assert_eq!(store.open_happenings(query).await.unwrap(), [id("note", 1), id("note", 3)]);
    let counted = |totals: Totals| (totals.happenings, totals.held_happenings);
    let words = |pairs: &[(&str, u64)]| -> BTreeMap<String, u64> {
        pairs.iter().map(|(word, count)| ((*word).to_owned(), *count)).collect()
    };
    let before = counted(store.totals(account()).await.unwrap());
    assert_eq!(before, (words(&[("planned", 2), ("told", 1)]), words(&[("contact", 2)])));
    store.apply(put(id("note", 1), 1, happening("ann@example.com", told))).await.unwrap();
    let gone = Put::Gone(Gone::Happening(id("note", 3), 1));
    store.apply(Plan { puts: vec![gone], ..Plan::default() }).await.unwrap();
    let after = counted(store.totals(account()).await.unwrap());
    assert_eq!(after, (words(&[("told", 2)]), words(&[])));
}

#[tokio::test]
async fn of_a_kind_that_is_shut_nothing_is_due_and_of_the_others_all() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for (nth, kind) in ["note", "activity", "task"].into_iter().enumerate() {
        let subject = Subject::Happening(id(kind, nth));
        let delivery = Delivery::open(DeliveryId(kind.into()), account(), subject, Lane::Refresh, NOW);
        store.apply(Plan { puts: vec![Put::Delivery(0, delivery)], ..Plan::default() }).await.unwrap();
    }
    let without = async |shut: &[CallKind]| {
        let query = DueQuery {
            account: account(),
            now: NOW,
            lanes: vec![Lane::Refresh],
            order: DueOrder::LongestFirst,
            held: Vec::new(),
            shut: shut.to_vec(),
            limit: 9,
        };
        let (due, _) = store.due(query).await.unwrap();
        due.into_iter().map(|due| due.id.0).collect::<Vec<_>>()
    };
    assert_eq!(without(&[]).await, ["note", "activity", "task"]);
    assert_eq!(without(&[CallKind::Note]).await, ["activity", "task"]);
    assert_eq!(without(&[CallKind::Activity, CallKind::Task, CallKind::Deal]).await, ["note"]);
}

#[tokio::test]
async fn what_had_its_time_is_found_for_retention() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let told = Told { birth: Birth::Told { id: 7 }, ..Told::default() };
    let waits = |held| Told { held: Some(held), ..Told::default() };
    store.apply(put(id("note", 1), 0, happening("ann@example.com", told))).await.unwrap();
    store.apply(put(id("note", 2), 0, happening("", waits(Held::NoEmail)))).await.unwrap();
    store.apply(put(id("note", 3), 0, happening("ann@example.com", waits(Held::Contact)))).await.unwrap();
    let past = UnixMicros(0);
    let soon = UnixMicros(4_000_000_000_000_000);
    let found = async |people: UnixMicros, told: UnixMicros| {
        let silent = Silent { people, devices: past, told };
        let (keys, next) = store.silent(silent, Place::Happenings(0)).await.unwrap();
        assert_eq!(next, None);
        keys.happenings.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(found(past, past).await, []);
    assert_eq!(found(past, soon).await, [id("note", 1), id("note", 2)]);
    assert_eq!(found(soon, past).await, [id("note", 3)]);
}
