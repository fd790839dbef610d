//! What a mapping would change, looked at and applied in the debugger, by mouse and by keyboard.

use serde_json::json;

use super::debugger::{debugger, go};
use crate::support::app::Setup;
use crate::support::events::{ann, identify_ann, lead_of_ann};

#[tokio::test]
async fn a_mapping_is_looked_at_and_a_reload_asks_before_it_owes_calls() {
    let service = Setup::new().start().await;
    service.send_all((0..3).flat_map(|nth| [identify_ann(nth), lead_of_ann(nth)]).collect()).await;
    service.settled().await;
    let browser = debugger(&service).await;
    go(&browser, "#/plan").await;
    browser.fill("#plan-text", "[fields.keyword]\nform = 1\n").await;
    browser.click("main button[type=submit]").await;
    browser.shows("main .note.stop", "mapping.file").await;
    let mapping = "[fields.keyword]\nfrom = [\"traits.last_name\"]\n";
    browser.fill("#plan-text", mapping).await;
    browser.click("main button[type=submit]").await;
    browser.shows("main .note.wait", "3 calls would become owed").await;
    browser.shows("main .note.wait", "All 3 contacts were looked at").await;
    browser.shows("main", "3 contacts get a value").await;
    browser.shows("main .comparison", "No").await;
    for (theme, width, height) in [("light", 1280, 1400), ("dark", 1280, 1400), ("phone", 390, 844)] {
        browser.color_scheme(if theme == "dark" { "dark" } else { "light" }).await;
        browser.size(width, height).await;
        browser.screenshot(&format!("plan-{theme}")).await;
        let wider = browser.run("return document.documentElement.scrollWidth - innerWidth").await;
        assert!(wider.as_i64().unwrap() <= 0, "wider than the screen ({theme}): {wider}");
    }
    browser.size(1280, 900).await;
    assert_eq!(service.crm.calls(), 3, "looking changes nothing");

    let file = service.data_folder().join("mapping.toml");
    std::fs::write(&file, mapping).unwrap();
    service.set("MAPPING__FILE", file.to_str().unwrap());
    browser.press("8").await;
    browser.shows("main .actions", "Reload configuration").await;
    browser.click("main .actions button:last-child").await;
    browser.shows("dialog", "3 calls would become owed").await;
    browser.click("dialog .actions button:not(.primary)").await;
    assert_eq!(service.crm.calls(), 3, "it was not applied");
    browser.click("main .actions button:last-child").await;
    browser.shows("dialog", "3 calls would become owed").await;
    // By keyboard: the form of the dialog is submitted.
    browser.run("document.querySelector('dialog .primary').focus()").await;
    browser.press("\u{e007}").await;
    browser.shows("#toast", "The configuration was read again").await;
    service
        .until("the review is done", |status| {
            status["review"]["because"] == "settings" && status["review"]["state"] == "done"
        })
        .await;
    service.settled().await;
    assert_eq!(service.crm.contact(&ann(1)).unwrap()["keyword"], "No1");
    go(&browser, "#/now").await;
    browser.shows(".timeline", "Configuration reloaded: mapping").await;
    // What is wrong with the files is named, by a 422 that the console notes.
    service.set("MAPPING__FILE", "no/such/file.toml");
    browser.press("8").await;
    browser.click("main .actions button:last-child").await;
    browser.shows("dialog", "mapping.file").await;
    let complaints = browser.complaints().await;
    assert!(complaints.iter().all(|line| line.contains("422")), "{complaints:?}");
    browser.close().await;
    service.order("/api/pause", json!({})).await;
    service.finish().await;
}
