//! The SA payload of IKEv2, which chooses from several kinds of transforms apart (RFC 7296 section 3.3; the numbers
//! are of IANA's registry "Internet Key Exchange Version 2 (IKEv2) Parameters").

use policy::{Encryption, Group, Hash};

use super::{Payloads, payload, vendor_name};
use crate::{
    Error, Result,
    audit::{ChosenTransform, PayloadShown},
    error::{array, part},
};

/// One proposal of an SA payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    transforms: Vec<Transform>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Transform {
    kind: u8,
    id: u16,
    key_bits: Option<u16>,
}

const ENCRYPTION: u8 = 1;
const PSEUDO_RANDOM: u8 = 2;
const INTEGRITY: u8 = 3;
const GROUP: u8 = 4;
/// Key length, with its value in place.
const KEY_LENGTH: u16 = 0x800e;

impl Proposal {
    /// The proposals of an SA payload: many of an offer, one of an answer.
    pub fn all(body: &[u8]) -> Result<Vec<Self>> {
        let proposals = Payloads { next: payload::PROPOSAL, rest: body };
        proposals.map(|found| Self::parse(of_kind(payload::PROPOSAL, found)?)).collect()
    }

    fn parse(body: &[u8]) -> Result<Self> {
        let what = "an IKEv2 proposal";
        let [_number, _protocol, spi_len, count] = array(what, body, 0)?;
        let begin = 4 + usize::from(spi_len);
        let transforms = Payloads { next: payload::TRANSFORM, rest: part(what, body, begin..body.len().max(begin))? };
        let transforms: Vec<_> =
            transforms.map(|found| Transform::parse(of_kind(payload::TRANSFORM, found)?)).collect::<Result<_>>()?;
        if transforms.len() != usize::from(count) {
            let expected = "as many transforms as follow";
            return Err(Error::Field { what, field: "transform count", found: count.into(), expected });
        }
        Ok(Self { transforms })
    }

    /// Whether it leaves nothing open: one transform of each kind that an IKE SA has.
    pub fn is_a_choice(&self) -> bool {
        let of = |kind| self.transforms.iter().filter(|transform| transform.kind == kind).count();
        [ENCRYPTION, PSEUDO_RANDOM, INTEGRITY, GROUP].map(of) == [1; 4]
    }

    /// What a policy names of it. Authentication and lifetimes are no part of it: the one is told in IKE_AUTH, which
    /// is encrypted, and the other is not negotiated (sections 2.8 and 2.15).
    pub fn chosen(&self) -> ChosenTransform {
        let first = |kind| self.transforms.iter().find(|transform| transform.kind == kind);
        let integrity = first(INTEGRITY).and_then(|transform| transform.integrity());
        // A policy has one word for both.
        let same = first(PSEUDO_RANDOM).and_then(|transform| transform.pseudo_random()) == integrity;
        ChosenTransform {
            encryption: first(ENCRYPTION).and_then(|transform| transform.encryption()),
            hash: integrity.filter(|_| same),
            group: first(GROUP).and_then(|transform| transform.group()),
            pre_shared_key: false,
            lifetime_seconds: None,
            text: self.transforms.iter().map(Transform::text).collect::<Vec<_>>().join(", "),
        }
    }
}

impl Transform {
    fn parse(body: &[u8]) -> Result<Self> {
        let what = "an IKEv2 transform";
        let [kind, _, id0, id1] = array(what, body, 0)?;
        let mut key_bits = None;
        let mut rest = &body[4..];
        while !rest.is_empty() {
            let [k0, k1, v0, v1] = array(what, rest, 0)?;
            let (attribute, value) = (u16::from_be_bytes([k0, k1]), u16::from_be_bytes([v0, v1]));
            if attribute == KEY_LENGTH {
                key_bits = Some(value);
            }
            // The first bit tells a value in place from a length.
            let end = if attribute & 0x8000 != 0 { 4 } else { 4 + usize::from(value) };
            rest = &rest[part(what, rest, 0..end)?.len()..];
        }
        Ok(Self { kind, id: u16::from_be_bytes([id0, id1]), key_bits })
    }

    fn encryption(&self) -> Option<Encryption> {
        match (self.id, self.key_bits) {
            (3, None) => Some(Encryption::TripleDes),
            (12, Some(128)) => Some(Encryption::Aes128),
            (12, Some(192)) => Some(Encryption::Aes192),
            (12, Some(256)) => Some(Encryption::Aes256),
            _ => None,
        }
    }

    fn pseudo_random(&self) -> Option<Hash> {
        match self.id {
            1 => Some(Hash::Md5),
            2 => Some(Hash::Sha1),
            5 => Some(Hash::Sha256),
            6 => Some(Hash::Sha384),
            7 => Some(Hash::Sha512),
            _ => None,
        }
    }

    fn integrity(&self) -> Option<Hash> {
        match self.id {
            1 => Some(Hash::Md5),
            2 => Some(Hash::Sha1),
            12 => Some(Hash::Sha256),
            13 => Some(Hash::Sha384),
            14 => Some(Hash::Sha512),
            _ => None,
        }
    }

    fn group(&self) -> Option<Group> {
        Group::ALL.into_iter().find(|group| group.id() == self.id)
    }

    fn text(&self) -> String {
        let Self { kind, id, key_bits } = *self;
        let hash = |hash: Hash| match hash {
            Hash::Md5 => "MD5",
            Hash::Sha1 => "SHA-1",
            Hash::Sha256 => "SHA2-256",
            Hash::Sha384 => "SHA2-384",
            Hash::Sha512 => "SHA2-512",
        };
        match kind {
            ENCRYPTION => {
                let name = match id {
                    3 => "3DES-CBC".to_owned(),
                    12 => "AES-CBC".to_owned(),
                    20 => "AES-GCM with 16 bytes".to_owned(),
                    other => format!("encryption {other}"),
                };
                key_bits.map_or(name.clone(), |bits| format!("{name}, key length {bits}"))
            }
            PSEUDO_RANDOM => self
                .pseudo_random()
                .map_or_else(|| format!("pseudo-random function {id}"), |known| format!("PRF-HMAC-{}", hash(known))),
            INTEGRITY => self.integrity().map_or_else(
                || format!("integrity {id}"),
                |known| format!("HMAC-{}-{}", hash(known), 8 * known.icv_len()),
            ),
            GROUP => {
                self.group().map_or_else(|| format!("group {id}"), |known| format!("MODP {}", 8 * known.public_len()))
            }
            other => format!("transform {id} of kind {other}"),
        }
    }
}

/// A payload in words; those that are encrypted, or of no interest before they are, by their length.
pub(super) fn shown(kind: u8, body: &[u8]) -> PayloadShown {
    let details = match kind {
        payload::SECURITY_ASSOCIATION_2 => match Proposal::all(body) {
            Ok(proposals) => proposals.iter().map(|proposal| proposal.chosen().text).collect(),
            Err(e) => vec![e.to_string()],
        },
        payload::KEY_EXCHANGE_2 => vec![match *body {
            [g0, g1, ..] => {
                let id = u16::from_be_bytes([g0, g1]);
                let group = Group::ALL.into_iter().find(|group| group.id() == id);
                group.map_or_else(|| format!("group {id}"), |group| group.to_string())
            }
            _ => "cut off".to_owned(),
        }],
        payload::NOTIFICATION_2 => vec![match *body {
            [_, _, k0, k1, ..] => notification(u16::from_be_bytes([k0, k1])),
            _ => "cut off".to_owned(),
        }],
        payload::VENDOR_ID_2 => vec![vendor_name(body)],
        _ => {
            let mut details = vec![format!("{} bytes", body.len())];
            if payload::name(kind) == payload::UNNAMED {
                details.insert(0, format!("type {kind}"));
            }
            details
        }
    };
    PayloadShown { name: payload::name(kind).to_owned(), details }
}

/// Types of notifications that are in clear (RFC 7296 section 3.10.1, and the RFCs that registered the others).
fn notification(kind: u16) -> String {
    let name = match kind {
        1 => "UNSUPPORTED_CRITICAL_PAYLOAD",
        4 => "INVALID_IKE_SPI",
        5 => "INVALID_MAJOR_VERSION",
        7 => "INVALID_SYNTAX",
        9 => "INVALID_MESSAGE_ID",
        11 => "INVALID_SPI",
        14 => "NO_PROPOSAL_CHOSEN",
        17 => "INVALID_KE_PAYLOAD",
        24 => "AUTHENTICATION_FAILED",
        16388 => "NAT_DETECTION_SOURCE_IP",
        16389 => "NAT_DETECTION_DESTINATION_IP",
        16390 => "COOKIE",
        16404 => "MULTIPLE_AUTH_SUPPORTED",
        16406 => "REDIRECT_SUPPORTED",
        16418 => "CHILDLESS_IKEV2_SUPPORTED",
        16430 => "IKEV2_FRAGMENTATION_SUPPORTED",
        16431 => "SIGNATURE_HASH_ALGORITHMS",
        other => return format!("notification {other}"),
    };
    name.to_owned()
}

fn of_kind(expected: u8, found: Result<super::Payload<'_>>) -> Result<&[u8]> {
    let found = found?;
    if found.kind == expected {
        return Ok(found.body);
    }
    let expected = if expected == payload::PROPOSAL { "2, a proposal, or 0" } else { "3, a transform, or 0" };
    Err(Error::Field { what: "an IKEv2 SA payload", field: "next payload", found: found.kind.into(), expected })
}
