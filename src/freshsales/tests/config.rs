//! The section: defaults, every problem at once, and a key that shows itself nowhere.

use secrecy::ExposeSecret;
use serde_json::json;

use crate::config_problem::Problem;
use crate::freshsales::{ApiKey, ApiKeyProblem, Config, Mode};

fn config(value: serde_json::Value) -> Config {
    serde_json::from_value(value).unwrap()
}

fn keys(problems: &[Problem]) -> Vec<&str> {
    problems.iter().map(|problem| problem.key.as_str()).collect()
}

#[test]
fn an_empty_section_has_the_documented_defaults() {
    let config = config(json!({}));
    assert_eq!(config.bundle_alias, "");
    assert_eq!(config.api_key.expose_secret(), "");
    assert_eq!(config.api_key_file, "");
    assert_eq!(config.base_url, "");
    assert_eq!(config.mode, Mode::Live);
    assert_eq!(config.attempt_timeout_seconds, 20);
}

#[test]
fn an_unknown_key_is_refused() {
    assert!(serde_json::from_value::<Config>(json!({"bundle_allias": "acme"})).is_err());
    assert!(serde_json::from_value::<Config>(json!({"mode": "wet_run"})).is_err());
}

#[test]
fn a_right_section_has_no_problem() {
    let right = config(json!({"bundle_alias": "acme", "api_key": " k3y-for-tests\n", "mode": "live"}));
    assert_eq!(right.problems(), []);
}

#[test]
fn all_problems_are_listed_not_the_first_alone() {
    let wrong = config(json!({
        "bundle_alias": "acme.freshsales.io",
        "base_url": "http://example.com",
        "api_key": "Token token=k3y-for-tests",
        "attempt_timeout_seconds": 0,
    }));
    let problems = wrong.problems();
    assert_eq!(
        keys(&problems),
        [
            "freshsales.bundle_alias",
            "freshsales.base_url",
            "freshsales.api_key",
            "freshsales.attempt_timeout_seconds"
        ]
    );
    let values: Vec<&str> = problems.iter().map(|problem| problem.value.as_str()).collect();
    assert_eq!(values, ["acme.freshsales.io", "http://example.com", "(redacted)", "0"]);
    assert!(problems.iter().any(|problem| problem.expected.contains("`Token token=`")));
    assert!(!format!("{problems:?} {wrong:?}").contains("k3y-for-tests"));
}

#[test]
fn a_dry_run_needs_no_key_but_a_right_one() {
    let without = config(json!({"bundle_alias": "acme", "mode": "dry_run"}));
    assert_eq!(without.problems(), []);
    let wrong = config(json!({"bundle_alias": "acme", "mode": "dry_run", "api_key": "two words"}));
    assert_eq!(keys(&wrong.problems()), ["freshsales.api_key"]);
}

#[test]
fn a_missing_key_is_named_where_it_was_to_come_from() {
    assert_eq!(keys(&config(json!({"bundle_alias": "acme"})).problems()), ["freshsales.api_key"]);
    let file = config(json!({"bundle_alias": "acme", "api_key_file": "/run/secrets/key"})).problems();
    assert_eq!(keys(&file), ["freshsales.api_key_file"]);
    assert_eq!(file.first().map(|problem| problem.value.as_str()), Some("/run/secrets/key"));
}

#[test]
fn a_value_that_may_hold_a_secret_is_not_shown() {
    for (alias, base_url) in
        [("a:hunter2@acme", ""), ("Token token=hunter2", ""), ("acme", "https://u:hunter2@x.com")]
    {
        let wrong = config(json!({"bundle_alias": alias, "base_url": base_url, "api_key": "k"}));
        let shown = format!("{:?}", wrong.problems());
        assert!(shown.contains("(redacted)") && !shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn a_wrong_value_is_shown_on_one_line_and_cut() {
    let wrong = config(json!({"bundle_alias": format!("a\n{}", "b".repeat(500)), "api_key": "k"}));
    let value = wrong.problems().first().map(|problem| problem.value.clone());
    assert_eq!(value, Some(format!("a\\n{}", "b".repeat(98))));
}

#[test]
fn a_key_is_one_printable_word_and_nothing_more() {
    assert_eq!(ApiKey::parse("  abc_123-XYZ==\r\n").unwrap().expose(), "abc_123-XYZ==");
    assert_eq!(ApiKey::parse("0012").unwrap().expose(), "0012");
    for (text, problem) in [
        (" ", ApiKeyProblem::Missing),
        ("Token token=abc", ApiKeyProblem::WholeHeader),
        ("token=abc", ApiKeyProblem::WholeHeader),
        ("Bearer abc", ApiKeyProblem::WholeHeader),
        ("Authorization: Token token=abc", ApiKeyProblem::WholeHeader),
        ("two words", ApiKeyProblem::NotAWord),
        ("line\r\nX-Evil: 1", ApiKeyProblem::NotAWord),
        ("schlüssel", ApiKeyProblem::NotAWord),
        (&"k".repeat(513), ApiKeyProblem::NotAWord),
    ] {
        assert_eq!(ApiKey::parse(text).unwrap_err(), problem, "{text:?}");
    }
}

#[test]
fn a_key_prints_redacted() {
    assert_eq!(format!("{:?}", ApiKey::parse("k3y-for-tests").unwrap()), "ApiKey([redacted])");
}
