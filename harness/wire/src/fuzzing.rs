//! What must hold for any bytes whatever, one function for each target of `fuzz/`; the tests send the inputs that were
//! kept. That nothing panics, hangs or takes much memory is watched by whoever calls.

use std::net::Ipv4Addr;

use policy::{Encryption, Hash};

use crate::{
    audit::{self, Facts, IkeKeys, SaKeys},
    esp::{self, Encapsulated, Keys},
    ipv4::{self, protocol},
    isakmp,
    link::Link,
    pcapng::{Capture, Frame, Point, Reader},
    udp::Datagram,
};

const ENDS: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(198, 51, 100, 1)];

/// A file of any format: what is read is in it, and each frame of it is accounted for once.
pub fn capture(input: &[u8]) {
    let Ok(mut reader) = Reader::new(input) else { return };
    let (mut frames, mut bytes) = (0, 0);
    let mut whole = true;
    let mut frame = Frame::default();
    loop {
        match reader.read_frame(&mut frame) {
            Ok(true) => {}
            Ok(false) => break,
            Err(_) => {
                whole = false;
                break;
            }
        }
        frames += 1;
        bytes += frame.data.len();
        assert_eq!(frame.number, frames);
        assert!(bytes <= input.len() && frame.point < reader.points().len());
    }
    match Reader::new(input).and_then(|reader| audit::audit_reader(reader, &Facts::default())) {
        Ok(account) => {
            let classes = account.points.iter().flat_map(|point| point.classes.values());
            assert_eq!((whole, account.frames, classes.sum::<u64>()), (true, frames, frames));
        }
        Err(_) => assert!(!whole),
    }
}

/// The first byte chooses the algorithms, the rest is a packet, or what a peer with the right keys might have sealed.
pub fn esp(input: &[u8]) {
    let _ = Encapsulated::parse(input);
    let Some((&suite, packet)) = input.split_first() else { return };
    let suite = usize::from(suite);
    let encryption = Encryption::ALL[suite % Encryption::ALL.len()];
    let integrity = Hash::ALL[suite / Encryption::ALL.len() % Hash::ALL.len()];
    let sa = sa(encryption, integrity);
    let Ok(keys) = Keys::try_from(&sa) else { panic!("keys of the right length") };
    let _ = esp::open(&keys, packet);
    let authentic = [packet, &keys.icv(packet)].concat();
    match esp::open(&keys, &authentic) {
        Ok(opened) => assert!(opened.inner.len() < packet.len()),
        Err(e) => assert_ne!(e, esp::OpenError::WrongIntegrity),
    }
    let ip = ipv4::emit(protocol::ESP, sa.source, sa.destination, &authentic);
    let facts = Facts { sas: vec![sa], ..Facts::default() };
    explained(vec![ip], &facts);
}

/// Messages of IKE, each behind its length in two bytes, that the ends send in turn; with keys that open some of them.
pub fn isakmp(input: &[u8]) {
    let mut rest = input;
    let mut packets = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk() {
        let (message, after) = after.split_at(usize::from(u16::from_be_bytes(*length)).min(after.len()));
        let datagram = Datagram { source_port: isakmp::PORT, destination_port: isakmp::PORT, payload: message };
        let turn = packets.len() % 2;
        packets.push(ipv4::emit(protocol::UDP, ENDS[turn], ENDS[1 - turn], &datagram.emit()));
        rest = after;
    }
    let ike = IkeKeys {
        pre_shared_keys: vec!["736563726574".to_owned()],
        shared_secrets: vec!["5a".repeat(128)],
        encryption_keys: Vec::new(),
    };
    explained(packets, &Facts { gateways: ENDS.to_vec(), ike, ..Facts::default() });
}

fn sa(encryption: Encryption, integrity: Hash) -> SaKeys {
    SaKeys {
        spi: 1,
        source: ENDS[0],
        destination: ENDS[1],
        encryption,
        encryption_key: "1f".repeat(encryption.key_len()),
        integrity,
        integrity_key: "2e".repeat(integrity.digest_len()),
        added_ns: None,
        deleted_ns: None,
    }
}

/// Each packet is in one class.
fn explained(packets: Vec<Vec<u8>>, facts: &Facts) {
    let frame = |(number, data): (u64, Vec<u8>)| Frame {
        number,
        original_len: data.len() as u32,
        link: Link::Raw,
        data,
        ..Frame::default()
    };
    let frames: Vec<_> = (1..).zip(packets).map(frame).collect();
    let points = vec![Point { name: "internet".to_owned(), side: None }];
    let capture = Capture { points, frames };
    let account = audit::audit(&capture, facts);
    let classes: u64 = account.points.iter().flat_map(|point| point.classes.values()).sum();
    assert_eq!(classes, capture.frames.len() as u64);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    /// What the fuzzer found worth keeping, and what once was answered wrongly.
    fn replay(target: &str, run: fn(&[u8])) {
        let folder = format!("{}/../../fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
        let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty());
        for file in files {
            println!("{}", file.display());
            run(&std::fs::read(file).unwrap());
        }
    }

    #[test]
    fn the_kept_captures_are_read_or_refused() {
        replay("pcapng", super::capture);
    }

    #[test]
    fn the_kept_packets_are_opened_or_refused() {
        replay("esp", super::esp);
    }

    #[test]
    fn the_kept_conversations_are_explained() {
        replay("isakmp", super::isakmp);
    }
}
