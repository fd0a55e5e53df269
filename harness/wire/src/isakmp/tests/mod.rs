//! Messages as daemons send them, made by hand, and arbitrary ones.
#![allow(clippy::unwrap_used)]

mod bodies;
pub(crate) mod fragments;
mod session;

use policy::{Encryption, Group, Hash};
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{audit::ChosenTransform, hex};

/// A payload with its generic header.
fn chained(next: u8, body: &[u8]) -> Vec<u8> {
    [&[next, 0][..], &(body.len() as u16 + 4).to_be_bytes(), body].concat()
}

fn transform(next: u8, number: u8, attributes: &[u16]) -> Vec<u8> {
    let attributes: Vec<u8> = attributes.iter().flat_map(|word| word.to_be_bytes()).collect();
    chained(next, &[&[number, 1, 0, 0][..], &attributes].concat())
}

fn sa(transforms: &[Vec<u8>]) -> Vec<u8> {
    let proposal = chained(0, &[&[1, protocol::ISAKMP, 0, transforms.len() as u8][..], &transforms.concat()].concat());
    [&[0, 0, 0, 1, 0, 0, 0, 1][..], &proposal].concat()
}

const LIFE: [u16; 5] = [0x800b, 1, 0x000c, 4, 0];

#[test]
fn an_offer_is_read_to_its_last_attribute() {
    let aes = [&[0x8001, 7, 0x800e, 256, 0x8002, 2, 0x8004, 5, 0x8003, 1][..], &LIFE, &[28800]].concat();
    let des = [0x8001, 5, 0x8002, 1, 0x8004, 2, 0x8003, 65001];
    let offer = SecurityAssociation::parse(&sa(&[transform(3, 1, &aes), transform(0, 2, &des)])).unwrap();
    assert_eq!((offer.doi, offer.situation, offer.proposals.len()), (1, 1, 1));
    let chosen: Vec<_> = offer.transforms().map(Transform::phase_1).collect();
    let expected = ChosenTransform {
        encryption: Some(Encryption::Aes256),
        hash: Some(Hash::Sha1),
        group: Some(Group::Modp1536),
        pre_shared_key: true,
        lifetime_seconds: Some(28800),
        text: "AES-CBC, key length 256, SHA-1, MODP 1536, pre-shared key, lifetime in seconds, lifetime 28800"
            .to_owned(),
    };
    assert_eq!(chosen[0], expected);
    assert_eq!(chosen[1].encryption, Some(Encryption::TripleDes));
    assert_eq!((chosen[1].pre_shared_key, chosen[1].lifetime_seconds), (false, None));
}

/// Made by scapy 2.8 (`scapy.layers.isakmp`): AES-256, SHA2-256, group 14; AES-192, SHA2-384, group 15; AES-128,
/// SHA2-512, group 18; each with a pre-shared key and 86,400 s.
const NEWER: &str = "010101010101010100000000000000000110020000000000000000a50000008900000001000000010000007d0101\
     0003030000270101000080010007800e0100800200048004000e80030001800b0001000c00030151800300002702010000800100078\
     00e00c0800200058004000f80030001800b0001000c0003015180000000270301000080010007800e0080800200068004001280030001\
     800b0001000c0003015180";

#[test]
fn sha_2_and_the_larger_groups_are_known_in_an_offer() {
    let bytes = hex::decode(NEWER).unwrap();
    let payload = Message::parse(&bytes).unwrap().payloads().next().unwrap().unwrap();
    let offer = SecurityAssociation::parse(payload.body).unwrap();
    let offered: Vec<_> = offer.transforms().map(Transform::phase_1).collect();
    let known: Vec<_> = offered.iter().map(|t| (t.encryption, t.hash, t.group, t.lifetime_seconds)).collect();
    let expected = [
        (Encryption::Aes256, Hash::Sha256, Group::Modp2048),
        (Encryption::Aes192, Hash::Sha384, Group::Modp3072),
        (Encryption::Aes128, Hash::Sha512, Group::Modp8192),
    ];
    assert_eq!(known, expected.map(|(e, h, g)| (Some(e), Some(h), Some(g), Some(86_400))));
    assert!(offered[2].text.starts_with("AES-CBC, key length 128, SHA2-512, MODP 8192, pre-shared key"));
}

/// Made by scapy 2.8 (`scapy.contrib.ikev2`): an IKE_SA_INIT that offers AES-256, SHA2-256, group 14, or AES-128,
/// SHA2-512, group 16; then a key exchange, a nonce, and the vendor ID `strongSwan`.
pub(crate) const OFFER_2: &str = "010101010101010100000000000000002120220800000000000000aa2200005c0200002c010100040300000\
     c0100000c800e01000300000802000005030000080300000c000000080400000e0000002c020100040300000c0100000c800e0080030000080\
     2000007030000080300000e000000080400001028000010000e00005a5a5a5a5a5a5a5a2b0000141111111111111111111111111111111100\
     00000e7374726f6e675377616e";

/// Its answer, likewise: the second proposal.
pub(crate) const ANSWER_2: &str = "0101010101010101020202020202020221202220000000000000007022000030000000\
     2c020100040300000c0100000c800e00800300000802000007030000080300000e000000080400001028000010001000005a5a5a5a5a5a5a5a\
     0000001411111111111111111111111111111111";

#[test]
fn the_first_exchange_of_version_2_is_read() {
    let bytes = hex::decode(OFFER_2).unwrap();
    let message = Message::parse(&bytes).unwrap();
    assert!(message.is_ikev2() && message.exchange == exchange::IKE_SA_INIT);
    let payloads: Vec<_> = message.payloads().map(|found| found.unwrap()).collect();
    let kinds: Vec<_> = payloads.iter().map(|payload| payload.kind).collect();
    assert_eq!(kinds, [payload::SECURITY_ASSOCIATION_2, 34, 40, payload::VENDOR_ID_2]);
    let offered = ikev2::Proposal::all(payloads[0].body).unwrap();
    assert!(offered.len() == 2 && offered.iter().all(ikev2::Proposal::is_a_choice));
    let expected = ChosenTransform {
        encryption: Some(Encryption::Aes256),
        hash: Some(Hash::Sha256),
        group: Some(Group::Modp2048),
        pre_shared_key: false,
        lifetime_seconds: None,
        text: "AES-CBC, key length 256, PRF-HMAC-SHA2-256, HMAC-SHA2-256-128, MODP 2048".to_owned(),
    };
    assert_eq!(offered[0].chosen(), expected);
    // All later exchanges are encrypted as a whole.
    let mut later = bytes.clone();
    later[18] = exchange::IKE_AUTH;
    assert_eq!(Message::parse(&later).unwrap().payloads().count(), 0);
}

#[test]
fn a_proposal_of_version_2_with_two_hashes_has_none_of_a_policy() {
    let mut bytes = hex::decode(ANSWER_2).unwrap();
    let integrity = bytes.windows(4).position(|word| word == [3, 0, 0, 14]).unwrap();
    bytes[integrity + 3] = 12;
    let message = Message::parse(&bytes).unwrap();
    let payload = message.payloads().next().unwrap().unwrap();
    let chosen = ikev2::Proposal::all(payload.body).unwrap().remove(0).chosen();
    assert_eq!((chosen.encryption, chosen.hash), (Some(Encryption::Aes128), None));
    assert_eq!(chosen.text, "AES-CBC, key length 128, PRF-HMAC-SHA2-512, HMAC-SHA2-256-128, MODP 4096");
}

#[test]
fn a_transform_of_phase_2_is_told_in_words() {
    let words = [0x8001, 1, 0x8002, 3600, 0x8004, 1, 0x8005, 2, 0x8006, 128, 0x8003, 5];
    let sa = SecurityAssociation::parse(&sa(&[transform(0, 1, &words)])).unwrap();
    let text = sa.transforms().next().unwrap().phase_2_text();
    assert_eq!(text, "lifetime in seconds, lifetime 3600, tunnel, HMAC-SHA-1, key length 128, PFS with MODP 1536");
    let words = [0x8004, 1, 0x8005, 7, 0x8006, 256, 0x8003, 16];
    let newer = SecurityAssociation::parse(&self::sa(&[transform(0, 1, &words)])).unwrap();
    let text = newer.transforms().next().unwrap().phase_2_text();
    assert_eq!(text, "tunnel, HMAC-SHA2-512, key length 256, PFS with MODP 4096");
}

#[test]
fn a_count_that_is_not_true_is_an_error() {
    let mut body = sa(&[transform(0, 1, &[0x8001, 5])]);
    body[8 + 4 + 3] = 2;
    assert!(matches!(SecurityAssociation::parse(&body), Err(Error::Field { field: "transform count", .. })));
}

#[test]
fn vendor_ids_are_named_or_written_out() {
    let name = |digits: &str| vendor_name(&hex::decode(digits).unwrap());
    assert_eq!(name("afcad71368a1f1c96b8696fc77570100"), "DPD (RFC 3706)");
    assert_eq!(name("4048b7d56ebce88525e7de7f00d6c2d380000000"), "fragmentation");
    assert_eq!(vendor_name(b"OE-Libreswan-5.2"), "libreswan");
    assert_eq!(vendor_name(b"OEhyLdACecfa"), "Openswan or libreswan");
    assert_eq!(name("00c0ffee"), "00c0ffee");
}

#[test]
fn an_encrypted_message_shows_no_payloads() {
    let mut bytes = [[7; 8], [8; 8]].concat();
    bytes.extend([payload::HASH, 0x10, exchange::QUICK_MODE, 1, 0, 0, 0, 9, 0, 0, 0, 32, 1, 2, 3, 4]);
    let message = Message::parse(&bytes).unwrap();
    assert_eq!((message.message_id, message.encrypted, message.body), (9, true, &[1, 2, 3, 4][..]));
    assert_eq!(message.payloads().count(), 0);
    bytes[19] = 0;
    assert!(Message::parse(&bytes).unwrap().payloads().next().unwrap().is_err());
    bytes[27] = 33;
    assert!(matches!(Message::parse(&bytes), Err(Error::Short { needs: 33, has: 32, .. })));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200), first in 0..22u8) {
        if let Ok(message) = Message::parse(&bytes) {
            prop_assert!(message.body.len() + 28 <= bytes.len());
        }
        // Every payload takes at least its header, so that a chain cannot be endless.
        let payloads = Payloads { next: first, rest: &bytes }.count();
        prop_assert!(payloads <= bytes.len() / 4 + 1);
        if let Ok(sa) = SecurityAssociation::parse(&bytes) {
            for transform in sa.transforms() {
                let _ = (transform.phase_1(), transform.phase_2_text());
            }
        }
        for proposal in ikev2::Proposal::all(&bytes).unwrap_or_default() {
            let _ = (proposal.is_a_choice(), proposal.chosen());
        }
        let _ = vendor_name(&bytes);
    }
}
