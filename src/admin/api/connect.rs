//! How to connect a sender: for each source and each way in what to paste or enter where, what came in the last day, and
//! what to look at where nothing did.
//!
//! Must not show a secret whole.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::http::Uri;
use axum::{Extension, Json};
use serde::Serialize;

use super::answer::{rfc3339, rfc3339_or_null};
use super::query::Params;
use crate::admin::{Asked, Debugger, HoldsNobody};
use crate::clock::UnixMicros;
use crate::doors::{
    Address, Arrived, Door, HookProof, HookWay, Off, SecretEnd, Seen, Snippet, SourceWays, Ways, advice,
    for_events, for_form, for_hook, in_words,
};
use crate::event::SourceName;
use crate::http::ApiError;
use crate::store::{EventQuery, Limited};

const DAY: Duration = Duration::from_hours(24);
/// Reasons of refusals that are named a door.
const REFUSALS_MAX: usize = 5;
/// Refusals of a door that are counted for that.
const COUNTED_MAX: usize = 500;
/// Sources whose last event is looked up in one answer; each look-up walks a part of the trail.
const LOOKED_UP_MAX: usize = 16;

/// The answer.
#[derive(Serialize)]
pub(in crate::admin) struct ConnectView {
    address: AddressView,
    /// Counts of the last day begin here at the earliest: they are in memory.
    #[serde(serialize_with = "rfc3339")]
    counted_since: UnixMicros,
    sources: Vec<SourceView>,
    /// What had no known key, or asked for a form or a hook that there is not.
    strays: Vec<StrayView>,
}

/// Where senders reach the service.
#[derive(Serialize)]
struct AddressView {
    url: String,
    /// The key that it comes from.
    from: &'static str,
    /// What is wrong with it, and what to set.
    note: Option<&'static str>,
}

#[derive(Serialize)]
struct SourceView {
    name: SourceName,
    on: bool,
    mode: &'static str,
    allowed_origins: Vec<String>,
    /// By whichever way; within the last day where the service was started since.
    #[serde(serialize_with = "rfc3339_or_null")]
    last_event_at: Option<UnixMicros>,
    doors: Vec<DoorView>,
}

/// One way into a source.
#[derive(Serialize)]
struct DoorView {
    door: &'static str,
    hook: Option<String>,
    arrived: ArrivedView,
    look_at: Vec<String>,
    enter: Vec<Enter>,
    paste: Vec<PasteView>,
}

/// Something to enter at the sender, or to compare with what stands there.
#[derive(Serialize)]
struct Enter {
    what: String,
    value: String,
    /// Whether the value is whole, so that it makes sense to copy it.
    copy: bool,
}

#[derive(Serialize)]
struct PasteView {
    title: &'static str,
    place: &'static str,
    language: &'static str,
    text: String,
}

#[derive(Serialize)]
struct ArrivedView {
    accepted: u64,
    refused: u64,
    #[serde(serialize_with = "rfc3339_or_null")]
    last_accepted_at: Option<UnixMicros>,
    #[serde(serialize_with = "rfc3339_or_null")]
    last_refused_at: Option<UnixMicros>,
    refusals: Vec<RefusalView>,
}

#[derive(Serialize)]
struct RefusalView {
    code: &'static str,
    detail: Option<&'static str>,
    reason: &'static str,
    count: u64,
}

#[derive(Serialize)]
struct StrayView {
    door: &'static str,
    arrived: ArrivedView,
}

impl From<Snippet> for PasteView {
    fn from(snippet: Snippet) -> Self {
        let Snippet { title, place, language, text } = snippet;
        Self { title, place, language, text }
    }
}

impl From<&Arrived> for ArrivedView {
    fn from(arrived: &Arrived) -> Self {
        let Seen { accepted, refused, last_accepted_at, last_refused_at } = arrived.seen;
        let refusals = arrived.refusals.iter().take(REFUSALS_MAX).map(|(code, detail, count)| RefusalView {
            code,
            detail: *detail,
            reason: in_words(code, *detail),
            count: *count,
        });
        Self { accepted, refused, last_accepted_at, last_refused_at, refusals: refusals.collect() }
    }
}

/// `GET /api/connect`
pub(in crate::admin) async fn connect(
    Asked(app): Asked,
    uri: Uri,
) -> Result<(Extension<HoldsNobody>, Json<ConnectView>), ApiError> {
    Params::read(&uri, &[])?;
    let ways = app.live.ways.borrow().clone();
    let (address, view) = address_of(&ways, app.public);
    let look = Look { app: &app, now: app.now(), address };
    let mut sources = Vec::with_capacity(ways.sources.len());
    let mut looked_up = 0;
    for source in &ways.sources {
        let mut view = look.source(source);
        if view.last_event_at.is_none() && looked_up < LOOKED_UP_MAX {
            looked_up += 1;
            view.last_event_at = look.last_in_trail(&source.name).await;
        }
        sources.push(view);
    }
    let strays = [Door::Events, Door::Form, Door::Hook(None)].map(|door| StrayView {
        arrived: ArrivedView::from(&look.arrived(None, &door, 0)),
        door: door.as_str(),
    });
    // Of doors and what to paste there; nothing that a client sent.
    Ok((
        Extension(HoldsNobody),
        Json(ConnectView {
            address: view,
            counted_since: app.started_at,
            sources,
            strays: strays.into_iter().filter(|stray| stray.arrived.refused > 0).collect(),
        }),
    ))
}

/// The configured address; else the one that the public listener has on this machine.
fn address_of(ways: &Ways, heard: Option<SocketAddr>) -> (Address, AddressView) {
    if !ways.public_url.is_empty() {
        let address = Address::new(&ways.public_url);
        let url = address.as_str().to_owned();
        return (address, AddressView { url, from: "server.public_url", note: None });
    }
    let heard = heard.unwrap_or_else(|| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080));
    let ip = match heard.ip() {
        ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    let address = Address::new(&format!("http://{}", SocketAddr::new(ip, heard.port())));
    let url = address.as_str().to_owned();
    let note = "Under which address browsers and vendors reach this service is not known: this one is for this \
                machine or its network. Set server.public_url, such as https://events.example.com, and restart.";
    (address, AddressView { url, from: "server.listen", note: Some(note) })
}

/// What one answer looks at.
struct Look<'a> {
    app: &'a Debugger,
    now: UnixMicros,
    address: Address,
}

impl Look<'_> {
    fn source(&self, source: &SourceWays) -> SourceView {
        let mut doors = Vec::new();
        // A source without any way in is shown with the one that it would need first.
        if !source.write_keys.is_empty() || (source.form.is_none() && source.hooks.is_empty()) {
            doors.push(self.events(source));
        }
        doors.extend(source.form.as_ref().map(|form| {
            let mut door = self.door(source, &Door::Form);
            door.enter = vec![Enter {
                what: "Address of the form".to_owned(),
                value: format!("{}/form/{}", self.address.as_str(), source.name.0),
                copy: true,
            }];
            door.enter.extend(named("Fields that must be filled", &form.required));
            door.enter.extend(named("Pages to send visitors to", &form.redirects));
            door.paste = pasted(for_form(&self.address, &form.html));
            door
        }));
        doors.extend(source.hooks.iter().map(|hook| self.hook(source, hook)));
        let last_event_at = doors.iter().filter_map(|door| door.arrived.last_accepted_at).max();
        SourceView {
            name: source.name.clone(),
            on: match source.off {
                None => true,
                Some(Off::Disabled | Off::NoWay) => false,
            },
            mode: if source.dry_run { "dry_run" } else { "live" },
            allowed_origins: source.allowed_origins.clone(),
            last_event_at,
            doors,
        }
    }

    fn events(&self, source: &SourceWays) -> DoorView {
        let mut door = self.door(source, &Door::Events);
        let key = format!("Write key (sources.{}.write_key)", source.name.0);
        door.enter = ends(&key, &source.write_keys);
        door.enter.extend(named("Pages that may send (allowed_origins)", &source.allowed_origins));
        door.paste = pasted(for_events(&self.address));
        door
    }

    fn hook(&self, source: &SourceWays, hook: &HookWay) -> DoorView {
        let mut door = self.door(source, &Door::Hook(Some(hook.name.clone())));
        let fact = |what: &str, value: String, copy| Enter { what: what.to_owned(), value, copy };
        let url = format!("{}/hooks/{}", self.address.as_str(), hook.name);
        door.enter = vec![
            fact("Address of the webhook", url, true),
            fact(&format!("Enter it in ({})", hook.kind), hook.enter_in.to_owned(), false),
        ];
        match &hook.proof {
            HookProof::Signature { header } => {
                door.enter.push(fact("The sender signs in the header", header.clone(), false));
            }
            HookProof::Token { header } => {
                door.enter.push(fact("The sender sends the token in the header", header.clone(), true));
            }
            HookProof::Missing => {}
        }
        door.enter.push(fact("The secret is", hook.secret_is.to_owned(), false));
        door.enter.extend(ends(&format!("Secret (hooks.{}.secret)", hook.name), &hook.secrets));
        door.paste = pasted(for_hook(&self.address, hook));
        door
    }

    /// A way in with what came by it; what to paste and to enter is added by whoever knows.
    fn door(&self, source: &SourceWays, door: &Door) -> DoorView {
        let nobodys = match door {
            Door::Events => Door::Events,
            Door::Form => Door::Form,
            Door::Hook(_) => Door::Hook(None),
        };
        let strays = self.app.live.traffic.seen(None, &nobodys, self.now).refused;
        let arrived = self.arrived(Some(&source.name), door, strays);
        DoorView {
            door: door.as_str(),
            hook: door.hook().map(str::to_owned),
            look_at: advice(source, door, &arrived, &self.address),
            arrived: ArrivedView::from(&arrived),
            enter: Vec::new(),
            paste: Vec::new(),
        }
    }

    fn arrived(&self, source: Option<&SourceName>, door: &Door, strays: u64) -> Arrived {
        let seen = self.app.live.traffic.seen(source, door, self.now);
        let since = self.now.minus(DAY);
        let last = self.app.live.refused.newest_first(None, COUNTED_MAX, |refused| {
            refused.at >= since && refused.source.as_ref() == source && refused.door == *door
        });
        let mut counts: BTreeMap<_, u64> = BTreeMap::new();
        for (_, refused) in last {
            *counts.entry((refused.code, refused.reason)).or_default() += 1;
        }
        let mut refusals: Vec<_> =
            counts.into_iter().map(|((code, detail), count)| (code, detail, count)).collect();
        refusals.sort_by_key(|(_, _, count)| std::cmp::Reverse(*count));
        Arrived { seen, refusals, strays }
    }

    /// When the newest event of a source came that the trail of the last day has. What can't be found in time is not known.
    async fn last_in_trail(&self, source: &SourceName) -> Option<UnixMicros> {
        let query = EventQuery {
            source: Some(source.clone()),
            since: Some(self.now.minus(DAY)),
            ..EventQuery::newest(Limited::to(1))
        };
        let found = self.app.store.events(query).await.ok()?;
        found.first().map(|trail| trail.received_at)
    }
}

fn pasted(snippets: Vec<Snippet>) -> Vec<PasteView> {
    snippets.into_iter().map(PasteView::from).collect()
}

/// A list as one line; nothing for an empty one.
fn named(what: &str, values: &[String]) -> Option<Enter> {
    (!values.is_empty()).then(|| Enter { what: what.to_owned(), value: values.join(", "), copy: false })
}

/// Secrets by their ends.
fn ends(what: &str, secrets: &[SecretEnd]) -> Vec<Enter> {
    let value = |end: &SecretEnd| match end.shown() {
        Some(end) => format!("ends in {end}"),
        None => "too short to show a part of it".to_owned(),
    };
    secrets.iter().map(|end| Enter { what: what.to_owned(), value: value(end), copy: false }).collect()
}
