//! A long outage with many contacts owed, and the way back from it.
//!
//! The account here keeps nothing of a contact but that it came: at a million, the account would weigh more than the
//! service that is measured.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use freshsignal::allowance::RateHint;
use freshsignal::clock::{Clock, ManualClock};
use freshsignal::delivery::{Account, AttemptRequest, Request, Stored, Verdict};
use freshsignal::freshsales::{CallResult, Crm, CrmAnswer, Endpoint};
use freshsignal::retain::RetentionConfig;
use freshsignal::store::{Keep, KeepTrail, Totals, Upkeep as _};
use serde_json::{Value, json};

use super::account::{Allowed, LATENCY, NO_CONNECTION, person_of};
use super::service::{Ground, Service, check_books, dead, open};
use super::shop::email;
use super::time::SimulatedTime;

const HOUR: Duration = Duration::from_hours(1);
/// Events of one request.
const BATCH: u64 = 500;

/// An outage that begins before the first event.
#[derive(Clone, Copy, Debug)]
pub struct Outage {
    /// Contacts that are owed from its first hour on.
    pub contacts: u64,
    pub lasts: Duration,
    pub per_hour: u32,
    /// So much of the way back is looked at; all of it, if it takes no longer.
    pub drained_for: Duration,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Calls during the outage.
    pub in_vain: u64,
    /// Contacts that had arrived at the account in the end.
    pub arrived: u64,
    /// Calls that brought a contact the account had already.
    pub repeated: u64,
    /// The most calls that any hour held.
    pub busiest_hour: usize,
    /// Calls of each hour after the outage.
    pub hours: Vec<u64>,
    /// The books when the outage was over.
    pub at_the_end_of_the_outage: Totals,
    /// The books in the end.
    pub totals: Totals,
}

impl Outage {
    /// Lives through it. `tell` is told how far it is.
    pub fn live_through(self, tell: impl Fn(&str, &Totals) + Send + Sync + 'static) -> Found {
        let time = SimulatedTime::new();
        let allowed = Allowed { per_hour: self.per_hour, per_minute: 400 };
        let ground = Ground::with(allowed, &[("ALLOWANCE__RESERVE_PERCENT", "0")]);
        let endpoint = ground.config.freshsales.endpoint().unwrap();
        let account = Arc::new(Counter {
            endpoint,
            clock: time.clock.clone(),
            outage: Duration::ZERO..self.lasts,
            seen: Mutex::new(Seen::of(self.contacts)),
        });
        let (config, own_time) = (ground.config.clone(), time.clone());
        let crm: Arc<dyn Crm> = Arc::new(Line(Arc::clone(&account)));
        let (over, totals) = time.run(async move {
            let clock = own_time.clock.clone();
            let service = Service::start(config, own_time, crm).await;
            self.fill(&service, &clock).await;
            tell("all events have taken effect", &service.totals().await);
            hours_pass(&service, &clock, self.lasts).await;
            let over = service.totals().await;
            tell("the outage is over", &over);
            hours_pass(&service, &clock, self.lasts + self.drained_for).await;
            let totals = service.totals().await;
            service.stop().await;
            (over, totals)
        });
        check_books(&totals);
        assert_eq!(totals.accepted, self.contacts);
        let seen = account.seen.lock().unwrap();
        Found {
            in_vain: seen.in_vain,
            arrived: seen.arrived,
            repeated: seen.repeated,
            busiest_hour: seen.busiest_hour,
            hours: seen.hours.clone(),
            at_the_end_of_the_outage: over,
            totals,
        }
    }

    /// Everybody becomes a lead, in the first hour.
    async fn fill(self, service: &Service, clock: &ManualClock) {
        let pause = HOUR / u32::try_from(self.contacts.div_ceil(BATCH)).unwrap();
        for first in (0..self.contacts).step_by(usize::try_from(BATCH).unwrap()) {
            let batch: Vec<Value> = (first..self.contacts.min(first + BATCH)).map(lead).collect();
            service.send(json!({ "batch": batch }).to_string()).await;
            clock.sleep_until(clock.monotonic() + pause).await;
        }
        while service.totals().await.processed < self.contacts {
            clock.sleep_until(clock.monotonic() + Duration::from_secs(1)).await;
        }
    }
}

/// Lets time pass up to a moment, or until nothing is owed. What has had its time is deleted every hour.
async fn hours_pass(service: &Service, clock: &ManualClock, until: Duration) {
    while clock.monotonic() < until && open(&service.totals().await) > 0 {
        clock.sleep_until(until.min(clock.monotonic() + HOUR)).await;
        service.check_stages();
        let before = |duration| clock.wall().minus(duration);
        let keep = Keep {
            journal_since: before(Duration::from_hours(7 * 24)),
            journal_bytes_max: 2 << 30,
            won_since: before(Duration::from_hours(400 * 24)),
            trail: RetentionConfig::default().trail().map(|limits| KeepTrail {
                since: before(Duration::from_hours(limits.days * 24)),
                bytes_max: limits.bytes,
            }),
            seen_since: before(Duration::from_hours(72)),
            seen_max: 20_000_000,
        };
        while service.store.prune(keep).await.unwrap() > 0 {}
    }
}

fn lead(person: u64) -> Value {
    json!({"type": "track", "event": "Lead Generated", "messageId": format!("lead-{person}"),
        "userId": format!("user-{person}"),
        "context": {"traits": {"email": email(person), "first_name": "Ann", "last_name": format!("No{person}")}}})
}

/// An account that counts.
struct Counter {
    endpoint: Endpoint,
    clock: ManualClock,
    outage: Range<Duration>,
    seen: Mutex<Seen>,
}

struct Seen {
    has: Vec<bool>,
    in_vain: u64,
    arrived: u64,
    repeated: u64,
    /// When the calls of the last hour ended.
    last_hour: VecDeque<Duration>,
    busiest_hour: usize,
    hours: Vec<u64>,
}

impl Seen {
    fn of(contacts: u64) -> Self {
        Self {
            has: vec![false; usize::try_from(contacts).unwrap()],
            in_vain: 0,
            arrived: 0,
            repeated: 0,
            last_hour: VecDeque::new(),
            busiest_hour: 0,
            hours: Vec::new(),
        }
    }

    fn count(&mut self, now: Duration) {
        self.last_hour.retain(|ended| now < *ended + HOUR);
        self.last_hour.push_back(now);
        self.busiest_hour = self.busiest_hour.max(self.last_hour.len());
    }

    fn arrives(&mut self, person: u64, since_the_outage: Duration) {
        let had = std::mem::replace(&mut self.has[usize::try_from(person).unwrap()], true);
        self.arrived += u64::from(!had);
        self.repeated += u64::from(had);
        let hour = usize::try_from(since_the_outage.as_secs() / 3_600).unwrap();
        self.hours.resize(self.hours.len().max(hour + 1), 0);
        self.hours[hour] += 1;
    }
}

impl Counter {
    async fn call(&self, body: Value) -> CallResult {
        let left = self.clock.monotonic();
        let lost = self.outage.contains(&left);
        self.clock.sleep_until(left + if lost { NO_CONNECTION } else { LATENCY }).await;
        let now = self.clock.monotonic();
        let mut seen = self.seen.lock().unwrap();
        seen.count(now);
        let verdict = if lost {
            seen.in_vain += 1;
            Verdict::Passing { reason: "no connection within 5 s".to_owned() }
        } else {
            seen.arrives(person_of(&body), now.saturating_sub(self.outage.end));
            Verdict::Stored(Stored { created: true, ..Stored::default() })
        };
        drop(seen);
        let request = self.endpoint.describe(&Request::UpsertContact { body, shows_companies: false });
        CallResult {
            verdict,
            request,
            response: None,
            error: None,
            rate: RateHint::default(),
            status_label: "simulated",
        }
    }
}

/// The service's way to it.
struct Line(Arc<Counter>);

impl Crm for Line {
    fn account(&self) -> &Account {
        self.0.endpoint.account()
    }

    fn call(&self, request: Request) -> CrmAnswer<CallResult> {
        let counter = Arc::clone(&self.0);
        match request {
            Request::UpsertContact { body, .. } => Box::pin(async move { counter.call(body).await }),
            other => unreachable!("contacts alone are sent here: {other:?}"),
        }
    }

    fn describe(&self, request: &Request) -> AttemptRequest {
        self.0.endpoint.describe(request)
    }
}

impl Found {
    /// What it must show: nothing lost, nothing given up, about a call for each probe, and after it the allowance used to
    /// the last call and never more.
    pub fn check(&self, outage: Outage, in_vain_max: u64) {
        assert_eq!(dead(&self.totals), 0, "dead");
        assert_eq!(self.at_the_end_of_the_outage.accepted, self.at_the_end_of_the_outage.processed);
        assert_eq!(open(&self.at_the_end_of_the_outage), outage.contacts, "owed at the end of the outage");
        assert_eq!(self.arrived + open(&self.totals), outage.contacts, "arrived and owed");
        assert_eq!(self.repeated, 0, "contacts that came twice");
        assert!(self.in_vain <= in_vain_max, "{} calls in vain, {in_vain_max} are enough", self.in_vain);
        assert!(self.busiest_hour <= outage.per_hour as usize, "{} calls in an hour", self.busiest_hour);
        let whole = self.hours.len().saturating_sub(1);
        let used: u64 = self.hours[..whole].iter().sum();
        // The first waits for a probe; each later round begins a moment after the one before it.
        let least = u64::from(outage.per_hour) * (whole as u64).saturating_sub(1);
        assert!(used >= least, "{used} calls in {whole} hours");
    }
}
