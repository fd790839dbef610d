//! A deal that was won, as ad platforms may be told of it. Must not change anything.

use serde_json::Value;

use super::super::clicks::told_of;
use super::super::{Settings, World};
use super::wish::wish_of;
use crate::clock::UnixMicros;
use crate::conversion::Conversion;
use crate::deal::text_of;
use crate::delivery::DealKey;

/// A deal that was won at a moment, where ad platforms may be told of it by what is known now.
#[must_use]
pub fn conversion_of(
    key: &DealKey,
    won_at: UnixMicros,
    world: &World,
    settings: &Settings,
) -> Option<Conversion> {
    let deal = world.deals.get(key)?;
    let wanted = wish_of(key, deal, world, settings)?;
    let email = wanted.email.clone()?;
    let told = told_of(&email, world, settings)?;
    let standing = deal.with(&settings.account);
    let whole = wanted.whole();
    let has = |name: &str| -> Option<&Value> {
        let heard = standing.hearing.of(name).map(|heard| &heard.value);
        heard.or_else(|| standing.accepted.get(name)).or_else(|| whole.get(name))
    };
    let value = has("amount").map(text_of).filter(|text| text.parse::<f64>().is_ok_and(f64::is_finite));
    let is_code = |code: &String| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_alphabetic());
    let currency = has("currency").map(|code| text_of(code).to_ascii_uppercase()).filter(is_code);
    Some(Conversion { at: won_at, value, currency, email, phone: told.phone, clicks: told.clicks })
}
