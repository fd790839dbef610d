//! Receivers of what happens, as whoever owns the service changes them on the page. Must not write anything down.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::admin::{EditRefused, OutputWish, ShownOutput};
use crate::config::Config;
use crate::managed::{Path, Wish};
use crate::outputs::{Format, OutputConfig};
use crate::webhook::WHSEC;

const SECRET_BYTES: usize = 32;

/// A receiver, as it is shown.
pub(super) fn shown(name: &str, output: &OutputConfig) -> ShownOutput {
    ShownOutput {
        name: name.to_owned(),
        host: host(output),
        format: output.format.as_str(),
        events: output.events.clone(),
    }
}

fn host(output: &OutputConfig) -> Option<String> {
    let (url, _) = output.address().ok().flatten()?;
    url.host_str().map(str::to_owned)
}

/// What has to be typed for a change of it.
pub(super) fn name_of(wish: &OutputWish, config: &Config) -> String {
    let output = config.outputs.get(wish.name.trim()).filter(|_| !wish.remove);
    output.and_then(host).unwrap_or_else(|| wish.name.trim().to_owned())
}

/// What messages to another address are signed with, where they are; nothing where the receiver keeps what it has. Whoever had the
/// address before knows the secret of before.
pub(super) fn new_secret(wish: &OutputWish) -> Result<Option<SecretString>, EditRefused> {
    let elsewhere = !wish.url.expose_secret().trim().is_empty();
    if wish.remove || !elsewhere || format(wish) != Format::Standard.as_str() {
        return Ok(None);
    }
    let mut random = [0_u8; SECRET_BYTES];
    getrandom::fill(&mut random).map_err(|error| EditRefused::NotWritten(error.to_string()))?;
    Ok(Some(SecretString::from(format!("{WHSEC}{}", STANDARD.encode(random)))))
}

fn format(wish: &OutputWish) -> &str {
    let word = wish.format.trim();
    if word.is_empty() { Format::Standard.as_str() } else { word }
}

/// What is to be otherwise; the address and the secret stand elsewhere, under names of the next revision.
pub(super) fn wishes(wish: &OutputWish, next: u64) -> Vec<Wish> {
    let path = |key: &str| -> Path { ["outputs", wish.name.trim(), key].map(str::to_owned).to_vec() };
    let set = |key: &str, value: Option<Value>| Wish { path: path(key), value };
    if wish.remove {
        return ["url", "format", "events", "secret"].map(|key| set(key, None)).to_vec();
    }
    let mut wishes = vec![
        set("format", Some(Value::from(format(wish)))),
        set("events", Some(Value::from(wish.events.clone()))),
    ];
    if !wish.url.expose_secret().trim().is_empty() {
        wishes.push(set("url", Some(Value::from(url_name(next)))));
        let signed = format(wish) == Format::Standard.as_str();
        wishes.push(set("secret", signed.then(|| Value::from(secret_name(next)))));
    }
    wishes
}

/// Where the address stands.
pub(super) fn url_name(next: u64) -> String {
    format!("output-url-{next}")
}

/// Where the secret stands.
pub(super) fn secret_name(next: u64) -> String {
    format!("output-secret-{next}")
}
