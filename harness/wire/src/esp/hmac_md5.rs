//! HMAC-MD5 (RFC 2104, RFC 1321) of many texts at once, one in each lane of the machine's widest registers. Each step of
//! MD5 waits for the one before, and so a single text leaves most of the machine idle; texts do not wait for each other.
//!
//! As with 3DES, everything below [`of_all`] has to be inlined into what was compiled for these registers.

use fearless_simd::{Level, Simd, SimdBase, dispatch};
use md5::block_api::compress;

const BLOCK: usize = 64;
/// Lanes of the widest registers.
const MOST: usize = 16;

type Words<S> = <S as Simd>::u32s;
pub(super) type Digest = [u8; 16];

/// What MD5 has become after the first block of either pass, which is the key's own.
#[derive(Clone)]
pub(super) struct HmacMd5 {
    inner: [u32; 4],
    outer: [u32; 4],
}

impl HmacMd5 {
    pub(super) fn new(key: &[u8; 16]) -> Self {
        let [inner, outer] = [0x36, 0x5c].map(|pad| {
            let mut state = BEGIN;
            compress(&mut state, &[std::array::from_fn(|i| key.get(i).copied().unwrap_or(0) ^ pad)]);
            state
        });
        Self { inner, outer }
    }

    /// Of each text, in their order.
    pub(super) fn of_all(&self, texts: &[&[u8]]) -> Vec<Digest> {
        self.of_all_at(Level::new(), texts)
    }

    fn of_all_at(&self, level: Level, texts: &[&[u8]]) -> Vec<Digest> {
        // Lanes wait for the longest text among them.
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_unstable_by_key(|&i| texts[i].len());
        let mut digests = vec![[0; 16]; texts.len()];
        dispatch!(level, simd => of_all(simd, self, &order, texts, &mut digests));
        digests
    }
}

#[inline(always)]
fn of_all<S: Simd>(simd: S, keys: &HmacMd5, order: &[usize], texts: &[&[u8]], digests: &mut [Digest]) {
    for together in order.chunks(Words::<S>::LEN) {
        let mut lanes = [Lane::EMPTY; MOST];
        for (lane, &i) in lanes.iter_mut().zip(together) {
            *lane = Lane::new(texts[i]);
        }
        let inner = inner::<S>(simd, keys.inner, &lanes[..Words::<S>::LEN]);
        let outer = outer::<S>(simd, keys.outer, inner);
        for (lane, &i) in together.iter().enumerate() {
            for (bytes, words) in digests[i].as_chunks_mut().0.iter_mut().zip(&outer) {
                *bytes = words[lane].to_le_bytes();
            }
        }
    }
}

/// A text behind the key's block, and its end with padding and length.
#[derive(Clone, Copy)]
struct Lane<'a> {
    whole: &'a [[u8; BLOCK]],
    end: [[u8; BLOCK]; 2],
    blocks: usize,
}

impl<'a> Lane<'a> {
    const EMPTY: Self = Self { whole: &[], end: [[0; BLOCK]; 2], blocks: 0 };

    #[inline(always)]
    fn new(text: &'a [u8]) -> Self {
        let (whole, rest) = text.as_chunks();
        let mut end = [[0; BLOCK]; 2];
        let bytes = end.as_flattened_mut();
        bytes[..rest.len()].copy_from_slice(rest);
        bytes[rest.len()] = 0x80;
        let end_len = (rest.len() + 1 + 8).next_multiple_of(BLOCK);
        let bits = 8 * (BLOCK + text.len()) as u64;
        bytes[end_len - 8..end_len].copy_from_slice(&bits.to_le_bytes());
        Self { whole, end, blocks: whole.len() + end_len / BLOCK }
    }

    /// Behind the end it does not matter.
    #[inline(always)]
    fn block(&self, number: usize) -> &[u8; BLOCK] {
        self.whole.get(number).unwrap_or_else(|| &self.end[(number - self.whole.len()).min(1)])
    }
}

/// The words of the digests, lane by lane.
#[inline(always)]
fn inner<S: Simd>(simd: S, begin: [u32; 4], lanes: &[Lane<'_>]) -> [Words<S>; 4] {
    let mut state = begin.map(|word| Words::<S>::splat(simd, word));
    let mut digests = state;
    let fewest = lanes.iter().map(|lane| lane.blocks).min().unwrap_or(0);
    let most = lanes.iter().map(|lane| lane.blocks).max().unwrap_or(0);
    for number in 0..most {
        let mut words = [0; 16 * MOST];
        for (words, lane) in words.as_chunks_mut::<16>().0.iter_mut().zip(lanes) {
            for (word, bytes) in words.iter_mut().zip(lane.block(number).as_chunks().0) {
                *word = u32::from_le_bytes(*bytes);
            }
        }
        state = block::<S>(state, &transpose::<S>(simd, &words));
        if number + 1 >= fewest {
            for (i, _) in lanes.iter().enumerate().filter(|(_, lane)| lane.blocks == number + 1) {
                for (digest, word) in digests.iter_mut().zip(&state) {
                    digest[i] = word[i];
                }
            }
        }
    }
    digests
}

#[inline(always)]
fn outer<S: Simd>(simd: S, begin: [u32; 4], digests: [Words<S>; 4]) -> [Words<S>; 4] {
    let mut words = [Words::<S>::splat(simd, 0); 16];
    words[..4].copy_from_slice(&digests);
    words[4] = Words::<S>::splat(simd, 0x80);
    words[14] = Words::<S>::splat(simd, 8 * (BLOCK + 16) as u32);
    block::<S>(begin.map(|word| Words::<S>::splat(simd, word)), &words)
}

/// From the 16 words of each lane to the lanes of each word. To shuffle all of them as cards are, one from either half in
/// turn, moves the highest bit of their indices to the lowest place; this is done with each bit of the lane.
#[inline(always)]
fn transpose<S: Simd>(simd: S, words: &[u32; 16 * MOST]) -> [Words<S>; 16] {
    let lanes = Words::<S>::LEN;
    let mut rows = [Words::<S>::splat(simd, 0); 16];
    for (row, words) in rows.iter_mut().zip(words.chunks_exact(lanes)) {
        *row = Words::<S>::from_slice(simd, words);
    }
    for _ in 0..lanes.ilog2() {
        let before = rows;
        for i in 0..8 {
            (rows[2 * i], rows[2 * i + 1]) = before[i].interleave(before[i + 8]);
        }
    }
    rows
}

/// One block in each lane (RFC 1321 section 3.4).
#[inline(always)]
fn block<S: Simd>(begin: [Words<S>; 4], words: &[Words<S>; 16]) -> [Words<S>; 4] {
    let mut state = begin;
    macro_rules! steps {
        ($($number:literal)*) => { $( state = step::<S, $number>(state, words); )* };
    }
    steps! {
        0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15
        16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
        32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47
        48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63
    }
    for (word, begin) in state.iter_mut().zip(begin) {
        *word += begin;
    }
    state
}

#[inline(always)]
fn step<S: Simd, const NUMBER: usize>([a, b, c, d]: [Words<S>; 4], words: &[Words<S>; 16]) -> [Words<S>; 4] {
    let (mixed, word) = match NUMBER / 16 {
        0 => (d ^ (b & (c ^ d)), NUMBER),
        1 => (c ^ (d & (b ^ c)), 5 * NUMBER + 1),
        2 => (b ^ c ^ d, 3 * NUMBER + 5),
        _ => (c ^ (b | !d), 7 * NUMBER),
    };
    let sum: Words<S> = a + (words[word % 16] + SINES[NUMBER]) + mixed;
    let shift = const { SHIFTS[NUMBER / 16][NUMBER % 4] };
    [d, b + (sum << shift | sum >> (32 - shift)), b, c]
}

const BEGIN: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// The first 32 bits after the point of |sin(i + 1)|.
#[rustfmt::skip]
const SINES: [u32; 64] = [
    0xd76a_a478, 0xe8c7_b756, 0x2420_70db, 0xc1bd_ceee, 0xf57c_0faf, 0x4787_c62a, 0xa830_4613, 0xfd46_9501,
    0x6980_98d8, 0x8b44_f7af, 0xffff_5bb1, 0x895c_d7be, 0x6b90_1122, 0xfd98_7193, 0xa679_438e, 0x49b4_0821,
    0xf61e_2562, 0xc040_b340, 0x265e_5a51, 0xe9b6_c7aa, 0xd62f_105d, 0x0244_1453, 0xd8a1_e681, 0xe7d3_fbc8,
    0x21e1_cde6, 0xc337_07d6, 0xf4d5_0d87, 0x455a_14ed, 0xa9e3_e905, 0xfcef_a3f8, 0x676f_02d9, 0x8d2a_4c8a,
    0xfffa_3942, 0x8771_f681, 0x6d9d_6122, 0xfde5_380c, 0xa4be_ea44, 0x4bde_cfa9, 0xf6bb_4b60, 0xbebf_bc70,
    0x289b_7ec6, 0xeaa1_27fa, 0xd4ef_3085, 0x0488_1d05, 0xd9d4_d039, 0xe6db_99e5, 0x1fa2_7cf8, 0xc4ac_5665,
    0xf429_2244, 0x432a_ff97, 0xab94_23a7, 0xfc93_a039, 0x655b_59c3, 0x8f0c_cc92, 0xffef_f47d, 0x8584_5dd1,
    0x6fa8_7e4f, 0xfe2c_e6e0, 0xa301_4314, 0x4e08_11a1, 0xf753_7e82, 0xbd3a_f235, 0x2ad7_d2bb, 0xeb86_d391,
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use hmac::{Hmac, KeyInit, Mac};
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Against the crate, which takes one text at a time; in registers of each width that there is.
        #[test]
        fn many_texts_have_the_digests_that_each_of_them_has(
            key in any::<[u8; 16]>(), texts in vec(vec(any::<u8>(), 0..300), 0..40),
        ) {
            let single = <Hmac<md5::Md5> as KeyInit>::new_from_slice(&key).unwrap();
            let texts: Vec<_> = texts.iter().map(|text| &text[..]).collect();
            let expected: Vec<_> =
                texts.iter().map(|text| Digest::from(single.clone().chain_update(text).finalize().into_bytes())).collect();
            let widest = Level::new();
            let narrower = widest.as_avx2().map(Level::Avx2).into_iter().chain([Level::baseline()]);
            for level in [widest].into_iter().chain(narrower) {
                prop_assert_eq!(&HmacMd5::new(&key).of_all_at(level, &texts), &expected, "{:?}", level);
            }
        }
    }

    /// RFC 2202 section 2, test case 1.
    #[test]
    fn a_known_answer_is_found() {
        let digests = HmacMd5::new(&[0x0b; 16]).of_all(&[b"Hi There"]);
        assert_eq!(digests.as_flattened(), 0x9294_727a_3638_bb1c_13f4_8ef8_158b_fc9d_u128.to_be_bytes());
    }
}
