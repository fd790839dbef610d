//! The routes that take events, under every name by which somebody's SDK knows them.
//!
//! Must not know how a request is answered.

use super::batch::Form;
use crate::event::{Arrival, Kind};

/// A route that takes events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Whatever comes: one event, an array or a batch.
    Ingest,
    /// Events of one kind.
    OfKind(Kind),
    /// A batch.
    Batch,
    /// A batch, perhaps of old data.
    Import,
}

/// Routes whose bodies are read and thrown away: metrics of `@segment/analytics-next`, and `RudderStack`'s merging of
/// profiles, which has no counterpart here. Every name of each, its own first.
pub const IGNORED: [&[&str]; 2] = [&["/v1/m", "/m"], &["/v1/merge", "/merge"]];

impl Route {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::Ingest, Self::Batch, Self::Import].into_iter().chain(Kind::ALL.map(Self::OfKind))
    }

    /// The name it has in logs and in this documentation.
    #[must_use]
    pub fn path(self) -> &'static str {
        self.paths()[0]
    }

    /// Every name it has, its own first.
    ///
    /// `/v1/{kind}` and `/v1/batch` are Segment's HTTP API, which every server SDK and `@rudderstack/analytics-js` 3.34
    /// send to. Of the short ones, `@segment/analytics-next` 1.84 appends `/t`, `/b`… to its `apiHost`, with `/v1` or
    /// without. `/beacon/v1/batch` is where `@rudderstack/analytics-js` sends with `useBeacon`, `/api/s/…` where
    /// `@jitsu/js` 1.11 does, `/api/s/s2s/…` from a server.
    #[must_use]
    pub fn paths(self) -> &'static [&'static str] {
        match self {
            Self::Ingest => &["/ingest"],
            Self::Batch => &[
                "/v1/batch",
                "/v1/b",
                "/batch",
                "/b",
                "/beacon/v1/batch",
                "/api/s/batch",
                "/api/s/s2s/batch",
            ],
            Self::Import => &["/v1/import"],
            Self::OfKind(Kind::Identify) => {
                &["/v1/identify", "/v1/i", "/i", "/api/s/identify", "/api/s/s2s/identify"]
            }
            Self::OfKind(Kind::Track) => &["/v1/track", "/v1/t", "/t", "/api/s/track", "/api/s/s2s/track"],
            Self::OfKind(Kind::Page) => &["/v1/page", "/v1/p", "/p", "/api/s/page", "/api/s/s2s/page"],
            Self::OfKind(Kind::Screen) => {
                &["/v1/screen", "/v1/s", "/s", "/api/s/screen", "/api/s/s2s/screen"]
            }
            Self::OfKind(Kind::Group) => &["/v1/group", "/v1/g", "/g", "/api/s/group", "/api/s/s2s/group"],
            Self::OfKind(Kind::Alias) => &["/v1/alias", "/v1/a", "/a", "/api/s/alias", "/api/s/s2s/alias"],
            // It comes by its hook alone.
            Self::OfKind(Kind::Crm) => &[],
        }
    }

    /// What a body may look like here.
    #[must_use]
    pub fn form(self) -> Form {
        match self {
            Self::Ingest => Form::Any,
            Self::OfKind(_) => Form::Events,
            Self::Batch | Self::Import => Form::Batch,
        }
    }

    /// What it says of the age of its events.
    #[must_use]
    pub fn arrival(self) -> Arrival {
        match self {
            Self::Import => Arrival::Import,
            Self::Ingest | Self::Batch | Self::OfKind(_) => Arrival::Live,
        }
    }

    /// The kind it names, which beats the `type` of the body.
    #[must_use]
    pub fn kind(self) -> Option<Kind> {
        match self {
            Self::OfKind(kind) => Some(kind),
            Self::Ingest | Self::Batch | Self::Import => None,
        }
    }
}
