//! Silence: lets people and devices go that were not heard for long, a page at a time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, UnixMicros};
use crate::decision::{
    Settings, World, retire_contact, retire_deal, retire_device, retire_happening, retire_person,
};
use crate::event::Email;
use crate::person::PersonKey;
use crate::store::{ErrorClass, For, Keys, Place, Plan, SharedStore, Silent, StoreError, load_contacts};
use crate::telemetry::caught_in;
use crate::turn::{self, Next, Stage, Stalls};

/// Days are counted, so looking more often finds nothing new.
const EVERY: Duration = Duration::from_hours(6);

/// How long somebody may be silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// People.
    pub person: Duration,
    /// Anonymous ids.
    pub device: Duration,
    /// How long a message that comes again is known.
    pub dedup: Duration,
    /// How long it is known what was told.
    pub told: Duration,
}

/// The part that lets people go who were not heard for long.
pub struct Retirement {
    /// Where everything is kept.
    pub store: SharedStore,
    /// What deciding depends on.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How long somebody may be silent.
    pub patience: Patience,
    /// Where it is noted when nothing comes of it.
    pub stalls: Stalls,
}

impl Stage for Retirement {
    const NAME: &'static str = "retain";

    async fn work(&mut self) -> Result<Next, StoreError> {
        self.pass().await?;
        Ok(Next::After(EVERY))
    }

    async fn rung(&mut self) {
        std::future::pending::<()>().await;
    }
}

impl Retirement {
    /// Looks through everything again and again until it is told to stop.
    ///
    /// # Errors
    /// The store failed for good; the process has to end and recover by starting again.
    pub async fn run(self, stop: CancellationToken) -> Result<(), StoreError> {
        let (clock, stalls) = (Arc::clone(&self.clock), self.stalls.clone());
        turn::run(self, &stalls, &*clock, &stop).await
    }

    async fn pass(&self) -> Result<(), StoreError> {
        if !self.clock.is_proven() {
            return Ok(());
        }
        // Devices first: what they gave to people becomes their own.
        let mut place = Some(Place::Timelines(0));
        while let Some(from) = place {
            place = self.page(from).await?;
        }
        let mut place = Some(Place::People(0));
        while let Some(from) = place.filter(|from| !matches!(from, Place::Timelines(_))) {
            place = self.page(from).await?;
        }
        Ok(())
    }

    /// One page in one turn, so that nobody is heard between the look and the decision. Whoever can't be let go stays, and
    /// everybody else goes.
    async fn page(&self, from: Place) -> Result<Option<Place>, StoreError> {
        let _turn = self.store.turn().await;
        let now = self.clock.wall();
        let silent = Silent {
            people: now.minus(self.patience.person),
            devices: now.minus(self.patience.device),
            told: now.minus(self.patience.told),
        };
        let (keys, next) = self.store.silent(silent, from).await?;
        let mut some = vec![each_of(keys)];
        while let Some(keys) = some.pop().filter(|keys| !keys.is_empty()) {
            let why = match caught_in(self.let_go(&together(&keys), silent.people, now)).await {
                Ok(Ok(())) => continue,
                Ok(Err(error)) if error.class() == ErrorClass::Document => error.to_string(),
                Ok(Err(error)) => return Err(error),
                Err(panicked) => panicked.to_string(),
            };
            if keys.len() == 1 {
                tracing::error!(
                    code = "not_retired",
                    why,
                    "somebody who was silent for long can't be removed: a defect, or a stored document that can't be read. \
                     All others are; report the place"
                );
            } else {
                let (first, last) = keys.split_at(keys.len() / 2);
                some.extend([last.to_vec(), first.to_vec()]);
            }
        }
        Ok(next)
    }

    /// Lets these go, all or none.
    async fn let_go(&self, keys: &Keys, since: UnixMicros, now: UnixMicros) -> Result<(), StoreError> {
        let settings = Arc::clone(&self.settings.borrow());
        let mut world = self.load(keys, &settings).await?;
        retire(keys, since, &mut world, &settings);
        let finished_before = now.minus(self.patience.dedup);
        for key in &keys.deals {
            retire_deal(key, finished_before, &mut world, &settings, now);
        }
        keys.happenings.iter().for_each(|id| retire_happening(id, &mut world));
        world.contribute(&settings);
        self.store.apply(Plan { unheard: true, ..Plan::of(world, &settings.account) }).await
    }

    async fn load(&self, keys: &Keys, settings: &Settings) -> Result<World, StoreError> {
        let mut world = World::default();
        self.store.load(keys.clone()).await?.add_to(&mut world);
        let owners = world
            .timelines
            .iter()
            .flat_map(|(key, line)| line.people().map(|id| PersonKey { people: key.people.clone(), id }));
        let owners: BTreeSet<PersonKey> = owners.collect();
        let of_people = world
            .people
            .iter()
            .flat_map(|(_, person)| person.facts().emails.keys().cloned().collect::<Vec<Email>>());
        let contacts = world.contacts.iter().map(|(email, _)| email.clone());
        let contacts: BTreeSet<Email> = contacts.chain(of_people).collect();
        self.store.load(Keys { people: owners, ..Keys::default() }).await?.add_to(&mut world);
        load_contacts(&*self.store, &contacts, settings, For::Deciding, &mut world).await?;
        Ok(world)
    }
}

/// Each of some documents by itself.
fn each_of(keys: Keys) -> Vec<Keys> {
    let Keys { timelines, people, contacts, deals, happenings, .. } = keys;
    let timelines = timelines.into_iter().map(|key| Keys { timelines: [key].into(), ..Keys::default() });
    let people = people.into_iter().map(|key| Keys { people: [key].into(), ..Keys::default() });
    let contacts = contacts.into_iter().map(|key| Keys { contacts: [key].into(), ..Keys::default() });
    let deals = deals.into_iter().map(|key| Keys { deals: [key].into(), ..Keys::default() });
    let happenings = happenings.into_iter().map(|id| Keys { happenings: [id].into(), ..Keys::default() });
    timelines.chain(people).chain(contacts).chain(deals).chain(happenings).collect()
}

fn together(some: &[Keys]) -> Keys {
    let mut all = Keys::default();
    for keys in some {
        all.timelines.extend(keys.timelines.iter().cloned());
        all.people.extend(keys.people.iter().cloned());
        all.contacts.extend(keys.contacts.iter().cloned());
        all.deals.extend(keys.deals.iter().cloned());
        all.happenings.extend(keys.happenings.iter().cloned());
    }
    all
}

fn retire(keys: &Keys, since: UnixMicros, world: &mut World, settings: &Settings) {
    keys.timelines.iter().for_each(|key| retire_device(key, world));
    keys.people.iter().for_each(|key| retire_person(key, since, world, settings));
    keys.contacts.iter().for_each(|email| retire_contact(email, world));
}
