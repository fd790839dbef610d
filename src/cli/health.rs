//! `freshsignal health` and `freshsignal token`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Failure, Outcome, load, runtime, say};
use crate::app::stored_token;
use crate::config::Config;

const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks `/readyz` of the private listener on this machine.
pub(super) fn run(file: Option<&Path>) -> Outcome {
    let config = load(file)?.config;
    let address =
        config.admin.address().ok_or_else(|| Failure::Usage(anyhow!("admin.listen is no address")))?;
    let status = runtime()?.block_on(async {
        #[expect(clippy::disallowed_methods, reason = "a real listener is asked, so a real deadline")]
        let asked = tokio::time::timeout(TIMEOUT, readiness(on_this_machine(address))).await;
        asked.context("no answer in time")?
    });
    match status.map_err(Failure::Running)? {
        200 => Ok(()),
        status => Err(Failure::Running(anyhow!("not ready: {address} answers {status}"))),
    }
}

/// A listener on all addresses is asked on loopback.
pub(super) fn on_this_machine(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

async fn readiness(address: SocketAddr) -> anyhow::Result<u16> {
    let mut stream =
        TcpStream::connect(address).await.with_context(|| format!("nobody listens on {address}"))?;
    let request = format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).await?;
    let status = std::str::from_utf8(&head).ok().and_then(|line| line.strip_prefix("HTTP/1.1 "));
    status.and_then(|status| status.parse().ok()).context("the answer is not HTTP")
}

/// The token of the private listener, where there is one.
pub(super) fn token_of(config: &Config) -> Result<Option<SecretString>, Failure> {
    match config.admin.token() {
        Some(token) => Ok(Some(token)),
        None => stored_token(&config.store.path).map_err(Failure::running),
    }
}

/// Prints the token of the private listener.
pub(super) fn token(file: Option<&Path>) -> Outcome {
    let config = load(file)?.config;
    let token = token_of(&config)?;
    let token = token.ok_or_else(|| {
        Failure::Running(anyhow!(
            "no token was made yet: the service makes one at its first start off loopback"
        ))
    })?;
    say(token.expose_secret())
}
