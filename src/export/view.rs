//! The view of won deals that Freshsales keeps by itself: a hundred deals a call with owner and contacts, where the list shows none.
//!
//! It has the deals of the default pipeline alone (seen on live accounts), so whatever it lacks is asked for one by one afterwards.
//! Must not read the list.

use serde_json::{Map, Value};

use super::page::{read_view, view_pages};
use super::{Brought, Export, PER_PAGE, Step};
use crate::delivery::whole_number;
use crate::event::fold_name;

/// What Freshsales calls it (seen on live accounts), as names are compared.
const WON_DEALS: &str = "wondeals";

impl Export {
    /// How many calls the view takes, where it takes fewer than asking for each of so many deals.
    pub(super) fn calls_of_view(&self, thin: u64, total: u64) -> Option<u64> {
        let calls = total.div_ceil(PER_PAGE).saturating_add(1);
        (self.wanted.won && !self.viewed && thin > calls).then_some(calls)
    }

    /// Takes in which views the account has. Without the one of won deals every deal is asked for.
    pub(super) fn views_answered(&mut self, shown: &Map<String, Value>) -> Brought {
        let views = shown.get("filters").and_then(Value::as_array).into_iter().flatten();
        let is_won = |view: &&Value| {
            view.get("name").and_then(Value::as_str).is_some_and(|name| fold_name(name) == WON_DEALS)
        };
        let view = views.filter(is_won).find_map(|view| view.get("id").and_then(whole_number));
        self.step = view.map_or(Step::Details { after: 0 }, |view| Step::View { view, page: 1 });
        Brought::default()
    }

    /// Takes in a page of the view: the deals that it shows whole.
    pub(super) fn view_answered(&mut self, shown: &Map<String, Value>, view: u64, page: u64) -> Brought {
        let rows = read_view(shown, &self.stages);
        for row in &rows {
            self.note_custom(Some(row));
        }
        let pages = view_pages(shown).min(self.total.unwrap_or_default().div_ceil(PER_PAGE));
        self.step =
            if page < pages { Step::View { view, page: page + 1 } } else { Step::Details { after: 0 } };
        let noted = |row: super::Row| (row.id, Some(row).filter(|row| self.is_within(row)));
        Brought { rows: rows.into_iter().map(noted).collect() }
    }
}
