//! A site that tells sales what happened: leads, demos and reports, each told once, and what the account has to hold in the
//! end.
//!
//! The reference knows nothing of the service: it counts in whose text each happening stands.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use freshsignal::clock::{Clock as _, ManualClock};
use freshsignal::freshsales::Crm;
use serde_json::{Value, json};

use super::account::{Allowed, Connection, SimulatedAccount, Weather};
use super::chance::Chance;
use super::report::most_within;
use super::service::{Ground, Service, check_books, dead, open};
use super::time::SimulatedTime;

/// A note, a task and an activity; each names its number, by which the account is counted.
const MAPPING: &str = r#"
[events."Lead Generated".note]
text = "Lead {properties.number} from {properties.form|the website}"
[events."Demo Requested".task]
title = "Call {person.name}"
due = "2h"
description = "Demo {properties.number}"
[events."Report Opened".activity]
type = "Meeting"
owner = "alex.kim@example.com"
title = "Opened report {properties.number}"
"#;

/// What the site is like.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    pub people: u64,
    pub count: u64,
    pub kills: u64,
    pub seed: u64,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Happenings that stand in more than one text.
    pub doubled: usize,
    /// Those that stand in none.
    pub missing: usize,
    /// Those of which nobody can tell.
    pub unclear: u64,
    /// Calls that were made.
    pub calls: usize,
    /// Calls without an answer.
    pub unanswered: usize,
    /// Records of the account that tell them: notes, tasks and activities.
    pub records: usize,
    /// The most calls of any hour.
    pub busiest_hour: usize,
}

struct Arrival {
    at: Duration,
    event: Value,
}

impl Told {
    fn story(self) -> Vec<Arrival> {
        let mut chance = Chance::from(self.seed);
        let mut arrivals = Vec::new();
        for number in 0..self.count {
            let person = chance.within(0..self.people);
            let name =
                ["Lead Generated", "Demo Requested", "Report Opened"][usize::try_from(number % 3).unwrap()];
            let event = json!({
                "type": "track", "event": name, "messageId": format!("m-{number}"), "userId": format!("user-{person}"),
                "properties": {"number": word(number), "form": "pricing"},
                "context": {"traits": {"email": format!("person-{person}@site.example"), "first_name": "Ann", "last_name": "Lee"}},
            });
            arrivals.push(Arrival { at: Duration::from_secs(chance.within(60..40_000)), event });
        }
        arrivals.sort_by_key(|arrival| arrival.at);
        arrivals
    }

    /// The service through all of it.
    pub fn service(self, allowed: Allowed, weather: Weather) -> Outcome {
        let arrivals = self.story();
        let time = SimulatedTime::new();
        let ground = Ground::mapped(allowed, MAPPING);
        let account = SimulatedAccount::new(&ground.config, allowed, weather, &time.clock, self.seed);
        let account = Arc::new(account);
        let crm: Arc<dyn Crm> = Arc::new(Connection(Arc::clone(&account)));
        let (config, own_time, counted) = (ground.config.clone(), time.clone(), Arc::clone(&account));
        let totals = time.run(async move {
            let clock = own_time.clock.clone();
            let mut service = Service::start(config, own_time, crm).await;
            let every = arrivals.len() / usize::try_from(self.kills + 1).unwrap();
            for (nth, arrival) in arrivals.iter().enumerate() {
                clock.sleep_until(arrival.at).await;
                service.send(arrival.event.to_string()).await;
                if self.kills > 0 && nth % every == every - 1 {
                    service = kill_at_a_call(service, &counted, &clock, nth / every).await;
                }
            }
            service.settled().await;
            let totals = service.totals().await;
            service.stop().await;
            totals
        });
        check_books(&totals);
        assert_eq!(dead(&totals), 0, "dead letters");
        let unclear = totals.happenings.get("unclear").copied().unwrap_or(0);
        Outcome { unclear, ..self.count_in(&account) }
    }

    fn count_in(self, account: &SimulatedAccount) -> Outcome {
        let sandbox = &account.sandbox;
        let records: Vec<Value> =
            [sandbox.notes(), sandbox.tasks(), sandbox.activities()].into_iter().flatten().collect();
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        for record in &records {
            let text =
                ["description", "notes", "title"].map(|name| record[name].as_str().unwrap_or_default());
            for word in text.join(" ").split(|c: char| !c.is_ascii_alphanumeric()) {
                if word.starts_with("No") {
                    *times.entry(word.to_owned()).or_default() += 1;
                }
            }
        }
        let calls = account.calls();
        Outcome {
            doubled: times.values().filter(|times| **times > 1).count(),
            missing: (0..self.count).filter(|number| !times.contains_key(&word(*number))).count(),
            unclear: 0,
            calls: calls.len(),
            unanswered: calls.iter().filter(|call| call.status == 0).count(),
            records: records.len(),
            busiest_hour: most_within(Duration::from_hours(1), &calls),
        }
    }
}

/// The number of a happening as a word that stands in no other.
fn word(number: u64) -> String {
    format!("No{number}x")
}

/// Kills the service while a call is on its way: before the account has applied it, before its answer is read, or after.
async fn kill_at_a_call(
    service: Service,
    account: &SimulatedAccount,
    clock: &ManualClock,
    nth: usize,
) -> Service {
    let left = account.left();
    for _ in 0..200 {
        if account.left() != left || open(&service.totals().await) == 0 {
            break;
        }
        clock.sleep_until(clock.monotonic() + Duration::from_millis(50)).await;
    }
    let wait = 110 * u64::try_from(nth % 5).unwrap();
    clock.sleep_until(clock.monotonic() + Duration::from_millis(wait)).await;
    service.kill_and_restart().await
}
