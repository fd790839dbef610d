//! A message, and its body in each form that a receiver takes.
//!
//! Pure. Whatever stands in it is ours: no name, no address, no word of anybody outside.

use serde_json::{Value, json};

use super::config::Format;
use super::findings::in_words;
use crate::cause::{Cause, Course, Note};
use crate::clock::UnixMicros;
use crate::webhook::Chat;

/// What somebody is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The same for every try to send it, so that a receiver that takes it twice can tell.
    pub id: String,
    /// What it is about; none for a test and for news of the settings.
    pub subject: Option<Subject>,
    /// Whether it tells of settings that are about to change.
    pub of_settings: bool,
    /// What happened, what follows, what to do.
    pub text: String,
    /// Which account the service fills.
    pub account: String,
    /// The page to look at, where one is known.
    pub page: Option<String>,
    /// When it was written.
    pub at: UnixMicros,
}

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Which cause.
    pub cause: Cause,
    /// Whether it begins, lasts or is over.
    pub note: Note,
    /// Since when it is, or was.
    pub began_at: UnixMicros,
    /// When it was over.
    pub ended_at: Option<UnixMicros>,
}

/// What a test says.
const TEST: &str = "This is a test: messages of this service arrive here. When something is wrong, one like this says what \
                    happened, what follows and what to do, and another one when it is over.";

impl Message {
    /// What is told of a cause; `text` is what was found of it last.
    #[must_use]
    pub fn of(cause: Cause, note: Note, course: &Course, text: Option<&str>, at: UnixMicros) -> Self {
        let subject = Subject { cause, note, began_at: course.began_at, ended_at: course.ended_at };
        let text = match (note, course.ended_at) {
            (Note::Ended, Some(ended_at)) => format!(
                "This is over: it began at {} and lasted {}. Nothing is to be done.",
                minute(course.began_at),
                in_words(ended_at.since(course.began_at))
            ),
            (Note::Began | Note::Lasts | Note::Ended, _) => {
                text.unwrap_or("It is there still; the debugger shows more.").to_owned()
            }
        };
        let nth = match note {
            Note::Lasts => at.since(course.began_at).as_secs() / 3600,
            Note::Began | Note::Ended => 0,
        };
        let id = format!("{}-{}-{}-{nth}", cause.as_str(), note.as_str(), course.began_at.0);
        Self { id, subject: Some(subject), of_settings: false, text, account: String::new(), page: None, at }
    }

    /// One that says that messages arrive.
    #[must_use]
    pub fn test(at: UnixMicros) -> Self {
        let (account, page) = (String::new(), None);
        let id = format!("test-{}", at.0);
        Self { id, subject: None, of_settings: false, text: TEST.to_owned(), account, page, at }
    }

    /// One that says that somebody changes where data goes.
    #[must_use]
    pub fn of_settings(text: String, at: UnixMicros) -> Self {
        let (account, page) = (String::new(), None);
        Self { id: format!("settings-{}", at.0), subject: None, of_settings: true, text, account, page, at }
    }

    /// With what is true of every message of this service.
    #[must_use]
    pub fn signed_by(self, account: &str, page: Option<String>) -> Self {
        Self { account: account.to_owned(), page, ..self }
    }

    fn headline(&self) -> String {
        match &self.subject {
            None if self.of_settings => "Where data goes is about to change".to_owned(),
            None => "A test of the alerts".to_owned(),
            Some(Subject { cause, note: Note::Began, .. }) => cause.title().to_owned(),
            Some(Subject { cause, note: Note::Lasts, began_at, .. }) => {
                format!("{} (for {})", cause.title(), in_words(self.at.since(*began_at)))
            }
            Some(Subject { cause, note: Note::Ended, .. }) => format!("Over: {}", cause.title()),
        }
    }

    fn sign(&self) -> &'static str {
        match self.subject.as_ref().map(|subject| subject.note) {
            Some(Note::Began | Note::Lasts) => "\u{1f534}",
            None if self.of_settings => "\u{1f7e1}",
            Some(Note::Ended) | None => "\u{1f7e2}",
        }
    }

    /// Who says it and since when it is.
    fn signature(&self) -> String {
        let since = match &self.subject {
            Some(Subject { note: Note::Began | Note::Lasts, began_at, .. }) => {
                format!(", since {}", minute(*began_at))
            }
            Some(Subject { note: Note::Ended, .. }) | None => String::new(),
        };
        format!("freshsignal for {}{since}", self.account)
    }

    /// The body that a receiver of this form takes.
    #[must_use]
    pub fn body(&self, format: Format) -> Value {
        let (headline, foot) = (self.headline(), self.signature());
        let chat = Chat {
            sign: self.sign(),
            headline: &headline,
            text: &self.text,
            foot: &foot,
            page: self.page.as_deref(),
        };
        match format {
            Format::Slack => chat.slack(),
            Format::Teams => chat.teams(),
            Format::Json => self.json(),
        }
    }

    fn json(&self) -> Value {
        let none = if self.of_settings { "settings" } else { "test" };
        let kind = self.subject.as_ref().map_or(none, |subject| subject.note.as_str());
        let subject = self.subject.as_ref();
        json!({
            "type": format!("alert.{kind}"),
            "timestamp": self.at.to_rfc3339(),
            "data": {
                "cause": subject.map(|subject| subject.cause.as_str()),
                "title": self.headline(),
                "text": self.text,
                "account": self.account,
                "began_at": subject.map(|subject| subject.began_at.to_rfc3339()),
                "ended_at": subject.and_then(|subject| subject.ended_at).map(UnixMicros::to_rfc3339),
                "debugger_url": self.page,
            },
        })
    }
}

/// A moment to the minute, for people.
fn minute(at: UnixMicros) -> String {
    let text = at.to_rfc3339();
    let to_the_minute = text.get(..16).unwrap_or(&text).replace('T', " ");
    format!("{to_the_minute} UTC")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// 2030-03-17T17:46:40Z
    const START: UnixMicros = UnixMicros(1_900_000_000_000_000);

    fn course(ended_after: Option<u64>) -> Course {
        Course {
            began_at: START,
            seen_at: START,
            measure: 0,
            told: None,
            ended_at: ended_after.map(|minutes| START.plus(Duration::from_mins(minutes))),
            end_told_at: None,
            error: None,
        }
    }

    fn message(note: Note, ended_after: Option<u64>) -> Message {
        let at = START.plus(Duration::from_secs(20));
        let text = Some("A <b> & c. Do \"d\".");
        let message = Message::of(Cause::Blocked, note, &course(ended_after), text, at);
        message.signed_by("acme.myfreshworks.com", Some("https://f.internal/debug".to_owned()))
    }

    #[test]
    fn slack_reads_what_happened_and_nothing_in_it_is_markup() {
        let told = message(Note::Began, None).body(Format::Slack).to_string();
        assert_eq!(
            told,
            r#"{"text":"🔴 *Freshsales refuses every call*\nA &lt;b&gt; &amp; c. Do \"d\".\n_freshsignal for acme.myfreshworks.com, since 2030-03-17 17:46 UTC_ · <https://f.internal/debug|Open the debugger>"}"#
        );
        let over = message(Note::Ended, Some(90)).body(Format::Slack).to_string();
        assert_eq!(
            over,
            r#"{"text":"🟢 *Over: Freshsales refuses every call*\nThis is over: it began at 2030-03-17 17:46 UTC and lasted 90 minutes. Nothing is to be done.\n_freshsignal for acme.myfreshworks.com_ · <https://f.internal/debug|Open the debugger>"}"#
        );
    }

    #[test]
    fn teams_reads_a_card_with_a_button() {
        let body = message(Note::Began, None).body(Format::Teams);
        let card = &body["attachments"][0];
        assert_eq!(card["contentType"], "application/vnd.microsoft.card.adaptive");
        assert_eq!(card["content"]["body"][0]["text"], "🔴 Freshsales refuses every call");
        assert_eq!(card["content"]["actions"][0]["url"], "https://f.internal/debug");
        let plain = Message { page: None, ..message(Note::Began, None) }.body(Format::Teams);
        assert!(plain["attachments"][0]["content"].get("actions").is_none());
    }

    #[test]
    fn programs_read_the_cause_and_its_times() {
        assert_eq!(
            message(Note::Ended, Some(1)).body(Format::Json),
            json!({
                "type": "alert.ended",
                "timestamp": "2030-03-17T17:47:00.000Z",
                "data": {
                    "cause": "blocked",
                    "title": "Over: Freshsales refuses every call",
                    "text": "This is over: it began at 2030-03-17 17:46 UTC and lasted 1 minute. Nothing is to be done.",
                    "account": "acme.myfreshworks.com",
                    "began_at": "2030-03-17T17:46:40.000Z",
                    "ended_at": "2030-03-17T17:47:40.000Z",
                    "debugger_url": "https://f.internal/debug",
                },
            })
        );
        let test = Message::test(START).body(Format::Json);
        assert_eq!((&test["type"], &test["data"]["cause"]), (&json!("alert.test"), &Value::Null));
    }

    #[test]
    fn every_try_to_send_a_message_has_the_same_id_and_every_message_another() {
        let id = |note, seconds| {
            let at = START.plus(Duration::from_secs(seconds));
            Message::of(Cause::Blocked, note, &course(Some(1)), None, at).id
        };
        assert_eq!(id(Note::Began, 20), id(Note::Began, 900));
        assert_eq!(id(Note::Ended, 20), id(Note::Ended, 90_000));
        assert_ne!(id(Note::Began, 20), id(Note::Ended, 20));
        assert_ne!(id(Note::Lasts, 3600), id(Note::Lasts, 90_000));
    }
}
