//! What several topics need.

/// The service as a child process, and plain connections to it.
pub mod process;
