//! The exact JSON of the calls that tell happenings, and what lists of the account show of them.
//!
//! Must not resolve names: ids are put in already.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::text::{cut, escaped};
use super::{Happening, Says, TEXT_CHARS_MAX, TITLE_CHARS_MAX, Text};
use crate::clock::UnixMicros;
use crate::delivery::{HappeningId, HappeningKind, TargetKind, whole_number};

/// What stands before markers.
const MARKED: &str = "freshsignal";
/// Lists of Freshsales come in pages of so many (seen on live accounts), so that one that is full may have another page.
const PAGE_ENTRIES: usize = 25;
/// The clocks of an account and of this machine differ by less.
const CLOCKS_DIFFER: Duration = Duration::from_mins(10);

/// The ids that names stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Of the type of an activity.
    pub activity_type: Option<u64>,
    /// Of the outcome of an activity.
    pub outcome: Option<u64>,
    /// Of the user who owns an activity or a task.
    pub owner: Option<u64>,
}

/// One of those that are told by a call.
#[derive(Clone, Debug)]
pub struct Part<'a> {
    /// Its id.
    pub id: &'a HappeningId,
    /// Itself.
    pub happening: &'a Happening,
    /// What is known of its person.
    pub known: BTreeMap<String, String>,
}

impl Part<'_> {
    /// What it says, line by line.
    fn lines(&self) -> Vec<String> {
        match &self.happening.says {
            Says::Note { text } | Says::Activity { text, .. } | Says::Task { text, .. } => {
                text.lines(&self.known)
            }
            Says::More { events, due_at } => {
                let day = due_at.minus(Duration::from_secs(1)).to_rfc3339();
                vec![format!("and {events} more on {}", day.chars().take(10).collect::<String>())]
            }
        }
    }

    /// What it says, as a person reads it.
    #[must_use]
    pub fn text(&self) -> String {
        cut(&self.lines().join("\n"), TEXT_CHARS_MAX)
    }

    /// About how many characters it adds to a text.
    #[must_use]
    pub fn chars(&self) -> usize {
        self.lines().iter().map(|line| line.chars().count() + 1).sum()
    }

    /// The title of an activity or a task.
    #[must_use]
    pub fn title(&self) -> String {
        let line = |title: &Text| title.line(&self.known, TITLE_CHARS_MAX);
        match &self.happening.says {
            Says::Activity { title, .. } | Says::Task { title, .. } => line(title),
            Says::Note { .. } | Says::More { .. } => String::new(),
        }
    }
}

/// The body of the call that tells these, the oldest first; all are of one kind. `marker`: what is told can be found again.
#[must_use]
pub fn body_of(parts: &[Part<'_>], target: (TargetKind, u64), names: Names, marker: bool) -> Value {
    let Some(first) = parts.first() else { return Value::Null };
    let mut record = Map::new();
    let kind = first.happening.kind();
    let text = text_of(parts, kind, marker);
    let mut put = |name: &str, value: Value| drop(record.insert(name.to_owned(), value));
    match &first.happening.says {
        Says::Note { .. } | Says::More { .. } => put("description", Value::from(text)),
        Says::Activity { .. } => {
            put("title", Value::from(counted(&first.title(), parts.len())));
            put("notes", Value::from(text));
            let at = first.happening.stamp.at.to_rfc3339();
            put("start_date", Value::from(at.clone()));
            put("end_date", Value::from(at));
            if let Some(id) = names.activity_type {
                put("sales_activity_type_id", json!(id));
            }
            if let Some(id) = names.outcome {
                put("sales_activity_outcome_id", json!(id));
            }
        }
        Says::Task { due_at, .. } => {
            put("title", Value::from(first.title()));
            put("description", Value::from(text));
            put("due_date", Value::from(due_at.to_rfc3339()));
        }
    }
    if let Some(id) = names.owner {
        put("owner_id", json!(id));
    }
    put("targetable_type", Value::from(target.0.as_type()));
    put("targetable_id", json!(target.1));
    Value::Object(Map::from_iter([(kind.record().to_owned(), Value::Object(record))]))
}

/// A title, and how often it happened.
fn counted(title: &str, times: usize) -> String {
    if times < 2 {
        return title.to_owned();
    }
    let end = format!(" ({times} times)");
    format!("{}{end}", cut(title, TITLE_CHARS_MAX.saturating_sub(end.len())))
}

fn text_of(parts: &[Part<'_>], kind: HappeningKind, marker: bool) -> String {
    // Of activities that are one, what the first says is what all say.
    let said = if kind == HappeningKind::Note { parts } else { parts.get(..1).unwrap_or_default() };
    let blocks: Vec<Vec<String>> = said.iter().map(Part::lines).collect();
    let apart = blocks.len() > 1 && blocks.iter().any(|block| block.len() > 1);
    let text = blocks.iter().map(|block| block.join("\n")).collect::<Vec<_>>();
    let text = text.join(if apart { "\n\n" } else { "\n" });
    let mut text = escaped(&cut(&text, TEXT_CHARS_MAX));
    if marker {
        let markers: Vec<&str> = parts.iter().map(|part| part.id.marker()).collect();
        let line = format!("{MARKED} {}", markers.join(" "));
        text = if text.is_empty() { line } else { format!("{text}\n{line}") };
    }
    match kind {
        // Notes are shown as HTML, where a line ends by this alone.
        HappeningKind::Note => text.replace('\n', "<br>"),
        HappeningKind::Activity | HappeningKind::Task => text,
    }
}

/// What a page of a list shows of a happening.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The ids of those that have its marker, the lowest first.
    pub ids: Vec<u64>,
    /// The list may have another page.
    pub more: bool,
}

/// What a list is looked through for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// What it lists.
    pub kind: HappeningKind,
    /// What the text ends with.
    pub marker: &'a str,
    /// It was written at this moment, or later.
    pub since: UnixMicros,
    /// Which page this is, from 1.
    pub page: u32,
}

/// What an answer shows of a happening; `None` where it shows no list.
#[must_use]
pub fn found_in(answer: &Map<String, Value>, wanted: Wanted<'_>) -> Option<Found> {
    let Wanted { kind, marker, since, page } = wanted;
    let names: &[&str] = match kind {
        HappeningKind::Note => &["notes"],
        HappeningKind::Activity => &["sales_activities", "activities"],
        HappeningKind::Task => &["tasks"],
    };
    let list = names.iter().find_map(|name| answer.get(*name)?.as_array())?;
    let has_it = |entry: &&Value| says(entry, marker);
    let ids: BTreeSet<u64> =
        list.iter().filter(has_it).filter_map(|entry| whole_number(entry.get("id")?)).collect();
    let pages = answer.get("meta").and_then(|meta| meta.get("total_pages")).and_then(Value::as_u64);
    let full = || !list.is_empty() && list.len() % PAGE_ENTRIES == 0;
    let more = pages.map_or_else(full, |pages| u64::from(page) < pages) && !is_past(list, since);
    Some(Found { ids: ids.into_iter().collect(), more })
}

/// Whether a list is sorted by when its entries were written, the newest first, and has come to those that are older.
fn is_past(list: &[Value], since: UnixMicros) -> bool {
    let written = |entry: &Value| UnixMicros::parse(entry.get("created_at")?.as_str()?);
    let moments: Option<Vec<UnixMicros>> = list.iter().map(written).collect();
    let Some(moments) = moments else { return false };
    let sorted = moments.windows(2).all(|pair| pair.first() >= pair.last());
    sorted
        && moments.first() > moments.last()
        && moments.last().is_some_and(|last| last.plus(CLOCKS_DIFFER) < since)
}

/// Whether a text stands anywhere in a value.
fn says(value: &Value, words: &str) -> bool {
    match value {
        Value::String(text) => text.contains(words),
        Value::Array(items) => items.iter().any(|item| says(item, words)),
        Value::Object(fields) => fields.values().any(|value| says(value, words)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The end of the day of a moment, and the number of that day.
#[must_use]
pub fn day_of(moment: UnixMicros) -> (i64, UnixMicros) {
    const DAY: i64 = 86_400_000_000;
    let day = moment.0.div_euclid(DAY);
    (day, UnixMicros((day + 1) * DAY))
}
