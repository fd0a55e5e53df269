//! What the audit has to say about single frames, for Wireshark to show beside them.

use std::collections::BTreeMap;

use super::{Account, IkeMessage, PayloadShown, SaAccount, Sealed};

/// Comments by number of frame: what each message of IKE says, and what refutes.
pub fn comments(account: &Account) -> BTreeMap<u64, String> {
    let mut comments: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for message in &account.messages {
        comments.entry(message.frame).or_default().push(in_words(message));
        for piece in message.pieces.iter().filter(|piece| **piece != message.frame) {
            let text = format!("a piece of a message that is whole with frame {}", message.frame);
            comments.entry(*piece).or_default().push(text);
        }
    }
    for sa in &account.sas {
        let SaAccount { spi, source, destination, packets, verified, .. } = sa;
        let text = format!(
            "first of {packets} packets of SPI {spi:#010x} from {source} to {destination}; the integrity check values of \
             {verified} are right"
        );
        comments.entry(sa.first_frame).or_default().push(text);
    }
    for finding in &account.findings {
        for frame in &finding.frames {
            let text = format!(
                "Finding {}: {}; expected: {} ({})",
                finding.code, finding.observed, finding.expected, finding.requirement
            );
            comments.entry(*frame).or_default().push(text);
        }
    }
    comments.into_iter().map(|(frame, lines)| (frame, lines.join("\n"))).collect()
}

fn in_words(message: &IkeMessage) -> String {
    let IkeMessage { exchange, ordinal, sealed, payloads, .. } = message;
    let state = match sealed {
        Sealed::Clear => "in clear",
        Sealed::Authenticated => "decrypted, its hash is right",
        Sealed::Opened => "decrypted",
        Sealed::Closed => "not decrypted",
    };
    let payload = |PayloadShown { name, details }: &PayloadShown| match details.as_slice() {
        [] => name.clone(),
        details => format!("{name} ({})", details.join("; ")),
    };
    let payloads: Vec<_> = payloads.iter().map(payload).collect();
    let of = if payloads.is_empty() { String::new() } else { format!(": {}", payloads.join(", ")) };
    format!("{exchange}, message {ordinal}, {state}{of}")
}
