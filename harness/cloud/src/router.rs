//! The virtual routers behind the service: what it asks of the network, and nothing of how.

use std::{net::Ipv4Addr, pin::Pin, sync::Arc};

use ipnet::Ipv4Net;
use thiserror::Error;
use uuid::Uuid;

pub type Future<'a, T> = Pin<Box<dyn std::future::Future<Output = Result<T, RouterError>> + Send + 'a>>;

/// Where routers are deployed.
pub trait Fabric: Send + Sync + 'static {
    /// Deploys the router of a VPC. A service that starts over an existing store deploys the routers
    /// of its VPCs again, then adds their tiers and applies their tunnels.
    fn deploy(&self, plan: RouterPlan) -> Future<'_, Arc<dyn Router>>;
}

/// The virtual router of one VPC. The service asks for one thing at a time, except for `status`.
pub trait Router: Send + Sync + 'static {
    fn add_tier(&self, tier: Tier) -> Future<'_, ()>;

    fn remove_tier(&self, name: &str) -> Future<'_, ()>;

    /// Configures the tunnel, in place of an earlier one of the same connection, and initiates it
    /// unless it is passive. Resolves once the tunnel is established; `NotEstablished` if that takes
    /// more than the router's patience.
    fn apply(&self, tunnel: Tunnel) -> Future<'_, ()>;

    /// Takes the tunnel down and forgets it. Nothing to do is success.
    fn remove(&self, connection: Uuid) -> Future<'_, ()>;

    fn status(&self, connection: Uuid) -> Future<'_, TunnelStatus>;

    fn destroy(&self) -> Future<'_, ()>;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouterPlan {
    /// The name given to createVPC.
    pub vpc: String,
    pub cidr: Ipv4Net,
    pub public_address: Ipv4Addr,
}

/// A network of the VPC, named as in createNetwork; names are unique within a VPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tier {
    pub name: String,
    pub gateway: Ipv4Addr,
    pub network: Ipv4Net,
}

/// All a router needs to know of a connection.
#[derive(Clone, Debug)]
pub struct Tunnel {
    pub connection: Uuid,
    pub local: Ipv4Addr,
    /// The whole VPC, not its tiers.
    pub local_cidr: Ipv4Net,
    pub peer: Ipv4Addr,
    pub peer_cidrs: Vec<Ipv4Net>,
    pub policy: policy::Policy,
    pub key: policy::PreSharedKey,
    /// Wait for the peer to initiate.
    pub passive: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TunnelStatus {
    Up,
    Down,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RouterError {
    #[error("the tunnel was not established: {0}")]
    NotEstablished(String),
    #[error("the router failed: {0}")]
    Failed(String),
}
