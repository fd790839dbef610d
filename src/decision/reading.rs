//! Reading an event: what it says, and about whom. Everything later works on this alone.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::sender::{self, Address, EventIds, lane_if_mapped};
use super::{Settings, came_by};
use crate::clock::UnixMicros;
use crate::consent::{self, Category, Statement};
use crate::delivery::{CompanyKey, DealKey, HappeningId, Lane};
use crate::erasure::Mark;
use crate::event::{CrmSaid, Email, EmailProblem, Event, Found, Kind, Position, SourceName, Stamp, moment};
use crate::mapping::{DealOf, EVENT_DAY, EventRule, ExtraValue, HappeningOf, NoDeal, day_of, kept_or_noted};
use crate::person::{PersonId, PersonKey, Said, Strength, TimelineKey};
use crate::senders::{Sighting, SwitchedOff};

/// What an event says.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Its place in the journal.
    pub position: Position,
    /// Where it came from.
    pub source: SourceName,
    /// The name space of its ids.
    pub people: String,
    /// When it was received.
    pub received_at: UnixMicros,
    /// When it happened.
    pub stamp: Stamp,
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// The user id.
    pub user: Option<String>,
    /// The anonymous id.
    pub anonymous: Option<String>,
    /// The id that an alias links to the user.
    pub previous: Option<String>,
    /// The lane, if it is a mapped event.
    pub mapped: Option<Lane>,
    /// It is mapped, even if it is switched off.
    pub is_mapped: bool,
    /// Its sender switched this destination off for it.
    pub switched_off: Option<SwitchedOff>,
    /// It is switched off, and what it says of consent is this address's, too.
    pub consent_of: Option<Email>,
    /// Its ids that name nobody: the field, and what stands there.
    pub junk_ids: Vec<(&'static str, String)>,
    /// The address it names that is no use, masked, with where it stands.
    pub unusable: Option<String>,
    /// Where something like an address stands that the mapping does not read, in an event that names none.
    pub email_elsewhere: Option<String>,
    /// The lane of what is owed for it, mapped or not.
    pub lane: Lane,
    /// What it says about its own person.
    pub own: Said,
    /// The address in its properties, where that is not the one of its traits, and what it says about that.
    pub named: Option<(Email, Said)>,
    /// Why the address it names is of no use.
    pub email_problem: Option<EmailProblem>,
    /// What a person who looks at it should know.
    pub notes: Vec<String>,
    /// All that it says of consent was understood.
    pub consent_understood: bool,
    /// What it says of a deal, or why it says nothing of one although its rule says so.
    pub deal: Option<Result<DealOf, NoDeal>>,
    /// The company that it names, and what it says of that.
    pub company: Option<(String, Said)>,
    /// The notes, activities and tasks that it leaves.
    pub happenings: Vec<(HappeningId, HappeningOf)>,
    /// What Freshsales says of a record of its own, where it is Freshsales that speaks.
    pub crm: Option<CrmSaid>,
    /// The page that it came from, without its query.
    pub page: Option<String>,
    /// Its content was erased in the journal: an event that was accepted says who it is.
    pub blank: bool,
}

/// Where an event may say whose it is.
const ID_FIELDS: [&str; 3] = ["userId", "anonymousId", "previousId"];

/// Under which path the source that spoke of somebody is remembered, where sources have defaults of their own. No rule
/// of a mapping can read it.
pub(super) const SOURCE: &str = "source.name";

/// Under which path it is remembered that the text of a missing value stood where a name is read. No rule of a mapping can
/// read it.
pub(super) const BLANK_NAME: &str = "name.blank";

/// What an event says by the mapping and of consent.
struct Spoken {
    own: Said,
    named: Option<(Email, Said)>,
    problem: Option<EmailProblem>,
    /// Everything that it says of consent was understood.
    consent_understood: bool,
}

impl Spoken {
    fn by(event: &Event, mapped: Option<Lane>, settings: &Settings, notes: &mut Vec<String>) -> Self {
        let mut own = Said::default();
        let consent_understood = keep_consent(event, settings, &mut own, notes);
        keep(event, settings.preset.trait_paths(), settings, &mut own, notes);
        let source = Value::from(event.source.0.as_str());
        if !settings.source_defaults.is_empty() && !own.is_empty() {
            own.values.insert(SOURCE.to_owned(), source.clone());
        }
        let mut problem = None;
        note_times(event, notes);
        note_removed(event, notes);
        let traits_email = first_email(event, settings, "traits.", &mut problem, notes);
        own.emails.extend(traits_email.clone().map(|email| (email, Strength::Trait)));
        let mut named = None;
        if mapped.is_some() {
            let (of_event, of_sender) =
                settings.preset.event_paths().partition(|path| path.starts_with("properties."));
            let (of_event, of_sender): (Vec<&str>, Vec<&str>) = (of_event, of_sender);
            keep(event, of_sender.into_iter(), settings, &mut own, notes);
            let other = first_email(event, settings, "properties.", &mut problem, notes);
            let other = other.filter(|email| traits_email.as_ref() != Some(email));
            let needs_none = settings.preset.event(event.name()).is_some_and(EventRule::needs_no_consent);
            let exempt = needs_none.then_some(event.received_at);
            let mut said = Said { mapped, exempt, ..Said::default() };
            keep(event, of_event.into_iter(), settings, &mut said, notes);
            keep_extras(event, settings, &mut said, notes);
            keep_counted(event, settings, &mut said, notes);
            keep_day(event, settings, &mut own);
            if !settings.source_defaults.is_empty() {
                said.values.insert(SOURCE.to_owned(), source);
            }
            if let Some(email) = other {
                named = Some((email, said));
            } else {
                own.values.extend(said.values);
                own.firsts.extend(said.firsts);
                own.tallied = said.tallied;
                (own.mapped, own.exempt) = (mapped, exempt);
            }
        } else {
            keep_first(event, settings, &mut own, notes);
        }
        came_by::keep(event, settings, &mut own);
        Self { own, named, problem, consent_understood }
    }
}

impl Reading {
    /// Reads an event.
    #[must_use]
    pub fn of(event: &Event, settings: &Settings) -> Self {
        let constants = sender::constants(event, settings);
        let event = &*constants.map_or(Cow::Borrowed(event), |constants| constants.put_into(event));
        let ids = EventIds::of(event, settings);
        let switched_off = settings.senders.integrations.switched_off(&event.body);
        let counts = lane_if_mapped(event, settings);
        let mapped = counts.filter(|_| switched_off.is_none());
        let mut notes = Vec::new();
        let Spoken { mut own, mut named, mut problem, consent_understood } =
            Spoken::by(event, mapped, settings, &mut notes);
        notes.extend(no_ids(event));
        notes.extend(ids.notes());
        notes.extend(sender::shape_notes(event));
        let mut consent_of = None;
        if switched_off.is_some() {
            let other = first_email(event, settings, "properties.", &mut problem, &mut Vec::new());
            (own, consent_of) = sender::held_back(own, other);
            named = None;
        }
        let Address { unusable, elsewhere: email_elsewhere } =
            sender::address(event, (&mut own, named.is_some()), problem, &ids, settings);
        let happenings = mapped.map(|_| told_by(event, settings, &mut notes)).unwrap_or_default();
        let crm = if event.kind == Kind::Crm { CrmSaid::read(&event.body) } else { None };
        Self {
            position: event.position,
            source: event.source.clone(),
            people: settings.people_of(&event.source, &event.people),
            received_at: event.received_at,
            stamp: event.stamp.clone(),
            kind: event.kind,
            name: event.name().to_owned(),
            user: ids.user,
            anonymous: ids.anonymous,
            previous: ids.previous,
            junk_ids: ids.junk,
            mapped,
            switched_off,
            is_mapped: counts.is_some(),
            consent_of,
            unusable,
            email_elsewhere,
            lane: mapped.unwrap_or(if event.backfill { Lane::Backfill } else { Lane::Refresh }),
            own,
            named,
            email_problem: problem,
            notes,
            consent_understood,
            deal: mapped.and_then(|_| settings.preset.deal_of(event)),
            company: company_of(event, mapped.is_some(), switched_off.is_some(), settings),
            happenings,
            crm,
            page: consent::page_of_event(&event.body),
            blank: event.body.is_empty(),
        }
    }

    /// The address the event itself names: that of its traits, else that of its properties.
    #[must_use]
    pub fn email(&self) -> Option<&Email> {
        let of_traits = self.own.emails.first().map(|(email, _)| email);
        of_traits.or(self.named.as_ref().map(|(email, _)| email))
    }

    /// What it shows of its sender.
    #[must_use]
    pub fn sighting(&self) -> Sighting {
        // Of what could make no contact anyhow no address is missed: a webhook without a rule, say.
        let misses_one = self.is_mapped || self.kind == Kind::Identify;
        Sighting {
            mapped: self.is_mapped,
            switched_off: self.switched_off,
            unusable_email: self.unusable.clone().filter(|_| misses_one),
            junk_ids: self.junk_ids.clone(),
        }
    }

    /// A person in the event's name space.
    #[must_use]
    pub fn person(&self, id: PersonId) -> PersonKey {
        PersonKey { people: self.people.clone(), id }
    }

    /// The deal that it speaks of, if it says which.
    #[must_use]
    pub fn deal_key(&self) -> Option<DealKey> {
        let Some(Ok(said)) = &self.deal else { return None };
        let of_person = || self.user.clone().or_else(|| Some(self.email()?.as_str().to_owned()));
        DealKey::of(&self.people, &said.kind, &said.key.clone().or_else(of_person)?)
    }

    /// Whose deal it speaks of: who it names by an address of its own, else its user, else its email, else its device.
    #[must_use]
    pub fn deal_person(&self) -> Option<PersonKey> {
        let named = self.named.as_ref().map(|(email, _)| PersonId::Email(email.clone()));
        let user = || self.user.clone().map(PersonId::User);
        let email = || self.email().cloned().map(PersonId::Email);
        let device = || self.anonymous.clone().map(PersonId::Anonymous);
        Some(self.person(named.or_else(user).or_else(email).or_else(device)?))
    }

    /// The company that it names.
    #[must_use]
    pub fn company_key(&self) -> Option<CompanyKey> {
        CompanyKey::of(&self.company.as_ref()?.0)
    }

    /// What the people it speaks of are recognised by.
    pub fn marks(&self) -> impl Iterator<Item = Mark> + '_ {
        let user = |id: &String| Mark::User(self.people.clone(), id.clone());
        let device = |id: &String| Mark::Anonymous(self.people.clone(), id.clone());
        let traits = self.own.emails.iter().map(|(email, _)| email);
        let others = self.named.iter().map(|(email, _)| email).chain(&self.consent_of);
        // Who was erased by an earlier version may be known in the spelling of then.
        let spelled = |email: &Email| [Some(email.clone()), email.as_stored_before()];
        let emails = traits.chain(others).flat_map(spelled).flatten().map(Mark::Email);
        let previous = self.previous.iter().flat_map(move |id| [user(id), device(id)]);
        emails.chain(self.user.iter().map(user)).chain(self.anonymous.iter().map(device)).chain(previous)
    }

    /// A time line in the event's name space.
    #[must_use]
    pub fn timeline(&self, anonymous_id: &str) -> TimelineKey {
        TimelineKey { people: self.people.clone(), anonymous_id: anonymous_id.to_owned() }
    }
}

/// What an event tells. What is imported happened long ago, and sales is not told of it unless that is wanted.
fn told_by(event: &Event, settings: &Settings, notes: &mut Vec<String>) -> Vec<(HappeningId, HappeningOf)> {
    let told = settings.preset.happenings_of(event);
    if !told.is_empty() && event.backfill && !settings.happenings.backfill {
        notes.push(
            "it is old, so no note, activity or task is told of it (happenings.backfill = false)".to_owned(),
        );
        return Vec::new();
    }
    let id = |told: &HappeningOf| {
        let (source, message) = (&event.source, &event.stamp.message_id);
        HappeningId::of(&settings.marker_key, told.says.kind(), source, message)
    };
    told.into_iter().map(|told| (id(&told), told)).collect()
}

/// The company that an event names, unless it is switched off.
fn company_of(
    event: &Event,
    mapped: bool,
    switched_off: bool,
    settings: &Settings,
) -> Option<(String, Said)> {
    let rule = settings.preset.company().filter(|_| !switched_off)?;
    rule.of_event(event, mapped)
}

/// The ids of an event that are none, because they are neither text nor a number. What they are is not repeated: it may
/// say who somebody is.
fn no_ids(event: &Event) -> impl Iterator<Item = String> + '_ {
    ID_FIELDS.into_iter().filter_map(|field| {
        let what = match event.body.get(field)? {
            Value::Bool(_) => "true or false",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
            Value::Null | Value::Number(_) | Value::String(_) => return None,
        };
        Some(format!("{field} is {what}, which is no id"))
    })
}

/// Keeps what an event says of consent; tells whether all of it was understood.
fn keep_consent(event: &Event, settings: &Settings, own: &mut Said, notes: &mut Vec<String>) -> bool {
    let rules = &settings.consent;
    let said = consent::read(&event.body, event.kind, &rules.categories, &rules.paths);
    let with_source = |statements: BTreeMap<Category, Statement>| {
        let named = |statement| Statement { source: Some(event.source.0.clone()), ..statement };
        statements.into_iter().map(|(category, statement)| (category, named(statement))).collect()
    };
    notes.extend(
        said.unknown.iter().map(|key| {
            format!("{key}: not understood as consent, so it counts neither as a yes nor as a no")
        }),
    );
    notes.extend(said.unrecognised.iter().map(|block| {
        format!("{block}: nothing in it was recognised; name its codes in consent.categories, or its place in consent.paths")
    }));
    own.consent = with_source(said.statements);
    own.consent_shown = with_source(said.shown);
    own.privacy_control = said.privacy_control;
    said.unknown.is_empty() && said.unrecognised.is_empty()
}

fn keep<'p>(
    event: &Event,
    paths: impl Iterator<Item = &'p str>,
    settings: &Settings,
    said: &mut Said,
    notes: &mut Vec<String>,
) {
    let roots = event.roots();
    for path in paths {
        let found = roots.find(path);
        if let Some(value) = told(path, found, notes) {
            remember(path, value, settings, said, notes);
        } else if found == Found::Missing && settings.preset.reads_name(path) {
            said.values.insert(BLANK_NAME.to_owned(), Value::from(true));
        }
    }
}

/// What stands at a path; of the text of a missing value it is told that it is none.
fn told<'a>(path: &str, found: Found<'a>, notes: &mut Vec<String>) -> Option<&'a Value> {
    if found == Found::Missing {
        notes.push(format!("{path}: the text of a missing value, so it counts as not said"));
    }
    found.value()
}

/// What an event says that is not mapped, of fields whose first statement counts: where somebody came from is said long
/// before anything that makes a contact.
fn keep_first(event: &Event, settings: &Settings, said: &mut Said, notes: &mut Vec<String>) {
    let mut paths = settings.preset.first_event_paths().peekable();
    if paths.peek().is_none() {
        return;
    }
    let roots = event.roots();
    let own = said.emails.first().map(|(email, _)| email.clone());
    let other = first_email(event, settings, "properties.", &mut None, &mut Vec::new());
    // The properties of an event that names somebody else speak of somebody else.
    let is_others = other.is_some_and(|email| own.is_some_and(|own| own != email));
    for path in paths.filter(|path| !(is_others && path.starts_with("properties."))) {
        if path == EVENT_DAY {
            said.came_with.insert(path.to_owned(), day_of(&event.stamp));
            continue;
        }
        if let Some(value) = roots.find(path).value().and_then(|value| kept_or_noted(path, value, notes)) {
            said.came_with.insert(path.to_owned(), value);
        }
    }
}

/// What this event alone says, by its rule in the mapping.
fn keep_extras(event: &Event, settings: &Settings, said: &mut Said, notes: &mut Vec<String>) {
    for extra in settings.preset.extras(event.name()) {
        let value = match &extra.says {
            ExtraValue::At(path) => told(path, event.find(path), notes),
            ExtraValue::Fixed(value) => Some(value),
        };
        if let Some(value) = value {
            remember(&extra.path, value, settings, said, notes);
        }
    }
}

/// What an event says of things that are counted.
fn keep_counted(event: &Event, settings: &Settings, said: &mut Said, notes: &mut Vec<String>) {
    let counted = settings.preset.counted_of(event);
    notes.extend(counted.notes);
    said.tallied = counted.said;
}

/// The day of a mapped event, where an attribute asks for it.
fn keep_day(event: &Event, settings: &Settings, own: &mut Said) {
    if settings.preset.reads_day() {
        if settings.preset.keeps_first(EVENT_DAY) {
            own.firsts.insert(EVENT_DAY.to_owned());
        }
        own.values.insert(EVENT_DAY.to_owned(), day_of(&event.stamp));
    }
}

/// Times that an event claims and that count as not given.
fn note_times(event: &Event, notes: &mut Vec<String>) {
    for field in ["originalTimestamp", "timestamp", "sentAt"] {
        let claimed = event.body.get(field).filter(|value| !value.is_null() && value.as_str() != Some(""));
        if claimed.is_some_and(|value| moment(value).is_none()) {
            notes.push(format!(
                "{field}: no time that can be read, or one before 1990, so it counts as not given"
            ));
        }
    }
}

/// Places of an event that are named in one note.
const PLACES_MAX: usize = 12;

/// What was taken out of an event before it was kept; ingest leaves the places in `context.removed`.
fn note_removed(event: &Event, notes: &mut Vec<String>) {
    let places =
        event.body.get("context").and_then(|context| context.get("removed")).and_then(Value::as_array);
    let places = places.into_iter().flatten().filter_map(Value::as_str).filter(|place| place.len() < 40);
    let places: Vec<&str> = places.take(PLACES_MAX).collect();
    if !places.is_empty() {
        notes.push(format!(
            "{}: an address of a person or a secret was taken out before the event was kept (sources.{}.keep_query)",
            places.join(", "),
            event.source.0
        ));
    }
}

fn remember(path: &str, value: &Value, settings: &Settings, said: &mut Said, notes: &mut Vec<String>) {
    let Some(value) = kept_or_noted(path, value, notes) else { return };
    if settings.preset.keeps_first(path) {
        said.firsts.insert(path.to_owned());
    }
    said.values.insert(path.to_owned(), value);
}

fn first_email(
    event: &Event,
    settings: &Settings,
    under: &str,
    problem: &mut Option<EmailProblem>,
    notes: &mut Vec<String>,
) -> Option<Email> {
    let paths = settings.preset.email_paths().iter().filter(|path| path.starts_with(under));
    for path in paths {
        let Some(value) = told(path, event.find(path), notes) else { continue };
        match Email::from_value(value) {
            Ok(email) => return Some(email),
            Err(why) => *problem = problem.or(Some(why)),
        }
    }
    None
}

/// Whether a value was said at all.
#[must_use]
pub(super) fn says_anything(reading: &Reading) -> bool {
    !reading.own.is_empty() || reading.named.is_some() || reading.previous.is_some()
}

/// The text of a status as it is sent: digits alone are a number.
#[must_use]
pub fn status_value(text: &str) -> Value {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u32>() {
        Ok(number) if digits => Value::from(number),
        Ok(_) | Err(_) => Value::from(text),
    }
}
