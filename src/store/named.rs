//! Whether a row speaks of somebody who is erased: the same question in every engine.

use serde::Deserialize;

use super::columns::from_text;
use crate::clock::UnixMicros;
use crate::delivery::{Delivery, State};
use crate::erasure::Extent;
use crate::event::{Email, Stamp};

/// Whether one of the addresses stands in a text.
pub(in crate::store) fn names(extent: &Extent, text: &str) -> bool {
    let mut addresses = extent.emails.iter();
    // Most of what is stored is in lower case already.
    addresses.any(|email| email.stands_in(text)) || {
        let has_capitals = text.bytes().any(|byte| byte.is_ascii_uppercase() || !byte.is_ascii());
        has_capitals && {
            let lower = text.to_lowercase();
            extent.emails.iter().any(|email| email.stands_in(&lower))
        }
    }
}

/// What stays of a delivery that speaks of somebody: while a call is owed, and as a dead letter of somebody else, all but the words;
/// nothing otherwise. `theirs` is whether it is of an address that is erased.
pub(in crate::store) fn left_of(
    delivery: Delivery,
    state: State,
    theirs: bool,
    extent: &Extent,
) -> Option<Delivery> {
    let stays = match state {
        State::Waiting | State::InFlight | State::Retrying => true,
        State::Dead => !theirs,
        State::Delivered | State::Superseded | State::Discarded | State::Erased => false,
    };
    let person = delivery.person.filter(|person| !extent.emails.contains(person));
    stays.then(|| Delivery { attempts: Vec::new(), reason: None, person, ..delivery })
}

/// The moment in the body of a trail.
#[derive(Deserialize)]
struct When {
    at: UnixMicros,
}

/// What the trail says of an event.
pub(in crate::store) struct Event<'a> {
    pub(in crate::store) person: Option<&'a str>,
    pub(in crate::store) email: Option<&'a str>,
    pub(in crate::store) message_id: &'a str,
    pub(in crate::store) name: &'a str,
    pub(in crate::store) body: &'a str,
}

impl Event<'_> {
    /// Whether it speaks of somebody: `true` where it is theirs, `false` where it is another's and names them.
    pub(in crate::store) fn speaks_of(&self, extent: &Extent) -> Option<bool> {
        let key = self.person.and_then(|person| person.parse().ok());
        let theirs = key.is_some_and(|key| {
            extent.has(&key, || {
                let at = from_text::<When>("trail", self.body).map(|when| when.at).unwrap_or_default();
                Stamp { at, message_id: self.message_id.to_owned(), ..Stamp::default() }
            })
        });
        let is = |address: &str| extent.emails.iter().any(|known: &Email| known.is(address));
        let theirs = theirs || self.email.is_some_and(is);
        let named = || [self.message_id, self.name, self.body].iter().any(|text| names(extent, text));
        (theirs || named()).then_some(theirs)
    }
}
