//! One round after the other: look, write down what changed, tell what is owed, ask the heartbeat.

use std::collections::BTreeMap;
use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, gauge};

use super::config::Config;
use super::findings::{Finding, findings};
use super::message::Message;
use super::receiver::{Heartbeat, Receiver};
use super::{LOOK_EVERY, Teller};
use crate::cause::{Alert, Beat, Board, Cause, Note};
use crate::clock::UnixMicros;
use crate::destination::DestinationState;
use crate::health::{Snapshot, StoreReading, risks};
use crate::store::{ErrorClass, Plan, Put, StoreError};
use crate::webhook::{CallerError, Failed};

/// A receiver that takes nothing is told again after this time, doubled each time, up to the second.
const RETRY_FIRST: Duration = LOOK_EVERY;
const RETRY_MAX: Duration = Duration::from_mins(15);
/// How often it is doubled at most.
const DOUBLED_MAX: u32 = 8;
/// How often the heartbeat is asked.
const BEAT_EVERY: Duration = Duration::from_mins(1);

/// Says what the metrics of this room mean.
pub(super) fn describe() {
    describe_gauge!("freshsignal_alert", "1 while somebody is to be told of this cause");
    describe_counter!(
        "freshsignal_alert_messages_total",
        "Messages of alerts, by how their receiver took them"
    );
    describe_counter!("freshsignal_heartbeats_total", "Requests of the heartbeat, by how they went");
}

/// How telling and asking went.
#[derive(Default)]
struct Line {
    /// Tries in a row that had no success.
    failures: u32,
    retry_at: Duration,
    error: Option<String>,
    beat: Beat,
    beat_at: Duration,
}

/// What is remembered from one round to the next.
pub(super) struct Rounds<'a> {
    teller: &'a Teller,
    config: Option<Config>,
    receiver: Option<Receiver>,
    heartbeat: Option<Heartbeat>,
    line: Line,
    /// As they are; none before they were read.
    alerts: Option<BTreeMap<Cause, Alert>>,
    /// As the store has them.
    stored: BTreeMap<Cause, Alert>,
    /// What each cause that is there was found to be last.
    texts: BTreeMap<Cause, String>,
}

impl<'a> Rounds<'a> {
    pub fn new(teller: &'a Teller) -> Self {
        let (line, stored, texts) = (Line::default(), BTreeMap::new(), BTreeMap::new());
        Self { teller, config: None, receiver: None, heartbeat: None, line, alerts: None, stored, texts }
    }

    /// Takes over who is told; answers whether anybody is.
    pub fn configure(&mut self, config: &Config) -> bool {
        let same = self.config.as_ref().is_some_and(|before| before.is_same(config));
        if !same {
            self.receiver = or_say(Receiver::new(config), "alerts.url");
            self.heartbeat = or_say(Heartbeat::new(config), "alerts.heartbeat_url");
            self.line = Line::default();
            self.config = Some(config.clone());
            // Nobody looked meanwhile.
            self.alerts = None;
        }
        let on = self.receiver.is_some() || self.heartbeat.is_some();
        if !on {
            self.teller.board.send_replace(Board::default());
            for cause in Cause::ALL {
                gauge!("freshsignal_alert", "cause" => cause.as_str()).set(0.0);
            }
        }
        on
    }

    /// One round.
    ///
    /// # Errors
    /// The store failed for good.
    pub async fn round(&mut self) -> Result<(), StoreError> {
        let well = passing(self.look().await)?.unwrap_or(false);
        passing(self.write().await)?;
        self.tell().await;
        passing(self.write().await)?;
        self.ask_heartbeat(well).await;
        self.show();
        Ok(())
    }

    /// Looks at everything; answers whether all is well.
    async fn look(&mut self) -> Result<bool, StoreError> {
        let Teller { store, settings, vitals, clock, .. } = self.teller;
        let now = clock.wall();
        if self.alerts.is_none() {
            let rows = store.alerts().await?;
            self.stored = rows.into_iter().map(|alert| (alert.cause, alert)).collect();
            let mut alerts: BTreeMap<Cause, Alert> =
                Cause::ALL.into_iter().map(|cause| (cause, Alert::none(cause))).collect();
            alerts.extend(self.stored.clone());
            for alert in alerts.values_mut() {
                alert.starts(now);
            }
            self.alerts = Some(alerts);
        }
        let settings = settings.borrow().clone();
        let reading = StoreReading::take(store, &settings, now).await?;
        let snapshot = Snapshot { reading: &reading, vitals, now };
        let alerts = self.alerts.get_or_insert_default();
        let refused = reading.totals.dead_letters;
        let refused_before = alerts.get_mut(&Cause::DeadLetters).and_then(|alert| alert.grows(refused, now));
        let drains = alerts.get(&Cause::Drain).is_some_and(Alert::is_open);
        let risks = risks(snapshot, store.as_ref());
        let found = findings(snapshot, &risks, refused_before, drains);
        let well = is_well(snapshot, &found);
        let mut found: BTreeMap<Cause, Finding> =
            found.into_iter().map(|finding| (finding.cause, finding)).collect();
        for (cause, alert) in alerts {
            let found = found.remove(cause);
            alert.look(found.as_ref().map(|finding| finding.measure), now);
            self.texts.extend(found.map(|finding| (*cause, finding.text)));
        }
        Ok(well)
    }

    /// Writes the rows that changed. What can't be written now is written after the next look.
    async fn write(&mut self) -> Result<(), StoreError> {
        let Some(alerts) = &self.alerts else { return Ok(()) };
        let changed = |alert: &&Alert| match self.stored.get(&alert.cause) {
            Some(stored) => !alert.is_same_row(stored),
            None => alert.course.is_some() || alert.level.is_some(),
        };
        let changed: Vec<Alert> = alerts.values().filter(changed).cloned().collect();
        if changed.is_empty() {
            return Ok(());
        }
        let puts = changed.iter().cloned().map(|alert| Put::Alert(Box::new(alert))).collect();
        self.teller.store.apply(Plan { puts, ..Plan::default() }).await?;
        self.stored.extend(changed.into_iter().map(|alert| (alert.cause, alert)));
        Ok(())
    }

    /// Tells what is owed, until the receiver does not take something.
    async fn tell(&mut self) {
        let Teller { clock, settings, .. } = self.teller;
        let (Some(receiver), Some(alerts)) = (&self.receiver, &mut self.alerts) else { return };
        if clock.monotonic() < self.line.retry_at {
            return;
        }
        let page = self.config.as_ref().and_then(Config::debugger);
        let account = settings.borrow().account.0.clone();
        for alert in alerts.values_mut() {
            let now = clock.wall();
            let Some((note, message)) = owed(alert, &self.texts, now) else { continue };
            let message = message.signed_by(&account, page.clone());
            match receiver.tell(&message, now).await {
                Ok(_) => {
                    alert.told(note, clock.wall());
                    self.line.took();
                }
                Err(why) => {
                    let why = self.line.did_not_take(&why, clock.monotonic());
                    alert.not_told(&why);
                    return;
                }
            }
        }
    }

    async fn ask_heartbeat(&mut self, well: bool) {
        let clock = &self.teller.clock;
        self.line.beat.beats = well;
        let Some(heartbeat) = self.heartbeat.as_ref().filter(|_| well) else { return };
        if clock.monotonic() < self.line.beat_at {
            return;
        }
        self.line.beat_at = clock.monotonic() + BEAT_EVERY;
        match heartbeat.beat(clock.wall()).await {
            Ok(_) => {
                counter!("freshsignal_heartbeats_total", "result" => "answered").increment(1);
                self.line.beat.answered_at = Some(clock.wall());
                if self.line.beat.error.take().is_some() {
                    tracing::info!("the heartbeat is answered again");
                }
            }
            Err(why) => {
                counter!("freshsignal_heartbeats_total", "result" => "failed").increment(1);
                let why = why.to_string();
                if self.line.beat.error.is_none() {
                    tracing::warn!(
                        why,
                        "the heartbeat (alerts.heartbeat_url) had no success; it is asked again each minute"
                    );
                }
                self.line.beat.error = Some(why);
            }
        }
    }

    fn show(&self) {
        let alerts = self.alerts.iter().flat_map(BTreeMap::values);
        for alert in alerts.clone() {
            let there = f64::from(u8::from(alert.is_open()));
            gauge!("freshsignal_alert", "cause" => alert.cause.as_str()).set(there);
        }
        self.teller.board.send_replace(Board {
            format: self.receiver.as_ref().map(|receiver| receiver.format().as_str()),
            receiver_error: self.line.error.clone(),
            heartbeat: self.heartbeat.as_ref().map(|_| self.line.beat.clone()),
            alerts: alerts.filter(|alert| alert.course.is_some()).cloned().collect(),
        });
    }
}

impl Line {
    fn took(&mut self) {
        counter!("freshsignal_alert_messages_total", "result" => "taken").increment(1);
        if self.error.take().is_some() {
            tracing::info!("the receiver of alerts takes messages again");
        }
        (self.failures, self.retry_at) = (0, Duration::ZERO);
    }

    /// Waits before the next try; answers why it is.
    fn did_not_take(&mut self, why: &Failed, now: Duration) -> String {
        counter!("freshsignal_alert_messages_total", "result" => "failed").increment(1);
        let doubled = RETRY_FIRST * 2_u32.pow(self.failures.min(DOUBLED_MAX));
        let wait = doubled.min(RETRY_MAX).max(why.retry_after().unwrap_or_default());
        self.failures = self.failures.saturating_add(1);
        self.retry_at = now.saturating_add(wait);
        let why = why.to_string();
        if self.error.is_none() {
            tracing::error!(
                why,
                "an alert could not be told: its receiver (alerts.url) did not take it; it is sent again, at most every 15 minutes"
            );
        }
        self.error = Some(why.clone());
        why
    }
}

/// What a cause owes, and the message that says it.
fn owed(alert: &Alert, texts: &BTreeMap<Cause, String>, now: UnixMicros) -> Option<(Note, Message)> {
    let note = alert.owes(now)?;
    let course = alert.course.as_ref()?;
    let text = texts.get(&alert.cause).map(String::as_str);
    Some((note, Message::of(alert.cause, note, course, text, now)))
}

/// All is well: events are accepted and take effect, and calls are made or none is owed. A pause by hand counts as well only
/// while nothing waits for its end.
fn is_well(snapshot: Snapshot<'_>, found: &[Finding]) -> bool {
    let goes_on = match snapshot.totals().destination.state() {
        DestinationState::Running | DestinationState::Throttled | DestinationState::Unreachable => true,
        DestinationState::Paused => snapshot.owed() == 0,
        DestinationState::Blocked => false,
    };
    goes_on && !found.iter().any(|finding| finding.cause.stops_things())
}

/// The one to call; what is wrong with it was told when the configuration was read.
fn or_say<T>(made: Result<Option<T>, CallerError>, key: &'static str) -> Option<T> {
    made.unwrap_or_else(|error| {
        tracing::error!(key, %error, "nobody can be called at this address");
        None
    })
}

/// A failure of the store that passes costs a round.
fn passing<T>(done: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(error) if error.class() == ErrorClass::Ends => Err(error),
        Err(error) if error.class() == ErrorClass::Document => {
            tracing::error!(%error, "alerts can't be told: a stored document can't be read; looking again in 15 s");
            Ok(None)
        }
        Err(error) => {
            tracing::debug!(%error, "a look for alerts, or a row of one, waits for the next round");
            Ok(None)
        }
    }
}
