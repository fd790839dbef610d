//! A call to the CRM: is it let in, does a fault meet it, which route is it, what is the answer.
//! Must not wait and must not write to the network: it is one step under the sandbox's lock.

use axum::extract::Query;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal};
use super::contacts::{self, Upserted};
use super::fields;
use super::now::Now;
use super::options::{Forbidden, Quirk, SandboxOptions};
use super::reply::{Ending, Reply};
use super::state::State;

/// A larger body is refused.
pub(super) const BODY_BYTES_MAX: usize = 1024 * 1024;
const API: &str = "/crm/sales/api/";
const ACCOUNT_HOST: &str = ".myfreshworks.com";
const PER_PAGE_MAX: usize = 100;

/// A call as it arrived.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    /// `None` when it was too large.
    pub(super) body: Option<Bytes>,
}

enum Route {
    Upsert,
    BulkUpsert,
    JobStatus(u64),
    Owners,
    ContactFields,
    Lookup,
    Filters,
    View,
    Contact(u64),
    Forget(u64),
}

impl Route {
    /// What it takes that may be forbidden by itself.
    fn needs(&self) -> Option<Forbidden> {
        match self {
            Self::Owners => Some(Forbidden::Owners),
            Self::JobStatus(_)
            | Self::ContactFields
            | Self::Upsert
            | Self::BulkUpsert
            | Self::Lookup
            | Self::Filters
            | Self::View
            | Self::Contact(_)
            | Self::Forget(_) => None,
        }
    }

    /// Whether the user needs rights to contacts for it.
    fn touches_contacts(&self) -> bool {
        match self {
            Self::JobStatus(_) | Self::Owners | Self::ContactFields => false,
            Self::Upsert
            | Self::BulkUpsert
            | Self::Lookup
            | Self::Filters
            | Self::View
            | Self::Contact(_)
            | Self::Forget(_) => true,
        }
    }
}

#[derive(Deserialize)]
struct Lookup {
    #[serde(default)]
    q: String,
    #[serde(default)]
    f: String,
    #[serde(default)]
    entities: String,
}

#[derive(Deserialize)]
struct Page {
    page: Option<usize>,
    per_page: Option<usize>,
}

/// Decides what a call gets, and lets it take effect.
pub(super) fn answer(call: &Call, state: &mut State, options: &SandboxOptions, now: Now) -> Reply {
    let due = now.monotonic.saturating_add(options.latency);
    let plain = |answer| Reply { answer, ending: Ending::Whole, due };
    if let Err(refusal) = admit(call, state, options, now) {
        return plain(refusal.answer());
    }
    let body = call.json();
    let emails = named_emails(call, body.as_ref().unwrap_or(&Value::Null));
    let fault = state.faults.take(call.uri.path(), &emails);
    let mut real = || {
        let body = body.as_ref().map_err(Clone::clone);
        take_effect(call, body, state, options, now).unwrap_or_else(|refusal| refusal.answer())
    };
    let Some(fault) = fault else {
        let answer = real();
        return plain(with_limits(answer, state, options));
    };
    let (answer, ending, delay) = fault.outcome(fault.applies().then(real));
    Reply { answer, ending, due: due.saturating_add(delay) }
}

/// What some accounts are said to tell of their limit.
fn with_limits(answer: Answer, state: &State, options: &SandboxOptions) -> Answer {
    match state.limits.hour().filter(|_| options.has(Quirk::RateLimitHeaders)) {
        Some((limit, left)) => answer
            .with(HeaderName::from_static("x-ratelimit-limit"), limit)
            .with(HeaderName::from_static("x-ratelimit-remaining"), left),
        None => answer,
    }
}

/// Whether the call is let in, by the things a server looks at first.
fn admit(call: &Call, state: &mut State, options: &SandboxOptions, now: Now) -> Result<(), Refusal> {
    if call.alias().is_some_and(|alias| !alias.eq_ignore_ascii_case(&options.bundle_alias)) {
        return Err(Refusal::UnknownAccount);
    }
    let expected = format!("Token token={}", options.api_key);
    if call.headers.get(AUTHORIZATION).map(axum::http::HeaderValue::as_bytes) != Some(expected.as_bytes()) {
        return Err(Refusal::WrongKey);
    }
    if call.method == Method::POST && !call.is_json() {
        return Err(Refusal::ContentType);
    }
    let throttled = |retry_after_seconds| Refusal::Throttled { retry_after_seconds };
    state.limits.take(now.monotonic).map_err(throttled)?;
    call.body.as_ref().map(|_| ()).ok_or(Refusal::BodyTooLarge { limit_bytes: BODY_BYTES_MAX })
}

fn take_effect(
    call: &Call,
    body: Result<&Value, Refusal>,
    state: &mut State,
    options: &SandboxOptions,
    now: Now,
) -> Result<Answer, Refusal> {
    let found = |body: Option<Value>| body.map(|body| ok(&body)).ok_or(Refusal::NotFound);
    let route = route(&call.method, call.uri.path())?;
    if options.has(Quirk::NoContactRights) && route.touches_contacts() {
        return Err(Refusal::NotAllowed);
    }
    if route.needs().is_some_and(|right| options.forbidden.contains(&right)) {
        return Err(Refusal::NotAuthorised);
    }
    match route {
        Route::Upsert => upsert(body?, state, options, now),
        Route::BulkUpsert => {
            let job = state.jobs.open(body?, &mut state.book, options, now)?;
            Ok(ok(&json!({"job_status_url": format!("{}{API}job_statuses/{job}", call.origin())})))
        }
        Route::JobStatus(id) => found(state.jobs.poll(id, now.monotonic)),
        Route::Owners => Ok(ok(&owners())),
        Route::ContactFields => Ok(ok(&fields::listed(options))),
        Route::Lookup => lookup(call, state),
        Route::Filters => Ok(ok(
            &json!({"filters": [{"id": 70_000_000_101_u64, "name": "All Contacts", "is_default": true}]}),
        )),
        Route::View => view(call, state),
        Route::Contact(id) => found(state.book.by_id(id).map(|contact| json!({"contact": contact}))),
        Route::Forget(id) => found(state.book.forget(id).then_some(Value::Bool(true))),
    }
}

fn route(method: &Method, path: &str) -> Result<Route, Refusal> {
    let rest = path.strip_prefix(API).ok_or(Refusal::NotFound)?;
    let segments: Vec<&str> = rest.split('/').collect();
    let id = |text: &str| text.parse::<u64>().map_err(|_| Refusal::NotFound);
    let (allowed, route) = match segments.as_slice() {
        ["contacts", "upsert"] => (Method::POST, Route::Upsert),
        ["contacts", "bulk_upsert"] => (Method::POST, Route::BulkUpsert),
        ["job_statuses", job] => (Method::GET, Route::JobStatus(id(job)?)),
        ["selector", "owners"] => (Method::GET, Route::Owners),
        ["settings", "contacts", "fields"] => (Method::GET, Route::ContactFields),
        ["lookup"] => (Method::GET, Route::Lookup),
        ["contacts", "filters"] => (Method::GET, Route::Filters),
        ["contacts", "view", _] => (Method::GET, Route::View),
        ["contacts", contact] => (Method::GET, Route::Contact(id(contact)?)),
        ["contacts", contact, "forget"] => (Method::DELETE, Route::Forget(id(contact)?)),
        _ => return Err(Refusal::NotFound),
    };
    if *method == allowed { Ok(route) } else { Err(Refusal::Method { allowed }) }
}

fn upsert(body: &Value, state: &mut State, options: &SandboxOptions, now: Now) -> Result<Answer, Refusal> {
    let email = body
        .get("unique_identifier")
        .and_then(|identifier| identifier.get("emails"))
        .and_then(Value::as_str)
        .ok_or(Refusal::Malformed("unique_identifier.emails should be a string"))?;
    let contact = body
        .get("contact")
        .and_then(Value::as_object)
        .ok_or(Refusal::Malformed("contact should be an object"))?;
    let (upserted, stored) = state.book.upsert(email, contact, options, now.wall)?;
    let status = match upserted {
        Upserted::Created if !options.has(Quirk::Always200) => StatusCode::CREATED,
        Upserted::Created | Upserted::Updated => StatusCode::OK,
    };
    Ok(Answer::json(status, &json!({"contact": stored})))
}

fn lookup(call: &Call, state: &State) -> Result<Answer, Refusal> {
    let Query(lookup) = Query::<Lookup>::try_from_uri(&call.uri)
        .map_err(|_| Refusal::Malformed("the query should be q, f and entities"))?;
    if lookup.f != "email" {
        return Err(Refusal::Malformed("f should be email"));
    }
    if !lookup.entities.split(',').any(|entity| entity == "contact") {
        return Err(Refusal::Malformed("entities should name contact"));
    }
    let contacts: Vec<Value> = state.book.by_email(&lookup.q).into_iter().collect();
    Ok(ok(&json!({"contacts": {"contacts": contacts}})))
}

/// Any view shows all contacts, a page at a time.
fn view(call: &Call, state: &State) -> Result<Answer, Refusal> {
    let Query(page) = Query::<Page>::try_from_uri(&call.uri)
        .map_err(|_| Refusal::Malformed("page and per_page should be numbers"))?;
    let per_page = page.per_page.unwrap_or(25).clamp(1, PER_PAGE_MAX);
    let skipped = page.page.unwrap_or(1).saturating_sub(1).saturating_mul(per_page);
    let all = state.book.all();
    let total = all.len();
    let contacts: Vec<Value> = all.skip(skipped).take(per_page).collect();
    let meta = json!({"total_pages": total.div_ceil(per_page), "total": total});
    Ok(ok(&json!({"contacts": contacts, "meta": meta})))
}

fn owners() -> Value {
    let owner = |id: u64, name: &str, email: &str| json!({"id": id, "display_name": name, "email": email, "is_active": true});
    json!({"users": [
        owner(70_000_012_301, "Alex Kim", "alex.kim@example.com"),
        owner(70_000_012_302, "Maria Silva", "maria.silva@example.com"),
    ]})
}

fn ok(body: &Value) -> Answer {
    Answer::json(StatusCode::OK, body)
}

/// The emails a call is about, in the form they are compared.
fn named_emails(call: &Call, body: &Value) -> Vec<String> {
    let items = body.get("contacts").and_then(Value::as_array).into_iter().flatten();
    let in_body = [body.get("unique_identifier"), body.get("contact")]
        .into_iter()
        .flatten()
        .chain(items)
        .filter_map(|part| part.get("emails")?.as_str().map(contacts::identity));
    let in_query =
        Query::<Lookup>::try_from_uri(&call.uri).ok().map(|Query(lookup)| contacts::identity(&lookup.q));
    in_body.chain(in_query).collect()
}

impl Call {
    /// The account that is meant; `None` when the call names none, as on loopback.
    fn alias(&self) -> Option<String> {
        if let Some(alias) = self.headers.get("x-bundle-alias") {
            return Some(String::from_utf8_lossy(alias.as_bytes()).trim().to_owned());
        }
        let host = self.host()?.to_ascii_lowercase();
        let host = host.split(':').next()?;
        host.strip_suffix(ACCOUNT_HOST).map(str::to_owned)
    }

    fn host(&self) -> Option<&str> {
        self.uri.host().or_else(|| self.headers.get(HOST)?.to_str().ok())
    }

    /// Where the caller reached us, for links in an answer.
    fn origin(&self) -> String {
        let host = self.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
        let scheme = if host.to_ascii_lowercase().ends_with(ACCOUNT_HOST) { "https" } else { "http" };
        format!("{scheme}://{host}")
    }

    fn is_json(&self) -> bool {
        let content_type = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        content_type
            .split(';')
            .next()
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
    }

    fn json(&self) -> Result<Value, Refusal> {
        let body = self.body.as_deref().unwrap_or_default();
        serde_json::from_slice(body).map_err(|error| Refusal::NotJson(error.to_string()))
    }
}
