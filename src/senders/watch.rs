//! What senders do that costs contacts, seen over the last hour: ids that name nobody, addresses that are no use, events
//! that are switched off. In memory: it begins anew with the process.
//!
//! Counts alone, and one example of each that is fit to be shown. Must not decide anything.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::SwitchedOff;
use crate::clock::UnixMicros;
use crate::event::SourceName;

/// Parts of an hour that are counted apart.
const PART: Duration = Duration::from_mins(5);
const PARTS: usize = 12;
/// Ids of one source that are remembered as junk.
const JUNK_MAX: usize = 16;

/// What one event shows of its sender.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sighting {
    /// Its name is in the mapping.
    pub mapped: bool,
    /// It is switched off.
    pub switched_off: Option<SwitchedOff>,
    /// The address it names that is no use, masked, with where it stands.
    pub unusable_email: Option<String>,
    /// Its ids that name nobody: the field, and what stands there.
    pub junk_ids: Vec<(&'static str, String)>,
}

/// What should be mended at a sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Concern {
    /// An id that names nobody came; says which.
    JunkId(String),
    /// Over half of the mapped events of an hour are switched off; says which and what to do.
    SwitchedOff(String),
    /// Addresses came that are no use; says how many and shows one.
    UnusableEmails(String),
}

#[derive(Default)]
struct Part {
    number: i64,
    mapped: u64,
    by_name: u64,
    by_all: u64,
    unusable: u64,
}

#[derive(Default)]
struct OfSource {
    parts: VecDeque<Part>,
    unusable_email: String,
    junk: BTreeMap<(&'static str, String), u64>,
}

/// What was seen of each source.
#[derive(Default)]
pub struct Watch(Mutex<BTreeMap<SourceName, OfSource>>);

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

fn part_of(at: UnixMicros) -> i64 {
    at.0.div_euclid(i64::try_from(PART.as_micros()).unwrap_or(i64::MAX))
}

impl Watch {
    /// Takes in what an event shows, received at `at`.
    pub fn see(&self, source: &SourceName, at: UnixMicros, sighting: Sighting) {
        let mut sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !sources.contains_key(source) {
            sources.insert(source.clone(), OfSource::default());
        }
        let Some(seen) = sources.get_mut(source) else { return };
        for junk in sighting.junk_ids {
            if seen.junk.len() < JUNK_MAX || seen.junk.contains_key(&junk) {
                *seen.junk.entry(junk).or_default() += 1;
            }
        }
        let number = part_of(at);
        if seen.parts.back().is_none_or(|last| last.number < number) {
            seen.parts.push_back(Part { number, ..Part::default() });
            if seen.parts.len() > PARTS {
                seen.parts.pop_front();
            }
        }
        let Some(part) = seen.parts.back_mut() else { return };
        if sighting.mapped {
            part.mapped += 1;
            match sighting.switched_off {
                Some(SwitchedOff::ByName) => part.by_name += 1,
                Some(SwitchedOff::ByAll) => part.by_all += 1,
                None => {}
            }
        }
        if let Some(email) = sighting.unusable_email {
            part.unusable += 1;
            seen.unusable_email = email;
        }
    }

    /// What should be mended, as far as the last hour shows.
    #[must_use]
    pub fn concerns(&self, now: UnixMicros) -> Vec<Concern> {
        let sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sources.iter().flat_map(|(source, seen)| seen.concerns(&source.0, now)).collect()
    }
}

impl OfSource {
    fn concerns(&self, source: &str, now: UnixMicros) -> Vec<Concern> {
        let oldest = part_of(now) - i64::try_from(PARTS).unwrap_or(0);
        let sum = |count: fn(&Part) -> u64| {
            self.parts.iter().filter(|part| part.number > oldest).map(count).sum::<u64>()
        };
        let (mapped, by_name, by_all) =
            (sum(|part| part.mapped), sum(|part| part.by_name), sum(|part| part.by_all));
        let unusable = sum(|part| part.unusable);
        let off = by_name + by_all;
        let mut concerns = Vec::new();
        if let Some(((field, id), _)) = self.junk.iter().max_by_key(|(_, count)| **count) {
            let count: u64 = self.junk.values().sum();
            let others = match self.junk.len() {
                1 => String::new(),
                kinds => format!(" and {} others", kinds - 1),
            };
            concerns.push(Concern::JunkId(format!(
                "source {source} sent {field} {id:?}{others} in {count} events since the service started: that is no id, \
                 so those events count without it; mend the sender, or name the id in identity.keep_ids where it is \
                 somebody's"
            )));
        }
        if off * 2 > mapped {
            let key = if by_all >= by_name {
                "`All: false` is what consent tools say to everybody: integrations.obey_all = false turns that off, and \
                 consent.required asks for consent itself"
            } else {
                "integrations.names lists the names that are obeyed"
            };
            concerns.push(Concern::SwitchedOff(format!(
                "source {source} switched {off} of its {mapped} mapped events of the last hour off, so they made no \
                 contact; {key}"
            )));
        }
        if unusable > 0 {
            concerns.push(Concern::UnusableEmails(format!(
                "source {source} sent {unusable} events in the last hour with an email that is no usable address, like \
                 {}; those people become no contact until a usable one is said",
                self.unusable_email
            )));
        }
        concerns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: UnixMicros = UnixMicros(1_900_000_000_000_000);

    fn seen(sightings: Vec<Sighting>) -> Watch {
        let watch = Watch::default();
        for sighting in sightings {
            watch.see(&SourceName("shop".into()), START, sighting);
        }
        watch
    }

    fn mapped(switched_off: Option<SwitchedOff>) -> Sighting {
        Sighting { mapped: true, switched_off, ..Sighting::default() }
    }

    #[test]
    fn over_half_of_an_hour_switched_off_is_a_concern_that_names_the_key_and_ends_with_the_hour() {
        let off = || mapped(Some(SwitchedOff::ByAll));
        assert_eq!(seen(vec![off(), mapped(None)]).concerns(START), []);
        let watch = seen(vec![off(), off(), mapped(None)]);
        let concerns = watch.concerns(START);
        let [Concern::SwitchedOff(why)] = concerns.as_slice() else { panic!("{concerns:?}") };
        assert!(
            why.starts_with("source shop switched 2 of its 3 mapped events of the last hour off"),
            "{why}"
        );
        assert!(why.contains("integrations.obey_all = false"), "{why}");
        assert_eq!(watch.concerns(START.plus(Duration::from_mins(65))), []);
    }

    #[test]
    fn the_first_junk_id_and_an_unusable_email_are_concerns() {
        let watch = seen(vec![Sighting {
            unusable_email: Some("j…@gmail (traits.email)".into()),
            junk_ids: vec![("userId", "undefined".into())],
            ..Sighting::default()
        }]);
        let concerns = watch.concerns(START);
        let [Concern::JunkId(id), Concern::UnusableEmails(email)] = concerns.as_slice() else {
            panic!("{concerns:?}")
        };
        assert!(id.starts_with("source shop sent userId \"undefined\" in 1 events"), "{id}");
        assert!(email.contains("1 events") && email.contains("j…@gmail"), "{email}");
    }
}
