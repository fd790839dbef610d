//! The board: what is to be seen of all alerts at one moment.

use serde::Serialize;

use super::alert::Alert;
use crate::clock::UnixMicros;

/// What was told to whom, and what is to be told. Holds no address of a receiver: it may be a secret.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Board {
    /// The form that the receiver takes; none where none is configured.
    pub format: Option<&'static str>,
    /// Why the receiver took nothing when it was told last.
    pub receiver_error: Option<String>,
    /// How the heartbeat goes, where there is one.
    pub heartbeat: Option<Beat>,
    /// The causes that there are or were.
    pub alerts: Vec<Alert>,
}

/// How the heartbeat goes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Beat {
    /// When it was answered last.
    pub answered_at: Option<UnixMicros>,
    /// Why the last one was not answered.
    pub error: Option<String>,
    /// All is well, so it is asked.
    pub beats: bool,
}
