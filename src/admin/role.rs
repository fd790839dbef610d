//! Who somebody is on the private listener, and how much they may do there: five roles, each with all that the one before
//! it may.
//!
//! The only place that says what a role is. Which one a route needs stands in the table of routes.

use secrecy::SecretString;

/// How much somebody may do. Each may what those before it may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Sees what happens, and nobody's address, name or phone.
    #[default]
    View,
    /// Sees people.
    Read,
    /// Orders: pause, redrive, erase.
    Act,
    /// Changes settings, and foresees what that would change.
    Edit,
    /// Sees who looked at whom.
    Owner,
}

impl Role {
    /// All of them, the one that may least first.
    pub const ALL: [Self; 5] = [Self::View, Self::Read, Self::Act, Self::Edit, Self::Owner];

    /// The word in the configuration and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Read => "read",
            Self::Act => "act",
            Self::Edit => "edit",
            Self::Owner => "owner",
        }
    }

    /// The role of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word.trim())
    }
}

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Who {
    /// The name of their token; empty for the one of `admin.token`, and where none is needed.
    pub name: String,
    /// What they may.
    pub role: Role,
}

impl Who {
    /// Whoever has the one token, or reaches a listener that needs none.
    #[must_use]
    pub fn owner() -> Self {
        Self { name: String::new(), role: Role::Owner }
    }

    /// Whether people are masked before them.
    #[must_use]
    pub fn is_masked(&self) -> bool {
        self.role < Role::Read
    }
}

/// Somebody with a token of their own.
#[derive(Clone, Debug)]
pub struct Named {
    /// Who they are.
    pub who: Who,
    /// By what they are known.
    pub token: SecretString,
}
