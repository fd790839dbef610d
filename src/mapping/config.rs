//! The `[mapping]` section of the configuration.

use serde::Deserialize;

use super::preset::Shipped;
use super::region::Region;
use crate::config_problem::Problem;

/// Whether an identify counts as a mapped event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentifyMode {
    /// It updates contacts that Freshsales has; it makes none.
    #[default]
    Update,
    /// It makes contacts as a mapped event does.
    Create,
    /// What it says waits for the next mapped event.
    Off,
}

impl IdentifyMode {
    /// The mode of a word of the configuration.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "update" => Some(Self::Update),
            "create" => Some(Self::Create),
            "off" => Some(Self::Off),
            _ => None,
        }
    }
}

/// What becomes of a new contact of whom nobody said a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingNames {
    /// It is sent as it is; most accounts refuse it, and it comes back when a name is said.
    #[default]
    Refuse,
    /// It is named by its address until a name is said: for newsletter forms.
    FromEmail,
}

/// The `[mapping]` section.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MappingConfig {
    /// A file that is merged over the Default preset; empty: none.
    pub file: String,
    /// Shipped files that are laid between the Default preset and `file`, in this order.
    pub presets: Vec<String>,
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
            presets: Vec::new(),
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
        for name in self.presets.iter().filter(|name| Shipped::named(name).is_none()) {
            let known: Vec<&str> = Shipped::ALL.into_iter().map(Shipped::name).collect();
            problems.push(Problem::new("mapping.presets", name, format!("some of {}", known.join(", "))));
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
