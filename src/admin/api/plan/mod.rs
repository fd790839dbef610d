//! The plan: what another configuration would change, before anybody applies it.
//!
//! Plays it over stored people, without effect. Bounded in time: beyond that what was looked at is a sample, and said to be one.

mod look;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

use super::answer::failed;
use super::commands::{Given, kept};
use super::order::order_in;
use super::query::Params;
use crate::admin::{Asked, Debugger};
use crate::config_problem::Problem;
use crate::decision::{Change, Foreseen, Settings};
use crate::delivery::{Account, Lane};
use crate::event::Email;
use crate::health::Added;
use crate::http::ApiError;
use crate::trail::{Span, Tallied};
use look::{Look, NewPath};

/// Bytes of a configuration and a mapping.
const TEXTS: usize = 1_048_576;
/// Contacts that are shown side by side.
const SAMPLES_MAX: usize = 20;
/// Of these so many that get something later.
const LATER_MAX: usize = 5;
/// What the body of a plan must be.
const SHAPE: &str =
    r#"{} for the files as they are now, or texts in their place: {"config":"…","mapping":"…"}"#;

/// What a plan is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::admin) enum For {
    /// To know what everything of another configuration would change.
    Planning,
    /// To know what a reload takes over.
    Reload,
}

/// What would change.
#[derive(Debug, Serialize)]
pub(in crate::admin) struct PlanView {
    /// The account that calls would go to, where that is another one.
    account: Option<Account>,
    /// Contacts that there are, and how many of them were looked at.
    contacts: u64,
    looked_at: u64,
    /// All were; else every number is of those that were looked at.
    exact: bool,
    /// Contacts that would be otherwise.
    changed: u64,
    /// Contacts beside these that get something new once their people say it again.
    later: u64,
    /// Calls that would become owed, by lane.
    owed: BTreeMap<Lane, u64>,
    /// Calls that would be owed no more.
    dropped: u64,
    /// The same calls for all contacts, as far as the sample tells.
    calls: u64,
    /// How long they take behind everything that is owed already; null while nobody knows.
    seconds: Option<u64>,
    attributes: Vec<AttributeView>,
    events: Vec<EventView>,
    paths: Vec<NewPath>,
    samples: Vec<SampleView>,
}

/// How an attribute would be wanted otherwise.
#[derive(Debug, Default, Serialize)]
struct AttributeView {
    attribute: String,
    /// Contacts that would have it and do not now.
    appears: u64,
    vanishes: u64,
    changes: u64,
}

/// An event that the mapping names and would not, or the other way round.
#[derive(Debug, Serialize)]
struct EventView {
    event: String,
    /// Whether it would be in the mapping.
    mapped: bool,
    /// How many came in the last nine days; null where they are not counted by this name.
    came: Option<u64>,
}

/// A contact, now and then.
#[derive(Debug, Serialize)]
struct SampleView {
    email: Email,
    lane: Option<Lane>,
    now: BTreeMap<String, Value>,
    then: BTreeMap<String, Value>,
    why: Vec<String>,
}

/// `POST /api/plan`
pub(in crate::admin) async fn plan(Asked(app): Asked, request: Request) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    Params::read(&parts.uri, &[])?;
    let given: Given = order_in(&parts, body, TEXTS, SHAPE).await?;
    Ok(match app.planned(given, For::Planning).await? {
        Ok(plan) => Json(plan).into_response(),
        Err(problems) => (StatusCode::UNPROCESSABLE_ENTITY, Json(kept(&problems))).into_response(),
    })
}

impl Debugger {
    /// What another configuration would change, or what is wrong with it.
    pub(in crate::admin) async fn planned(
        &self,
        given: Given,
        what_for: For,
    ) -> Result<Result<PlanView, Vec<Problem>>, ApiError> {
        let read = Arc::clone(&self.commands.plan);
        let read = tokio::task::spawn_blocking(move || read(&given)).await;
        let mut then = match read.map_err(|_| ApiError::internal())? {
            Ok(then) => then,
            Err(problems) => return Ok(Err(problems)),
        };
        match what_for {
            For::Planning => {}
            // Calls go to the account that the service was started with.
            For::Reload => Arc::make_mut(&mut then).account = self.settings().account.clone(),
        }
        self.foreseen(then).await.map(Ok)
    }

    /// What other settings would change.
    pub(in crate::admin) async fn foreseen(&self, then: Arc<Settings>) -> Result<PlanView, ApiError> {
        let now = self.settings();
        let Ok(_one) = self.planning.try_acquire() else {
            let message = "another plan is being made; retry in a few seconds";
            let busy = ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", message);
            return Err(busy.retry_after_seconds(5));
        };
        let look = Look::over(self, &now, &then).await.map_err(failed)?;
        let events = self.events_named_otherwise(&now, &then).await?;
        let reading = self.reading().await?;
        let owed = lanes(&look.found);
        let more = owed.iter().map(|(lane, count)| (*lane, look.scaled(*count))).collect();
        let Added { calls, seconds } = self.snapshot(&reading).with(&more);
        Ok(PlanView {
            account: Some(then.account.clone()).filter(|account| *account != now.account),
            contacts: look.contacts,
            looked_at: look.looked_at,
            exact: look.exact,
            changed: look.found.len() as u64,
            later: look.later.len() as u64,
            dropped: look.found.iter().filter(|found| found.drops).count() as u64,
            calls,
            seconds,
            attributes: attributes(&look.found),
            events,
            samples: samples(&look.found, &look.later),
            paths: look.paths,
            owed,
        })
    }

    /// The events that one of the mappings names and the other does not, with how many came.
    async fn events_named_otherwise(
        &self,
        now: &Settings,
        then: &Settings,
    ) -> Result<Vec<EventView>, ApiError> {
        let (is, will) = (now.preset.event_names(), then.preset.event_names());
        let mut views = Vec::new();
        if is != will {
            let today = Span::of(self.now());
            let counted =
                self.store.tallies(Span(today.0 - 9 * 48), Span(today.0 + 1)).await.map_err(failed)?;
            let came = |folded: &String| {
                let of = |(tallied, count): &(Tallied, u64)| match tallied {
                    Tallied::Event(_, name, _) if name == folded => *count,
                    Tallied::Event(..) | Tallied::Consent(..) | Tallied::Ended(_) => 0,
                };
                counted.iter().map(of).sum()
            };
            let gone = is.iter().filter(|(folded, _)| !will.contains_key(*folded));
            views.extend(gone.map(|(folded, name)| EventView {
                event: name.clone(),
                mapped: false,
                came: Some(came(folded)),
            }));
            let new = will.iter().filter(|(folded, _)| !is.contains_key(*folded));
            views.extend(new.map(|(_, name)| EventView { event: name.clone(), mapped: true, came: None }));
        }
        Ok(views)
    }
}

fn lanes(found: &[Foreseen]) -> BTreeMap<Lane, u64> {
    let mut lanes = BTreeMap::new();
    found.iter().filter_map(|found| found.owes).for_each(|lane| *lanes.entry(lane).or_default() += 1);
    lanes
}

/// How many contacts get, lose and change each attribute, most first.
fn attributes(found: &[Foreseen]) -> Vec<AttributeView> {
    let mut views: BTreeMap<&String, AttributeView> = BTreeMap::new();
    for (name, change) in found.iter().flat_map(|found| &found.changes) {
        let view = views.entry(name).or_default();
        match change {
            (None, Some(_)) => view.appears += 1,
            (Some(_), None) => view.vanishes += 1,
            (Some(_), Some(_)) | (None, None) => view.changes += 1,
        }
    }
    let mut views: Vec<AttributeView> =
        views.into_iter().map(|(name, view)| AttributeView { attribute: name.clone(), ..view }).collect();
    views.sort_by_key(|view| std::cmp::Reverse(view.appears + view.vanishes + view.changes));
    views
}

/// Some contacts side by side: first one for each attribute that changes, then others.
fn samples(found: &[Foreseen], later: &[Foreseen]) -> Vec<SampleView> {
    let mut seen = std::collections::BTreeSet::new();
    let (mut telling, mut others) = (Vec::new(), Vec::new());
    for one in found {
        // Each attribute of a contact is seen with it, not the first alone.
        let new = one.changes.keys().filter(|name| seen.insert(*name)).count();
        if new > 0 { telling.push(one) } else { others.push(one) }
    }
    let view = |found: &Foreseen| {
        let side = |value: fn(&Change) -> &Option<Value>| {
            let values = found.changes.iter();
            values.filter_map(|(name, change)| Some((name.clone(), value(change).clone()?))).collect()
        };
        SampleView {
            email: found.email.clone(),
            lane: found.owes,
            now: side(|(now, _)| now),
            then: side(|(_, then)| then),
            why: found.why.clone(),
        }
    };
    telling
        .into_iter()
        .chain(later.iter().take(LATER_MAX))
        .chain(others)
        .take(SAMPLES_MAX)
        .map(view)
        .collect()
}
