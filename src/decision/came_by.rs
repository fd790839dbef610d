//! Clicks on advertisements that people come by: what an event says of them is kept, where that is turned on.
//!
//! Must not know who may be told of them.

use serde_json::Value;

use super::Settings;
use crate::conversion;
use crate::event::Event;
use crate::person::Said;

/// Keeps the clicks that an event speaks of.
pub(super) fn keep(event: &Event, settings: &Settings, said: &mut Said) {
    if !settings.conversions {
        return;
    }
    for (click, id) in conversion::in_event(event) {
        said.values.insert(click.path().to_owned(), Value::from(id));
        said.firsts.insert(click.path().to_owned());
    }
}
