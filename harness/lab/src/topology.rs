//! The laboratory of one cell: an internet, customers with their gateways and hosts, and the routers and
//! guests that the cloud asks for.
//!
//! ```text
//! guest main.web ── t-web ┐                                            ┌ lan0 ── host branch.0
//!                         router-main ── wan  r-main  internet  c-branch  wan ── gateway-branch
//! guest main.app ── t-app ┘                                            └ lan1 ── host branch.1
//! ```
//!
//! Public addresses are of the networks for documentation (RFC 5737): routers have 198.51.100.0/24, customers
//! 203.0.113.0/24, each end of the internet's links in a /30 of its own. A customer's gateway may be behind a NAT, which
//! then has the public address.

mod bare;
mod customer;
mod exchange;
mod nat;
mod party;
mod router;
mod seat;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use cloud::router::RouterError;
use futures_util::future::BoxFuture;
use ipnet::Ipv4Net;
use policy::{Daemon, Initiator};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex as AsyncMutex;
use wire::audit::Side;

pub use bare::{Bare, Pair};
pub use customer::Customer;
pub use exchange::{Exchange, Flow};
use router::VirtualRouter;
pub use router::{Deployment, Flaw};
pub use seat::Stock;
use seat::{Seat, Wanted};

use crate::{
    Error, Result,
    capture::Capture,
    fault::Faults,
    gateway::{self, Tunnel},
    link::{self, End},
    machine::Machine,
    meter::{self, Work},
    nft,
    station::Station,
    xfrm::{Sa, SaLife, SaLog, Seen},
};

pub(crate) const ROUTERS: [u8; 3] = [198, 51, 100];
pub(crate) const CUSTOMERS: [u8; 3] = [203, 0, 113];
/// How many /30 networks fit.
const LINKS: usize = 64;

/// What a laboratory is built from.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where the capture and the daemons' logs go; it exists.
    pub folder: PathBuf,
    /// The daemon of each VPC's router, by the VPC's name.
    pub routers: BTreeMap<String, Daemon>,
    pub customers: Vec<CustomerPlan>,
    /// Whose gateway begins, in every connection.
    pub initiator: Initiator,
    /// The file tree of each daemon that takes part.
    pub trees: Vec<(Daemon, PathBuf)>,
    /// For a cloud of which nobody knows beforehand what it will ask for.
    pub standing: Option<Standing>,
    /// Whether frames are captured, and daemons asked for what opens them. In a laboratory that stands they would have
    /// no end.
    pub captured: bool,
}

/// A laboratory that stands as long as its cloud does. Any VPC may come; a customer appears at an address of
/// [`Lab::customer_addresses`] when a router calls there, and has been told what the router was told. Nothing is
/// captured, since it would have no end.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Standing {
    pub router: Daemon,
    pub customer: Daemon,
}

#[derive(Clone, Debug)]
pub struct CustomerPlan {
    pub name: String,
    pub daemon: Daemon,
    pub subnets: Vec<Ipv4Net>,
    /// Its gateway has an address of its own network, which a device before it translates.
    pub nat: bool,
}

pub struct Lab {
    plan: Plan,
    capture: AsyncMutex<Option<Capture>>,
    stations: Mutex<BTreeMap<String, Arc<Station>>>,
    customers: Mutex<BTreeMap<String, Arc<Customer>>>,
    /// Held while a customer is made ready: routers may call for the same one.
    meeting: AsyncMutex<()>,
    sa_logs: AsyncMutex<Vec<SaLog>>,
    /// Those whose daemons tell what their key exchanges come to.
    gateways: Mutex<Vec<(Daemon, Weak<Machine>)>>,
    hardware: Mutex<u16>,
    /// What went wrong while the cloud was served: the cloud only tells that something did.
    failures: Mutex<Vec<String>>,
    stock: Arc<Stock>,
    /// What became of gateways that were there before, in words.
    kept: Mutex<Vec<String>>,
    internet: Arc<Machine>,
    routers: Mutex<BTreeMap<String, Weak<VirtualRouter>>>,
    faults: Faults,
}

impl Lab {
    /// Builds everything but the cloud's part, as far as it is not in the stock. Capture begins before the first packet.
    pub async fn build(plan: Plan, stock: Arc<Stock>) -> Result<Arc<Self>> {
        let _clock = meter::start(Work::Laboratory);
        let (internet, another) = stock.begin().await?;
        let capture = match plan.captured {
            true => Some(Capture::create(&plan.folder.join("capture.pcapng"))?),
            false => None,
        };
        let lab = Self {
            capture: AsyncMutex::new(capture),
            stations: Mutex::default(),
            customers: Mutex::default(),
            meeting: AsyncMutex::default(),
            sa_logs: AsyncMutex::default(),
            gateways: Mutex::default(),
            hardware: Mutex::new(0),
            failures: Mutex::default(),
            stock,
            kept: Mutex::new(another.into_iter().collect()),
            routers: Mutex::default(),
            faults: Faults::new(Arc::clone(&internet)),
            internet,
            plan,
        };
        for (number, customer) in lab.plan.customers.clone().into_iter().enumerate() {
            let name = customer.name.clone();
            let customer = Customer::build(&lab, customer, link_address(CUSTOMERS, number)?).await?;
            lab.known_customers().insert(name, Arc::new(customer));
        }
        Ok(Arc::new(lab))
    }

    /// The addresses that a cloud may give to its routers.
    pub fn public_addresses(&self) -> Vec<Ipv4Addr> {
        (0..LINKS).filter_map(|number| link_address(ROUTERS, number).ok()).collect()
    }

    /// The addresses at which customers of a [`Standing`] laboratory answer.
    pub fn customer_addresses(&self) -> Vec<Ipv4Addr> {
        (0..LINKS).filter_map(|number| link_address(CUSTOMERS, number).ok()).collect()
    }

    pub fn customer(&self, name: &str) -> Result<Arc<Customer>> {
        let known = self.known_customers().get(name).cloned();
        known.ok_or_else(|| Error::Address(format!("there is no customer `{name}`")))
    }

    fn known_customers(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Customer>>> {
        self.customers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the customer at the far end of a router's tunnel ready for it, in a [`Standing`] laboratory.
    async fn meet(&self, tunnel: &Tunnel) -> Result<()> {
        let number = self.customer_addresses().iter().position(|address| *address == tunnel.peer);
        let (Some(Standing { customer: daemon, .. }), Some(number)) = (self.plan.standing, number) else {
            return Ok(());
        };
        let name = format!("c{number}");
        let _meeting = self.meeting.lock().await;
        let known = self.known_customers().get(&name).filter(|known| known.has(&tunnel.peer_nets)).cloned();
        let customer = match known {
            Some(known) => known,
            None => {
                // Its machine has to be gone before another takes its place.
                drop(self.known_customers().remove(&name));
                let plan = CustomerPlan { name: name.clone(), daemon, subnets: tunnel.peer_nets.clone(), nat: false };
                let built = Arc::new(Customer::build(self, plan, tunnel.peer).await?);
                self.known_customers().insert(name, Arc::clone(&built));
                built
            }
        };
        customer.configure(tunnel.seen_from_the_peer()).await
    }

    /// Has the customer at the far end of a router's tunnel begin, if it has one to that VPC.
    async fn call(&self, vpc: &str, tunnel: &Tunnel) -> Result<()> {
        match self.customer_at(tunnel) {
            Some(customer) => customer.initiate(&Customer::tunnel_to(vpc)).await,
            None => Ok(()),
        }
    }

    /// The customer need not wait for a tunnel that the router has forgotten.
    async fn part(&self, tunnel: &Tunnel) -> Result<()> {
        if self.plan.standing.is_none() {
            return Ok(());
        }
        let _meeting = self.meeting.lock().await;
        self.give_up(tunnel, &tunnel.name).await
    }

    /// Has a customer that began forget its tunnel to a VPC before the router does, or it would begin again, and again.
    async fn dissuade(&self, vpc: &str, tunnel: &Tunnel) -> Result<()> {
        match self.plan.initiator {
            Initiator::Cloud => Ok(()),
            Initiator::Customer => self.give_up(tunnel, &Customer::tunnel_to(vpc)).await,
        }
    }

    /// Has the customer at the far end of a router's tunnel forget its own, which has this name.
    async fn give_up(&self, tunnel: &Tunnel, name: &str) -> Result<()> {
        match self.customer_at(tunnel) {
            Some(customer) => customer.forget(name).await,
            None => Ok(()),
        }
    }

    fn customer_at(&self, tunnel: &Tunnel) -> Option<Arc<Customer>> {
        self.known_customers().values().find(|known| known.address() == tunnel.peer).cloned()
    }

    pub fn station(&self, name: &str) -> Result<Arc<Station>> {
        let stations = self.stations.lock().unwrap_or_else(PoisonError::into_inner);
        stations.get(name).cloned().ok_or_else(|| {
            let known: Vec<_> = stations.keys().map(String::as_str).collect();
            Error::Address(format!("there is no station `{name}`; there are {}", known.join(", ")))
        })
    }

    /// The stations whose names begin with a VPC's or a customer's name and a dot.
    pub fn stations_of(&self, owner: &str) -> Vec<Arc<Station>> {
        let stations = self.stations.lock().unwrap_or_else(PoisonError::into_inner);
        let owned = |name: &String| name.strip_prefix(owner).is_some_and(|rest| rest.starts_with('.'));
        stations.iter().filter(|(name, _)| owned(name)).map(|(_, station)| Arc::clone(station)).collect()
    }

    /// A gateway behind a NAT has SAs with its own address, which no packet on the internet has.
    fn seen_outside(&self, sa: &mut Sa) {
        for customer in self.known_customers().values() {
            for end in [&mut sa.source, &mut sa.destination] {
                if *end == customer.own_address() {
                    *end = customer.address();
                }
            }
        }
    }

    /// Every SA that a kernel of the laboratory has held so far, by machine; between addresses as the internet sees
    /// them.
    pub async fn sas(&self) -> Result<Vec<Seen>> {
        let _clock = meter::start(Work::Laboratory);
        let mut all = Vec::new();
        for log in &*self.sa_logs.lock().await {
            log.refresh().await?;
            let mut seen = log.seen();
            seen.lives.iter_mut().for_each(|life| self.seen_outside(&mut life.sa));
            all.push(seen);
        }
        Ok(all)
    }

    /// What the key exchanges of all gateways came to, as far as their daemons tell; both ends tell the same.
    pub async fn shared_secrets(&self) -> Result<BTreeSet<Vec<u8>>> {
        let gateways = self.gateways.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut all = BTreeSet::new();
        for (daemon, machine) in gateways {
            if let Some(machine) = machine.upgrade() {
                all.extend(gateway::shared_secrets(daemon, &machine).await?);
            }
        }
        Ok(all)
    }

    /// Whether a machine's kernel holds SAs now: of a VPC's router or of a customer's gateway.
    pub async fn holds_sas(&self, of: &str) -> Result<bool> {
        let names = [format!("router-{of}"), format!("gateway-{of}")];
        for log in &*self.sa_logs.lock().await {
            if names.iter().any(|name| name == log.machine())
                && log.seen().lives.iter().any(|life| life.deleted_ns.is_none())
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The SAs that one machine has held, with counters as of now.
    async fn lives_on(&self, machine: &str) -> Result<Vec<SaLife>> {
        for log in &*self.sa_logs.lock().await {
            if log.machine() == machine {
                log.refresh().await?;
                return Ok(log.seen().lives);
            }
        }
        Ok(Vec::new())
    }

    /// Frames captured so far.
    pub async fn frames(&self) -> u64 {
        self.capture.lock().await.as_ref().map_or(0, Capture::frames)
    }

    /// Ends the capture, and with it all faults of links and of the internet; nothing that was sent before is missing in
    /// it.
    pub async fn finish_capture(&self) -> Result<()> {
        let _clock = meter::start(Work::Laboratory);
        self.faults.undo().await?;
        match self.capture.lock().await.take() {
            Some(capture) => capture.finish().await.map(drop),
            None => Ok(()),
        }
    }

    /// A gateway on the internet, from the stock or made for it, with its link and its SAs watched.
    async fn gateway(&self, name: &str, label: &str, daemon: Daemon, address: Ipv4Addr, nat: bool) -> Result<Seat> {
        let tree = self.plan.trees.iter().find(|(known, _)| *known == daemon);
        let (_, root) = tree.ok_or_else(|| Error::Address(format!("no image of {daemon} is at hand")))?;
        let logs = self.logs(name);
        let secrets = self.plan.captured;
        let wanted = Wanted { name, daemon, address, nat, root, logs: &logs, secrets };
        let kept = match self.stock.take(&wanted).await? {
            Some(Ok(seat)) => {
                self.note(format!("{name} was kept from a former cell, and empty"));
                Some(seat)
            }
            Some(Err(reason)) => {
                self.note(reason);
                None
            }
            None => None,
        };
        let seat = match kept {
            Some(seat) => seat,
            None => self.stock.make(&wanted).await?,
        };
        self.internet.bring_up(&seat.interface).await?;
        self.watch(&format!("internet {label}"), Side::Internet, &self.internet, &seat.interface).await?;
        if let Some(nat) = &seat.nat {
            nat.connect(self.plan.initiator == Initiator::Cloud).await?;
        }
        seat.connect().await?;
        self.faults.join(seat.place().link).await?;
        let log = SaLog::start(&seat.machine).await?;
        self.sa_logs.lock().await.push(log);
        if secrets {
            let mut gateways = self.gateways.lock().unwrap_or_else(PoisonError::into_inner);
            gateways.push((daemon, Arc::downgrade(&seat.machine)));
        }
        Ok(seat)
    }

    /// Gives a gateway back that the cell needs no more.
    async fn park(&self, seat: Seat) -> Result<()> {
        self.faults.part(&seat.place()).await?;
        let logs = self.logs(&seat.name);
        self.stock.park(seat, &logs).await
    }

    fn logs(&self, machine: &str) -> PathBuf {
        self.plan.folder.join("logs").join(machine)
    }

    fn note(&self, text: String) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }

    /// What became of gateways that were there before, in words.
    pub fn kept(&self) -> Vec<String> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gives the customers' gateways back to the stock, after the cloud's routers are gone.
    pub async fn leave(&self) -> Result<()> {
        let _clock = meter::start(Work::Laboratory);
        let customers = std::mem::take(&mut *self.known_customers());
        for customer in customers.into_values() {
            customer.leave(self).await?;
        }
        self.faults.undo().await
    }

    /// A station behind an interface of a gateway.
    async fn add_station(
        &self,
        name: &str,
        side: Side,
        gateway: &Machine,
        interface: &str,
        gateway_address: Ipv4Addr,
        net: Ipv4Net,
    ) -> Result<()> {
        let machine = self.stock.host(name).await?;
        let near = End { machine: gateway, interface, station: self.next_station() };
        let far = End { machine: &machine, interface: ETH, station: self.next_station() };
        link::connect(near, far).await?;
        let address = station_address(net, gateway_address)?;
        gateway.add_address(interface, gateway_address, net.prefix_len()).await?;
        machine.add_address(ETH, address, net.prefix_len()).await?;
        machine.add_route(Ipv4Net::default(), gateway_address).await?;
        self.watch(name, side, &machine, ETH).await?;
        let station = Station::open(machine, address).await?;
        self.stations.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), Arc::new(station));
        Ok(())
    }

    /// After its gateway's interface to it is gone.
    async fn remove_station(&self, name: &str) {
        let station = self.stations.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        // Who still holds on to it keeps its machine from being used again.
        if let Some(station) = station.and_then(Arc::into_inner) {
            self.stock.park_host(station.close().await);
        }
    }

    async fn watch(&self, name: &str, side: Side, machine: &Machine, interface: &str) -> Result<()> {
        match self.capture.lock().await.as_mut() {
            Some(capture) => capture.add(name, side, machine, interface).await,
            None => Ok(()),
        }
    }

    fn next_station(&self) -> u16 {
        let mut last = self.hardware.lock().unwrap_or_else(PoisonError::into_inner);
        *last += 1;
        *last
    }

    /// The first failure of the laboratory that the cloud was told of.
    pub fn failure(&self) -> Option<String> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).first().cloned()
    }

    /// Work for the cloud. Of an error it is told what it understands, and the whole of it is kept.
    fn work<'a, T>(
        &'a self,
        work: impl Future<Output = Result<T>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T, RouterError>> {
        Box::pin(async move {
            let _clock = meter::start(Work::Fabric);
            work.await.map_err(|error| {
                self.failures.lock().unwrap_or_else(PoisonError::into_inner).push(error.to_string());
                RouterError::Failed(error.to_string())
            })
        })
    }
}

/// A gateway's interface to the internet, and a station's only one.
pub(crate) const WAN: &str = "wan";
const ETH: &str = "eth0";
/// How long the SAs may stay after a tunnel was taken down.
const FAREWELL: Duration = Duration::from_secs(10);

/// The address of the far end of a link of the internet.
fn link_address([a, b, c]: [u8; 3], number: usize) -> Result<Ipv4Addr> {
    let last = number.checked_mul(4).and_then(|first| u8::try_from(first + 2).ok()).filter(|_| number < LINKS);
    let last = last.ok_or_else(|| Error::Address(format!("more than {LINKS} gateways of one kind")))?;
    Ok(Ipv4Addr::new(a, b, c, last))
}

fn before(address: Ipv4Addr) -> Ipv4Addr {
    Ipv4Addr::from_bits(address.to_bits().wrapping_sub(1))
}

/// The tenth address of a network, or in a small one the last that is free.
fn station_address(net: Ipv4Net, gateway: Ipv4Addr) -> Result<Ipv4Addr> {
    let tenth = Ipv4Addr::from_bits(net.network().to_bits() + 10);
    let free = |address: &Ipv4Addr| *address != gateway;
    let mut inside = net.hosts().filter(free);
    if net.contains(&tenth) && tenth != net.broadcast() && free(&tenth) {
        return Ok(tenth);
    }
    inside.next_back().ok_or_else(|| Error::Address(format!("{net} has no room for a station")))
}

/// Source NAT on the way to the internet, with the exemption of these tunnels.
async fn translate(machine: &Machine, inside: &[Ipv4Net], tunnels: &[(Ipv4Net, Ipv4Net)]) -> Result<()> {
    nft::source_nat(machine, WAN, inside, tunnels).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_station_never_has_the_address_of_its_gateway_or_of_the_network() {
        let station = |net: &str, gateway: &str| {
            station_address(net.parse().unwrap(), gateway.parse().unwrap()).map(|address| address.to_string())
        };
        assert_eq!(station("10.10.1.0/24", "10.10.1.1").unwrap(), "10.10.1.10");
        assert_eq!(station("10.10.1.0/24", "10.10.1.10").unwrap(), "10.10.1.254");
        assert_eq!(station("10.10.1.0/29", "10.10.1.6").unwrap(), "10.10.1.5");
        assert!(station("10.10.1.0/32", "10.10.1.0").is_err());
    }

    #[test]
    fn every_gateway_has_a_network_of_its_own() {
        assert_eq!(link_address(ROUTERS, 0).unwrap(), Ipv4Addr::new(198, 51, 100, 2));
        assert_eq!(link_address(CUSTOMERS, 63).unwrap(), Ipv4Addr::new(203, 0, 113, 254));
        assert!(link_address(CUSTOMERS, 64).is_err());
    }
}
