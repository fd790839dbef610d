//! What a refusal changes of a deal. Must not decide which call comes next.

use super::super::transition::Transition;
use crate::clock::UnixMicros;
use crate::deal::{self, Birth, Carried, Refused, Standing};
use crate::delivery::Delivery;

/// A refusal as an answer says it.
pub(super) struct RecordRefusal<'a> {
    pub reason: &'a str,
    pub attribute: Option<&'a str>,
    pub demanded: bool,
    pub again: bool,
}

/// Attributes that a deal is nothing without.
const ESSENTIAL: [&str; 4] = ["name", "amount", "stage", "pipeline"];

/// What a refusal does: the key is taken, so the deal is looked for; an attribute that it can do without is left out; else it is
/// kept as a dead letter.
pub(super) fn refused(
    refusal: &RecordRefusal<'_>,
    standing: &mut Standing,
    delivery: Option<&Delivery>,
    now: UnixMicros,
) -> Transition {
    let reason = refusal.reason;
    if standing.asked().is_some() {
        return Transition::Die(format!("Freshsales refused the question: {reason}"));
    }
    let Some(call) = standing.not_applied() else { return Transition::Die(reason.to_owned()) };
    let says = reason.to_lowercase();
    let taken = refusal.again || says.contains("unique") || says.contains("already exists");
    if taken && call.carried == Carried::Create && delivery.is_none_or(|it| it.failures == 0) {
        // It exists: found by its key it is taken over.
        standing.birth = Birth::Taken { at: now, asked: 0 };
        return Transition::TryOnceMore(
            format!("its key is taken in Freshsales, so it is looked for: {reason}"),
            now,
        );
    }
    let named = refusal.attribute.filter(|_| !refusal.demanded);
    let mut spellings = named.into_iter().flat_map(|name| [name, deal::name_of_attribute(name)]);
    let sent = spellings.find_map(|name| Some((name, call.sent.get(name)?.clone())));
    if let Some((name, value)) = sent
        && !ESSENTIAL.contains(&name)
        && delivery.is_none_or(|delivery| !delivery.salvaged)
    {
        standing.left_out.insert(name.to_owned(), value);
        return Transition::Salvage(format!("sent without {name}, which Freshsales refused: {reason}"));
    }
    let redrive = standing.refused.as_ref().map(|before| before.redrive.refused_again()).unwrap_or_default();
    let attribute = refusal.attribute.map(str::to_owned);
    standing.refused = Some(Refused { wanted: call.sent, attribute, at: now, redrive });
    Transition::Die(if says.contains("sales_account") {
        format!(
            "{reason}: this account demands a company of each deal; set company.missing in the mapping file"
        )
    } else {
        reason.to_owned()
    })
}
