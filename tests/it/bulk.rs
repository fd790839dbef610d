//! The bulk lane under simulated time: a backlog drains through calls of a hundred contacts, each contact's end is its
//! own, and whatever a bulk call does not bring goes by itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use freshsignal::clock::{Clock as _, ManualClock};
use freshsignal::deliver::{BulkConfig, BulkMode};
use freshsignal::delivery::{Delivery, State};
use freshsignal::sandbox::{Fault, RecordedRequest};
use freshsignal::store::{DeliveryQuery, Limited, Outbox as _, Trail as _};
use serde_json::{Value, json};

use crate::simulation::harness::account::{Allowed, Connection, SimulatedAccount, Weather};
use crate::simulation::harness::import::{Import, signed_up};
use crate::simulation::harness::service::{Ground, Service, check_books};
use crate::simulation::harness::time::SimulatedTime;

const PLENTY: Allowed = Allowed { per_hour: 1_000, per_minute: 400 };
const BULK: &str = "bulk_upsert";
const JOBS: &str = "job_statuses";

/// The service, the account behind it, and the time of both.
struct Shop {
    service: Service,
    account: Arc<SimulatedAccount>,
    clock: ManualClock,
}

/// Runs a test under simulated time, in bulk from 50 owed contacts on.
fn in_bulk<F>(allowed: Allowed, test: impl FnOnce(Shop) -> F + Send + 'static)
where
    F: Future<Output = ()> + Send,
{
    let time = SimulatedTime::new();
    let mut ground = Ground::new(allowed);
    ground.config.bulk = BulkConfig { mode: BulkMode::Backlog, backlog_contacts_min: 50 };
    let clock = time.clock.clone();
    let account = Arc::new(SimulatedAccount::new(&ground.config, allowed, Weather::default(), &clock, 7));
    let config = ground.config.clone();
    let own_time = time.clone();
    time.run(async move {
        let crm = Arc::new(Connection(Arc::clone(&account)));
        let service = Service::start(config, own_time, crm).await;
        // Everybody waits for something to do, so that what happens does not hang on who was sooner.
        clock.sleep_until(clock.monotonic() + Duration::from_secs(1)).await;
        test(Shop { service, account, clock }).await;
    });
    drop(ground);
}

fn address(person: usize) -> String {
    format!("person-{person}@shop.example")
}

/// Somebody who signed up long ago.
fn import(person: usize) -> Value {
    let mut event = signed_up(person);
    event["context"]["backfill"] = json!(true);
    event
}

impl Shop {
    fn fault(&self, order: Value) {
        self.account.sandbox.fault(Fault::from_json(order).unwrap());
    }

    async fn send(&self, events: Vec<Value>) {
        for batch in events.chunks(500) {
            self.service.send(json!({ "batch": batch }).to_string()).await;
        }
    }

    async fn import(&self, people: std::ops::Range<usize>) {
        self.send(people.map(import).collect()).await;
    }

    async fn settled(&self) {
        self.service.settled().await;
        check_books(&self.service.totals().await);
    }

    /// Calls whose path has this in it.
    fn calls(&self, part: &str) -> Vec<RecordedRequest> {
        self.account.sandbox.requests().into_iter().filter(|call| call.path.contains(part)).collect()
    }

    fn singles(&self) -> Vec<RecordedRequest> {
        self.calls("/contacts/upsert")
    }

    async fn delivery(&self, email: &str) -> Delivery {
        let query = DeliveryQuery {
            limit: Limited::to(1),
            before: None,
            account: None,
            reason: None,
            email: Some(freshsignal::event::Email::parse(email).unwrap()),
            subject: None,
            state: None,
        };
        self.service.store.deliveries(query).await.unwrap().remove(0).delivery
    }

    async fn ended(&self) -> BTreeMap<State, u64> {
        self.service.totals().await.ended
    }

    /// Ends when the account has received so many calls of a kind.
    async fn called(&self, part: &str, calls: usize) {
        while self.calls(part).len() < calls {
            self.clock.sleep_until(self.clock.monotonic() + Duration::from_millis(50)).await;
        }
    }

    /// Every contact is there, and none was written twice.
    fn all_written_once(&self, people: usize) {
        let contacts = self.account.sandbox.contacts();
        assert_eq!(contacts.len(), people);
        for contact in contacts {
            assert_eq!(contact["created_at"], contact["updated_at"], "{contact}");
        }
    }
}

#[test]
fn a_backlog_goes_a_hundred_at_a_call() {
    in_bulk(PLENTY, async |shop| {
        shop.import(0..500).await;
        shop.settled().await;
        shop.all_written_once(500);
        assert_eq!(shop.ended().await, BTreeMap::from([(State::Delivered, 500)]));
        let bulk = shop.calls(BULK);
        let carried = |call: &RecordedRequest| call.json()["contacts"].as_array().unwrap().len();
        assert!(bulk.iter().all(|call| carried(call) <= 100));
        assert!((5..=6).contains(&bulk.len()), "{}", bulk.len());
        assert_eq!(shop.calls(JOBS).len(), bulk.len(), "each job was asked for once");
        // Those that left before there was a backlog, and the rest that is none any more.
        assert!(shop.singles().len() <= 60, "{}", shop.singles().len());
        let carried_in_all: usize = bulk.iter().map(carried).sum();
        assert_eq!(carried_in_all + shop.singles().len(), 500);
    });
}

#[test]
fn fifty_people_for_each_call_an_hour_are_imported_within_three_hours() {
    // A twentieth of what `cargo bench --bench import` shows.
    let allowed = Allowed { per_hour: 50, per_minute: 20 };
    let found = Import { people: 2_500, allowed, bulk: true, new_contacts_per_hour_max: 0 }.run();
    assert!(found.took < Duration::from_hours(3), "{:?}", found.took);
    assert_eq!((found.contacts, found.written_again, found.throttled), (2_500, 0, 0));
    assert!(found.busiest_hour <= 45, "{}", found.busiest_hour);
}

#[test]
fn a_delivery_shows_its_own_part_of_the_bulk_call() {
    in_bulk(PLENTY, async |shop| {
        shop.import(0..200).await;
        shop.settled().await;
        let carried = shop.calls(BULK)[0].json()["contacts"][50]["emails"].as_str().unwrap().to_owned();
        let delivery = shop.delivery(&carried).await;
        let [attempt] = delivery.attempts.as_slice() else { panic!("{:?}", delivery.attempts) };
        assert!(
            attempt.request.url.ends_with("/crm/sales/api/contacts/bulk_upsert"),
            "{}",
            attempt.request.url
        );
        assert_eq!(
            attempt.request.body.to_string(),
            format!(
                r#"{{"contacts":[{{"emails":"{carried}","data":{{"first_name":"Pat","last_name":"No"}}}}]}}"#
            )
        );
        let response = attempt.response.as_ref().unwrap();
        let said: Value = serde_json::from_str(&response.body).unwrap();
        assert_eq!((response.status, &said["status"]), (200, &json!("SUCCESS")));
        let report: Value = serde_json::from_str(said["data"].as_str().unwrap()).unwrap();
        let counts = json!({"succeeded": 100, "failed": 0});
        assert_eq!(report, json!({"record_status": counts, "detailed_failure_report": []}), "as it came");
        assert!(said["id"].is_string(), "{said}");
        assert!(attempt.duration_ms >= 5_000, "until the job had reported: {}", attempt.duration_ms);
    });
}

#[test]
fn a_row_that_is_refused_is_a_dead_letter_of_its_own_and_heals() {
    in_bulk(PLENTY, async |shop| {
        let mut people: Vec<Value> = (0..200).map(import).collect();
        people[120]["context"]["traits"] = json!({"email": address(120)});
        shop.send(people).await;
        shop.settled().await;
        assert_eq!(shop.ended().await, BTreeMap::from([(State::Delivered, 199), (State::Dead, 1)]));
        let dead = shop.delivery(&address(120)).await;
        assert_eq!(
            (dead.state, dead.reason.as_deref()),
            (State::Dead, Some("First name or last name is mandatory."))
        );
        let last = dead.attempts.last().unwrap();
        let body = &last.response.as_ref().unwrap().body;
        assert!(body.contains(&address(120)) && body.contains("record_status"), "the report on it: {body}");

        let name = json!({"type": "identify", "userId": "u120", "messageId": "name", "traits": {"last_name": "Late"}});
        shop.send(vec![name]).await;
        shop.settled().await;
        assert_eq!(shop.ended().await, BTreeMap::from([(State::Delivered, 200)]));
    });
}

#[test]
fn new_leads_and_withdrawals_go_by_themselves_meanwhile() {
    in_bulk(PLENTY, async |shop| {
        let deny = json!({"consent": {"categoryPreferences": {"marketing": true}}, "traits": {"email": address(900), "last_name": "Known"}});
        let known = json!({"type": "track", "event": "Lead Generated", "userId": "u900", "messageId": "known", "context": deny});
        shop.send(vec![known]).await;
        shop.settled().await;
        shop.import(0..1_000).await;
        shop.called(BULK, 1).await;
        let lead = json!({"type": "track", "event": "Lead Generated", "userId": "new", "messageId": "lead",
            "context": {"traits": {"email": address(901), "last_name": "New"}}});
        let withdrawal = json!({"type": "identify", "userId": "u900", "messageId": "no",
            "context": {"consent": {"categoryPreferences": {"marketing": false}}}});
        let asked = shop.clock.monotonic();
        shop.send(vec![lead, withdrawal]).await;
        let written = |text: &str| shop.singles().iter().any(|call| call.json().to_string().contains(text));
        while !(written("\"New\"") && written("unsubscribed")) {
            shop.clock.sleep_until(shop.clock.monotonic() + Duration::from_millis(50)).await;
        }
        let waited = shop.clock.monotonic().saturating_sub(asked);
        assert!(waited <= Duration::from_secs(1), "{waited:?}");
        shop.settled().await;
    });
}

#[test]
fn a_restart_goes_on_asking_for_the_jobs_it_finds() {
    in_bulk(PLENTY, async |shop| {
        shop.import(0..300).await;
        shop.called(BULK, 2).await;
        // The first bulk calls were answered, and no job has reported.
        shop.clock.sleep_until(shop.clock.monotonic() + Duration::from_secs(1)).await;
        assert_eq!(shop.calls(JOBS).len(), 0);
        let before = shop.service.store.bulk_jobs(account_of(&shop)).await.unwrap();
        assert!(!before.is_empty());
        let bulk_calls = shop.calls(BULK).len();
        let Shop { service, account, clock } = shop;
        let shop = Shop { service: service.kill_and_restart().await, account, clock };
        assert_eq!(shop.service.store.bulk_jobs(account_of(&shop)).await.unwrap(), before);
        shop.settled().await;
        shop.all_written_once(300);
        assert_eq!(shop.ended().await, BTreeMap::from([(State::Delivered, 300)]));
        assert_eq!(shop.calls(BULK).len(), bulk_calls, "nothing was sent a second time");
        assert!(shop.service.store.bulk_jobs(account_of(&shop)).await.unwrap().is_empty());
    });
}

fn account_of(shop: &Shop) -> freshsignal::delivery::Account {
    use freshsignal::freshsales::Crm as _;
    Connection(Arc::clone(&shop.account)).account().clone()
}

#[test]
fn contacts_of_a_bulk_call_that_is_refused_go_by_themselves() {
    for status in [400, 403, 404] {
        in_bulk(PLENTY, async move |shop| {
            shop.fault(json!({"status": status, "path": BULK}));
            shop.import(0..150).await;
            shop.settled().await;
            shop.all_written_once(150);
            assert_eq!(shop.ended().await, BTreeMap::from([(State::Delivered, 150)]));
            assert_eq!(shop.calls(BULK).len(), 1, "it rests after a refusal");
            assert_eq!(shop.calls(JOBS).len() + shop.calls("owners").len(), 0, "nothing else was blocked");
            assert_eq!(shop.singles().len(), 150);
        });
    }
}

#[test]
fn contacts_of_a_bulk_call_without_a_known_end_go_by_themselves() {
    for fault in [
        json!({"status": 502, "apply": true, "path": BULK}),
        json!({"body": {}, "apply": true, "path": BULK}),
        json!({"status": 404, "path": JOBS, "times": 9}),
        json!({"body": {"status": "SUCCESS", "data": "?"}, "path": JOBS, "times": 9}),
        json!({"body": {"status": "QUEUED"}, "path": JOBS, "times": 200}),
    ] {
        in_bulk(PLENTY, async move |shop| {
            shop.fault(fault.clone());
            shop.import(0..150).await;
            shop.settled().await;
            assert_eq!(shop.ended().await, BTreeMap::from([(State::Delivered, 150)]), "{fault}");
            assert_eq!(shop.account.sandbox.contacts().len(), 150);
            assert_eq!(shop.singles().len(), 150, "each is sent once more by itself: {fault}");
        });
    }
}

#[test]
fn a_backlog_that_has_begun_drains_in_bulk_to_its_last_few() {
    in_bulk(PLENTY, async |shop| {
        shop.import(0..1).await;
        shop.called("/contacts/upsert", 1).await;
        // Its answer makes place for two calls at one time.
        shop.import(1..175).await;
        shop.settled().await;
        shop.all_written_once(175);
        let carried = |call: &RecordedRequest| call.json()["contacts"].as_array().unwrap().len();
        assert_eq!(shop.calls(BULK).iter().map(carried).collect::<Vec<_>>(), [100, 74]);
        assert_eq!(shop.singles().len(), 1);
    });
}

#[test]
fn a_job_that_never_reports_is_asked_for_ever_more_rarely_and_given_up() {
    in_bulk(PLENTY, async |shop| {
        shop.fault(json!({"body": {"status": "QUEUED"}, "path": JOBS, "times": 200}));
        shop.import(0..100).await;
        shop.called(BULK, 1).await;
        let taken = shop.calls(BULK)[0].at;
        shop.settled().await;
        let asked: Vec<u64> = shop.calls(JOBS).iter().map(|call| call.at.since(taken).as_secs()).collect();
        let gaps: Vec<u64> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(asked.len(), 20);
        assert_eq!((asked[0], &gaps[..5]), (5, [10, 20, 41, 60, 60].as_slice()), "{asked:?}");
    });
}

#[test]
fn a_405_lets_the_backlog_wait_and_nothing_else() {
    in_bulk(PLENTY, async |shop| {
        shop.fault(json!({"status": 405, "path": BULK}));
        shop.import(0..300).await;
        shop.called(BULK, 1).await;
        let refused = shop.clock.monotonic();
        let lead = json!({"type": "track", "event": "Lead Generated", "userId": "new", "messageId": "lead",
            "context": {"traits": {"email": address(901), "last_name": "New"}}});
        shop.send(vec![lead]).await;
        shop.called("/contacts/upsert", 1).await;
        assert!(
            shop.clock.monotonic().saturating_sub(refused) <= Duration::from_secs(1),
            "a lead does not wait"
        );
        shop.called(BULK, 2).await;
        assert!(shop.clock.monotonic().saturating_sub(refused) >= Duration::from_secs(59));
        shop.settled().await;
        shop.all_written_once(301);
        let attempts = shop.delivery(&address(299)).await;
        assert_eq!((attempts.failures, attempts.state), (0, State::Delivered));
        assert!(shop.singles().len() <= 60, "it goes on in bulk: {}", shop.singles().len());
    });
}

#[test]
fn a_429_holds_the_account_and_the_backlog_goes_on_in_bulk() {
    in_bulk(PLENTY, async |shop| {
        shop.fault(json!({"status": 429, "retry_after": 90, "path": BULK}));
        shop.fault(json!({"status": 429, "retry_after": 90, "path": JOBS}));
        shop.import(0..300).await;
        shop.settled().await;
        shop.all_written_once(300);
        let calls = shop.account.sandbox.requests();
        let held: Vec<_> = calls.iter().filter(|call| call.status == Some(429)).collect();
        assert_eq!(held.len(), 2);
        for throttle in held {
            // Calls that were on their way then had left before.
            let after = |call: &&RecordedRequest| call.at > throttle.at.plus(Duration::from_secs(1));
            let next = calls.iter().find(after).unwrap();
            assert!(
                next.at.since(throttle.at) >= Duration::from_secs(90),
                "{} {}",
                next.path,
                next.at.to_rfc3339()
            );
        }
        assert!(shop.singles().len() <= 60, "{}", shop.singles().len());
    });
}

#[test]
fn a_change_during_a_bulk_call_opens_the_next_delivery() {
    in_bulk(PLENTY, async |shop| {
        shop.import(0..200).await;
        shop.called(BULK, 1).await;
        let carried = shop.calls(BULK)[0].json()["contacts"][50]["emails"].as_str().unwrap().to_owned();
        let person = carried.trim_start_matches("person-").split('@').next().unwrap().to_owned();
        let change = json!({"type": "identify", "userId": format!("u{person}"), "messageId": "change", "traits": {"city": "Oslo"}});
        shop.send(vec![change]).await;
        shop.settled().await;
        assert_eq!(shop.account.sandbox.contact(&carried).unwrap()["city"], "Oslo");
        assert_eq!(shop.ended().await, BTreeMap::from([(State::Delivered, 201)]));
        let changes = shop.singles().iter().filter(|call| call.json().to_string().contains("Oslo")).count();
        assert_eq!(changes, 1);
    });
}

#[test]
fn a_job_that_a_withdrawal_waits_for_is_asked_for_every_15_seconds() {
    in_bulk(PLENTY, async |shop| {
        shop.fault(json!({"body": {"status": "QUEUED"}, "path": JOBS, "times": 7}));
        shop.import(0..90).await;
        shop.called(JOBS, 4).await;
        let carried = shop.calls(BULK)[0].json()["contacts"][50]["emails"].as_str().unwrap().to_owned();
        let person = carried.trim_start_matches("person-").split('@').next().unwrap().to_owned();
        let withdrawal = json!({"type": "identify", "userId": format!("u{person}"), "messageId": "no",
            "context": {"consent": {"categoryPreferences": {"marketing": false}}}});
        shop.send(vec![withdrawal]).await;
        shop.settled().await;
        let taken = shop.calls(BULK)[0].at;
        let asked: Vec<u64> = shop.calls(JOBS).iter().map(|call| call.at.since(taken).as_secs()).collect();
        let gaps: Vec<u64> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps[..3] == [10, 20, 40] || gaps[..3] == [10, 20, 41], "{asked:?}");
        assert!(gaps[3..].iter().all(|gap| (14..=16).contains(gap)), "{asked:?}");
        let last = shop.singles().pop().unwrap();
        assert_eq!(last.json()["contact"]["subscription_status"], "unsubscribed");
        assert!(last.at > shop.calls(JOBS).last().unwrap().at, "the job can't write over it any more");
    });
}

#[test]
fn bulk_is_off_by_default() {
    assert_eq!(BulkConfig::default().mode, BulkMode::Off);
}
