//! A collector gets one trace from the receipt of an event to the answer of Freshsales, whatever lies between; one that is away
//! costs spans and nothing else.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::support::app::{Service, Setup};
use crate::support::ear::Ear;
use crate::support::events::{ann_says, identify_ann, lead_of_ann};
use crate::support::wait::eventually;

fn to(endpoint: &str) -> Setup {
    Setup::new().with("TELEMETRY__OTLP_ENDPOINT", endpoint).with("TELEMETRY__ALLOW_PRIVATE", "true")
}

/// All spans that a collector got.
fn spans(collector: &Ear) -> Vec<Value> {
    let of_message = |body: &Value| body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().cloned();
    collector.messages().iter().filter_map(|message| of_message(&message.body)).flatten().collect()
}

/// The span of a name with this attribute, once the collector has it.
async fn span(collector: &Ear, name: &str, (key, value): (&str, Value)) -> Value {
    let has = |span: &Value| {
        let attributes = span["attributes"].as_array().unwrap();
        span["name"] == name && attributes.contains(&json!({"key": key, "value": value}))
    };
    eventually("a span", async || {
        let spans = spans(collector);
        spans.iter().find(|span| has(span)).cloned().ok_or_else(|| format!("no {name}: {spans:?}"))
    })
    .await
}

async fn metric(service: &Service, line: &str) -> f64 {
    let text = service.private("/metrics").send().await.unwrap().text().await.unwrap();
    let value = text.lines().find_map(|said| said.strip_prefix(line)).map(str::trim);
    value.map_or(0.0, |value| value.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_trace_leads_from_the_receipt_to_the_answer_though_a_restart_lies_between() {
    let collector = Ear::listen().await;
    let service = to(&collector.url("/otlp")).start().await;
    service.order("/api/pause", json!({})).await;
    service.send(identify_ann(1)).await;
    service.send(lead_of_ann(1)).await;
    service.send(ann_says(1, "ann-moves", &json!({"city": "Oslo"}))).await;
    service.processed().await;
    let at = |position: u64| ("freshsignal.position", json!({"intValue": position.to_string()}));
    let of_delivery = ("freshsignal.delivery", json!({"stringValue": "d2-0"}));
    let root = span(&collector, "receive", at(2)).await;
    let journal = span(&collector, "journal", at(2)).await;
    let opened = ("freshsignal.outcome", json!({"stringValue": "queued"}));
    let effect = span(&collector, "effect", opened).await;
    let service = service.restart().await;
    service.order("/api/resume", json!({})).await;
    service.settled().await;
    let delivery = span(&collector, "delivery", of_delivery.clone()).await;
    let call = span(&collector, "call", of_delivery).await;
    for (span, parent) in [(&journal, &root), (&effect, &root), (&delivery, &effect), (&call, &delivery)] {
        assert_eq!(span["traceId"], root["traceId"], "{span}");
        assert_eq!(span["parentSpanId"], parent["spanId"], "{span}");
        let began = |span: &Value| span["startTimeUnixNano"].as_str().unwrap().to_owned();
        assert!(began(span) >= began(parent), "{span} {parent}");
    }
    assert_eq!(root.get("parentSpanId"), None);
    let answered = json!({"key": "http.response.status_code", "value": {"intValue": "201"}});
    assert!(call["attributes"].as_array().unwrap().contains(&answered), "{call}");
    // The third event went along: its own trace is linked.
    let along = span(&collector, "receive", at(3)).await;
    let link = json!({"traceId": along["traceId"], "spanId": along["spanId"]});
    assert_eq!(delivery["links"], json!([link]));
    assert_ne!(along["traceId"], root["traceId"]);
    for word in ["ann-", "Ann", "Oslo", "example.com"] {
        let told = collector.messages();
        assert!(told.iter().all(|message| !message.text.contains(word)), "{word}: {told:?}");
    }
    service.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_away_costs_spans_and_nothing_else() {
    let collector = Ear::listen().await;
    collector.answer(503);
    let service = to(&collector.url("")).start().await;
    service.send_all(vec![identify_ann(1), lead_of_ann(1)]).await;
    service.settled().await;
    eventually("spans are dropped", async || {
        let dropped = metric(&service, "freshsignal_spans_total{result=\"dropped\"}").await;
        if dropped > 0.0 { Ok(()) } else { Err(dropped.to_string()) }
    })
    .await;
    assert_eq!(collector.messages().len(), 1, "it is left alone for a while");
    service.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_never_answers_holds_up_neither_events_nor_the_end() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let service = to(&format!("http://{}", silent.local_addr().unwrap())).start().await;
    service.send_all(vec![identify_ann(1), lead_of_ann(1)]).await;
    service.settled().await;
    assert_eq!(service.crm.contact("ann-1@example.com").unwrap()["first_name"], "Ann");
    service.finish().await;
}
