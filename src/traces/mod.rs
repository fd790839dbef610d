//! Traces: what became of an event from its receipt to the answer of Freshsales, as spans for a collector of OpenTelemetry.
//!
//! Hours and restarts may lie between two spans of one trace, so nothing of it is remembered: the ids are made of what is stored.
//! Whoever hands in a span waits for nobody; where the collector is slow or away, spans are dropped and counted. Must not put
//! into a span what a sender said: no names, ids of messages or addresses.

mod config;
mod exporter;
mod ids;
mod otlp;
mod span;
mod spans;

#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

use metrics::{Counter, describe_counter};
use ring::hmac;
use tokio::sync::mpsc::{self, Receiver, Sender};

pub use config::Config;
pub use exporter::Exporter;
pub use spans::{Effect, Received};

use crate::clock::UnixMicros;
use crate::delivery::{Delivery, MarkerKey};
use crate::event::{Email, Position};
use crate::trail::EventTrail;
use crate::webhook::{Caller, CallerError};
use ids::Ids;
use span::Span;

/// Spans that wait for the exporter; beyond them they are dropped.
const WAITING_MAX: usize = 4096;

/// Takes spans. Clones share everything; one that is off takes none.
#[derive(Clone, Default)]
pub struct Traces(Option<Arc<Inner>>);

struct Inner {
    percent: u8,
    /// The key of ids, which is read from the store when the service runs.
    key: OnceLock<hmac::Key>,
    waiting: Sender<Item>,
    dropped: Counter,
}

/// What waits for the exporter.
enum Item {
    /// One span.
    Span(Span),
    /// One whose links have to be looked up: the events of a contact that a delivery carried.
    Carried(Span, Carried),
}

/// Which events a delivery carried.
struct Carried {
    delivery: String,
    email: Email,
    /// The first of them.
    from: Position,
}

/// What is told once it is written down.
pub struct Told(Vec<Item>);

impl Traces {
    /// What takes spans, and what brings them to a collector; off without an address.
    ///
    /// # Errors
    /// The collector can't be called.
    pub fn of(config: &Config) -> Result<(Self, Option<Exporter>), CallerError> {
        let Some(collector) = config.collector()? else { return Ok((Self::default(), None)) };
        describe_counter!("freshsignal_spans_total", "Spans of traces, by what became of them");
        let (waiting, items): (Sender<Item>, Receiver<Item>) = mpsc::channel(WAITING_MAX);
        let dropped = metrics::counter!("freshsignal_spans_total", "result" => "dropped");
        let inner = Inner { percent: config.sample_percent, key: OnceLock::new(), waiting, dropped };
        let traces = Self(Some(Arc::new(inner)));
        let exporter = Exporter::new(Caller::new(collector)?, config.headers(), items, traces.clone());
        Ok((traces, Some(exporter)))
    }

    /// Makes ids under the key of the data folder from now on. Before that nothing is taken.
    pub fn knows(&self, key: &MarkerKey) {
        if let Some(inner) = &self.0 {
            inner.key.get_or_init(|| key.key_of("traces"));
        }
    }

    fn ids(&self) -> Option<Ids<'_>> {
        let inner = self.0.as_ref()?;
        Some(Ids { key: inner.key.get()?, percent: inner.percent })
    }

    fn take(&self, items: impl IntoIterator<Item = Item>) {
        let Some(inner) = &self.0 else { return };
        for item in items {
            if inner.waiting.try_send(item).is_err() {
                inner.dropped.increment(1);
            }
        }
    }

    /// Events of a request are on disk, as their sender is told next.
    pub fn received(&self, received: &Received<'_>) {
        let Some(ids) = self.ids() else { return };
        self.take(spans::of_receipt(&ids, received).map(Item::Span));
    }

    /// What is told of events once a batch of them took effect; nothing of those that are not sampled.
    #[must_use]
    pub fn effects<'t>(&self, trails: impl Iterator<Item = &'t EventTrail>) -> Vec<Effect> {
        let Some(ids) = self.ids() else { return Vec::new() };
        trails.filter_map(|trail| Effect::of(&ids, trail)).collect()
    }

    /// Events took effect, as a batch that was begun at a moment.
    pub fn took_effect(&self, effects: Vec<Effect>, began: UnixMicros, now: UnixMicros) {
        let Some(ids) = self.ids() else { return };
        let of_one = |effect: Effect| spans::of_effect(&ids, &effect, began, now);
        self.take(effects.into_iter().flat_map(of_one).map(Item::Span));
    }

    /// What is told of deliveries whose calls have ended, once that is written down.
    #[must_use]
    pub fn of_calls<'d>(&self, ended: impl Iterator<Item = &'d Delivery>, now: UnixMicros) -> Told {
        let Some(ids) = self.ids() else { return Told(Vec::new()) };
        let of_one = |delivery| {
            let call = spans::of_call(&ids, delivery).map(Item::Span);
            let whole = spans::of_delivery(&ids, delivery, now).map(|(span, carried)| match carried {
                Some(carried) => Item::Carried(span, carried),
                None => Item::Span(span),
            });
            call.into_iter().chain(whole)
        };
        Told(ended.flat_map(of_one).collect())
    }

    /// It is written down.
    pub fn tell(&self, told: Told) {
        self.take(told.0);
    }
}
