//! Ids, sampling, the form of OTLP, and what a collector may be.

use ring::hmac;
use secrecy::SecretString;

use super::*;
use crate::clock::UnixMicros;
use crate::delivery::DeliveryId;
use ids::SpanRef;
use span::{Attribute, Role};

fn key(byte: u8) -> hmac::Key {
    MarkerKey::of(&hmac::Key::new(hmac::HMAC_SHA256, &[byte])).key_of("traces")
}

fn with(endpoint: &str, allow_private: bool) -> Config {
    Config { otlp_endpoint: SecretString::from(endpoint), allow_private, ..Config::default() }
}

#[test]
fn ids_are_the_same_for_every_process_and_others_for_another_folder() {
    let (one, again, other) = (key(1), key(1), key(2));
    let of = |key| Ids { key, percent: 100 }.of_event(Position(7));
    assert_eq!(of(&one), of(&again));
    assert_ne!(of(&one), of(&other));
}

#[test]
fn a_delivery_is_in_the_trace_of_the_event_that_opened_it() {
    let key = key(1);
    let ids = Ids { key: &key, percent: 100 };
    assert_eq!(ids.of_delivery(&DeliveryId::of(Position(7), 1)), ids.of_event(Position(7)));
    assert_ne!(ids.of_delivery(&DeliveryId::of_review(7, 1)), ids.of_event(Position(7)));
}

#[test]
fn a_higher_share_has_the_traces_of_a_lower_one() {
    let key = key(1);
    let sampled = |percent| {
        let ids = Ids { key: &key, percent };
        (0..10_000).filter(|position| ids.samples(ids.of_event(Position(*position)))).collect::<Vec<_>>()
    };
    let (few, many) = (sampled(10), sampled(40));
    assert!((800..1200).contains(&few.len()) && few.iter().all(|position| many.contains(position)));
    assert_eq!(sampled(100).len(), 10_000);
}

#[test]
fn a_span_is_written_as_otlp_has_it() {
    let key = key(1);
    let ids = Ids { key: &key, percent: 100 };
    let SpanRef { trace, span } = ids.span(ids.of_event(Position(7)), "effect");
    let written = otlp::body(&[Span {
        of: SpanRef { trace, span },
        parent: None,
        name: "effect",
        role: Role::Internal,
        began: UnixMicros(2),
        ended: UnixMicros(1),
        attributes: vec![("n", Attribute::Number(7))],
        links: Vec::new(),
        failed: true,
    }]);
    let told = &written["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    assert_eq!(told["traceId"].as_str().unwrap().len(), 32);
    assert_eq!(told["spanId"].as_str().unwrap().len(), 16);
    // It never ends before it began, whatever clocks said.
    assert_eq!(
        (told["startTimeUnixNano"].as_str(), told["endTimeUnixNano"].as_str()),
        (Some("2000"), Some("2000"))
    );
    assert_eq!(told["attributes"][0]["value"]["intValue"], "7");
    assert_eq!((told["kind"].as_u64(), told["status"]["code"].as_u64()), (Some(1), Some(2)));
}

#[test]
fn a_collector_is_named_with_or_without_the_path_of_traces() {
    for (endpoint, posted) in [
        ("https://collector.example.com:4318", "https://collector.example.com:4318/v1/traces"),
        ("https://collector.example.com/otlp/", "https://collector.example.com/otlp/v1/traces"),
        ("https://collector.example.com/v1/traces", "https://collector.example.com/v1/traces"),
    ] {
        let (url, _) = with(endpoint, false).collector().unwrap().unwrap();
        assert_eq!(url.as_str(), posted);
    }
    assert_eq!(with("", false).collector(), Ok(None));
}

#[test]
fn a_collector_is_held_to_the_rules_of_receivers_and_nothing_secret_is_repeated() {
    let keys = |config: &Config| config.problems().into_iter().map(|problem| problem.key).collect::<Vec<_>>();
    assert_eq!(keys(&with("http://collector.example.com:4318", true)), ["telemetry.otlp_endpoint"]);
    assert_eq!(keys(&with("https://10.0.0.1:4318", false)), ["telemetry.otlp_endpoint"]);
    assert_eq!(keys(&with("http://127.0.0.1:4318", true)), Vec::<String>::new());
    let wrong = Config { otlp_headers: "very-secret".into(), sample_percent: 0, ..Config::default() };
    assert_eq!(keys(&wrong), ["telemetry.otlp_headers", "telemetry.sample_percent"]);
    let told: String = wrong.problems().iter().map(ToString::to_string).collect();
    assert!(!told.contains("very-secret") && !format!("{wrong:?}").contains("very-secret"), "{told}");
    let right = Config { otlp_headers: "authorization=Bearer a=b, x-scope = 7".into(), ..Config::default() };
    assert_eq!(right.headers()["authorization"], "Bearer a=b");
    assert_eq!(right.headers()["x-scope"], "7");
}
