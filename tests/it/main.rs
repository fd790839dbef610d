//! The one test binary: what the library promises from outside, and what the house promises of itself.
//!
//! A file a topic. Nothing here sleeps to wait for something to happen.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

/// The rooms under `src/`: who may import whom, which of them are pure, how long a file may be.
mod architecture;
/// Killed at any moment under load: nothing acknowledged is lost, nothing takes effect twice.
mod crash;
/// What the Dockerfile and `compose.yaml` promise to whoever runs the image.
mod packaging;
/// Told to stop under load: every accepted request is answered, and it ends in time.
mod shutdown;
/// Licences, bans and sources of every crate that is linked, by the lists in `deny.toml`.
mod supply_chain;
/// Shared by the topics.
mod support;
