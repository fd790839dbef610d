//! One look at the store, and what the status, the metrics and the alerts derive from it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::allowance::{HOUR, MINUTE, Pressure, Quotas, Sharing, Usage, Window};
use crate::clock::UnixMicros;
use crate::consent::SharedTally;
use crate::decision::Settings;
use crate::delivery::Lane;
use crate::senders::{Rates, Watch};
use crate::store::{DueOrder, DueQuery, SharedStore, StoreError, Totals, quotas};
use crate::turn::{Flow, Stalls};

/// A new contact or an order that is due and whose call has not left for so long is a risk.
pub(super) const LEAD_WAITS: Duration = Duration::from_mins(1);

/// Where new contacts are, and orders with their deals.
pub const LEADS: [Lane; 2] = [Lane::NewContact, Lane::Conversion];

/// What the parts of the running service know beside the store.
#[derive(Clone, Debug)]
pub struct Vitals {
    /// How much of the allowance is used; the receiver is told whenever a call takes a slot.
    pub usage: watch::Receiver<Usage>,
    /// How a backlog shares calls, if it does.
    pub sharing: watch::Receiver<Option<Sharing>>,
    /// Up to how much of the limits each lane may use, in percent.
    pub shares: BTreeMap<Lane, u32>,
    /// How many dead letters are kept.
    pub dead_letters_max: u64,
    /// Whether more becomes owed than may leave.
    pub pressure: watch::Receiver<Pressure>,
    /// How processing gets on.
    pub flow: watch::Receiver<Flow>,
    /// Which stages come to nothing.
    pub stalls: Stalls,
    /// What senders do that costs contacts.
    pub senders: Arc<Watch>,
    /// Which sources send more than they may.
    pub rates: Arc<Rates>,
    /// Events of the last hour whose consent was not understood.
    pub consent: SharedTally,
    /// What deciding depends on, the lists of the account among it.
    pub settings: watch::Receiver<Arc<Settings>>,
}

/// What one look at the store found.
#[derive(Clone, Debug, Default)]
pub struct StoreReading {
    /// The counters and what is owed.
    pub totals: Totals,
    /// How much of their quotas the sources have used.
    pub quotas: Quotas,
    /// Since when the new contact or the order is owed that is due, is held by no quota, and has waited for too long; none has
    /// otherwise.
    pub lead_waits_since: Option<UnixMicros>,
}

impl StoreReading {
    /// Looks.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn take(store: &SharedStore, settings: &Settings, now: UnixMicros) -> Result<Self, StoreError> {
        let account = settings.account.clone();
        let totals = store.totals(account.clone()).await?;
        let quotas = quotas(store, account.clone(), &settings.per_hour, now).await?;
        let is_late = |since: &UnixMicros| now.since(*since) >= LEAD_WAITS;
        let mut lead_waits_since = None;
        for lane in LEADS {
            // What was opened first may be on its way or wait for a quota: only then is it looked for.
            if !totals.owed.get(&lane).and_then(|owed| owed.oldest).is_some_and(|since| is_late(&since)) {
                continue;
            }
            let query = DueQuery {
                account: account.clone(),
                now,
                lanes: vec![lane],
                order: DueOrder::LongestFirst,
                held: quotas.held(),
                shut: totals.destination.shut_kinds(now),
                limit: 1,
            };
            let (due, _) = store.due(query).await?;
            let waits = due.first().map(|due| due.opened_at).filter(is_late);
            lead_waits_since = lead_waits_since.into_iter().chain(waits).min();
        }
        Ok(Self { totals, quotas, lead_waits_since })
    }
}

/// One look at everything that bears on how the service stands.
#[derive(Clone, Copy)]
pub struct Snapshot<'a> {
    /// What the store says.
    pub reading: &'a StoreReading,
    /// What the running service knows beside the store.
    pub vitals: &'a Vitals,
    /// The present.
    pub now: UnixMicros,
}

impl<'a> Snapshot<'a> {
    /// The counters and what is owed.
    #[must_use]
    pub fn totals(&self) -> &'a Totals {
        &self.reading.totals
    }

    /// Deliveries waiting, in flight or retrying in a lane.
    #[must_use]
    pub fn owed_in(&self, lane: Lane) -> u64 {
        self.totals().owed.get(&lane).map_or(0, |owed| owed.count)
    }

    /// The same in all lanes.
    #[must_use]
    pub fn owed(&self) -> u64 {
        Lane::BY_PRECEDENCE.map(|lane| self.owed_in(lane)).iter().sum()
    }

    /// How long the longest owed has been owed; 0 when nothing is.
    #[must_use]
    pub fn oldest_owed_seconds(&self) -> u64 {
        let oldest = self.totals().owed.values().filter_map(|owed| owed.oldest).min();
        oldest.map_or(0, |oldest| self.now.since(oldest).as_secs())
    }

    /// Events accepted that have not taken effect yet.
    #[must_use]
    pub fn journal_lag_events(&self) -> u64 {
        self.totals().accepted.saturating_sub(self.totals().processed)
    }

    /// How much of the allowance is used: the slots of the same look at the store, beside the limits of now.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let Usage { hour, minute } = *self.vitals.usage.borrow();
        let used = |length: Duration| {
            let used = self.ages().filter(|age| *age < length).count();
            u32::try_from(used).unwrap_or(u32::MAX)
        };
        Usage {
            hour: Window { limit: hour.limit, used: used(HOUR) },
            minute: Window { limit: minute.limit, used: used(MINUTE) },
        }
    }

    /// How long ago the calls of the last hour were answered; those on their way count as answered now.
    pub fn ages(&self) -> impl Iterator<Item = Duration> + '_ {
        self.totals().slots.iter().map(|slot| self.now.since(slot.answered_at.unwrap_or(self.now)))
    }
}
