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
pub mod trail;
pub mod turn;
pub mod walk;
pub mod webhook;

/// Deciding makes and drops small values all the time, and the thread that writes drops what the one that decides has made. The
/// allocator of the C library makes an event a tenth dearer, and musl's far more (benches/RESULTS.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
