//! Where a statement comes from: whether a person said it or a tool merely shows its state, which tool, on which page.
//!
//! Must not know how a choice is written.

use serde_json::{Map, Value};

use super::text::unfold;
use super::vendors::VENDORS;
use crate::event::Kind;

/// Length at which names and pages are cut.
const NAME_CHARS_MAX: usize = 40;
const PAGE_CHARS_MAX: usize = 200;
/// The tag of this service. What it says of consent it says once, when the visitor has chosen.
const OWN_TAG: &str = "freshsignal";

/// How a statement was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Via {
    /// A person said it, with this event.
    Said,
    /// A tool showed its state, as it does with every event.
    Shown,
}

/// Where in an event a statement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// `consent` beside `context`, or the traits and properties of the event.
    Own,
    /// `context.consent`, or traits inside `context`.
    Context,
    /// `context.consentManagement`, and what else a tool alone writes.
    Tool,
}

/// What of an event tells where its statements come from.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// A page or a screen was viewed: nobody says anything by that.
    viewed: bool,
    /// An identify that was sent for the consent alone, by our tag or by hand.
    alone: bool,
    /// A browser or a device sent it, whose library adds a context.
    from_device: bool,
    /// The page, without its query.
    pub page: Option<String>,
}

impl Origin {
    pub fn of(event: &Map<String, Value>, kind: Kind) -> Self {
        let context = event.get("context").and_then(Value::as_object);
        let in_context = |name: &str| context.and_then(|context| context.get(name));
        let library = in_context("library").and_then(|library| library.get("name")).and_then(Value::as_str);
        let has_traits = [event.get("traits"), in_context("traits")].into_iter().flatten().any(is_filled);
        Self {
            viewed: matches!(kind, Kind::Page | Kind::Screen),
            alone: kind == Kind::Identify && !has_traits && library.is_none_or(|name| name == OWN_TAG),
            from_device: ["page", "device", "screen"]
                .iter()
                .any(|name| in_context(name).is_some_and(is_filled)),
            page: in_context("page").and_then(page_of),
        }
    }

    /// How a statement at this place was made. `tool`: it is written as a consent tool writes its state.
    pub fn via(&self, place: Place, tool: bool) -> Via {
        match place {
            _ if self.viewed => Via::Shown,
            Place::Context if !self.alone && (self.from_device || tool) => Via::Shown,
            Place::Own | Place::Context => Via::Said,
            Place::Tool => Via::Shown,
        }
    }
}

/// The consent tool that wrote a block, as far as it can be told.
pub(super) fn tool_of(block: &Value) -> Option<String> {
    let named = block.get("provider").and_then(Value::as_str).filter(|name| !name.trim().is_empty());
    if let Some(name) = named {
        return Some(name.trim().chars().take(NAME_CHARS_MAX).collect());
    }
    let unfolded = block.as_str().and_then(unfold);
    let block = unfolded.as_ref().unwrap_or(block);
    let mut keys = Vec::new();
    keys_of(block, 3, &mut keys);
    let found =
        VENDORS.iter().find(|vendor| vendor.marks.iter().any(|mark| keys.iter().any(|key| fits(mark, key))));
    found.map(|vendor| vendor.name.to_owned()).or_else(|| iubenda(block))
}

/// The purposes of iubenda are numbers from 1 to 5.
fn iubenda(block: &Value) -> Option<String> {
    let purposes = block.get("purposes")?.as_object()?;
    let numbered = !purposes.is_empty() && purposes.keys().all(|key| key.parse::<u8>().is_ok());
    numbered.then(|| "iubenda".to_owned())
}

fn fits(mark: &str, key: &str) -> bool {
    mark.strip_suffix('*').map_or_else(|| key == mark, |start| key.starts_with(start))
}

/// The keys of a block and of what is in it, in lower case.
fn keys_of(value: &Value, depth: u8, keys: &mut Vec<String>) {
    let Some(fields) = value.as_object() else { return };
    for (key, inner) in fields.iter().take(super::CODES_MAX) {
        keys.push(key.trim().to_lowercase());
        if depth > 0 {
            keys_of(inner, depth - 1, keys);
        }
    }
}

fn is_filled(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.values().any(|value| !value.is_null()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => false,
    }
}

/// The address of a page, without query and fragment: they may say who somebody is.
/// The page that an event came from, without its query.
#[must_use]
pub fn page_of_event(event: &Map<String, Value>) -> Option<String> {
    event.get("context").and_then(Value::as_object)?.get("page").and_then(page_of)
}

/// The name of a consent tool that is known here; of others that they are others.
#[must_use]
pub fn known_tool(name: &str) -> &'static str {
    let known = VENDORS.iter().find(|vendor| vendor.name.eq_ignore_ascii_case(name));
    known.map_or("another tool", |vendor| vendor.name)
}

fn page_of(page: &Value) -> Option<String> {
    let text = ["url", "path"].iter().find_map(|key| page.get(key).and_then(Value::as_str))?;
    let text = text.split(['?', '#']).next().unwrap_or_default().trim();
    (!text.is_empty()).then(|| text.chars().take(PAGE_CHARS_MAX).collect())
}
