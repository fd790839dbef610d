//! A day of a shop: who visits, signs up, logs in, asks, buys; and what the contacts have to look like afterwards.
//!
//! What contacts have to look like is added up here from the same story by a few lines that know nothing of the service:
//! the reference. Events carry no times, so they count in the order in which they arrive.

use std::collections::BTreeMap;
use std::time::Duration;

use freshsignal::contact::{Attributes, upsert_body};
use freshsignal::event::Email;
use serde_json::{Value, json};

use super::account::CONVERSION;
use super::chance::Chance;

/// How busy each hour of the day is, in parts of the busiest.
const CURVE: [u64; 24] =
    [20, 12, 8, 6, 6, 10, 20, 38, 55, 68, 78, 84, 88, 84, 80, 78, 78, 82, 88, 96, 100, 86, 60, 36];
/// Of a thousand visits of somebody unknown, so many end with a sign-up or a log-in.
const KNOWN_PER_THOUSAND: u64 = 200;

/// What the shop is like.
#[derive(Clone, Copy, Debug)]
pub struct Shop {
    pub people: u64,
    pub events: usize,
    pub seed: u64,
}

/// Something that happens in the shop.
#[derive(Clone, Debug)]
pub struct Happening {
    /// When, counted from midnight.
    pub at: Duration,
    /// The event as the site sends it.
    pub event: String,
    /// What a tool that forwards each event would send for it: a mapped event of somebody whose email is known.
    pub forwarded: Option<Forwarded>,
}

/// One event as one call.
#[derive(Clone, Debug)]
pub struct Forwarded {
    pub person: u64,
    /// Everything that is known of the person by then.
    pub body: Value,
    /// Its number, where it is a conversion.
    pub conversion: Option<u64>,
}

/// The whole day.
pub struct Day {
    pub happenings: Vec<Happening>,
    /// The contacts as they have to be in the end, by person.
    pub contacts: BTreeMap<u64, Attributes>,
}

#[derive(Clone, Debug, Default)]
struct Person {
    known: bool,
    /// How often phone, company and city have changed.
    moved: u64,
    attributes: Attributes,
}

impl Shop {
    /// Everything that happens, in order.
    pub fn day(&self) -> Day {
        let mut chance = Chance::from(self.seed);
        let mut story = Story { people: vec![Person::default(); index(self.people)], happenings: Vec::new() };
        for at in self.times(&mut chance) {
            // Some come often: half of all visits are by an eighth of the people.
            let (one, two) = (chance.within(0..self.people), chance.within(0..self.people));
            story.visit(at, one.min(two) * one / self.people, &mut chance);
            if story.happenings.len() >= self.events {
                break;
            }
        }
        let contacts = story.people.into_iter().zip(0..).filter(|(person, _)| person.known);
        Day {
            happenings: story.happenings,
            contacts: contacts.map(|(person, number)| (number, person.attributes)).collect(),
        }
    }

    /// Moments spread over the day by its curve.
    fn times(&self, chance: &mut Chance) -> Vec<Duration> {
        let all: u64 = CURVE.iter().sum();
        let moment = |_| {
            let mut place = chance.within(0..all);
            let hour = CURVE.iter().position(|busy| {
                let here = place < *busy;
                place = place.saturating_sub(*busy);
                here
            });
            let milliseconds = index_to_u64(hour.unwrap()) * 3_600_000 + chance.within(0..3_600_000);
            Duration::from_millis(milliseconds)
        };
        let mut times: Vec<Duration> = (0..self.events).map(moment).collect();
        times.sort();
        times
    }
}

/// What has happened so far.
struct Story {
    people: Vec<Person>,
    happenings: Vec<Happening>,
}

impl Story {
    fn visit(&mut self, at: Duration, person: u64, chance: &mut Chance) {
        if !self.people[index(person)].known {
            if chance.happens(KNOWN_PER_THOUSAND) {
                self.becomes_known(at, person, chance);
            } else {
                self.tell(at, person, &page(), Counts::No);
            }
            return;
        }
        match chance.within(0..1_000) {
            0..890 => self.tell(at, person, &page(), Counts::Yes),
            890..920 => self.tell(at, person, &track("Product Added"), Counts::No),
            920..955 => self.tell(at, person, &track("Logged In"), Counts::Yes),
            955..970 => self.identify(at, person, false),
            970..977 => self.identify(at, person, true),
            977..980 => self.choose(at, person, chance.happens(500)),
            980..994 => self.convert(at, person, "Lead Generated"),
            _ => self.convert(at, person, "Order Completed"),
        }
    }

    /// Says who it is and what it came for at once, as a form does.
    fn becomes_known(&mut self, at: Duration, person: u64, chance: &mut Chance) {
        let known = &mut self.people[index(person)];
        known.known = true;
        for (name, value) in [("first_name", "Ann".to_owned()), ("last_name", format!("No{person}"))] {
            known.attributes.insert(name.to_owned(), json!(value));
        }
        self.identify(at, person, true);
        match chance.within(0..10) {
            0..5 => self.convert(at, person, "Signed Up"),
            5..8 => self.convert(at, person, "Lead Generated"),
            _ => self.tell(at, person, &track("Logged In"), Counts::Yes),
        }
    }

    /// Says who it is once more, perhaps with something new.
    fn identify(&mut self, at: Duration, person: u64, new: bool) {
        let known = &mut self.people[index(person)];
        known.moved += u64::from(new);
        let digits = (person * 17 + known.moved * 7_919) % 100_000;
        let phone = format!("+4477009{digits:05}");
        let company = format!("Company {}", known.moved);
        let city = ["London", "Leeds", "Bristol", "York"][index(known.moved % 4)];
        for (name, value) in [("mobile_number", &phone), ("company_name", &company)] {
            known.attributes.insert(name.to_owned(), json!(value));
        }
        known.attributes.insert("city".to_owned(), json!(city));
        let traits = json!({"email": email(person), "first_name": "Ann", "last_name": format!("No{person}"),
            "phone": format!("+44 7700 9{digits:05}"), "company": company, "city": city});
        self.tell(at, person, &json!({"type": "identify", "traits": traits}), Counts::Yes);
    }

    /// Chooses about marketing.
    fn choose(&mut self, at: Duration, person: u64, granted: bool) {
        let status = if granted { "subscribed" } else { "unsubscribed" };
        self.people[index(person)].attributes.insert("subscription_status".to_owned(), json!(status));
        let consent = json!({"consent": {"categoryPreferences": {"marketing": granted}}});
        self.tell(at, person, &json!({"type": "identify", "context": consent}), Counts::Yes);
    }

    fn convert(&mut self, at: Duration, person: u64, name: &str) {
        let number = index_to_u64(self.happenings.len());
        let name_of_field = format!("custom_field.{CONVERSION}");
        self.people[index(person)].attributes.insert(name_of_field, json!(number));
        let mut event = track(name);
        event["properties"] = json!({"conversion": number});
        self.tell(at, person, &event, Counts::AsConversion(number));
    }

    fn tell(&mut self, at: Duration, person: u64, event: &Value, counts: Counts) {
        let (number, known) = (self.happenings.len(), &self.people[index(person)]);
        let mut event = event.clone();
        event["messageId"] = json!(format!("event-{number}"));
        event["anonymousId"] = json!(format!("visitor-{person}"));
        if known.known {
            event["userId"] = json!(format!("user-{person}"));
        }
        let conversion = match counts {
            Counts::AsConversion(number) => Some(number),
            Counts::Yes | Counts::No => None,
        };
        let forwarded = (!matches!(counts, Counts::No)).then(|| Forwarded {
            person,
            body: upsert_body(&Email::parse(&email(person)).unwrap(), &known.attributes),
            conversion,
        });
        self.happenings.push(Happening { at, event: event.to_string(), forwarded });
    }
}

/// Whether a tool that forwards each event would forward this one.
#[derive(Clone, Copy)]
enum Counts {
    No,
    Yes,
    AsConversion(u64),
}

fn page() -> Value {
    json!({"type": "page", "name": "Product", "properties": {"title": "A red chair", "path": "/products/red-chair",
        "url": "https://shop.example/products/red-chair", "referrer": "https://shop.example/"}})
}

fn track(name: &str) -> Value {
    json!({"type": "track", "event": name})
}

pub fn email(person: u64) -> String {
    format!("person-{person}@shop.example")
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

fn index_to_u64(number: usize) -> u64 {
    u64::try_from(number).unwrap()
}
