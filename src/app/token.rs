//! Who may use the private routes, and the admin token that is made at first start: kept in the data folder, readable by its
//! owner alone, never logged.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use tokio::sync::watch;

use crate::admin::{Admin, Entry, Named};
use crate::config::Config;

/// People with tokens of their own, as the configuration in use has them.
pub(super) type People = watch::Sender<Arc<Vec<Named>>>;

const FILE: &str = "admin-token";
const RANDOM_BYTES: usize = 32;

/// Why the token can't be kept.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file can't be read or written.
    #[error("the admin token in {} can't be kept: {cause}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The machine gives no random bytes.
    #[error("the machine gives no random bytes for the admin token: {0}")]
    Random(String),
}

/// The token of a data folder, if one was made.
///
/// # Errors
/// The file is there and can't be read.
pub fn stored(folder: &Path) -> Result<Option<SecretString>, TokenError> {
    let path = folder.join(FILE);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(SecretString::from(text.trim()))),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(TokenError::File { path, cause }),
    }
}

/// The token of a data folder; makes one where there is none.
fn made_at_first_start(folder: &Path) -> Result<SecretString, TokenError> {
    if let Some(token) = stored(folder)? {
        return Ok(token);
    }
    let token = random()?;
    let path = folder.join(FILE);
    let write = || {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(token.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|cause| TokenError::File { path: path.clone(), cause })?;
    tracing::info!("an admin token was created; `freshsignal token` prints it");
    Ok(SecretString::from(token))
}

fn random() -> Result<String, TokenError> {
    let mut random = [0_u8; RANDOM_BYTES];
    getrandom::fill(&mut random).map_err(|error| TokenError::Random(error.to_string()))?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}

/// Who reads the log of a service that nobody has set up is let in by a code, once, as long as nobody says who else may use
/// the page and this machine alone reaches it.
pub(super) fn entry_of(config: &Config, admin: &Admin) -> Result<Option<Entry>, TokenError> {
    let told = config.admin.token().is_some() || config.admin.has_owner();
    let open = config.first_start.is_some_and(|first| first.awaits_account);
    let Some(token) = admin.token.clone().filter(|_| open && admin.loopback && !told) else {
        return Ok(None);
    };
    Ok(Some(Entry::new(SecretString::from(random()?), token)))
}

/// Off loopback a token is needed: where the configuration has none of somebody who may everything, one is made at first start.
pub(super) fn admin_of(config: &Config, people: &People) -> Result<Admin, TokenError> {
    let loopback = config.admin.address().is_some_and(|address| address.ip().is_loopback());
    let token = match config.admin.token() {
        // Whoever changes settings is known by a token, on loopback too.
        None if (!loopback || config.admin.edit) && !config.admin.has_owner() => {
            Some(made_at_first_start(&config.store.path)?)
        }
        token => token,
    };
    let allowed_hosts = config.admin.allowed_hosts.clone();
    Ok(Admin { token, people: people.subscribe(), allowed_hosts, loopback, public: false })
}

/// Who may use the private routes on the public listener: whoever has a token, which is made where none is configured.
pub(super) fn admin_on_public(
    config: &Config,
    people: &People,
) -> Result<Option<(String, Admin)>, TokenError> {
    let path = config.admin.path.clone();
    if path.is_empty() {
        return Ok(None);
    }
    let token = match config.admin.token() {
        None if !config.admin.has_owner() => Some(made_at_first_start(&config.store.path)?),
        token => token,
    };
    let allowed_hosts = config.admin.allowed_hosts.clone();
    Ok(Some((
        path,
        Admin { token, people: people.subscribe(), allowed_hosts, loopback: false, public: true },
    )))
}
