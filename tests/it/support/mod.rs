//! What the tests of the running service share. Must not test anything itself.

pub mod app;
pub mod browser;
pub mod cluster;
pub mod command;
pub mod crm;
pub mod ear;
pub mod events;
pub mod folders;
pub mod process;
pub mod site;
pub mod wait;
