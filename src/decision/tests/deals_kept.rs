//! Deals without an event: what silence takes of them, and the review that looks at them after contacts and companies.

use std::sync::Arc;

use super::*;
use crate::deal::{Birth, Deal, HeldBack, STAGE, Standing};
use crate::delivery::{CompanyKey, DealKey, DeliveryId, Subject};
use crate::selectors::{Answered, Kind as List, Selectors, Table};

const ORDERS: &str = r#"
[deals.order]
key = ["properties.order_id"]
name = "{email} order"
forward_only = true
[events."Order Completed".deal]
kind = "order"
stage = "Won"
[company]
name = ["traits.company"]
link = "never"
"#;

fn shop() -> Service {
    let mut selectors = Selectors::default();
    let stage = |id: u64, name: &str, kind: &str| json!({"id": id, "name": name, "position": id, "forecast_type": kind});
    let stages = [stage(11, "New", "Open"), stage(15, "Won", "Closed Won")];
    let pipeline = json!({"id": 5, "name": "Sales", "is_default": true, "deal_stages": stages});
    let table = Table::read(List::DealPipelines, &json!({"deal_pipelines": [pipeline]})).unwrap();
    selectors.learn(List::DealPipelines, UnixMicros(START), Answered::Known(table));
    let preset = Preset::parse(Some(ORDERS)).unwrap_or_else(|problems| panic!("{problems:?}"));
    Service::new(Settings { preset, selectors: Arc::new(selectors), ..settings() })
}

fn key() -> DealKey {
    DealKey::of("default", "order", "A-1").unwrap()
}

/// A deal that Freshsales has in a stage.
fn stands_in(service: &mut Service, stage: &str) -> &'static str {
    let mut standing = Standing { birth: Birth::Told { id: 7 }, ..Standing::default() };
    standing.accepted.insert(STAGE.to_owned(), stage.into());
    standing.accepted.insert("name".to_owned(), "sam@b.co order".into());
    let mut deal = Deal { email: Some(crate::event::Email::parse("sam@b.co").unwrap()), ..Deal::default() };
    deal.standing.insert(service.settings.account.clone(), standing);
    service.world.deals.load(key(), 1, deal);
    "sam@b.co"
}

/// Lets go what was silent; three days later what came again could not be let in any more.
fn retire(service: &mut Service) -> Option<Deal> {
    let dedup = 72 * HOUR;
    let finished_before = UnixMicros(service.now.0 - dedup);
    retire_deal(&key(), finished_before, &mut service.world, &service.settings, service.now);
    service.now = UnixMicros(service.now.0 + dedup + 1);
    service.world.deals.get(&key()).cloned()
}

#[test]
fn a_finished_deal_keeps_its_birth_until_none_of_its_events_can_come_again() {
    let mut service = shop();
    let somebody = stands_in(&mut service, "Won");
    let left = retire(&mut service).unwrap();
    assert_eq!(left.standing[&service.settings.account].birth, Birth::Told { id: 7 });
    assert!(!serde_json::to_string(&left).unwrap().contains(somebody));
    assert_eq!(retire(&mut service), None);
}

#[test]
fn a_deal_that_is_not_finished_is_known_for_good_so_that_it_is_not_created_twice() {
    for stage in ["New", "A stage that is gone"] {
        let mut service = shop();
        stands_in(&mut service, stage);
        for _ in 0..3 {
            let left = retire(&mut service).unwrap();
            assert_eq!((left.retired_at, left.email), (None, None));
        }
    }
}

#[test]
fn a_deal_that_freshsales_never_had_goes_and_one_that_is_owed_a_call_stays() {
    let mut service = shop();
    let mut standing = Standing { held: Some(HeldBack::NoEmail), ..Standing::default() };
    let mut deal = Deal::default();
    deal.standing.insert(service.settings.account.clone(), standing.clone());
    service.world.deals.load(key(), 1, deal.clone());
    assert_eq!(retire(&mut service), None);
    standing.open = Some(DeliveryId("d1-0".to_owned()));
    deal.standing.insert(service.settings.account.clone(), standing);
    service.world.deals.load(key(), 1, deal.clone());
    assert_eq!(retire(&mut service), Some(deal));
}

#[test]
fn a_review_looks_at_contacts_then_companies_then_deals_and_ends() {
    let mut service = shop();
    let settings = service.settings.clone();
    let now = service.now;
    let mut page =
        |review: Review, records: &[Subject]| review.page(records, &mut service.world, &settings, now);
    let review = Review::begin(None, Because::Settings, &settings, 0, now);
    assert!(review.goes_on(), "there may be deals without a contact");
    let review = page(review, &[]);
    assert_eq!(review.phase, Phase::Companies(None));
    let acme = CompanyKey::of("Acme").unwrap();
    let review = page(review, &[acme.clone().into()]);
    assert_eq!(review.phase, Phase::Companies(Some(acme)));
    let review = page(review, &[]);
    let review = page(review, &[key().into()]);
    assert_eq!((&review.phase, review.done, review.beside), (&Phase::Deals(Some(key())), 0, 2));
    // A restart goes on there.
    let stored = serde_json::to_string(&review).unwrap();
    let review = page(serde_json::from_str(&stored).unwrap(), &[]);
    assert_eq!(review.phase, Phase::Happenings(None));
    let review = page(review, &[]);
    assert!(!review.goes_on());
    assert_eq!((review.phase, review.ended_at), (Phase::Contacts, Some(now)));
}

#[test]
fn nothing_but_contacts_is_reviewed_where_nothing_else_is_mapped_or_time_alone_has_passed() {
    let mut service = Service::new(settings());
    let (settings, now) = (service.settings.clone(), service.now);
    assert!(!Review::begin(None, Because::Settings, &settings, 0, now).goes_on());
    let review = Review::begin(None, Because::Settings, &settings, 1, now);
    assert!(!review.page(&[], &mut service.world, &settings, now).goes_on());
    let shop = shop().settings;
    let review = Review::begin(None, Because::Time, &shop, 1, now);
    assert!(!review.page(&[], &mut service.world, &shop, now).goes_on());
}
