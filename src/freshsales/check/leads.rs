//! Compares a mapping with the fields that leads of an account of the older product have. Pure.

use super::super::fields::contact_fields;
use super::super::{Reply, Unanswered};
use super::mapping::{is_sent, key_of};
use super::{Expected, Finding};
use crate::contact::CUSTOM_FIELD_PREFIX;

/// Attributes of a lead that are always sent, or never mandatory for us: the address, and what follows from consent.
const OURS: [&str; 3] = ["email", "emails", "subscription_status"];
/// What leads have under another name than contacts.
const COMPANY: &str = "company_name";

/// What the account contradicts of what is sent of leads, and what is not known of them.
pub(super) fn judge(expected: &Expected, reply: Result<&Reply, &Unanswered>) -> Vec<Finding> {
    let listed = reply.ok().filter(|reply| reply.status == 200);
    let fields = listed.and_then(Reply::json).as_ref().and_then(contact_fields);
    let Some(fields) = fields else {
        return vec![Finding::note(
            "which fields leads of the account have could not be read (settings/leads/fields): whether it takes every attribute of \
             the mapping for a lead is not known before the first one",
        )];
    };
    let sent: Vec<&str> =
        expected.preset.fields().filter(|(_, rule)| is_sent(rule)).map(|(name, _)| name).collect();
    let there = |name: &str| fields.iter().any(|field| field.attribute() == name);
    let custom = sent.iter().filter(|name| name.starts_with(CUSTOM_FIELD_PREFIX) && !there(name));
    let mut findings: Vec<Finding> = custom
        .map(|name| {
            let field = name.trim_start_matches(CUSTOM_FIELD_PREFIX);
            Finding::wrong(format!(
                "{}: leads of the account have no custom field {field}, and Freshsales refuses every lead that carries it: create it \
                 there for leads too, or take it out with from = []",
                key_of(name)
            ))
        })
        .collect();
    let is_sent =
        |attribute: &str| sent.contains(&attribute) || (attribute == "company" && sent.contains(&COMPANY));
    let missing = fields.iter().filter(|field| field.required && !OURS.contains(&field.name.as_str()));
    findings.extend(missing.filter(|field| !is_sent(&field.attribute())).map(|field| {
        Finding::wrong(format!(
            "\"{}\" is mandatory for leads of the account and nothing is sent for it, so every new lead is refused: map it, or make \
             it optional in Freshsales",
            field.label
        ))
    }));
    if findings.is_empty() {
        findings.push(Finding::fine("leads of the account have every field of the mapping"));
    }
    findings
}
