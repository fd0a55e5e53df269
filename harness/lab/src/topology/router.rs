//! The cloud's part: routers as the service asks for them, realised by machines.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use cloud::router::{Fabric, Future, Router, RouterError, RouterPlan, Tier, TunnelStatus, Usage};
use policy::Initiator;
use tokio::sync::Mutex as AsyncMutex;
use uuid::Uuid;
use wire::audit::Side;

use super::{Lab, Seat, WAN, translate};
use crate::{
    Error, Result,
    gateway::{self, Gateway, Tunnel},
    machine::Machine,
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
            let router = self.0.work(VirtualRouter::build(Arc::clone(&self.0), plan)).await?;
            Ok(Arc::new(router) as Arc<dyn Router>)
        })
    }
}

/// A VPC's router: a gateway with an interface for each tier.
struct VirtualRouter {
    lab: Arc<Lab>,
    plan: RouterPlan,
    tiers: Mutex<BTreeMap<String, String>>,
    tunnels: Mutex<BTreeMap<Uuid, Carried>>,
    /// Until it is destroyed.
    seat: AsyncMutex<Option<Seat>>,
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
        let seat = lab.gateway(&name, &format!("r-{}", plan.vpc), daemon, plan.public_address).await?;
        translate(&seat.machine, &[plan.cidr], &[]).await?;
        let machine = Arc::clone(&seat.machine);
        let (tiers, tunnels) = (Mutex::default(), Mutex::default());
        Ok(Self { lab, plan, tiers, tunnels, seat: AsyncMutex::new(Some(seat)), machine })
    }

    async fn gateway(&self) -> Result<Arc<dyn Gateway>> {
        self.seat.lock().await.as_ref().ok_or_else(|| self.gone())?.gateway()
    }

    fn gone(&self) -> Error {
        Error::MachineGone { machine: self.machine.name().to_owned() }
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
            self.lab.remove_station(&format!("{}.{name}", self.plan.vpc)).await;
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
        let up = gateway::comes_up(gateway.as_ref(), &tunnel, PATIENCE).await?;
        if up.is_err() {
            self.forget(wanted.connection).await?;
        }
        Ok(up)
    }

    async fn status_of(&self, connection: Uuid) -> Result<TunnelStatus> {
        let Some(tunnel) = self.tunnel(connection) else { return Ok(TunnelStatus::Down) };
        let up = self.gateway().await?.status(&tunnel).await?.is_up();
        Ok(if up { TunnelStatus::Up } else { TunnelStatus::Down })
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
        if let Some(seat) = &mut *self.seat.lock().await {
            seat.stop().await;
        }
        for interface in self.interfaces().iter().map(String::as_str).chain([WAN]) {
            self.machine.take_down(interface).await?;
        }
        xfrm::clear(&self.machine).await?;
        self.tunnels.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.exempt().await
    }

    async fn boot(&self) -> Result<()> {
        for interface in self.interfaces() {
            self.machine.bring_up(&interface).await?;
        }
        let mut seat = self.seat.lock().await;
        let seat = seat.as_mut().ok_or_else(|| self.gone())?;
        seat.connect().await?;
        seat.start().await
    }

    fn interfaces(&self) -> Vec<String> {
        let tiers = self.tiers.lock().unwrap_or_else(PoisonError::into_inner);
        tiers.values().cloned().collect()
    }

    async fn forget(&self, connection: Uuid) -> Result<()> {
        let Some(tunnel) = self.tunnel(connection) else { return Ok(()) };
        self.lab.dissuade(&self.plan.vpc, &tunnel).await?;
        self.take_down(self.gateway().await?.as_ref(), &tunnel).await?;
        self.lab.part(&tunnel).await?;
        self.tunnels.lock().unwrap_or_else(PoisonError::into_inner).remove(&connection);
        self.exempt().await
    }

    /// Gives the gateway back to the laboratory.
    async fn leave(&self) -> Result<()> {
        let tiers: Vec<String> = self.tiers.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
        for tier in tiers {
            self.drop_tier(&tier).await?;
        }
        match self.seat.lock().await.take() {
            Some(seat) => self.lab.park(seat).await,
            None => Ok(()),
        }
    }

    async fn take_down(&self, gateway: &dyn Gateway, tunnel: &Tunnel) -> Result<()> {
        gateway.terminate(tunnel).await?;
        gateway::is_gone(gateway, tunnel, FAREWELL).await
    }
}

impl Router for VirtualRouter {
    fn add_tier(&self, tier: Tier) -> Future<'_, ()> {
        self.lab.work(self.take_tier(tier))
    }

    fn remove_tier(&self, name: &str) -> Future<'_, ()> {
        let name = name.to_owned();
        self.lab.work(async move { self.drop_tier(&name).await })
    }

    fn apply(&self, tunnel: cloud::router::Tunnel) -> Future<'_, ()> {
        Box::pin(async move { self.lab.work(self.establish(tunnel)).await?.map_err(RouterError::NotEstablished) })
    }

    fn remove(&self, connection: Uuid) -> Future<'_, ()> {
        self.lab.work(self.forget(connection))
    }

    fn status(&self, connection: Uuid) -> Future<'_, TunnelStatus> {
        self.lab.work(self.status_of(connection))
    }

    fn usage(&self, connection: Uuid) -> Future<'_, Usage> {
        self.lab.work(self.usage_of(connection))
    }

    fn stop(&self) -> Future<'_, ()> {
        self.lab.work(self.shut_down())
    }

    fn start(&self) -> Future<'_, ()> {
        self.lab.work(self.boot())
    }

    fn destroy(&self) -> Future<'_, ()> {
        self.lab.work(self.leave())
    }
}

/// Of the clock that the SA log uses.
fn now_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}
