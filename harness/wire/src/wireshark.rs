//! Keys as Wireshark wants them, so that a reader can open the capture and see inside the tunnel.

use std::fmt::Write;

use policy::{Encryption, Hash};

use crate::audit::SaKeys;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_eight_columns_that_every_version_reads() {
        let sa = SaKeys {
            spi: 0xbeef,
            source: [192, 0, 2, 1].into(),
            destination: [192, 0, 2, 2].into(),
            encryption: Encryption::TripleDes,
            encryption_key: "00112233445566778899aabbccddeeff0123456789abcdef".to_owned(),
            integrity: Hash::Md5,
            integrity_key: "0x000102030405060708090a0b0c0d0e0f".to_owned(),
            added_ns: None,
            deleted_ns: None,
        };
        let aes = SaKeys { encryption: Encryption::Aes256, integrity: Hash::Sha1, ..sa.clone() };
        let expected = concat!(
            r#""IPv4","192.0.2.1","192.0.2.2","0x0000beef","TripleDES-CBC [RFC2451]","#,
            r#""0x00112233445566778899aabbccddeeff0123456789abcdef","HMAC-MD5-96 [RFC2403]","#,
            r#""0x000102030405060708090a0b0c0d0e0f""#,
            "\n"
        );
        assert_eq!(esp_sa_table(&[sa]), expected);
        let newer = [Hash::Sha256, Hash::Sha384, Hash::Sha512].map(|integrity| SaKeys { integrity, ..aes.clone() });
        let line = esp_sa_table(&[aes]);
        assert!(line.contains(r#""AES-CBC [RFC3602]""#) && line.contains(r#""HMAC-SHA-1-96 [RFC2404]""#), "{line}");
        let lines = esp_sa_table(&newer);
        let names = ["HMAC-SHA-256-128 [RFC4868]", "HMAC-SHA-384-192 [RFC4868]", "HMAC-SHA-512-256 [RFC4868]"];
        assert!(lines.lines().zip(names).all(|(line, name)| line.contains(&format!("\"{name}\""))), "{lines}");
    }
}
