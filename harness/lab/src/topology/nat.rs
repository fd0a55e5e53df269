//! A machine between the internet and a customer's gateway that translates addresses, as a router at home does.
//!
//! ```text
//! internet  g1 ── wan  nat-branch  lan ── wan  gateway-branch
//!     203.0.113.1  203.0.113.2  10.255.0.1  10.255.0.2
//! ```
//!
//! It keeps ports while it can, and forgets a flow that is silent for half a minute: who does not keep it alive is not
//! reached any more. Where the router begins, what comes to the ports of IKE is forwarded to the gateway.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
};

use ipnet::Ipv4Net;

use super::{WAN, before, seat::Wanted};
use crate::{
    Result,
    link::{self, End},
    machine::Machine,
    nft::{self, Outer},
};

const LAN: &str = "lan";
/// Of both kinds of UDP flows; the kernel's own value for one that has an answer is four times that.
const TIMEOUTS: [&str; 2] = ["nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream"];
const SECONDS: &str = "30";
/// The first outer port after the first rebinding, and how many there are until the next.
const FIRST: u16 = 40_000;
const PORTS: u16 = 100;

pub(super) struct Nat {
    pub machine: Arc<Machine>,
    gateway: Ipv4Addr,
    rebound: AtomicU16,
}

impl Nat {
    /// Makes it, and its link to the gateway.
    pub async fn make(wanted: &Wanted<'_>, number: u16, gateway: &Machine) -> Result<Self> {
        let name = wanted.name.replacen("gateway", "nat", 1);
        let machine = Machine::at(&name, &format!("{name}.{number}"), None).await?;
        machine.sysctl("net/ipv4/ip_forward", "1").await?;
        let near = End { machine: &machine, interface: LAN, station: 0xa000 | number };
        link::connect(near, End { machine: gateway, interface: WAN, station: 0xe000 | number }).await?;
        let address = inside(wanted.address);
        machine.add_address(LAN, before(address), 30).await?;
        gateway.add_address(WAN, address, 30).await?;
        Ok(Self { machine: Arc::new(machine), gateway: address, rebound: AtomicU16::new(0) })
    }

    /// Begins anew, with a way to the internet at this end of its link.
    pub async fn connect(&self, forwards: bool) -> Result<()> {
        self.rebound.store(0, Ordering::Relaxed);
        let forwarded = forwards.then_some(self.gateway);
        nft::translate_all(&self.machine, WAN, forwarded, Outer::Same).await?;
        // Known to the kernel once there are rules that track connections.
        for key in TIMEOUTS {
            self.machine.sysctl(&format!("net/netfilter/{key}"), SECONDS).await?;
        }
        Ok(())
    }

    /// Forgets all flows, uses other outer ports from now on, and forwards nothing any more.
    pub async fn rebind(&self) -> Result<()> {
        let time = self.rebound.fetch_add(1, Ordering::Relaxed) % 200;
        let first = FIRST + time * PORTS;
        nft::translate_all(&self.machine, WAN, None, Outer::Within(first, first + PORTS - 1)).await
    }

    /// Has a way to the internet by this machine.
    pub async fn route(&self, gateway: Ipv4Addr) -> Result<()> {
        self.machine.add_route(Ipv4Net::default(), gateway).await
    }
}

/// What a gateway that has this public address calls itself on its own link.
pub(super) fn inside(public: Ipv4Addr) -> Ipv4Addr {
    let [.., last] = public.octets();
    Ipv4Addr::new(10, 255, last / 4, 2)
}
