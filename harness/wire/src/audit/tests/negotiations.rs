//! Negotiations: what the clear payloads tell, and what must not be.
#![allow(clippy::unwrap_used)]

use std::net::Ipv4Addr;

use policy::{Encryption, Group, Hash, Version};

use super::{AT_CUSTOMER, AT_ROUTER, CUSTOMER, Lab, ROUTER, assert_found};
use crate::{
    audit::{ChosenTransform, Code, Negotiation},
    esp,
    isakmp::{
        self, payload,
        tests::{ANSWER_2, OFFER_2, fragments::pieces},
    },
};

pub(super) fn message(cookies: [u8; 2], exchange: u8, message_id: u32, payloads: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (i, (_, payload)) in payloads.iter().enumerate() {
        let next = payloads.get(i + 1).map_or(payload::NONE, |(kind, _)| *kind);
        body.extend([next, 0]);
        body.extend((payload.len() as u16 + 4).to_be_bytes());
        body.extend(payload);
    }
    let first = payloads.first().map_or(payload::NONE, |(kind, _)| *kind);
    let mut bytes = cookies.map(|cookie| [cookie; 8]).concat();
    bytes.extend([first, 0x10, exchange, 0]);
    bytes.extend(message_id.to_be_bytes());
    bytes.extend((28 + body.len() as u32).to_be_bytes());
    bytes.extend(body);
    bytes
}

/// An SA payload with `count` transforms of 3DES, MD5, group 2 and a pre-shared key.
pub(super) fn offer(count: u8) -> (u8, Vec<u8>) {
    let words: [u16; 8] = [0x8001, 5, 0x8002, 1, 0x8003, 1, 0x8004, 2];
    let mut transforms = Vec::new();
    for number in 1..=count {
        transforms.extend([if number < count { payload::TRANSFORM } else { 0 }, 0, 0, 24, number, 1, 0, 0]);
        transforms.extend(words.iter().flat_map(|word| word.to_be_bytes()));
    }
    let mut body = vec![0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 8 + transforms.len() as u8, 1, 1, 0, count];
    body.extend(transforms);
    (payload::SECURITY_ASSOCIATION, body)
}

#[test]
fn a_negotiation_is_told_by_its_clear_payloads() {
    let mut lab = Lab::new();
    let dpd = (payload::VENDOR_ID, crate::hex::decode("afcad71368a1f1c96b8696fc77570100").unwrap());
    let other = (payload::VENDOR_ID, vec![0xab, 0xcd]);
    for point in [AT_ROUTER, AT_CUSTOMER] {
        let main = isakmp::exchange::MAIN_MODE;
        lab.udp(point, ROUTER, CUSTOMER, 500, &message([1, 0], main, 0, &[offer(3), dpd.clone()]));
        lab.udp(point, CUSTOMER, ROUTER, 500, &message([1, 2], main, 0, &[offer(1), dpd.clone(), other.clone()]));
        for id in [7, 7, 8] {
            lab.udp(point, ROUTER, CUSTOMER, 500, &message([1, 2], isakmp::exchange::QUICK_MODE, id, &[]));
        }
    }
    let in_udp = [&[0; 4][..], &message([1, 2], isakmp::exchange::INFORMATIONAL, 3, &[])].concat();
    lab.udp(AT_ROUTER, CUSTOMER, ROUTER, esp::NAT_PORT, &in_udp);
    assert_found(&lab, &[]);
    let account = lab.account();
    assert_eq!(account.points[AT_ROUTER].classes["isakmp"], 6);
    let [negotiation] = &account.negotiations[..] else { panic!("{:#?}", account.negotiations) };
    let chosen = ChosenTransform {
        encryption: Some(Encryption::TripleDes),
        hash: Some(Hash::Md5),
        group: Some(Group::Modp1024),
        pre_shared_key: true,
        lifetime_seconds: None,
        text: "3DES-CBC, MD5, pre-shared key, MODP 1024".to_owned(),
    };
    let quick_modes: Vec<_> = negotiation.quick_modes.iter().map(|mode| mode.message_id).collect();
    assert_eq!(quick_modes.len(), 2);
    let expected = Negotiation {
        initiator: ROUTER,
        responder: CUSTOMER,
        cookies: ["0101010101010101".to_owned(), "0202020202020202".to_owned()],
        version: Version::V1,
        exchange: "main mode".to_owned(),
        answer_frame: Some(2),
        chosen: Some(chosen),
        offered: 3,
        vendor_ids: vec!["DPD (RFC 3706)".to_owned(), "abcd".to_owned()],
        ..negotiation.clone()
    };
    assert_eq!(*negotiation, expected);
}

/// The exchanges after the first one as far as they are in clear: a header, and a payload of type SK.
fn encrypted(spis: [u8; 2], exchange: u8, id: u32) -> Vec<u8> {
    let mut bytes = message(spis, exchange, id, &[(46, vec![0x5a; 32])]);
    bytes[17] = 0x20;
    bytes
}

#[test]
fn a_negotiation_of_version_2_is_told_by_its_first_exchange() {
    let mut lab = Lab::new();
    let [offer, answer] = [OFFER_2, ANSWER_2].map(|digits| crate::hex::decode(digits).unwrap());
    // The responder first wants to see that the initiator is there (RFC 7296 section 2.6).
    let mut cookie = message([1, 9], isakmp::exchange::IKE_SA_INIT, 0, &[(41, vec![0; 12])]);
    cookie[17] = 0x20;
    for point in [AT_ROUTER, AT_CUSTOMER] {
        lab.udp(point, ROUTER, CUSTOMER, 500, &offer);
        lab.udp(point, CUSTOMER, ROUTER, 500, &cookie);
        lab.udp(point, ROUTER, CUSTOMER, 500, &offer);
        lab.udp(point, CUSTOMER, ROUTER, 500, &answer);
        for (exchange, id) in [(isakmp::exchange::IKE_AUTH, 1), (36, 2), (37, 3)] {
            let in_udp = [&[0; 4][..], &encrypted([1, 2], exchange, id)].concat();
            lab.udp(point, ROUTER, CUSTOMER, esp::NAT_PORT, &in_udp);
        }
        // Of an SA that was made inside another one.
        lab.udp(point, ROUTER, CUSTOMER, 500, &encrypted([7, 8], 37, 0));
    }
    assert_found(&lab, &[]);
    let account = lab.account();
    assert_eq!(account.points[AT_ROUTER].classes["ikev2"], 8);
    let [negotiation] = &account.negotiations[..] else { panic!("{:#?}", account.negotiations) };
    let chosen = negotiation.chosen.as_ref().unwrap();
    let known = (chosen.encryption, chosen.hash, chosen.group);
    assert_eq!(known, (Some(Encryption::Aes128), Some(Hash::Sha512), Some(Group::Modp4096)));
    assert_eq!((negotiation.version, negotiation.exchange.as_str()), (Version::V2, "IKE_SA_INIT"));
    assert_eq!((negotiation.answer_frame, negotiation.offered, negotiation.quick_modes.len()), (Some(4), 2, 0));
    assert_eq!(negotiation.cookies, ["01".repeat(8), "02".repeat(8)]);
    assert_eq!(negotiation.vendor_ids, [crate::hex::encode(b"strongSwan")]);
}

#[test]
fn an_answer_of_version_2_that_leaves_something_open_is_found() {
    let mut lab = Lab::new();
    let mut two = crate::hex::decode(OFFER_2).unwrap();
    two[8..16].fill(2);
    let two = lab.udp(AT_ROUTER, CUSTOMER, ROUTER, 500, &two);
    // A second group where the integrity was.
    let mut open = crate::hex::decode(ANSWER_2).unwrap();
    open[..8].fill(3);
    let integrity = open.windows(4).position(|word| word == [3, 0, 0, 14]).unwrap();
    open[integrity] = 4;
    let open = lab.udp(AT_ROUTER, CUSTOMER, ROUTER, 500, &open);
    assert_found(&lab, &[(Code::AmbiguousAnswer, Some(two)), (Code::AmbiguousAnswer, Some(open))]);
    assert!(lab.account().negotiations.iter().all(|negotiation| negotiation.chosen.is_none()));
}

/// Each kind of flood would once have been searched from its beginning for every message, and kept to its end.
#[test]
fn of_two_hundred_thousand_messages_of_any_kind_so_many_are_kept_and_the_rest_is_counted() {
    const FLOOD: u64 = 200_000;
    const KEPT: u64 = 10_000;
    let mut lab = Lab::new();
    let quick = isakmp::exchange::QUICK_MODE;
    let flood = |lab: &mut Lab, change: &dyn Fn(&mut [u8], u64)| {
        for number in 1..=FLOOD / 4 {
            let mut message = message([1, 2], quick, 9, &[]);
            change(&mut message, number);
            lab.udp(AT_ROUTER, ROUTER, CUSTOMER, 500, &message);
        }
    };
    // Exchanges of one SA, one message again and again, responders of one initiator, initiators.
    flood(&mut lab, &|message, number| message[16..24].copy_from_slice(&(number | 0x10_20_00 << 32).to_be_bytes()));
    flood(&mut lab, &|message, _| message[18] = isakmp::exchange::MAIN_MODE);
    flood(&mut lab, &|message, number| {
        message[8..16].copy_from_slice(&number.to_be_bytes());
        message[18] = isakmp::exchange::MAIN_MODE;
    });
    flood(&mut lab, &|message, number| message[..8].copy_from_slice(&number.to_be_bytes()));
    let account = lab.account();
    assert_eq!(account.frames, FLOOD);
    assert_eq!(account.messages.len() as u64, KEPT);
    assert!(account.left_out.messages > 0, "{:?}", account.left_out);
    let modes: usize = account.negotiations.iter().map(|negotiation| negotiation.quick_modes.len()).sum();
    assert!(account.negotiations.len() as u64 == KEPT && modes as u64 <= 2 * KEPT);
    assert!(account.left_out.of_negotiations > FLOOD / 4 && account.left_out.of_quick_modes == FLOOD / 4 - KEPT);
    assert!(account.findings.len() as u64 <= KEPT + 1, "{:?}", account.findings.len());
}

/// Both points see all pieces, one of them in another order, and the responder asks for them again.
#[test]
fn a_message_in_pieces_is_read_as_if_it_had_come_whole() {
    let mut lab = Lab::new();
    let main = isakmp::exchange::MAIN_MODE;
    let offer = message([1, 0], main, 0, &[offer(9)]);
    let pieces = pieces(&offer, 90);
    let mut frames = Vec::new();
    for piece in [0, 2, 1] {
        frames.push(lab.udp(AT_ROUTER, ROUTER, CUSTOMER, 500, &pieces[piece]));
        lab.udp(AT_CUSTOMER, ROUTER, CUSTOMER, 500, &pieces[piece]);
    }
    for piece in &pieces {
        lab.udp(AT_ROUTER, ROUTER, CUSTOMER, 500, piece);
    }
    assert_found(&lab, &[]);
    let account = lab.account();
    let [told] = &account.messages[..] else { panic!("{:#?}", account.messages) };
    assert_eq!((told.frame, &told.pieces, told.retransmissions), (frames[2], &frames, 1));
    assert_eq!((told.length as usize, told.payloads[0].name.as_str()), (offer.len(), "SA"));
    let comments = crate::audit::comments(&account);
    assert_eq!(comments[&frames[0]], format!("a piece of a message that is whole with frame {}", frames[2]));
    assert_eq!((account.negotiations.len(), account.negotiations[0].offered), (1, 9));
    assert_eq!(account.points[AT_ROUTER].classes["isakmp"], 6);
}

#[test]
fn a_message_of_which_a_piece_is_missing_is_found_and_so_is_one_that_is_no_message() {
    let mut lab = Lab::new();
    let main = isakmp::exchange::MAIN_MODE;
    let whole = message([1, 0], main, 0, &[offer(9)]);
    let first = lab.udp(AT_ROUTER, ROUTER, CUSTOMER, 500, &pieces(&whole, 90)[0]);
    let mut changed = pieces(&message([3, 0], main, 0, &[offer(1)]), 4000).remove(0);
    changed[0] ^= 1;
    let changed = lab.udp(AT_ROUTER, ROUTER, CUSTOMER, 500, &changed);
    assert_found(&lab, &[(Code::MalformedPacket, Some(changed)), (Code::IncompleteMessage, Some(first))]);
    let text = &lab.account().findings[1].observed;
    assert_eq!(text, "of a message of main mode from 192.0.2.1 these pieces are missing: those behind 1");
}

#[test]
fn negotiations_that_must_not_be_are_found() {
    let mut lab = Lab::new();
    let aggressive = message([1, 0], isakmp::exchange::AGGRESSIVE_MODE, 0, &[offer(1)]);
    let first = lab.udp(AT_ROUTER, ROUTER, CUSTOMER, 500, &aggressive);
    lab.udp(AT_CUSTOMER, ROUTER, CUSTOMER, 500, &aggressive);
    let ambiguous = message([3, 4], isakmp::exchange::MAIN_MODE, 0, &[offer(2)]);
    let ambiguous = lab.udp(AT_ROUTER, CUSTOMER, ROUTER, 500, &ambiguous);
    let main = message([6, 0], isakmp::exchange::MAIN_MODE, 0, &[offer(1)]);
    let foreign = lab.udp(AT_ROUTER, Ipv4Addr::new(203, 0, 113, 66), ROUTER, 500, &main);
    let broken = lab.udp(AT_ROUTER, ROUTER, CUSTOMER, 500, &main[..40]);
    let expected = [
        (Code::AggressiveMode, Some(first)),
        (Code::AmbiguousAnswer, Some(ambiguous)),
        (Code::ForeignIsakmp, Some(foreign)),
        (Code::MalformedPacket, Some(broken)),
    ];
    assert_found(&lab, &expected);
}
