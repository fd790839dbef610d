//! Brings spans to the collector, many in a request, and drops them where it does not take them.

use std::sync::Arc;
use std::time::Duration;

use metrics::Counter;
use reqwest::header::HeaderMap;
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

use super::span::Span;
use super::{Carried, Item, Traces, otlp, spans};
use crate::clock::Clock;
use crate::store::{EventQuery, Limited, SharedStore};
use crate::telemetry::caught_in;
use crate::webhook::{Caller, Failed};

/// So long more are waited for before a request leaves.
const GATHER: Duration = Duration::from_millis(500);
/// Spans of one request.
const SPANS_MAX: usize = 512;
/// A collector that did not take a request is left alone for so long.
const AWAY: Duration = Duration::from_secs(10);
/// What waits when the service stops gets so long to be taken.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Events that a delivery's span links.
const LINKS_MAX: usize = 64;

/// Brings spans to the collector.
pub struct Exporter {
    caller: Caller,
    headers: HeaderMap,
    items: Receiver<Item>,
    traces: Traces,
    sent: Counter,
    dropped: Counter,
    /// What is gathered for the next request.
    gathered: Vec<Span>,
    /// The last request was not taken.
    away: bool,
}

/// What the exporter looks things up by.
struct Around {
    store: SharedStore,
    clock: Arc<dyn Clock>,
}

impl Exporter {
    pub(super) fn new(caller: Caller, headers: HeaderMap, items: Receiver<Item>, traces: Traces) -> Self {
        let counter = |result: &'static str| metrics::counter!("freshsignal_spans_total", "result" => result);
        let (sent, dropped) = (counter("sent"), counter("dropped"));
        Self { caller, headers, items, traces, sent, dropped, gathered: Vec::new(), away: false }
    }

    /// Brings what is taken to the collector until it is told to stop; then what waits, if that is soon done.
    pub async fn run(mut self, store: SharedStore, clock: Arc<dyn Clock>, stop: CancellationToken) {
        let around = Around { store, clock };
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                taken = self.rounds(&around) => if !taken { return },
            }
        }
        let until = around.clock.monotonic() + LAST_WORDS;
        tokio::select! {
            () = self.send_waiting(&around) => {}
            () = around.clock.sleep_until(until) => {}
        }
    }

    /// Waits for spans, and for more of them, and sends them. False once nobody can hand in any.
    async fn rounds(&mut self, around: &Around) -> bool {
        let Some(first) = self.items.recv().await else { return false };
        self.gather(first, around).await;
        let pause = if self.away { AWAY } else { GATHER };
        around.clock.sleep_until(around.clock.monotonic() + pause).await;
        self.send_waiting(around).await;
        true
    }

    /// Sends all that waits now; after a request that was not taken the rest waits for the next round.
    async fn send_waiting(&mut self, around: &Around) {
        loop {
            while self.gathered.len() < SPANS_MAX
                && let Ok(item) = self.items.try_recv()
            {
                self.gather(item, around).await;
            }
            let spans = std::mem::take(&mut self.gathered);
            if spans.is_empty() {
                return;
            }
            self.send(spans, around).await;
            if self.away {
                return;
            }
        }
    }

    async fn gather(&mut self, item: Item, around: &Around) {
        let span = match item {
            Item::Span(span) => span,
            Item::Carried(mut span, carried) => {
                // Links are worth having, and no more than that.
                let _ = caught_in(self.link(&mut span, carried, around)).await;
                span
            }
        };
        self.gathered.push(span);
    }

    /// Links a delivery's span to the events that it carried, as far as the trail has them.
    async fn link(&self, span: &mut Span, carried: Carried, around: &Around) {
        let Some(ids) = self.traces.ids() else { return };
        let query = EventQuery {
            email: Some(carried.email),
            after: Some(carried.from),
            ..EventQuery::newest(Limited::to(LINKS_MAX))
        };
        let Ok(events) = around.store.events(query).await else { return };
        let of_delivery = |id: &str| id == carried.delivery;
        for event in events {
            if event.delivery_id.as_ref().is_some_and(|id| of_delivery(&id.0)) {
                spans::link(&ids, span, event.position);
            }
        }
    }

    async fn send(&mut self, spans: Vec<Span>, around: &Around) {
        let request = self.caller.post().headers(self.headers.clone()).json(&otlp::body(&spans));
        let called = self.caller.call(request, around.clock.wall()).await;
        let counter = if called.is_ok() { &self.sent } else { &self.dropped };
        counter.increment(spans.len() as u64);
        self.say(called.err().as_ref());
    }

    /// Says once that the collector does not take spans, and once that it does again.
    fn say(&mut self, failed: Option<&Failed>) {
        match failed {
            Some(failed) if !self.away => tracing::warn!(
                error = %failed,
                "the collector of traces takes no spans; they are dropped and counted in freshsignal_spans_total, nothing else \
                 waits; it is asked again every 10 s: check telemetry.otlp_endpoint"
            ),
            None if self.away => tracing::info!("the collector of traces takes spans again"),
            Some(_) | None => {}
        }
        self.away = failed.is_some();
    }
}
