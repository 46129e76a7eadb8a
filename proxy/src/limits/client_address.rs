//! Whose request it is, by address: what limits count by, the log names, and upstreams are told.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use http::{HeaderMap, HeaderName};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of whoever asks. Nobody can choose it who does not hold it: it is that of the TCP peer, or what a proxy
/// says that we were told to trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(IpAddr);

impl ClientAddress {
    /// The address of a peer that speaks for itself.
    #[must_use]
    pub fn of_peer(peer: IpAddr) -> Self {
        Self(peer.to_canonical())
    }

    /// Whom `peer` forwards for: of the addresses in `X-Forwarded-For`, read from the end, the first that is no trusted
    /// proxy's. What stands left of it was sent by the client, and is whatever it likes.
    ///
    /// The peer itself where that names nobody: the peer is not trusted, there is no such header, it holds trusted
    /// addresses only, or something that is no address comes first. The peer's address is then shared by all who come
    /// through it: their limits are tighter than they need be, but nobody gets a limit of their own by sending rubbish.
    #[must_use]
    pub fn of(peer: IpAddr, headers: &HeaderMap, trusted: &TrustedProxies) -> Self {
        let peer = Self::of_peer(peer);
        if !trusted.holds(peer.0) {
            return peer;
        }
        for line in headers.get_all(FORWARDED_FOR).iter().rev() {
            for entry in line.as_bytes().rsplit(|byte| *byte == b',') {
                match address(entry.trim_ascii()) {
                    Some(hop) if trusted.holds(hop) => {}
                    Some(client) => return Self(client),
                    None => return peer,
                }
            }
        }
        peer
    }

    /// The address; never an IPv4 address in the form of an IPv6 one.
    #[must_use]
    pub fn ip(self) -> IpAddr {
        self.0
    }

    /// What a rate is counted by: of IPv6 the network of 64 bits, since a host takes any address in its own.
    #[must_use]
    pub fn host(self) -> String {
        self.masked(32, 64)
    }

    /// What a share of something scarce is given to: the network of 24 or 48 bits, as much as one customer of a provider
    /// often has.
    #[must_use]
    pub fn network(self) -> String {
        self.masked(24, 48)
    }

    fn masked(self, v4: u32, v6: u32) -> String {
        match self.0 {
            IpAddr::V4(ip) => Ipv4Addr::from_bits(ip.to_bits() >> (32 - v4) << (32 - v4)).to_string(),
            IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> (128 - v6) << (128 - v6)).to_string(),
        }
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An entry of `X-Forwarded-For`, as proxies write them: `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]`,
/// `[2001:db8::1]:4711`. Nothing else: no name, no `unknown`, no zone, no leading zeros.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let entry = std::str::from_utf8(entry).ok()?;
    if entry.contains('%') {
        return None;
    }
    let bracketed = || entry.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok();
    let with_port = || entry.parse::<SocketAddr>().ok().map(|address| address.ip());
    let ip = entry.parse().ok().or_else(|| bracketed().map(IpAddr::V6)).or_else(with_port)?;
    Some(ip.to_canonical())
}

/// The proxies in front of us whose `X-Forwarded-For` is believed. None, unless configured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

/// Text that is no network of proxies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProxy {
    /// Neither an address nor a network.
    #[error("must be an address such as 10.0.0.7, or a network such as 10.0.0.0/28 or 2001:db8::/64")]
    Malformed,
    /// The address has bits set beyond the prefix.
    #[error("is no network: its address goes on beyond the prefix")]
    HostBits,
    /// Everybody.
    #[error("is everybody: any client could then choose its address")]
    Everybody,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    first: IpAddr,
    prefix: u32,
}

impl TrustedProxies {
    /// No proxy.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Trusts one more: an address, or a network with its prefix length.
    ///
    /// # Errors
    /// When it is neither, or everybody.
    pub fn add(&mut self, text: &str) -> Result<(), InvalidProxy> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let first: IpAddr = address.parse().map_err(|_| InvalidProxy::Malformed)?;
        // Peers are compared in their own form, so that this one could never match.
        if first != first.to_canonical() {
            return Err(InvalidProxy::Malformed);
        }
        let (bits, width) = bits(first);
        let prefix = match prefix {
            Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse().map_err(|_| InvalidProxy::Malformed)?
            }
            Some(_) => return Err(InvalidProxy::Malformed),
            None => width,
        };
        match prefix {
            0 => Err(InvalidProxy::Everybody),
            _ if prefix > width => Err(InvalidProxy::Malformed),
            _ if bits & !high(prefix, width) != 0 => Err(InvalidProxy::HostBits),
            _ => {
                self.0.push(Network { first, prefix });
                Ok(())
            }
        }
    }

    /// Whether the proxy at `address` is believed.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        let (address, width) = bits(address);
        self.0.iter().any(|network| {
            let (first, own) = bits(network.first);
            own == width && address & high(network.prefix, width) == first
        })
    }
}

/// An address as a number, and of how many bits.
fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

/// The highest `prefix` of `width` bits.
fn high(prefix: u32, width: u32) -> u128 {
    let all = u128::MAX.checked_shr(128 - width).unwrap_or(0);
    all & !all.checked_shr(prefix).unwrap_or(0)
}

#[cfg(test)]
mod tests;
