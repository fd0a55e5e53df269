//! ESP (RFC 4303): the header that is in clear, ESP inside UDP (RFC 3948), and what its keys open.

mod bitslice;
mod cipher;
mod hmac_md5;
mod open;
#[cfg(test)]
mod tests;

pub use cipher::Keys;
pub use open::{Inside, OpenError, Opened, Verified, open, open_all, seal, verify, verify_all};

use crate::{
    Result,
    error::array,
    ethernet,
    ipv4::{self, protocol},
    isakmp, pcapng,
    udp::Datagram,
};

/// The UDP port of ESP and ISAKMP behind address translation (RFC 3948, RFC 3947).
pub const NAT_PORT: u16 = 4500;

/// The clear header of an ESP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    pub spi: u32,
    pub sequence: u32,
    /// All of it, from the SPI to the integrity check value.
    pub bytes: &'a [u8],
}

impl<'a> Packet<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let word = |offset| array("an ESP packet", bytes, offset).map(u32::from_be_bytes);
        Ok(Self { spi: word(0)?, sequence: word(4)?, bytes })
    }
}

/// What a datagram of port 4500 carries (RFC 3948 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encapsulated<'a> {
    Esp(Packet<'a>),
    /// Without the non-ESP marker.
    Isakmp(&'a [u8]),
    /// One byte that holds a translation open.
    Keepalive,
}

impl<'a> Encapsulated<'a> {
    pub fn parse(payload: &'a [u8]) -> Result<Self> {
        if payload == [0xff] {
            return Ok(Self::Keepalive);
        }
        // An SPI is never zero, and so four zero bytes are the marker of everything else.
        match payload.strip_prefix(&[0; 4]) {
            Some(isakmp) => Ok(Self::Isakmp(isakmp)),
            None => Packet::parse(payload).map(Self::Esp),
        }
    }
}

/// An ESP packet as a whole frame carries it.
#[derive(Clone, Copy, Debug)]
pub struct Carried<'a> {
    pub outer: ipv4::Packet<'a>,
    pub sealed: Packet<'a>,
    /// Inside UDP.
    pub encapsulated: bool,
}

impl<'a> Carried<'a> {
    pub fn within(frame: &'a pcapng::Frame) -> Option<Self> {
        let (ethernet::IPV4, payload) = frame.link.network(&frame.data).ok()? else { return None };
        let outer = ipv4::Packet::parse(payload).ok().filter(|outer| !outer.is_fragment())?;
        match outer.protocol {
            protocol::ESP => Some(Self { outer, sealed: Packet::parse(outer.payload).ok()?, encapsulated: false }),
            protocol::UDP => {
                let datagram = Datagram::parse(outer.payload).ok()?;
                let translated = datagram.uses(NAT_PORT) && !datagram.uses(isakmp::PORT);
                match Encapsulated::parse(datagram.payload) {
                    Ok(Encapsulated::Esp(sealed)) if translated => Some(Self { outer, sealed, encapsulated: true }),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}
