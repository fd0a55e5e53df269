//! A small laboratory of frames: a clean run is proven, and every planted defect is found by its
//! code and frame.
#![allow(clippy::unwrap_used)]

mod negotiations;

use std::net::Ipv4Addr;

use policy::{Encryption, Hash};
use proptest::{collection::vec, prelude::*, sample::Index};

use self::negotiations::{message, offer};
use super::*;
use crate::{
    esp::{self, Keys},
    ethernet::{self, Frame},
    ipv4::{self, protocol},
    isakmp, marker,
    pcapng::{self, Capture, Point},
    probe::{self, Probe},
    udp::Datagram,
};

const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const CUSTOMER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const WEB: Ipv4Addr = Ipv4Addr::new(10, 10, 1, 2);
const BRANCH: Ipv4Addr = Ipv4Addr::new(172, 16, 10, 2);

// Capture points.
const AT_ROUTER: usize = 0;
const AT_CUSTOMER: usize = 1;
const AT_WEB: usize = 2;
const AT_BRANCH: usize = 3;

struct Lab {
    capture: Capture,
    facts: Facts,
}

fn sa(spi: u32, source: Ipv4Addr, destination: Ipv4Addr, encryption: Encryption) -> SaKeys {
    let key = |len, digits: &str| digits.repeat(len);
    SaKeys {
        spi,
        source,
        destination,
        encryption,
        encryption_key: key(encryption.key_len(), "1f"),
        integrity: Hash::Sha1,
        integrity_key: key(Hash::Sha1.digest_len(), "2e"),
        added_ns: None,
        deleted_ns: None,
    }
}

impl Lab {
    fn new() -> Self {
        let point = |name: &str, side| Point { name: name.to_owned(), side: Some(side) };
        let points = vec![
            point("router", Side::Internet),
            point("customer", Side::Internet),
            point("web", Side::Local),
            point("branch", Side::Remote),
        ];
        let facts = Facts {
            local: vec!["10.10.0.0/16".parse().unwrap()],
            remote: vec!["172.16.10.0/24".parse().unwrap(), "192.168.10.0/24".parse().unwrap()],
            gateways: vec![ROUTER, CUSTOMER],
            sas: vec![
                sa(0x1001, ROUTER, CUSTOMER, Encryption::Aes128),
                sa(0x2002, CUSTOMER, ROUTER, Encryption::TripleDes),
            ],
            ..Facts::default()
        };
        Self { capture: Capture { points, frames: Vec::new() }, facts }
    }

    /// Adds a frame and returns its number.
    fn frame(&mut self, point: usize, ethertype: u16, payload: &[u8]) -> u64 {
        let frame = Frame { destination: [2, 0, 0, 0, 0, 1], source: [2, 0, 0, 0, 0, 2], ethertype, payload };
        self.raw(point, frame.emit())
    }

    fn raw(&mut self, point: usize, data: Vec<u8>) -> u64 {
        let number = self.capture.frames.len() as u64 + 1;
        let original_len = data.len() as u32;
        self.capture.frames.push(pcapng::Frame {
            number,
            point,
            time_ns: number * 1000,
            original_len,
            link: Default::default(),
            data,
        });
        number
    }

    fn ip(&mut self, point: usize, protocol: u8, source: Ipv4Addr, destination: Ipv4Addr, payload: &[u8]) -> u64 {
        self.frame(point, ethernet::IPV4, &ipv4::emit(protocol, source, destination, payload))
    }

    fn udp(&mut self, point: usize, source: Ipv4Addr, destination: Ipv4Addr, port: u16, payload: &[u8]) -> u64 {
        let datagram = Datagram { source_port: port, destination_port: port, payload }.emit();
        self.ip(point, protocol::UDP, source, destination, &datagram)
    }

    fn probe(&mut self, sequence: u32, source: Ipv4Addr, destination: Ipv4Addr, expected: Expected) -> Probe {
        self.facts.probes.push(ProbeSent { exchange: 1, source, destination, sequence, expected, asked_ns: None });
        Probe { exchange: 1, source, destination, sequence }
    }

    fn outward(&mut self, sequence: u32) -> Probe {
        self.probe(sequence, WEB, BRANCH, Expected::Delivered)
    }

    fn clear(&mut self, point: usize, probe: &Probe) -> u64 {
        self.frame(point, ethernet::IPV4, &probe.packet())
    }

    fn seal(&self, sa: usize, sequence: u32, next_header: u8, inner: &[u8]) -> Vec<u8> {
        let sa = &self.facts.sas[sa];
        let iv = &[0x5a; 16][..sa.encryption.block_len()];
        esp::seal(&Keys::try_from(sa).unwrap(), sa.spi, sequence, iv, next_header, inner).unwrap()
    }

    /// An ESP packet of an SA of the facts, at one point.
    fn sealed(&mut self, point: usize, sa: usize, sequence: u32, inner: &[u8]) -> u64 {
        let packet = self.seal(sa, sequence, protocol::IPV4, inner);
        let SaKeys { source, destination, .. } = self.facts.sas[sa];
        self.ip(point, protocol::ESP, source, destination, &packet)
    }

    /// A probe from its source up to the points that are named, as a right tunnel carries it.
    fn carry(&mut self, sequence: u32, probe: &Probe, points: &[usize]) {
        let outward = probe.source == WEB;
        for &point in points {
            match point {
                AT_ROUTER | AT_CUSTOMER => self.sealed(point, usize::from(!outward), sequence, &probe.packet()),
                _ => self.clear(point, probe),
            };
        }
    }

    fn account(&self) -> Account {
        let account = audit(&self.capture, &self.facts);
        let classes: u64 = account.points.iter().flat_map(|point| point.classes.values()).sum();
        assert_eq!((account.frames, classes), (self.capture.frames.len() as u64, account.frames));
        account
    }

    /// Code and frame of every finding.
    fn findings(&self) -> Vec<(String, Option<u64>)> {
        self.account().findings.into_iter().map(|finding| (finding.code.clone(), finding.frame())).collect()
    }
}

#[track_caller]
fn assert_found(lab: &Lab, expected: &[(Code, Option<u64>)]) {
    let expected: Vec<_> = expected.iter().map(|(code, frame)| (code.name().to_owned(), *frame)).collect();
    assert_eq!(lab.findings(), expected, "{:#?}", lab.account().findings);
}

const OUTWARD: [usize; 4] = [AT_WEB, AT_ROUTER, AT_CUSTOMER, AT_BRANCH];
const HOMEWARD: [usize; 4] = [AT_BRANCH, AT_CUSTOMER, AT_ROUTER, AT_WEB];

#[test]
fn a_clean_run_is_accounted_for_to_the_last_frame() {
    let mut lab = Lab::new();
    for sequence in 1..=3 {
        let probe = lab.outward(sequence);
        lab.carry(sequence, &probe, &OUTWARD);
        let probe = lab.probe(sequence, BRANCH, WEB, Expected::Delivered);
        lab.carry(sequence, &probe, &HOMEWARD);
    }
    lab.frame(AT_WEB, ethernet::ARP, &[&[0, 1, 8, 0, 6, 4, 0, 1][..], &[0; 20]].concat());
    let mut discovery = [0; 48];
    (discovery[0], discovery[6], discovery[40]) = (0x60, 58, 133);
    lab.frame(AT_BRANCH, ethernet::IPV6, &discovery);
    lab.ip(AT_WEB, protocol::IGMP, WEB, Ipv4Addr::new(224, 0, 0, 22), &[0x22, 0, 0, 0]);
    lab.ip(AT_ROUTER, protocol::ICMP, ROUTER, CUSTOMER, &[8, 0, 0, 0, 0, 0, 0, 1]);
    lab.ip(AT_WEB, protocol::ICMP, Ipv4Addr::new(10, 10, 1, 1), WEB, &[3, 1, 0, 0, 0, 0, 0, 0]);
    lab.udp(AT_ROUTER, ROUTER, CUSTOMER, esp::NAT_PORT, &[0xff]);
    lab.raw(AT_CUSTOMER, marker::frame(9));

    let account = lab.account();
    assert_eq!(account.findings, []);
    let classes = |point: usize| -> Vec<(&str, u64)> {
        account.points[point].classes.iter().map(|(class, count)| (class.as_str(), *count)).collect()
    };
    assert_eq!(classes(AT_ROUTER), [("esp", 6), ("icmp", 1), ("nat-keepalive", 1)]);
    assert_eq!(classes(AT_CUSTOMER), [("esp", 6), ("marker", 1)]);
    assert_eq!(classes(AT_WEB), [("arp", 1), ("icmp-error", 1), ("igmp", 1), ("probe", 6)]);
    assert_eq!(classes(AT_BRANCH), [("ipv6-nd", 1), ("probe", 6)]);

    let flow = |source, destination| (1, source, destination, [3, 3, 3]);
    let flows: Vec<_> = account
        .flows
        .iter()
        .map(|flow| (flow.exchange, flow.source, flow.destination, [flow.sent, flow.protected, flow.received]))
        .collect();
    assert_eq!(flows, [flow(WEB, BRANCH), flow(BRANCH, WEB)]);
    let expected = SaAccount {
        spi: 0x1001,
        source: ROUTER,
        destination: CUSTOMER,
        encryption: Encryption::Aes128,
        integrity: Hash::Sha1,
        packets: 3,
        inner_bytes: 3 * (20 + 8 + probe::LEN as u64),
        verified: 3,
        first_sequence: 1,
        last_sequence: 3,
        first_frame: 2,
        first_seen_ns: 2000,
        last_seen_ns: 18000,
        encapsulated: 0,
        added_ns: None,
        deleted_ns: None,
    };
    assert_eq!(account.sas[0], expected);
    assert_eq!((account.sas.len(), account.sas[1].packets), (2, 3));
}

#[test]
fn traffic_in_clear_on_the_internet_is_found_whatever_its_addresses() {
    let mut lab = Lab::new();
    let plain = lab.ip(AT_ROUTER, 6, WEB, BRANCH, &[0; 20]);
    let back = lab.ip(AT_CUSTOMER, protocol::ICMP, BRANCH, WEB, &[0; 8]);
    // Behind source translation only the payload tells.
    let probe = lab.probe(1, WEB, BRANCH, Expected::NotInClear);
    let translated = lab.udp(AT_ROUTER, ROUTER, BRANCH, probe::PORT, &probe.payload());
    let on_port_4500 = lab.udp(AT_ROUTER, ROUTER, CUSTOMER, esp::NAT_PORT, &probe.payload());
    let quoted = [&[3, 1, 0, 0, 0, 0, 0, 0][..], &probe.packet()].concat();
    let quoted = lab.ip(AT_ROUTER, protocol::ICMP, CUSTOMER, ROUTER, &quoted);
    let found = [plain, back, translated, on_port_4500, quoted].map(|frame| (Code::ClearText, Some(frame)));
    assert_found(&lab, &found);
    assert_eq!(lab.account().points[AT_ROUTER].classes["clear-text"], 4);
}

#[test]
fn what_is_counted_may_be_lost_and_how_long_nothing_arrived_is_told() {
    let mut lab = Lab::new();
    let mut sent = Vec::new();
    for sequence in 1..=6 {
        let probe = lab.probe(sequence, WEB, BRANCH, Expected::Counted);
        let way = if [2, 3, 6].contains(&sequence) { &OUTWARD[..2] } else { &OUTWARD[..] };
        sent.push((lab.capture.frames.len() as u64 + 1) * 1000);
        lab.carry(sequence, &probe, way);
    }
    assert_found(&lab, &[]);
    let account = lab.account();
    let flow = &account.flows[0];
    assert_eq!((flow.sent, flow.received, flow.first_sent_ns, flow.last_sent_ns), (6, 3, sent[0], sent[5]));
    let first = Loss { sequence: 2, packets: 2, from_ns: sent[1], until_ns: Some(sent[3]) };
    let second = Loss { sequence: 6, packets: 1, from_ns: sent[5], until_ns: None };
    assert_eq!(flow.losses, [first, second]);
}

#[test]
fn what_need_not_arrive_may_vanish() {
    let mut lab = Lab::new();
    let probe = lab.probe(1, WEB, BRANCH, Expected::NotInClear);
    lab.clear(AT_WEB, &probe);
    assert_found(&lab, &[]);
    assert_eq!(lab.account().flows[0].sent, 1);
}

#[test]
fn forged_damaged_and_replayed_esp_is_found() {
    let mut lab = Lab::new();
    let inner = Probe { exchange: 1, source: WEB, destination: BRANCH, sequence: 1 };
    let probe = lab.outward(1);
    lab.carry(1, &probe, &OUTWARD);

    let mut damaged = lab.seal(0, 2, protocol::IPV4, &inner.packet());
    damaged[30] ^= 4;
    let damaged = lab.ip(AT_ROUTER, protocol::ESP, ROUTER, CUSTOMER, &damaged);
    let elsewhere = lab.seal(0, 3, protocol::IPV4, &inner.packet());
    let unknown = lab.ip(AT_ROUTER, protocol::ESP, CUSTOMER, ROUTER, &elsewhere);
    let replayed = lab.sealed(AT_ROUTER, 0, 1, &inner.packet());
    let ahead = lab.outward(9);
    lab.carry(9, &ahead, &OUTWARD);
    let behind = lab.outward(8);
    lab.carry(8, &behind, &OUTWARD);
    let reordered = lab.capture.frames.len() as u64 - 2;
    let zero = lab.sealed(AT_ROUTER, 0, 0, &inner.packet());
    let short = lab.ip(AT_ROUTER, protocol::ESP, ROUTER, CUSTOMER, &[0, 0, 0x10, 1, 0, 0, 0, 30, 1]);

    let expected = [
        (Code::WrongIntegrity, Some(damaged)),
        (Code::UnknownSpi, Some(unknown)),
        (Code::ReplayedSequence, Some(replayed)),
        (Code::ReorderedSequence, Some(reordered)),
        (Code::ReorderedSequence, Some(reordered + 1)),
        (Code::ReplayedSequence, Some(zero)),
        (Code::MalformedPacket, Some(short)),
        (Code::ProbeNotProtected, None),
    ];
    // A packet out of its order proves nothing about what it carries.
    assert_found(&lab, &expected);
    let sa = &lab.account().sas[0];
    assert_eq!((sa.packets, sa.verified), (7, 5));
}

#[test]
fn the_inside_must_be_ipv4_between_the_nets() {
    let mut lab = Lab::new();
    let foreign = ipv4::emit(protocol::ICMP, WEB, Ipv4Addr::new(203, 0, 113, 9), &[8; 8]);
    let foreign = lab.sealed(AT_ROUTER, 0, 1, &foreign);
    let garbage = lab.sealed(AT_ROUTER, 0, 2, &[1, 2, 3]);
    let transport = lab.seal(0, 3, protocol::UDP, &[0; 16]);
    let transport = lab.ip(AT_ROUTER, protocol::ESP, ROUTER, CUSTOMER, &transport);
    let dummy = lab.seal(0, 4, protocol::NONE, &[]);
    lab.ip(AT_ROUTER, protocol::ESP, ROUTER, CUSTOMER, &dummy);
    lab.sealed(AT_ROUTER, 0, 5, &ipv4::emit(protocol::ICMP, WEB, BRANCH, &[8; 8]));
    assert_found(&lab, &[foreign, garbage, transport].map(|frame| (Code::InnerOutsideSelectors, Some(frame))));
}

#[test]
fn padding_is_judged_by_its_own_code() {
    // The sealed packet's own trailer is cut off with its last block, so that the end of what was
    // sealed stands in its place, and the check value is made anew.
    let mut lab = Lab::new();
    let keys = &lab.facts.sas[0];
    let inner = [[7; 14].as_slice(), &[3, protocol::IPV4]].concat();
    let whole = esp::seal(&Keys::try_from(keys).unwrap(), keys.spi, 1, &[0; 16], protocol::IPV4, &inner).unwrap();
    let mut packet = whole[..8 + 16 + 16].to_vec();
    packet.extend(icv(&keys.integrity_key, &packet));
    let frame = lab.ip(AT_ROUTER, protocol::ESP, ROUTER, CUSTOMER, &packet);
    assert_found(&lab, &[(Code::BadPadding, Some(frame))]);
}

fn icv(key: &str, bytes: &[u8]) -> Vec<u8> {
    use hmac::{KeyInit, Mac};
    let key = crate::hex::decode(key).unwrap();
    let mac = hmac::Hmac::<sha1::Sha1>::new_from_slice(&key).unwrap();
    mac.chain_update(bytes).finalize().into_bytes()[..12].to_vec()
}

#[test]
fn a_probe_that_misses_a_stage_is_named_by_it() {
    let missing = |points: &[usize]| {
        let mut lab = Lab::new();
        let whole = lab.outward(1);
        lab.carry(1, &whole, &OUTWARD);
        let probe = lab.outward(2);
        lab.carry(2, &probe, points);
        lab
    };
    assert_found(&missing(&[AT_ROUTER, AT_CUSTOMER, AT_BRANCH]), &[(Code::ProbeNotSent, None)]);
    assert_found(&missing(&[AT_WEB, AT_BRANCH]), &[(Code::ProbeNotProtected, None)]);
    assert_found(&missing(&[AT_WEB, AT_ROUTER, AT_BRANCH]), &[(Code::ProbeNotProtected, None)]);
    assert_found(&missing(&[AT_WEB, AT_ROUTER]), &[(Code::ProbeLost, None)]);
    let lost = missing(&[AT_WEB, AT_ROUTER, AT_CUSTOMER]);
    assert_found(&lost, &[(Code::ProbeLost, None)]);
    let flow = &lost.account().flows[0];
    assert_eq!((flow.sent, flow.protected, flow.received), (2, 2, 1));
}

#[test]
fn a_probe_that_is_seen_twice_is_found_where_it_is() {
    let mut lab = Lab::new();
    let probe = lab.outward(1);
    lab.carry(1, &probe, &OUTWARD);
    let sent = lab.clear(AT_WEB, &probe);
    let protected = lab.sealed(AT_ROUTER, 0, 2, &probe.packet());
    let received = lab.clear(AT_BRANCH, &probe);
    assert_found(&lab, &[sent, protected, received].map(|frame| (Code::ProbeDuplicated, Some(frame))));
}

#[test]
fn a_probe_that_nobody_sent_or_that_was_rewritten_is_found() {
    let mut lab = Lab::new();
    let stray = Probe { exchange: 5, source: WEB, destination: BRANCH, sequence: 1 };
    let in_clear = lab.clear(AT_BRANCH, &stray);
    let in_esp = lab.sealed(AT_ROUTER, 0, 1, &stray.packet());
    let probe = lab.probe(1, WEB, BRANCH, Expected::NotInClear);
    let rewritten = lab.udp(AT_BRANCH, Ipv4Addr::new(172, 16, 10, 1), BRANCH, probe::PORT, &probe.payload());
    let expected = [
        (Code::UnknownProbe, Some(in_clear)),
        (Code::UnknownProbe, Some(in_esp)),
        (Code::RewrittenProbe, Some(rewritten)),
    ];
    assert_found(&lab, &expected);
}

#[test]
fn what_cannot_be_explained_is_not_passed_over() {
    let mut lab = Lab::new();
    let ethertype = lab.frame(AT_WEB, 0x88cc, &[0; 46]);
    let not_a_marker = lab.frame(AT_WEB, ethernet::EXPERIMENTAL, &[0; 46]);
    let tcp = lab.ip(AT_WEB, 6, WEB, BRANCH, &[0; 20]);
    let protected = lab.sealed(AT_BRANCH, 0, 1, &[]);
    let dns = lab.udp(AT_ROUTER, ROUTER, CUSTOMER, 53, &[0; 12]);
    let mut changed = probe_of(1).payload();
    changed[60] ^= 1;
    let changed = lab.udp(AT_BRANCH, WEB, BRANCH, probe::PORT, &changed);
    let frames = [ethertype, not_a_marker, tcp, protected, dns, changed];
    let mut expected = frames.map(|frame| (Code::UnexplainedFrame, Some(frame))).to_vec();

    let mut packet = ipv4::emit(protocol::ESP, ROUTER, CUSTOMER, &[0; 40]);
    packet[8] = 63;
    expected.push((Code::MalformedPacket, Some(lab.frame(AT_ROUTER, ethernet::IPV4, &packet))));
    let mut packet = ipv4::emit(protocol::ESP, ROUTER, CUSTOMER, &[0; 40]);
    (packet[6], packet[10]) = (0x20, packet[10].wrapping_add(0x20));
    expected.push((Code::IpFragment, Some(lab.frame(AT_ROUTER, ethernet::IPV4, &packet))));
    let cut = lab.ip(AT_ROUTER, protocol::ESP, ROUTER, CUSTOMER, &[0; 40]);
    lab.capture.frames.last_mut().unwrap().original_len += 1;
    expected.push((Code::TruncatedFrame, Some(cut)));
    assert_found(&lab, &expected);
}

#[test]
fn what_routers_say_of_the_path_is_told_with_its_mtu() {
    let mut lab = Lab::new();
    let router = Ipv4Addr::new(203, 0, 113, 1);
    let needed = |mtu: u16| [&[3, 4, 0, 0, 0, 0][..], &mtu.to_be_bytes()].concat();
    let first = lab.ip(AT_ROUTER, protocol::ICMP, router, ROUTER, &needed(1400));
    lab.ip(AT_ROUTER, protocol::ICMP, router, ROUTER, &needed(1400));
    let smaller = lab.ip(AT_ROUTER, protocol::ICMP, router, ROUTER, &needed(1280));
    let inside = lab.ip(AT_WEB, protocol::ICMP, Ipv4Addr::new(10, 10, 1, 1), WEB, &needed(0));
    lab.ip(AT_WEB, protocol::ICMP, Ipv4Addr::new(10, 10, 1, 1), WEB, &[3, 1, 0, 0, 0, 0, 5, 120]);
    assert_found(&lab, &[]);
    let account = lab.account();
    assert_eq!((account.points[AT_ROUTER].classes["pmtu"], account.points[AT_WEB].classes["pmtu"]), (3, 1));
    assert_eq!(account.points[AT_WEB].classes["icmp-error"], 1);
    let told: Vec<_> =
        account.path_mtus.iter().map(|told| (&told.point[..], told.mtu, told.frames, told.first_frame)).collect();
    assert_eq!(told, [("router", 1280, 1, smaller), ("router", 1400, 2, first), ("web", 0, 1, inside)]);
}

/// A capture with a short snap length still says what should not have been in clear.
#[test]
fn truncated_frames_are_read_as_far_as_they_go() {
    let mut lab = Lab::new();
    let probe = lab.outward(1);
    let sealed = lab.sealed(AT_ROUTER, 0, 1, &probe.packet());
    let clear = lab.clear(AT_ROUTER, &probe);
    let header = lab.clear(AT_WEB, &probe);
    for (frame, len) in lab.capture.frames.iter_mut().zip([60, 34, 20]) {
        frame.data.truncate(len);
    }
    lab.facts.probes.clear();
    let expected = [(Code::TruncatedFrame, Some(sealed)), (Code::ClearText, Some(clear))];
    let expected = [&expected[..], &[clear, header].map(|frame| (Code::TruncatedFrame, Some(frame)))].concat();
    assert_found(&lab, &expected);
    let account = lab.account();
    assert_eq!(account.points[AT_ROUTER].classes["truncated"], 2);
    let text =
        "60 of 166 bytes were captured of ESP, SPI 0x00001001, sequence number 1, from 192.0.2.1 to 198.51.100.1";
    assert_eq!(account.findings[0].observed, text);
}

/// What refutes a cell a million times is told often enough, and counted to the end.
#[test]
fn a_flood_of_one_finding_is_counted_and_not_kept() {
    let mut lab = Lab::new();
    for _ in 0..10_007 {
        lab.frame(AT_WEB, 0x88cc, &[]);
    }
    let tcp = lab.ip(AT_ROUTER, 6, WEB, BRANCH, &[]);
    let account = lab.account();
    let [.., kept, clear, more] = &account.findings[..] else { panic!("{account:?}") };
    assert_eq!((kept.frames[0], clear.frames[0], account.findings.len()), (10_000, tcp, 10_002));
    assert_eq!((&more.code[..], more.frame()), ("unexplained-frame", None));
    assert_eq!(more.observed, "7 more frames show this than are listed");
}

/// As when a capture begins with other keys than it goes on with.
#[test]
fn a_hundred_thousand_packets_of_one_unknown_spi_are_one_finding_with_their_count() {
    let mut lab = Lab::new();
    let stray = |spi: u32| [&spi.to_be_bytes()[..], &[0; 40]].concat();
    let first = lab.ip(AT_ROUTER, protocol::ESP, ROUTER, CUSTOMER, &stray(7));
    let other = lab.ip(AT_ROUTER, protocol::ESP, CUSTOMER, ROUTER, &stray(7));
    for _ in 1..100_000 {
        lab.ip(AT_ROUTER, protocol::ESP, ROUTER, CUSTOMER, &stray(7));
    }
    let account = lab.account();
    let [found, elsewhere] = &account.findings[..] else { panic!("{:#?}", account.findings) };
    assert_eq!((found.frame(), found.frames.len(), found.more), (Some(first), 100, 99_900));
    assert_eq!((elsewhere.frame(), elsewhere.more), (Some(other), 0));
    assert_eq!(account.points[AT_ROUTER].classes["esp"], 100_001);
}

#[test]
fn more_unknown_spis_than_are_kept_are_counted() {
    let mut lab = Lab::new();
    for _ in 0..2 {
        for spi in 0x10000..0x10000 + 10_007_u32 {
            lab.ip(AT_ROUTER, protocol::ESP, ROUTER, CUSTOMER, &[&spi.to_be_bytes()[..], &[0; 40]].concat());
        }
    }
    let account = lab.account();
    let (more, kept) = account.findings.split_last().unwrap();
    assert!(kept.len() == 10_000 && kept.iter().all(|finding| finding.frames.len() == 2));
    assert_eq!((more.frame(), more.more), (None, 14));
}

fn probe_of(sequence: u32) -> Probe {
    Probe { exchange: 1, source: WEB, destination: BRANCH, sequence }
}

#[test]
fn keys_that_cannot_be_used_are_a_finding_of_their_own() {
    let mut lab = Lab::new();
    lab.sealed(AT_ROUTER, 0, 1, &probe_of(1).packet());
    lab.facts.sas[0].encryption_key.truncate(6);
    assert_found(&lab, &[(Code::UnusableKeys, None)]);
}

/// Behind translation ESP comes in UDP, with another destination than its SA's.
#[test]
fn translated_tunnels_and_spis_that_are_used_again_are_opened() {
    let mut lab = Lab::new();
    let inside = Ipv4Addr::new(203, 0, 113, 7);
    let mut later = lab.facts.sas[0].clone();
    later.encryption_key = "3d".repeat(16);
    later.integrity_key = "4c".repeat(20);
    lab.facts.sas.push(later);
    lab.facts.gateways.push(inside);
    let probe = lab.outward(1);
    lab.clear(AT_WEB, &probe);
    let packet = lab.seal(2, 1, protocol::IPV4, &probe.packet());
    lab.udp(AT_ROUTER, ROUTER, CUSTOMER, esp::NAT_PORT, &packet);
    lab.udp(AT_CUSTOMER, ROUTER, inside, esp::NAT_PORT, &packet);
    lab.clear(AT_BRANCH, &probe);
    assert_found(&lab, &[]);
    assert_eq!(lab.account().sas.len(), 1);
}

/// A second pair of SAs for the same networks: outward both are used for a while, homeward nothing is sent meanwhile.
fn rekeyed() -> Lab {
    let mut lab = Lab::new();
    lab.facts.remote.pop();
    for (spi, source, destination) in [(0x1003, ROUTER, CUSTOMER), (0x2004, CUSTOMER, ROUTER)] {
        let mut new = sa(spi, source, destination, Encryption::Aes128);
        new.integrity_key = "4c".repeat(20);
        lab.facts.sas.push(new);
    }
    let inner = [ipv4::emit(protocol::ICMP, WEB, BRANCH, &[8; 8]), ipv4::emit(protocol::ICMP, BRANCH, WEB, &[0; 8])];
    // Frames are a microsecond apart.
    for (sa, sequence) in [(1, 1), (0, 1), (0, 2), (2, 1), (0, 3), (2, 2), (0, 4), (2, 3), (3, 1), (3, 2)] {
        for point in [AT_ROUTER, AT_CUSTOMER] {
            lab.sealed(point, sa, sequence, &inner[sa % 2]);
        }
    }
    lab
}

#[test]
fn how_long_two_sas_were_in_use_at_once_is_told_for_each_direction() {
    let mut lab = rekeyed();
    assert_found(&lab, &[]);
    let account = lab.account();
    let [outward, homeward] = &account.rekeys[..] else { panic!("{:#?}", account.rekeys) };
    assert_eq!((outward.source, outward.destination, outward.spis), (ROUTER, CUSTOMER, [0x1001, 0x1003]));
    assert_eq!((outward.frame, outward.overlap_ns, outward.late_packets), (7, 6_000, 2));
    assert_eq!((homeward.spis, homeward.frame), ([0x2002, 0x2004], 17));
    assert_eq!((homeward.overlap_ns, homeward.late_packets), (-16_000, 0));
    assert_eq!(outward.selectors, ["10.10.0.0/16", "172.16.10.0/24"]);
    assert_eq!(outward.selectors, homeward.selectors);

    // Which of two pairs of networks each SA is for, only a Quick Mode tells.
    lab.facts.remote.push("192.168.10.0/24".parse().unwrap());
    assert_eq!(lab.account().rekeys, []);
}

/// Two Quick Modes of a conversation that another program made, one of either end, and a packet of each SA.
#[test]
fn for_which_networks_an_sa_is_its_quick_mode_tells() {
    let mut lab = Lab::new();
    let [initiator, responder] = [1, 2].map(|end| Ipv4Addr::new(203, 0, 113, end));
    lab.facts.gateways = vec![initiator, responder];
    lab.facts.sas.clear();
    for line in include_str!("../../../fixtures/ike/aes128-sha1.txt").lines() {
        let (word, digits) = line.split_once(' ').unwrap();
        let bytes = || crate::hex::decode(digits).unwrap();
        match word {
            "psk" => lab.facts.ike.pre_shared_keys.push(digits.to_owned()),
            "secrets" => lab.facts.ike.shared_secrets.push(digits.to_owned()),
            "i" => _ = lab.udp(AT_ROUTER, initiator, responder, 500, &bytes()),
            "r" => _ = lab.udp(AT_ROUTER, responder, initiator, 500, &bytes()),
            _ => {}
        }
    }
    let ways = [(responder, initiator), (initiator, responder), (initiator, responder), (responder, initiator)];
    for (index, (spi, (source, destination))) in (0xc000_0001..).zip(ways).enumerate() {
        lab.facts.sas.push(sa(spi, source, destination, Encryption::Aes128));
        lab.sealed(AT_ROUTER, index, 1, &ipv4::emit(protocol::ICMP, WEB, BRANCH, &[8; 8]));
    }
    let rekeys: Vec<_> = lab.account().rekeys.into_iter().map(|rekey| (rekey.spis, rekey.selectors)).collect();
    let networks = ["10.1.0.0/16", "172.16.10.0/24"].map(str::to_owned);
    assert_eq!(rekeys, [([0xc000_0002, 0xc000_0003], networks.clone()), ([0xc000_0001, 0xc000_0004], networks)]);
}

/// Where several customers meet the router, nobody's packets pass the others' points.
#[test]
fn a_packet_must_pass_only_the_points_on_its_way() {
    let mut lab = Lab::new();
    lab.capture.points.push(Point { name: "other".to_owned(), side: Some(Side::Internet) });
    let probe = lab.outward(1);
    lab.carry(1, &probe, &OUTWARD);
    assert_found(&lab, &[(Code::ProbeNotProtected, None)]);
    lab.facts.gateways.push(Ipv4Addr::new(203, 0, 113, 9));
    assert_found(&lab, &[]);
}

#[test]
fn every_code_is_in_the_manual_and_none_other() {
    let (manual, _) = include_str!("../../../../../docs/findings.md").split_once("## Classes").unwrap();
    let named: Vec<_> = manual.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).collect();
    let mut named: Vec<_> = named.into_iter().map(|(code, _)| code).collect();
    let mut codes = Code::ALL.map(Code::name).to_vec();
    named.sort_unstable();
    codes.sort_unstable();
    assert_eq!(named, codes);
}

proptest! {
    #[test]
    fn arbitrary_frames_are_counted_once_and_never_panic(
        frames in vec((0..4usize, vec(any::<u8>(), 0..120)), 0..12),
    ) {
        let mut lab = Lab::new();
        for (point, data) in frames {
            lab.raw(point, data);
        }
        lab.account();
    }

    /// Deeper than arbitrary bytes come: a right frame with a few of its bytes replaced.
    #[test]
    fn damaged_frames_are_counted_once_and_never_panic(
        which in any::<Index>(),
        damage in vec((any::<Index>(), any::<u8>()), 0..4),
        cut in any::<Index>(),
    ) {
        let mut lab = Lab::new();
        let probe = lab.outward(1);
        lab.carry(1, &probe, &OUTWARD);
        lab.udp(AT_ROUTER, ROUTER, CUSTOMER, 500, &message([1, 0], isakmp::exchange::MAIN_MODE, 0, &[offer(3)]));
        lab.udp(AT_ROUTER, ROUTER, CUSTOMER, esp::NAT_PORT, &lab.seal(0, 2, protocol::IPV4, &probe.packet()));
        let quoted = [&[3, 1, 0, 0, 0, 0, 0, 0][..], &probe.packet()].concat();
        lab.ip(AT_ROUTER, protocol::ICMP, CUSTOMER, ROUTER, &quoted);
        let frame = which.get_mut(&mut lab.capture.frames);
        for (at, value) in damage {
            let at = at.index(frame.data.len());
            frame.data[at] = value;
        }
        frame.data.truncate(frame.data.len() - cut.index(frame.data.len()) / 2);
        frame.original_len = frame.data.len() as u32;
        lab.account();
    }

    #[test]
    fn a_probe_is_parsed_only_from_its_own_bytes(
        numbers in any::<(u32, u32, u32, u32)>(), bit in 0..8 * probe::LEN,
    ) {
        let (exchange, sequence, source, destination) = numbers;
        let probe = Probe { exchange, sequence, source: source.into(), destination: destination.into() };
        let mut payload = probe.payload();
        prop_assert_eq!(Probe::parse(&payload), Some(probe));
        payload[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(Probe::parse(&payload), None);
    }

    #[test]
    fn a_marker_is_parsed_again(token in any::<u64>(), bytes in vec(any::<u8>(), 0..70)) {
        prop_assert_eq!(marker::parse(&marker::frame(token)), Some(token));
        prop_assert_eq!(marker::parse(&bytes), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// However many threads open the packets, and however the frames come, alone or together.
    #[test]
    fn the_account_does_not_depend_on_threads(
        order in vec((0..9_u8, 0..4_usize, any::<Index>()), 130..300), threads in 2..5_usize, batch in 2..400_usize,
    ) {
        let mut lab = Lab::new();
        let probes = [1, 2, 3].map(|sequence| lab.outward(sequence));
        let again = lab.facts.sas[0].clone();
        lab.facts.sas.push(SaKeys { integrity_key: "4c".repeat(20), ..again });
        for (sequence, (kind, point, which)) in (1..).zip(order) {
            let probe = which.get(&probes).packet();
            let internet = point % 2;
            match kind {
                0..3 => lab.sealed(internet, usize::from(kind), sequence, &probe),
                3 => lab.sealed(internet, 1, 5, &probe[..which.index(probe.len())]),
                4 => lab.sealed(internet, 2, sequence / 7, &probe),
                5 => {
                    let packet = lab.seal(which.index(3), sequence, protocol::IPV4, &probe);
                    lab.udp(internet, CUSTOMER, WEB, esp::NAT_PORT, &packet)
                }
                6 => lab.clear(point, which.get(&probes)),
                7 => lab.ip(internet, protocol::ESP, ROUTER, CUSTOMER, &[0, 0, 0x10, 1, 0, 0, 0, 9, 1, 2, 3]),
                _ => {
                    let number = lab.sealed(internet, 0, sequence, &probe);
                    let data = &mut lab.capture.frames[number as usize - 1].data;
                    let at = which.index(data.len());
                    data[at] ^= 1;
                    number
                }
            };
        }
        let account = |threads, batch| audit_with(&lab.capture, &lab.facts, threads, batch);
        let alone = account(1, 1);
        prop_assert_eq!(&alone, &account(threads, batch));
        prop_assert_eq!(&alone, &lab.account());
    }
}
