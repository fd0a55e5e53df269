//! Captures. Ours are pcapng: one interface description per capture point, time in nanoseconds. Foreign ones are
//! read as well, and the older pcap.

mod annotate;
mod interface;
mod read;
mod write;

pub use annotate::annotate;
pub use read::{Capture, Frame, Point, Reader, read};
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
    use crate::{Error, link::Link};

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
        assert_eq!(read(&bytes[..bytes.len() - 5]).unwrap_err(), Error::CutOff { offset: whole as u64 });
        assert_eq!(read(b"another format").unwrap_err(), Error::NotACapture);
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

    fn older(magic: u32, big_endian: bool, linktype: u32, records: &[(u32, u32, u32, &[u8])]) -> Vec<u8> {
        let word = |word: u32| if big_endian { word.to_be_bytes() } else { word.to_le_bytes() };
        let version = if big_endian { [0, 2, 0, 4] } else { [2, 0, 4, 0] };
        let mut file = [word(magic), version, [0; 4], [0; 4], word(65_535), word(linktype)].concat();
        for &(seconds, fraction, original, data) in records {
            file.extend([seconds, fraction, data.len() as u32, original].map(word).concat());
            file.extend(data);
        }
        file
    }

    #[test]
    fn the_older_format_is_read_in_both_orders_and_resolutions() {
        let records: [(u32, u32, u32, &[u8]); 2] = [(1, 5, 3, &[7, 8, 9]), (2, 6, 60, &[1])];
        for big_endian in [false, true] {
            for (magic, unit) in [(0xa1b2_c3d4, 1000), (0xa1b2_3c4d, 1)] {
                let capture = read(&older(magic, big_endian, 0x3000_0065, &records)).unwrap();
                assert_eq!(capture.points.len(), 1);
                let seen = capture.frames.iter().map(|frame| {
                    let Frame { number, point, time_ns, original_len, link, .. } = *frame;
                    (number, point, time_ns, original_len, link, &frame.data[..])
                });
                let expected = [
                    (1, 0, 1_000_000_000 + 5 * unit, 3, Link::Raw, &[7, 8, 9][..]),
                    (2, 0, 2_000_000_000 + 6 * unit, 60, Link::Raw, &[1][..]),
                ];
                assert!(seen.eq(expected), "{magic:#x} {big_endian}: {capture:?}");
            }
        }
        let whole = older(0xa1b2_c3d4, false, 1, &records);
        assert_eq!(read(&whole[..whole.len() - 1]).unwrap_err(), Error::CutOff { offset: 24 + 19 });
        assert_eq!(read(&whole[..30]).unwrap_err(), Error::CutOff { offset: 24 });
        let foreign = Error::LinkType { point: "interface 0".to_owned(), linktype: 105 };
        assert_eq!(read(&older(0xa1b2_c3d4, false, 105, &[])).unwrap_err(), foreign);
    }

    /// As a damaged or a hostile file has them: nothing is allocated before the bytes are there.
    #[test]
    fn claims_that_no_capture_keeps_are_refused_at_their_place() {
        let mut file = older(0xa1b2_c3d4, false, 1, &[(0, 0, 1, &[1])]);
        let offset = file.len() as u64;
        file.extend([[0; 4], [0; 4], [0, 0, 0, 0x70], [1, 0, 0, 0]].concat());
        assert_eq!(read(&file).unwrap_err(), Error::BlockLength { offset, length: 0x7000_0000 });

        let mut file = capture(&[]);
        let offset = file.len() as u64;
        file.extend([[6, 0, 0, 0], [0xfc, 0xff, 0xff, 0xff], [0; 4]].concat());
        assert_eq!(read(&file).unwrap_err(), Error::BlockLength { offset, length: 0xffff_fffc });

        let section = capture(&[])[4] as usize;
        let interface = [[1, 0, 0, 0], [20, 0, 0, 0], [1, 0, 0, 0], [0; 4], [20, 0, 0, 0]].concat();
        let file = [&capture(&[])[..section], &interface.repeat(4097)].concat();
        let offset = (section + 4096 * interface.len()) as u64;
        assert_eq!(read(&file).unwrap_err(), Error::Interfaces { offset, most: 4096 });
    }

    /// A pipe gives a few bytes at a time, and the memory of a frame is used for the next one.
    #[test]
    fn a_capture_that_comes_in_pieces_is_read_alike() {
        struct Pieces<'a>(&'a [u8]);
        impl std::io::Read for Pieces<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                let len = buffer.len().min(7);
                self.0.read(&mut buffer[..len])
            }
        }
        let frames: Vec<_> = (0..9).map(|n| (0, n, 0, vec![n as u8; 400 * (n as usize % 3)])).collect();
        let bytes = capture(&frames);
        let whole = read(&bytes).unwrap();
        let mut reader = Reader::new(Pieces(&bytes)).unwrap();
        let mut frame = Frame::default();
        for expected in &whole.frames {
            assert_eq!((reader.read_frame(&mut frame), &frame), (Ok(true), expected));
        }
        assert_eq!((reader.read_frame(&mut frame), reader.points()), (Ok(false), &whole.points[..]));
    }
}
