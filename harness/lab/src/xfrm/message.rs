//! Messages of netlink XFRM, as far as the laboratory reads them. Pure: bytes in, values out.
//!
//! Numbers and layout: the kernel's `linux/xfrm.h`. Numbers are in the machine's byte order, except SPIs and
//! addresses, which are in the network's.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::Ipv4Net;
use policy::{Encryption, Hash};

use super::{Direction, Keys, Policy, Sa};
use crate::netlink::{attribute, attributes, field};

pub(super) const NEW_SA: u16 = 0x10;
pub(super) const DELETE_SA: u16 = 0x11;
pub(super) const GET_SA: u16 = 0x12;
pub(super) const DELETE_POLICY: u16 = 0x14;
pub(super) const GET_POLICY: u16 = 0x15;
pub(super) const EXPIRE: u16 = 0x18;
pub(super) const UPDATE_SA: u16 = 0x1a;
pub(super) const FLUSH_SA: u16 = 0x1c;
pub(super) const FLUSH_POLICY: u16 = 0x1d;

/// Multicast groups as a mask: XFRMNLGRP_EXPIRE is 2, XFRMNLGRP_SA is 3. An SA whose hard limit is reached
/// is told to the first only.
pub(super) const GROUPS: u32 = 1 << (2 - 1) | 1 << (3 - 1);

const IPV4: u16 = libc::AF_INET as u16;
const ESP: u8 = 50;
/// XFRM_MODE_TUNNEL.
const TUNNEL: u8 = 1;
/// `xfrm_usersa_info`, `xfrm_usersa_id`, `xfrm_userpolicy_info` and `xfrm_userpolicy_id`: attributes follow.
const SA_INFO: usize = 224;
const SA_ID: usize = 24;
const POLICY_INFO: usize = 168;
const POLICY_ID: usize = 64;

const ATTRIBUTE_AUTHENTICATION: u16 = 1;
const ATTRIBUTE_ENCRYPTION: u16 = 2;
const ATTRIBUTE_ENCAPSULATION: u16 = 4;
const ATTRIBUTE_TEMPLATE: u16 = 5;
const ATTRIBUTE_SA: u16 = 6;
const ATTRIBUTE_AEAD: u16 = 18;
const ATTRIBUTE_AUTHENTICATION_TRUNCATED: u16 = 20;

/// The kernel's name of a cipher.
fn cipher(encryption: Encryption) -> &'static str {
    match encryption {
        Encryption::TripleDes => "cbc(des3_ede)",
        Encryption::Aes128 | Encryption::Aes192 | Encryption::Aes256 => "cbc(aes)",
    }
}

/// The kernel's name of an authenticator.
fn hmac(hash: Hash) -> &'static str {
    match hash {
        Hash::Md5 => "hmac(md5)",
        Hash::Sha1 => "hmac(sha1)",
        Hash::Sha256 => "hmac(sha256)",
        Hash::Sha384 => "hmac(sha384)",
        Hash::Sha512 => "hmac(sha512)",
    }
}

/// How much of an authenticator is sent. The kernel's own default for `hmac(sha256)` is the 96 bits of a draft, so
/// daemons always tell it.
fn check_bits(hash: Hash) -> u32 {
    8 * hash.icv_len() as u32
}

/// Writes the body of [`NEW_SA`]: an SA in tunnel mode that has no limits, and a key that is no secret.
pub(super) fn trial(out: &mut Vec<u8>, spi: u32, encryption: Encryption, integrity: Hash) {
    let start = out.len();
    out.resize(start + SA_INFO, 0);
    let mut put = |at: usize, bytes: &[u8]| out[start + at..start + at + bytes.len()].copy_from_slice(bytes);
    put(56, &[192, 0, 2, 1]);
    put(72, &spi.to_be_bytes());
    put(76, &[ESP]);
    put(80, &[198, 51, 100, 1]);
    // Bytes and packets, soft and hard: XFRM_INF.
    put(96, &[0xff; 32]);
    put(212, &IPV4.to_ne_bytes());
    put(214, &[TUNNEL]);
    let algorithm = |out: &mut Vec<u8>, name: &str, key: usize, truncated: Option<u32>| {
        out.extend(name.as_bytes());
        out.resize(out.len() + 64 - name.len(), 0);
        out.extend((8 * key as u32).to_ne_bytes());
        out.extend(truncated.map(u32::to_ne_bytes).into_iter().flatten());
        // The parts of a key of 3DES must differ (RFC 2451 section 2.3).
        out.extend((0..key).map(|byte| byte as u8));
    };
    attribute(out, ATTRIBUTE_ENCRYPTION, |out| algorithm(out, cipher(encryption), encryption.key_len(), None));
    attribute(out, ATTRIBUTE_AUTHENTICATION_TRUNCATED, |out| {
        algorithm(out, hmac(integrity), integrity.digest_len(), Some(check_bits(integrity)));
    });
}

/// What the kernel holds under one SPI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Esp(Sa),
    Other(String),
    /// Only the SPI is reserved; no keys yet.
    Larval,
    /// From nowhere to nowhere: pluto adds one when it starts, to learn what the kernel can do.
    Trial,
}

/// Something that happened to SAs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// Added, updated or listed.
    Held(Entry),
    /// Deleted, with final counters.
    Gone(Entry),
    /// A limit was reached; the SA is gone if it was the hard one.
    Expired { spi: u32, source: IpAddr, destination: IpAddr, bytes: u64, packets: u64, hard: bool },
    /// All SAs of ESP were deleted at once.
    Flushed,
}

/// The event that a message tells, if it is about SAs.
pub(super) fn event(kind: u16, payload: &[u8]) -> io::Result<Option<Event>> {
    Ok(match kind {
        NEW_SA | UPDATE_SA => Some(Event::Held(entry(payload)?)),
        DELETE_SA => Some(Event::Gone(deleted(payload)?)),
        EXPIRE => {
            let info = Info::parse(payload)?;
            let Info { spi, source, destination, bytes, packets, .. } = info;
            let [hard] = field(payload, SA_INFO)?;
            Some(Event::Expired { spi, source, destination, bytes, packets, hard: hard != 0 })
        }
        // IPSEC_PROTO_ANY is 255; 0 is taken for it.
        FLUSH_SA => matches!(field(payload, 0)?, [0 | ESP | 255]).then_some(Event::Flushed),
        _ => None,
    })
}

/// An SA as it is listed and announced: its structure, then attributes.
pub(super) fn entry(payload: &[u8]) -> io::Result<Entry> {
    let info = Info::parse(payload)?;
    classify(&info, &attributes(&payload[SA_INFO..])?)
}

/// A deleted SA: its name, then attributes; one of them is the structure that comes first elsewhere.
fn deleted(payload: &[u8]) -> io::Result<Entry> {
    let attributes = attributes(payload.get(SA_ID..).unwrap_or_default())?;
    let info = find(&attributes, ATTRIBUTE_SA).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, "the kernel told of a deleted SA without its state")
    })?;
    classify(&Info::parse(info)?, &attributes)
}

/// The `xfrm_usersa_id` by which an SA that was listed can be deleted.
pub(super) fn name(payload: &[u8]) -> io::Result<[u8; SA_ID]> {
    let mut name = [0; SA_ID];
    // Destination, SPI, family and protocol stand in another order there.
    name[..16].copy_from_slice(&field::<16>(payload, 56)?);
    name[16..20].copy_from_slice(&field::<4>(payload, 72)?);
    name[20..22].copy_from_slice(&field::<2>(payload, 212)?);
    name[22..23].copy_from_slice(&field::<1>(payload, 76)?);
    Ok(name)
}

/// The `xfrm_userpolicy_id` by which a policy that was listed can be deleted: selector, index, direction.
pub(super) fn policy_name(payload: &[u8]) -> io::Result<[u8; POLICY_ID]> {
    let mut name = [0; POLICY_ID];
    name[..56].copy_from_slice(&field::<56>(payload, 0)?);
    name[56..60].copy_from_slice(&field::<4>(payload, 156)?);
    name[60..61].copy_from_slice(&field::<1>(payload, 160)?);
    Ok(name)
}

/// What `xfrm_usersa_info` holds.
struct Info {
    spi: u32,
    protocol: u8,
    source: IpAddr,
    destination: IpAddr,
    bytes: u64,
    packets: u64,
    added: u64,
    reqid: u32,
}

impl Info {
    fn parse(bytes: &[u8]) -> io::Result<Self> {
        let family = u16::from_ne_bytes(field(bytes, 212)?);
        // The structure ends in padding that must be there too.
        let _: [u8; 8] = field(bytes, SA_INFO - 8)?;
        Ok(Self {
            destination: address(bytes, 56, family)?,
            spi: u32::from_be_bytes(field(bytes, 72)?),
            protocol: field::<1>(bytes, 76)?[0],
            source: address(bytes, 80, family)?,
            bytes: u64::from_ne_bytes(field(bytes, 160)?),
            packets: u64::from_ne_bytes(field(bytes, 168)?),
            added: u64::from_ne_bytes(field(bytes, 176)?),
            reqid: u32::from_ne_bytes(field(bytes, 208)?),
        })
    }
}

fn address(bytes: &[u8], at: usize, family: u16) -> io::Result<IpAddr> {
    Ok(if family == IPV4 {
        Ipv4Addr::from(field::<4>(bytes, at)?).into()
    } else {
        Ipv6Addr::from(field::<16>(bytes, at)?).into()
    })
}

fn classify(info: &Info, attributes: &[(u16, &[u8])]) -> io::Result<Entry> {
    if info.source.is_unspecified() && info.destination.is_unspecified() {
        return Ok(Entry::Trial);
    }
    let encryption = find(attributes, ATTRIBUTE_ENCRYPTION).map(Algorithm::plain).transpose()?;
    let aead = find(attributes, ATTRIBUTE_AEAD).map(Algorithm::truncated).transpose()?;
    // The kernel tells an HMAC twice, but only this attribute has the length of what is sent.
    let integrity = match find(attributes, ATTRIBUTE_AUTHENTICATION_TRUNCATED) {
        Some(value) => Some(Algorithm::truncated(value)?),
        None => find(attributes, ATTRIBUTE_AUTHENTICATION).map(Algorithm::plain).transpose()?,
    };
    if info.protocol == ESP && encryption.is_none() && aead.is_none() && integrity.is_none() {
        return Ok(Entry::Larval);
    }
    let typed =
        (encryption.as_ref().and_then(Algorithm::encryption), integrity.as_ref().and_then(Algorithm::integrity));
    if let (IpAddr::V4(source), IpAddr::V4(destination), ESP, None) =
        (info.source, info.destination, info.protocol, &aead)
        && let (Some((cipher, cipher_key)), Some((hash, hash_key))) = typed
    {
        return Ok(Entry::Esp(Sa {
            spi: info.spi,
            source,
            destination,
            encryption: cipher,
            integrity: hash,
            keys: Keys { encryption: cipher_key.to_vec(), integrity: hash_key.to_vec() },
            reqid: info.reqid,
            bytes: info.bytes,
            packets: info.packets,
            added: info.added,
            encapsulated: find(attributes, ATTRIBUTE_ENCAPSULATION).is_some(),
        }));
    }
    let names: Vec<String> = [encryption, aead, integrity].iter().flatten().map(Algorithm::describe).collect();
    let protocol = match info.protocol {
        ESP => "ESP".into(),
        51 => "AH".into(),
        108 => "IPComp".into(),
        number => format!("protocol {number}"),
    };
    let Info { spi, source, destination, .. } = info;
    Ok(Entry::Other(format!("{protocol} SA 0x{spi:08x} from {source} to {destination}: {}", names.join(", "))))
}

/// `xfrm_algo`, or `xfrm_algo_auth` and `xfrm_algo_aead`, which tell the length of the check value too.
struct Algorithm<'a> {
    name: String,
    key: &'a [u8],
    check_bits: Option<u32>,
}

impl<'a> Algorithm<'a> {
    fn plain(value: &'a [u8]) -> io::Result<Self> {
        Self::parse(value, None, 68)
    }

    fn truncated(value: &'a [u8]) -> io::Result<Self> {
        Self::parse(value, Some(u32::from_ne_bytes(field(value, 68)?)), 72)
    }

    fn parse(value: &'a [u8], check_bits: Option<u32>, key: usize) -> io::Result<Self> {
        let name: [u8; 64] = field(value, 0)?;
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let bits = u32::from_ne_bytes(field(value, 64)?) as usize;
        let key = value.get(key..key + bits.div_ceil(8)).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the kernel sent {} bytes for a key of {bits} bits", value.len()),
            )
        })?;
        Ok(Self { name: String::from_utf8_lossy(name).into_owned(), key, check_bits })
    }

    fn encryption(&self) -> Option<(Encryption, &'a [u8])> {
        let known = match self.name.as_str() {
            "cbc(des3_ede)" => Encryption::ALL.iter().find(|e| **e == Encryption::TripleDes),
            "cbc(aes)" => {
                Encryption::ALL.iter().find(|e| **e != Encryption::TripleDes && e.key_len() == self.key.len())
            }
            _ => None,
        };
        known.filter(|e| e.key_len() == self.key.len()).map(|e| (*e, self.key))
    }

    /// A hash of a policy, if as much is sent as its RFC says, and the key is as long as the digest.
    fn integrity(&self) -> Option<(Hash, &'a [u8])> {
        let known = Hash::ALL.into_iter().find(|hash| hmac(*hash) == self.name)?;
        let fits = self.check_bits == Some(check_bits(known)) && known.digest_len() == self.key.len();
        fits.then_some((known, self.key))
    }

    fn describe(&self) -> String {
        let check = self.check_bits.map(|bits| format!(" and a check value of {bits} bits")).unwrap_or_default();
        format!("{} with a key of {} bits{check}", self.name, 8 * self.key.len())
    }
}

/// A policy, if it has IPv4 selectors, an ESP template, and is for packets that come, go or pass.
pub(super) fn policy(payload: &[u8]) -> io::Result<Option<Policy>> {
    let [direction, action] = field(payload, 160)?;
    let direction = match direction {
        0 => Direction::In,
        1 => Direction::Out,
        2 => Direction::Forward,
        _ => return Ok(None),
    };
    let attributes = attributes(payload.get(POLICY_INFO..).unwrap_or_default())?;
    let mut templates = find(&attributes, ATTRIBUTE_TEMPLATE).unwrap_or_default().chunks_exact(64);
    let esp = templates.find(|template| template[20] == ESP && template[24..26] == IPV4.to_ne_bytes());
    let (Some(template), IPV4) = (esp, u16::from_ne_bytes(field(payload, 40)?)) else {
        return Ok(None);
    };
    let [to, from] = field(payload, 42)?;
    Ok(Some(Policy {
        direction,
        source: network(field(payload, 16)?, from)?,
        destination: network(field(payload, 0)?, to)?,
        priority: u32::from_ne_bytes(field(payload, 152)?),
        allows: action == 0,
        reqid: u32::from_ne_bytes(field(template, 44)?),
        tunnel_source: Ipv4Addr::from(field::<4>(template, 28)?),
        tunnel_destination: Ipv4Addr::from(field::<4>(template, 0)?),
    }))
}

fn network(address: [u8; 4], prefix: u8) -> io::Result<Ipv4Net> {
    Ipv4Net::new(address.into(), prefix).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}

fn find<'a>(attributes: &[(u16, &'a [u8])], kind: u16) -> Option<&'a [u8]> {
    attributes.iter().find(|(found, _)| *found == kind).map(|(_, value)| *value)
}
