//! What the kernels of the gateways have to say: their SAs, as netlink told them.

use std::{collections::HashMap, time::Duration};

use policy::Prediction;
use scenario::Step;

use super::{Evidence, check};
use crate::record::Check;

/// Every SA has the algorithms of the policy, and there is no other.
pub(super) fn suites(Evidence { prediction, observation, .. }: &Evidence<'_>) -> Option<Check> {
    let Prediction::Established { esp, .. } = prediction else { return None };
    let wanted = format!("{}-{}", esp.encryption, esp.hash);
    let other = observation.sas.iter().find(|sa| sa.suite != wanted);
    let observed = match (observation.strange_sas.first(), other) {
        (Some(strange), _) => Err(strange.clone()),
        (None, Some(sa)) => Err(format!("SPI {:#010x} on {} has {}", sa.spi, sa.machine, sa.suite)),
        (None, None) => Ok(format!("all {} SAs of both kernels have it", observation.sas.len())),
    };
    check("sa-matches-policy", "RFC 2407 section 4.5", wanted, observed)
}

/// Both kernels were watched without a gap, and each SA was known to both.
pub(super) fn watched(Evidence { observation, .. }: &Evidence<'_>) -> Option<Check> {
    let mut holders: HashMap<_, usize> = HashMap::new();
    for sa in &observation.sas {
        *holders.entry((sa.spi, sa.destination)).or_default() += 1;
    }
    let lonely = holders.iter().find(|(_, count)| **count != 2);
    let observed = match (observation.gaps.first(), lonely) {
        (Some(gap), _) => Err(gap.clone()),
        (None, Some(((spi, to), count))) => Err(format!("SPI {spi:#010x} to {to} was in {count} of 2 kernels")),
        (None, None) => Ok(format!("{} SAs, each in both", holders.len())),
    };
    check("sas-watched", "RFC 4301 section 4.4.2", "every SA in both kernels, none missed".into(), observed)
}

/// While time passes, SAs are replaced before their lifetime is over.
pub(super) fn rekeyed(Evidence { cell, observation, .. }: &Evidence<'_>) -> Option<Check> {
    let held: Duration = cell
        .steps
        .iter()
        .map(|step| if let Step::Hold(duration) = step { *duration } else { Duration::ZERO })
        .sum();
    let lifetime = u64::from(cell.policy.esp_lifetime.0);
    let wanted = held.as_secs().checked_div(lifetime).filter(|wanted| *wanted > 0)?;
    let mut generations: HashMap<_, u64> = HashMap::new();
    for sa in &observation.sas {
        *generations.entry((&sa.machine, sa.source, sa.destination)).or_default() += 1;
    }
    // One tunnel for each pair of networks (RFC 2409 section 5.5), so that many SAs each way to begin with.
    let pairs: u64 = cell.steps.iter().map(|step| match step {
        Step::Connect { customer, .. } => cell.customers.get(customer).map_or(0, |customer| customer.subnets.len() as u64),
        _ => 0,
    }).sum();
    let fewest = generations.values().min().copied().unwrap_or(0).checked_div(pairs).unwrap_or(0).saturating_sub(1);
    let oldest = observation.sas.iter().map(|sa| sa.deleted_ms.unwrap_or(sa.added_ms).saturating_sub(sa.added_ms)).max();
    let oldest = oldest.unwrap_or(0) / 1000;
    let text = format!("{fewest} rekeys of each SA; the oldest lived {oldest} s");
    let observed = if fewest >= wanted && oldest <= lifetime { Ok(text) } else { Err(text) };
    check("rekeyed", "RFC 2407 section 4.5.4", format!("at least {wanted} rekeys, none older than {lifetime} s"), observed)
}

/// The kernels counted the packets that the capture shows.
pub(super) fn counters(Evidence { account, observation, .. }: &Evidence<'_>) -> Option<Check> {
    let captured: HashMap<_, _> = account.sas.iter().map(|sa| ((sa.spi, sa.destination), sa.packets)).collect();
    let mut sum = 0;
    let mut wrong = None;
    for sa in &observation.sas {
        let seen = captured.get(&(sa.spi, sa.destination)).copied().unwrap_or(0);
        sum += seen;
        if seen != sa.packets {
            wrong.get_or_insert_with(|| {
                format!("SPI {:#010x}: {} counted {}, {seen} were captured", sa.spi, sa.machine, sa.packets)
            });
        }
    }
    let observed = wrong.map_or_else(|| Ok(format!("equal for every SA, {sum} packets in both kernels")), Err);
    check("kernel-counters", "RFC 4303 section 3", "as many ESP packets as were captured".into(), observed)
}
