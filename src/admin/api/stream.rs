//! The live stream: what happens, while it happens, as server-sent events.
//!
//! A watcher that reads slowly, or more than anybody can read, is told how much it missed. Must not hold anybody up and
//! does not promise to show everything: the lists do.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use bytes::Bytes;
use serde::Serialize;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::error::RecvError;

use super::deliveries::{DeliveryView, Detail};
use super::events::{self, Listed};
use super::query::Params;
use super::rejected::RejectedView;
use super::status;
use crate::admin::mask::mask;
use crate::admin::{Asked, Debugger, HoldsNobody};
use crate::clock::Sleep;
use crate::http::ApiError;
use crate::store::{Change, News};

/// Streams that are open at the same time; each has a bounded queue.
pub(in crate::admin) const WATCHERS_MAX: usize = 32;
/// How often the status is told; it also shows that the stream lives.
const TELL_STATUS_EVERY: Duration = Duration::from_secs(2);
/// What happens beyond this between two statuses is counted and not shown: nobody reads faster.
const SHOWN_MAX: u64 = 200;
/// Refusals that are told at once.
const REFUSALS_MAX: usize = 100;

/// `GET /api/stream`
pub(in crate::admin) async fn stream(Asked(app): Asked, uri: Uri) -> Result<Response, ApiError> {
    let listed = events::listed(&Params::read(&uri, events::NARROWING)?)?.with_people(&app).await?;
    let place = Arc::clone(&app.watchers).try_acquire_owned().map_err(|_| too_many())?;
    let watcher = Watcher::new(app, listed, place);
    let frames = futures_util::stream::unfold(watcher, async |mut watcher: Watcher| {
        let frame = watcher.next().await?;
        Some((Ok::<_, Infallible>(frame), watcher))
    });
    let mut response = Response::new(Body::from_stream(frames));
    // Each frame is masked by itself.
    response.extensions_mut().insert(HoldsNobody);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // Proxies collect answers before they pass them on, unless they are told.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

fn too_many() -> ApiError {
    let message = "too many live streams are open; close one, or look at the lists";
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", message).retry_after_seconds(30)
}

/// One open stream.
struct Watcher {
    app: Debugger,
    listed: Listed,
    news: News,
    /// When the next status is told.
    tick: Sleep,
    /// Shown and not shown since the last status.
    shown: u64,
    skipped: u64,
    /// The last refusal that was told.
    refused: u64,
    _place: OwnedSemaphorePermit,
}

impl Watcher {
    fn new(app: Debugger, listed: Listed, place: OwnedSemaphorePermit) -> Self {
        let tick = app.clock.sleep_until(app.clock.monotonic());
        let (news, refused) = (app.store.news(), app.live.refused.count());
        Self { app, listed, news, tick, shown: 0, skipped: 0, refused, _place: place }
    }

    /// What is told next; `None` once the service ends.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            tokio::select! {
                biased;
                () = &mut self.tick => return Some(self.tick().await),
                change = self.news.recv() => match change {
                    Ok(change) => if let Some(frame) = self.show(change).await {
                        return Some(frame);
                    },
                    Err(RecvError::Lagged(missed)) => self.skipped += missed,
                    Err(RecvError::Closed) => return None,
                },
            }
        }
    }

    async fn show(&mut self, change: Change) -> Option<Bytes> {
        if let Change::Event(event) = &change
            && !self.listed.admits(event)
        {
            return None;
        }
        if self.shown >= SHOWN_MAX {
            self.skipped += 1;
            return None;
        }
        let frame = match change {
            Change::Event(event) => match events::with_deliveries(&self.app, vec![*event]).await {
                Ok(listed) => listed.first().and_then(|listed| self.frame("event", listed)),
                Err(_) => None,
            },
            Change::Delivery(delivery) => {
                self.frame("delivery", &DeliveryView::of(*delivery, Detail::Summary))
            }
        };
        match frame {
            Some(_) => self.shown += 1,
            // What can't be read now is in the list later.
            None => self.skipped += 1,
        }
        frame
    }

    /// The status, what was refused and how much was skipped since the last one.
    async fn tick(&mut self) -> Bytes {
        self.tick = self.app.clock.sleep_until(self.app.clock.monotonic() + TELL_STATUS_EVERY);
        self.shown = 0;
        let mut frames = self.refusals();
        let missed = std::mem::take(&mut self.skipped);
        if missed > 0 {
            frames.extend(self.frame("skipped", &json!({ "changes": missed })));
        }
        match status::view(&self.app).await {
            Ok(view) => frames.extend(self.frame("status", &view)),
            // It says nothing new, but shows that the stream lives.
            Err(_) => frames.push(Bytes::from_static(b": the status can't be read now\n\n")),
        }
        frames.concat().into()
    }

    fn refusals(&mut self) -> Vec<Bytes> {
        let Listed::Rejected(narrow) = &self.listed else { return Vec::new() };
        let log = &self.app.live.refused;
        let last = std::mem::replace(&mut self.refused, log.count());
        let mut new = log.newest_first(None, REFUSALS_MAX, |refused| narrow.admits(refused));
        new.retain(|(number, _)| *number > last);
        new.into_iter()
            .rev()
            .filter_map(|(_, refused)| self.frame("event", &RejectedView::from(refused)))
            .collect()
    }

    /// One server-sent event, without people where whoever watches may not see them. JSON has no line ends of its own, so the
    /// data is one line.
    fn frame(&self, name: &str, data: &impl Serialize) -> Option<Bytes> {
        let mut data = serde_json::to_value(data).ok()?;
        if self.app.who.is_masked() {
            mask(&mut data);
        }
        Some(Bytes::from(format!("event: {name}\ndata: {data}\n\n")))
    }
}
