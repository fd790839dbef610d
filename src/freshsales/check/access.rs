//! What the replies say of alias, key, rights and allowance. Pure.

use serde_json::Value;

use super::super::{AccountKind, Reply, Unanswered};
use super::Finding;

/// Whether anything else is worth a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Alias and key are right.
    Open {
        /// The ids of those who may own contacts, where the key may see them.
        owners: Option<Vec<u64>>,
    },
    /// The key may not see who owns contacts, as was seen of keys that write contacts: only another question tells.
    Hidden,
    /// Every other call would end alike.
    Shut,
}

/// Where a role's rights are set.
const RIGHTS: &str = "in Freshsales under Admin Settings, Roles";

/// What the reply to the first question, the owners, says of alias and key.
pub(super) fn account(reply: Result<&Reply, &Unanswered>, kind: AccountKind) -> (Access, Vec<Finding>) {
    let shut = |text: String| (Access::Shut, vec![Finding::wrong(text)]);
    let reply = match reply {
        Ok(reply) => reply,
        Err(unanswered) => return shut(unreachable(unanswered)),
    };
    match reply.status {
        200..=299 => match owners(reply) {
            Some(owners) => {
                let fine = format!("alias and key are right; contacts may be given to {} users", owners.len());
                (Access::Open { owners: Some(owners) }, vec![Finding::fine(fine)])
            }
            None if reply.html => shut(format!("{}. If none does, {}", page(reply.status), other_kind(kind))),
            None => shut(format!(
                "the answer ({}) is not one of Freshsales: set freshsales.bundle_alias (and freshsales.base_url, \
                 where it is set) to a Freshsales account",
                reply.status
            )),
        },
        401 => shut(
            "Freshsales refuses the API key (401): copy it again, as its user, from Personal settings, API settings, \
             and set freshsales.api_key to it"
                .to_owned(),
        ),
        403 => (Access::Hidden, Vec::new()),
        404 | 300..=399 => shut(format!(
            "Freshsales has no account at this address ({}): set freshsales.bundle_alias to the first part of the \
             address that Freshsales is opened at; {}",
            reply.status,
            other_kind(kind)
        )),
        // Seen: the host of that name that a Suite account has, too, limits all who ask.
        429 if kind == AccountKind::Classic => {
            shut(format!("{}. If it stays so, {}", troubled(429, reply), other_kind(kind)))
        }
        status => shut(troubled(status, reply)),
    }
}

/// What the reply to the question for lists of contacts says of a key that may not see the owners.
pub(super) fn without_owners(reply: Result<&Reply, &Unanswered>) -> (Access, Vec<Finding>) {
    match reply.map(|reply| (reply.status, reply.html)) {
        Ok((200..=299, false)) => {
            let fine = "alias and key are right; the key may not see the users of the account (403 to selector/owners), so \
                        ids of owners in the mapping are not compared";
            (Access::Open { owners: None }, vec![Finding::fine(fine)])
        }
        Ok((403, _)) => {
            let wrong = format!(
                "the key is known, but its user may not use the API (403): give the user's role the right to view, \
                 create and edit contacts, {RIGHTS}, or set freshsales.api_key to another user's key"
            );
            (Access::Shut, vec![Finding::wrong(wrong)])
        }
        Ok(_) | Err(_) => (Access::Shut, vec![contacts(reply, false)]),
    }
}

/// What to look at where an account may be of the other kind.
fn other_kind(kind: AccountKind) -> &'static str {
    match kind {
        AccountKind::Suite => {
            "where that is https://acme.freshsales.io it is a Classic account: set freshsales.kind = \"classic\""
        }
        AccountKind::Classic => {
            "look where Freshsales is opened: at https://acme.myfreshworks.com/crm/sales it is a Suite account, which has \
             nothing but a web host at freshsales.io: set freshsales.kind = \"suite\""
        }
    }
}

fn owners(reply: &Reply) -> Option<Vec<u64>> {
    let body = reply.json()?;
    let users = body.get("users")?.as_array()?;
    Some(users.iter().filter_map(|user| user.get("id").and_then(Value::as_u64)).collect())
}

/// What the headers say of the allowance, compared with what the configuration takes it to be.
pub(super) fn allowance(reply: &Reply, per_hour: u32) -> Finding {
    let Some(limit) = reply.limit else {
        return Finding::note(format!(
            "Freshsales does not say how many calls the account has; {per_hour} an hour are assumed, set \
             allowance.plan or allowance.per_hour where that is wrong"
        ));
    };
    let left = reply.remaining.map(|left| format!(", {left} of them are left now")).unwrap_or_default();
    let says = format!("Freshsales says that the account has {limit} calls an hour{left}");
    match limit.cmp(&per_hour) {
        std::cmp::Ordering::Equal => Finding::fine(says),
        std::cmp::Ordering::Less => {
            Finding::wrong(format!("{says}, and {per_hour} are configured: set allowance.per_hour = {limit}"))
        }
        std::cmp::Ordering::Greater => Finding::note(format!(
            "{says}, and {per_hour} are configured: allowance.per_hour = {limit} would use them all"
        )),
    }
}

/// The reply that lists the fields, or why there is no list.
pub(super) fn fields<'r>(reply: Result<&'r Reply, &Unanswered>) -> Result<&'r Reply, Finding> {
    let reply = reply.map_err(|unanswered| Finding::wrong(unreachable(unanswered)))?;
    match reply.status {
        200..=299 if reply.html => Err(Finding::wrong(page(reply.status))),
        200..=299 => Ok(reply),
        401 | 403 | 404 => Err(Finding::note(format!(
            "the user of the key may not read the list of contact fields ({}), so the mapping was not compared with \
             it: give its role the right to view the settings of contacts, {RIGHTS}, or compare by hand",
            reply.status
        ))),
        status => Err(Finding::wrong(troubled(status, reply))),
    }
}

/// A list was asked for and something else came.
pub(super) fn no_list_of_fields() -> Finding {
    Finding::note(
        "the answer to the question for the contact fields is no list of them, so the mapping was not compared with \
         it: compare it by hand with Admin Settings, Contacts",
    )
}

/// What the reply to the question for lists of contacts says of rights; `probed` is whether a test contact will say the rest.
pub(super) fn contacts(reply: Result<&Reply, &Unanswered>, probed: bool) -> Finding {
    let reply = match reply {
        Ok(reply) => reply,
        Err(unanswered) => return Finding::wrong(unreachable(unanswered)),
    };
    match reply.status {
        200..=299 if reply.html => Finding::wrong(page(reply.status)),
        200..=299 if probed => Finding::fine("the user of the key may see contacts"),
        200..=299 => Finding::fine(
            "the user of the key may see contacts; only `check --live --probe` shows whether it may also create and \
             edit them",
        ),
        401 | 403 => Finding::wrong(format!(
            "the user of the key may not see contacts ({}): give its role the right to view, create and edit them, \
             {RIGHTS}",
            reply.status
        )),
        status => Finding::wrong(troubled(status, reply)),
    }
}

/// What the reply to the question for lists of deals says of rights, where it is not as it should be.
pub(super) fn deals(reply: Result<&Reply, &Unanswered>) -> Option<Finding> {
    match reply {
        Ok(reply) if (200..=299).contains(&reply.status) && !reply.html => None,
        Ok(reply) if matches!(reply.status, 401 | 403) => Some(Finding::wrong(format!(
            "the user of the key may not see deals ({}), so all deals of the mapping wait: give its role the right to view, create \
             and edit them, {RIGHTS}",
            reply.status
        ))),
        Ok(reply) if reply.html => Some(Finding::wrong(page(reply.status))),
        Ok(reply) => Some(Finding::wrong(troubled(reply.status, reply))),
        Err(unanswered) => Some(Finding::wrong(unreachable(unanswered))),
    }
}

/// No answer came.
pub(super) fn unreachable(unanswered: &Unanswered) -> String {
    format!(
        "Freshsales does not answer ({unanswered}): check freshsales.bundle_alias and the network, and try again"
    )
}

/// A page came.
pub(super) fn page(status: u16) -> String {
    format!(
        "a web page came back in place of an answer ({status}): a proxy or a login page stands between this machine \
         and Freshsales; let calls to *.myfreshworks.com through"
    )
}

/// A status that says nothing of the configuration.
pub(super) fn troubled(status: u16, reply: &Reply) -> String {
    let words = match reply.words() {
        none if none.is_empty() => String::new(),
        words => format!(": {words}"),
    };
    if status == 429 {
        let wait = match &reply.retry_after {
            Some(wait) => format!("wait as it asks (Retry-After {wait})"),
            None => "wait up to an hour".to_owned(),
        };
        return format!(
            "the calls of the account are used up now (429{words}): {wait}, then check again; where that happens \
             often, set allowance.reserve_percent higher or find out who else uses the account's API"
        );
    }
    format!("Freshsales can't answer now ({status}{words}): try again")
}
