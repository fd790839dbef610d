//! Addresses that an older version spelled otherwise: documents that are loaded get the spelling of now, and the contact of
//! the old one gives all that it has to the contact of the new one.
//!
//! Until the walk over all contacts comes by, both may be there; nobody is two persons meanwhile, for people are spelled anew
//! whenever they are loaded.

use std::collections::BTreeSet;

use super::{Settings, World};
use crate::clock::UnixMicros;
use crate::contact::{Contact, Standing};
use crate::delivery::Subject;
use crate::event::Email;

const RESPELLED: &str = "the address has another spelling now, and its contact carries it";

/// The contacts that take over from those of these records whose addresses have another spelling now: they have to be in the
/// working set.
#[must_use]
pub fn respelled_contacts(subjects: &BTreeSet<Subject>) -> BTreeSet<Subject> {
    subjects.iter().filter_map(Subject::contact).filter_map(Email::respelled).map(Subject::Contact).collect()
}

/// Gives people, devices and deals that were loaded the spelling of now.
pub(super) fn respell(world: &mut World) {
    let is_old = |email: &Email| email.respelled().is_some();
    let people = world.people.iter().filter(|(_, person)| person.emails().any(is_old));
    let people: Vec<_> = people.map(|(key, _)| key.clone()).collect();
    for key in people {
        world.people.edit(&key).respell_emails();
    }
    let lines = world.timelines.iter().filter(|(_, line)| line.all_emails().any(is_old));
    let lines: Vec<_> = lines.map(|(key, _)| key.clone()).collect();
    for key in lines {
        world.timelines.edit(&key).respell_emails();
    }
    let deals = world.deals.iter().filter(|(_, deal)| deal.email.as_ref().is_some_and(is_old));
    let deals: Vec<_> = deals.map(|(key, _)| key.clone()).collect();
    for key in deals {
        let deal = world.deals.edit(&key);
        deal.email = deal.email.as_ref().and_then(Email::respelled).or(deal.email.take());
    }
}

/// Gives what a contact of an old spelling has to the one of the new; answers the address to go on with. One with a call on
/// its way waits for its end, and a crowd keeps its address: who of it speaks again has the new one.
pub(super) fn taken_over(email: &Email, world: &mut World, settings: &Settings, now: UnixMicros) -> Email {
    let Some(new) = email.respelled() else { return email.clone() };
    let Some(contact) = world.contacts.get(email) else { return new };
    if contact.crowd.is_some() || contact.standing.values().any(|standing| standing.in_flight.is_some()) {
        return email.clone();
    }
    for member in world.members(email) {
        world.join(&new, &member, settings);
    }
    let Some(old) = world.contacts.remove(email) else { return new };
    for open in old.standing.values().filter_map(|standing| standing.open.as_ref()) {
        world.deliveries.change(open, |delivery| delivery.supersede(RESPELLED, now));
    }
    take_over(old, world.contacts.edit(&new));
    new
}

/// Of each account the standing counts that it accepted last.
fn take_over(old: Contact, new: &mut Contact) {
    for (account, old) in old.standing {
        let standing = new.standing.entry(account).or_default();
        if old.accepted_at > standing.accepted_at {
            let (open, in_flight) = (standing.open.take(), standing.in_flight.take());
            *standing = Standing { open, in_flight, ..old };
        }
    }
    if new.consent.is_empty() {
        new.consent = old.consent;
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_settings;
    use super::*;
    use crate::contact::InFlight;
    use crate::delivery::DeliveryId;
    use crate::event::Stamp;
    use crate::person::{Claim, Person, PersonKey};

    fn old() -> Email {
        Email::from_store("jane@müller.example").unwrap()
    }

    fn new() -> Email {
        Email::parse("jane@müller.example").unwrap()
    }

    fn accepted(at: i64, city: &str) -> Contact {
        let settings = test_settings();
        let standing = Standing {
            accepted: Some([("city".to_owned(), city.into())].into()),
            accepted_at: Some(UnixMicros(at)),
            ..Standing::default()
        };
        Contact { standing: [(settings.account, standing)].into(), ..Contact::default() }
    }

    fn city(world: &World) -> String {
        let standing = world.contacts.get(&new()).unwrap().with(&test_settings().account);
        standing.accepted.unwrap()["city"].as_str().unwrap().to_owned()
    }

    fn world(of_old: Contact, of_new: Option<Contact>) -> World {
        let jane: PersonKey = "user:jane".parse().unwrap();
        let mut person = Person::default();
        let as_trait = Some(Stamp::default());
        let claim = Claim { first_at: UnixMicros(1), as_trait, as_property: None, as_id: None };
        person.own.emails.insert(old(), claim);
        let mut world = World::default();
        world.people.load(jane.clone(), 1, person);
        world.contacts.load(old(), 1, Contact { members: [jane.to_string()].into(), ..of_old });
        if let Some(of_new) = of_new {
            world.contacts.load(new(), 1, of_new);
        }
        respell(&mut world);
        world
    }

    #[test]
    fn the_contact_of_the_new_spelling_has_the_people_and_the_standing_of_the_old() {
        let mut world = world(accepted(5, "Oslo"), None);
        assert_eq!(taken_over(&old(), &mut world, &test_settings(), UnixMicros(9)), new());
        assert!(world.contacts.get(&old()).is_none());
        assert_eq!(world.members(&new()), ["user:jane".parse().unwrap()]);
        assert_eq!(city(&world), "Oslo");
        let jane = world.people.get(&"user:jane".parse().unwrap()).unwrap();
        assert_eq!(jane.own.emails.keys().collect::<Vec<_>>(), [&new()]);
    }

    #[test]
    fn where_both_are_there_what_freshsales_accepted_last_counts() {
        for (of_old, expected) in [(5, "Rome"), (7, "Oslo")] {
            let mut world = world(accepted(of_old, "Oslo"), Some(accepted(6, "Rome")));
            taken_over(&old(), &mut world, &test_settings(), UnixMicros(9));
            assert_eq!(city(&world), expected);
        }
    }

    #[test]
    fn one_with_a_call_on_its_way_waits_for_its_answer() {
        let mut of_old = accepted(5, "Oslo");
        let call = InFlight {
            delivery: DeliveryId("1-0".to_owned()),
            attempt: 1,
            sent: crate::contact::Attributes::new(),
            whole: false,
            asks: false,
            renames: None,
            kept_back: crate::contact::Attributes::new(),
            exempt: None,
            left_at: None,
        };
        of_old.standing.values_mut().for_each(|standing| standing.in_flight = Some(call.clone()));
        let mut world = world(of_old, None);
        assert_eq!(taken_over(&old(), &mut world, &test_settings(), UnixMicros(9)), old());
        assert!(world.contacts.get(&old()).is_some() && world.contacts.get(&new()).is_none());
    }
}
