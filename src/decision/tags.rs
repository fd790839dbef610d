//! Tags of a contact. A list that is sent takes the place of the one there is, and people put tags on contacts too: so what is sent
//! is joined with what Freshsales has, and only tags that came from here are ever taken off.
//!
//! What Freshsales has is shown by the answer to an upsert; where none was lately, one question goes before. Must not know how
//! calls are made.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value};

use super::settings::{Settings, rules};
use super::wish::consider;
use super::world::World;
use crate::clock::UnixMicros;
use crate::contact::{Attributes, Owed, Standing, TagsSeen, owed};
use crate::delivery::Verdict;
use crate::event::Email;
use crate::mapping::TAGS;

/// What was shown of the tags counts so long; then they are asked for anew.
const SEEN_COUNTS_FOR: Duration = Duration::from_mins(10);

/// What becomes of the tags that a call would carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Join {
    /// They go as this list.
    Goes(Vec<String>),
    /// The contact of this id has to be looked at first.
    Look(u64),
    /// Freshsales may have the contact, and nobody has seen its tags: they go once the first call has shown them.
    Later,
    /// Nothing changes by them.
    Unchanged,
}

/// What becomes of the tags of a call; `None` where it carries none.
pub(super) fn judge(attributes: &Attributes, standing: &Standing, now: UnixMicros) -> Option<Join> {
    let wanted = attributes.get(TAGS)?;
    let accepted = standing.accepted.as_ref().and_then(|accepted| accepted.get(TAGS));
    if accepted == Some(wanted) && !standing.unanswered.contains_key(TAGS) {
        return Some(Join::Unchanged);
    }
    if !standing.known() {
        return Some(Join::Later);
    }
    let Some(seen) = standing.tags_seen.as_ref().filter(|seen| now.since(seen.at) < SEEN_COUNTS_FOR) else {
        return Some(standing.contact_id.map_or(Join::Later, Join::Look));
    };
    let joined = joined(&texts(wanted), &seen.tags, &standing.tags_ours);
    Some(if folded(&joined) == folded(&seen.tags) { Join::Unchanged } else { Join::Goes(joined) })
}

/// What Freshsales has, less ours that nobody wants any more, and then what is wanted.
fn joined(wanted: &[String], known: &[String], ours: &BTreeSet<String>) -> Vec<String> {
    let wants = folded(wanted);
    let stays = |tag: &&String| wants.contains(&fold(tag)) || !ours.contains(&fold(tag));
    let mut joined: Vec<String> = known.iter().filter(stays).cloned().collect();
    let there = folded(&joined);
    joined.extend(wanted.iter().filter(|tag| !there.contains(&fold(tag))).cloned());
    joined
}

/// Takes the tags out of a call.
pub(super) fn take_out(attributes: &mut Attributes) -> Option<(String, Value)> {
    attributes.remove_entry(TAGS)
}

/// A call with tags leaves: those that nobody else had put there are ours, and stay so until they are taken off.
pub(super) fn leave(sent: &Attributes, standing: &mut Standing) {
    let Some(wanted) = sent.get(TAGS) else { return };
    let known = standing.tags_seen.as_ref().map(|seen| folded(&seen.tags)).unwrap_or_default();
    let wanted = folded(&texts(wanted));
    standing.tags_ours.retain(|tag| known.contains(tag) || wanted.contains(tag));
    standing.tags_ours.extend(wanted.into_iter().filter(|tag| !known.contains(tag)));
}

/// What an answer shows of the tags. `question`: it was asked for; its answer holds more than the contact.
pub(super) fn seen(verdict: &Verdict, question: bool, now: UnixMicros) -> Option<TagsSeen> {
    let of = |contact: &Map<String, Value>| contact.get(TAGS).map(texts);
    let tags = match verdict {
        Verdict::Stored(answer) if question => {
            let contact = answer.shown.as_ref()?.get("contact").and_then(Value::as_object);
            // One without tags may be shown without the list.
            Some(contact.and_then(of).unwrap_or_default())
        }
        Verdict::Stored(answer) => {
            let created = || answer.created.then(Vec::new);
            answer.shown.as_ref().and_then(of).or_else(created)
        }
        // There is no contact that could have any.
        Verdict::Gone { .. } | Verdict::Refused { .. } | Verdict::Shut { .. } if question => Some(Vec::new()),
        Verdict::Gone { .. }
        | Verdict::Refused { .. }
        | Verdict::Shut { .. }
        | Verdict::Throttled { .. }
        | Verdict::Passing { .. }
        | Verdict::Blocked { .. } => None,
    };
    tags.map(|tags| TagsSeen { tags, at: now })
}

/// Whether tags are owed right after an answer, which shows what they are joined with.
pub(super) fn follow(
    email: &Email,
    standing: &mut Standing,
    world: &World,
    settings: &Settings,
    now: UnixMicros,
) -> bool {
    let Owed::Call(call) = owed(&consider(email, world, settings).wish, standing, &rules(settings, now))
    else {
        return false;
    };
    match judge(&call.attributes, standing, now) {
        Some(Join::Goes(_) | Join::Look(_)) => true,
        Some(Join::Unchanged) => {
            settle(&call.attributes, standing);
            false
        }
        Some(Join::Later) | None => false,
    }
}

/// Freshsales has these tags already.
pub(super) fn settle(attributes: &Attributes, standing: &mut Standing) {
    if let Some(wanted) = attributes.get(TAGS) {
        standing.accepted.get_or_insert_default().insert(TAGS.to_owned(), wanted.clone());
        standing.unanswered.remove(TAGS);
    }
}

fn texts(tags: &Value) -> Vec<String> {
    let list = tags.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Tags are the same whatever their case.
fn fold(tag: &str) -> String {
    tag.trim().to_lowercase()
}

fn folded(tags: &[String]) -> BTreeSet<String> {
    tags.iter().map(|tag| fold(tag)).collect()
}
