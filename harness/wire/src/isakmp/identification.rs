//! The identification payload (RFC 2407 section 4.6.2): who an end is, or which networks a Quick Mode is for.

use std::{fmt, net::Ipv4Addr};

use ipnet::Ipv4Net;

use crate::{
    Result,
    error::{array, part},
    hex,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identification {
    pub kind: u8,
    /// IP protocol and port that it is limited to; 0 for any.
    pub protocol: u8,
    pub port: u16,
    pub data: Vec<u8>,
}

pub mod kind {
    //! Types of identities (RFC 2407 section 4.6.2.1).

    pub const IPV4_ADDR: u8 = 1;
    pub const FQDN: u8 = 2;
    pub const USER_FQDN: u8 = 3;
    pub const IPV4_ADDR_SUBNET: u8 = 4;
    pub const IPV4_ADDR_RANGE: u8 = 7;
    pub const KEY_ID: u8 = 11;
}

impl Identification {
    pub(super) fn parse(body: &[u8]) -> Result<Self> {
        let what = "an ISAKMP identification";
        let [kind, protocol, p0, p1] = array(what, body, 0)?;
        let data = part(what, body, 4..body.len())?.to_vec();
        Ok(Self { kind, protocol, port: u16::from_be_bytes([p0, p1]), data })
    }

    pub(super) fn emit(&self) -> Vec<u8> {
        [&[self.kind, self.protocol][..], &self.port.to_be_bytes(), &self.data].concat()
    }

    /// The network, if that is what it names: an address is a network of one.
    pub fn network(&self) -> Option<Ipv4Net> {
        match (self.kind, self.addresses()?) {
            (kind::IPV4_ADDR, [address, _]) => Some(address.into()),
            (kind::IPV4_ADDR_SUBNET, [address, mask]) => Ipv4Net::with_netmask(address, mask).ok(),
            _ => None,
        }
    }

    /// One address, or two; one stands twice.
    fn addresses(&self) -> Option<[Ipv4Addr; 2]> {
        match self.data.as_chunks::<4>() {
            (&[only], []) => Some([only.into(); 2]),
            (&[first, second], []) => Some([first.into(), second.into()]),
            _ => None,
        }
    }

    fn text(&self) -> Option<String> {
        let text = std::str::from_utf8(&self.data).ok()?;
        let printable = !text.is_empty() && text.chars().all(|c| !c.is_control());
        printable.then(|| text.to_owned())
    }
}

impl fmt::Display for Identification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = match (self.kind, self.addresses()) {
            (kind::IPV4_ADDR, Some([address, _])) => Some(address.to_string()),
            (kind::IPV4_ADDR_SUBNET, Some(_)) => self.network().map(|network| network.to_string()),
            (kind::IPV4_ADDR_RANGE, Some([first, last])) => Some(format!("{first} to {last}")),
            (kind::FQDN | kind::USER_FQDN | kind::KEY_ID, _) => self.text(),
            _ => None,
        };
        match shown {
            Some(shown) => f.write_str(&shown)?,
            None => write!(f, "type {} 0x{}", self.kind, hex::encode(&self.data))?,
        }
        // An end names the port that it speaks from, which says nothing of the tunnel; a port of 0 is any (RFC 2407
        // section 4.6.2).
        match (self.protocol, self.port) {
            (0, 0) | (17, 500 | 4500) => Ok(()),
            (protocol, 0) => write!(f, ", IP protocol {protocol}"),
            (protocol, port) => write!(f, ", IP protocol {protocol}, port {port}"),
        }
    }
}
