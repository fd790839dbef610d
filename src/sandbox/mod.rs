//! A Freshsales to develop against: the same routes, rules, limits and errors, records kept in memory.
//!
//! For the demo, for tests in process, and for people without an account. It is a peer, not a part: the
//! service speaks to it over HTTP alone and must never use it from its own code.
//!
//! Where the behaviour of the real service is not known for certain, this is what the sandbox does:
//! - a contact created without a `subscription_status` is stored as `"subscribed"`;
//! - a name is mandatory on create, first or last; an update may leave both out;
//! - `custom_field` and every list replace what was there; all other attributes that are absent stay;
//! - an email belongs to one contact whatever its case; a mobile number may belong to several;
//! - a text that is no choice of a dropdown is dropped without a word;
//! - a call over a limit is refused and takes nothing of the allowance;
//! - a bulk call writes its contacts at once, only its report comes later; a search sees a write at once, unless told
//!   otherwise;
//! - a deal that names no stage is put into the first of the default pipeline, and closing it writes the day;
//! - an id that a selector of the account does not list is refused; a contact status of another lifecycle stage becomes the
//!   first of its own;
//! - two companies have different names; what was deleted is not found, and a change of it is answered as of an unknown id.
//!
//! Everything else that may go wrong can be ordered: see [`Fault`].

mod answer;
mod bulk;
mod call;
mod contacts;
mod control;
mod crm;
mod deals;
mod desk;
mod faults;
mod fields;
mod hook;
mod kinds;
mod limits;
mod now;
mod options;
mod recorder;
mod records;
mod reply;
mod routes;
mod search;
mod selectors;
mod shown;
mod state;
#[cfg(test)]
mod tests;
mod told;

use std::fmt::{self, Debug, Formatter};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use serde_json::Value;
use tokio::sync::watch;

pub use faults::{Fault, FaultError};
pub use hook::ChangeHook;
pub use options::{CustomField, CustomFieldKind, Forbidden, Quirk, SandboxOptions};
pub use recorder::RecordedRequest;
pub use state::SandboxView;

use crate::clock::Clock;
use call::Call;
use kinds::Kind;
use now::Now;
use state::State;

/// A sandbox account. Clones share it.
#[derive(Clone)]
pub struct Sandbox {
    shared: Arc<Shared>,
}

struct Shared {
    options: SandboxOptions,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Told whenever the state has changed.
    changed: watch::Sender<()>,
}

impl Debug for Sandbox {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sandbox").field("options", &self.shared.options).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// An account with these options and no contacts.
    #[must_use]
    pub fn new(options: SandboxOptions, clock: Arc<dyn Clock>) -> Self {
        let state = Mutex::new(State::new(&options));
        let shared = Shared { options, clock, state, changed: watch::Sender::new(()) };
        Self { shared: Arc::new(shared) }
    }

    /// The routes of the CRM and of the control under `/sandbox`.
    ///
    /// A call that a fault lets hang is never answered: a server that shuts down gracefully has to put a limit
    /// on how long it waits.
    pub fn router(&self) -> Router {
        control::routes().fallback(receive).with_state(self.clone())
    }

    /// Every contact as it is stored, oldest first.
    #[must_use]
    pub fn contacts(&self) -> Vec<Value> {
        self.lock().book.all().collect()
    }

    /// The contact with this email.
    #[must_use]
    pub fn contact(&self, email: &str) -> Option<Value> {
        self.lock().book.by_email(email)
    }

    /// Every company as it is stored, oldest first.
    #[must_use]
    pub fn companies(&self) -> Vec<Value> {
        self.records(Kind::Company)
    }

    /// Every deal as it is stored, with the ids of its contacts.
    #[must_use]
    pub fn deals(&self) -> Vec<Value> {
        self.records(Kind::Deal)
    }

    /// Every note.
    #[must_use]
    pub fn notes(&self) -> Vec<Value> {
        self.records(Kind::Note)
    }

    /// Every sales activity.
    #[must_use]
    pub fn activities(&self) -> Vec<Value> {
        self.records(Kind::Activity)
    }

    /// Every task.
    #[must_use]
    pub fn tasks(&self) -> Vec<Value> {
        self.records(Kind::Task)
    }

    /// Every lead of an account of the older product.
    #[must_use]
    pub fn leads(&self) -> Vec<Value> {
        self.records(Kind::Lead)
    }

    /// Converts a lead into a contact, as somebody does in the web application; the contact, or `None` where there is no such
    /// lead.
    #[must_use]
    pub fn convert(&self, lead: u64) -> Option<Value> {
        let Shared { options, clock, changed, .. } = self.shared.as_ref();
        let mut state = self.lock();
        let now = Now { wall: clock.wall(), monotonic: clock.monotonic() };
        let answer = desk::Desk { state: &mut state, options, now }.convert(lead).ok()?;
        told::tell_changes(&mut state);
        drop(state);
        changed.send_replace(());
        serde_json::from_slice::<Value>(&answer.body).ok()?.get("contact").cloned()
    }

    /// Every list, with the ids of its contacts.
    #[must_use]
    pub fn lists(&self) -> Vec<Value> {
        self.records(Kind::List)
    }

    /// Calls one more address after each change of a contact or a deal from now on, as a workflow would. Must be called where
    /// tasks can be spawned.
    pub fn tell_changes_to(&self, hook: ChangeHook) {
        let sandbox = self.clone();
        let told = move || {
            sandbox.lock().told += 1;
            sandbox.shared.changed.send_replace(());
        };
        let teller = hook::Teller::start(hook, told);
        self.lock().tellers.extend(teller);
    }

    /// How many changes were made that an address was to be told of, and of how many it was told.
    #[must_use]
    pub fn changes_told(&self) -> (u64, u64) {
        let state = self.lock();
        (state.to_tell, state.told)
    }

    /// How many calls were received since the beginning or since [`Self::clear`].
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.lock().recorder.calls()
    }

    /// What `GET /selector/{name}` lists; `None` where there is no such list.
    #[must_use]
    pub fn selector(&self, name: &str) -> Option<Vec<Value>> {
        let answer = self.lock().lists.answer(name)?;
        answer.as_object()?.values().next()?.as_array().cloned()
    }

    /// Lists something else from now on, as after somebody renamed a stage in the account.
    pub fn set_selector(&self, name: &str, items: Vec<Value>) {
        self.lock().lists.set(name, items);
    }

    /// The calls received, oldest first; at most the newest 10,000.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.lock().recorder.all().cloned().collect()
    }

    /// Lets something go wrong with the calls to come. Ignored when 10,000 orders wait already.
    pub fn fault(&self, fault: Fault) {
        let _ = self.order(fault);
    }

    /// Lets nothing go wrong any more: forgets the faults that wait.
    pub fn mend(&self) {
        self.lock().faults.clear();
    }

    /// Forgets all records, calls, faults, jobs and the calls counted against the limits. Ids count on.
    pub fn clear(&self) {
        self.lock().clear();
        self.shared.changed.send_replace(());
    }

    /// Ends once the sandbox satisfies a condition, looked at after every change. It waits for ever when that
    /// never happens: put a limit on it.
    pub async fn until(&self, condition: impl Fn(&SandboxView<'_>) -> bool) {
        let mut changes = self.shared.changed.subscribe();
        loop {
            changes.mark_unchanged();
            if condition(&SandboxView { state: &self.lock() }) {
                return;
            }
            if changes.changed().await.is_err() {
                // Can't happen while `self` holds the sender.
                return;
            }
        }
    }

    fn records(&self, kind: Kind) -> Vec<Value> {
        self.lock().records.all(kind).map(|(id, record)| record.whole(id)).collect()
    }

    fn order(&self, fault: Fault) -> Result<usize, FaultError> {
        self.lock().faults.add(fault)
    }

    /// Decides, records and lets a call take effect, in one step.
    fn take_call(&self, call: &Call) -> reply::Reply {
        let Shared { options, clock, changed, .. } = self.shared.as_ref();
        let mut state = self.lock();
        let now = Now { wall: clock.wall(), monotonic: clock.monotonic() };
        let reply = crm::answer(call, &mut state, options, now);
        state.recorder.keep(RecordedRequest {
            method: call.method.to_string(),
            path: call.uri.path_and_query().map_or_else(String::new, ToString::to_string),
            headers: recorder::shown_headers(&call.headers),
            body: call.body.clone().unwrap_or_default(),
            status: reply.status_seen(),
            at: now.wall,
        });
        told::tell_changes(&mut state);
        drop(state);
        changed.send_replace(());
        reply
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Any call that is not for `/sandbox`.
async fn receive(axum::extract::State(sandbox): axum::extract::State<Sandbox>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body: Option<Bytes> = axum::body::to_bytes(body, call::BODY_BYTES_MAX).await.ok();
    let call = Call { method: head.method, uri: head.uri, headers: head.headers, body };
    let reply = sandbox.take_call(&call);
    reply.send(sandbox.shared.clock.as_ref()).await
}
