//! Where the time of a worker goes, by the processor's own clock: a guest's time is virtual and measures nothing.
//!
//! Pieces of work contain one another, and what they contain is not taken off here.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::sys;

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Everything that is done for a cell.
    Cell,
    /// Machines and links before and after what the cloud asks for.
    Laboratory,
    /// What the cloud asks of its routers.
    Fabric,
    /// Starting, telling and ending daemons.
    Daemons,
    /// Waiting for SAs to come and to go.
    Negotiation,
    /// Sending probes and waiting for them.
    Traffic,
    /// Beginning and ending captures.
    Capture,
}

const KINDS: usize = 7;

static SPENT: [AtomicU64; KINDS] = [const { AtomicU64::new(0) }; KINDS];

/// Ticks of the processor's clock, for each kind of work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent([u64; KINDS]);

impl Spent {
    /// Since this was asked last.
    pub fn take() -> Self {
        Self(std::array::from_fn(|kind| SPENT[kind].swap(0, Ordering::Relaxed)))
    }

    pub fn on(&self, work: Work) -> u64 {
        self.0[work as usize]
    }
}

/// The work goes on until this value is dropped.
#[must_use]
pub struct Clock {
    work: Work,
    begin: u64,
}

pub fn start(work: Work) -> Clock {
    Clock { work, begin: sys::ticks() }
}

impl Drop for Clock {
    fn drop(&mut self) {
        SPENT[self.work as usize].fetch_add(sys::ticks().saturating_sub(self.begin), Ordering::Relaxed);
    }
}
