//! Compares the names of a mapping with the lists that the account has. Pure.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::{Reply, Unanswered};
use super::{Expected, Finding};
use crate::clock::UnixMicros;
use crate::contact::CUSTOM_FIELD_PREFIX;
use crate::decision;
use crate::mapping::DealRule;
use crate::selectors::{self, Answered, Kind, List, Selectors, Table};

/// The lists to be asked for, but the users, who were asked for already.
pub(super) fn to_ask(expected: &Expected) -> BTreeSet<Kind> {
    expected.preset.selectors().into_iter().filter(|kind| *kind != Kind::Owners).collect()
}

/// Takes the reply to the question for a list in, and says what is wrong with it.
pub(super) fn learn(
    kind: Kind,
    reply: Result<&Reply, &Unanswered>,
    selectors: &mut Selectors,
) -> Option<Finding> {
    let list = kind.name();
    let (answer, finding) = match reply {
        Err(unanswered) => return Some(Finding::wrong(super::access::unreachable(unanswered))),
        Ok(reply) => match (reply.status, reply.json().and_then(|answer| Table::read(kind, &answer))) {
            (200..=299, Some(table)) => (Answered::Known(table), None),
            (403, _) => {
                let note = format!(
                    "the key may not see selector/{list} (403), so names that are looked up in it are left out: map the ids in \
                     their place, or give the role of the key's user the right"
                );
                (Answered::Forbidden, Some(Finding::note(note)))
            }
            (429 | 500..=599, _) => {
                return Some(Finding::wrong(super::access::troubled(reply.status, reply)));
            }
            (status, _) => {
                let note = format!(
                    "the answer to selector/{list} ({status}) is no such list, so names that are looked up in it are left out: map \
                     the ids in their place"
                );
                (Answered::Unreadable, Some(Finding::note(note)))
            }
        },
    };
    selectors.learn(kind, UnixMicros(0), answer);
    finding
}

/// What the account has of a list, where it showed one.
pub(super) fn known(kind: Kind, selectors: &Selectors) -> Option<Table> {
    match &selectors.list(kind)?.answer {
        Answered::Known(table) => Some(table.clone()),
        Answered::Forbidden | Answered::Unreadable => None,
    }
}

/// Puts a page of lists of contacts behind those before; tells whether another may follow.
pub(super) fn follows(before: Option<List>, selectors: &mut Selectors) -> bool {
    let Some(page) = known(Kind::Lists, selectors) else { return false };
    let before = match before.map(|list| list.answer) {
        Some(Answered::Known(before)) => before,
        Some(Answered::Forbidden | Answered::Unreadable) | None => Table::default(),
    };
    let (all, more) = page.after(before);
    selectors.learn(Kind::Lists, UnixMicros(0), Answered::Known(all));
    more
}

/// What the account says of the names that stand in the mapping.
pub(super) fn judge(expected: &Expected, selectors: &Selectors) -> Vec<Finding> {
    let missing = decision::missing_names(&expected.preset, selectors);
    if missing.is_empty() && !expected.preset.selectors().is_empty() {
        return vec![Finding::fine("the account has every name that stands in the mapping")];
    }
    let wrong = |missing: String| {
        Finding::wrong(format!(
            "{missing}: contacts go without it until it is there, and deals and changes of lists that need it wait"
        ))
    };
    missing.into_iter().map(wrong).collect()
}

/// What is sent of the deals of a kind, as Freshsales calls it.
fn sent_of(rule: &DealRule, expected: &Expected) -> BTreeSet<String> {
    let always = ["name", "deal_stage_id", "deal_pipeline_id", "contacts_added_list"];
    let mut sent: BTreeSet<String> = always.iter().map(|name| (*name).to_owned()).collect();
    let fields = rule.fields.iter().filter(|(_, rule)| rule.says_something()).map(|(name, _)| name.as_str());
    for name in fields.chain([rule.key_field.as_str()]) {
        let name = name.strip_prefix(CUSTOM_FIELD_PREFIX).unwrap_or(name);
        let named = selectors::attribute(&selectors::OF_DEAL, name);
        sent.insert(named.map_or(name, |named| named.id_attribute).to_owned());
    }
    if expected.preset.company().is_some() {
        sent.insert("sales_account_id".to_owned());
    }
    sent
}

/// The mandatory fields of deals for which nothing is sent, and whether the account has the field of a kind's key.
pub(super) fn judge_deals(expected: &Expected, reply: Result<&Reply, &Unanswered>) -> Vec<Finding> {
    let listed = reply.ok().filter(|reply| reply.status == 200).and_then(Reply::json);
    let fields = listed.as_ref().and_then(|answer| answer.get("fields")?.as_array());
    let Some(fields) = fields else {
        return vec![Finding::note(
            "the account does not list the fields of deals to this key, so the kinds of deals of the mapping were not compared \
             with them",
        )];
    };
    let mut findings = Vec::new();
    for (kind, rule) in expected.preset.deal_kinds() {
        let sent = sent_of(rule, expected);
        let is_sent = |name: &str| sent.contains(name);
        let required = fields.iter().filter(|field| field.get("required") == Some(&Value::Bool(true)));
        for field in required {
            let name = field.get("name").and_then(Value::as_str).unwrap_or_default();
            if !name.is_empty() && !is_sent(name) {
                let label = field.get("label").and_then(Value::as_str).unwrap_or(name);
                findings.push(Finding::wrong(format!(
                    "\"{label}\" ({name}) is mandatory for deals of the account and [deals.{kind}] sends nothing for it, so every \
                     deal is refused: map it, or make it optional in Freshsales under Admin Settings, Deals"
                )));
            }
        }
        let has =
            |name: &str| fields.iter().any(|field| field.get("name").and_then(Value::as_str) == Some(name));
        for custom in sent.iter().filter(|name| name.starts_with("cf_") && !has(name)) {
            findings.push(Finding::wrong(format!(
                "[deals.{kind}]: deals of the account have no custom field {custom}: create it in Freshsales under Admin Settings, \
                 Deals, or take it out"
            )));
        }
    }
    findings
}
