//! The account that somebody names on the page: asked before it is taken, written down, and taken over by a start of its own.

use std::sync::{Arc, PoisonError};

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::editing::{Editing, forget_unnamed};
use crate::admin::{AccountRefused, EditRefused, NamedAccount, NewAccount, Setup, Stands, Tested};
use crate::clock::{SystemClock, UnixMicros};
use crate::config::{Config, FirstStart, Stored};
use crate::config_problem::Problem;
use crate::freshsales::{BundleAlias, Client, Mode, Report, Timeouts, check};
use crate::ingest::SourceConfig;
use crate::managed::{Refused, Wish};

/// What a dry run without an account is of.
const NO_ACCOUNT: &str = "dry-run";
/// By this an account of the older product is known.
pub(super) const CLASSIC: &str = ".freshsales.io";

/// An account that may be taken.
struct Candidate {
    base: u64,
    stored: Stored,
    config: Config,
}

impl Setup for Editing {
    fn stands(&self) -> Stands {
        let config = self.reload.config.lock().unwrap_or_else(PoisonError::into_inner);
        let answered =
            |path: [&str; 2]| config.managed.stored.document.get(&path.map(str::to_owned)).is_some();
        let sources = config.sources.iter().filter(|(_, source)| source.is_on());
        Stands {
            first_start: config.first_start.is_some(),
            open: is_open(&config),
            account: match (config.first_start, config.freshsales.mode) {
                (Some(FirstStart { awaits_account: true }), _) => NamedAccount::Nothing,
                (_, Mode::DryRun) => NamedAccount::DryRun,
                (_, Mode::Live) => NamedAccount::Live,
            },
            sources: sources.map(|(name, _): (_, &SourceConfig)| name.clone()).collect(),
            unasked: (config.first_start.is_none() || answered(["consent", "unknown"]))
                .then(|| config.consent.unknown.clone()),
            required: config.consent.required.clone(),
        }
    }

    fn name_account(self: Arc<Self>, account: NewAccount, by: (String, UnixMicros)) -> Tested {
        Box::pin(async move {
            // One at a time: a test makes calls.
            let _alone = self.testing.lock().await;
            let this = Arc::clone(&self);
            let candidate = blocking(move || this.candidate(&account, &by)).await?;
            let findings = match candidate.config.freshsales.mode {
                Mode::DryRun => Vec::new(),
                Mode::Live => {
                    let asked = asked(&candidate.config).await;
                    let report =
                        asked.map_err(|problems| AccountRefused::Edit(EditRefused::Problems(problems)))?;
                    if !report.open {
                        return Err(AccountRefused::Account(report.findings));
                    }
                    report.findings
                }
            };
            let this = Arc::clone(&self);
            blocking(move || this.take(&candidate)).await?;
            Ok(findings)
        })
    }

    fn start_again(&self) {
        self.again.cancel();
    }
}

/// Whether an account may be named: where the page alone says what the service is for, and nothing was sent to one.
pub(super) fn is_open(config: &Config) -> bool {
    config.first_start.is_some() && config.freshsales.mode == Mode::DryRun
}

impl Editing {
    /// The settings with this account, as they would be read.
    fn candidate(
        &self,
        account: &NewAccount,
        (who, at): &(String, UnixMicros),
    ) -> Result<Candidate, AccountRefused> {
        let now = self.loaded(None).map_err(AccountRefused::Edit)?;
        if !is_open(&now) {
            return Err(AccountRefused::Closed);
        }
        let mut stored = now.managed.stored;
        let base = stored.document.revision;
        let key_name = format!("api-key-{}", base + 1);
        let wishes = wishes(account, &key_name);
        let changed = match stored.document.changed_by_owner(base, &wishes, (who, *at)) {
            // The same once more: it is asked again.
            Err(Refused::Nothing) => Ok(stored.document.clone()),
            other => other,
        };
        stored.document = changed.map_err(|refused| AccountRefused::Edit(EditRefused::Change(refused)))?;
        if !account.api_key.expose_secret().trim().is_empty() {
            stored.secrets.insert(key_name, SecretString::from(account.api_key.expose_secret().trim()));
        }
        forget_unnamed(&mut stored);
        let config = self.loaded(Some(&stored)).map_err(AccountRefused::Edit)?;
        if config.first_start.is_some_and(|first| first.awaits_account) {
            let missing = BundleAlias::parse("", config.freshsales.kind).err();
            let problem = missing.map(|why| Problem::new("freshsales.bundle_alias", "", why.to_string()));
            return Err(AccountRefused::Edit(EditRefused::Problems(problem.into_iter().collect())));
        }
        Ok(Candidate { base, stored, config })
    }

    /// Writes it down, unless somebody changed the settings meanwhile.
    fn take(&self, candidate: &Candidate) -> Result<(), AccountRefused> {
        let _alone = self.previews.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.loaded(None).map_err(AccountRefused::Edit)?;
        let revision = now.managed.stored.document.revision;
        if revision != candidate.base {
            return Err(AccountRefused::Edit(EditRefused::Change(Refused::Stale(revision))));
        }
        let written = candidate.stored.write(&now.managed.folder);
        written.map_err(|error| AccountRefused::Edit(EditRefused::NotWritten(error.to_string())))
    }
}

fn wishes(account: &NewAccount, key_name: &str) -> Vec<Wish> {
    let wish = |key: &str, value: Option<&str>| Wish {
        path: vec!["freshsales".to_owned(), key.to_owned()],
        value: value.map(Value::from),
    };
    let alias = account.alias.trim();
    let no_alias = account.dry_run && alias.is_empty();
    let base_url = Some(account.base_url.trim()).filter(|url| !url.is_empty());
    let has_key = !account.api_key.expose_secret().trim().is_empty();
    vec![
        wish("bundle_alias", Some(if no_alias { NO_ACCOUNT } else { alias })),
        wish("kind", alias.to_ascii_lowercase().contains(CLASSIC).then_some("classic")),
        wish("mode", account.dry_run.then_some("dry_run")),
        wish("base_url", base_url),
        wish("api_key", has_key.then_some(key_name)),
    ]
}

/// What the account of a configuration answers to the questions of `check --live`.
pub(super) async fn asked(config: &Config) -> Result<Report, Vec<Problem>> {
    let account = &config.freshsales;
    let problem = |key: &str, why: String| vec![Problem::new(key, "", why)];
    let key = account.key().map_err(|why| problem("freshsales.api_key", why.to_string()))?;
    let endpoint = account.endpoint().map_err(|why| problem(why.key(), why.to_string()))?;
    let transport = account.transport().map_err(|why| vec![why])?;
    let clock = Arc::new(SystemClock::default());
    let client = Client::new(endpoint, key, &transport, Timeouts::of(account), clock)
        .map_err(|why| problem("freshsales", why.to_string()))?;
    let expected = config.expected(&*config.settings()?);
    Ok(check(&client, &expected, None).await)
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AccountRefused> + Send + 'static,
) -> Result<T, AccountRefused> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(AccountRefused::Edit(EditRefused::NotWritten(error.to_string()))))
}
