//! The `[consent]` and `[mapping]` sections of the configuration.

use serde::Deserialize;

use super::{IdentifyMode, MissingNames};
use crate::consent::{Categories, Category};
use crate::mapping::region::Region;
use crate::problem::Problem;

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

/// The `[mapping]` section.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MappingConfig {
    /// A file that is merged over the Default preset; empty: none.
    pub file: String,
    /// Whether identify makes contacts.
    pub identify: IdentifyMode,
    /// What becomes of a new contact of whom nobody said a name.
    pub missing_names: MissingNames,
    /// How long before the statement that completes a contact a mapped event still counts.
    pub complete_within_hours: u64,
    /// Where phones without `+` and without a country are at home; empty: nowhere.
    pub default_country: String,
}

impl Default for MappingConfig {
    fn default() -> Self {
        Self {
            file: String::new(),
            identify: IdentifyMode::default(),
            missing_names: MissingNames::default(),
            complete_within_hours: 24,
            default_country: String::new(),
        }
    }
}

impl MappingConfig {
    /// Everything that makes no sense.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !self.default_country.is_empty() && self.default_region().is_none() {
            let expected = "a country: two or three letters or its English name";
            problems.push(Problem::new("mapping.default_country", &self.default_country, expected));
        }
        if !(1..=8_760).contains(&self.complete_within_hours) {
            problems.push(Problem::new(
                "mapping.complete_within_hours",
                self.complete_within_hours,
                "1 to 8760",
            ));
        }
        problems
    }

    /// The region of `default_country`.
    #[must_use]
    pub fn default_region(&self) -> Option<Region> {
        Region::from_text(&self.default_country)
    }
}
