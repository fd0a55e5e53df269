//! ESP that belongs to no SA: a finding for each SPI and destination, however many packets there are of it.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::Ipv4Addr,
};

use super::{Code, Finding, frames::KEPT};
use crate::{ipv4, pcapng};

/// Frames that are listed of each.
const LISTED: usize = 100;

/// Where each one's finding stands.
#[derive(Default)]
pub(super) struct Strays(HashMap<(u32, Ipv4Addr), usize>);

impl Strays {
    /// A packet with an SPI that no SA has.
    pub(super) fn see(
        &mut self,
        frame: &pcapng::Frame,
        outer: &ipv4::Packet<'_>,
        spi: u32,
        findings: &mut Vec<Finding>,
    ) {
        let &ipv4::Packet { source, destination, .. } = outer;
        let followed = self.0.len() as u64;
        match self.0.entry((spi, destination)) {
            Entry::Occupied(known) => {
                let Some(finding) = findings.get_mut(*known.get()) else { return };
                match finding.frames.len() {
                    ..LISTED => finding.frames.push(frame.number),
                    _ => finding.more += 1,
                }
            }
            new => {
                let text = format!("SPI {spi:#010x} from {source} to {destination} is none of the SAs'");
                // As many as are kept of one code: of those behind them each frame is counted alone. Nothing else is found
                // in such a frame, and so the finding stays where it is put.
                if let (Entry::Vacant(new), ..KEPT) = (new, followed) {
                    new.insert(findings.len());
                }
                findings.push(Code::UnknownSpi.finding([frame.number], text));
            }
        }
    }
}
