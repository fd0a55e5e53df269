//! The frame that a capture waits for at its end, so that no packet before it is lost.

use crate::ethernet::{self, Frame};

const MAGIC: &[u8; 4] = b"TPMK";
/// The shortest frame that Ethernet carries, without its check sequence.
const MIN_FRAME: usize = 60;
/// Locally administered, so that it is no device's.
const SOURCE: ethernet::Address = [0x02, b'T', b'P', b'M', b'K', 0];

/// A broadcast frame that carries `token`.
pub fn frame(token: u64) -> Vec<u8> {
    let payload = [&MAGIC[..], &token.to_be_bytes()].concat();
    let header = Frame {
        destination: ethernet::BROADCAST,
        source: SOURCE,
        ethertype: ethernet::EXPERIMENTAL,
        payload: &payload,
    };
    let mut frame = header.emit();
    frame.resize(MIN_FRAME, 0);
    frame
}

/// The token, if this is a marker.
pub fn parse(frame: &[u8]) -> Option<u64> {
    let frame = Frame::parse(frame).ok().filter(|frame| frame.ethertype == ethernet::EXPERIMENTAL)?;
    frame.payload.strip_prefix(MAGIC)?.first_chunk().copied().map(u64::from_be_bytes)
}
