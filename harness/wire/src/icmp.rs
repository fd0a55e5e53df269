//! ICMP messages (RFC 792): their names, and what an error quotes.

use crate::{Result, error::array, ipv4};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    pub kind: u8,
    pub code: u8,
    /// The 4 bytes whose meaning depends on the type.
    pub rest: [u8; 4],
    /// Behind the 8 bytes that all messages begin with.
    pub body: &'a [u8],
}

impl<'a> Message<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let [kind, code, _, _, rest @ ..]: [u8; 8] = array("an ICMP message", bytes, 0)?;
        Ok(Self { kind, code, rest, body: &bytes[8..] })
    }

    /// Errors, and the redirect, quote the packet they are about (RFC 1122 section 3.2.2).
    pub fn is_error(&self) -> bool {
        matches!(self.kind, 3 | 4 | 5 | 11 | 12)
    }

    /// The packet that an error is about, as far as the error quotes it.
    pub fn quoted(&self) -> Option<ipv4::Packet<'a>> {
        self.is_error().then(|| ipv4::Packet::quoted(self.body).ok()).flatten()
    }

    /// What an error about a packet that is too long says of the way ahead (RFC 1191 section 4); 0 from a router that does
    /// not know of it.
    pub fn next_hop_mtu(&self) -> Option<u16> {
        let [_, _, high, low] = self.rest;
        ((self.kind, self.code) == (3, 4)).then(|| u16::from_be_bytes([high, low]))
    }

    pub fn name(&self) -> &'static str {
        match (self.kind, self.code) {
            (0, _) => "echo reply",
            (3, 0) => "network unreachable",
            (3, 1) => "host unreachable",
            (3, 2) => "protocol unreachable",
            (3, 3) => "port unreachable",
            (3, 4) => "fragmentation needed",
            (3, 9 | 10 | 13) => "administratively prohibited",
            (3, _) => "destination unreachable",
            (4, _) => "source quench",
            (5, _) => "redirect",
            (8, _) => "echo request",
            (9, _) => "router advertisement",
            (10, _) => "router solicitation",
            (11, 1) => "fragment reassembly time exceeded",
            (11, _) => "time to live exceeded",
            (12, _) => "parameter problem",
            _ => "other message",
        }
    }
}
