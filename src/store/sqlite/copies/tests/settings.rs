//! Settings of the page in a backup.

use super::*;

const CHANGED: &str = "{\"settings\":{\"delivery\":{\"hold_seconds\":5}}}";
const SECRET: &str = "{\"key-1\":\"a-new-key\"}";

fn change_settings(data: &Path) {
    fs::create_dir(data.join("settings")).unwrap();
    for (name, content) in SETTINGS_FILES.into_iter().zip([CHANGED, SECRET]) {
        fs::write(data.join(name), content).unwrap();
        fs::set_permissions(data.join(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// What stands in both files, which nobody else can read.
fn in_folder(folder: &Path) -> Vec<String> {
    let content = |name: &str| {
        let mode = fs::metadata(folder.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
        fs::read_to_string(folder.join(name)).unwrap()
    };
    let mode = fs::metadata(folder.join("settings")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    SETTINGS_FILES.map(content).into()
}

async fn with_settings() -> Place {
    let place = Place::new();
    let store = place.open();
    append(&store, 2).await;
    drop(store);
    change_settings(&place.data);
    place
}

#[tokio::test]
async fn settings_of_the_page_are_in_a_backup_that_was_asked_for_them_alone_and_come_back_with_it() {
    let place = with_settings().await;
    let without = back_up(&place.data, &place.backup.with_file_name("without"), NOW).unwrap();
    assert!(!without.has_settings());
    assert!(!place.backup.with_file_name("without").join("settings").exists());

    let made = back_up_with_settings(&place.data, &place.backup, NOW).unwrap();
    assert!(made.has_settings());
    assert_eq!(in_folder(&place.backup), [CHANGED, SECRET]);
    assert_eq!(findings(&place.backup), Vec::<String>::new());
    let restored = brought_back(&place.order()).unwrap();
    assert!(restored.manifest.has_settings());
    assert_eq!(in_folder(&place.other), [CHANGED, SECRET]);
    open(&place.other).unwrap();
}

#[tokio::test]
async fn a_change_that_waits_does_not_come_back_with_a_backup_after_it_was_revoked() {
    let place = with_settings().await;
    let waits = r#"{"revision":3,"values":{"delivery":{"hold_seconds":5}},"pending":{"due":1}}"#;
    fs::write(place.data.join(SETTINGS_FILES[0]), waits).unwrap();
    back_up_with_settings(&place.data, &place.backup, NOW).unwrap();
    let copied: serde_json::Value = serde_json::from_str(&in_folder(&place.backup)[0]).unwrap();
    assert_eq!(copied, serde_json::json!({"revision": 3, "values": {"delivery": {"hold_seconds": 5}}}));
    assert_eq!(findings(&place.backup), Vec::<String>::new());
}

#[tokio::test]
async fn a_folder_whose_settings_nobody_changed_has_none_to_copy() {
    let place = Place::new();
    drop(place.open());
    let made = back_up_with_settings(&place.data, &place.backup, NOW).unwrap();
    assert!(!made.has_settings() && !place.backup.join("settings").exists());
    assert!(!brought_back(&place.order()).unwrap().manifest.has_settings());
}

#[tokio::test]
async fn settings_that_were_changed_in_a_backup_are_found_and_refused() {
    let place = with_settings().await;
    back_up_with_settings(&place.data, &place.backup, NOW).unwrap();
    fs::write(place.backup.join("settings/secrets.json"), SECRET.replace("new", "bad")).unwrap();
    assert!(findings(&place.backup)[0].contains("settings/secrets.json is not what it was"));
    let refused = brought_back(&place.order()).unwrap_err().to_string();
    assert!(refused.contains("settings/secrets.json"), "{refused}");
    assert!(!place.other.join("settings").exists());
}

#[tokio::test]
async fn a_backup_or_a_restore_with_settings_that_was_killed_is_begun_again() {
    let place = with_settings().await;
    let partial = place.backup.with_file_name("backup.partial");
    fs::create_dir_all(partial.join("settings")).unwrap();
    fs::write(partial.join("settings/secrets.json"), "of before").unwrap();
    back_up_with_settings(&place.data, &place.backup, NOW).unwrap();
    assert_eq!(in_folder(&place.backup), [CHANGED, SECRET]);

    fs::create_dir_all(place.other.join("settings")).unwrap();
    fs::write(place.other.join("settings/secrets.json"), "half").unwrap();
    fs::write(place.other.join("restore.unfinished"), "copying").unwrap();
    brought_back(&place.order()).unwrap();
    assert_eq!(in_folder(&place.other), [CHANGED, SECRET]);
}
