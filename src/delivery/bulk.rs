//! A bulk call: which claims it carries, and the job of the CRM that reports on them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{AttemptRequest, DeliveryId};
use crate::clock::UnixMicros;

/// Contacts that one bulk call carries at the most.
pub const BULK_CONTACTS_MAX: usize = 100;
/// A job that is not done after so many questions is given up.
pub const JOB_QUESTIONS_MAX: u32 = 20;
/// That takes so long at the most, beside the time that the answers take.
pub const JOB_REPORTS_WITHIN: Duration = Duration::from_secs(1_090);
/// A job is asked for this often while somebody's withdrawal, or their erasure, waits for it.
pub const JOB_ASKED_EVERY: Duration = Duration::from_secs(15);
/// Ids of jobs have some 20 characters.
const JOB_ID_BYTES_MAX: usize = 64;

/// Names a job of the CRM. It becomes a part of an address, so it is letters, digits, `-` and `_` alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobId(String);

impl JobId {
    /// The id in a text, if it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let fits = (1..=JOB_ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain);
        fits.then(|| Self(text.to_owned()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for JobId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("no id of a job")
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> Self {
        id.0
    }
}

/// A bulk call that was taken: its claims stay as they are, across restarts too, until the job has reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkJob {
    /// The job.
    pub id: JobId,
    /// When the call left.
    pub started_at: UnixMicros,
    /// The call without its body.
    pub call: AttemptRequest,
    /// The claims it carries, in the order of the call.
    pub rows: Vec<BulkRow>,
}

impl BulkJob {
    /// Whether it carries a delivery.
    #[must_use]
    pub fn carries(&self, delivery: &DeliveryId) -> bool {
        self.rows.iter().any(|row| row.delivery == *delivery)
    }

    /// About when it has reported or is given up, at the latest; sooner for a withdrawal that waits since a moment.
    #[must_use]
    pub fn ends_by(&self, withdrawal_since: Option<UnixMicros>) -> UnixMicros {
        let by = self.started_at.plus(JOB_REPORTS_WITHIN);
        let hurried = withdrawal_since.map(|since| since.plus(JOB_ASKED_EVERY * JOB_QUESTIONS_MAX));
        hurried.map_or(by, |hurried| hurried.min(by))
    }
}

/// One claim in a bulk call. It names nobody: what is erased meanwhile is not kept here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkRow {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Which attempt of it.
    pub attempt: u32,
}
