//! Tests of damage: whatever is wrong with a folder is found, named, and never restored.

use super::*;
use crate::delivery::{Delivery, DeliveryId, Lane};

#[tokio::test]
async fn a_backup_that_was_changed_is_refused_by_name_and_nothing_is_restored() {
    let place = Place::new();
    place.open().shut();
    back_up(&place.data, &place.backup, NOW).unwrap();
    let file = place.backup.join("state.db");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let refused = brought_back(&place.order()).unwrap_err();
    assert_eq!(refused.exit_code(), 74);
    assert!(refused.to_string().contains("state.db is not what it was"), "{refused}");
    assert!(findings(&place.backup).iter().any(|line| line.contains("its checksum differs")));
    bytes.truncate(8192);
    fs::write(&file, &bytes).unwrap();
    assert!(brought_back(&place.order()).unwrap_err().to_string().contains("has 8192 bytes and had"));
    assert!(!place.other.exists());
    let manifest = place.backup.join("manifest.json");
    let text = fs::read_to_string(&manifest)
        .unwrap()
        .replace("admin-token", "x")
        .replace("journal.db", "../journal.db");
    fs::write(&manifest, text).unwrap();
    assert!(matches!(brought_back(&place.order()).unwrap_err(), CopyError::Damaged { .. }));
}

#[tokio::test]
async fn wherever_a_backup_is_damaged_it_is_found_and_refused() {
    const PAGE: usize = 4096;
    let place = Place::new();
    let store = place.open();
    append(&store, 20).await;
    progress(&store, 0, 5).await;
    accepted_jo(&store).await;
    store.shut();
    back_up(&place.data, &place.backup, NOW).unwrap();
    for name in ["state.db", "journal.db"] {
        let file = place.backup.join(name);
        let whole = fs::read(&file).unwrap();
        for place_of_byte in (0..whole.len()).step_by(PAGE / 2 + 24) {
            let mut bytes = whole.clone();
            bytes[place_of_byte] ^= 0xff;
            fs::write(&file, &bytes).unwrap();
            let found = findings(&place.backup);
            assert!(
                found[0].starts_with(name) && found[0].contains("checksum differs"),
                "{place_of_byte}: {found:?}"
            );
            assert!(
                matches!(brought_back(&place.order()), Err(CopyError::Damaged { .. })),
                "{place_of_byte}"
            );
        }
        fs::write(&file, &whole).unwrap();
    }
    assert_eq!(findings(&place.backup), Vec::<String>::new());
}

#[tokio::test]
async fn what_does_not_add_up_and_what_can_not_be_read_is_found() {
    let place = Place::new();
    let store = place.open();
    append(&store, 3).await;
    progress(&store, 0, 2).await;
    accepted_jo(&store).await;
    let delivery =
        Delivery::open(DeliveryId("d1".to_owned()), account(), email("jo"), Lane::Login, UnixMicros(7));
    put(&store, vec![Put::Delivery(0, delivery)]).await;
    store.shut();
    let state = rusqlite::Connection::open(place.data.join("state.db")).unwrap();
    state.execute("UPDATE contacts SET body = 'nonsense of jo@example.com'", ()).unwrap();
    state.execute("UPDATE counters SET value = 9 WHERE name GLOB 'outcome *'", ()).unwrap();
    drop(state);
    let journal = rusqlite::Connection::open(place.data.join("journal.db")).unwrap();
    journal.execute("INSERT INTO groups VALUES (9, 1, x'00')", ()).unwrap();
    drop(journal);
    let found = findings(&place.data);
    let has = |words: &str| found.iter().any(|line| line.contains(words));
    assert!(has("9 events were accepted, but 2 took effect and 2 wait"), "{found:#?}");
    assert!(has("2 events took effect, but 9 have an outcome"), "{found:#?}");
    assert!(has("0 deliveries were queued, but 1 are open and 0 have ended"), "{found:#?}");
    assert!(has("1 of the kind contact can't be read"), "{found:#?}");
    assert!(has("event 9 of the journal can't be read"), "{found:#?}");
    assert_eq!(found.len(), 5, "{found:#?}");
    assert!(!has("jo@example.com"), "what is read is not shown");
    assert!(matches!(back_up(&place.data, &place.backup, NOW), Err(CopyError::Torn)));
}
