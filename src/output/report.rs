//! A report: something that happened, as one pure function from what is known of it to what receivers are told.
//!
//! Must not know how it came about: whoever learns of something that happened makes a report of it.

use serde_json::{Map, Value, json};

use super::receiver::Receivers;
use super::topic::Topic;
use super::{DATA_BYTES_MAX, Message, Output};
use crate::clock::UnixMicros;
use crate::delivery::Subject;
use crate::event::Email;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// What.
    pub topic: Topic,
    /// To which record.
    pub subject: Subject,
    /// Whose data is in it.
    pub person: Option<Email>,
    /// What brought it about, such as an attempt of a delivery: no two reports of one topic have the same cause and moment.
    pub cause: String,
    /// When.
    pub at: UnixMicros,
    /// What is said of it.
    pub data: Map<String, Value>,
}

/// The outputs of a decision.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// What is to be told.
    pub outputs: Vec<Output>,
    /// People whose gate is shut: what waits to be told of them, but for their refusals, is not told.
    pub withheld: std::collections::BTreeSet<Email>,
    /// People who don't agree that ad platforms are told: no conversion that waits is told of them.
    pub no_conversion: std::collections::BTreeSet<Email>,
    /// People who are erased: nothing that waits to be told of them is told.
    pub erased: std::collections::BTreeSet<Email>,
}

impl Report {
    /// One message for each receiver that wants to know.
    #[must_use]
    pub fn outputs(&self, receivers: &Receivers) -> Vec<Output> {
        let wanting = receivers.iter().filter(|(_, receiver)| receiver.wants(self.topic, &self.data));
        wanting.map(|(name, _)| Output::new(self.message(name))).collect()
    }

    fn message(&self, receiver: &str) -> Message {
        Message {
            receiver: receiver.to_owned(),
            id: self.id(),
            topic: self.topic,
            subject: self.subject.clone(),
            person: self.person.clone(),
            at: self.at,
            data: bounded(&self.data),
        }
    }

    /// The moment is in it, so that after a restore from a backup nothing else has the id of what was told before. It has no
    /// full stop: that sets the parts of what is signed apart.
    fn id(&self) -> String {
        format!("{}-{}-{}", self.topic.as_str(), self.cause, self.at.0).replace('.', "_")
    }
}

/// Data of a bounded size: what is too large goes, and it is said that something did.
fn bounded(data: &Map<String, Value>) -> Map<String, Value> {
    let size = |value: &Value| value.to_string().len();
    let mut left: Map<String, Value> = data.clone();
    while left.iter().map(|(name, value)| name.len() + size(value)).sum::<usize>() > DATA_BYTES_MAX {
        let largest = left.iter().max_by_key(|(_, value)| size(value)).map(|(name, _)| name.clone());
        let Some(largest) = largest else { break };
        left.remove(&largest);
        left.insert("left_out".to_owned(), json!("some of it was too large to be told"));
    }
    left
}
