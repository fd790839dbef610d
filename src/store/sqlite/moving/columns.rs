//! Between rows of these tables and rows that move.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Statement, ToSql};

use super::FolderFailed;
use crate::clock::Moment;
use crate::store::StoreError;
use crate::store::moving::carried::{Cell, GROUPS, IN_ORDER, Numbered, Row, SLOTS, Shape, Table};

/// How it is told when the slots of the allowance were answered.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) enum Slots {
    /// By the time of day that was noted.
    Noted,
    /// Counted back from the present by how long the machine has been running, as the service does it.
    Counted(Moment),
}

/// The name of a column in these tables.
pub(super) fn column(table: &Table, name: &'static str) -> &'static str {
    if table.numbered == Numbered::InOrder && name == IN_ORDER { "rowid" } else { name }
}

/// The statement that reads a table whole.
pub(super) fn select(table: &Table, slots: Slots) -> String {
    if table.name == GROUPS.name {
        return "SELECT 0, first, count, bytes FROM groups UNION ALL SELECT 1, first, count, bytes FROM old_groups".to_owned();
    }
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|of| match slots {
            Slots::Counted(present) if table.name == SLOTS.name && of.name == "answered_at" => {
                answered(present)
            }
            Slots::Counted(_) | Slots::Noted => column(table, of.name).to_owned(),
        })
        .collect();
    format!("SELECT {} FROM {}", columns.join(", "), table.name)
}

/// When a slot was answered, whatever the time of day was then: see [`super::super::present::answered_at`].
fn answered(present: Moment) -> String {
    let (wall, ran) = (present.wall.0, micros(present));
    let boot = present.boot.0;
    format!(
        "CASE WHEN answered_at IS NULL THEN NULL WHEN boottime IS NULL OR boot IS NULL THEN answered_at
         WHEN boot = x'{boot:032x}' AND boottime <= {ran} THEN {wall} - ({ran} - max(boottime, 0))
         ELSE max(answered_at, {wall} - {ran}) END"
    )
}

/// How long the machine has been running, in microseconds.
pub(super) fn micros(present: Moment) -> i64 {
    i64::try_from(present.boottime.as_micros()).unwrap_or(i64::MAX)
}

/// Hands each row of a table on.
pub(super) fn each<E: From<FolderFailed>>(
    connection: &Connection,
    table: &Table,
    slots: Slots,
    mut take: impl FnMut(Row) -> Result<(), E>,
) -> Result<(), E> {
    let failed = |error: rusqlite::Error| E::from(error.into());
    let mut statement: Statement<'_> = connection.prepare(&select(table, slots)).map_err(failed)?;
    let mut rows = statement.query(()).map_err(failed)?;
    while let Some(found) = rows.next().map_err(failed)? {
        let row: Result<Row, FolderFailed> = table
            .columns
            .iter()
            .enumerate()
            .map(|(nth, of)| cell(found.get_ref(nth)?, of.shape, table.name))
            .collect();
        take(row?)?;
    }
    Ok(())
}

fn cell(found: ValueRef<'_>, shape: Shape, table: &'static str) -> Result<Cell, FolderFailed> {
    Ok(match (found, shape) {
        (ValueRef::Null, _) => Cell::Null,
        (ValueRef::Integer(number), Shape::Int) => Cell::Int(number),
        (ValueRef::Integer(number), Shape::Flag) => Cell::Flag(number != 0),
        (ValueRef::Text(bytes), Shape::Text) => {
            let text = std::str::from_utf8(bytes);
            Cell::Text(text.map_err(|_| unlike(table))?.to_owned())
        }
        (ValueRef::Blob(bytes), Shape::Blob) => Cell::Blob(bytes.to_owned()),
        (
            ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_) | ValueRef::Blob(_),
            Shape::Int | Shape::Flag | Shape::Text | Shape::Blob,
        ) => return Err(unlike(table)),
    })
}

fn unlike(table: &'static str) -> FolderFailed {
    FolderFailed(StoreError::Fatal(format!("a row of {table} holds what its columns can't")))
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Flag(flag) => ValueRef::Integer(i64::from(*flag)),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}
