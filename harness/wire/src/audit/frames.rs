//! One class for every frame: the walk down its headers, by what its capture point allows.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddrV4},
    sync::Arc,
};

use ipnet::Ipv4Net;

use super::{
    Account, Code, Facts, Finding, PathMtu, PointAccount, Side,
    keyring::{Attempts, Keyring},
    negotiations::{Ike, Negotiations, Sent},
    probes::Probes,
    side_of,
    strays::Strays,
    tunnels::Tunnels,
};
use crate::{
    Error, arp,
    esp::{self, Encapsulated},
    ethernet,
    icmp::Message,
    ipv4::{self, protocol},
    ipv6, isakmp, marker, pcapng,
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
    /// Between which addresses of SAs ISAKMP and ESP went past, the lower one first.
    pairs: BTreeSet<[Ipv4Addr; 2]>,
}

impl InternetPoint {
    pub(super) fn has_seen(&self, source: Ipv4Addr, destination: Ipv4Addr) -> bool {
        self.pairs.contains(&pair(source, destination))
    }
}

pub(super) fn pair(source: Ipv4Addr, destination: Ipv4Addr) -> [Ipv4Addr; 2] {
    [source.min(destination), source.max(destination)]
}

/// Sees the frames of a capture one after another, in the order of the file.
pub(super) struct Auditor<'a> {
    facts: &'a Facts,
    frames: u64,
    points: Vec<PointAccount>,
    /// What becomes the points' classes.
    classes: Vec<BTreeMap<Class, u64>>,
    /// By point and MTU, the frames that tell it and the first of them.
    path_mtus: BTreeMap<(usize, u16), [u64; 2]>,
    /// For each point the first of its name: a gateway that is made anew has its place on the internet, captured anew.
    places: Vec<usize>,
    internet: Vec<InternetPoint>,
    tunnels: Tunnels,
    strays: Strays,
    probes: Probes,
    negotiations: Negotiations<'a>,
    findings: Vec<Finding>,
    /// Findings of each code, with those that were not kept.
    found: BTreeMap<String, u64>,
}

/// What became of the ESP packet of a frame.
#[derive(Clone, Copy)]
struct Tried<'a> {
    attempts: &'a Attempts,
    index: usize,
}

/// Findings that are kept of each code: a capture that is nothing else must not fill the memory.
pub(super) const KEPT: u64 = 10_000;

impl<'a> Auditor<'a> {
    pub(super) fn new(facts: &'a Facts) -> Self {
        let mut findings = Vec::new();
        Self {
            facts,
            frames: 0,
            points: Vec::new(),
            classes: Vec::new(),
            path_mtus: BTreeMap::new(),
            places: Vec::new(),
            internet: Vec::new(),
            tunnels: Tunnels::new(&facts.sas, &mut findings),
            strays: Strays::default(),
            probes: Probes::new(facts),
            negotiations: Negotiations::new(facts, &mut findings),
            findings,
            found: BTreeMap::new(),
        }
    }

    /// What opens ESP, for other threads to do so before its frames are seen.
    pub(super) fn keyring(&self) -> Arc<Keyring> {
        self.tunnels.keyring()
    }

    /// Those that are new, before the first frame of them.
    pub(super) fn add_points(&mut self, points: &[pcapng::Point]) {
        for point in points {
            let known = self.points.iter().position(|known| known.name == point.name);
            self.places.push(known.unwrap_or(self.points.len()));
            let classes = BTreeMap::new();
            self.points.push(PointAccount { name: point.name.clone(), side: side_of(point), classes });
            self.classes.push(BTreeMap::new());
            self.internet.push(InternetPoint::default());
        }
    }

    /// The next frames of the capture, and what became of their ESP.
    pub(super) fn see(&mut self, frames: &[pcapng::Frame], attempts: &Attempts) {
        for (index, frame) in frames.iter().enumerate() {
            self.account_for(frame, Tried { attempts, index });
        }
    }

    fn account_for(&mut self, frame: &pcapng::Frame, tried: Tried<'_>) {
        self.frames += 1;
        let before = self.findings.len();
        let class = self.classify(frame, tried).unwrap_or_else(|defect| {
            self.findings.push(defect.code.finding([frame.number], defect.text));
            defect.class
        });
        if self.findings.len() > before {
            self.keep_first(before);
        }
        if let Some(classes) = self.classes.get_mut(frame.point) {
            *classes.entry(class).or_default() += 1;
        }
    }

    /// Counts the findings from `begin` on, and forgets those of which there are enough.
    fn keep_first(&mut self, begin: usize) {
        let latest = self.findings.split_off(begin);
        self.findings.extend(latest.into_iter().filter(|finding| {
            let count = self.found.entry(finding.code.clone()).or_default();
            *count += 1;
            *count <= KEPT
        }));
    }

    pub(super) fn finish(mut self) -> Account {
        let flows = self.probes.finish(
            &self.points,
            &self.places,
            &self.internet,
            &self.tunnels,
            self.facts,
            &mut self.findings,
        );
        let Ike { negotiations, messages, left_out, encryption_keys } = self.negotiations.finish(&mut self.findings);
        for (code, &count) in self.found.iter().filter(|(_, count)| **count > KEPT) {
            let first = self.findings.iter().find(|finding| finding.code == *code).cloned();
            let more = count - KEPT;
            let observed = format!("{more} more frames show this than are listed");
            self.findings.extend(first.map(|first| Finding { frames: Vec::new(), more, observed, ..first }));
        }
        let named =
            |classes: BTreeMap<Class, u64>| classes.into_iter().map(|(class, n)| (class.to_owned(), n)).collect();
        for (point, classes) in self.points.iter_mut().zip(self.classes) {
            point.classes = named(classes);
        }
        let path_mtus = self.path_mtus.into_iter().map(|((point, mtu), [frames, first_frame])| PathMtu {
            point: self.points.get(point).map_or(String::new(), |point| point.name.clone()),
            mtu,
            frames,
            first_frame,
        });
        Account {
            frames: self.frames,
            path_mtus: path_mtus.collect(),
            points: self.points,
            flows,
            rekeys: self.tunnels.rekeys(&negotiations, self.facts),
            sas: self.tunnels.finish(),
            negotiations,
            messages,
            left_out,
            findings: self.findings,
            encryption_keys,
        }
    }

    fn classify(&mut self, frame: &pcapng::Frame, tried: Tried<'_>) -> Result<Class, Defect> {
        let side = self.points.get(frame.point).map(|point| point.side);
        let side = side.ok_or_else(|| Defect::unexplained("the frame belongs to no capture point"))?;
        if !frame.is_whole() {
            return Err(self.truncated(frame, side));
        }
        let (ethertype, payload) = frame.link.network(&frame.data)?;
        match ethertype {
            ethernet::IPV4 => {
                let packet = ipv4::Packet::parse(payload)?;
                match side {
                    Side::Internet => self.on_the_internet(frame, &packet, tried),
                    Side::Local | Side::Remote => self.inside(frame, side, &packet),
                }
            }
            ethernet::ARP => Ok(arp::recognise(payload).map(|()| "arp")?),
            ethernet::IPV6 => match ipv6::link_message(payload) {
                Ok(_) => Ok("ipv6-nd"),
                Err(e) => Err(Defect::unexplained(e.to_string())),
            },
            _ if marker::parse(&frame.data).is_some() => Ok("marker"),
            other => Err(Defect::unexplained(format!("ethertype {other:#06x}"))),
        }
    }

    /// What is left of a frame still says who sent what to whom, and that it should not have been in clear.
    fn truncated(&mut self, frame: &pcapng::Frame, side: Side) -> Defect {
        let cut = format!("{} of {} bytes were captured", frame.data.len(), frame.original_len);
        let truncated = |text| Defect::new("truncated", Code::TruncatedFrame, text);
        let Ok((ethernet::IPV4, payload)) = frame.link.network(&frame.data) else { return truncated(cut) };
        let Ok(packet) = ipv4::Packet::quoted(payload) else { return truncated(cut) };
        let ipv4::Packet { source, destination, protocol, payload, .. } = packet;
        if side == Side::Internet
            && let Err(Defect { code, text, .. }) = self.not_in_clear(&packet, "")
        {
            self.findings.push(code.finding([frame.number], text));
        }
        let datagram = || Datagram::quoted(payload).ok().filter(|datagram| datagram.uses(esp::NAT_PORT));
        let sealed = match protocol {
            _ if packet.fragment_offset != 0 => None,
            protocol::ESP => esp::Packet::parse(payload).ok(),
            protocol::UDP => datagram().and_then(|datagram| match Encapsulated::parse(datagram.payload) {
                Ok(Encapsulated::Esp(sealed)) => Some(sealed),
                _ => None,
            }),
            _ => None,
        };
        let what = match sealed {
            Some(esp::Packet { spi, sequence, .. }) => format!("ESP, SPI {spi:#010x}, sequence number {sequence},"),
            None => format!("IP protocol {protocol}"),
        };
        truncated(format!("{cut} of {what} from {source} to {destination}"))
    }

    fn on_the_internet(
        &mut self,
        frame: &pcapng::Frame,
        packet: &ipv4::Packet<'_>,
        tried: Tried<'_>,
    ) -> Result<Class, Defect> {
        self.not_in_clear(packet, "")?;
        not_fragmented(packet)?;
        let ipv4::Packet { source, destination, payload, .. } = *packet;
        match packet.protocol {
            protocol::ESP => self.esp(frame, packet, esp::Packet::parse(payload)?, false, tried),
            protocol::ICMP => {
                let message = Message::parse(payload)?;
                // An error that quotes a protected packet shows it to everyone.
                if let Some(quoted) = message.quoted() {
                    self.not_in_clear(&quoted, &format!("quoted in an ICMP error ({}): ", message.name()))?;
                }
                Ok(self.icmp(frame, &message))
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
                    Encapsulated::Esp(sealed) => self.esp(frame, packet, sealed, true, tried),
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
            protocol::ICMP => Ok(self.icmp(frame, &Message::parse(packet.payload)?)),
            protocol::IGMP => Ok("igmp"),
            protocol::UDP => {
                Datagram::parse(packet.payload)?;
                let probe = Probe::within(packet)
                    .ok_or_else(|| Defect::unexplained(format!("UDP from {source} to {destination}")))?;
                self.probes.in_clear(frame, side, packet, &probe, &mut self.findings)?;
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
            pieces: &[],
        };
        self.negotiations.see(&sent, &mut self.findings)?;
        for spi in self.negotiations.deleted() {
            self.tunnels.delete(spi, source, frame.time_ns);
        }
        Ok(class)
    }

    fn esp(
        &mut self,
        frame: &pcapng::Frame,
        outer: &ipv4::Packet<'_>,
        sealed: esp::Packet<'_>,
        encapsulated: bool,
        Tried { attempts, index }: Tried<'_>,
    ) -> Result<Class, Defect> {
        const CLASS: Class = "esp";
        self.went_past(frame, outer);
        let Some(attempt) = attempts.of(index) else {
            self.strays.see(frame, outer, sealed.spi, &mut self.findings);
            return Ok(CLASS);
        };
        let seen = self.tunnels.see(frame, sealed, encapsulated, attempt)?;
        let Some((sa, inside)) = seen else { return Ok(CLASS) };
        let outside = |text| Defect::new(CLASS, Code::InnerOutsideSelectors, text);
        match inside.next_header {
            protocol::IPV4 => {}
            protocol::NONE => return Ok(CLASS),
            other => return Err(outside(format!("next header {other} is not IPv4 in tunnel mode"))),
        }
        let inner =
            ipv4::Packet::parse(attempts.inner(&inside)).map_err(|e| outside(format!("the inner packet: {e}")))?;
        let ipv4::Packet { source, destination, .. } = inner;
        // Of a foreign capture the nets may not be known.
        let known = !self.facts.local.is_empty() || !self.facts.remote.is_empty();
        if known && !self.between_the_nets(&inner) {
            return Err(outside(format!("the inner packet goes from {source} to {destination}")));
        }
        if let Some(probe) = Probe::within(&inner) {
            self.probes.protected(frame.number, self.places[frame.point], sa, &inner, &probe, &mut self.findings)?;
        }
        Ok(CLASS)
    }

    fn icmp(&mut self, frame: &pcapng::Frame, message: &Message<'_>) -> Class {
        match message.next_hop_mtu() {
            Some(mtu) => {
                self.path_mtus.entry((frame.point, mtu)).or_insert([0, frame.number])[0] += 1;
                "pmtu"
            }
            None if message.is_error() => "icmp-error",
            None => "icmp",
        }
    }

    fn went_past(&mut self, frame: &pcapng::Frame, packet: &ipv4::Packet<'_>) {
        let pair = pair(packet.source, packet.destination);
        if let Some(point) = self.internet.get_mut(frame.point).filter(|_| self.tunnels.are_between(&pair)) {
            point.pairs.insert(pair);
        }
    }
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
