//! What the kernels of the gateways have to say: their SAs, as netlink told them.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use scenario::{Expectation, Step};

use super::{Evidence, by_version, check, disturbed::Disturbed};
use crate::{
    observation::Observation,
    record::{Check, SaSummary},
};

/// Every SA has the algorithms of the policy, and there is no other.
pub(super) fn suites(Evidence { prediction, observation, .. }: &Evidence<'_>) -> Option<Check> {
    let esp = prediction.agreement()?.esp;
    let wanted = format!("{}-{}", esp.encryption, esp.hash);
    let other = observation.sas.iter().find(|sa| sa.suite != wanted);
    let observed = match (observation.strange_sas.first(), other) {
        (Some(strange), _) => Err(strange.clone()),
        (None, Some(sa)) => Err(format!("SPI {:#010x} on {} has {}", sa.spi, sa.machine, sa.suite)),
        (None, None) => Ok(format!("all {} SAs of both kernels have it", observation.sas.len())),
    };
    let requirement = by_version(prediction, ["RFC 2407 section 4.5", "RFC 7296 section 3.3"]);
    check("sa-matches-policy", requirement, wanted, observed)
}

/// Both kernels were watched without a gap, and each SA was known to both.
pub(super) fn watched(Evidence { cell, observation, .. }: &Evidence<'_>) -> Option<Check> {
    let together = Disturbed::by(cell).ends_agree();
    let mut holders: HashMap<_, usize> = HashMap::new();
    for sa in &observation.sas {
        *holders.entry((sa.spi, sa.destination)).or_default() += 1;
    }
    let lonely = holders.iter().find(|(_, count)| together && **count != 2);
    // A daemon that begins anew flushes what it finds, and the kernel tells no counters of that.
    let forgets = Disturbed::by(cell).forgets;
    let observed = match (observation.gaps.first().filter(|_| !forgets), lonely) {
        (Some(gap), _) => Err(gap.clone()),
        (None, Some(((spi, to), count))) => Err(format!("SPI {spi:#010x} to {to} was in {count} of 2 kernels")),
        (None, None) if together => Ok(format!("{} SAs, each in both", holders.len())),
        (None, None) => Ok(format!("{} SAs", holders.len())),
    };
    let wanted = match together {
        true => "every SA in both kernels, none missed",
        // Where one end is cut off, the other may make SAs, and keep them, alone.
        false => "every SA of each kernel, none missed",
    };
    check("sas-watched", "RFC 4301 section 4.4.2", wanted.into(), observed)
}

/// While time passes, SAs are replaced before their lifetime is over.
pub(super) fn rekeyed(Evidence { cell, prediction, observation, .. }: &Evidence<'_>) -> Option<Check> {
    let agreement = prediction.agreement()?;
    if prediction.failure().is_some_and(|failure| failure.at_rekey) {
        return None;
    }
    if !Disturbed::by(cell).ends_agree() {
        return None;
    }
    let lifetime = u64::from(agreement.esp_lifetime().0);
    let mut wanted = 0;
    let mut fewest = u64::MAX;
    for ((vpc, customer), life) in lives(&cell.steps) {
        let due = life.held.as_secs().checked_div(lifetime).unwrap_or(0);
        if due == 0 {
            continue;
        }
        wanted = wanted.max(due);
        // One tunnel for each pair of networks (RFC 2409 section 5.5; the laboratory has it so in version 2 too), made
        // anew by each connect.
        let subnets = cell.customers.get(customer).map_or(0, |customer| customer.subnets.len() as u64);
        let made = each_way(observation, &format!("router-{vpc}"), &format!("gateway-{customer}"));
        let rekeys = made.checked_div(subnets).unwrap_or(0).saturating_sub(life.connects);
        fewest = fewest.min(rekeys);
    }
    if wanted == 0 {
        return None;
    }
    // Where lifetimes differ, the shorter one has the SAs replaced, and each end keeps the old ones for as long as it would
    // have anyway.
    let [on_routers, on_gateways] = agreement.esp_lifetimes.map(|lifetime| u64::from(lifetime.0) + KERNEL_SECOND);
    let is_on_a_router = |sa: &SaSummary| sa.machine.starts_with("router-");
    let limit = |sa: &SaSummary| if is_on_a_router(sa) { on_routers } else { on_gateways };
    let age = |sa: &SaSummary| sa.deleted_ms.unwrap_or(sa.added_ms).saturating_sub(sa.added_ms) / 1000;
    let oldest = observation.sas.iter().map(age).max().unwrap_or(0);
    let text = format!("{fewest} rekeys of each SA; the oldest lived {oldest} s");
    let in_time = observation.sas.iter().all(|sa| age(sa) <= limit(sa));
    let observed = if fewest >= wanted && in_time { Ok(text) } else { Err(text) };
    let older = match on_routers == on_gateways {
        true => format!("none older than {on_routers} s"),
        false => format!("none older than {on_routers} s on a router, {on_gateways} s on a customer's gateway"),
    };
    let expected = format!("at least {wanted} rekeys, {older}");
    let requirement = by_version(prediction, ["RFC 2407 section 4.5.4", "RFC 7296 section 2.8"]);
    check("rekeyed", requirement, expected, observed)
}

/// The kernel looks at an SA's lifetime once a second, counted from when the SA was made, and reckons in whole
/// seconds of the clock: it deletes up to a second late (`xfrm_timer_handler` in net/xfrm/xfrm_state.c).
const KERNEL_SECOND: u64 = 1;

/// What the steps do to one connection.
#[derive(Default)]
struct Life {
    connects: u64,
    open: bool,
    /// How long it is held while it is open.
    held: Duration,
}

/// The life of each connection, by VPC and customer.
fn lives(steps: &[Step]) -> BTreeMap<(&str, &str), Life> {
    let mut lives: BTreeMap<(&str, &str), Life> = BTreeMap::new();
    for step in steps {
        match step {
            Step::Connect { vpc, customer } => {
                let life = lives.entry((vpc, customer)).or_default();
                life.connects += 1;
                life.open = true;
            }
            Step::Disconnect { vpc, customer } => lives.entry((vpc, customer)).or_default().open = false,
            Step::Hold(duration)
            | Step::Partition { lasting: duration, .. }
            | Step::Expect(
                Expectation::Always { lasting: duration, .. } | Expectation::Never { lasting: duration, .. },
            ) => {
                lives.values_mut().filter(|life| life.open).for_each(|life| life.held += *duration);
            }
            // The cloud connects again what was connected.
            Step::RebootRouter(rebooted) | Step::StartRouter(rebooted) | Step::RestartVpc { vpc: rebooted, .. } => {
                let of = lives.iter_mut().filter(|((vpc, _), life)| vpc == rebooted && life.open);
                of.for_each(|(_, life)| life.connects += 1);
            }
            Step::Reset { vpc, customer } => lives.entry((vpc, customer)).or_default().connects += 1,
            _ => {}
        }
    }
    lives
}

/// How many SAs two machines shared, in the direction that had fewer.
pub(super) fn each_way(observation: &Observation, one: &str, other: &str) -> u64 {
    let of = |machine: &str| -> Vec<&SaSummary> { observation.sas.iter().filter(|sa| sa.machine == machine).collect() };
    let theirs = of(other);
    let mut ways: HashMap<_, u64> = HashMap::new();
    for sa in of(one) {
        if theirs.iter().any(|their| their.spi == sa.spi && their.destination == sa.destination) {
            *ways.entry((sa.source, sa.destination)).or_default() += 1;
        }
    }
    if ways.len() < 2 { 0 } else { ways.into_values().min().unwrap_or(0) }
}

/// The kernels counted the packets that the capture shows.
pub(super) fn counters(Evidence { cell, account, observation, .. }: &Evidence<'_>) -> Option<Check> {
    // What is lost before or behind the capture is counted by one kernel only.
    if !Disturbed::by(cell).is_lossless() {
        return None;
    }
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

/// The cloud accounts for the bytes that the capture shows inside the tunnel.
pub(super) fn usage(Evidence { cell, account, observation, .. }: &Evidence<'_>) -> Option<Check> {
    let disturbed = Disturbed::by(cell);
    if observation.usage.is_empty() || !disturbed.is_lossless() || disturbed.recounts {
        return None;
    }
    let carried = |from, to| -> u64 {
        let way = account.sas.iter().filter(|sa| sa.source == from && sa.destination == to);
        way.map(|sa| sa.inner_bytes).sum()
    };
    // Connections that followed one another between the same ends are not told apart in a capture.
    let mut ends: BTreeMap<_, [u64; 2]> = BTreeMap::new();
    for usage in &observation.usage {
        let told = ends.entry((usage.router, usage.customer)).or_default();
        told[0] += usage.sent_bytes;
        told[1] += usage.received_bytes;
    }
    let wrong = ends.iter().find_map(|((router, customer), told)| {
        let seen = [carried(*router, *customer), carried(*customer, *router)];
        (*told != seen).then(|| format!("{told:?} bytes sent and received, the capture has {seen:?}"))
    });
    let sum: u64 = ends.values().flatten().sum();
    let observed = wrong.map_or_else(|| Ok(format!("{sum} bytes, equal both ways")), Err);
    let requirement = "the specification, \"Usage: CS should generate usage records for the VPN\"";
    check("usage", requirement, "the bytes of the inner packets that were captured".into(), observed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connect(customer: &str) -> Step {
        Step::Connect { vpc: "main".into(), customer: customer.into() }
    }

    fn disconnect(customer: &str) -> Step {
        Step::Disconnect { vpc: "main".into(), customer: customer.into() }
    }

    #[test]
    fn a_connection_is_held_only_while_it_is_open() {
        let hold = |seconds| Step::Hold(Duration::from_secs(seconds));
        let steps = [connect("a"), hold(10), disconnect("a"), hold(100), connect("a"), connect("b"), hold(1_000)];
        let lives = lives(&steps);
        let of = |customer| lives.get(&("main", customer)).map(|life| (life.connects, life.held.as_secs()));
        assert_eq!((of("a"), of("b")), (Some((2, 1_010)), Some((1, 1_000))));
    }

    #[test]
    fn only_what_both_machines_held_in_both_directions_was_shared() {
        let sa = |machine: &str, spi, from: [u8; 4], to: [u8; 4]| SaSummary {
            machine: machine.into(),
            spi,
            source: from.into(),
            destination: to.into(),
            suite: String::new(),
            added_ms: 0,
            deleted_ms: None,
            packets: 0,
            bytes: 0,
        };
        let (r, a, b) = ([198, 51, 100, 2], [203, 0, 113, 2], [203, 0, 113, 6]);
        let mut sas = Vec::new();
        for spi in 1..4 {
            for machine in ["router-main", "gateway-a"] {
                sas.extend([sa(machine, spi, r, a), sa(machine, spi + 10, a, r)]);
            }
        }
        sas.push(sa("router-main", 99, r, b));
        let observation = Observation { sas, ..Observation::default() };
        assert_eq!(each_way(&observation, "router-main", "gateway-a"), 3);
        assert_eq!(each_way(&observation, "router-main", "gateway-b"), 0);
    }
}
