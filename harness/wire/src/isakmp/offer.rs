//! The SA payload: proposals, transforms and their attributes (RFC 2408 sections 3.4 to 3.6,
//! RFC 2409 appendix A, RFC 2407 section 4.5, RFC 4868 section 4).

use policy::{Encryption, Group, Hash};

use super::{Payloads, payload};
use crate::{
    Error, Result,
    audit::{ChosenChild, ChosenTransform},
    error::array,
    error::part,
    hex,
};

pub mod protocol {
    //! Protocols of a proposal (RFC 2407 section 4.4.1).

    pub const ISAKMP: u8 = 1;
    pub const AH: u8 = 2;
    pub const ESP: u8 = 3;
}

/// An offer of the initiator, or the answer of the responder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityAssociation {
    /// 1 for IPsec.
    pub doi: u32,
    pub situation: u32,
    pub proposals: Vec<Proposal>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    pub number: u8,
    pub protocol: u8,
    pub spi: Vec<u8>,
    pub transforms: Vec<Transform>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transform {
    pub number: u8,
    /// 1 (KEY_IKE) in phase 1; the cipher in an ESP proposal (RFC 2407 section 4.4.4).
    pub id: u8,
    pub attributes: Vec<Attribute>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    pub kind: u16,
    pub value: Value,
}

/// An attribute's value, in the two forms of RFC 2408 section 3.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Short(u16),
    Long(Vec<u8>),
}

impl Value {
    /// As a number, if it fits 64 bits.
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Short(value) => Some((*value).into()),
            Self::Long(bytes) if bytes.len() <= 8 => {
                Some(bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
            }
            Self::Long(_) => None,
        }
    }
}

impl SecurityAssociation {
    pub fn parse(body: &[u8]) -> Result<Self> {
        let what = "an ISAKMP SA payload";
        let proposals = Payloads { next: payload::PROPOSAL, rest: part(what, body, 8..body.len().max(8))? };
        Ok(Self {
            doi: u32::from_be_bytes(array(what, body, 0)?),
            situation: u32::from_be_bytes(array(what, body, 4)?),
            proposals: proposals
                .map(|found| Proposal::parse(of_kind(payload::PROPOSAL, found)?))
                .collect::<Result<_>>()?,
        })
    }

    pub(super) fn emit(&self) -> Vec<u8> {
        let mut body = [self.doi.to_be_bytes(), self.situation.to_be_bytes()].concat();
        let proposals: Vec<_> = self.proposals.iter().map(Proposal::emit).collect();
        chain(&mut body, payload::PROPOSAL, &proposals);
        body
    }

    /// All transforms, of whatever proposal.
    pub fn transforms(&self) -> impl Iterator<Item = &Transform> {
        self.proposals.iter().flat_map(|proposal| &proposal.transforms)
    }
}

/// Payloads of one type behind each other, the last of which says that none follows.
fn chain(out: &mut Vec<u8>, kind: u8, bodies: &[Vec<u8>]) {
    for (i, body) in bodies.iter().enumerate() {
        let next = if i + 1 < bodies.len() { kind } else { payload::NONE };
        out.extend([next, 0]);
        out.extend((body.len() as u16 + 4).to_be_bytes());
        out.extend(body);
    }
}

impl Proposal {
    fn emit(&self) -> Vec<u8> {
        let mut body = vec![self.number, self.protocol, self.spi.len() as u8, self.transforms.len() as u8];
        body.extend(&self.spi);
        let transforms: Vec<_> = self.transforms.iter().map(Transform::emit).collect();
        chain(&mut body, payload::TRANSFORM, &transforms);
        body
    }

    fn parse(body: &[u8]) -> Result<Self> {
        let what = "an ISAKMP proposal";
        let [number, protocol, spi_len, count] = array(what, body, 0)?;
        let end = 4 + usize::from(spi_len);
        let transforms = Payloads { next: payload::TRANSFORM, rest: part(what, body, end..body.len().max(end))? };
        let transforms: Vec<_> =
            transforms.map(|found| Transform::parse(of_kind(payload::TRANSFORM, found)?)).collect::<Result<_>>()?;
        if transforms.len() != usize::from(count) {
            let expected = "as many transforms as follow";
            return Err(Error::Field { what, field: "transform count", found: count.into(), expected });
        }
        Ok(Self { number, protocol, spi: part(what, body, 4..end)?.to_vec(), transforms })
    }
}

impl Transform {
    fn parse(body: &[u8]) -> Result<Self> {
        let what = "an ISAKMP transform";
        let [number, id, _, _] = array(what, body, 0)?;
        let mut attributes = Vec::new();
        let mut rest = &body[4..];
        while !rest.is_empty() {
            let [k0, k1, v0, v1] = array(what, rest, 0)?;
            let (kind, value) = (u16::from_be_bytes([k0, k1]), u16::from_be_bytes([v0, v1]));
            rest = &rest[4..];
            // The first bit tells a value in place from a length.
            let value = if kind & 0x8000 != 0 {
                Value::Short(value)
            } else {
                let long = part(what, rest, 0..value.into())?;
                rest = &rest[long.len()..];
                Value::Long(long.to_vec())
            };
            attributes.push(Attribute { kind: kind & 0x7fff, value });
        }
        Ok(Self { number, id, attributes })
    }

    fn emit(&self) -> Vec<u8> {
        let mut body = vec![self.number, self.id, 0, 0];
        for Attribute { kind, value } in &self.attributes {
            match value {
                Value::Short(value) => {
                    body.extend((kind | 0x8000).to_be_bytes());
                    body.extend(value.to_be_bytes());
                }
                Value::Long(value) => {
                    body.extend(kind.to_be_bytes());
                    body.extend((value.len() as u16).to_be_bytes());
                    body.extend(value);
                }
            }
        }
        body
    }

    fn number(&self, kind: u16) -> Option<u64> {
        self.attributes.iter().find(|attribute| attribute.kind == kind)?.value.number()
    }

    /// The phase 1 meaning of the attributes (RFC 2409 appendix A, RFC 3602 section 5.3; SHA-2 and the groups of
    /// RFC 3526 have their numbers from IANA's registry "Internet Key Exchange (IKE) Attributes").
    pub fn phase_1(&self) -> ChosenTransform {
        let encryption = match (self.number(1), self.number(14)) {
            (Some(5), _) => Some(Encryption::TripleDes),
            // Without a key length, AES has 128 bits (RFC 3602 section 5.3).
            (Some(7), None | Some(128)) => Some(Encryption::Aes128),
            (Some(7), Some(192)) => Some(Encryption::Aes192),
            (Some(7), Some(256)) => Some(Encryption::Aes256),
            _ => None,
        };
        let hash = match self.number(2) {
            Some(1) => Some(Hash::Md5),
            Some(2) => Some(Hash::Sha1),
            Some(4) => Some(Hash::Sha256),
            Some(5) => Some(Hash::Sha384),
            Some(6) => Some(Hash::Sha512),
            _ => None,
        };
        let group = self.number(4).and_then(|id| Group::ALL.into_iter().find(|group| u64::from(group.id()) == id));
        // A duration is in the unit of the life type before it.
        let seconds = self
            .attributes
            .windows(2)
            .find(|pair| pair[0].kind == 11 && pair[0].value.number() == Some(1) && pair[1].kind == 12);
        ChosenTransform {
            encryption,
            hash,
            group,
            pre_shared_key: self.number(3) == Some(1),
            lifetime_seconds: seconds.and_then(|pair| pair[1].value.number()),
            text: self.attributes.iter().map(phase_1_text).collect::<Vec<_>>().join(", "),
        }
    }

    /// The phase 2 meaning of an ESP transform (RFC 2407 sections 4.4.4 and 4.5, RFC 3602 section 5.3).
    pub fn phase_2(&self) -> ChosenChild {
        let encryption = match (self.id, self.number(6)) {
            (3, _) => Some(Encryption::TripleDes),
            (12, None | Some(128)) => Some(Encryption::Aes128),
            (12, Some(192)) => Some(Encryption::Aes192),
            (12, Some(256)) => Some(Encryption::Aes256),
            _ => None,
        };
        let integrity = match self.number(5) {
            Some(1) => Some(Hash::Md5),
            Some(2) => Some(Hash::Sha1),
            Some(5) => Some(Hash::Sha256),
            Some(6) => Some(Hash::Sha384),
            Some(7) => Some(Hash::Sha512),
            _ => None,
        };
        // A duration is in the unit of the life type before it.
        let duration = |unit| {
            let of_unit =
                |pair: &&[Attribute]| pair[0].kind == 1 && pair[0].value.number() == Some(unit) && pair[1].kind == 2;
            self.attributes.windows(2).find(of_unit).and_then(|pair| pair[1].value.number())
        };
        let cipher = match self.id {
            3 => "3DES-CBC".to_owned(),
            12 => "AES-CBC".to_owned(),
            other => format!("cipher {other}"),
        };
        ChosenChild {
            encryption,
            integrity,
            group: self.number(3).and_then(|id| Group::ALL.into_iter().find(|group| u64::from(group.id()) == id)),
            lifetime_seconds: duration(1),
            lifetime_kilobytes: duration(2),
            text: format!("{cipher}, {}", self.phase_2_text()),
        }
    }

    /// The attributes of an IPsec transform in words (RFC 2407 section 4.5).
    pub fn phase_2_text(&self) -> String {
        self.attributes.iter().map(phase_2_text).collect::<Vec<_>>().join(", ")
    }
}

fn of_kind(expected: u8, found: Result<super::Payload<'_>>) -> Result<&[u8]> {
    let found = found?;
    if found.kind == expected {
        return Ok(found.body);
    }
    let expected = if expected == payload::PROPOSAL { "2, a proposal, or 0" } else { "3, a transform, or 0" };
    Err(Error::Field { what: "an ISAKMP SA payload", field: "next payload", found: found.kind.into(), expected })
}

fn phase_1_text(attribute: &Attribute) -> String {
    let name = match (attribute.kind, attribute.value.number()) {
        (1, Some(1)) => "DES-CBC",
        (1, Some(3)) => "Blowfish-CBC",
        (1, Some(5)) => "3DES-CBC",
        (1, Some(6)) => "CAST-CBC",
        (1, Some(7)) => "AES-CBC",
        (1, _) => return unnamed("encryption", attribute),
        (2, Some(1)) => "MD5",
        (2, Some(2)) => "SHA-1",
        (2, Some(4)) => "SHA2-256",
        (2, Some(5)) => "SHA2-384",
        (2, Some(6)) => "SHA2-512",
        (2, _) => return unnamed("hash", attribute),
        (3, Some(1)) => "pre-shared key",
        (3, Some(2)) => "DSS signatures",
        (3, Some(3)) => "RSA signatures",
        (3, Some(4)) => "RSA encryption",
        (3, Some(5)) => "revised RSA encryption",
        (3, Some(65001)) => "pre-shared key with XAUTH",
        (3, _) => return unnamed("authentication", attribute),
        (4, Some(1)) => "MODP 768",
        (4, Some(2)) => "MODP 1024",
        (4, Some(5)) => "MODP 1536",
        (4, Some(14)) => "MODP 2048",
        (4, Some(15)) => "MODP 3072",
        (4, Some(16)) => "MODP 4096",
        (4, Some(17)) => "MODP 6144",
        (4, Some(18)) => "MODP 8192",
        (4, _) => return unnamed("group", attribute),
        (11, kind) => return life_type(kind, attribute),
        (12, _) => return unnamed("lifetime", attribute),
        (13, _) => return unnamed("pseudo-random function", attribute),
        (14, _) => return unnamed("key length", attribute),
        _ => return unnamed(&format!("attribute {}", attribute.kind), attribute),
    };
    name.to_owned()
}

fn phase_2_text(attribute: &Attribute) -> String {
    let name = match (attribute.kind, attribute.value.number()) {
        (1, kind) => return life_type(kind, attribute),
        (2, _) => return unnamed("lifetime", attribute),
        (3, Some(2)) => "PFS with MODP 1024",
        (3, Some(5)) => "PFS with MODP 1536",
        (3, Some(14)) => "PFS with MODP 2048",
        (3, Some(15)) => "PFS with MODP 3072",
        (3, Some(16)) => "PFS with MODP 4096",
        (3, Some(17)) => "PFS with MODP 6144",
        (3, Some(18)) => "PFS with MODP 8192",
        (3, _) => return unnamed("PFS with group", attribute),
        (4, Some(1)) => "tunnel",
        (4, Some(2)) => "transport",
        (4, Some(3 | 61443)) => "tunnel in UDP",
        (4, Some(4 | 61444)) => "transport in UDP",
        (4, _) => return unnamed("encapsulation", attribute),
        (5, Some(1)) => "HMAC-MD5",
        (5, Some(2)) => "HMAC-SHA-1",
        (5, Some(5)) => "HMAC-SHA2-256",
        (5, Some(6)) => "HMAC-SHA2-384",
        (5, Some(7)) => "HMAC-SHA2-512",
        (5, _) => return unnamed("authentication", attribute),
        (6, _) => return unnamed("key length", attribute),
        _ => return unnamed(&format!("attribute {}", attribute.kind), attribute),
    };
    name.to_owned()
}

fn life_type(kind: Option<u64>, attribute: &Attribute) -> String {
    match kind {
        Some(1) => "lifetime in seconds".to_owned(),
        Some(2) => "lifetime in kilobytes".to_owned(),
        _ => unnamed("life type", attribute),
    }
}

fn unnamed(name: &str, attribute: &Attribute) -> String {
    match (&attribute.value, attribute.value.number()) {
        (_, Some(number)) => format!("{name} {number}"),
        (Value::Long(bytes), None) => format!("{name} 0x{}", hex::encode(bytes)),
        (Value::Short(number), None) => format!("{name} {number}"),
    }
}
