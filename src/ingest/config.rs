//! The `[server]` and `[sources]` sections: their keys, defaults and everything that can be wrong with them.
//!
//! Must not read files or the environment: whoever loads the configuration puts the content of a `…_file` into its key.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use axum::http::Uri;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use serde_json::Value;

use super::cors::AllowedOrigin;
use super::form::captcha::{Captcha, Issuer};
use super::form::{Form, FormRules, HONEYPOT, Texts, usual_path};
use crate::config_problem::{Problem, REDACTED};
use crate::event::Trust;
use crate::http::forwarded::TrustedProxies;
use crate::mapping::IdentifyMode;
use crate::mapping::region::Region;
use crate::senders::{SourceRate, constant_problem};

/// The `[server]` section: the public listener.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// The address and port it listens on.
    pub listen: String,
    /// What the tag and the SDK settings tell browsers; empty: from the request.
    pub public_url: String,
    /// Everything is also under this prefix; empty: under none.
    pub path_prefix: String,
    /// Bytes of one event.
    pub event_bytes_max: usize,
    /// Bytes of a body, as sent and after decompression.
    pub body_bytes_max: usize,
    /// Events of one request.
    pub batch_events_max: usize,
    /// How long a body may take to arrive, and the store to take its events.
    pub request_timeout_seconds: u64,
    /// How long a shutdown waits for what is in flight.
    pub shutdown_seconds: u64,
    /// Connections of one address, and requests under way of one client behind a trusted proxy.
    pub connections_per_peer_max: usize,
    /// Addresses or networks whose `X-Forwarded-*` and `Forwarded` count.
    pub trusted_proxies: Vec<String>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: "0.0.0.0:8080".to_owned(),
            public_url: String::new(),
            path_prefix: String::new(),
            event_bytes_max: 32_768,
            body_bytes_max: 524_288,
            batch_events_max: 2500,
            request_timeout_seconds: 10,
            shutdown_seconds: 8,
            connections_per_peer_max: 1000,
            trusted_proxies: Vec::new(),
        }
    }
}

/// The `[sources]` section: any number, by name.
pub type Sources = BTreeMap<String, SourceConfig>;

/// Whether calls are made for the events of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceMode {
    /// As `freshsales.mode` says.
    #[default]
    #[serde(alias = "")]
    Live,
    /// None: what they would carry is shown.
    DryRun,
}

/// One `[sources.NAME]` section: who may send.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SourceConfig {
    /// Whether it is on; off, its keys are unknown to everybody.
    pub enabled: bool,
    /// The write key; empty: there is none here.
    pub write_key: SecretString,
    /// A file that holds the write key; empty: there is none.
    pub write_key_file: String,
    /// More write keys, for rotation.
    pub write_keys: Vec<SecretString>,
    /// A file with more write keys, one a line; empty: there is none.
    pub write_keys_file: String,
    /// Origins whose pages may send: `*`, `https://example.com` or `https://*.example.com`.
    pub allowed_origins: Vec<String>,
    /// Fields of the addresses of its pages that are kept although they look like a secret; `*`: all.
    pub keep_query: Vec<String>,
    /// The name space of user ids and anonymous ids.
    pub people: String,
    /// The country of phones of its people who say none; empty: `mapping.default_country`.
    pub default_country: String,
    /// The status of new contacts of its people who said nothing; empty: `consent.unknown`.
    pub consent_unknown: String,
    /// How many contacts it may make in an hour; 0: no limit. Absent: none, 200 where it takes forms.
    pub new_contacts_per_hour_max: Option<u64>,
    /// How many events it may send in a minute, over all its doors; 0: any number. Absent: any number, and 300 posted forms.
    pub events_per_minute_max: Option<u64>,
    /// How many withdrawals an hour may leave that strangers said who merely named an address; 0: no limit.
    pub withdrawals_per_hour_max: u64,
    /// How far what its keys bring is believed; absent: as a server.
    pub trust: Option<Trust>,
    /// Whether it takes forms, at `/form/` and its name.
    pub form: bool,
    /// The event that a form is.
    pub form_event: String,
    /// Where fields of forms go, by their name; beside the usual ones.
    pub form_fields: BTreeMap<String, String>,
    /// Pages that a visitor may be sent to after a form.
    pub form_redirects: Vec<String>,
    /// Fields of forms that must be filled, beside the email.
    pub form_required: Vec<String>,
    /// The field of forms that people don't see: whoever fills it is a robot.
    pub form_honeypot: String,
    /// Whose captcha its forms have: `turnstile` or `hcaptcha`; empty: none.
    pub form_captcha: String,
    /// The secret to check it with.
    pub form_captcha_secret: SecretString,
    /// A file that holds that secret; empty: there is none.
    pub form_captcha_secret_file: String,
    /// Where it is checked; empty: with its issuer.
    pub form_captcha_url: String,
    /// What visitors read in place of the English sentences.
    pub form_texts: BTreeMap<String, String>,
    /// Whether calls are made for its events.
    pub mode: SourceMode,
    /// What its identifies mean; empty: `mapping.identify`.
    pub identify: String,
    /// What each of its events is taken to say, by path.
    pub set: BTreeMap<String, Value>,
}

impl Default for SourceConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            write_key: SecretString::from(String::new()),
            write_key_file: String::new(),
            write_keys: Vec::new(),
            write_keys_file: String::new(),
            allowed_origins: vec!["*".to_owned()],
            keep_query: Vec::new(),
            people: "default".to_owned(),
            default_country: String::new(),
            consent_unknown: String::new(),
            new_contacts_per_hour_max: None,
            events_per_minute_max: None,
            withdrawals_per_hour_max: 20,
            trust: None,
            form: false,
            form_event: "Lead Generated".to_owned(),
            form_fields: BTreeMap::new(),
            form_redirects: Vec::new(),
            form_required: Vec::new(),
            form_honeypot: HONEYPOT.to_owned(),
            form_captcha: String::new(),
            form_captcha_secret: SecretString::from(String::new()),
            form_captcha_secret_file: String::new(),
            form_captcha_url: String::new(),
            form_texts: BTreeMap::new(),
            mode: SourceMode::default(),
            identify: String::new(),
            set: BTreeMap::new(),
        }
    }
}

/// Longer keys don't fit well into a query string.
const WRITE_KEY_CHARS_MAX: usize = 256;
const NAME_CHARS_MAX: usize = 64;
const NAME_EXPECTED: &str = "a name of 1 to 64 of a-z, 0-9, _ and -";
/// How many contacts a form may make in an hour unless the configuration says otherwise.
const FORM_CONTACTS_PER_HOUR: u64 = 200;
/// How many forms may be posted in a minute unless the configuration says otherwise.
const FORMS_PER_MINUTE: u64 = 300;

impl ServerConfig {
    /// How long a body may take to arrive, and the store to take its events.
    #[must_use]
    pub fn request_timeout(&self) -> Duration {
        Duration::from_secs(self.request_timeout_seconds)
    }

    /// Everything that is wrong with the section.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.listen.parse::<SocketAddr>().is_err() {
            let expected = "an IP address and a port, like 0.0.0.0:8080 or [::]:8080";
            problems.push(Problem::new("server.listen", &self.listen, expected));
        }
        if !self.public_url.is_empty() && !is_web_address(&self.public_url) {
            let expected = "empty, or an address like https://events.example.com, without query";
            problems.push(Problem::new("server.public_url", &self.public_url, expected));
        }
        if !is_path_prefix(&self.path_prefix) {
            let expected = "empty, or a path like /relay: letters, digits, - _ . ~, no slash at the end";
            problems.push(Problem::new("server.path_prefix", &self.path_prefix, expected));
        }
        for proxy in self.trusted_proxies.iter().filter(|proxy| !TrustedProxies::knows(proxy)) {
            let expected = "IP addresses or networks like 10.0.0.0/8";
            problems.push(Problem::new("server.trusted_proxies", proxy, expected));
        }
        problems.extend(self.number_problems());
        problems
    }

    fn number_problems(&self) -> impl Iterator<Item = Problem> {
        let wide = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let body_bytes_max = wide(self.body_bytes_max);
        [
            ("server.event_bytes_max", wide(self.event_bytes_max), 256, body_bytes_max.max(256)),
            ("server.body_bytes_max", body_bytes_max, 1024, 16 * 1024 * 1024),
            ("server.batch_events_max", wide(self.batch_events_max), 1, 100_000),
            ("server.connections_per_peer_max", wide(self.connections_per_peer_max), 1, 10_000),
            ("server.request_timeout_seconds", self.request_timeout_seconds, 1, 300),
            ("server.shutdown_seconds", self.shutdown_seconds, 0, 300),
        ]
        .into_iter()
        .filter(|(_, number, min, max)| !(min..=max).contains(&number))
        .map(|(key, number, min, max)| {
            let limit = if key == "server.event_bytes_max" { " (server.body_bytes_max)" } else { "" };
            Problem::new(key, number, format!("a number from {min} to {max}{limit}"))
        })
    }
}

impl SourceConfig {
    /// Every write key that is set.
    pub fn keys(&self) -> impl Iterator<Item = &SecretString> {
        std::iter::once(&self.write_key).chain(&self.write_keys).filter(|key| !key.expose_secret().is_empty())
    }

    /// A source that is not enabled, or has no key and takes no forms, is off.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.enabled && (self.form || self.keys().next().is_some())
    }

    /// How many contacts it may make in an hour; 0: no limit. A form needs no key, so anybody can post it.
    #[must_use]
    pub fn new_contacts_per_hour(&self) -> u64 {
        let unless_told = if self.form { FORM_CONTACTS_PER_HOUR } else { 0 };
        self.new_contacts_per_hour_max.unwrap_or(unless_told)
    }

    /// How many events it may send in a minute, and how many forms may be posted to it where nothing is said; 0: any number.
    #[must_use]
    pub fn rate(&self) -> SourceRate {
        let unless_told = if self.form { FORMS_PER_MINUTE } else { 0 };
        SourceRate {
            per_minute: self.events_per_minute_max.unwrap_or(0),
            forms_per_minute: self.events_per_minute_max.unwrap_or(unless_told),
            of_servers: self.trust == Some(Trust::Server),
        }
    }

    /// How far what its keys bring is believed. A form is a visitor's and a signed webhook a server's, whatever it says.
    #[must_use]
    pub fn trust(&self) -> Trust {
        self.trust.unwrap_or_default()
    }

    /// What it says of its forms.
    #[must_use]
    pub fn form(&self) -> Form {
        let rules = FormRules {
            event: self.form_event.clone(),
            fields: self.form_fields.clone(),
            required: self.form_required.clone(),
            honeypot: self.form_honeypot.clone(),
        };
        let issuer = Issuer::parse(&self.form_captcha);
        let captcha =
            issuer.map(|issuer| Captcha::new(issuer, &self.form_captcha_secret, &self.form_captcha_url));
        let texts = Texts::new(&self.form_texts);
        Form { rules, redirects: self.form_redirects.clone(), texts, captcha }
    }

    /// Which keys are different in `new`.
    #[must_use]
    pub fn changes(&self, new: &Self) -> Vec<&'static str> {
        let several = |keys: &[SecretString]| -> Vec<String> {
            keys.iter().map(|key| key.expose_secret().to_owned()).collect()
        };
        // Taken apart in full: a new key can't be forgotten here. What was read from a file stands in the key itself.
        let Self {
            enabled,
            write_key,
            write_key_file: _,
            write_keys,
            write_keys_file: _,
            allowed_origins,
            keep_query,
            people,
            default_country,
            consent_unknown,
            new_contacts_per_hour_max,
            events_per_minute_max,
            withdrawals_per_hour_max,
            trust,
            form,
            form_event,
            form_fields,
            form_redirects,
            form_required,
            form_honeypot,
            form_captcha,
            form_captcha_secret,
            form_captcha_secret_file: _,
            form_captcha_url,
            form_texts,
            mode,
            identify,
            set,
        } = self;
        let captcha_secret = new.form_captcha_secret.expose_secret();
        let compared = [
            ("enabled", *enabled == new.enabled),
            ("write_key", write_key.expose_secret() == new.write_key.expose_secret()),
            ("write_keys", several(write_keys) == several(&new.write_keys)),
            ("allowed_origins", *allowed_origins == new.allowed_origins),
            ("keep_query", *keep_query == new.keep_query),
            ("people", *people == new.people),
            ("default_country", *default_country == new.default_country),
            ("consent_unknown", *consent_unknown == new.consent_unknown),
            ("new_contacts_per_hour_max", *new_contacts_per_hour_max == new.new_contacts_per_hour_max),
            ("events_per_minute_max", *events_per_minute_max == new.events_per_minute_max),
            ("withdrawals_per_hour_max", *withdrawals_per_hour_max == new.withdrawals_per_hour_max),
            ("trust", *trust == new.trust),
            ("form", *form == new.form),
            ("form_event", *form_event == new.form_event),
            ("form_fields", *form_fields == new.form_fields),
            ("form_redirects", *form_redirects == new.form_redirects),
            ("form_required", *form_required == new.form_required),
            ("form_honeypot", *form_honeypot == new.form_honeypot),
            ("form_captcha", *form_captcha == new.form_captcha),
            ("form_captcha_secret", form_captcha_secret.expose_secret() == captcha_secret),
            ("form_captcha_url", *form_captcha_url == new.form_captcha_url),
            ("form_texts", *form_texts == new.form_texts),
            ("identify", *identify == new.identify),
            ("set", *set == new.set),
            ("mode", *mode == new.mode),
        ];
        compared.into_iter().filter(|(_, same)| !same).map(|(key, _)| key).collect()
    }

    fn problems(&self, name: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        let key = |field: &str| format!("sources.{name}.{field}");
        if !is_name(name) {
            problems.push(Problem::new(format!("sources.{name}"), name, NAME_EXPECTED));
        }
        if !is_name(&self.people) {
            problems.push(Problem::new(key("people"), &self.people, NAME_EXPECTED));
        }
        if !self.default_country.is_empty() && Region::from_text(&self.default_country).is_none() {
            let expected = "a country: two or three letters or its English name";
            problems.push(Problem::new(key("default_country"), &self.default_country, expected));
        }
        if !self.identify.is_empty() && IdentifyMode::parse(&self.identify).is_none() {
            problems.push(Problem::new(key("identify"), &self.identify, "empty, update, create or off"));
        }
        for (path, value) in &self.set {
            if let Some(expected) = constant_problem(path, value) {
                problems.push(Problem::new(key(&format!("set.{path:?}")), value, expected));
            }
        }
        if self.keys().any(|key| !is_write_key(key.expose_secret())) {
            let expected = "up to 256 visible ASCII characters, none of them a colon";
            problems.push(Problem::new(key("write_key"), REDACTED, expected));
        }
        for origin in &self.allowed_origins {
            if AllowedOrigin::parse(origin).is_none() {
                let expected = "*, an origin like https://example.com (no path), or https://*.example.com";
                problems.push(Problem::new(key("allowed_origins"), origin, expected));
            }
        }
        problems.extend(self.form_problems(name));
        problems
    }

    fn form_problems(&self, name: &str) -> Vec<Problem> {
        let key = |field: &str| format!("sources.{name}.{field}");
        let mut problems = Vec::new();
        if self.form_event.trim().is_empty() {
            problems.push(Problem::new(key("form_event"), "", "the name of an event, like Lead Generated"));
        }
        let is_path = |path: &str| {
            let (first, rest) = path.split_once('.').unwrap_or((path, ""));
            matches!(first, "traits" | "properties" | "context")
                && rest.split('.').all(|name| !name.is_empty())
        };
        for (field, path) in self.form_fields.iter().filter(|(_, path)| !is_path(path)) {
            let expected = "a path below traits, properties or context, like traits.email";
            problems.push(Problem::new(key(&format!("form_fields.{field}")), path, expected));
        }
        for page in self.form_redirects.iter().filter(|page| !is_web_address(page)) {
            let expected = "an address like https://example.com/thanks";
            problems.push(Problem::new(key("form_redirects"), page, expected));
        }
        problems.extend(self.captcha_problems(name));
        let honeypot = &self.form_honeypot;
        let is_asked_for = self.form_required.iter().any(|field| field.eq_ignore_ascii_case(honeypot));
        if honeypot.trim().is_empty() || usual_path(honeypot).is_some() || is_asked_for {
            let expected = "the name of a field that no person fills, like _gotcha";
            problems.push(Problem::new(key("form_honeypot"), honeypot, expected));
        }
        for text in self.form_texts.keys().filter(|text| !Texts::knows(text)) {
            problems.push(Problem::new(key("form_texts"), text, format!("one of {}", Texts::names())));
        }
        problems
    }

    fn captcha_problems(&self, name: &str) -> Vec<Problem> {
        let key = |field: &str| format!("sources.{name}.{field}");
        let mut problems = Vec::new();
        if !self.form_captcha.is_empty() && Issuer::parse(&self.form_captcha).is_none() {
            let expected = "empty, turnstile or hcaptcha";
            problems.push(Problem::new(key("form_captcha"), &self.form_captcha, expected));
        }
        if self.form_captcha.is_empty() != self.form_captcha_secret.expose_secret().is_empty() {
            let expected = "the secret of the captcha that form_captcha names; both or neither";
            problems.push(Problem::new(key("form_captcha_secret"), REDACTED, expected));
        }
        if !self.form_captcha_url.is_empty() && !is_web_address(&self.form_captcha_url) {
            let expected = "empty, or an address like https://verifier.example.com/siteverify";
            problems.push(Problem::new(key("form_captcha_url"), &self.form_captcha_url, expected));
        }
        problems
    }
}

/// Everything that is wrong with the sources.
#[must_use]
pub fn source_problems(sources: &Sources) -> Vec<Problem> {
    let mut problems: Vec<_> = sources.iter().flat_map(|(name, source)| source.problems(name)).collect();
    let mut owners = BTreeMap::new();
    for (name, source) in sources {
        for key in source.keys() {
            let owner = *owners.entry(key.expose_secret()).or_insert(name);
            if owner != name {
                let expected = format!("another key than that of sources.{owner}");
                problems.push(Problem::new(format!("sources.{name}.write_key"), REDACTED, expected));
            }
        }
    }
    problems
}

/// The name of a source or of a name space of people.
pub(super) fn is_name(name: &str) -> bool {
    let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    (1..=NAME_CHARS_MAX).contains(&name.len()) && name.bytes().all(fits)
}

/// A colon would end the key in `Authorization: Basic`.
fn is_write_key(key: &str) -> bool {
    key.len() <= WRITE_KEY_CHARS_MAX && key.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':')
}

/// Whether routes can be put under this prefix.
pub(super) fn is_path_prefix(prefix: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let segment =
        |segment: &str| !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(fits);
    prefix.is_empty() || prefix.strip_prefix('/').is_some_and(|path| path.split('/').all(segment))
}

fn is_web_address(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    let web = matches!(uri.scheme_str(), Some("http" | "https"));
    let clean = !text.contains(['#', '?', '@', '"', '\'', '<', '>']);
    web && clean && uri.host().is_some_and(|host| !host.is_empty())
}
