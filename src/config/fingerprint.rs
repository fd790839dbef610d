//! By which settings a process works, as hashes of sections: what nodes on one store compare. Must not show a value.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;

use super::Config;
use crate::decision::Settings;
use crate::store::Fingerprint;

/// Characters of a hash that are kept: enough to tell two configurations apart, and no more than that.
const CHARS: usize = 16;

impl Config {
    /// What work depends on, where this is the configuration in use, `started` is the one that the process was started with, and
    /// `settings` were made of both. Keys and addresses that one node may have otherwise than another do not count, and neither do
    /// listeners, the log and the store.
    #[must_use]
    pub fn fingerprint(&self, started: &Self, settings: &Settings) -> Fingerprint {
        // Taken apart in full: another setting can't be forgotten here.
        let Settings {
            account,
            preset,
            default_region,
            identify,
            missing_names,
            on_email_change,
            complete_within,
            consent,
            send,
            hold,
            resend_after,
            retry,
            attempt_timeout,
            selectors: _,
            per_hour,
            source_defaults,
            senders,
            rehearsal,
            happenings,
            marker_key: _,
            receivers,
            conversions,
            leads,
        } = settings;
        let mapping = (preset, default_region, identify, missing_names, complete_within);
        let sources = (per_hour, source_defaults, &senders.constants, &rehearsal.sources);
        let freshsales = (account, started.freshsales.mode, started.freshsales.kind, leads, attempt_timeout);
        let sections = [
            ("allowance", format!("{:?}", started.allowance)),
            ("bulk", format!("{:?}", started.bulk)),
            ("consent", format!("{consent:?}")),
            ("conversions", format!("{conversions:?}")),
            ("delivery", format!("{:?}", (send, hold, resend_after, retry))),
            ("filters", format!("{:?}", senders.filters)),
            ("freshsales", format!("{freshsales:?}")),
            ("happenings", format!("{happenings:?}")),
            ("identity", format!("{:?}", (&senders.ids, on_email_change))),
            ("integrations", format!("{:?}", senders.integrations)),
            ("mapping", format!("{mapping:?}")),
            ("outputs", format!("{receivers:?}")),
            ("retention", format!("{:?}", started.retention)),
            ("sources", format!("{sources:?}")),
        ];
        Fingerprint {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sections: sections.into_iter().map(|(name, text)| (name.to_owned(), hash(&text))).collect(),
        }
    }
}

fn hash(text: &str) -> String {
    let hash = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text.as_bytes()));
    hash.chars().take(CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::super::load;
    use super::*;

    fn print(pairs: &[(&str, &str)]) -> Fingerprint {
        let named = pairs.iter().map(|(key, value)| (format!("FRESHSIGNAL_{key}"), (*value).to_owned()));
        let config = load(None, &named.collect()).unwrap().config;
        config.fingerprint(&config, &config.settings().unwrap())
    }

    #[test]
    fn what_work_depends_on_counts_and_what_is_of_one_node_does_not() {
        let key = ("SOURCES__SHOP__WRITE_KEY", "key");
        let one = print(&[key]);
        assert_eq!(one, print(&[key]));
        for (name, value, section) in [
            ("FRESHSALES__BUNDLE_ALIAS", "acme", "freshsales"),
            ("FRESHSALES__MODE", "dry_run", "freshsales"),
            ("ALLOWANCE__PER_HOUR", "7", "allowance"),
            ("BULK__MODE", "backlog", "bulk"),
            ("CONSENT__REQUIRED", "marketing", "consent"),
            ("MAPPING__DEFAULT_COUNTRY", "GB", "mapping"),
            ("MAPPING__IDENTIFY", "create", "mapping"),
            ("DELIVERY__HOLD_SECONDS", "77", "delivery"),
            ("RETENTION__DEAD_LETTERS_MAX", "77", "retention"),
            ("SOURCES__SHOP__DEFAULT_COUNTRY", "GB", "sources"),
        ] {
            let other = print(&[key, (name, value)]);
            assert!(
                one.apart_from(&other).contains(&section.to_owned()),
                "{name}: {:?}",
                one.apart_from(&other)
            );
        }
        for (name, value) in [
            ("SERVER__LISTEN", "127.0.0.1:9"),
            ("ADMIN__LISTEN", "127.0.0.1:9"),
            ("LOG__LEVEL", "debug"),
            ("FRESHSALES__API_KEY", "another-key"),
            ("STORE__LEASE_SECONDS", "7"),
        ] {
            assert_eq!(one.apart_from(&print(&[key, (name, value)])), Vec::<String>::new(), "{name}");
        }
        // Nothing of what stands there can be read.
        let shown = format!("{:?}", print(&[key, ("FRESHSALES__BUNDLE_ALIAS", "canary")]));
        assert!(!shown.contains("canary") && !shown.contains("key\""), "{shown}");
    }
}
