//! What two gateways say to each other: Main Mode, Quick Mode with perfect forward secrecy, hours of dead peer
//! detection, and the deletion of what they agreed on.

use std::net::{Ipv4Addr, SocketAddrV4};

use policy::{Encryption, Group, Hash, Version};
use wire::audit::{ChosenChild, IkeMessage, PayloadShown, Pfs, QuickMode, Sealed};

use super::{CUSTOMER, ROUTER};

pub const BEGIN_NS: u64 = 1_772_546_711_000_000_000;
const QUICK_MODE: u32 = 0x1b5c_9e07;

pub fn payload(name: &str, details: &[&str]) -> PayloadShown {
    PayloadShown { name: name.into(), details: details.iter().map(|&detail| detail.into()).collect() }
}

pub fn message(frame: u64, ms: u64, from: Ipv4Addr, exchange: &str, ordinal: u32, sealed: Sealed) -> IkeMessage {
    let to = if from == ROUTER { CUSTOMER } else { ROUTER };
    IkeMessage {
        frame,
        time_ns: BEGIN_NS + ms * 1_000_000,
        source: SocketAddrV4::new(from, 500),
        destination: SocketAddrV4::new(to, 500),
        cookies: ["7d2f01aa93c4be10".into(), "e1904c5577d0a3f2".into()],
        version: Version::V1,
        exchange: exchange.into(),
        message_id: if exchange == "quick mode" { QUICK_MODE } else { 0 },
        length: 204,
        ordinal,
        sealed,
        payloads: Vec::new(),
        pieces: Vec::new(),
        retransmissions: 0,
        repeats: 0,
        last_frame: None,
    }
}

fn suite(encryption: Encryption) -> &'static str {
    if encryption == Encryption::TripleDes { "3DES-CBC" } else { "AES-CBC 128" }
}

pub fn quick_mode(encryption: Encryption) -> QuickMode {
    QuickMode {
        message_id: QUICK_MODE,
        initiator: ROUTER,
        frames: vec![14, 15, 16],
        chosen: Some(ChosenChild {
            encryption: Some(encryption),
            integrity: Some(Hash::Sha1),
            group: Some(Group::Modp1536),
            lifetime_seconds: Some(3600),
            lifetime_kilobytes: None,
            text: format!("{}, HMAC-SHA-1, group 5, tunnel, life 3600 seconds", suite(encryption)),
        }),
        pfs: Pfs::Seen { group: Some(Group::Modp1536) },
        selectors: Some(["10.10.0.0/16".into(), "172.16.10.0/24".into()]),
        spis: [Some(0x4e00_0001), Some(0xc100_0001)],
        keys_match: Some(true),
    }
}

pub fn messages(encryption: Encryption) -> Vec<IkeMessage> {
    use Sealed::{Authenticated, Clear, Opened};
    let transform = format!("{}, SHA, group 5, pre-shared key, 86400 s", suite(encryption));
    let child = format!("ESP {}, HMAC-SHA-1, group 5, tunnel, 3600 s", suite(encryption));
    let main = |frame, ms, from, ordinal, sealed, payloads: Vec<PayloadShown>| IkeMessage {
        payloads,
        ..message(frame, ms, from, "main mode", ordinal, sealed)
    };
    let quick = |frame, ms, from, ordinal, payloads: Vec<PayloadShown>| IkeMessage {
        payloads,
        ..message(frame, ms, from, "quick mode", ordinal, Authenticated)
    };
    let told = |frame, ms, from, ordinal, payloads: Vec<PayloadShown>| IkeMessage {
        payloads,
        message_id: frame as u32,
        ..message(frame, ms, from, "informational", ordinal, Authenticated)
    };
    let key_exchange = || {
        vec![
            payload("KE", &["192 bytes, group 5"]),
            payload("NONCE", &["16 bytes"]),
            payload("NAT-D", &[]),
            payload("NAT-D", &[]),
        ]
    };
    let hash = || payload("HASH", &["20 bytes"]);
    let vendors = || {
        vec![
            payload("VID", &["DPD (RFC 3706)"]),
            payload("VID", &["RFC 3947"]),
            payload("VID", &["draft-ietf-ipsec-nat-t-ike-03"]),
        ]
    };
    let mut all = vec![
        main(
            5,
            0,
            ROUTER,
            1,
            Clear,
            [vec![payload("SA", &[&transform, "3DES-CBC, MD5, group 2, pre-shared key, 86400 s"])], vendors()].concat(),
        ),
        main(7, 4, CUSTOMER, 2, Clear, [vec![payload("SA", &[&transform])], vendors()].concat()),
        main(9, 31, ROUTER, 3, Clear, key_exchange()),
        main(10, 58, CUSTOMER, 4, Clear, key_exchange()),
        main(11, 85, ROUTER, 5, Opened, vec![payload("ID", &["198.51.100.10"]), hash()]),
        main(13, 90, CUSTOMER, 6, Opened, vec![payload("ID", &["203.0.113.20"]), hash()]),
        quick(
            14,
            120,
            ROUTER,
            1,
            vec![
                hash(),
                payload("SA", &[&format!("{child}, SPI 0x4e000001")]),
                payload("NONCE", &["16 bytes"]),
                payload("KE", &["192 bytes, group 5"]),
                payload("ID", &["10.10.0.0/16"]),
                payload("ID", &["172.16.10.0/24"]),
            ],
        ),
        quick(
            15,
            148,
            CUSTOMER,
            2,
            vec![
                hash(),
                payload("SA", &[&format!("{child}, SPI 0xc1000001")]),
                payload("NONCE", &["16 bytes"]),
                payload("KE", &["192 bytes, group 5"]),
                payload("ID", &["10.10.0.0/16"]),
                payload("ID", &["172.16.10.0/24"]),
            ],
        ),
        quick(16, 151, ROUTER, 3, vec![hash()]),
        told(97, 30_151, ROUTER, 1, vec![hash(), payload("N", &["R-U-THERE 4711"])]),
        told(98, 30_153, CUSTOMER, 1, vec![hash(), payload("N", &["R-U-THERE-ACK 4711"])]),
        told(1_301, 7_408_020, ROUTER, 1, vec![hash(), payload("D", &["ESP SPI 0x4e000001"])]),
        told(1_303, 7_408_031, ROUTER, 1, vec![hash(), payload("D", &["ISAKMP SA"])]),
    ];
    all[4].retransmissions = 2;
    all[5].pieces = vec![12, 13];
    (all[9].repeats, all[9].last_frame) = (585, Some(1_296));
    all
}
