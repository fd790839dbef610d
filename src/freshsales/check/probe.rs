//! The probe: what the test contact carries, and what follows from what Freshsales made of it. Pure.

use serde_json::{Map, Value, json};

use super::super::fields::{ContactField, FieldKind};
use super::super::{CallResult, Reply, Unanswered};
use super::mapping::{is_sent, key_of};
use super::{Expected, Finding, access};
use crate::contact::{Attributes, CUSTOM_FIELD_PREFIX, STATUS, did_not_stick, upsert_body};
use crate::delivery::{Stored, Verdict};
use crate::event::Email;

/// A contact as Freshsales shows it.
pub(super) type Shown = Map<String, Value>;

const COMPANY: &str = "company_name";
const COMPANY_VALUE: &str = "freshsignal probe";
const PHONES: [&str; 2] = ["mobile_number", "work_number"];

/// The contact that is written: at an address that belongs to nobody, and named so that a person knows what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestContact {
    email: Email,
    mobile: String,
    work: String,
}

impl TestContact {
    /// A test contact; `chance` makes its address and its phone numbers like no other.
    #[must_use]
    pub fn new(chance: u64) -> Option<Self> {
        // Names under example.com belong to nobody (RFC 2606), and these numbers to no telephone.
        let email = Email::parse(&format!("freshsignal-probe-{chance:016x}@example.com")).ok()?;
        let number = |first: u64| format!("+1202555{:04}", first + chance % 50);
        Some(Self { email, mobile: number(100), work: number(150) })
    }

    /// What marks every record that is written beside it.
    #[must_use]
    pub fn marker(&self) -> String {
        self.email.as_str().split('@').next().unwrap_or_default().to_owned()
    }

    /// Its address.
    #[must_use]
    pub fn email(&self) -> &Email {
        &self.email
    }
}

/// What one call of the probe carries.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sent {
    attributes: Attributes,
    /// The key whose value went out as the status.
    status_key: &'static str,
}

impl Sent {
    /// The body of the call.
    pub(super) fn body(&self, test: &TestContact) -> Value {
        upsert_body(&test.email, &self.attributes)
    }
}

/// The first call: what the mapping sends for everybody, what the account demands, and "unsubscribed", so that nobody
/// writes to it.
pub(super) fn first(test: &TestContact, expected: &Expected, fields: &[ContactField]) -> Sent {
    let samples = [
        ("first_name", json!("freshsignal")),
        ("last_name", json!("Probe (may be deleted)")),
        ("mobile_number", json!(test.mobile)),
        ("work_number", json!(test.work)),
        (COMPANY, json!(COMPANY_VALUE)),
    ];
    let is_mapped =
        |name: &str| expected.preset.fields().any(|(mapped, rule)| mapped == name && is_sent(rule));
    let mut attributes: Attributes = samples
        .into_iter()
        .filter(|(name, _)| is_mapped(name))
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    for field in fields.iter().filter(|field| field.required && field.name != "emails") {
        if let Some(value) = sample(field) {
            attributes.entry(field.attribute()).or_insert(value);
        }
    }
    attributes.insert(STATUS.to_owned(), expected.unsubscribed.clone());
    Sent { attributes, status_key: "unsubscribed" }
}

/// A value that a mandatory field takes.
fn sample(field: &ContactField) -> Option<Value> {
    let choice = field.choices.first();
    match field.kind {
        FieldKind::Text => Some(json!("probe")),
        FieldKind::Number => Some(json!(1)),
        FieldKind::Date => Some(json!("2026-01-01")),
        FieldKind::Checkbox => Some(json!(true)),
        FieldKind::Choice if field.name.ends_with("_id") => {
            choice?.id.as_ref()?.parse::<u64>().ok().map(Value::from)
        }
        FieldKind::Choice => choice.map(|choice| json!(choice.value)),
        FieldKind::Choices => choice.map(|choice| json!([choice.value])),
        FieldKind::Other => None,
    }
}

/// The second call: a change of the status alone.
pub(super) fn second(expected: &Expected) -> Sent {
    let attributes = Attributes::from([(STATUS.to_owned(), expected.subscribed.clone())]);
    Sent { attributes, status_key: "subscribed" }
}

/// What became of the first call.
pub(super) fn created(
    result: Result<&CallResult, &Unanswered>,
    test: &TestContact,
) -> Result<(Stored, Finding), Finding> {
    let stored = stored(result, "the test contact was refused").map_err(|finding| match result {
        // A call without an answer may have been applied.
        Ok(CallResult { verdict: Verdict::Passing { .. }, .. }) => Finding::wrong(format!(
            "{}; it may have been written all the same: look for {} in Freshsales and delete it",
            finding.text,
            test.email.as_str()
        )),
        Ok(_) | Err(_) => finding,
    })?;
    let says = if stored.created {
        "the user of the key may create contacts (the answer was 201)".to_owned()
    } else {
        "the user of the key may create contacts; Freshsales answers 200 for a new one too, which needs no key set"
            .to_owned()
    };
    Ok((stored, Finding::fine(says)))
}

/// What became of the second call.
pub(super) fn changed(result: Result<&CallResult, &Unanswered>) -> Result<Stored, Finding> {
    stored(result, "the change of the test contact was refused")
}

fn stored(result: Result<&CallResult, &Unanswered>, refused: &str) -> Result<Stored, Finding> {
    let result = result.map_err(|unanswered| Finding::wrong(access::unreachable(unanswered)))?;
    match &result.verdict {
        Verdict::Stored(stored) => Ok(stored.clone()),
        Verdict::Refused { reason, attribute, .. } => {
            let advice = attribute.as_deref().map_or_else(String::new, advice);
            Err(Finding::wrong(format!("{refused}: {reason}{advice}")))
        }
        Verdict::Throttled { reason, .. } => Err(Finding::wrong(format!(
            "the calls of the account are used up now ({reason}): wait up to an hour and check again"
        ))),
        Verdict::Passing { reason } => Err(Finding::wrong(format!("{reason}: try again"))),
        Verdict::Blocked { reason, .. } | Verdict::Gone { reason } | Verdict::Shut { reason } => {
            Err(Finding::wrong(format!(
                "{reason}: give the role of the key's user the right to create and edit contacts, in Freshsales under \
             Admin Settings, Roles"
            )))
        }
    }
}

/// What to do about an attribute that a refusal names.
fn advice(attribute: &str) -> String {
    if attribute == STATUS {
        return ": set consent.subscribed = \"1\" and consent.unsubscribed = \"0\", and check again"
            .to_owned();
    }
    format!(": look at [{}] of the mapping, from = [] takes it out", key_of(attribute))
}

/// The answer carried no id, so the contact can't be read or forgotten.
pub(super) fn no_id(test: &TestContact) -> Finding {
    Finding::wrong(format!(
        "Freshsales stored the test contact and did not say under which id, so it can't be read or forgotten: look \
         for {} in Freshsales, see what stuck, and delete it",
        test.email.as_str()
    ))
}

/// The contact in a reply.
pub(super) fn contact_in(reply: &Reply) -> Option<Shown> {
    match reply.json()?.get_mut("contact")?.take() {
        Value::Object(contact) => Some(contact),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
    }
}

/// What of a call Freshsales shows as it was sent, and what otherwise.
pub(super) fn stuck(sent: &Sent, shown: &Shown) -> Vec<Finding> {
    if shown.is_empty() {
        return vec![Finding::note(
            "Freshsales did not show the test contact, so nobody knows what stuck: look at the first real contact",
        )];
    }
    let mut findings = Vec::new();
    let differing = did_not_stick(&sent.attributes, shown);
    let mut as_sent = Vec::new();
    for (name, value) in sent.attributes.iter().filter(|(name, _)| *name != STATUS) {
        let seen = seen(name, shown);
        let differs = differing.contains(name) && !same_phone(name, value, seen);
        match seen {
            Some(seen) if differs || seen.is_null() => findings.push(otherwise(name, value, shown)),
            Some(_) => as_sent.push(name.as_str()),
            None if name == COMPANY && linked_company(shown) => as_sent.push(COMPANY),
            None => findings.push(otherwise(name, value, shown)),
        }
    }
    if !as_sent.is_empty() {
        findings.insert(0, Finding::fine(format!("stored as sent: {}", as_sent.join(", "))));
    }
    findings
        .extend(sent.attributes.get(STATUS).map(|value| status(sent.status_key, value, shown.get(STATUS))));
    findings
}

fn seen<'s>(name: &str, shown: &'s Shown) -> Option<&'s Value> {
    match name.strip_prefix(CUSTOM_FIELD_PREFIX) {
        Some(field) => shown.get("custom_field")?.get(field),
        None => shown.get(name),
    }
}

fn digits(value: &Value) -> String {
    value.as_str().unwrap_or_default().chars().filter(char::is_ascii_digit).collect()
}

/// Freshsales may write a number with spaces.
fn same_phone(name: &str, sent: &Value, seen: Option<&Value>) -> bool {
    PHONES.contains(&name) && seen.is_some_and(|seen| digits(seen) == digits(sent))
}

/// A company may be shown as the account that the contact belongs to.
fn linked_company(shown: &Shown) -> bool {
    let accounts = shown.get("sales_accounts").and_then(Value::as_array);
    accounts.into_iter().flatten().any(|account| account.get("name") == Some(&json!(COMPANY_VALUE)))
}

/// What to do about an attribute that was taken and not kept as it was sent.
fn otherwise(name: &str, sent: &Value, shown: &Shown) -> Finding {
    let key = key_of(name);
    let now = seen(name, shown).filter(|seen| !seen.is_null());
    let became =
        now.map_or_else(|| "is not in the stored contact".to_owned(), |now| format!("was stored as {now}"));
    if name == COMPANY {
        return Finding::wrong(format!(
            "company_name {became}: the account keeps companies elsewhere; create a text field for it, send it there \
             ([fields.\"custom_field.cf_company\"] with the paths of [{key}]), and set from = [] in [{key}]"
        ));
    }
    let has_number = |(other, value): &(&String, &Value)| *other != name && digits(value) == digits(sent);
    if let Some((other, _)) = shown.iter().filter(|_| PHONES.contains(&name)).find(has_number) {
        return Finding::wrong(format!(
            "{name} {became}, the number is in {other}: move the paths of [{key}] to [{}]",
            key_of(other)
        ));
    }
    Finding::wrong(format!(
        "{name} {became}, {sent} was sent: correct [{key}], or take it out with from = []"
    ))
}

/// What a status stands for.
#[derive(PartialEq, Eq)]
enum Meaning {
    Subscribed,
    Unsubscribed,
    Other,
}

fn meaning(status: &Value) -> Meaning {
    let text = status.as_str().map_or_else(|| status.to_string(), |text| text.trim().to_lowercase());
    match text.as_str() {
        "1" | "subscribed" => Meaning::Subscribed,
        "0" | "unsubscribed" => Meaning::Unsubscribed,
        _ => Meaning::Other,
    }
}

/// What Freshsales made of a value of consent.
fn status(key: &str, sent: &Value, shown: Option<&Value>) -> Finding {
    let Some(shown) = shown.filter(|shown| !shown.is_null()) else {
        return Finding::note(format!(
            "Freshsales does not show the subscription_status of the test contact, so nobody knows what it makes of \
             consent.{key} = {sent}: look at the first real contact"
        ));
    };
    let (wanted, number) =
        if key == "subscribed" { (Meaning::Subscribed, 1) } else { (Meaning::Unsubscribed, 0) };
    if meaning(shown) == wanted || sent == shown {
        return Finding::fine(format!("consent.{key} = {sent} is stored as {shown}"));
    }
    if sent.as_u64() == Some(number) {
        return Finding::wrong(format!(
            "consent.{key} = {sent} is stored as {shown}: ask Freshsales which value of subscription_status means \
             {key}, and set consent.{key} to it"
        ));
    }
    Finding::wrong(format!(
        "consent.{key} = {sent} is stored as {shown}, which means something else: set consent.{key} = \"{number}\", and \
         check again"
    ))
}

/// Whether a change of one attribute left the others as they were.
pub(super) fn kept(first: &Sent, shown: &Shown) -> Option<Finding> {
    let names = ["first_name", "last_name"].into_iter().filter(|name| first.attributes.contains_key(*name));
    let lost: Vec<&str> = names
        .filter(|name| shown.get(*name).is_some_and(|now| now.as_str().is_none_or(str::is_empty)))
        .collect();
    (!lost.is_empty()).then(|| {
        Finding::wrong(format!(
            "a call that carries only what changed emptied {}: set delivery.send = \"all\"",
            lost.join(", ")
        ))
    })
}

/// Whether the test contact is gone again.
pub(super) fn forgotten(reply: Result<&Reply, &Unanswered>, id: u64, test: &TestContact) -> Finding {
    let why = match reply {
        Ok(reply) if (200..=299).contains(&reply.status) && !reply.html => {
            return Finding::fine("the test contact is forgotten again");
        }
        Ok(reply) => match reply.words() {
            none if none.is_empty() => reply.status.to_string(),
            words => format!("{}: {words}", reply.status),
        },
        Err(unanswered) => unanswered.to_string(),
    };
    Finding::wrong(format!(
        "the test contact could not be forgotten ({why}): delete it in Freshsales by hand, its id is {id} and its \
         address {}",
        test.email.as_str()
    ))
}
