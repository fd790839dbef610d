//! The stage against a store on disk and a receiver on this machine.

use std::sync::Mutex;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use secrecy::SecretString;
use serde_json::Value;
use tokio::net::TcpListener;

use super::*;
use crate::allowance::{LaneLoad, Pressure, Quotas, Usage, Window};
use crate::cause::{Alert, Cause};
use crate::clock::{ManualClock, UnixMicros};
use crate::consent::SharedTally;
use crate::decision::test_settings;
use crate::delivery::{Account, BlockCause, Bound, Lane};
use crate::destination::{Destination, Obstacle, ObstacleKind};
use crate::event::SourceName;
use crate::health::{Snapshot, StoreReading};
use crate::senders::{Rates, Watch};
use crate::store::sqlite::SqliteStore;
use crate::store::{Outbox, OwedInLane, Plan, Put, StateStore, StoreSettings, Totals, Trail};
use crate::turn::{Flow, FlowAlarm, Stalls};
use crate::webhook::Failed;

const START: UnixMicros = UnixMicros(1_900_000_000_000_000);

/// What somebody was asked, and what they answer.
#[derive(Clone)]
struct Ear {
    heard: Arc<Mutex<Vec<(String, HeaderMap, String)>>>,
    answers: Arc<Mutex<(StatusCode, HeaderMap)>>,
    address: std::net::SocketAddr,
}

async fn hears(State(ear): State<Ear>, uri: Uri, headers: HeaderMap, body: Bytes) -> (StatusCode, HeaderMap) {
    let body = String::from_utf8(body.to_vec()).unwrap();
    ear.heard.lock().unwrap().push((uri.to_string(), headers, body));
    ear.answers.lock().unwrap().clone()
}

impl Ear {
    async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answers = Arc::new(Mutex::new((StatusCode::OK, HeaderMap::new())));
        let ear = Self { heard: Arc::default(), answers, address };
        let router = Router::new().fallback(hears).with_state(ear.clone());
        let stop = CancellationToken::new();
        tokio::spawn(crate::http::serve(listener, router, crate::http::ServeLimits::default(), stop));
        ear
    }

    fn url(&self, path: &str) -> SecretString {
        SecretString::from(format!("http://{}{path}", self.address))
    }

    fn answer(&self, status: StatusCode, headers: &[(&'static str, &str)]) {
        let headers = headers.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap()));
        *self.answers.lock().unwrap() = (status, headers.collect());
    }

    /// The first lines of the texts that came since it was asked last.
    fn headlines(&self) -> Vec<String> {
        let heard = std::mem::take(&mut *self.heard.lock().unwrap());
        let line = |(_, _, body): (String, HeaderMap, String)| {
            let body: Value = serde_json::from_str(&body).unwrap();
            body["text"].as_str().unwrap().lines().next().unwrap().to_owned()
        };
        heard.into_iter().map(line).collect()
    }
}

/// A stage that is driven round by round.
struct Lab {
    folder: tempfile::TempDir,
    store: Option<Arc<SqliteStore>>,
    clock: ManualClock,
    flow: watch::Sender<Flow>,
    stalls: Stalls,
    senders: Arc<Watch>,
    settings: watch::Sender<Arc<Settings>>,
    config: watch::Sender<Config>,
    board: watch::Sender<Board>,
}

fn account() -> Account {
    Account("acme.myfreshworks.com".into())
}

fn open(folder: &std::path::Path, clock: &ManualClock) -> Arc<SqliteStore> {
    let settings = StoreSettings { free_bytes_min: 0, ..StoreSettings::default() };
    SqliteStore::open(folder, settings, Arc::new(clock.clone())).unwrap()
}

impl Lab {
    fn new(config: Config) -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(START));
        let settings = Settings { account: account(), ..test_settings() };
        Self {
            store: Some(open(folder.path(), &clock)),
            folder,
            clock,
            flow: watch::Sender::new(Flow::default()),
            stalls: Stalls::default(),
            senders: Arc::default(),
            settings: watch::Sender::new(Arc::new(settings)),
            config: watch::Sender::new(config),
            board: watch::Sender::new(Board::default()),
        }
    }

    fn told_to(ear: &Ear) -> Self {
        Self::new(Config { url: ear.url("/services/very-secret"), allow_private: true, ..Config::default() })
    }

    fn store(&self) -> Arc<SqliteStore> {
        Arc::clone(self.store.as_ref().unwrap())
    }

    fn teller(&self) -> Teller {
        let window = Window { limit: 900, used: 0 };
        let vitals = Vitals {
            usage: watch::Sender::new(Usage { hour: window, minute: window }).subscribe(),
            sharing: watch::Sender::new(None).subscribe(),
            shares: [(Lane::Refresh, 60)].into(),
            dead_letters_max: 100,
            pressure: watch::Sender::new(Pressure::default()).subscribe(),
            flow: self.flow.subscribe(),
            stalls: self.stalls.clone(),
            senders: Arc::clone(&self.senders),
            rates: Arc::<Rates>::default(),
            consent: SharedTally::default(),
            settings: self.settings.subscribe(),
        };
        Teller {
            store: self.store(),
            settings: self.settings.subscribe(),
            vitals,
            clock: Arc::new(self.clock.clone()),
            config: self.config.subscribe(),
            board: self.board.clone(),
        }
    }

    /// Rounds over so many minutes, four in each.
    async fn minutes(&self, rounds: &mut Rounds<'_>, minutes: u32) {
        for _ in 0..minutes * 4 {
            self.round(rounds).await;
            self.clock.advance(LOOK_EVERY);
        }
    }

    async fn round(&self, rounds: &mut Rounds<'_>) {
        let config = self.config.borrow().clone();
        assert!(rounds.configure(&config));
        rounds.round().await.unwrap();
    }

    async fn destination(&self, destination: Destination) {
        let known = self.store().destinations().await.unwrap();
        let revision = known.get(&account()).map_or(0, |known| known.revision);
        let puts = vec![Put::Destination(account(), revision, destination)];
        self.store().apply(Plan { puts, ..Plan::default() }).await.unwrap();
    }

    async fn block(&self) {
        let kind = ObstacleKind::Blocked { cause: BlockCause::Unauthorized, account_answers: false };
        let obstacle = Obstacle::new(kind, "401 jane@example.com", self.clock.wall());
        self.destination(Destination { obstacle: Some(obstacle), ..Destination::default() }).await;
    }

    async fn unblock(&self) {
        self.destination(Destination::default()).await;
    }

    fn restart(&mut self) {
        self.store.take().unwrap().shut();
        self.store = Some(open(self.folder.path(), &self.clock));
    }
}

const BLOCKED: &str = "\u{1f534} *Freshsales refuses every call*";
const OVER: &str = "\u{1f7e2} *Over: Freshsales refuses every call*";

#[tokio::test]
async fn a_revoked_key_is_told_once_and_so_is_its_end() {
    let ear = Ear::listen().await;
    let lab = Lab::told_to(&ear);
    let teller = lab.teller();
    let mut rounds = Rounds::new(&teller);
    lab.round(&mut rounds).await;
    assert_eq!(ear.headlines(), Vec::<String>::new());
    lab.block().await;
    lab.round(&mut rounds).await;
    let (path, _, body) = ear.heard.lock().unwrap()[0].clone();
    assert_eq!(path, "/services/very-secret");
    assert!(body.contains("answers every call with 401: the API key was revoked"), "{body}");
    assert!(!body.contains("jane"), "{body}");
    assert_eq!(ear.headlines(), [BLOCKED]);
    lab.minutes(&mut rounds, 50).await;
    assert_eq!(ear.headlines(), Vec::<String>::new());
    lab.unblock().await;
    lab.minutes(&mut rounds, 5).await;
    assert_eq!(ear.headlines(), [OVER]);
    let board = lab.board.borrow().clone();
    let [alert] = board.alerts.as_slice() else { panic!("{board:?}") };
    let course = alert.course.as_ref().unwrap();
    assert_eq!(
        (alert.cause, course.told.is_some(), course.end_told_at.is_some()),
        (Cause::Blocked, true, true)
    );
}

#[tokio::test]
async fn a_restart_repeats_nothing_and_tells_the_end() {
    let ear = Ear::listen().await;
    let mut lab = Lab::told_to(&ear);
    lab.block().await;
    {
        let teller = lab.teller();
        let mut rounds = Rounds::new(&teller);
        lab.minutes(&mut rounds, 3).await;
    }
    assert_eq!(ear.headlines(), [BLOCKED]);
    lab.restart();
    {
        let teller = lab.teller();
        let mut rounds = Rounds::new(&teller);
        lab.minutes(&mut rounds, 3).await;
        assert_eq!(ear.headlines(), Vec::<String>::new());
    }
    lab.unblock().await;
    lab.restart();
    let teller = lab.teller();
    let mut rounds = Rounds::new(&teller);
    lab.minutes(&mut rounds, 1).await;
    assert_eq!(ear.headlines(), Vec::<String>::new(), "what was not seen yet may still be there");
    lab.minutes(&mut rounds, 3).await;
    assert_eq!(ear.headlines(), [OVER]);
}

#[tokio::test]
async fn a_receiver_that_takes_nothing_is_told_again_less_and_less_often_and_at_last_once() {
    let ear = Ear::listen().await;
    let lab = Lab::told_to(&ear);
    let teller = lab.teller();
    let mut rounds = Rounds::new(&teller);
    lab.block().await;
    ear.answer(StatusCode::INTERNAL_SERVER_ERROR, &[]);
    lab.minutes(&mut rounds, 60).await;
    let tries = ear.headlines().len();
    assert!((7..=11).contains(&tries), "{tries} tries in an hour");
    assert_eq!(lab.board.borrow().receiver_error.as_deref(), Some("the receiver answered 500"));
    ear.answer(StatusCode::OK, &[]);
    lab.minutes(&mut rounds, 30).await;
    assert_eq!(ear.headlines(), [BLOCKED]);
    assert_eq!(lab.board.borrow().receiver_error, None);
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_a_pause_that_is_asked_for_is_kept() {
    let (ear, other) = (Ear::listen().await, Ear::listen().await);
    let lab = Lab::told_to(&ear);
    let teller = lab.teller();
    let mut rounds = Rounds::new(&teller);
    lab.block().await;
    let elsewhere = format!("http://{}/", other.address);
    ear.answer(StatusCode::FOUND, &[("location", &elsewhere)]);
    lab.round(&mut rounds).await;
    assert_eq!((ear.headlines().len(), other.headlines().len()), (1, 0));
    let error = lab.board.borrow().receiver_error.clone().unwrap();
    assert_eq!(error, "the receiver answered 302: a redirect is not followed");
    ear.answer(StatusCode::TOO_MANY_REQUESTS, &[("retry-after", "1800")]);
    lab.minutes(&mut rounds, 25).await;
    assert_eq!(ear.headlines().len(), 1);
}

#[tokio::test]
async fn the_heartbeat_is_asked_each_minute_while_all_is_well_and_never_else() {
    let ear = Ear::listen().await;
    let lab = Lab::new(Config { heartbeat_url: ear.url("/ping"), allow_private: true, ..Config::default() });
    let teller = lab.teller();
    let mut rounds = Rounds::new(&teller);
    let asked = || std::mem::take(&mut *ear.heard.lock().unwrap()).len();
    lab.minutes(&mut rounds, 5).await;
    assert_eq!(asked(), 5);
    lab.block().await;
    lab.minutes(&mut rounds, 5).await;
    assert_eq!(asked(), 0);
    lab.unblock().await;
    lab.minutes(&mut rounds, 5).await;
    assert_eq!(asked(), 5);
    lab.flow.send_replace(Flow { alarm: Some(FlowAlarm::Stands), ..Flow::default() });
    lab.minutes(&mut rounds, 2).await;
    assert_eq!(asked(), 0);
    lab.flow.send_replace(Flow::default());
    ear.answer(StatusCode::NOT_FOUND, &[]);
    lab.minutes(&mut rounds, 3).await;
    assert_eq!(asked(), 3, "one that fails is asked as before");
    let board = lab.board.borrow().clone();
    assert_eq!(board.heartbeat.unwrap().error.as_deref(), Some("the receiver answered 404"));
    let causes: Vec<Cause> = board.alerts.iter().map(|alert| alert.cause).collect();
    assert_eq!(causes, [Cause::Blocked, Cause::Processing], "its failure is no alarm");
}

#[tokio::test]
async fn a_name_that_stands_for_a_private_address_is_not_called() {
    let config = Config { url: SecretString::from("https://localhost:9/x"), ..Config::default() };
    let receiver = Receiver::new(&config).unwrap().unwrap();
    let failed = receiver.tell(&Message::test(START), START).await.unwrap_err();
    assert_eq!(failed, Failed::NotReached);
}

#[tokio::test]
async fn what_a_receiver_repeats_of_its_address_is_not_shown() {
    let ear = Ear::listen().await;
    let lab = Lab::told_to(&ear);
    let receiver = Receiver::new(&lab.config.borrow()).unwrap().unwrap();
    ear.answer(StatusCode::NOT_FOUND, &[]);
    let failed = receiver.tell(&Message::test(START), START).await.unwrap_err();
    assert_eq!(failed.to_string(), "the receiver answered 404");
    assert!(!format!("{failed:?}").contains("very-secret"), "{failed:?}");
}

#[tokio::test]
async fn programs_are_told_with_a_signature() {
    let ear = Ear::listen().await;
    let lab = Lab::new(Config {
        url: ear.url("/hook"),
        format: Format::Json,
        secret: SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        allow_private: true,
        ..Config::default()
    });
    let teller = lab.teller();
    let mut rounds = Rounds::new(&teller);
    lab.block().await;
    lab.round(&mut rounds).await;
    let (_, headers, body) = ear.heard.lock().unwrap()[0].clone();
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
    assert_eq!((id.as_str(), timestamp.as_str()), ("blocked-began-1900000000000000-0", "1900000000"));
    let key = lab.config.borrow().signing_key().unwrap();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key);
    let signature = header("webhook-signature");
    let tag = base64::Engine::decode(
        &base64::engine::general_purpose::STANDARD,
        signature.strip_prefix("v1,").unwrap(),
    );
    ring::hmac::verify(&key, format!("{id}.{timestamp}.{body}").as_bytes(), &tag.unwrap()).unwrap();
}

#[tokio::test]
async fn rows_of_causes_that_are_not_known_are_left_alone() {
    let lab = Lab::new(Config::default());
    let alert = Alert::none(Cause::Quota);
    let puts = vec![Put::Alert(Box::new(alert.clone()))];
    lab.store().apply(Plan { puts, ..Plan::default() }).await.unwrap();
    assert_eq!(lab.store().alerts().await.unwrap(), [alert]);
}

#[tokio::test]
async fn what_is_told_of_calls_says_what_happened_what_follows_and_what_to_do() {
    let lab = Lab::new(Config::default());
    let teller = lab.teller();
    let found = |totals: Totals, refused_before: Option<u64>| {
        let reading = StoreReading { totals, ..StoreReading::default() };
        let snapshot = Snapshot { reading: &reading, vitals: &teller.vitals, now: START };
        let findings = findings::findings(snapshot, &[], refused_before, false);
        findings.into_iter().map(|finding| (finding.cause, finding.text)).collect::<Vec<_>>()
    };
    let ago = |minutes| START.minus(Duration::from_mins(minutes));
    let obstacle = |kind, minutes| {
        let obstacle = Some(Obstacle::new(kind, "words of jane@example.com", ago(minutes)));
        let destination = Destination { obstacle, ..Destination::default() };
        let owed = OwedInLane { count: 1, oldest: None, load: LaneLoad { shared: 1, ..LaneLoad::default() } };
        Totals { destination, owed: [(Lane::Refresh, owed)].into(), ..Totals::default() }
    };
    let blocked = |cause| ObstacleKind::Blocked { cause, account_answers: false };
    for (kind, cause, begins, advises) in [
        (
            blocked(BlockCause::Unauthorized),
            Cause::Blocked,
            "Freshsales answers every call with 401",
            "reload the service (SIGHUP).",
        ),
        (
            blocked(BlockCause::Forbidden),
            Cause::Blocked,
            "Freshsales answers every call with 403",
            "reload the service (SIGHUP).",
        ),
        (
            blocked(BlockCause::NoSuchAccount),
            Cause::Blocked,
            "Freshsales answers every call with 404",
            "restart the service.",
        ),
        (
            ObstacleKind::AccountRule { refused: Vec::new() },
            Cause::Blocked,
            "Freshsales refuses contact after contact",
            "by themselves.",
        ),
        (
            ObstacleKind::Unreachable,
            Cause::Unreachable,
            "Freshsales has not answered for 5 minutes",
            "of this machine.",
        ),
    ] {
        let told = found(obstacle(kind, 5), None);
        let [(found, text)] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!(*found, cause);
        assert!(text.starts_with(begins) && text.ends_with(advises), "{text}");
        assert!(text.contains("1 call waits") && text.contains("nothing is lost"), "{text}");
        assert!(!text.contains("jane"), "{text}");
    }
    assert_eq!(found(obstacle(ObstacleKind::Unreachable, 4), None), [], "it may only be a moment");
    let refused = found(Totals { dead_letters: 9, ..Totals::default() }, Some(7));
    assert_eq!(refused[0].0, Cause::DeadLetters);
    assert!(refused[0].1.starts_with("Freshsales refused 2 records") && refused[0].1.contains("9 are kept"));
}

#[tokio::test]
async fn a_backlog_of_more_than_a_day_and_a_quota_used_up_are_told_with_their_numbers() {
    let lab = Lab::new(Config::default());
    let teller = lab.teller();
    let shop = Bound::NewContacts(SourceName("shop".into()));
    let owed = |lane, shared, of_shop| {
        let first = [(shop.clone(), of_shop)].into_iter().filter(|(_, count)| *count > 0).collect();
        let load = LaneLoad { shared, first, ..LaneLoad::default() };
        [(lane, OwedInLane { count: shared + of_shop, oldest: None, load })].into()
    };
    let found = |totals: Totals, quotas: Quotas, drains| {
        let reading = StoreReading { totals, quotas, lead_waits_since: None };
        let snapshot = Snapshot { reading: &reading, vitals: &teller.vitals, now: START };
        let findings = findings::findings(snapshot, &[], None, drains);
        findings.into_iter().map(|finding| (finding.cause, finding.text)).collect::<Vec<_>>()
    };
    // The lane may use 540 of the 900 calls an hour.
    let totals = |contacts| Totals { owed: owed(Lane::Refresh, contacts, 0), ..Totals::default() };
    let told = found(totals(540 * 30), Quotas::default(), false);
    assert!(told[0].0 == Cause::Drain && told[0].1.starts_with("16200 calls wait, and"), "{told:?}");
    assert_eq!(found(totals(540 * 22), Quotas::default(), false), []);
    assert_eq!(found(totals(540 * 22), Quotas::default(), true).len(), 1, "it is over at 20 hours");
    let made = [(shop.clone(), START.minus(Duration::from_mins(1)))];
    let quotas = Quotas::of(&[(shop.clone(), 1)].into(), &made, START);
    let waiting = Totals { owed: owed(Lane::NewContact, 0, 1), ..Totals::default() };
    let told = found(waiting, quotas, false);
    let says = "source shop has made 1 in the last hour, and 1 more waits";
    assert!(told[0].0 == Cause::Quota && told[0].1.contains(says), "{told:?}");
}
