//! 3DES decryption of many blocks at once (Biham, "A Fast New DES Implementation in Software", 1997): bit `i` of all
//! blocks lies in one row of words, so that a gate of the cipher is one instruction for as many blocks as a register
//! has bits. Decryption in CBC is free to do so, since no block waits for another.
//!
//! There is no shuffling of bits between the gates: permutations only say which row comes next.

mod boxes;

use boxes::{Inputs, Outputs};

/// Words of a row: as many as keep the compiler in vector registers, and all rows in the nearest cache.
const LANES: usize = 8;
const FULL: usize = 64 * LANES;

/// The key of a row of 64 blocks: for each round and box the six bits, spread over a word.
type Round = [Inputs; 8];
type Half<const N: usize> = [[u64; N]; 32];

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
        let spread = |key: u64, bit: usize| (key >> (47 - bit) & 1).wrapping_neg();
        let round = |key| std::array::from_fn(|n| std::array::from_fn(|i| spread(key, 6 * n + i)));
        let rounds: Vec<Round> = self.rounds.iter().map(|&key| round(key)).collect();
        let mut batch = Batch { rounds, blocks: [0; FULL], before: [0; FULL], len: 0 };
        for (iv, text) in texts {
            let mut before = iv.first_chunk().copied().map_or(0, u64::from_be_bytes);
            for &block in text.as_chunks().0 {
                let block = u64::from_be_bytes(block);
                (batch.blocks[batch.len], batch.before[batch.len]) = (block, before);
                before = block;
                batch.len += 1;
                if batch.len == FULL {
                    batch.finish(clear);
                }
            }
        }
        batch.finish(clear);
    }
}

/// Blocks until there are enough of them.
struct Batch {
    rounds: Vec<Round>,
    blocks: [u64; FULL],
    /// What comes before each block in its chain.
    before: [u64; FULL],
    len: usize,
}

impl Batch {
    fn finish(&mut self, clear: &mut Vec<u8>) {
        let blocks = &mut self.blocks[..self.len];
        // A few blocks do not need wide rows.
        if blocks.len() > FULL / 4 {
            decrypt::<LANES>(&self.rounds, blocks);
        } else {
            blocks.chunks_mut(64).for_each(|blocks| decrypt::<1>(&self.rounds, blocks));
        }
        let mut bytes = [[0; 8]; FULL];
        for (bytes, (block, before)) in bytes.iter_mut().zip(blocks.iter().zip(&self.before)) {
            *bytes = (block ^ before).to_be_bytes();
        }
        clear.extend_from_slice(bytes[..self.len].as_flattened());
        self.len = 0;
    }
}

/// At most 64 * N blocks.
fn decrypt<const N: usize>(rounds: &[Round], blocks: &mut [u64]) {
    let mut rows = [[0; N]; 64];
    for (i, &block) in blocks.iter().enumerate() {
        rows[i % 64][i / 64] = block;
    }
    transpose(&mut rows);
    let [mut left, mut right]: [Half<N>; 2] =
        [0, 32].map(|half| std::array::from_fn(|i| rows[INITIAL[half + i] as usize - 1]));
    for key in rounds.chunks(16) {
        for pair in key.chunks(2) {
            if let [even, odd] = pair {
                round(even, &right, &mut left);
                round(odd, &left, &mut right);
            }
        }
        // After the last round the halves change places; the permutations between two keys undo each other.
        std::mem::swap(&mut left, &mut right);
    }
    for (&to, row) in INITIAL.iter().zip(left.iter().chain(&right)) {
        rows[to as usize - 1] = *row;
    }
    transpose(&mut rows);
    for (i, block) in blocks.iter_mut().enumerate() {
        *block = rows[i % 64][i / 64];
    }
}

fn round<const N: usize>(key: &Round, from: &Half<N>, to: &mut Half<N>) {
    substitute::<N, 0>(boxes::s1, key, from, to);
    substitute::<N, 1>(boxes::s2, key, from, to);
    substitute::<N, 2>(boxes::s3, key, from, to);
    substitute::<N, 3>(boxes::s4, key, from, to);
    substitute::<N, 4>(boxes::s5, key, from, to);
    substitute::<N, 5>(boxes::s6, key, from, to);
    substitute::<N, 6>(boxes::s7, key, from, to);
    substitute::<N, 7>(boxes::s8, key, from, to);
}

/// One box, for each word of the rows: a loop over words, which the compiler turns into one over registers.
#[inline(always)]
fn substitute<const N: usize, const BOX: usize>(
    circuit: impl Fn(Inputs) -> Outputs,
    key: &Round,
    from: &Half<N>,
    to: &mut Half<N>,
) {
    let key = &key[BOX];
    for lane in 0..N {
        // The expansion: each box takes four bits, and one of either neighbour.
        let input = std::array::from_fn(|i| from[(4 * BOX + 31 + i) % 32][lane] ^ key[i]);
        let output = circuit(input);
        for (i, word) in output.into_iter().enumerate() {
            to[const { places(BOX) }[i]][lane] ^= word;
        }
    }
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
fn transpose<const N: usize>(rows: &mut [[u64; N]; 64]) {
    let mut width = 32;
    let mut mask = u64::MAX >> 32;
    while width != 0 {
        for block in rows.chunks_mut(2 * width) {
            let (upper, lower) = block.split_at_mut(width);
            for (upper, lower) in upper.iter_mut().zip(lower) {
                for (upper, lower) in upper.iter_mut().zip(lower) {
                    let exchange = (*upper ^ *lower >> width) & mask;
                    *upper ^= exchange;
                    *lower ^= exchange << width;
                }
            }
        }
        width /= 2;
        mask ^= mask << width;
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

        /// Against the crate, which takes one block at a time; of every number of blocks, whole rows or not.
        #[test]
        fn what_one_block_at_a_time_encrypted_is_decrypted(
            key in any::<[u8; 24]>(), texts in vec((any::<[u8; 8]>(), vec(any::<[u8; 8]>(), 0..400)), 0..5),
        ) {
            let sealed: Vec<_> = texts.iter().map(|(iv, text)| {
                let text = text.as_flattened();
                cbc::Encryptor::<des::TdesEde3>::new(&key.into(), iv.into()).encrypt_padded_vec::<NoPadding>(text)
            }).collect();
            let sealed: Vec<_> = texts.iter().zip(&sealed).map(|((iv, _), sealed)| (&iv[..], &sealed[..])).collect();
            let mut clear = Vec::new();
            TripleDes::new(&key).decrypt_cbc(&sealed, &mut clear);
            let expected: Vec<u8> = texts.iter().flat_map(|(_, text)| text.as_flattened()).copied().collect();
            prop_assert_eq!(clear, expected);
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
