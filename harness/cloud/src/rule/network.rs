//! Networks in a request: one, or a list with commas.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

/// RFC 1918 section 3.
const PRIVATE: [Ipv4Net; 3] = [
    Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16),
];

/// `a.b.c.d/n`; host bits are kept, as CloudStack keeps them.
pub(crate) fn one(text: &str) -> Option<Ipv4Net> {
    text.parse().ok()
}

/// Networks with commas between them and no blanks. A comma at the end is tolerated, and one alone is
/// an empty list.
pub(crate) fn list(text: &str) -> Option<Vec<Ipv4Net>> {
    let text = text.trim_end_matches(',');
    if text.is_empty() { Some(Vec::new()) } else { text.split(',').map(one).collect() }
}

pub(crate) fn is_private(network: Ipv4Net) -> bool {
    PRIVATE.iter().any(|block| block.contains(&network))
}

pub(crate) fn overlap(a: Ipv4Net, b: Ipv4Net) -> bool {
    a.contains(&b.network()) || b.contains(&a.network())
}

/// The first two networks of a list that overlap each other.
pub(crate) fn overlapping(networks: &[Ipv4Net]) -> Option<(Ipv4Net, Ipv4Net)> {
    networks.iter().enumerate().find_map(|(i, &a)| networks[i + 1..].iter().find(|&&b| overlap(a, b)).map(|&b| (a, b)))
}

/// The network of a gateway and its netmask, such as `10.1.1.1` and `255.255.255.0`.
pub(crate) fn of_gateway(gateway: Ipv4Addr, netmask: Ipv4Addr) -> Option<Ipv4Net> {
    Ipv4Net::with_netmask(gateway, netmask).ok().map(|network| network.trunc())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn net(text: &str) -> Ipv4Net {
        one(text).unwrap()
    }

    #[test]
    fn lists() {
        assert_eq!(list("10.1.2.3/16").unwrap()[0].to_string(), "10.1.2.3/16");
        assert_eq!(list("172.16.10.0/24,192.168.10.0/24").unwrap().len(), 2);
        assert_eq!(list("172.16.10.0/24,").unwrap().len(), 1);
        assert_eq!(list(",").unwrap().len(), 0);
        for bad in
            ["10.1.0.0", "10.1.0.0/33", "10.1.0/16", "10.1.0.0/16, 10.2.0.0/16", ",10.1.0.0/16", "x/8", "10.1.0.0/-1"]
        {
            assert_eq!(list(bad), None, "`{bad}`");
        }
    }

    #[test]
    fn private_is_within_rfc_1918() {
        for yes in ["10.0.0.0/8", "10.255.255.0/24", "172.16.0.0/12", "172.31.0.0/16", "192.168.1.1/32"] {
            assert!(is_private(net(yes)), "{yes}");
        }
        for no in ["10.0.0.0/7", "172.32.0.0/16", "192.169.0.0/16", "198.51.100.0/24", "0.0.0.0/0"] {
            assert!(!is_private(net(no)), "{no}");
        }
    }

    #[test]
    fn overlaps_go_by_the_shorter_prefix() {
        assert!(overlap(net("10.1.2.3/16"), net("10.1.0.0/24")));
        assert!(overlap(net("0.0.0.0/0"), net("192.168.0.0/16")));
        assert!(!overlap(net("10.1.0.0/24"), net("10.1.1.0/24")));
        assert_eq!(
            overlapping(&[net("10.1.0.0/24"), net("10.2.0.0/24"), net("10.2.0.128/25")]).unwrap().0,
            net("10.2.0.0/24")
        );
        assert_eq!(overlapping(&[net("10.1.0.0/24"), net("10.2.0.0/24")]), None);
    }

    #[test]
    fn a_gateway_and_its_netmask() {
        let gateway = Ipv4Addr::new(10, 1, 1, 1);
        assert_eq!(of_gateway(gateway, Ipv4Addr::new(255, 255, 255, 0)), Some(net("10.1.1.0/24")));
        assert_eq!(of_gateway(gateway, Ipv4Addr::new(255, 0, 255, 0)), None);
    }
}
