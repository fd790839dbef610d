//! The configuration: every part's own section composed, read from layers, checked as a whole.
//!
//! The only room that reads the environment and configuration files. Must not start anything.

mod changes;
mod fingerprint;
mod first_start;
mod layers;
mod likeness;
mod managed;
mod paths;
mod secrets;
mod variables;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::admin::Config as AdminConfig;
use crate::alerts::Config as AlertsConfig;
use crate::allowance::AllowanceConfig;
use crate::config_problem::Problem;
use crate::consent::{Category, ConsentConfig, HOLD, MARKETING};
use crate::conversion::AD_USER_DATA;
use crate::conversions;
use crate::decision::{ConsentRules, Rehearsal, Settings, SourceDefaults, Unknown, status_value};
use crate::deliver::{BulkConfig, BulkMode, DeliveryConfig};
use crate::delivery::{Account, Bound, HappeningKind, MarkerKey, Request};
use crate::doors::Ways;
use crate::event::SourceName;
use crate::exports;
use crate::freshsales::{AccountKind, Config as FreshsalesConfig, DryRunCrm, Expected, Mode};
use crate::happening;
use crate::ingest::{
    Hooks, ServerConfig, SourceMode, Sources, hook_problems, is_taken, source_problems, ways,
};
use crate::managed::{laid_over, to_toml};
use crate::mapping::region::Region;
use crate::mapping::{IdentifyMode, MappingConfig, Preset, Shipped};
use crate::output::{Receivers, Topic};
use crate::outputs::{self, Config as OutputsConfig, OutputConfig};
use crate::retain::RetentionConfig;
use crate::senders::{self, Constants, FiltersConfig, IdentityConfig, IntegrationsConfig};
use crate::store;
use crate::telemetry::LogConfig;
use crate::traces::Config as TracesConfig;

pub use first_start::FirstStart;
pub use layers::{Examined, LoadError, Loaded, Texts, examine, examine_with, load};
pub use managed::{Managed, Stored};
pub use variables::{Environment, FILE_VARIABLE};

/// The built-in layer: every key, its default, its comment.
pub const DEFAULT: &str = include_str!("../../config/default.toml");

/// The whole configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The public listener.
    #[serde(default)]
    pub server: ServerConfig,
    /// The private listener.
    #[serde(default)]
    pub admin: AdminConfig,
    /// Who may send.
    #[serde(default)]
    pub sources: Sources,
    /// Vendors that send webhooks.
    #[serde(default)]
    pub hooks: Hooks,
    /// Who is told when something is wrong.
    #[serde(default)]
    pub alerts: AlertsConfig,
    /// Which other systems are told of what happened.
    #[serde(default)]
    pub outputs: OutputsConfig,
    /// What ad platforms are told of.
    #[serde(default)]
    pub conversions: conversions::Config,
    /// What is exported by itself.
    #[serde(default)]
    pub exports: exports::Config,
    /// The account.
    #[serde(default)]
    pub freshsales: FreshsalesConfig,
    /// How many calls fit.
    #[serde(default)]
    pub allowance: AllowanceConfig,
    /// How calls are made.
    #[serde(default)]
    pub delivery: DeliveryConfig,
    /// Calls of many contacts.
    #[serde(default)]
    pub bulk: BulkConfig,
    /// What consent means.
    #[serde(default)]
    pub consent: ConsentConfig,
    /// How people become contacts.
    #[serde(default)]
    pub mapping: MappingConfig,
    /// What switches an event off.
    #[serde(default)]
    pub integrations: IntegrationsConfig,
    /// Which ids name somebody.
    #[serde(default)]
    pub identity: IdentityConfig,
    /// Whose addresses never become contacts.
    #[serde(default)]
    pub filters: FiltersConfig,
    /// How notes, activities and tasks are told.
    #[serde(default)]
    pub happenings: happening::Config,
    /// Where everything is kept.
    #[serde(default)]
    pub store: store::Config,
    /// How long.
    #[serde(default)]
    pub retention: RetentionConfig,
    /// What is logged.
    #[serde(default)]
    pub log: LogConfig,
    /// Which collector takes traces.
    #[serde(default)]
    pub telemetry: TracesConfig,
    /// What was changed on the page.
    #[serde(skip)]
    pub managed: Managed,
    /// How far it was set up on the page, where nothing else says what it is for.
    #[serde(skip)]
    pub first_start: Option<FirstStart>,
}

impl Config {
    /// Everything that is wrong, part by part and across parts; not whether it is enough to serve.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = self.server.problems();
        problems.extend(self.admin.problems());
        problems.extend(self.path_problem());
        problems.extend(self.alerts.problems());
        problems.extend(outputs::problems(&self.outputs));
        problems.extend(conversions::problems(&self.conversions));
        problems.extend(self.untold());
        problems.extend(exports::problems(&self.exports));
        problems.extend(source_problems(&self.sources));
        problems.extend(hook_problems(&self.hooks, &self.sources));
        problems.extend(self.allowance.problems());
        problems.extend(self.delivery.problems());
        problems.extend(self.bulk.problems());
        problems.extend(self.no_bulk());
        problems.extend(self.consent.problems());
        problems.extend(self.mapping.problems());
        problems.extend(self.store.problems());
        problems.extend(self.integrations.problems());
        problems.extend(self.identity.problems());
        problems.extend(self.filters.problems());
        problems.extend(self.happenings.problems());
        problems.extend(self.retention.problems());
        problems.extend(self.log.problems());
        problems.extend(self.telemetry.problems());
        if let Err(found) = self.preset() {
            problems.extend(found);
        }
        problems
    }

    /// Receivers that wait for conversions where none are made.
    fn untold(&self) -> impl Iterator<Item = Problem> {
        let waits = |output: &OutputConfig| {
            output.events.iter().any(|event| event.trim() == Topic::Conversion.as_str())
        };
        let waiting =
            self.outputs.iter().filter(move |(_, output)| !self.conversions.enabled && waits(output));
        let expected = "conversions.enabled = true beside it, or none is ever told";
        waiting.map(move |(name, _)| Problem::new(format!("outputs.{name}.events"), "conversion", expected))
    }

    /// What is where the private routes are to be on the public listener.
    fn path_problem(&self) -> Option<Problem> {
        let path = &self.admin.path;
        let prefix = &self.server.path_prefix;
        let within = prefix == path || prefix.starts_with(&format!("{path}/"));
        let conversions = path == conversions::ROOT || path.starts_with(&format!("{}/", conversions::ROOT));
        let taken = !path.is_empty() && (is_taken(path) || within || conversions);
        taken.then(|| Problem::new("admin.path", path, "a path where no route for events is, such as /admin"))
    }

    /// What serving needs beyond a configuration that makes sense: an account and somebody who may send. Both come later where it
    /// is set up on the page.
    #[must_use]
    pub fn serving_problems(&self) -> Vec<Problem> {
        let mut problems = self.freshsales.problems();
        if self.first_start.is_some() {
            return problems;
        }
        if self.hooks.is_empty() && !self.sources.values().any(crate::ingest::SourceConfig::is_on) {
            let expected = "at least one source with a write key, or nobody may send";
            problems.push(Problem::new("sources", "", expected));
        }
        problems
    }

    /// The ways in, as whoever connects a sender has to know them.
    #[must_use]
    pub fn ways(&self, server: &ServerConfig) -> Ways {
        ways(server, &self.sources, &self.hooks, self.preset().ok().as_ref())
    }

    /// The mapping, the user's file included.
    ///
    /// # Errors
    /// Every problem of the file.
    pub fn preset(&self) -> Result<Preset, Vec<Problem>> {
        let path = &self.mapping.file;
        let text = if path.is_empty() {
            None
        } else {
            let read = std::fs::read_to_string(Path::new(path));
            Some(read.map_err(|error| {
                vec![Problem::new("mapping.file", path, format!("a readable file ({error})"))]
            })?)
        };
        self.preset_from(text.as_deref())
    }

    /// The mapping with this text in place of the user's file.
    fn preset_from(&self, text: Option<&str>) -> Result<Preset, Vec<Problem>> {
        let path = &self.mapping.file;
        let rules = self.managed.stored.document.rules().map(to_toml);
        let whole = match (&rules, text) {
            (Some(rules), Some(text)) => laid_over(rules, text),
            (Some(rules), None) => Some(rules.clone()),
            (None, _) => None,
        };
        let shipped: Vec<Shipped> =
            self.mapping.presets.iter().filter_map(|name| Shipped::named(name)).collect();
        Preset::layered(&shipped, whole.as_deref().or(text)).map_err(|problems| {
            let named = |problem: &crate::mapping::MappingProblem| {
                Problem::new("mapping.file", path, problem.to_string())
            };
            problems.iter().map(named).collect()
        })
    }

    /// What deciding depends on. Without an account (as for `map`) decisions are for an account of no name.
    ///
    /// # Errors
    /// Every problem of the mapping file.
    pub fn settings(&self) -> Result<Arc<Settings>, Vec<Problem>> {
        Ok(Arc::new(self.settings_by(self.preset()?)))
    }

    /// The same with a text in place of the mapping file.
    ///
    /// # Errors
    /// Every problem of the text.
    pub fn settings_with(&self, mapping: &str) -> Result<Arc<Settings>, Vec<Problem>> {
        Ok(Arc::new(self.settings_by(self.preset_from(Some(mapping))?)))
    }

    fn settings_by(&self, preset: Preset) -> Settings {
        Settings {
            account: self.account(),
            leads: self.freshsales.makes_leads(),
            preset,
            default_region: self.mapping.default_region(),
            identify: self.mapping.identify,
            missing_names: self.mapping.missing_names,
            on_email_change: self.identity.on_email_change,
            complete_within: Duration::from_hours(self.mapping.complete_within_hours),
            consent: self.consent_rules(),
            send: self.delivery.send,
            hold: Duration::from_secs(self.delivery.hold_seconds),
            resend_after: self.delivery.resend_after(),
            retry: self.delivery.retry(),
            attempt_timeout: Duration::from_secs(self.freshsales.attempt_timeout_seconds),
            selectors: Arc::default(),
            per_hour: self.per_hour(),
            source_defaults: self.source_defaults(),
            senders: self.senders(),
            rehearsal: self.rehearsal(),
            happenings: self.happenings.clone(),
            marker_key: MarkerKey::default(),
            receivers: self.receivers(),
            conversions: self.conversions.enabled,
        }
    }

    /// What the sources that have defaults of their own assume of their people.
    fn source_defaults(&self) -> BTreeMap<SourceName, SourceDefaults> {
        let defaults = self.sources.iter().map(|(name, source)| {
            let unknown = source.consent_unknown.trim();
            let defaults = SourceDefaults {
                region: Region::from_text(&source.default_country),
                unknown: unknown_of(unknown),
                identify: IdentifyMode::parse(&source.identify),
            };
            (SourceName(name.clone()), defaults)
        });
        defaults.filter(|(_, defaults)| *defaults != SourceDefaults::default()).collect()
    }

    /// What is agreed with everybody who sends.
    fn senders(&self) -> senders::Rules {
        let constants = self.sources.iter().filter(|(_, source)| !source.set.is_empty());
        let constants =
            constants.map(|(name, source)| (SourceName(name.clone()), Constants::new(&source.set)));
        senders::Rules {
            ids: self.identity.rule(),
            integrations: self.integrations.rule(),
            filters: self.filters.rule(),
            constants: constants.collect(),
        }
    }

    /// The sources that are tried out; none where everything is.
    fn rehearsal(&self) -> Rehearsal {
        let tried = self.sources.iter().filter(|(_, source)| source.mode == SourceMode::DryRun);
        let tried = tried.map(|(name, _)| SourceName(name.clone()));
        let sources = match self.freshsales.mode {
            Mode::Live => tried.collect(),
            Mode::DryRun => std::collections::BTreeSet::new(),
        };
        let body = serde_json::Value::Null;
        let person = if self.freshsales.makes_leads() {
            Request::CreateLead { body: body.clone() }
        } else {
            Request::UpsertContact { body: body.clone(), shows_companies: false }
        };
        let calls = [
            person,
            Request::UpsertCompany { body: body.clone() },
            Request::CreateDeal { body: body.clone() },
        ];
        let told = HappeningKind::ALL.map(|what| Request::Tell { what, body: body.clone() });
        let endpoint = self.freshsales.endpoint().ok();
        let describe = |call: &Request| Some((call.kind(), endpoint.as_ref()?.describe(call)));
        let requests = calls.iter().chain(&told).filter_map(describe).collect();
        Rehearsal { sources, requests, playing: false }
    }

    /// Whether an account is to be called in bulk that is not known to take such calls.
    fn no_bulk(&self) -> Option<Problem> {
        let classic = self.freshsales.kind == AccountKind::Classic;
        let expected = "\"off\" where freshsales.kind is \"classic\": no call of many contacts is documented of Classic accounts";
        (classic && self.bulk.mode == BulkMode::Backlog)
            .then(|| Problem::new("bulk.mode", "backlog", expected))
    }

    /// Who is told of what happens; in a dry run nothing does.
    fn receivers(&self) -> Receivers {
        match self.freshsales.mode {
            Mode::Live => outputs::receivers(&self.outputs),
            Mode::DryRun => Receivers::new(),
        }
    }

    /// The quotas of the sources that have one.
    fn per_hour(&self) -> BTreeMap<Bound, u64> {
        let limits = self.sources.iter().flat_map(|(name, source)| {
            let name = SourceName(name.clone());
            [
                (Bound::NewContacts(name.clone()), source.new_contacts_per_hour()),
                (Bound::Withdrawals(name), source.withdrawals_per_hour_max),
            ]
        });
        limits.filter(|(_, max)| *max > 0).collect()
    }

    /// What an account is held against, by these settings.
    #[must_use]
    pub fn expected(&self, settings: &Settings) -> Expected {
        Expected {
            preset: settings.preset.clone(),
            leads: settings.leads,
            per_hour: self.allowance.of_the_account().per_hour,
            subscribed: settings.consent.subscribed.clone(),
            unsubscribed: settings.consent.unsubscribed.clone(),
        }
    }

    /// The sources with keys that do not say how far they are believed.
    pub fn sources_without_trust(&self) -> impl Iterator<Item = &str> {
        let keyed =
            self.sources.iter().filter(|(_, source)| source.enabled && source.keys().next().is_some());
        keyed.filter(|(_, source)| source.trust.is_none()).map(|(name, _)| name.as_str())
    }

    /// The account that calls go to; one of no name where none is configured, as for `map`.
    #[must_use]
    pub fn account(&self) -> Account {
        let account = self.freshsales.endpoint().map(|endpoint| endpoint.account().clone());
        let account = account.unwrap_or_else(|_| Account(String::new()));
        match self.freshsales.mode {
            Mode::Live => account,
            Mode::DryRun => DryRunCrm::account_for(&account),
        }
    }

    fn consent_rules(&self) -> ConsentRules {
        let consent = &self.consent;
        let unknown = consent.unknown.trim();
        ConsentRules {
            categories: if self.conversions.enabled {
                consent.categories.with(Category::from(AD_USER_DATA))
            } else {
                consent.categories.clone()
            },
            required: consent.required.iter().map(|name| Category::from(name.as_str())).collect(),
            marketing: Category::from(MARKETING),
            propagate_withdrawal: consent.propagate_withdrawal,
            subscribed: status_value(consent.subscribed.trim()),
            unsubscribed: status_value(consent.unsubscribed.trim()),
            paths: consent.paths.clone(),
            unknown: unknown_of(unknown),
            keep: self.retention.consent(),
        }
    }
}

/// What becomes of a new contact of whom nobody said yes or no, as a key of the configuration says it.
fn unknown_of(text: &str) -> Option<Unknown> {
    match text {
        "" => None,
        HOLD => Some(Unknown::Hold),
        status => Some(Unknown::Status(status_value(status))),
    }
}
