//! A call to the CRM: is it let in, does a fault meet it, which route is it, what is the answer.
//! Must not wait and must not write to the network: it is one step under the sandbox's lock.

use axum::extract::Query;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderName, Method, StatusCode};
use serde_json::{Value, json};

use super::answer::{Answer, Refusal, ok};
use super::call::{Asked, BODY_BYTES_MAX, Call};
use super::contacts::{self, Account};
use super::desk::Desk;
use super::kinds::Kind;
use super::now::Now;
use super::options::{Quirk, SandboxOptions};
use super::reply::{Ending, Reply};
use super::routes::{self, Entity, Route};
use super::state::State;
use super::{fields, search, selectors, shown};

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
    if matches!(call.method, Method::POST | Method::PUT) && !call.is_json() {
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
    let route = routes::route(&call.method, call.uri.path(), options)?;
    if options.has(Quirk::NoContactRights) && route.touches_contacts() {
        return Err(Refusal::NotAllowed);
    }
    if route.needs().is_some_and(|right| options.forbidden.contains(&right)) {
        return Err(Refusal::NotAuthorised);
    }
    let mut desk = Desk { state, options, now };
    match route {
        Route::UpsertContact => desk.upsert_contact(body?, &call.include()?),
        Route::BulkUpsert => {
            let State { jobs, book, lists, .. } = desk.state;
            let job = jobs.open(body?, book, &Account { options, lists }, now)?;
            Ok(ok(
                &json!({"job_status_url": format!("{}{}job_statuses/{job}", call.origin(), options.api())}),
            ))
        }
        Route::JobStatus(id) => found(desk.state.jobs.poll(id, now.monotonic)),
        Route::Selector(name) => found(desk.state.lists.answer(&name)),
        Route::Outcomes => Ok(ok(&selectors::outcomes())),
        Route::Fields(Entity::Contact) => Ok(ok(&fields::of_contacts(options))),
        Route::Fields(Entity::Of(kind)) => Ok(ok(&fields::of_kind(kind, options))),
        Route::Lookup => search::lookup(call, desk.state, options, now.wall),
        Route::Search => search::search(call, desk.state, options, now.wall),
        Route::FilteredSearch(entity) => search::filtered(call, body?, entity, desk.state, options, now.wall),
        Route::Filters(entity) => Ok(ok(&filters(entity))),
        Route::View(entity, view) => search::view(call, entity, desk.state, view == WON_DEALS),
        Route::All(kind) => search::view(call, Entity::Of(kind), desk.state, false),
        Route::Show(entity, id) => found(shown::one(desk.state, entity, id, &call.include()?)),
        Route::Create(kind) => desk.create(kind, body?),
        Route::Change(entity, id) => desk.change(entity, id, body?, &call.include()?),
        Route::Delete(entity, id) => {
            let gone = desk.delete(entity, id);
            gone.then(|| Answer::json(StatusCode::NO_CONTENT, &Value::Null)).ok_or(Refusal::NotFound)
        }
        Route::Forget(entity, id) => found(desk.delete(entity, id).then_some(Value::Bool(true))),
        Route::UpsertCompany => desk.upsert_company(body?),
        Route::UpsertDeal => desk.upsert_deal(body?),
        Route::ContactsOf(kind, id) => found(shown::contacts_of(desk.state, kind, id)),
        Route::HangingOn(kind, entity, id) => search::hanging_on(call, kind, entity, id, desk.state),
        Route::ListContacts { list, on } => desk.list_contacts(list, on, body?),
        Route::ContactsOfList(list) => found(shown::contacts_of(desk.state, Kind::List, list)),
        Route::Convert(lead) => desk.convert(lead),
        Route::Nothing => Err(Refusal::NotFound),
    }
}

/// The view of won deals: those of the default pipeline alone (seen on live accounts).
const WON_DEALS: u64 = 70_000_000_102;

/// The view that every kind has, and of deals that of those that are won.
fn filters(entity: Entity) -> Value {
    let name = match entity {
        Entity::Contact => "All Contacts".to_owned(),
        Entity::Of(kind) => format!("All {}", kind.shape().many.replace('_', " ")),
    };
    let all = json!({"id": 70_000_000_101_u64, "name": name, "is_default": true});
    let won = (entity == Entity::Of(Kind::Deal)).then(|| json!({"id": WON_DEALS, "name": "Won Deals"}));
    let views: Vec<Value> = [all].into_iter().chain(won).collect();
    json!({ "filters": views })
}

/// The emails a call is about, in the form they are compared.
fn named_emails(call: &Call, body: &Value) -> Vec<String> {
    let items = body.get("contacts").and_then(Value::as_array).into_iter().flatten();
    let in_body = [body.get("unique_identifier"), body.get("contact")]
        .into_iter()
        .flatten()
        .chain(items)
        .filter_map(|part| part.get("emails")?.as_str().map(contacts::identity))
        .chain(body.pointer("/lead/email").and_then(Value::as_str).map(contacts::identity));
    let in_query =
        Query::<Asked>::try_from_uri(&call.uri).ok().map(|Query(asked)| contacts::identity(&asked.q));
    in_body.chain(in_query).collect()
}
