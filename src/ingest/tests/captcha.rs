//! The captcha of a form, against something that answers like an issuer: who solved it, who did not, and nobody there.

use std::collections::VecDeque;

use axum::extract::State;
use axum::http::header::RETRY_AFTER;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::*;
use crate::http::{ServeLimits, serve};

const TYPED: &str = "name=Jane+Doe&email=jane%40example.com&message=Call+me";
const SOLVED: (u16, &str) = (200, r#"{"success":true,"hostname":"shop.example.com"}"#);
const FAILED: (u16, &str) = (200, r#"{"success":false,"error-codes":["timeout-or-duplicate"]}"#);
const WRONG_SECRET: (u16, &str) = (200, r#"{"success":false,"error-codes":["invalid-input-secret"]}"#);

/// What an issuer answers, in this order, and what it was asked.
#[derive(Default)]
struct Said {
    answers: Mutex<VecDeque<(u16, &'static str)>>,
    asked: Mutex<Vec<String>>,
}

async fn siteverify(State(said): State<Arc<Said>>, question: String) -> Response {
    said.asked.lock().unwrap().push(question);
    let (status, answer) = said.answers.lock().unwrap().pop_front().unwrap_or((500, "gone"));
    (StatusCode::from_u16(status).unwrap(), answer).into_response()
}

/// A form with a captcha of an issuer that answers so.
async fn bench(issuer: &str, answers: &[(u16, &'static str)]) -> (Bench, Arc<Said>, DropGuard) {
    let said =
        Arc::new(Said { answers: Mutex::new(answers.iter().copied().collect()), asked: Mutex::default() });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = axum::Router::new().fallback(siteverify).with_state(Arc::clone(&said));
    let stop = CancellationToken::new();
    let limits = ServeLimits { shutdown_timeout: Duration::ZERO, ..ServeLimits::default() };
    tokio::spawn(serve(listener, router, limits, stop.clone()));
    let sources = format!(
        "[contact]\nform = true\nallowed_origins = [\"https://shop.example.com\"]\nform_captcha = \"{issuer}\"\n\
         form_captcha_secret = \"s3cret\"\nform_captcha_url = \"http://{address}/siteverify\""
    );
    (Bench::with("", &sources), said, stop.drop_guard())
}

fn post(body: String) -> Request<Body> {
    Request::post("/form/contact")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("origin", "https://shop.example.com")
        .body(body.into())
        .unwrap()
}

#[tokio::test]
async fn whoever_solved_it_is_thanked_and_the_issuer_is_told_no_more_than_the_token() {
    for (issuer, field) in [("turnstile", "cf-turnstile-response"), ("hcaptcha", "h-captcha-response")] {
        let (bench, said, _stop) = bench(issuer, &[SOLVED]).await;
        let (status, page) =
            read(bench.send(post(format!("{TYPED}&{field}=t%26k&g-recaptcha-response=t"))).await).await;
        assert_eq!(status, 200, "{page}");
        assert_eq!(*said.asked.lock().unwrap(), ["secret=s3cret&response=t%26k"]);
        let raw = &bench.records()[0].raw;
        assert!(raw.contains("Call me") && !raw.contains("response") && !raw.contains("t&k"), "{raw}");
    }
}

#[tokio::test]
async fn the_same_post_again_is_thanked_again_and_the_token_counts_for_no_other() {
    let (bench, said, _stop) = bench("turnstile", &[SOLVED, FAILED]).await;
    let typed = format!("{TYPED}&cf-turnstile-response=once");
    let (first, second) = tokio::join!(bench.send(post(typed.clone())), bench.send(post(typed.clone())));
    assert_eq!((first.status().as_u16(), second.status().as_u16()), (200, 200));
    assert_eq!(said.asked.lock().unwrap().len(), 1);
    let other = bench.send(post(format!("{typed}&message=Another"))).await;
    assert_eq!(other.status(), 400);
    assert_eq!(said.asked.lock().unwrap().len(), 2);
    let ids: BTreeSet<String> = bench.records().into_iter().map(|record| record.message_id).collect();
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn who_did_not_solve_it_reads_why_and_keeps_what_was_typed() {
    let (bench, said, _stop) = bench("turnstile", &[FAILED]).await;
    for (body, asked) in [(TYPED.to_owned(), 0), (format!("{TYPED}&cf-turnstile-response=spent"), 1)] {
        let (status, page) = read(bench.send(post(body)).await).await;
        assert_eq!(status, 400);
        assert!(page.contains("Go back to the form") && page.contains("Call me"), "{page}");
        assert!(!page.contains("<button>") && !page.contains(">spent<"), "{page}");
        assert_eq!(said.asked.lock().unwrap().len(), asked);
        assert_eq!((bench.refused()[0].code, bench.refused()[0].reason), ("invalid_form", Some("captcha")));
    }
    assert!(bench.records().is_empty());
}

#[tokio::test]
async fn a_form_that_lacks_something_comes_back_before_its_token_is_spent() {
    let (bench, said, _stop) = bench("turnstile", &[SOLVED]).await;
    let (status, page) =
        read(bench.send(post("email=jane&cf-turnstile-response=once".to_owned())).await).await;
    assert_eq!((status, said.asked.lock().unwrap().len()), (400, 0));
    let hidden = "<input type=\"hidden\" name=\"cf-turnstile-response\" value=\"once\">";
    assert!(page.contains(hidden), "{page}");
    let mended = post("email=jane@example.com&cf-turnstile-response=once".to_owned());
    assert_eq!(bench.send(mended).await.status(), 200);
}

#[tokio::test]
async fn while_nobody_can_say_the_visitor_is_asked_to_send_it_again() {
    for away in [(500, "gone"), (200, "not json"), WRONG_SECRET] {
        let (bench, _, _stop) = bench("hcaptcha", &[away, SOLVED]).await;
        let typed = format!("{TYPED}&h-captcha-response=once");
        let response = bench.send(post(typed.clone())).await;
        assert!(response.headers().contains_key(RETRY_AFTER));
        let (status, page) = read(response).await;
        assert_eq!(status, 503);
        assert!(page.contains("Call me") && page.contains("Send again"), "{page}");
        assert_eq!(bench.refused()[0].code, "captcha_unavailable");
        assert_eq!(bench.send(post(typed)).await.status(), 200, "the same token may be asked about again");
    }
    let sources = "[contact]\nform = true\nform_captcha = \"turnstile\"\nform_captcha_secret = \"s\"\n\
        form_captcha_url = \"http://127.0.0.1:1/\"";
    let nobody_there = Bench::with("", sources);
    assert_eq!(nobody_there.send(post(format!("{TYPED}&cf-turnstile-response=t"))).await.status(), 503);
}

#[test]
fn mistakes_are_named_and_the_secret_is_not() {
    let text =
        "[a]\nform_captcha = \"recaptcha\"\nform_captcha_url = \"x\"\n[b]\nform_captcha_secret = \"s3cret\"";
    let sources: Sources = toml::from_str(text).unwrap();
    let problems = source_problems(&sources);
    let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
    let expected = [
        "sources.a.form_captcha",
        "sources.a.form_captcha_secret",
        "sources.a.form_captcha_url",
        "sources.b.form_captcha_secret",
    ];
    assert_eq!(keys, expected);
    assert!(!format!("{problems:?} {sources:?}").contains("s3cret"));
}
