//! The two ways of moving, which are one: each table from where it is to where it is not yet, then compared.

use std::path::PathBuf;
use std::sync::Arc;

use super::MovingError;
use super::carried::{Cell, Ends, Row, TABLES, Table, Tally};
use crate::clock::Clock;
use crate::store::postgres::PostgresSettings;
use crate::store::postgres::moving::{Filled, Snapshot, Whom};
use crate::store::sqlite::Places;
use crate::store::sqlite::moving::{Fresh, Source};

/// Rows that are written at once.
const ROWS_MAX: usize = 5_000;
/// Bytes of them.
const BYTES_MAX: usize = 8 << 20;

/// A database to write into a data folder.
#[derive(Clone, Debug)]
pub struct Export {
    /// The database.
    pub from: PostgresSettings,
    /// The folder: empty, or not there yet.
    pub to: PathBuf,
    /// What it may be on.
    pub on: Places,
    /// Nodes may go on meanwhile: then it is a backup, and to be restored as one.
    pub beside_nodes: bool,
}

/// A data folder to write into an empty database.
#[derive(Clone, Debug)]
pub struct Import {
    /// The data folder. Nobody else may have it.
    pub from: PathBuf,
    /// What it may be on.
    pub on: Places,
    /// The database.
    pub to: PostgresSettings,
}

/// How far a table has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Which.
    pub table: &'static str,
    /// Rows that were written.
    pub rows: u64,
    /// Of so many.
    pub of: u64,
    /// They are being read back.
    pub compared: bool,
}

/// What was moved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Events that were accepted.
    pub accepted: u64,
    /// Events that took effect.
    pub taken_effect: u64,
    /// Rows of each table, all compared.
    pub tables: Vec<(&'static str, u64)>,
}

impl Moved {
    /// Rows of all tables.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|(_, rows)| rows).sum()
    }

    fn begin(ends: &Ends) -> Self {
        use crate::store::columns::uint;
        Self { accepted: uint(ends.last), taken_effect: uint(ends.events), tables: Vec::new() }
    }
}

/// Writes a store of a database into a data folder.
///
/// # Errors
/// Says why not. Nothing is left of what was written.
pub fn export(
    order: &Export,
    clock: &Arc<dyn Clock>,
    said: &mut dyn FnMut(Seen),
) -> Result<Moved, MovingError> {
    let whom = if order.beside_nodes { Whom::Nodes } else { Whom::Nobody };
    let schema = order.from.schema.clone();
    let from = Snapshot::begin(&order.from, clock, whom).map_err(MovingError::of_schema(schema))?;
    let present = clock.moment();
    let to = Fresh::begin(&order.to, order.on, present)?;
    let ends = from.ends()?;
    let mut moved = Moved::begin(&ends);
    for table in TABLES {
        let way = Way::begin(table, from.count(table)?, said);
        let put = |rows: &[Row]| to.put(table, rows).map_err(Into::into);
        moved.tables.push(way.go(|take| from.each(table, take), put, |take| to.each(table, take))?);
    }
    to.put_ends(&ends)?;
    if order.beside_nodes {
        to.finish_as_backup(&ends, present.wall)?;
    } else {
        to.finish()?;
    }
    Ok(moved)
}

/// Writes a data folder into an empty store of a database.
///
/// # Errors
/// Says why not. Nothing is left of what was written.
pub fn import(
    order: &Import,
    clock: &Arc<dyn Clock>,
    said: &mut dyn FnMut(Seen),
) -> Result<Moved, MovingError> {
    let from = Source::open(&order.from, order.on, clock.moment())
        .map_err(MovingError::of_folder(order.from.clone()))?;
    let schema = order.to.schema.clone();
    let to = Filled::begin(&order.to, clock).map_err(MovingError::of_schema(schema))?;
    let ends = from.ends()?;
    let mut moved = Moved::begin(&ends);
    for table in TABLES {
        let way = Way::begin(table, from.count(table)?, said);
        let put = |rows: &[Row]| to.put(table, rows).map_err(Into::into);
        moved.tables.push(way.go(|take| from.each(table, take), put, |take| to.each(table, take))?);
    }
    to.put_ends(&ends)?;
    to.keep()?;
    Ok(moved)
}

/// Takes one row after the other.
type Take<'a> = &'a mut dyn FnMut(Row) -> Result<(), MovingError>;

/// A table on its way.
struct Way<'a> {
    seen: Seen,
    left: Tally,
    rows: Vec<Row>,
    bytes: usize,
    said: &'a mut dyn FnMut(Seen),
}

impl<'a> Way<'a> {
    fn begin(table: &Table, of: u64, said: &'a mut dyn FnMut(Seen)) -> Self {
        let seen = Seen { table: table.name, rows: 0, of, compared: false };
        Self { seen, left: Tally::default(), rows: Vec::new(), bytes: 0, said }
    }

    /// All of a table: `each` hands on the rows that are to be moved, `put` writes some of them, `written` hands on what was.
    fn go(
        mut self,
        each: impl FnOnce(Take<'_>) -> Result<(), MovingError>,
        put: impl Fn(&[Row]) -> Result<(), MovingError>,
        written: impl FnOnce(Take<'_>) -> Result<(), MovingError>,
    ) -> Result<(&'static str, u64), MovingError> {
        each(&mut |row| self.take(row, &put))?;
        self.end(&put)?;
        let (mut arrived, mut back) = (Tally::default(), self.back());
        written(&mut |row| {
            back.read(&mut arrived, &row);
            Ok(())
        })?;
        self.compared(arrived)
    }

    /// Takes a row in, and writes a part where there is enough of it.
    fn take(
        &mut self,
        row: Row,
        put: impl FnOnce(&[Row]) -> Result<(), MovingError>,
    ) -> Result<(), MovingError> {
        self.left.add(&row);
        self.bytes += row.iter().map(Cell::bytes).sum::<usize>();
        self.rows.push(row);
        if self.rows.len() < ROWS_MAX && self.bytes < BYTES_MAX {
            return Ok(());
        }
        self.end(put)
    }

    /// Writes what is left.
    fn end(&mut self, put: impl FnOnce(&[Row]) -> Result<(), MovingError>) -> Result<(), MovingError> {
        if !self.rows.is_empty() {
            put(&self.rows)?;
        }
        self.rows.clear();
        self.bytes = 0;
        self.seen.rows = self.left.rows;
        (self.said)(self.seen);
        Ok(())
    }

    /// Counts what is read back.
    fn back(&mut self) -> Back<'_> {
        Back { seen: Seen { compared: true, ..self.seen }, said: &mut *self.said }
    }

    /// The table with its rows, where what arrived is what left.
    fn compared(self, arrived: Tally) -> Result<(&'static str, u64), MovingError> {
        let (table, left) = (self.seen.table, self.left);
        if left == arrived {
            return Ok((table, left.rows));
        }
        Err(MovingError::Differs { table, left: left.rows, arrived: arrived.rows })
    }
}

/// A table that is read back.
struct Back<'a> {
    seen: Seen,
    said: &'a mut dyn FnMut(Seen),
}

impl Back<'_> {
    fn read(&mut self, arrived: &mut Tally, row: &[Cell]) {
        arrived.add(row);
        if arrived.rows.is_multiple_of(ROWS_MAX as u64) {
            self.seen.rows = arrived.rows;
            (self.said)(self.seen);
        }
    }
}
