//! Erasing: who and what goes with a person, what stays of others, and what is not heard any more afterwards.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::erase_records::erase_records;
use super::hearing::{Heard, Voice};
use super::{Reading, Settings, Settlement, World, consider};
use crate::clock::UnixMicros;
use crate::consent::{Choice, Statement};
use crate::contact::{ConsentHistory, Standing};
use crate::delivery::{Account, DeliveryId, Erasing, Verdict};
use crate::destination::Ended;
use crate::erasure::{
    CallEnd, Device, ErasureSubject, Extent, ForgetId, ForgetOrder, Mark, Receipt, Target, Waits,
};
use crate::event::{Email, Stamp, Stamped, Trust};
use crate::person::{Claim, Facts, PersonId, PersonKey, Timeline, TimelineKey};

/// What an event still says, less what was said before its person was erased; nothing when that is all of it.
pub(super) fn still_said<'r>(reading: &'r Reading, world: &mut World) -> Option<Cow<'r, Reading>> {
    let gone = |mark: &Mark| world.tombstones.get(mark).is_some_and(|at| reading.stamp.at <= *at);
    let gone_email = |email: &Email| {
        let before = email.as_stored_before();
        gone(&Mark::Email(email.clone())) || before.is_some_and(|before| gone(&Mark::Email(before)))
    };
    let of_space = |mark: fn(String, String) -> Mark, id: &String| mark(reading.people.clone(), id.clone());
    let speaker_gone =
        match (&reading.user, reading.email().or(reading.consent_of.as_ref()), &reading.anonymous) {
            (Some(user), ..) => gone(&of_space(Mark::User, user)),
            (None, Some(email), _) => gone_email(email),
            (None, None, device) => {
                device.as_ref().is_some_and(|device| gone(&of_space(Mark::Anonymous, device)))
            }
        };
    let message = Mark::Message(reading.source.clone(), reading.stamp.message_id.clone());
    let message_gone = world.tombstones.contains_key(&message);
    let subject_gone = message_gone || speaker_gone;
    if reading.blank || subject_gone || reading.own.emails.iter().any(|(email, _)| gone_email(email)) {
        world.to_blank.push(reading.position);
        return None;
    }
    let named = reading.named.as_ref().map(|(email, _)| email);
    let friend_gone = named.into_iter().chain(&reading.consent_of).any(gone_email);
    let previous_gone = reading
        .previous
        .as_ref()
        .is_some_and(|id| gone(&of_space(Mark::Anonymous, id)) || gone(&of_space(Mark::User, id)));
    if !friend_gone && !previous_gone {
        return Some(Cow::Borrowed(reading));
    }
    world.to_blank.push(reading.position);
    let mut rest = reading.clone();
    rest.named = rest.named.filter(|_| !friend_gone);
    rest.consent_of = rest.consent_of.filter(|_| !friend_gone);
    rest.previous = rest.previous.filter(|_| !previous_gone);
    // What it tells may repeat what it says of them.
    rest.happenings.clear();
    rest.notes.push("it names somebody who was erased; that part does not count".to_owned());
    Some(Cow::Owned(rest))
}

/// The end of a call whose contact was erased meanwhile: the account's state learns from the answer, nobody else.
pub(super) fn settle_erased(
    settlement: &Settlement,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) {
    world.deliveries.erase(&settlement.order.delivery);
    let end = match &settlement.verdict {
        // The id is that of a lead, or would be: which record has the address is looked up.
        Verdict::Stored(_) if settlement.order.request.record() == Some("lead") => CallEnd::Unknown,
        Verdict::Stored(stored) => CallEnd::Stored(stored.id),
        Verdict::Refused { .. }
        | Verdict::Throttled { .. }
        | Verdict::Blocked { .. }
        | Verdict::Gone { .. }
        | Verdict::Shut { .. } => CallEnd::NotWritten,
        Verdict::Passing { .. } => CallEnd::Unknown,
    };
    world.erased_calls.push((settlement.order.delivery.clone(), end));
    let ended = Ended {
        verdict: &settlement.verdict,
        kind: settlement.order.request.kind(),
        delivery: &settlement.order.delivery,
        probe: settlement.probe,
        refused_for_good: false,
        retry_max: settings.retry.max,
    };
    let mut destination = world.destination.document.after(ended, now);
    // The words of the answer may repeat what was sent.
    destination.forget_words(|_| true);
    if destination != world.destination.document {
        world.destination.document = destination;
        world.destination.changed = true;
    }
}

/// How far an erasure reaches, by the documents of a working set. New names in the answer may call for more documents.
#[must_use]
pub fn extent(subject: &ErasureSubject, world: &World) -> Extent {
    let mut extent = Extent::default();
    match subject {
        ErasureSubject::Email(email) => {
            extent.emails.insert(email.clone());
            extent.people.extend(owners(email, world));
        }
        ErasureSubject::User(key) => {
            extent.people.insert(key.clone());
        }
    }
    loop {
        let before = (extent.people.len(), extent.emails.len());
        let addresses = addresses_of(&extent.people, world);
        let stays = |key: &PersonKey| !matches!(key.id, PersonId::Email(_)) && !extent.people.contains(key);
        let (shared, alone): (BTreeSet<_>, BTreeSet<_>) =
            addresses.into_iter().partition(|email| owners(email, world).any(|key| stays(&key)));
        extent.emails.extend(alone);
        extent.shared = shared;
        let of_address = world.people.iter().map(|(key, _)| key).filter(|key| match &key.id {
            PersonId::Email(email) => extent.emails.contains(email),
            PersonId::User(_) | PersonId::Anonymous(_) => false,
        });
        let of_address: Vec<PersonKey> = of_address.cloned().collect();
        extent.people.extend(of_address);
        if before == (extent.people.len(), extent.emails.len()) {
            break;
        }
    }
    extent.devices = world.timelines.iter().filter_map(|(key, line)| device(key, line, &extent)).collect();
    extent
}

/// Everybody whose own an address is.
fn owners<'w>(email: &'w Email, world: &'w World) -> impl Iterator<Item = PersonKey> + 'w {
    let owns = move |key: &PersonKey, facts: &Facts| {
        matches!(&key.id, PersonId::Email(own) if own == email) || facts.owns(email)
    };
    world.people.iter().filter(move |(key, person)| owns(key, &person.facts())).map(|(key, _)| key.clone())
}

/// Every address that is or was somebody's own of these people, and those of contacts that have no other members.
fn addresses_of(people: &BTreeSet<PersonKey>, world: &World) -> BTreeSet<Email> {
    let mut addresses = BTreeSet::new();
    for key in people {
        if let PersonId::Email(email) = &key.id {
            addresses.insert(email.clone());
        }
        let Some(person) = world.people.get(key) else { continue };
        let facts = person.facts();
        addresses.extend(facts.emails.keys().filter(|email| facts.owns(email)).cloned());
        // What was typed on their device before they signed in is theirs; a friend's address is not among it.
        addresses.extend(person.borrowed.values().flat_map(|facts| facts.emails.keys()).cloned());
    }
    let only_theirs = |email: &&Email| {
        let members = world.members(email);
        !members.is_empty() && members.iter().all(|key| people.contains(key))
    };
    addresses.extend(world.contacts.iter().map(|(email, _)| email).filter(only_theirs).cloned());
    addresses
}

fn device(key: &TimelineKey, line: &Timeline, extent: &Extent) -> Option<Device> {
    let theirs = |id: &PersonId| {
        extent.people.contains(&PersonKey { people: key.people.clone(), id: id.clone() })
            || matches!(id, PersonId::Email(email) if extent.emails.contains(email))
    };
    let seen = line.people().any(|id| theirs(&id));
    let shared = line.knows_not_all() || line.people().any(|id| !theirs(&id));
    let spans = if shared { line.spans_of(theirs) } else { Vec::new() };
    (seen && (!shared || !spans.is_empty())).then(|| Device { key: key.clone(), spans })
}

/// Who erases, and where.
#[derive(Clone, Copy, Debug)]
pub struct ErasureOrder {
    /// The order to erase.
    pub erasure: u64,
    /// Whether the contacts are to be forgotten in Freshsales too.
    pub forget_in_crm: bool,
}

/// Erases everything that an extent reaches from a working set that holds all of it; answers what that was, in numbers,
/// and what has to end before nothing is left.
pub fn erase(
    extent: &Extent,
    order: ErasureOrder,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> (Receipt, Waits) {
    let mut receipt = Receipt { erased_at: now, ..Receipt::default() };
    let mut waits = Waits::default();
    let denials = denials(extent, world, settings);
    world.told.erased.extend(extent.emails.union(&extent.shared).cloned());
    for key in &extent.people {
        receipt.people += u64::from(world.people.remove(key).is_some());
    }
    for device in &extent.devices {
        receipt.anonymous_ids += 1;
        take_back(device, extent, world);
    }
    receipt.mentions += forget_mentions(extent, world);
    let mut unknown = Vec::new();
    for email in &extent.emails {
        let Some(contact) = world.contacts.remove(email) else {
            unknown.push(email);
            continue;
        };
        receipt.contacts += 1;
        for (account, standing) in contact.standing {
            let of = Of { email, account, ours: &settings.account };
            let behind = end_calls((&standing.open, in_flight(&standing)), &of, order, world, &mut receipt);
            waits.calls.extend(behind.clone());
            for member in standing.lists.values() {
                let call = member.in_flight.as_ref().map(|call| &call.delivery);
                waits.calls.extend(end_calls((&member.open, call), &of, order, world, &mut receipt));
            }
            if order.forget_in_crm {
                order_to_forget(&standing, of, behind, order.erasure, world, &mut receipt);
            }
        }
    }
    // Who was erased here before, or never was here, may still be there.
    if order.forget_in_crm && receipt.forget_ordered + receipt.forget_elsewhere == 0 {
        for email in unknown {
            let of = Of { email, account: settings.account.clone(), ours: &settings.account };
            order_forgetting(
                Target::Address(email.clone()),
                false,
                of,
                None,
                order.erasure,
                world,
                &mut receipt,
            );
        }
    }
    let forgets = order.forget_in_crm.then_some(order.erasure);
    erase_records((extent, forgets), world, settings, &mut receipt, &mut waits);
    for (email, denial) in denials {
        keep_denial(&email, denial, world, settings);
    }
    leave_contacts(extent, world, settings);
    let named = |words: &str| {
        let words = words.to_lowercase();
        extent.emails.iter().any(|email| email.stands_in(&words))
    };
    world.destination.changed |= world.destination.document.forget_words(named);
    world.buried.extend(extent.marks().map(|mark| (mark, now)));
    let looks_up = world.forgets.iter().any(|order| order.address().is_some());
    waits.look_ups.extend(looks_up.then_some(order.erasure));
    (receipt, waits)
}

/// Takes a time line, or the person's part of it, and what it gave to others.
fn take_back(device: &Device, extent: &Extent, world: &mut World) {
    let Some(line) = world.timelines.get(&device.key) else { return };
    let before = line.given();
    let mut after = if device.spans.is_empty() {
        world.timelines.remove(&device.key);
        BTreeMap::new()
    } else {
        let line = world.timelines.edit(&device.key);
        line.cut(&device.spans);
        line.given()
    };
    let owners: BTreeSet<PersonId> = before.keys().chain(after.keys()).cloned().collect();
    for id in owners {
        let given = after.remove(&id);
        let key = PersonKey { people: device.key.people.clone(), id };
        if given.as_ref() != before.get(&key.id)
            && !extent.people.contains(&key)
            && world.people.get(&key).is_some()
        {
            world.people.edit(&key).borrow_from(&device.key.anonymous_id, given);
        }
    }
}

/// Others who named one of the addresses, such as who invited a friend.
fn forget_mentions(extent: &Extent, world: &mut World) -> u64 {
    let mut mentions = 0;
    let keys: Vec<PersonKey> = world.people.iter().map(|(key, _)| key.clone()).collect();
    for key in keys {
        let Some(mut person) = world.people.get(&key).cloned() else { continue };
        extent.emails.iter().for_each(|email| person.forget_email(email));
        if world.people.get(&key) != Some(&person) {
            *world.people.edit(&key) = person;
            mentions += 1;
        }
    }
    let keys: Vec<TimelineKey> = world.timelines.iter().map(|(key, _)| key.clone()).collect();
    for key in keys {
        let Some(mut line) = world.timelines.get(&key).cloned() else { continue };
        let named = extent.emails.iter().filter(|email| line.forget_email(email)).count();
        if named > 0 {
            *world.timelines.edit(&key) = line;
            mentions += 1;
        }
    }
    mentions
}

/// Whose contact it is.
struct Of<'a> {
    email: &'a Email,
    account: Account,
    /// The account that calls go to.
    ours: &'a Account,
}

fn in_flight(standing: &Standing) -> Option<&DeliveryId> {
    standing.in_flight.as_ref().map(|call| &call.delivery)
}

/// Ends the delivery that is open and the one on its way of a contact, or of its place on a list; answers the call on its way,
/// whose answer is waited for.
fn end_calls(
    (open, on_its_way): (&Option<DeliveryId>, Option<&DeliveryId>),
    of: &Of<'_>,
    order: ErasureOrder,
    world: &mut World,
    receipt: &mut Receipt,
) -> Option<DeliveryId> {
    if let Some(open) = open {
        receipt.deliveries += u64::from(world.deliveries.get(open).is_some());
        world.deliveries.erase(open);
    }
    let call = on_its_way.filter(|call| world.deliveries.get(call).is_some())?;
    receipt.deliveries += 1;
    if of.account != *of.ours {
        // Nobody will ask for its answer.
        world.deliveries.erase(call);
        return None;
    }
    // Its answer is waited for, so that no newer call of this address meets it on the way.
    let how = if order.forget_in_crm { Erasing::InCrmToo } else { Erasing::Here };
    world.deliveries.change(call, |delivery| delivery.erase_in_flight(how));
    Some(call.clone())
}

/// Orders that an account forgets a contact, if it may have it.
fn order_to_forget(
    standing: &Standing,
    of: Of<'_>,
    behind: Option<DeliveryId>,
    erasure: u64,
    world: &mut World,
    receipt: &mut Receipt,
) {
    let written = standing.accepted.is_some() || !standing.unanswered.is_empty();
    let target = match standing.record_id() {
        Some(id) if standing.lead.is_some() => {
            // A lead that is gone may have become a contact, which is looked for by its address.
            Target::Lead(id, (of.account == *of.ours).then(|| of.email.clone()))
        }
        Some(id) => Target::Contact(id, BTreeSet::new()),
        None if !standing.known() => return,
        None if of.account != *of.ours => {
            receipt.forget_elsewhere += 1;
            return;
        }
        None => Target::Address(of.email.clone()),
    };
    let may_exist = written || matches!(target, Target::Contact(..) | Target::Lead(..));
    order_forgetting(target, may_exist, of, behind, erasure, world, receipt);
}

fn order_forgetting(
    target: Target,
    may_exist: bool,
    of: Of<'_>,
    behind: Option<DeliveryId>,
    erasure: u64,
    world: &mut World,
    receipt: &mut Receipt,
) {
    receipt.forget_ordered += 1;
    world.forgets.push(ForgetOrder {
        id: ForgetId { erasure, nth: world.forgets.len() as u64 },
        account: of.account,
        may_exist,
        target,
        behind,
        next_attempt_at: receipt.erased_at,
        failures: 0,
        misses: 0,
    });
}

/// A refusal of somebody who goes, for an address that others have too.
type Denial = Stamped<Statement>;

/// The refusals that bind shared addresses.
fn denials(extent: &Extent, world: &World, settings: &Settings) -> Vec<(Email, Denial)> {
    let of_address = |email: &Email| {
        let people = extent.people.iter().filter_map(|key| Some((key, world.people.get(key)?.facts())));
        let theirs: Vec<_> = people.filter(|(_, facts)| facts.owns(email)).collect();
        let voices = theirs.iter().map(|(key, facts)| Voice::of(key, facts, email));
        let heard = Heard::over(voices.map(|voice| voice.heard(&settings.consent.marketing)));
        // Whoever was no stranger is none because they are gone.
        let trust = if heard.refused_by_stranger().is_some() { Trust::Visitor } else { Trust::Server };
        let counted = heard.stand().choice?;
        let denied = counted.statement.choice == Choice::Denied;
        // Where somebody was when they refused is theirs.
        let value = Statement { page: None, ..counted.statement };
        denied.then_some(Stamped { value, stamp: Stamp { trust, ..counted.since } })
    };
    extent.shared.iter().filter_map(|email| Some((email.clone(), of_address(email)?))).collect()
}

/// A shared address stays unsubscribed: the refusal becomes the address's own.
fn keep_denial(email: &Email, denial: Denial, world: &mut World, settings: &Settings) {
    let key =
        PersonKey { people: crate::person::DEFAULT_PEOPLE.to_owned(), id: PersonId::Email(email.clone()) };
    let stamp = Stamp { message_id: String::new(), ..denial.stamp };
    let mut facts = Facts::default();
    let said = Stamped { value: denial.value, stamp: stamp.clone() };
    facts.say_consent(settings.consent.marketing.clone(), said);
    let claim = Claim { first_at: stamp.at, as_trait: Some(stamp), as_property: None, as_id: None };
    facts.emails.insert(email.clone(), claim);
    world.people.edit(&key).own.join(&facts);
    world.join(email, &key, settings);
}

/// Contacts that others stay in: the person is no member any more, and values that were theirs alone are forgotten.
fn leave_contacts(extent: &Extent, world: &mut World, settings: &Settings) {
    let emails: Vec<Email> = world.contacts.iter().map(|(email, _)| email.clone()).collect();
    for email in emails {
        if !world.leave(&email, |key| extent.people.contains(key)) {
            continue;
        }
        // Whose changes of consent they were can't be told apart. What counts now is noted anew.
        world.contacts.edit(&email).consent = ConsentHistory::default();
        let wish = consider(&email, world, settings).wish;
        let contact = world.contacts.edit(&email);
        contact.keep_only(&wish.attributes);
        let open: Vec<_> = contact.standing.values().filter_map(|standing| standing.open.clone()).collect();
        for id in open {
            world.deliveries.change(&id, |mut delivery| {
                delivery.attempts.clear();
                delivery
            });
        }
    }
}
