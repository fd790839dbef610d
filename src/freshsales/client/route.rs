//! Where each request goes: its method, its address, and how much of the answer is read.
//!
//! Must not judge an answer, and must not hold the key.

use reqwest::{Method, Url};
use serde_json::Value;

use super::{Endpoint, RESPONSE_BYTES_MAX};
use crate::delivery::{AttemptRequest, HappeningKind, Request, TargetKind};
use crate::selectors::LISTS_PER_PAGE;

/// A list of an account may have hundreds of entries, and a contact hundreds of deals.
const LIST_BYTES_MAX: usize = 1024 * 1024;
/// An account may have thousands of users, some hundred bytes each.
const SELECTOR_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What is asked for along with deals (some accounts show it in lists, some with a deal alone).
const ALONG: &str = "include=owner,contacts,sales_account,currency,deal_stage";
/// The most that a page has.
const DEALS_PER_PAGE: u64 = 100;

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
            | Self::FindPerson { .. }
            | Self::ShowContact { .. }
            | Self::FindCompany { .. }
            | Self::ShowWholeDeal { .. }
            | Self::FindDeal { .. } => LIST_BYTES_MAX,
            // A hundred notes may be as long as notes can be.
            Self::Selector(_)
            | Self::Outcomes { .. }
            | Self::Lists { .. }
            | Self::ListDealViews
            | Self::ListTold { .. }
            | Self::ViewDeals { .. }
            | Self::ListDeals { .. } => SELECTOR_BYTES_MAX,
            Self::UpsertContact { .. }
            | Self::RenameContact { .. }
            | Self::CreateLead { .. }
            | Self::UpdateLead { .. }
            | Self::UpsertCompany { .. }
            | Self::CreateDeal { .. }
            | Self::UpdateDeal { .. }
            | Self::ShowDeal { .. }
            | Self::Tell { .. }
            | Self::ListContacts { .. }
            | Self::DeleteTold { .. }
            | Self::Probe
            | Self::Forget { .. }
            | Self::ForgetLead { .. } => RESPONSE_BYTES_MAX,
        }
    }
}

impl Endpoint {
    /// What a request sends, with the key redacted; a dry run needs nothing else.
    #[must_use]
    pub fn describe(&self, request: &Request) -> AttemptRequest {
        let Route { method, mut url } = self.route(request);
        // An address in an address would stand in whatever keeps these.
        if let Request::FindContact { .. } = request {
            url.set_query(Some("f=email&entities=contact"));
        } else if let Request::FindPerson { .. } = request {
            url.set_query(Some("f=email&entities=lead,contact"));
        }
        self.shown(
            method.as_str(),
            &url,
            request.rules().or_else(|| request.body().cloned()).unwrap_or(Value::Null),
        )
    }

    pub(super) fn route(&self, request: &Request) -> Route {
        let to = |method: Method, path: &str| Route { method, url: self.url(path) };
        match request {
            Request::UpsertContact { shows_companies, .. } => {
                let mut url = self.upsert_url().clone();
                url.set_query(shows_companies.then_some("include=sales_accounts"));
                Route { method: Method::POST, url }
            }
            Request::RenameContact { id, .. } => to(Method::PUT, &format!("contacts/{id}")),
            Request::FindContact { email } => self.look_up_of(email.as_str(), "email", "contact"),
            Request::FindPerson { email } => self.look_up_of(email.as_str(), "email", "lead,contact"),
            Request::CreateLead { .. } => to(Method::POST, "leads"),
            Request::UpdateLead { id, .. } => to(Method::PUT, &format!("leads/{id}")),
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
            Request::Tell { what, .. } => to(Method::POST, list_of(*what)),
            Request::ListTold { what, target, everywhere, page } => {
                let mut route = to(Method::GET, &told_path(*what, *target, *everywhere));
                let mut query = route.url.query_pairs_mut();
                if *what == HappeningKind::Task {
                    query.append_pair("filter", "open");
                }
                if *what != HappeningKind::Note {
                    query.append_pair("include", "targetable");
                }
                // The newest first, as lists of deals are sorted (seen on live accounts).
                query.append_pair("sort", "created_at").append_pair("sort_type", "desc");
                query.append_pair("page", &page.to_string()).append_pair("per_page", "100");
                drop(query);
                route
            }
            Request::DeleteTold { what, id } => to(Method::DELETE, &format!("{}/{id}", list_of(*what))),
            Request::ListContacts { list, on, .. } => {
                let what = if *on { "add_contacts" } else { "remove_contacts" };
                to(Method::PUT, &format!("lists/{list}/{what}"))
            }
            Request::Lists { page } => {
                let mut route = to(Method::GET, "lists");
                route.url.set_query(Some(&lists_query(*page)));
                route
            }
            Request::ListDeals { page, .. } => self.deals(
                Method::POST,
                "filtered_search/deal",
                &[("page", *page), ("per_page", DEALS_PER_PAGE)],
            ),
            Request::ListDealViews => to(Method::GET, "deals/filters"),
            Request::ViewDeals { view, page } => {
                let path = format!("deals/view/{view}");
                let mut route =
                    self.deals(Method::GET, &path, &[("page", *page), ("per_page", DEALS_PER_PAGE)]);
                // By what does not change, so that no deal moves between the pages.
                route.url.query_pairs_mut().append_pair("sort", "created_at").append_pair("sort_type", "asc");
                route
            }
            Request::ShowWholeDeal { id } => self.deals(Method::GET, &format!("deals/{id}"), &[]),
            Request::Selector(list) => to(Method::GET, &format!("selector/{list}")),
            Request::Outcomes { activity_type } => to(Method::GET, &outcomes_path(*activity_type)),
            Request::Probe => to(Method::GET, "selector/owners"),
            Request::Forget { id } => to(Method::DELETE, &format!("contacts/{id}/forget")),
            Request::ForgetLead { id } => to(Method::DELETE, &format!("leads/{id}/forget")),
        }
    }

    /// Deals, with what is shown along.
    fn deals(&self, method: Method, path: &str, query: &[(&str, u64)]) -> Route {
        let mut url = self.url(path);
        url.set_query(Some(ALONG));
        if !query.is_empty() {
            let query = query.iter().map(|(name, number)| (*name, number.to_string()));
            url.query_pairs_mut().extend_pairs(query);
        }
        Route { method, url }
    }

    fn look_up_of(&self, value: &str, field: &str, entity: &str) -> Route {
        let mut url = self.url("lookup");
        url.query_pairs_mut().append_pair("q", value).append_pair("f", field).append_pair("entities", entity);
        Route { method: Method::GET, url }
    }
}

/// The outcomes of a type of sales activities.
pub(super) fn outcomes_path(activity_type: u64) -> String {
    format!("selector/sales_activity_types/{activity_type}/sales_activity_outcomes")
}

/// A page of the lists of contacts.
pub(super) fn lists_query(page: u64) -> String {
    format!("page={page}&per_page={LISTS_PER_PAGE}")
}

/// Where all of a kind are.
fn list_of(what: HappeningKind) -> &'static str {
    match what {
        HappeningKind::Note => "notes",
        HappeningKind::Activity => "sales_activities",
        HappeningKind::Task => "tasks",
    }
}

/// Where those of a record are listed: notes and the activities of a contact or a lead with it, others among all (seen on live accounts,
/// or documented by the vendor). A note can't be read by its id (seen on live accounts).
fn told_path(what: HappeningKind, (kind, id): (TargetKind, u64), everywhere: bool) -> String {
    let record = match kind {
        TargetKind::Contact => "contacts",
        TargetKind::Lead => "leads",
        TargetKind::Deal => "deals",
        TargetKind::Company => "sales_accounts",
    };
    match (what, kind) {
        (HappeningKind::Note, _) => format!("{record}/{id}/notes"),
        (HappeningKind::Activity, TargetKind::Contact | TargetKind::Lead) if !everywhere => {
            format!("{record}/{id}/activities")
        }
        (HappeningKind::Activity | HappeningKind::Task, _) => list_of(what).to_owned(),
    }
}
