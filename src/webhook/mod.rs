//! Calls to receivers that a user named: the address and what may be there, the client, signatures, and the forms that chats take.
//!
//! Alerts and outputs are told by it. Must not know what is told, nor try anything again.

mod address;
mod caller;
mod form;
mod signature;

pub use address::{AddressProblem, Reach, receiver_at};
pub use caller::{Caller, CallerError, Failed, Taken};
pub use form::Chat;
pub use signature::{WHSEC, signature, signing_key};
