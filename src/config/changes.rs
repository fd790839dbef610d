//! What differs between two configurations: names of keys and sections, never a value.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::ExposeSecret;

use super::{AdminConfig, Config, FreshsalesConfig, MappingConfig};

impl Config {
    /// What is different in `new`: of sources each key, of hooks and outputs their names, of everything else the section. What was read from a file counts
    /// and not from which one; of `mapping.file`, which is read later, only what the settings made of it tells.
    #[must_use]
    pub fn changes(&self, new: &Self) -> Vec<String> {
        let names: BTreeSet<&String> = self.sources.keys().chain(new.sources.keys()).collect();
        let mut changed = Vec::new();
        for name in names {
            match (self.sources.get(name), new.sources.get(name)) {
                (Some(old), Some(new)) => {
                    changed.extend(old.changes(new).into_iter().map(|key| format!("sources.{name}.{key}")));
                }
                (Some(_), None) | (None, Some(_)) => changed.push(format!("sources.{name}")),
                (None, None) => {}
            }
        }
        let hooks: BTreeSet<&String> = self.hooks.keys().chain(new.hooks.keys()).collect();
        changed.extend(hooks.into_iter().filter_map(|name| {
            let same = match (self.hooks.get(name), new.hooks.get(name)) {
                (Some(old), Some(new)) => old.is_same(new),
                (Some(_), None) | (None, Some(_)) => false,
                (None, None) => true,
            };
            (!same).then(|| format!("hooks.{name}"))
        }));
        let outputs: BTreeSet<&String> = self.outputs.keys().chain(new.outputs.keys()).collect();
        changed.extend(outputs.into_iter().filter_map(|name| {
            let same = match (self.outputs.get(name), new.outputs.get(name)) {
                (Some(old), Some(new)) => old.is_same(new),
                (Some(_), None) | (None, Some(_)) => false,
                (None, None) => true,
            };
            (!same).then(|| format!("outputs.{name}"))
        }));
        let sections = self.sections().into_iter().zip(new.sections());
        changed.extend(sections.filter(|(old, new)| old != new).map(|((name, _), _)| name.to_owned()));
        changed
    }

    /// Every section but the sources, by its name, as text to compare. It holds secrets, so it is never shown.
    fn sections(&self) -> [(&'static str, String); 20] {
        // Taken apart in full: a new section can't be forgotten here.
        let Self {
            server,
            admin,
            sources: _,
            hooks: _,
            outputs: _,
            conversions,
            exports,
            alerts,
            freshsales,
            allowance,
            delivery,
            bulk,
            consent,
            mapping,
            integrations,
            identity,
            filters,
            happenings,
            store,
            retention,
            log,
            telemetry,
            managed: _,
            first_start: _,
        } = self;
        // Secrets print redacted.
        let token = admin.token().map(|token| token.expose_secret().to_owned());
        let tokens: Vec<_> = admin
            .people()
            .iter()
            .map(|one| (one.who.clone(), one.token.expose_secret().to_owned()))
            .collect();
        let admin = AdminConfig { token_file: String::new(), tokens: BTreeMap::new(), ..admin.clone() };
        let key = [&freshsales.api_key, &freshsales.proxy].map(ExposeSecret::expose_secret);
        let none = String::new;
        let freshsales = FreshsalesConfig {
            api_key_file: none(),
            proxy_file: none(),
            ca_file: none(),
            ..freshsales.clone()
        };
        let mapping = MappingConfig { file: String::new(), ..mapping.clone() };
        [
            ("server", format!("{server:?}")),
            ("admin", format!("{admin:?} {token:?}")),
            ("admin.tokens", format!("{tokens:?}")),
            ("alerts", format!("{:?}", alerts.compared())),
            ("conversions", conversions.compared()),
            ("exports", format!("{exports:?}")),
            ("freshsales", format!("{freshsales:?} {key:?}")),
            ("allowance", format!("{allowance:?}")),
            ("delivery", format!("{delivery:?}")),
            ("bulk", format!("{bulk:?}")),
            ("consent", format!("{consent:?}")),
            ("mapping", format!("{mapping:?}")),
            ("integrations", format!("{integrations:?}")),
            ("identity", format!("{identity:?}")),
            ("filters", format!("{filters:?}")),
            ("happenings", format!("{happenings:?}")),
            ("store", format!("{store:?} {:?}", store.url.expose_secret())),
            ("retention", format!("{retention:?}")),
            ("log", format!("{log:?}")),
            ("telemetry", telemetry.compared()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::super::load;
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> Config {
        let named = pairs.iter().map(|(key, value)| (format!("FRESHSIGNAL_{key}"), (*value).to_owned()));
        load(None, &named.collect()).unwrap().config
    }

    #[test]
    fn a_rotated_key_is_named_and_not_shown() {
        let old = config(&[("SOURCES__SHOP__WRITE_KEY", "old-key"), ("SOURCES__APP__WRITE_KEY", "app-key")]);
        let new = config(&[
            ("SOURCES__SHOP__WRITE_KEY", "new-key"),
            ("SOURCES__SHOP__WRITE_KEYS", "old-key"),
            ("SOURCES__SHOP__ENABLED", "false"),
            ("CONSENT__REQUIRED", "marketing"),
        ]);
        let expected = [
            "sources.app",
            "sources.shop.enabled",
            "sources.shop.write_key",
            "sources.shop.write_keys",
            "consent",
        ];
        assert_eq!(old.changes(&new), expected);
        assert_eq!(old.changes(&old), Vec::<String>::new());
    }

    #[test]
    fn what_was_read_from_a_file_counts_and_not_from_which() {
        let folder = tempfile::tempdir().unwrap();
        let secret = |file: &str, text: &str| {
            let path = folder.path().join(file);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let (key, token) = (secret("key", "key-1"), secret("token", &"t".repeat(32)));
        let files = [("FRESHSALES__API_KEY_FILE", key.as_str()), ("ADMIN__TOKEN_FILE", token.as_str())];
        let old = config(&files);
        let moved = secret("moved", "key-1\n");
        let elsewhere = config(&[("FRESHSALES__API_KEY_FILE", &moved), ("ADMIN__TOKEN", &"t".repeat(32))]);
        assert_eq!(old.changes(&elsewhere), Vec::<String>::new());
        secret("key", "key-2");
        assert_eq!(old.changes(&config(&files)), ["freshsales"]);
        secret("token", &"u".repeat(32));
        assert_eq!(old.changes(&config(&files)), ["admin", "freshsales"]);
    }

    #[test]
    fn every_key_of_a_source_that_differs_is_named() {
        let old = config(&[("SOURCES__SHOP__WRITE_KEY", "key")]);
        let keys = [
            ("ENABLED", "false", "enabled"),
            ("WRITE_KEY", "other", "write_key"),
            ("WRITE_KEYS", "other", "write_keys"),
            ("ALLOWED_ORIGINS", "https://shop.example", "allowed_origins"),
            ("PEOPLE", "shop", "people"),
            ("DEFAULT_COUNTRY", "GB", "default_country"),
            ("CONSENT_UNKNOWN", "2", "consent_unknown"),
            ("NEW_CONTACTS_PER_HOUR_MAX", "9", "new_contacts_per_hour_max"),
            ("WITHDRAWALS_PER_HOUR_MAX", "9", "withdrawals_per_hour_max"),
            ("TRUST", "visitor", "trust"),
        ];
        for (key, value, named) in keys {
            let key = format!("SOURCES__SHOP__{key}");
            let new = config(&[("SOURCES__SHOP__WRITE_KEY", "key"), (&key, value)]);
            assert_eq!(old.changes(&new), [format!("sources.shop.{named}")]);
        }
    }
}
