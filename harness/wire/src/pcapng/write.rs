//! Writing a capture while it is made.

use std::{
    borrow::Cow,
    io::{self, ErrorKind, Write},
};

use pcap_parser::{
    EnhancedPacketBlock, InterfaceDescriptionBlock, Linktype, OptionCode, PcapNGOption, SectionHeaderBlock, ToVec,
};

use super::side_name;
use crate::audit::Side;

/// Writes one section; capture points may be added between frames.
pub struct Writer<W: Write> {
    out: W,
    points: u32,
}

impl<W: Write> Writer<W> {
    pub fn new(mut out: W) -> io::Result<Self> {
        let mut section = SectionHeaderBlock {
            block_type: 0,
            block_len1: 0,
            bom: 0,
            major_version: 1,
            minor_version: 0,
            // Not known while streaming.
            section_len: -1,
            options: vec![option(OptionCode::ShbUserAppl, b"tunnelproof")?],
            block_len2: 0,
        };
        out.write_all(&section.to_vec().map_err(io::Error::other)?)?;
        Ok(Self { out, points: 0 })
    }

    /// Describes a capture point; frames refer to it by the number that is returned.
    pub fn add_point(&mut self, name: &str, side: Side) -> io::Result<u32> {
        let mut interface = InterfaceDescriptionBlock {
            block_type: 0,
            block_len1: 0,
            linktype: Linktype::ETHERNET,
            reserved: 0,
            snaplen: 0,
            options: vec![
                option(OptionCode::IfName, name.as_bytes())?,
                option(OptionCode::IfDescription, side_name(side).as_bytes())?,
                option(OptionCode::IfTsresol, &[9])?,
            ],
            block_len2: 0,
            if_tsresol: 9,
            if_tsoffset: 0,
        };
        self.out.write_all(&interface.to_vec().map_err(io::Error::other)?)?;
        self.points += 1;
        Ok(self.points - 1)
    }

    /// Writes a frame of which `data` was captured out of `original_len` bytes.
    pub fn write_frame(&mut self, point: u32, time_ns: u64, original_len: u32, data: &[u8]) -> io::Result<()> {
        if point >= self.points {
            let text = format!("capture point {point} is not described: add it first");
            return Err(io::Error::new(ErrorKind::InvalidInput, text));
        }
        let caplen = u32::try_from(data.len()).map_err(|e| io::Error::new(ErrorKind::InvalidInput, e))?;
        // The block's length counts the padding, which the serialiser leaves to its caller.
        let mut padded = Cow::Borrowed(data);
        if !data.len().is_multiple_of(4) {
            padded.to_mut().resize(data.len().next_multiple_of(4), 0);
        }
        let mut packet = EnhancedPacketBlock {
            block_type: 0,
            block_len1: 0,
            if_id: point,
            ts_high: (time_ns >> 32) as u32,
            ts_low: time_ns as u32,
            caplen,
            origlen: original_len,
            data: &padded,
            options: Vec::new(),
            block_len2: 0,
        };
        self.out.write_all(&packet.to_vec().map_err(io::Error::other)?)
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// What was written to; not flushed.
    pub fn into_inner(self) -> W {
        self.out
    }
}

fn option(code: OptionCode, value: &[u8]) -> io::Result<PcapNGOption<'_>> {
    let len = u16::try_from(value.len()).map_err(|e| io::Error::new(ErrorKind::InvalidInput, e))?;
    Ok(PcapNGOption { code, len, value: Cow::Borrowed(value) })
}
