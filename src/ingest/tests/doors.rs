//! What came by which door: counted and noted apart, with nothing of what was sent.

use super::*;
use crate::doors::Seen;

const SOURCES: &str =
    "[shop]\nform = true\nwrite_key = 'srv'\nallowed_origins = ['https://shop.example.com']";
const HOOKS: &str = "[zapier]\nkind = 'generic'\nsource = 'shop'\ntoken_header = 'x-token'\nsecret = '0123456789abcdef0123456789abcdef'\n\
                     [stripe]\nkind = 'stripe'\nsource = 'shop'\nsecret = 'whsec_0123456789'";

fn bench() -> Bench {
    let bench = Bench::with("", SOURCES);
    bench.ingest.replace_hooks(&toml::from_str(HOOKS).unwrap(), &toml::from_str(SOURCES).unwrap());
    bench
}

fn hook(name: &str) -> Door {
    Door::Hook(Some(name.to_owned()))
}

fn zapier(token: &str) -> Request<Body> {
    let request = Request::post("/hooks/zapier").header("x-token", token);
    request.body(Body::from(r#"{"email":"ann@example.com"}"#)).unwrap()
}

fn form(name: &str, body: &'static str) -> Request<Body> {
    let request = Request::post(format!("/form/{name}"));
    request.header("content-type", "application/x-www-form-urlencoded").body(Body::from(body)).unwrap()
}

#[tokio::test]
async fn what_is_accepted_is_counted_at_the_door_it_came_by() {
    let bench = bench();
    bench.post("/ingest", format!("[{PAGE},{PAGE}]")).await;
    bench.send(form("shop", "email=ann@example.com")).await;
    bench.send(zapier("0123456789abcdef0123456789abcdef")).await;
    assert_eq!(bench.records().len(), 4);
    let (traffic, shop) = (bench.ingest.traffic(), SourceName("shop".to_owned()));
    for (door, accepted) in [(Door::Events, 2), (Door::Form, 1), (hook("zapier"), 1), (hook("stripe"), 0)] {
        let last_accepted_at = (accepted > 0).then_some(NOW);
        let expected = Seen { accepted, last_accepted_at, ..Seen::default() };
        assert_eq!(traffic.seen(Some(&shop), &door, NOW), expected, "{door:?}");
    }
}

#[tokio::test]
async fn what_is_refused_is_noted_with_its_door_whatever_was_in_it() {
    let elsewhere = |mut request: Request<Body>| {
        request.headers_mut().insert("origin", "https://evil.example".parse().unwrap());
        request
    };
    let keyed =
        |key: &str| Request::post("/ingest").header("x-write-key", key).body(Body::from("{")).unwrap();
    for (request, door, source, code, reason) in [
        (form("shop", "email=a@example.com&_gotcha=x"), Door::Form, Some("shop"), "robot", None),
        (form("shop", "email=nobody"), Door::Form, Some("shop"), "invalid_form", Some("no_email")),
        (
            elsewhere(form("shop", "email=a@example.com")),
            Door::Form,
            Some("shop"),
            "origin_not_allowed",
            None,
        ),
        (form("stranger", "email=a@example.com"), Door::Form, None, "not_found", Some("unknown_form")),
        (zapier("ann"), hook("zapier"), Some("shop"), "wrong_signature", Some("signature_differs")),
        (
            Request::post("/hooks/stripe").body(Body::from("{}")).unwrap(),
            hook("stripe"),
            Some("shop"),
            "wrong_signature",
            Some("no_signature"),
        ),
        (
            Request::post("/hooks/ann@example.com").body(Body::from("{}")).unwrap(),
            Door::Hook(None),
            None,
            "not_found",
            Some("unknown_hook"),
        ),
        (keyed("srv"), Door::Events, Some("shop"), "malformed_body", None),
        (keyed("ann"), Door::Events, None, "unknown_write_key", None),
    ] {
        let bench = bench();
        bench.send(request).await;
        let refused = bench.refused();
        let [refused] = refused.as_slice() else { panic!("{refused:?}") };
        assert_eq!((&refused.door, refused.code, refused.reason), (&door, code, reason));
        let source = source.map(|name| SourceName(name.to_owned()));
        assert_eq!(refused.source, source);
        assert!(!format!("{refused:?}").contains("ann"), "{refused:?}");
        let seen = bench.ingest.traffic().seen(source.as_ref(), &door, NOW);
        assert_eq!((seen.accepted, seen.refused, seen.last_refused_at), (0, 1, Some(NOW)));
    }
}
