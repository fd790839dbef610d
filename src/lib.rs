//! freshsignal keeps the contacts of a Freshsales account current from customer events.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod admin;
pub mod alerts;
pub mod allowance;
pub mod app;
pub mod cause;
pub mod cli;
pub mod clock;
pub mod company;
pub mod config;
pub mod config_problem;
pub mod consent;
pub mod contact;
pub mod conversion;
pub mod conversions;
pub mod deal;
pub mod decision;
pub mod deliver;
pub mod delivery;
pub mod destination;
pub mod doors;
pub mod erase;
pub mod erasure;
pub mod event;
pub mod export;
pub mod exports;
pub mod freshsales;
pub mod happening;
pub mod health;
pub mod http;
pub mod ingest;
pub mod managed;
pub mod mapping;
pub mod openapi;
pub mod output;
pub mod outputs;
pub mod person;
pub mod process;
pub mod retain;
pub mod sandbox;
pub mod selectors;
pub mod senders;
pub mod store;
pub mod telemetry;
pub mod traces;
pub mod trail;
pub mod turn;
pub mod walk;
pub mod webhook;

/// The allocator of musl has one lock for all threads, and every event is made in one and dropped in another. That of glibc stays:
/// with this one an event costs a tenth less there, and the service holds 20 MiB more (benches/RESULTS.md).
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
