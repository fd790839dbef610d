//! What can be wrong with the configuration.

use super::*;

fn server_keys(text: &str) -> Vec<String> {
    toml::from_str::<ServerConfig>(text).unwrap().problems().into_iter().map(|problem| problem.key).collect()
}

fn source_keys(text: &str) -> Vec<String> {
    source_problems(&toml::from_str(text).unwrap()).into_iter().map(|problem| problem.key).collect()
}

#[test]
fn the_defaults_are_right_and_unknown_keys_are_refused() {
    assert_eq!(ServerConfig::default().problems(), []);
    assert_eq!(toml::from_str::<ServerConfig>("").unwrap(), ServerConfig::default());
    assert!(toml::from_str::<ServerConfig>("liste = ''").is_err());
    let sources: Sources = toml::from_str("[website]").unwrap();
    assert_eq!(source_problems(&sources), []);
    assert!(!sources["website"].is_on());
    assert!(toml::from_str::<Sources>("[website]\nkey = ''").is_err());
}

#[test]
fn all_problems_of_the_server_are_named_at_once() {
    let wrong = "
        listen = 'localhost'
        public_url = 'ftp://x'
        path_prefix = '/a/'
        event_bytes_max = 1
        body_bytes_max = 1
        batch_events_max = 0
        request_timeout_seconds = 0
        shutdown_seconds = 301
        connections_per_peer_max = 0
        trusted_proxies = ['10.0.0.0/33', '10.0.0.0/8', '::1', 'x']";
    let expected = [
        "server.listen",
        "server.public_url",
        "server.path_prefix",
        "server.trusted_proxies",
        "server.trusted_proxies",
        "server.event_bytes_max",
        "server.body_bytes_max",
        "server.batch_events_max",
        "server.connections_per_peer_max",
        "server.request_timeout_seconds",
        "server.shutdown_seconds",
    ];
    assert_eq!(server_keys(wrong), expected);
}

#[test]
fn prefixes_and_addresses_have_their_forms() {
    for prefix in ["", "/a", "/a-b/c_d.e~f"] {
        assert_eq!(server_keys(&format!("path_prefix = '{prefix}'")), [""; 0], "{prefix}");
    }
    for prefix in ["a", "/", "/a/", "//a", "/..", "/{a}", "/a b", "/*"] {
        assert_eq!(server_keys(&format!("path_prefix = '{prefix}'")), ["server.path_prefix"], "{prefix}");
    }
    for url in ["http://localhost:8080", "https://events.example.com/relay"] {
        assert_eq!(server_keys(&format!("public_url = '{url}'")), [""; 0], "{url}");
    }
    for url in
        ["events.example.com", "https://", "https://a@b", "https://a/?b", "https://a/<b>", "javascript:1"]
    {
        assert_eq!(server_keys(&format!("public_url = '{url}'")), ["server.public_url"], "{url}");
    }
    let one = toml::from_str::<ServerConfig>("listen = \"a\\nb\"").unwrap().problems().remove(0);
    assert_eq!(one.value, "a\\nb");
}

#[test]
fn all_problems_of_the_sources_are_named_without_their_keys() {
    let wrong = "
        'Web Site' = {}
        a = { write_key = 'the same', people = '' }
        b = { write_keys = ['k', 'shared', 'k'] }
        c = { write_key = 'shared', allowed_origins = ['https://a.example/', 'example.com', '*'] }";
    let expected = [
        "sources.Web Site",
        "sources.a.people",
        "sources.a.write_key",
        "sources.c.allowed_origins",
        "sources.c.allowed_origins",
        "sources.c.write_key",
    ];
    assert_eq!(source_keys(wrong), expected);
    let sources: Sources = toml::from_str(wrong).unwrap();
    let shown = format!("{:?} {sources:?}", source_problems(&sources));
    assert!(!shown.contains("shared") && !shown.contains("the same"), "{shown}");
}

#[test]
fn origins_have_their_forms() {
    for origin in
        ["*", "https://a.example", "http://localhost:3000", "https://*.a.example:8443", "http://[::1]:80"]
    {
        assert_eq!(source_keys(&format!("a = {{ allowed_origins = ['{origin}'] }}")), [""; 0], "{origin}");
    }
    for origin in
        ["", "null", "https://", "https://a.example/x", "https://*", "https://a.*.b", "https://a:99999"]
    {
        let problem = ["sources.a.allowed_origins"];
        assert_eq!(source_keys(&format!("a = {{ allowed_origins = ['{origin}'] }}")), problem, "{origin}");
    }
}
