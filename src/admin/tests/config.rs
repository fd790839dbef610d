//! The `[admin]` section.

use secrecy::ExposeSecret;

use super::*;
use crate::config_problem::Problem;

fn config(toml: &str) -> Config {
    toml::from_str(toml).unwrap()
}

fn problems(toml: &str) -> Vec<(String, String, String)> {
    let problem = |problem: Problem| (problem.key, problem.value, problem.expected);
    config(toml).problems().into_iter().map(problem).collect()
}

#[test]
fn the_defaults_are_loopback_without_a_token() {
    let defaults = config("");
    assert_eq!(defaults.address().unwrap().to_string(), "127.0.0.1:8081");
    assert!(defaults.token().is_none());
    assert_eq!(problems(""), []);
}

#[test]
fn off_loopback_without_a_token_is_fine_because_one_is_made() {
    assert_eq!(problems(r#"listen = "0.0.0.0:8081""#), []);
}

#[test]
fn unknown_keys_are_refused() {
    assert!(toml::from_str::<Config>("tokens = 1").is_err());
}

#[test]
fn every_problem_is_named_at_once_and_no_token_is_shown() {
    let expected_token = "one word of at least 32 printable ASCII characters";
    let found = problems(
        "listen = \"localhost\"\ntoken = \"hunter2\"\nallowed_hosts = [\"a.b\", \"https://a.b/\", \"*\"]",
    );
    let hosts = "host names without scheme and path, such as freshsignal.internal";
    let own =
        |key: &str, value: &str, expected: &str| (key.to_owned(), value.to_owned(), expected.to_owned());
    assert_eq!(
        found,
        [
            own("admin.listen", "localhost", "an IP address and a port, such as 127.0.0.1:8081"),
            own("admin.token", "(redacted)", expected_token),
            own("admin.allowed_hosts", "https://a.b/", hosts),
            own("admin.allowed_hosts", "*", hosts),
        ]
    );
}

#[test]
fn a_token_needs_32_characters_without_spaces() {
    for (token, fine) in [
        ("x".repeat(32), true),
        (format!(" {}\\n", "x".repeat(32)), true),
        ("x".repeat(31), false),
        (format!("{} {}", "x".repeat(20), "x".repeat(20)), false),
        ("ü".repeat(32), false),
    ] {
        assert_eq!(problems(&format!("token = \"{token}\"")).is_empty(), fine, "{token}");
    }
    let padded = config(&format!("token = \" {TOKEN}\\n\""));
    assert_eq!(padded.token().unwrap().expose_secret(), TOKEN);
    assert!(!format!("{padded:?}").contains(TOKEN));
}

#[test]
fn an_empty_token_file_is_a_problem_of_the_file() {
    assert_eq!(problems(r#"token_file = "/run/secrets/admin""#)[0].0, "admin.token_file");
}
