//! The record of who was erased and who withdrew consent, beside the store: a restore brings back neither.
//!
//! Lines of hashes under the key of the tombstones, which travels with the state and so with its backups; without it a line
//! says nothing of anybody. A line is on disk before what it tells of is in the state. Must not hold an id or an address.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ring::hmac;
use rusqlite::{Connection, OptionalExtension};
use serde::Deserialize;

use super::columns::from_text;
use super::{files, tombstones};
use crate::clock::UnixMicros;
use crate::consent::{Category, Choice, MARKETING};
use crate::contact::{ConsentChange, ConsentHistory, Contact};
use crate::erasure::Mark;
use crate::event::Email;
use crate::store::{Plan, Privacy, Put, StoreError};

/// The record in a data folder.
pub(in crate::store::sqlite) const FILE: &str = "withdrawn.log";
const HEAD: &str = "freshsignal-withdrawn-1";
/// From this size on it is written anew at the start, with the newest line of each alone.
const COMPACT_BYTES: u64 = 16 << 20;
/// Lines that wait while the file can't be written.
const PENDING_MAX: usize = 100_000;

/// What a line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// Somebody was erased.
    Erased,
    /// The same, and Freshsales is to forget them.
    Forgotten,
    /// An address withdrew consent to marketing.
    Withdrawn,
    /// Nothing of an address is ever sent.
    Suppressed,
    /// That order was undone.
    Unsuppressed,
}

impl What {
    const ALL: [Self; 5] =
        [Self::Erased, Self::Forgotten, Self::Withdrawn, Self::Suppressed, Self::Unsuppressed];

    fn word(self) -> &'static str {
        match self {
            Self::Erased => "erased",
            Self::Forgotten => "forgotten",
            Self::Withdrawn => "withdrawn",
            Self::Suppressed => "suppressed",
            Self::Unsuppressed => "unsuppressed",
        }
    }
}

/// What a record holds for the folder of one key: the newest moment of each.
#[derive(Debug, Default)]
pub(super) struct Noted {
    pub(super) moments: BTreeMap<(What, String), UnixMicros>,
    /// Lines that can't be read, such as one that a kill cut off.
    pub(super) unreadable: u64,
    /// It is a record of this folder, if only an empty one.
    pub(super) is_ours: bool,
}

impl Noted {
    /// Both together.
    pub(super) fn and(mut self, other: Self) -> Self {
        for (one, at) in other.moments {
            let newest = self.moments.entry(one).or_insert(at);
            *newest = at.max(*newest);
        }
        self.unreadable += other.unreadable;
        self.is_ours |= other.is_ours;
        self
    }
}

/// The record of a running service. Clones write to the same file.
#[derive(Clone, Debug)]
pub(super) struct Withdrawn(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    key: hmac::Key,
    headed: bool,
    pending: Vec<String>,
    fails: bool,
}

impl Withdrawn {
    /// The record at this path, for the folder that has this state.
    pub(super) fn open(path: PathBuf, state: &Connection) -> Result<Self, StoreError> {
        let inner =
            Inner { path, key: tombstones::key(state)?, headed: false, pending: Vec::new(), fails: false };
        if let Err(error) = inner.compact() {
            inner.complain(&error);
        }
        Ok(Self(Arc::new(Mutex::new(inner))))
    }

    /// Notes what a plan erases and withdraws. A file that can't be written keeps nobody from being erased.
    pub(super) fn note(&self, state: &Connection, plan: &Plan, now: UnixMicros) -> Result<(), StoreError> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let forgotten = plan.puts.iter().any(|put| matches!(put, Put::Privacy(Privacy::Forget(_))));
        let erased = if forgotten { What::Forgotten } else { What::Erased };
        for put in &plan.puts {
            if let Put::Privacy(Privacy::Tombstone(mark, at)) = put {
                inner.add(erased, mark, *at);
            }
            if let Put::Privacy(Privacy::Suppress(email, at)) = put {
                inner.add(What::Suppressed, &Mark::Email(email.clone()), *at);
            }
            if let Put::Privacy(Privacy::Unsuppress(email)) = put {
                inner.add(What::Unsuppressed, &Mark::Email(email.clone()), now);
            }
            if let Put::Contact(email, _, contact) = put
                && withdraws(state, email, contact)?
            {
                inner.add(What::Withdrawn, &Mark::Email(email.clone()), now);
            }
        }
        inner.write();
        Ok(())
    }

    /// Writes what could not be written before.
    pub(super) fn write_again(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write();
    }
}

impl Inner {
    fn add(&mut self, what: What, mark: &Mark, at: UnixMicros) {
        let line = format!(
            "{} {} {}\n",
            what.word(),
            at.to_rfc3339(),
            digits(tombstones::hash(&self.key, mark).as_ref())
        );
        if self.pending.len() < PENDING_MAX {
            self.pending.push(line);
        }
    }

    fn write(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        match self.append() {
            Ok(()) => {
                self.pending.clear();
                if std::mem::take(&mut self.fails) {
                    tracing::info!("erasures and withdrawals are noted for a restore again");
                }
            }
            Err(error) if !self.fails => {
                self.complain(&error);
                self.fails = true;
            }
            Err(_) => {}
        }
    }

    fn complain(&self, error: &io::Error) {
        tracing::error!(
            file = %self.path.display(), %error,
            "erasures and withdrawals can't be noted for a restore: they take effect, but a restore of an older backup would \
             undo them; make the file writable (store.withdrawn_file)"
        );
    }

    fn append(&mut self) -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)?;
        let head = if self.headed { String::new() } else { format!("\n{HEAD} {}\n", key_id(&self.key)) };
        file.write_all((head + self.pending.concat().as_str()).as_bytes())?;
        file.sync_data()?;
        self.headed = true;
        Ok(())
    }

    /// Leaves the newest line of each, once the file is large.
    fn compact(&self) -> io::Result<()> {
        if fs::metadata(&self.path).map_or(0, |found| found.len()) < COMPACT_BYTES {
            return Ok(());
        }
        let Some(noted) = read(&self.path, &self.key)? else { return Ok(()) };
        let mut name = self.path.clone().into_os_string();
        name.push(".compact");
        let path = PathBuf::from(name);
        let mut file = files::private_file(&path)?;
        file.set_len(0)?;
        file.write_all(lines(&noted, &self.key).as_bytes())?;
        file.sync_all()?;
        fs::rename(path, &self.path)
    }
}

/// The record as text.
pub(super) fn lines(noted: &Noted, key: &hmac::Key) -> String {
    let head = format!("{HEAD} {}\n", key_id(key));
    noted.moments.iter().fold(head, |text, ((what, hash), at)| {
        text + format!("{} {} {hash}\n", what.word(), at.to_rfc3339()).as_str()
    })
}

/// What a record notes for the folder with this key; none where there is no record.
pub(super) fn read(path: &Path, key: &hmac::Key) -> io::Result<Option<Noted>> {
    let text = match File::open(path).and_then(io::read_to_string) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let ours = key_id(key);
    let (mut noted, mut of_ours) = (Noted::default(), false);
    for line in text.lines().filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            [head, id] if *head == HEAD => {
                of_ours = *id == ours;
                noted.is_ours |= of_ours;
            }
            _ if !of_ours => {}
            [word, at, hash] if hash.len() == 64 => {
                let what = What::ALL.into_iter().find(|what| what.word() == *word);
                match what.zip(UnixMicros::parse(at)) {
                    Some((what, at)) => {
                        let newest = noted.moments.entry((what, (*hash).to_owned())).or_insert(at);
                        *newest = at.max(*newest);
                    }
                    None => noted.unreadable += 1,
                }
            }
            _ => noted.unreadable += 1,
        }
    }
    Ok(Some(noted))
}

/// The hash of a mark as a record has it.
pub(super) fn hash_of(key: &hmac::Key, mark: &Mark) -> String {
    digits(tombstones::hash(key, mark).as_ref())
}

/// Tells the key of a folder from others, and says nothing of it.
fn key_id(key: &hmac::Key) -> String {
    let tag = hmac::sign(key, HEAD.as_bytes());
    digits(tag.as_ref().get(..8).unwrap_or_default())
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// Of a stored contact, what is asked here.
#[derive(Deserialize)]
struct Consent {
    #[serde(default)]
    consent: ConsentHistory,
}

/// Whether a contact refuses marketing from now on, and did not before.
fn withdraws(state: &Connection, email: &Email, contact: &Contact) -> Result<bool, StoreError> {
    let Some(now) = last(&contact.consent).filter(|change| change.choice == Choice::Denied) else {
        return Ok(false);
    };
    let body: Option<String> = state
        .prepare_cached("SELECT body FROM contacts WHERE email = ?1")?
        .query_row([email.as_str()], |row| row.get(0))
        .optional()?;
    let Some(body) = body else { return Ok(true) };
    // What can't be read stands in the way of nothing here.
    let before = from_text::<Consent>("contact", &body).ok();
    Ok(before.as_ref().and_then(|before| last(&before.consent)) != Some(now))
}

fn last(history: &ConsentHistory) -> Option<&ConsentChange> {
    let marketing = Category::from(MARKETING);
    history.changes.iter().rfind(|change| change.category == marketing)
}
