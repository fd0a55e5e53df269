//! The modelled world: routers without packets, whose tunnels are as [`policy::predict`] says.
//!
//! Nothing is configured and nothing is sent, so that a service over it needs no privileges, and a
//! change takes no time. Tunnels carry no bytes.

use std::{
    collections::HashMap,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::Duration,
};

use ipnet::Ipv4Net;
use policy::{Daemon, End, Initiator, Prediction, predict};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    Fabric, Router, RouterError, RouterPlan, Tier, Tunnel, TunnelStatus, Usage, lock, router::Future, rule::host,
};

/// A fabric without packets.
#[derive(Clone, Debug)]
pub struct Modelled(Arc<Customers>);

/// What answers on the internet.
#[derive(Debug)]
enum Customers {
    /// Each address that is asked, configured as the caller of the API has described it.
    Agreeing,
    Listed(Vec<ModelledCustomer>),
}

/// A customer gateway, configured as its owner has it for one VPC, whatever the API was told.
#[derive(Clone, Debug)]
pub struct ModelledCustomer {
    pub address: Ipv4Addr,
    /// The VPC's network.
    pub vpc: Ipv4Net,
    /// The daemon of the VPC's router.
    pub router: Option<Daemon>,
    pub end: End,
    /// Which of the two begins.
    pub initiator: Initiator,
}

impl Modelled {
    /// Every address answers, and agrees with what the API was told of it. Names that could be host
    /// names resolve, to addresses of the network for benchmarks (RFC 2544), 198.19.0.0/16.
    pub fn agreeing() -> Self {
        Self(Arc::new(Customers::Agreeing))
    }

    /// These answer, and nobody else. No name resolves.
    pub fn with(customers: impl IntoIterator<Item = ModelledCustomer>) -> Self {
        Self(Arc::new(Customers::Listed(customers.into_iter().collect())))
    }
}

impl Fabric for Modelled {
    fn deploy(&self, _: RouterPlan) -> Future<'_, Arc<dyn Router>> {
        let router = ModelledRouter { customers: Arc::clone(&self.0), tunnels: Mutex::default() };
        Box::pin(async move { Ok(Arc::new(router) as Arc<dyn Router>) })
    }

    fn resolve(&self, name: &str) -> Future<'_, Ipv4Addr> {
        let address = match &*self.0 {
            Customers::Agreeing if host::may_resolve(name) => Ok(address_of(name)),
            _ => Err(RouterError::Failed(format!("{name} cannot be resolved: there is no such name"))),
        };
        Box::pin(async move { address })
    }
}

/// The same for the same name, whenever it is asked (FNV-1a, folded to the 16 bits of the network).
fn address_of(name: &str) -> Ipv4Addr {
    let hash = name
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0193));
    Ipv4Addr::from_bits(Ipv4Addr::new(198, 19, 0, 0).to_bits() | ((hash >> 16) ^ (hash & 0xffff)))
}

struct ModelledRouter {
    customers: Arc<Customers>,
    /// Of each connection, until when its tunnel is up, or why it is not.
    tunnels: Mutex<HashMap<Uuid, Result<Until, String>>>,
}

/// When a tunnel that cannot be rekeyed goes down; never, if it can.
type Until = Option<Instant>;

impl Customers {
    /// Until when the tunnel is up that now comes up, or why it does not.
    fn answer(&self, tunnel: &Tunnel) -> Result<Until, String> {
        let router = End {
            daemon: None,
            policy: tunnel.policy.clone(),
            ike: tunnel.ike,
            key: tunnel.key.clone(),
            knows_peer: true,
            local_nets: vec![tunnel.local_cidr],
            peer_nets: tunnel.peer_cidrs.clone(),
        };
        let prediction = match self {
            Self::Agreeing => predict(&router, &router.seen_from_the_peer(), Initiator::Cloud),
            Self::Listed(listed) => {
                let meant = |known: &&ModelledCustomer| (known.address, known.vpc) == (tunnel.peer, tunnel.local_cidr);
                let Some(customer) = listed.iter().find(meant) else {
                    return Err(format!("{} does not answer", tunnel.peer));
                };
                let router = End { daemon: customer.router, ..router };
                predict(&router, &customer.end, customer.initiator)
            }
        };
        match &prediction {
            Prediction::Established(_) => Ok(None),
            Prediction::Partly(agreement, failure) if failure.at_rekey => {
                Ok(Some(Instant::now() + Duration::from_secs(agreement.esp_lifetime().0.into())))
            }
            Prediction::Partly(_, failure) | Prediction::Fails(failure) => Err(failure.to_string()),
        }
    }
}

impl Router for ModelledRouter {
    fn add_tier(&self, _: Tier) -> Future<'_, ()> {
        done()
    }

    fn remove_tier(&self, _: &str) -> Future<'_, ()> {
        done()
    }

    fn apply(&self, tunnel: Tunnel) -> Future<'_, ()> {
        let answer = self.customers.answer(&tunnel);
        lock(&self.tunnels).insert(tunnel.connection, answer.clone());
        Box::pin(async move {
            match answer {
                Err(reason) if tunnel.wait && !tunnel.passive => Err(RouterError::NotEstablished(reason)),
                _ => Ok(()),
            }
        })
    }

    fn remove(&self, connection: Uuid) -> Future<'_, ()> {
        lock(&self.tunnels).remove(&connection);
        done()
    }

    fn status(&self, connection: Uuid) -> Future<'_, TunnelStatus> {
        let tunnel = lock(&self.tunnels).get(&connection).cloned();
        let up = matches!(tunnel, Some(Ok(until)) if until.is_none_or(|until| Instant::now() < until));
        Box::pin(async move { Ok(if up { TunnelStatus::Up } else { TunnelStatus::Down }) })
    }

    fn usage(&self, _: Uuid) -> Future<'_, Usage> {
        Box::pin(async { Ok(Usage::default()) })
    }

    fn stop(&self) -> Future<'_, ()> {
        lock(&self.tunnels).clear();
        done()
    }

    fn start(&self) -> Future<'_, ()> {
        done()
    }

    fn destroy(&self) -> Future<'_, ()> {
        lock(&self.tunnels).clear();
        done()
    }
}

fn done() -> Future<'static, ()> {
    Box::pin(async { Ok(()) })
}
