//! The dry run: events in, decisions and payloads out, nothing stored and nothing sent.
//!
//! The `map` command and `/api/map` share it. People are remembered from one event to the next, and every
//! delivery that an event opens counts as accepted by Freshsales at once.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::simulate::play_all;
use super::{
    Action, ActionState, Considered, Decided, Outcome, Reading, Settings, World, consider, consider_company,
    deal, decide, simulate, told_body,
};
use crate::clock::UnixMicros;
use crate::deal::Attributes;
use crate::delivery::Subject;
use crate::event::{
    Arrival, Broken, Email, Event, EventLimits, EventRefusal, Header, Position, SourceName, Stamp, broken,
    corrected, is_backfill, is_old_data, mend, parse_body,
};
use crate::mapping::{LeftOut, MappedField};
use crate::person::DEFAULT_PEOPLE;

/// The source that events of a dry run come from.
const SOURCE: &str = "map";
/// What a refused event is called in place of an outcome.
const REJECTED: &str = "rejected";
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A service without edges that plays events; at first it knows nobody.
#[derive(Debug, Default)]
pub struct DryRun {
    world: World,
    lines: u64,
}

/// What became of one event, as `map` prints it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DryRunLine {
    /// The event's message id, or `line-` and its number where it has none.
    pub message_id: String,
    /// The word of its outcome; `rejected` when it would not have been accepted.
    pub outcome: &'static str,
    /// Why.
    pub reason: String,
    /// Details.
    pub notes: Vec<String>,
    /// What the contact should have, each attribute with where it came from.
    pub fields: Vec<MappedField>,
    /// What was left out, and why.
    pub left_out: Vec<LeftOut>,
    /// The body of the call it opens; `None` when it opens none.
    pub payload: Option<Value>,
    /// What it does to companies and deals, and what it tells.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<DryRunAction>,
}

/// What an event does to a company or a deal, or tells, as `map` prints it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DryRunAction {
    /// What it is, and what becomes of it.
    #[serde(flatten)]
    pub action: Action,
    /// What the deal should have, in names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deal: Option<Attributes>,
    /// What the company should have beside its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company: Option<crate::company::Attributes>,
    /// The body of its call; of one that waits, what would create it: with ids of the account where its lists are known, else
    /// with names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
}

impl DryRunLine {
    /// Whether the event would not have been accepted.
    #[must_use]
    pub fn is_rejected(&self) -> bool {
        self.outcome == REJECTED
    }
}

/// Why an event would not have been accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DryRunRefusal {
    /// It is no JSON.
    #[error("malformed_body: the line is not JSON: {0}")]
    NotJson(Broken),
    /// It is no text.
    #[error("malformed_body: line {line} is not UTF-8; its first wrong byte is at {byte}")]
    NotText {
        /// Which line, from 1 on.
        line: u64,
        /// Where in the line, from 1 on.
        byte: usize,
    },
    /// It is no acceptable event.
    #[error("{reason}: {0}", reason = .0.reason())]
    Event(EventRefusal),
}

impl DryRun {
    /// Plays the event of a line of a file, whatever bytes stand there, and says what became of it, acceptable or not.
    /// `None`: the line is empty. `limits` are those of ingest.
    pub fn line(
        &mut self,
        line: &[u8],
        settings: &Settings,
        limits: EventLimits,
        now: UnixMicros,
    ) -> Option<DryRunLine> {
        let text = std::str::from_utf8(line)
            .map_err(|error| DryRunRefusal::NotText { line: self.lines + 1, byte: error.valid_up_to() + 1 });
        let played = match text {
            // Some editors put a mark before the first character of a file.
            Ok(text) => match text.trim_start_matches(BYTE_ORDER_MARK).trim() {
                "" => {
                    self.lines += 1;
                    return None;
                }
                event => self.play(event, settings, limits, now),
            },
            Err(refusal) => {
                self.lines += 1;
                Err(refusal)
            }
        };
        Some(played.unwrap_or_else(|refusal| DryRunLine {
            message_id: self.line_id(),
            outcome: REJECTED,
            reason: refusal.to_string(),
            notes: Vec::new(),
            fields: Vec::new(),
            left_out: Vec::new(),
            payload: None,
            actions: Vec::new(),
        }))
    }

    /// Plays one event.
    ///
    /// # Errors
    /// Why the event would not have been accepted.
    pub fn play(
        &mut self,
        raw: &str,
        settings: &Settings,
        limits: EventLimits,
        now: UnixMicros,
    ) -> Result<DryRunLine, DryRunRefusal> {
        self.lines += 1;
        // As the items of a batch: each a microsecond after the one before, so that their order is kept.
        let received_at = now.plus(Duration::from_micros(self.lines));
        let event = self.read(raw, limits, received_at)?;
        let message_id = event.stamp.message_id.clone();
        let decided = decide(&Reading::of(&event, settings), &mut self.world, settings, received_at);
        let considered = decided.email.as_ref().map(|email| consider(email, &self.world, settings));
        let Considered { fields, left_out, .. } = considered.unwrap_or_default();
        let (payload, sent) = self.accept(&decided, settings, received_at);
        let others = sent.keys().filter(|subject| subject.contact().is_some()).count();
        let shown = |action| self.action(action, &sent, settings, received_at);
        let actions = decided.actions.into_iter().map(shown).collect();
        let mut notes = decided.notes;
        if others > 0 {
            notes.push(format!("it also opens a delivery of each of {others} other contacts"));
        }
        Ok(DryRunLine {
            message_id,
            outcome: decided.outcome.as_str(),
            reason: decided.reason,
            notes,
            fields,
            left_out,
            payload,
            actions,
        })
    }

    /// What Freshsales would have of each contact after all of it.
    pub fn contacts<'d>(
        &'d self,
        settings: &'d Settings,
    ) -> impl Iterator<Item = (&'d Email, &'d crate::contact::Attributes)> + 'd {
        self.world.contacts.iter().filter_map(|(email, contact)| {
            Some((email, contact.standing.get(&settings.account)?.accepted.as_ref()?))
        })
    }

    fn read(&self, line: &str, limits: EventLimits, received_at: UnixMicros) -> Result<Event, DryRunRefusal> {
        let mended;
        let raw: &RawValue = if let Ok(raw) = serde_json::from_str(line.trim()) {
            raw
        } else {
            mended = mend(line.trim()).unwrap_or_default();
            let mended = serde_json::from_str(&mended);
            mended.map_err(|_| DryRunRefusal::NotJson(broken(line.trim().as_bytes())))?
        };
        let header = Header::read(raw, None, limits).map_err(DryRunRefusal::Event)?;
        let at = corrected(header.claimed, received_at);
        let message_id = header.message_id.map_or_else(|| self.line_id(), std::borrow::Cow::into_owned);
        Ok(Event {
            position: Position(self.lines),
            source: SourceName(SOURCE.to_owned()),
            people: DEFAULT_PEOPLE.to_owned(),
            received_at,
            stamp: Stamp { at, message_id, ..Stamp::default() },
            kind: header.kind,
            backfill: is_backfill(
                Arrival::Live,
                header.backfill,
                header.claimed,
                is_old_data(at, received_at),
            ),
            body: parse_body(raw.get()),
        })
    }

    /// Lets Freshsales accept what an event opened, and what follows from it: answers the body of the event's own call, and of
    /// which other records which bodies went.
    fn accept(
        &mut self,
        decided: &Decided,
        settings: &Settings,
        now: UnixMicros,
    ) -> (Option<Value>, BTreeMap<Subject, Value>) {
        let own = decided.delivery_id.as_ref().filter(|_| decided.outcome == Outcome::Queued);
        let payload = own.and_then(|id| simulate(id, &mut self.world, settings, now));
        let others = play_all(&mut self.world, settings, now);
        let others =
            others.into_iter().filter_map(|(_, subject, request)| Some((subject, request.body()?.clone())));
        (payload, others.collect())
    }

    /// What an event does to a record beside its contact, with what that should have and the body that went.
    fn action(
        &self,
        action: Action,
        sent: &BTreeMap<Subject, Value>,
        settings: &Settings,
        now: UnixMicros,
    ) -> DryRunAction {
        let world = &self.world;
        let subject = action.subject.parse::<Subject>().ok();
        let payload = subject.as_ref().and_then(|subject| sent.get(subject)).cloned();
        match subject {
            Some(Subject::Deal(key)) => {
                let wanted = deal::wanted(&key, world, settings);
                // One that waits is shown as it would be created: with names where the account was not asked for its lists.
                let waits = payload.is_none() && action.state == ActionState::Held;
                let preview = waits.then(|| deal::creation_of_deal(&key, world, settings)).flatten();
                let action = if payload.is_some() { action.in_the_end() } else { action };
                DryRunAction { action, deal: wanted, company: None, payload: payload.or(preview) }
            }
            Some(Subject::Happening(id)) => {
                let waits = payload.is_none() && action.state == ActionState::Held;
                let preview = waits.then(|| told_body(&id, world, settings, now)).flatten();
                let action = if payload.is_some() { action.in_the_end() } else { action };
                DryRunAction { action, deal: None, company: None, payload: payload.or(preview) }
            }
            Some(Subject::Company(key)) => {
                let company = consider_company(&key, world, settings).map(|(wanted, _)| wanted);
                DryRunAction { action, deal: None, company, payload }
            }
            Some(Subject::Member(_)) => {
                let action = if payload.is_some() { action.in_the_end() } else { action };
                DryRunAction { action, deal: None, company: None, payload }
            }
            Some(Subject::Contact(_)) | None => DryRunAction { action, deal: None, company: None, payload },
        }
    }

    fn line_id(&self) -> String {
        format!("line-{}", self.lines)
    }
}
