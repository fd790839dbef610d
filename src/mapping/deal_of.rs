//! What an event says of a deal, and what the rules of its kind make of all that was said.
//!
//! Must not know how a deal stands with an account.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::deals::{DealKeyRule, DealRule};
use super::kept::kept;
use super::money::currency_of;
use super::rules::{EventDeal, Values};
use super::{Convert, FieldRule, Mapped, Place, Preset, by_precedence, first_convertible, map_fields};
use crate::clock::UnixMicros;
use crate::event::{Event, Lww, Stamp, fold_name};
use crate::person::{Facts, Said};
use crate::selectors::{Kind, OF_DEAL, attribute};

/// A value larger than this as JSON is not remembered of a deal.
const CURRENCY: &str = "currency";
const AMOUNT: &str = "amount";

/// What an event says of a deal.
#[derive(Clone, Debug, PartialEq)]
pub struct DealOf {
    /// The event, by the name in which names are compared.
    pub event: String,
    /// The kind of the deal.
    pub kind: String,
    /// What tells it apart; `None`: the person does.
    pub key: Option<String>,
    /// What was said at the paths that the kind reads.
    pub said: Said,
}

/// Why an event that should speak of a deal does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoDeal {
    /// It says no key: none of these paths says something that can be one.
    NoKey(String, Vec<String>),
}

/// The stages that were said of a deal, by the mapping of now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StagesSaid {
    /// When each stage was last said.
    pub stages: BTreeMap<String, Stamp>,
    /// The reason that was last said beside each stage.
    pub reasons: BTreeMap<String, String>,
    /// An event that may create the deal has happened.
    pub begun: bool,
}

/// What the rules of a kind make of a deal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MappedDeal {
    /// Values that are kept current.
    pub always: Values,
    /// When each of these was said.
    pub said_at: BTreeMap<String, UnixMicros>,
    /// Values that are sent when it is created.
    pub on_create: Values,
    /// What was left out and why, for a person.
    pub left_out: Vec<String>,
    /// What the template of its name asks of events, as text.
    pub texts: BTreeMap<String, String>,
}

impl Preset {
    /// What an event says of a deal, if its rule says that it does.
    #[must_use]
    pub fn deal_of(&self, event: &Event) -> Option<Result<DealOf, NoDeal>> {
        let name = event.name();
        let says = self.event(name)?.deal.as_ref()?;
        let rule = self.deals.get(&says.kind)?;
        let roots = event.roots();
        let key = match &rule.key {
            DealKeyRule::Of(_) => None,
            DealKeyRule::Paths(paths) => {
                let found = paths
                    .iter()
                    .find_map(|path| key_text(roots.find(path).value()?, crate::delivery::KEY_CHARS_MAX));
                match found {
                    Some(key) => Some(key),
                    None => return Some(Err(NoDeal::NoKey(says.kind.clone(), paths.clone()))),
                }
            }
        };
        let mut said = Said::default();
        for path in rule.paths() {
            if let Some(value) = roots.find(path).value().and_then(kept) {
                said.values.insert(path.to_owned(), value.into_owned());
            }
        }
        Some(Ok(DealOf { event: fold_name(name), kind: says.kind.clone(), key, said }))
    }

    /// The rule of a kind of deals.
    #[must_use]
    pub fn deal_kind(&self, kind: &str) -> Option<&DealRule> {
        self.deals.get(kind)
    }

    /// The kinds of deals by name.
    pub fn deal_kinds(&self) -> impl Iterator<Item = (&str, &DealRule)> {
        self.deals.iter().map(|(kind, rule)| (kind.as_str(), rule))
    }

    /// The lists of an account in which the names of deals are looked up.
    pub(super) fn selectors_of_deals(&self) -> BTreeSet<Kind> {
        let mut kinds = BTreeSet::new();
        for rule in self.deals.values() {
            let said =
                rule.fields.iter().filter(|(_, field)| field.says_something()).map(|(name, _)| name.as_str());
            // An amount may name its currency itself.
            let said = said.map(|name| if name == AMOUNT { CURRENCY } else { name });
            kinds.extend(said.filter_map(|name| attribute(&OF_DEAL, name)).map(|named| named.kind));
            kinds.extend((rule.pipeline.is_some() || rule.adopt).then_some(Kind::DealPipelines));
        }
        for says in self.events_with_deals() {
            kinds.extend(says.stage.is_some().then_some(Kind::DealPipelines));
            kinds.extend(says.reason.is_some().then_some(Kind::DealReasons));
        }
        kinds
    }

    /// What the events of a deal say of its stage, by the rules they have now.
    #[must_use]
    pub fn stages_said(&self, kind: &str, events: &BTreeMap<String, Stamp>) -> StagesSaid {
        let mut said = StagesSaid::default();
        let mut in_order: Vec<(&Stamp, &EventDeal)> = events
            .iter()
            .filter_map(|(event, stamp)| Some((stamp, self.event(event)?.deal.as_ref()?)))
            .filter(|(_, says)| says.kind == kind)
            .collect();
        in_order.sort_by_key(|(stamp, _)| stamp.rank());
        for (stamp, says) in in_order {
            said.begun |= says.create;
            let Some(stage) = says.stage.as_ref().map(super::Label::text) else { continue };
            match &says.reason {
                Some(reason) => said.reasons.insert(stage.clone(), reason.text()),
                None => said.reasons.remove(&stage),
            };
            said.stages.insert(stage, stamp.clone());
        }
        said
    }
}

impl DealRule {
    /// What the rules make of all that was said of a deal.
    #[must_use]
    pub fn map(&self, facts: &Facts) -> MappedDeal {
        let currency = self.currency(facts);
        let place = Place { region: None, currency: currency.as_deref() };
        let Mapped { always, on_create, left_out, .. } = map_fields(facts, self.fields.iter(), place);
        let values = |said: &Lww<String, Value>| -> Values {
            said.iter().map(|(name, said)| (name.clone(), said.value.clone())).collect()
        };
        let said_at = always.iter().map(|(name, said)| (name.clone(), said.stamp.at)).collect();
        let (mut always, on_create) = (values(&always), values(&on_create));
        if let Some(currency) = currency {
            let unsaid = !always.contains_key(CURRENCY) && !on_create.contains_key(CURRENCY);
            if unsaid && (always.contains_key(AMOUNT) || on_create.contains_key(AMOUNT)) {
                always.insert(CURRENCY.to_owned(), Value::from(currency));
            }
        }
        let texts = self.name.paths().filter_map(|path| {
            let said = &facts.values.get(path)?.value;
            let text = Convert::Text.apply(said, None, crate::delivery::KEY_CHARS_MAX).ok()?.value;
            Some((path.to_owned(), text.as_str()?.to_owned()))
        });
        let left_out =
            left_out.into_iter().map(|out| format!("{} left out: {} ({})", out.attribute, out.why, out.path));
        MappedDeal { texts: texts.collect(), left_out: left_out.collect(), always, said_at, on_create }
    }

    /// The currency of its amounts: the one that is said of the deal, else the one that its amount names itself.
    fn currency(&self, facts: &Facts) -> Option<String> {
        let said = self.fields.get(CURRENCY).and_then(|rule: &FieldRule| {
            let constant = rule.constant.as_ref().and_then(Value::as_str).map(str::to_owned);
            let read = || {
                let (mut out, mut seen) = (Vec::new(), super::Seen::default());
                let found = first_convertible(facts, CURRENCY, rule, Place::default(), &mut out, &mut seen);
                found.and_then(|(_, said)| said.value.as_str().map(str::to_owned))
            };
            constant.or_else(read)
        });
        let own = || {
            let rule = self.fields.get(AMOUNT)?;
            let (_, newest) = by_precedence(facts, rule).into_iter().next()?;
            currency_of(&newest.value).map(str::to_owned)
        };
        said.or_else(own).map(|currency| currency.trim().to_ascii_uppercase())
    }
}

/// The text of a key: what stands there, in its own spelling. Numbers are taken as their digits.
pub(super) fn key_text(value: &Value, chars_max: usize) -> Option<String> {
    match value {
        Value::String(_) | Value::Number(_) => {
            let converted = Convert::Text.apply(value, None, chars_max).ok()?;
            converted.value.as_str().filter(|_| !converted.cut).map(str::to_owned)
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
