//! One class for every frame: the walk down its headers, by what its capture point allows.

use std::{
    collections::HashSet,
    net::{Ipv4Addr, SocketAddrV4},
};

use ipnet::Ipv4Net;

use super::{
    Account, Code, Facts, Finding, PointAccount, Side,
    negotiations::{Negotiations, Sent},
    probes::Probes,
    tunnels::Tunnels,
};
use crate::{
    Error, arp,
    esp::{self, Encapsulated},
    ethernet,
    icmp::Message,
    ipv4::{self, protocol},
    ipv6, isakmp, marker,
    pcapng::{self, Capture},
    probe::Probe,
    udp::Datagram,
};

pub(super) type Class = &'static str;

/// A frame that refutes the cell: its class, and what is wrong with it.
pub(super) struct Defect {
    class: Class,
    code: Code,
    text: String,
}

impl Defect {
    pub(super) fn new(class: Class, code: Code, text: impl Into<String>) -> Self {
        Self { class, code, text: text.into() }
    }

    fn unexplained(text: impl Into<String>) -> Self {
        Self::new("unexplained", Code::UnexplainedFrame, text)
    }
}

impl From<Error> for Defect {
    fn from(error: Error) -> Self {
        Self::new("malformed", Code::MalformedPacket, error.to_string())
    }
}

/// What went past a point of the internet.
#[derive(Clone, Debug, Default)]
pub(super) struct InternetPoint {
    /// Between which addresses ISAKMP and ESP went past, the lower one first.
    pairs: HashSet<[Ipv4Addr; 2]>,
}

impl InternetPoint {
    pub(super) fn has_seen(&self, source: Ipv4Addr, destination: Ipv4Addr) -> bool {
        self.pairs.contains(&pair(source, destination))
    }
}

fn pair(source: Ipv4Addr, destination: Ipv4Addr) -> [Ipv4Addr; 2] {
    [source.min(destination), source.max(destination)]
}

pub(super) struct Auditor<'a> {
    facts: &'a Facts,
    points: Vec<PointAccount>,
    internet: Vec<InternetPoint>,
    tunnels: Tunnels,
    probes: Probes,
    negotiations: Negotiations<'a>,
    findings: Vec<Finding>,
}

impl<'a> Auditor<'a> {
    pub(super) fn new(capture: &Capture, facts: &'a Facts) -> Self {
        let point = |point: &pcapng::Point| PointAccount {
            name: point.name.clone(),
            side: point.side.unwrap_or(Side::Internet),
            classes: Default::default(),
        };
        let points: Vec<_> = capture.points.iter().map(point).collect();
        let mut findings = Vec::new();
        Self {
            facts,
            internet: vec![InternetPoint::default(); points.len()],
            tunnels: Tunnels::new(&facts.sas, &mut findings),
            probes: Probes::new(facts, points.len()),
            negotiations: Negotiations::new(facts, &mut findings),
            points,
            findings,
        }
    }

    pub(super) fn see(&mut self, frame: &pcapng::Frame) {
        let class = self.classify(frame).unwrap_or_else(|defect| {
            self.findings.push(defect.code.finding([frame.number], defect.text));
            defect.class
        });
        if let Some(point) = self.points.get_mut(frame.point) {
            *point.classes.entry(class.to_owned()).or_default() += 1;
        }
    }

    pub(super) fn finish(mut self, frames: u64) -> Account {
        let flows = self.probes.finish(&self.points, &self.internet, &self.tunnels, self.facts, &mut self.findings);
        let (negotiations, messages, _) = self.negotiations.finish(&mut self.findings);
        Account {
            frames,
            points: self.points,
            flows,
            sas: self.tunnels.finish(),
            negotiations,
            messages,
            findings: self.findings,
        }
    }

    fn classify(&mut self, frame: &pcapng::Frame) -> Result<Class, Defect> {
        let side = self.points.get(frame.point).map(|point| point.side);
        let side = side.ok_or_else(|| Defect::unexplained("the frame belongs to no capture point"))?;
        let captured = frame.data.len();
        if captured < frame.original_len as usize {
            let text = format!("{captured} of {} bytes were captured", frame.original_len);
            return Err(Defect::new("truncated", Code::TruncatedFrame, text));
        }
        let ethernet = ethernet::Frame::parse(&frame.data)?;
        match ethernet.ethertype {
            ethernet::IPV4 => {
                let packet = ipv4::Packet::parse(ethernet.payload)?;
                match side {
                    Side::Internet => self.on_the_internet(frame, &packet),
                    Side::Local | Side::Remote => self.inside(frame, side, &packet),
                }
            }
            ethernet::ARP => Ok(arp::recognise(ethernet.payload).map(|()| "arp")?),
            ethernet::IPV6 => match ipv6::link_message(ethernet.payload) {
                Ok(_) => Ok("ipv6-nd"),
                Err(e) => Err(Defect::unexplained(e.to_string())),
            },
            _ if marker::parse(&frame.data).is_some() => Ok("marker"),
            other => Err(Defect::unexplained(format!("ethertype {other:#06x}"))),
        }
    }

    fn on_the_internet(&mut self, frame: &pcapng::Frame, packet: &ipv4::Packet<'_>) -> Result<Class, Defect> {
        self.not_in_clear(packet, "")?;
        not_fragmented(packet)?;
        let ipv4::Packet { source, destination, payload, .. } = *packet;
        match packet.protocol {
            protocol::ESP => self.esp(frame, packet, esp::Packet::parse(payload)?, false),
            protocol::ICMP => {
                let message = Message::parse(payload)?;
                // An error that quotes a protected packet shows it to everyone.
                if let Some(quoted) = message.quoted() {
                    self.not_in_clear(&quoted, &format!("quoted in an ICMP error ({}): ", message.name()))?;
                }
                Ok(icmp_class(&message))
            }
            protocol::IGMP => Ok("igmp"),
            protocol::UDP => {
                let datagram = Datagram::parse(payload)?;
                if datagram.uses(isakmp::PORT) {
                    return self.isakmp(frame, packet, &datagram, datagram.payload);
                }
                if !datagram.uses(esp::NAT_PORT) {
                    let Datagram { source_port, destination_port, .. } = datagram;
                    let text = format!("UDP from {source}:{source_port} to {destination}:{destination_port}");
                    return Err(Defect::unexplained(text));
                }
                match Encapsulated::parse(datagram.payload)? {
                    Encapsulated::Keepalive => Ok("nat-keepalive"),
                    Encapsulated::Isakmp(message) => self.isakmp(frame, packet, &datagram, message),
                    Encapsulated::Esp(sealed) => self.esp(frame, packet, sealed, true),
                }
            }
            other => Err(Defect::unexplained(format!("IP protocol {other} from {source} to {destination}"))),
        }
    }

    /// At a host's own interface, where the tunnel's traffic is in clear and nothing else is expected.
    fn inside(&mut self, frame: &pcapng::Frame, side: Side, packet: &ipv4::Packet<'_>) -> Result<Class, Defect> {
        not_fragmented(packet)?;
        let ipv4::Packet { source, destination, .. } = *packet;
        match packet.protocol {
            protocol::ICMP => Ok(icmp_class(&Message::parse(packet.payload)?)),
            protocol::IGMP => Ok("igmp"),
            protocol::UDP => {
                Datagram::parse(packet.payload)?;
                let probe = Probe::within(packet)
                    .ok_or_else(|| Defect::unexplained(format!("UDP from {source} to {destination}")))?;
                self.probes.in_clear(frame.number, side, packet, &probe, &mut self.findings)?;
                Ok("probe")
            }
            other => Err(Defect::unexplained(format!("IP protocol {other} from {source} to {destination}"))),
        }
    }

    /// No packet between the VPC and the customer's subnets, and no probe whatever its addresses are:
    /// a translated address does not protect it.
    fn not_in_clear(&self, packet: &ipv4::Packet<'_>, context: &str) -> Result<(), Defect> {
        let ipv4::Packet { source, destination, protocol, .. } = *packet;
        let probe = Probe::within(packet);
        if probe.is_none() && !self.between_the_nets(packet) {
            return Ok(());
        }
        let what = probe.map_or_else(|| format!("IP protocol {protocol}"), |probe| probe.to_string());
        let text = format!("{context}{what} in clear between {source} and {destination}");
        Err(Defect::new("clear-text", Code::ClearText, text))
    }

    fn between_the_nets(&self, packet: &ipv4::Packet<'_>) -> bool {
        let among = |nets: &[Ipv4Net], address| nets.iter().any(|net| net.contains(&address));
        let Facts { local, remote, .. } = self.facts;
        let between = |from, to| among(local, from) && among(remote, to);
        between(packet.source, packet.destination) || between(packet.destination, packet.source)
    }

    fn isakmp(
        &mut self,
        frame: &pcapng::Frame,
        packet: &ipv4::Packet<'_>,
        datagram: &Datagram<'_>,
        bytes: &[u8],
    ) -> Result<Class, Defect> {
        let ipv4::Packet { source, destination, .. } = *packet;
        self.went_past(frame, packet);
        let message = isakmp::Message::parse(bytes)?;
        let class = if message.is_ikev2() { "ikev2" } else { "isakmp" };
        let gateways = &self.facts.gateways;
        let stranger = [source, destination].into_iter().find(|address| !gateways.contains(address));
        if let Some(stranger) = stranger.filter(|_| !gateways.is_empty()) {
            let text = format!("ISAKMP from {source} to {destination}: {stranger} is none of the gateways");
            return Err(Defect::new(class, Code::ForeignIsakmp, text));
        }
        let sent = Sent {
            frame,
            source: SocketAddrV4::new(source, datagram.source_port),
            destination: SocketAddrV4::new(destination, datagram.destination_port),
            message: &message,
        };
        self.negotiations.see(&sent, &mut self.findings)?;
        Ok(class)
    }

    fn esp(
        &mut self,
        frame: &pcapng::Frame,
        outer: &ipv4::Packet<'_>,
        sealed: esp::Packet<'_>,
        encapsulated: bool,
    ) -> Result<Class, Defect> {
        const CLASS: Class = "esp";
        self.went_past(frame, outer);
        let Some((sa, opened)) = self.tunnels.open(frame, outer, sealed, encapsulated)? else { return Ok(CLASS) };
        let outside = |text| Defect::new(CLASS, Code::InnerOutsideSelectors, text);
        match opened.next_header {
            protocol::IPV4 => {}
            protocol::NONE => return Ok(CLASS),
            other => return Err(outside(format!("next header {other} is not IPv4 in tunnel mode"))),
        }
        let inner = ipv4::Packet::parse(&opened.inner).map_err(|e| outside(format!("the inner packet: {e}")))?;
        let ipv4::Packet { source, destination, .. } = inner;
        // Of a foreign capture the nets may not be known.
        let known = !self.facts.local.is_empty() || !self.facts.remote.is_empty();
        if known && !self.between_the_nets(&inner) {
            return Err(outside(format!("the inner packet goes from {source} to {destination}")));
        }
        if let Some(probe) = Probe::within(&inner) {
            self.probes.protected(frame.number, frame.point, sa, &inner, &probe, &mut self.findings)?;
        }
        Ok(CLASS)
    }

    fn went_past(&mut self, frame: &pcapng::Frame, packet: &ipv4::Packet<'_>) {
        if let Some(point) = self.internet.get_mut(frame.point) {
            point.pairs.insert(pair(packet.source, packet.destination));
        }
    }
}

fn icmp_class(message: &Message<'_>) -> Class {
    if message.is_error() { "icmp-error" } else { "icmp" }
}

/// Fragments are not put together again, and so nothing can be said of what they carry.
fn not_fragmented(packet: &ipv4::Packet<'_>) -> Result<(), Defect> {
    if !packet.is_fragment() {
        return Ok(());
    }
    let ipv4::Packet { source, destination, identification, fragment_offset, .. } = packet;
    let text = format!(
        "fragment at byte {fragment_offset} of packet {identification} from {source} to {destination} stays unread"
    );
    Err(Defect::new("fragment", Code::IpFragment, text))
}
