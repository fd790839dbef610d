//! Tallies: what came and what became of it, counted by the half hour, for whoever compares today with yesterday.
//!
//! Counts of words that the configuration knows, and of nothing else: what strangers name, and who they are, is in the trail
//! alone, and goes with it. So there are no more rows than the configuration makes, and none says anything of a person.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::UnixMicros;
use crate::consent::{Choice, known_tool};
use crate::decision::{Decided, Outcome, Reading, Settings};
use crate::delivery::State;
use crate::event::{Kind, SourceName, fold_name};

/// What is counted together.
pub const SPAN: Duration = Duration::from_mins(30);

/// A half hour: how many of them passed since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub i64);

impl Span {
    /// The half hour of a moment.
    #[must_use]
    pub fn of(at: UnixMicros) -> Self {
        Self(at.0.div_euclid(i64::try_from(SPAN.as_micros()).unwrap_or(i64::MAX)))
    }
}

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tallied {
    /// Events of a source by name and by what became of them. The name is folded, and empty where no rule names the event.
    Event(SourceName, String, Outcome),
    /// What events of a source said of a category of consent, and the tool that wrote it; empty where it can't be told.
    Consent(SourceName, String, String, Said),
    /// Deliveries that reached an end.
    Ended(State),
}

/// What was said of consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Said {
    /// Agreed.
    Granted,
    /// Refused.
    Denied,
    /// Something that is not understood.
    Unclear,
}

impl Said {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Granted, Self::Denied, Self::Unclear];

    /// The word in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Denied => "denied",
            Self::Unclear => "unclear",
        }
    }
}

/// How many there were in which half hour.
pub type Tallies = BTreeMap<(Span, Tallied), i64>;

/// Counts an event that was decided on.
pub fn tally(into: &mut Tallies, reading: &Reading, decided: &Decided, settings: &Settings) {
    let (span, source) = (Span::of(reading.received_at), &reading.source);
    let name = match reading.kind {
        Kind::Track => {
            // The names of an erased person's events may say who it was.
            let known = reading.is_mapped && decided.outcome != Outcome::Erased;
            let folded = fold_name(&reading.name);
            if known && settings.preset.event_name(&folded).is_some() { folded } else { String::new() }
        }
        Kind::Identify | Kind::Page | Kind::Screen | Kind::Group | Kind::Alias | Kind::Crm => {
            reading.kind.as_str().to_owned()
        }
    };
    *into.entry((span, Tallied::Event(source.clone(), name, decided.outcome))).or_default() += 1;
    match decided.outcome {
        Outcome::Duplicate | Outcome::Erased => return,
        _ if !reading.consent_understood => {
            let unclear = Tallied::Consent(source.clone(), String::new(), String::new(), Said::Unclear);
            *into.entry((span, unclear)).or_default() += 1;
        }
        _ => {}
    }
    for (category, statement) in reading.own.consent.iter().chain(&reading.own.consent_shown) {
        let said = match statement.choice {
            Choice::Granted => Said::Granted,
            Choice::Denied => Said::Denied,
            Choice::Unclear => Said::Unclear,
        };
        let tool = statement.tool.as_deref().map(known_tool).unwrap_or_default().to_owned();
        let consent = Tallied::Consent(source.clone(), tool, category.to_string(), said);
        *into.entry((span, consent)).or_default() += 1;
    }
}
