//! The decoder of requests, and every command behind it; `tunnelproof_cloud::fuzzing` says what must hold.
#![no_main]

use std::cell::RefCell;

use cloud::fuzzing::Door;
use libfuzzer_sys::fuzz_target;

thread_local! {
    static DOOR: RefCell<Door> = RefCell::default();
}

fuzz_target!(|input: &[u8]| DOOR.with_borrow_mut(|door| door.send(input)));
