//! A deal as it stands, for whoever shows it. Must not change anything.

use serde_json::Value;

use super::wish::{Company, wish_of};
use super::{Step, step};
use crate::clock::UnixMicros;
use crate::deal::{self, Next, create_body};
use crate::decision::{Settings, World};
use crate::delivery::{CompanyKey, DealKey};
use crate::event::Email;

/// What is wanted of a deal, and what follows from it.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsideredDeal {
    /// The address of its contact.
    pub email: Option<Email>,
    /// What it should be, in names, what is wanted at its creation alone among it.
    pub wanted: deal::Attributes,
    /// The company whose id it waits for.
    pub waits_for: Option<CompanyKey>,
    /// What is to be done next.
    pub next: Next,
    /// What a person should know of it.
    pub notes: Vec<String>,
}

/// How a deal stands; `None` where nothing is known of it, or the mapping does not know its kind.
#[must_use]
pub fn consider_deal(
    key: &DealKey,
    world: &World,
    settings: &Settings,
    now: UnixMicros,
) -> Option<ConsideredDeal> {
    let deal = world.deals.get(key)?;
    let wanted = wish_of(key, deal, world, settings)?;
    let mut standing = deal.with(&settings.account);
    let Step { next, notes } = step(&wanted, &mut standing, settings, now);
    let attributes = wanted.whole();
    let waits_for = match wanted.company {
        Company::Waits(key, _) => Some(key),
        Company::None | Company::Is(_) => None,
    };
    Some(ConsideredDeal { email: wanted.email, wanted: attributes, waits_for, next, notes })
}

/// The body that would create a deal: with the ids of the account where its lists are known, else with names in their place.
#[must_use]
pub fn creation_of_deal(key: &DealKey, world: &World, settings: &Settings) -> Option<Value> {
    let wanted = wish_of(key, world.deals.get(key)?, world, settings)?;
    let sent = wanted.in_names(&wanted.whole(), settings);
    let company = if let Company::Is(id) = wanted.company { Some(id) } else { None };
    Some(create_body(&sent, &wanted.wish.contacts, company))
}
