//! A wish and how it came about: what the debugger explains. Must not decide anything.

use std::collections::BTreeMap;

use crate::consent::{Category, Stand};
use crate::contact::Wish;
use crate::delivery::{Lane, ListKey};
use crate::mapping::{LeftOut, Listing, MappedField};

/// A wish and how it came about.
#[derive(Clone, Debug, Default)]
pub struct Considered {
    /// What is wanted.
    pub wish: Wish,
    /// The lane of a call that creates the contact.
    pub lane_if_new: Option<Lane>,
    /// Which attribute came from where.
    pub fields: Vec<MappedField>,
    /// What was left out, and why.
    pub left_out: Vec<LeftOut>,
    /// The statement that decided `subscription_status`, in words.
    pub consent: Option<String>,
    /// The name of their company, where companies are kept.
    pub company: Option<String>,
    /// The lists that the contact is to be on, or off.
    pub lists: BTreeMap<ListKey, Listing>,
    /// What counts of each consent category.
    pub stands: BTreeMap<Category, Stand>,
}
