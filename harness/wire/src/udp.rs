//! UDP headers (RFC 768). The checksum is not looked at: on the interface of the sending host it is
//! still to be computed by the hardware that a virtual interface does not have.

use crate::{
    Error, Result,
    error::{array, part},
};

const WHAT: &str = "a UDP datagram";
const HEADER: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    pub source_port: u16,
    pub destination_port: u16,
    pub payload: &'a [u8],
}

impl<'a> Datagram<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let (len, mut datagram) = Self::header(bytes)?;
        datagram.payload = part(WHAT, bytes, HEADER..len)?;
        Ok(datagram)
    }

    /// The beginning of a datagram, as an ICMP error quotes it.
    pub fn quoted(bytes: &'a [u8]) -> Result<Self> {
        let (len, mut datagram) = Self::header(bytes)?;
        datagram.payload = part(WHAT, bytes, HEADER..len.min(bytes.len()))?;
        Ok(datagram)
    }

    fn header(bytes: &'a [u8]) -> Result<(usize, Self)> {
        let [s0, s1, d0, d1, l0, l1, _, _]: [u8; HEADER] = array(WHAT, bytes, 0)?;
        let len = u16::from_be_bytes([l0, l1]);
        if usize::from(len) < HEADER {
            return Err(Error::Field { what: WHAT, field: "length", found: len.into(), expected: "at least 8" });
        }
        let datagram = Self {
            source_port: u16::from_be_bytes([s0, s1]),
            destination_port: u16::from_be_bytes([d0, d1]),
            payload: &[],
        };
        Ok((len.into(), datagram))
    }

    /// Either end uses this port.
    pub fn uses(&self, port: u16) -> bool {
        self.source_port == port || self.destination_port == port
    }

    /// Without a checksum, which IPv4 allows. A payload of more than 65,507 bytes is cut off.
    pub fn emit(&self) -> Vec<u8> {
        let payload = &self.payload[..self.payload.len().min(65_507)];
        let mut datagram = Vec::with_capacity(HEADER + payload.len());
        datagram.extend(self.source_port.to_be_bytes());
        datagram.extend(self.destination_port.to_be_bytes());
        datagram.extend(((HEADER + payload.len()) as u16).to_be_bytes());
        datagram.extend([0, 0]);
        datagram.extend(payload);
        datagram
    }
}
