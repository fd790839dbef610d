//! Tests of orders to forget contacts: when each goes on, whom it holds up, and what an older file had of them.

use super::state::put;
use super::*;
use crate::erasure::{
    CallEnd, Erasure, ErasureSubject, ForgetEnd, ForgetId, ForgetOrder, Forgetting, Target,
};
use crate::store::{Privacy, Put};

#[tokio::test]
async fn whoever_is_looked_up_in_the_crm_waits_for_its_answer_and_one_call_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let order = |nth, address: &str, behind: Option<&str>| ForgetOrder {
        id: ForgetId { erasure: 3, nth },
        account: account(),
        target: Target::Address(email(address)),
        behind: behind.map(|id| DeliveryId(id.to_owned())),
        may_exist: false,
        next_attempt_at: UnixMicros(NOW.0 + i64::try_from(nth).unwrap()),
        failures: 0,
        misses: 0,
    };
    let note = async |notes: Vec<Privacy>| put(&store, notes.into_iter().map(Put::Privacy)).await.unwrap();
    let erased = Erasure::order(3, ErasureSubject::Email(email("x")), true);
    note(vec![Privacy::Erasure(Box::new(erased))]).await;
    let orders = [order(0, "a", Some("d1-0")), order(1, "c", None)];
    note(orders.iter().cloned().map(|order| Privacy::Forget(Box::new(order))).collect()).await;
    let later = UnixMicros(NOW.0 + 9);
    assert_eq!(store.forgets(account(), NOW).await.unwrap(), (None, Some(orders[1].next_attempt_at)));
    assert_eq!(store.forgets(account(), later).await.unwrap(), (Some(orders[1].clone()), None));
    // The call on its way wrote nothing, so there is nobody to look for.
    note(vec![Privacy::CallEnded(DeliveryId("d1-0".to_owned()), CallEnd::NotWritten)]).await;
    assert_eq!(store.look_ups().await.unwrap(), [orders[1].clone()]);
    let counted = Forgetting { waiting: 1, not_found: 1, ..Forgetting::default() };
    assert_eq!(store.erasure(3).await.unwrap().unwrap().1, counted);

    put(&store, [Put::Delivery(0, delivery("d2-0", "c", Lane::Conversion, NOW.0))]).await.unwrap();
    let due = due_query();
    assert_eq!(store.due(due.clone()).await.unwrap().0, []);
    let ended = || Privacy::ForgetEnded(orders[1].id, ForgetEnd::Forgotten);
    note(vec![ended(), ended()]).await;
    assert_eq!(store.due(due).await.unwrap().0.len(), 1);
    let counted = Forgetting { forgotten: 1, not_found: 1, ..Forgetting::default() };
    assert_eq!(store.erasure(3).await.unwrap().unwrap().1, counted, "an end counts once");
}
