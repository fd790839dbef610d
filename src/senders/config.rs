//! The `[integrations]`, `[identity]` and `[filters]` sections of the configuration.

use serde::Deserialize;

use super::filters::is_pattern;
use super::{Filters, Ids, Integrations};
use crate::config_problem::Problem;

/// The `[integrations]` section.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IntegrationsConfig {
    /// The names that mean this destination.
    pub names: Vec<String>,
    /// Whether `All: false` switches an event off, too.
    pub obey_all: bool,
}

impl Default for IntegrationsConfig {
    fn default() -> Self {
        let names = ["Freshsales", "Freshworks CRM", "freshsignal"].map(str::to_owned);
        Self { names: names.to_vec(), obey_all: true }
    }
}

impl IntegrationsConfig {
    /// Everything that makes no sense.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let astray = |name: &&String| name.trim().is_empty() || name.trim().eq_ignore_ascii_case("all");
        let expected = "names of this destination; whether `All` counts is integrations.obey_all";
        let astray = self.names.iter().filter(astray);
        astray.map(|name| Problem::new("integrations.names", name, expected)).collect()
    }

    /// The rule.
    #[must_use]
    pub fn rule(&self) -> Integrations {
        Integrations::new(&self.names, self.obey_all)
    }
}

/// What a user id that is an address says of the email.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserIdEmail {
    /// It is the email while nobody said one.
    #[default]
    Fallback,
    /// Nothing.
    Off,
}

/// What becomes of the contact of somebody whose address changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnEmailChange {
    /// It stays as it is; the new address is a contact of its own.
    #[default]
    New,
    /// It gets the new address, where a server says so of the same user id.
    Rename,
}

/// The `[identity]` section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IdentityConfig {
    /// Ids that name nobody, beside the built-in list.
    pub ignore_ids: Vec<String>,
    /// Ids of that list that do name somebody here.
    pub keep_ids: Vec<String>,
    /// What a user id that is an address says of the email.
    pub user_id_email: UserIdEmail,
    /// What becomes of the contact of somebody whose address changes.
    pub on_email_change: OnEmailChange,
}

impl IdentityConfig {
    /// Everything that makes no sense.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (key, ids) in [("ignore_ids", &self.ignore_ids), ("keep_ids", &self.keep_ids)] {
            let empty = ids.iter().filter(|id| id.trim().is_empty());
            problems.extend(
                empty.map(|id| Problem::new(format!("identity.{key}"), id, "ids, none of them empty")),
            );
        }
        problems
    }

    /// The rule.
    #[must_use]
    pub fn rule(&self) -> Ids {
        Ids::new(&self.ignore_ids, &self.keep_ids, self.user_id_email == UserIdEmail::Fallback)
    }
}

/// The `[filters]` section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FiltersConfig {
    /// Patterns of addresses that never become contacts.
    pub exclude_emails: Vec<String>,
}

impl FiltersConfig {
    /// Everything that makes no sense.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let astray = self.exclude_emails.iter().filter(|pattern| !is_pattern(pattern));
        let expected = "patterns like *@acme.example that do not fit everybody";
        astray.map(|pattern| Problem::new("filters.exclude_emails", pattern, expected)).collect()
    }

    /// The rule.
    #[must_use]
    pub fn rule(&self) -> Filters {
        Filters::new(&self.exclude_emails)
    }
}
