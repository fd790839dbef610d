//! What deals, companies and happenings have in common when they are shown: how they stand, why, and the calls that were made of them.
//!
//! Says what the delivery and the destination tell; must not guess at more.

use std::collections::BTreeMap;

use super::answer::failed;
use super::deliveries::{DeliveryView, Detail};
use super::query::{Cursor, Params, one_more, page};
use super::why::{destination_holds, waiting_for_its_turn};
use crate::admin::Debugger;
use crate::allowance::Usage;
use crate::clock::UnixMicros;
use crate::decision::World;
use crate::delivery::{Delivery, Lane, State as Stage, Subject};
use crate::destination::Destination;
use crate::freshsales::Mode;
use crate::http::ApiError;
use crate::store::{DeliveryQuery, Limited, RecordQuery, RecordState, RecordsOf};

/// Calls of one record that are shown with it; `GET /api/deliveries?subject=` lists all that are kept.
const HISTORY: usize = 20;

pub(super) const STATE: &str = "one of held, queued, in_flight, refused, settled";

/// What bears on when the next call of a record leaves, beside the record itself.
pub(super) struct Beside<'a> {
    pub destination: &'a Destination,
    pub usage: Usage,
    pub shares: &'a BTreeMap<Lane, u32>,
    pub mode: Mode,
    pub now: UnixMicros,
}

impl<'a> Beside<'a> {
    pub fn of(app: &'a Debugger, world: &'a World) -> Self {
        Self {
            destination: &world.destination.document,
            usage: app.usage(),
            shares: &app.live.vitals.shares,
            mode: app.live.mode,
            now: app.now(),
        }
    }

    /// Why an open delivery has not ended.
    pub fn why_open(&self, open: &Delivery, what: &str) -> String {
        let reason = open.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
        if open.state == Stage::Dead {
            return format!(
                "Freshsales refused it{reason}; it is sent again when the {what} changes, or by hand"
            );
        }
        if let Some(held) = destination_holds(self.destination, self.now) {
            return held;
        }
        if let Some(shut) = self.destination.shut.get(&open.subject.kind()) {
            let at = shut.try_at.to_rfc3339();
            return format!(
                "the user of the API key may not edit such records; next try at {at}: {}",
                shut.reason
            );
        }
        let at = open.next_attempt_at.to_rfc3339();
        match open.state {
            Stage::Waiting if open.next_attempt_at > self.now && reason.is_empty() => {
                format!("waiting until {at} for more changes (hold_seconds)")
            }
            Stage::Waiting | Stage::Retrying if open.next_attempt_at > self.now => {
                format!("next call at {at}{reason}")
            }
            Stage::Waiting | Stage::Retrying | Stage::InFlight => {
                let share = self.shares.get(&open.lane).copied().unwrap_or(100);
                waiting_for_its_turn(self.usage, share)
            }
            Stage::Dead | Stage::Delivered | Stage::Superseded | Stage::Discarded | Stage::Erased => {
                format!("its delivery has ended; the next event of the {what} queues another")
            }
        }
    }

    /// Nothing is owed.
    pub fn why_settled(&self) -> String {
        match self.mode {
            Mode::Live => "Freshsales has it as wanted".to_owned(),
            Mode::DryRun => "a dry run: nothing was sent of it".to_owned(),
        }
    }
}

/// How a record stands with the account.
pub(super) fn state_of(in_flight: bool, open: Option<&Delivery>, held: bool) -> RecordState {
    match open.map(|open| open.state) {
        _ if in_flight => RecordState::InFlight,
        Some(Stage::Dead) => RecordState::Refused,
        Some(Stage::Waiting | Stage::Retrying | Stage::InFlight) => RecordState::Queued,
        Some(Stage::Delivered | Stage::Superseded | Stage::Discarded | Stage::Erased) | None if held => {
            RecordState::Held
        }
        Some(Stage::Delivered | Stage::Superseded | Stage::Discarded | Stage::Erased) | None => {
            RecordState::Settled
        }
    }
}

impl Debugger {
    /// A page of deals, companies or happenings: the place of each, and the cursor of the next page.
    pub(super) async fn listed(
        &self,
        params: &Params,
        of: RecordsOf,
        cursor: Cursor,
    ) -> Result<(Vec<Subject>, Option<String>), ApiError> {
        let state = params.get("state", STATE, RecordState::parse)?;
        self.listed_in(params, of, cursor, state).await
    }

    /// The same of those that stand so with the account.
    pub(super) async fn listed_in(
        &self,
        params: &Params,
        of: RecordsOf,
        cursor: Cursor,
        state: Option<RecordState>,
    ) -> Result<(Vec<Subject>, Option<String>), ApiError> {
        let limit = params.limit()?;
        let query = RecordQuery {
            limit: one_more(limit),
            before: params.before(cursor)?,
            words: params.text("search").map(|words| words.trim().to_owned()),
            state,
            account: self.settings().account.clone(),
            of,
        };
        let rows = self.store.listed(query).await.map_err(failed)?;
        let (rows, next) = page(rows, limit, cursor, |(place, _)| *place);
        Ok((rows.into_iter().map(|(_, subject)| subject).collect(), next))
    }

    /// The calls of a record, newest first.
    pub(super) async fn history(&self, subject: Subject) -> Result<Vec<DeliveryView>, ApiError> {
        let query = DeliveryQuery {
            limit: Limited::to(HISTORY),
            before: None,
            email: None,
            subject: Some(subject),
            state: None,
            account: None,
            reason: None,
        };
        let rows = self.store.deliveries(query).await.map_err(failed)?;
        Ok(rows.into_iter().map(|row| DeliveryView::of(row.delivery, Detail::Summary)).collect())
    }
}
