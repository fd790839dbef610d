//! Parameters of a query: each is known, stands once and makes sense, or the answer names it.
//!
//! Must not repeat what was sent: an answer names the parameter, never its value.

use std::collections::BTreeMap;

use axum::extract::Query;
use axum::http::{StatusCode, Uri};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::clock::UnixMicros;
use crate::delivery::Subject;
use crate::event::Email;
use crate::http::ApiError;
use crate::store::{LIMIT_MAX, Limited};

/// Rows of an answer when the client names no number.
const LIMIT_DEFAULT: usize = 50;

/// The parameters of one request. One without a value counts as absent.
pub(in crate::admin) struct Params(BTreeMap<&'static str, String>);

impl Params {
    /// Reads the parameters that a route knows.
    pub fn read(uri: &Uri, known: &'static [&'static str]) -> Result<Self, ApiError> {
        let unreadable = |_| refused("query", "the query is not readable as parameters".to_owned());
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri).map_err(unreadable)?;
        let mut params = BTreeMap::new();
        for (name, value) in pairs {
            let Some(name) = known.iter().find(|known| **known == name).copied() else {
                let names = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(refused("query", format!("a parameter is not known here; known are: {names}")));
            };
            if params.insert(name, value).is_some() {
                return Err(refused(name, format!("`{name}` is given twice")));
            }
        }
        params.retain(|_, value: &mut String| !value.trim().is_empty());
        Ok(Self(params))
    }

    /// One parameter, read; `expected` says what belongs there.
    pub fn get<T>(
        &self,
        name: &'static str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ApiError> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        read(value.trim()).map(Some).ok_or_else(|| invalid(name, expected))
    }

    /// A parameter that any text makes sense for.
    pub fn text(&self, name: &'static str) -> Option<String> {
        self.0.get(name).cloned()
    }

    /// `email`.
    pub fn email(&self) -> Result<Option<Email>, ApiError> {
        self.get("email", "an email address", |text| with_plus(text, |text| Email::parse(text).ok()))
    }

    /// `subject`: a record of the CRM.
    pub fn subject(&self) -> Result<Option<Subject>, ApiError> {
        self.get("subject", "a record such as `contact:ADDRESS` or `deal:PEOPLE/KIND/KEY`", |text| {
            with_plus(text, |text| text.parse().ok())
        })
    }

    /// `limit`: how many rows one answer has.
    pub fn limit(&self) -> Result<usize, ApiError> {
        let in_range = |limit: &usize| (1..=LIMIT_MAX).contains(limit);
        let expected = format!("a number from 1 to {LIMIT_MAX}");
        let limit = self.get("limit", &expected, |text| text.parse().ok().filter(in_range))?;
        Ok(limit.unwrap_or(LIMIT_DEFAULT))
    }

    /// `since` and `until`: a span of receipt times, both ends included.
    pub fn times(&self) -> Result<(Option<UnixMicros>, Option<UnixMicros>), ApiError> {
        let time = |name| self.get(name, "a time such as 2026-03-01T09:00:00Z", UnixMicros::parse);
        Ok((time("since")?, time("until")?))
    }

    /// `before`: where the page before ended.
    pub fn before(&self, cursor: Cursor) -> Result<Option<u64>, ApiError> {
        self.get("before", "the `next` of the page before", |text| cursor.read(text))
    }
}

/// Reads a text, or else what was meant where a `+` stands in the query as itself: there it is a space, which no address has.
pub(in crate::admin) fn with_plus<T>(text: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
    read(text).or_else(|| if text.contains(' ') { read(&text.replace(' ', "+")) } else { None })
}

/// A parameter that makes no sense.
pub(in crate::admin) fn invalid(name: &'static str, expected: &str) -> ApiError {
    refused(name, format!("`{name}` must be {expected}"))
}

/// A parameter that can't be taken, in these words.
pub(in crate::admin) fn refused(name: &'static str, message: String) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "invalid_parameter", message).because(name)
}

/// Which list a cursor walks, so that one of another list is refused.
#[derive(Clone, Copy, Debug)]
pub(in crate::admin) enum Cursor {
    Events,
    Deliveries,
    Rejected,
    DeadLetters,
    Deals,
    Companies,
    Happenings,
    Suppressed,
    Outputs,
}

impl Cursor {
    fn prefix(self) -> &'static str {
        match self {
            Self::Events => "e",
            Self::Deliveries => "d",
            Self::Rejected => "r",
            Self::DeadLetters => "l",
            Self::Deals => "o",
            Self::Companies => "c",
            Self::Happenings => "h",
            Self::Suppressed => "s",
            Self::Outputs => "t",
        }
    }

    /// The cursor of what is before a place.
    pub fn at(self, before: u64) -> String {
        self.write(before)
    }

    fn write(self, at: u64) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}{at}", self.prefix()))
    }

    fn read(self, text: &str) -> Option<u64> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        std::str::from_utf8(&bytes).ok()?.strip_prefix(self.prefix())?.parse().ok()
    }
}

/// One more row than asked for shows whether there is a next page.
pub(in crate::admin) fn one_more(limit: usize) -> Limited {
    Limited::to(limit.saturating_add(1))
}

/// Cuts the rows to the page and answers the cursor of the next one. A store answers no more rows than the
/// greatest limit, so after a full page of that size there may be an empty one.
pub(in crate::admin) fn page<T>(
    mut rows: Vec<T>,
    limit: usize,
    cursor: Cursor,
    place: fn(&T) -> u64,
) -> (Vec<T>, Option<String>) {
    let more = rows.len() >= one_more(limit).rows();
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|last| cursor.write(place(last)));
    (rows, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plus_of_an_address_is_understood_whether_it_is_written_out_or_not() {
        for query in
            ["email=sam%2Btag@example.com", "email=sam+tag@example.com", "email=sam+tag%40example.com"]
        {
            let uri: Uri = format!("/api/people?{query}").parse().unwrap();
            let email = Params::read(&uri, &["email"]).unwrap().email().unwrap().unwrap();
            assert_eq!(email.as_str(), "sam+tag@example.com", "{query}");
        }
        let uri: Uri = "/api/deliveries?subject=contact:sam+tag@example.com".parse().unwrap();
        let subject = Params::read(&uri, &["subject"]).unwrap().subject().unwrap().unwrap();
        assert_eq!(subject, "contact:sam+tag@example.com".parse().unwrap());
        let uri: Uri = "/api/people?email=sam+tag".parse().unwrap();
        assert!(Params::read(&uri, &["email"]).unwrap().email().is_err());
    }
}
