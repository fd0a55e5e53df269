//! Reading a capture frame by frame, ours or foreign: pcapng, and the older pcap, of which no more than a block is
//! held at once.
//!
//! The blocks are read here since the parser that writes ours neither says where a damaged one begins, nor knows the
//! older Packet Block, binary resolutions and offsets of either byte order.

use std::io::{ErrorKind, Read};

use super::{
    interface::{Clock, Interface},
    side_named,
};
use crate::{Error, Result, audit::Side, link::Link};

/// No frame of any link is longer; Wireshark refuses the same.
const MAX_BLOCK: usize = 16 << 20;
/// What is asked of the file at once.
const CHUNK: usize = 1 << 16;
/// More interfaces than any machine has are an attack on what is kept for each.
const MAX_POINTS: usize = 4096;

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

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// From 1, as Wireshark counts.
    pub number: u64,
    /// Index into [`Reader::points`], or [`Capture::points`].
    pub point: usize,
    /// Since 1970, of the clock that was captured with.
    pub time_ns: u64,
    /// Length on the wire; more than `data` holds if the frame was cut.
    pub original_len: u32,
    /// What `data` begins with.
    pub link: Link,
    pub data: Vec<u8>,
}

/// Reads a whole capture into memory.
pub fn read(bytes: &[u8]) -> Result<Capture> {
    let mut reader = Reader::new(bytes)?;
    let frames = reader.by_ref().collect::<Result<_>>()?;
    Ok(Capture { points: reader.points, frames })
}

/// The frames of a capture, one after another. Interfaces may be described between them.
pub struct Reader<R> {
    source: Source<R>,
    format: Format,
    big_endian: bool,
    points: Vec<Point>,
    /// Of the section, in which interfaces are numbered anew; of the older format the only one.
    interfaces: Vec<Interface>,
    frames: u64,
    failed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Pcapng,
    Pcap,
}

impl<R: Read> Reader<R> {
    pub fn new(input: R) -> Result<Self> {
        let source = Source { input, buffer: Vec::new(), begin: 0, end: 0, offset: 0 };
        let (format, big_endian) = (Format::Pcapng, false);
        let (points, interfaces) = (Vec::new(), Vec::new());
        let mut reader = Self { source, format, big_endian, points, interfaces, frames: 0, failed: false };
        let magic = reader.source.peek(4)?.and_then(|bytes| bytes.first_chunk().copied()).ok_or(Error::NotACapture)?;
        reader.big_endian = magic[0] == 0xa1;
        match magic {
            // Both byte orders of the section header begin the same.
            [0x0a, 0x0d, 0x0d, 0x0a] => {}
            [0xa1, 0xb2, 0xc3, 0xd4] | [0xd4, 0xc3, 0xb2, 0xa1] => reader.older(1_000_000)?,
            [0xa1, 0xb2, 0x3c, 0x4d] | [0x4d, 0x3c, 0xb2, 0xa1] => reader.older(1_000_000_000)?,
            _ => return Err(Error::NotACapture),
        }
        Ok(reader)
    }

    /// The interfaces that were described so far.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// Reads the next frame into `frame`, whose memory is used again, and says whether there was one.
    pub fn read_frame(&mut self, frame: &mut Frame) -> Result<bool> {
        match self.format {
            Format::Pcap => self.older_record(frame),
            Format::Pcapng => {
                while let Some((kind, len)) = self.next_block()? {
                    if self.block(kind, len, frame)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }

    fn word(&self, bytes: [u8; 4]) -> u32 {
        if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    /// The file header of the older format, which describes the only interface.
    fn older(&mut self, ticks_per_second: u64) -> Result<()> {
        self.format = Format::Pcap;
        let header: [u8; 24] = self.source.take_array()?.ok_or(self.source.cut_off())?;
        let [.., a, b, c, d] = header;
        // Above the link type is the length of the check sequence, which counts as padding of the frame.
        let linktype = self.word([a, b, c, d]) as u16;
        let name = "interface 0".to_owned();
        let link = Link::of_type(linktype).ok_or_else(|| Error::LinkType { point: name.clone(), linktype })?;
        self.points.push(Point { name, side: None });
        let clock = Clock { ticks_per_second, offset_seconds: 0 };
        self.interfaces.push(Interface { clock, link, snap_len: 0 });
        Ok(())
    }

    fn older_record(&mut self, frame: &mut Frame) -> Result<bool> {
        let offset = self.source.offset;
        let Some(header) = self.source.take_array::<16>()? else { return Ok(false) };
        let [seconds, fraction, captured, original] = words(&header).map(|bytes| self.word(bytes));
        let length = captured as usize;
        if length > MAX_BLOCK {
            return Err(Error::BlockLength { offset, length: captured });
        }
        let Some(&Interface { clock, link, .. }) = self.interfaces.first() else { return Ok(false) };
        let ticks = u64::from(seconds) * clock.ticks_per_second + u64::from(fraction);
        let data = self.source.peek(length)?.ok_or(Error::CutOff { offset })?;
        self.frames += 1;
        frame.fill(self.frames, 0, clock.time_ns(ticks), original, link, data);
        self.source.consume(length);
        Ok(true)
    }

    /// Type and length of the next block, which is then in the buffer as a whole.
    fn next_block(&mut self) -> Result<Option<(u32, usize)>> {
        let offset = self.source.offset;
        let Some(header) = self.source.peek(12)? else {
            return if self.source.is_empty() { Ok(None) } else { Err(Error::CutOff { offset }) };
        };
        let [kind, length, magic] = words(header);
        if kind == [0x0a, 0x0d, 0x0d, 0x0a] {
            self.big_endian = match magic {
                [0x1a, 0x2b, 0x3c, 0x4d] => true,
                [0x4d, 0x3c, 0x2b, 0x1a] => false,
                _ => return Err(Error::Block { offset }),
            };
        }
        let length = self.word(length);
        if length < 12 || !length.is_multiple_of(4) {
            return Err(Error::Block { offset });
        }
        let len = length as usize;
        if len > MAX_BLOCK {
            return Err(Error::BlockLength { offset, length });
        }
        let block = self.source.peek(len)?.ok_or(Error::CutOff { offset })?;
        let again = block.last_chunk().copied();
        if again.map(|bytes| self.word(bytes)) != Some(length) {
            return Err(Error::Block { offset });
        }
        Ok(Some((self.word(kind), len)))
    }

    /// Whether the block held a frame.
    fn block(&mut self, kind: u32, len: usize, frame: &mut Frame) -> Result<bool> {
        let offset = self.source.offset;
        let broken = || Error::Block { offset };
        let big_endian = self.big_endian;
        let word = |bytes: [u8; 4]| if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
        let body = self.source.peek(len)?.and_then(|block| block.get(8..len - 4)).ok_or_else(broken)?;
        let (interface, ticks, captured, original, data) = match kind {
            SECTION_HEADER => {
                self.interfaces.clear();
                self.source.consume(len);
                return Ok(false);
            }
            INTERFACE => {
                if self.points.len() == MAX_POINTS {
                    return Err(Error::Interfaces { offset, most: MAX_POINTS });
                }
                let index = self.points.len();
                let (interface, name, description) = Interface::parse(body, big_endian, index).ok_or_else(broken)??;
                let side = description.and_then(|text| side_named(&text));
                self.interfaces.push(interface);
                self.points.push(Point { name, side });
                self.source.consume(len);
                return Ok(false);
            }
            ENHANCED_PACKET | PACKET => {
                let (head, data) = body.split_at_checked(20).ok_or_else(broken)?;
                let [interface, high, low, captured, original] = words(head);
                // The older block has a count of drops beside a shorter number.
                let interface = match (kind, interface) {
                    (ENHANCED_PACKET, interface) => word(interface),
                    (_, [a, b, ..]) if big_endian => u16::from_be_bytes([a, b]).into(),
                    (_, [a, b, ..]) => u16::from_le_bytes([a, b]).into(),
                };
                let ticks = u64::from(word(high)) << 32 | u64::from(word(low));
                (interface, ticks, word(captured), word(original), data)
            }
            SIMPLE_PACKET => {
                let (original, data) = body.split_first_chunk().ok_or_else(broken)?;
                let original = word(*original);
                let snap_len = self.interfaces.first().map_or(0, |interface| interface.snap_len);
                let most = if snap_len == 0 { u32::MAX } else { snap_len };
                (0, 0, original.min(most), original, data)
            }
            _ => {
                self.source.consume(len);
                return Ok(false);
            }
        };
        let number = self.frames + 1;
        let data = data.get(..captured as usize).ok_or_else(broken)?;
        let point = self.points.len() - self.interfaces.len() + interface as usize;
        let interface = self.interfaces.get(interface as usize).ok_or(Error::Interface { number, interface })?;
        frame.fill(number, point, interface.clock.time_ns(ticks), original, interface.link, data);
        self.frames = number;
        self.source.consume(len);
        Ok(true)
    }
}

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// Ends after an error, which the bytes that follow would only repeat.
impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Frame>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let mut frame = Frame::default();
        let next = self.read_frame(&mut frame).map(|read| read.then_some(frame));
        self.failed = next.is_err();
        next.transpose()
    }
}

impl Frame {
    /// Whether all of it was captured.
    pub fn is_whole(&self) -> bool {
        self.data.len() >= self.original_len as usize
    }

    fn fill(&mut self, number: u64, point: usize, time_ns: u64, original_len: u32, link: Link, data: &[u8]) {
        let mut memory = std::mem::take(&mut self.data);
        memory.clear();
        memory.extend_from_slice(data);
        *self = Self { number, point, time_ns, original_len, link, data: memory };
    }
}

fn words<const N: usize>(bytes: &[u8]) -> [[u8; 4]; N] {
    let (words, _) = bytes.as_chunks::<4>();
    std::array::from_fn(|i| words.get(i).copied().unwrap_or_default())
}

/// A file behind a buffer that grows with what the file has, never with what it claims to have.
struct Source<R> {
    input: R,
    buffer: Vec<u8>,
    begin: usize,
    end: usize,
    /// Of `begin`, in the file.
    offset: u64,
}

impl<R: Read> Source<R> {
    /// The next `len` bytes, which stay; absent if there are fewer.
    fn peek(&mut self, len: usize) -> Result<Option<&[u8]>> {
        while self.end - self.begin < len {
            if self.end == self.buffer.len() {
                if self.begin > 0 {
                    self.buffer.copy_within(self.begin..self.end, 0);
                    (self.begin, self.end) = (0, self.end - self.begin);
                }
                if self.buffer.len() < self.end + CHUNK {
                    self.buffer.resize(self.end + CHUNK, 0);
                }
            }
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => return Ok(None),
                Ok(read) => self.end += read,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(Error::Read { offset: self.offset, reason: e.to_string() }),
            }
        }
        Ok(Some(&self.buffer[self.begin..self.begin + len]))
    }

    /// At most as many as were peeked at.
    fn consume(&mut self, len: usize) {
        self.begin += len;
        self.offset += len as u64;
    }

    /// The next bytes; absent at the end of the file, and an error if some are missing.
    fn take_array<const N: usize>(&mut self) -> Result<Option<[u8; N]>> {
        let Some(bytes) = self.peek(N)?.and_then(|bytes| bytes.first_chunk().copied()) else {
            return if self.is_empty() { Ok(None) } else { Err(self.cut_off()) };
        };
        self.consume(N);
        Ok(Some(bytes))
    }

    fn is_empty(&self) -> bool {
        self.begin == self.end
    }

    fn cut_off(&self) -> Error {
        Error::CutOff { offset: self.offset }
    }
}
