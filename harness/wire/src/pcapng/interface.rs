//! What the description of an interface says: its link, its name, and how it counts time.

use crate::{Error, Result, link::Link};

const NAME: u16 = 2;
const DESCRIPTION: u16 = 3;
const RESOLUTION: u16 = 9;
const OFFSET: u16 = 14;

#[derive(Clone, Copy)]
pub(super) struct Interface {
    pub(super) clock: Clock,
    pub(super) link: Link,
    /// What a Simple Packet Block holds at most; 0 for no limit.
    pub(super) snap_len: u32,
}

/// How an interface counts time (if_tsresol and if_tsoffset of the pcapng specification).
#[derive(Clone, Copy)]
pub(super) struct Clock {
    pub(super) ticks_per_second: u64,
    pub(super) offset_seconds: i64,
}

impl Clock {
    pub(super) fn time_ns(self, ticks: u64) -> u64 {
        let ns = u128::from(ticks) * 1_000_000_000 / u128::from(self.ticks_per_second);
        let offset_ns = i128::from(self.offset_seconds) * 1_000_000_000;
        // A time before 1970, or after 2554, is nonsense that still must not wrap around.
        u64::try_from((ns as i128 + offset_ns).max(0)).unwrap_or(u64::MAX)
    }
}

impl Interface {
    /// With its name, and its description if it has one. Absent if the block is too short.
    pub(super) fn parse(body: &[u8], big_endian: bool, index: usize) -> Option<Result<(Self, String, Option<String>)>> {
        let short = |bytes: [u8; 2]| if big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) };
        let (&[a, b, _, _, s0, s1, s2, s3], mut options) = body.split_first_chunk()?;
        let linktype = short([a, b]);
        let snap_len = [s0, s1, s2, s3];
        let snap_len = if big_endian { u32::from_be_bytes(snap_len) } else { u32::from_le_bytes(snap_len) };
        let (mut name, mut description, mut resolution, mut offset_seconds) = (None, None, 6, 0);
        let text = |value: &[u8]| std::str::from_utf8(value).ok().map(str::to_owned);
        while let Some((&[c0, c1, l0, l1], rest)) = options.split_first_chunk() {
            let len = usize::from(short([l0, l1]));
            let value = rest.get(..len)?;
            match short([c0, c1]) {
                0 => break,
                NAME => name = name.or_else(|| text(value)),
                DESCRIPTION => description = description.or_else(|| text(value)),
                RESOLUTION => resolution = *value.first()?,
                OFFSET => {
                    let bytes = *value.first_chunk()?;
                    offset_seconds = if big_endian { i64::from_be_bytes(bytes) } else { i64::from_le_bytes(bytes) };
                }
                _ => {}
            }
            options = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        }
        let name = name.unwrap_or_else(|| format!("interface {index}"));
        let ticks_per_second = match resolution {
            0x80.. => 1u64.checked_shl(u32::from(resolution & 0x7f)),
            _ => 10u64.checked_pow(u32::from(resolution)),
        };
        let Some(ticks_per_second) = ticks_per_second else {
            return Some(Err(Error::Resolution { point: name, resolution }));
        };
        let Some(link) = Link::of_type(linktype) else {
            return Some(Err(Error::LinkType { point: name, linktype }));
        };
        let clock = Clock { ticks_per_second, offset_seconds };
        Some(Ok((Self { clock, link, snap_len }, name, description)))
    }
}
