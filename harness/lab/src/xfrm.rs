//! The kernel's IPsec state: SAs with their keys and counters, and policies, told by netlink XFRM.
//!
//! [`sas`] and [`policies`] list what a machine holds now; [`SaLog`] keeps what it ever held, so that every
//! captured ESP packet finds its keys, even if its SA lived for a moment.

mod ledger;
mod log;
mod message;
#[cfg(test)]
pub(crate) mod tests;
mod trial;

use std::{fmt, io, net::Ipv4Addr, os::fd::OwnedFd};

use ipnet::Ipv4Net;
use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST};
use policy::{Encryption, Hash};
use rustix::net::netlink::XFRM;
use wire::audit::SaKeys;

pub use self::log::SaLog;
use self::message::Entry;
pub(crate) use self::trial::try_every_suite;
use crate::{Result, machine::Machine, netlink};

/// An ESP SA over IPv4 whose algorithms a policy can name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sa {
    pub spi: u32,
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub encryption: Encryption,
    pub integrity: Hash,
    keys: Keys,
    pub reqid: u32,
    /// What the SA carried: bytes of inner packets, and packets.
    pub bytes: u64,
    pub packets: u64,
    /// Seconds since 1970, by the kernel's clock.
    pub added: u64,
    /// ESP inside UDP (RFC 3948).
    pub encapsulated: bool,
}

impl Sa {
    /// What the audit needs to open this SA's packets.
    pub fn keys(&self) -> SaKeys {
        SaKeys {
            spi: self.spi,
            source: self.source,
            destination: self.destination,
            encryption: self.encryption,
            encryption_key: hexadecimal(&self.keys.encryption),
            integrity: self.integrity,
            integrity_key: hexadecimal(&self.keys.integrity),
            added_ns: None,
            deleted_ns: None,
        }
    }

    /// The algorithms as in a policy string, such as `3des-md5`.
    pub fn suite(&self) -> String {
        format!("{}-{}", self.encryption.name(), self.integrity.name())
    }
}

#[derive(Clone, PartialEq, Eq)]
struct Keys {
    encryption: Vec<u8>,
    integrity: Vec<u8>,
}

/// A key that is printed is a key in a log.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

fn hexadecimal(key: &[u8]) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The SAs of a machine at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    pub sas: Vec<Sa>,
    /// SAs that are not as [`Sa`] says, in words without keys: another protocol or algorithm. No policy asks
    /// for such, so each refutes.
    pub others: Vec<String>,
}

/// An SA and when it was held. A [`SaLog`] keeps them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaLife {
    /// With the last counters known: final ones once it is deleted.
    pub sa: Sa,
    pub machine: String,
    /// Nanoseconds since 1970 of the reader's clock.
    pub added_ns: u64,
    pub deleted_ns: Option<u64>,
}

/// What a [`SaLog`] has seen so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub lives: Vec<SaLife>,
    /// See [`Held::others`].
    pub others: Vec<String>,
    /// Why this may not be all: notifications that were lost or not understood. Empty if nothing is missing.
    pub gaps: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    In,
    Out,
    Forward,
}

/// A policy that asks for ESP over IPv4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub direction: Direction,
    pub source: Ipv4Net,
    pub destination: Ipv4Net,
    pub priority: u32,
    /// False for a policy that blocks.
    pub allows: bool,
    pub reqid: u32,
    /// The gateways, as the template says; 0.0.0.0 where it leaves them open.
    pub tunnel_source: Ipv4Addr,
    pub tunnel_destination: Ipv4Addr,
}

/// Lists the machine's SAs. Those of which only the SPI is reserved so far are left out.
pub async fn sas(machine: &Machine) -> Result<Held> {
    machine
        .tell(XFRM, "list its SAs", |socket| {
            let mut held = Held::default();
            list(socket, message::GET_SA, |payload| {
                match message::entry(payload)? {
                    Entry::Esp(sa) => held.sas.push(sa),
                    Entry::Other(text) => held.others.push(text),
                    Entry::Larval | Entry::Trial => (),
                }
                Ok(())
            })?;
            Ok(held)
        })
        .await
}

/// Lists the machine's policies that have an ESP template and IPv4 selectors.
pub async fn policies(machine: &Machine) -> Result<Vec<Policy>> {
    machine
        .tell(XFRM, "list its IPsec policies", |socket| {
            let mut found = Vec::new();
            list(socket, message::GET_POLICY, |payload| {
                found.extend(message::policy(payload)?);
                Ok(())
            })?;
            Ok(found)
        })
        .await
}

/// Deletes the machine's SAs, each of which is announced with its final counters, and its policies: what the end of
/// a machine without batteries does. What is gone already is no error.
pub(crate) async fn clear(machine: &Machine) -> Result<()> {
    let delete = |socket: &OwnedFd| {
        let mut names = Vec::new();
        list(socket, message::GET_SA, |payload| {
            names.push(message::name(payload)?);
            Ok(())
        })?;
        let tell = |kind: u16, body: &[u8]| tell(socket, kind, body);
        names.iter().try_for_each(|name| tell(message::DELETE_SA, name))?;
        tell(message::FLUSH_POLICY, &[])
    };
    machine.tell(XFRM, "delete its SAs", delete).await
}

/// Deletes the SAs between two gateways, and the policies for these pairs of networks, as their daemon would.
pub(crate) async fn clear_tunnel(machine: &Machine, ends: [Ipv4Addr; 2], pairs: Vec<(Ipv4Net, Ipv4Net)>) -> Result<()> {
    let delete = move |socket: &OwnedFd| {
        let (mut names, mut policies) = (Vec::new(), Vec::new());
        list(socket, message::GET_SA, |payload| {
            let between = |sa: &Sa| {
                sa.source != sa.destination && [sa.source, sa.destination].iter().all(|end| ends.contains(end))
            };
            if matches!(message::entry(payload)?, Entry::Esp(sa) if between(&sa)) {
                names.push(message::name(payload)?);
            }
            Ok(())
        })?;
        list(socket, message::GET_POLICY, |payload| {
            let of = |policy: &Policy| {
                let Policy { source, destination, .. } = *policy;
                pairs.contains(&(source, destination)) || pairs.contains(&(destination, source))
            };
            if message::policy(payload)?.as_ref().is_some_and(of) {
                policies.push(message::policy_name(payload)?);
            }
            Ok(())
        })?;
        names.iter().try_for_each(|name| tell(socket, message::DELETE_SA, name))?;
        policies.iter().try_for_each(|name| tell(socket, message::DELETE_POLICY, name))
    };
    machine.tell(XFRM, "delete the SAs of a tunnel", delete).await
}

/// Sends one request. What is gone already is no error.
fn tell(socket: &OwnedFd, kind: u16, body: &[u8]) -> io::Result<()> {
    let mut request = Vec::new();
    netlink::message(&mut request, kind, NLM_F_REQUEST | NLM_F_ACK, 0, |out| out.extend(body));
    match netlink::request(socket, &request, |_| Ok(())) {
        Err(e) if e.raw_os_error() != Some(libc::ESRCH) && e.raw_os_error() != Some(libc::ENOENT) => Err(e),
        _ => Ok(()),
    }
}

fn list(socket: &OwnedFd, kind: u16, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    netlink::request(socket, &dump(kind), |answer| each(answer.payload))
}

fn dump(kind: u16) -> Vec<u8> {
    let mut request = Vec::new();
    netlink::message(&mut request, kind, NLM_F_REQUEST | NLM_F_DUMP, 0, |_| ());
    request
}
