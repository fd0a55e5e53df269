//! Lines of `esp_sa` that fit many SAs. Wireshark takes the first that fits a packet, and so does [`sas`].

use std::{collections::BTreeSet, net::Ipv4Addr};

use policy::{Encryption, Hash};

use crate::{audit::SaKeys, esp::Carried, pcapng};

/// An SA, or all those that share its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaPattern {
    pub source: Addresses,
    pub destination: Addresses,
    pub spi: Spis,
    pub encryption: Encryption,
    /// In hexadecimal.
    pub encryption_key: String,
    pub integrity: Hash,
    /// In hexadecimal.
    pub integrity_key: String,
}

/// An address, of which any byte may be left open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses(pub(super) [Option<u8>; 4]);

impl Addresses {
    pub const ANY: Self = Self([None; 4]);

    fn contain(self, address: Ipv4Addr) -> bool {
        self.0.iter().zip(address.octets()).all(|(wanted, octet)| wanted.is_none_or(|wanted| wanted == octet))
    }

    fn only(self) -> Option<Ipv4Addr> {
        let [a, b, c, d] = self.0;
        Some(Ipv4Addr::new(a?, b?, c?, d?))
    }
}

/// An SPI, of which any digit may be left open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spis {
    digits: u32,
    /// Ones where a digit is told.
    told: u32,
}

impl Spis {
    pub const ANY: Self = Self { digits: 0, told: 0 };

    pub(super) fn exactly(spi: u32) -> Self {
        Self { digits: spi, told: u32::MAX }
    }

    /// With one more digit behind the others.
    pub(super) fn then(self, digit: Option<u32>) -> Self {
        let told = if digit.is_some() { 0xf } else { 0 };
        Self { digits: self.digits << 4 | digit.unwrap_or(0), told: self.told << 4 | told }
    }

    fn contain(self, spi: u32) -> bool {
        spi & self.told == self.digits
    }

    fn only(self) -> Option<u32> {
        (self.told == u32::MAX).then_some(self.digits)
    }
}

/// The ends and the SPI of an ESP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stream {
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub spi: u32,
}

impl Stream {
    /// Of a frame that carries ESP, whole and in clear IPv4.
    pub fn within(frame: &pcapng::Frame) -> Option<Self> {
        let Carried { outer, sealed, .. } = Carried::within(frame)?;
        Some(Self { source: outer.source, destination: outer.destination, spi: sealed.spi })
    }
}

/// The SAs that the lines name, and those of these streams that the lines fit.
pub fn sas(patterns: &[SaPattern], streams: &BTreeSet<Stream>) -> Vec<SaKeys> {
    let exact = patterns.iter().filter_map(|pattern| Some(pattern.of(pattern.only()?)));
    let first = |stream: &Stream| patterns.iter().find(|pattern| pattern.fits(stream));
    let fitting = streams.iter().filter_map(|stream| {
        first(stream).filter(|pattern| pattern.only().is_none()).map(|pattern| pattern.of(*stream))
    });
    exact.chain(fitting).collect()
}

impl SaPattern {
    /// The SA that it is for, if it is for one alone.
    pub fn only(&self) -> Option<Stream> {
        let (source, destination) = (self.source.only()?, self.destination.only()?);
        Some(Stream { source, destination, spi: self.spi.only()? })
    }

    fn fits(&self, stream: &Stream) -> bool {
        self.source.contain(stream.source)
            && self.destination.contain(stream.destination)
            && self.spi.contain(stream.spi)
    }

    fn of(&self, Stream { source, destination, spi }: Stream) -> SaKeys {
        SaKeys {
            spi,
            source,
            destination,
            encryption: self.encryption,
            encryption_key: self.encryption_key.clone(),
            integrity: self.integrity,
            integrity_key: self.integrity_key.clone(),
            added_ns: None,
            deleted_ns: None,
        }
    }
}
