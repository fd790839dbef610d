//! How many events a source may send a minute, over all its doors, and how many of them one client may send. In memory: it
//! begins anew with the process.
//!
//! Counts alone. Must not know what a request is or how it is refused.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::UnixMicros;
use crate::event::SourceName;

/// What a limit is counted over.
const MINUTE: Duration = Duration::from_mins(1);
/// One client may send one part in so many of what its source may.
const SHARES: u64 = 4;
/// Clients of one source that are told apart; those who come beyond that count for the source alone.
const CLIENTS_MAX: usize = 10_000;
/// How often clients that have all of their share again are looked for when there are too many.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// A source that was refused nothing for so long is no concern any more.
const QUIET: Duration = Duration::from_mins(5);

/// How many events a source may send in a minute; 0: any number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceRate {
    /// Over all its doors.
    pub per_minute: u64,
    /// At the door for forms.
    pub forms_per_minute: u64,
    /// It is said that servers alone have its keys: one address may be all of them.
    pub of_servers: bool,
}

/// Who sends, as far as that can be told: the bits of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Client(pub u128);

/// Events that want in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// How many.
    pub events: u64,
    /// How many the source may send in a minute; 0: any number.
    pub per_minute_max: u64,
    /// Who sends them, where clients are told apart.
    pub client: Option<Client>,
}

/// Why events are not let in. None of them is then counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverRate {
    /// There is room again after this time.
    Later(Duration),
    /// More at once than a whole minute allows: they will never fit.
    NeverFits,
}

/// A source that was refused events in the last minutes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusing {
    /// Which.
    pub source: SourceName,
    /// Events refused since it began.
    pub events: u64,
    /// Those of them that were over the share of one client, while there was room for others.
    pub over_share: u64,
}

/// A bucket that fills over a minute, by the moment at which it is full.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    full_at: UnixMicros,
}

impl Bucket {
    /// How long until so many fit; what is more than the bucket holds fits when it is full.
    fn wait(self, cost: u128, now: UnixMicros) -> Duration {
        let missing = self.full_at.since(now);
        missing.saturating_sub(MINUTE.saturating_sub(nanos(cost)))
    }

    fn take(&mut self, cost: u128, now: UnixMicros) {
        self.full_at = self.full_at.max(now).plus(nanos(cost));
    }
}

fn nanos(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[derive(Default)]
struct OfSource {
    all: Bucket,
    clients: HashMap<Client, Bucket>,
    swept_at: UnixMicros,
    refused: u64,
    over_share: u64,
    refused_at: Option<UnixMicros>,
}

/// What the sources have sent.
#[derive(Default)]
pub struct Rates(Mutex<BTreeMap<SourceName, OfSource>>);

impl fmt::Debug for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rates")
    }
}

impl Rates {
    /// Lets events in, all of them or none.
    ///
    /// # Errors
    /// The source, or the client, has sent too many.
    pub fn take(&self, source: &SourceName, ask: Ask, now: UnixMicros) -> Result<(), OverRate> {
        if ask.per_minute_max == 0 {
            return Ok(());
        }
        let mut sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !sources.contains_key(source) {
            sources.insert(source.clone(), OfSource::default());
        }
        sources.get_mut(source).map_or(Ok(()), |of| of.take(ask, now))
    }

    /// The sources that were refused events lately.
    #[must_use]
    pub fn refusing(&self, now: UnixMicros) -> Vec<Refusing> {
        let sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lately = sources.iter().filter(|(_, of)| of.refuses(now));
        let refusing = |(source, of): (&SourceName, &OfSource)| Refusing {
            source: source.clone(),
            events: of.refused,
            over_share: of.over_share,
        };
        lately.map(refusing).collect()
    }
}

impl OfSource {
    fn take(&mut self, ask: Ask, now: UnixMicros) -> Result<(), OverRate> {
        let done = self.admit(ask, now);
        if let Err((OverRate::Later(_), over_share)) = done {
            if !self.refuses(now) {
                (self.refused, self.over_share) = (0, 0);
            }
            self.refused = self.refused.saturating_add(ask.events);
            self.over_share = self.over_share.saturating_add(if over_share { ask.events } else { 0 });
            self.refused_at = Some(now);
        }
        done.map_err(|(over, _)| over)
    }

    /// Lets them in, or tells why not and whether it is for the share of the client.
    fn admit(&mut self, ask: Ask, now: UnixMicros) -> Result<(), (OverRate, bool)> {
        if ask.events > ask.per_minute_max {
            return Err((OverRate::NeverFits, false));
        }
        let cost = |per_minute: u64| MINUTE.as_nanos() * u128::from(ask.events) / u128::from(per_minute);
        let of_all = cost(ask.per_minute_max);
        let wait = self.all.wait(of_all, now);
        if !wait.is_zero() {
            return Err((OverRate::Later(wait.min(MINUTE)), false));
        }
        let share = (ask.per_minute_max / SHARES).max(1);
        if let Some(client) = ask.client.and_then(|client| self.client(client, now)) {
            let of_client = cost(share);
            // More at once than the share: once the whole share is there, and what is too much is waited for afterwards.
            let wait = client.wait(of_client.min(MINUTE.as_nanos()), now);
            if !wait.is_zero() {
                return Err((OverRate::Later(wait), true));
            }
            client.take(of_client, now);
        }
        self.all.take(of_all, now);
        Ok(())
    }

    fn client(&mut self, client: Client, now: UnixMicros) -> Option<&mut Bucket> {
        if self.clients.len() >= CLIENTS_MAX && !self.clients.contains_key(&client) {
            if now.since(self.swept_at) >= SWEEP_EVERY {
                self.swept_at = now;
                self.clients.retain(|_, bucket| bucket.full_at > now);
            }
            if self.clients.len() >= CLIENTS_MAX {
                return None;
            }
        }
        Some(self.clients.entry(client).or_default())
    }

    fn refuses(&self, now: UnixMicros) -> bool {
        self.refused_at.is_some_and(|at| now.since(at) < QUIET)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: UnixMicros = UnixMicros(1_900_000_000_000_000);

    fn shop() -> SourceName {
        SourceName("shop".into())
    }

    fn after(seconds: u64) -> UnixMicros {
        START.plus(Duration::from_secs(seconds))
    }

    fn later(seconds: u64) -> Result<(), OverRate> {
        Err(OverRate::Later(Duration::from_secs(seconds)))
    }

    fn ask(events: u64, client: Option<u128>) -> Ask {
        Ask { events, per_minute_max: 60, client: client.map(Client) }
    }

    #[test]
    fn a_source_sends_a_minute_of_events_at_once_and_then_as_many_as_pass_by() {
        let rates = Rates::default();
        let take = |events, now| rates.take(&shop(), ask(events, None), now);
        assert_eq!(take(59, START), Ok(()));
        assert_eq!(take(1, START), Ok(()));
        assert_eq!(take(1, START), later(1));
        assert_eq!(take(30, START), later(30), "a batch counts its events");
        assert_eq!(take(1, after(1)), Ok(()));
        assert_eq!(take(1, after(1)), later(1), "what was refused did not count");
        assert_eq!(take(60, after(61)), Ok(()));
        assert_eq!(rates.take(&SourceName("other".into()), ask(60, None), after(61)), Ok(()));
    }

    #[test]
    fn a_batch_of_more_than_a_minute_never_fits_and_takes_nothing() {
        let rates = Rates::default();
        assert_eq!(rates.take(&shop(), ask(61, None), START), Err(OverRate::NeverFits));
        assert_eq!(rates.refusing(START), [], "coming later would not help");
        assert_eq!(rates.take(&shop(), ask(60, None), START), Ok(()));
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let rates = Rates::default();
        let any = Ask { events: 1_000_000, per_minute_max: 0, client: Some(Client(1)) };
        assert_eq!(rates.take(&shop(), any, START), Ok(()));
        assert_eq!(rates.refusing(START), []);
    }

    #[test]
    fn one_client_gets_a_quarter_and_leaves_the_rest_to_others() {
        let rates = Rates::default();
        let take = |events, client, now| rates.take(&shop(), ask(events, Some(client)), now);
        assert_eq!(take(15, 1, START), Ok(()));
        assert_eq!(take(1, 1, START), later(4));
        assert_eq!(take(15, 2, START), Ok(()));
        assert_eq!(take(15, 3, START), Ok(()));
        let refusing = Refusing { source: shop(), events: 1, over_share: 1 };
        assert_eq!(rates.refusing(after(299)), [refusing]);
        assert_eq!(rates.refusing(after(300)), []);
    }

    #[test]
    fn a_batch_larger_than_a_share_fits_once_and_is_waited_for_afterwards() {
        let rates = Rates::default();
        let take = |events, client, now| rates.take(&shop(), ask(events, Some(client)), now);
        assert_eq!(take(40, 1, START), Ok(()));
        assert_eq!(take(1, 1, after(60)), later(44), "40 events are 160 s of its share");
        assert_eq!(take(20, 2, after(60)), Ok(()), "others have the rest");
        assert_eq!(take(1, 1, after(160)), Ok(()));
    }

    #[test]
    fn a_crowd_of_clients_costs_bounded_memory_and_counts_for_the_source() {
        let rates = Rates::default();
        let many = |client| Ask { events: 1, per_minute_max: 60_000, client: Some(Client(client)) };
        for client in 0..12_000 {
            assert_eq!(rates.take(&shop(), many(client), START), Ok(()));
        }
        assert_eq!(rates.0.lock().unwrap()[&shop()].clients.len(), CLIENTS_MAX);
        assert_eq!(rates.take(&shop(), many(12_000), after(2)), Ok(()));
        assert_eq!(
            rates.0.lock().unwrap()[&shop()].clients.len(),
            1,
            "those with all of their share are let go"
        );
    }
}
