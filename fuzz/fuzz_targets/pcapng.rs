//! Captures of both formats, through the reader and the audit; `tunnelproof_wire::fuzzing` says what must hold.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| wire::fuzzing::capture(input));
