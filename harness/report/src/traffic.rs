//! What became of the packets that guests sent, as every view counts them.

use std::{collections::BTreeSet, net::Ipv4Addr};

use wire::audit::{Account, Code, Finding, FlowAccount};

/// One flow, and whether its packets were meant to arrive.
pub struct Flow<'a> {
    pub account: &'a FlowAccount,
    /// Packets that are sent while there is no tunnel must stay out of the internet, and need not arrive.
    pub meant: bool,
}

/// The flows of an account. An account does not repeat what was expected of a packet, but the audit
/// has a finding for every packet that was meant to arrive and did not: a flow that lost packets
/// without such a finding was not meant to arrive.
pub fn flows(account: &Account) -> Vec<Flow<'_>> {
    let missed: BTreeSet<_> = account.findings.iter().filter_map(flow_of).collect();
    let meant = |flow: &FlowAccount| {
        let whole = flow.protected == flow.sent && flow.received == flow.sent;
        whole || missed.contains(&(flow.exchange, flow.source, flow.destination))
    };
    account.flows.iter().map(|flow| Flow { account: flow, meant: meant(flow) }).collect()
}

/// The flow of a packet that a finding misses. It is named as `wire::probe::Probe` writes itself.
fn flow_of(finding: &Finding) -> Option<(u32, Ipv4Addr, Ipv4Addr)> {
    let missing = [Code::ProbeNotSent, Code::ProbeNotProtected, Code::ProbeLost];
    missing.iter().find(|code| code.name() == finding.code)?;
    let (_, flow) = finding.observed.split_once(" of exchange ")?;
    let mut words = flow.split_whitespace();
    let exchange = words.next()?.parse().ok()?;
    let mut address = |before| words.next().filter(|word| *word == before).and_then(|_| words.next()?.parse().ok());
    Some((exchange, address("from")?, address("to")?))
}

/// The packets of a cell, or of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Packets that were meant to arrive.
    pub sent: u64,
    /// As many of them as were seen in ESP, decrypted, equal, and received.
    pub proven: u64,
    /// Packets that were sent while no tunnel was to carry them.
    pub unmeant: u64,
}

impl Traffic {
    pub fn new(account: &Account) -> Self {
        flows(account).iter().fold(Self::default(), |sum, flow| {
            let FlowAccount { sent, protected, received, .. } = *flow.account;
            sum.plus(match flow.meant {
                true => Self { sent, proven: protected.min(received), unmeant: 0 },
                false => Self { unmeant: sent, ..Self::default() },
            })
        })
    }

    pub fn plus(self, other: Self) -> Self {
        Self {
            sent: self.sent.saturating_add(other.sent),
            proven: self.proven.saturating_add(other.proven),
            unmeant: self.unmeant.saturating_add(other.unmeant),
        }
    }
}

#[cfg(test)]
mod tests {
    use wire::probe::Probe;

    use super::*;

    const WEB: Ipv4Addr = Ipv4Addr::new(10, 10, 1, 10);
    const BRANCH: Ipv4Addr = Ipv4Addr::new(172, 16, 10, 10);

    fn flow(exchange: u32, sent: u64, protected: u64, received: u64) -> FlowAccount {
        FlowAccount {
            exchange,
            source: WEB,
            destination: BRANCH,
            sent,
            protected,
            received,
            first_sent_ns: 0,
            last_sent_ns: 0,
            losses: Vec::new(),
        }
    }

    #[test]
    fn packets_without_a_tunnel_are_not_counted_as_lost() {
        let account = Account { flows: vec![flow(1, 20, 20, 20), flow(2, 5, 0, 0)], ..Account::default() };
        assert_eq!(Traffic::new(&account), Traffic { sent: 20, proven: 20, unmeant: 5 });
    }

    #[test]
    fn a_packet_that_the_audit_misses_is_counted_as_lost() {
        let probe = Probe { exchange: 1, source: WEB, destination: BRANCH, sequence: 7 };
        let text = format!("{probe} was not seen in ESP on the internet");
        let finding = Code::ProbeNotProtected.finding([], text);
        let flows = vec![flow(1, 20, 19, 19), flow(2, 5, 0, 0)];
        let account = Account { flows, findings: vec![finding], ..Account::default() };
        assert_eq!(Traffic::new(&account), Traffic { sent: 20, proven: 19, unmeant: 5 });
    }
}
