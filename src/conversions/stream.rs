//! A file as it is made: a page of deals at a time, each asked for anew, so it takes the same memory however many there are.
//!
//! Must not decide who may be in it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use tokio::sync::OwnedSemaphorePermit;

use super::Config;
use crate::clock::UnixMicros;
use crate::conversion::File;
use crate::decision::{Settings, World, conversion_of};
use crate::delivery::{DealKey, Subject};
use crate::store::{For, Limited, SharedStore, StoreError, WonQuery, load_records};

/// Google takes conversions of so many days.
const DAYS_MAX: u64 = 90;
/// Deals that are looked at together.
const PAGE: usize = 100;

/// What is left to be made of a file.
struct Making {
    file: File,
    config: Arc<Config>,
    settings: Arc<Settings>,
    store: SharedStore,
    since: UnixMicros,
    after: Option<(DealKey, UnixMicros)>,
    done: bool,
    _place: OwnedSemaphorePermit,
}

/// Begins a file. An error afterwards cuts the answer off, so that nobody takes a part of it for the whole.
///
/// # Errors
/// The store failed at its first page.
pub async fn begin(
    file: File,
    config: Arc<Config>,
    settings: Arc<Settings>,
    store: SharedStore,
    now: UnixMicros,
    place: OwnedSemaphorePermit,
) -> Result<Body, StoreError> {
    let since = now.minus(Duration::from_hours(24 * DAYS_MAX));
    let mut making = Making { file, config, settings, store, since, after: None, done: false, _place: place };
    let first = format!("{}{}", file.columns(), making.page().await?);
    let rest = stream::try_unfold(making, async |mut making| {
        if making.done {
            return Ok::<_, StoreError>(None);
        }
        let page = making.page().await.inspect_err(|error| {
            tracing::warn!(%error, "a file of conversions was cut off: the store does not answer; it can be asked for again");
        })?;
        Ok(Some((Bytes::from(page), making)))
    });
    let first = stream::once(std::future::ready(Ok(Bytes::from(first))));
    Ok(Body::from_stream(first.chain(rest)))
}

impl Making {
    /// The lines of the next deals.
    async fn page(&mut self) -> Result<String, StoreError> {
        let query = WonQuery { since: self.since, after: self.after.clone(), limit: Limited::to(PAGE) };
        let won = self.store.won(query).await?;
        self.done = won.len() < PAGE;
        self.after = won.last().cloned();
        let subjects: BTreeSet<Subject> = won.iter().map(|(key, _)| Subject::Deal(key.clone())).collect();
        let mut world = World::default();
        load_records(&*self.store, &subjects, &self.settings, For::Showing, &mut world).await?;
        let name = self.config.name.trim();
        let line = |(key, at): &(DealKey, UnixMicros)| {
            let conversion = conversion_of(key, *at, &world, &self.settings)?;
            self.file.line(&conversion, name, self.config.click)
        };
        Ok(won.iter().filter_map(line).collect())
    }
}
