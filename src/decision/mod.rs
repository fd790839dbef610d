//! THE decision: what an event means for people and contacts, and what is owed then.
//!
//! [`decide`] reads top to bottom. It is pure: it works on a working set of documents and takes `now` as an
//! argument. `process`, the `map` command and `/api/map` call it.

mod action;
mod actions;
mod bulk;
mod call;
mod came_by;
mod claiming;
mod clicks;
mod company;
mod considered;
mod contributed;
mod crm;
mod crowd;
mod deal;
mod distrust;
mod dry_run;
mod erase;
mod erase_records;
mod foresee;
mod forward;
mod happening;
mod hearing;
mod judge;
mod junk;
mod lead;
mod learn;
mod lists;
mod missing;
mod names;
mod outcome;
mod owe;
mod reading;
mod record;
mod redrive;
mod refusal;
mod rehearsal;
mod rename;
mod resend;
mod respell;
mod retire;
mod review;
mod sender;
mod settings;
mod settlement;
mod shown;
mod simulate;
mod suppress;
mod tags;
mod tell;
mod transition;
mod whose;
mod wish;
mod world;

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use tests::settings as test_settings;

pub use action::{Action, ActionState};
pub use bulk::{Undone, bulk_failed, carried, give_back, may_share};
pub use call::{CallOrder, Settlement};
pub use company::consider_company;
pub use considered::Considered;
pub use contributed::{Contributed, Contribution, Gathering, Membership};
pub use crowd::contributions;
pub use deal::{
    ConsideredDeal, DealOrder, NoOrder, consider_deal, conversion_of, may_be_ordered, order_deal,
};
pub use distrust::distrust;
pub use dry_run::{DryRun, DryRunLine, DryRunRefusal};
pub use erase::{ErasureOrder, erase, extent};
pub use foresee::{Change, Foreseen, foresee, relearn};
pub use happening::{
    ConsideredHappening, HappeningOrder, NoHappening, consider_happening, may_drop, may_tell,
    order_happening, told_body,
};
pub use judge::Decided;
pub use junk::{kin_of_junk, tidy};
pub use lists::{HeldPlace, WantedPlace, place_of, settle_members, wait_for_list, wanted_place};
pub use names::{activity_types_with_outcomes, list_of, missing_names};
pub use outcome::Outcome;
pub use owe::excluded_by;
pub use reading::{Reading, status_value};
pub use record::{claim, companies_needed, dead_letter, open_delivery, settle, void_claim};
pub use redrive::{RedriveAll, Urgency, discard, redrive, redrive_letter};
pub use refusal::RedriveBy;
pub use rename::owed_now;
pub use resend::{may_resend, resend};
pub use respell::respelled_contacts;
pub use retire::{retire_contact, retire_deal, retire_device, retire_happening, retire_person};
pub use review::{Because, Fingerprint, Phase, Review};
pub use settings::{ConsentRules, Rehearsal, RetryRules, Settings, SourceDefaults, Unknown, rules};
pub use simulate::simulate;
pub use suppress::{suppress, unsuppress};
pub use wish::consider;
pub use world::{Deliveries, Held, HeldDelivery, Shelf, World};

use crate::clock::UnixMicros;

/// Decides on one event.
///
/// The working set must hold every document that the event can touch, or not exist; it is changed in place.
pub fn decide(reading: &Reading, world: &mut World, settings: &Settings, now: UnixMicros) -> Decided {
    // A source that is tried out: decided as all others are, and nothing of it is sent.
    if let Some(rehearsal) = settings.rehearsal_of(&reading.source) {
        let decided = decide(reading, world, &rehearsal, now);
        rehearsal::play(world, &rehearsal, now);
        return decided;
    }
    // What was said before its person was erased stays unsaid, however often it comes.
    let Some(reading) = erase::still_said(reading, world) else {
        return count(judge::erased(), world);
    };
    let reading = reading.as_ref();
    // The same message twice is one message.
    if let Some(first) = world.see_again(reading) {
        return count(judge::duplicate(reading, first), world);
    }
    world.see_first(reading);
    if !reading.consent_understood {
        *world.consent_not_understood.entry(reading.source.clone()).or_default() += 1;
    }
    if let Some(said) = &reading.crm {
        return count(crm::hear(reading, said, world, settings, now), world);
    }
    // What does it say, about whom? People are joins, so the order of events does not matter.
    let learned = learn::learn(reading, world);
    company::learn(reading, world);
    deal::learn(reading, world, settings);
    happening::learn(reading, world, settings);
    // Which contacts does that touch, and what is owed to each now?
    let effects = owe::owe(reading, &learned, world, settings, now);
    let actions = actions::owe(reading, &effects, world, settings, now);
    // One outcome: the first that fits, with its reason.
    count(Decided { actions, ..judge::judge(reading, &learned, &effects) }, world)
}

fn count(decided: Decided, world: &mut World) -> Decided {
    *world.outcomes.entry(decided.outcome).or_default() += 1;
    decided
}
