//! The simulation: the real stages and the real store under simulated time, before a simulated account.
//!
//! A day passes in as long as its work takes, nobody sleeps. Shared by the harnesses in `benches` and the tests in
//! `tests/it`, which take what they need of it. Must not measure real time.
#![allow(dead_code, reason = "every harness and test takes a part of it")]

pub mod account;
pub mod chance;
pub mod day;
pub mod import;
pub mod orders;
pub mod outage;
pub mod peers;
pub mod promise;
pub mod report;
pub mod service;
pub mod shop;
pub mod time;
pub mod told;
