//! The place of a contact on a list of the account: whether it is to be on it, and what Freshsales accepted of that.
//!
//! Must not know how names of lists become ids.

use serde::{Deserialize, Serialize};

use crate::delivery::DeliveryId;

/// On a list, or not: of a list and a contact by their ids, so that another list of that name, or another contact of that
/// address, is another place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The id of the list.
    pub list: u64,
    /// The id of the contact.
    pub contact: u64,
    /// It is on the list.
    pub on: bool,
}

/// A call on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceCall {
    /// Its delivery.
    pub delivery: DeliveryId,
    /// Which attempt of it: the fence against answers of older claims.
    pub attempt: u32,
    /// What it says.
    pub place: Place,
}

/// How a contact stands with a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Member {
    /// What Freshsales accepted last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Place>,
    /// A call that left and was never answered: it may still be applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unanswered: Option<Place>,
    /// The delivery that is waiting, retrying or dead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<DeliveryId>,
    /// The call on its way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<PlaceCall>,
    /// What Freshsales refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Place>,
    /// The delivery that Freshsales accepted last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_delivered: Option<DeliveryId>,
}

/// What a contact and a list need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceOwed {
    /// Freshsales has it already, or the call on its way says it.
    Nothing,
    /// Exactly this was refused.
    Refused,
    /// A call.
    Call,
}

impl Member {
    /// Whether a call is owed so that the contact stands like this.
    #[must_use]
    pub fn owed(&self, wanted: Place) -> PlaceOwed {
        let on_its_way = self.in_flight.as_ref().map(|call| call.place);
        let known = on_its_way.or(self.accepted.filter(|_| self.unanswered.is_none()));
        if known == Some(wanted) {
            PlaceOwed::Nothing
        } else if self.refused == Some(wanted) && on_its_way.is_none() {
            PlaceOwed::Refused
        } else {
            PlaceOwed::Call
        }
    }

    /// A call leaves.
    pub fn leave(&mut self, call: PlaceCall) {
        self.open = None;
        self.in_flight = Some(call);
    }

    /// Whether the call on its way is this attempt of this delivery.
    #[must_use]
    pub fn is_claim(&self, delivery: &DeliveryId, attempt: u32) -> bool {
        self.in_flight.as_ref().is_some_and(|call| call.delivery == *delivery && call.attempt == attempt)
    }

    /// Freshsales took the call on its way. Another one that was never answered and said the opposite may be applied after
    /// it: then nobody knows where the contact stands, and it is said once more.
    pub fn stored(&mut self) {
        let Some(call) = self.in_flight.take() else { return };
        let late = self.unanswered.take().is_some_and(|unanswered| unanswered != call.place);
        self.accepted = Some(call.place).filter(|_| !late);
        self.refused = None;
        self.last_delivered = Some(call.delivery);
    }

    /// Freshsales refused the call on its way.
    pub fn refused(&mut self) {
        self.refused = self.in_flight.take().map(|call| call.place);
    }

    /// Nobody knows whether the call on its way was applied.
    pub fn unanswered(&mut self) {
        self.unanswered = self.in_flight.take().map(|call| call.place).or(self.unanswered);
    }

    /// The call on its way was answered, and not applied.
    pub fn not_applied(&mut self) {
        self.in_flight = None;
    }

    /// Nobody knows which calls were made.
    pub fn distrust(&mut self) {
        self.accepted = None;
    }

    /// The deliveries that it speaks of.
    pub fn calls(&self) -> impl Iterator<Item = &DeliveryId> {
        self.open.iter().chain(self.in_flight.as_ref().map(|call| &call.delivery))
    }

    /// Whether a call is owed, on its way or refused.
    #[must_use]
    pub fn awaits_a_call(&self) -> bool {
        self.open.is_some() || self.in_flight.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON: Place = Place { list: 7, contact: 1, on: true };
    const OFF: Place = Place { on: false, ..ON };

    fn call(place: Place) -> PlaceCall {
        PlaceCall { delivery: DeliveryId("d".into()), attempt: 1, place }
    }

    #[test]
    fn what_was_accepted_is_owed_no_more_and_another_contact_or_list_is() {
        let mut member = Member::default();
        assert_eq!(member.owed(ON), PlaceOwed::Call);
        member.leave(call(ON));
        assert_eq!((member.owed(ON), member.owed(OFF)), (PlaceOwed::Nothing, PlaceOwed::Call));
        member.stored();
        assert_eq!(member.owed(ON), PlaceOwed::Nothing);
        for other in [OFF, Place { list: 8, ..ON }, Place { contact: 2, ..ON }] {
            assert_eq!(member.owed(other), PlaceOwed::Call);
        }
        member.distrust();
        assert_eq!(member.owed(ON), PlaceOwed::Call);
    }

    #[test]
    fn what_was_refused_waits_for_something_else_to_be_said() {
        let mut member = Member::default();
        member.leave(call(ON));
        member.refused();
        assert_eq!((member.owed(ON), member.owed(OFF)), (PlaceOwed::Refused, PlaceOwed::Call));
        member.leave(call(OFF));
        member.stored();
        assert_eq!(member.owed(ON), PlaceOwed::Call);
    }

    #[test]
    fn after_a_lost_answer_that_said_the_opposite_it_is_said_twice() {
        let mut member = Member::default();
        member.leave(call(ON));
        member.unanswered();
        assert_eq!(member.owed(ON), PlaceOwed::Call);
        member.leave(call(OFF));
        member.stored();
        assert_eq!(member.owed(OFF), PlaceOwed::Call, "the one before may be applied late");
        member.leave(call(OFF));
        member.stored();
        assert_eq!(member.owed(OFF), PlaceOwed::Nothing);
    }
}
