//! Marked secrets and personal data go through a whole run at trace level; none of them comes out where it must not.

use std::sync::Arc;

use freshsignal::clock::SystemClock;
use freshsignal::freshsales::{Timeouts, http_client};
use freshsignal::sandbox::SandboxOptions;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::support::app::said;
use crate::support::command::{Served, freshsignal};
use crate::support::crm::Crm;
use crate::support::ear::Ear;
use crate::support::wait::{WITHIN, eventually};

const API_KEY: &str = "canary-api-key-7d1f";
const WRITE_KEY: &str = "canary-write-key-7d1f";
const HOOK_SECRET: &str = "canary-hook-secret-7d1f-7d1f-7d1f-7d1f";
const WRONG_KEY: &str = "canary-wrong-key-7d1f";
const TOKEN: &str = "canary-admin-token-7d1f-7d1f-7d1f-7d1f";
const WRONG_TOKEN: &str = "canary-wrong-token-7d1f-7d1f-7d1f";
const EMAIL: &str = "canary.person@canary.example";
const REFUSED_EMAIL: &str = "canary.refused@canary.example";
const PHONE: &str = "+14155550142";
const NAME: &str = "Canaryname";
const USER: &str = "canary-user-7d1f";
const MESSAGE: &str = "canary-message-7d1f";

/// Texts that no log line and no metric may hold.
const CANARIES: [&str; 9] = [
    "canary-",
    "canary.",
    "Canaryname",
    "4155550142",
    "415) 555",
    "Y2FuYXJ5LXdyaXRlLWtleS03ZDFm",
    "Token token",
    "canary%40",
    "canary@",
];

fn events() -> Vec<Value> {
    let identify = |user: &str, email: &str, name: Value| {
        json!({"type": "identify", "userId": user, "traits": {"email": email, "name": name, "phone": "+1 (415) 555-0142"},
            "context": {"consent": {"categoryPreferences": {"marketing": true}}}})
    };
    vec![
        identify(USER, EMAIL, json!(NAME)),
        json!({"type": "track", "event": "Lead Generated", "userId": USER, "messageId": MESSAGE}),
        json!({"type": "track", "event": "canary-event-name", "userId": USER}),
        identify("canary-refused", REFUSED_EMAIL, json!(NAME)),
        json!({"type": "track", "event": "Lead Generated", "userId": "canary-refused"}),
        json!({"type": "page", "anonymousId": "canary-visitor", "properties": {"url": "https://canary.example/canary-path"}}),
    ]
}

/// Everything that can go wrong with a call, with answers that repeat what was sent.
fn order_faults(crm: &Crm) {
    let echo = format!("{EMAIL} {PHONE} {NAME} Token token={API_KEY}");
    let to = |email: &str, mut order: Value| {
        order["email"] = json!(email);
        crm.fault(order);
    };
    to(EMAIL, json!({"status": 500, "body": echo}));
    to(EMAIL, json!({"reset": true}));
    to(EMAIL, json!({"status": 429, "retry_after": 1, "body": {"errors": {"message": [echo]}}}));
    // It names no id, so the address is looked up when the contact is to be forgotten.
    to(EMAIL, json!({"body": {}, "apply": true}));
    to(REFUSED_EMAIL, json!({"status": 422, "body": {"errors": {"message": [echo]}}, "times": 9}));
}

struct Run {
    client: Client,
    served: Served,
}

impl Run {
    fn start(crm: &Crm, folder: &std::path::Path, collector: &Ear) -> Self {
        let (collector, headers) = (collector.url("/canary-collector"), format!("x-key={HOOK_SECRET}"));
        let base_url = format!("http://{}", crm.address);
        let environment = [
            ("SOURCES__WEBSITE__WRITE_KEY", WRITE_KEY),
            ("SOURCES__WEBSITE__FORM", "true"),
            ("SOURCES__WEBSITE__FORM_REQUIRED", "company"),
            ("HOOKS__ZAP__KIND", "generic"),
            ("HOOKS__ZAP__SOURCE", "website"),
            ("HOOKS__ZAP__SECRET", HOOK_SECRET),
            ("HOOKS__ZAP__TOKEN_HEADER", "x-token"),
            ("FRESHSALES__BUNDLE_ALIAS", "acme"),
            ("FRESHSALES__API_KEY", API_KEY),
            ("FRESHSALES__BASE_URL", &base_url),
            ("SERVER__LISTEN", "127.0.0.1:0"),
            ("ADMIN__LISTEN", "127.0.0.1:0"),
            ("ADMIN__TOKEN", TOKEN),
            ("STORE__PATH", folder.to_str().unwrap()),
            ("LOG__LEVEL", "trace"),
            ("TELEMETRY__OTLP_ENDPOINT", &collector),
            ("TELEMETRY__OTLP_HEADERS", &headers),
            ("TELEMETRY__ALLOW_PRIVATE", "true"),
        ];
        let served = Served::start(&mut freshsignal(&["serve"], &environment));
        let client = http_client(Timeouts { connect: WITHIN, attempt: WITHIN }).unwrap();
        Self { client, served }
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("http://{}{path}", self.served.public))
    }

    fn delete(&self, path: &str) -> RequestBuilder {
        self.client.delete(format!("http://{}{path}", self.served.private))
    }

    /// Erases both people; what they said before comes again.
    async fn erase_everybody(&self) {
        for whom in
            [format!("userId={USER}&forget_in_crm=true"), format!("email={REFUSED_EMAIL}&forget_in_crm=true")]
        {
            let (status, receipt) =
                said(self.delete(&format!("/api/people?{whom}")).bearer_auth(TOKEN)).await;
            assert_eq!((status, &receipt["done"]), (StatusCode::OK, &Value::Bool(true)), "{receipt}");
            assert!(!receipt.to_string().contains("canary"), "a receipt repeats who it was: {receipt}");
        }
        let mut again = events()[0].clone();
        again["timestamp"] = json!("2026-01-01T00:00:00Z");
        let sent = said(self.post("/ingest").basic_auth(WRITE_KEY, Some("")).json(&again)).await;
        assert_eq!(sent.0, StatusCode::OK, "{}", sent.1);
        eventually("what comes late is erased", async || {
            let status = self.status().await;
            if status["outcomes"]["erased"] == 1 { Ok(()) } else { Err(status.to_string()) }
        })
        .await;
    }

    fn private(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("http://{}{path}", self.served.private))
    }

    async fn status(&self) -> Value {
        said(self.private("/api/status").bearer_auth(TOKEN)).await.1
    }

    /// Requests that are refused, with secrets and personal data in each place they can be.
    async fn send_what_is_refused(&self) {
        let event = &events()[0];
        let bad = json!({"type": "canary-type", "userId": USER, "messageId": MESSAGE});
        for (request, status) in [
            (self.post("/ingest").basic_auth(WRONG_KEY, Some("")).json(event), 401),
            (self.post(&format!("/ingest?writeKey={WRONG_KEY}&email={EMAIL}")).json(event), 401),
            (self.post("/ingest").header("x-write-key", WRITE_KEY).json(&bad), 400),
            (self.post("/ingest").header("x-write-key", WRITE_KEY).body(format!("{{\"{EMAIL}\"")), 400),
            (self.post(&format!("/{EMAIL}/{WRITE_KEY}")).json(event), 404),
            (self.post("/hooks/zap").header("x-token", WRONG_TOKEN).json(event), 401),
            (self.post("/hooks/zap").header("x-token", HOOK_SECRET).body(format!("{{\"{EMAIL}\"")), 400),
            (self.private("/api/status").bearer_auth(WRONG_TOKEN), 401),
            (self.private(&format!("/api/contacts/{EMAIL}?token={TOKEN}")), 401),
            (self.private(&format!("/api/events?email={EMAIL}&canary-x=1")).bearer_auth(TOKEN), 400),
            (self.private(&format!("/{EMAIL}")).bearer_auth(TOKEN), 404),
            (self.private(&format!("/api/people?email={EMAIL}&userId={USER}")).bearer_auth(TOKEN), 400),
            (self.private(&format!("/api/people?email={EMAIL}")), 401),
            (
                self.delete(&format!("/api/people?email={EMAIL}&forget_in_crm=canary-word"))
                    .bearer_auth(TOKEN),
                400,
            ),
            (self.delete(&format!("/api/people?userId={USER}")), 401),
        ] {
            let answer = said(request).await;
            assert_eq!(answer.0.as_u16(), status, "{}", answer.1);
            assert!(!answer.1.to_string().contains("canary"), "an error repeats what was sent: {}", answer.1);
        }
    }

    /// Forms that are taken, given back and kept nowhere.
    async fn post_forms(&self) {
        let typed = format!(
            "name={NAME}&phone=%2B14155550142&message=canary-word&email=canary.form%40canary.example"
        );
        for (more, status) in [
            ("&company=canary-company", 200),
            ("&company=canary-company&_gotcha=canary-spam", 200),
            ("&company=", 400),
            (&format!("&company=x&more={}", "canary-word".repeat(5_000)), 400),
        ] {
            let form = self.post("/form/website").header("content-type", "application/x-www-form-urlencoded");
            let answer = form.body(format!("{typed}{more}")).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), status);
            // To a page that nobody named.
            let page = answer.text().await.unwrap();
            assert!(!page.contains("canary"), "{page}");
        }
        let file = "--canary-x\r\nContent-Disposition: form-data; name=\"cv\"; filename=\"canary-cv.pdf\"\r\n\r\ncanary-pdf\r\n\
            --canary-x--\r\n";
        let form =
            self.post("/form/website").header("content-type", "multipart/form-data; boundary=canary-x");
        assert_eq!(form.body(file).send().await.unwrap().status().as_u16(), 400);
    }

    /// What the debugger shows holds personal data, and no secret.
    async fn look_at_everything(&self) -> Vec<String> {
        let mut shown = Vec::new();
        let deliveries = said(self.private("/api/deliveries").bearer_auth(TOKEN)).await.1;
        let ids = deliveries["deliveries"].as_array().unwrap().iter().map(|delivery| delivery["id"].clone());
        let mut paths: Vec<String> =
            ids.map(|id| format!("/api/deliveries/{}", id.as_str().unwrap())).collect();
        paths.extend([
            "/api/events".to_owned(),
            "/api/deliveries".to_owned(),
            "/api/status".to_owned(),
            "/api/connect".to_owned(),
            format!("/api/events/{MESSAGE}"),
            format!("/api/contacts/{EMAIL}"),
            format!("/api/people?email={EMAIL}"),
            format!("/api/people?userId={USER}"),
            format!("/api/contacts/{REFUSED_EMAIL}"),
        ]);
        for path in paths {
            let (status, answer) = said(self.private(&path).bearer_auth(TOKEN)).await;
            assert_eq!(status, StatusCode::OK, "{path}: {answer}");
            shown.push(format!("{path}: {answer}"));
        }
        shown
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_and_nothing_personal_comes_out_of_a_whole_run_at_trace_level() {
    let options = SandboxOptions { api_key: API_KEY.to_owned(), ..SandboxOptions::default() };
    let crm = Crm::start(options, Arc::new(SystemClock::default())).await;
    let folder = tempfile::tempdir().unwrap();
    let collector = Ear::listen().await;
    let run = Run::start(&crm, folder.path(), &collector);
    order_faults(&crm);

    run.send_what_is_refused().await;
    run.post_forms().await;
    for event in events() {
        let (status, answer) = said(run.post("/ingest").basic_auth(WRITE_KEY, Some("")).json(&event)).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    eventually("the run is over", async || {
        let status = run.status().await;
        let ended = &status["ended"];
        if ended["delivered"] == 2 && ended["dead"] == 1 { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    assert_eq!(crm.contact(EMAIL).unwrap()["mobile_number"], PHONE);

    for shown in run.look_at_everything().await {
        for secret in [API_KEY, WRITE_KEY, WRONG_KEY, HOOK_SECRET, TOKEN, WRONG_TOKEN] {
            assert!(!shown.contains(secret), "{secret} is shown by {shown}");
        }
    }
    let requests = || crm.sandbox.requests().into_iter();
    let looked_up = || requests().filter(|call| call.path.contains("/lookup?q=canary")).count();
    let before = looked_up();
    run.erase_everybody().await;
    assert_eq!(looked_up(), before + 1);
    let metrics = run.private("/metrics").bearer_auth(TOKEN).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("freshsignal_calls_total"), "{metrics}");

    run.served.signal("TERM");
    let (code, log) = run.served.ended();
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("DEBUG") || log.contains("TRACE"), "it was no run at trace level: {log}");
    let spans: Vec<String> = collector.messages().into_iter().map(|message| message.text).collect();
    let spans = spans.join("\n");
    assert!(spans.contains("\"delivery\"") && spans.contains("\"call\""), "no traces: {spans}");
    for canary in CANARIES {
        let found = |text: &str| text.lines().find(|line| line.contains(canary)).map(str::to_owned);
        assert_eq!(found(&log), None, "{canary} is in the log");
        assert_eq!(found(&metrics), None, "{canary} is in a metric");
        assert_eq!(found(&spans), None, "{canary} is in a span");
    }
}
