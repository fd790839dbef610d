//! What chats read: a headline, a text and a line below, as the bodies that their incoming webhooks take.
//!
//! Pure. Nothing in a text is markup, whoever wrote it.

use serde_json::{Value, json};

/// A message for people.
#[derive(Clone, Copy, Debug)]
pub struct Chat<'a> {
    /// One sign before the headline, which says at a glance how it is.
    pub sign: &'a str,
    /// What happened, in a few words.
    pub headline: &'a str,
    /// What happened, in sentences.
    pub text: &'a str,
    /// Who says it.
    pub foot: &'a str,
    /// The page to look at, where one is known.
    pub page: Option<&'a str>,
}

impl Chat<'_> {
    /// A text for an incoming webhook of Slack, and of those that take its form.
    #[must_use]
    pub fn slack(&self) -> Value {
        let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let page = self.page.map(|page| format!(" · <{page}|Open the debugger>"));
        let text = format!(
            "{} *{}*\n{}\n_{}_{}",
            self.sign,
            escaped(self.headline),
            escaped(self.text),
            escaped(self.foot),
            page.unwrap_or_default()
        );
        json!({ "text": text })
    }

    /// What a workflow "when a Teams webhook request is received" takes, as its vendor documents it.
    #[must_use]
    pub fn teams(&self) -> Value {
        let block = |text: String, more: Value| {
            let mut block = json!({ "type": "TextBlock", "text": text, "wrap": true });
            if let (Some(block), Value::Object(more)) = (block.as_object_mut(), more) {
                block.extend(more);
            }
            block
        };
        let mut card = json!({
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.2",
            "body": [
                block(format!("{} {}", self.sign, self.headline), json!({ "weight": "Bolder", "size": "Medium" })),
                block(self.text.to_owned(), json!({})),
                block(self.foot.to_owned(), json!({ "isSubtle": true, "size": "Small" })),
            ],
        });
        if let (Some(page), Some(card)) = (self.page, card.as_object_mut()) {
            let open = json!({ "type": "Action.OpenUrl", "title": "Open the debugger", "url": page });
            card.insert("actions".to_owned(), json!([open]));
        }
        let attachment = json!({
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": card,
        });
        json!({ "type": "message", "attachments": [attachment] })
    }
}
