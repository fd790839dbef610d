//! Which deals may be meant by what Freshsales says of one of its own, by the key that another system knows it by.

use super::{DealRule, Preset};
use crate::deal::{key_at_end, text_of};
use crate::delivery::DealKey;
use crate::event::CrmSaid;

impl Preset {
    /// The deals that may be meant: of a kind that keeps its key in an attribute the one of what stands there, of others the
    /// one of what the name ends with. A key without either may be of any kind.
    #[must_use]
    pub fn deals_meant(&self, said: &CrmSaid, people: &str) -> Vec<DealKey> {
        let text = |name: &str| Some(text_of(said.said.get(name)?)).filter(|text| !text.is_empty());
        let of = |(kind, rule): (&str, &DealRule)| {
            let own = if rule.key_field.is_empty() {
                text("name").and_then(|name| key_at_end(&name).map(str::to_owned))
            } else {
                text(&rule.key_field)
            };
            DealKey::of(people, kind, &own.or_else(|| said.key.clone())?)
        };
        self.deal_kinds().filter_map(of).collect()
    }
}
