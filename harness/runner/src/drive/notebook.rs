//! The cell's clock, and what has been written down.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use tokio::time::Instant;

use crate::{observation::Observation, record::Fault};

/// Clones write into the same pages.
#[derive(Clone)]
pub(crate) struct Notebook {
    began: Instant,
    began_ns: u64,
    pages: Arc<Mutex<Observation>>,
}

impl Notebook {
    pub fn open() -> Self {
        // The clock of a machine is behind 1970 only if it was never set.
        let began_ns = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
        Self { began: Instant::now(), began_ns, pages: Arc::default() }
    }

    /// Milliseconds since the cell began.
    pub fn now(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    /// Milliseconds since the cell began, of a time since 1970.
    pub fn at(&self, time_ns: u64) -> u64 {
        time_ns.saturating_sub(self.began_ns) / 1_000_000
    }

    /// Writes down what was done to links, machines and messages.
    pub fn fault(&self, text: String) {
        let at_ms = self.now();
        self.write(|pages| pages.faults.push(Fault { at_ms, text }));
    }

    pub fn write(&self, entry: impl FnOnce(&mut Observation)) {
        entry(&mut self.pages.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub fn close(self) -> Observation {
        let virtual_ms = self.now();
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        Observation { virtual_ms, began_ns: self.began_ns, ..std::mem::take(&mut pages) }
    }
}
