//! Learning: who an event is about, and what is known of them then.

use std::collections::{BTreeMap, BTreeSet};

use super::Reading;
use super::world::World;
use crate::event::Email;
use crate::person::{Entry, Facts, Person, PersonId, PersonKey, Said, Strength, Timeline, TimelineKey};

/// Who was touched.
#[derive(Clone, Debug)]
pub struct Learned {
    /// Whose event it is; nobody's, where it has no id and no address that could be used.
    pub subject: Option<PersonKey>,
    /// The address that person has now.
    pub email: Option<Email>,
    /// The last address without use that was said of that person, masked.
    pub unusable: Option<String>,
    /// Something that was said on a device passed to somebody.
    pub moved: bool,
    /// Everybody of whom something may have changed, with the address they had before.
    pub touched: BTreeMap<PersonKey, Option<Email>>,
    /// It says nothing of its own to anybody: its device had others since, and who had it then is not known any more.
    pub before_memory: bool,
    /// What a person who looks at it should know.
    pub notes: Vec<&'static str>,
}

const FOLDED: &str = "the device has said so much that its oldest statements are kept together; an event that comes \
                      later from among them divides them no more";
const LET_GO: &str = "so many people used the device that its oldest part is kept no longer; whom it was given to \
                      keeps it";

const KEPT: &str = "the address that it names is not taken for this person's: it was said by a visitor of the site, and a \
                    server said another (sources.*.trust)";

/// Whether a visitor names another address for somebody than a server did.
fn keeps_address(facts: &Facts, reading: &Reading) -> bool {
    let named = reading.own.emails.iter().find(|(_, strength)| *strength == Strength::Trait);
    let other = |email: &Email| facts.email().filter(|current| *current != email);
    let kept = named.and_then(|(email, _)| other(email)).is_some_and(|current| facts.is_vouched_for(current));
    kept && !reading.stamp.trust.is_server()
}

/// Takes in what an event says.
pub fn learn(reading: &Reading, world: &mut World) -> Learned {
    let mut touched = Touched::default();
    if let Some((email, said)) = &reading.named {
        learn_of_address(reading, email, said, world, &mut touched);
    }
    if let Some(email) = &reading.consent_of {
        let Said { consent, consent_shown, .. } = reading.own.clone();
        let said = Said { consent, consent_shown, ..Said::default() };
        learn_of_address(reading, email, &said, world, &mut touched);
    }
    let subject = match (&reading.user, reading.email()) {
        (Some(user), _) => Some(learn_of_user(reading, user, world, &mut touched)),
        (None, Some(email)) => Some(learn_of_email(reading, email, world, &mut touched)),
        // What is said of nobody is kept nowhere: it could only ever be mixed with what is said of nobody else.
        (None, None) => {
            let device = reading.anonymous.as_ref();
            device.map(|device| learn_of_device(reading, device, world, &mut touched))
        }
    };
    let person = subject.as_ref().and_then(|subject| world.people.get(subject));
    let (email, unusable) = match person.map(Person::facts) {
        Some(facts) => (facts.email().cloned(), facts.unusable_email().map(ToOwned::to_owned)),
        None => (None, on_device(reading, world)),
    };
    let kept = person.is_some_and(|person| keeps_address(&person.facts(), reading));
    let notes = [(FOLDED, touched.folded), (LET_GO, touched.let_go), (KEPT, kept)];
    let notes = notes.into_iter().filter(|(_, there)| *there).map(|(note, _)| note).collect();
    let names_nobody = reading.user.is_none() && reading.email().is_none();
    let before_memory = touched.too_early && names_nobody;
    Learned { subject, email, unusable, moved: touched.moved, touched: touched.people, before_memory, notes }
}

/// The last address without use that was said on the device of somebody who is nobody yet.
fn on_device(reading: &Reading, world: &World) -> Option<String> {
    let timeline = world.timelines.get(&reading.timeline(reading.anonymous.as_deref()?))?;
    timeline.facts_at(&reading.stamp).unusable_email().map(ToOwned::to_owned)
}

/// Who is touched, and what happened on the way.
#[derive(Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four things that may happen to a time line, each by itself"
)]
struct Touched {
    people: BTreeMap<PersonKey, Option<Email>>,
    folded: bool,
    let_go: bool,
    too_early: bool,
    /// Something that was said on a device passed to somebody.
    moved: bool,
}

impl Touched {
    /// Notes the address that somebody has before anything is changed.
    fn note(&mut self, key: &PersonKey, world: &World) {
        if !self.people.contains_key(key) {
            let email = world.people.get(key).and_then(|person| person.facts().email().cloned());
            self.people.insert(key.clone(), email);
        }
    }
}

/// What an event says about an address in its properties, whoever sent it.
fn learn_of_address(reading: &Reading, email: &Email, said: &Said, world: &mut World, touched: &mut Touched) {
    let key = reading.person(PersonId::Email(email.clone()));
    touched.note(&key, world);
    let mut said = said.clone();
    said.emails.push((email.clone(), Strength::Trait));
    world.people.edit(&key).own.learn(&said, &reading.stamp);
}

fn learn_of_user(reading: &Reading, user: &str, world: &mut World, touched: &mut Touched) -> PersonKey {
    let key = reading.person(PersonId::User(user.to_owned()));
    touched.note(&key, world);
    let knows = |person: &Person| person.own.knows(&reading.own, &reading.stamp);
    if reading.named.is_some() || !world.people.get(&key).is_some_and(knows) {
        let person = world.people.edit(&key);
        let mut said = reading.own.clone();
        if let Some((email, about)) = &reading.named {
            said.emails.push((email.clone(), Strength::Property));
            person.name(email, about, &reading.stamp);
        }
        person.own.learn(&said, &reading.stamp);
    }
    for device in [&reading.anonymous, &reading.previous].into_iter().flatten() {
        let entry = Entry { stamp: reading.stamp.clone(), user: Some(user.to_owned()), ..Entry::default() };
        enter(&reading.timeline(device), entry, world, touched);
    }
    key
}

fn learn_of_email(reading: &Reading, email: &Email, world: &mut World, touched: &mut Touched) -> PersonKey {
    let key = reading.person(PersonId::Email(email.clone()));
    touched.note(&key, world);
    let mut facts = Facts::default();
    facts.learn(&reading.own, &reading.stamp);
    if let Some((named, about)) = &reading.named
        && named == email
    {
        facts.learn(about, &reading.stamp);
        let claim = Said { emails: vec![(email.clone(), Strength::Property)], ..Said::default() };
        facts.learn(&claim, &reading.stamp);
    }
    let claim = Said { emails: vec![(email.clone(), Strength::Trait)], ..Said::default() };
    let own = &mut world.people.edit(&key).own;
    own.join(&facts);
    own.learn(&claim, &reading.stamp);
    if let Some(device) = &reading.anonymous {
        let entry =
            Entry { stamp: reading.stamp.clone(), email: Some(email.clone()), facts, ..Entry::default() };
        enter(&reading.timeline(device), entry, world, touched);
    }
    key
}

fn learn_of_device(reading: &Reading, device: &str, world: &mut World, touched: &mut Touched) -> PersonKey {
    let mut facts = Facts::default();
    facts.learn(&reading.own, &reading.stamp);
    let timeline = reading.timeline(device);
    let entry = Entry { stamp: reading.stamp.clone(), facts, ..Entry::default() };
    enter(&timeline, entry, world, touched);
    let owner = world.timelines.get(&timeline).and_then(|timeline| timeline.owner_at(&reading.stamp));
    let subject = reading.person(owner.unwrap_or(PersonId::Anonymous(device.to_owned())));
    touched.note(&subject, world);
    subject
}

/// Enters an event into a time line and gives each stretch to whom it belongs now.
fn enter(key: &TimelineKey, mut entry: Entry, world: &mut World, touched: &mut Touched) {
    let known = world.timelines.get(key);
    if let Some(known) = known {
        known.leave_out_known(&mut entry);
    }
    if entry.is_empty() {
        return;
    }
    if known.is_some_and(|timeline| timeline.begins_after(&entry.stamp)) {
        touched.too_early = true;
        return;
    }
    if known.is_some_and(|timeline| !timeline.may_move_by(&entry)) {
        world.timelines.edit(key).insert(entry);
        return;
    }
    let before = known.map(Timeline::given).unwrap_or_default();
    let timeline = world.timelines.edit(key);
    let mut inserted = timeline.insert(entry);
    let mut after = timeline.given();
    touched.folded |= inserted.folded;
    touched.let_go |= !inserted.let_go.is_empty();
    let owners: BTreeSet<PersonId> =
        before.keys().chain(after.keys()).chain(inserted.let_go.keys()).cloned().collect();
    for id in owners {
        let person_key = PersonKey { people: key.people.clone(), id };
        let given = after.remove(&person_key.id);
        let for_good = inserted.let_go.remove(&person_key.id);
        if given.as_ref() == before.get(&person_key.id) && for_good.is_none() {
            continue;
        }
        touched.note(&person_key, world);
        touched.moved = true;
        let person = world.people.edit(&person_key);
        if let Some(facts) = for_good {
            person.own.join(&facts);
        }
        person.borrow_from(&key.anonymous_id, given);
    }
}
