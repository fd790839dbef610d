//! Questions to the account, against servers that answer once.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::client::{KEY, answer, client};
use crate::freshsales::{Client, Question, Reply, Unanswered};

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
