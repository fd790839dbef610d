//! Streaks: what ended the same way again and again. They turn the failures of contacts into an obstacle for all.

use serde::{Deserialize, Serialize};

use crate::delivery::DeliveryId;

/// So many failures in a row that pass open the breaker, if they are not all of one contact.
const FAILURES_IN_A_ROW: usize = 5;
/// So many contacts refused in a row with the same words are refused by a rule of the account.
const REFUSALS_IN_A_ROW: usize = 10;
/// Doublings of that number.
const DISPROVED_MAX: u32 = 5;

/// Passing failures in a row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Failures(Vec<DeliveryId>);

impl Failures {
    /// One more; tells whether the CRM as a whole fails.
    pub fn add(&mut self, delivery: &DeliveryId) -> bool {
        if self.0.len() == FAILURES_IN_A_ROW {
            self.0.remove(0);
        }
        self.0.push(delivery.clone());
        self.0.len() == FAILURES_IN_A_ROW && self.0.iter().any(|other| other != delivery)
    }
}

/// Contacts refused in a row with the same words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Refusals {
    words: String,
    deliveries: Vec<DeliveryId>,
    disproved: Disproved,
}

/// Words that looked like a rule of the account until a contact was stored all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Disproved {
    words: String,
    times: u32,
}

impl Refusals {
    /// One more; answers all of them once they are too many to be a matter of each contact.
    pub fn add(&mut self, words: &str, delivery: &DeliveryId) -> Option<Vec<DeliveryId>> {
        if self.words != words {
            words.clone_into(&mut self.words);
            self.deliveries.clear();
        }
        if !self.deliveries.contains(delivery) {
            self.deliveries.push(delivery.clone());
        }
        let too_many = self.deliveries.len() >= self.limit();
        too_many.then(|| std::mem::take(&mut self.deliveries))
    }

    /// A contact was stored: the row ends.
    pub fn end(&mut self) {
        self.words.clear();
        self.deliveries.clear();
    }

    /// A contact was stored although these words looked like a rule: it takes twice as many until they do again, so
    /// that a crowd of contacts that are wrong themselves does not hold up the others again and again.
    pub fn disprove(&mut self, words: &str) {
        let times = if self.disproved.words == words { self.disproved.times } else { 0 };
        self.disproved = Disproved { words: words.to_owned(), times: (times + 1).min(DISPROVED_MAX) };
    }

    fn limit(&self) -> usize {
        let known = self.disproved.words == self.words;
        REFUSALS_IN_A_ROW << if known { self.disproved.times } else { 0 }
    }
}
