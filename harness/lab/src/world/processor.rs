//! One processor for each guest.
//!
//! A guest's kernel and its processes take turns: only one of them ever runs. On two processors each turn has to wake a
//! processor that fell asleep, which takes longer than what is done in the turn; on one it is a change of tasks. A guest
//! that waits for virtual time, and so does nothing but take turns, is up to ten times as fast.

use std::os::{
    linux::net::SocketAddrExt,
    unix::net::{SocketAddr, UnixListener},
};

use rustix::{
    process::getpid,
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
};

/// A processor that is this process's own among all guests of the machine, as long as this is not dropped.
///
/// A name of a socket that is no file ends with the process that has it, however that ends.
pub(super) struct Claim(#[expect(dead_code, reason = "it is held")] UnixListener);

/// Keeps this process and those that it starts on one processor: one that no other guest has, if there is one. It is
/// only faster, so nothing is said where it cannot be done.
pub(super) fn settle() -> Option<Claim> {
    let allowed = sched_getaffinity(None).ok()?;
    let all: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|number| allowed.is_set(*number)).collect();
    let free = all.iter().find_map(|number| Some((*number, claim(*number)?)));
    let (number, claim) = match free {
        Some((number, claim)) => (number, Some(claim)),
        // More guests than processors: they share, each staying where it is.
        None => (*all.get(getpid().as_raw_nonzero().get() as usize % all.len().max(1))?, None),
    };
    let mut one = CpuSet::new();
    one.set(number);
    let _ = sched_setaffinity(None, &one);
    claim
}

fn claim(number: usize) -> Option<Claim> {
    let name = SocketAddr::from_abstract_name(format!("tunnelproof guest on processor {number}")).ok()?;
    UnixListener::bind_addr(&name).ok().map(Claim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_is_claimed_once_and_free_again_when_the_claim_ends() {
        // No machine has it.
        let number = 1 << 20;
        let first = claim(number);
        assert!(first.is_some() && claim(number).is_none());
        drop(first);
        assert!(claim(number).is_some());
    }
}
