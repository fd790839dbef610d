//! What Freshsales says of a deal of its own: which deal of here it is, and what it has.
//!
//! A deal that somebody made there with a key of ours is remembered as one that exists, so that a later event of it makes no
//! second one. Must not judge which of two statements counts.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::tell::{By, Moved, deal_moved};
use super::super::{Action, Reading, Settings, World};
use super::{Occasion, evaluate, wish_of};
use crate::clock::UnixMicros;
use crate::contact::{Worth, same};
use crate::deal::{self, Birth, Carried, PIPELINE, STAGE, Seen, Standing};
use crate::delivery::{DealKey, DeliveryId, Lane, Subject};
use crate::event::CrmSaid;
use crate::mapping::{DealRule, Label};

/// What became of what was said of a deal.
#[derive(Default)]
pub(in crate::decision) struct HeardOfDeal {
    /// What it is worth; nothing where no deal of here is meant.
    pub worth: Option<Worth>,
    /// It is another deal of here than was known.
    pub merged: Option<String>,
    /// What a person should know.
    pub notes: Vec<String>,
    /// What was done to deals.
    pub actions: Vec<Action>,
}

/// Takes in what Freshsales says of a deal.
pub(in crate::decision) fn hear(
    reading: &Reading,
    said: &CrmSaid,
    at: UnixMicros,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> HeardOfDeal {
    let mut heard = HeardOfDeal::default();
    let Some(key) = which(reading, said, &mut heard, world, settings, now) else { return heard };
    let mut standing = world.deals.get(&key).map(|deal| deal.with(&settings.account)).unwrap_or_default();
    match is_it(&standing, said.id) {
        Is::It if said.doubted => {
            // What our own calls wrote comes back in messages, and asks nothing.
            let TakenIn { worth, notes, .. } = take_in(&said.said, &key, &mut standing.clone(), settings, at);
            if notes.is_empty() && matches!(worth, Some(Worth::Echo | Worth::Stale)) {
                heard.worth = Some(Worth::Echo);
                return heard;
            }
            standing.doubted_at = standing.doubted_at.max(Some(reading.received_at));
            *standing_of(&key, world, settings) = standing;
            heard.worth = Some(Worth::News);
            heard.actions.push(reconsider(&key, world, settings, now));
            return heard;
        }
        Is::Taken(_) if said.doubted => {
            // Whether it exists is asked before it is created; no message makes a deal of another's id.
            standing.birth = standing.birth.distrusted(at);
            *standing_of(&key, world, settings) = standing;
            heard.worth = Some(Worth::News);
            return heard;
        }
        Is::It => {}
        Is::Taken(id) => {
            standing.adopt(id, None);
            heard.worth = Some(Worth::News);
            heard.notes.push(format!("deal {id} exists in Freshsales, so none is created"));
        }
        Is::OnItsWay => {
            heard.worth = Some(Worth::Echo);
            return heard;
        }
        Is::Another(why) => {
            heard.worth = Some(Worth::Stale);
            heard.notes.push(why);
            return heard;
        }
    }
    heard.worth = heard.worth.max(Some(Worth::Echo));
    let before = standing.clone();
    let TakenIn { worth, notes, stage } = take_in(&said.said, &key, &mut standing, settings, at);
    heard.worth = heard.worth.max(worth);
    heard.notes.extend(notes);
    *standing_of(&key, world, settings) = standing.clone();
    let cause = DeliveryId::of(reading.position, 0);
    told_by_freshsales(&key, &cause, (&before, &standing), stage, world, settings, now);
    heard.actions.push(reconsider(&key, world, settings, now));
    heard
}

/// What became of what Freshsales has of a deal.
struct TakenIn {
    worth: Option<Worth>,
    /// What a person should know.
    notes: Vec<String>,
    /// The id of the stage that was said.
    stage: Option<u64>,
}

/// Takes in what Freshsales has of a deal.
fn take_in(
    said: &BTreeMap<String, Value>,
    key: &DealKey,
    standing: &mut Standing,
    settings: &Settings,
    at: UnixMicros,
) -> TakenIn {
    let rule = settings.preset.deal_kind(key.kind());
    let (values, mut notes) = rule.map(|rule| values(said, rule, settings)).unwrap_or_default();
    let (mut most, mut news, mut stage) = (None, Vec::new(), None);
    for (name, value, said) in values {
        let worth = standing.hear(&name, &value, at);
        if worth == Worth::Frozen {
            notes.push(format!("stays as Freshsales has it: {name}"));
        }
        stage = said.or(stage);
        if let Some(stage_id) = said.filter(|_| standing.seen.is_none_or(|seen| seen.at < at)) {
            standing.seen = Some(Seen { stage_id, at });
        }
        if worth == Worth::News {
            news.push(name);
        }
        most = most.max(Some(worth));
    }
    if !news.is_empty() {
        notes.push(format!("Freshsales has another value than it accepted from here: {}", news.join(", ")));
    }
    TakenIn { worth: most, notes, stage }
}

/// A deal was read, by a question that left then, since a message spoke of it which is not believed by itself. Tells what a
/// person should know.
pub(super) fn read(
    (shown, left_at): (&Map<String, Value>, UnixMicros),
    key: &DealKey,
    standing: &mut Standing,
    settings: &Settings,
) -> Vec<String> {
    // What it has now it had when the message came, or another message follows.
    let Some(doubted_at) = standing.doubted_at else { return Vec::new() };
    // One that came while the question was on its way may tell of a later change: it is asked for once more.
    standing.doubted_at = Some(doubted_at).filter(|doubted_at| *doubted_at > left_at);
    let deal = shown.get("deal").and_then(Value::as_object).unwrap_or(shown);
    let custom = deal.get("custom_field").and_then(Value::as_object).into_iter().flatten();
    let custom = custom.map(|(name, value)| (format!("custom_field.{name}"), value.clone()));
    let plain = deal.iter().map(|(name, value)| (name.clone(), value.clone()));
    let said = plain.filter(|(_, value)| !value.is_object() && !value.is_array()).chain(custom).collect();
    take_in(&said, key, standing, settings, doubted_at.min(left_at)).notes
}

/// What else follows where Freshsales moved a deal to a stage, or an attribute of it turns again and again.
pub(super) fn told_by_freshsales(
    key: &DealKey,
    cause: &DeliveryId,
    (before, after): (&Standing, &Standing),
    stage: Option<u64>,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) {
    let frozen: BTreeMap<_, _> = before.hearing.frozen().collect();
    for (name, at) in after.hearing.frozen() {
        if frozen.get(name) != Some(&at) {
            world.freeze(format!("deal {name}"), now);
        }
    }
    let heard = |standing: &Standing| standing.hearing.of(STAGE).map(|heard| heard.value.clone());
    if heard(before) != heard(after)
        && let Some(stage_id) = stage
    {
        tell_move(key, stage_of(before).as_deref(), stage_id, cause, world, settings, now);
    }
}

/// The deal of here that is meant: the one with its id, or else with its key. One whose key moved to another is left alone.
fn which(
    reading: &Reading,
    said: &CrmSaid,
    heard: &mut HeardOfDeal,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> Option<DealKey> {
    let by_id = said.id.and_then(|id| known_as(id, world, settings));
    let by_key = meant(&settings.preset.deals_meant(said, &reading.people), world);
    match (by_id, by_key) {
        (Some(known), Some(named)) if known != named && !said.doubted => {
            heard.merged = Some(format!(
                "Freshsales has this deal under the key {} now; it was {} here, which is left alone",
                named.key(),
                known.key()
            ));
            let old = standing_of(&known, world, settings);
            old.leave_alone(now);
            old.birth = Birth::Planned;
            heard.actions.push(reconsider(&known, world, settings, now));
            Some(named)
        }
        (Some(known), _) => Some(known),
        (None, named) => named,
    }
}

/// The stage in which Freshsales has it, as far as that is known.
fn stage_of(standing: &Standing) -> Option<String> {
    let heard = standing.hearing.of(STAGE).map(|heard| &heard.value);
    heard.or_else(|| standing.accepted.get(STAGE)).map(deal::text_of)
}

/// Others are told that somebody moved it there.
fn tell_move(
    key: &DealKey,
    from: Option<&str>,
    stage_id: u64,
    cause: &DeliveryId,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) {
    let Some((_, stage)) = settings.selectors.stage_by_id(stage_id) else { return };
    let Some(deal) = world.deals.get(key).filter(|_| from != Some(stage.name.as_str())) else { return };
    let Some(wanted) = wish_of(key, deal, world, settings) else { return };
    let standing = deal.with(&settings.account);
    let mut attributes = wanted.whole();
    attributes.extend(standing.accepted.clone());
    attributes.extend(standing.hearing.current().map(|(name, heard)| (name.clone(), heard.value.clone())));
    let moved = Moved {
        key,
        email: wanted.email.as_ref(),
        id: standing.birth.id(),
        from,
        to: (&stage.name, stage.forecast),
        attributes: &attributes,
        at: None,
        by: By::Freshsales,
        cause: cause.to_string(),
    };
    deal_moved(&moved, world, settings, now);
}

fn standing_of<'w>(key: &DealKey, world: &'w mut World, settings: &Settings) -> &'w mut Standing {
    world.deals.edit(key).standing.entry(settings.account.clone()).or_default()
}

/// What is owed to it by what is known now. What waits to be sent may be what somebody there has corrected.
fn reconsider(key: &DealKey, world: &mut World, settings: &Settings, now: UnixMicros) -> Action {
    let occasion = Occasion { lane: Lane::Refresh, by_event: false };
    evaluate(key, DeliveryId::without_event(&Subject::Deal(key.clone()), now), occasion, world, settings, now)
}

/// The deal of here that has an id there.
fn known_as(id: u64, world: &World, settings: &Settings) -> Option<DealKey> {
    let has = |deal: &deal::Deal| deal.with(&settings.account).birth.id() == Some(id);
    world.deals.iter().find(|(_, deal)| has(deal)).map(|(key, _)| key.clone())
}

/// The one of several that is meant: the only one, or the only one that is known.
fn meant(keys: &[DealKey], world: &World) -> Option<DealKey> {
    let known: Vec<&DealKey> = keys.iter().filter(|key| world.deals.get(key).is_some()).collect();
    match (keys, known.as_slice()) {
        ([only], _) => Some(only.clone()),
        (_, [only]) => Some((*only).clone()),
        _ => None,
    }
}

/// Whether what is said is said of the deal that is known.
enum Is {
    It,
    /// It exists there under this id, whoever made it.
    Taken(u64),
    /// The call that creates it is on its way.
    OnItsWay,
    /// It is another one, or it is to be left alone; says why.
    Another(String),
}

fn is_it(standing: &Standing, id: Option<u64>) -> Is {
    let creates = standing.in_flight.as_ref().is_some_and(|call| call.carried == Carried::Create);
    match (standing.birth, id) {
        (Birth::Told { id: known }, Some(id)) if known != id => Is::Another(format!(
            "Freshsales has two deals with this key, {known} and {id}; {known} is kept current and {id} is left as it is"
        )),
        (Birth::Told { .. }, _) => Is::It,
        _ if creates => Is::OnItsWay,
        _ if standing.left_alone_at.is_some() => {
            Is::Another("somebody decided to leave the deal of this key alone".to_owned())
        }
        (
            Birth::Planned | Birth::Sent | Birth::Unanswered { .. } | Birth::Taken { .. } | Birth::Unclear,
            Some(id),
        ) => Is::Taken(id),
        (
            Birth::Planned | Birth::Sent | Birth::Unanswered { .. } | Birth::Taken { .. } | Birth::Unclear,
            None,
        ) => Is::Another("the deal has no id here yet, and Freshsales does not say one".to_owned()),
    }
}

type Values = Vec<(String, Value, Option<u64>)>;

/// What was said of the attributes that the kind keeps current, in names; with the stage its id. And what is not clear.
fn values(said: &BTreeMap<String, Value>, rule: &DealRule, settings: &Settings) -> (Values, Vec<String>) {
    let mut unclear = Vec::new();
    let mut values: Values = rule
        .fields
        .keys()
        .filter_map(|name| Some((name.clone(), said.get(name)?.clone(), None)))
        .filter(|(name, ..)| name != STAGE && name != PIPELINE)
        .collect();
    let stage = said.get("deal_stage_id").or_else(|| said.get(STAGE)).or_else(|| said.get("deal_stage"));
    if let Some(stage) = stage {
        let text = deal::text_of(stage);
        let pipeline =
            said.get(PIPELINE).map(deal::text_of).or_else(|| rule.pipeline.as_ref().map(Label::text));
        let id =
            text.parse::<u64>().ok().or_else(|| settings.selectors.stage(pipeline.as_deref(), &text).id());
        match id.and_then(|id| settings.selectors.stage_by_id(id)) {
            Some((_, stage)) => values.push((STAGE.to_owned(), stage.name.clone().into(), Some(stage.id))),
            None => unclear.push(
                "stage: what Freshsales says is none of the stages in the account's list, so it is not heard"
                    .to_owned(),
            ),
        }
    }
    // The same amount with another number of decimals is the same.
    values.retain(|(name, value, _)| !same(name, value, &Value::Null));
    (values, unclear)
}
