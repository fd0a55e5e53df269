//! IPv4 headers (RFC 791).

use std::net::Ipv4Addr;

use crate::{
    Error, Result,
    error::{array, part},
};

pub mod protocol {
    pub const ICMP: u8 = 1;
    pub const IGMP: u8 = 2;
    /// IPv4 in IPv4, and the next header of ESP in tunnel mode.
    pub const IPV4: u8 = 4;
    pub const UDP: u8 = 17;
    pub const ESP: u8 = 50;
    /// The next header of an ESP dummy packet (RFC 4303 section 2.6).
    pub const NONE: u8 = 59;
}

const WHAT: &str = "an IPv4 packet";
const HEADER: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub protocol: u8,
    pub identification: u16,
    /// In bytes.
    pub fragment_offset: u16,
    pub more_fragments: bool,
    /// As the header says, and so without the padding of short frames.
    pub total_len: u16,
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// A whole packet, its header checksum verified; `bytes` may be longer than the packet.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let (header_len, mut packet) = Self::header(bytes)?;
        if checksum(part(WHAT, bytes, 0..header_len)?) != 0 {
            return Err(Error::Checksum { source_address: packet.source });
        }
        packet.payload = part(WHAT, bytes, header_len..usize::from(packet.total_len))?;
        Ok(packet)
    }

    /// The beginning of a packet, as an ICMP error quotes it (RFC 792, RFC 1812 section 4.3.2.3).
    pub fn quoted(bytes: &'a [u8]) -> Result<Self> {
        let (header_len, mut packet) = Self::header(bytes)?;
        let end = usize::from(packet.total_len).min(bytes.len()).max(header_len);
        packet.payload = part(WHAT, bytes, header_len..end)?;
        Ok(packet)
    }

    fn header(bytes: &'a [u8]) -> Result<(usize, Self)> {
        let header: [u8; HEADER] = array(WHAT, bytes, 0)?;
        let [first, ..] = header;
        if first >> 4 != 4 {
            return Err(Error::Field { what: WHAT, field: "version", found: (first >> 4).into(), expected: "4" });
        }
        let header_len = usize::from(first & 0x0f) * 4;
        let total_len = u16::from_be_bytes([header[2], header[3]]);
        if header_len < HEADER {
            let expected = "at least 20 bytes";
            return Err(Error::Field { what: WHAT, field: "header length", found: header_len as u64, expected });
        }
        if usize::from(total_len) < header_len {
            let expected = "at least the header's";
            return Err(Error::Field { what: WHAT, field: "total length", found: total_len.into(), expected });
        }
        let fragment = u16::from_be_bytes([header[6], header[7]]);
        let packet = Self {
            source: Ipv4Addr::from(array::<4>(WHAT, &header, 12)?),
            destination: Ipv4Addr::from(array::<4>(WHAT, &header, 16)?),
            protocol: header[9],
            identification: u16::from_be_bytes([header[4], header[5]]),
            // The field counts in units of 8 bytes; the last unit fits since 0x1fff * 8 < 65536.
            fragment_offset: (fragment & 0x1fff) * 8,
            more_fragments: fragment & 0x2000 != 0,
            total_len,
            payload: &[],
        };
        Ok((header_len, packet))
    }

    pub fn is_fragment(&self) -> bool {
        self.more_fragments || self.fragment_offset != 0
    }
}

/// A packet without options, not to be fragmented, with a TTL of 64. The payload's length must be
/// at most 65,515 bytes: more is cut off.
pub fn emit(protocol: u8, source: Ipv4Addr, destination: Ipv4Addr, payload: &[u8]) -> Vec<u8> {
    let payload = &payload[..payload.len().min(usize::from(u16::MAX) - HEADER)];
    let mut packet = vec![0x45, 0];
    packet.extend(((HEADER + payload.len()) as u16).to_be_bytes());
    packet.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]);
    packet.extend(source.octets());
    packet.extend(destination.octets());
    let sum = checksum(&packet);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend(payload);
    packet
}

/// The internet checksum (RFC 1071): zero over bytes that include a right one.
fn checksum(bytes: &[u8]) -> u16 {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let words = pairs.iter().map(|&pair| u32::from(u16::from_be_bytes(pair)));
    let mut sum: u32 = words.sum::<u32>() + rest.first().map_or(0, |&last| u32::from(last) << 8);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
