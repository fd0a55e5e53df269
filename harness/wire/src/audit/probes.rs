//! The probes: each one sent in clear, carried in ESP past every point of the internet, received in
//! clear, and each of that exactly once.

use std::{
    collections::{BTreeMap, HashMap},
    net::Ipv4Addr,
};

use super::{
    Code, Expected, Facts, Finding, FlowAccount, Loss, PointAccount, ProbeSent, Side,
    frames::{Defect, InternetPoint},
    tunnels::{Sa, Tunnels},
};
use crate::{ipv4, pcapng, probe::Probe};

pub(super) struct Probes {
    sent: Vec<Sighted>,
    by_number: HashMap<Probe, usize>,
    /// How often each probe was opened at each point that it passed.
    protected: HashMap<(usize, usize), u64>,
}

struct Sighted {
    probe: ProbeSent,
    from: Side,
    /// How often in clear on the side of its source, and on the other.
    clear: [u32; 2],
    /// When it was first seen on the side of its source.
    sent_ns: Option<u64>,
    /// The SA that carried it first.
    sa: Option<Sa>,
}

impl Probes {
    pub(super) fn new(facts: &Facts) -> Self {
        let mut sent = Vec::with_capacity(facts.probes.len());
        let mut by_number = HashMap::with_capacity(facts.probes.len());
        for &probe in &facts.probes {
            let local = facts.local.iter().any(|net| net.contains(&probe.source));
            by_number.entry(number(&probe)).or_insert_with(|| {
                let from = if local { Side::Local } else { Side::Remote };
                sent.push(Sighted { probe, from, clear: [0; 2], sent_ns: None, sa: None });
                sent.len() - 1
            });
        }
        Self { protected: HashMap::new(), sent, by_number }
    }

    pub(super) fn in_clear(
        &mut self,
        frame: &pcapng::Frame,
        side: Side,
        packet: &ipv4::Packet<'_>,
        probe: &Probe,
        findings: &mut Vec<Finding>,
    ) -> Result<(), Defect> {
        let index = self.known("probe", packet, probe)?;
        let sighted = &mut self.sent[index];
        let sending = sighted.from == side;
        if sending {
            sighted.sent_ns.get_or_insert(frame.time_ns);
        }
        let count = &mut sighted.clear[usize::from(!sending)];
        *count += 1;
        if *count > 1 {
            let way = if sending { "sent" } else { "received" };
            findings.push(
                Code::ProbeDuplicated.finding([frame.number], format!("{probe} was {way} again, {count} times now")),
            );
        }
        Ok(())
    }

    pub(super) fn protected(
        &mut self,
        frame: u64,
        point: usize,
        sa: Sa,
        packet: &ipv4::Packet<'_>,
        probe: &Probe,
        findings: &mut Vec<Finding>,
    ) -> Result<(), Defect> {
        let index = self.known("esp", packet, probe)?;
        self.sent[index].sa.get_or_insert(sa);
        let count = self.protected.entry((index, point)).or_default();
        *count += 1;
        if *count > 1 {
            let text = format!("{probe} was carried in ESP again, {count} times now");
            findings.push(Code::ProbeDuplicated.finding([frame], text));
        }
        Ok(())
    }

    fn known(&self, class: &'static str, packet: &ipv4::Packet<'_>, probe: &Probe) -> Result<usize, Defect> {
        let index = self.by_number.get(probe);
        let index =
            *index.ok_or_else(|| Defect::new(class, Code::UnknownProbe, format!("{probe} was sent by no guest")))?;
        let ipv4::Packet { source, destination, .. } = *packet;
        if (source, destination) == (probe.source, probe.destination) {
            return Ok(index);
        }
        let text = format!("{probe} is in a packet from {source} to {destination}");
        Err(Defect::new(class, Code::RewrittenProbe, text))
    }

    /// Reports what is missing, and adds up the flows.
    pub(super) fn finish(
        &self,
        points: &[PointAccount],
        places: &[usize],
        internet: &[InternetPoint],
        tunnels: &Tunnels,
        facts: &Facts,
        findings: &mut Vec<Finding>,
    ) -> Vec<FlowAccount> {
        let mut flows: BTreeMap<(u32, Ipv4Addr, Ipv4Addr), FlowAccount> = BTreeMap::new();
        // Between two gateways there is one way; among several, each has a way of its own.
        let way = |sa: Sa| -> Vec<usize> {
            let (from, to) = tunnels.ends(sa);
            let must_pass = |&point: &usize| {
                points[point].side == Side::Internet
                    && (facts.gateways.len() <= 2
                        || internet[point].has_seen(from, to)
                        || tunnels.was_seen_at(sa, point))
            };
            let mut way: Vec<_> = (0..points.len()).filter(must_pass).map(|point| places[point]).collect();
            way.sort_unstable();
            way.dedup();
            way
        };
        let mut ways: HashMap<Sa, Vec<usize>> = HashMap::new();
        for (index, sighted) in self.sent.iter().enumerate() {
            let ProbeSent { exchange, source, destination, expected, .. } = sighted.probe;
            let count = |point| self.protected.get(&(index, point)).copied().unwrap_or(0);
            let expected_at = match sighted.sa {
                Some(sa) => &ways.entry(sa).or_insert_with(|| way(sa))[..],
                None => &[],
            };
            let missed: Vec<&str> = expected_at
                .iter()
                .filter(|&&point| count(point) == 0)
                .map(|&point| points[point].name.as_str())
                .collect();
            if expected == Expected::Delivered {
                findings.extend(sighted.missing(&missed));
            }
            let flow = flows.entry((exchange, source, destination)).or_insert(FlowAccount {
                exchange,
                source,
                destination,
                sent: 0,
                protected: 0,
                received: 0,
                first_sent_ns: 0,
                last_sent_ns: 0,
                losses: Vec::new(),
            });
            flow.time(sighted);
            let [sent, received] = sighted.clear;
            flow.sent += u64::from(sent > 0);
            flow.protected += u64::from(sighted.sa.is_some() && expected_at.iter().all(|&point| count(point) == 1));
            flow.received += u64::from(received == 1);
        }
        flows.into_values().collect()
    }
}

impl FlowAccount {
    /// Puts down when a probe was sent, and whether it was lost. Those of a flow come in the order of their numbers.
    fn time(&mut self, Sighted { probe, clear: [_, received], sent_ns, .. }: &Sighted) {
        let Some(sent_ns) = sent_ns.or(probe.asked_ns) else { return };
        if self.first_sent_ns == 0 {
            self.first_sent_ns = sent_ns;
        }
        self.last_sent_ns = sent_ns;
        if probe.expected != Expected::Counted {
            return;
        }
        let open = self.losses.last_mut().filter(|loss| loss.until_ns.is_none());
        match (*received > 0, open) {
            (true, Some(loss)) => loss.until_ns = Some(sent_ns),
            (true, None) => {}
            (false, Some(loss)) => loss.packets += 1,
            (false, None) => {
                self.losses.push(Loss { sequence: probe.sequence, packets: 1, from_ns: sent_ns, until_ns: None })
            }
        }
    }
}

impl Sighted {
    /// The first stage of its way that the probe did not reach.
    fn missing(&self, missed: &[&str]) -> Option<Finding> {
        let probe = number(&self.probe);
        let [sent, received] = self.clear;
        let (code, text) = if sent == 0 {
            (Code::ProbeNotSent, format!("{probe} was not seen on its way out of its source"))
        } else if self.sa.is_none() {
            (Code::ProbeNotProtected, format!("{probe} was not seen in ESP on the internet"))
        } else if received == 0 && missed.is_empty() {
            (Code::ProbeLost, format!("{probe} was seen in ESP on the internet, and did not arrive"))
        } else if received == 0 {
            (Code::ProbeLost, format!("{probe} was lost on the internet: not seen at {}", missed.join(", ")))
        } else if !missed.is_empty() {
            (Code::ProbeNotProtected, format!("{probe} arrived, but was not seen in ESP at {}", missed.join(", ")))
        } else {
            return None;
        };
        Some(code.finding([], text))
    }
}

fn number(probe: &ProbeSent) -> Probe {
    let ProbeSent { exchange, source, destination, sequence, .. } = *probe;
    Probe { exchange, source, destination, sequence }
}
