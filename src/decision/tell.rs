//! Telling: what of an effect other systems of the user are told, as reports. Whoever brings about another effect that is told
//! makes its report here.
//!
//! Data of a person is told only while their gate is open, but for their refusal. Must not change any record.

use serde_json::{Map, Value, json};

use super::wish::consider;
use super::{Settings, World, clicks};
use crate::clock::UnixMicros;
use crate::consent::Choice;
use crate::contact::{Attributes, ConsentHistory, STATUS, Standing};
use crate::conversion;
use crate::deal;
use crate::delivery::{DealKey, DeliveryId, Subject};
use crate::event::Email;
use crate::happening::On;
use crate::output::{Report, Topic};
use crate::selectors::Forecast;

/// Tells whoever wants to know, unless it is data of somebody whose gate is shut.
pub(super) fn tell(report: &Report, world: &mut World, settings: &Settings) {
    let outputs = report.outputs(&settings.receivers);
    if outputs.is_empty() {
        return;
    }
    let shut = |email: &Email| consider(email, world, settings).wish.gate_shut.is_some();
    if report.topic.needs_consent() && report.person.as_ref().is_some_and(shut) {
        return;
    }
    world.told.outputs.extend(outputs);
}

/// An answer to the call of a contact.
pub(super) struct Answered<'a> {
    /// Whose contact.
    pub email: &'a Email,
    /// The delivery, and which attempt of it.
    pub delivery: &'a DeliveryId,
    pub attempt: u32,
    /// How it stood when the call left, and how it stands now.
    pub before: &'a Standing,
    pub after: &'a Standing,
    /// Freshsales did not have it.
    pub created: bool,
}

impl Answered<'_> {
    fn report(&self, topic: Topic, more: Value, now: UnixMicros) -> Report {
        let mut data = Map::new();
        data.insert("contact".to_owned(), contact(self.email, self.after));
        if let Value::Object(more) = more {
            data.extend(more);
        }
        Report {
            topic,
            subject: Subject::Contact(self.email.clone()),
            person: Some(self.email.clone()),
            cause: format!("{}-{}", self.delivery, self.attempt),
            at: now,
            data,
        }
    }
}

/// Whose it is. Somebody who is a lead has the id of a lead, and none of a contact.
fn contact(email: &Email, standing: &Standing) -> Value {
    match standing.lead_id() {
        Some(lead) => json!({ "email": email, "id": null, "lead_id": lead }),
        None => json!({ "email": email, "id": standing.contact_id }),
    }
}

fn standing_with(email: &Email, world: &World, settings: &Settings) -> Standing {
    world.contacts.get(email).map(|contact| contact.with(&settings.account)).unwrap_or_default()
}

/// Freshsales stored what it was sent of a contact.
pub(super) fn contact_stored(
    answered: &Answered<'_>,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) {
    let Some(call) = answered.before.in_flight.as_ref().filter(|call| !call.asks) else { return };
    if settings.receivers.is_empty() {
        return;
    }
    let accepted = answered.before.accepted.clone().unwrap_or_default();
    let changed: Attributes = call
        .sent
        .iter()
        .filter(|(name, value)| accepted.get(*name) != Some(value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let sent = json!({ "created": answered.created, "attributes": call.sent });
    let mut reports = vec![answered.report(Topic::ContactDelivered, sent, now)];
    if answered.created {
        reports.push(answered.report(Topic::ContactCreated, json!({ "attributes": call.sent }), now));
    } else if !changed.is_empty() {
        reports.push(answered.report(Topic::ContactChanged, json!({ "changed": changed }), now));
    }
    let refusal = Some(&settings.consent.unsubscribed);
    let stranger = consider(answered.email, world, settings).wish.refused_by_stranger;
    if let Some(source) = stranger.filter(|_| changed.get(STATUS) == refusal) {
        // Nobody may have others told by naming addresses: it is told within the quota of the source, as Freshsales is.
        reports.push(answered.report(Topic::ContactUnsubscribed, json!({ "source": source }), now));
    }
    for report in &reports {
        tell(report, world, settings);
    }
}

/// Freshsales refused somebody that it does not have.
pub(super) fn lead_refused(
    answered: &Answered<'_>,
    reason: &str,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) {
    if settings.receivers.is_empty()
        || answered.before.accepted.is_some()
        || answered.after.record_id().is_some()
    {
        return;
    }
    let attributes = answered.before.in_flight.as_ref().map(|call| &call.sent);
    let more = json!({ "reason": reason, "attributes": attributes });
    tell(&answered.report(Topic::LeadRefused, more, now), world, settings);
}

/// What counts of a person's consent to marketing has turned to a refusal.
pub(super) fn consent_changed(
    email: &Email,
    cause: &DeliveryId,
    (before, after): (&ConsentHistory, &ConsentHistory),
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) {
    if settings.receivers.is_empty() {
        return;
    }
    let last = |history: &ConsentHistory| {
        let marketing =
            |change: &&crate::contact::ConsentChange| change.category == settings.consent.marketing;
        history.changes.iter().rfind(marketing).cloned()
    };
    let denied = |change: &crate::contact::ConsentChange| change.choice == Choice::Denied;
    let Some(refusal) = last(after).filter(denied) else { return };
    let considered = consider(email, world, settings);
    let counts = considered.wish.withdrawn && considered.wish.refused_by_stranger.is_none();
    if !counts || last(before).as_ref().is_some_and(denied) {
        return;
    }
    let mut data = Map::new();
    data.insert("contact".to_owned(), contact(email, &standing_with(email, world, settings)));
    data.insert("source".to_owned(), json!(refusal.source));
    data.insert("said_at".to_owned(), json!(refusal.at.to_rfc3339()));
    let report = Report {
        topic: Topic::ContactUnsubscribed,
        subject: Subject::Contact(email.clone()),
        person: Some(email.clone()),
        cause: cause.to_string(),
        at: now,
        data,
    };
    tell(&report, world, settings);
}

/// A deal that stands in another stage than before.
pub(super) struct Moved<'a> {
    /// Which.
    pub key: &'a DealKey,
    /// The address of its contact.
    pub email: Option<&'a Email>,
    /// Its id in Freshsales.
    pub id: Option<u64>,
    /// The stage it stood in, where it is known.
    pub from: Option<&'a str>,
    /// The stage it stands in, and what that means.
    pub to: (&'a str, Forecast),
    /// What is known of it, in names.
    pub attributes: &'a deal::Attributes,
    /// When that was said, where it is known.
    pub at: Option<UnixMicros>,
    /// Who moved it.
    pub by: By,
    /// What brought it about: the same move is never told by two causes.
    pub cause: String,
}

/// Who moved a deal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// A call of ours.
    Us,
    /// A person there, or another system.
    Freshsales,
}

impl By {
    fn as_str(self) -> &'static str {
        match self {
            Self::Us => "freshsignal",
            Self::Freshsales => "freshsales",
        }
    }
}

/// Attributes of a deal that are told, and what they are called there.
const OF_DEAL: [(&str, &str); 5] = [
    ("name", "name"),
    (deal::PIPELINE, "pipeline"),
    ("amount", "amount"),
    ("currency", "currency"),
    (deal::REASON, "reason"),
];

/// A deal moved: that it did, and that it was won or lost.
pub(super) fn deal_moved(moved: &Moved<'_>, world: &mut World, settings: &Settings, now: UnixMicros) {
    let (stage, forecast) = moved.to;
    note_won(moved, world, settings, now);
    if settings.receivers.is_empty() {
        return;
    }
    let mut told = json!({
        "kind": moved.key.kind(), "key": moved.key.key(), "people": moved.key.people(), "id": moved.id,
        "stage": stage, "previous_stage": moved.from, "moved_by": moved.by.as_str(),
    });
    let known = OF_DEAL.iter().filter_map(|(name, called)| Some((*called, moved.attributes.get(*name)?)));
    if let Value::Object(told) = &mut told {
        told.extend(known.map(|(name, value)| (name.to_owned(), value.clone())));
    }
    let mut data = Map::new();
    data.insert("deal".to_owned(), told);
    if let Some(email) = moved.email {
        data.insert("contact".to_owned(), contact(email, &standing_with(email, world, settings)));
    }
    let closed = match forecast {
        Forecast::Won => Some(Topic::DealWon),
        Forecast::Lost => Some(Topic::DealLost),
        Forecast::Open => None,
    };
    let clicks = moved.email.filter(|_| forecast == Forecast::Won);
    let clicks = clicks.and_then(|email| clicks::told_of(email, world, settings));
    let conversion = clicks.is_some().then_some(Topic::Conversion);
    for topic in [Some(Topic::DealStageChanged), closed, conversion].into_iter().flatten() {
        if let Some(told) = clicks.as_ref().filter(|_| topic == Topic::Conversion) {
            data.insert("clicks".to_owned(), conversion::shown(&told.clicks));
        }
        let report = Report {
            topic,
            subject: Subject::Deal(moved.key.clone()),
            person: moved.email.cloned(),
            cause: moved.cause.clone(),
            at: now,
            data: data.clone(),
        };
        tell(&report, world, settings);
    }
}

/// Notes that a deal was won, or is won no more: ad platforms are told of those that are, by a file.
fn note_won(moved: &Moved<'_>, world: &mut World, settings: &Settings, now: UnixMicros) {
    // Nothing is won in a dry run.
    if settings.conversions && !settings.account.0.starts_with("dry_run:") {
        let won = (moved.to.1 == Forecast::Won).then(|| moved.at.unwrap_or(now).min(now));
        world.won.insert(moved.key.clone(), won);
    }
}

/// A note that Freshsales has now.
pub(super) struct Noted<'a> {
    /// What it stands on.
    pub on: &'a On,
    /// The address of its contact.
    pub email: Option<&'a Email>,
    /// Its id in Freshsales.
    pub id: u64,
    /// The name of its event.
    pub event: &'a str,
    /// Its text, line by line.
    pub text: String,
    /// The happening that it was: no two notes have the same.
    pub cause: String,
}

/// A note was written.
pub(super) fn note_added(noted: &Noted<'_>, world: &mut World, settings: &Settings, now: UnixMicros) {
    // Without an address nothing tells whether the gate is open.
    let Some(email) = noted.email.filter(|_| !settings.receivers.is_empty()) else { return };
    let (on, subject) = match noted.on {
        On::Contact | On::Company(None) => ("contact", Subject::Contact(email.clone())),
        On::Company(Some(key)) => ("company", Subject::Company(key.clone())),
        On::Deal(key) => ("deal", Subject::Deal(key.clone())),
    };
    let mut data = Map::new();
    data.insert("contact".to_owned(), contact(email, &standing_with(email, world, settings)));
    let note = json!({ "id": noted.id, "on": on, "event": noted.event, "text": noted.text });
    data.insert("note".to_owned(), note);
    let (person, cause) = (Some(email.clone()), noted.cause.clone());
    tell(&Report { topic: Topic::NoteAdded, subject, person, cause, at: now, data }, world, settings);
}
