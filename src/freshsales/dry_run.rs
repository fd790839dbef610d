//! A CRM that is not called: every payload is built and shown, none is sent.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value, json};

use super::{CallResult, Crm, CrmAnswer, Endpoint, LookupResult};
use crate::allowance::RateHint;
use crate::delivery::{Account, AttemptRequest, Request, Stored, Verdict};
use crate::erasure::Found;
use crate::event::Email;

/// What the metrics and the debugger call a call that was not made.
const SIMULATED: &str = "simulated";

/// Accepts everything and sends nothing.
pub struct DryRunCrm {
    endpoint: Endpoint,
    account: Account,
}

impl DryRunCrm {
    /// A dry run against an account. What it "accepts" belongs to an account of its own name, so that a live run later
    /// owes everything.
    #[must_use]
    pub fn new(endpoint: Endpoint) -> Self {
        let account = Self::account_for(endpoint.account());
        Self { endpoint, account }
    }

    /// The name of the account that a dry run against `account` keeps current.
    #[must_use]
    pub fn account_for(account: &Account) -> Account {
        Account(format!("dry_run:{}", account.0))
    }
}

impl Crm for DryRunCrm {
    fn account(&self) -> &Account {
        &self.account
    }

    fn answers_questions(&self) -> bool {
        false
    }

    fn call(&self, request: Request) -> CrmAnswer<CallResult> {
        let stored = Stored { id: id_of(&request), shown: listed(&request), ..Stored::default() };
        answered(CallResult {
            verdict: Verdict::Stored(stored),
            ..simulated(self.endpoint.describe(&request))
        })
    }

    fn look_up(&self, _email: Email) -> CrmAnswer<LookupResult> {
        // Everything was "accepted", so there is a contact.
        answered(LookupResult { call: simulated(self.endpoint.describe_look_up()), found: Found::One(0) })
    }

    fn describe(&self, request: &Request) -> AttemptRequest {
        self.endpoint.describe(request)
    }
}

/// The id that a record is stored under: the same for the same record, so that what needs it goes on. A question is answered by
/// nothing.
fn id_of(request: &Request) -> Option<u64> {
    let body = match request {
        Request::UpdateDeal { id, .. }
        | Request::RenameContact { id, .. }
        | Request::UpdateLead { id, .. } => return Some(*id),
        Request::UpsertContact { body, .. }
        | Request::UpsertCompany { body }
        | Request::CreateDeal { body }
        | Request::CreateLead { body }
        | Request::Tell { body, .. } => body,
        Request::FindContact { .. }
        | Request::FindPerson { .. }
        | Request::ShowContact { .. }
        | Request::FindCompany { .. }
        | Request::ShowDeal { .. }
        | Request::FindDeal { .. }
        | Request::ListTold { .. }
        | Request::ListContacts { .. }
        | Request::ListDeals { .. }
        | Request::ListDealViews
        | Request::ViewDeals { .. }
        | Request::ShowWholeDeal { .. }
        | Request::DeleteTold { .. }
        | Request::Selector(_)
        | Request::Outcomes { .. }
        | Request::Lists { .. }
        | Request::Probe
        | Request::Forget { .. }
        | Request::ForgetLead { .. } => return None,
    };
    let mut hasher = DefaultHasher::new();
    body.get("unique_identifier").unwrap_or(body).to_string().hash(&mut hasher);
    Some(hasher.finish() >> 32)
}

/// Nothing stands in any list of what was told, and nobody has an address.
fn listed(request: &Request) -> Option<Map<String, Value>> {
    if let Request::FindPerson { .. } = request {
        let none = |name: &str| (name.to_owned(), json!({ name: [] }));
        return Some(["leads", "contacts"].map(none).into_iter().collect());
    }
    let Request::ListTold { .. } = request else { return None };
    let lists = ["notes", "sales_activities", "tasks"];
    Some(lists.map(|name| (name.to_owned(), Value::Array(Vec::new()))).into_iter().collect())
}

fn answered<T: Send + 'static>(answer: T) -> CrmAnswer<T> {
    Box::pin(std::future::ready(answer))
}

fn simulated(request: AttemptRequest) -> CallResult {
    CallResult {
        verdict: Verdict::Stored(Stored::default()),
        request,
        response: None,
        error: Some(SIMULATED.to_owned()),
        rate: RateHint::default(),
        status_label: SIMULATED,
    }
}
