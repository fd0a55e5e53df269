//! Names for what is random in every run: identifiers, SPIs, cookies, message IDs, ports. The same value has the same
//! name wherever it appears, and so a history still says what belongs together.

use std::collections::HashMap;

use runner::record::CellRecord;

/// Ports that are no choice of anybody's: IKE, IKE behind a NAT, and the probes.
const KNOWN_PORTS: [u16; 3] = [500, 4500, 4242];

/// From here on a kernel draws ports for whoever asks for none.
const EPHEMERAL: u16 = 32_768;

pub struct Names {
    /// Values that only the record tells from other words, and of what kind they are.
    known: HashMap<String, &'static str>,
    given: HashMap<String, String>,
    counts: HashMap<&'static str, usize>,
}

impl Names {
    pub fn new(cell: &CellRecord) -> Self {
        let mut known = HashMap::new();
        for message in cell.account.iter().flat_map(|account| &account.messages) {
            for cookie in &message.cookies {
                known.insert(cookie.clone(), "cookie");
            }
            // Version 2 counts its messages, which is not random.
            if message.message_id != 0 && message.version == policy::Version::V1 {
                known.insert(format!("{:#010x}", message.message_id), "message");
            }
            for port in [message.source.port(), message.destination.port()] {
                if !KNOWN_PORTS.contains(&port) {
                    known.insert(format!(":{port}"), "port");
                }
            }
        }
        Self { known, given: HashMap::new(), counts: HashMap::new() }
    }

    /// The text with names instead of values.
    pub fn instead(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while !rest.is_empty() {
            // A port stands behind an address, every other value by itself.
            let before = out.chars().next_back();
            let fresh = rest.starts_with(':') || before.is_none_or(|before| !before.is_ascii_alphanumeric());
            let behind_digit = before.is_some_and(|before| before.is_ascii_digit());
            let value = if fresh { self.value(rest, behind_digit) } else { None };
            let skipped = match value {
                Some((length, name)) => {
                    out.push_str(&name);
                    length
                }
                None => {
                    let length = rest.chars().next().map_or(1, char::len_utf8);
                    out.push_str(&rest[..length]);
                    length
                }
            };
            rest = &rest[skipped..];
        }
        out
    }

    /// How long the value is with which a text begins, and its name.
    fn value(&mut self, text: &str, behind_digit: bool) -> Option<(usize, String)> {
        let bytes = text.as_bytes();
        if is_uuid(bytes) {
            return Some((UUID, self.name("uuid", &text[..UUID])));
        }
        if let Some(length) = date(bytes) {
            return Some((length, "date".to_owned()));
        }
        if let Some(digits) = text.strip_prefix(SEQUENCE) {
            let length = run(digits.as_bytes(), |byte| byte.is_ascii_digit());
            let name = self.name("sequence", &digits[..length]);
            return Some((SEQUENCE.len() + length, format!("{SEQUENCE}{name}")));
        }
        if let Some(port) = text.strip_prefix(':') {
            let length = 1 + run(port.as_bytes(), |byte| byte.is_ascii_digit());
            let known = self.known.contains_key(&text[..length]);
            let drawn = behind_digit && text[1..length].parse::<u16>().is_ok_and(|port| port >= EPHEMERAL);
            return (known || drawn).then(|| (length, format!(":{}", self.name("port", &text[..length]))));
        }
        let prefix = if bytes.starts_with(b"0x") { 2 } else { 0 };
        let digits = run(&bytes[prefix..], |byte| byte.is_ascii_hexdigit());
        let length = prefix + digits;
        if bytes.get(length).is_some_and(u8::is_ascii_alphanumeric) {
            return None;
        }
        let word = &text[..length];
        if bytes[prefix..length].iter().all(|digit| *digit == b'0') {
            return None;
        }
        if let Some(kind) = self.known.get(word).copied() {
            return Some((length, self.name(kind, word)));
        }
        match (prefix, digits) {
            (2, 8) => Some((length, self.name("spi", word))),
            // An ISAKMP SA is named by both of its cookies (RFC 2408 section 3.15).
            (2, 32) => {
                let [initiator, responder] = [&word[2..18], &word[18..]].map(|cookie| self.name("cookie", cookie));
                Some((length, format!("{initiator} {responder}")))
            }
            (2, 9..) | (0, 16..) => Some((length, self.name("value", word))),
            _ => None,
        }
    }

    fn name(&mut self, kind: &'static str, value: &str) -> String {
        if let Some(name) = self.given.get(value) {
            return name.clone();
        }
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        let name = format!("{kind}-{count}");
        self.given.insert(value.to_owned(), name.clone());
        name
    }
}

/// Dead peer detection counts from a random number on (RFC 3706 section 5.3).
const SEQUENCE: &str = "sequence number ";
const UUID: usize = 36;

fn run(bytes: &[u8], is: impl Fn(&u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| is(byte)).count()
}

fn is_uuid(bytes: &[u8]) -> bool {
    let dashes = [8, 13, 18, 23];
    let right = |(place, byte): (usize, &u8)| {
        if dashes.contains(&place) { *byte == b'-' } else { byte.is_ascii_hexdigit() }
    };
    bytes.len() >= UUID
        && bytes[..UUID].iter().enumerate().all(right)
        && !bytes.get(UUID).is_some_and(u8::is_ascii_alphanumeric)
}

/// The length of a date with its time, such as `2026-03-03T14:05:09+0000`: by which clock it is, is nobody's choice.
fn date(bytes: &[u8]) -> Option<usize> {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00";
    let like = |(byte, shape): (&u8, &u8)| if *shape == b'0' { byte.is_ascii_digit() } else { byte == shape };
    let is = bytes.len() >= SHAPE.len() && bytes.iter().zip(SHAPE).all(like);
    is.then(|| SHAPE.len() + run(&bytes[SHAPE.len()..], |byte| byte.is_ascii_digit() || b".+-Z".contains(byte)))
}
