//! The state: one thread that loads documents and applies plans, so that a load sees every plan before it.
//!
//! Must not decide anything: a plan is applied as it is, or refused whole.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{
    Connection, OptionalExtension, ToSql, Transaction, TransactionBehavior, named_params, params,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

pub(super) use super::change::{by_revision, change, change_one};
pub(super) use super::columns::document;
use super::columns::{OF_A_LIST, int, lane_number, state_number, to_text, uint};
use super::failure::Fatal;
use super::files::{self, Checkpoint};
use super::under_way::UnderWay;
use super::write_back::WriteBack;
use super::{
    acts, alerts, crm_ids, crowds, deals, erase, exports, failed, happenings, looks, names, outbox, outputs,
    search, selectors, suppressed, tallies, tombstones, trail, walks, won,
};
use crate::allowance::SlotId;
use crate::clock::UnixMicros;
use crate::delivery::{Account, Bound, Delivery};
use crate::event::{CrmRecord, Email, Position};
use crate::person::{Person, PersonKey};
use crate::store::counters;
use crate::store::{
    Answer, Counts, Documents, Gone, Keys, Plan, Processed, Progress, Put, Revision, StoreError, Stream,
};

/// Orders that may wait; who brings more waits for a place.
const ORDERS_MAX: usize = 256;
/// Pages that the thread keeps in memory: a batch changes more of them than the usual 2 MiB hold, which would be written twice.
const CACHE_KIB: i64 = 16 * 1024;
/// Answered slots are forgotten after this; the allowance asks for an hour.
const SLOTS_KEPT: Duration = Duration::from_hours(2);
const SLOTS_KEPT_MICROS: i64 = 2 * 3_600 * 1_000_000;

type Order = Box<dyn FnOnce(&mut Connection) + Send>;

enum Message {
    Run(Order, OwnedSemaphorePermit),
    Shut,
}

/// The thread that owns the only connection that writes to the state.
#[derive(Debug)]
pub(super) struct StateThread {
    orders: SyncSender<Message>,
    places: Arc<Semaphore>,
    fatal: Fatal,
    under_way: UnderWay,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl StateThread {
    /// Starts the thread that writes by a connection, and the one that writes its log back by another.
    pub(super) fn start(
        connection: Connection,
        beside: Connection,
        fatal: Fatal,
        under_way: UnderWay,
    ) -> Result<Self, StoreError> {
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        // A place for each order, and one to shut: nobody ever waits for the channel itself.
        let (orders, received) = sync_channel(ORDERS_MAX + 1);
        let write_back = WriteBack::start(beside, fatal.clone())?;
        let thread = std::thread::Builder::new().name("state".to_owned()).spawn(move || {
            crate::store::give_way();
            run(connection, &received, write_back);
        });
        let thread = thread.map_err(|error| StoreError::Fatal(error.to_string()))?;
        Ok(Self {
            orders,
            places: Arc::new(Semaphore::new(ORDERS_MAX)),
            fatal,
            under_way,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Has the thread do something.
    pub(super) fn order<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<T> {
        let (orders, fatal) = (self.orders.clone(), self.fatal.clone());
        let places = Arc::clone(&self.places);
        self.under_way.until_taken(async move {
            let place = places.acquire_owned().await.map_err(|_| StoreError::Shut)?;
            let (answer, answered) = oneshot::channel();
            let order: Order = Box::new(move |connection| {
                let result = fatal.check().and_then(|()| work(connection));
                if let Err(error) = &result {
                    fatal.note(error);
                }
                let _ = answer.send(result);
            });
            orders.try_send(Message::Run(order, place)).map_err(|_| StoreError::Shut)?;
            answered.await.unwrap_or(Err(StoreError::Shut))
        })
    }

    /// Does what was ordered before, then ends the thread.
    pub(super) fn shut(&self) {
        let _ = self.orders.send(Message::Shut);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

fn run(mut connection: Connection, orders: &Receiver<Message>, write_back: WriteBack) {
    loop {
        let waiting = orders.try_recv().or_else(|_| {
            write_back.look(&connection, true);
            orders.recv()
        });
        match waiting {
            Ok(Message::Run(order, _place)) => order(&mut connection),
            Ok(Message::Shut) | Err(_) => break,
        }
        write_back.look(&connection, false);
    }
    write_back.shut(&connection);
}

/// Leaves nothing in the WAL; answers whether that was possible now.
pub(super) fn wipe(connection: &Connection) -> Result<bool, StoreError> {
    Ok(files::checkpoint(connection, Checkpoint::Truncate)?.pages == 0)
}

/// How far the journal has taken effect.
pub(super) fn processed(connection: &Connection) -> Result<Processed, StoreError> {
    let (live, old, events) = connection
        .prepare_cached("SELECT position, old_position, events FROM progress")?
        .query_row((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(Processed { live: Position(uint(live)), old: Position(uint(old)), events: uint(events) })
}

/// Loads what exists of the documents asked for.
pub(super) fn load(connection: &Connection, keys: Keys) -> Result<Documents, StoreError> {
    let mut found = Documents::default();
    let mut unseen = Vec::new();
    deals::load(connection, &keys, &mut found)?;
    happenings::load(connection, &keys, &mut found)?;
    crm_ids::load(connection, &keys, &mut found)?;
    for key in keys.seen {
        let position: Option<i64> = connection
            .prepare_cached("SELECT position FROM seen WHERE source = ?1 AND message_id = ?2")?
            .query_row((&key.0.0, &key.1), |row| row.get(0))
            .optional()?;
        match position {
            Some(position) => {
                found.seen.insert(key, Position(uint(position)));
            }
            None => unseen.push(key),
        }
    }
    for key in keys.people {
        let sql = "SELECT revision, body FROM people WHERE key = ?1";
        let person = document(connection, "person", sql, [key.to_string()])?;
        found.people.extend(person.map(|person| (key, person)));
    }
    for key in keys.timelines {
        let sql = "SELECT revision, body FROM timelines WHERE people = ?1 AND anonymous_id = ?2";
        let timeline = document(connection, "timeline", sql, (&key.people, &key.anonymous_id))?;
        found.timelines.extend(timeline.map(|timeline| (key, timeline)));
    }
    found.suppressed = suppressed::of(connection, &keys.contacts)?;
    for key in keys.contacts {
        let sql = "SELECT revision, body FROM contacts WHERE email = ?1";
        let contact = document(connection, "contact", sql, [key.as_str()])?;
        found.contacts.extend(contact.map(|contact| (key, contact)));
    }
    for key in keys.deliveries {
        let sql = "SELECT revision, body FROM deliveries WHERE id = ?1";
        let delivery = document(connection, "delivery", sql, [&key.0])?;
        found.deliveries.extend(delivery.map(|delivery| (key, delivery)));
    }
    if let Some(account) = keys.destination {
        let sql = "SELECT revision, body FROM destinations WHERE account = ?1";
        found.destination = document(connection, "destination", sql, [&account.0])?;
    }
    found.tombstones = tombstones::of(connection, keys.marks)?;
    let messages = tombstones::messages(connection, unseen)?;
    found.tombstones.extend(messages.into_iter().map(|message| (message, UnixMicros(i64::MAX))));
    let without: BTreeSet<String> = keys.without.iter().map(ToString::to_string).collect();
    for email in keys.crowds {
        let members = crowds::newest(connection, &email, &without)?;
        found.crowds.insert(email, members);
    }
    if keys.walks {
        found.gathering = walks::gathering(connection)?;
        found.review = walks::review(connection)?;
        found.redrive = walks::redrive(connection)?;
    }
    Ok(found)
}

/// Applies a plan whole or not at all.
pub(super) fn apply(connection: &mut Connection, plan: &Plan, now: UnixMicros) -> Result<(), StoreError> {
    Ok(write(connection, plan, now)?.commit()?)
}

/// Writes a plan. Dropped without a commit, the transaction is rolled back.
pub(super) fn write<'a>(
    connection: &'a mut Connection,
    plan: &Plan,
    now: UnixMicros,
) -> Result<Transaction<'a>, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if let Some(Progress { stream, from, to, events }) = plan.progress {
        let sql = match stream {
            Stream::Live => "UPDATE progress SET position = ?2, events = events + ?3 WHERE position = ?1",
            Stream::Old => {
                "UPDATE progress SET old_position = ?2, events = events + ?3 WHERE old_position = ?1"
            }
        };
        change_one(&transaction, sql, (int(from.0), int(to.0), int(events)))?;
    }
    let day = (!plan.unheard).then(|| search::day(now));
    for one in &plan.puts {
        put(&transaction, one, now, day)?;
    }
    count(&transaction, &plan.counts)?;
    Ok(transaction)
}

fn put_person(
    connection: &Connection,
    key: &PersonKey,
    revision: Revision,
    person: &Person,
    day: Option<i64>,
) -> Result<(), StoreError> {
    let (key, body) = (key.to_string(), to_text("person", person)?);
    let insert = "INSERT INTO people (key, body, revision, day) VALUES (?1, ?2, ?3 + 1, coalesce(?4, 0))";
    let update = "UPDATE people SET body = ?2, revision = ?3 + 1, day = coalesce(?4, day) WHERE key = ?1 AND revision = ?3";
    let values = params![key, body, int(revision), day];
    change_one(connection, by_revision(revision, insert, update), values)?;
    names::put(connection, &key, person, revision == 0)
}

fn put(connection: &Connection, put: &Put, now: UnixMicros, day: Option<i64>) -> Result<(), StoreError> {
    match put {
        Put::Person(key, revision, person) => put_person(connection, key, *revision, person, day),
        Put::Timeline(key, revision, timeline) => {
            let body = to_text("timeline", timeline)?;
            let insert = "INSERT INTO timelines (people, anonymous_id, body, revision, day) VALUES (?1, ?2, ?3, ?4 + 1, coalesce(?5, 0))";
            let update = "UPDATE timelines SET body = ?3, revision = ?4 + 1, day = coalesce(?5, day)
                          WHERE people = ?1 AND anonymous_id = ?2 AND revision = ?4";
            let values = params![key.people, key.anonymous_id, body, int(*revision), day];
            change_one(connection, by_revision(*revision, insert, update), values)
        }
        Put::Contact(email, revision, contact) => {
            let body = to_text("contact", contact)?;
            let insert = "INSERT INTO contacts (email, body, revision) VALUES (?1, ?2, ?3 + 1)";
            let update =
                "UPDATE contacts SET body = ?2, revision = ?3 + 1 WHERE email = ?1 AND revision = ?3";
            let values = params![email.as_str(), body, int(*revision)];
            change_one(connection, by_revision(*revision, insert, update), values)?;
            crm_ids::of_contact(connection, email, contact)
        }
        Put::Company(key, revision, company) => deals::put_company(connection, key, *revision, company),
        Put::Deal(deal) => deals::put_deal(connection, deal, day),
        Put::Happening(put) => {
            let (id, revision, happening) = &**put;
            happenings::put(connection, id, *revision, happening, search::day(now))
        }
        Put::Delivery(revision, delivery) => put_delivery(connection, *revision, delivery),
        Put::Destination(account, revision, destination) => {
            let body = to_text("destination", destination)?;
            let insert = "INSERT INTO destinations (account, body, revision) VALUES (?1, ?2, ?3 + 1)";
            let update =
                "UPDATE destinations SET body = ?2, revision = ?3 + 1 WHERE account = ?1 AND revision = ?3";
            let values = params![account.0, body, int(*revision)];
            change_one(connection, by_revision(*revision, insert, update), values)
        }
        Put::Review(revision, review) => walks::put(connection, walks::REVIEW, *revision, review),
        Put::Redrive(revision, redrive) => walks::put(connection, walks::REDRIVE, *revision, redrive),
        Put::Gathering(revision, gathering) => walks::put(connection, walks::GATHERING, *revision, gathering),
        Put::Contributed(contributed) => crowds::put(connection, contributed),
        Put::Seen(source, message_id, position, received_at) => {
            let sql = "INSERT INTO seen (source, message_id, position, received_at) VALUES (?1, ?2, ?3, ?4)";
            change_one(connection, sql, (&source.0, message_id, int(position.0), received_at.0))
        }
        Put::Trail(event) => trail::put(connection, event),
        Put::SeenAgain(position) => seen_again(connection, *position),
        Put::Failed(event) => failed::put(connection, event),
        Put::FailedEnded(position) => failed::end(connection, *position),
        Put::SetAside(id) => outbox::set_aside(connection, id),
        Put::SlotTaken(account, slot, at) => take_slot(connection, account, *slot, *at),
        Put::Bounded(account, slot, bound) => bounded(connection, account, *slot, bound),
        Put::SlotAnswered(account, slot, at) => answer_slot(connection, account, *slot, *at, now),
        Put::BulkJob(account, job) => outbox::put_bulk_job(connection, account, job),
        Put::BulkJobEnded(account, id) => outbox::end_bulk_job(connection, account, id),
        Put::Selectors(account, kind, list) => selectors::put(connection, account, *kind, list),
        Put::Act(act) => acts::put(connection, act),
        Put::Look(look) => looks::put(connection, look),
        // Whoever is asked carries an order out: none is kept.
        Put::Order(_) => Ok(()),
        Put::Alert(alert) => alerts::put(connection, alert),
        Put::Output(output) => outputs::put(connection, output),
        Put::Export(export) => exports::put(connection, export),
        Put::Won(key, at) => won::put(connection, key, *at),
        Put::Gone(document) => gone(connection, document),
        Put::Privacy(note) => erase::note(connection, note),
    }
}

/// Counts that a message came again; the trail of the first one may be pruned already.
fn seen_again(connection: &Connection, position: Position) -> Result<(), StoreError> {
    let sql = "UPDATE events SET duplicates = duplicates + 1 WHERE position = ?1";
    change(connection, sql, [int(position.0)]).map(|_| ())
}

/// Notes which quota the call of a slot counts for.
fn bounded(
    connection: &Connection,
    account: &Account,
    slot: SlotId,
    bound: &Bound,
) -> Result<(), StoreError> {
    let sql = "UPDATE slots SET new_contact_of = ?3 WHERE account = ?1 AND id = ?2";
    change_one(connection, sql, (&account.0, int(slot.0), bound.to_string()))
}

fn take_slot(
    connection: &Connection,
    account: &Account,
    slot: SlotId,
    at: UnixMicros,
) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO slots (account, id, taken_at, boottime, boot) VALUES (?1, ?2, ?3, boottime(), boot())";
    change_one(connection, sql, (&account.0, int(slot.0), at.0))?;
    let sql = "INSERT INTO next_slots (account, id) VALUES (?1, ?2)
               ON CONFLICT DO UPDATE SET id = max(id, excluded.id)";
    change_one(connection, sql, (&account.0, int(slot.0) + 1))
}

fn answer_slot(
    connection: &Connection,
    account: &Account,
    slot: SlotId,
    at: UnixMicros,
    now: UnixMicros,
) -> Result<(), StoreError> {
    let sql = "UPDATE slots SET answered_at = ?3, boottime = boottime(), boot = boot()
               WHERE account = ?1 AND id = ?2";
    change(connection, sql, (&account.0, int(slot.0), at.0))?;
    let old = now.minus(SLOTS_KEPT);
    // Also by the time that the machine has been running: the time of day may be wrong.
    let sql = "DELETE FROM slots WHERE answered_at < ?1
               AND (boot IS NULL OR iif(boot = boot(), boottime, 0) < boottime() - ?2)";
    change(connection, sql, (old.0, SLOTS_KEPT_MICROS)).map(|_| ())
}

/// Deletes a document.
fn gone(connection: &Connection, document: &Gone) -> Result<(), StoreError> {
    match document {
        Gone::Person(key, revision) => {
            let sql = "DELETE FROM people WHERE key = ?1 AND revision = ?2";
            change_one(connection, sql, (key.to_string(), int(*revision)))
        }
        Gone::Timeline(key, revision) => {
            let sql = "DELETE FROM timelines WHERE people = ?1 AND anonymous_id = ?2 AND revision = ?3";
            change_one(connection, sql, (&key.people, &key.anonymous_id, int(*revision)))
        }
        Gone::Contact(email, revision) => {
            let sql = "DELETE FROM contacts WHERE email = ?1 AND revision = ?2";
            change_one(connection, sql, (email.as_str(), int(*revision)))?;
            crm_ids::forget(connection, CrmRecord::Contact, email.as_str())?;
            crowds::forget(connection, email)
        }
        Gone::Company(key, revision) => deals::gone(connection, "companies", key, *revision),
        Gone::Deal(key, revision) => {
            crm_ids::forget(connection, CrmRecord::Deal, &key.to_string())?;
            deals::gone(connection, "deals", key, *revision)
        }
        Gone::Happening(id, revision) => deals::gone(connection, "happenings", id, *revision),
        Gone::Delivery(id, revision) => {
            let sql = "DELETE FROM deliveries WHERE id = ?1 AND revision = ?2";
            change_one(connection, sql, (&id.0, int(*revision)))
        }
    }
}

/// Writes a delivery that was loaded at a revision.
pub(super) fn put_delivery(
    connection: &Connection,
    revision: Revision,
    delivery: &Delivery,
) -> Result<(), StoreError> {
    let insert = "INSERT INTO deliveries
            (id, account, subject, email, lane, state, opened_at, next_attempt_at, ended_at, new_contact_of, alone, body, revision)
        VALUES (:id, :account, :subject, :email, :lane, :state, :opened_at, :next_attempt_at, :ended_at, :new_contact_of, :alone, :body, :revision + 1)";
    let update = "UPDATE deliveries SET account = :account, subject = :subject, email = :email, lane = :lane, state = :state,
            opened_at = :opened_at, next_attempt_at = :next_attempt_at, ended_at = :ended_at, new_contact_of = :new_contact_of, alone = :alone, body = :body, revision = :revision + 1
        WHERE id = :id AND revision = :revision";
    // Most changes are to the content alone: another event has joined it. Then none of what is counted and looked up by is
    // written again.
    let content = "UPDATE deliveries SET body = :body, revision = :revision + 1
        WHERE id = :id AND revision = :revision AND account = :account AND subject = :subject AND email = :email
            AND lane = :lane AND state = :state AND opened_at = :opened_at AND next_attempt_at = :next_attempt_at
            AND ended_at IS :ended_at AND new_contact_of IS :new_contact_of AND alone = :alone";
    let values: &[(&str, &dyn ToSql)] = named_params! {
        ":id": delivery.id.0,
        ":account": delivery.account.0,
        ":subject": delivery.subject.to_string(),
        ":email": delivery.email().map_or("", Email::as_str),
        ":lane": lane_number(delivery.lane),
        ":state": state_number(delivery.state),
        ":opened_at": delivery.opened_at.0,
        ":next_attempt_at": delivery.next_attempt_at.0,
        ":ended_at": delivery.ended_at.map(|moment| moment.0),
        ":new_contact_of": delivery.bound.as_ref().map(ToString::to_string),
        ":alone": if delivery.subject.member().is_some() { OF_A_LIST } else { i64::from(delivery.alone) },
        ":body": to_text("delivery", delivery)?,
        ":revision": int(revision),
    };
    if revision > 0 && change(connection, content, values)? > 0 {
        return Ok(());
    }
    change_one(connection, by_revision(revision, insert, update), values)
}

/// Adds to the counters.
pub(super) fn count(connection: &Connection, counts: &Counts) -> Result<(), StoreError> {
    for (name, by) in counters::names(counts) {
        let sql = "INSERT INTO counters (name, value) VALUES (?1, ?2)
                   ON CONFLICT DO UPDATE SET value = value + excluded.value";
        change_one(connection, sql, (name, by))?;
    }
    tallies::add(connection, &counts.tallies)
}
