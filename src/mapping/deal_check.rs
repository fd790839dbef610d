//! What makes no sense in what a mapping file says of deals and companies, each with its key.
//!
//! Must not change anything.

use std::collections::BTreeMap;

use super::company::{CompanyRule, Link};
use super::deals::{DealKeyRule, DealRule};
use super::label::label_problem;
use super::problem::{MappingProblem, attribute_problem, id_problem, path_problem};
use super::rules::{EventDeal, EventRule, FieldRule, Origin, TAGS, When};

/// Attributes of a deal that have a key of their own.
const OWN_KEY: [&str; 3] = ["name", "stage", "pipeline"];

/// What makes no sense in the kinds of deals and in the company.
pub(super) fn record_problems(
    deals: &BTreeMap<String, DealRule>,
    company: Option<&CompanyRule>,
    events: &BTreeMap<String, EventRule>,
    fields: &BTreeMap<String, FieldRule>,
) -> Vec<MappingProblem> {
    let mut problems: Vec<_> =
        deals.iter().flat_map(|(kind, rule)| kind_problems(kind, rule, company.is_some())).collect();
    for (event, says) in events.iter().filter_map(|(event, rule)| Some((event, rule.deal.as_ref()?))) {
        problems.extend(said_problems(event, says, deals));
    }
    problems.extend(company.into_iter().flat_map(|rule| company_problems(rule, fields)));
    problems
}

fn kind_problems(kind: &str, rule: &DealRule, has_company: bool) -> Vec<MappingProblem> {
    let wrong = |key: &str, problem: &str| MappingProblem::of(&["deals", kind, key], problem);
    let mut problems = Vec::new();
    if kind.contains('/') {
        problems.push(wrong("", "the name of a kind has no `/`"));
    }
    match &rule.key {
        DealKeyRule::Of(_) => {}
        DealKeyRule::Paths(paths) if paths.is_empty() => {
            problems.push(wrong("key", "is missing: where the order's number stands, or \"person\""));
        }
        DealKeyRule::Paths(paths) => {
            problems
                .extend(path_problem(paths.iter().map(String::as_str)).map(|problem| wrong("key", &problem)));
        }
    }
    if rule.name.is_empty() {
        problems.push(wrong(
            "name",
            "is missing: what a deal is called, such as \"{person.name|email} order #{key}\"",
        ));
    }
    if rule.name.sources().any(|source| source == "company.name") && !has_company {
        problems
            .push(wrong("name", "nothing can stand at {company.name}: there is no [company] in the mapping"));
    }
    let key_field = rule.key_field.as_str();
    let is_custom =
        key_field.strip_prefix("custom_field.").is_some() && attribute_problem(key_field).is_none();
    if !key_field.is_empty() && !is_custom {
        problems
            .push(wrong("key_field", "must be \"custom_field.cf_…\", or empty to keep the key in the name"));
    }
    problems
        .extend(rule.pipeline.as_ref().and_then(label_problem).map(|problem| wrong("pipeline", &problem)));
    if rule.hold_seconds > 3_600 {
        problems.push(wrong("hold_seconds", "must be 3600 at the most"));
    }
    for (name, field) in &rule.fields {
        if OWN_KEY.contains(&name.as_str()) || name == key_field {
            let problem = "is written by `name`, `pipeline`, `key_field` of the kind and `stage` of an event, not as a field";
            problems.push(MappingProblem::of(&["deals", kind, "fields", name], problem));
        }
        problems.extend(field_problems(&["deals", kind], name, field));
    }
    problems
}

/// What makes no sense in what an event says of a deal.
fn said_problems(event: &str, says: &EventDeal, deals: &BTreeMap<String, DealRule>) -> Vec<MappingProblem> {
    let wrong = |key: &str, problem: &str| MappingProblem::of(&["events", event, "deal", key], problem);
    let mut problems = Vec::new();
    match deals.get(&says.kind) {
        None if says.kind.is_empty() => {
            problems.push(wrong("kind", "is missing: the name of a [deals.KIND]"));
        }
        None => {
            let known: Vec<&str> = deals.keys().map(String::as_str).collect();
            let known =
                if known.is_empty() { "there is no [deals.KIND]".to_owned() } else { known.join(", ") };
            problems.push(wrong("kind", &format!("\"{}\" is no kind of deal; known: {known}", says.kind)));
        }
        Some(rule) if says.stage.is_some() && rule.forward_only.is_none() => {
            let problem = format!(
                "decide deals.{}.forward_only first: true, and no event moves a deal back; false, and the newest event counts",
                says.kind
            );
            problems.push(wrong("stage", &problem));
        }
        Some(_) => {}
    }
    problems.extend(says.stage.as_ref().and_then(label_problem).map(|problem| wrong("stage", &problem)));
    problems.extend(says.reason.as_ref().and_then(label_problem).map(|problem| wrong("reason", &problem)));
    problems
}

fn company_problems(rule: &CompanyRule, fields: &BTreeMap<String, FieldRule>) -> Vec<MappingProblem> {
    let wrong = |key: &str, problem: &str| MappingProblem::of(&["company", key], problem);
    let mut problems = Vec::new();
    if rule.name.is_empty() {
        problems.push(wrong("name", "is missing: where the name of a company stands"));
    }
    problems.extend(path_problem(rule.name.iter().map(Origin::path)).map(|problem| wrong("name", &problem)));
    let by_name = fields.get("company_name").is_some_and(|field| {
        (!field.from.is_empty() || field.constant.is_some()) && field.when != When::Never
    });
    if by_name && rule.link != Link::Never {
        let problem = "contacts are linked to companies, and `company_name` is mapped too: both would be sent. Take that out \
                       with `from = []` under [fields.company_name], or set link = \"never\"";
        problems.push(wrong("link", problem));
    }
    let astray = |source: &str| source == "company.name" || source == "key";
    if rule.missing.sources().any(astray) || rule.missing.paths().next().is_some() {
        problems.push(wrong("missing", "only {person.name}, {person.ATTRIBUTE} and {email} are known there"));
    }
    for (name, field) in &rule.fields {
        if name == "name" {
            problems.push(MappingProblem::of(
                &["company", "fields", name],
                "is written by `name`, not as a field",
            ));
        }
        problems.extend(field_problems(&["company"], name, field));
    }
    problems
}

/// What makes no sense in an attribute of a deal or a company.
fn field_problems(under: &[&str], name: &str, rule: &FieldRule) -> Vec<MappingProblem> {
    let wrong =
        |key: &str, problem: &str| MappingProblem::of(&[under, &["fields", name, key]].concat(), problem);
    let mut problems = Vec::new();
    problems.extend(attribute_problem(name).map(|problem| wrong("", problem)));
    problems.extend(path_problem(rule.from.iter().map(Origin::path)).map(|problem| wrong("from", &problem)));
    problems.extend(id_problem(name, rule.constant.as_ref()).map(|problem| wrong("const", problem)));
    let values = rule.values.iter().filter(|(_, value)| id_problem(name, Some(value)).is_some());
    problems.extend(values.map(|(word, _)| wrong("values", &format!("{word}: must be a whole number"))));
    if rule.aggregate.is_some() || rule.of.is_some() {
        problems
            .push(wrong("aggregate", "only an attribute of contacts is made of several events: take it out"));
    }
    if name == TAGS && (rule.when != When::Create || under == ["company"]) {
        let problem = "a list that is sent takes the place of what people put there: of a deal set when = \"create\", of a company take it out";
        problems.push(wrong("when", problem));
    }
    if rule.max_chars == 0 {
        problems.push(wrong("max_chars", "must be at least 1"));
    }
    if rule.when == When::Empty {
        problems.push(wrong("when", "must be always, create or never; empty is for contacts"));
    }
    problems
}
