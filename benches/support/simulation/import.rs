//! Old data of many people, sent through `/v1/import` at once: how long until Freshsales has them all, in bulk.

use std::sync::Arc;
use std::time::Duration;

use freshsignal::allowance::HOUR;
use freshsignal::clock::Clock as _;
use freshsignal::deliver::{BulkConfig, BulkMode};
use freshsignal::store::Totals;
use serde_json::{Value, json};

use super::account::{Allowed, Connection, SimulatedAccount, Weather};
use super::service::{Ground, Service, check_books, open};
use super::time::SimulatedTime;

/// Events in a request.
const BATCH_EVENTS: usize = 1_000;
/// How often it is looked whether all have arrived.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// People to import.
#[derive(Clone, Copy, Debug)]
pub struct Import {
    pub people: usize,
    pub allowed: Allowed,
    pub bulk: bool,
    /// How many of them may be made in an hour; 0: as many as fit.
    pub new_contacts_per_hour_max: u64,
}

/// What was found.
#[derive(Debug)]
pub struct Imported {
    /// From the first request until nothing was owed, in simulated time.
    pub took: Duration,
    /// How long that would take, as foreseen when all of them had become owed.
    pub foreseen: Duration,
    /// Contacts that the account has in the end.
    pub contacts: usize,
    /// How many of them were written more than once.
    pub written_again: usize,
    /// Calls that carried many contacts, asked for their jobs, carried one.
    pub calls: [usize; 3],
    /// The most calls in any hour.
    pub busiest_hour: usize,
    /// Calls that the account answered with a 429.
    pub throttled: usize,
    pub totals: Totals,
}

/// Somebody who signed up before.
pub fn signed_up(person: usize) -> Value {
    json!({
        "type": "track", "event": "Signed Up", "userId": format!("u{person}"), "messageId": format!("import-{person}"),
        "context": {"traits": {
            "email": format!("person-{person}@shop.example"), "first_name": "Pat", "last_name": format!("No {person}"),
        }},
    })
}

impl Import {
    /// Imports them all.
    pub fn run(self) -> Imported {
        let time = SimulatedTime::new();
        let quota = self.new_contacts_per_hour_max.to_string();
        let mut ground = Ground::with(self.allowed, &[("SOURCES__SHOP__NEW_CONTACTS_PER_HOUR_MAX", &quota)]);
        if self.bulk {
            ground.config.bulk = BulkConfig { mode: BulkMode::Backlog, ..BulkConfig::default() };
        }
        let clock = time.clock.clone();
        let weather = Weather::default();
        let account = Arc::new(SimulatedAccount::new(&ground.config, self.allowed, weather, &clock, 1));
        let (config, own_time, own_account) = (ground.config.clone(), time.clone(), Arc::clone(&account));
        let (took, foreseen, totals) = time.run(async move {
            let service = Service::start(config, own_time, Arc::new(Connection(own_account))).await;
            let began = clock.monotonic();
            for batch in (0..self.people).collect::<Vec<_>>().chunks(BATCH_EVENTS) {
                let events: Vec<Value> = batch.iter().map(|person| signed_up(*person)).collect();
                service.send_to("/v1/import", json!({ "batch": events }).to_string()).await;
            }
            let mut foreseen = None;
            let totals = loop {
                let totals = service.totals().await;
                if totals.accepted == totals.processed && foreseen.is_none() {
                    let passed = clock.monotonic().saturating_sub(began);
                    foreseen = Some(passed + service.drained_after(&totals).await);
                }
                if totals.accepted == totals.processed && open(&totals) == 0 {
                    break totals;
                }
                service.check_stages();
                clock.sleep_until(clock.monotonic() + LOOK_EVERY).await;
            };
            service.stop().await;
            (clock.monotonic().saturating_sub(began), foreseen.unwrap(), totals)
        });
        check_books(&totals);
        found(&account, (took, foreseen), totals)
    }
}

fn found(account: &SimulatedAccount, (took, foreseen): (Duration, Duration), totals: Totals) -> Imported {
    let contacts = account.sandbox.contacts();
    let written_again =
        contacts.iter().filter(|contact| contact["created_at"] != contact["updated_at"]).count();
    let calls = account.sandbox.requests();
    let of = |part: &str| calls.iter().filter(|call| call.path.contains(part)).count();
    let until =
        |from: usize| calls[from..].iter().take_while(|call| call.at.since(calls[from].at) < HOUR).count();
    Imported {
        took,
        foreseen,
        contacts: contacts.len(),
        written_again,
        calls: [of("bulk_upsert"), of("job_statuses"), of("contacts/upsert")],
        busiest_hour: (0..calls.len()).map(until).max().unwrap_or(0),
        throttled: calls.iter().filter(|call| call.status == Some(429)).count(),
        totals,
    }
}
