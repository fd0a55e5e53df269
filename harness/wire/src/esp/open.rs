//! Opening ESP packets of a kernel's SA, and sealing packets as a kernel does.

use std::ops::Range;

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

/// A packet whose integrity was verified, and whose text is whole blocks.
#[derive(Clone, Copy, Debug)]
pub struct Verified<'a> {
    pub sequence: u32,
    iv: &'a [u8],
    text: &'a [u8],
}

/// The inside of a packet among those of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inside {
    /// 4 for IPv4 in tunnel mode.
    pub next_header: u8,
    /// Where it is in the clear text.
    pub range: Range<usize>,
}

/// Verifies, then decrypts (RFC 4303 section 3.4.4), then checks the padding (section 2.4).
pub fn open(keys: &Keys, packet: &[u8]) -> Result<Opened, OpenError> {
    let verified = verify(keys, packet)?;
    let mut inner = Vec::new();
    let opened = open_all(keys, &[verified], &mut inner).pop();
    let short = OpenError::ShortPacket { has: packet.len(), needs: needs(keys) };
    let Inside { next_header, range } = opened.unwrap_or(Err(short))?;
    inner.truncate(range.end);
    Ok(Opened { sequence: verified.sequence, next_header, inner })
}

fn needs(keys: &Keys) -> usize {
    HEADER + 2 * keys.encryption.block_len() + keys.integrity.icv_len()
}

/// What the check value is of, and the check value.
fn authentic_part<'a>(keys: &Keys, packet: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), OpenError> {
    let (has, needs) = (packet.len(), needs(keys));
    if has < needs {
        return Err(OpenError::ShortPacket { has, needs });
    }
    Ok(packet.split_at(has - keys.integrity.icv_len()))
}

fn verified<'a>(keys: &Keys, authentic: &'a [u8], is_authentic: bool) -> Result<Verified<'a>, OpenError> {
    if !is_authentic {
        return Err(OpenError::WrongIntegrity);
    }
    let short = |_| OpenError::ShortPacket { has: authentic.len(), needs: needs(keys) };
    let header = Packet::parse(authentic).map_err(short)?;
    let block = keys.encryption.block_len();
    let (iv, text) = authentic[HEADER..].split_at(block);
    if !text.len().is_multiple_of(block) {
        return Err(OpenError::PartialBlock { length: text.len() });
    }
    Ok(Verified { sequence: header.sequence, iv, text })
}

/// All that comes before the decryption.
pub fn verify<'a>(keys: &Keys, packet: &'a [u8]) -> Result<Verified<'a>, OpenError> {
    let (authentic, icv) = authentic_part(keys, packet)?;
    verified(keys, authentic, keys.is_authentic(authentic, icv))
}

/// The same for packets of one SA, which is faster for many of them than for each.
pub fn verify_all<'a>(keys: &Keys, packets: &[&'a [u8]]) -> Vec<Result<Verified<'a>, OpenError>> {
    let parts: Vec<_> = packets.iter().map(|packet| authentic_part(keys, packet)).collect();
    let whole: Vec<_> = parts.iter().flatten().copied().collect();
    let mut authentic = keys.are_authentic(&whole).into_iter();
    let parts = parts.into_iter();
    parts.map(|part| part.and_then(|(bytes, _)| verified(keys, bytes, authentic.next() == Some(true)))).collect()
}

/// Decrypts packets of one SA, which is faster for many of them than for each; `clear` is added to.
pub fn open_all(keys: &Keys, packets: &[Verified<'_>], clear: &mut Vec<u8>) -> Vec<Result<Inside, OpenError>> {
    let mut begin = clear.len();
    let texts: Vec<_> = packets.iter().map(|packet| (packet.iv, packet.text)).collect();
    keys.decrypt_all(&texts, clear);
    let without_padding = |packet: &Verified<'_>| {
        let (from, end) = (begin, begin + packet.text.len());
        begin = end;
        let short = OpenError::ShortPacket { has: 0, needs: TRAILER };
        let &[ref inner @ .., length, next_header] = &clear[from..end] else { return Err(short) };
        let padding = OpenError::Padding { length };
        let inner_len = inner.len().checked_sub(length.into()).ok_or(padding)?;
        if !inner[inner_len..].iter().copied().eq(1..=length) {
            return Err(padding);
        }
        Ok(Inside { next_header, range: from..from + inner_len })
    };
    packets.iter().map(without_padding).collect()
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
