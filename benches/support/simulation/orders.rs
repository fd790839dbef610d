//! A shop whose orders are to be deals: what happens to each, in whatever order it arrives, and what the account has to hold
//! in the end.
//!
//! The reference knows nothing of the service: it adds up the same story. Beside it the recipe of a script that looks
//! everything up and writes everything for each event.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use freshsignal::clock::{Clock as _, ManualClock};
use freshsignal::freshsales::Crm;
use serde_json::{Value, json};

use super::account::{Allowed, Call, Connection, SimulatedAccount, Weather};
use super::chance::Chance;
use super::report::most_within;
use super::service::{Ground, Service, check_books, dead, open};
use super::time::SimulatedTime;

/// Orders become deals by their number, contacts hang on their companies, all by names.
pub const MAPPING: &str = r#"
[fields.company_name]
from = []
[company]
name = ["traits.company"]

[deals.order]
key = ["properties.order_id"]
key_field = "custom_field.cf_order_id"
name = "{email} order #{key}"
forward_only = true
[deals.order.fields.amount]
from = ["properties.total"]
convert = "money"
[deals.order.fields.currency]
from = ["properties.currency"]

[events."Checkout Started"]
lane = "conversion"
[events."Checkout Started".deal]
kind = "order"
stage = "New"
[events."Order Completed".deal]
kind = "order"
stage = "Won"
[events."Order Cancelled"]
lane = "conversion"
[events."Order Cancelled".deal]
kind = "order"
stage = "Lost"
create = false
"#;

/// What the shop is like.
#[derive(Clone, Copy, Debug)]
pub struct Orders {
    pub people: u64,
    pub count: u64,
    pub kills: u64,
    pub seed: u64,
}

/// A deal as the account has to hold it.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    pub stage: String,
    pub amount: String,
    pub currency: String,
    pub person: u64,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Deals of an order that has another.
    pub doubled: usize,
    /// Orders without a deal.
    pub missing: usize,
    /// What differs from the reference, a line each.
    pub wrong: Vec<String>,
    /// Calls that were made until nothing was owed any more.
    pub calls: usize,
    /// Calls that were made for the same events once more.
    pub calls_again: Vec<Call>,
    /// Calls without an answer.
    pub unanswered: usize,
    /// The most calls of any hour.
    pub busiest_hour: usize,
}

struct Arrival {
    at: Duration,
    event: Value,
}

impl Orders {
    /// Everything that arrives, and the deals that follow from it.
    fn story(self) -> (Vec<Arrival>, BTreeMap<String, Expected>) {
        let mut chance = Chance::from(self.seed);
        let (mut arrivals, mut deals) = (Vec::new(), BTreeMap::new());
        for order in 0..self.count {
            let person = chance.within(0..self.people);
            let (id, total) = (format!("A-{order}"), 100 + chance.within(0..90_000));
            let cancelled = chance.happens(200);
            let steps =
                [("Checkout Started", true), ("Order Completed", true), ("Order Cancelled", cancelled)];
            // The last minutes of the night before: it is known when each happened, not when it arrives.
            let began = chance.within(0..1_000);
            for (nth, (name, _)) in steps.into_iter().enumerate().filter(|(_, (_, happens))| *happens) {
                let second = began + 600 * nth as u64;
                let mut properties = json!({"order_id": id, "currency": "EUR"});
                if name != "Order Cancelled" {
                    let said = if name == "Order Completed" { total } else { total + 500 };
                    properties["total"] = json!(format!("{}.{:02}", said / 100, said % 100));
                }
                let event = json!({
                    "type": "track", "event": name, "messageId": format!("{id}-{nth}"), "userId": format!("user-{person}"),
                    "timestamp": format!("2026-02-28T{:02}:{:02}:{:02}Z", 23, second / 60, second % 60),
                    "properties": properties,
                    "context": {"traits": {"email": email(person), "first_name": "Ann", "company": company_of(person)}},
                });
                arrivals.push(Arrival { at: Duration::from_secs(chance.within(60..3_600)), event });
            }
            let stage = if cancelled { "Lost" } else { "Won" };
            let amount = format!("{}.{:02}", total / 100, total % 100);
            deals
                .insert(id, Expected { stage: stage.to_owned(), amount, currency: "EUR".to_owned(), person });
        }
        arrivals.sort_by_key(|arrival| arrival.at);
        (arrivals, deals)
    }
}

fn email(person: u64) -> String {
    format!("person-{person}@shop.example")
}

impl Orders {
    /// The service through all of it, and through the same once more.
    pub fn service(self, allowed: Allowed, weather: Weather) -> Outcome {
        let (arrivals, expected) = self.story();
        let time = SimulatedTime::new();
        let ground = Ground::mapped(allowed, MAPPING);
        let account = self.account(&ground, &time, allowed, weather);
        let crm: Arc<dyn Crm> = Arc::new(Connection(Arc::clone(&account)));
        let (config, own_time, counted) = (ground.config.clone(), time.clone(), Arc::clone(&account));
        let (totals, calls) = time.run(async move {
            let clock = own_time.clock.clone();
            let mut service = Service::start(config, own_time, crm).await;
            for arrival in &arrivals {
                clock.sleep_until(arrival.at).await;
                service.send(arrival.event.to_string()).await;
            }
            service = self.kill_at_calls(service, &counted, &clock).await;
            service.settled().await;
            let calls = counted.calls().len();
            for arrival in &arrivals {
                let mut again = arrival.event.clone();
                again["messageId"] = json!(format!("{}-again", again["messageId"].as_str().unwrap()));
                service.send(again.to_string()).await;
            }
            service.settled().await;
            let totals = service.totals().await;
            service.stop().await;
            (totals, calls)
        });
        check_books(&totals);
        assert_eq!(dead(&totals), 0, "dead letters");
        let mut outcome = Outcome::of(&account, &expected);
        outcome.calls_again = account.calls().split_off(calls);
        outcome.calls = calls;
        outcome
    }

    /// The recipe of a script, for each event: look the contact up, write it, look the deal up, write it, write a note.
    /// Answers how many calls that took; nothing gets lost on its way here.
    pub fn recipe(self, allowed: Allowed) -> usize {
        let (arrivals, _) = self.story();
        let time = SimulatedTime::new();
        let ground = Ground::mapped(allowed, MAPPING);
        let account =
            self.account(&ground, &time, Allowed { per_hour: u32::MAX, ..allowed }, Weather::default());
        let counted = Arc::clone(&account);
        time.run(async move {
            for arrival in &arrivals {
                write_by_recipe(&arrival.event, &counted).await;
            }
        });
        usize::try_from(account.sandbox.calls()).unwrap()
    }

    fn account(
        self,
        ground: &Ground,
        time: &SimulatedTime,
        allowed: Allowed,
        weather: Weather,
    ) -> Arc<SimulatedAccount> {
        Arc::new(SimulatedAccount::new(&ground.config, allowed, weather, &time.clock, self.seed))
    }

    /// Kills the service a moment after a call has left, again and again, and starts it anew.
    async fn kill_at_calls(
        self,
        mut service: Service,
        account: &SimulatedAccount,
        clock: &ManualClock,
    ) -> Service {
        for kill in 0..self.kills {
            let left = account.left();
            while account.left() == left && open(&service.totals().await) > 0 {
                clock.sleep_until(clock.monotonic() + Duration::from_millis(50)).await;
            }
            // Now before the account has applied it, now before its answer is read, now long after.
            clock.sleep_until(clock.monotonic() + Duration::from_millis(110 * (kill % 5))).await;
            service = service.kill_and_restart().await;
            // The next call to be hit is another one.
            clock.sleep_until(clock.monotonic() + Duration::from_mins(1)).await;
        }
        service
    }
}

/// One event as a script writes it, which knows nothing of the one before.
async fn write_by_recipe(event: &Value, account: &SimulatedAccount) {
    let (traits, properties) = (&event["context"]["traits"], &event["properties"]);
    let (email, order) = (traits["email"].as_str().unwrap(), properties["order_id"].as_str().unwrap());
    let ask = async |method: Method, path: String, body: Value| {
        let (head, bytes) = account.ask_sandbox(method, &format!("/crm/sales/api/{path}"), &body).await;
        assert!(head.status.is_success(), "{path}: {} {}", head.status, String::from_utf8_lossy(&bytes));
        serde_json::from_slice::<Value>(&bytes).unwrap()
    };
    ask(Method::GET, format!("lookup?q={email}&f=email&entities=contact"), Value::Null).await;
    let contact = json!({"unique_identifier": {"emails": email},
        "contact": {"first_name": "Ann", "last_name": "Buyer", "emails": email}});
    let contact = ask(Method::POST, "contacts/upsert".to_owned(), contact).await["contact"]["id"].clone();
    let found = ask(Method::GET, format!("lookup?q={order}&f=cf_order_id&entities=deal"), Value::Null).await;
    let amount: f64 = properties["total"].as_str().unwrap_or("0").parse().unwrap();
    let deal = json!({"deal": {"name": order, "amount": amount, "contacts_added_list": [contact],
        "custom_field": {"cf_order_id": order}}});
    match found["deals"]["deals"][0]["id"].as_u64() {
        Some(id) => ask(Method::PUT, format!("deals/{id}"), deal).await,
        None => ask(Method::POST, "deals".to_owned(), deal).await,
    };
    let note = json!({"note": {"description": event["event"], "targetable_type": "Contact", "targetable_id": contact}});
    ask(Method::POST, "notes".to_owned(), note).await;
}

impl Outcome {
    fn of(account: &SimulatedAccount, expected: &BTreeMap<String, Expected>) -> Self {
        let mut held: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for deal in account.sandbox.deals() {
            let key = deal["custom_field"]["cf_order_id"].as_str().unwrap_or_default().to_owned();
            held.entry(key).or_default().push(deal);
        }
        let missing = expected.keys().filter(|key| !held.contains_key(*key)).count();
        let doubled = held.values().map(|deals| deals.len() - 1).sum();
        let differs = |(key, wanted): (&String, &Expected)| {
            let is = as_expected(held.get(key)?.first()?, account);
            (is.as_ref() != Some(wanted)).then(|| format!("{key} is {is:?}, and should be {wanted:?}"))
        };
        let calls = account.calls();
        Self {
            doubled,
            missing,
            wrong: expected.iter().filter_map(differs).collect(),
            calls: calls.len(),
            calls_again: Vec::new(),
            unanswered: calls.iter().filter(|call| call.status == 0).count(),
            busiest_hour: most_within(Duration::from_hours(1), &calls),
        }
    }
}

/// A deal of the account in the words of the reference; nothing, where its contact or its contact's company is another.
fn as_expected(deal: &Value, account: &SimulatedAccount) -> Option<Expected> {
    let contact =
        account.sandbox.contacts().into_iter().find(|contact| deal["contact_ids"][0] == contact["id"])?;
    let person: u64 = contact["emails"].as_str()?.strip_prefix("person-")?.split('@').next()?.parse().ok()?;
    let company = account
        .sandbox
        .companies()
        .into_iter()
        .find(|company| contact["sales_accounts"][0]["id"] == company["id"])?;
    if company["name"] != company_of(person) {
        return None;
    }
    let pipelines = account.sandbox.selector("deal_pipelines")?;
    let stages: Vec<Value> =
        pipelines.iter().filter_map(|one| one["deal_stages"].as_array().cloned()).flatten().collect();
    let stage =
        stages.iter().find(|stage| stage["id"] == deal["deal_stage_id"])?["name"].as_str()?.to_owned();
    let currencies = account.sandbox.selector("currencies")?;
    let currency =
        currencies.iter().find(|one| one["id"] == deal["currency_id"])?["currency_code"].as_str()?.to_owned();
    let amount = format!("{:.2}", deal["amount"].as_str()?.parse::<f64>().ok()?);
    Some(Expected { stage, amount, currency, person })
}

fn company_of(person: u64) -> String {
    format!("Company {}", person % 40)
}
