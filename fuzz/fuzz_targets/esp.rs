//! Packets of ESP, opened with keys of each suite; `tunnelproof_wire::fuzzing` says what must hold.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| wire::fuzzing::esp(input));
