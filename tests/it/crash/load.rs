//! Clients that send events and remember which were acknowledged, and the contacts those events mean.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use freshsignal::clock::UnixMicros;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::support::process::Connection;

const USERS: u32 = 50;
/// A body holds at most so many events.
const BATCH_EVENTS_MAX: usize = 8;
/// Events happened from this long before the test on, within an hour, in no order.
const HAPPENED_BEFORE: Duration = Duration::from_hours(2);
const SPREAD_MILLIS: u64 = 3_600_000;

/// What an event says about its user.
#[derive(Clone, Debug)]
pub struct Said {
    user: u32,
    at: UnixMicros,
    /// Whether it is one that makes a contact.
    lead: bool,
    /// Whether it is old data, which lies in a stream of its own.
    old: bool,
    city: Option<String>,
    job_title: Option<String>,
}

/// What all clients of all cycles remember together.
#[derive(Clone)]
pub struct Memory {
    first_at: UnixMicros,
    remembered: Arc<Mutex<Remembered>>,
    acknowledged: watch::Sender<u64>,
}

#[derive(Default)]
struct Remembered {
    sent: BTreeMap<String, Said>,
    acknowledged: BTreeSet<String>,
    /// Bodies whose sender saw the connection break: they may be stored, so they are sent again, or never.
    unsure: Vec<(Vec<String>, String)>,
}

impl Memory {
    /// A memory of nothing.
    pub fn new(now: UnixMicros) -> Self {
        let first_at = now.minus(HAPPENED_BEFORE);
        Self { first_at, remembered: Arc::default(), acknowledged: watch::Sender::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap()
    }

    /// How many messages were acknowledged.
    pub fn acknowledged(&self) -> u64 {
        *self.acknowledged.borrow()
    }

    /// Their ids.
    pub fn acknowledged_ids(&self) -> BTreeSet<String> {
        self.lock().acknowledged.clone()
    }

    /// Every message that was sent, acknowledged or not.
    pub fn sent(&self) -> BTreeMap<String, Said> {
        self.lock().sent.clone()
    }

    /// Ends once so many messages are acknowledged.
    pub async fn until_acknowledged(&self, enough: u64) {
        self.acknowledged.subscribe().wait_for(|count| *count >= enough).await.unwrap();
    }

    fn acknowledge(&self, ids: Vec<String>) {
        let mut remembered = self.lock();
        remembered.acknowledged.extend(ids);
        self.acknowledged.send_replace(remembered.acknowledged.len() as u64);
    }
}

/// One client in one cycle.
pub struct Load {
    memory: Memory,
    address: SocketAddr,
    random: StdRng,
    name: u64,
    sent: u64,
}

impl Load {
    /// A client that chooses by a seed that no other client has.
    pub fn new(memory: Memory, address: SocketAddr, seed: u64) -> Self {
        Self { memory, address, random: StdRng::seed_from_u64(seed), name: seed, sent: 0 }
    }

    /// Sends on one connection until it breaks.
    pub async fn until_cut(mut self) {
        let Ok(mut connection) = Connection::open(self.address).await else { return };
        loop {
            let (ids, body) = self.next_body();
            let Ok(answer) = connection.ingest(&body).await else {
                // A client can't know what became of it. Some try again, some never do.
                if self.random.random_bool(0.7) {
                    self.memory.lock().unsure.push((ids, body));
                }
                return;
            };
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            assert_eq!(answer.status, 200, "{text}");
            let accepted = format!(r#""accepted":{}"#, ids.len());
            assert!(text.contains(&accepted), "{text}");
            if self.random.random_bool(0.02) {
                // As if this answer had been lost.
                self.memory.lock().unsure.push((ids.clone(), body));
            }
            self.memory.acknowledge(ids);
        }
    }

    fn next_body(&mut self) -> (Vec<String>, String) {
        if let Some(again) = self.memory.lock().unsure.pop() {
            return again;
        }
        let single = self.random.random_bool(0.7);
        let count = if single { 1 } else { self.random.random_range(2..=BATCH_EVENTS_MAX) };
        let (ids, mut events): (Vec<_>, Vec<_>) = (0..count).map(|_| self.next_event()).unzip();
        let body = if single { events.swap_remove(0) } else { json!({ "batch": events }) };
        (ids, body.to_string())
    }

    fn next_event(&mut self) -> (String, Value) {
        self.sent += 1;
        let id = format!("m-{}-{}", self.name, self.sent);
        let random = &mut self.random;
        let later = Duration::from_millis(random.random_range(0..SPREAD_MILLIS));
        let mut word = |often| random.random_bool(often).then(|| format!("W{:x}", random.random::<u32>()));
        let (city, job_title) = (word(0.9), word(0.3));
        let at = self.memory.first_at.plus(later);
        let said = Said {
            user: self.random.random_range(0..USERS),
            at,
            lead: self.random.random_bool(0.5),
            old: self.random.random_bool(0.3),
            city,
            job_title,
        };
        let event = event(&id, &said);
        self.memory.lock().sent.insert(id.clone(), said);
        (id, event)
    }
}

fn event(id: &str, said: &Said) -> Value {
    let user = said.user;
    let mut traits = json!({ "email": email(user), "firstName": "Sam", "lastName": format!("Lee {user}") });
    for (name, value) in [("city", &said.city), ("jobTitle", &said.job_title)] {
        if let Some(value) = value {
            traits[name] = json!(value);
        }
    }
    let mut event =
        json!({ "messageId": id, "userId": format!("user-{user}"), "timestamp": said.at.to_rfc3339() });
    if said.lead {
        event["type"] = json!("track");
        event["event"] = json!("Lead Generated");
        event["context"] = json!({ "traits": traits });
    } else {
        event["type"] = json!("identify");
        event["traits"] = traits;
    }
    if said.old {
        event["context"]["backfill"] = json!(true);
    }
    event
}

fn email(user: u32) -> String {
    format!("user-{user}@example.com")
}

/// City and job title by email: of each the newest value said, for users of whom there is a lead.
pub fn fold<'a>(
    events: impl Iterator<Item = (&'a str, &'a Said)>,
) -> BTreeMap<String, (Option<String>, Option<String>)> {
    let mut events: Vec<(&str, &Said)> = events.collect();
    events.sort_by_key(|(id, said)| (said.at, *id));
    let mut contacts = BTreeMap::<String, (Option<String>, Option<String>)>::new();
    let mut leads = BTreeSet::new();
    for (_, said) in events {
        let (city, job_title) = contacts.entry(email(said.user)).or_default();
        *city = said.city.clone().or(city.take());
        *job_title = said.job_title.clone().or(job_title.take());
        if said.lead {
            leads.insert(email(said.user));
        }
    }
    contacts.retain(|email, _| leads.contains(email));
    contacts
}

/// A batch of page views of as many people.
pub fn pages(name: &str, count: u64) -> String {
    let page = |number| {
        json!({ "type": "page", "messageId": format!("p-{name}-{number}"), "userId": format!("u-{name}-{number}"),
        "context": { "traits": { "email": format!("u-{name}-{number}@example.com"), "lastName": "Lee" } } })
    };
    Value::Array((0..count).map(page).collect()).to_string()
}

/// A batch of leads of as many people.
pub fn new_contacts(name: &str, count: u64) -> String {
    let lead = |number| {
        json!({ "type": "track", "event": "Lead Generated", "messageId": format!("l-{name}-{number}"),
        "userId": format!("l-{name}-{number}"),
        "context": { "traits": { "email": format!("l-{name}-{number}@example.com"), "lastName": "Lee" } } })
    };
    Value::Array((0..count).map(lead).collect()).to_string()
}
