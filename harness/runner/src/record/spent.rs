//! Where the time of a cell went.

use std::time::Duration;

use lab::meter::{self, Work};
use serde::{Deserialize, Serialize};

/// Where the time of a cell went by the clock on the wall, in microseconds; zeros where there were no machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// Starting the worker, if the cell was its first.
    pub boot_us: u64,
    /// Namespaces, links, rules, and what the kernel is asked of its SAs.
    pub machines_us: u64,
    /// Starting the daemons, telling them of tunnels, and ending them.
    pub daemons_us: u64,
    /// IKE: from the first message until the SAs are there, and from the end of the tunnel until they are gone.
    pub negotiation_us: u64,
    /// Probes, and waiting for them.
    pub traffic_us: u64,
    /// Beginning and ending captures.
    pub capture_us: u64,
    /// The service, its clients, and everything else in the worker.
    pub api_us: u64,
    /// Audit and verdict, outside of the worker.
    pub judgement_us: u64,
}

impl Spent {
    /// Takes over what a worker counted in ticks, all of which are so much time.
    pub(crate) fn note(&mut self, ticks: &meter::Spent, wall: Duration) {
        let all = ticks.on(Work::Cell).max(1) as f64;
        let scaled = |ticks: u64| (ticks as f64 / all * wall.as_micros() as f64) as u64;
        let [laboratory, fabric, daemons, negotiation, traffic, capture] =
            [Work::Laboratory, Work::Fabric, Work::Daemons, Work::Negotiation, Work::Traffic, Work::Capture]
                .map(|work| ticks.on(work));
        self.daemons_us = scaled(daemons);
        self.negotiation_us = scaled(negotiation);
        self.traffic_us = scaled(traffic);
        self.capture_us = scaled(capture);
        // Daemons, negotiations and captures are parts of what the laboratory does for itself and for the cloud.
        let outer = laboratory + fabric;
        self.machines_us = scaled(outer.saturating_sub(daemons + negotiation + capture));
        self.api_us = scaled(ticks.on(Work::Cell).saturating_sub(outer + traffic));
    }

    /// In the order in which a report shows them.
    pub fn parts(&self) -> [(&'static str, u64); 8] {
        [
            ("boot", self.boot_us),
            ("machines", self.machines_us),
            ("daemons", self.daemons_us),
            ("IKE", self.negotiation_us),
            ("traffic", self.traffic_us),
            ("capture", self.capture_us),
            ("API", self.api_us),
            ("audit", self.judgement_us),
        ]
    }
}
