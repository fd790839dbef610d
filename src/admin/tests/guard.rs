//! Who is turned away. The table of routes is walked, so a route that is added is tested.

use super::*;

pub fn method(route: &Route) -> &'static str {
    match route.method {
        POST => "POST",
        DELETE => "DELETE",
        _ => "GET",
    }
}

/// A path that the route matches.
fn path(route: &Route) -> String {
    route
        .path
        .replace("{message_id}", "m1")
        .replace("{id}", "d1-0")
        .replace("{email}", "a%40b.co")
        .replace("{file}", "style.css")
}

fn ask(route: &Route) -> axum::http::request::Builder {
    Request::builder().method(method(route)).uri(path(route))
}

async fn answer(lab: &Lab, builder: axum::http::request::Builder) -> Reply {
    lab.send(builder.body(Body::empty()).unwrap()).await
}

#[test]
fn only_the_page_and_the_health_routes_are_open() {
    let open = ROUTES.iter().filter(|route| route.access == Access::Anybody).map(|route| route.path);
    assert_eq!(
        open.collect::<Vec<_>>(),
        [
            "/api/setup/session",
            "/",
            "/debug",
            "/debug/{file}",
            "/debug/{version}/{file}",
            "/openapi.json",
            "/healthz",
            "/readyz"
        ]
    );
}

/// Every route there is.
const THERE: &[(&str, &str)] = &[
    ("GET", "/api/events"),
    ("GET", "/api/events/{message_id}"),
    ("POST", "/api/events/{message_id}/retry"),
    ("GET", "/api/deliveries"),
    ("GET", "/api/deliveries/{id}"),
    ("GET", "/api/contacts/{email}"),
    ("POST", "/api/contacts/resend"),
    ("GET", "/api/crm/contacts"),
    ("GET", "/api/crm/sample"),
    ("GET", "/api/deals"),
    ("GET", "/api/deals/{kind}/{key}"),
    ("POST", "/api/deals/{kind}/{key}/order"),
    ("GET", "/api/companies"),
    ("GET", "/api/companies/{name}"),
    ("GET", "/api/happenings"),
    ("GET", "/api/happenings/{id}"),
    ("POST", "/api/happenings/{id}/tell"),
    ("POST", "/api/happenings/{id}/drop"),
    ("GET", "/api/people"),
    ("DELETE", "/api/people"),
    ("GET", "/api/people/suppress"),
    ("POST", "/api/people/suppress"),
    ("DELETE", "/api/people/suppress"),
    ("GET", "/api/erasures/{erasure}"),
    ("GET", "/api/dead-letters"),
    ("POST", "/api/dead-letters/redrive"),
    ("DELETE", "/api/dead-letters/{email}"),
    ("POST", "/api/ledger/distrust"),
    ("POST", "/api/pause"),
    ("POST", "/api/resume"),
    ("POST", "/api/plan"),
    ("GET", "/api/settings"),
    ("GET", "/api/settings/export"),
    ("GET", "/api/settings/paths"),
    ("POST", "/api/settings/preview"),
    ("POST", "/api/settings/apply"),
    ("GET", "/api/settings/owned"),
    ("POST", "/api/settings/owned"),
    ("DELETE", "/api/settings/owned"),
    ("GET", "/api/setup"),
    ("POST", "/api/setup/session"),
    ("POST", "/api/setup/account"),
    ("POST", "/api/reload"),
    ("GET", "/api/connect"),
    ("GET", "/api/now"),
    ("GET", "/api/status"),
    ("GET", "/api/status/history"),
    ("GET", "/api/alerts"),
    ("GET", "/api/outputs"),
    ("GET", "/api/outputs/{name}"),
    ("POST", "/api/outputs/{name}/redrive"),
    ("POST", "/api/outputs/{name}/discard"),
    ("POST", "/api/outputs/{name}/resume"),
    ("GET", "/api/exports"),
    ("POST", "/api/exports"),
    ("GET", "/api/exports/contacts"),
    ("GET", "/api/exports/{id}"),
    ("DELETE", "/api/exports/{id}"),
    ("GET", "/api/exports/{id}/file"),
    ("GET", "/api/selectors"),
    ("GET", "/api/stream"),
    ("POST", "/api/map"),
    ("GET", "/api/orders/{order}"),
    ("GET", "/api/me"),
    ("GET", "/api/acts"),
    ("GET", "/api/looks"),
    ("GET", "/metrics"),
    ("GET", "/"),
    ("GET", "/debug"),
    ("GET", "/debug/{file}"),
    ("GET", "/debug/{version}/{file}"),
    ("GET", "/openapi.json"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
];

#[test]
fn routes_of_later_work_do_not_exist_yet() {
    let paths: Vec<_> = ROUTES.iter().map(|route| (method(route), route.path)).collect();
    assert_eq!(paths, THERE);
}

#[tokio::test]
async fn every_route_refuses_without_the_token_or_with_another() {
    let lab = Lab::with_token();
    let wrong = TOKEN.replace('f', "e");
    let headers = [
        None,
        Some(String::new()),
        Some("Bearer".into()),
        Some("Bearer ".into()),
        Some(format!("Bearer {wrong}")),
        Some(format!("Bearer {}", &TOKEN[..31])),
        Some(format!("Bearer {TOKEN}0")),
        Some(format!("Basic {TOKEN}")),
        Some(TOKEN.to_owned()),
    ];
    for route in ROUTES {
        for header in &headers {
            let mut builder = ask(route).header("host", "localhost");
            if let Some(value) = header {
                builder = builder.header("authorization", value);
            }
            let reply = answer(&lab, builder).await;
            if route.access == Access::Anybody {
                // The root leads to the page, and a session asks for its code.
                let expected = match route.path {
                    "/" => 303,
                    "/api/setup/session" => 400,
                    _ => 200,
                };
                assert_eq!(reply.status, expected, "{}", route.path);
                let health = reply.text == r#"{"status":"ok"}"#;
                assert_eq!(health, ["/healthz", "/readyz"].contains(&route.path), "{}", route.path);
                continue;
            }
            assert_eq!(reply.refusal(), (401, "unauthorized".into(), Value::Null), "{}", route.path);
            assert_eq!(reply.headers["www-authenticate"], "Bearer");
        }
    }
}

#[tokio::test]
async fn the_token_opens_every_route_and_a_query_never_does() {
    let lab = Lab::with_token();
    for route in ROUTES {
        let bearer = format!("bearer {TOKEN}");
        let reply =
            answer(&lab, ask(route).header("host", "localhost").header("authorization", bearer)).await;
        assert!(![401, 403].contains(&reply.status.as_u16()), "{}", route.path);
        if route.access != Access::Anybody {
            let uri = format!("{}?token={TOKEN}&access_token={TOKEN}", path(route));
            let builder = Request::builder().method(method(route)).uri(uri).header("host", "localhost");
            assert_eq!(answer(&lab, builder).await.status, 401, "{}", route.path);
        }
    }
}

#[tokio::test]
async fn without_a_token_loopback_is_open_and_anything_else_is_shut() {
    let mut lab = Lab::new();
    for route in ROUTES {
        let reply = answer(&lab, ask(route).header("host", "localhost")).await;
        assert!(![401, 403].contains(&reply.status.as_u16()), "{}", route.path);
    }
    lab.admin.loopback = false;
    for route in ROUTES.iter().filter(|route| route.access != Access::Anybody) {
        assert_eq!(answer(&lab, ask(route).header("host", "localhost")).await.status, 401, "{}", route.path);
    }
}

#[tokio::test]
async fn what_does_not_exist_is_nobodys_business_without_the_token() {
    let lab = Lab::with_token();
    for (method, path) in
        [("GET", "/api/person"), ("DELETE", "/api/events"), ("GET", "/api"), ("PUT", "/metrics")]
    {
        assert_eq!(answer(&lab, request(method, path)).await.status, 401, "{path}");
    }
    let open = Lab::new();
    let missing = answer(&open, request("GET", "/api/person")).await;
    assert_eq!(missing.refusal(), (404, "not_found".into(), Value::Null));
    let method = answer(&open, request("DELETE", "/api/events")).await;
    assert_eq!(method.refusal(), (405, "method_not_allowed".into(), Value::Null));
}

#[tokio::test]
async fn every_route_refuses_a_foreign_host() {
    let mut lab = Lab::new();
    lab.admin.allowed_hosts = vec!["signal.internal".into(), "proxy.internal:8443".into()];
    let good = [
        "localhost",
        "LOCALHOST:8081",
        "127.0.0.1",
        "127.0.0.1:8081",
        "[::1]",
        "[::1]:8081",
        "127.9.9.9:80",
        "[::ffff:127.0.0.1]",
        "signal.internal",
        "Signal.Internal:9000",
        "proxy.internal:8443",
    ];
    let bad = [
        "evil.example",
        "10.1.2.3:80",
        "0.0.0.0:8081",
        "[::]",
        "[fe80::1]:8081",
        "169.254.169.254",
        "evil.example:8081",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "",
        ":8081",
        "localhost:8081:1",
        "localhost@evil.example",
        "proxy.internal:1",
        "localhost:x",
    ];
    for route in ROUTES {
        for host in good {
            let reply = answer(&lab, ask(route).header("host", host)).await;
            assert_ne!(reply.status, 403, "{} {host}", route.path);
        }
        for host in bad {
            let reply = answer(&lab, ask(route).header("host", host)).await;
            assert_eq!(
                reply.refusal(),
                (403, "host_not_allowed".into(), Value::Null),
                "{} {host}",
                route.path
            );
        }
        assert_eq!(answer(&lab, ask(route)).await.status, 403);
        let two = ask(route).header("host", "localhost").header("host", "evil.example");
        assert_eq!(answer(&lab, two).await.status, 403);
    }
}

#[tokio::test]
async fn with_a_token_or_where_it_is_allowed_the_listener_is_called_by_any_address() {
    let lab = Lab::with_token();
    for host in ["10.1.2.3:80", "[fe80::1]:8081", "127.0.0.1"] {
        let builder = Request::get("/api/status").header("host", host);
        let with_token = builder.header("authorization", format!("Bearer {TOKEN}"));
        assert_eq!(answer(&lab, with_token).await.status, 200, "{host}");
    }
    let mut open = Lab::new();
    open.admin.allowed_hosts = vec!["10.1.2.3".into()];
    for (host, status) in [("10.1.2.3:80", 200), ("10.1.2.4:80", 403)] {
        assert_eq!(answer(&open, Request::get("/api/status").header("host", host)).await.status, status);
    }
}

#[tokio::test]
async fn every_order_from_a_page_of_another_site_is_refused() {
    for lab in [Lab::new(), Lab::with_token()] {
        for route in ROUTES {
            for (site, own) in [
                ("same-origin", true),
                ("none", true),
                ("cross-site", false),
                ("same-site", false),
                ("", false),
                ("same-origin, cross-site", false),
            ] {
                let builder = ask(route).header("host", "localhost").header("sec-fetch-site", site);
                let reply = answer(&lab, builder.header("authorization", format!("Bearer {TOKEN}"))).await;
                // What is only looked at can't be read by the page, and a link to the debugger works.
                if own || method(route) == "GET" {
                    assert!(![401, 403].contains(&reply.status.as_u16()), "{} {site}", route.path);
                } else {
                    assert_eq!(reply.refusal(), (403, "site_not_allowed".into(), Value::Null), "{site}");
                }
            }
            let two =
                ask(route).header("host", "localhost").header("authorization", format!("Bearer {TOKEN}"));
            let two = two.header("sec-fetch-site", "none").header("sec-fetch-site", "cross-site");
            assert_eq!(answer(&lab, two).await.status == 403, method(route) != "GET", "{}", route.path);
        }
    }
}

#[tokio::test]
async fn every_route_refuses_a_page_of_another_origin_and_shows_no_cors_header() {
    let lab = Lab::new();
    for route in ROUTES {
        for (origin, allowed) in [
            ("http://localhost:8081", true),
            ("https://LOCALHOST:8081", true),
            ("http://localhost", false),
            ("http://localhost:8082", false),
            ("https://evil.example", false),
            ("localhost:8081", false),
            ("null", false),
            ("", false),
        ] {
            let builder = ask(route).header("host", "localhost:8081").header("origin", origin);
            let reply = answer(&lab, builder).await;
            assert_eq!(reply.status != 403, allowed, "{} {origin}", route.path);
            if !allowed {
                assert_eq!(reply.refusal(), (403, "origin_not_allowed".into(), Value::Null));
            }
            let cors = reply.headers.keys().filter(|name| name.as_str().starts_with("access-control"));
            assert_eq!(cors.count(), 0);
        }
    }
}

#[tokio::test]
async fn every_answer_is_not_to_be_kept_and_not_to_be_guessed_at() {
    for lab in [Lab::new(), Lab::with_token()] {
        for route in ROUTES {
            let reply = answer(&lab, ask(route).header("host", "localhost")).await;
            // Files that are the same for everybody are asked for again; whatever holds data is not kept at all.
            let is_a_file = route.path.starts_with("/debug") || route.path == "/openapi.json";
            let kept = if is_a_file { "no-cache" } else { "no-store" };
            assert_eq!(reply.headers["cache-control"], kept, "{}", route.path);
            assert_eq!(reply.headers["x-content-type-options"], "nosniff", "{}", route.path);
        }
    }
}

#[test]
fn the_token_is_not_in_the_debug_print() {
    assert!(!format!("{:?}", Lab::with_token().admin).contains(TOKEN));
}
