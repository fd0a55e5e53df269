//! Which message of which exchange a packet carries. Pure: bytes in, values out.

use std::{collections::HashMap, net::Ipv4Addr};

use scenario::fault::{Exchange, Side};
use wire::{
    ipv4::{self, protocol},
    udp::Datagram,
};

/// RFC 3948 section 2.2: in front of IKE on this port, and never in front of ESP.
const ENCAPSULATED: u16 = 4500;
const MARKER: [u8; 4] = [0; 4];
const HEADER: usize = 28;
const RESPONSE: u8 = 0x20;

/// A message on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Numbered {
    pub exchange: Exchange,
    /// From 1.
    pub number: u8,
    pub from: Side,
    /// Of the message.
    pub length: usize,
}

/// What sets an exchange apart from others of its kind.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    /// Those that make an IKE SA: the initiator's cookie. The responder has none in the first message.
    Initiator(Exchange, [u8; 8]),
    /// Both cookies, and the message ID.
    Message(Exchange, [u8; 16], [u8; 4]),
}

/// Counts messages. A message that is sent again has the number that it had.
#[derive(Default)]
pub(super) struct Counter {
    /// The messages of each exchange so far.
    seen: HashMap<Key, Vec<Vec<u8>>>,
}

impl Counter {
    /// What the packet carries, if it is a message of IKE in one piece.
    pub fn count(&mut self, packet: &[u8]) -> Option<Numbered> {
        let ip = ipv4::Packet::parse(packet).ok()?;
        let datagram = datagram(&ip)?;
        let marker = marker(&datagram);
        // What has no marker on that port is ESP.
        if datagram.uses(ENCAPSULATED) && marker == 0 {
            return None;
        }
        let message = datagram.payload.get(marker..)?;
        let header: [u8; HEADER] = *message.first_chunk()?;
        let flags = header[19];
        let exchange = match (header[17] >> 4, header[18]) {
            (1, 2) => Exchange::MainMode,
            (1, 4) => Exchange::AggressiveMode,
            (1, 32) => Exchange::QuickMode,
            (1, 5) | (2, 37) => Exchange::Informational,
            (2, 34) => Exchange::IkeSaInit,
            (2, 35) => Exchange::IkeAuth,
            (2, 36) => Exchange::CreateChildSa,
            _ => return None,
        };
        let number = match exchange {
            // Every exchange is a request and its answer (RFC 7296 section 1), but this one may begin again (2.6).
            Exchange::IkeAuth | Exchange::CreateChildSa => pair_of(flags),
            Exchange::Informational if header[17] >> 4 == 2 => pair_of(flags),
            Exchange::MainMode | Exchange::AggressiveMode | Exchange::IkeSaInit => {
                self.place(Key::Initiator(exchange, *header.first_chunk()?), message)
            }
            Exchange::QuickMode | Exchange::Informational => self.place(
                Key::Message(exchange, *header.first_chunk()?, [header[20], header[21], header[22], header[23]]),
                message,
            ),
        };
        Some(Numbered { exchange, number, from: side(ip.source)?, length: message.len() })
    }

    fn place(&mut self, key: Key, message: &[u8]) -> u8 {
        let seen = self.seen.entry(key).or_default();
        let place = seen.iter().position(|known| known == message).unwrap_or_else(|| {
            seen.push(message.to_vec());
            seen.len() - 1
        });
        u8::try_from(place + 1).unwrap_or(u8::MAX)
    }
}

/// The packet with only so many bytes of its message; all its lengths and checksums agree.
pub(super) fn truncated(packet: &[u8], bytes: u16) -> Option<Vec<u8>> {
    let ip = ipv4::Packet::parse(packet).ok()?;
    let datagram = datagram(&ip)?;
    let end = (marker(&datagram) + usize::from(bytes)).min(datagram.payload.len());
    let cut = Datagram { payload: datagram.payload.get(..end)?, ..datagram };
    Some(ipv4::emit(protocol::UDP, ip.source, ip.destination, &cut.emit()))
}

fn datagram<'a>(ip: &ipv4::Packet<'a>) -> Option<Datagram<'a>> {
    let whole = ip.protocol == protocol::UDP && !ip.is_fragment();
    whole.then(|| Datagram::parse(ip.payload).ok()).flatten()
}

/// How many bytes are in front of the message.
fn marker(datagram: &Datagram<'_>) -> usize {
    if datagram.uses(ENCAPSULATED) && datagram.payload.starts_with(&MARKER) { MARKER.len() } else { 0 }
}

fn pair_of(flags: u8) -> u8 {
    1 + u8::from(flags & RESPONSE != 0)
}

/// By the network that gateways of a kind are in.
fn side(source: Ipv4Addr) -> Option<Side> {
    match source.octets() {
        [a, b, c, _] if [a, b, c] == crate::topology::ROUTERS => Some(Side::Cloud),
        [a, b, c, _] if [a, b, c] == crate::topology::CUSTOMERS => Some(Side::Customer),
        _ => None,
    }
}
