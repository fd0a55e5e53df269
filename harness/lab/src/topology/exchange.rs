//! Exchanges: numbered probes between stations, both ways, and which of them arrived.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use wire::{
    audit::{Expected, ProbeSent},
    probe::Probe,
};

use super::Lab;
use crate::{
    Error, Result,
    meter::{self, Work},
    station::Station,
    wait::Wait,
};

/// One direction between two stations.
pub struct Flow {
    pub from: Arc<Station>,
    pub to: Arc<Station>,
}

/// What was sent, and what of it did not arrive in time.
#[derive(Debug, Default)]
pub struct Exchange {
    pub sent: Vec<ProbeSent>,
    pub missing: Vec<Probe>,
}

impl Lab {
    /// Sends `packets` probes along every flow. Those that are to be delivered are waited for; the others are
    /// given the time in which an address would be resolved, and then nothing is on its way any more.
    pub async fn exchange(
        &self,
        number: u32,
        flows: &[Flow],
        packets: u32,
        expected: Expected,
        limit: Duration,
    ) -> Result<Exchange> {
        let _clock = meter::start(Work::Traffic);
        let mut pending = Vec::new();
        let mut exchange = Exchange::default();
        for sequence in 1..=packets {
            for Flow { from, to } in flows {
                let (source, destination) = (from.address(), to.address());
                let probe = Probe { exchange: number, source, destination, sequence };
                from.send(&probe).await?;
                exchange.sent.push(ProbeSent {
                    exchange: number,
                    source,
                    destination,
                    sequence,
                    expected,
                    asked_ns: None,
                });
                pending.push((to, probe));
            }
        }
        let all = pending.len();
        let what = format!("the {all} probes of exchange {number}");
        let arrived = match expected {
            Expected::Delivered => {
                let wait = Wait::new(what, limit);
                loop {
                    pending.retain(|(to, probe)| !to.has_received(probe));
                    if pending.is_empty() {
                        break Ok(());
                    }
                    if let Err(e) = wait.again(format!("{} have arrived", all - pending.len())).await {
                        break Err(e);
                    }
                }
            }
            Expected::NotInClear | Expected::Counted => self.quiet(what, limit).await,
        };
        match arrived {
            Ok(()) => {}
            Err(Error::Deadline { .. }) => exchange.missing = pending.into_iter().map(|(_, probe)| probe).collect(),
            Err(e) => return Err(e),
        }
        Ok(exchange)
    }

    /// Waits until no frame has been captured for a while.
    async fn quiet(&self, what: String, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            let before = self.frames().await;
            tokio::time::sleep(RESOLUTION).await;
            let new = self.frames().await - before;
            if new == 0 {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let last = format!("{new} frames in the last {} ms", RESOLUTION.as_millis());
                return Err(Error::Deadline { what, waited_ms: limit.as_millis(), last });
            }
        }
    }
}

/// A kernel asks three times for a hardware address, a second apart, before it drops the packet (arp(7)).
const RESOLUTION: Duration = Duration::from_millis(3_500);
