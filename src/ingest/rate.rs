//! Whether the events of a request are let in, by how many their source may send in a minute; asked before anything of them
//! is written.
//!
//! One client gets a part of it alone, so that a visitor who uses a public key up leaves the rest to the others. Clients are
//! told apart where trusted proxies name them: elsewhere all visitors may come from the address of a proxy that nobody
//! named.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::StatusCode;
use axum::http::request::Parts;

use super::answer::too_large;
use super::key::Source;
use super::{Inner, batch};
use crate::doors::Door;
use crate::http::forwarded::FromTrustedProxy;
use crate::http::{ApiError, one_client};
use crate::senders::{Ask, Client, OverRate};

impl Inner {
    /// Counts events that are about to be stored.
    ///
    /// # Errors
    /// There are too many for now: when to come again. There are more than a whole minute allows.
    pub(super) fn let_in(
        &self,
        source: &Source,
        door: &Door,
        parts: &Parts,
        events: usize,
    ) -> Result<(), ApiError> {
        let (per_minute_max, is_divided) = match door {
            Door::Events => (source.rate.per_minute, !source.rate.of_servers),
            Door::Form => (source.rate.forms_per_minute, true),
            // It proved to come from its vendor.
            Door::Hook(_) => (source.rate.per_minute, false),
        };
        let events = u64::try_from(events).unwrap_or(u64::MAX);
        let ask = Ask { events, per_minute_max, client: Some(parts).filter(|_| is_divided).and_then(client) };
        let over = match self.rates.take(&source.name, ask, self.clock.wall()) {
            Ok(()) => return Ok(()),
            Err(over) => over,
        };
        metrics::counter!("freshsignal_events_over_rate_total", "source" => source.name.0.clone())
            .increment(events);
        Err(match over {
            OverRate::Later(wait) => {
                let message = "this source sends more events than it may for now; nothing of this request was stored, send \
                               the same again later (events_per_minute_max of the source)";
                let seconds = wait.as_millis().div_ceil(1000).max(1);
                ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_events", message)
                    .retry_after_seconds(u32::try_from(seconds).unwrap_or(u32::MAX))
            }
            OverRate::NeverFits => too_large(format!(
                "the batch has more events than its source may send in a whole minute ({per_minute_max}, \
                 events_per_minute_max of the source): send smaller ones"
            )),
        })
    }
}

impl batch::Items<'_> {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many(items) => items.len(),
        }
    }
}

/// The client that a trusted proxy names.
fn client(parts: &Parts) -> Option<Client> {
    parts.extensions.get::<FromTrustedProxy>()?;
    let ConnectInfo(address) = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
    Some(Client(match one_client(address.ip()) {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }))
}
