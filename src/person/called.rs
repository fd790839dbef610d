//! What people call a person: the names among what was said of them, so that who looks for one finds them.
//!
//! What a contact is called is decided by the mapping; this is for search alone.

use std::collections::BTreeSet;

use super::{Facts, Person};

/// Fields of traits and of properties that hold a name of the person.
const NAMES: [&str; 15] = [
    "traits.first_name",
    "traits.firstName",
    "traits.firstname",
    "traits.last_name",
    "traits.lastName",
    "traits.lastname",
    "traits.name",
    "traits.full_name",
    "traits.fullName",
    "properties.first_name",
    "properties.firstName",
    "properties.last_name",
    "properties.lastName",
    "properties.full_name",
    "properties.fullName",
];
/// Letters that are kept of all names of a person together.
const LETTERS_MAX: usize = 200;

impl Person {
    /// All words that the person was called by, in lower case; none where nobody named them.
    #[must_use]
    pub fn called(&self) -> Option<String> {
        let all = [&self.own].into_iter().chain(self.named.values()).chain(self.borrowed.values());
        let (mut seen, mut words) = (BTreeSet::new(), Vec::new());
        for word in all.flat_map(names).flat_map(words_of) {
            if seen.insert(word.clone()) {
                words.push(word);
            }
        }
        let all: String = words.join(" ").chars().filter(|c| *c != '\0').take(LETTERS_MAX).collect();
        (!all.is_empty()).then_some(all)
    }
}

fn names(facts: &Facts) -> impl Iterator<Item = &str> {
    NAMES.iter().filter_map(|path| facts.values.get(*path)?.value.as_str())
}

/// The words of a name, as they are compared.
pub fn words_of(name: &str) -> impl Iterator<Item = String> {
    name.to_lowercase().split_whitespace().map(str::to_owned).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{email, stamp};
    use super::super::{Said, Strength};
    use super::*;
    use serde_json::json;

    fn said(values: &[(&str, serde_json::Value)]) -> Facts {
        let values = values.iter().map(|(path, value)| ((*path).to_owned(), value.clone())).collect();
        let mut facts = Facts::default();
        let emails = vec![(email("jane@acme.example"), Strength::Trait)];
        facts.learn(&Said { values, emails, ..Said::default() }, &stamp(1));
        facts
    }

    #[test]
    fn a_person_is_called_by_all_names_that_were_said_each_word_once_and_by_nothing_else() {
        let own = said(&[
            ("traits.name", json!("Jane  MILLER")),
            ("traits.first_name", json!("Jane")),
            ("traits.lastName", json!("Müller-Ärzte")),
            ("traits.company", json!("Globex")),
            ("properties.name", json!("Sofa")),
            ("traits.full_name", json!(7)),
        ]);
        let mut person = Person { own, ..Person::default() };
        person.borrowed.insert("a-1".to_owned(), said(&[("properties.fullName", json!("J. Miller"))]));
        assert_eq!(person.called().unwrap(), "jane müller-ärzte miller j.");
        assert_eq!(Person::default().called(), None);
        let nameless = Person { own: said(&[("traits.city", json!("Jena"))]), ..Person::default() };
        assert_eq!(nameless.called(), None);
    }

    #[test]
    fn a_name_without_end_is_cut() {
        let own = said(&[("traits.name", json!("ä".repeat(900)))]);
        let called = Person { own, ..Person::default() }.called().unwrap();
        assert_eq!(called.chars().count(), 200);
    }
}
