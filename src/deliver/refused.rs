//! Trying again what a rule of the account refused: one, to see whether the rule is gone, and all of it once it is.
//!
//! One that can't be tried again stays a dead letter and holds up no other. Must not decide what a call carries.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Deliverer;
use super::aside::{Readable, each};
use crate::decision::{self, RedriveBy};
use crate::delivery::DeliveryId;
use crate::store::{Plan, StoreError};

/// Refused contacts that are made due again in one plan.
const REDRIVEN_AT_ONCE: usize = 100;

impl Deliverer {
    /// Makes one due again that a rule of the account refused, where nobody else is owed who could show whether it is gone.
    pub(super) async fn probe_by(&self, refused: &DeliveryId) -> Result<(), StoreError> {
        let settings = Arc::clone(&self.settings.borrow());
        let now = self.clock.wall();
        let turn = self.store.turn().await;
        let Readable { mut world, bad } = self.readable(&BTreeSet::from([refused.clone()])).await?;
        let mut is_due = false;
        let defects = each(&mut world, &[refused], |refused, world| {
            is_due = decision::redrive(refused, RedriveBy::Probe, world, &settings, now);
        });
        say_passed_over(refused, bad.first().map(|(_, why)| why).or(defects.first().map(|(_, why)| why)));
        if !is_due || !defects.is_empty() {
            // It was sent, given up or erased meanwhile, or can't be tried.
            world.destination.document.is_refused_no_more(refused);
            world.destination.changed = true;
        }
        self.store.apply(Plan::of(world, &settings.account)).await?;
        drop(turn);
        self.owed.notify_one();
        Ok(())
    }

    /// Makes due again what a rule of the account refused that is gone, some at a time.
    pub(super) async fn redrive(&self, ids: &[DeliveryId]) -> Result<(), StoreError> {
        let settings = Arc::clone(&self.settings.borrow());
        let now = self.clock.wall();
        for some in ids.chunks(REDRIVEN_AT_ONCE) {
            let _turn = self.store.turn().await;
            let Readable { mut world, bad } = self.readable(&some.iter().cloned().collect()).await?;
            let defects = each(&mut world, some, |id, world| {
                decision::redrive(id, RedriveBy::Rule, world, &settings, now);
            });
            let unreadable = bad.iter().map(|(id, why)| (id, why));
            let met = defects.iter().filter_map(|(nth, why)| Some((some.get(*nth)?, why)));
            for (id, why) in unreadable.chain(met) {
                say_passed_over(id, Some(why));
            }
            world.destination.document.redrive.retain(|id| !some.contains(id));
            world.destination.changed = true;
            self.store.apply(Plan::of(world, &settings.account)).await?;
        }
        Ok(())
    }
}

fn say_passed_over(id: &DeliveryId, why: Option<&String>) {
    if let Some(why) = why {
        tracing::error!(
            delivery = id.0,
            code = "redrive_passed_over",
            why,
            "a refused record can't be tried again and stays a dead letter; all others go on. Report the place"
        );
    }
}
