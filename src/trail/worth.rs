//! How long what became of an event is worth keeping. Must not delete anything.

use serde::{Deserialize, Serialize};

use crate::decision::{Decided, Outcome};
use crate::delivery::Lane;

/// What somebody would still ask about an event after a while, the least first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Worth {
    /// It names no address: a page view of somebody unknown.
    Anonymous,
    /// It may have refreshed a contact.
    Refresh,
    /// A lead, an order or a withdrawal, whatever became of it; what it did to deals and what failed, too. What was kept before
    /// there were such classes counts as this.
    #[default]
    Conversion,
}

impl Worth {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Anonymous, Self::Refresh, Self::Conversion];

    /// Of an event whose call would leave in this lane.
    #[must_use]
    pub fn of(lane: Lane, decided: &Decided) -> Self {
        if Self::of_lane(lane) == Self::Conversion
            || !decided.actions.is_empty()
            || decided.outcome == Outcome::Failed
        {
            return Self::Conversion;
        }
        if decided.email.is_some() { Self::Refresh } else { Self::Anonymous }
    }

    /// Of a delivery.
    #[must_use]
    pub fn of_lane(lane: Lane) -> Self {
        match lane {
            Lane::Withdrawal | Lane::NewContact | Lane::Conversion => Self::Conversion,
            Lane::Login | Lane::Refresh | Lane::Backfill => Self::Refresh,
        }
    }

    /// Its word where it is shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Refresh => "refreshes",
            Self::Conversion => "conversions",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Action;
    use crate::event::Email;

    fn decided(email: Option<&str>, outcome: Outcome) -> Decided {
        Decided {
            person: None,
            email: email.map(|text| Email::parse(text).unwrap()),
            outcome,
            reason: String::new(),
            delivery_id: None,
            notes: Vec::new(),
            actions: Vec::<Action>::new(),
        }
    }

    #[test]
    fn a_lead_is_worth_most_whatever_became_of_it_and_a_page_view_of_nobody_least() {
        let sam = Some("sam@example.com");
        for (lane, email, outcome, expected) in [
            (Lane::NewContact, None, Outcome::NoEmail, Worth::Conversion),
            (Lane::Conversion, sam, Outcome::ConsentDenied, Worth::Conversion),
            (Lane::Withdrawal, sam, Outcome::Queued, Worth::Conversion),
            (Lane::Refresh, None, Outcome::Failed, Worth::Conversion),
            (Lane::Refresh, sam, Outcome::Unchanged, Worth::Refresh),
            (Lane::Login, sam, Outcome::Queued, Worth::Refresh),
            (Lane::Backfill, None, Outcome::NotMapped, Worth::Anonymous),
            (Lane::Refresh, None, Outcome::NoEmail, Worth::Anonymous),
        ] {
            assert_eq!(Worth::of(lane, &decided(email, outcome)), expected, "{lane:?} {outcome:?}");
        }
    }
}
