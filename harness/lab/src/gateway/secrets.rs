//! What key exchanges came to, as far as daemons tell: the audit opens IKE with it. A secret shows itself to be one by
//! what it opens, and so nothing else is asked of the text that it is taken from.

use std::{fs, io, path::Path};

use policy::Daemon;
use wire::hex;

use crate::{Result, machine::Machine};

/// Where daemons write them: in memory, and not among the logs.
pub(super) const FILE: &str = "/run/shared-secrets";

/// Has the daemons of this machine write their secrets down, which they do only where there is a file for them.
pub async fn ask_for(machine: &Machine) -> Result<()> {
    machine.write_file(FILE, Vec::new(), 0o600).await
}

/// Whether the daemons of this machine are to write them down.
pub(super) async fn are_asked_for(machine: &Machine) -> Result<bool> {
    machine.run(|| Path::new(FILE).exists()).await
}

/// The secrets that the daemon of a machine has written down since it was asked for them.
pub async fn shared_secrets(daemon: Daemon, machine: &Machine) -> Result<Vec<Vec<u8>>> {
    let text = machine.attempt("read the secrets of its daemon", || fs::read(FILE)).await?;
    Ok(taken_from(&String::from_utf8_lossy(&text), daemon))
}

/// Empties what the daemon has written down, if it was asked to; it appends, and so goes on at the beginning.
pub async fn forget(machine: &Machine) -> Result<()> {
    let empty = || match fs::OpenOptions::new().write(true).truncate(true).open(FILE) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    };
    machine.attempt("forget the secrets of its daemon", empty).await
}

fn taken_from(text: &str, daemon: Daemon) -> Vec<Vec<u8>> {
    match daemon {
        Daemon::Libreswan => text.lines().filter_map(hex::decode).filter(|secret| !secret.is_empty()).collect(),
        Daemon::Strongswan | Daemon::Strongswan59 => dumps(text),
    }
}

/// charon's log has a line that names what follows, and lines with an offset and up to 16 bytes each:
///
/// ```text
/// 12[CHD] shared Diffie Hellman secret => 192 bytes @ 0x7f5d08003f60
/// 12[CHD]    0: 5C 1B 7A 3F ...  \.z?...
/// ```
fn dumps(text: &str) -> Vec<Vec<u8>> {
    const TITLE: &str = "secret => ";
    let mut lines = text.lines();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        let Some((_, rest)) = line.split_once(TITLE) else { continue };
        let length = rest.split_once(" bytes").and_then(|(length, _)| length.parse::<usize>().ok());
        let Some(length) = length.filter(|length| (1..=LONGEST).contains(length)) else { continue };
        let mut secret = Vec::with_capacity(length);
        for line in lines.by_ref().take(length.div_ceil(16)) {
            let Some((_, dump)) = line.split_once(": ") else { break };
            // Behind two spaces are the same bytes as characters.
            let digits = dump.split("  ").next().unwrap_or_default();
            secret.extend(digits.split(' ').take(16).filter_map(|pair| u8::from_str_radix(pair, 16).ok()));
        }
        if secret.len() == length {
            found.push(secret);
        }
    }
    found
}

/// Of group 18.
const LONGEST: usize = 1024;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    /// Phase 1 with group 2, and a Quick Mode with group 5, as two releases wrote them.
    const PHASE_1: &str = include_str!("../../fixtures/charon-5.9.8.txt");
    const QUICK_MODE: &str = include_str!("../../fixtures/charon-6.0.1.txt");

    fn of_charon(text: &str) -> Vec<Vec<u8>> {
        taken_from(text, Daemon::Strongswan)
    }

    #[test]
    fn charon_tells_the_secrets_of_both_phases_and_no_other_dump_is_one() {
        let found = of_charon(&[PHASE_1, QUICK_MODE].concat());
        let [one, two] = found.as_slice() else { panic!("{} secrets", found.len()) };
        assert_eq!([one.len(), two.len()], [128, 192]);
        assert_eq!(one[..4], [0x66, 0xd2, 0x74, 0x53]);
        assert_eq!(one[124..], [0xd2, 0x91, 0x44, 0xab]);
        assert_eq!(two[..4], [0xc0, 0xe9, 0x8b, 0xf8]);
    }

    #[test]
    fn a_last_line_that_is_not_full_is_read_to_its_end() {
        let text = "05[CHD] DH secret => 18 bytes @ 0x7f00\n\
                    05[CHD]    0: 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F  ................\n\
                    05[CHD]   16: 3A 20                                            : \n";
        let expected: Vec<u8> = (0..16).chain([0x3a, 0x20]).collect();
        assert_eq!(of_charon(text), [expected]);
    }

    #[test]
    fn a_secret_that_breaks_off_is_none() {
        for text in [PHASE_1, QUICK_MODE] {
            let title = text.find("secret => ").unwrap();
            let cut = title + text[title..].find("\n").unwrap() + 200;
            assert!(of_charon(&text[..cut]).is_empty());
        }
        assert!(of_charon("05[CHD] DH secret => 99999999999 bytes @ 0x1\n").is_empty());
    }

    #[test]
    fn pluto_tells_one_a_line() {
        let text = "00ff\n\nno secret\n0102\nabc\n";
        assert_eq!(taken_from(text, Daemon::Libreswan), [vec![0, 0xff], vec![1, 2]]);
    }

    proptest! {
        #[test]
        fn no_text_is_an_error(text in "(secret => |[0-9]{1,3}: | bytes|[0-9A-F]{2} | {2}|\n|\\PC)*") {
            for daemon in [Daemon::Libreswan, Daemon::Strongswan, Daemon::Strongswan59] {
                for secret in taken_from(&text, daemon) {
                    prop_assert!(!secret.is_empty());
                }
            }
        }
    }
}
