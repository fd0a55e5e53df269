//! What key exchanges came to, as far as daemons tell: the audit opens IKE with it. A secret shows itself to be one by
//! what it opens, and so nothing else is asked of the text that it is taken from.

use std::{fs, io};

use policy::Daemon;

use crate::{Error, Result, machine::Machine};

/// Where daemons write them: in memory, and not among the logs.
pub(super) const FILE: &str = "/run/shared-secrets";

/// The secrets that the daemon of a machine has written down since the machine was made.
pub async fn shared_secrets(daemon: Daemon, machine: &Machine) -> Result<Vec<Vec<u8>>> {
    let text = match machine.run(|| fs::read_to_string(FILE)).await? {
        Ok(text) => text,
        // It made no key exchange so far.
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::machine(machine.name(), "read the secrets of its daemon")(e)),
    };
    Ok(match daemon {
        Daemon::Libreswan => text.lines().filter_map(bytes).collect(),
        Daemon::Strongswan | Daemon::Strongswan59 => dumps(&text),
    })
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
        let Some(length) = length.filter(|length| *length <= LONGEST) else { continue };
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

fn bytes(line: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = line.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    rest.is_empty().then(|| pairs.iter().map(|&[high, low]| Some((digit(high)? << 4 | digit(low)?) as u8)).collect())?
}
