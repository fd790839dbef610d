//! What the answer to a bulk call means for bulk calls and for the contacts it carried. Pure.

use serde_json::Value;

use super::BulkFinished;
use crate::contact::bulk_body;
use crate::decision::{CallOrder, Undone};
use crate::delivery::{Attempt, AttemptRequest, BlockCause, BulkJob, Verdict};

/// Freshsales answers so while it takes no more bulk calls; other calls go on.
const BUSY: u16 = 405;

/// How a bulk call ended.
pub(super) enum BulkEnd {
    /// It was taken; this job reports on it.
    Taken(BulkJob),
    /// It was not, as far as anybody knows.
    NotTaken(Why),
}

/// Why a bulk call was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Freshsales takes no bulk call now, and says nothing of other calls.
    Busy,
    /// The account takes no call at all now: throttled, or the key is refused.
    AccountHeld,
    /// Freshsales takes no such call.
    Refused,
    /// There was no answer, so it may have been taken.
    Unanswered,
}

impl Why {
    /// What is known of each claim that was carried.
    pub fn undone(self) -> Undone {
        match self {
            Self::Busy | Self::AccountHeld => Undone::NotNow,
            Self::Refused => Undone::Refused,
            Self::Unanswered => Undone::Unknown,
        }
    }

    /// Whether it says something of all calls to the account.
    pub fn concerns_the_account(self) -> bool {
        match self {
            Self::AccountHeld | Self::Unanswered => true,
            Self::Busy | Self::Refused => false,
        }
    }
}

impl BulkFinished {
    /// How it ended. A user who may write contacts may still have no right to bulk calls, and an account may have none:
    /// that is a refusal of this call and blocks nothing else.
    pub(super) fn end(&self) -> BulkEnd {
        let call = &self.result.call;
        if let Some(id) = &self.result.job {
            return BulkEnd::Taken(BulkJob {
                id: id.clone(),
                started_at: self.started_at,
                call: AttemptRequest { body: Value::Null, ..call.request.clone() },
                rows: self.call.rows(),
            });
        }
        let is_busy = call.response.as_ref().is_some_and(|response| response.status == BUSY);
        BulkEnd::NotTaken(match &call.verdict {
            Verdict::Throttled { .. } if is_busy => Why::Busy,
            Verdict::Throttled { .. } | Verdict::Blocked { cause: BlockCause::Unauthorized, .. } => {
                Why::AccountHeld
            }
            Verdict::Refused { .. }
            | Verdict::Blocked { .. }
            | Verdict::Gone { .. }
            | Verdict::Shut { .. } => Why::Refused,
            Verdict::Passing { .. } | Verdict::Stored(_) => Why::Unanswered,
        })
    }

    /// The part of the call that concerns one contact.
    pub(super) fn attempt(&self, order: &CallOrder) -> Attempt {
        let call = &self.result.call;
        Attempt {
            attempt: order.attempt,
            started_at: self.started_at,
            duration_ms: u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            request: AttemptRequest { body: bulk_body(order.request.body()), ..call.request.clone() },
            response: call.response.clone(),
            error: call.error.clone().or_else(|| reason(&call.verdict)),
        }
    }
}

fn reason(verdict: &Verdict) -> Option<String> {
    match verdict {
        Verdict::Stored(_) => None,
        Verdict::Refused { reason, .. }
        | Verdict::Throttled { reason, .. }
        | Verdict::Passing { reason }
        | Verdict::Gone { reason }
        | Verdict::Shut { reason }
        | Verdict::Blocked { reason, .. } => Some(reason.clone()),
    }
}
