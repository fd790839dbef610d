//! The files of conversions: won deals as ad platforms import them, on the public listener, for whoever knows user and password.
//!
//! A file is made anew for each request, a page of deals at a time: who withdrew or was erased is in none that is begun
//! afterwards. Must not decide who may be in it.

mod access;
mod config;
mod stream;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::{Semaphore, watch};

pub use config::{Config, problems};

use crate::clock::Clock;
use crate::conversion::File;
use crate::decision::Settings;
use crate::http::ApiError;
use crate::store::SharedStore;

/// The part of a path that the routes begin with.
pub const ROOT: &str = "/conversions";
/// Files that are made at one time; who asks for another meanwhile is told to come again.
const FILES_MAX: usize = 2;
/// When to come again.
const AGAIN_SECONDS: u32 = 10;

/// The routes, and what they need.
#[derive(Clone)]
pub struct Conversions {
    store: SharedStore,
    settings: watch::Receiver<Arc<Settings>>,
    config: watch::Receiver<Arc<Config>>,
    clock: Arc<dyn Clock>,
    places: Arc<Semaphore>,
}

impl Conversions {
    /// The routes over a store.
    #[must_use]
    pub fn new(
        store: SharedStore,
        settings: watch::Receiver<Arc<Settings>>,
        config: watch::Receiver<Arc<Config>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { store, settings, config, clock, places: Arc::new(Semaphore::new(FILES_MAX)) }
    }

    /// The routes, each also below a prefix.
    pub fn router(self, prefix: &str) -> Router {
        let mut router = Router::new();
        for prefix in [Some(""), Some(prefix).filter(|prefix| !prefix.is_empty())].into_iter().flatten() {
            for file in File::ALL {
                let answer = async move |State(here): State<Self>, request: Request| {
                    here.file(file, request.headers()).await
                };
                router = router.route(&format!("{prefix}{ROOT}/{}", file.name()), get(answer));
            }
        }
        router.method_not_allowed_fallback(async || ApiError::method_not_allowed()).with_state(self)
    }

    async fn file(&self, file: File, headers: &HeaderMap) -> Response {
        let config = Arc::clone(&self.config.borrow());
        if !config.enabled {
            return ApiError::not_found().into_response();
        }
        if !access::admits(&config, headers) {
            return access::refusal();
        }
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return busy() };
        let settings = Arc::clone(&self.settings.borrow());
        let made =
            stream::begin(file, config, settings, Arc::clone(&self.store), self.clock.wall(), place).await;
        match made {
            Ok(body) => answer(file, body),
            Err(error) => {
                tracing::warn!(%error, "a file of conversions could not be made: the store does not answer; it can be asked for again");
                busy()
            }
        }
    }
}

fn busy() -> Response {
    let message = "too many files are made, or the store does not answer; come again";
    let error = ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", message);
    error.retry_after_seconds(AGAIN_SECONDS).into_response()
}

fn answer(file: File, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let name = format!("attachment; filename=\"{}\"", file.name());
    headers.extend(HeaderValue::from_str(&name).ok().map(|name| (header::CONTENT_DISPOSITION, name)));
    response
}
