//! The questions that people of marketing and sales bring to the page, each asked from its first view by somebody who has never
//! seen it: two clicks at most, and the answer is on the screen.

use super::now::{bad_day, opened};
use crate::support::app::Service;
use crate::support::browser::Browser;
use crate::support::events::ann;

const CLICKS_MAX: u32 = 2;

/// Somebody with a question.
struct Reader {
    browser: Browser,
    question: &'static str,
    clicks: u32,
    asked: u32,
}

impl Reader {
    async fn of(service: &Service) -> Self {
        let browser = opened(service).await;
        browser.size(1366, 900).await;
        Self { browser, question: "", clicks: 0, asked: 0 }
    }

    /// Begins at the first view.
    async fn asks(&mut self, question: &'static str) {
        self.browser.run("location.hash = '#/now'").await;
        self.browser.shows("h1", "Now").await;
        self.browser.shows("main", "What changed lately").await;
        (self.question, self.clicks, self.asked) = (question, 0, self.asked + 1);
    }

    async fn clicks(&mut self, css: &str) {
        self.clicks += 1;
        assert!(self.clicks <= CLICKS_MAX, "{} takes more than {CLICKS_MAX} clicks", self.question);
        self.browser.click(css).await;
    }

    /// Is told all of this, in sight or by scrolling.
    async fn learns(&self, answers: &[(&str, &str)]) {
        for (css, text) in answers {
            self.browser.shows(css, text).await;
        }
        self.browser.screenshot(&format!("question-{}", self.asked)).await;
    }
}

#[tokio::test]
async fn each_of_ten_questions_is_answered_in_two_clicks_at_most() {
    let service = bad_day().await;
    let mut reader = Reader::of(&service).await;

    reader.asks("Is anything wrong right now?").await;
    reader
        .learns(&[
            ("#destination", "Allowance used up · "),
            ("main .note", "calls that the account allows in an hour are made"),
        ])
        .await;

    reader.asks("How much of the allowance is used, and when is the backlog gone?").await;
    reader
        .learns(&[
            (".tiles", "May calls leave?\nAbout "),
            (".tiles", "Backlog gone"),
            (".tiles", "Leads waiting"),
        ])
        .await;

    reader.asks("What was dropped today, and why?").await;
    reader
        .learns(&[(".dropped", "5 events today"), ("main", "No rule of the mapping names these events")])
        .await;

    reader.asks("Which page sends events without an email?").await;
    reader.learns(&[(".dropped td.page", "https://shop.example/newsletter")]).await;

    reader.asks("Is my banner arriving?").await;
    reader.learns(&[("table.consent", "marketing")]).await;

    reader.asks("What did Freshsales refuse, why, and what do I do?").await;
    reader
        .learns(&[
            ("table.refused", "Last name can't be blank"),
            ("table.refused", "Freshsales demands a field that was not sent"),
            ("table.refused", "Sending again does not help before"),
        ])
        .await;

    reader.asks("Why is Ann not in the CRM?").await;
    reader.clicks("nav a[href='#/contacts']").await;
    reader.browser.fill("#contact-email", &ann(1)).await;
    reader.clicks("main form button[type=submit]").await;
    reader.learns(&[("h1", &ann(1)), ("main .note.stop", "Last name can't be blank")]).await;

    reader.asks("What was sent?").await;
    reader.clicks("nav a[href='#/deliveries']").await;
    reader.clicks("tbody tr:last-child a.row").await;
    reader.learns(&[("main", "/crm/sales/api/contacts/upsert"), ("main", "unique_identifier")]).await;

    reader.asks("What was answered?").await;
    reader.clicks("nav a[href='#/deliveries']").await;
    reader.clicks("tbody tr:last-child a.row").await;
    reader.learns(&[("main", "422"), ("main", "Last name can't be blank")]).await;

    reader.asks("What would this mapping change?").await;
    reader.clicks("nav a[href='#/plan']").await;
    reader.browser.fill("#plan-text", "[fields.keyword]\nfrom = [\"traits.last_name\"]\n").await;
    reader.clicks("main button[type=submit]").await;
    reader.learns(&[("main .note", "would become owed"), ("main", "get a value")]).await;

    assert_eq!(reader.asked, 10);
    reader.browser.close().await;
    service.finish().await;
}
