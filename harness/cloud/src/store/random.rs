//! Ids of rows, from random bytes that are taken many at a time: every event of every command has one, and in a guest a
//! system call costs more than the rest of a row.

use std::{cell::RefCell, fs::File, io::Read};

use uuid::{Builder, Uuid};

/// For so many ids.
const MANY: usize = 256;
const ID: usize = 16;

thread_local! {
    /// Random bytes that no id was made of.
    static LEFT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

pub(super) fn uuid() -> Uuid {
    LEFT.with_borrow_mut(|left| {
        if left.len() < ID {
            *left = bytes();
        }
        let rest = left.len().saturating_sub(ID);
        let taken = left.split_off(rest);
        taken.first_chunk::<ID>().map_or_else(Uuid::new_v4, |bytes| Builder::from_random_bytes(*bytes).into_uuid())
    })
}

/// None where the kernel has no such file.
fn bytes() -> Vec<u8> {
    let mut bytes = vec![0; MANY * ID];
    let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    if read.is_ok() { bytes } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_id_comes_twice_and_all_are_random_ones() {
        let all: HashSet<_> = (0..3 * MANY).map(|_| uuid()).collect();
        assert_eq!(all.len(), 3 * MANY);
        assert!(all.iter().all(|id| id.get_version_num() == 4));
    }
}
