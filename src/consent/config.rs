//! The `[consent]` section of the configuration.

use serde::Deserialize;

use super::{Categories, Category, Places};
use crate::config_problem::Problem;

/// The value of `consent.unknown` that keeps a new contact waiting for a statement.
pub const HOLD: &str = "hold";

/// The category that `subscription_status` is derived from.
pub const MARKETING: &str = "marketing";

/// The `[consent]` section.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConsentConfig {
    /// Categories that must be granted before anything is sent.
    pub required: Vec<String>,
    /// Whether a withdrawal is sent though the gate is shut.
    pub propagate_withdrawal: bool,
    /// The status for granted.
    pub subscribed: String,
    /// The status for denied.
    pub unsubscribed: String,
    /// The status for a contact being created when nobody said yes or no; empty sends none, [`HOLD`] waits.
    pub unknown: String,
    /// Which codes mean which category.
    pub categories: Categories,
    /// Further places where consent stands, each with its category.
    pub paths: Places,
}

impl Default for ConsentConfig {
    fn default() -> Self {
        Self {
            required: Vec::new(),
            propagate_withdrawal: true,
            subscribed: "subscribed".to_owned(),
            unsubscribed: "unsubscribed".to_owned(),
            unknown: String::new(),
            categories: Categories::default(),
            paths: Places::default(),
        }
    }
}

impl ConsentConfig {
    /// Everything that makes no sense.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for name in &self.required {
            if !self.categories.contains(&Category::from(name.as_str())) {
                problems.push(Problem::new("consent.required", name, "a category of consent.categories"));
            }
        }
        for (path, category) in self.paths.iter() {
            if !self.categories.contains(category) {
                let expected = "a category of consent.categories";
                problems.push(Problem::new(format!("consent.paths.{path}"), category, expected));
            }
            if path.split('.').any(|key| key.trim().is_empty()) {
                let expected = "a dotted path in an event, such as traits.newsletter";
                problems.push(Problem::new("consent.paths", path, expected));
            }
        }
        if !self.categories.contains(&Category::from(MARKETING)) {
            let expected = "a category `marketing`: subscription_status is derived from it";
            problems.push(Problem::new("consent.categories", "", expected));
        }
        for (key, value) in [("subscribed", &self.subscribed), ("unsubscribed", &self.unsubscribed)] {
            if value.trim().is_empty() {
                problems.push(Problem::new(format!("consent.{key}"), value, "a status"));
            }
        }
        if self.subscribed == self.unsubscribed {
            let expected = "another status than consent.subscribed";
            problems.push(Problem::new("consent.unsubscribed", &self.unsubscribed, expected));
        }
        problems
    }

    /// What is allowed but should be known.
    #[must_use]
    pub fn warnings(&self) -> Vec<Problem> {
        if !self.unknown.trim().is_empty() {
            return Vec::new();
        }
        let expected = "Freshsales subscribes a new contact of whom it is told nothing, by itself; a status here is sent instead, \
             \"hold\" waits for a statement";
        vec![Problem::new("consent.unknown", &self.unknown, expected)]
    }
}
