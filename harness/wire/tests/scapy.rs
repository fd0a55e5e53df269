//! Scapy is the referee: ESP packets that it made with every suite of the specification, bare and inside UDP
//! (`fixtures/esp.py`), are opened; with one bit flipped, each is refused for the right reason.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use tunnelproof_wire::{
    audit::{self, Account, Code, Facts},
    pcapng::{self, Capture},
};

const CAPTURE: &[u8] = include_bytes!("../fixtures/esp.pcapng");

fn facts() -> Facts {
    let mut facts: serde_json::Value = serde_json::from_str(include_str!("../fixtures/esp.json")).unwrap();
    facts["ike"] = serde_json::to_value(audit::IkeKeys::default()).unwrap();
    serde_json::from_value(facts).unwrap()
}

fn audited(capture: &Capture) -> Account {
    audit::audit(capture, &facts())
}

/// Where the ESP packet begins in a frame: behind Ethernet and IPv4, and behind UDP.
fn esp_at(frame: &[u8]) -> usize {
    const UDP: u8 = 17;
    if frame[14 + 9] == UDP { 42 } else { 34 }
}

#[test]
fn every_suite_is_opened_bare_and_in_udp() {
    let account = audited(&pcapng::read(CAPTURE).unwrap());
    assert_eq!(account.findings, []);
    let suites: BTreeSet<_> = account.sas.iter().map(|sa| (sa.encryption, sa.integrity, sa.encapsulated > 0)).collect();
    assert_eq!(suites.len(), 16);
    for sa in &account.sas {
        assert_eq!((sa.packets, sa.verified, sa.first_sequence, sa.last_sequence), (3, 3, 1, 3), "{:#010x}", sa.spi);
        assert!(sa.encapsulated == 0 || sa.encapsulated == 3);
    }
}

/// The first packet of each SA, with one bit of each of its parts flipped in turn.
#[test]
fn one_flipped_bit_is_found_in_every_suite() {
    let whole = pcapng::read(CAPTURE).unwrap();
    for first in (0..whole.frames.len()).step_by(3) {
        let at = esp_at(&whole.frames[first].data);
        let end = whole.frames[first].data.len();
        let sequence_number = at + 7;
        let vector = at + 8;
        let cipher_text = at + 8 + 17;
        let parts = [sequence_number, vector, cipher_text, end - 13, end - 1];
        for part in parts {
            let mut capture = whole.clone();
            capture.frames[first].data[part] ^= 0x10;
            assert_found(&capture, Code::WrongIntegrity, first);
        }
        let mut capture = whole.clone();
        capture.frames[first].data[at] ^= 0x10;
        assert_found(&capture, Code::UnknownSpi, first);
    }
}

fn assert_found(capture: &Capture, code: Code, index: usize) {
    let found: Vec<_> =
        audited(capture).findings.into_iter().map(|finding| (finding.code.clone(), finding.frame())).collect();
    assert_eq!(found, [(code.name().to_owned(), Some(capture.frames[index].number))]);
}
