//! A capture of a real tunnel, libreswan's to strongSwan's with perfect forward secrecy, is accounted for to the last
//! frame. Then one defect at a time is planted in it, and each is found at its frame under its code.
#![allow(clippy::unwrap_used)]

use policy::{Group, Hash};
use tunnelproof_wire::{
    audit::{self, Account, Code, Facts, IkeKeys, Pfs, Secrecy, Side},
    esp::{self, Encapsulated, Keys},
    pcapng::{self, Capture, Frame},
};

struct Case {
    capture: Capture,
    facts: Facts,
}

impl Case {
    fn right() -> Self {
        Self {
            capture: pcapng::read(include_bytes!("../fixtures/tunnel.pcapng")).unwrap(),
            facts: serde_json::from_str(include_str!("../fixtures/tunnel.json")).unwrap(),
        }
    }

    fn account(&self) -> Account {
        audit::audit(&self.capture, &self.facts)
    }

    /// Codes of findings, and the frames that refute, at whichever place those of the capture stand.
    fn found(&self) -> Vec<(String, Option<u64>)> {
        self.account().findings.into_iter().map(|finding| (finding.code.clone(), finding.frame())).collect()
    }

    fn assert_found(&self, expected: &[(Code, Option<u64>)]) {
        let expected: Vec<_> = expected.iter().map(|(code, frame)| (code.name().to_owned(), *frame)).collect();
        assert_eq!(self.found(), expected, "{:#?}", self.account().findings);
    }

    /// Where a frame is that is of this kind.
    fn position(&self, wanted: impl Fn(&Self, &Frame) -> bool) -> usize {
        self.capture.frames.iter().position(|frame| wanted(self, frame)).unwrap()
    }

    fn side(&self, frame: &Frame) -> Option<Side> {
        self.capture.points[frame.point].side
    }

    /// Puts a frame behind the one at `index`, and counts anew; says which number it has.
    fn insert(&mut self, index: usize, frame: Frame) -> u64 {
        self.capture.frames.insert(index + 1, frame);
        self.count();
        self.capture.frames[index + 1].number
    }

    fn remove(&mut self, wanted: impl Fn(&Self, &Frame) -> bool) {
        let keep: Vec<bool> = self.capture.frames.iter().map(|frame| !wanted(self, frame)).collect();
        let mut keep = keep.into_iter();
        self.capture.frames.retain(|_| keep.next().unwrap());
        self.count();
    }

    fn count(&mut self) {
        for (index, frame) in self.capture.frames.iter_mut().enumerate() {
            frame.number = index as u64 + 1;
        }
    }
}

const ETHERNET: usize = 14;
const IP: usize = 20;
const ESP: u8 = 50;
const UDP: u8 = 17;

/// The ESP packet in a frame of the internet.
fn sealed(frame: &Frame) -> Option<&[u8]> {
    (frame.data.get(ETHERNET + 9) == Some(&ESP)).then(|| &frame.data[ETHERNET + IP..])
}

/// What is in a UDP datagram between these ports.
fn datagram(frame: &Frame, port: u16) -> Option<&[u8]> {
    let udp = frame.data.get(ETHERNET + IP..).filter(|_| frame.data[ETHERNET + 9] == UDP)?;
    (udp[2..4] == port.to_be_bytes()).then(|| &udp[8..])
}

fn is_probe(case: &Case, frame: &Frame) -> bool {
    case.side(frame) != Some(Side::Internet) && datagram(frame, 4242).is_some()
}

fn is_esp(case: &Case, frame: &Frame) -> bool {
    case.side(frame) == Some(Side::Internet) && sealed(frame).is_some()
}

#[test]
fn the_capture_is_explained_to_its_last_frame() {
    let case = Case::right();
    case.assert_found(&[]);
    let account = case.account();
    let [negotiation] = &account.negotiations[..] else { panic!("{:#?}", account.negotiations) };
    assert_eq!(negotiation.secrecy, Secrecy::Decrypted);
    assert_eq!(negotiation.identities, [Some("198.51.100.2".to_owned()), Some("203.0.113.2".to_owned())]);
    let [mode] = &negotiation.quick_modes[..] else { panic!("{:#?}", negotiation.quick_modes) };
    assert_eq!((mode.pfs, mode.keys_match), (Pfs::Seen { group: Some(Group::Modp1536) }, Some(true)));
    assert_eq!(mode.selectors, Some(["10.10.0.0/16".to_owned(), "172.16.10.0/24".to_owned()]));
    assert_eq!(mode.chosen.as_ref().unwrap().lifetime_seconds, Some(3600));
    assert!(account.flows.iter().all(|flow| (flow.sent, flow.protected, flow.received) == (5, 5, 5)));
    assert_eq!(account.encryption_keys.len(), 1);
    // Wireshark's key alone opens as much, and authenticates nothing.
    let ike = IkeKeys { encryption_keys: account.encryption_keys.clone(), ..IkeKeys::default() };
    let opened = Case { facts: Facts { ike, ..case.facts.clone() }, ..Case::right() }.account();
    assert_eq!(opened.negotiations[0].secrecy, Secrecy::Decrypted);
    assert_eq!((opened.negotiations[0].authenticated, opened.findings.len()), (0, 0));
    assert_eq!(opened.negotiations[0].quick_modes[0].pfs, mode.pfs);
}

#[test]
fn a_packet_in_clear() {
    let mut case = Case::right();
    let probe = case.position(is_probe);
    let sealed = case.position(is_esp);
    let Frame { data, original_len, .. } = case.capture.frames[probe].clone();
    let frame = Frame { data, original_len, ..case.capture.frames[sealed].clone() };
    let number = case.insert(sealed, frame);
    case.assert_found(&[(Code::ClearText, Some(number))]);
}

#[test]
fn a_replay() {
    let mut case = Case::right();
    let first = case.position(is_esp);
    let number = case.insert(first + 1, case.capture.frames[first].clone());
    case.assert_found(&[(Code::ReplayedSequence, Some(number))]);
}

#[test]
fn a_wrong_integrity_check_value() {
    let mut case = Case::right();
    // At its first point, where its probe is seen no more then.
    let first = case.position(is_esp);
    *case.capture.frames[first].data.last_mut().unwrap() ^= 1;
    let number = case.capture.frames[first].number;
    case.assert_found(&[(Code::WrongIntegrity, Some(number)), (Code::ProbeNotProtected, None)]);
}

#[test]
fn an_unknown_spi() {
    let mut case = Case::right();
    let first = case.position(is_esp);
    case.capture.frames[first].data[ETHERNET + IP] ^= 0x55;
    let number = case.capture.frames[first].number;
    case.assert_found(&[(Code::UnknownSpi, Some(number)), (Code::ProbeNotProtected, None)]);
}

#[test]
fn a_missing_probe() {
    let mut case = Case::right();
    // The last clear frame of the first probe: where it arrives.
    let first = case.position(is_probe);
    let payload = datagram(&case.capture.frames[first], 4242).unwrap().to_vec();
    let same = |frame: &Frame| datagram(frame, 4242) == Some(&payload[..]);
    let arrived = case.capture.frames.iter().rposition(same).unwrap();
    let number = case.capture.frames[arrived].number;
    case.remove(|_, frame| frame.number == number);
    case.assert_found(&[(Code::ProbeLost, None)]);
}

#[test]
fn a_duplicate() {
    let mut case = Case::right();
    let first = case.position(is_probe);
    let number = case.insert(first, case.capture.frames[first].clone());
    case.assert_found(&[(Code::ProbeDuplicated, Some(number))]);
}

/// The daemons did as this policy says; what they were to do is another one.
#[test]
fn a_quick_mode_without_a_key_exchange_where_one_was_demanded() {
    // Its two messages lose what is behind the nonce, as if there were no KE payload: only their length tells.
    let mut case = Case::right();
    case.facts.ike = IkeKeys::default();
    let of_group_5 = 4 + Group::Modp1536.public_len();
    let mut frames = Vec::new();
    for frame in &mut case.capture.frames {
        let message = ETHERNET + IP + 8;
        let long = frame.data.get(message + 18) == Some(&32) && frame.data.len() > message + 300;
        if frame.data.get(ETHERNET + 9) == Some(&UDP) && long {
            frames.push((frame.number, frame.point));
            shorten(frame, of_group_5);
        }
    }
    let home = frames[0].1;
    let answer = frames.iter().filter(|(_, point)| *point == home).nth(1).unwrap().0;
    case.assert_found(&[(Code::PfsMissing, Some(answer))]);
    let [mode] = &case.account().negotiations[0].quick_modes[..] else { panic!() };
    assert_eq!((mode.pfs, mode.keys_match), (Pfs::Inferred { group: None }, None));
}

/// Takes bytes from the end of a message of ISAKMP, and corrects every length.
fn shorten(frame: &mut Frame, by: usize) {
    frame.data.truncate(frame.data.len() - by);
    frame.original_len = frame.data.len() as u32;
    let length = (frame.data.len() - ETHERNET) as u16;
    let ip = &mut frame.data[ETHERNET..];
    ip[2..4].copy_from_slice(&length.to_be_bytes());
    ip[10..12].fill(0);
    let sum: u32 = ip[..IP].as_chunks::<2>().0.iter().map(|pair| u32::from(u16::from_be_bytes(*pair))).sum();
    let checksum = !((sum & 0xffff) + (sum >> 16)) as u16;
    ip[10..12].copy_from_slice(&checksum.to_be_bytes());
    ip[IP + 4..IP + 6].copy_from_slice(&(length - IP as u16).to_be_bytes());
    let isakmp = u32::from(length) - IP as u32 - 8;
    ip[IP + 8 + 24..IP + 8 + 28].copy_from_slice(&isakmp.to_be_bytes());
}

#[test]
fn a_wrong_group() {
    let mut case = Case::right();
    let answer = case.account().negotiations[0].answer_frame.unwrap();
    let demanded = case.facts.demanded.as_mut().unwrap();
    demanded.ike.group = Some(Group::Modp1024);
    let codes = case.found();
    assert_eq!(codes[0], (Code::WrongGroup.name().to_owned(), Some(answer)));
    // Both KE payloads are of the wrong group too.
    assert!(codes.len() == 3 && codes.iter().all(|(code, _)| code == Code::WrongGroup.name()), "{codes:?}");

    let mut case = Case::right();
    case.facts.demanded.as_mut().unwrap().esp.group = Some(Group::Modp1024);
    let mode = &case.account().negotiations[0].quick_modes[0];
    case.assert_found(&[(Code::WrongGroup, Some(mode.frames[1]))]);
    case.facts.demanded.as_mut().unwrap().esp.group = None;
    case.assert_found(&[(Code::PfsNotDemanded, Some(mode.frames[1]))]);
    case.facts.demanded.as_mut().unwrap().esp =
        policy::Proposal { hash: Hash::Md5, ..Case::right().facts.demanded.unwrap().esp };
    case.assert_found(&[(Code::WrongTransform, Some(mode.frames[1]))]);
}

#[test]
fn an_exchange_in_aggressive_mode() {
    let mut case = Case::right();
    let first = case.position(|case, frame| case.side(frame) == Some(Side::Internet) && datagram(frame, 500).is_some());
    let mut frame = case.capture.frames[first].clone();
    let message = ETHERNET + IP + 8;
    // A cookie of its own, and the exchange type.
    frame.data[message] ^= 0xff;
    frame.data[message + 18] = 4;
    let number = case.insert(first, frame);
    case.assert_found(&[(Code::AggressiveMode, Some(number))]);
}

#[test]
fn a_packet_after_its_sa_was_deleted() {
    let mut case = Case::right();
    // On the way to the router, which has its SA deleted.
    let to_the_router = |frame: &Frame| frame.data[ETHERNET + 16..ETHERNET + 20] == [198, 51, 100, 2];
    let first = case.position(|case, frame| is_esp(case, frame) && to_the_router(frame));
    let Encapsulated::Esp(header) = Encapsulated::parse(sealed(&case.capture.frames[first]).unwrap()).unwrap() else {
        panic!()
    };
    let sa = case.facts.sas.iter().find(|sa| sa.spi == header.spi).unwrap().clone();
    let keys = Keys::try_from(&sa).unwrap();
    // A dummy packet with a later number, so that nothing else can be wrong with it (RFC 4303 section 2.6).
    let late = esp::seal(&keys, header.spi, 9_999, &[7; 16], 59, &[]).unwrap();
    let mut frame = case.capture.frames[first].clone();
    frame.time_ns = sa.deleted_ns.unwrap() + 1_000_000;
    let ip: [u8; 4] = frame.data[ETHERNET + 12..ETHERNET + 16].try_into().unwrap();
    let to: [u8; 4] = frame.data[ETHERNET + 16..ETHERNET + 20].try_into().unwrap();
    frame.data.truncate(ETHERNET);
    frame.data.extend(tunnelproof_wire::ipv4::emit(ESP, ip.into(), to.into(), &late));
    frame.original_len = frame.data.len() as u32;
    let last = case.capture.frames.len() - 1;
    let number = case.insert(last, frame.clone());
    case.assert_found(&[(Code::PacketAfterDelete, Some(number))]);

    // Where nobody watched a kernel, the Delete payload tells; but not while a packet may have been on its way.
    for sa in &mut case.facts.sas {
        (sa.added_ns, sa.deleted_ns) = (None, None);
    }
    case.assert_found(&[]);
    case.capture.frames.last_mut().unwrap().time_ns += 2_000_000_000;
    case.assert_found(&[(Code::PacketAfterDelete, Some(number))]);
}
