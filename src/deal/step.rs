//! The next step: which call a deal needs now, if any. One call at a time; a question comes before whatever depends on it.
//!
//! Must not build bodies or resolve names.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::stage::{is_called, is_further};
use super::standing::{Asked, Birth, HeldBack, Standing};
use super::{Attributes, STAGE};
use crate::clock::UnixMicros;
use crate::contact::same;
use crate::delivery::asked_at;
use crate::selectors::{Forecast, Stage};

/// What was seen of a deal counts for this long: no question comes before a move then.
pub const SEEN_COUNTS: Duration = Duration::from_mins(10);
/// While a person has a choice of several deals, Freshsales is asked again whether it still is one, this often at the most.
const LOOK_AGAIN: Duration = Duration::from_hours(1);
/// How often a search is asked whether a deal exists: it lags behind (seen on live accounts).
pub const LOOKS_MAX: u32 = 3;
/// When a search is asked again.
const SEARCH_AGAIN: [Duration; 2] = [Duration::from_mins(4), Duration::from_mins(20)];

/// What is wanted of a deal, in names, and by which rules.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent settings of the kind, each named in the mapping"
)]
pub struct Wish {
    /// Everything wanted.
    pub attributes: Attributes,
    /// When each of them was said.
    pub said_at: BTreeMap<String, UnixMicros>,
    /// Wanted when it is created and never after: its name, its key.
    pub on_create: Attributes,
    /// The stages of its pipeline, where they are known.
    pub stages: Vec<Stage>,
    /// Its stage never goes back by an event.
    pub forward_only: bool,
    /// A deal of another tool with its key is taken over.
    pub look_first: bool,
    /// The only open deal of its contact is taken over.
    pub adopt: bool,
    /// One that was deleted in Freshsales is created anew.
    pub recreate: bool,
    /// An event that may create it has happened.
    pub begun: bool,
    /// Its contacts' ids, as far as they are known.
    pub contacts: BTreeSet<u64>,
    /// The contact it is looked for at: that of its newest person.
    pub contact: Option<u64>,
    /// That person is a lead, no contact.
    pub is_lead: bool,
    /// Freshsales had that contact before us.
    pub contact_is_older: bool,
    /// Freshsales keeps its key in an attribute that can be searched.
    pub searchable: bool,
    /// A call is given up without an answer after this long.
    pub attempt_timeout: Duration,
}

/// The next step of a deal.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Freshsales has it as wanted.
    Nothing,
    /// Freshsales refused exactly this.
    Refused,
    /// A call is owed, and can't be made.
    Held(HeldBack),
    /// A question, not before this moment.
    Ask(Asked, UnixMicros),
    /// It stands further than is wanted, or where it is wanted: that counts as accepted, and the next step follows.
    Ahead {
        /// The stage that counts as accepted.
        stage: Value,
        /// Where it stands, where that is further.
        at: Option<String>,
    },
    /// It is created with these attributes.
    Create(Attributes),
    /// These attributes of it are changed, and these contacts added.
    Update(u64, Attributes, BTreeSet<u64>),
}

/// The next step, by what is wanted and how the deal stands.
#[must_use]
pub fn next(wish: &Wish, standing: &Standing, now: UnixMicros) -> Next {
    if standing.left_alone_at.is_some() {
        return Next::Held(HeldBack::LeftAlone);
    }
    if standing.gone_at.is_some() && !wish.recreate {
        return Next::Held(HeldBack::Gone);
    }
    match standing.birth {
        Birth::Sent => Next::Nothing,
        Birth::Unclear => Next::Held(HeldBack::Unclear),
        Birth::Unanswered { left_at, asked } => {
            question(wish, left_at, asked).unwrap_or(Next::Held(HeldBack::Unclear))
        }
        Birth::Taken { at, asked } => taken(wish, at, asked, now).unwrap_or(Next::Held(HeldBack::Unclear)),
        Birth::Planned => beginning(wish, standing, now),
        Birth::Told { id } => change(wish, standing, id, now),
    }
}

/// A creation that was not answered: Freshsales is asked before it is repeated. The contact's own list is true at once; a
/// search lags behind, so it is asked more than once.
fn question(wish: &Wish, left_at: UnixMicros, asked: u32) -> Option<Next> {
    let first = asked_at(left_at, wish.attempt_timeout);
    if let Some(contact) = wish.contact {
        return Some(Next::Ask(Asked::DealsOf(contact), first));
    }
    search(wish, first, asked)
}

/// Freshsales says that its key is taken: it is looked for by that, whosever it is.
fn taken(wish: &Wish, at: UnixMicros, asked: u32, now: UnixMicros) -> Option<Next> {
    let at_contact = || wish.contact.map(|contact| Next::Ask(Asked::DealsOf(contact), now));
    search(wish, at, asked).or_else(at_contact)
}

fn search(wish: &Wish, first: UnixMicros, asked: u32) -> Option<Next> {
    let again = SEARCH_AGAIN.iter().take(usize::try_from(asked).unwrap_or(usize::MAX));
    let at = again.fold(first, |at, wait| at.plus(*wait));
    (wish.searchable && asked < LOOKS_MAX).then_some(Next::Ask(Asked::Key, at))
}

fn beginning(wish: &Wish, standing: &Standing, now: UnixMicros) -> Next {
    let begun = wish.begun || standing.ordered;
    if !begun && !wish.adopt {
        return Next::Held(HeldBack::NotBegun);
    }
    let Some(contact) = wish.contact else {
        return Next::Held(if wish.is_lead { HeldBack::Lead } else { HeldBack::Contact });
    };
    let may_be_there = wish.adopt || (wish.look_first && wish.contact_is_older);
    let several = !standing.candidates.is_empty() && wish.adopt;
    let looked = |at: UnixMicros| !several || now.since(at) < LOOK_AGAIN;
    if may_be_there && !standing.looked_at.is_some_and(looked) {
        return Next::Ask(Asked::DealsOf(contact), now);
    }
    if several {
        return Next::Held(HeldBack::Several(u32::try_from(standing.candidates.len()).unwrap_or(u32::MAX)));
    }
    if !begun {
        return Next::Held(HeldBack::NotBegun);
    }
    let mut attributes = wish.attributes.clone();
    attributes.extend(wish.on_create.clone());
    attributes.retain(|name, value| standing.left_out.get(name) != Some(value));
    if is_refused(standing, &attributes) { Next::Refused } else { Next::Create(attributes) }
}

fn change(wish: &Wish, standing: &Standing, id: u64, now: UnixMicros) -> Next {
    if standing.doubted_at.is_some() {
        return Next::Ask(Asked::Deal(id), now);
    }
    let contacts: BTreeSet<u64> = wish.contacts.difference(&standing.contacts).copied().collect();
    let is_there = |name: &String, value: &Value| match standing.hearing.of(name) {
        Some(heard) => same(name, &heard.value, value),
        None => standing.accepted.get(name) == Some(value),
    };
    let differs =
        |name: &String, value: &Value| !is_there(name, value) || standing.unanswered.contains_key(name);
    let left_out = |name: &String, value: &Value| standing.left_out.get(name) == Some(value);
    let mut current = wish.attributes.clone();
    standing.hearing.leave(&mut current, &wish.said_at, Some(&standing.accepted));
    let wanted = current.iter().filter(|(name, value)| !left_out(name, value));
    let mut changed: Attributes = wanted
        .filter(|(name, value)| differs(name, value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if changed.keys().any(|name| is_custom(name)) {
        // Custom fields go whole, the key among them: a part of them may wipe the rest (reported by others, unproven).
        let custom = current
            .iter()
            .chain(&wish.on_create)
            .filter(|(name, value)| is_custom(name) && !left_out(name, value));
        changed.extend(custom.map(|(name, value)| (name.clone(), value.clone())));
    }
    if let Some(stage) = changed.get(STAGE).filter(|_| wish.forward_only)
        && let Some(step) = before_move(wish, standing, id, stage, now)
    {
        return step;
    }
    if changed.is_empty() && contacts.is_empty() {
        return Next::Nothing;
    }
    if is_refused(standing, &changed) { Next::Refused } else { Next::Update(id, changed, contacts) }
}

/// What comes before a deal is moved to a stage: a look at where it stands, unless it is lost, which is told whatever stands
/// there. `None`: it may be moved.
fn before_move(wish: &Wish, standing: &Standing, id: u64, stage: &Value, now: UnixMicros) -> Option<Next> {
    let name = stage.as_str()?;
    let to = wish.stages.iter().find(|known| is_called(known, name))?;
    if to.forecast == Forecast::Lost {
        return None;
    }
    let fresh = standing.seen.filter(|seen| now.since(seen.at) < SEEN_COUNTS);
    let Some(seen) = fresh else { return Some(Next::Ask(Asked::Deal(id), now)) };
    let there = wish.stages.iter().find(|known| known.id == seen.stage_id);
    let lost_by_us = || {
        let accepted = standing.accepted.get(STAGE).and_then(Value::as_str);
        there.is_some_and(|there| accepted.is_some_and(|name| is_called(there, name)))
    };
    let moves = match there {
        // The answer did not say where it stands.
        None if seen.stage_id == 0 => true,
        // A stage of another pipeline: nobody can tell how far that is, so a person's move stays.
        None => false,
        Some(there) if there.id == to.id => false,
        Some(there) if there.forecast == Forecast::Lost => to.forecast == Forecast::Won || lost_by_us(),
        Some(there) => is_further(to, there, &wish.stages),
    };
    if moves {
        return None;
    }
    let at = there.map_or_else(|| "a stage of another pipeline".to_owned(), |there| there.name.clone());
    Some(Next::Ahead { stage: stage.clone(), at: (seen.stage_id != to.id).then_some(at) })
}

fn is_custom(name: &str) -> bool {
    name.starts_with("custom_field.")
}

fn is_refused(standing: &Standing, attributes: &Attributes) -> bool {
    standing
        .refused
        .as_ref()
        .is_some_and(|refused| refused.wanted == *attributes && !refused.redrive.goes_again())
}
