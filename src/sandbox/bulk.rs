//! Bulk upserts: many contacts in one call, reported on by a job. Must not answer HTTP.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::answer::{Problem, Refusal};
use super::contacts::{Account, ContactBook};
use super::now::Now;
use crate::clock::UnixMicros;

/// A call with more contacts is refused.
const CONTACTS_PER_CALL_MAX: usize = 100;
/// The oldest job is dropped beyond this many.
const JOBS_MAX: usize = 1_000;
/// Job ids count up from here.
const FIRST_JOB_ID: u64 = 70_000_031_001;

/// The bulk jobs of the account. Their contacts are written when the call comes in; the report follows later.
#[derive(Debug)]
pub(super) struct Jobs {
    jobs: BTreeMap<u64, Job>,
    next_id: u64,
}

#[derive(Debug)]
struct Job {
    done_at: Duration,
    /// The JSON text that ends up in `data`.
    report: String,
}

impl Default for Jobs {
    fn default() -> Self {
        Self { jobs: BTreeMap::new(), next_id: FIRST_JOB_ID }
    }
}

impl Jobs {
    /// Upserts the contacts of one call and opens the job that reports on them; answers with its id.
    pub(super) fn open(
        &mut self,
        body: &Value,
        book: &mut ContactBook,
        account: &Account<'_>,
        now: Now,
    ) -> Result<u64, Refusal> {
        let items = body
            .get("contacts")
            .and_then(Value::as_array)
            .ok_or(Refusal::Malformed("contacts should be a list"))?;
        if items.is_empty() {
            return Err(Refusal::Malformed("contacts should not be empty"));
        }
        if items.len() > CONTACTS_PER_CALL_MAX {
            return Err(Refusal::Malformed("contacts should be 100 at most"));
        }
        let failures: Vec<Value> = items
            .iter()
            .filter_map(|item| {
                upsert(item, book, account, now.wall).err().map(|refusal| failure(item, &refusal))
            })
            .collect();
        let report = json!({
            "record_status": {"succeeded": items.len() - failures.len(), "failed": failures.len()},
            "detailed_failure_report": failures,
        });
        let id = self.next_id;
        self.next_id += 1;
        let done_at = now.monotonic.saturating_add(account.options.bulk_job_takes);
        self.jobs.insert(id, Job { done_at, report: report.to_string() });
        if self.jobs.len() > JOBS_MAX {
            self.jobs.pop_first();
        }
        Ok(id)
    }

    /// What a poll of this job answers at `now`, on the monotonic clock.
    pub(super) fn poll(&self, id: u64, now: Duration) -> Option<Value> {
        let job = self.jobs.get(&id)?;
        if now < job.done_at {
            return Some(json!({"id": id.to_string(), "status": "IN_PROGRESS"}));
        }
        Some(json!({"id": id.to_string(), "status": "SUCCESS", "data": job.report}))
    }

    /// Forgets all jobs.
    pub(super) fn clear(&mut self) {
        self.jobs.clear();
    }
}

fn upsert(
    item: &Value,
    book: &mut ContactBook,
    account: &Account<'_>,
    now: UnixMicros,
) -> Result<(), Refusal> {
    let email =
        item.get("emails").and_then(Value::as_str).ok_or_else(|| Refusal::Invalid(vec![Problem::Email]))?;
    let data =
        item.get("data").and_then(Value::as_object).ok_or(Refusal::Malformed("data should be an object"))?;
    book.upsert(email, data, account, now).map(|_| ())
}

fn failure(item: &Value, refusal: &Refusal) -> Value {
    let errors = json!({"code": refusal.status().as_u16(), "message": refusal.messages()});
    json!({"emails": item.get("emails"), "errors": errors})
}
