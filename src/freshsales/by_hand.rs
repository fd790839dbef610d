//! Questions to the account that a person asks: handed to the stage that owns the allowance, which answers each.
//!
//! Must not make calls, and must not know what is made of an answer.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, oneshot};

use super::CallResult;
use crate::event::Email;

/// Questions that wait at one time; whoever asks one more is told to come again.
pub const WAITING_MAX: usize = 4;

/// What a person asks, on its way to whoever makes calls.
#[derive(Clone, Default)]
pub struct ByHand {
    waiting: Arc<Mutex<VecDeque<AskedByHand>>>,
    bell: Arc<Notify>,
}

/// One question: which contact has an address.
pub struct AskedByHand {
    /// The address.
    pub email: Email,
    answer: oneshot::Sender<ToldByHand>,
}

/// What became of it.
#[derive(Debug)]
pub enum ToldByHand {
    /// The account was asked: one call.
    Asked(Box<CallResult>),
    /// It was not, for this reason.
    NotAsked(String),
}

impl ByHand {
    /// Asks. `None` while too many questions wait; an answer that never comes means that nothing makes calls.
    #[must_use]
    pub fn ask(&self, email: Email) -> Option<oneshot::Receiver<ToldByHand>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // Who has given up waits no more.
        waiting.retain(|asked| !asked.answer.is_closed());
        if waiting.len() >= WAITING_MAX {
            return None;
        }
        let (answer, answered) = oneshot::channel();
        waiting.push_back(AskedByHand { email, answer });
        self.bell.notify_one();
        Some(answered)
    }

    /// The next question that somebody still waits for.
    #[must_use]
    pub fn next(&self) -> Option<AskedByHand> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|asked| !asked.answer.is_closed());
        waiting.pop_front()
    }

    /// Ends when something was asked.
    pub async fn asked(&self) {
        self.bell.notified().await;
    }
}

impl AskedByHand {
    /// Answers it. Whoever gave up hears nothing.
    pub fn tell(self, told: ToldByHand) {
        let _ = self.answer.send(told);
    }
}

impl std::fmt::Debug for ByHand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ByHand").finish_non_exhaustive()
    }
}
