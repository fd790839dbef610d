//! What differs between two configurations: names of keys and sections, never a value.

use std::collections::BTreeSet;
use std::fmt::Debug;

use super::Config;

impl Config {
    /// What is different in `new`: of sources each key, of everything else the section.
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
        let sections: [(&str, &dyn Debug, &dyn Debug); 11] = [
            ("server", &self.server, &new.server),
            ("admin", &self.admin, &new.admin),
            ("freshsales", &self.freshsales, &new.freshsales),
            ("allowance", &self.allowance, &new.allowance),
            ("delivery", &self.delivery, &new.delivery),
            ("bulk", &self.bulk, &new.bulk),
            ("consent", &self.consent, &new.consent),
            ("mapping", &self.mapping, &new.mapping),
            ("store", &self.store, &new.store),
            ("retention", &self.retention, &new.retention),
            ("log", &self.log, &new.log),
        ];
        // Secrets print redacted, so one that changed is not seen here; those need a restart anyway.
        let differ =
            |(_, old, new): &(&str, &dyn Debug, &dyn Debug)| format!("{old:?}") != format!("{new:?}");
        changed.extend(sections.into_iter().filter(differ).map(|(name, ..)| name.to_owned()));
        changed
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
}
