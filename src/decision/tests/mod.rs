//! Tests of the decision room.

mod beyond;
mod calls;
mod consent;
mod counted;
mod deal_histories;
mod deal_orders;
mod deals;
mod deals_kept;
mod dry_run;
mod erase;
mod heard;
mod heard_deals;
mod heard_doubted;
mod leads;
mod leads_lost;
mod listings;
mod lost_and_gone;
mod missing;
mod names;
mod nobody;
mod orders;
mod outcomes;
mod presets;
mod refusals;
mod rename;
mod retire;
mod senders;
mod tags;
mod told;
mod trust;
mod values;

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::*;
use crate::consent::{Categories, Category, Places};
use crate::contact::SendMode;
use crate::delivery::Account;
use crate::event::{Event, Kind, Position, SourceName, Stamp, Trust};
use crate::mapping::Preset;
use crate::mapping::{IdentifyMode, MissingNames};
use crate::senders::OnEmailChange;

const HOUR: i64 = 3_600_000_000;
/// Where the time of the tests begins.
const START: i64 = 1_900_000_000_000_000;

/// Settings as the defaults have them, for an account `acme`.
pub fn settings() -> Settings {
    Settings {
        account: Account("acme".into()),
        leads: false,
        preset: Preset::parse(None).unwrap(),
        default_region: None,
        identify: IdentifyMode::Update,
        missing_names: MissingNames::Refuse,
        on_email_change: OnEmailChange::New,
        complete_within: Duration::from_hours(24),
        consent: ConsentRules {
            categories: Categories::default(),
            required: Vec::new(),
            marketing: Category::from("marketing"),
            propagate_withdrawal: true,
            subscribed: json!("subscribed"),
            unsubscribed: json!("unsubscribed"),
            paths: Places::default(),
            unknown: None,
            keep: None,
        },
        send: SendMode::Changed,
        hold: Duration::ZERO,
        resend_after: None,
        per_hour: std::collections::BTreeMap::new(),
        source_defaults: std::collections::BTreeMap::new(),
        senders: crate::senders::Rules::default(),
        rehearsal: Rehearsal::default(),
        happenings: crate::happening::Config::default(),
        marker_key: crate::delivery::MarkerKey::default(),
        receivers: std::collections::BTreeMap::new(),
        conversions: false,
        attempt_timeout: Duration::from_secs(20),
        selectors: std::sync::Arc::default(),
        retry: RetryRules {
            first: Duration::from_secs(1),
            max: Duration::from_mins(5),
            give_up_after: Duration::from_hours(72),
        },
    }
}

/// A service without edges: a working set that holds everything.
struct Service {
    world: World,
    settings: Settings,
    next: u64,
    now: UnixMicros,
    /// How far the door of the next event lets it be believed.
    trust: Trust,
}

impl Service {
    fn new(settings: Settings) -> Self {
        Self { world: World::default(), settings, next: 1, now: UnixMicros(START), trust: Trust::Server }
    }

    /// Sends an event that happens now, with a message id of its own.
    fn send(&mut self, event: Value) -> Decided {
        self.now = UnixMicros(self.now.0 + 1_000_000);
        let id = format!("m{}", self.next);
        self.send_at(self.now.0, &id, event)
    }

    fn send_at(&mut self, at: i64, message_id: &str, event: Value) -> Decided {
        let Value::Object(body) = event else { panic!("an event is an object") };
        let mut event = read(body, self.next, at, message_id);
        event.stamp.trust = self.trust;
        self.next += 1;
        let reading = Reading::of(&event, &self.settings);
        decide(&reading, &mut self.world, &self.settings, self.now)
    }

    /// Sends an event as a visitor of the site does.
    fn visit(&mut self, event: Value) -> Decided {
        self.trust = Trust::Visitor;
        let decided = self.send(event);
        self.trust = Trust::Server;
        decided
    }

    /// Lets Freshsales accept what an event opened or joined; answers the contact as it was sent.
    fn deliver(&mut self, decided: &Decided) -> Option<Value> {
        let id = decided.delivery_id.as_ref()?;
        let body = simulate(id, &mut self.world, &self.settings, self.now)?;
        Some(body["contact"].clone())
    }
}

fn read(body: Map<String, Value>, position: u64, at: i64, message_id: &str) -> Event {
    Event {
        position: Position(position),
        source: SourceName("website".into()),
        people: crate::person::DEFAULT_PEOPLE.into(),
        received_at: UnixMicros(at),
        stamp: Stamp { at: UnixMicros(at), message_id: message_id.into(), ..Stamp::default() },
        kind: Kind::of_record(body["type"].as_str().unwrap()).unwrap(),
        backfill: false,
        body,
    }
}

fn marketing(granted: bool) -> Value {
    json!({"consent": {"categoryPreferences": {"marketing": granted}}})
}
