//! Calls of companies: what one carries when it leaves, and what its answer changes.

use serde_json::{Map, Value};

use super::super::call::{CARRIED, Settlement, Transition, cause_in_words, end};
use super::super::deal::evaluate_waiting;
use super::super::owe::evaluate_without_event;
use super::super::{Settings, World};
use super::{let_go, put, wanted};
use crate::clock::UnixMicros;
use crate::company::{Company, InFlight, Next, Standing, upsert_body};
use crate::contact::{Redrive, Refused};
use crate::delivery::{Account, CompanyKey, Delivery, DeliveryId, Request, Verdict};

/// The next call of a company; nothing when a newer delivery carries it, or nothing is owed.
pub(in crate::decision) fn claim(
    id: &DeliveryId,
    key: &CompanyKey,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) -> Option<Request> {
    let attempt = world.deliveries.get(id)?.attempts_made + 1;
    let company = world.companies.get(key).cloned().unwrap_or_default();
    let mut standing = company.with(&settings.account);
    if standing.in_flight.is_some() {
        return None;
    }
    if standing.open.as_ref() != Some(id) {
        world.deliveries.change(id, |delivery| delivery.supersede(CARRIED, now));
        return None;
    }
    let next = wanted(key, world, settings)
        .map(|(attributes, website)| standing.next(&attributes, website.as_deref()));
    let (request, sent) = match next {
        Some(Next::Find(website)) => (Request::FindCompany { website }, None),
        Some(Next::Upsert(sent)) => {
            (Request::UpsertCompany { body: upsert_body(&name_of(key, &company), &sent) }, Some(sent))
        }
        Some(Next::Nothing | Next::Refused) | None => {
            standing.open = None;
            put(key, standing, world, settings);
            world.deliveries.change(id, |it| it.supersede("the company is as Freshsales has it", now));
            return None;
        }
    };
    standing.leave(InFlight { delivery: id.clone(), attempt, sent });
    put(key, standing, world, settings);
    world.deliveries.change(id, Delivery::claim);
    Some(request)
}

/// The name by which it is stored: that of the company that was found, else as it was last written.
fn name_of(key: &CompanyKey, company: &Company) -> String {
    company.name.as_ref().map_or_else(|| key.as_str().to_owned(), |name| name.value.clone())
}

/// Settles an attempt of a company, and evaluates the contacts and deals that waited for its id.
pub(in crate::decision) fn settle(
    settlement: Settlement,
    key: &CompanyKey,
    world: &mut World,
    settings: &Settings,
    now: UnixMicros,
) {
    let order = &settlement.order;
    let Some(company) = world.companies.get(key) else { return };
    let mut standing = company.with(&settings.account);
    let claim = |call: &InFlight| call.delivery == order.delivery && call.attempt == order.attempt;
    if !standing.in_flight.as_ref().is_some_and(claim) {
        return;
    }
    let transition = after(&settlement, &mut standing, world, settings, now);
    let (id, tried) = (order.delivery.clone(), standing.tried);
    end(settlement, transition, world, settings, now);
    put(key, standing, world, settings);
    if tried {
        for (nth, email) in let_go(key, world).into_iter().enumerate() {
            let contact = DeliveryId(format!("{id}-{nth}"));
            evaluate_without_event(&email, contact, world, settings, now);
            evaluate_waiting(&email, world, settings, now);
        }
    }
}

fn after(
    settlement: &Settlement,
    standing: &mut Standing,
    world: &World,
    settings: &Settings,
    now: UnixMicros,
) -> Transition {
    let id = &settlement.order.delivery;
    match &settlement.verdict {
        Verdict::Stored(answer) => {
            let asked = standing.in_flight.as_ref().is_some_and(|call| call.sent.is_none());
            if asked {
                let found = answer.shown.as_ref().and_then(first_found);
                standing.looked(found, now);
                return Transition::Wait("Freshsales was asked for its website".to_owned());
            }
            standing.stored(answer.id, now);
            Transition::Deliver(None)
        }
        Verdict::Refused { reason, attribute, demanded, .. } => refused(
            reason,
            attribute.as_deref().filter(|_| !demanded),
            standing,
            world.deliveries.get(id),
            now,
        ),
        Verdict::Gone { reason } | Verdict::Shut { reason } => {
            standing.not_applied();
            standing.tried = true;
            Transition::Wait(format!("the user of the API key may not edit companies: {reason}"))
        }
        Verdict::Passing { reason } => {
            standing.unanswered();
            settlement.passing(reason, world, settings, now)
        }
        Verdict::Throttled { reason, .. } => {
            standing.not_applied();
            Transition::Wait(format!("the account is throttled: {reason}"))
        }
        Verdict::Blocked { cause, reason } => {
            standing.not_applied();
            Transition::Wait(format!("{}: {reason}", cause_in_words(*cause)))
        }
    }
}

/// The lowest id among the companies of an answer of `lookup`, which nests them twice (seen on live accounts).
fn first_found(answer: &Map<String, Value>) -> Option<u64> {
    let accounts = answer.get("sales_accounts")?;
    let list = accounts.get("sales_accounts").unwrap_or(accounts).as_array()?;
    list.iter().filter_map(|account| account.get("id")?.as_u64()).min()
}

fn refused(
    reason: &str,
    attribute: Option<&str>,
    standing: &mut Standing,
    delivery: Option<&Delivery>,
    now: UnixMicros,
) -> Transition {
    standing.tried = true;
    let Some(call) = standing.not_applied() else { return Transition::Die(reason.to_owned()) };
    let Some(sent) = call.sent else {
        return Transition::Die(format!("Freshsales refused the question: {reason}"));
    };
    let value = attribute.and_then(|name| Some((name, sent.get(name)?.clone())));
    if let Some((name, value)) = value
        && delivery.is_none_or(|delivery| !delivery.salvaged)
    {
        standing.left_out.insert(name.to_owned(), value);
        return Transition::Salvage(format!("sent without {name}, which Freshsales refused: {reason}"));
    }
    let redrive = standing.refused.as_ref().map(|before| before.redrive.refused_again()).unwrap_or_default();
    standing.refused =
        Some(Refused { wanted: sent, attribute: attribute.map(str::to_owned), at: now, redrive });
    Transition::Die(reason.to_owned())
}

/// The claim of a process that is gone: nobody knows how its call ended.
pub(in crate::decision) fn void(claimed: &Delivery, key: &CompanyKey, world: &mut World, now: UnixMicros) {
    if world.companies.get(key).is_some()
        && let Some(standing) = world.companies.edit(key).standing.get_mut(&claimed.account)
    {
        standing.unanswered();
    }
    world.deliveries.change(&claimed.id, |delivery| delivery.void_claim(now));
}

/// The delivery that is open, or dead, for a company with an account.
pub(in crate::decision) fn open<'w>(
    key: &CompanyKey,
    world: &'w World,
    account: &Account,
) -> Option<&'w DeliveryId> {
    world.companies.get(key)?.standing.get(account)?.open.as_ref()
}

/// Its open delivery was given up.
pub(in crate::decision) fn discarded(key: &CompanyKey, world: &mut World, account: &Account) {
    if let Some(standing) = world.companies.edit(key).standing.get_mut(account) {
        standing.open = None;
    }
}

/// Notes that what was refused is sent again.
pub(in crate::decision) fn redrive(key: &CompanyKey, world: &mut World, account: &Account) {
    if let Some(standing) = world.companies.edit(key).standing.get_mut(account) {
        standing.left_out.clear();
        if let Some(refused) = &mut standing.refused {
            refused.redrive = Redrive::Ordered;
        }
    }
}
