//! Questions to the account: calls that read, and the one that forgets. One question is one request.
//!
//! Must not judge what a reply means, retry, or let the key out.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::super::words;
use super::rate::rate_hint;
use super::route::{lists_query, outcomes_path};
use super::{Client, Inner, RESPONSE_BYTES_MAX};
use crate::allowance::RateHint;

/// An account may list hundreds of fields, some with a choice for each country of the world.
const FIELDS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A question to the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Who may own contacts: the cheapest call that proves alias and key.
    Owners,
    /// Which fields contacts have.
    ContactFields,
    /// Which fields leads have, in an account of the older product.
    LeadFields,
    /// Which lists of contacts the user may see: proves that contacts are open to it.
    ContactFilters,
    /// One of the account's lists that give names their ids, by the last part of its address.
    List(&'static str),
    /// The outcomes of a type of sales activities, by the id of the type.
    Outcomes(u64),
    /// A page of the lists of contacts, from 1.
    Lists(u64),
    /// Which fields deals have.
    DealFields,
    /// One contact, with the companies it belongs to.
    Contact(u64),
    /// Which lists of deals the user may see: proves that deals are open to it.
    DealFilters,
    /// One contact, with its deals.
    DealsOf(u64),
    /// The notes of a contact.
    NotesOf(u64),
    /// Not a question but an order, as all that follow: forget a contact for good.
    Forget(u64),
    /// Write a note that says it may be deleted on a contact.
    WriteNote(u64),
    /// Delete a note.
    DeleteNote(u64),
    /// Delete a deal.
    DeleteDeal(u64),
    /// Delete a company.
    DeleteCompany(u64),
}

/// What the note of a probe says.
pub const PROBE_NOTE: &str = "freshsignal probe (may be deleted)";

impl Question {
    fn method(self) -> Method {
        match self {
            Self::Owners
            | Self::ContactFields
            | Self::LeadFields
            | Self::ContactFilters
            | Self::List(_)
            | Self::Outcomes(_)
            | Self::Lists(_)
            | Self::DealFields
            | Self::DealFilters
            | Self::DealsOf(_)
            | Self::NotesOf(_)
            | Self::Contact(_) => Method::GET,
            Self::WriteNote(_) => Method::POST,
            Self::Forget(_) | Self::DeleteNote(_) | Self::DeleteDeal(_) | Self::DeleteCompany(_) => {
                Method::DELETE
            }
        }
    }

    pub(super) fn path(self) -> String {
        match self {
            Self::Owners => "selector/owners".to_owned(),
            Self::ContactFields => "settings/contacts/fields".to_owned(),
            Self::LeadFields => "settings/leads/fields".to_owned(),
            Self::ContactFilters => "contacts/filters".to_owned(),
            Self::List(name) => format!("selector/{name}"),
            Self::Outcomes(activity_type) => outcomes_path(activity_type),
            Self::Lists(_) => "lists".to_owned(),
            Self::DealFields => "settings/deals/fields".to_owned(),
            Self::DealFilters => "deals/filters".to_owned(),
            Self::Contact(id) | Self::DealsOf(id) => format!("contacts/{id}"),
            Self::NotesOf(id) => format!("contacts/{id}/notes"),
            Self::WriteNote(_) => "notes".to_owned(),
            Self::DeleteNote(id) => format!("notes/{id}"),
            Self::DeleteDeal(id) => format!("deals/{id}"),
            Self::DeleteCompany(id) => format!("sales_accounts/{id}"),
            Self::Forget(id) => format!("contacts/{id}/forget"),
        }
    }

    fn query(self) -> Option<String> {
        match self {
            Self::Contact(_) => Some("include=sales_accounts".to_owned()),
            Self::DealsOf(_) => Some("include=deals".to_owned()),
            Self::Lists(page) => Some(lists_query(page)),
            Self::Owners
            | Self::ContactFields
            | Self::LeadFields
            | Self::ContactFilters
            | Self::List(_)
            | Self::Outcomes(_)
            | Self::DealFields
            | Self::DealFilters
            | Self::NotesOf(_)
            | Self::WriteNote(_)
            | Self::DeleteNote(_)
            | Self::DeleteDeal(_)
            | Self::DeleteCompany(_)
            | Self::Forget(_) => None,
        }
    }

    fn body(self) -> Option<Value> {
        match self {
            Self::WriteNote(contact) => Some(json!({ "note": {
                "description": PROBE_NOTE, "targetable_type": "Contact", "targetable_id": contact,
            } })),
            Self::Owners
            | Self::ContactFields
            | Self::LeadFields
            | Self::ContactFilters
            | Self::List(_)
            | Self::Outcomes(_)
            | Self::Lists(_)
            | Self::DealFields
            | Self::DealFilters
            | Self::Contact(_)
            | Self::DealsOf(_)
            | Self::NotesOf(_)
            | Self::DeleteNote(_)
            | Self::DeleteDeal(_)
            | Self::DeleteCompany(_)
            | Self::Forget(_) => None,
        }
    }

    fn bytes_max(self) -> usize {
        match self {
            // Of an account with thousands of users the list of them is as long.
            Self::ContactFields
            | Self::LeadFields
            | Self::DealFields
            | Self::Owners
            | Self::List(_)
            | Self::Outcomes(_)
            | Self::Lists(_) => FIELDS_BYTES_MAX,
            Self::ContactFilters
            | Self::DealFilters
            | Self::Contact(_)
            | Self::DealsOf(_)
            | Self::NotesOf(_)
            | Self::WriteNote(_)
            | Self::DeleteNote(_)
            | Self::DeleteDeal(_)
            | Self::DeleteCompany(_)
            | Self::Forget(_) => RESPONSE_BYTES_MAX,
        }
    }
}

/// A whole answer to a question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// `Retry-After`, as it came.
    pub retry_after: Option<String>,
    /// Calls an hour that the account has, where the answer says so.
    pub limit: Option<u32>,
    /// How many of them are left.
    pub remaining: Option<u32>,
    /// It is a page, so it does not come from the API.
    pub html: bool,
    /// The body, cut at a limit, without the key.
    pub body: Vec<u8>,
}

/// Why a question got no whole answer, in words without key, address or personal data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unanswered(pub String);

impl Reply {
    /// The body as JSON, if it is some.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// What an error body says, fit to be shown; empty where it says nothing.
    #[must_use]
    pub fn words(&self) -> String {
        let content_type = self.html.then_some("text/html");
        words::fit_to_show(&words::said(content_type, &self.body).words)
    }
}

impl Client {
    /// Asks the account something.
    ///
    /// # Errors
    /// No whole answer came.
    pub async fn ask(&self, question: Question) -> Result<Reply, Unanswered> {
        self.0.ask(question).await
    }

    /// Waits: what was written needs a while until it is found.
    pub(in crate::freshsales) async fn wait(&self, wait: Duration) {
        if !wait.is_zero() {
            let clock = &self.0.clock;
            clock.sleep_until(clock.monotonic() + wait).await;
        }
    }
}

impl Inner {
    async fn ask(&self, question: Question) -> Result<Reply, Unanswered> {
        let mut url = self.endpoint.url(&question.path());
        url.set_query(question.query().as_deref());
        let request = self.http.request(question.method(), url);
        let request = match question.body() {
            Some(body) => request.body(body.to_string().into_bytes()),
            None => request,
        };
        let response = self.send(request).await.map_err(|error| Unanswered(self.failure(error).words))?;
        let RateHint { limit, remaining, .. } = rate_hint(response.headers(), self.clock.wall());
        let mut reply = Reply { limit, remaining, ..Reply::default() };
        let received = self.receive(response, question.bytes_max()).await;
        if let Some(failure) = received.broken {
            return Err(Unanswered(failure.words));
        }
        reply.status = received.status;
        reply.retry_after = received.retry_after;
        reply.html = words::is_html(received.content_type.as_deref(), &received.body);
        reply.body = self.shown(&received.body).into_bytes();
        Ok(reply)
    }
}
