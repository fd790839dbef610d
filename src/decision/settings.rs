//! The settings that deciding depends on, as plain data.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::mapping::{IdentifyMode, MissingNames};
use crate::person::{PersonId, PersonKey};
use crate::senders;
use serde_json::Value;

use crate::clock::UnixMicros;
use crate::consent::{Categories, Category, Places};
use crate::contact::{Rules, SendMode};
use crate::delivery::{Account, AttemptRequest, Bound, CallKind, MarkerKey};
use crate::event::SourceName;
use crate::happening;
use crate::mapping::Preset;
use crate::mapping::region::Region;
use crate::output::Receivers;
use crate::selectors::Selectors;
use crate::senders::OnEmailChange;

/// What the name of a name space of people ends with in a rehearsal: no name of a configuration may hold a `~`.
const SPACE: &str = "~dry_run";

/// Which sources are tried out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rehearsal {
    /// Them.
    pub sources: BTreeSet<SourceName>,
    /// A call that creates a record of each kind, as it would be described.
    pub requests: BTreeMap<CallKind, AttemptRequest>,
    /// These settings are those of the rehearsal.
    pub playing: bool,
}

/// What consent means for calls.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsentRules {
    /// Which codes mean which category.
    pub categories: Categories,
    /// Categories that must be granted before anything is sent.
    pub required: Vec<Category>,
    /// The category that `subscription_status` is derived from.
    pub marketing: Category,
    /// Whether a withdrawal is sent though the gate is shut.
    pub propagate_withdrawal: bool,
    /// The status for granted.
    pub subscribed: Value,
    /// The status for denied.
    pub unsubscribed: Value,
    /// Further places where consent stands.
    pub paths: Places,
    /// What becomes of a contact being created when nobody said yes or no; `None` sends no status.
    pub unknown: Option<Unknown>,
    /// How long changes of consent are kept; `None`: as long as the contact.
    pub keep: Option<Duration>,
}

/// What becomes of a contact being created when nobody said yes or no.
#[derive(Clone, Debug, PartialEq)]
pub enum Unknown {
    /// It gets this status.
    Status(Value),
    /// It waits for a statement, as long as a mapped event waits for an email.
    Hold,
}

/// How calls that fail are tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryRules {
    /// The first wait.
    pub first: Duration,
    /// The longest wait.
    pub max: Duration,
    /// A contact that fails this long while others are answered is given up.
    pub give_up_after: Duration,
}

/// What is assumed of people by the source that spoke of them last, where they say nothing else.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceDefaults {
    /// Where phones without `+` and without a country are at home, before `Settings::default_region`.
    pub region: Option<Region>,
    /// What becomes of a contact being created when nobody said yes or no, before `ConsentRules::unknown`.
    pub unknown: Option<Unknown>,
    /// What their identifies mean, before `Settings::identify`.
    pub identify: Option<IdentifyMode>,
}

/// Everything deciding depends on beside the state.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The account that is kept current.
    pub account: Account,
    /// People whom nobody knows there become leads (`freshsales.classic_new = "lead"`).
    pub leads: bool,
    /// The mapping.
    pub preset: Preset,
    /// Where phones without `+` and without a country are at home.
    pub default_region: Option<Region>,
    /// Whether identify makes contacts.
    pub identify: IdentifyMode,
    /// What becomes of a new contact without a name.
    pub missing_names: MissingNames,
    /// What becomes of the contact of somebody whose address changes.
    pub on_email_change: OnEmailChange,
    /// How long before the statement that completes a contact a mapped event still counts.
    pub complete_within: Duration,
    /// What consent means.
    pub consent: ConsentRules,
    /// What later calls carry.
    pub send: SendMode,
    /// How long log-ins and refreshes wait for more changes.
    pub hold: Duration,
    /// A contact that was not sent for this long is sent again though nothing changed; `None`: never.
    pub resend_after: Option<Duration>,
    /// How failures are tried again.
    pub retry: RetryRules,
    /// A call is given up without an answer after this long.
    pub attempt_timeout: Duration,
    /// The lists of the account in which names have their ids.
    pub selectors: Arc<Selectors>,
    /// How much of what sources bring may leave in an hour; what is not here has no limit.
    pub per_hour: BTreeMap<Bound, u64>,
    /// The sources with defaults of their own.
    pub source_defaults: BTreeMap<SourceName, SourceDefaults>,
    /// What is agreed with everybody who sends.
    pub senders: senders::Rules,
    /// The sources that are tried out.
    pub rehearsal: Rehearsal,
    /// How notes, activities and tasks are told.
    pub happenings: happening::Config,
    /// The key of the data folder that their ids are made under.
    pub marker_key: MarkerKey,
    /// Who is told of what happened; nobody in a dry run.
    pub receivers: Receivers,
    /// Whether clicks on advertisements are kept, and deals that are won noted, for ad platforms.
    pub conversions: bool,
}

impl Settings {
    /// What an identify of a source means.
    #[must_use]
    pub fn identify_of(&self, source: &SourceName) -> IdentifyMode {
        self.source_defaults.get(source).and_then(|defaults| defaults.identify).unwrap_or(self.identify)
    }

    /// Takes in what the store knows: the lists of the account, and the key of the data folder.
    pub fn knows(&mut self, (selectors, marker_key): (Arc<Selectors>, MarkerKey)) {
        (self.selectors, self.marker_key) = (selectors, marker_key);
    }

    /// The settings by which events of a source that is tried out are decided, if it is one.
    #[must_use]
    pub(super) fn rehearsal_of(&self, source: &SourceName) -> Option<Self> {
        if self.rehearsal.playing || !self.rehearsal.sources.contains(source) {
            return None;
        }
        let mut settings = self.clone();
        settings.account = Account(format!("dry_run:{}", self.account.0));
        settings.rehearsal.playing = true;
        settings.receivers = Receivers::new();
        settings.conversions = false;
        Some(settings)
    }

    /// Whether somebody counts for contacts by these settings: not whoever is of a rehearsal where none is played, nor one
    /// whose id names nobody.
    #[must_use]
    pub fn counts(&self, key: &PersonKey) -> bool {
        self.counts_space(&key.people)
            && match &key.id {
                PersonId::User(id) | PersonId::Anonymous(id) => !self.senders.ids.is_junk(id),
                PersonId::Email(_) => true,
            }
    }

    /// Whether names stay names in calls: nothing is sent, and the account was not asked for its lists.
    pub(super) fn names_stay(&self) -> bool {
        self.account.0.starts_with("dry_run:") && self.selectors.lists().next().is_none()
    }

    /// Whether what the people of a name space say counts by these settings: what is said in a rehearsal counts in one alone.
    #[must_use]
    pub fn counts_space(&self, people: &str) -> bool {
        people.ends_with(SPACE) == self.rehearsal.playing
    }

    /// The name space of the people that a source speaks of.
    pub(super) fn people_of(&self, source: &SourceName, people: &str) -> String {
        if self.rehearsal.sources.contains(source) { format!("{people}{SPACE}") } else { people.to_owned() }
    }
}

/// The part of the settings that comparing wanted with accepted needs.
#[must_use]
pub fn rules(settings: &Settings, now: UnixMicros) -> Rules {
    Rules {
        resend_before: settings.resend_after.map(|after| now.minus(after)),
        send: settings.send,
        propagate_withdrawal: settings.consent.propagate_withdrawal,
        unsubscribed: settings.consent.unsubscribed.clone(),
    }
}
