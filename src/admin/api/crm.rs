//! A contact as Freshsales has it now, beside what is wanted: asked for by a person, so it costs a call, and says so.
//!
//! Must not change what is known of the contact.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use axum::http::Uri;
use axum::{Extension, Json};
use serde::Serialize;
use serde_json::{Map, Value};

use super::answer::{failed, rfc3339};
use super::contacts::load;
use super::query::{Params, invalid};
use crate::admin::{Asked, Debugger, Looked};
use crate::clock::UnixMicros;
use crate::contact::{Attributes, STATUS, is_blank, same, shown, wanted};
use crate::decision::{Settings, World, consider};
use crate::delivery::{CallKind, Subject, Verdict};
use crate::event::Email;
use crate::freshsales::{CallResult, ToldByHand, in_browser, own_among};
use crate::http::ApiError;
use crate::store::Keys;

/// An answer is waited for so long beyond the time that a call may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Contacts of one sample.
const SAMPLE_MAX: usize = 100;
const SAMPLE_DEFAULT: usize = 20;
/// Pages of contacts that are looked through for it.
const SAMPLE_PAGES_MAX: usize = 10;

const IS_LEAD: &str = "no contact has the address: the person is a lead, and contacts alone are compared";

/// What Freshsales has beside what is wanted.
#[derive(Serialize)]
pub(in crate::admin) struct ComparedView {
    email: Email,
    #[serde(serialize_with = "rfc3339")]
    asked_at: UnixMicros,
    /// Calls that it cost: none where Freshsales was not asked.
    calls: u32,
    /// Why Freshsales was not asked, or what it answered in place of the contact.
    why: Option<String>,
    /// `one`, `nobody`, `several` or `unknown`.
    in_freshsales: &'static str,
    contact_id: Option<u64>,
    /// The id that is known here is another one.
    other_id: Option<u64>,
    link: Option<String>,
    attributes: BTreeMap<String, AttributeView>,
}

/// One attribute on both sides.
#[derive(Serialize)]
struct AttributeView {
    /// `same`, `different`, `ours_alone` or `theirs_alone`.
    side: &'static str,
    wanted: Option<Value>,
    accepted: Option<Value>,
    freshsales: Option<Value>,
}

/// `GET /api/crm/contacts`
pub(in crate::admin) async fn contact(
    Asked(app): Asked,
    uri: Uri,
) -> Result<(Extension<Looked>, Json<ComparedView>), ApiError> {
    let params = Params::read(&uri, &["email"])?;
    let email = params.email()?.ok_or_else(|| invalid("email", "an email address"))?;
    let settings = app.settings();
    let told = app.ask(email.clone(), &settings).await;
    let subjects = BTreeSet::from([Subject::from(email.clone())]);
    let world = load(&app.store, &subjects, &settings).await.map_err(failed)?;
    let looked = Extension(Looked(Some(email.as_str().to_owned())));
    Ok((looked, Json(ComparedView::of(email, told, &world, &settings, app.now()))))
}

/// Contacts to compare, from a place by chance.
#[derive(Serialize)]
pub(in crate::admin) struct SampleView {
    /// Contacts that are held, whether or not Freshsales has them.
    held: u64,
    emails: Vec<Email>,
}

/// `GET /api/crm/sample`
pub(in crate::admin) async fn sample(
    Asked(app): Asked,
    uri: Uri,
) -> Result<(Extension<Looked>, Json<SampleView>), ApiError> {
    let params = Params::read(&uri, &["limit"])?;
    let few = |text: &str| text.parse().ok().filter(|limit| (1..=SAMPLE_MAX).contains(limit));
    let limit = params.get("limit", "a number from 1 to 100", few)?.unwrap_or(SAMPLE_DEFAULT);
    let held = app.store.contacts_count().await.map_err(failed)?;
    // Addresses are walked in their order, from one that may not exist.
    let letter = || char::from(rand::random_range(b'a'..=b'z'));
    let place = Email::parse(&format!("{}{}@example.com", letter(), letter())).ok();
    let mut emails = app.known_behind(place, limit).await?;
    if emails.len() < limit {
        for email in app.known_behind(None, limit).await? {
            if emails.len() < limit && !emails.contains(&email) {
                emails.push(email);
            }
        }
    }
    Ok((Extension(Looked(None)), Json(SampleView { held, emails })))
}

impl Debugger {
    /// Contacts behind an address that Freshsales has from here, at most so many; of many that it has not, few are looked at.
    async fn known_behind(&self, mut after: Option<Email>, limit: usize) -> Result<Vec<Email>, ApiError> {
        let account = self.settings().account.clone();
        let mut known = Vec::new();
        for _ in 0..SAMPLE_PAGES_MAX {
            let page = self.store.contacts(after.clone(), SAMPLE_MAX).await.map_err(failed)?;
            let keys = Keys { contacts: page.iter().cloned().collect(), ..Keys::default() };
            let found = self.store.load(keys).await.map_err(failed)?.contacts;
            let accepted = |email: &&Email| {
                found.get(*email).is_some_and(|it| it.document.with(&account).accepted.is_some())
            };
            known.extend(page.iter().filter(accepted).take(limit - known.len()).cloned());
            after = page.last().cloned();
            if known.len() >= limit || after.is_none() {
                break;
            }
        }
        Ok(known)
    }

    async fn ask(&self, email: Email, settings: &Settings) -> ToldByHand {
        let not_asked = |why: &str| ToldByHand::NotAsked(why.to_owned());
        let Some(answered) = self.commands.by_hand.ask(email) else {
            return not_asked("others ask at this moment; ask again in a few seconds");
        };
        let until = self.clock.monotonic() + settings.attempt_timeout + PATIENCE;
        tokio::select! {
            told = answered => told.unwrap_or_else(|_| not_asked("nothing makes calls at this moment; the log says why")),
            () = self.clock.sleep_until(until) => not_asked("no answer came in time; whether the call was made is in the metrics"),
        }
    }
}

impl ComparedView {
    fn of(email: Email, told: ToldByHand, world: &World, settings: &Settings, now: UnixMicros) -> Self {
        let standing = world.contacts.get(&email).map(|it| it.with(&settings.account)).unwrap_or_default();
        let mut view = Self {
            email,
            asked_at: now,
            calls: 0,
            why: None,
            in_freshsales: "unknown",
            contact_id: None,
            other_id: None,
            link: None,
            attributes: BTreeMap::new(),
        };
        let result = match told {
            ToldByHand::Asked(result) => result,
            ToldByHand::NotAsked(why) => return Self { why: Some(why), ..view },
        };
        view.calls = 1;
        let theirs = match theirs(&result, &view.email) {
            Ok(theirs) => theirs,
            Err(why) => return Self { why: Some(why), ..view },
        };
        view.in_freshsales = match theirs.as_slice() {
            [] => "nobody",
            [_] => "one",
            [_, _, ..] => "several",
        };
        if theirs.is_empty() && standing.lead.is_some() {
            return Self { why: Some(IS_LEAD.to_owned()), ..view };
        }
        let nothing = Map::new();
        let contact = theirs.first().copied().unwrap_or(&nothing);
        view.contact_id = contact.get("id").and_then(Value::as_u64);
        view.other_id = standing.contact_id.filter(|known| view.contact_id.is_some_and(|id| id != *known));
        view.link = view.contact_id.and_then(|id| in_browser(&settings.account, CallKind::Contact, id));
        let considered = consider(&view.email, world, settings);
        let wanted = wanted(&considered.wish, &standing);
        let accepted = standing.accepted.unwrap_or_default();
        view.attributes = attributes(&wanted, &accepted, contact);
        view
    }
}

/// The contacts that have the address, or what was answered in their place.
fn theirs<'r>(result: &'r CallResult, email: &Email) -> Result<Vec<&'r Map<String, Value>>, String> {
    match &result.verdict {
        Verdict::Stored(answer) => {
            let found = answer.shown.as_ref().and_then(|shown| own_among(shown, email));
            found.ok_or_else(|| "Freshsales answered no list of contacts".to_owned())
        }
        Verdict::Refused { reason, .. }
        | Verdict::Gone { reason }
        | Verdict::Shut { reason }
        | Verdict::Throttled { reason, .. }
        | Verdict::Passing { reason }
        | Verdict::Blocked { reason, .. } => Err(reason.clone()),
    }
}

/// Every attribute that the mapping writes, on both sides.
fn attributes(
    wanted: &Attributes,
    accepted: &Attributes,
    contact: &Map<String, Value>,
) -> BTreeMap<String, AttributeView> {
    let names: BTreeSet<&String> = wanted.keys().chain(accepted.keys()).collect();
    let view = |name: &&String| {
        let ours = wanted.get(*name).filter(|value| !is_blank(value));
        let theirs = shown(name, contact).filter(|value| !is_blank(value));
        let side = match (ours, theirs) {
            (Some(ours), Some(theirs)) if is_same(name, ours, theirs) => "same",
            (Some(_), Some(_)) => "different",
            (Some(_), None) => "ours_alone",
            (None, Some(_)) => "theirs_alone",
            (None, None) => return None,
        };
        let (wanted, accepted) = (ours.cloned(), accepted.get(*name).cloned());
        let view = AttributeView { side, wanted, accepted, freshsales: theirs.cloned() };
        Some(((*name).clone(), view))
    };
    names.iter().filter_map(view).collect()
}

/// Freshsales shows a status as a number that was written as a word.
fn is_same(name: &str, ours: &Value, theirs: &Value) -> bool {
    let number = |value: &Value| match value.as_str().map(str::to_lowercase).as_deref() {
        Some("subscribed") => Some(1),
        Some("unsubscribed") => Some(0),
        _ => value.as_u64(),
    };
    let as_number = || number(ours).is_some() && number(ours) == number(theirs);
    same(name, ours, theirs) || (name == STATUS && as_number())
}
