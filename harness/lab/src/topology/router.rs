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

use super::{FAREWELL, Lab, Seat, WAN, translate};
use crate::{
    Error, Result,
    fault::Place,
    gateway::{self, Gateway, Tunnel},
    machine::Machine,
    nft, xfrm,
};

/// How long a router tries to bring a tunnel up before it gives up: CloudStack 4.0's script waits for Openswan,
/// which tries twice for 20 s (`keyingtries=2`), and then looks five times more, a second apart.
const PATIENCE: Duration = Duration::from_secs(45);

/// Deploys routers in a laboratory. A router outlives whoever manages it: a service that starts again finds it, and is
/// given it as it is.
pub struct Deployment {
    lab: Arc<Lab>,
    flaw: Option<Flaw>,
    routers: Mutex<BTreeMap<String, Arc<VirtualRouter>>>,
}

/// What all routers can be made to do wrong, to see whether that is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// What is for a tunnel is translated like everything else.
    Translates,
    /// Nothing keeps a packet that no tunnel takes from leaving as it is.
    LetsPass,
    /// A router that is stopped goes on forwarding, without tunnels, and lets pass what no tunnel takes.
    ForwardsWhenStopped,
}

impl Deployment {
    pub fn new(lab: Arc<Lab>) -> Self {
        Self { lab, flaw: None, routers: Mutex::default() }
    }

    /// Of routers that are not as they should be.
    pub fn with_flaw(lab: Arc<Lab>, flaw: Flaw) -> Self {
        Self { flaw: Some(flaw), ..Self::new(lab) }
    }

    /// A router that runs, or would if it were switched on.
    async fn known(&self, plan: &RouterPlan) -> Option<Arc<VirtualRouter>> {
        let known = self.routers.lock().unwrap_or_else(PoisonError::into_inner).get(&plan.vpc).cloned();
        let known = known.filter(|known| known.plan == *plan)?;
        // Whatever was begun with it is brought to its end first.
        let _turn = known.turn.lock().await;
        let is_there = known.seat.lock().await.is_some();
        is_there.then(|| Arc::clone(&known))
    }
}

impl Fabric for Deployment {
    fn deploy(&self, plan: RouterPlan) -> Future<'_, Arc<dyn Router>> {
        Box::pin(async move {
            if let Some(router) = self.known(&plan).await {
                self.lab.work(router.wake()).await?;
                return Ok(Arc::new(Handle(router)) as Arc<dyn Router>);
            }
            let vpc = plan.vpc.clone();
            let router = Arc::new(self.lab.work(VirtualRouter::build(Arc::clone(&self.lab), plan, self.flaw)).await?);
            self.lab.known_routers().insert(vpc.clone(), Arc::downgrade(&router));
            self.routers.lock().unwrap_or_else(PoisonError::into_inner).insert(vpc, Arc::clone(&router));
            Ok(Arc::new(Handle(router)) as Arc<dyn Router>)
        })
    }
}

/// A VPC's router: a gateway with an interface for each tier.
pub(super) struct VirtualRouter {
    lab: Arc<Lab>,
    plan: RouterPlan,
    flaw: Option<Flaw>,
    tiers: Mutex<BTreeMap<String, String>>,
    tunnels: Mutex<BTreeMap<Uuid, Carried>>,
    /// Until it is destroyed.
    seat: AsyncMutex<Option<Seat>>,
    machine: Arc<Machine>,
    /// Held while something is done to it.
    turn: AsyncMutex<()>,
}

/// A tunnel, and since when its bytes count.
#[derive(Clone)]
struct Carried {
    tunnel: Tunnel,
    /// The router waits for the other end to begin.
    passive: bool,
    /// Nanoseconds since 1970.
    since_ns: u64,
    /// What it had carried when it was applied once more as it was.
    before: Usage,
}

impl VirtualRouter {
    async fn build(lab: Arc<Lab>, plan: RouterPlan, flaw: Option<Flaw>) -> Result<Self> {
        let planned = lab.plan.routers.get(&plan.vpc).copied();
        let daemon = planned.or(lab.plan.standing.map(|standing| standing.router)).ok_or_else(|| {
            let known: Vec<_> = lab.plan.routers.keys().map(String::as_str).collect();
            Error::Address(format!("no router is planned for the VPC `{}`, only for {}", plan.vpc, known.join(", ")))
        })?;
        let name = format!("router-{}", plan.vpc);
        let seat = lab.gateway(&name, &format!("r-{}", plan.vpc), daemon, plan.public_address, false).await?;
        let machine = Arc::clone(&seat.machine);
        let (tiers, tunnels) = (Mutex::default(), Mutex::default());
        let (seat, turn) = (AsyncMutex::new(Some(seat)), AsyncMutex::default());
        let router = Self { lab, plan, flaw, tiers, tunnels, seat, machine, turn };
        router.exempt().await?;
        Ok(router)
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
        if self.flaw == Some(Flaw::LetsPass) {
            return nft::clear(&self.machine).await;
        }
        let pairs: Vec<_> = if self.flaw == Some(Flaw::Translates) {
            Vec::new()
        } else {
            let tunnels = self.tunnels.lock().unwrap_or_else(PoisonError::into_inner);
            tunnels.values().flat_map(|carried| carried.tunnel.pairs().collect::<Vec<_>>()).collect()
        };
        translate(&self.machine, &[self.plan.cidr], &pairs).await
    }

    /// Switches it on, if it is off.
    async fn wake(&self) -> Result<()> {
        if self.gateway().await.is_ok() { Ok(()) } else { self.boot().await }
    }

    async fn take_tier(&self, tier: Tier) -> Result<()> {
        if self.tiers.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&tier.name) {
            return Ok(());
        }
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
        let tunnel = Tunnel {
            name: format!("vpn-{}", wanted.connection.simple()),
            local: wanted.local,
            identity: None,
            peer: wanted.peer,
            local_nets: vec![wanted.local_cidr],
            peer_nets: wanted.peer_cidrs,
            policy: wanted.policy,
            key: wanted.key,
            ike: wanted.ike,
            encapsulate: wanted.force_encapsulation,
        };
        if let Some(former) = self.carried(wanted.connection) {
            if former.tunnel == tunnel && gateway.status(&tunnel).await?.is_up() {
                return self.count_anew(wanted.connection).await.map(Ok);
            }
            self.take_down(gateway.as_ref(), &former.tunnel).await?;
        }
        let (passive, since_ns, before) = (wanted.passive, now_ns(), Usage::default());
        let carried = Carried { tunnel: tunnel.clone(), passive, since_ns, before };
        self.tunnels.lock().unwrap_or_else(PoisonError::into_inner).insert(wanted.connection, carried);
        self.exempt().await?;
        self.lab.meet(&tunnel).await?;
        gateway.apply(&tunnel).await?;
        match self.lab.plan.initiator {
            Initiator::Cloud if wanted.passive => {}
            Initiator::Cloud => gateway.initiate(&tunnel).await?,
            // A release that waits has no word for whoever is to begin, one that does not has said that this is the router.
            Initiator::Customer if !wanted.passive && !wanted.wait => gateway.initiate(&tunnel).await?,
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

    /// Whoever applies a tunnel counts its bytes from then on.
    async fn count_anew(&self, connection: Uuid) -> Result<()> {
        let now = self.usage_of(connection).await?;
        if let Some(carried) = self.tunnels.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&connection) {
            carried.before.sent_bytes += now.sent_bytes;
            carried.before.received_bytes += now.received_bytes;
        }
        Ok(())
    }

    async fn status_of(&self, connection: Uuid) -> Result<TunnelStatus> {
        let Some(tunnel) = self.tunnel(connection) else { return Ok(TunnelStatus::Down) };
        let up = self.gateway().await?.status(&tunnel).await?.is_up();
        Ok(if up { TunnelStatus::Up } else { TunnelStatus::Down })
    }

    /// Kernels count the inner packets, headers included. Two tunnels to one peer at a time are not told apart.
    async fn usage_of(&self, connection: Uuid) -> Result<Usage> {
        let Some(Carried { tunnel, since_ns, before, .. }) = self.carried(connection) else {
            return Ok(Usage::default());
        };
        let (mut sent_bytes, mut received_bytes) = (0, 0);
        for life in self.lab.lives_on(self.machine.name()).await?.iter().filter(|life| life.added_ns >= since_ns) {
            match (life.sa.source, life.sa.destination) {
                ends if ends == (tunnel.local, tunnel.peer) => sent_bytes += life.sa.bytes,
                ends if ends == (tunnel.peer, tunnel.local) => received_bytes += life.sa.bytes,
                _ => {}
            }
        }
        Ok(Usage {
            sent_bytes: sent_bytes.saturating_sub(before.sent_bytes),
            received_bytes: received_bytes.saturating_sub(before.received_bytes),
        })
    }

    /// As if its plug were pulled: the daemon is gone, and with it all that the kernel had of its tunnels.
    async fn shut_down(&self) -> Result<()> {
        if let Some(seat) = &*self.seat.lock().await {
            seat.stop().await;
        }
        if self.flaw != Some(Flaw::ForwardsWhenStopped) {
            for interface in self.interfaces().iter().map(String::as_str).chain([WAN]) {
                self.machine.take_down(interface).await?;
            }
        }
        xfrm::clear(&self.machine).await?;
        self.tunnels.lock().unwrap_or_else(PoisonError::into_inner).clear();
        match self.flaw {
            Some(Flaw::ForwardsWhenStopped) => nft::clear(&self.machine).await,
            _ => self.exempt().await,
        }
    }

    async fn boot(&self) -> Result<()> {
        for interface in self.interfaces() {
            self.machine.bring_up(&interface).await?;
        }
        let seat = self.seat.lock().await;
        let seat = seat.as_ref().ok_or_else(|| self.gone())?;
        if self.flaw != Some(Flaw::ForwardsWhenStopped) {
            seat.connect().await?;
        }
        seat.start().await
    }

    pub(super) async fn place(&self) -> Result<Place> {
        self.seat.lock().await.as_ref().map(Seat::place).ok_or_else(|| self.gone())
    }

    pub(super) async fn kill_daemon(&self) -> Result<()> {
        self.seat.lock().await.as_ref().ok_or_else(|| self.gone())?.kill().await;
        Ok(())
    }

    /// Starts the daemon anew, with the tunnels that it had.
    pub(super) async fn restart_daemon(&self) -> Result<()> {
        let gateway = {
            let seat = self.seat.lock().await;
            let seat = seat.as_ref().ok_or_else(|| self.gone())?;
            seat.kill().await;
            seat.start().await?;
            seat.gateway()?
        };
        let carried: Vec<Carried> = {
            let tunnels = self.tunnels.lock().unwrap_or_else(PoisonError::into_inner);
            tunnels.values().cloned().collect()
        };
        for Carried { tunnel, passive, .. } in &carried {
            gateway.apply(tunnel).await?;
            if !passive && self.lab.plan.initiator == Initiator::Cloud {
                gateway.initiate(tunnel).await?;
            }
        }
        Ok(())
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
        match gateway::is_gone(gateway, tunnel, FAREWELL).await {
            // A daemon may wait for an answer that will never come.
            Err(Error::Deadline { .. }) if self.lab.faults.any() => {
                gateway::without_daemon(Arc::clone(&self.machine)).terminate(tunnel).await
            }
            gone => gone,
        }
    }
}

/// The way to a router. What was begun is brought to its end, whatever becomes of who asked for it.
struct Handle(Arc<VirtualRouter>);

impl Handle {
    fn order<T, W>(&self, work: impl FnOnce(Arc<VirtualRouter>) -> W + Send + 'static) -> Future<'_, T>
    where
        T: Send + 'static,
        W: std::future::Future<Output = Result<T>> + Send + 'static,
    {
        let router = Arc::clone(&self.0);
        let task = tokio::spawn(async move {
            let _turn = router.turn.lock().await;
            router.lab.work(work(Arc::clone(&router))).await
        });
        Box::pin(async move { task.await.unwrap_or_else(|e| Err(RouterError::Failed(e.to_string()))) })
    }
}

impl Router for Handle {
    fn add_tier(&self, tier: Tier) -> Future<'_, ()> {
        self.order(|router| async move { router.take_tier(tier).await })
    }

    fn remove_tier(&self, name: &str) -> Future<'_, ()> {
        let name = name.to_owned();
        self.order(|router| async move { router.drop_tier(&name).await })
    }

    fn apply(&self, tunnel: cloud::router::Tunnel) -> Future<'_, ()> {
        let applied = self.order(|router| async move { router.establish(tunnel).await });
        Box::pin(async move { applied.await?.map_err(RouterError::NotEstablished) })
    }

    fn remove(&self, connection: Uuid) -> Future<'_, ()> {
        self.order(move |router| async move { router.forget(connection).await })
    }

    fn status(&self, connection: Uuid) -> Future<'_, TunnelStatus> {
        self.0.lab.work(self.0.status_of(connection))
    }

    fn usage(&self, connection: Uuid) -> Future<'_, Usage> {
        self.0.lab.work(self.0.usage_of(connection))
    }

    fn stop(&self) -> Future<'_, ()> {
        self.order(|router| async move { router.shut_down().await })
    }

    fn start(&self) -> Future<'_, ()> {
        self.order(|router| async move { router.boot().await })
    }

    fn destroy(&self) -> Future<'_, ()> {
        self.order(|router| async move { router.leave().await })
    }
}

/// Of the clock that the SA log uses.
fn now_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}
