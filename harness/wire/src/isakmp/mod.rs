//! Both versions of IKE: the header, which they share, and the payload chain (RFC 2408, RFC 7296 section 3). Of version
//! 1 also what is encrypted, where there are keys to it ([`Sessions`]); of version 2 what is in clear.

mod body;
mod cookies;
mod fragment;
mod identification;
pub mod ikev2;
mod keys;
mod notification;
mod offer;
mod session;
mod vendor;

pub use body::Body;
pub(crate) use cookies::{ByCookies, Cookie, UNKNOWN};
pub use fragment::{Fragment, Fragments, Incomplete, Piece};
pub use identification::{Identification, kind as identity};
pub use notification::{Delete, Notification, kind as notification_kind};
pub use offer::{Attribute, Proposal, SecurityAssociation, Transform, Value, protocol};
pub use session::{Seen, Sessions};
pub use vendor::vendor_name;

use crate::{
    Error, Result,
    error::{array, part},
};

/// The UDP port of ISAKMP (RFC 2408 section 2.5.1).
pub const PORT: u16 = 500;

pub mod exchange {
    //! Exchange types (RFC 2408 section 3.1, RFC 2409 appendix A).

    pub const MAIN_MODE: u8 = 2;
    pub const AGGRESSIVE_MODE: u8 = 4;
    pub const INFORMATIONAL: u8 = 5;
    pub const QUICK_MODE: u8 = 32;
    /// IKEv2 numbers from here on (RFC 7296 section 3.1).
    pub const IKE_SA_INIT: u8 = 34;
    pub const IKE_AUTH: u8 = 35;
    pub const INFORMATIONAL_2: u8 = 37;

    /// The exchange in words.
    pub fn name(number: u8) -> String {
        let name = match number {
            1 => "base",
            MAIN_MODE => "main mode",
            3 => "authentication only",
            AGGRESSIVE_MODE => "aggressive mode",
            INFORMATIONAL => "informational",
            6 => "transaction",
            QUICK_MODE => "quick mode",
            33 => "new group mode",
            IKE_SA_INIT => "IKE_SA_INIT",
            IKE_AUTH => "IKE_AUTH",
            36 => "CREATE_CHILD_SA",
            INFORMATIONAL_2 => "INFORMATIONAL",
            other => return format!("exchange type {other}"),
        };
        name.to_owned()
    }
}

pub mod payload {
    //! Payload types (RFC 2408 section 3.1, RFC 3947 section 3.2), and some of version 2 (RFC 7296 section 3.2).

    pub const NONE: u8 = 0;
    pub const SECURITY_ASSOCIATION: u8 = 1;
    pub const PROPOSAL: u8 = 2;
    pub const TRANSFORM: u8 = 3;
    pub const KEY_EXCHANGE: u8 = 4;
    pub const IDENTIFICATION: u8 = 5;
    pub const HASH: u8 = 8;
    pub const NONCE: u8 = 10;
    pub const NOTIFICATION: u8 = 11;
    pub const DELETE: u8 = 12;
    pub const VENDOR_ID: u8 = 13;
    pub const NAT_D: u8 = 20;
    pub const NAT_OA: u8 = 21;
    /// The numbers of RFC 3947's drafts.
    pub const NAT_D_DRAFT: u8 = 130;
    pub const NAT_OA_DRAFT: u8 = 131;
    /// Cisco's fragmentation of messages, which strongSwan and libreswan know too.
    pub const FRAGMENT: u8 = 132;
    pub const SECURITY_ASSOCIATION_2: u8 = 33;
    pub const KEY_EXCHANGE_2: u8 = 34;
    pub const NOTIFICATION_2: u8 = 41;
    pub const VENDOR_ID_2: u8 = 43;

    pub(super) const UNNAMED: &str = "payload";

    /// The short name of a payload of either version, as RFC 2408, RFC 7296 and Wireshark have it.
    pub(super) fn name(kind: u8) -> &'static str {
        match kind {
            SECURITY_ASSOCIATION | SECURITY_ASSOCIATION_2 => "SA",
            PROPOSAL => "P",
            TRANSFORM => "T",
            KEY_EXCHANGE | KEY_EXCHANGE_2 => "KE",
            IDENTIFICATION => "ID",
            6 | 37 => "CERT",
            7 | 38 => "CR",
            HASH => "HASH",
            9 => "SIG",
            NONCE | 40 => "NONCE",
            NOTIFICATION | NOTIFICATION_2 => "N",
            DELETE | 42 => "D",
            VENDOR_ID | VENDOR_ID_2 => "VID",
            14 => "ATTR",
            NAT_D | NAT_D_DRAFT => "NAT-D",
            NAT_OA | NAT_OA_DRAFT => "NAT-OA",
            FRAGMENT => "FRAG",
            35 => "IDi",
            36 => "IDr",
            39 => "AUTH",
            44 => "TSi",
            45 => "TSr",
            46 => "SK",
            47 => "CP",
            48 => "EAP",
            53 => "SKF",
            _ => UNNAMED,
        }
    }
}

const WHAT: &str = "an ISAKMP message";
const HEADER: usize = 28;
const GENERIC_HEADER: usize = 4;

/// A message with its header read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    pub initiator_cookie: [u8; 8],
    /// Zero in the first message of a negotiation. Version 2 calls both SPIs.
    pub responder_cookie: [u8; 8],
    pub first_payload: u8,
    pub major_version: u8,
    pub exchange: u8,
    pub encrypted: bool,
    /// Of version 2: it answers a request (RFC 7296 section 3.1).
    pub response: bool,
    pub message_id: u32,
    /// As the header says, which comes with it.
    pub length: u32,
    /// The payload chain, encrypted or not.
    pub body: &'a [u8],
}

impl<'a> Message<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let header: [u8; HEADER] = array(WHAT, bytes, 0)?;
        let length = u32::from_be_bytes(array(WHAT, &header, 24)?);
        let end = usize::try_from(length).ok().filter(|&end| end >= HEADER);
        let end = end.ok_or(Error::Field {
            what: WHAT,
            field: "length",
            found: length.into(),
            expected: "at least the 28 bytes of its header",
        })?;
        Ok(Self {
            initiator_cookie: array(WHAT, &header, 0)?,
            responder_cookie: array(WHAT, &header, 8)?,
            first_payload: header[16],
            major_version: header[17] >> 4,
            exchange: header[18],
            encrypted: header[19] & 1 != 0,
            response: header[19] & 0x20 != 0,
            length,
            message_id: u32::from_be_bytes(array(WHAT, &header, 20)?),
            body: part(WHAT, bytes, HEADER..end)?,
        })
    }

    pub fn is_ikev2(&self) -> bool {
        self.major_version == 2
    }

    /// The payloads in their order; none of an encrypted message, which in version 2 are all but the first exchange.
    pub fn payloads(&self) -> Payloads<'a> {
        let clear = match self.is_ikev2() {
            true => self.exchange == exchange::IKE_SA_INIT,
            false => !self.encrypted,
        };
        Payloads::new(if clear { self.first_payload } else { payload::NONE }, self.body)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload<'a> {
    pub kind: u8,
    pub body: &'a [u8],
}

/// A walk along a payload chain, which ends after the first error.
#[derive(Clone, Debug)]
pub struct Payloads<'a> {
    next: u8,
    rest: &'a [u8],
}

impl<'a> Payloads<'a> {
    /// The payloads of a chain that begins with one of this type.
    pub fn new(first: u8, chain: &'a [u8]) -> Self {
        Self { next: first, rest: chain }
    }

    /// What is behind the last payload that was taken.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn step(&mut self) -> Result<Payload<'a>> {
        let what = "an ISAKMP payload";
        let kind = std::mem::replace(&mut self.next, payload::NONE);
        let [next, _reserved, l0, l1]: [u8; GENERIC_HEADER] = array(what, self.rest, 0)?;
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        if length < GENERIC_HEADER {
            return Err(Error::Field { what, field: "length", found: length as u64, expected: "at least 4" });
        }
        let body = part(what, self.rest, GENERIC_HEADER..length)?;
        self.rest = &self.rest[length..];
        self.next = next;
        Ok(Payload { kind, body })
    }
}

impl<'a> Iterator for Payloads<'a> {
    type Item = Result<Payload<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        (self.next != payload::NONE).then(|| self.step())
    }
}

#[cfg(test)]
pub(crate) mod tests;
