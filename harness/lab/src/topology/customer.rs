//! A customer: a gateway whose daemon stands in for a router of some vendor, and a host in each subnet.

use std::{net::Ipv4Addr, sync::Arc};

use ipnet::Ipv4Net;
use tokio::sync::Mutex;
use wire::audit::Side;

use super::{CustomerPlan, Lab, Seat, translate};
use crate::{
    Result,
    gateway::{Gateway, Tunnel},
    meter::{self, Work},
};

pub struct Customer {
    plan: CustomerPlan,
    tunnels: Mutex<Vec<Tunnel>>,
    seat: Seat,
}

impl Customer {
    pub(super) async fn build(lab: &Lab, plan: CustomerPlan, address: Ipv4Addr) -> Result<Self> {
        let name = format!("gateway-{}", plan.name);
        let seat = lab.gateway(&name, &format!("c-{}", plan.name), plan.daemon, address).await?;
        for (number, &subnet) in plan.subnets.iter().enumerate() {
            let inside = Ipv4Addr::from_bits(subnet.network().to_bits() + 1);
            let (station, interface) = lan(&plan, number);
            lab.add_station(&station, Side::Remote, &seat.machine, &interface, inside, subnet).await?;
        }
        translate(&seat.machine, &plan.subnets, &[]).await?;
        Ok(Self { plan, tunnels: Mutex::default(), seat })
    }

    pub fn address(&self) -> Ipv4Addr {
        self.seat.address
    }

    /// Configures the gateway, which then answers the peer.
    pub async fn configure(&self, tunnel: Tunnel) -> Result<()> {
        let _clock = meter::start(Work::Laboratory);
        let mut tunnels = self.tunnels.lock().await;
        self.gateway()?.apply(&tunnel).await?;
        tunnels.retain(|known| known.name != tunnel.name);
        tunnels.push(tunnel);
        self.exempt(&tunnels).await
    }

    pub(super) fn gateway(&self) -> Result<Arc<dyn Gateway>> {
        self.seat.gateway()
    }

    pub(super) fn subnets(&self) -> &[Ipv4Net] {
        &self.plan.subnets
    }

    /// What its tunnel to a VPC is called.
    pub fn tunnel_to(vpc: &str) -> String {
        format!("to-{vpc}")
    }

    /// Begins to bring a tunnel up that it was configured for.
    pub(super) async fn initiate(&self, tunnel: &str) -> Result<()> {
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

    pub(super) async fn forget(&self, tunnel: &str) -> Result<()> {
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

    async fn exempt(&self, tunnels: &[Tunnel]) -> Result<()> {
        let pairs: Vec<_> = tunnels.iter().flat_map(Tunnel::pairs).collect();
        translate(&self.seat.machine, &self.plan.subnets, &pairs).await
    }
}

/// A subnet's host, and the gateway's interface to it.
fn lan(plan: &CustomerPlan, number: usize) -> (String, String) {
    (format!("{}.{number}", plan.name), format!("lan{number}"))
}
