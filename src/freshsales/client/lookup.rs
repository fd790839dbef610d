//! The client's look-up of an address. It stands in the query, so neither the description nor an error names the query.

use reqwest::Method;
use serde_json::Value;

use super::super::lookup::{LookupResult, found};
use super::{Endpoint, Inner};
use crate::delivery::AttemptRequest;
use crate::event::Email;

const PATH: &str = "lookup";

impl Inner {
    pub(super) async fn look_up(&self, email: Email) -> LookupResult {
        let mut url = self.endpoint.url(PATH);
        url.query_pairs_mut()
            .append_pair("q", email.as_str())
            .append_pair("f", "email")
            .append_pair("entities", self.endpoint.looked_up());
        let request = self.endpoint.describe_look_up();
        let (call, received) = self.whole(self.http.request(Method::GET, url), request).await;
        let answer = received.as_ref().filter(|received| received.broken.is_none());
        let found = found(&call.verdict, answer.map(|received| received.body.as_slice()), &email);
        LookupResult { call, found }
    }
}

impl Endpoint {
    /// Among which records an address is looked for.
    fn looked_up(&self) -> &'static str {
        if self.has_leads() { "lead,contact" } else { "contact" }
    }

    /// What a look-up sends, without the address.
    #[must_use]
    pub fn describe_look_up(&self) -> AttemptRequest {
        self.shown("GET", &self.url(PATH), Value::Null)
    }
}
