//! Somebody's web site: pages on an origin of their own, which is not the service's.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::IntoResponse;
use axum::routing::get;
use freshsignal::http::{ServeLimits, serve};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A file of a site.
pub struct File {
    path: &'static str,
    content_type: &'static str,
    headers: Vec<(HeaderName, String)>,
    content: String,
}

/// A web page.
pub fn page(path: &'static str, content: impl Into<String>) -> File {
    File { path, content_type: "text/html; charset=utf-8", headers: Vec::new(), content: content.into() }
}

/// A script.
pub fn script(path: &'static str, content: impl Into<String>) -> File {
    File { path, content_type: "text/javascript", headers: Vec::new(), content: content.into() }
}

impl File {
    /// Sent with this Content-Security-Policy.
    pub fn under_policy(mut self, policy: impl Into<String>) -> Self {
        self.headers.push((header::CONTENT_SECURITY_POLICY, policy.into()));
        self
    }

    /// The same at another path.
    pub fn at(mut self, path: &'static str) -> Self {
        self.path = path;
        self
    }

    /// The same with something else in place of a part of it.
    pub fn replacing(mut self, part: &str, with: &str) -> Self {
        assert!(self.content.contains(part), "{part} is not in the file");
        self.content = self.content.replace(part, with);
        self
    }

    fn served(&self) -> impl IntoResponse + Clone + use<> {
        let mut headers = axum::http::HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        for (name, value) in &self.headers {
            headers.insert(name, HeaderValue::from_str(value).unwrap());
        }
        (headers, self.content.clone())
    }
}

/// A site that runs until it is dropped.
pub struct Site {
    address: SocketAddr,
    _stop: DropGuard,
}

impl Site {
    /// Serves these files. A site with a `/favicon.ico` of its own is not asked for one in vain.
    pub async fn start(files: Vec<File>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut router = Router::new().route("/favicon.ico", get(async || ""));
        for file in files {
            let served = file.served();
            router = router.route(file.path, get(async move || served));
        }
        let stop = CancellationToken::new();
        let limits = ServeLimits { shutdown_timeout: Duration::ZERO, ..ServeLimits::default() };
        tokio::spawn(serve(listener, router, limits, stop.clone()));
        Self { address, _stop: stop.drop_guard() }
    }

    /// The origin of its pages. `localhost` and the service's `127.0.0.1` are two sites, not only two origins.
    pub fn origin(&self) -> String {
        format!("http://localhost:{}", self.address.port())
    }

    /// The address of a file.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin())
    }
}
