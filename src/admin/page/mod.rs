//! The debugger's page: static files that are compiled in.
//!
//! They hold no data, so they answer without the token; the page asks for it and sends it along. Must not build HTML
//! from anything: what the page shows it fetches as JSON and puts in as text.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{OriginalUri, Path};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::http::ApiError;

/// No script and no style but the files below, nobody else's data, no frame around it; and no text becomes HTML.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// A file of the page.
struct File {
    name: &'static str,
    kind: &'static str,
    content: &'static str,
}

macro_rules! file {
    ($name:literal, $kind:expr) => {
        File { name: $name, kind: $kind, content: include_str!(concat!("ui/", $name)) }
    };
}

const INDEX: File = file!("index.html", HTML);

/// What the page loads.
const FILES: &[File] = &[
    file!("style.css", CSS),
    file!("icon.svg", SVG),
    file!("main.js", SCRIPT),
    file!("acts.js", SCRIPT),
    file!("api.js", SCRIPT),
    file!("columns.js", SCRIPT),
    file!("csv.js", SCRIPT),
    file!("dom.js", SCRIPT),
    file!("words.js", SCRIPT),
    file!("live.js", SCRIPT),
    file!("now.js", SCRIPT),
    file!("tiles.js", SCRIPT),
    file!("timeline.js", SCRIPT),
    file!("plan.js", SCRIPT),
    file!("plot.js", SCRIPT),
    file!("records.js", SCRIPT),
    file!("rows.js", SCRIPT),
    file!("settings.js", SCRIPT),
    file!("settings_follow.js", SCRIPT),
    file!("settings_hooks.js", SCRIPT),
    file!("settings_mapping.js", SCRIPT),
    file!("events.js", SCRIPT),
    file!("event.js", SCRIPT),
    file!("compare.js", SCRIPT),
    file!("connect.js", SCRIPT),
    file!("contacts.js", SCRIPT),
    file!("deals.js", SCRIPT),
    file!("companies.js", SCRIPT),
    file!("happenings.js", SCRIPT),
    file!("deliveries.js", SCRIPT),
    file!("dead_letters.js", SCRIPT),
    file!("outputs.js", SCRIPT),
    file!("owned.js", SCRIPT),
    file!("owned_outputs.js", SCRIPT),
    file!("playground.js", SCRIPT),
    file!("start.js", SCRIPT),
    file!("status.js", SCRIPT),
    file!("suppress.js", SCRIPT),
];

/// Every script of the page.
#[cfg(test)]
pub(super) fn scripts() -> impl Iterator<Item = &'static str> {
    FILES.iter().filter(|file| file.kind == SCRIPT).map(|file| file.content)
}

/// Changes with any of the files.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = DefaultHasher::new();
    for file in FILES {
        file.content.hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
});

/// The page, which names its files below their version, so that a browser asks for each once; and at its head what every view
/// needs, so that it asks for all of that together and not for each when another names it.
static PAGE: LazyLock<String> = LazyLock::new(|| {
    let main = FILES.iter().find(|file| file.name == "main.js").map_or("", |file| file.content);
    let named = main.split(" from \"./").skip(1).filter_map(|rest| rest.split('"').next());
    let early: Vec<String> =
        named.map(|name| format!("<link rel=\"modulepreload\" href=\"debug/{name}\">\n")).collect();
    let page = INDEX.content.replace("<script ", &format!("{}<script ", early.concat()));
    page.replace("\"debug/", &format!("\"debug/{}/", *VERSION))
});

/// `GET /debug`
pub(super) async fn index(headers: HeaderMap) -> Response {
    answer(INDEX.kind, &PAGE, &headers, ASKED_EACH_TIME)
}

/// `GET /`: to the page, which is beside it wherever these routes are. Below a path on the public listener the slash at its end
/// may be missing, and what is beside it is named from the last part of the path then.
pub(super) async fn home(OriginalUri(asked): OriginalUri) -> Response {
    let page = match asked.path().rsplit_once('/') {
        Some((_, last)) if !last.is_empty() => format!("{last}/debug"),
        Some(_) | None => "debug".to_owned(),
    };
    (StatusCode::SEE_OTHER, [(header::LOCATION, page)]).into_response()
}

/// `GET /debug/{file}`
pub(super) async fn file(path: Result<Path<String>, PathRejection>, headers: HeaderMap) -> Response {
    let file = path.ok().and_then(|Path(name)| FILES.iter().find(|file| file.name == name));
    match file {
        Some(file) => answer(file.kind, file.content, &headers, ASKED_EACH_TIME),
        None => ApiError::not_found().into_response(),
    }
}

/// `GET /debug/{version}/{file}`: of this version it never changes; whoever has an older page gets what there is.
pub(super) async fn versioned(
    path: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    let found = path.ok().and_then(|Path((version, name))| {
        FILES.iter().find(|file| file.name == name).map(|file| (file, version == *VERSION))
    });
    match found {
        Some((file, true)) => answer(file.kind, file.content, &headers, NEVER_CHANGES),
        Some((file, false)) => answer(file.kind, file.content, &headers, ASKED_EACH_TIME),
        None => ApiError::not_found().into_response(),
    }
}

/// A new binary brings new files.
const ASKED_EACH_TIME: &str = "no-cache";
const NEVER_CHANGES: &str = "private, max-age=31536000, immutable";

/// The file, or that the one the browser keeps is still the same.
fn answer(kind: &'static str, content: &'static str, headers: &HeaderMap, keep: &'static str) -> Response {
    let tag = entity_tag(content);
    let known = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let same =
        known.is_some_and(|tags| tags.split(',').any(|known| known.trim() == tag || known.trim() == "*"));
    let body = if same { Body::empty() } else { Body::from(content) };
    let mut response = Response::new(body);
    if same {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let fixed = |name: HeaderName, value: &'static str| (name, HeaderValue::from_static(value));
    response.headers_mut().extend([
        fixed(header::CONTENT_TYPE, kind),
        fixed(header::CACHE_CONTROL, keep),
        fixed(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        fixed(header::REFERRER_POLICY, "no-referrer"),
        fixed(HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        fixed(HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ]);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// Changes with the content; that is all it is for.
fn entity_tag(content: &str) -> String {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The files that a text names: in quotes, and known by their end.
    fn named(content: &str) -> Vec<&str> {
        let ends = [".js", ".css", ".svg"];
        let quoted = content.split('"').skip(1).step_by(2);
        quoted.filter(|text| ends.iter().any(|end| text.ends_with(end))).collect()
    }

    #[test]
    fn every_file_that_the_page_loads_is_compiled_in() {
        let exists = |name: &str| FILES.iter().any(|file| file.name == name);
        let page = named(INDEX.content);
        assert!(page.len() >= 3, "{page:?}");
        for name in page {
            assert!(exists(name.trim_start_matches("debug/")), "index.html names {name}");
        }
        for file in FILES.iter().filter(|file| file.kind == SCRIPT) {
            for name in named(file.content) {
                assert!(exists(name.trim_start_matches("./")), "{} names {name}", file.name);
            }
        }
    }

    #[test]
    fn the_page_asks_for_what_every_view_needs_at_once_and_by_its_version() {
        for name in ["main.js", "style.css", "icon.svg", "api.js", "dom.js", "rows.js", "words.js"] {
            let place = format!("\"debug/{}/{name}\"", *VERSION);
            assert!(PAGE.contains(&place), "{place} is not in {}", *PAGE);
        }
        assert!(!PAGE.contains("events.js"), "a view's script is read when it is opened");
        assert_eq!(PAGE.matches("\"debug/").count(), PAGE.matches(&format!("\"debug/{}/", *VERSION)).count());
    }

    #[tokio::test]
    async fn a_browser_keeps_a_file_of_this_version_and_asks_again_for_any_other() {
        let kept = async |version: &str| {
            let path = Ok(Path((version.to_owned(), "dom.js".to_owned())));
            let answer = versioned(path, HeaderMap::new()).await;
            assert_eq!(answer.status(), StatusCode::OK);
            answer.headers()[header::CACHE_CONTROL].to_str().unwrap().contains("immutable")
        };
        assert!(kept(&VERSION).await && !kept("of-before").await);
        let none = versioned(Ok(Path((VERSION.clone(), "none.js".to_owned()))), HeaderMap::new()).await;
        assert_eq!(none.status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn nothing_that_the_page_does_makes_html_of_text() {
        for file in FILES.iter().chain([&INDEX]) {
            for word in
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("]
            {
                assert!(!file.content.contains(word), "{} has {word}", file.name);
            }
        }
        assert!(!INDEX.content.contains("<style") && !INDEX.content.contains(" style="));
        assert!(INDEX.content.split("<script").skip(1).all(|tag| tag.contains(" src=\"debug/")));
    }

    #[test]
    fn every_file_says_what_it_is_for() {
        for file in FILES.iter().filter(|file| file.kind == SCRIPT) {
            assert!(file.content.starts_with("// "), "{}", file.name);
            assert!(file.content.lines().count() <= 400, "{}", file.name);
        }
    }
}
