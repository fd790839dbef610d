//! The demo page: a small shop with the tag, and beside it what became of its events. `/demo` on the public listener,
//! under `demo` alone.
//!
//! What it shows comes from the routes of the private listener, asked in the name of whoever asks, so that its guard
//! judges the page. Must not show anything of a service that is no demo.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::WRITE_KEY;
use crate::http::Asset;
use crate::sandbox::Sandbox;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const EVENTS_SHOWN: usize = 12;
const DEALS_SHOWN: usize = 2;

struct Demo {
    client: reqwest::Client,
    private: SocketAddr,
    sandbox: Sandbox,
}

/// The routes of the page.
pub(super) fn router(client: reqwest::Client, private: SocketAddr, sandbox: Sandbox) -> Router {
    let html = include_str!("index.html").replace("%WRITE_KEY%", WRITE_KEY);
    let page = Asset::new("text/html; charset=utf-8", html)
        .with(header::CONTENT_SECURITY_POLICY, POLICY)
        .with(header::REFERRER_POLICY, "same-origin");
    let script = |content: &'static str| Asset::new("text/javascript; charset=utf-8", content);
    let files = [
        ("/demo", page.clone()),
        ("/demo/", page),
        ("/demo/demo.js", script(include_str!("demo.js"))),
        ("/demo/stub.js", script(include_str!("stub.js"))),
        ("/demo/demo.css", Asset::new("text/css; charset=utf-8", include_str!("demo.css"))),
        ("/demo/icon.svg", Asset::new("image/svg+xml", include_str!("icon.svg"))),
    ];
    let demo = Arc::new(Demo { client, private, sandbox });
    let router = Router::new().route("/demo/state", get(state)).with_state(demo);
    files.into_iter().fold(router, |router, (path, asset)| {
        router.route(path, get(async move |headers: HeaderMap| asset.answer(&headers)))
    })
}

async fn state(State(demo): State<Arc<Demo>>, headers: HeaderMap) -> Response {
    let answer = match demo.state(&headers).await {
        Ok(state) => Json(state).into_response(),
        Err(error) => {
            let refused = error.status().filter(StatusCode::is_client_error);
            if refused.is_none() {
                tracing::warn!(error = %error.without_url(), "the demo page has nothing to show");
            }
            refused.unwrap_or(StatusCode::BAD_GATEWAY).into_response()
        }
    };
    ([(header::CACHE_CONTROL, "no-store")], answer).into_response()
}

impl Demo {
    /// Everything the page shows.
    async fn state(&self, asked: &HeaderMap) -> reqwest::Result<Value> {
        let status = self.ask("/api/status", asked).await?;
        let events = self.ask(&format!("/api/events?limit={EVENTS_SHOWN}"), asked).await?;
        let deliveries = self.ask(&format!("/api/deliveries?limit={EVENTS_SHOWN}"), asked).await?;
        let called = |delivery: &&Value| delivery["attempts_made"].as_u64().is_some_and(|made| made > 0);
        let newest = deliveries["deliveries"].as_array().and_then(|all| all.iter().find(called));
        let call = match newest.and_then(|delivery| delivery["id"].as_str()) {
            Some(id) => self.ask(&format!("/api/deliveries/{id}"), asked).await?,
            None => Value::Null,
        };
        let deals = self.deals(asked).await?;
        Ok(json!({
            "status": status,
            "deals": deals,
            "events": events["events"],
            "call": call["attempts"].as_array().and_then(|attempts| attempts.last()),
            "contacts": self.sandbox.contacts(),
            "debugger": format!("http://{}/debug", self.private),
        }))
    }

    /// The newest deals as the service sees them, each with what stands in the CRM and how many calls were made of it.
    async fn deals(&self, asked: &HeaderMap) -> reqwest::Result<Vec<Value>> {
        let listed = self.ask(&format!("/api/deals?limit={DEALS_SHOWN}"), asked).await?;
        let mut deals = Vec::new();
        for deal in listed["deals"].as_array().into_iter().flatten() {
            let subject = deal["subject"].as_str().unwrap_or_default();
            // Keys are of this page, which makes them of letters, digits and hyphens.
            let calls =
                self.ask(&format!("/api/deliveries?subject={}", subject.replace('#', "%23")), asked).await?;
            let made = calls["deliveries"].as_array().into_iter().flatten();
            let made: u64 = made.filter_map(|delivery| delivery["attempts_made"].as_u64()).sum();
            let id = deal["deal_id"].as_u64();
            let stored = id.and_then(|id| self.sandbox.deals().into_iter().find(|deal| deal["id"] == id));
            let stage = stored.as_ref().and_then(|stored| self.stage(stored["deal_stage_id"].as_u64()?));
            deals.push(json!({ "key": deal["key"], "state": deal["state"], "why": deal["why"],
                "calls": made, "stored": stored, "stage": stage }));
        }
        Ok(deals)
    }

    /// The name of a stage in the CRM.
    fn stage(&self, id: u64) -> Option<Value> {
        let pipelines = self.sandbox.selector("deal_pipelines")?;
        let stages = pipelines.iter().filter_map(|pipeline| pipeline["deal_stages"].as_array());
        stages.flatten().find(|stage| stage["id"] == id).map(|stage| stage["name"].clone())
    }

    /// Asks the private listener under the host and the origin that the page was asked under.
    async fn ask(&self, path: &str, asked: &HeaderMap) -> reqwest::Result<Value> {
        let request = self.client.get(format!("http://{}{path}", self.private));
        let named = [header::HOST, header::ORIGIN].into_iter().flat_map(|name| {
            asked.get_all(&name).into_iter().map(move |value| (name.clone(), value.clone()))
        });
        let request = named.fold(request, |request, (name, value)| request.header(name, value));
        request.send().await?.error_for_status()?.json().await
    }
}
