//! What is agreed with those who send: which ids name somebody, what switches an event off, whose addresses never become
//! contacts, and what each source is taken to say.
//!
//! Pure rules and what was seen against them. Must not know people, contacts or storage.

mod config;
mod constants;
mod filters;
mod ids;
mod integrations;
mod rates;
mod watch;

use std::collections::BTreeMap;

pub use config::{FiltersConfig, IdentityConfig, IntegrationsConfig, OnEmailChange, UserIdEmail};
pub use constants::{Constants, constant_problem};
pub use filters::Filters;
pub use ids::{Ids, Named, spelled};
pub use integrations::{Integrations, SwitchedOff};
pub use rates::{Ask, Client, OverRate, Rates, Refusing, SourceRate};
pub use watch::{Concern, Sighting, Watch};

use crate::event::{Event, SourceName};

/// What is agreed with everybody who sends.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// Which ids name somebody.
    pub ids: Ids,
    /// What switches an event off.
    pub integrations: Integrations,
    /// Whose addresses never become contacts.
    pub filters: Filters,
    /// What each of the sources is taken to say that are here.
    pub constants: BTreeMap<SourceName, Constants>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            ids: Ids::default(),
            integrations: IntegrationsConfig::default().rule(),
            filters: Filters::default(),
            constants: BTreeMap::new(),
        }
    }
}

impl Rules {
    /// The constants of the source of an event, if it has some.
    #[must_use]
    pub fn constants_of(&self, event: &Event) -> Option<&Constants> {
        self.constants.get(&event.source).filter(|constants| !constants.is_empty())
    }
}

/// An address that is no use, so that a person recognises it and nobody else could use it: the first letter and what
/// stands behind the `@`.
#[must_use]
pub fn masked(address: &str) -> String {
    const HOST_CHARS_MAX: usize = 40;
    let address = address.trim();
    let first: String = address.chars().take(1).filter(|first| *first != '@').collect();
    match address.rsplit_once('@') {
        Some((_, host)) => {
            let host: String = host.chars().filter(|c| !c.is_control()).take(HOST_CHARS_MAX).collect();
            format!("{first}…@{host}")
        }
        None => format!("{first}…"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_address_without_use_the_first_letter_and_the_host_are_shown() {
        for (address, shown) in [
            (" jane@gmail ", "j…@gmail"),
            ("sam@", "s…@"),
            ("@example.com", "…@example.com"),
            ("jane.example.com", "j…"),
            ("a@b@c", "a…@c"),
            ("", "…"),
        ] {
            assert_eq!(masked(address), shown);
        }
    }
}
