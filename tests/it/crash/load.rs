//! Clients that send events, post forms and tell of orders by a webhook, and remember which were acknowledged; and the
//! contacts that all of it means.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use freshsignal::clock::UnixMicros;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use ring::hmac;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::support::process::{Connection, ingest_request, post_request};

/// What the hook of the service under load is signed with.
pub const HOOK_SECRET: &str = "a secret of a shop";
const USERS: u32 = 50;
/// A body holds at most so many events.
const BATCH_EVENTS_MAX: usize = 8;
/// Events happened from this long before the test on, within an hour, in no order.
const HAPPENED_BEFORE: Duration = Duration::from_hours(2);
const SPREAD_MILLIS: u64 = 3_600_000;

/// What an event says about its user.
#[derive(Clone, Debug)]
pub struct Said {
    email: String,
    at: UnixMicros,
    /// Whether it is one that makes a contact.
    lead: bool,
    /// Whether it is old data, which lies in a stream of its own.
    old: bool,
    city: Option<String>,
    job_title: Option<String>,
}

/// One request, and the ids of what it brings.
#[derive(Clone)]
struct Post {
    ids: Vec<String>,
    request: Vec<u8>,
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
    /// Requests whose sender saw the connection break: they may be stored, so they are sent again, or never.
    unsure: Vec<Post>,
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
    by_every_door: bool,
}

impl Load {
    /// A client that chooses by a seed that no other client has.
    pub fn new(memory: Memory, address: SocketAddr, seed: u64) -> Self {
        let random = StdRng::seed_from_u64(seed);
        Self { memory, address, random, name: seed, sent: 0, by_every_door: false }
    }

    /// Posts forms and sends webhooks too.
    pub fn by_every_door(self) -> Self {
        Self { by_every_door: true, ..self }
    }

    /// Sends on one connection until it breaks.
    pub async fn until_cut(mut self) {
        let Ok(mut connection) = Connection::open(self.address).await else { return };
        loop {
            let post = self.next_post();
            let Ok(answer) = connection.ask(&post.request).await else {
                // A client can't know what became of it. Some try again, some never do.
                if self.random.random_bool(0.7) {
                    self.memory.lock().unsure.push(post);
                }
                return;
            };
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            assert_eq!(answer.status, 200, "{text}");
            let accepted = format!(r#""accepted":{}"#, post.ids.len());
            assert!(text.contains(&accepted), "{text}");
            if self.random.random_bool(0.02) {
                // As if this answer had been lost.
                self.memory.lock().unsure.push(post.clone());
            }
            self.memory.acknowledge(post.ids);
        }
    }

    fn next_post(&mut self) -> Post {
        if let Some(again) = self.memory.lock().unsure.pop() {
            return again;
        }
        match self.random.random_range(0..10) {
            0 if self.by_every_door => self.next_form(),
            1 if self.by_every_door => self.next_message(),
            _ => self.next_events(),
        }
    }

    fn next_events(&mut self) -> Post {
        let single = self.random.random_bool(0.7);
        let count = if single { 1 } else { self.random.random_range(2..=BATCH_EVENTS_MAX) };
        let (ids, mut events): (Vec<_>, Vec<_>) = (0..count).map(|_| self.next_event()).unzip();
        let body = if single { events.swap_remove(0) } else { json!({ "batch": events }) };
        Post { ids, request: ingest_request(&body.to_string()) }
    }

    /// A form of somebody new: what a visitor said of others would be believed less.
    fn next_form(&mut self) -> Post {
        let (name, said) = self.next_lead("visitor");
        let body = format!(
            "_id={name}&email={}&last_name=Lee&city={}",
            said.email,
            said.city.as_deref().unwrap_or_default()
        );
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json")];
        self.remember(format!("form-{name}"), said, post_request("/form/website", &headers, &body))
    }

    /// An order of somebody new: what such a message says happened when it came.
    fn next_message(&mut self) -> Post {
        let (name, said) = self.next_lead("buyer");
        let address = json!({ "city": said.city });
        let body = json!({ "id": name, "email": said.email, "total_price": "1.00", "currency": "EUR",
            "customer": { "first_name": "Sam", "last_name": "Lee", "default_address": address } })
        .to_string();
        let key = hmac::Key::new(hmac::HMAC_SHA256, HOOK_SECRET.as_bytes());
        let signature = STANDARD.encode(hmac::sign(&key, body.as_bytes()));
        let headers = [
            ("x-shopify-hmac-sha256", signature.as_str()),
            ("x-shopify-topic", "orders/create"),
            ("x-shopify-webhook-id", &name),
        ];
        self.remember(format!("shop-{name}"), said, post_request("/hooks/shop", &headers, &body))
    }

    fn next_lead(&mut self, who: &str) -> (String, Said) {
        self.sent += 1;
        let name = format!("{who}-{}-{}", self.name, self.sent);
        let city = Some(format!("W{:x}", self.random.random::<u32>()));
        let email = format!("{name}@example.com");
        (name, Said { email, at: self.memory.first_at, lead: true, old: false, city, job_title: None })
    }

    fn remember(&self, id: String, said: Said, request: Vec<u8>) -> Post {
        self.memory.lock().sent.insert(id.clone(), said);
        Post { ids: vec![id], request }
    }

    fn next_event(&mut self) -> (String, Value) {
        self.sent += 1;
        let id = format!("m-{}-{}", self.name, self.sent);
        let random = &mut self.random;
        let later = Duration::from_millis(random.random_range(0..SPREAD_MILLIS));
        let mut word = |often| random.random_bool(often).then(|| format!("W{:x}", random.random::<u32>()));
        let (city, job_title) = (word(0.9), word(0.3));
        let at = self.memory.first_at.plus(later);
        let user = random.random_range(0..USERS);
        let said = Said {
            email: email(user),
            at,
            lead: random.random_bool(0.5),
            old: random.random_bool(0.3),
            city,
            job_title,
        };
        let event = event(&id, user, &said);
        self.memory.lock().sent.insert(id.clone(), said);
        (id, event)
    }
}

fn event(id: &str, user: u32, said: &Said) -> Value {
    let mut traits = json!({ "email": said.email, "firstName": "Sam", "lastName": format!("Lee {user}") });
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
        let (city, job_title) = contacts.entry(said.email.clone()).or_default();
        *city = said.city.clone().or(city.take());
        *job_title = said.job_title.clone().or(job_title.take());
        if said.lead {
            leads.insert(said.email.clone());
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
