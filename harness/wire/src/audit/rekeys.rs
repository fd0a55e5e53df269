//! Which SA followed which, and how long both were in use.

use std::{
    collections::{BTreeMap, HashMap},
    net::Ipv4Addr,
};

use super::{Facts, Negotiation, Rekey, SaAccount};

/// The SAs between two gateways in one direction that were used so far: each begins a span of time.
pub(super) type Used = u32;

/// When one of them was used, in such spans.
#[derive(Default)]
pub(super) struct Spans {
    /// The one that its first packet began.
    first: Used,
    /// Packets in each that had any, in their order.
    packets: Vec<(Used, u64)>,
}

impl Spans {
    pub(super) fn count(&mut self, used: &mut Used) {
        if self.packets.is_empty() {
            *used += 1;
            self.first = *used;
        }
        match self.packets.last_mut() {
            Some((span, count)) if *span == *used => *count += 1,
            _ => self.packets.push((*used, 1)),
        }
    }

    /// Packets since another SA was used first.
    fn since(&self, other: &Self) -> u64 {
        self.packets.iter().rev().take_while(|(span, _)| *span >= other.first).map(|(_, count)| count).sum()
    }
}

/// Of each two SAs of which one follows the other: same gateways, same direction, same selectors.
pub(super) fn rekeys<'a>(
    used: impl Iterator<Item = (&'a SaAccount, &'a Spans)>,
    negotiations: &[Negotiation],
    facts: &Facts,
) -> Vec<Rekey> {
    let selectors = selectors(negotiations);
    // Where only one pair of networks is to be protected, every SA is for it.
    let only = match (&facts.local[..], &facts.remote[..]) {
        ([local], [remote]) => Some([local.to_string(), remote.to_string()]),
        _ => None,
    };
    let mut alike: BTreeMap<_, Vec<(&SaAccount, &Spans)>> = BTreeMap::new();
    for (sa, spans) in used {
        let read = selectors.get(&(sa.spi, sa.destination)).cloned();
        let Some(mut networks) = read.or_else(|| only.clone()) else { continue };
        // The selectors of both directions are told in one order.
        networks.sort();
        alike.entry((sa.source, sa.destination, networks)).or_default().push((sa, spans));
    }
    let mut rekeys = Vec::new();
    for ((source, destination, selectors), mut sas) in alike {
        sas.sort_by_key(|(_, spans)| spans.first);
        for two in sas.windows(2) {
            let [(old, before), (new, after)] = two else { continue };
            let overlap = i128::from(old.last_seen_ns) - i128::from(new.first_seen_ns);
            rekeys.push(Rekey {
                source,
                destination,
                selectors: selectors.clone(),
                spis: [old.spi, new.spi],
                frame: new.first_frame,
                overlap_ns: i64::try_from(overlap).unwrap_or(if overlap < 0 { i64::MIN } else { i64::MAX }),
                late_packets: before.since(after),
            });
        }
    }
    rekeys.sort_by_key(|rekey| rekey.frame);
    rekeys
}

/// What Quick Modes agreed on, by SPI and the address that receives with it.
fn selectors(negotiations: &[Negotiation]) -> HashMap<(u32, Ipv4Addr), [String; 2]> {
    let mut all = HashMap::new();
    for negotiation in negotiations {
        for mode in &negotiation.quick_modes {
            let Some(selectors) = &mode.selectors else { continue };
            let other =
                if mode.initiator == negotiation.initiator { negotiation.responder } else { negotiation.initiator };
            for (spi, receiver) in mode.spis.into_iter().zip([mode.initiator, other]) {
                all.extend(spi.map(|spi| ((spi, receiver), selectors.clone())));
            }
        }
    }
    all
}
