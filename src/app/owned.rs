//! Changes where data goes on behalf of who owns the service: another key of the same account at once, anything else after a
//! wait, and with a word to whoever was told of alerts before.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::RunError;
use super::account::{CLASSIC, asked, blocking, is_open};
use super::editing::{Editing, forget_unnamed};
use super::owned_outputs as outputs;
use crate::admin::{
    AccountRefused, AccountWish, AlertsWish, EditRefused, Ordered, Owned, OwnedChange, OwnedWish, Owner,
};
use crate::alerts::{Message, Receiver};
use crate::clock::{Clock, UnixMicros};
use crate::config::{Config, Managed, Stored};
use crate::config_problem::Problem;
use crate::freshsales::{AccountKind, BundleAlias, Mode};
use crate::managed::{Edit, Path, Pending, Refused, Wish, dotted, is_owned};

/// Long enough for whoever did not want it to read of it and to stop it.
const WAIT: Duration = Duration::from_mins(10);
/// After a change could not be written down.
const AGAIN: Duration = Duration::from_secs(30);

/// Asking an address with the key shows it the key, so nobody learns the one in use by naming another address.
const KEY_OF_ITS_OWN: &str = "the API key of that account: the one in use is sent to its own address alone";

/// What a wish comes to.
struct Looked {
    before: Config,
    /// With it.
    stored: Stored,
    config: Config,
    wishes: Vec<Wish>,
    edits: Vec<Edit>,
    name: String,
    /// What messages to a new receiver are signed with.
    secret: Option<SecretString>,
}

impl Looked {
    /// Whether it is another key of the same account and nothing else.
    fn is_rotation(&self) -> bool {
        let key = ["freshsales", "api_key"];
        self.edits.iter().all(|edit| edit.path == key) && self.before.account() == self.config.account()
    }
}

impl Owner for Editing {
    fn owned(&self) -> Result<Owned, EditRefused> {
        let config = self.loaded(None)?;
        let host = config.alerts.receiver().ok().flatten();
        let Managed { stored, locks, .. } = config.managed;
        Ok(Owned {
            revision: stored.document.revision,
            outputs: config.outputs.iter().map(|(name, output)| outputs::shown(name, output)).collect(),
            alias: config.freshsales.bundle_alias,
            base_url: config.freshsales.base_url,
            dry_run: config.freshsales.mode == Mode::DryRun,
            format: config.alerts.format.as_str(),
            host: host.and_then(|(url, _)| url.host_str().map(str::to_owned)),
            locks: locks.into_iter().filter(|(path, _)| is_owned(path)).collect(),
            pending: stored.document.pending,
        })
    }

    fn change(self: Arc<Self>, wish: OwnedWish, by: (String, UnixMicros)) -> Ordered {
        Box::pin(async move {
            let _alone = self.testing.lock().await;
            let this = Arc::clone(&self);
            let (asks, typed) = (wish.account.is_some(), wish.name.clone());
            let (who, at) = by.clone();
            let looked = blocking(move || this.look(&wish, &by)).await?;
            let findings = if asks && looked.config.freshsales.mode == Mode::Live {
                let asked = asked(&looked.config).await;
                let report =
                    asked.map_err(|problems| AccountRefused::Edit(EditRefused::Problems(problems)))?;
                if !report.open {
                    return Err(AccountRefused::Account(report.findings));
                }
                report.findings
            } else {
                Vec::new()
            };
            let due = (!looked.is_rotation()).then(|| at.plus(WAIT));
            let mut change = OwnedChange {
                findings,
                edits: looked.edits.clone(),
                name: looked.name.clone(),
                settings: self.settings_elsewhere(&looked)?,
                ordered: false,
                due,
                secret: None,
            };
            match typed {
                None => return Ok(change),
                Some(typed) if typed.trim() != looked.name => return Err(AccountRefused::Name(looked.name)),
                Some(_) => (change.ordered, change.secret) = (true, looked.secret.clone()),
            }
            let alerts = looked.before.alerts.clone();
            let account = looked.before.account().0;
            let keys: Vec<String> = looked.edits.iter().map(|edit| dotted(&edit.path)).collect();
            let this = Arc::clone(&self);
            blocking(move || this.order(looked, (who, at), due)).await?;
            if let Some(due) = due {
                let text = format!(
                    "Somebody with the role owner ordered another {}. It takes effect at {}: if nobody of you wanted that, \
                     revoke it in the settings of the page before, and change the tokens.",
                    keys.join(", "),
                    due.to_rfc3339()
                );
                tokio::spawn(tell(alerts, text, account, at));
            }
            Ok(change)
        })
    }

    fn revoke(&self) -> Result<bool, EditRefused> {
        let _alone = self.previews.lock().unwrap_or_else(PoisonError::into_inner);
        let Managed { mut stored, folder, .. } = self.loaded(None)?.managed;
        let Some(document) = stored.document.revoked() else { return Ok(false) };
        stored.document = document;
        forget_unnamed(&mut stored);
        stored.write(&folder).map_err(|error| EditRefused::NotWritten(error.to_string()))?;
        self.due.send_replace(None);
        Ok(true)
    }
}

impl Editing {
    fn look(&self, wish: &OwnedWish, (who, at): &(String, UnixMicros)) -> Result<Looked, AccountRefused> {
        let before = self.loaded(None).map_err(AccountRefused::Edit)?;
        if wish.account.is_some() && is_open(&before) {
            return Err(AccountRefused::Edit(EditRefused::Change(Refused::NotEditable(
                "the first account".to_owned(),
            ))));
        }
        let mut stored = before.managed.stored.clone();
        let next = stored.document.revision + 1;
        let mut wishes = Vec::new();
        if let Some(account) = &wish.account {
            wishes.extend(account_wishes(account, &before, next));
            keep(&mut stored, &format!("api-key-{next}"), &account.api_key);
        }
        if let Some(alerts) = &wish.alerts {
            wishes.extend(alerts_wishes(alerts, next));
            keep(&mut stored, &format!("alerts-url-{next}"), &alerts.url);
            keep(&mut stored, &format!("alerts-secret-{next}"), &alerts.secret);
        }
        let mut secret = None;
        if let Some(output) = &wish.output {
            secret = outputs::new_secret(output).map_err(AccountRefused::Edit)?;
            wishes.extend(outputs::wishes(output, next));
            keep(&mut stored, &outputs::url_name(next), &output.url);
            if let Some(secret) = &secret {
                keep(&mut stored, &outputs::secret_name(next), secret);
            }
        }
        let locks = &before.managed.locks;
        let lock = wishes.iter().find_map(|wish| locks.iter().find(|(path, _)| *path == wish.path));
        if let Some((path, by)) = lock {
            return Err(AccountRefused::Edit(EditRefused::Locked(path.clone(), by.clone())));
        }
        let changed = stored.document.changed_by_owner(wish.revision, &wishes, (who, *at));
        stored.document = changed.map_err(|refused| AccountRefused::Edit(EditRefused::Change(refused)))?;
        let edits = stored.document.changes.last().map(|change| change.edits.clone()).unwrap_or_default();
        let config = self.loaded(Some(&stored)).map_err(AccountRefused::Edit)?;
        let names_key = |account: &AccountWish| !account.api_key.expose_secret().trim().is_empty();
        if before.account() != config.account() && !wish.account.as_ref().is_some_and(names_key) {
            let problem = Problem::new("freshsales.api_key", "", KEY_OF_ITS_OWN);
            return Err(AccountRefused::Edit(EditRefused::Problems(vec![problem])));
        }
        let name = match (&wish.account, &wish.output) {
            (None, Some(output)) => outputs::name_of(output, &config),
            (Some(_), _) => BundleAlias::parse(&config.freshsales.bundle_alias, config.freshsales.kind)
                .map_or_else(|_| config.freshsales.bundle_alias.clone(), |alias| alias.to_string()),
            (None, None) => host_of(&config),
        };
        Ok(Looked { before, stored, config, wishes, edits, name, secret })
    }

    /// What deciding would depend on with another account.
    fn settings_elsewhere(
        &self,
        looked: &Looked,
    ) -> Result<Option<Arc<crate::decision::Settings>>, AccountRefused> {
        if looked.before.account() == looked.config.account() {
            return Ok(None);
        }
        let settings = self.reload.settings_of(&looked.config);
        let mut settings =
            settings.map_err(|problems| AccountRefused::Edit(EditRefused::Problems(problems)))?;
        Arc::make_mut(&mut settings).account = looked.config.account();
        Ok(Some(settings))
    }

    /// Writes it down: in effect at once, or to come.
    fn order(
        &self,
        looked: Looked,
        (who, at): (String, UnixMicros),
        due: Option<UnixMicros>,
    ) -> Result<(), AccountRefused> {
        let _alone = self.previews.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.loaded(None).map_err(AccountRefused::Edit)?.managed;
        let base = looked.before.managed.stored.document.revision;
        let revision = now.stored.document.revision;
        if revision != base {
            return Err(AccountRefused::Edit(EditRefused::Change(Refused::Stale(revision))));
        }
        let mut stored = looked.stored;
        if let Some(due) = due {
            let pending = Pending { at, due, who, wishes: looked.wishes };
            let waiting = now.stored.document.waiting(base, pending);
            stored.document =
                waiting.map_err(|refused| AccountRefused::Edit(EditRefused::Change(refused)))?;
        }
        forget_unnamed(&mut stored);
        let written = stored.write(&now.folder);
        written.map_err(|error| AccountRefused::Edit(EditRefused::NotWritten(error.to_string())))?;
        let Some(due) = due else {
            let reloaded = self.reload.reload();
            return reloaded
                .map(|_| ())
                .map_err(|problems| AccountRefused::Edit(EditRefused::Problems(problems)));
        };
        tracing::warn!(
            due = due.to_rfc3339(),
            "a change of where data goes was ordered on the page; it can be revoked there until then"
        );
        self.due.send_replace(Some(due));
        Ok(())
    }

    /// Lets what waits take effect at its time, until it is told to stop.
    pub(super) async fn wait_for_pending(
        self: Arc<Self>,
        clock: Arc<dyn Clock>,
        stop: CancellationToken,
    ) -> Result<(), RunError> {
        let mut due = self.due.subscribe();
        loop {
            let until = *due.borrow_and_update();
            let come = async {
                match until {
                    Some(until) => clock.sleep_until(clock.monotonic() + until.since(clock.wall())).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                changed = due.changed() => if changed.is_err() { return Ok(()) },
                () = come => {
                    let (this, at) = (Arc::clone(&self), clock.wall());
                    tokio::task::spawn_blocking(move || this.come(at)).await?;
                }
            }
        }
    }

    fn come(&self, at: UnixMicros) {
        let _alone = self.previews.lock().unwrap_or_else(PoisonError::into_inner);
        let done = self.loaded(None).and_then(|config| {
            let Managed { mut stored, folder, .. } = config.managed;
            let Some(come) = stored.document.come(at) else { return Ok(None) };
            match come {
                Ok(document) => stored.document = document,
                Err(error) => {
                    tracing::error!(%error, "a change of where data goes can't be made any more; it is given up");
                    stored.document = stored.document.revoked().unwrap_or_default();
                }
            }
            forget_unnamed(&mut stored);
            stored.write(&folder).map_err(|error| EditRefused::NotWritten(error.to_string()))?;
            Ok(stored.document.changes.last().cloned())
        });
        let change = match done {
            Ok(change) => change,
            Err(error) => {
                tracing::error!(
                    ?error,
                    "a change of where data goes can't take effect yet; trying again in 30 s"
                );
                self.due.send_replace(Some(at.plus(AGAIN)));
                return;
            }
        };
        self.due.send_replace(None);
        let Some(change) = change else { return };
        tracing::warn!(who = change.who, "a change of where data goes takes effect");
        if change.edits.iter().any(|edit| edit.path.first().is_some_and(|section| section == "freshsales")) {
            self.again.cancel();
        } else if self.reload.reload().is_err() {
            tracing::error!("a change of where data goes takes effect at the next start");
        }
    }
}

fn keep(stored: &mut Stored, name: &str, secret: &SecretString) {
    let text = secret.expose_secret().trim();
    if !text.is_empty() {
        stored.secrets.insert(name.to_owned(), SecretString::from(text));
    }
}

fn wish(path: [&str; 2], value: Option<&str>) -> Wish {
    let path: Path = path.map(str::to_owned).to_vec();
    Wish { path, value: value.map(Value::from) }
}

/// What is to be otherwise than it is; what is the same stays where it is said.
fn account_wishes(account: &AccountWish, before: &Config, next: u64) -> Vec<Wish> {
    let (alias, base_url) = (account.alias.trim(), account.base_url.trim());
    let mut wishes = Vec::new();
    if alias != before.freshsales.bundle_alias.trim() {
        wishes.push(wish(["freshsales", "bundle_alias"], Some(alias)));
        let classic = alias.to_ascii_lowercase().contains(CLASSIC);
        if classic != (before.freshsales.kind == AccountKind::Classic) {
            wishes.push(wish(["freshsales", "kind"], Some(if classic { "classic" } else { "suite" })));
        }
    }
    if base_url != before.freshsales.base_url.trim() {
        wishes.push(wish(["freshsales", "base_url"], Some(base_url)));
    }
    if !account.api_key.expose_secret().trim().is_empty() {
        wishes.push(wish(["freshsales", "api_key"], Some(&format!("api-key-{next}"))));
    }
    wishes
}

fn alerts_wishes(alerts: &AlertsWish, next: u64) -> Vec<Wish> {
    let has = |secret: &SecretString| !secret.expose_secret().trim().is_empty();
    let mut wishes = vec![
        wish(["alerts", "url"], has(&alerts.url).then(|| format!("alerts-url-{next}")).as_deref()),
        wish(["alerts", "format"], Some(alerts.format.trim())),
    ];
    if has(&alerts.secret) {
        wishes.push(wish(["alerts", "secret"], Some(&format!("alerts-secret-{next}"))));
    }
    wishes
}

fn host_of(config: &Config) -> String {
    let receiver = config.alerts.receiver().ok().flatten();
    receiver.and_then(|(url, _)| url.host_str().map(str::to_owned)).unwrap_or_else(|| "nobody".to_owned())
}

/// A word to whoever was told before.
async fn tell(alerts: crate::alerts::Config, text: String, account: String, at: UnixMicros) {
    let Ok(Some(receiver)) = Receiver::new(&alerts) else { return };
    let message = Message::of_settings(text, at).signed_by(&account, alerts.debugger());
    if receiver.tell(&message, at).await.is_err() {
        tracing::warn!("whoever is told of alerts could not be told that where data goes is about to change");
    }
}
