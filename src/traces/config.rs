//! The `[telemetry]` section: which collector takes traces, and of how many events.
//!
//! Reads no file; whoever loads the configuration has put the text of a `…_file` into its key.

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::config_problem::{Problem, REDACTED};
use crate::webhook::{AddressProblem, Reach, receiver_at};

/// Where a collector takes traces, behind the address that is named to all exporters.
const PATH: &str = "/v1/traces";

/// The `[telemetry]` section.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The collector; empty: there is none.
    pub otlp_endpoint: SecretString,
    /// Headers of each request, as `name=value`, several with commas between.
    pub otlp_headers: SecretString,
    /// A file that holds them; empty: there is none.
    pub otlp_headers_file: String,
    /// Of so many events in a hundred there are traces.
    pub sample_percent: u8,
    /// Whether the collector may be in a private network or on this machine.
    pub allow_private: bool,
}

impl Default for Config {
    fn default() -> Self {
        let nothing = || SecretString::from(String::new());
        Self {
            otlp_endpoint: nothing(),
            otlp_headers: nothing(),
            otlp_headers_file: String::new(),
            sample_percent: 100,
            allow_private: false,
        }
    }
}

impl Config {
    /// Where spans are posted, and which addresses the name may stand for; none without an address.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn collector(&self) -> Result<Option<(Url, Reach)>, AddressProblem> {
        let found = receiver_at(self.otlp_endpoint.expose_secret(), self.allow_private)?;
        Ok(found.map(|(mut url, reach)| {
            let path = url.path().trim_end_matches('/');
            if !path.ends_with(PATH) {
                let path = format!("{path}{PATH}");
                url.set_path(&path);
            }
            (url, reach)
        }))
    }

    /// The headers; those that make no sense are left out.
    pub(super) fn headers(&self) -> HeaderMap {
        self.each_header().flatten().collect()
    }

    fn each_header(&self) -> impl Iterator<Item = Option<(HeaderName, HeaderValue)>> {
        let pairs =
            self.otlp_headers.expose_secret().split(',').map(str::trim).filter(|pair| !pair.is_empty());
        pairs.map(|pair| {
            let (name, value) = pair.split_once('=')?;
            let mut value: HeaderValue = value.trim().parse().ok()?;
            value.set_sensitive(true);
            Some((name.trim().parse().ok()?, value))
        })
    }

    /// Everything as text, with its secrets: to compare, never to show.
    #[must_use]
    pub fn compared(&self) -> String {
        // Taken apart in full: a new key can't be forgotten here.
        let Self { otlp_endpoint, otlp_headers, otlp_headers_file: _, sample_percent, allow_private } = self;
        let secrets = [otlp_endpoint, otlp_headers].map(ExposeSecret::expose_secret);
        format!("{secrets:?} {sample_percent} {allow_private}")
    }

    /// Everything that is wrong with the section.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Err(problem) = self.collector() {
            problems.push(Problem::new("telemetry.otlp_endpoint", REDACTED, problem.to_string()));
        }
        if self.each_header().any(|header| header.is_none()) {
            let expected = "headers like authorization=Bearer TOKEN, several with commas between";
            problems.push(Problem::new("telemetry.otlp_headers", REDACTED, expected));
        }
        if !(1..=100).contains(&self.sample_percent) {
            problems.push(Problem::new("telemetry.sample_percent", self.sample_percent, "1 to 100"));
        }
        problems
    }
}
