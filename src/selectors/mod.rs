//! The selectors of an account: its lists of stages, owners, sources and the like, in which a name has an id.
//!
//! Ids differ by account and names are what people know, so the mapping and everything that is wanted say names; an id is
//! put in when the body of a call is built. Pure: whoever asks the account hands the answers in. Must not know what a
//! contact or a deal wants.

mod kind;
mod resolved;
mod table;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use kind::{Kind, Named, OF_COMPANY, OF_CONTACT, OF_DEAL, attribute};
pub use resolved::{HAVE_MAX, Resolved};
pub use table::{ENTRIES_MAX, Entry, Forecast, LISTS_PER_PAGE, PARTS_MAX, Stage, Table};

use crate::clock::UnixMicros;
use crate::event::fold_name;

/// A list that was asked for longer ago is asked for again.
pub const FRESH_FOR: Duration = Duration::from_hours(24);

/// One in which a name is missing is asked for again after this long.
pub const MISSING_FRESH_FOR: Duration = Duration::from_hours(1);

/// What is known of the lists of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Selectors {
    lists: BTreeMap<Kind, List>,
}

/// A list, and when it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct List {
    /// When the account answered.
    pub asked_at: UnixMicros,
    /// What it answered.
    pub answer: Answered,
}

/// What an account answered when it was asked for a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answered {
    /// The list.
    Known(Table),
    /// The user of the key may not see it (403).
    Forbidden,
    /// Something that is no list: the account has none of this kind, or answers in a way nobody has seen yet.
    Unreadable,
}

impl Selectors {
    /// Takes an answer in, in place of what was known of that list.
    pub fn learn(&mut self, kind: Kind, asked_at: UnixMicros, answer: Answered) {
        self.lists.insert(kind, List { asked_at, answer });
    }

    /// What is known of a list; `None` while it was not asked for.
    #[must_use]
    pub fn list(&self, kind: Kind) -> Option<&List> {
        self.lists.get(&kind)
    }

    /// Every list that was asked for.
    pub fn lists(&self) -> impl Iterator<Item = (Kind, &List)> {
        self.lists.iter().map(|(kind, list)| (*kind, list))
    }

    /// What was answered of the lists that are needed, whenever that was.
    #[must_use]
    pub fn answers(&self, needed: &BTreeSet<Kind>) -> BTreeMap<Kind, &Answered> {
        self.lists()
            .filter(|(kind, _)| needed.contains(kind))
            .map(|(kind, list)| (kind, &list.answer))
            .collect()
    }

    /// When a list has to be asked for again; `None` where it never was. One in which a name is `missing` sooner than others:
    /// somebody may be adding it.
    #[must_use]
    pub fn due_at(&self, kind: Kind, missing: &BTreeSet<Kind>) -> Option<UnixMicros> {
        let fresh_for = if missing.contains(&kind) { MISSING_FRESH_FOR } else { FRESH_FOR };
        self.list(kind).map(|list| list.asked_at.plus(fresh_for))
    }

    /// Which of the lists that are needed have to be asked for: those that never were first, then the oldest.
    #[must_use]
    pub fn due(&self, needed: &BTreeSet<Kind>, missing: &BTreeSet<Kind>, now: UnixMicros) -> Vec<Kind> {
        let is_due = |kind: &&Kind| self.due_at(**kind, missing).is_none_or(|due_at| now >= due_at);
        let mut due: Vec<Kind> = needed.iter().filter(is_due).copied().collect();
        due.sort_by_key(|kind| self.list(*kind).map(|list| list.asked_at));
        due
    }

    /// The id of a name in a whole list: of a pipeline, a source, an owner (by email), a currency (by code).
    #[must_use]
    pub fn resolve(&self, kind: Kind, name: &str) -> Resolved {
        match self.table(kind) {
            Err(resolved) => resolved,
            Ok(table) => find(kind, name, table.entries.iter()),
        }
    }

    /// The id of a status among those of a lifecycle stage: a name may stand in several stages. Without a stage, or for one
    /// whose statuses are not known, in the whole list.
    #[must_use]
    pub fn contact_status(&self, stage_id: Option<u64>, name: &str) -> Resolved {
        let of_stage = stage_id.and_then(|id| self.lifecycle_stage(id));
        let belongs = of_stage.map(|(_, stage)| &stage.contact_status_ids).filter(|ids| !ids.is_empty());
        match (self.table(Kind::ContactStatuses), belongs) {
            (Err(resolved), _) => resolved,
            (Ok(table), Some(ids)) => {
                let inside = table.entries.iter().filter(|status| ids.contains(&status.id));
                find(Kind::ContactStatuses, name, inside)
            }
            (Ok(table), None) => find(Kind::ContactStatuses, name, table.entries.iter()),
        }
    }

    /// The id of an outcome among those of a type of activities. A type whose outcomes the account was not asked for is no answer.
    #[must_use]
    pub fn activity_outcome(&self, activity_type: u64, name: &str) -> Resolved {
        match self.table(Kind::SalesActivityOutcomes) {
            Err(resolved) => resolved,
            Ok(table) => match table.entries.iter().find(|entry| entry.id == activity_type) {
                None => Resolved::NotAsked,
                Some(entry) => entry.stage(name),
            },
        }
    }

    /// A lifecycle stage by its id, with its place in the order of the account.
    #[must_use]
    pub fn lifecycle_stage(&self, id: u64) -> Option<(usize, &Entry)> {
        let stages = self.table(Kind::LifecycleStages).ok()?;
        stages.entries.iter().enumerate().find(|(_, stage)| stage.id == id)
    }

    /// The pipeline of a name, else the default one.
    ///
    /// # Errors
    /// Why there is none.
    pub fn pipeline(&self, name: Option<&str>) -> Result<&Entry, Resolved> {
        let table = self.table(Kind::DealPipelines)?;
        let by_id = |id: u64| table.entries.iter().find(|pipeline| pipeline.id == id);
        let found = match name {
            Some(name) => match find(Kind::DealPipelines, name, table.entries.iter()) {
                Resolved::Id(id) => by_id(id),
                unresolved => return Err(unresolved),
            },
            None => {
                table.entries.iter().find(|pipeline| pipeline.is_default).or_else(|| table.entries.first())
            }
        };
        found.ok_or_else(|| unknown(Kind::DealPipelines, std::iter::empty()))
    }

    /// The id of a stage in the pipeline of a name, else in the default one.
    #[must_use]
    pub fn stage(&self, pipeline: Option<&str>, name: &str) -> Resolved {
        match self.pipeline(pipeline) {
            Ok(pipeline) => pipeline.stage(name),
            Err(resolved) => resolved,
        }
    }

    /// A stage of a deal by its id, with its pipeline.
    #[must_use]
    pub fn stage_by_id(&self, id: u64) -> Option<(&Entry, &Stage)> {
        let pipelines = &self.table(Kind::DealPipelines).ok()?.entries;
        let of = |pipeline: &'_ Entry| pipeline.stages.iter().position(|stage| stage.id == id);
        let (pipeline, place) = pipelines.iter().find_map(|pipeline| Some((pipeline, of(pipeline)?)))?;
        Some((pipeline, pipeline.stages.get(place)?))
    }

    fn table(&self, kind: Kind) -> Result<&Table, Resolved> {
        match self.lists.get(&kind).map(|list| &list.answer) {
            None => Err(Resolved::NotAsked),
            Some(Answered::Known(table)) => Ok(table),
            Some(Answered::Forbidden) => Err(Resolved::Forbidden),
            Some(Answered::Unreadable) => Err(Resolved::Unreadable),
        }
    }
}

impl Entry {
    /// The id of a stage of this pipeline.
    #[must_use]
    pub fn stage(&self, name: &str) -> Resolved {
        let named = self.stages.iter().map(|stage| (stage.id, stage.name.as_str()));
        match matching(name, &named, fold_name) {
            Resolved::Unknown { .. } => listing(named.map(|(_, name)| name)),
            found => found,
        }
    }

    /// How far a deal in the stage of a name is: the order of the account's positions, with won behind all others.
    /// `None` for a name this pipeline does not have once.
    #[must_use]
    pub fn rank(&self, name: &str) -> Option<(bool, i64, usize)> {
        let id = self.stage(name).id()?;
        let place = self.stages.iter().position(|stage| stage.id == id)?;
        let stage = self.stages.get(place)?;
        Some((stage.forecast == Forecast::Won, stage.position, place))
    }
}

/// Looks a name up among entries.
fn find<'e>(kind: Kind, name: &str, entries: impl Iterator<Item = &'e Entry> + Clone) -> Resolved {
    let named = entries.clone().map(|entry| (entry.id, entry.name.as_str()));
    // Two addresses that differ in `_` or `-` are two people.
    let fold = if kind == Kind::Owners { str::to_lowercase } else { fold_name };
    match matching(name, &named, fold) {
        Resolved::Unknown { .. } => unknown(kind, entries),
        found => found,
    }
}

/// The entry of a name; where several have it, the one that is spelled exactly so.
fn matching<'n>(
    name: &str,
    named: &(impl Iterator<Item = (u64, &'n str)> + Clone),
    fold: fn(&str) -> String,
) -> Resolved {
    let wanted = fold(name.trim());
    let ids = |fits: &dyn Fn(&str) -> bool| -> Vec<u64> {
        named.clone().filter(|(_, name)| fits(name)).map(|(id, _)| id).collect()
    };
    let alike = ids(&|other| fold(other) == wanted);
    match alike.as_slice() {
        [] => Resolved::Unknown { have: Vec::new(), more: 0 },
        [id] => Resolved::Id(*id),
        _ => match ids(&|other| other == name.trim()).as_slice() {
            [id] => Resolved::Id(*id),
            _ => Resolved::Several { ids: alike },
        },
    }
}

fn unknown<'e>(kind: Kind, entries: impl Iterator<Item = &'e Entry>) -> Resolved {
    match kind {
        // The addresses of an account's users are nobody's business but theirs.
        Kind::Owners => Resolved::Unknown { have: Vec::new(), more: 0 },
        Kind::DealPipelines
        | Kind::LifecycleStages
        | Kind::ContactStatuses
        | Kind::LeadSources
        | Kind::Campaigns
        | Kind::Territories
        | Kind::Currencies
        | Kind::DealTypes
        | Kind::DealReasons
        | Kind::DealPaymentStatuses
        | Kind::SalesActivityTypes
        | Kind::SalesActivityOutcomes
        | Kind::Lists => listing(entries.map(|entry| entry.name.as_str())),
    }
}

fn listing<'n>(names: impl Iterator<Item = &'n str>) -> Resolved {
    let mut have: Vec<String> = names.map(str::to_owned).collect();
    let more = have.len().saturating_sub(HAVE_MAX);
    have.truncate(HAVE_MAX);
    Resolved::Unknown { have, more }
}

/// A value of an event as the name that is looked up: numbers and truth values as they are written.
#[must_use]
pub fn name_in(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
