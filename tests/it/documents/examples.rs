//! The examples of the pages run: every `curl` is answered as a success, and what is handed to a command is taken.

use std::path::Path;
use std::process::Command;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::code::text;
use super::markdown::blocks;
use super::pages;
use crate::conversions::{PASSWORD, USER, converting};
use crate::support::app::{Service, Setup, WRITE_KEY};
use crate::support::command::{freshsignal, output};
use crate::support::process;

/// The page whose example the others speak of.
const FIRST: &str = "docs/start/first-event.md";

#[tokio::test]
async fn every_request_that_a_document_shows_succeeds() {
    let setup = Setup::new().with("SOURCES__CONTACT__FORM", "true");
    let service = converting(setup).start().await;
    let first = requests(&text(FIRST));
    let others = pages().into_iter().filter(|(name, _)| name != FIRST).flat_map(|(_, page)| requests(&page));
    let mut failed = Vec::new();
    let mut made = 0;
    for request in first.into_iter().chain(others) {
        let Some(url) = address(&request.url, &service) else { continue };
        let mut asked = service.client.request(request.method.clone(), url);
        if request.url.contains("/conversions/") {
            asked = asked.basic_auth(USER, Some(PASSWORD));
        } else if request.url.starts_with("https://events.") || request.url.contains(":8080/") {
            asked = asked.basic_auth(WRITE_KEY, Some(""));
        }
        let asked = request.body.iter().fold(asked, |asked, body| asked.body(body.clone()));
        let (status, answer) = answered(asked).await;
        service.settled().await;
        if !status.is_success() || !answer["rejected"].as_array().is_none_or(Vec::is_empty) {
            failed.push(format!("{} {}: {status} {answer}", request.method, request.url));
        }
        made += 1;
    }
    assert!(made >= 20, "{made}");
    assert!(failed.is_empty(), "requests that fail: {failed:#?}");
    service.finish().await;
}

#[test]
fn what_a_document_hands_to_a_command_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let (mut configured, mut mapped) = (0, 0);
    for (name, page) in pages() {
        for (line, document) in handed_over(&page) {
            let (code, said) = if line.starts_with("freshsignal map") {
                mapped += 1;
                let (code, _, said) = output(&mut freshsignal(&["map"], &[]), &document);
                (code, said)
            } else {
                configured += 1;
                let file = folder.path().join("freshsignal.toml");
                std::fs::write(&file, document).unwrap();
                let arguments = ["check", "--config", file.to_str().unwrap()];
                let (code, _, said) =
                    output(&mut freshsignal(&arguments, &[("FRESHSALES__API_KEY", "sandbox-key")]), "");
                (code, said)
            };
            assert_eq!(code, 0, "{name}: {line}: {said}");
        }
    }
    assert!(configured >= 1 && mapped >= 1, "{configured} {mapped}");
}

#[tokio::test]
async fn the_commands_of_the_page_about_backups_can_be_run_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let service = process::Setup::new(folder.path(), "127.0.0.1:9".parse().unwrap()).start().await;
    let mut connection = process::Connection::open(service.public).await.unwrap();
    assert_eq!(connection.ingest(r#"{"type": "page", "userId": "u-1"}"#).await.unwrap().status, 200);
    service.kill();
    let page = text("docs/how-to/backup-and-restore.md");
    let blocks: Vec<_> = blocks(&page).into_iter().filter(|(language, _)| language == "sh").collect();
    assert!(blocks.len() >= 3, "{blocks:?}");
    let binary = Path::new(env!("CARGO_BIN_EXE_freshsignal"));
    for (_, code) in blocks {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-e", "-c", &code]).current_dir(folder.path()).env_clear();
        shell.env("PATH", binary.parent().unwrap()).env("FRESHSIGNAL_STORE__PATH", "data");
        shell.env("FRESHSIGNAL_STORE__EPHEMERAL", "true");
        let (status, said, complained) = output(&mut shell, "");
        assert_eq!(status, 0, "{code}: {said}{complained}");
    }
}

/// A call of `curl`.
#[derive(Debug, PartialEq)]
struct Request {
    method: Method,
    url: String,
    body: Option<String>,
}

/// The calls of `curl` in the code of a page; a body may have several lines.
fn requests(page: &str) -> Vec<Request> {
    let code = blocks(page).into_iter().filter(|(language, _)| language == "sh");
    let mut found = Vec::new();
    for (_, code) in code {
        let mut open = String::new();
        for line in code.lines() {
            if open.is_empty() && !line.trim_start().starts_with("curl ") {
                continue;
            }
            open.push_str(line);
            open.push('\n');
            if open.matches('\'').count().is_multiple_of(2) {
                found.extend(request(&std::mem::take(&mut open)));
            }
        }
    }
    found
}

fn request(line: &str) -> Option<Request> {
    let (before, body) = match line.split_once("-d '") {
        Some((before, rest)) => (before, Some(rest.split('\'').next()?.to_owned())),
        None => (line, None),
    };
    let mut words = before.split_whitespace().map(|word| word.trim_matches(['\'', '"']));
    let url = words.clone().find(|word| word.starts_with("http"))?.to_owned();
    let named = words.find(|word| *word == "-X").and_then(|_| words.next());
    let method = match named {
        Some(named) => named.parse().ok()?,
        None if body.is_some() => Method::POST,
        None => Method::GET,
    };
    Some(Request { method, url, body })
}

/// Where the service of a test has what a page names; none for what is somewhere else.
fn address(url: &str, service: &Service) -> Option<String> {
    let crm = format!("http://{}", service.crm.address);
    let places = [
        ("http://127.0.0.1:8080", service.public_url()),
        ("https://events.example.com", service.public_url()),
        ("http://127.0.0.1:8081", service.private_url()),
        ("http://127.0.0.1:9090", crm),
    ];
    places.iter().find_map(|(named, real)| Some(format!("{real}{}", url.strip_prefix(named)?)))
}

async fn answered(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    (status, answer.json().await.unwrap_or(json!({})))
}

/// What stands between `<<'WORD'` and `WORD`, with the line that takes it.
fn handed_over(page: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (_, code) in blocks(page).into_iter().filter(|(language, _)| language == "sh") {
        let Some((line, rest)) = code.split_once("<<'").map(|(before, rest)| (before.lines().last(), rest))
        else {
            continue;
        };
        let (Some(line), Some((word, rest))) = (line, rest.split_once("'\n")) else { continue };
        let document = rest.split(&format!("{word}\n")).next().unwrap_or_default();
        found.push((line.trim().to_owned(), document.to_owned()));
    }
    found
}

mod tests {
    use super::*;

    #[test]
    fn calls_of_curl_are_read_with_method_and_body() {
        let page = "```sh\ncurl -X DELETE \"http://a/b?c=d\"\ncurl -u KEY: http://a/e -d '{\"f\":[\n1]}'\n\
                    echo curl\ncurl 'http://a/g'   # why\n```\n";
        let request = |method, url: &str, body: Option<&str>| Request {
            method,
            url: url.to_owned(),
            body: body.map(str::to_owned),
        };
        let expected = [
            request(Method::DELETE, "http://a/b?c=d", None),
            request(Method::POST, "http://a/e", Some("{\"f\":[\n1]}")),
            request(Method::GET, "http://a/g", None),
        ];
        assert_eq!(requests(page), expected);
        let page = "```sh\ncat > a.toml <<'TOML'\n[b]\nc = 1\nTOML\nls\n```\n";
        assert_eq!(handed_over(page), [("cat > a.toml".to_owned(), "[b]\nc = 1\n".to_owned())]);
    }
}
