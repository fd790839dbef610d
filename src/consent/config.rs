//! The `[consent]` section of the configuration.

use serde::Deserialize;

use super::{Categories, Category};
use crate::config_problem::Problem;

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
    /// The status for a contact being created when nobody said anything; empty sends none.
    pub unknown: String,
    /// Which codes mean which category.
    pub categories: Categories,
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
        let expected =
            "Freshsales subscribes a new contact of whom it is told nothing; a value here is sent instead";
        vec![Problem::new("consent.unknown", &self.unknown, expected)]
    }
}
