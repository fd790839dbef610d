//! The parts that work beside the listeners, and what each is given.

use std::future::Future;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{App, Parts, RunError, arrivals, background, flow, unfailing};
use crate::alerts::Teller;
use crate::conversions::Conversions;
use crate::decision::{claim, decide};
use crate::deliver::Deliverer;
use crate::erase::Eraser;
use crate::exports::Exports;
use crate::outputs::Outputs;
use crate::process::Processor;
use crate::retain::{self, Retirement};
use crate::store::{SharedStore, StoreError};
use crate::walk::Reviewer;

impl App {
    /// What watches whether more becomes owed than may leave.
    fn arrivals(&self) -> arrivals::Watch {
        arrivals::Watch {
            store: Arc::clone(&self.store),
            settings: self.reload.settings.subscribe(),
            usage: self.usage.subscribe(),
            sharing: self.sharing.subscribe(),
            shares: self.config.delivery.shares(),
            pressure: self.pressure.clone(),
            clock: Arc::clone(&self.clock),
        }
    }

    /// What watches whether what is accepted takes effect.
    fn flow_watch(&self) -> flow::Watch {
        flow::Watch {
            accepted: self.store.journal_end(),
            processed: self.store.processed_end(),
            trouble: self.trouble.subscribe(),
            shown: self.flow.clone(),
            clock: Arc::clone(&self.clock),
        }
    }

    /// What tells a person when something is wrong.
    fn teller(&self) -> Teller {
        Teller {
            store: Arc::clone(&self.store),
            settings: self.reload.settings.subscribe(),
            vitals: self.vitals.clone(),
            clock: Arc::clone(&self.clock),
            config: self.reload.alerts.subscribe(),
            board: self.board.clone(),
        }
    }

    /// What tells other systems of what happened.
    fn outputs(&self) -> Outputs {
        Outputs {
            store: Arc::clone(&self.store),
            settings: self.reload.settings.subscribe(),
            clock: Arc::clone(&self.clock),
            whom: self.reload.whom.subscribe(),
            stalls: self.vitals.stalls.clone(),
        }
    }

    /// The files of conversions.
    pub(super) fn conversions(&self) -> Conversions {
        let (settings, config) = (self.reload.settings.subscribe(), self.reload.conversions.subscribe());
        Conversions::new(Arc::clone(&self.store), settings, config, Arc::clone(&self.clock))
    }

    /// What makes the calls.
    pub(super) fn deliverer(&self) -> Deliverer {
        Deliverer {
            settled: Arc::clone(&self.erasing.ordered),
            decide: claim,
            store: Arc::clone(&self.store),
            crm: Arc::clone(&self.crm),
            settings: self.reload.settings.subscribe(),
            config: self.config.delivery.clone(),
            bulk: self.config.bulk.clone(),
            limits: self.config.allowance.limits(),
            clock: Arc::clone(&self.clock),
            owed: Arc::clone(&self.bells.owed),
            usage: self.usage.clone(),
            sharing: self.sharing.clone(),
            names: self.reload.settings.clone(),
            stalls: self.vitals.stalls.clone(),
            by_hand: self.bells.by_hand.clone(),
            traces: self.traces.clone(),
        }
    }

    /// What orders exports by itself.
    fn exports(&self) -> Exports {
        Exports {
            store: Arc::clone(&self.store),
            settings: self.reload.settings.subscribe(),
            config: self.config.exports.clone(),
            clock: Arc::clone(&self.clock),
            owed: Arc::clone(&self.bells.owed),
            stalls: self.vitals.stalls.clone(),
        }
    }

    fn eraser(&self) -> Eraser {
        Eraser {
            store: Arc::clone(&self.store),
            settings: self.reload.settings.subscribe(),
            clock: Arc::clone(&self.clock),
            ordered: Arc::clone(&self.erasing.ordered),
            owed: Arc::clone(&self.bells.owed),
            done: self.erasing.done.clone(),
            stalls: self.vitals.stalls.clone(),
        }
    }

    pub(super) fn spawn_workers(&self, stop: &CancellationToken, parts: &mut Parts) {
        let bells = &self.bells;
        let store: SharedStore = Arc::clone(&self.store);
        let processor = Processor {
            store: Arc::clone(&store),
            settings: self.reload.settings.subscribe(),
            clock: Arc::clone(&self.clock),
            owed: Arc::clone(&bells.owed),
            decide: Arc::new(decide),
            trouble: self.trouble.clone(),
            consent: self.vitals.consent.clone(),
            senders: Arc::clone(&self.vitals.senders),
            stalls: self.vitals.stalls.clone(),
            traces: self.traces.clone(),
        };
        let reviewer = Reviewer {
            store: Arc::clone(&store),
            settings: self.reload.settings.subscribe(),
            clock: Arc::clone(&self.clock),
            owed: Arc::clone(&bells.owed),
            ordered: Arc::clone(&bells.ordered),
            dead_letters_max: self.config.retention.dead_letters_max,
            backfill_per_hour: self.backfill_per_hour(),
            stalls: self.vitals.stalls.clone(),
        };
        let deliverer = self.deliverer();
        let eraser = self.eraser();
        let retirement = Retirement {
            store: Arc::clone(&store),
            settings: self.reload.settings.subscribe(),
            clock: Arc::clone(&self.clock),
            patience: retain::patience(&self.config.retention),
            stalls: self.vitals.stalls.clone(),
        };
        parts.spawn(background::run("privacy", eraser.run(stop.clone())));
        parts.spawn(background::run("retirement", retirement.run(stop.clone())));
        let (kept, stalls) = (self.config.retention.clone(), self.vitals.stalls.clone());
        let retention = retain::run(store, kept, Arc::clone(&self.clock), stalls, stop.clone());
        parts.spawn(ended(self.arrivals().run(stop.clone())));
        let flow = self.flow_watch().run(stop.clone());
        parts.spawn(unfailing(flow));
        let (stopped, drain) = (stop.clone(), self.drain());
        parts.spawn(background::run("process", processor.run(stop.clone())));
        parts.spawn(background::run("review", reviewer.run(stop.clone())));
        parts.spawn(ended(async move { deliverer.run(stopped, drain).await }));
        parts.spawn(ended(retention));
        parts.spawn(ended(self.teller().run(stop.clone())));
        parts.spawn(ended(self.outputs().run(stop.clone())));
        parts.spawn(ended(self.exports().run(stop.clone())));
        parts.spawn(ended(self.debugger.clone().carry_out_orders(stop.clone())));
        let history = self.debugger.clone().keep_history(stop.clone());
        parts.spawn(unfailing(history));
    }
}

async fn ended(part: impl Future<Output = Result<(), StoreError>>) -> Result<(), RunError> {
    Ok(part.await?)
}
