//! Surgery on IKE: a device in the middle of the internet through which all of its messages pass once a scenario asks.
//!
//! What goes to or comes from the ports of IKE is routed into a TUN device, is read there, and goes back through it as
//! it came, or is treated. ESP in UDP has one of these ports too, and so passes as well. Pieces of a message that did not
//! fit into one packet have no ports: they pass by.

mod message;
mod operator;

use std::{
    collections::BTreeMap,
    io,
    net::Ipv4Addr,
    os::fd::OwnedFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use rtnetlink::{
    RouteMessageBuilder,
    packet_route::{
        route::{RouteProtocol, RouteScope},
        rule::{RuleAttribute, RulePortRange},
    },
};
use scenario::fault::Surgery;
use tokio::{io::unix::AsyncFd, task::JoinHandle, time::Instant};

use self::operator::Operator;
use super::path::SURGERY;
use crate::{Error, Result, machine::Machine, sys};

const DEVICE: &str = "surgery";
const TABLE: u32 = 9_000;
const UDP: i32 = libc::IPPROTO_UDP;
const PORTS: [u16; 2] = [500, 4500];
/// Longer than any packet of an Ethernet.
const LONGEST: usize = 1 << 16;

/// Something that was done to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Nanoseconds since 1970.
    pub at_ns: u64,
    pub text: String,
}

/// What was done so far.
pub(super) type Log = Arc<Mutex<Vec<Operation>>>;

/// The device, until this value is dropped. Rules and routes are taken away with those of other faults.
pub(super) struct Theatre {
    operator: Arc<Mutex<Operator>>,
    task: JoinHandle<()>,
}

impl Theatre {
    pub async fn open(internet: &Machine, log: Log) -> Result<Self> {
        let device = internet.attempt("make a device for surgery", || sys::open_tun(DEVICE)).await?;
        let device = sys::watch(device).map_err(Error::machine(internet.name(), "watch the device for surgery"))?;
        let operator = Arc::new(Mutex::new(Operator::default()));
        let task = tokio::spawn(Reader { device, operator: Arc::clone(&operator), later: BTreeMap::new(), log }.run());
        let theatre = Self { operator, task };
        internet.bring_up(DEVICE).await?;
        let index = internet.interface_index(DEVICE).await?;
        let action = "route IKE through the device for surgery";
        let route = RouteMessageBuilder::<Ipv4Addr>::new()
            .output_interface(index)
            .table_id(TABLE)
            .scope(RouteScope::Link)
            .protocol(RouteProtocol::Other(SURGERY))
            .build();
        internet.make_route(action, route).await?;
        // What comes back goes where it was going.
        internet.make_rule(action, MAIN, SURGERY.into(), [RuleAttribute::Iifname(DEVICE.to_owned())]).await?;
        for port in PORTS {
            let range = RulePortRange { start: port, end: port };
            for end in [RuleAttribute::SourcePortRange(range), RuleAttribute::DestinationPortRange(range)] {
                let packets = [RuleAttribute::IpProtocol(UDP.into()), end];
                internet.make_rule(action, TABLE, SURGERY.into(), packets).await?;
            }
        }
        Ok(theatre)
    }

    pub fn order(&self, surgery: Surgery) {
        lock(&self.operator).order(surgery);
    }

    /// Ends the device before this returns.
    pub async fn close(mut self) {
        self.task.abort();
        // That it was cancelled is what was asked for.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Theatre {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// RT_TABLE_MAIN.
const MAIN: u32 = 254;

struct Reader {
    device: AsyncFd<OwnedFd>,
    operator: Arc<Mutex<Operator>>,
    /// Packets by the time at which they pass.
    later: BTreeMap<Instant, Vec<Vec<u8>>>,
    log: Log,
}

impl Reader {
    async fn run(mut self) {
        loop {
            let next = self.later.first_key_value().map(|(time, _)| *time);
            let done = tokio::select! {
                ready = self.device.readable() => match ready {
                    Ok(mut ready) => {
                        ready.clear_ready();
                        drop(ready);
                        self.drain()
                    }
                    Err(e) => Err(e),
                },
                () = tokio::time::sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => self.release(),
            };
            if let Err(e) = done {
                return self.note(format!("the device for surgery ended early: {e}"));
            }
        }
    }

    fn drain(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; LONGEST];
        loop {
            let length = match rustix::io::read(self.device.get_ref(), &mut buffer) {
                Ok(length) => length,
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Err(e) => return Err(e.into()),
            };
            let treated = lock(&self.operator).treat(buffer[..length].to_vec());
            treated.done.into_iter().for_each(|text| self.note(text));
            for (after, packet) in treated.passes {
                if after.is_zero() {
                    self.write(&packet);
                } else {
                    self.later.entry(Instant::now() + after).or_default().push(packet);
                }
            }
        }
    }

    /// Lets those pass whose time has come.
    fn release(&mut self) -> io::Result<()> {
        while let Some(due) = self.later.first_entry().filter(|due| *due.key() <= Instant::now()) {
            due.remove().iter().for_each(|packet| self.write(packet));
        }
        Ok(())
    }

    fn write(&self, packet: &[u8]) {
        if let Err(e) = rustix::io::write(self.device.get_ref(), packet) {
            self.note(format!("lost a packet of {} bytes: {e}", packet.len()));
        }
    }

    fn note(&self, text: String) {
        let at_ns = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
        lock(&self.log).push(Operation { at_ns, text });
    }
}

pub(super) fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}
