//! Stations: guests in a tier and hosts in a customer's subnet, which exchange numbered probes.

use std::{
    collections::HashSet,
    net::{Ipv4Addr, SocketAddrV4},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{net::UdpSocket, task::JoinHandle};
use wire::probe::{LEN, PORT, Probe};

use crate::{Error, Result, machine::Machine};

pub struct Station {
    machine: Machine,
    address: Ipv4Addr,
    socket: Arc<UdpSocket>,
    received: Arc<Mutex<HashSet<Probe>>>,
    reader: Reader,
}

/// Reads until it is dropped.
struct Reader(JoinHandle<()>);

impl Station {
    /// Listens for probes on a machine that has the address.
    pub(crate) async fn open(machine: Machine, address: Ipv4Addr) -> Result<Self> {
        let bind = move || {
            let socket = std::net::UdpSocket::bind(SocketAddrV4::new(address, PORT))?;
            socket.set_nonblocking(true).map(|()| socket)
        };
        let socket = machine.attempt("open the probes' port", bind).await?;
        let socket = UdpSocket::from_std(socket).map_err(Error::machine(machine.name(), "watch the probes' port"))?;
        let socket = Arc::new(socket);
        let received: Arc<Mutex<HashSet<Probe>>> = Arc::default();
        let reader = Reader(tokio::spawn(read(Arc::clone(&socket), Arc::clone(&received))));
        Ok(Self { machine, address, socket, received, reader })
    }

    /// Gives the machine back, on which nothing of the station is open any more.
    pub(crate) async fn close(self) -> Machine {
        let Self { machine, mut reader, .. } = self;
        reader.0.abort();
        // Only with its end is the port free.
        let _ = (&mut reader.0).await;
        machine
    }

    pub fn name(&self) -> &str {
        self.machine.name()
    }

    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    pub async fn send(&self, probe: &Probe) -> Result<()> {
        let to = SocketAddrV4::new(probe.destination, PORT);
        let sent = self.socket.send_to(&probe.payload(), to).await;
        sent.map(drop).map_err(Error::machine(self.name(), format!("send {probe}")))
    }

    pub fn has_received(&self, probe: &Probe) -> bool {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).contains(probe)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What is no probe is the audit's business.
async fn read(socket: Arc<UdpSocket>, received: Arc<Mutex<HashSet<Probe>>>) {
    let mut buffer = [0; LEN + 1];
    loop {
        match socket.recv(&mut buffer).await {
            Ok(length) => {
                if let Some(probe) = Probe::parse(&buffer[..length]) {
                    received.lock().unwrap_or_else(PoisonError::into_inner).insert(probe);
                }
            }
            // An ICMP error for an earlier probe; the next call waits again.
            Err(_) => tokio::task::yield_now().await,
        }
    }
}
