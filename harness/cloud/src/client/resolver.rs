//! Addresses of endpoints.

use std::net::{IpAddr, SocketAddr};

use ureq::{
    Error,
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::NextTimeout,
    },
};

/// Asks nobody for what is an address already. A lookup that may take too long has a thread of its own, for every
/// request, and in a guest a thread costs more than all the rest of a request.
#[derive(Debug, Default)]
pub(super) struct AddressFirst(DefaultResolver);

impl Resolver for AddressFirst {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let Some(address) = address(uri) else { return self.0.resolve(uri, config, timeout) };
        let mut found = self.empty();
        found.push(address);
        Ok(found)
    }
}

/// An address of version 6 stands in brackets (RFC 3986 section 3.2.2).
fn address(uri: &Uri) -> Option<SocketAddr> {
    let host = uri.host()?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Some(SocketAddr::new(host.parse::<IpAddr>().ok()?, uri.port_u16()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn only_an_address_with_a_port_is_one() {
        let found = |text: &str| address(&text.parse().unwrap()).map(|address| address.to_string());
        assert_eq!(found("http://127.0.0.1:8080/client/api").as_deref(), Some("127.0.0.1:8080"));
        assert_eq!(found("http://[::1]:8080/client/api").as_deref(), Some("[::1]:8080"));
        assert_eq!(found("http://localhost:8080/client/api"), None);
        assert_eq!(found("http://127.0.0.1/client/api"), None);
    }
}
