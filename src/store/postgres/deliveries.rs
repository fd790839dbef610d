//! Deliveries: written in an order in which a record never has two calls in flight.

use super::link::Step;
use super::rows::by_revision_gone;
use super::value::{text, values};
use crate::delivery::{Delivery, DeliveryId, State};
use crate::event::Email;
use crate::store::columns::{OF_A_LIST, int, lane_number, state_number, to_text};
use crate::store::{Revision, StoreError};

/// When a delivery is due that is set aside: never.
pub(super) const NEVER: i64 = i64::MAX;

#[derive(Default)]
struct Rows {
    ids: Vec<String>,
    accounts: Vec<String>,
    subjects: Vec<String>,
    emails: Vec<String>,
    lanes: Vec<i64>,
    states: Vec<i64>,
    opened: Vec<i64>,
    next: Vec<i64>,
    ended: Vec<Option<i64>>,
    bounds: Vec<Option<String>>,
    alone: Vec<i64>,
    reasons: Vec<Option<String>>,
    bodies: Vec<String>,
    revisions: Vec<i64>,
}

impl Rows {
    fn push(&mut self, revision: Revision, delivery: &Delivery) -> Result<(), StoreError> {
        self.bodies.push(to_text("delivery", delivery)?);
        self.ids.push(text(&delivery.id.0));
        self.accounts.push(text(&delivery.account.0));
        self.subjects.push(text(&delivery.subject.to_string()));
        self.emails.push(text(delivery.email().map_or("", Email::as_str)));
        self.lanes.push(lane_number(delivery.lane));
        self.states.push(state_number(delivery.state));
        self.opened.push(delivery.opened_at.0);
        self.next.push(delivery.next_attempt_at.0);
        self.ended.push(delivery.ended_at.map(|moment| moment.0));
        self.bounds.push(delivery.bound.as_ref().map(|bound| text(&bound.to_string())));
        let alone = if delivery.subject.member().is_some() { OF_A_LIST } else { i64::from(delivery.alone) };
        self.alone.push(alone);
        self.reasons.push(delivery.reason.as_deref().map(text));
        self.revisions.push(int(revision));
        Ok(())
    }
}

/// The columns of all rows, one parameter each.
const UNNESTED: &str = "unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[],
    $8::bigint[], $9::bigint[], $10::text[], $11::bigint[], $12::text[], $13::text[], $14::bigint[]) WITH ORDINALITY
    AS u(id, account, subject, email, lane, state, opened_at, next_attempt_at, ended_at, new_contact_of, alone, reason,
         body, revision, nth)";

impl Rows {
    fn step(self, sql: String, call_seconds: f64) -> Option<Step> {
        let count = self.ids.len();
        let values = values![
            self.ids,
            self.accounts,
            self.subjects,
            self.emails,
            self.lanes,
            self.states,
            self.opened,
            self.next,
            self.ended,
            self.bounds,
            self.alone,
            self.reasons,
            self.bodies,
            self.revisions,
            call_seconds,
        ];
        (count > 0).then(|| Step::must(count, sql, values))
    }

    fn insert(self, call_seconds: f64) -> Option<Step> {
        let sql = format!(
            "INSERT INTO deliveries (id, account, subject, email, lane, state, opened_at, next_attempt_at, ended_at,
                new_contact_of, alone, reason, body, revision, call_until, epoch)
             SELECT id, account, subject, email, lane, state, opened_at, next_attempt_at, ended_at, new_contact_of, alone,
                reason, body, revision + 1,
                CASE WHEN state = 1 THEN clock_timestamp() + make_interval(secs => $15::float8) END,
                CASE WHEN state = 1 THEN (SELECT epoch FROM turns WHERE tenant = 1) END
             FROM {UNNESTED} ORDER BY nth"
        );
        self.step(sql, call_seconds)
    }

    fn update(self, call_seconds: f64) -> Option<Step> {
        let sql = format!(
            "UPDATE deliveries AS d SET account = u.account, subject = u.subject, email = u.email, lane = u.lane,
                state = u.state, opened_at = u.opened_at, next_attempt_at = u.next_attempt_at, ended_at = u.ended_at,
                new_contact_of = u.new_contact_of, alone = u.alone, reason = u.reason, body = u.body,
                revision = u.revision + 1,
                call_until = CASE WHEN u.state <> 1 THEN NULL WHEN d.state = 1 THEN d.call_until
                                  ELSE clock_timestamp() + make_interval(secs => $15::float8) END,
                epoch = CASE WHEN u.state <> 1 THEN NULL WHEN d.state = 1 THEN d.epoch
                             ELSE (SELECT epoch FROM turns WHERE tenant = 1) END
             FROM {UNNESTED} WHERE d.tenant = 1 AND d.id = u.id AND d.revision = u.revision"
        );
        self.step(sql, call_seconds)
    }
}

/// The deliveries of a plan.
pub(super) struct Batch {
    call_seconds: f64,
    new: Rows,
    resting: Rows,
    in_flight: Rows,
    gone: Vec<Step>,
}

impl Batch {
    pub(super) fn new(call_seconds: f64) -> Self {
        let (new, resting, in_flight) = Default::default();
        Self { call_seconds, new, resting, in_flight, gone: Vec::new() }
    }

    pub(super) fn put(&mut self, revision: Revision, delivery: &Delivery) -> Result<(), StoreError> {
        let rows = match (revision, delivery.state) {
            (0, _) => &mut self.new,
            (_, State::InFlight) => &mut self.in_flight,
            (
                _,
                State::Waiting
                | State::Retrying
                | State::Delivered
                | State::Superseded
                | State::Dead
                | State::Discarded
                | State::Erased,
            ) => &mut self.resting,
        };
        rows.push(revision, delivery)
    }

    pub(super) fn gone(&mut self, id: &DeliveryId, revision: Revision) {
        self.gone.push(by_revision_gone(("deliveries", "id"), &id.0, revision));
    }

    /// Calls that end come before those that begin.
    pub(super) fn steps(self) -> impl Iterator<Item = Step> {
        let seconds = self.call_seconds;
        let writes = [self.resting.update(seconds), self.in_flight.update(seconds), self.new.insert(seconds)];
        self.gone.into_iter().chain(writes.into_iter().flatten())
    }
}

/// Keeps a delivery from being due. Its body is left alone: it may be what can't be read.
pub(super) fn set_aside(id: &DeliveryId) -> Step {
    let sql = "UPDATE deliveries SET next_attempt_at = $2 WHERE tenant = 1 AND id = $1";
    Step::any(sql, values![text(&id.0), NEVER])
}
