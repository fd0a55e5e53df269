//! Keys as Wireshark wants them, so that a reader can open the capture and see inside the tunnel; and as it has them, so
//! that the audit can.

mod fields;
mod parse;
mod pattern;
#[cfg(test)]
mod tests;

use std::fmt::{self, Write};

use policy::{Encryption, Hash};

use crate::audit::{EncryptionKey, SaKeys};

pub use parse::{Table, parse_esp_sa, parse_ikev1_decryption_table};
pub use pattern::{Addresses, SaPattern, Spis, Stream, sas};

/// What is to be said of a place in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    pub text: String,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.text)
    }
}

/// The lines of Wireshark's file `esp_sa`, one for each SA.
///
/// Eight columns: newer versions know a ninth, for extended sequence numbers, which Wireshark 4.0
/// rejects.
pub fn esp_sa_table(sas: &[SaKeys]) -> String {
    sas.iter().fold(String::new(), |mut table, sa| {
        let encryption = match sa.encryption {
            Encryption::TripleDes => "TripleDES-CBC [RFC2451]",
            Encryption::Aes128 | Encryption::Aes192 | Encryption::Aes256 => "AES-CBC [RFC3602]",
        };
        let integrity = match sa.integrity {
            Hash::Md5 => "HMAC-MD5-96 [RFC2403]",
            Hash::Sha1 => "HMAC-SHA-1-96 [RFC2404]",
            Hash::Sha256 => "HMAC-SHA-256-128 [RFC4868]",
            Hash::Sha384 => "HMAC-SHA-384-192 [RFC4868]",
            Hash::Sha512 => "HMAC-SHA-512-256 [RFC4868]",
        };
        let SaKeys { source, destination, spi, .. } = sa;
        let [encryption_key, integrity_key] =
            [&sa.encryption_key, &sa.integrity_key].map(|key| key.strip_prefix("0x").unwrap_or(key));
        // Writing to a string cannot fail.
        let _ = writeln!(
            table,
            r#""IPv4","{source}","{destination}","{spi:#010x}","{encryption}","0x{encryption_key}","{integrity}","0x{integrity_key}""#
        );
        table
    })
}

/// The lines of Wireshark's file `ikev1_decryption_table`, one for each IKE SA: the initiator's cookie, and the key of the
/// cipher (RFC 2409 appendix B).
pub fn ikev1_decryption_table(keys: &[EncryptionKey]) -> String {
    keys.iter().map(|EncryptionKey { initiator_cookie, key }| format!("{initiator_cookie},{key}\n")).collect()
}
