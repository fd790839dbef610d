//! What both listeners share: serving a router on a socket, reading a body, a file to answer with, the shape of an
//! error. Each with a limit.
//!
//! Must not know events, stores or configuration: limits come in as values.

mod asset;
mod body;
mod error;
pub mod forwarded;
mod guard;
mod peers;
mod request_id;
mod serve;

#[cfg(test)]
mod serve_tests;

pub use asset::Asset;
pub use body::{BodyError, BodyLimits, DISCARD_FACTOR, Whole, discard, read_whole};
pub use error::ApiError;
pub use peers::{Peer, one_client};
pub use serve::{ServeLimits, serve};
