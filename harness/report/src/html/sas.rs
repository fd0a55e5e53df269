//! Security associations: what the capture shows of each beside what the kernels counted and when they
//! held it. An SA that carried nothing is there too.

use std::{collections::BTreeMap, net::Ipv4Addr};

use runner::record::SaSummary;
use serde::Serialize;
use wire::audit::{Account, SaAccount};

use super::account::Part;
use crate::format;

#[derive(Serialize)]
pub struct Sa {
    spi: String,
    source: String,
    destination: String,
    algorithms: String,
    lived: String,
    packets: String,
    verified: Part,
    /// What the kernels at the two ends counted, once if they agree.
    kernel: String,
    inner_bytes: String,
    sequence: String,
}

/// In the order in which the kernels got them.
pub fn rows(account: &Account, kernel: &[SaSummary]) -> Vec<Sa> {
    type Key = (u32, Ipv4Addr, Ipv4Addr);
    let mut all: BTreeMap<Key, (Option<&SaAccount>, Vec<&SaSummary>)> = BTreeMap::new();
    for sa in &account.sas {
        all.entry((sa.spi, sa.source, sa.destination)).or_default().0 = Some(sa);
    }
    for sa in kernel {
        all.entry((sa.spi, sa.source, sa.destination)).or_default().1.push(sa);
    }
    let mut all: Vec<_> = all.into_iter().collect();
    all.sort_by_key(|((spi, source, _), (_, held))| (held.iter().map(|sa| sa.added_ms).min(), *source, *spi));
    all.into_iter()
        .map(|((spi, source, destination), (seen, held))| row(spi, [source, destination], seen, &held))
        .collect()
}

fn row(spi: u32, ends: [Ipv4Addr; 2], seen: Option<&SaAccount>, held: &[&SaSummary]) -> Sa {
    let mut counts: Vec<u64> = held.iter().map(|sa| sa.packets).collect();
    counts.dedup();
    let packets = seen.map_or(0, |sa| sa.packets);
    let algorithms = seen.map(|sa| format!("{}-{}", sa.encryption, sa.integrity));
    Sa {
        spi: format::spi(spi),
        source: ends[0].to_string(),
        destination: ends[1].to_string(),
        algorithms: algorithms.or_else(|| held.first().map(|sa| sa.suite.clone())).unwrap_or_default(),
        lived: lived(held),
        packets: format::count(packets),
        verified: Part::new(seen.map_or(0, |sa| sa.verified), packets),
        kernel: counts.into_iter().map(format::count).collect::<Vec<_>>().join(" / "),
        inner_bytes: format::count(seen.map_or(0, |sa| sa.inner_bytes)),
        sequence: match seen {
            Some(sa) if sa.packets > 0 => format!("{}\u{2013}{}", sa.first_sequence, sa.last_sequence),
            _ => "\u{2013}".to_owned(),
        },
    }
}

/// From when the first kernel got it until the last one gave it up.
fn lived(held: &[&SaSummary]) -> String {
    let Some(begin) = held.iter().map(|sa| sa.added_ms).min() else { return String::new() };
    let end = held.iter().map(|sa| sa.deleted_ms).collect::<Option<Vec<u64>>>().and_then(|ends| ends.into_iter().max());
    format!("{} \u{2013} {}", format::clock(begin), end.map_or("the end".to_owned(), format::clock))
}
