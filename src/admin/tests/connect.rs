//! What whoever connects a sender is shown.

use super::*;
use crate::doors::{FormWay, HookProof, HookWay, SecretEnd, SourceWays};
use crate::event::{Kind, Position};
use crate::trail::EventTrail;

fn shop() -> SourceWays {
    let stripe = HookWay {
        name: "stripe".to_owned(),
        kind: "stripe",
        enter_in: "Developers, Webhooks",
        secret_is: "the signing secret",
        secrets: vec![SecretEnd::of(&SecretString::from("whsec_never_shown_whole_4242"))],
        proof: HookProof::Signature { header: "stripe-signature".to_owned() },
        tells: Vec::new(),
    };
    SourceWays {
        name: SourceName("shop".to_owned()),
        off: None,
        dry_run: false,
        allowed_origins: vec!["https://shop.example".to_owned()],
        write_keys: vec![SecretEnd::of(&SecretString::from("never-shown-whole-key1"))],
        form: Some(FormWay {
            html: "<form action=\"%ADDRESS%/form/shop\">".to_owned(),
            required: vec!["company".to_owned()],
            redirects: Vec::new(),
        }),
        hooks: vec![stripe],
    }
}

fn lab(public_url: &str) -> Lab {
    let mut lab = Lab::new();
    lab.ways = Ways { public_url: public_url.to_owned(), sources: vec![shop()] };
    lab
}

fn of<'a>(view: &'a Value, door: &str) -> &'a Value {
    let doors = view["sources"][0]["doors"].as_array().unwrap();
    doors.iter().find(|found| found["door"] == door).unwrap()
}

#[tokio::test]
async fn every_way_in_shows_what_to_paste_with_the_configured_address_and_no_secret_whole() {
    let reply = lab("https://events.example.com").get("/api/connect").await;
    assert!(!reply.text.contains("never"), "{}", reply.text);
    let view = reply.json();
    assert_eq!(
        view["address"],
        json!({"url": "https://events.example.com", "from": "server.public_url", "note": null})
    );
    let events = of(&view, "events");
    assert_eq!(events["enter"][0]["value"], "ends in key1");
    let tag = &events["paste"][0];
    assert_eq!(tag["title"], "JavaScript tag");
    let script =
        r#"<script async src="https://events.example.com/tag.js" data-write-key="YOUR_WRITE_KEY"></script>"#;
    assert!(tag["text"].as_str().unwrap().starts_with(script), "{tag}");
    let form = of(&view, "form");
    assert_eq!(form["paste"][0]["text"], "<form action=\"https://events.example.com/form/shop\">");
    let stripe = of(&view, "hook");
    assert_eq!(stripe["hook"], "stripe");
    assert_eq!(
        stripe["enter"][0],
        json!({"what": "Address of the webhook", "value": "https://events.example.com/hooks/stripe", "copy": true})
    );
    let secret = json!({"what": "Secret (hooks.stripe.secret)", "value": "ends in 4242", "copy": false});
    assert!(stripe["enter"].as_array().unwrap().contains(&secret), "{stripe}");
}

#[tokio::test]
async fn an_address_that_is_not_configured_is_that_of_this_machine_and_says_so() {
    let lab = lab("");
    let metrics = || PrometheusBuilder::new().build_recorder().handle();
    for (public, url) in [
        (Some("0.0.0.0:8099"), "http://127.0.0.1:8099"),
        (Some("[::]:8099"), "http://127.0.0.1:8099"),
        (Some("192.0.2.7:80"), "http://192.0.2.7:80"),
        (Some("[::1]:81"), "http://[::1]:81"),
        (None, "http://127.0.0.1:8080"),
    ] {
        let debugger = lab.debugger(metrics()).beside(public.map(|text| text.parse().unwrap()));
        let asked = request("GET", "/api/connect").body(Body::empty()).unwrap();
        let body = debugger.router().oneshot(asked).await.unwrap().into_body();
        let view: Value = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
        assert_eq!(
            (&view["address"]["url"], &view["address"]["from"]),
            (&json!(url), &json!("server.listen"))
        );
        assert!(view["address"]["note"].as_str().unwrap().contains("server.public_url"));
    }
}

#[tokio::test]
async fn what_came_by_each_door_and_why_it_was_refused_is_counted_apart() {
    let lab = lab("https://e.example");
    let source = SourceName("shop".to_owned());
    lab.traffic.accepted(&source, &Door::Events, 3, seconds_earlier(60));
    let stripe = Door::Hook(Some("stripe".to_owned()));
    for (seconds, reason) in [(50, "old_timestamp"), (40, "signature_differs"), (30, "signature_differs")] {
        let why = ("wrong_signature", Some(reason));
        lab.refuse_at(stripe.clone(), seconds_earlier(seconds), Some(source.clone()), why);
    }
    lab.refuse_at(Door::Hook(None), seconds_earlier(20), None, ("not_found", Some("unknown_hook")));
    let view = lab.json("/api/connect").await;
    assert_eq!(of(&view, "events")["arrived"]["accepted"], 3);
    assert_eq!(of(&view, "events")["look_at"], json!([]));
    assert_eq!(view["sources"][0]["last_event_at"], "2030-03-17T17:45:40.000Z");
    let arrived = &of(&view, "hook")["arrived"];
    assert_eq!((&arrived["accepted"], &arrived["refused"]), (&json!(0), &json!(3)));
    assert_eq!(arrived["refusals"][0]["detail"], "signature_differs");
    assert_eq!((&arrived["refusals"][0]["count"], &arrived["refusals"][1]["count"]), (&json!(2), &json!(1)));
    assert_eq!(arrived["last_refused_at"], "2030-03-17T17:46:10.000Z");
    let advice = of(&view, "hook")["look_at"].to_string();
    assert!(advice.contains("hooks.stripe.secret"), "{advice}");
    assert!(of(&view, "form")["look_at"][0].as_str().unwrap().contains("https://e.example/form/shop"));
    assert_eq!(view["strays"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&view["strays"][0]["door"], &view["strays"][0]["arrived"]["refused"]),
        (&json!("hook"), &json!(1))
    );
}

#[tokio::test]
async fn an_event_before_the_start_is_found_in_the_trail() {
    let trail = EventTrail {
        position: Position(1),
        message_id: "m".to_owned(),
        source: SourceName("shop".to_owned()),
        kind: Kind::Page,
        event: "page".to_owned(),
        received_at: seconds_earlier(7200),
        at: seconds_earlier(7200),
        person: None,
        email: None,
        page: None,
        outcome: crate::decision::Outcome::PersonUpdated,
        worth: crate::trail::Worth::Anonymous,
        reason: String::new(),
        notes: Vec::new(),
        actions: Vec::new(),
        delivery_id: None,
        duplicates: 0,
    };
    let lab = lab("https://e.example").holding(|held| held.trails.push(trail));
    let view = lab.json("/api/connect").await;
    assert_eq!(view["sources"][0]["last_event_at"], "2030-03-17T15:46:40.000Z");
    assert_eq!(of(&view, "events")["arrived"]["last_accepted_at"], Value::Null);
}

#[tokio::test]
async fn refusals_are_narrowed_by_the_way_they_came() {
    let lab = lab("https://e.example");
    let source = Some(SourceName("shop".to_owned()));
    let hook = |name: &str| Door::Hook(Some(name.to_owned()));
    lab.refuse_at(Door::Form, seconds_earlier(4), source.clone(), ("robot", None));
    lab.refuse_at(
        hook("stripe"),
        seconds_earlier(3),
        source.clone(),
        ("wrong_signature", Some("no_signature")),
    );
    lab.refuse_at(hook("zapier"), seconds_earlier(2), source.clone(), ("malformed_body", None));
    lab.refuse_at(Door::Events, seconds_earlier(1), source, ("overloaded", None));
    for (door, codes) in [
        ("form", &["robot"][..]),
        ("hook", &["malformed_body", "wrong_signature"]),
        ("hook:stripe", &["wrong_signature"]),
        ("events", &["overloaded"]),
    ] {
        let list = lab.json(&format!("/api/events?outcome=rejected&door={door}")).await;
        let found: Vec<_> = list["events"].as_array().unwrap().iter().map(|event| &event["code"]).collect();
        assert_eq!(found, codes, "{door}");
    }
    let one = lab.json("/api/events?outcome=rejected&door=hook:stripe").await;
    assert_eq!((&one["events"][0]["door"], &one["events"][0]["hook"]), (&json!("hook"), &json!("stripe")));
    for query in [
        "outcome=rejected&door=window",
        "outcome=rejected&door=form:x",
        "outcome=rejected&door=hook:",
        "door=form",
    ] {
        let reply = lab.get(&format!("/api/events?{query}")).await;
        assert_eq!(reply.refusal(), (400, "invalid_parameter".into(), json!("door")), "{query}");
    }
}
