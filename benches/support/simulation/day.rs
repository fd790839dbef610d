//! A day from its first event until nothing is owed any more, with all that may happen to the service meanwhile.

use std::sync::Arc;
use std::time::Duration;

use freshsignal::clock::{Clock as _, UnixMicros};
use freshsignal::freshsales::Crm;
use freshsignal::store::Totals;

use super::account::{Allowed, Connection, SimulatedAccount, Weather};
use super::peers::{Policy, forward};
use super::report::Report;
use super::service::{Ground, Service, check_books, dead};
use super::shop::{Day, Shop};
use super::time::SimulatedTime;

/// How long after an outage its effects may be felt: until the next probe, and while what has piled up goes out.
pub const AFTERMATH: Duration = Duration::from_mins(15);

/// A day and all that goes wrong in it.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub shop: Shop,
    pub allowed: Allowed,
    pub weather: Weather,
    /// When the service is killed and started again.
    pub kills: Vec<Duration>,
    /// When the time of day jumps, and by how many seconds.
    pub jumps: Vec<(Duration, i64)>,
}

/// What happens next.
enum Next {
    Event(String),
    Kill,
    Jump(i64),
}

impl Scenario {
    /// A day like any other.
    pub fn of(shop: Shop, allowed: Allowed) -> Self {
        Self { shop, allowed, weather: Weather::default(), kills: Vec::new(), jumps: Vec::new() }
    }

    fn account(&self, ground: &Ground, time: &SimulatedTime) -> Arc<SimulatedAccount> {
        let weather = self.weather.clone();
        Arc::new(SimulatedAccount::new(&ground.config, self.allowed, weather, &time.clock, self.shop.seed))
    }

    /// The service through the day.
    pub fn service(&self, day: &Day) -> (Report, Totals) {
        let time = SimulatedTime::new();
        let ground = Ground::new(self.allowed);
        let account = self.account(&ground, &time);
        let crm: Arc<dyn Crm> = Arc::new(Connection(Arc::clone(&account)));
        let script = self.script(day);
        let (config, own_time) = (ground.config.clone(), time.clone());
        let totals = time.run(async move {
            let clock = own_time.clock.clone();
            let mut service = Service::start(config, own_time, crm).await;
            for (at, next) in script {
                clock.sleep_until(at).await;
                match next {
                    Next::Event(event) => service.send(event).await,
                    Next::Kill => service = service.kill_and_restart().await,
                    Next::Jump(seconds) => {
                        clock.jump_wall_to(UnixMicros(clock.wall().0 + seconds * 1_000_000));
                    }
                }
            }
            service.settled().await;
            let totals = service.totals().await;
            service.stop().await;
            totals
        });
        check_books(&totals);
        let lost = totals.accepted - totals.processed + dead(&totals);
        (Report::of("freshsignal", day, &account, lost), totals)
    }

    /// A peer through the same day.
    pub fn peer(&self, policy: Policy, day: &Day) -> Report {
        let time = SimulatedTime::new();
        let ground = Ground::new(self.allowed);
        let account = self.account(&ground, &time);
        let crm: Arc<dyn Crm> = Arc::new(Connection(Arc::clone(&account)));
        let (happenings, clock) = (day.happenings.clone(), time.clock.clone());
        let lost = time.run(async move { forward(policy, &happenings, crm, clock).await });
        Report::of(policy.name, day, &account, lost)
    }

    /// Everything that happens, in order.
    fn script(&self, day: &Day) -> Vec<(Duration, Next)> {
        let events = day.happenings.iter().map(|one| (one.at, Next::Event(one.event.clone())));
        let kills = self.kills.iter().map(|at| (*at, Next::Kill));
        let jumps = self.jumps.iter().map(|(at, by)| (*at, Next::Jump(*by)));
        let mut script: Vec<(Duration, Next)> = events.chain(kills).chain(jumps).collect();
        script.sort_by_key(|(at, _)| *at);
        script
    }
}
