//! The cloud's part: routers as the service asks for them, realised by machines.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use cloud::router::{Fabric, Future, Router, RouterError, RouterPlan, Tier, TunnelStatus, Usage};
use ipnet::Ipv4Net;
use policy::{Daemon, Initiator};
use tokio::sync::Mutex as AsyncMutex;
use uuid::Uuid;
use wire::audit::Side;

use super::{Lab, before, translate};
use crate::{
    Error, Result,
    gateway::{self, Gateway, Tunnel},
    machine::Machine,
    wait::Wait,
    xfrm,
};

/// How long a router tries to bring a tunnel up before it gives up: CloudStack 4.0's script waits for Openswan,
/// which tries twice for 20 s (`keyingtries=2`), and then looks five times more, a second apart.
const PATIENCE: Duration = Duration::from_secs(45);
/// How long the SAs may stay after a tunnel was taken down.
const FAREWELL: Duration = Duration::from_secs(10);

/// Deploys routers in a laboratory.
pub struct Deployment(pub Arc<Lab>);

impl Fabric for Deployment {
    fn deploy(&self, plan: RouterPlan) -> Future<'_, Arc<dyn Router>> {
        Box::pin(async move {
            let router = VirtualRouter::build(Arc::clone(&self.0), plan).await.map_err(|e| self.0.failed(e))?;
            Ok(Arc::new(router) as Arc<dyn Router>)
        })
    }
}

/// A VPC's router: a gateway with an interface for each tier.
struct VirtualRouter {
    lab: Arc<Lab>,
    plan: RouterPlan,
    daemon: Daemon,
    tiers: Mutex<BTreeMap<String, String>>,
    tunnels: Mutex<BTreeMap<Uuid, Carried>>,
    gateway: AsyncMutex<Option<Arc<dyn Gateway>>>,
    machine: Arc<Machine>,
}

/// A tunnel, and since when its bytes count.
#[derive(Clone)]
struct Carried {
    tunnel: Tunnel,
    /// Nanoseconds since 1970.
    since_ns: u64,
}

impl VirtualRouter {
    async fn build(lab: Arc<Lab>, plan: RouterPlan) -> Result<Self> {
        let planned = lab.plan.routers.get(&plan.vpc).copied();
        let daemon = planned.or(lab.plan.standing.map(|standing| standing.router)).ok_or_else(|| {
            let known: Vec<_> = lab.plan.routers.keys().map(String::as_str).collect();
            Error::Address(format!("no router is planned for the VPC `{}`, only for {}", plan.vpc, known.join(", ")))
        })?;
        let name = format!("router-{}", plan.vpc);
        let interface = format!("r-{}", plan.vpc);
        let machine = lab.gateway(&name, daemon, &interface, plan.public_address).await?;
        translate(&machine, &[plan.cidr], &[]).await?;
        let gateway = gateway::start(daemon, Arc::clone(&machine)).await?;
        Ok(Self {
            lab,
            plan,
            daemon,
            tiers: Mutex::default(),
            tunnels: Mutex::default(),
            gateway: AsyncMutex::new(Some(gateway.into())),
            machine,
        })
    }

    async fn gateway(&self) -> Result<Arc<dyn Gateway>> {
        let gone = || Error::MachineGone { machine: self.machine.name().to_owned() };
        self.gateway.lock().await.clone().ok_or_else(gone)
    }

    fn tunnel(&self, connection: Uuid) -> Option<Tunnel> {
        self.carried(connection).map(|carried| carried.tunnel)
    }

    fn carried(&self, connection: Uuid) -> Option<Carried> {
        self.tunnels.lock().unwrap_or_else(PoisonError::into_inner).get(&connection).cloned()
    }

    async fn exempt(&self) -> Result<()> {
        let pairs: Vec<_> = {
            let tunnels = self.tunnels.lock().unwrap_or_else(PoisonError::into_inner);
            tunnels.values().flat_map(|carried| carried.tunnel.pairs().collect::<Vec<_>>()).collect()
        };
        translate(&self.machine, &[self.plan.cidr], &pairs).await
    }

    async fn take_tier(&self, tier: Tier) -> Result<()> {
        let station = format!("{}.{}", self.plan.vpc, tier.name);
        let interface = format!("t-{}", tier.name);
        let Tier { gateway, network, .. } = tier;
        self.lab.add_station(&station, Side::Local, &self.machine, &interface, gateway, network).await?;
        self.tiers.lock().unwrap_or_else(PoisonError::into_inner).insert(tier.name, interface);
        Ok(())
    }

    async fn drop_tier(&self, name: &str) -> Result<()> {
        let interface = self.tiers.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        if let Some(interface) = interface {
            self.machine.remove_interface(&interface).await?;
            self.lab.remove_station(&format!("{}.{name}", self.plan.vpc));
        }
        Ok(())
    }

    /// Whether the tunnel is up, or was not asked to be; in words what there was of it otherwise.
    async fn establish(&self, wanted: cloud::router::Tunnel) -> Result<std::result::Result<(), String>> {
        let gateway = self.gateway().await?;
        if let Some(former) = self.tunnel(wanted.connection) {
            self.take_down(gateway.as_ref(), &former).await?;
        }
        let tunnel = Tunnel {
            name: format!("vpn-{}", wanted.connection.simple()),
            local: wanted.local,
            peer: wanted.peer,
            local_nets: vec![wanted.local_cidr],
            peer_nets: wanted.peer_cidrs,
            policy: wanted.policy,
            key: wanted.key,
            ike: wanted.ike,
            encapsulate: wanted.force_encapsulation,
        };
        let carried = Carried { tunnel: tunnel.clone(), since_ns: now_ns() };
        self.tunnels.lock().unwrap_or_else(PoisonError::into_inner).insert(wanted.connection, carried);
        self.exempt().await?;
        self.lab.meet(&tunnel).await?;
        gateway.apply(&tunnel).await?;
        match self.lab.plan.initiator {
            Initiator::Cloud if wanted.passive => {}
            Initiator::Cloud => gateway.initiate(&tunnel).await?,
            // The router has the tunnel and answers; it is looked for as if it had begun itself.
            Initiator::Customer => self.lab.call(&self.plan.vpc, &tunnel).await?,
        }
        if wanted.passive || !wanted.wait {
            return Ok(Ok(()));
        }
        let wait = Wait::new("the tunnel", PATIENCE);
        loop {
            let status = gateway.status(&tunnel).await?;
            if status.is_up() {
                return Ok(Ok(()));
            }
            if wait.again(&status).await.is_err() {
                self.forget(wanted.connection).await?;
                return Ok(Err(status.to_string()));
            }
        }
    }

    /// Kernels count the inner packets, headers included. Two tunnels to one peer at a time are not told apart.
    async fn usage_of(&self, connection: Uuid) -> Result<Usage> {
        let Some(Carried { tunnel, since_ns }) = self.carried(connection) else { return Ok(Usage::default()) };
        let (mut sent_bytes, mut received_bytes) = (0, 0);
        for life in self.lab.lives_on(self.machine.name()).await?.iter().filter(|life| life.added_ns >= since_ns) {
            match (life.sa.source, life.sa.destination) {
                ends if ends == (tunnel.local, tunnel.peer) => sent_bytes += life.sa.bytes,
                ends if ends == (tunnel.peer, tunnel.local) => received_bytes += life.sa.bytes,
                _ => {}
            }
        }
        Ok(Usage { sent_bytes, received_bytes })
    }

    /// As if its plug were pulled: the daemon is gone, and with it all that the kernel had of its tunnels.
    async fn shut_down(&self) -> Result<()> {
        if let Some(gateway) = self.gateway.lock().await.take() {
            gateway.stop().await;
        }
        for interface in self.interfaces() {
            self.machine.take_down(&interface).await?;
        }
        xfrm::clear(&self.machine).await?;
        self.tunnels.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.exempt().await
    }

    async fn boot(&self) -> Result<()> {
        for interface in self.interfaces() {
            self.machine.bring_up(&interface).await?;
        }
        // Addresses outlast an interface that is down, routes do not.
        self.machine.add_route(Ipv4Net::default(), before(self.plan.public_address)).await?;
        let gateway = gateway::start(self.daemon, Arc::clone(&self.machine)).await?;
        *self.gateway.lock().await = Some(gateway.into());
        Ok(())
    }

    fn interfaces(&self) -> Vec<String> {
        let tiers = self.tiers.lock().unwrap_or_else(PoisonError::into_inner);
        tiers.values().cloned().chain([super::WAN.to_owned()]).collect()
    }

    async fn forget(&self, connection: Uuid) -> Result<()> {
        let Some(tunnel) = self.tunnel(connection) else { return Ok(()) };
        self.take_down(self.gateway().await?.as_ref(), &tunnel).await?;
        self.lab.part(&tunnel).await?;
        self.tunnels.lock().unwrap_or_else(PoisonError::into_inner).remove(&connection);
        self.exempt().await
    }

    async fn take_down(&self, gateway: &dyn Gateway, tunnel: &Tunnel) -> Result<()> {
        gateway.terminate(tunnel).await?;
        let wait = Wait::new(format!("the SAs of {} to go", tunnel.name), FAREWELL);
        loop {
            let status = gateway.status(tunnel).await?;
            if status.is_gone() {
                return Ok(());
            }
            wait.again(status).await?;
        }
    }
}

impl Router for VirtualRouter {
    fn add_tier(&self, tier: Tier) -> Future<'_, ()> {
        Box::pin(async move { self.take_tier(tier).await.map_err(|e| self.lab.failed(e)) })
    }

    fn remove_tier(&self, name: &str) -> Future<'_, ()> {
        let name = name.to_owned();
        Box::pin(async move { self.drop_tier(&name).await.map_err(|e| self.lab.failed(e)) })
    }

    fn apply(&self, tunnel: cloud::router::Tunnel) -> Future<'_, ()> {
        Box::pin(async move {
            self.establish(tunnel).await.map_err(|e| self.lab.failed(e))?.map_err(RouterError::NotEstablished)
        })
    }

    fn remove(&self, connection: Uuid) -> Future<'_, ()> {
        Box::pin(async move { self.forget(connection).await.map_err(|e| self.lab.failed(e)) })
    }

    fn status(&self, connection: Uuid) -> Future<'_, TunnelStatus> {
        Box::pin(async move {
            let Some(tunnel) = self.tunnel(connection) else { return Ok(TunnelStatus::Down) };
            let gateway = self.gateway().await.map_err(|e| self.lab.failed(e))?;
            let up = gateway.status(&tunnel).await.map_err(|e| self.lab.failed(e))?.is_up();
            Ok(if up { TunnelStatus::Up } else { TunnelStatus::Down })
        })
    }

    fn usage(&self, connection: Uuid) -> Future<'_, Usage> {
        Box::pin(async move { self.usage_of(connection).await.map_err(|e| self.lab.failed(e)) })
    }

    fn stop(&self) -> Future<'_, ()> {
        Box::pin(async move { self.shut_down().await.map_err(|e| self.lab.failed(e)) })
    }

    fn start(&self) -> Future<'_, ()> {
        Box::pin(async move { self.boot().await.map_err(|e| self.lab.failed(e)) })
    }

    fn destroy(&self) -> Future<'_, ()> {
        Box::pin(async move {
            let tiers: Vec<String> =
                self.tiers.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
            for tier in tiers {
                self.drop_tier(&tier).await.map_err(|e| self.lab.failed(e))?;
            }
            if let Some(gateway) = self.gateway.lock().await.take() {
                gateway.stop().await;
            }
            self.machine.remove_interface(super::WAN).await.map_err(|e| self.lab.failed(e))
        })
    }
}

/// Of the clock that the SA log uses.
fn now_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}
