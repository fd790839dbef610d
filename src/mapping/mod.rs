//! What a person's data becomes in the account: conversions of single values. Must not do IO or know the time.

pub mod phone;
pub mod region;
