//! A plan as statements: one for each kind of what it writes, all on their way at once.
//!
//! Must not decide anything: a plan is applied as it is, or refused whole.

use std::collections::BTreeMap;

use serde::Serialize;

use super::link::Step;
use super::pen::Pen;
use super::rows::by_revision;
use super::value::{hash, text, texts, values};
use super::{deliveries, documents, orders, outputs, privacy, slots};
use crate::cause::Alert;
use crate::clock::UnixMicros;
use crate::decision::{Contributed, Contribution};
use crate::delivery::{Account, DealKey, DeliveryId, JobId};
use crate::erasure::CallEnd;
use crate::event::Position;
use crate::store::columns::{int, state_number, to_text, worth_number};
use crate::store::counters;
use crate::store::{Counts, Failed, Plan, Privacy, Progress, Put, PutExport, StoreError, Stream, bodies};
use crate::trail::{Act, EventTrail, Look, Tallied, Tallies};

/// So many acts are kept, the latest.
const ACTS_MAX: i64 = 10_000;
/// So many looks are kept, the latest.
const LOOKS_MAX: i64 = 100_000;
const DAY_MICROS: i64 = 86_400_000_000;

/// The day of a moment.
pub(super) fn day(moment: UnixMicros) -> i64 {
    moment.0.div_euclid(DAY_MICROS)
}

/// What needs to read before it writes; it is seldom.
pub(super) enum Rare {
    /// An event is put aside, perhaps in place of others.
    Failed(Box<Failed>),
    /// A call has ended that orders to forget somebody may wait for.
    CallEnded(DeliveryId, CallEnd),
}

/// A plan as it is written.
#[derive(Default)]
pub(super) struct Written {
    pub(super) steps: Vec<Step>,
    pub(super) rare: Vec<Rare>,
}

/// The statements of a plan.
pub(super) fn written(plan: Plan, pen: &Pen<'_>) -> Result<Written, StoreError> {
    let mut written = Written::default();
    let day = (!plan.unheard).then(|| day(pen.now));
    written.steps.extend(plan.progress.map(progress));
    let mut documents = documents::Batch::new(day, self::day(pen.now));
    let mut deliveries = deliveries::Batch::new(pen.call_seconds);
    let mut trail = Batches::default();
    let mut outputs = outputs::Batch::default();
    let mut single = Vec::new();
    for put in plan.puts {
        match put {
            Put::Person(key, revision, person) => documents.person(&key, revision, &person)?,
            Put::Timeline(key, revision, line) => documents.timeline(&key, revision, &line)?,
            Put::Contact(email, revision, contact) => documents.contact(&email, revision, &contact)?,
            Put::Company(key, revision, company) => documents.company(&key, revision, &company)?,
            Put::Deal(deal) => documents.deal(&deal)?,
            Put::Happening(put) => documents.happening(&put.0, put.1, &put.2)?,
            Put::Gone(gone) => documents.gone(&gone, &mut deliveries),
            Put::Delivery(revision, delivery) => deliveries.put(revision, &delivery)?,
            Put::Contributed(contributed) => trail.contributed(contributed),
            Put::Seen(source, id, position, at) => trail.seen(&source.0, &id, (int(position.0), at)),
            Put::Trail(event) => drop(trail.trails.insert(event.position.0, event)),
            Put::SeenAgain(position) => *trail.again.entry(int(position.0)).or_default() += 1,
            Put::Output(put) => outputs.put(&put)?,
            Put::Failed(failed) => written.rare.push(Rare::Failed(failed)),
            Put::Privacy(Privacy::CallEnded(delivery, end)) => {
                written.rare.push(Rare::CallEnded(delivery, end));
            }
            Put::Privacy(note) => single.extend(privacy::note(&note, pen.key)?),
            Put::Destination(account, revision, destination) => {
                let body = to_text("destination", &destination)?;
                single.push(by_revision(("destinations", "account"), &account.0, revision, body));
            }
            Put::Review(revision, review) => single.push(walk("review", revision, &review)?),
            Put::Redrive(revision, walked) => single.push(walk("redrive", revision, &walked)?),
            Put::Gathering(revision, walked) => single.push(walk("gathering", revision, &walked)?),
            Put::FailedEnded(position) => single.push(failed_ended(position)),
            Put::SetAside(id) => single.push(deliveries::set_aside(&id)),
            Put::SlotTaken(account, slot, at) => single.extend(slots::take(&account, slot, at, pen)),
            Put::Bounded(account, slot, bound) => single.push(slots::bound(&account, slot, &bound)),
            Put::SlotAnswered(account, slot, at) => single.extend(slots::answer(&account, slot, at, pen)),
            Put::BulkJob(account, job) => {
                let key = [account.0.as_str(), job.id.as_str()];
                single.push(replaced(["bulk_jobs", "account", "id"], key, to_text("bulk job", &job)?));
            }
            Put::BulkJobEnded(account, id) => single.push(job_ended(&account, &id)),
            Put::Selectors(account, kind, list) => {
                let key = [account.0.as_str(), kind.name()];
                single.push(replaced(["selectors", "account", "kind"], key, to_text("selectors", &list)?));
            }
            Put::Act(act) => single.extend(acted(&act)),
            Put::Look(look) => single.extend(looked(&look)),
            Put::Order(put) => single.push(orders::put(&put)),
            Put::Alert(alert) => single.push(alerted(&alert)?),
            Put::Export(export) => single.extend(exported(&export)?),
            Put::Won(key, at) => single.push(won(&key, at)),
        }
    }
    written.steps.extend(documents.steps());
    written.steps.extend(deliveries.steps());
    written.steps.extend(trail.steps()?);
    written.steps.extend(single);
    written.steps.extend(outputs.steps());
    written.steps.extend(counted(&plan.counts));
    Ok(written)
}

fn progress(Progress { stream, from, to, events }: Progress) -> Step {
    let sql = match stream {
        Stream::Live => {
            "UPDATE turns SET position = $2, events = events + $3 WHERE tenant = 1 AND position = $1"
        }
        Stream::Old => {
            "UPDATE turns SET old_position = $2, events = events + $3 WHERE tenant = 1 AND old_position = $1"
        }
    };
    Step::must(1, sql, values![int(from.0), int(to.0), int(events)])
}

fn walk(name: &'static str, revision: u64, walk: &impl Serialize) -> Result<Step, StoreError> {
    Ok(by_revision(("walks", "name"), name, revision, to_text(name, walk)?))
}

fn failed_ended(position: Position) -> Step {
    let sql = "DELETE FROM failed WHERE tenant = 1 AND position = $1";
    Step::must(1, sql, values![int(position.0)])
}

fn job_ended(account: &Account, id: &JobId) -> Step {
    let sql = "DELETE FROM bulk_jobs WHERE tenant = 1 AND account = $1 AND id = $2";
    Step::any(sql, values![text(&account.0), text(id.as_str())])
}

fn alerted(alert: &Alert) -> Result<Step, StoreError> {
    let sql = "INSERT INTO alerts (cause, body) VALUES ($1, $2)
               ON CONFLICT (tenant, cause) DO UPDATE SET body = excluded.body";
    Ok(Step::any(sql, values![alert.cause.as_str().to_owned(), to_text("alert", alert)?]))
}

/// Writes a row in place of what was known.
fn replaced([table, one, other]: [&str; 3], key: [&str; 2], body: String) -> Step {
    let sql = format!(
        "INSERT INTO {table} ({one}, {other}, body) VALUES ($1, $2, $3)
         ON CONFLICT (tenant, {one}, {other}) DO UPDATE SET body = excluded.body"
    );
    Step::any(sql, values![text(key[0]), text(key[1]), body])
}

fn acted(act: &Act) -> [Step; 2] {
    let sql = "INSERT INTO acts (at, kind, who, about) VALUES ($1, $2, $3, $4)";
    let row = values![act.at.0, act.kind.as_str().to_owned(), text(&act.who), text(&act.about)];
    let old =
        "DELETE FROM acts WHERE tenant = 1 AND place <= (SELECT max(place) FROM acts WHERE tenant = 1) - $1";
    [Step::any(sql, row), Step::any(old, values![ACTS_MAX])]
}

fn looked(look: &Look) -> [Step; 2] {
    let sql = "INSERT INTO looks (at, who, route, whom) VALUES ($1, $2, $3, $4)";
    let row = values![look.at.0, text(&look.who), text(&look.route), text(&look.whom)];
    let old = "DELETE FROM looks WHERE tenant = 1 AND place <= (SELECT max(place) FROM looks WHERE tenant = 1) - $1";
    [Step::any(sql, row), Step::any(old, values![LOOKS_MAX])]
}

fn won(deal: &DealKey, at: Option<UnixMicros>) -> Step {
    let key = text(&deal.to_string());
    match at {
        Some(at) => Step::any(
            "INSERT INTO won (key, at, stands) VALUES ($1, $2, true)
             ON CONFLICT (tenant, key) DO UPDATE SET stands = true",
            values![key, at.0],
        ),
        None => Step::any("UPDATE won SET stands = false WHERE tenant = 1 AND key = $1", values![key]),
    }
}

fn exported(put: &PutExport) -> Result<Vec<Step>, StoreError> {
    Ok(match put {
        PutExport::Export(export) => vec![Step::any(
            "INSERT INTO exports (id, body) VALUES ($1, $2) ON CONFLICT (tenant, id) DO UPDATE SET body = excluded.body",
            values![int(export.id), to_text("export", export)?],
        )],
        PutExport::Deal { export, deal, row } => {
            let body = row.as_ref().map(|row| to_text("export", row)).transpose()?;
            let whole = row.as_ref().map_or(2, |row| i64::from(row.whole));
            vec![Step::any(
                "INSERT INTO export_rows (export, deal, whole, body) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (tenant, export, deal) DO UPDATE SET whole = excluded.whole, body = excluded.body",
                values![int(*export), int(*deal), whole, body],
            )]
        }
        PutExport::Gone(export) => vec![
            Step::any("DELETE FROM export_rows WHERE tenant = 1 AND export = $1", values![int(*export)]),
            Step::any("DELETE FROM exports WHERE tenant = 1 AND id = $1", values![int(*export)]),
        ],
    })
}

/// What is written of events in one statement each.
#[derive(Default)]
struct Batches {
    seen: (Vec<String>, Vec<String>, Vec<i64>, Vec<i64>),
    trails: BTreeMap<u64, EventTrail>,
    again: BTreeMap<i64, i64>,
    contributed: BTreeMap<(String, String), Vec<Contribution>>,
}

impl Batches {
    fn seen(&mut self, source: &str, message_id: &str, (position, at): (i64, UnixMicros)) {
        self.seen.0.push(text(source));
        self.seen.1.push(text(message_id));
        self.seen.2.push(position);
        self.seen.3.push(at.0);
    }

    fn contributed(&mut self, contributed: Contributed) {
        let key = (text(contributed.email.as_str()), text(&contributed.member.to_string()));
        self.contributed.insert(key, contributed.contributions);
    }

    fn steps(self) -> Result<Vec<Step>, StoreError> {
        let mut steps = Vec::new();
        let (sources, ids, positions, moments) = self.seen;
        if !sources.is_empty() {
            let sql = "INSERT INTO seen (source, message_id, position, received_at)
                       SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[])";
            steps.push(Step::must(sources.len(), sql, values![sources, ids, positions, moments]));
        }
        if !self.trails.is_empty() {
            let trails_of: Vec<EventTrail> = self.trails.into_values().collect();
            steps.push(trails(&trails_of)?);
        }
        if !self.again.is_empty() {
            let (positions, times): (Vec<i64>, Vec<i64>) = self.again.into_iter().unzip();
            let sql = "UPDATE events AS e SET duplicates = e.duplicates + u.times
                       FROM unnest($1::bigint[], $2::bigint[]) AS u(position, times)
                       WHERE e.tenant = 1 AND e.position = u.position";
            steps.push(Step::any(sql, values![positions, times]));
        }
        if !self.contributed.is_empty() {
            steps.extend(contributions(&self.contributed));
        }
        Ok(steps)
    }
}

fn trails(events: &[EventTrail]) -> Result<Step, StoreError> {
    let column = |of: fn(&EventTrail) -> &str| events.iter().map(|event| text(of(event))).collect::<Vec<_>>();
    let maybe = |of: fn(&EventTrail) -> Option<&str>| {
        events.iter().map(|event| of(event).map(text)).collect::<Vec<Option<String>>>()
    };
    let number = |of: fn(&EventTrail) -> i64| events.iter().map(of).collect::<Vec<_>>();
    let bodies: Vec<String> = events.iter().map(bodies::of_trail).collect::<Result<_, _>>()?;
    let names: Vec<String> = events.iter().map(|event| text(&event.event.to_lowercase())).collect();
    let sql = "INSERT INTO events
            (position, message_id, source, name, person, email, page, outcome, duplicates, received_at, worth, body)
        SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
            $8::text[], $9::bigint[], $10::bigint[], $11::bigint[], $12::text[])
        ON CONFLICT (tenant, position) DO UPDATE SET message_id = excluded.message_id, source = excluded.source,
            name = excluded.name, person = excluded.person, email = excluded.email, page = excluded.page,
            outcome = excluded.outcome, duplicates = excluded.duplicates, received_at = excluded.received_at,
            worth = excluded.worth, body = excluded.body";
    Ok(Step::any(
        sql,
        values![
            number(|event| int(event.position.0)),
            column(|event| &event.message_id),
            column(|event| &event.source.0),
            names,
            maybe(|event| event.person.as_deref()),
            maybe(|event| event.email.as_ref().map(crate::event::Email::as_str)),
            maybe(|event| event.page.as_deref()),
            column(|event| event.outcome.as_str()),
            number(|event| int(event.duplicates)),
            number(|event| event.received_at.0),
            number(|event| worth_number(event.worth)),
            bodies,
        ],
    ))
}

/// What persons contribute to contacts, in place of what they did before; rows that are the same are not touched.
fn contributions(all: &BTreeMap<(String, String), Vec<Contribution>>) -> [Step; 2] {
    let emails: Vec<String> = all.keys().map(|(email, _)| email.clone()).collect();
    let hashes: Vec<Vec<u8>> = all.keys().map(|(_, member)| hash(member)).collect();
    let rows = || all.iter().flat_map(|(key, said)| said.iter().map(move |one| (key, one)));
    let of: Vec<String> = rows().map(|((email, _), _)| email.clone()).collect();
    let by: Vec<Vec<u8>> = rows().map(|((_, member), _)| hash(member)).collect();
    let members: Vec<String> = rows().map(|((_, member), _)| member.clone()).collect();
    let whats = texts(rows().map(|(_, one)| &one.what));
    let moments: Vec<i64> = rows().map(|(_, one)| one.stamp.at.0).collect();
    let messages = texts(rows().map(|(_, one)| &one.stamp.message_id));
    let gone = "DELETE FROM contributions AS c USING unnest($1::text[], $2::bytea[]) AS u(email, hash)
        WHERE c.tenant = 1 AND c.email = u.email AND c.hash = u.hash AND NOT EXISTS (
            SELECT 1 FROM unnest($3::text[], $4::bytea[], $5::text[]) AS k(email, hash, what)
            WHERE k.email = c.email AND k.hash = c.hash AND k.what = c.what)";
    let put = "INSERT INTO contributions AS c (email, hash, what, member, at, message_id)
        SELECT * FROM unnest($1::text[], $2::bytea[], $3::text[], $4::text[], $5::bigint[], $6::text[])
        ON CONFLICT (tenant, email, hash, what) DO UPDATE SET at = excluded.at, message_id = excluded.message_id
        WHERE (c.at, c.message_id) IS DISTINCT FROM (excluded.at, excluded.message_id)";
    [
        Step::any(gone, values![emails, hashes, of.clone(), by.clone(), whats.clone()]),
        Step::any(put, values![of, by, whats, members, moments, messages]),
    ]
}

/// Adds to the counters.
pub(super) fn counted(counts: &Counts) -> Vec<Step> {
    let (names, by): (Vec<String>, Vec<i64>) = counters::names(counts).into_iter().unzip();
    let mut steps = Vec::new();
    if !names.is_empty() {
        let sql = "INSERT INTO counters (name, value) SELECT * FROM unnest($1::text[], $2::bigint[])
                   ON CONFLICT (tenant, name) DO UPDATE SET value = counters.value + excluded.value";
        steps.push(Step::any(sql, values![texts(names), by]));
    }
    steps.extend(tallied(&counts.tallies));
    steps
}

fn tallied(tallies: &Tallies) -> Option<Step> {
    if tallies.is_empty() {
        return None;
    }
    let (mut spans, mut kinds, mut by) = (Vec::new(), Vec::<i64>::new(), Vec::<i64>::new());
    let mut words: [Vec<String>; 4] = Default::default();
    for ((span, tallied), count) in tallies {
        let (kind, said) = match tallied {
            Tallied::Event(source, name, outcome) => (1, [&source.0, name, "", outcome.as_str()].map(text)),
            Tallied::Consent(source, tool, category, said) => {
                (2, [&source.0, tool, category, said.as_str()].map(text))
            }
            Tallied::Ended(state) => (3, ["", "", "", &state_number(*state).to_string()].map(text)),
        };
        spans.push(span.0);
        kinds.push(kind);
        by.push(*count);
        words.iter_mut().zip(said).for_each(|(column, word)| column.push(word));
    }
    let [sources, names, besides, words] = words;
    let sql = "INSERT INTO tallies (span, kind, source, name, beside, word, count)
        SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[])
        ON CONFLICT (tenant, span, kind, source, name, beside, word)
        DO UPDATE SET count = tallies.count + excluded.count";
    Some(Step::any(sql, values![spans, kinds, sources, names, besides, words, by]))
}
