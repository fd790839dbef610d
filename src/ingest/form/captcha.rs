//! Whether a person solved the captcha of a form: asked of whoever issued it.
//!
//! Nothing that was typed is told to them, nor the visitor's address. Must not decide what a visitor reads.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use ring::digest::{SHA256, digest};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::fields::Fields;
use crate::clock::UnixMicros;
use crate::freshsales::{Timeouts, http_client};

/// Every field that a captcha adds to a form. None of them is part of the event.
pub const FIELDS: [&str; 3] = ["cf-turnstile-response", "h-captcha-response", "g-recaptcha-response"];
/// Tokens are documented as up to 2,048 characters (Turnstile) and seen with more than that (`hCaptcha`).
const TOKEN_BYTES_MAX: usize = 16_384;
const ANSWER_BYTES_MAX: usize = 16_384;
const TIMEOUTS: Timeouts = Timeouts { connect: Duration::from_secs(2), attempt: Duration::from_secs(4) };
/// Questions under way at once, and answers that are remembered; who comes beyond is asked to try again.
const UNDER_WAY_MAX: usize = 64;
const REMEMBERED_MAX: usize = 4_096;
/// As long as the same post counts as the same.
const REMEMBERED_MICROS: i64 = 600_000_000;
/// What a verifier says when it is our secret that is wrong, or itself; both document these words.
const NOT_THE_VISITORS: [&str; 6] = [
    "missing-input-secret",
    "invalid-input-secret",
    "sitekey-secret-mismatch",
    "not-using-dummy-secret",
    "bad-request",
    "internal-error",
];

/// Whose captcha it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Issuer {
    /// Cloudflare's.
    Turnstile,
    /// `hCaptcha`'s.
    HCaptcha,
}

impl Issuer {
    /// By its name in the configuration.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "turnstile" => Some(Self::Turnstile),
            "hcaptcha" => Some(Self::HCaptcha),
            _ => None,
        }
    }

    /// Documented by each.
    fn url(self) -> &'static str {
        match self {
            Self::Turnstile => "https://challenges.cloudflare.com/turnstile/v0/siteverify",
            Self::HCaptcha => "https://api.hcaptcha.com/siteverify",
        }
    }

    /// Its widget, as each documents it; the key of the site is to be filled in.
    pub fn widget(self) -> &'static str {
        match self {
            Self::Turnstile => {
                r#"<script src="https://challenges.cloudflare.com/turnstile/v0/api.js" async defer></script><div class="cf-turnstile" data-sitekey="YOUR_SITE_KEY"></div>"#
            }
            Self::HCaptcha => {
                r#"<script src="https://js.hcaptcha.com/1/api.js" async defer></script><div class="h-captcha" data-sitekey="YOUR_SITE_KEY"></div>"#
            }
        }
    }

    /// The field that its widget adds to a form.
    fn field(self) -> &'static str {
        match self {
            Self::Turnstile => "cf-turnstile-response",
            Self::HCaptcha => "h-captcha-response",
        }
    }
}

/// The captcha of a source's forms.
#[derive(Clone, Debug)]
pub struct Captcha {
    /// Whose it is.
    pub issuer: Issuer,
    secret: SecretString,
    url: String,
}

impl Captcha {
    /// One; `url` is another address than the issuer's own, or empty.
    pub fn new(issuer: Issuer, secret: &SecretString, url: &str) -> Self {
        let url = if url.is_empty() { issuer.url() } else { url };
        Self { issuer, secret: secret.clone(), url: url.to_owned() }
    }

    fn token<'f>(&self, fields: &'f Fields) -> Option<&'f str> {
        let mut tokens =
            fields.iter().filter(|(name, _)| name == self.issuer.field()).map(|(_, token)| token.trim());
        tokens.find(|token| (1..=TOKEN_BYTES_MAX).contains(&token.len()))
    }
}

/// What is known of whoever sent a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// A person.
    Person,
    /// The captcha was not solved, or was used before.
    Nobody,
    /// Nobody could say.
    Unknown,
}

type Asked = Shared<BoxFuture<'static, Verified>>;

/// Asks the issuers, each token of a post once.
pub struct Verifier {
    http: Option<reqwest::Client>,
    turns: Arc<Semaphore>,
    asked: Mutex<HashMap<Vec<u8>, (UnixMicros, Asked)>>,
    is_away: Arc<AtomicBool>,
}

impl Default for Verifier {
    fn default() -> Self {
        Self {
            http: http_client(TIMEOUTS).ok(),
            turns: Arc::new(Semaphore::new(UNDER_WAY_MAX)),
            asked: Mutex::default(),
            is_away: Arc::default(),
        }
    }
}

impl Verifier {
    /// Who sent the form. A token counts once with its issuer, so the same post with it, as after a double click or once
    /// what failed is tried again, gets the answer that the first one got.
    pub async fn verify(&self, captcha: &Captcha, fields: &Fields, post: &str, now: UnixMicros) -> Verified {
        let Some(token) = captcha.token(fields) else { return Verified::Nobody };
        let key = digest(&SHA256, [token, "\u{0}", post].concat().as_bytes()).as_ref().to_vec();
        let Some(asked) = self.asked(&key, captcha, token, now) else { return Verified::Unknown };
        let verified = asked.await;
        if verified != Verified::Person {
            self.asked.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        }
        verified
    }

    fn asked(&self, key: &[u8], captcha: &Captcha, token: &str, now: UnixMicros) -> Option<Asked> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, asked)) = asked.get(key) {
            return Some(asked.clone());
        }
        asked.retain(|_, (at, _)| now.0.saturating_sub(at.0) < REMEMBERED_MICROS);
        if asked.len() >= REMEMBERED_MAX {
            return None;
        }
        let turn = Arc::clone(&self.turns).try_acquire_owned().ok()?;
        let (http, is_away) = (self.http.clone()?, Arc::clone(&self.is_away));
        let (captcha, token) = (captcha.clone(), token.to_owned());
        // By itself: a visitor who clicks twice takes the first request away.
        let task = tokio::spawn(async move {
            let verified = ask(&http, &captcha, &token).await;
            drop(turn);
            tell(&is_away, verified, captcha.issuer);
            verified
        });
        let new = async move { task.await.unwrap_or(Verified::Unknown) }.boxed().shared();
        asked.insert(key.to_vec(), (now, new.clone()));
        Some(new)
    }
}

/// Says once that a verifier does not answer, and once that it does again.
fn tell(is_away: &AtomicBool, verified: Verified, issuer: Issuer) {
    let away = verified == Verified::Unknown;
    if is_away.swap(away, Ordering::Relaxed) == away {
        return;
    }
    if away {
        tracing::warn!(?issuer, "captchas can't be checked; visitors are asked to send their form again");
    } else {
        tracing::info!(?issuer, "captchas are checked again");
    }
}

#[derive(Deserialize)]
struct Reply {
    success: bool,
    #[serde(default, rename = "error-codes")]
    codes: Vec<String>,
}

async fn ask(http: &reqwest::Client, captcha: &Captcha, token: &str) -> Verified {
    let question = form_urlencoded::Serializer::new(String::new())
        .append_pair("secret", captcha.secret.expose_secret())
        .append_pair("response", token)
        .finish();
    let call =
        http.post(&captcha.url).header("content-type", "application/x-www-form-urlencoded").body(question);
    let Ok(mut answer) = call.send().await else { return Verified::Unknown };
    let mut said = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        if said.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Verified::Unknown;
        }
        said.extend_from_slice(&chunk);
    }
    match serde_json::from_slice(&said) {
        Ok(Reply { success: true, .. }) if answer.status().is_success() => Verified::Person,
        Ok(Reply { success: false, codes })
            if !codes.iter().any(|code| NOT_THE_VISITORS.contains(&code.as_str())) =>
        {
            Verified::Nobody
        }
        Ok(_) | Err(_) => Verified::Unknown,
    }
}
