//! The stage against a store on disk and receivers on this machine.

use std::sync::Mutex as StdMutex;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::clock::{ManualClock, SystemClock, UnixMicros};
use crate::decision::test_settings;
use crate::delivery::Account;
use crate::event::Email;
use crate::output::{Report, Topic};
use crate::store::sqlite::SqliteStore;
use crate::store::{
    Limited, Outgoing, OutputQuery, OutputTotals, Plan, Put, PutOutput, StateStore, StoreSettings, Trail,
};
use crate::webhook::{signature, signing_key};

const START: UnixMicros = UnixMicros(1_900_000_000_000_000);
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

type Heard = (String, HeaderMap, String);
/// What is answered to a body.
type Answers = Box<dyn Fn(&str) -> (StatusCode, HeaderMap) + Send>;

/// A receiver: what it was told, and what it answers.
#[derive(Clone)]
struct Ear {
    heard: Arc<StdMutex<Vec<Heard>>>,
    /// What it answers to each request, decided by its body.
    answers: Arc<StdMutex<Answers>>,
    address: std::net::SocketAddr,
}

async fn hears(State(ear): State<Ear>, uri: Uri, headers: HeaderMap, body: Bytes) -> (StatusCode, HeaderMap) {
    let body = String::from_utf8(body.to_vec()).unwrap();
    let answer = ear.answers.lock().unwrap()(&body);
    ear.heard.lock().unwrap().push((uri.to_string(), headers, body));
    answer
}

impl Ear {
    async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answers: Answers = Box::new(|_| (StatusCode::OK, HeaderMap::new()));
        let ear = Self { heard: Arc::default(), answers: Arc::new(StdMutex::new(answers)), address };
        let router = Router::new().fallback(hears).with_state(ear.clone());
        let stop = CancellationToken::new();
        tokio::spawn(crate::http::serve(listener, router, crate::http::ServeLimits::default(), stop));
        ear
    }

    fn answers(&self, answer: impl Fn(&str) -> (u16, Option<&'static str>) + Send + 'static) {
        *self.answers.lock().unwrap() = Box::new(move |body| {
            let (status, retry_after) = answer(body);
            let headers = retry_after.map(|wait| (axum::http::header::RETRY_AFTER, wait.parse().unwrap()));
            (StatusCode::from_u16(status).unwrap(), headers.into_iter().collect())
        });
    }

    fn answer(&self, status: u16) {
        self.answers(move |_| (status, None));
    }

    fn config(&self) -> OutputConfig {
        OutputConfig {
            url: SecretString::from(format!("http://{}/hooks/very-secret", self.address)),
            secret: SecretString::from(SECRET),
            events: vec!["deal.won".to_owned(), "contact.unsubscribed".to_owned()],
            allow_private: true,
            ..OutputConfig::default()
        }
    }

    /// The ids of what it was told, in order.
    fn ids(&self) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        heard.iter().map(|(_, headers, _)| headers["webhook-id"].to_str().unwrap().to_owned()).collect()
    }

    fn count(&self) -> usize {
        self.heard.lock().unwrap().len()
    }
}

/// The running stage.
struct Lab {
    folder: tempfile::TempDir,
    store: Arc<SqliteStore>,
    clock: ManualClock,
    whom: watch::Sender<Arc<Whom>>,
    running: Option<(CancellationToken, JoinHandle<Result<(), StoreError>>)>,
}

fn open(folder: &std::path::Path, clock: &ManualClock) -> Arc<SqliteStore> {
    let settings = StoreSettings { free_bytes_min: 0, ..StoreSettings::default() };
    SqliteStore::open(folder, settings, Arc::new(clock.clone())).unwrap()
}

impl Lab {
    fn new(outputs: impl IntoIterator<Item = (&'static str, OutputConfig)>) -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(START));
        let outputs = outputs.into_iter().map(|(name, config)| (name.to_owned(), config)).collect();
        let whom = watch::Sender::new(Arc::new(Whom { outputs, page: None }));
        let mut lab = Self { store: open(folder.path(), &clock), folder, clock, whom, running: None };
        lab.run();
        lab
    }

    fn run(&mut self) {
        let settings = Settings { account: Account("acme.myfreshworks.com".into()), ..test_settings() };
        let outputs = Outputs {
            store: Arc::clone(&self.store) as SharedStore,
            settings: watch::Sender::new(Arc::new(settings)).subscribe(),
            clock: Arc::new(self.clock.clone()),
            whom: self.whom.subscribe(),
            stalls: Stalls::default(),
        };
        let stop = CancellationToken::new();
        self.running = Some((stop.clone(), tokio::spawn(outputs.run(stop))));
    }

    async fn stop(&mut self) {
        let (stop, running) = self.running.take().unwrap();
        stop.cancel();
        running.await.unwrap().unwrap();
    }

    /// The process is gone in the middle of whatever it does; the next one begins.
    fn kill(&mut self) {
        self.running.take().unwrap().1.abort();
        self.store.shut();
        self.store = open(self.folder.path(), &self.clock);
        self.run();
    }

    /// Something happened to a deal of somebody, the nth time.
    async fn happens(&self, order: &str, nth: usize) {
        self.told("ann@example.com", Topic::DealWon, order, nth).await;
    }

    async fn told(&self, person: &str, topic: Topic, order: &str, nth: usize) {
        let Value::Object(data) = json!({"deal": {"key": order, "nth": nth}, "contact": {"email": person}})
        else {
            unreachable!()
        };
        let report = Report {
            topic,
            subject: format!("deal:default/order/{order}").parse().unwrap(),
            person: Some(Email::parse(person).unwrap()),
            cause: format!("{order}-{nth}"),
            at: self.clock.wall(),
            data,
        };
        let whom = self.whom.borrow().clone();
        let outputs = report.outputs(&receivers(&whom.outputs));
        self.put(outputs.into_iter().map(|output| PutOutput::Made(Box::new(output)))).await;
    }

    async fn put(&self, puts: impl IntoIterator<Item = PutOutput>) {
        let puts = puts.into_iter().map(Put::Output).collect();
        self.store.apply(Plan { puts, ..Plan::default() }).await.unwrap();
    }

    async fn totals(&self, receiver: &str) -> OutputTotals {
        let totals = self.store.totals(Account("acme.myfreshworks.com".into())).await.unwrap();
        totals.outputs.get(receiver).cloned().unwrap_or_default()
    }

    /// Ends when the totals of a receiver satisfy a condition; no time passes meanwhile.
    async fn until(&self, receiver: &str, what: &str, fits: impl Fn(&OutputTotals) -> bool) -> OutputTotals {
        let real = SystemClock::default();
        loop {
            let totals = self.totals(receiver).await;
            if fits(&totals) {
                return totals;
            }
            assert!(real.monotonic() < Duration::from_mins(1), "{what}: {totals:?}");
            tokio::task::yield_now().await;
        }
    }

    /// Ends when a receiver has taken all that it is to be told. A little time passes meanwhile: the stage may have been about
    /// to wait when it was let pass before.
    async fn taken(&self, receiver: &str, count: u64) {
        let step = Duration::from_millis(100);
        let fits = |totals: &OutputTotals| totals.taken == count && totals.waiting == 0;
        self.pass_until(receiver, step, fits).await;
    }

    /// Lets time pass in steps until the totals of a receiver satisfy a condition.
    async fn pass_until(&self, receiver: &str, step: Duration, fits: impl Fn(&OutputTotals) -> bool) {
        for _ in 0..10_000 {
            if fits(&self.totals(receiver).await) {
                return;
            }
            self.pass(step, step).await;
        }
        panic!("it never came to that: {:?}", self.totals(receiver).await);
    }

    /// Lets time pass in steps, until the stage is quiet after each.
    async fn pass(&self, time: Duration, step: Duration) {
        let mut left = time;
        while !left.is_zero() {
            self.clock.advance(step);
            left = left.saturating_sub(step);
            // Whatever became due is tried by then, or waits for its time. The threads of the store live in real time.
            let real = SystemClock::default();
            for turn in 0.. {
                tokio::task::yield_now().await;
                if turn >= 50 && self.store.under_way() == 0 {
                    break;
                }
                assert!(real.monotonic() < Duration::from_mins(1), "the store is never quiet");
            }
        }
    }
}

#[tokio::test]
async fn a_message_is_signed_by_every_secret_and_its_id_is_the_same_for_each_try() {
    let ear = Ear::listen().await;
    let both = OutputConfig { secrets: vec![SecretString::from(OTHER_SECRET)], ..ear.config() };
    let mut lab = Lab::new([("shop", both)]);
    ear.answer(500);
    lab.happens("A-1", 1).await;
    lab.until("shop", "it fails", |totals| totals.gate.failures == 1).await;
    ear.answer(204);
    lab.pass(Duration::from_secs(6), Duration::from_secs(1)).await;
    lab.taken("shop", 1).await;
    let heard = ear.heard.lock().unwrap().clone();
    let [(path, first, body), (_, second, same)] = heard.as_slice() else { panic!("{heard:?}") };
    assert_eq!((path.as_str(), body), ("/hooks/very-secret", same));
    assert_eq!(first["webhook-id"], second["webhook-id"]);
    assert_ne!(first["webhook-timestamp"], second["webhook-timestamp"]);
    for headers in [first, second] {
        let text = |name: &str| headers[name].to_str().unwrap().to_owned();
        let signed = [SECRET, OTHER_SECRET].map(|secret| {
            signature(&signing_key(secret).unwrap(), &text("webhook-id"), &text("webhook-timestamp"), body)
        });
        assert_eq!(text("webhook-signature"), signed.join(" "));
        assert_eq!(text("content-type"), "application/json");
    }
    lab.stop().await;
}

#[tokio::test]
async fn a_receiver_that_is_down_for_a_day_gets_each_message_once_and_of_each_deal_in_order() {
    let ear = Ear::listen().await;
    let mut lab = Lab::new([("shop", ear.config())]);
    ear.answer(503);
    let orders = ["A", "B", "C", "D", "E", "F", "G", "H", "I", "J"];
    for nth in 0..5 {
        for order in orders {
            lab.happens(order, nth).await;
        }
        lab.pass(Duration::from_hours(5), Duration::from_mins(1)).await;
    }
    lab.until("shop", "all of it waits", |totals| totals.waiting == 50 && totals.dead == 0).await;
    let asked = ear.count();
    assert!(asked < 600, "one message asks every five minutes: {asked}");
    ear.heard.lock().unwrap().clear();
    ear.answer(200);
    // The next look at whether it is there comes within five minutes; from then on all of it goes.
    lab.pass(Duration::from_mins(6), Duration::from_secs(10)).await;
    lab.taken("shop", 50).await;
    let heard = ear.heard.lock().unwrap().clone();
    let bodies: Vec<Value> = heard.iter().map(|(_, _, body)| serde_json::from_str(body).unwrap()).collect();
    assert_eq!(bodies.len(), 50, "each once");
    for order in orders {
        let of: Vec<u64> = bodies
            .iter()
            .filter(|body| body["data"]["deal"]["key"] == order)
            .map(|body| body["data"]["deal"]["nth"].as_u64().unwrap())
            .collect();
        assert_eq!(of, [0, 1, 2, 3, 4], "{order}");
    }
    lab.stop().await;
}

#[tokio::test]
async fn killed_in_the_middle_no_message_is_lost_and_none_has_two_ids() {
    let ear = Ear::listen().await;
    let mut lab = Lab::new([("shop", ear.config())]);
    for kill in 0..10 {
        for nth in 0..10 {
            lab.happens(&format!("{kill}-{nth}"), 0).await;
        }
        while ear.count() < (kill * 10) + kill + 1 {
            tokio::task::yield_now().await;
        }
        lab.kill();
    }
    lab.until("shop", "all of it is taken", |totals| totals.waiting == 0).await;
    let ids = ear.ids();
    let different: std::collections::BTreeSet<&String> = ids.iter().collect();
    assert_eq!(different.len(), 100);
    assert!(ids.len() <= 100 + 10 * crate::output::PLACES, "{} messages for 100", ids.len());
    lab.stop().await;
}

#[tokio::test]
async fn a_receiver_that_hangs_or_is_gone_holds_up_no_other() {
    let (ear, gone, nobody) = (Ear::listen().await, Ear::listen().await, Ear::listen().await);
    gone.answer(410);
    // A listener that never answers: connections wait in its queue.
    let hanging = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = SecretString::from(format!("http://{}/", hanging.local_addr().unwrap()));
    let hangs = OutputConfig { url, ..nobody.config() };
    let mut lab = Lab::new([("gone", gone.config()), ("hangs", hangs), ("shop", ear.config())]);
    for nth in 0..20 {
        lab.happens(&format!("A-{nth}"), 0).await;
    }
    lab.taken("shop", 20).await;
    let totals = lab.until("gone", "it is off", |totals| totals.gate.off.is_some()).await;
    assert_eq!((totals.waiting, totals.taken), (20, 0), "it is kept");
    assert!(gone.count() <= crate::output::PLACES);
    let before = gone.count();
    lab.pass(Duration::from_hours(30), Duration::from_hours(1)).await;
    assert_eq!(gone.count(), before, "nobody calls it any more");
    gone.answer(200);
    let versioned = lab.store.gate("gone".to_owned()).await.unwrap();
    let mut gate = versioned.document;
    gate.resume();
    lab.put([PutOutput::Gate("gone".to_owned(), versioned.revision, gate)]).await;
    lab.taken("gone", 20).await;
    lab.stop().await;
}

#[tokio::test]
async fn a_message_that_is_never_taken_is_given_up_after_three_days_and_lets_the_next_of_its_deal_go() {
    let ear = Ear::listen().await;
    ear.answers(|body| if body.contains(r#""nth":0"#) { (400, None) } else { (200, None) });
    let mut lab = Lab::new([("shop", ear.config())]);
    lab.happens("A", 0).await;
    lab.happens("A", 1).await;
    lab.happens("B", 1).await;
    lab.until("shop", "the other deal goes", |totals| totals.taken == 1).await;
    let step = Duration::from_mins(2);
    lab.pass_until("shop", step, |totals| (totals.taken, totals.dead, totals.waiting) == (2, 1, 0)).await;
    assert_eq!(ear.count(), 12, "ten tries of one, and one of each other");
    let query =
        OutputQuery { limit: Limited::to(9), before: None, receiver: None, state: None, person: None };
    let dead = lab.store.outputs(query).await.unwrap().remove(0).1;
    assert_eq!((dead.attempts, dead.error.as_deref()), (10, Some("the receiver answered 400")));
    ear.answer(200);
    let of = crate::store::OutputsOf { receiver: "shop".to_owned(), id: Some(dead.message.id) };
    lab.put([PutOutput::Redriven(of, lab.clock.wall())]).await;
    lab.taken("shop", 3).await;
    lab.stop().await;
}

#[tokio::test]
async fn beyond_what_may_wait_the_oldest_is_put_aside_and_counted() {
    let ear = Ear::listen().await;
    ear.answer(410);
    let lab = Lab::new([("shop", ear.config())]);
    let max = usize::try_from(crate::output::WAITING_MAX).unwrap();
    let whom = lab.whom.borrow().clone();
    let made = |nth: usize| {
        let report = Report {
            topic: Topic::DealWon,
            subject: format!("deal:default/order/{nth}").parse().unwrap(),
            person: None,
            cause: nth.to_string(),
            at: START,
            data: serde_json::Map::new(),
        };
        let outputs = report.outputs(&receivers(&whom.outputs));
        outputs.into_iter().map(|output| PutOutput::Made(Box::new(output)))
    };
    lab.put((0..max + 3).flat_map(made)).await;
    let totals = lab.totals("shop").await;
    let counted = (totals.waiting, totals.dead, totals.crowded_out, totals.lost);
    assert_eq!(counted, (crate::output::WAITING_MAX, 3, 3, 0));
}

#[tokio::test]
async fn who_is_erased_or_whose_gate_shuts_is_told_of_no_more() {
    let ear = Ear::listen().await;
    ear.answer(410);
    let lab = Lab::new([("shop", ear.config())]);
    lab.happens("off", 0).await;
    lab.until("shop", "it is off", |totals| totals.gate.off.is_some()).await;
    lab.told("bob@example.com", Topic::DealWon, "B", 0).await;
    lab.told("bob@example.com", Topic::ContactUnsubscribed, "B", 1).await;
    lab.told("eve@example.com", Topic::ContactUnsubscribed, "E", 1).await;
    let email = |text: &str| Email::parse(text).unwrap();
    lab.put([PutOutput::Withheld(email("bob@example.com"))]).await;
    assert_eq!(lab.totals("shop").await.waiting, 3, "the refusal is still told");
    lab.put([PutOutput::Erased(email("eve@example.com")), PutOutput::Erased(email("bob@example.com"))]).await;
    assert_eq!(lab.totals("shop").await.waiting, 1);
}

#[tokio::test]
async fn a_receiver_that_is_configured_otherwise_is_told_there_and_one_that_is_gone_keeps_what_waits() {
    let (old, new) = (Ear::listen().await, Ear::listen().await);
    let mut lab = Lab::new([("shop", old.config())]);
    lab.happens("A", 0).await;
    lab.taken("shop", 1).await;
    let outputs = [("shop".to_owned(), new.config())].into();
    lab.whom.send_replace(Arc::new(Whom { outputs, page: None }));
    lab.happens("B", 0).await;
    lab.taken("shop", 2).await;
    assert_eq!((old.count(), new.count()), (1, 1));
    lab.stop().await;
}

#[tokio::test]
async fn chats_are_told_in_words() {
    let ear = Ear::listen().await;
    let none = SecretString::from("");
    let slack = OutputConfig { format: Format::Slack, secret: none.clone(), ..ear.config() };
    let teams = OutputConfig { format: Format::Teams, secret: none, ..ear.config() };
    let mut lab = Lab::new([("slack", slack), ("teams", teams)]);
    lab.happens("A<b>", 0).await;
    lab.taken("slack", 1).await;
    lab.taken("teams", 1).await;
    let heard = ear.heard.lock().unwrap().clone();
    let bodies: Vec<Value> = heard.iter().map(|(_, _, body)| serde_json::from_str(body).unwrap()).collect();
    let slack = bodies.iter().find(|body| body["text"].is_string()).unwrap();
    assert_eq!(
        slack["text"],
        "\u{1f389} *Deal won*\nA&lt;b&gt; (ann@example.com)\n_freshsignal for acme.myfreshworks.com_"
    );
    let teams = bodies.iter().find(|body| body["type"] == "message").unwrap();
    assert_eq!(teams["attachments"][0]["content"]["body"][1]["text"], "A<b> (ann@example.com)");
    assert!(heard.iter().all(|(_, headers, _)| !headers.contains_key("webhook-signature")));
    lab.stop().await;
}

#[test]
fn what_is_wrong_with_an_output_is_named_and_no_secret_is_repeated() {
    let config = |change: fn(&mut OutputConfig)| {
        let mut output = OutputConfig {
            url: SecretString::from("https://hooks.example.com/very-secret"),
            secret: SecretString::from(SECRET),
            events: vec!["deal.won".to_owned()],
            ..OutputConfig::default()
        };
        change(&mut output);
        let found = problems(&Config::from([("shop".to_owned(), output)]));
        let text: String = found.iter().map(ToString::to_string).collect();
        assert!(!text.contains("very-secret") && !text.contains("MfKQ9"), "{text}");
        found.into_iter().map(|problem| problem.key).collect::<Vec<_>>()
    };
    assert_eq!(config(|_| {}), Vec::<String>::new());
    assert_eq!(config(|it| it.url = SecretString::from("http://10.0.0.1/very-secret")), ["outputs.shop.url"]);
    assert_eq!(config(|it| it.url = SecretString::from("")), ["outputs.shop.url"]);
    assert_eq!(
        config(|it| it.secret = SecretString::from("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")),
        ["outputs.shop.secret"]
    );
    assert_eq!(config(|it| it.secret = SecretString::from("")), ["outputs.shop.secret"]);
    assert_eq!(config(|it| it.format = Format::Slack), ["outputs.shop.secret"]);
    assert_eq!(config(|it| it.events.push("deal.bought".to_owned())), ["outputs.shop.events"]);
    assert_eq!(config(|it| it.events.clear()), ["outputs.shop.events"]);
}
