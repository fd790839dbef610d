//! People with tokens of their own: which role each route needs, and what somebody is shown who may not see people.

use super::guard::method;
use super::*;

/// A token of each role, and a debugger that knows them.
fn with_people() -> (Lab, Vec<(Role, String)>) {
    let tokens: Vec<(Role, String)> =
        Role::ALL.into_iter().map(|role| (role, format!("{}-{TOKEN}", role.as_str()))).collect();
    let named = |(role, token): &(Role, String)| Named {
        who: Who { name: format!("{}-person", role.as_str()), role: *role },
        token: SecretString::from(token.as_str()),
    };
    let people = watch::Sender::new(Arc::new(tokens.iter().map(named).collect::<Vec<_>>())).subscribe();
    let admin = Admin { people, ..Lab::new().admin };
    (Lab { admin, ..Lab::new() }, tokens)
}

async fn ask(lab: &Lab, route: &Route, token: &str) -> Reply {
    let path = route
        .path
        .replace("{message_id}", "m1")
        .replace("{id}", "d1-0")
        .replace("{email}", "a%40b.co")
        .replace("{file}", "style.css");
    let builder = request(method(route), &path).header("authorization", format!("Bearer {token}"));
    lab.send(builder.body(Body::empty()).unwrap()).await
}

#[test]
fn every_route_has_the_role_that_the_document_says() {
    let document = include_str!("../../../docs/reference/roles.md");
    let rows = document.lines().filter_map(|line| {
        let (route, role) = line.strip_prefix("| `")?.split_once("` | ")?;
        Some((route.to_owned(), role.trim_end_matches(" |").trim_matches('`').to_owned()))
    });
    let role = |route: &Route| match route.access {
        Access::Anybody => "anybody".to_owned(),
        Access::Role(role) => role.as_str().to_owned(),
    };
    let routes = ROUTES.iter().map(|route| (format!("{} {}", method(route), route.path), role(route)));
    assert_eq!(rows.collect::<Vec<_>>(), routes.collect::<Vec<_>>());
}

#[test]
fn what_orders_or_changes_is_for_nobody_who_only_looks() {
    // One reads a body, and one is for whoever has the code of the log.
    let others = ["/api/map", "/api/setup/session"];
    for route in ROUTES.iter().filter(|route| method(route) != "GET" && !others.contains(&route.path)) {
        assert!(matches!(route.access, Access::Role(role) if role >= Role::Act), "{}", route.path);
    }
}

#[tokio::test]
async fn each_role_reaches_what_it_may_and_nothing_else() {
    let (lab, tokens) = with_people();
    for route in ROUTES {
        for (role, token) in &tokens {
            let reply = ask(&lab, route, token).await;
            if route.access.admits(*role) {
                assert!(![401, 403].contains(&reply.status.as_u16()), "{} as {role:?}", route.path);
            } else {
                let (status, code, _) = reply.refusal();
                assert_eq!((status, code.as_str()), (403, "role_too_low"), "{} as {role:?}", route.path);
            }
        }
        let stranger = ask(&lab, route, TOKEN).await;
        assert_eq!(stranger.status == 401, route.access != Access::Anybody, "{}", route.path);
    }
}

#[tokio::test]
async fn each_method_of_a_path_needs_its_own_role() {
    let (lab, tokens) = with_people();
    let (_, read) = &tokens[1];
    for (method, status) in [("GET", 200), ("POST", 403), ("PUT", 405)] {
        let builder = request(method, "/api/exports").header("authorization", format!("Bearer {read}"));
        assert_eq!(lab.send(builder.body(Body::empty()).unwrap()).await.status, status, "{method}");
    }
}

#[tokio::test]
async fn who_asks_is_told_who_they_are_and_what_they_may() {
    let (lab, tokens) = with_people();
    for (role, token) in &tokens {
        let builder = request("GET", "/api/me").header("authorization", format!("Bearer {token}"));
        let me = lab.send(builder.body(Body::empty()).unwrap()).await.json();
        assert_eq!(me["name"], format!("{}-person", role.as_str()));
        assert_eq!(
            (me["role"].as_str(), me["masked"].as_bool()),
            (Some(role.as_str()), Some(*role == Role::View))
        );
        let may: Vec<&str> = me["may"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert_eq!(may.contains(&"POST /api/pause"), *role >= Role::Act);
    }
    assert_eq!(Lab::new().json("/api/me").await["role"], "owner");
}

#[tokio::test]
async fn who_may_not_see_people_can_not_ask_for_one_either() {
    let (lab, tokens) = with_people();
    let paths = [
        "/api/events?email=jane%40acme.example",
        "/api/events?search=jane",
        "/api/events?person=user%3Ajane",
        "/api/deliveries?subject=contact%3Ajane%40acme.example",
        "/api/dead-letters?reason=jane",
        "/api/stream?email=jane%40acme.example",
    ];
    for path in paths {
        for (role, token) in &tokens {
            let builder = request("GET", path).header("authorization", format!("Bearer {token}"));
            let reply = lab.send(builder.body(Body::empty()).unwrap()).await;
            assert_eq!(reply.status, if *role == Role::View { 403 } else { 200 }, "{path} as {role:?}");
        }
    }
}

#[test]
fn a_token_is_not_in_the_debug_print() {
    let (lab, _) = with_people();
    assert!(!format!("{:?}", lab.admin).contains(TOKEN));
}
