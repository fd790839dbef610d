//! Tests of who may read the files, and of the section.

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;

use super::*;

fn config() -> Config {
    Config {
        enabled: true,
        user: "google".to_owned(),
        password: SecretString::from("a password of some length"),
        ..Config::default()
    }
}

fn headers(values: &[String]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn basic(text: &str) -> String {
    format!("Basic {}", STANDARD.encode(text))
}

#[test]
fn who_has_user_and_password_is_let_in_and_nobody_else() {
    let right = basic("google:a password of some length");
    assert!(access::admits(&config(), &headers(std::slice::from_ref(&right))));
    assert!(access::admits(&config(), &headers(&[right.replace("Basic", "basic")])));
    let wrong = [
        basic("google:another password, as long"),
        basic("other:a password of some length"),
        basic("google:"),
        basic("google:a password of some lengthy"),
        right.replace("Basic", "Bearer"),
        "Basic".to_owned(),
        "Basic !!!".to_owned(),
    ];
    for value in wrong {
        assert!(!access::admits(&config(), &headers(std::slice::from_ref(&value))), "{value}");
    }
    assert!(!access::admits(&config(), &HeaderMap::new()));
    assert!(!access::admits(&config(), &headers(&[right.clone(), right])), "two of them are none");
}

#[test]
fn a_section_that_is_on_needs_user_and_password_and_repeats_neither() {
    assert_eq!(problems(&Config::default()), Vec::new());
    assert_eq!(problems(&config()), Vec::new());
    let short = Config { password: SecretString::from("short-secret"), user: "a:b".to_owned(), ..config() };
    let found = problems(&short);
    assert_eq!(
        found.iter().map(|it| it.key.as_str()).collect::<Vec<_>>(),
        ["conversions.user", "conversions.password"]
    );
    assert!(!format!("{found:?}").contains("short-secret"));
    let unnamed = Config { name: " ".to_owned(), ..config() };
    assert_eq!(problems(&unnamed)[0].key, "conversions.name");
}
