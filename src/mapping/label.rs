//! Labels: what an account calls something, or the id it has there.
//!
//! Must not know lists of an account.

use serde::{Deserialize, Serialize};

/// What the account calls something, or its id there.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged, expecting = "expected a name of your account, or its id as a number")]
pub enum Label {
    /// A name.
    Name(String),
    /// An id.
    Id(u64),
}

impl Label {
    /// As text; an id as its digits.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Name(name) => name.clone(),
            Self::Id(id) => id.to_string(),
        }
    }
}

/// A name that looks like an id is a mistake more often than a name.
pub(super) fn label_problem(label: &Label) -> Option<String> {
    match label {
        Label::Name(name) if name.trim().is_empty() => Some("is empty".to_owned()),
        Label::Name(name) if name.trim().bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(format!("\"{name}\" looks like an id; write {} without quotes to mean it", name.trim()))
        }
        Label::Name(_) | Label::Id(_) => None,
    }
}
