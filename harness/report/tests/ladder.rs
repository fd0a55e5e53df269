//! The ladder: every message in its place, what repeats told once, and no line wider than it may be.
#![allow(clippy::unwrap_used, dead_code)]

mod sample;

use policy::Encryption;
use proptest::prelude::*;
use runner::record::{CellRecord, Verdict};
use sample::conversation;
use tunnelproof_report::ladder::{self, Style, Tone};
use wire::audit::{Account, LeftOut, Pfs, Sealed, Secrecy};

fn account() -> Account {
    sample::proven("libreswan", "strongSwan 5.9.14", "aes128").account.unwrap()
}

fn text(account: &Account) -> String {
    ladder::render(account, &[], Style::plain(Style::WIDTH))
}

/// The line of a message, and what stands beneath it.
fn rung<'a>(text: &'a str, name: &str) -> &'a str {
    let from = text.find(name).unwrap_or_else(|| panic!("{name} in {text}"));
    let end = text[from..].match_indices('\n').find(|(at, _)| {
        let next = &text[from + at + 1..];
        next.lines().next().is_some_and(|line| line.contains(['▶', '◀']) || line.is_empty())
    });
    &text[from..from + end.map_or(text.len() - from, |(at, _)| at)]
}

#[test]
fn a_message_is_an_arrow_with_time_frame_and_payloads() {
    let text = text(&account());
    let lines: Vec<&str> = text.lines().filter(|line| line.contains(['▶', '◀'])).collect();
    assert_eq!(lines.len(), 13, "{text}");
    assert!(lines[0].starts_with("     0.000       5  ├─") && lines[0].ends_with("▶  in clear"), "{}", lines[0]);
    assert!(lines[1].contains("0.004       7  ◀─") && lines[1].contains(" main mode 2 "), "{}", lines[1]);
    assert!(lines[12].starts_with("  7408.031    1303"), "{}", lines[12]);
    let offer = rung(&text, "main mode 1");
    for part in ["SA", "AES-CBC 128, SHA, group 5", "3DES-CBC, MD5, group 2", "VID", "DPD (RFC 3706)", "RFC 3947"] {
        assert!(offer.contains(part), "{part} in {offer}");
    }
    assert!(rung(&text, "quick mode 1").contains("10.10.0.0/16"), "{text}");
    assert!(rung(&text, "quick mode 1").contains("authenticated"), "{text}");
}

#[test]
fn what_repeats_is_told_once() {
    let text = text(&account());
    assert!(rung(&text, "main mode 5").contains("sent again 2 times"), "{text}");
    assert!(rung(&text, "main mode 6").contains("came in 2 pieces: frames 12, 13"), "{text}");
    assert!(text.contains("DPD probe and answer, 585 more up to frame 1,296"), "{text}");
}

#[test]
fn what_came_of_it_is_told_with_its_frames() {
    let text = text(&account());
    for part in [
        "main mode from 198.51.100.10 to 203.0.113.20",
        "aes128, sha1, modp1536, pre-shared key, 86400 s, in frame 7",
        "198.51.100.10 and 203.0.113.20",
        "all decrypted, 1,180 messages authenticated",
        "586 probes, 586 answers",
        "Quick Mode 1b5c9e07 from 198.51.100.10, frames 14, 15, 16",
        "modp1536, seen in both messages",
        "10.10.0.0/16 and 172.16.10.0/24",
        "0x4e000001 to 198.51.100.10, 0xc1000001 to 203.0.113.20",
        "those of the SAs",
        "20, all verified",
        "1,184 isakmp",
        "from 198.51.100.10 to 203.0.113.20, 10.10.0.0/16 and 172.16.10.0/24",
        "0xc1000001, then 0xc1000004 from frame 1,298",
        "1.250 s, 3 packets of the old one after the first of the new",
        "probes: 80 of 80",
        "No findings",
    ] {
        let flowing = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flowing.contains(part), "{part} in {text}");
    }
}

#[test]
fn a_closed_conversation_says_why_once() {
    let mut account = account();
    account.negotiations[0].secrecy = Secrecy::NotDecrypted { reason: "no key was given".into() };
    account.negotiations[0].quick_modes[0].pfs = Pfs::Inferred { group: None };
    for message in account.messages.iter_mut().filter(|message| message.sealed != Sealed::Clear) {
        (message.sealed, message.payloads) = (Sealed::Closed, Vec::new());
    }
    let text = text(&account);
    assert_eq!(text.matches("closed: no key was given").count(), 1, "{text}");
    assert!(text.contains("none, inferred from the lengths"), "{text}");
}

#[test]
fn each_pair_of_gateways_has_a_ladder_of_its_own() {
    let mut account = account();
    let mut other = account.messages.clone();
    for message in &mut other {
        for end in [&mut message.source, &mut message.destination] {
            if *end.ip() == std::net::Ipv4Addr::new(203, 0, 113, 20) {
                *end = "203.0.113.99:4500".parse().unwrap();
            }
        }
    }
    account.messages.extend(other);
    let text = text(&account);
    assert_eq!(text.matches("IKE between 198.51.100.10 and ").count(), 2, "{text}");
    assert!(text.contains("main mode 1, port 4500"), "{text}");
}

#[test]
fn findings_of_a_kind_are_told_together_and_cut_short() {
    let cell: CellRecord = sample::record().cells.into_iter().find(|cell| cell.verdict == Verdict::Refuted).unwrap();
    let mut account = cell.account.unwrap();
    let first = account.findings[0].clone();
    account.findings.extend(std::iter::repeat_n(first, 1_200));
    let text = ladder::render(&account, &["40 frames stay closed".into()], Style::plain(Style::WIDTH));
    assert!(text.contains("1,206 findings") && text.contains("and 1,198 more like it"), "{text}");
    for part in ["RFC 4301 section 5.1", "frame 1204: probe 5", "probe-not-protected", "40 frames stay closed"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(text.matches("  clear-text\n").count(), 1, "{text}");
}

#[test]
fn what_is_left_out_is_told() {
    let mut account = account();
    assert!(!text(&account).contains("more messages of IKE"));
    account.left_out = LeftOut { messages: 190_000, of_quick_modes: 3, ..LeftOut::default() };
    let told = "more messages of IKE: 190,000 not told one by one, 3 of Quick Modes that are not followed";
    let text = text(&account).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains(told), "{text}");
}

#[test]
fn an_empty_account_is_no_ladder() {
    assert!(text(&Account::default()).starts_with("No message of IKE\n"));
}

#[test]
fn what_was_captured_cannot_talk_to_the_terminal() {
    let mut account = account();
    account.negotiations[0].identities[0] = Some("\u{1b}]0;owned\u{7}".into());
    account.messages[0].payloads = vec![conversation::payload("ID\u{1b}[2J", &["\u{9b}31m\r\u{8}"])];
    account.messages[1].exchange = "\u{1b}[1A".into();
    assert!(!text(&account).contains(|c: char| c.is_control() && c != '\n'));
}

#[test]
fn colours_change_no_column() {
    let account = account();
    let painted = Style { width: 100, paint: |tone, text| format!("<{}{text}>", u8::from(tone == Tone::Bad)) };
    let without = ladder::render(&account, &[], painted).replace(['<', '>'], "");
    assert_eq!(
        without.lines().map(|line| line.chars().filter(|c| *c == '─').count()).max(),
        ladder::render(&account, &[], Style::plain(100))
            .lines()
            .map(|line| line.chars().filter(|c| *c == '─').count())
            .max()
    );
}

proptest! {
    #[test]
    fn no_line_is_wider_than_the_terminal(width in 64..130usize, encryption in prop::sample::select(&Encryption::ALL[..])) {
        let mut account = account();
        account.messages = conversation::messages(encryption);
        for line in ladder::render(&account, &[], Style::plain(width)).lines() {
            prop_assert!(line.chars().count() <= width, "{}", line);
        }
    }
}
