//! `freshsignal store export` and `store import`: from a database into a data folder, and from a data folder into a database.

use std::path::PathBuf;

use super::Outcome;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Store {
    /// Writes the store of the database into an empty data folder
    Export(Export),
    /// Writes a data folder into an empty store of the database
    Import(Import),
}

#[derive(Debug, clap::Args)]
pub(super) struct Export {
    /// The data folder to be written: one that is empty, or does not exist yet
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Nodes may go on meanwhile: makes a backup of the moment, to be restored by `freshsignal restore`
    #[arg(long)]
    beside_nodes: bool,
    /// The configuration file of the nodes; else `FRESHSIGNAL_CONFIG` names one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Import {
    /// The data folder to be read; no service may use it
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The configuration file of the nodes; else `FRESHSIGNAL_CONFIG` names one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) fn run(command: &Store) -> Outcome {
    moving::run(command)
}

#[cfg(not(feature = "postgres"))]
mod moving {
    use anyhow::anyhow;

    use super::super::{Failure, Outcome};
    use super::Store;

    pub(super) fn run(_: &Store) -> Outcome {
        Err(Failure::Usage(anyhow!("store.kind: this program was built without PostgreSQL")))
    }
}

#[cfg(feature = "postgres")]
mod moving {
    use std::io::{IsTerminal, Write};
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;

    use anyhow::anyhow;

    use super::super::{EXIT_DISK, Failure, Outcome, load, say};
    use super::{Export, Import, Store};
    use crate::app;
    use crate::clock::{Clock, SystemClock};
    use crate::config::Config;
    use crate::store::moving::{self, Moved, MovingError, Seen};
    use crate::store::sqlite::{self, Places};
    use crate::store::{Engine, StoreSettings};

    /// Between two words of how far it is.
    const SAID_EVERY: Duration = Duration::from_millis(500);

    impl From<MovingError> for Failure {
        fn from(error: MovingError) -> Self {
            Self::Code(error.exit_code(), error.into())
        }
    }

    pub(super) fn run(command: &Store) -> Outcome {
        match command {
            Store::Export(arguments) => export(arguments),
            Store::Import(arguments) => import(arguments),
        }
    }

    fn export(arguments: &Export) -> Outcome {
        let config = nodes(arguments.config.as_deref())?;
        let order = moving::Export {
            from: app::database_settings(&config, StoreSettings::default()),
            to: arguments.folder.clone(),
            on: places(&config),
            beside_nodes: arguments.beside_nodes,
        };
        let clock = clock();
        let mut told = Told::new(&clock);
        let moved = moving::export(&order, &clock, &mut |seen| told.tell(seen));
        told.end();
        let moved = moved?;
        let folder = arguments.folder.display();
        say_moved(&format!("the schema {}", config.store.schema), &folder.to_string(), &moved)?;
        say_verified(&arguments.folder)?;
        if arguments.beside_nodes {
            return say(&format!(
                "{folder} is a backup of that moment: what the nodes did since is not in it. Before a service goes on with it, stop \
                 the nodes, and put it into a data folder by `freshsignal restore {folder}`: no call is made for an hour then"
            ));
        }
        say(&format!(
            "a service goes on with {folder} where the nodes stopped: set store.kind = \"sqlite\" and store.path to it. Leave the nodes \
             stopped: two that call one account know nothing of each other"
        ))?;
        say(
            "not in it: configuration and keys, the admin token, and what was changed on the page (`settings` and `admin-token` in \
             store.path of the nodes); copy them where you need them",
        )
    }

    fn import(arguments: &Import) -> Outcome {
        let config = nodes(arguments.config.as_deref())?;
        let limits = StoreSettings {
            journal_bytes_max: config.retention.journal_bytes_max,
            ..StoreSettings::default()
        };
        let order = moving::Import {
            from: arguments.folder.clone(),
            on: places(&config),
            to: app::database_settings(&config, limits),
        };
        let clock = clock();
        let mut told = Told::new(&clock);
        let moved = moving::import(&order, &clock, &mut |seen| told.tell(seen));
        told.end();
        let moved = moved?;
        let folder = arguments.folder.display();
        say_moved(&folder.to_string(), &format!("the schema {}", config.store.schema), &moved)?;
        say(&format!(
            "nodes go on where the service of {folder} stopped. {folder} is as it was: start no service on it any more, two that call \
             one account know nothing of each other. Delete it when you do not need it, it holds personal data"
        ))?;
        say(&format!(
            "not moved: the admin token, what was changed on the page and the record of erasures (`admin-token`, `settings` and \
             `withdrawn.log` in {folder}); nodes need one token, which admin.token_file names"
        ))
    }

    /// The configuration of nodes.
    fn nodes(file: Option<&Path>) -> Result<Config, Failure> {
        let config = load(file)?.config;
        match config.store.kind {
            Engine::Postgres => Ok(config),
            Engine::Sqlite => Err(Failure::Usage(anyhow!(
                "store.kind is \"sqlite\": this needs the configuration of the nodes, with store.kind = \"postgres\" and the address of \
                 the database (--config FILE)"
            ))),
        }
    }

    fn places(config: &Config) -> Places {
        Places { network: config.store.network_file_system, ephemeral: config.store.ephemeral }
    }

    fn clock() -> Arc<dyn Clock> {
        Arc::new(SystemClock::default())
    }

    fn say_moved(from: &str, to: &str, moved: &Moved) -> Outcome {
        say(&format!(
            "{from} is in {to}: {} events accepted, {} of them in effect, {} rows of {} tables, all compared",
            moved.accepted,
            moved.taken_effect,
            moved.rows(),
            moved.tables.len()
        ))?;
        moved
            .tables
            .iter()
            .filter(|(_, rows)| *rows > 0)
            .try_for_each(|(table, rows)| say(&format!("{rows:>12}  {table}")))
    }

    /// Looks whether what was written is sound, as `verify` does.
    fn say_verified(folder: &Path) -> Outcome {
        let found = sqlite::verify(folder)?;
        for finding in &found.findings {
            say(finding)?;
        }
        match found.findings.len() {
            0 => say(&format!("{} is sound: {} documents read", folder.display(), found.documents)),
            count => Err(Failure::Code(
                EXIT_DISK,
                anyhow!("{}: {count} things are wrong, as they are in the database", folder.display()),
            )),
        }
    }

    /// How far it is, on a terminal.
    struct Told<'a> {
        clock: &'a Arc<dyn Clock>,
        said: Option<Duration>,
        shows: bool,
    }

    impl<'a> Told<'a> {
        fn new(clock: &'a Arc<dyn Clock>) -> Self {
            Self { clock, said: None, shows: std::io::stderr().is_terminal() }
        }

        fn tell(&mut self, seen: Seen) {
            let now = self.clock.monotonic();
            if !self.shows || self.said.is_some_and(|said| now.saturating_sub(said) < SAID_EVERY) {
                return;
            }
            self.said = Some(now);
            let what = if seen.compared { "compared" } else { "written" };
            // Who can't be told is not told.
            let _ = write!(
                std::io::stderr(),
                "\r{}: {} of {} rows {what}\u{1b}[K",
                seen.table,
                seen.rows,
                seen.of
            );
        }

        fn end(&mut self) {
            if self.said.take().is_some() {
                let _ = write!(std::io::stderr(), "\r\u{1b}[K");
            }
        }
    }
}
