//! Calls that meet a defect in the code, under simulated time: each costs its own contact, and no other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use freshsignal::clock::{Clock as _, ManualClock};
use freshsignal::deliver::{BulkConfig, BulkMode};
use freshsignal::delivery::{Account, AttemptRequest, JobId, Request, State};
use freshsignal::freshsales::{BulkResult, CallResult, Crm, CrmAnswer, JobResult};
use freshsignal::store::{DeliveryQuery, Limited, Totals, Trail as _};
use serde_json::{Value, json};

use crate::simulation::harness::account::{Allowed, Connection, SimulatedAccount, Weather};
use crate::simulation::harness::import::signed_up;
use crate::simulation::harness::service::{Ground, Service, check_books};
use crate::simulation::harness::time::SimulatedTime;

const PLENTY: Allowed = Allowed { per_hour: 1_000, per_minute: 400 };

/// A client that meets a defect with one contact, and at the first questions for a job.
struct Clumsy {
    client: Connection,
    bad: &'static str,
    bad_questions: AtomicU32,
}

impl Crm for Clumsy {
    fn account(&self) -> &Account {
        self.client.account()
    }

    fn call(&self, request: Request) -> CrmAnswer<CallResult> {
        let bad = request.body().is_some_and(|body| body.to_string().contains(self.bad));
        let call = self.client.call(request);
        Box::pin(async move {
            assert!(!bad, "a defect of the test");
            call.await
        })
    }

    fn bulk_upsert(&self, body: Value) -> CrmAnswer<BulkResult> {
        self.client.bulk_upsert(body)
    }

    fn job(&self, id: JobId) -> CrmAnswer<JobResult> {
        let bad = self.bad_questions.load(Ordering::Relaxed);
        self.bad_questions.store(bad.saturating_sub(1), Ordering::Relaxed);
        assert!(bad == 0, "a defect of the test");
        self.client.job(id)
    }

    fn describe(&self, request: &Request) -> AttemptRequest {
        let bad = request.body().is_some_and(|body| body.to_string().contains(self.bad));
        assert!(!bad, "a defect of the test");
        self.client.describe(request)
    }
}

/// Runs a test over a client of which so many questions for jobs meet a defect.
fn over<F>(
    bad_questions: u32,
    test: impl FnOnce(Service, ManualClock, rusqlite::Connection) -> F + Send + 'static,
) where
    F: Future<Output = ()> + Send,
{
    let time = SimulatedTime::new();
    let mut ground = Ground::new(PLENTY);
    ground.config.bulk = BulkConfig { mode: BulkMode::Backlog, backlog_contacts_min: 50 };
    let clock = time.clock.clone();
    let account = SimulatedAccount::new(&ground.config, PLENTY, Weather::default(), &clock, 7);
    let config = ground.config.clone();
    let own_time = time.clone();
    time.run(async move {
        let client = Connection(Arc::new(account));
        let bad_questions = AtomicU32::new(bad_questions);
        let crm = Arc::new(Clumsy { client, bad: "person-3@", bad_questions });
        let path = config.store.path.join("state.db");
        let service = Service::start(config, own_time, crm).await;
        let state = rusqlite::Connection::open(path);
        clock.sleep_until(clock.monotonic() + Duration::from_secs(1)).await;
        test(service, clock, state.unwrap()).await;
    });
    drop(ground);
}

async fn send(service: &Service, people: std::ops::Range<usize>, old: bool) {
    let event = |person| {
        let mut event = signed_up(person);
        event["context"]["backfill"] = json!(old);
        event
    };
    let batch: Vec<Value> = people.map(event).collect();
    service.send(json!({ "batch": batch }).to_string()).await;
}

async fn until(service: &Service, clock: &ManualClock, condition: impl Fn(&Totals) -> bool) -> Totals {
    for _ in 0..1_000 {
        let totals = service.totals().await;
        if condition(&totals) {
            return totals;
        }
        service.check_stages();
        clock.sleep_until(clock.monotonic() + Duration::from_secs(5)).await;
    }
    panic!("waited in vain: {:?}", service.totals().await);
}

fn ended(totals: &Totals, state: State) -> u64 {
    totals.ended.get(&state).copied().unwrap_or(0)
}

#[test]
fn a_call_that_meets_a_defect_is_tried_again_and_all_others_go_on() {
    over(0, async |service, clock, _| {
        send(&service, 0..10, false).await;
        until(&service, &clock, |totals| ended(totals, State::Delivered) == 9).await;
        clock.sleep_until(clock.monotonic() + Duration::from_hours(1)).await;
        send(&service, 10..20, false).await;
        let totals = until(&service, &clock, |totals| ended(totals, State::Delivered) == 19).await;
        assert_eq!(totals.open, [(State::Retrying, 1)].into());
        let query = DeliveryQuery {
            limit: Limited::to(1),
            before: None,
            account: None,
            reason: None,
            email: None,
            subject: None,
            state: Some(State::Retrying),
        };
        let retrying = service.store.deliveries(query).await.unwrap().remove(0).delivery;
        assert_eq!(retrying.subject.to_string(), "contact:person-3@shop.example");
        assert!(retrying.attempts_made > 3, "{}", retrying.attempts_made);
        let why = retrying.reason.unwrap();
        assert!(why.starts_with("a defect in the code at "), "{why}");
        check_books(&totals);
    });
}

#[test]
fn a_job_whose_question_meets_a_defect_is_asked_for_again() {
    over(2, async |service, clock, _| {
        send(&service, 10..110, true).await;
        until(&service, &clock, |totals| ended(totals, State::Delivered) == 100).await;
        service.settled().await;
        check_books(&service.totals().await);
    });
}

#[test]
fn a_contact_of_a_bulk_call_that_cannot_be_read_is_set_aside_and_all_others_are_settled() {
    over(0, async |service, clock, state| {
        send(&service, 10..110, true).await;
        let jobs = "SELECT count(*) FROM bulk_jobs";
        while state.query_row(jobs, (), |row| row.get::<_, i64>(0)).unwrap() == 0 {
            clock.sleep_until(clock.monotonic() + Duration::from_millis(50)).await;
        }
        let damage = "UPDATE contacts SET body = '{' WHERE email = (SELECT email FROM deliveries WHERE state = 1 LIMIT 1)";
        assert_eq!(state.execute(damage, ()).unwrap(), 1);
        let totals = until(&service, &clock, |totals| ended(totals, State::Delivered) == 99).await;
        assert_eq!(totals.set_aside, 1);
        // Killed, it claims nobody: what can't be read stays aside, and nothing else is sent twice.
        let service = service.kill_and_restart().await;
        let totals = until(&service, &clock, |totals| totals.set_aside == 1).await;
        assert_eq!(ended(&totals, State::Delivered), 99);
    });
}
