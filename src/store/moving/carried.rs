//! What both engines keep, table by table and column by column: what moves from one to the other.
//!
//! What an engine alone has is in no table here: it is made anew where a row arrives, as counts are. A test holds these lists
//! against the tables of both engines, so that nothing is added to one of them and left behind. Must not hold SQL.

use ring::digest;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Shape {
    /// A number.
    Int,
    /// Yes or no; a number in the embedded engine.
    Flag,
    /// A text.
    Text,
    /// Bytes.
    Blob,
}

/// A column that both engines have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Column {
    pub(in crate::store) name: &'static str,
    pub(in crate::store) shape: Shape,
}

/// How the rows of a table are numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Numbered {
    /// They are not, or by what they hold.
    No,
    /// In the order in which they came: the column `n`, and the number of the row in the embedded engine.
    InOrder,
    /// The same in a column of this name, and no number is ever given twice.
    Once(&'static str),
}

/// A table that both engines have.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Table {
    pub(in crate::store) name: &'static str,
    pub(in crate::store) numbered: Numbered,
    pub(in crate::store) columns: &'static [Column],
}

/// The column of rows that are numbered in order.
pub(in crate::store) const IN_ORDER: &str = "n";

impl Table {
    /// The column that numbers rows, where there is one.
    pub(in crate::store) fn number(&self) -> Option<&'static str> {
        match self.numbered {
            Numbered::No => None,
            Numbered::InOrder => Some(IN_ORDER),
            Numbered::Once(column) => Some(column),
        }
    }
}

const fn int(name: &'static str) -> Column {
    Column { name, shape: Shape::Int }
}

const fn flag(name: &'static str) -> Column {
    Column { name, shape: Shape::Flag }
}

const fn text(name: &'static str) -> Column {
    Column { name, shape: Shape::Text }
}

const fn blob(name: &'static str) -> Column {
    Column { name, shape: Shape::Blob }
}

const fn plain(name: &'static str, columns: &'static [Column]) -> Table {
    Table { name, numbered: Numbered::No, columns }
}

const fn in_order(name: &'static str, columns: &'static [Column]) -> Table {
    Table { name, numbered: Numbered::InOrder, columns }
}

const fn once(name: &'static str, column: &'static str, columns: &'static [Column]) -> Table {
    Table { name, numbered: Numbered::Once(column), columns }
}

/// The groups of the journal: of the stream 0 what happens, of 1 old data. Their bytes are the same in both engines.
pub(in crate::store) const GROUPS: Table =
    plain("groups", &[int("stream"), int("first"), int("count"), blob("bytes")]);

/// The slots of the allowance. When one was answered is told by the clock that the engine trusts.
pub(in crate::store) const SLOTS: Table = plain(
    "slots",
    &[text("account"), int("id"), int("taken_at"), int("answered_at"), text("new_contact_of")],
);

/// All tables, in the order in which they move.
pub(in crate::store) const TABLES: &[Table] = &[
    GROUPS,
    plain("counters", &[text("name"), int("value")]),
    plain(
        "tallies",
        &[int("span"), int("kind"), text("source"), text("name"), text("beside"), text("word"), int("count")],
    ),
    once("acts", "place", &[int("place"), int("at"), text("kind"), text("who"), text("about")]),
    once("looks", "place", &[int("place"), int("at"), text("who"), text("route"), text("whom")]),
    plain("alerts", &[text("cause"), text("body")]),
    in_order("people", &[int("n"), text("key"), int("revision"), int("day"), text("body")]),
    plain("person_names", &[text("key"), text("name")]),
    in_order(
        "timelines",
        &[int("n"), text("people"), text("anonymous_id"), int("revision"), int("day"), text("body")],
    ),
    in_order("contacts", &[int("n"), text("email"), int("revision"), text("body")]),
    plain("contributions", &[text("email"), text("member"), text("what"), int("at"), text("message_id")]),
    plain("walks", &[text("name"), int("revision"), text("body")]),
    in_order(
        "deals",
        &[
            int("n"),
            text("key"),
            int("revision"),
            int("day"),
            text("found_by"),
            text("held_for"),
            text("held"),
            text("body"),
        ],
    ),
    in_order("companies", &[int("n"), text("key"), int("revision"), text("body")]),
    in_order(
        "happenings",
        &[
            int("n"),
            text("key"),
            int("revision"),
            int("day"),
            text("account"),
            flag("open"),
            text("state"),
            text("held"),
            text("email"),
            text("person"),
            text("target"),
            text("body"),
        ],
    ),
    plain("crm_ids", &[text("account"), text("kind"), int("id"), text("key")]),
    plain("selectors", &[text("account"), text("kind"), text("body")]),
    plain("won", &[text("key"), int("at"), flag("stands")]),
    plain("exports", &[int("id"), text("body")]),
    plain("export_rows", &[int("export"), int("deal"), int("whole"), text("body")]),
    once(
        "deliveries",
        "sequence",
        &[
            int("sequence"),
            text("id"),
            text("account"),
            text("subject"),
            text("email"),
            int("lane"),
            int("state"),
            int("opened_at"),
            int("next_attempt_at"),
            int("ended_at"),
            text("new_contact_of"),
            int("alone"),
            int("revision"),
            text("body"),
        ],
    ),
    SLOTS,
    plain("next_slots", &[text("account"), int("id")]),
    plain("bulk_jobs", &[text("account"), text("id"), text("body")]),
    plain("destinations", &[text("account"), int("revision"), text("body")]),
    plain(
        "events",
        &[
            int("position"),
            text("message_id"),
            text("source"),
            text("name"),
            text("person"),
            text("email"),
            text("outcome"),
            int("duplicates"),
            int("received_at"),
            int("worth"),
            text("body"),
        ],
    ),
    plain("seen", &[text("source"), text("message_id"), int("position"), int("received_at")]),
    plain("failed", &[int("position"), text("source"), int("received_at"), int("bytes"), blob("body")]),
    once(
        "outputs",
        "sequence",
        &[
            int("sequence"),
            text("receiver"),
            text("id"),
            text("subject"),
            text("person"),
            flag("consent"),
            int("state"),
            int("attempts"),
            int("tried_at"),
            int("next_attempt_at"),
            text("error"),
            int("made_at"),
            int("bytes"),
            text("body"),
        ],
    ),
    plain("receivers", &[text("name"), int("revision"), text("body")]),
    plain("tombstones", &[blob("mark"), int("at")]),
    once("suppressed", "place", &[int("place"), blob("mark"), int("at"), text("email")]),
    plain("erasures", &[int("id"), flag("done"), text("body")]),
    plain("blanks", &[int("position")]),
    plain(
        "forget_orders",
        &[
            int("erasure"),
            int("nth"),
            text("account"),
            text("email"),
            text("behind"),
            int("next_attempt_at"),
            text("body"),
        ],
    ),
    plain("forget_ends", &[int("erasure"), text("name"), int("contacts")]),
];

/// A value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) enum Cell {
    /// Nothing.
    Null,
    /// A number.
    Int(i64),
    /// Yes or no.
    Flag(bool),
    /// A text, as it is.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

impl Cell {
    /// The number, if it is one.
    pub(in crate::store) fn int(&self) -> Option<i64> {
        if let Self::Int(number) = self { Some(*number) } else { None }
    }

    /// The text, if it is one.
    pub(in crate::store) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The bytes, if it holds some.
    pub(in crate::store) fn blob(&self) -> Option<&[u8]> {
        if let Self::Blob(bytes) = self { Some(bytes) } else { None }
    }

    /// About how much memory it takes.
    pub(in crate::store) fn bytes(&self) -> usize {
        match self {
            Self::Null | Self::Int(_) | Self::Flag(_) => 8,
            Self::Text(text) => text.len() + 8,
            Self::Blob(bytes) => bytes.len() + 8,
        }
    }
}

/// A row of a table, its columns in order.
pub(in crate::store) type Row = Vec<Cell>;

/// How many rows there are, and a sum over all that they hold, whatever their order: two that are equal hold the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Tally {
    pub(in crate::store) rows: u64,
    sum: u128,
}

impl Tally {
    /// Counts a row.
    pub(in crate::store) fn add(&mut self, row: &[Cell]) {
        let mut hash = digest::Context::new(&digest::SHA256);
        for cell in row {
            // Each is told from the next by its length.
            let (kind, bytes): (u8, &[u8]) = match cell {
                Cell::Null => (0, &[]),
                Cell::Int(number) => (1, &number.to_be_bytes()),
                Cell::Flag(flag) => (2, &[u8::from(*flag)]),
                Cell::Text(text) => (3, text.as_bytes()),
                Cell::Blob(blob) => (4, blob),
            };
            hash.update(&[kind]);
            hash.update(&bytes.len().to_be_bytes());
            hash.update(bytes);
        }
        let half = hash.finish().as_ref().first_chunk().map_or(0, |half| u128::from_be_bytes(*half));
        self.rows += 1;
        self.sum = self.sum.wrapping_add(half);
    }
}

/// What is no table: where the journal ends, how far it took effect, what erasures are known by, and the last numbers given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Ends {
    /// The position of the last event.
    pub(in crate::store) last: i64,
    /// How far live events took effect.
    pub(in crate::store) live: i64,
    /// How far old data took effect.
    pub(in crate::store) old: i64,
    /// How many events took effect.
    pub(in crate::store) events: i64,
    /// The key of the hashes of whom must not come back.
    pub(in crate::store) key: Vec<u8>,
    /// The last number that was given, by table, of those in which none is given twice.
    pub(in crate::store) given: Vec<(&'static str, i64)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_of_what_rows_hold_and_not_of_their_order() {
        let of = |rows: &[Row]| {
            let mut tally = Tally::default();
            for row in rows {
                tally.add(row);
            }
            tally
        };
        let text = |text: &str| Cell::Text(text.to_owned());
        let (one, other) = (vec![text("ab"), Cell::Int(1)], vec![text("c"), Cell::Null]);
        assert_eq!(of(&[one.clone(), other.clone()]), of(&[other.clone(), one.clone()]));
        assert_ne!(of(&[one.clone(), other.clone()]), of(&[one.clone(), one.clone()]));
        assert_ne!(of(&[vec![text("a"), text("bc")]]), of(&[vec![text("ab"), text("c")]]));
        assert_ne!(of(&[vec![Cell::Int(1)]]), of(&[vec![Cell::Flag(true)]]));
        assert_ne!(of(&[vec![Cell::Null]]), of(&[vec![text("")]]));
    }
}
