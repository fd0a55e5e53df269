//! One payload of either version, with what is in it: from bytes, to bytes, and in words.

use super::{
    Delete, Fragment, Identification, Notification, SecurityAssociation, Transform, ikev2, offer::protocol, payload,
    vendor_name,
};
use crate::{Result, audit::PayloadShown, hex};

/// A payload behind its generic header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    SecurityAssociation(SecurityAssociation),
    /// The sender's public value of the key exchange.
    KeyExchange(Vec<u8>),
    Nonce(Vec<u8>),
    Identification(Identification),
    Hash(Vec<u8>),
    Notification(Notification),
    Delete(Delete),
    VendorId(Vec<u8>),
    /// A digest of an address and a port (RFC 3947 section 3.2); `kind` tells the standard from its drafts.
    NatDetection {
        kind: u8,
        digest: Vec<u8>,
    },
    /// The address before translation (RFC 3947 section 5.2), which only transport mode has.
    NatOriginalAddress {
        kind: u8,
        body: Vec<u8>,
    },
    Fragment(Fragment),
    /// Of version 2 (RFC 7296 section 3.2), in clear.
    Version2 {
        kind: u8,
        body: Vec<u8>,
    },
    Other {
        kind: u8,
        body: Vec<u8>,
    },
}

impl Body {
    /// A payload of version 1.
    pub fn parse(kind: u8, body: &[u8]) -> Result<Self> {
        let owned = || body.to_vec();
        Ok(match kind {
            payload::SECURITY_ASSOCIATION => Self::SecurityAssociation(SecurityAssociation::parse(body)?),
            payload::KEY_EXCHANGE => Self::KeyExchange(owned()),
            payload::NONCE => Self::Nonce(owned()),
            payload::IDENTIFICATION => Self::Identification(Identification::parse(body)?),
            payload::HASH => Self::Hash(owned()),
            payload::NOTIFICATION => Self::Notification(Notification::parse(body)?),
            payload::DELETE => Self::Delete(Delete::parse(body)?),
            payload::VENDOR_ID => Self::VendorId(owned()),
            payload::NAT_D | payload::NAT_D_DRAFT => Self::NatDetection { kind, digest: owned() },
            payload::NAT_OA | payload::NAT_OA_DRAFT => Self::NatOriginalAddress { kind, body: owned() },
            payload::FRAGMENT => Self::Fragment(Fragment::parse(body)?),
            _ => Self::Other { kind, body: owned() },
        })
    }

    /// A payload of version 2, which is looked into only to be told in words.
    pub fn of_version_2(kind: u8, body: &[u8]) -> Self {
        Self::Version2 { kind, body: body.to_vec() }
    }

    pub fn kind(&self) -> u8 {
        match self {
            Self::SecurityAssociation(_) => payload::SECURITY_ASSOCIATION,
            Self::KeyExchange(_) => payload::KEY_EXCHANGE,
            Self::Nonce(_) => payload::NONCE,
            Self::Identification(_) => payload::IDENTIFICATION,
            Self::Hash(_) => payload::HASH,
            Self::Notification(_) => payload::NOTIFICATION,
            Self::Delete(_) => payload::DELETE,
            Self::VendorId(_) => payload::VENDOR_ID,
            Self::Fragment(_) => payload::FRAGMENT,
            Self::NatDetection { kind, .. }
            | Self::NatOriginalAddress { kind, .. }
            | Self::Version2 { kind, .. }
            | Self::Other { kind, .. } => *kind,
        }
    }

    /// Without its generic header.
    pub fn emit(&self) -> Vec<u8> {
        match self {
            Self::SecurityAssociation(sa) => sa.emit(),
            Self::Identification(identification) => identification.emit(),
            Self::Notification(notification) => notification.emit(),
            Self::Delete(delete) => delete.emit(),
            Self::Fragment(fragment) => fragment.emit(),
            Self::KeyExchange(body) | Self::Nonce(body) | Self::Hash(body) | Self::VendorId(body) => body.clone(),
            Self::NatDetection { digest: body, .. }
            | Self::NatOriginalAddress { body, .. }
            | Self::Version2 { body, .. }
            | Self::Other { body, .. } => body.clone(),
        }
    }

    /// The payload for a reader: its short name, and what it says.
    pub fn shown(&self) -> PayloadShown {
        let bytes = |body: &[u8]| vec![format!("{} bytes", body.len())];
        let (name, details) = match self {
            Self::SecurityAssociation(sa) => ("SA", sa.details()),
            Self::KeyExchange(public) => ("KE", vec![key_exchange(public.len())]),
            Self::Nonce(nonce) => ("NONCE", bytes(nonce)),
            Self::Identification(identification) => ("ID", vec![identification.to_string()]),
            Self::Hash(hash) => ("HASH", bytes(hash)),
            Self::Notification(notification) => ("N", notification.details()),
            Self::Delete(delete) => ("D", delete.details()),
            Self::VendorId(id) => ("VID", vec![vendor_name(id)]),
            Self::NatDetection { .. } => ("NAT-D", Vec::new()),
            Self::NatOriginalAddress { body, .. } => ("NAT-OA", original_address(body)),
            Self::Fragment(Fragment { number, last, data, .. }) => {
                let end = if *last { ", the last" } else { "" };
                ("FRAG", vec![format!("piece {number}{end}: {} bytes", data.len())])
            }
            Self::Version2 { kind, body } => return ikev2::shown(*kind, body),
            Self::Other { kind, body } => (payload::name(*kind), {
                let mut details = bytes(body);
                if payload::name(*kind) == payload::UNNAMED {
                    details.insert(0, format!("type {kind}"));
                }
                details
            }),
        };
        PayloadShown { name: name.to_owned(), details }
    }
}

impl SecurityAssociation {
    fn details(&self) -> Vec<String> {
        let mut details = Vec::new();
        for proposal in &self.proposals {
            for transform in &proposal.transforms {
                details.push(match proposal.protocol {
                    protocol::ISAKMP => transform.phase_1().text,
                    protocol::ESP => format!("{}, SPI 0x{}", transform.phase_2().text, hex::encode(&proposal.spi)),
                    other => format!("protocol {other}: {}", Transform::phase_2_text(transform)),
                });
            }
        }
        details
    }
}

/// The group tells itself by the length of what is sent.
fn key_exchange(length: usize) -> String {
    let group = policy::Group::ALL.into_iter().find(|group| group.public_len() == length);
    group.map_or_else(|| format!("{length} bytes"), |group| format!("{group}, {length} bytes"))
}

fn original_address(body: &[u8]) -> Vec<String> {
    match Identification::parse(body) {
        Ok(identification) => vec![identification.to_string()],
        Err(_) => vec![format!("0x{}", hex::encode(body))],
    }
}
