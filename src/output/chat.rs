//! What people read in a chat of what happened: a headline and a sentence or two.

use serde_json::{Map, Value};

use super::{Message, Topic};

/// The sign, the headline and the text of a message for people.
#[must_use]
pub fn told(message: &Message) -> (&'static str, String, String) {
    let data = &message.data;
    let contact = at(data, "contact.email").unwrap_or_default();
    let deal = || {
        let name = at(data, "deal.name").or_else(|| at(data, "deal.key")).unwrap_or_default();
        let worth = at(data, "deal.amount").map(|amount| {
            format!(
                ", {amount}{}",
                at(data, "deal.currency").map(|code| format!(" {code}")).unwrap_or_default()
            )
        });
        (name, worth.unwrap_or_default())
    };
    let of = if contact.is_empty() { String::new() } else { format!(" ({contact})") };
    match message.topic {
        Topic::DealWon => {
            let (name, worth) = deal();
            ("\u{1f389}", "Deal won".to_owned(), format!("{name}{worth}{of}"))
        }
        Topic::Conversion => {
            let (name, worth) = deal();
            ("\u{1f3af}", "Conversion".to_owned(), format!("{name}{worth}{of}"))
        }
        Topic::DealLost => {
            let (name, worth) = deal();
            let why = at(data, "deal.reason").map(|reason| format!(": {reason}")).unwrap_or_default();
            ("\u{1f4c9}", "Deal lost".to_owned(), format!("{name}{worth}{of}{why}"))
        }
        Topic::DealStageChanged => {
            let (name, worth) = deal();
            let to = at(data, "deal.stage").unwrap_or_default();
            let from = at(data, "deal.previous_stage").map(|from| format!("{from} → ")).unwrap_or_default();
            ("\u{27a1}\u{fe0f}", "Deal moved".to_owned(), format!("{name}{worth}{of}: {from}{to}"))
        }
        Topic::ContactCreated => ("\u{1f195}", "New contact".to_owned(), contact),
        Topic::ContactChanged => {
            let names = data
                .get("changed")
                .and_then(Value::as_object)
                .map(|changed| changed.keys().map(String::as_str).collect::<Vec<_>>().join(", "));
            let names = names.map(|names| format!(": {names}")).unwrap_or_default();
            ("\u{270f}\u{fe0f}", "Contact changed".to_owned(), format!("{contact}{names}"))
        }
        Topic::ContactUnsubscribed => ("\u{1f515}", "Unsubscribed".to_owned(), contact),
        Topic::ContactDelivered => ("\u{2705}", "Contact stored".to_owned(), contact),
        Topic::NoteAdded => {
            let text = at(data, "note.text").unwrap_or_default();
            ("\u{1f4dd}", "Note added".to_owned(), format!("{contact}\n{text}"))
        }
        Topic::LeadRefused => {
            let why = at(data, "reason").unwrap_or_default();
            ("\u{26a0}\u{fe0f}", "Freshsales refused a new contact".to_owned(), format!("{contact}: {why}"))
        }
    }
}

/// A value of the data as a text.
fn at(data: &Map<String, Value>, path: &str) -> Option<String> {
    let mut parts = path.split('.');
    let first = data.get(parts.next()?)?;
    let found = parts.try_fold(first, |value, part| value.get(part))?;
    match found {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
