//! Exports as a store keeps them: what is written of them, and how their rows are looked for.

use crate::export::{Export, Row};

/// A write that concerns exports.
#[derive(Clone, Debug)]
pub enum PutExport {
    /// How one stands.
    Export(Box<Export>),
    /// A deal of one, by its id; nothing of it where it is noted alone. What is known of it already is replaced.
    Deal {
        /// Which export.
        export: u64,
        /// The id of the deal.
        deal: u64,
        /// What is known of it.
        row: Option<Box<Row>>,
    },
    /// One goes, with its rows.
    Gone(u64),
}

/// Which rows of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportRows {
    /// Of which export.
    pub export: u64,
    /// Only those after this id of a deal.
    pub after: u64,
    /// Only those of which not everything is known.
    pub thin: bool,
    /// How many.
    pub limit: usize,
}
