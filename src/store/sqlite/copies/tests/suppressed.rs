//! Orders that nothing of an address is ever sent, over a restore.

use super::*;
use crate::store::{StateStore, Walks};

async fn note(store: &Arc<SqliteStore>, note: Privacy) {
    put(store, vec![Put::Privacy(note)]).await;
}

/// Addresses of the list, the newest first.
async fn listed(store: &Arc<SqliteStore>) -> Vec<Option<Email>> {
    store.suppressed(None, 10).await.unwrap().into_iter().map(|row| row.email).collect()
}

#[tokio::test]
async fn who_was_suppressed_after_the_backup_stays_so_and_whoever_was_let_go_since_too() {
    let place = Place::new();
    let store = place.open();
    put(&store, vec![Put::Contact(email("kim"), 0, Contact::default())]).await;
    note(&store, Privacy::Suppress(email("before"), NOW)).await;
    note(&store, Privacy::Suppress(email("let-go"), UnixMicros(NOW.0 - 1_000_000))).await;
    back_up(&place.data, &place.backup, NOW).unwrap();
    note(&store, Privacy::Suppress(email("kim"), NOW)).await;
    note(&store, Privacy::Suppress(email("stranger"), NOW)).await;
    note(&store, Privacy::Unsuppress(email("let-go"))).await;
    store.shut();
    let record = place.data.join("withdrawn.log");
    assert!(!fs::read_to_string(&record).unwrap().contains("example"), "hashes alone");

    let order = RestoreOrder { other_record: Some(record), ..place.order() };
    let (_, applied) = brought_back(&order).unwrap().record.unwrap();
    assert_eq!(applied, Applied { suppressed: 2, ..Applied::default() });
    let store = open(&place.other).unwrap();
    let asked = ["before", "let-go", "kim", "stranger", "nobody"].map(email);
    let keys = Keys { contacts: asked.into(), ..Keys::default() };
    let found: Vec<Email> = store.load(keys).await.unwrap().suppressed.into_keys().collect();
    assert_eq!(found, ["before", "kim", "stranger"].map(email));
    // Of whom the backup does not know the address, the hash alone is there.
    let mut addresses = listed(&store).await;
    addresses.sort();
    assert_eq!(addresses, [None, Some(email("before")), Some(email("kim"))]);
}

#[tokio::test]
async fn of_an_erased_address_the_hash_alone_stays_and_the_first_moment_counts() {
    let place = Place::new();
    let store = place.open();
    let later = UnixMicros(NOW.0 + 1);
    for at in [NOW, later] {
        note(&store, Privacy::Suppress(email("jo"), at)).await;
    }
    let rows = store.suppressed(None, 10).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.at).collect::<Vec<_>>(), [NOW]);
    note(&store, Privacy::Tombstone(Mark::Email(email("jo")), later)).await;
    assert_eq!(listed(&store).await, [None]);
    let keys = Keys { contacts: [email("jo")].into(), ..Keys::default() };
    assert_eq!(store.load(keys).await.unwrap().suppressed, [(email("jo"), NOW)].into());
    note(&store, Privacy::Suppress(email("sam"), NOW)).await;
    let second = store.suppressed(None, 1).await.unwrap();
    assert_eq!(second[0].email, Some(email("sam")));
    assert_eq!(store.suppressed(Some(second[0].place), 10).await.unwrap().len(), 1);
}
