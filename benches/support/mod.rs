//! What the load harnesses share: a service to load, clients that load it, and events to load it with.
#![allow(dead_code, reason = "every harness takes a part of it")]

pub mod client;
pub mod events;
pub mod service;

/// The value that so many percent of the samples do not exceed. Sorts them.
pub fn percentile(samples: &mut [f64], percent: usize) -> f64 {
    samples.sort_by(f64::total_cmp);
    let rank = (samples.len() * percent).div_ceil(100).max(1);
    samples[rank - 1]
}
