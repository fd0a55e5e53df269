//! Opening ESP packets of a kernel's SA, and sealing packets as a kernel does.

use thiserror::Error;

use super::{Packet, cipher::Keys};
use crate::{Error, Result};

const HEADER: usize = 8;
/// Padding length and next header.
const TRAILER: usize = 2;

/// The inside of an ESP packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    pub sequence: u32,
    /// 4 for IPv4 in tunnel mode.
    pub next_header: u8,
    pub inner: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OpenError {
    #[error("{has} bytes are too few for header, initialisation vector, one block and check value: {needs}")]
    ShortPacket { has: usize, needs: usize },
    #[error("the integrity check value is not the one of these bytes and keys")]
    WrongIntegrity,
    #[error("{length} encrypted bytes are not whole blocks")]
    PartialBlock { length: usize },
    #[error("the padding is not 1, 2, 3 ... up to its length of {length} bytes")]
    Padding { length: u8 },
}

/// Verifies, then decrypts (RFC 4303 section 3.4.4), then checks the padding (section 2.4).
pub fn open(keys: &Keys, packet: &[u8]) -> Result<Opened, OpenError> {
    let block = keys.encryption.block_len();
    let icv_len = keys.integrity.icv_len();
    let needs = HEADER + 2 * block + icv_len;
    let short = OpenError::ShortPacket { has: packet.len(), needs };
    if packet.len() < needs {
        return Err(short);
    }
    let header = Packet::parse(packet).map_err(|_| short)?;
    let (authentic, icv) = packet.split_at(packet.len() - icv_len);
    if keys.icv(authentic) != icv {
        return Err(OpenError::WrongIntegrity);
    }
    let (iv, text) = authentic[HEADER..].split_at(block);
    let partial = OpenError::PartialBlock { length: text.len() };
    let mut inner = keys.decrypt(iv, text).ok_or(partial)?;
    let &[.., length, next_header] = &inner[..] else { return Err(short) };
    let padding = OpenError::Padding { length };
    let end = inner.len() - TRAILER;
    let begin = end.checked_sub(length.into()).ok_or(padding)?;
    if !inner[begin..end].iter().copied().eq(1..=length) {
        return Err(padding);
    }
    inner.truncate(begin);
    Ok(Opened { sequence: header.sequence, next_header, inner })
}

/// The ESP packet, from the SPI to the check value, with the least padding there can be. `iv` must
/// have the length of a block, and must not be foreseeable (RFC 3602 section 3).
pub fn seal(keys: &Keys, spi: u32, sequence: u32, iv: &[u8], next_header: u8, inner: &[u8]) -> Result<Vec<u8>> {
    let block = keys.encryption.block_len();
    let length = (inner.len() + TRAILER).next_multiple_of(block) - inner.len() - TRAILER;
    let mut text = inner.to_vec();
    text.extend(1..=length as u8);
    text.extend([length as u8, next_header]);
    let wrong = Error::Vector { algorithm: keys.encryption.name(), found: iv.len(), needs: block };
    let text = keys.encrypt(iv, &text).ok_or(wrong)?;
    let mut packet = [&spi.to_be_bytes()[..], &sequence.to_be_bytes(), iv, &text].concat();
    packet.extend(keys.icv(&packet));
    Ok(packet)
}
