//! Which addresses a client's document may be fetched from: those of the public internet, and nothing that only our own
//! side of it can reach (CVE-2026-45609 is what happens otherwise).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Anybody's.
    Public,
    /// Of this machine or of a network of one's own; allowed where the operator says so.
    Private,
    /// Never a web server's: link-local (the cloud's metadata service), multicast, reserved, documentation, or another
    /// address in disguise.
    Special,
}

/// IPv4 ranges that are not anybody's, from the registry of RFC 6890 (IANA, special-purpose addresses). The longer
/// prefix counts.
const V4: &[(Ipv4Addr, u32, Kind)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8, Kind::Special),
    (Ipv4Addr::new(10, 0, 0, 0), 8, Kind::Private),
    // Shared by carriers (RFC 6598), and used inside clouds; one is a metadata service.
    (Ipv4Addr::new(100, 64, 0, 0), 10, Kind::Private),
    (Ipv4Addr::new(100, 100, 100, 200), 32, Kind::Special),
    (Ipv4Addr::new(127, 0, 0, 0), 8, Kind::Private),
    // Public by number, but Azure answers machines there.
    (Ipv4Addr::new(168, 63, 129, 16), 32, Kind::Special),
    (Ipv4Addr::new(169, 254, 0, 0), 16, Kind::Special),
    (Ipv4Addr::new(172, 16, 0, 0), 12, Kind::Private),
    (Ipv4Addr::new(192, 0, 0, 0), 24, Kind::Special),
    (Ipv4Addr::new(192, 0, 2, 0), 24, Kind::Special),
    (Ipv4Addr::new(192, 31, 196, 0), 24, Kind::Special),
    (Ipv4Addr::new(192, 52, 193, 0), 24, Kind::Special),
    (Ipv4Addr::new(192, 88, 99, 0), 24, Kind::Special),
    (Ipv4Addr::new(192, 168, 0, 0), 16, Kind::Private),
    (Ipv4Addr::new(192, 175, 48, 0), 24, Kind::Special),
    (Ipv4Addr::new(198, 18, 0, 0), 15, Kind::Special),
    (Ipv4Addr::new(198, 51, 100, 0), 24, Kind::Special),
    (Ipv4Addr::new(203, 0, 113, 0), 24, Kind::Special),
    (Ipv4Addr::new(224, 0, 0, 0), 3, Kind::Special),
];

/// IPv6 ranges, the other way round: outside 2000::/3 nothing is anybody's. That leaves out mapped, compatible and
/// translated IPv4 addresses (`::ffff:0:0/96`, `::/96`, `64:ff9b::/96`), link-local and multicast.
const V6: &[(Ipv6Addr, u32, Kind)] = &[
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 1), 128, Kind::Private),
    (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3, Kind::Public),
    // Teredo, ORCHID, benchmarking and other protocols' own.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, Kind::Special),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, Kind::Special),
    // 6to4: any IPv4 address in disguise.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, Kind::Special),
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48, Kind::Special),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, Kind::Special),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, Kind::Private),
    // The metadata services of Scaleway, Oracle, AWS and Google: with no random part, as a network of one's own has.
    (Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0), 32, Kind::Special),
    (Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0, 0), 32, Kind::Special),
    (Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0), 32, Kind::Special),
    (Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0), 32, Kind::Special),
];

/// What `address` is for.
pub(super) fn kind(address: IpAddr) -> Kind {
    match address {
        IpAddr::V4(address) => {
            let bits = u128::from(address.to_bits());
            let ranges = V4.iter().map(|(net, length, kind)| (u128::from(net.to_bits()), 32, *length, *kind));
            longest(bits, ranges, Kind::Public)
        }
        IpAddr::V6(address) => {
            let ranges = V6.iter().map(|(net, length, kind)| (net.to_bits(), 128, *length, *kind));
            longest(address.to_bits(), ranges, Kind::Special)
        }
    }
}

/// The kind of the longest range (network, width, prefix length, kind) that holds the address.
fn longest(bits: u128, ranges: impl Iterator<Item = (u128, u32, u32, Kind)>, otherwise: Kind) -> Kind {
    ranges
        .filter(|(net, width, length, _)| (bits ^ net).checked_shr(width - length).unwrap_or(0) == 0)
        .max_by_key(|(_, _, length, _)| *length)
        .map_or(otherwise, |(_, _, _, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(kind_of: Kind, addresses: &[&str]) {
        for text in addresses {
            assert_eq!(kind(text.parse().unwrap()), kind_of, "{text}");
        }
    }

    #[test]
    fn anybodys_addresses_are_public() {
        all(
            Kind::Public,
            &[
                "1.1.1.1",
                "9.255.255.255",
                "11.0.0.0",
                "100.63.255.255",
                "100.128.0.0",
                "172.15.255.255",
                "172.32.0.0",
                "192.0.1.1",
                "198.17.255.255",
                "198.20.0.0",
                "223.255.255.255",
                "2001:200::1",
                "2606:4700::1111",
                "2a00:1450::1",
                "3ffe::1",
            ],
        );
    }

    #[test]
    fn ones_own_networks_are_private() {
        all(
            Kind::Private,
            &[
                "127.0.0.1",
                "127.255.255.254",
                "10.0.0.1",
                "172.16.0.1",
                "172.31.255.255",
                "192.168.1.1",
                "100.64.0.1",
                "100.127.255.255",
                "::1",
                "fc00::1",
                "fd12:3456::1",
                "fd20:cf::254",
                "fd00:c2::1",
                "fd00:43::42",
            ],
        );
    }

    #[test]
    fn metadata_services_disguises_and_reserved_ranges_are_special() {
        all(
            Kind::Special,
            &[
                "0.0.0.0",
                "0.1.2.3",
                "169.254.169.254",
                "168.63.129.16",
                "100.100.100.200",
                "192.0.0.192",
                "192.0.2.1",
                "192.88.99.1",
                "198.18.0.1",
                "198.19.255.255",
                "198.51.100.1",
                "203.0.113.1",
                "224.0.0.1",
                "239.255.255.255",
                "240.0.0.1",
                "255.255.255.255",
                "::",
                "::127.0.0.1",
                "::ffff:127.0.0.1",
                "::ffff:1.1.1.1",
                "64:ff9b::7f00:1",
                "64:ff9b:1::7f00:1",
                "100::1",
                "2001::1",
                "2001:2::1",
                "2001:10::1",
                "2001:db8::1",
                "2002:7f00:1::1",
                "2620:4f:8000::1",
                "3fff::1",
                "5f00::1",
                "4000::1",
                "fd00:ec2::254",
                "fd20:ce::254",
                "fd00:c1::a9fe:a9fe",
                "fd00:42::42",
                "fe80::1",
                "fec0::1",
                "ff02::1",
            ],
        );
    }
}
