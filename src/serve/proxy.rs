//! For whom a proxy asks: `X-Forwarded-For` is believed of proxies that are known, and of nobody else.

use std::net::IpAddr;

use axum::http::HeaderMap;

use crate::error::{Error, Result};

/// An address, or those that begin with the same bits: `10.0.0.5`, `10.0.0.0/8`, `fd00::/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    bits: u32,
}

impl std::str::FromStr for Network {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::invalid(format!("'{text}' is not an address or a network such as 10.0.0.0/8"));
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let first: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = width(first);
        let bits = bits.map_or(Ok(most), str::parse).ok().filter(|bits| *bits <= most).ok_or_else(wrong)?;
        Ok(Self { first, bits })
    }
}

impl Network {
    /// Whether an address is one of it.
    pub fn has(&self, address: IpAddr) -> bool {
        let most = width(self.first);
        // All bits of a shift are more than a shift can do.
        let begin = |address| number(address).checked_shr(most - self.bits).unwrap_or(0);
        width(address) == most && begin(address) == begin(self.first)
    }
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// Who asks: the other end of the connection; where that is a known proxy, the last one in its list that is no known
/// proxy. What stands before that anybody may have written.
pub(super) fn asker(peer: IpAddr, headers: &HeaderMap, known: &[Network]) -> IpAddr {
    let is_known = |address: IpAddr| known.iter().any(|network| network.has(address));
    if !is_known(peer) {
        return peer;
    }
    let told = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let list: Vec<&str> = told.flat_map(|value| value.split(',')).map(str::trim).collect();
    let mut last = peer;
    for text in list.into_iter().rev() {
        // Where the list makes no sense, it is not followed any further.
        let Some(address) = address(text) else { break };
        last = address;
        if !is_known(address) {
            break;
        }
    }
    last
}

/// An address as proxies write it: some add the port.
fn address(text: &str) -> Option<IpAddr> {
    let plain = text.parse::<IpAddr>().or_else(|_| text.parse::<std::net::SocketAddr>().map(|a| a.ip()));
    let bare = || text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).and_then(|t| t.parse().ok());
    plain.ok().or_else(bare).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn networks_have_the_addresses_that_begin_like_them() {
        for (network, address, has) in [
            ("10.0.0.5", "10.0.0.5", true),
            ("10.0.0.5", "10.0.0.6", false),
            ("10.0.0.0/8", "10.200.3.4", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("0.0.0.0/0", "203.0.113.7", true),
            ("0.0.0.0/0", "::1", false),
            ("fd00::/8", "fdab::1", true),
            ("fd00::/8", "fe80::1", false),
        ] {
            assert_eq!(network.parse::<Network>().unwrap().has(ip(address)), has, "{network} {address}");
        }
        for wrong in ["", "10.0.0", "10.0.0.0/33", "10.0.0.0/x", "::/129", "proxy.example"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_known_proxies_say_for_whom_they_ask() {
        let known: Vec<Network> = ["127.0.0.1", "10.0.0.0/8"].iter().map(|t| t.parse().unwrap()).collect();
        let asked = |peer: &str, told: &[&str]| {
            let headers = told.iter().map(|t| ("x-forwarded-for".parse().unwrap(), t.parse().unwrap())).collect();
            asker(ip(peer), &headers, &known).to_string()
        };
        assert_eq!(asked("203.0.113.9", &["198.51.100.1"]), "203.0.113.9", "anybody can write a header");
        assert_eq!(asked("127.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(asked("127.0.0.1", &["6.6.6.6, 198.51.100.1, 10.1.1.1"]), "198.51.100.1", "the first was made up");
        assert_eq!(
            asked("127.0.0.1", &["6.6.6.6", "198.51.100.1:4711"]),
            "198.51.100.1",
            "several headers are one list"
        );
        assert_eq!(asked("127.0.0.1", &["198.51.100.1, what"]), "127.0.0.1");
        assert_eq!(asked("127.0.0.1", &["[2001:db8::1]"]), "2001:db8::1");
        assert_eq!(asked("127.0.0.1", &[]), "127.0.0.1");
    }
}
