//! How calls travel: authorities that are trusted beside the usual ones, and a proxy. Neither takes anything from TLS: the
//! account's certificate is verified end to end, through the proxy too.
//!
//! Must not show the name and the password of the proxy.

use std::fmt;

use reqwest::Url;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// What calls travel by.
#[derive(Clone, Default)]
pub struct Transport {
    roots: Vec<CertificateDer<'static>>,
    proxy: Option<Url>,
}

/// Why there is no such way. None of these repeats the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportProblem {
    /// There is no certificate that can be used.
    #[error("certificates of authorities in PEM, each between BEGIN CERTIFICATE and END CERTIFICATE")]
    NoCertificates,
    /// It is no address of a proxy.
    #[error(
        "the address of a proxy, such as http://proxy.example:3128 or http://name:password@proxy.example:3128"
    )]
    NoProxy,
}

impl TransportProblem {
    /// The key of `[freshsales]` that it is about.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::NoCertificates => "ca_file",
            Self::NoProxy => "proxy",
        }
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("roots", &self.roots.len())
            .field("proxy", &self.proxy_shown())
            .finish()
    }
}

impl Transport {
    /// Reads certificates and the address of a proxy; each may be empty.
    ///
    /// # Errors
    /// What is neither empty nor one.
    pub fn new(certificates: &str, proxy: &str) -> Result<Self, TransportProblem> {
        let proxy = proxy.trim();
        Ok(Self {
            roots: if certificates.is_empty() { Vec::new() } else { roots_in(certificates)? },
            proxy: if proxy.is_empty() { None } else { Some(proxy_at(proxy)?) },
        })
    }

    /// The authorities beside the usual ones.
    #[must_use]
    pub fn roots(&self) -> &[CertificateDer<'static>] {
        &self.roots
    }

    /// Scheme, host and port of the proxy, without name and password.
    #[must_use]
    pub fn proxy_shown(&self) -> Option<String> {
        let proxy = self.proxy.as_ref()?;
        let port = proxy.port_or_known_default()?;
        Some(format!("{}://{}:{port}", proxy.scheme(), proxy.host_str()?))
    }

    /// The proxy as the HTTP client takes it.
    pub(super) fn proxy(&self) -> Result<Option<reqwest::Proxy>, reqwest::Error> {
        let proxy = self.proxy.as_ref().map(|proxy| reqwest::Proxy::all(proxy.clone()));
        proxy.transpose().map_err(reqwest::Error::without_url)
    }
}

fn roots_in(certificates: &str) -> Result<Vec<CertificateDer<'static>>, TransportProblem> {
    let read = CertificateDer::pem_slice_iter(certificates.as_bytes()).collect::<Result<Vec<_>, _>>();
    let read = read.map_err(|_| TransportProblem::NoCertificates)?;
    let mut store = rustls::RootCertStore::empty();
    let usable = read.iter().all(|root| store.add(root.clone()).is_ok());
    if usable && !read.is_empty() { Ok(read) } else { Err(TransportProblem::NoCertificates) }
}

fn proxy_at(text: &str) -> Result<Url, TransportProblem> {
    let url = Url::parse(text).map_err(|_| TransportProblem::NoProxy)?;
    let plain = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    let known =
        matches!(url.scheme(), "http" | "https") && url.host_str().is_some_and(|host| !host.is_empty());
    if plain && known { Ok(url) } else { Err(TransportProblem::NoProxy) }
}
