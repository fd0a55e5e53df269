//! A customer: a gateway whose daemon stands in for a router of some vendor, and a host in each subnet.

use std::{net::Ipv4Addr, sync::Arc};

use ipnet::Ipv4Net;
use tokio::sync::Mutex;
use wire::audit::Side;

use super::{CustomerPlan, FAREWELL, Lab, Seat, WAN, translate};
use crate::{
    Error, Result,
    fault::Place,
    gateway::{self, Gateway, Tunnel},
    meter::{self, Work},
    nft, xfrm,
};

/// Begins the names of its tunnels.
const TO: &str = "to-";

pub struct Customer {
    plan: CustomerPlan,
    tunnels: Mutex<Vec<Tunnel>>,
    seat: Seat,
}

impl Customer {
    pub(super) async fn build(lab: &Lab, plan: CustomerPlan, address: Ipv4Addr) -> Result<Self> {
        let name = format!("gateway-{}", plan.name);
        let seat = lab.gateway(&name, &format!("c-{}", plan.name), plan.daemon, address, plan.nat).await?;
        for (number, &subnet) in plan.subnets.iter().enumerate() {
            let inside = Ipv4Addr::from_bits(subnet.network().to_bits() + 1);
            let (station, interface) = lan(&plan, number);
            lab.add_station(&station, Side::Remote, &seat.machine, &interface, inside, subnet).await?;
        }
        translate(&seat.machine, &plan.subnets, &[]).await?;
        Ok(Self { plan, tunnels: Mutex::default(), seat })
    }

    /// By which others know it.
    pub fn address(&self) -> Ipv4Addr {
        self.seat.address
    }

    /// What its own link has: another one behind a NAT.
    pub(super) fn own_address(&self) -> Ipv4Addr {
        self.seat.own_address()
    }

    /// A tunnel as the gateway itself has to be told of it.
    fn told(&self, tunnel: Tunnel) -> Tunnel {
        match self.plan.nat {
            true => Tunnel { local: self.own_address(), identity: Some(self.address()), ..tunnel },
            false => tunnel,
        }
    }

    /// Configures the gateway, which then answers the peer.
    pub async fn configure(&self, tunnel: Tunnel) -> Result<()> {
        let _clock = meter::start(Work::Laboratory);
        let tunnel = self.told(tunnel);
        let mut tunnels = self.tunnels.lock().await;
        self.gateway()?.apply(&tunnel).await?;
        tunnels.retain(|known| known.name != tunnel.name);
        tunnels.push(tunnel);
        self.exempt(&tunnels).await
    }

    pub(crate) fn gateway(&self) -> Result<Arc<dyn Gateway>> {
        self.seat.gateway()
    }

    pub(crate) fn subnets(&self) -> &[Ipv4Net] {
        &self.plan.subnets
    }

    /// The VPCs that it has tunnels to, with the addresses of their routers as it knows them.
    pub async fn peers(&self) -> Vec<(String, Ipv4Addr)> {
        let tunnels = self.tunnels.lock().await;
        let vpc = |tunnel: &Tunnel| tunnel.name.strip_prefix(TO).map(|vpc| (vpc.to_owned(), tunnel.peer));
        tunnels.iter().filter_map(vpc).collect()
    }

    /// What its tunnel to a VPC is called.
    pub fn tunnel_to(vpc: &str) -> String {
        format!("{TO}{vpc}")
    }

    /// Begins to bring a tunnel up that it was configured for.
    pub(crate) async fn initiate(&self, tunnel: &str) -> Result<()> {
        let tunnels = self.tunnels.lock().await;
        match tunnels.iter().find(|known| known.name == tunnel) {
            Some(tunnel) => self.gateway()?.initiate(tunnel).await,
            None => Ok(()),
        }
    }

    /// Whether there is a host in each of these networks.
    pub(super) fn has(&self, subnets: &[Ipv4Net]) -> bool {
        subnets.iter().all(|subnet| self.plan.subnets.contains(subnet))
    }

    pub(crate) async fn forget(&self, tunnel: &str) -> Result<()> {
        let mut tunnels = self.tunnels.lock().await;
        let Some(at) = tunnels.iter().position(|known| known.name == tunnel) else { return Ok(()) };
        self.gateway()?.terminate(&tunnels.remove(at)).await?;
        self.exempt(&tunnels).await
    }

    /// Forgets every tunnel, and gives the gateway back.
    pub(super) async fn leave(self: Arc<Self>, lab: &Lab) -> Result<()> {
        // Who still holds on to it keeps it from being used again.
        let Some(Self { plan, tunnels, seat }) = Arc::into_inner(self) else { return Ok(()) };
        for tunnel in tunnels.into_inner() {
            seat.gateway()?.terminate(&tunnel).await?;
        }
        for number in 0..plan.subnets.len() {
            let (station, interface) = lan(&plan, number);
            seat.machine.remove_interface(&interface).await?;
            lab.remove_station(&station).await;
        }
        lab.park(seat).await
    }

    pub(super) fn place(&self) -> Place {
        self.seat.place()
    }

    pub(super) async fn kill_daemon(&self) {
        self.seat.kill().await;
    }

    /// Starts the daemon anew, with the tunnels that it had; those that it begins come up again.
    pub(super) async fn restart_daemon(&self, begins: bool) -> Result<()> {
        let tunnels = self.tunnels.lock().await;
        self.seat.kill().await;
        self.seat.start().await?;
        let gateway = self.gateway()?;
        for tunnel in &*tunnels {
            gateway.apply(tunnel).await?;
            if begins {
                gateway.initiate(tunnel).await?;
            }
        }
        Ok(())
    }

    /// As if its plug were pulled: the daemon is gone, and all that its kernel had of tunnels and connections.
    pub(super) async fn power_off(&self) -> Result<()> {
        let _tunnels = self.tunnels.lock().await;
        self.seat.kill().await;
        for interface in self.interfaces().iter().map(String::as_str).chain([WAN]) {
            self.seat.machine.take_down(interface).await?;
        }
        xfrm::clear(&self.seat.machine).await?;
        nft::clear(&self.seat.machine).await
    }

    pub(super) async fn power_on(&self, begins: bool) -> Result<()> {
        for interface in self.interfaces() {
            self.seat.machine.bring_up(&interface).await?;
        }
        self.exempt(&self.tunnels.lock().await).await?;
        self.seat.connect().await?;
        self.restart_daemon(begins).await
    }

    /// Gives a tunnel other settings. What is up with the old ones is taken down, and comes up again with the new ones
    /// if the customer begins.
    pub(super) async fn reconfigure(&self, tunnel: Tunnel, begins: bool) -> Result<()> {
        let tunnel = self.told(tunnel);
        let mut tunnels = self.tunnels.lock().await;
        let gateway = self.gateway()?;
        if let Some(at) = tunnels.iter().position(|known| known.name == tunnel.name) {
            let former = tunnels.remove(at);
            gateway.terminate(&former).await?;
            match gateway::is_gone(gateway.as_ref(), &former, FAREWELL).await {
                // A daemon may wait for an answer of a peer that does not hear it.
                Err(Error::Deadline { .. }) => {
                    gateway::without_daemon(Arc::clone(&self.seat.machine)).terminate(&former).await?
                }
                gone => gone?,
            }
        }
        gateway.apply(&tunnel).await?;
        if begins {
            gateway.initiate(&tunnel).await?;
        }
        tunnels.push(tunnel);
        self.exempt(&tunnels).await
    }

    /// Has its NAT forget its flows, and use other outer ports from now on.
    pub(super) async fn rebind(&self) -> Result<()> {
        match &self.seat.nat {
            Some(nat) => nat.rebind().await,
            None => {
                Err(Error::Address(format!("the customer `{}` is not behind a NAT: say `nat: true`", self.plan.name)))
            }
        }
    }

    fn interfaces(&self) -> Vec<String> {
        (0..self.plan.subnets.len()).map(|number| lan(&self.plan, number).1).collect()
    }

    async fn exempt(&self, tunnels: &[Tunnel]) -> Result<()> {
        let pairs: Vec<_> = tunnels.iter().flat_map(Tunnel::pairs).collect();
        translate(&self.seat.machine, &self.plan.subnets, &pairs).await
    }
}

/// A subnet's host, and the gateway's interface to it.
fn lan(plan: &CustomerPlan, number: usize) -> (String, String) {
    (format!("{}.{number}", plan.name), format!("lan{number}"))
}
