//! IPv6, recognised only as far as interfaces speak it unasked: neighbour discovery and MLD.

use crate::{Error, Result, error::array};

const HEADER: usize = 40;
const HOP_BY_HOP: u8 = 0;
const ICMPV6: u8 = 58;

/// The ICMPv6 type of a packet that only concerns the link: MLD (RFC 2710, RFC 3810), router and
/// neighbour discovery (RFC 4861). MLD comes behind a router alert in a hop-by-hop header.
pub fn link_message(payload: &[u8]) -> Result<u8> {
    let what = "an IPv6 packet";
    let header: [u8; HEADER] = array(what, payload, 0)?;
    if header[0] >> 4 != 6 {
        return Err(Error::Field { what, field: "version", found: (header[0] >> 4).into(), expected: "6" });
    }
    let (next_header, offset) = match header[6] {
        HOP_BY_HOP => {
            let [next, len] = array(what, payload, HEADER)?;
            (next, HEADER + 8 + 8 * usize::from(len))
        }
        next => (next, HEADER),
    };
    if next_header != ICMPV6 {
        return Err(Error::Field { what, field: "next header", found: next_header.into(), expected: "58 (ICMPv6)" });
    }
    match array(what, payload, offset)? {
        [kind @ (130..=137 | 143)] => Ok(kind),
        [kind] => Err(Error::Field { what, field: "ICMPv6 type", found: kind.into(), expected: "discovery or MLD" }),
    }
}
