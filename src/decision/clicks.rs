//! Clicks on advertisements: what of them may be told to ad platforms.
//!
//! Only of somebody who agreed to `ad_user_data`, whose gate is open and of whose address anything is sent. Must not know how a
//! deal was won.

use serde_json::Value;

use super::wish::consider;
use super::{Considered, Settings, World};
use crate::consent::{Category, Choice, Stand};
use crate::conversion::{self, AD_USER_DATA, Click, Clicks, Touch, Touches};
use crate::event::{Email, Fww, Lww, Stamped};
use crate::output::Topic;

/// Attributes of a contact that are its phone, the first that is there.
const PHONES: [&str; 2] = ["mobile_number", "work_number"];

/// What ad platforms may be told of a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// The clicks they came by.
    pub clicks: Clicks,
    /// Their phone.
    pub phone: Option<String>,
}

/// What ad platforms may be told of whoever has an address; nothing where they may not be told.
pub(super) fn told_of(email: &Email, world: &World, settings: &Settings) -> Option<Told> {
    let considered = consider(email, world, settings);
    let stand = considered.stands.get(&Category::from(AD_USER_DATA));
    if !settings.conversions || !stand.is_some_and(is_granted) {
        return None;
    }
    if considered.wish.gate_shut.is_some() || considered.wish.excluded.is_some() {
        return None;
    }
    let attributes = &considered.wish.attributes;
    let phone = PHONES.iter().find_map(|name| attributes.get(*name)?.as_str()).map(str::to_owned);
    Some(Told { clicks: clicks_of(email, world, settings), phone })
}

/// Lets no conversion be told that waits of somebody who does not agree to that.
pub(super) fn withhold(email: &Email, considered: &Considered, world: &mut World, settings: &Settings) {
    let is_told = || settings.receivers.values().any(|it| it.topics.contains(&Topic::Conversion));
    let stand = considered.stands.get(&Category::from(AD_USER_DATA));
    if settings.conversions && !stand.is_some_and(is_granted) && is_told() {
        world.told.no_conversion.insert(email.clone());
    }
}

/// Whether it was agreed to, and nothing was said since that is not understood.
fn is_granted(stand: &Stand) -> bool {
    let granted = |choice: Choice| match choice {
        Choice::Granted => true,
        Choice::Unclear | Choice::Denied => false,
    };
    stand.unclear.is_none() && stand.choice.as_ref().is_some_and(|counted| granted(counted.statement.choice))
}

fn clicks_of(email: &Email, world: &World, settings: &Settings) -> Clicks {
    let (mut firsts, mut lasts) = (Fww::default(), Lww::default());
    for person in world.members(email).iter().filter(|key| settings.counts(key)) {
        let Some(facts) = world.people.get(person).map(crate::person::Person::facts) else { continue };
        if facts.email() != Some(email) {
            continue;
        }
        for click in Click::ALL {
            let (first, last) = (facts.firsts.get(click.path()), facts.values.get(click.path()));
            if let Some(first) = first {
                firsts.say(click, first.clone());
            }
            if let Some(last) = last {
                lasts.say(click, last.clone());
            }
        }
    }
    let touch =
        |said: &Stamped<Value>| Some(Touch { id: conversion::text_of(&said.value)?, at: said.stamp.at });
    let touches = Click::ALL.into_iter().map(|click| {
        let (first, last) = (firsts.get(&click).and_then(touch), lasts.get(&click).and_then(touch));
        (click, Touches { first, last })
    });
    touches.filter(|(_, touches)| *touches != Touches::default()).collect()
}
