//! Look-ups of an address: what an answer finds. Pure.
//!
//! A search may find who only resembles what was asked for. A contact counts as found when the address is its own, and
//! its first one where it has several.

use serde_json::{Map, Value};

use super::CallResult;
use super::bulk::not_known;
use crate::delivery::{AttemptRequest, BlockCause, Verdict, whole_number};
use crate::erasure::Found;
use crate::event::Email;

/// What a look-up ended with.
#[derive(Clone, Debug, PartialEq)]
pub struct LookupResult {
    /// The call. A verdict of `Stored` means that it was answered.
    pub call: CallResult,
    /// Who was found.
    pub found: Found,
}

impl LookupResult {
    /// No such call is known: nothing was asked.
    pub(super) fn not_known(request: AttemptRequest) -> Self {
        Self { call: not_known(request), found: Found::NoAnswer }
    }
}

/// Who was found. Without an answer nobody can tell; a call that was refused says nothing of the contact.
#[must_use]
pub fn found(verdict: &Verdict, answer: Option<&[u8]>, email: &Email) -> Found {
    match verdict {
        Verdict::Stored(_) => answer.map_or(Found::NoAnswer, |answer| among(answer, email)),
        Verdict::Refused { .. }
        | Verdict::Gone { .. }
        | Verdict::Shut { .. }
        | Verdict::Blocked { cause: BlockCause::Forbidden, .. } => Found::Unclear,
        Verdict::Throttled { .. } | Verdict::Passing { .. } | Verdict::Blocked { .. } => Found::NoAnswer,
    }
}

fn among(answer: &[u8], email: &Email) -> Found {
    let answer: Option<Map<String, Value>> = serde_json::from_slice(answer).ok();
    let contacts = answer.as_ref().and_then(contacts_in);
    let leads = answer.as_ref().and_then(leads_in);
    if contacts.is_none() && leads.is_none() {
        return Found::Unclear;
    }
    let all = || contacts.into_iter().chain(leads).flatten();
    let own = |record: &&Value| is_own(record, email);
    let theirs: Vec<&Value> = all().filter(own).collect();
    let is_lead = leads.is_some_and(|leads| leads.iter().any(|lead| is_own(lead, email)));
    let found = if is_lead { Found::Lead } else { Found::One };
    match (theirs.as_slice(), all().next().is_none()) {
        ([record], _) => record.get("id").and_then(whole_number).map_or(Found::Unclear, found),
        ([], true) => Found::Nobody,
        ([], false) => Found::Unclear,
        ([_, _, ..], _) => Found::Several,
    }
}

fn leads_in(answer: &Map<String, Value>) -> Option<&Vec<Value>> {
    answer.get("leads")?.get("leads")?.as_array()
}

/// The contacts in an answer whose own address it is; `None` where it shows no list of contacts.
#[must_use]
pub fn own_among<'a>(answer: &'a Map<String, Value>, email: &Email) -> Option<Vec<&'a Map<String, Value>>> {
    let theirs = contacts_in(answer)?.iter().filter(|contact| is_own(contact, email));
    Some(theirs.filter_map(Value::as_object).collect())
}

fn contacts_in(answer: &Map<String, Value>) -> Option<&Vec<Value>> {
    answer.get("contacts")?.get("contacts")?.as_array()
}

/// Whether an address is the contact's own: `email`, else the first of `emails`, in whichever form these are.
fn is_own(contact: &Value, email: &Email) -> bool {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let of_entry = |entry: &Value| text(entry).or_else(|| entry.get("value").and_then(text));
    let own = contact.get("email").and_then(text).or_else(|| match contact.get("emails")? {
        Value::Array(entries) => {
            let is_primary =
                |entry: &&Value| entry.get("is_primary").and_then(Value::as_bool).unwrap_or(false);
            entries.iter().find(is_primary).or(entries.first()).and_then(of_entry)
        }
        other => text(other),
    });
    own.is_some_and(|own| own.trim().eq_ignore_ascii_case(email.as_str()))
}
