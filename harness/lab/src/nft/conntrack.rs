//! Forgets tracked connections that the rules in force would not have made as they are.
//!
//! Numbers and layout: the kernel's `linux/netfilter/nfnetlink_conntrack.h`.

use std::{io, net::Ipv4Addr, os::fd::OwnedFd};

use ipnet::Ipv4Net;
use netlink_packet_core::{NLA_F_NESTED, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST};

use crate::netlink;

const SUBSYSTEM: u16 = 1;
const GET: u16 = SUBSYSTEM << 8 | 1;
const DELETE: u16 = SUBSYSTEM << 8 | 2;
const FAMILY: [u8; 4] = [libc::AF_INET as u8, 0, 0, 0];
const TUPLE_ORIGINAL: u16 = 1;
const TUPLE_REPLY: u16 = 2;

pub(super) fn forget_stale(socket: &OwnedFd, inside: &[Ipv4Net], exempt: &[(Ipv4Net, Ipv4Net)]) -> io::Result<()> {
    let mut stale = Vec::new();
    netlink::request(socket, &message(GET, NLM_F_DUMP, |_| ()), |entry| {
        stale.extend(stale_tuple(entry.payload.get(FAMILY.len()..).unwrap_or_default(), inside, exempt));
        Ok(())
    })?;
    for tuple in stale {
        let delete = message(DELETE, NLM_F_ACK, |out| {
            netlink::attribute(out, NLA_F_NESTED | TUPLE_ORIGINAL, |out| out.extend(&tuple));
        });
        let deleted = netlink::request(socket, &delete, |_| Ok(()));
        // An entry may have ended of its own accord since it was listed.
        if let Err(e) = deleted
            && e.raw_os_error() != Some(libc::ENOENT)
        {
            return Err(io::Error::new(e.kind(), format!("forget a tracked connection: {e}")));
        }
    }
    Ok(())
}

pub(super) fn count(socket: &OwnedFd) -> io::Result<usize> {
    let mut count = 0;
    netlink::request(socket, &message(GET, NLM_F_DUMP, |_| ()), |_| {
        count += 1;
        Ok(())
    })?;
    Ok(count)
}

/// A deletion that names no entry means all of the family.
pub(super) fn forget_all(socket: &OwnedFd) -> io::Result<()> {
    netlink::request(socket, &message(DELETE, NLM_F_ACK, |_| ()), |_| Ok(()))
}

/// The original tuple of an entry, if it is translated although exempt, or the reverse. Entries between
/// inner networks are never translated and go too; the next packet makes them again as they were.
fn stale_tuple(entry: &[u8], inside: &[Ipv4Net], exempt: &[(Ipv4Net, Ipv4Net)]) -> Option<Vec<u8>> {
    let original = find(entry, TUPLE_ORIGINAL)?;
    let (source, destination) = addresses(original)?;
    let (_, answered) = addresses(find(entry, TUPLE_REPLY)?)?;
    let must_stay = exempt.iter().any(|(from, to)| from.contains(&source) && to.contains(&destination));
    let ours = must_stay || inside.iter().any(|network| network.contains(&source));
    let translated = answered != source;
    (ours && must_stay == translated).then(|| original.to_vec())
}

/// Source and destination of a tuple.
fn addresses(tuple: &[u8]) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let ip = find(tuple, 1)?;
    let address = |kind| find(ip, kind)?.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets));
    Some((address(1)?, address(2)?))
}

fn find(attributes: &[u8], kind: u16) -> Option<&[u8]> {
    netlink::attributes(attributes).ok()?.into_iter().find(|(found, _)| *found == kind).map(|(_, value)| value)
}

/// `nfgenmsg`, then attributes.
fn message(kind: u16, flags: u16, body: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    netlink::message(&mut bytes, kind, NLM_F_REQUEST | flags, 0, |out| {
        out.extend(FAMILY);
        body(out);
    });
    bytes
}
