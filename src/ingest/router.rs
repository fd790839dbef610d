//! Which path and method is answered by what.
//!
//! Must not answer anything itself.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};

use super::answer::{OK, json, taken};
use super::route::{self, Route};
use super::settings::SdkSettings;
use super::{Denied, Ingest, config, form, hook, pixel, tag};
use crate::event::Kind;
use crate::http::{self, ApiError, Asset};
use crate::openapi;

/// Whether the process lives, under both its names.
const HEALTH: [&str; 2] = ["/healthz", "/health"];

/// Whether the first part of a path is that of a route, so that nothing else can be there.
#[must_use]
pub fn is_taken(path: &str) -> bool {
    let pixels = pixel::KINDS.into_iter().flat_map(pixel::paths);
    let events = Route::all().flat_map(|route| route.paths().iter().copied());
    let settings = SdkSettings::ALL.into_iter().flat_map(|settings| settings.paths().iter().copied());
    let others = ["/tag.js", "/readyz", openapi::PATH, form::ROUTE, hook::ROUTE];
    let fixed = events.chain(settings).chain(route::IGNORED.into_iter().flatten().copied());
    let fixed = fixed.chain(HEALTH).chain(others).map(ToOwned::to_owned);
    fixed.chain(pixels).any(|taken| first_part(&taken) == first_part(path))
}

fn first_part(path: &str) -> &str {
    path.trim_start_matches('/').split('/').next().unwrap_or_default()
}

impl Ingest {
    /// The routes, each also with a slash at its end and under `server.path_prefix`, and with two at its beginning: that
    /// is what `@jitsu/js` and `@segment/analytics-next` ask for when their host was written with a slash at its end.
    /// What else the public listener serves can be merged in, as long as it brings no fallback.
    pub fn router(&self) -> Router {
        let prefix = self.0.server.path_prefix.as_str();
        let prefixed = (!prefix.is_empty() && config::is_path_prefix(prefix)).then_some(prefix);
        let mut router = Router::new();
        for prefix in [Some(""), prefixed].into_iter().flatten() {
            for (path, methods) in self.routes(prefix) {
                for (before, after) in [("", ""), ("", "/"), ("/", ""), ("/", "/")] {
                    router = router.route(&format!("{prefix}{before}{path}{after}"), methods.clone());
                }
            }
        }
        let (here, there) = (Arc::clone(&self.0), Arc::clone(&self.0));
        router
            .method_not_allowed_fallback(async move |request| {
                here.turn_down(request, ApiError::method_not_allowed()).await
            })
            .fallback(async move |request: Request| {
                let error = nothing_at(request.uri().path());
                there.turn_down(request, error).await
            })
    }

    /// Every path below `prefix` with what answers there.
    pub(super) fn routes(&self, prefix: &str) -> Vec<(String, MethodRouter)> {
        let mut routes = Vec::new();
        let mut add = |path: &str, methods: MethodRouter| routes.push((path.to_owned(), methods));
        for route in Route::all() {
            for path in route.paths() {
                add(path, self.events(route));
            }
        }
        for kind in pixel::KINDS {
            for path in pixel::paths(kind) {
                add(&path, self.pixel(kind));
            }
        }
        for settings in SdkSettings::ALL {
            for path in settings.paths() {
                add(path, self.settings(settings, prefix));
            }
        }
        for path in route::IGNORED.into_iter().flatten() {
            add(path, self.ignored());
        }
        for path in HEALTH {
            add(path, get(async || json(StatusCode::OK, OK)));
        }
        let form = |name: Result<Path<String>, PathRejection>| {
            name.map_or_else(|_| String::new(), |Path(name)| name)
        };
        let (posted, shown, prefix_of_form) = (Arc::clone(&self.0), Arc::clone(&self.0), prefix.to_owned());
        let post_form = async move |name: Result<Path<String>, PathRejection>, request: Request| {
            let (parts, body) = request.into_parts();
            posted.form(&form(name), parts, body).await
        };
        let show_form = async move |name: Result<Path<String>, PathRejection>, request: Request| {
            shown.form_to_paste(&form(name), &prefix_of_form, &request.into_parts().0)
        };
        add(form::ROUTE, self.asked_first(post(post_form).get(show_form)));
        let inner = Arc::clone(&self.0);
        let hook = async move |name: Result<Path<String>, PathRejection>, request: Request| {
            let (parts, body) = request.into_parts();
            inner.hook(&form(name), parts, body).await
        };
        add(hook::ROUTE, post(hook));
        let tag = tag::asset(&self.0.server, prefix);
        add("/tag.js", get(async move |headers: HeaderMap| tag.answer(&headers)));
        let document = Self::description(&self.0.server.public_url);
        add(openapi::PATH, get(async move |headers: HeaderMap| document.answer(&headers)));
        let inner = Arc::clone(&self.0);
        add("/readyz", get(async move || inner.ready()));
        routes
    }

    /// The description of the routes, with every name that one has.
    fn description(public_url: &str) -> Asset {
        let pixels = pixel::KINDS.map(pixel::paths);
        let of_events = Route::all().map(Route::paths);
        let of_settings = SdkSettings::ALL.into_iter().map(SdkSettings::paths);
        let others = of_events.chain(of_settings).chain([HEALTH.as_slice()]).chain(route::IGNORED);
        let others = others.filter_map(<[&str]>::split_first);
        let others = others.flat_map(|(own, others)| others.iter().map(move |other| (*other, *own)));
        let names = others.chain(pixels.iter().map(|[own, other]| (other.as_str(), own.as_str())));
        Asset::new("application/json", openapi::public(public_url, names))
    }

    fn events(&self, route: Route) -> MethodRouter {
        let inner = Arc::clone(&self.0);
        let taken = async move |request: Request| {
            let (parts, body) = request.into_parts();
            inner.events(route, parts, body).await
        };
        self.asked_first(post(taken))
    }

    fn pixel(&self, kind: Kind) -> MethodRouter {
        let inner = Arc::clone(&self.0);
        let taken = async move |request: Request| {
            let (parts, _) = request.into_parts();
            let event = pixel::event(&parts.uri);
            pixel::instead_of(inner.events(Route::OfKind(kind), parts, Body::from(event)).await)
        };
        // Without a HEAD of its own it would be a GET, which is an event.
        self.asked_first(get(taken).head(async || pixel::instead_of(Response::default())))
    }

    fn settings(&self, settings: SdkSettings, prefix: &str) -> MethodRouter {
        let (inner, looked, prefix) = (Arc::clone(&self.0), Arc::clone(&self.0), prefix.to_owned());
        let told = async move |named: Result<Path<String>, PathRejection>, request: Request| {
            let named = named.ok().map(|Path(key)| key);
            inner.settings(settings, &prefix, named, &request.into_parts().0)
        };
        // RudderStack's SDK looks for ad-blockers by a HEAD without a key; an answer it may not read is one to it.
        let there = async move |headers: HeaderMap| {
            looked.finished(settings.paths()[0], &headers, Ok(Response::default()))
        };
        self.asked_first(get(told).head(there))
    }

    /// What some SDKs send and nobody here reads.
    fn ignored(&self) -> MethodRouter {
        let inner = Arc::clone(&self.0);
        let ignored = async move |request: Request| {
            let (parts, body) = request.into_parts();
            http::discard(&parts.headers, body, inner.body_limits()).await;
            inner.finished("ignored", &parts.headers, taken(0, &[]).map_err(Denied::from))
        };
        self.asked_first(post(ignored))
    }

    /// With the answer to a preflight.
    fn asked_first(&self, methods: MethodRouter) -> MethodRouter {
        let inner = Arc::clone(&self.0);
        methods.options(async move |headers: HeaderMap| inner.preflight(&headers))
    }
}

/// There is no such route; whoever looks for the debugger here is told where it is.
fn nothing_at(path: &str) -> ApiError {
    const PRIVATE: [&str; 4] = ["api", "debug", "metrics", "admin"];
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    if PRIVATE.contains(&first) {
        ApiError::no_such(
            "there is no such route here: the debugger, its API and the metrics are on the private listener (admin.listen)",
        )
    } else {
        ApiError::not_found()
    }
}
