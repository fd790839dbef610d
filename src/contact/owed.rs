//! What is owed: the one function that compares what is wanted with what Freshsales last accepted.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::heard::same;
use super::payload::CUSTOM_FIELD_PREFIX;
use super::{Attributes, Refused, STATUS, Standing};
use crate::clock::UnixMicros;
use crate::event::SourceName;

/// What the persons of a contact add up to.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent conditions, each named by the rules of what is owed"
)]
pub struct Wish {
    /// Everything wanted, with the status; empty when nobody has the address any more.
    pub attributes: Attributes,
    /// Wanted only while Freshsales does not have the contact (`when = "create"`).
    pub on_create: Attributes,
    /// Wanted only where Freshsales has no value (`when = "empty"`).
    pub on_empty: Attributes,
    /// What of `attributes` visitors alone said: it replaces nothing that Freshsales had from elsewhere.
    pub by_visitors: BTreeSet<String>,
    /// When each attribute was said, as it is called in calls.
    pub said_at: BTreeMap<String, UnixMicros>,
    /// Somebody has this address as theirs now.
    pub has_member: bool,
    /// A mapped event happened near enough to the statement that completed the contact.
    pub started: bool,
    /// Something since the last acceptance may update a contact that Freshsales has.
    pub may_update: bool,
    /// Why the address is no contact whatever is said of it, if it is none.
    pub excluded: Option<Exclusion>,
    /// Why the consent gate is shut, if it is.
    pub gate_shut: Option<String>,
    /// The marketing statement that counts is a refusal.
    pub withdrawn: bool,
    /// It was said by somebody who merely named the address; by which source.
    pub refused_by_stranger: Option<SourceName>,
    /// When the last event that needs no consent was received.
    pub exempt: Option<UnixMicros>,
    /// A contact that Freshsales does not have waits for a statement of consent.
    pub awaits_consent: bool,
}

/// Why an address is no contact whatever is said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exclusion {
    /// It fits this pattern of the configuration. A contact that Freshsales has is still told of a withdrawal.
    Pattern(String),
    /// A person ordered that nothing of it is ever sent: no withdrawal either.
    Suppressed,
}

/// What calls carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendMode {
    /// After the first call only what differs from what was accepted.
    #[default]
    Changed,
    /// Everything wanted, each time.
    All,
}

/// The settings that what is owed depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// What calls carry.
    pub send: SendMode,
    /// Whether a withdrawal reaches Freshsales through a shut gate.
    pub propagate_withdrawal: bool,
    /// The status that says "unsubscribed".
    pub unsubscribed: Value,
    /// What was accepted last before this moment is sent again though nothing changed.
    pub resend_before: Option<UnixMicros>,
}

/// A call that is owed.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// What it carries beside the email. Empty: the contact is only read, since a message that is not believed spoke of it.
    pub attributes: Attributes,
    /// Whether that is everything wanted.
    pub whole: bool,
    /// Whether it tells Freshsales that somebody withdrew consent.
    pub withdrawal: bool,
    /// Nothing changed; it is only long since the contact was sent.
    pub resend: bool,
    /// The source whose withdrawals of strangers it counts among, if it is one.
    pub stranger_of: Option<SourceName>,
}

/// Why nothing is owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhyNothing {
    /// Nobody has this address any more.
    NoPerson,
    /// No mapped event yet, or too long before.
    NotStarted,
    /// Consent is required and not given; says which.
    GateShut(String),
    /// The address is no contact.
    Excluded(Exclusion),
    /// Freshsales has it as wanted, or will when the call on its way arrives.
    Unchanged,
    /// Freshsales refused exactly this.
    Refused,
}

/// Whether a call is owed, and what it carries.
#[derive(Clone, Debug, PartialEq)]
pub enum Owed {
    /// No call.
    Nothing(WhyNothing),
    /// One call.
    Call(Call),
}

/// Compares what is wanted with what Freshsales holds.
#[must_use]
pub fn owed(wish: &Wish, standing: &Standing, rules: &Rules) -> Owed {
    let known = standing.known();
    let baseline = standing.baseline();
    let told = baseline.get(STATUS) == Some(&rules.unsubscribed) && !standing.unanswered.contains_key(STATUS);
    let withdrawal = wish.withdrawn && known && !told;
    let only_status = || {
        let attributes = Attributes::from([(STATUS.to_owned(), rules.unsubscribed.clone())]);
        let stranger_of = wish.refused_by_stranger.clone();
        Owed::Call(Call { attributes, whole: false, withdrawal: true, resend: false, stranger_of })
    };
    let may_tell = withdrawal && rules.propagate_withdrawal;
    if let Some(suppressed @ Exclusion::Suppressed) = &wish.excluded {
        return Owed::Nothing(WhyNothing::Excluded(suppressed.clone()));
    }
    if !wish.has_member {
        return if may_tell { only_status() } else { Owed::Nothing(WhyNothing::NoPerson) };
    }
    if let Some(why) = &wish.excluded {
        return if may_tell { only_status() } else { Owed::Nothing(WhyNothing::Excluded(why.clone())) };
    }
    if let Some(why) = &wish.gate_shut {
        return if may_tell { only_status() } else { Owed::Nothing(WhyNothing::GateShut(why.clone())) };
    }
    let reads = standing.doubted_at.is_some() && known;
    let begun = if known {
        wish.may_update || withdrawal || reads || !standing.unanswered.is_empty()
    } else {
        wish.started
    };
    if !begun && !standing.send_whole {
        return Owed::Nothing(if known { WhyNothing::Unchanged } else { WhyNothing::NotStarted });
    }
    let wanted = wanted(wish, standing);
    let is_refused = |refused: &Refused| refused.wanted == wanted && !refused.redrive.goes_again();
    if standing.refused.as_ref().is_some_and(is_refused) && !withdrawal {
        return Owed::Nothing(WhyNothing::Refused);
    }
    let never_accepted = standing.accepted.is_none() && standing.in_flight.is_none();
    let changed = differing(&wanted, &baseline, standing);
    let stale = standing.is_stale(rules.resend_before);
    let resend = changed.is_empty() && !standing.send_whole && !never_accepted;
    if resend && !stale && !reads {
        return Owed::Nothing(WhyNothing::Unchanged);
    }
    let whole = never_accepted || standing.send_whole || stale || rules.send == SendMode::All;
    // What a stranger refuses goes by itself: it may have to wait, and nothing else waits for it.
    let apart = withdrawal && wish.refused_by_stranger.is_some();
    let more = never_accepted || standing.send_whole || changed.keys().any(|name| name != STATUS);
    if apart && !more {
        return only_status();
    }
    let mut attributes = if whole { whole_call(wanted, &changed, rules.send) } else { changed };
    attributes.retain(|name, _| !apart || name != STATUS);
    Owed::Call(Call {
        attributes,
        whole,
        withdrawal: withdrawal && !apart,
        resend: resend && stale,
        stranger_of: None,
    })
}

/// Everything wanted, less the status that Freshsales was told already: who unsubscribed there since stays
/// unsubscribed.
fn whole_call(mut wanted: Attributes, changed: &Attributes, send: SendMode) -> Attributes {
    match send {
        SendMode::Changed => wanted.retain(|name, _| name != STATUS || changed.contains_key(STATUS)),
        SendMode::All => {}
    }
    wanted
}

/// Everything that a contact should have, as it stands now, less the values that were refused for it.
#[must_use]
pub fn wanted(wish: &Wish, standing: &Standing) -> Attributes {
    let mut wanted = wish.attributes.clone();
    // A first call that was not answered may have made no contact: what it carried for a new one is carried until one is.
    let may_be_new = |name: &String| {
        !standing.known()
            || standing.made_anew
            || (standing.accepted.is_none() && standing.unanswered.contains_key(name))
    };
    // One that a look-up has shown was not made by this call.
    let new = wish.on_create.iter().filter(|(name, _)| may_be_new(name) && !standing.theirs.contains(*name));
    wanted.extend(new.map(|(name, value)| (name.clone(), value.clone())));
    let blank = wish.on_empty.iter().filter(|(name, _)| standing.blank.contains(*name));
    wanted.extend(blank.map(|(name, value)| (name.clone(), value.clone())));
    wanted.retain(|name, value| standing.left_out.get(name) != Some(value));
    wanted.retain(|name, _| !(wish.by_visitors.contains(name) && standing.theirs.contains(name)));
    standing.hearing.leave(&mut wanted, &wish.said_at, standing.accepted.as_ref());
    wanted
}

/// What differs from what Freshsales holds. Custom fields go whole: a part of them may wipe the rest.
fn differing(wanted: &Attributes, baseline: &Attributes, standing: &Standing) -> Attributes {
    let is_there = |name: &String, value: &Value| match baseline.get(name) {
        Some(known) if standing.hearing.of(name).is_some() => same(name, known, value),
        known => known == Some(value),
    };
    let differs =
        |name: &String, value: &Value| !is_there(name, value) || standing.unanswered.contains_key(name);
    let is_custom = |name: &str| name.starts_with(CUSTOM_FIELD_PREFIX);
    let custom_differs = wanted.iter().any(|(name, value)| is_custom(name) && differs(name, value));
    let goes =
        |(name, value): &(&String, &Value)| differs(name, value) || (custom_differs && is_custom(name));
    wanted.iter().filter(goes).map(|(name, value)| (name.clone(), value.clone())).collect()
}
