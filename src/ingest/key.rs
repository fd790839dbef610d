//! Write keys: where a request carries one, and whose it is.
//!
//! A key is never logged or stored, and answered to nobody but who sent it. Must not know events.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::Query;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use metrics::Counter;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::config::{SourceConfig, Sources};
use super::cors::{self, AllowedOrigin};
use super::discreet::KeptNames;
use super::form::{Form, FormRules};
use crate::event::{SourceName, Trust};
use crate::senders::SourceRate;

/// Base64 with padding or without.
pub const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The key in the head of a request, first found: `Authorization: Basic`, `X-Write-Key`, `?writeKey=`.
#[must_use]
pub fn in_head(parts: &Parts) -> Option<Cow<'_, str>> {
    let headers = &parts.headers;
    let basic = headers.get(header::AUTHORIZATION).and_then(basic).map(Cow::Owned);
    basic
        .or_else(|| in_text(Cow::Borrowed(headers.get("x-write-key")?.to_str().ok()?)))
        .or_else(|| in_query(parts))
}

/// The key in a text that may say more: `@jitsu/js` 1.11 sends `key:secret` and, in a body, the masked `key:***` or `***`.
/// No key of ours has a colon in it.
#[must_use]
pub fn in_text(text: Cow<'_, str>) -> Option<Cow<'_, str>> {
    let key = match text {
        Cow::Borrowed(text) => Cow::Borrowed(before_colon(text)),
        Cow::Owned(text) => Cow::Owned(before_colon(&text).to_owned()),
    };
    (!key.is_empty() && key != MASKED).then_some(key)
}

const MASKED: &str = "***";

fn before_colon(text: &str) -> &str {
    text.split(':').next().unwrap_or_default().trim()
}

/// `Basic base64(key:)`; the password, if any, counts for nothing.
fn basic(value: &HeaderValue) -> Option<String> {
    let (scheme, encoded) = value.to_str().ok()?.trim().split_once(' ')?;
    let decoded = scheme.eq_ignore_ascii_case("basic").then(|| BASE64.decode(encoded.trim()).ok())??;
    in_text(Cow::Owned(String::from_utf8(decoded).ok()?)).map(Cow::into_owned)
}

fn in_query(parts: &Parts) -> Option<Cow<'static, str>> {
    parts.uri.query()?;
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).ok()?;
    let values = pairs.into_iter().filter(|(name, _)| name == "writeKey");
    values.map(|(_, value)| Cow::Owned(value)).find_map(in_text)
}

/// A source that is on.
pub struct Source {
    /// Its name.
    pub name: SourceName,
    /// The name space of its people.
    pub people: String,
    /// What its pages may say in their addresses.
    pub kept_names: KeptNames,
    /// What its forms mean, those that the tag sees too.
    pub form_rules: FormRules,
    /// How far what its keys bring is believed.
    pub trust: Trust,
    /// Counts its accepted events.
    pub accepted: Counter,
    keys: Vec<SecretString>,
    allowed_origins: Vec<AllowedOrigin>,
    form: Option<Form>,
    /// How many events it may send.
    pub rate: SourceRate,
}

impl Source {
    /// A source by its section; an entry of `allowed_origins` that can't be read allows nobody.
    pub fn new(name: &str, source: &SourceConfig) -> Self {
        let allowed = source.allowed_origins.iter();
        Self {
            name: SourceName(name.to_owned()),
            people: source.people.clone(),
            form_rules: source.form().rules,
            kept_names: KeptNames::new(&source.keep_query),
            trust: source.trust(),
            accepted: metrics::counter!("freshsignal_events_accepted_total", "source" => name.to_owned()),
            keys: source.keys().cloned().collect(),
            allowed_origins: allowed.filter_map(|text| AllowedOrigin::parse(text)).collect(),
            form: source.form.then(|| source.form()),
            rate: source.rate(),
        }
    }

    /// Whether a page of this origin may send to it.
    pub fn allows(&self, origin: &HeaderValue) -> bool {
        cors::allows(&self.allowed_origins, origin)
    }

    /// Whether a page of this origin may send to it because its origin is named, not because every page may.
    pub fn names(&self, origin: &HeaderValue) -> bool {
        cors::names(&self.allowed_origins, origin)
    }
}

/// The sources that are on, until the next reload.
pub struct KnownSources(Vec<Arc<Source>>);

impl KnownSources {
    /// Takes the sources that are on.
    pub fn new(sources: &Sources) -> Self {
        let on = sources.iter().filter(|(_, source)| source.is_on());
        Self(on.map(|(name, source)| Arc::new(Source::new(name, source))).collect())
    }

    /// The source of a write key. Every key is compared, each in constant time, so that the time tells nothing.
    pub fn by_key(&self, key: &str) -> Option<&Arc<Source>> {
        let mut found = None;
        for source in &self.0 {
            for known in &source.keys {
                if known.expose_secret().as_bytes().ct_eq(key.as_bytes()).into() {
                    found = Some(source);
                }
            }
        }
        found
    }

    /// The source of this name, if it takes forms.
    pub fn form(&self, name: &str) -> Option<(&Arc<Source>, &Form)> {
        let source = self.0.iter().find(|source| source.name.0 == name)?;
        Some((source, source.form.as_ref()?))
    }

    /// Whether any source lets a page of this origin send.
    pub fn any_allows(&self, origin: &HeaderValue) -> bool {
        self.0.iter().any(|source| source.allows(origin))
    }
}
