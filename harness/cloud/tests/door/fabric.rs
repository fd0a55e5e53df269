//! A network that is a table: tunnels come up unless the peer is refused, and stay up unless it is cut off.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use tunnelproof_cloud::{Fabric, Router, RouterError, RouterPlan, Tier, Tunnel, TunnelStatus, Usage, router::Future};
use uuid::Uuid;

#[derive(Default)]
pub struct Network {
    /// Everything routers were asked to do, but for their status and usage.
    pub log: Mutex<Vec<String>>,
    /// The last tunnel that was applied.
    pub applied: Mutex<Option<Tunnel>>,
    /// Peers with which no tunnel is established.
    pub refused: Mutex<BTreeSet<Ipv4Addr>>,
    /// Peers with which establishing never ends.
    pub silent: Mutex<BTreeSet<Ipv4Addr>>,
    /// Peers that cannot be reached any more.
    pub cut_off: Mutex<BTreeSet<Ipv4Addr>>,
    /// No router can be deployed or booted.
    pub full: Mutex<bool>,
    pub names: Mutex<BTreeMap<String, Ipv4Addr>>,
    /// By connection: the VPC, the peer, and what was carried.
    tunnels: Mutex<BTreeMap<Uuid, (String, Ipv4Addr, Usage)>>,
}

impl Network {
    pub fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }

    fn note(&self, text: String) {
        self.log.lock().unwrap().push(text);
    }

    /// Bytes through every tunnel that there is with this peer.
    pub fn carry(&self, peer: [u8; 4], sent: u64, received: u64) {
        for (_, with, usage) in self.tunnels.lock().unwrap().values_mut() {
            if *with == Ipv4Addr::from(peer) {
                usage.sent_bytes += sent;
                usage.received_bytes += received;
            }
        }
    }

    pub fn cut_off(&self, peer: [u8; 4]) {
        self.cut_off.lock().unwrap().insert(peer.into());
    }

    pub fn refuse(&self, peer: [u8; 4]) {
        self.refused.lock().unwrap().insert(peer.into());
    }

    pub fn tunnels(&self) -> usize {
        self.tunnels.lock().unwrap().len()
    }

    fn forget(&self, vpc: &str) {
        self.tunnels.lock().unwrap().retain(|_, (of, _, _)| of != vpc);
    }
}

/// What routers are deployed on: the network, shared with the test.
pub struct Shared(pub Arc<Network>);

impl Fabric for Shared {
    fn deploy(&self, plan: RouterPlan) -> Future<'_, Arc<dyn Router>> {
        let network = self.0.clone();
        Box::pin(async move {
            if *network.full.lock().unwrap() {
                return Err(RouterError::Failed("no room".to_owned()));
            }
            network.forget(&plan.vpc);
            network.note(format!("deploy {} {} {}", plan.vpc, plan.cidr, plan.public_address));
            Ok(Arc::new(Table { vpc: plan.vpc, network, runs: AtomicBool::new(true) }) as Arc<dyn Router>)
        })
    }

    fn resolve(&self, name: &str) -> Future<'_, Ipv4Addr> {
        let found = self.0.names.lock().unwrap().get(name).copied();
        let name = name.to_owned();
        Box::pin(async move { found.ok_or(RouterError::Failed(format!("{name} is not known"))) })
    }
}

struct Table {
    vpc: String,
    network: Arc<Network>,
    runs: AtomicBool,
}

impl Table {
    fn done(&self, text: String) -> Future<'_, ()> {
        assert!(self.runs.load(SeqCst) || text.ends_with("destroy"), "{text} while it is stopped");
        Box::pin(async move {
            self.network.note(text);
            Ok(())
        })
    }
}

impl Router for Table {
    fn add_tier(&self, tier: Tier) -> Future<'_, ()> {
        self.done(format!("{} add {} {} {}", self.vpc, tier.name, tier.gateway, tier.network))
    }

    fn remove_tier(&self, name: &str) -> Future<'_, ()> {
        self.done(format!("{} remove {name}", self.vpc))
    }

    fn apply(&self, tunnel: Tunnel) -> Future<'_, ()> {
        assert!(self.runs.load(SeqCst));
        Box::pin(async move {
            let Tunnel { local, local_cidr, peer, peer_cidrs, policy, passive, .. } = &tunnel;
            let peer_cidrs: Vec<_> = peer_cidrs.iter().map(ToString::to_string).collect();
            self.network.note(format!(
                "{} apply {local} {local_cidr} = {peer} {} ike {} esp {} passive {passive} psk {}",
                self.vpc,
                peer_cidrs.join(" "),
                policy.ike,
                policy.esp,
                tunnel.key.expose()
            ));
            *self.network.applied.lock().unwrap() = Some(tunnel.clone());
            if self.network.silent.lock().unwrap().contains(peer) {
                std::future::pending::<()>().await;
            }
            if tunnel.wait && self.network.refused.lock().unwrap().contains(peer) {
                return Err(RouterError::NotEstablished("no proposal chosen".to_owned()));
            }
            let applied = (self.vpc.clone(), *peer, Usage::default());
            self.network.tunnels.lock().unwrap().insert(tunnel.connection, applied);
            Ok(())
        })
    }

    fn remove(&self, connection: Uuid) -> Future<'_, ()> {
        let peer = self.network.tunnels.lock().unwrap().remove(&connection).map(|(_, peer, _)| peer);
        self.done(format!("{} take down {peer:?}", self.vpc))
    }

    fn status(&self, connection: Uuid) -> Future<'_, TunnelStatus> {
        Box::pin(async move {
            let Some((_, peer, _)) = self.network.tunnels.lock().unwrap().get(&connection).cloned() else {
                return Ok(TunnelStatus::Down);
            };
            let down = self.network.cut_off.lock().unwrap().contains(&peer)
                || self.network.refused.lock().unwrap().contains(&peer);
            Ok(if down { TunnelStatus::Down } else { TunnelStatus::Up })
        })
    }

    fn usage(&self, connection: Uuid) -> Future<'_, Usage> {
        Box::pin(async move {
            let tunnels = self.network.tunnels.lock().unwrap();
            tunnels.get(&connection).map(|(_, _, usage)| *usage).ok_or(RouterError::Failed("no such tunnel".to_owned()))
        })
    }

    fn stop(&self) -> Future<'_, ()> {
        self.network.forget(&self.vpc);
        let stopping = self.done(format!("{} stop", self.vpc));
        self.runs.store(false, SeqCst);
        stopping
    }

    fn start(&self) -> Future<'_, ()> {
        if *self.network.full.lock().unwrap() {
            return Box::pin(async { Err(RouterError::Failed("no room".to_owned())) });
        }
        self.runs.store(true, SeqCst);
        self.done(format!("{} start", self.vpc))
    }

    fn destroy(&self) -> Future<'_, ()> {
        self.network.forget(&self.vpc);
        self.done(format!("{} destroy", self.vpc))
    }
}
