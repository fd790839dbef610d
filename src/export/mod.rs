//! Exports: the deals of an account as a file, read page by page within the allowance; what is asked next, what an answer changes.
//!
//! Pure. An export is a document that says where it stands, so it goes on after a restart or a kill. Must not know how a call is
//! made or where rows are kept.

mod page;
mod row;
mod schedule;
mod view;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::UnixMicros;
use crate::delivery::{Account, Request, Verdict};
use crate::selectors::{Answered, Forecast, Kind, Selectors};

pub use page::{Page, read_page, read_whole};
pub use row::{COLUMNS, Format, Row, csv_line, header_line};
pub use schedule::{At, Every, date_of, last_due};

/// Deals of a page, the most that a page has.
pub const PER_PAGE: u64 = 100;
/// Deals of one export; an account with more is read by days or by pipeline.
pub const ROWS_MAX: u64 = 100_000;
/// Exports that are kept at one time, whatever their state.
pub const EXPORTS_MAX: usize = 10;
/// Custom fields that become columns.
pub const CUSTOM_MAX: usize = 200;
/// Days that may be asked for.
pub const DAYS_MAX: u32 = 3_650;
/// A call that was not answered so often in a row ends an export.
const FAILURES_MAX: u32 = 10;
const RETRY_FIRST: Duration = Duration::from_secs(5);
const RETRY_MAX: Duration = Duration::from_mins(10);
/// Calls beyond those foretold, for pages that are read again and answers that are lost: so many, and this share of the pages.
const SPARE_MIN: u64 = 5;
const SPARE_PERCENT: u64 = 10;
const DAY: Duration = Duration::from_hours(24);

/// What is to be exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Deals that are won alone.
    #[serde(default)]
    pub won: bool,
    /// Those that were closed in so many days, or changed where they are open; all without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
    /// Those of this pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<String>,
    /// No more calls than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_max: Option<u64>,
}

/// How an export stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It goes on.
    Running,
    /// Every deal is there.
    Done,
    /// It was given up, for this reason.
    Failed(String),
}

impl State {
    /// The word in JSON.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed(_) => "failed",
        }
    }
}

/// What is asked next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Step {
    /// The pipelines with their stages.
    Pipelines,
    /// A page of the list; after it the one at which reading goes on.
    Page { page: u64, then: u64 },
    /// The views of deals that the account has.
    Views,
    /// A page of the view of won deals.
    View { view: u64, page: u64 },
    /// The deals of which the list does not show everything, after this id.
    Details { after: u64 },
}

/// How many calls it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Foretold {
    /// As the account stands now.
    pub calls: u64,
    /// With everything that may come in between: pages that are read again, answers that are lost, deals that have to be asked for
    /// one by one.
    pub at_most: u64,
}

/// A stage whose deals are exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageOf {
    /// Its id.
    pub id: u64,
    /// What it is called.
    pub name: String,
    /// The pipeline it belongs to.
    pub pipeline: String,
    /// Whether a deal that stands there is closed.
    pub closed: bool,
}

/// An export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// Its number.
    pub id: u64,
    /// The account that is asked.
    pub account: Account,
    /// What is exported.
    pub wanted: Wanted,
    /// The section of the configuration that ordered it; none where a person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it was ordered.
    pub begun_at: UnixMicros,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<UnixMicros>,
    /// How it stands.
    pub state: State,
    step: Step,
    /// The stages whose deals are read; empty until the pipelines are known.
    pub stages: Vec<StageOf>,
    /// Calls that have left.
    pub calls: u64,
    /// How many it takes, once the first page is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foretold: Option<Foretold>,
    /// Calls beyond those, that may still leave.
    spare: u64,
    /// Deals of the list when its last page was read.
    total: Option<u64>,
    /// The view of won deals was asked for what the list does not show.
    #[serde(default)]
    viewed: bool,
    /// Deals that may have been missed.
    pub missed: u64,
    /// Calls in a row that were not answered.
    failures: u32,
    /// Nothing is asked before.
    pub not_before: UnixMicros,
    /// A call left, and its answer is not noted.
    asking: bool,
    /// Names of the custom fields that were seen.
    pub custom: BTreeSet<String>,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// A call.
    Ask(Request),
    /// Which deal is to be asked for is known by the rows: the first after this id that is not whole.
    Detail(u64),
    /// Nothing: it has ended.
    Ended,
}

/// What an answer brings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Brought {
    /// Deals of the list. Those outside the days are noted alone, so that each counts once.
    pub rows: Vec<(u64, Option<Row>)>,
}

impl Export {
    /// An export that is ordered.
    #[must_use]
    pub fn new(id: u64, account: Account, wanted: Wanted, name: Option<String>, now: UnixMicros) -> Self {
        Self {
            id,
            account,
            wanted,
            name,
            begun_at: now,
            ended_at: None,
            state: State::Running,
            step: Step::Pipelines,
            stages: Vec::new(),
            calls: 0,
            foretold: None,
            spare: SPARE_MIN,
            total: None,
            viewed: false,
            missed: 0,
            failures: 0,
            not_before: now,
            asking: false,
            custom: BTreeSet::new(),
        }
    }

    /// Whether it goes on.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.state == State::Running
    }

    /// What is asked next. Pipelines that are known already are not asked for.
    pub fn next(&mut self, selectors: &Selectors, now: UnixMicros) -> Next {
        if self.step == Step::Pipelines
            && let Some(list) = selectors.list(Kind::DealPipelines)
        {
            self.know_pipelines(&list.answer, now);
        }
        if !self.is_running() {
            return Next::Ended;
        }
        match self.step {
            Step::Pipelines => Next::Ask(Request::Selector(Kind::DealPipelines.name())),
            Step::Page { page, .. } => Next::Ask(Request::ListDeals {
                stages: self.stages.iter().map(|stage| stage.id).collect(),
                page,
            }),
            Step::Views => Next::Ask(Request::ListDealViews),
            Step::View { view, page } => Next::Ask(Request::ViewDeals { view, page }),
            Step::Details { after } => Next::Detail(after),
        }
    }

    /// A call leaves. One whose answer never came, because the process was killed, counts among those that were spare.
    pub fn asks(&mut self) {
        if self.asking {
            self.spare = self.spare.saturating_sub(1);
        }
        self.asking = true;
        self.calls = self.calls.saturating_add(1);
    }

    /// Whether one more call may leave; otherwise it ends, and says so.
    pub fn may_ask(&mut self, now: UnixMicros) -> bool {
        let max = self.wanted.calls_max.unwrap_or(u64::MAX);
        if self.calls >= max {
            self.fail(format!("it made {} calls, and no more were allowed (calls_max)", self.calls), now);
        }
        self.is_running()
    }

    /// Every deal that is not whole was asked for.
    pub fn all_whole(&mut self, now: UnixMicros) {
        self.end(State::Done, now);
    }

    /// It is given up.
    pub fn fail(&mut self, why: String, now: UnixMicros) {
        self.end(State::Failed(why), now);
    }

    fn end(&mut self, state: State, now: UnixMicros) {
        if self.is_running() {
            (self.state, self.ended_at) = (state, Some(now));
        }
    }

    /// Takes in what a call ended with.
    pub fn answered(&mut self, detail: Option<u64>, verdict: &Verdict, now: UnixMicros) -> Brought {
        self.asking = false;
        let shown = match verdict {
            Verdict::Stored(stored) => stored.shown.as_ref(),
            Verdict::Gone { .. } if detail.is_some() => {
                // It was deleted meanwhile: what the list showed of it stays.
                self.step = Step::Details { after: detail.unwrap_or_default() };
                return Brought::default();
            }
            Verdict::Refused { .. } | Verdict::Shut { .. } | Verdict::Gone { .. }
                if matches!(self.step, Step::Views | Step::View { .. }) =>
            {
                self.step = Step::Details { after: 0 };
                return Brought::default();
            }
            Verdict::Refused { reason, .. } | Verdict::Shut { reason } | Verdict::Gone { reason } => {
                self.fail(format!("Freshsales refuses the question: {reason}"), now);
                return Brought::default();
            }
            Verdict::Throttled { .. } | Verdict::Blocked { .. } => {
                // The account waits, and this with it: it costs nothing.
                self.spare = self.spare.saturating_add(1);
                return self.failed("Freshsales does not answer", now);
            }
            Verdict::Passing { .. } => return self.failed("Freshsales does not answer", now),
        };
        let Some(shown) = shown else { return self.failed("the answer can't be read", now) };
        self.failures = 0;
        match (self.step, detail) {
            (Step::Pipelines, _) => {
                let table = crate::selectors::Table::read(
                    Kind::DealPipelines,
                    &serde_json::Value::Object(shown.clone()),
                );
                self.know_pipelines(&table.map_or(Answered::Unreadable, Answered::Known), now);
                Brought::default()
            }
            (Step::Page { page, then }, _) => self.page_answered(shown, page, then, now),
            (Step::Views, _) => self.views_answered(shown),
            (Step::View { view, page }, _) => self.view_answered(shown, view, page),
            (Step::Details { .. }, Some(id)) => {
                self.step = Step::Details { after: id };
                let row = read_whole(id, shown, &self.stages).filter(|row| self.is_within(row));
                self.note_custom(row.as_ref());
                Brought { rows: vec![(id, row)] }
            }
            (Step::Details { .. }, None) => Brought::default(),
        }
    }

    fn failed(&mut self, why: &str, now: UnixMicros) -> Brought {
        let wait = RETRY_FIRST.saturating_mul(2_u32.saturating_pow(self.failures)).min(RETRY_MAX);
        self.failures = self.failures.saturating_add(1);
        self.spare = self.spare.saturating_sub(1);
        self.not_before = now.plus(wait);
        if self.failures >= FAILURES_MAX {
            self.fail(format!("{why}, {FAILURES_MAX} times in a row"), now);
        }
        Brought::default()
    }

    fn know_pipelines(&mut self, answer: &Answered, now: UnixMicros) {
        let Answered::Known(table) = answer else {
            return self.fail("the key may not see the pipelines of the account".to_owned(), now);
        };
        let wanted = self.wanted.pipeline.as_deref().map(crate::event::fold_name);
        let pipelines = table.entries.iter().filter(|pipeline| {
            wanted.as_ref().is_none_or(|wanted| crate::event::fold_name(&pipeline.name) == *wanted)
        });
        let stages =
            pipelines.flat_map(|pipeline| pipeline.stages.iter().map(|stage| (stage, pipeline.name.clone())));
        self.stages = stages
            .filter(|(stage, _)| !self.wanted.won || stage.forecast == Forecast::Won)
            .map(|(stage, pipeline)| StageOf {
                id: stage.id,
                name: stage.name.clone(),
                pipeline,
                closed: stage.forecast != Forecast::Open,
            })
            .collect();
        if self.stages.is_empty() {
            let names: Vec<&str> = table.entries.iter().map(|entry| entry.name.as_str()).collect();
            return self
                .fail(format!("no stage fits; the account has the pipelines {}", names.join(", ")), now);
        }
        self.step = Step::Page { page: 1, then: 2 };
    }

    fn page_answered(
        &mut self,
        shown: &serde_json::Map<String, serde_json::Value>,
        page: u64,
        then: u64,
        now: UnixMicros,
    ) -> Brought {
        let Some(Page { rows, total }) = read_page(shown, &self.stages) else {
            return self.failed("the answer is no list of deals", now);
        };
        if total > ROWS_MAX {
            let why = format!(
                "the list has {total} deals, more than {ROWS_MAX}: name a pipeline, or won deals alone"
            );
            self.fail(why, now);
            return Brought::default();
        }
        for row in &rows {
            self.note_custom(Some(row));
        }
        let partial = rows.iter().filter(|row| !row.whole && self.is_within(row)).count() as u64;
        let forward = then == page + 1;
        let gone = self.total.filter(|_| forward).map_or(0, |before| before.saturating_sub(total));
        if forward {
            self.total = Some(total);
        }
        let pages = total.div_ceil(PER_PAGE);
        self.foretell(pages, total, partial, rows.len() as u64);
        self.step = if gone > 0 && page > 1 && self.spare > 0 {
            // Deals have left the list since the page before was read, so some of this page stand there now.
            self.spare -= 1;
            self.missed = self.missed.saturating_add(gone.saturating_sub(PER_PAGE));
            Step::Page { page: page - 1, then: page + 1 }
        } else {
            self.missed = self.missed.saturating_add(if page > 1 { gone } else { 0 });
            if then > pages { Step::Details { after: 0 } } else { Step::Page { page: then, then: then + 1 } }
        };
        let noted = |row: Row| {
            let id = row.id;
            (id, Some(row).filter(|row| self.is_within(row)))
        };
        Brought { rows: rows.into_iter().map(noted).collect() }
    }

    /// Says how many calls it takes, by the first page. Deals of which the list shows no owner are looked for in the view of won deals,
    /// and asked for one by one where that has them not.
    fn foretell(&mut self, pages: u64, total: u64, thin: u64, of: u64) {
        if self.foretold.is_some() {
            return;
        }
        let spare = SPARE_MIN.max(pages * SPARE_PERCENT / 100);
        self.spare = self.spare.max(spare);
        let left = pages.saturating_sub(1);
        let details = if thin == 0 { 0 } else { total.saturating_mul(thin).div_ceil(of.max(1)) };
        let most = if thin > 0 { total } else { 0 };
        let view = self.calls_of_view(details, total);
        let calls = self.calls.saturating_add(left).saturating_add(view.unwrap_or(details));
        let at_most = self.calls.saturating_add(left).saturating_add(self.spare);
        let at_most = at_most.saturating_add(view.unwrap_or_default()).saturating_add(most.max(details));
        self.foretold = Some(Foretold { calls, at_most });
    }

    /// Once the list is read, and the view where it is worth it, it is known how many deals are not whole.
    pub fn details_left(&mut self, thin: u64) {
        let view = self.calls_of_view(thin, self.total.unwrap_or_default());
        if let (Step::Details { after: 0 }, Some(foretold)) = (self.step, self.foretold.as_mut()) {
            foretold.calls = self.calls.saturating_add(view.unwrap_or(thin));
            foretold.at_most = foretold.at_most.max(foretold.calls);
            if view.is_some() {
                (self.step, self.viewed) = (Step::Views, true);
            }
        }
    }

    /// Whether its deals are to be asked for one by one now.
    #[must_use]
    pub fn asks_for_details(&self) -> bool {
        matches!(self.step, Step::Details { .. })
    }

    fn note_custom(&mut self, row: Option<&Row>) {
        for name in row.into_iter().flat_map(|row| row.custom.keys()) {
            if self.custom.len() < CUSTOM_MAX {
                self.custom.insert(name.clone());
            }
        }
    }

    /// Whether a deal is one of the days that are wanted: by when it was closed, or else by when it was changed.
    fn is_within(&self, row: &Row) -> bool {
        let Some(days) = self.wanted.days else { return true };
        let since = self.begun_at.minus(DAY.saturating_mul(days)).to_rfc3339();
        let day = since.get(..10).unwrap_or_default();
        let closed = self
            .stages
            .iter()
            .any(|stage| stage.closed && stage.name == row.stage && stage.pipeline == row.pipeline);
        let at = if row.closed_date.is_empty() && !closed { &row.updated_at } else { &row.closed_date };
        // A list that does not show when a deal was closed is asked for the deal itself.
        at.get(..10).map_or(!row.whole, |at| at >= day)
    }
}
