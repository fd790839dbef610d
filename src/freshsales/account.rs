//! The account: from what a user pasted as its alias to the one origin that calls go to.
//!
//! An alias may never choose another host, port, path or user-info: it is one DNS label or it is refused. Must
//! not know what is sent there.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;
use serde::Deserialize;

use crate::delivery::{Account, CallKind};

const SUITE_SUFFIX: &str = ".myfreshworks.com";
/// What a user may paste in place of the suite's own host.
const LOGIN_SUFFIX: &str = ".freshworks.com";
const CLASSIC_SUFFIX: &str = ".freshsales.io";
/// Paths of the web application that a pasted address may end with; they choose nothing.
const PASTED_PATHS: [&str; 5] = ["", "/crm", "/crm/", "/crm/sales", "/crm/sales/"];
/// Where what the user pastes of a Classic account may go on; it chooses nothing.
const CLASSIC_PAGES: [&str; 5] = ["contacts", "accounts", "deals", "leads", "settings"];
/// RFC 1035: a label has at most this many bytes.
const LABEL_BYTES_MAX: usize = 63;
const UPSERT: &str = "contacts/upsert";

/// Why there is no address to call. None of these repeats what was configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountProblem {
    /// No alias.
    #[error(
        "the bundle alias: `acme` where Freshsales is opened at https://acme.myfreshworks.com/crm/sales/"
    )]
    AliasMissing,
    /// An account of the older product, while one of the suite is configured.
    #[error(
        "a Freshsales Suite alias: this is the address of a Classic account (freshsales.io); set freshsales.kind = \
         \"classic\" if Freshsales is opened there, or the alias of https://acme.myfreshworks.com/crm/sales/"
    )]
    ClassicAccount,
    /// An account of the suite, while a Classic one is configured.
    #[error(
        "the alias of a Classic account: this is the address of a Freshsales Suite account (myfreshworks.com); set \
         freshsales.kind = \"suite\" if Freshsales is opened there, or the alias of https://acme.freshsales.io"
    )]
    SuiteAccount,
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
            Self::AliasMissing | Self::ClassicAccount | Self::SuiteAccount | Self::NotAnAlias => {
                "freshsales.bundle_alias"
            }
            Self::NotAnOrigin | Self::MoreThanAnOrigin | Self::PlainHttp => "freshsales.base_url",
        }
    }
}

/// The name of an account: one DNS label in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleAlias(String);

/// Which product an account is of: they have other addresses, and the shapes of contacts, companies, deals and notes in common
/// (developer.freshsales.io and developers.freshworks.com).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountKind {
    /// Freshsales Suite, at `acme.myfreshworks.com/crm/sales`.
    #[default]
    Suite,
    /// Freshsales Classic, the older product, at `acme.freshsales.io`.
    Classic,
}

impl AccountKind {
    fn suffix(self) -> &'static str {
        match self {
            Self::Suite => SUITE_SUFFIX,
            Self::Classic => CLASSIC_SUFFIX,
        }
    }

    /// What the path of every call begins with.
    fn api(self) -> &'static str {
        match self {
            Self::Suite => "/crm/sales/api/",
            Self::Classic => "/api/",
        }
    }
}

impl BundleAlias {
    /// Reads `acme`; of a Suite account `acme.myfreshworks.com`, `https://acme.myfreshworks.com/crm/sales/`,
    /// `acme.freshworks.com`; of a Classic one `acme.freshsales.io`, `https://acme.freshsales.io/contacts`.
    ///
    /// # Errors
    /// Everything else; an account of the other kind by its name.
    pub fn parse(pasted: &str, kind: AccountKind) -> Result<Self, AccountProblem> {
        let text = pasted.trim_matches([' ', '\t', '\r', '\n']).to_ascii_lowercase();
        if text.is_empty() {
            return Err(AccountProblem::AliasMissing);
        }
        let address = text.strip_prefix("https://");
        let (host, path) = split_path(address.unwrap_or(&text));
        let classic = host.strip_suffix(CLASSIC_SUFFIX);
        let suite = host.strip_suffix(SUITE_SUFFIX).or_else(|| host.strip_suffix(LOGIN_SUFFIX));
        let (named, other, problem) = match kind {
            AccountKind::Suite => (suite, classic, AccountProblem::ClassicAccount),
            AccountKind::Classic => (classic, suite, AccountProblem::SuiteAccount),
        };
        if other.is_some_and(is_label) {
            return Err(problem);
        }
        let label = match named {
            Some(label) if may_end(path, kind) => label,
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

/// Whether an address that somebody pasted may go on like this.
fn may_end(path: &str, kind: AccountKind) -> bool {
    match kind {
        AccountKind::Suite => path == "/" || PASTED_PATHS.contains(&path),
        AccountKind::Classic => {
            let page = path.trim_matches('/');
            page.is_empty() && path.len() < 2 || CLASSIC_PAGES.contains(&page) && path.len() <= page.len() + 2
        }
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
    kind: AccountKind,
    upsert_url: Url,
    named_alias: Option<BundleAlias>,
    /// Whether people may be leads there, so that whoever is looked up is looked for among them too.
    leads: bool,
}

impl Endpoint {
    /// The address of the account with this alias, at another origin where a base URL is given.
    ///
    /// # Errors
    /// An alias or a base URL that is refused.
    pub fn new(kind: AccountKind, bundle_alias: &str, base_url: &str) -> Result<Self, AccountProblem> {
        let alias = BundleAlias::parse(bundle_alias, kind)?;
        match origin(base_url)? {
            Some(origin) => Self::at_origin(kind, &origin, alias),
            None => Self::of_account(kind, &alias),
        }
    }

    fn of_account(kind: AccountKind, alias: &BundleAlias) -> Result<Self, AccountProblem> {
        let host = format!("{alias}{}", kind.suffix());
        let address = format!("https://{host}{}{UPSERT}", kind.api());
        let url = Url::parse(&address).map_err(|_| AccountProblem::NotAnAlias)?;
        // The label was checked; this holds should the parser ever read it otherwise than we do.
        if url.host_str() != Some(host.as_str()) {
            return Err(AccountProblem::NotAnAlias);
        }
        Ok(Self { account: Account(host), kind, upsert_url: url, named_alias: None, leads: false })
    }

    /// Two aliases behind one origin (a sandbox) are two accounts, so the alias is part of the account's name.
    fn at_origin(kind: AccountKind, origin: &Url, alias: BundleAlias) -> Result<Self, AccountProblem> {
        let host = origin.host_str().ok_or(AccountProblem::NotAnOrigin)?;
        let port = origin.port_or_known_default().ok_or(AccountProblem::NotAnOrigin)?;
        Ok(Self {
            account: Account(format!("{host}:{port}/{alias}")),
            kind,
            upsert_url: origin
                .join(&format!("{}{UPSERT}", kind.api()))
                .map_err(|_| AccountProblem::NotAnOrigin)?,
            named_alias: Some(alias),
            leads: false,
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

    /// The same, whose people may be leads.
    #[must_use]
    pub fn with_leads(self, leads: bool) -> Self {
        Self { leads, ..self }
    }

    /// Whether its people may be leads.
    pub(super) fn has_leads(&self) -> bool {
        self.leads
    }

    /// Which product the account is of.
    pub(super) fn kind(&self) -> AccountKind {
        self.kind
    }

    /// The full address of another call, by its path below the root of the API.
    pub(super) fn url(&self, path: &str) -> Url {
        let mut url = self.upsert_url.clone();
        url.set_path(&format!("{}{path}", self.kind.api()));
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
    let of = |kind: AccountKind| host.strip_suffix(kind.suffix()).is_some_and(is_label);
    let pages = match (of(AccountKind::Suite), of(AccountKind::Classic)) {
        (true, _) => "/crm/sales",
        (false, true) => "",
        (false, false) => return None,
    };
    let records = match kind {
        CallKind::Contact => "contacts",
        CallKind::Company => "accounts",
        CallKind::Deal => "deals",
        // Seen with what they hang on.
        CallKind::Note | CallKind::Activity | CallKind::Task | CallKind::List | CallKind::Selector => {
            return None;
        }
    };
    Some(format!("https://{host}{pages}/{records}/{id}"))
}

/// Where a lead is seen in the web application of an account of the older product; `None` behind another origin.
#[must_use]
pub fn lead_in_browser(account: &Account, id: u64) -> Option<String> {
    let host = account.0.as_str();
    host.strip_suffix(CLASSIC_SUFFIX).is_some_and(is_label).then(|| format!("https://{host}/leads/{id}"))
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
