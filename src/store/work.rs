//! Which of several processes works, as far as this one knows, and by which settings.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::UnixMicros;

/// Whether this process works, and who does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// This process does: it alone applies plans.
    pub here: bool,
    /// How often the work changed hands; 0 where there is one process alone.
    pub epoch: u64,
    /// The name of the process that works, which may be this one; empty where none does, or there is one process alone.
    pub holder: String,
    /// Since when it is seen that none works.
    pub vacant_since: Option<UnixMicros>,
    /// Sections of the settings in which this process is apart from the one that works, or that worked last and was not stopped
    /// in order.
    pub apart: Vec<String>,
}

impl Default for Work {
    /// That of an engine of one process, which always works.
    fn default() -> Self {
        Self { here: true, epoch: 0, holder: String::new(), vacant_since: None, apart: Vec::new() }
    }
}

impl Work {
    /// Whether there is but one process, which always works.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.here && self.epoch == 0
    }

    /// How this process stands, in a word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match (self.here, self.apart.is_empty()) {
            (true, _) => "works",
            (false, true) => "stands_by",
            (false, false) => "other_settings",
        }
    }
}

/// By which settings a process works: a hash of each section. It tells whether two work by the same, and in what not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The version of the program: what another one hashes otherwise can't be compared.
    pub version: String,
    /// The hashes, by the names of the sections.
    pub sections: BTreeMap<String, String>,
}

impl Fingerprint {
    /// The sections that differ. Those of another version are not compared.
    #[must_use]
    pub fn apart_from(&self, other: &Self) -> Vec<String> {
        if self.version != other.version {
            return Vec::new();
        }
        let differs = |name: &&String| self.sections.get(*name) != other.sections.get(*name);
        let names: std::collections::BTreeSet<&String> =
            self.sections.keys().chain(other.sections.keys()).collect();
        names.into_iter().filter(differs).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(version: &str, sections: &[(&str, &str)]) -> Fingerprint {
        let sections = sections.iter().map(|(name, hash)| ((*name).to_owned(), (*hash).to_owned())).collect();
        Fingerprint { version: version.to_owned(), sections }
    }

    #[test]
    fn settings_are_apart_in_the_sections_that_differ_and_other_versions_are_not_compared() {
        let one = print("1", &[("a", "x"), ("b", "y")]);
        assert_eq!(one.apart_from(&one), Vec::<String>::new());
        assert_eq!(one.apart_from(&print("1", &[("a", "x"), ("b", "z"), ("c", "")])), ["b", "c"]);
        assert_eq!(one.apart_from(&print("2", &[("a", "q")])), Vec::<String>::new());
    }

    #[test]
    fn a_word_says_how_it_stands() {
        let works = Work::default();
        assert!(works.is_alone() && works.word() == "works");
        let beside = Work { here: false, epoch: 3, ..works };
        assert!(!beside.is_alone() && beside.word() == "stands_by");
        assert_eq!(Work { apart: vec!["consent".to_owned()], ..beside }.word(), "other_settings");
    }
}
