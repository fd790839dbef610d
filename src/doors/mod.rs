//! The ways in: by which door something comes, what came and what was refused lately, and what has to be pasted or
//! entered where, so that something comes.
//!
//! Must not hold anything that a client sent: no ids, no keys, no addresses. Must not know how a request is read or shown.

mod advice;
mod door;
mod paste;
mod refused;
mod traffic;
mod ways;
mod words;

pub use advice::{Arrived, advice};
pub use door::Door;
pub use paste::{ADDRESS, Address, Snippet, WRITE_KEY, for_events, for_form, for_hook};
pub use refused::{Refused, RefusedLog};
pub use traffic::{Seen, Traffic};
pub use ways::{FormWay, HookProof, HookWay, Off, SecretEnd, SourceWays, Tells, Ways};
pub use words::in_words;
