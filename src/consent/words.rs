//! What a single value says: the words of a yes, of a no and of "not asked", numbers by their value.
//!
//! Narrow for a yes, wide for a no, and nothing made up: what is in none of the lists is not understood. Must not know
//! where a value stood.

use serde_json::Value;

use super::{Choice, normal};

/// Yes in other languages, where the word means nothing else that stands in such a place.
const YES: &[&str] = &["ano", "da", "igen", "ja", "jah", "kyllä", "oui", "sí", "sì", "sim", "tak"];
/// No in them. `si` is an if in Spanish and French, so it is neither; a no is believed more readily than a yes.
const NO: &[&str] = &["ei", "não", "ne", "nee", "nein", "nej", "nem", "nie", "non", "nu"];

/// Words of a yes, without spaces, `_` and `-`.
const GRANTS: &[&str] = &[
    "accept",
    "accepted",
    "agree",
    "agreed",
    "allaccepted",
    "allgranted",
    "allow",
    "allowed",
    "approve",
    "approved",
    "checked",
    "confirmed",
    "consent",
    "consented",
    "enable",
    "enabled",
    "grant",
    "granted",
    "on",
    "optedin",
    "optin",
    "subscribe",
    "subscribed",
    "true",
    "y",
    "yes",
];

/// Words of a no, without spaces, `_` and `-`.
const REFUSALS: &[&str] = &[
    "alldenied",
    "allrejected",
    "block",
    "blocked",
    "decline",
    "declined",
    "denied",
    "deny",
    "disable",
    "disabled",
    "disagree",
    "disagreed",
    "disallow",
    "disallowed",
    "donotcontact",
    "f",
    "false",
    "forbid",
    "forbidden",
    "n",
    "no",
    "noconsent",
    "notaccepted",
    "notallowed",
    "notconsented",
    "notgranted",
    "object",
    "objected",
    "objection",
    "off",
    "optedout",
    "optout",
    "prohibited",
    "refusal",
    "refuse",
    "refused",
    "reject",
    "rejected",
    "rejection",
    "remove",
    "removed",
    "revocation",
    "revoke",
    "revoked",
    "stop",
    "stopped",
    "unsubscribe",
    "unsubscribed",
    "withdraw",
    "withdrawal",
    "withdrawn",
    "withdrew",
];

/// Words that say that nobody was asked, or that nobody has answered. The short ones are those of Adobe's consent data
/// type: pending, unknown, the defaults before a choice, and grounds that are no consent
/// (<https://experienceleague.adobe.com/en/docs/experience-platform/xdm/data-types/consents>). `auto` is Transcend's
/// (<https://docs.transcend.io/docs/consent/faq>), `transactional` Mailchimp's word for a buyer who was not asked.
const NOT_ASKED: &[&str] = &[
    "#n/a",
    "(null)",
    "<null>",
    "[objectobject]",
    "auto",
    "awaitingconfirmation",
    "ci",
    "cp",
    "ct",
    "default",
    "dn",
    "dy",
    "implicit",
    "implied",
    "invited",
    "li",
    "n/a",
    "na",
    "nan",
    "neversubscribed",
    "nil",
    "nochoice",
    "none",
    "nonsubscribed",
    "notasked",
    "notdetermined",
    "notgiven",
    "notopted",
    "notset",
    "notspecified",
    "notsubscribed",
    "null",
    "p",
    "pa",
    "pending",
    "pi",
    "prompt",
    "transactional",
    "u",
    "unanswered",
    "unchecked",
    "undecided",
    "undefined",
    "unknown",
    "unset",
    "unspecified",
    "vi",
];

/// Words of a yes to a part alone (Usercentrics: `SOME_ACCEPTED`,
/// <https://usercentrics.com/docs/web/features/api/interfaces/>): understood, and no yes.
const PARTLY: &[&str] = &["partial", "partially", "some", "someaccepted", "somedenied"];

/// How an unticked box is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// The value of a consent tool: `false` and `0` are refusals.
    Tool,
    /// A box on a form: one that is not ticked was not answered, and words of refusal alone refuse.
    Box,
}

/// What a single value says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// A yes or a no.
    Choice(Choice),
    /// A yes to a part: understood, and neither a yes nor a no.
    Partly,
    /// Nobody was asked, or nobody answered.
    Nothing,
    /// Not understood.
    Unknown,
}

impl Reading {
    /// Reads a value; lists and objects are not understood here, unless they are empty.
    pub(super) fn of(value: &Value, asks: Asks) -> Self {
        match value {
            Value::Null => Self::Nothing,
            Value::Bool(true) => Self::Choice(Choice::Granted),
            Value::Bool(false) => Self::unticked(asks),
            Value::Number(number) => {
                number.as_f64().map_or(Self::Unknown, |number| Self::of_number(number, asks))
            }
            Value::String(text) => Self::of_text(text, asks),
            Value::Array(items) if items.is_empty() => Self::Nothing,
            Value::Object(fields) if fields.is_empty() => Self::Nothing,
            Value::Array(_) | Value::Object(_) => Self::Unknown,
        }
    }

    fn unticked(asks: Asks) -> Self {
        match asks {
            Asks::Tool => Self::Choice(Choice::Denied),
            Asks::Box => Self::Nothing,
        }
    }

    /// A number is its value, however it is written.
    fn of_number(number: f64, asks: Asks) -> Self {
        if (number - 1.0).abs() < f64::EPSILON {
            Self::Choice(Choice::Granted)
        } else if number.abs() < f64::EPSILON {
            Self::unticked(asks)
        } else {
            Self::Unknown
        }
    }

    fn of_text(text: &str, asks: Asks) -> Self {
        let text = normal(text);
        if let Ok(number) = text.parse::<f64>()
            && number.is_finite()
        {
            return Self::of_number(number, asks);
        }
        let word = folded(&text);
        let is_in = |words: &[&str]| words.contains(&word.as_str());
        match word.as_str() {
            "" => Self::Nothing,
            "false" => Self::unticked(asks),
            _ if is_in(GRANTS) || is_in(YES) => Self::Choice(Choice::Granted),
            _ if is_in(REFUSALS) || is_in(NO) => Self::Choice(Choice::Denied),
            _ if is_in(NOT_ASKED) => Self::Nothing,
            _ if is_in(PARTLY) => Self::Partly,
            // A merge tag that nobody filled in.
            _ if ["{{", "*|", "${", "%%"].iter().any(|opening| word.starts_with(opening)) => Self::Nothing,
            _ => Self::Unknown,
        }
    }
}

/// Whether a value of a consent column says anything: a yes, a no, or that nobody was asked.
#[must_use]
pub fn is_understood(value: &str) -> bool {
    match Reading::of(&Value::from(value), Asks::Tool) {
        Reading::Choice(_) | Reading::Partly | Reading::Nothing => true,
        Reading::Unknown => false,
    }
}

/// Whether a text is a word of a no.
#[must_use]
pub fn is_no(value: &str) -> bool {
    Reading::of(&Value::from(value), Asks::Tool) == Reading::Choice(Choice::Denied)
}

/// A word without what spellings differ in: case, spaces, `_`, `-`, quotes.
pub(super) fn folded(text: &str) -> String {
    let kept = |c: &char| !matches!(c, '_' | '-' | '"' | '\'' | '.' | '!') && !c.is_whitespace();
    text.chars().filter(kept).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_yes_and_a_no_are_understood_in_other_languages_and_what_may_be_both_is_not() {
        for (text, choice) in [
            ("Ja", Some(Choice::Granted)),
            ("NEIN", Some(Choice::Denied)),
            ("oui", Some(Choice::Granted)),
            ("non", Some(Choice::Denied)),
            ("Sì", Some(Choice::Granted)),
            ("não", Some(Choice::Denied)),
            ("tak", Some(Choice::Granted)),
            ("si", None),
        ] {
            let read = Reading::of(&json!(text), Asks::Tool);
            assert_eq!(read, choice.map_or(Reading::Unknown, Reading::Choice), "{text}");
        }
    }

    #[test]
    fn a_no_is_told_from_what_a_ticked_box_may_say() {
        assert!(
            is_no("Nein") && is_no("0") && is_no("false") && !is_no("I agree") && !is_no("") && !is_no("ja")
        );
    }

    #[test]
    fn whether_a_value_is_understood_is_told() {
        assert!(
            is_understood("yes")
                && is_understood("")
                && is_understood("nein")
                && !is_understood("vielleicht")
        );
    }
}
