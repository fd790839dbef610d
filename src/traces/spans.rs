//! Which spans there are: `receive`, `journal` and `effect` of an event, `delivery` and `call` of what it led to.
//!
//! Pure: from what is stored to spans. Must not take anything over that a sender said.

use std::time::Duration;

use super::Carried;
use super::ids::{Ids, SpanRef, TraceId};
use super::span::{Attribute, Role, Span};
use crate::clock::UnixMicros;
use crate::decision::Outcome;
use crate::delivery::{Delivery, DeliveryId, State};
use crate::doors::Door;
use crate::event::{Kind, Position, SourceName};
use crate::trail::EventTrail;

/// Events of one request that are on disk now.
pub struct Received<'r> {
    /// By which door it came.
    pub door: &'r Door,
    /// Whose it is.
    pub source: &'r SourceName,
    /// The first of them; the others follow.
    pub first: Position,
    /// How many.
    pub events: u64,
    /// When the request came.
    pub at: UnixMicros,
    /// When they were on disk.
    pub now: UnixMicros,
}

/// What is told of an event that took effect.
pub struct Effect {
    trace: TraceId,
    position: Position,
    received_at: UnixMicros,
    kind: Kind,
    outcome: Outcome,
    source: String,
    delivery: Option<DeliveryId>,
}

impl Effect {
    /// None of an event that is not sampled.
    pub(super) fn of(ids: &Ids<'_>, trail: &EventTrail) -> Option<Self> {
        let trace = ids.of_event(trail.position);
        ids.samples(trace).then(|| Self {
            trace,
            position: trail.position,
            received_at: trail.received_at,
            kind: trail.kind,
            outcome: trail.outcome,
            source: trail.source.0.clone(),
            delivery: trail.delivery_id.clone(),
        })
    }
}

fn word(text: &str) -> Attribute {
    Attribute::Word(text.to_owned())
}

/// The root of an event's trace.
fn receipt(ids: &Ids<'_>, trace: TraceId) -> SpanRef {
    ids.span(trace, "receive")
}

fn effect(ids: &Ids<'_>, trace: TraceId) -> SpanRef {
    ids.span(trace, "effect")
}

fn delivery(ids: &Ids<'_>, id: &DeliveryId) -> SpanRef {
    ids.span(ids.of_delivery(id), &format!("delivery {id}"))
}

/// One span for each event of a request that is sampled.
pub(super) fn of_receipt<'r>(ids: &'r Ids<'r>, of: &'r Received<'r>) -> impl Iterator<Item = Span> + use<'r> {
    let positions = (of.first.0..of.first.0.saturating_add(of.events)).map(Position);
    let traces = positions.map(|position| (position, ids.of_event(position)));
    traces.filter(|(_, trace)| ids.samples(*trace)).map(|(position, trace)| Span {
        of: receipt(ids, trace),
        parent: None,
        name: "receive",
        role: Role::Server,
        began: of.at,
        ended: of.now,
        attributes: vec![
            ("freshsignal.position", Attribute::Number(position.0)),
            ("freshsignal.source", word(&of.source.0)),
            ("freshsignal.door", word(of.door.as_str())),
            ("freshsignal.events", Attribute::Number(of.events)),
        ],
        links: Vec::new(),
        failed: false,
    })
}

/// How long an event waited in the journal, and its effect, with the delivery that it led to.
pub(super) fn of_effect(ids: &Ids<'_>, of: &Effect, began: UnixMicros, now: UnixMicros) -> [Span; 2] {
    let root = receipt(ids, of.trace);
    let waited = Span {
        of: ids.span(of.trace, "journal"),
        parent: Some(root.span),
        name: "journal",
        role: Role::Internal,
        began: of.received_at,
        ended: began.max(of.received_at),
        attributes: vec![("freshsignal.position", Attribute::Number(of.position.0))],
        links: Vec::new(),
        failed: false,
    };
    let mut attributes = vec![
        ("freshsignal.source", word(&of.source)),
        ("freshsignal.kind", word(of.kind.as_str())),
        ("freshsignal.outcome", word(of.outcome.as_str())),
    ];
    let of_delivery = of.delivery.as_ref().map(|id| delivery(ids, id));
    attributes.extend(of.delivery.as_ref().map(|id| ("freshsignal.delivery", word(&id.0))));
    let took = Span {
        of: effect(ids, of.trace),
        name: "effect",
        began,
        ended: now,
        attributes,
        // The delivery that it opened is in this trace.
        links: of_delivery.into_iter().filter(|other| other.trace != of.trace).collect(),
        failed: of.outcome == Outcome::Failed,
        ..waited.clone()
    };
    [waited, took]
}

fn of_record(of: &Delivery) -> Vec<(&'static str, Attribute)> {
    vec![
        ("freshsignal.delivery", word(&of.id.0)),
        ("freshsignal.record", word(of.subject.kind().as_str())),
        ("freshsignal.lane", word(of.lane.as_str())),
        ("freshsignal.state", word(of.state.as_str())),
    ]
}

/// The last call of a delivery, with its answer.
pub(super) fn of_call(ids: &Ids<'_>, of: &Delivery) -> Option<Span> {
    let parent = delivery(ids, &of.id);
    let last = of.attempts.last().filter(|_| ids.samples(parent.trace))?;
    let status = last.response.as_ref().map(|response| response.status);
    let mut attributes = of_record(of);
    attributes.push(("freshsignal.attempt", Attribute::Number(last.attempt.into())));
    attributes.push(("http.request.method", word(&last.request.method)));
    attributes.extend(status.map(|status| ("http.response.status_code", Attribute::Number(status.into()))));
    Some(Span {
        of: ids.span(parent.trace, &format!("call {} {}", of.id, last.attempt)),
        parent: Some(parent.span),
        name: "call",
        role: Role::Client,
        began: last.started_at,
        ended: last.started_at.plus(Duration::from_millis(last.duration_ms)),
        attributes,
        links: Vec::new(),
        failed: status.is_none_or(|status| status >= 400),
    })
}

/// A delivery that has reached its end, from when it was owed; and which events it carried, where they have to be looked up.
pub(super) fn of_delivery(ids: &Ids<'_>, of: &Delivery, now: UnixMicros) -> Option<(Span, Option<Carried>)> {
    let itself = delivery(ids, &of.id);
    if of.state.is_open() || !ids.samples(itself.trace) {
        return None;
    }
    let opened_by = of.id.opened_by();
    let mut attributes = of_record(of);
    attributes.push(("freshsignal.events", Attribute::Number(of.events)));
    attributes.push(("freshsignal.attempts", Attribute::Number(of.attempts_made.into())));
    let span = Span {
        of: itself,
        parent: opened_by.map(|event| effect(ids, ids.of_event(event)).span),
        name: "delivery",
        role: Role::Internal,
        began: of.opened_at,
        ended: of.ended_at.unwrap_or(now),
        attributes,
        links: Vec::new(),
        failed: of.state == State::Dead,
    };
    let email = of.email().filter(|_| of.events > 1);
    let carried = email.zip(opened_by).map(|(email, from)| Carried {
        delivery: of.id.0.clone(),
        email: email.clone(),
        from,
    });
    Some((span, carried))
}

/// Links a delivery's span to an event that it carried, where that is of another trace.
pub(super) fn link(ids: &Ids<'_>, span: &mut Span, event: Position) {
    let trace = ids.of_event(event);
    if trace != span.of.trace {
        span.links.push(receipt(ids, trace));
    }
}
