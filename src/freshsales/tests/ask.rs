//! Questions to the account, against servers that answer once.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::client::{KEY, answer, client};
use crate::delivery::{Request, Stored, Verdict};
use crate::event::Email;
use crate::freshsales::{Client, Config, Crm, DryRunCrm, Question, RESPONSE_BYTES_MAX, Reply, Unanswered};

/// One call to a server with that answer, and the whole request it got.
pub(super) async fn exchange<T>(answer: Vec<u8>, call: impl AsyncFnOnce(Client) -> T) -> (T, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = String::new();
        while !request.ends_with("\r\n\r\n") {
            request.push(char::from(stream.read_u8().await.unwrap()));
        }
        let length = request.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        stream.read_exact(&mut body).await.unwrap();
        // Who has read enough hangs up.
        let _ = stream.write_all(&answer).await;
        request + std::str::from_utf8(&body).unwrap()
    });
    let result = call(client(base_url, Duration::from_secs(5))).await;
    (result, server.await.unwrap())
}

/// One question to a server with that answer, and the head of the request it got.
async fn ask(question: Question, answer: Vec<u8>) -> (Result<Reply, Unanswered>, String) {
    exchange(answer, async |client| client.ask(question).await).await
}

#[tokio::test]
async fn each_question_is_one_request_to_its_own_address() {
    let table = [
        (Question::Owners, "GET /crm/sales/api/selector/owners HTTP/1.1"),
        (Question::ContactFields, "GET /crm/sales/api/settings/contacts/fields HTTP/1.1"),
        (Question::ContactFilters, "GET /crm/sales/api/contacts/filters HTTP/1.1"),
        (
            Question::Contact(70_054_866_612),
            "GET /crm/sales/api/contacts/70054866612?include=sales_accounts HTTP/1.1",
        ),
        (Question::Forget(70_054_866_612), "DELETE /crm/sales/api/contacts/70054866612/forget HTTP/1.1"),
        (Question::DealFilters, "GET /crm/sales/api/deals/filters HTTP/1.1"),
        (Question::DealsOf(7), "GET /crm/sales/api/contacts/7?include=deals HTTP/1.1"),
        (Question::NotesOf(7), "GET /crm/sales/api/contacts/7/notes HTTP/1.1"),
        (Question::WriteNote(7), "POST /crm/sales/api/notes HTTP/1.1"),
        (Question::DeleteNote(8), "DELETE /crm/sales/api/notes/8 HTTP/1.1"),
        (Question::DeleteDeal(9), "DELETE /crm/sales/api/deals/9 HTTP/1.1"),
        (Question::DeleteCompany(9), "DELETE /crm/sales/api/sales_accounts/9 HTTP/1.1"),
    ];
    for (question, line) in table {
        let (reply, request) = ask(question, answer("200 OK", "", "{}")).await;
        assert_eq!(reply.unwrap(), Reply { status: 200, body: b"{}".to_vec(), ..Reply::default() });
        assert!(request.starts_with(line), "{request}");
        let token = format!("authorization: Token token={KEY}\r\n");
        assert!(request.to_lowercase().contains(&token.to_lowercase()), "{request}");
    }
}

#[tokio::test]
async fn a_reply_keeps_what_the_answer_says_of_the_allowance_and_never_the_key() {
    let headers = "X-RateLimit-Limit: 2000\r\nX-RateLimit-Remaining: 1999\r\nRetry-After: 7\r\nContent-Type: text/html\r\n";
    let (reply, _) = ask(Question::Owners, answer("429 Too Many", headers, &format!("<p>{KEY}</p>"))).await;
    let expected = Reply {
        status: 429,
        retry_after: Some("7".to_owned()),
        limit: Some(2000),
        remaining: Some(1999),
        html: true,
        body: b"<p>[redacted]</p>".to_vec(),
    };
    assert_eq!(reply.unwrap(), expected);
}

#[tokio::test]
async fn half_a_reply_is_none() {
    let (reply, _) = ask(Question::Owners, b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{".to_vec()).await;
    assert!(reply.unwrap_err().to_string().starts_with("the connection broke off"));
}

#[tokio::test]
async fn the_list_of_fields_may_be_long_and_has_a_limit() {
    let long = "x".repeat(5 * 1024 * 1024);
    let (reply, _) = ask(Question::ContactFields, answer("200 OK", "", &long)).await;
    assert_eq!(reply.unwrap().body.len(), 4 * 1024 * 1024);
    let (reply, _) = ask(Question::ContactFilters, answer("200 OK", "", &long)).await;
    assert_eq!(reply.unwrap().body.len(), 64 * 1024);
}

#[tokio::test]
async fn each_request_is_one_call_to_its_own_address() {
    let body = json!({"deal": {"name": "A-1001"}});
    let id = 70_054_866_612;
    let text = |text: &str| text.to_owned();
    let table = [
        (
            Request::UpsertContact { body: body.clone(), shows_companies: false },
            "POST /crm/sales/api/contacts/upsert",
        ),
        (
            Request::UpsertContact { body: body.clone(), shows_companies: true },
            "POST /crm/sales/api/contacts/upsert?include=sales_accounts",
        ),
        (Request::ShowContact { id }, "GET /crm/sales/api/contacts/70054866612?include=deals,sales_accounts"),
        (Request::UpsertCompany { body: body.clone() }, "POST /crm/sales/api/sales_accounts/upsert"),
        (
            Request::FindCompany { website: text("a.example/?q=1&f=2") },
            "GET /crm/sales/api/lookup?q=a.example%2F%3Fq%3D1%26f%3D2&f=website&entities=sales_account",
        ),
        (Request::CreateLead { body: body.clone() }, "POST /crm/sales/api/leads"),
        (Request::UpdateLead { id, body: body.clone() }, "PUT /crm/sales/api/leads/70054866612"),
        (Request::ForgetLead { id }, "DELETE /crm/sales/api/leads/70054866612/forget"),
        (Request::CreateDeal { body: body.clone() }, "POST /crm/sales/api/deals"),
        (Request::UpdateDeal { id, body: body.clone() }, "PUT /crm/sales/api/deals/70054866612"),
        (Request::ShowDeal { id }, "GET /crm/sales/api/deals/70054866612"),
        (
            Request::FindDeal { field: text("cf_order_id"), value: text("A 1") },
            "GET /crm/sales/api/lookup?q=A+1&f=cf_order_id&entities=deal",
        ),
        (Request::Selector("deal_pipelines"), "GET /crm/sales/api/selector/deal_pipelines"),
        (Request::Probe, "GET /crm/sales/api/selector/owners"),
        (Request::Forget { id }, "DELETE /crm/sales/api/contacts/70054866612/forget"),
    ];
    for (request, line) in table {
        let call = request.clone();
        let (result, sent) = exchange(answer("200 OK", "", "{}"), async |client| {
            (client.describe(&call), client.call(call).await)
        })
        .await;
        let (described, called) = result;
        assert!(sent.starts_with(&format!("{line} HTTP/1.1\r\n")), "{sent}");
        assert_eq!(described, called.request);
        assert_eq!(format!("{} {}", described.method, path_of(&described.url)), line);
        let expected = request.body().map(ToString::to_string).unwrap_or_default();
        assert!(sent.ends_with(&format!("\r\n\r\n{expected}")), "{sent}");
        assert_eq!(described.body, request.body().cloned().unwrap_or_default());
        assert!(matches!(called.verdict, Verdict::Stored(_)), "{line}");
    }
}

#[tokio::test]
async fn an_address_that_is_asked_for_is_in_no_record_of_the_call() {
    let email = Email::parse("ann+1@example.com").unwrap();
    let of_contact = Request::FindContact { email: email.clone() };
    for (call, sent_as, shown) in [
        (of_contact, "contact", "contact"),
        (Request::FindPerson { email }, "lead%2Ccontact", "lead,contact"),
    ] {
        let (result, sent) =
            exchange(answer("200 OK", "", "{}"), async |client| client.call(call).await).await;
        let line = "GET /crm/sales/api/lookup?q=ann%2B1%40example.com&f=email&entities=";
        assert!(sent.starts_with(&format!("{line}{sent_as} HTTP/1.1\r\n")), "{sent}");
        assert_eq!(path_of(&result.request.url), format!("/crm/sales/api/lookup?f=email&entities={shown}"));
    }
}

fn path_of(url: &str) -> &str {
    &url[url.find("/crm").unwrap()..]
}

#[tokio::test]
async fn a_dry_run_answers_every_request_and_sends_none() {
    let config = Config { bundle_alias: "acme".to_owned(), ..Config::default() };
    let endpoint = config.endpoint().unwrap();
    let dry = DryRunCrm::new(endpoint.clone());
    let body = json!({"deal": {}});
    for request in [
        Request::UpsertContact { body: body.clone(), shows_companies: false },
        Request::CreateDeal { body: body.clone() },
        Request::UpdateDeal { id: 7, body: body.clone() },
        Request::CreateLead { body: body.clone() },
        Request::UpdateLead { id: 7, body },
        Request::ForgetLead { id: 7 },
        Request::ShowContact { id: 7 },
        Request::Probe,
        Request::Forget { id: 7 },
    ] {
        let result = dry.call(request.clone()).await;
        // What is stored has an id, so that what waits for it goes on; a question is answered by nothing.
        let stored = matches!(&result.verdict, Verdict::Stored(Stored { id: Some(_), .. }));
        assert_eq!(stored, request.body().is_some());
        assert_eq!(stored, result.verdict != Verdict::Stored(Stored::default()));
        assert_eq!((result.request, result.status_label), (endpoint.describe(&request), "simulated"));
        assert_eq!((result.response, result.error.as_deref()), (None, Some("simulated")));
    }
}

#[tokio::test]
async fn a_list_of_the_account_is_read_whole_where_a_record_would_be_cut() {
    let names = "x".repeat(RESPONSE_BYTES_MAX);
    let body = format!(r#"{{"deal_pipelines":[{{"name":"{names}"}}]}}"#);
    let (result, _) = exchange(answer("200 OK", "", &body), async |client| {
        client.call(Request::Selector("deal_pipelines")).await
    })
    .await;
    let Verdict::Stored(stored) = result.verdict else { panic!("not answered") };
    assert_eq!(stored.shown.unwrap()["deal_pipelines"][0]["name"], names);
}
