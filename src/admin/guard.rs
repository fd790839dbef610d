//! The guard before every route of the private listener: the token and its role, the host it was called by, the page that
//! called. Behind it, what is answered to somebody who may not see people is masked.
//!
//! Answers with no CORS header at all, so no page of another origin can read anything. Must not say why a token is wrong.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use subtle::ConstantTimeEq;
use tokio::sync::watch;

use super::look::{Looked, Looks};
use super::mask::mask;
use super::role::{Named, Role, Who};
use crate::http::ApiError;

/// Who may use the private listener.
#[derive(Clone, Debug)]
pub struct Admin {
    /// The token of nobody in particular, who may everything; without any only a listener on loopback is open, any other
    /// refuses everybody.
    pub token: Option<SecretString>,
    /// Those with tokens of their own, as they are now.
    pub people: watch::Receiver<Arc<Vec<Named>>>,
    /// Host names accepted beside `localhost` and IP literals; without a token an IP literal must be one of loopback.
    pub allowed_hosts: Vec<String>,
    /// Whether the listener is on loopback.
    pub loopback: bool,
    /// Whether it is the public listener, which is reached by whatever name it has there: nobody is let in without the token,
    /// so a page whose name was pointed here reaches nothing.
    pub public: bool,
}

/// Which site a browser's request comes from (Fetch Metadata): pages can't set it.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// From the private listener's own page, or from no page at all.
const OWN_SITES: [&str; 2] = ["same-origin", "none"];

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Everybody: it shows no data.
    Anybody,
    /// Who has a token with this role, or one that may more.
    Role(Role),
}

impl Access {
    /// Whether somebody with this role may use it.
    pub fn admits(self, role: Role) -> bool {
        match self {
            Self::Anybody => true,
            Self::Role(needed) => role >= needed,
        }
    }
}

/// The guard of one path.
#[derive(Clone)]
pub(super) struct Guard {
    pub admin: Arc<Admin>,
    /// Its name in the log of looks.
    pub path: &'static str,
    /// What each of its methods needs.
    pub needs: Arc<[(Method, Access)]>,
    pub looks: Arc<Looks>,
}

/// Why a request is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Denied {
    Host,
    Origin,
    OtherSite,
    Token,
    /// The token is one, and may less than this.
    Role(Role),
    /// Somebody who may not see people looks for one.
    Search,
}

/// Parameters that name nobody; of others a guess is answered by whether there are rows.
const NAMING_NOBODY: [&str; 12] = [
    "limit", "before", "outcome", "state", "source", "since", "until", "zone", "event", "door", "deep",
    "hours",
];
/// What is answered at once is masked up to this size.
const MASKED_BYTES_MAX: usize = 32 << 20;

/// Turns away who may not use a route; marks every answer as not to be kept, but for what says otherwise itself.
pub(super) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let mut response = match guard.admit(&request) {
        Ok(who) => guard.answer(who, request, next).await,
        Err(denied) => denied.into_response(),
    };
    let headers = response.headers_mut();
    // The page's own files hold no data and say for themselves how they may be kept.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

impl Guard {
    /// What a method needs. One that is not there says so to whoever may least.
    fn access(&self, method: &Method) -> Access {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let found = self.needs.iter().find(|(one, _)| one == method).map(|(_, access)| *access);
        let open = self.needs.iter().all(|(_, access)| *access == Access::Anybody);
        found.unwrap_or(if open && !self.needs.is_empty() {
            Access::Anybody
        } else {
            Access::Role(Role::View)
        })
    }

    fn admit(&self, request: &Request) -> Result<Option<Who>, Denied> {
        let headers = request.headers();
        self.admin.reached(request.method(), headers)?;
        let Access::Role(needed) = self.access(request.method()) else { return Ok(None) };
        let who = self.admin.who(headers).ok_or(Denied::Token)?;
        if who.role < needed {
            return Err(Denied::Role(needed));
        }
        if who.is_masked() && !names_nobody(request.uri()) {
            return Err(Denied::Search);
        }
        Ok(Some(who))
    }

    /// The answer, with who asked on the request; nobody: it shows no data.
    async fn answer(&self, who: Option<Who>, mut request: Request, next: Next) -> Response {
        let Some(who) = who else { return next.run(request).await };
        let searched = who_is_searched(request.uri());
        request.extensions_mut().insert(who.clone());
        let mut response = next.run(request).await;
        if who.is_masked() {
            return masked(response).await;
        }
        if response.status().is_success() {
            let seen = response.extensions_mut().remove::<Looked>();
            for whom in seen.map(|Looked(whom)| whom).into_iter().chain(searched.map(Some)) {
                self.looks.note(&who, self.path, whom.as_deref()).await;
            }
        }
        response
    }
}

/// What a handler says of its answer: it holds nobody, or is masked already.
#[derive(Clone, Copy, Debug)]
pub(super) struct HoldsNobody;

/// Whether every parameter of a query is one that names nobody.
fn names_nobody(uri: &Uri) -> bool {
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri);
    pairs.is_ok_and(|Query(pairs)| pairs.iter().all(|(name, _)| NAMING_NOBODY.contains(&name.as_str())))
}

/// The address by which a list is narrowed down.
fn who_is_searched(uri: &Uri) -> Option<String> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri).ok()?;
    let found = pairs.into_iter().find(|(name, _)| name == "email").map(|(_, value)| value);
    found.filter(|value| !value.trim().is_empty())
}

/// The same answer without people. What can't be masked is refused.
async fn masked(response: Response) -> Response {
    if response.extensions().get::<HoldsNobody>().is_some() {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(whole) = to_bytes(body, MASKED_BYTES_MAX).await else {
        return ApiError::internal().into_response();
    };
    if whole.is_empty() {
        return (parts, Body::empty()).into_response();
    }
    let Ok(mut value) = serde_json::from_slice::<Value>(&whole) else {
        return Denied::Role(Role::Read).into_response();
    };
    mask(&mut value);
    parts.headers.remove(header::CONTENT_LENGTH);
    (parts, Body::from(value.to_string())).into_response()
}

impl Admin {
    /// Nobody is let in yet, but asked in a way that may be answered.
    fn reached(&self, method: &Method, headers: &HeaderMap) -> Result<(), Denied> {
        // A page whose name was pointed at this machine (DNS rebinding) shows itself by the name.
        let host = only(headers, &header::HOST).filter(|host| self.allows_host(host)).ok_or(Denied::Host)?;
        if headers.contains_key(header::ORIGIN) {
            let origin = only(headers, &header::ORIGIN).and_then(|origin| origin.split_once("://"));
            let own = |authority: &str| {
                authority.eq_ignore_ascii_case(host) || self.public && self.is_named(authority)
            };
            origin.filter(|(_, authority)| own(authority)).ok_or(Denied::Origin)?;
        }
        // A form of another site needs no leave to send, and not every browser names the origin of one.
        if !method.is_safe() && headers.contains_key(&SEC_FETCH_SITE) {
            let site = only(headers, &SEC_FETCH_SITE);
            site.filter(|site| OWN_SITES.contains(site)).ok_or(Denied::OtherSite)?;
        }
        Ok(())
    }

    /// Whether any token is known.
    fn has_tokens(&self) -> bool {
        self.token.is_some() || !self.people.borrow().is_empty()
    }

    fn allows_host(&self, host: &str) -> bool {
        let Some(name) = host_name(host) else { return false };
        let literal = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        // Without a token whoever reaches the listener is let in. On loopback only this machine does, unless something
        // forwards to it; then it is called by the address that others reach.
        let literal = literal.is_ok_and(|address| self.has_tokens() || address.to_canonical().is_loopback());
        self.public || literal || name.eq_ignore_ascii_case("localhost") || self.is_named(host)
    }

    /// Whether a host is one of `admin.allowed_hosts`, with its port or without. A proxy may call the public listener by
    /// another name than the browser has in its `Origin`.
    fn is_named(&self, host: &str) -> bool {
        let name = host_name(host).unwrap_or(host);
        let same =
            |allowed: &String| allowed.eq_ignore_ascii_case(name) || allowed.eq_ignore_ascii_case(host);
        self.allowed_hosts.iter().any(same)
    }

    /// Whose token the request carries. Every token is compared, so that the time tells nobody how far a guess came.
    fn who(&self, headers: &HeaderMap) -> Option<Who> {
        if !self.has_tokens() {
            return (self.loopback && !self.public).then(Who::owner);
        }
        let bearer = only(headers, &header::AUTHORIZATION).and_then(|value| value.split_once(' '));
        let (_, given) = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))?;
        let is = |token: &SecretString| -> bool {
            given.trim().as_bytes().ct_eq(token.expose_secret().as_bytes()).into()
        };
        let mut who = self.token.as_ref().filter(|token| is(token)).map(|_| Who::owner());
        for one in self.people.borrow().iter() {
            who = who.or(is(&one.token).then(|| one.who.clone()));
        }
        who
    }
}

/// The value of a header that stands there once.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(first)
}

/// `Host` without its port; brackets of an IPv6 address stay.
fn host_name(host: &str) -> Option<&str> {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port),
        Some(_) | None => (host, ""),
    };
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit());
    (is_port && !name.is_empty()).then_some(name)
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        match self {
            Self::Host => ApiError::new(
                StatusCode::FORBIDDEN,
                "host_not_allowed",
                "the private listener answers to localhost, IP addresses (without a token: of loopback alone) and the \
                 names of `admin.allowed_hosts`",
            )
            .into_response(),
            Self::Origin => ApiError::new(
                StatusCode::FORBIDDEN,
                "origin_not_allowed",
                "the private listener answers no page of another origin",
            )
            .into_response(),
            Self::OtherSite => ApiError::new(
                StatusCode::FORBIDDEN,
                "site_not_allowed",
                "the private listener takes no order from a page of another site (Sec-Fetch-Site)",
            )
            .into_response(),
            Self::Role(role) => {
                let message = format!(
                    "your token may not do this: it needs the role `{}`; ask whoever keeps `admin.tokens`",
                    role.as_str()
                );
                ApiError::new(StatusCode::FORBIDDEN, "role_too_low", message).because(role.as_str()).into_response()
            }
            Self::Search => {
                let message = "to look for somebody needs the role `read`: with `view` people are masked, and a filter by \
                               one would tell who is there";
                ApiError::new(StatusCode::FORBIDDEN, "role_too_low", message).because("read").into_response()
            }
            Self::Token => {
                let message = "the admin token is missing or wrong: send `Authorization: Bearer TOKEN`; `freshsignal token` prints it";
                let error = ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", message);
                let bearer = HeaderValue::from_static("Bearer");
                ([(header::WWW_AUTHENTICATE, bearer)], error).into_response()
            }
        }
    }
}
