//! Setting aside: a contact whose call can't be made up, or settled, leaves all others their turn.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Deliverer;
use crate::decision::World;
use crate::delivery::{DeliveryId, Subject};
use crate::store::{Due, ErrorClass, Keys, Plan, Put, StoreError};
use crate::telemetry::{Panicked, caught};

/// What was loaded of some deliveries, and why others of them can't be.
pub(super) struct Readable {
    pub world: World,
    pub bad: Vec<(DeliveryId, String)>,
}

/// Why a piece of work on some contacts came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stopped {
    /// The decision met a defect.
    #[error(transparent)]
    Panicked(#[from] Panicked),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Stopped {
    /// Whether one of the contacts may be the cause.
    pub fn is_of_a_contact(&self) -> bool {
        match self {
            Self::Panicked(_) => true,
            Self::Store(error) => error.class() == ErrorClass::Document,
        }
    }
}

impl Deliverer {
    /// Finds those of some deliveries whose calls can't be made up, each by itself, and sets them aside. Fails where none of
    /// them is the cause, so that whoever asked waits.
    pub(super) async fn set_aside_bad(&self, some: &[Due], stopped: Stopped) -> Result<(), StoreError> {
        if !stopped.is_of_a_contact() {
            return Err(error_of(stopped));
        }
        let settings = Arc::clone(&self.settings.borrow());
        let _turn = self.store.turn().await;
        // What every call needs: where that can't be read, no contact is the cause.
        self.load(BTreeSet::new(), BTreeSet::new()).await?;
        let mut bad = Vec::new();
        for due in some {
            let loaded = self.load([due.subject.clone()].into(), [due.id.clone()].into()).await;
            let why = match loaded {
                Ok(mut world) => {
                    let now = self.clock.wall();
                    // The working set is thrown away: nothing is claimed here.
                    let claimed = caught(|| (self.decide)(&due.id, &mut world, &settings, now));
                    claimed.err().map(|panicked| panicked.to_string())
                }
                Err(error) if error.class() == ErrorClass::Document => Some(error.to_string()),
                Err(error) => return Err(error),
            };
            bad.extend(why.map(|why| (due.id.clone(), why)));
        }
        if bad.is_empty() {
            return Err(error_of(stopped));
        }
        let puts = bad.into_iter().map(|(id, why)| set_aside(id, &why)).collect();
        self.store.apply(Plan { puts, ..Plan::default() }).await
    }

    /// The working set of some deliveries and of the records that they are about. Those that can't be read are left out.
    pub(super) async fn readable(&self, ids: &BTreeSet<DeliveryId>) -> Result<Readable, StoreError> {
        match self.world_of(ids).await {
            Ok(world) => return Ok(Readable { world, bad: Vec::new() }),
            Err(error) if error.class() != ErrorClass::Document => return Err(error),
            Err(_) => {}
        }
        // What every call needs: where that can't be read, none of them is the cause.
        self.load(BTreeSet::new(), BTreeSet::new()).await?;
        let (mut good, mut bad) = (BTreeSet::new(), Vec::new());
        for id in ids {
            match self.world_of(&BTreeSet::from([id.clone()])).await {
                Ok(_) => drop(good.insert(id.clone())),
                Err(error) if error.class() == ErrorClass::Document => {
                    bad.push((id.clone(), error.to_string()));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Readable { world: self.world_of(&good).await?, bad })
    }

    /// What was erased meanwhile is not there any more.
    async fn world_of(&self, ids: &BTreeSet<DeliveryId>) -> Result<World, StoreError> {
        let keys = Keys { deliveries: ids.clone(), ..Keys::default() };
        let found = self.store.load(keys).await?.deliveries;
        let subjects: BTreeSet<Subject> = found.into_values().map(|found| found.document.subject).collect();
        self.load(subjects, ids.clone()).await
    }
}

/// Does the same with each of some things in a working set. Where that meets a defect, each has its own try, and those that
/// meet it are answered with the place; what they did is undone.
pub(super) fn each<T>(
    world: &mut World,
    things: &[T],
    mut work: impl FnMut(&T, &mut World),
) -> Vec<(usize, String)> {
    let before = world.clone();
    if caught(|| things.iter().for_each(|thing| work(thing, world))).is_ok() {
        return Vec::new();
    }
    *world = before;
    let mut bad = Vec::new();
    for (nth, thing) in things.iter().enumerate() {
        let mut copy = world.clone();
        match caught(|| work(thing, &mut copy)) {
            Ok(()) => *world = copy,
            Err(panicked) => bad.push((nth, panicked.to_string())),
        }
    }
    bad
}

/// A delivery that is not due until it is written again or the service starts anew.
pub(super) fn set_aside(id: DeliveryId, why: &str) -> Put {
    tracing::error!(
        delivery = id.0,
        code = "contact_set_aside",
        why,
        "a contact is not called: its call can't be made up or settled. All others go on; report the place"
    );
    Put::SetAside(id)
}

fn error_of(stopped: Stopped) -> StoreError {
    match stopped {
        Stopped::Store(error) => error,
        Stopped::Panicked(panicked) => StoreError::Unreadable("contact", panicked.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixMicros;
    use crate::decision::Outcome;

    #[test]
    fn what_meets_a_defect_leaves_nothing_and_everything_else_is_done_once() {
        let mut world = World::default();
        let bad = each(&mut world, &[1, 2, 3, 4], |nth, world| {
            *world.outcomes.entry(Outcome::Queued).or_default() += nth;
            world.destination.document.pause(UnixMicros(0));
            assert!(nth % 2 == 1, "a defect of the test");
        });
        assert_eq!(bad.iter().map(|(nth, _)| *nth).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(world.outcomes[&Outcome::Queued], 1 + 3);
    }
}
