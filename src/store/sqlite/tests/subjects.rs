//! Tests of deliveries of other records than contacts, and of folders from before there were any.

use super::*;
use crate::delivery::{CallKind, CompanyKey, DealKey, State, Subject};
use crate::store::sqlite::migrations;
use crate::store::{DeliveryQuery, DueQuery, Limited, Plan, Put};

fn deal(key: &str) -> Subject {
    DealKey::of("default", "order", key).unwrap().into()
}

/// A delivery of a deal of somebody.
fn of_deal(id: &str, key: &str, name: &str) -> Delivery {
    let id = DeliveryId(id.to_owned());
    let delivery = Delivery::open(id, account(), deal(key), Lane::Conversion, UnixMicros(1));
    Delivery { person: Some(email(name)), ..delivery }
}

fn of_company(id: &str, name: &str) -> Delivery {
    let key = CompanyKey::of(name).unwrap();
    Delivery::open(DeliveryId(id.to_owned()), account(), key, Lane::Conversion, UnixMicros(1))
}

async fn put(store: &SqliteStore, deliveries: impl IntoIterator<Item = Delivery>) {
    let puts = deliveries.into_iter().map(|delivery| Put::Delivery(0, delivery));
    state::put(store, puts).await.unwrap();
}

async fn due(store: &SqliteStore, query: DueQuery) -> Vec<(String, String)> {
    let (due, _) = store.due(query).await.unwrap();
    due.into_iter().map(|due| (due.id.0, due.subject.to_string())).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(id, subject)| ((*id).to_owned(), (*subject).to_owned())).collect()
}

#[tokio::test]
async fn one_record_has_one_call_on_its_way_and_its_person_s_other_records_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let jo = delivery("contact", "jo", Lane::Login, 1);
    put(
        &store,
        [
            jo.claim(),
            of_deal("first", "A-1", "jo"),
            of_deal("second", "A-2", "jo"),
            of_company("acme", "Acme"),
        ],
    )
    .await;
    let first = of_deal("later", "A-1", "jo").claim();
    put(&store, [first, delivery("withdrawal", "jo", Lane::Withdrawal, 2)]).await;
    let free = [("second", "deal:default/order/A-2"), ("acme", "company:acme")];
    assert_eq!(due(&store, due_query()).await, pairs(&free));
    // A withdrawal waits for the call of its contact, and for no deal's.
    let held = store.held_withdrawals(account()).await.unwrap();
    assert_eq!(held.into_iter().map(|id| id.0).collect::<Vec<_>>(), ["contact"]);
}

#[tokio::test]
async fn records_of_a_kind_that_is_shut_are_not_due() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    put(
        &store,
        [of_deal("deal", "A-1", "jo"), of_company("acme", "Acme"), delivery("contact", "jo", Lane::Login, 1)],
    )
    .await;
    let without = async |shut: &[CallKind]| {
        let query = DueQuery { shut: shut.to_vec(), ..due_query() };
        due(&store, query).await.into_iter().map(|(id, _)| id).collect::<Vec<_>>()
    };
    assert_eq!(without(&[]).await, ["deal", "acme", "contact"]);
    assert_eq!(without(&[CallKind::Deal]).await, ["acme", "contact"]);
    assert_eq!(without(&[CallKind::Deal, CallKind::Company]).await, ["contact"]);
}

#[tokio::test]
async fn deliveries_are_found_by_their_record_and_by_whom_they_are_about() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    put(
        &store,
        [of_deal("deal", "A-1", "jo"), of_company("acme", "Acme"), delivery("contact", "jo", Lane::Login, 1)],
    )
    .await;
    let found = async |email, subject| {
        let limit = Limited::to(9);
        let query =
            DeliveryQuery { limit, before: None, email, subject, state: None, account: None, reason: None };
        let rows = store.deliveries(query).await.unwrap();
        rows.into_iter().map(|row| row.delivery.id.0).collect::<Vec<_>>()
    };
    assert_eq!(found(Some(email("jo")), None).await, ["contact", "deal"]);
    assert_eq!(found(None, Some(deal("A-1"))).await, ["deal"]);
    assert_eq!(found(None, Some(email("jo").into())).await, ["contact"]);
    assert_eq!(found(Some(email("jo")), Some(deal("A-1"))).await, ["deal"]);
    assert!(found(None, Some(deal("A-2"))).await.is_empty());
    let dead = [of_deal("x", "A-3", "jo").die("refused".to_owned(), NOW)];
    put(&store, dead).await;
    let letters = store.dead_letters(account(), 0, 9).await.unwrap();
    assert_eq!(letters.into_iter().map(|letter| letter.subject).collect::<Vec<_>>(), [deal("A-3")]);
}

#[tokio::test]
async fn a_call_of_a_deal_that_a_process_left_on_its_way_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    put(&store, [of_deal("deal", "A-1", "jo").claim()]).await;
    drop(store);
    let store = open(folder.path());
    let left = store.delivery(DeliveryId("deal".to_owned())).await.unwrap().unwrap();
    assert_eq!(left.state, State::Retrying);
}

/// A delivery as it was written when there were contacts alone.
fn old_row(delivery: &Delivery, state: u8) -> String {
    let address = delivery.email().unwrap().as_str();
    let mut body = serde_json::to_value(delivery).unwrap();
    let fields = body.as_object_mut().unwrap();
    fields.remove("subject");
    fields.insert("email".to_owned(), address.into());
    format!(
        "INSERT INTO deliveries (id, account, email, lane, state, opened_at, next_attempt_at, revision, body)
         VALUES ('{}', '{}', '{address}', 3, {state}, 1, 1, 1, '{body}');",
        delivery.id, delivery.account.0
    )
}

#[tokio::test]
async fn deliveries_from_before_there_were_other_records_are_contacts_and_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let mut old = rusqlite::Connection::open(&path).unwrap();
    let before = migrations::STATE.iter().position(|step| step.contains("COLUMN subject")).unwrap();
    migrations::migrate(&mut old, &migrations::STATE[..before], &path).unwrap();
    let waits = delivery("waits", "jo", Lane::Login, 1);
    let flies = delivery("flies", "al", Lane::Login, 1).claim();
    let dead = delivery("dead", "mo", Lane::Login, 1).die("refused".to_owned(), NOW);
    old.execute_batch(&[old_row(&waits, 0), old_row(&flies, 1), old_row(&dead, 5)].concat()).unwrap();
    drop(old);
    let store = open(folder.path());
    let contacts = [("waits", "contact:jo@example.com"), ("flies", "contact:al@example.com")];
    assert_eq!(due(&store, due_query()).await, pairs(&contacts));
    let letters = store.dead_letters(account(), 0, 9).await.unwrap();
    let subjects: Vec<Subject> = letters.into_iter().map(|letter| letter.subject).collect();
    assert_eq!(subjects, [Subject::Contact(email("mo"))]);
    assert_eq!(store.delivery(waits.id.clone()).await.unwrap(), Some(waits.clone()));
    // Written again it is written as deliveries are now.
    let next = waits.claim();
    store.apply(Plan { puts: vec![Put::Delivery(1, next.clone())], ..Plan::default() }).await.unwrap();
    assert_eq!(store.delivery(next.id.clone()).await.unwrap(), Some(next));
}
