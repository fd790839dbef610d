//! The history of consent of a contact: each change that counted, as evidence.
//!
//! Must not decide what counts.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::UnixMicros;
use crate::consent::{Category, Choice, Counted, Stand};

/// Changes kept of one contact; beyond it the oldest go, and are counted.
pub const CHANGES_MAX: usize = 100;

/// A change of consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentChange {
    /// When it was said, or when the value first stood there.
    pub at: UnixMicros,
    /// Of which category.
    pub category: Category,
    /// What counted from then on.
    pub choice: Choice,
    /// Where in the event it stood.
    pub key: String,
    /// What stood there.
    pub value: String,
    /// It is the state of a consent tool, not what a person said.
    pub shown: bool,
    /// The consent tool, as far as it can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The page, without its query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// The source it came by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

impl ConsentChange {
    fn of(category: &Category, counted: &Counted) -> Self {
        let statement = counted.statement.clone();
        Self {
            at: counted.since.at,
            category: category.clone(),
            choice: statement.choice,
            key: statement.key,
            value: statement.value,
            shown: counted.shown,
            tool: statement.tool,
            page: statement.page,
            source: statement.source,
        }
    }
}

/// The changes, in the order in which they took effect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConsentHistory {
    /// The newest of them.
    pub changes: Vec<ConsentChange>,
    /// Older ones that are not kept any more.
    #[serde(skip_serializing_if = "is_zero")]
    pub dropped: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl ConsentHistory {
    /// Whether nothing was kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.dropped == 0
    }

    /// The history with what counts now and without what is older than `keep`; `None` where that is the same. The newest
    /// change of each category stays as long as the contact: it says why things are as they are.
    #[must_use]
    pub fn with<'s>(
        &self,
        stands: impl IntoIterator<Item = (&'s Category, &'s Stand)>,
        keep: Option<Duration>,
        now: UnixMicros,
    ) -> Option<Self> {
        let mut next = self.clone();
        for (category, stand) in stands {
            let Some(counted) = stand.newest() else { continue };
            let last = next.changes.iter().rfind(|change| change.category == *category);
            if last.is_none_or(|last| last.choice != counted.statement.choice) {
                next.changes.push(ConsentChange::of(category, counted));
            }
        }
        let oldest = keep.map(|keep| now.minus(keep));
        next.drop_where(|change| oldest.is_some_and(|oldest| change.at < oldest));
        let beyond = next.changes.len().saturating_sub(CHANGES_MAX);
        next.changes.drain(..beyond);
        next.dropped += u64::try_from(beyond).unwrap_or(u64::MAX);
        (next != *self).then_some(next)
    }

    /// Leaves the newest change of each category, without the page: what a refusal that stays needs.
    pub fn keep_newest(&mut self) {
        self.drop_where(|_| true);
        self.changes.iter_mut().for_each(|change| change.page = None);
    }

    /// Drops changes, but never the newest of a category.
    fn drop_where(&mut self, goes: impl Fn(&ConsentChange) -> bool) {
        let before = self.changes.len();
        let newer: Vec<Category> = self.changes.iter().map(|change| change.category.clone()).collect();
        let mut index = 0;
        self.changes.retain(|change| {
            index += 1;
            let newest = !newer[index..].contains(&change.category);
            newest || !goes(change)
        });
        self.dropped += u64::try_from(before - self.changes.len()).unwrap_or(u64::MAX);
    }
}
