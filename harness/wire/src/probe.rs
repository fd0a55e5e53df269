//! The numbered packet that guests exchange. Its payload says which one it is, and every byte of it
//! follows from that, so that a changed or foreign packet cannot pass for it.

use std::net::Ipv4Addr;

use crate::{ipv4, udp};

/// The UDP port that probes are sent to.
pub const PORT: u16 = 4242;
/// Length of the UDP payload in bytes.
pub const LEN: usize = 64;

const MAGIC: &[u8; 4] = b"TPRB";
const NUMBERED: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Probe {
    pub exchange: u32,
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub sequence: u32,
}

impl Probe {
    /// The UDP payload.
    pub fn payload(&self) -> [u8; LEN] {
        let mut payload = [0; LEN];
        let (numbers, filler) = payload.split_at_mut(NUMBERED);
        numbers[..4].copy_from_slice(MAGIC);
        numbers[4..8].copy_from_slice(&self.exchange.to_be_bytes());
        numbers[8..12].copy_from_slice(&self.sequence.to_be_bytes());
        numbers[12..16].copy_from_slice(&self.source.octets());
        numbers[16..].copy_from_slice(&self.destination.octets());
        // FNV-1a into xorshift: neighbouring numbers give unlike fillers, and it needs no crate.
        let fnv = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        let mut state = numbers.iter().fold(0xcbf2_9ce4_8422_2325, fnv) | 1;
        for byte in filler {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *byte = (state >> 32) as u8;
        }
        payload
    }

    /// The probe whose payload this is, byte for byte.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let payload: &[u8; LEN] = payload.try_into().ok()?;
        let word = |at: usize| payload[at..].first_chunk().copied();
        let probe = Self {
            exchange: u32::from_be_bytes(word(4)?),
            sequence: u32::from_be_bytes(word(8)?),
            source: Ipv4Addr::from(word(12)?),
            destination: Ipv4Addr::from(word(16)?),
        };
        (probe.payload() == *payload).then_some(probe)
    }

    /// The probe in an IPv4 packet, whatever the packet's own addresses and ports are.
    pub fn within(packet: &ipv4::Packet<'_>) -> Option<Self> {
        let udp = packet.protocol == ipv4::protocol::UDP && !packet.is_fragment();
        udp.then(|| udp::Datagram::parse(packet.payload).ok()).flatten().and_then(|udp| Self::parse(udp.payload))
    }

    /// The whole IPv4 packet, as the source's network stack would send it.
    pub fn packet(&self) -> Vec<u8> {
        let datagram = udp::Datagram { source_port: PORT, destination_port: PORT, payload: &self.payload() }.emit();
        ipv4::emit(ipv4::protocol::UDP, self.source, self.destination, &datagram)
    }
}

impl std::fmt::Display for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { exchange, source, destination, sequence } = self;
        write!(f, "probe {sequence} of exchange {exchange} from {source} to {destination}")
    }
}
