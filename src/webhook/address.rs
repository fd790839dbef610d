//! Which addresses a receiver may have. A name is looked up once for each connection, and the connection goes to an address
//! that was checked: what the name stands for a moment later changes nothing.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Why an address can't be used. None of these repeats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressProblem {
    /// It is no address.
    #[error("an address like https://hooks.example.com/…, without user name and fragment")]
    NotAnAddress,
    /// Everybody on the way could read and write.
    #[error("https; http is for this machine alone, with allow_private = true")]
    PlainHttp,
    /// It names a private address.
    #[error("an address in the internet, or allow_private = true for one in a private network")]
    Private,
}

/// Reads the address of a receiver, and which addresses its name may stand for; none without a text.
///
/// # Errors
/// What is wrong with it.
pub fn receiver_at(text: &str, allow_private: bool) -> Result<Option<(Url, Reach)>, AddressProblem> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let url = Url::parse(text).map_err(|_| AddressProblem::NotAnAddress)?;
    let clean = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let host = url.host_str().filter(|host| !host.is_empty() && clean);
    let host = host.ok_or(AddressProblem::NotAnAddress)?;
    let reach = match url.scheme() {
        "https" if allow_private => Reach::Anywhere,
        "https" => Reach::Internet,
        "http" if allow_private => Reach::ThisMachine,
        "http" => return Err(AddressProblem::PlainHttp),
        _ => return Err(AddressProblem::NotAnAddress),
    };
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
    let named = || reach == Reach::ThisMachine && host != "localhost";
    match literal {
        Some(address) if !reach.holds(address) && reach == Reach::ThisMachine => {
            Err(AddressProblem::PlainHttp)
        }
        Some(address) if !reach.holds(address) => Err(AddressProblem::Private),
        None if named() => Err(AddressProblem::PlainHttp),
        Some(_) | None => Ok(Some((url, reach))),
    }
}

/// Where a receiver may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// At a public address.
    Internet,
    /// Also in a private network, or on this machine.
    Anywhere,
    /// On this machine: what is sent in the clear must not leave it.
    ThisMachine,
}

impl Reach {
    /// Whether it may have this address.
    #[must_use]
    pub fn holds(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        match self {
            Self::Internet => is_public(address),
            Self::Anywhere => !address.is_unspecified() && !address.is_multicast(),
            Self::ThisMachine => address.is_loopback(),
        }
    }
}

/// A name stands for addresses alone that a receiver may not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotReached;

impl fmt::Display for NotReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name stands for an address that is not allowed")
    }
}

impl std::error::Error for NotReached {}

impl Resolve for Reach {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = *self;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|address| reach.holds(address.ip())).collect();
            if allowed.is_empty() {
                return Err(NotReached.into());
            }
            let addresses: Addrs = Box::new(allowed.into_iter());
            Ok(addresses)
        })
    }
}

/// Whether an address is one of the internet's own: not of this machine, a private network, a link, documentation, a group,
/// nor one that leads to such an address by translation.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Networks that are not public, by their first bits (the special-purpose registry of IANA).
const SPECIAL_V4: [(Ipv4Addr, u32); 15] = [
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    let holds =
        |(network, bits): &(Ipv4Addr, u32)| (network.to_bits() ^ address.to_bits()) >> (32 - bits) == 0;
    !SPECIAL_V4.iter().any(holds)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let bits = address.to_bits();
    let top = |count: u32| bits >> (128 - count);
    let v4 = |shift: u32| Ipv4Addr::from_bits(u32::try_from((bits >> shift) & 0xffff_ffff).unwrap_or(0));
    // NAT64 and 6to4 hold an address of the other family.
    if top(96) == 0x0064_ff9b_0000_0000_0000_0000 {
        return is_public_v4(v4(0));
    }
    if top(16) == 0x2002 {
        return is_public_v4(v4(80));
    }
    // Only 2000::/3 is in use; of it Teredo, documentation, benchmarks and other registries of protocols are not public.
    top(3) == 0b001 && top(23) != 0x2001_0000 >> 9 && top(32) != 0x2001_0db8 && top(20) != 0x3fff0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_of_every_kind_are_not_public() {
        for (address, public) in [
            ("8.8.8.8", true),
            ("100.63.255.255", true),
            ("100.64.0.1", false),
            ("127.0.0.1", false),
            ("127.255.255.254", false),
            ("0.0.0.0", false),
            ("10.1.2.3", false),
            ("169.254.169.254", false),
            ("172.15.255.255", true),
            ("172.31.0.1", false),
            ("172.32.0.1", true),
            ("192.168.1.1", false),
            ("198.19.0.1", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("2606:4700::1111", true),
            ("2001:4860:4860::8888", true),
            ("::1", false),
            ("::", false),
            ("fe80::1", false),
            ("fc00::1", false),
            ("fd12::1", false),
            ("fec0::1", false),
            ("ff02::1", false),
            ("2001:db8::1", false),
            ("2001::1", false),
            ("::ffff:10.0.0.1", false),
            ("::ffff:8.8.8.8", true),
            ("::7f00:1", false),
            ("64:ff9b::a00:1", false),
            ("64:ff9b::808:808", true),
            ("2002:a00:1::", false),
            ("2002:808:808::", true),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(Reach::Internet.holds(address), public, "{address}");
        }
    }

    #[test]
    fn in_the_clear_nothing_leaves_this_machine() {
        assert!(Reach::ThisMachine.holds("127.0.0.1".parse().unwrap()));
        assert!(Reach::ThisMachine.holds("::1".parse().unwrap()));
        assert!(!Reach::ThisMachine.holds("10.0.0.1".parse().unwrap()));
        assert!(Reach::Anywhere.holds("10.0.0.1".parse().unwrap()));
        assert!(!Reach::Anywhere.holds("0.0.0.0".parse().unwrap()));
    }

    #[tokio::test]
    async fn a_name_that_stands_for_this_machine_is_no_name_of_the_internet() {
        let refused = Reach::Internet.resolve("localhost".parse().unwrap()).await.err().unwrap();
        assert!(refused.is::<NotReached>(), "{refused}");
        let mut found = Reach::ThisMachine.resolve("localhost".parse().unwrap()).await.unwrap();
        assert!(found.next().unwrap().ip().is_loopback());
    }
}
