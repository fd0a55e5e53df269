//! The virtual routers behind the service: what it asks of the network, and nothing of how.

use std::{net::Ipv4Addr, pin::Pin, sync::Arc};

use ipnet::Ipv4Net;
pub use policy::IkeVersion;
use serde::{Deserialize, Serialize};
use thiserror::Error;
pub use uuid::Uuid;

pub type Future<'a, T> = Pin<Box<dyn std::future::Future<Output = Result<T, RouterError>> + Send + 'a>>;

/// Where routers are deployed.
pub trait Fabric: Send + Sync + 'static {
    /// Deploys the router of a VPC and boots it. A service that starts over an existing store deploys
    /// the routers of its VPCs again, then adds their tiers and applies their tunnels.
    fn deploy(&self, plan: RouterPlan) -> Future<'_, Arc<dyn Router>>;

    /// The address of a customer gateway that is given by name. A network without a name service
    /// leaves this as it is: connections to names then fail.
    fn resolve(&self, name: &str) -> Future<'_, Ipv4Addr> {
        let reason = format!("{name} cannot be resolved: there is no name service");
        Box::pin(async move { Err(RouterError::Failed(reason)) })
    }
}

/// The virtual router of one VPC. The service asks for one thing at a time, except for `status` and
/// `usage`, and never for anything but `start` and `destroy` between `stop` and `start`.
pub trait Router: Send + Sync + 'static {
    fn add_tier(&self, tier: Tier) -> Future<'_, ()>;

    fn remove_tier(&self, name: &str) -> Future<'_, ()>;

    /// Configures the tunnel, in place of an earlier one of the same connection, and initiates it
    /// unless it is passive.
    ///
    /// With [`Tunnel::wait`] it resolves once the tunnel is established, or `NotEstablished` if that
    /// takes more than the router's patience. Without, it resolves as soon as the daemon has the
    /// configuration and has been told to initiate; the daemon goes on trying, and `status` tells.
    fn apply(&self, tunnel: Tunnel) -> Future<'_, ()>;

    /// Takes the tunnel down and forgets it. Nothing to do is success.
    fn remove(&self, connection: Uuid) -> Future<'_, ()>;

    /// A tunnel that the router does not know is down.
    fn status(&self, connection: Uuid) -> Future<'_, TunnelStatus>;

    /// Bytes of inner IP packets, headers included, that the connection has carried since its tunnel
    /// was applied or, if that was later, the router was started. It must not fall while the tunnel
    /// stays: bytes of SAs that were replaced by a rekey still count. A router that does not count
    /// leaves this as it is, and usage records then stay as they are.
    fn usage(&self, _: Uuid) -> Future<'_, Usage> {
        Box::pin(async { Err(RouterError::Failed("it does not count bytes".to_owned())) })
    }

    /// Shuts the router down. Afterwards nothing passes it, it answers no IKE, and it has forgotten
    /// its tunnels and their counters. Its tiers and addresses are kept for `start`.
    fn stop(&self) -> Future<'_, ()> {
        Box::pin(async { Err(RouterError::Failed("it cannot be stopped".to_owned())) })
    }

    /// Boots a router that was stopped: with its tiers, without tunnels. The service then applies the
    /// tunnels again. A reboot is `stop`, then `start`.
    fn start(&self) -> Future<'_, ()> {
        Box::pin(async { Err(RouterError::Failed("it cannot be started".to_owned())) })
    }

    fn destroy(&self) -> Future<'_, ()>;
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterPlan {
    /// The name given to createVPC.
    pub vpc: String,
    pub cidr: Ipv4Net,
    pub public_address: Ipv4Addr,
}

/// A network of the VPC, named as in createNetwork; names are unique within a VPC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tier {
    pub name: String,
    pub gateway: Ipv4Addr,
    pub network: Ipv4Net,
}

/// All a router needs to know of a connection.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tunnel {
    /// Stays the same for as long as the connection exists. It, and not the peer, tells tunnels apart:
    /// two of one router may have the same peer.
    pub connection: Uuid,
    pub local: Ipv4Addr,
    /// The whole VPC, not its tiers.
    pub local_cidr: Ipv4Net,
    pub peer: Ipv4Addr,
    pub peer_cidrs: Vec<Ipv4Net>,
    pub policy: policy::Policy,
    /// Never has a double quote, a line end or a carriage return in it.
    pub key: policy::PreSharedKey,
    /// Wait for the peer to initiate.
    pub passive: bool,
    /// Whether `apply` waits until the tunnel is established.
    pub wait: bool,
    pub ike: IkeVersion,
    /// Wrap ESP in UDP even where no NAT is found.
    pub force_encapsulation: bool,
    /// One child SA for each of the peer's networks, rather than one for all of them.
    pub split: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TunnelStatus {
    Up,
    Down,
}

/// Bytes of inner IP packets, as the VPC sees them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// From the VPC to the customer.
    pub sent_bytes: u64,
    pub received_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum RouterError {
    #[error("the tunnel was not established: {0}")]
    NotEstablished(String),
    #[error("the router failed: {0}")]
    Failed(String),
}
