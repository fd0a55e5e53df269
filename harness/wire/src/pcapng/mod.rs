//! Captures in pcapng: one interface description per capture point, time in nanoseconds.

mod annotate;
mod read;
mod write;

pub use annotate::annotate;
pub use read::{Capture, Frame, Point, read};
pub use write::Writer;

use crate::audit::Side;

/// The word for a side in an interface's description.
fn side_name(side: Side) -> &'static str {
    match side {
        Side::Internet => "internet",
        Side::Local => "local",
        Side::Remote => "remote",
    }
}

fn side_named(name: &str) -> Option<Side> {
    [Side::Internet, Side::Local, Side::Remote].into_iter().find(|&side| side_name(side) == name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::Error;

    fn capture(frames: &[(u32, u64, u32, Vec<u8>)]) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new()).unwrap();
        writer.add_point("router", Side::Internet).unwrap();
        for (i, (point, time_ns, cut, data)) in frames.iter().enumerate() {
            if i == 1 {
                writer.add_point("main.web", Side::Local).unwrap();
            }
            let point = if i == 0 { 0 } else { *point };
            writer.write_frame(point, *time_ns, data.len() as u32 + cut, data).unwrap();
        }
        writer.flush().unwrap();
        writer.into_inner()
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_again(
            frames in vec((0..2u32, 0..=i64::MAX as u64, 0..9u32, vec(any::<u8>(), 0..80)), 0..8),
        ) {
            let read = read(&capture(&frames)).unwrap();
            prop_assert_eq!(&read.points[0].name, "router");
            prop_assert_eq!(read.points[0].side, Some(Side::Internet));
            prop_assert_eq!(read.points.len(), if frames.len() > 1 { 2 } else { 1 });
            if let Some(second) = read.points.get(1) {
                prop_assert_eq!((second.name.as_str(), second.side), ("main.web", Some(Side::Local)));
            }
            prop_assert_eq!(read.frames.len(), frames.len());
            for (i, (frame, (point, time_ns, cut, data))) in read.frames.iter().zip(&frames).enumerate() {
                prop_assert_eq!(frame.number, i as u64 + 1);
                prop_assert_eq!(frame.point, if i == 0 { 0 } else { *point as usize });
                prop_assert_eq!(frame.time_ns, *time_ns);
                prop_assert_eq!(frame.original_len, data.len() as u32 + cut);
                prop_assert_eq!(&frame.data, data);
            }
        }

        #[test]
        fn arbitrary_bytes_are_refused_without_a_panic(bytes in vec(any::<u8>(), 0..200)) {
            prop_assert!(read(&bytes).is_err());
        }

        #[test]
        fn a_damaged_capture_is_read_or_refused_without_a_panic(
            damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = capture(&[(0, 1, 0, vec![1; 21]), (1, 2, 0, vec![2; 60])]);
            for (at, value) in damage {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            let _ = read(&bytes);
            let _ = read(&bytes[..cut.index(bytes.len())]);
        }
    }

    #[test]
    fn a_capture_that_was_not_closed_is_named_so() {
        let bytes = capture(&[(0, 1, 0, vec![1; 60])]);
        let whole = capture(&[]).len();
        assert_eq!(read(&bytes[..bytes.len() - 5]).unwrap_err(), Error::CutOff { offset: whole });
        assert_eq!(read(b"\xd4\xc3\xb2\xa1 an older format").unwrap_err(), Error::NotPcapng);
    }

    /// Byte for byte as the pcapng specification lays its blocks out, which other readers rely on.
    #[test]
    fn a_capture_is_laid_out_as_the_format_says() {
        let words = |bytes: &[u8]| -> Vec<u32> {
            bytes.as_chunks::<4>().0.iter().map(|&word| u32::from_le_bytes(word)).collect()
        };
        let text = |text: &[u8; 4]| u32::from_le_bytes(*text);
        let bytes = capture(&[(0, 0x0001_0002_0003_0004, 3, vec![1, 2, 3, 4, 5])]);
        let section_len = bytes[4] as usize;
        let blocks = words(&bytes[section_len..]);
        let interface = [
            [1, 68, 1, 0, 2 | 6 << 16, text(b"rout"), text(b"er\0\0"), 3 | 8 << 16],
            [text(b"inte"), text(b"rnet"), 9 | 1 << 16, 9, 14 | 8 << 16, 0, 0, 0],
        ];
        assert_eq!(blocks[..16], *interface.as_flattened());
        assert_eq!(blocks[16..], [68, 6, 40, 0, 0x0001_0002, 0x0003_0004, 5, 8, 0x0403_0201, 5, 40][..]);
        assert_eq!(words(&bytes[..16])[..], [0x0a0d_0d0a, section_len as u32, 0x1a2b_3c4d, 1]);
    }

    #[test]
    fn a_frame_of_an_unknown_point_is_not_written() {
        let mut writer = Writer::new(Vec::new()).unwrap();
        assert_eq!(writer.write_frame(0, 0, 0, &[]).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    }

    /// Blocks of a big-endian file in microseconds, the default, and then in units of 2^-10 s.
    #[test]
    fn foreign_byte_order_and_resolutions_are_honoured() {
        let block = |kind: u32, body: &[u8]| {
            let len = (12 + body.len() as u32).to_be_bytes();
            [&kind.to_be_bytes()[..], &len, body, &len].concat()
        };
        let section = block(0x0a0d_0d0a, &[0x1a, 0x2b, 0x3c, 0x4d, 0, 1, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]);
        let micro = block(1, &[0, 1, 0, 0, 0, 0, 0, 0]);
        let binary = block(1, &[0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 0x8a, 0, 0, 0, 0, 0, 0, 0]);
        let packet = |interface: u8, ticks: u16| {
            let [high, low] = ticks.to_be_bytes();
            let body = [[0, 0, 0, interface], [0; 4], [0, 0, high, low], [0, 0, 0, 1], [0, 0, 0, 1], [7, 0, 0, 0]];
            block(6, &body.concat())
        };
        let file = [
            section.clone(),
            micro,
            binary.clone(),
            packet(0, 1500),
            packet(1, 1536),
            section,
            binary,
            packet(0, 1024),
        ];
        let capture = read(&file.concat()).unwrap();
        let seen: Vec<_> = capture.frames.iter().map(|frame| (frame.point, frame.time_ns, frame.data.len())).collect();
        assert_eq!(seen, [(0, 1_500_000, 1), (1, 1_500_000_000, 1), (2, 1_000_000_000, 1)]);
        assert_eq!(capture.points[0].side, None);
    }
}
