//! Comments on packets, which Wireshark shows beside them (opt_comment of the pcapng specification).

use std::collections::BTreeMap;

use crate::{
    Error, Result,
    error::{array, part},
};

const ENHANCED_PACKET: u32 = 6;
const COMMENT: u16 = 1;
/// Type and length, which is repeated at the end.
const HEADER: usize = 8;
const TRAILER: usize = 4;
/// Interface, time, captured and original length.
const FIXED: usize = 20;
const WHAT: &str = "a pcapng block";

/// The same capture with these comments, by the number of the frame, from 1. Takes captures that
/// [`Writer`](super::Writer) wrote, with comments or without; those that they had are replaced.
pub fn annotate(capture: &[u8], comments: &BTreeMap<u64, String>) -> Result<Vec<u8>> {
    let mut out =
        Vec::with_capacity(capture.len() + comments.values().map(|comment| comment.len() + 16).sum::<usize>());
    let mut offset = 0;
    let mut number = 0;
    while offset < capture.len() {
        let rest = &capture[offset..];
        let word =
            |at| array(WHAT, rest, at).map(u32::from_le_bytes).map_err(|_| Error::CutOff { offset: offset as u64 });
        let length = word(4)? as usize;
        if length < HEADER + TRAILER || !length.is_multiple_of(4) {
            return Err(Error::Block { offset: offset as u64 });
        }
        let block = part(WHAT, rest, 0..length).map_err(|_| Error::CutOff { offset: offset as u64 })?;
        if word(0)? == ENHANCED_PACKET {
            number += 1;
            let captured = word(HEADER + 12)? as usize;
            let end = captured.checked_next_multiple_of(4).map(|padded| HEADER + FIXED + padded);
            let end = end.filter(|end| end + TRAILER <= length).ok_or(Error::Block { offset: offset as u64 })?;
            let comment = comments.get(&number).map_or_else(Vec::new, |comment| option(comment));
            let length = ((end + comment.len() + TRAILER) as u32).to_le_bytes();
            for piece in [&ENHANCED_PACKET.to_le_bytes(), &length[..], &block[HEADER..end], &comment, &length] {
                out.extend(piece);
            }
        } else {
            out.extend(block);
        }
        offset += length;
    }
    Ok(out)
}

/// The comment, padded, and the end of options. What is longer than an option can be is cut off.
fn option(comment: &str) -> Vec<u8> {
    let mut end = comment.len().min(usize::from(u16::MAX));
    while !comment.is_char_boundary(end) {
        end -= 1;
    }
    let text = &comment[..end];
    let mut option = [COMMENT.to_le_bytes(), (text.len() as u16).to_le_bytes()].concat();
    option.extend(text.as_bytes());
    option.resize(option.len().next_multiple_of(4), 0);
    option.extend([0; 4]);
    option
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use pcap_parser::{Block, PcapBlockOwned, PcapNGSlice};
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::{
        audit::Side,
        pcapng::{Writer, read},
    };

    fn capture(frames: &[Vec<u8>]) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new()).unwrap();
        writer.add_point("internet", Side::Internet).unwrap();
        for (time, frame) in frames.iter().enumerate() {
            writer.write_frame(0, time as u64, frame.len() as u32, frame).unwrap();
        }
        writer.into_inner()
    }

    /// As another reader finds them.
    fn comments(capture: &[u8]) -> Vec<String> {
        let blocks = PcapNGSlice::from_slice(capture).unwrap().map(Result::unwrap);
        let comment = |block| match block {
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                let comment = packet.options.iter().find(|option| option.code.0 == COMMENT);
                let text = comment.map(|option| option.as_bytes().unwrap().to_vec());
                Some(String::from_utf8(text.unwrap_or_default()).unwrap())
            }
            _ => None,
        };
        blocks.filter_map(comment).collect()
    }

    proptest! {
        #[test]
        fn comments_come_and_go_and_frames_stay(
            frames in vec((vec(any::<u8>(), 0..60), "\\PC{0,20}"), 0..6),
        ) {
            let plain = capture(&frames.iter().map(|(frame, _)| frame.clone()).collect::<Vec<_>>());
            let wanted: BTreeMap<u64, String> =
                frames.iter().enumerate().map(|(i, (_, comment))| (i as u64 + 1, comment.clone())).collect();
            let annotated = annotate(&plain, &wanted).unwrap();
            prop_assert_eq!(comments(&annotated), wanted.into_values().collect::<Vec<_>>());
            prop_assert_eq!(read(&annotated).unwrap(), read(&plain).unwrap());
            prop_assert_eq!(annotate(&annotated, &BTreeMap::new()).unwrap(), plain);
        }

        #[test]
        fn a_damaged_capture_is_refused_without_a_panic(at in any::<prop::sample::Index>(), value: u8, cut in any::<prop::sample::Index>()) {
            let mut bytes = capture(&[vec![1; 21], vec![2; 60]]);
            let at = at.index(bytes.len());
            bytes[at] = value;
            let _ = annotate(&bytes[..cut.index(bytes.len())], &[(1, "one".to_owned())].into());
        }
    }
}
