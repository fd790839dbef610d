//! Tests of what is loaded for a batch: a few persons of a crowd decide what all of them want.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::clock::{ManualClock, UnixMicros};
use crate::consent::Category;
use crate::decision::{Considered, Decided, Reading, consider, decide, test_settings};
use crate::event::{Email, Event, Kind, Position, SourceName, Stamp, Trust};
use crate::mapping::Preset;
use crate::store::sqlite::SqliteStore;
use crate::store::{For, Keys, load_contacts};
use crate::turn::world_for;

const START: i64 = 1_900_000_000_000_000;
const HOUR: i64 = 3_600_000_000;

/// Decides by what a store gives it, and beside it by all there is.
struct Both {
    store: SharedStore,
    all: World,
    settings: Settings,
    next: u64,
    _folder: tempfile::TempDir,
}

impl Both {
    fn new(settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(UnixMicros(START)));
        let open =
            crate::store::StoreSettings { free_bytes_min: 0, ..crate::store::StoreSettings::default() };
        let store = SqliteStore::open(folder.path(), open, clock).unwrap();
        Self { store, all: World::default(), settings, next: 1, _folder: folder }
    }

    /// Decides on events, each with the hour at which it happened, as one batch.
    async fn batch(&mut self, events: &[(i64, Value)]) -> Vec<Decided> {
        let now = UnixMicros(START + 1000 * HOUR);
        let readings: Vec<Reading> = events.iter().map(|(hour, event)| self.read(*hour, event)).collect();
        let mut world = world_for(&self.store, &readings, &self.settings, &BTreeSet::new()).await.unwrap();
        let mut decided = Vec::new();
        for reading in &readings {
            let by_store = decide(reading, &mut world, &self.settings, now);
            let by_all = decide(reading, &mut self.all, &self.settings, now);
            // What could not be converted is told of those who were loaded.
            assert_eq!(
                (&by_store.outcome, &by_store.reason, &by_store.delivery_id),
                (&by_all.outcome, &by_all.reason, &by_all.delivery_id)
            );
            decided.push(by_store);
        }
        world.contribute(&self.settings);
        self.store.apply(Plan::of(world, &self.settings.account)).await.unwrap();
        decided
    }

    fn read(&mut self, hour: i64, event: &Value) -> Reading {
        let body: Map<String, Value> = event.as_object().unwrap().clone();
        let nth = self.next;
        self.next += 1;
        let at = UnixMicros(START + hour * HOUR);
        let trust =
            if body.get("visitor") == Some(&Value::Bool(true)) { Trust::Visitor } else { Trust::Server };
        let event = Event {
            position: Position(nth),
            source: SourceName("website".into()),
            people: crate::person::DEFAULT_PEOPLE.into(),
            received_at: at,
            stamp: Stamp { at, message_id: format!("m{nth}"), trust },
            kind: Kind::parse(body["type"].as_str().unwrap()).unwrap(),
            backfill: false,
            body,
        };
        Reading::of(&event, &self.settings)
    }

    /// What is wanted of a contact by those whom the store names; it must be what all want. How many were loaded, too.
    async fn wanted(&self, address: &str) -> (Considered, usize) {
        let email = Email::parse(address).unwrap();
        let mut world = World::default();
        let emails = BTreeSet::from([email.clone()]);
        load_contacts(&*self.store, &emails, &self.settings, For::Deciding, &mut world).await.unwrap();
        let (few, all) =
            (consider(&email, &world, &self.settings), consider(&email, &self.all, &self.settings));
        assert_eq!(few.wish, all.wish, "{address}");
        assert_eq!(
            (few.lane_if_new, &few.consent, &few.fields),
            (all.lane_if_new, &all.consent, &all.fields),
            "{address}"
        );
        (few, world.people.iter().count())
    }
}

/// Settings under which everything counts that may count.
fn settings(phones: &str) -> Settings {
    let mut settings = test_settings();
    let mapping = format!(
        r#"
        [fields.mobile_number]
        from = ["{phones}", "properties.phone"]
        [fields.medium]
        from = ["traits.medium"]
        pick = "first"
        when = "empty"
        [fields.keyword]
        from = ["traits.medium"]
        when = "create"
        [fields.lead_source_id]
        const = 7
        "#
    );
    settings.preset = Preset::parse(Some(&mapping)).unwrap();
    settings.consent.required = vec![Category::from("marketing")];
    let assumes = crate::decision::SourceDefaults {
        region: None,
        identify: None,
        unknown: Some(crate::decision::Unknown::Status(json!("2"))),
    };
    settings.source_defaults.insert(SourceName("website".into()), assumes);
    settings
}

fn act() -> impl Strategy<Value = (i64, Value)> {
    let who = (0_u8..24, prop::option::weighted(0.3, 0_u8..6), 0_u8..8, 0_u8..6, 0_i64..200);
    (who, (0_u8..6, 0_u8..8, prop::bool::weighted(0.05), 0_u8..6, any::<bool>())).prop_map(
        |((user, device, email, form, hour), (kind, value, control, choice, visitor))| {
            let names = ["identify", "track", "track", "page", "identify", "alias"];
            let emails = ["office@example.com", "shop@example.com"];
            let pick = |which: u8| emails.get(usize::from(which)).copied();
            // Some phones can't be converted, so that somebody else's counts.
            let phone = ["+14155550142", "+14155550143", "no phone", "12", "+14155550144"].get(usize::from(value));
            let mut context = json!({"gpc": control});
            // Shown by a tool, or said by a server.
            let granted = choice % 2 == 0;
            match choice {
                0 | 1 => context["consent"] = json!({"categoryPreferences": {"marketing": granted}}),
                2 | 3 => context["consent"] = json!({"marketing": granted}),
                _ => {}
            }
            let event = json!({
                "type": names[usize::from(kind)], "event": if kind == 1 { "Lead Generated" } else { "Logged In" },
                "userId": format!("u{user}"), "anonymousId": device.map(|device| format!("a{device}")),
                "previousId": format!("a{}", value % 6), "context": context, "visitor": visitor,
                "traits": {"email": pick(email), "phone": phone, "medium": if value > 4 { Some(value) } else { None },
                    "company": if value < 3 { Some(format!("C{user}-{value}")) } else { None }},
                "properties": {"email": pick(form), "phone": phone},
            });
            (hour, event)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_few_persons_of_a_crowd_want_what_all_of_it_wants(
        acts in prop::collection::vec(act(), 40..160), sizes in prop::collection::vec(1_usize..12, 4..20), change in 0_usize..16,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut both = Both::new(settings("traits.phone"));
            let (mut rest, mut sizes) = (&acts[..], sizes.iter().cycle().enumerate());
            while !rest.is_empty() {
                let (nth, size) = sizes.next().unwrap();
                if nth == change {
                    // Everything is judged by other settings from here on.
                    both.settings = settings("traits.medium");
                }
                let (batch, later) = rest.split_at((*size).min(rest.len()));
                both.batch(batch).await;
                for address in ["office@example.com", "shop@example.com"] {
                    both.wanted(address).await;
                }
                rest = later;
            }
        });
    }
}

fn says(user: usize, traits: &Value, marketing: Option<bool>) -> Value {
    let mut event = json!({"type": "identify", "userId": format!("u{user}"), "traits": traits});
    event["traits"]["email"] = json!("office@example.com");
    if let Some(granted) = marketing {
        event["context"] = json!({"consent": {"marketing": granted}});
    }
    event
}

#[tokio::test]
async fn what_each_of_a_thousand_users_of_an_address_says_counts_and_few_of_them_are_loaded() {
    let mut both = Both::new(settings("traits.phone"));
    let mut hour = 0;
    for first in (0..1000).step_by(250) {
        let joins = (first..first + 250).map(|user| says(user, &json!({}), Some(true)));
        let joins: Vec<_> = joins.map(|event| (hour, event)).collect();
        both.batch(&joins).await;
        hour += 1;
    }
    for user in (0..1000).step_by(37).chain([100, 101, 999]) {
        hour += 1;
        let company = json!({"company": format!("Company of {user}")});
        both.batch(&[(hour, says(user, &company, None))]).await;
        let (wanted, _) = both.wanted("office@example.com").await;
        assert_eq!(wanted.wish.attributes["company_name"], company["company"]);
        hour += 1;
        both.batch(&[(hour, says(user, &json!({}), Some(false)))]).await;
        let (wanted, loaded) = both.wanted("office@example.com").await;
        assert!(wanted.wish.withdrawn && wanted.wish.gate_shut.is_some(), "{user}");
        assert!(loaded <= 12, "{loaded} of a thousand");
        hour += 1;
        both.batch(&[(hour, says((user + 500) % 1000, &json!({}), Some(true)))]).await;
        assert!(!both.wanted("office@example.com").await.0.wish.withdrawn);
    }
}

#[tokio::test]
async fn whoever_leaves_an_address_leaves_it_to_who_spoke_before_them() {
    let mut both = Both::new(settings("traits.phone"));
    for user in 0..20 {
        let company = json!({"company": format!("Company of {user}")});
        both.batch(&[(i64::try_from(user).unwrap(), says(user, &company, Some(true)))]).await;
    }
    for user in (1..20).rev() {
        let moved = json!({"type": "identify", "userId": format!("u{user}"), "traits": {"email": format!("u{user}@example.com")}});
        both.batch(&[(100, moved)]).await;
        let (wanted, _) = both.wanted("office@example.com").await;
        assert_eq!(wanted.wish.attributes["company_name"], format!("Company of {}", user - 1));
    }
}

#[tokio::test]
async fn a_crowd_costs_an_ordinary_contact_nothing() {
    let mut both = Both::new(settings("traits.phone"));
    for user in 0..8 {
        both.batch(&[(0, says(user, &json!({}), Some(true)))]).await;
    }
    let email = Email::parse("office@example.com").unwrap();
    let contact = async |both: &Both| {
        let keys = Keys { contacts: BTreeSet::from([email.clone()]), ..Keys::default() };
        both.store.load(keys).await.unwrap().contacts.remove(&email).unwrap().document
    };
    let eight = contact(&both).await;
    assert_eq!((eight.members.len(), eight.crowd), (8, None));
    assert_eq!(both.store.members(email.clone(), None, 100).await.unwrap(), []);
    both.batch(&[(1, says(8, &json!({}), Some(true)))]).await;
    let nine = contact(&both).await;
    assert!(nine.members.is_empty() && nine.crowd.is_some());
    assert_eq!(both.store.members(email, None, 100).await.unwrap().len(), 9);
}
