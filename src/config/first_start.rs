//! A first start without a file: what lies under the settings of the page there, and whether an account was named yet.
//!
//! A start counts as one where nothing says what the service is for: neither a file nor a variable, or variables that say
//! where it runs and that settings are changed on the page. Must not read or write anything.

use std::path::Path;

use super::variables::{Environment, FILE_VARIABLE, PREFIX};
use crate::freshsales::{Config as FreshsalesConfig, Mode};

/// On this machine alone, with settings that are changed on the page. Whoever was not asked waits until a person has said what
/// becomes of them.
const ALONE: &str = "[server]\nlisten = \"127.0.0.1:8080\"\n[admin]\nlisten = \"127.0.0.1:8081\"\nedit = true\n\
                     [consent]\nunknown = \"hold\"\n";
/// The same where variables say where it listens.
const PLACED: &str = "[consent]\nunknown = \"hold\"\n";
/// What says that settings are changed on the page.
const EDIT: &str = "FRESHSIGNAL_ADMIN__EDIT";
/// Variables that say what the service is for.
const PURPOSE: [&str; 3] = ["FRESHSIGNAL_FRESHSALES__", "FRESHSIGNAL_SOURCES__", "FRESHSIGNAL_HOOKS__"];
/// Names of others that do. One for the port says where it listens, and not on this machine alone.
const PURPOSE_OF_OTHERS: [&str; 2] = ["FRESHSALES_API_KEY", "FRESHSALES_SUBDOMAIN"];
const PORT: &str = "PORT";
/// Stands for the account until there is one. Nothing is sent.
const NO_ACCOUNT: &str = "not-set-up-yet";

/// How a service that is set up on its page stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstStart {
    /// Nobody has named an account.
    pub awaits_account: bool,
}

/// What lies over the defaults and under the settings of the page; nothing where something says what the service is for.
pub(super) fn layer(file: Option<&Path>, environment: &Environment) -> Option<&'static str> {
    let mut set = environment.iter().filter(|(_, value)| !value.trim().is_empty());
    let elsewhere = |name: &str| name == FILE_VARIABLE || PURPOSE_OF_OTHERS.contains(&name);
    if file.is_some() || set.clone().any(|(name, _)| elsewhere(name)) {
        return None;
    }
    let ours = |name: &String| name.starts_with(PREFIX) && name != FILE_VARIABLE;
    if !environment.iter().any(|(name, _)| ours(name) || name == PORT) {
        return Some(ALONE);
    }
    let edits = set.any(|(name, value)| name == EDIT && value.trim() == "true");
    let purpose = |name: &String| PURPOSE.iter().any(|start| name.starts_with(start));
    (edits && !environment.iter().any(|(name, _)| purpose(name))).then_some(PLACED)
}

impl FirstStart {
    /// How it stands; where there is no account a dry run of none stands in its place.
    pub(super) fn of(account: &mut FreshsalesConfig) -> Self {
        let awaits_account = account.bundle_alias.trim().is_empty();
        if awaits_account {
            NO_ACCOUNT.clone_into(&mut account.bundle_alias);
            account.mode = Mode::DryRun;
        }
        Self { awaits_account }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Examined, examine};
    use super::*;

    #[test]
    fn who_tries_the_defaults_gets_the_defaults() {
        let config = super::super::load(None, &Environment::new()).unwrap().config;
        assert_eq!((config.first_start, config.consent.unknown.as_str()), (None, ""));
    }

    fn examined(variables: &[(&str, &str)]) -> Examined {
        let pairs = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        examine(None, &pairs.collect()).unwrap()
    }

    #[test]
    fn with_nothing_it_starts_to_be_set_up_on_this_machine_alone_and_holds_whom_nobody_asked() {
        // A variable without content says nothing.
        for variables in [&[("HOME", "/root")][..], &[("FRESHSIGNAL_CONFIG", "")]] {
            let config = examined(variables).approved_to_serve().unwrap().config;
            assert_eq!(config.first_start, Some(FirstStart { awaits_account: true }));
            assert_eq!(config.server.listen, "127.0.0.1:8080");
            assert_eq!(config.admin.listen, "127.0.0.1:8081");
            assert!(config.managed.is_on && config.consent.unknown == "hold");
            assert_eq!(config.freshsales.mode, Mode::DryRun);
        }
    }

    #[test]
    fn variables_that_say_where_it_runs_and_that_settings_are_changed_on_the_page_keep_it_one() {
        let placed = [("FRESHSIGNAL_SERVER__LISTEN", "0.0.0.0:9000"), ("FRESHSIGNAL_ADMIN__EDIT", "true")];
        let config = examined(&placed).approved_to_serve().unwrap().config;
        assert_eq!(config.first_start, Some(FirstStart { awaits_account: true }));
        assert_eq!(config.server.listen, "0.0.0.0:9000");
    }

    #[test]
    fn variables_without_sources_are_a_mistake_as_before() {
        for variables in [
            &[("FRESHSIGNAL_STORE__PATH", "/data")][..],
            &[("FRESHSIGNAL_ADMIN__EDIT", "false")],
            &[("FRESHSIGNAL_ADMIN__EDIT", "true"), ("FRESHSIGNAL_FRESHSALES__BUNDLE_ALIAS", "acme")],
            &[("FRESHSIGNAL_ADMIN__EDIT", "true"), ("FRESHSALES_API_KEY", "key")],
            &[("FRESHSALES_SUBDOMAIN", "acme")],
            &[("PORT", "9000")],
        ] {
            let found = examined(variables);
            assert_eq!(found.config.first_start, None, "{variables:?}");
            assert!(found.approved_to_serve().is_err(), "{variables:?}");
        }
    }

    #[test]
    fn a_file_is_never_a_first_start() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("freshsignal.toml");
        std::fs::write(&file, "[admin]\nedit = true").unwrap();
        let found = examine(Some(&file), &Environment::new()).unwrap();
        assert_eq!(found.config.first_start, None);
        assert!(found.approved_to_serve().is_err());
    }
}
