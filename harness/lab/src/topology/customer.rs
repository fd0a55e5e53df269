//! A customer: a gateway whose daemon stands in for a router of some vendor, and a host in each subnet.

use std::{net::Ipv4Addr, sync::Arc};

use ipnet::Ipv4Net;
use tokio::sync::Mutex;
use wire::audit::Side;

use super::{CustomerPlan, Lab, translate};
use crate::{
    Result,
    gateway::{self, Gateway, Tunnel},
    machine::Machine,
};

pub struct Customer {
    plan: CustomerPlan,
    address: Ipv4Addr,
    tunnels: Mutex<Vec<Tunnel>>,
    gateway: Box<dyn Gateway>,
    machine: Arc<Machine>,
}

impl Customer {
    pub(super) async fn build(lab: &Lab, plan: CustomerPlan, address: Ipv4Addr) -> Result<Self> {
        let name = format!("gateway-{}", plan.name);
        let machine = lab.gateway(&name, plan.daemon, &format!("c-{}", plan.name), address).await?;
        for (number, &subnet) in plan.subnets.iter().enumerate() {
            let inside = Ipv4Addr::from_bits(subnet.network().to_bits() + 1);
            let (station, interface) = (format!("{}.{number}", plan.name), format!("lan{number}"));
            lab.add_station(&station, Side::Remote, &machine, &interface, inside, subnet).await?;
        }
        translate(&machine, &plan.subnets, &[]).await?;
        let gateway = gateway::start(plan.daemon, Arc::clone(&machine)).await?;
        Ok(Self { plan, address, tunnels: Mutex::default(), gateway, machine })
    }

    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Configures the gateway, which then answers the peer.
    pub async fn configure(&self, tunnel: Tunnel) -> Result<()> {
        let mut tunnels = self.tunnels.lock().await;
        self.gateway.apply(&tunnel).await?;
        tunnels.retain(|known| known.name != tunnel.name);
        tunnels.push(tunnel);
        self.exempt(&tunnels).await
    }

    /// What its tunnel to a VPC is called.
    pub fn tunnel_to(vpc: &str) -> String {
        format!("to-{vpc}")
    }

    /// Begins to bring a tunnel up that it was configured for.
    pub(super) async fn initiate(&self, tunnel: &str) -> Result<()> {
        let tunnels = self.tunnels.lock().await;
        match tunnels.iter().find(|known| known.name == tunnel) {
            Some(tunnel) => self.gateway.initiate(tunnel).await,
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
        self.gateway.terminate(&tunnels.remove(at)).await?;
        self.exempt(&tunnels).await
    }

    async fn exempt(&self, tunnels: &[Tunnel]) -> Result<()> {
        let pairs: Vec<_> = tunnels.iter().flat_map(Tunnel::pairs).collect();
        translate(&self.machine, &self.plan.subnets, &pairs).await
    }
}
