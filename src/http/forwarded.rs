//! What a trusted proxy says of a request: whose it is, and under which address it was asked for.
//!
//! Anybody can send these headers, so they count from [`TrustedProxies`] alone. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// An extension of every request that a trusted proxy forwarded: what it says of itself counts.
#[derive(Clone, Copy, Debug)]
pub struct FromTrustedProxy;

/// The proxies whose word counts: addresses and networks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u8,
}

impl TrustedProxies {
    /// Reads addresses and networks (`10.0.0.0/8`, `fd00::/8`); what is neither is left out.
    #[must_use]
    pub fn of(texts: &[String]) -> Self {
        Self(texts.iter().filter_map(|text| Network::parse(text)).collect())
    }

    /// Whether this is an address or a network.
    #[must_use]
    pub fn knows(text: &str) -> bool {
        Network::parse(text).is_some()
    }

    /// Whether an address is one of them.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.holds(address))
    }

    /// Whose request a trusted proxy forwards: the right-most address that is not itself a trusted proxy; where all are,
    /// the first of them. `None`: the proxy does not say. What stands left of that address was sent by the client and
    /// proves nothing. `Forwarded` (RFC 7239) is read where there is no `X-Forwarded-For`.
    #[must_use]
    pub fn client_of(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let by_list = headers.contains_key(X_FORWARDED_FOR);
        let name = if by_list { X_FORWARDED_FOR } else { header::FORWARDED };
        let lines: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        let mut client = None;
        for entry in lines.iter().rev().flat_map(|line| line.rsplit(|byte| *byte == b',')) {
            let entry = std::str::from_utf8(entry).ok();
            let named = if by_list { entry } else { entry.and_then(|entry| parameter(entry, "for")) };
            let Some(address) = named.and_then(address_in) else { break };
            client = Some(address);
            if !self.trusts(address) {
                break;
            }
        }
        client
    }
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let bits = bits.unwrap_or_else(|| width(address));
        match address {
            // A listener on both families sees IPv4 addresses as a part of IPv6.
            IpAddr::V6(v6) if (96..=128).contains(&bits) => Some(match v6.to_ipv4_mapped() {
                Some(v4) => Self { address: IpAddr::V4(v4), bits: bits - 96 },
                None => Self { address, bits },
            }),
            _ => (bits <= width(address)).then_some(Self { address, bits }),
        }
    }

    fn holds(self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(network), IpAddr::V4(other)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                (Ipv4Addr::to_bits(network) ^ other.to_bits()) & mask == 0
            }
            (IpAddr::V6(network), IpAddr::V6(other)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                (Ipv6Addr::to_bits(network) ^ other.to_bits()) & mask == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// An address, with a port or without: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn address_in(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse::<IpAddr>().ok();
    address.or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip())).map(|ip| ip.to_canonical())
}

/// One parameter of an element of `Forwarded`: `for=192.0.2.1;proto="https"`.
fn parameter<'e>(element: &'e str, name: &str) -> Option<&'e str> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let value =
        pairs.filter(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value).next()?;
    Some(value.trim().trim_matches('"'))
}

/// The scheme that the client asked by, as a trusted proxy says.
#[must_use]
pub fn scheme(headers: &HeaderMap) -> Option<&'static str> {
    let said = first_said(headers, X_FORWARDED_PROTO, "proto")?;
    ["https", "http"].into_iter().find(|scheme| said.eq_ignore_ascii_case(scheme))
}

/// The host that the client asked for, as a trusted proxy says. Not checked to be one.
#[must_use]
pub fn host(headers: &HeaderMap) -> Option<&str> {
    first_said(headers, X_FORWARDED_HOST, "host")
}

/// Of several proxies the first was nearest to the client.
fn first_said<'h>(headers: &'h HeaderMap, name: HeaderName, parameter_name: &str) -> Option<&'h str> {
    let first = |name: HeaderName| headers.get(name)?.to_str().ok()?.split(',').next();
    let said = first(name).map(str::trim).filter(|said| !said.is_empty());
    said.or_else(|| parameter(first(header::FORWARDED)?, parameter_name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusted(networks: &[&str]) -> TrustedProxies {
        TrustedProxies::of(&networks.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    fn headers(pairs: &[(&str, &[u8])]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    #[test]
    fn addresses_and_networks_of_both_families_are_known() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("192.0.2.7/32", "::ffff:192.0.2.7", "192.0.2.8"),
            ("::ffff:10.0.0.0/104", "10.1.1.1", "11.1.1.1"),
            ("fd00::/8", "fd12::1", "fe80::1"),
            ("2001:db8::1", "2001:db8::1", "2001:db8::2"),
            ("172.16.0.0/12", "172.31.255.255", "172.32.0.0"),
        ] {
            let trusted = trusted(&[network]);
            assert!(trusted.trusts(inside.parse().unwrap()), "{network} {inside}");
            assert!(!trusted.trusts(outside.parse().unwrap()), "{network} {outside}");
        }
        let (all, all_v6) = (trusted(&["0.0.0.0/0"]), trusted(&["::/0"]));
        assert!(all.trusts("8.8.8.8".parse().unwrap()) && !all.trusts("2001:db8::1".parse().unwrap()));
        assert!(all_v6.trusts("2001:db8::1".parse().unwrap()) && !all_v6.trusts("8.8.8.8".parse().unwrap()));
        for text in ["10.0.0.0/33", "::/129", "x", "", "10.0.0.0/", "10.0.0.0/8/8", "10.0.0"] {
            assert!(!TrustedProxies::knows(text), "{text}");
        }
    }

    #[test]
    fn the_client_is_the_right_most_address_that_is_not_trusted() {
        let trusted = trusted(&["10.0.0.0/8", "fd00::/8"]);
        for (name, lines, client) in [
            ("x-forwarded-for", &["203.0.113.9"] as &[&str], Some("203.0.113.9")),
            ("x-forwarded-for", &["1.1.1.1, 203.0.113.9, 10.0.0.7"], Some("203.0.113.9")),
            ("x-forwarded-for", &["1.1.1.1,203.0.113.9:4711 ,10.0.0.7"], Some("203.0.113.9")),
            ("x-forwarded-for", &["1.1.1.1", "203.0.113.9", "10.0.0.7"], Some("203.0.113.9")),
            ("x-forwarded-for", &["unknown, 203.0.113.9"], Some("203.0.113.9")),
            ("x-forwarded-for", &["\"<script>, 203.0.113.9"], Some("203.0.113.9")),
            ("x-forwarded-for", &["[2001:db8::5]:443, fd00::1"], Some("2001:db8::5")),
            ("x-forwarded-for", &["2001:db8::5"], Some("2001:db8::5")),
            ("x-forwarded-for", &["::ffff:203.0.113.9"], Some("203.0.113.9")),
            // Everybody on the way is trusted: a server of one's own behind the balancer.
            ("x-forwarded-for", &["10.0.0.8, 10.0.0.7"], Some("10.0.0.8")),
            // What can't be read ends the walk at the last that could.
            ("x-forwarded-for", &["203.0.113.9, unknown, 10.0.0.7"], Some("10.0.0.7")),
            ("x-forwarded-for", &["unknown"], None),
            ("x-forwarded-for", &[""], None),
            ("x-other", &["203.0.113.9"], None),
            ("forwarded", &["for=1.1.1.1, For=203.0.113.9;proto=https;by=10.0.0.1"], Some("203.0.113.9")),
            ("forwarded", &["for=\"[2001:db8:cafe::17]:4711\""], Some("2001:db8:cafe::17")),
            ("forwarded", &["for=\"1.1.1.1, for=203.0.113.9"], Some("203.0.113.9")),
            ("forwarded", &["for=1.1.1.1", "proto=https; for=\"203.0.113.9:80\""], Some("203.0.113.9")),
            ("forwarded", &["for=_hidden"], None),
            ("forwarded", &["proto=https"], None),
        ] {
            let lines: Vec<(&str, &[u8])> = lines.iter().map(|line| (name, line.as_bytes())).collect();
            let expected = client.map(|client| client.parse::<IpAddr>().unwrap());
            assert_eq!(trusted.client_of(&headers(&lines)), expected, "{lines:?}");
        }
        let not_text = headers(&[("x-forwarded-for", b"\xff\xfe, 203.0.113.9")]);
        assert_eq!(trusted.client_of(&not_text), Some("203.0.113.9".parse().unwrap()));
        let both = headers(&[("forwarded", b"for=1.1.1.1"), ("x-forwarded-for", b"203.0.113.9")]);
        assert_eq!(trusted.client_of(&both), Some("203.0.113.9".parse().unwrap()));
    }

    #[test]
    fn scheme_and_host_are_those_that_the_client_asked_by() {
        for (pairs, expected) in [
            (vec![("x-forwarded-proto", "https")], (Some("https"), None)),
            (vec![("x-forwarded-proto", "HTTPS, http")], (Some("https"), None)),
            (vec![("x-forwarded-proto", "gopher")], (None, None)),
            (vec![("x-forwarded-host", "e.example:81, inner")], (None, Some("e.example:81"))),
            (
                vec![("forwarded", "for=1.1.1.1;proto=https;host=\"e.example:81\"")],
                (Some("https"), Some("e.example:81")),
            ),
            (vec![("forwarded", "proto=http"), ("x-forwarded-proto", "https")], (Some("https"), None)),
            (vec![], (None, None)),
        ] {
            let lines: Vec<(&str, &[u8])> =
                pairs.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
            let headers = headers(&lines);
            assert_eq!((scheme(&headers), host(&headers)), expected, "{pairs:?}");
        }
    }
}
