//! ARP for IPv4 over Ethernet (RFC 826), recognised only: it names neighbours and carries no traffic.

use crate::{Error, Result, error::array};

/// Checks that `payload` of an Ethernet frame is a request or a reply for IPv4 over Ethernet.
pub fn recognise(payload: &[u8]) -> Result<()> {
    let what = "an ARP packet";
    let header: [u8; 8] = array(what, payload, 0)?;
    if header[..6] != [0, 1, 8, 0, 6, 4] {
        let found = u64::from(u16::from_be_bytes([header[2], header[3]]));
        return Err(Error::Field { what, field: "protocol", found, expected: "IPv4 over Ethernet" });
    }
    match u16::from_be_bytes([header[6], header[7]]) {
        1 | 2 => array::<20>(what, payload, 8).map(|_| ()),
        other => Err(Error::Field { what, field: "operation", found: other.into(), expected: "1 or 2" }),
    }
}
