//! Judging: the one outcome of an event and the sentence that explains it.

use super::learn::Learned;
use super::owe::{Effect, What, excluded_by};
use super::reading::says_anything;
use super::sender::tells_of_people;
use super::{Action, Outcome, Reading};
use crate::contact::WhyNothing;
use crate::delivery::{DeliveryId, Lane};
use crate::event::{Email, EmailProblem, Kind, Position};
use crate::senders::SwitchedOff;

/// What became of an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// Whose event it is, as text of a person's key.
    pub person: Option<String>,
    /// The contact it counts for.
    pub email: Option<Email>,
    /// What became of it.
    pub outcome: Outcome,
    /// Why.
    pub reason: String,
    /// The delivery it opened or joined, or the last one delivered.
    pub delivery_id: Option<DeliveryId>,
    /// Details.
    pub notes: Vec<String>,
    /// What it did to records beside the contact.
    pub actions: Vec<Action>,
}

/// The same message came before.
pub(super) fn duplicate(reading: &Reading, first: Position) -> Decided {
    Decided {
        person: None,
        email: None,
        outcome: Outcome::Duplicate,
        reason: format!("the message came before from source {} (event {})", reading.source.0, first.0),
        delivery_id: None,
        notes: Vec::new(),
        actions: Vec::new(),
    }
}

/// It speaks of somebody who was erased since. Nothing of it is repeated.
pub(super) fn erased() -> Decided {
    Decided {
        person: None,
        email: None,
        outcome: Outcome::Erased,
        reason: "it was said before its person was erased".to_owned(),
        delivery_id: None,
        notes: Vec::new(),
        actions: Vec::new(),
    }
}

/// The first outcome that fits.
pub(super) fn judge(reading: &Reading, learned: &Learned, effects: &[Effect]) -> Decided {
    let named = reading.named.as_ref().map(|(email, _)| email);
    let email = named.or(learned.email.as_ref()).cloned();
    let primary = effects.iter().find(|effect| Some(&effect.email) == email.as_ref());
    let opened = effects.iter().filter(|effect| matches!(effect.what, What::Opened(..)));
    let queued = opened.min_by_key(|effect| Some(&effect.email) != email.as_ref());

    let verdict = match (queued, primary) {
        (Some(effect), _) => opened_by(effect),
        (None, _) if reading.switched_off.is_some() && concerns_contacts(reading) => switched_off(reading),
        (None, _) if reading.mapped.is_none() && reading.kind == Kind::Track => not_mapped(&reading.name),
        (None, _) if reading.mapped.is_none() && !tells_of_people(reading.kind) => not_mapped(&reading.name),
        (None, Some(effect)) if reading.mapped.is_some() || effect.known || settled(&effect.what) => {
            by_effect(effect)
        }
        (None, _) if learned.subject.is_none() => of_nobody(reading),
        (None, _) if learned.before_memory => before_memory(),
        (None, _) if reading.mapped.is_none() => of_person(reading, primary),
        (None, _) => no_contact(reading, learned),
    };
    let mut notes = reading.notes.clone();
    notes.extend(learned.notes.iter().map(|note| (*note).to_owned()));
    notes.extend(reading.switched_off.map(|why| why.words().to_owned()));
    if let Some(considered) = primary.map(|effect| &effect.considered) {
        notes.extend(considered.consent.clone());
        notes.extend(
            considered
                .left_out
                .iter()
                .map(|out| format!("{} left out: {} ({})", out.attribute, out.why, out.path)),
        );
    }
    if verdict.0 != Outcome::HashedEmail && verdict.0 != Outcome::InvalidEmail {
        notes.extend(reading.email_problem.map(|why| words_of(why, reading)));
    }
    let (outcome, reason, delivery_id) = verdict;
    let person = learned.subject.as_ref().map(ToString::to_string);
    Decided { person, email, outcome, reason, delivery_id, notes, actions: Vec::new() }
}

type Verdict = (Outcome, String, Option<DeliveryId>);

/// Whether what happened to a contact says more of an event than what was learned of its person.
fn settled(what: &What) -> bool {
    match what {
        What::Opened(..)
        | What::Joined(_)
        | What::OnItsWay(_)
        | What::Nothing(WhyNothing::Excluded(_), _) => true,
        What::Nothing(..) => false,
    }
}

/// Whether an event could have made or changed a contact.
fn concerns_contacts(reading: &Reading) -> bool {
    reading.is_mapped || tells_of_people(reading.kind)
}

fn switched_off(reading: &Reading) -> Verdict {
    let why = reading.switched_off.map(SwitchedOff::words).unwrap_or_default();
    let reason = format!("{why}: only its ids and its consent are remembered, and no call is made for it");
    (Outcome::SwitchedOff, reason, None)
}

fn opened_by(effect: &Effect) -> Verdict {
    let What::Opened(id, lane) = &effect.what else { return by_effect(effect) };
    let reason = if *lane == Lane::Withdrawal {
        "marketing consent was withdrawn; Freshsales will be told"
    } else if effect.known {
        "the contact differs from what Freshsales last accepted; a call is owed"
    } else {
        "Freshsales does not have the contact yet; a call is owed"
    };
    (Outcome::Queued, reason.to_owned(), Some(id.clone()))
}

fn by_effect(effect: &Effect) -> Verdict {
    match &effect.what {
        What::Opened(..) => opened_by(effect),
        What::Joined(id) => {
            let reason = "merged into a delivery of this contact that is waiting or was refused";
            (Outcome::Absorbed, reason.to_owned(), Some(id.clone()))
        }
        What::OnItsWay(id) => {
            (Outcome::Absorbed, "the call in flight already carries it".to_owned(), Some(id.clone()))
        }
        What::Nothing(why, last) => match why {
            WhyNothing::Unchanged => {
                (Outcome::Unchanged, "Freshsales has all of it already".to_owned(), last.clone())
            }
            WhyNothing::Refused => {
                (Outcome::Unchanged, "exactly this was refused before".to_owned(), last.clone())
            }
            WhyNothing::GateShut(why) => (Outcome::ConsentDenied, why.clone(), None),
            WhyNothing::Excluded(pattern) => (Outcome::Excluded, excluded_by(pattern), None),
            WhyNothing::NotStarted => {
                let reason =
                    "it happened too long before the email was known (mapping.complete_within_hours)";
                (Outcome::PersonUpdated, reason.to_owned(), None)
            }
            WhyNothing::NoPerson => {
                (Outcome::PersonUpdated, "no person uses this address any more".to_owned(), None)
            }
        },
    }
}

fn not_mapped(name: &str) -> Verdict {
    let reason = format!("\"{name}\" is not in the mapping, so no call is made for it");
    (Outcome::NotMapped, reason, None)
}

/// An event of a device from before what is kept of it.
fn before_memory() -> Verdict {
    let reason = "so many people used its device since it happened that nobody can tell whose it was; it counts for \
                  nobody";
    (Outcome::PersonUpdated, reason.to_owned(), None)
}

/// An identify, group or alias for which nothing is owed.
fn of_person(reading: &Reading, primary: Option<&Effect>) -> Verdict {
    if !says_anything(reading)
        && let Some(problem) = reading.email_problem
    {
        return bad_email(problem, reading);
    }
    let reason = match primary {
        Some(_) => "remembered; a mapped event of this person makes the contact",
        None => "remembered; the contact needs an email and a mapped event",
    };
    (Outcome::PersonUpdated, reason.to_owned(), None)
}

fn no_contact(reading: &Reading, learned: &Learned) -> Verdict {
    if let Some(problem) = reading.email_problem {
        return bad_email(problem, reading);
    }
    let reason = match &learned.unusable {
        Some(unusable) => format!(
            "the only email that was sent of this person, {unusable}, is no usable address; a usable one that comes in time \
             still creates the contact"
        ),
        None => "no email of this person is known yet; an email that comes in time still creates the contact"
            .to_owned(),
    };
    (Outcome::NoEmail, with_hint(reason, reading), None)
}

/// An event with neither an id nor an address that could be used.
fn of_nobody(reading: &Reading) -> Verdict {
    let (outcome, why) = match reading.email_problem {
        Some(problem) => {
            let (outcome, why, _) = bad_email(problem, reading);
            (outcome, why)
        }
        None => (Outcome::NoEmail, with_hint("no email that counts was named".to_owned(), reading)),
    };
    (outcome, format!("{why}, and no id says whose it is; nothing of it is kept"), None)
}

fn bad_email(problem: EmailProblem, reading: &Reading) -> Verdict {
    let outcome = match problem {
        EmailProblem::Hashed => Outcome::HashedEmail,
        EmailProblem::Invalid => Outcome::InvalidEmail,
    };
    (outcome, words_of(problem, reading), None)
}

/// What is wrong with the address of an event, with the address where showing it helps.
fn words_of(problem: EmailProblem, reading: &Reading) -> String {
    let words = match (&reading.unusable, problem) {
        (Some(unusable), EmailProblem::Invalid) => {
            format!("the email that was sent, {unusable}, does not look like an address")
        }
        (_, EmailProblem::Hashed) | (None, EmailProblem::Invalid) => problem.to_string(),
    };
    with_hint(words, reading)
}

fn with_hint(words: String, reading: &Reading) -> String {
    match &reading.email_elsewhere {
        Some(path) => {
            format!(
                "{words}; {path} looks like an address: if it is this person's, name it in [fields.emails] of the mapping"
            )
        }
        None => words,
    }
}
