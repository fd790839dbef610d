//! Webhooks of others: a message whose signature is right becomes one event by rules that are data.
//!
//! The signature is checked over the raw body before anything of it is read. Must not decide what an event means.

mod body;
mod config;
mod convert;
mod crm;
mod kind;
mod path;
mod rule;
mod signature;

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde_json::value::to_raw_value;
use serde_json::{Map, Value, json};

pub use config::{HookConfig, Hooks, hook_problems};
pub use kind::Kind;
pub use signature::Proof;

use super::batch::Intake;
use super::config::Sources;
use super::key::Source;
use super::{Inner, answer};
use crate::clock::UnixMicros;
use crate::doors::Door;
use crate::event::{Kind as EventKind, Trust};
use crate::http::{self, ApiError};
use crate::store::NewRecord;
use path::Path;
use rule::Rules;
use signature::Wrong;

/// The name of the route in logs and in the list of refusals.
pub const ROUTE: &str = "/hooks/{name}";
/// Why a message is refused whose address names no hook that is on.
const UNKNOWN: &str = "unknown_hook";
const NO_HOOK: &str =
    "no hook of this name is on: it needs a section of [hooks] with a secret, and a source that is on";
/// Characters of a vendor's name of an event, as it is kept.
const NAME_CHARS_MAX: usize = 100;
/// Characters of an id that is kept as it is; a longer one is hashed.
const ID_CHARS_MAX: usize = 100;
/// Bytes of a hash that make an id.
const HASH_BYTES: usize = 16;
/// A message that is sent again after a failure comes within it.
const MINUTE_MICROS: i64 = 60_000_000;
/// Ends the id of what Freshsales says of a record, where the message is an event beside.
const RECORD: &str = "-record";
/// What stands where an address would, in an event that is of nobody.
const NOBODY: &str = "nobody";

/// The fields of an event.
type Fields = Map<String, Value>;

/// The hooks, until the next reload.
#[derive(Default)]
pub struct KnownHooks(BTreeMap<String, Hook>);

/// A vendor that may send.
struct Hook {
    name: String,
    door: Door,
    source: Source,
    proof: Proof,
    event_name: Option<Path>,
    message_id: Vec<Path>,
    anew_each_minute: bool,
    ping: Option<&'static str>,
    /// It is Freshsales: what its records have is heard.
    hears_records: bool,
    /// What it tells of a record only means that Freshsales is asked.
    verifies: bool,
    rules: Rules,
}

/// A message that was found to be from whom it says.
struct Message<'a> {
    headers: &'a HeaderMap,
    raw: &'a [u8],
    body: Value,
    received_at: UnixMicros,
}

impl KnownHooks {
    /// Takes the hooks whose source is on and that can tell a right message from a wrong one.
    #[must_use]
    pub fn new(hooks: &Hooks, sources: &Sources) -> Self {
        let known = hooks.iter().filter_map(|(name, hook)| {
            let kind = hook.kind?;
            let source = sources.get(&hook.source).filter(|source| source.enabled)?;
            let names = kind.names();
            let own = |own: &str| Path::parse(own).filter(|_| !own.is_empty());
            let ids = names.message_id.iter().filter_map(|text| Path::parse(text));
            let known = Hook {
                name: name.clone(),
                door: Door::Hook(Some(name.clone())),
                source: Source::new(&hook.source, source),
                proof: hook.proof(kind)?,
                event_name: own(&hook.event_name).or_else(|| own(names.event)),
                message_id: own(&hook.message_id).into_iter().chain(ids).collect(),
                anew_each_minute: names.anew_each_minute,
                ping: names.ping,
                hears_records: kind == Kind::Freshsales,
                verifies: hook.verify,
                rules: hook.rules(kind),
            };
            Some((name.clone(), known))
        });
        Self(known.collect())
    }
}

impl Inner {
    /// Takes a message of a vendor.
    pub(super) async fn hook(&self, name: &str, parts: Parts, body: Body) -> Response {
        let hooks = self.hooks();
        let Some(hook) = hooks.0.get(name) else {
            http::discard(&parts.headers, body, self.body_limits()).await;
            let error = ApiError::no_such(NO_HOOK).because(UNKNOWN);
            self.note_refused_at(Door::Hook(None), ROUTE, None, (error.code(), error.reason()));
            return error.into_response();
        };
        let response = self.take_message(hook, &parts, body).await.unwrap_or_else(|error| {
            let source = Some(hook.source.name.clone());
            self.note_refused_at(hook.door.clone(), ROUTE, source, (error.code(), error.reason()));
            error.into_response()
        });
        tracing::debug!(route = ROUTE, status = response.status().as_u16(), "answered");
        response
    }

    async fn take_message(&self, hook: &Hook, parts: &Parts, body: Body) -> Result<Response, ApiError> {
        let whole = http::read_whole(parts, body, self.body_limits()).await?;
        let (headers, raw) = (&parts.headers, whole.bytes.as_ref());
        let accepted = answer::json(StatusCode::OK, answer::ACCEPTED_ONE);
        let received_at = self.clock.wall();
        if let Err(wrong) = hook.proof.check(headers, raw, received_at) {
            return if wrong == Wrong::Missing && hook.is_ping(raw) {
                answer::taken(0, &[])
            } else {
                Err(wrong_signature(wrong))
            };
        }
        let Some(body) = body::read(headers, raw) else {
            let message = "the body is neither JSON nor a posted form";
            return Err(ApiError::new(StatusCode::BAD_REQUEST, "malformed_body", message));
        };
        let records = self.records(hook, &Message { headers, raw, body, received_at })?;
        self.let_in(&hook.source, &hook.door, parts, 1)?;
        self.store(&hook.source, &hook.door, records).await?;
        Ok(accepted)
    }

    /// The events of a message: the one of its rule, and, of Freshsales, what it says of a record. One that no rule makes an
    /// event, or whose event can't be kept, is kept as one that is not mapped and says why: its sender would only send it again.
    fn records(&self, hook: &Hook, message: &Message<'_>) -> Result<Vec<NewRecord>, ApiError> {
        // Whoever sends it holds the secret, whatever the keys of the source are.
        let intake = Intake { trust: Trust::Server, ..self.intake(&hook.source) };
        let crm = Intake { by_route: Some(EventKind::Crm), ..self.intake(&hook.source) };
        let crm = Intake { trust: Trust::Server, ..crm };
        let accept = |intake: &Intake<'_>, event: Map<String, Value>| {
            let raw = to_raw_value(&event).map_err(|_| ApiError::internal())?;
            Ok::<_, ApiError>(intake.accept(0, &raw))
        };
        let name = hook.name_of(message);
        let id = hook.id_of(&name, message);
        let (event, heard) = hook.events(&name, message);
        let beside = if event.is_some() { format!("{id}{RECORD}") } else { id.clone() };
        let mut records = Vec::new();
        let mut why = "no_rule";
        for (intake, event, id) in [(&intake, event, id), (&crm, heard, beside)] {
            let Some(mut event) = event else { continue };
            event.insert("messageId".to_owned(), json!(id));
            match accept(intake, event)? {
                Ok(record) => records.push(record),
                Err(refusal) => why = refusal.reason(),
            }
        }
        if records.is_empty() {
            let kept = accept(&intake, hook.not_mapped(&name, why, message))?.map_err(|refusal| {
                ApiError::new(StatusCode::BAD_REQUEST, "invalid_event", refusal.to_string())
                    .because(refusal.reason())
            })?;
            records.push(kept);
        }
        Ok(records)
    }
}

impl Hook {
    /// The event of the rule, and what Freshsales says of a record. Where the rule says no more than what was refused, that
    /// is told with the record.
    fn events(&self, name: &str, message: &Message<'_>) -> (Option<Fields>, Option<Fields>) {
        let event = self.rules.event(name, &message.body, message.headers);
        let Some(mut heard) = crm::read(name, &message.body).filter(|_| self.hears_records) else {
            return (event, None);
        };
        if self.verifies {
            // No consent is taken from it either: whatever the body says, it does nothing but cause a question.
            crm::doubt(&mut heard);
            return (None, Some(heard));
        }
        match event {
            Some(event) if says_consent_alone(&event) => {
                for field in ["traits", "consent", "timestamp"] {
                    heard.extend(event.get(field).map(|value| (field.to_owned(), value.clone())));
                }
                (None, Some(heard))
            }
            event => (event, Some(heard)),
        }
    }

    fn is_ping(&self, raw: &[u8]) -> bool {
        let rest = self.ping.and_then(|ping| raw.strip_prefix(ping.as_bytes()));
        rest.is_some_and(|rest| (1..20).contains(&rest.len()) && rest.iter().all(u8::is_ascii_digit))
    }

    fn name_of(&self, message: &Message<'_>) -> String {
        let name = self.event_name.as_ref().and_then(|path| path.text(&message.body, message.headers));
        name.unwrap_or_default().chars().take(NAME_CHARS_MAX).collect()
    }

    /// The vendor's id, so that what it sends again is one message; else what was said is its id.
    fn id_of(&self, name: &str, message: &Message<'_>) -> String {
        let found = self.message_id.iter().find_map(|path| path.text(&message.body, message.headers));
        let plain = found.as_ref().map(|id| format!("{}-{id}", self.name));
        if let Some(id) = plain.filter(|id| id.chars().count() <= ID_CHARS_MAX) {
            return id;
        }
        let said = found.map_or_else(|| message.raw.to_vec(), String::into_bytes);
        let minute =
            self.anew_each_minute.then(|| message.received_at.0.div_euclid(MINUTE_MICROS).to_string());
        let minute = minute.unwrap_or_default();
        let mut whole = [self.name.as_bytes(), name.as_bytes(), &said].join(&0);
        whole.extend(minute.as_bytes());
        let hash = digest(&SHA256, &whole);
        let short = hash.as_ref().get(..HASH_BYTES).unwrap_or_default();
        format!("hook-{}", URL_SAFE_NO_PAD.encode(short))
    }

    /// What is kept of a message that makes nothing: its name and its id, nothing that stood in it.
    fn not_mapped(&self, name: &str, why: &str, message: &Message<'_>) -> Map<String, Value> {
        let shown = if name.is_empty() { "an event without a name" } else { name };
        let event = json!({
            "type": "track",
            "event": format!("{}: {shown}", self.name),
            "messageId": self.id_of(name, message),
            "traits": {"email": NOBODY},
            "properties": {"hook": self.name, "reason": why},
        });
        match event {
            Value::Object(event) => event,
            _ => Map::new(),
        }
    }
}

/// Whether an event says nothing but whose it is, when, and what they agreed to.
fn says_consent_alone(event: &Map<String, Value>) -> bool {
    let is_identify = event.get("type").is_some_and(|kind| kind == EventKind::Identify.as_str());
    let is_expected = |name: &String| ["type", "traits", "consent", "timestamp"].contains(&name.as_str());
    let traits = event.get("traits").and_then(Value::as_object);
    is_identify
        && event.keys().all(is_expected)
        && traits.is_none_or(|traits| traits.keys().all(|name| name == "email"))
}

fn wrong_signature(wrong: Wrong) -> ApiError {
    let message = match wrong {
        Wrong::Missing => "the message has no signature or token, or not all that belongs to one",
        Wrong::Signature => "the signature or token is another one: compare hooks.*.secret with the sender's",
        Wrong::Timestamp => "the message was signed too long ago; look at the clocks of both machines",
    };
    ApiError::new(StatusCode::UNAUTHORIZED, "wrong_signature", message).because(wrong.reason())
}
