//! `freshsignal backup`, `restore` and `verify`: copies of the data folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::anyhow;

use super::{Failure, Outcome, complain, environment, load, say};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Stored, Texts, examine_with};
use crate::store::Engine;
use crate::store::sqlite::{self, CopyError, Manifest, Places, RestoreOrder, Restored, Verified};

#[derive(Debug, clap::Args)]
pub(super) struct BackUp {
    /// The backup to be made: a folder that does not exist yet
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The configuration file; else `FRESHSIGNAL_CONFIG` names one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// With the settings that were changed on the page, and the secrets that were made or entered there
    #[arg(long)]
    with_settings: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Restore {
    /// The backup
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The configuration file; else `FRESHSIGNAL_CONFIG` names one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Moves what is in the data folder into a folder of its own inside it
    #[arg(long)]
    replace: bool,
    /// A record of erasures and withdrawals that was kept elsewhere; else that of `store.withdrawn_file`
    #[arg(long, value_name = "FILE")]
    withdrawn: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    /// A data folder or a backup; else the data folder of the configuration
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// The configuration file; else `FRESHSIGNAL_CONFIG` names one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl From<CopyError> for Failure {
    fn from(error: CopyError) -> Self {
        Self::Code(error.exit_code(), error.into())
    }
}

/// The configuration of a service that has a data folder.
fn with_folder(file: Option<&Path>) -> Result<Config, Failure> {
    let config = load(file)?.config;
    match config.store.kind {
        Engine::Sqlite => Ok(config),
        Engine::Postgres => Err(Failure::Usage(anyhow!(
            "store.kind is \"postgres\": the data is in the database, whose own backup is to be used (docs/how-to/two-nodes.md); \
             `freshsignal store export --beside-nodes DIR` makes a backup of it that `restore` takes where store.kind is \"sqlite\""
        ))),
    }
}

/// Copies the data folder, whether the service runs or not.
pub(super) fn back_up(arguments: &BackUp) -> Outcome {
    let config = with_folder(arguments.config.as_deref())?;
    let data = &config.store.path;
    let take = if arguments.with_settings { sqlite::back_up_with_settings } else { sqlite::back_up };
    let made = take(data, &arguments.folder, SystemClock::default().wall())?;
    say(&format!(
        "the backup {} is whole: {} events accepted, {} of them in effect, {} bytes",
        arguments.folder.display(),
        made.journal_end,
        made.taken_effect,
        made.bytes()
    ))?;
    say_settings(&made, data, arguments.with_settings)
}

/// Whether the settings of the page are in a backup, where there are any.
fn say_settings(made: &Manifest, data: &Path, asked: bool) -> Outcome {
    if made.has_settings() {
        return say(
            "the settings that were changed on the page are in it, and the secrets that were made or entered there in plain form: keep it \
             where nobody reads them",
        );
    }
    if asked {
        return say("no setting was changed on the page, so there is none to copy");
    }
    if has_settings(data) {
        return say(
            "the settings that were changed on the page, and their secrets, are not in it: `--with-settings` copies them as well",
        );
    }
    Ok(())
}

/// Whether settings were changed on the page of a service with this data folder.
fn has_settings(data: &Path) -> bool {
    sqlite::SETTINGS_FILES.iter().any(|name| data.join(name).exists())
}

/// Puts a backup into the data folder of the configuration.
pub(super) fn restore(arguments: &Restore) -> Outcome {
    let config = with_folder(arguments.config.as_deref())?;
    let after = with_settings_of(&arguments.folder, arguments.config.as_deref());
    let order = order(&config, after.as_ref().unwrap_or(&config), arguments);
    let restored = sqlite::restore(&order, &(Arc::new(SystemClock::default()) as Arc<dyn Clock>))?;
    say(&format!(
        "restored {} into {}: {} events accepted, as of {}",
        order.backup.display(),
        order.data.display(),
        restored.manifest.journal_end,
        restored.manifest.made_at
    ))?;
    if let Some(moved) = &restored.moved_to {
        say(&format!(
            "what was there before is in {}: delete it when you do not need it, it holds personal data",
            moved.display()
        ))?;
    }
    if restored.manifest.has_settings() {
        say(
            "the settings that were changed on the page are back, with the secrets that were made or entered there",
        )?;
    } else if restored.moved_to.as_deref().is_some_and(has_settings) {
        say(
            "the backup has no settings of the page: those that were in effect were moved with the rest; copy the folder `settings` back if \
             they are to stay in effect",
        )?;
    }
    say(
        "the allowance counts as used: no call is made for an hour, because nobody knows which were made after the backup",
    )?;
    say(&format!("{} contacts are sent whole with their next call", restored.contacts))?;
    tell_record(&restored)
}

/// The configuration that holds once the settings of a backup are back: they may name the account. Where they can't be read the
/// restore says what is wrong with the backup.
fn with_settings_of(backup: &Path, file: Option<&Path>) -> Option<Config> {
    if !has_settings(backup) {
        return None;
    }
    let stored = Stored::read(backup).ok()?;
    let texts = Texts { managed: Some(&stored), ..Texts::default() };
    Some(examine_with(file, texts, &environment()).ok()?.approved().ok()?.config)
}

/// What is restored and where stands in the configuration now; for whom, in the one that holds afterwards.
fn order(config: &Config, after: &Config, arguments: &Restore) -> RestoreOrder {
    RestoreOrder {
        backup: arguments.folder.clone(),
        data: config.store.path.clone(),
        on: Places { network: config.store.network_file_system, ephemeral: config.store.ephemeral },
        replace: arguments.replace,
        account: after.account(),
        calls_per_hour: after.allowance.limits().per_hour,
        record: config.store.record(),
        other_record: arguments.withdrawn.clone(),
    }
}

/// Who was erased or withdrew consent since the backup, as far as somebody noted it.
fn tell_record(restored: &Restored) -> Outcome {
    let made_at = &restored.manifest.made_at;
    let Some((file, applied)) = &restored.record else {
        complain(&format!(
            "warning: there is no record of erasures and withdrawals of this data folder at {}: whoever was erased or unsubscribed after {made_at} is \
             in the restored data as before. Before the service starts, or within the hour in which it makes no call: restore \
             again with --withdrawn FILE if you have the record elsewhere; otherwise erase these people again (DELETE \
             /api/people) and send their withdrawals again",
            restored.looked_for.display()
        ));
        return Ok(());
    };
    say(&format!(
        "from {}: {} orders to erase people who were erased after the backup, {} withdrawals of consent; the service carries \
         them out when it starts",
        file.display(),
        applied.erased,
        applied.withdrawn
    ))?;
    if applied.suppressed > 0 {
        say(&format!(
            "{} addresses of which nothing is ever sent were suppressed after the backup, and stay so",
            applied.suppressed
        ))?;
    }
    if applied.unknown > 0 {
        say(&format!(
            "{} other notes are of ids and addresses that the backup does not know",
            applied.unknown
        ))?;
    }
    if applied.unreadable > 0 {
        complain(&format!(
            "warning: {} lines of the record can't be read; whom they name may be in the restored data as before",
            applied.unreadable
        ));
    }
    Ok(())
}

/// Looks whether a folder is sound.
pub(super) fn verify(arguments: &Verify) -> Outcome {
    let folder = match &arguments.folder {
        Some(folder) => folder.clone(),
        None => with_folder(arguments.config.as_deref())?.store.path,
    };
    let Verified { findings, accepted, events, documents, backup, earlier_version } =
        sqlite::verify(&folder)?;
    for finding in &findings {
        say(finding)?;
    }
    let place = folder.display();
    let what = if backup { "a backup" } else { "a data folder, which `restore` does not take as a backup" };
    match findings.len() {
        0 if earlier_version => say(&format!(
            "{place}: the files are sound and of an earlier version; what they hold is looked at once the service has opened them"
        )),
        0 => say(&format!(
            "{place} is sound: {accepted} events accepted, {events} of them in the journal, {documents} documents read; it is {what}"
        )),
        1 => Err(Failure::Code(super::EXIT_DISK, anyhow!("{place}: one thing is wrong"))),
        more => Err(Failure::Code(super::EXIT_DISK, anyhow!("{place}: {more} things are wrong"))),
    }
}
