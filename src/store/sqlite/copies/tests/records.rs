//! Which files a restore takes as the record of erasures and withdrawals.

use super::*;

/// A store of its own folder with a backup, after which somebody withdrew; answers its record.
async fn with_a_record(place: &Place) -> PathBuf {
    let store = place.open();
    accepted_jo(&store).await;
    put(&store, vec![Put::Contact(email("kim"), 0, Contact::default())]).await;
    back_up(&place.data, &place.backup, NOW).unwrap();
    withdraw_after_the_backup(&store).await;
    place.data.join("withdrawn.log")
}

#[tokio::test]
async fn what_is_no_record_of_the_backup_s_folder_is_refused_before_anything_is_changed() {
    let (place, stranger) = (Place::new(), Place::new());
    with_a_record(&place).await;
    let strangers = with_a_record(&stranger).await;
    let file = |name: &str, bytes: &[u8]| {
        let path = place.backup.with_file_name(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    for (named, why) in [
        (file("notes.txt", b"erased jo yesterday\n"), "or none at all"),
        (file("empty", b""), "or none at all"),
        (file("binary", b"\xff\xfe\x00"), "it is not a text"),
        (place.backup.with_file_name("missing"), "there is no such file"),
        (place.backup.clone(), "it is a folder"),
        (strangers, "it is the record of another data folder"),
    ] {
        let order = RestoreOrder { other_record: Some(named), ..place.order() };
        let error = brought_back(&order).unwrap_err();
        assert!(matches!(&error, CopyError::Record { .. }) && error.to_string().contains(why), "{error}");
        assert_eq!(error.exit_code(), 2);
        assert!(!place.other.exists(), "{error}");
    }
}

#[tokio::test]
async fn of_a_record_that_several_folders_wrote_the_own_lines_count_and_one_cut_off_by_a_kill_is_told() {
    let (place, stranger) = (Place::new(), Place::new());
    let (own, strangers) = (with_a_record(&place).await, with_a_record(&stranger).await);
    let both = place.backup.with_file_name("both.log");
    let text = |path: &Path| fs::read_to_string(path).unwrap();
    fs::write(&both, format!("{}{}\nerased 2023-11", text(&strangers), text(&own))).unwrap();
    let order = RestoreOrder { other_record: Some(both), ..place.order() };
    let (_, applied) = brought_back(&order).unwrap().record.unwrap();
    assert_eq!(applied, Applied { erased: 1, withdrawn: 1, unknown: 1, unreadable: 1, ..Applied::default() });
}

#[tokio::test]
async fn a_record_in_its_place_that_is_of_other_folders_alone_says_as_little_as_none() {
    let (place, stranger) = (Place::new(), Place::new());
    with_a_record(&place).await;
    let strangers = with_a_record(&stranger).await;
    let order = RestoreOrder { record: Some(strangers.clone()), ..place.order() };
    let restored = brought_back(&order).unwrap();
    assert_eq!((restored.record, restored.looked_for), (None, strangers));
}
