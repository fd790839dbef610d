//! The sentences that a visitor reads, in English, and what a configuration says in their place.

use std::collections::BTreeMap;

/// A sentence for a visitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Text {
    /// The heading after a form was taken.
    Thanks,
    /// The sentence under it.
    Received,
    /// The heading when a form was not taken.
    NotSent,
    /// No address that mail can be sent to was typed.
    Email,
    /// A field that has to be filled is empty; `{field}` is its name.
    Missing,
    /// The captcha was not solved.
    Captcha,
    /// The service can't take it now.
    Later,
    /// The page that sent the form may not.
    Elsewhere,
    /// The form can't be read.
    Unreadable,
    /// A file was attached; `{field}` is the field it is in.
    File,
    /// More was typed than an event holds.
    TooLong,
    /// Behind a sentence, where what was typed can't be shown.
    Back,
    /// The button.
    Again,
}

impl Text {
    const ALL: [Self; 13] = [
        Self::Thanks,
        Self::Received,
        Self::NotSent,
        Self::Email,
        Self::Missing,
        Self::Captcha,
        Self::Later,
        Self::Elsewhere,
        Self::Unreadable,
        Self::File,
        Self::TooLong,
        Self::Back,
        Self::Again,
    ];

    /// Its name in the configuration.
    fn name(self) -> &'static str {
        match self {
            Self::Thanks => "thanks",
            Self::Received => "received",
            Self::NotSent => "not_sent",
            Self::Email => "email",
            Self::Missing => "missing",
            Self::Captcha => "captcha",
            Self::Later => "later",
            Self::Elsewhere => "elsewhere",
            Self::Unreadable => "unreadable",
            Self::File => "file",
            Self::TooLong => "too_long",
            Self::Back => "back",
            Self::Again => "again",
        }
    }

    fn english(self) -> &'static str {
        match self {
            Self::Thanks => "Thank you",
            Self::Received => "We have received what you sent. You can close this page.",
            Self::NotSent => "Not sent yet",
            Self::Email => "Please enter an email address that we can answer to.",
            Self::Missing => "Please fill in the field \u{201c}{field}\u{201d}.",
            Self::Captcha => {
                "It could not be checked that a person sent this. Go back to the form, confirm there that you are one, and send it again."
            }
            Self::Later => "We can't take it right now. Wait a minute, then send it again.",
            Self::Elsewhere => "This form can't be sent from that page.",
            Self::Unreadable => "The form can't be read. Go back, and send it again without attachments.",
            Self::File => {
                "Files can't be sent here. Send it again without the one in \u{201c}{field}\u{201d}."
            }
            Self::TooLong => "What you typed is too long. Shorten it, then send it again.",
            Self::Back => "Go back to the form for that: what you typed should still be there.",
            Self::Again => "Send again",
        }
    }
}

/// The sentences of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts(BTreeMap<Text, String>);

impl Texts {
    /// Those of a configuration; a name that is none is left out, which its check has said.
    #[must_use]
    pub fn new(configured: &BTreeMap<String, String>) -> Self {
        let known =
            Text::ALL.into_iter().filter_map(|text| Some((text, configured.get(text.name())?.clone())));
        Self(known.collect())
    }

    /// A sentence.
    #[must_use]
    pub fn of(&self, text: Text) -> &str {
        self.0.get(&text).map_or(text.english(), String::as_str)
    }

    /// A sentence about a field.
    #[must_use]
    pub fn of_field(&self, text: Text, field: &str) -> String {
        self.of(text).replace("{field}", field)
    }

    /// Whether there is a sentence of this name.
    #[must_use]
    pub fn knows(name: &str) -> bool {
        Text::ALL.iter().any(|text| text.name() == name)
    }

    /// The names there are, for whoever wrote another.
    #[must_use]
    pub fn names() -> String {
        Text::ALL.map(Text::name).join(", ")
    }
}
