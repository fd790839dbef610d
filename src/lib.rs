//! freshsignal keeps the contacts of a Freshsales account current from customer events.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod admin;
pub mod allowance;
pub mod app;
pub mod cli;
pub mod clock;
pub mod company;
pub mod config;
pub mod config_problem;
pub mod consent;
pub mod contact;
pub mod deal;
pub mod decision;
pub mod deliver;
pub mod delivery;
pub mod destination;
pub mod doors;
pub mod erase;
pub mod erasure;
pub mod event;
pub mod freshsales;
pub mod http;
pub mod ingest;
pub mod mapping;
pub mod openapi;
pub mod person;
pub mod process;
pub mod retain;
pub mod sandbox;
pub mod selectors;
pub mod senders;
pub mod store;
pub mod telemetry;
pub mod trail;
pub mod turn;
pub mod walk;
