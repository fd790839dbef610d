//! Status, health and metrics.

use super::*;
use crate::allowance::{LaneLoad, Pressure, SlotId};
use crate::decision::Outcome;
use crate::delivery::{BlockCause, Lane, State, Subject};
use crate::destination::{Destination, Obstacle, ObstacleKind, Throttle};
use crate::senders::{Ask, Client};
use crate::store::{Due, OwedInLane, Slot, Totals};
use crate::turn::{Flow, FlowAlarm, Rates};

/// So many that may share a call.
fn owed(count: u64, oldest: Option<UnixMicros>) -> OwedInLane {
    OwedInLane { count, oldest, load: LaneLoad { shared: count, ..LaneLoad::default() } }
}

fn totals() -> Totals {
    Totals {
        accepted: 110,
        processed: 100,
        outcomes: [(Outcome::Queued, 30), (Outcome::Absorbed, 70)].into(),
        queued: 30,
        ended: [(State::Delivered, 20), (State::Dead, 3)].into(),
        open: [(State::Waiting, 6), (State::Retrying, 1)].into(),
        owed: [
            (Lane::Conversion, owed(5, Some(seconds_earlier(90)))),
            (Lane::Refresh, owed(2, Some(seconds_earlier(30)))),
        ]
        .into(),
        dead_letters: 3,
        slots: slots(90, 10),
        ..Totals::default()
    }
}

fn with(totals: Totals) -> Lab {
    Lab::new().holding(|held| held.totals = totals)
}

#[tokio::test]
async fn the_status_is_one_snapshot_with_every_lane() {
    assert_eq!(
        with(totals()).json("/api/status").await,
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "account": "acme.myfreshworks.com",
            "mode": "live",
            "node": null,
            "standings": [{"state": "running", "word": "Running", "tone": "good", "message": "Calls are made as the allowance permits", "until": null}],
            "destination": {"state": "running", "reason": null, "until": null, "shut": []},
            "owed": {
                "withdrawal": 0, "new_contact": 0, "conversion": 5, "login": 0, "refresh": 2, "backfill": 0,
            },
            "oldest_owed_seconds": 90,
            "drain_seconds": 1,
            "allowance": {"hour": {"limit": 900, "used": 100}, "minute": {"limit": 90, "used": 10}},
            "journal_lag_events": 10,
            "accepted": 110,
            "outcomes": {
                "failed": 0,
                "duplicate": 0, "erased": 0, "not_mapped": 0, "switched_off": 0, "excluded": 0, "person_updated": 0,
                "invalid_email": 0,
                "hashed_email": 0, "no_email": 0, "consent_denied": 0, "queued": 30, "absorbed": 70,
                "heard": 0, "echo": 0, "frozen": 0, "merged": 0, "unknown_record": 0,
                "unchanged": 0,
            },
            "queued": 30,
            "open": {"waiting": 6, "in_flight": 0, "retrying": 1},
            "other_accounts": {},
            "ended": {"delivered": 20, "superseded": 0, "dead": 3, "discarded": 0, "erased": 0},
            "rejected": 0,
            "held_deals": {},
            "happenings": {},
            "held_happenings": {},
            "dead_letters": 3,
            "failed_events": {"kept": 0, "lost": 0},
            "set_aside": 0,
            "opened_last_hour": 0,
            "new_contacts": {},
            "withdrawals": {},
            "risks": [],
            "trail_since": {"conversions": null, "refreshes": null, "anonymous": null},
            "review": null,
            "redrive": null,
        })
    );
}

/// Calls that were answered half an hour ago, and calls on their way.
fn slots(answered: u64, open: u64) -> Vec<Slot> {
    let slot = |id| {
        let answered_at = (id >= open).then(|| seconds_earlier(1800));
        Slot { id: SlotId(id), taken_at: seconds_earlier(1801), answered_at }
    };
    (0..answered + open).map(slot).collect()
}

#[tokio::test]
async fn draining_takes_what_the_slower_window_takes_and_the_share_of_the_lane() {
    let drain = async |contacts: u64, used: u64, (per_hour, per_minute), destination| {
        let owed = [(Lane::Refresh, owed(contacts, Some(START)))].into();
        let mut lab = with(Totals { owed, destination, slots: slots(used, 0), ..Totals::default() });
        lab.usage = Usage { hour: window(per_hour, 0), minute: window(per_minute, 0) };
        lab.json("/api/status").await["drain_seconds"].clone()
    };
    let running = Destination::default;
    let throttled = || {
        let throttle = Throttle { until: seconds_later(60), repeats: 1, reason: String::new() };
        Destination { throttle: Some(throttle), ..Destination::default() }
    };
    let blocked = || {
        let kind = ObstacleKind::Blocked { cause: BlockCause::Forbidden, account_answers: false };
        Destination { obstacle: Some(Obstacle::new(kind, "403", START)), ..Destination::default() }
    };
    let paused = Destination { paused_since: Some(START), ..Destination::default() };
    assert_eq!(drain(0, 0, (900, 90), running()).await, 0);
    assert_eq!(drain(0, 0, (900, 90), blocked()).await, 0);
    assert_eq!(drain(540, 0, (900, 900), running()).await, 1);
    assert_eq!(drain(108, 0, (900, 90), running()).await, 60);
    assert_eq!(drain(1080, 0, (900, 900), running()).await, 3600);
    assert_eq!(drain(540, 540, (900, 900), running()).await, 1800);
    assert_eq!(drain(1, 0, (0, 90), running()).await, Value::Null);
    assert_eq!(drain(1, 540, (900, 90), throttled()).await, 1800);
    assert_eq!(drain(1, 0, (900, 90), throttled()).await, 60);
    assert_eq!(drain(1, 0, (900, 90), blocked()).await, Value::Null);
    assert_eq!(drain(1, 0, (900, 90), paused).await, Value::Null);
}

#[tokio::test]
async fn a_backlog_that_shares_calls_and_contacts_within_a_quota_drain_as_they_may_leave() {
    let mut lab = with(Totals { owed: [(Lane::Backfill, owed(800, Some(START)))].into(), ..totals() });
    lab.usage = Usage { hour: window(900, 0), minute: window(360, 0) };
    assert_eq!(lab.json("/api/status").await["drain_seconds"], 120);
    lab.sharing = Some(Sharing {
        contacts_min: 200,
        until_fewer_than: 10,
        asked_after: Duration::from_secs(5),
        jobs_max: 8,
        jobs_open: 0,
    });
    assert_eq!(lab.json("/api/status").await["drain_seconds"], 5);
    let metrics = lab.get("/metrics").await;
    assert_eq!(metrics.status, 200);
}

#[tokio::test]
async fn what_could_be_lost_is_said_in_words() {
    let mut lab = with(Totals { dead_letters: 80, ..totals() });
    lab.pressure = Pressure { opened_last_hour: 1200, outruns_allowance: true };
    let lab = lab.holding(|held| {
        held.refusing = Some("the journal is full".into());
        held.away = Some("state.db".into());
    });
    lab.consent.add(&SourceName("shop".into()), 11, START);
    lab.consent.add(&SourceName("app".into()), 10, START);
    assert_eq!(
        lab.json("/api/status").await["risks"],
        json!([
            {"risk": "dead_letters", "message": "80 of at most 100 dead letters are kept; beyond that the oldest are \
                discarded (retention.dead_letters_max)"},
            {"risk": "arrivals", "message": "1200 contacts became due in the last hour, more than the allowance \
                lets us send in one: the backlog is growing, nothing is lost"},
            {"risk": "refusing", "message": "events are refused, so senders that do not try again lose them: the \
                journal is full"},
            {"risk": "journal_away", "message": "state.db was renamed, removed or replaced while the service runs: put \
                it back within a minute, or the service ends; what is accepted and not delivered yet is in the file \
                that was taken away"},
            {"risk": "consent_not_understood", "message": "events of the last hour spoke of consent in a way that \
                is not understood: 11 of source shop; neither a yes nor a no is taken from them. Their notes name the \
                place: name its codes in consent.categories, or the place in consent.paths"},
        ])
    );
}

#[tokio::test]
async fn what_does_not_go_on_is_a_risk_that_names_the_cause_and_an_alarm() {
    let mut lab = with(Totals { failed: 2, failed_lost: 1, set_aside: 3, ..totals() });
    let alarm = Some(FlowAlarm::Stands);
    lab.flow = Flow { alarm, lag_events: 10, cause: Some("there is no room".into()), ..Flow::default() };
    let risks = lab.json("/api/status").await["risks"].clone();
    let said = |risk: &str| {
        let all = risks.as_array().unwrap();
        let found =
            all.iter().find(|one| one["risk"] == risk).unwrap_or_else(|| panic!("no {risk} in {risks}"));
        found["message"].as_str().unwrap().to_owned()
    };
    assert!(said("processing").contains("10 events wait and none takes effect. Cause: there is no room."));
    assert!(said("failed_events").starts_with("2 events could not be processed"));
    assert!(said("set_aside").starts_with("3 contacts are not called"));
    let deep = lab.get("/healthz?deep=1").await;
    assert_eq!(deep.status, 503);
    assert_eq!(
        deep.json(),
        json!({"status": "alarm", "risks": ["processing", "failed_events", "set_aside"]})
    );
    assert_eq!(lab.get("/readyz").await.status, 200, "events are accepted all the same");
    assert_eq!(lab.get("/healthz").await.status, 200, "and the process lives");
    let calm = with(Totals { dead_letters: 80, ..totals() });
    assert_eq!(calm.json("/healthz?deep=1").await, json!({"status": "ok"}), "it waits, and is no alarm");
}

#[tokio::test]
async fn a_lag_that_grows_is_a_risk_that_says_how_fast_events_come_and_take_effect() {
    let mut lab = with(totals());
    let rates = Rates { accepted: 9_000, processed: 4_000 };
    lab.flow = Flow { alarm: Some(FlowAlarm::Lags), lag_events: 300_000, cause: None, rates };
    assert_eq!(
        lab.json("/api/status").await["risks"],
        json!([{"risk": "lag", "message": "events are accepted faster (9000 a second) than they take effect (4000 a \
            second): 300000 wait, and the lag has grown for over a minute. Nothing is lost; give the service more CPU \
            or a faster disk, or send less"}])
    );
}

#[tokio::test]
async fn a_lead_that_is_due_and_does_not_leave_is_a_risk_while_freshsales_answers() {
    let waits = |destination: Destination, since: UnixMicros| {
        let owed = [(Lane::NewContact, owed(1, Some(since)))].into();
        with(Totals { owed, destination, ..Totals::default() }).holding(|held| {
            held.due = vec![Due {
                id: DeliveryId("d-1".into()),
                subject: Subject::Contact(Email::parse("jane@example.com").unwrap()),
                lane: Lane::NewContact,
                opened_at: since,
                bound: None,
            }];
        })
    };
    let risks = async |lab: Lab| lab.json("/api/status").await["risks"].clone();
    let late = risks(waits(Destination::default(), seconds_earlier(360))).await;
    assert_eq!(late[0]["risk"], "leads_wait");
    let message = late[0]["message"].as_str().unwrap();
    assert!(message.starts_with("a new contact or an order is due and has waited 6 minutes"), "{message}");
    assert!(!message.contains("jane"), "{message}");
    assert_eq!(risks(waits(Destination::default(), seconds_earlier(59))).await, json!([]));
    let paused = Destination { paused_since: Some(START), ..Destination::default() };
    let late = risks(waits(paused, seconds_earlier(61))).await;
    let message = late[0]["message"].as_str().unwrap();
    assert!(
        message.contains("waited a minute for its call, calls are paused by hand; resume them"),
        "{message}"
    );
}

/// How it stands by the words of the status, the worst first, each with the minutes until it goes on.
async fn standings(lab: &Lab) -> Vec<(String, Option<u64>)> {
    let status = lab.json("/api/status").await;
    let minutes = |until: &Value| {
        let until = UnixMicros::parse(until.as_str()?)?;
        Some(until.since(START).as_secs().div_ceil(60))
    };
    let standings = status["standings"].as_array().unwrap();
    standings.iter().map(|it| (it["state"].as_str().unwrap().to_owned(), minutes(&it["until"]))).collect()
}

fn slots_of(minutes_ago: &[u64]) -> Vec<Slot> {
    let slot = |(nth, minutes): (usize, &u64)| {
        let at = seconds_earlier(minutes * 60);
        Slot { id: SlotId(nth as u64), taken_at: at, answered_at: Some(at) }
    };
    minutes_ago.iter().enumerate().map(slot).collect()
}

#[tokio::test]
async fn nothing_is_called_running_while_no_call_may_leave() {
    let with = |totals: Totals, (hour, minute): (u32, u32)| {
        let mut lab = with(totals);
        lab.usage = Usage { hour: window(hour, 0), minute: window(minute, 0) };
        lab
    };
    let one = |state: &str, minutes| vec![(state.to_owned(), minutes)];
    let calm = with(Totals::default(), (10, 10));
    assert_eq!(standings(&calm).await, one("running", None));
    // Three calls an hour, made 50, 20 and 10 minutes ago: the first is free again in 10.
    let slots = slots_of(&[50, 20, 10]);
    let used = with(Totals { slots: slots.clone(), ..Totals::default() }, (3, 10));
    assert_eq!(standings(&used).await, one("allowance_used_up", Some(10)));
    let restored = Destination { restored_at: Some(seconds_earlier(3_000)), ..Destination::default() };
    let restored = Totals { slots: slots_of(&[50, 50, 50]), destination: restored, ..Totals::default() };
    let status = with(restored, (3, 10)).json("/api/status").await;
    let message = status["standings"][0]["message"].as_str().unwrap();
    assert!(message.starts_with("A backup was restored, ") && !message.contains("are made"), "{message}");
    // Of five calls refreshes may use 60 %, which are three.
    let waiting = [(Lane::Refresh, owed(7, Some(START)))].into();
    let shut = with(Totals { slots: slots.clone(), owed: waiting, ..Totals::default() }, (5, 10));
    assert_eq!(standings(&shut).await, one("lane_shut", Some(10)));
    let nobody = with(Totals { slots, ..Totals::default() }, (5, 10));
    assert_eq!(standings(&nobody).await, one("running", None));
    let minute = with(Totals { slots: slots_of(&[0, 0]), ..Totals::default() }, (10, 2));
    assert_eq!(standings(&minute).await, one("minute_used_up", Some(1)));

    let paused = Destination { paused_since: Some(START), ..Destination::default() };
    let mut worse = with(Totals { destination: paused, ..Totals::default() }, (10, 10)).holding(|held| {
        held.refusing = Some("the disk is full".into());
    });
    worse.flow = Flow { alarm: Some(FlowAlarm::Stands), lag_events: 3, ..Flow::default() };
    let all = ["refusing_events", "processing_stands", "paused"].map(|state| (state.to_owned(), None));
    assert_eq!(standings(&worse).await, all);
    let mut behind = with(Totals { accepted: 5_000, ..Totals::default() }, (10, 10));
    behind.flow = Flow { rates: Rates { accepted: 100, processed: 100 }, ..Flow::default() };
    let behind = standings(&behind).await;
    assert_eq!(behind, [("processing_behind".to_owned(), Some(1)), ("running".to_owned(), None)]);
}

#[tokio::test]
async fn a_source_that_sends_more_than_it_may_is_a_risk_for_five_minutes() {
    let lab = Lab::new();
    let take = |client, at| {
        let ask = Ask { events: 3, per_minute_max: 12, client: Some(Client(client)) };
        lab.rates.take(&SourceName("shop".into()), ask, at)
    };
    assert!(take(1, seconds_earlier(299)).is_ok() && take(1, seconds_earlier(299)).is_err());
    let risks = lab.json("/api/status").await["risks"].clone();
    assert_eq!(risks[0]["risk"], "too_many_events");
    let message = risks[0]["message"].as_str().unwrap();
    assert!(
        message.contains("3 of source shop, most of them of single addresses over their share"),
        "{message}"
    );
    assert!(take(2, seconds_earlier(299)).is_ok(), "others have room");
}

#[tokio::test]
async fn ready_says_why_not() {
    let lab = Lab::new();
    assert_eq!(lab.json("/healthz").await, json!({"status": "ok"}));
    assert_eq!(lab.json("/readyz").await, json!({"status": "ok"}));
    let full = Lab::new().holding(|held| held.refusing = Some("the journal is full".into()));
    let reply = full.get("/readyz").await;
    assert_eq!(reply.status, 503);
    assert_eq!(reply.json(), json!({"status": "unavailable", "reasons": ["the journal is full"]}));
    assert_eq!(full.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_scrape_shows_what_the_store_knows() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _in_use = ::metrics::set_default_local_recorder(&recorder);
    let router = with(totals()).debugger(recorder.handle()).router();
    let response = router.oneshot(request("GET", "/metrics").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    for line in [
        r#"freshsignal_events_total{outcome="queued"} 30"#,
        r#"freshsignal_events_total{outcome="no_email"} 0"#,
        "freshsignal_events_absorbed_total 70",
        r#"freshsignal_contacts_owed{lane="conversion"} 5"#,
        r#"freshsignal_contacts_owed{lane="withdrawal"} 0"#,
        "freshsignal_oldest_owed_seconds 90",
        "freshsignal_drain_seconds 1",
        r#"freshsignal_allowance_remaining{window="hour"} 800"#,
        r#"freshsignal_allowance_remaining{window="minute"} 80"#,
        "freshsignal_destination_up 1",
        "freshsignal_journal_lag_events 10",
        "freshsignal_dead_letters 3",
        "freshsignal_destination_paused 0",
        r#"freshsignal_risk{risk="dead_letters"} 0"#,
        r#"freshsignal_risk{risk="processing"} 0"#,
        "freshsignal_failed_events 0",
        "freshsignal_contacts_set_aside 0",
        "# TYPE freshsignal_events_total counter",
        "# TYPE freshsignal_contacts_owed gauge",
        "# HELP freshsignal_dead_letters Contacts, companies and deals that Freshsales refused, kept",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}
