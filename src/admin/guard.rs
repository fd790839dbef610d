//! The guard before every route of the private listener: the token, the host it was called by, the page that called.
//!
//! Answers with no CORS header at all, so no page of another origin can read anything. Must not say why a token is wrong.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::http::ApiError;

/// Who may use the private listener.
#[derive(Clone, Debug)]
pub struct Admin {
    /// The token; without one only a listener on loopback is open, any other refuses everybody.
    pub token: Option<SecretString>,
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
    /// Who has the token.
    Token,
}

/// The guard of one route.
#[derive(Clone)]
pub(super) struct Guard {
    pub admin: Arc<Admin>,
    pub access: Access,
}

/// Why a request is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Denied {
    Host,
    Origin,
    OtherSite,
    Token,
}

/// Turns away who may not use a route; marks every answer as not to be kept, but for what says otherwise itself.
pub(super) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let mut response = match guard.admin.admit(request.method(), request.headers(), guard.access) {
        Ok(()) => next.run(request).await,
        Err(denied) => denied.into_response(),
    };
    let headers = response.headers_mut();
    // The page's own files hold no data and say for themselves how they may be kept.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

impl Admin {
    fn admit(&self, method: &Method, headers: &HeaderMap, access: Access) -> Result<(), Denied> {
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
        match access {
            Access::Anybody => Ok(()),
            Access::Token if self.allows_bearer(headers) => Ok(()),
            Access::Token => Err(Denied::Token),
        }
    }

    fn allows_host(&self, host: &str) -> bool {
        let Some(name) = host_name(host) else { return false };
        let literal = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        // Without a token whoever reaches the listener is let in. On loopback only this machine does, unless something
        // forwards to it; then it is called by the address that others reach.
        let literal =
            literal.is_ok_and(|address| self.token.is_some() || address.to_canonical().is_loopback());
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

    fn allows_bearer(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else { return self.loopback && !self.public };
        let bearer = only(headers, &header::AUTHORIZATION).and_then(|value| value.split_once(' '));
        bearer.is_some_and(|(scheme, given)| {
            let same = given.trim().as_bytes().ct_eq(token.expose_secret().as_bytes());
            scheme.eq_ignore_ascii_case("bearer") && same.into()
        })
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
            Self::Token => {
                let message = "the admin token is missing or wrong: send `Authorization: Bearer TOKEN`; `freshsignal token` prints it";
                let error = ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", message);
                let bearer = HeaderValue::from_static("Bearer");
                ([(header::WWW_AUTHENTICATE, bearer)], error).into_response()
            }
        }
    }
}
