//! The account: from what a user pasted as its alias to the one origin that calls go to.
//!
//! An alias may never choose another host, port, path or user-info: it is one DNS label or it is refused. Must
//! not know what is sent there.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

use crate::delivery::{Account, CallKind};

const SUITE_SUFFIX: &str = ".myfreshworks.com";
/// What a user may paste in place of the suite's own host.
const LOGIN_SUFFIX: &str = ".freshworks.com";
const CLASSIC_SUFFIX: &str = ".freshsales.io";
/// Paths of the web application that a pasted address may end with; they choose nothing.
const PASTED_PATHS: [&str; 5] = ["", "/crm", "/crm/", "/crm/sales", "/crm/sales/"];
const UPSERT_PATH: &str = "/crm/sales/api/contacts/upsert";
/// RFC 1035: a label has at most this many bytes.
const LABEL_BYTES_MAX: usize = 63;

/// Why there is no address to call. None of these repeats what was configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountProblem {
    /// No alias.
    #[error(
        "the bundle alias: `acme` where Freshsales is opened at https://acme.myfreshworks.com/crm/sales/"
    )]
    AliasMissing,
    /// An account of the older product.
    #[error(
        "a Freshsales Suite alias: this is a Classic account (freshsales.io), which is not supported yet; a Suite \
         account is opened at https://acme.myfreshworks.com/crm/sales/"
    )]
    ClassicAccount,
    /// Neither a label nor a host of Freshworks.
    #[error(
        "one name of letters, digits and hyphens, such as `acme` in https://acme.myfreshworks.com/crm/sales/"
    )]
    NotAnAlias,
    /// The base URL is none.
    #[error("an origin such as https://proxy.example.com or http://127.0.0.1:9090")]
    NotAnOrigin,
    /// The base URL says more than an origin.
    #[error("an origin alone, without user name, password, path, query or fragment")]
    MoreThanAnOrigin,
    /// Plain HTTP over a network would show the API key to everybody on the way.
    #[error("https, or http to this machine (127.0.0.1, [::1], localhost) only")]
    PlainHttp,
}

impl AccountProblem {
    /// The key of the configuration it is about.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::AliasMissing | Self::ClassicAccount | Self::NotAnAlias => "freshsales.bundle_alias",
            Self::NotAnOrigin | Self::MoreThanAnOrigin | Self::PlainHttp => "freshsales.base_url",
        }
    }
}

/// The name of an account: one DNS label in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleAlias(String);

impl BundleAlias {
    /// Reads `acme`, `acme.myfreshworks.com`, `https://acme.myfreshworks.com/crm/sales/`, `acme.freshworks.com`.
    ///
    /// # Errors
    /// Everything else; a Classic account by its name.
    pub fn parse(pasted: &str) -> Result<Self, AccountProblem> {
        let text = pasted.trim_matches([' ', '\t', '\r', '\n']).to_ascii_lowercase();
        if text.is_empty() {
            return Err(AccountProblem::AliasMissing);
        }
        let address = text.strip_prefix("https://");
        let (host, path) = split_path(address.unwrap_or(&text));
        if host.strip_suffix(CLASSIC_SUFFIX).is_some_and(is_label) {
            return Err(AccountProblem::ClassicAccount);
        }
        let suite = host.strip_suffix(SUITE_SUFFIX).or_else(|| host.strip_suffix(LOGIN_SUFFIX));
        let label = match suite {
            Some(label) if path == "/" || PASTED_PATHS.contains(&path) => label,
            // A bare label is one only when nothing stood around it.
            None if address.is_none() && path.is_empty() => host,
            Some(_) | None => return Err(AccountProblem::NotAnAlias),
        };
        if is_label(label) { Ok(Self(label.to_owned())) } else { Err(AccountProblem::NotAnAlias) }
    }

    /// The label.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BundleAlias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn split_path(address: &str) -> (&str, &str) {
    address.find('/').map_or((address, ""), |at| address.split_at(at))
}

/// One DNS label of ASCII letters, digits and inner hyphens. `xn--` names are refused: no account has one, and
/// they are what look-alikes are written with.
fn is_label(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=LABEL_BYTES_MAX).contains(&text.len())
        && text.bytes().all(plain)
        && !text.starts_with('-')
        && !text.ends_with('-')
        && !text.starts_with("xn--")
}

/// Where calls go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    account: Account,
    upsert_url: Url,
    named_alias: Option<BundleAlias>,
}

impl Endpoint {
    /// The address of the account with this alias, at another origin where a base URL is given.
    ///
    /// # Errors
    /// An alias or a base URL that is refused.
    pub fn new(bundle_alias: &str, base_url: &str) -> Result<Self, AccountProblem> {
        let alias = BundleAlias::parse(bundle_alias)?;
        match origin(base_url)? {
            Some(origin) => Self::at_origin(&origin, alias),
            None => Self::of_account(&alias),
        }
    }

    fn of_account(alias: &BundleAlias) -> Result<Self, AccountProblem> {
        let host = format!("{alias}{SUITE_SUFFIX}");
        let url =
            Url::parse(&format!("https://{host}{UPSERT_PATH}")).map_err(|_| AccountProblem::NotAnAlias)?;
        // The label was checked; this holds should the parser ever read it otherwise than we do.
        if url.host_str() != Some(host.as_str()) {
            return Err(AccountProblem::NotAnAlias);
        }
        Ok(Self { account: Account(host), upsert_url: url, named_alias: None })
    }

    /// Two aliases behind one origin (a sandbox) are two accounts, so the alias is part of the account's name.
    fn at_origin(origin: &Url, alias: BundleAlias) -> Result<Self, AccountProblem> {
        let host = origin.host_str().ok_or(AccountProblem::NotAnOrigin)?;
        let port = origin.port_or_known_default().ok_or(AccountProblem::NotAnOrigin)?;
        Ok(Self {
            account: Account(format!("{host}:{port}/{alias}")),
            upsert_url: origin.join(UPSERT_PATH).map_err(|_| AccountProblem::NotAnOrigin)?,
            named_alias: Some(alias),
        })
    }

    /// Whose contacts these are: the host; behind another origin host, port and alias.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// The full address of the upsert.
    #[must_use]
    pub fn upsert_url(&self) -> &Url {
        &self.upsert_url
    }

    /// The full address of another path of the same origin.
    pub(super) fn url(&self, path: &str) -> Url {
        let mut url = self.upsert_url.clone();
        url.set_path(path);
        url
    }

    /// The alias that `X-Bundle-Alias` has to name, because the host does not.
    #[must_use]
    pub fn named_alias(&self) -> Option<&BundleAlias> {
        self.named_alias.as_ref()
    }
}

/// Where a record is seen in the web application of an account; `None` behind another origin, such as a sandbox's.
#[must_use]
pub fn in_browser(account: &Account, kind: CallKind, id: u64) -> Option<String> {
    let host = account.0.as_str();
    let alias = host.strip_suffix(SUITE_SUFFIX).filter(|label| is_label(label))?;
    let records = match kind {
        CallKind::Contact => "contacts",
        CallKind::Company => "accounts",
        CallKind::Deal => "deals",
        // Seen with what they hang on.
        CallKind::Note | CallKind::Activity | CallKind::Task | CallKind::List | CallKind::Selector => {
            return None;
        }
    };
    Some(format!("https://{alias}{SUITE_SUFFIX}/crm/sales/{records}/{id}"))
}

/// Reads a base URL; none when it is empty.
///
/// # Errors
/// Anything that is more or less than an origin, and http to another machine.
pub(super) fn origin(configured: &str) -> Result<Option<Url>, AccountProblem> {
    let text = configured.trim_matches([' ', '\t', '\r', '\n']);
    if text.is_empty() {
        return Ok(None);
    }
    let (_, after_scheme) = text.split_once("://").ok_or(AccountProblem::NotAnOrigin)?;
    let authority = after_scheme.strip_suffix('/').unwrap_or(after_scheme);
    // Before the parser sees it: a parser drops tabs, turns backslashes and folds `/..` away.
    if authority.contains(['/', '\\', '?', '#', '@', '%']) {
        return Err(AccountProblem::MoreThanAnOrigin);
    }
    if authority.is_empty() || !authority.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(AccountProblem::NotAnOrigin);
    }
    let url = Url::parse(text).map_err(|_| AccountProblem::NotAnOrigin)?;
    match url.scheme() {
        "https" => Ok(Some(url)),
        "http" if is_loopback(&url) => Ok(Some(url)),
        "http" => Err(AccountProblem::PlainHttp),
        _ => Err(AccountProblem::NotAnOrigin),
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
