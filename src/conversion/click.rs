//! Ids of clicks: what ad platforms append to the address of a page, read from an event.
//!
//! Must not know whose event it is.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::event::Event;

/// A longer id is none (those of Google and Meta have some hundred characters).
const ID_CHARS_MAX: usize = 500;
/// Where the address of a page, or its query, stands.
const ADDRESSES: [&str; 4] =
    ["context.page.url", "context.page.search", "properties.url", "properties.search"];
/// Where fields of forms stand.
const FIELDS: [&str; 2] = ["properties", "traits"];

/// Whose click it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Click {
    /// Google.
    Gclid,
    /// Google, from an app to the web on iOS.
    Gbraid,
    /// Google, from the web to an app on iOS.
    Wbraid,
    /// Meta.
    Fbclid,
    /// Microsoft.
    Msclkid,
}

impl Click {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Gclid, Self::Gbraid, Self::Wbraid, Self::Fbclid, Self::Msclkid];

    /// The name in addresses and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gclid => "gclid",
            Self::Gbraid => "gbraid",
            Self::Wbraid => "wbraid",
            Self::Fbclid => "fbclid",
            Self::Msclkid => "msclkid",
        }
    }

    /// Under which path it is remembered of a person. No rule of a mapping can read it.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Gclid => "click.gclid",
            Self::Gbraid => "click.gbraid",
            Self::Wbraid => "click.wbraid",
            Self::Fbclid => "click.fbclid",
            Self::Msclkid => "click.msclkid",
        }
    }
}

/// The clicks that an event speaks of: in a field of a form, or in the address of its page.
#[must_use]
pub fn in_event(event: &Event) -> BTreeMap<Click, String> {
    let mut found = BTreeMap::new();
    for click in Click::ALL {
        let fields = FIELDS.iter().map(|root| format!("{root}.{}", click.as_str()));
        let said = fields.filter_map(|path| event.at_path(&path)).find_map(text_of);
        found.extend(said.map(|id| (click, id)));
    }
    for (path, address) in ADDRESSES.iter().filter_map(|path| Some((path, event.at_path(path)?.as_str()?))) {
        let alone = if path.ends_with("search") { address } else { "" };
        let query = address.split_once('?').map_or(alone, |(_, query)| query);
        let query = query.split('#').next().unwrap_or_default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let click = Click::ALL.into_iter().find(|click| name.eq_ignore_ascii_case(click.as_str()));
            if let Some(click) = click.filter(|_| is_id(&value)) {
                found.entry(click).or_insert_with(|| value.into_owned());
            }
        }
    }
    found
}

/// The id of a click in a value, where it is one.
#[must_use]
pub fn text_of(value: &Value) -> Option<String> {
    value.as_str().map(str::trim).filter(|text| is_id(text)).map(str::to_owned)
}

/// Ids are of letters, digits and `-_.~`; what a visitor writes in place of one is none.
fn is_id(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    (1..=ID_CHARS_MAX).contains(&text.len()) && text.bytes().all(fits)
}
