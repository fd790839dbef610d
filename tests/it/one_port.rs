//! A host with one port: the private routes on the public listener, and a data folder that would go with the container.

use std::sync::Arc;

use freshsignal::clock::SystemClock;
use freshsignal::store::StoreSettings;
use freshsignal::store::sqlite::SqliteStore;
use reqwest::{Method, StatusCode};

use crate::support::app::{Service, Setup};
use crate::support::command::{freshsignal, output};

const TOKEN: &str = "token-of-the-private-routes-0123456789";

async fn status(service: &Service, path: &str, headers: &[(&str, &str)]) -> StatusCode {
    let asked = service.public(Method::GET, path);
    let asked = headers.iter().fold(asked, |asked, (name, value)| asked.header(*name, *value));
    asked.send().await.unwrap().status()
}

#[tokio::test]
async fn by_default_nothing_private_is_on_the_public_listener() {
    let service = Service::start().await;
    for path in ["/admin/api/status", "/admin/debug", "/api/status", "/debug", "/metrics"] {
        assert_eq!(status(&service, path, &[]).await, StatusCode::NOT_FOUND, "{path}");
    }
    service.finish().await;
}

#[tokio::test]
async fn under_admin_path_everything_private_is_behind_the_token_by_whatever_name_the_host_has() {
    let service = Setup::new().with("ADMIN__PATH", "/admin").with("ADMIN__TOKEN", TOKEN).start().await;
    let bearer = format!("Bearer {TOKEN}");
    let (token, wrong) = (("authorization", bearer.as_str()), ("authorization", "Bearer wrong"));
    let name = ("host", "acme.host.example");
    for path in ["/admin/api/status", "/admin/metrics", "/admin/api/events", "/admin/nothing"] {
        assert_eq!(status(&service, path, &[name]).await, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(status(&service, path, &[name, wrong]).await, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(status(&service, "/admin/api/status", &[name, token]).await, StatusCode::OK);
    let foreign = ("origin", "https://evil.example");
    assert_eq!(status(&service, "/admin/api/status", &[name, token, foreign]).await, StatusCode::FORBIDDEN);
    let own = ("origin", "https://acme.host.example");
    assert_eq!(status(&service, "/admin/api/status", &[name, token, own]).await, StatusCode::OK);
    let metrics =
        service.public(Method::GET, "/admin/metrics").header(token.0, token.1).send().await.unwrap();
    assert!(metrics.text().await.unwrap().contains("freshsignal_build_info"));
    // The page holds no data, and what it loads is below the same path.
    let page = service.public(Method::GET, "/admin/debug").send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    let page = page.text().await.unwrap();
    let script = page.split("src=\"").find_map(|rest| rest.split('"').next()?.strip_suffix("/main.js"));
    let script = format!("/admin/{}/main.js", script.expect("the page loads its script"));
    assert_eq!(status(&service, &script, &[]).await, StatusCode::OK);
    assert_eq!(status(&service, "/admin/debug/main.js", &[]).await, StatusCode::OK);
    // With its slash or without, the path leads to the page.
    for (path, leads_to) in [("/admin", "admin/debug"), ("/admin/", "debug")] {
        let answer = service.public(Method::GET, path).send().await.unwrap();
        assert_eq!(
            (answer.status(), &answer.headers()["location"]),
            (StatusCode::SEE_OTHER, &leads_to.parse().unwrap())
        );
    }
    // Everything else is as without it.
    let event = service.post("/ingest").body(r#"{"type": "page", "userId": "u-1"}"#).send().await.unwrap();
    assert_eq!(event.status(), StatusCode::OK);
    assert_eq!(status(&service, "/readyz", &[]).await, StatusCode::OK);
    assert_eq!(status(&service, "/api/status", &[token]).await, StatusCode::NOT_FOUND);
    service.finish().await;
}

#[tokio::test]
async fn where_no_token_is_configured_one_is_made_though_loopback_stays_open() {
    let service = Setup::new().with("ADMIN__PATH", "/ops").start().await;
    assert_eq!(status(&service, "/ops/api/status", &[]).await, StatusCode::UNAUTHORIZED);
    let here = service.private("/api/status").send().await.unwrap();
    assert_eq!(here.status(), StatusCode::OK);
    service.finish().await;
}

#[test]
fn a_path_where_events_come_in_is_refused() {
    for (path, prefix) in
        [("/v1", ""), ("/hooks", ""), ("/relay", "/relay/of/events"), ("admin", ""), ("/a/b", "")]
    {
        let keys = [("ADMIN__PATH", path), ("SERVER__PATH_PREFIX", prefix)];
        let (code, _, stderr) = output(&mut freshsignal(&["check"], &keys), "");
        assert_eq!(code, 2, "{path}");
        assert!(stderr.contains(&format!("admin.path = \"{path}\"")), "{path}: {stderr}");
    }
}

/// Holds on machines whose temporary folders are inside a container or in memory; elsewhere such a folder is in neither.
#[test]
fn a_data_folder_that_goes_with_the_container_is_refused_unless_that_is_meant() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let clock = Arc::new(SystemClock::default());
    let settings = StoreSettings { ephemeral: false, ..StoreSettings::default() };
    match SqliteStore::open(&data, settings, clock.clone()) {
        Ok(store) => store.shut(),
        Err(refused) => {
            assert_eq!(refused.exit_code(), 2);
            let said = refused.to_string();
            assert!(
                said.contains(data.to_str().unwrap()) && said.contains("store.ephemeral = true"),
                "{said}"
            );
            assert!(!data.join("journal.db").exists(), "nothing was made in it");
        }
    }
    SqliteStore::open(&data, StoreSettings::default(), clock).unwrap().shut();
}
