//! freshsignal keeps the contacts of a Freshsales account current from customer events.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod consent;
pub mod contact;
pub mod debugger;
pub mod decision;
pub mod deliver;
pub mod delivery;
pub mod erasure;
pub mod event;
pub mod freshsales;
pub mod http;
pub mod ingest;
pub mod mapping;
pub mod person;
pub mod privacy;
pub mod problem;
pub mod process;
pub mod review;
pub mod sandbox;
pub mod store;
pub mod telemetry;
pub mod trail;
