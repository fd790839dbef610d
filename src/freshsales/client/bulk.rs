//! The client's two calls for many contacts: the bulk upsert and the question for its job. One order is one request.

use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use super::super::bulk::{BulkResult, JobAnswer, JobResult, JobState, job_of, job_state};
use super::{Inner, Received};
use crate::delivery::{AttemptRequest, JobId, Request, Verdict};
use crate::freshsales::CallResult;

/// The report on a hundred contacts that were all refused at length.
const REPORT_BYTES_MAX: usize = 1024 * 1024;
const NO_JOB: &str = "Freshsales took the bulk call and named no job that reports on it";

impl Inner {
    pub(super) async fn bulk_upsert(&self, body: Value) -> BulkResult {
        let url = self.endpoint.bulk_url();
        let bytes = body.to_string().into_bytes();
        let request = self.endpoint.shown("POST", &url, body);
        let (mut call, received) = self.whole(self.http.post(url).body(bytes), request).await;
        let taken = matches!(call.verdict, Verdict::Stored(_));
        let job = received.filter(|_| taken).and_then(|received| job_of(&received.body));
        if taken && job.is_none() {
            call.verdict = Verdict::Passing { reason: NO_JOB.to_owned() };
            call.error = Some(NO_JOB.to_owned());
        }
        BulkResult { call, job }
    }

    pub(super) async fn job(&self, id: JobId) -> JobResult {
        let url = self.endpoint.job_url(&id);
        let request = self.endpoint.shown("GET", &url, Value::Null);
        let (call, received) = self.whole(self.http.request(Method::GET, url), request).await;
        let whole = received.as_ref().is_some_and(|received| received.broken.is_none());
        // What is kept of it for people must not carry the key.
        let answer = received.map(|received| (received.status, self.shown(&received.body)));
        let state = match &answer {
            Some((status, text)) if whole => job_state(*status, text.as_bytes()),
            Some(_) | None => JobState::Running,
        };
        JobResult { call, state, answer: answer.map(|(status, text)| JobAnswer::new(status, text)) }
    }

    /// One call, with its whole answer where one came.
    pub(super) async fn whole(
        &self,
        call: RequestBuilder,
        request: AttemptRequest,
    ) -> (CallResult, Option<Received>) {
        match self.send(call).await {
            Ok(response) => {
                let received = self.receive(response, REPORT_BYTES_MAX).await;
                // What is said of many contacts names no attribute of one.
                let judged_as = Request::UpsertContact { body: Value::Null, shows_companies: false };
                (self.judge(&judged_as, &received, request), Some(received))
            }
            Err(error) => (self.unanswered(error, request), None),
        }
    }
}
