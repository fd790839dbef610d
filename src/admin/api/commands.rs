//! What a person orders: in the store's turn, by functions of the decision, applied as one plan.
//!
//! Must not decide: what an order means is said where contacts and deliveries are. The stage that owns the work carries it
//! out; here it is only told of it.

use std::fmt;
use std::sync::Arc;

use axum::Json;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::answer::{failed, not_done};
use super::plan::For;
use super::query::Params;
use super::status::DestinationView;
use crate::admin::editor::{Editor, Reloaded};
use crate::admin::owned::Owner;
use crate::admin::setup::Setup;
use crate::admin::{Asked, Debugger};
use crate::clock::UnixMicros;
use crate::config_problem::Problem;
use crate::decision::Settings;
use crate::destination::Gate;
use crate::freshsales::ByHand;
use crate::health::{Standing, of_allowance};
use crate::http::ApiError;
use crate::store::{Destination, Keys, Plan, Put};
use crate::trail::{Act, ActKind};
use crate::turn::Decide;

/// Reads the settings of another configuration, or says what is wrong with it.
pub type Planned = dyn Fn(&Given) -> Result<Arc<Settings>, Vec<Problem>> + Send + Sync;

/// Another configuration: texts in place of what stands in its files.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Given {
    /// In place of the configuration file.
    pub config: Option<String>,
    /// In place of the mapping file.
    pub mapping: Option<String>,
}

/// What orders reach beside the store.
#[derive(Clone)]
pub struct Commands {
    /// Rung when calls may leave.
    pub owed: Arc<Notify>,
    /// What a person asks of the account.
    pub by_hand: ByHand,
    /// Rung when there is something to walk over.
    pub ordered: Arc<Notify>,
    /// The decision, for an event that is tried again.
    pub decide: Decide,
    /// Reads the configuration again, as SIGHUP does; blocks meanwhile.
    pub reload: Arc<dyn Fn() -> Result<Reloaded, Vec<Problem>> + Send + Sync>,
    /// The settings that another configuration has, without taking it over; blocks meanwhile.
    pub plan: Arc<Planned>,
    /// Changes settings.
    pub editor: Arc<dyn Editor>,
    /// Sets up what a file would say otherwise.
    pub setup: Arc<dyn Setup>,
    /// Changes where data goes.
    pub owner: Arc<dyn Owner>,
}

impl fmt::Debug for Commands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commands").finish_non_exhaustive()
    }
}

/// `POST /api/pause`
pub(in crate::admin) async fn pause(Asked(app): Asked, uri: Uri) -> Result<Json<Value>, ApiError> {
    Params::read(&uri, &[])?;
    let (destination, _) = app.destination(ActKind::Paused, Destination::pause).await?;
    tracing::warn!("calls were paused by hand: nothing is sent until somebody resumes them");
    Ok(Json(json!({ "success": true, "destination": destination })))
}

/// `POST /api/resume`
pub(in crate::admin) async fn resume(Asked(app): Asked, uri: Uri) -> Result<Json<Value>, ApiError> {
    Params::read(&uri, &[])?;
    let (destination, gate) = app.destination(ActKind::Resumed, Destination::resume).await?;
    tracing::info!(state = destination.state, "calls were resumed by hand");
    let reading = app.reading().await?;
    let message = resumed(&gate, of_allowance(app.snapshot(&reading)));
    Ok(Json(json!({ "success": true, "destination": destination, "message": message })))
}

/// What follows from resuming, for a person.
fn resumed(gate: &Gate, allowance: Option<Standing>) -> String {
    match (gate, allowance) {
        (Gate::Open, Some(Standing { message, until, .. })) => {
            let next = until.map(|until| format!("; calls go on at {}", until.to_rfc3339()));
            format!("calls are not paused any more. {message}{}", next.unwrap_or_default())
        }
        (Gate::Open, None) => "calls are made".to_owned(),
        (Gate::AskAccount | Gate::OneContact, _) => {
            "a single test call is sent next, as soon as a contact is due; `destination` still shows the state before it"
                .to_owned()
        }
        (Gate::Shut(until), _) => {
            let until = until.map(|until| format!(" until {}", until.to_rfc3339())).unwrap_or_default();
            format!("calls stay paused{until}, because Freshsales asked for it; that cannot be shortened")
        }
    }
}

/// `POST /api/reload`
pub(in crate::admin) async fn reload(Asked(app): Asked, uri: Uri) -> Result<Response, ApiError> {
    Params::read(&uri, &[])?;
    // What it changes is looked at before: afterwards nothing differs any more.
    let plan = app.planned(Given::default(), For::Reload).await.ok().and_then(Result::ok);
    let reload = Arc::clone(&app.commands.reload);
    let done = tokio::task::spawn_blocking(move || reload()).await.map_err(|_| ApiError::internal())?;
    Ok(match done {
        Ok(Reloaded { taken_over, needs_restart }) => {
            app.carry_out_noted(Plan::default(), ActKind::Reloaded, taken_over.join(", ")).await?;
            let answer = json!({ "success": true, "taken_over": taken_over, "needs_restart": needs_restart, "plan": plan });
            Json(answer).into_response()
        }
        Err(problems) => (StatusCode::UNPROCESSABLE_ENTITY, Json(kept(&problems))).into_response(),
    })
}

/// The configuration is kept, because the new one has these problems. A problem never repeats a secret.
pub(super) fn kept(problems: &[Problem]) -> Value {
    let problem = |Problem { key, value, expected }: &Problem| json!({ "key": key, "value": value, "expected": expected });
    json!({
        "success": false,
        "code": "invalid_configuration",
        "message": "the new configuration is wrong and was not taken over; the old one stays in force",
        "problems": problems.iter().map(problem).collect::<Vec<_>>(),
    })
}

impl Debugger {
    /// Changes how the destination stands; answers how it stands then, and what may leave.
    async fn destination(
        &self,
        kind: ActKind,
        change: fn(&mut Destination, UnixMicros),
    ) -> Result<(DestinationView, Gate), ApiError> {
        let account = self.settings().account.clone();
        let _turn = self.store.turn().await;
        let keys = Keys { destination: Some(account.clone()), ..Keys::default() };
        let found = self.store.load(keys).await.map_err(failed)?.destination;
        let (revision, before) =
            found.map_or_else(Default::default, |found| (found.revision, found.document));
        let mut after = before.clone();
        let now = self.now();
        change(&mut after, now);
        let (view, gate) = (DestinationView::of(&after), after.gate(now));
        if after != before {
            let puts = vec![Put::Destination(account, revision, after)];
            self.carry_out_noted(Plan { puts, ..Plan::default() }, kind, "").await?;
        }
        Ok((view, gate))
    }

    /// Applies what was ordered and notes that it was; the turn must be held.
    pub(in crate::admin) async fn carry_out_noted(
        &self,
        mut plan: Plan,
        kind: ActKind,
        about: impl Into<String>,
    ) -> Result<(), ApiError> {
        plan.puts.push(self.act(kind, about));
        self.carry_out(plan).await
    }

    /// Notes something that was ordered.
    pub(in crate::admin) fn act(&self, kind: ActKind, about: impl Into<String>) -> Put {
        Put::Act(Act { at: self.now(), kind, who: self.who.name.clone(), about: about.into() })
    }

    /// Applies what was ordered; the turn must be held. Wakes those who carry it out.
    pub(in crate::admin) async fn carry_out(&self, mut plan: Plan) -> Result<(), ApiError> {
        plan.puts.extend(self.carried.as_ref().and_then(|carried| carried.put()));
        self.store.apply(plan).await.map_err(not_done)?;
        self.was_ordered();
        Ok(())
    }

    /// An order took effect: wakes those who carry it out.
    pub(in crate::admin) fn was_ordered(&self) {
        if let Some(carried) = &self.carried {
            carried.took_effect();
        }
        self.commands.ordered.notify_one();
        self.commands.owed.notify_one();
    }

    /// Notes nothing of an order of another node until it has ended: carried out once more it does the same.
    pub(in crate::admin) fn repeatable(self) -> Self {
        Self { carried: None, ..self }
    }
}
