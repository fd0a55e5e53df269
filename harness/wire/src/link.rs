//! Link layers of captures: what comes before the network's header, and how it says which network that is.

use crate::{
    Error, Result,
    error::{array, part},
    ethernet,
};

/// IEEE 802.1Q and 802.1ad, and what some switches said before the latter.
const VLAN_TAGS: [u16; 3] = [0x8100, 0x88a8, 0x9100];

/// The link types that are read, by their numbers in captures (<https://www.tcpdump.org/linktypes.html>).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Link {
    #[default]
    Ethernet,
    /// An IP packet, which says its version itself.
    Raw,
    /// What Linux gives instead of a link's own header when it captures on all interfaces: version 1, 16 bytes.
    Cooked,
    /// Its version 2, 20 bytes.
    Cooked2,
    /// The address family in 4 bytes, in the byte order of the machine or of the network.
    Loopback,
}

impl Link {
    pub fn of_type(linktype: u16) -> Option<Self> {
        match linktype {
            1 => Some(Self::Ethernet),
            // OpenBSD and the other systems each had a number before there was one for all; then those of one version.
            12 | 14 | 101 | 228 | 229 => Some(Self::Raw),
            113 => Some(Self::Cooked),
            276 => Some(Self::Cooked2),
            0 | 108 => Some(Self::Loopback),
            _ => None,
        }
    }

    /// The ethertype of a frame and what it holds, without the tags of virtual networks.
    pub fn network(self, frame: &[u8]) -> Result<(u16, &[u8])> {
        let what = "a Linux cooked frame";
        let ethertype = |offset| array(what, frame, offset).map(u16::from_be_bytes);
        let (mut kind, mut payload) = match self {
            Self::Ethernet => {
                let ethernet = ethernet::Frame::parse(frame)?;
                (ethernet.ethertype, ethernet.payload)
            }
            Self::Raw => return raw(frame),
            Self::Cooked => (ethertype(14)?, rest(what, frame, 16)?),
            Self::Cooked2 => (ethertype(0)?, rest(what, frame, 20)?),
            Self::Loopback => return loopback(frame),
        };
        while VLAN_TAGS.contains(&kind) {
            let what = "a VLAN tag";
            kind = u16::from_be_bytes(array(what, payload, 2)?);
            payload = rest(what, payload, 4)?;
        }
        Ok((kind, payload))
    }
}

fn raw(frame: &[u8]) -> Result<(u16, &[u8])> {
    let [first] = array("a raw IP packet", frame, 0)?;
    match first >> 4 {
        4 => Ok((ethernet::IPV4, frame)),
        6 => Ok((ethernet::IPV6, frame)),
        found => {
            let found = found.into();
            Err(Error::Field { what: "a raw IP packet", field: "version", found, expected: "4 or 6" })
        }
    }
}

fn loopback(frame: &[u8]) -> Result<(u16, &[u8])> {
    let what = "a loopback frame";
    let family = array(what, frame, 0)?;
    let payload = rest(what, frame, 4)?;
    // Families are small numbers, so that a large one has the other byte order.
    match u32::from_be_bytes(family).min(u32::from_le_bytes(family)) {
        2 => Ok((ethernet::IPV4, payload)),
        // Of Linux and NetBSD, FreeBSD, Darwin.
        10 | 24 | 28 | 30 => Ok((ethernet::IPV6, payload)),
        found => {
            let found = found.into();
            Err(Error::Field { what, field: "address family", found, expected: "that of IPv4 or IPv6" })
        }
    }
}

fn rest<'a>(what: &'static str, bytes: &'a [u8], begin: usize) -> Result<&'a [u8]> {
    part(what, bytes, begin..bytes.len().max(begin))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::{collection::vec, prelude::*};

    use super::*;

    const IPV4: [u8; 3] = [0x45, 7, 8];

    #[test]
    fn every_link_leads_to_the_same_packet() {
        let tagged = |tags: &[u8]| [&[0; 12][..], tags, &[8, 0], &IPV4].concat();
        let frames = [
            (1, tagged(&[])),
            (1, tagged(&[0x81, 0, 0, 5])),
            (1, tagged(&[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6])),
            (101, IPV4.to_vec()),
            (12, IPV4.to_vec()),
            (14, IPV4.to_vec()),
            (228, IPV4.to_vec()),
            (113, [&[0; 14][..], &[8, 0], &IPV4].concat()),
            (276, [&[8, 0][..], &[0; 18], &IPV4].concat()),
            (0, [&[2, 0, 0, 0][..], &IPV4].concat()),
            (108, [&[0, 0, 0, 2][..], &IPV4].concat()),
        ];
        for (linktype, frame) in frames {
            let link = Link::of_type(linktype).unwrap();
            assert_eq!(link.network(&frame), Ok((ethernet::IPV4, &IPV4[..])), "{linktype}: {frame:x?}");
        }
        assert_eq!(Link::Raw.network(&[0x60]), Ok((ethernet::IPV6, &[0x60][..])));
        assert_eq!(Link::of_type(105), None);
    }

    proptest! {
        #[test]
        fn arbitrary_frames_do_not_panic(
            link in prop::sample::select(vec![1, 101, 113, 276, 0]), bytes in vec(any::<u8>(), 0..60),
        ) {
            let _ = Link::of_type(link).unwrap().network(&bytes);
        }
    }
}
