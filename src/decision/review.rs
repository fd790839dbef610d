//! The review: records judged anew though no event came, because the settings they were judged by have changed.
//!
//! Walks all contacts in the order of their addresses, then companies, then deals, which wait for both, then what is not told
//! yet. How far it came is a document, so a restart goes on where it was.

use std::hash::{DefaultHasher, Hasher};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::junk;
use super::owe::evaluate_without_event;
use super::{Settings, World, company, deal, happening, lists, respell};
use crate::clock::UnixMicros;
use crate::delivery::{Account, CompanyKey, DealKey, DeliveryId, HappeningId, Lane, Subject};
use crate::event::Email;

/// How often all contacts are looked at whose changes of consent may have had their time.
const CONSENT_AGAIN_AFTER: Duration = Duration::from_hours(24);
/// How often contacts are looked at that may have to be sent again because nobody called them for long.
const AGAIN_AFTER: Duration = Duration::from_hours(1);

/// Stands for all settings that change what is owed: equal settings have equal fingerprints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Settings {
    /// The fingerprint of the settings. A new release has another one, because its code may judge otherwise.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let Self {
            account,
            leads: _,
            preset,
            default_region,
            missing_names,
            identify,
            complete_within,
            consent,
            on_email_change: _,
            send: _,
            hold: _,
            retry: _,
            attempt_timeout: _,
            resend_after: _,
            per_hour: _,
            source_defaults,
            senders,
            rehearsal: _,
            happenings: _,
            marker_key: _,
            receivers: _,
            conversions: _,
            selectors,
        } = self;
        let of_people = (default_region, missing_names, source_defaults, senders);
        // What the account calls things, not when it was asked.
        let names = selectors.answers(&self.selectors_needed());
        let judging = (account, preset, of_people, identify, complete_within, consent, names);
        let mut hasher = DefaultHasher::new();
        hasher.write(format!("{} {judging:?}", env!("CARGO_PKG_VERSION")).as_bytes());
        Fingerprint(format!("{:016x}", hasher.finish()))
    }
}

/// Why all contacts are looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// Nothing is known of the settings they were judged by.
    Unknown,
    /// Calls go to another account, or to none (a dry run), than before.
    Account,
    /// Mapping or consent settings have changed, or the release.
    Settings,
    /// Time has passed: contacts that were not called for long are sent again, old changes of consent go.
    Time,
}

impl Because {
    /// The word in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Account => "account",
            Self::Settings => "settings",
            Self::Time => "time",
        }
    }
}

/// Which records a review looks at, and behind which one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Contacts.
    #[default]
    Contacts,
    /// Companies.
    Companies(Option<CompanyKey>),
    /// Deals.
    Deals(Option<DealKey>),
    /// Notes, activities and tasks that are not told yet.
    Happenings(Option<HappeningId>),
}

/// A pass over all records: one that goes on, or the last one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Counts the passes; part of the names of the deliveries it opens.
    pub number: u64,
    /// Why.
    pub because: Because,
    /// The account that contacts are judged for.
    pub account: Account,
    /// The settings they are judged by.
    pub judged_by: Fingerprint,
    /// The last contact that was looked at.
    pub after: Option<Email>,
    /// Which records it looks at.
    #[serde(default)]
    pub phase: Phase,
    /// Companies and deals looked at.
    #[serde(default)]
    pub beside: u64,
    /// Contacts looked at.
    pub done: u64,
    /// Contacts there were when it began.
    pub total: u64,
    /// Deliveries it opened or reopened.
    pub opened: u64,
    /// People it took apart or joined who were stored under ids that name nobody, or under another spelling.
    #[serde(default)]
    pub taken_apart: u64,
    /// When it began.
    pub began_at: UnixMicros,
    /// When every record had been looked at.
    pub ended_at: Option<UnixMicros>,
}

impl Review {
    /// Why the settings, or the time, ask for another review than the last one, if they do.
    #[must_use]
    pub fn asked_for(last: Option<&Self>, settings: &Settings, now: UnixMicros) -> Option<Because> {
        let time = |last: &Self| {
            let again = settings.resend_after.map(|_| AGAIN_AFTER);
            let consent = settings.consent.keep.map(|_| CONSENT_AGAIN_AFTER);
            let every = again.into_iter().chain(consent).min();
            !last.goes_on() && every.is_some_and(|every| now.since(last.began_at) >= every)
        };
        match last {
            None => Some(Because::Unknown),
            Some(last) if last.account != settings.account => Some(Because::Account),
            Some(last) if last.judged_by == Fingerprint::default() => Some(Because::Unknown),
            Some(last) if last.judged_by != settings.fingerprint() => Some(Because::Settings),
            Some(last) if time(last) => Some(Because::Time),
            Some(_) => None,
        }
    }

    /// The review that follows the last one. `contacts` is how many there are.
    #[must_use]
    pub fn begin(
        last: Option<&Self>,
        because: Because,
        settings: &Settings,
        contacts: u64,
        now: UnixMicros,
    ) -> Self {
        Self {
            number: last.map_or(1, |last| last.number.saturating_add(1)),
            because,
            account: settings.account.clone(),
            judged_by: settings.fingerprint(),
            after: None,
            phase: Phase::Contacts,
            beside: 0,
            done: 0,
            total: contacts,
            opened: 0,
            taken_apart: 0,
            began_at: now,
            ended_at: (contacts == 0 && !looks_beside(because, settings)).then_some(now),
        }
    }

    /// Every contact is to be looked at again: what they were judged by was not all there was.
    #[must_use]
    pub fn doubted(self) -> Self {
        Self { judged_by: Fingerprint::default(), ..self }
    }

    /// Whether contacts are still to be looked at.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        self.ended_at.is_none()
    }

    /// Goes on behind a record that can't be judged.
    #[must_use]
    pub fn pass_over(mut self, record: &Subject) -> Self {
        self.count(record);
        self.moves_behind(record);
        self
    }

    /// Looks at the next records, given in their order; none is the end of their kind. The working set must hold every
    /// document that their evaluation needs.
    #[must_use]
    pub fn page(
        mut self,
        records: &[Subject],
        world: &mut World,
        settings: &Settings,
        now: UnixMicros,
    ) -> Self {
        for record in records {
            let id = DeliveryId::of_review(self.number, self.done + self.beside);
            let opened = match record {
                Subject::Contact(email) => {
                    let email = respell::taken_over(email, world, settings, now);
                    self.taken_apart += junk::take_apart(&email, world, settings);
                    let listed = lists::evaluate_without_event(&email, world, settings, now);
                    evaluate_without_event(&email, id, world, settings, now) || listed
                }
                Subject::Company(key) => company::evaluate(key, id, Lane::Refresh, world, settings, now),
                Subject::Deal(key) => deal::evaluate_without_event(key, id, world, settings, now),
                Subject::Happening(id) => happening::evaluate_without_event(id, world, settings, now),
                // No review walks them: they are looked at with their contacts.
                Subject::Member(key) => lists::evaluate_without_event(&key.email, world, settings, now),
            };
            self.opened += u64::from(opened);
            self.count(record);
        }
        match records.last() {
            Some(last) => self.moves_behind(last),
            None => self.kind_ends(settings, now),
        }
        self
    }

    fn count(&mut self, record: &Subject) {
        match record {
            Subject::Contact(_) => self.done += 1,
            Subject::Company(_) | Subject::Deal(_) | Subject::Happening(_) | Subject::Member(_) => {
                self.beside += 1;
            }
        }
    }

    fn moves_behind(&mut self, record: &Subject) {
        match record.clone() {
            Subject::Contact(email) => self.after = Some(email),
            Subject::Company(key) => self.phase = Phase::Companies(Some(key)),
            Subject::Deal(key) => self.phase = Phase::Deals(Some(key)),
            Subject::Happening(id) => self.phase = Phase::Happenings(Some(id)),
            Subject::Member(_) => {}
        }
    }

    fn kind_ends(&mut self, settings: &Settings, now: UnixMicros) {
        // In the end whose address it was is nobody's business any more.
        self.after = None;
        self.phase = match self.phase {
            Phase::Contacts if looks_beside(self.because, settings) => Phase::Companies(None),
            Phase::Companies(_) => Phase::Deals(None),
            Phase::Deals(_) => Phase::Happenings(None),
            Phase::Contacts | Phase::Happenings(_) => {
                self.ended_at = Some(now);
                Phase::Contacts
            }
        };
    }
}

/// Whether companies and deals are looked at too. Time alone changes nothing of them.
fn looks_beside(because: Because, settings: &Settings) -> bool {
    let preset = &settings.preset;
    let mapped = preset.company().is_some() || preset.deal_kinds().next().is_some() || preset.tells();
    match because {
        Because::Time => false,
        Because::Unknown | Because::Account | Because::Settings => mapped,
    }
}
