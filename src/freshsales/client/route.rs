//! Where each request goes: its method, its address, and how much of the answer is read.
//!
//! Must not judge an answer, and must not hold the key.

use reqwest::{Method, Url};
use serde_json::Value;

use super::{Endpoint, RESPONSE_BYTES_MAX};
use crate::delivery::{AttemptRequest, Request};

/// A list of an account may have hundreds of entries, and a contact hundreds of deals.
const LIST_BYTES_MAX: usize = 1024 * 1024;
/// An account may have thousands of users, some hundred bytes each.
const SELECTOR_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Where a request goes.
pub(super) struct Route {
    pub method: Method,
    pub url: Url,
}

impl Request {
    /// How much of its answer is read.
    pub(super) fn answer_bytes_max(&self) -> usize {
        match self {
            Self::FindContact { .. }
            | Self::ShowContact { .. }
            | Self::FindCompany { .. }
            | Self::FindDeal { .. } => LIST_BYTES_MAX,
            Self::Selector(_) => SELECTOR_BYTES_MAX,
            Self::UpsertContact { .. }
            | Self::RenameContact { .. }
            | Self::UpsertCompany { .. }
            | Self::CreateDeal { .. }
            | Self::UpdateDeal { .. }
            | Self::ShowDeal { .. }
            | Self::Probe
            | Self::Forget { .. } => RESPONSE_BYTES_MAX,
        }
    }
}

impl Endpoint {
    /// What a request sends, with the key redacted; a dry run needs nothing else.
    #[must_use]
    pub fn describe(&self, request: &Request) -> AttemptRequest {
        let Route { method, mut url } = self.route(request);
        if let Request::FindContact { .. } = request {
            // An address in an address would stand in whatever keeps these.
            url.set_query(Some("f=email&entities=contact"));
        }
        self.shown(method.as_str(), &url, request.body().cloned().unwrap_or(Value::Null))
    }

    pub(super) fn route(&self, request: &Request) -> Route {
        let to = |method: Method, path: &str| Route { method, url: self.url(&api(path)) };
        match request {
            Request::UpsertContact { shows_companies, .. } => {
                let mut url = self.upsert_url().clone();
                url.set_query(shows_companies.then_some("include=sales_accounts"));
                Route { method: Method::POST, url }
            }
            Request::RenameContact { id, .. } => to(Method::PUT, &format!("contacts/{id}")),
            Request::FindContact { email } => self.look_up_of(email.as_str(), "email", "contact"),
            Request::ShowContact { id } => {
                let mut route = to(Method::GET, &format!("contacts/{id}"));
                route.url.set_query(Some("include=deals,sales_accounts"));
                route
            }
            Request::UpsertCompany { .. } => to(Method::POST, "sales_accounts/upsert"),
            Request::FindCompany { website } => self.look_up_of(website, "website", "sales_account"),
            Request::CreateDeal { .. } => to(Method::POST, "deals"),
            Request::UpdateDeal { id, .. } => to(Method::PUT, &format!("deals/{id}")),
            Request::ShowDeal { id } => to(Method::GET, &format!("deals/{id}")),
            Request::FindDeal { field, value } => self.look_up_of(value, field, "deal"),
            Request::Selector(list) => to(Method::GET, &format!("selector/{list}")),
            Request::Probe => to(Method::GET, "selector/owners"),
            Request::Forget { id } => to(Method::DELETE, &format!("contacts/{id}/forget")),
        }
    }

    fn look_up_of(&self, value: &str, field: &str, entity: &str) -> Route {
        let mut url = self.url(&api("lookup"));
        url.query_pairs_mut().append_pair("q", value).append_pair("f", field).append_pair("entities", entity);
        Route { method: Method::GET, url }
    }
}

fn api(path: &str) -> String {
    format!("/crm/sales/api/{path}")
}
