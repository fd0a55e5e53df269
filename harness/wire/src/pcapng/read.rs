//! Reading a whole capture, ours or foreign.

use pcap_parser::{
    Block, InterfaceDescriptionBlock, Linktype, OptionCode, PcapBlockOwned, PcapNGSlice, nom, traits::PcapNGPacketBlock,
};

use super::side_named;
use crate::{Error, Result, audit::Side};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capture {
    pub points: Vec<Point>,
    /// In the order of the file.
    pub frames: Vec<Frame>,
}

/// An interface that was captured on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    pub name: String,
    /// Absent in a capture that another program made.
    pub side: Option<Side>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// From 1, as Wireshark counts.
    pub number: u64,
    /// Index into [`Capture::points`].
    pub point: usize,
    /// Since 1970, of the clock that was captured with.
    pub time_ns: u64,
    /// Length on the wire; more than `data` holds if the frame was cut.
    pub original_len: u32,
    pub data: Vec<u8>,
}

/// How an interface counts time (if_tsresol and if_tsoffset of the pcapng specification).
#[derive(Clone, Copy)]
struct Clock {
    ticks_per_second: u64,
    offset_seconds: i64,
}

impl Clock {
    fn time_ns(self, high: u32, low: u32) -> u64 {
        let ticks = u128::from(high) << 32 | u128::from(low);
        let ns = ticks * 1_000_000_000 / u128::from(self.ticks_per_second);
        let offset_ns = i128::from(self.offset_seconds) * 1_000_000_000;
        // A time before 1970, or after 2554, is nonsense that still must not wrap around.
        u64::try_from((ns as i128 + offset_ns).max(0)).unwrap_or(u64::MAX)
    }
}

/// Reads all frames of a pcapng file; only Ethernet interfaces are understood.
pub fn read(bytes: &[u8]) -> Result<Capture> {
    // Both byte orders of the section header read the same.
    if !bytes.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]) {
        return Err(Error::NotPcapng);
    }
    let mut capture = Capture::default();
    // Interfaces are numbered anew in each section.
    let mut section: Vec<Clock> = Vec::new();
    let mut big_endian = false;
    let mut offset = 0;
    let blocks = PcapNGSlice::from_slice(bytes).map_err(|e| broken(&e, offset))?;
    for block in blocks {
        let block = match block.map_err(|e| broken(&e, offset))? {
            PcapBlockOwned::NG(block) => block,
            PcapBlockOwned::Legacy(_) | PcapBlockOwned::LegacyHeader(_) => return Err(Error::NotPcapng),
        };
        offset += block_len(&block);
        let (interface, high, low, original_len, data) = match &block {
            Block::SectionHeader(header) => {
                big_endian = header.big_endian();
                section.clear();
                continue;
            }
            Block::InterfaceDescription(interface) => {
                let point = describe(interface, capture.points.len());
                section.push(clock(interface, big_endian, &point)?);
                capture.points.push(point);
                continue;
            }
            Block::EnhancedPacket(packet) => {
                (packet.if_id, packet.ts_high, packet.ts_low, packet.origlen, packet.packet_data())
            }
            Block::SimplePacket(packet) => (0, 0, 0, packet.origlen, packet.packet_data()),
            _ => continue,
        };
        let number = capture.frames.len() as u64 + 1;
        let clock = section.get(interface as usize).ok_or(Error::Interface { number, interface })?;
        capture.frames.push(Frame {
            number,
            point: capture.points.len() - section.len() + interface as usize,
            time_ns: clock.time_ns(high, low),
            original_len,
            data: data.to_vec(),
        });
    }
    Ok(capture)
}

fn describe(interface: &InterfaceDescriptionBlock<'_>, index: usize) -> Point {
    let text = |option: Option<std::result::Result<&str, _>>| option.and_then(|text| text.ok().map(str::to_owned));
    Point {
        name: text(interface.if_name()).unwrap_or_else(|| format!("interface {index}")),
        side: text(interface.if_description()).and_then(|name| side_named(&name)),
    }
}

/// Computed here because the parser knows neither binary resolutions nor big-endian offsets.
fn clock(interface: &InterfaceDescriptionBlock<'_>, big_endian: bool, point: &Point) -> Result<Clock> {
    if interface.linktype != Linktype::ETHERNET {
        return Err(Error::LinkType { point: point.name.clone(), linktype: interface.linktype.0 });
    }
    let resolution = interface.if_tsresol;
    let ticks_per_second = match resolution {
        0x80.. => 1u64.checked_shl(u32::from(resolution & 0x7f)),
        _ => 10u64.checked_pow(u32::from(resolution)),
    };
    let offset = interface.options.iter().find(|option| option.code == OptionCode::IfTsoffset);
    let offset_seconds = offset
        .and_then(|option| option.value.first_chunk().copied())
        .map_or(0, |bytes| if big_endian { i64::from_be_bytes(bytes) } else { i64::from_le_bytes(bytes) });
    let ticks_per_second =
        ticks_per_second.ok_or_else(|| Error::Resolution { point: point.name.clone(), resolution })?;
    Ok(Clock { ticks_per_second, offset_seconds })
}

fn block_len(block: &Block<'_>) -> usize {
    let len = match block {
        Block::SectionHeader(block) => block.block_len1,
        Block::InterfaceDescription(block) => block.block_len1,
        Block::EnhancedPacket(block) => block.block_len1,
        Block::SimplePacket(block) => block.block_len1,
        Block::NameResolution(block) => block.block_len1,
        Block::InterfaceStatistics(block) => block.block_len1,
        Block::SystemdJournalExport(block) => block.block_len1,
        Block::DecryptionSecrets(block) => block.block_len1,
        Block::ProcessInformation(block) => block.block_len1,
        Block::Custom(block) => block.block_len1,
        Block::Unknown(block) => block.block_len1,
    };
    len as usize
}

fn broken<E>(error: &nom::Err<E>, offset: usize) -> Error {
    match error {
        nom::Err::Incomplete(_) => Error::CutOff { offset },
        nom::Err::Error(_) | nom::Err::Failure(_) => Error::Block { offset },
    }
}
