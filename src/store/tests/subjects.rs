//! Tests of deliveries of other records than contacts, and of folders from before there were any.

use super::*;
use crate::delivery::{CallKind, CompanyKey, DealKey, State, Subject};
use crate::store::{DeliveryQuery, DueQuery, Limited, Put};

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

async fn put(store: &Arc<TestStore>, deliveries: impl IntoIterator<Item = Delivery>) {
    let puts = deliveries.into_iter().map(|delivery| Put::Delivery(0, delivery));
    state::put(store, puts).await.unwrap();
}

pub(super) async fn due(store: &Arc<TestStore>, query: DueQuery) -> Vec<(String, String)> {
    let (due, _) = store.due(query).await.unwrap();
    due.into_iter().map(|due| (due.id.0, due.subject.to_string())).collect()
}

pub(super) fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
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
