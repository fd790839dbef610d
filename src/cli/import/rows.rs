//! Rows of a file with columns as events: which column goes where, when it was, and the id that makes a row count once.
//!
//! Pure. Must not read files or send anything.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde_json::{Map, Value, json};

use crate::event::{moment_in, put_first};
use crate::ingest::usual_path;

/// Bytes of a hash that make an id.
const HASH_BYTES: usize = 18;

/// Where the values of a column go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// To a path of the event.
    Path(String),
    /// It says when it was.
    Moment,
}

/// What the rows of a file become.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// The name of the event.
    pub event: String,
    /// Headers with where they go, in the order of the file.
    pub columns: Vec<(String, Target)>,
    /// When it was, where no column says so.
    pub as_of: Option<String>,
}

/// Why the columns of a file can't be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum LayoutProblem {
    #[error("the file has no column called `{0}`; it has {1}")]
    NoColumn(String, String),
    #[error("no column is an email address; name it with --column \"HEADER=traits.email\". The file has {0}")]
    NoEmail(String),
    #[error(
        "--column `{0}` is not of the form HEADER=traits.name; paths begin with traits., properties., context. or consent., or are userId"
    )]
    Column(String),
}

/// Why a row makes no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RowProblem {
    /// The column of the moment holds none.
    Moment,
    /// It holds a date with slashes.
    Slashes,
    /// There are more values in it than headers.
    TooLong,
}

impl RowProblem {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Moment => {
                "no date or time stands in the column of --at: it takes 2026-01-31, 31.01.2026, a time after that, or seconds since 1970"
            }
            Self::Slashes => {
                "the date in the column of --at has slashes, so nobody can tell day from month: write it as 2026-01-31 or 31.01.2026"
            }
            Self::TooLong => "the row has more values than the first line has headers",
        }
    }
}

impl Layout {
    /// Lays out a file by its headers; `own` are orders of the form HEADER=PATH.
    pub(super) fn new(
        headers: &[String],
        own: &[String],
        at: Option<&str>,
        as_of: Option<String>,
        event: &str,
    ) -> Result<Self, LayoutProblem> {
        let all = || headers.iter().map(|header| format!("`{header}`")).collect::<Vec<_>>().join(", ");
        let known = |name: &str| headers.iter().any(|header| same(header, name));
        let mut paths: BTreeMap<String, String> = BTreeMap::new();
        for order in own {
            let wrong = || LayoutProblem::Column(order.clone());
            let (header, path) = order.rsplit_once('=').ok_or_else(wrong)?;
            if !is_path(path.trim()) {
                return Err(wrong());
            }
            if !known(header) {
                return Err(LayoutProblem::NoColumn(header.to_owned(), all()));
            }
            paths.insert(folded(header), path.trim().to_owned());
        }
        if let Some(at) = at.filter(|at| !known(at)) {
            return Err(LayoutProblem::NoColumn(at.to_owned(), all()));
        }
        let columns: Vec<(String, Target)> = headers
            .iter()
            .map(|header| {
                let is_moment = at.is_some_and(|at| same(header, at));
                let path = || paths.get(&folded(header)).cloned().unwrap_or_else(|| path_of(header));
                (header.clone(), if is_moment { Target::Moment } else { Target::Path(path()) })
            })
            .collect();
        if !columns.iter().any(|(_, target)| *target == Target::Path("traits.email".to_owned())) {
            return Err(LayoutProblem::NoEmail(all()));
        }
        Ok(Self { event: event.to_owned(), columns, as_of })
    }

    /// The event of a row. Empty values say nothing.
    pub(super) fn event_of(&self, row: &[String]) -> Result<Value, RowProblem> {
        if row.len() > self.columns.len() {
            return Err(RowProblem::TooLong);
        }
        let mut event = Map::new();
        event.insert("type".to_owned(), json!("track"));
        event.insert("event".to_owned(), json!(self.event));
        event.insert("messageId".to_owned(), json!(id_of(&self.event, row)));
        let mut moment = self.as_of.clone();
        for ((_, target), value) in self.columns.iter().zip(row) {
            let value = value.trim();
            match target {
                Target::Moment => moment = Some(moment_of(value).ok_or_else(|| no_moment(value))?),
                Target::Path(path) if !value.is_empty() => put_first(&mut event, path, json!(value)),
                Target::Path(_) => {}
            }
        }
        let moment = moment.ok_or(RowProblem::Moment)?;
        event.insert("timestamp".to_owned(), json!(moment));
        put_first(&mut event, "context.backfill", json!(true));
        Ok(Value::Object(event))
    }
}

fn same(one: &str, other: &str) -> bool {
    folded(one) == folded(other)
}

fn folded(header: &str) -> String {
    header.trim().to_lowercase()
}

/// Where a column goes that nobody named: as a field of a form of that name, else to a trait.
fn path_of(header: &str) -> String {
    let bare: String = header.chars().filter(char::is_ascii_alphanumeric).collect();
    if bare.eq_ignore_ascii_case("userid") {
        return "userId".to_owned();
    }
    if let Some(path) = usual_path(header) {
        return path.to_owned();
    }
    let words = header.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    format!("traits.{}", words.map(str::to_lowercase).collect::<Vec<_>>().join("_"))
}

fn is_path(path: &str) -> bool {
    let below =
        |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.split('.').all(|name| !name.is_empty()));
    path == "userId" || ["traits.", "properties.", "context.", "consent."].into_iter().any(below)
}

/// The same row of the same event counts once, however often its file is sent.
fn id_of(event: &str, row: &[String]) -> String {
    let said =
        std::iter::once(event).chain(row.iter().map(|value| value.trim())).collect::<Vec<_>>().join("\u{0}");
    let hash = digest(&SHA256, said.as_bytes());
    format!("import-{}", URL_SAFE_NO_PAD.encode(hash.as_ref().get(..HASH_BYTES).unwrap_or_default()))
}

fn no_moment(value: &str) -> RowProblem {
    let is_dated = value.matches('/').count() == 2 && value.starts_with(|c: char| c.is_ascii_digit());
    if is_dated { RowProblem::Slashes } else { RowProblem::Moment }
}

/// A moment in any form that an event may have, or a day before its month with full stops, as text with its zone; what names none
/// is UTC.
pub(super) fn moment_of(text: &str) -> Option<String> {
    let moment = moment_in(text).or_else(|| moment_in(&day_first(text)?))?;
    Some(jiff::Timestamp::from_microsecond(moment.0).ok()?.to_string())
}

/// `31.01.2026 10:00` in the order of other dates.
fn day_first(text: &str) -> Option<String> {
    let (date, time) = text.trim().split_once([' ', 'T']).unwrap_or((text.trim(), ""));
    let parts: Vec<&str> = date.split('.').collect();
    let &[day, month, year] = parts.as_slice() else { return None };
    let is_number = |part: &str, digits: usize| {
        (1..=digits).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !is_number(day, 2) || !is_number(month, 2) || !is_number(year, 4) || year.len() != 4 {
        return None;
    }
    let time = if time.is_empty() { String::new() } else { format!("T{}", time.trim()) };
    Some(format!("{year}-{month:0>2}-{day:0>2}{time}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn columns_go_where_their_names_say_or_where_they_are_sent() {
        let headers = words(&["E-Mail", "First Name", "Plan (2025)", "User ID", "Newsletter", "Created At"]);
        let own = words(&["newsletter=consent.marketing"]);
        let layout = Layout::new(&headers, &own, Some("created at"), None, "Signed Up").unwrap();
        let row = words(&[" Jane@Example.com ", "Jane", "", "u-1", "yes", "2024-05-01"]);
        let mut event = layout.event_of(&row).unwrap();
        assert!(event["messageId"].as_str().unwrap().starts_with("import-"));
        event["messageId"] = json!("");
        assert_eq!(
            event,
            json!({"type": "track", "event": "Signed Up", "messageId": "", "timestamp": "2024-05-01T00:00:00Z", "userId": "u-1",
                "traits": {"email": "Jane@Example.com", "first_name": "Jane"}, "consent": {"marketing": "yes"},
                "context": {"backfill": true}})
        );
        let plan = layout.columns.iter().find(|(header, _)| header == "Plan (2025)").unwrap();
        assert_eq!(plan.1, Target::Path("traits.plan_2025".to_owned()));
        assert_eq!(
            layout.event_of(&words(&["a@b.example", "", "", "", "", "soon"])),
            Err(RowProblem::Moment)
        );
        assert_eq!(
            layout.event_of(&words(&["a@b.example", "", "", "", "", "01/05/2024"])),
            Err(RowProblem::Slashes)
        );
        assert_eq!(layout.event_of(&words(&["1", "2", "3", "4", "5", "6", "7"])), Err(RowProblem::TooLong));
    }

    #[test]
    fn what_can_not_be_laid_out_is_named() {
        let headers = words(&["Name", "Plan"]);
        let layout =
            |own: &[&str], at| Layout::new(&headers, &words(own), at, None, "Signed Up").unwrap_err();
        assert_eq!(layout(&[], None), LayoutProblem::NoEmail("`Name`, `Plan`".to_owned()));
        assert_eq!(
            layout(&["Mail=traits.email"], None),
            LayoutProblem::NoColumn("Mail".to_owned(), "`Name`, `Plan`".to_owned())
        );
        assert_eq!(layout(&["Name"], None), LayoutProblem::Column("Name".to_owned()));
        assert_eq!(layout(&["Name=mail"], None), LayoutProblem::Column("Name=mail".to_owned()));
        assert_eq!(
            layout(&["Name=traits.email"], Some("When")),
            LayoutProblem::NoColumn("When".to_owned(), "`Name`, `Plan`".to_owned())
        );
    }

    #[test]
    fn the_same_row_has_the_same_id_and_another_one_has_not() {
        assert_eq!(id_of("Signed Up", &words(&["a", "b"])), id_of("Signed Up", &words(&["a ", "b"])));
        assert_ne!(id_of("Signed Up", &words(&["a", "b"])), id_of("Signed Up", &words(&["ab", ""])));
        assert_ne!(id_of("Signed Up", &words(&["a"])), id_of("Order Completed", &words(&["a"])));
    }

    #[test]
    fn moments_are_read_as_people_export_them() {
        for (text, moment) in [
            ("2024-05-01", Some("2024-05-01T00:00:00Z")),
            ("2024-05-01 10:00:00", Some("2024-05-01T10:00:00Z")),
            ("2024-05-01T10:00:00+02:00", Some("2024-05-01T08:00:00Z")),
            ("1714550400", Some("2024-05-01T08:00:00Z")),
            ("1714550400000", Some("2024-05-01T08:00:00Z")),
            ("01/05/2024", None),
            ("31.12.2024", Some("2024-12-31T00:00:00Z")),
            ("1.5.2024 10:00", Some("2024-05-01T10:00:00Z")),
            ("01.05.2024 10:00:30", Some("2024-05-01T10:00:30Z")),
            ("31.31.2024", None),
            ("1.5.24", None),
            ("10.0.0.1", None),
            // What an event may not have, or the service would take it for a clock that was never set, and the row for the newest.
            ("1985-03-01", None),
            ("", None),
        ] {
            assert_eq!(moment_of(text).as_deref(), moment, "{text}");
        }
    }
}
