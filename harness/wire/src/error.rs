//! What can be wrong with bytes that claim to be a capture, a packet or a key.

use thiserror::Error;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    #[error("not a capture: neither pcapng nor pcap begins like this; convert another format with `editcap -F pcapng`")]
    NotACapture,
    #[error("the capture cannot be read on from byte {offset}: {reason}")]
    Read { offset: u64, reason: String },
    #[error("the capture breaks off at byte {offset}: it was not closed; capture again")]
    CutOff { offset: u64 },
    #[error("the capture has a broken block at byte {offset}: it was damaged after it was written; capture again")]
    Block { offset: u64 },
    #[error("the block at byte {offset} of the capture claims {length} bytes, which no frame has: it was damaged")]
    BlockLength { offset: u64, length: u32 },
    #[error("the capture describes more than {most} interfaces at byte {offset}: split it, or capture on fewer")]
    Interfaces { offset: u64, most: usize },
    #[error("frame {number} belongs to interface {interface}, which the capture does not describe before it")]
    Interface { number: u64, interface: u32 },
    #[error(
        "capture point `{point}` has link type {linktype}: capture on Ethernet, Linux cooked, loopback or raw IP interfaces"
    )]
    LinkType { point: String, linktype: u16 },
    #[error("capture point `{point}` counts time in units of if_tsresol {resolution:#04x}, which 64 bits cannot hold")]
    Resolution { point: String, resolution: u8 },
    #[error("{what} needs {needs} bytes where {has} are left")]
    Short { what: &'static str, needs: usize, has: usize },
    #[error("{what} has {field} {found}, where {expected} was expected")]
    Field { what: &'static str, field: &'static str, found: u64, expected: &'static str },
    #[error("the header checksum of the IPv4 packet from {source_address} is wrong")]
    Checksum { source_address: std::net::Ipv4Addr },
    #[error("SA {spi:#010x}: its {what} key is not hexadecimal: write two digits for each byte")]
    KeyDigits { spi: u32, what: &'static str },
    #[error("SA {spi:#010x}: its {what} key has {found} bytes, and {algorithm} needs {needs}")]
    KeyLength { spi: u32, what: &'static str, algorithm: &'static str, found: usize, needs: usize },
    #[error("a {what} of IKE is not hexadecimal: write two digits for each byte")]
    IkeKeyDigits { what: &'static str },
    #[error("{0}")]
    Table(crate::wireshark::Remark),
    #[error("an initialisation vector of {found} bytes: {algorithm} needs {needs}")]
    Vector { algorithm: &'static str, found: usize, needs: usize },
}

/// The bytes at `range`, or an error that says what was cut off.
pub(crate) fn part<'a>(what: &'static str, bytes: &'a [u8], range: std::ops::Range<usize>) -> Result<&'a [u8]> {
    let needs = range.end;
    bytes.get(range).ok_or(Error::Short { what, needs, has: bytes.len() })
}

/// The `N` bytes at `offset`.
pub(crate) fn array<const N: usize>(what: &'static str, bytes: &[u8], offset: usize) -> Result<[u8; N]> {
    bytes.get(offset..).and_then(|rest| rest.first_chunk()).copied().ok_or(Error::Short {
        what,
        needs: offset + N,
        has: bytes.len(),
    })
}
