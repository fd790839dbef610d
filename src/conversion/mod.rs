//! Conversions: the clicks on advertisements that a person came by, and won deals as an ad platform wants to be told of them.
//!
//! Pure. Must not judge who agreed to that, nor know how a deal is won.

mod click;
mod file;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::clock::UnixMicros;
use crate::event::Email;

pub use click::{Click, in_event, text_of};
pub use file::{File, cell};

/// The category of consent without which nobody is in a file: what Google's consent mode calls it.
pub const AD_USER_DATA: &str = "ad_user_data";

/// A click that somebody came by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touch {
    /// Its id, as the platform gave it.
    pub id: String,
    /// When the first event that bore it happened.
    pub at: UnixMicros,
}

/// The first click and the last of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touches {
    /// The first.
    pub first: Option<Touch>,
    /// The last.
    pub last: Option<Touch>,
}

/// Which of several clicks a conversion is counted for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attribution {
    /// The first.
    First,
    /// The last.
    #[default]
    Last,
}

/// The clicks of a person, by kind.
pub type Clicks = BTreeMap<Click, Touches>;

/// The clicks as a message for a program has them.
#[must_use]
pub fn shown(clicks: &Clicks) -> Value {
    let touch =
        |touch: &Option<Touch>| touch.as_ref().map(|it| json!({ "id": it.id, "at": it.at.to_rfc3339() }));
    let of = |touches: &Touches| json!({ "first": touch(&touches.first), "last": touch(&touches.last) });
    let shown: Map<String, Value> =
        clicks.iter().map(|(click, touches)| (click.as_str().to_owned(), of(touches))).collect();
    Value::Object(shown)
}

/// A deal that was won, of somebody who agreed that ad platforms are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversion {
    /// When it was won first.
    pub at: UnixMicros,
    /// What it is worth, as a number.
    pub value: Option<String>,
    /// In which currency, as its ISO code.
    pub currency: Option<String>,
    /// The address of its contact.
    pub email: Email,
    /// Their phone in E.164.
    pub phone: Option<String>,
    /// The clicks they came by.
    pub clicks: Clicks,
}

impl Conversion {
    /// The click of a kind that it is counted for: none that came after it.
    #[must_use]
    pub fn click(&self, click: Click, attribution: Attribution) -> Option<&Touch> {
        let touches = self.clicks.get(&click)?;
        let before = |touch: &&Touch| touch.at <= self.at;
        let (first, last) = (touches.first.as_ref().filter(before), touches.last.as_ref().filter(before));
        match attribution {
            Attribution::First => first,
            Attribution::Last => last.or(first),
        }
    }
}
