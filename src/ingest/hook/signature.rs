//! Whether a message comes from whom it says: its signature over the raw body, and how old it is; or a token.
//!
//! Pure: `now` is an argument. Compares in constant time. Must not read the body.

use std::borrow::Cow;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine;
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::super::key::BASE64;
use super::kind::{Encoding, KeyForm, Layout, Signing};
use crate::clock::UnixMicros;

/// Signatures of one header that are looked at.
const SIGNATURES_MAX: usize = 16;
/// Moments from here on are milliseconds: the year 5138 as seconds.
const SECONDS_MAX: i64 = 100_000_000_000;
const WHSEC: &str = "whsec_";

/// How a message proves where it comes from.
#[derive(Clone, Debug)]
pub enum Proof {
    /// It is signed.
    Signature(Scheme, Vec<SecretString>),
    /// It has a token in this header.
    Token(String, Vec<SecretString>),
}

/// How messages are signed, as [`Signing`], by data or by a configuration.
#[derive(Clone, Debug)]
pub struct Scheme {
    /// Headers with the signature; the first that is there counts.
    pub headers: Vec<Cow<'static, str>>,
    /// How the header holds it.
    pub layout: Layout,
    /// What stands before it.
    pub prefix: Cow<'static, str>,
    /// How it is written.
    pub encoding: Encoding,
    /// What is signed.
    pub signed: Vec<Part>,
    /// Headers with the moment of sending.
    pub timestamp_headers: Vec<Cow<'static, str>>,
    /// Headers with the id that is signed too.
    pub id_headers: Vec<Cow<'static, str>>,
    /// How far from now that moment may be.
    pub window_seconds: u64,
    /// What the secret is.
    pub key: KeyForm,
}

/// A part of what is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Fixed text.
    Text(String),
    /// The moment of sending, as it was sent.
    Timestamp,
    /// The id of the message.
    Id,
    /// The body.
    Body,
}

/// Why a message is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It has no signature or token, or not all that belongs to one.
    Missing,
    /// Another key, or something was changed.
    Signature,
    /// Signed well, but too long ago or in the future: it may have been recorded.
    Timestamp,
}

impl Wrong {
    /// For the list of refusals.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Missing => "no_signature",
            Self::Signature => "signature_differs",
            Self::Timestamp => "old_timestamp",
        }
    }
}

impl Proof {
    /// Checks a message.
    ///
    /// # Errors
    /// Why it proves nothing.
    pub fn check(&self, headers: &HeaderMap, body: &[u8], now: UnixMicros) -> Result<(), Wrong> {
        match self {
            Self::Signature(scheme, secrets) => scheme.check(secrets, headers, body, now),
            Self::Token(header, tokens) => {
                // A workflow of Freshsales may be given a token, which it sends so (its page "Trigger webhooks").
                let by_scheme = || headers.get(AUTHORIZATION)?.as_bytes().strip_prefix(b"Token ");
                let sent = headers.get(header).map(HeaderValue::as_bytes).or_else(by_scheme);
                let sent = sent.ok_or(Wrong::Missing)?.trim_ascii();
                let sent = sent.strip_prefix(b"Bearer ").unwrap_or(sent).trim_ascii();
                // Every token is compared, so that the time tells nothing.
                let fits = |found: bool, token: &SecretString| {
                    let same: bool = token.expose_secret().as_bytes().ct_eq(sent).into();
                    found | same
                };
                tokens.iter().fold(false, fits).then_some(()).ok_or(Wrong::Signature)
            }
        }
    }
}

/// What is signed, from a text like `{timestamp}.{body}`; `None` unless the body is in it once.
#[must_use]
pub fn parts(text: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let (before, after) = rest.split_at(open);
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        let (name, after) = after.strip_prefix('{')?.split_once('}')?;
        parts.push(match name {
            "timestamp" => Part::Timestamp,
            "id" => Part::Id,
            "body" => Part::Body,
            _ => return None,
        });
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    (parts.iter().filter(|part| **part == Part::Body).count() == 1).then_some(parts)
}

/// The bytes of a secret; `None` where it is not written as such a secret is.
#[must_use]
pub fn key_bytes(secret: &SecretString, form: KeyForm) -> Option<Vec<u8>> {
    let text = secret.expose_secret();
    let bytes = match form {
        KeyForm::Text => text.as_bytes().to_vec(),
        KeyForm::Whsec => BASE64.decode(bare(text)).ok()?,
    };
    (!bytes.is_empty()).then_some(bytes)
}

/// A secret without what stands before its base64; Supabase shows it as `v1,whsec_…`.
fn bare(secret: &str) -> &str {
    let secret = secret.strip_prefix("v1,").unwrap_or(secret);
    secret.strip_prefix(WHSEC).unwrap_or(secret)
}

impl Scheme {
    /// That of a kind.
    #[must_use]
    pub fn of(signing: &Signing) -> Self {
        let owned = |names: &[&'static str]| names.iter().map(|name| Cow::Borrowed(*name)).collect();
        Self {
            headers: owned(signing.headers),
            layout: signing.layout,
            prefix: Cow::Borrowed(signing.prefix),
            encoding: signing.encoding,
            signed: parts(signing.signed).unwrap_or_default(),
            timestamp_headers: owned(signing.timestamp_headers),
            id_headers: owned(signing.id_headers),
            window_seconds: signing.window_seconds,
            key: signing.key,
        }
    }

    fn check(
        &self,
        secrets: &[SecretString],
        headers: &HeaderMap,
        body: &[u8],
        now: UnixMicros,
    ) -> Result<(), Wrong> {
        let header = first(headers, &self.headers).ok_or(Wrong::Missing)?;
        let (signatures, field) = self.signatures(header);
        let timestamp = field.or_else(|| first(headers, &self.timestamp_headers)).unwrap_or_default();
        let id = first(headers, &self.id_headers).unwrap_or_default();
        let needs = |part: &Part, said: &str| self.signed.contains(part) && said.is_empty();
        if needs(&Part::Timestamp, timestamp) || needs(&Part::Id, id) || signatures.is_empty() {
            return Err(Wrong::Missing);
        }
        let mut fits = false;
        for key in secrets.iter().filter_map(|secret| key_bytes(secret, self.key)) {
            let computed = self.sign(&key, timestamp, id, body);
            for signature in &signatures {
                fits |= bool::from(computed.as_ref().ct_eq(signature));
            }
        }
        if !fits {
            return Err(Wrong::Signature);
        }
        // The age is told of what is signed alone: of anything else it says nothing.
        let signs_time = self.signed.contains(&Part::Timestamp);
        if signs_time && !is_near(timestamp, now, self.window_seconds) {
            return Err(Wrong::Timestamp);
        }
        Ok(())
    }

    fn sign(&self, key: &[u8], timestamp: &str, id: &str, body: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
        for part in &self.signed {
            match part {
                Part::Text(text) => context.update(text.as_bytes()),
                Part::Timestamp => context.update(timestamp.as_bytes()),
                Part::Id => context.update(id.as_bytes()),
                Part::Body => context.update(body),
            }
        }
        context.sign()
    }

    /// The signatures of a header that can be read, and the moment that stands beside them.
    fn signatures<'a>(&self, header: &'a str) -> (Vec<Vec<u8>>, Option<&'a str>) {
        let mut moment = None;
        let written: Vec<&str> = match self.layout {
            Layout::Plain => header.strip_prefix(self.prefix.as_ref()).into_iter().collect(),
            Layout::Fields => {
                let fields = header.split(',').filter_map(|field| field.trim().split_once('='));
                let fields: Vec<_> = fields.take(SIGNATURES_MAX + 1).collect();
                moment = fields.iter().find(|(name, _)| *name == "t").map(|(_, value)| *value);
                fields.into_iter().filter(|(name, _)| *name == "v1").map(|(_, value)| value).collect()
            }
            Layout::Versions => {
                let versions = header.split_ascii_whitespace().filter_map(|one| one.split_once(','));
                versions.filter(|(version, _)| *version == "v1").map(|(_, value)| value).collect()
            }
        };
        let read = written.into_iter().take(SIGNATURES_MAX);
        (read.filter_map(|text| decoded(text.trim(), self.encoding)).collect(), moment)
    }
}

fn first<'a>(headers: &'a HeaderMap, names: &[Cow<'static, str>]) -> Option<&'a str> {
    names.iter().find_map(|name| headers.get(name.as_ref())?.to_str().ok()).map(str::trim)
}

fn is_near(timestamp: &str, now: UnixMicros, window_seconds: u64) -> bool {
    let Ok(sent) = timestamp.parse::<i64>() else { return false };
    let micros = if sent.saturating_abs() < SECONDS_MAX { 1_000_000 } else { 1_000 };
    let age = now.0.saturating_sub(sent.saturating_mul(micros)).unsigned_abs();
    age <= window_seconds.saturating_mul(1_000_000)
}

fn decoded(text: &str, encoding: Encoding) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Base64 => BASE64.decode(text).ok(),
        Encoding::Hex => {
            let digits: Option<Vec<u8>> =
                text.chars().map(|digit| u8::try_from(digit.to_digit(16)?).ok()).collect();
            let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
            Some(
                digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| (byte << 4) | digit)).collect(),
            )
        }
    }
}
