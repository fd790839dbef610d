//! Secrets from files: every key that holds a secret has a form ending in `_file`.

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::Config;
use crate::config_problem::Problem;

/// A file larger than this holds no secret.
const SECRET_BYTES_MAX: u64 = 65_536;

/// Whether a key holds a secret, so that its value is never shown.
pub(super) fn is_secret(key: &str) -> bool {
    matches!(
        key,
        "api_key" | "token" | "write_key" | "write_keys" | "secret" | "secrets" | "url" | "heartbeat_url"
    )
}

/// Puts the content of each named file into its key.
pub(super) fn read_files(config: &mut Config) -> Vec<Problem> {
    let mut problems = Vec::new();
    let freshsales = &mut config.freshsales;
    one("freshsales.api_key", &freshsales.api_key_file, &mut freshsales.api_key, &mut problems);
    let admin = &mut config.admin;
    one("admin.token", &admin.token_file, &mut admin.token, &mut problems);
    let alerts = &mut config.alerts;
    one("alerts.url", &alerts.url_file, &mut alerts.url, &mut problems);
    one("alerts.secret", &alerts.secret_file, &mut alerts.secret, &mut problems);
    one("alerts.heartbeat_url", &alerts.heartbeat_url_file, &mut alerts.heartbeat_url, &mut problems);
    for (name, source) in &mut config.sources {
        let key = format!("sources.{name}.write_key");
        one(&key, &source.write_key_file, &mut source.write_key, &mut problems);
        let (file, secret) = (&source.form_captcha_secret_file, &mut source.form_captcha_secret);
        one(&format!("sources.{name}.form_captcha_secret"), file, secret, &mut problems);
        let key = format!("sources.{name}.write_keys");
        if source.write_keys_file.is_empty() {
            continue;
        }
        match read(&key, &source.write_keys_file) {
            Ok(text) => {
                let keys = text.lines().map(str::trim).filter(|line| !line.is_empty());
                source.write_keys.extend(keys.map(SecretString::from));
            }
            Err(problem) => problems.push(problem),
        }
    }
    for (name, hook) in &mut config.hooks {
        one(&format!("hooks.{name}.secret"), &hook.secret_file, &mut hook.secret, &mut problems);
    }
    problems
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
    let path = Path::new(file);
    let problem = |why: String| Problem::new(format!("{key}_file"), file, format!("a readable file ({why})"));
    let size = std::fs::metadata(path).map_err(|error| problem(error.to_string()))?.len();
    if size > SECRET_BYTES_MAX {
        return Err(problem("it is too large for a secret".to_owned()));
    }
    std::fs::read_to_string(path).map_err(|error| problem(error.to_string()))
}
