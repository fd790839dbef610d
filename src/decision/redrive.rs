//! Redrive and discard: what a person orders to be done with refused records.

use serde::{Deserialize, Serialize};

use super::record::{close, dead_letter, open_delivery};
use super::refusal::{RedriveBy, redrive_contact};
use super::{Settings, World, company, deal, happening, lists};
use crate::clock::UnixMicros;
use crate::delivery::{Account, Delivery, DeliveryId, Lane, State, Subject};

/// An order to send every dead letter of an account again: one that goes on, or the last one.
///
/// Walks them in the order in which they were opened. How far it came is a document, so a restart goes on where it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedriveAll {
    /// Whose dead letters.
    pub account: Account,
    /// Those that died later are not meant: they were sent again already.
    pub ordered_at: UnixMicros,
    /// The last that was looked at.
    pub after: u64,
    /// How many were sent again.
    pub done: u64,
    /// How many there were when it was ordered.
    pub total: u64,
    /// When all had been sent again.
    pub ended_at: Option<UnixMicros>,
}

impl RedriveAll {
    /// A new order.
    #[must_use]
    pub fn order(account: Account, total: u64, now: UnixMicros) -> Self {
        Self { account, ordered_at: now, after: 0, done: 0, total, ended_at: (total == 0).then_some(now) }
    }

    /// Whether dead letters are still to be sent again.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        self.ended_at.is_none()
    }

    /// Goes on behind one that can't be sent again.
    #[must_use]
    pub fn pass_over(self, place: u64) -> Self {
        Self { after: place, ..self }
    }

    /// Sends the next dead letters again, given in order with the place of each; none is the end.
    #[must_use]
    pub fn page(
        mut self,
        dead: &[(u64, Subject)],
        world: &mut World,
        settings: &Settings,
        now: UnixMicros,
    ) -> Self {
        for (place, subject) in dead {
            self.after = *place;
            let Some(letter) = dead_letter(subject, world, &self.account) else { continue };
            let meant = letter.ended_at.is_none_or(|ended_at| ended_at <= self.ordered_at);
            if meant && redrive_letter(subject, Urgency::WithTheRest, world, settings, now) {
                self.done += 1;
            }
        }
        if dead.is_empty() {
            self.ended_at = Some(now);
        }
        self
    }
}

/// Has a dead delivery tried again with the newest state; tells whether it is.
pub fn redrive(
    id: &DeliveryId,
    by: RedriveBy,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> bool {
    let Some(delivery) = world.deliveries.get(id).filter(|delivery| delivery.state == State::Dead) else {
        return false;
    };
    let done = match delivery.subject.clone() {
        Subject::Contact(email) => redrive_contact(id, &email, by, world, settings),
        subject @ (Subject::Company(_) | Subject::Deal(_) | Subject::Happening(_) | Subject::Member(_)) => {
            let is_open = open_delivery(&subject, world, &settings.account) == Some(id);
            match (is_open, &subject) {
                (true, Subject::Company(key)) => company::redrive(key, world, &settings.account),
                (true, Subject::Deal(key)) => deal::redrive(key, world, &settings.account),
                (true, Subject::Happening(id)) => happening::redrive(id, world, &settings.account),
                (true, Subject::Member(key)) => lists::redrive(key, world, &settings.account),
                (true, Subject::Contact(_)) | (false, _) => {}
            }
            is_open
        }
    };
    if done {
        world.deliveries.change(id, |delivery| delivery.reopen(now));
    }
    done
}

/// How urgent it is to send something again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// A person named it and waits for it: it keeps its lane.
    Named,
    /// One of many: as old data, so that whoever comes meanwhile goes first. A withdrawal keeps its lane.
    WithTheRest,
}

/// Sends the dead letter of a record again, with its newest state; tells whether there was one.
pub fn redrive_letter(
    subject: &Subject,
    urgency: Urgency,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> bool {
    let Some(id) = dead_letter(subject, world, &settings.account).map(|letter| letter.id.clone()) else {
        return false;
    };
    let done = redrive(&id, RedriveBy::Hand, world, settings, now);
    if done && urgency == Urgency::WithTheRest {
        world.deliveries.change(&id, |delivery| {
            let keeps = delivery.lane == Lane::Withdrawal;
            Delivery { lane: if keeps { delivery.lane } else { Lane::Backfill }, ..delivery }
        });
    }
    done
}

/// Gives up the dead letter of a record; `why` says on whose word. Tells whether there was one. What was refused stays
/// known, so the record is owed nothing until its data changes.
pub fn discard(
    subject: &Subject,
    why: &str,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> bool {
    let Some(id) = dead_letter(subject, world, &settings.account).map(|letter| letter.id.clone()) else {
        return false;
    };
    world.deliveries.change(&id, |dead| {
        let refused = dead.reason.as_deref().map(|reason| format!("; {reason}")).unwrap_or_default();
        dead.discard(&format!("{why}{refused}"), now)
    });
    close(subject, world, &settings.account, now);
    true
}
