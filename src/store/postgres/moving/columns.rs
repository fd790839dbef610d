//! Between rows of these tables and rows that move.

use std::error::Error;

use bytes::BytesMut;
use futures_util::StreamExt;
use serde::Deserialize;
use tokio::runtime::Runtime;
use tokio_postgres::binary_copy::{BinaryCopyInWriter, BinaryCopyOutRow, BinaryCopyOutStream};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use super::DatabaseFailed;
use crate::event::Position;
use crate::store::columns::uint;
use crate::store::moving::carried::{Cell, GROUPS, Row, SLOTS, Shape, Table};
use crate::store::postgres::link::Link;
use crate::store::postgres::value::{hash, ours, text};
use crate::store::{StoreError, coding};

/// Rows that are held at once while a table is read.
const ROWS_MAX: usize = 1_000;
/// Bytes of them.
const BYTES_MAX: usize = 4 << 20;

/// Columns that this engine has beside those that move, of the tables that move: made of a row where it arrives.
pub(in crate::store) fn own(table: &Table) -> &'static [(&'static str, Type)] {
    match table.name {
        "groups" => &[("length", Type::INT8), ("received_to", Type::INT8)],
        "people" | "person_names" | "timelines" | "contributions" => &[("hash", Type::BYTEA)],
        "deliveries" => &[("reason", Type::TEXT)],
        "events" => &[("page", Type::TEXT)],
        "slots" => &[("epoch", Type::INT8), ("ran", Type::INT8)],
        _ => &[],
    }
}

/// What a body holds that this engine has a column for.
#[derive(Default, Deserialize)]
struct Found {
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    page: Option<String>,
}

/// The values of those columns.
fn made(table: &Table, row: &[Cell], later: i64) -> Result<Vec<Cell>, StoreError> {
    let texts = |names: &[&str]| -> Vec<&str> {
        let nth = |name: &&str| table.columns.iter().position(|of| of.name == *name);
        names.iter().map(|name| nth(name).and_then(|nth| row.get(nth)?.text()).unwrap_or_default()).collect()
    };
    // What can't be read has no reason and no page in the other engine either.
    let found = || texts(&["body"]).concat();
    let found = || serde_json::from_str::<Found>(&found()).unwrap_or_default();
    let maybe = |text: Option<String>| text.map_or(Cell::Null, Cell::Text);
    Ok(match table.name {
        "people" | "person_names" => vec![Cell::Blob(hash(&texts(&["key"]).concat()))],
        "timelines" => vec![Cell::Blob(hash(&texts(&["people", "anonymous_id"]).join("\n")))],
        "contributions" => vec![Cell::Blob(hash(&text(&texts(&["member"]).concat())))],
        "deliveries" => vec![maybe(found().reason)],
        "events" => vec![maybe(found().page)],
        "groups" => {
            let [_, first, count, bytes] = row else { return Ok(Vec::new()) };
            let bytes = bytes.blob().unwrap_or_default();
            let number = |cell: &Cell| uint(cell.int().unwrap_or_default());
            let received = coding::received_to(Position(number(first)), number(count), bytes)?;
            vec![Cell::Int(i64::try_from(bytes.len()).unwrap_or(i64::MAX)), Cell::Int(received.0)]
        }
        "slots" => {
            let [_, _, taken, answered, _] = row else { return Ok(Vec::new()) };
            let at = answered.int().or(taken.int()).unwrap_or_default();
            vec![Cell::Int(0), Cell::Int(at.saturating_add(later))]
        }
        _ => Vec::new(),
    })
}

fn kind(table: &Table, name: &str, shape: Shape) -> Type {
    match shape {
        Shape::Int if table.name == GROUPS.name && name == "stream" => Type::INT2,
        Shape::Int => Type::INT8,
        Shape::Flag => Type::BOOL,
        Shape::Text => Type::TEXT,
        Shape::Blob => Type::BYTEA,
    }
}

/// A value on its way to the engine.
#[derive(Debug)]
struct Sent<'a>(&'a Cell);

impl ToSql for Sent<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self.0 {
            Cell::Null => Ok(IsNull::Yes),
            Cell::Int(number) if *kind == Type::INT2 => i16::try_from(*number)?.to_sql(kind, out),
            Cell::Int(number) => number.to_sql(kind, out),
            Cell::Flag(flag) => flag.to_sql(kind, out),
            Cell::Text(ours) => text(ours).to_sql(kind, out),
            Cell::Blob(bytes) => bytes.to_sql(kind, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        [Type::INT2, Type::INT8, Type::BOOL, Type::TEXT, Type::BYTEA].contains(kind)
    }

    to_sql_checked!();
}

/// Writes rows of a table. `later` is how far the clock that slots are measured by is ahead of the time of day.
pub(super) async fn put(link: &Link, table: &Table, rows: &[Row], later: i64) -> Result<(), DatabaseFailed> {
    let own = own(table);
    let names: Vec<&str> =
        table.columns.iter().map(|of| of.name).chain(own.iter().map(|(name, _)| *name)).collect();
    let kinds: Vec<Type> = table
        .columns
        .iter()
        .map(|of| kind(table, of.name, of.shape))
        .chain(own.iter().map(|(_, kind)| kind.clone()))
        .collect();
    let sql = format!("COPY {} ({}) FROM STDIN (FORMAT binary)", table.name, names.join(", "));
    let sink = link.copy_in(&sql).await?;
    let mut writer = std::pin::pin!(BinaryCopyInWriter::new(sink, &kinds));
    for row in rows {
        let made = made(table, row, later)?;
        let sent: Vec<Sent<'_>> = row.iter().chain(&made).map(Sent).collect();
        if sent.len() != kinds.len() {
            return Err(StoreError::Fatal(format!("a row of {} has not all columns", table.name)).into());
        }
        let values: Vec<&(dyn ToSql + Sync)> = sent.iter().map(|one| one as &(dyn ToSql + Sync)).collect();
        writer.as_mut().write(&values).await.map_err(StoreError::from)?;
    }
    let kept = writer.finish().await.map_err(StoreError::from)?;
    if kept == rows.len() as u64 { Ok(()) } else { Err(StoreError::Conflict.into()) }
}

/// Hands each row of a table on. With `later` slots are counted as answered by the clock that they are measured by.
pub(super) fn each<E: From<DatabaseFailed>>(
    (runtime, link): (&Runtime, &Link),
    table: &Table,
    later: Option<i64>,
    mut take: impl FnMut(Row) -> Result<(), E>,
) -> Result<(), E> {
    let columns: Vec<String> = table.columns.iter().map(|of| asked(table, of.name, later)).collect();
    let sql = format!(
        "COPY (SELECT {} FROM {} WHERE tenant = 1) TO STDOUT (FORMAT binary)",
        columns.join(", "),
        table.name
    );
    let kinds: Vec<Type> = table.columns.iter().map(|of| kind(table, "", of.shape)).collect();
    let stream = runtime.block_on(link.copy_out(&sql)).map_err(DatabaseFailed)?;
    let mut stream = Box::pin(BinaryCopyOutStream::new(stream, &kinds));
    loop {
        let (rows, more) = runtime.block_on(async {
            let (mut rows, mut bytes) = (Vec::new(), 0);
            while rows.len() < ROWS_MAX && bytes < BYTES_MAX {
                let Some(found) = stream.next().await else { return Ok((rows, false)) };
                let row = row(table, &found.map_err(StoreError::from)?)?;
                bytes += row.iter().map(Cell::bytes).sum::<usize>();
                rows.push(row);
            }
            Ok::<_, DatabaseFailed>((rows, true))
        })?;
        rows.into_iter().try_for_each(&mut take)?;
        if !more {
            return Ok(());
        }
    }
}

/// A column as it is asked for.
fn asked(table: &Table, name: &str, later: Option<i64>) -> String {
    match later {
        _ if table.name == GROUPS.name && name == "stream" => "stream::bigint".to_owned(),
        Some(later) if table.name == SLOTS.name && name == "answered_at" => {
            format!("CASE WHEN answered_at IS NOT NULL THEN ran - {later}::bigint END")
        }
        Some(_) | None => name.to_owned(),
    }
}

fn row(table: &Table, found: &BinaryCopyOutRow) -> Result<Row, StoreError> {
    let cell = |(nth, shape): (usize, Shape)| {
        Ok::<_, tokio_postgres::Error>(match shape {
            Shape::Int => found.try_get::<Option<i64>>(nth)?.map_or(Cell::Null, Cell::Int),
            Shape::Flag => found.try_get::<Option<bool>>(nth)?.map_or(Cell::Null, Cell::Flag),
            Shape::Text => {
                found.try_get::<Option<String>>(nth)?.map_or(Cell::Null, |text| Cell::Text(ours(text)))
            }
            Shape::Blob => found.try_get::<Option<Vec<u8>>>(nth)?.map_or(Cell::Null, Cell::Blob),
        })
    };
    let row: Result<Row, _> = table.columns.iter().map(|of| of.shape).enumerate().map(cell).collect();
    row.map_err(|_| StoreError::Unreadable("row", table.name.to_owned()))
}
