//! Notification and delete payloads (RFC 2408 sections 3.14 and 3.15, RFC 2407 section 4.6.3, RFC 3706 section 5.3).

use super::offer::protocol;
use crate::{
    Error, Result,
    error::{array, part},
    hex,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    pub doi: u32,
    pub protocol: u8,
    pub spi: Vec<u8>,
    /// See [`kind`].
    pub kind: u16,
    pub data: Vec<u8>,
}

pub mod kind {
    //! Types of notifications, as far as they are more than a name.

    pub const NO_PROPOSAL_CHOSEN: u16 = 14;
    pub const INVALID_ID_INFORMATION: u16 = 18;
    pub const AUTHENTICATION_FAILED: u16 = 24;
    pub const RESPONDER_LIFETIME: u16 = 24576;
    pub const INITIAL_CONTACT: u16 = 24578;
    /// Dead peer detection (RFC 3706 section 5.4).
    pub const R_U_THERE: u16 = 36136;
    pub const R_U_THERE_ACK: u16 = 36137;
}

/// RFC 2408 section 3.14.1, RFC 2407 section 4.6.3, RFC 3706 section 5.4.
const NAMES: [(u16, &str); 37] = [
    (1, "INVALID-PAYLOAD-TYPE"),
    (2, "DOI-NOT-SUPPORTED"),
    (3, "SITUATION-NOT-SUPPORTED"),
    (4, "INVALID-COOKIE"),
    (5, "INVALID-MAJOR-VERSION"),
    (6, "INVALID-MINOR-VERSION"),
    (7, "INVALID-EXCHANGE-TYPE"),
    (8, "INVALID-FLAGS"),
    (9, "INVALID-MESSAGE-ID"),
    (10, "INVALID-PROTOCOL-ID"),
    (11, "INVALID-SPI"),
    (12, "INVALID-TRANSFORM-ID"),
    (13, "ATTRIBUTES-NOT-SUPPORTED"),
    (kind::NO_PROPOSAL_CHOSEN, "NO-PROPOSAL-CHOSEN"),
    (15, "BAD-PROPOSAL-SYNTAX"),
    (16, "PAYLOAD-MALFORMED"),
    (17, "INVALID-KEY-INFORMATION"),
    (kind::INVALID_ID_INFORMATION, "INVALID-ID-INFORMATION"),
    (19, "INVALID-CERT-ENCODING"),
    (20, "INVALID-CERTIFICATE"),
    (21, "CERT-TYPE-UNSUPPORTED"),
    (22, "INVALID-CERT-AUTHORITY"),
    (23, "INVALID-HASH-INFORMATION"),
    (kind::AUTHENTICATION_FAILED, "AUTHENTICATION-FAILED"),
    (25, "INVALID-SIGNATURE"),
    (26, "ADDRESS-NOTIFICATION"),
    (27, "NOTIFY-SA-LIFETIME"),
    (28, "CERTIFICATE-UNAVAILABLE"),
    (29, "UNSUPPORTED-EXCHANGE-TYPE"),
    (30, "UNEQUAL-PAYLOAD-LENGTHS"),
    (16384, "CONNECTED"),
    (kind::RESPONDER_LIFETIME, "RESPONDER-LIFETIME"),
    (24577, "REPLAY-STATUS"),
    (kind::INITIAL_CONTACT, "INITIAL-CONTACT"),
    (kind::R_U_THERE, "R-U-THERE"),
    (kind::R_U_THERE_ACK, "R-U-THERE-ACK"),
    (40501, "UNITY-LOAD-BALANCE"),
];

impl Notification {
    pub(super) fn parse(body: &[u8]) -> Result<Self> {
        let what = "an ISAKMP notification";
        let [protocol, spi_len, k0, k1] = array(what, body, 4)?;
        let end = 8 + usize::from(spi_len);
        Ok(Self {
            doi: u32::from_be_bytes(array(what, body, 0)?),
            protocol,
            spi: part(what, body, 8..end)?.to_vec(),
            kind: u16::from_be_bytes([k0, k1]),
            data: part(what, body, end..body.len().max(end))?.to_vec(),
        })
    }

    /// An SPI of more than 255 bytes is cut off.
    pub(super) fn emit(&self) -> Vec<u8> {
        let spi = &self.spi[..self.spi.len().min(255)];
        let head = [self.protocol, spi.len() as u8];
        [&self.doi.to_be_bytes()[..], &head, &self.kind.to_be_bytes(), spi, &self.data].concat()
    }

    pub fn name(&self) -> String {
        let known = NAMES.iter().find(|(kind, _)| *kind == self.kind);
        known.map_or_else(|| format!("notification {}", self.kind), |(_, name)| (*name).to_owned())
    }

    /// The type first.
    pub(super) fn details(&self) -> Vec<String> {
        let mut details = vec![self.name()];
        match (self.kind, self.data.as_slice()) {
            (kind::R_U_THERE | kind::R_U_THERE_ACK, &[a, b, c, d]) => {
                details.push(format!("sequence number {}", u32::from_be_bytes([a, b, c, d])));
            }
            (_, []) => {}
            (_, data) => details.push(format!("data 0x{}", hex::encode(data))),
        }
        if self.protocol == protocol::ESP && !self.spi.is_empty() {
            details.push(format!("ESP SPI 0x{}", hex::encode(&self.spi)));
        }
        details
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delete {
    pub doi: u32,
    pub protocol: u8,
    /// All of one length.
    pub spis: Vec<Vec<u8>>,
}

impl Delete {
    pub(super) fn parse(body: &[u8]) -> Result<Self> {
        let what = "an ISAKMP delete payload";
        let [protocol, spi_len, c0, c1] = array(what, body, 4)?;
        let count = usize::from(u16::from_be_bytes([c0, c1]));
        let spis = &body[8..];
        if spi_len == 0 || spis.len() != count * usize::from(spi_len) {
            let expected = "as many SPIs as follow";
            return Err(Error::Field { what, field: "SPI count", found: count as u64, expected });
        }
        let spis = spis.chunks_exact(spi_len.into()).map(<[u8]>::to_vec).collect();
        Ok(Self { doi: u32::from_be_bytes(array(what, body, 0)?), protocol, spis })
    }

    pub(super) fn emit(&self) -> Vec<u8> {
        // The length stands there even where no SPI does; that of an ISAKMP SA's is both cookies (RFC 2408 section 3.15).
        let usual = if self.protocol == protocol::ISAKMP { 16 } else { 4 };
        let spi_len = self.spis.first().map_or(usual, Vec::len) as u8;
        let count = (self.spis.len() as u16).to_be_bytes();
        [&self.doi.to_be_bytes()[..], &[self.protocol, spi_len], &count, &self.spis.concat()].concat()
    }

    pub(super) fn details(&self) -> Vec<String> {
        let name = match self.protocol {
            protocol::ISAKMP => "ISAKMP SA",
            protocol::ESP => "ESP SPI",
            protocol::AH => "AH SPI",
            _ => "SPI of an unknown protocol",
        };
        self.spis.iter().map(|spi| format!("{name} 0x{}", hex::encode(spi))).collect()
    }

    /// The SPIs of ESP SAs that it names.
    pub fn esp_spis(&self) -> impl Iterator<Item = u32> + '_ {
        let esp = self.protocol == protocol::ESP;
        let spi = |spi: &Vec<u8>| Some(u32::from_be_bytes(spi.as_slice().try_into().ok()?));
        self.spis.iter().filter(move |_| esp).filter_map(spi)
    }
}
