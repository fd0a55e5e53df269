//! Vendor IDs by name. Most are the MD5 digest of a string, so that a table is all that tells them.

use crate::hex;

/// Exact IDs.
const NAMES: [(&str, &str); 14] = [
    ("afcad71368a1f1c96b8696fc77570100", "DPD (RFC 3706)"),
    ("4a131c81070358455c5728f20e95452f", "NAT-T (RFC 3947)"),
    ("7d9419a65310ca6f2c179d9215529d56", "NAT-T (draft 03)"),
    // The digest of the draft's name with a line feed, which most implementations send.
    ("90cb80913ebb696e086381b5ec427b1f", "NAT-T (draft 02 with line feed)"),
    ("cd60464335df21f87cfdb2fc68b6a448", "NAT-T (draft 02)"),
    ("16f6ca16e4a4066d83821a0f0aeaa862", "NAT-T (draft 01)"),
    ("4485152d18b6bbcd0be8a8469579ddcc", "NAT-T (draft 00)"),
    ("4df37928e9fc4fd1b3262170d515c662", "NAT-T (draft)"),
    ("09002689dfd6b712", "XAUTH"),
    ("882fe56d6fd20dbc2251613b2ebe5beb", "strongSwan"),
    ("12f5f28c457168a9702d9fe274cc0100", "Cisco Unity"),
    ("12f5f28c457168a9702d9fe274cc02d4", "Cisco Unity"),
    ("45bda47952b7c722bbfd3198c5dc7dcd", "Cisco delete reason"),
    ("84a6dafd4c2e2f236100d34e3e1a5a37", "fragmentation (IKEv2)"),
];

/// Beginnings; the rest is a version or capabilities.
const FAMILIES: [(&str, &str); 5] = [
    ("4048b7d56ebce88525e7de7f00d6c2d3", "fragmentation"),
    // "OE-Libreswan-" and the version in clear.
    ("4f452d4c69627265737761", "libreswan"),
    ("4f45", "Openswan or libreswan"),
    ("4f48", "Openswan or libreswan"),
    ("1e2b516905991c7d7c96fcbfb587e461", "Microsoft"),
];

/// The name of a vendor ID, or the ID in hexadecimal.
pub fn vendor_name(id: &[u8]) -> String {
    let digits = hex::encode(id);
    if let Some((_, name)) = NAMES.iter().find(|(known, _)| *known == digits) {
        return (*name).to_owned();
    }
    match FAMILIES.iter().find(|(beginning, _)| digits.starts_with(beginning)) {
        Some((_, name)) => (*name).to_owned(),
        None => digits,
    }
}
