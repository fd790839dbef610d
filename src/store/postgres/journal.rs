//! The journal's writing side: whatever has arrived is one statement, which waits until the standby has it too.
//!
//! Positions are given by the row that the statement locks, so that they are dense and become visible in their order. While
//! the database is away everything is refused at once. Nothing is acknowledged after a mere read.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot, watch};

use super::away::Away;
use super::core::{Core, TRY_AGAIN};
use super::dial::{Purpose, in_time};
use super::link::Link;
use super::retention::old_bytes_max;
use super::value::{uint, values};
use crate::clock::UnixMicros;
use crate::event::Position;
use crate::store::columns::int as signed;
use crate::store::failing::Full;
use crate::store::{Appended, NewRecord, StoreError, StoreSettings, Stream, coding};

/// So long a commit is waited for whose answer nobody waits for any more; then its connection is closed.
const VERY_LATE: Duration = Duration::from_secs(30);
/// What is said of a commit that takes too long.
const LATE: &str = "the database did not answer in time";
/// A full journal takes events again when a 32nd of it is free.
const ROOM_SHARE: u64 = 32;

/// Events of one stream, as they are stored.
#[derive(Default)]
struct Part {
    bytes: Vec<u8>,
    events: u64,
    received_to: UnixMicros,
}

impl Part {
    fn of(records: &[NewRecord], stream: Stream) -> Result<Self, StoreError> {
        let records = records.iter().filter(|record| record.stream() == stream);
        let events = records.clone().count() as u64;
        let received_to = records.clone().map(|record| record.received_at).max().unwrap_or_default();
        Ok(Self { bytes: coding::encode(records)?, events, received_to })
    }

    /// Those of a whole group.
    fn all(group: &[Append], of: impl Fn(&Append) -> &Self) -> Self {
        group.iter().fold(Self::default(), |part, append| part.and(of(append)))
    }

    fn and(mut self, other: &Self) -> Self {
        if other.events > 0 {
            self.received_to =
                if self.events > 0 { self.received_to.max(other.received_to) } else { other.received_to };
            self.bytes.extend_from_slice(&other.bytes);
            self.events += other.events;
        }
        self
    }
}

/// Events that are kept all or none.
struct Append {
    live: Part,
    old: Part,
    answer: oneshot::Sender<Result<Position, StoreError>>,
}

impl Append {
    fn events(&self) -> usize {
        usize::try_from(self.live.events + self.old.events).unwrap_or(usize::MAX)
    }

    fn bytes(&self) -> usize {
        self.live.bytes.len() + self.old.bytes.len()
    }
}

#[derive(Default)]
struct Queue {
    appends: VecDeque<Append>,
    events: usize,
    bytes: usize,
    shut: bool,
}

impl Queue {
    /// The next group: at least one append, and no more than a commit should hold.
    fn take_group(&mut self, settings: &StoreSettings) -> Vec<Append> {
        let (mut taken, mut events, mut bytes) = (0, 0, 0);
        for append in &self.appends {
            let (more_events, more_bytes) = (events + append.events(), bytes + append.bytes());
            if taken > 0 && (more_events > settings.group_events_max || more_bytes > settings.group_bytes_max)
            {
                break;
            }
            (taken, events, bytes) = (taken + 1, more_events, more_bytes);
        }
        self.events -= events;
        self.bytes -= bytes;
        self.appends.drain(..taken).collect()
    }
}

/// The writing side of the journal.
pub(super) struct Journal {
    queue: Mutex<Queue>,
    arrived: Notify,
    settings: StoreSettings,
    deadline: Duration,
    pub(super) end: watch::Sender<Position>,
    bytes: AtomicU64,
    old_bytes: AtomicU64,
    full: Full,
    disk_is_full: AtomicBool,
    refused_old: Mutex<Option<String>>,
    /// Whether the database can be reached.
    pub(super) away: Away,
    appends: AtomicU64,
    commits: AtomicU64,
}

/// Where the journal ends, and how many bytes it holds: all, and those of old data.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Head {
    pub(super) last: Position,
    pub(super) bytes: u64,
    pub(super) old_bytes: u64,
}

/// Reads where the journal ends.
pub(super) async fn head(link: &Link) -> Result<Head, StoreError> {
    let row = link.row("SELECT last, bytes, old_bytes FROM heads WHERE tenant = 1", values![]).await?;
    let row = row.ok_or_else(|| StoreError::Fatal("a row is missing".to_owned()))?;
    Ok(Head { last: Position(uint(&row, 0)?), bytes: uint(&row, 1)?, old_bytes: uint(&row, 2)? })
}

impl Journal {
    pub(super) fn new(settings: StoreSettings, deadline: Duration, head: Head) -> Self {
        Self {
            queue: Mutex::default(),
            arrived: Notify::new(),
            settings,
            deadline,
            end: watch::Sender::new(head.last),
            bytes: AtomicU64::new(head.bytes),
            old_bytes: AtomicU64::new(head.old_bytes),
            full: Full::default(),
            disk_is_full: AtomicBool::new(false),
            refused_old: Mutex::default(),
            away: Away::default(),
            appends: AtomicU64::new(0),
            commits: AtomicU64::new(0),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refused(&self) -> MutexGuard<'_, Option<String>> {
        self.refused_old.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts events into the queue; refuses at once when it can't.
    pub(super) fn append(
        &self,
        records: &[NewRecord],
    ) -> Result<oneshot::Receiver<Result<Position, StoreError>>, StoreError> {
        if let Some(why) = self.full.why() {
            return Err(StoreError::Full(why));
        }
        if let Some(why) = self.away.why() {
            return Err(StoreError::Unavailable(why));
        }
        let (answer, answered) = oneshot::channel();
        let (live, old) = (Part::of(records, Stream::Live)?, Part::of(records, Stream::Old)?);
        let append = Append { live, old, answer };
        if append.old.events > append.live.events {
            self.check_old(append.old.bytes.len() as u64)?;
        }
        self.check_room(append.bytes() as u64)?;
        let mut queue = self.queue();
        if queue.shut {
            return Err(StoreError::Shut);
        }
        if append.events() == 0 {
            let _ = append.answer.send(Ok(Position(self.end.borrow().0 + 1)));
            return Ok(answered);
        }
        let (events, bytes) = (queue.events + append.events(), queue.bytes + append.bytes());
        if events > self.settings.queue_events_max || bytes > self.settings.queue_bytes_max {
            return Err(StoreError::Overloaded);
        }
        (queue.events, queue.bytes) = (events, bytes);
        queue.appends.push_back(append);
        drop(queue);
        self.arrived.notify_one();
        Ok(answered)
    }

    fn check_room(&self, more: u64) -> Result<(), StoreError> {
        let (held, max) = (self.bytes.load(Ordering::Relaxed), self.settings.journal_bytes_max);
        if held.saturating_add(more) <= max {
            return Ok(());
        }
        let error = StoreError::Full(format!(
            "the journal holds {held} of {max} bytes (retention.journal_bytes_max)"
        ));
        self.full.note(&error);
        Err(error)
    }

    fn check_old(&self, more: u64) -> Result<(), StoreError> {
        let (held, max) =
            (self.old_bytes.load(Ordering::Relaxed), old_bytes_max(self.settings.journal_bytes_max));
        if held.saturating_add(more) <= max {
            return Ok(());
        }
        let why = format!(
            "old data holds {held} of {max} bytes, half of the journal (retention.journal_bytes_max); more is taken \
             when a part of it has taken effect"
        );
        *self.refused() = Some(why.clone());
        Err(StoreError::Full(why))
    }

    /// Takes in where the journal ends now.
    pub(super) fn knows(&self, head: Head) {
        let was = self.old_bytes.swap(head.old_bytes, Ordering::Relaxed);
        if head.old_bytes < was {
            *self.refused() = None;
        }
        self.bytes.store(head.bytes, Ordering::Relaxed);
        let max = self.settings.journal_bytes_max;
        if head.bytes < max - max / ROOM_SHARE && !self.disk_is_full.load(Ordering::Relaxed) {
            self.full.ends();
        }
        self.end.send_if_modified(|end| {
            let later = head.last > *end;
            *end = head.last.max(*end);
            later
        });
    }

    /// Takes in where the journal ends by a look that began when it was known to end at `before`. Only a server that took another's
    /// place can end earlier: what was seen of the other was never kept. Whatever comes next is to ring all the same.
    pub(super) fn looked(&self, before: Position, head: Head) {
        self.end.send_if_modified(|end| {
            let went_back = *end == before && head.last < before;
            if went_back {
                *end = head.last;
            }
            went_back
        });
        self.knows(head);
    }

    pub(super) fn appended(&self) -> Appended {
        Appended {
            appends: self.appends.load(Ordering::Relaxed),
            commits: self.commits.load(Ordering::Relaxed),
        }
    }

    /// Why events can't be taken now.
    pub(super) fn refusing(&self) -> Option<String> {
        if self.queue().shut {
            return Some(StoreError::Shut.to_string());
        }
        let away = self.away.why().map(|why| StoreError::Unavailable(why).to_string());
        self.full.why().map(|why| StoreError::Full(why).to_string()).or(away)
    }

    pub(super) fn refusing_old(&self) -> Option<String> {
        self.refused().clone()
    }

    /// Takes nothing more; what waits is still written.
    pub(super) fn shut(&self) {
        self.queue().shut = true;
        self.arrived.notify_one();
    }

    fn take_all(&self) -> Vec<Append> {
        let mut queue = self.queue();
        (queue.events, queue.bytes) = (0, 0);
        queue.appends.drain(..).collect()
    }
}

/// Writes what arrives until the journal is shut.
pub(super) async fn run(journal: Arc<Journal>, core: Arc<Core>) {
    let mut link: Option<Link> = None;
    loop {
        let (group, shut) = {
            let mut queue = journal.queue();
            (queue.take_group(&journal.settings), queue.shut)
        };
        if group.is_empty() {
            if shut {
                return;
            }
            journal.arrived.notified().await;
            continue;
        }
        let (live, old) = (Part::all(&group, |append| &append.live), Part::all(&group, |append| &append.old));
        let mut work = Box::pin(write(&core, link.take(), (live, old)));
        let Some((written, open)) = in_time(journal.deadline, &mut work).await else {
            // It may hold all the same; nobody waits for it any more, and nothing else is begun before it has ended.
            fail(group, &StoreError::Unavailable(LATE.to_owned()));
            let ended = refuse_until(&journal, &core, &mut work).await;
            drop(work);
            link = match ended {
                Some((Ok(head), open)) => {
                    journal.knows(head);
                    open
                }
                Some((Err(error), _)) => {
                    core.fatal.note(&error);
                    wait(&journal, &core, &error).await
                }
                // Another server may have taken its place.
                None => wait(&journal, &core, &StoreError::Unavailable(LATE.to_owned())).await,
            };
            continue;
        };
        link = open;
        match written {
            Ok(head) => answer(&journal, group, head),
            Err(error) => {
                core.fatal.note(&error);
                journal.full.note(&error);
                let is_away = matches!(error, StoreError::Unavailable(_));
                fail(group, &error);
                if matches!(error, StoreError::Full(_)) {
                    wait_for_room(&journal, &core, &error, &mut link).await;
                }
                if is_away {
                    // Closed first: what is still on its way must not be written later.
                    drop(link.take());
                    link = wait(&journal, &core, &error).await;
                }
            }
        }
    }
}

fn fail(appends: Vec<Append>, error: &StoreError) {
    for append in appends {
        // Who asked may be gone.
        let _ = append.answer.send(Err(error.clone()));
    }
}

fn answer(journal: &Journal, group: Vec<Append>, head: Head) {
    let events: u64 = group.iter().map(|append| append.live.events + append.old.events).sum();
    let live_events: u64 = group.iter().map(|append| append.live.events).sum();
    journal.knows(head);
    journal.appends.fetch_add(group.len() as u64, Ordering::Relaxed);
    journal.commits.fetch_add(1, Ordering::Relaxed);
    let mut live = Position(head.last.0 - events + 1);
    let mut old = Position(live.0 + live_events);
    for append in group {
        let first = if append.live.events > 0 { live } else { old };
        (live, old) = (Position(live.0 + append.live.events), Position(old.0 + append.old.events));
        let _ = append.answer.send(Ok(first));
    }
}

/// Writes a group; answers where the journal ends afterwards, and the connection. It holds as a whole or not at all.
async fn write(
    core: &Core,
    link: Option<Link>,
    parts: (Part, Part),
) -> (Result<Head, StoreError>, Option<Link>) {
    let link = match link.filter(|link| !link.is_closed()) {
        Some(open) => Ok(open),
        None => core.dial.connect(Purpose::Write).await,
    };
    match link {
        Ok(link) => (insert(core, &link, parts).await, Some(link)),
        Err(error) => (Err(error), None),
    }
}

async fn insert(core: &Core, link: &Link, (live, old): (Part, Part)) -> Result<Head, StoreError> {
    core.fatal.check()?;
    let warned = link.warnings();
    let sql = "WITH h AS (UPDATE heads SET last = last + $1 + $2, bytes = bytes + length($3::bytea) + length($4::bytea),
            old_bytes = old_bytes + length($4::bytea) WHERE tenant = 1 RETURNING last, bytes, old_bytes),
        l AS (INSERT INTO groups (stream, first, count, length, received_to, bytes)
            SELECT 0, last - $2::bigint - $1::bigint + 1, $1::bigint, length($3), $5::bigint, $3 FROM h WHERE $1::bigint > 0),
        o AS (INSERT INTO groups (stream, first, count, length, received_to, bytes)
            SELECT 1, last - $2::bigint + 1, $2::bigint, length($4), $6::bigint, $4 FROM h WHERE $2::bigint > 0)
        SELECT last, bytes, old_bytes FROM h";
    let values = values![
        signed(live.events),
        signed(old.events),
        live.bytes,
        old.bytes,
        live.received_to.0,
        old.received_to.0,
    ];
    let began = core.clock.monotonic();
    let row = link.row(sql, values).await?.ok_or_else(|| StoreError::Fatal("a row is missing".to_owned()))?;
    core.committed("append", began);
    link.waited_for(warned).inspect_err(|_| {
        core.uncertain.fetch_add(1, Ordering::Relaxed);
    })?;
    Ok(Head { last: Position(uint(&row, 0)?), bytes: uint(&row, 1)?, old_bytes: uint(&row, 2)? })
}

/// Refuses everything at once until a commit has ended that takes too long, as one does whose standby is gone: a second one
/// would only wait behind it. Answers nothing where that takes very long.
async fn refuse_until<T>(
    journal: &Journal,
    core: &Core,
    work: &mut (impl Future<Output = T> + Unpin),
) -> Option<T> {
    let until = core.clock.monotonic() + VERY_LATE;
    journal.away.begins(LATE, core.clock.monotonic());
    tracing::error!(
        why = LATE,
        "the database is not available: events are refused with 503 until it is back"
    );
    loop {
        fail(journal.take_all(), &StoreError::Unavailable(LATE.to_owned()));
        tokio::select! {
            done = &mut *work => {
                journal.away.ends();
                tracing::info!("the database is back: events are accepted");
                return Some(done);
            }
            () = core.clock.sleep_until(core.clock.monotonic() + TRY_AGAIN) => {}
        }
        if core.clock.monotonic() >= until {
            return None;
        }
    }
}

/// Refuses everything at once until the disk of the database has room for something.
async fn wait_for_room(journal: &Journal, core: &Core, error: &StoreError, link: &mut Option<Link>) {
    journal.disk_is_full.store(true, Ordering::Relaxed);
    loop {
        fail(journal.take_all(), error);
        core.clock.sleep_until(core.clock.monotonic() + TRY_AGAIN * 4).await;
        let sql = "UPDATE heads SET last = last WHERE tenant = 1";
        let still = match link.as_ref() {
            Some(link) => matches!(link.change(sql, values![]).await, Err(StoreError::Full(_))),
            None => false,
        };
        if !still || journal.queue().shut {
            break;
        }
    }
    journal.disk_is_full.store(false, Ordering::Relaxed);
    journal.full.ends();
}

/// Refuses everything at once until the database is there again; answers a connection to it.
async fn wait(journal: &Journal, core: &Core, error: &StoreError) -> Option<Link> {
    let why = match error {
        StoreError::Unavailable(why) => why.clone(),
        other => other.to_string(),
    };
    journal.away.begins(&why, core.clock.monotonic());
    tracing::error!(%why, "the database is not available: events are refused with 503 until it is back");
    loop {
        fail(journal.take_all(), &StoreError::Unavailable(why.clone()));
        if journal.queue().shut {
            return None;
        }
        if let Ok(link) = core.dial.connect(Purpose::Write).await {
            if let Ok(head) = head(&link).await {
                journal.knows(head);
            }
            journal.away.ends();
            tracing::info!("the database is back: events are accepted");
            return Some(link);
        }
        core.clock.sleep_until(core.clock.monotonic() + TRY_AGAIN).await;
    }
}
