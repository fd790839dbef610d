//! Erasing deals, companies and happenings: what of them goes with a person.
//!
//! A deal stays as far as it says whether accounts have it: an event of somebody else must not create it anew. Nothing that
//! was said of it stays, because nobody can tell any more who said it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Settings, World};
use crate::deal::Deal;
use crate::delivery::{Account, CompanyKey, DealKey, DeliveryId, Erasing, HappeningId, HappeningKind};
use crate::erasure::{Extent, ForgetId, ForgetOrder, Receipt, Target, Waits};
use crate::happening::{Happening, On, Standing};
use crate::person::PersonId;

/// Takes a person out of the deals and companies of a working set; notes which calls on their way have to end first. `forgets`:
/// Freshsales forgets them too, by this erasure.
pub(super) fn erase_records(
    (extent, forgets): (&Extent, Option<u64>),
    world: &mut World,
    settings: &Settings,
    receipt: &mut Receipt,
    waits: &mut Waits,
) {
    let needles = extent.needles();
    let names = |text: &str| needles.iter().any(|needle| text.contains(needle));
    let keys: Vec<DealKey> = world.deals.iter().map(|(key, _)| key.clone()).collect();
    for key in keys {
        let Some(deal) = world.deals.get(&key).cloned() else { continue };
        let key_names = is_of_person(&key, extent);
        if !key_names && !concerns(&deal, extent) && !names(&as_text(&deal)) {
            continue;
        }
        receipt.deals += 1;
        let calls = deal.standing.iter().map(|(account, it)| {
            (account.clone(), it.open.clone(), it.in_flight.as_ref().map(|call| call.delivery.clone()))
        });
        end_calls(calls.collect(), world, settings, receipt, waits);
        let left = without(&deal, extent);
        if key_names || (left.standing.is_empty() && left.persons.is_empty()) {
            world.deals.remove(&key);
        } else {
            *world.deals.edit(&key) = left;
        }
    }
    erase_happenings((extent, forgets), names, world, settings, (receipt, waits));
    let keys: Vec<CompanyKey> = world.companies.iter().map(|(key, _)| key.clone()).collect();
    for key in keys {
        let Some(company) = world.companies.get(&key).cloned() else { continue };
        if !names(key.as_str()) && !names(&as_text(&company)) {
            continue;
        }
        receipt.mentions += 1;
        let mut left = company.clone();
        left.waiting.emails.retain(|email| !extent.emails.contains(email));
        if !names(key.as_str()) && !names(&as_text(&left)) {
            *world.companies.edit(&key) = left;
            continue;
        }
        // What was said of it names somebody: it is learned anew by the next event.
        let calls = company.standing.iter().map(|(account, it)| {
            (account.clone(), it.open.clone(), it.in_flight.as_ref().map(|call| call.delivery.clone()))
        });
        end_calls(calls.collect(), world, settings, receipt, waits);
        world.companies.remove(&key);
    }
}

/// What was told of a person, or names them, goes whole: what it is recognised by is of no use where its event is not heard
/// again.
fn erase_happenings(
    (extent, forgets): (&Extent, Option<u64>),
    names: impl Fn(&str) -> bool,
    world: &mut World,
    settings: &Settings,
    (receipt, waits): (&mut Receipt, &mut Waits),
) {
    let theirs = |it: &Happening| {
        let person = it.person.as_ref().is_some_and(|person| extent.has(person, || it.stamp.clone()));
        person || it.email.as_ref().is_some_and(|email| extent.emails.contains(email)) || names(&as_text(it))
    };
    let gone: BTreeSet<HappeningId> =
        world.happenings.iter().filter(|(_, it)| theirs(it)).map(|(id, _)| id.clone()).collect();
    let mut deleted = BTreeSet::new();
    for id in &gone {
        let Some(it) = world.happenings.remove(id) else { continue };
        receipt.happenings += 1;
        if let Some(erasure) = forgets.filter(|_| it.account == settings.account) {
            order_to_delete(id, &it, erasure, &mut deleted, world, receipt);
        }
        let Standing { open, in_flight, birth, .. } = it.standing;
        let left_at = in_flight.as_ref().map(|call| call.left_at);
        let calls = (it.account, open, in_flight.map(|call| call.delivery));
        end_calls(vec![calls], world, settings, receipt, waits);
        // What went along in its call, and is somebody else's, goes on by itself.
        for rider in it.standing.riders.iter().filter(|rider| !gone.contains(*rider)) {
            if world.happenings.get(rider).is_some_and(|it| it.standing.rides.as_ref() == Some(id)) {
                let standing = &mut world.happenings.edit(rider).standing;
                standing.go_alone(birth, left_at);
            }
        }
    }
}

/// Orders that what was told on a deal or a company is deleted there. What stands on the contact goes with it.
fn order_to_delete(
    id: &HappeningId,
    it: &Happening,
    erasure: u64,
    deleted: &mut BTreeSet<(HappeningKind, u64)>,
    world: &mut World,
    receipt: &mut Receipt,
) {
    let beside = match &it.on {
        On::Contact => false,
        On::Deal(_) | On::Company(_) => true,
    };
    let Some(told) = it.standing.birth.id().filter(|_| beside) else { return };
    // Several may have gone in one call.
    if !deleted.insert((id.kind(), told)) {
        return;
    }
    receipt.forget_ordered += 1;
    world.forgets.push(ForgetOrder {
        id: ForgetId { erasure, nth: world.forgets.len() as u64 },
        account: it.account.clone(),
        target: Target::Told(id.kind(), told),
        behind: None,
        may_exist: true,
        next_attempt_at: receipt.erased_at,
        failures: 0,
        misses: 0,
    });
}

/// The deliveries of a record with an account: the open one, and the one on its way.
type Calls = (Account, Option<DeliveryId>, Option<DeliveryId>);

fn end_calls(
    calls: Vec<Calls>,
    world: &mut World,
    settings: &Settings,
    receipt: &mut Receipt,
    waits: &mut Waits,
) {
    for (account, open, in_flight) in calls {
        if let Some(open) = open.filter(|open| world.deliveries.get(open).is_some()) {
            receipt.deliveries += 1;
            world.deliveries.erase(&open);
        }
        let Some(call) = in_flight.filter(|call| world.deliveries.get(call).is_some()) else { continue };
        receipt.deliveries += 1;
        if account == settings.account {
            world.deliveries.change(&call, |delivery| delivery.erase_in_flight(Erasing::Here));
            waits.calls.insert(call);
        } else {
            // Nobody will ask for its answer.
            world.deliveries.erase(&call);
        }
    }
}

/// Whether the key of a deal is somebody: where a person has one deal of a kind, it is their id or address.
fn is_of_person(key: &DealKey, extent: &Extent) -> bool {
    let is_id = extent.people.iter().any(|person| match &person.id {
        PersonId::User(id) | PersonId::Anonymous(id) => person.people == key.people() && id == key.key(),
        PersonId::Email(email) => email.as_str() == key.key(),
    });
    let lower = key.key().to_lowercase();
    is_id || extent.emails.iter().any(|email| lower.contains(email.as_str()))
}

fn concerns(deal: &Deal, extent: &Extent) -> bool {
    let theirs = deal.persons.iter().any(|(person, stamp)| extent.has(person, || stamp.clone()));
    theirs || deal.email.as_ref().is_some_and(|email| extent.emails.contains(email))
}

/// What stays of a deal: its births, and others whose it is too.
fn without(deal: &Deal, extent: &Extent) -> Deal {
    let others = deal.persons.iter().filter(|(person, stamp)| !extent.has(person, || (*stamp).clone()));
    let persons: BTreeMap<_, _> = others.map(|(person, stamp)| (person.clone(), stamp.clone())).collect();
    let events = if persons.is_empty() { BTreeMap::new() } else { deal.events.clone() };
    Deal { events, persons, ..deal.only_births() }
}

/// As it is written, which is what searches look through.
fn as_text<T: serde::Serialize>(document: &T) -> String {
    serde_json::to_string(document).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::clock::UnixMicros;
    use crate::company::{Company, Waiting};
    use crate::deal::{Birth, Carried, DealSaid, InFlight, Standing};
    use crate::decision::test_settings;
    use crate::delivery::{Delivery, Lane, State, Subject};
    use crate::event::{Email, Stamp, Trust};
    use crate::person::{PersonKey, Said};

    const NOW: UnixMicros = UnixMicros(1_900_000_000_000_000);

    fn erika() -> Email {
        Email::parse("erika@example.com").unwrap()
    }

    fn user(id: &str) -> PersonKey {
        PersonKey { people: "default".to_owned(), id: PersonId::User(id.to_owned()) }
    }

    fn extent() -> Extent {
        Extent { people: [user("erika-7")].into(), emails: [erika()].into(), ..Extent::default() }
    }

    fn key(text: &str) -> DealKey {
        DealKey::of("default", "order", text).unwrap()
    }

    fn deal(persons: &[&str], birth: Birth) -> Deal {
        let mut deal = Deal { email: Some(erika()), ..Deal::default() };
        for person in persons {
            deal.learn(&DealSaid {
                event: "Order Completed",
                said: &Said::default(),
                person: Some(&user(person)),
                stamp: &Stamp { at: NOW, message_id: format!("of-{person}"), trust: Trust::Server },
                received_at: NOW,
            });
        }
        let mut standing = Standing { birth, ..Standing::default() };
        standing.accepted.insert("name".to_owned(), "Erika M. order".into());
        deal.standing.insert(test_settings().account, standing);
        deal
    }

    fn delivery(id: &str, subject: impl Into<Subject>) -> Delivery {
        let id = DeliveryId(id.to_owned());
        let delivery = Delivery::open(id, test_settings().account, subject, Lane::Conversion, NOW);
        Delivery { person: Some(erika()), ..delivery }
    }

    fn erased(world: &mut World) -> (Receipt, Waits) {
        let (mut receipt, mut waits) = (Receipt::default(), Waits::default());
        erase_records((&extent(), Some(1)), world, &test_settings(), &mut receipt, &mut waits);
        (receipt, waits)
    }

    #[test]
    fn a_deal_loses_everything_of_its_person_and_is_still_known_to_exist() {
        let mut world = World::default();
        world.deals.load(key("A-1"), 1, deal(&["erika-7"], Birth::Told { id: 7 }));
        world.deals.load(key("A-2"), 1, deal(&["erika-7"], Birth::Planned));
        let (receipt, waits) = erased(&mut world);
        assert_eq!((receipt.deals, waits), (2, Waits::default()));
        let left = world.deals.get(&key("A-1")).unwrap();
        assert_eq!(left.standing[&test_settings().account].birth, Birth::Told { id: 7 });
        let text = as_text(left);
        assert!(!text.to_lowercase().contains("erika") && !text.contains("of-"), "{text}");
        assert_eq!(world.deals.get(&key("A-2")), None, "Freshsales never had it");
    }

    #[test]
    fn of_a_deal_of_several_the_others_stay_and_a_key_that_is_the_person_goes() {
        let mut world = World::default();
        world.deals.load(key("A-1"), 1, deal(&["erika-7", "ann"], Birth::Told { id: 7 }));
        world.deals.load(key("erika-7"), 1, deal(&["erika-7"], Birth::Told { id: 8 }));
        world.deals.load(key("b/Erika@example.com"), 1, deal(&["ann"], Birth::Told { id: 9 }));
        let mut other = Deal { email: None, ..deal(&["ann"], Birth::Planned) };
        other.standing.clear();
        world.deals.load(key("A-9"), 1, other.clone());
        erased(&mut world);
        let left = world.deals.get(&key("A-1")).unwrap();
        assert_eq!(left.persons.keys().collect::<Vec<_>>(), [&user("ann")]);
        assert!(left.events.contains_key("Order Completed") && left.email.is_none());
        assert!(world.deals.get(&key("erika-7")).is_none());
        assert!(world.deals.get(&key("b/Erika@example.com")).is_none());
        assert_eq!(world.deals.get(&key("A-9")), Some(&other), "it is somebody else's");
    }

    #[test]
    fn its_deliveries_end_and_a_call_on_its_way_is_waited_for() {
        let mut world = World::default();
        let mut on_its_way = deal(&["erika-7"], Birth::Planned);
        let account = test_settings().account;
        let standing = on_its_way.standing.get_mut(&account).unwrap();
        standing.leave(InFlight {
            delivery: DeliveryId("flies".to_owned()),
            attempt: 1,
            carried: Carried::Create,
            sent: standing.accepted.clone(),
            contacts: BTreeSet::new(),
            left_at: NOW,
        });
        standing.open = Some(DeliveryId("waits".to_owned()));
        world.deals.load(key("A-1"), 1, on_its_way);
        world.deliveries.load(1, delivery("waits", key("A-1")));
        world.deliveries.load(1, delivery("flies", key("A-1")).claim());
        let (receipt, waits) = erased(&mut world);
        assert_eq!((receipt.deliveries, waits.calls), (2, [DeliveryId("flies".to_owned())].into()));
        assert!(world.deliveries.get(&DeliveryId("waits".to_owned())).is_none());
        let flies = world.deliveries.get(&DeliveryId("flies".to_owned())).unwrap();
        assert_eq!((flies.state, flies.erasure, flies.email()), (State::InFlight, Some(Erasing::Here), None));
        // It may have been created: it is asked for before it is created again.
        let birth = world.deals.get(&key("A-1")).unwrap().standing[&account].birth;
        assert_eq!(birth, Birth::Unanswered { left_at: NOW, asked: 0 });
    }

    #[test]
    fn what_was_told_of_them_on_a_deal_is_deleted_in_freshsales_too() {
        let told = |on: On, id: u64| {
            let standing = crate::happening::Standing { birth: Birth::Told { id }, ..Default::default() };
            let account = test_settings().account;
            Happening { account, on, email: Some(erika()), standing, ..Happening::default() }
        };
        let mut world = World::default();
        let id = |code: &str| -> HappeningId { format!("note-{code}").parse().unwrap() };
        world.happenings.load(id("AAAAAAAAAA000000"), 1, told(On::Deal(key("A-1")), 70));
        world.happenings.load(id("BBBBBBBBBB000000"), 1, told(On::Deal(key("A-1")), 70));
        world.happenings.load(id("CCCCCCCCCC000000"), 1, told(On::Company(None), 71));
        world.happenings.load(id("DDDDDDDDDD000000"), 1, told(On::Contact, 72));
        let (receipt, _) = erased(&mut world);
        let targets: Vec<&Target> = world.forgets.iter().map(|order| &order.target).collect();
        assert_eq!(targets, [&Target::Told(HappeningKind::Note, 70), &Target::Told(HappeningKind::Note, 71)]);
        assert_eq!((receipt.happenings, receipt.forget_ordered), (4, 2));
        assert_eq!(world.happenings.iter().count(), 0);
    }

    #[test]
    fn a_company_forgets_who_waited_for_it_and_goes_where_its_name_is_theirs() {
        let mut world = World::default();
        let waiting =
            Waiting { emails: [erika(), Email::parse("ann@example.com").unwrap()].into(), more: false };
        let company = Company { waiting, begun: true, ..Company::default() };
        let (acme, own) = (CompanyKey::of("Acme").unwrap(), CompanyKey::of("erika@example.com").unwrap());
        world.companies.load(acme.clone(), 1, company.clone());
        world.companies.load(own.clone(), 1, Company::default());
        let (receipt, _) = erased(&mut world);
        assert_eq!(receipt.mentions, 2);
        let left = world.companies.get(&acme).unwrap();
        assert_eq!(left.waiting.emails.iter().map(Email::as_str).collect::<Vec<_>>(), ["ann@example.com"]);
        assert!(left.begun && world.companies.get(&own).is_none());
    }
}
