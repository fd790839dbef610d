//! What an event says by the rules that are agreed with its sender: its ids, whether it is switched off, and what is wrong
//! with the address it names.
//!
//! Judges one event alone. Must not know what others said.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::Settings;
use crate::delivery::Lane;
use crate::event::{Email, EmailProblem, Event, Kind};
use crate::mapping::IdentifyMode;
use crate::person::{Said, Strength};
use crate::senders::{Constants, Named, masked};

/// Values of an event that are looked at for something like an address.
const LOOKED_AT_MAX: usize = 256;
/// How deep they are looked for.
const DEPTH_MAX: usize = 5;
/// Characters of an id that are repeated.
const ID_CHARS_SHOWN_MAX: usize = 40;

/// The ids of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct EventIds {
    pub user: Option<String>,
    pub anonymous: Option<String>,
    pub previous: Option<String>,
    /// Those that name nobody: the field, and what stands there.
    pub junk: Vec<(&'static str, String)>,
}

impl EventIds {
    /// Reads them; what names nobody counts as absent.
    pub fn of(event: &Event, settings: &Settings) -> Self {
        let mut ids = Self::default();
        let mut read = |field: &'static str| match settings.senders.ids.read(event.body.get(field)) {
            Named::Nothing => None,
            Named::Id(id) => Some(id),
            Named::Junk(said) => {
                ids.junk.push((field, said.chars().take(ID_CHARS_SHOWN_MAX).collect()));
                None
            }
        };
        let (user, anonymous) = (read("userId"), read("anonymousId"));
        let previous = if event.kind == Kind::Alias { read("previousId") } else { None };
        Self { user, anonymous, previous, ..ids }
    }

    pub fn notes(&self) -> impl Iterator<Item = String> + '_ {
        self.junk
            .iter()
            .map(|(field, said)| format!("{field} {said:?} is no id; the event counts without it"))
    }
}

/// The constants that an event is taken to say: those of its source, where it counts or tells of people.
pub(super) fn constants<'s>(event: &Event, settings: &'s Settings) -> Option<&'s Constants> {
    let constants = settings.senders.constants_of(event)?;
    (tells_of_people(event.kind) || lane_if_mapped(event, settings).is_some()).then_some(constants)
}

/// The address by which somebody is known to the sender: a user id that is one, or an external id of that type.
fn email_of_id(event: &Event, user: Option<&str>, settings: &Settings) -> Option<Email> {
    if !settings.senders.ids.email_of_user_id {
        return None;
    }
    let of_user = user.and_then(|user| Email::parse(user).ok());
    of_user.or_else(|| {
        let context = event.body.get("context")?.as_object()?;
        let mut ids = context.get("externalIds").or_else(|| context.get("externalId"))?.as_array()?.iter();
        ids.find_map(|id| {
            let kind = id.get("type")?.as_str()?;
            let is_email = kind.eq_ignore_ascii_case("email");
            is_email.then(|| id.get("id")?.as_str()).flatten().and_then(|id| Email::parse(id).ok())
        })
    })
}

/// What is to be told of the address of an event.
pub(super) struct Address {
    /// The one it names that is no use, masked, with where it stands.
    pub unusable: Option<String>,
    /// Where something like an address stands that the mapping does not read, where it names none.
    pub elsewhere: Option<String>,
}

/// Adds the address that its ids and its mistakes give to what an event says, and whether it names another one beside.
pub(super) fn address(
    event: &Event,
    (own, names_other): (&mut Said, bool),
    problem: Option<EmailProblem>,
    ids: &EventIds,
    settings: &Settings,
) -> Address {
    let unusable = problem.and_then(|_| unusable_email(event, settings));
    if settings.senders.integrations.switched_off(&event.body).is_none() {
        own.unusable.clone_from(&unusable);
    }
    let of_id = email_of_id(event, ids.user.as_deref(), settings);
    let names_one = !own.emails.is_empty() || names_other || of_id.is_some();
    let missed = !names_one && (own.mapped.is_some() || problem.is_some());
    let elsewhere = if missed { email_elsewhere(event, settings) } else { None };
    own.emails.extend(of_id.map(|email| (email, Strength::Id)));
    Address { unusable, elsewhere }
}

/// Of an event that is switched off only consent is kept; and, where it says one and names an address, of whom.
pub(super) fn held_back(own: Said, named: Option<Email>) -> (Said, Option<Email>) {
    let of = own.emails.first().map(|(email, _)| email.clone()).or(named);
    let own = Said {
        values: BTreeMap::new(),
        firsts: BTreeSet::new(),
        came_with: BTreeMap::new(),
        tallied: BTreeMap::new(),
        emails: Vec::new(),
        mapped: None,
        exempt: None,
        ..own
    };
    let of = of.filter(|_| !own.consent.is_empty() || !own.consent_shown.is_empty());
    (own, of)
}

/// What should be an object and is not, so that nothing of it was read. PHP writes an empty one as `[]`.
pub(super) fn shape_notes(event: &Event) -> Vec<String> {
    let context = event.body.get("context").and_then(Value::as_object);
    let of_context = context.and_then(|context| context.get("traits"));
    let places = [
        ("traits", event.body.get("traits")),
        ("context.traits", of_context),
        ("properties", event.body.get("properties")),
        ("context", event.body.get("context")),
    ];
    let said = places.into_iter().filter_map(|(path, value)| {
        let what = match value? {
            Value::Array(items) if !items.is_empty() => "a list",
            Value::String(text) if !text.trim().is_empty() => "a text",
            Value::Number(_) => "a number",
            Value::Bool(_) => "true or false",
            Value::Array(_) | Value::String(_) | Value::Object(_) | Value::Null => return None,
        };
        Some(format!("{path} is {what} where an object is expected; nothing of it was read"))
    });
    said.collect()
}

/// The address that was said and is no use, masked, with where it stands.
fn unusable_email(event: &Event, settings: &Settings) -> Option<String> {
    settings.preset.email_paths().iter().find_map(|path| {
        let value = event.at_path(path)?;
        match value.as_str() {
            Some(text) => (Email::parse(text).err()? == EmailProblem::Invalid)
                .then(|| format!("{} ({path})", masked(text))),
            None => Some(format!("no text ({path})")),
        }
    })
}

/// Where something like an address stands that the mapping does not read.
fn email_elsewhere(event: &Event, settings: &Settings) -> Option<String> {
    let mut found = Vec::new();
    let mut left = LOOKED_AT_MAX;
    for root in ["traits", "properties", "context"] {
        if let Some(Value::Object(inside)) = event.body.get(root) {
            look(root, inside, 1, &mut left, &mut found);
        }
    }
    found.retain(|path| !settings.preset.email_paths().contains(path));
    // What is called an email is more likely the person's than what merely looks like an address.
    let called =
        |path: &String| path.rsplit('.').next().is_some_and(|key| key.to_lowercase().contains("mail"));
    let at = found.iter().position(called).unwrap_or(0);
    found.into_iter().nth(at)
}

fn look(at: &str, inside: &Map<String, Value>, depth: usize, left: &mut usize, found: &mut Vec<String>) {
    for (key, value) in inside {
        if *left == 0 || depth > DEPTH_MAX {
            return;
        }
        *left -= 1;
        match value {
            Value::String(text) if text.contains('@') && Email::parse(text).is_ok() => {
                found.push(format!("{at}.{key}"));
            }
            Value::Object(deeper) => look(&format!("{at}.{key}"), deeper, depth + 1, left, found),
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {}
        }
    }
}

/// The lane of an event that is mapped.
pub(super) fn lane_if_mapped(event: &Event, settings: &Settings) -> Option<Lane> {
    let name = match event.kind {
        // A track event that somebody called "identify" is no identify.
        Kind::Track if event.name().eq_ignore_ascii_case(Kind::Identify.as_str()) => return None,
        Kind::Track | Kind::Page | Kind::Screen => event.name(),
        Kind::Identify if settings.identify_of(&event.source) == IdentifyMode::Create => event.name(),
        Kind::Identify | Kind::Group | Kind::Alias | Kind::Crm => return None,
    };
    let lane = settings.preset.event(name)?.lane;
    Some(if event.backfill { Lane::Backfill } else { lane })
}

/// Whether events of a kind tell who somebody is.
pub(super) fn tells_of_people(kind: Kind) -> bool {
    match kind {
        Kind::Identify | Kind::Group | Kind::Alias => true,
        Kind::Track | Kind::Page | Kind::Screen | Kind::Crm => false,
    }
}
