//! The far end of a tunnel: an address or, in later releases, a name.

use std::{fmt, net::Ipv4Addr};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Address(Ipv4Addr),
    Name(String),
}

impl Host {
    /// What cannot be an address may be a name: CloudStack takes `300.1.2.3` for one.
    pub(crate) fn parse(text: &str, names: bool) -> Option<Self> {
        match text.parse() {
            Ok(address) => Some(Self::Address(address)),
            Err(_) if names && is_name(text) => Some(Self::Name(text.to_owned())),
            Err(_) => None,
        }
    }

    pub(crate) fn stored(text: String) -> Self {
        text.parse().map_or(Self::Name(text), Self::Address)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// CloudStack's verifyDomainName.
fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    (1..=190).contains(&text.len()) && text.split('.').all(label)
}

/// Whether a name service could know it: no top-level domain is a number (RFC 3696 section 2), so
/// `300.1.2.3` is a mistyped address.
pub(crate) fn may_resolve(name: &str) -> bool {
    is_name(name) && name.rsplit('.').next().is_some_and(|last| !last.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_what_passes_for_one() {
        let long = "a".repeat(64);
        for good in ["vpn.example.com", "GwWithHostName", "300.1.2.3", "1.2.3", "10.0.0", "a-b"] {
            assert_eq!(Host::parse(good, true), Some(Host::Name(good.to_owned())), "{good}");
            assert_eq!(Host::parse(good, false), None, "{good}");
        }
        for bad in ["", ".a", "a.", "a..b", "-a", "a-", "a_b", "2001:db8::1", "a b", long.as_str(), "ü.de"] {
            assert_eq!(Host::parse(bad, true), None, "{bad}");
        }
        assert_eq!(Host::parse("192.0.2.1", true), Some(Host::Address([192, 0, 2, 1].into())));
    }

    #[test]
    fn a_mistyped_address_is_no_name_that_resolves() {
        assert!(may_resolve("vpn.example.com") && may_resolve("GwWithHostName"));
        for wrong in ["300.1.2.3", "1.2.3", "10.0.0", "", "a..b"] {
            assert!(!may_resolve(wrong), "{wrong}");
        }
    }
}
