//! An append on its way into the journal: its events by stream, as they are stored, and who waits for them.

use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use super::columns::int;
use super::records;
use crate::event::Position;
use crate::store::{NewRecord, StoreError, Stream};

pub(super) type Answered<T> = oneshot::Sender<Result<T, StoreError>>;

/// Events that are kept all or none.
#[derive(Debug)]
pub(super) struct Append {
    live: Part,
    old: Part,
    pub(super) answer: Answered<Position>,
}

/// Events of one stream, as they are stored.
#[derive(Debug, Default)]
struct Part {
    bytes: Vec<u8>,
    events: u64,
}

impl Part {
    fn of(records: &[NewRecord], stream: Stream) -> Result<Self, StoreError> {
        let records = records.iter().filter(|record| record.stream() == stream);
        let events = records.clone().count() as u64;
        Ok(Self { bytes: records::encode(records)?, events })
    }
}

impl Append {
    pub(super) fn of(records: &[NewRecord], answer: Answered<Position>) -> Result<Self, StoreError> {
        let (live, old) = (Part::of(records, Stream::Live)?, Part::of(records, Stream::Old)?);
        Ok(Self { live, old, answer })
    }

    pub(super) fn events(&self) -> usize {
        usize::try_from(self.live.events + self.old.events).unwrap_or(usize::MAX)
    }

    pub(super) fn bytes(&self) -> usize {
        self.live.bytes.len() + self.old.bytes.len()
    }

    /// Events of a stream.
    pub(super) fn count(&self, stream: Stream) -> u64 {
        self.part(stream).events
    }

    /// How many bytes of old data it is, where it is mostly that. A few old events among others do not make those wait.
    pub(super) fn old_data(&self) -> Option<usize> {
        (self.old.events > self.live.events).then_some(self.old.bytes.len())
    }

    fn part(&self, stream: Stream) -> &Part {
        match stream {
            Stream::Live => &self.live,
            Stream::Old => &self.old,
        }
    }
}

/// Writes the events of one stream as one row, if there are any; answers how many bytes that is.
pub(super) fn insert(
    connection: &Connection,
    buffer: &mut Vec<u8>,
    group: &[Append],
    stream: Stream,
    first: Position,
) -> Result<u64, StoreError> {
    let events: u64 = group.iter().map(|append| append.count(stream)).sum();
    if events == 0 {
        return Ok(0);
    }
    let bytes = match group {
        [single] => &single.part(stream).bytes,
        several => {
            buffer.clear();
            for append in several {
                buffer.extend_from_slice(&append.part(stream).bytes);
            }
            &*buffer
        }
    };
    let sql = format!("INSERT INTO {} (first, count, bytes) VALUES (?1, ?2, ?3)", records::table(stream));
    connection.prepare_cached(&sql)?.execute(params![int(first.0), int(events), bytes])?;
    Ok(bytes.len() as u64)
}
