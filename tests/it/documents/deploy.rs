//! What the files for operating name exists: metrics, alerts, keys in the environment, log lines.

use std::collections::BTreeSet;

use super::code::{self, files, text};
use super::markdown::{first_words, rows};
use super::unknown_setting;

/// Files beside the pages that name keys by the environment.
const ELSEWHERE: [&str; 5] =
    ["Dockerfile", "compose.yaml", "compose.override.yaml", "compose.account.yaml", "compose.nodes.yaml"];

#[test]
fn every_metric_that_an_alert_or_a_plot_names_is_recorded() {
    let recorded = code::metrics(&code::product());
    let mut named = BTreeSet::new();
    for name in deployed() {
        let found = words(&text(&name), "freshsignal_");
        let metrics = found.iter().map(|word| of_histogram(word));
        let unknown: Vec<_> = metrics.filter(|word| !recorded.contains(*word)).collect();
        assert!(unknown.is_empty(), "{name}: metrics that nothing records: {unknown:?}");
        named.extend(found);
    }
    assert!(named.len() >= 10, "{named:?}");
}

#[test]
fn every_key_that_is_named_by_the_environment_exists() {
    let known = code::known_keys(&text("config/default.toml"));
    let all = deployed().into_iter().chain(files("docs", "md")).chain(ELSEWHERE.map(str::to_owned));
    let mut keys = 0;
    for name in all {
        let named = keys_of_environment(&text(&name));
        let unknown: Vec<_> = named.iter().filter(|key| !known.contains(*key)).collect();
        assert!(unknown.is_empty(), "{name}: keys that do not exist: {unknown:?}");
        keys += named.len();
    }
    assert!(keys >= 8, "{keys}");
}

/// Of a larger body the service does not read the rest, so nginx has to refuse it.
#[test]
fn nginx_passes_on_no_larger_body_than_the_service_reads_to_its_end() {
    let nginx = text("deploy/nginx/freshsignal.conf");
    let [size] = values(&nginx, "client_max_body_size ").into_iter().collect::<Vec<_>>().try_into().unwrap();
    let megabytes: usize = size.trim_end_matches(';').strip_suffix('m').unwrap().parse().unwrap();
    let defaults: toml::Table = text("config/default.toml").parse().unwrap();
    let limit = usize::try_from(defaults["server"]["body_bytes_max"].as_integer().unwrap()).unwrap();
    assert_eq!(megabytes << 20, freshsignal::http::DISCARD_FACTOR * limit);
}

#[test]
fn the_configuration_in_each_manifest_has_keys_that_exist() {
    let known = code::known_keys(&text("config/default.toml"));
    for (manifest, kind) in [("freshsignal", None), ("nodes", Some("postgres"))] {
        let manifest = text(&format!("deploy/kubernetes/{manifest}.yaml"));
        let tables: toml::Table = in_manifest(&manifest).parse().unwrap();
        assert!(tables.contains_key("freshsales"));
        assert_eq!(unknown_setting(&tables, &known), None);
        assert_eq!(tables["store"].get("kind").and_then(toml::Value::as_str), kind);
    }
}

#[test]
fn a_deployment_of_nodes_has_two_that_lose_nothing_with_a_machine() {
    let manifest = text("deploy/kubernetes/nodes.yaml");
    for promise in [
        "kind: Deployment",
        "replicas: 2",
        "rollingUpdate: { maxSurge: 1, maxUnavailable: 0 }",
        "minAvailable: 1",
        "topologyKey: kubernetes.io/hostname",
        "httpGet: { path: /readyz, port: events }",
        "readOnlyRootFilesystem: true",
        "capabilities: { drop: [ALL] }",
        "runAsNonRoot: true",
        "durability = \"verify\"",
    ] {
        assert!(manifest.contains(promise), "{promise}");
    }
    assert!(!manifest.contains("volumeClaim"), "a node keeps nothing of its own");
    // The wait before the end is a part of the time for it.
    let number = |key: &str| -> u64 {
        let rest = manifest.split(key).nth(1).unwrap();
        rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
    };
    let shutdown: toml::Table = text("config/default.toml").parse().unwrap();
    let shutdown = shutdown["server"]["shutdown_seconds"].as_integer().unwrap().unsigned_abs();
    let handing_over = 10;
    assert!(
        number("terminationGracePeriodSeconds: ") >= number("sleep: { seconds: ") + shutdown + handing_over
    );
}

#[test]
fn every_alert_is_in_its_page_and_the_other_way_round() {
    let rules = text("deploy/prometheus/alerts.yml");
    let named: BTreeSet<String> =
        first_words(&text("docs/how-to/prometheus.md"), "alert").into_iter().collect();
    assert_eq!(named, values(&rules, "- alert: "));
    let tested = values(&text("deploy/prometheus/alerts_test.yml"), "alertname: ");
    assert!(!tested.is_empty() && tested.is_subset(&named), "{tested:?}");
}

#[test]
fn every_log_line_that_is_explained_is_written() {
    let product = joined(&code::product());
    let lines = rows(&text("docs/reference/log-lines.md"), "line");
    assert!(lines.len() >= 20, "{lines:?}");
    let line = |row: &Vec<String>| row[0].trim_matches('`').to_owned();
    let missing: Vec<_> = lines.iter().map(line).filter(|line| !product.contains(line.as_str())).collect();
    assert!(missing.is_empty(), "log lines that nothing writes: {missing:#?}");
}

fn deployed() -> Vec<String> {
    let kinds = ["service", "yml", "yaml", "json", "conf"];
    let found: Vec<String> = kinds.iter().flat_map(|extension| files("deploy", extension)).collect();
    assert!(found.len() >= 7, "{found:?}");
    found
}

/// Words of a text that begin like this, as far as names go.
fn words(text: &str, start: &str) -> BTreeSet<String> {
    let end = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    let found = text.match_indices(start).filter_map(|(at, _)| text[at..].split(end).next());
    found.map(str::to_owned).collect()
}

/// The metric that a series of a histogram belongs to.
fn of_histogram(word: &str) -> &str {
    ["_bucket", "_sum", "_count"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word)
}

/// The keys that names such as `FRESHSIGNAL_STORE__PATH` set.
fn keys_of_environment(text: &str) -> BTreeSet<String> {
    let names = words(text, "FRESHSIGNAL_");
    let names = names.iter().filter_map(|name| name.strip_prefix("FRESHSIGNAL_"));
    let keys = names.filter(|name| name.contains("__")).map(|name| name.to_lowercase().replace("__", "."));
    let general = |key: String| {
        key.replace("sources.website.", "sources.NAME.").replace("admin.tokens.jane.", "admin.tokens.NAME.")
    };
    keys.map(general).collect()
}

/// The configuration that a manifest carries.
fn in_manifest(manifest: &str) -> String {
    let carried = manifest.split("freshsignal.toml: |\n").nth(1).unwrap_or_default();
    let lines = carried.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    lines.map(str::trim).collect::<Vec<_>>().join("\n")
}

/// What stands behind a key, up to the end of its line or entry.
fn values(text: &str, key: &str) -> BTreeSet<String> {
    let found = text.split(key).skip(1).filter_map(|rest| rest.split(['\n', ' ', ',', '}']).next());
    found.map(str::to_owned).collect()
}

/// The source with literals of several lines in one.
fn joined(source: &str) -> String {
    let mut parts = source.split("\\\n");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |whole, part| whole + part.trim_start())
}

mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_files_of_every_kind() {
        let text = "rate(freshsignal_a_seconds_bucket{x=\"1\"}[5m]) FRESHSIGNAL_STORE__PATH=/x \
                    FRESHSIGNAL_SOURCES__WEBSITE__WRITE_KEY: FRESHSIGNAL_CONFIG";
        let found: Vec<_> = words(text, "freshsignal_").into_iter().collect();
        assert_eq!(found, ["freshsignal_a_seconds_bucket"]);
        assert_eq!(of_histogram(&found[0]), "freshsignal_a_seconds");
        let keys: Vec<_> = keys_of_environment(text).into_iter().collect();
        assert_eq!(keys, ["sources.NAME.write_key", "store.path"]);
        let manifest = "data:\n  freshsignal.toml: |\n    [a]\n    b = 1\n---\nc: 1";
        assert_eq!(in_manifest(manifest), "[a]\nb = 1");
        let rules = "- alert: A\n x: { alertname: B }\n- alert: C\n";
        assert_eq!(values(rules, "- alert: ").into_iter().collect::<Vec<_>>(), ["A", "C"]);
        assert_eq!(values(rules, "alertname: ").into_iter().collect::<Vec<_>>(), ["B"]);
        assert_eq!(joined("a \\\n     b"), "a b");
    }
}
