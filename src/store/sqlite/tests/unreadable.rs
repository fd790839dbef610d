//! Tests of rows that can't be read: each costs what it held, and no other row.

use super::state::put;
use super::*;
use crate::contact::Contact;
use crate::delivery::{AttemptRequest, BulkJob, BulkRow, JobId, State};
use crate::erasure::{Erasure, ErasureSubject, ForgetId, ForgetOrder, Target};
use crate::store::{Privacy, Put};

/// Changes a row behind the store's back, as a damaged disk might.
fn damage(folder: &Path, sql: &str) {
    let file = rusqlite::Connection::open(folder.join(STATE_FILE)).unwrap();
    assert_eq!(file.execute(sql, ()).unwrap(), 1, "{sql}");
}

#[tokio::test]
async fn what_cannot_be_read_of_a_list_hides_no_other_row_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let damage = |sql| damage(folder.path(), sql);
    let deliveries = ["a", "b"].map(|name| delivery(&format!("d-{name}"), name, Lane::Conversion, NOW.0));
    let contacts = ["a", "b"].map(|name| Put::Contact(email(name), 0, Contact::default()));
    let forget = |nth| ForgetOrder {
        id: ForgetId { erasure: 3, nth },
        account: account(),
        target: Target::Address(email("gone")),
        behind: None,
        may_exist: false,
        next_attempt_at: UnixMicros(i64::try_from(nth).unwrap()),
        failures: 0,
        misses: 0,
    };
    let erasure = |id| Erasure::order(id, ErasureSubject::Email(email("gone")), false);
    let puts = deliveries.into_iter().map(|delivery| Put::Delivery(0, delivery)).chain(contacts);
    let notes = [0, 1].map(|nth| Privacy::Forget(Box::new(forget(nth)))).into_iter();
    let notes = notes.chain([3, 4].map(|id| Privacy::Erasure(Box::new(erasure(id)))));
    put(&store, puts.chain(notes.map(Put::Privacy))).await.unwrap();

    damage("UPDATE deliveries SET subject = 'nobody' WHERE id = 'd-a'");
    damage("UPDATE contacts SET email = 'a' WHERE email LIKE 'a@%'");
    damage("UPDATE forget_orders SET body = '{' WHERE nth = 0");
    damage("UPDATE erasures SET body = '{' WHERE id = 3");
    damage("INSERT INTO counters VALUES ('outcome of a later version', 1)");
    damage("INSERT INTO walks (name, body, revision) VALUES ('review', '{', 1)");

    let (due, _) = store.due(due_query()).await.unwrap();
    assert_eq!(due.into_iter().map(|due| due.id.0).collect::<Vec<_>>(), ["d-b"]);
    assert_eq!(store.contacts(None, 9).await.unwrap(), [email("b")]);
    assert_eq!(store.forgets(account(), NOW).await.unwrap().0.unwrap().id.nth, 1);
    assert_eq!(store.look_ups().await.unwrap().len(), 1);
    let open = store.erasures().await.unwrap();
    assert_eq!((open.orders.len(), open.unreadable, open.next_id), (1, 1, 5));
    let totals = store.totals(account()).await.unwrap();
    assert_eq!((totals.owed[&Lane::Conversion].count, totals.review), (2, None));
}

#[tokio::test]
async fn a_bulk_job_that_cannot_be_read_is_forgotten_and_its_contacts_are_owed_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let claimed = delivery("d1-0", "jo", Lane::Backfill, NOW.0).claim();
    let call = AttemptRequest {
        method: String::new(),
        url: String::new(),
        headers: Vec::new(),
        body: serde_json::Value::Null,
    };
    let rows = vec![BulkRow { delivery: claimed.id.clone(), attempt: 1 }];
    let job = BulkJob { id: JobId::parse("7").unwrap(), started_at: NOW, call, rows };
    let contact = Put::Contact(email("jo"), 0, calling("d1-0", None));
    put(&store, [Put::Delivery(0, claimed), contact, Put::BulkJob(account(), job)]).await.unwrap();
    drop(store);
    damage(folder.path(), "UPDATE bulk_jobs SET body = '{'");

    let store = open(folder.path());
    assert_eq!(store.bulk_jobs(account()).await.unwrap(), []);
    let delivery = store.delivery(DeliveryId("d1-0".to_owned())).await.unwrap().unwrap();
    assert!(matches!(delivery.state, State::Waiting | State::Retrying), "{:?}", delivery.state);
    assert_eq!(store.due(due_query()).await.unwrap().0.len(), 1);
}
