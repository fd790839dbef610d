//! Secrets from files: every key that holds a secret has a form ending in `_file`.

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::Config;
use crate::config_problem::Problem;

/// A file larger than this holds no secret.
const SECRET_BYTES_MAX: u64 = 65_536;
/// The bundle of a whole system has some 250 kB.
const CERTIFICATES_BYTES_MAX: u64 = 4 << 20;

/// Whether a key holds a secret, so that its value is never shown.
pub(super) fn is_secret(key: &str) -> bool {
    matches!(
        key,
        "api_key"
            | "proxy"
            | "token"
            | "write_key"
            | "write_keys"
            | "secret"
            | "secrets"
            | "url"
            | "heartbeat_url"
            | "otlp_endpoint"
            | "otlp_headers"
            | "password"
    )
}

/// Puts the content of each named file into its key.
pub(super) fn read_files(config: &mut Config) -> Vec<Problem> {
    let mut problems = Vec::new();
    let freshsales = &mut config.freshsales;
    one("freshsales.api_key", &freshsales.api_key_file, &mut freshsales.api_key, &mut problems);
    one("freshsales.proxy", &freshsales.proxy_file, &mut freshsales.proxy, &mut problems);
    if !freshsales.ca_file.is_empty() {
        match read_up_to("freshsales.ca_file", &freshsales.ca_file, CERTIFICATES_BYTES_MAX) {
            Ok(text) => freshsales.ca = text,
            Err(problem) => problems.push(problem),
        }
    }
    let store = &mut config.store;
    one("store.url", &store.url_file, &mut store.url, &mut problems);
    if !store.ca_file.is_empty() {
        match read_up_to("store.ca_file", &store.ca_file, CERTIFICATES_BYTES_MAX) {
            Ok(text) => store.ca = text,
            Err(problem) => problems.push(problem),
        }
    }
    let admin = &mut config.admin;
    one("admin.token", &admin.token_file, &mut admin.token, &mut problems);
    for (name, one_of) in &mut config.admin.tokens {
        one(&format!("admin.tokens.{name}.token"), &one_of.token_file, &mut one_of.token, &mut problems);
    }
    let alerts = &mut config.alerts;
    one("alerts.url", &alerts.url_file, &mut alerts.url, &mut problems);
    one("alerts.secret", &alerts.secret_file, &mut alerts.secret, &mut problems);
    one("alerts.heartbeat_url", &alerts.heartbeat_url_file, &mut alerts.heartbeat_url, &mut problems);
    let telemetry = &mut config.telemetry;
    let (file, headers) = (&telemetry.otlp_headers_file, &mut telemetry.otlp_headers);
    one("telemetry.otlp_headers", file, headers, &mut problems);
    let conversions = &mut config.conversions;
    let (file, password) = (&conversions.password_file, &mut conversions.password);
    one("conversions.password", file, password, &mut problems);
    for (name, source) in &mut config.sources {
        let key = format!("sources.{name}.write_key");
        one(&key, &source.write_key_file, &mut source.write_key, &mut problems);
        let (file, secret) = (&source.form_captcha_secret_file, &mut source.form_captcha_secret);
        one(&format!("sources.{name}.form_captcha_secret"), file, secret, &mut problems);
        let key = format!("sources.{name}.write_keys");
        several(&key, &source.write_keys_file, &mut source.write_keys, &mut problems);
    }
    for (name, output) in &mut config.outputs {
        one(&format!("outputs.{name}.url"), &output.url_file, &mut output.url, &mut problems);
        let (file, secret) = (&output.secret_file, &mut output.secret);
        one(&format!("outputs.{name}.secret"), file, secret, &mut problems);
    }
    for (name, hook) in &mut config.hooks {
        one(&format!("hooks.{name}.secret"), &hook.secret_file, &mut hook.secret, &mut problems);
        several(&format!("hooks.{name}.secrets"), &hook.secrets_file, &mut hook.secrets, &mut problems);
    }
    problems
}

/// One a line, beside those that stand in the key itself.
fn several(key: &str, file: &str, secrets: &mut Vec<SecretString>, problems: &mut Vec<Problem>) {
    if file.is_empty() {
        return;
    }
    match read(key, file) {
        Ok(text) => {
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            secrets.extend(lines.map(SecretString::from));
        }
        Err(problem) => problems.push(problem),
    }
}

fn one(key: &str, file: &str, secret: &mut SecretString, problems: &mut Vec<Problem>) {
    if file.is_empty() {
        return;
    }
    if !secret.expose_secret().is_empty() {
        let expected = format!("either {key} or {key}_file, not both");
        problems.push(Problem::new(format!("{key}_file"), file, expected));
        return;
    }
    match read(key, file) {
        Ok(text) => *secret = SecretString::from(text.trim()),
        Err(problem) => problems.push(problem),
    }
}

fn read(key: &str, file: &str) -> Result<String, Problem> {
    read_up_to(&format!("{key}_file"), file, SECRET_BYTES_MAX)
}

fn read_up_to(key: &str, file: &str, bytes_max: u64) -> Result<String, Problem> {
    let path = Path::new(file);
    let problem = |why: String| Problem::new(key, file, format!("a readable file ({why})"));
    let size = std::fs::metadata(path).map_err(|error| problem(error.to_string()))?.len();
    if size > bytes_max {
        return Err(problem(format!("it is larger than {bytes_max} bytes")));
    }
    std::fs::read_to_string(path).map_err(|error| problem(error.to_string()))
}
