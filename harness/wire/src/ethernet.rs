//! Ethernet II frames (RFC 894).

use crate::{
    Result,
    error::{array, part},
};

pub const IPV4: u16 = 0x0800;
pub const ARP: u16 = 0x0806;
pub const IPV6: u16 = 0x86dd;
/// IEEE 802 local experimental ethertype 1, which the capture's own marker uses.
pub const EXPERIMENTAL: u16 = 0x88b5;

pub type Address = [u8; 6];

pub const BROADCAST: Address = [0xff; 6];

/// A frame without its check sequence, as a packet socket shows it.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    pub destination: Address,
    pub source: Address,
    pub ethertype: u16,
    /// With the padding of short frames, which only the next header's length tells apart.
    pub payload: &'a [u8],
}

impl<'a> Frame<'a> {
    const HEADER: usize = 14;

    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let what = "an Ethernet frame";
        Ok(Self {
            destination: array(what, bytes, 0)?,
            source: array(what, bytes, 6)?,
            ethertype: u16::from_be_bytes(array(what, bytes, 12)?),
            payload: part(what, bytes, Self::HEADER..bytes.len().max(Self::HEADER))?,
        })
    }

    pub fn emit(&self) -> Vec<u8> {
        [&self.destination[..], &self.source, &self.ethertype.to_be_bytes(), self.payload].concat()
    }
}
