//! Messages that come in pieces.

use std::net::Ipv4Addr;

use proptest::{collection::vec, prelude::*, sample::Index};

use super::super::*;

const SOURCE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);

/// The message in which a piece travels.
pub(crate) fn carried(header: &[u8], piece: &Fragment) -> Vec<u8> {
    let payload = super::chained(payload::NONE, &Body::Fragment(piece.clone()).emit());
    let length = (HEADER + payload.len()) as u32;
    [&header[..16], &[payload::FRAGMENT, 0x10, header[18], 0], &header[20..24], &length.to_be_bytes(), &payload]
        .concat()
}

/// A message in pieces of so many bytes at most.
pub(crate) fn pieces(message: &[u8], size: usize) -> Vec<Vec<u8>> {
    let parts = message.chunks(size);
    let count = parts.len();
    let piece = |(number, data): (u8, &[u8])| Fragment {
        id: 1,
        number,
        last: usize::from(number) == count,
        data: data.to_vec(),
    };
    (1..).zip(parts).map(piece).map(|piece| carried(message, &piece)).collect()
}

fn take(fragments: &mut Fragments, bytes: &[u8], frame: u64) -> Piece {
    fragments.take(SOURCE, &Message::parse(bytes).unwrap(), frame).unwrap()
}

/// Any message, with a header of which only the length counts.
fn message() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), HEADER..400).prop_map(|mut bytes| {
        let length = bytes.len() as u32;
        (bytes[17], bytes[19]) = (0x10, 0);
        bytes[24..28].copy_from_slice(&length.to_be_bytes());
        bytes
    })
}

proptest! {
    #[test]
    fn pieces_in_any_order_and_more_than_once_make_the_message(
        message in message(), size in 8..200usize, order in vec(any::<Index>(), 0..100),
    ) {
        let pieces = pieces(&message, size);
        let mut fragments = Fragments::default();
        let mut seen = std::collections::BTreeSet::new();
        let all = order.iter().map(|index| index.index(pieces.len())).chain(0..pieces.len());
        for (frame, index) in (1..).zip(all) {
            let new = seen.insert(index);
            let taken = take(&mut fragments, &pieces[index], frame);
            match (seen.len() == pieces.len(), taken) {
                (false, taken) => prop_assert_eq!(taken, Piece::Waits),
                (true, Piece::Completes { message: whole, frames }) => {
                    prop_assert!(new || index + 1 == pieces.len());
                    prop_assert_eq!((&whole, frames.len()), (&message, pieces.len()));
                }
                (true, taken) => prop_assert!(!new && taken == Piece::Waits),
            }
        }
        prop_assert_eq!(fragments.finish().count(), 0);
    }

    #[test]
    fn arbitrary_pieces_never_panic_and_are_bounded(
        parts in vec((0..90u8, 1..7u8, any::<bool>(), 0..3usize), 0..300),
    ) {
        let mut fragments = Fragments::default();
        let mut given_up = 0;
        for (frame, (cookie, number, last, size)) in (1..).zip(parts) {
            let piece = Fragment { id: 1, number, last, data: vec![cookie; size * 30_000] };
            take(&mut fragments, &carried(&[cookie; 24], &piece), frame);
            given_up += fragments.given_up().map(|set| set.missing()).filter(|missing| !missing.contains("  ")).count();
        }
        let rest = fragments.finish().count();
        prop_assert!(rest <= 64 && given_up <= 300);
    }
}

#[test]
fn what_is_missing_is_named() {
    let bytes: Vec<u8> = [&[7; 17][..], &[0x10, 2, 0, 0, 0, 0, 0, 0, 0, 0, 200], &[9; 172]].concat();
    let pieces = pieces(&bytes, 50);
    let missing = |numbers: &[usize]| {
        let mut fragments = Fragments::default();
        for (frame, number) in (1..).zip(numbers) {
            assert_eq!(take(&mut fragments, &pieces[number - 1], frame), Piece::Waits);
        }
        fragments.finish().map(|set| (set.missing(), set.frames)).collect::<Vec<_>>()
    };
    assert_eq!(missing(&[1, 2, 4]), [("3".to_owned(), vec![1, 2, 3])]);
    assert_eq!(missing(&[4]), [("1, 2, 3".to_owned(), vec![1])]);
    assert_eq!(missing(&[2, 2]), [("1, those behind 2".to_owned(), vec![1])]);
}

#[test]
fn a_piece_that_contradicts_the_others_begins_another_message() {
    let [one, other]: [Vec<u8>; 2] =
        [5, 6].map(|fill| [&[7; 17][..], &[0x10, 2, 0, 0, 0, 0, 0, 0, 0, 0, 90], &[fill; 62]].concat());
    let mut fragments = Fragments::default();
    assert_eq!(take(&mut fragments, &pieces(&one, 30)[0], 1), Piece::Waits);
    let taken: Vec<_> =
        (2..).zip(pieces(&other, 30)).map(|(frame, piece)| take(&mut fragments, &piece, frame)).collect();
    assert_eq!(taken[..2], [Piece::Waits, Piece::Waits]);
    assert_eq!(taken[2], Piece::Completes { message: other, frames: vec![2, 3, 4] });
    let given_up: Vec<_> = fragments.given_up().map(|set| set.frames).collect();
    assert_eq!(given_up, [[1]]);
    let none = Fragment { id: 1, number: 0, last: true, data: Vec::new() };
    assert!(fragments.take(SOURCE, &Message::parse(&carried(&one, &none)).unwrap(), 9).is_err());
}
