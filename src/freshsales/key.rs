//! The API key in use: it may be replaced while the service runs, and a file that holds it is read again when Freshsales
//! refuses the key.
//!
//! Must not show a key. A file that can't be read, or holds no key, changes nothing.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

/// A file larger than this holds no key.
const FILE_BYTES_MAX: u64 = 65_536;
/// Keys of Freshsales have some 20 characters.
const API_KEY_BYTES_MAX: usize = 512;
/// What stands in place of a key.
const REDACTED: &str = "[redacted]";

/// The key that calls carry. Clones share it.
#[derive(Clone)]
pub struct Key(Arc<Inner>);

struct Inner {
    keys: Mutex<Keys>,
    /// Freshsales refused the last call.
    refused: AtomicBool,
}

struct Keys {
    now: ApiKey,
    /// What it may be read from again.
    file: Option<PathBuf>,
    /// The one before: an answer to a call that carried it may still come.
    before: Option<ApiKey>,
    /// The file could not be used the last time.
    unusable: bool,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("file", &self.keys().file).finish_non_exhaustive()
    }
}

impl From<ApiKey> for Key {
    fn from(key: ApiKey) -> Self {
        Self::new(key, None)
    }
}

impl Key {
    /// A key, and the file that it came from and that another one may come from.
    #[must_use]
    pub fn new(key: ApiKey, file: Option<PathBuf>) -> Self {
        let keys = Mutex::new(Keys { now: key, file, before: None, unusable: false });
        Self(Arc::new(Inner { keys, refused: AtomicBool::new(false) }))
    }

    /// Calls that leave from now on carry this key, which may be read again from its file; answers whether it is another one.
    #[must_use]
    pub fn take_over(&self, other: &Self) -> bool {
        let (key, file) = {
            let other = other.keys();
            (other.now.clone(), other.file.clone())
        };
        self.keys().file = file;
        self.replace(key)
    }

    fn replace(&self, key: ApiKey) -> bool {
        let mut keys = self.keys();
        if keys.now.expose() == key.expose() {
            return false;
        }
        keys.before = Some(std::mem::replace(&mut keys.now, key));
        true
    }

    /// Freshsales refused a call, or did not.
    pub(super) fn refused(&self, refused: bool) {
        self.0.refused.store(refused, Ordering::Relaxed);
    }

    /// Reads the file again where the last call was refused, which is before each probe of a refused key.
    pub(super) async fn look(&self) {
        if !self.0.refused.load(Ordering::Relaxed) {
            return;
        }
        let Some(file) = self.keys().file.clone() else { return };
        let found = tokio::fs::metadata(&file).await;
        let text = match found {
            Ok(found) if found.len() <= FILE_BYTES_MAX => tokio::fs::read_to_string(&file).await,
            Ok(_) => Err(std::io::ErrorKind::FileTooLarge.into()),
            Err(error) => Err(error),
        };
        let read = text.map_err(|error| error.to_string());
        match read.and_then(|text| ApiKey::parse(&text).map_err(|problem| format!("expected {problem}"))) {
            Ok(key) => {
                self.keys().unusable = false;
                if self.replace(key) {
                    tracing::info!(
                        "the API key was read again from freshsales.api_key_file: it is another one, and calls carry it from now on"
                    );
                }
            }
            Err(why) => {
                if !std::mem::replace(&mut self.keys().unusable, true) {
                    tracing::warn!(file = %file.display(), why, "freshsales.api_key_file can't be used; calls go on with the key that was read last");
                }
            }
        }
    }

    /// The header of a call. A key that is one can stand in it.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("Token token={}", self.keys().now.expose())).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// A text without the key, should it repeat that.
    pub(super) fn taken_out_of(&self, text: &str) -> String {
        let keys = self.keys();
        let text = text.replace(keys.now.expose(), REDACTED);
        keys.before.as_ref().map_or_else(|| text.clone(), |before| text.replace(before.expose(), REDACTED))
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.0.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a text is no API key. None of these repeats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeyProblem {
    /// There is none.
    #[error("the API key, from Freshsales under Personal settings, API settings")]
    Missing,
    /// The whole header was pasted.
    #[error("the API key alone, without `Token token=` or another scheme before it")]
    WholeHeader,
    /// It could not stand in a header.
    #[error("the API key: one word of at most 512 printable ASCII characters")]
    NotAWord,
}

/// The API key. It prints redacted and is shown by nothing but the header of a call.
#[derive(Clone)]
pub struct ApiKey(SecretString);

impl ApiKey {
    /// Reads a key; spaces and line ends around it are dropped, as files and copying add them.
    ///
    /// # Errors
    /// What is no key, a pasted `Token token=…` by its name.
    pub fn parse(text: &str) -> Result<Self, ApiKeyProblem> {
        let key = text.trim();
        if key.is_empty() {
            return Err(ApiKeyProblem::Missing);
        }
        let lower = key.to_ascii_lowercase();
        if ["token ", "token=", "bearer ", "basic ", "authorization:"]
            .iter()
            .any(|scheme| lower.starts_with(scheme))
        {
            return Err(ApiKeyProblem::WholeHeader);
        }
        if key.len() > API_KEY_BYTES_MAX || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ApiKeyProblem::NotAWord);
        }
        Ok(Self(SecretString::from(key)))
    }

    /// The key itself, for the header of a call and for taking it out of what is shown.
    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey([redacted])")
    }
}
