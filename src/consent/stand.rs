//! What stands of a category: what was said, what a tool shows, and which of them counts. Both are joins, so the order
//! in which events arrive makes no difference.
//!
//! A statement dates from when it was made, the state of a tool from when it first stood there. The newer of them counts,
//! so a state that merely stands never overturns a refusal that was said after it began.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Choice, Statement};
use crate::event::{Rank, Stamp, Stamped};

impl Rank for Statement {
    fn rank(&self) -> String {
        // Where one message says both, refusing wins.
        let weight = match self.choice {
            Choice::Granted => '0',
            Choice::Unclear => '1',
            Choice::Denied => '2',
        };
        let Self { key, value, tool, page, source, choice: _ } = self;
        format!("{weight}{key}={value} {tool:?} {page:?} {source:?}")
    }
}

/// When a tool showed a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stood {
    /// The first time.
    first: Stamp,
    /// The last time, and what stood there.
    last: Stamped<Statement>,
}

/// What a tool showed of a category, by value.
///
/// The first and the last time of each value are all that is kept, so it stays small whatever comes. When a value came
/// back after another, it counts from the last time that the other was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shown(BTreeMap<Choice, Stood>);

impl Shown {
    /// Takes in that a tool showed this.
    pub fn see(&mut self, statement: &Statement, stamp: &Stamp) {
        let last = Stamped { value: statement.clone(), stamp: stamp.clone() };
        self.take(statement.choice, &Stood { first: stamp.clone(), last });
    }

    /// Takes in everything that `other` saw.
    pub fn join(&mut self, other: &Self) {
        for (choice, stood) in &other.0 {
            self.take(*choice, stood);
        }
    }

    /// Each value that was seen: when first, and what stood there when last.
    pub fn iter(&self) -> impl Iterator<Item = (&Stamp, &Stamped<Statement>)> {
        self.0.values().map(|stood| (&stood.first, &stood.last))
    }

    /// When it was seen last.
    #[must_use]
    pub fn newest(&self) -> Option<&Stamp> {
        self.0.values().map(|stood| &stood.last.stamp).max()
    }

    /// How many bytes it is as JSON, about.
    #[must_use]
    pub fn weight(&self) -> usize {
        let weight =
            |stood: &Stood| 32 + stood.first.weight() + stood.last.stamp.weight() + stood.last.value.weight();
        self.0.values().map(weight).sum()
    }

    fn take(&mut self, choice: Choice, stood: &Stood) {
        let Some(known) = self.0.get_mut(&choice) else {
            self.0.insert(choice, stood.clone());
            return;
        };
        if stood.first < known.first {
            known.first = stood.first.clone();
        }
        if stood.last.beats(&known.last) {
            known.last = stood.last.clone();
        }
    }

    /// What stands now among the values that `counts` holds for. `before`: whatever was seen began before all time,
    /// unless something else was seen in between.
    fn now(&self, counts: impl Fn(Choice) -> bool, before: bool) -> Option<Counted> {
        let seen = || self.0.iter().filter(|(choice, _)| counts(**choice));
        let (choice, stood) = seen().max_by_key(|(choice, stood)| (&stood.last.stamp, **choice))?;
        let other = seen().filter(|(other, _)| *other != choice).map(|(_, other)| &other.last.stamp).max();
        let first = if before { &Stamp::default() } else { &stood.first };
        let since = other.map_or(first, |other| other.max(first)).clone();
        let seen_at = stood.last.stamp.clone();
        Some(Counted { statement: stood.last.value.clone(), since, seen_at, shown: true })
    }
}

/// A statement that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// What was chosen.
    pub statement: Statement,
    /// From when on it counts.
    pub since: Stamp,
    /// When it was seen last.
    pub seen_at: Stamp,
    /// It is the state of a tool, not what a person said.
    pub shown: bool,
}

impl Counted {
    fn said(said: &Stamped<Statement>) -> Self {
        let (since, seen_at) = (said.stamp.clone(), said.stamp.clone());
        Self { statement: said.value.clone(), since, seen_at, shown: false }
    }

    /// The order of statements: the newer counts; of the same moment a refusal, and what was said before what is shown.
    fn rank(&self) -> (&Stamp, Choice, bool) {
        (&self.since, self.statement.choice, !self.shown)
    }
}

/// Everything known of one category.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spoken {
    /// The newest yes or no that was said.
    pub said: Option<Stamped<Statement>>,
    /// The newest statement that was not understood.
    pub unclear: Option<Stamped<Statement>>,
    /// What a tool showed.
    pub shown: Shown,
}

impl Spoken {
    /// Takes in everything that `other` knows.
    pub fn join(&mut self, other: &Self) {
        self.said = newer(self.said.take(), other.said.as_ref());
        self.unclear = newer(self.unclear.take(), other.unclear.as_ref());
        self.shown.join(&other.shown);
    }

    /// What counts of it.
    #[must_use]
    pub fn stand(&self) -> Stand {
        // Versions that did not tell the two kinds apart kept both as said, without a source. What a tool showed before
        // such a refusal is not known, so it is taken to have stood there already.
        let before = self
            .said
            .as_ref()
            .is_some_and(|said| said.value.choice == Choice::Denied && said.value.source.is_none());
        let shown = self.shown.now(|choice| choice != Choice::Unclear, before);
        let said = self.said.as_ref().map(Counted::said);
        let choice = said.into_iter().chain(shown).max_by(|one, other| one.rank().cmp(&other.rank()));
        let not_clear = self.shown.now(|_| true, false);
        let not_clear = not_clear.filter(|counted| counted.statement.choice == Choice::Unclear);
        let unclear = self.unclear.as_ref().map(Counted::said).into_iter().chain(not_clear);
        let unclear = unclear.max_by(|one, other| one.rank().cmp(&other.rank()));
        Stand::of(choice, unclear)
    }
}

fn newer(one: Option<Stamped<Statement>>, other: Option<&Stamped<Statement>>) -> Option<Stamped<Statement>> {
    match (one, other) {
        (Some(one), Some(other)) if other.beats(&one) => Some(other.clone()),
        (None, Some(other)) => Some(other.clone()),
        (one, _) => one,
    }
}

/// What counts of a category.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stand {
    /// The yes or no that counts.
    pub choice: Option<Counted>,
    /// A newer statement that was not understood: no refusal, and no yes either.
    pub unclear: Option<Counted>,
}

impl Stand {
    /// What was not understood counts while it is newer than the yes or no.
    fn of(choice: Option<Counted>, unclear: Option<Counted>) -> Self {
        let holds = |unclear: &Counted| choice.as_ref().is_none_or(|choice| unclear.since > choice.since);
        Self { unclear: unclear.filter(holds), choice }
    }

    /// What counts of several persons who share an address: the newest of any of them.
    #[must_use]
    pub fn over(people: impl IntoIterator<Item = Self>) -> Self {
        let newer = |one: Option<Counted>, other: Option<Counted>| {
            one.into_iter().chain(other).max_by(|one, other| one.rank().cmp(&other.rank()))
        };
        let both = people.into_iter().fold((None, None), |(choice, unclear), stand| {
            (newer(choice, stand.choice), newer(unclear, stand.unclear))
        });
        Self::of(both.0, both.1)
    }

    /// What counts when visitors spoke too: they may say what nobody else did and refuse what was agreed to, and undo no
    /// refusal that somebody else said.
    #[must_use]
    pub fn and_visitors(self, visitors: Self) -> Self {
        if self.is_denied() { self } else { Self::over([self, visitors]) }
    }

    /// Whether the person refuses. What is not understood is no refusal, and ends none.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        self.choice.as_ref().is_some_and(|counted| counted.statement.choice == Choice::Denied)
    }

    /// The statement to show: the newest.
    #[must_use]
    pub fn newest(&self) -> Option<&Counted> {
        self.unclear.as_ref().or(self.choice.as_ref())
    }
}
