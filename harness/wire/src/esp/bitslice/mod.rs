//! 3DES decryption of many blocks at once (Biham, "A Fast New DES Implementation in Software", 1997): bit `i` of all
//! blocks lies in one row, so that a gate of the cipher is one instruction for as many blocks as a register has bits.
//! Decryption in CBC is free to do so, since no block waits for another.
//!
//! There is no shuffling of bits between the gates: permutations only say which row comes next. Which registers there
//! are is found out when it runs. Everything below [`decrypt_cbc`] has to be inlined into what was compiled for them, or
//! else it would be compiled for those that every machine has.

mod boxes;

use boxes::{Inputs, Outputs};
use fearless_simd::{Level, Simd, SimdBase, dispatch};

/// A register: 64 blocks in each lane of it.
type Row<S> = <S as Simd>::u64s;

/// Blocks of the widest registers, 64 of them in each of 8 lanes.
const MOST: usize = 512;

/// The key of a round: for each box the six bits, spread over a lane.
type Round = [[u64; 6]; 8];
type Half<S> = [Row<S>; 32];

/// The three keys of EDE, as their rounds use them in the order of decryption: 48 bits in each.
#[derive(Clone)]
pub(super) struct TripleDes {
    rounds: [u64; 48],
}

impl TripleDes {
    pub(super) fn new(key: &[u8; 24]) -> Self {
        let [first, second, third] = [0, 8, 16].map(|at| {
            let bytes = std::array::from_fn(|i| key[at + i]);
            schedule(u64::from_be_bytes(bytes))
        });
        // Decryption undoes the third key, redoes the second, and undoes the first.
        let rounds = third.into_iter().rev().chain(second).chain(first.into_iter().rev());
        let mut keys = [0; 48];
        keys.iter_mut().zip(rounds).for_each(|(key, round)| *key = round);
        Self { rounds: keys }
    }

    /// Appends the insides of several texts of whole blocks, each with its initialisation vector: the blocks of all of
    /// them fill the rows together.
    pub(super) fn decrypt_cbc(&self, texts: &[(&[u8], &[u8])], clear: &mut Vec<u8>) {
        self.decrypt_cbc_at(Level::new(), texts, clear);
    }

    fn decrypt_cbc_at(&self, level: Level, texts: &[(&[u8], &[u8])], clear: &mut Vec<u8>) {
        dispatch!(level, simd => decrypt_cbc(simd, &self.rounds, texts, clear));
    }
}

#[inline(always)]
fn decrypt_cbc<S: Simd>(simd: S, keys: &[u64; 48], texts: &[(&[u8], &[u8])], clear: &mut Vec<u8>) {
    let mut rounds = [[[0; 6]; 8]; 48];
    for (round, key) in rounds.iter_mut().zip(keys) {
        for (bit, word) in round.as_flattened_mut().iter_mut().enumerate() {
            *word = (key >> (47 - bit) & 1).wrapping_neg();
        }
    }
    let full = 64 * S::u64s::LEN;
    let mut batch = Batch { blocks: [0; MOST], before: [0; MOST], len: 0 };
    for (iv, text) in texts {
        let mut before = iv.first_chunk().copied().map_or(0, u64::from_le_bytes);
        let mut blocks = text.as_chunks().0;
        while !blocks.is_empty() {
            let (now, later) = blocks.split_at(blocks.len().min(full - batch.len));
            before = batch.add(before, now);
            blocks = later;
            if batch.len == full {
                batch.finish(simd, &rounds, clear);
            }
        }
    }
    if batch.len > 0 {
        batch.finish(simd, &rounds, clear);
    }
}

/// Blocks until there are enough of them, in words whose lowest byte is the first of the block.
struct Batch {
    blocks: [u64; MOST],
    /// What comes before each block in its chain.
    before: [u64; MOST],
    len: usize,
}

impl Batch {
    /// Of one text; says which block was the last.
    #[inline(always)]
    fn add(&mut self, before: u64, blocks: &[[u8; 8]]) -> u64 {
        let places = self.blocks[self.len..].iter_mut().zip(&mut self.before[self.len..]);
        self.len += blocks.len();
        places.zip(blocks).fold(before, |last, ((place, before), block)| {
            (*place, *before) = (u64::from_le_bytes(*block), last);
            *place
        })
    }

    #[inline(always)]
    fn finish<S: Simd>(&mut self, simd: S, rounds: &[Round], clear: &mut Vec<u8>) {
        let lanes = S::u64s::LEN;
        let mut rows = [S::u64s::splat(simd, 0); 64];
        for (i, row) in rows.iter_mut().enumerate() {
            *row = S::u64s::from_slice(simd, &self.blocks[lanes * i..][..lanes]);
        }
        decrypt::<S>(rounds, &mut rows);
        for (i, row) in rows.into_iter().enumerate() {
            let before = S::u64s::from_slice(simd, &self.before[lanes * i..][..lanes]);
            (row ^ before).store_slice(&mut self.blocks[lanes * i..][..lanes]);
        }
        let begin = clear.len();
        clear.resize(begin + 8 * self.len, 0);
        for (bytes, block) in clear[begin..].as_chunks_mut().0.iter_mut().zip(&self.blocks) {
            *bytes = block.to_le_bytes();
        }
        self.len = 0;
    }
}

/// 64 blocks in each lane: row `i` has the blocks number `i`.
#[inline(always)]
fn decrypt<S: Simd>(rounds: &[Round], rows: &mut [Row<S>; 64]) {
    transpose::<S>(rows);
    let (mut left, mut right) = ([rows[0]; 32], [rows[0]; 32]);
    for (&from, row) in INITIAL.iter().zip(left.iter_mut().chain(&mut right)) {
        *row = rows[row_of(from)];
    }
    for key in rounds.chunks(16) {
        for pair in key.chunks(2) {
            if let [even, odd] = pair {
                round::<S>(even, &right, &mut left);
                round::<S>(odd, &left, &mut right);
            }
        }
        // After the last round the halves change places; the permutations between two keys undo each other.
        std::mem::swap(&mut left, &mut right);
    }
    for (&to, row) in INITIAL.iter().zip(left.iter().chain(&right)) {
        rows[row_of(to)] = *row;
    }
    transpose::<S>(rows);
}

/// The tables count bits from 1 and from the first byte's most significant one; rows begin with the most significant bit
/// of the word, which is of its last byte.
const fn row_of(bit: u8) -> usize {
    (bit as usize - 1) ^ 56
}

#[inline(always)]
fn round<S: Simd>(key: &Round, from: &Half<S>, to: &mut Half<S>) {
    mix::<S, 0>(to, boxes::s1::<S>(expand::<S, 0>(key, from)));
    mix::<S, 1>(to, boxes::s2::<S>(expand::<S, 1>(key, from)));
    mix::<S, 2>(to, boxes::s3::<S>(expand::<S, 2>(key, from)));
    mix::<S, 3>(to, boxes::s4::<S>(expand::<S, 3>(key, from)));
    mix::<S, 4>(to, boxes::s5::<S>(expand::<S, 4>(key, from)));
    mix::<S, 5>(to, boxes::s6::<S>(expand::<S, 5>(key, from)));
    mix::<S, 6>(to, boxes::s7::<S>(expand::<S, 6>(key, from)));
    mix::<S, 7>(to, boxes::s8::<S>(expand::<S, 7>(key, from)));
}

/// The expansion: each box takes four bits, and one of either neighbour.
#[inline(always)]
fn expand<S: Simd, const BOX: usize>(key: &Round, from: &Half<S>) -> Inputs<S> {
    let (first, key) = (4 * BOX + 31, &key[BOX]);
    [
        from[first % 32] ^ key[0],
        from[(first + 1) % 32] ^ key[1],
        from[(first + 2) % 32] ^ key[2],
        from[(first + 3) % 32] ^ key[3],
        from[(first + 4) % 32] ^ key[4],
        from[(first + 5) % 32] ^ key[5],
    ]
}

#[inline(always)]
fn mix<S: Simd, const BOX: usize>(to: &mut Half<S>, output: Outputs<S>) {
    for (i, word) in output.into_iter().enumerate() {
        let place = &mut to[const { places(BOX) }[i]];
        *place ^= word;
    }
    // One box after another: the compiler would begin all eight at once, and has no registers for that.
    std::hint::black_box(to);
}

/// To which bits the permutation after the boxes takes the four of this box.
const fn places(number: usize) -> [usize; 4] {
    let mut places = [0; 4];
    let mut i = 0;
    while i < 32 {
        let from = PERMUTATION[i] as usize - 1;
        if from / 4 == number {
            places[from % 4] = i;
        }
        i += 1;
    }
    places
}

/// Bit `j` of row `i` becomes bit `i` of row `j`, counted from the most significant one, in each lane by itself: first
/// halves change places, then quarters in each, and so on.
#[inline(always)]
fn transpose<S: Simd>(rows: &mut [Row<S>; 64]) {
    exchange::<S, 32>(rows, 0x0000_0000_ffff_ffff);
    exchange::<S, 16>(rows, 0x0000_ffff_0000_ffff);
    exchange::<S, 8>(rows, 0x00ff_00ff_00ff_00ff);
    exchange::<S, 4>(rows, 0x0f0f_0f0f_0f0f_0f0f);
    exchange::<S, 2>(rows, 0x3333_3333_3333_3333);
    exchange::<S, 1>(rows, 0x5555_5555_5555_5555);
}

#[inline(always)]
fn exchange<S: Simd, const WIDTH: usize>(rows: &mut [Row<S>; 64], mask: u64) {
    for block in rows.chunks_exact_mut(2 * WIDTH) {
        let (upper, lower) = block.split_at_mut(WIDTH);
        for (upper, lower) in upper.iter_mut().zip(lower) {
            let exchange = (*upper ^ *lower >> WIDTH as u32) & mask;
            *upper ^= exchange;
            *lower ^= exchange << WIDTH as u32;
        }
    }
}

/// The keys of the 16 rounds of encryption, 48 bits in each.
fn schedule(key: u64) -> [u64; 16] {
    let mut halves = permute(key, 64, &CHOICE_1);
    SHIFTS.map(|shift| {
        let rotate = |half: u64| (half << shift | half >> (28 - shift)) & 0x0fff_ffff;
        halves = rotate(halves >> 28) << 28 | rotate(halves & 0x0fff_ffff);
        permute(halves, 56, &CHOICE_2)
    })
}

/// The tables count bits from 1, from the most significant of `width`.
fn permute(value: u64, width: u32, table: &[u8]) -> u64 {
    table.iter().fold(0, |bits, &from| bits << 1 | value >> (width - u32::from(from)) & 1)
}

#[rustfmt::skip]
const INITIAL: [u8; 64] = [
    58, 50, 42, 34, 26, 18, 10, 2, 60, 52, 44, 36, 28, 20, 12, 4,
    62, 54, 46, 38, 30, 22, 14, 6, 64, 56, 48, 40, 32, 24, 16, 8,
    57, 49, 41, 33, 25, 17, 9, 1, 59, 51, 43, 35, 27, 19, 11, 3,
    61, 53, 45, 37, 29, 21, 13, 5, 63, 55, 47, 39, 31, 23, 15, 7,
];

#[rustfmt::skip]
const PERMUTATION: [u8; 32] = [
    16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10,
    2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25,
];

#[rustfmt::skip]
const CHOICE_1: [u8; 56] = [
    57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18,
    10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44, 36,
    63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22,
    14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4,
];

#[rustfmt::skip]
const CHOICE_2: [u8; 48] = [
    14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4,
    26, 8, 16, 7, 27, 20, 13, 2, 41, 52, 31, 37, 47, 55, 30, 40,
    51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
];

const SHIFTS: [u32; 16] = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1];

#[cfg(test)]
mod tests {
    use aes::cipher::{BlockModeEncrypt, KeyIvInit, block_padding::NoPadding};
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Against the crate, which takes one block at a time; of every number of blocks, whole rows or not, and in
        /// registers of each width that there is.
        #[test]
        fn what_one_block_at_a_time_encrypted_is_decrypted(
            key in any::<[u8; 24]>(), texts in vec((any::<[u8; 8]>(), vec(any::<[u8; 8]>(), 0..400)), 0..5),
        ) {
            let sealed: Vec<_> = texts.iter().map(|(iv, text)| {
                let text = text.as_flattened();
                cbc::Encryptor::<des::TdesEde3>::new(&key.into(), iv.into()).encrypt_padded_vec::<NoPadding>(text)
            }).collect();
            let sealed: Vec<_> = texts.iter().zip(&sealed).map(|((iv, _), sealed)| (&iv[..], &sealed[..])).collect();
            let expected: Vec<u8> = texts.iter().flat_map(|(_, text)| text.as_flattened()).copied().collect();
            let widest = Level::new();
            let narrower = widest.as_avx2().map(Level::Avx2).into_iter().chain([Level::baseline()]);
            for level in [widest].into_iter().chain(narrower) {
                let mut clear = Vec::new();
                TripleDes::new(&key).decrypt_cbc_at(level, &sealed, &mut clear);
                prop_assert_eq!(&clear, &expected, "{:?}", level);
            }
        }
    }

    /// With three equal keys it is DES. The first is a known answer of many textbooks, the others are of NIST SP 800-17,
    /// appendix A: variable plaintext, variable key, permutation and substitution.
    #[test]
    fn known_answers_are_found() {
        let answers = [
            (0x1334_5779_9bbc_dff1, 0x0123_4567_89ab_cdef, 0x85e8_1354_0f0a_b405),
            (0x0101_0101_0101_0101, 0x8000_0000_0000_0000, 0x95f8_a5e5_dd31_d900),
            (0x0101_0101_0101_0101, 0x4000_0000_0000_0000, 0xdd7f_121c_a501_5619),
            (0x8001_0101_0101_0101, 0, 0x95a8_d728_13da_a94d),
            (0x1046_9134_8998_0131, 0, 0x88d5_5e54_f54c_97b4),
            (0x7ca1_1045_4a1a_6e57, 0x01a1_d6d0_3977_6742, 0x690f_5b0d_9a26_939b),
        ];
        for (key, plain, cipher) in answers {
            let key: u64 = key;
            let key: [u8; 24] = std::array::from_fn(|i| key.to_be_bytes()[i % 8]);
            let (plain, cipher): (u64, u64) = (plain, cipher);
            let mut clear = Vec::new();
            TripleDes::new(&key).decrypt_cbc(&[(&[0; 8], &cipher.to_be_bytes())], &mut clear);
            assert_eq!(clear, plain.to_be_bytes());
        }
    }
}
