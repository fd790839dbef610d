//! What the private listener answers in JSON: a file a family of routes.
//!
//! Reads the store and shows it; what a person orders becomes a plan of the decision's functions. Must not decide.

pub(super) mod acts;
pub(super) mod alerts;
mod answer;
pub(super) mod commands;
pub(super) mod companies;
pub(super) mod connect;
pub(super) mod contacts;
pub(super) mod crm;
pub(super) mod dead_letters;
pub(super) mod deals;
pub(super) mod deliveries;
pub(super) mod events;
pub(super) mod exports;
pub(super) mod happenings;
pub(super) mod history;
mod last_said;
pub(super) mod ledger;
mod listed;
pub(super) mod map;
pub(super) mod now;
pub(super) mod openapi;
mod order;
pub(super) mod orders;
pub(super) mod outputs;
pub(super) mod owned;
pub(super) mod people;
pub(super) mod plan;
mod query;
mod record;
mod rejected;
pub(super) mod resend;
pub(super) mod selectors;
pub(super) mod settings;
pub(super) mod setup;
pub(super) mod status;
pub(super) mod stream;
mod why;

pub(super) use answer::{failed, not_done};
pub use commands::{Commands, Given};
pub(super) use history::History;
pub(super) use order::MANY_NAMES;
