//! The `[alerts]` section: who is told when something is wrong, and everything that can be wrong with it.
//!
//! Reads no file; whoever loads the configuration has put the text of a `…_file` into its key. An address of a receiver is a
//! secret: who knows it can write there.

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::config_problem::{Problem, REDACTED};
use crate::webhook::{AddressProblem, Reach, receiver_at, signing_key};

/// The form of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A text for an incoming webhook of Slack, and of those that take its form.
    #[default]
    Slack,
    /// A card for a workflow of Teams.
    Teams,
    /// A signed message for a program, as Standard Webhooks says.
    Json,
}

impl Format {
    /// The word in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Teams => "teams",
            Self::Json => "json",
        }
    }
}

/// The `[alerts]` section.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where messages are posted; empty: nobody is told.
    pub url: SecretString,
    /// A file that holds it; empty: there is none.
    pub url_file: String,
    /// The form of a message.
    pub format: Format,
    /// What messages of the form `json` are signed with.
    pub secret: SecretString,
    /// A file that holds it; empty: there is none.
    pub secret_file: String,
    /// What is asked each minute while all is well; empty: nothing is.
    pub heartbeat_url: SecretString,
    /// A file that holds it; empty: there is none.
    pub heartbeat_url_file: String,
    /// Whether receivers may be in a private network or on this machine.
    pub allow_private: bool,
    /// The address of the private listener for people, linked in messages; empty: none is.
    pub debugger_url: String,
}

impl Default for Config {
    fn default() -> Self {
        let nothing = || SecretString::from(String::new());
        Self {
            url: nothing(),
            url_file: String::new(),
            format: Format::default(),
            secret: nothing(),
            secret_file: String::new(),
            heartbeat_url: nothing(),
            heartbeat_url_file: String::new(),
            allow_private: false,
            debugger_url: String::new(),
        }
    }
}

impl Config {
    /// Where messages are posted, and which addresses the name may stand for; none without an address.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn receiver(&self) -> Result<Option<(Url, Reach)>, AddressProblem> {
        self.address(&self.url)
    }

    /// The same of what is asked each minute.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn heartbeat(&self) -> Result<Option<(Url, Reach)>, AddressProblem> {
        self.address(&self.heartbeat_url)
    }

    fn address(&self, text: &SecretString) -> Result<Option<(Url, Reach)>, AddressProblem> {
        receiver_at(text.expose_secret(), self.allow_private)
    }

    /// The bytes that messages are signed with; none where the secret is none.
    #[must_use]
    pub fn signing_key(&self) -> Option<Vec<u8>> {
        signing_key(self.secret.expose_secret())
    }

    /// The page that messages link; none without one.
    #[must_use]
    pub fn debugger(&self) -> Option<String> {
        let base = self.debugger_url.trim().trim_end_matches('/');
        let base = base.strip_suffix("/debug").unwrap_or(base);
        (!base.is_empty()).then(|| format!("{base}/debug"))
    }

    /// Whether another one says the same; of files what was read counts.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.compared() == other.compared()
    }

    /// Everything but the names of files, with its secrets: to compare, never to show.
    #[must_use]
    pub fn compared(&self) -> [String; 6] {
        // Taken apart in full: a new key can't be forgotten here.
        let Self {
            url,
            url_file: _,
            format,
            secret,
            secret_file: _,
            heartbeat_url,
            heartbeat_url_file: _,
            allow_private,
            debugger_url,
        } = self;
        [
            url.expose_secret().to_owned(),
            format.as_str().to_owned(),
            secret.expose_secret().to_owned(),
            heartbeat_url.expose_secret().to_owned(),
            allow_private.to_string(),
            debugger_url.clone(),
        ]
    }

    /// Everything that is wrong with the section.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let addresses = [("alerts.url", self.receiver()), ("alerts.heartbeat_url", self.heartbeat())];
        for (key, address) in addresses {
            if let Err(problem) = address {
                problems.push(Problem::new(key, REDACTED, problem.to_string()));
            }
        }
        let told = !self.url.expose_secret().trim().is_empty();
        let signs = told && self.format == Format::Json;
        let secret = self.secret.expose_secret().trim();
        if (signs || !secret.is_empty()) && self.signing_key().is_none() {
            let expected = "whsec_ and the base64 of 24 to 64 bytes, which messages of the format json are signed with \
                            (printf whsec_; openssl rand -base64 32)";
            let value = if secret.is_empty() { "" } else { REDACTED };
            problems.push(Problem::new("alerts.secret", value, expected));
        }
        let page = self.debugger_url.trim();
        let is_page = Url::parse(page).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.query().is_none()
                && url.fragment().is_none()
                && url.username().is_empty()
        });
        let breaks_text = |c: char| c.is_whitespace() || "<>|\"()[]".contains(c);
        if !page.is_empty() && (!is_page || page.contains(breaks_text)) {
            let expected = "empty, or an address like https://freshsignal.internal:8081";
            problems.push(Problem::new("alerts.debugger_url", page, expected));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(url: &str, allow_private: bool) -> Config {
        Config { url: SecretString::from(url), allow_private, ..Config::default() }
    }

    #[test]
    fn addresses_are_https_in_the_internet_unless_private_ones_are_allowed() {
        use AddressProblem::{NotAnAddress, PlainHttp, Private};
        for (url, refused, allowed) in [
            ("https://hooks.slack.com/services/T0/B0/x", None, None),
            ("https://203.0.113.9.example/x", None, None),
            ("https://10.0.0.1/x", Some(Private), None),
            ("https://[::1]:8443/x", Some(Private), None),
            ("https://[::ffff:192.168.0.1]/x", Some(Private), None),
            ("https://0x7f.1/x", Some(Private), None),
            ("http://hooks.slack.com/x", Some(PlainHttp), Some(PlainHttp)),
            ("http://10.0.0.1/x", Some(PlainHttp), Some(PlainHttp)),
            ("http://127.0.0.1:9000/x", Some(PlainHttp), None),
            ("http://localhost:9000/x", Some(PlainHttp), None),
            ("http://localhost.example/x", Some(PlainHttp), Some(PlainHttp)),
            ("https://user:pass@hooks.example.com/x", Some(NotAnAddress), Some(NotAnAddress)),
            ("https://hooks.example.com/x#y", Some(NotAnAddress), Some(NotAnAddress)),
            ("file:///etc/passwd", Some(NotAnAddress), Some(NotAnAddress)),
            ("hooks.slack.com", Some(NotAnAddress), Some(NotAnAddress)),
        ] {
            assert_eq!(with(url, false).receiver().err(), refused, "{url}");
            assert_eq!(with(url, true).receiver().err(), allowed, "{url} allowed");
        }
        assert_eq!(Config::default().receiver(), Ok(None));
    }

    #[test]
    fn an_address_is_never_repeated() {
        let config = with("http://hooks.example.com/services/very-secret", false);
        let problems: String = config.problems().iter().map(ToString::to_string).collect();
        assert!(problems.starts_with("alerts.url = \"(redacted)\": https;"), "{problems}");
        assert!(!problems.contains("secret") && !format!("{config:?}").contains("very-secret"));
    }

    #[test]
    fn messages_for_programs_need_a_secret_of_standard_webhooks() {
        let keys = |secret: &str| {
            let secret = SecretString::from(secret);
            let config = Config { format: Format::Json, secret, ..with("https://hooks.example.com/", false) };
            config.problems().into_iter().map(|problem| problem.key).collect::<Vec<_>>()
        };
        assert_eq!(keys(""), ["alerts.secret"]);
        assert_eq!(keys("whsec_short"), ["alerts.secret"]);
        assert_eq!(keys("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), ["alerts.secret"]);
        assert_eq!(keys("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), Vec::<String>::new());
    }

    #[test]
    fn the_page_is_linked_however_its_address_ends() {
        for url in ["https://f.internal:8081", "https://f.internal:8081/", "https://f.internal:8081/debug"] {
            let config = Config { debugger_url: url.to_owned(), ..Config::default() };
            assert_eq!(config.problems(), []);
            assert_eq!(config.debugger().as_deref(), Some("https://f.internal:8081/debug"));
        }
        for url in ["f.internal", "https://f.internal/?a=b", "https://f.internal/<|>", "javascript:alert(1)"]
        {
            let config = Config { debugger_url: url.to_owned(), ..Config::default() };
            assert_eq!(config.problems().len(), 1, "{url}");
        }
    }
}
