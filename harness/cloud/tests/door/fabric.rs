//! A network that is a table: tunnels come up unless the peer is refused, and stay up unless it is cut off.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use tunnelproof_cloud::{Fabric, Router, RouterError, RouterPlan, Tier, Tunnel, TunnelStatus, router::Future};

#[derive(Default)]
pub struct Network {
    /// Everything routers were asked to do, but for their status.
    pub log: Mutex<Vec<String>>,
    /// Peers with which no tunnel is established.
    pub refused: Mutex<BTreeSet<Ipv4Addr>>,
    /// Peers with which establishing never ends.
    pub silent: Mutex<BTreeSet<Ipv4Addr>>,
    /// Peers that cannot be reached any more.
    pub cut_off: Mutex<BTreeSet<Ipv4Addr>>,
    /// No router can be deployed.
    pub full: Mutex<bool>,
}

impl Network {
    pub fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }

    fn note(&self, text: String) {
        self.log.lock().unwrap().push(text);
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
            network.note(format!("deploy {} {} {}", plan.vpc, plan.cidr, plan.public_address));
            Ok(Arc::new(Table { vpc: plan.vpc, network, tunnels: Mutex::default() }) as Arc<dyn Router>)
        })
    }
}

struct Table {
    vpc: String,
    network: Arc<Network>,
    tunnels: Mutex<BTreeMap<uuid::Uuid, Ipv4Addr>>,
}

impl Table {
    fn done(&self, text: String) -> Future<'_, ()> {
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
            if self.network.silent.lock().unwrap().contains(peer) {
                std::future::pending::<()>().await;
            }
            if self.network.refused.lock().unwrap().contains(peer) {
                return Err(RouterError::NotEstablished("no proposal chosen".to_owned()));
            }
            self.tunnels.lock().unwrap().insert(tunnel.connection, *peer);
            Ok(())
        })
    }

    fn remove(&self, connection: uuid::Uuid) -> Future<'_, ()> {
        let peer = self.tunnels.lock().unwrap().remove(&connection);
        self.done(format!("{} take down {peer:?}", self.vpc))
    }

    fn status(&self, connection: uuid::Uuid) -> Future<'_, TunnelStatus> {
        Box::pin(async move {
            let tunnels = self.tunnels.lock().unwrap();
            let peer = tunnels.get(&connection).ok_or_else(|| RouterError::Failed("no such tunnel".to_owned()))?;
            let cut_off = self.network.cut_off.lock().unwrap().contains(peer);
            Ok(if cut_off { TunnelStatus::Down } else { TunnelStatus::Up })
        })
    }

    fn destroy(&self) -> Future<'_, ()> {
        self.done(format!("{} destroy", self.vpc))
    }
}
