//! Calls by way of a proxy and over TLS with an authority of one's own.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::client::{KEY, answer};
use crate::clock::ManualClock;
use crate::delivery::{Request, Verdict};
use crate::freshsales::{ApiKey, CallResult, Client, Config, Crm, Timeouts, Transport, TransportProblem};

/// The authority of these tests, and what it says is `acme.myfreshworks.com`.
const CA: &str = include_str!("../../../tests/fixtures/tls/ca.pem");
const CERTIFICATE: &str = include_str!("../../../tests/fixtures/tls/server.pem");
const PRIVATE_KEY: &str = include_str!("../../../tests/fixtures/tls/server.key");
const PASSWORD: &str = "s3cret-of-the-proxy";

/// An account that answers over TLS with that certificate.
async fn account() -> String {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(PRIVATE_KEY.as_bytes()).unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // Who does not trust the certificate breaks off.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = Vec::new();
            while !request.ends_with(b"}}") {
                if stream.read_buf(&mut request).await.unwrap() == 0 {
                    break;
                }
            }
            stream.write_all(&answer("200 OK", "", r#"{"contact":{"id":7}}"#)).await.unwrap();
            let _ = stream.shutdown().await;
        }
    });
    address
}

/// A proxy that brings everything to one account; ends with the head of the request that it was sent first.
async fn proxy(account: String) -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let task = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            client.read_buf(&mut head).await.unwrap();
        }
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let mut account = TcpStream::connect(account).await.unwrap();
        let _ = copy_bidirectional(&mut client, &mut account).await;
        String::from_utf8(head).unwrap()
    });
    (address, task)
}

async fn call(transport: &Transport) -> CallResult {
    let config = Config { bundle_alias: "acme".to_owned(), ..Config::default() };
    let timeouts = Timeouts { connect: Duration::from_secs(10), attempt: Duration::from_secs(10) };
    let (endpoint, key) = (config.endpoint().unwrap(), ApiKey::parse(KEY).unwrap());
    let clock = Arc::new(ManualClock::at(crate::clock::UnixMicros(0)));
    let client = Client::new(endpoint, key, transport, timeouts, clock).unwrap();
    let body = json!({"unique_identifier": {"emails": "a@example.com"}, "contact": {"city": "Oslo"}});
    client.call(Request::UpsertContact { body, shows_companies: false }).await
}

#[tokio::test]
async fn a_call_goes_by_the_proxy_and_trusts_the_configured_authority_alone() {
    let (address, asked) = proxy(account().await).await;
    let transport = Transport::new(CA, &format!("http://user:{PASSWORD}@{address}")).unwrap();
    let result = call(&transport).await;
    assert!(matches!(result.verdict, Verdict::Stored(_)), "{:?}", result.verdict);
    let asked = asked.await.unwrap();
    assert!(asked.starts_with("CONNECT acme.myfreshworks.com:443 HTTP/1.1\r\n"), "{asked}");
    let expected = STANDARD.encode(format!("user:{PASSWORD}"));
    assert!(asked.contains(&format!("Basic {expected}")), "{asked}");
    assert!(!asked.contains(KEY), "the proxy sees no key");

    // Through the proxy the certificate is verified all the same.
    let (address, _asked) = proxy(account().await).await;
    let transport = Transport::new("", &format!("http://user:{PASSWORD}@{address}")).unwrap();
    let result = call(&transport).await;
    let Verdict::Passing { reason } = &result.verdict else { panic!("{:?}", result.verdict) };
    assert!(reason.contains("certificate"), "{reason}");
    assert!(!format!("{result:?} {transport:?}").contains(PASSWORD), "the password is shown nowhere");
}

#[test]
fn what_is_no_certificate_and_no_proxy_is_refused_without_repeating_it() {
    let none = ["nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", PRIVATE_KEY];
    for text in none {
        assert_eq!(Transport::new(text, "").unwrap_err(), TransportProblem::NoCertificates, "{text}");
    }
    for text in ["proxy.example:3128", "socks5://proxy:1", "http://", "http://proxy/path", "http://proxy?x=1"]
    {
        assert_eq!(Transport::new("", text).unwrap_err(), TransportProblem::NoProxy, "{text}");
    }
    let shown = Transport::new(CA, &format!("http://user:{PASSWORD}@proxy.example:3128")).unwrap();
    assert_eq!((shown.proxy_shown().as_deref(), shown.roots().len()), (Some("http://proxy.example:3128"), 1));
    assert_eq!(Transport::new("", " ").unwrap().proxy_shown(), None);
    let config = Config {
        bundle_alias: "acme".to_owned(),
        proxy: format!("nonsense {PASSWORD}").into(),
        ..Config::default()
    };
    let problem = config.transport().unwrap_err().to_string();
    assert!(problem.starts_with("freshsales.proxy") && !problem.contains(PASSWORD), "{problem}");
}
